"""What a dataset file holds, in figures."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from datagen.datasets import Sequences
from datagen.manifest import Manifest, typed_manifest

__all__ = ["describe"]


def describe(dataset: Sequences) -> dict[str, Any]:
    """Describe a dataset.

    Parameters
    ----------
    dataset : Sequences
        What to describe.

    Returns
    -------
    dict
        ``summary`` (counts, sizes), ``factors`` (range, mean and standard deviation of each), ``groups`` (counts by
        source and category; empty for sprites) and ``provenance`` (from the manifest). JSON types only.
    """
    lengths, images = dataset.lengths, dataset.images
    shortest, longest = int(lengths.min(initial=dataset.num_frames)), int(lengths.max(initial=0))
    summary: dict[str, Any] = {
        "kind": dataset.kind,
        "sequences": dataset.num_sequences,
        "frames": dataset.num_frames,
        "pairs": dataset.num_pairs,
        "shortest": shortest,
        "median length": float(np.median(lengths)) if len(lengths) else 0.0,
        "longest": longest,
        **({"length": longest} if shortest == longest else {}),
        "image": "none (factors only)"
        if images is None
        else f"{' x '.join(map(str, images.shape[1:]))}, {images.dtype}",
    }
    if dataset.factor_sizes.any():
        summary["factor sizes"] = ", ".join(str(size or "continuous") for size in dataset.factor_sizes.tolist())
    return {
        "summary": summary,
        "factors": {
            name: {
                "smallest": float(column.min()),
                "mean": float(column.mean(dtype=np.float64)),
                "largest": float(column.max()),
                "standard deviation": float(column.std(dtype=np.float64)),
            }
            for name, column in zip(dataset.factor_names, dataset.factors.T, strict=True)
            if len(column)
        },
        "groups": _groups(dataset) if "source" in dataset.columns else [],
        "provenance": _provenance(typed_manifest(dataset.manifest)),
    }


def _groups(dataset: Sequences) -> list[dict[str, Any]]:
    """Count by source and category."""
    source, video, category, object_id = (
        dataset.columns[name] for name in ("source", "video", "category", "object_id")
    )
    rows = []
    for one_source, one_category in sorted(set(zip(source.tolist(), category.tolist(), strict=True))):
        here = (source == one_source) & (category == one_category)
        objects = set(zip(video[here].tolist(), object_id[here].tolist(), strict=True))
        known = (object_id[here] >= 0).all()
        rows.append(
            {
                "source": one_source or "unknown",
                "category": one_category,
                "videos": len(set(video[here].tolist())) if one_source else "unknown",
                "objects": len(objects) if known else "unknown",
                "frames/s": ", ".join(sorted({_rate(rate) for rate in np.unique(dataset.fps[here])})),
                "sequences": int(here.sum()),
                "frames": int(dataset.lengths[here].sum()),
            }
        )
    return rows


def _rate(rate: np.float32) -> str:
    return "unknown" if np.isnan(rate) else f"{rate:.4g}"


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
