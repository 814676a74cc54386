# SPDX-License-Identifier: BSD-3-Clause
"""Which column meets which: one rule for crossings, lists of settings and portfolios."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._core.columns import find_blocks, find_labels, pair_columns, pair_values

ASSETS = pd.Index(["A", "B"], name="symbol")
WINDOWS = pd.Index([5, 6, 7], name="window")
BOTH = pd.MultiIndex.from_product([WINDOWS, ASSETS])
HIDDEN = pd.Index(["A", "B"] * 3, name="symbol")


@pytest.mark.parametrize("wide", [BOTH, HIDDEN])
def test_visible_and_hidden_parameters_meet_alike(wide) -> None:
    expected = [0, 1, 0, 1, 0, 1]
    assert find_blocks(ASSETS, wide).tolist() == expected
    assert find_labels(ASSETS, wide).tolist() == expected
    pairs = pair_columns(wide, ASSETS)
    assert (pairs.left.tolist(), pairs.right.tolist()) == (list(range(6)), expected)
    assert pairs.labels.equals(wide)
    columns, numbers = pair_values(wide, 3)
    assert (columns.tolist(), numbers.tolist()) == (list(range(6)), [0, 0, 1, 1, 2, 2])


def test_labels_in_another_order_are_found_by_name_only() -> None:
    turned = pd.Index(["B", "A"], name="symbol")
    assert find_blocks(turned, BOTH) is None
    assert find_labels(turned, BOTH).tolist() == [1, 0, 1, 0, 1, 0]
    assert find_labels(pd.Index(["A", "C"], name="symbol"), BOTH) is None
    assert find_labels(pd.Index(["A", "B"]), BOTH) is None  # no name, and no level alone
    assert find_labels(pd.Index(["A", "A"], name="symbol"), BOTH) is None


@pytest.mark.parametrize("wide", [BOTH, HIDDEN])
def test_crossings_and_portfolios_agree(wide) -> None:
    rng = np.random.default_rng(0)
    days = pd.date_range("2024", periods=60)
    prices = pd.DataFrame(100 + rng.normal(0, 1, (60, 2)).cumsum(0), days, ASSETS)
    lines = pd.DataFrame(100 + rng.normal(0, 1, (60, 6)).cumsum(0), days, wide)
    entries = bp.crossed_below(lines, prices)
    pf = bp.PF.from_signals(prices, entries, bp.crossed_above(lines, prices))
    assert entries.columns.equals(wide)
    for k in range(6):
        line, price = lines.iloc[:, k], prices.iloc[:, k % 2]
        alone = bp.PF.from_signals(
            price, bp.crossed_below(line, price), bp.crossed_above(line, price)
        )
        assert pf.total_return.iloc[k] == alone.total_return
