"""Training from a dataset file to a finished run folder, pictures included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from datagen.extras import has_extra, missing_extra
from datagen.files import atomic_path
from datagen.store import content_hash, load
from slowvae.batches import Frames
from slowvae.device import find_device
from slowvae.evaluation import describe_file, encode_all, fill_in
from slowvae.figures import figure_png, save_traversals, scatters, traversals
from slowvae.metrics import mcc
from slowvae.model import VAE, Encoder
from slowvae.protocols import Protocol
from slowvae.runs import read_run
from slowvae.settings import make_settings
from slowvae.trainer import train

__all__ = ["draw", "train_file"]


def train_file(
    file: str | Path,
    folder: str | Path,
    device: str = "auto",
    preset: str = "klindt2021",
    model: str = "slowvae",
    changes: dict[str, Any] | None = None,
    resume: bool = False,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Train a model on a dataset file and draw what it learned.

    Parameters
    ----------
    file : str or Path
        The dataset.
    folder : str or Path
        The run's folder; see `slowvae.runs`. Pictures are added at the end: ``traversals_<seed>.gif`` and
        ``latents_<seed>.png``.
    device : str
        See `slowvae.device.find_device`.
    preset, model : str
        See `slowvae.settings.make_settings`.
    changes : dict, optional
        Settings that differ from the preset's.
    resume : bool
        Go on with the run in the folder with its own settings, of which only ``iterations`` can be changed. A folder
        without a run begins one.
    show_progress : bool
        Whether to draw a bar.

    Returns
    -------
    dict
        ``folder``, ``iterations``, ``seeds`` and ``notes`` (what was left out, a line each). JSON types only.

    Raises
    ------
    DatagenError
        As `slowvae.trainer.train` and `datagen.store.load` do.
    """
    folder, changes = Path(folder), changes or {}
    settings = make_settings(preset, model, **changes)
    if resume and (folder / "run.json").exists():
        kept = read_run(folder).settings
        settings = replace(kept, iterations=changes.get("iterations", kept.iterations))
    where, described = find_device(device), describe_file(file)
    dataset = load(file, lazy=True)
    frames = Frames.of(dataset, where)
    # That of the correlations which are drawn: of all frames, as they are.
    protocol = fill_in(Protocol(dataset=content_hash(dataset), variant="rectangular"), settings)
    del dataset
    networks = train(frames, settings, folder, described, resume, show_progress)
    notes = []
    if not has_extra("tensorboard"):
        notes.append(missing_extra("tensorboard", "a TensorBoard log"))
    if not has_extra("figures"):
        notes.append(missing_extra("figures", "a scatter plot"))
    for seed, network in networks.items():
        draw(network.to(frames.device), frames, folder, seed, protocol)
    return {"folder": str(folder), "iterations": settings.iterations, "seeds": list(settings.seeds), "notes": notes}


def draw(network: Encoder, frames: Frames, folder: Path, seed: int, protocol: Protocol) -> None:
    """Save the traversals of a network, if it decodes, and its latents against the factors, if these change."""
    latents = encode_all(network, frames)
    if isinstance(network, VAE):
        start = latents[np.random.default_rng(0).choice(len(latents), min(4, len(latents)), replace=False)]
        save_traversals(traversals(network, latents, start), folder / f"traversals_{seed}.gif")
    factors, names = frames.dataset.changing_factors()
    if has_extra("figures") and 0 < len(names) <= min(latents.shape) and len(latents) > 2:
        found = mcc(latents, factors, protocol=protocol.variant, intervals=False)
        caption = f"protocol {protocol.id}: {protocol.describe()}"
        figure = scatters(latents, factors, names, found.correlation, caption)
        with atomic_path(folder / f"latents_{seed}.png") as temporary:
            temporary.write_bytes(figure_png(figure))
