"""What a score depends on beside the networks, as data with a short name of its own. Importing this takes no numpy.

Published scores on one dataset rarely compare: they differ in the distance within a pair, in what was trained and what
was scored on, in the checkpoint, and in how the MCC was taken. A `Protocol` holds all of that, and its `id` is the same
for two scores only if all of it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec

from datagen.errors import UsageError

__all__ = [
    "CHECKPOINTS",
    "NAMED",
    "VARIANTS",
    "Checkpointing",
    "Named",
    "Protocol",
    "Variant",
    "make_protocol",
    "padding_of",
    "training_settings",
]

Variant = Literal["klindt2021", "rectangular", "held-out"]
"""How the MCC can be computed; see `slowvae.metrics.mcc`."""

VARIANTS: tuple[Variant, ...] = get_args(Variant)

Checkpointing = Literal["last", "udr", "labels"]

CHECKPOINTS: dict[str, str] = {
    "last": "last checkpoint",
    "udr": "checkpoint best by UDR",
    "labels": "checkpoint best by labels",
}
"""Which checkpoint of a run is scored, and how that is said. ``"labels"`` is a choice by the ground truth that is then
scored on, so it is marked wherever it stands."""


class Protocol(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a score depends on beside the networks.

    Attributes
    ----------
    dataset : str
        What tells the content of the dataset from others (`datagen.store.content_hash`); empty until it is scored on.
    split : {"release", "by-object", "by-sequence", "random", "random-pairs"}
        What is kept together when the dataset is split (`datagen.splits`); ``"release"`` is no split.
    part : {"train", "val", "test"}
        What is scored. Of the release everything is train, and scores are those of the training data, as published.
    split_seed : int
        Of the split.
    trained_on : str
        What was trained on, where it is not the train part of this split; empty otherwise.
    max_delta_t : int or None
        Largest distance within a pair of the training, in frames; None where any will do, or there are none.
    prior : str or None
        What the pairs of a grid are drawn by, in words.
    checkpoint : {"last", "udr", "labels"}
        Which checkpoint is scored; see `CHECKPOINTS`.
    variant : {"klindt2021", "rectangular", "held-out"}
        Of the MCC, and so whether factors are padded (`padding_of`).
    correlation : {"spearman", "pearson"}
        Of the MCC.
    num_samples : int
        At most so many samples are scored by the MCC.
    seed : int
        Of everything that is drawn to score.
    rows : str
        What tells the frames that were scored from others, where they are not the whole part; empty otherwise.

    Raises
    ------
    UsageError
        If a name is unknown, a number out of range, or the release is asked for a part that it has not.

    Examples
    --------
    >>> protocol = Protocol(split="by-object", part="test", variant="rectangular")
    >>> protocol.id, protocol.name
    ('6f8bb61b', 'held-out-object')
    >>> print(protocol.describe().replace(", MCC", ",\\nMCC"))
    split by-object, scored on test, trained on train, last checkpoint,
    MCC rectangular, spearman, 10,000 samples, seed 0
    """

    dataset: str = ""
    split: str = "release"
    part: str = "train"
    split_seed: int = 0
    trained_on: str = ""
    max_delta_t: int | None = None
    prior: str | None = None
    checkpoint: Checkpointing = "last"
    variant: Variant = "klindt2021"
    correlation: Literal["spearman", "pearson"] = "spearman"
    num_samples: int = 10_000
    seed: int = 0
    rows: str = ""

    def __post_init__(self) -> None:
        from datagen.arguments import check_choice, check_whole  # which take numpy
        from datagen.splits import SPLIT_PROTOCOLS, SPLITS

        check_choice("protocol", self.split, SPLIT_PROTOCOLS)
        check_choice("split", self.part, SPLITS)
        if self.split == "release" and self.part != "train":
            raise UsageError(f"the release has no {self.part} part; name a split too, such as by-object or by-sequence")
        check_choice("checkpoint", self.checkpoint, tuple(CHECKPOINTS))
        check_choice("variant", self.variant, VARIANTS)
        check_choice("correlation", self.correlation, ("spearman", "pearson"))
        check_whole("split_seed", self.split_seed, 0, (1 << 64) - 1)
        check_whole("seed", self.seed, 0, (1 << 32) - 1)
        check_whole("num_samples", self.num_samples, 3)
        if self.max_delta_t is not None:
            check_whole("max_delta_t", self.max_delta_t, 1)

    @property
    def id(self) -> str:
        """Eight digits that two protocols share only if they agree in all: of the sha256 of their JSON."""
        text = json.dumps(msgspec.structs.asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def name(self) -> str | None:
        """The name that it was published by, if it has one, on whatever dataset."""
        bare = msgspec.structs.replace(self, dataset="")
        return next((name for name, named in NAMED.items() if named.protocol == bare), None)

    def describe(self) -> str:
        """Say all of it but the dataset in a line."""
        if self.split == "release":
            scored = f"everything, trained on {self.trained_on}" if self.trained_on else "the training data"
            words = [f"no split, scored on {scored}"]
        else:
            words = [f"split {self.split}, scored on {self.part}, trained on {self.trained_on or 'train'}"]
        words += [f"split seed {self.split_seed}"] if self.split_seed else []
        words += [f"max_delta_t {self.max_delta_t}"] if self.max_delta_t is not None else []
        words += [f"pairs by {self.prior}"] if self.prior is not None else []
        words += [CHECKPOINTS[self.checkpoint], f"MCC {self.variant}", self.correlation]
        words += [f"{self.num_samples:,} samples", f"seed {self.seed}"]
        words += [f"of chosen frames ({self.rows})"] if self.rows else []
        return ", ".join(words)

    def to_json(self) -> dict[str, Any]:
        """Return all of it, its id and its padding, in JSON types."""
        return {"id": self.id, "padding": padding_of(self.variant), **msgspec.structs.asdict(self)}


def padding_of(variant: Variant) -> str:
    """Say what the MCC's factors are padded with."""
    return "normal noise, to as many as latents" if variant == "klindt2021" else "none"


@dataclass(frozen=True)
class Named:
    """A protocol that scores were published by, or that is to be.

    Attributes
    ----------
    demands : dict of str to object
        The fields of `Protocol` that are not the default. They must hold.
    source : str
        Where it comes from.
    iterations, seeds, z_dim, pairs : int or None
        How the networks were trained whose scores were published: what differs is noted.
    """

    demands: Mapping[str, Any]
    source: str
    iterations: int | None = None
    seeds: int | None = None
    z_dim: int | None = None
    pairs: int | None = None

    @property
    def protocol(self) -> Protocol:
        """All but the dataset."""
        return Protocol(**self.demands)


NAMED: dict[str, Named] = {
    "klindt2021-0.05s": Named({"max_delta_t": 1}, "Klindt et al. 2021, mean delta t 0.05 s", 300_000, 10, 10),
    "klindt2021-0.15s": Named({"max_delta_t": 5}, "Klindt et al. 2021, mean delta t 0.15 s", 300_000, 10, 10),
    "leap2022": Named(
        {"split": "random-pairs", "part": "test", "max_delta_t": 5, "checkpoint": "labels"},
        "Yao et al. 2022 (LEAP), its notebook",
        seeds=1,
        z_dim=10,
        pairs=2560,
    ),
    "held-out-object": Named(
        {"split": "by-object", "part": "test", "variant": "rectangular"},
        "here: no person that was trained on is scored, at any distance",
    ),
}
"""Protocols by name."""


def make_protocol(name: str | None = None, **changes: Any) -> Protocol:
    """Return a protocol by the name of a split or of a publication, with changes.

    Parameters
    ----------
    name : str, optional
        A split of `datagen.splits.SPLIT_PROTOCOLS`, the part that is scored being test where there is one; or a name of
        `NAMED`, whose settings cannot be changed but for `seed`.
    **changes : object
        Fields of `Protocol`; None stands for what is not changed.

    Raises
    ------
    UsageError
        If there is no such protocol, or a change contradicts its name.

    Examples
    --------
    >>> make_protocol("by-object").part, make_protocol().part, make_protocol("klindt2021-0.15s").max_delta_t
    ('test', 'train', 5)
    """
    from datagen.arguments import check_choice
    from datagen.splits import SPLIT_PROTOCOLS

    name = "release" if name is None else name
    changes = {field: value for field, value in changes.items() if value is not None}
    if name in VARIANTS:
        raise UsageError(
            f"{name!r} is a variant of the MCC, not a protocol; pass --variant {name} (in Python, variant=)"
        )
    check_choice("protocol", name, (*SPLIT_PROTOCOLS, *NAMED))
    if name in NAMED:
        protocol = NAMED[name].protocol
        for field, value in changes.items():
            own = getattr(protocol, field)
            if value != own and field != "seed" and (field, own) != ("max_delta_t", None):
                raise UsageError(
                    f"the protocol {name} has {field} {own!r}, not {value!r}; leave that out, or name a split instead "
                    f"({', '.join(SPLIT_PROTOCOLS)})"
                )
        changes = {field: value for field, value in changes.items() if field == "seed"}
    else:
        protocol = Protocol(split=name, part="train" if name == "release" else "test")
    return msgspec.structs.replace(protocol, **changes)


def training_settings(
    name: str | None, part: str | None = None, split_seed: int | None = None, max_delta_t: int | None = None
) -> dict[str, Any]:
    """Return the settings of a run (`slowvae.settings.Settings`) that is to be scored by a protocol.

    Parameters
    ----------
    name : str, optional
        As of `make_protocol`; by default nothing is split.
    part : str, optional
        What is trained on; train by default.
    split_seed : int, optional
        Of the split.
    max_delta_t : int, optional
        What was asked for.

    Raises
    ------
    UsageError
        If there is no such protocol, or it trains on another part or distance.

    Examples
    --------
    >>> training_settings("klindt2021-0.05s")
    {'max_delta_t': 1}
    >>> training_settings("by-object", split_seed=1)
    {'split_protocol': 'by-object', 'split': 'train', 'split_seed': 1}
    """
    protocol = make_protocol(name, split_seed=split_seed, max_delta_t=max_delta_t)
    if part not in (None, "train") and (name in NAMED or protocol.split == "release"):
        raise UsageError(f"the protocol {name or 'release'} trains on train, not on {part}; name a split, as by-object")
    distance = {} if protocol.max_delta_t is None else {"max_delta_t": protocol.max_delta_t}
    if protocol.split == "release":
        return distance
    return {"split_protocol": protocol.split, "split": part or "train", "split_seed": protocol.split_seed, **distance}
