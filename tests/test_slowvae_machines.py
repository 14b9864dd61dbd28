import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowvae.metrics._machines import fit_machines, predict


@pytest.mark.parametrize(
    ("n", "num_classes", "scale"), [(300, 2, 1), (300, 3, 1), (2000, 40, 3), (500, 5, 30), (500, 2, 1e-3)]
)
def test_machines_are_those_of_scikit_learn(n, num_classes, scale):
    svm = pytest.importorskip("sklearn.svm")
    rng = np.random.default_rng(num_classes)
    y = np.concatenate([np.arange(num_classes), rng.integers(0, num_classes, size=n - num_classes)])
    x = (0.3 * y + rng.normal(size=n) + 1) * scale
    machine = svm.LinearSVC(C=0.01, class_weight="balanced", dual=False, tol=1e-12, max_iter=10_000)
    machine.fit(x[:, None], y)
    slope, intercept = fit_machines(x, y, 0.01)
    # Liblinear ends where its gradient is small; of a slope that hardly matters that is far from the minimum.
    np.testing.assert_allclose(slope, machine.coef_[:, 0], atol=2e-6 * np.abs(slope).max())
    np.testing.assert_allclose(intercept, machine.intercept_, atol=1e-6)
    np.testing.assert_array_equal(predict(x, slope, intercept), machine.predict(x[:, None]))


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.floats(-6, 2), st.floats(-3, 1), st.sampled_from([9, 1, 0]))
def test_machines_are_at_the_minimum(seed, num_classes, log_scale, log_cost, digits):
    rng = np.random.default_rng(seed)
    n, cost = int(rng.integers(num_classes, 200)), 10**log_cost
    y = np.concatenate([np.arange(num_classes), rng.integers(0, num_classes, size=n - num_classes)])
    x = np.round(rng.normal(size=n) * 10**log_scale + 10 * rng.normal(), digits)
    slopes, intercepts = fit_machines(x, y, cost)
    balanced = cost * n / (num_classes * np.bincount(y))
    for number, (slope, intercept) in enumerate(zip(slopes, intercepts, strict=True)):
        own = number if num_classes > 2 else 1
        sign = np.where(y == own, 1, -1)
        costs = np.where(y == own, balanced[own], cost if num_classes > 2 else balanced[0])
        pull = 2 * costs * sign * np.maximum(0, 1 - sign * (slope * x + intercept))
        size = (2 * costs * (1 + x**2)).sum() * (1 + abs(slope) + abs(intercept))
        assert abs(slope - (pull * x).sum()) <= 1e-14 * size
        assert abs(intercept - pull.sum()) <= 1e-14 * size
