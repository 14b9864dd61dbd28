"""Gradient boosted trees for DCI: scikit-learn's `GradientBoostingClassifier` with its defaults, but faster by far.

Factors of many values need a tree for each value and stage, ten thousand in all. The features are sorted once, not at
every node: a node's samples stay in the order of every feature, side by side in memory, and a split hands them on so.
See benchmarks/bench_metrics.py. The tests hold it against scikit-learn.
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
_SAME = np.float32(1e-7)  # features closer than this are not told apart, as in scikit-learn
_BETTER = 1 + 1e-9  # splits whose improvements differ by less are equally good: rounding is not to choose
_TINY = 2.220446049250313e-16  # a node of no greater variance is not split, whatever rounding says
_LANES = 5  # features that are looked at together: sums of one would wait for each other


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
    order = np.argsort(x, axis=1, kind="stable").astype(np.uint32)
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
    rows = np.empty((_DEPTH, len(x), n), dtype=np.uint32)
    rows[0] = order
    feature, threshold = np.empty(_INNER, dtype=np.int64), np.empty(_INNER)
    first, last = np.zeros(_NODES, dtype=np.int64), np.zeros(_NODES, dtype=np.int64)
    value = np.empty(_NODES)
    own, step = np.empty(n), np.empty(n)
    # One tree tells two classes apart by itself; of several, each has the part of Friedman's diagonal Newton step.
    factor = 1.0 if num_trees == 1 else (num_trees - 1) / num_trees
    for _ in range(stages):
        _residuals(targets, raw, residual)
        for c in range(num_trees):
            # What is read and written in the order of the features has to be near: it is copied from and to where not.
            own[:] = residual[c]
            _grow(x, rows, own, feature, threshold, first, last, importance, rng)
            for node in range(_NODES):
                value[node] = 0
                if first[node] == last[node] or (node < _INNER and feature[node] >= 0):
                    continue
                # The samples of a leaf are a run in the order of the feature by which the node above was split.
                above = (node - 1) // 2
                members = rows[_depth(above), feature[above]] if node else rows[0, 0]
                top, bottom = 0.0, 0.0
                for j in range(first[node], last[node]):
                    r = own[members[j]]
                    top += r
                    bottom += abs(r) * (1 - abs(r))  # p (1 - p)
                if bottom > 1e-150:
                    value[node] = _RATE * factor * top / bottom
                for j in range(first[node], last[node]):
                    step[members[j]] = value[node]
            for i in range(n):
                raw[c, i] += step[i]
            for i in range(x_test.shape[1]):
                node = 0
                while node < _INNER and feature[node] >= 0:
                    node = 2 * node + 1 if x_test[feature[node], i] <= threshold[node] else 2 * node + 2
                raw_test[c, i] += value[node]
    total = importance.sum()
    return importance / total if total > 0 else importance


@njit(cache=True)
def _depth(node):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return how many splits are above a node."""
    return 0 if node == 0 else 1 if node < 3 else 2


@njit(cache=True)
def _residuals(targets, raw, residual):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the gradients of the log loss (C, N): what is missing from each class's probability."""
    num_trees, n = targets.shape
    if num_trees == 1:
        for i in range(n):
            residual[0, i] = targets[0, i] - 1 / (1 + np.exp(-raw[0, i]))
        return
    largest, total = raw[0].copy(), np.zeros(n)
    for c in range(1, num_trees):
        for i in range(n):
            largest[i] = max(largest[i], raw[c, i])
    for c in range(num_trees):
        for i in range(n):
            residual[c, i] = np.exp(raw[c, i] - largest[i])
            total[i] += residual[c, i]
    total[:] = 1 / total
    for c in range(num_trees):
        for i in range(n):
            residual[c, i] = targets[c, i] - residual[c, i] * total[i]


@njit(cache=True)
def _grow(x, rows, residual, feature, threshold, first, last, importance, rng):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Grow a tree for `residual` (N,): its splits, and where each node's samples lie in `rows`; add to the importance.

    ``rows[d, z, first[i] : last[i]]`` are the samples of the node i of depth d in the order of the feature z.
    """
    num_features, n = x.shape
    turns = np.arange(num_features)
    gain, place = np.zeros(num_features), np.zeros(num_features, dtype=np.int64)
    lanes = np.zeros(_LANES, dtype=np.int64)
    right = np.empty(n, dtype=np.uint8)
    feature[:] = -1
    first[:] = 0
    last[:] = 0
    last[0] = n
    for depth in range(_DEPTH):
        rng.shuffle(turns)
        for node in range(2**depth - 1, 2 ** (depth + 1) - 1):
            begin, end = first[node], last[node]
            count = float(end - begin)
            total, squares = 0.0, 0.0
            for j in range(begin, end):
                r = residual[rows[depth, 0, j]]
                total += r
                squares += r * r
            if count < 2 or squares / count - (total / count) ** 2 <= _TINY:
                continue
            for k in range(0, num_features, _LANES):
                for lane in range(_LANES):
                    lanes[lane] = turns[min(k + lane, num_features - 1)]
                _scan(x, rows[depth], begin, end, residual, total, lanes, gain, place)
            best = 0.0
            for z in turns:
                if gain[z] > best * _BETTER:
                    best = gain[z]
                    feature[node] = z
            if best == 0:
                continue
            chosen, middle = feature[node], place[feature[node]]
            ordered = rows[depth, chosen]
            before, here = x[chosen, ordered[middle - 1]], x[chosen, ordered[middle]]
            half = before / np.float32(2) + here / np.float32(2)
            threshold[node] = before if half == here else half
            importance[chosen] += best / count / n
            first[2 * node + 1], last[2 * node + 1] = begin, middle
            first[2 * node + 2], last[2 * node + 2] = middle, end
            if depth + 1 < _DEPTH:
                for j in range(begin, end):
                    right[ordered[j]] = j >= middle
                for z in range(num_features):
                    _hand_on(rows[depth, z], rows[depth + 1, z], begin, middle, end, right)


@njit(cache=True)
def _hand_on(rows, below, begin, middle, end, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write a node's samples to those of its two children, each in the order it has."""
    to_left, to_right = begin, middle
    for j in range(begin, end):
        i = rows[j]
        below[to_right if right[i] else to_left] = i
        to_right += right[i]
        to_left += 1 - right[i]


@njit(cache=True)
def _scan(x, rows, begin, end, residual, total, lanes, gain, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the best split of a node by each of five features: its improvement and where the right side begins."""
    z0, z1, z2, z3, z4 = lanes[0], lanes[1], lanes[2], lanes[3], lanes[4]
    rows0, rows1, rows2, rows3, rows4 = rows[z0], rows[z1], rows[z2], rows[z3], rows[z4]
    x0, x1, x2, x3, x4 = x[z0], x[z1], x[z2], x[z3], x[z4]
    sum0 = sum1 = sum2 = sum3 = sum4 = 0.0
    least0 = least1 = least2 = least3 = least4 = 0.0
    place0 = place1 = place2 = place3 = place4 = begin
    count, left = float(end - begin), 0.0
    for j in range(begin, end - 1):
        left += 1.0
        share, scale = left * total, left * (count - left)
        sum0 += residual[rows0[j]]
        sum1 += residual[rows1[j]]
        sum2 += residual[rows2[j]]
        sum3 += residual[rows3[j]]
        sum4 += residual[rows4[j]]
        # The improvement is gap^2 / scale; a division is slower than all the rest, so few are made.
        gap = count * sum0 - share
        if gap * gap > least0 * scale and x0[rows0[j + 1]] > x0[rows0[j]] + _SAME:
            least0, place0 = gap * gap / scale * _BETTER, j + 1
        gap = count * sum1 - share
        if gap * gap > least1 * scale and x1[rows1[j + 1]] > x1[rows1[j]] + _SAME:
            least1, place1 = gap * gap / scale * _BETTER, j + 1
        gap = count * sum2 - share
        if gap * gap > least2 * scale and x2[rows2[j + 1]] > x2[rows2[j]] + _SAME:
            least2, place2 = gap * gap / scale * _BETTER, j + 1
        gap = count * sum3 - share
        if gap * gap > least3 * scale and x3[rows3[j + 1]] > x3[rows3[j]] + _SAME:
            least3, place3 = gap * gap / scale * _BETTER, j + 1
        gap = count * sum4 - share
        if gap * gap > least4 * scale and x4[rows4[j + 1]] > x4[rows4[j]] + _SAME:
            least4, place4 = gap * gap / scale * _BETTER, j + 1
    gain[z0], place[z0] = least0 / _BETTER, place0
    gain[z1], place[z1] = least1 / _BETTER, place1
    gain[z2], place[z2] = least2 / _BETTER, place2
    gain[z3], place[z3] = least3 / _BETTER, place3
    gain[z4], place[z4] = least4 / _BETTER, place4
