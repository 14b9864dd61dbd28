"""What a training run is told, and the presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from datagen.errors import UsageError

if TYPE_CHECKING:
    from slowvae.model import Encoder

__all__ = ["BASELINES", "MODELS", "PRESETS", "Settings", "make_settings", "model_class"]

MODELS = {"slowvae": "SlowVAE", "beta-vae": "BetaVAE", "ada-gvae": "AdaGVAE", "pcl": "PCL"}
"""Name of a model -> its class in this package."""

BASELINES = ("untrained", "pca", "beta-vae", "shuffled")
"""What a model can be compared with. ``untrained``: the same network at its start. ``pca``: as many principal
components of the pixels as latents. ``beta-vae``: without a temporal prior. ``shuffled``: the same model, trained on
the frames of the file in random order."""


@dataclass(frozen=True)
class Settings:
    """Settings of a run; the defaults are the release's for SlowVAE on KITTI Masks.

    Attributes
    ----------
    model : str
        A key of `MODELS`.
    seeds : tuple of int
        One network is trained for each, with its own start, noise and order of the data.
    iterations : int
        Number of optimiser steps.
    batch_size : int
        Images a step, an even number; every two are a pair.
    learning_rate : float
        Of Adam (betas 0.9, 0.999).
    z_dim : int
        Number of latents.
    beta, gamma, rate : float
        Weights and rate of `slowvae.objectives.slowvae_loss`.
    max_delta_t : int
        Largest distance within a pair, in frames.
    amp : {None, "bf16"}
        Lower precision of the networks; the objective stays in float32.
    compile : bool
        Whether torch.compile is used.
    log_every, save_every, keep_every : int
        Iterations between lines of the log, between checkpoints, and between checkpoints that are kept.
    """

    model: str = "slowvae"
    seeds: tuple[int, ...] = (0,)
    iterations: int = 300_000
    batch_size: int = 64
    learning_rate: float = 1e-4
    z_dim: int = 10
    beta: float = 1.0
    gamma: float = 10.0
    rate: float = 6.0
    max_delta_t: int = 5
    amp: str | None = None
    compile: bool = False
    log_every: int = 1000
    save_every: int = 10_000
    keep_every: int = 50_000

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise UsageError(f"unknown model {self.model!r}; there are {', '.join(MODELS)}")
        if self.amp not in (None, "bf16"):
            raise UsageError(f"unknown precision {self.amp!r}; there is bf16")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UsageError(f"seeds {self.seeds}: must be different numbers of at least 0")
        for name in ("iterations", "batch_size", "z_dim", "max_delta_t", "log_every", "save_every", "keep_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} = {getattr(self, name)}: must be at least 1")
        if self.batch_size % 2:
            raise UsageError(f"batch_size = {self.batch_size}: must be even, every two images are a pair")
        for name in ("learning_rate", "rate"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} = {getattr(self, name)}: must be above 0")


PRESETS = {
    "klindt2021": Settings(),
    "quick": Settings(
        iterations=2000, learning_rate=5e-4, max_delta_t=20, log_every=100, save_every=500, keep_every=2000
    ),
}
"""``"klindt2021"``: as published. ``"quick"``: minutes on two cores. Larger steps and larger changes within a pair set
the sparse prior apart from its baselines within two thousand iterations (docs/results.md)."""


def make_settings(preset: str = "klindt2021", model: str = "slowvae", **changes: Any) -> Settings:
    """Return a preset with changes, with the model's published `beta` unless another is given.

    Raises
    ------
    UsageError
        If a name or a value is wrong.
    """
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}; there are {', '.join(PRESETS)}")
    settings = replace(PRESETS[preset], model=model)
    return replace(settings, **{"beta": model_class(model).published_beta, **changes})


def model_class(name: str) -> type[Encoder]:
    """Return the class of a model."""
    kind: type[Encoder] = getattr(import_module("slowvae"), MODELS[name])
    return kind
