"""Readers of annotation formats, one a module, and the choice of one for a file or folder."""

from __future__ import annotations

from pathlib import Path

from datagen.errors import DatagenError
from datagen.tracks import Video

__all__ = ["find_videos"]


def find_videos(source: str | Path) -> list[Video]:
    """Find the videos of a source, whatever its format.

    Parameters
    ----------
    source : str or Path
        A folder of MOTS annotations (`datagen.readers.mots`), or a JSON file as of YouTube-VIS or OVIS
        (`datagen.readers.youtube_vis`) or of CocoVID, which lists images (`datagen.readers.coco_vid`).

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
    from datagen.readers import coco_vid, mots, youtube_vis
    from datagen.readers.annotation_file import read_annotation_file

    if Path(source).is_dir():
        videos = mots.find_videos(source)
        if not videos:
            raise DatagenError(f"{source}: no annotations here; give a JSON file or a folder of MOTS sequences")
        return videos
    file = read_annotation_file(source)
    return coco_vid.find_videos(file) if file.images else youtube_vis.find_videos(file)
