# SPDX-License-Identifier: BSD-3-Clause
"""What a strategy may order and hardly means: a distance of nearly nothing, an unread setting."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from broadpeak._training.components import Bars
from broadpeak._training.strategy import RunState, Strategy
from broadpeak.types import FloatArray, IntArray

LEAST_SHARE = 0.002
"""A distance below this share of price is suspect, if the usual bar moves further."""

_DISTANCES = ("stop", "take_profit", "trail")


def order_notes(strategy: Strategy, runs: Iterable[RunState]) -> dict[str, str]:
    """Return warnings, by kind, about the orders of finished runs."""
    notes: dict[str, str] = {}
    for run in runs:
        notes = {**_distance_notes(strategy, run), **_unread_notes(strategy, run), **notes}
    return notes


def _distance_notes(strategy: Strategy, run: RunState) -> dict[str, str]:
    """Return the warning about a fraction, or percent, where a distance in price is meant."""
    first = strategy.lookback
    for component, book in run.books.items():
        bars = run.bars[component.asset]
        for call in book.calls():
            at = first + call.when[first:-1].nonzero()[0]
            least = 2 * LEAST_SHARE * bars.close[at]
            for name in _DISTANCES if len(at) else ():
                value = call.settings.get(name)
                if value is None or _is_plain(value, at, least):
                    continue
                distance = float(np.nanmedian(_at(value, at))) if np.size(value) else np.nan
                share = distance / float(np.median(bars.close[at]))
                if 0 < share < LEAST_SHARE and distance < _usual_move(bars, first):
                    fraction = distance if distance < 1 else distance / 100
                    text = (
                        f"{strategy.name!r} enters {component.key} with {name} = {distance:g}, "
                        f"{share:.2g} of its price: a distance is in price, not a fraction or "
                        f"percent of it. For {fraction:.2%} type s.{name} = {fraction:g} * s.close."
                    )
                    return {"distance": text}
    return {}


def _is_plain(value: float | FloatArray, at: IntArray, least: FloatArray) -> bool:
    """Return whether the median cannot be suspect, since no distance is; NaN is looked at."""
    values = value[at] if isinstance(value, np.ndarray) and value.ndim else value
    return bool(np.all(values > least))


def _at(value: float | FloatArray, at: IntArray) -> FloatArray:
    values: FloatArray = np.broadcast_to(value, len(at)) if np.ndim(value) == 0 else value[at]  # type: ignore[index]  # an array then
    return values if not np.isnan(values).all() else np.zeros(1)


def _usual_move(bars: Bars, first: int) -> float:
    """Return how far prices go in the usual bar, also where there is only its close."""
    ranges = bars.high[first:] - bars.low[first:]
    steps = np.abs(np.diff(bars.close[first - 1 if first else 0 :], prepend=bars.close[:1]))
    return float(np.median(np.maximum(ranges, steps[-len(ranges) :])))


def _unread_notes(strategy: Strategy, run: RunState) -> dict[str, str]:
    """Return the warning about settings that were set and that no entry took."""
    keys = {component.key for component, book in run.books.items() if book.has_entries}
    left = [*run.lost, *((None, name) for name in run.unread)]
    for key, name in left:
        if keys if key is None else key in keys:
            text = (
                f"{strategy.name!r} sets s.{name}, and no entry after it reads it: it comes behind "
                f"the last one, or each has a {name}= of its own. Set s.{name} before "
                f"s.enter_long(…), or pass s.enter_long(…, {name}=…)."
            )
            return {"unread": text}
    return {}


def unprotected_note(strategy: Strategy, n_entries: int) -> str:
    """Return the warning about entries whose stop was not known yet."""
    return (
        f"{strategy.name!r} entered up to {n_entries} trades while its stop was NaN because of "
        f"warm-up, so without a stop. Raise lookback={strategy.lookback} by the period of the stop "
        f"plus unstable_period={strategy.unstable_period}."
    )
