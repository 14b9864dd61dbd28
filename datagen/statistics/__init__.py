"""Statistics of transitions: moments, fits, intervals, and (apart) their pictures.

`summarize` says everything about a table as data; `datagen.statistics.figures` draws it and
`datagen.statistics.report` puts it on a page.
"""

from datagen.intervals import Interval
from datagen.lazy import public_names
from datagen.statistics.fits import ALL_FITS, PAPER_FITS, Fit
from datagen.statistics.summary import BY, Group, Summary, summarize

__all__ = ["ALL_FITS", "BY", "PAPER_FITS", "Fit", "Group", "Interval", "Summary", "summarize"]

__dir__ = public_names(__name__)
