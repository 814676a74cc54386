# SPDX-License-Identifier: BSD-3-Clause
"""One small example of everything that public functions take, made once."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

import broadpeak as bp
from broadpeak._search.searchspace import Dimension, SearchSpace

N_BARS = 120


def frame(seed: int) -> pd.DataFrame:
    """Return daily bars that swing enough to be traded."""
    rng = np.random.default_rng(seed)
    swing = np.sin(np.arange(N_BARS) / (3.0 + seed))
    close = 100.0 * np.exp(0.05 * swing + np.cumsum(rng.normal(0.0, 0.005, N_BARS)))
    open_ = np.concatenate([[close[0]], close[:-1]])
    top, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
    index = pd.date_range("2020-01-01", periods=N_BARS, freq="D", name="Date")
    columns = {"open": open_, "high": top, "low": low, "close": close, "volume": 1e4}
    return pd.DataFrame(columns, index=index)


@bp.strategy(lookback=15)
def swing(s: Any) -> None:
    """Trade the direction of the last days."""
    days = s.optimize(4, 2, 6, 2, name="days")
    scale = s.optimize(1, 1, 2, 1, name="scale")
    change = bp.roc(s.close, days)
    s.enter_long(bp.crossed_above(change, 0.0), stop=bp.atr(s.high, s.low, s.close, 5) * scale)
    s.enter_short(bp.crossed_below(change, 0.0))
    s.plot("change", change, panel=1)


class Exchange:
    """An exchange of the ccxt kind, without a network."""

    def fetch_ohlcv(self, symbol: str, timeframe: str, since: Any, limit: Any) -> list[list[Any]]:
        """Return one page of bars."""
        start = 1_577_836_800_000 if since is None else int(since)
        return [[start + k * 86_400_000, 1.0, 2.0, 0.5, 1.5, 10.0] for k in range(3)]


class Halving:
    """A searcher of a user's own."""

    def start(self, space: Any, seed: Any) -> int:
        """Return the first state."""
        return 0

    def ask(self, state: int) -> list[Any]:
        """Return the points to try."""
        return [(3.0,)] if state == 0 else []

    def tell(self, state: int, points: Any, scores: Any) -> int:
        """Return the next state."""
        return state + 1


def world(folder: Path) -> SimpleNamespace:
    """Return examples of results, files and arguments; files are in `folder`."""
    first, second = frame(1), frame(2)
    one, data = bp.Data.from_frames({"X": first}), bp.Data.from_frames({"X": first, "Y": second})
    close = first["close"]
    entries = bp.crossed_above(bp.roc(close, 3), 0.0)
    exits = bp.crossed_below(bp.roc(close, 3), 0.0)
    index = pd.MultiIndex.from_product([range(1, 6), range(2, 7)], names=["fast", "slow"])
    scores = pd.Series(np.sin(np.arange(25.0)), index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        training = bp.train(swing, one, curves=True)
        walk = bp.walk_forward(swing, one, cycles=3)
    folder.mkdir(exist_ok=True)
    csv, parquet, store = folder / "X.csv", folder / "X.parquet", folder / "store.db"
    first.to_csv(csv)
    first.to_parquet(parquet)
    par = training.to_par(folder / "swing.par")
    bp.parameterized(area, store=store, merge_func="concat")(bp.Param([1, 2]), bp.Param([3, 4]))
    return SimpleNamespace(
        folder=folder,
        first=first,
        frames={"X": first, "Y": second},
        one=one,
        data=data,
        close=close,
        entries=entries,
        exits=exits,
        scores=scores,
        training=training,
        walk=walk,
        portfolio=bp.Portfolio.from_signals(one, entries, exits),
        result=data.run("bp:ma", window=[5, 10]),
        selection=bp.select(scores),
        stats=bp.Stats(num_win=6, num_loss=4, win_total=10.0, loss_total=5.0, years=1.0),
        grid=bp.ParamGrid({"x": [1, 2, 3], "y": bp.Param([4, 5], condition="x < y")}),
        space=SearchSpace([Dimension("x", 3, 1, 9, 1)]),
        csv=csv,
        parquet=parquet,
        store=store,
        par=par,
        parameters=bp.read_par(par),
        file=file_of(folder),
    )


def area(width: Any, height: Any) -> Any:
    """Return width by height."""
    return width * height


def file_of(folder: Path) -> Path:
    """Return a file with a strategy and a function for the command line."""
    path = folder / "user_file.py"
    path.write_text(
        "import broadpeak as bp\n\n\n"
        "@bp.strategy(lookback=15)\n"
        "def swing(s):\n"
        "    days = s.optimize(4, 2, 6, 2, name='days')\n"
        "    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))\n"
        "    s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))\n\n\n"
        "def area(width, height):\n"
        "    return width * height\n",
        encoding="utf-8",
    )
    return path
