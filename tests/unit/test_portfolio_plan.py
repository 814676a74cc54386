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
        ({"size": 1.0}, "events", "an entry does not take all the cash"),
        ({"size": [1.0, np.inf]}, "events", "an entry does not take all the cash"),
        ({"size_type": "percent", "size": 0.5}, "events", "an entry does not take all the cash"),
        ({"fixed_fees": 1.0}, "events", "a fixed fee"),
        ({"fees": [0.01, 1.5]}, "events", "costs as much as it is worth"),
        ({"direction": "both"}, "events", "positions may be short"),
        ({"direction": "shortonly"}, "events", "positions may be short"),
        ({"short_entries": np.arange(len(DATA)) == 5}, "events", "positions may be short"),
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
    assert len(np.ravel(pf.sharpe_ratio)) == (1 if {"group_by", "cash_sharing"} & {*options} else 2)
    assert pf.plan == before


def test_signals_that_were_looked_at_are_given_bar_by_bar():
    up, down = signals()
    assert up.sum().sum() > 0
    assert PF.from_signals(DATA, up, down).plan.evaluator == "events"


def test_a_crossing_is_called_neither_given_nor_missing():
    up, down = signals()
    assert "positions may be short" in PF.from_signals(DATA, up, short_entries=down).plan.why
    assert "no exits are given" in PF.from_signals(DATA, up).plan.why
    assert "no entries are given" in PF.from_signals(DATA, None, down).plan.why
    assert "exits are given bar by bar" in PF.from_signals(DATA, up, ~down).plan.why


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
