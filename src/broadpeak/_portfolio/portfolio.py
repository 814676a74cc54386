# SPDX-License-Identifier: BSD-3-Clause
"""`Portfolio`: what signals would have earned."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, overload

import numpy as np
import pandas as pd

from broadpeak._core import check, drawing
from broadpeak._core.aliases import ArrayLike, Metric, Table
from broadpeak._core.arrays import user_copy
from broadpeak._core.labels import plain
from broadpeak._core.versions import VERSIONS
from broadpeak._data.data import Data
from broadpeak._metrics import measures
from broadpeak._metrics._kernels.summary import N_FIGURES, SUMMARY, as_summary
from broadpeak._metrics.calendar import (
    bars_per_year_of,
    check_bars_per_year,
    has_dates,
    per_year,
)
from broadpeak._metrics.formulas import IN_STATS, METRICS, PLACES, SummaryRow, needs_of
from broadpeak._portfolio import periods
from broadpeak._portfolio.argument import (
    GroupBy,
    SettingLike,
    StopLike,
    simulation_of,
    tell_of_wide_stops,
)
from broadpeak._portfolio.labelling import Labels
from broadpeak._portfolio.onecolumn import one_column
from broadpeak._portfolio.records import drawdowns_frame, trades_frame
from broadpeak._portfolio.streamed import Block, KeptMetrics
from broadpeak._run.keeping import Best, check_reducer
from broadpeak._simulation._kernels.layout import ONE_COLUMN, Groups
from broadpeak._simulation.costs import LARGE_SHARE, scaled, tell_of_large_share
from broadpeak._simulation.fills import Fills
from broadpeak._simulation.plans import Floor, Plan
from broadpeak._simulation.rules import Setting
from broadpeak._simulation.simulation import Simulation
from broadpeak.errors import ParamError, ParamTypeError, broken_rule, warn
from broadpeak.types import AnyArray, FloatArray, IntArray, Reducer

VAST = 1 << 18
"""Columns beyond which figures are kept, but not the summaries behind them."""

_PIECE = 1 << 13  # summaries whose figures are computed at a time: what comes between stays near

_BARS, _FIRST, _LAST = (PLACES[name] for name in ("bars", "first", "last"))
Frame = TypeVar("Frame", Table, pd.DataFrame)


class Portfolio:
    """What signals would have earned, for one column or for many.

    Made by `Portfolio.from_signals`, by `broadpeak.test` and by `broadpeak.walk_forward`.
    Everything is computed on first use, and only what is used: the Sharpe ratios of
    50,000 columns need no table of 50,000 columns × bars.

    Attributes
    ----------
    value : Series or DataFrame
        Cash plus positions at each close.
    returns : Series or DataFrame
        Change of value from bar to bar; the first against the initial cash.
    positions : Series or DataFrame
        Signed units at each close.
    close : Series or DataFrame
        Prices at which positions are valued.
    plots : DataFrame
        Of a strategy's component: what `s.plot` drew.
    trades, drawdowns : DataFrame
        Records.
    total_return, annual_return, annual_volatility, sharpe_ratio, sortino_ratio, calmar_ratio,
    max_drawdown, win_rate, profit_factor, expectancy, sqn, num_trades, exposure
        A number for one-dimensional input, a Series for frames and lists of parameters, also with
        one column or one value.
    plan : Plan
        Which evaluator computes figures, and why.
    components : dict
        For strategy runs the portfolio of each component; otherwise empty. A component that trades
        an ensemble has one column for each member.
    held : Portfolio or None
        For strategy runs: the same symbols, bought and held.
    facts : dict
        For strategy runs what was tested and how; otherwise empty. ``strategy`` (its name),
        ``period`` (first and last tested bar), ``sample`` ("in sample" where all of these bars were
        trained on, "partly in sample", "out of sample", or "" where that is not known), ``sizing``,
        ``capital``, ``whole``, ``costs`` ({asset: Costs}), ``costs_from`` and ``sizing_from``
        ("argument", "training", "file", "walk-forward"; "none" for no costs, "strategy" for the
        size that follows from the strategy), ``params`` ({component: {name: value}}),
        ``same_prices`` (whether the bars that were trained on have the prices of then; None: not
        known), and ``provenance`` (`Provenance` of the parameters, or None).

    Notes
    -----
    Metrics are NaN where they are not defined, never an exception. Formulas stand in the
    documentation of each attribute.

    Examples
    --------
    >>> close = pd.Series([10.0, 15.0, 11.0], index=pd.date_range("2024-01-01", periods=3))
    >>> pf = Portfolio.from_signals(close, [True, False, False], [False, True, False])
    >>> pf.total_return
    0.5
    """

    def __init__(
        self,
        simulation: Simulation | None,
        labels: Labels,
        *,
        fills: Fills | None = None,
        groups: Groups | None = None,
        start: FloatArray | None = None,
        capital: float = 0.0,
        bars_per_year: float | None = None,
        components: Mapping[str, Portfolio] | None = None,
        plots: Mapping[tuple[int, str], FloatArray] | None = None,
        hold: Callable[[], Portfolio] | None = None,
        retrade: Callable[[float], Portfolio] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        passed: object = simulation
        if not isinstance(passed, (Simulation, NoneType)) or not isinstance(labels, Labels):
            rule = "be made by one of its constructors"
            remedy = "Type: Portfolio.from_signals(close, entries, exits)."
            raise ParamTypeError(broken_rule("Portfolio", rule, passed, remedy))
        if simulation is None and (groups is None or start is None):
            msg = "A Portfolio must have a simulation, or fills with groups and start values."
            raise ParamError(msg)
        self._simulation = simulation
        self._labels = labels
        self._opened = start
        if simulation is None:
            self.__dict__.update(_groups=groups)
        self._capital = capital
        self._summaries: dict[int, FloatArray] = {}  # rows of numbers, by what they hold
        self._kept: dict[str, Any] = {}  # frames by the name of their attribute
        self._figures: dict[str, AnyArray] = {}  # by metric, where there are very many columns
        self._warned = False
        self._has_members = False  # the columns of a component are the members of its ensemble
        self._bars_per_year = None if bars_per_year is None else check_bars_per_year(bars_per_year)
        if fills is not None:
            self.__dict__["_fills"] = fills
        self.components: dict[str, Portfolio] = dict(components or {})
        self._plots = dict(plots or {})
        self._hold = hold
        self._retrade = retrade
        self._held: Portfolio | None = None
        self._facts: dict[str, Any] = dict(facts or {})
        self._more_facts: Callable[[], Mapping[str, Any]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        self._find_facts()
        return self.__dict__

    # Making

    @classmethod
    def from_signals(
        cls,
        close: ArrayLike | Data,
        entries: ArrayLike | bool | None = None,
        exits: ArrayLike | bool | None = None,
        *,
        short_entries: ArrayLike | bool | None = None,
        short_exits: ArrayLike | bool | None = None,
        open: ArrayLike | None = None,
        high: ArrayLike | None = None,
        low: ArrayLike | None = None,
        price: str = "close",
        size: SettingLike = math.inf,
        size_type: str = "amount",
        direction: str = "longonly",
        accumulate: bool = False,
        fees: SettingLike = 0.0,
        fixed_fees: SettingLike = 0.0,
        slippage: SettingLike = 0.0,
        sl_stop: StopLike = None,
        tp_stop: StopLike = None,
        tsl_stop: StopLike = None,
        stop_unit: str = "fraction",
        init_cash: SettingLike = 100.0,
        bars_per_year: float | None = None,
        group_by: GroupBy = None,
        cash_sharing: bool = False,
    ) -> Portfolio:
        """Simulate entry and exit signals.

        Parameters
        ----------
        close : Data, Series, DataFrame or array, shape (bars,) or (bars, columns)
            Prices; a `Data` brings open, high and low along. NaN: the asset did not trade on that
            bar, which does not exist for its column: nothing fills, signals are ignored, metrics
            leave it out.
        entries, exits, short_entries, short_exits : array-like of bool, optional
            Signals over bars, or bars × columns. A missing array is false everywhere, a missing
            value is false. Without short arrays `direction` says what entries and exits mean.
        open, high, low : array-like of float, optional
            For next-open fills and stops. A missing open is the close, a missing high or low the
            larger or smaller of open and close.
        price : "close" or "nextopen"
            Fill at the close of the signal bar, or at the next open.
        size : float or array-like
            Units, money or share, by `size_type`; inf is all free cash. Read at the signal bar,
            cut to free cash.
        size_type : "amount", "value" or "percent"
            Units; money at the price before slippage; share of free cash, in (0, 1].
        direction : "longonly", "shortonly" or "both"
            With "both", exits are short entries.
        accumulate : bool
            Entries add `size` to a position, exits take `size` from it.
        fees : float or array-like
            Share of the order value, paid at each fill.
        fixed_fees : float or array-like
            Money paid for each order.
        slippage : float or array-like
            Adverse share of price for market orders and stops.
        sl_stop, tp_stop, tsl_stop : float, array-like or Param, optional
            Stop-loss, take-profit and trailing stop; None or NaN is none. Read at the signal bar.
            A `Param` multiplies the columns: each meets every value.
        stop_unit : "fraction" or "price"
            Fractions of the entry price (trailing: of the peak), or distances in price.
        init_cash : float or array-like
            Cash of each column, or of each group with shared cash.
        bars_per_year : float, optional
            Default: from the dates of the index.
        group_by : True, level name or number, or one label a column, optional
            Columns that are valued together.
        cash_sharing : bool
            The columns of a group share one account.

        Returns
        -------
        Portfolio

        Raises
        ------
        DataError
            If indexes, columns or shapes do not fit, or a price is not positive.
        ParamError
            If an option is unknown or a number out of its range, or a setting other than a stop is
            a `Param`.

        Notes
        -----
        Settings may be numbers, arrays over bars (their length decides), arrays over columns,
        Series over bars or over columns by label, or frames. A list, tuple or range holds values
        of a parameter: one for each column, or for each block of price columns, or, where there
        are no parameter columns yet, it makes them. Frames of different columns are joined by
        shared level names, such as (fast, slow, symbol) with (symbol).

        The level of a `Param` comes last and is the fastest; several multiply in the order of the
        signature, the last fastest, and `level=`, `condition=`, `name=`, `keys=` and `hide=` work
        as they do for `parameterized`. What stops do is worked out once for each bar on which a
        trade begins, not once for each column, so a thousand stops cost little more than one.

        The rules for fills, sizes, stops and records stand in the page "Portfolio" of the
        documentation.

        Examples
        --------
        >>> close = np.array([10.0, 11.0, 9.0, 12.0])
        >>> entries = np.array([True, False, False, False])
        >>> pf = Portfolio.from_signals(close, entries, tp_stop=[0.1, 0.2])
        >>> pf.total_return
        tp_stop
        0.1    0.1
        0.2    0.2
        Name: total_return, dtype: float64

        >>> from broadpeak import Param
        >>> pf = Portfolio.from_signals(
        ...     close, entries, tp_stop=Param([0.1, 0.2]), sl_stop=Param([0.05, None])
        ... )
        >>> pf.total_return
        sl_stop  tp_stop
        0.05     0.1        0.1
                 0.2       -0.1
        None     0.1        0.1
                 0.2        0.2
        Name: total_return, dtype: float64
        """
        # One column, which is most of what is asked for, needs nothing to be matched.
        if sl_stop is not None or tsl_stop is not None:
            tell_of_wide_stops(stop_unit, sl_stop=sl_stop, tsl_stop=tsl_stop)
        if type(fees) is float and fees >= LARGE_SHARE:
            tell_of_large_share("fees", fees)
        if type(slippage) is float and LARGE_SHARE <= slippage < 1.0:
            tell_of_large_share("slippage", slippage)
        if (
            short_entries is None
            and short_exits is None
            and open is None
            and high is None
            and low is None
            and type(direction) is str
            and direction == "longonly"
            and accumulate is False
            and cash_sharing is False
            and (group_by is None or group_by is False)
        ):
            settings = (
                price, size_type, stop_unit,
                size, fees, fixed_fees, slippage, init_cash, sl_stop, tp_stop, tsl_stop,
            )  # fmt: skip
            found = one_column(close, entries, exits, settings)
            if found is not None:
                return cls(*found, bars_per_year=bars_per_year)
        simulation, labels = simulation_of(
            close,
            {"open": open, "high": high, "low": low},
            {
                "entries": entries,
                "exits": exits,
                "short_entries": short_entries,
                "short_exits": short_exits,
            },
            {
                "size": size,
                "fees": fees,
                "fixed_fees": fixed_fees,
                "slippage": slippage,
                "sl_stop": sl_stop,
                "tp_stop": tp_stop,
                "tsl_stop": tsl_stop,
                "init_cash": init_cash,
            },
            price=price,
            size_type=size_type,
            direction=direction,
            accumulate=accumulate,
            stop_unit=stop_unit,
            group_by=group_by,
            cash_sharing=cash_sharing,
        )
        return cls(simulation, labels, bars_per_year=bars_per_year)

    @classmethod
    def from_fills(
        cls,
        fills: Fills,
        index: pd.Index | None,
        *,
        capital: float,
        compounds: bool = False,
        columns: pd.Index | None = None,
        name: Hashable = None,
        bars_per_year: float | None = None,
        components: Mapping[str, Portfolio] | None = None,
        plots: Mapping[tuple[int, str], FloatArray] | None = None,
        members: Iterable[int] | None = None,
        hold: Callable[[], Portfolio] | None = None,
        retrade: Callable[[float], Portfolio] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Portfolio:
        """Return the portfolio of a strategy run: all columns on one capital.

        Parameters
        ----------
        fills : Fills
            One column a component.
        index : pd.Index or None
            Labels of the bars.
        capital : float
            Value is capital plus profit and loss; returns are changes over capital.
        compounds : bool
            Returns are changes over the value before instead.
        columns : pd.Index, optional
            Names of the components.
        name : object
            Name of the value Series.
        bars_per_year : float, optional
        components : mapping of str to Portfolio, optional
        plots : mapping of (panel, name) to float64 array, shape (bars,), optional
            Lines that the strategy plotted.
        members : iterable of int, optional
            Where components trade ensembles: which member of its component each column is.
        hold : callable, optional
            Makes the portfolio of the same symbols, held.
        retrade : callable, optional
            Makes the portfolio of the same orders at a multiple of the costs.
        facts : mapping, optional
            What is known of the run.

        Returns
        -------
        Portfolio
        """
        n, groups = fills.n_columns, ONE_COLUMN
        if n > 1:
            groups = Groups.of_codes(np.zeros(n, dtype=np.int64), 1, shared=False)
        account = None
        if n > 1 and columns is not None:
            # One account of several columns goes by none of their names, as with group_by=True.
            account = columns.unique()
            if len(account) > 1:
                account = pd.Index(["group"])
        if members is not None and columns is not None:
            columns = pd.MultiIndex.from_arrays(
                [columns, [*members]], names=["component", "member"]
            )
        made = cls(
            None,
            Labels(index, columns, account, name),
            fills=fills,
            groups=groups,
            start=np.array([float(capital)]),
            capital=0.0 if compounds else float(capital),
            bars_per_year=bars_per_year,
            components=components,
            plots=plots,
            hold=hold,
            retrade=retrade,
            facts=facts,
        )
        made._has_members = members is not None
        return made

    def tell(self, more_facts: Callable[[], Mapping[str, Any]]) -> None:
        """Know more facts of the run, found when somebody asks."""
        self._more_facts = more_facts

    # Looking

    @property
    def facts(self) -> dict[str, Any]:
        """What was tested and how; empty but for strategy runs."""
        self._find_facts()
        return self._facts

    def _find_facts(self) -> None:
        find = self._more_facts
        if find is not None:
            period = (self.index[0], self.index[-1])
            self._facts = {"period": period, **self._facts, **find()}
            self._more_facts = None

    @property
    def index(self) -> pd.Index:
        """Labels of the bars; numbers without pandas input."""
        index = self._labels.index
        # A view, since an index can be given other names, and this one may be that of a `Data`.
        return pd.RangeIndex(self._n_bars) if index is None else index.view()

    @property
    def columns(self) -> pd.Index:
        """Labels of the columns; for one without labels the name of the close, or 0."""
        return self._labels.columns

    @property
    def bars_per_year(self) -> Metric:
        """Bars a year, as passed or inferred from the index; NaN without dates, with one warning.

        A Series where columns have different bars, for each is annualised by its own.
        """
        values = self._per_year(self._summary(0))
        if (values == values[0]).all() or np.isnan(values).all():
            return float(values[0])
        return pd.Series(values, index=self._group_labels, name="bars_per_year")

    def _per_year(self, summary: AnyArray) -> FloatArray:
        """Return the bars a year of each group: the number passed, or what its own bars imply."""
        if self._bars_per_year is not None:
            return np.full(len(summary), self._bars_per_year)
        index = self._labels.index
        if not self._warned and not has_dates(index):
            self._warned = True
            msg = "Annualised metrics are NaN: the index has no dates. "
            warn(f"{msg}Pass bars_per_year=252 for daily bars.", UserWarning)
        return bars_per_year_of(index, summary)

    @property
    def _n_bars(self) -> int:
        source = self._fills if self._simulation is None else self._simulation
        return source.prices.shape[1]

    @cached_property
    def _fills(self) -> Fills:
        return self._simulated.fills()

    @property
    def _group_labels(self) -> pd.Index:
        return self._labels.groups

    @cached_property
    def _groups(self) -> Groups:
        """Which result columns are valued together."""
        simulation = self._simulated
        if simulation.axis is None:
            return simulation.groups
        return Groups.single(self._labels.n_columns)

    @property
    def _start(self) -> FloatArray:
        """Value of each group before the first bar."""
        if self._opened is None:
            self._opened = self._simulated.start()
        return self._opened

    @property
    def _simulated(self) -> Simulation:
        if self._simulation is None:
            raise ParamError("A Portfolio must have a simulation or fills.")
        return self._simulation

    # Paths

    @cached_property
    def _value(self) -> FloatArray:
        value = self._fills.values(self._start, self._groups.codes())
        value.flags.writeable = False
        return value

    @cached_property
    def _own_bars(self) -> list[IntArray | None] | None:
        """The bars on which each group has a price; None: each has all of them."""
        fills, groups = self._fills, self._groups
        if not fills.prices.has_nan:
            return None
        present = ~np.isnan(fills.prices.close)
        found: list[IntArray | None] = []
        for first, last in zip(groups.bounds[:-1], groups.bounds[1:], strict=True):
            rows = np.unique(fills.price_rows[groups.order[first:last]])
            there = present[rows].any(axis=0)
            found.append(None if there.all() else np.flatnonzero(there))
        return found

    def _lend(self, name: str, make: Callable[[], Frame]) -> Frame:
        """Compute a result once, keep it, and return a copy that the user may change."""
        if name not in self._kept:
            self._kept[name] = make()
        kept: Frame = user_copy(self._kept[name])
        return kept

    def _wrap(self, paths: FloatArray, labels: pd.Index, *, single: bool) -> Table:
        """Return columns × bars as a Series or frame over bars."""
        if single:
            return pd.Series(paths[0], index=self.index, name=self._labels.name, copy=False)
        return pd.DataFrame(paths.T, index=self.index, columns=labels, copy=False)

    @property
    def value(self) -> Table:
        """Cash plus positions at each close, marked at the last known price."""
        return self._lend(
            "value", lambda: self._wrap(self._value, self._group_labels, single=self._labels.single)
        )

    @property
    def returns(self) -> Table:
        """Change of value from bar to bar, the first against the initial cash.

        NaN where the value before was not positive, and on bars on which a column has no price:
        they do not exist for it. For strategy runs changes are over the fixed capital and do not
        compound, unless their sizing is "equity".
        """
        return self._lend("returns", self._returns)

    def _returns(self) -> Table:
        changes = measures.returns(
            self._value, self._start, capital=self._capital, own=self._own_bars
        )
        return self._wrap(changes, self._group_labels, single=self._labels.single)

    @property
    def held(self) -> Portfolio | None:
        """For strategy runs: the same symbols, bought at the first tested bar and held to the last.

        Bought at its close with all of the capital, in equal amounts of money, at the same costs,
        and not sold. What the strategy is held against; None for signals.
        """
        if self._held is None and self._hold is not None:
            self._held = self._hold()
        return self._held

    @property
    def positions(self) -> Table:
        """Signed units at each close, one column for each column of the simulation."""
        return self._lend("positions", self._positions)

    def _positions(self) -> Table:
        held = self._fills.positions()
        # The only component of a strategy run is the run itself.
        single = not self._labels.has_columns or (self._simulation is None and len(held) == 1)
        return self._wrap(held, self.columns, single=single)

    @property
    def close(self) -> Table:
        """Prices at which positions are valued, one column for each column of the simulation.

        NaN on bars that a column does not have.
        """
        return self._lend("close", self._close)

    def _close(self) -> Table:
        source = self._fills if self._simulation is None else self._simulation
        rows = source.price_rows
        if isinstance(source, Simulation) and source.axis is not None:
            rows = np.repeat(rows, len(source.axis))
        prices = source.prices.close[rows]
        single = not self._labels.has_columns or (self._simulation is None and len(prices) == 1)
        return self._wrap(prices, self.columns, single=single)

    @property
    def plots(self) -> pd.DataFrame:
        """What a strategy plotted on this component with `s.plot`, one column for each line.

        Columns are (panel, name); panel 0 is that of the prices. Empty for signals, and for a
        strategy run as a whole: see its `components`.
        """
        return self._lend("plots", self._plots_frame)

    def _plots_frame(self) -> pd.DataFrame:
        columns = pd.MultiIndex.from_tuples(list(self._plots), names=["panel", "name"])
        lines = [*self._plots.values()]
        values = np.column_stack(lines) if lines else np.empty((len(self.index), 0))
        return pd.DataFrame(values, index=self.index, columns=columns)

    # Records

    @property
    def trades(self) -> pd.DataFrame:
        """Trade records, column after column, in order of exit.

        `return` is pnl over (entry_price · size); `mae` and `mfe` are the worst and best price
        between fill and exit against the entry, as fractions; `bars` counts bars on which the
        column has a price; a position still open is marked at its last close, with status and exit
        reason "open". Where a strategy trades ensembles, `column` is the component and `member`
        the number of the combination, from 1.
        """
        return self._lend("trades", self._trades)

    def _trades(self) -> pd.DataFrame:
        if not self._has_members:
            return trades_frame(self._fills, self.columns, self.index)
        keys, numbers = (self.columns.get_level_values(level) for level in (0, 1))
        frame = trades_frame(self._fills, keys, self.index)
        frame.insert(1, "member", numbers.take(self._fills.trades["column"]))
        return frame

    @property
    def drawdowns(self) -> pd.DataFrame:
        """Falls from a peak of value: peak, valley and recovery time, depth, bars, status."""
        return self._lend("drawdowns", self._drawdowns)

    def _drawdowns(self) -> pd.DataFrame:
        records = measures.drawdowns(self._value, self._start, own=self._own_bars)
        return drawdowns_frame(records, self._group_labels, self.index)

    # Metrics

    def _rows(self, needs: int) -> FloatArray:
        """Return summaries that hold what is needed, as rows of numbers; what is known is not run.

        Once paths or trades have been computed there is an order log, which is reduced without
        another run.
        """
        for known, rows in self._summaries.items():
            if known & needs == needs:
                return rows
        if self._simulation is not None and "_fills" not in self.__dict__:
            found = self._simulation.rows_of_summary(needs, self._start)
        else:
            summary = self._fills.summary(needs, self._groups, self._start, self._capital)
            found = summary.view(np.float64).reshape(len(summary), N_FIGURES)
        self._summaries[needs] = found
        return found

    def _summary(self, needs: int) -> AnyArray:
        """Return the summary of each group, dtype `SUMMARY`, with what is needed."""
        return as_summary(self._rows(needs))

    def _metric(self, name: str) -> Metric:
        if self._labels.single:
            return self._number(name)
        return pd.Series(self._values_of(name), index=self._group_labels, name=name, copy=True)

    def _number(self, name: str) -> float:
        """Return a metric of the one account there is, past arrays where that can be."""
        metric = METRICS[name]
        if metric.single is None:
            value: float = self._values_of(name)[0].item()
            return value
        row = self._rows(metric.needs)[0].tolist()
        per_year = math.nan
        if metric.annual:
            per_year = self._bars_per_year or self._implied_per_year(row)
        return metric.single(row, per_year)

    def _implied_per_year(self, row: SummaryRow) -> float:
        """Return the bars a year that the dates of one account imply."""
        index = self._labels.index
        if not has_dates(index):
            return float(self._per_year(self._summary(0))[0])
        return per_year(index, int(row[_FIRST]), int(row[_LAST]), int(row[_BARS]))

    def _values_of(self, name: str) -> AnyArray:
        metric = METRICS[name]
        if self._is_vast(metric.needs):
            return self._figures_of([name])[name]
        summary = self._summary(metric.needs)
        per_year = self._per_year(summary) if metric.annual else np.full(len(summary), math.nan)
        return metric.formula(summary, per_year)

    def _is_vast(self, needs: int) -> bool:
        """Whether summaries of all columns, which are not known yet, would take too much room."""
        return (
            self._simulation is not None
            and self._labels.n_columns > VAST
            and "_fills" not in self.__dict__
            and not any(known & needs == needs for known in self._summaries)
        )

    def _figures_of(self, names: Sequence[str]) -> dict[str, AnyArray]:
        """Return metrics of very many columns: their figures are kept, their summaries are not."""
        missing = [name for name in names if name not in self._figures]
        if missing:
            empty = np.zeros(0, dtype=SUMMARY)
            simulation = self._simulated
            n_groups = len(simulation.groups.bounds) - 1
            n_results = n_groups * (1 if simulation.axis is None else len(simulation.axis))
            found = {
                name: np.empty(n_results, METRICS[name].formula(empty, np.zeros(0)).dtype)
                for name in missing
            }
            annual = any(METRICS[name].annual for name in missing)
            for positions, rows in self._blocks(needs_of(missing), None):
                years = self._per_year(rows) if annual else np.full(len(rows), math.nan)
                for first in range(0, len(rows), _PIECE):
                    at = slice(first, first + _PIECE)
                    for name in missing:
                        values = METRICS[name].formula(rows[at], years[at])
                        found[name][positions[at]] = values
            self._figures.update(found)
        return {name: self._figures[name] for name in names}

    def _blocks(self, needs: int, floor: Floor | None) -> Iterable[Block]:
        """Return the summaries of all columns, some at a time."""
        simulation = self._simulated
        if self._bars_per_year is None and simulation.prices.has_nan:
            # Columns of other bars may have other years: what a bound means in one block of
            # columns it does not mean in the next.
            floor = floor if floor is not None and floor.figure == "end" else None
        return simulation.stream(needs, replace(simulation, axis=None).start(), floor)

    @property
    def total_return(self) -> Metric:
        """End value over initial cash, less 1."""
        return self._metric("total_return")

    @property
    def annual_return(self) -> Metric:
        """``(end/start)^(bars_per_year/bars) − 1``; NaN when the end is not positive."""
        return self._metric("annual_return")

    @property
    def annual_volatility(self) -> Metric:
        """Standard deviation (ddof 1) of bar returns · √bars_per_year."""
        return self._metric("annual_volatility")

    @property
    def sharpe_ratio(self) -> Metric:
        """Mean over standard deviation (ddof 1) of bar returns · √bars_per_year."""
        return self._metric("sharpe_ratio")

    @property
    def sortino_ratio(self) -> Metric:
        """Mean over the root mean of min(r, 0)² · √bars_per_year; inf without losses."""
        return self._metric("sortino_ratio")

    @property
    def calmar_ratio(self) -> Metric:
        """Annual return over the size of the largest drawdown."""
        return self._metric("calmar_ratio")

    @property
    def max_drawdown(self) -> Metric:
        """Largest fall from a peak as a fraction, ≤ 0; the first peak is the initial cash."""
        return self._metric("max_drawdown")

    @property
    def win_rate(self) -> Metric:
        """Share of closed trades with a profit; NaN without closed trades."""
        return self._metric("win_rate")

    @property
    def profit_factor(self) -> Metric:
        """Gains over losses of closed trades; inf without losses, NaN without closed trades."""
        return self._metric("profit_factor")

    @property
    def expectancy(self) -> Metric:
        """Mean profit of closed trades, in money."""
        return self._metric("expectancy")

    @property
    def sqn(self) -> Metric:
        """Mean over standard deviation (ddof 1) of closed trades' profits · √trades."""
        return self._metric("sqn")

    @property
    def num_trades(self) -> Metric:
        """Number of trades, one still open among them."""
        return self._metric("num_trades")

    @property
    def exposure(self) -> Metric:
        """Share of bars with a position at the close."""
        return self._metric("exposure")

    @overload
    def metrics(self, names: str | Sequence[str], *, keep: None = None) -> pd.DataFrame: ...
    @overload
    def metrics(self, names: str | Sequence[str], *, keep: Reducer) -> Any: ...
    def metrics(self, names: str | Sequence[str], *, keep: Reducer | None = None) -> Any:
        """Return some metrics of every column, or of those that are kept.

        Parameters
        ----------
        names : str or sequence of str
            Names of scalar attributes; also "net" (profit and loss of all trades),
            "largest_win", "largest_loss", "mean_bars" (of closed trades), "fees_paid".
        keep : Reducer, optional
            What is kept of the columns while they are simulated, such as
            ``bp.top(1000, by="sharpe_ratio")``, ``bp.bottom``, ``bp.histogram`` or a reducer of
            your own, which gets the metrics of a column as a dict, or as a number where `names` is
            a string. The others are forgotten at once, with their labels, so that there may be a
            billion of them.

        Returns
        -------
        DataFrame
            One row a column (or group), one column a metric. With ``keep=bp.top(…)`` or
            ``bp.bottom(…)`` only the rows that are kept, best first; with another reducer what it
            makes of them.

        Raises
        ------
        ParamError
            If a name is unknown, or `keep` is no reducer or does not say which of several metrics
            it compares.

        Examples
        --------
        >>> pf = Portfolio.from_signals(np.array([1.0, 2.0, 3.0]), [True, False, False])
        >>> pf.metrics(["total_return", "num_trades"])
           total_return  num_trades
        0           2.0           1

        >>> from broadpeak import Param, top
        >>> pf = Portfolio.from_signals(
        ...     np.array([10.0, 11.0, 9.0]), [True, False, False], tp_stop=Param([0.05, 0.1, 0.2])
        ... )
        >>> pf.metrics("total_return", keep=top(2))["total_return"]
        tp_stop
        0.05    0.1
        0.10    0.1
        Name: total_return, dtype: float64
        """
        listed = [names] if isinstance(names, str) else names
        chosen = list(check.iterable("names", listed, "be names of metrics"))
        for name in chosen:
            if not isinstance(name, str) or name not in METRICS:
                hint = check.did_you_mean(name, METRICS) or f"Known names: {', '.join(METRICS)}."
                raise ParamError(broken_rule("names", "be names of metrics", name, hint))
        if keep is not None:
            reducer = check_reducer("keep", keep)
            return self._kept_of(KeptMetrics.of(chosen, reducer, alone=isinstance(names, str)))
        needs = needs_of(chosen)
        if self._is_vast(needs):
            return pd.DataFrame(self._figures_of(chosen), index=self._group_labels)
        self._rows(needs)
        return pd.DataFrame(
            {name: self._values_of(name) for name in chosen}, index=self._group_labels
        )

    def _kept_of(self, kept: KeptMetrics) -> Any:
        """Stream the metrics of the columns to who keeps some of them."""
        blocks, floor = self._blocks_of(kept)
        return kept.run(blocks, self._per_year, self._labels.groups_at, floor)

    def _state_of(self, by: str, keep: Reducer) -> tuple[Any, int]:
        """Return what the reducer knows of one metric of all columns, and how many there are.

        Of `top` and `bottom` the results are numbers.
        """
        kept = KeptMetrics.of([by], keep, alone=True)
        blocks, floor = self._blocks_of(kept)
        state: Any = kept.state(blocks, self._per_year, floor)
        if isinstance(keep, Best):
            state = state._replace(results=[result[by] for result in state.results])
        return state, self._labels.n_groups

    def _blocks_of(self, kept: KeptMetrics) -> tuple[Iterable[Block], Floor | None]:
        """Return the summaries of columns as they come, and what they need not reach."""
        needs = needs_of(kept.needed)
        simulation = self._simulation
        known = any(have & needs == needs for have in self._summaries)
        if simulation is None or known or "_fills" in self.__dict__:
            rows = self._summary(needs)
            return [(np.arange(len(rows)), rows)], None
        floor = kept.floor(replace(simulation, axis=None).start())
        return self._blocks(needs, floor), floor

    @property
    def plan(self) -> Plan:
        """How figures are computed: ``evaluator`` and ``why``, in words.

        "crossings": from the bars on which series cross, without a look at the others; "events":
        from order to order; "dense": in the loop that knows every rule, with shared cash bar by
        bar. All of them give the same figures, and which one runs follows from what was asked for,
        so there is nothing to set.

        Examples
        --------
        >>> pf = Portfolio.from_signals(np.array([1.0, 2.0, 3.0]), [True, False, False])
        >>> print(pf.plan)
        events: From order to order, since entries are given bar by bar.
        """
        simulation = self._simulation
        if simulation is None:
            return Plan("events", "From order to order: a strategy's orders, which are all kept.")
        found = simulation.plan()
        if found.evaluator == "crossings" and "_fills" in self.__dict__:
            why = (
                "From order to order, since paths or trades were asked for, which need each order."
            )
            return Plan("events", why)
        return found

    def stats(self) -> Table:
        """Return every metric, with start, end, bars, initial and final value.

        Where it is known, ``sample`` says whether a strategy was trained on these bars.

        Returns
        -------
        Series or DataFrame
            A Series for one-dimensional input; for frames and lists one row a column.

        Examples
        --------
        >>> close = pd.Series([1.0, 2.0, 3.0], index=pd.date_range("2024-01-01", periods=3))
        >>> Portfolio.from_signals(close, [True, False, False]).stats()["end_value"]
        300.0
        """
        summary = self._summary(needs_of(IN_STATS))
        frame = self.metrics(IN_STATS)
        first, last, bars = (summary[name].astype(np.int64) for name in ("first", "last", "bars"))
        frame.insert(0, "start", self.index[first])
        frame.insert(1, "end", self.index[last])
        frame.insert(2, "bars", bars)
        frame.insert(3, "start_value", self._start)
        frame.insert(4, "end_value", summary["end"])
        if sample := self.facts.get("sample"):
            frame.insert(3, "sample", sample)
        if not self._labels.single:
            return frame
        row = {name: frame[name].iloc[0] for name in frame.columns}
        values = {name: plain(value) for name, value in row.items()}
        return pd.Series(values, name=self._labels.name, dtype=object)

    # What a broker's report shows

    def monthly_returns(self) -> pd.DataFrame:
        """Return the change of each month, years down and months across.

        Returns
        -------
        DataFrame, shape (years, 12)
            Index `year`, columns `month` from 1 to 12; with several accounts their labels stand
            before the year. A change is over the value before the month; in strategy runs whose
            returns do not compound, over the capital, so that months add up to the years. NaN in
            months without a bar.

        Raises
        ------
        DataError
            If the index has no dates.

        Examples
        --------
        >>> days = pd.to_datetime(["2024-01-30", "2024-01-31", "2024-02-01"])
        >>> close = pd.Series([1.0, 2.0, 3.0], index=days)
        >>> pf = Portfolio.from_signals(close, [True, False, False])
        >>> pf.monthly_returns().loc[2024, [1, 2]].tolist()
        [1.0, 0.5]
        """
        return self._lend("monthly_returns", self._monthly_returns)

    def _monthly_returns(self) -> pd.DataFrame:
        dates = periods.dates_of(self.index, "monthly_returns()")
        months = dates.year.to_numpy().astype(np.int64) * 12 + dates.month.to_numpy() - 1
        found = self._period_returns(months)
        at = np.unique(months)
        years = np.arange(at[0] // 12, at[-1] // 12 + 1) if len(at) else np.arange(0)
        table = np.full((len(found), len(years), 12), np.nan)
        if len(at):
            table[:, at // 12 - years[0], at % 12] = found
        rows = pd.Index(years, name="year")
        if not self._labels.single:
            groups = self._group_labels
            parts = [
                pd.Index(groups.get_level_values(level)).repeat(len(years))
                for level in range(groups.nlevels)
            ]
            each = np.tile(years, len(found))
            rows = pd.MultiIndex.from_arrays([*parts, each], names=[*groups.names, "year"])
        columns = pd.RangeIndex(1, 13, name="month")
        return pd.DataFrame(table.reshape(-1, 12), index=rows, columns=columns)

    def yearly_returns(self) -> Table:
        """Return the change of each year; the first and the last may be parts of years.

        Returns
        -------
        Series or DataFrame, shape (years,) or (years, accounts)
            Index `year`; defined as those of `monthly_returns`.

        Raises
        ------
        DataError
            If the index has no dates.

        Examples
        --------
        >>> days = pd.to_datetime(["2023-12-28", "2023-12-29", "2024-01-02"])
        >>> close = pd.Series([1.0, 2.0, 3.0], index=days)
        >>> Portfolio.from_signals(close, [True, False, False]).yearly_returns().tolist()
        [1.0, 0.5]
        """
        return self._lend("yearly_returns", self._yearly_returns)

    def _yearly_returns(self) -> Table:
        dates = periods.dates_of(self.index, "yearly_returns()")
        years = dates.year.to_numpy().astype(np.int64)
        rows = pd.Index(np.unique(years), name="year")
        found = self._period_returns(years)
        if self._labels.single:
            return pd.Series(found[0], index=rows, name=self._labels.name)
        return pd.DataFrame(found.T, index=rows, columns=self._group_labels)

    def _period_returns(self, codes: AnyArray) -> FloatArray:
        return periods.period_returns(
            self._value, self._start, codes, capital=self._capital, own=self._own_bars
        )

    def rolling_sharpe(self, bars: int | None = None) -> Table:
        """Return the annualised Sharpe ratio of the last bars, at each bar.

        Parameters
        ----------
        bars : int, optional
            Length of the window, at least 2; default: one year, by `bars_per_year`.

        Returns
        -------
        Series or DataFrame, shape (bars,) or (bars, accounts)
            NaN before the first full window, and where returns do not vary.

        Raises
        ------
        ParamError
            If `bars` is below 2, or not given where the index tells no year.

        Examples
        --------
        >>> close = np.array([1.0, 2.0, 3.0, 3.0])
        >>> pf = Portfolio.from_signals(close, [True, False, False, False], bars_per_year=4)
        >>> pf.rolling_sharpe(3).round(3).tolist()
        [nan, nan, 2.0, 2.0]
        """
        per_year = self._per_year(self._summary(0))
        if bars is None:
            usual = per_year[~np.isnan(per_year)]
            if not len(usual):
                remedy = "Pass the length of the window: rolling_sharpe(252)."
                raise ParamError(broken_rule("bars", "be given without dates", bars, remedy))
            bars = max(2, round(float(np.median(usual))))
        window = check.integer("bars", bars, least=2)
        changes = measures.returns(
            self._value, self._start, capital=self._capital, own=self._own_bars
        )
        found = periods.rolling_sharpe(changes, window, per_year)
        return self._wrap(found, self._group_labels, single=self._labels.single)

    def worst_drawdowns(self, n: int = 5) -> pd.DataFrame:
        """Return the deepest drawdowns of each account, deepest first.

        Parameters
        ----------
        n : int
            How many of each account.

        Returns
        -------
        DataFrame
            Columns of `drawdowns`, and `days`: calendar days from the peak to the recovery, or to
            the last bar; NaN where the index has no dates.

        Raises
        ------
        ParamError
            If `n` is below 1.

        Examples
        --------
        >>> close = pd.Series([2.0, 1.0, 2.0], index=pd.date_range("2024-01-01", periods=3))
        >>> pf = Portfolio.from_signals(close, [True, False, False])
        >>> pf.worst_drawdowns(1)[["depth", "bars", "days"]].values.tolist()
        [[-0.5, 2.0, 2.0]]
        """
        most = check.integer("n", n)
        return self._worst_drawdowns(most)

    def _worst_drawdowns(self, most: int) -> pd.DataFrame:
        records = measures.drawdowns(self._value, self._start, own=self._own_bars)
        frame = drawdowns_frame(records, self._group_labels, self.index)
        frame["days"] = math.nan
        if has_dates(self.index):
            dates = periods.dates_of(self.index, "days")
            spans = dates[records["end"]] - dates[records["peak"]]
            frame["days"] = spans / pd.Timedelta(days=1)
        order = np.lexsort((records["depth"], records["column"]))
        rank = pd.Series(records["column"][order]).groupby(records["column"][order]).cumcount()
        return frame.iloc[order[rank.to_numpy() < most]].reset_index(drop=True)

    def trade_stats(self) -> pd.DataFrame:
        """Return what all trades gave, what the long ones and what the short ones did.

        Returns
        -------
        DataFrame
            Index `direction`: "all", "long", "short"; trades of all columns together. Columns
            `num_trades` and `net` (those still open among them); of closed ones `closed` (how
            many), `win_rate`, `expectancy` (mean profit in money), `profit_factor`, `mean_return`,
            `median_return`, `best_return`, `worst_return` (fractions of what was bought),
            `mean_bars`, `mean_mae`, `mean_mfe`. NaN where there is no trade.

        Examples
        --------
        >>> close = np.array([10.0, 15.0, 11.0])
        >>> pf = Portfolio.from_signals(close, [True, False, False], [False, True, False])
        >>> pf.trade_stats().loc["long", ["num_trades", "win_rate", "mean_return"]].tolist()
        [1.0, 1.0, 0.5]
        """
        return periods.side_table(self.trades)

    def profits(self) -> pd.DataFrame:
        """Return the profit and loss since the start, at each close.

        Returns
        -------
        DataFrame, shape (bars, components) or (bars, accounts)
            In money, of each component of a strategy run; otherwise of each account. What a
            component had is carried over bars that it does not have.

        Examples
        --------
        >>> close = np.array([10.0, 15.0, 11.0])
        >>> pf = Portfolio.from_signals(close, [True, False, False], init_cash=100)
        >>> pf.profits()[0].tolist()
        [0.0, 50.0, 10.0]
        """
        return self._lend("profits", self._profits)

    def _profits(self) -> pd.DataFrame:
        if not self.components:
            gained = self._value - self._start[:, None]
            return pd.DataFrame(gained.T, index=self.index, columns=self._group_labels)
        names = pd.Index([*self.components], name="component")
        # A component of a strategy run is one account, whatever it is made of.
        paths = [one.profits().iloc[:, 0] for one in self.components.values()]
        return periods.joined(paths, names, self.index).ffill().fillna(0.0)

    @property
    def compounds(self) -> bool:
        """Whether returns are over the value before; if not, over the fixed capital of the run."""
        return self._capital == 0.0

    def at_costs(self, factor: float) -> Portfolio:
        """Return the same orders at a multiple of the costs.

        Parameters
        ----------
        factor : float
            Of fees, spread, commission, slippage and rollover that is paid; 0 is without costs, 2
            twice as much. Orders stay as they are; sizes that fees are a part of follow.

        Returns
        -------
        Portfolio

        Raises
        ------
        ParamError
            If `factor` is negative or not finite.

        Examples
        --------
        >>> close = np.array([10.0, 15.0, 11.0])
        >>> pf = Portfolio.from_signals(close, [True, False, False], fees=0.01, size=1)
        >>> [f"{one.value.iloc[-1]:.2f}" for one in (pf.at_costs(0), pf, pf.at_costs(2))]
        ['101.00', '100.90', '100.80']
        """
        times = check.number("factor", factor, 0.0)
        if self._retrade is not None:
            again = self._retrade(times)
            facts = dict(self.facts)
            if "costs" in facts:
                charged = facts["costs"].items()
                facts["costs"] = {asset: scaled(costs, times) for asset, costs in charged}
            again.tell(lambda: facts)
            return again
        simulation = self._simulated
        dearer = replace(simulation, rules=simulation.rules.at_costs(times))
        return Portfolio(dearer, self._labels, bars_per_year=self._bars_per_year)

    def correlation(self) -> pd.DataFrame:
        """Return how bar returns of the components, or accounts, move together.

        Returns
        -------
        DataFrame, shape (components, components) or (accounts, accounts)
            Pearson's correlation of the returns on bars that both have; NaN where one of two does
            not vary, or they have fewer than three such bars.

        Examples
        --------
        >>> close = pd.DataFrame({"a": [1.0, 2.0, 1.5, 3.0], "b": [4.0, 2.0, 3.0, 1.0]})
        >>> pf = Portfolio.from_signals(close, [True, False, False, False])
        >>> bool(pf.correlation().loc["a", "b"] < -0.9)
        True
        """
        return self._lend("correlation", self._correlation)

    def _correlation(self) -> pd.DataFrame:
        if not self.components:
            return periods.correlation(pd.DataFrame(self.returns))
        names = pd.Index([*self.components], name="component")
        parts = [pd.DataFrame(one.returns).iloc[:, 0] for one in self.components.values()]
        return periods.correlation(periods.joined(parts, names, self.index))

    # Drawing

    def chart(
        self, column: Hashable = None, *, kind: str = "value", title: str | None = None
    ) -> Any:
        """Draw an account: its value over its drawdown, or its trades on prices.

        Parameters
        ----------
        column : label, optional
            One column or group, by its label (a tuple where there are several levels); for
            strategy runs one component. Default: the whole.
        kind : "value" or "trades"
            Value with drawdown, beside buying and holding where one account is drawn; or closing
            prices with entries and exits.
        title : str, optional
            Default: what is drawn, of which column.

        Returns
        -------
        plotly.graph_objects.Figure

        Raises
        ------
        ParamError
            If there is no such column, there are more than 12 to be drawn together, or trades of
            more than one are asked for.

        Notes
        -----
        Of signals, holding is all cash at the first close, without costs; of strategy runs it is
        `held`.

        Examples
        --------
        >>> close = pd.Series([10.0, 15.0, 11.0], index=pd.date_range("2024-01-01", periods=3))
        >>> pf = Portfolio.from_signals(close, [True, False, False], [False, True, False])
        >>> [trace.name for trace in pf.chart().data[:2]]
        ['value', 'buy and hold']
        """
        check.one_of("kind", kind, ("value", "trades"))
        what = "Value and drawdown" if kind == "value" else "Prices and trades"
        heading = what if title is None else check.string("title", title)
        if column is not None:
            part, name = self._part_at(column)
            return part.chart(kind=kind, title=title or f"{name}: {what[0].lower()}{what[1:]}")
        of_signals = self._simulation is not None
        if kind == "trades":
            if len(self.components) == 1:
                return next(iter(self.components.values())).chart(kind=kind, title=heading)
            if self.components or (of_signals and self._labels.n_columns > 1):
                raise ParamError(self._choose_one("name the one whose trades are drawn"))
            return drawing.draw("trades", self, title=heading)
        if of_signals and self._labels.n_groups > drawing.MOST_LINES:
            rule = f"be named where there are more than {drawing.MOST_LINES}"
            raise ParamError(self._choose_one(rule))
        value, note = self.value, ""
        values = value.to_frame("value") if isinstance(value, pd.Series) else value
        held = None if self.held is None else self.held.value
        if of_signals and self._labels.n_columns == 1:
            held = self._all_held().value
            note = "Buy and hold: all cash at the first close, without costs"
        values = values.set_axis([_label(label) for label in values.columns], axis=1)
        return drawing.draw("values", values, title=heading, held=held, note=note)

    def report(
        self,
        path: str | Path,
        column: Hashable = None,
        *,
        title: str | None = None,
        verdict: bool = True,
    ) -> Path:
        """Write one HTML page about this account, which opens offline.

        Parameters
        ----------
        path : str or Path
            The file to write.
        column : label, optional
            One column or group, or one component of a strategy run, as of `chart`. Default: the
            whole.
        title : str, optional
            The heading; default: the name of the strategy, or "Portfolio".
        verdict : bool, default True
            Put on top whether this is more than luck, unless the values were chosen on these bars,
            which tells nothing. False: the page says that it was not judged.

        Returns
        -------
        Path

        Raises
        ------
        ParamError
            If there is no such column, or none is named where there are several accounts: a page is
            about one.

        Examples
        --------
        >>> import tempfile
        >>> close = pd.Series(np.linspace(10, 20, 50), pd.date_range("2024-01-01", periods=50))
        >>> pf = Portfolio.from_signals(close, close > 12, close > 18)
        >>> folder = tempfile.TemporaryDirectory()
        >>> pf.report(f"{folder.name}/page.html", verdict=False).name
        'page.html'
        >>> folder.cleanup()
        """
        check.flag("verdict", verdict)
        heading = "" if title is None else check.string("title", title)
        target = check.path("path", path)
        if column is not None:
            part, name = self._part_at(column)
            return part.report(path, title=title or name, verdict=verdict)
        if self._labels.n_groups != 1:
            rule = "be named where there are several accounts"
            raise ParamError(self._choose_one(rule, "pf.report(path, "))
        held = self.held if self._simulation is None else self._all_held()
        options = {"title": heading, "verdict": verdict, "environment": VERSIONS, "held": held}
        return Path(drawing.draw("portfolio-report", self, path=target, **options))

    def _all_held(self) -> Portfolio:
        """Return all cash of one account of signals in its columns, from their first closes on."""
        close = pd.DataFrame(self.close).set_axis(range(len(self.columns)), axis=1)
        first = close.notna() & (close.notna().cumsum() == 1)
        cash = float(self._start[0]) / close.shape[1]
        return Portfolio.from_signals(
            close, first, init_cash=cash, group_by=True, bars_per_year=self._bars_per_year
        )

    def _choose_one(self, rule: str, call: str = "pf.chart(") -> str:
        """Return the message that one of many columns must be named, as in this call."""
        labels = pd.Index(list(self.components)) if self.components else self._group_labels
        if len(labels) == 1:  # columns that are valued together
            remedy = "Simulate it without group_by to draw the trades of one column."
            return broken_rule("column", rule, list(self.columns[:5]), remedy)
        remedy = f"Choose one: {call}{plain(labels[0])!r})"
        if not self.components:
            remedy += ", or draw a figure of all: bp.plot.heatmap(pf.sharpe_ratio)"
        return broken_rule("column", rule, len(labels), f"{remedy}.")

    def _part_at(self, column: Hashable) -> tuple[Portfolio, str]:
        """Return the portfolio of a component, or of one column (or group), and its name."""
        if self.components:
            if column not in self.components:
                check.one_of("column", column, list(self.components))
            return self.components[str(column)], str(column)
        labels = self._group_labels
        if self._simulation is None or self._labels.single:
            rule, remedy = "be left out where there is but one", "Type: pf.chart()."
            raise ParamError(broken_rule("column", rule, column, remedy))
        try:
            place = labels.get_loc(column)
        except (KeyError, TypeError, ValueError):
            place = None
        if not isinstance(place, int):
            some = ", ".join(repr(plain(label)) for label in labels[:5])
            more = f", … ({len(labels):,} in all)" if len(labels) > 5 else ""
            rule = "be the label of one column"
            raise ParamError(broken_rule("column", rule, column, f"Labels: {some}{more}."))
        return self._item(place, labels[place]), _label(labels[place])

    # Splitting

    def split_params(self) -> tuple[list[Portfolio], pd.Index]:
        """Return one portfolio for each column (or group), and their labels.

        Returns
        -------
        (list of Portfolio, pd.Index)

        Raises
        ------
        ParamError
            If this is the portfolio of a strategy run, which is one whole.
        """
        simulation = self._simulation
        if simulation is None:
            raise ParamError("A strategy's portfolio must stay whole. Use its components instead.")
        labels = self._group_labels
        return [self._item(number, name) for number, name in enumerate(labels)], labels

    def _item(self, number: int, name: Hashable) -> Portfolio:
        """Return the portfolio of one column (or group)."""
        part = _part(self._simulated, number)
        columns, group = None, None
        if len(part.price_rows) > 1:
            first, last = self._groups.bounds[number : number + 2]
            columns = self.columns[self._groups.order[first:last]]
            group = self._group_labels[number : number + 1]
        labels = Labels(self._labels.index, columns, group, name)
        return Portfolio(part, labels, bars_per_year=self._bars_per_year)

    def __repr__(self) -> str:
        count = self._labels.n_columns
        columns = "1 column" if count == 1 else f"{count} columns"
        return f"Portfolio({columns}, {self._n_bars} bars)"


def _label(label: Any) -> str:
    """Return a label as a name in a picture."""
    parts = label if isinstance(label, tuple) else (label,)
    return " / ".join(str(plain(part)) for part in parts)


def _part(simulation: Simulation, number: int) -> Simulation:
    """Return the simulation of one group, or of one column with one of the stops it meets."""
    axis = simulation.axis
    if axis is None:
        return simulation.part(number, number + 1)
    base, value = divmod(number, len(axis))
    own = replace(simulation, axis=None).part(base, base + 1)
    stops: dict[str, Setting] = dict(own.rules.stops)
    for name, values in axis.stops.items():
        stops[name] = None if math.isnan(values[value]) else float(values[value])
    return replace(own, rules=replace(own.rules, stops=stops))


PF = Portfolio
