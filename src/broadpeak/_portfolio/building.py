# SPDX-License-Identifier: BSD-3-Clause
"""From the arguments of `Portfolio.from_signals` to a job that is ready to run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core.arrays import plain_array, read_only
from broadpeak._core.check import one_of
from broadpeak._data.data import Data
from broadpeak._portfolio.alignment import Columns, resolve
from broadpeak._portfolio.argument import MarketArgument, SharedIndex, prices, setting, signals
from broadpeak._portfolio.checks import USUAL, check_bars, check_costs, check_range
from broadpeak._portfolio.grouping import group_columns
from broadpeak._simulation._kernels.prices import check_prices
from broadpeak._simulation.rules import Lanes, Prices, Rules, Setting
from broadpeak._simulation.simulation import Simulation, Units
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import FloatArray, IntArray

DIRECTIONS = ("longonly", "shortonly", "both")


@dataclass(frozen=True, slots=True)
class Labels:
    """How results are labelled.

    Attributes
    ----------
    index : pd.Index or None
        Bars; None without pandas input.
    columns : pd.Index or None
        None for one column without labels.
    units : pd.Index or None
        Columns, or groups.
    name : object
        Name of a single column.
    single : bool
        Whether figures are scalars and paths are Series: one-dimensional input, or one account.
    """

    index: pd.Index[Any] | None
    columns: pd.Index[Any] | None
    units: pd.Index[Any] | None
    name: Any = None
    single: bool = True


def build(
    close: Any,
    price_args: Mapping[str, Any],
    signal_args: Mapping[str, Any],
    setting_args: Mapping[str, Any],
    *,
    price: str,
    size_type: str,
    direction: str,
    accumulate: bool,
    stop_unit: str,
    group_by: Any,
    cash_sharing: bool,
) -> tuple[Simulation, Labels]:
    """Return the job and its labels.

    Raises
    ------
    DataError
        If prices, signals or settings do not fit one another.
    ParamError
        If a setting is out of its range.
    """
    one_of("price", price, ("close", "nextopen"))
    one_of("size_type", size_type, ("amount", "value", "percent"))
    one_of("stop_unit", stop_unit, ("fraction", "price"))
    flags: Mapping[str, Any] = {"accumulate": accumulate, "cash_sharing": cash_sharing}
    for key, flag in flags.items():
        if not isinstance(flag, (bool, np.bool_)):
            raise ParamError(broken_rule(key, "be True or False", flag))
    _check_direction(signal_args, direction)
    # What a `Data` holds was checked when it was made.
    checked = isinstance(close, Data) and all(own is None for own in price_args.values())
    close, price_args, name = _prices_of(close, price_args)
    known = isinstance(close, (np.ndarray, pd.Series, pd.DataFrame))
    shape = np.shape(close if known else plain_array("close", close))
    if len(shape) not in {1, 2} or 0 in shape:
        rule = "be one- or two-dimensional with at least one bar and one column"
        raise DataError(broken_rule("close", rule, shape if shape else close))
    bars = SharedIndex(shape[0])
    arrays, numbers = _unwrap(close, bars, price_args, signal_args, setting_args, size_type)
    pot = arrays.pop("init_cash", None) if cash_sharing else None
    columns = resolve(list(arrays.values()), len(arrays["close"].lanes))
    used = _used_prices(arrays, columns, bars, name, checked=checked)
    codes, groups = group_columns(group_by, columns.labels, columns.count, cash_sharing)
    units = Units.single(columns.count)
    if codes is not None:
        units = Units.grouped(codes, len(groups), shared=cash_sharing)
    for key in setting_args:
        if key in arrays:
            numbers[key] = Lanes(arrays[key].lanes, columns.rows[key])
    check_costs(numbers, *used)
    cash = numbers.pop("init_cash", None)
    rules = Rules(
        price=price, size=numbers["size"], size_type=size_type, stop=numbers["sl_stop"],
        target=numbers["tp_stop"], trail=numbers["tsl_stop"], unit=stop_unit,
        fees=numbers["fees"], fixed_fees=numbers["fixed_fees"], slippage=numbers["slippage"],
        accumulate=bool(accumulate),
        init_cash=_cash(cash, columns.count) if pot is None else _pot(pot, len(groups)),
    )  # fmt: skip
    nothing = Lanes(np.zeros((1, bars.count), dtype=np.uint8))
    lanes = [
        Lanes(arrays[key].lanes.view(np.uint8), columns.rows[key]) if key in arrays else nothing
        for key in signal_args
    ]
    lanes = _by_direction(lanes, nothing, direction)
    labels = columns.labels
    # One account for everything is one whole, however many columns it has.
    single = labels is None if codes is None else group_by is None or group_by is True
    return (
        Simulation(used[0], used[1], [*lanes, nothing], rules, units),
        Labels(bars.index, labels, labels if codes is None else groups, name, single),
    )


def _unwrap(
    close: Any,
    bars: SharedIndex,
    price_args: Mapping[str, Any],
    signal_args: Mapping[str, Any],
    setting_args: Mapping[str, Any],
    size_type: str,
) -> tuple[dict[str, MarketArgument], dict[str, Setting]]:
    """Return the arguments that are arrays, and the settings that are plain numbers."""
    arrays = {"close": prices("close", close, bars)}
    for key, value in price_args.items():
        if value is not None:
            arrays[key] = prices(key, value, bars)
    for key, value in signal_args.items():
        if value is not None:
            arrays[key] = signals(key, value, bars)
    numbers: dict[str, Setting] = {}
    for key, value in setting_args.items():
        usual = USUAL[key]
        if value is None and usual is None:
            numbers[key] = None
            continue
        if type(value) is float and value == usual and (key != "size" or size_type != "percent"):
            numbers[key] = usual
            continue
        given = setting(key, usual if value is None else value, bars, over_bars=key != "init_cash")
        check_range(key, given, size_type)
        if isinstance(given, MarketArgument):
            arrays[key] = given
        else:
            # A stop that is NaN is none; `check_range` lets nothing else be NaN.
            numbers[key] = None if math.isnan(given) else given
    return arrays, numbers


def _by_direction(lanes: list[Lanes], nothing: Lanes, direction: str) -> list[Lanes]:
    """Return long and short lanes: what entries and exits mean without short arrays."""
    if direction == "shortonly":
        return [nothing, nothing, lanes[0], lanes[1]]
    if direction == "both":
        return [lanes[0], nothing, lanes[1], nothing]
    return lanes


def _check_direction(signal_args: Mapping[str, Any], direction: str) -> None:
    one_of("direction", direction, DIRECTIONS)
    given = [k for k in ("short_entries", "short_exits") if signal_args[k] is not None]
    if given and direction != "longonly":
        msg = (
            f"direction must be left alone where {' and '.join(given)} decide, got {direction!r}. "
            f"Leave out direction, or leave out the short arrays."
        )
        raise ParamError(msg)


def _prices_of(close: Any, given: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any], Any]:
    """Take open, high, low and close out of a `Data`; a price given beside it wins."""
    if isinstance(close, pd.Series):
        return close, given, close.name
    if isinstance(close, pd.DataFrame) or not (
        hasattr(close, "symbols") and hasattr(close, "close")
    ):
        return close, given, None
    data = close
    taken = {key: _price_of(data, key) if own is None else own for key, own in given.items()}
    return data.close, taken, getattr(data.close, "name", None)


def _price_of(data: Any, key: str) -> Any:
    """Return open, high or low of a `Data`; None where it has closes only, as fund values are."""
    try:
        return getattr(data, key)
    except DataError:
        return None


def _used_prices(
    arrays: Mapping[str, MarketArgument],
    columns: Columns,
    bars: SharedIndex,
    name: Any,
    *,
    checked: bool,
) -> tuple[Prices, IntArray]:
    """Return prices and the price lane of every column, all price arguments in one shape."""
    lanes: dict[str, FloatArray] = {}
    rows: dict[str, IntArray | None] = {}
    has_nan = False
    for key in ("close", "open", "high", "low"):
        if key not in arrays:
            continue
        lanes[key] = read_only(arrays[key].lanes)
        rows[key] = columns.rows[key]
        lane, bar, missing = check_prices(lanes[key])
        has_nan |= missing and key == "close"
        if lane >= 0:
            where = f"column {_column_of(arrays[key], lane, name)}, bar {bar}"
            where += "" if bars.index is None else f" at {bars.index[bar]}"
            rule = f"be positive and finite, or missing ({where})"
            raise DataError(broken_rule(key, rule, float(lanes[key][lane, bar])))
    close = lanes["close"]
    apart = any(
        len(lanes[key]) != len(close) or not _same_rows(rows[key], rows["close"]) for key in lanes
    )
    if len(lanes) > 1 and not checked:
        rows_read = [Lanes(lanes[key], rows[key]).row_numbers(columns.count) for key in lanes]
        alike = np.tile(np.arange(len(close)), (len(lanes), 1))
        met = (np.unique(rows_read, axis=1) if apart else alike).T
        for places in met:  # the lanes that stand together in some column
            fields = {key: lanes[key][k] for key, k in zip(lanes, places, strict=True)}
            check_bars(_column_of(arrays["close"], places[0], name), bars.index, fields)
    numbers = Lanes(close, rows["close"]).row_numbers(columns.count)
    if apart:  # a price lane for every column
        for key, lane_array in lanes.items():
            own = Lanes(lane_array, rows[key]).row_numbers(columns.count)
            lanes[key] = lane_array[own]
        numbers = np.arange(columns.count, dtype=np.int64)
    used = Prices(
        lanes.get("open"), lanes.get("high"), lanes.get("low"), lanes["close"], has_nan=has_nan
    )
    return used, numbers


def _column_of(given: MarketArgument, lane: int, name: Any) -> Any:
    """Return the label of a price column, or its number."""
    if given.columns is not None:
        return given.columns[lane]
    return lane if name is None else name


def _same_rows(one: IntArray | None, other: IntArray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _cash(given: Setting, n_columns: int) -> FloatArray | float:
    """Return the cash of every column."""
    if isinstance(given, Lanes):
        if given.values.shape[1] != 1:
            rule = "be a number, or one for each column"
            raise ParamError(broken_rule("init_cash", rule, given.values.shape))
        cash: FloatArray = given.values[given.row_numbers(n_columns), 0]
        return cash
    if not isinstance(given, float):
        raise ParamError(broken_rule("init_cash", "be a positive number", given))
    return given


def _pot(given: MarketArgument, n_groups: int) -> FloatArray:
    """Return the cash of every group."""
    if len(given.lanes) not in {1, n_groups} or given.lanes.shape[1] != 1:
        rule = f"be one number, or {n_groups}: one a group"
        raise ParamError(broken_rule("init_cash", rule, given.lanes.shape))
    cash: FloatArray = np.broadcast_to(given.lanes[:, 0], (n_groups,))
    return cash
