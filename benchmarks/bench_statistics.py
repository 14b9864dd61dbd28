"""The statistics of 235,000 transitions in 40 categories, beside the release's way: scipy's fits and tests.

    python benchmarks/bench_statistics.py [--skip-release]

The table is drawn with the shapes, scales and proportions that the paper gives for YouTube-VOS. One core is used, but
for the bootstrap, which takes what numpy takes.
"""

from __future__ import annotations

import argparse

import numpy as np
from _side_by_side import print_rows, seconds
from scipy import stats

from datagen.statistics import ALL_FITS, summarize
from datagen.transitions import FACTORS, Transitions

COUNT, CATEGORIES, OBJECTS = 235_000, 40, 4_000


def table(seed: int = 0) -> Transitions:
    """Draw a table like that of YouTube-VOS."""
    rng = np.random.default_rng(seed)
    object_id = np.sort(rng.integers(0, OBJECTS, COUNT))
    category = rng.choice(CATEGORIES, OBJECTS, p=rng.dirichlet(np.full(CATEGORIES, 2.0)))[object_id]

    def pair(shape: float, scale: float, whole: bool = False) -> np.ndarray:
        change = stats.gennorm.rvs(shape, scale=scale, size=COUNT, random_state=rng)
        start = rng.uniform(0, 64, COUNT)
        if whole:
            start, change = np.rint(start).astype(np.int64), np.rint(change).astype(np.int64)
        return np.stack([start, start + change], axis=1)

    return Transitions(
        source=np.full(COUNT, "youtube"),
        video=np.char.add("v", (object_id // 2).astype(str)),
        object_id=object_id,
        category=np.char.add("category ", category.astype(str)),
        window=np.zeros(COUNT, dtype=np.int64),
        frame=np.arange(COUNT),
        y=pair(0.548, 0.308),
        x=pair(0.515, 0.257),
        area=pair(0.444, 5.04, whole=True),
    )


def release(transitions: Transitions, by_category: bool) -> None:
    """Compute what the release computes, as it does: scipy's fits, likelihoods, tests and correlations."""
    groups = [transitions]
    if by_category:
        groups += [group for _, group in transitions.groups("category")]
    for group in groups:
        columns = {factor: group.differences(factor) for factor in FACTORS}
        for column in columns.values():
            stats.kurtosis(column)
            for name in ("gennorm", "norm", "laplace"):
                parameters = getattr(stats, name).fit(column)
                getattr(stats, name).logpdf(column, *parameters).sum()
                stats.kstest(column, name, parameters)
        for first, second in (("area", "x"), ("area", "y"), ("x", "y")):
            stats.pearsonr(columns[first], columns[second])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skip-release", action="store_true", help="time only datagen")
    skip = parser.parse_args().skip_release
    transitions = table()
    summarize(transitions.select(slice(0, 1000)), fits=ALL_FITS, bootstrap=2)  # compile
    cases = [
        ("all, three fits", lambda: summarize(transitions), lambda: release(transitions, False)),
        (
            "all and 40 categories, three fits",
            lambda: summarize(transitions, "category"),
            lambda: release(transitions, True),
        ),
        ("all and 40 categories, five fits", lambda: summarize(transitions, "category", ALL_FITS), None),
        ("all, three fits, 1,000 object replicates", lambda: summarize(transitions, bootstrap=1000), None),
    ]
    rows = []
    for name, ours, theirs in cases:
        figure = f"{seconds(ours):.2f} s"
        if theirs is not None and not skip:
            figure += f", the release's way {seconds(theirs):.2f} s"
        rows.append((name, figure))
    print_rows(f"Statistics of {COUNT:,} transitions", rows)


if __name__ == "__main__":
    main()
