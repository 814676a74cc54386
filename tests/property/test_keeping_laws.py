# SPDX-License-Identifier: BSD-3-Clause
"""What is kept depends on the results alone: not on their order, nor on how they are grouped."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._run.batches import BatchResult, Outcome
from broadpeak._run.keeping import add_many, finished
from broadpeak._run.looped import ResultColumns
from broadpeak._run.reducing import _BLOCK, Reducing, reduction_of
from broadpeak.types import NoResult

FIGURES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 1.0, 2.0, math.nan, math.inf, -math.inf, 1e308, 5e-324]),
    st.floats(),
    st.integers(-3, 3),
    st.booleans(),
)
REDUCERS = st.one_of(
    st.builds(bp.top, st.integers(1, 6)),
    st.builds(bp.bottom, st.integers(1, 6)),
    st.just(bp.histogram([-1.5, 0, 1, 2])),
    st.just(bp.histogram(4, range=(-1, 3))),
)


def sorted_best(figures, reducer):
    """Return the positions that the obvious twin keeps: all of them sorted, then cut."""
    good = [at for at, figure in enumerate(figures) if math.isfinite(figure)]
    sign = -1 if reducer.largest else 1
    return sorted(good, key=lambda at: (sign * float(figures[at]), at))[: reducer.n]


def same(left, right):
    if isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right)
    else:
        assert pickle.dumps(left) == pickle.dumps(right)


@given(st.data(), st.lists(FIGURES, max_size=40), REDUCERS)
def test_any_order_and_any_grouping_give_one_answer(data, figures, reducer):
    whole = add_many(reducer, reducer.start(), range(len(figures)), figures)
    states = []
    order = data.draw(st.permutations(range(len(figures))))
    while order:
        size = data.draw(st.integers(1, len(order)))
        part, order = order[:size], order[size:]
        state = reducer.start()
        if data.draw(st.booleans()):
            state = add_many(reducer, state, part, [figures[at] for at in part])
        else:
            for at in part:
                state = reducer.add(state, at, figures[at])
        states.append(pickle.loads(pickle.dumps(state)))
    while len(states) > 1:  # any tree of merges, either way round
        left = states.pop(data.draw(st.integers(0, len(states) - 1)))
        at = data.draw(st.integers(0, len(states) - 1))
        pair = (left, states[at]) if data.draw(st.booleans()) else (states[at], left)
        states[at] = reducer.merge(*pair)
    merged = states[0] if states else reducer.start()
    same(finished(reducer, merged, pd.Index), finished(reducer, whole, pd.Index))


@given(st.lists(FIGURES, max_size=40), st.integers(1, 6), st.booleans())
def test_the_best_are_those_that_sorting_would_put_first(figures, n, largest):
    reducer = bp.top(n) if largest else bp.bottom(n)
    state = reducer.add_many(reducer.start(), range(len(figures)), figures)
    expected = sorted_best(figures, reducer)
    assert state.positions.tolist() == expected
    found = reducer.finish(state)
    assert found.index.tolist() == expected
    assert [type(value) for value in state.results] == [type(figures[at]) for at in expected]
    floor = (
        float(figures[expected[-1]]) if len(expected) == n else (-1 if largest else 1) * math.inf
    )
    assert reducer.floor(state) == floor


@given(st.lists(st.floats(), max_size=40), st.integers(1, 6), st.booleans())
def test_arrays_columns_and_single_results_are_one(figures, n, largest):
    reducer = bp.top(n) if largest else bp.bottom(n)
    named = bp.top(n, by="x") if largest else bp.bottom(n, by="x")
    array, others = np.array(figures), np.arange(len(figures))
    singly = reducer.finish(reducer.add_many(reducer.start(), range(len(figures)), figures))
    at_once = reducer.finish(reducer.add_many(reducer.start(), others, array))
    pd.testing.assert_series_equal(singly, at_once)
    columns = named.add_many(named.start(), others, {"x": array, "y": others})
    rows = [{"x": x, "y": y} for y, x in enumerate(figures)]
    row_by_row = named.add_many(named.start(), others, rows)
    frame = named.finish(columns)
    if len(frame):
        pd.testing.assert_frame_equal(frame, named.finish(row_by_row))
        pd.testing.assert_series_equal(frame["x"], singly, check_names=False)
        assert frame["y"].tolist() == singly.index.tolist()
    else:
        assert len(singly) == 0


@given(
    st.lists(st.floats(), max_size=40),
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6, unique=True),
)
def test_a_histogram_counts_as_numpy_does(figures, edges):
    reducer = bp.histogram(sorted(edges))
    found = reducer.finish(reducer.add_many(reducer.start(), range(len(figures)), figures))
    inside = [figure for figure in figures if min(edges) <= figure <= max(edges)]
    assert found.counts.tolist() == np.histogram(inside, sorted(edges))[0].tolist()
    assert found.below == sum(figure < min(edges) for figure in figures)
    assert found.above == sum(figure > max(edges) for figure in figures)
    assert found.missing == sum(map(math.isnan, figures))


class Sum:
    """Adds floats: other groupings, other last bits."""

    def start(self):
        return 0, 0.0

    def add(self, state, position, value):
        return state[0] + 1, state[1] + value

    def merge(self, left, right):
        return left[0] + right[0], left[1] + right[1]


class SumOfMany(Sum):
    def add_many(self, state, positions, values):
        assert positions.dtype == np.int64
        assert len(positions) == len(values)
        assert (np.diff(positions) > 0).all()
        return state[0] + len(values), state[1] + float(np.sum(np.asarray(values)))


class Words(Sum):
    """Neither order nor grouping may be another: a tree in brackets."""

    def start(self):
        return ""

    def add(self, state, position, value):
        assert state == ""
        return f"{position}:{value}"

    def merge(self, left, right):
        return f"({left} {right})"


def tree_twin(reducer, values, first=0, size=None):
    """Return the state of a tree over positions, written as it is defined: halves joined."""
    if size is None:
        parts, at, n = [], 0, len(values)
        while at < n:  # nodes as large as they fit and as their place allows
            size = 1
            while at % (2 * size) == 0 and at + 2 * size <= n:
                size *= 2
            parts.append(tree_twin(reducer, values, at, size))
            at += size
    elif size == 1:
        value = values[first]
        return None if value is NoResult else reducer.add(reducer.start(), first, value)
    else:
        half = size // 2
        parts = [tree_twin(reducer, values, at, half) for at in (first, first + half)]
    whole = None
    for part in parts:
        whole = part if whole is None else whole if part is None else reducer.merge(whole, part)
    return whole


FLOATS = st.one_of(st.floats(-1e3, 1e3), st.just(NoResult))


@given(st.data(), st.lists(FLOATS, max_size=70), st.sampled_from([Sum(), Words()]))
def test_states_of_users_are_joined_along_one_tree(data, values, reducer):
    whole = reduction_of(reducer)
    order = data.draw(st.permutations(range(len(values))))
    while order:
        size = data.draw(st.integers(1, len(order)))
        part, order = order[:size], order[size:]
        if data.draw(st.booleans()):
            part = sorted(part)
        results = [values[at] for at in part]
        way = data.draw(st.sampled_from(["here", "worker", "failed", "taken"]))
        if way == "here":
            whole.put(part, results)
        elif way == "taken":  # as by another process on the same store
            whole.put(part, results)
            known, whole = whole.parts(), reduction_of(reducer)
            whole.take(pickle.loads(pickle.dumps(known)))
        else:
            failed = []
            if way == "failed":  # and succeeded when it was tried again
                failed = sorted(data.draw(st.sets(st.integers(0, len(part) - 1))))
            values_ = [
                Outcome(part[at], "failed") if at in failed else value
                for at, value in enumerate(results)
            ]
            reducing = pickle.loads(pickle.dumps(Reducing(reducer)))
            answer = reducing.reduced(part, BatchResult(values_, failed))
            assert len(answer) == len(part)
            assert all(answer[at].index == part[at] for at in failed)
            whole.take(pickle.loads(pickle.dumps(answer)).parts)
            for at in failed:
                whole.put([part[at]], [results[at]])
    state = tree_twin(reducer, values)
    assert whole.state() == (reducer.start() if state is None else state)
    assert whole.n == sum(value is not NoResult for value in values)


@given(st.data(), st.integers(0, 2**32), st.booleans(), st.sampled_from(["list", "array", "rows"]))
def test_many_at_a_time_and_in_any_pieces(data, seed, drops, kind):
    rng, reducer, n = np.random.default_rng(seed), SumOfMany(), data.draw(st.integers(0, 2600))
    floats = rng.normal(0, 1, n) * 10.0 ** rng.integers(-3, 4, n)
    values = floats if kind == "array" else floats.tolist()
    if kind == "rows":
        values = ResultColumns([floats, floats], tuple)
    if drops and kind == "list":
        values = [NoResult if at % 3 == 0 else value for at, value in enumerate(values)]
    there = [value is not NoResult for value in values]
    blocks = []
    for start in range(0, n, _BLOCK):
        rows = range(start, min(start + _BLOCK, n))
        kept = [at for at in rows if there[at]]
        if kept:
            results = [values[at] for at in kept]
            blocks.append(reducer.add_many(reducer.start(), np.array(kept), results))
    expected = reducer.start()
    if len(blocks) > 1 and n >= 2 * _BLOCK:
        blocks[:2] = [reducer.merge(*blocks[:2])]
    for at, block in enumerate(blocks):
        expected = reducer.merge(expected, block) if at else block
    edges = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=6))})
    pieces = list(pairwise(edges))
    whole = reduction_of(reducer)
    for start, stop in data.draw(st.permutations(pieces)):
        if data.draw(st.booleans()):
            whole.put(range(start, stop), values[start:stop])
        else:
            answer = Reducing(reducer).reduced(range(start, stop), BatchResult(values[start:stop]))
            whole.take(answer.parts)
    assert whole.state() == expected
    assert whole.n == sum(there)
