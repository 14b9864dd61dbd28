"""The settings of a training run, and the presets."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from datagen.errors import UsageError, shown, unknown_choice

if TYPE_CHECKING:
    from datagen.grids.priors import Prior
    from slowvae.model import Encoder

__all__ = [
    "BASELINES",
    "MODELS",
    "PRESETS",
    "Settings",
    "baselines_of",
    "make_settings",
    "model_class",
    "pairs_in_words",
    "settings_json",
    "settings_of",
]

MODELS = {"slowvae": "SlowVAE", "beta-vae": "BetaVAE", "ada-gvae": "AdaGVAE", "pcl": "PCL"}
"""Name of a model -> its class in this package."""

BASELINES = ("untrained", "pca", "beta-vae", "uniform", "shuffled")
"""What a model can be compared with. ``untrained``: the same network at its start. ``pca``: as many principal
components of the pixels as latents. ``beta-vae``: without a temporal prior. ``uniform``: the same model, trained on
pairs of the grid drawn by the prior of that name; of grids only. ``shuffled``: the same model, trained on the frames of
the file in random order."""


def baselines_of(settings: Settings) -> tuple[str, ...]:
    """Return the baselines that apply: to another prior of a grid's pairs, ``uniform`` too."""
    return tuple(name for name in BASELINES if name != "uniform" or settings.prior not in (None, "uniform"))


_LIMITS = {
    "iterations": 10**9,  # years on any machine
    "batch_size": 1 << 20,
    "z_dim": 1 << 12,
    "max_delta_t": 1 << 31,
    "log_every": 10**9,
    "save_every": 10**9,
    "keep_every": 10**9,
}
"""Largest value of each whole number: far beyond use, and well within what arrays and counters hold."""

_MAX_SEEDS = 1000


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
        Images per step, an even number; every two are a pair.
    learning_rate : float
        Of Adam (betas 0.9, 0.999).
    z_dim : int
        Number of latents.
    beta, gamma, rate : float
        Hyper-parameters of the objective; a model takes those that it has (`slowvae.model.Encoder.published`).
    max_delta_t : int
        Largest distance within a pair, in frames.
    prior : {None, "uniform", "laplace", "natural"}
        What the second image of a pair is drawn by, of a grid (`datagen.grids`); None of sequences, which have time.
    prior_rate, prior_k, prior_transitions
        What belongs to the prior: the rate of ``"laplace"`` (a number or ``"random"``), how many factors change in
        ``"uniform"``, the file of the table of ``"natural"``.
    split_protocol : str
        How the dataset is split (`datagen.splits.split_frames`); ``"release"`` trains on everything.
    split : {"train", "val", "test"}
        The part that pairs begin in.
    split_seed : int
        Of the split.
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
    prior: str | None = None
    prior_rate: float | Literal["random"] | None = None
    prior_k: int | None = None
    prior_transitions: str | None = None
    split_protocol: str = "release"
    split: str = "train"
    split_seed: int = 0
    amp: str | None = None
    compile: bool = False
    log_every: int = 1000
    save_every: int = 10_000
    keep_every: int = 50_000

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or self.model not in MODELS:
            raise unknown_choice("model", self.model, MODELS)
        if self.amp is not None and not (isinstance(self.amp, str) and self.amp == "bf16"):
            raise UsageError(f"unknown precision {shown(self.amp)}; there is bf16")
        if (
            not isinstance(self.seeds, tuple)
            or not self.seeds
            or any(not _is_whole(seed) or not 0 <= seed < 1 << 63 for seed in self.seeds)
        ):
            raise UsageError(f"seeds {shown(self.seeds)}: must be whole numbers, at least 0 and below 2^63")
        if len(set(self.seeds)) != len(self.seeds) or len(self.seeds) > _MAX_SEEDS:
            raise UsageError(f"seeds {self.seeds[:10]}: must be different, and {_MAX_SEEDS} at most")
        for name, limit in _LIMITS.items():
            value = getattr(self, name)
            if not _is_whole(value) or not 1 <= value <= limit:
                raise UsageError(f"{name} = {value}: must be a whole number, at least 1 and at most {limit}")
        if self.batch_size % 2:
            raise UsageError(f"batch_size = {self.batch_size}: must be even, every two images are a pair")
        for name in ("learning_rate", "rate", "beta", "gamma"):
            value, positive = getattr(self, name), name in ("learning_rate", "rate")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise UsageError(f"{name} = {value}: must be a finite number, at least 0")
            if positive and value == 0:
                raise UsageError(f"{name} = {value}: must be above 0")
        if not _is_whole(self.split_seed) or not 0 <= self.split_seed < 1 << 63:
            raise UsageError(f"split_seed = {self.split_seed}: must be a whole number of at least 0 and below 2^63")
        if (self.split_protocol, self.split) != ("release", "train"):
            from datagen.arguments import check_choice  # which takes numpy
            from datagen.splits import SPLIT_PROTOCOLS, SPLITS

            check_choice("protocol", self.split_protocol, SPLIT_PROTOCOLS)
            check_choice("split", self.split, SPLITS)
            if self.split_protocol == "release":
                raise UsageError(f"the release has no {self.split} part; name a split too, such as by-object")
        if self.prior is None:
            for name in ("prior_rate", "prior_k", "prior_transitions"):
                if getattr(self, name) is not None:
                    raise UsageError(f"{name} belongs to a prior of a grid's pairs, and none is named")
        elif self.prior != "natural":  # whose table is read where it is used
            self.make_prior()

    def make_prior(self) -> Prior | None:
        """Return what the second image of a pair is drawn by; None of sequences.

        Raises
        ------
        UsageError
            If there is no such prior, or it lacks what it needs.
        BadInputError
            If the table of transitions is damaged.
        """
        if self.prior is None:
            return None
        from datagen.grids.priors import make_prior

        return make_prior(self.prior, rate=self.prior_rate, k=self.prior_k, transitions=self.prior_transitions)


def _is_whole(value: object) -> bool:
    """Say whether a setting is Python's own whole number: numpy's, which `datagen.arguments` takes, are no JSON."""
    return isinstance(value, int) and not isinstance(value, bool)


def settings_json(settings: Settings) -> dict[str, Any]:
    """Return settings in JSON types."""
    return {**asdict(settings), "seeds": list(settings.seeds)}


def settings_of(values: dict[str, Any]) -> Settings:
    """Return what `settings_json` was given, read from a file.

    Raises
    ------
    ValueError
        If a setting is missing, unknown, or not of its type and range; in words.
    """
    import msgspec

    names = {item.name for item in fields(Settings)}
    # What runs had not at first may be missing.
    missing = {name for name in names - values.keys() if not name.startswith(("prior", "split"))}
    for what, different in (("lacks the setting", missing), ("has the setting", values.keys() - names)):
        if different:
            raise ValueError(f"{what} {sorted(different)[0][:40]!r}")
    return msgspec.convert(values, Settings)  # numbers and texts as they are, nothing made to fit


def pairs_in_words(settings: Settings) -> str:
    """Say what the pairs of a run are drawn by."""
    if settings.prior is None:
        return f"time, max_delta_t {settings.max_delta_t}"
    if settings.prior == "laplace":
        return (
            f"laplace, rate {settings.prior_rate or 1:g}" if settings.prior_rate != "random" else "laplace, random rate"
        )
    return settings.prior if settings.prior_k is None else f"{settings.prior}, k {settings.prior_k}"


PRESETS = {
    "klindt2021": Settings(),
    "quick": Settings(
        iterations=2000, learning_rate=5e-4, max_delta_t=20, log_every=100, save_every=500, keep_every=2000
    ),
}
"""``"klindt2021"``: as published. ``"quick"``: minutes on two cores. Larger steps and larger changes within a pair set
the sparse prior apart from its baselines within two thousand iterations (docs/results.md)."""


def make_settings(preset: str = "klindt2021", model: str = "slowvae", **changes: Any) -> Settings:
    """Return a preset with changes, with the model's published hyper-parameters unless others are given.

    Raises
    ------
    UsageError
        If a name or a value is wrong.

    Examples
    --------
    >>> settings = make_settings("quick", "beta-vae", seeds=(0, 1))
    >>> settings.iterations, settings.beta, settings.seeds
    (2000, 8.0, (0, 1))
    """
    if not isinstance(preset, str) or preset not in PRESETS:
        raise unknown_choice("preset", preset, PRESETS)
    names = [each.name for each in fields(Settings)]
    if unknown := [name for name in changes if name not in names]:
        raise unknown_choice("setting", unknown[0], names)
    if isinstance(changes.get("seeds"), list):  # as a notebook has them
        changes["seeds"] = tuple(changes["seeds"])
    settings = replace(PRESETS[preset], model=model)  # which knows whether there is such a model
    # Of a model without a normal prior a run notes the weight 0.
    return replace(settings, **{"beta": 0.0, **model_class(model).published, **changes})


def model_class(name: str) -> type[Encoder]:
    """Return the class of a model."""
    kind: type[Encoder] = getattr(import_module("slowvae"), MODELS[name])
    return kind
