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
from datagen.errors import DatagenError, DatagenWarning, UsageError
from datagen.pairs import first_frames

__all__ = ["SPLITS", "SPLIT_PROTOCOLS", "Split", "SplitProtocol", "split_frames", "split_sequences"]

Split = Literal["train", "val", "test"]
SplitProtocol = Literal["release", "by-object", "by-sequence", "random"]

SPLITS = ("train", "val", "test")
SPLIT_PROTOCOLS = ("release", "by-object", "by-sequence", "random", "random-pairs")
"""All that `split_frames` knows; the last one deals out pairs, which no list of sequences can say."""

_SHARES = (0.8, 0.1, 0.1)
_SHUFFLES = 100


def split_sequences(
    dataset: Sequences, split: Split, protocol: SplitProtocol = "by-object", seed: int = 0
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
    _check(dataset, split, protocol, seed, SPLIT_PROTOCOLS[:-1])
    chosen = _sequences(dataset, split, protocol, seed)
    if protocol == "random":
        warnings.warn(_LEAKS, DatagenWarning, stacklevel=2)
    return chosen


_LEAKS = (
    "a random split leaks: the windows overlap, so the same person at the same time is on both sides; "
    "take protocol='by-object' or protocol='by-sequence'"
)


def split_frames(dataset: Sequences, split: str, protocol: str = "by-object", seed: int = 0) -> NDArray[np.int64]:
    """Return the frames of one part of a split: those that are scored, or that pairs for training begin with.

    Parameters
    ----------
    dataset : Sequences
        Of KITTI Masks; with ``"release"``, any.
    split : {"train", "val", "test"}
        Which part.
    protocol : {"release", "by-object", "by-sequence", "random", "random-pairs"}
        As of `split_sequences`. ``"random-pairs"`` deals out pairs, by their first frames, as a random split of a torch
        dataset of pairs does (LEAP, 2022). It leaks even more, since the neighbours of a test frame are in its training
        part; it warns. The last frames of sequences begin no pair and are in no part.
    seed : int
        Of the shuffle.

    Returns
    -------
    ndarray of int64
        Numbers of the frames, rising. The three parts are disjoint.

    Raises
    ------
    UsageError, DatagenError
        As `split_sequences`.

    Examples
    --------
    >>> import numpy as np
    >>> from datagen.datasets import Sequences
    >>> masks = np.ones((6, 4, 4), dtype=bool)
    >>> split_frames(Sequences.from_masks([masks, masks[:2]]), "train")
    array([0, 1, 2, 3, 4, 5])
    """
    _check(dataset, split, protocol, seed, SPLIT_PROTOCOLS)
    if protocol == "release":
        return np.arange(dataset.num_frames)
    if protocol == "random-pairs":
        _check_columns(dataset)
        warnings.warn(_LEAKS, DatagenWarning, stacklevel=2)
        firsts, _, _ = first_frames(dataset.offsets)
        order = np.random.default_rng(seed).permutation(len(firsts))
        ends = np.round(np.cumsum((0, *_SHARES)) * len(firsts)).astype(np.int64)
        part = SPLITS.index(split)
        return firsts[np.sort(order[ends[part] : ends[part + 1]])]
    chosen = _sequences(dataset, split, protocol, seed)
    if protocol == "random":
        warnings.warn(_LEAKS, DatagenWarning, stacklevel=2)
    return np.flatnonzero(np.isin(dataset.sequence_of_frame(), chosen))


def _check(dataset: Sequences, split: str, protocol: str, seed: int, protocols: tuple[str, ...]) -> None:
    """Refuse arguments that name no part of a split."""
    check_choice("split", split, SPLITS)
    check_choice("protocol", protocol, protocols)
    check_whole("seed", seed, 0, (1 << 64) - 1)
    check_instance("dataset", dataset, Sequences, "as datagen.load returns")
    if protocol == "release" and split != "train":
        raise UsageError(
            f"the release has no {split} part; take protocol='by-object' or protocol='by-sequence' to have one"
        )


def _sequences(dataset: Sequences, split: str, protocol: str, seed: int) -> NDArray[np.int64]:
    """Return the sequences of a part, of arguments that were checked."""
    _check_columns(dataset)
    everything, columns = np.arange(dataset.num_sequences), dataset.columns
    if protocol == "release":
        return everything
    if protocol == "random":
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
    return everything[_parts(group, dataset, seed) == SPLITS.index(split)]


def _check_columns(dataset: Sequences) -> None:
    """Refuse a dataset that knows nothing of its sequences to split it by."""
    missing = [name for name in ("source", "video", "object_id") if name not in dataset.columns]
    if missing:
        raise UsageError(f"dataset is of {dataset.kind}, whose sequences have no {' or '.join(missing)} to split by")


def _parts(group: NDArray[np.int64], dataset: Sequences, seed: int) -> NDArray[np.int64]:
    """Return the part of every sequence, of which the groups are kept together."""
    part_of_group = _deal(np.bincount(group, weights=dataset.lengths).astype(np.float64), np.random.default_rng(seed))
    parts: NDArray[np.int64] = part_of_group[group]
    return parts


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
