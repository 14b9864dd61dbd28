"""Floors and a ceiling: encoders that a score is held against, none of which learns from time.

A board without them cannot say what a score is worth: an untrained network scores far above 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from datagen.arguments import check_choice
from datagen.errors import UsageError
from datagen.progress import progress_bar
from datagen.splits import split_frames
from datagen.store import load
from slowvae import device as devices
from slowvae.batches import Frames
from slowvae.comparison import pixel_components
from slowvae.encoders import digest
from slowvae.evaluation import Encoded, Task, departures, describe_file, encode_all
from slowvae.model import Encoder
from slowvae.protocols import Protocol, make_protocol
from slowvae.results import Result, Source
from slowvae.runs import build
from slowvae.settings import Settings

__all__ = ["BASELINE_ENCODERS", "Supervised", "baseline_latents", "evaluate_baseline"]

BASELINE_ENCODERS: dict[str, str] = {
    "constant": "floor",
    "random-network": "floor",
    "untrained": "floor",
    "pca": "floor",
    "ica": "floor",
    "supervised": "ceiling",
}
"""``constant``: the same latents for every image. ``random-network``: one hidden layer with random weights.
``untrained``: SlowVAE's network at its start. ``pca``: principal components of the pixels. ``ica``: independent
components of these. ``supervised``: SlowVAE's encoder, trained on the labels of the training part."""

_HIDDEN = 256


def baseline_latents(
    name: str,
    frames: Frames,
    rows: NDArray[np.int64],
    trained_on: NDArray[np.int64],
    seeds: Sequence[int] = (0,),
    z_dim: int = 10,
    iterations: int = 2000,
    show_progress: bool = False,
) -> dict[int, NDArray[np.float32]]:
    """Return the latents that a baseline makes of some frames.

    Parameters
    ----------
    name : str
        A key of `BASELINE_ENCODERS`.
    frames : Frames
        The data, on the device to compute on.
    rows : ndarray of int64, shape (N,)
        Which frames.
    trained_on : ndarray of int64
        The frames that ``pca``, ``ica`` and ``supervised`` may learn from.
    seeds : sequence of int
        One encoder each; ``constant`` and ``pca`` are the same for all.
    z_dim : int
        Number of latents Z, at least that of factors.
    iterations : int
        Steps of ``supervised``, with 64 images each.
    show_progress : bool
        Whether to draw a bar.

    Returns
    -------
    dict of int to ndarray of float32, shape (N, Z)
        By seed.

    Raises
    ------
    UsageError
        If the name is unknown, there are fewer latents than factors or too few frames, the network does not take
        images of this size, or ``ica`` lacks scikit-learn.
    """
    check_choice("baseline", name, tuple(BASELINE_ENCODERS))
    if name == "constant":
        return dict.fromkeys(seeds, np.zeros((len(rows), z_dim), np.float32))
    if name == "random-network":
        return {seed: _random_network(frames, rows, z_dim, seed) for seed in seeds}
    if name == "untrained":
        settings = Settings(z_dim=z_dim)
        networks = {seed: build(settings, (seed,), *frames.image_shape[:2]) for seed in seeds}
        return {seed: encode_all(network.to(frames.device), frames, rows=rows) for seed, network in networks.items()}
    if name == "supervised":
        return {
            seed: encode_all(_supervised(frames, trained_on, seed, z_dim, iterations, show_progress), frames, rows=rows)
            for seed in seeds
        }
    if len(trained_on) <= z_dim:
        raise UsageError(f"{len(trained_on)} frames to learn from are too few for {z_dim} components")
    components = pixel_components(frames, z_dim, trained_on)
    if name == "pca":
        return dict.fromkeys(seeds, components[rows])
    from datagen.extras import extra
    from slowvae.metrics._arrays import within_its_steps

    with extra("metrics", "the baseline ica"):
        from sklearn.decomposition import FastICA
    found = {}
    for seed in seeds:
        with within_its_steps():
            ica = FastICA(whiten="unit-variance", random_state=seed % 2**32).fit(components[trained_on])
        found[seed] = ica.transform(components[rows]).astype(np.float32)
    return found


def evaluate_baseline(
    baseline: str,
    dataset: str | Path,
    names: Iterable[str] = ("mcc",),
    protocol: Protocol | str = "release",
    seeds: Sequence[int] = (0,),
    z_dim: int = 10,
    device: str = "auto",
    iterations: int = 2000,
    show_progress: bool = False,
) -> Result:
    """Score a floor or the ceiling: one of `slowvae.baselines.BASELINE_ENCODERS`.

    Parameters
    ----------
    baseline : str
        Its name.
    dataset : str or Path
        The file.
    names, protocol, device, show_progress
        As of `slowvae.evaluate`. What learns from images or labels sees the train part alone.
    seeds, z_dim, iterations
        As of `baseline_latents`.

    Returns
    -------
    Result

    Raises
    ------
    UsageError, DatagenError
        As `slowvae.evaluate` and `baseline_latents`.
    """
    check_choice("baseline", baseline, tuple(BASELINE_ENCODERS))
    protocol = make_protocol(protocol) if isinstance(protocol, str) else protocol
    where = devices.find_device(device)
    described, data = describe_file(dataset), load(dataset, lazy=True)
    task = Task(data, names, protocol, len(seeds))
    task.check_width(z_dim, baseline)
    trained_on = split_frames(data, "train", protocol.split, protocol.split_seed)
    frames = Frames.of(data, where)
    found = baseline_latents(baseline, frames, task.rows, trained_on, seeds, z_dim, iterations, show_progress)
    latents = {str(seed): z for seed, z in found.items()}
    notes = departures(task.protocol, None, len(seeds), z_dim)
    if baseline == "supervised":
        notes.append(f"trained on the factors for {iterations:,} steps")
    return task.result(
        {seed: Encoded(z) for seed, z in latents.items()},
        name=baseline,
        entry=BASELINE_ENCODERS[baseline],
        data=Source(described.path, described.sha256),
        latents={seed: digest(z) for seed, z in latents.items()},
        machine=devices.describe(where),
        notes=notes,
    )


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def _random_network(frames: Frames, rows: NDArray[np.int64], z_dim: int, seed: int) -> NDArray[np.float32]:
    """Return what a hidden layer of rectified units makes of the pixels, all weights normal."""
    rng, pixels = _generator(seed), int(np.prod(frames.image_shape))
    first = (torch.randn(pixels, _HIDDEN, generator=rng) / pixels**0.5).to(frames.device)
    second = (torch.randn(_HIDDEN, z_dim, generator=rng) / _HIDDEN**0.5).to(frames.device)
    parts = (frames.at(each).flatten(1) for each in torch.from_numpy(rows).split(2000))
    return torch.cat([torch.relu(part @ first) @ second for part in parts]).cpu().numpy()


class Supervised(Encoder):
    """The encoder alone, whose first latents are trained to be the factors. It takes what `Encoder` takes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.init_weights()


def _supervised(
    frames: Frames, rows: NDArray[np.int64], seed: int, z_dim: int, iterations: int, show_progress: bool
) -> Encoder:
    """Train an encoder on the labels of some frames: the squared error of standardised factors."""
    scored = np.array([factor.scored for factor in frames.dataset.factor_info])
    labels = frames.dataset.factors[rows][:, scored]
    labels = labels[:, np.ptp(labels, axis=0) > 0]
    number = labels.shape[1]
    if not 0 < number <= z_dim:
        raise UsageError(f"supervised: {number} factors that change, for {z_dim} latents")
    targets = torch.from_numpy((labels - labels.mean(0)) / labels.std(0)).float().to(frames.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Supervised(z_dim, *frames.image_shape[:2]).to(frames.device)
    adam = devices.make_adam(network.parameters(), 5e-4)
    rng, where = np.random.default_rng((seed, 2)), torch.from_numpy(rows)
    for _ in progress_bar(range(iterations), "training on labels", show=show_progress):
        drawn = torch.from_numpy(rng.integers(len(rows), size=64))
        mu, _ = network.encode(frames.at(where[drawn]))
        loss = nn.functional.mse_loss(mu[:, :number], targets[drawn.to(frames.device)])
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
    return network.eval()
