# SPDX-License-Identifier: BSD-3-Clause
"""Orders of many evaluations, recorded first and simulated together, in one call of a kernel.

What comes out is what `simulate_orders` and `Stats.of_records` give, bit by bit: the kernel walks
the same steps for one evaluation after the other. What is spared is all that Python does between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from broadpeak._core.arrays import read_only
from broadpeak._core.recall import Recall
from broadpeak._metrics.formulas import TINY
from broadpeak._simulation._kernels.layout import FEES, N_SETTINGS, Terms
from broadpeak._simulation.fills import NO_DAYS
from broadpeak._simulation.rules import Rules
from broadpeak._training._kernels.recorded import evaluate_recorded
from broadpeak._training._kernels.stats import STATS
from broadpeak._training.components import Bars
from broadpeak._training.orders import (
    SETTINGS,
    Account,
    OrderBook,
    OrderRow,
    Setting,
    simulate_orders,
)
from broadpeak.types import AnyArray, FloatArray, IntArray

MOST_ROWS = 128
MOST_BYTES = 32 * 2**20
"""Evaluations, and bytes of their settings, that are simulated together."""

_LARGEST = 1e300
_DISTANCES, _LIFETIME = ("stop", "take_profit", "trail"), "lifetime"
_N_FIELDS = len(STATS.names or ())


class Recorded(NamedTuple):
    """What one evaluation ordered: as the kernel reads it, and as the strategy wrote it."""

    row: OrderRow
    book: OrderBook


class RecordedStats(NamedTuple):
    """Statistics of several evaluations.

    Attributes
    ----------
    records : array of dtype `STATS`, shape (n,)
    n_unprotected : list of int
        Entries of each whose stop was not known yet.
    curves : array of float, shape (n, evaluated bars)
        Profit at each evaluated close; no rows where nobody wants it.
    """

    records: AnyArray
    n_unprotected: list[int]
    curves: FloatArray


class _Inputs:
    """What the kernel gets for every evaluation of an account."""

    __slots__ = ("account", "costs", "days", "flatten", "prices", "tail", "terms")

    def __init__(self, account: Account) -> None:
        self.account = account
        rules = self._rules()
        closed = account.flatten
        self.flatten = np.flatnonzero([] if closed is None else closed).astype(np.int64)
        close = account.prices.close[0]
        self.prices = (*(rows[0] for rows in account.prices.filled), close)
        rolls = account.costs.roll_long or account.costs.roll_short
        self.days = account.prices.days if rolls else NO_DAYS
        costs = account.costs
        self.costs = read_only(
            np.array(
                [
                    costs.spread + costs.commission,
                    costs.roll_long,
                    costs.roll_short,
                    costs.lot_amount,
                ],
                dtype=np.float64,
            )
        )
        self.tail = rules.settings()[FEES:]
        self.terms: dict[tuple[str, ...], Terms] = {}

    def _rules(self, *stops: str) -> Rules:
        account = self.account
        return Rules(
            price=account.fill,
            size=1.0,
            stops=dict.fromkeys(stops, 1.0),
            stop_unit="price",
            limited=False,
            init_cash=0.0,
            costs=account.costs,
        )

    def terms_with(self, stops: tuple[str, ...]) -> Terms:
        """Return the modes of evaluations that use these stops."""
        if stops not in self.terms:
            self.terms[stops] = self._rules(*stops).terms()
        return self.terms[stops]


class Workspace:
    """What the evaluations of one component share in a process: a memory, and inputs of the kernel.

    Parameters
    ----------
    remembers : bool
        Whether there is a memory; a strategy that writes to what it gets has none.
    """

    __slots__ = ("_buffer", "_inputs", "_memory", "_remembers")

    def __init__(self, remembers: bool = True) -> None:
        self._remembers = remembers
        self._memory: Recall | None = None
        self._inputs: _Inputs | None = None
        self._buffer = np.empty(0)

    def __reduce__(self) -> tuple[type[Workspace], tuple[bool]]:
        return Workspace, (self._remembers,)

    def memory(self, bars: Bars) -> Recall | None:
        """Return the memory of these bars; None where there is none."""
        if self._memory is None and self._remembers:
            memory = Recall()
            memory.learn(bars.arrays)
            self._memory = memory
        return self._memory

    def forget(self) -> None:
        """Go on without a memory."""
        self._remembers, self._memory = False, None

    def stats(
        self, recorded: Sequence[Recorded], account: Account, recency: float, *, curves: bool
    ) -> RecordedStats:
        """Return the statistics of several evaluations of one account.

        Raises
        ------
        OrderError, ParamError
            Those of the first evaluation that has one.
        """
        if self._inputs is None or self._inputs.account is not account:
            self._inputs = _Inputs(account)
        inputs = self._inputs
        n, first = len(recorded), account.first
        n_bars = account.prices.shape[1]
        words, word_rows = _distinct([one.row.words for one in recorded])
        values, at, steps, stops = self._settings([one.row.settings for one in recorded], inputs)
        records = np.zeros(n, STATS)
        odd = np.zeros(n, dtype=np.uint8)
        found = np.empty((n if curves else 0, n_bars - first))
        terms = inputs.terms_with(stops)
        close = inputs.prices[3]
        looks = terms.next_open or terms.has_distances
        open_, high, low = inputs.prices[:3] if looks else (close, close, close)
        evaluate_recorded(
            records, found, odd, 0, n, words, word_rows, inputs.flatten, open_, high, low, close,
            inputs.days, values, at, steps, terms, inputs.costs, first, account.slope,
            float(recency), account.capital, TINY,
        )  # fmt: skip
        n_unprotected = [one.row.n_unprotected for one in recorded]
        numbers = records.view(np.float64)
        endless = np.isinf(values[: n * N_SETTINGS : N_SETTINGS])  # lots without a limit
        if odd.any() or endless.any() or not (np.abs(numbers) < _LARGEST).all():
            large = ~(np.abs(numbers.reshape(n, _N_FIELDS)) < _LARGEST).all(axis=1) | endless
            self._look_closely(recorded, account, recency, odd, large, n_unprotected)
        return RecordedStats(records, [max(number, 0) for number in n_unprotected], found)

    def _settings(
        self, rows: Sequence[tuple[Setting, ...]], inputs: _Inputs
    ) -> tuple[FloatArray, IntArray, IntArray, tuple[str, ...]]:
        """Return settings in one array, where those of each row stand, and which stops there are.

        An array that several rows share is there once.
        """
        n = len(rows)
        head = np.empty((n, N_SETTINGS))
        head[:, len(SETTINGS) :] = inputs.tail
        at = np.arange(n * N_SETTINGS, dtype=np.int64).reshape(n, N_SETTINGS)
        steps = np.zeros((n, N_SETTINGS), dtype=np.int64)
        arrays: dict[int, tuple[int, FloatArray]] = {}
        stops, end = [], head.size
        for k, column in enumerate(zip(*rows, strict=True)):
            kinds = set(map(type, column))
            if k and kinds != {type(None)}:
                stops.append(SETTINGS[k])
            if np.ndarray not in kinds:
                head[:, k] = column  # None becomes NaN
                continue
            for i, value in enumerate(column):
                if isinstance(value, np.ndarray):
                    place = arrays.get(id(value))
                    if place is None:
                        place = arrays[id(value)] = end, value
                        end += len(value)
                    at[i, k] = place[0]
                    steps[i, k] = 1
                else:
                    head[i, k] = math.nan if value is None else value
        if n > 1 and len(self._buffer) < end:
            self._buffer = np.empty(end)
        # A single one may be of a thread of several.
        values = self._buffer[:end] if n > 1 else np.empty(end)
        np.concatenate([head.ravel(), *(array for _, array in arrays.values())], out=values)
        return values, at, steps, tuple(stops)

    def _look_closely(
        self,
        recorded: Sequence[Recorded],
        account: Account,
        recency: float,
        odd: AnyArray,
        large: AnyArray,
        n_unprotected: list[int],
    ) -> None:
        """Go through evaluations that may be wrong, one by one; count entries without a stop."""
        for number, one in enumerate(recorded):
            unknown = odd[number] and n_unprotected[number] < 0
            if unknown or large[number]:
                orders = one.book.merged(
                    account.first, account.prices.shape[1], unit_lots=account.unit_lots
                )
                n_unprotected[number] = orders.n_unprotected
                if large[number]:
                    simulate_orders(orders, account).stats(account, recency=recency)


def _distinct(arrays: Sequence[AnyArray]) -> tuple[AnyArray, IntArray]:
    """Return the distinct ones of these rows, and which one each is."""
    known: dict[int, int] = {}
    places = [known.setdefault(id(array), len(known)) for array in arrays]
    by_id = {id(array): array for array in arrays}
    return np.stack([by_id[one] for one in known]), np.array(places, dtype=np.int64)


def n_together(n_bars: int) -> int:
    """Return how many evaluations on so many bars are simulated together."""
    return max(1, min(MOST_ROWS, MOST_BYTES // (8 * n_bars)))
