# SPDX-License-Identifier: BSD-3-Clause
"""Where the values of `s.optimize` come from: defaults, a point of a search, or trained ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from broadpeak._search.searchspace import Dimension
from broadpeak._training.components import Component
from broadpeak._training.fits import FittedModels, no_models
from broadpeak.errors import BroadpeakError, ParamError, StrategyError, broken_rule


class OptimizeError(StrategyError, ParamError):
    """The `optimize` calls of a strategy break a rule that concerns their number or order."""


class OptimizeCall(NamedTuple):
    """The arguments of one `optimize` call."""

    default: float
    min: float
    max: float
    step: float
    bias: float
    name: str | None
    integer: bool

    def dimension(self, position: int) -> Dimension:
        """Return the dimension of a search that it describes; unnamed ones are p1, p2, …."""
        name = f"p{position + 1}" if self.name is None else self.name
        return Dimension(name, *self[:5], self.integer)

    def shown(self, position: int) -> str:
        """Return how messages show it."""
        name = f"p{position + 1}" if self.name is None else self.name
        return f"{name}({', '.join(f'{value!r}' for value in self[:5])})"


class ValueSource(Protocol):
    """Where `optimize` gets its values from."""

    def value(self, position: int, call: OptimizeCall, component: Component | None) -> float:
        """Return the value of call number `position`; component None: common to all of them."""


class Defaults:
    """Returns the default of every call; `models` are what `s.fit` returns."""

    def __init__(self, models: FittedModels | None = None) -> None:
        self.models = no_models() if models is None else models
        self._asked: dict[Component | None, dict[str, float]] = {}

    def value(self, position: int, call: OptimizeCall, component: Component | None) -> float:
        """Return the default of the call."""
        dimension = call.dimension(position)
        found = dimension.rounded(dimension.default)
        self._asked.setdefault(component, {})[dimension.name] = found
        return found

    def table(self, keys: Iterable[str]) -> dict[str, dict[str, float]]:
        """Return what components asked for so far: {component: {name: value}}."""
        own = {one.key: values for one, values in self._asked.items() if one is not None}
        return {key: {**self._asked.get(None, {}), **own.get(key, {})} for key in keys}


class Discovery:
    """Remembers every call and returns its default."""

    def __init__(self, reserved: frozenset[str]) -> None:
        self.calls: list[OptimizeCall] = []
        self.dimensions: list[Dimension] = []
        self.common: list[bool] = []
        self._reserved = reserved

    def value(self, position: int, call: OptimizeCall, component: Component | None) -> float:
        """Return the default of call number `position`."""
        dimension = call.dimension(position)
        if dimension.name in self._reserved:
            remedy = f"Call it {dimension.name}_value, say."
            rule = "not be the name of a column of trials or cycles"
            raise ParamError(broken_rule("the name of a parameter", rule, dimension.name, remedy))
        for known in self.dimensions:
            if dimension.name == known.name:
                rule, remedy = "be used by one optimize() call only", "Pass another name=."
                raise ParamError(
                    broken_rule("the name of a parameter", rule, dimension.name, remedy)
                )
        self.calls.append(call)
        self.dimensions.append(dimension)
        self.common.append(component is None)
        return dimension.rounded(dimension.default)


class Trial:
    """Returns the values of one point, and checks that the calls are those of the discovery."""

    __slots__ = ("_calls", "_n_seen", "_point", "computed")

    def __init__(self, calls: Sequence[OptimizeCall], point: Sequence[float]) -> None:
        self._calls = calls
        self._point = point
        self._n_seen = 0
        self.computed: dict[int, float] = {}

    def value(self, position: int, call: OptimizeCall, component: Component | None) -> float:
        """Return the value of call number `position` at this point."""
        if position >= len(self._calls):
            raise _changed_error(f"call number {position + 1} ({call.shown(position)}) is new")
        self._n_seen += 1
        expected = self._calls[position]
        if call == expected:
            if expected.max == 0:
                self.computed[position] = self._point[position]
            return self._point[position]
        if expected.max == 0 and call[1:] == expected[1:]:
            # A stored default may be computed from what other parameters gave.
            dimension = call.dimension(position)
            self.computed[position] = dimension.rounded(dimension.default)
            return self.computed[position]
        was, now = expected.shown(position), call.shown(position)
        raise _changed_error(f"call number {position + 1} was {was} and is {now}")

    def check_complete(self) -> None:
        """Raise unless every call of the discovery was made."""
        n_calls, n_seen = len(self._calls), self._n_seen
        if n_seen < n_calls:
            missing = self._calls[n_seen].shown(n_seen)
            raise _changed_error(f"there were {n_calls} and are {n_seen}, without {missing}")


WeightedValues: TypeAlias = tuple[Mapping[str, float], float]
"""The values of one member of an ensemble, and its share of the lots."""


class HeldValues(Trial):
    """Returns the values of a run that was made before, whatever the ranges are on other bars."""

    __slots__ = ()

    def value(self, position: int, call: OptimizeCall, component: Component | None) -> float:
        """Return the value of call number `position` in that run."""
        if position >= len(self._calls):
            raise _changed_error(f"call number {position + 1} ({call.shown(position)}) is new")
        self._n_seen += 1
        return self._point[position]


class TrainedValues:
    """Returns trained values by component, by name where names are known, else by order.

    A common parameter takes its value from the first component of the assets that run; without a
    loop that is the only one. `models` are what `s.fit` returns beside them. Where components trade
    ensembles, `sets` holds the members of every component, and `centre` what is shown of them; a
    run of the strategy then gets one member of one component, with `at`.
    """

    def __init__(
        self,
        table: Mapping[str, Mapping[str, float]],
        *,
        named: bool,
        source: str,
        error: type[BroadpeakError],
        sets: Mapping[str, Sequence[WeightedValues]] | None = None,
        first: str = "",
        models: FittedModels | None = None,
        centre: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self.sets = sets or {}
        self._centre = table if centre is None else centre
        self._table = table
        self._named = named
        self._source = source
        self._error = error
        self.models = no_models() if models is None else models
        self._used: dict[str, list[str]] = {}
        self._wanted_first = first
        self._first = first or next(iter(table), "")

    def table(self, keys: Iterable[str]) -> dict[str, dict[str, float]]:
        """Return the values of components, of an ensemble its centre."""
        return {key: dict(self._centre[key]) for key in keys if key in self._centre}

    def members(self, key: str) -> Sequence[WeightedValues]:
        """Return the ensemble of component `key`."""
        if key not in self.sets:
            raise self._missing_error(key)
        return self.sets[key]

    def at(self, rank: int, key: str) -> TrainedValues:
        """Return the values of one member of component `key`, for a run of that one alone.

        Common parameters are its own.
        """
        table = {
            name: (members[rank] if name == key else members[0])[0]
            for name, members in self.sets.items()
        }
        named, source, error = self._named, self._source, self._error
        return TrainedValues(
            table, named=named, source=source, error=error, first=key, models=self.models
        )

    def first_component(self, assets: Iterable[str]) -> Component:
        """Return the first component of these assets, as far as its name tells."""
        symbols = tuple(assets)
        self.belongs_to(symbols)
        asset = next((one for one in symbols if self._first.startswith(f"{one}:")), self._first)
        asset = self._first if self._first in symbols else asset
        return Component(asset, self._first[len(asset) + 1 :] or None)

    def belongs_to(self, assets: Iterable[str]) -> None:
        """Take common values from the first component of these assets."""
        if self._wanted_first:
            return
        symbols = tuple(assets)
        keys = list(self._table)
        algo_key = next(
            (key for key in keys if key.startswith(tuple(f"{a}:" for a in symbols))), ""
        )
        self._first = next((key for key in keys if key in symbols), algo_key) or symbols[0]

    def value(self, position: int, call: OptimizeCall, component: Component | None) -> float:
        """Return the trained value of call number `position`."""
        key = self._first if component is None else component.key
        if key not in self._table:
            raise self._missing_error(key)
        dimension = call.dimension(position)
        values = self._table[key]
        name = dimension.name
        if not self._named:
            names = list(values)
            if position >= len(names):
                raise self._mismatch_error(key, f"at least {position + 1} values")
            name = names[position]
        elif name not in values:
            raise self._mismatch_error(key, f"a value of {name!r}")
        self._used.setdefault(key, []).append(name)
        return dimension.rounded(float(values[name]))

    def check_complete(self, components: Sequence[Component]) -> None:
        """Raise unless the strategy read every value of the components that ran."""
        for component in components:
            key = component.key
            read = {*self._used.get(key, ()), *self._used.get(self._first, ())}
            for name in self._table.get(key, ()):
                if name not in read:
                    raise self._mismatch_error(
                        key, f"no value {name!r}, which the strategy never reads"
                    )

    def _missing_error(self, key: str) -> BroadpeakError:
        known = ", ".join(self._table)
        return self._error(
            f"{self._source} must have parameters of component {key!r}, got those of {known}. "
            "Train the strategy with these assets and algos; if only the name differs, call "
            "the prices by it: symbol=, --symbol."
        )

    def _mismatch_error(self, key: str, what: str) -> BroadpeakError:
        names = ", ".join(self._table[key]) or "none"
        return self._error(
            f"{self._source} must have {what} in component {key!r}, got: {names}. "
            "Are these the parameters of another strategy? Train this one again."
        )


def _changed_error(what: str) -> OptimizeError:
    return OptimizeError(
        f"The optimize() calls of a strategy must be the same in every run, but {what}. "
        "Call all of them every time, in one order, with constant ranges."
    )
