"""What a reader of annotations is: one module of this package, which says all of itself in its ``READER``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from datagen.errors import DatagenWarning, quote
from datagen.files import as_path
from datagen.readers.annotated_set import AnnotatedSet
from datagen.readers.annotation_file import AnnotationFile, read_annotation_file
from datagen.readers.archives import files_below, is_archive, is_folder
from datagen.readers.folders import Folder, Folders, is_no_annotations
from datagen.readers.json_file import JsonFile, read_json_file
from datagen.readers.other_forms import name_of_folder, names_of_files
from datagen.tracks import Video

__all__ = ["AnnotatedSet", "Other", "Reader", "Source"]


class Other(NamedTuple):
    """What looks like annotations and may not be read.

    Attributes
    ----------
    folder : Path
        Where it lies.
    path : Path
        The folder, or the file in it. It is read if a video is there, above or below.
    what : str
        What it is, to follow the name of the folder.
    """

    folder: Path
    path: Path
    what: str


class Source:
    """A file or folder that a user named, read once however many readers look at it.

    Parameters
    ----------
    path : str or Path
        The file or folder.
    automatic : bool
        Whether masks that a machine made, and nobody corrected, are asked for too, where a format distinguishes them.
    """

    def __init__(self, path: str | Path, automatic: bool = False) -> None:
        self.path = as_path(path, "source")
        self.automatic = automatic

    @cached_property
    def folders(self) -> Folders:
        """The folder and those below it."""
        return Folders(self.path)

    @cached_property
    def others(self) -> dict[Path, Other]:
        """What looks like annotations in these folders, by its path."""
        return {other.path: other for folder in self.folders for other in _others_in(self.folders, folder)}

    def others_than(self, videos: Sequence[Video]) -> list[Other]:
        """Return what looks like annotations and is none of these videos; nothing that is below another of these."""
        videos_at = {video.path for video in videos}
        above = {folder for path in videos_at for folder in path.parents}
        unread = {path for path in self.others if path not in above and videos_at.isdisjoint((path, *path.parents))}
        return [self.others[path] for path in sorted(unread) if (unread - {self.path}).isdisjoint(path.parents)]

    def warn_of_others(self, videos: Sequence[Video]) -> None:
        """Say what lies beside the videos that are read, and is not read."""
        others = self.others_than(videos)
        if others:
            some = "; ".join(f"{quote(other.folder)} {other.what}" for other in others[:3])
            more = f"; and {len(others) - 3} more" if len(others) > 3 else ""
            text = f"{quote(self.path)}: not all that lies there is read: {some}{more}"
            warnings.warn(text, DatagenWarning, stacklevel=3)

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder, or a zip or tar, which is read as one."""
        return is_folder(self.path) or is_archive(self.path)

    @cached_property
    def json_file(self) -> JsonFile | None:
        """The JSON file; None of folders and texts. Of another kind it is an error."""
        if self.is_folder or self.path.suffix.lower() == ".txt":
            return None
        return read_json_file(self.path)

    @cached_property
    def json_files(self) -> list[Path]:
        """The JSON files of a folder that look like annotations, by path; of an archive of one alone, that."""
        if not self.is_folder:
            return []
        paths = sorted(path for path in self.others if path.suffix.lower() == ".json")
        if not paths and not is_folder(self.path):
            paths = files_below(self.path, ".json")
            return paths if len(paths) == 1 else []
        return paths

    @cached_property
    def annotation_file(self) -> AnnotationFile | None:
        """The JSON file of ``videos`` and ``annotations``, read but for these; None of others."""
        if self.json_file is None or not {"videos", "annotations"} <= self.json_file.parts.keys():
            return None
        return read_annotation_file(self.json_file)


@dataclass(frozen=True)
class Reader:
    """A format of annotations.

    Attributes
    ----------
    name : str
        Its name, e.g. ``"mots"``.
    title : str
        What it is, in a line.
    sets : tuple of AnnotatedSet
        Data sets that are published in it.
    find : callable
        From a `Source` to its videos, or None where the source is not of this format. Further arguments are the
        format's own.
    """

    name: str
    title: str
    sets: tuple[AnnotatedSet, ...]
    find: Callable[..., list[Video] | None]

    def __call__(self, source: str | Path | Source, **options: Any) -> list[Video] | None:
        """Find the videos of a source; see `find`."""
        return self.find(source if isinstance(source, Source) else Source(source), **options)


def _others_in(folders: Folders, folder: Folder) -> list[Other]:
    """Return what looks like annotations in a folder."""
    if folders.is_beside(folder.path) or is_no_annotations(folder.path.name):
        return []
    found = []
    for name, what in names_of_files(folder.path, folder.entries):
        found.append(Other(folder.path, folder.path / name, what))
    form = name_of_folder(folder.path, folder.entries)
    if form:
        found.append(Other(folder.path, folder.path, form))
    elif folder.label_maps and not folder.headers:
        found.append(Other(folder.path, folder.path, "holds pictures that cannot be read"))
    return found
