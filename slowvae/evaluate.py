"""Scores of trained networks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from datagen.errors import DatagenError, UsageError
from datagen.files import atomic_path, sha256_file
from slowvae import metrics
from slowvae.batches import Frames
from slowvae.metrics.mcc import Protocol
from slowvae.model import Encoder
from slowvae.runs import load_networks, read_run
from slowvae.scores import MAX_TRAIN, score

__all__ = ["describe_file", "encode_all", "evaluate_run", "load_frames"]


def load_frames(path: str | Path, device: torch.device) -> tuple[Frames, dict[str, Any]]:
    """Read a dataset file to the device, and return it with what `describe_file` says."""
    from datagen.store import load

    return Frames.of(load(path), device), describe_file(path)


def describe_file(path: str | Path) -> dict[str, Any]:
    """Say which file a run is trained on: its ``path`` and ``sha256``."""
    return {"path": str(Path(path).resolve()), "sha256": sha256_file(path)}


@torch.no_grad()
def encode_all(network: Encoder, frames: Frames, batch_size: int = 500) -> NDArray[np.float32]:
    """Return the posterior means of all frames.

    Parameters
    ----------
    network : Encoder
        A single network, on the device of the frames.
    frames : Frames
    batch_size : int
        Frames at a time.

    Returns
    -------
    ndarray of float32, shape (N, Z)
    """
    parts = (frames.at(slice(first, first + batch_size)) for first in range(0, len(frames), batch_size))
    return torch.cat([network.encode(part[None])[0][0] for part in parts]).cpu().numpy()


def evaluate_run(
    folder: str | Path,
    device: torch.device,
    names: Iterable[str] = ("mcc",),
    protocol: Protocol = "klindt2021",
    data: str | Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Score all networks of a run, and write ``scores.json`` into its folder.

    Parameters
    ----------
    folder : str or Path
        The run's folder.
    device : torch.device
        Where to compute.
    names : iterable of str
        Of `slowvae.scores.METRICS`.
    protocol : {"klindt2021", "rectangular", "held-out"}
        Of the MCC.
    data : str or Path, optional
        Another dataset file than the one trained on.
    seed : int
        Of everything drawn.

    Returns
    -------
    dict
        ``data``, ``factor_names``, ``left_out`` (factors that never change), ``seeds`` (scores by seed), ``mean`` (of
        the MCC over seeds, with ``standard_deviation``) and ``udr`` where asked for. JSON types only.

    Raises
    ------
    UsageError
        If the folder holds no trained run, or a metric is unknown or does not apply.
    DatagenError
        If the dataset does not fit the networks.
    """
    folder, names = Path(folder), list(names)
    run = read_run(folder)
    networks = load_networks(folder)
    path = data if data is not None else run["dataset"]["path"]
    if path is None:
        raise UsageError(f"{folder}: does not say which dataset it was trained on; pass --data")
    frames, described = load_frames(path, device)
    if data is None and described["sha256"] != run["dataset"]["sha256"]:
        raise DatagenError(f"{path}: changed since the run in {folder}; pass it as --data to score on it all the same")
    if "udr" in names and len(networks) < 2:
        raise UsageError("udr compares the networks of several seeds, and this run has one")
    for network in networks.values():
        if (network.channels, network.image_size) != tuple(frames.images.shape[1:3]):
            raise DatagenError(
                f"{path}: its images are {tuple(frames.images.shape[1:])}, the networks of {folder} take "
                f"{(network.channels, network.image_size, network.image_size)}"
            )
    (factors, factor_names), groups = frames.changing_factors(), frames.sequence()
    latents = {s: encode_all(network.to(device), frames) for s, network in networks.items()}
    single = [name for name in names if name != "udr"]
    answer: dict[str, Any] = {
        "data": described,
        "factor_names": list(factor_names),
        "left_out": [name for name in frames.factor_names if name not in factor_names],
        "seeds": {
            str(s): score(z, factors, single, frames.discrete, protocol, groups, seed) for s, z in latents.items()
        },
    }
    if "mcc" in names:
        values = [scores["mcc"]["score"] for scores in answer["seeds"].values()]
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        answer["mcc"] = {"mean": float(np.mean(values)), "standard_deviation": spread, "seeds": len(values)}
    if "udr" in names:
        rows = np.random.default_rng(seed).permutation(len(frames))[:MAX_TRAIN]
        agreement = metrics.udr([z[rows] for z in latents.values()])
        answer["udr"] = dict(zip(map(str, latents), agreement.tolist(), strict=True))
    with atomic_path(folder / "scores.json") as temporary:
        temporary.write_text(json.dumps(answer, indent=2))
    return answer
