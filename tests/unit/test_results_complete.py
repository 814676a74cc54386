# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a page shows is on the result: found once, kept, and drawn without running anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CALLS: list[str] = []


@bp.strategy(lookback=60, name="momentum")
def momentum(s: Any) -> None:
    CALLS.append(s.mode)
    for _ in s.loop():
        days = s.optimize(20, 10, 50, 10, name="days")
        limit = s.optimize(0.02, 0.01, 0.05, 0.01, name="limit")
        change = bp.roc(s.close, days)
        s.plot("change", change, panel=1)
        s.plot("mean", bp.sma(s.close, days))
        s.enter_long(bp.crossed_above(change, limit))
        s.enter_short(bp.crossed_below(change, -limit))


@pytest.fixture(scope="module")
def data() -> bp.Data:
    return bp.Data.sample(["IBM", "MSFT"])["2004":"2009"]


def test_a_tested_component_has_its_prices_and_plots(data: bp.Data) -> None:
    tested = bp.test(momentum, data, start="2005-01-03")
    for key, component in tested.components.items():
        assert component.close.index.equals(component.index)
        np.testing.assert_array_equal(component.close, data.select(key).close["2005-01-03":])
        assert list(component.plots) == [(1, "change"), (0, "mean")]
        assert component.plots.index.equals(component.index)
        np.testing.assert_allclose(
            component.plots[0, "mean"], bp.sma(data.select(key).close, 20)["2005-01-03":]
        )
    assert list(tested.close) == ["IBM", "MSFT"]
    assert tested.plots.shape == (len(tested.index), 0)


def test_signals_have_prices_and_no_plots(data: bp.Data) -> None:
    portfolio = bp.PF.from_signals(data, data.close > 80)
    pd.testing.assert_frame_equal(portfolio.close, data.close, check_names=False)
    one = data.select("IBM").close
    alone = bp.PF.from_signals(one, one > 80)
    pd.testing.assert_series_equal(alone.close, one)
    assert alone.plots.empty
    assert list(alone.plots.columns.names) == ["panel", "name"]
