# SPDX-License-Identifier: BSD-3-Clause
"""`test` and `signals`: a strategy with parameters that are already known."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.stops import EXIT_REASONS
from broadpeak._training.components import bars_of, per_asset, window
from broadpeak._training.given import values_for
from broadpeak._training.notes import cold_note
from broadpeak._training.orders import Setting
from broadpeak._training.playing import play
from broadpeak._training.portfolios import ComponentTest, part_of, strategy_portfolio
from broadpeak._training.settings import SIZINGS
from broadpeak._training.strategy import Strategy, as_strategy


def test(
    strategy: Strategy | Callable[[Any], object],
    data: Data,
    params: Any = None,
    *,
    start: Any = None,
    end: Any = None,
    costs: Any = None,
    capital: float | None = None,
    sizing: str = "script",
) -> Portfolio:
    """Simulate a strategy with trained parameters, or with its defaults.

    Other than in training, slippage counts, sizes are those the strategy asks for, and a position
    that is open at the end stays an open record.

    Parameters
    ----------
    strategy : Strategy or function
        What to run; it is called once, over all its components.
    data : Data
        Prices.
    params : Training, Parameters, path or dict, optional
        Trained values: a training, what `read_par` returns, the path of a parameter file, or
        ``{component: {name: value}}``. None: the defaults of the strategy.
    start, end : labels of the index, optional
        First and last tested bar, both included. Bars before `start` serve as look-back.
    costs : Costs or dict of asset to Costs, optional
        Default: none. They are not taken over from a training.
    capital : float, optional
        Start of the equity. Default: price · lots · lot amount at the first tested bar, summed
        over components. It never limits what is traded.
    sizing : "script" or "unit"
        Trade the lots that the strategy asks for, or one lot.

    Returns
    -------
    Portfolio
        Equity of all components together: capital + profit and loss. ``.components`` holds one
        portfolio a component, by key.

    Raises
    ------
    ParamError, ParFileError, StrategyError, DataError
        If an argument, parameters, strategy or prices break a rule.
    TaskError
        If the strategy raises anything else.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 5, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> portfolio = bp.test(momentum, bp.Data.sample("IBM"), {"IBM": {"days": 30}})
    >>> list(portfolio.components)
    ['IBM']
    """
    check.one_of("sizing", sizing, SIZINGS)
    played = _parts(
        as_strategy(strategy),
        data,
        params,
        (start, end),
        costs,
        mode="test",
        unit_lots=sizing == "unit",
    )
    return strategy_portfolio(played, capital)


# A test runner that imports this name must not take it for a test of its own.
test.__test__ = False  # type: ignore[attr-defined]


def signals(
    strategy: Strategy | Callable[[Any], object], data: Data, params: Any = None
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
        One row an order, in the order of components; empty if there is none. Columns:
        ``component, asset, algo, time`` (the signal bar), ``action`` ("enter_long",
        "enter_short", "exit_long", "exit_short"), ``reason`` ("signal" or "lifetime"), ``lots``,
        ``stop, take_profit, trail`` (distances in price; NaN: none), ``lifetime`` (bars; NaN: no
        limit), ``close`` (the last one), and ``position`` (signed units held by the simulation).

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
    closes it too. With close fills the order is due at the close of the signal bar itself.
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
    parts = _parts(plan, data, params, (None, None), None, mode="trade", unit_lots=False)
    rows = [row for part in parts for row in _due(part, plan.fill)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


_COLUMNS = (
    "component",
    "asset",
    "algo",
    "time",
    "action",
    "reason",
    "lots",
    "stop",
    "take_profit",
    "trail",
    "lifetime",
    "close",
    "position",
)


def _parts(
    strategy: Strategy,
    data: Data,
    params: Any,
    period: tuple[Any, Any],
    costs: Any,
    *,
    mode: str,
    unit_lots: bool,
) -> list[ComponentTest]:
    """Run the strategy and simulate every component from its first evaluated bar on."""
    bars = bars_of(data)
    table = per_asset("costs", costs, bars, Costs(), Costs)
    lookback = strategy.lookback
    windows = {symbol: window(own, lookback, *period) for symbol, own in bars.items()}
    views = {
        symbol: own.window(windows[symbol].first - lookback, windows[symbol].last)
        for symbol, own in bars.items()
    }
    parts = []
    cold = 0
    for played in play(strategy, views, values_for(strategy, params), mode=mode):
        merged = played.book.merged(lookback, len(played.bars), unit_lots=unit_lots)
        cold = max(cold, merged.cold_stops)
        parts.append(
            part_of(
                played.component,
                played.bars,
                merged,
                lookback,
                strategy.fill,
                table[played.component.asset],
                curves=played.curves,
            )
        )
    if cold:
        warnings.warn(cold_note(strategy, cold), stacklevel=3)
    return parts


def _due(part: ComponentTest, fill: str) -> Iterator[dict[str, Any]]:
    """Yield the orders of a component's last bar."""
    last = len(part.bars) - 1
    # Close fills of the last bar are trades already; what was held before them is one bar back.
    now = last - 1 if fill == "close" else last
    held = float(part.result.fills.positions()[0, now])
    known = {
        "component": part.component.key,
        "asset": part.component.asset,
        "algo": part.component.algo,
        "time": part.bars.index[last],
        "close": float(part.bars.close[last]),
        "position": held,
    }
    action, reason = _filled(part, last) if fill == "close" else _waiting(part, last, held)
    if action.startswith("enter"):
        settings = {name: _at(getattr(part.orders, name), last) for name in _SETTINGS}
        yield {**known, "action": action, "reason": reason, **settings}
    elif action:
        lots = abs(held) / part.account.costs.lot_amount
        yield {**known, "action": action, "reason": reason, "lots": lots}


def _filled(part: ComponentTest, last: int) -> tuple[str, str]:
    """Return action and reason of the order that the last close filled, or nothing."""
    trades = part.result.trades
    for trade in trades[trades["entry_index"] == last]:
        return f"enter_{_side(trade['direction'])}", "signal"
    for trade in trades[(trades["exit_index"] == last) & (trades["status"] == 1)]:
        reason = EXIT_REASONS[trade["exit_reason"]]
        if reason in {"signal", "lifetime"}:
            return f"exit_{_side(trade['direction'])}", reason
    return "", ""


def _waiting(part: ComponentTest, last: int, held: float) -> tuple[str, str]:
    """Return action and reason of the order that the next open will fill, or nothing."""
    orders = part.orders
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
    if held and _expires(part, last):
        return f"exit_{_side(held)}", "lifetime"
    return "", ""


def _side(direction: float) -> str:
    return "long" if direction > 0 else "short"


_SETTINGS = ("lots", "stop", "take_profit", "trail", "lifetime")


def _expires(part: ComponentTest, last: int) -> bool:
    """Return whether the open position's lifetime ends with the open after the last bar."""
    trades = part.result.trades
    lives = part.orders.lifetime
    if lives is None or not len(trades) or trades["status"][-1] == 1:
        return False
    entry = int(trades["entry_index"][-1])
    return entry + _at(lives, entry - 1) == last + 1


def _at(value: Setting, bar: int) -> float:
    if value is None:
        return math.nan
    return float(value[bar]) if isinstance(value, np.ndarray) else float(value)
