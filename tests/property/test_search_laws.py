# SPDX-License-Identifier: BSD-3-Clause
"""Laws of search and selection."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._search import cells as cells_module
from broadpeak._search.cells import _dense_sums, _sparse_sums, best_beside, choose_cell, make_cells
from broadpeak._search.protocol import maximise
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak._search.selectors import Ensemble, Hill, Peak, Plateau, choose_step
from broadpeak._store.par import ComponentParameters
from broadpeak.searchers import Ascent, Brute, Genetic

laws = settings(max_examples=80)
SELECTORS = [
    Hill(), Hill(edges="inner"), Hill(3), Hill(7), Hill(clip=False), Plateau(), Peak(), Ensemble()
]  # fmt: skip

scores = st.lists(
    st.floats(-100, 100).map(lambda value: round(value, 3)), min_size=1, max_size=30
).map(np.array)
grids = st.tuples(
    st.integers(0, 50), st.integers(1, 40), st.sampled_from([0.1, 0.25, 0.5, 1, 2.5, 5])
)


@laws
@given(grids)
def test_linear_grid(drawn):
    low, width, step = drawn
    steps = Dimension("x", 1, low, low + width, step).steps()
    assert steps[0] == low
    assert steps[-1] == low + width
    assert np.all(np.diff(steps) > 0)
    assert len(steps) == math.ceil(round(width / step, 9)) + 1
    assert np.allclose(np.diff(steps)[:-1], step)


@laws
@given(st.floats(0.01, 100), st.floats(1.001, 50), st.floats(1, 100))
def test_percent_grid(low, times, percent):
    steps = Dimension("x", 1, low, low * times, -percent).steps()
    assert steps[0] == low
    assert steps[-1] == low * times
    ratios = steps[1:] / steps[:-1]
    assert np.allclose(ratios[:-1], 1 + percent / 100)
    assert 1 < ratios[-1] <= (1 + percent / 100) * (1 + 1e-6)


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
@laws
@given(scores, st.floats(0.001, 1000), st.integers(-20, 20))
def test_scale_changes_no_choice(selector, y, factor, bias):
    x = np.arange(1.0, len(y) + 1)
    first = choose_step(x, y, selector, bias)
    second = choose_step(x, y * factor, selector, bias)
    assert (first.step, first.peak, first.window) == (second.step, second.peak, second.window)
    assert first.value == pytest.approx(second.value, rel=1e-6, abs=1e-6)
    assert second.score == pytest.approx(first.score * factor, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
@laws
@given(scores)
def test_the_value_lies_in_its_window(selector, y):
    x = np.linspace(3, 9, len(y))
    choice = choose_step(x, y, selector)
    low, high = choice.window
    assert 0 <= low <= high < len(y)
    assert x[low] <= choice.value <= x[high]
    assert y.min() - 1e-9 <= choice.score <= y.max() + 1e-9


@laws
@given(scores)
def test_inner_keeps_a_full_window(y):
    assume(len(y) >= 5)
    choice = choose_step(np.arange(len(y) * 1.0), y, Hill(edges="inner"))
    assert 2 <= choice.step <= len(y) - 3
    assert choice.window == (choice.step - 2, choice.step + 2)


@laws
@given(st.integers(20, 40), st.data(), st.floats(0, 10), st.floats(0.1, 50))
def test_a_lone_spike_loses_to_a_hill(n, data, base, lead):
    spike = data.draw(st.integers(2, 7))
    start = data.draw(st.integers(12, n - 5))
    y = np.full(n, base)
    y[spike] = base + lead
    three = y.copy()
    three[start : start + 3] = base + lead * 3 / 7 * 1.01
    five = y.copy()
    five[start : start + 5] = base + lead / 3 * 1.01
    for curve in (three, five):
        choice = choose_step(np.arange(n * 1.0), curve, Hill())
        assert start - 1 <= choice.step <= start + 5
        assert choice.peak == spike
    smooth = choose_step(np.arange(n * 1.0), y, Hill(clip=False))
    assert smooth.score == pytest.approx(base + lead / 3)
    assert choose_step(np.arange(n * 1.0), y, Hill()).score == pytest.approx(base)


HEIGHTS = [1.01, 4.0, 1e3, 1e9, 1e15, 1e300]


@laws
@given(st.integers(12, 40), st.data(), st.sampled_from(HEIGHTS), st.floats(-5, 5))
@pytest.mark.parametrize("selector", [Hill(), Hill(3), Hill(edges="inner"), Plateau(), Ensemble()])
def test_a_lone_spike_of_any_height_never_wins(selector, n, data, height, base):
    width = data.draw(st.sampled_from([3, 5]))
    start = data.draw(st.integers(0, n - width))
    far = [at for at in range(n) if at < start - 1 or at > start + width]
    spikes = data.draw(st.lists(st.sampled_from(far), min_size=1, max_size=3))
    spikes = [at for at in spikes if not {at - 1, at + 1} & set(spikes)] or spikes[:1]
    y = np.full(n, base)
    y[start : start + width] += 1.0
    y[spikes] = base + height
    choice = choose_step(np.arange(n * 1.0), y, selector)
    assert start - 1 <= choice.step <= start + width
    assert start - 1 <= choice.value <= start + width
    assert not {at for at, _ in choice.members[:1]} & set(spikes)


@settings(max_examples=150)
@given(st.integers(2, 3), st.integers(0, 999), st.sampled_from(HEIGHTS), st.floats(-5, 5))
@pytest.mark.parametrize("selector", [Hill(3), Hill(5), Hill(3, "inner"), Plateau(), Ensemble()])
def test_a_lone_spike_never_wins_over_several_parameters(selector, d, seed, height, base):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(9, 12, d).tolist())
    grid = np.full(shape, base)
    width, corner = int(rng.choice([3, 5])), [int(rng.integers(0, 3)) for _ in shape]
    hill = tuple(slice(first, first + width) for first in corner)
    grid[hill] += 1.0
    inside = np.zeros(shape, dtype=bool)
    inside[hill] = True
    # Some cells are missing, and around one spike all are; the hill itself is whole.
    kept = inside | (rng.random(shape) < rng.choice([0.5, 0.8, 1.0]))
    free = np.argwhere(_grown(inside) == 0)
    spikes = [tuple(free[rng.integers(len(free))])]
    alone = tuple(slice(max(k - 1, 0), k + 2) for k in spikes[0])
    if rng.random() < 0.5:
        kept[alone] &= inside[alone]
    kept[spikes[0]] = True
    grid[spikes[0]] = base + height
    codes = np.argwhere(kept)
    cells = make_cells(codes, shape, grid[kept])
    spike = int(np.flatnonzero((codes == spikes[0]).all(axis=1))[0])
    choice = choose_cell(cells, selector)
    assert choice.peak == spike
    assert _grown(inside)[tuple(codes[choice.cell])]
    assert spike not in {at for at, _ in choice.members[:1]}


def _grown(inside):
    """Cells at most one step away."""
    grown = inside.copy()
    for axis in range(inside.ndim):
        padded = np.pad(grown, [(1, 1) if k == axis else (0, 0) for k in range(inside.ndim)])
        n = inside.shape[axis]
        for shift in (0, 2):
            grown = grown | np.take(padded, range(shift, shift + n), axis)
    return grown


def test_a_spike_with_nothing_around_it_wins_only_where_the_rest_is_thin_and_poor():
    pair = [(0, 0), (0, 1)]
    lone = [(4, k) for k in range(0, 20, 2)]
    codes = np.array(pair + lone)
    heights = np.array([1.0, 1.0, *np.linspace(2, 3, len(lone))])
    assert choose_cell(make_cells(codes, (5, 20), heights), Hill(3)).cell == len(codes) - 1
    heights[:2] = 2.6
    assert choose_cell(make_cells(codes, (5, 20), heights), Hill(3)).cell == 0


spaces = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.5, 1, 2])),
    min_size=1,
    max_size=3,
).map(
    lambda drawn: SearchSpace(
        [
            Dimension(f"p{k}", low + width / 2, low, low + width, step)
            for k, (low, width, step) in enumerate(drawn)
        ]
    )
)


def scorer(seed, shift=0.3):
    def score(point):
        return float(np.random.default_rng([seed, *(round(v * 1000) for v in point)]).normal(shift))

    return score


def run(searcher, space, score, seed=0):
    asked = []

    def evaluate_many(steps):
        asked.extend(step.point for step in steps)
        return [score(step.point) for step in steps]

    return maximise(searcher, space, evaluate_many, seed=seed), asked


@laws
@given(spaces, st.integers(0, 99), st.integers(1, 3))
def test_ascent_asks_for_the_documented_points(space, seed, passes):
    found, asked = run(Ascent(passes=passes), space, scorer(seed))
    values = list(space.defaults)
    expected = []
    curves = iter(found.choice.curves)
    for _ in range(passes):
        for axis, dim in enumerate(space):
            if dim.searched:
                expected += [(*values[:axis], x, *values[axis + 1 :]) for x in dim.steps().tolist()]
                values[axis] = next(curves).value
    expected.append(tuple(values))
    assert asked == list(dict.fromkeys(expected))
    assert found.values == tuple(values)


@laws
@given(spaces, st.integers(0, 99))
def test_brute_peak_is_the_best_of_all(space, seed):
    score = scorer(seed)
    found, asked = run(Brute("peak"), space, score)
    grid = [dim.even_steps().tolist() if dim.searched else [dim.default] for dim in space]
    every = list(itertools.product(*grid))
    best = max(every, key=score)
    if score(best) > 0 and any(dim.searched for dim in space):
        assert found.values == best
        assert sorted(asked) == every
    assert len(asked) == len(set(asked))


@laws
@given(spaces, st.integers(0, 99), st.floats(0.01, 100))
def test_scale_changes_no_search(space, seed, factor):
    score = scorer(seed)
    for searcher in (Ascent(), Brute(), Genetic(8, 5)):
        first, _ = run(searcher, space, score)
        second, _ = run(searcher, space, lambda point, score=score: score(point) * factor)
        assert first.values == pytest.approx(second.values, abs=1e-6)


@laws
@given(spaces, st.integers(0, 99))
def test_genetic_is_the_same_under_a_seed(space, seed):
    first = run(Genetic(10, 6), space, scorer(1), seed)
    assert first == run(Genetic(10, 6), space, scorer(1), seed)
    assert len(first[1]) == len(set(first[1])) <= 61


@laws
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.integers(0, 999),
    st.sampled_from([(1, 2, 1), (1, 2, 3, 2, 1)]),
)
def test_sparse_smoothing_equals_dense(shape, seed, weights):
    rng = np.random.default_rng(seed)
    size = math.prod(shape)
    kept = np.sort(rng.choice(size, rng.integers(1, size + 1), replace=False))
    codes = np.column_stack(np.unravel_index(kept, shape)).astype(np.int64)
    cells = make_cells(codes, shape, rng.normal(size=len(kept)))
    for dense, sparse in zip(
        _dense_sums(cells, weights), _sparse_sums(cells, weights), strict=True
    ):
        assert np.allclose(dense, sparse)
    for diagonal in (True, False):
        dense = best_beside(cells, diagonal=diagonal)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cells_module, "_is_dense", lambda cells: False)
            sparse = best_beside(cells, diagonal=diagonal)
        assert np.array_equal(dense, sparse)


@laws
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 999), st.booleans(), st.booleans())
def test_select_equals_a_slow_smoothing(n, m, seed, holes, clip):
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(n), range(m)], names=["a", "b"])
    values = pd.Series(rng.normal(size=n * m), index=index)
    if holes:
        values = values[rng.random(n * m) < 0.7]
    assume(len(values))
    levels = {name: sorted(set(values.index.get_level_values(name))) for name in ("a", "b")}
    assume(levels == {"a": list(range(n)), "b": list(range(m))})

    def around(a, b, cells):
        return [at for at in cells if at != (a, b) and abs(a - at[0]) <= 1 >= abs(b - at[1])]

    counted = dict(values.items())
    if clip:
        counted = {
            at: min(value, max((values[other] for other in around(*at, counted)), default=value))
            for at, value in counted.items()
        }
    met = [at for at in counted if around(*at, counted)]
    if clip and met and max(counted[at] for at in met) >= values.median():
        counted = {at: counted[at] for at in met}

    def smooth(cells):
        sums = {}
        for a, b in cells:
            near = [(a, b), *around(a, b, cells)]
            w = [(2 - abs(a - i)) * (2 - abs(b - j)) for i, j in near]
            sums[a, b] = sum(wi * cells[at] for wi, at in zip(w, near, strict=True)) / sum(w)
        return sums

    smoothed, uncut = smooth(counted), smooth({at: values[at] for at in counted})
    chosen = bp.select(values, method=Hill(3, clip=clip))
    top = max(smoothed.values())
    tied = [at for at in smoothed if smoothed[at] >= top - 1e-9]
    best = max(tied, key=uncut.get)
    assert (chosen.params["a"], chosen.params["b"]) == best
    assert chosen.score == pytest.approx(top)


@laws
@given(st.integers(0, 3000), st.integers(2, 30), st.floats(0.05, 0.95), st.booleans())
def test_walk_forward_windows(n_bars, cycles, share, anchored):
    try:
        windows = bp.split_walk_forward(n_bars, cycles, share, anchored)
    except bp.DataError:
        assume(False)
    assert len(windows) == cycles
    assert windows[-1].train_end == n_bars
    assert windows[-1][2:] == (None, None)
    assert windows[0].train_start == 0
    for window, following in itertools.pairwise(windows):
        assert window.train_start < window.train_end == window.test_start < window.test_end
        assert window.test_end == following.train_end
        if not anchored:
            assert following.train_start - window.train_start == window.test_end - window.test_start


finite = st.floats(allow_nan=False, allow_infinity=False)
parsets = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
        st.tuples(finite, st.booleans()),
        max_size=4,
    ),
    min_size=1,
    max_size=4,
)


@laws
@given(parsets, finite)
def test_parameter_files_keep_every_bit(tmp_path_factory, drawn, objective):
    components = {
        key: ComponentParameters(
            {name: value for name, (value, _) in params.items()},
            objective,
            frozenset(name for name, (_, edge) in params.items() if edge),
        )
        for key, params in drawn.items()
    }
    path = tmp_path_factory.mktemp("par") / "x.par"
    parameters = bp.Parameters(components, "s")
    assert bp.read_par(parameters.write(path)) == parameters
