"""How the objects of several sets move, side by side: the same figures of each over one time.

Frames of different sets are not equally far apart, and what moves for longer moves further, so figures compare at equal
time only. Of each source the nearest whole number of its frames is taken; where that is further than `MAX_DEVIATION`
from the time asked for, or no rate is known, the source is no part of the comparison. It is named, and its neighbouring
frames are described apart.

Shape, kurtosis, zeros and autocorrelation are those of `datagen.statistics.within`: every object and frame once, of
all changes together and with the scale of each video or object taken out. Except for zeros and the rounding of
areas none of them depends on the size of a pixel, so that sets of different resolutions compare.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import is_whole
from datagen.errors import UsageError, counted, quote, shown
from datagen.files import as_path
from datagen.intervals import REPLICATES
from datagen.manifest import Source
from datagen.progress import progress_bar
from datagen.statistics.bootstrap import MIN_OBJECTS
from datagen.statistics.motion import MIN_OTHERS, frames_at
from datagen.statistics.objects import number_rows
from datagen.statistics.summary import Group, summarize
from datagen.statistics.within import LEVELS, Level, Within
from datagen.store import fingerprint
from datagen.store.tables import load_with_sources
from datagen.transitions import FACTORS, Transitions

__all__ = ["MAX_DEVIATION", "Atlas", "AtlasRow", "AtlasSet", "RatedSource", "build_atlas"]

MAX_DEVIATION = 0.25
"""Share of the time asked for by which a whole number of frames may be shorter or longer."""


@dataclass(frozen=True)
class RatedSource:
    """What a set has of one data set at one rate.

    Attributes
    ----------
    name : str
        The data set; empty where the file does not say.
    licence : str
        Its licence; empty where the file does not say.
    fps : float or None
        How many of its annotated frames make a second; None where that is not known.
    frames : int
        Over how many frames its changes are.
    exact_ms : float or None
        How long these take, in milliseconds.

    Examples
    --------
    >>> print(RatedSource("davis-2016", "", fps=24, frames=2, exact_ms=1000 / 12))
    davis-2016: 2 frames at 24 a second, which are 83.3 ms
    """

    name: str
    licence: str
    fps: float | None
    frames: int
    exact_ms: float | None

    def __str__(self) -> str:
        which = f"{quote(self.name) or 'unnamed'}: {counted(self.frames, 'frame')}"
        if self.fps is None:
            return f"{which} at an unknown rate"
        return f"{which} at {self.fps:g} a second, which are {self.exact_ms:.3g} ms"


@dataclass(frozen=True)
class AtlasRow:
    """The figures of one factor of one set.

    Attributes
    ----------
    factor : str
        ``"area"``, ``"x"`` or ``"y"``.
    level : {"pooled", "video", "object"}
        Of what the scale is taken out; of nothing where pooled.
    ego_motion_removed : bool
        Whether the motion shared by a frame's objects was taken off. Areas have none.
    found : Within or None
        The figures; None where there are none.
    kind : str or None
        Which kind of sparsity the factor has (`within.sparsity_kind`); None where the intervals leave it open.
    note : str
        Why a figure or an interval is missing, or equal to that of another row.
    """

    factor: str
    level: Level
    ego_motion_removed: bool
    found: Within | None
    kind: str | None
    note: str

    @property
    def of(self) -> str:
        """What the figures are of, in words."""
        words = self.level if self.level == "pooled" else f"within {self.level}"
        return words + (", ego-motion removed" if self.ego_motion_removed else "")


@dataclass(frozen=True)
class AtlasSet:
    """The figures of one file, or of what one file has of comparable rates.

    Attributes
    ----------
    name, file, sha256 : str
        What the set is called, where it was read, and what tells that file from others
        (`datagen.store.fingerprint`).
    delta_ms : float or None
        The time between the two frames of a change, in milliseconds; None where they are neighbouring frames.
    sources : list of RatedSource
        What it is of.
    transitions, videos, objects : int
        How many changes it has, copies in overlapping windows included, and of how many videos and objects.
        `videos` is 0 where the file does not name them.
    rows : list of AtlasRow
        By factor; as measured, then without the shared motion; from all changes together to each object's.
    notes : list of str
        What else to know of the set.
    """

    name: str
    file: str
    sha256: str
    delta_ms: float | None
    sources: list[RatedSource]
    transitions: int
    videos: int
    objects: int
    rows: list[AtlasRow]
    notes: list[str]


@dataclass(frozen=True, repr=False)
class Atlas:
    """Several sets side by side.

    Attributes
    ----------
    delta_ms : float
        The time between the two frames of a change, in milliseconds.
    bootstrap, seed : int
        Number of replicates behind the intervals (0: none), and their seed.
    sets : list of AtlasSet
        Those that compare, in the order of their files.
    apart : list of AtlasSet
        Neighbouring frames of what does not.
    left_out : list of str
        What does not compare, and why.
    """

    delta_ms: float
    bootstrap: int
    seed: int
    sets: list[AtlasSet]
    apart: list[AtlasSet]
    left_out: list[str]

    def __repr__(self) -> str:
        return f"Atlas({counted(len(self.sets), 'set')} at {self.delta_ms:g} ms, {len(self.apart)} apart)"

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts and lists."""
        return asdict(self)


def build_atlas(
    paths: str | Path | Iterable[str | Path],
    delta_ms: float = 100,
    bootstrap: int = REPLICATES,
    seed: int = 0,
    *,
    show_progress: bool = False,
) -> Atlas:
    """Compute the same figures of several sets.

    Parameters
    ----------
    paths : path or iterable of path
        A file for each set: tables of transitions, or dataset files of masks.
    delta_ms : float
        The time between the two frames of a change, in milliseconds.
    bootstrap : int
        Replicates for the intervals; 0 for none.
    seed : int
        Of the replicates.
    show_progress : bool
        Draw a bar where standard error is a terminal.

    Returns
    -------
    Atlas

    Raises
    ------
    UsageError
        If there is no file, one is given twice, is absent or holds a number that is none, or an argument is out of
        range.
    BadInputError
        If a file is damaged or holds no transitions.

    Examples
    --------
    >>> import tempfile
    >>> from datagen.store.tables import save
    >>> rng = np.random.default_rng(0)
    >>> names, numbers = np.full(2000, "walk"), np.arange(2000)
    >>> area, x, y = rng.laplace(0, 3, (3, 2000, 2)).cumsum(axis=2)
    >>> fps = np.full(2000, 10, np.float32)
    >>> table = Transitions(names, names, numbers // 50, names, 0 * numbers, numbers, y, x, area + 1000, fps)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(table, f"{folder}/walk.csv")
    ...     atlas = build_atlas([f"{folder}/walk.csv"], bootstrap=0)
    >>> print(*atlas.sets[0].sources)
    walk: 1 frame at 10 a second, which are 100 ms
    >>> round(atlas.sets[0].rows[0].found.shape, 1)
    1.0
    """
    files = [as_path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not files:
        raise UsageError("no set given; name a table of transitions or a dataset file for each")
    if isinstance(delta_ms, bool) or not isinstance(delta_ms, int | float) or not 0 < delta_ms < np.inf:
        raise UsageError(f"time distance of {shown(delta_ms)} ms: must be above 0")
    if not is_whole(bootstrap, 0, 2**31):
        raise UsageError(f"{shown(bootstrap)} bootstrap replicates: must be at least 0, and whole")
    places: set[str] = set()
    for path in files:
        if (place := os.path.realpath(path)) in places:
            raise UsageError(f"{path}: is given twice")
        places.add(place)
    stems = [path.stem for path in files]
    atlas = Atlas(delta_ms, bootstrap, seed, [], [], [])
    for path, stem in progress_bar(list(zip(files, stems, strict=True)), "measuring sets", show=show_progress):
        name = stem if stems.count(stem) == 1 else str(path)
        table, described = load_with_sources(path)
        near = _is_near(table.fps, delta_ms)
        parts = [(near, delta_ms, atlas.sets), (~near, None, atlas.apart)]
        for rows, time, sets in parts:
            if not rows.any() and (time is not None or len(table)):
                continue
            part = table if rows.all() else table.select(rows)
            sources = _rated_sources(part, time, described)
            if time is None:
                atlas.left_out.extend(f"{quote(name)}: {_why_left_out(each, delta_ms)}" for each in sources)
            try:
                sets.append(_describe(name, path, part, time, sources, bootstrap, seed))
            except UsageError as error:
                raise UsageError(f"{path}: {error}") from None
    return atlas


def _is_near(fps: NDArray[np.float32], delta_ms: float) -> NDArray[np.bool_]:
    """Say of which rows a whole number of frames is near enough to a time."""
    near = np.zeros(len(fps), dtype=bool)
    known = np.flatnonzero(~np.isnan(fps))
    frames = frames_at(fps[known], delta_ms)
    exact = 1000 * frames / fps[known].astype(np.float64)
    near[known] = (frames > 0) & (abs(exact - delta_ms) <= MAX_DEVIATION * delta_ms)
    return near


def _rated_sources(table: Transitions, delta_ms: float | None, described: Sequence[Source]) -> list[RatedSource]:
    licences = {each.id: each.licence for each in described}
    found = []
    for name in np.unique(table.source).tolist():
        for rate in np.unique(table.fps[table.source == name]):  # NaN is one value, the last
            fps = None if np.isnan(rate) else float(str(rate))  # 29.97, not the float32 nearest to it
            frames = 1 if delta_ms is None else int(frames_at(np.array([rate]), delta_ms)[0])
            exact = None if fps is None else 1000 * frames / fps
            found.append(RatedSource(name, licences.get(name, ""), fps, frames, exact))
    return found


def _why_left_out(source: RatedSource, delta_ms: float) -> str:
    which = quote(source.name) or "its source"
    if source.fps is None:
        return f"the rate of {which} is not known (--fps-of-source of the command that made the file says it)"
    frames = max(1, round(delta_ms * source.fps / 1000))
    nearest = f"{counted(frames, 'frame')} of {which} ({source.fps:g} a second)"
    verb = "is" if frames == 1 else "are"
    return f"{nearest} {verb} {1000 * frames / source.fps:.3g} ms, too far from {delta_ms:g} ms"


def _describe(
    name: str,
    path: Path,
    table: Transitions,
    delta_ms: float | None,
    sources: list[RatedSource],
    bootstrap: int,
    seed: int,
) -> AtlasSet:
    """Return the figures of what is of comparable rates; of neighbouring frames where no time is given."""
    named = not (table.video == "").any()
    summary = summarize(
        table,
        fits=(),
        bootstrap=bootstrap,
        seed=seed,
        delta_t=(1,) if delta_ms is None else (),
        delta_ms=() if delta_ms is None else (delta_ms,),
        ego_motion=named,
        levels=("video", "object") if named else ("object",),
    )
    whole = summary.groups[0]
    rows = []
    for factor in FACTORS:
        rows += [_row(whole, factor, level, bool(bootstrap)) for level in LEVELS]
        if factor != "area":
            rows += [_row(group, factor, level, bool(bootstrap)) for group in summary.groups[1:] for level in LEVELS]
    notes = [*summary.warnings]
    if not named:
        notes.append("the file does not name the videos: nothing within a video, and no ego-motion, can be computed")
    videos = len(np.unique(number_rows(table.source, table.video))) if named else 0
    return AtlasSet(name, str(path), fingerprint(path), delta_ms, sources, whole.n, videos, whole.objects, rows, notes)


def _row(group: Group, factor: str, level: Level, resampled: bool) -> AtlasRow:
    found = group.within.get(level, {}).get(factor)
    kind = group.kind.get(factor)
    return AtlasRow(factor, level, group.ego_motion_removed, found, kind, _note(group, factor, level, found, resampled))


def _note(group: Group, factor: str, level: Level, found: Within | None, resampled: bool) -> str:
    if group.ego_motion_removed and not group.n:
        return f"no frame shows an object and {MIN_OTHERS} others"
    if factor in group.not_enough:
        return group.not_enough[factor]
    if level not in group.within:
        return "videos are not named"
    if found is None:
        return "not enough data: of every object and frame once, too few changes differ from 0"
    notes = []
    if level != "pooled" and found.groups == 1:
        notes.append(f"one {level}: the same as pooled")
    if found.at_bound:
        notes.append("shape at the bound of its range: no estimate")
    if resampled and found.shape_interval is None and not found.at_bound:
        notes.append(f"no interval: {counted(group.objects, 'object')}, {MIN_OBJECTS} that move are needed")
    return "; ".join(notes)
