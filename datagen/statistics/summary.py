"""Everything that is said about a transition table, as data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_choice, check_instance, is_whole, texts_of
from datagen.errors import UsageError, counted, shown
from datagen.fragments import fragment_html
from datagen.intervals import Interval
from datagen.statistics.bootstrap import MIN_OBJECTS, ObjectBootstrap
from datagen.statistics.columns import tally, varies
from datagen.statistics.dependence import MAX_PAIRS, Correlation, correlations
from datagen.statistics.fits import ALL_FITS, PAPER_FITS, ROUNDED, Fit, fit_distributions
from datagen.statistics.gennorm import Gennorm
from datagen.statistics.motion import Distance, at_distance, at_time, frames_at, without_ego_motion
from datagen.statistics.objects import join_windows, number_rows, objects_of, once_per_frame
from datagen.statistics.published import Published, published_figures
from datagen.statistics.within import LEVELS, Level, Series, Within, sparsity_kind, within
from datagen.transitions import FACTORS, Transitions

__all__ = [
    "BY",
    "MIN_TRANSITIONS",
    "Group",
    "Summary",
    "describe_distance",
    "describe_fit",
    "describe_group",
    "describe_shape",
    "describe_value",
    "describe_within",
    "shape_fit",
    "summarize",
]

BY = ("category", "source", "video", "sequence")
"""What transitions can be grouped by. A video is identified by its source and name; MOTS calls it a sequence."""

_MOST_NAMES, _MOST_GROUPS = 3, 50

_BLOCK = 1 << 18  # changes held at once, while moments are summed

MIN_TRANSITIONS = 10
"""A group of fewer says only how many."""


@dataclass(frozen=True, repr=False)
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
        Of all transitions, as published, by pair of factors, ``"area-x"``.
    dependence : dict of str to Correlation
        The same of every object and frame once (`objects.once_per_frame`): copies of an object in overlapping windows
        are no further observations. Mutual information is here.
    sparse : dict of str to bool or None
        Whether the shape is below 1 with its whole interval; false if it is above with its whole interval, None if
        the interval holds 1 or there is none.
    not_enough : dict of str to str
        Why a factor has no figures.
    within : dict of str to dict of str to Within
        By what shares a scale (``"pooled"``, ``"video"``, ``"object"``), then by factor; empty unless asked for.
    kind : dict of str to str or None
        Which kind of sparsity there is (`within.sparsity_kind`), at the finest level asked for.
    verdict : str
        Whether the group is temporally sparse, in words.

    Examples
    --------
    >>> Group("dog", n=3, objects=1, verdict="not enough data")
    Group(dog: 3 transitions of 1 object; not enough data)
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
    dependence: dict[str, Correlation] = field(default_factory=dict)
    sparse: dict[str, bool | None] = field(default_factory=dict)
    not_enough: dict[str, str] = field(default_factory=dict)
    within: dict[str, dict[str, Within]] = field(default_factory=dict)
    kind: dict[str, str | None] = field(default_factory=dict)
    verdict: str = ""

    def __repr__(self) -> str:
        held = f"{counted(self.n, 'transition')} of {counted(self.objects, 'object')}"
        return f"Group({describe_group(self)}: {held}; {self.verdict})"


@dataclass(frozen=True, repr=False)
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
    published : Published or None
        What was published of these data, where they are known (`published.published_figures`).
    warnings : list of str
        What to know of the figures: rates that are mixed, sources that a distance in time leaves out, objects that the
        table does not name.

    Examples
    --------
    >>> Summary(None, 0, 0, [Group("all", n=3, objects=1, verdict="not enough data")]).to_json()["groups"][0]["n"]
    3
    """

    by: str | None
    bootstrap: int
    seed: int
    groups: list[Group]
    distances: list[Distance] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    published: Published | None = None

    def __repr__(self) -> str:
        return f"Summary({'; '.join(map(repr, self.groups[:1]))}; {len(self.groups)} groups)"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a line for each group, and the verdict on all transitions."""
        columns = ["group", "n", "objects", *(f"kurtosis {each}" for each in FACTORS)]
        columns += [f"shape {each}" for each in FACTORS]
        rows = []
        for group in self.groups[:_MOST_GROUPS]:
            row = [describe_group(group), f"{group.n:,}", f"{group.objects:,}"]
            row += [describe_value(group.kurtosis.get(each), group.kurtosis_interval.get(each)) for each in FACTORS]
            rows.append(row + [describe_shape(group.fits.get(each, {})) for each in FACTORS])
        left = len(self.groups) - len(rows)
        notes = [*self.warnings, *(group.verdict for group in self.groups[:1])]
        return fragment_html("Summary", columns, rows, [f"and {left:,} more groups", *notes] if left else notes)

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
    levels: tuple[Level, ...] = (),
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
        Distances in frames; may be empty where there is one in time.
    delta_ms : tuple of float
        Distances in time, in milliseconds: over the nearest whole number of frames at each sequence's own rate, which
        sets of different rates can be compared by.
    ego_motion : bool
        Give everything once more without the motion that all objects of a frame share.
    mutual_information : bool
        Estimate it for each pair of factors.
    levels : tuple of str
        Take out the scale of each ``"video"`` or ``"object"`` too, and say which kind of sparsity there is
        (`datagen.statistics.within`).
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
    for name in texts_of("fits", fits):
        check_choice("distribution", name, ALL_FITS)
    check_instance("table", table, Transitions, "as datagen.load returns of a table")
    if not is_whole(bootstrap, 0, 2**31):
        raise UsageError(f"{shown(bootstrap)} bootstrap replicates: must be at least 0, and whole")
    for distance, value in (("delta_t", delta_t), ("delta_ms", delta_ms)):
        if not isinstance(value, list | tuple) or not all(isinstance(each, int | float) for each in value):
            raise UsageError(f"{distance}={shown(value)}: must be a tuple of distances, as (1, 2)")
    if not delta_t and not delta_ms:
        raise UsageError("no distance given; 1 is that of neighbouring frames")
    if not is_whole(seed, 0, 2**64 - 1):
        raise UsageError(f"seed {shown(seed)}: must be at least 0, and whole")
    for level in texts_of("levels", levels):
        check_choice("level", level, LEVELS)
    if "video" in levels and (table.video == "").any():
        raise UsageError("the table does not say which video a row is of, so that no video's scale can be found")
    # What shares a scale, from coarse to fine, beginning with all changes, to compare with.
    asked = tuple(level for level in LEVELS if level in levels or level == "pooled") if levels else ()
    for factor in FACTORS:
        values = getattr(table, factor)
        # Below the limit, the difference of two numbers is a number of their type, and a whole number's float the same.
        limit = float(np.finfo(values.dtype).max) / 4 if values.dtype.kind == "f" else 2.0**53
        if -limit <= values.min(initial=0) and values.max(initial=0) <= limit:
            continue
        wrong = ~(abs(values.astype(np.float64)) <= limit).all(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            what = "too large" if np.isfinite(values[row]).all() else "not a finite number"
            raise UsageError(f"the table holds a value of {factor} that is {what} (row {row + 1}); leave such rows out")
    table, how = join_windows(table)
    warned = list(filter(None, [_mixed_rates(table) if delta_t else None, how]))
    distances: list[Distance] = []
    groups = []
    for frames, time in dict.fromkeys([*((each, None) for each in delta_t), *((None, each) for each in delta_ms)]):
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
            single = np.zeros(len(part), dtype=bool)
            single[once_per_frame(part, seed)] = True
            series = _series(part, objects, frames, time) if asked else None
            columns = {factor: part.differences(factor) for factor in FACTORS}
            for name, rows in _groups(part, by):
                group = Group(name, len(single[rows]), _count_distinct(objects[rows]), frames, time, removed)
                groups.append(
                    _describe(
                        group,
                        {factor: column[rows] for factor, column in columns.items()},
                        {factor: _largest(getattr(part, factor)[rows]) for factor in FACTORS},
                        objects[rows],
                        single[rows],
                        series.select(np.arange(len(part))[rows][single[rows]]) if series else None,
                        fits,
                        bootstrap,
                        seed,
                        mutual_information,
                        asked,
                        show_progress,
                    )
                )
    return Summary(by, bootstrap, seed, groups, distances, list(dict.fromkeys(warned)), published_figures(table))


def _series(table: Transitions, objects: NDArray[np.int64], frames: int | None, delta_ms: float | None) -> Series:
    """Say which transitions over a distance follow each other; in time, each goes over frames of its own rate."""
    steps = np.full(len(table), frames, dtype=np.int64) if delta_ms is None else frames_at(table.fps, delta_ms)
    return Series(objects, number_rows(table.source, table.video), table.frame, steps)


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


def describe_shape(fits: dict[str, Fit], with_interval: bool = True) -> str:
    """Return the shape that says how sparse a factor is, with its interval, as a table shows it."""
    fit = shape_fit(fits)
    if fit is None:
        return ""
    if fit.at_bound:
        return "at the bound"
    return describe_value(fit.parameters["shape"], fit.shape_interval if with_interval else None)


def describe_within(found: Within) -> dict[str, str]:
    """Return the lines of a table that describe changes whose scales are taken out, the shape first."""
    lines = {"shape": "at the bound" if found.at_bound else describe_value(found.shape)}
    if found.shape_interval:
        lines["95 % interval"] = str(found.shape_interval)
    if found.scale_spread:
        lines["spread of scales (log)"] = f"{found.scale_spread:.3g}"
        lines["law of scales"] = str(found.scale_law)
    lines["excess kurtosis"] = describe_value(found.kurtosis)
    lines |= {f"autocorrelation, lag {lag}": f"{value:.3f}" for lag, value in found.autocorrelation.items()}
    return lines


def describe_group(group: Group) -> str:
    """Return a group's name with what was done to its transitions."""
    usual = group.delta_t == 1 and not group.ego_motion_removed
    return group.name if usual else f"{group.name}, {describe_distance(group)}"


def describe_distance(group: Group) -> str:
    """Return how far apart a group's frames are, and whether the shared motion was taken off."""
    parts = []
    if group.delta_ms is not None:
        parts.append(f"{group.delta_ms:g} ms")
    elif group.delta_t is not None and (group.delta_t != 1 or not group.ego_motion_removed):
        parts.append(counted(group.delta_t, "frame"))
    return ", ".join([*parts, *(["ego-motion removed"] if group.ego_motion_removed else [])])


def describe_fit(fit: Fit) -> dict[str, str]:
    """Return the lines of a table that tell a fit: parameters, likelihood, criteria and Kolmogorov-Smirnov test."""
    parameters = ", ".join(f"{name} {value:.4g}" for name, value in fit.parameters.items())
    lines = {"parameters": parameters + (" (at the bound: no estimate)" if fit.at_bound else "")}
    if fit.shape_interval:
        lines["shape interval"] = str(fit.shape_interval)
    return lines | {
        "log-likelihood": f"{fit.log_likelihood:.7g}",
        "AIC": f"{fit.aic:.7g}",
        "BIC": f"{fit.bic:.7g}",
        "KS (p)": f"{fit.ks_once:.4g} ({fit.ks_once_p:.3g})",
    }


def _groups(table: Transitions, by: str | None) -> Iterator[tuple[str, NDArray[np.int64] | slice]]:
    """Yield the name and the rows of each group."""
    yield "all", slice(None)
    if by is None:
        return
    if by in ("video", "sequence"):
        slash = np.where((table.source != "") & (table.video != ""), "/", "")
        labels = np.char.add(np.char.add(table.source, slash), table.video)
    else:
        labels = getattr(table, by)
    place = number_rows(labels)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place))
    for begin, end in zip(np.append(0, ends[:-1]), ends, strict=False):
        yield str(labels[order[begin]]), order[begin:end]


def _sampled(columns: dict[str, NDArray[Any]], count: int, seed: int) -> dict[str, NDArray[Any]]:
    """Return the same rows of all columns, `MAX_PAIRS` of them where there are more."""
    if count <= MAX_PAIRS:
        return {factor: values.astype(np.float64) for factor, values in columns.items()}
    rows = np.sort(np.random.default_rng(seed).integers(0, count, MAX_PAIRS))
    rows = rows[np.append(True, np.diff(rows) > 0)]
    return {factor: values[rows].astype(np.float64) for factor, values in columns.items()}


def _count_distinct(numbers: NDArray[np.int64]) -> int:
    """Return how many different numbers there are; those in order are not sorted."""
    return len(np.unique(numbers[np.append(True, np.diff(numbers) != 0)])) if len(numbers) else 0


def _largest(values: NDArray[Any]) -> float:
    return float(max(values.max(initial=0), -values.min(initial=0)))


def _describe(
    group: Group,
    columns: dict[str, NDArray[Any]],
    sizes: dict[str, float],
    objects: NDArray[np.int64],
    single: NDArray[np.bool_],
    series: Series | None,
    fits: tuple[str, ...],
    bootstrap: int,
    seed: int,
    mutual_information: bool,
    levels: tuple[Level, ...],
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
        distinct, counts = tally(values)
        described[factor] = column
        group.mean[factor] = float(values.mean())
        group.sd[factor] = float(values.std())
        group.kurtosis[factor], group.skewness[factor] = _higher_moments(column)
        group.zeros[factor] = float(np.mean(values == 0))
        group.fits[factor] = fit_distributions(distinct, counts, fits, None if single.all() else values[single])
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
        del values  # of millions, before those of the next factor
    group.correlations.update(correlations(_sampled(described, len(single), seed)))
    once = {
        factor: column if single.all() else column[single]
        for factor, column in described.items()
        if single.all() or _why_none(column[single], sizes[factor]) is None
    }
    if single.all() and not mutual_information:
        group.dependence.update(group.correlations)
    else:
        sample = _sampled(once, int(single.sum()), seed)
        group.dependence.update(correlations(sample, seed if mutual_information else None))
    copies = None if replicates is None else replicates.copies
    for level in levels:
        assert series is not None
        found = {
            factor: within(column.astype(np.float64), series, level, copies, seed) for factor, column in once.items()
        }
        group.within[level] = {factor: each for factor, each in found.items() if each is not None}
    for factor in once if levels else ():
        group.kind[factor] = sparsity_kind(*(group.within[level].get(factor) for level in (levels[0], levels[-1])))
    return replace(group, verdict=_verdict(group, bool(bootstrap)))


def _why_none(column: NDArray[Any], size: float) -> str | None:
    """Return why differences of values of up to `size` have no figures, or None if they have."""
    count = len(column)
    if count < MIN_TRANSITIONS:
        return f"not enough data: {counted(count, 'transition')}, {MIN_TRANSITIONS} are needed"
    if not varies(column, 0.0):
        return f"not enough data: all {count} differences are equal"
    largest = float(abs(column).max())
    if not varies(column, max(size, largest)):
        return f"not enough data: all {count} differences are equal (up to rounding)"
    # Kurtosis takes fourth powers, in the column's own type.
    limits = np.finfo(column.dtype if column.dtype.kind == "f" else np.float64)
    if largest > float(limits.max) ** 0.2:
        return f"no figures: the fourth power of a difference of {largest:.2g} pixels is too large for {limits.dtype}"
    spread = _central_moments(column)[0] ** 0.5
    if spread < float(limits.tiny) ** 0.2:
        return f"no figures: the fourth power of a deviation of {spread:.2g} pixels is too small for {limits.dtype}"
    return None


def _higher_moments(column: NDArray[Any]) -> tuple[float, float]:
    """Return excess kurtosis, in the column's own type, and skewness."""
    from scipy import stats

    second, third, fourth = _central_moments(column)
    skewness = third / second**1.5
    if column.dtype.kind != "f" and len(column) > 2**20:  # scipy's has the published bits, and takes copies of it all
        return fourth / second**2 - 3, skewness
    with warnings.catch_warnings():
        # scipy warns of differences that vary little beside their mean; by more than rounding they do, as was checked.
        warnings.simplefilter("ignore")
        return float(stats.kurtosis(column)), skewness


def _central_moments(column: NDArray[Any]) -> list[float]:
    """Return the second to fourth central moment of a column, a block at a time."""
    mean = column.mean(dtype=np.float64)
    total = np.zeros(3)
    with np.errstate(over="ignore", under="ignore"):
        for begin in range(0, len(column), _BLOCK):
            centred = column[begin : begin + _BLOCK] - mean
            square = centred**2
            total += [square.sum(), square @ centred, square @ square]
    return [float(each) for each in total / len(column)]


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


_KINDS = {
    "sparse": "is sparse in itself",
    "mixture": "is a mixture of scales",
    "both": "is sparse in itself and a mixture of scales",
    "neither": "is neither",
    None: "is undecided",
}


def _verdict(group: Group, resampled: bool) -> str:
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
            parts.append(f"{factor} is undecided (too few different values to fit a shape)")
        elif fit.shape_interval is None:
            side = "below" if fit.parameters["shape"] < 1 else "not below"
            why = f"for too few objects, {group.objects} of {MIN_OBJECTS}," if resampled else "without an interval"
            parts.append(f"{factor} is undecided {why} (shape {shape}, {side} 1)")
        else:
            word = {True: "is sparse", False: "is not sparse", None: "is undecided"}[sparse]
            parts.append(f"{factor} {word} (shape {shape}, {fit.shape_interval})")
    values = list(group.sparse.values())
    if all(values) and not group.not_enough:
        head = "temporally sparse: every shape is below 1 with its whole interval"
    elif False in values:
        head = "not temporally sparse in every factor"
    else:
        head = "undecided"
    verdict = f"{head}; {', '.join(parts)}"
    if group.kind:
        level = list(group.within)[-1]
        kinds = []
        for factor, kind in group.kind.items():
            inside = group.within[level].get(factor)
            if inside is None or inside.at_bound:
                kinds.append(f"{factor} {_KINDS[kind]} (too few different values to fit a shape)")
            else:
                interval = f", {inside.shape_interval}" if inside.shape_interval else ""
                kinds.append(f"{factor} {_KINDS[kind]} (shape {inside.shape:.3g}{interval})")
        verdict += f"; with the scale of each {level} taken out, {', '.join(kinds)}"
    return verdict
