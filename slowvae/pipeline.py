"""Training from a dataset file to a finished run folder, pictures included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from datagen.extras import has_extra, missing_extra
from datagen.files import as_path, atomic_path
from datagen.store import content_hash, load
from slowvae import trainer
from slowvae.batches import Frames
from slowvae.device import find_device
from slowvae.evaluation import describe_file, encode_all, fill_in
from slowvae.figures import figure_png, label_latents, save_traversals, scatters, traversals
from slowvae.metrics import mcc
from slowvae.model import VAE, Encoder
from slowvae.protocols import Protocol
from slowvae.runs import read_run
from slowvae.settings import Settings, make_settings, pairs_in_words

__all__ = ["draw", "left_out", "train"]


def train(
    file: str | Path,
    folder: str | Path,
    preset: str = "klindt2021",
    *,
    model: str | None = None,
    device: str = "auto",
    resume: bool = False,
    show_progress: bool = False,
    **changes: Any,
) -> dict[int, Encoder]:
    """Train a model on a dataset file and draw what it learned.

    Parameters
    ----------
    file : str or Path
        The dataset.
    folder : str or Path
        The run's folder; see `slowvae.runs`. Pictures are added at the end: ``traversals_<seed>.gif`` and
        ``latents_<seed>.png``.
    preset, model : str
        See `slowvae.settings.make_settings`; the model is SlowVAE by default.
    device : str
        See `slowvae.device.find_device`.
    resume : bool
        Go on with the run in the folder with its own settings, whatever the preset; the model and the settings that are
        given must be the same, but for ``iterations`` and how often is logged and saved. A folder without a run begins
        one.
    show_progress : bool
        Draw a bar on a terminal or in a notebook.
    **changes
        Settings that differ from the preset's, by the names of `slowvae.settings.Settings`: ``seeds=(0, 1, 2)``.

    Returns
    -------
    dict of int to Encoder
        The trained networks by their seeds, on the CPU, as `slowvae.load` reads them again.

    Raises
    ------
    DatagenError
        As `slowvae.trainer.train`, `slowvae.settings.make_settings` and `datagen.store.load` do.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from datagen import Sequences, store
    >>> masks = np.zeros((12, 32, 32), dtype=bool)
    >>> for t in range(12):
    ...     masks[t, 4 + t : 12 + t, 8:16] = True
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = store.save(Sequences.from_masks([masks]), f"{folder}/mine.npz")
    ...     train(f"{folder}/mine.npz", f"{folder}/run", "quick", iterations=2, batch_size=4, z_dim=3, device="cpu")
    {0: SlowVAE(z_dim=3, channels=1, image_size=32, beta=1.0, gamma=10.0, rate=6.0)}
    """
    folder = as_path(folder, "folder")
    settings = make_settings(preset, "slowvae" if model is None else model, **changes)
    if resume and (folder / "run.json").exists():
        # Those that are given, which must be the run's own where they matter (`slowvae.trainer.train` says so).
        given = [*changes, *(["model"] if model is not None else [])]
        kept = read_run(folder).settings
        settings = replace(kept, **{name: getattr(settings, name) for name in given})
        if _draw_the_same(settings, kept):
            settings = replace(settings, prior_rate=kept.prior_rate, prior_transitions=kept.prior_transitions)
    where, described = find_device(device), describe_file(file)
    dataset = load(file, lazy=True)
    frames = Frames.of(dataset, where)
    # That of the correlations which are drawn: of all frames, as they are.
    protocol = fill_in(Protocol(dataset=content_hash(dataset), variant="rectangular"), settings)
    del dataset
    networks = trainer.train(frames, settings, folder, described, resume, show_progress)
    for seed, network in networks.items():
        draw(network.to(frames.device), frames, folder, seed, protocol)
    return {seed: network.cpu() for seed, network in networks.items()}


def _draw_the_same(one: Settings, other: Settings) -> bool:
    """Say whether two settings draw pairs alike: a default may be left out, and a table named by another path."""
    if pairs_in_words(one) != pairs_in_words(other):
        return False
    mine, theirs = one.prior_transitions, other.prior_transitions
    return mine == theirs or (
        mine is not None and theirs is not None and Path(mine).resolve() == Path(theirs).resolve()
    )


def left_out() -> list[str]:
    """Return what `train` leaves out for want of a library, a line each."""
    wanted = {"tensorboard": "a TensorBoard log", "figures": "a scatter plot"}
    return [missing_extra(name, what) for name, what in wanted.items() if not has_extra(name)]


def draw(network: Encoder, frames: Frames, folder: Path, seed: int, protocol: Protocol) -> None:
    """Save the traversals of a network, if it decodes, and its latents against the factors, if these change."""
    latents = encode_all(network, frames)
    factors, names = frames.dataset.changing_factors()
    found = None
    if 0 < len(names) <= min(latents.shape) and len(latents) > 2:
        found = mcc(latents, factors, protocol=protocol.variant, intervals=False)
    if isinstance(network, VAE):
        start = latents[np.random.default_rng(0).choice(len(latents), min(4, len(latents)), replace=False)]
        labels = [] if found is None else label_latents(found.correlation, names, found.assignment)
        save_traversals(traversals(network, latents, start), folder / f"traversals_{seed}.gif", labels)
    if has_extra("figures") and found is not None:
        caption = f"protocol {protocol.id}: {protocol.describe()}"
        figure = scatters(latents, factors, names, found.correlation, found.assignment, caption)
        with atomic_path(folder / f"latents_{seed}.png") as temporary:
            temporary.write_bytes(figure_png(figure))
