"""The folders below one that a user named, looked at once for all readers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datagen.errors import BadInputError, UsageError, quote
from datagen.readers.archives import identity, is_folder, list_folder, read_head
from datagen.readers.label_maps import label_maps_in
from datagen.readers.png import header_of_picture

__all__ = ["NO_ANNOTATIONS", "Folder", "Folders", "is_no_annotations"]

NO_ANNOTATIONS = (
    *("images", "image_2", "image_3", "image_02", "image_03", "img1", "label_2", "label_02"),
    *("calib", "oxts", "velodyne", "det", "det_02", "JPEGImages", "JPEGImages_24fps", "imgs"),
)
"""Beside annotations lie pictures, boxes and measurements, in folders of these names."""

_STORE = ".zarr"
"""How the folder of a dataset is called, which is none of annotations."""

# A whole disk would take hours to look through.
_MOST_FOLDERS = 100_000
_HEAD = 64


def is_no_annotations(name: str) -> bool:
    """Say whether a folder of this name holds no annotations."""
    return name in NO_ANNOTATIONS or name.endswith(_STORE)


@dataclass(frozen=True)
class Folder:
    """A folder.

    Attributes
    ----------
    path : Path
        The folder.
    entries, folders : list of Path
        All that is in it, and the folders among them, by name.
    """

    path: Path
    entries: list[Path]
    folders: list[Path]

    @cached_property
    def label_maps(self) -> list[Path]:
        """The PNGs that are named by a number, by it."""
        return label_maps_in(self.path) if any(path.suffix == ".png" for path in self.entries) else []

    @cached_property
    def first_header(self) -> tuple[int, int] | None:
        """Bit depth and colour type of the first that can be read; None if there is none."""
        headers = (header_of_picture(read_head(path, _HEAD)) for path in self.label_maps)
        return next((header for header in headers if header), None)

    @cached_property
    def headers(self) -> set[tuple[int, int]]:
        """Bit depths and colour types of some of them: of the first, one in the middle and the last, or of any."""
        found: set[tuple[int, int]] = set()
        maps = self.label_maps
        some = [maps[i] for i in sorted({0, len(maps) // 2, len(maps) - 1})] if maps else []
        for path in (*some, *maps):
            if path not in some and found:
                break
            header = header_of_picture(read_head(path, _HEAD))
            found |= {header} if header else set()
        return found


class Folders:
    """A folder and all below it.

    Parameters
    ----------
    top : Path
        The folder, or an archive.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self._known: dict[Path, Folder] = {}

    def __iter__(self) -> Iterator[Folder]:
        """Yield the folders, upper ones first, each once whatever links lead to it.

        Raises
        ------
        UsageError
            If there are too many.
        BadInputError
            If one cannot be read.
        """
        yield from self._all

    def at(self, path: Path) -> Folder:
        """Return the folder at a path; an empty one if there is none."""
        if path not in self._known:
            entries = list_folder(path) if path == self.top or is_folder(path) else []
            self._known[path] = Folder(path, entries, [entry for entry in entries if is_folder(entry)])
        return self._known[path]

    @cached_property
    def _all(self) -> list[Folder]:
        found: list[Folder] = []
        seen: set[object] = set()
        waiting = deque([self.top])
        while waiting:
            path = waiting.popleft()
            try:
                place = identity(path)
            except OSError as error:
                raise BadInputError(quote(path), f"cannot be read ({error.strerror})") from None
            if place in seen:
                continue
            seen.add(place)
            if len(seen) > _MOST_FOLDERS:
                raise UsageError(
                    f"{quote(self.top)}: has more than {_MOST_FOLDERS:,} folders below it; give that of a set"
                )
            found.append(self.at(path))
            waiting.extend(found[-1].folders)
        return found

    def is_beside(self, path: Path) -> bool:
        """Say whether a folder lies where pictures, measurements and datasets lie, by the names below the top."""
        return any(map(is_no_annotations, path.relative_to(self.top).parts))
