import numpy as np
import pytest
from scipy.stats import t

from datagen.errors import UsageError
from slowvae.intervals import interval_over_seeds


@pytest.mark.parametrize("seeds", [2, 3, 10])
@pytest.mark.parametrize("of_sequences", [0.0, 1.0])
def test_it_holds_the_mean_of_all_trainings_as_often_as_it_says(seeds, of_sequences):
    """Scores whose seeds vary by 1 and whose sequences shift all seeds alike by `of_sequences`."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(600):
        shift = of_sequences * rng.normal()
        scores = shift + rng.normal(size=seeds)
        draws = scores[:, None] + of_sequences * rng.normal(size=200)
        low, high = interval_over_seeds(scores, draws)
        held.append(low <= 0 <= high)
    assert 0.93 <= np.mean(held) <= 0.99  # 600 tries at 95 % vary by 0.9 %; two sources of few seeds hold more


def test_without_draws_it_is_the_interval_of_student():
    scores = np.random.default_rng(1).normal(size=5)
    half = t.ppf(0.975, 4) * scores.std(ddof=1) / 5**0.5
    expected = (scores.mean() - half, scores.mean() + half)
    assert interval_over_seeds(scores) == pytest.approx(expected, rel=0.01)
    assert interval_over_seeds(scores, np.empty((5, 0))) == interval_over_seeds(scores)


def test_of_one_seed_it_is_that_of_the_sequences():
    draws = np.random.default_rng(0).normal(size=(1, 200))
    about = draws - draws.mean() + 0.3  # what draws are higher on average is no property of the sequences
    assert interval_over_seeds([0.3], draws) == pytest.approx(tuple(np.quantile(about, [0.025, 0.975])), rel=1e-12)
    assert interval_over_seeds([0.3]) is None


def test_alike_seeds_leave_what_the_sequences_vary_by():
    draws = np.tile(np.random.default_rng(0).normal(size=200), (3, 1))
    about = draws[0] - draws[0].mean() + 0.5
    assert interval_over_seeds([0.5] * 3, draws) == pytest.approx(tuple(np.quantile(about, [0.025, 0.975])))


@pytest.mark.parametrize(
    "arguments",
    [
        (0.5,),
        ([],),
        ([[0.5]],),
        ([0.5, 0.6], np.zeros((3, 9))),
        ([0.5], np.zeros(9)),
        ([0.5, np.nan],),
        ([0.5], [[np.inf]]),
    ],
)
def test_what_does_not_fit_is_refused(arguments):
    with pytest.raises(UsageError, match="scores"):
        interval_over_seeds(*arguments)
