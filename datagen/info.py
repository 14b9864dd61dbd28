"""What a dataset file holds, in figures."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from datagen.datasets import Dataset, MaskSequences
from datagen.manifest import Manifest, typed_manifest

__all__ = ["describe"]


def describe(dataset: Dataset) -> dict[str, Any]:
    """Describe a dataset.

    Parameters
    ----------
    dataset : MaskSequences or SpriteSequences
        What to describe.

    Returns
    -------
    dict
        ``summary`` (counts, sizes), ``factors`` (range, mean and standard deviation of each), ``groups`` (counts by
        source and category; empty for sprites) and ``provenance`` (from the manifest). JSON types only.
    """
    if isinstance(dataset, MaskSequences):
        lengths = dataset.lengths
        summary: dict[str, Any] = {
            "kind": dataset.kind,
            "sequences": dataset.num_sequences,
            "frames": dataset.num_frames,
            "pairs": dataset.num_pairs,
            "shortest": int(lengths.min(initial=dataset.num_frames)),
            "median length": float(np.median(lengths)) if len(lengths) else 0.0,
            "longest": int(lengths.max(initial=0)),
            "image": f"{dataset.masks.shape[1]} x {dataset.masks.shape[2]}, bool",
        }
        values, groups = dataset.latents, _groups(dataset)
    else:
        images = dataset.images
        summary = {
            "kind": dataset.kind,
            "sequences": len(dataset.factors),
            "frames": int(np.prod(dataset.factors.shape[:2])),
            "length": dataset.factors.shape[1],
            "image": "none (factors only)" if images is None else " x ".join(map(str, images.shape[2:])) + ", uint8",
            "factor sizes": ", ".join(str(size) if size else "continuous" for size in dataset.factor_sizes.tolist()),
        }
        values, groups = dataset.factors.reshape(-1, len(dataset.factor_names)), []
    return {
        "summary": summary,
        "factors": {
            name: {
                "smallest": float(column.min()),
                "mean": float(column.mean(dtype=np.float64)),
                "largest": float(column.max()),
                "standard deviation": float(column.std(dtype=np.float64)),
            }
            for name, column in zip(dataset.factor_names, values.T, strict=True)
            if len(column)
        },
        "groups": groups,
        "provenance": _provenance(typed_manifest(dataset.manifest)),
    }


def _groups(dataset: MaskSequences) -> list[dict[str, Any]]:
    """Count by source and category."""
    rows = []
    for source, category in sorted(set(zip(dataset.source.tolist(), dataset.category.tolist(), strict=True))):
        here = (dataset.source == source) & (dataset.category == category)
        objects = set(zip(dataset.sequence[here].tolist(), dataset.object_id[here].tolist(), strict=True))
        known = (dataset.object_id[here] >= 0).all()
        rows.append(
            {
                "source": source or "unknown",
                "category": category,
                "videos": len(set(dataset.sequence[here].tolist())) if source else "unknown",
                "objects": len(objects) if known else "unknown",
                "sequences": int(here.sum()),
                "frames": int(dataset.lengths[here].sum()),
            }
        )
    return rows


def _provenance(manifest: Manifest) -> dict[str, Any]:
    """Say in a few lines how the file was made."""
    lines: dict[str, Any] = {"tool": manifest.tool or "unknown", "command": manifest.command or "unknown"}
    if manifest.preset:
        lines["preset"] = manifest.preset
    for name, value in manifest.parameters.items():
        lines[name] = value if isinstance(value, str | int | float) else json.dumps(value)
    lines["input files"] = len(manifest.inputs)
    lines["left out"] = len(manifest.left_out)
    for source in manifest.sources:
        lines[f"licence of {source.id}"] = source.licence or "unknown"
    return lines
