"""Where a file becomes a dataset: what is checked before anything large is read, and after.

Whatever `datagen.store.load` returns has passed all of it, so nothing behind asks again for types, shapes, sizes,
finite numbers or texts that are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from datagen.datasets import Dataset, MaskSequences, SpriteSequences
from datagen.errors import BadInputError
from datagen.manifest import Manifest, ManifestError, parse_manifest, typed_manifest

__all__ = [
    "ARRAYS",
    "LARGEST_TEXT",
    "Header",
    "check_headers",
    "check_manifest",
    "check_structure",
    "factor_problem",
    "kind_of",
    "text_problem",
]

LARGEST_TEXT = 1 << 28
"""Bytes that the texts of one array, or the manifest, may take in memory."""

_KINDS: dict[str, type[Dataset]] = {kind.kind: kind for kind in (MaskSequences, SpriteSequences)}
_DTYPES = {
    "masks": "bool",
    "latents": "float32",
    "images": "uint8",
    "factors": "float32",
    "offsets": "int64",
    "object_id": "int64",
    "window": "int64",
    "first_frame": "int64",
    "factor_sizes": "int64",
    "transition": "int64",
    "source": "str",
    "sequence": "str",
    "category": "str",
    "factor_names": "str",
}
ARRAYS = tuple(_DTYPES)
"""The names that an array of a dataset file may have. Others are not read."""

_PER_SEQUENCE = ("source", "sequence", "object_id", "category", "window", "first_frame")
_LARGEST_FACTOR = 1e6


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
    def of(cls, array: NDArray[Any]) -> Header:
        """Describe an array in memory."""
        return cls("str" if array.dtype.kind == "U" else str(array.dtype), array.shape)


def check_manifest(path: Path, text: str) -> dict[str, Any]:
    """Read the manifest of a file."""
    try:
        return parse_manifest(text)
    except ManifestError as error:
        raise BadInputError(path, str(error)) from None


def kind_of(path: Path, manifest: dict[str, Any]) -> type[Dataset]:
    """Return the kind of dataset that a manifest names."""
    kind = _KINDS.get(manifest.get("kind", ""))
    if kind is None:
        raise BadInputError(path, "holds no dataset of this program (its manifest names no known kind)")
    return kind


def check_headers(path: Path, kind: type[Dataset], headers: Mapping[str, Header]) -> None:
    """Check which arrays there are, their types and their shapes against each other, before they are read."""
    for name in (*(item.name for item in fields(kind) if item.name != "manifest"), "factor_names"):
        if name not in headers:
            if name == "images":  # a file of factors only
                continue
            raise BadInputError(path, f"lacks the array {name!r}")
        if headers[name].dtype != _DTYPES[name]:
            raise BadInputError(path, f"array {name!r} is {headers[name].dtype}, not {_DTYPES[name]}")
    shapes = {name: header.shape for name, header in headers.items()}
    if kind is MaskSequences:
        if len(shapes["masks"]) != 3:
            raise BadInputError(path, f"masks have the shape {shapes['masks']}, not (N, H, W)")
        frames = shapes["masks"][0]
        if 0 in shapes["masks"]:
            raise BadInputError(path, f"masks have the shape {shapes['masks']}, so there are none")
        if shapes["latents"] != (frames, 3):
            raise BadInputError(path, f"latents have the shape {shapes['latents']}, not ({frames}, 3)")
        if len(shapes["offsets"]) != 1 or shapes["offsets"][0] < 2:
            raise BadInputError(path, f"offsets have the shape {shapes['offsets']}, not (S + 1,)")
        if shapes["offsets"][0] > frames + 1:
            raise BadInputError(path, f"offsets do not rise from 0 to the number of frames, {frames}")
        most = frames
    else:
        factors = shapes["factors"]
        if len(factors) != 3 or factors[2] != len(kind.factor_names):
            raise BadInputError(path, f"factors have the shape {factors}, not (N, T, {len(kind.factor_names)})")
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
        most = factors[0]
    for name in (
        _PER_SEQUENCE if kind is MaskSequences else ("transition",)
    ):  # exactly how many rows, `check_structure` asks once it has seen the offsets
        if len(shapes[name]) != 1 or shapes[name][0] > most:
            raise BadInputError(path, f"array {name!r} has the shape {shapes[name]}, which does not fit the others")
    if shapes["factor_names"] != (len(kind.factor_names),):
        raise BadInputError(path, f"factor_names have the shape {shapes['factor_names']}")


def check_structure(path: Path, dataset: Dataset, factor_names: NDArray[Any]) -> None:
    """Check all of a dataset but its latents or factors (`factor_problem` does those), once it is read."""
    for name in (item.name for item in fields(dataset) if item.name != "manifest"):
        array = getattr(dataset, name)
        if array is not None and array.dtype.kind == "U" and (problem := text_problem(array)):
            raise BadInputError(path, f"array {name!r} {problem}")
    if text_problem(factor_names) or tuple(factor_names.tolist()) != dataset.factor_names:
        raise BadInputError(path, f"its factor_names are not {', '.join(dataset.factor_names)}")
    if isinstance(dataset, MaskSequences):
        _check_masks(path, dataset)
    else:
        _check_sprites(path, dataset)


def _check_masks(path: Path, dataset: MaskSequences) -> None:
    masks, offsets = dataset.masks, dataset.offsets
    # Compared, not subtracted: a difference can wrap around.
    if offsets[0] != 0 or offsets[-1] != len(masks) or (offsets[1:] <= offsets[:-1]).any():
        raise BadInputError(path, f"offsets do not rise from 0 to the number of frames, {len(masks)}")
    _check_rows(path, dataset, _PER_SEQUENCE, len(offsets) - 1)
    if masks.view(np.uint8).max() > 1:
        raise BadInputError(path, "masks hold a byte that is neither 0 nor 1")
    for name in ("object_id", "window", "first_frame"):
        if getattr(dataset, name).min() < -1:
            raise BadInputError(path, f"array {name!r} holds a number below -1, which stands for unknown")
    if dataset.first_frame.max() > np.iinfo(np.int64).max - len(masks):
        raise BadInputError(path, "array 'first_frame' holds a number that frames cannot be counted from")


def _check_sprites(path: Path, dataset: SpriteSequences) -> None:
    known = typed_manifest(dataset.manifest)
    _check_rows(path, dataset, ("transition",), len(dataset.factors))
    for name in ("factor_sizes", "transition"):
        if getattr(dataset, name).min() < 0:
            raise BadInputError(path, f"array {name!r} holds a number below 0")
    if known.factor_values:
        sizes = dict(zip(dataset.factor_names, dataset.factor_sizes.tolist(), strict=True))
        if {name: len(values) for name, values in known.factor_values.items()} != sizes:
            raise BadInputError(path, "its manifest's factor_values do not fit factor_sizes")
    if dataset.images is not None and dataset.images.ndim == 5:
        _check_colors(path, known)


def _check_rows(path: Path, dataset: Dataset, names: tuple[str, ...], rows: int) -> None:
    for name in names:
        if getattr(dataset, name).shape != (rows,):
            raise BadInputError(path, f"array {name!r} has the shape {getattr(dataset, name).shape}, not ({rows},)")


def _check_colors(path: Path, manifest: Manifest) -> None:
    """Check the colours that coloured sprites were drawn with, where the manifest tells them."""
    try:
        triples = msgspec.convert(manifest.parameters.get("colors", [(1, 1, 1)]), list[tuple[float, float, float]])
    except msgspec.ValidationError:
        triples = []
    if not triples or not all(0 <= part <= 1 for triple in triples for part in triple):
        raise BadInputError(path, "its manifest's parameters.colors are no RGB triples between 0 and 1")


def text_problem(array: NDArray[Any]) -> str | None:
    """Say why texts cannot be kept in every format: they must be Unicode without zero characters."""
    codes = np.ascontiguousarray(array).reshape(-1, 1).view(np.uint32)
    if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))).any():
        return "holds a text that is not Unicode"
    if codes.shape[1] > 1 and ((codes[:, :-1] == 0) & (codes[:, 1:] != 0)).any():
        return "holds a text with a zero character in it"
    return None


def factor_problem(dataset: Dataset) -> str | None:
    """Say what is wrong with the latents or factors themselves: one that is not finite or cannot be."""
    if isinstance(dataset, MaskSequences):
        return _problem_of_latents(dataset)
    factors = dataset.factors
    bad = ~np.isfinite(factors).all(axis=2)
    if bad.any():
        run, frame = np.argwhere(bad)[0].tolist()
        return f"factors of run {run}, frame {frame} are not finite: {factors[run, frame].tolist()}"
    bad = (np.abs(factors) > _LARGEST_FACTOR).any(axis=2)
    if bad.any():
        run, frame = np.argwhere(bad)[0].tolist()
        return f"factors of run {run}, frame {frame} are beyond {_LARGEST_FACTOR:g}: {factors[run, frame].tolist()}"
    codes = typed_manifest(dataset.manifest).shape_codes
    if codes:
        other = set(np.unique(factors[:, :, dataset.factor_names.index("shape")]).tolist()) - set(codes.values())
        if other:
            return f"factors hold the shape {min(other):g}, which the manifest's shape_codes do not"
    return None


def _problem_of_latents(dataset: MaskSequences) -> str | None:
    latents = dataset.latents
    height, width = dataset.masks.shape[1:]
    bad = ~np.isfinite(latents).all(axis=1)
    if bad.any():
        frame = int(np.argmax(bad))
        why = "; its mask is empty" if not dataset.masks[frame].any() else ""
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
