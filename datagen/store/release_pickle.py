"""The release's own file of KITTI Masks, ``kitti_peds_v2.pickle``.

A dictionary of two lists: ``pedestrians``, a bool array (T, H, W) a sequence, and ``pedestrians_latents``, a float32
array (T, 3). It holds nothing of where a sequence comes from.

Pickles are programs. Python's unpickler runs them, and even one that admits numpy's functions only can be made to write
memory, since numpy trusts what it rebuilds arrays from. So pickles are read here without either: `unpickle` follows
the few opcodes that such a file has, and makes arrays of their bytes itself.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from pickletools import genops
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import MASK_FACTORS
from datagen.errors import BadInputError, UsageError
from datagen.store.checks import LARGEST_TEXT, Header

__all__ = ["open_file", "unpickle", "write"]

# Protocol 4 is what the release wrote, and what its Python 3.7 reads.
_PROTOCOL = 4

# numpy 2 calls its modules numpy._core, which numpy before 1.26 does not know; numpy 2 knows both names.
_NAME_IN_NUMPY_2 = b"\x8c\x16numpy._core.multiarray"
_NAME_FOR_ALL = b"\x8c\x15numpy.core.multiarray"


class _Refused(Exception):
    """What a release file has no need of."""


class _Function(Enum):
    """What a pickle of numpy arrays and scalars names. None of it is ever called."""

    ARRAY_TYPE = "numpy ndarray"
    DTYPE = "numpy dtype"
    RECONSTRUCT = "numpy.core.multiarray _reconstruct"
    SCALAR = "numpy.core.multiarray scalar"
    FROM_BUFFER = "numpy.core.numeric _frombuffer"
    ENCODE = "_codecs encode"  # how protocol 2 spells bytes

    @classmethod
    def named(cls, module: str, name: str) -> _Function:
        try:
            return cls(f"{module.replace('numpy._core.', 'numpy.core.')} {name}")
        except ValueError:
            raise _Refused(f"it asks for {module}.{name}, which data have no need of"[:200]) from None


class _Array:
    """An array whose bytes are still to come."""

    values: NDArray[Any] | None = None


_MARK = object()
_DTYPES = {
    code: np.dtype(f"<{code}") for code in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
}
_PUSHED = {
    *("BININT", "BININT1", "BININT2", "BINFLOAT"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MOST_OPCODES = 10_000_000
# Python's pickler sends a list off in parts of 1,000.
_DEEPEST_STACK = 10_000
_LONGEST_TUPLE = 10


class _Bytes:
    """A file that is never asked for more than it has: whoever asks makes room first."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        begin = stream.tell()
        self.size = self.left = stream.seek(0, os.SEEK_END) - begin
        stream.seek(begin)

    def read(self, size: int) -> bytes:
        if size > self.left:
            raise _Refused("it is cut short")
        self.left -= size
        return self._stream.read(size)

    def readline(self) -> bytes:
        line = self._stream.readline(200)  # of a name, in protocol 2
        self.left -= len(line)
        return line


class _Machine:
    """Follows the opcodes of a pickle of texts, numbers and arrays in lists, in lists, in a dictionary.

    Nothing is shared but arrays, texts and numbers, so that what is returned is a tree; all of it together is at most
    as large as the file, or nearly so.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._bytes = _Bytes(stream)
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._array_bytes = self._texts = self._longest = 0

    def run(self) -> Any:
        operations: Iterator[tuple[Any, Any, Any]] = genops(self._bytes)  # type: ignore[arg-type]
        for count, (opcode, argument, _) in enumerate(operations):
            name = opcode.name
            if count == 0:
                if name != "PROTO" or not 2 <= argument <= 5:
                    raise _Refused("it is of no protocol from 2 to 5")
            elif count > _MOST_OPCODES or len(self._stack) > _DEEPEST_STACK:
                raise _Refused("it holds more than any release file")
            elif name in _PUSHED:
                self._stack.append(argument)
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                self._stack.append(_tuple([self._pop() for _ in range(_TUPLES[name])][::-1]))
            elif name == "STOP":
                break
            else:
                step = getattr(self, f"_do_{name.lower()}", None)
                if step is None:
                    raise _Refused(f"it uses the opcode {name}, which data have no need of")
                step(argument)
        result = self._pop()
        if self._stack or self._bytes.left:
            raise _Refused("it goes on after its end")
        return result

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise _Refused("it takes what is not there")
        return self._stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        items = []
        while self._stack and self._stack[-1] is not _MARK:
            items.append(self._stack.pop())
        if not self._stack:
            raise _Refused("it takes what is not there")
        self._stack.pop()
        return items[::-1]

    # An opcode each, by its name in `pickletools`.

    def _do_frame(self, length: int) -> None:
        if length > self._bytes.left:
            raise _Refused("it is cut short")

    def _do_mark(self, _: None) -> None:
        self._stack.append(_MARK)

    def _do_empty_list(self, _: None) -> None:
        self._stack.append([])

    def _do_empty_dict(self, _: None) -> None:
        self._stack.append({})

    def _do_long1(self, number: int) -> None:
        if not -(2**63) <= number < 2**63:
            raise _Refused("it holds a number of more than 64 bits")
        self._stack.append(number)

    def _do_tuple(self, _: None) -> None:
        self._stack.append(_tuple(self._pop_to_mark()))

    def _do_append(self, _: None) -> None:
        self._extend_list([self._pop()])

    def _do_appends(self, _: None) -> None:
        self._extend_list(self._pop_to_mark())

    def _do_setitem(self, _: None) -> None:
        value = self._pop()
        self._set_items([self._pop(), value])

    def _do_setitems(self, _: None) -> None:
        self._set_items(self._pop_to_mark())

    def _do_memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self._top()

    def _do_binput(self, place: int) -> None:
        self._memo[place] = self._top()

    _do_long_binput = _do_binput

    def _do_binget(self, place: int) -> None:
        value = self._memo.get(place, _MARK)
        if value is _MARK or isinstance(value, list | dict):
            raise _Refused("it takes a list twice, or what is not there")
        self._stack.append(value)

    _do_long_binget = _do_binget

    def _do_global(self, name: str) -> None:
        self._stack.append(_Function.named(*name.split(" ", 1)))

    def _do_stack_global(self, _: None) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise _Refused("it asks for something without a name")
        self._stack.append(_Function.named(module, name))

    def _do_reduce(self, _: None) -> None:
        arguments, function = self._pop(), self._pop()
        self._stack.append(_call(function, arguments))

    def _do_build(self, _: None) -> None:
        state, built = self._pop(), self._top()
        match built, state:
            case np.dtype(), (3, "|" | "<", None, None, None, -1, -1, 0):
                pass  # what `_call` has made already
            case _Array(values=None), (1, tuple() as shape, np.dtype() as dtype, bool() as fortran, bytes() as data):
                built.values = _array(data, dtype, shape, "F" if fortran else "C")
            case _:
                raise _Refused("it builds something other than an array of numbers")

    def _top(self) -> Any:
        value = self._pop()
        self._stack.append(value)
        return value

    def _extend_list(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise _Refused("it puts into a list that is none")
        target += [self._item(each) for each in items]

    def _item(self, value: Any) -> Any:
        """Return what goes into a list: a number, a text, an array, or a list of such."""
        if isinstance(value, _Array):
            value = value.values
        if isinstance(value, np.ndarray):
            self._array_bytes += value.nbytes
        elif isinstance(value, str):
            value.encode()  # fails for half of a surrogate pair
            self._texts += 1
            self._longest = max(self._longest, len(value))
        elif isinstance(value, list):
            if any(isinstance(each, list) for each in value):
                raise _Refused("its lists are nested too deeply")
        elif not isinstance(value, bool | int | float | np.generic):
            raise _Refused("its lists hold something other than numbers, texts and arrays")
        # An array may stand in several places, but not to make much out of little.
        if self._array_bytes > self._bytes.size or 4 * self._texts * self._longest > LARGEST_TEXT:
            raise _Refused("its lists hold more than the file")
        return value

    def _set_items(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, dict) or len(items) % 2:
            raise _Refused("it puts into a dictionary that is none")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str) or not isinstance(value, list):
                raise _Refused("its dictionary holds something other than lists by name")
            target[key] = value


def _tuple(items: list[Any]) -> tuple[Any, ...]:
    """Make a tuple of arguments: of plain values, and of tuples of such."""
    plain = (int, float, str, bytes, bytearray, np.dtype, _Function)
    for each in items:
        inside = each if isinstance(each, tuple) else (each,)
        if not all(value is None or isinstance(value, plain) for value in inside):
            raise _Refused("it holds a tuple, which data have no need of")
    if len(items) > _LONGEST_TUPLE:
        raise _Refused("it holds a long tuple, which data have no need of")
    return tuple(items)


def _call(function: Any, arguments: Any) -> Any:
    """Do what a pickle calls one of numpy's functions for."""
    match function, arguments:
        case _Function.DTYPE, (str() as code, False | 0, True | 1) if code in _DTYPES:
            return _DTYPES[code]
        case _Function.RECONSTRUCT, (_Function.ARRAY_TYPE, (0,), b"b"):
            return _Array()
        case _Function.SCALAR, (np.dtype() as dtype, bytes() as data):
            return _array(data, dtype, (1,), "C")[0]
        case _Function.FROM_BUFFER, (
            bytes() | bytearray() as data,
            np.dtype() as dtype,
            tuple() as shape,
            "C" | "F" as order,
        ):
            made = _Array()
            made.values = _array(data, dtype, shape, order)
            return made
        case _Function.ENCODE, (str() as text, "latin1"):
            return text.encode("latin1")
    raise _Refused("it calls for something other than an array of numbers")


def _array(data: bytes | bytearray, dtype: np.dtype[Any], shape: tuple[Any, ...], order: str) -> NDArray[Any]:
    """Make an array of its bytes, if they are as many as it has."""
    if not 1 <= len(shape) <= 4 or not all(type(side) is int and side > 0 for side in shape):
        raise _Refused(f"it builds an array of the shape {shape}"[:200])
    if math.prod(shape) * dtype.itemsize != len(data):
        raise _Refused(f"it builds an array of the shape {shape} from {len(data)} bytes"[:200])
    return np.frombuffer(data, dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def unpickle(stream: BinaryIO, path: Path) -> Any:
    """Read a pickle of plain data: what the release's files hold, and nothing else.

    Parameters
    ----------
    stream : binary file
        The pickle.
    path : Path
        Its name, for errors.

    Returns
    -------
    dict, list, number or text
        A dictionary of lists by name; what they hold are numbers, texts, read-only arrays, or lists of such.

    Raises
    ------
    BadInputError
        If it is damaged, or asks for anything but plain data and numpy arrays.
    """
    try:
        return _Machine(stream).run()
    except _Refused as error:
        raise BadInputError(path, f"refused: {error}") from None
    except (ValueError, OverflowError, struct.error) as error:  # from `genops`, or a text that is none
        raise BadInputError(path, f"is damaged or no pickle ({type(error).__name__})") from None


def write(
    path: Path, arrays: dict[str, NDArray[Any]], manifest_text: Callable[[], str], wrote: Callable[[int], None]
) -> None:
    """Write masks and latents as the release does; the format has no place for the rest."""
    if "masks" not in arrays:
        raise UsageError(f"{path.suffix} holds masks only (it is the release's format); use .npz or .h5")
    manifest_text()
    bounds = list(zip(arrays["offsets"][:-1], arrays["offsets"][1:], strict=True))
    data = {
        "pedestrians": [arrays["masks"][a:b] for a, b in bounds],
        "pedestrians_latents": [arrays["latents"][a:b] for a, b in bounds],
    }
    with path.open("wb") as stream:
        stream.writelines(_for_any_numpy(pickle.dumps(data, protocol=_PROTOCOL)))


def _for_any_numpy(data: bytes) -> Iterator[bytes | memoryview]:
    """Change the name by which a pickle of arrays asks for numpy to one that numpy of any age knows.

    It stands in the first frame, before any array, and once: later it is taken from the memo.
    """
    place = data.find(_NAME_IN_NUMPY_2, 0, 200)
    if place < 0:
        raise RuntimeError("numpy writes pickles in another way than expected")
    (length,) = struct.unpack_from("<Q", data, 3)  # of the first frame, after the opcodes PROTO 4 and FRAME
    yield data[:3] + struct.pack("<Q", length - 1) + data[11:place] + _NAME_FOR_ALL
    yield memoryview(data)[place + len(_NAME_IN_NUMPY_2) :]


class PickleFile:
    """A release's file, read as a whole."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as stream:
            self._arrays = _arrays_of(unpickle(stream, path), path)
        self.names = set(self._arrays)

    def manifest(self) -> str:
        """Return a manifest that says what the file does not."""
        return json.dumps({"kind": "mask-sequences", "tool": None, "command": None, "sources": [], "inputs": {}})

    def header(self, name: str) -> Header:
        """Return the type and shape of an array."""
        return Header.of(self._arrays[name])

    def read(self, name: str) -> NDArray[Any]:
        """Return an array."""
        return self._arrays[name]


@contextmanager
def open_file(path: Path) -> Iterator[PickleFile]:
    """Open a file to read arrays from it."""
    try:
        yield PickleFile(path)
    except OSError as error:
        raise BadInputError(path, f"cannot be read ({error.strerror})") from None


def _arrays_of(data: Any, path: Path) -> dict[str, NDArray[Any]]:
    masks, latents = _lists_of(data, path)
    lengths = [len(each) for each in masks]
    count = len(masks)
    return {
        "masks": np.concatenate(masks),
        "latents": np.concatenate(latents),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "source": np.full(count, ""),
        "sequence": np.full(count, ""),
        "object_id": np.full(count, -1, dtype=np.int64),
        "category": np.full(count, "pedestrian"),
        "window": np.full(count, -1, dtype=np.int64),
        "first_frame": np.full(count, -1, dtype=np.int64),
        "factor_names": np.array(MASK_FACTORS),
    }


def _lists_of(data: Any, path: Path) -> tuple[list[NDArray[np.bool_]], list[NDArray[np.float32]]]:
    if not isinstance(data, dict) or not {"pedestrians", "pedestrians_latents"} <= data.keys():
        raise BadInputError(path, "is no file of KITTI Masks: it lacks 'pedestrians' and 'pedestrians_latents'")
    masks, latents = data["pedestrians"], data["pedestrians_latents"]
    if not isinstance(masks, list) or not isinstance(latents, list) or len(masks) != len(latents) or not masks:
        raise BadInputError(path, "'pedestrians' and 'pedestrians_latents' are not two lists of one length")
    for number, (mask, latent) in enumerate(zip(masks, latents, strict=True)):
        where = f"sequence {number}"
        if not isinstance(mask, np.ndarray) or mask.ndim != 3 or mask.dtype != bool:
            raise BadInputError(path, "its masks are not a bool array (T, H, W)", where)
        if mask.shape[1:] != masks[0].shape[1:]:
            raise BadInputError(path, f"its masks are {mask.shape[1:]}, those before {masks[0].shape[1:]}", where)
        if not isinstance(latent, np.ndarray) or latent.dtype != np.float32 or latent.shape != (len(mask), 3):
            raise BadInputError(path, f"its latents are not a float32 array ({len(mask)}, 3)", where)
    return masks, latents
