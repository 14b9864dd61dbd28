"""MPI3D, toy, realistic and real, from its npz files: ``images`` uint8 (N, 64, 64, 3).

A file says neither the sizes of its factors nor which of the three it is. The sizes follow from the number of images,
which is one of two; the variant is recognised by the file's name. A smaller file (`datagen sample grid`) has an array
``factor_sizes``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from datagen.datasets import Factor
from datagen.errors import BadInputError, UsageError
from datagen.grids.found import DatasetFileError, Found, head_of, sized_factors
from datagen.grids.npz_images import npz_images
from datagen.grids.sets import SETS, GridSet
from datagen.store.npz import open_file

__all__ = ["find"]

_VARIANTS = ("realistic", "real", "toy")
_SIZES = ((4, 4, 2, 3, 3, 40, 40), (6, 6, 2, 3, 3, 40, 40))


def find(path: Path) -> Found | None:
    """Return the set if a file is one of it."""
    if path.is_dir() or not head_of(path).startswith(b"PK\3\4"):
        return None
    with open_file(path, None) as file:
        names, is_dataset = file.names, file.has_manifest
    if "images" not in names:
        return None
    if is_dataset:
        raise DatasetFileError(path)
    known = next((SETS[f"mpi3d-{each}"] for each in _VARIANTS if each in path.name.lower()), None)
    if known is None:
        raise UsageError(
            f"{path}: holds images as MPI3D does, but its name does not say which: call it mpi3d_toy.npz, "
            "mpi3d_realistic.npz or mpi3d_real.npz"
        )
    return Found(known, (path,), lambda show_progress: _read(path, known))


def _read(path: Path, known: GridSet) -> tuple[Any, tuple[Factor, ...]]:
    images = npz_images(path, "images")
    if images.ndim != 4:
        raise BadInputError(path, f"array 'images' is {images.shape}, not (N, H, W, 3)")
    sizes: tuple[int, ...] | None = next((each for each in _SIZES if math.prod(each) == len(images)), None)
    with open_file(path, ("factor_sizes",)) as file:
        if "factor_sizes" in file.names:
            dtype, shape = file.header("factor_sizes")
            if dtype != "int64" or shape != (len(known.factors),):
                raise BadInputError(path, f"array 'factor_sizes' is {dtype} {shape}, not int64 ({len(known.factors)},)")
            sizes = tuple(file.read("factor_sizes").tolist())
    if sizes is None or min(sizes) < 1 or math.prod(sizes) != len(images):
        counts = " or ".join(f"{math.prod(each):,}" for each in _SIZES)
        raise BadInputError(path, f"holds {len(images):,} images; MPI3D has {counts}")
    if sizes in _SIZES:  # both have been handed out, of all three
        known = _with_sizes(known, sizes)
    return images, sized_factors(path, known, sizes)


def _with_sizes(known: GridSet, sizes: tuple[int, ...]) -> GridSet:
    factors = tuple(
        replace(factor, size=size, limits=(0, size - 1)) for factor, size in zip(known.factors, sizes, strict=True)
    )
    return replace(known, factors=factors)
