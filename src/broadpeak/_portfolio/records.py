# SPDX-License-Identifier: BSD-3-Clause
"""Trade and drawdown records as frames."""

from __future__ import annotations

import numpy as np
import pandas as pd

from broadpeak._simulation.fills import Fills
from broadpeak._simulation.stops import EXIT_REASONS
from broadpeak.types import AnyArray, IntArray

TRADE_COLUMNS = [
    "column",
    "direction",
    "size",
    "entry_index",
    "exit_index",
    "entry_time",
    "exit_time",
    "entry_price",
    "exit_price",
    "entry_fees",
    "exit_fees",
    "pnl",
    "return",
    "status",
    "exit_reason",
    "bars",
    "mae",
    "mfe",
]


def trades_frame(fills: Fills, columns: pd.Index, index: pd.Index) -> pd.DataFrame:
    """Return the trades of all columns; `roll` is shown only where rollover is paid."""
    trades = fills.trades
    frame: dict[str, AnyArray | pd.Index] = {}
    names = list(TRADE_COLUMNS)
    if fills.rolls:
        names.insert(names.index("pnl"), "roll")
    for name in names:
        if name == "column":
            frame[name] = labels_at(columns, trades[name])
        elif name == "direction":
            frame[name] = labels_of_codes(("short", "", "long"), trades[name] + 1)
        elif name in {"entry_time", "exit_time"}:
            frame[name] = index[trades[f"{name[:-5]}_index"]]
        elif name == "status":
            frame[name] = labels_of_codes(("open", "closed"), trades[name])
        elif name == "exit_reason":
            frame[name] = labels_of_codes(EXIT_REASONS, trades[name])
        else:
            frame[name] = trades[name].copy()
    return pd.DataFrame(frame)


def labels_of_codes(names: tuple[str, ...], codes: AnyArray) -> pd.Index:
    """Return the name of each code; the dtype is the same where there are no codes."""
    return pd.Index(names).take(np.asarray(codes, dtype=np.int64))


def labels_at(labels: pd.Index, numbers: IntArray) -> pd.Index:
    """Return one label a record; labels of several levels are tuples."""
    taken = labels.take(numbers)
    return taken.to_flat_index() if isinstance(taken, pd.MultiIndex) else taken


def drawdowns_frame(records: AnyArray, labels: pd.Index, index: pd.Index) -> pd.DataFrame:
    """Return drawdowns (`measures.DRAWDOWN`) with labels and times."""
    recovered = records["recovered"]
    return pd.DataFrame(
        {
            "column": labels_at(labels, records["column"]),
            "peak_time": index[records["peak"]],
            "valley_time": index[records["valley"]],
            "recovery_time": pd.Series(index[records["end"]]).where(recovered),
            "depth": records["depth"].copy(),
            "bars": records["bars"].copy(),
            "status": labels_of_codes(("active", "recovered"), recovered.astype(np.int64)),
        }
    )
