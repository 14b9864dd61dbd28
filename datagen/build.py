"""From tracks to a dataset of masks: plan which frames of which object make a sequence in which window, then paint.

The rule is that of KITTI Masks (paper, appendix D.2): an object is followed through one window for as long as enough
of it is seen there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import Sequences
from datagen.errors import BadInputError, UsageError, quote
from datagen.moments import NOTHING, Measures
from datagen.parallel import map_ordered
from datagen.progress import progress_bar
from datagen.tracks import Tracks, Video
from datagen.views import Cut, View

__all__ = ["PlannedVideo", "SequenceRows", "SequenceRule", "find_sequences", "paint", "plan"]


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
    left_out : tuple of int
        Categories that are left out.
    """

    min_area: int
    min_length: int
    min_length_before_hole: int
    drop_largest_id: bool
    left_out: tuple[int, ...]


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
    """What one video gives: its masks, what they measure, and the sequences in them.

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
        Number of threads; by default one a processor. The result does not depend on it.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Raises
    ------
    BadInputError
        If annotations are damaged, or frames have no window in this view; it says where.
    """

    def plan_video(video: Video) -> PlannedVideo:
        try:
            tracks = video.read(view.sampling, skip_bad)
            cut = view.cut(tracks.masks) if len(tracks) else None
        except UsageError as error:  # of the view: frames of this size have no window
            if not skip_bad:
                problem = f"{error}; leave it out with --skip-bad"
                raise BadInputError(video.path, problem, f"sequence {quote(video.name)}") from None
            tracks, cut = Tracks.left_out_whole(video, str(error)), None
        if cut is not None:
            tracks = replace(tracks, masks=cut.masks)  # those of full size can go
        measures = NOTHING if cut is None else cut.measure()
        return PlannedVideo(tracks, cut, measures, find_sequences(tracks, measures.area, image_size, rule))

    planned = map_ordered(plan_video, videos, workers)
    return list(progress_bar(planned, "reading sequences", total=len(videos), show=show_progress))


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
        kept &= ~np.isin(tracks.category_id[rows[first]], rule.left_out)
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
    """Paint the windows of all sequences and lay them end to end.

    Parameters
    ----------
    videos : sequence of PlannedVideo
        What was planned; sequences are kept in this order.
    image_size : int
        Height and width of a window, in pixels.
    manifest : dict
        How the data were made.
    workers : int, optional
        Number of threads; by default one a processor. The result does not depend on it.

    Returns
    -------
    Sequences
        Masks, with their latents as measured.
    """
    pairs = [(video, each) for video in videos for each in video.sequences]
    offsets = np.concatenate([[0], np.cumsum([len(each.rows) for _, each in pairs])]).astype(np.int64)
    per_video = [sum(len(each.rows) for each in video.sequences) for video in videos]
    begins = np.concatenate([[0], np.cumsum(per_video)])
    masks = np.zeros((offsets[-1], image_size, image_size), dtype=bool)
    latents = np.zeros((offsets[-1], 3), dtype=np.float32)

    def paint_video(number: int) -> None:
        video = videos[number]
        if video.cut is None or not video.sequences:
            return
        place = slice(begins[number], begins[number + 1])
        rows = np.concatenate([each.rows for each in video.sequences])
        window = np.concatenate([np.full(len(each.rows), each.window) for each in video.sequences])
        video.cut.paint_into(masks[place], rows, window)
        latents[place] = video.measures.at(rows, window).latents()

    for _ in map_ordered(paint_video, range(len(videos)), workers):
        pass
    first = [(video.tracks, each.rows[0]) for video, each in pairs]
    return Sequences.of_masks(
        masks=masks,
        latents=latents,
        offsets=offsets,
        manifest=manifest,
        source=np.array([tracks.source for tracks, _ in first]),
        video=np.array([tracks.video for tracks, _ in first]),
        object_id=np.array([tracks.object_id[row] for tracks, row in first], dtype=np.int64),
        category=np.array([tracks.category_names[int(tracks.category_id[row])] for tracks, row in first]),
        window=np.array([each.window for _, each in pairs], dtype=np.int64),
        first_frame=np.array([tracks.frame[row] for tracks, row in first], dtype=np.int64),
    )
