# SPDX-License-Identifier: BSD-3-Clause
"""What the stores of every released version hold: a value of each kind that a store takes.

`tools/write_store_fixtures.py` writes them, `test_old_stores.py` reads them. A value that was once
released must not change: add another.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

import broadpeak as bp

_DAYS = pd.date_range("2020-03-28", periods=3, freq="D", tz="Europe/Paris", name="day")

VALUES: dict[str, Any] = {
    "none": None,
    "no result": bp.NoResult,
    "true": True,
    "large": 1 << 200,
    "negative zero": -0.0,
    "nan": float("nan"),
    "complex": complex(1.5, -0.0),
    "text": "ü\0\N{SNOWMAN}",
    "bytes": bytes(range(256)),
    "range": range(2, 20, 3),
    "nested": {"a": [1, (2.5, {"b": None})], 3: {4, 5}, None: frozenset({"x"})},
    "date": dt.date(2020, 2, 29),
    "datetime": dt.datetime(2020, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1),
    "timedelta": dt.timedelta(days=-1, microseconds=7),
    "timestamp": pd.Timestamp("2020-01-01 12:00", tz="UTC").as_unit("ns"),
    "float32": np.float32(0.1),
    "moment": np.datetime64("2020-01-01T00:00:01", "s"),
    "array": np.arange(12, dtype=">i4").reshape(3, 4).T,
    "floats": np.array([1 / 3, np.nan, -np.inf, -0.0]),
    "words": np.array(["a", "bc"]),
    "objects": np.array([1, "a", None], dtype=object),
    "index": pd.Index([3, 1, 1], name="n"),
    "days": _DAYS,
    "levels": pd.MultiIndex.from_product([[1, 2], ["x"]], names=["a", None]),
    "series": pd.Series([1.5, np.nan, 3.0], index=_DAYS, name=("a", 1)),
    "nullable": pd.Series([1, None], dtype="Int64"),
    "categories": pd.Series(pd.Categorical(["b", "a"], categories=["b", "a", "c"], ordered=True)),
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [True, False]}, index=["i", "j"]),
}
N_HALF, N_ALL = 5, 9
"""Results in the store of a run that was killed, and how many it was to have."""


def value_of(name: str) -> object:
    """Return one of the values."""
    return VALUES[name]


def third(a: int) -> float:
    """Return what a killed run computes."""
    return a / 3


@bp.strategy(lookback=60)
def crossing(s: Any) -> None:
    """Buy above a mean."""
    for _ in s.loop():
        n = s.optimize(20, 10, 40, 10, name="n")
        s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, n)))
        s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, n)))
