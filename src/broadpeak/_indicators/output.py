# SPDX-License-Identifier: BSD-3-Clause
"""What `Data.run` returns: every distinct combination once, and pandas on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any
from weakref import ref

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index, Table, Values
from broadpeak._core.arrays import read_only, user_copy
from broadpeak._indicators.family import first_places
from broadpeak._indicators.panel import Pairing, Panel, PanelLevel, Shape
from broadpeak._prices.table import PriceTable
from broadpeak._signals.levels import LISTS, Listed, level_index
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import AnyArray

_ABOVE, _BELOW = "_crossed_above", "_crossed_below"
_CROSSINGS = {_ABOVE: True, _BELOW: False}


class IndicatorResult:
    """The outputs of one indicator over symbols and combinations of parameters.

    Every output is an attribute: a Series for one symbol and single values, else a frame with the
    levels of the listed parameters and then `symbol`. For each there are the methods
    ``<output>_crossed_above(other)`` and ``<output>_crossed_below(other)``, whose `other` is
    another result, a number, a list of numbers (a column level called like the method), or values
    bar by bar: a Series, a frame or an array.

    Parameters that occur several times are computed once; frames are made on first use.
    Crossings of two results of as many combinations meet pair by pair, and one single combination
    meets all; so do lists of numbers. Where parameters are hidden, those of crossings are too.
    They are computed on each symbol's own bars.

    Attributes
    ----------
    outputs : tuple of str
        Names of the outputs.
    levels : list of str
        Names of the visible parameter levels.

    Examples
    --------
    >>> from broadpeak import Data
    >>> data = Data.sample("IBM")
    >>> fast, slow = data.run("bp:ma", window=[10, 20]), data.run("bp:ma", window=50)
    >>> fast.rename_levels({"ma_window": "fast"}).ma_crossed_above(slow).sum()
    fast
    10    39
    20    37
    dtype: int64
    """

    __slots__ = (
        "__weakref__",
        "_last",
        "_owner",
        "_panels",
        "_shape",
        "_stored",
        "_tables",
        "outputs",
    )

    def __init__(
        self,
        outputs: tuple[str, ...],
        stored: tuple[AnyArray, ...],
        shape: Shape,
        owner: object = None,
    ) -> None:
        self.outputs = outputs
        self._owner = owner
        self._stored = stored
        self._shape = shape
        self._panels: dict[str, Panel] = {}
        self._tables: dict[str, Table] = {}
        self._last: tuple[str, Callable[[], object], Panel, Panel, Pairing] | None = None

    @property
    def levels(self) -> list[str]:
        """Names of the visible parameter levels."""
        return [level.name for level in self._shape.levels]

    def unpack(self) -> Table | tuple[Table, ...]:
        """Return the output, or a tuple of the outputs where there are several."""
        frames = tuple(getattr(self, name) for name in self.outputs)
        return frames[0] if len(frames) == 1 else frames

    def rename_levels(self, names: Mapping[str, str]) -> IndicatorResult:
        """Return the result with other names for its parameter levels.

        Parameters
        ----------
        names : dict of old to new name
            Names of `levels`. Where no level is visible there is nothing to rename, so that the
            same code serves single values and lists.

        Returns
        -------
        IndicatorResult
            With the same values.

        Raises
        ------
        ParamError
            If an old name is not a level of this result.

        Examples
        --------
        >>> from broadpeak import Data
        >>> result = Data.sample("IBM").run("bp:ma", window=[10, 20])
        >>> result.rename_levels({"ma_window": "fast"}).levels
        ['fast']
        """
        check.mapping("names", names, "Type: rename_levels({'ma_window': 'fast'})")
        for old in names:
            if old not in self.levels and self.levels:
                remedy = check.did_you_mean(old, self.levels)
                rule = f"be one of {', '.join(map(repr, self.levels))}"
                raise ParamError(broken_rule("a level", rule, old, remedy))
        old_shape = self._shape
        levels = [level.renamed(names.get(level.name, level.name)) for level in old_shape.levels]
        shape = Shape(old_shape.table, old_shape.take, levels, old_shape.hidden)
        return IndicatorResult(self.outputs, self._stored, shape, self._owner)

    def split_params(self) -> tuple[Sequence[IndicatorResult], Index]:
        """Return one result a combination and their labels, for use in a `Param`.

        Without listed parameters, one result a symbol.

        Raises
        ------
        ParamError
            If there are neither listed parameters nor several symbols.

        Examples
        --------
        >>> from broadpeak import Data
        >>> items, labels = Data.sample("IBM").run("bp:ma", window=[10, 20]).split_params()
        >>> len(items), labels.name
        (2, 'ma_window')
        """
        shape = self._shape
        if shape.take is not None:
            if shape.table.codes is not None:
                return [self._of_combination(i) for i in range(shape.count)], shape.columns()
            alone, n = Shape(shape.table), shape.width
            parts = []
            for first in (shape.take * n).tolist():
                stored = tuple([array[first : first + n] for array in self._stored])
                parts.append(IndicatorResult(self.outputs, stored, alone))
            return parts, shape.index()
        if shape.table.single:
            rule = "have listed parameters or several symbols to be split"
            raise ParamError(broken_rule("the result", rule, self))
        return [self._of_symbol(i) for i in range(len(shape.table.symbols))], shape.columns()

    def _of_symbol(self, position: int) -> IndicatorResult:
        return self._on_own_bars(self._shape.table, position, [x[position] for x in self._stored])

    def _of_combination(self, number: int) -> IndicatorResult:
        shape = self._shape
        stored = number if shape.take is None else shape.take[number]
        columns = [x[stored] for x in self._stored]
        return self._on_own_bars(shape.table, int(shape.symbol_codes()[number]), columns)

    def _on_own_bars(
        self, table: PriceTable, position: int, columns: list[AnyArray]
    ) -> IndicatorResult:
        """Return the result of one symbol on its own bars."""
        own_bars = table.own_bars[position]
        bars = slice(None) if own_bars is None else own_bars
        stored = tuple(read_only(column[np.newaxis, bars]) for column in columns)
        return IndicatorResult(self.outputs, stored, Shape(table.part(position)))

    def panel(self, output: object = "") -> Panel:
        """Return one output, by default of the only one.

        Raises
        ------
        DataError
            If there are several outputs and none is named.
        """
        found = self._panels.get(output) if isinstance(output, str) else None
        if found is not None:
            return found
        if not isinstance(output, str) or (output and output not in self.outputs):
            check.one_of("output", output, list[object](self.outputs))
        if not output and len(self.outputs) > 1:
            remedy = f"Pass one of them: other.{self.outputs[0]}"
            raise DataError(broken_rule("other", "have one output", self.outputs, remedy))
        array = self._stored[self.outputs.index(output) if output else 0]
        owner = self._owner if len(self.outputs) == 1 else None
        panel = Panel(array, self._shape, owner)
        self._panels[str(output)] = panel
        return panel

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self.outputs:
            if name not in self._tables:
                self._tables[name] = self.panel(name).wrap()
            return user_copy(self._tables[name])
        crossing = _crossings(self.outputs).get(name)
        if crossing is not None:
            return partial(self._crossed, *crossing)
        hint = check.did_you_mean(name, dir(self)) or f"It has {', '.join(self.outputs)}."
        msg = f"this indicator has no {name!r}. {hint}"
        raise AttributeError(msg)

    def _crossed(self, output: str, above: bool, other: object) -> Values:
        if isinstance(other, IndicatorResult):
            last = self._last
            if last is None or last[0] != output or last[1]() is not other:
                here, there = self.panel(output), other.panel()
                last = output, ref(other), here, there, here.pair(there)
                self._last = last
            return last[2].crossed(last[3], last[4], above=above)
        panel = self.panel(output)
        if isinstance(other, np.ndarray) and other.ndim == 0:
            other = other.item()
        if isinstance(other, (int, float, np.number)):
            height = check.number("other", other, finite=False)
            return panel.crossed_levels(*panel.pair_levels(height), above=above)
        levels = _as_levels(other, len(self._shape.table.index))
        if levels is not None:
            name = f"{output}{_ABOVE if above else _BELOW}"
            labels = level_index(levels, name)
            level = PanelLevel(str(labels.name), list(labels))
            return panel.crossed_levels(*panel.pair_levels(level), above=above)
        return panel.crossed_values(other, above=above)

    def __dir__(self) -> list[str]:
        crossings = [f"{name}{ending}" for name in self.outputs for ending in _CROSSINGS]
        others = ["levels", "outputs", "panel", "rename_levels", "split_params", "unpack"]
        return sorted([*self.outputs, *crossings, *others])

    def __repr__(self) -> str:
        combinations, symbols = self._shape.count, len(self._shape.table.symbols)
        names = ", ".join(self.outputs)
        return f"IndicatorResult({names}; combinations={combinations}, symbols={symbols})"

    def __reduce__(self) -> tuple[object, ...]:
        shape, stored = self._shape, self._stored
        if shape.take is not None:
            # Only what it shows, in the order of its columns: what else was computed stays here.
            firsts, take = first_places(shape.take)
            used = shape.take[firsts]
            shape = Shape(shape.table, take, shape.levels, shape.hidden)
            rows = (used[:, np.newaxis] * shape.width + np.arange(shape.width)).ravel()
            stored = tuple([array[rows] for array in stored])
        return _revived, (self.outputs, stored, shape)


def _revived(
    outputs: tuple[str, ...], stored: tuple[AnyArray, ...], shape: Shape
) -> IndicatorResult:
    """Return a result that was sent from another process: its arrays are read-only again."""
    return IndicatorResult(outputs, tuple(map(read_only, stored)), shape)


@cache
def _crossings(outputs: tuple[str, ...]) -> dict[str, tuple[str, bool]]:
    """Return the methods that cross outputs: which output, and whether above."""
    return {
        f"{output}{ending}": (output, above)
        for output in outputs
        for ending, above in _CROSSINGS.items()
    }


def _as_levels(other: object, n_bars: int) -> Listed | None:
    """Return `other` if it is a list of levels, as lists of parameters are for `Data.run`.

    An array is one if it has not the number of bars; a Series, if it does not label bars either.
    """
    if isinstance(other, np.ndarray):
        is_listed = other.ndim == 1 and len(other) not in {0, n_bars}
    elif isinstance(other, pd.Series):
        is_listed = isinstance(other.index, pd.RangeIndex) and len(other) not in {0, n_bars}
    else:
        return other if isinstance(other, LISTS) else None
    return list(other.tolist()) if is_listed else None
