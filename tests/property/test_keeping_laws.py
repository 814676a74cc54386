# SPDX-License-Identifier: BSD-3-Clause
"""What is kept depends on the results alone: not on their order, nor on how they are grouped."""

import math
import pickle

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._run.keeping import add_many, finished

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
