# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak warm`: compile everything now, so that no later run waits for it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import broadpeak as bp
from broadpeak._cli import console, example, flags
from broadpeak._cli.commands import doctor
from broadpeak._core import env
from broadpeak.errors import StoreError

STOPS: tuple[dict[str, Any], ...] = ({}, {"sl_stop": 0.05, "tp_stop": 0.1, "tsl_stop": 0.05})
OPTIONS: tuple[dict[str, Any], ...] = (
    *STOPS,
    {"direction": "both", "size": 2.0},
    {"accumulate": True, "size": 1.0, "price": "nextopen"},
)
BARS = slice("2000", "2003")
LISTED = ("bp:ma", "bp:ema", "bp:wma", "bp:rma", "bp:rsi", "bp:roc", "bp:zscore")
SEVERAL = ("bp:atr", "bp:bbands", "bp:macd", "bp:stoch", "bp:highest", "bp:lowest")


def warm(*, as_json: flags.AsJson = False) -> None:
    """Compile all loops and keep them, as an image or a cluster node does before its first run."""
    if not env.numba_cache():
        msg = (
            "Compiled code must be kept to be of use later, but BROADPEAK_NUMBA_CACHE is 0. "
            "Type: unset BROADPEAK_NUMBA_CACHE"
        )
        raise StoreError(msg)
    seconds = {}
    for what, job in jobs().items():
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of too few trades on so few bars
            job()
        seconds[what] = round(time.perf_counter() - begun, 2)
        if not as_json:
            console.show_lines([f"{what}: {seconds[what]:.1f} s"])
    cache = doctor.kernel_cache()
    if as_json:
        console.show_json({"seconds": seconds, "cache": cache})
        return
    console.show_lines([f"{cache['files']} compiled loops in {cache['folder']}"])


def jobs() -> dict[str, Callable[[], object]]:
    """Return what to run, by what it compiles: one job for every way through the library."""
    data = bp.Data.sample("IBM")[BARS]
    several = bp.Data.sample()[BARS]
    return {
        "indicators": lambda: _indicators(data),
        "crossings": lambda: _crossings(data, several),
        "signals": lambda: _signals(data, several),
        "trainings": lambda: _trainings(data),
        "statistics": lambda: _statistics(several),
    }


def _indicators(data: bp.Data) -> None:
    for name in (*LISTED, *SEVERAL):
        data.run(name).unpack()
    data.run("bp:ma", [10, 20]).unpack()


def _crossings(data: bp.Data, several: bp.Data) -> None:
    for prices in (data, several):
        fast, slow = prices.run("bp:ma", [5, 10, 15]), prices.run("bp:ma", [20, 30, 40])
        for quick, calm in ((fast, slow), (prices.run("bp:ma", 5), prices.run("bp:ma", 20))):
            up, down = quick.ma_crossed_above(calm), quick.ma_crossed_below(calm)
            for stops in STOPS:
                for price in ("close", "nextopen"):
                    pf = bp.PF.from_signals(prices, up, down, price=price, fees=0.001, **stops)
                    pf.sharpe_ratio, pf.stats()  # each is an evaluation
            _streamed(prices, up, down)
            up.sum()
        prices.run("bp:rsi", 14).rsi_crossed_above([30, 40]).sum()


def _streamed(prices: bp.Data, up: Any, down: Any) -> None:
    """Vary stops as parameters, and keep the best."""
    for price in ("close", "nextopen"):
        for stops in ({"sl_stop": [0.05, 0.1]}, {"tp_stop": [0.1, 0.2], "tsl_stop": [0.05, 0.1]}):
            values: dict[str, Any] = {name: bp.Param(given) for name, given in stops.items()}
            pf = bp.PF.from_signals(prices, up, down, price=price, fees=0.001, **values)
            pf.sharpe_ratio, pf.stats()
            pf.metrics(["sharpe_ratio"], keep=bp.top(2, by="sharpe_ratio"))


def _signals(data: bp.Data, several: bp.Data) -> None:
    for prices in (data, several):
        close = prices.close
        up, down = close > close.shift(5), close < close.shift(5)
        for options in OPTIONS:
            pf = bp.PF.from_signals(prices, up, down, fees=0.001, **options)
            pf.sharpe_ratio, pf.stats(), pf.trades, pf.drawdowns, pf.positions
    close = several.close
    up, down = close > close.shift(5), close < close.shift(5)
    bp.PF.from_signals(several, up, down, group_by=True, cash_sharing=True).stats()
    accessor: Any = up
    accessor.bp.clean(down), accessor.bp.rank()


def _trainings(data: bp.Data) -> None:
    strategy = example.make_trend()
    bp.train(strategy, data, method="brute", min_trades=1)
    training = bp.train(strategy, data, min_trades=1)
    bp.test(strategy, data, training).stats()
    bp.walk_forward(strategy, data, cycles=2, min_trades=1)


def _statistics(several: bp.Data) -> None:
    returns = several.returns.fillna(0.0)
    bp.stats.spa(returns, n=20)
    bp.stats.pbo(returns, n_blocks=4)
    bp.stats.bootstrap(returns, lambda sample: float(sample.mean()), n=5)
