"""Gradient boosted trees for DCI: scikit-learn's `GradientBoostingClassifier` with its defaults, some 20 times faster.

Factors of many values need a tree for each value and stage, ten thousand in all. Sorting the features once, not at
every node, takes minutes off; see benchmarks/bench_slowvae.py. The tests hold it against scikit-learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.jit import njit

__all__ = ["boost"]

_RATE, _DEPTH = 0.1, 3
_INNER = 2**_DEPTH - 1  # nodes are numbered like a heap: the children of i are 2 i + 1 and 2 i + 2
_NODES = 2 ** (_DEPTH + 1) - 1
_SAME = 1e-7  # features closer than this are not told apart, as in scikit-learn
_EQUAL = 1e-9  # splits whose improvements differ by less are equally good: rounding is not to choose


def boost(
    inputs: NDArray[Any], classes: NDArray[np.int64], inputs_test: NDArray[Any], stages: int = 100, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Fit stages of trees of depth 3 (learning rate 0.1, log loss) and predict.

    Source: Friedman 2001, algorithm 6, with his criterion of a split's improvement (equation 35).

    Parameters
    ----------
    inputs : ndarray, shape (N, Z)
        Features; taken as float32, as scikit-learn does.
    classes : ndarray of int64, shape (N,)
        Classes 0 to C - 1, each occurring.
    inputs_test : ndarray, shape (M, Z)
    stages : int
        Number of stages, of one tree per class each (of a single tree for two classes).
    seed : int
        Of the order in which features are looked at: of several that split equally well the first is taken, and
        without chance a copy of another would never be.

    Returns
    -------
    importance : ndarray of float64, shape (Z,)
        The share of the squared error's decrease that each feature brought; zeros if nothing could be split.
    train, test : ndarray of int64, shape (N,) and (M,)
        The predicted classes.
    """
    x, x_test = (np.ascontiguousarray(each.T, dtype=np.float32) for each in (inputs, inputs_test))
    order = np.argsort(x, axis=1, kind="stable").astype(np.int32)
    share = np.bincount(classes) / len(classes)
    if len(share) == 1:
        return np.zeros(len(x)), classes, np.zeros(x_test.shape[1], dtype=np.int64)
    if len(share) == 2:  # one tree a stage, for the log-odds
        start, targets = np.log(share[1:] / share[0]), classes[None] == 1
    else:
        start, targets = np.log(share), classes[None] == np.arange(len(share))[:, None]
    raw = np.repeat(start[:, None], x.shape[1], axis=1)
    raw_test = np.repeat(start[:, None], x_test.shape[1], axis=1)
    importance = _boost(
        x, order, np.ascontiguousarray(targets), x_test, raw, raw_test, stages, np.random.default_rng(seed)
    )
    if len(share) == 2:
        return importance, (raw[0] > 0).astype(np.int64), (raw_test[0] > 0).astype(np.int64)
    return importance, raw.argmax(axis=0), raw_test.argmax(axis=0)


@njit(cache=True)
def _boost(x, order, targets, x_test, raw, raw_test, stages, rng):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the stages to `raw` (C, N) and `raw_test` (C, M), the scores of the classes; return the importance (Z,)."""
    num_trees, n = targets.shape
    importance = np.zeros(len(x))
    residual = np.empty((num_trees, n))
    node, node_test = np.empty(n, dtype=np.int8), np.empty(x_test.shape[1], dtype=np.int8)
    feature, threshold = np.empty(_INNER, dtype=np.int64), np.empty(_INNER)
    # One tree tells two classes apart by itself; of several, each has the part of Friedman's diagonal Newton step.
    factor = 1.0 if num_trees == 1 else (num_trees - 1) / num_trees
    for _ in range(stages):
        for i in range(n):
            if num_trees == 1:
                residual[0, i] = targets[0, i] - 1 / (1 + np.exp(-raw[0, i]))
            else:
                top = raw[:, i].max()
                p = np.exp(raw[:, i] - top)
                p /= p.sum()
                for c in range(num_trees):
                    residual[c, i] = targets[c, i] - p[c]
        for c in range(num_trees):
            _grow(x, order, residual[c], node, feature, threshold, importance, rng)
            above, below = np.zeros(_NODES), np.zeros(_NODES)
            for i in range(n):
                p = targets[c, i] - residual[c, i]
                above[node[i]] += residual[c, i]
                below[node[i]] += p * (1 - p)
            value = np.zeros(_NODES)
            for leaf in range(_NODES):
                if below[leaf] > 1e-150:
                    value[leaf] = _RATE * factor * above[leaf] / below[leaf]
            _descend(x_test, node_test, feature, threshold)
            for i in range(n):
                raw[c, i] += value[node[i]]
            for i in range(len(node_test)):
                raw_test[c, i] += value[node_test[i]]
    total = importance.sum()
    return importance / total if total > 0 else importance


@njit(cache=True)
def _grow(x, order, residual, node, feature, threshold, importance, rng):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Grow a tree for `residual` (N,): its splits, the leaf of every sample in `node`; add to the importance."""
    num_features, n = x.shape
    turns = np.arange(num_features)
    node[:] = 0
    feature[:] = -1
    for depth in range(_DEPTH):
        first = 2**depth - 1
        width = first + 1
        count, total, squares = np.zeros(width), np.zeros(width), np.zeros(width)
        for i in range(n):
            at = node[i] - first
            if at >= 0:
                count[at] += 1
                total[at] += residual[i]
                squares[at] += residual[i] ** 2
        best = np.zeros(width)
        rng.shuffle(turns)
        for z in turns:
            left, left_total = np.zeros(width), np.zeros(width)
            before = np.zeros(width, dtype=np.float32)
            for j in range(n):
                i = order[z, j]
                at = node[i] - first
                if at < 0:
                    continue
                here = x[z, i]
                if left[at] > 0 and here > before[at] + np.float32(_SAME):
                    right = count[at] - left[at]
                    gap = right * left_total[at] - left[at] * (total[at] - left_total[at])
                    improvement = gap * gap / (left[at] * right)
                    if improvement > best[at] * (1 + _EQUAL):
                        best[at] = improvement
                        feature[first + at] = z
                        middle = before[at] / np.float32(2) + here / np.float32(2)
                        threshold[first + at] = before[at] if middle == here else middle
                left[at] += 1
                left_total[at] += residual[i]
                before[at] = here
        for at in range(width):
            # A node whose samples agree is not split, whatever rounding says.
            if count[at] > 0 and squares[at] / count[at] - (total[at] / count[at]) ** 2 <= 2.220446049250313e-16:
                feature[first + at] = -1
            if feature[first + at] >= 0:
                importance[feature[first + at]] += best[at] / count[at] / n
        for i in range(n):
            at = node[i]
            if at >= first and feature[at] >= 0:
                node[i] = 2 * at + 1 if x[feature[at], i] <= threshold[at] else 2 * at + 2


@njit(cache=True)
def _descend(x, node, feature, threshold):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the leaf of every sample."""
    for i in range(x.shape[1]):
        at = 0
        while at < _INNER and feature[at] >= 0:
            at = 2 * at + 1 if x[feature[at], i] <= threshold[at] else 2 * at + 2
        node[i] = at
