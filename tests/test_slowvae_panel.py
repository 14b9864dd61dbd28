"""The metrics beside MCC, MIG, SAP, DCI and the votes: against other authors' code, and against their definitions."""

import copy
import json
import pickle
from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.special import digamma
from scipy.stats import pearsonr

from datagen.errors import UsageError
from slowvae import metrics

CASES = [f"{i:02}" for i in range(1, 27)]
TIED = {"01", "02", "03", "05", "06", "09", "10", "11", "17", "20", "23"}
"""Latents of few values each, which InfoMEC sets apart by noise; the authors' is not seeded."""


@pytest.fixture(scope="module")
def panel(golden):
    """Return latents, factors, bins and what others give, of every case."""
    cases = json.loads((golden / "panel_public.json").read_text())
    arrays = np.load(golden / "panel_public.npz")
    return {
        case: (arrays[f"{case}/latents"], arrays[f"{case}/factors"], 20 if each["continuous"] else None, each)
        for case, each in cases.items()
    }


@pytest.mark.golden
def test_the_panel_is_whole(panel):
    assert list(panel) == CASES


@pytest.mark.golden
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("dcimig (ubisoft, 20 bins)", metrics.dcimig),
        ("mig_sup (ubisoft, 20 bins)", lambda z, y, **options: metrics.mig_sup(z, y, entropy="latent", **options)),
        ("jemmig (ubisoft, 20 bins)", metrics.jemmig),
        ("irs (ubisoft, 20 bins)", metrics.irs),
        ("explicitness (ubisoft)", metrics.explicitness),
        ("irs (disentanglement_lib)", lambda z, y, **options: metrics.irs(z, y, 0.99, **options)),
    ],
    ids=["dcimig", "mig-sup", "jemmig", "irs", "explicitness", "irs-0.99"],
)
def test_scores_equal_other_authors(panel, case, name, score):
    latents, factors, bins, others = panel[case]
    theirs = others[name]
    if isinstance(theirs, str):  # their code ended in an error, for want of a second factor
        with pytest.raises(UsageError, match="at least two"):
            score(latents, factors, factor_bins=bins)
        return
    ours = score(latents, factors, factor_bins=bins)
    if np.isnan(theirs):  # a constant latent divides by 0 in theirs
        constant = np.ptp(latents, axis=0) == 0
        assert constant.any()
        assert ours == score(latents[:, ~constant], factors, factor_bins=bins)
    elif "disentanglement_lib" in name and bins:  # theirs takes every value for another: each is alone, and robust
        assert theirs == 1
        assert ours < 1
    elif "disentanglement_lib" in name and case == "20":  # theirs computes in float32, of means off by 0.06
        assert ours == pytest.approx(1, abs=1e-6)
    else:
        assert float(ours) == pytest.approx(theirs, abs=3e-15)


@pytest.mark.golden
@pytest.mark.parametrize("case", CASES)
def test_infomec_equals_its_authors(panel, case):
    latents, factors, bins, others = panel[case]
    theirs = others["infomec (latent_quantization; factors in 20 bins if continuous)"]
    ours = metrics.infomec(latents, factors, factor_bins=bins)
    # Where the regression is not done after its 100 steps, where it stands is rounding.
    assert ours.explicitness == pytest.approx(theirs[1], abs=1e-6 if case == "26" else 1e-11)
    for name, value in (("modularity", theirs[0]), ("compactness", theirs[2])):
        mine = getattr(ours, name)
        if np.isnan(value):
            assert 0 <= mine <= 1
        elif case == "10" and name == "compactness":  # of a factor that no latent knows they have the share of a noise
            assert mine > value
        else:
            assert mine == pytest.approx(value, abs=0.03 if case in TIED else 2e-13), name


@pytest.mark.golden
@pytest.mark.parametrize("case", CASES)
def test_linear_r2_equals_scikit_learn(panel, case):
    z, y, _, others = panel[case]
    first = 2 * len(z) // 3
    ours = metrics.r2(z[:first], y[:first], z[first:], y[first:])
    theirs = others["R2 linear, first 2/3 train, rest test, per factor (scikit-learn)"]
    # In case 20 latents lie at a million, of which float64 keeps 10 digits beside it.
    np.testing.assert_allclose(ours.parts["by_factor"], theirs, atol=1e-11 if case == "20" else 4e-15)
    assert float(ours) == pytest.approx(np.mean(theirs), abs=1e-11)
    assert ours.n == len(z) - first


def tangled(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return latents that each tell something of several factors, and factors of 2, 3 and 4 values."""
    rng = np.random.default_rng(seed)
    factors = rng.integers([2, 3, 4], size=(n, 3))
    return factors @ rng.normal(size=(3, 5)) + rng.normal(size=(n, 5)), factors


def entropy(*columns: np.ndarray) -> float:
    counts = np.unique(np.stack(columns), axis=1, return_counts=True)[1]
    return -sum(c / counts.sum() * np.log(c / counts.sum()) for c in counts)


@pytest.mark.parametrize("bins", [3, 20])
def test_scores_of_mutual_information_are_those_of_their_papers(bins):
    z, y = tangled()
    y = y[:, [2, 0, 1]]
    z[:, 4] = 7  # constant
    binned = [np.digitize(c, np.linspace(c.min(), c.max(), bins + 1)[1:-1]) for c in z.T]
    table = np.array([[entropy(b) + entropy(f) - entropy(b, f) for f in y.T] for b in binned])
    of = [entropy(f) for f in y.T]
    for chosen, by in (("factor", lambda i, k: of[k]), ("latent", lambda i, k: entropy(binned[i]))):
        gaps = [np.diff(sorted(table[i, k] / by(i, k) for k in range(3))[-2:])[0] for i in range(4)]
        score = metrics.mig_sup(z, y, bins, entropy=chosen)
        np.testing.assert_allclose(score.parts["by_latent"], [*gaps, np.nan], atol=1e-12)
        assert float(score) == pytest.approx(np.mean(gaps), abs=1e-12)
    kept = np.zeros(3)
    for row in table[:4]:
        best = int(np.argmax(row))
        kept[best] = max(kept[best], row[best] - sorted(row)[-2])
    score = metrics.dcimig(z, y, bins)
    assert float(score) == pytest.approx(kept.sum() / sum(of), abs=1e-12)
    np.testing.assert_allclose(score.parts["by_factor"], kept / of, atol=1e-12)
    expected = []
    for k in range(3):
        second, best = np.argsort(table[:, k])[-2:]
        excess = entropy(binned[best], y[:, k]) - table[best, k] + table[second, k]
        expected.append(1 - excess / (of[k] + np.log(bins)))
    score = metrics.jemmig(z, y, bins)
    np.testing.assert_allclose(score.parts["by_factor"], expected, atol=1e-12)
    assert float(score) == pytest.approx(np.mean(expected), abs=1e-12)
    assert metrics.mig_sup(z, y, bins) == metrics.mig_sup(z, y, bins, entropy="factor")
    for metric in (metrics.mig_sup, metrics.dcimig, metrics.jemmig):
        assert (float(metric(z, y)) == float(metric(z, y, bins))) == (bins == 20)
    assert float(metrics.mig_sup(np.ones((300, 2)), y, bins)) == 0


@pytest.mark.parametrize("quantile", [None, 0.9, 0.5, 1])
def test_irs_is_how_far_latents_stay(quantile):
    z, y = tangled()
    z[:, 3] = 2
    options = {} if quantile is None else {"quantile": quantile}
    table, weights = np.full((5, 3), np.nan), []
    for i in (0, 1, 2, 4):
        furthest = max(abs(z[:, i] - z[:, i].mean()))
        weights.append(furthest)
        for k in range(3):
            rows = [z[y[:, k] == v, i] for v in np.unique(y[:, k])]
            moved = [np.quantile(abs(row - row.mean()), 1 if quantile is None else quantile) for row in rows]
            table[i, k] = 1 - np.mean(moved) / furthest
    score = metrics.irs(z, y, **options)
    np.testing.assert_allclose(score.parts["table"], table, atol=1e-12)
    best = [max(table[i]) for i in (0, 1, 2, 4)]
    np.testing.assert_allclose(score.parts["by_latent"], [*best[:3], np.nan, best[3]], atol=1e-12)
    assert float(score) == pytest.approx(np.average(best, weights=weights), abs=1e-12)
    assert (score.n, float(metrics.irs(np.ones((300, 2)), y))) == (300, 0)


def test_explicitness_is_the_area_under_the_curve_of_a_logistic_regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.multiclass import OneVsRestClassifier

    z, y = tangled()
    z[:, 1] = 3
    scaled = (z - z.min(0)) / np.where(np.ptp(z, axis=0) > 0, np.ptp(z, axis=0), 1)
    for classifier in (None, "one-vs-rest"):
        expected = []
        for column in y.T:
            model = LogisticRegression(class_weight="balanced")
            model = (OneVsRestClassifier(model) if classifier else model).fit(scaled, column)
            areas = [roc_auc_score(column == v, p) for v, p in enumerate(model.predict_proba(scaled).T)]
            expected.append(2 * np.mean(areas) - 1)
        score = metrics.explicitness(z, y, **({"classifier": classifier} if classifier else {}))
        np.testing.assert_allclose(score.parts["by_factor"], expected, atol=1e-12)
        assert float(score) == pytest.approx(np.mean(expected), abs=1e-12)
    line = np.arange(40)[:, None] % 4
    assert float(metrics.explicitness(line, line)) == 1
    assert float(metrics.explicitness(line, line, classifier="one-vs-rest")) < 0.95  # no line tells 1 from 0 and 2


def ross(z: np.ndarray, f: np.ndarray) -> float:
    """Return Ross's estimate of the mutual information of a quantity and classes, from 10 neighbours."""
    count = np.bincount(f)[f]
    z, f, count = z[count > 1], f[count > 1], count[count > 1]
    total = 0.0
    for i in range(len(z)):
        near = min(10, count[i] - 1)
        apart = np.abs(z - z[i])
        furthest = np.sort(apart[f == f[i]])[near]
        total += digamma(near) - digamma(count[i]) - digamma((apart < furthest).sum())
    return max(0.0, digamma(len(z)) + total / len(z))


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")  # it takes its 100 steps here as there
def test_infomec_is_that_of_scikit_learns_information_and_regression():
    from sklearn.feature_selection import mutual_info_classif
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    z, y = tangled(400)
    y[:2, 2] = [7, 8]  # each alone in its class, so it has no neighbour
    y[2:6, 1] = 9  # fewer in the class than neighbours
    y[6:8, 2] = 9
    z[:, 4] *= 0.02  # not active
    y[:, 2] = np.unique(y[:, 2], return_inverse=True)[1]
    y[:, 1] = np.unique(y[:, 1], return_inverse=True)[1]
    ours = metrics.infomec(z, y)
    standard = (z - z.mean(0)) / z.std(0)
    information = np.array(
        [
            mutual_info_classif(standard, f, discrete_features=False, n_neighbors=10, random_state=1) / entropy(f)
            for f in y.T
        ]
    ).T
    # Its tree compares squares, so now and then it counts a neighbour that is as far as the 10th.
    np.testing.assert_allclose(ours.information, information, atol=2e-5)
    information = np.array([[ross(column, f) / entropy(f) for f in y.T] for column in standard.T])
    np.testing.assert_allclose(ours.information, information, atol=1e-12)
    assert ours.active.tolist() == [True] * 4 + [False]
    kept = information[:4]
    assert (kept.sum(1) > 0).all()
    share = np.mean(kept.max(1) / kept.sum(1))
    assert ours.modularity == float(ours) == ours.score == pytest.approx((share - 1 / 3) / (2 / 3), abs=1e-12)
    share = np.mean(kept.max(0) / kept.sum(0))
    assert ours.compactness == pytest.approx((share - 1 / 4) / (3 / 4), abs=1e-12)
    explained = []
    for f in y.T:
        model = LogisticRegression(C=np.inf, class_weight="balanced").fit(standard, f)
        nothing = LogisticRegression(C=np.inf, class_weight="balanced").fit(0 * standard, f)
        losses = [log_loss(f, m.predict_proba(x)) for m, x in ((model, standard), (nothing, 0 * standard))]
        explained.append(1 - losses[0] / losses[1])
    assert ours.explicitness == pytest.approx(np.mean(explained), abs=1e-9)
    assert ours.parts == {n: getattr(ours, n) for n in ("modularity", "explicitness", "compactness")}


def test_infomec_of_latents_that_tell_of_nothing_is_not_nan():
    from slowvae.metrics._infomec import _concentration

    assert _concentration(np.zeros((3, 2))) == 0
    assert _concentration(np.array([[0, 0], [1.0, 0]])) == 1
    assert _concentration(np.array([[1.0, 1]])) == 0
    assert _concentration(np.array([[0.3], [0.1]])) == 1
    y = np.arange(60)[:, None] % 3
    scored = metrics.infomec(np.random.default_rng(0).normal(size=(60, 2)), y)
    assert scored.modularity == 1  # of a single factor
    with pytest.raises(UsageError, match="every latent is constant"):
        metrics.infomec(np.ones((60, 2)), y)


def test_the_seed_of_infomec_sets_tied_latents_apart():
    y = np.stack([np.arange(90) % 3, np.arange(90) // 3 % 3], axis=1)
    latents = np.stack([y.sum(axis=1), y[:, 0]], axis=1)
    first, again, other = (metrics.infomec(latents, y, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.information, again.information)
    assert (first.information != other.information).any()
    np.testing.assert_allclose(first.information[1], [1, 0], atol=0.02)


@pytest.mark.parametrize("variant", ["linear", "boosting"])
def test_r2_is_what_is_explained_of_the_test_samples(variant):
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(200, 3)), rng.normal(size=(200, 2))
    y[:, 0] += np.sin(3 * z[:, 1])
    y[:, 1] += z[:, 2]
    kind = LinearRegression() if variant == "linear" else HistGradientBoostingRegressor(random_state=0)
    predicted = np.stack([kind.fit(z[:120], y[:120, k]).predict(z[120:]) for k in range(2)], axis=1)
    score = metrics.r2(z[:120], y[:120], z[120:], y[120:], variant=variant)
    expected = r2_score(y[120:], predicted, multioutput="raw_values")
    np.testing.assert_allclose(score.parts["by_factor"], expected, rtol=1e-10)
    assert float(score) == pytest.approx(expected.mean(), rel=1e-10)
    assert score.n == 80


def test_nonlinear_r2_sees_what_no_line_does():
    y = np.random.default_rng(0).uniform(-1, 1, size=(900, 1))
    parts = (y[:600] ** 2, y[:600] ** 4, y[600:] ** 2, y[600:] ** 4)
    assert metrics.r2(*parts) < 0.95 < 0.99 < metrics.r2(*parts, variant="boosting")
    copies = [np.hstack([each, each, np.ones_like(each)]) if i % 2 == 0 else each for i, each in enumerate(parts)]
    assert metrics.r2(*copies) == pytest.approx(metrics.r2(*parts), abs=1e-12)


def multiple(z: np.ndarray, y: np.ndarray) -> float:
    """Return the correlation of y with its least squares fit on z."""
    design = np.column_stack([z, np.ones(len(z))])
    return abs(pearsonr(design @ np.linalg.lstsq(design, y, rcond=None)[0], y)[0])


@pytest.mark.parametrize("blocks", [[[0, 1], [2]], [[2, 0], [1]], [[0], [1], [2]], [[0, 1, 2]], [[1], [0, 2]]])
def test_block_mcc_is_the_best_of_all_ways_to_give_latents(blocks):
    rng = np.random.default_rng(1)
    y = rng.normal(size=(50, 3))
    z = y @ rng.normal(size=(3, 5)) + 2 * rng.normal(size=(50, 5))
    score = metrics.block_mcc(z, y, blocks)
    best = 0.0
    for order in permutations(range(5), 3):
        sets = [order[:2], order[2:]] if len(blocks) == 2 else ([order] if len(blocks) == 1 else [[i] for i in order])
        if len(blocks) == 2 and len(blocks[0]) == 1:
            sets = sets[::-1]
        values = [multiple(z[:, list(s)], y[:, k]) for block, s in zip(blocks, sets, strict=True) for k in block]
        best = max(best, np.mean(values))
    assert float(score) == pytest.approx(best, abs=1e-9)
    assert float(score) == pytest.approx(score.parts["by_factor"].mean(), abs=1e-12)
    owned, block = score.parts["latents"], score.parts["block"]
    assert len(set(owned)) == 3
    for k in range(3):
        again = multiple(z[:, owned[block == block[k]]], y[:, k])
        assert score.parts["by_factor"][k] == pytest.approx(again, abs=1e-9)
        assert k in blocks[block[k]]


def test_two_blocks_share_no_latent():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(40, 5))
    z = y[:, [0, 0, 1, 2, 3, 4]] + 0.8 * rng.normal(size=(40, 6))
    score = metrics.block_mcc(z, y, [[0, 3], [4], [1, 2]])
    best = max(
        np.mean(
            [multiple(z[:, a], y[:, k]) for a, ks in ((p[:2], (0, 3)), (p[2:4], (1, 2)), (p[4:], (4,))) for k in ks]
        )
        for p in map(list, permutations(range(6), 5))
        if p[0] < p[1] and p[2] < p[3]
    )
    assert float(score) == pytest.approx(best, abs=1e-9)
    assert len(set(score.parts["latents"])) == 5
    assert score.parts["block"].tolist() == [0, 2, 2, 0, 1]


def test_block_mcc_of_single_factors_is_the_mcc():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 4))
    z = y @ rng.normal(size=(4, 6)) + rng.normal(size=(200, 6))
    z[:, 2] = 5
    plain = metrics.mcc(z, y, "pearson", "rectangular", intervals=False)
    blocks = metrics.block_mcc(z, y, [[0], [1], [2], [3]])
    assert float(blocks) == pytest.approx(plain.score, abs=1e-12)
    np.testing.assert_array_equal(blocks.parts["latents"], plain.assignment)
    np.testing.assert_allclose(blocks.parts["by_factor"], plain.parts["by_factor"], atol=1e-12)


def test_block_mcc_does_not_change_with_linear_maps_of_a_block_s_latents():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(300, 3))
    z = y + 0.3 * rng.normal(size=(300, 3))
    turned = z.copy()
    turned[:, :2] = 1e6 + 1e-3 * z[:, :2] @ [[2, 1], [-1, 3]]
    scores = [metrics.block_mcc(each, y, [[0, 1], [2]]) for each in (z, turned)]
    assert float(scores[0]) == pytest.approx(float(scores[1]), abs=1e-9)
    assert metrics.block_mcc(turned, y, [[0], [1], [2]]) < scores[0] - 0.05
    copied = np.hstack([z[:, :1], z])  # two that are copies
    assert float(metrics.block_mcc(copied, y, [[0, 1], [2]])) == pytest.approx(float(scores[0]), abs=1e-9)


def test_block_mcc_draws_at_most_so_many_rows():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(12_000, 2))
    drawn = [metrics.block_mcc(y + rng.normal(size=y.shape), y, [[0, 1]], seed=seed) for seed in (0, 0, 1)]
    assert [each.n for each in drawn] == [10_000] * 3
    rows = np.random.default_rng(3).choice(12_000, 500, replace=False)
    scored = metrics.block_mcc(y[:, ::-1] ** 3, y, [[0, 1]], num_samples=500, seed=3)
    assert (scored.n, float(scored)) == (500, float(metrics.block_mcc(y[rows, ::-1] ** 3, y[rows], [[0, 1]])))


def small_grid() -> np.ndarray:
    return np.array([[a, b] for a in range(4) for b in range(3)])


def test_flatness_and_linearity_are_those_of_every_traversal():
    rng = np.random.default_rng(0)
    factors = small_grid()
    latents = rng.normal(size=(12, 3))
    flat, linear, axis = [], [], []
    for k, size in ((0, 4), (1, 3)):
        widths, lengths, lines, axes = [], [], [], []
        for stay in range(3 if k == 0 else 4):
            way = latents[factors[:, 1 - k] == stay]
            assert len(way) == size
            widths.append(max(np.linalg.norm(a - b) for a, b in combinations(way, 2)))
            steps = [np.abs(way[(i + 1) % size] - way[i]).sum() for i in range(size)]
            lengths.append(sum(steps) - max(steps))
            for values, found in (
                (np.linalg.svd(way - way.mean(0))[1] ** 2, lines),
                (way.var(axis=0, ddof=1), axes),
            ):
                found.append((max(values) / sum(values) - 1 / 3) / (2 / 3))
        flat.append(np.mean(widths) / np.mean(lengths))
        linear.append(np.mean(lines))
        axis.append(np.mean(axes))
    order = rng.permutation(36)
    rows = np.tile(np.arange(12), 3)[order]
    for z, y in ((latents, factors), (latents[rows], 0.5 * factors[rows] - 3)):
        score = metrics.flatness(z, y)
        np.testing.assert_allclose(score.parts["by_factor"], flat, rtol=1e-12)
        assert float(score) == pytest.approx(np.mean(flat), rel=1e-12)
        score = metrics.linearity(z, y)
        np.testing.assert_allclose(score.parts["by_factor"], linear, rtol=1e-9)
        np.testing.assert_allclose(score.parts["axis_ratio_by_factor"], axis, rtol=1e-9)
        assert float(score) == pytest.approx(np.sqrt(np.prod(linear)), rel=1e-9)
        assert score.parts["axis_ratio"] == pytest.approx(np.sqrt(np.prod(axis)), rel=1e-9)
        assert score.n == len(z)


def test_traversals_that_are_not_whole_are_left_out_and_none_at_all_refused():
    factors = small_grid()
    latents = np.random.default_rng(0).normal(size=(12, 2))
    less = np.arange(12) != 5  # of factor 1 with 1, and of factor 2 with 2
    assert metrics.flatness(latents[less], factors[less]).parts["by_factor"].shape == (2,)
    few = [0, 1, 2, 3, 7, 11]  # each value of either, and no factor 0 with all its values
    for metric in (metrics.flatness, metrics.linearity):
        with pytest.raises(UsageError, match="needs traversals: rows with every value of factor 0"):
            metric(latents[few], factors[few])
        with pytest.raises(UsageError, match="needs traversals"):
            metric(latents, np.random.default_rng(0).normal(size=(12, 2)))
    assert float(metrics.flatness(np.zeros((12, 2)), factors)) == 0
    assert float(metrics.linearity(np.zeros((12, 2)), factors)) == 0
    still = np.stack([factors[:, 0], np.zeros(12)], axis=1)  # the second factor moves nothing
    assert float(metrics.linearity(still, factors)) == 0
    assert metrics.linearity(still, factors).parts["by_factor"].round(9).tolist() == [1, 0]


def test_at_most_so_many_traversals_are_drawn(monkeypatch):
    from slowvae.metrics import _traversals

    monkeypatch.setattr(_traversals, "_MOST", 2)
    latents = np.random.default_rng(0).normal(size=(12, 2))
    scores = {float(metrics.flatness(latents, small_grid(), seed=seed)) for seed in range(20)}
    assert 1 < len(scores) <= 18  # 3 pairs of traversals of one factor, 6 of the other
    for metric in (metrics.flatness, metrics.linearity):
        assert metric(latents, small_grid()) == metric(latents, small_grid(), seed=0)
    assert len({float(metrics.linearity(latents, small_grid(), seed=seed)) for seed in range(20)}) > 1


NEW = {
    "r2": lambda z, y, **options: metrics.r2(z, y, z, y, **options),
    "infomec": metrics.infomec,
    "explicitness": metrics.explicitness,
    "irs": metrics.irs,
    "mig-sup": metrics.mig_sup,
    "dcimig": metrics.dcimig,
    "jemmig": metrics.jemmig,
    "block-mcc": lambda z, y, **options: metrics.block_mcc(z, y, [[k] for k in range(np.shape(y)[1])], **options),
    "flatness": metrics.flatness,
    "linearity": metrics.linearity,
}
CUT = ("infomec", "explicitness", "irs", "mig-sup", "dcimig", "jemmig")


@pytest.mark.parametrize("name", NEW)
def test_arrays_that_cannot_be_scored_are_refused_in_one_line(name):
    import torch

    z, y = tangled(60)
    for latents, factors, message in (
        (np.where(z > 2, np.nan, z), y, "latents.*: .* rows are not finite"),
        (z, np.where(y == 1, np.inf, y), "factors.*: .* rows are not finite"),
        (z[:1], y[:1], "N >= 2"),
        (z[:50], y, "the same N"),
        (z, np.column_stack([y, np.ones(60)]), "factor 3 .*never changes"),
        (torch.zeros(60, 4, requires_grad=True), y, r"latents.*\.detach\(\)"),
        (z, torch.zeros(60, 2, requires_grad=True), r"factors.*\.detach\(\)"),
        (z.astype(str), y, "latents.*: text"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            NEW[name](latents, factors)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", CUT)
def test_quantities_are_refused_or_cut(name):
    rng = np.random.default_rng(0)
    y = rng.uniform(size=(500, 2))
    with pytest.raises(UsageError, match=f"{name} needs discrete factors, and factor 0 has 500 values in 500 samples"):
        NEW[name](y, y)
    classes = np.floor(4 * (y - y.min(0)) / np.ptp(y, axis=0)).clip(max=3)
    assert float(NEW[name](y, y, factor_bins=4)) == float(NEW[name](y, classes))
    noise = rng.normal(size=y.shape)
    if name == "infomec":  # whose InfoM asks only which factor has the most of what little there is
        assert metrics.infomec(noise, y, factor_bins=4).explicitness < 0.1
    else:
        assert float(NEW[name](y, y, factor_bins=4)) > float(NEW[name](noise, y, factor_bins=4)) + 0.3
    with pytest.raises(UsageError, match=r"factor_bins 1: .*whole number"):
        NEW[name](y, y, factor_bins=1)


@pytest.mark.parametrize("name", [*CUT, "r2", "block-mcc", "linearity", "flatness"])
@pytest.mark.parametrize(("shift", "scale"), [(1e6, 1), (-3, 1e-6), (0, 1e6)])
def test_where_latents_lie_and_their_unit_do_not_matter(name, shift, scale):
    factors = np.repeat(small_grid(), 20, axis=0)
    rng = np.random.default_rng(0)
    latents = factors @ rng.normal(size=(2, 3)) + 0.2 * rng.normal(size=(240, 3))
    moved = scale * latents + shift
    # Regressions stop within a tolerance, and float64 keeps ten digits beside a million.
    tolerance = 1e-4 if name in ("explicitness", "infomec") else 1e-6
    assert float(NEW[name](moved, factors)) == pytest.approx(float(NEW[name](latents, factors)), abs=tolerance)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z, y: metrics.r2(z, y, z, y, variant="kernel"), "unknown variant 'kernel'; there are linear, boosting"),
        (lambda z, y: metrics.r2(z[:6], y[:6], z, y), "r2: 6 training samples determine 5 weights and a constant"),
        (lambda z, y: metrics.r2(z, y, z, y, seed=-1), "seed -1"),
        (lambda z, y: metrics.r2(z, y, z[:, :2], y), "train has 5 latents and 3 factors, test 2 and 3"),
        (lambda z, y: metrics.explicitness(z, y, classifier="svm"), "unknown classifier 'svm'"),
        (lambda z, y: metrics.mig_sup(z, y, entropy="both"), "unknown entropy 'both'; there are factor, latent"),
        (lambda z, y: metrics.mig_sup(z, y[:, :1]), "mig-sup: a gap between the best two factors needs at least two"),
        (lambda z, y: metrics.dcimig(z, y[:, :1]), "dcimig: a gap between the best two factors"),
        (lambda z, y: metrics.jemmig(z[:, :1], y), "a gap between the best two latents needs at least two"),
        (lambda z, y: metrics.jemmig(z, y, bins=1), "bins 1"),
        (lambda z, y: metrics.irs(z, y, quantile=0), "quantile 0: must be above 0 and at most 1"),
        (lambda z, y: metrics.irs(z, y, quantile=1.5), "quantile 1.5"),
        (lambda z, y: metrics.irs(z, y, quantile="most"), "quantile 'most'"),
        (lambda z, y: metrics.infomec(z, y, seed=2**32), "seed 4294967296"),
        (lambda z, y: metrics.block_mcc(z[:, :2], y, [[0, 1], [2]]), "3 factors cannot be assigned to 2 latents"),
        (lambda z, y: metrics.block_mcc(z, y, [[0, 1]]), "must hold each of the 3 columns of the factors once"),
        (lambda z, y: metrics.block_mcc(z, y, [[0, 1], [1, 2]]), "columns of the factors once"),
        (lambda z, y: metrics.block_mcc(z, y, [[0, 1], [2], []]), "columns of the factors once"),
        (lambda z, y: metrics.block_mcc(z, y, [[0, 1], [3]]), "blocks 3: .* from 0 to 2"),
        (lambda z, y: metrics.block_mcc(z, y, 3), "blocks: must be lists of columns"),
        (lambda z, y: metrics.block_mcc(z, y, [0, 1, 2]), "blocks: must be lists of columns"),
        (lambda z, y: metrics.block_mcc(z, y, [[0, 1, 2]], num_samples=2), "num_samples 2"),
        (lambda z, y: metrics.block_mcc(z, y, [[0, 1, 2]], num_samples=2**53 + 1), "num_samples 9007199254740993"),
        (lambda z, y: metrics.block_mcc(z, y, [[0, 1, 2]], seed=-1), "seed -1"),
        (lambda z, y: metrics.flatness(z, y, seed=-1), "seed -1"),
        (lambda z, y: metrics.block_mcc(z[:2], [[0], [1]], [[0]]), "2 samples are always correlated"),
        (lambda z, y: metrics.linearity(z[:, :1], y), "a single latent is always a line"),
    ],
)
def test_wrong_calls_are_refused(call, message):
    z, y = tangled(600)
    with pytest.raises(UsageError, match=message):
        call(z, y)


def test_too_many_ways_to_give_latents_to_blocks_are_refused():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(100, 60)), rng.normal(size=(100, 4))
    with pytest.raises(UsageError, match="there are 2,925,810 ways to give 60 latents to them"):
        metrics.block_mcc(z, y, [[0, 1], [2, 3]])
    assert 0 < metrics.block_mcc(z, y, [[0, 1], [2], [3]]) < 1


def every_result() -> dict[str, object]:
    z, y = tangled()
    few = {"num_train": 100, "num_test": 50}
    grid = np.repeat(small_grid(), 3, axis=0)
    parts = (z[:200], y[:200], z[200:], y[200:])
    scores = {name: score(z, y) for name, score in NEW.items() if name not in ("flatness", "linearity")}
    return {
        **scores,
        **{name: NEW[name](grid, grid) for name in ("flatness", "linearity")},
        "mcc": metrics.mcc(z, y),
        "mig": metrics.mig(z, y),
        "modularity": metrics.modularity(z, y),
        "sap": metrics.sap(*parts),
        "dci": metrics.dci(*parts, variant="tree"),
        "beta-vae": metrics.beta_vae(z, y, **few),
        "factor-vae": metrics.factor_vae(z, y, **few),
    }


def test_every_result_says_what_it_is_made_of():
    for name, result in every_result().items():
        assert float(result) == result.score, name
        assert isinstance(float(result), float)
        assert result.n == {"dci": 100, "sap": 100, "flatness": 36, "linearity": 36}.get(name, 300), name
        assert result.parts, name
        assert (result.interval is not None) == (name == "mcc"), name
        assert result.protocol == ("klindt2021" if name == "mcc" else None)
        assert len(repr(result)) < 170
        assert "array" not in repr(result)
        assert "\n" not in repr(result)
        for copied in (copy.copy(result), pickle.loads(pickle.dumps(result))):
            assert (float(copied), copied.n, copied.parts.keys()) == (float(result), result.n, result.parts.keys())


def test_the_parts_are_those_that_the_score_is_the_mean_of():
    results = every_result()
    for name in ("mcc", "mig", "sap", "modularity", "r2", "jemmig", "explicitness", "block-mcc", "flatness", "mig-sup"):
        (values,) = (v for part, v in results[name].parts.items() if part in ("by_factor", "by_latent"))
        assert np.mean(values) == pytest.approx(float(results[name]), abs=1e-12), name
    for name in ("beta-vae", "factor-vae"):
        assert 0 <= results[name].parts["train"] <= 1
    assert results["dci"].parts["completeness"] == results["dci"].completeness


def test_a_score_computes_and_prints_as_a_number():
    score = metrics.Score(0.5, n=1234)
    assert (score + 1, score > 0.4, f"{score:.2f}", json.dumps([score])) == (1.5, True, "0.50", "[0.5]")
    assert (score.parts, score.interval, score.protocol) == ({}, None, None)
    assert repr(score) == str(score) == "Score(0.5000, n=1,234)"
    full = metrics.Score(0.5, n=3, parts={"by_factor": [1]}, interval=(0.25, 0.75), protocol="p")
    assert repr(full) == "Score(0.5000, n=3, interval=(0.2500, 0.7500), protocol='p')"
    assert full.score == 0.5
    assert type(full.score) is float
