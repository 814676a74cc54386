# SPDX-License-Identifier: BSD-3-Clause
"""`Data.run`: from a name and parameters to columns, each distinct combination computed once."""

from __future__ import annotations

import contextlib
import marshal
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.arrays import read_only, unwrap
from broadpeak._indicators.catalog import find
from broadpeak._indicators.columnwise import Column, taken, zip_lists
from broadpeak._indicators.definition import Definition, bind
from broadpeak._indicators.family import FamilyRows, first_places, rows_of, stack, unchangeable
from broadpeak._indicators.output import IndicatorResult
from broadpeak._indicators.panel import PanelLevel, Shape
from broadpeak._prices.table import PriceTable
from broadpeak.errors import DataError, ParamError, broken_rule, shown
from broadpeak.types import AnyArray, FloatArray, IntArray

_LISTS = (list, tuple, range, np.ndarray, pd.Index, pd.Series)
_FEW = 1000  # values of a list that are looked at one by one
_RECORDS: Final = {int: (b"i", "<i4"), float: (b"g", "<f8")}  # as `marshal` writes them
_HEAD = 5  # bytes before them
_PLAIN: Final = frozenset({np.dtype(np.int64), np.dtype(np.float64)})


def run(
    table: PriceTable,
    name: str,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    *,
    hide_params: bool | Sequence[str],
    param_product: bool,
) -> IndicatorResult:
    """Run the indicator `name` on every symbol of `table` and every combination of parameters."""
    definition = find(name)
    check.flag("param_product", param_product)
    params = definition.params
    inputs: Mapping[str, object] = definition.inputs
    if kwargs and not kwargs.keys() <= params.keys():
        inputs = {key: kwargs.get(key, field) for key, field in inputs.items()}
        kwargs = {key: value for key, value in kwargs.items() if key not in inputs}
    bound = bind(definition.name, list(params), args, kwargs)
    hidden = set(params) if hide_params is True else _hidden_parameters(definition, hide_params)
    lists = {
        key: value
        for key, value in bound.items()
        # An array without dimensions is one value itself.
        if isinstance(value, _LISTS) and not (isinstance(value, np.ndarray) and not value.ndim)
    }
    values = [bound.get(key, default) for key, default in params.items()]
    all_hidden = len(hidden) == len(params)
    if not lists and table.codes is None:
        arrays = _computed(table, definition, inputs, tuple(values))
        return IndicatorResult(definition.outputs, arrays, Shape(table, hidden=all_hidden))
    columns = _combine(lists, product_of_all=param_product) if lists else {}
    if table.codes is not None:
        remedy = "Pass one value, or the list that the function was given."
        columns = zip_lists(columns, remedy, len(table.codes))
    coded = {key: _coded(column) for key, column in columns.items()}
    levels = [
        _level(f"{definition.short}_{key}", column, *coded[key][:2])
        for key, column in columns.items()
        if key not in hidden
    ]
    settings = [coded.get(key, value) for key, value in zip(params, values, strict=True)]
    if table.codes is None:
        distinct, take = _distinct(settings)
        rows = _stacked(table, definition, inputs, distinct)
        shape = Shape(table, rows.take[take], levels, all_hidden)
        return IndicatorResult(definition.outputs, rows.arrays, shape, rows.owner)
    # Where an array replaces prices, combinations differ by it as well.
    everything = np.arange(len(table.codes))
    own = table.codes if _are_price_names(inputs) else everything
    places = [_Codes(range(codes.max() + 1), codes) for codes in (table.codes, own)]
    distinct, take = _distinct([*places, *settings])
    found = [_outputs_of(table, definition, inputs, combination) for combination in distinct]
    return IndicatorResult(definition.outputs, stack(found), Shape(table, take, levels, all_hidden))


class _Codes(NamedTuple):
    """A listed parameter: distinct values, and which of them each combination has.

    `firsts` are the combinations in which each comes first, where that is known.
    """

    values: Any  # a sequence or an array
    codes: IntArray
    firsts: IntArray | None = None


def _combine(lists: Mapping[str, object], *, product_of_all: bool) -> dict[str, Column]:
    """Return the values of each listed parameter, one a combination."""
    columns: dict[str, Column] = {}
    for key, value in lists.items():
        if isinstance(value, np.ndarray) and value.ndim > 1:
            raise ParamError(broken_rule("a list of parameters", "be one-dimensional", value.shape))
        columns[key] = _as_column(value)
    if product_of_all and all(map(len, columns.values())):  # an empty one is refused below
        size = math.prod(map(len, columns.values()))
        inner = size
        for key, column in columns.items():
            inner //= len(column)
            columns[key] = taken(column, np.arange(size) // inner % len(column))
        return columns
    return zip_lists(columns, "Pass param_product=True to combine every value with every other.")


def _as_column(listed: Any) -> Column:
    """Return values as an array if they are plain ints or floats and no NaN, else as a list."""
    array = listed
    if isinstance(listed, (pd.Series, pd.Index)):
        array = listed.to_numpy() if listed.dtype in _PLAIN else None
    elif isinstance(listed, (list, tuple)):
        array = _of_plain_numbers(listed) if len(listed) > _FEW else None
        kinds = set(map(type, listed)) if array is None else set()
        if kinds in ({int}, {float}):
            with contextlib.suppress(OverflowError):  # an int beyond 64 bits
                array = np.array(listed, np.int64 if kinds == {int} else np.float64)
    elif isinstance(listed, range):
        array = np.array(listed) if len(listed) else None
    if array is None or array.dtype not in _PLAIN or not len(array):
        return listed.tolist() if isinstance(listed, np.ndarray) else list(listed)
    if array.dtype == np.float64 and np.isnan(array).any():
        return list(array.tolist())
    return np.asarray(array)


def _of_plain_numbers(listed: list[Any] | tuple[Any, ...]) -> AnyArray | None:
    """Return a long list of plain floats, or of plain ints of 32 bits, as an array, else None.

    To ask every value for its type and then for its number takes five times as long as to have both
    written down at once, which is what `marshal` is for.
    """
    kind = type(listed[0])
    if kind not in _RECORDS:
        return None
    try:
        text = marshal.dumps(listed, 2)
    except ValueError:  # something else is among them
        return None
    # After the length of the list every value is its code and its number, and so all of them are
    # where all codes stand where they should.
    record = np.dtype([("code", "S1"), ("value", _RECORDS[kind][1])])
    if len(text) != _HEAD + len(listed) * record.itemsize:
        return None
    records = np.frombuffer(text, record, offset=_HEAD)
    if (records["code"] != _RECORDS[kind][0]).any():
        return None
    return records["value"].astype(np.int64 if kind is int else np.float64)


def _level(name: str, column: Column, values: object, codes: IntArray) -> PanelLevel:
    if isinstance(column, np.ndarray) and isinstance(values, np.ndarray):
        return PanelLevel(name, values, codes)
    return PanelLevel(name, column)


def _coded(column: Column) -> _Codes:
    """Return each value once, in the order in which they come, and which of them each is."""
    if isinstance(column, np.ndarray):
        firsts, codes = first_places(column)
        return _Codes(column[firsts], codes, firsts)
    try:
        seen: dict[object, int] = {}
        codes = np.array([seen.setdefault(value, len(seen)) for value in column], np.int64)
    except TypeError:  # a value without a hash: refused once all are known
        return _Codes(column, np.arange(len(column)))
    return _Codes(list(seen), codes)


def _hidden_parameters(definition: Definition, hide_params: object) -> set[str]:
    if isinstance(hide_params, (bool, np.bool_)):
        return set(definition.params) if hide_params else set()
    names = [hide_params] if isinstance(hide_params, str) else hide_params
    if isinstance(names, (list, tuple, set, frozenset)) and all(
        isinstance(name, str) for name in names
    ):
        hidden = set(names)
        wrong: object = sorted(hidden - set(definition.params))
        if not wrong:
            return hidden
    else:
        wrong = hide_params
    rule = f"be True, False or among {list(definition.params)}"
    raise ParamError(broken_rule("hide_params", rule, wrong))


def _distinct(settings: Sequence[object]) -> tuple[list[tuple[Any, ...]], IntArray]:
    """Return every combination once, in the order in which they come, and which of them each is.

    A setting is a value for all combinations, or values and codes.
    """
    listed = [setting for setting in settings if isinstance(setting, _Codes)]
    take = listed[0].codes
    firsts = listed[0].firsts
    if firsts is None:
        firsts = first_places(take)[0]
    for values, codes, _ in listed[1:]:
        firsts, take = first_places(take * len(values) + codes)
    columns = []
    for setting in settings:
        if isinstance(setting, _Codes):
            values = setting.values
            chosen = taken(values, setting.codes[firsts])
            columns.append(chosen.tolist() if isinstance(chosen, np.ndarray) else chosen)
        else:
            columns.append([setting] * len(firsts))
    combinations = list(zip(*columns, strict=True))
    try:
        set(combinations)
    except TypeError as error:
        rule = "be plain values"
        raise ParamError(broken_rule("parameters", rule, combinations[0])) from error
    return combinations, take


def _stacked(
    table: PriceTable,
    definition: Definition,
    inputs: Mapping[str, object],
    combinations: list[tuple[Any, ...]],
) -> FamilyRows:
    """Return the outputs of distinct combinations, computed or remembered."""

    def compute(some: Sequence[tuple[Any, ...]]) -> tuple[AnyArray, ...]:
        return _compute_all(table, definition, inputs, some)

    # NaN is not equal to itself and would fill the memory with copies.
    is_known = _are_price_names(inputs) and not any(
        isinstance(value, float) and math.isnan(value) for one in combinations for value in one
    )
    if not is_known:
        return FamilyRows(compute(combinations), np.arange(len(combinations)), None)
    key = ("rows", definition.name, *inputs.values())
    return rows_of(table.memo, key, combinations, compute)


def _compute_all(
    table: PriceTable,
    definition: Definition,
    inputs: Mapping[str, object],
    combinations: Sequence[tuple[Any, ...]],
) -> tuple[AnyArray, ...]:
    """Return the outputs of combinations, one below the other."""
    if len(combinations) > 1 and table.single and table.without_gaps:
        arrays = [_input(table, definition, key, field)[0] for key, field in inputs.items()]
        wholes: list[AnyArray] = []
        for i, values in enumerate(combinations):
            columns = definition.compute(*arrays, *values)
            if not i:
                n = len(combinations)
                wholes = [np.empty((n, column.size), column.dtype) for column in columns]
            elif any(x.dtype != y.dtype for x, y in zip(columns, wholes, strict=True)):
                break
            for whole, column in zip(wholes, columns, strict=True):
                whole[i] = column
        else:
            return tuple(map(unchangeable, wholes))
    found = [_computed(table, definition, inputs, values, keep=False) for values in combinations]
    return stack(found)


def _computed(
    table: PriceTable,
    definition: Definition,
    inputs: Mapping[str, object],
    values: tuple[object, ...],
    *,
    keep: bool = True,
) -> tuple[AnyArray, ...]:
    """Return one array an output, symbols × bars, computed or remembered, and so from now on."""
    key: Hashable = (definition.name, values)
    if inputs is not definition.inputs:
        if not _are_price_names(inputs):
            return _compute(table, definition, inputs, values)
        key = (definition.name, values, *inputs.values())
    for value in values:
        # NaN is not equal to itself and would fill the memory with copies.
        if isinstance(value, float) and value != value:  # noqa: PLR0124
            return _compute(table, definition, inputs, values)
    try:
        found = table.memo.get(key)
    except TypeError:  # a value without a hash
        return _compute(table, definition, inputs, values)
    if found is None:
        found = _compute(table, definition, inputs, values)
        if keep:
            table.memo.put(key, found)
    return found


def _are_price_names(inputs: Mapping[str, object]) -> bool:
    return all(isinstance(field, str) for field in inputs.values())


def _outputs_of(
    table: PriceTable,
    definition: Definition,
    inputs: Mapping[str, object],
    combination: tuple[Any, ...],
) -> tuple[AnyArray, ...]:
    """Return one column an output, shape (1, n_bars), for one combination of a mono-chunk.

    It is the position of its symbol, its number, and the values of parameters. It is computed on
    the symbol alone, as a single call would, and put on the bars of all symbols.
    """
    position, number, *values = combination
    own = table.own_bars[position]
    if not _are_price_names(inputs):
        bars = slice(None) if own is None else own
        inputs = {
            key: field
            if isinstance(field, str)
            else np.ascontiguousarray(_input(table, definition, key, field)[number, bars])
            for key, field in inputs.items()
        }
    columns = _computed(table.part(position), definition, inputs, tuple(values))
    if own is None:
        return columns
    spread = []
    for column in columns:
        whole = np.full((1, len(table.index)), np.nan)
        whole[:, own] = column
        spread.append(read_only(whole))
    return tuple(spread)


def _compute(
    table: PriceTable,
    definition: Definition,
    inputs: Mapping[str, object],
    values: tuple[object, ...],
) -> tuple[AnyArray, ...]:
    arrays = [_input(table, definition, key, field) for key, field in inputs.items()]
    if len(table.symbols) == 1 and table.own_bars[0] is None:
        outs = definition.compute(*[array[0] for array in arrays], *values)
        return tuple([unchangeable(out)[np.newaxis, :] for out in outs])
    outputs: list[AnyArray] = []
    for position, own in enumerate(table.own_bars):
        bars = slice(None) if own is None else own
        # On a calendar of several symbols an indicator sees the bars of its own symbol only.
        columns = [read_only(array[position, bars]) for array in arrays]
        results = definition.compute(*columns, *values)
        if not outputs:
            shape = (len(table.symbols), len(table.index))
            gaps = any(each is not None for each in table.own_bars)
            outputs = [
                np.full(shape, np.nan) if gaps else np.empty(shape, result.dtype)
                for result in results
            ]
        for output, result in zip(outputs, results, strict=True):
            output[position, bars] = result
    return tuple(map(unchangeable, outputs))


def _input(table: PriceTable, definition: Definition, key: str, field: object) -> FloatArray:
    """Return what goes into an indicator, symbols × bars: a price by name, or values passed."""
    if isinstance(field, str):
        try:
            return table.array(field)
        except DataError as error:
            rule = f"have the price {shown(field)} for {key!r}"
            remedy = f"Pass the values: {key}=…, or the name of another price."
            msg = broken_rule(f"the data of {definition.name}", rule, list(table.fields), remedy)
            raise DataError(msg) from error
    array, wrapping = unwrap(key, field)
    n = len(table.columns)
    if wrapping.index is not None and not wrapping.index.equals(table.index):
        raise DataError(broken_rule(key, "have the index of the data", wrapping.index[:3].tolist()))
    if array.shape[1] != len(table.index) or array.shape[0] not in {1, n}:
        rule = f"have {len(table.index)} bars and 1 or {n} columns"
        raise DataError(broken_rule(key, rule, array.shape[::-1]))
    if wrapping.columns is not None and n > 1 and not wrapping.columns.equals(table.columns):
        rule = f"have a column for each of {list(table.columns)}, in order"
        raise DataError(broken_rule(key, rule, wrapping.columns.tolist()))
    return np.broadcast_to(array, (n, array.shape[1]))
