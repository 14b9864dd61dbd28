"""Everything that is said about a transition table, as data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_choice
from datagen.errors import UsageError
from datagen.statistics.bootstrap import MIN_OBJECTS, ObjectBootstrap
from datagen.statistics.columns import varies
from datagen.statistics.dependence import Correlation, correlations
from datagen.statistics.fits import ALL_FITS, PAPER_FITS, ROUNDED, Fit, Interval, fit_distributions
from datagen.statistics.gennorm import Gennorm
from datagen.statistics.motion import Distance, at_distance, at_time, objects_of, without_ego_motion
from datagen.transitions import FACTORS, Transitions

__all__ = [
    "BY",
    "MIN_TRANSITIONS",
    "Group",
    "Summary",
    "describe_fit",
    "describe_group",
    "describe_shape",
    "describe_value",
    "shape_fit",
    "summarize",
]

BY = ("category", "source", "video", "sequence")
"""What transitions can be grouped by. A video is told by its source and name; MOTS calls it a sequence."""

_MOST_NAMES = 3

MIN_TRANSITIONS = 10
"""A group of fewer says only how many."""


@dataclass(frozen=True)
class Group:
    """The statistics of one group of transitions. Dicts are by factor; a factor named in `not_enough` is in no other.

    Attributes
    ----------
    name : str
        ``"all"``, or the category, source or video.
    n : int
        Number of transitions.
    objects : int
        Number of objects that they are of.
    delta_t : int or None
        Distance of the two frames; None where it differs, as that in time is the same.
    delta_ms : float or None
        Distance in time, in milliseconds, where it was asked for so (`Summary.distances`).
    ego_motion_removed : bool
        Whether the motion shared by a frame's objects was taken off.
    mean, sd, kurtosis, skewness, zeros : dict of str to float
        Mean and standard deviation (biased) in pixels; excess kurtosis and skewness (biased; the kurtosis in the
        column's own type, as published); share of differences that are exactly 0.
    kurtosis_interval : dict of str to Interval
        From resampled objects.
    fits : dict of str to dict of str to Fit
        By distribution.
    best : dict of str to dict of str to str
        The best distribution by ``log_likelihood``, ``aic`` and ``bic``.
    correlations : dict of str to Correlation
        By pair of factors, ``"area-x"``.
    sparse : dict of str to bool or None
        Whether the shape is below 1 with its whole interval; false if it is above with its whole interval, None if
        the interval holds 1 or there is none.
    not_enough : dict of str to str
        Why a factor has no figures.
    verdict : str
        Whether the group is temporally sparse, in words.
    """

    name: str
    n: int
    objects: int
    delta_t: int | None = 1
    delta_ms: float | None = None
    ego_motion_removed: bool = False
    mean: dict[str, float] = field(default_factory=dict)
    sd: dict[str, float] = field(default_factory=dict)
    kurtosis: dict[str, float] = field(default_factory=dict)
    skewness: dict[str, float] = field(default_factory=dict)
    zeros: dict[str, float] = field(default_factory=dict)
    kurtosis_interval: dict[str, Interval] = field(default_factory=dict)
    fits: dict[str, dict[str, Fit]] = field(default_factory=dict)
    best: dict[str, dict[str, str]] = field(default_factory=dict)
    correlations: dict[str, Correlation] = field(default_factory=dict)
    sparse: dict[str, bool | None] = field(default_factory=dict)
    not_enough: dict[str, str] = field(default_factory=dict)
    verdict: str = ""


@dataclass(frozen=True)
class Summary:
    """The statistics of a table.

    Attributes
    ----------
    by : str or None
        What the transitions were grouped by.
    bootstrap, seed : int
        Number of replicates behind the intervals (0: none), and their seed.
    groups : list of Group
        All transitions together, then each group by name; the same again for every further distance, and without
        the shared motion.
    distances : list of Distance
        Over how many frames of each source the times are that were asked for.
    warnings : list of str
        What makes groups not comparable: rates that are mixed, sources that a distance in time leaves out.
    """

    by: str | None
    bootstrap: int
    seed: int
    groups: list[Group]
    distances: list[Distance] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts and lists, in the form that docs/stats.schema.json describes."""
        return asdict(self)


def summarize(
    table: Transitions,
    by: str | None = None,
    fits: tuple[str, ...] = PAPER_FITS,
    bootstrap: int = 0,
    seed: int = 0,
    *,
    delta_t: tuple[int, ...] = (1,),
    delta_ms: tuple[float, ...] = (),
    ego_motion: bool = False,
    mutual_information: bool = False,
    show_progress: bool = False,
) -> Summary:
    """Compute the statistics of a transition table (paper, section 3 and its table 5).

    Parameters
    ----------
    table : Transitions
        Pairs of neighbouring frames.
    by : {"category", "source", "video", "sequence"}, optional
        Also give each category, source or video.
    fits : tuple of str
        Distributions to fit, of ``gennorm``, ``laplace``, ``norm``, ``t`` and ``cauchy``; may be empty.
    bootstrap : int
        Replicates for the intervals of kurtosis and shape; 0 for none.
    seed : int
        Of the replicates and of the mutual information's sample.
    delta_t : tuple of int
        Distances in frames.
    delta_ms : tuple of float
        Distances in time, in milliseconds: over the nearest whole number of frames at each sequence's own rate, which
        sets of different rates can be compared by.
    ego_motion : bool
        Give everything once more without the motion that all objects of a frame share.
    mutual_information : bool
        Estimate it for each pair of factors.
    show_progress : bool
        Draw progress bars where standard error is a terminal.

    Returns
    -------
    Summary

    Raises
    ------
    UsageError
        If an argument is unknown or out of range, or the table lacks what it needs, such as a rate for `delta_ms`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> texts, numbers = np.full(2000, ""), np.arange(2000)
    >>> area, x, y = rng.laplace(0, 3, (3, 2000, 2)).cumsum(axis=2)
    >>> table = Transitions(texts, texts, numbers, texts, numbers, numbers, y, x, area + 1000)
    >>> group = summarize(table, fits=("laplace",)).groups[0]
    >>> round(group.kurtosis["x"], 1)
    3.3
    """
    if by is not None:
        check_choice("grouping", by, BY)
    for name in fits:
        check_choice("distribution", name, ALL_FITS)
    if bootstrap < 0:
        raise UsageError(f"{bootstrap} bootstrap replicates: must be at least 0")
    if not delta_t:
        raise UsageError("no distance given; 1 is that of neighbouring frames")
    if seed < 0:
        raise UsageError(f"seed {seed}: must be at least 0")
    for factor in FACTORS:
        values = getattr(table, factor)
        # Below the limit, the difference of two numbers is a number of their type, and a whole number's float the same.
        limit = float(np.finfo(values.dtype).max) / 4 if values.dtype.kind == "f" else 2.0**53
        wrong = ~(abs(values.astype(np.float64)) <= limit).all(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            what = "too large" if np.isfinite(values[row]).all() else "not a finite number"
            raise UsageError(f"the table holds a value of {factor} that is {what} (row {row + 1}); leave such rows out")
    warned = [mixed] if (mixed := _mixed_rates(table)) else []
    distances: list[Distance] = []
    groups = []
    for frames, time in [*((each, None) for each in delta_t), *((None, each) for each in delta_ms)]:
        if time is not None:
            near, of_sources, left_out = at_time(table, time)
            distances += of_sources
            warned += left_out
        else:
            assert frames is not None
            near = table if frames == 1 else at_distance(table, frames)
        for removed in (False, True) if ego_motion else (False,):
            part = without_ego_motion(near) if removed else near
            objects = objects_of(part)
            columns = {factor: part.differences(factor) for factor in FACTORS}
            for name, rows in _groups(part, by):
                group = Group(name, len(rows), len(np.unique(objects[rows])), frames, time, removed)
                groups.append(
                    _describe(
                        group,
                        {factor: column[rows] for factor, column in columns.items()},
                        {factor: float(abs(getattr(part, factor)[rows]).max(initial=0)) for factor in FACTORS},
                        objects[rows],
                        fits,
                        bootstrap,
                        seed,
                        mutual_information,
                        show_progress,
                    )
                )
    return Summary(by, bootstrap, seed, groups, distances, list(dict.fromkeys(warned)))


def _mixed_rates(table: Transitions) -> str | None:
    """Say that frames of a table are not equally far apart in time, or may not be."""
    unknown = np.isnan(table.fps)
    rates = np.unique(table.fps[~unknown])
    if len(rates) + unknown.any() < 2 or not len(rates):
        return None
    parts = [f"{rate:g} frames a second ({_names(table.source[table.fps == rate])})" for rate in rates]
    parts += [f"an unknown rate ({_names(table.source[unknown])})"] if unknown.any() else []
    return (
        f"sources of different rates are mixed: {', '.join(parts)}; neighbouring frames are not equally far apart in "
        "time, and objects move further in a longer one: compare at equal time with --delta-ms"
    )


def _names(sources: NDArray[np.str_]) -> str:
    names = [name or "unnamed" for name in np.unique(sources).tolist()]
    return ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES} more" if names[_MOST_NAMES:] else "")


def shape_fit(fits: dict[str, Fit]) -> Fit | None:
    """Return the fit whose shape says how sparse a factor is: of rounded values where they are whole numbers."""
    return fits.get(ROUNDED, fits.get("gennorm"))


def describe_value(value: float | None, interval: Interval | None = None) -> str:
    """Return a figure and its interval as a table shows them."""
    if value is None:
        return "not enough data"
    return f"{value:.4g}" + (f" [{interval.low:.3g}, {interval.high:.3g}]" if interval else "")


def describe_shape(fits: dict[str, Fit]) -> str:
    """Return the shape that says how sparse a factor is, with its interval, as a table shows it."""
    fit = shape_fit(fits)
    if fit is None:
        return ""
    return "at the bound" if fit.at_bound else describe_value(fit.parameters["shape"], fit.shape_interval)


def describe_group(group: Group) -> str:
    """Return a group's name with what was done to its transitions."""
    distance = f", {group.delta_t} frames" if group.delta_t != 1 else ""
    if group.delta_ms is not None:
        distance = f", {group.delta_ms:g} ms"
    return f"{group.name}{distance}{', ego-motion removed' if group.ego_motion_removed else ''}"


def describe_fit(fit: Fit) -> dict[str, str]:
    """Return the lines of a table that tell a fit: parameters, likelihood, criteria and Kolmogorov-Smirnov test."""
    parameters = ", ".join(f"{name} {value:.4g}" for name, value in fit.parameters.items())
    lines = {"parameters": parameters + (" (at the bound: no estimate)" if fit.at_bound else "")}
    if fit.shape_interval:
        lines["shape interval"] = f"{fit.shape_interval.low:.3g} to {fit.shape_interval.high:.3g}"
    return lines | {
        "log-likelihood": f"{fit.log_likelihood:.7g}",
        "AIC": f"{fit.aic:.7g}",
        "BIC": f"{fit.bic:.7g}",
        "KS (p)": f"{fit.ks:.4g} ({fit.ks_p:.3g})",
    }


def _groups(table: Transitions, by: str | None) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield the name and the rows of each group."""
    yield "all", np.arange(len(table))
    if by is None:
        return
    if by in ("video", "sequence"):
        slash = np.where((table.source != "") & (table.video != ""), "/", "")
        labels = np.char.add(np.char.add(table.source, slash), table.video)
    else:
        labels = getattr(table, by)
    names, place = np.unique(labels, return_inverse=True)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place, minlength=len(names)))
    for name, begin, end in zip(names, np.append(0, ends[:-1]), ends, strict=False):
        yield str(name), order[begin:end]


def _describe(
    group: Group,
    columns: dict[str, NDArray[Any]],
    sizes: dict[str, float],
    objects: NDArray[np.int64],
    fits: tuple[str, ...],
    bootstrap: int,
    seed: int,
    mutual_information: bool,
    show_progress: bool,
) -> Group:
    """Return `group` with its figures, from the differences of each factor and how large its values are."""
    described = {}
    replicates = None
    if bootstrap and group.n >= MIN_TRANSITIONS and group.objects >= MIN_OBJECTS:
        replicates = ObjectBootstrap(objects, bootstrap, seed)
    for factor, column in columns.items():
        if why := _why_none(column, sizes[factor]):
            group.not_enough[factor] = why
            continue
        values = column.astype(np.float64)
        distinct, counts = np.unique(values, return_counts=True)
        described[factor] = values
        group.mean[factor] = float(values.mean())
        group.sd[factor] = float(values.std())
        group.kurtosis[factor], group.skewness[factor] = _higher_moments(column)
        group.zeros[factor] = float(np.mean(values == 0))
        group.fits[factor] = fit_distributions(distinct, counts, fits)
        if fits:
            group.best[factor] = _best(group.fits[factor])
        if replicates is not None:
            if interval := replicates.kurtosis(values):
                group.kurtosis_interval[factor] = interval
            for name in set(group.fits[factor]) & {"gennorm", ROUNDED}:
                fit = group.fits[factor][name]
                if not fit.at_bound:
                    interval = _shape_interval(replicates, name, fit, values, show_progress)
                    group.fits[factor][name] = replace(fit, shape_interval=interval)
        if shaped := shape_fit(group.fits[factor]):
            group.sparse[factor] = _is_sparse(shaped)
    group.correlations.update(correlations(described, seed if mutual_information else None))
    return replace(group, verdict=_verdict(group))


def _why_none(column: NDArray[Any], size: float) -> str | None:
    """Return why differences of values of up to `size` have no figures, or None if they have."""
    count = len(column)
    if count < MIN_TRANSITIONS:
        return f"not enough data: {count} transitions, {MIN_TRANSITIONS} are needed"
    if not varies(column, 0.0):
        return f"not enough data: all {count} differences are equal"
    largest = float(abs(column).max())
    if not varies(column, max(size, largest)):
        return f"not enough data: all {count} differences are equal (up to rounding)"
    # Kurtosis takes fourth powers, in the column's own type.
    limits = np.finfo(column.dtype if column.dtype.kind == "f" else np.float64)
    if largest > float(limits.max) ** 0.2:
        return f"no figures: the fourth power of a difference of {largest:.2g} pixels is too large for {limits.dtype}"
    spread = float(column.astype(np.float64).std())
    if spread < float(limits.tiny) ** 0.2:
        return f"no figures: the fourth power of a deviation of {spread:.2g} pixels is too small for {limits.dtype}"
    return None


def _higher_moments(column: NDArray[Any]) -> tuple[float, float]:
    """Return excess kurtosis, in the column's own type, and skewness."""
    from scipy import stats

    with warnings.catch_warnings():
        # scipy warns of differences that vary little beside their mean; by more than rounding they do, as was checked.
        warnings.simplefilter("ignore")
        return float(stats.kurtosis(column)), float(stats.skew(column.astype(np.float64)))


def _shape_interval(
    replicates: ObjectBootstrap, name: str, fit: Fit, values: NDArray[np.float64], show_progress: bool
) -> Interval | None:
    shape, loc, scale = (fit.parameters[key] for key in ("shape", "loc", "scale"))
    if name == ROUNDED:
        return replicates.shape_rounded(values, Gennorm(shape, loc, scale, False), show_progress)
    return replicates.shape(values, loc, shape)


def _best(fits: dict[str, Fit]) -> dict[str, str]:
    """Return the best distribution by each criterion, of those that describe the same data."""
    comparable = {name: fit for name, fit in fits.items() if name != ROUNDED}
    return {
        "log_likelihood": max(comparable, key=lambda name: comparable[name].log_likelihood),
        "aic": min(comparable, key=lambda name: comparable[name].aic),
        "bic": min(comparable, key=lambda name: comparable[name].bic),
    }


def _is_sparse(fit: Fit) -> bool | None:
    interval = fit.shape_interval
    if fit.at_bound or interval is None or interval.low < 1 <= interval.high:
        return None
    return interval.high < 1


def _verdict(group: Group) -> str:
    """Return in words whether the changes of each factor are temporally sparse."""
    if not group.mean:
        return "not enough data"
    if not group.sparse:
        return "no verdict: no generalised normal was fitted"
    parts = []
    for factor, sparse in group.sparse.items():
        fit = shape_fit(group.fits[factor])
        assert fit is not None
        shape = f"{fit.parameters['shape']:.3g}"
        if fit.at_bound:
            parts.append(f"{factor} cannot be told (too few different values to fit a shape)")
        elif fit.shape_interval is None:
            side = "below" if fit.parameters["shape"] < 1 else "not below"
            parts.append(f"{factor} cannot be told without an interval (shape {shape}, {side} 1)")
        else:
            interval = f"{fit.shape_interval.low:.3g} to {fit.shape_interval.high:.3g}"
            word = {True: "is sparse", False: "is not sparse", None: "cannot be told"}[sparse]
            parts.append(f"{factor} {word} (shape {shape}, {interval})")
    values = list(group.sparse.values())
    if all(values) and not group.not_enough:
        head = "temporally sparse: every shape is below 1 with its whole interval"
    elif False in values:
        head = "not temporally sparse in every factor"
    else:
        head = "undecided"
    return f"{head}; {', '.join(parts)}"
