"""The statistics of 235,000 transitions in 40 categories, beside the release's way: scipy's fits and tests.

    python benchmarks/bench_statistics.py [--skip-release]
    python benchmarks/bench_statistics.py --large 35000000

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
FRAMES = 55  # of an object in the large table: 640,000 objects have 35 million transitions, as SA-V has


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


def large_table(count: int, seed: int = 0) -> Transitions:
    """Draw a table of as many transitions as SA-V has, in as little memory as a table takes."""
    rng = np.random.default_rng(seed)
    object_id = np.arange(count) // FRAMES

    def pair(shape: float, scale: float, dtype: type) -> np.ndarray:
        values = np.empty((count, 2), dtype=dtype)
        values[:, 0] = rng.integers(1000, 2000, count) if dtype is np.int64 else rng.uniform(0, 64, count)
        for begin in range(0, count, 1 << 20):
            block = values[begin : begin + (1 << 20)]
            sizes = scale * rng.gamma(1 / shape, size=len(block)) ** (1 / shape) * rng.choice([-1, 1], len(block))
            block[:, 1] = block[:, 0] + (np.rint(sizes) if dtype is np.int64 else sizes.astype(dtype))
        return values

    def constant(value: object) -> np.ndarray:
        return np.broadcast_to(np.array(value), count)  # one value, which every row shows

    video = np.arange(object_id[-1] // 12 + 1).astype(f"U{len(str(object_id[-1] // 12))}")[object_id // 12]
    return Transitions(
        source=constant("sa-v"),
        video=video,
        object_id=object_id,
        category=constant("object"),
        window=constant(np.int64(0)),
        frame=np.arange(count) % FRAMES,
        y=pair(0.7, 0.3, np.float32),
        x=pair(0.6, 0.3, np.float32),
        area=pair(0.5, 5.0, np.int64),
        fps=constant(np.float32(6)),
    )


def large(count: int) -> None:
    """Time the summary and three fits of a large table, with its memory."""
    import resource
    import time

    summarize(table().select(slice(0, 1000)))  # compile
    transitions = large_table(count)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    begin, processor = time.perf_counter(), time.process_time()
    group = summarize(transitions).groups[0]
    wall, processor = time.perf_counter() - begin, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    shapes = ", ".join(f"{factor} {group.fits[factor]['gennorm'].parameters['shape']:.3f}" for factor in ("x", "y"))
    figure = f"{wall:.1f} s ({processor:.1f} s of processor), at most {peak:.1f} GB, of which {held:.1f} GB to make it"
    print_rows(f"Summary and three fits of {count:,} transitions", [("all", figure), ("shapes", shapes)])


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
    parser.add_argument("--large", type=int, metavar="N", help="time the summary of N transitions alone")
    arguments = parser.parse_args()
    if arguments.large:
        large(arguments.large)
        return
    skip = arguments.skip_release
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
        (
            "all and 40 categories, three fits, 200 object replicates",
            lambda: summarize(transitions, "category", bootstrap=200),
            None,
        ),
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
