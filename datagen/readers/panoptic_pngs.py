"""PNGs that say of every pixel its class and its instance: panoptic maps and bitmasks.

====================================  ===========================================================================
KITTI-STEP, MOTChallenge-STEP         ``panoptic_maps/[SPLIT/]0000/000000.png``, RGB: class, and instance = G * 256 + B
BDD100K MOTS                          ``bitmasks/[SPLIT/]VIDEO/VIDEO-0000001.png``, RGBA: class, flags, and instance
                                      = B * 256 + A; what is flagged as crowd or ignored is left out
VIPSeg                                ``panomasks/VIDEO/00000000.png``, 16-bit: up to 124 stuff, else class * 100 +
                                      instance
MOTS of CVAT and Datumaro             ``[SUBSET/]instances/frame_000000.png``, 16-bit: class * 1000 + instance, names of
                                      classes by line in ``labels.txt``
====================================  ===========================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.readers.archives import is_file, parts_of, read_bytes
from datagen.readers.bdd100k import BDD100K
from datagen.readers.bdd100k import READER as _SCALABEL
from datagen.readers.folders import Folder, Folders
from datagen.readers.label_maps import NUMBERED, LabelMaps, label_maps_in
from datagen.readers.png import GREY, RGB, RGBA, Picture, read_picture
from datagen.readers.reader import AnnotatedSet, Reader, Source
from datagen.tracks import Sampling, Video, printable_name

__all__ = ["READER", "PanopticPngs"]

# Cityscapes' training ids, of which STEP tracks two; MOTChallenge-STEP has its own, and tracks one.
_KITTI_STEP = {11: "person", 13: "car"}
_MOT_STEP = {4: "person"}
_BDD100K = dict(enumerate(("pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"), start=1))
_LAST_STUFF = 124
_VIPSEG_FOLDERS = ("panomasks", "panomask")
_VIPSEG = {
    **{3: "door", 5: "ladder", 9: "window", 11: "goal", 42: "sculpture", 44: "flag", 45: "parasol_or_umbrella"},
    **{47: "tent", 48: "roadblock", 49: "car", 50: "bus", 51: "truck", 52: "bicycle", 53: "motorcycle"},
    **{55: "ship_or_boat", 56: "raft", 57: "airplane", 61: "person", 62: "cat", 63: "dog", 64: "horse", 65: "cattle"},
    **{66: "other_animal", 73: "skateboard", 75: "ball", 77: "box", 78: "traveling_case_or_trolley_case"},
    **{79: "basket", 80: "bag_or_package", 83: "plate", 84: "tub_or_bowl_or_pot", 85: "bottle_or_cup", 86: "barrel"},
    **{87: "fishbowl", 88: "bed", 89: "pillow", 90: "table_or_desk", 91: "chair_or_seat", 92: "bench", 93: "sofa"},
    **{96: "gun", 97: "commode", 98: "roaster", 100: "refrigerator", 101: "washing_machine", 102: "Microwave_oven"},
    **{103: "fan", 107: "painting_or_poster", 108: "mirror", 109: "flower_pot_or_vase", 110: "clock"},
    **{115: "screen_or_television", 116: "computer", 117: "printer", 118: "Mobile_phone", 119: "keyboard"},
    **{123: "instrument", 124: "train"},
}
"""Its things, by their numbers in the masks: one more than in its list of categories."""
_IGNORED = 0b11
"""Flags of BDD100K: crowd and ignore."""

_CVAT_FRAME = re.compile(r"(?:frame_)?([0-9]+)")
_BDD_FRAME = re.compile(r".*-([0-9]{7})")
_LONGEST_LABELS = 1 << 16


@dataclass(frozen=True)
class _Form:
    """How pixels are written.

    Attributes
    ----------
    kinds : tuple of tuple of int
        Bit depths and colour types that there may be.
    what : str
        The same in words.
    per_class : int
        A label is class * per_class + instance.
    pattern : re.Pattern
        How frames are named.
    """

    kinds: tuple[tuple[int, int], ...]
    what: str
    per_class: int
    pattern: re.Pattern[str] = NUMBERED


_STEP_FORM = _Form(((8, RGB),), "8-bit RGB", 1 << 16)
_BDD_FORM = _Form(((8, RGBA),), "8-bit RGB with alpha", 1 << 16, _BDD_FRAME)
_VIPSEG_FORM = _Form(((16, GREY), (8, GREY)), "grey", 100)
_CVAT_FORM = _Form(((16, GREY),), "16-bit grey", 1000, _CVAT_FRAME)


@dataclass(frozen=True)
class PanopticPngs(LabelMaps):
    """A video. See `datagen.tracks.Video`.

    Attributes
    ----------
    form : _Form
        How pixels are written.
    classes : dict of int to str
        The classes of which instances are distinguished.
    """

    source: str
    name: str
    path: Path
    form: _Form
    classes: dict[int, str]

    @property
    def frames_per_second(self) -> float | None:  # type: ignore[override]
        """That of the data set."""
        return next(
            (each.frames_per_second for each in (*READER.sets, *_SCALABEL.sets) if each.id == self.source), None
        )

    @property
    def pattern(self) -> re.Pattern[str]:  # type: ignore[override]
        """That of the form."""
        return self.form.pattern

    def decode(self, data: bytes, path: Path, sampling: Sampling | None) -> tuple[NDArray[Any], int, int]:
        """See `LabelMaps.decode`."""
        picture = read_picture(data, path, sampling)
        if (picture.depth, picture.colour) not in self.form.kinds:
            raise BadInputError(path, f"is no {self.form.what} image, as those of its form are")
        labels = _labels_of(picture)
        class_id, instance = labels // self.form.per_class, labels % self.form.per_class
        if self.form is _CVAT_FORM:  # a class beyond its list is an error, not stuff
            wrong = (labels > 0) & ((class_id == 0) | ~np.isin(class_id, list(self.classes)))
            if wrong.any():
                label = int(labels[wrong][0])
                raise BadInputError(path, f"holds label {label}, of no class; a label is class * 1000 + instance")
            nothing = class_id == 0
        elif self.form is _VIPSEG_FORM:  # a class that is not in its list is called by its number
            nothing = labels <= _LAST_STUFF
        else:
            nothing = (instance == 0) | ~np.isin(class_id, list(self.classes))
        return np.where(nothing, np.uint32(0), labels), picture.height, picture.width

    def objects_of(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `LabelMaps.objects_of`."""
        return labels, labels // self.form.per_class

    def names_of(self, category_id: NDArray[np.int64]) -> dict[int, str]:
        """See `LabelMaps.names_of`."""
        return {number: str(number) for number in np.unique(category_id).tolist()} | self.classes


def _labels_of(picture: Picture) -> NDArray[Any]:
    """Return class * (instances of a class) + instance of every pixel."""
    pixels = picture.pixels.astype(np.uint32)
    if picture.colour == RGB:
        return (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
    if picture.colour == RGBA:
        labels = (pixels[..., 0] << 16) | (pixels[..., 2] << 8) | pixels[..., 3]
        return np.where(pixels[..., 1] & _IGNORED, np.uint32(0), labels)
    return pixels


def _video_in(folders: Folders, folder: Folder) -> Video | None:
    """Return the video in a folder, if it is of one of the forms."""
    path = folder.path
    *above, name = map(printable_name, parts_of(path))
    near = above[-2:]
    if folder.label_maps and "panoptic_maps" in near and folder.headers.intersection(_STEP_FORM.kinds):
        is_mot = any("mot" in part.lower() and "kitti" not in part.lower() for part in above)
        source, classes = ("motchallenge-step", _MOT_STEP) if is_mot else ("kitti-step", _KITTI_STEP)
        return PanopticPngs(source, name, path, _STEP_FORM, classes)
    if folder.label_maps and above[-1] in _VIPSEG_FOLDERS:
        return PanopticPngs("vipseg", name, path, _VIPSEG_FORM, _VIPSEG)
    if "bitmasks" in near and label_maps_in(path, _BDD_FRAME):
        return PanopticPngs(BDD100K, name, path, _BDD_FORM, _BDD100K)
    if path.absolute().name == "instances" and label_maps_in(path, _CVAT_FRAME):
        return _of_cvat(path)
    return None


def _of_cvat(path: Path) -> Video | None:
    """Return the video in a folder ``instances`` that has ``labels.txt`` beside or above it."""
    for root in (path, path.absolute().parent, path.absolute().parent.parent):
        if is_file(root / "labels.txt"):
            lines = read_bytes(root / "labels.txt")[:_LONGEST_LABELS].decode("utf-8", "replace").splitlines()
            names = [printable_name(line.strip()) for line in lines]
            while names and not names[-1]:
                names.pop()
            classes = {number: each or str(number) for number, each in enumerate(names, start=1)}
            own = [printable_name(part) for part in parts_of(path)[:-1] if part != "/"]
            return PanopticPngs(own[-2] if len(own) > 1 else "mots-png", own[-1], path, _CVAT_FORM, classes)
    return None


def _find(source: Source) -> list[Video] | None:
    if not source.is_folder:
        return None
    found = [_video_in(source.folders, folder) for folder in source.folders]
    return [video for video in found if video] or None


_STEP = "M. Weber et al.: STEP: Segmenting and Tracking Every Pixel. NeurIPS Datasets and Benchmarks 2021."

READER = Reader(
    name="panoptic-pngs",
    title="Panoptic maps of KITTI-STEP, MOTChallenge-STEP and VIPSeg, bitmasks of BDD100K, MOTS PNGs of CVAT",
    sets=(
        AnnotatedSet(
            id="kitti-step",
            name="KITTI-STEP",
            url="https://www.cvlibs.net/datasets/kitti/eval_step.php",
            licence="CC BY-NC-SA 3.0",
            citation=_STEP,
            frames_per_second=10,
            how_to_get=(
                "Take the annotations from https://www.cvlibs.net/datasets/kitti/eval_step.php and give panoptic_maps/."
            ),
        ),
        AnnotatedSet(
            id="motchallenge-step",
            name="MOTChallenge-STEP",
            url="https://motchallenge.net/data/STEP-ICCV21/",
            licence="CC BY-NC-SA 3.0",
            citation=_STEP,
            frames_per_second=None,
            how_to_get="Take the labels from https://motchallenge.net/data/STEP-ICCV21/ and give panoptic_maps/.",
        ),
        AnnotatedSet(
            id="vipseg",
            name="VIPSeg",
            url="https://github.com/VIPSeg-Dataset/VIPSeg-Dataset",
            licence="non-commercial (see the page)",
            citation="J. Miao et al.: Large-scale Video Panoptic Segmentation in the Wild: A Benchmark. CVPR 2022.",
            frames_per_second=15,
            how_to_get="Ask for it as https://github.com/VIPSeg-Dataset/VIPSeg-Dataset says, and give panomasks/.",
        ),
    ),
    find=_find,
)
