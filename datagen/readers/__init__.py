"""Readers of annotation formats, one a module, and the choice of one for a file or folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from datagen.errors import DatagenError, UsageError, quote
from datagen.tracks import Video

__all__ = ["find_videos", "find_videos_of_all"]


def find_videos(source: str | Path) -> list[Video]:
    """Find the videos of a source, whatever its format.

    Parameters
    ----------
    source : str or Path
        A folder of MOTS annotations or a text of them (`datagen.readers.mots`), or a JSON file as of YouTube-VIS or
        OVIS (`datagen.readers.youtube_vis`) or of CocoVID, which lists images (`datagen.readers.coco_vid`).

    Returns
    -------
    list of Video

    Raises
    ------
    UsageError
        If there is no such file or folder.
    BadInputError
        If a file is of none of the formats.
    DatagenError
        If a folder holds no annotations.
    """
    import os

    from datagen.readers import coco_vid, mots, youtube_vis
    from datagen.readers.annotation_file import read_annotation_file

    if os.path.isdir(source):  # noqa: PTH112 (that of Path raises for names too long and links in a circle)
        videos = mots.find_videos(source, strict=False)
        if not videos:
            other = mots.name_of_others(source)
            known = f"no annotations here that are read: {other}" if other else "no annotations here"
            raise DatagenError(f"{quote(source)}: {known}; give a JSON file or a folder of MOTS sequences")
        return videos
    if Path(source).suffix.lower() == ".txt":
        return mots.find_videos(source, strict=False)
    file = read_annotation_file(source)
    return coco_vid.find_videos(file) if file.images else youtube_vis.find_videos(file)


def find_videos_of_all(
    sources: str | Path | Iterable[str | Path], find: Callable[[str | Path], list[Video]] = find_videos
) -> list[Video]:
    """Find the videos of some sources, in their order, each once.

    Parameters
    ----------
    sources : path or iterable of path
        The sources.
    find : callable
        Finds those of one.

    Returns
    -------
    list of Video

    Raises
    ------
    UsageError
        If a video of one name is in two places: a copy, or ground truth and results side by side.
    """
    videos: list[Video] = []
    places: dict[tuple[str, str], Path] = {}
    for source in [sources] if isinstance(sources, str | Path) else sources:
        new: dict[tuple[str, str], Path] = {}
        for video in find(source):
            key = (video.source, video.name)
            # In one file, annotations of a video need not stand together.
            if key in places or new.setdefault(key, video.path) != video.path:
                other = places.get(key) or new[key]
                raise UsageError(
                    f"{quote('/'.join(key))} is there twice: {quote(other)} and {quote(video.path)}; give one of them"
                )
            videos.append(video)
        places |= new
    return videos
