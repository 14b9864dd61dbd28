"""Where a file becomes a dataset: what is checked before anything large is read, and after.

Whatever `datagen.store.load` returns has passed all of it, so nothing behind asks again for types, shapes, sizes,
finite numbers or texts that are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import Sequences
from datagen.errors import BadInputError
from datagen.lazy_array import AnyArray
from datagen.manifest import ManifestError, parse_manifest
from datagen.store.layouts import LAYOUTS, Layout

__all__ = [
    "LARGEST_TEXT",
    "Header",
    "check_headers",
    "check_manifest",
    "check_structure",
    "check_texts",
    "factor_problem",
    "layout_of",
    "text_problem",
]

LARGEST_TEXT = 1 << 28
"""Bytes that the texts of one array, or the manifest, may take in memory."""


class Header(NamedTuple):
    """What a file says of an array before it is read.

    Attributes
    ----------
    dtype : str
        numpy's name of the type, or ``"str"``.
    shape : tuple of int
        The shape.
    """

    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: AnyArray) -> Header:
        """Describe an array."""
        return cls("str" if array.dtype.kind == "U" else str(array.dtype), array.shape)


def check_manifest(path: Path, text: str) -> dict[str, Any]:
    """Read the manifest of a file."""
    try:
        return parse_manifest(text)
    except ManifestError as error:
        raise BadInputError(path, str(error)) from None


def layout_of(path: Path, manifest: dict[str, Any]) -> Layout:
    """Return the layout of the kind of dataset that a manifest names."""
    layout = LAYOUTS.get(manifest.get("kind", ""))
    if layout is None:
        raise BadInputError(path, "holds no dataset of this program (its manifest names no known kind)")
    return layout


def check_headers(path: Path, layout: Layout, headers: Mapping[str, Header]) -> None:
    """Check which arrays there are, their types and their shapes against each other, before they are read."""
    for name, dtype in (*layout.dtypes.items(), ("factor_names", "str")):
        if name not in headers:
            if name in layout.optional:
                continue
            raise BadInputError(path, f"lacks the array {name!r}")
        if headers[name].dtype != dtype:
            raise BadInputError(path, f"array {name!r} is {headers[name].dtype}, not {dtype}")
    shapes = {name: header.shape for name, header in headers.items()}
    layout.check_shapes(path, shapes)
    if layout.factor_names and shapes["factor_names"] != (len(layout.factor_names),):
        raise BadInputError(path, f"factor_names have the shape {shapes['factor_names']}")


def check_texts(path: Path, layout: Layout, arrays: Mapping[str, AnyArray | None]) -> None:
    """Check that texts are some, before anything is made of them."""
    for name, array in arrays.items():
        # Factors of a layout that has its own are known anyway.
        if not isinstance(array, np.ndarray) or (name == "factor_names" and layout.factor_names):
            continue
        if array.dtype.kind == "U" and (problem := text_problem(array)):
            raise BadInputError(path, f"array {name!r} {problem}")


def check_structure(path: Path, layout: Layout, dataset: Sequences, arrays: Mapping[str, AnyArray | None]) -> None:
    """Check all of a dataset but its latents or factors (`factor_problem` does those), once it is read."""
    names = arrays["factor_names"]
    assert isinstance(names, np.ndarray)
    if text_problem(names) or (layout.factor_names and tuple(names.tolist()) != layout.factor_names):
        raise BadInputError(path, f"its factor_names are not {', '.join(layout.factor_names)}")
    layout.check(path, dataset)


def text_problem(array: NDArray[Any]) -> str | None:
    """Say why texts cannot be kept in every format: they must be Unicode without zero characters."""
    codes = np.ascontiguousarray(array).reshape(-1, 1).view(np.uint32)
    if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))).any():
        return "holds a text that is not Unicode"
    if codes.shape[1] > 1 and ((codes[:, :-1] == 0) & (codes[:, 1:] != 0)).any():
        return "holds a text with a zero character in it"
    return None


def factor_problem(dataset: Sequences) -> str | None:
    """Say what is wrong with the latents or factors themselves: one that is not finite or cannot be."""
    return LAYOUTS[dataset.kind].factor_problem(dataset)
