# SPDX-License-Identifier: BSD-3-Clause
"""What a strategy ordered: calls are collected bar by bar and merged into one set of arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.arrays import plain_array
from broadpeak._training.faults import OrderError
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import AnyArray, BoolArray, FloatArray

Setting: TypeAlias = float | FloatArray | None
"""A distance, size or lifetime: none, the same at every bar, or one a bar (bars,)."""

DISTANCES = ("stop", "take_profit", "trail", "lifetime")


class Entry(NamedTuple):
    """One call of `enter_long` or `enter_short`."""

    when: BoolArray
    lots: Setting
    stop: Setting
    take_profit: Setting
    trail: Setting
    lifetime: Setting


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The orders of one component, ready for the simulation: masks and settings at signal bars.

    `cold_stops` says how many entries had a stop that was NaN because of warm-up.
    """

    enter_long: BoolArray
    exit_long: BoolArray
    enter_short: BoolArray
    exit_short: BoolArray
    lots: Setting
    stop: Setting
    take_profit: Setting
    trail: Setting
    lifetime: Setting
    cold_stops: int


class OrderBook:
    """The order calls of one component in one run."""

    __slots__ = ("_enter", "_exit", "_n_bars")

    def __init__(self, n_bars: int) -> None:
        self._n_bars = n_bars
        self._enter: dict[str, list[Entry]] = {"long": [], "short": []}
        self._exit: dict[str, BoolArray | None] = {"long": None, "short": None}

    def enter(self, side: str, entry: Entry) -> None:
        """Note an entry."""
        self._enter[side].append(entry)

    def leave(self, side: str, when: BoolArray) -> None:
        """Note an exit; several are joined by or."""
        known = self._exit[side]
        self._exit[side] = when if known is None else known | when

    def merged(self, first: int, last: int, *, unit_lots: bool) -> Merged:
        """Return the orders of bars [first, last); `unit_lots` makes every size 1, except 0."""
        window = slice(first, last)
        masks = {side: _entries(calls, window) for side, calls in self._enter.items()}
        enter_long = _joined(masks["long"], self._n_bars)
        enter_short = _joined(masks["short"], self._n_bars)
        exit_long, exit_short = self._exits("long", window), self._exits("short", window)
        # An entry and an exit of one side cancel, then entries of both sides: only what is left
        # enters, and only its settings matter.
        acts = {"long": enter_long & ~exit_long, "short": enter_short & ~exit_short}
        entering = acts["long"] ^ acts["short"]
        placed = [
            (mask & acts[side] & entering, call)
            for side in ("long", "short")
            for mask, call in zip(masks[side], self._enter[side], strict=True)
        ]
        settings = {name: _setting(name, placed, entering) for name in DISTANCES}
        lots = _lots(placed, entering)
        traded = entering
        if not _positive(lots):
            # Size 0 is no trade, but it closes the opposite position.
            nothing = entering & (np.broadcast_to(np.asarray(lots), entering.shape) == 0)
            traded = entering & ~nothing
            exit_long = exit_long | (nothing & acts["short"])
            exit_short = exit_short | (nothing & acts["long"])
            enter_long, enter_short = enter_long & ~nothing, enter_short & ~nothing
        return Merged(
            enter_long,
            exit_long,
            enter_short,
            exit_short,
            1.0 if unit_lots else lots,
            settings["stop"],
            settings["take_profit"],
            settings["trail"],
            settings["lifetime"],
            sum(_cold(call.stop, mask & traded) for mask, call in placed),
        )

    def _exits(self, side: str, window: slice) -> BoolArray:
        mask = self._exit[side]
        return np.zeros(self._n_bars, dtype=np.bool_) if mask is None else _within(mask, window)


def signal(name: str, when: Any, index: pd.Index[Any]) -> BoolArray:
    """Return `when` as a bool array of its own, one value a bar; NaN is false."""
    if type(when) is np.ndarray and when.dtype == np.bool_ and when.shape == (len(index),):
        return when.copy()  # the strategy may go on using its array
    raw = _column(f"{name}(when)", when, index, "hold True and False")
    if raw.dtype == np.bool_:
        return raw.copy()
    numbers_ = raw.astype(np.float64)
    odd = ~(np.isnan(numbers_) | (numbers_ == 0) | (numbers_ == 1))
    if odd.any():
        remedy = "Compare with something, as in s.close > level."
        raise OrderError(broken_rule(f"{name}(when)", "hold True and False", raw[odd][0], remedy))
    truth: BoolArray = numbers_ == 1
    return truth


def setting(name: str, value: Any, index: pd.Index[Any]) -> Setting:
    """Return `value` as a float, as a read-only float array of its own (bars,), or as None."""
    if value is None:
        return None
    if isinstance(value, (bool, np.bool_, str)):
        raise OrderError(broken_rule(name, "be a number, or an array with one number a bar", value))
    if (number := check.real(value)) is not None:
        if abs(number) >= 2**1023 and math.isfinite(number):
            raise OrderError(broken_rule(name, "be a number that a float can hold", value))
        return float(number)
    raw = _column(name, value, index, "hold numbers")
    if raw.ndim == 0:
        return float(raw)
    own = np.array(raw, dtype=np.float64)
    own.flags.writeable = False
    return own


def _column(name: str, value: Any, index: pd.Index[Any], kind: str) -> AnyArray:
    if isinstance(value, pd.Series) and not value.index.equals(index):
        remedy = "Use the arrays of s, or reindex to s.index."
        raise OrderError(broken_rule(name, "have the index s.index", value.index, remedy))
    try:
        raw = plain_array(name, value, kind)
    except DataError as error:
        raise OrderError(str(error)) from error
    number = raw.ndim == 0 and kind == "hold numbers" and raw.dtype != np.bool_
    if raw.shape != (len(index),) and not number:
        rule = f"be an array with one value a bar, shape ({len(index)},)"
        got = raw.shape if raw.ndim else value
        raise OrderError(broken_rule(name, rule, got, "Arrays of s are whole columns."))
    return raw


def _within(mask: BoolArray, window: slice) -> BoolArray:
    kept = np.zeros(len(mask), dtype=np.bool_)
    kept[window] = mask[window]
    return kept


def _entries(calls: Sequence[Entry], window: slice) -> list[BoolArray]:
    """Return for each call the bars where it is the first of its side."""
    masks: list[BoolArray] = []
    taken: BoolArray | None = None
    for call in calls:
        mask = _within(call.when, window)
        if taken is not None:
            mask = mask & ~taken
        taken = mask if taken is None else taken | mask
        masks.append(mask)
    return masks


def _joined(masks: Sequence[BoolArray], n_bars: int) -> BoolArray:
    if not masks:
        return np.zeros(n_bars, dtype=np.bool_)
    joined = masks[0]
    for mask in masks[1:]:
        joined = joined | mask
    return joined


def _setting(name: str, placed: Sequence[tuple[BoolArray, Entry]], entering: BoolArray) -> Setting:
    """Return the setting `name` of the call that enters at each bar; checked where one does."""
    merged = _merged([(mask, getattr(call, name)) for mask, call in placed], len(entering))
    if merged is None:
        return None
    if isinstance(merged, float):
        bad = merged < _least(name) and bool(entering.any())
        bar = int(entering.argmax())
    else:
        low = (merged < _least(name)) & entering
        bad, bar = bool(low.any()), int(low.argmax())
    if bad:
        value = merged if isinstance(merged, float) else float(merged[bar])
        remedy = "Pass a distance in price units, or NaN at bars without one."
        if name == "lifetime":
            remedy = "Pass a number of bars, at least 1, or NaN for no limit."
        rule = f"be positive where a position is entered (bar {bar})"
        raise OrderError(broken_rule(name, rule, value, remedy))
    return _whole(merged) if name == "lifetime" else merged


def _least(name: str) -> float:
    # The smallest float above 0 lets one comparison serve both rules; lifetimes round half up.
    return 0.5 if name == "lifetime" else 5e-324


def _whole(value: float | FloatArray) -> float | FloatArray:
    if isinstance(value, float):
        return value if value != value else float(check.window("lifetime", value))  # noqa: PLR0124
    rounded: FloatArray = np.floor(value + 0.5)
    return rounded


def _lots(placed: Sequence[tuple[BoolArray, Entry]], entering: BoolArray) -> float | FloatArray:
    merged = _merged([(mask, call.lots) for mask, call in placed], len(entering))
    if merged is None or (isinstance(merged, float) and 0 <= merged < np.inf):
        return 1.0 if merged is None else merged
    lots = np.broadcast_to(np.asarray(merged), entering.shape)
    bad = entering & ~((lots >= 0) & (lots < np.inf))
    if bad.any():
        bar = int(bad.argmax())
        rule = f"be 0 or more and finite where a position is entered (bar {bar})"
        raise OrderError(broken_rule("lots", rule, float(lots[bar]), "0 means no trade."))
    return merged


def _positive(lots: float | FloatArray) -> bool:
    return lots > 0 if isinstance(lots, float) else bool((lots > 0).all())


def _merged(parts: Sequence[tuple[BoolArray, Setting]], n_bars: int) -> Setting:
    if not parts:
        return None
    first = parts[0][1]
    if all(_same(value, first) for _, value in parts):
        return first
    merged = np.full(n_bars, np.nan)
    for mask, value in parts:
        if isinstance(value, np.ndarray):
            np.copyto(merged, value, where=mask)
        elif value is not None:
            merged[mask] = value
    return merged


def _same(value: Setting, other: Setting) -> bool:
    return value is other or (
        isinstance(value, float) and isinstance(other, float) and value == other
    )


def _cold(stop: Setting, entering: BoolArray) -> int:
    """Return how many entries of a call come before the first bar at which its stop is a number."""
    if not isinstance(stop, np.ndarray):
        return 0
    bars = np.flatnonzero(entering)
    if not np.isnan(stop[bars]).any():
        return 0
    known = ~np.isnan(stop)
    warm = int(known.argmax()) if known.any() else len(stop)
    return int(np.searchsorted(bars, warm))
