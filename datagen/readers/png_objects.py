"""Folders of PNGs whose pixels are numbers of objects: video object segmentation, and what its models write.

A video is a folder of 8-bit palette or grey PNGs that are named by numbers, ``Annotations/480p/bear/00000.png``; its
name is the folder's. DAVIS 2016 has one object, white in grey pictures. 254 and 255 are void elsewhere: pixels of which
the annotators say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.readers.archives import is_file, list_folder, parts_of, read_bytes
from datagen.readers.folders import Folder, Folders
from datagen.readers.label_maps import LabelMaps
from datagen.readers.png import GREY, PALETTE, read_picture
from datagen.readers.reader import AnnotatedSet, Reader, Source
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import NO_CATEGORIES, Sampling, Video, printable_name

__all__ = ["READER", "VOID", "PngObjects", "are_label_maps", "read_indices", "videos_are_objects"]

VOID = (254, 255)
"""Values of pixels that belong to nobody."""

_DAVIS_2016, _DAVIS_2017 = "davis-2016", "davis-2017"
_DAVIS_PARTS = ("480p", "1080p", "Full-Resolution")
_LVOS = "lvos"
_BY_NAME = ("mose", _LVOS)
_LIST_OF_LVOS = "_meta.json"
_NUMBER = re.compile(r"[0-9]{1,9}")

# Pictures of a scene change from pixel to pixel, label maps at borders.
_MOST_CHANGES = 0.1


@dataclass(frozen=True)
class PngObjects(LabelMaps):
    """A video. See `datagen.tracks.Video`.

    Attributes
    ----------
    is_grey : bool
        Whether its pictures are grey, in which white may be the one object.
    categories : dict of int to str
        Of its objects, where the set has a list of them (LVOS).
    """

    source: str
    name: str
    path: Path
    is_grey: bool
    categories: dict[int, str] = field(default_factory=dict)

    @property
    def frames_per_second(self) -> float | None:  # type: ignore[override]
        """That of the data set."""
        return next((each.frames_per_second for each in READER.sets if each.id == self.source), None)

    def decode(self, data: bytes, path: Path, sampling: Sampling | None) -> tuple[NDArray[Any], int, int]:
        """See `LabelMaps.decode`."""
        return read_indices(data, path, sampling)

    def objects_of(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the labels but void; a single object in white is number 1."""
        if self.is_grey and (labels == 255).all():
            objects = np.ones_like(labels)
        else:
            objects = np.where(np.isin(labels, VOID), 0, labels)
        numbers = {name: number for number, name in self._names.items()}
        named = {label: numbers[name] for label, name in self.categories.items()}
        return objects, np.array([named.get(label, 1) for label in objects.tolist()], dtype=np.int64)

    def names_of(self, category_id: NDArray[np.int64]) -> dict[int, str]:
        """See `LabelMaps.names_of`."""
        del category_id
        return self._names

    @property
    def _names(self) -> dict[int, str]:
        others = sorted(set(self.categories.values()) - set(NO_CATEGORIES.values()))
        return NO_CATEGORIES | dict(enumerate(others, start=2))


def read_indices(data: bytes, path: Path, sampling: Sampling | None) -> tuple[NDArray[np.uint8], int, int]:
    """Read a PNG of at most 8 bits, grey or palette: its numbers, and height and width of the whole.

    Raises
    ------
    BadInputError
        If it is another.
    """
    picture = read_picture(data, path, sampling)
    if picture.colour not in (GREY, PALETTE) or picture.depth > 8:
        raise BadInputError(path, "is no 8-bit grey or palette image, as the others in its folder are")
    return picture.pixels, picture.height, picture.width


def are_label_maps(folders: Folders, folder: Folder) -> bool:
    """Say whether a folder holds 8-bit pictures that look as label maps of objects do."""
    # One of another kind among them is said when it is read, by its name.
    if not _shows_labels(folder.first_header) or folders.is_beside(folder.path):
        return False
    if any(part.startswith("Annotations") for part in parts_of(folder.path)):
        return True
    for pixels in _some_pixels(folder):
        if pixels.any():
            changes = np.count_nonzero(pixels[:, 1:] != pixels[:, :-1])
            return bool(changes <= max(_MOST_CHANGES * pixels.size, 2 * len(pixels)))
    return False


def _shows_labels(header: tuple[int, int] | None) -> bool:
    """Say whether a picture of a bit depth and colour type can be a label map of objects."""
    return header is not None and header[0] <= 8 and header[1] in (GREY, PALETTE)


def videos_are_objects(folders: Folders, folder: Folder) -> bool:
    """Say whether a folder holds the masks of one object, in that of its video: ``VIDEO/000/00000.png``.

    That of SA-V is known by its name; elsewhere each picture shows one value beside 0, at most.
    """
    if len(folder.path.name) != 3 or not (folder.path.name.isascii() and folder.path.name.isdecimal()):
        return False
    video = folder.path.parent
    above = parts_of(video)
    if "Annotations_6fps" in above[:-1]:
        return True
    if folder.path == folders.top or video == folders.top:
        return False
    if above[-1].startswith("Annotations") or above[-1] in _DAVIS_PARTS:
        return False
    return all(len(np.unique(pixels[pixels > 0])) < 2 for pixels in _some_pixels(folder))


def _some_pixels(folder: Folder) -> Iterator[NDArray[np.uint8]]:
    """Yield the first label map of a folder, one in the middle and the last, as far as they can be read."""
    maps = folder.label_maps
    for path in (maps[i] for i in sorted({0, len(maps) // 2, len(maps) - 1})):
        with suppress(BadInputError):
            yield read_indices(read_bytes(path), path, None)[0]


def _set_of(folder: Folder, is_grey: bool) -> str:
    """Return the data set of a video: known from its layout, else the name of the folder above."""
    parts = parts_of(folder.path)[:-1]
    if parts[-1] in _DAVIS_PARTS and parts[-2].startswith("Annotations"):
        return _DAVIS_2016 if is_grey else _DAVIS_2017
    for part in reversed(parts):
        for name in _BY_NAME:
            if part.lower().startswith(name):
                return name
    above = [part for part in parts if not part.startswith("Annotations") and part not in _DAVIS_PARTS]
    return printable_name(above[-1]) if above and above[-1] != "/" else "png-objects"


class _Object(msgspec.Struct):
    category: str | None = None


class _Video(msgspec.Struct):
    objects: dict[str, _Object] = {}


class _List(msgspec.Struct):
    videos: dict[str, _Video]


class _Lists:
    """The lists of objects of LVOS, ``train_meta.json`` beside ``Annotations`` or above, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, _Video]] = {}

    def of(self, video: Path, name: str) -> dict[int, str]:
        """Return the categories of the objects of a video, as far as there is a list that says them."""
        above = video.absolute().parents
        for path in (each for folder in above[1:3] for each in list_folder(folder)):
            if path.name.endswith(_LIST_OF_LVOS) and is_file(path):
                if path not in self._known:
                    try:
                        self._known[path] = msgspec.json.decode(read_bytes(path), type=_List).videos
                    except JSON_ERRORS as error:
                        raise BadInputError(path, f"is damaged or no list of objects of LVOS ({error})") from None
                objects = self._known[path].get(name, _Video()).objects
                if objects:
                    named = {key: each.category for key, each in objects.items() if _NUMBER.fullmatch(key)}
                    return {int(key): category for key, category in named.items() if category}
        return {}


def _find(source: Source) -> list[Video] | None:
    if not source.is_folder:
        return None
    found: list[Video] = []
    lists = _Lists()
    for folder in source.folders:
        if not folder.label_maps or is_file(folder.path.parent.parent / "meta.json"):  # of YouTube-VOS
            continue
        if videos_are_objects(source.folders, folder) or not are_label_maps(source.folders, folder):
            continue
        is_grey = all(header[1] == GREY for header in folder.headers if _shows_labels(header))
        name = printable_name(parts_of(folder.path)[-1])
        name_of_set = _set_of(folder, is_grey)
        categories = lists.of(folder.path, name) if name_of_set == _LVOS else {}
        found.append(PngObjects(name_of_set, name, folder.path, is_grey, categories))
    return sorted(found, key=lambda video: (video.source, video.path.parts)) or None


READER = Reader(
    name="png-objects",
    title="Folders of palette or grey PNGs, value = object, as of DAVIS, MOSE, LVOS, and results of SAM 2, Cutie, XMem",
    sets=(
        AnnotatedSet(
            id=_DAVIS_2016,
            name="DAVIS 2016",
            url="https://davischallenge.org/davis2016/code.html",
            licence="",  # none is stated with the annotations; the evaluation code is BSD
            citation=(
                "F. Perazzi, J. Pont-Tuset, B. McWilliams, L. Van Gool, M. Gross, A. Sorkine-Hornung: A Benchmark "
                "Dataset and Evaluation Methodology for Video Object Segmentation. CVPR 2016."
            ),
            frames_per_second=24,
            how_to_get=(
                "Take DAVIS-data.zip from https://davischallenge.org/davis2016/code.html and give "
                "DAVIS/Annotations/480p."
            ),
        ),
        AnnotatedSet(
            id=_DAVIS_2017,
            name="DAVIS 2017",
            url="https://davischallenge.org/davis2017/code.html",
            licence="",  # none is stated with the annotations; the evaluation code is BSD
            citation=(
                "J. Pont-Tuset, F. Perazzi, S. Caelles, P. Arbelaez, A. Sorkine-Hornung, L. Van Gool: The 2017 DAVIS "
                "Challenge on Video Object Segmentation. arXiv:1704.00675, 2017."
            ),
            frames_per_second=24,
            how_to_get=(
                "Take TrainVal of 480p from https://davischallenge.org/davis2017/code.html and give "
                "DAVIS/Annotations/480p."
            ),
        ),
        AnnotatedSet(
            id="mose",
            name="MOSE",
            url="https://henghuiding.github.io/MOSE/",
            licence="CC BY-NC-SA 4.0",
            citation=(
                "H. Ding, C. Liu, S. He, X. Jiang, P. H. S. Torr, S. Bai: MOSE: A New Dataset for Video Object "
                "Segmentation in Complex Scenes. ICCV 2023."
            ),
            frames_per_second=None,  # 5 to 6
            how_to_get=(
                "Take train from https://henghuiding.github.io/MOSE/ (others have masks of the first frame only) and "
                "give MOSE/train."
            ),
        ),
        AnnotatedSet(
            id=_LVOS,
            name="LVOS",
            url="https://lingyihongfd.github.io/lvos.github.io/",
            licence="CC BY 4.0",
            citation=(
                "L. Hong et al.: LVOS: A Benchmark for Large-scale Long-term Video Object Segmentation. "
                "arXiv:2404.19326, 2024."
            ),
            frames_per_second=6,
            how_to_get="Take the annotations from https://lingyihongfd.github.io/lvos.github.io/ and give LVOS/train.",
        ),
    ),
    find=_find,
)
