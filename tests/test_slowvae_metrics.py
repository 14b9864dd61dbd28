import inspect
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import pearsonr, spearmanr

from datagen.errors import UsageError
from slowvae import metrics
from slowvae.metrics._arrays import as_numbers

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
    assert metrics.sap(*parts) == pytest.approx(float(data["sap"]), rel=1e-12)
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
@pytest.mark.parametrize("case", range(6))
def test_weak_mcc_equals_the_release_by_its_noise(golden, case, method):
    data = np.load(golden / "mcc_noise_public.npz")
    score = metrics.mcc(data[f"{case}/latents"], data[f"{case}/factors"], method, seed=5, intervals=False)
    assert score.score == pytest.approx(float(data[f"{case}/{method}"]), abs=1e-12)


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_padding_is_drawn_factor_by_factor(method):
    rng = np.random.default_rng(0)
    latents, factors = rng.normal(size=(51, 7)), rng.normal(size=(51, 2))
    noise = np.random.RandomState(3)
    padded = np.vstack([*factors.T, *(noise.normal(size=51) for _ in range(5))])
    correlate = spearmanr if method == "spearman" else pearsonr
    table = np.abs([[correlate(y, z)[0] for z in latents.T] for y in padded])
    rows, columns = linear_sum_assignment(-table)
    scored = metrics.mcc(latents, factors, method, seed=3)
    assert scored.score == pytest.approx(table[rows, columns][:2].mean(), abs=1e-14)
    np.testing.assert_array_equal(scored.assignment, columns[:2])
    np.testing.assert_allclose(np.abs(scored.correlation), table[:2], atol=1e-14)


@pytest.mark.parametrize("groups", [None, np.arange(40) // 4, np.zeros(40)])
def test_the_bootstrap_draws_groups_and_assigns_anew(groups):
    rng = np.random.default_rng(0)
    latents, factors = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    scored = metrics.mcc(latents, factors, "pearson", "rectangular", seed=7, groups=groups)
    members = np.arange(40) // 4 if groups is not None and groups.any() else np.arange(40)
    rows_of = [np.flatnonzero(members == g) for g in range(members.max() + 1)]
    draws, expected = np.random.default_rng(7), []
    for _ in range(200):
        rows = np.concatenate([rows_of[g] for g in draws.integers(len(rows_of), size=len(rows_of))])
        table = np.abs(np.corrcoef(factors[rows].T, latents[rows].T)[:2, 2:])
        expected.append(table[linear_sum_assignment(-table)].mean())
    np.testing.assert_allclose(scored.resampled, expected, rtol=1e-12)
    about = expected - np.mean(expected) + scored.score
    np.testing.assert_allclose(scored.interval, np.clip(np.quantile(about, [0.025, 0.975]), 0, 1), rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_the_interval_of_noise_holds_its_own_score(seed):
    """Draws are assigned anew, and so score higher than the whole, by more than they spread."""
    rng = np.random.default_rng(seed)
    latents, factors = rng.normal(size=(900, 10)), np.repeat(rng.normal(size=(30, 3)), 30, axis=0)
    scored = metrics.mcc(latents, factors, groups=np.arange(900) // 30)
    assert scored.interval[0] <= scored.score <= scored.interval[1]


@pytest.mark.parametrize("data_seed", range(4))
def test_held_out_assigns_on_one_half_and_scores_and_resamples_the_other(data_seed):
    rng = np.random.default_rng(data_seed)
    latents, factors = rng.normal(size=(41, 4)), rng.normal(size=(41, 2))
    scored = metrics.mcc(latents, factors, "pearson", "held-out", seed=7)
    draws = np.random.default_rng(7)
    held_out = draws.permutation(41) >= 20
    table = lambda rows: np.abs(np.corrcoef(factors[rows].T, latents[rows].T)[:2, 2:])  # noqa: E731
    assigned = linear_sum_assignment(-table(np.flatnonzero(~held_out)))
    kept = np.flatnonzero(held_out)
    assert (scored.n, scored.assignment.tolist()) == (21, assigned[1].tolist())
    assert scored.score == pytest.approx(table(kept)[assigned].mean(), rel=1e-12)
    expected = [table(kept[draws.integers(21, size=21)])[assigned].mean() for _ in range(200)]
    np.testing.assert_allclose(scored.resampled, expected, rtol=1e-12)


def test_without_intervals_the_score_is_the_same():
    rng = np.random.default_rng(0)
    latents, factors = rng.normal(size=(100, 5)), rng.normal(size=(100, 2))
    for protocol in ("klindt2021", "rectangular", "held-out"):
        full, bare = (
            metrics.mcc(latents, factors, protocol=protocol, intervals=with_intervals)
            for with_intervals in (True, False)
        )
        assert bare.score == full.score
        assert (bare.interval, bare.resampled.tolist()) == (None, [])
        np.testing.assert_array_equal(bare.correlation, full.correlation)


def test_a_constant_latent_has_correlation_0_and_a_constant_resample_none():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(30, 1))
    rare = (np.arange(30) == 0) * 1.0  # two resamples in five lack it
    latents = np.stack([np.full(30, 0.1), rare], axis=1)
    scored = metrics.mcc(latents, factors, "pearson", "rectangular")
    assert scored.correlation[0, 0] == 0
    assert 0.2 < (scored.resampled == 0).mean() < 0.55


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


def test_udr_is_the_median_over_pairs_of_squared_dominance():
    rng = np.random.default_rng(0)
    models = [rng.normal(size=(50, width)) for width in (3, 2, 4)]
    models[1] += models[0][:, :2]

    def agreement(a, b):
        table = np.abs([[spearmanr(x, y)[0] for y in b.T] for x in a.T])
        return np.mean([max(r) ** 2 / sum(r) for r in [*table, *table.T]])

    pairs = np.array([[np.nan if a is b else agreement(a, b) for b in models] for a in models])
    np.testing.assert_allclose(metrics.udr(models), np.nanmedian(pairs, axis=1), rtol=1e-12)
    dull = [np.array([0.01, 0.011, 5]), np.array([1, 1]), np.ones(4)]
    pairs = np.array([[np.nan if a is b else agreement(a, b) for b in models] for a in [models[0][:, 1:], *models[1:]]])
    assert metrics.udr(models, dull)[0] == pytest.approx(np.nanmedian(pairs[0, 1:]), rel=1e-12)


def test_udr_leaves_out_what_is_constant_in_either_model():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(50, 3))
    other = z[:, [1, 0]] + rng.normal(size=(50, 2))
    dull = np.insert(z, 1, 7, axis=1)
    for first, second in ((dull, other), (other, dull)):
        kept = [np.delete(each, 1, axis=1) if each is dull else each for each in (first, second)]
        for method in ("spearman", "lasso"):
            agreement = metrics.udr([first, second], method=method)
            assert agreement.tolist() == metrics.udr(kept, method=method).tolist()
            assert 0 < agreement[0] < 1
    for models in ([z, np.ones((50, 2))], [np.ones((50, 2)), z], [np.ones((50, 2))] * 2):
        assert metrics.udr(models).tolist() == [0, 0]


def test_udr_counts_a_latent_that_no_other_takes_part_in_as_0():
    u, v, w = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 4)) - 0)[0][:, 1:].T
    u, v, w = np.linalg.qr(np.stack([u - u.mean(), v - v.mean(), w - w.mean()], axis=1))[0].T
    agreement = metrics.udr([np.stack([u, v], axis=1), np.stack([w, -3 * u], axis=1)], method="lasso")
    np.testing.assert_allclose(agreement, 0.9 / 2, rtol=1e-6)  # of 1 less the penalty; two of the four have no weight


def test_udr_takes_two_samples_and_names_ten_models_at_most():
    z = np.random.default_rng(0).normal(size=(5, 3))
    assert metrics.udr([z[:2], z[:2]]).tolist() == pytest.approx([1 / 3] * 2)
    for number in (3, 12):
        with pytest.raises(UsageError) as caught:
            metrics.udr([*[z] * number, z[:3]])
        assert str(caught.value).count("(5, 3)") == min(number, 10)


@pytest.mark.parametrize("scale", [1e95, 1e-160])
def test_pearson_s_mcc_of_any_unit(scale):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(200, 2))
    latents = factors + rng.normal(size=(200, 2))
    options = {"method": "pearson", "protocol": "rectangular"}
    plain = metrics.mcc(latents, factors, **options)
    for z, y in ((latents * scale, factors), (latents, factors * scale), (latents * [scale, 1], factors * scale)):
        other = metrics.mcc(z, y, **options)
        assert other.score == pytest.approx(plain.score, rel=1e-12)
        np.testing.assert_allclose(other.interval, plain.interval, rtol=1e-9)


def test_no_correlation_is_above_1_by_rounding():
    for seed in range(60):
        factors = np.random.default_rng(seed).normal(size=(7, 2))
        scored = metrics.mcc(-3 * factors, factors, "pearson", "rectangular")
        assert np.abs(scored.correlation).max() <= 1
        assert scored.resampled.max() <= 1


def test_sap_of_cut_factors_is_that_of_their_bins():
    rng = np.random.default_rng(0)
    y = rng.uniform(size=(600, 2))
    y[:2], y[2:4] = 0, 1  # the training part has the ends
    z = y + 0.1 * rng.normal(size=y.shape)
    cut = np.floor(4 * y).clip(max=3)
    assert metrics.sap(*halves(z, y), factor_bins=4) == metrics.sap(*halves(z, cut))
    assert metrics.dci(*halves(z, y), variant="tree", factor_bins=4).importance.tolist() == (
        metrics.dci(*halves(z, cut), variant="tree").importance.tolist()
    )


def test_udr_by_lasso_takes_the_weights_of_standardised_latents():
    rng = np.random.default_rng(0)
    a = np.linalg.qr(rng.normal(size=(60, 3)) - 0)[0]
    a = np.linalg.qr(a - a.mean(0))[0] * [1, 2, 3]  # uncorrelated: a lasso weighs each by its correlation less 0.1
    b = a[:, [1, 0, 2]] + 0.3 * np.linalg.qr(rng.normal(size=(60, 3)))[0]
    r = np.corrcoef(a.T, b.T)[:3, 3:]
    table = np.maximum(np.abs(r) - 0.1, 0)
    expected = np.mean([max(row) ** 2 / sum(row) for row in [*table, *table.T]])
    assert metrics.udr([a, b], method="lasso")[0] == pytest.approx(expected, rel=1e-6)


def test_factor_vae_weighs_each_latent_by_its_own_variance(perfect_scores):
    factors = grid()
    numbers = {"num_train": 1000, "num_test": 500}
    scaled = perfect(factors) * [50, 1, 0.05, 20, 20]
    assert metrics.factor_vae(scaled, factors, **numbers) == perfect_scores["factor_vae"]


@pytest.mark.parametrize("shift", [1e6, -1e9])
@pytest.mark.parametrize("scale", [1, 1e-6, 1e6])
def test_where_latents_lie_and_how_wide_does_not_matter(shift, scale):
    factors = grid(20)
    latents = perfect(factors)
    moved = scale * (latents + shift / max(scale, 1) * min(scale, 1))
    numbers = {"num_train": 1000, "num_test": 500}
    for score, tolerance in (
        (lambda z: metrics.mig(z, factors), 1e-9),
        (lambda z: metrics.modularity(z, factors), 1e-9),
        (lambda z: metrics.sap(*halves(z, factors)), 0.1),  # the machine's margin depends on the scale
        (lambda z: metrics.sap(*halves(z, factors), continuous=True), 1e-6),
        (lambda z: metrics.dci(*halves(z, factors)).disentanglement, 0.01),
        (lambda z: metrics.dci(*halves(z, factors), variant="linear").disentanglement, 1e-3),
        (lambda z: metrics.beta_vae(z, factors, **numbers), 0.02),
        (lambda z: metrics.factor_vae(z, factors, **numbers), 1e-9),
        (lambda z: metrics.mcc(z, factors, "pearson", intervals=False).score, 1e-6),
    ):
        assert score(moved) == pytest.approx(score(latents), abs=tolerance)


def copies(num_factors: int = 10, values: int = 10, n: int = 1000) -> tuple[np.ndarray, ...]:
    """Return factors and twice the same as latents, train and test, as in disentanglement_lib's test of duplicates."""
    factors = np.random.default_rng(0).integers(values, size=(2 * n, num_factors))
    return halves(np.hstack([factors, factors]).astype(float), factors)


def test_boosting_divides_what_copies_of_a_latent_tell():
    scores = [metrics.dci(*copies(), seed=seed) for seed in (0, 1)]
    for score in scores:
        assert score.disentanglement > 0.9
        assert 0.599 < score.completeness < 0.799  # disentanglement_lib's bounds
        assert score.completeness == pytest.approx(1 - np.log(2) / np.log(20), abs=0.01)
    assert (scores[0].importance != scores[1].importance).any()
    again = metrics.dci(*copies(), seed=1)
    np.testing.assert_array_equal(again.importance, scores[1].importance)


@pytest.mark.parametrize("variant", ["boosting", "tree", "linear"])
@pytest.mark.parametrize("sign", [1, -2])
def test_every_variant_divides_what_copies_tell(variant, sign):
    factors = grid(20)
    latents = factors.astype(float)
    score = metrics.dci(*halves(np.hstack([latents, sign * latents]), factors), variant=variant)
    assert score.disentanglement > 0.95
    assert score.completeness == pytest.approx(1 - np.log(2) / np.log(6), abs=0.03)


def test_dci_of_nothing_known_is_0_even_of_a_single_factor():
    factors = grid(5)[:, :1]
    score = metrics.dci(*halves(np.zeros((len(factors), 3)), factors))
    assert (score.disentanglement, score.completeness) == (0, 0)


NEED_CLASSES = {
    "mig": metrics.mig,
    "modularity": metrics.modularity,
    "beta-vae": lambda z, y, **options: metrics.beta_vae(z, y, num_train=1000, num_test=500, **options),
    "factor-vae": lambda z, y, **options: metrics.factor_vae(z, y, num_train=1000, num_test=500, **options),
    "sap": lambda z, y, **options: metrics.sap(*halves(z, y), **options),
    "dci": lambda z, y, **options: metrics.dci(*halves(z, y), **options).disentanglement,
}


@pytest.mark.parametrize("name", NEED_CLASSES)
def test_continuous_factors_are_refused_or_cut(name):
    rng = np.random.default_rng(0)
    factors = rng.uniform(size=(2000, 3))
    mixed = np.column_stack([rng.integers(3, size=2000), factors[:, 1:]])
    for each, first in ((factors, 0), (mixed, 1), (np.repeat(factors[:1000], 2, axis=0), 0)):
        with pytest.raises(UsageError, match=f"{name} needs discrete factors, and factor {first} has .*factor_bins=20"):
            NEED_CLASSES[name](each.copy(), each)
    good = NEED_CLASSES[name](factors, factors, factor_bins=8)
    bad = NEED_CLASSES[name](rng.normal(size=factors.shape), factors, factor_bins=8)
    # The machines of SAP are linear: of one latent's bins they tell the outer ones.
    assert good > bad + (0.1 if name == "sap" else 0.3)
    classes = np.floor(8 * (factors - factors.min(0)) / np.ptp(factors, axis=0)).clip(max=7)
    if name not in ("sap", "dci"):  # of which the train part alone says where to cut
        assert good == NEED_CLASSES[name](factors, classes)
    for bins in (1, 2.5, 10**6, True):
        with pytest.raises(UsageError, match=r"factor_bins .*whole number"):
            NEED_CLASSES[name](factors, factors, factor_bins=bins)


def test_few_values_stay_as_they_are_when_factors_are_cut():
    factors = grid(20) * [0.1, 1, 10]  # of 4, 3 and 5 values
    latents = perfect(grid(20))
    assert metrics.mig(latents, factors, factor_bins=5) == metrics.mig(latents, factors)
    assert metrics.mig(latents, factors, factor_bins=4) != metrics.mig(latents, factors)


def test_three_samples_a_value_are_discrete_and_fewer_are_not():
    latents = np.random.default_rng(0).normal(size=(30, 2))
    assert 0 <= metrics.mig(latents, np.arange(30)[:, None] // 3) <= 1
    with pytest.raises(UsageError, match="11 values in 30 samples"):
        metrics.mig(latents, (np.arange(30) % 11)[:, None])


@pytest.mark.parametrize("variant", ["boosting", "tree"])
def test_classes_may_have_any_values(variant):
    factors = grid(10)
    latents, named = perfect(factors), factors * 0.1 + 0.25
    plain, other = (metrics.dci(*halves(latents, y), variant=variant) for y in (factors, named))
    np.testing.assert_array_equal(plain.importance, other.importance)
    assert plain.informativeness_test == other.informativeness_test
    assert metrics.sap(*halves(latents, factors)) == metrics.sap(*halves(latents, named))


def test_a_class_that_training_lacks_counts_as_missed():
    factors = grid(10)
    z, y, z_test, y_test = halves(perfect(factors), factors)
    assert metrics.dci(z, y, z_test, y_test + 10).informativeness_test == 0
    assert metrics.sap(z, y, z_test, y_test + 10) == 0


_Z = np.random.default_rng(0).normal(size=(60, 4))
_Y = np.stack([np.arange(60) % 2, np.arange(60) % 3, np.arange(60) % 5], axis=1)

BAD = {
    "different lengths": (np.zeros((5, 3)), np.arange(8).reshape(4, 2), "the same N"),
    "one dimension": (np.zeros(5), np.arange(10).reshape(5, 2), "the same N"),
    "nan": (np.array([[0.0], [np.nan], [1.0]]), np.arange(3)[:, None], "first row 1"),
    "constant factor": (
        np.random.default_rng(0).normal(size=(4, 3)),
        np.array([[0, 1], [1, 1], [2, 1], [3, 1]]),
        "factor 1 .*never",
    ),
    "constant but for rounding": (_Z, np.where(np.arange(60)[:, None] % 2, 0.1 + 0.2, 0.3), "factor 0 .*never"),
    "constant but for rounding of float32": (
        _Z,
        np.nextafter(np.float32(0.3), np.arange(60)[:, None] % 2, dtype=np.float32),
        "factor 0 .*never",
    ),
    "single column": (_Z[:, 0], _Y, r"array\[:, None\]"),
    "no dimension": (5, 5, "the same N"),
    "three dimensions": (_Z[None], _Y, "the same N"),
    "empty": (_Z[:0], _Y[:0], "N >= 2"),
    "one row": (_Z[:1], _Y[:1], "N >= 2"),
    "no latents": (_Z[:, :0], _Y, "there is no latent"),
    "no factors": (_Z, _Y[:, :0], "there is no factor"),
    "latents transposed": (_Z.T, _Y, "latents look transposed, pass array.T"),
    "factors transposed": (_Z, _Y.T, "factors look transposed, pass array.T"),
    "both transposed": (_Z.T, _Y.T, "both look transposed, pass array.T"),
    "both transposed, as many": (_Z[:, :3].T, _Y.T, "fewer samples than factors.*array.T of both"),
    "infinite factors": (_Z, np.where(_Y == 4, np.inf, _Y), "factors: 12 of 60 rows are not finite, first row 4"),
    "complex": (_Z + 1j, _Y, "latents: complex"),
    "complex factors": (_Z, _Y + 1j, "factors: complex"),
    "objects": (_Z.astype(object), _Y, "latents: objects"),
    "none": (None, _Y, "latents: objects"),
    "text": (_Z.astype(str), _Y, "latents: text"),
    "bytes": (_Z.astype("S"), _Y, "latents: bytes"),
    "dates": (np.zeros((60, 4), "M8[s]"), _Y, "latents: dates"),
    "records": (np.zeros(60, [("a", "f8")]), _Y, "latents: records"),
    "ragged": ([[1], [1, 2]], _Y, "latents: cannot be taken as an array; pass rows of one length"),
    "masked": (np.ma.masked_array(_Z, _Z > 0), _Y, "latents: holds masked"),
    "huge": (_Z * 1e300, _Y, r"latents: values up to \de\+300 overflow"),
    "tensor of a graph": (torch.zeros(60, 4, requires_grad=True), _Y, r"\.detach\(\)\.cpu\(\)"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("metric", [metrics.mcc, metrics.mig, metrics.modularity, metrics.beta_vae, metrics.factor_vae])
def test_arrays_that_cannot_be_scored_are_refused_in_one_line(name, metric):
    latents, factors, message = BAD[name]
    with pytest.raises(UsageError, match=message) as caught:
        metric(latents, factors)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("metric", [metrics.sap, metrics.dci])
def test_either_part_of_two_is_refused_by_its_name(name, metric):
    latents, factors, message = BAD[name]
    for part, call in (
        ("_train", lambda: metric(latents, factors, _Z, _Y)),
        ("_test", lambda: metric(_Z, _Y, latents, factors)),
    ):
        expected = message.replace("latents", f"latents{part}").replace("factors look", f"factors{part} look")
        with pytest.raises(UsageError, match=expected.replace("factors:", f"factors{part}:")) as caught:
            call()
        assert part in str(caught.value)


@pytest.mark.parametrize("metric", [metrics.mcc, metrics.mig, metrics.modularity, metrics.beta_vae, metrics.factor_vae])
def test_arrays_of_other_kinds_are_scored_alike(metric):
    expected = metric(_Z, _Y)
    value = lambda result: result.score if isinstance(result, metrics.MCC) else result  # noqa: E731
    for latents, factors in (
        (_Z.tolist(), _Y.tolist()),
        (np.asfortranarray(_Z), _Y.astype(np.int8)),
        (_Z.astype(">f8"), _Y.astype(">i4")),
        (torch.from_numpy(_Z), torch.from_numpy(_Y)),
        (np.ma.masked_array(_Z), _Y),
    ):
        assert value(metric(latents, factors)) == value(expected)
    assert 0 <= value(metric(_Z > 0, _Y[:, :2] > 0)) <= 1


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
        (lambda z: metrics.udr([]), "at least two models"),
        (lambda z: metrics.udr([z[:1], z[:1]]), "N >= 2"),
        (lambda z: metrics.udr([z, z[:, 0]]), "at least two models"),
        (lambda z: metrics.udr([z, z * np.nan]), "model 1: 50 of 50 rows are not finite"),
        (lambda z: metrics.udr([z, z], [np.ones(3)]), "one number a latent, for every model"),
        (lambda z: metrics.udr([z, z], [np.ones(3), np.ones(2)]), "one number a latent"),
        (lambda z: metrics.udr([z, z], [np.ones(3), np.full(3, np.nan)]), "divergences of model 1"),
        (lambda z: metrics.mcc(z[:2, :1], z[:2, :1]), "2 samples of 1 latents: .* at least 3"),
        (lambda z: metrics.mcc(z[:3], z[:3]), "3 samples of 3 latents: .* at least 4"),
        (lambda z: metrics.mcc(z, z, num_samples=2), "num_samples 2: .* from 3"),
        (lambda z: metrics.mcc(z, z, num_samples=2**53 + 1), "num_samples .* to 9,007,199,254,740,992"),
        (lambda z: metrics.mcc(z, z, num_samples=1e4), "num_samples 10000.0: .*whole number"),
        (lambda z: metrics.mcc(z, z, seed=-1), "seed -1: .* from 0 to 4,294,967,295"),
        (lambda z: metrics.mcc(z, z, seed=2**32), "seed 4294967296"),
        (lambda z: metrics.mcc(z, z, seed=None), "seed None"),
        (lambda z: metrics.mcc(z, z, groups=np.arange(5)), r"groups \(5,\)"),
        (lambda z: metrics.mcc(z, z, groups=z), r"groups \(50, 3\)"),
        (lambda z: metrics.mcc(z, z, groups=[None, *range(49)]), "groups: must be"),
        (lambda z: metrics.mcc(z, z, groups=np.full(50, np.nan)), "groups: holds NaN"),
        (lambda z: metrics.mcc(z, z, protocol="held-out", groups=np.zeros(50)), "held-out: 0 samples"),
        (lambda z: metrics.mcc(z[:5], z[:5], protocol="held-out"), "held-out: 2 samples to assign on and 3"),
        (lambda z: metrics.mig(z, z > 0, bins=1), "bins 1: .* from 2 to 1,000"),
        (lambda z: metrics.modularity(z, z > 0, bins=10**9), "bins 1000000000"),
        (lambda z: metrics.sap(z[:, :1], z > 0, z[:, :1], z > 0), "at least two"),
        (lambda z: metrics.sap(z, z, z, z, continuous=True, factor_bins=5), "exclude each other"),
        (lambda z: metrics.dci(z, z, z, z, continuous=True, factor_bins=5), "exclude each other"),
        (lambda z: metrics.dci(z, z > 0, z, z > 0, seed=-1), "seed -1"),
        (lambda z: metrics.dci(z, z > 0, z[:, :2], z > 0), "train has 3 latents and 3 factors, test 2 and 3"),
        (lambda z: metrics.sap(z, z > 0, z, z[:, :2] > 0), "train has 3 latents and 3 factors, test 3 and 2"),
        (lambda z: metrics.beta_vae(z, z > 0, num_train=0), "num_train 0: .* from 1 to 1,000,000"),
        (lambda z: metrics.factor_vae(z, z > 0, num_test=0), "num_test 0"),
        (lambda z: metrics.beta_vae(z, z > 0, num_test=10**12), "num_test 1000000000000"),
        (lambda z: metrics.beta_vae(z, z > 0, batch_size=0), "batch_size 0: .* from 1"),
        (lambda z: metrics.factor_vae(z, z > 0, batch_size=1), "batch_size 1: .* from 2"),
        (lambda z: metrics.factor_vae(z, z > 0, seed=-1), "seed -1"),
        (lambda z: metrics.beta_vae(z, z[:, :1] > 0), "it needs at least two"),
        (lambda z: metrics.factor_vae(z, z[:, :1] > 0), "it needs at least two"),
    ],
)
def test_wrong_calls_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call(np.random.default_rng(0).normal(size=(50, 3)))


@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize("num_features", [1, 4])
def test_boosting_equals_scikit_learn(num_classes, num_features):
    from sklearn.ensemble import GradientBoostingClassifier

    from slowvae.metrics._boosting import boost

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


def searched_everywhere(x: np.ndarray, y: np.ndarray, stages: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the importance and predictions of boosted trees that look at every place, by sums of one after another."""
    n, classes = len(x), np.unique(y)
    order = np.argsort(x, axis=0, kind="stable")
    importance = np.zeros(x.shape[1])
    raw = np.log(np.array([[np.mean(y == c)] * n for c in classes]))

    def split(inside: np.ndarray, residual: np.ndarray, depth: int, step: np.ndarray) -> None:
        total, best, parts = residual[order[inside[order[:, 0]], 0]].cumsum()[-1], 0.0, None
        for z in range(x.shape[1] if depth < 3 else 0):
            rows = order[inside[order[:, z]], z]
            left = np.arange(1.0, len(rows))
            gap = len(rows) * residual[rows].cumsum()[:-1] - left * total
            gain = gap**2 / (left * (len(rows) - left)) * (x[rows[1:], z] > x[rows[:-1], z] + np.float32(1e-7))
            if gain.max(initial=0) > best:
                best, place = gain.max(), gain.argmax() + 1
                parts = z, [np.isin(np.arange(n), part) for part in (rows[:place], rows[place:])]
        if parts is None:
            size = np.abs(residual[inside])
            step[inside] = 0.1 * (len(classes) - 1) / len(classes) * residual[inside].sum() / (size * (1 - size)).sum()
            return
        importance[parts[0]] += best / inside.sum() / n
        for part in parts[1]:
            split(part, residual, depth + 1, step)

    odds = np.exp(raw - raw.max(axis=0))
    for _ in range(stages):
        odds *= 1 / odds.sum(axis=0)
        residuals, steps = (classes[:, None] == y) - odds, np.empty_like(raw)
        for residual, step in zip(residuals, steps, strict=True):
            split(np.full(n, fill_value=True), residual, 0, step)
        raw += steps
        odds *= np.exp(steps)
    np.testing.assert_allclose(odds / odds.sum(axis=0), np.exp(raw) / np.exp(raw).sum(axis=0), rtol=1e-13)
    return importance / importance.sum(), classes[raw.argmax(axis=0)]


@pytest.mark.parametrize(("scale", "digits"), [(1, 9), (1, 1), (1e-6, 9)])
def test_boosting_finds_the_splits_that_a_search_of_every_place_finds(scale, digits):
    from slowvae.metrics._boosting import boost

    # Of a single feature, for several would often be equally good. Rounded, it has many samples of the same value, and
    # made small many that count as equal.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 1))
    y = np.searchsorted([-1, 0, 0.3, 1], np.sin(3 * x[:, 0]) + x[:, 0] / 2 + 0.5 * rng.normal(size=len(x)))
    x = (np.round(x, digits) * scale).astype(np.float32)
    for stages in (1, 8):
        importance, predicted = searched_everywhere(x, y, stages)
        boosted = boost(x, y, x, stages)
        np.testing.assert_array_equal(boosted[0], importance)
        np.testing.assert_array_equal(boosted[1], predicted)
        np.testing.assert_array_equal(boosted[2], predicted)
    assert len(set(predicted)) > 1


@pytest.mark.parametrize("odds", [0.0, 1e-300, np.inf, np.nan])
def test_odds_that_left_the_range_of_numbers_are_taken_from_the_scores(odds):
    from slowvae.metrics._boosting import _residuals

    rng = np.random.default_rng(0)
    raw, y = rng.normal(size=(3, 700)) * 100, rng.integers(0, 3, size=700)
    targets = y == np.arange(3)[:, None]
    kept = np.exp(raw - raw.max(axis=0))
    kept[1, [300, 699]] = odds
    residual = np.empty_like(raw)
    _residuals(targets, raw, kept, residual)
    expected = np.exp(raw - raw.max(axis=0))
    expected /= expected.sum(axis=0)
    np.testing.assert_allclose(kept, expected, rtol=1e-14)
    np.testing.assert_allclose(residual, targets - expected, atol=1e-15)


def test_no_split_inside_a_bin_is_better_than_its_bound():
    from slowvae.metrics._boosting import _excess

    rng = np.random.default_rng(0)
    closest = np.inf
    for _ in range(300):
        n = int(rng.integers(3, 40))
        residual = rng.choice([1, -1], size=n, p=[0.2, 0.8]) * rng.random(n) ** rng.choice([0.2, 1, 5])
        begin = int(rng.integers(0, n - 1))
        end = int(rng.integers(begin + 1, n + 1))
        up, down = np.maximum(residual, 0), np.maximum(-residual, 0)
        steep = [1 / side.max() if side.any() else 1.0 for side in (up, down)]
        about = (float(n), residual.sum(), 1e-9, *steep)
        here = (up[begin:end].sum(), down[begin:end].sum(), float(end - begin), residual[:begin].sum(), float(begin))
        left = np.arange(begin + 1, min(end, n - 1) + 1)
        gap = n * residual.cumsum()[left - 1] - left * residual.sum()
        best = (gap**2 / (left * (n - left))).max()
        assert _excess(*here, about, best) >= 0
        if best > 1e-6:
            closest = min(closest, _excess(*here, about, best) / best / (n - 1))
    assert closest < 1e-3  # and it is no looser than it has to be where a bin holds one sample


def test_boosting_of_nothing_to_tell_has_no_importance():
    from slowvae.metrics._boosting import boost

    importance, train, test = boost(np.zeros((50, 2)), np.arange(50) % 3, np.zeros((5, 2)))
    assert importance.tolist() == [0, 0]
    assert len(set(train)) == len(set(test)) == 1


def tangled(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return latents that each tell something of several factors, and factors of 2, 3 and 4 values."""
    rng = np.random.default_rng(seed)
    factors = rng.integers([2, 3, 4], size=(n, 3))
    return factors @ rng.normal(size=(3, 5)) + rng.normal(size=(n, 5)), factors


@pytest.mark.parametrize("bins", [None, 2, 7])
def test_mig_and_modularity_are_those_of_binned_latents(bins):
    from sklearn.metrics import mutual_info_score

    latents, factors = tangled()
    options = {} if bins is None else {"bins": bins}
    binned = [np.digitize(z, np.linspace(z.min(), z.max(), (bins or 20) + 1)[1:-1]) for z in latents.T]
    table = np.array([[mutual_info_score(b, y) for y in factors.T] for b in binned])
    entropy = [mutual_info_score(y, y) for y in factors.T]
    best, second = np.sort(table, axis=0)[[-1, -2]]
    assert metrics.mig(latents, factors, **options) == pytest.approx(np.mean((best - second) / entropy), rel=1e-9)
    others = [sum(r**2 for r in row if r != max(row)) / (2 * max(row) ** 2) for row in table]
    assert metrics.modularity(latents, factors, **options) == pytest.approx(1 - np.mean(others), rel=1e-9)


def test_modularity_of_a_single_factor_is_1():
    latents, factors = tangled()
    assert metrics.modularity(latents, factors[:, :1]) == 1


def test_sap_is_the_gap_between_the_machines_of_single_latents():
    from sklearn.svm import LinearSVC

    z, y, z_test, y_test = halves(*tangled())
    right = np.zeros((5, 3))
    for i, k in np.ndindex(5, 3):
        machine = LinearSVC(C=0.01, class_weight="balanced", dual=False, random_state=0).fit(z[:, [i]], y[:, k])
        right[i, k] = machine.score(z_test[:, [i]], y_test[:, k])
    best, second = np.sort(right, axis=0)[[-1, -2]]
    assert metrics.sap(z, y, z_test, y_test) == pytest.approx(np.mean(best - second), abs=1e-12)
    best, second = np.sort(np.corrcoef(z.T, y.T)[:5, 5:] ** 2, axis=0)[[-1, -2]]
    continuous = metrics.sap(z, y, z_test, y_test, continuous=True)
    assert continuous == pytest.approx(np.mean(best - second), abs=1e-12)


@pytest.mark.parametrize(
    ("variant", "continuous"), [("tree", False), ("tree", True), ("linear", False), ("boosting", True)]
)
def test_dci_is_the_entropy_of_what_the_predictors_use(variant, continuous):
    from scipy.stats import entropy
    from sklearn import ensemble, linear_model

    z, y, z_test, y_test = halves(*tangled(120))
    mean, std = z.mean(0), z.std(0)
    importance, train, test = [], [], []
    for k in range(3):
        if variant == "linear":
            model = linear_model.Lasso(alpha=0.01, max_iter=10_000)
            a, a_test, b, b_test = (
                (z - mean) / std,
                (z_test - mean) / std,
                *((each[:, k] - y[:, k].mean()) / y[:, k].std() for each in (y, y_test)),
            )
        else:
            kind = "Regressor" if continuous else "Classifier"
            model = (
                ensemble.GradientBoostingRegressor(random_state=5)
                if variant == "boosting"
                else getattr(ensemble, f"RandomForest{kind}")(n_estimators=10, max_features=None, random_state=5)
            )
            a, a_test, b, b_test = z, z_test, y[:, k], y_test[:, k]
        model.fit(a, b)
        importance.append(np.abs(model.coef_) if variant == "linear" else model.feature_importances_)
        train.append(model.score(a, b))
        test.append(model.score(a_test, b_test))
    importance = np.array(importance).T
    scored = metrics.dci(z, y, z_test, y_test, variant=variant, continuous=continuous, seed=5)
    np.testing.assert_allclose(scored.importance, importance, rtol=1e-9)
    assert scored.informativeness_train == pytest.approx(np.mean(train), rel=1e-9)
    assert scored.informativeness_test == pytest.approx(np.mean(test), rel=1e-9)
    for score, table in ((scored.disentanglement, importance), (scored.completeness, importance.T)):
        pure = [1 - entropy(row, base=len(row)) if row.any() else 0 for row in table]
        assert score == pytest.approx(np.average(pure, weights=table.sum(1)), abs=1e-8)


@pytest.mark.parametrize("metric", ["beta", "factor"])
@pytest.mark.parametrize("batch_size", [5, 3000])
def test_votes_are_those_of_samples_with_one_value_of_the_factor(metric, batch_size):
    from sklearn.linear_model import LogisticRegression

    latents, factors = tangled(60)
    latents[:, 3] = 0.5  # has no vote
    rng = np.random.default_rng(4)
    factor = rng.integers(3, size=30)
    peers = {(k, v): np.flatnonzero(y == v) for k, y in enumerate(factors.T) for v in range(4)}
    points = []
    for part in np.array_split(np.arange(30), max(1, 30 * max(batch_size, 64) // 64_000)):
        if metric == "beta":
            first = rng.integers(60, size=(len(part), batch_size))
        else:
            first = np.repeat(rng.integers(60, size=(len(part), 1)), batch_size, axis=1)
        for k, rows, shares in zip(factor[part], first, rng.random(first.shape), strict=True):
            alike = [peers[k, factors[row, k]] for row in rows]
            others = [each[int(share * len(each))] for each, share in zip(alike, shares, strict=True)]
            if metric == "beta":
                points.append(np.abs(latents[rows] - latents[others]).mean(0))
            else:
                spread = latents[others].var(0, ddof=1) / np.where(latents.var(0) > 0, latents.var(0), 0.1)
                points.append(np.where(latents.var(0) > 0, spread, np.inf).argmin())
    if metric == "beta":
        model = LogisticRegression(max_iter=1000, random_state=0).fit(points[:20], factor[:20])
        expected = model.score(points[20:], factor[20:])
    else:
        most = {v: np.bincount(factor[:20][np.array(points[:20]) == v], minlength=3).argmax() for v in range(5)}
        expected = np.mean([most[v] == k for v, k in zip(points[20:], factor[20:], strict=True)])
    score = metrics.beta_vae if metric == "beta" else metrics.factor_vae
    assert score(latents, factors, 20, 10, batch_size, seed=4) == pytest.approx(expected, abs=1e-12)
    assert 0 < expected < 1


@pytest.mark.parametrize(("num_classes", "seed"), [(2, 0), (2, 4), (3, 0)])
def test_a_few_stages_of_boosting_are_those_of_scikit_learn(num_classes, seed):
    from sklearn.ensemble import GradientBoostingClassifier

    from slowvae.metrics._boosting import boost

    # Of these seeds no node has two features that split it equally well, which would leave the choice to chance.
    rng = np.random.default_rng(seed)
    x, x_test = rng.normal(size=(300, 3)), rng.normal(size=(400, 3))
    y = np.searchsorted([0.2] if num_classes == 2 else [-0.5, 0.8], x[:, 0] + x[:, 1] ** 2 / 2 + rng.normal(size=300))
    for stages in (1, 4):
        theirs = GradientBoostingClassifier(n_estimators=stages, random_state=0).fit(x, y)
        importance, train, test = boost(x, y, x_test, stages)
        np.testing.assert_allclose(importance, theirs.feature_importances_, rtol=1e-6)
        np.testing.assert_array_equal(train, theirs.predict(x))
        np.testing.assert_array_equal(test, theirs.predict(x_test))


def test_only_columns_far_from_0_or_of_unusual_spread_are_moved():
    from slowvae.metrics._arrays import in_usual_range

    column = np.array([-3.0, -1, 0, 1, 5])  # median 0, median deviation 1
    usual = np.stack([column, column + 10, column * 0.01, column * 100, np.zeros(5)], axis=1)
    np.testing.assert_array_equal(in_usual_range(usual)[0], usual)
    # The last: a median deviation of 0, so that its range is its spread.
    unusual = np.stack([column + 10.5, column - 11, column * 0.009, column * 101, [0, 0, 0, 0, 200]], axis=1)
    moved, other = in_usual_range(unusual, unusual[:2] * 2)
    np.testing.assert_allclose(moved, np.stack([*[column] * 4, [0, 0, 0, 0, 1]], axis=1), rtol=1e-12, atol=1e-12)
    expected = np.stack([column * 2 + 10.5, column * 2 - 11, column * 2, column * 2, np.zeros(5)], axis=1)[:2]
    np.testing.assert_allclose(other, expected, rtol=1e-12, atol=1e-12)
    assert in_usual_range(unusual, unusual * 1e104)[1].max() == 1e100


@pytest.mark.parametrize("metric", [metrics.mcc, metrics.dci, metrics.beta_vae, metrics.factor_vae])
def test_published_numbers_and_seed_0_are_the_defaults(metric):
    expected = {"num_samples": 10_000, "num_train": 10_000, "num_test": 5_000, "batch_size": 64, "seed": 0}
    defaults = {name: each.default for name, each in inspect.signature(metric).parameters.items() if name in expected}
    assert defaults == {name: expected[name] for name in defaults}
    assert "seed" in defaults


def test_factors_are_cut_into_2_to_1000_bins():
    rng = np.random.default_rng(0)
    latents, factors = rng.normal(size=(2500, 2)), rng.normal(size=(2500, 2))
    for bins in (2, 1000):
        metrics.mig(latents, factors, factor_bins=bins)
    for bins in (1, 1001):
        with pytest.raises(UsageError, match="factor_bins"):
            metrics.mig(latents, factors, factor_bins=bins)


def test_held_out_takes_halves_of_three_samples_and_no_fewer():
    latents, members = np.random.default_rng(0).normal(size=(6, 2)), np.repeat([0, 1], 3)
    assert 0 <= metrics.mcc(latents, latents, protocol="held-out", groups=members, intervals=False).score <= 1
    with pytest.raises(UsageError, match="at least 3 each"):
        metrics.mcc(latents[:5], latents[:5], protocol="held-out", groups=members[:5], intervals=False)


def test_modularity_says_which_latent_is_of_one_factor_and_counts_a_constant_one_as_of_none():
    factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10)
    latents = np.stack([factors[:, 0], 2 * factors[:, 0] + factors[:, 1], np.zeros(40)], axis=1)
    score = metrics.modularity(latents, factors)
    np.testing.assert_allclose(score.parts["by_latent"], [1, 0, 0], atol=1e-12)
    assert score == pytest.approx(1 / 3, abs=1e-12)


def test_modularity_of_two_factors_leaves_one_other():
    factors = np.array([[0, 0], [1, 0], [0, 1], [1, 1]] * 9)
    latents = np.stack([factors[:, 0], factors.sum(axis=1)], axis=1)  # the second tells as much of either
    assert metrics.modularity(latents, factors) == pytest.approx(0.5)


def test_a_constant_latent_has_no_weight():
    latents, factors = tangled(60)
    latents[:, 2] = 0.5
    scored = metrics.dci(*halves(latents, factors), variant="linear")
    assert scored.importance[2].tolist() == [0, 0, 0]
    assert np.isfinite(scored.importance).all()


def test_scores_are_shown_without_their_arrays():
    factors = np.arange(20.0)[:, None] % 3
    parts = (factors,) * 4
    for score in (metrics.mcc(factors, factors), metrics.dci(*parts, variant="tree")):
        assert re.fullmatch(r"\w+\([^()\n]*(\([^()\n]*\))?[^()\n]*\)", repr(score))
        assert "array" not in repr(score)


@pytest.mark.parametrize(("steps", "constant"), [(1, True), (2, True), (3, False)])
def test_what_differs_by_the_rounding_of_its_own_type_is_constant(steps, constant):
    value = np.float32(3)
    other = value + np.float32(steps) * np.spacing(value)
    latents = np.stack([np.resize([value, other], 40), np.arange(40, dtype=np.float32)], axis=1)
    found = as_numbers("latents", latents)
    assert (np.ptp(found[:, 0]) == 0) == constant
    assert np.ptp(found[:, 1]) == 39


@pytest.mark.parametrize("shapes", [((30, 3), (30, 2), (10, 2), (10, 2)), ((30, 3), (30, 2), (10, 3), (10, 3))])
def test_train_and_test_that_do_not_fit_are_refused(shapes):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=shape) for shape in shapes]
    with pytest.raises(UsageError, match=r"train has 3 latents and 2 factors, test [23] and [23]"):
        metrics.sap(*parts, continuous=True)


@pytest.mark.parametrize("scale", [1e-290, 1e95])
def test_mig_and_modularity_of_latents_of_any_unit(scale):
    factors = grid()
    latents = perfect(factors)
    assert metrics.mig(latents * scale, factors) == pytest.approx(metrics.mig(latents, factors), abs=1e-12)
    few = latents[:, :3]
    assert metrics.modularity(few * scale, factors) == pytest.approx(metrics.modularity(few, factors), abs=1e-12)
