# SPDX-License-Identifier: BSD-3-Clause
"""`Portfolio.plan` says how figures are found, and why."""

from __future__ import annotations

import numpy as np
import pytest

import broadpeak as bp
from broadpeak import PF

DATA = bp.Data.sample("IBM")["2004":"2006"]


def signals() -> tuple[object, object]:
    fast, slow = DATA.run("bp:ma", window=[5, 8]), DATA.run("bp:ma", window=[20, 30])
    return fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)


@pytest.mark.parametrize(
    ("options", "evaluator", "why"),
    [
        ({}, "crossings", "crossings"),
        ({"short_entries": np.zeros(len(DATA), bool)}, "crossings", "crossings"),
        ({"size": 1.0}, "events", "not all cash"),
        ({"direction": "both"}, "events", "."),
        ({"group_by": True}, "events", "groups"),
        ({"accumulate": True}, "dense", "add to what is held"),
        ({"cash_sharing": True}, "dense", "share cash"),
    ],
)
def test_what_the_description_holds_decides(options, evaluator, why):
    pf = PF.from_signals(DATA, *signals(), **options)
    before = pf.plan
    assert before.evaluator == evaluator
    assert why in before.why
    assert str(before) == f"{evaluator}: {before.why}"
    assert before.why.endswith(".")
    assert np.isfinite(pf.sharpe_ratio).all()
    assert pf.plan == before


def test_signals_that_were_looked_at_are_given_bar_by_bar():
    up, down = signals()
    assert up.sum().sum() > 0
    assert PF.from_signals(DATA, up, down).plan.evaluator == "events"


def test_figures_of_paths_and_records_need_every_order():
    pf = PF.from_signals(DATA, *signals())
    assert pf.sharpe_ratio.notna().all()
    assert pf.plan.evaluator == "crossings"
    assert len(pf.trades)
    assert pf.plan.evaluator == "events"
    assert "paths or trades" in pf.plan.why


def test_a_strategy_keeps_its_orders():
    @bp.strategy(lookback=5)
    def hold(s):
        s.enter_long(np.ones(len(s.close), bool))

    assert bp.test(hold, DATA).plan.evaluator == "events"
    assert "strategy" in str(bp.test(hold, DATA).plan)
