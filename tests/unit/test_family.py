# SPDX-License-Identifier: BSD-3-Clause
"""What is remembered of many settings: in one piece, that grows, and not beyond its room."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._core import memo
from broadpeak._indicators.family import first_places

DATA = bp.Data.sample("IBM")["2005":"2006"]
CLOSE = DATA.close.to_numpy(copy=True)


def held(windows):
    """Run a list of windows and hold it against the array function; return its piece."""
    result = DATA.run("bp:ma", windows)
    wanted = np.stack([bp.sma(CLOSE, window) for window in windows], axis=1)
    np.testing.assert_array_equal(result.ma.to_numpy(), wanted)
    return result.panel()


def test_lists_with_windows_in_common_share_their_arrays() -> None:
    bp.flush()
    first = held([5, 6, 7])
    second = held([6, 7, 8])
    assert first.owner is second.owner
    assert held([8, 5]).array is second.array
    crossing = first.crossed(second, above=True)
    assert crossing.shape == (len(CLOSE), 3)
    bp.flush()
    assert held([5, 6, 7]).owner is not first.owner


def test_a_piece_that_would_be_too_large_begins_anew(monkeypatch) -> None:
    bp.flush()
    monkeypatch.setattr(memo, "LIMIT", 2 * 20 * CLOSE.nbytes)
    first = held(list(range(2, 12)))
    second = held(list(range(8, 22)))
    assert second.owner is not first.owner
    third = held(list(range(2, 40)))  # too large to be remembered at all
    assert third.owner is not second.owner
    assert held(list(range(2, 40))).owner is not third.owner
    assert DATA._table.memo._bytes <= memo.LIMIT
    bp.flush()


def test_threads_that_add_to_a_piece_at_once() -> None:
    bp.flush()
    held([2])
    start, failed = threading.Barrier(6), []

    def add(low: int) -> None:
        start.wait()
        try:
            for window in range(low, low + 20):
                held([window, window + 3])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=add, args=(low,)) for low in (3, 3, 8, 13, 18, 23)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    held(list(range(2, 46)))


@pytest.mark.parametrize(
    "column",
    [
        np.array([3, 1, 3, 2, 1]),
        np.array([3, 10**12, 3, -(10**12), 10**12]),
        np.array([-(2**63), 2**63 - 1, 0, 2**63 - 1]),
        np.array([0.5, -0.0, 0.0, 0.5, np.inf]),
        np.array([7]),
    ],
)
def test_first_places(column) -> None:
    seen: dict[object, int] = {}
    codes = [seen.setdefault(value, len(seen)) for value in column.tolist()]
    firsts = [column.tolist().index(value) for value in seen]
    found, numbers = first_places(column)
    assert found.tolist() == firsts
    assert numbers.tolist() == codes


@pytest.mark.parametrize(
    "windows",
    [
        [20, 10, 20],
        [2.5, 10.0, 2.5],
        [10, 2.5],
        (7, 9),
        range(5, 8),
        np.array([4, 9, 4]),
        np.array([4.5, 9.0]),
        np.array([4, 9], np.int32),
        [2**70, 5],
        [np.int64(4), 5],
    ],
)
def test_labels_are_those_that_pandas_makes_of_the_list(windows) -> None:

    labels = windows.tolist() if isinstance(windows, np.ndarray) else list(windows)
    one = DATA.run("bp:ma", windows)
    pd.testing.assert_index_equal(one.ma.columns, pd.Index(labels, name="ma_window"), exact=True)
    both = one.rename_levels({"ma_window": "fast"}).ma_crossed_above(DATA.run("bp:ma", windows))
    wanted = pd.MultiIndex.from_arrays([labels, labels], names=["fast", "ma_window"])
    pd.testing.assert_index_equal(both.columns, wanted, exact=True)
    for level, other in zip(both.columns.levels, wanted.levels, strict=True):
        pd.testing.assert_index_equal(level, other, exact=True)
    product = DATA.run("bp:bbands", windows, [1.0, 2.0], param_product=True).upper
    wanted = pd.MultiIndex.from_product(
        [labels, [1.0, 2.0]], names=["bbands_window", "bbands_width"]
    )
    assert product.columns.tolist() == wanted.tolist()
    assert list(product.columns.names) == list(wanted.names)
