"""Rates: how many annotated frames make a second, and who says so.

What moves over 1/6 s moves further than over 1/30 s, so every data set carries the rate of each of its sequences and
every table that of each of its rows; NaN where it is not known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, UsageError, quote, shown
from datagen.tracks import Sampling, Tracks, WrappedVideo

__all__ = ["Rated", "RatedVideo", "check_rate", "describe_rates", "rate_or_nan", "wrong_rates"]

# Files round 29.97 to 30.
_TOLERANCE = 2e-3

_SAID_BY = {"file": "its file says", "set": "its data set is known to have", "user": "it was given"}


class Rated(Protocol):
    """What has a source and a rate: tracks, measured videos."""

    @property
    def source(self) -> str:
        """The data set it belongs to."""

    @property
    def frames_per_second(self) -> float | None:
        """How many annotated frames make a second; None if unknown."""

    @property
    def rate_from(self) -> str:
        """Who says so: the ``"set"``, the ``"file"`` or the ``"user"``."""


def check_rate(name: str, rate: float | None) -> None:
    """Refuse an argument that is no rate.

    Raises
    ------
    UsageError
        If it is not above 0 or not finite.
    """
    if rate is not None and not (isinstance(rate, Real) and 0 < rate < math.inf):
        raise UsageError(f"{name}={shown(rate)}: must be above 0")


def wrong_rates(rates: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which of some rates are none: neither above 0 and finite, nor NaN for unknown."""
    return ~(np.isnan(rates) | ((rates > 0) & np.isfinite(rates)))


def rate_or_nan(rate: float | None) -> float:
    """Return a rate as columns hold it."""
    return math.nan if rate is None else rate


def describe_rates(videos: Iterable[Rated]) -> list[dict[str, Any]]:
    """Return what a manifest says of the rates of videos.

    Parameters
    ----------
    videos : iterable of Tracks or MeasuredVideo
        The videos.

    Returns
    -------
    list of dict
        ``source``, ``frames_per_second`` (None if unknown), ``rate_from`` (who says so: the annotations' ``"file"``,
        what is known of the data ``"set"``, or the ``"user"``; None if unknown) and the number of ``videos`` of which
        this is so, by source and rate.
    """
    found = Counter(
        (video.source, video.frames_per_second, None if video.frames_per_second is None else video.rate_from)
        for video in videos
    )
    return [
        {"source": source, "frames_per_second": rate, "rate_from": rate_from, "videos": count}
        for (source, rate, rate_from), count in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or 0))
    ]


@dataclass(frozen=True)
class RatedVideo(WrappedVideo):
    """A video whose rate a user gave. See `datagen.tracks.Video`.

    Attributes
    ----------
    video : Video
        The video as its reader has it.
    frames_per_second : float
        How many of its annotated frames make a second.
    """

    frames_per_second: float

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`.

        Raises
        ------
        BadInputError
            If another rate is known.
        """
        tracks = self.video.read(sampling, skip_bad)
        known, given = tracks.frames_per_second, self.frames_per_second
        if known is None:
            return replace(tracks, frames_per_second=given, rate_from="user")
        if not math.isclose(known, given, rel_tol=_TOLERANCE):
            raise BadInputError(
                self.path,
                f"{_SAID_BY[tracks.rate_from]} {known:g} frames a second, not {given:g}; leave out --fps-of-source, "
                "which is for sources of unknown rate",
                f"video {quote(self.name)}",
            )
        return tracks
