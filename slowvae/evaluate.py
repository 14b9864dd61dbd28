"""Scores of trained networks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from datagen.errors import DatagenError, UsageError
from datagen.files import check_output
from datagen.records import finite, read_record, write_record
from datagen.store import fingerprint
from slowvae import metrics
from slowvae.batches import Frames
from slowvae.metrics import METRICS
from slowvae.model import Encoder
from slowvae.protocols import Protocol
from slowvae.runs import DataFile, load_newest, network_of, read_run
from slowvae.scores import MAX_TRAIN, check_names, score

__all__ = ["describe_file", "encode_all", "evaluate_run", "load_frames"]


class _Scores(msgspec.Struct):
    """The part of ``scores.json`` that is kept when more is scored."""

    data: DataFile
    iteration: int
    seed: int
    seeds: dict[str, dict[str, Any]]
    mcc: dict[str, Any] | None = None
    udr: dict[str, Any] | None = None


def load_frames(path: str | Path, device: torch.device) -> tuple[Frames, DataFile]:
    """Read a dataset file to the device, and return it with what `describe_file` says."""
    from datagen.store import load

    return Frames.of(load(path, lazy=True), device), describe_file(path)


def describe_file(path: str | Path) -> DataFile:
    """Say which file a run is trained on."""
    return DataFile(str(path), fingerprint(path))


@torch.no_grad()
def encode_all(
    network: Encoder, frames: Frames, batch_size: int = 500, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return the posterior means of all frames, or of some.

    Parameters
    ----------
    network : Encoder
        A single network, on the device of the frames.
    frames : Frames
    batch_size : int
        Frames at a time.
    rows : ndarray of int64, optional
        Only these frames, in this order.

    Returns
    -------
    ndarray of float32, shape (N, Z)
    """
    starts = range(0, len(frames) if rows is None else len(rows), batch_size)
    batches = (slice(first, first + batch_size) for first in starts)
    chosen = batches if rows is None else (torch.from_numpy(rows[batch]) for batch in batches)
    return torch.cat([network.encode(frames.at(part))[0] for part in chosen]).cpu().numpy()


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
        Of `slowvae.metrics.METRICS`.
    protocol : {"klindt2021", "rectangular", "held-out"}
        Of the MCC.
    data : str or Path, optional
        Another dataset file than the one trained on.
    seed : int
        Of everything drawn.

    Returns
    -------
    dict
        What ``scores.json`` then holds, JSON types only: ``data``, ``iteration``, ``seed``, ``factor_names``,
        ``left_out`` (factors that never change), ``seeds`` (scores by the seed of the network), ``mcc`` (its mean over
        networks, with ``standard_deviation``) and ``udr`` where asked for. Metrics that were scored before on the same
        data, networks and seed are kept; others are dropped, and ``replaced`` is then true.

    Raises
    ------
    UsageError
        If the folder holds no trained run, or a metric is unknown or does not apply.
    DatagenError
        If the dataset does not fit the networks.
    """
    folder, names = Path(folder), list(names)
    check_names(names)
    run = read_run(folder)
    kept = check_output(folder / "scores.json", overwrite=True)
    checkpoint = load_newest(folder)
    networks = {s: network_of(checkpoint, s) for s in checkpoint.settings.seeds}
    path = data if data is not None else run.dataset.path
    if path is None:
        raise UsageError(f"{folder}: does not say which dataset it was trained on; pass --data")
    if data is None and not Path(path).exists():
        raise UsageError(f"{path}: is where the run in {folder} had its dataset, and no file now; pass --data")
    frames, described = load_frames(path, device)
    if data is None and described.sha256 != run.dataset.sha256:
        raise DatagenError(f"{path}: changed since the run in {folder}; pass it as --data to score on it all the same")
    check_names(names, frames.dataset.is_discrete)
    if "udr" in names and len(networks) < 2:
        raise UsageError("udr compares the networks of several seeds, and this run has one")
    for network in networks.values():
        if (network.channels, network.image_size) != frames.image_shape[:2]:
            raise DatagenError(
                f"{path}: its images are {frames.image_shape}, the networks of {folder} take "
                f"{(network.channels, network.image_size, network.image_size)}"
            )
    (factors, factor_names), groups = frames.dataset.changing_factors(), frames.dataset.sequence_of_frame()
    latents = {s: encode_all(network.to(device), frames) for s, network in networks.items()}
    single = [name for name in names if METRICS[name].score]
    discrete = frames.dataset.is_discrete
    seeds = {
        str(s): score(z, factors, single, discrete, protocol, groups, seed, factor_names=factor_names)
        for s, z in latents.items()
    }
    answer: dict[str, Any] = {
        "data": {"path": described.path, "sha256": described.sha256},
        "iteration": checkpoint.iteration,
        "seed": seed,
        "factor_names": list(factor_names),
        "left_out": [name for name in frames.dataset.factor_names if name not in factor_names],
        "seeds": seeds,
    }
    if "mcc" in names:
        values = [scores["mcc"]["score"] for scores in seeds.values()]
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        answer["mcc"] = {"mean": float(np.mean(values)), "standard_deviation": spread, "seeds": len(values)}
    if "udr" in names:
        rows = np.random.default_rng(seed).permutation(len(frames))[:MAX_TRAIN]
        agreement = metrics.udr([z[rows] for z in latents.values()])
        answer["udr"] = dict(zip(map(str, latents), agreement.tolist(), strict=True))
    if kept.exists():
        before = read_record(kept, _Scores, "remove it to score anew")
        same = (before.data.sha256, before.iteration, before.seed, before.seeds.keys())
        if same == (described.sha256, checkpoint.iteration, seed, seeds.keys()):
            answer["seeds"] = {s: {**before.seeds[s], **scores} for s, scores in seeds.items()}
            for name, value in (("mcc", before.mcc), ("udr", before.udr)):
                if value is not None:
                    answer.setdefault(name, value)
        else:
            answer["replaced"] = True
    answer = finite(answer)
    write_record(kept, answer)
    return answer
