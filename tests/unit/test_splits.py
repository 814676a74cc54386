# SPDX-License-Identifier: BSD-3-Clause
"""Walk-forward windows, purged folds and blocks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._validation.splitters import Window, cycles_for_period
from broadpeak.errors import DataError, ParamError


def test_published_report():
    windows = bp.split_walk_forward(9483, 12, 0.85)
    assert len(windows) == 12
    assert {w.train_end - w.train_start for w in windows} == {3224}
    tests = [w for w in windows if w.test_start is not None]
    assert {w.test_end - w.test_start for w in tests} == {569}
    assert sum(w.test_end - w.test_start for w in tests) == 6259
    assert windows[-1] == (6259, 9483, None, None)


def test_second_vector():
    windows = bp.split_walk_forward(10_000, 10, 0.9)
    assert windows[0] == (0, 10_000 - 9 * 556, 4996, 4996 + 556)


def test_anchored():
    rolling = bp.split_walk_forward(1000, 4, 0.7)
    anchored = bp.split_walk_forward(1000, 4, 0.7, True)
    assert [w[1:] for w in anchored] == [w[1:] for w in rolling]
    assert {w.train_start for w in anchored} == {0}


def test_half_a_bar_is_rounded_up():
    # P = 5 / (0.5 + 0.5) = 5, and half of it is 2.5 bars.
    assert bp.split_walk_forward(5, 2, 0.5) == [Window(0, 2, 2, 5), Window(3, 5, None, None)]


@pytest.mark.parametrize("n_bars", [0, 1, 2, 5])
def test_too_few_bars(n_bars):
    with pytest.raises(DataError, match=r"10 cycles at split=0.85 must have at least about 15"):
        bp.split_walk_forward(n_bars, 10, 0.85)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1000, 1, 0.85), "cycles must be an integer of at least 2"),
        ((1000, 2.5, 0.85), "cycles must be an integer"),
        ((1000, "ten", 0.85), "cycles must be an integer"),
        ((-5, 2, 0.85), "n_bars must be an integer of at least 0"),
        ((1000, 10, 85), "Type 0.85 for 85 % training"),
        ((1000, 10, 0), "split must be a share above 0 and below 1"),
        ((1000, 10, None), "split must be a share"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ParamError, match=message):
        bp.split_walk_forward(*arguments)


@pytest.mark.parametrize("cycles", [2, 3, 7, 12, 40])
def test_cycles_for_period(cycles):
    windows = bp.split_walk_forward(9483, cycles, 0.85)
    assert cycles_for_period(9483, windows[0].test_end, 0.85) == cycles
    with pytest.raises(DataError, match="two cycles in 100 bars, got 300"):
        cycles_for_period(100, 300)
    with pytest.raises(ParamError, match="positive number of bars"):
        cycles_for_period(100, 0)


def test_walk_forward_split():
    index = pd.date_range("2020", periods=1000)
    splitter = bp.splits.WalkForwardSplit(4, split=0.7, purge=3)
    pairs = list(splitter.split(index))
    assert len(pairs) == splitter.get_n_splits(index) == 3
    windows = bp.split_walk_forward(1000, 4, 0.7)
    for (train, test), window in zip(pairs, windows, strict=False):
        assert train.tolist() == list(range(window.train_start, window.train_end - 3))
        assert test.tolist() == list(range(window.test_start, window.test_end))
    anchored = list(bp.splits.WalkForwardSplit(4, split=0.7, anchored=True).split(index))
    assert all(train[0] == 0 for train, _ in anchored)


def test_purged_folds():
    folds = list(bp.splits.PurgedKFold(4, purge=2, embargo=3).split(range(40)))
    train, test = folds[1]
    assert test.tolist() == list(range(10, 20))
    assert train.tolist() == [*range(8), *range(25, 40)]
    assert np.concatenate([test for _, test in folds]).tolist() == list(range(40))
    share = list(bp.splits.PurgedKFold(4, embargo=0.1).split(range(40)))
    assert share[1][0].tolist() == [*range(10), *range(24, 40)]


def test_uneven_folds():
    sizes = [len(test) for _, test in bp.splits.PurgedKFold(3).split(np.zeros((11, 2)))]
    assert sizes == [4, 4, 3]


def test_combinatorial():
    splitter = bp.splits.CombinatorialPurged(6, 2, purge=1, embargo=2)
    pairs = list(splitter.split(pd.DataFrame({"x": range(60)})))
    assert len(pairs) == splitter.get_n_splits() == 15
    assert splitter.n_paths == 5
    train, test = pairs[1]  # folds 0 and 2
    assert test.tolist() == [*range(10), *range(20, 30)]
    assert train.tolist() == [*range(13, 19), *range(33, 60)]


def test_paths_test_every_fold_once():
    splitter = bp.splits.CombinatorialPurged(6, 2)
    paths = splitter.paths()
    assert paths.shape == (5, 6)
    tested = [set(test // 10) for _, test in splitter.split(range(60))]
    assert all(fold in tested[split] for path in paths for fold, split in enumerate(path))
    used = [(split, fold) for path in paths for fold, split in enumerate(path)]
    assert len(used) == len(set(used)) == 15 * 2


def test_block_split():
    days = pd.date_range("2020-01-01", periods=42)
    ((train, test),) = bp.splits.BlockSplit().split(days)
    assert test.tolist() == [*range(14, 21), *range(35, 42)]
    assert train.tolist() == [t for t in range(42) if t not in test]
    frame = pd.DataFrame({"close": 1.0}, index=days)
    assert next(bp.splits.BlockSplit().split(frame))[1].tolist() == test.tolist()
    ((train, test),) = bp.splits.BlockSplit(5, train=[0], test=[2]).split(range(17))
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 3, 4, 15, 16], [10, 11, 12, 13, 14])


def test_too_small():
    with pytest.raises(DataError, match="5 folds must have at least 5 bars, got 3"):
        list(bp.splits.PurgedKFold(5).split(range(3)))
    with pytest.raises(DataError, match="leave bars to train on"):
        list(bp.splits.PurgedKFold(2, purge=10).split(range(10)))
    with pytest.raises(DataError, match="leave bars to train on"):
        list(bp.splits.WalkForwardSplit(3, split=0.5, purge=9).split(range(20)))
    with pytest.raises(DataError, match="leave bars to train on"):
        list(bp.splits.BlockSplit("7D").split(pd.date_range("2020", periods=3)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bp.splits.WalkForwardSplit(1), "cycles must be"),
        (lambda: bp.splits.WalkForwardSplit(split=2), "split must be"),
        (lambda: bp.splits.PurgedKFold(1), "n_splits must be"),
        (lambda: bp.splits.PurgedKFold(purge=-1), "purge must be"),
        (lambda: bp.splits.PurgedKFold(embargo=-0.1), "embargo must be"),
        (lambda: bp.splits.PurgedKFold(embargo=1.5), "embargo must be an integer"),
        (lambda: bp.splits.CombinatorialPurged(4, 4), r"n_test must be less than n_blocks"),
        (lambda: bp.splits.BlockSplit("week"), "period must be"),
        (lambda: bp.splits.BlockSplit(0), "period must be a"),
        (lambda: bp.splits.BlockSplit(test=(1,)), "train and test must"),
        (lambda: list(bp.splits.BlockSplit("7D").split(range(9))), "index must be a DatetimeIndex"),
        (lambda: list(bp.splits.PurgedKFold(2).split(9)), "index must have a length"),
    ],
    ids=range(12),
)
def test_bad_splitters(make, message):
    with pytest.raises(ParamError, match=message):
        make()


def test_they_show_themselves():
    assert repr(bp.splits.WalkForwardSplit(3)) == (
        "WalkForwardSplit(3, split=0.85, anchored=False, purge=0)"
    )
    assert repr(bp.splits.PurgedKFold()) == "PurgedKFold(5, purge=0, embargo=0.0)"


# The examples of the documentation of scikit-learn's KFold and of skfolio's CombinatorialPurgedCV.
@pytest.mark.parametrize(
    ("options", "trains"),
    [
        ({}, [[8, 9, 10, 11], [4, 5, 6, 7], [0, 1, 2, 3]]),
        ({"purge": 1}, [[9, 10, 11], [5, 6], [0, 1, 2]]),
        ({"embargo": 1}, [[9, 10, 11], [5, 6, 7], [0, 1, 2, 3]]),
    ],
)
def test_published_combinations(options, trains):
    pairs = list(bp.splits.CombinatorialPurged(3, 2, **options).split(range(12)))
    assert [train.tolist() for train, _ in pairs] == trains
    tests = [[*range(8)], [*range(4), *range(8, 12)], [*range(4, 12)]]
    assert [test.tolist() for _, test in pairs] == tests


def test_published_folds():
    pairs = [(a.tolist(), b.tolist()) for a, b in bp.splits.PurgedKFold(2).split(np.zeros((4, 2)))]
    assert pairs == [([2, 3], [0, 1]), ([0, 1], [2, 3])]


@given(
    st.integers(3, 8), st.integers(1, 7), st.integers(0, 6), st.integers(0, 6), st.integers(60, 120)
)
def test_gaps_are_at_every_edge_of_every_tested_fold(blocks, tested, purge, embargo, n_bars):
    """A bar is trained on if no tested bar is near: nearer after a test than before it."""
    tested = min(tested, blocks - 1)
    splitter = bp.splits.CombinatorialPurged(blocks, tested, purge=purge, embargo=embargo)
    try:
        pairs = list(splitter.split(range(n_bars)))
    except DataError:  # the gaps leave nothing to train on
        assert purge + embargo > 0
        return
    for train, test in pairs:
        inside = set(test.tolist())
        expected = [
            bar
            for bar in range(n_bars)
            if inside.isdisjoint(range(bar - purge - embargo, bar + purge + 1))
        ]
        assert train.tolist() == expected
    if tested == 1:
        same = bp.splits.PurgedKFold(blocks, purge=purge, embargo=embargo)
        for mine, other in zip(pairs, same.split(range(n_bars)), strict=True):
            assert [part.tolist() for part in mine] == [part.tolist() for part in other]


@given(st.integers(2, 7), st.integers(1, 6), st.integers(30, 60))
def test_every_path_is_one_test_of_the_whole_history(blocks, tested, n_bars):
    tested = min(tested, blocks - 1)
    splitter = bp.splits.CombinatorialPurged(blocks, tested)
    pairs = list(splitter.split(range(n_bars)))
    folds = np.array_split(np.arange(n_bars), blocks)
    for path in splitter.paths():
        bars = [
            np.intersect1d(pairs[split][1], fold) for split, fold in zip(path, folds, strict=True)
        ]
        assert np.concatenate(bars).tolist() == list(range(n_bars))
    every = [(split, fold) for path in splitter.paths() for fold, split in enumerate(path)]
    assert len(set(every)) == len(every) == len(pairs) * tested


@given(st.integers(2, 12), st.floats(0.2, 0.95), st.booleans(), st.integers(0, 5))
def test_walk_forward_never_trains_on_what_it_tests(cycles, share, anchored, purge):
    splitter = bp.splits.WalkForwardSplit(cycles, split=share, anchored=anchored, purge=purge)
    tests = []
    try:
        pairs = list(splitter.split(range(900)))
    except DataError:
        return
    for train, test in pairs:
        assert train[-1] == test[0] - purge - 1
        assert (train[0] == 0) or not anchored
        tests.append(test)
    assert len(pairs) == splitter.get_n_splits() == cycles - 1
    bars = np.concatenate(tests)
    assert bars.tolist() == list(range(bars[0], bars[-1] + 1))


@pytest.mark.parametrize("index", [np.zeros((20, 2)), list(range(20)), pd.RangeIndex(20), "a" * 20])
def test_anything_with_a_length_is_split(index):
    for splitter in (
        bp.splits.PurgedKFold(4, purge=1),
        bp.splits.CombinatorialPurged(4, 2),
        bp.splits.WalkForwardSplit(3),
    ):
        got = [(a.tolist(), b.tolist()) for a, b in splitter.split(index, None, groups=None)]
        same = [(a.tolist(), b.tolist()) for a, b in splitter.split(range(20))]
        assert got == same
        assert len(got) == splitter.get_n_splits(index)
