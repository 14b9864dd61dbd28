"""Files and folders written whole or not at all, and checksums of files."""

from __future__ import annotations

import atexit
import ctypes
import errno
import hashlib
import os
import secrets
import shutil
import signal
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from datagen.errors import BadInputError, OutputError, UsageError, shown

__all__ = [
    "as_path",
    "atomic_folder",
    "atomic_path",
    "atomic_paths",
    "check_folder",
    "check_input",
    "check_output",
    "continued_folder",
    "make_folder",
    "remove_unfinished",
    "sha256_file",
    "size_of",
    "write_text",
    "written",
]

_BEFORE = "before"
"""Name, inside the hidden folder, of an old folder that could not change places with the new one in one step."""

_LOCK, _KEY = "lock", "key"
"""Names, beside what is written, of the lock of a folder that is gone on with, and of the file that says what it is."""

written: deque[Path] = deque(maxlen=1000)
"""Files and folders that took their names in this process, the newest last: what a stop leaves behind."""

_unfinished: dict[Path, tuple[int, Path]] = {}
"""Temporary files and folders there may be, with the process that makes them and what they are to become."""


def as_path(value: Any, name: str = "path") -> Path:
    """Return an argument that must be a path as one.

    Raises
    ------
    UsageError
        If it is anything else: None, a number, an array.

    Examples
    --------
    >>> as_path(None)
    Traceback (most recent call last):
    ...
    datagen.errors.UsageError: path=None: must be a file or a folder
    """
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"{name}={shown(value)}: must be a file or a folder")
    return Path(value)


def check_input(path: str | Path, folder: bool = False) -> Path:
    """Say, before it is opened, that an input is no file that can be read to its end.

    A pipe or a device could block for ever, or never end.

    Parameters
    ----------
    path : str or Path
        The file to be read.
    folder : bool
        Whether it must be a folder instead.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    UsageError
        If there is no such file, or it is a folder; or the other way round.
    BadInputError
        If it is a pipe, a socket or a device.

    Examples
    --------
    >>> check_input("nowhere.npz")
    Traceback (most recent call last):
    ...
    datagen.errors.UsageError: nowhere.npz: no such file
    """
    path = as_path(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # a name too long, a zero byte in it, no permission, links in a circle
        raise UsageError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if folder:
        if not stat.S_ISDIR(mode):
            raise UsageError(f"{path}: is no folder; give the name of one")
        return path
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path}: is a folder; give the name of a file")
    if not stat.S_ISREG(mode):
        raise BadInputError(path, "is a pipe, a socket or a device; give a plain file")
    return path


def write_text(path: str | Path, what: str, texts: Mapping[str, Callable[[], str]], overwrite: bool = False) -> None:
    """Write a text in the form that the path's suffix names, as UTF-8, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The output.
    what : str
        What is written, for the error, such as ``"a table"``.
    texts : mapping of str to callable
        From a suffix to what makes the text.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    UsageError
        If the suffix is another, or the file exists.

    Examples
    --------
    >>> write_text("t.doc", "a table", {".md": lambda: "| a |"})
    Traceback (most recent call last):
    ...
    datagen.errors.UsageError: t.doc: a table is written as .md
    """
    suffix = Path(path).suffix.lower()
    if suffix not in texts:
        raise UsageError(f"{path}: {what} is written as {', '.join(texts)}")
    path = check_output(path, overwrite)
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(texts[suffix](), encoding="utf-8", newline="\n")


def check_output(path: str | Path, overwrite: bool = False, folder: bool = False) -> Path:
    """Say early, before any work is done, that an output file cannot be written.

    Folders on the way to it that are missing are made when it is written.

    Parameters
    ----------
    path : str or Path
        The file that will be written.
    overwrite : bool
        Whether an existing file may be replaced.
    folder : bool
        Whether it will be a folder instead.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    UsageError
        If the file exists and `overwrite` is false, or if it is a folder, a pipe, a socket or a device; a folder that
        will be written may replace a folder only.
    OutputError
        If its folder cannot be written to.
    """
    path = as_path(path)
    mode = _mode(path)
    if folder:
        _check_new_folder(path, mode, overwrite)
        check_folder(path.parent)
        return path
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; give the name of a file")
    if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise UsageError(f"{path}: is a pipe, a socket or a device; give the name of a plain file")
    if mode is not None and not overwrite:
        raise UsageError(f"{path}: exists; pass --overwrite to replace it")
    check_folder(path.parent)
    return path


def check_folder(path: str | Path) -> Path:
    """Say early that a folder cannot be written into, or not be made if it is missing.

    Parameters
    ----------
    path : str or Path
        The folder that files will be written into.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    UsageError
        If it, or what should be a folder on the way to it, is something else.
    OutputError
        If it cannot be written to.
    """
    path = as_path(path)
    place = path
    while _mode(place) is None and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise UsageError(f"{place}: is no folder; give another name")
    if not os.access(place, os.W_OK | os.X_OK):
        # As the attempt would say it; the system tells a disk that is read-only from a folder that is another's.
        number = errno.EROFS if os.access(place, os.X_OK) and _is_read_only(place) else errno.EACCES
        raise OutputError(path, OSError(number, os.strerror(number)))
    return path


def make_folder(path: str | Path) -> Path:
    """Make a folder that files will be written into, and those above it, where they are missing.

    Parameters
    ----------
    path : str or Path
        The folder.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    UsageError, OutputError
        As `check_folder`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(f"{folder}/a/b").is_dir()
    True
    """
    path = check_folder(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(path, error) from error
    return path


def _is_read_only(place: Path) -> bool:
    return hasattr(os, "statvfs") and bool(os.statvfs(place).f_flag & os.ST_RDONLY)


def _mode(path: Path) -> int | None:
    """Return what a name stands for (of a link: that it is one), or None if nothing has it."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # a name too long, a zero byte in it, no permission
        raise UsageError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None


@contextmanager
def atomic_path(path: str | Path, overwrite: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its name when the block ends well.

    See `atomic_paths`, of which this is the one of a single file.

    Parameters
    ----------
    path : str or Path
        The final file.
    overwrite : bool
        Whether it may replace a file.

    Yields
    ------
    Path
        A new empty file to write to. It keeps the suffix of `path`.
    """
    with atomic_paths([path], overwrite) as (temporary,):
        yield temporary


@contextmanager
def atomic_paths(paths: Sequence[str | Path], overwrite: bool = True) -> Iterator[list[Path]]:
    """Give temporary paths beside several files that belong together; all take their names when the block ends well.

    A temporary file lies in the folder of its file (a rename is atomic only within one file system) and is flushed to
    disk before, so a kill or a power cut leaves the old file or the new one, never a part. None is renamed before all
    are written. However the block ends, short of SIGKILL, no temporary file is left. Missing folders are made.

    Parameters
    ----------
    paths : sequence of str or Path
        The final files. The first is the last to take its name: where it is new, so are the others.
    overwrite : bool
        Whether they may replace files.

    Yields
    ------
    list of Path
        New empty files to write to, each with the suffix of its own.

    Raises
    ------
    UsageError
        If `overwrite` is false and a file is there by now.
    OutputError
        If one cannot be written.
    """
    final = [Path(path) for path in paths]
    temporaries = [_temporary_name(path) for path in final]
    made: list[Path] = []
    finished = False
    try:
        with _named_errors(final, temporaries):
            for path, temporary in zip(final, temporaries, strict=True):
                _make_folder(path.parent, made)
                _unfinished[temporary] = os.getpid(), path
                temporary.open("x").close()
            yield temporaries
            for temporary in temporaries:
                _flush(temporary)
        with _signals_held(), _named_errors(final, temporaries):
            _name_all(temporaries, final, overwrite)
            written.extend(final)
            finished = True
    finally:
        for temporary in temporaries:
            _remove(temporary)
        if not finished:
            _unmake(made)


def _name_all(temporaries: Sequence[Path], paths: Sequence[Path], overwrite: bool) -> None:
    """Give files their names, the first last; if one is taken and may not be replaced, none."""
    new: list[Path] = []
    try:
        for temporary, path in reversed(list(zip(temporaries, paths, strict=True))):
            if overwrite:
                temporary.replace(path)
            else:
                _name_new(temporary, path)
                new.append(path)
    except BaseException:
        for path in new:
            with suppress(OSError):
                path.unlink()
        raise


def _name_new(temporary: Path, path: Path) -> None:
    """Give a file a name that nothing else has, in one step: of two processes that do, one gets an error."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise UsageError(
            f"{path}: exists, written by another process meanwhile; pass --overwrite to replace it"
        ) from None
    except (OSError, AttributeError):  # a file system without hard links
        check_output(path)
        temporary.rename(path)


@contextmanager
def atomic_folder(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a new folder beside `path` that takes its name when the block ends well, so no half a folder has the name.

    All that is in it is flushed to disk before. It changes places with the old folder in one step where the system
    can (Linux, macOS), so at any moment the old or the new one is there, whole. Elsewhere the old one is moved aside
    first; it is moved back if that goes wrong, or, after a kill at that moment, when this is next called for `path`.

    Parameters
    ----------
    path : str or Path
        The final folder. Missing folders on the way to it are made.
    overwrite : bool
        Whether a folder that exists may be replaced.

    Yields
    ------
    Path
        A new empty folder, which has the same name.

    Raises
    ------
    UsageError
        If the path exists and `overwrite` is false, or if it is no folder, or one that cannot be replaced.
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    _recover(path)
    check_output(path, overwrite, folder=True)
    hidden = _temporary_name(path)
    inner = hidden / path.name
    made: list[Path] = []
    finished = False
    try:
        with _named_errors([path], [hidden]):
            _make_folder(path.parent, made)
            _unfinished[hidden] = os.getpid(), path.absolute()
            hidden.mkdir(mode=0o700)
            inner.mkdir()
            yield inner
            for inside in inner.rglob("*"):
                _flush(inside)
            _flush(inner)
        with _signals_held(), _named_errors([path], [hidden]):
            _name_folder(inner, path, overwrite)
            finished = True
            _flush(path.parent)
    finally:
        if not _is_only_copy(hidden, path):
            _remove(hidden)
        if not finished:
            _unmake(made)


def _check_new_folder(path: Path, mode: int | None, overwrite: bool) -> None:
    if mode is not None and not path.is_dir():
        raise UsageError(f"{path}: is a file; give the name of a folder")
    if mode is not None and not overwrite:
        raise UsageError(f"{path}: exists; pass --overwrite to replace it")
    if mode is not None and (path.name in ("", "..") or Path.cwd().is_relative_to(path.resolve())):
        raise UsageError(f"{path}: is the folder that you are in, or above it; give the name of another")


@contextmanager
def continued_folder(path: str | Path, key: str, overwrite: bool = False) -> Iterator[Path]:
    """Give a folder beside `path` that takes its name when the block ends well, and is kept for another try otherwise.

    It has the name of `path` with ``.partial`` behind, and is locked while this process works in it.

    Parameters
    ----------
    path : str or Path
        The final folder.
    key : str
        What will be in it. What an earlier try left is gone on with only if its key was the same.
    overwrite : bool
        Whether a folder that exists may be replaced, and what was left of another key.

    Yields
    ------
    Path
        The folder, with what an earlier try left in it.

    Raises
    ------
    UsageError
        As `atomic_folder`; if another process works there, or what was left is of another key.
    OutputError
        If it cannot be written.
    """
    from filelock import FileLock, Timeout

    path = check_output(path, overwrite, folder=True)
    partial = path.with_name(f"{path.name}.partial")
    made: list[Path] = []
    with _kept_for_another_try(path, partial), _named_errors([path], [partial]):
        _make_folder(path.parent, made)
        partial.mkdir(exist_ok=True)
        try:
            held = FileLock(partial / _LOCK).acquire(timeout=0)
        except Timeout:
            raise UsageError(f"{partial}: another process is working here; wait for it") from None
        with held:
            inner, said = partial / path.name, partial / _KEY
            finished = False
            try:
                if said.exists() and said.read_text() != key:
                    if not overwrite and _holds_work(partial, inner):
                        left = "is left unfinished of other annotations or options"
                        raise UsageError(f"{partial}: {left}; pass --overwrite to begin anew")
                    for each in set(partial.iterdir()) - {partial / _LOCK}:
                        shutil.rmtree(each) if each.is_dir() else each.unlink()
                if not said.exists():
                    with atomic_path(said) as temporary:
                        temporary.write_text(key)
                inner.mkdir(exist_ok=True)
                yield inner
                for inside in inner.rglob("*"):
                    _flush(inside)
                with _signals_held():
                    _name_folder(inner, path, overwrite)
                    _flush(path.parent)
                finished = True
            finally:
                # Where nothing was done, nothing can be gone on with, and other options need not be refused.
                if finished or not _holds_work(partial, inner):
                    shutil.rmtree(partial, ignore_errors=True)


def _holds_work(partial: Path, inner: Path) -> bool:
    """Say whether anything was done in a folder that is gone on with."""
    known = {partial / _LOCK, partial / _KEY, inner}
    return partial.is_dir() and (bool(set(partial.iterdir()) - known) or (inner.is_dir() and any(inner.iterdir())))


@contextmanager
def _kept_for_another_try(path: Path, partial: Path) -> Iterator[None]:
    """Have errors of writing say what is left, where something is."""
    try:
        yield
    except OutputError as error:
        if not partial.exists():
            raise
        state = f"what was done is kept in {partial.name}, and the same command goes on with it"
        raise OutputError(path, error, state) from error


def size_of(path: str | Path) -> int:
    """Return the size of a file, or of all files below a folder, in bytes."""
    path = Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _name_folder(inner: Path, path: Path, overwrite: bool) -> None:
    """Give a new folder its name; the old one, if any, goes into the hidden folder."""
    if _mode(path) is None:
        try:
            inner.rename(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        else:
            written.append(path)
            return
    if not overwrite:
        raise UsageError(f"{path}: exists, written by another process meanwhile; pass --overwrite to replace it")
    written.append(path)
    if _exchange(inner, path):
        return
    before = inner.parent / _BEFORE
    try:
        path.rename(before)
        inner.rename(path)
    except BaseException:
        if before.exists() and _mode(path) is None:
            before.rename(path)
        raise


def _recover(path: Path) -> None:
    """Give an old folder its name back, if a kill came as it was moved aside for a new one."""
    if _mode(path) is None and path.parent.is_dir():
        for hidden in path.parent.iterdir():
            aside = hidden.name.startswith(_hidden_prefix(path)) and (hidden / path.name).is_dir()
            if aside and (hidden / _BEFORE).is_dir():
                (hidden / _BEFORE).rename(path)
                shutil.rmtree(hidden, ignore_errors=True)
                return


def _exchange(one: Path, other: Path) -> bool:
    """Have two folders change places in one step; return False where system or file system cannot."""
    call = _exchange_call()
    return call is not None and call(os.fsencode(one), os.fsencode(other)) == 0


@cache
def _exchange_call() -> Any:
    """Return the system's call that exchanges two paths, or None."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            rename = library.renamex_np
            rename.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint)
            return lambda one, other: rename(one, other, 2)  # RENAME_SWAP
        rename = library.renameat2
        rename.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
        here = -100  # AT_FDCWD: relative to the working folder
        return lambda one, other: rename(here, one, here, other, 2)  # RENAME_EXCHANGE
    except (OSError, AttributeError, TypeError):  # Windows, or a C library older than 2018
        return None


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let no signal end the block half way; what came meanwhile is sent again after it.

    Python handles signals in the main thread only, so others need none of this.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before: dict[int, Any] = {}
    try:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # One that is ignored, as by nohup, or handled by other than Python stays so.
            if number is not None and signal.getsignal(number) not in (None, signal.SIG_IGN):
                before[number] = signal.getsignal(number)
                signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)


@contextmanager
def _named_errors(paths: Iterable[Path], temporaries: Sequence[Path]) -> Iterator[None]:
    """Turn errors of writing a temporary file, which may name it or none, into one that names the final file."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EIO, getattr(errno, "EDQUOT", None))
        ours = str(error.filename or "").startswith(tuple(map(str, temporaries)))
        if not ours and (error.filename is not None or not full):
            raise
        named = [
            path for path, each in zip(paths, temporaries, strict=True) if str(error.filename).startswith(str(each))
        ]
        raise OutputError((named or list(paths))[0], error) from error


def _hidden_prefix(path: Path) -> str:
    # Of a long name the beginning: the whole of the temporary name has to fit, too.
    return f".{path.name[:40]}."


def _temporary_name(path: Path) -> Path:
    """Return a new name beside a path. What has it is known before it is made, so none can be left behind."""
    return path.absolute().with_name(f"{_hidden_prefix(path)}{secrets.token_hex(4)}{path.suffix}")


def _make_folder(path: Path, made: list[Path]) -> None:
    """Make a folder and those above it; those that were missing are added to `made`, the outermost first."""
    if path.is_dir():
        return
    _make_folder(path.parent, made)
    with suppress(FileExistsError):  # another process was faster
        path.mkdir()
        made.append(path)


def _unmake(made: Sequence[Path]) -> None:
    """Remove folders again, as far as they are empty."""
    for path in reversed(made):
        with suppress(OSError):
            path.rmdir()


def _is_only_copy(hidden: Path, path: Path) -> bool:
    """Say whether a hidden folder has an old one that was neither replaced nor moved back."""
    return (hidden / _BEFORE).exists() and _mode(path) is None


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):
            temporary.unlink()
    _unfinished.pop(temporary, None)


@atexit.register
def remove_unfinished() -> None:
    """Remove the temporary files and folders of this process; for one that is about to be ended by a signal.

    It is called at exit too: an exception that a signal raises can come between a context manager and its block.
    """
    for temporary, (process, path) in list(_unfinished.items()):
        if process == os.getpid() and not _is_only_copy(temporary, path):
            _remove(temporary)


def _flush(path: Path) -> None:
    """Have a file or folder written to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows flushes no folders, and files only that may be written to
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_file(path: str | Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
