# SPDX-License-Identifier: BSD-3-Clause
"""`signals`: what a strategy holds, what protects it, and what it orders next."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from broadpeak._data.data import Data
from broadpeak._simulation._kernels.layout import (
    AT_CLOSE,
    AT_OPEN,
    ENTRY,
    L_BAR,
    L_POS,
    L_REASON,
    L_WHEN,
    REVERSE,
    SIGNAL,
)
from broadpeak._simulation._kernels.stops import EXPIRED
from broadpeak._simulation.costs import Costs
from broadpeak._training.accounts import ComponentTest, simulated_tests
from broadpeak._training.orders import Setting
from broadpeak._training.strategy import Strategy, StrategyFunction, as_strategy
from broadpeak._training.terms import terms_of
from broadpeak._training.test import planned_run
from broadpeak._training.trained import ParamsLike
from broadpeak.types import FloatArray

COLUMNS = (
    *("component", "asset", "algo", "last_bar", "close"),
    *("position", "since", "entry_price", "stop", "trail", "target", "bars_left"),
    *("next_order", "reason", "lots"),
    *("order_stop", "order_trail", "order_target", "order_lifetime"),
    *("member", "weight", "trained"),
)


def signals(
    strategy: Strategy | StrategyFunction,
    data: Data,
    params: ParamsLike = None,
    *,
    end: Hashable = None,
    costs: Costs | Mapping[str, Costs] | None = None,
    sizing: str | None = None,
    capital: float | None = None,
    whole: bool = False,
) -> pd.DataFrame:
    """Return what a strategy holds after the last bar, what protects it, and its next order.

    What a live trader calls after each bar, with the parameter file of the last training.

    Parameters
    ----------
    strategy : Strategy or function
        What to run.
    data : Data
        Prices up to the last complete bar.
    params : Training, WalkForward, Parameters, path or dict, optional
        As for `test`.
    end : label of the index, optional
        Look at this bar instead of the last one: later prices do not count.
    costs, sizing, capital, whole : optional
        As for `test`: those of `params` unless they are passed.

    Returns
    -------
    DataFrame
        One row a component, of ensembles one a member, in the order of the strategy's loop:

        * ``component, asset, algo``, ``last_bar`` (label of the asset's last bar), its ``close``;
        * what is held: ``position`` (signed units; 0: nothing), ``since`` (label of the bar that
          opened it), ``entry_price``, ``stop, trail, target`` (prices at which the next bar closes
          it; NaN: none; of stop and trail the nearer one counts), ``bars_left`` (after so many
          more bars its lifetime ends; NaN: no limit);
        * ``next_order`` ("enter_long", "enter_short", "exit_long", "exit_short", or None), its
          ``reason`` ("signal" or "lifetime"), its ``lots``, and of an entry ``order_stop,
          order_trail, order_target`` (distances in price from its fill) and ``order_lifetime``
          (bars);
        * ``member`` of an ensemble and its ``weight``, the share of a trade that it would begin now
          (else 1 and 1), and ``trained``, the period that the values were trained on, or ""; of a
          walk-forward run that of the training whose values rule the next bar.

        ``attrs["same_prices"]`` says whether the bars that were trained on have the prices of then,
        as ``Portfolio.facts`` does; None: not known.

    Raises
    ------
    ParamError, ParFileError, StrategyError, DataError
        If an argument, parameters, strategy or prices break a rule.
    TaskError
        If the strategy raises anything else.

    Notes
    -----
    The strategy is simulated over all of the data, as `test` does it, to know what it holds, so
    that both tell the same: what is ordered here is what `test` fills once the next bar is there.
    An entry against the position closes it, too. Members of an ensemble hold positions of their
    own.

    Orders fill at the open of the next bar. Where they are sized by money, that price is not known
    yet, and `lots` are those at the last close. With close fills the order is due at the close of
    the last bar itself: the row then says what was held before that close.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=5)
    ... def always_long(s):
    ...     s.stop = 10.0
    ...     s.enter_long(s.close > 0)
    >>> row = bp.signals(always_long, bp.Data.sample("IBM")["2013-01":]).iloc[0]
    >>> bool(row["position"] > 0), bool(row["stop"] == row["entry_price"] - 10), row["next_order"]
    (True, True, None)
    """
    plan = as_strategy(strategy)
    terms = terms_of(plan, params, costs=costs, sizing=sizing, capital=capital, whole=whole)
    at_open = plan.fill == "nextopen"
    # What the next open fills is seen on a bar that is added: every price of it is the last close.
    run = planned_run(plan, data, terms, (None, end), mode="trade", one_more=at_open)
    rows = [_row(test, run.trained, at_open=at_open) for test in simulated_tests(run.plans)]
    # What may be None stays None, whatever stands in other rows.
    columns = {
        name: pd.Series([row[name] for row in rows], dtype=object if name in _MAY_MISS else None)
        for name in COLUMNS
    }
    table = pd.DataFrame(columns)
    table.attrs["same_prices"] = run.same_prices(data)
    return table


_MAY_MISS = frozenset({"algo", "since", "next_order", "reason"})


def _row(test: ComponentTest, trained: str, *, at_open: bool) -> dict[str, object]:
    """Return what is known of a component, or of a member of its ensemble."""
    last = len(test.bars) - (2 if at_open else 1)
    held = _held(test, last, at_open=at_open)
    return {
        "component": test.component.key,
        "asset": test.component.asset,
        "algo": test.component.algo,
        "last_bar": test.bars.index[last],
        "close": float(test.bars.close[last]),
        **held._asdict(),
        **_next_order(test, last, held.position, at_open=at_open),
        "member": test.plan.member or 1,
        "weight": test.plan.weight_at(last),
        "trained": trained,
    }


class _OpenPosition(NamedTuple):
    """The position before the next order, and what closes it without one."""

    position: float = 0.0
    since: object = None
    entry_price: float = math.nan
    stop: float = math.nan
    trail: float = math.nan
    target: float = math.nan
    bars_left: float = math.nan


def _held(test: ComponentTest, last: int, *, at_open: bool) -> _OpenPosition:
    """Return what is held when the orders of bar `last` are sent."""
    fills, bars, settings = test.simulated.fills, test.bars, test.plan.orders.settings
    trades = fills.results
    if at_open:
        is_held = (trades["entry_index"] <= last) & (trades["exit_index"] > last)
        is_held |= (trades["entry_index"] <= last) & (trades["status"] == 0)
    else:  # a close fills the orders of its own bar: these have the next rows of the log
        log = _log(test)
        is_due = (log[:, L_BAR] == last) & (log[:, L_WHEN] == AT_CLOSE)
        before = log[~is_due]
        if not len(before) or before[-1, L_POS] == 0:
            return _OpenPosition()
        is_held = trades["entry_index"] < last
        is_held &= (trades["exit_index"] >= last) | (trades["status"] == 0)
    if not is_held.any():
        return _OpenPosition()
    trade = trades[is_held][-1]
    side, entry = float(trade["direction"]), int(trade["entry_index"])
    price = float(trade["entry_price"])
    signal = entry - at_open
    stop, trail, target, life = (
        _value_at(settings[name], signal) for name in ("stop", "trail", "take_profit", "lifetime")
    )
    # A fill at the open sees the whole bar, one at the close nothing of it.
    seen = slice(entry if at_open else entry + 1, last + 1)
    best: FloatArray = bars.high[seen] if side > 0 else -bars.low[seen]
    peak = max(side * price, float(best.max(initial=-math.inf)))
    return _OpenPosition(
        position=side * float(trade["size"]),
        since=bars.index[entry],
        entry_price=price,
        stop=side * (side * price - stop),
        trail=side * (peak - trail),
        target=side * (side * price + target),
        bars_left=entry + life - last,
    )


def _next_order(test: ComponentTest, last: int, held: float, *, at_open: bool) -> dict[str, object]:
    """Return the order that the next open fills, or the close of the last bar."""
    bar, when = (last + 1, AT_OPEN) if at_open else (last, AT_CLOSE)
    nothing: dict[str, object] = {
        "next_order": None,
        "reason": None,
        **dict.fromkeys(_OF_ORDERS, math.nan),
    }
    for row in _log(test):
        reason = int(row[L_REASON])
        if row[L_BAR] != bar or row[L_WHEN] != when:
            continue
        if reason in {ENTRY, REVERSE}:
            settings, lot = test.plan.orders.settings, test.account.costs.lot_amount
            return {
                "next_order": f"enter_{_side(row[L_POS])}",
                "reason": "signal",
                "lots": abs(float(row[L_POS])) / lot,
                **{key: _value_at(settings[name], last) for key, name in _ORDER_SETTINGS.items()},
            }
        if reason in {SIGNAL, EXPIRED}:
            return {
                **nothing,
                "next_order": f"exit_{_side(held)}",
                "reason": "signal" if reason == SIGNAL else "lifetime",
                "lots": abs(held) / test.account.costs.lot_amount,
            }
    return nothing


_ORDER_SETTINGS = {
    "order_stop": "stop",
    "order_trail": "trail",
    "order_target": "take_profit",
    "order_lifetime": "lifetime",
}
_OF_ORDERS = ("lots", *_ORDER_SETTINGS)


def _log(test: ComponentTest) -> FloatArray:
    """Return what was filled, row by row."""
    orders, starts, ends = test.simulated.fills.log
    return orders[starts[0] : ends[0]]


def _side(direction: float) -> str:
    return "long" if direction > 0 else "short"


def _value_at(value: Setting, bar: int) -> float:
    if value is None:
        return math.nan
    return float(value[bar]) if isinstance(value, np.ndarray) else float(value)
