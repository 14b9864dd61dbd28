"""Manifests: how a dataset file was made, and from what.

A manifest is a plain dictionary, kept in the file as JSON. It names no time, machine or folder, so the same input and
parameters give the same bytes anywhere. `Manifest` says which keys this program knows and of what types they are;
`typed_manifest` checks a dictionary against it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from datagen import __version__
from datagen.errors import DatagenError

__all__ = ["Manifest", "ManifestError", "Rate", "StoredArray", "make_manifest", "parse_manifest", "typed_manifest"]

_DEEPEST = 50
"""How many objects and lists may lie in one another; `json` writes any manifest of this depth."""


def make_manifest(
    command: str,
    parameters: dict[str, Any],
    sources: Iterable[dict[str, str]],
    inputs: dict[str, str],
    preset: str | None = None,
    left_out: Iterable[str] = (),
) -> dict[str, Any]:
    """Make the manifest of a dataset; `datagen.store.save` adds what it knows of the arrays.

    Parameters
    ----------
    command : str
        The command that made it, e.g. ``"kitti-masks"``.
    parameters : dict
        Its parameters, JSON types only.
    sources : iterable of dict
        The data sets it was made from: ``id`` and, where known, ``name``, ``url``, ``licence`` and ``citation``.
    inputs : dict of str to str
        sha256 of every input file by its name.
    preset : str, optional
        The preset.
    left_out : iterable of str
        What was bad and left out, a line each.

    Returns
    -------
    dict
    """
    return {
        "tool": f"datagen {__version__}",
        "command": command,
        "preset": preset,
        "parameters": parameters,
        "sources": list(sources),
        "inputs": inputs,
        "left_out": list(left_out),
    }


class ManifestError(DatagenError, ValueError):
    """A manifest that is no JSON, or has a value of another type than `Manifest` says. It names no file."""


class Source(msgspec.Struct):
    """A data set that a dataset was made from; a text that is not known is empty."""

    id: str
    name: str = ""
    url: str = ""
    licence: str = ""
    citation: str = ""


class Mended(msgspec.Struct):
    """What a preset other than `paper` changed, and what that added."""

    what: list[str]
    added_sequences: int | None = None
    added_frames: int | None = None


class Rate(msgspec.Struct):
    """How many frames of some videos make a second, and who says so (`datagen.rates.describe_rates`)."""

    source: str
    frames_per_second: float | None = None
    rate_from: str | None = None
    videos: int | None = None


class StoredArray(msgspec.Struct):
    """What a file says of one of its arrays."""

    dtype: str
    shape: list[int]
    sha256: str


class Manifest(msgspec.Struct):
    """The keys of a manifest that this program knows, with the types they have; all may be absent.

    Attributes
    ----------
    kind : str
        The kind of dataset.
    tool, command, preset : str or None
        What made it; None where the file does not say.
    parameters : dict
        The command's parameters, of any JSON type.
    sources : list of Source
        The data sets it was made from.
    inputs : dict of str to str
        sha256 of every input file by its name.
    left_out : list of str
        What was bad and left out, a line each.
    mended : Mended or None
        What a preset other than `paper` changed.
    rates : list of Rate
        How many frames of its videos make a second.
    counts : dict of str to int
        How many sequences, frames and pairs it holds.
    arrays : dict of str to StoredArray, or None
        What the file says of its arrays.
    shape_codes : dict of str to int
        The code of each shape of sprites in use.
    factor_values : dict of str to list of float
        The values of each factor of sprites that is on a grid.
    """

    kind: str = ""
    tool: str | None = None
    command: str | None = None
    preset: str | None = None
    parameters: dict[str, Any] = {}
    sources: list[Source] = []
    inputs: dict[str, str] = {}
    left_out: list[str] = []
    mended: Mended | None = None
    rates: list[Rate] = []
    counts: dict[str, int] = {}
    arrays: dict[str, StoredArray] | None = None
    shape_codes: dict[str, int] = {}
    factor_values: dict[str, list[float]] = {}


def parse_manifest(text: str) -> dict[str, Any]:
    """Read a manifest's JSON text, and check it as `typed_manifest` does. Keys that are not known are kept.

    Raises
    ------
    ManifestError
        If the text is no JSON object, or the manifest is not as `typed_manifest` wants it.
    """
    try:
        manifest = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError):  # the latter for half of a surrogate pair
        raise ManifestError("its manifest is not JSON; the file is damaged") from None
    except RecursionError:
        raise ManifestError("its manifest is nested too deeply") from None
    if not isinstance(manifest, dict):
        raise ManifestError("its manifest is no JSON object, so it names no known kind")
    typed_manifest(manifest)
    return manifest


def typed_manifest(manifest: Any) -> Manifest:
    """Take from a manifest what this program knows, with types that can be relied on.

    Parameters
    ----------
    manifest : dict
        The manifest, as a dataset has it. JSON types only.

    Returns
    -------
    Manifest

    Raises
    ------
    ManifestError
        If a known key is of another type, or if anything in it cannot be written as JSON that others read: a number
        that is not finite or longer than 64 bits, half of a surrogate pair, or values nested too deeply.
    """
    try:
        known = msgspec.convert(manifest, Manifest)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ManifestError(f"its manifest is of another form ({error})") from None
    values: list[tuple[int, Any]] = [(0, manifest)]
    while values:
        depth, value = values.pop()
        if depth > _DEEPEST:
            raise ManifestError("its manifest is nested too deeply")
        if isinstance(value, dict):
            values += [(depth + 1, each) for pair in value.items() for each in pair]
        elif isinstance(value, list | tuple):
            values += [(depth + 1, each) for each in value]
        elif isinstance(value, int):
            if not -(2**63) <= value < 2**64:
                raise ManifestError("its manifest holds a number of more than 64 bits")
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise ManifestError("its manifest holds a number that is not finite")
        elif isinstance(value, str):
            if not value.isascii() and _has_surrogates(value):
                raise ManifestError(f"its manifest holds a text that is not Unicode, {value[:40]!r}")
        elif value is not None:
            raise ManifestError(f"its manifest holds a {type(value).__name__}, which is no type of JSON")
    return known


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)
