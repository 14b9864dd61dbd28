"""What arguments of public functions must be, said once: paths, whole numbers, random states, transforms."""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import UsageError, shown, unknown_choice

__all__ = [
    "RandomState",
    "apply_transform",
    "check_choice",
    "check_instance",
    "check_items",
    "check_random_state",
    "check_transform",
    "check_whole",
    "find_file",
    "is_whole",
    "texts_of",
]

RandomState = np.random.RandomState | np.random.Generator


def find_file(name: str, path: Any, release: str, download: bool) -> Path:
    """Return the file that a path means: itself, or of a folder the published file in it.

    Parameters
    ----------
    name : str
        The argument.
    path : object
        What was given.
    release : str
        Which release's file is meant in a folder (`datagen.releases.fetch`).
    download : bool
        Whether `path` is a folder into which that file may be fetched.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If it is no path, or a folder without that file, which may not be fetched.
    DatagenError
        If the file cannot be fetched.
    """
    if not isinstance(path, str | os.PathLike):
        raise UsageError(f"{name}={shown(path)}: must be a file or a folder")
    from datagen.store import is_folder

    path = Path(path)
    # What has no suffix is no file of ours, but a folder that may not be there yet.
    if is_folder(path) or not (download or path.is_dir() or not (path.suffix or path.is_file())):
        return path
    from datagen.releases import fetch

    return fetch(release, path, download)


def is_whole(value: Any, least: int, most: int) -> bool:
    """Say whether a value is a whole number within bounds, both allowed; floats, bools and texts are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and least <= int(value) <= most


def check_whole(name: str, value: Any, least: int, most: int = (1 << 63) - 1) -> int:
    """Return an argument that must be a whole number, as an int.

    Parameters
    ----------
    name : str
        The argument.
    value : object
        What was given.
    least, most : int
        Bounds, both allowed.

    Returns
    -------
    int

    Raises
    ------
    UsageError
        If it is anything else: a float (of whole value, too), a bool, a text, or out of bounds.
    """
    if not is_whole(value, least, most):
        raise UsageError(f"{name}={shown(value)}: must be a whole number, at least {least} and at most {most}")
    return int(value)


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse an argument that is none of some names.

    Raises
    ------
    UsageError
        If it is anything else.
    """
    if not isinstance(value, str) or value not in choices:
        raise unknown_choice(name, value, choices)


def check_instance(name: str, value: Any, kind: type, remedy: str) -> None:
    """Refuse an argument that is no object of a class; `remedy` says where one comes from.

    Raises
    ------
    UsageError
        If it is anything else.

    Examples
    --------
    >>> check_instance("dataset", None, list, "build gives one")
    Traceback (most recent call last):
    ...
    datagen.errors.UsageError: dataset is a NoneType; give a list, build gives one
    """
    if not isinstance(value, kind):
        raise UsageError(f"{name} is a {type(value).__name__}; give a {kind.__name__}, {remedy}")


def texts_of(name: str, value: Any) -> tuple[str, ...]:
    """Return an argument that must be some texts, or one, as a tuple without repetitions; of None it is empty.

    Raises
    ------
    UsageError
        If it is anything else.

    Examples
    --------
    >>> texts_of("categories", "person"), texts_of("categories", ["dog", "person", "dog"])
    (('person',), ('dog', 'person'))
    """
    if value is None or isinstance(value, str):
        return () if value is None else (value,)
    try:
        texts = list(value)
    except TypeError:
        texts = [None]
    if not all(isinstance(each, str) for each in texts):
        raise UsageError(f"{name}={shown(value)}: must be some texts")
    return tuple(dict.fromkeys(texts))


def check_items(indices: Iterable[Any], count: int) -> NDArray[np.int64]:
    """Return the numbers of items of a dataset, from 0; negative ones count from the end.

    Parameters
    ----------
    indices : iterable of int
        What was asked for.
    count : int
        How many items there are.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    TypeError
        For a slice, and for what is no whole number.
    IndexError
        If there is no such item.

    Examples
    --------
    >>> check_items([0, -1], 5)
    array([0, 4])
    """
    items = []
    for index in indices:
        if isinstance(index, slice):
            raise TypeError(
                "an item has one number, no slice; torch.utils.data.Subset(dataset, range(0, 10)) is a part"
            )
        number = operator.index(index)
        if not -count <= number < count:
            raise IndexError(f"item {number} of {count}")
        items.append(number % count)
    return np.array(items, dtype=np.int64)


def check_random_state(value: Any) -> RandomState:
    """Return a source of random numbers, which a whole number stands for as its seed.

    Raises
    ------
    UsageError
        If it is neither a whole number, nor a `numpy.random.RandomState`, nor a `numpy.random.Generator`.
    """
    if isinstance(value, RandomState):
        return value
    if not is_whole(value, 0, (1 << 64) - 1):
        raise UsageError(
            f"random_state={shown(value)}: must be a seed (a whole number, at least 0), or a numpy.random.RandomState "
            "or Generator"
        )
    return np.random.default_rng(int(value))


def check_transform(transform: Any) -> None:
    """Refuse a transform of images that cannot be called with one tensor; None stands for no transform.

    Raises
    ------
    UsageError
        If it is no function, or one of another number of arguments.
    """
    if transform is None:
        return
    if not callable(transform):
        raise UsageError(f"transform={shown(transform)}: must be a function of a tensor (T, C, H, W), or None")
    try:
        inspect.signature(transform).bind(None)
    except TypeError as error:
        raise UsageError(
            f"transform cannot be called with one argument ({error}); it gets all frames of an item at once, as one "
            "tensor (T, C, H, W)"
        ) from None
    except ValueError:
        pass  # written in C, which tells no signature


def apply_transform(transform: Callable[[Any], Any], frames: Any) -> Any:
    """Transform the frames of an item together, so that they share whatever the transform draws.

    Parameters
    ----------
    transform : callable
        As `check_transform` admits it.
    frames : tensor, shape (T, C, H, W)
        The frames: two of a pair, T of a sequence.

    Returns
    -------
    tensor, shape (T, ...)

    Raises
    ------
    UsageError
        If the transform gives no tensor, or not one of as many frames.
    """
    changed = transform(frames)
    shape = tuple(frames.shape)
    if not isinstance(changed, type(frames)):
        raise UsageError(f"transform made a {type(changed).__name__} of a tensor {shape}; it must give a tensor")
    if tuple(changed.shape[:1]) != shape[:1]:
        raise UsageError(
            f"transform made {tuple(changed.shape)} of a tensor {shape}; "
            f"it must keep its first dimension, the {shape[0]} frames of an item"
        )
    return changed
