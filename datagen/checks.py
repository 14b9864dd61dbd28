"""Checks of a dataset file that need no training: of the file against itself, of its factors, frames and motion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, counted
from datagen.intervals import REPLICATES
from datagen.lazy_array import parts
from datagen.manifest import StoredArray, typed_manifest
from datagen.moments import latents_of_masks
from datagen.pairs import first_frames
from datagen.splits import split_sequences
from datagen.store import arrays_of, holds_manifest, load_to_verify, sha256_array
from datagen.store.checks import Header, factor_problem

__all__ = [
    "MEANINGS",
    "STILL",
    "Check",
    "Status",
    "check_file",
    "control_order",
    "frame_hashes",
    "kind_of",
    "load_verified",
    "order_in_time",
    "ratio_interval",
    "summary",
    "verify",
    "worst",
]

Status = Literal["pass", "note", "warn", "fail"]

MEANINGS = {
    "structure": "The file can be read and holds the arrays of its kind; if not, fetch or build it again.",
    "manifest": "This format holds no hashes, so changed bytes go unseen; convert to .npz or .h5 to have them.",
    "hashes": "Every array is as it was written; if not, something changed the file: fetch or build it again.",
    "latents": "What the pixels measure is what is stored; if not, images and latents do not belong together: look at "
    "the frame named, and build the file again.",
    "factors": "Every factor is a finite number; if not, correct or drop the frame that is named.",
    "masks": "Every mask shows something; if not, leave out the frames without a pixel, which have no centre.",
    "range of factors": "Every factor lies in the range of its kind; if not, its unit or its column is wrong.",
    "balance of ...": "The factor takes its values evenly; if it is skewed, use rank correlations; if it piles up at a "
    "few values, its score says little: leave it out, or take data that vary more.",
    "duplicates": "No image is in two sequences; if some are, sequences overlap: count them once, and split by object.",
    "leakage between splits": "No test image is in the training part of a split by object; if some are, objects are "
    "numbered wrongly: number them by source and video.",
    "identity of objects": "No sequence shows frames of another object; if some do, frames have a wrong object id: "
    "look at the sequence named.",
    "overlap of neighbours": "An object is about where it was a frame before; if not, frames are missing or are from "
    "elsewhere, unless objects are small and fast.",
    "look of images": "Outlines are as fine late as early, in sequences and in the file; if not, a part was resized, "
    "blurred or annotated in another way: build it like the rest.",
    "temporal sparsity of ...": "Most changes are small and few are large, as a sparse prior expects; if not, frames "
    "are out of order or far apart, or the objects do not move as a sparse prior expects.",
    "order in time": "Neighbouring frames are alike; if not, frames were shuffled: sort them by their number.",
    "combinations": "Every combination of factors is there once; if not, images are missing or sizes are wrong.",
    "images": "Every image shows something; if not, drawing or reading them failed.",
    "order of ...": "Images that differ in this factor alone are more alike than others; if not, the order of axes or "
    "of values is wrong.",
    "place of images": "Each image is like those a factor away from it; if not, a part of the images is in another "
    "order than the factors.",
    "factors recovered, against ...": "The model finds the factors better than this baseline; if not, train longer or "
    "with more seeds, then doubt the data: latents may not belong to the images.",
    "order in time, as learned": "Learned latents move less from frame to frame than in random order; if not, frames "
    "were shuffled, or the network learned nothing.",
}
"""Kind of check -> what it means when it passes, and what to do when it does not. ``...`` is a factor or a baseline."""

_GRID_SAMPLES = 500
"""Images of a grid that are compared with others."""
_UNRELATED = 8
"""How often the nearest of an image's neighbours on the grid is compared with that of as many unrelated ones."""
_IN_PLACE = 0.85
"""Of images in their places, nearly all are nearer to a neighbour than to an unrelated one; of others, half are."""
_LOOKED_AT = 4000
"""Images whose outlines are looked at."""
_AS_FINE = 1.25
"""Outlines of two halves may differ by this factor; of KITTI Masks they do by 1.03."""
_APART = 0.02
"""Share of neighbours that may not overlap; of KITTI Masks 0.0013 do not, of every second frame of it 0.011."""
_SAME_TRANSITIONS, _SAME_SHARE = 5, 0.4
"""So many transitions, and this share of a sequence's, are no chance if they are another object's too."""
_FINE = 8
"""Fewer values of a factor are too far apart for neighbours to look alike."""
_EVEN = 0.5
"""Least entropy of a factor's values, as a share of that of equal shares."""
STILL = 0.9
"""Frames have an order in time if neighbours are below 0.9 times as far apart as the same frames in random order."""
_FEW = 20
"""With fewer pairs of frames, or images of a grid, what is like chance may be chance."""


@dataclass(frozen=True)
class Check:
    """One named check.

    Attributes
    ----------
    name : str
        What is checked.
    status : {"pass", "note", "warn", "fail"}
        A failed check fails the file; a warning does not. A note is worth knowing and changes nothing.
    figure : float or None
        The figure behind it, where it is one.
    detail : str
        What it says, in words.
    """

    name: str
    status: Status
    figure: float | None
    detail: str

    @property
    def passed(self) -> bool:
        """Whether it did not fail."""
        return self.status != "fail"

    @property
    def meaning(self) -> str:
        """What it means, and what to do if it does not pass; empty for a check that is none of `MEANINGS`."""
        return MEANINGS.get(kind_of(self.name), "")


def kind_of(name: str) -> str:
    """Return the kind of a check, a key of `MEANINGS`, by its name; the name itself of one that is not there.

    Examples
    --------
    >>> from datagen.checks import kind_of
    >>> kind_of("balance of area"), kind_of("order in time")
    ('balance of ...', 'order in time')
    """
    if name in MEANINGS:
        return name
    of_many = (kind for kind in MEANINGS if kind.endswith("...") and name.startswith(kind.removesuffix("...")))
    return next(of_many, name)


def worst(checks: Iterable[Check]) -> Literal["pass", "warn", "fail"]:
    """Return the worst status of all; notes count as passed."""
    statuses = {check.status for check in checks}
    return "fail" if "fail" in statuses else "warn" if "warn" in statuses else "pass"


def summary(checks: Sequence[Check]) -> str:
    """Return the verdict of checks in a sentence: notes as they are, names of what failed, and of one what it found.

    Examples
    --------
    >>> from datagen.checks import Check, summary
    >>> masks = Check("masks", "fail", None, "2 of 9 are empty")
    >>> summary([masks, Check("balance of area", "note", 0.4, "area is skewed")])
    'FAIL: 2 checks, 1 failed (masks: 2 of 9 are empty), 1 note (area is skewed)'
    >>> summary([masks, Check("order in time", "fail", 1.0, "no order")])
    'FAIL: 2 checks, 2 failed (masks; order in time)'
    """
    words = [counted(len(checks), "check")]
    for status, one, many in (("fail", "failed", "failed"), ("warn", "warning", "warnings"), ("note", "note", "notes")):
        found = [check for check in checks if check.status == status]
        said = "; ".join(check.detail if status == "note" else check.name for check in found)
        if len(found) == 1 and status != "note" and found[0].detail:
            said = f"{found[0].name}: {found[0].detail}"
        if found:
            words.append(f"{counted(len(found), one, many)} ({said})")
    return f"{worst(checks).upper()}: {', '.join(words)}"


def verify(path: str | Path) -> list[Check]:
    """Check a dataset file: its structure, its hashes, its latents.

    Parameters
    ----------
    path : str or Path
        A dataset file.

    Returns
    -------
    list of Check
        The first, ``structure``, covers that the file can be read and the names, dtypes and shapes of its arrays, and
        offsets; if it fails there are no others.
    """
    return load_verified(path)[0]


def load_verified(path: str | Path) -> tuple[list[Check], Sequences | None]:
    """Check a dataset file as `verify` does, and return the dataset too, or None if it cannot be read.

    Its latents or factors may be such that `datagen.store.load` refuses them; a check has failed then.
    """
    try:
        dataset = load_to_verify(path, lazy=True)
        return _verified(path, dataset), dataset
    except BadInputError as error:  # of the file, or of a part of its images, which are read as they are needed
        return [Check("structure", "fail", None, error.problem)], None


def _verified(path: str | Path, dataset: Sequences) -> list[Check]:
    """Check a dataset against the manifest of its file and its masks against their latents."""
    arrays = arrays_of(dataset)
    checks = [Check("structure", "pass", None, f"{counted(len(arrays), 'array')} of {dataset.kind}")]
    stated = typed_manifest(dataset.manifest).arrays
    if stated is None and not holds_manifest(path):
        checks.append(Check("manifest", "pass", None, "none: this format holds no hashes"))
    elif stated is None:
        checks.append(Check("hashes", "fail", None, "the manifest holds none, so nothing could be compared"))
    else:
        found = {
            name: StoredArray(Header.of(array).dtype, list(array.shape), sha256_array(array))
            for name, array in arrays.items()
        }
        wrong = sorted(name for name in {**found, **stated} if found.get(name) != stated.get(name))
        detail = f"differ from the manifest: {', '.join(wrong)}" if wrong else f"all {len(arrays)} as the manifest says"
        checks.append(_check("hashes", not wrong, detail))
    problem = factor_problem(dataset)
    if dataset.holds_masks:
        assert dataset.images is not None
        measured = latents_of_masks(dataset.images)
        # Compared as bytes: equal to the last bit, and an empty mask is equal to itself.
        differ = (measured.view(np.uint32) != dataset.factors.view(np.uint32)).any(axis=1)
        first = f", first in frame {int(np.argmax(differ))}" if differ.any() else ""
        detail = f"{int(differ.sum())} of {len(differ)} differ from the masks{first}"
        checks.append(_check("latents", not differ.any(), detail))
        if problem is not None:
            checks.append(Check("factors", "fail", None, problem))
        empty = int((measured[:, 2] == 0).sum())
        checks.append(_check("masks", empty == 0, f"{empty} of {len(differ)} are empty"))
    else:
        checks.append(_check("factors", problem is None, problem or "all finite"))
    return checks


def _check(name: str, passed: bool, detail: str) -> Check:
    return Check(name, "pass" if passed else "fail", None, detail)


def check_file(path: str | Path, seed: int = 0) -> tuple[list[Check], Sequences | None]:
    """Run every check that needs no training.

    Parameters
    ----------
    path : str or Path
        A dataset file.
    seed : int
        Of shuffles and resamples.

    Returns
    -------
    checks : list of Check
        Those of the file itself (`verify`), then of its factors, its frames and its motion. If the file
        cannot be read there are no others.
    dataset : Sequences or None
        What the file holds, or None if it cannot be read or its factors cannot be used.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    checks, dataset = load_verified(path)
    if dataset is None:
        return checks, None
    checks += _ranges(dataset)
    if factor_problem(dataset) is not None:
        return checks, None
    if dataset.has_no_time:
        return checks + _grid(dataset, seed), dataset
    hashes = frame_hashes(dataset)
    checks += _balance(dataset) + _duplicates(dataset, hashes) + _leakage(dataset, hashes)
    checks += _identity(dataset, hashes) + _overlap(dataset) + _look(dataset, seed)
    return checks + _sparsity(dataset, seed) + _order(dataset, seed), dataset


def _grid(dataset: Sequences, seed: int) -> list[Check]:
    """Check what a grid is: every combination once, images that show something, neighbours that look alike."""
    sizes = dataset.factor_sizes
    times = np.unique(dataset.factors, axis=0, return_counts=True)[1]
    once = bool(len(times) == sizes.prod() and (times == 1).all())
    shape = " x ".join(map(str, sizes.tolist()))
    checks = [
        _check("combinations", once, f"{len(times):,} of {shape}" + ("" if once else ", and each should be once"))
    ]
    if dataset.images is None:
        return [*checks, Check("images", "warn", None, "the file holds no images")]
    constant = sum(int((np.ptp(part.reshape(len(part), -1), axis=1) == 0).sum()) for _, part in parts(dataset.images))
    detail = f"{constant:,} of {dataset.num_frames:,} are of one colour"
    checks.append(Check("images", "fail" if constant else "pass", float(constant), detail))
    return checks + (_neighbours(dataset, seed) if once else [])


def _neighbours(dataset: Sequences, seed: int) -> list[Check]:
    """Check that images that differ in one factor are closer than those that differ in it as much and in all else.

    Of a factor of many values, neighbouring ones must be closer than any two.
    """
    rng = np.random.default_rng(seed)
    sizes = dataset.factor_sizes
    images = dataset.images
    assert images is not None
    if (sizes > 1).sum() < 2:
        return [Check("order of factors", "warn", None, "with one factor there is nothing else that could change")]
    base = rng.choice(dataset.num_frames, min(_GRID_SAMPLES, dataset.num_frames), replace=False)
    shown, numbers = images[base].astype(np.float32), np.stack(np.unravel_index(base, tuple(sizes.tolist())))

    def apart(others: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the mean distance of each image to the one of other values (K, n), in shades of grey, (n,)."""
        rows = np.ravel_multi_index(tuple(others), tuple(sizes.tolist()))
        difference = np.abs(shown - images[rows].astype(np.float32))
        return difference.reshape(len(rows), -1).mean(axis=1, dtype=np.float64)

    checks = []
    neighbours = []  # distances to images that differ in one factor, (n,) each
    for place, factor in enumerate(dataset.factor_info):
        if factor.size < 2:
            continue
        moved = np.array(numbers)
        moved[place] = (moved[place] + rng.integers(1, factor.size, len(base))) % factor.size
        else_too = rng.integers(0, sizes[:, None], numbers.shape)
        else_too[place] = moved[place]
        alone, control = apart(moved), apart(else_too)
        neighbours.append(alone)
        if not control.any():
            checks.append(Check(f"order of {factor.name}", "fail", None, "all images looked at are equal"))
            continue
        groups = np.arange(len(base))
        ratio, _, high = (float(v[0]) for v in ratio_interval(alone[:, None], control[:, None], groups, rng))
        detail = f"changed alone, images are {ratio:.2f} as far apart as with all else changed too (at most {high:.2f})"
        passed = high < 1
        if factor.moves and factor.size >= _FINE:
            stepped = np.array(numbers)
            stepped[place] = np.where(stepped[place] + 1 < factor.size, stepped[place] + 1, stepped[place] - 1)
            neighbours.append(apart(stepped))
            near = float(neighbours[-1].mean() / alone.mean()) if alone.any() else 1.0
            passed = passed and near < 1
            detail += f"; by one step, {near:.2f} as far as by any"
        checks.append(_of_images(f"order of {factor.name}", passed, len(base), ratio, detail))
    return [*checks, _place(shown, np.min(neighbours, axis=0), len(neighbours), rng)]


def _place(shown: NDArray[np.float32], nearest: NDArray[np.float64], number: int, rng: np.random.Generator) -> Check:
    """Check image by image that the nearest of its neighbours on the grid is nearer than any unrelated image.

    A mean over all images would be low enough if half of them were in their places.

    Parameters
    ----------
    shown : ndarray of float32, shape (n, ...)
        Images drawn at random, unrelated to each other.
    nearest : ndarray of float64, shape (n,)
        Distance of each to the nearest of `number` neighbours.
    number : int
        As many unrelated images are looked at, `_UNRELATED` times.
    rng : numpy.random.Generator
    """
    n = len(shown)
    images = shown.reshape(n, -1)
    nearer = []
    for _ in range(_UNRELATED):
        # Shifts of one random order pair every image with others, never with itself.
        order = rng.permutation(n)
        unrelated = [
            np.abs(images[order] - images[np.roll(order, shift)]).mean(axis=1, dtype=np.float64)
            for shift in rng.choice(np.arange(1, n), min(number, n - 1), replace=False)
        ]
        nearer.append(nearest[order] < np.min(unrelated, axis=0))
    share = float(np.mean(nearer))
    detail = (
        f"{share:.0%} of images are nearer to one that differs in a single factor than to as many others; "
        f"of images anywhere half are, of images in their places above {_IN_PLACE:.0%}"
    )
    return _of_images("place of images", share >= _IN_PLACE, n, share, detail)


def _of_images(name: str, passed: bool, number: int, figure: float, detail: str) -> Check:
    """Return a check of a number of images; so few that chance decides do not fail it."""
    if passed or number >= _FEW:
        return Check(name, "pass" if passed else "fail", figure, detail)
    return Check(name, "warn", figure, f"{detail}; {counted(number, 'image')}, too few to tell")


def _factors(dataset: Sequences) -> NDArray[np.float64]:
    """Return the factors of all frames, (N, K)."""
    return dataset.factors.astype(np.float64)


def _ranges(dataset: Sequences) -> list[Check]:
    """Check that every factor lies where it can."""
    limits = [factor.limits for factor in dataset.factor_info]
    factors = _factors(dataset)
    outside = [
        int(((column < low) | (column > high)).sum())  # nan is what the check of factors says
        for column, (low, high) in zip(factors.T, limits, strict=True)
    ]
    worst_factor, most = int(np.argmax(outside)), max(outside)
    detail = (
        f"{counted(most, 'frame')} {'has' if most == 1 else 'have'} a {dataset.factor_names[worst_factor]} outside of "
        f"{limits[worst_factor][0]} to {limits[worst_factor][1]}"
        if most
        else f"every factor {'that is a number ' if np.isnan(factors).any() else ''}lies inside the frame"
    )
    return [Check("range of factors", "fail" if sum(outside) else "pass", float(sum(outside)), detail)]


def _balance(dataset: Sequences) -> list[Check]:
    """Check that no factor is stuck at a few of its values: its entropy in 20 bins against that of equal shares.

    A factor that is skewed is one thing, whose ranks are spread all the same; one that piles up at a value another.
    """
    checks = []
    for name, column in zip(dataset.factor_names, _factors(dataset).T, strict=True):
        if np.ptp(column) == 0:
            checks.append(Check(f"balance of {name}", "warn", 0.0, "never changes, so no metric can score it"))
            continue
        bins = min(20, len(np.unique(column)))
        evenness = _evenness(column, bins)
        detail = f"entropy is {evenness:.0%} of equal shares, {column.min():.4g} to {column.max():.4g}"
        status: Status = "pass" if evenness >= _EVEN else "warn"
        if status == "warn" and _evenness(_ranks(column), bins) >= _EVEN:
            status = "note"
            detail = f"{name} is skewed: {evenness * 100:.0f} % of even; harmless for rank correlations"
        checks.append(Check(f"balance of {name}", status, evenness, detail))
    return checks


def _evenness(column: NDArray[np.float64], bins: int) -> float:
    """Return the entropy of a column (N,) in bins of equal width over that of equal shares."""
    share = np.histogram(column, bins)[0] / len(column)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum() / np.log(bins))


def _ranks(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of every value (N,); equal values have the mean of theirs."""
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts / 2)[inverse]


def frame_hashes(dataset: Sequences) -> NDArray[np.uint64] | None:
    """Return a hash of the image of every frame.

    Returns
    -------
    ndarray of uint64, shape (N,), or None
        Of all frames, sequence after sequence; None where the file holds no images. Equal images have equal hashes in
        any file of images of this size, others but by a chance of 1e-15.
    """
    if dataset.images is None:
        return None
    hashes = np.empty(dataset.num_frames, dtype=np.uint64)
    for first, part in parts(dataset.images):
        rows = part.reshape(len(part), -1)
        if rows.dtype == bool:
            rows = np.packbits(rows, axis=1)
        # Random odd multipliers modulo 2^64, over words of 8 bytes.
        padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 8)))
        words = np.ascontiguousarray(padded).view(np.uint64)
        multipliers = np.random.default_rng(0).integers(1, 2**63, (words.shape[1],), dtype=np.uint64) * 2 + 1
        for begin in range(0, len(words), 4096):  # a block fits the cache
            block = words[begin : begin + 4096]
            hashes[first + begin : first + begin + len(block)] = (block ^ (block >> np.uint64(32))) @ multipliers
    return hashes


def _duplicates(dataset: Sequences, hashes: NDArray[np.uint64] | None) -> list[Check]:
    """Count frames whose image occurs in another sequence too."""
    if hashes is None:
        return [Check("duplicates", "warn", None, "the file holds no images")]
    pairs = np.unique(np.stack([hashes, dataset.sequence_of_frame().astype(np.uint64)], axis=1), axis=0)
    values, sequences = np.unique(pairs[:, 0], return_counts=True)
    share = float(np.isin(hashes, values[sequences > 1]).mean())
    # Sprites on grids repeat by design; masks of real objects hardly do.
    limit = 0.01 if dataset.holds_masks else 0.5
    return [
        Check("duplicates", "pass" if share <= limit else "warn", share, f"{share:.2%} of frames are in two sequences")
    ]


def _leakage(dataset: Sequences, hashes: NDArray[np.uint64] | None) -> list[Check]:
    """Check that no image of the test part of the split by object is in its training part."""
    if not dataset.holds_masks or hashes is None:
        return []
    try:
        train, test = (split_sequences(dataset, part, "by-object") for part in ("train", "test"))
    except DatagenError as error:
        return [Check("leakage between splits", "warn", None, str(error))]
    sequence = dataset.sequence_of_frame()
    tested = hashes[np.isin(sequence, test)]
    if not len(tested):
        return [Check("leakage between splits", "warn", None, "too few objects to split by object")]
    share = float(np.isin(tested, hashes[np.isin(sequence, train)]).mean())
    detail = f"split by object: {share:.2%} of the test frames are in the training part"
    return [Check("leakage between splits", "pass" if share <= 0.01 else "fail", share, detail)]


def _identity(dataset: Sequences, hashes: NDArray[np.uint64] | None) -> list[Check]:
    """Check that no sequence shows what another object's does.

    A silhouette may be another's by chance; many changes from one to the next are not. A transition is two different
    images that follow each other, in either order. What three objects do is what many do, such as small squares.
    """
    if not dataset.holds_masks or hashes is None:
        return []
    first, _, _ = first_frames(dataset.offsets)
    images = np.sort(np.stack([hashes[first], hashes[first + 1]], axis=1), axis=1)
    moving = images[:, 0] != images[:, 1]
    transition = np.unique(images[moving], axis=0, return_inverse=True)[1].ravel()
    shown = np.unique(np.stack([transition, dataset.sequence_of_frame()[first][moving]], axis=1), axis=0)
    objects = np.unique(np.stack([shown[:, 0], _objects(dataset)[shown[:, 1]]], axis=1), axis=0)[:, 0]
    of_two = np.bincount(objects, minlength=len(images))[shown[:, 0]] == 2
    shared = np.bincount(shown[of_two, 1], minlength=dataset.num_sequences)
    total = np.bincount(shown[:, 1], minlength=dataset.num_sequences)
    wrong = np.flatnonzero((shared >= _SAME_TRANSITIONS) & (shared >= _SAME_SHARE * total))
    detail = f"{len(wrong):,} of {dataset.num_sequences:,} sequences show frames of another object's"
    if len(wrong):
        detail += f", first sequence {wrong[0]} ({shared[wrong[0]]} of {total[wrong[0]]} transitions)"
    return [Check("identity of objects", "fail" if len(wrong) else "pass", float(len(wrong)), detail)]


def _objects(dataset: Sequences) -> NDArray[np.int64]:
    """Return a number for the object of every sequence, (S,); of one that is not known, a number of its own."""
    known = dataset.columns
    alone = np.where((known["object_id"] < 0) | (known["source"] == ""), np.arange(dataset.num_sequences), -1)
    codes = [np.unique(known[name], return_inverse=True)[1] for name in ("source", "video", "object_id")]
    objects: NDArray[np.int64] = np.unique(np.stack([*codes, alone], axis=1), axis=0, return_inverse=True)[1].ravel()
    return objects


def _overlap(dataset: Sequences) -> list[Check]:
    """Check that the masks of neighbouring frames overlap."""
    if not dataset.holds_masks:
        return []
    assert dataset.images is not None
    overlaps = np.zeros(dataset.num_frames, dtype=bool)  # of each frame, with the one before
    before = None
    for begin, part in parts(dataset.images):
        packed = np.packbits(part.reshape(len(part), -1), axis=1)
        follows = packed if before is None else np.concatenate([before, packed])
        end = begin + len(part)
        overlaps[end - len(follows) + 1 : end] = (follows[1:] & follows[:-1]).any(axis=1)
        before = packed[-1:]
    first, _, _ = first_frames(dataset.offsets)
    if not len(first):
        return []  # which the order in time says
    apart = first[~overlaps[first + 1]]
    share = len(apart) / len(first)
    detail = f"{share:.2%} of neighbouring masks do not overlap; up to {_APART:.0%} is usual"
    if len(apart):
        sequence = int(dataset.sequence_of_frame()[apart[0]])
        detail += f"; the first are frames {apart[0] - dataset.offsets[sequence]} and the next of sequence {sequence}"
    return [Check("overlap of neighbours", "pass" if share <= _APART else "warn", share, detail)]


def _look(dataset: Sequences, seed: int) -> list[Check]:
    """Check that outlines are as fine in the later half of every sequence, and of the file, as in the earlier.

    Sequences are resampled, so that a few frames that differ by chance do not warn.
    """
    if not dataset.holds_masks:
        return []
    assert dataset.images is not None
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(dataset.num_frames, min(_LOOKED_AT, dataset.num_frames), replace=False))
    roughness, sequence = _roughness(dataset.images[rows]), dataset.sequence_of_frame()[rows]
    size = dataset.num_sequences
    weights = np.stack(
        [np.ones(size), *(np.bincount(rng.integers(size, size=size), minlength=size) for _ in range(REPLICATES))]
    )
    within = rows - dataset.offsets[sequence] >= dataset.lengths[sequence] / 2
    said, figures, differ = [], [], False
    for what, later in (("sequences", within), ("the file", rows >= dataset.num_frames / 2)):
        of_sequence = [np.bincount(sequence, each * half, size) for half in (later, ~later) for each in roughness]
        sums = np.stack(of_sequence) @ weights.T  # (4, 1 + resamples)
        sums = sums[:, (sums > 0).all(axis=0)]
        if not sums.size:
            continue  # shapes without corners
        ratios = (sums[0] / sums[1]) / (sums[2] / sums[3])
        low, high = np.quantile(ratios, [0.025, 0.975])
        differ |= bool(high < 1 / _AS_FINE or low > _AS_FINE)
        figures.append(float(ratios[0]))
        said.append(f"{ratios[0]:.2f} of {what} ({low:.2f} to {high:.2f})")
    if not said:
        return []
    most = max(figures, key=lambda ratio: abs(np.log(ratio)))
    detail = f"roughness of outlines, later half over earlier: {', '.join(said)}; alike up to {_AS_FINE}"
    return [Check("look of images", "warn" if differ else "pass", most, detail)]


def _roughness(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how many pixels the majority of their 3 x 3 would change, and the outline, of masks (n, H, W), (2, n)."""
    height, width = masks.shape[1:]
    padded = np.pad(masks.view(np.uint8), ((0, 0), (1, 1), (1, 1)))
    around = np.zeros(masks.shape, dtype=np.uint8)
    for y, x in np.ndindex(3, 3):
        around += padded[:, y : y + height, x : x + width]
    changed = ((around > 4) != masks).sum(axis=(1, 2))
    outline = np.diff(masks, axis=1).sum(axis=(1, 2)) + np.diff(masks, axis=2).sum(axis=(1, 2))
    return np.stack([changed, outline]).astype(np.float64)


def _sparsity(dataset: Sequences, seed: int) -> list[Check]:
    """Check that the factors' changes are sparse: generalised normal of shape below 1 (paper, section 3)."""
    if not dataset.holds_masks:
        return []  # their motion is that of their transition table
    from datagen.statistics.bootstrap import MIN_OBJECTS
    from datagen.statistics.summary import shape_fit, summarize

    group = summarize(dataset.transitions(), fits=("gennorm",), bootstrap=REPLICATES, seed=seed).groups[0]
    checks = []
    for name, fits in group.fits.items():
        fit = shape_fit(fits)
        assert fit is not None  # it was asked for
        sparse, shape = group.sparse[name], fit.parameters["shape"]
        interval = fit.shape_interval
        between = f", {interval.low:.3f} to {interval.high:.3f}" if interval else ""
        if sparse is not None:
            status: Status = "pass" if sparse else "fail"
        elif group.objects < MIN_OBJECTS:
            status, between = "warn", f", undecided: {group.objects} of the {MIN_OBJECTS} objects an interval needs"
        elif fit.at_bound:  # of the lower bound nothing is said; changes as even as those of the upper are not sparse
            status, between = "fail" if shape >= 1 else "warn", ", at the bound of its range"
        else:
            status, between = "warn", f"{between}, undecided"
        checks.append(
            Check(f"temporal sparsity of {name}", status, shape, f"shape {shape:.3f}{between}; sparse is below 1")
        )
    checks += [Check(f"temporal sparsity of {name}", "warn", None, why) for name, why in group.not_enough.items()]
    return checks


def _order(dataset: Sequences, seed: int) -> list[Check]:
    """Check that neighbouring frames are closer than the same frames in random order, by what the pixels show."""
    values, sequence = _factors(dataset), dataset.sequence_of_frame()
    if dataset.holds_masks:
        assert dataset.images is not None
        values = latents_of_masks(dataset.images).astype(np.float64)
    moves = [factor.moves for factor in dataset.factor_info]
    values, names = values[:, moves], [factor.name for factor in dataset.factor_info if factor.moves]
    first, _, _ = first_frames(dataset.offsets)
    if not len(first):
        return [Check("order in time", "warn", None, "no sequence has two frames, too few to tell")]
    one, other = control_order(dataset.offsets, seed)
    near = np.abs(values[first + 1] - values[first])
    far = np.abs(values[other] - values[one])
    moving = far.sum(axis=0) > 0
    if not moving.any():
        if len(first) < _FEW:
            return [
                Check("order in time", "warn", None, f"nothing moves in {counted(len(first), 'pair')}, too few to tell")
            ]
        return [Check("order in time", "fail", None, "nothing moves")]
    status, ratio, _, high = order_in_time(near[:, moving], far[:, moving], sequence[first], seed)
    kept = [name for name, use in zip(names, moving, strict=True) if use]
    most = int(np.argmax(ratio))
    detail = (
        f"neighbours are {', '.join(f'{r:.2f} ({name})' for r, name in zip(ratio, kept, strict=True))} times as far "
        f"apart as frames in random order, at most {high[most]:.2f}; below {STILL} there is an order"
    )
    if status == "warn":
        detail += f"; {counted(len(first), 'pair')} cannot tell"
    return [Check("order in time", status, float(ratio[most]), detail)]


def order_in_time(
    near: NDArray[np.float64], far: NDArray[np.float64], sequence: NDArray[np.int64], seed: int
) -> tuple[Status, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Say whether neighbouring frames are closer than frames in random order.

    Parameters
    ----------
    near, far : ndarray of float64, shape (N, K)
        How far apart N pairs of neighbours, and N of frames in random order, are by K figures.
    sequence : ndarray of int64, shape (N,)
        The sequence of each pair. Sequences are resampled; where they are fewer than 5, pairs are.
    seed : int
        Of the resamples.

    Returns
    -------
    status : {"pass", "warn", "fail"}
        ``"fail"`` where the whole interval of a figure says that there is no order; ``"warn"`` where the pairs are too
        few to tell.
    ratio, low, high : ndarray of float64, shape (K,)
        As of `ratio_interval`.
    """
    from datagen.statistics.bootstrap import MIN_OBJECTS

    groups = sequence if len(np.unique(sequence)) >= MIN_OBJECTS else np.arange(len(sequence))
    ratio, low, high = ratio_interval(near, far, groups, np.random.default_rng(seed))
    if high.max() < STILL:
        return "pass", ratio, low, high
    ordered = low < STILL  # not so of NaN, where nothing differs
    return "warn" if len(near) < _FEW or ordered.all() else "fail", ratio, low, high


def control_order(offsets: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of frames without order in time, to compare all pairs of neighbouring frames with.

    The frames of each sequence are shuffled and neighbours taken. Two frames have but one order; where no sequence is
    longer, their second frames are exchanged between the sequences.

    Parameters
    ----------
    offsets : ndarray of int64, shape (S + 1,)
        Where each sequence begins; the last entry is the number of frames N.
    seed : int
        Of the shuffle.

    Returns
    -------
    one, other : ndarray of int64, shape (N - S,)
        In the order of the pairs (0, 1), (1, 2), ... of every sequence.
    """
    rng = np.random.default_rng(seed)
    lengths = np.diff(offsets)
    first, _, _ = first_frames(offsets)
    if lengths.max() == 2:
        return first, rng.permutation(first) + 1
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    shuffled = np.lexsort((rng.random(len(sequence)), sequence))
    return shuffled[first], shuffled[first + 1]


def ratio_interval(
    near: NDArray[np.float64], far: NDArray[np.float64], group: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the ratio of the means of two arrays, column by column, and its 95 % interval from resampled groups.

    Parameters
    ----------
    near, far : ndarray of float64, shape (N, K)
    group : ndarray of int64, shape (N,)
        Rows of one group are drawn together.
    rng : numpy.random.Generator

    Returns
    -------
    ratio, low, high : ndarray of float64, shape (K,)
    """
    number = np.unique(group, return_inverse=True)[1]
    size = int(number.max()) + 1
    sums = np.stack(
        [[np.bincount(number, column, size) for column in array.T] for array in (near, far)]
    )  # (2, K, groups)
    weights = np.stack([np.bincount(rng.integers(size, size=size), minlength=size) for _ in range(REPLICATES)])
    above, below = sums @ weights.T  # (K, resamples) each
    low, high = np.nanquantile(above / np.where(below > 0, below, np.nan), [0.025, 0.975], axis=1)
    return near.sum(axis=0) / far.sum(axis=0), low, high
