# SPDX-License-Identifier: BSD-3-Clause
"""Orders of many evaluations, recorded first and simulated together, in one call of a kernel.

What comes out is what `simulate_orders` and `Stats.of_records` give, bit by bit: the kernel walks
the same steps for one evaluation after the other. What is spared is all that Python does between.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from broadpeak._core.arrays import read_only
from broadpeak._core.recall import Recall
from broadpeak._core.threads import beside, bounds_of, parts_for, share
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
    OrderRow,
    simulate_orders,
)
from broadpeak.types import AnyArray, FloatArray, IntArray

MOST_ROWS = 256
MOST_BYTES = 32 * 2**20
"""Evaluations that are simulated together, and what one value a bar of all of them takes."""

BAR_COST = 5.0
"""About what a bar of an evaluation takes, in ns; below a millisecond no thread is started."""

_LARGEST = 1e300
_DISTANCES, _LIFETIME = ("stop", "take_profit", "trail"), "lifetime"
_N_FIELDS = len(STATS.names or ())


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
        self.tail = np.array(rules.settings()[FEES:], dtype=np.float64)
        self.terms: dict[tuple[str, ...], Terms] = {}

    def _rules(self, *stops: str) -> Rules:
        return self.account.rules(1.0, dict.fromkeys(stops, 1.0))

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

    __slots__ = ("_inputs", "_memory", "_remembers")

    def __init__(self, remembers: bool = True) -> None:
        self._remembers = remembers
        self._memory: Recall | None = None
        self._inputs: _Inputs | None = None

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

    def start(
        self,
        rows: Sequence[OrderRow],
        account: Account,
        recency: float,
        *,
        curves: bool,
        goes_on: bool = False,
    ) -> StartedRows:
        """Simulate several evaluations of one account; with `goes_on` beside what follows here."""
        if self._inputs is None or self._inputs.account is not account:
            self._inputs = _Inputs(account)
        return StartedRows(rows, self._inputs, recency, curves=curves, goes_on=goes_on)


class StartedRows:
    """Evaluations that are being simulated.

    Parameters
    ----------
    rows : sequence of OrderRow
    inputs : _Inputs
    recency : float
    curves : bool
        Whether the profit at each close is wanted.
    goes_on : bool
        The caller has more to do before it asks for the result.
    """

    __slots__ = ("_curves", "_inputs", "_recency", "_records", "_refused", "_rows", "_wait")

    def __init__(
        self,
        rows: Sequence[OrderRow],
        inputs: _Inputs,
        recency: float,
        *,
        curves: bool,
        goes_on: bool,
    ) -> None:
        self._rows, self._inputs, self._recency = rows, inputs, float(recency)
        account = inputs.account
        n, first = len(rows), account.first
        n_bars = account.prices.shape[1]
        words, word_rows, entries, bounds = _distinct(rows)
        numbers, starts, distances, stops = _settings(rows, inputs.tail)
        if account.budget is not None:  # lots are shares of it, and one without arrays
            numbers[:, 0] = account.sizes(numbers[:, 0])
        self._records = np.zeros(n, STATS)
        self._curves = np.empty((n if curves else 0, n_bars - first))
        # Lots without a limit are refused, too, also where nothing is entered.
        self._refused = np.isinf(numbers[:, 0])
        terms = inputs.terms_with(stops)
        close = inputs.prices[3]
        looks = terms.next_open or terms.has_distances
        open_, high, low = inputs.prices[:3] if looks else (close, close, close)
        n_values = N_SETTINGS + int((starts >= 0).any(axis=0).sum()) * n_bars

        def run(begin: int, end: int) -> None:
            scratch = np.zeros(words.shape[1], dtype=np.uint64)
            evaluate_recorded(
                self._records, self._curves, scratch, scratch.view(np.uint8), np.empty(n_values),
                np.empty((3, N_SETTINGS), dtype=np.int64), np.empty(n_bars),
                begin, end, words, word_rows, entries, bounds,
                numbers, starts, distances, inputs.flatten, open_, high, low, close, inputs.days,
                terms, inputs.costs, first, account.slope, self._recency, account.capital, TINY,
                account.compounds,
            )  # fmt: skip

        self._wait: Callable[[], None] | None = None
        cost = BAR_COST * n * n_bars
        # As a whole in another thread while this one goes on, or in parts.
        n_parts = parts_for(2 * cost if goes_on else cost)
        if n_parts > 1 and goes_on:
            self._wait = beside(partial(run, 0, n))
        else:
            n_parts = min(n_parts, n)
            places = bounds_of(n, n_parts)
            share(lambda part: run(places[part], places[part + 1]), n_parts)

    def result(self) -> tuple[AnyArray, FloatArray]:
        """Return the statistics, when they are there.

        Returns
        -------
        array of dtype `STATS`, shape (n,)
        array of float, shape (n, evaluated bars)
            Profit at each evaluated close; no rows unless it is wanted.

        Raises
        ------
        ParamError
            If a result is beyond all floats.
        """
        self.wait()
        refused, fields = self._refused, self._records.view(np.float64).reshape(-1, _N_FIELDS)
        if refused.any() or not (np.abs(fields) < _LARGEST).all():
            account = self._inputs.account
            refused |= ~(np.abs(fields) < _LARGEST).all(axis=1)
            for i in np.flatnonzero(refused).tolist():
                orders = self._rows[i].whole(account.prices.shape[1])
                simulate_orders(orders, account).stats(account, recency=self._recency)
        return self._records, self._curves

    def wait(self) -> None:
        """Wait until the kernel has ended."""
        wait, self._wait = self._wait, None
        if wait is not None:
            wait()


def _settings(
    rows: Sequence[OrderRow], tail: FloatArray
) -> tuple[FloatArray, IntArray, FloatArray, tuple[str, ...]]:
    """Return settings that are numbers, where the others begin, these, and which stops there are.

    `tail` are the costs of all of them.
    """
    n = len(rows)
    numbers = np.empty((n, N_SETTINGS))
    numbers[:, len(SETTINGS) :] = tail
    starts = np.full((n, N_SETTINGS), -1, dtype=np.int64)
    arrays: list[FloatArray] = []
    stops, end = [], 0
    for k, column in enumerate(zip(*[row.settings for row in rows], strict=True)):
        kinds = set(map(type, column))
        if k and kinds != {type(None)}:
            stops.append(SETTINGS[k])
        if kinds == {np.ndarray}:
            lengths = np.fromiter(map(len, column), np.int64, n)
            starts[:, k] = end + np.cumsum(lengths) - lengths
            end += int(lengths.sum())
            arrays += column
        elif np.ndarray not in kinds:
            numbers[:, k] = column  # None becomes NaN
        else:
            for i, value in enumerate(column):
                if isinstance(value, np.ndarray):
                    starts[i, k] = end
                    end += len(value)
                    arrays.append(value)
                else:
                    numbers[i, k] = math.nan if value is None else value
    distances = np.concatenate(arrays) if arrays else np.empty(0)
    return numbers, starts, distances, tuple(stops)


def _distinct(rows: Sequence[OrderRow]) -> tuple[AnyArray, IntArray, IntArray, IntArray]:
    """Return the distinct rows of actions, which one each is, bars of entries and their bounds."""
    known: dict[int, int] = {}
    places = [known.setdefault(id(row.words), len(known)) for row in rows]
    distinct = [*{id(row.words): row for row in rows}.values()]
    bounds = np.zeros(len(distinct) + 1, dtype=np.int64)
    np.cumsum([len(row.entries) for row in distinct], out=bounds[1:])
    words = np.stack([row.words for row in distinct])
    entries = np.concatenate([row.entries for row in distinct])
    return words, np.array(places, dtype=np.int64), entries, bounds


def n_together(n_bars: int) -> int:
    """Return how many evaluations on so many bars are simulated together."""
    return max(1, min(MOST_ROWS, MOST_BYTES // (8 * n_bars)))
