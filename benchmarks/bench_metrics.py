"""The metrics of a discrete set at the published numbers of samples on one core, beside disentanglement_lib's own.

    python benchmarks/bench_metrics.py [--repeat 3] [--disentanglement-lib FOLDER]

FOLDER holds the package disentanglement_lib (its wheel, unpacked). Its metrics import TensorFlow's side of gin for
their settings and nothing else of it, so a stand-in for that is enough to run its code as it is; absl and six must be
there. disent's MIG, SAP, DCI and FactorVAE are the same code without gin. Seconds are of the processor, so a machine
that others use as well does not count their share; the least of the repetitions is shown.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _side_by_side import machine
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent.parent))

from slowvae import metrics
from slowvae.scores import score

PUBLISHED = ("mcc", "beta-vae", "factor-vae", "mig", "modularity", "sap", "dci")
"""The metrics of SlowVAE's tables."""

SIZES = np.array([32, 32, 6, 40, 4])


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return 10 latents, half of them of the factors, and 5 factors of Natural Sprites' sizes: 100,000 samples."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, SIZES, size=(100_000, 5)).astype(np.float32)
    mixed = (factors / SIZES) @ (np.eye(5) + 0.3 * rng.normal(size=(5, 5))) + 0.05 * rng.normal(size=factors.shape)
    return np.hstack([mixed, rng.normal(size=mixed.shape)]).astype(np.float32), factors


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return latents and factors of a whole grid, for the metrics of traversals."""
    factors = np.stack(np.meshgrid(*map(np.arange, (32, 32, 6, 4)), indexing="ij"), axis=-1).reshape(-1, 4)
    return np.random.default_rng(0).normal(size=(len(factors), 10)) + factors[:, :1], factors


def seconds(function: Callable[[], object], repeat: int) -> float:
    """Return the least time of the processor that a call takes."""
    times = []
    for _ in range(repeat):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return min(times)


def ours(latents: np.ndarray, factors: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Return a call for each metric, on as many samples as `datagen evaluate` takes."""
    calls: dict[str, Callable[[], Any]] = {}
    for name in metrics.METRICS:
        if name == "udr":
            calls[name] = functools.partial(metrics.udr, [latents[:10_000], latents[:10_000] * 2])
        else:
            arrays = grid() if name in ("flatness", "linearity") else (latents, factors)
            calls[name] = functools.partial(score, *arrays, [name])
    return calls


class Stored:
    """What disentanglement_lib asks of a data set, from arrays: its observations are the rows."""

    num_factors = len(SIZES)

    def __init__(self, factors: np.ndarray) -> None:
        self.factors = factors
        self.rows = [
            [np.flatnonzero(column == v) for v in range(size)] for column, size in zip(factors.T, SIZES, strict=True)
        ]

    def sample(self, number: int, random_state: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        rows = random_state.randint(len(self.factors), size=number)
        return self.factors[rows], rows

    def sample_observations(self, number: int, random_state: np.random.RandomState) -> np.ndarray:
        return random_state.randint(len(self.factors), size=number)

    def sample_factors(self, number: int, random_state: np.random.RandomState) -> np.ndarray:
        return self.factors[random_state.randint(len(self.factors), size=number)]

    def sample_observations_from_factors(self, factors: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """Return rows that have the value which all have in common, as our metrics draw them."""
        (same,) = np.flatnonzero(np.ptp(factors, axis=0) == 0)[:1] if np.ptp(factors, axis=0).min() == 0 else (0,)
        return random_state.choice(self.rows[same][int(factors[0, same])], len(factors))


def theirs(folder: Path, latents: np.ndarray, factors: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Return disentanglement_lib's own call for each metric that it has."""
    settings: dict[str, dict[str, Any]] = {}

    def configurable(name: str, **_: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return lambda function: lambda *args, **options: function(*args, **{**settings.get(name, {}), **options})

    gin = types.ModuleType("gin")
    gin.tf = types.ModuleType("gin.tf")  # type: ignore[attr-defined]
    gin.configurable, gin.REQUIRED = configurable, None  # type: ignore[attr-defined]
    sys.modules |= {"gin": gin, "gin.tf": gin.tf}  # type: ignore[attr-defined]
    sys.path.insert(0, str(folder))
    from disentanglement_lib.evaluation.metrics import (
        beta_vae,
        dci,
        factor_vae,
        irs,
        mig,
        modularity_explicitness,
        sap_score,
        utils,
    )

    settings["discretizer"] = {"discretizer_fn": utils._histogram_discretize, "num_bins": 20}
    whole, encode = Stored(factors), lambda rows: latents[np.asarray(rows, dtype=np.int64)]
    seed = np.random.RandomState
    z, y = latents[:15_000].T, factors[:15_000].T

    def modularity() -> float:
        binned = utils.make_discretizer(latents.T)
        return modularity_explicitness.modularity(utils.discrete_mutual_info(binned, factors.T))

    return {
        "beta-vae": lambda: beta_vae.compute_beta_vae_sklearn(whole, encode, seed(0), None, 64, 10_000, 5_000),
        "factor-vae": lambda: factor_vae.compute_factor_vae(
            whole, encode, seed(0), None, 64, 10_000, 5_000, num_variance_estimate=10_000
        ),
        "mig": lambda: mig._compute_mig(latents.T, factors.T),
        "modularity": modularity,
        "sap": lambda: sap_score._compute_sap(
            z[:, :10_000], y[:, :10_000], z[:, 10_000:], y[:, 10_000:], continuous_factors=False
        ),
        "irs": lambda: irs.scalable_disentanglement_score(y[:, :10_000].T, z[:, :10_000].T, 1.0),
        "dci, of the factor of 4 values": lambda: dci._compute_dci(
            z[:, :10_000], y[4:, :10_000], z[:, 10_000:], y[4:, 10_000:]
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--disentanglement-lib", type=Path, help="folder with that package; without it ours alone")
    options = parser.parse_args()
    threadpool_limits(1)
    latents, factors = data()
    # Compiled, and imported, before anything is timed.
    score(latents[:300], factors[:300] % 4, list(set(metrics.METRICS) - {"udr", "flatness", "linearity"}))
    calls = ours(latents, factors)
    z, y = latents[:15_000], factors[:15_000, 4:]
    calls["dci, of the factor of 4 values"] = lambda: metrics.dci(z[:10_000], y[:10_000], z[10_000:], y[10_000:])
    peers = theirs(options.disentanglement_lib, latents, factors) if options.disentanglement_lib else {}
    print(f"metrics of 10 latents and 5 factors of {SIZES.tolist()} values, {machine()}, seconds on one core")
    print(f"  {'':<32} {'datagen':>8}" + (f" {'disentanglement_lib':>20}" if peers else ""))
    found = {}
    for name, call in calls.items():
        found[name] = seconds(call, options.repeat)
        peer = f" {seconds(peers[name], 1):20.2f}" if name in peers else ""
        print(f"  {name:<32} {found[name]:8.2f}{peer}", flush=True)
    print(f"  {'those of the paper':<32} {sum(found[name] for name in PUBLISHED):8.2f}")
    print(f"  {'all':<32} {sum(found[name] for name in metrics.METRICS):8.2f}")


if __name__ == "__main__":
    main()
