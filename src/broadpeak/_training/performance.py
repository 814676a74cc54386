# SPDX-License-Identifier: BSD-3-Clause
"""`Stats`, the record that objectives see: everything known about one run of a strategy."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from broadpeak._core import check
from broadpeak._core.arrays import read_only, single_column, unwrap
from broadpeak._metrics.formulas import TINY, is_zero
from broadpeak._training._kernels.stats import (
    TradeColumns,
    columns_of,
    stats_of,
    stats_of_pool,
    stats_of_records,
)
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, FloatArray, IntArray

_NOTHING = read_only(np.empty(0))


def _floats(name: str, values: Any) -> FloatArray:
    """Return `values` as one contiguous column of floats."""
    found = single_column(values)
    if found is None:
        columns, _ = unwrap(name, values)
        if len(columns) != 1:
            raise ParamError(broken_rule(name, "be one column of numbers", columns.shape[::-1]))
        found = columns[0]
    return found


def _difference(win_total: float, loss_total: float) -> float:
    try:
        return win_total - loss_total
    except OverflowError:
        beyond = max((win_total, loss_total), key=abs)
        return check.number("win_total and loss_total", beyond)


def _integers(name: str, values: Any) -> IntArray:
    """Return `values` as one contiguous column of integers."""
    if isinstance(values, np.ndarray) and values.dtype == np.int64 and values.ndim == 1:
        return np.ascontiguousarray(values)
    numbers = _floats(name, values)
    # NaN is not smaller than anything.
    if not (np.abs(numbers) < 2.0**62).all() or (numbers != np.floor(numbers)).any():
        raise ParamError(broken_rule(name, "hold integers", values))
    return numbers.astype(np.int64)


class JointBars(NamedTuple):
    """Where the evaluated bars of a component lie on a calendar that it shares with others.

    `at` has the joint bar of each of its bars; `last` its latest bar at each joint bar, -1 before
    the first.
    """

    at: IntArray
    last: IntArray


class PoolPart(NamedTuple):
    """What one component brings into a pool: its records, equity, first bar, and trend per bar.

    `bars` is None where its bars are those of the pool.
    """

    trades: AnyArray
    equity: FloatArray
    first: int
    slope: float
    bars: JointBars | None

    def columns(self) -> tuple[TradeColumns, FloatArray]:
        """Return its trades on the bars of the pool, and what they paid."""
        columns, paid = columns_of(self.trades, self.first, self.slope)
        if self.bars is not None:
            at = self.bars.at
            columns = columns._replace(enter=at[columns.enter], leave=at[columns.leave])
        return columns, paid

    def curve(self) -> FloatArray:
        """Return its equity on the bars of the pool: 0 before its first bar, then the latest."""
        if self.bars is None:
            return self.equity
        last = self.bars.last
        curve: FloatArray = np.where(last >= 0, self.equity[last], 0.0)
        return curve


@dataclass(frozen=True, slots=True)
class Stats:
    """Statistics of one run. Money is the profit in price units times lots, after costs.

    A trade with a result of exactly 0 is a loss. Sums and largest trades of wins and losses carry
    the recency weight of a training; counts and all statistics of the equity curve do not.

    Attributes
    ----------
    num_win, num_loss : int
        Winning and losing trades; ``_long`` and ``_short`` of each: by direction.
    win_streak, loss_streak : int
        Most wins and most losses in a row.
    bars_in_trades, bars_longest_trade : int
        Bars from entry to exit, summed over trades, and of the longest trade.
    bars, bars_in_market : int
        Evaluated bars, and those in which a position was held at some time.
    drawdown_bars, drawdown_bars_max : int
        Closes below an earlier peak of equity: all, and the longest stretch.
    win_total, loss_total : float
        Sums of wins and of losses, both positive; ``_long`` and ``_short`` of each.
    win_max, loss_max : float
        Largest win and largest loss, both positive; ``_long`` and ``_short`` of each.
    win_streak_total, loss_streak_total : float
        Largest sums of wins in a row and of losses in a row.
    trade_mean, trade_std : float
        Mean and standard deviation (ddof 1) of the trades' results, unweighted.
    drawdown_max : float
        Largest fall from the highest balance so far, the sum of closed trades from 0 on, to a later
        equity at a close.
    drawdown_equity : float
        Largest fall of equity at the closes from an earlier peak; the first peak is 0.
    drawdown_share : float
        Largest fall as a share of capital plus peak profit.
    return_mean, return_std : float
        Mean and standard deviation (ddof 1) of equity changes / capital over bars in the market.
    return_r2 : float
        Squared correlation of equity with the bar number; 0 where the correlation is not positive.
    return_lr : float
        Profit of the regression line through equity.
    return_ulcer : float
        Root mean square of the falls below earlier peaks, as shares of capital plus peak profit.
    cost_total, roll_total, points_total : float
        Costs paid with fills, rollover paid, and price differences won, summed over trades.
    years : float
        Length of the evaluated period.
    net : float
        ``win_total - loss_total`` unless given.

    Examples
    --------
    >>> stats = Stats(num_win=5, num_loss=5, win_total=100, loss_total=60)
    >>> stats.net, stats.num_trades, round(stats.profit_factor, 3)
    (40, 10, 1.667)
    """

    num_win: int = 0
    num_loss: int = 0
    num_win_long: int = 0
    num_win_short: int = 0
    num_loss_long: int = 0
    num_loss_short: int = 0
    win_streak: int = 0
    loss_streak: int = 0
    bars_in_trades: int = 0
    bars_longest_trade: int = 0
    bars: int = 0
    bars_in_market: int = 0
    drawdown_bars: int = 0
    drawdown_bars_max: int = 0
    win_total: float = 0.0
    loss_total: float = 0.0
    win_total_long: float = 0.0
    win_total_short: float = 0.0
    loss_total_long: float = 0.0
    loss_total_short: float = 0.0
    win_max: float = 0.0
    loss_max: float = 0.0
    win_max_long: float = 0.0
    win_max_short: float = 0.0
    loss_max_long: float = 0.0
    loss_max_short: float = 0.0
    win_streak_total: float = 0.0
    loss_streak_total: float = 0.0
    trade_mean: float = 0.0
    trade_std: float = 0.0
    drawdown_max: float = 0.0
    drawdown_equity: float = 0.0
    drawdown_share: float = 0.0
    return_mean: float = 0.0
    return_std: float = 0.0
    return_r2: float = 0.0
    return_lr: float = 0.0
    return_ulcer: float = 0.0
    cost_total: float = 0.0
    roll_total: float = 0.0
    points_total: float = 0.0
    years: float = 0.0
    net: float = math.nan

    def __post_init__(self) -> None:
        values = _VALUES(self)
        if not _PLAIN.issuperset(map(type, values)):
            for name, value in zip(FIELDS, values, strict=True):
                object.__setattr__(self, name, check.number(name, value, finite=False))
        if self.net != self.net:  # NaN: not given
            object.__setattr__(self, "net", _difference(self.win_total, self.loss_total))

    @property
    def num_trades(self) -> int:
        """Number of trades."""
        return self.num_win + self.num_loss

    @property
    def profit_factor(self) -> float:
        """Wins by losses: 10 for wins without any loss, 0 without wins."""
        if not is_zero(self.loss_total, self.win_total):
            return self.win_total / self.loss_total
        return 10.0 if self.win_total > 0 else 0.0

    @property
    def win_rate(self) -> float:
        """Share of winning trades; NaN without trades."""
        return self.num_win / self.num_trades if self.num_trades else math.nan

    @property
    def expectancy(self) -> float:
        """Net result per trade; NaN without trades."""
        return self.net / self.num_trades if self.num_trades else math.nan

    @property
    def bar_sharpe(self) -> float:
        """``return_mean / return_std``; NaN where returns do not differ."""
        flat = is_zero(self.return_std, self.return_mean)
        return math.nan if flat else self.return_mean / self.return_std

    @property
    def system_quality(self) -> float:
        """``trade_mean / trade_std`` times the root of their number; NaN for equal results."""
        term = max(abs(self.trade_mean), self.win_max, self.loss_max)
        if is_zero(self.trade_std, term):
            return math.nan
        return math.sqrt(self.num_trades) * self.trade_mean / self.trade_std

    def __reduce__(self) -> tuple[type[Stats], tuple[float, ...]]:
        # Values alone: thousands of these come back from workers.
        return type(self), self.values()

    def values(self) -> tuple[float, ...]:
        """Return the values of all fields, in order."""
        found: tuple[float, ...] = _VALUES(self)
        return found

    def as_dict(self) -> dict[str, float]:
        """Return all fields by name, in order."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_trades(
        cls,
        pnl: AnyArray,
        direction: AnyArray,
        entry_index: AnyArray,
        exit_index: AnyArray,
        equity: AnyArray,
        *,
        first: int = 0,
        capital: float = 1.0,
        years: float = 0.0,
        recency: float = 1.0,
        balance: float = 0.0,
        worth: AnyArray | None = None,
        costs: AnyArray | None = None,
        rolls: AnyArray | None = None,
        points: AnyArray | None = None,
    ) -> Stats:
        """Return the statistics of trades and the equity they made.

        Parameters
        ----------
        pnl : array of float, shape (n_trades,)
            Result of each trade after costs, in time order.
        direction : array of int, shape (n_trades,)
            Above 0: long; else short.
        entry_index, exit_index : array of int, shape (n_trades,)
            Bars of the fills. A trade is in the market in both and all between.
        equity : array of float, shape (n_bars,)
            Profit at each evaluated close, open trades included, from 0 before the first bar.
        first : int
            Bar number of ``equity[0]``, in the counting of `entry_index`.
        capital : float, > 0
            What returns are shares of.
        years : float
            Length of the evaluated period.
        recency : float, > 0
            Weight of a trade that ends with the last bar over that of one that ends with the first;
            linear between, mean 1.
        balance : float
            Sum of the trades closed before the first bar, less the equity before it.
        worth : array of float, shape (n_trades,), optional
            The larger value of what each trade bought and sold. A deviation of results below
            1e-12 of it is rounding, and 0.
        costs, rolls, points : array of float, shape (n_trades,), optional
            Costs of the fills, rollover, and price difference won, of each trade.

        Raises
        ------
        ParamError
            If lengths differ, or `recency` or `capital` is not a positive number.

        Notes
        -----
        O(n_bars + n_trades). No trade gives zeros everywhere but in `bars` and `years`.

        Examples
        --------
        >>> import numpy as np
        >>> equity = np.array([0.0, 2.0, 5.0, 3.0, 4.0])
        >>> stats = Stats.from_trades([5.0, -1.0], [1, -1], [0, 2], [2, 4], equity)
        >>> stats.win_total, stats.num_loss_short, stats.drawdown_max, stats.bars_in_market
        (5.0, 1, 2.0, 5)
        """
        for name, value in (("recency", recency), ("capital", capital)):
            if not check.number(name, value, 0) > 0:
                raise ParamError(broken_rule(name, "be a positive number", value))
        first, years = check.integer("first", first, 0), check.number("years", years, 0)
        columns = TradeColumns(
            _floats("pnl", pnl),
            _integers("direction", direction),
            _integers("entry_index", entry_index),
            _integers("exit_index", exit_index),
            _NOTHING if worth is None else _floats("worth", worth),
        )
        curve = _floats("equity", equity)
        paid = [
            _NOTHING if values is None else _floats(name, values)
            for name, values in (("costs", costs), ("rolls", rolls), ("points", points))
        ]
        lengths = tuple(map(len, columns[:4]))
        if len(set(lengths)) > 1:
            raise ParamError(broken_rule("the columns of the trades", "be of one length", lengths))
        if first:
            columns = columns._replace(enter=columns.enter - first, leave=columns.leave - first)
        balance = check.number("balance", balance)
        found = stats_of(columns, curve, float(recency), float(capital), balance, TINY)
        values = _with_totals(found, paid, years)
        if not math.isfinite(sum(values)):
            _refuse_infinite(columns.pnl, curve, *paid)
        return cls(*values)

    @classmethod
    def of_records(
        cls,
        trades: AnyArray,
        equity: FloatArray,
        *,
        first: int,
        capital: float,
        years: float,
        recency: float = 1.0,
        slope: float = 0.0,
        balance: float = 0.0,
        compounds: bool = False,
    ) -> Stats:
        """Return the statistics of a simulation's trade records, as `from_trades` would.

        `slope` is a trend per bar that is taken out of the results. Where the account `compounds`,
        returns are shares of what it was worth before.
        """
        found = stats_of_records(
            trades, equity, first, slope, float(recency), capital, balance, TINY, compounds
        )
        values: list[Any] = [*found[0].item(), years]
        if not math.isfinite(sum(values)):
            columns, paid = columns_of(trades, first, slope)
            _refuse_infinite(columns.pnl, equity, *paid)
        return cls(*values)

    @classmethod
    def of_pool(
        cls,
        parts: Sequence[PoolPart],
        *,
        capital: float,
        years: float,
        recency: float = 1.0,
        compounds: bool = False,
    ) -> Stats:
        """Return the statistics of the trades of several components, and of the sum of equity.

        Trades count in the order of their exits; of those at one bar, by component. `compounds`
        is as for `of_records`.
        """
        found = [part.columns() for part in parts]
        equity = np.sum([part.curve() for part in parts], axis=0)
        joined = TradeColumns(*map(np.concatenate, zip(*(one for one, _ in found), strict=True)))
        trades = joined.ordered(np.argsort(joined.leave, kind="stable"))
        opened = trades.ordered(np.argsort(trades.enter, kind="stable"))
        stats = stats_of_pool(trades, opened, equity, float(recency), capital, 0.0, TINY, compounds)
        paid = np.concatenate([one for _, one in found], axis=1)
        values = _with_totals(stats, paid, years)
        if not math.isfinite(sum(values)):
            _refuse_infinite(trades.pnl, equity, *paid)
        return cls(*values)


_TOTALS = ("cost_total", "roll_total", "points_total")


def _with_totals(found: AnyArray, paid: Iterable[FloatArray], years: float) -> list[Any]:
    """Return the values of a record, with the sums of what trades paid and won."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused later
        for name, column in zip(_TOTALS, paid, strict=True):
            found[name] = np.sum(column)
    return [*found[0].item(), years]


def _refuse_infinite(*columns: FloatArray) -> None:
    """Raise `ParamError` for the column that is not finite: looked for only where it shows."""
    for name, column in zip(("pnl", "equity", "costs", "rolls", "points"), columns, strict=True):
        if not np.isfinite(column).all():
            got = column[~np.isfinite(column)][0]
            raise ParamError(broken_rule(name, "hold finite numbers", got))


FIELDS = tuple(field.name for field in dataclasses.fields(Stats))
"""Names of the fields of `Stats`, in order."""

_WON, _LOST = FIELDS.index("win_total"), FIELDS.index("loss_total")


class RecordBlock:
    """Statistics of several runs, made when somebody looks at one.

    Attributes
    ----------
    records : array of dtype `STATS`, shape (n,)
    years : float
        Length of the evaluated period.
    """

    __slots__ = ("_counts", "records", "years")

    def __init__(self, records: AnyArray, years: float) -> None:
        self.records, self.years = records, years
        self._counts: list[tuple[int, int]] | None = None

    def __reduce__(self) -> tuple[type[RecordBlock], tuple[AnyArray, float]]:
        return RecordBlock, (self.records, self.years)

    @property
    def counts(self) -> list[tuple[int, int]]:
        """Numbers of wins and losses of each run."""
        if self._counts is None:
            columns = (self.records[name].tolist() for name in ("num_win", "num_loss"))
            self._counts = [*zip(*columns, strict=True)]
        return self._counts

    def values(self, row: int) -> tuple[float, ...]:
        """Return the values of all fields of one run."""
        one: tuple[float, ...] = self.records[row].item()
        return (*one, self.years, one[_WON] - one[_LOST])

    def stats(self, row: int) -> Stats:
        """Return the statistics of one run."""
        return Stats(*self.values(row))  # type: ignore[arg-type]  # integers where they belong

    def columns(self, rows: IntArray) -> dict[str, AnyArray]:
        """Return the values of some runs by field."""
        taken = self.records[rows]
        found: dict[str, AnyArray] = {name: taken[name] for name in taken.dtype.names or ()}
        found["years"] = np.full(len(rows), self.years)
        found["net"] = found["win_total"] - found["loss_total"]
        return found


_PLAIN = frozenset({int, float})
_VALUES = operator.attrgetter(*FIELDS)
