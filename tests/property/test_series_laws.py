# SPDX-License-Identifier: BSD-3-Clause
"""More bars never change what a strategy saw of other series before them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._data.data import Data
from broadpeak._prices.resample import completed_spans
from broadpeak._training.components import BarWindow, bars_of, windows_of
from broadpeak._training.series import known_at, longer_bars, other_bars

RULES = st.sampled_from(["W", "W-FRI", "W-TUE", "ME", "D", "3D", "4h", "90min", "QS"])
ZONES = st.sampled_from([None, "UTC", "America/New_York", "America/Sao_Paulo"])
STEPS = st.sampled_from(["h", "30min", "D", "4h", "B", "W-MON"])


@st.composite
def calendars(draw: Any) -> pd.DatetimeIndex:
    """Draw a calendar with holes in it; some mix days with hours."""
    start = draw(st.sampled_from(["2018-10-29", "2020-01-03 15:00", "2021-02-26"]))
    zone = draw(ZONES)
    index = pd.date_range(start, periods=draw(st.integers(3, 60)), freq=draw(STEPS))
    if draw(st.booleans()):
        index = index.union(pd.date_range(start, periods=5, freq=draw(STEPS)))
    kept = draw(st.lists(st.booleans(), min_size=len(index), max_size=len(index)))
    index = index[np.array(kept, dtype=bool)] if sum(kept) > 1 else index
    if zone is None:
        return index
    return index.tz_localize("UTC").tz_convert(zone)


def frame_on(index: pd.DatetimeIndex, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = rng.uniform(50, 100, len(index))
    vix = np.where(rng.random(len(index)) < 0.3, np.nan, rng.normal(size=len(index)))
    return pd.DataFrame(
        {"close": close, "high": close + 1, "low": close - 1, "volume": close, "vix": vix},
        index=index,
    )


def seen(data: Data, rule: str) -> dict[str, np.ndarray[Any, Any]]:
    """Return all that a strategy on A sees of other series."""
    bars = bars_of(data)
    view = windows_of(bars, {name: BarWindow(0, len(one)) for name, one in bars.items()})["A"]
    found = {"column": view.extra["vix"]}
    for name, one in {
        "other": other_bars(view, "B"),
        "longer": longer_bars(view, rule),
        "longer other": other_bars(view, "B").resample(rule),
    }.items():
        for column in ("open", "high", "low", "close", "volume"):
            found[f"{name} {column}"] = getattr(one, column)
        found[f"{name} vix"] = one.column("vix")
        found[f"{name} sum"] = one.apply(lambda own: np.cumsum(own.close))
    return found


@given(own=calendars(), other=calendars(), rule=RULES, data=st.data())
@settings(max_examples=60, deadline=None)
def test_more_bars_change_nothing_before_them(
    own: pd.DatetimeIndex, other: pd.DatetimeIndex, rule: str, data: Any
) -> None:
    other = other.tz_localize("UTC") if other.tz is None else other
    other = other.tz_convert(own.tz or "UTC")
    other = other.tz_localize(None) if own.tz is None else other
    prices = bp.Data.from_frames({"A": frame_on(own, 1), "B": frame_on(other, 2)})
    whole = seen(prices, rule)
    n = data.draw(st.integers(2, len(prices)))
    part = prices[:n]
    n_own, n_other = (int(np.isfinite(row).sum()) for row in part.array("close"))
    if n_own < 2 or not n_other:  # no strategy runs on fewer
        return
    for name, values in seen(part, rule).items():
        np.testing.assert_array_equal(values, whole[name][:n_own], err_msg=name)


@given(index=calendars(), rule=RULES)
@settings(max_examples=60, deadline=None)
def test_a_span_is_seen_when_no_bar_can_join_it(index: pd.DatetimeIndex, rule: str) -> None:
    spans = completed_spans(index, rule)
    known, at = spans.known, np.arange(len(index))
    assert (np.diff(known) >= 0).all()
    seen_spans = np.flatnonzero(known >= 0)
    ends = np.append(spans.starts[1:], len(index)) - 1
    # The last bar of what is known is there, and nothing between it and now belongs to it.
    assert (ends[known[seen_spans]] <= at[seen_spans]).all()
    # Never is more than the span that is going on unknown.
    current = np.searchsorted(spans.starts, at, side="right") - 1
    assert ((known == current) | (known == current - 1)).all()


@given(own=calendars(), other=calendars())
@settings(max_examples=60, deadline=None)
def test_no_bar_of_another_symbol_is_seen_before_its_label(
    own: pd.DatetimeIndex, other: pd.DatetimeIndex
) -> None:
    own, other = (
        one if one.tz is None else one.tz_convert("UTC").tz_localize(None) for one in (own, other)
    )
    at = known_at(own, other)
    assert (np.diff(at) >= 0).all()
    for bar, known in enumerate(at):
        begun = int((other <= own[bar]).sum()) - 1
        if known >= 0:
            assert other[known] <= own[bar]
        assert known in {begun, max(begun - 1, -1)}
