"""From annotations to measured masks: every track through a view, and from there to transitions.

The method is that of the release's table of YouTube-VOS (paper, appendix D.1), for the tracks of any reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, DatagenError, UsageError, counted, quote
from datagen.manifest import make_manifest
from datagen.moments import NOTHING, Measures
from datagen.parallel import check_workers, map_ordered
from datagen.progress import progress_bar
from datagen.rates import describe_rates, rate_or_nan
from datagen.readers import describe_sources_of, find_videos, find_videos_of_all
from datagen.tracks import NO_OBJECT, NUMBER_ONE_BY_ONE, Tracks, Video, read_sampled, smallest_step
from datagen.transitions import Transitions
from datagen.views import View, make_view

__all__ = ["Measured", "MeasuredVideo", "measure"]

_CORRECTIONS = (
    "the aspect ratio of frames is kept; published, every frame is squeezed to 64 x 128",
    "area and centre of mass are those of the exact coverage of the window; published, of a binary mask that was "
    "resized with two roundings",
)


@dataclass(frozen=True, repr=False)
class MeasuredVideo:
    """The masks of one video, measured: a row for each object and frame in which it is seen.

    Attributes
    ----------
    source, video : str
        As of `datagen.tracks.Tracks`.
    objects : ndarray of int64, shape (O, 3)
        Object, category and number of frames of every track, in the order of the annotations.
    object_id, frame : ndarray of int64, shape (M,)
        The object and the frame of each row; rows of one object are in the order of time.
    measures : Measures
        What the M masks measure in the K windows of the view.
    category_names : dict of int to str
        Names of the categories.
    inputs : dict of str to str
        sha256 of every file that was read.
    left_out : list of str
        What was bad and left out.
    frames_per_second, rate_from
        As of `datagen.tracks.Tracks`.
    """

    source: str
    video: str
    objects: NDArray[np.int64]
    object_id: NDArray[np.int64]
    frame: NDArray[np.int64]
    measures: Measures
    category_names: dict[int, str]
    inputs: dict[str, str]
    left_out: list[str]
    frames_per_second: float | None = None
    rate_from: str = "set"

    def __repr__(self) -> str:
        masks, windows = self.measures.area.shape
        return f"MeasuredVideo({self.source}/{self.video}: {counted(masks, 'mask')} in {counted(windows, 'window')})"

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows (N, 2) of frames that follow each other and their windows (N,), by object and frame."""
        place = self._places()
        order = np.lexsort((self.frame, place))
        first, second = order[:-1], order[1:]
        follows = (place[first] == place[second]) & (self.frame[second] - self.frame[first] == 1)
        area = self.measures.area
        row, window = np.nonzero((area[first] > 0) & (area[second] > 0) & follows[:, None])
        return np.stack([first[row], second[row]], axis=1), window

    def _places(self) -> NDArray[np.int64]:
        """Return the place of the object of each row among all."""
        place = np.argsort(self.objects[:, 0])
        return place[np.searchsorted(self.objects[:, 0], self.object_id, sorter=place)]

    def transitions(self) -> Transitions:
        """Return the pairs of frames that follow each other, by object, frame and window."""
        pair, window = self.pairs()
        y, x, area = self.measures
        categories = np.array([self.category_names[number] for number in self.objects[:, 1].tolist()], dtype=str)
        return Transitions(
            source=np.full(len(pair), self.source),
            video=np.full(len(pair), self.video),
            object_id=self.object_id[pair[:, 0]],
            category=categories[self._places()[pair[:, 0]]],
            window=window,
            frame=self.frame[pair[:, 0]],
            y=y[pair, window[:, None]],
            x=x[pair, window[:, None]],
            area=area[pair, window[:, None]],
            fps=np.full(len(pair), rate_or_nan(self.frames_per_second), dtype=np.float32),
        )


@dataclass(frozen=True, repr=False)
class Measured:
    """All videos of some sources, measured.

    Attributes
    ----------
    videos : list of MeasuredVideo
        In the order of the annotations.
    manifest : dict
        How they were measured (`datagen.manifest`).
    """

    videos: list[MeasuredVideo]
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        masks = sum(len(video.frame) for video in self.videos)
        return f"Measured({counted(len(self.videos), 'video')}, {counted(masks, 'mask')})"

    def transitions(self) -> Transitions:
        """Return the pairs of all videos.

        Raises
        ------
        DatagenError
            If there is not one.
        """
        pairs = Transitions.concatenate([video.transitions() for video in self.videos])
        if not len(pairs):
            raise DatagenError(f"{_some(self.manifest['inputs'])}: {_no_pairs(self.videos)}")
        return pairs


def measure(
    sources: str | Path | Iterable[str | Path],
    view: str = "youtube",
    *,
    stride: int | None = None,
    skip_bad: bool = False,
    videos: Iterable[str] | None = None,
    fps_of_source: float | None = None,
    format: str | None = None,
    automatic: bool = False,
    workers: int | None = None,
    show_progress: bool = False,
) -> Measured:
    """Measure all tracks of some annotations.

    Parameters
    ----------
    sources : path or iterable of path
        Annotation files or folders (`datagen.readers.find_videos`). Their order is kept.
    view, stride
        How to look at them; see `datagen.views.make_view`.
    skip_bad : bool
        Leave out bad annotations and list them in the manifest, instead of raising.
    videos : iterable of str, optional
        Only these videos, by name; by default all.
    fps_of_source : float, optional
        How many annotated frames make a second, of videos of which that is not known.
    format, automatic
        See `datagen.readers.find_videos`.
    workers : int, optional
        Number of threads; by default one per processor. The result does not depend on it.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Returns
    -------
    Measured

    Raises
    ------
    UsageError
        If the view or the format is unknown, the view has no stride, there is no video of a name, or a source does not
        exist.
    BadInputError
        If annotations are damaged; it says where.
    DatagenError
        If there is not one mask.
    """
    check_workers(workers)
    chosen = make_view(view, stride)
    paths = [sources] if isinstance(sources, str | Path) else list(sources)
    find = partial(find_videos, format=format, automatic=automatic)
    found = find_videos_of_all(paths, find, names=videos, fps_of_source=fps_of_source)

    def measure_one(video: Video) -> MeasuredVideo:
        try:
            return _measure(read_sampled(video, chosen.sampling, skip_bad), chosen)
        except UsageError as error:  # of the view: frames of this size have no window
            if not skip_bad:
                raise BadInputError(
                    video.path, f"{error}; leave it out with --skip-bad", f"video {quote(video.name)}"
                ) from None
            return _measure(Tracks.left_out_whole(video, str(error)), chosen)

    measured = list(
        progress_bar(map_ordered(measure_one, found, workers), "measuring", total=len(found), show=show_progress)
    )
    measured, category_names = _agree_on_categories(measured)
    left_out = [line for video in measured for line in video.left_out]
    if not any(len(video.frame) for video in measured):
        files = [name for video in measured for name in video.inputs]
        out = f"{counted(len(left_out), 'annotation')} left out"
        raise DatagenError(f"{_some(files or paths)}: no mask in {counted(len(found), 'video')} ({out})")
    manifest = make_manifest(
        command="transitions",
        preset="clean" if view == "coverage" else "paper",
        parameters={"view": view, **asdict(chosen)},
        sources=describe_sources_of(video for video in measured if len(video.frame)),
        inputs={name: digest for video in measured for name, digest in video.inputs.items()},
        left_out=left_out,
    )
    manifest["rates"] = describe_rates(video for video in measured if len(video.frame))
    if view == "coverage":
        manifest["mended"] = {"what": list(_CORRECTIONS)}
    manifest["categories"] = category_names
    manifest["counts"] = {
        "videos": len({(video.source, video.video) for video in measured}),
        "tracks": sum(len(video.objects) for video in measured),
        "masks": sum(len(video.frame) for video in measured),
    }
    return Measured(measured, manifest)


def _some(names: Iterable[str | Path]) -> str:
    """List names, the first of them where they are many."""
    named = [quote(name) for name in names]
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")


def _no_pairs(measured: Sequence[MeasuredVideo]) -> str:
    """Say why nothing moves from one frame to the next."""
    masks = sum(len(video.frame) for video in measured)
    steps = [step for video in measured if (step := smallest_step(video.frame, video.object_id))]
    if not steps:
        return f"{counted(masks, 'mask')}, but no object is seen in two frames"
    if min(steps) == 1:
        return f"{counted(masks, 'mask')}, but no object is seen in one window in two frames that follow each other"
    return (
        f"{counted(masks, 'mask')}, but no object is seen in two frames that follow each other (the nearest are "
        f"{min(steps)} apart); {NUMBER_ONE_BY_ONE}"
    )


def _agree_on_categories(measured: list[MeasuredVideo]) -> tuple[list[MeasuredVideo], dict[str, str]]:
    """Let a number stand for one category in all videos, since sources number theirs each in its own way.

    Returns
    -------
    measured : list of MeasuredVideo
        The same; where a number stands for another category in a video before, it is exchanged for the number that the
        category has there, or for a new one.
    names : dict of str to str
        The names of the categories that occur, by their number as JSON has it.
    """
    used = [np.unique(video.objects[:, 1]).tolist() for video in measured]
    new = max((number for numbers in used for number in numbers), default=0)
    names: dict[int, str] = {}
    agreed = []
    for video, numbers in zip(measured, used, strict=True):
        exchanged: dict[int, int] = {}
        for number in numbers:
            name = video.category_names[number]
            if names.get(number) == name:
                continue
            # Two numbers of one name in a source's own list stay two.
            known = next(
                (each for each in names if names[each] == name and video.category_names.get(each) != name), None
            )
            if known is None:
                known = number if number not in names else new + 1
                new = max(new, known)
            names[known] = name
            if known != number:
                exchanged[number] = known
        if exchanged:
            objects = video.objects.copy()
            objects[:, 1] = [exchanged.get(number, number) for number in objects[:, 1].tolist()]
            category_names = {known: names[known] for known in np.unique(objects[:, 1]).tolist()}
            video = replace(video, objects=objects, category_names=category_names)
        agreed.append(video)
    return agreed, {str(number): name for number, name in names.items()}


def _measure(tracks: Tracks, view: View) -> MeasuredVideo:
    objects = tracks.objects
    if not len(objects):  # the format lists no tracks: they are what is seen, by id, until the video's last frame
        seen = np.unique(np.stack([tracks.object_id, tracks.category_id], axis=1), axis=0)
        objects = np.column_stack([seen, np.full(len(seen), tracks.frame.max(initial=-1) + 1)])
    of_none = [number for number, name in tracks.category_names.items() if name == NO_OBJECT]
    rows = ~np.isin(tracks.category_id, of_none)
    measures = view.measure(tracks.masks.select(rows)) if rows.any() else NOTHING
    return MeasuredVideo(
        source=tracks.source,
        video=tracks.video,
        objects=objects[~np.isin(objects[:, 1], of_none)],
        object_id=tracks.object_id[rows],
        frame=tracks.frame[rows],
        measures=measures,
        category_names=tracks.category_names,
        inputs=tracks.inputs,
        left_out=tracks.left_out,
        frames_per_second=tracks.frames_per_second,
        rate_from=tracks.rate_from,
    )
