"""Annotations that are not read, called by their name, so that nobody has to guess why."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from datagen.readers.archives import is_file, is_folder, read_head
from datagen.readers.png import kind_of_picture

__all__ = ["name_of_file", "name_of_folder", "name_of_json", "names_of_files"]

_ARCHIVES = {
    b"PK\x03\x04": "a zip",
    b"PK\x05\x06": "a zip",
    b"\x1f\x8b": "a gzip",
    b"BZh": "a bzip2",
    b"\xfd7zXZ\x00": "an xz",
    b"\x28\xb5\x2f\xfd": "a zstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z",
    b"Rar!\x1a\x07": "a rar",
}
_TAR = slice(257, 262)
_ARCHIVE_SUFFIXES = (".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".zst", ".7z", ".rar")

_NOTHING = "of which nothing is read here"
_YOUTUBE_VOS = f"is of YouTube-VOS's own form (meta.json beside palette PNGs), {_NOTHING}"
_PALETTE = f"is of the form of DAVIS, MOSE and LVOS (palette PNGs), {_NOTHING}"

# Folders that tell a data set by their name.
_FOLDERS = {
    "Annotations": _PALETTE,
    "Annotations_6fps": f"is of the form of SA-V (a PNG an object), {_NOTHING}",
    "panoptic_maps": f"is of the form of KITTI-STEP (panoptic maps), {_NOTHING}",
    "panomasks": f"is of the form of VIPSeg (panoptic masks), {_NOTHING}",
    "panomask": f"is of the form of VIPSeg (panoptic masks), {_NOTHING}",
    "bitmasks": f"is of BDD100K's form (bitmasks), {_NOTHING}",
}

_MOST_ENTRIES = 1000
_MOST_BYTES = 1 << 16


def name_of_file(head: bytes) -> str | None:
    """Say what a file is that has to be unpacked first; None of others.

    Parameters
    ----------
    head : bytes
        The first 512 bytes of the file, or more.
    """
    for signature, kind in _ARCHIVES.items():
        if head.startswith(signature):
            return f"is {kind} archive; unpack it first"
    return "is a tar archive; unpack it first" if head[_TAR] == b"ustar" else None


def name_of_json(parts: Mapping[str, msgspec.Raw]) -> str | None:
    """Say which form of annotations a JSON file of such parts has that is none of those that are read, if known."""
    if bytes(parts.get("videos", b"")).startswith(b"{"):
        return "is of YouTube-VOS's own form (meta.json); give the folder that holds it and Annotations/"
    if "images" in parts and "videos" not in parts:
        return "is COCO's form for single pictures, not for videos (it has `images`, but no `videos`)"
    return None


def name_of_folder(folder: Path, entries: Sequence[Path]) -> str | None:
    """Say what annotations a folder is of, as far as its name and its entries tell; None if that is not known.

    Parameters
    ----------
    folder : Path
        The folder.
    entries : sequence of Path
        What is in it, by name.
    """
    names = [path.name for path in entries[:_MOST_ENTRIES]]
    if "meta.json" in names and "Annotations" in names:
        return _YOUTUBE_VOS
    if folder.name == "Annotations" and is_file(folder.parent / "meta.json"):
        return _YOUTUBE_VOS
    for name in (folder.name, *names):
        if name in _FOLDERS and (name == folder.name or is_folder(folder / name)):
            return _FOLDERS[name]
    picture = next((folder / name for name in names if name.lower().endswith(".png")), None)
    if picture is not None and (kind := kind_of_picture(read_head(picture, _MOST_BYTES))):
        return _PALETTE if "palette" in kind else f"holds {kind} pictures, no label maps"
    return None


def names_of_files(folder: Path, entries: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield a folder's JSON files of annotations, first label maps of numpy and first archive, and what to say of them.

    Of SA-V's JSON, which has a file a video, the first too.
    """
    names = [path.name for path in entries[:_MOST_ENTRIES]]
    json_names = [path.name for path in entries if path.name.lower().endswith(".json")][:_MOST_ENTRIES]
    # The lists of objects of YouTube-VOS, MOSE and LVOS.
    of_form = {name for name in json_names if name.endswith("_meta.json") or name.startswith("meta_")}
    of_form |= {"meta.json"} if "Annotations" in names else set()
    # Where there are both, the reader of SA-V itself says that it leaves those that a machine made.
    for suffix in ("_manual.json", "_auto.json"):
        if first := next((name for name in json_names if name.endswith(suffix)), None):
            yield first, "holds SA-V's annotations in JSON; give it to a command that reads them"
            break
    for name in json_names:
        is_of_sa_v = name.endswith(("_manual.json", "_auto.json"))
        if not is_of_sa_v and name not in of_form and _is_annotation_file(folder / name):
            yield name, f"holds annotations in JSON; give the file itself, {folder / name}, to a command that reads it"
    for name in names:
        if name.endswith(".npy") and _are_label_maps(read_head(folder / name, _MOST_BYTES)):
            yield name, f"holds label maps of numpy; give the file itself, {folder / name}"
            break
    for name in names:
        if name.lower().endswith(_ARCHIVE_SUFFIXES) and (named := name_of_file(read_head(folder / name, _MOST_BYTES))):
            yield name, f"holds {name}, which {named}"
            break


def _are_label_maps(head: bytes) -> bool:
    from datagen.store.npz import read_npy_header

    try:
        header = read_npy_header(io.BytesIO(head))
    except struct.error:  # cut short
        return False
    return header is not None and header[0].kind in "bui" and len(header[1]) == 3


def _is_annotation_file(path: Path) -> bool:
    known = rb'"(videos|annotations|images|masklet|segmentations|sequences)"\s*:\s*[\[{]|"videoName"'
    return re.search(known, read_head(path, _MOST_BYTES)) is not None
