"""How two dataset files, or two tables of transitions, differ."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.checks import frame_hashes
from datagen.datasets import Sequences
from datagen.errors import DatagenError, counted
from datagen.transitions import FACTORS, Transitions

__all__ = ["Comparison", "Difference", "compare", "compare_tables"]


@dataclass(frozen=True)
class Difference:
    """How one sequence differs from its counterpart.

    Attributes
    ----------
    sequence, other : int
        Their numbers in the two files.
    name : str
        Where the sequence comes from.
    lengths : tuple of int
        Number of frames in the file and in the other.
    frames : list of int
        Frames of the file (counted from the sequence's first) whose masks differ.
    pixels : int
        Number of pixels that differ, over all common frames.
    missing_frames, extra_frames : int
        Frames that only the other, or only the file, has.
    latents : int
        Number of common frames whose masks agree but whose latents do not.
    """

    sequence: int
    other: int
    name: str
    lengths: tuple[int, int]
    frames: list[int]
    pixels: int
    missing_frames: int
    extra_frames: int
    latents: int

    def __str__(self) -> str:
        parts = []
        if self.frames:
            parts.append(f"{len(self.frames)} frames differ, by {self.pixels} pixels in all")
        if self.missing_frames:
            parts.append(f"{counted(self.missing_frames, 'frame')} missing")
        if self.extra_frames:
            parts.append(f"{counted(self.extra_frames, 'frame')} extra")
        if self.latents:
            parts.append(f"{self.latents} latents differ though the masks agree")
        return f"{self.name} from sequence {self.other} there: {'; '.join(parts)}"


@dataclass(frozen=True)
class Comparison:
    """What `compare` finds of sequences, or `compare_tables` of rows.

    Attributes
    ----------
    same : int
        Number of those that are equal, in all they hold.
    missing : list of str
        Those that only the other has.
    extra : list of str
        Those that only this one has.
    different : list of Difference, or of str
        Those that both have, with other values.
    """

    same: int
    missing: list[str]
    extra: list[str]
    different: list[Difference] | list[str]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.extra or self.different)


def compare(dataset: Sequences, other: Sequences) -> Comparison:
    """Explain how two files of masks differ.

    Sequences are matched by their content, since the release's file does not say where its sequences come from: first
    equal ones, in order; between those, ones that share a frame; then, where as many are left on both sides, in order.

    Parameters
    ----------
    dataset, other : Sequences
        The two. Both must have masks of one size.

    Returns
    -------
    Comparison

    Raises
    ------
    DatagenError
        If they cannot be compared.
    """
    if not dataset.holds_masks or not other.holds_masks:
        raise DatagenError("only files of masks can be compared with each other")
    assert dataset.images is not None
    assert other.images is not None
    if dataset.images.shape[1:] != other.images.shape[1:]:
        raise DatagenError(
            f"the masks are of different sizes, {dataset.images.shape[1:]} and {other.images.shape[1:]}; "
            "nothing can be compared"
        )
    mine, theirs = _hashes(dataset), _hashes(other)
    same, pairs, extra, missing = 0, [], [], []
    matcher = difflib.SequenceMatcher(None, mine, theirs, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            pairs += list(zip(range(a, b), range(c, d), strict=True))
            continue
        left, right = list(range(a, b)), list(range(c, d))
        for i in list(left):
            frames = set(mine[i])
            j = next((j for j in right if not frames.isdisjoint(theirs[j])), None)
            if j is not None:
                pairs.append((i, j))
                left.remove(i)
                right.remove(j)
        if len(left) == len(right):
            pairs += list(zip(left, right, strict=True))
        else:
            extra += left
            missing += right
    different = []
    for i, j in sorted(pairs):
        difference = _difference(dataset, other, i, j, _shift(mine[i], theirs[j]))
        if difference is None:
            same += 1
        else:
            different.append(difference)
    return Comparison(
        same, [_name(other, j) for j in sorted(missing)], [_name(dataset, i) for i in sorted(extra)], different
    )


def compare_tables(table: Transitions, other: Transitions) -> Comparison:
    """Explain how two tables of transitions differ. A row is known by its object, window and first frame.

    Parameters
    ----------
    table, other : Transitions
        The two, with rows of one length.

    Returns
    -------
    Comparison

    Raises
    ------
    DatagenError
        If they cannot be compared.
    """
    if table.length != other.length:
        raise DatagenError(f"rows of {table.length} and of {other.length} frames cannot be compared")
    keys, other_keys = (np.stack([t.object_id, t.window, t.frame], axis=1) for t in (table, other))
    both, which = np.unique(np.concatenate([keys, other_keys]), axis=0, return_inverse=True)
    places = []
    for part in (which[: len(keys)], which[len(keys) :]):
        if len(np.unique(part)) != len(part):
            raise DatagenError(
                "a table has the same object, window and frame twice, so its rows cannot be distinguished"
            )
        place = np.full(len(both), -1)
        place[part] = np.arange(len(part))
        places.append(place)
    here, there = places

    def names(rows: NDArray[np.int64]) -> list[str]:
        return [f"object {a}, window {b}, frame {c}" for a, b, c in both[rows].tolist()]

    common = np.flatnonzero((here >= 0) & (there >= 0))
    a, b = here[common], there[common]
    changes: list[list[str]] = [[] for _ in common]
    for factor in FACTORS:
        mine, theirs = getattr(table, factor)[a], getattr(other, factor)[b]
        for row in np.flatnonzero((mine != theirs).any(axis=1)):
            changes[row].append(f"{factor} {mine[row].tolist()} instead of {theirs[row].tolist()}")
    differ = np.array([bool(each) for each in changes], dtype=bool)
    return Comparison(
        same=int((~differ).sum()),
        missing=names(np.flatnonzero(here < 0)),
        extra=names(np.flatnonzero(there < 0)),
        different=[f"{name}: {'; '.join(each)}" for name, each in zip(names(common), changes, strict=True) if each],
    )


def _hashes(dataset: Sequences) -> list[tuple[int, ...]]:
    """Return the hashes of the frames, one tuple per sequence."""
    hashes = frame_hashes(dataset)
    assert hashes is not None
    return [tuple(each.tolist()) for each in np.split(hashes, dataset.offsets[1:-1])]


def _shift(mine: tuple[int, ...], theirs: tuple[int, ...]) -> int:
    """Return by how many frames the second begins later, by most of the frames they share."""
    place = {frame: index for index, frame in enumerate(theirs)}
    shifts = Counter(index - place[frame] for index, frame in enumerate(mine) if frame in place)
    return shifts.most_common(1)[0][0] if shifts else 0


def _difference(dataset: Sequences, other: Sequences, i: int, j: int, shift: int) -> Difference | None:
    """Compare sequence `i` with sequence `j` of the other, which begins `shift` frames later."""
    lengths = int(dataset.lengths[i]), int(other.lengths[j])
    begin, end = max(0, shift), min(lengths[0], lengths[1] + shift)
    a = slice(dataset.offsets[i] + begin, dataset.offsets[i] + end)
    b = slice(other.offsets[j] + begin - shift, other.offsets[j] + end - shift)
    assert dataset.images is not None
    assert other.images is not None
    pixels = (dataset.images[a] != other.images[b]).sum(axis=(1, 2))
    latents = (dataset.factors[a] != other.factors[b]).any(axis=1) & (pixels == 0)
    common = end - begin
    if not pixels.any() and not latents.any() and lengths == (common, common):
        return None
    return Difference(
        sequence=i,
        other=j,
        name=_name(dataset, i),
        lengths=lengths,
        frames=(np.flatnonzero(pixels) + begin).tolist(),
        pixels=int(pixels.sum()),
        missing_frames=lengths[1] - common,
        extra_frames=lengths[0] - common,
        latents=int(latents.sum()),
    )


def _name(dataset: Sequences, index: int) -> str:
    """Say where a sequence comes from, as far as the file does."""
    length = int(dataset.lengths[index])
    row = {name: column[index] for name, column in dataset.columns.items()}
    if not row["source"]:
        return f"sequence {index} ({counted(length, 'frame')})"
    return (
        f"sequence {index} ({row['source']} {row['video']}, object {row['object_id']}, window {row['window']}, "
        f"{counted(length, 'frame')} from {row['first_frame']})"
    )
