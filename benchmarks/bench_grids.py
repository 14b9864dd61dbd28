"""Drawing the second frames of pairs of a grid, beside drawing them one by one.

    python benchmarks/bench_grids.py [--pairs 1000000]

Times are of one core: processor time of this process, which other work on the machine does not lengthen.
"""

from __future__ import annotations

import argparse

import numpy as np
from _side_by_side import core_seconds, print_rows

from datagen.grids.priors import Laplace, Uniform
from datagen.grids.sets import SETS

LOOPED = 20_000


def uniform_one_by_one(first: np.ndarray, sizes: list[int], rng: np.random.RandomState) -> None:
    """Draw UNI pair by pair: a number of factors, which ones, and another value of each."""
    for now in first:
        then = now.copy()
        for factor in rng.choice(len(sizes), rng.randint(1, len(sizes)), replace=False):
            then[factor] = rng.choice([value for value in range(sizes[factor]) if value != now[factor]])


def laplace_one_by_one(first: np.ndarray, sizes: list[int], fixed: int, rng: np.random.RandomState) -> None:
    """Draw LAP pair by pair: the weights of all values of a factor, then a draw by them."""
    for now in first:
        then = now.copy()
        for factor, size in enumerate(sizes):
            weight = np.exp(-np.abs(np.arange(size) - now[factor]) / np.log(size))
            then[factor] = rng.choice(size, p=weight / weight.sum())
        then[fixed] = now[fixed]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=1_000_000)
    pairs = parser.parse_args().pairs
    info = SETS["shapes3d"].factors
    sizes = [factor.size for factor in info]
    rng = np.random.default_rng(0)
    first = np.stack([rng.integers(size, size=pairs) for size in sizes], axis=1)
    rows = []
    for prior in (Uniform(), Uniform(k=2), Laplace(), Laplace("random")):
        mine = core_seconds(lambda: prior.sample(first, info, rng))  # noqa: B023
        rows.append((f"{prior}", f"{mine:6.2f} s  ({1e6 * mine / pairs:.2f} us a pair)"))
    state = np.random.RandomState(0)
    for name, function in (
        ("UNI one by one", lambda: uniform_one_by_one(first[:LOOPED], sizes, state)),
        ("LAP one by one", lambda: laplace_one_by_one(first[:LOOPED], sizes, 4, state)),
    ):
        theirs = core_seconds(function, 1) * pairs / LOOPED
        rows.append((name, f"{theirs:6.0f} s  ({1e6 * theirs / pairs:.0f} us a pair; {LOOPED:,} were drawn)"))
    print_rows(f"Second frames of {pairs:,} pairs of 3D Shapes, one core,", rows)


if __name__ == "__main__":
    main()
