"""How each family of datasets lies in a file: which arrays, of which types and shapes, and what they must be.

In memory every dataset is a `datagen.datasets.Sequences`; a layout says by what names and in what shapes its arrays
stand in a file, and what is wrong with those of a file that is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec
import numpy as np

from datagen.datasets import MASK_FACTORS, SPRITE_FACTORS, Factor, Sequences
from datagen.errors import BadInputError, UsageError, quote
from datagen.lazy_array import AnyArray
from datagen.manifest import Manifest, typed_manifest
from datagen.rates import wrong_rates

__all__ = ["ARRAYS", "LAYOUTS", "Layout"]

Shapes = dict[str, tuple[int, ...]]

_LARGEST_FACTOR = 1e6
_MOST_FACTORS = 32  # numpy numbers combinations of so many


class Layout(Protocol):
    """How one family lies in a file.

    Attributes
    ----------
    dtypes : dict of str to str
        The arrays of a file, besides ``factor_names``, and their types.
    optional : tuple of str
        Those that may be absent.
    images : str
        The one that holds the images, and may be larger than memory.
    factor_names : tuple of str
        The factors, in the order of the file; empty where every file has its own.
    """

    dtypes: ClassVar[dict[str, str]]
    optional: ClassVar[tuple[str, ...]]
    images: ClassVar[str]
    factor_names: ClassVar[tuple[str, ...]]

    def check_shapes(self, path: Path, shapes: Shapes) -> None:
        """Check the shapes of the arrays against each other, before any is read."""

    def dataset(self, path: Path, arrays: dict[str, Any], manifest: dict[str, Any]) -> Sequences:
        """Make a dataset of the arrays of a file."""

    def arrays(self, dataset: Sequences) -> dict[str, AnyArray]:
        """Return the arrays of a dataset as they lie in a file."""

    def check(self, path: Path, dataset: Sequences) -> None:
        """Check all of a dataset but its factors, once it is read."""

    def factor_problem(self, dataset: Sequences) -> str | None:
        """Say what is wrong with the factors themselves: one that is not finite or cannot be."""


class _Masks:
    """Masks ``masks`` (N, H, W) with their ``latents`` (N, 3), sequences by ``offsets`` (S + 1,)."""

    dtypes: ClassVar[dict[str, str]] = {
        "masks": "bool",
        "latents": "float32",
        "offsets": "int64",
        "source": "str",
        "sequence": "str",  # the video: the release calls MOTS's videos sequences
        "object_id": "int64",
        "category": "str",
        "window": "int64",
        "first_frame": "int64",
        "fps": "float32",
    }
    optional: ClassVar[tuple[str, ...]] = ("fps",)  # which files had not at first
    images: ClassVar[str] = "masks"
    factor_names: ClassVar[tuple[str, ...]] = MASK_FACTORS
    _columns = ("source", "sequence", "object_id", "category", "window", "first_frame", "fps")

    def check_shapes(self, path: Path, shapes: Shapes) -> None:
        masks = shapes["masks"]
        if len(masks) != 3:
            raise BadInputError(path, f"masks have the shape {masks}, not (N, H, W)")
        if 0 in masks:
            raise BadInputError(path, f"masks have the shape {masks}, so there are none")
        frames = masks[0]
        if shapes["latents"] != (frames, 3):
            raise BadInputError(path, f"latents have the shape {shapes['latents']}, not ({frames}, 3)")
        if len(shapes["offsets"]) != 1 or shapes["offsets"][0] < 2:
            raise BadInputError(path, f"offsets have the shape {shapes['offsets']}, not (S + 1,)")
        if shapes["offsets"][0] > frames + 1:
            raise BadInputError(path, f"offsets do not rise from 0 to the number of frames, {frames}")
        # How many rows exactly, `check` asks once it has seen the offsets.
        _check_columns(path, shapes, [name for name in self._columns if name in shapes], frames)

    def dataset(self, path: Path, arrays: dict[str, Any], manifest: dict[str, Any]) -> Sequences:
        known = [name for name in self._columns if arrays.get(name) is not None]
        columns = {"video" if name == "sequence" else name: arrays[name] for name in known}
        return Sequences.of_masks(arrays["masks"], arrays["latents"], arrays["offsets"], manifest, **columns)

    def arrays(self, dataset: Sequences) -> dict[str, AnyArray]:
        if dataset.images is None:
            raise UsageError("the dataset has no masks, without which there is no file of mask-sequences")
        known = [name for name in self._columns if name not in self.optional or name in dataset.columns]
        columns = {name: dataset.columns["video" if name == "sequence" else name] for name in known}
        return {"masks": dataset.images, "latents": dataset.factors, "offsets": dataset.offsets, **columns}

    def check(self, path: Path, dataset: Sequences) -> None:
        assert dataset.images is not None
        offsets, columns = dataset.offsets, dataset.columns
        # Compared, not subtracted: a difference can wrap around.
        if offsets[0] != 0 or offsets[-1] != dataset.num_frames or (offsets[1:] <= offsets[:-1]).any():
            raise BadInputError(path, f"offsets do not rise from 0 to the number of frames, {dataset.num_frames}")
        arrays = self.arrays(dataset)
        _check_rows(path, arrays, [name for name in self._columns if name in arrays], len(offsets) - 1)
        # A lazy array says it itself, of what is read.
        if isinstance(dataset.images, np.ndarray) and dataset.images.view(np.uint8).max() > 1:
            raise BadInputError(path, "masks hold a byte that is neither 0 nor 1")
        for name in ("object_id", "window", "first_frame"):
            if columns[name].min() < -1:
                raise BadInputError(path, f"array {name!r} holds a number below -1, which stands for unknown")
        if columns["first_frame"].max() > np.iinfo(np.int64).max - dataset.num_frames:
            raise BadInputError(path, "array 'first_frame' holds a number that frames cannot be counted from")
        _check_rates(path, dataset)

    def factor_problem(self, dataset: Sequences) -> str | None:
        assert dataset.images is not None
        latents = dataset.factors
        height, width = dataset.images.shape[1:]
        bad = ~np.isfinite(latents).all(axis=1)
        if bad.any():
            frame = int(np.argmax(bad))
            why = "; its mask is empty" if not dataset.images[frame].any() else ""
            return f"latents of frame {frame} are not finite: {latents[frame].tolist()}{why}"
        largest = np.array([height - 1, width - 1, height * width])
        bad = ((latents < 0) | (latents > largest)).any(axis=1)
        if bad.any():
            frame = int(np.argmax(bad))
            return f"latents of frame {frame} cannot be those of a {height} x {width} mask: {latents[frame].tolist()}"
        bad = latents[:, 2] != np.floor(latents[:, 2])
        if bad.any():
            frame = int(np.argmax(bad))
            return f"the area of frame {frame} is no whole number of pixels: {latents[frame, 2]}"
        return None


class _Sprites:
    """Sprites, S runs of T frames: ``factors`` (S, T, 5) and, but in a file of factors only, ``images`` (S, T, ...)."""

    dtypes: ClassVar[dict[str, str]] = {
        "images": "uint8",
        "factors": "float32",
        "factor_sizes": "int64",
        "transition": "int64",
        "fps": "float32",
    }
    optional: ClassVar[tuple[str, ...]] = ("images", "fps")
    images: ClassVar[str] = "images"
    factor_names: ClassVar[tuple[str, ...]] = SPRITE_FACTORS

    def check_shapes(self, path: Path, shapes: Shapes) -> None:
        factors, count = shapes["factors"], len(self.factor_names)
        if len(factors) != 3 or factors[2] != count:
            raise BadInputError(path, f"factors have the shape {factors}, not (N, T, {count})")
        if 0 in factors:
            raise BadInputError(path, f"factors have the shape {factors}, so there are no frames")
        if shapes["factor_sizes"] != factors[2:]:
            raise BadInputError(path, f"factor_sizes have the shape {shapes['factor_sizes']}, not {factors[2:]}")
        if "images" in shapes:
            images = shapes["images"]
            if images[:2] != factors[:2]:
                raise BadInputError(path, f"images {images} and factors {factors} are not of the same runs")
            if len(images) not in (4, 5) or images[4:] not in ((), (3,)) or 0 in images:
                raise BadInputError(path, f"images have the shape {images}, not (N, T, H, W) or (N, T, H, W, 3)")
        _check_columns(path, shapes, [name for name in ("transition", "fps") if name in shapes], factors[0])

    def dataset(self, path: Path, arrays: dict[str, Any], manifest: dict[str, Any]) -> Sequences:
        return Sequences.of_sprites(**{name: arrays[name] for name in self.dtypes}, manifest=manifest)

    def arrays(self, dataset: Sequences) -> dict[str, AnyArray]:
        runs, length = dataset.num_sequences, int(dataset.offsets[1])
        arrays: dict[str, AnyArray] = {}
        if dataset.images is not None:
            arrays["images"] = dataset.images.reshape(runs, length, *dataset.images.shape[1:])
        arrays["factors"] = dataset.factors.reshape(runs, length, -1)
        return {**arrays, "factor_sizes": dataset.factor_sizes, **dataset.columns}

    def check(self, path: Path, dataset: Sequences) -> None:
        known, arrays = typed_manifest(dataset.manifest), self.arrays(dataset)
        _check_rows(path, arrays, list(dataset.columns), dataset.num_sequences)
        _check_rates(path, dataset)
        for name in ("factor_sizes", "transition"):
            if np.asarray(arrays[name]).min() < 0:
                raise BadInputError(path, f"array {name!r} holds a number below 0")
        if known.factor_values:
            sizes = {factor.name: factor.size for factor in dataset.factor_info}
            if {name: len(values) for name, values in known.factor_values.items()} != sizes:
                raise BadInputError(path, "its manifest's factor_values do not fit factor_sizes")
        if dataset.images is not None and dataset.images.ndim == 4:
            _check_colors(path, known)

    def factor_problem(self, dataset: Sequences) -> str | None:
        factors, length = dataset.factors, int(dataset.offsets[1])
        for bad, problem in (
            (~np.isfinite(factors).all(axis=1), "not finite"),
            ((np.abs(factors) > _LARGEST_FACTOR).any(axis=1), f"beyond {_LARGEST_FACTOR:g}"),
        ):
            if bad.any():
                run, frame = divmod(int(np.argmax(bad)), length)
                return f"factors of run {run}, frame {frame} are {problem}: {factors[run * length + frame].tolist()}"
        codes = typed_manifest(dataset.manifest).shape_codes
        if codes:
            other = set(np.unique(factors[:, self.factor_names.index("shape")]).tolist()) - set(codes.values())
            if other:
                return f"factors hold the shape {min(other):g}, which the manifest's shape_codes do not"
        return None


_GRID_FACTORS = {
    "factor_sizes": "int64",
    "factor_categorical": "bool",
    "factor_scored": "bool",
    "factor_periods": "float32",
}


class _Grid:
    """A grid of factors: ``images`` (N, ...) of every combination, and a description of the K factors.

    The factors of an image follow from its number and ``factor_sizes``. What numbers of values stand for is in the
    manifest, where it is known (``factor_values``); ``factor_periods`` is 0 where a factor does not wrap around.
    """

    dtypes: ClassVar[dict[str, str]] = {"images": "uint8", **_GRID_FACTORS}
    optional: ClassVar[tuple[str, ...]] = ()
    images: ClassVar[str] = "images"
    factor_names: ClassVar[tuple[str, ...]] = ()

    def check_shapes(self, path: Path, shapes: Shapes) -> None:
        _check_factor_shapes(path, shapes)
        images = shapes["images"]
        if len(images) not in (3, 4) or images[3:] not in ((), (3,)) or 0 in images:
            raise BadInputError(path, f"images have the shape {images}, not (N, H, W) or (N, H, W, 3)")

    def dataset(self, path: Path, arrays: dict[str, Any], manifest: dict[str, Any]) -> Sequences:
        try:
            return Sequences.of_grid(arrays["images"], _factors_of(path, arrays, manifest), manifest)
        except UsageError as error:
            raise BadInputError(path, f"does not hold every combination of its factors once ({error})") from None

    def arrays(self, dataset: Sequences) -> dict[str, AnyArray]:
        if dataset.images is None or not dataset.is_grid:
            raise UsageError("the dataset does not hold an image of every combination, without which there is no grid")
        return {"images": dataset.images, **_factor_arrays(dataset)}

    def check(self, path: Path, dataset: Sequences) -> None:
        """Nothing is left to be checked."""

    def factor_problem(self, dataset: Sequences) -> str | None:
        return None  # they are not in the file


class _GridPairs:
    """P pairs of frames of a grid: ``factors`` (P, 2, K) and, if asked for, ``images`` (P, 2, ...); see `_Grid`."""

    dtypes: ClassVar[dict[str, str]] = {"images": "uint8", "factors": "float32", **_GRID_FACTORS}
    optional: ClassVar[tuple[str, ...]] = ("images",)
    images: ClassVar[str] = "images"
    factor_names: ClassVar[tuple[str, ...]] = ()

    def check_shapes(self, path: Path, shapes: Shapes) -> None:
        _check_factor_shapes(path, shapes)
        factors = shapes["factors"]
        if len(factors) != 3 or factors[1:] != (2, *shapes["factor_names"]) or 0 in factors:
            wanted = f"(P, 2, {shapes['factor_names'][0]})"
            raise BadInputError(path, f"factors have the shape {factors}, not {wanted}")
        if "images" in shapes:
            images = shapes["images"]
            if len(images) not in (4, 5) or images[:2] != factors[:2] or images[4:] not in ((), (3,)) or 0 in images:
                wanted = f"({factors[0]}, 2, H, W) or ({factors[0]}, 2, H, W, 3)"
                raise BadInputError(path, f"images have the shape {images}, not {wanted}")

    def dataset(self, path: Path, arrays: dict[str, Any], manifest: dict[str, Any]) -> Sequences:
        info = _factors_of(path, arrays, manifest)
        return Sequences.of_grid_pairs(arrays["images"], arrays["factors"], info, manifest)

    def arrays(self, dataset: Sequences) -> dict[str, AnyArray]:
        pairs = dataset.num_sequences
        arrays: dict[str, AnyArray] = {}
        if dataset.images is not None:
            arrays["images"] = dataset.images.reshape(pairs, 2, *dataset.images.shape[1:])
        return {**arrays, "factors": dataset.factors.reshape(pairs, 2, -1), **_factor_arrays(dataset)}

    def check(self, path: Path, dataset: Sequences) -> None:
        """Nothing is left to be checked."""

    def factor_problem(self, dataset: Sequences) -> str | None:
        factors = dataset.factors
        with np.errstate(invalid="ignore"):
            right = (factors >= 0) & (factors < dataset.factor_sizes) & (factors == np.floor(factors))
        if right.all():
            return None
        frame, column = np.argwhere(~right)[0].tolist()
        name, size = dataset.factor_names[column], dataset.factor_sizes[column]
        return (
            f"factors of pair {frame // 2}, frame {frame % 2}: {quote(name)} is {factors[frame, column]:g}, "
            f"which is not one of 0 to {size - 1}"
        )


LAYOUTS: dict[str, Layout] = {
    "mask-sequences": _Masks(),
    "sprite-sequences": _Sprites(),
    "grid": _Grid(),
    "grid-pairs": _GridPairs(),
}
"""The layout of each kind of dataset, by the name in its manifest."""

ARRAYS = tuple(dict.fromkeys([*(name for layout in LAYOUTS.values() for name in layout.dtypes), "factor_names"]))
"""The names that an array of a dataset file may have. Others are not read."""


def _check_factor_shapes(path: Path, shapes: Shapes) -> None:
    names = shapes["factor_names"]
    if len(names) != 1 or not 0 < names[0] <= _MOST_FACTORS:
        raise BadInputError(path, f"factor_names have the shape {names}, not (K,) with K of 1 to {_MOST_FACTORS}")
    for name in _GRID_FACTORS:
        if shapes[name] != names:
            raise BadInputError(path, f"array {name!r} has the shape {shapes[name]}, not {names}")


def _factors_of(path: Path, arrays: dict[str, Any], manifest: dict[str, Any]) -> tuple[Factor, ...]:
    """Return the description of the factors of a grid, checked."""
    names, sizes, periods = (arrays[name].tolist() for name in ("factor_names", "factor_sizes", "factor_periods"))
    for name, size, period in zip(names, sizes, periods, strict=True):
        if not name or not name.isprintable() or names.count(name) > 1:
            raise BadInputError(path, f"factor_names holds {quote(repr(name))}: empty, twice or not printable")
        if not 0 < size <= _LARGEST_FACTOR or not 0 <= period <= _LARGEST_FACTOR:
            raise BadInputError(path, f"factor {quote(name)} has {size} values and the period {period}")
    values = typed_manifest(manifest).factor_values
    wrong = [name for name in values if name not in names or len(values[name]) != sizes[names.index(name)]]
    if wrong:
        raise BadInputError(path, "its manifest's factor_values do not fit factor_sizes")
    categorical, scored = arrays["factor_categorical"].tolist(), arrays["factor_scored"].tolist()
    return tuple(
        Factor(
            name,
            "Number of its value.",
            (0, size - 1),
            size,
            categorical=categorical[place],
            moves=not categorical[place],
            period=periods[place] or None,
            values=tuple(values.get(name, ())),
            scored=scored[place],
        )
        for place, (name, size) in enumerate(zip(names, sizes, strict=True))
    )


def _factor_arrays(dataset: Sequences) -> dict[str, AnyArray]:
    info = dataset.factor_info
    return {
        "factor_sizes": dataset.factor_sizes,
        "factor_categorical": np.array([factor.categorical for factor in info]),
        "factor_scored": np.array([factor.scored for factor in info]),
        "factor_periods": np.array([factor.period or 0.0 for factor in info], dtype=np.float32),
    }


def _check_columns(path: Path, shapes: Shapes, names: Iterable[str], most: int) -> None:
    for name in names:
        if len(shapes[name]) != 1 or shapes[name][0] > most:
            raise BadInputError(path, f"array {name!r} has the shape {shapes[name]}, which does not fit the others")


def _check_rows(path: Path, arrays: Mapping[str, AnyArray], names: Iterable[str], rows: int) -> None:
    for name in names:
        if arrays[name].shape != (rows,):
            raise BadInputError(path, f"array {name!r} has the shape {arrays[name].shape}, not ({rows},)")


def _check_rates(path: Path, dataset: Sequences) -> None:
    if wrong_rates(dataset.fps).any():
        raise BadInputError(path, "array 'fps' holds a number that is no rate: above 0, or NaN where it is unknown")


def _check_colors(path: Path, manifest: Manifest) -> None:
    """Check the colours that coloured sprites were drawn with, where the manifest tells them."""
    try:
        triples = msgspec.convert(manifest.parameters.get("colors", [(1, 1, 1)]), list[tuple[float, float, float]])
    except msgspec.ValidationError:
        triples = []
    if not triples or not all(0 <= part <= 1 for triple in triples for part in triple):
        raise BadInputError(path, "its manifest's parameters.colors are no RGB triples between 0 and 1")
