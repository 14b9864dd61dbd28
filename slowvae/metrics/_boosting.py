"""Gradient boosted trees for DCI: scikit-learn's `GradientBoostingClassifier` with its defaults, but faster by far.

Factors of many values need a tree for each value and stage, ten thousand in all, and each node of a tree has as many
places to split as it has samples times features. Few are looked at: the samples are cut into bins of neighbours by each
feature, and of the sums over a bin follows how good a split inside it can be at best. Where that may be the best of
all, every place is looked at as if there were no bins, and the sums that decide are those of the samples one by one,
in the order of the feature: bins save time and change no bit. See benchmarks/bench_metrics.py. The tests hold it
against scikit-learn and against the search of every place.
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
_SAME = np.float32(1e-7)  # features closer than this count as equal, as in scikit-learn
_BETTER = 1 + 1e-9  # splits whose improvements differ by less are equally good: rounding is not to choose
_TINY = 2.220446049250313e-16  # a node of no greater variance is not split, whatever rounding says
_LEAST = 1e-250  # lesser odds are computed anew: they may have lost digits
_WIDTH = 64  # neighbours of a bin
# What a bin holds is one whole number: how many samples in the lowest bits, above them the sums of the negated
# residuals below 0 and of those above, in steps of this part of the largest. So a sample is added, and a child taken
# from its parent, by one addition, which is exact; a full bin of the largest stays within its bits.
_COUNT, _SUM = 7, 28
_STEPS = float((1 << _SUM) // _WIDTH - 1)
_BLOCK = 256  # samples whose classes are looked at together: near enough to be had at once
_U = np.uint64  # of a signed index the compiler would ask whether it counts from the end


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
    n = x.shape[1]
    order = np.argsort(x, axis=1, kind="stable")
    bins = np.empty((n, len(x)), dtype=np.int64)
    np.put_along_axis(bins, order.T, np.arange(n)[:, None] // _WIDTH, axis=0)
    few = n <= 256 * _WIDTH
    order, bins = order.astype(np.uint16 if few else np.uint32), bins.astype(np.uint8 if few else np.uint32)  # near
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
        x, order, bins, np.ascontiguousarray(targets), x_test, raw, raw_test, stages, np.random.default_rng(seed)
    )
    if len(share) == 2:
        return importance, (raw[0] > 0).astype(np.int64), (raw_test[0] > 0).astype(np.int64)
    return importance, raw.argmax(axis=0), raw_test.argmax(axis=0)


@njit(cache=True)
def _boost(x, order, bins, targets, x_test, raw, raw_test, stages, rng):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the stages to `raw` (C, N) and `raw_test` (C, M), the scores of the classes; return the importance (Z,)."""
    num_trees, n = targets.shape
    importance, everyone = np.zeros(len(x)), np.arange(n)
    residual, odds = np.empty((num_trees, n)), np.zeros((num_trees, n))  # odds of 0 are taken from `raw` first
    # Of each node, feature and bin, what it holds. Of one node's: the sums of the residuals above 0 and, negated,
    # below, the sum and the number before it, the number of samples; and whether it can hold the best split. The
    # samples' nodes, and what each adds to its bins.
    shape = (len(x), (n + _WIDTH - 1) // _WIDTH)
    room = (
        np.empty((_INNER, *shape), dtype=np.int64),
        (np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape)),
        np.empty(shape),
        np.empty(n, dtype=np.uint8),
        np.empty(n, dtype=np.int64),
    )
    members, ordered = np.empty((_DEPTH, n + 1), dtype=order.dtype), np.empty((_DEPTH, n + 1), dtype=order.dtype)
    members[0, :n] = order[0]
    feature, threshold = np.empty(_INNER, dtype=np.int64), np.empty(_INNER)
    first, last = np.zeros(_NODES, dtype=np.int64), np.zeros(_NODES, dtype=np.int64)
    value = np.empty(_NODES)
    # One tree tells two classes apart by itself; of several, each has the part of Friedman's diagonal Newton step.
    factor = 1.0 if num_trees == 1 else (num_trees - 1) / num_trees
    for _ in range(stages):
        _residuals(targets, raw, odds, residual)
        for c in range(num_trees):
            grown = feature, threshold, first, last
            own = residual[c]
            _grow(x, order, everyone, bins, room, members, ordered, own, grown, importance, rng)
            value[:] = 0
            for node in range(_NODES):
                above = (node - 1) // 2
                if node and feature[above] < 0:
                    value[node] = value[above]  # for the test samples, which are led down all the way
                elif node >= _INNER or feature[node] < 0:
                    # The samples of a leaf are a run in the order of the feature by which the node above was split.
                    run = ordered[_depth(above)] if node else order[0]
                    value[node] = _step(run[first[node] : last[node]], own, _RATE * factor, raw[c], odds[c])
            for node in range(_INNER):
                feature[node] = max(feature[node], 0)
            for i in range(_U(x_test.shape[1])):
                node = _U(0)
                for _level in range(_DEPTH):
                    node = _U(2) * node + _U(2) - _U(x_test[_U(feature[node]), i] <= threshold[node])
                raw_test[c, i] += value[node]
    total = importance.sum()
    return importance / total if total > 0 else importance


@njit(cache=True)
def _depth(node):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return how many splits are above a node."""
    return 0 if node == 0 else 1 if node < 3 else 2


@njit(cache=True)
def _step(run, residual, rate, raw, odds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add a leaf's value to `raw` (N,) at the samples of its run, multiply `odds` (N,) to match, and return it."""
    top, bottom = 0.0, 0.0
    for i in run:
        r = residual[i]
        top += r
        bottom += abs(r) * (1 - abs(r))  # p (1 - p)
    value = rate * top / bottom if bottom > 1e-150 else 0.0
    times = np.exp(value)
    for i in run:
        raw[i] += value
        odds[i] *= times
    return value


@njit(cache=True)
def _residuals(targets, raw, odds, residual):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the gradients of the log loss (C, N): what is missing from each class's probability.

    Of more than two classes `odds` (C, N) are the probabilities before the last stage, times the exponential of what
    each leaf of it added: one exponential a leaf in place of one a sample. They become the probabilities. Where they
    have left the range of numbers they are taken from the scores again.
    """
    num_trees, n = targets.shape
    if num_trees == 1:
        for i in range(n):
            residual[0, i] = targets[0, i] - 1 / (1 + np.exp(-raw[0, i]))
        return
    total = np.empty(_BLOCK)
    for begin in range(0, n, _BLOCK):
        end = min(begin + _BLOCK, n)
        if not _add(odds, begin, end, total):
            _from_scores(raw, begin, end, odds)
            _add(odds, begin, end, total)
        for i in range(end - begin):
            total[i] = 1 / total[i]
        for c in range(num_trees):
            hit, mine, missing = targets[c, begin:end], odds[c, begin:end], residual[c, begin:end]
            for i in range(len(hit)):
                mine[i] *= total[i]
                missing[i] = hit[i] - mine[i]


@njit(cache=True)
def _add(odds, begin, end, total):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the sums over the classes (C, N) of some samples; return whether all odds are numbers of full precision."""
    total[:] = 0
    lost = 0
    for c in range(len(odds)):
        mine = odds[c, begin:end]
        for i in range(len(mine)):
            total[i] += mine[i]
            lost += mine[i] < _LEAST
    for i in range(end - begin):
        lost += not total[i] < 1 / _LEAST  # nor NaN
    return lost == 0


@njit(cache=True)
def _from_scores(raw, begin, end, odds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the odds of classes with these scores (C, N) of some samples: 1 for the most probable."""
    for i in range(begin, end):
        largest = raw[:, i].max()
        for c in range(len(raw)):
            odds[c, i] = np.exp(raw[c, i] - largest)


@njit(cache=True)
def _grow(x, order, everyone, bins, room, members, ordered, residual, grown, importance, rng):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Grow a tree for `residual` (N,): its splits, and where each node's samples lie; add to the importance.

    ``members[d, first[i] : last[i]]`` are the samples of the node i of depth d in the order of the first feature, and
    ``ordered[d, first[i] : last[i]]`` in that of the feature by which it is split.
    """
    num_features, n = x.shape
    feature, threshold, first, last = grown
    turns = np.arange(num_features)
    gain, place, peak = np.empty(num_features), np.zeros(num_features, dtype=np.int64), np.empty(num_features)
    table, sums, margin, inside, packed = room
    before, left, held = sums[2:]
    inside[:] = 0
    feature[:] = -1
    first[:] = 0
    last[:] = 0
    last[0] = n
    most_up, most_down, size = _extent(residual)
    step_up, step_down = most_up / _STEPS, most_down / _STEPS
    steep_up, steep_down = 1 / most_up if most_up > 0 else 1.0, 1 / most_down if most_down > 0 else 1.0
    # What is less than the best by so much cannot even in a chain of equally good ones have a say in which is taken.
    less = 1 - 2e-9 * (n + num_features + 8)
    _pack(residual, steep_up, steep_down, packed)
    _tally(everyone, bins, packed, table[0])
    for depth in range(_DEPTH):
        rng.shuffle(turns)
        for node in range(2**depth - 1, 2 ** (depth + 1) - 1):
            begin, end = first[node], last[node]
            count = float(end - begin)
            total, squares = _totals(members[depth, begin:end], residual)
            if count < 2 or squares / count - (total / count) ** 2 <= _TINY:
                continue
            # Sums of bins are right to half a step a sample, and to the rounding of sums of samples. An end of a bound
            # may lie wrong by as many samples as make up for half a step of each in a bin, and a margin.
            error = 0.501 * count * (step_up + step_down) + 2e-15 * n * size
            slack = error * count + _WIDTH / _STEPS * size
            about = (count, total, slack, steep_up, steep_down)
            z, b = _unpack(table[node], step_up, step_down, sums, count, total)
            least = 0.0
            if b >= 0 and _apart(x[z], order[z], inside, node, (b + 1) * _WIDTH):
                here = left[z, b] + held[z, b]
                gap = abs(count * (before[z, b] + sums[0][z, b] - sums[1][z, b]) - here * total) - slack
                least = max(gap, 0.0) ** 2 / (here * (count - here)) * less
            _margins(sums, about, least, margin)
            for z in range(num_features):
                peak[z], least = _peak(x[z], order[z], z, inside, node, residual, sums, margin[z], about, least, less)
            run, sorted_by = ordered[depth], -1
            gain[:] = 0
            for z in turns:
                if peak[z] >= least:
                    _collect(order[z], inside, node, held[z], run, begin)
                    gain[z], place[z] = _scan(x[z], run, begin, end, residual, total, held[z], margin[z])
                    sorted_by = z
            best = 0.0
            for z in turns:
                if gain[z] > best * _BETTER:
                    best = gain[z]
                    feature[node] = z
            if best == 0:
                continue
            chosen, middle = feature[node], place[feature[node]]
            if chosen != sorted_by:
                _collect(order[chosen], inside, node, held[chosen], run, begin)
            below, above = x[chosen, run[middle - 1]], x[chosen, run[middle]]
            half = below / np.float32(2) + above / np.float32(2)
            threshold[node] = below if half == above else half
            importance[chosen] += best / count / n
            one, two = 2 * node + 1, 2 * node + 2
            first[one], last[one] = begin, middle
            first[two], last[two] = middle, end
            if depth + 1 < _DEPTH:
                for i in run[begin:middle]:
                    inside[i] = one
                for i in run[middle:end]:
                    inside[i] = two
                _hand_on(members[depth], members[depth + 1], begin, middle, end, inside, two)
                small, large = (one, two) if middle - begin < end - middle else (two, one)
                _tally(members[depth + 1, first[small] : last[small]], bins, packed, table[small])
                table[large] = table[node] - table[small]


@njit(cache=True, fastmath=True)
def _extent(residual):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the largest residual, the largest of the negated ones, and the sum of their sizes."""
    up, down, size = 0.0, 0.0, 0.0
    for r in residual:
        up, down = max(up, r), max(down, -r)
        size += abs(r)
    return up, down, size


@njit(cache=True)
def _totals(run, residual):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the sum of the samples' residuals and of their squares."""
    total, squares = 0.0, 0.0
    for i in run:
        r = residual[i]
        total += r
        squares += r * r
    return total, squares


@njit(cache=True)
def _hand_on(rows, below, begin, middle, end, inside, two):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write a node's samples to those of its two children, each in the order it has.

    Every sample is written to both and the next one over it: a branch would be guessed wrong too often. One place after
    the node is written as well, which is nobody's or that of a node to come.
    """
    to = _U(begin)
    for j in range(_U(begin), _U(end)):
        below[to] = rows[j]
        to += _U(inside[rows[j]] != two)
    to = _U(middle)
    for j in range(_U(begin), _U(end)):
        below[to] = rows[j]
        to += _U(inside[rows[j]] == two)


@njit(cache=True)
def _collect(order, inside, node, held, run, begin):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write a node's samples to its place in `run` in the order of a feature, and one more, as `_hand_on` does."""
    to = _U(begin)
    for b in range(len(held)):
        start, stop = b * _WIDTH, min((b + 1) * _WIDTH, len(order))
        if held[b] == stop - start:
            for j in range(_U(start), _U(stop)):
                run[to] = order[j]
                to += _U(1)
        elif held[b]:
            for j in range(_U(start), _U(stop)):
                run[to] = order[j]
                to += _U(inside[order[j]] == node)


@njit(cache=True)
def _pack(residual, steep_up, steep_down, packed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write what each sample adds to the bins that it is in."""
    for i in range(len(residual)):
        r = residual[i]
        up = np.int64(max(r, 0.0) * steep_up * _STEPS + 0.5)
        down = np.int64(max(-r, 0.0) * steep_down * _STEPS + 0.5)
        packed[i] = (up << (_SUM + _COUNT)) + (down << _COUNT) + 1


@njit(cache=True)
def _tally(run, bins, packed, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write what every bin (Z, B) holds of the samples of a run."""
    table[:] = 0
    num_features, num_bins = _U(table.shape[0]), _U(table.shape[1])
    cells = table.ravel()
    for j in range(len(run)):
        i, start = _U(run[j]), _U(0)
        mine = packed[i]
        for z in range(num_features):
            cells[start + _U(bins[i, z])] += mine
            start += num_bins


@njit(cache=True)
def _unpack(table, step_up, step_down, sums, count, total):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the sums and numbers in and before each bin (Z, B); return after which feature's bin a split is best."""
    up, down, before, left, held = sums
    ups, downs, numbers, cells = up.ravel(), down.ravel(), held.ravel(), table.ravel()
    for cell in range(len(cells)):
        bits = cells[cell]
        ups[cell] = (bits >> (_SUM + _COUNT)) * step_up
        downs[cell] = ((bits >> _COUNT) & ((1 << _SUM) - 1)) * step_down
        numbers[cell] = bits & ((1 << _COUNT) - 1)
    top, bottom, feature, last = 0.0, 1.0, 0, -1
    for z in range(held.shape[0]):
        here, sum_ = 0.0, 0.0
        for b in range(held.shape[1]):
            before[z, b], left[z, b] = sum_, here
            here += held[z, b]
            sum_ += up[z, b] - down[z, b]
            gap, scale = count * sum_ - here * total, here * (count - here)
            if gap * gap * bottom > top * scale and 0 < here < count:
                top, bottom, feature, last = gap * gap, scale, z, b
    return feature, last


@njit(cache=True)
def _apart(x, order, inside, node, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return whether a feature tells a node's last sample before a place in its order from the first one after."""
    before, after = place - 1, place
    while inside[order[before]] != node:
        before -= 1
    while inside[order[after]] != node:
        after += 1
    return x[order[after]] > x[order[before]] + _SAME


@njit(cache=True, fastmath=True, inline="always")
def _excess(up, down, held, before, left, about, least):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return a number that is negative where no split inside a bin can have an improvement of `least`.

    After each sample of the bin, the number and the sum on the left are inside a hexagon: from those before the bin
    to those after it they rise no faster than the largest residual lets them, over no more than the sum of those
    above 0, and so for those below. The improvement is convex in both, so nowhere greater than at all corners.
    """
    count, total, slack, steep_up, steep_down = about
    start, stop, high, low = left, left + held, before + up, before - down
    few_up, few_down = up * steep_up, down * steep_down
    return max(
        _above(start, before, count, total, slack, least),
        _above(stop, high - down, count, total, slack, least),
        _above(min(max(start + few_up, 1.0), count - 1), high, count, total, slack, least),
        _above(min(max(stop - few_down, 1.0), count - 1), high, count, total, slack, least),
        _above(min(max(start + few_down, 1.0), count - 1), low, count, total, slack, least),
        _above(min(max(stop - few_up, 1.0), count - 1), low, count, total, slack, least),
    )


@njit(cache=True, fastmath=True, inline="always")
def _above(left, sum_, count, total, slack, least):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return by how much gap^2 of a split is above what it needs; neither all nor nothing on the left is a split."""
    gap = abs(count * sum_ - left * total) + slack
    return gap * gap - least * max(left * (count - left), count - 1)


@njit(cache=True, fastmath=True)
def _margins(sums, about, least, margin):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write for every bin (Z, B) the excess, negative where no split of it can be the best."""
    up, down, before, left, held = sums
    ups, downs, befores, lefts, numbers = up.ravel(), down.ravel(), before.ravel(), left.ravel(), held.ravel()
    margins = margin.ravel()
    for cell in range(len(ups)):
        margins[cell] = _excess(ups[cell], downs[cell], numbers[cell], befores[cell], lefts[cell], about, least)


@njit(cache=True)
def _peak(x, order, z, inside, node, residual, sums, margin, about, least, less):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return what improvement a feature's best split may have, -1 if less than `least`, and `least`, raised by it."""
    up, down, before, left, held = sums
    count, total, slack = about[0], about[1], about[2]
    peak = -1.0
    for b in range(len(margin)):
        if margin[b] < 0 or held[z, b] == 0:
            continue
        if _excess(up[z, b], down[z, b], held[z, b], before[z, b], left[z, b], about, least) < 0:
            continue
        here, sum_ = left[z, b], before[z, b]
        for j in range(_U(b * _WIDTH), _U(min((b + 1) * _WIDTH, len(order)))):
            i = order[j]
            mine = np.float64(np.uint8(inside[i] == node))
            here += mine
            sum_ += mine * residual[i]
            gap, scale = abs(count * sum_ - here * total), here * (count - here)
            if (gap + slack) * (gap + slack) >= least * scale and inside[i] == node and here < count:
                after = j + _U(1)
                while inside[order[after]] != node:
                    after += _U(1)
                if x[order[after]] > x[i] + _SAME:
                    peak = max(peak, (gap + slack) ** 2 / scale)
                    least = max(least, max(gap - slack, 0.0) ** 2 / scale * less)
    return peak, least


@njit(cache=True)
def _scan(x, run, begin, end, residual, total, held, margin):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the best split of a node by a feature: its improvement and where the right side begins."""
    least, place, sum_, left = 0.0, begin, 0.0, 0.0
    count, last = float(end - begin), _U(end - 1)
    begin = _U(begin)
    for b in range(len(held)):
        stop = begin + _U(held[b])
        if margin[b] < 0:
            for j in range(begin, stop):
                sum_ += residual[run[j]]
            left += held[b]
        else:
            for j in range(begin, min(stop, last)):
                left += 1.0
                sum_ += residual[run[j]]
                # The improvement is gap^2 / scale; a division is slower than all the rest, so few are made.
                gap, scale = count * sum_ - left * total, left * (count - left)
                if gap * gap > least * scale and x[run[j + _U(1)]] > x[run[j]] + _SAME:
                    least, place = gap * gap / scale * _BETTER, np.int64(j) + 1
        begin = stop
    return least / _BETTER, place
