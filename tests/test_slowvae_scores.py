import re
import sys

import numpy as np
import pytest
from conftest import ROOT

from datagen.errors import UsageError
from slowvae import metrics
from slowvae.metrics import METRICS, _dci, _gaps
from slowvae.scores import check_names, score

ALONE = [name for name in METRICS if name != "udr"]


def data(n: int = 900, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    factors = rng.integers([4, 3], size=(n, 2))
    return (factors + 0.1 * rng.normal(size=factors.shape)).astype(np.float32), factors.astype(np.float32)


@pytest.mark.parametrize(("n", "train", "test"), [(900, 600, 300), (16_000, 10_000, 5_000)])
@pytest.mark.parametrize("name", ["dci", "sap"])
def test_no_row_is_both_trained_on_and_tested_on(monkeypatch, name, n, train, test):
    seen = []
    monkeypatch.setattr(_gaps, "sap", lambda *parts, **options: seen.append(parts) or metrics.Score(0, n=1))
    result = metrics.DCI(0, 0, 0, 0, "boosting", np.zeros((2, 1)), 1)
    monkeypatch.setattr(_dci, "dci", lambda *parts, **options: seen.append(parts) or result)
    rows = np.arange(n)[:, None]
    score(np.hstack([rows, rows]), rows, [name])
    ((z, y, z_test, y_test),) = seen
    np.testing.assert_array_equal(z[:, :1], y)
    np.testing.assert_array_equal(z_test[:, :1], y_test)
    assert (len(set(y[:, 0])), len(set(y_test[:, 0]))) == (train, test)
    assert not set(y[:, 0]) & set(y_test[:, 0])


@pytest.mark.parametrize("name", ["mig", "modularity"])
def test_mig_and_modularity_see_at_most_the_published_number(monkeypatch, name):
    seen = []
    monkeypatch.setattr(_gaps, name, lambda z, y, **options: seen.append((z, y)) or metrics.Score(0, n=1))
    rows = np.arange(100_010)[:, None]
    score(rows, rows, [name])
    ((z, y),) = seen
    np.testing.assert_array_equal(z, y)
    assert len(np.unique(z)) == 100_000


def test_all_metrics_at_once_are_what_each_gives():
    latents, factors = data()
    groups = np.arange(900) // 30
    scores = score(latents, factors, ALONE, protocol="rectangular", groups=groups, seed=3)
    order = np.random.default_rng(3).permutation(900)
    parts = latents[order[:600]], factors[order[:600]], latents[order[600:]], factors[order[600:]]
    assert scores.keys() == set(ALONE)
    mcc = metrics.mcc(latents, factors, protocol="rectangular", groups=groups, seed=3)
    assert (scores["mcc"]["score"], scores["mcc"]["interval"]) == (mcc.score, list(mcc.interval))
    assert "resampled" not in scores["mcc"]
    for name, variant in (("dci", "boosting"), ("dci-tree", "tree"), ("dci-linear", "linear")):
        alone = metrics.dci(*parts, variant=variant, seed=3)
        assert scores[name]["importance"] == alone.importance.tolist()
        assert (scores[name]["variant"], scores[name]["disentanglement"]) == (variant, alone.disentanglement)
    assert scores["sap"] == metrics.sap(*parts)
    assert scores["mig"] == metrics.mig(latents[order], factors[order])
    assert scores["modularity"] == metrics.modularity(latents[order], factors[order])
    assert scores["beta-vae"] == metrics.beta_vae(latents, factors, seed=3)
    assert scores["factor-vae"] == metrics.factor_vae(latents, factors, seed=3)
    drawn = latents[order], factors[order]
    for name in ("mig-sup", "dcimig", "jemmig", "explicitness", "irs"):
        assert scores[name] == float(getattr(metrics, name.replace("-", "_"))(*drawn)), name
    for name in ("flatness", "linearity"):
        assert scores[name] == float(getattr(metrics, name)(latents, factors)), name
    for name, variant in (("r2", "linear"), ("r2-nonlinear", "boosting")):
        alone = metrics.r2(*parts, variant=variant, seed=3)
        assert scores[name] == {"score": float(alone), "n": 300, "by_factor": alone.parts["by_factor"].tolist()}
    alone = metrics.infomec(*drawn, seed=3)
    assert scores["infomec"]["compactness"] == alone.compactness
    assert scores["infomec"]["information"] == alone.information.tolist()
    alone = metrics.block_mcc(latents, factors, [[0], [1]])
    assert scores["block-mcc"]["score"] == float(alone)


@pytest.mark.parametrize(
    ("names", "block"),
    [
        (("y", "x", "area"), [0, 0, 1]),
        (("shape", "x", "y"), [1, 0, 0]),
        (("a", "b", "x"), [1, 2, 0]),
        (None, [0, 1, 2]),
    ],
)
def test_x_and_y_are_one_block(names, block):
    rng = np.random.default_rng(0)
    scores = score(
        rng.normal(size=(90, 4)), rng.normal(size=(90, 3)), ["block-mcc"], discrete=False, factor_names=names
    )
    assert scores["block-mcc"]["block"] == block


def test_scores_that_were_numbers_are_numbers():
    latents, factors = data(200)
    scores = score(latents, factors, ["mig", "sap", "modularity", "beta-vae", "factor-vae", "irs"])
    assert {type(value) for value in scores.values()} == {float}


@pytest.mark.parametrize("name", ["explicitness", "infomec", "irs"])
def test_what_is_fitted_and_scored_on_the_same_sees_at_most_the_published_number(monkeypatch, name):
    seen = []
    module = sys.modules[f"slowvae.metrics._{name}"]
    monkeypatch.setattr(module, name, lambda z, y, **options: seen.append((z, y)) or metrics.Score(0, n=1))
    rows = np.arange(10_010)[:, None]
    score(rows, rows, [name])
    ((z, y),) = seen
    np.testing.assert_array_equal(z, y)
    assert len(np.unique(z)) == 10_000


def test_continuous_factors_are_taken_as_quantities_or_cut():
    rng = np.random.default_rng(0)
    factors = rng.uniform(size=(900, 2))
    latents = factors + 0.05 * rng.normal(size=factors.shape)
    quantities = score(latents, factors, ["dci-linear", "dci-tree", "sap"], discrete=False)
    assert quantities["dci-tree"]["disentanglement"] > 0.9
    assert quantities["sap"] > 0.8  # of squared correlations
    able = [name for name in ALONE if name not in ("flatness", "linearity")]  # of which quantities have no traversals
    cut = score(latents, factors, able, discrete=False, factor_bins=5)
    assert cut["mig"] > 0.5
    assert cut["sap"] != quantities["sap"]
    assert 0.7 < cut["dci"]["informativeness_test"] < 1


def test_what_there_is_not_or_does_not_apply_is_refused():
    latents, factors = data(90)
    for call, message in (
        (lambda: score(latents, factors, ["best"]), "unknown metric 'best'; there are mcc, "),
        (lambda: score(latents, factors, ["mcc", "mig"], discrete=False), "mig needs discrete factors"),
        (lambda: score(latents, factors, ["udr"]), "udr compares"),
        (lambda: score(latents, factors, ["mcc"], seed=-1), "seed -1"),
        (lambda: score(latents[:3], factors, ["mcc"]), "the same N"),
        (lambda: score(latents[:60], factors, ["mig"]), "the same N"),
        (lambda: score(latents * np.nan, factors, ["mig"]), "^latents: 90 of 90 rows are not finite"),
        (lambda: score(latents, factors * np.nan, ["mig"]), "^factors: 90 of 90 rows are not finite"),
        (lambda: check_names([]), "name a metric; there are mcc, "),
        (lambda: check_names(["mcc", "MCC"]), "unknown metric 'MCC'"),
        (lambda: check_names(["beta-vae"], discrete=False), "beta-vae needs discrete factors"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
    check_names(METRICS)
    continuous = ["mcc", "block-mcc", "r2", "r2-nonlinear", "dci", "dci-tree", "dci-linear", "sap", "udr"]
    check_names(continuous, discrete=False)
    for name in METRICS.keys() - continuous:
        with pytest.raises(UsageError, match=f"{name} needs discrete factors"):
            check_names([name], discrete=False)


def test_the_page_has_a_line_for_every_metric():
    page = (ROOT / "docs/metrics.md").read_text()
    table = page[page.index("| metric | what it asks |") :].partition("\n\n")[0]
    first = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert sorted(re.findall("`([a-z0-9-]+)`", " ".join(first))) == sorted(METRICS)


def test_the_seed_is_0_unless_it_is_said():
    latents, factors = data(200)
    mine, zero, one = (score(latents, factors, ["mcc"], **options) for options in ({}, {"seed": 0}, {"seed": 1}))
    assert mine == zero
    assert mine["mcc"]["interval"] != one["mcc"]["interval"]
