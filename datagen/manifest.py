"""Manifests: how a dataset file was made, and from what.

A manifest is a plain dictionary, kept in the file as JSON. It names no time, machine or folder, so the same input and
parameters give the same bytes anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from datagen import __version__

__all__ = ["SOURCES", "make_manifest"]

_MOTS_PAPER = (
    "P. Voigtlaender, M. Krause, A. Osep, J. Luiten, B. B. G. Sekar, A. Geiger, B. Leibe: "
    "MOTS: Multi-Object Tracking and Segmentation. CVPR 2019."
)

SOURCES: dict[str, dict[str, str]] = {
    "kitti-mots": {
        "name": "KITTI MOTS",
        "url": "https://www.vision.rwth-aachen.de/page/mots",
        "licence": "CC BY-NC-SA 3.0",
        "citation": _MOTS_PAPER,
    },
    "motschallenge": {
        "name": "MOTSChallenge",
        "url": "https://www.vision.rwth-aachen.de/page/mots",
        "licence": "CC BY-NC-SA 3.0",
        "citation": _MOTS_PAPER,
    },
    "youtube-vis": {
        "name": "YouTube-VIS 2019 (annotations of YouTube-VOS)",
        "url": "https://youtube-vos.org/dataset/vis/",
        "licence": "CC BY 4.0",
        "citation": "L. Yang, Y. Fan, N. Xu: Video Instance Segmentation. ICCV 2019.",
    },
    "ovis": {
        "name": "OVIS",
        "url": "https://songbai.site/ovis/",
        "licence": "CC BY-NC-SA 4.0",
        "citation": "J. Qi et al.: Occluded Video Instance Segmentation: A Benchmark. IJCV 2022.",
    },
}
"""Licence and citation of the annotations, by source."""


def make_manifest(
    command: str,
    parameters: dict[str, Any],
    sources: Iterable[str],
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
    sources : iterable of str
        The data sets it was made from, keys of `SOURCES` where known.
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
        "sources": [{"id": source, **SOURCES.get(source, {})} for source in sources],
        "inputs": inputs,
        "left_out": list(left_out),
    }
