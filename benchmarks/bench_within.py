"""Are sparse changes and mixtures of scales distinguished? Simulated tables of which the answer is known.

    python benchmarks/bench_within.py [--sets 200] [--replicates 200]

Of every law, tracks of two lengths: 3 to 10 changes (short ones, of which no scale can be estimated), and lengths
spread as those of KITTI Masks (log-normal, median 40, at most 700). Printed as the tables of docs/statistics.md: the
mean fitted shape, how often the 95 % interval holds the true one, and how often each kind of sparsity is the verdict;
then how often the intervals of the autocorrelation hold the true one, by the number of objects.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
from scipy import stats

from datagen.statistics.bootstrap import ObjectBootstrap, percentile_interval
from datagen.statistics.within import Series, _Echo, sparsity_kind, within

OBJECTS = 100
FEW = (5, 10, 20, 40, 100)  # objects
LAWS = [  # name, shape, law of the scales, the kind that it is
    ("shape 0.6, one scale", 0.6, lambda rng: np.ones(OBJECTS), "sparse"),
    ("shape 2, log-normal scales (sd 1)", 2.0, lambda rng: np.exp(rng.normal(0, 1, OBJECTS)), "mixture"),
    ("shape 2, scales inverse gamma (a 1)", 2.0, lambda rng: rng.gamma(1, 1, OBJECTS) ** -0.5, "mixture"),
    ("shape 0.8, log-normal scales (sd 1)", 0.8, lambda rng: np.exp(rng.normal(0, 1, OBJECTS)), "both"),
    ("shape 0.6, scales of 1 and 10", 0.6, lambda rng: 10.0 ** rng.integers(0, 2, OBJECTS), "both"),
]


def echo(objects: int, spread: float, level: str, rng: np.random.Generator) -> tuple[np.ndarray, _Echo]:
    """Draw 12 independent Laplace changes of every object, whose scales are log-normal."""
    counts = np.full(objects, 12)
    values, series = draw(1.0, np.exp(rng.normal(0, spread, objects)), counts, rng)
    group = series.objects if level == "object" else np.zeros_like(series.objects)
    return series.objects, _Echo(values, series.objects, group, series, 1, level == "object")


def print_autocorrelations(sets: int, replicates: int) -> None:
    """Print how often the interval of the autocorrelation at lag 1 holds the true one."""
    print(f"| autocorrelation | true | {' | '.join(f'{each} objects' for each in FEW)} |")
    print("|---|---|" + "---|" * len(FEW))
    for level, spread in (("object", 1.0), ("pooled", 0.5), ("pooled", 1.0)):
        # Of sizes s e, of s log-normal and e exponential: var(s) (mean e)^2 over var(s e).
        mean, square = np.exp(spread**2), np.exp(2 * spread**2)  # (mean s)^2 and mean of s^2
        true = (square - mean) / (2 * square - mean) if level == "pooled" else 0.0
        shares = []
        for objects in FEW:
            held = []
            for seed in range(sets):
                owner, found = echo(objects, spread, level, np.random.default_rng((seed, objects)))
                copies = ObjectBootstrap(owner, replicates, seed).copies.T.astype(float)
                interval = percentile_interval(found.of(copies))
                assert interval is not None
                held.append(interval.low <= true <= interval.high)
            shares.append(f"{np.mean(held):.0%}")
        name = "within object" if level == "object" else f"pooled, scales of sd {spread:g}"
        print(f"| {name} | {true:.2f} | {' | '.join(shares)} |", flush=True)


def lengths(short: bool, rng: np.random.Generator) -> np.ndarray:
    """Draw the numbers of changes of all objects."""
    if short:
        return rng.integers(3, 11, OBJECTS)
    return np.clip(np.rint(40 * np.exp(rng.normal(0, 1, OBJECTS))), 3, 700).astype(np.int64)


def draw(shape: float, scales: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Series]:
    """Draw independent changes of objects of given scales."""
    owner = np.repeat(np.arange(len(counts)), counts)
    values = stats.gennorm.rvs(shape, size=len(owner), random_state=rng) * scales[owner]
    frame = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return values, Series(owner, owner // 5, frame, np.ones_like(owner))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=200)
    arguments = parser.parse_args()
    print("| law | changes of an object | pooled shape | within objects | coverage | verdict |")
    print("|---|---|---|---|---|---|")
    for name, shape, scales_of, kind in LAWS:
        for short in (True, False):
            pooled, inside, held, said = [], [], [], Counter[str | None]()
            for seed in range(arguments.sets):
                rng = np.random.default_rng((seed, len(name), short))
                counts = lengths(short, rng)
                values, series = draw(shape, scales_of(rng), counts, rng)
                copies = ObjectBootstrap(series.objects, arguments.replicates, seed).copies
                levels = [within(values, series, level, copies, seed) for level in ("pooled", "object")]
                one, other = levels
                assert one is not None
                assert other is not None
                assert other.shape_interval is not None
                pooled.append(one.shape)
                inside.append(other.shape)
                held.append(other.shape_interval.low <= shape <= other.shape_interval.high)
                said[sparsity_kind(one, other)] += 1
            shares = [(each, f"{each or 'undecided'} {n / arguments.sets:.0%}") for each, n in said.most_common()]
            answers = ", ".join(f"**{text}**" if each == kind else text for each, text in shares)
            length = "3 to 10" if short else "median 40"
            print(
                f"| {name} | {length} | {np.mean(pooled):.2f} | {np.mean(inside):.2f} +- {np.std(inside):.2f} "
                f"| {np.mean(held):.0%} | {answers} |",
                flush=True,
            )
    print()
    print_autocorrelations(arguments.sets, arguments.replicates)


if __name__ == "__main__":
    main()
