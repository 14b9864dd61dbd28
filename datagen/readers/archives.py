"""Files and folders of annotations, also those in a zip or tar, which is read in place.

A path that goes on below an archive, ``davis.zip/Annotations/480p/bear/00000.png``, is that of a member, for every
function here; readers ask for files and folders through them alone. Only the archive that a user names is looked into:
one that lies in a folder is a file. Nothing is unpacked, but for a compressed tar, which cannot be read but from its
beginning: what annotations are written in is copied from it to one file without a name. Links are not followed.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import stat
import struct
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any

from datagen.errors import BadInputError, UsageError, quote
from datagen.files import check_input

__all__ = [
    "check_file",
    "files_below",
    "identity",
    "is_archive",
    "is_file",
    "is_folder",
    "list_folder",
    "parts_of",
    "read_bytes",
    "read_head",
]

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

# What annotations are written in; pictures and films beside them, in the same tar, may take a thousand times the room.
_KEPT = (".png", ".json", ".txt", ".ini")

# No file of annotations is larger.
_LARGEST_MEMBER = 1 << 33
_MOST_MEMBERS = 5_000_000
_MOST_FOLDERS = 100_000
# A byte of deflate stands for this many at most.
_EXPANSION = 1032
_LEAST_COPIED = 1 << 30
_BLOCK = 1 << 20
_TAR_BLOCK = 512

_UNPACK: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""How a file that begins so is decompressed."""

# What the libraries raise for archives that are damaged, encrypted or packed in an unknown way.
_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(ValueError, KeyError, IndexError, OverflowError, NotImplementedError, RuntimeError),
)


def is_archive(path: Path) -> bool:
    """Say whether a path is that of a zip or tar, by its name."""
    return path.name.lower().endswith(_SUFFIXES) and os.path.isfile(path)  # noqa: PTH113 (raises for no path)


def is_folder(path: Path) -> bool:
    """Say whether a path is a folder, whatever its name; an archive itself is none."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116
    except NotADirectoryError:
        found = _member(path)
        return found is not None and found[1] in found[0].folders
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Say whether a path is a plain file."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except NotADirectoryError:
        found = _member(path)
        return found is not None and found[1] in found[0].sizes
    except (OSError, ValueError):
        return False


def list_folder(path: Path) -> list[Path]:
    """Return what is in a folder or an archive, by name.

    Raises
    ------
    BadInputError
        If it cannot be read.
    """
    try:
        return sorted(path.iterdir())
    except NotADirectoryError:
        found = _member(path)
        return sorted(path / name for name in found[0].folders.get(found[1], ())) if found else []
    except OSError as error:
        raise BadInputError(quote(path), f"cannot be read ({error.strerror})") from None


def files_below(folder: Path, *suffixes: str) -> list[Path]:
    """Return the files in a folder and below it whose names end in one of some ways, by path.

    Raises
    ------
    UsageError
        If there are far too many folders.
    BadInputError
        If one of them cannot be read.
    """
    found: list[Path] = []
    for number, (place, names) in enumerate(_walk(folder)):
        if number >= _MOST_FOLDERS:
            raise UsageError(f"{quote(folder)}: has more than {_MOST_FOLDERS:,} folders below it; give that of a set")
        found += [Path(place, name) for name in sorted(names) if name.endswith(suffixes)]
    return found


def _walk(folder: Path) -> Iterator[tuple[str | Path, list[str]]]:
    """Yield each folder, upper ones first, and the names of what is no folder in it."""

    def refuse(error: OSError) -> None:
        raise BadInputError(quote(error.filename), f"cannot be read ({error.strerror})")

    if os.path.isdir(folder):  # noqa: PTH112 (that of Path raises for names too long)
        for place, folders, names in os.walk(folder, onerror=refuse):
            folders.sort()
            yield place, names
        return
    waiting = [folder]
    while waiting:
        inside = waiting.pop()
        entries = list_folder(inside)
        waiting += [entry for entry in entries if is_folder(entry)][::-1]
        yield inside, [entry.name for entry in entries if is_file(entry)]


def identity(path: Path) -> object:
    """Return what tells a folder or file from others, whatever links lead to it.

    Raises
    ------
    OSError
        If there is none.
    """
    try:
        status = path.stat()
    except NotADirectoryError:
        if _member(path) is None:
            raise
        return path
    return status.st_dev, status.st_ino


def parts_of(path: Path) -> tuple[str, ...]:
    """Return the names of the folders that lead to a path, and its own; an archive's without its suffix.

    What is in an archive is called as if it had been unpacked.
    """

    def name(part: str) -> str:
        suffix = max((each for each in _SUFFIXES if part.lower().endswith(each)), key=len, default="")
        return part[: -len(suffix)] if suffix and len(part) > len(suffix) else part

    return tuple(map(name, path.absolute().parts))


def check_file(path: str | Path) -> Path:
    """Say, before it is opened, that an input is no file that can be read; see `datagen.files.check_input`."""
    path = Path(path)
    if _in_archive(path):
        if is_folder(path):
            raise UsageError(f"{path}: is a folder; give the name of a file")
        if is_file(path):
            return path
    return check_input(path)


def read_bytes(path: Path) -> bytes:
    """Read a file whole.

    Raises
    ------
    BadInputError
        If it cannot be read.
    """
    try:
        found = _member(path) if _in_archive(path) else None
        return found[0].read(found[1]) if found else check_input(path).read_bytes()
    except BadInputError as error:  # an archive names itself by its full path, not as the caller does
        raise BadInputError(path, error.problem, error.where) from None
    except UsageError as error:  # the folder names it, so the fault is not in the call
        raise BadInputError(path, f"cannot be read ({str(error).removeprefix(f'{path}: ')})") from None
    except OSError as error:
        raise BadInputError(path, f"cannot be read ({error.strerror})") from None
    except MemoryError:
        raise BadInputError(path, "does not fit into memory") from None


def read_head(path: Path, size: int) -> bytes:
    """Return how a plain file begins; nothing of what cannot be read, which is said when it is read whole."""
    if not is_file(path):
        return b""
    try:
        found = _member(path) if _in_archive(path) else None
        if found:
            return found[0].read(found[1], size)
        with path.open("rb") as stream:
            return stream.read(size)
    except (OSError, BadInputError):
        return b""


def _in_archive(path: Path) -> bool:
    """Say whether a path goes on below a file."""
    try:
        os.stat(path)  # noqa: PTH116
    except NotADirectoryError:
        return True
    except (OSError, ValueError):
        pass
    return False


def _member(path: Path) -> tuple[_Archive, str] | None:
    """Return the archive that a path is or leads into, and the name of the member; None if it leads into none."""
    for archive in (path, *path.parents):
        try:
            status = archive.stat()
        except NotADirectoryError:
            continue
        except (OSError, ValueError):
            return None
        if not is_archive(archive):
            return None
        name = path.relative_to(archive).as_posix()
        return _open(archive.absolute(), status.st_size, status.st_mtime_ns), "" if name == "." else name
    return None


class _Archive:
    """What is in an archive.

    Attributes
    ----------
    path : Path
        The archive.
    sizes : dict of str to int
        Bytes of each file, by its name.
    folders : dict of str to set of str
        What is in each folder, by its name; the uppermost is ``""``.
    """

    kind = "archive"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: dict[str, int] = {}
        self.folders: dict[str, set[str]] = {"": set()}

    def add(self, name: str, size: int, is_plain: bool, is_folder: bool) -> str | None:
        """Enter a member, if its name leads nowhere else; return the name under which it is found, None of a folder."""
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or "\0" in name:
            raise self.error(f"holds {quote(name, 60)}, which leads out of it; fetch it again")
        if not (is_plain or is_folder):
            raise self.error(f"holds {quote(name, 60)}, a link or device, which is not followed; unpack it")
        parts = place.parts
        for depth in range(len(parts) - (not is_folder)):
            inside = "/".join(parts[: depth + 1])
            self.folders.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
            self.folders.setdefault(inside, set())
            if inside in self.sizes:
                raise self.error(f"holds {quote(inside, 60)} twice, as a file and as a folder")
        if is_folder or not parts:
            return None
        known = "/".join(parts)
        if known in self.sizes or known in self.folders:
            raise self.error(f"holds {quote(name, 60)} twice")
        if len(self.sizes) >= _MOST_MEMBERS:
            raise self.error(f"holds more than {_MOST_MEMBERS:,} files; unpack it and give a folder of them")
        self.folders.setdefault("/".join(parts[:-1]), set()).add(parts[-1])
        self.sizes[known] = size
        return known

    def read(self, name: str, size: int | None = None) -> bytes:
        """Read a member, or how it begins."""
        if name not in self.sizes:
            raise BadInputError(self.path / name, "cannot be read (no such file)")
        if size is None and self.sizes[name] > _LARGEST_MEMBER:
            raise BadInputError(self.path / name, f"has {self.sizes[name]:,} bytes, which no annotations have")
        try:
            data = self._read(name, self.sizes[name] if size is None else min(size, self.sizes[name]))
        except _ERRORS as error:
            problem = f"is damaged in its {self.kind}, or cannot be read there ({_said(error)}); fetch it again"
            raise BadInputError(self.path / name, problem) from None
        if size is None and len(data) != self.sizes[name]:
            raise BadInputError(self.path / name, f"is cut short in its {self.kind}; fetch it again")
        return data

    def _read(self, name: str, size: int) -> bytes:
        raise NotImplementedError

    def error(self, problem: str) -> BadInputError:
        """Make an error of the archive as a whole."""
        return BadInputError(self.path, problem)


class _Zip(_Archive):
    kind = "zip"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._zip = zipfile.ZipFile(path)
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            is_plain = not info.is_dir() and mode in (0, stat.S_IFREG)
            if info.compress_type == zipfile.ZIP_DEFLATED and info.file_size > _EXPANSION * info.compress_size + _BLOCK:
                raise self.error(f"says that {quote(info.filename, 60)} has {info.file_size:,} bytes, which cannot be")
            if name := self.add(info.filename, info.file_size, is_plain, info.is_dir()):
                self._infos[name] = info

    def _read(self, name: str, size: int) -> bytes:
        with self._zip.open(self._infos[name]) as stream:
            return stream.read(size)


class _Whole:
    """A stream that remembers how it ends."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.end = b""

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.end = (self.end + data[-_TAR_BLOCK:])[-_TAR_BLOCK:]
        return data


class _Tar(_Archive):
    """A tar; of one that is compressed, a copy of the files that annotations are written in."""

    kind = "tar"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._lock = threading.Lock()
        self._places: dict[str, int] = {}
        with path.open("rb") as beginning:
            head = beginning.read(262)
        is_plain = head[257:] == b"ustar"
        unpack = next((each for signature, each in _UNPACK.items() if head.startswith(signature)), open)
        self._stream: IO[bytes] = path.open("rb") if is_plain else tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        # By way of its own decompression, a tar that is cut off would be taken for one that ends there.
        with unpack(path, "rb") as packed:
            stream: Any = _Whole(packed)
            tar: Any = tarfile.open(path, "r:") if is_plain else tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115
            with tar:
                for member in tar:
                    is_file = member.isreg() and not member.issparse()
                    name = self.add(member.name, member.size, is_file, member.isdir())
                    if name is not None and is_plain:
                        self._places[name] = member.offset_data
                    elif name is not None and name.lower().endswith(_KEPT):
                        self._places[name] = self._stream.seek(0, os.SEEK_END)
                        self._copy(tar, member)
                    tar.members = []  # it would keep all of them
            if is_plain:
                packed.seek(-_TAR_BLOCK, os.SEEK_END)
            while stream.read(_BLOCK):
                pass
        if stream.end.strip(b"\0"):
            raise self.error("is cut short; fetch it again")  # whose end is blank

    def _copy(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        most = max(_LEAST_COPIED, _EXPANSION * self.path.stat().st_size)
        if self._stream.tell() + member.size > most:
            raise self.error(f"inflates to more than {most:,} bytes, which that of no annotations does")
        content = tar.extractfile(member)
        while content is not None and (block := content.read(_BLOCK)):
            try:
                if self._stream.write(block) < len(block):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                problem = f"cannot be inflated into {quote(tempfile.gettempdir())} ({error.strerror})"
                raise self.error(f"{problem}; unpack it and give the folder") from None

    def _read(self, name: str, size: int) -> bytes:
        if name not in self._places:
            return b""
        with self._lock:
            self._stream.seek(self._places[name])
            return self._stream.read(size)


@lru_cache(maxsize=16)
def _open(path: Path, size: int, time: int) -> _Archive:
    """Open an archive; a file that has changed since is another."""
    del size, time
    try:
        return _Zip(path) if path.name.lower().endswith(".zip") else _Tar(path)
    except BadInputError:
        raise
    except _ERRORS as error:
        kind = "zip" if path.name.lower().endswith(".zip") else "tar"
        raise BadInputError(path, f"is damaged or no {kind} archive ({_said(error)}); fetch it again") from None


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
