# SPDX-License-Identifier: BSD-3-Clause
"""Results that are remembered by the identity of the arrays they were made from."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

import broadpeak as bp
from broadpeak._core import recall
from broadpeak._core.recall import NOTHING, Recall


def constant(n=200, seed=0):
    values = 100 + np.random.default_rng(seed).standard_normal(n).cumsum()
    values.setflags(write=False)
    return values


@pytest.fixture
def close():
    return constant()


@pytest.fixture
def memory(close):
    found = Recall()
    found.learn([close])
    before = recall.swap(found)
    yield found
    recall.swap(before)


def test_the_same_question_gets_the_same_array(memory, close):
    assert bp.sma(close, 5) is bp.sma(close, 5)
    assert bp.sma(close, 5) is bp.sma(close, 5.0)
    assert bp.sma(close, 5) is not bp.sma(close, 6)
    assert bp.sma(close, window=5) is bp.sma(close, window=5)
    assert bp.sma(close, 5) is not bp.ema(close, 5)
    fast, slow = bp.sma(close, 5), bp.sma(close, 9)
    assert bp.crossed_above(fast, slow) is bp.crossed_above(fast, slow)
    assert bp.crossed_above(fast, slow) is not bp.crossed_below(fast, slow)
    assert bp.crossed_above(fast, 99) is bp.crossed_above(fast, 99.0)
    assert bp.bbands(close, 9).upper is bp.bbands(close, 9).upper


def test_results_are_those_of_a_call_without_a_memory(close):
    def found():
        bands = bp.bbands(close, 9, 2.5)
        return [
            bp.sma(close, 7),
            *bands,
            *bp.macd(close),
            bp.crossed_below(bands[0], bp.rma(close, 3)),
            bp.crossed_above(bp.rsi(close, 3), 50),
        ]

    plain = found()
    memory = Recall()
    memory.learn([close])
    before = recall.swap(memory)
    twice = [found(), found()]
    recall.swap(before)
    for again in twice:
        assert [one.tobytes() for one in again] == [one.tobytes() for one in plain]
        assert [one.dtype for one in again] == [one.dtype for one in plain]


def test_results_cannot_be_changed(memory, close):
    for array in (bp.sma(close, 5), *bp.bbands(close, 5), bp.crossed_above(close, 100.0)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)


def test_what_may_change_or_is_new_is_not_remembered(memory, close):
    mine = close.copy()
    assert bp.sma(mine, 5) is not bp.sma(mine, 5)
    assert bp.sma(mine, 5).flags.writeable
    assert bp.sma(close * 2, 5).flags.writeable
    assert bp.crossed_above(bp.sma(close, 5), mine).flags.writeable
    first = bp.crossed_above(bp.sma(close, 5), mine)
    mine[:] = 0
    assert (bp.crossed_above(bp.sma(close, 5), mine) != first).any()


def test_arrays_that_can_be_changed_are_not_learnt():
    memory, mine = Recall(), np.arange(9.0)
    memory.learn([mine])
    assert id(mine) not in memory.known


def test_a_mistake_is_one_also_after_a_right_call(memory, close):
    bp.sma(close, 1)
    for wrong in (True, "1", None, np.nan, 0):
        for _ in range(2):
            with pytest.raises(bp.errors.ParamError, match="window must be"):
                bp.sma(close, wrong)


def test_lists_give_columns_as_ever(memory, close):
    assert bp.sma(close, [5, 6]).shape == (200, 2)


def test_zeros_of_both_signs_are_told_apart(memory, close):
    both = bp.bbands(close, 5, 0.0).upper, bp.bbands(close, 5, -0.0).upper
    assert both[0] is not both[1]


def test_a_number_that_looks_like_an_id_is_a_number(memory, close):
    other = bp.sma(close, 5)
    bp.crossed_above(close, other)
    assert not bp.crossed_above(close, float(id(other))).any()
    assert not bp.crossed_above(close, id(other)).any()


def test_memory_is_bounded_and_right_after_it_forgot(close):
    memory = Recall(limit=8 * close.nbytes)
    memory.learn([close])
    before = recall.swap(memory)
    kept = bp.sma(close, 3)
    for _ in range(3):
        for window in range(2, 60):
            assert bp.sma(close, window)[-1] == pytest.approx(close[-window:].mean())
            crossed = bp.crossed_above(bp.sma(close, window), bp.ema(close, window))
            assert crossed.dtype == bool
    assert id(kept) not in memory.known
    n_kept = len(memory.known)
    recall.swap(before)
    assert n_kept < 30
    assert bp.sma(close, 3).tobytes() == kept.tobytes()


def test_other_threads_have_no_memory(memory, close):
    found = []
    thread = threading.Thread(target=lambda: found.append(bp.sma(close, 5).flags.writeable))
    thread.start()
    thread.join()
    assert found == [True]
    assert not bp.sma(close, 5).flags.writeable


def test_nobody_looks_once_the_last_memory_is_gone(close):
    assert recall.n_active == 0
    before = recall.swap(Recall())
    assert recall.n_active == 1
    recall.swap(before)
    assert recall.n_active == 0
    assert bp.sma(close, 5).flags.writeable


def test_a_memory_that_watches_sees_what_was_changed(close):
    memory = Recall(watches=True)
    memory.learn([close])
    before = recall.swap(memory)
    first, second = bp.sma(close, 5), bp.sma(close, 5)
    crossed = bp.crossed_above(first, close)
    recall.swap(before)
    assert first is not second
    assert not memory.is_changed()
    crossed[3] = not crossed[3]
    assert memory.is_changed()


def test_what_was_kept_first_stays(close):
    memory = Recall()
    assert memory.get(("key",)) is NOTHING
    assert memory.put(("key",), 1, (close,), 8) == 1
    assert memory.put(("key",), 2, (close,), 8) == 1
    assert memory.get(("key",)) == 1


def test_a_memory_travels_empty(memory, close):
    bp.sma(close, 5)
    there = pickle.loads(pickle.dumps(memory))
    assert id(close) not in there.known
