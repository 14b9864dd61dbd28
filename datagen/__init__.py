"""What the tools of this project share: readers, views, transitions, dataset files, statistics.

Importing this package is cheap: nothing heavy (torch, cv2, scipy, numba) is loaded until it is used.
"""

__version__ = "0.1.0"
