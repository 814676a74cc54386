# SPDX-License-Identifier: BSD-3-Clause
"""`Data.run`: from a name and parameters to lanes, each distinct combination computed once."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.arrays import unwrap
from broadpeak._indicators.catalog import find
from broadpeak._indicators.definition import Definition, bind
from broadpeak._indicators.lists import zipped
from broadpeak._indicators.output import IndicatorResult
from broadpeak._indicators.panel import PanelLevel, Shape
from broadpeak._prices.table import PriceTable
from broadpeak.errors import DataError, ParamError, broken_rule, shown
from broadpeak.types import AnyArray, FloatArray, IntArray

_LISTS = (list, tuple, range, np.ndarray, pd.Index, pd.Series)


def run(
    source: PriceTable,
    name: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    hide_params: bool | Sequence[str],
    param_product: bool,
) -> IndicatorResult:
    """Run the indicator `name` on every symbol of `source` and every combination of parameters."""
    definition = find(name)
    check.flag("param_product", param_product)
    inputs: Mapping[str, Any] = definition.inputs
    if kwargs and not kwargs.keys() <= definition.params.keys():
        inputs = {key: kwargs.get(key, field) for key, field in inputs.items()}
        kwargs = {key: value for key, value in kwargs.items() if key not in inputs}
    bound = bind(definition.name, list(definition.params), args, kwargs)
    values = [bound.get(key, default) for key, default in definition.params.items()]
    lists = {key: value for key, value in bound.items() if isinstance(value, _LISTS)}
    lists = {key: value for key, value in lists.items() if _is_listed(value)}
    hidden = _hidden(definition, hide_params)
    all_hidden = hidden == set(definition.params)
    if not lists and source.codes is None:
        lanes = _lanes(source, definition, inputs, tuple(values))
        return IndicatorResult(definition.outputs, [lanes], Shape(source, hidden=all_hidden))
    columns = _combine(lists, product_of_all=param_product) if lists else {}
    if source.codes is not None:
        remedy = "Pass one value, or the list that the function was given."
        columns = zipped(columns, remedy, len(source.codes))
    levels = [
        PanelLevel(f"{definition.short}_{key}", column)
        for key, column in columns.items()
        if key not in hidden
    ]
    n = len(next(iter(columns.values()))) if source.codes is None else len(source.codes)
    filled = [
        columns.get(key, None) or [value] * n
        for key, value in zip(definition.params, values, strict=True)
    ]
    if source.codes is None:
        distinct, take = _distinct(list(zip(*filled, strict=True)))
        found = [_lanes(source, definition, inputs, combination) for combination in distinct]
    else:
        # Where an array replaces prices, combinations differ by it as well.
        own = source.codes if _by_name(inputs) else np.arange(n)
        rows = zip(source.codes.tolist(), own.tolist(), *filled, strict=True)
        distinct, take = _distinct(list(rows))
        found = [_zipped_lanes(source, definition, inputs, combination) for combination in distinct]
    return IndicatorResult(definition.outputs, found, Shape(source, take, levels, all_hidden))


def _is_listed(value: Any) -> bool:
    """Return whether `value` holds values; an array without dimensions is one value itself."""
    return not isinstance(value, np.ndarray) or value.ndim > 0


def _combine(lists: dict[str, Any], *, product_of_all: bool) -> dict[str, list[Any]]:
    """Return the values of each listed parameter, one a combination."""
    columns = {key: _items(value) for key, value in lists.items()}
    if product_of_all and all(columns.values()):  # an empty one is refused below
        rows = list(product(*columns.values()))
        return {key: [row[i] for row in rows] for i, key in enumerate(columns)}
    return zipped(columns, "Pass param_product=True to combine every value with every other.")


def _items(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        if value.ndim > 1:
            raise ParamError(broken_rule("a list of parameters", "be one-dimensional", value.shape))
        return list(value.tolist())
    return list(value)


def _hidden(definition: Definition, hide_params: bool | Sequence[str]) -> set[str]:
    if isinstance(hide_params, (bool, np.bool_)):
        return set(definition.params) if hide_params else set()
    given: Any = hide_params
    names = [given] if isinstance(given, str) else given
    listed = isinstance(names, (list, tuple, set, frozenset)) and all(
        isinstance(name, str) for name in names
    )
    hidden = set(names) if listed else set()
    unknown = sorted(hidden - set(definition.params)) if listed else given
    if not listed or unknown:
        rule = f"be True, False or among {list(definition.params)}"
        raise ParamError(broken_rule("hide_params", rule, unknown))
    return hidden


def _distinct(combinations: list[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], IntArray]:
    try:
        seen: dict[tuple[Any, ...], int] = {}
        take = [seen.setdefault(row, len(seen)) for row in combinations]
    except TypeError as error:
        rule = "be plain values"
        raise ParamError(broken_rule("parameters", rule, combinations[0])) from error
    return list(seen), np.array(take, np.int64)


def _lanes(
    source: PriceTable, definition: Definition, inputs: Mapping[str, Any], values: tuple[Any, ...]
) -> tuple[AnyArray, ...]:
    """Return one array an output, shape (n_symbols, n_bars), computed or remembered."""
    key = _key(definition, inputs, values)
    found = source.memo.get(key) if key is not None else None
    if found is None:
        found = _compute(source, definition, inputs, values)
        if key is not None:
            source.memo.put(key, found)
    return found


def _key(
    definition: Definition, inputs: Mapping[str, Any], values: tuple[Any, ...]
) -> Hashable | None:
    key: Hashable = (definition.name, values)
    if inputs is not definition.inputs:
        if not _by_name(inputs):
            return None
        key = (definition.name, values, tuple(inputs.values()))
    try:
        hash(key)
    except TypeError:
        return None
    # NaN is not equal to itself and would fill the memory with copies.
    return None if any(isinstance(v, float) and math.isnan(v) for v in values) else key


def _by_name(inputs: Mapping[str, Any]) -> bool:
    return all(isinstance(field, str) for field in inputs.values())


def _zipped_lanes(
    source: PriceTable,
    definition: Definition,
    inputs: Mapping[str, Any],
    combination: tuple[Any, ...],
) -> tuple[AnyArray, ...]:
    """Return one lane an output, shape (1, n_bars), for one combination of a mono-chunk.

    It is computed on the symbol alone, as a single call would, and put on the bars of all symbols.
    """
    place, number, *values = combination
    part, own = source.part(place), source.own_bars[place]
    if not _by_name(inputs):
        bars = slice(None) if own is None else own
        inputs = {key: _own_input(source, definition, key, field, number, bars)
                  for key, field in inputs.items()}  # fmt: skip
    lanes = _lanes(part, definition, inputs, tuple(values))
    if own is None:
        return lanes
    spread = []
    for lane in lanes:
        whole = np.full((1, len(source.index)), np.nan)
        whole[:, own] = lane
        spread.append(whole)
    return tuple(spread)


def _own_input(
    source: PriceTable, definition: Definition, key: str, field: Any, number: int, bars: Any
) -> Any:
    """Return the name of a price, or the values of one combination on the bars of its symbol."""
    if isinstance(field, str):
        return field
    lanes = _input(source, definition, key, field)
    return np.ascontiguousarray(lanes[number, bars])


def _compute(
    source: PriceTable, definition: Definition, inputs: Mapping[str, Any], values: tuple[Any, ...]
) -> tuple[AnyArray, ...]:
    lanes = [_input(source, definition, key, field) for key, field in inputs.items()]
    if len(source.symbols) == 1 and source.own_bars[0] is None:
        return tuple(
            out[np.newaxis, :] for out in definition.compute(*(x[0] for x in lanes), *values)
        )
    outputs: list[AnyArray] = []
    for place, own in enumerate(source.own_bars):
        bars = slice(None) if own is None else own
        # On a calendar of several symbols an indicator sees the bars of its own symbol only.
        rows = [np.ascontiguousarray(lane[place, bars]) for lane in lanes]
        results = definition.compute(*rows, *values)
        if not outputs:
            shape = (len(source.symbols), len(source.index))
            gaps = any(each is not None for each in source.own_bars)
            outputs = [
                np.full(shape, np.nan) if gaps else np.empty(shape, result.dtype)
                for result in results
            ]
        for output, result in zip(outputs, results, strict=True):
            output[place, bars] = result
    return tuple(outputs)


def _input(source: PriceTable, definition: Definition, key: str, field: Any) -> FloatArray:
    if isinstance(field, str):
        try:
            return source.array(field)
        except DataError as error:
            rule = f"have the price {shown(field)} for {key!r}"
            remedy = f"Pass the values: {key}=…, or the name of another price."
            msg = broken_rule(f"the data of {definition.name}", rule, list(source.fields), remedy)
            raise DataError(msg) from error
    lanes, wrapping = unwrap(key, field)
    n = len(source.columns)
    if wrapping.index is not None and not wrapping.index.equals(source.index):
        raise DataError(broken_rule(key, "have the index of the data", wrapping.index[:3].tolist()))
    if lanes.shape[1] != len(source.index) or lanes.shape[0] not in {1, n}:
        rule = f"have {len(source.index)} bars and 1 or {n} columns"
        raise DataError(broken_rule(key, rule, lanes.shape[::-1]))
    if wrapping.columns is not None and n > 1 and not wrapping.columns.equals(source.columns):
        rule = f"have a column for each of {list(source.columns)}, in order"
        raise DataError(broken_rule(key, rule, wrapping.columns.tolist()))
    return np.broadcast_to(lanes, (n, lanes.shape[1]))
