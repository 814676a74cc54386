# SPDX-License-Identifier: BSD-3-Clause
"""From the arguments of `Portfolio.from_signals` to a simulation and the labels of its results.

Each argument is unwrapped (`Operand`), all are matched column by column
(`alignment.py`), and what prices and settings must be is checked. What the kernels see has no
labels.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core.aliases import ArrayLike, Index
from broadpeak._core.arrays import as_bools, as_floats, plain_array, read_only
from broadpeak._core.check import as_float, one_of
from broadpeak._core.labels import span
from broadpeak._core.lazyframe import recipe_of
from broadpeak._data.data import Data
from broadpeak._portfolio.alignment import Columns, Operand, resolve
from broadpeak._portfolio.grouping import group_columns
from broadpeak._portfolio.known import check_bars, prices_of_table
from broadpeak._portfolio.labelling import Labels, StopColumns
from broadpeak._prices.schema import inconsistent
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation._kernels.layout import ONE_COLUMN, SIZE_TYPES, Groups
from broadpeak._simulation._kernels.prices import check_prices
from broadpeak._simulation.rules import (
    ExitAxis,
    Prices,
    Rules,
    Setting,
    SharedRows,
    no_signal,
)
from broadpeak._simulation.simulation import Simulation
from broadpeak._simulation.stops import STOPS
from broadpeak._space.combine import Combos, select_combos
from broadpeak._space.param import Param
from broadpeak.errors import DataError, ParamError, broken_rule, warn
from broadpeak.types import AnyArray, FloatArray, IntArray

SettingLike: TypeAlias = "float | ArrayLike | Sequence[float | None] | pd.Index | None"
"""A number, or one for each bar, each column, or each value of a parameter; None: none."""

StopLike: TypeAlias = "SettingLike | Param"
"""A setting, or a parameter whose values every column meets."""

GroupBy: TypeAlias = "bool | Hashable | Sequence[Hashable] | pd.Index | pd.Series"
"""True for one group, level name or number, or one label a column; None: no groups."""

DIRECTIONS = ("longonly", "shortonly", "both")
COSTS = ("fees", "fixed_fees", "slippage")
MANY = 0.01  # share of bars beyond which a rule is not broken by single bad bars

DEFAULTS: dict[str, float | None] = {
    "size": math.inf,
    "fees": 0.0,
    "fixed_fees": 0.0,
    "slippage": 0.0,
    "init_cash": 100.0,
    **{kind.argument: None for kind in STOPS if kind.argument is not None},
}
"""Every setting and its default, which needs no check; None is the default."""

_STOP_RANGE = (None, math.inf, "be above 0; None is no stop")
RANGES: dict[str, tuple[float | None, float | None, str]] = {
    "size": (0.0, math.inf, "be 0 or more"),
    "fees": (0.0, None, "be 0 or more and finite"),
    "fixed_fees": (0.0, None, "be 0 or more and finite"),
    "slippage": (0.0, 1.0, "be at least 0 and below 1, a share of price"),
    "init_cash": (None, None, "be positive and finite"),
    **{kind.argument: _STOP_RANGE for kind in STOPS if kind.argument is not None},
}
"""Least value (None: above 0), value above all (None: below infinity), rule in words."""
_STOP_OF = {kind.argument: kind.name for kind in STOPS if kind.argument is not None}
_FIRST_ROW = read_only(np.zeros(1, dtype=np.int64))


class SharedIndex:
    """The bars of one portfolio: how many, and their labels once a pandas object brought them."""

    __slots__ = ("count", "index", "owner")

    def __init__(self, count: int, index: pd.Index | None = None) -> None:
        self.count = count
        self.index = index
        self.owner = "close"

    def check(self, name: str, index: pd.Index) -> None:
        """Take the labels of the first pandas object; those of the others must be the same.

        Raises
        ------
        DataError
            If they are not; the message shows both. If labels are not sorted, repeated, or neither
            dates nor numbers.
        """
        if index is self.index:
            return
        if self.index is None:
            if len(index) != self.count:
                self.refuse_length(name, len(index))
            check_bars(name, index)
            self.index = index
            self.owner = name
        elif not index.equals(self.index):
            msg = (
                f"{name} must have the index of {self.owner}, got {span(index)} against "
                f"{span(self.index)}. Type: {name} = {name}.reindex({self.owner}.index)"
            )
            raise DataError(msg)

    def refuse_length(self, name: str, length: int) -> NoReturn:
        """Raise `DataError` for an array of another number of bars."""
        raise DataError(broken_rule(name, f"have {self.count} bars, as close has", length))


def simulation_of(
    close: object,
    price_args: Mapping[str, object],
    signal_args: Mapping[str, object],
    setting_args: Mapping[str, object],
    *,
    price: str,
    size_type: str,
    direction: str,
    accumulate: bool,
    stop_unit: str,
    group_by: GroupBy,
    cash_sharing: bool,
) -> tuple[Simulation, Labels]:
    """Return the simulation that arguments describe, and the labels of its results.

    Raises
    ------
    DataError
        If prices, signals or settings do not fit one another.
    ParamError
        If a setting is out of its range.
    """
    _check_options(price, size_type, stop_unit, direction, accumulate, cash_sharing)
    if direction != "longonly":
        _check_direction(signal_args, direction)

    # What a `Data` holds was checked when it was made.
    checked = isinstance(close, Data) and all(passed is None for passed in price_args.values())
    axis, combos = None, None
    if any(isinstance(value, Param) for value in setting_args.values()):
        axis, combos = _axis_of(setting_args)
        setting_args = {
            key: None if isinstance(value, Param) else value for key, value in setting_args.items()
        }
    arrays, settings, bars, name = _unwrapped(
        close, price_args, signal_args, setting_args, size_type
    )

    # Which columns there are, and which row of each argument they read.
    pot = arrays.pop("init_cash", None) if cash_sharing else None
    flat = True
    for argument in arrays.values():
        flat &= argument.kind == "table" and not argument.wide
    columns = Columns(1, None, dict.fromkeys(arrays))
    if not flat:
        columns = resolve(list(arrays.values()), arrays["close"].n_rows)
    prices, price_rows = _used_prices(
        arrays, columns, bars, name, checked=close if checked else None
    )

    # Settings and signals as the simulation takes them.
    for key in setting_args:
        if key in arrays:
            rows = SharedRows(arrays[key].rows, columns.rows[key])
            settings[key] = rows
            if key in COSTS:
                _check_known(key, rows, prices, price_rows)
    cash = settings.pop("init_cash", None)
    if not isinstance(cash, float):
        cash = 0.0 if pot is not None else _cash_of_columns(cash, columns.count)
    stops: dict[str, Setting] = {}
    for kind in STOPS:
        if kind.argument is not None:
            stops[kind.name] = settings[kind.argument]
    rules = Rules(
        price=price,
        size=settings["size"],
        size_type=size_type,
        stops=stops,
        stop_unit=stop_unit,
        fees=settings["fees"],
        fixed_fees=settings["fixed_fees"],
        slippage=settings["slippage"],
        accumulate=bool(accumulate),
        init_cash=cash,
    )
    nothing = no_signal(bars.count)
    given = [_signal(arrays[key], columns.rows[key]) if key in arrays else nothing
             for key in signal_args]  # fmt: skip
    simulation = Simulation(
        prices,
        price_rows,
        [*_meant(given, nothing, direction), nothing],
        rules,
        ONE_COLUMN if columns.count == 1 else Groups.single(columns.count),
        axis,
    )
    shown: Index | StopColumns | None = columns.labels
    if combos is not None:
        shown = StopColumns(columns.labels, columns.count, combos)
    grouped = cash_sharing if group_by is None else group_by is not False
    if not grouped:
        return simulation, Labels(bars.index, shown, shown, name, shown is None)
    # Columns that are valued together need a row each, also where stops multiply them.
    simulation = simulation.expanded() if axis is not None else simulation
    labels = shown.index() if isinstance(shown, StopColumns) else shown
    codes, group_labels = group_columns(group_by, labels, len(simulation.price_rows))
    groups = Groups.of_codes(codes, len(group_labels), shared=cash_sharing)
    if pot is not None:
        rules = replace(simulation.rules, init_cash=_cash_of_groups(pot, len(group_labels)))
        simulation = replace(simulation, rules=rules)
    # One account for everything is one whole, however many columns it has.
    single = group_by is None or group_by is True
    return (
        replace(simulation, groups=groups),
        Labels(bars.index, labels, group_labels, name, single),
    )


def tell_of_wide_stops(stop_unit: str, **stops: object) -> None:
    """Warn of stops that are a whole price away: percent, most likely, where fractions are meant.

    What is no number is refused elsewhere.
    """
    if type(stop_unit) is not str or stop_unit != "fraction":
        return
    for name, given in stops.items():
        if given is None or (type(given) is float and given < 1.0):
            continue
        values: Any = given.values if isinstance(given, Param) else given
        if isinstance(values, (list, tuple)):
            values = [one for one in values if type(one) is float or type(one) is int]
        try:
            levels = np.asarray(values)
        except (TypeError, ValueError):
            continue
        if levels.dtype.kind not in "fiu":
            continue
        wide = levels[(levels >= 1.0) & (levels < np.inf)]
        if wide.size:
            level = float(wide.min())
            warn(
                f"{name} is a fraction of price, got {level:g}: that is {level:.0%}, which a long "
                f"position never loses. For {level:g} % type {name}={level / 100:g}; for a "
                'distance in price add stop_unit="price".',
                UserWarning,
            )


def _axis_of(setting_args: Mapping[str, object]) -> tuple[ExitAxis, Combos]:
    """Return the stops that are parameters, and their combinations.

    Raises
    ------
    ParamError
        If another setting is one, or a value is no distance.
    """
    params: dict[str, Param] = {}
    for name, value in setting_args.items():
        if not isinstance(value, Param):
            continue
        if name not in _STOP_OF:
            rule = "be a number or an array of numbers"
            remedy = (
                f"Only stops may be a Param. Type {name}=[…]: the values of a list are columns; "
                "or give a Param to a function under @bp.parameterized that calls from_signals."
            )
            raise ParamError(broken_rule(name, rule, value, remedy))
        params[name] = value
    combos = select_combos(params)
    stops: dict[str, FloatArray] = {}
    for name, column in combos.columns.items():
        given = _from_list(name, column.values)
        check_range(name, given, "amount")
        stops[_STOP_OF[name]] = read_only(given.rows[column.codes, 0])
    return ExitAxis(stops), combos


def _signal(argument: Operand, rows: IntArray | None) -> SharedRows | Crossing:
    """Return a signal as the simulation takes it."""
    array = argument.array
    if not isinstance(array, Crossing):
        return SharedRows(array.view(np.uint8), rows)
    return array if rows is None or argument.n_rows == 1 else array.take(rows)


def _meant(
    given: Sequence[SharedRows | Crossing], nothing: SharedRows, direction: str
) -> Sequence[SharedRows | Crossing]:
    """Return long entries and exits, short entries and exits, of what was given as these."""
    if direction == "longonly":
        return given
    entries, exits = given[:2]
    if direction == "shortonly":
        return nothing, nothing, entries, exits
    return entries, nothing, exits, nothing


def _check_options(
    price: str, size_type: str, stop_unit: str, direction: str, accumulate: bool, shared: bool
) -> None:
    for name, value, allowed in (
        ("price", price, ("close", "nextopen")),
        ("size_type", size_type, SIZE_TYPES),
        ("stop_unit", stop_unit, ("fraction", "price")),
        ("direction", direction, DIRECTIONS),
    ):
        if type(value) is not str or value not in allowed:
            one_of(name, value, allowed)
    flags: Mapping[str, object] = {"accumulate": accumulate, "cash_sharing": shared}
    for name, flag in flags.items():
        if not isinstance(flag, (bool, np.bool_)):
            raise ParamError(broken_rule(name, "be True or False", flag))


def _unwrapped(
    close: object,
    price_args: Mapping[str, object],
    signal_args: Mapping[str, object],
    setting_args: Mapping[str, object],
    size_type: str,
) -> tuple[dict[str, Operand], dict[str, Setting], SharedIndex, Hashable]:
    """Return arguments that are arrays, settings that are numbers, the bars, and a close's name."""
    arrays, bars, name = _unwrapped_prices(close, price_args)
    for key, value in signal_args.items():
        if isinstance(value, (bool, np.bool_)):
            arrays[key] = Operand(key, np.full((1, bars.count), bool(value)))
        elif value is not None:
            arrays[key] = table(key, value, bars, as_bools)
    settings: dict[str, Setting] = {}
    for key, value in setting_args.items():
        default = DEFAULTS[key]
        usual = value is None if default is None else type(value) is float and value == default
        if usual and (key != "size" or size_type != "percent"):
            settings[key] = default
            continue
        given = setting(key, default if value is None else value, bars)
        check_range(key, given, size_type)
        if isinstance(given, Operand):
            arrays[key] = given
        else:
            # A stop that is NaN is none; `check_range` lets nothing else be NaN.
            settings[key] = None if math.isnan(given) else given
    return arrays, settings, bars, name


def _unwrapped_prices(
    close: object, price_args: Mapping[str, object]
) -> tuple[dict[str, Operand], SharedIndex, Hashable]:
    """Return prices, close first, their bars, and the name of a single close."""
    arrays: dict[str, Operand] = {}
    name = None
    if type(close) is Data and len(close):
        held = close._table  # noqa: SLF001  # its frames would be made only to be taken apart
        bars = SharedIndex(len(held.index), held.index)
        for key in ("close", *price_args):
            passed = price_args.get(key)
            if passed is not None:
                arrays[key] = table(key, passed, bars, as_floats)
            elif key in held.fields:  # closes only, as fund values are, have no others
                values = held.fields[key] if held.codes is None else held.fields[key][held.codes]
                columns = None if held.single else held.columns.view()
                arrays[key] = Operand(key, values, columns, wide=not held.single)
        return arrays, bars, held.symbols[0] if held.single else None
    if isinstance(close, pd.Series):
        name = close.name
    elif not isinstance(close, (np.ndarray, pd.DataFrame)):
        close, price_args, name = _prices_of(close, price_args)
    if isinstance(close, (np.ndarray, pd.Series, pd.DataFrame)):
        shape = close.shape
    else:
        shape = plain_array("close", close).shape
    if len(shape) not in {1, 2} or 0 in shape:
        rule = "be one- or two-dimensional with at least one bar and one column"
        raise DataError(broken_rule("close", rule, shape if shape else close))
    bars = SharedIndex(shape[0])
    arrays["close"] = table("close", close, bars, as_floats)
    for key, value in price_args.items():
        if value is not None:
            arrays[key] = table(key, value, bars, as_floats)
    return arrays, bars, name


def _check_direction(signal_args: Mapping[str, object], direction: str) -> None:
    decisive = [key for key in ("short_entries", "short_exits") if signal_args[key] is not None]
    if decisive:
        msg = (
            f"direction must be left alone where {' and '.join(decisive)} decide, "
            f"got {direction!r}. Leave out direction, or leave out the short arrays."
        )
        raise ParamError(msg)


def _prices_of(
    close: object, price_args: Mapping[str, object]
) -> tuple[object, Mapping[str, object], Hashable]:
    """Take open, high, low and close out of a `Data`; a price given beside it wins."""
    if not (hasattr(close, "symbols") and hasattr(close, "close")):
        return close, price_args, None
    taken = dict(price_args)
    for key, passed in price_args.items():
        if passed is None:
            try:
                taken[key] = getattr(close, key)
            except DataError:  # closes only, as fund values are
                taken[key] = None
    return close.close, taken, getattr(close.close, "name", None)


# -- one argument ---------------------------------------------------------------------------------


def table(
    name: str, value: object, bars: SharedIndex, convert: Callable[[str, object], AnyArray]
) -> Operand:
    """Return prices or signals over bars, or bars × columns.

    Raises
    ------
    DataError
        If the value is not an array of its kind over these bars, or has another index.
    """
    columns = None
    if isinstance(value, (pd.Series, pd.DataFrame)):
        bars.check(name, value.index)
        columns = value.columns if isinstance(value, pd.DataFrame) else None
        recipe = recipe_of(value) if convert is as_bools else None
        if isinstance(recipe, Crossing):
            return _with_rows(Operand(name, recipe, columns, wide=columns is not None))
    array = convert(name, value)
    if array.ndim not in {1, 2}:
        rule = "be one-dimensional (bars) or two-dimensional (bars × columns)"
        raise DataError(broken_rule(name, rule, array.shape))
    if len(array) != bars.count:
        bars.refuse_length(name, len(array))
    if array.ndim == 1:
        return Operand(name, array[np.newaxis, :])
    return _with_rows(Operand(name, array.T, columns, wide=True))


def _with_rows(argument: Operand) -> Operand:
    if not argument.n_rows:
        raise DataError(broken_rule(argument.name, "hold at least one value or column", "none"))
    return argument


def setting(name: str, value: object, bars: SharedIndex) -> Operand | float:
    """Return a setting: a number (NaN for None), or an array.

    A list, tuple, range or pandas Index holds values of a parameter. A one-dimensional array is
    over bars if it has their number, else over columns. A Series is over bars if it has their
    index, else over columns by label. Cash is never over bars.

    Raises
    ------
    ParamError
        If the value is not a number or an array of numbers.
    DataError
        If a Series or frame has another index, or an array another shape.
    """
    if value is None:
        return math.nan
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        return as_float(value)
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise ParamError(broken_rule(name, "be a number or an array of numbers", value))
    if isinstance(value, (list, tuple, range, pd.Index)):
        return _from_list(name, value)
    if isinstance(value, pd.DataFrame):
        return table(name, value, bars, as_floats)
    over_bars = name != "init_cash"
    array = as_floats(name, value)
    if array.ndim == 0:
        return float(array)
    labels = value.index if isinstance(value, pd.Series) else None
    if labels is not None and over_bars and (bars.index is None or labels.equals(bars.index)):
        bars.check(name, labels)
        found = Operand(name, array[np.newaxis, :])
    elif labels is not None:
        found = Operand(name, array[:, np.newaxis], labels, "labelled")
    elif array.ndim == 1 and (len(array) != bars.count or not over_bars):
        found = Operand(name, array[:, np.newaxis], kind="across")
    elif array.ndim == 2 and len(array) == 1 != bars.count:
        found = Operand(name, array.T, wide=True)
    else:
        found = table(name, array, bars, as_floats)
    return _with_rows(found)


def _from_list(name: str, value: Iterable[object]) -> Operand:
    try:
        array = as_floats(name, [math.nan if item is None else item for item in value])
    except DataError as error:
        raise ParamError(broken_rule(name, "be a list of numbers", value)) from error
    if array.ndim != 1 or len(array) == 0:
        raise ParamError(broken_rule(name, "be a list of at least one number", value))
    return Operand(name, array[:, np.newaxis], kind="list")


def check_range(name: str, value: Operand | float, size_type: str) -> None:
    """Raise `ParamError` if a value of a setting is out of its range.

    NaN is no stop, and at a bar no size. Costs over bars may be NaN where there is no price, as
    `_check_known` sees to.

    Raises
    ------
    ParamError
        With the rule and the first wrong value.
    """
    low, high, rule = RANGES[name]
    array = np.asarray(value.rows if isinstance(value, Operand) else [[value]])
    if name == "size" and size_type == "percent":
        rule = "be a share above 0 and up to 1 with size_type='percent'"
        outside = (array <= 0.0) | (array > 1.0)
    else:
        outside = array <= 0.0 if low is None else array < low
        if high is None:
            outside |= array == math.inf
        elif math.isfinite(high):
            outside |= array >= high
    if name not in _STOP_OF and array.shape[1] == 1:
        outside |= np.isnan(array)
    if outside.any():
        raise ParamError(broken_rule(name, rule, float(array[outside][0])))


# -- all of them together -------------------------------------------------------------------------


def _used_prices(
    arrays: Mapping[str, Operand],
    columns: Columns,
    bars: SharedIndex,
    name: Hashable,
    *,
    checked: object,
) -> tuple[Prices, IntArray]:
    """Return prices and the price row of every column, all price arguments in one shape.

    `checked` is a `Data` that brought all of them, or None.
    """
    if type(checked) is Data and checked._table.codes is None:  # noqa: SLF001
        rows_read = SharedRows(arrays["close"].rows, columns.rows["close"])
        return prices_of_table(checked._table), rows_read.of_columns(columns.count)  # noqa: SLF001
    prices: dict[str, FloatArray] = {}
    rows: dict[str, SharedRows] = {}
    has_nan = False
    apart = False
    for key in ("close", "open", "high", "low"):
        if key not in arrays:
            continue
        prices[key] = read_only(arrays[key].rows)
        rows[key] = SharedRows(prices[key], columns.rows[key])
        row, bar, missing = check_prices(prices[key])
        has_nan |= missing and key == "close"
        if row >= 0:
            where = f"column {_column_of(arrays[key], row, name)}, bar {bar}"
            where += "" if bars.index is None else f" at {bars.index[bar]}"
            rule = f"be positive and finite, or missing ({where})"
            raise DataError(broken_rule(key, rule, float(prices[key][row, bar])))
        own, others = rows[key].numbers, rows["close"].numbers
        same = own is others or (
            own is not None and others is not None and np.array_equal(own, others)
        )
        apart |= len(prices[key]) != len(prices["close"]) or not same
    numbers = _FIRST_ROW if columns.count == 1 else rows["close"].of_columns(columns.count)
    if len(prices) > 1 and checked is None:
        # The rows that stand together in some column are checked against one another, once each.
        met = np.tile(np.arange(len(prices["close"])), (len(prices), 1))
        if apart:
            met = np.unique([one.of_columns(columns.count) for one in rows.values()], axis=1)
        for places in met.T:
            fields = {key: prices[key][k] for key, k in zip(prices, places, strict=True)}
            _check_bars(_column_of(arrays["close"], places[0], name), bars.index, fields)
    if apart:  # a price row for every column
        for key, one in rows.items():
            prices[key] = prices[key][one.of_columns(columns.count)]
        numbers = np.arange(columns.count, dtype=np.int64)
    used = Prices(
        prices.get("open"), prices.get("high"), prices.get("low"), prices["close"], has_nan=has_nan
    )
    return used, numbers


def _column_of(argument: Operand, row: int, name: Hashable) -> Hashable:
    """Return the label of a price column, or its number."""
    if argument.columns is not None:
        label: Hashable = argument.columns[row]
        return label
    return row if name is None else name


def _check_bars(column: Hashable, index: pd.Index | None, fields: Mapping[str, FloatArray]) -> None:
    """Refuse prices of one column that contradict each other, such as a high below the close."""
    for field, rule, bound, broken in inconsistent(fields):
        if not broken.any():
            continue
        bar, count = int(np.argmax(broken)), int(broken.sum())
        at = "" if index is None else f" at {index[bar]}"
        remedy = f"{count - 1} more bars break this rule. " if count > 1 else ""
        if count > max(1.0, MANY * len(broken)):
            remedy += (
                "These prices seem to be adjusted in different ways: an adjusted close must stand "
                "beside open, high and low times adjusted close / close. "
                "Type: data = bp.Data.from_frames({symbol: frame}, adjust=True)"
            )
        else:
            remedy += "Drop or correct these bars."
        owner = f"{field} of column {column}{at} (bar {bar})"
        got = float(fields[field][bar])
        raise DataError(broken_rule(owner, f"be {rule} ({bound[bar]:g})", got, remedy))


def _check_known(name: str, costs: SharedRows, prices: Prices, price_rows: IntArray) -> None:
    """Refuse costs that are not known on a bar on which a column could trade."""
    unknown = np.isnan(costs.values)
    if not unknown.any():
        return
    rows = costs.of_columns(len(price_rows))
    for row, price in np.unique([rows, price_rows], axis=1).T:
        bad = unknown[row] & ~np.isnan(prices.close[price])
        if bad.any():
            rule = f"be known on every bar with a price (bar {int(bad.argmax())})"
            remedy = f"Type: {name} = {name}.ffill().fillna(0), if that is meant."
            raise ParamError(broken_rule(name, rule, math.nan, remedy))


def _cash_of_columns(init_cash: Setting, n_columns: int) -> FloatArray | float:
    """Return the cash of every column."""
    if isinstance(init_cash, SharedRows):
        if init_cash.values.shape[1] != 1:
            rule = "be a number, or one for each column"
            raise ParamError(broken_rule("init_cash", rule, init_cash.values.shape))
        cash: FloatArray = init_cash.values[init_cash.of_columns(n_columns), 0]
        return cash
    if not isinstance(init_cash, float):
        raise ParamError(broken_rule("init_cash", "be a positive number", init_cash))
    return init_cash


def _cash_of_groups(argument: Operand, n_groups: int) -> FloatArray:
    """Return the cash of every group."""
    array = argument.rows
    if len(array) not in {1, n_groups} or array.shape[1] != 1:
        rule = f"be one number, or {n_groups}: one a group"
        raise ParamError(broken_rule("init_cash", rule, array.shape))
    cash: FloatArray = np.broadcast_to(array[:, 0], (n_groups,))
    return cash
