# SPDX-License-Identifier: BSD-3-Clause
"""Orders of several trainings, one after the other: bar t obeys the one whose turn it is."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from broadpeak._training.components import BarWindow, Component
from broadpeak._training.ordering import StrategyOrders
from broadpeak._training.orders import SETTINGS, OrderArrays, OrderBook, Setting
from broadpeak.types import BoolArray, FloatArray


class PlaceOrders(NamedTuple):
    """The orders of those who take a place in the ensembles of a component, one after the other.

    `shares` has the share of the lots in each segment, 0 where nobody takes the place, and
    `weights` the same at each bar, or one number for all; positions end at the bars of `flatten`.
    """

    ordered: StrategyOrders
    orders: OrderArrays
    flatten: BoolArray | None
    weights: float | FloatArray
    shares: list[float]

    def longer(self) -> PlaceOrders:
        """Return the same orders on one bar more, on which every price is the last close."""
        bars = self.ordered.bars
        flatten, weights = self.flatten, self.weights
        return self._replace(
            ordered=self.ordered._replace(bars=bars.longer(), lines={}),
            orders=self.orders.longer(),
            flatten=None if flatten is None else np.append(flatten, False),
            weights=np.append(weights, 0.0) if isinstance(weights, np.ndarray) else weights,
        )


class Turn(NamedTuple):
    """What a training orders, and where it is its turn.

    Attributes
    ----------
    orders : sequence of StrategyOrders
        Of all components and their members, on all bars.
    points : mapping of str
        By component the values of each member.
    segments : mapping of str to BarWindow
        By asset the bars that it rules.
    """

    orders: Sequence[StrategyOrders]
    points: Mapping[str, Sequence[tuple[float, ...]]]
    segments: Mapping[str, BarWindow]


def stitched_orders(
    turns: Sequence[Turn], horizon: int, border: str, *, unit_lots: bool
) -> dict[Component, list[PlaceOrders]]:
    """Return the orders of each place of each component, of which there is one without ensembles.

    Parameters
    ----------
    turns : sequence of Turn
        In order of their bars.
    horizon : int
        Bars at the start of each segment on which nothing is entered.
    border : "carry" or "close"
    unit_lots : bool
        One lot each, whatever size the strategy sets.
    """
    found = {}
    for component in dict.fromkeys(one.component for one in turns[0].orders):
        found[component] = _place_orders(
            [[one for one in turn.orders if one.component == component] for turn in turns],
            [turn.points[component.key] for turn in turns],
            [turn.segments[component.asset] for turn in turns],
            horizon,
            border,
            unit_lots=unit_lots,
        )
    return found


def _place_orders(
    sets: Sequence[Sequence[StrategyOrders]],
    points: Sequence[Sequence[tuple[float, ...]]],
    segments: Sequence[BarWindow],
    horizon: int,
    border: str,
    *,
    unit_lots: bool,
) -> list[PlaceOrders]:
    places: list[list[int | None]] = [[0] * len(sets)]
    if max(map(len, sets)) > 1:
        places = _places(points)
    n_bars = len(sets[0][0].bars)
    found = []
    for number, place in enumerate(places, 1):
        books, bounds, cuts, shares = [], [], [], []
        weights = np.zeros(n_bars)
        flatten = np.zeros(n_bars, dtype=np.bool_)
        for cycle, (at, segment) in enumerate(zip(place, segments, strict=True)):
            shares.append(0.0 if at is None else sets[cycle][at].weight)
            if at is not None:
                weights[segment.first : segment.last] = shares[-1]
                # What nobody takes over ends with its cycle, whatever the border.
                ends = border == "close" or place[cycle + 1 :][:1] == [None]
                cuts.append(ends and segment is not segments[-1])
                if segment.last:  # one without bars ends with those before it
                    flatten[segment.last - 1] |= cuts[-1]
                books.append(sets[cycle][at].book)
                bounds.append(segment)
        member = number if len(places) > 1 else 0
        found.append(
            PlaceOrders(
                # What was plotted belongs to a cycle, not to the whole.
                sets[0][0]._replace(lines={}, member=member),
                _stitched_orders(books, bounds, cuts, n_bars, horizon, unit_lots=unit_lots),
                flatten if any(cuts) else None,
                weights if len(set(shares)) > 1 else shares[0],
                shares,
            )
        )
    return found


def _places(sets: Sequence[Sequence[tuple[float, ...]]]) -> list[list[int | None]]:
    """Return who takes the places: for each place the number of its member in each cycle.

    A combination that is in the next set too keeps its place, and with it its position. The others
    take the places of those that left, in order of rank; None where nobody takes one.
    """
    places: list[list[int | None]] = []
    for cycle, members in enumerate(sets):
        left: dict[tuple[float, ...], list[int]] = {}
        empty = []
        for place, held in enumerate(places):
            before = held[-1]
            if before is None:
                empty.append(place)
            else:
                left.setdefault(sets[cycle - 1][before], []).append(place)
            held.append(None)
        stays = {
            number: left[values].pop(0) for number, values in enumerate(members) if left.get(values)
        }
        free = [*itertools.chain(*left.values()), *empty]
        for number in range(len(members)):
            place = stays[number] if number in stays else free.pop(0) if free else len(places)
            if place == len(places):
                places.append([None] * (cycle + 1))
            places[place][-1] = number
    return places


def _stitched_orders(
    books: Sequence[OrderBook],
    segments: Sequence[BarWindow],
    cuts: Sequence[bool],
    n_bars: int,
    horizon: int,
    *,
    unit_lots: bool,
) -> OrderArrays:
    """Join orders: bar t obeys the cycle whose segment holds it.

    Entries of the first `horizon` bars of each segment are left out; exits are not. Where a segment
    is cut, so that its close ends the position, the orders of its last bar are dropped.
    """
    masks = {name: np.zeros(n_bars, dtype=np.bool_) for name in _MASKS}
    parts: dict[str, list[Setting]] = {name: [] for name in SETTINGS}
    n_unprotected = 0
    for book, segment, is_cut in zip(books, segments, cuts, strict=True):
        merged = book.merged(segment.first, segment.last - is_cut, unit_lots=unit_lots)
        for name in _MASKS:
            masks[name] |= getattr(merged, name)
        for name in ("enter_long", "enter_short"):
            masks[name][segment.first : segment.first + horizon] = False
        for name, values in parts.items():
            values.append(merged.settings[name])
        n_unprotected += merged.n_unprotected
    settings = {name: _joined_setting(values, segments, n_bars) for name, values in parts.items()}
    return OrderArrays(**masks, settings=settings, n_unprotected=n_unprotected)


_MASKS = ("enter_long", "exit_long", "enter_short", "exit_short")


def _joined_setting(
    values: Sequence[Setting], segments: Sequence[BarWindow], n_bars: int
) -> Setting:
    """Return one setting for all segments: a number where it is the same in all of them."""
    if not any(isinstance(value, np.ndarray) for value in values) and len(set(values)) == 1:
        return values[0]
    joined: FloatArray = np.full(n_bars, np.nan)
    for value, (first, last) in zip(values, segments, strict=True):
        if value is not None:
            joined[first:last] = value[first:last] if isinstance(value, np.ndarray) else value
    return joined
