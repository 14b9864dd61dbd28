"""What several metrics share: checks of their arrays, and mutual information of binned latents."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError

__all__ = [
    "Floats",
    "Information",
    "as_classes",
    "as_numbers",
    "check_arrays",
    "check_discrete",
    "check_parts",
    "check_rivals",
    "check_seed",
    "check_whole",
    "converging",
    "cut_factors",
    "entropy_of",
    "gap_of_best_two",
    "in_usual_range",
    "mutual_information",
    "within_its_steps",
]

Floats = NDArray[np.float64]

_LARGEST = 1e100
"""Values beyond overflow when they are squared."""

_FEW = 3
"""A discrete factor has at least so many samples per value, on average."""

_FAR, _NARROW, _WIDE = 10, 0.01, 100
"""What is no usual latent: its median is so many spreads from 0, or its spread is not between the other two."""

_WHAT = {
    "c": "complex numbers",
    "O": "objects",
    "S": "bytes",
    "U": "text",
    "M": "dates",
    "m": "durations",
    "V": "records",
}


def as_numbers(name: str, values: ArrayLike) -> Floats:
    """Return values as float64, finite and of a size to compute with, of any shape.

    Raises
    ------
    UsageError
        If they are not real numbers, or not finite.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise UsageError(f"{name}: holds masked values; leave out their rows")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):
        advice = ".detach().cpu().numpy() of a tensor" if hasattr(values, "detach") else "rows of one length"
        raise UsageError(f"{name}: cannot be taken as an array; pass {advice}") from None
    if array.dtype.kind not in "biuf":
        raise UsageError(f"{name}: {_WHAT.get(array.dtype.kind, array.dtype)} instead of real numbers")
    with np.errstate(over="ignore"):  # of numbers longer than 64 bits
        floats = array.astype(np.float64)
    rows = np.atleast_1d(floats)
    bad = np.atleast_1d(~np.isfinite(rows).all(axis=tuple(range(1, rows.ndim))))
    if bad.any():
        raise UsageError(f"{name}: {bad.sum()} of {len(bad)} rows are not finite, first row {np.argmax(bad)}")
    if floats.size and np.abs(floats).max() > _LARGEST:
        raise UsageError(f"{name}: values up to {np.abs(floats).max():.0e} overflow; divide them by their spread")
    if array.dtype.kind == "f" and floats.ndim == 2 and len(floats):
        # What is constant up to the rounding of its own type is constant.
        rounded = np.ptp(floats, axis=0) <= 2 * np.spacing(np.abs(array).max(axis=0)).astype(np.float64)
        floats[:, rounded] = floats[0, rounded]
    return floats


def in_usual_range(array: Floats, *others: Floats) -> list[Floats]:
    """Bring columns that lie far from 0, or whose spread is far from 1, to median 0 and spread 1; leave the others.

    No metric should depend on either. But machines with a fixed penalty, differences that are taken for none, and
    sums of squares do fail there: disentanglement_lib's SAP of perfect latents is 0 if they are offset by 1e6.

    Parameters
    ----------
    array : ndarray of float64, shape (N, Z)
        Of these medians and spreads (median absolute deviation, or range if that is 0) are taken.
    *others : ndarray of float64, shape (M, Z)
        To be changed in the same way.

    Returns
    -------
    list of ndarray of float64
        `array` and `others`.
    """
    middle = np.median(array, axis=0)
    spread = np.median(np.abs(array - middle), axis=0)
    spread = np.where(spread > 0, spread, np.ptp(array, axis=0))
    unusual = (np.abs(middle) > _FAR * spread) | (spread < _NARROW) | (spread > _WIDE)
    shift, scale = np.where(unusual, middle, 0), np.where(unusual & (spread > 0), spread, 1)
    # Test samples can be anywhere; beyond this they would overflow.
    return [np.clip((each - shift) / scale, -_LARGEST, _LARGEST) for each in (array, *others)]


def _check_shapes(z: Floats, y: Floats, part: str = "") -> None:
    """Refuse latents and factors whose shapes do not fit, axes swapped among them."""
    shapes = f"latents{part} {z.shape} and factors{part} {y.shape}"
    advice = ""
    if z.ndim != 2 or y.ndim != 2:
        advice = "; a single latent or factor is array[:, None]" if 1 in (z.ndim, y.ndim) else ""
    elif len(z) != len(y):
        swapped = {
            "both look": z.shape[1] == y.shape[1],
            f"latents{part} look": z.shape[1] == len(y),
            f"factors{part} look": y.shape[1] == len(z),
        }
        advice = next((f"; {which} transposed, pass array.T" for which, is_it in swapped.items() if is_it), "")
    elif len(z) >= 2:
        if not z.shape[1] or not y.shape[1]:
            raise UsageError(f"{shapes}: there is no {'latent' if not z.shape[1] else 'factor'} to score")
        if len(z) < y.shape[1]:
            raise UsageError(f"{shapes}: fewer samples than factors; if a row is a factor, pass array.T of both")
        return
    raise UsageError(f"{shapes}: must be (N, Z) and (N, K) with the same N >= 2{advice}")


def check_arrays(latents: ArrayLike, factors: ArrayLike, part: str = "") -> tuple[Floats, Floats]:
    """Return latents (N, Z) and factors (N, K) as float64, or say why they cannot be scored.

    Parameters
    ----------
    latents, factors : array_like
    part : {"", "_train", "_test"}
        What is added to their names in messages.

    Raises
    ------
    UsageError
        If they are no real numbers, the shapes do not fit, a value is not finite, or a factor never changes.
    """
    z, y = as_numbers(f"latents{part}", latents), as_numbers(f"factors{part}", factors)
    _check_shapes(z, y, part)
    constant = np.flatnonzero(np.ptp(y, axis=0) == 0)
    if len(constant):
        raise UsageError(
            f"factor {constant[0]}{f' of factors{part}' if part else ''} never changes; no metric can "
            "score it, leave it out"
        )
    return z, y


def check_parts(
    latents_train: ArrayLike, factors_train: ArrayLike, latents_test: ArrayLike, factors_test: ArrayLike
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the arrays of train and test as `check_arrays` does, and `in_usual_range`.

    Raises
    ------
    UsageError
        As `check_arrays`, and if train and test differ in the number of latents or factors.
    """
    z, y = check_arrays(latents_train, factors_train, "_train")
    z_test, y_test = check_arrays(latents_test, factors_test, "_test")
    if z.shape[1] != z_test.shape[1] or y.shape[1] != y_test.shape[1]:
        raise UsageError(
            f"train has {z.shape[1]} latents and {y.shape[1]} factors, test {z_test.shape[1]} and {y_test.shape[1]}"
        )
    z, z_test = in_usual_range(z, z_test)
    y, y_test = in_usual_range(y, y_test)
    return z, y, z_test, y_test


def check_whole(name: str, value: int, low: int, high: int) -> int:
    """Return a whole number within bounds.

    Raises
    ------
    UsageError
        If it is another.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise UsageError(f"{name} {value!r}: must be a whole number from {low:,} to {high:,}")
    return int(value)


def check_seed(seed: int) -> int:
    """Return a seed that numpy and scikit-learn take, or raise a `UsageError`."""
    return check_whole("seed", seed, 0, 2**32 - 1)


@contextmanager
def converging(metric: str) -> Iterator[None]:
    """Make an error of scikit-learn's warning that a fit did not converge."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            yield
        except ConvergenceWarning:
            raise UsageError(f"{metric}: a fit did not converge; are latents equal to a part in a million?") from None


@contextmanager
def within_its_steps() -> Iterator[None]:
    """Say nothing of a fit of scikit-learn's that is not done after its steps: a metric is defined by so many."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def cut_factors(factors: Floats, bins: int | None, *others: Floats) -> list[Floats]:
    """Cut factors of more than `bins` values into equal bins between their smallest and largest value.

    Parameters
    ----------
    factors : ndarray of float64, shape (N, K)
    bins : int, optional
        By default nothing is cut.
    *others : ndarray of float64, shape (M, K)
        To be cut at the same places; what lies beyond comes into the first or last bin.

    Returns
    -------
    list of ndarray of float64
        `factors` and `others`.

    Raises
    ------
    UsageError
        If `bins` is no number of bins.
    """
    arrays = [factors, *others]
    if bins is None:
        return arrays
    check_whole("factor_bins", bins, 2, 1000)
    arrays = [each.copy() for each in arrays]
    for k, column in enumerate(factors.T):
        if len(np.unique(column)) > bins:
            edges = _inner_edges(column, bins)
            for each in arrays:
                each[:, k] = np.digitize(each[:, k], edges)
    return arrays


def check_discrete(metric: str, factors: Floats, factor_bins: int | None, otherwise: str = "") -> None:
    """Refuse factors whose values hardly come twice, unless they were cut already.

    Raises
    ------
    UsageError
        If a factor has fewer than three samples per value.
    """
    for k, column in enumerate(factors.T if factor_bins is None else ()):
        values = len(np.unique(column))
        if values * _FEW > len(column):
            raise UsageError(
                f"{metric} needs discrete factors, and factor {k} has {values:,} values in {len(column):,} samples; "
                f"pass factor_bins=20 to cut it into bins{otherwise}"
            )


def as_classes(metric: str, factors: Floats, factor_bins: int | None) -> NDArray[np.int64]:
    """Return the values of every factor, cut into bins if asked for, as classes 0, 1, ... in rising order, (N, K).

    Raises
    ------
    UsageError
        As `cut_factors` and `check_discrete`.
    """
    check_discrete(metric, factors, factor_bins)
    (factors,) = cut_factors(factors, factor_bins)
    return np.stack([np.unique(column, return_inverse=True)[1] for column in factors.T], axis=1)


def _inner_edges(column: Floats, bins: int) -> Floats:
    """Return where equal bins between the smallest and largest value meet, (bins - 1,)."""
    edges: Floats = np.histogram_bin_edges(column, bins)[1:-1]
    return edges


class Information(NamedTuple):
    """Mutual information of latents and factors, in nats.

    Attributes
    ----------
    table : ndarray of float64, shape (Z, K)
        Mutual information.
    of_latents : ndarray of float64, shape (Z,)
        Entropy of the binned latents.
    of_factors : ndarray of float64, shape (K,)
        Entropy of the factors.
    n : int
        Number of samples.
    """

    table: Floats
    of_latents: Floats
    of_factors: Floats
    n: int


def mutual_information(latents: Floats, classes: NDArray[np.int64], bins: int) -> Information:
    """Return the mutual information of each binned latent with each factor, and the entropies.

    Latents are cut into equal bins between their smallest and largest value, as disentanglement_lib's histogram
    discretiser does.

    Parameters
    ----------
    latents : ndarray of float64, shape (N, Z)
    classes : ndarray of int64, shape (N, K)
        From `as_classes`.
    bins : int
        Number of bins.

    Returns
    -------
    Information

    Raises
    ------
    UsageError
        If `bins` is no number of bins.
    """
    check_whole("bins", bins, 2, 1000)
    binned = np.stack([np.digitize(z, _inner_edges(z, bins)) for z in latents.T], axis=1)
    of_latents = np.array([entropy_of(np.bincount(b)) for b in binned.T])
    of_factors = np.array([entropy_of(np.bincount(y)) for y in classes.T])
    table = np.empty((len(of_latents), len(of_factors)))
    for k, y in enumerate(classes.T):
        size = int(y.max()) + 1
        for i, b in enumerate(binned.T):
            table[i, k] = of_factors[k] + of_latents[i] - entropy_of(np.bincount(b * size + y))
    return Information(np.maximum(table, 0), of_latents, of_factors, len(latents))


def entropy_of(counts: NDArray[Any]) -> float:
    """Return the entropy of a histogram, in nats."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def check_rivals(latents: Floats) -> None:
    """Refuse a single latent where the best is held against the second best."""
    if latents.shape[1] < 2:
        raise UsageError("a gap between the best two latents needs at least two")


def gap_of_best_two(scores: Floats) -> Floats:
    """Return how far each factor's best latent is ahead of its second best: (Z, K) to (K,)."""
    ordered = np.sort(scores, axis=0)
    return ordered[-1] - ordered[-2]
