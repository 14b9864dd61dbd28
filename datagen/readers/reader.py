"""What a reader of annotations is: one module of this package, which says all of itself in its ``READER``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from datagen.readers.annotated_set import AnnotatedSet
from datagen.readers.annotation_file import AnnotationFile, read_annotation_file
from datagen.readers.json_file import JsonFile, read_json_file
from datagen.tracks import Video

__all__ = ["AnnotatedSet", "Reader", "Source"]


class Source:
    """A file or folder that a user named, read once however many readers look at it.

    Parameters
    ----------
    path : str or Path
        The file or folder.
    automatic : bool
        Whether masks that a machine made, and nobody mended, are asked for too, where a format tells them apart.
    """

    def __init__(self, path: str | Path, automatic: bool = False) -> None:
        self.path = Path(path)
        self.automatic = automatic

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return os.path.isdir(self.path)  # noqa: PTH112 (that of Path raises for names too long and links in a circle)

    @cached_property
    def json_file(self) -> JsonFile | None:
        """The JSON file; None of folders and texts. Of another kind it is an error."""
        if self.is_folder or self.path.suffix.lower() == ".txt":
            return None
        return read_json_file(self.path)

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
