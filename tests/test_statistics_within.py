import numpy as np
import pytest
from scipy import integrate, stats
from test_statistics_summary import check_json, drifting

from datagen.errors import UsageError
from datagen.statistics import summarize
from datagen.statistics.bootstrap import ObjectBootstrap, percentile_interval
from datagen.statistics.within import _LIKELIHOODS, LAGS, Series, _Echo, _Model, sparsity_kind, within


def draw(shape, scales, length, seed=0):
    """Independent changes of objects of given scales, five objects a video."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(len(scales)), length)
    values = stats.gennorm.rvs(shape, size=len(owner), random_state=rng) * np.asarray(scales)[owner]
    frame = np.tile(np.arange(length), len(scales))
    return values, Series(owner, owner // 5, frame, np.ones_like(owner))


def spread(count, seed=1):
    return np.exp(np.random.default_rng(seed).normal(0, 1, count))


@pytest.mark.parametrize(
    ("shape", "scales", "length", "kind"),
    [
        (0.6, np.ones(100), 10, "sparse"),
        (2.0, spread(100), 6, "mixture"),
        (2.0, spread(60), 40, "mixture"),
        (0.6, 10.0 ** (np.arange(100) % 2), 30, "both"),
        (2.0, np.ones(60), 30, "neither"),
    ],
    ids=["sparse", "short mixture", "long mixture", "both", "neither"],
)
def test_kinds_of_sparsity_are_told_apart(shape, scales, length, kind):
    values, series = draw(shape, scales, length)
    copies = ObjectBootstrap(series.objects, 60, seed=0).copies
    pooled, inside = (within(values, series, level, copies) for level in ("pooled", "object"))
    assert sparsity_kind(pooled, inside) == kind
    width = inside.shape_interval.high - inside.shape_interval.low
    assert abs(inside.shape - shape) < width


def test_short_tracks_do_not_bias_the_shape():
    """Dividing by each object's own mean size does: of six changes of a shape of 1 it makes about 1.5."""
    found, naive, kurtosis = [], [], []
    for seed in range(12):
        values, series = draw(1.0, spread(150, seed), 6, seed)
        inside = within(values, series, "object", seed=seed)
        found.append(inside.shape)
        kurtosis.append(inside.kurtosis)
        scale = np.bincount(series.objects, abs(values)) / 6
        naive.append(within(values / scale[series.objects], series, "pooled").shape)
    error = np.std(found) / np.sqrt(12)
    assert abs(np.mean(found) - 1) < 4 * error < 0.15
    assert np.mean(naive) > 1.3
    assert abs(np.mean(kurtosis) - 3) < 4 * np.std(kurtosis) / np.sqrt(12)


def logpdf_of_inverse_gamma(w, a, m):
    return stats.gamma.logpdf(np.exp(w), a, scale=1 / (a * m)) + w


def logpdf_of_log_normal(w, a, m):
    return stats.norm.logpdf(w, -np.log(m), 1 / np.sqrt(a))


@pytest.mark.parametrize(
    ("law", "logpdf"),
    [("inverse gamma", logpdf_of_inverse_gamma), ("log-normal", logpdf_of_log_normal)],
    ids=["gamma", "normal"],
)
@pytest.mark.parametrize(
    ("shape", "a", "m", "times"), [(0.8, 1.7, 0.6, 1), (2.5, 0.4, 3.0, 1), (0.4, 5.0, 1.0, 30), (4.0, 0.06, 1.0, 1)]
)
def test_likelihood_is_the_integral_over_scales(law, logpdf, shape, a, m, times):
    values = np.tile([0.3, -1.2, 2.0], times)

    def logarithm(w):
        return stats.gennorm.logpdf(values, shape, scale=np.exp(-w / shape)).sum() + logpdf(w, a, m)

    top = max(map(logarithm, np.linspace(-6, 6, 601)))
    parts = [
        integrate.quad(lambda w: np.exp(logarithm(w) - top), low, low + 5, epsabs=0, epsrel=1e-12)[0]
        for low in range(-150 if a < 1 else -40, 15, 5)
    ]
    expected = top + np.log(sum(parts))
    theta = np.log([[shape, a, m]])
    counts, sums = np.array([[float(len(values))]]), np.array([[np.sum(abs(values) ** shape)]])
    got, _ = _LIKELIHOODS[law](theta, counts, sums, sums)
    assert got[0, 0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("law", ["inverse gamma", "log-normal"])
def test_the_law_of_the_scales_is_the_one_that_they_have(law):
    """And the shape of short tracks is not biased, as the other law biases it (log-normal scales: by -0.28)."""
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        scales = rng.gamma(1, 1, 150) ** -0.5 if law == "inverse gamma" else np.exp(rng.normal(0, 1, 150))
        values, series = draw(2.0, scales, 6, seed)
        inside = within(values, series, "object")
        found.append((inside.shape, inside.scale_spread, inside.scale_law == law))
    mean, error = np.mean(found, axis=0)[:2], np.std(found, axis=0)[:2] / np.sqrt(12)
    assert np.mean(found, axis=0)[2] > 0.7  # objects of six changes do not tell it for certain
    expected = np.sqrt(np.pi**2 / 6) / 2 if law == "inverse gamma" else 1
    assert (abs(mean - [2, expected]) < np.minimum(4 * error, 0.2)).all()


@pytest.mark.parametrize("level", ["object", "video"])
@pytest.mark.parametrize("rounded", [False, True], ids=["real", "whole"])
@pytest.mark.parametrize("law", ["inverse gamma", "log-normal"])
def test_gradient_and_replicates(level, rounded, law):
    """The gradient is that of the likelihood, and a replicate's fit that of the replicate written out."""
    values, series = draw(0.9, 5 * spread(30), 12)
    values = np.rint(values) if rounded else values
    group = series.objects if level == "object" else series.videos
    model = _Model(values, series.objects, group, 30)
    copies = np.random.default_rng(0).integers(0, 3, 30).astype(float)
    of_part = copies[None, model.of_object]
    theta = np.array([[-0.2, 0.4, 0.3]])
    _, gradient = model.gradient(law, theta, of_part)
    for place in range(3):
        step = 1e-5 * (np.arange(3) == place)
        above, below = (model.gradient(law, theta + sign * step, of_part)[0][0] for sign in (1, -1))
        assert gradient[0, place] == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-7)
    rows = np.repeat(np.arange(len(values)), copies[series.objects].astype(int))
    number = np.concatenate([np.arange(times) for times in copies[series.objects].astype(int)])
    apart = group[rows] * 3 + number  # copies are in groups of their own, also those of one video
    _, apart = np.unique(apart, return_inverse=True)
    _, owner = np.unique(series.objects[rows] * 3 + number, return_inverse=True)
    ones = np.ones(len(model.counts))
    _, all_of_them = model._climb(ones, [law], [model._start(1.0)])
    written = _Model(values[rows], owner, apart, int(owner.max()) + 1)
    _, written = written._climb(np.ones(len(written.counts)), [law], [written._start(1.0)])
    got = model.refit(law, all_of_them, copies[None])[0]
    assert np.exp(got[0]) == pytest.approx(np.exp(written[0]), rel=1e-3)


def test_replicates_are_fitted_by_the_law_of_all():
    values, series = draw(2.0, spread(60), 4)
    copies = ObjectBootstrap(series.objects, 40, 0).copies
    found = within(values, series, "object", copies)
    assert found.scale_law == "log-normal"
    model = _Model(values, series.objects, series.objects, 60)
    expected, other = (
        percentile_interval(
            np.array([np.exp(model._climb(each, [law], [model._start(2.0)])[1][0]) for each in copies.astype(float)])
        )
        for law in ("log-normal", "inverse gamma")
    )
    assert (found.shape_interval.low, found.shape_interval.high) == pytest.approx(
        (expected.low, expected.high), rel=1e-3
    )
    assert found.shape_interval.high > other.high + 0.1


def test_a_replicate_that_holds_only_what_is_still_of_a_video():
    """It tells nothing of that video's scale; a likelihood without bound would lead to a shape of 0.1."""
    rng = np.random.default_rng(0)
    values, series = draw(1.0, np.ones(40), 30)
    videos = series.objects // 2
    still = series.objects == 1
    kept = ~still | (series.frame < 5)
    values = np.where(still, 0.0, values * np.exp(rng.normal(0, 1, 20))[videos])[kept]
    series = Series(series.objects, videos, series.frame, series.step).select(kept)
    copies = ObjectBootstrap(series.objects, 100, 0).copies
    assert ((copies[:, 0] == 0) & (copies[:, 1] > 0)).any()
    interval = within(values, series, "video", copies).shape_interval
    assert 0.85 < interval.low < 1 < interval.high < 1.25


def test_copies_of_an_object_do_not_make_its_video_look_like_less_spread():
    """Where videos are many and objects short, the interval left out its own shape: 1.06 to 1.49 of 0.81."""
    rng = np.random.default_rng(0)
    values = stats.gennorm.rvs(0.8, size=1600, random_state=rng)
    objects = np.arange(1600)
    series = Series(objects, objects // 4, np.zeros(1600, np.int64), np.ones(1600, np.int64))
    found = within(values, series, "video", ObjectBootstrap(objects, 60, 0).copies)
    assert found.shape_interval.low < found.shape < found.shape_interval.high
    assert found.shape_interval.low < 0.8 < found.shape_interval.high < 1


def test_a_fit_that_leads_nowhere_is_no_answer():
    """Scales over 46 powers of ten: the likelihood at some starts is no number, and a start, 0.5, was the shape."""
    values, series = draw(1.0, 10.0 ** np.arange(-23, 25, 2), 40)
    assert within(values, series, "object").shape == pytest.approx(1, abs=0.15)


def test_one_scale_gives_the_plain_fit():
    values, series = draw(0.7, np.ones(40), 50)
    expected, _, _ = stats.gennorm.fit(values, floc=0)
    assert within(values, series, "pooled").shape == pytest.approx(expected, rel=1e-3)
    assert within(values, series, "object").shape == pytest.approx(expected, rel=0.05)
    assert within(values, series, "object").scale_spread < 0.3


def test_where_all_are_of_one_scale_the_faster_law_stays():
    """Both are the same there, and the rounding of their fits decided before: half of these were log-normal."""
    laws = []
    for seed in range(12):
        values, series = draw(2.0, np.ones(40), 8, seed)
        model = _Model(values, series.objects, series.objects, 40)
        law, theta = model.fit()
        if model.spread(law, theta) == 0:
            laws.append(law)
    assert len(laws) >= 3
    assert set(laws) == {"inverse gamma"}


def test_whole_numbers_are_taken_as_rounded():
    values, series = draw(0.6, 3 * spread(80), 30)
    rounded = np.rint(values)
    assert (rounded == 0).mean() > 0.1
    assert within(rounded, series, "object").shape == pytest.approx(within(values, series, "object").shape, rel=0.12)


@pytest.mark.parametrize("length", [3, 40])
def test_independent_changes_are_not_autocorrelated(length):
    """However short the tracks and however mixed the scales; clustered ones are."""
    found = []
    for seed in range(12):
        values, series = draw(1.0, spread(80, seed), length, seed)
        found.append(within(values, series, "object").autocorrelation[1])
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(12)
    values, series = draw(1.0, spread(80), 60)
    clustered = values * np.where(series.frame // 10 % 2, 3.0, 0.3)
    echo = within(clustered, series, "object", ObjectBootstrap(series.objects, 50, 0).copies)
    assert echo.autocorrelation_interval[1].low > 0.1
    assert list(echo.autocorrelation) == list(LAGS)


@pytest.mark.parametrize("level", ["pooled", "video"])
def test_replicates_of_the_autocorrelation_vary_as_it_does(level):
    """Objects of other scales than the rest give replicates of another mean and variance, which are their own."""
    found, varied = [], []
    for seed in range(40):
        values, series = draw(1.0, spread(150, seed) ** 0.5, 12, seed)
        group = series.objects * 0 if level == "pooled" else series.videos
        echo = _Echo(values, series.objects, group, series, 1, False)
        found.append(echo.of(np.ones((150, 1)))[0])
        varied.append(echo.of(ObjectBootstrap(series.objects, 50, seed).copies.T.astype(float)).std())
    assert np.mean(varied) == pytest.approx(np.std(found), rel=0.3)


@pytest.mark.parametrize("level", ["pooled", "video", "object"])
def test_an_autocorrelation_lies_between_minus_one_and_one(level):
    """The few followers here are all large: the ratio of their products to the variance of all is 67."""
    values = np.concatenate([[10.0, 10.0], np.ones(100)])
    objects = np.concatenate([[0, 0], np.arange(1, 101)])
    series = Series(objects, objects * 0, np.arange(102), np.ones(102, np.int64))
    found = within(values, series, level, ObjectBootstrap(objects, 50, 0).copies)
    if level == "object":
        assert 1 not in found.autocorrelation  # no object varies
        return
    assert found.autocorrelation[1] == 1
    assert -1 <= found.autocorrelation_interval[1].low <= found.autocorrelation_interval[1].high <= 1


def test_a_replicate_of_all_objects_has_the_autocorrelation_of_all():
    values, series = draw(1.0, spread(6), 8)
    for level in ("pooled", "object"):
        found = within(values, series, level, np.ones((3, 6), np.uint8))
        interval = found.autocorrelation_interval[1]
        assert (interval.low, interval.high) == pytest.approx((found.autocorrelation[1],) * 2)


def test_objects_that_stand_still_are_counted_and_left_out():
    values, series = draw(1.0, np.ones(20), 10)
    values[series.objects < 5] = 0
    found = within(values, series, "object")
    assert (found.groups, found.still, found.n, found.zeros) == (15, 5, 150, 0.25)
    assert within(0 * values, series, "object") is None


def test_summary_says_which_kind_and_fits_the_schema():
    answer = check_json(
        summarize(drifting(0.5, objects=60), fits=("gennorm",), bootstrap=20, levels=("object",), delta_t=(1, 2))
    )
    for group in answer["groups"]:
        assert list(group["within"]) == ["pooled", "object"]
        assert set(group["kind"]) == {"area", "x", "y"}
    assert answer["groups"][0]["kind"]["x"] == "sparse"
    assert "; with the scale of each object taken out, area is sparse in itself" in answer["groups"][0]["verdict"]


def test_wrong_levels():
    table = drifting(1.0, objects=2)
    with pytest.raises(UsageError, match="unknown level 'planet'"):
        summarize(table, levels=("planet",))
    nameless = type(table)(**{**vars(table), "video": np.full(len(table), "")})
    with pytest.raises(UsageError, match="which video"):
        summarize(nameless, levels=("video",))
