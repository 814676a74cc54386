# SPDX-License-Identifier: BSD-3-Clause
"""Where the values of `s.optimize` come from: defaults, a point of a search, or trained ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from broadpeak._search.searchspace import Dimension
from broadpeak._training.components import Component
from broadpeak._training.faults import OptimizeError
from broadpeak._training.strategy_run import Call
from broadpeak.errors import BroadpeakError, ParamError, broken_rule


class Discovery:
    """Notes every call and returns its default."""

    def __init__(self, reserved: frozenset[str]) -> None:
        self.calls: list[Call] = []
        self.dimensions: list[Dimension] = []
        self.common: list[bool] = []
        self._reserved = reserved

    def value(self, position: int, call: Call, component: Component | None) -> float:
        """Return the default of call number `position`."""
        dimension = dimension_of(position, call)
        if dimension.name in self._reserved:
            remedy = f"Call it {dimension.name}_value, say."
            rule = "not be the name of a column of trials or cycles"
            raise ParamError(broken_rule("the name of a parameter", rule, dimension.name, remedy))
        if any(dimension.name == known.name for known in self.dimensions):
            remedy = "Pass another name=."
            rule = "be used by one optimize() call only"
            raise ParamError(broken_rule("the name of a parameter", rule, dimension.name, remedy))
        self.calls.append(call)
        self.dimensions.append(dimension)
        self.common.append(component is None)
        return dimension.rounded(dimension.default)


class Trial:
    """Returns the values of one point, and checks that the calls are those of the discovery."""

    __slots__ = ("_calls", "_n_seen", "_point", "computed")

    def __init__(self, calls: Sequence[Call], point: Sequence[float]) -> None:
        self._calls = calls
        self._point = point
        self._n_seen = 0
        self.computed: dict[int, float] = {}

    def value(self, position: int, call: Call, component: Component | None) -> float:
        """Return the value of call number `position` at this point."""
        if position >= len(self._calls):
            raise _changed(f"call number {position + 1} ({_shown(position, call)}) is new")
        self._n_seen += 1
        expected = self._calls[position]
        if call == expected:
            if expected.max == 0:
                self.computed[position] = self._point[position]
            return self._point[position]
        if expected.max == 0 and call[1:] == expected[1:]:
            # A stored default may be computed from what other parameters gave.
            value = dimension_of(position, call)
            self.computed[position] = value.rounded(value.default)
            return self.computed[position]
        was, now = _shown(position, expected), _shown(position, call)
        raise _changed(f"call number {position + 1} was {was} and is {now}")

    def check_complete(self) -> None:
        """Raise unless every call of the discovery was made."""
        if self._n_seen < len(self._calls):
            missing = _shown(self._n_seen, self._calls[self._n_seen])
            raise _changed(
                f"there were {len(self._calls)} and are {self._n_seen}, without {missing}"
            )


class TrainedValues:
    """Returns trained values by component, by name where names are known, else by order.

    A common parameter takes its value from the first component of the assets that run; without a
    loop that is the only one.
    """

    def __init__(
        self,
        table: Mapping[str, Mapping[str, float]],
        *,
        named: bool,
        source: str,
        error: type[BroadpeakError],
    ) -> None:
        self._table = table
        self._named = named
        self._source = source
        self._error = error
        self._used: dict[str, list[str]] = {}
        self._first = next(iter(table), "")

    def belongs_to(self, assets: Iterable[str]) -> None:
        """Take common values from the first component of these assets."""
        symbols = tuple(assets)
        own = (key for key in self._table if key.startswith(tuple(f"{one}:" for one in symbols)))
        exact = (key for key in self._table if key in symbols)
        self._first = next(exact, "") or next(own, symbols[0])

    def value(self, position: int, call: Call, component: Component | None) -> float:
        """Return the trained value of call number `position`."""
        key = self._first if component is None else component.key
        if key not in self._table:
            known = ", ".join(self._table)
            raise self._error(
                f"{self._source} must have parameters of component {key!r}, got those of {known}. "
                "Train the strategy with these assets and algos; if only the name differs, call "
                "the prices by it: symbol=, --symbol."
            )
        dimension = dimension_of(position, call)
        values = self._table[key]
        if self._named:
            if dimension.name not in values:
                raise self._mismatch(key, f"a value of {dimension.name!r}")
            name = dimension.name
        else:
            names = list(values)
            if position >= len(names):
                raise self._mismatch(key, f"at least {position + 1} values")
            name = names[position]
        self._used.setdefault(key, []).append(name)
        return dimension.rounded(float(values[name]))

    def check_complete(self, components: Sequence[Component]) -> None:
        """Raise unless every value of the components that ran was asked for."""
        keys = [component.key for component in components]
        common = self._used.get(self._first, [])
        for key in keys:
            asked = {*self._used.get(key, []), *common}
            extra = [name for name in self._table.get(key, {}) if name not in asked]
            if extra:
                raise self._mismatch(
                    key, f"no value {extra[0]!r}, which the strategy never asks for"
                )

    def _mismatch(self, key: str, what: str) -> BroadpeakError:
        names = ", ".join(self._table[key]) or "none"
        return self._error(
            f"{self._source} must have {what} in component {key!r}, got: {names}. "
            "Are these the parameters of another strategy? Train this one again."
        )


class Defaults:
    """Returns the default of every call."""

    def value(self, position: int, call: Call, component: Component | None) -> float:
        """Return the default of the call."""
        dimension = dimension_of(position, call)
        return dimension.rounded(dimension.default)


def dimension_of(position: int, call: Call) -> Dimension:
    """Return the dimension that `call` describes; unnamed ones are p1, p2, … by position."""
    name = f"p{position + 1}" if call.name is None else call.name
    return Dimension(name, *call[:5], call.integer)


def _shown(position: int, call: Call) -> str:
    name = f"p{position + 1}" if call.name is None else call.name
    numbers = ", ".join(f"{value!r}" for value in call[:5])
    return f"{name}({numbers})"


def _changed(what: str) -> OptimizeError:
    return OptimizeError(
        f"The optimize() calls of a strategy must be the same in every run, but {what}. "
        "Call all of them every time, in one order, with constant ranges."
    )
