"""From MOTS annotations to KITTI Masks (paper, appendix D.2; every step is described in docs/kitti-masks.md)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datagen.arguments import check_choice, is_whole
from datagen.build import PlannedVideo, SequenceRule, find_sequences, paint, plan
from datagen.datasets import Sequences
from datagen.errors import DatagenError, DatagenWarning, UsageError, counted, quote, shown
from datagen.manifest import make_manifest
from datagen.parallel import check_workers
from datagen.rates import describe_rates
from datagen.readers import describe_sources, find_videos_of_all, mots
from datagen.readers.reader import Source
from datagen.tracks import Video
from datagen.views import KittiView
from kitti_masks.presets import CORRECTIONS, PRESETS, PresetName

__all__ = ["build", "find_sources"]


def find_sources(
    sources: str | Path | Iterable[str | Path],
    annotations: mots.Annotations | None = None,
    names: Iterable[str] | None = None,
    fps_of_source: float | None = None,
) -> list[Video]:
    """Find the MOTS videos in some folders.

    Parameters
    ----------
    sources : path or iterable of path
        Folders that hold, or have below them, sets of sequences (`datagen.readers.mots`), or single texts. Their order
        is kept.
    annotations : {"txt", "png"}, optional
        Which to read; by default text, and label maps where there is none.
    names : iterable of str, optional
        Names of the videos wanted, e.g. ``["0002", "0013"]``, from every set; by default all.
    fps_of_source : float, optional
        How many frames make a second, of videos of which that is not known.

    Returns
    -------
    list of Video

    Raises
    ------
    UsageError
        If a folder does not exist, a sequence is in two places, or a wanted one in none.
    DatagenError
        If there is no sequence at all.

    Examples
    --------
    >>> import tempfile
    >>> from datagen.samples import sample_mots
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = sample_mots(f"{folder}/mots", frames=5)
    ...     [(video.source, video.name) for video in find_sources(f"{folder}/mots")]
    [('kitti-mots', '0000'), ('kitti-mots', '0001'), ('motschallenge', '0000'), ('motschallenge', '0001')]
    """
    if annotations is not None:
        check_choice("annotations", annotations, ("txt", "png"))

    def find(source: str | Path) -> list[Video]:
        found = mots.find_videos(source, annotations)
        if not found:
            kind = {"txt": "SSSS.txt", "png": "SSSS/*.png"}.get(annotations or "", "SSSS.txt or SSSS/*.png")
            others = Source(source).others_than([])
            other = f" ({quote(others[0].folder)} {others[0].what})" if others else ""
            raise DatagenError(
                f"{quote(source)}: no MOTS sequences here; expected {kind}, directly or under instances_txt/ or "
                f"instances/{other}"
            )
        return found

    return find_videos_of_all(sources, find, names=names, fps_of_source=fps_of_source)


def build(
    sources: str | Path | Iterable[str | Path],
    preset: PresetName = "paper",
    *,
    image_size: int = 64,
    windows: int = 6,
    min_area: int = 30,
    videos: Iterable[str] | None = None,
    include_cars: bool = False,
    annotations: mots.Annotations | None = None,
    fps_of_source: float | None = None,
    skip_bad: bool = False,
    workers: int | None = None,
    show_progress: bool = False,
) -> Sequences:
    """Build KITTI Masks.

    Parameters
    ----------
    sources : path or iterable of path
        Folders with MOTS annotations; see `find_sources`.
    preset : {"paper", "clean"}
        ``"paper"`` gives the published dataset bit for bit; ``"clean"`` corrects its defects (`kitti_masks.presets`).
    image_size : int
        Height and width of the masks, in pixels.
    windows : int
        How many windows to cut from a frame.
    min_area : int
        A frame with fewer pixels of the object ends a sequence.
    videos : iterable of str, optional
        Only these videos, by name.
    include_cars : bool
        Keep cars as well as pedestrians.
    annotations : {"txt", "png"}, optional
        Which to read where a set has both.
    fps_of_source : float, optional
        How many frames make a second, of videos of which that is not known.
    skip_bad : bool
        Leave out damaged lines and label maps and list them in the manifest, instead of raising.
    workers : int, optional
        Number of threads; by default one per processor. The result does not depend on it.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Returns
    -------
    Sequences
        Sequences by video, window, object id and time.

    Raises
    ------
    UsageError
        If an argument is out of range, a folder does not exist or a wanted sequence is in none of them.
    BadInputError
        If an annotation file is damaged; it says which line or frame.
    DatagenError
        If no sequence is found.

    Examples
    --------
    >>> import tempfile
    >>> from datagen.samples import sample_mots
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = sample_mots(f"{folder}/mots", frames=20)
    ...     build(f"{folder}/mots", "clean", windows=2, image_size=32)
    Sequences(mask-sequences: 13 sequences, 136 frames of 32 x 32 bool; factors y, x, area)
    """
    check_choice("preset", preset, list(PRESETS))
    if not is_whole(min_area, 1, 2**62):
        raise UsageError(f"minimum area {shown(min_area)}: must be at least 1, and whole")
    check_workers(workers)
    view = KittiView(image_size, windows)
    rules = {
        name: SequenceRule(
            min_area=min_area,
            min_length=2,
            min_length_before_hole=PRESETS[name].min_length_before_hole,
            drop_largest_id=PRESETS[name].drop_largest_id,
            left_out=() if include_cars else ("car",),
        )
        for name in PRESETS
    }

    chosen = find_sources(sources, annotations, videos, fps_of_source)
    found = plan(chosen, view, image_size, rules[preset], skip_bad, workers, show_progress)
    loss = None
    if rules[preset].drop_largest_id:
        loss = _what_was_lost(found, image_size, replace(rules[preset], drop_largest_id=False), include_cars)
    if not any(item.sequences for item in found):
        what = "object" if include_cars else "pedestrian"
        where = f"{quote(chosen[0].path)}: " if len(chosen) == 1 else ""
        seen = f"{counted(sum(len(item.tracks) for item in found), 'mask')} read"
        rule = rules[preset]
        why = f"none is seen with {min_area} pixels or more in {counted(rule.min_length, 'frame')} running"
        if rule.min_length_before_hole > rule.min_length:
            why += f", or in {rule.min_length_before_hole} where it is seen again later"
        why = loss or why
        raise DatagenError(f"{where}no sequence of a {what} in {len(chosen)} videos ({seen}); {why}")
    if loss:
        warnings.warn(loss, DatagenWarning, stacklevel=2)
    manifest = make_manifest(
        command="kitti-masks",
        preset=preset,
        parameters={
            "image_size": image_size,
            "windows": windows,
            "min_area": min_area,
            "include_cars": include_cars,
            "sequences": [f"{video.source}/{video.name}" for video in chosen],
            "annotations": sorted({video.path.suffix.lstrip(".") or "png" for video in chosen}),
        },
        sources=describe_sources(sorted({video.source for video in chosen})),
        inputs={name: digest for item in found for name, digest in item.tracks.inputs.items()},
        left_out=[line for item in found for line in item.tracks.left_out],
    )
    manifest["rates"] = describe_rates(item.tracks for item in found if len(item.tracks))
    if preset != "paper":
        manifest["mended"] = _what_was_corrected(found, image_size, rules["paper"])
    return paint(found, image_size, manifest, workers)


def _what_was_lost(
    found: Sequence[PlannedVideo], image_size: int, without: SequenceRule, include_cars: bool
) -> str | None:
    """Say how much goes with the largest id of windows that no ignore region is seen in: what is there without it."""
    lost = []
    for item in found:
        kept = {(each.window, int(each.rows[0])) for each in item.sequences}
        there = find_sequences(item.tracks, item.measures.area, image_size, without)
        lost += [(item, each) for each in there if (each.window, int(each.rows[0])) not in kept]
    if not lost:
        return None
    objects = {(item.tracks.source, item.tracks.video, int(item.tracks.object_id[each.rows[0]])) for item, each in lost}
    who = counted(len(objects), "object") if include_cars else counted(len(objects), "person", "people")
    frames = counted(sum(len(each.rows) for _, each in lost), "frame")
    return (
        f"{who} {'loses' if len(objects) == 1 else 'lose'} {counted(len(lost), 'sequence')} of {frames}, since preset "
        "paper drops the largest id of each window, which belongs to them where no ignore region is seen (and "
        "the smallest where there is no background); --preset clean drops ignore regions only"
    )


def _what_was_corrected(found: Sequence[PlannedVideo], image_size: int, published_rule: SequenceRule) -> dict[str, Any]:
    """Say what the preset corrects and how much it adds to the published data."""
    wanted = [rows for item in found for rows in item.sequences]
    published = [
        rows for item in found for rows in find_sequences(item.tracks, item.measures.area, image_size, published_rule)
    ]
    return {
        "what": list(CORRECTIONS),
        "added_sequences": len(wanted) - len(published),
        "added_frames": sum(len(each.rows) for each in wanted) - sum(len(each.rows) for each in published),
    }
