"""dSprites, from its npz file: ``imgs`` 0 or 1 (N, 64, 64), ``latents_classes`` and ``latents_values`` (N, 6).

The pickled ``metadata`` of the file is not touched. The first of the six factors, the colour, has one value and is left
out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import Factor
from datagen.errors import BadInputError
from datagen.grids.found import Found, check_order, head_of, sized_factors
from datagen.grids.images import ChangedImages
from datagen.grids.npz_images import npz_images
from datagen.grids.sets import SETS
from datagen.store.npz import open_file

__all__ = ["find"]

_SET = SETS["dsprites"]
_NAMES = ("color", *(factor.name for factor in _SET.factors))
_FRAME, _MARGIN, _REACH = 64, 16, 31
"""The centre of a sprite lies 16 + 31 v pixels from the edge at the position v of 0 to 1, as its images show."""


def find(path: Path) -> Found | None:
    """Return the set if a file is one of it."""
    if path.is_dir() or not head_of(path).startswith(b"PK\3\4"):
        return None
    with open_file(path, None) as file:
        if "imgs" not in file.names:
            return None
    return Found(_SET, (path,), lambda show_progress: _read(path))


def _read(path: Path) -> tuple[Any, tuple[Factor, ...]]:
    images = npz_images(path, "imgs")
    count = len(images)
    if images.ndim != 3:
        raise BadInputError(path, f"array 'imgs' is {images.shape}, not (N, H, W)")
    with open_file(path, ("latents_classes", "latents_values")) as file:
        labels: dict[str, NDArray[Any]] = {}
        for name in sorted(file.names):
            dtype, shape = file.header(name)
            if shape != (count, len(_NAMES)) or np.dtype(dtype).kind not in "iuf":
                raise BadInputError(path, f"array {name!r} is {dtype} {shape}, not numbers ({count}, {len(_NAMES)})")
            labels[name] = file.read(name)
            if not np.isfinite(labels[name]).all():
                raise BadInputError(path, f"array {name!r} holds a number that is not finite")
    if not labels:
        raise BadInputError(path, "lacks the array 'latents_classes', so nothing says what an image shows")
    for name, rows in labels.items():  # which agree where there are both, since each has the order of the grid
        places = np.stack([np.unique(column, return_inverse=True)[1] for column in rows.T], axis=1)
        sizes = check_order(path, name, places, _NAMES, count)
    if sizes[0] != 1:
        raise BadInputError(path, f"has {sizes[0]} colours; dSprites has one")
    values = {}
    if "latents_values" in labels:
        for factor in ("scale", "x", "y"):
            column = _NAMES.index(factor)
            step = int(np.prod(sizes[column + 1 :]))
            of_factor = labels["latents_values"][: step * sizes[column] : step, column].astype(np.float64)
            values[factor] = of_factor if factor == "scale" else (_MARGIN + _REACH * of_factor) / _FRAME

    def change(block: NDArray[Any], begin: int) -> NDArray[np.uint8]:
        if block.max(initial=0) > 1:
            image = begin + int(np.argmax(block.reshape(len(block), -1).max(axis=1) > 1))
            raise BadInputError(path, "array 'imgs' holds a number that is neither 0 nor 1", f"image {image}")
        return block * np.uint8(255)

    return ChangedImages(images, change), sized_factors(path, _SET, sizes[1:], values)
