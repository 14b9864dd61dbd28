"""Are sparse changes and mixtures of scales distinguished? Simulated tables of which the answer is known.

    python benchmarks/bench_within.py [--sets 200] [--replicates 200]

Of every law, tracks of two lengths: 3 to 10 changes (short ones, of which no scale can be estimated), and lengths
spread as those of KITTI Masks (log-normal, median 40, at most 700). Printed as the table of docs/statistics.md: the
mean fitted shape, how often the 95 % interval holds the true one, and how often each kind of sparsity is the verdict.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
from scipy import stats

from datagen.statistics.bootstrap import ObjectBootstrap
from datagen.statistics.within import Series, sparsity_kind, within

OBJECTS = 100
LAWS = [  # name, shape, law of the scales, the kind that it is
    ("shape 0.6, one scale", 0.6, lambda rng: np.ones(OBJECTS), "sparse"),
    ("shape 2, log-normal scales (sd 1)", 2.0, lambda rng: np.exp(rng.normal(0, 1, OBJECTS)), "mixture"),
    ("shape 2, scales inverse gamma (a 1)", 2.0, lambda rng: rng.gamma(1, 1, OBJECTS) ** -0.5, "mixture"),
    ("shape 0.8, log-normal scales (sd 1)", 0.8, lambda rng: np.exp(rng.normal(0, 1, OBJECTS)), "both"),
    ("shape 0.6, scales of 1 and 10", 0.6, lambda rng: 10.0 ** rng.integers(0, 2, OBJECTS), "both"),
]


def lengths(short: bool, rng: np.random.Generator) -> np.ndarray:
    """Draw the numbers of changes of all objects."""
    if short:
        return rng.integers(3, 11, OBJECTS)
    return np.clip(np.rint(40 * np.exp(rng.normal(0, 1, OBJECTS))), 3, 700).astype(np.int64)


def draw(shape: float, scales: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Series]:
    """Draw independent changes of objects of given scales."""
    owner = np.repeat(np.arange(OBJECTS), counts)
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


if __name__ == "__main__":
    main()
