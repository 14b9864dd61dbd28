"""MOTS annotations: text files and folders of 16-bit PNG label maps (Voigtlaender et al., CVPR 2019).

A set is a folder of sequences: ``SSSS.txt`` or ``SSSS/FFFFFF.png``, directly or under ``instances_txt/`` and
``instances/``, or ``NAME/gt/gt.txt`` as motchallenge.net has them (``MOTS20-02`` is sequence 0002). A line of text is
``frame object_id class_id height width rle``; a pixel of a label map is ``class * 1000 + instance``, and so is an
object id, but in results and own data it may be any number. Class 1 is car, 2 pedestrian, 10 the ignore region (always
object 10000).
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, UsageError, quote
from datagen.jit import njit
from datagen.masks import decode_rle, is_frame_size, problem_of_rle
from datagen.readers.archives import check_file, is_file, read_bytes, read_head
from datagen.readers.folders import NO_ANNOTATIONS, Folder, Folders
from datagen.readers.label_maps import LARGEST_FRAME, LabelMaps, label_maps_in, number_of
from datagen.readers.other_forms import name_of_file
from datagen.readers.png import kind_of_picture, read_label_map
from datagen.readers.reader import AnnotatedSet, Other, Reader, Source
from datagen.tracks import Sampling, Tracks, Video, printable_name

__all__ = [
    "CATEGORY_NAMES",
    "IGNORE",
    "KITTI_MOTS",
    "MOTSYNTH",
    "MOTS_CHALLENGE",
    "READER",
    "Annotations",
    "MotsImages",
    "MotsText",
    "find_videos",
]

CATEGORY_NAMES = {1: "car", 2: "pedestrian", 10: "ignore"}
IGNORE = 10
"""Class of the region in which nothing was annotated."""

KITTI_MOTS = "kitti-mots"
MOTS_CHALLENGE = "motschallenge"
MOTSYNTH = "motsynth"

Annotations = Literal["txt", "png"]

# Of the published sequences the number of frames, height and width, and rate: own data, whose frames may be named and
# counted in the same way, must not pass for them.
_KITTI_LENGTHS = (
    *(154, 447, 233, 144, 314, 297, 270, 800, 390, 803, 294, 373, 78, 340),
    *(106, 376, 209, 145, 339, 1059, 837),
)
_KITTI_SIZES = [*[(375, 1242)] * 14, *[(370, 1224)] * 4, *[(374, 1238)] * 2, (376, 1241)]
_KITTI_RATE = 10.0
_PUBLISHED = {
    KITTI_MOTS: {
        f"{number:04}": (length, *size, _KITTI_RATE)
        for number, (length, size) in enumerate(zip(_KITTI_LENGTHS, _KITTI_SIZES, strict=True))
    },
    MOTS_CHALLENGE: {
        "0002": (600, 1080, 1920, 30.0),
        "0005": (837, 480, 640, 14.0),
        "0009": (525, 1080, 1920, 30.0),
        "0011": (900, 1080, 1920, 30.0),
    },
}

# Above every number of the format.
_LARGEST = LARGEST_FRAME
_NEWLINE, _BLANK = 10, 32

_SEQUENCE = re.compile(r"[0-9]{4}")
_LAST_NUMBER = re.compile(r"[0-9]+$")
_GT = Path("gt", "gt.txt")
_SEQINFO = "seqinfo.ini"
_LONGEST_SEQINFO = 1 << 16
_PARTS = ("instances", "instances_txt")
_FIELDS = 6
_QUOTES = b'""'
"""How MOTSynth writes the encoding of an object that is hidden, if it writes any."""
_IGNORED_OBJECT = 10_000

_OTHER_CLASS = "a class other than 1 (car), 2 (pedestrian), 10 (ignore), which `datagen masks` takes"

# More lines than that are not damage, but another kind of file.
_MOST_MALFORMED = 10_000


def find_videos(source: str | Path, annotations: Annotations | None = None, strict: bool = True) -> list[Video]:
    """Find the MOTS sequences in a folder and in the folders below it.

    What lies there and is no MOTS annotation, but looks like others, is named in a warning.

    Parameters
    ----------
    source : str or Path
        A set, or a folder with sets below it. (Or a single text file.)
    annotations : {"txt", "png"}, optional
        Which to read. By default text, which holds the same and reads faster, and label maps of the sequences that have
        no text.
    strict : bool
        Refuse classes other than those of MOTS, and objects that overlap, as the format does. If false, both are read.

    Returns
    -------
    list of Video
        Sets of KITTI MOTS first, then those of MOTSChallenge (which count frames from 1, not from 0),
        and in each the sequences by name. Empty if there are none.

    Raises
    ------
    UsageError
        If the source does not exist.
    BadInputError
        If one set holds a sequence twice, or the source is a file that is no text.
    """
    looked_at = Source(source)
    if not looked_at.is_folder:
        if not (os.path.lexists(looked_at.path) or is_file(looked_at.path)):
            raise UsageError(f"{quote(source)}: no such folder or file")
        return [_text_file(check_file(looked_at.path), strict)]
    videos = _videos_below(looked_at, annotations, strict)
    if videos:
        looked_at.warn_of_others(videos)
        return videos
    # Where there is nothing else, reading says what is wrong, unless it is known what they are.
    known = {other.folder for other in looked_at.others_than([])}
    places = [
        place
        for place in _places(looked_at.folders, annotations)
        if not any(place.folder.is_relative_to(folder) for folder in known)
    ]
    return _videos_of(places, strict)


def _videos_below(source: Source, annotations: Annotations | None, strict: bool) -> list[Video]:
    """Return the sequences below a folder that look as MOTS annotations do, and tell the source of the others."""
    places = _places(source.folders, annotations)
    # Where pictures or boxes lie beside them, they are none.
    sound = [place for place in places if place.looks_right()]
    for place in places if sound else []:
        if place not in sound and place.folder.name not in NO_ANNOTATIONS:
            kind = "texts that are no MOTS annotations" if place.are_texts else "pictures that are no label maps"
            source.others[place.folder] = Other(place.folder, place.folder, f"holds {kind}")
    return _videos_of(sound, strict)


def _videos_of(places: list[_Place], strict: bool) -> list[Video]:
    sets: dict[Path, list[_Place]] = {}
    for place in places:
        sets.setdefault(place.root, []).append(place)
    found = [_videos_of_set(root, sets[root], strict) for root in sorted(sets, key=lambda root: root.parts)]
    found.sort(key=lambda videos: videos[0].source != KITTI_MOTS)  # stable: by path within a source
    return [video for videos in found for video in videos]


@dataclass(frozen=True)
class _Place:
    """A folder in which sequences lie: that of a set, or one of its own in it.

    Attributes
    ----------
    root : Path
        The folder of the set.
    folder : Path
        That of the sequences.
    are_texts : bool
        Whether they are texts, else label maps.
    sequences : list of tuple of str and Path
        The name of each, and its file or folder.
    """

    root: Path
    folder: Path
    are_texts: bool
    sequences: list[tuple[str, Path]]

    def looks_right(self) -> bool:
        """Say whether one of the sequences, at least, looks as MOTS annotations do."""
        return any((_looks_like_text if self.are_texts else _looks_like_label_maps)(path) for _, path in self.sequences)


def _places(folders: Folders, annotations: Annotations | None) -> list[_Place]:
    """Return the places of sequences in a folder and below it; a sequence once, whatever links lead to it."""
    places: list[_Place] = []
    known: set[tuple[str, int, int]] = set()
    taken: set[Path] = set()
    for folder in folders:
        if folder.path in taken or folder.path.parent in taken:  # a sequence, or part of one
            taken.add(folder.path)
            continue
        if folder.path.name in _PARTS and any(place.folder == folder.path for place in places):
            continue
        new = _places_of_set(folders, folder)
        places += _without_known(new, known)
        paths = [path for place in new for _, path in place.sequences]
        taken.update(path.parent.parent if path.parts[-2:] == _GT.parts else path for path in paths)
    taken.discard(folders.top)
    return places if annotations is None else [each for each in places if each.are_texts == (annotations == "txt")]


def _places_of_set(folders: Folders, folder: Folder) -> list[_Place]:
    """Return the places of sequences of the set at a folder; none if it is no set."""
    found = []
    root = folder.path
    for inside in (folder, folders.at(root / "instances_txt")):
        texts = [path for path in inside.entries if path.suffix == ".txt" and _SEQUENCE.fullmatch(path.stem)]
        found.append(_Place(root, inside.path, True, [(path.stem, path) for path in texts]))
    for inside in (folder, folders.at(root / "instances")):
        maps = [path for path in inside.folders if _SEQUENCE.fullmatch(path.name) and folders.at(path).label_maps]
        found.append(_Place(root, inside.path, False, [(path.name, path) for path in maps]))
    texts = [path / _GT for path in folder.folders]
    if root == folders.top:  # which may be that of a sequence, or gt/ itself
        texts += [root / _GT] + ([root / _GT.name] if root.absolute().name == _GT.parent.name else [])
    texts = [path for path in texts if os.path.lexists(path) or is_file(path)]
    found.append(_Place(root, root, True, [(_name_of_gt(path), path) for path in texts]))
    return [place for place in found if place.sequences]


def _without_known(places: list[_Place], known: set[tuple[str, int, int]]) -> list[_Place]:
    """Return places without the sequences that are known by another path, as through a link, and add the others."""
    kept = []
    for place in places:
        sequences = []
        for name, path in place.sequences:
            with contextlib.suppress(OSError):  # of a link that leads nowhere, which is said when it is read
                status = path.stat()
                if (key := (name, status.st_dev, status.st_ino)) in known:
                    continue
                known.add(key)
            sequences.append((name, path))
        if sequences:
            kept.append(replace(place, sequences=sequences))
    return kept


def _name_of_gt(path: Path) -> str:
    """Return the name of a sequence of motchallenge.net: ``0002`` of ``MOTS20-02/gt/gt.txt``."""
    folder = path.absolute().parent.parent.name
    number = _LAST_NUMBER.search(folder)
    return number[0].zfill(4) if number else printable_name(folder)


def _text_file(path: Path, strict: bool) -> Video:
    """Return the sequence in a single text file."""
    if path.suffix.lower() != ".txt":
        problem = name_of_file(_beginning(path)) or "is neither a folder of MOTS annotations nor a text (.txt)"
        raise BadInputError(path, problem)
    name = _name_of_gt(path) if path.name == _GT.name else printable_name(path.stem)
    return MotsText(_source(_first_frame_of_text(path), path), name, path.parent, path, strict)


def _videos_of_set(root: Path, places: list[_Place], strict: bool) -> list[Video]:
    texts, maps = (
        _by_name(root, [each for place in places if place.are_texts == are_texts for each in place.sequences])
        for are_texts in (True, False)
    )
    maps = {name: path for name, path in maps.items() if name not in texts}
    first = min(
        [*map(_first_frame_of_text, texts.values()), *(number_of(label_maps_in(path)[0]) for path in maps.values())]
    )
    videos: dict[str, Video] = {
        name: MotsText(_source(first, path), name, root, path, strict) for name, path in texts.items()
    }
    for name, path in maps.items():
        videos[name] = MotsImages(_source(first, root), name, root, path, strict)
    return [videos[name] for name in sorted(videos)]


def _looks_like_text(path: Path) -> bool:
    """Say whether a text has a line of six fields among its first, or none at all."""
    lines = [line for line in _beginning(path).split(b"\n") if line.strip()][:10]
    return not lines or any(len(line.split()) == _FIELDS for line in lines)


def _looks_like_label_maps(folder: Path) -> bool:
    """Say whether one of the pictures of a sequence may be a label map, for all that its header says."""
    frames = label_maps_in(folder)
    return any(kind_of_picture(_beginning(frames[i])) is None for i in sorted({0, len(frames) // 2, len(frames) - 1}))


def _beginning(path: Path) -> bytes:
    """Return how a file begins; nothing of what cannot be read, which is said when it is its turn."""
    return read_head(path, 1 << 16).removeprefix(codecs.BOM_UTF8)


def _by_name(root: Path, sequences: list[tuple[str, Path]]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for name, path in sorted(sequences):
        if name in named:
            raise BadInputError(root, f"holds sequence {quote(name)} twice: {named[name]} and {path}; remove one")
        named[name] = path
    return named


def _first_frame_of_text(path: Path) -> int:
    fields = _beginning(path).partition(b"\n")[0][:1000].split()
    return int(fields[0]) if fields and fields[0].isdigit() and len(fields[0]) < 20 else 1


def _source(first_frame: int, path: Path) -> str:
    if any(part.lower().startswith(MOTSYNTH) for part in path.absolute().parts[-5:]):
        return MOTSYNTH
    return KITTI_MOTS if first_frame == 0 else MOTS_CHALLENGE


@dataclass(frozen=True)
class MotsText:
    """A sequence in one text file. See `datagen.tracks.Video`; `strict` as for `find_videos`."""

    source: str
    name: str
    root: Path
    path: Path
    strict: bool = True

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        file = read_bytes(self.path)
        data = file.removeprefix(codecs.BOM_UTF8)  # which editors on Windows write
        text = np.frombuffer(data, dtype=np.uint8)
        numbers, begins, ends, lines, malformed = _scan_lines(text)
        if len(malformed) > _MOST_MALFORMED:
            problem = f"is no MOTS annotation; {len(malformed)} of its lines are of another form"
            raise BadInputError(self.path, problem, f"line {malformed[0]}")
        height, width = (int(numbers[0, 3]), int(numbers[0, 4])) if len(numbers) else (1, 1)
        if self.source == MOTSYNTH:
            seen = np.array([data[a:b] != _QUOTES for a, b in zip(begins, ends, strict=True)], dtype=bool)
            numbers, begins, ends, lines = numbers[seen], begins[seen], ends[seen], lines[seen]
            malformed = _without_hidden(data, malformed)
            numbers[numbers[:, 1] == _IGNORED_OBJECT, 2] = IGNORE
        bad = _explain_malformed(data, malformed) | _wrong_numbers(numbers, lines, self.strict)
        if not is_frame_size(height, width):  # then it is so on every line, or another than on the first
            height, width, ends = 1, 1, begins
        masks, status = decode_rle(text, begins, ends, height, width)
        for row in np.flatnonzero(status):
            if int(lines[row]) not in bad:
                encoding = data[begins[row] : ends[row]]
                bad[int(lines[row])] = problem_of_rle(int(status[row]), encoding, height, width)
        sound = ~np.isin(lines, list(bad))
        if self.source == MOTSYNTH:  # whose ignore region is of several parts
            sound &= numbers[:, 1] != _IGNORED_OBJECT
        bad |= _repeated(numbers[sound], lines[sound])
        self._refuse(bad, skip_bad)

        good = np.flatnonzero(~np.isin(lines, list(bad)))
        good = good[np.argsort(numbers[good, 0], kind="stable")]
        if len(good) < len(lines) or (np.diff(good) < 0).any():
            numbers, lines, masks = numbers[good], lines[good], masks.select(good)
        if self.strict and (overlaps := masks.find_overlaps(numbers[:, 0])):
            for first, second in overlaps:
                bad[int(lines[second])] = (
                    f"object {numbers[second, 1]} overlaps object {numbers[first, 1]} (line {lines[first]}) "
                    f"in frame {numbers[first, 0]}; a pixel belongs to one object, but `datagen masks` takes both"
                )
                self._refuse(bad, skip_bad)
            keep = np.ones(len(lines), dtype=bool)
            keep[[second for _, second in overlaps]] = False
            numbers, lines, masks = numbers[keep], lines[keep], masks.select(keep)

        if sampling is not None and len(masks):
            masks = masks.sample(sampling(height, width))
        tracks = Tracks(
            source=self.source,
            video=self.name,
            frame=numbers[:, 0],
            object_id=numbers[:, 1],
            category_id=numbers[:, 2],
            masks=masks,
            category_names=_names_of(numbers[:, 2]),
            inputs={_label(self.source, self.root, self.path): hashlib.sha256(file).hexdigest()},
            left_out=[f"{_label(self.source, self.root, self.path)}, line {line}: {bad[line]}" for line in sorted(bad)],
            frames_per_second=_rate_of_published(self.source, self.name, (height, width), numbers[:, 0]),
        )
        return self._with_own_rate(tracks, skip_bad)

    def _with_own_rate(self, tracks: Tracks, skip_bad: bool) -> Tracks:
        """Return tracks with the rate that ``seqinfo.ini`` says, where motchallenge.net's layout has it."""
        info = self.path.absolute().parent.parent / _SEQINFO
        if self.path.name != _GT.name or not is_file(info):
            return tracks
        label = f"{self.source}/{self.name}/{_SEQINFO}"
        try:
            data = read_bytes(info)
            rate = _frame_rate_of(data, info)
        except BadInputError as error:
            if not skip_bad:
                raise
            return replace(tracks, left_out=[*tracks.left_out, f"{label}: {error.problem}"])
        inputs = tracks.inputs | {label: hashlib.sha256(data).hexdigest()}
        return replace(tracks, frames_per_second=rate, rate_from="file", inputs=inputs)

    def _refuse(self, bad: dict[int, str], skip_bad: bool) -> None:
        if bad and not skip_bad:
            line = min(bad)
            raise BadInputError(
                self.path, f"{bad[line]}; correct the line or leave it out with --skip-bad", f"line {line}"
            )


def _rate_of_published(source: str, name: str, size: tuple[int, int], frame: NDArray[np.int64]) -> float | None:
    """Return the rate of a sequence that is as one of the published sets is, for all that it shows; None of others."""
    length, height, width, rate = _PUBLISHED.get(source, {}).get(name, (0, 0, 0, 0.0))
    first = 0 if source == KITTI_MOTS else 1
    if (height, width) != size or not len(frame) or frame.min() < first or frame.max() - first >= length:
        return None
    return rate


def _frame_rate_of(data: bytes, path: Path) -> float:
    """Return what a ``seqinfo.ini`` says of the rate."""
    found = re.search(rb"^\s*frameRate\s*=\s*([0-9.]{1,20})\s*$", data[:_LONGEST_SEQINFO], re.MULTILINE | re.IGNORECASE)
    with contextlib.suppress(ValueError):
        if found and (rate := float(found[1])) > 0:
            return rate
    raise BadInputError(path, "says no rate (frameRate=30); correct it, or remove it and give --fps-of-source")


@njit(cache=True, nogil=True)
def _scan_lines(text):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Find the numbers (L, 5) and the encoding of every line, its number, and the numbers of the malformed lines."""
    most = 1
    for character in text:
        most += character == _NEWLINE
    numbers = np.zeros((most, 5), np.int64)
    begins = np.zeros(most, np.int64)
    ends = np.zeros(most, np.int64)
    lines = np.zeros(most, np.int64)
    malformed = np.zeros(most, np.int64)
    used, wrong, p = 0, 0, 0
    for line in range(1, most + 1):
        field, good = 0, True
        while p < len(text) and text[p] != _NEWLINE:
            if text[p] <= _BLANK:
                p += 1
                continue
            begin, value = p, 0
            while p < len(text) and text[p] > _BLANK:
                if field < 5:
                    digit = np.int64(text[p]) - 48
                    value = min(value * 10 + digit, _LARGEST) if 0 <= digit <= 9 else _LARGEST
                p += 1
            if field < 5:
                numbers[used, field] = value
                good = good and value < _LARGEST
            else:
                begins[used], ends[used] = begin, p
            field += 1
        p += 1
        if good and field == 6:
            lines[used] = line
            used += 1
        elif field > 0:
            malformed[wrong] = line
            wrong += 1
    return numbers[:used], begins[:used], ends[:used], lines[:used], malformed[:wrong]


def _explain_malformed(data: bytes, malformed: NDArray[np.int64]) -> dict[int, str]:
    """Say what is wrong with lines that are not five numbers and an encoding, by line number."""
    if not len(malformed):
        return {}
    contents = data.split(b"\n")
    bad = {}
    for line in malformed.tolist():
        text = contents[line - 1]
        count = len(text.split())
        if count == _FIELDS:
            bad[line] = f"frame, object id, class, height and width must be whole numbers below {_LARGEST}"
        elif count == 1 and text.count(b",") > 4:
            bad[line] = "has numbers between commas: boxes of MOTChallenge, no masks"
        else:
            bad[line] = f"has {count} fields, not the {_FIELDS} of `frame object_id class_id height width rle`"
    return bad


def _without_hidden(data: bytes, malformed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the malformed lines but those that are whole without an encoding, of an object that is hidden."""
    contents = data.split(b"\n") if len(malformed) else []
    hidden = [
        len(fields) == _FIELDS - 1 and all(map(bytes.isdigit, fields))
        for fields in (contents[line - 1].split() for line in malformed.tolist())
    ]
    return malformed[~np.array(hidden, dtype=bool)]


def _wrong_numbers(numbers: NDArray[np.int64], lines: NDArray[np.int64], strict: bool) -> dict[int, str]:
    """Return what is wrong with the numbers of each line, by line number."""
    bad: dict[int, str] = {}
    if not len(numbers):
        return bad
    _, object_id, class_id, height, width = numbers.T
    size = (height[0], width[0])
    # Own data may count objects in any way. Ids are as the format has them where most are so, or where all name a class
    # of the format; then another one is damage.
    coded = object_id // 1000
    if (coded == class_id).mean() > 0.5 or np.isin(coded, list(CATEGORY_NAMES)).all():
        wrong_id = (coded != class_id) & ((coded == 0) | np.isin(coded, class_id))
    else:
        wrong_id = np.zeros(len(numbers), dtype=bool)
    checks = [
        (
            ~np.isin(class_id, list(CATEGORY_NAMES)) & strict,
            f"has {_OTHER_CLASS}",
        ),
        (wrong_id, "has an object id that is not class * 1000 + instance"),
        (
            (height < 1) | (width < 1) | (np.full(len(numbers), not is_frame_size(int(size[0]), int(size[1])))),
            "has an impossible height or width",
        ),
        ((height != size[0]) | (width != size[1]), f"has another size than the first line's {size[0]} x {size[1]}"),
        (_of_another_class(object_id, class_id), "has an object id that is of another class on a line before it"),
    ]
    for wrong, problem in checks:
        for row in np.flatnonzero(wrong):
            bad.setdefault(int(lines[row]), problem)
    return bad


def _of_another_class(object_id: NDArray[np.int64], class_id: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which lines give an object another class than its first line."""
    _, first, which = np.unique(object_id, return_index=True, return_inverse=True)
    return class_id[first][which] != class_id


def _names_of(class_id: NDArray[np.int64]) -> dict[int, str]:
    """Return the names of the classes; those of own data are called by their numbers."""
    return {int(number): str(number) for number in np.unique(class_id)} | CATEGORY_NAMES


def _repeated(numbers: NDArray[np.int64], lines: NDArray[np.int64]) -> dict[int, str]:
    """Return, by line number, the lines that give an object a second time in a frame."""
    frame, object_id = numbers[:, 0], numbers[:, 1]
    order = np.lexsort((lines, object_id, frame))
    again = order[1:][(np.diff(frame[order]) == 0) & (np.diff(object_id[order]) == 0)]
    return {int(lines[row]): f"object {object_id[row]} is in frame {frame[row]} a second time" for row in again}


@dataclass(frozen=True)
class MotsImages(LabelMaps):
    """A sequence in a folder of 16-bit PNG label maps. See `datagen.tracks.Video`; `strict` as for `find_videos`."""

    source: str
    name: str
    root: Path
    path: Path
    strict: bool = True

    counts_own_frames = True
    may_mix_sizes = False

    def decode(self, data: bytes, path: Path, sampling: Sampling | None) -> tuple[NDArray[np.uint16], int, int]:
        """See `LabelMaps.decode`."""
        labels, height, width = read_label_map(data, path, sampling)
        self._check_labels(labels, path)
        return labels, height, width

    def objects_of(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `LabelMaps.objects_of`."""
        return labels, labels // 1000

    def names_of(self, category_id: NDArray[np.int64]) -> dict[int, str]:
        """See `LabelMaps.names_of`."""
        return _names_of(category_id)

    def rate_of(self, size: tuple[int, int], numbers: list[int]) -> float | None:
        """See `LabelMaps.rate_of`."""
        return _rate_of_published(self.source, self.name, size, np.array(numbers, dtype=np.int64))

    def label_of(self, path: Path) -> str:
        """See `LabelMaps.label_of`."""
        return _label(self.source, self.root, path)

    def _check_labels(self, labels: NDArray[np.uint16], path: Path) -> None:
        """Refuse labels that are no class * 1000 + instance."""
        known = (labels >= 1000) | (labels == 0)
        if self.strict:
            known &= np.isin(labels // 1000, [0, *CATEGORY_NAMES])
        if not known.all():
            label = int(labels[~known][0])
            problem = f"holds label {label}, "
            if label < 1000:
                problem += "of no class; a label is class * 1000 + instance"
            else:
                problem += f"of {_OTHER_CLASS}"
            raise BadInputError(path, problem)


def _label(source: str, root: Path, path: Path) -> str:
    """Name a file without saying where on this machine it lies."""
    return f"{source}/{printable_name(path.relative_to(root).as_posix())}"


def _find(source: Source, annotations: Annotations | None = None, strict: bool = False) -> list[Video] | None:
    if not source.is_folder and source.path.suffix.lower() != ".txt":
        return None
    if source.is_folder:
        return _videos_below(source, annotations, strict) or None
    return find_videos(source.path, annotations, strict)


_PAGE = "https://www.vision.rwth-aachen.de/page/mots"
_LICENCE = "CC BY-NC-SA 3.0"
_CITATION = (
    "P. Voigtlaender, M. Krause, A. Osep, J. Luiten, B. B. G. Sekar, A. Geiger, B. Leibe: "
    "MOTS: Multi-Object Tracking and Segmentation. CVPR 2019."
)

READER = Reader(
    name="mots",
    title="MOTS: text files, or 16-bit PNG label maps",
    sets=(
        AnnotatedSet(
            id=KITTI_MOTS,
            name="KITTI MOTS",
            url=_PAGE,
            licence=_LICENCE,
            citation=_CITATION,
            frames_per_second=10,
            how_to_get=(
                f"Open {_PAGE}, read the licence, and take the annotations of KITTI MOTS "
                "(text or PNG). Unpack them as FOLDER/kitti-mots/instances_txt/0000.txt ... or "
                "FOLDER/kitti-mots/instances/0000/000000.png ..."
            ),
            shares_its_form=True,
        ),
        AnnotatedSet(
            id=MOTS_CHALLENGE,
            name="MOTSChallenge",
            url=_PAGE,
            licence=_LICENCE,
            citation=_CITATION,
            frames_per_second=None,  # 30, but for video 0005
            how_to_get=(
                "From the same page take the annotations of MOTSChallenge and unpack them as "
                "FOLDER/motschallenge/instances_txt/0002.txt ... beside those of KITTI MOTS."
            ),
            shares_its_form=True,
        ),
        AnnotatedSet(
            id=MOTSYNTH,
            name="MOTSynth",
            url="https://motchallenge.net/data/MOTSynth-MOTS-CVPR22/",
            licence="non-commercial (see the page)",
            citation=(
                "M. Fabbri, G. Braso, G. Maugeri, O. Cetintas, R. Gasparini, A. Osep, S. Calderara, L. Leal-Taixe, "
                "R. Cucchiara: MOTSynth: How Can Synthetic Data Help Pedestrian Detection and Tracking? ICCV 2021."
            ),
            frames_per_second=None,  # which seqinfo.ini says
            how_to_get=(
                "Take the MOTS annotations from https://motchallenge.net/data/MOTSynth-MOTS-CVPR22/ and unpack them as "
                "FOLDER/motsynth/000/gt/gt.txt with 000/seqinfo.ini."
            ),
        ),
    ),
    find=_find,
)
