"""Scores of trained networks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from datagen.errors import DatagenError, UsageError
from datagen.files import atomic_path, sha256_file
from slowvae import metrics
from slowvae.batches import Frames
from slowvae.model import Encoder
from slowvae.runs import load_networks, read_run

__all__ = ["METRICS", "encode_all", "evaluate_run", "load_frames", "score"]

METRICS = ("mcc", "beta-vae", "factor-vae", "mig", "dci", "dci-tree", "dci-linear", "modularity", "sap", "udr")
"""Names of metrics; ``udr`` is of all seeds of a run together."""

_OF_QUANTITIES = ("mcc", "dci", "dci-tree", "dci-linear", "sap", "udr")
"""Those that apply to continuous factors too."""

_TRAIN, _TEST, _MANY = 10_000, 5_000, 100_000
"""Published numbers of samples; the last is for MIG and Modularity."""


def load_frames(path: str | Path, device: torch.device) -> tuple[Frames, dict[str, Any]]:
    """Read a dataset file to the device, and return it with its ``path`` and ``sha256``."""
    from datagen.store import load

    frames = Frames.of(load(path), device)
    return frames, {"path": str(Path(path).resolve()), "sha256": sha256_file(path)}


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


def score(
    latents: NDArray[np.float32],
    factors: NDArray[np.float32],
    names: Sequence[str],
    discrete: bool = True,
    protocol: Literal["klindt2021", "rectangular", "held-out"] = "klindt2021",
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Score latents by several metrics, on the published numbers of samples.

    Parameters
    ----------
    latents : ndarray, shape (N, Z)
    factors : ndarray, shape (N, K)
        None may be constant.
    names : sequence of str
        Of `METRICS`, without ``udr``.
    discrete : bool
        Whether factors have few values.
    protocol : {"klindt2021", "rectangular", "held-out"}
        Of the MCC.
    groups : ndarray of int64, shape (N,), optional
        What each sample belongs to, for the MCC's interval.
    seed : int
        Of everything drawn.

    Returns
    -------
    dict
        Each metric's value by its name; of the MCC and DCI a dict. JSON types only.

    Raises
    ------
    UsageError
        If a metric is unknown or does not apply.
    """
    for name in names:
        if name not in METRICS:
            raise UsageError(f"unknown metric {name!r}; there are {', '.join(METRICS)}")
        if not discrete and name not in _OF_QUANTITIES:
            raise UsageError(
                f"{name} needs discrete factors, and these are continuous; there are {', '.join(_OF_QUANTITIES)}"
            )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(latents))
    train = order[: min(_TRAIN, 2 * len(order) // 3)]
    test = order[len(train) : len(train) + _TEST]
    many = order[:_MANY]
    parts = latents[train], factors[train], latents[test], factors[test]
    scores: dict[str, Any] = {}
    for name in names:
        if name == "mcc":
            scores[name] = _jsonable(metrics.mcc(latents, factors, protocol=protocol, seed=seed, groups=groups))
        elif name.startswith("dci"):
            variant: Any = {"dci": "boosting", "dci-tree": "tree", "dci-linear": "linear"}[name]
            scores[name] = _jsonable(metrics.dci(*parts, variant=variant, continuous=not discrete, seed=seed))
        elif name == "sap":
            scores[name] = metrics.sap(*parts, continuous=not discrete)
        elif name == "mig":
            scores[name] = metrics.mig(latents[many], factors[many])
        elif name == "modularity":
            scores[name] = metrics.modularity(latents[many], factors[many])
        elif name == "beta-vae":
            scores[name] = metrics.beta_vae(latents, factors, seed=seed)
        elif name == "factor-vae":
            scores[name] = metrics.factor_vae(latents, factors, seed=seed)
    return scores


def _jsonable(result: metrics.MCC | metrics.DCI) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(result).items() if name != "resampled"}
    return {name: np.asarray(value).tolist() for name, value in kept.items()}


def evaluate_run(
    folder: str | Path,
    device: torch.device,
    names: Iterable[str] = ("mcc",),
    protocol: Literal["klindt2021", "rectangular", "held-out"] = "klindt2021",
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
        Of `METRICS`.
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
    changing = np.ptp(frames.factors, axis=0) > 0
    factors = frames.factors[:, changing]
    groups = np.repeat(np.arange(len(frames.offsets) - 1), np.diff(frames.offsets))
    latents = {s: encode_all(network.to(device), frames) for s, network in networks.items()}
    single = [name for name in names if name != "udr"]
    answer: dict[str, Any] = {
        "data": described,
        "factor_names": [name for name, use in zip(frames.factor_names, changing, strict=True) if use],
        "left_out": [name for name, use in zip(frames.factor_names, changing, strict=True) if not use],
        "seeds": {
            str(s): score(z, factors, single, frames.discrete, protocol, groups, seed) for s, z in latents.items()
        },
    }
    if "mcc" in names:
        values = [scores["mcc"]["score"] for scores in answer["seeds"].values()]
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        answer["mcc"] = {"mean": float(np.mean(values)), "standard_deviation": spread, "seeds": len(values)}
    if "udr" in names:
        rows = np.random.default_rng(seed).permutation(len(frames))[:_TRAIN]
        agreement = metrics.udr([z[rows] for z in latents.values()])
        answer["udr"] = dict(zip(map(str, latents), agreement.tolist(), strict=True))
    with atomic_path(folder / "scores.json") as temporary:
        temporary.write_text(json.dumps(answer, indent=2))
    return answer
