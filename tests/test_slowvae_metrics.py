import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from datagen.errors import UsageError
from slowvae import metrics

SIZES = (4, 3, 5)


def grid(repeats: int = 60, seed: int = 0) -> np.ndarray:
    """Return all combinations of three factors, each several times, shuffled."""
    values = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, len(SIZES))
    return np.random.default_rng(seed).permutation(np.repeat(values, repeats, axis=0))


def perfect(factors: np.ndarray) -> np.ndarray:
    """Return one clean latent a factor and two of noise."""
    rng = np.random.default_rng(1)
    clean = (factors - factors.mean(0)) / factors.std(0) + 0.01 * rng.normal(size=factors.shape)
    return np.hstack([clean, rng.normal(size=(len(factors), 2))])


def halves(latents: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, ...]:
    middle = len(latents) // 2
    return latents[:middle], factors[:middle], latents[middle:], factors[middle:]


def all_scores(latents: np.ndarray, factors: np.ndarray) -> dict[str, float]:
    parts = halves(latents, factors)
    boosted = metrics.dci(*parts)
    return {
        "mcc": metrics.mcc(latents, factors, protocol="rectangular").score,
        "mig": metrics.mig(latents, factors),
        "sap": metrics.sap(*parts),
        "modularity": metrics.modularity(latents[:, : factors.shape[1]], factors),
        "disentanglement": boosted.disentanglement,
        "completeness": boosted.completeness,
        "beta_vae": metrics.beta_vae(latents, factors, num_train=1000, num_test=500),
        "factor_vae": metrics.factor_vae(latents, factors, num_train=1000, num_test=500),
    }


@pytest.fixture(scope="module")
def perfect_scores():
    factors = grid()
    return all_scores(perfect(factors), factors)


@pytest.mark.golden
def test_scores_equal_disentanglement_lib(golden):
    data = np.load(golden / "metrics_public.npz")
    parts = tuple(data[f"{what}_{split}"] for split in ("train", "test") for what in ("latents", "factors"))
    assert metrics.mig(*parts[:2]) == pytest.approx(float(data["mig"]), rel=1e-12)
    assert metrics.modularity(*parts[:2]) == pytest.approx(float(data["modularity"]), rel=1e-12)
    assert metrics.sap(*parts) == pytest.approx(float(data["sap"]), abs=1e-3)
    scores = metrics.dci(*parts)
    for name in ("disentanglement", "completeness", "informativeness_train", "informativeness_test"):
        assert getattr(scores, name) == pytest.approx(float(data[f"dci_{name}"]), abs=0.02), name


@pytest.mark.golden
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_mcc_equals_the_release(golden, method):
    data = np.load(golden / "mcc_public.npz")
    score = metrics.mcc(data["latents"], data["factors"], method, seed=int(data["noise_seed"]))
    assert score.score == pytest.approx(float(data[method]), rel=1e-12)
    assert (score.n, score.protocol) == (2000, "klindt2021")


@pytest.mark.golden
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_mcc_matrix_equals_the_release(golden, method):
    data = np.load(golden / "release/mcc_input.npz")
    expected = json.loads((golden / "release/mcc_expected.json").read_text())[method.capitalize()]
    score = metrics.mcc(data["mus"].T, data["ys"].T, method, seed=0)
    assert score.score == pytest.approx(expected["meanabscorr"], rel=1e-12)
    for k, latent in enumerate(score.assignment):
        assert latent == expected[f"sort_idx_{k}"]
        assert score.correlation[k, latent] == pytest.approx(expected[f"corr_sorted_{11 * k:02}"], rel=1e-9)


def test_perfect_latents_score_high(perfect_scores):
    for name, score in perfect_scores.items():
        # SAP compares accuracies: the second best latent guesses right once in as many times as there are values.
        assert score > (0.5 if name == "sap" else 0.95), name


def test_order_sign_and_scale_do_not_matter(perfect_scores):
    factors = grid()
    latents = perfect(factors)[:, [2, 0, 1, 4, 3]] * [-3, 0.5, 2, 1, 1]
    scores = all_scores(latents, factors)
    for name, score in scores.items():
        tolerance = 0.06 if name in ("sap", "modularity") else 0.02  # the machine's margin depends on the scale
        assert score == pytest.approx(perfect_scores[name], abs=tolerance), name


def test_rotated_latents_score_lower(perfect_scores):
    factors = grid()
    latents = perfect(factors)
    q = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    latents[:, :3] = latents[:, :3] @ q
    scores = all_scores(latents, factors)
    for name in ("mcc", "mig", "sap", "modularity", "disentanglement", "completeness", "factor_vae"):
        assert scores[name] < perfect_scores[name] - 0.05, name


def test_constant_latents_score_as_chance():
    factors = grid()
    latents = np.zeros((len(factors), 5))
    scores = all_scores(latents, factors)
    assert scores["beta_vae"] == pytest.approx(1 / 3, abs=0.1)
    for name in scores.keys() - {"beta_vae"}:
        assert scores[name] == pytest.approx(0, abs=1e-9), name


def test_a_duplicated_code_loses_the_gap_but_not_the_rest(perfect_scores):
    factors = grid()
    latents = perfect(factors)
    latents = np.hstack([latents[:, :3], latents[:, :3]])
    scores = all_scores(latents, factors)
    assert scores["mig"] == pytest.approx(0, abs=1e-9)
    assert scores["sap"] == pytest.approx(0, abs=1e-9)
    for name in ("mcc", "modularity", "disentanglement", "beta_vae", "factor_vae"):
        assert scores[name] == pytest.approx(perfect_scores[name], abs=0.02), name


def test_noise_scores_low():
    factors = grid()
    scores = all_scores(np.random.default_rng(0).normal(size=(len(factors), 5)), factors)
    for name in ("mcc", "mig", "sap", "disentanglement", "completeness"):
        assert scores[name] < 0.15, name
    for name in ("beta_vae", "factor_vae"):
        assert scores[name] < 0.6, name


@pytest.mark.parametrize("variant", ["boosting", "tree", "linear"])
@pytest.mark.parametrize("continuous", [False, True])
def test_dci_variants_tell_perfect_from_rotated(variant, continuous):
    factors = grid(repeats=20)
    latents = perfect(factors)
    rotated = latents.copy()
    rotated[:, :3] = rotated[:, :3] @ np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    good, bad = (metrics.dci(*halves(z, factors), variant=variant, continuous=continuous) for z in (latents, rotated))
    assert good.variant == variant
    assert good.disentanglement > 0.9 > bad.disentanglement + 0.1
    assert good.completeness > 0.9 > bad.completeness + 0.1
    assert good.informativeness_test > 0.9


def test_sap_of_quantities_is_the_gap_of_squared_correlations():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(5000, 2))
    latents = np.stack([factors[:, 0], factors[:, 1], factors[:, 0] + rng.normal(size=5000)], axis=1)
    expected = (1 - 0.5 + 1 - 0) / 2
    assert metrics.sap(latents, factors, latents, factors, continuous=True) == pytest.approx(expected, abs=0.02)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), n=st.integers(20, 200), spread=st.floats(0, 2))
def test_mcc_does_not_change_with_order_sign_and_monotone_maps(seed, n, spread):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 3))
    latents = np.hstack([factors + spread * rng.normal(size=(n, 3)), rng.normal(size=(n, 2))])
    plain = metrics.mcc(latents, factors, protocol="rectangular")
    order = rng.permutation(5)
    changed = metrics.mcc(np.exp(latents[:, order] * rng.choice([-1, 1], 5)), factors, protocol="rectangular")
    assert changed.score == pytest.approx(plain.score, abs=1e-9)
    np.testing.assert_array_equal(order[changed.assignment], plain.assignment)
    assert 0 <= plain.interval[0] <= plain.interval[1] <= 1 + 1e-12
    for k in range(3):
        assert plain.correlation[k, 0] == pytest.approx(spearmanr(factors[:, k], latents[:, 0])[0], abs=1e-9)


def test_held_out_does_not_profit_from_chance():
    rng = np.random.default_rng(0)
    latents, factors = rng.normal(size=(60, 10)), rng.normal(size=(60, 3))
    fitted = metrics.mcc(latents, factors, protocol="rectangular").score
    held_out = np.mean([metrics.mcc(latents, factors, protocol="held-out", seed=s).score for s in range(10)])
    by_chance = np.sqrt(2 / (np.pi * 29))  # expected |r| of 30 independent pairs
    assert held_out == pytest.approx(by_chance, abs=0.03)
    assert fitted > held_out + 0.05


def test_mcc_interval_covers_the_truth_and_groups_widen_it():
    rng = np.random.default_rng(0)
    truth, covered = 6 / np.pi * np.arcsin(0.5 / 2), 0  # Spearman's correlation of normals with correlation 0.5
    for seed in range(40):
        y = rng.normal(size=(400, 1))
        z = 0.5 * y + np.sqrt(0.75) * rng.normal(size=(400, 1))
        low, high = metrics.mcc(z, y, protocol="rectangular", seed=seed).interval
        covered += low <= truth <= high
    assert covered >= 34  # 38 expected
    y = np.repeat(rng.normal(size=(40, 1)), 10, axis=0) + 0.01 * rng.normal(size=(400, 1))
    z = y + np.repeat(rng.normal(size=(40, 1)), 10, axis=0)
    narrow = metrics.mcc(z, y, protocol="rectangular").interval
    wide = metrics.mcc(z, y, protocol="rectangular", groups=np.arange(400) // 10).interval
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_mcc_draws_at_most_the_published_number():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(12_000, 4))
    assert metrics.mcc(latents, latents[:, :2]).n == 10_000
    assert metrics.mcc(latents, latents[:, :2], num_samples=500).n == 500


def test_udr_ranks_agreeing_models_higher():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(2000, 4))
    alike = [factors[:, rng.permutation(4)] * rng.choice([-2.0, 1.0], 4) for _ in range(3)]
    rotated = factors @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
    for method in ("spearman", "lasso"):
        scores = metrics.udr([*alike, rotated], method=method)
        assert scores[:3].min() > 0.75
        assert scores[3] < scores[:3].min() - 0.2
    # A latent that the prior swallowed says nothing, however noisy it is.
    noisy = [np.hstack([each, rng.normal(size=(2000, 2))]) for each in alike]
    divergences = [np.array([1, 1, 1, 1, 0.001, 0.001])] * 3
    assert metrics.udr(noisy, divergences).min() > metrics.udr(noisy).max()
    assert metrics.udr([factors, np.zeros((2000, 4))]).tolist() == [0, 0]


BAD = {
    "different lengths": (np.zeros((5, 3)), np.arange(8).reshape(4, 2), "the same N"),
    "one dimension": (np.zeros(5), np.arange(10).reshape(5, 2), "the same N"),
    "nan": (np.array([[0.0], [np.nan], [1.0]]), np.arange(3)[:, None], "first row 1"),
    "constant factor": (
        np.random.default_rng(0).normal(size=(4, 3)),
        np.array([[0, 1], [1, 1], [2, 1], [3, 1]]),
        "1 never",
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("metric", [metrics.mcc, metrics.mig, metrics.modularity, metrics.beta_vae, metrics.factor_vae])
def test_arrays_that_cannot_be_scored_are_refused_in_one_line(name, metric):
    latents, factors, message = BAD[name]
    with pytest.raises(UsageError, match=message) as caught:
        metric(latents, factors)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z: metrics.mcc(z, z, method="kendall"), "unknown method"),
        (lambda z: metrics.mcc(z, z, protocol="best"), "unknown protocol"),
        (lambda z: metrics.mcc(z[:, :1], z), "cannot be assigned"),
        (lambda z: metrics.dci(z, z, z, z, variant="deep"), "unknown variant"),
        (lambda z: metrics.mig(z[:, :1], z), "at least two"),
        (lambda z: metrics.udr([z]), "at least two models"),
        (lambda z: metrics.udr([z, z[:3]]), "the same N"),
        (lambda z: metrics.udr([z, z], method="cca"), "unknown method"),
    ],
)
def test_wrong_calls_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call(np.random.default_rng(0).normal(size=(50, 3)))


@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize("num_features", [1, 4])
def test_boosting_equals_scikit_learn(num_classes, num_features):
    from sklearn.ensemble import GradientBoostingClassifier

    from slowvae.metrics.boosting import boost

    rng = np.random.default_rng(num_classes)
    x, x_test = (np.hstack([rng.normal(size=(n, num_features)), np.ones((n, 1))]) for n in (700, 2000))
    signal = x[:, 0] + 0.5 * x[:, num_features - 1] ** 2 + 0.3 * rng.normal(size=len(x))
    y = np.searchsorted(np.quantile(signal, np.linspace(0, 1, num_classes + 1)[1:-1]), signal)
    theirs = GradientBoostingClassifier(random_state=0).fit(x, y)
    importance, train, test = boost(x, y, x_test)
    assert importance[-1] == 0
    np.testing.assert_allclose(importance, theirs.feature_importances_, atol=0.01)
    # Of several features some bring equally good splits; which is taken first is chance, there as well.
    agreement = 0.998 if num_features == 1 else 0.95
    assert (train == theirs.predict(x)).mean() >= agreement
    assert (test == theirs.predict(x_test)).mean() >= agreement


def test_boosting_of_nothing_to_tell_has_no_importance():
    from slowvae.metrics.boosting import boost

    importance, train, test = boost(np.zeros((50, 2)), np.arange(50) % 3, np.zeros((5, 2)))
    assert importance.tolist() == [0, 0]
    assert len(set(train)) == len(set(test)) == 1
