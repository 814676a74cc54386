# SPDX-License-Identifier: BSD-3-Clause
"""`signals`: what a strategy would order next."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from broadpeak._data.data import Data
from broadpeak._simulation.stops import EXIT_REASONS
from broadpeak._training.orders import SETTINGS, Setting
from broadpeak._training.sizing import SCRIPT
from broadpeak._training.strategy import Strategy, StrategyFunction, as_strategy
from broadpeak._training.test import ComponentTest, ParamsLike, component_tests


def signals(
    strategy: Strategy | StrategyFunction, data: Data, params: ParamsLike = None
) -> pd.DataFrame:
    """Return the orders that are due on the bar after the last one.

    What a live trader calls after each bar, with the parameter file of the last training.

    Parameters
    ----------
    strategy : Strategy or function
        What to run.
    data : Data
        Prices up to the last complete bar.
    params : Training, Parameters, path or dict, optional
        As for `test`.

    Returns
    -------
    DataFrame
        One row per order, in the order of components and members; empty if there is none. Columns:
        ``component, asset, algo, time`` (the signal bar), ``action`` ("enter_long",
        "enter_short", "exit_long", "exit_short"), ``reason`` ("signal" or "lifetime"), ``lots``
        (times the weight), ``stop, take_profit, trail`` (distances in price; NaN: none),
        ``lifetime`` (bars; NaN: no limit), ``close`` (the last one), ``position`` (signed units
        held by the simulation), and ``member`` and ``weight`` of an ensemble (else 1 and 1).

    Raises
    ------
    ParamError, ParFileError, StrategyError, DataError
        If an argument, parameters, strategy or prices break a rule.
    TaskError
        If the strategy raises anything else.

    Notes
    -----
    The strategy is simulated over all of `data` to know what it holds: an entry in the direction
    of its position is no order, neither is an exit without one. An entry against the position
    closes it too. With close fills the order is due at the close of the signal bar itself. Members
    of an ensemble hold positions of their own: ``position`` is that of the member alone.
    Protective stops and targets are not listed: they belong to the position since it was opened.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=5)
    ... def always_long(s):
    ...     s.enter_long(s.close > 0)
    >>> bp.signals(always_long, bp.Data.sample("IBM")["2013-01":]).empty
    True
    """
    plan = as_strategy(strategy)
    tests, _ = component_tests(plan, data, params, (None, None), None, mode="trade", sizing=SCRIPT)
    rows = [row for test in tests for row in _due_orders(test, plan.fill)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


_COLUMNS = (
    *("component", "asset", "algo", "time", "action", "reason"),
    *SETTINGS,
    *("close", "position", "member", "weight"),
)


def _due_orders(test: ComponentTest, fill: str) -> Iterator[dict[str, object]]:
    """Yield the orders of a component's last bar."""
    last = len(test.bars) - 1
    # Close fills of the last bar are trades already; what was held before them is one bar back.
    now = last - 1 if fill == "close" else last
    held = float(test.simulated.fills.positions()[0, now])
    known = {
        "component": test.component.key,
        "asset": test.component.asset,
        "algo": test.component.algo,
        "time": test.bars.index[last],
        "close": float(test.bars.close[last]),
        "position": held,
        "member": test.member or 1,
        "weight": test.weight,
    }
    action, reason = (
        _order_at_close(test, last) if fill == "close" else _order_at_next_open(test, last, held)
    )
    if action.startswith("enter"):
        settings = {name: _value_at(test.orders.settings[name], last) for name in SETTINGS}
        settings["lots"] *= test.weight
        yield {**known, "action": action, "reason": reason, **settings}
    elif action:
        lots = abs(held) / test.account.costs.lot_amount
        yield {**known, "action": action, "reason": reason, "lots": lots}


def _order_at_close(test: ComponentTest, last: int) -> tuple[str, str]:
    """Return action and reason of the order that the last close filled, or nothing."""
    trades = test.simulated.trades
    for trade in trades[trades["entry_index"] == last]:
        return f"enter_{_side(trade['direction'])}", "signal"
    for trade in trades[(trades["exit_index"] == last) & (trades["status"] == 1)]:
        reason = EXIT_REASONS[trade["exit_reason"]]
        if reason in {"signal", "lifetime"}:
            return f"exit_{_side(trade['direction'])}", reason
    return "", ""


def _order_at_next_open(test: ComponentTest, last: int, held: float) -> tuple[str, str]:
    """Return action and reason of the order that the next open will fill, or nothing."""
    orders = test.orders
    go_long, go_short = bool(orders.enter_long[last]), bool(orders.enter_short[last])
    leave_long, leave_short = bool(orders.exit_long[last]), bool(orders.exit_short[last])
    # The rules of the simulation: an exit of the same side cancels an entry, long cancels short.
    go_long, leave_long = go_long and not leave_long, leave_long and not go_long
    go_short, leave_short = go_short and not leave_short, leave_short and not go_short
    if go_long and go_short:
        go_long = go_short = False
    if (go_long and held <= 0) or (go_short and held >= 0):
        return f"enter_{_side(1 if go_long else -1)}", "signal"
    if (held > 0 and leave_long) or (held < 0 and leave_short):
        return f"exit_{_side(held)}", "signal"
    if held and _expires_next(test, last):
        return f"exit_{_side(held)}", "lifetime"
    return "", ""


def _side(direction: float) -> str:
    return "long" if direction > 0 else "short"


def _expires_next(test: ComponentTest, last: int) -> bool:
    """Return whether the open position's lifetime ends with the open after the last bar."""
    trades = test.simulated.trades
    lives = test.orders.settings["lifetime"]
    if lives is None or not len(trades) or trades["status"][-1] == 1:
        return False
    entry = int(trades["entry_index"][-1])
    return entry + _value_at(lives, entry - 1) == last + 1


def _value_at(value: Setting, bar: int) -> float:
    if value is None:
        return math.nan
    return float(value[bar]) if isinstance(value, np.ndarray) else float(value)
