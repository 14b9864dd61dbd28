"""Splits of sequences of masks into train, validation and test.

The release of KITTI Masks has none. Its windows overlap, so the same person at the same time is in up to six
sequences, and a random split of sequences has nearly every test pixel in its training part. The protocols here keep
what belongs together on one side.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_choice, check_instance, check_whole
from datagen.datasets import Sequences
from datagen.errors import DatagenError, UsageError

__all__ = ["PROTOCOLS", "SPLITS", "Protocol", "Split", "split_sequences"]

Split = Literal["train", "val", "test"]
Protocol = Literal["release", "by-object", "by-sequence", "random"]

SPLITS = ("train", "val", "test")
PROTOCOLS = ("release", "by-object", "by-sequence", "random")

_SHARES = (0.8, 0.1, 0.1)
_SHUFFLES = 100


def split_sequences(
    dataset: Sequences, split: Split, protocol: Protocol = "by-object", seed: int = 0
) -> NDArray[np.int64]:
    """Return the sequences of one part of a split.

    Groups (people, or videos) are shuffled and dealt out, 80 % of the frames to train, 10 % to validation and the rest
    to test. Videos are long, so of many shuffles the one is taken that comes closest to these shares.

    Parameters
    ----------
    dataset : Sequences
        KITTI Masks.
    split : {"train", "val", "test"}
        Which part.
    protocol : {"release", "by-object", "by-sequence", "random"}
        ``"release"``: no split; train is everything, as published. ``"by-object"``: no person is on two sides.
        ``"by-sequence"``: no source video is. ``"random"``: sequences are dealt out singly, which leaks; it warns.
    seed : int
        Of the shuffle. The splits in the documentation are those of seed 0.

    Returns
    -------
    ndarray of int64
        Numbers of the sequences, rising. The three parts are disjoint and together hold all; a part may be empty where
        there is little to deal out.

    Raises
    ------
    UsageError
        If a name is unknown, the seed no whole number or below 0, `dataset` no dataset of masks, or validation or test
        are asked of ``"release"``.
    DatagenError
        If the file does not say which object or video its sequences show.

    Examples
    --------
    >>> import numpy as np
    >>> masks = [np.ones((10, 8, 8), dtype=bool)] * 20
    >>> dataset = Sequences.from_masks(masks, object_id=np.arange(20) // 2, video="one")
    >>> split_sequences(dataset, "test")  # both sequences of one object
    array([2, 3])
    """
    check_choice("split", split, SPLITS)
    check_choice("protocol", protocol, PROTOCOLS)
    check_whole("seed", seed, 0, (1 << 64) - 1)
    check_instance("dataset", dataset, Sequences, "as datagen.load returns")
    missing = [name for name in ("source", "video", "object_id") if name not in dataset.columns]
    if missing:
        raise UsageError(f"dataset is of {dataset.kind}, whose sequences have no {' or '.join(missing)} to split by")
    everything, columns = np.arange(dataset.num_sequences), dataset.columns
    if protocol == "release":
        if split != "train":
            raise UsageError(
                f"the release has no {split} part; take protocol='by-object' or protocol='by-sequence' to have one"
            )
        return everything
    if protocol == "random":
        warnings.warn(
            "a random split leaks: the windows overlap, so the same person at the same time is on both sides; "
            "take protocol='by-object' or protocol='by-sequence'",
            stacklevel=2,
        )
        group = everything
    else:
        unknown = (columns["source"] == "") | (columns["video"] == "")
        kept: list[NDArray[Any]] = [columns["source"], columns["video"]]
        if protocol == "by-object":
            unknown |= columns["object_id"] < 0
            kept.append(columns["object_id"])
        if unknown.any():
            raise DatagenError(
                f"the file does not say which {'object' if protocol == 'by-object' else 'video'} its sequences show "
                "(the release's pickle does not); build it from the annotations to split it"
            )
        codes = [np.unique(column, return_inverse=True)[1] for column in kept]
        group = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1].ravel()
    part_of_group = _deal(np.bincount(group, weights=dataset.lengths).astype(np.float64), np.random.default_rng(seed))
    return everything[part_of_group[group] == SPLITS.index(split)]


def _deal(frames: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal out groups of some numbers of frames, and return the part of each group."""
    best, least = np.zeros(len(frames), dtype=np.int64), np.inf
    for _ in range(_SHUFFLES if len(frames) else 0):
        order = rng.permutation(len(frames))
        shuffled = frames[order]
        # A group goes to the part in which the middle of its frames falls.
        middle = (np.cumsum(shuffled) - shuffled / 2) / shuffled.sum()
        parts = np.empty(len(order), dtype=np.int64)
        parts[order] = np.searchsorted(np.cumsum(_SHARES)[:-1], middle, side="right")
        shares = np.bincount(parts, weights=frames, minlength=len(_SHARES)) / frames.sum()
        deviation = np.abs(shares - _SHARES).max()
        if deviation < least:
            best, least = parts, deviation
    return best
