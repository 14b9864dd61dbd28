"""What the readers of JSON share: the file, read once and decoded in parts, and tracks from its segmentations.

A file is kept as its bytes, and its parts are views of them until it is their turn: masks written as lists of numbers
would take many times the file as Python objects.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
import numpy as np

from datagen.errors import BadInputError
from datagen.readers.archives import check_file, read_bytes
from datagen.readers.other_forms import name_of_file
from datagen.readers.segmentations import JSON_ERRORS, decode_segmentations
from datagen.tracks import Sampling, Tracks, Video, printable_name

__all__ = [
    "ASK_FOR_AUTOMATIC",
    "Int64",
    "JsonFile",
    "bad_annotation",
    "make_tracks",
    "read_json_file",
]

Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A whole number that an array holds."""

ASK_FOR_AUTOMATIC = "take them with --automatic (automatic=True)"
"""What to do to have masks that a machine made."""

_Part = TypeVar("_Part")

# A text is matched as a whole, so that what is written inside one is not taken for a number.
_NOT_JSON = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:NaN|Infinity)', re.DOTALL)


@dataclass(frozen=True)
class JsonFile:
    """A file, read as far as its top.

    Attributes
    ----------
    path : Path
        The file.
    data : bytes
        What it holds, as JSON.
    sha256 : str
        Of its bytes.
    parts : dict of str to msgspec.Raw
        The parts of the object that it is, by their names; none if it is a list.
    items : list of msgspec.Raw
        The entries of the list that it is; none if it is an object.
    """

    path: Path
    data: bytes
    sha256: str
    parts: dict[str, msgspec.Raw]
    items: list[msgspec.Raw]

    def decode(self, form: type[_Part], what: str) -> _Part:
        """Decode the file; numbers may be texts, or floats that are whole.

        Raises
        ------
        BadInputError
            If it is not of that form, of which `what` is the name.
        """
        try:
            return msgspec.json.decode(self.data, type=form, strict=False)
        except JSON_ERRORS as error:
            raise BadInputError(self.path, f"is no file of {what} ({error})") from None


def read_json_file(path: str | Path) -> JsonFile:
    """Read a file.

    Parameters
    ----------
    path : str or Path
        A JSON file. NaN and infinity, which Python writes, stand for null in it.

    Returns
    -------
    JsonFile

    Raises
    ------
    UsageError
        If there is no such file.
    BadInputError
        If it cannot be read, or is no JSON object or list.
    """
    path = check_file(path)
    try:
        data = read_bytes(path)
        sha256 = hashlib.sha256(data).hexdigest()
        data, top = _decode(path, data)
    except MemoryError:
        raise BadInputError(path, "does not fit into memory") from None
    return JsonFile(path, data, sha256, *(({}, top) if isinstance(top, list) else (top, [])))


def _decode(path: Path, data: bytes) -> tuple[bytes, dict[str, msgspec.Raw] | list[msgspec.Raw]]:
    """Return a file's JSON, and its parts."""
    if named := name_of_file(data):
        raise BadInputError(path, named)
    data = data.removeprefix(codecs.BOM_UTF8)
    if data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        raise BadInputError(path, "is text in UTF-16; save it as UTF-8")
    for repaired in (False, True):
        try:
            return data, msgspec.json.decode(data, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
        except msgspec.ValidationError as error:
            raise BadInputError(path, f"is no file of video annotations ({error})") from None
        except JSON_ERRORS as error:
            # Python writes what JSON does not have; in a mask, null is as bad.
            if not repaired and (b"NaN" in data or b"Infinity" in data):
                data = _NOT_JSON.sub(lambda match: match[0] if match[0].startswith(b'"') else b"null", data)
                continue
            place = re.search(r" \((byte \d+)\)", str(error))
            reason = str(error).replace(place[0], "") if place else str(error)
            raise BadInputError(path, f"is damaged or no JSON ({reason})", place[1] if place else None) from None
    raise AssertionError("unreachable")


def bad_annotation(path: Path, where: str, problem: str) -> BadInputError:
    """Make the error of a bad annotation."""
    return BadInputError(path, f"{problem}; correct it or leave it out with --skip-bad", where)


def make_tracks(
    video: Video,
    sha256: str,
    size: tuple[int, int],
    segmentations: Sequence[tuple[int, int, int, msgspec.Raw]],
    objects: Sequence[tuple[int, int, int]],
    category_names: dict[int, str],
    *,
    track_name: str = "object",
    problems: dict[str, str],
    sampling: Sampling | None,
    skip_bad: bool,
    frames_per_second: float | None,
    rate_from: Literal["set", "file"] = "set",
) -> Tracks:
    """Decode the masks of a video and put its tracks together.

    Parameters
    ----------
    video : Video
        The video.
    sha256 : str
        Of its file.
    size : tuple of int
        Height and width of its frames, in pixels.
    segmentations : sequence
        Frame, object, category and segmentation of every mask.
    objects : sequence
        As `Tracks.objects`.
    category_names, frames_per_second, rate_from
        As of `Tracks`.
    track_name : str
        What the format calls a track.
    problems : dict of str to str
        What is wrong, by where, in annotations that are not among the segmentations.
    sampling, skip_bad
        As of `datagen.tracks.Video.read`.

    Returns
    -------
    Tracks

    Raises
    ------
    BadInputError
        If there is a problem, with a mask too, that is not to be left out.
    """
    table = np.array([row[:3] for row in segmentations], dtype=np.int64).reshape(-1, 3)
    dropped: dict[int, str] = {}
    masks, bad = decode_segmentations([row[3] for row in segmentations], *size, dropped)
    place = {row: f"{track_name} {table[row, 1]}, frame {table[row, 0]}" for row in (*bad, *dropped)}
    problems = problems | {place[row]: bad[row] for row in sorted(bad)}
    if problems and not skip_bad:
        raise bad_annotation(video.path, *next(iter(problems.items())))
    problems |= {place[row]: dropped[row] for row in sorted(dropped) if row not in bad}
    order = np.argsort(table[:, 0], kind="stable")
    order = order[masks.areas()[order] > 0]  # an empty mask is none
    table, masks = table[order], masks.select(order)
    label = f"{video.source}/{printable_name(video.path.name)}"
    return Tracks(
        source=video.source,
        video=video.name,
        frame=table[:, 0],
        object_id=table[:, 1],
        category_id=table[:, 2],
        masks=masks if sampling is None else masks.sample(sampling(*size)),
        category_names=category_names,
        inputs={label: sha256},
        left_out=[f"{label}, {where}: {problem}" for where, problem in problems.items()],
        objects=np.array(objects, dtype=np.int64).reshape(-1, 3),
        frames_per_second=frames_per_second,
        rate_from=rate_from,
    )
