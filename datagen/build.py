"""From tracks to a dataset of masks: plan which frames of which object make a sequence in which window, then paint.

The rule is that of KITTI Masks (paper, appendix D.2): an object is followed through one window for as long as enough
of it is seen there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen import __version__, store
from datagen.arguments import check_choice, check_instance, check_whole, texts_of
from datagen.cluster import spread_over
from datagen.datasets import Sequences
from datagen.errors import DatagenError, UsageError, counted, quote
from datagen.files import as_path, continued_folder
from datagen.manifest import make_manifest
from datagen.moments import NOTHING, Measures
from datagen.parallel import Spread, check_workers, map_ordered
from datagen.plans import PaintedMasks, PlanLog, VideoPlan, lay_out, read_cut
from datagen.progress import progress_bar
from datagen.rates import check_rate, describe_rates
from datagen.readers import describe_sources_of, find_videos, find_videos_of_all, sources_of
from datagen.tracks import NO_OBJECT, NUMBER_ONE_BY_ONE, Sampling, Tracks, Video, WrappedVideo, smallest_step
from datagen.views import VIEWS, Cut, KittiView, View, YoutubeView, make_view

__all__ = [
    "PlannedVideo",
    "SequenceRows",
    "SequenceRule",
    "build_masks",
    "count_by_video",
    "find_sequences",
    "paint",
    "plan",
]


@dataclass(frozen=True)
class SequenceRule:
    """Which stretches of a track are kept.

    Attributes
    ----------
    min_area : int
        A frame that shows fewer pixels of the object in the window ends a sequence.
    min_length : int
        Fewest frames of a sequence that goes on until the object is last seen in the window.
    min_length_before_hole : int
        Fewest frames of a sequence that ends earlier.
    drop_largest_id : bool
        Drop, in every window, whatever object has the largest id there (as published, meant for the ignore region).
    left_out : tuple of str
        Names of categories that are left out, besides regions of no object.
    only : tuple of str
        Names of the categories that are kept; empty for all.
    """

    min_area: int
    min_length: int
    min_length_before_hole: int
    drop_largest_id: bool
    left_out: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class SequenceRows:
    """The rows of a table of tracks that make up one sequence in one window.

    Attributes
    ----------
    window : int
        The window.
    rows : ndarray of int64, shape (T,)
        Rows of `Tracks`, in the order of time.
    """

    window: int
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class PlannedVideo:
    """A video in memory: its masks, what they measure, and the sequences in them.

    Attributes
    ----------
    tracks : Tracks
        The masks, as the view samples them.
    cut : Cut or None
        The windows of its M masks; None where it has no mask.
    measures : Measures
        What the masks measure in the K windows.
    sequences : list of SequenceRows
        What is to be painted.
    """

    tracks: Tracks
    cut: Cut | None
    measures: Measures
    sequences: list[SequenceRows]

    @cached_property
    def plan(self) -> VideoPlan:
        """What is to be painted, without the masks."""
        tracks, none = self.tracks, np.zeros(0, dtype=np.int64)
        rows = np.concatenate([none, *(each.rows for each in self.sequences)])
        lengths = np.array([len(each.rows) for each in self.sequences], dtype=np.int64)
        window = np.array([each.window for each in self.sequences], dtype=np.int64)
        first = np.array([each.rows[0] for each in self.sequences], dtype=np.int64)
        names = tracks.category_names
        return VideoPlan(
            source=tracks.source,
            video=tracks.video,
            rows=rows,
            lengths=lengths,
            window=window,
            object_id=tracks.object_id[first],
            first_frame=tracks.frame[first],
            category=[names[number] for number in tracks.category_id[first].tolist()],
            latents=self.measures.at(rows, np.repeat(window, lengths)).latents(),
            num_masks=len(tracks),
            categories=list(names.values()),
            frames_per_second=tracks.frames_per_second,
            rate_from=tracks.rate_from,
            inputs=tracks.inputs,
            left_out=tracks.left_out,
            smallest_step=smallest_step(tracks.frame, tracks.object_id),
        )


def plan(
    videos: Sequence[Video],
    view: View,
    image_size: int,
    rule: SequenceRule,
    skip_bad: bool = False,
    workers: int | None = None,
    show_progress: bool = False,
) -> list[PlannedVideo]:
    """Read, measure and follow the objects of videos.

    Parameters
    ----------
    videos : sequence of Video
        What readers found; their order is kept.
    view : View
        How frames become windows.
    image_size : int
        Height and width of a window, in pixels.
    rule : SequenceRule
        What is kept.
    skip_bad : bool
        Leave out what cannot be read and list it, instead of raising.
    workers : int, optional
        Number of threads; by default one per processor. The result does not depend on it.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Raises
    ------
    BadInputError
        If annotations are damaged, or frames have no window in this view; it says where.
    """
    one = partial(_plan_video, view=view, image_size=image_size, rule=rule, skip_bad=skip_bad)
    planned = map_ordered(one, videos, workers)
    return list(progress_bar(planned, "reading sequences", total=len(videos), show=show_progress))


def _plan_video(video: Video, view: View, image_size: int, rule: SequenceRule, skip_bad: bool) -> PlannedVideo:
    tracks, cut = read_cut(video, view, skip_bad)
    if cut is not None:
        tracks = replace(tracks, masks=cut.masks)  # those of full size can go
    measures = NOTHING if cut is None else cut.measure()
    return PlannedVideo(tracks, cut, measures, find_sequences(tracks, measures.area, image_size, rule))


def _plan_alone(video: Video, view: View, image_size: int, rule: SequenceRule, skip_bad: bool) -> VideoPlan:
    """Plan a video without keeping its masks."""
    return _plan_video(video, view, image_size, rule, skip_bad).plan


def find_sequences(tracks: Tracks, areas: NDArray[Any], image_size: int, rule: SequenceRule) -> list[SequenceRows]:
    """Find the sequences of one video.

    Parameters
    ----------
    tracks : Tracks
        The objects of the video.
    areas : ndarray, shape (M, K)
        Area of every row of `tracks` in each of K windows, in pixels.
    image_size : int
        Height and width of a window, in pixels.
    rule : SequenceRule
        What is kept.

    Returns
    -------
    list of SequenceRows
        By window, then object id, then time.
    """
    if not len(tracks):
        return []
    names = tracks.category_names.items()
    unwanted = (NO_OBJECT, *rule.left_out)
    left_out = [number for number, name in names if name in unwanted or (rule.only and name not in rule.only)]
    by_object = np.lexsort((tracks.frame, tracks.object_id))
    found = []
    for window in range(areas.shape[1]):
        rows = by_object[areas[by_object, window] > 0]
        if not len(rows):
            continue
        frame, object_id, area = tracks.frame[rows], tracks.object_id[rows], areas[rows, window]
        enough = area >= rule.min_area
        same_object = object_id[1:] == object_id[:-1]
        goes_on = np.zeros(len(rows), dtype=bool)
        goes_on[1:] = enough[1:] & enough[:-1] & same_object & (np.diff(frame) == 1)
        first = np.flatnonzero(enough & ~goes_on)
        last = np.flatnonzero(enough & ~np.append(goes_on[1:], False))
        last_seen = np.append(~same_object, True)[last]
        length = last - first + 1
        kept = length >= np.where(last_seen, rule.min_length, rule.min_length_before_hole)
        kept &= ~np.isin(tracks.category_id[rows[first]], left_out)
        if rule.drop_largest_id:
            present = np.unique(object_id)
            dropped = [present[-1]]
            if _is_covered(tracks.frame, areas[:, window], image_size**2):
                # The release cuts the sorted labels [1:-1]; where the background is not among them, an object goes.
                dropped.append(present[0])
            kept &= ~np.isin(object_id[first], dropped)
        found += [SequenceRows(window, rows[a : b + 1]) for a, b in zip(first[kept], last[kept], strict=True)]
    return found


def _is_covered(frame: NDArray[np.int64], area: NDArray[np.int64], size: int) -> bool:
    """Say whether objects cover the whole window in every frame."""
    return bool(np.bincount(frame - frame.min(), weights=area).min() >= size)


def paint(
    videos: Sequence[PlannedVideo], image_size: int, manifest: dict[str, Any], workers: int | None = None
) -> Sequences:
    """Paint the windows of all sequences, in memory, and lay them end to end.

    Parameters
    ----------
    videos : sequence of PlannedVideo
        What was planned; sequences are kept in this order.
    image_size : int
        Height and width of a window, in pixels.
    manifest : dict
        How the data were made.
    workers : int, optional
        Number of threads; by default one per processor. The result does not depend on it.

    Returns
    -------
    Sequences
        Masks, with their latents as measured.
    """
    plans = [video.plan for video in videos]
    begins = np.concatenate([[0], np.cumsum([len(each) for each in plans])])
    masks = np.zeros((begins[-1], image_size, image_size), dtype=bool)

    def paint_video(number: int) -> None:
        cut = videos[number].cut
        if cut is not None:
            plans[number].paint_into(masks[begins[number] : begins[number + 1]], cut)

    for _ in map_ordered(paint_video, range(len(videos)), workers):
        pass
    return lay_out(plans, masks, manifest)


def build_masks(
    sources: str | Path | Iterable[str | Path],
    out: str | Path | None = None,
    *,
    view: str = "kitti",
    image_size: int = 64,
    windows: int = 6,
    min_area: int = 30,
    min_length: int = 2,
    categories: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    every: int = 1,
    frames_per_second: float | None = None,
    videos: Iterable[str] | None = None,
    fps_of_source: float | None = None,
    format: str | None = None,
    automatic: bool = False,
    skip_bad: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    overwrite: bool = False,
    show_progress: bool = False,
) -> Sequences:
    """Build a dataset of masks from the annotations of any reader, by the rule of KITTI Masks without its defects.

    Parameters
    ----------
    sources : path or iterable of path
        Annotation files or folders (`datagen.readers`). Their order is kept.
    out : path, optional
        A ``.zarr`` store to build the masks into, in memory bounded by the number of workers. Interrupted, the same
        call goes on from what lies in ``OUT.partial``. By default they are built in memory.
    view : {"kitti", "youtube", "square"}
        How frames become windows (`datagen.views`). Frames that are higher than wide are cut from top to bottom by
        ``"kitti"``.
    image_size : int
        Height and width of the masks, in pixels; of the view ``"kitti"``, the others have 64.
    windows : int
        How many windows the view ``"kitti"`` cuts from a frame.
    min_area : int
        A frame with fewer pixels of the object ends a sequence.
    min_length : int
        Fewest frames of a sequence.
    categories : iterable of str, optional
        Only objects of these categories; by default all.
    exclude : iterable of str
        No objects of these.
    every : int
        Take every so many-th annotated frame.
    frames_per_second : float, optional
        Take as many frames a second as this, a whole part of the annotations' own rate, which must be known.
    videos : iterable of str, optional
        Only these videos, by name; by default all.
    fps_of_source : float, optional
        How many annotated frames make a second, of videos of which that is not known.
    format, automatic
        See `datagen.readers.find_videos`.
    skip_bad : bool
        Leave out what cannot be read and list it in the manifest, instead of raising.
    workers : int, optional
        Number of threads; by default one per processor. The result does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, e.g. ``"tcp://head:8786"``, whose workers do the work instead of threads here; they
        must see sources and `out` under the same paths. With `out` only.
    overwrite : bool
        Whether `out` may be replaced if it exists, and what was left unfinished of other annotations or options.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Returns
    -------
    Sequences
        With `out`, its images lie in the store (`datagen.lazy_array`).

    Raises
    ------
    UsageError
        If an argument is out of range, the view has no masks to paint, no annotation has a wanted category, there is no
        video of a name, or a source does not exist.
    BadInputError
        If annotations are damaged, or a rate is unknown or no multiple of the one asked for; it says where.
    DatagenError
        If there is no sequence.

    Examples
    --------
    >>> import tempfile
    >>> from datagen.samples import sample_mots
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = sample_mots(f"{folder}/mots", frames=20)
    ...     build_masks(f"{folder}/mots", categories=["car"], every=2, windows=2)
    Sequences(mask-sequences: 12 sequences, 98 frames of 64 x 64 bool; factors y, x, area)
    """
    for name, value in (("min_area", min_area), ("min_length", min_length), ("every", every)):
        check_whole(name, value, 1)
    if every > 1 and frames_per_second is not None:
        raise UsageError(
            "--every (every) and --fps (frames_per_second) both say which frames to take; give one of them"
        )
    check_rate("frames_per_second", frames_per_second)
    check_workers(workers)
    if out is not None and not store.is_folder(out):
        raise UsageError(f"{out}: a dataset is built in parts into .zarr only; build it in memory and save it")
    if scheduler is not None and out is None:
        raise UsageError("scheduler: other processes write into a .zarr store; give out")
    if scheduler is not None and out is not None:  # workers may have started in another folder
        sources = [as_path(source, "source").absolute() for source in sources_of(sources)]
        out = Path(out).absolute()
    chosen = _painting_view(view, image_size, windows)
    only, unwanted = texts_of("categories", categories), texts_of("exclude", exclude)
    rule = SequenceRule(min_area, min_length, min_length, drop_largest_id=False, left_out=unwanted, only=only)
    find = partial(find_videos, format=format, automatic=automatic)
    whole = find_videos_of_all(sources, find, names=videos, fps_of_source=fps_of_source)
    thinned: list[Video] = [_Thinned(video, every, frames_per_second) for video in whole]
    parameters = {
        "view": view,
        **asdict(chosen),
        "min_area": min_area,
        "min_length": min_length,
        "categories": list(only),
        "exclude": list(unwanted),
        "every": every,
        "frames_per_second": frames_per_second,
        "sequences": list(dict.fromkeys(f"{video.source}/{video.name}" for video in thinned)),
    }
    if out is None:
        found = plan(thinned, chosen, image_size, rule, skip_bad, workers, show_progress)
        manifest = _manifest(parameters, thinned, [item.plan for item in found])
        return paint(found, image_size, manifest, workers)
    how_read = {"format": format, "automatic": automatic, "fps_of_source": fps_of_source}
    with spread_over(scheduler, workers) as spread:
        return _build_store(
            Path(out), thinned, chosen, rule, parameters, how_read, skip_bad, spread, overwrite, show_progress
        )


def _build_store(
    out: Path,
    videos: Sequence[Video],
    view: View,
    rule: SequenceRule,
    parameters: dict[str, Any],
    how_read: dict[str, Any],
    skip_bad: bool,
    spread: Spread,
    overwrite: bool,
    show_progress: bool,
) -> Sequences:
    """Plan, then paint shard by shard; go on where it was interrupted."""
    size = parameters["image_size"]
    paths = [str(video.path.absolute()) for video in videos]
    key = hashlib.sha256(json.dumps([__version__, parameters, how_read, paths]).encode()).hexdigest()
    with continued_folder(out, key, overwrite) as folder:
        log = PlanLog(folder.parent / "plans")
        plans = log.read()
        one = partial(_plan_alone, view=view, image_size=size, rule=rule, skip_bad=skip_bad)
        left = videos[len(plans) :]
        planned = spread.map(one, left)
        for each in progress_bar(planned, "reading sequences", total=len(left), show=show_progress):
            log.add(each)
            plans.append(each)
        try:
            manifest = _manifest(parameters, videos, plans)
        except DatagenError:
            log.remove()  # these options give no data however often they are tried
            raise
        masks = PaintedMasks(videos, plans, view, size, skip_bad)
        store.write_store(lay_out(plans, masks, manifest), folder, out, spread, show_progress)
    return store.load(out, lazy=True)


def _manifest(parameters: dict[str, Any], videos: Sequence[Video], plans: Sequence[VideoPlan]) -> dict[str, Any]:
    """Return the manifest of what was planned, and refuse what gives no data."""
    names = sorted({name for each in plans for name in each.categories} - {NO_OBJECT})
    for name in (*parameters["categories"], *parameters["exclude"]):
        if name not in names:
            some = ", ".join(map(quote, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
            raise UsageError(f"no category {quote(name)} in the annotations; there are {some or 'none'}")
    if not any(len(each) for each in plans):
        seen = sum(each.num_masks for each in plans)
        step = min((each.smallest_step for each in plans if each.smallest_step), default=0)
        is_why = step > 1 and parameters["min_length"] > 1
        apart = f" (the nearest frames of one are {step} apart); {NUMBER_ONE_BY_ONE}" if is_why else ""
        raise DatagenError(
            f"{quote(videos[0].path)}: no sequence in {counted(len(videos), 'video')} ({counted(seen, 'mask')} read); "
            f"no object is seen with {parameters['min_area']} pixels or more in "
            f"{counted(parameters['min_length'], 'frame')} running{apart}"
        )
    manifest = make_manifest(
        command="masks",
        parameters=parameters,
        sources=describe_sources_of(each for each in plans if each.num_masks),
        inputs={name: digest for each in plans for name, digest in each.inputs.items()},
        left_out=[line for each in plans for line in each.left_out],
    )
    manifest["rates"] = describe_rates(each for each in plans if each.num_masks)
    return manifest


def _painting_view(name: str, image_size: int, windows: int) -> View:
    """Return a view whose windows can be painted."""
    check_choice("view", name, list(VIEWS))
    if name == "kitti":
        return KittiView(image_size, windows, portrait=True)
    view = make_view(name)
    if not isinstance(view, YoutubeView):
        raise UsageError(f"the view {name} only measures; masks are painted in the views kitti, youtube and square")
    if image_size != view.image_size:
        raise UsageError(f"image_size={image_size}: the view {name} has windows of {view.image_size} pixels")
    return view


@dataclass(frozen=True)
class _Thinned(WrappedVideo):
    """A video of which only some frames are taken. See `datagen.tracks.Video`."""

    every: int
    frames_per_second: float | None

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        tracks = self.video.read(sampling, skip_bad)
        every, wanted = self.every, self.frames_per_second
        if wanted is not None and len(tracks):
            rate = tracks.frames_per_second
            if rate is None:
                raise UsageError(
                    "its rate is not known, so that frames cannot be taken by the second; give --fps-of-source or "
                    "--every N"
                )
            every = round(rate / wanted)
            if every < 1 or not math.isclose(every * wanted, rate, rel_tol=1e-6):
                raise UsageError(f"its {rate:g} frames a second are no multiple of {wanted:g}; give --every N")
        return tracks.thin(every)


def count_by_video(dataset: Sequences) -> list[dict[str, Any]]:
    """Count what every video gave.

    Parameters
    ----------
    dataset : Sequences
        Masks that a command built; its manifest names the videos.

    Returns
    -------
    list of dict
        ``source``, ``video``, ``objects``, ``sequences``, ``frames``, in order; also of videos that gave nothing.

    Examples
    --------
    >>> import tempfile
    >>> from datagen.samples import sample_mots
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = sample_mots(f"{folder}/mots", frames=20)
    ...     dataset = build_masks(f"{folder}/mots", image_size=32, windows=2)
    >>> count_by_video(dataset)[0]
    {'source': 'kitti-mots', 'video': '0000', 'objects': 1, 'sequences': 1, 'frames': 20}
    """
    check_instance("dataset", dataset, Sequences, "as build_masks returns")
    used = dataset.manifest.get("parameters", {}).get("sequences")
    if used is None:
        raise UsageError("dataset does not say of which videos it was built; give one that a command built")
    columns = dataset.columns
    videos, of_sequence = np.unique(
        np.char.add(np.char.add(columns["source"], "/"), columns["video"]), return_inverse=True
    )
    sequences = np.bincount(of_sequence, minlength=len(videos))
    frames = np.bincount(of_sequence, weights=dataset.lengths, minlength=len(videos))
    of_object = np.unique(np.stack([of_sequence, columns["object_id"]]), axis=1)[0]
    objects = np.bincount(of_object, minlength=len(videos))
    counts = dict(zip(videos.tolist(), zip(objects, sequences, frames, strict=True), strict=True))
    names = ("objects", "sequences", "frames")
    return [
        {
            "source": video.partition("/")[0],
            "video": video.partition("/")[2],  # in which there may be more of them
            **{name: int(count) for name, count in zip(names, counts.get(video, (0, 0, 0)), strict=True)},
        }
        for video in used
    ]
