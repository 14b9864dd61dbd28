"""3D Shapes, from its HDF5 file: ``images`` uint8 (N, 64, 64, 3) and ``labels`` float64 (N, 6).

The labels are checked against the grid: they are the values of the factors, in the order of the images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from datagen.datasets import Factor
from datagen.errors import BadInputError
from datagen.grids.found import DatasetFileError, Found, check_order, head_of, sized_factors
from datagen.grids.sets import SETS

__all__ = ["find"]

_SET = SETS["shapes3d"]
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def find(path: Path) -> Found | None:
    """Return the set if a file is one of it."""
    if path.is_dir() or not head_of(path).startswith(_SIGNATURE):
        return None
    from datagen.store.hdf5 import open_file

    with open_file(path, ("images", "labels", "manifest")) as file:
        names = file.names
    if "manifest" in names:
        raise DatasetFileError(path)
    if not {"images", "labels"} & names:
        return None
    return Found(_SET, (path,), lambda show_progress: _read(path))


def _read(path: Path) -> tuple[Any, tuple[Factor, ...]]:
    from datagen.store.hdf5 import open_file

    names = [factor.name for factor in _SET.factors]
    with open_file(path, ("images", "labels")) as file:
        for name in ("images", "labels"):
            if name not in file.names:
                raise BadInputError(path, f"lacks the array {name!r}")
        dtype, shape = file.header("images")
        if dtype != "uint8" or len(shape) != 4 or shape[3] != 3 or 0 in shape:
            raise BadInputError(path, f"array 'images' is {dtype} {shape}, not uint8 (N, H, W, 3)")
        of_labels = file.header("labels")
        if of_labels.dtype not in ("float64", "float32") or of_labels.shape != (shape[0], len(names)):
            wanted = f"float64 ({shape[0]}, {len(names)})"
            raise BadInputError(path, f"array 'labels' is {of_labels.dtype} {of_labels.shape}, not {wanted}")
        labels = file.read("labels")
        images = file.lazy("images")
    if not np.isfinite(labels).all():
        raise BadInputError(path, "array 'labels' holds a number that is not finite")
    places, values = [], {}
    for name, column in zip(names, labels.T, strict=True):
        of_factor, numbers = np.unique(column, return_inverse=True)
        places.append(numbers)
        if name == "scale":
            values[name] = of_factor
    sizes = check_order(path, "labels", np.stack(places, axis=1), names, shape[0])
    return images, sized_factors(path, _SET, sizes, values)
