"""Small folders of PNG label maps for the tests of several modules."""

import numpy as np
from PIL import Image


def palette(path, labels, colours=256):
    """Write a palette PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.frombytes("P", labels.shape[::-1], labels.astype(np.uint8).tobytes())
    image.putpalette(np.arange(3 * colours, dtype=np.uint8).tolist())
    image.save(path)
    return path


def picture(path, array):
    """Write a PNG of the kind that an array is of: grey, 16-bit grey, RGB or RGBA."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def moving(frames=4, size=(72, 128), objects=(1, 2)):
    """Return label maps (frames, *size) of rectangles that move to the right."""
    labels = np.zeros((frames, *size), np.uint8 if max(objects) < 256 else np.int64)
    for t in range(frames):
        for place, number in enumerate(objects):
            labels[t, 5 + 25 * place : 25 + 25 * place, 10 + 5 * t : 40 + 5 * t] = number
    return labels


def painted(tracks, frames=None):
    """Return the label maps of tracks that do not overlap."""
    frames = int(tracks.frame.max(initial=-1)) + 1 if frames is None else frames
    labels = np.zeros((frames, tracks.masks.height, tracks.masks.width), np.int64)
    for frame, number, mask in zip(tracks.frame, tracks.object_id, tracks.masks.paint(), strict=True):
        labels[frame][mask] = number
    return labels
