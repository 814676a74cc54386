# SPDX-License-Identifier: BSD-3-Clause
"""What of the library takes lists of parameters, and what may be done with what it returns.

Every rule here holds whatever the values are: a list gives, column by column, the bits that single
calls give. pandas aligns frames by their labels, and those of a list are the parameters, so frames
meet only where their labels come about in the same way. Sums of floats are left out, since the
order in which NumPy adds depends on how columns lie in memory. What is not here, is not listable.
"""

from __future__ import annotations

import operator
import sys
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import getattr_static, signature
from itertools import count
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._data.data import Data
from broadpeak._indicators.catalog import find
from broadpeak._indicators.definition import bind
from broadpeak._indicators.output import IndicatorResult
from broadpeak._metrics.formulas import METRICS
from broadpeak._space.param import Param


class NotListable(Exception):  # noqa: N818  # an answer, not an error
    """It is not certain that a list gives what single calls give; the text says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A value that is there before anything runs."""

    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """A parameter: one value in a single call, the list of them in a mono-chunk."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Same:
    """Something that is the same for all combinations.

    Attributes
    ----------
    kind : str
        "data", "indicator", "table" (of pandas or NumPy), "number", "portfolio" or "other".
    bars : object
        The data whose bars it lies on.
    outputs : tuple of str
        Of an indicator.
    is_hidden : bool
        Whether crossings of an indicator get no levels.
    """

    kind: str
    bars: Hashable = None
    outputs: tuple[str, ...] = ()
    is_hidden: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Each:
    """Something with a column, or an entry, for each combination.

    Attributes
    ----------
    kind : str
        "data", "indicator", "numbers" and "signals" (over bars), "portfolio"; and with an entry for
        each combination "figures" (floats), "counts" and "flags".
    bars : object
        The data whose bars it lies on.
    made : tuple
        How its labels came about: columns that were made in the same way have the same labels.
    names : frozenset of str
        Names of the levels of parameters.
    outputs, is_hidden
        As for `Same`.
    is_zipped : bool
        Whether every combination has a symbol of its own.
    """

    kind: str
    bars: Hashable
    made: tuple[Any, ...]
    names: frozenset[str] = frozenset()
    outputs: tuple[str, ...] = ()
    is_hidden: bool = False
    is_zipped: bool = False

    def of(self, kind: str) -> Each:
        """Return something else with the same columns."""
        return Each(kind, self.bars, self.made, self.names, is_zipped=self.is_zipped)


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A tuple or list that was built from other values."""

    items: tuple[Kind, ...]


@dataclass(frozen=True, slots=True, eq=False)
class NamedItems:
    """A dict with known keys."""

    items: Mapping[str, Kind]


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """An attribute that is called, or looked into, next."""

    owner: Kind
    name: str


Kind: TypeAlias = "Known | Listed | Same | Each | Items | NamedItems | Bound"

_SCALARS: Final = (int, float, bool, str, type(None), np.bool_, np.integer, np.floating)
_FUNCTIONS: Final = (types.FunctionType, types.MethodType)
_NUMBERS: Final = (int, float, np.integer, np.floating)
_TABLES: Final = (pd.Series, pd.DataFrame, pd.Index, np.ndarray)
_LARGEST: Final = 2**53  # integers up to here are floats as well
_OVER_BARS: Final = frozenset(("numbers", "signals"))
_RETURNED: Final = frozenset((*_OVER_BARS, "figures", "counts", "flags"))
_PRICES: Final = frozenset(
    ("open", "high", "low", "close", "volume", "hlc3", "ohlc4", "returns", "symbols", "index")
)
_PATHS: Final = frozenset(("value", "returns", "positions", "close"))
_STOPS: Final = frozenset(("sl_stop", "tp_stop", "tsl_stop"))
_SETTINGS: Final = _STOPS | {"size", "fees", "fixed_fees", "slippage", "init_cash"}
_OF_AXIS: Final = frozenset(("value", "name", "level", "keys", "hide"))
_SIGNALS: Final = frozenset(("entries", "exits", "short_entries", "short_exits"))
_PURE_METHODS: Final = frozenset(  # of pandas and NumPy: they change nothing
    (
        *("abs", "add", "all", "any", "astype", "bfill", "clip", "copy", "cummax", "cummin"),
        *("cumprod", "cumsum", "diff", "div", "dropna", "eq", "ewm", "expanding", "ffill"),
        *("fillna", "ge", "gt", "head", "iloc", "index", "isna", "le", "loc", "lt", "mask", "max"),
        *("mean", "median", "min", "mul", "ne", "notna", "pct_change", "prod", "quantile"),
        *("rank", "rolling", "round", "shape", "shift", "size", "std", "sub", "sum", "tail"),
        *("T", "to_numpy", "values", "var", "where"),
    )
)
_OF_TWO: Final = frozenset(("clip", "mask", "where"))  # methods that read two tables
_PURE_BUILTINS: Final[tuple[Any, ...]] = (
    *(abs, bool, float, int, len, max, min, range, round, str, tuple),
)
_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_COMPARED: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}
_LOGICAL: Final = frozenset("&|^")
_KNOWN_SYMBOLS: Final = frozenset((*_ARITHMETIC, *_COMPARED, *_LOGICAL))


def alike(one: Kind, other: Kind) -> bool:
    """Return whether two ways through a body return the same kind of thing."""
    if isinstance(one, Items) and isinstance(other, Items):
        return len(one.items) == len(other.items) and all(map(alike, one.items, other.items))
    if isinstance(one, Each) and isinstance(other, Each):
        return (one.kind, one.bars, one.made) == (other.kind, other.bars, other.made)
    return one is other


def _no(why: str) -> NoReturn:
    raise NotListable(why)


def _listed(value: Kind) -> bool:
    """Return whether a value differs between combinations, or may hold what does."""
    if isinstance(value, Items):
        return any(map(_listed, value.items))
    if isinstance(value, NamedItems):
        return any(map(_listed, value.items.values()))
    if isinstance(value, Bound):
        return _listed(value.owner)
    return isinstance(value, (Listed, Each))


def _named(value: Kind) -> str:
    """Return what a value is, in words."""
    if isinstance(value, Listed):
        return f"the parameter {value.name}"
    if isinstance(value, Each):
        return f"{value.kind} of every combination"
    if isinstance(value, Known):
        shown: object = getattr(value.value, "__name__", None)
        return shown if isinstance(shown, str) else type(value.value).__name__
    if isinstance(value, Bound):
        return f"{value.name} of {_named(value.owner)}"
    return (
        "a list"
        if isinstance(value, Items)
        else "a dict"
        if isinstance(value, NamedItems)
        else "it"
    )


@dataclass(slots=True)
class ListRules:
    """What the library does with lists.

    Attributes
    ----------
    n_made : int
        How many things with a column a combination a body makes.
    n_bars : int
        The longest data that it touches.
    """

    n_made: int = 0
    n_bars: int = 0
    _places: dict[int, Same] = field(default_factory=dict)
    _gapless: set[Hashable] = field(default_factory=set)
    _single: set[Hashable] = field(default_factory=set)
    _numbers: count[int] = field(default_factory=count)
    _axes: list[Known] = field(default_factory=list)

    # --- plain Python -------------------------------------------------------------------------

    def is_ours(self, func: types.FunctionType) -> bool:
        """Return whether a function is one of the library."""
        return str(func.__globals__.get("__name__", "")).partition(".")[0] == "broadpeak"

    def truth(self, value: Kind) -> bool | None:
        """Return which way a branch goes; None: one way for all combinations."""
        if _listed(value):
            _no(f"it branches on {_named(value)}")
        if isinstance(value, Known):
            if type(value.value) in {int, float, bool, str, type(None), tuple, list, dict}:
                return bool(value.value)
            _no(f"it branches on {_named(value)}")
        if isinstance(value, Items):
            return bool(value.items)
        return bool(value.items) if isinstance(value, NamedItems) else None

    def is_none(self, value: Kind) -> bool | None:
        """Return whether a value is None; None: one answer for all combinations."""
        if isinstance(value, Listed):
            _no(f"it branches on {_named(value)}")
        if isinstance(value, Same) and value.kind == "other":
            return None
        return value.value is None if isinstance(value, Known) else False

    def string(self, value: Kind) -> str:
        """Return a known string."""
        if isinstance(value, Known) and isinstance(value.value, str):
            return value.value
        return _no("it uses a name that is not known")

    def strings(self, value: Kind) -> tuple[str, ...]:
        """Return a known tuple of strings."""
        if isinstance(value, Known) and isinstance(value.value, tuple):
            return value.value
        return _no("it uses names that are not known")

    def items(self, value: Kind) -> tuple[Kind, ...]:
        """Return what is in a tuple or list."""
        if isinstance(value, Items):
            return value.items
        if isinstance(value, Known) and type(value.value) in {tuple, list}:
            return tuple(map(Known, value.value))
        return _no(f"it looks into {_named(value)}")

    def named(self, value: Kind) -> Mapping[str, Kind]:
        """Return what is in a dict with strings as keys."""
        if isinstance(value, NamedItems):
            return value.items
        found = value.value if isinstance(value, Known) else None
        if type(found) is dict and all(isinstance(key, str) for key in found):
            return {key: Known(one) for key, one in found.items()}
        return _no(f"it looks into {_named(value)}")

    def unpack(self, value: Kind, n: int) -> tuple[Kind, ...]:
        """Return the `n` values that a value is taken apart into."""
        items = self.items(value)
        return items if len(items) == n else _no(f"it takes {_named(value)} apart")

    def slice(self, parts: Sequence[Kind]) -> Kind:
        """Return a slice of known bounds."""
        if all(isinstance(part, Known) for part in parts):
            return Known(slice(*(part.value for part in parts if isinstance(part, Known))))
        if any(map(_listed, parts)):
            _no("it cuts by a parameter")
        return Same("other")

    def item(self, owner: Kind, key: Kind) -> Kind:
        """Return ``owner[key]``."""
        if _listed(key):
            _no(f"it looks up {_named(key)}")
        if isinstance(owner, Bound):
            return self._row(owner, key)
        plain = key.value if isinstance(key, Known) else None
        if isinstance(owner, Items):
            if type(plain) is int and -len(owner.items) <= plain < len(owner.items):
                return owner.items[plain]
            if isinstance(plain, slice):
                return Items(owner.items[plain])
        elif isinstance(owner, NamedItems):
            if isinstance(plain, str) and plain in owner.items:
                return owner.items[plain]
        elif isinstance(owner, Known) and type(owner.value) in {tuple, list, dict}:
            if isinstance(key, Known) and isinstance(plain, (str, int, slice)):
                return Known(owner.value[plain])
        elif not isinstance(owner, (Each, Listed)):
            place = self._place(owner)
            if place.kind == "data":
                return self._new(Same("data"))
            if place.kind == "table":
                return Same("table")
        return _no(f"it looks into {_named(owner)}")

    def _row(self, owner: Bound, key: Kind) -> Kind:
        """Return ``frame.iloc[key]``."""
        table = owner.owner
        if isinstance(table, Same):
            return Same("table")
        if isinstance(table, Each) and owner.name == "iloc" and isinstance(key, Known):
            if type(key.value) is int:
                return table.of("figures" if table.kind == "numbers" else "flags")
            if isinstance(key.value, slice):
                return table.of(table.kind)
        return _no(f"it looks into {_named(owner)}")

    # --- operators ----------------------------------------------------------------------------

    def unary(self, opname: str, value: Kind) -> Kind:
        """Return ``~value``, ``-value`` or ``not value``."""
        if isinstance(value, Each):
            kinds = {"UNARY_INVERT": ("signals",), "UNARY_NEGATIVE": ("numbers", "figures")}
            if value.kind in kinds.get(opname, ()):
                return value.of(value.kind)
        elif opname == "UNARY_NOT":
            truth = self.truth(value)
            return Same("other") if truth is None else Known(not truth)
        elif isinstance(value, Known) and isinstance(value.value, _NUMBERS):
            return Known(-value.value) if opname == "UNARY_NEGATIVE" else Same("number")
        elif isinstance(value, Same) and value.kind in {"number", "table"}:
            return Same(value.kind)
        return _no(f"it takes {opname[6:].lower()} of {_named(value)}")

    def operate(self, symbol: str, left: Kind, right: Kind) -> Kind:
        """Return ``left symbol right``."""
        if isinstance(left, Each) or isinstance(right, Each):
            return self._of_columns(symbol, left, right)
        if _listed(left) or _listed(right):
            _no(f"it does {symbol} with {_named(left if _listed(left) else right)}")
        if symbol.removeprefix("not ") in {"is", "in"}:
            return self._compared(symbol, left, right)
        kinds = {self._operand(left), self._operand(right)}
        if "table" in kinds:
            if symbol not in _KNOWN_SYMBOLS:  # += would write to it
                _no(f"it does {symbol} with a table")
            return Same("table")
        symbol = symbol if symbol in _COMPARED else symbol.removesuffix("=")
        if isinstance(left, Known) and isinstance(right, Known):
            act = _ARITHMETIC.get(symbol) or _COMPARED.get(symbol)
            is_short = isinstance(left.value, _NUMBERS) and isinstance(right.value, _NUMBERS)
            if act is not None and (is_short or symbol in _COMPARED):
                return Known(act(left.value, right.value))
        return Same("number" if kinds == {"number"} else "other")

    def _compared(self, symbol: str, left: Kind, right: Kind) -> Kind:
        """Return ``left is right`` or ``left in right``, or their opposites."""
        if not isinstance(left, Known) or not isinstance(right, Known):
            return Same("other")
        if symbol.endswith("is"):
            found = left.value is right.value
        elif isinstance(left.value, _SCALARS) and type(right.value) in {tuple, list, dict, str}:
            found = left.value in right.value
        else:
            _no(f"it searches {_named(right)}")
        return Known(found is not symbol.startswith("not"))

    def _operand(self, value: Kind) -> str:
        """Return whether a value that all share is a table, a number or something else plain."""
        if isinstance(value, Known):
            if isinstance(value.value, _SCALARS):
                return "number" if isinstance(value.value, _NUMBERS) else "other"
            if isinstance(value.value, _TABLES):
                return "table"
        elif isinstance(value, Same) and value.kind in {"table", "number", "other"}:
            return value.kind
        return _no(f"it computes with {_named(value)}")

    def _of_columns(self, symbol: str, left: Kind, right: Kind) -> Kind:
        """Return what an operator gives where one side at least has columns of combinations."""
        each, other = (left, right) if isinstance(left, Each) else (right, left)
        if not isinstance(each, Each):
            _no("it computes")
        kind = each.kind
        if isinstance(other, Each):
            if (other.kind, other.bars, other.made) != (kind, each.bars, each.made):
                _no(f"{symbol} joins columns that pandas would match by their labels")
            fits = True
        else:
            fits = isinstance(other, Known) and _is_small(other.value) and kind != "signals"
            if kind == "figures" and symbol == "/":  # floats of Python raise where others give inf
                fits = fits and each is left and getattr(other, "value", 0) != 0
        if fits and kind == "signals" and symbol in _LOGICAL:
            return each.of("signals")
        if fits and kind in {"numbers", "figures"}:
            divides = symbol == "/" and (kind == "numbers" or not isinstance(other, Each))
            if symbol in {"+", "-", "*"} or divides:
                return each.of(kind)
            if symbol in _COMPARED:
                return each.of("signals" if kind == "numbers" else "flags")
        return _no(f"it does {symbol} with {_named(each)}")

    # --- attributes ---------------------------------------------------------------------------

    def attribute(self, owner: Kind, name: str) -> Kind:
        """Return ``owner.name``."""
        if isinstance(owner, Bound) and owner.name == "bp" and name in _CROSSINGS:
            return Bound(owner.owner, name)
        if isinstance(owner, Known) and self._is_plain_owner(owner.value):
            return self._of_object(owner.value, name)
        if isinstance(owner, Each):
            return self._of_each(owner, name)
        if isinstance(owner, (Known, Same)):
            return self._of_same(self._place(owner), name)
        return _no(f"it reads {name} of {_named(owner)}")

    @staticmethod
    def _is_plain_owner(value: object) -> bool:
        return not isinstance(value, (Data, IndicatorResult, *_TABLES)) and not is_portfolio(
            type(value)
        )

    def _of_object(self, value: Any, name: str) -> Kind:
        """Return an attribute of a module, a class or an object of the user's."""
        if isinstance(value, types.ModuleType):
            if name in vars(value) or value.__name__ == "broadpeak":
                return Known(getattr(value, name))
            _no(f"{value.__name__}.{name} is not there")
        if is_portfolio(value) and name == "from_signals":
            return Known(value.from_signals)
        kind: Any = value if isinstance(value, type) else type(value)
        reads: Any = type(value).__getattribute__
        if reads is not object.__getattribute__ and type(value) is not type:
            _no(f"it reads {name} of {_named(Known(value))}")
        found = getattr_static(value, name)
        if isinstance(found, types.FunctionType):
            is_own = isinstance(value, type) or name in getattr(value, "__dict__", {})
            return Known(found if is_own else types.MethodType(found, value))
        if isinstance(found, staticmethod):
            return Known(found.__func__)
        if isinstance(found, types.MemberDescriptorType) and not isinstance(value, type):
            return Known(getattr(value, name))
        if hasattr(type(found), "__get__") or str(kind.__module__).startswith("broadpeak"):
            _no(f"it reads {name} of {_named(Known(value))}")
        return Known(found)

    def _place(self, owner: Kind) -> Same:
        """Return a known object of the library, or a table, as what all combinations share."""
        if isinstance(owner, Same):
            return owner
        if not isinstance(owner, Known):
            _no(f"it uses {_named(owner)}")
        value = owner.value
        key = id(value)
        if key not in self._places:
            if type(value) is Data:
                self.n_bars = max(self.n_bars, len(value))
                table = value._table  # noqa: SLF001  # what its indicators lie on
                if table.codes is not None:
                    _no("its data have one symbol a combination already")
                if all(bars is None for bars in table.own_bars):
                    self._gapless.add(id(table))
                if table.single:
                    self._single.add(id(table))
                self._places[key] = Same("data", id(table))
            elif type(value) is IndicatorResult:
                shape = value._shape  # noqa: SLF001  # whether it has columns of parameters
                if shape.take is not None:
                    _no("an indicator has lists of parameters already")
                outputs, data = value.outputs, id(shape.table)
                self._places[key] = Same("indicator", data, outputs, shape.hidden)
            elif isinstance(value, _TABLES):
                self._places[key] = Same("table", key)
            elif is_portfolio(type(value)):
                self._places[key] = Same("portfolio", key)
            else:
                _no(f"it uses {_named(owner)}")
        return self._places[key]

    def _of_same(self, owner: Same, name: str) -> Kind:
        if owner.kind == "data":
            if name in _PRICES and _is_ours(Data, name):
                return Same("table" if name not in {"symbols", "index"} else "other", owner.bars)
            if name in {"run", "select", "resample"} and _is_ours(Data, name):
                return Bound(owner, name)
        elif owner.kind == "indicator":
            if name in owner.outputs:
                return Same("table", owner.bars)
            if _crossing(name, owner.outputs) or name == "unpack":
                return Bound(owner, name)
        elif owner.kind == "table":
            if name == "bp" or name in _PURE_METHODS:
                return Bound(owner, name)
        elif owner.kind == "portfolio" and (name in METRICS or name in _PATHS):
            return Same("number" if name in METRICS else "table")
        return _no(f"it reads {name} of {owner.kind}")

    def _of_each(self, owner: Each, name: str) -> Kind:
        kind = owner.kind
        if kind == "data":
            if name in _PRICES - {"symbols", "index"} and _is_ours(Data, name):
                return self._made(owner.of("numbers"))
            if name == "run" and _is_ours(Data, name):
                return Bound(owner, name)
        elif kind == "indicator":
            if name in owner.outputs:
                return self._made(owner.of("numbers"))
            if _crossing(name, owner.outputs) or name in {"unpack", "rename_levels"}:
                return Bound(owner, name)
        elif kind in _OVER_BARS:
            if name in _COLUMNWISE[kind] or name in {"bp", "iloc"}:
                return Bound(owner, name)
        elif kind == "portfolio" and _is_ours(_portfolio_class(), name):
            if name in METRICS:
                return owner.of("counts" if name == "num_trades" else "figures")
            if name in _PATHS:
                return self._made(owner.of("numbers"))
        return _no(f"it reads {name} of {_named(owner)}")

    def _new(self, same: Same) -> Same:
        """Return something that stands on bars of its own."""
        return Same(same.kind, (next(self._numbers),), same.outputs, same.is_hidden)

    def _made(self, each: Each) -> Each:
        self.n_made += 1
        return each

    # --- calls --------------------------------------------------------------------------------

    def call(self, func: Kind, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        """Return what a call gives."""
        if isinstance(func, Bound):
            return self._call_bound(func, args, named)
        if not isinstance(func, Known):
            _no(f"it calls {_named(func)}")
        value = func.value
        if value is Param:
            return self._axis(args, named)
        inner = getattr(value, "__func__", value)
        if isinstance(inner, types.FunctionType) and isinstance(value, _FUNCTIONS):
            module = inner.__globals__.get("__name__")
            if module == "broadpeak._portfolio.portfolio" and inner.__name__ == "from_signals":
                return self._simulated(value, args, named)
            if module == "broadpeak._signals.cross" and inner.__name__ in _CROSSINGS:
                return self._crossed(inner.__name__, args, named)
            if module == "broadpeak._indicators.columnwise" and hasattr(inner, "__wrapped__"):
                return self._indicator(inner.__wrapped__, args, named)
        elif not any(map(_listed, (*args, *named.values()))):
            if any(value is one for one in _PURE_BUILTINS):
                return self._builtin(value, args, named)
            if type(value) is np.ufunc and not named and len(args) == value.nin:
                kinds = set(map(self._operand, args))
                return Same("table" if "table" in kinds else "number")
        passed = next(filter(_listed, (*args, *named.values())), None)
        with_ = "" if passed is None else f" with {_named(passed)}"
        return _no(f"it calls {_named(func)}{with_}")

    def _axis(self, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        """Return the parameter of a stop, of which every combination meets every value."""
        values = args[0] if args else named.get("value")
        if len(args) > 1 or values is None or not named.keys() <= _OF_AXIS:
            _no("it makes a parameter")
        options = {key: one for key, one in named.items() if key != "value"}
        parts = values.items if isinstance(values, Items) else (values,)
        known = [one.value for one in (*parts, *options.values()) if isinstance(one, Known)]
        if len(known) < len(parts) + len(options):
            _no("it makes a parameter of what is not known")
        found: Any = known[: len(parts)] if isinstance(values, Items) else known[0]
        if not isinstance(found, (list, tuple, range, np.ndarray, pd.Index)):
            _no("it makes a parameter of what is not plain")
        return Known(Param(found, **dict(zip(options, known[len(parts) :], strict=True))))

    def _builtin(self, func: Any, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        if all(isinstance(arg, Known) and isinstance(arg.value, _SCALARS) for arg in args):
            if named or func is range:
                return Same("other")
            return Known(func(*(arg.value for arg in args if isinstance(arg, Known))))
        if func is tuple and len(args) == 1:
            return Items(self.items(args[0]))
        self._check_shared(*args)  # no method of the user's may be behind it
        return Same("number" if func in {abs, float, int, len, round} else "other")

    def _shared(self, value: Kind) -> Kind:
        """Return a value if it is plain, or of the library, and the same for all combinations."""
        if _listed(value):
            _no(f"it passes {_named(value)} on")
        if not (isinstance(value, Known) and isinstance(value.value, (*_SCALARS, slice))):
            self._place(value)
        return value

    def _is_table(self, value: Kind) -> bool:
        return isinstance(value, (Known, Same)) and self._operand(value) == "table"

    def _check_shared(self, *values: Kind) -> None:
        """Refuse values, and what is in lists and dicts, as `_shared` does."""
        for value in values:
            if isinstance(value, Items):
                self._check_shared(*value.items)
            elif isinstance(value, NamedItems):
                self._check_shared(*value.items.values())
            else:
                self._shared(value)

    def _call_bound(self, func: Bound, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        owner, name = func.owner, func.name
        if not isinstance(owner, (Same, Each)):
            return _no(f"it calls {name} of {_named(owner)}")
        if owner.kind == "data":
            if name == "run":
                return self._run(owner, args, named)
            return self._selected(owner, name, args, named)
        if owner.kind == "indicator":
            return self._of_indicator(owner, name, args, named)
        if name in _CROSSINGS and not named:
            return self._crossed(name, [owner, *args], {})
        if isinstance(owner, Same):
            return self._pure(owner, name, args, named)
        return _columnwise(owner, name, args, named)

    def _pure(
        self, owner: Same, name: str, args: Sequence[Kind], named: Mapping[str, Kind]
    ) -> Kind:
        self._check_shared(*args, *named.values())
        # Methods of NumPy may be given, behind what they read, an array that they write to.
        behind = args[2 if name in _OF_TWO else 1 :]
        if "inplace" in named or "out" in named or any(map(self._is_table, behind)):
            _no("it changes a table")
        return Same("table", owner.bars)

    def _selected(
        self, owner: Same | Each, name: str, args: Sequence[Kind], named: Mapping[str, Kind]
    ) -> Kind:
        if isinstance(owner, Each) or named or len(args) != 1:
            return _no(f"it calls {name} of data")
        value = args[0]
        if isinstance(value, Listed) and name == "select":
            if owner.bars not in self._gapless:
                _no("its symbols stand on bars of their own")
            return self._made(Each("data", owner.bars, ("select", value.name), is_zipped=True))
        self._shared(value)
        return self._new(Same("data"))

    def _run(self, owner: Same | Each, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        """Return what ``data.run(name, …)`` gives."""
        if not args or not isinstance(args[0], Known):
            return _no("it runs an indicator that is not known")
        definition = find(args[0].value)
        settings = dict(named)
        options = {}
        for option in ("unpack", "hide_params", "param_product"):
            option_value = settings.pop(option, Known(False))
            if not isinstance(option_value, Known) or not isinstance(option_value.value, bool):
                _no(f"{option} is not known")
            options[option] = option_value.value
        if options["param_product"]:
            _no("it multiplies lists of parameters")
        inputs = {name: settings.pop(name) for name in definition.inputs if name in settings}
        for value in inputs.values():
            if isinstance(owner, Each) and not (
                isinstance(value, Known) and isinstance(value.value, str)
            ):
                _no("an indicator gets other prices than those of its data")
            self._shared(value)
        bound = bind(definition.name, list(definition.params), list(args[1:]), settings)
        lists = self._lists(bound)
        is_hidden = options["hide_params"]
        if not lists and isinstance(owner, Same):
            same = Same("indicator", owner.bars, definition.outputs, is_hidden)
            return self._unpacked(same) if options["unpack"] else same
        names = () if is_hidden else [f"{definition.short}_{key}" for key in lists]
        outer = (owner.made, owner.names) if isinstance(owner, Each) else ((), frozenset[str]())
        made = (
            ("hidden", outer[0]) if is_hidden else ("run", outer[0], tuple(lists.items()), *names)
        )
        is_zipped = isinstance(owner, Each)
        found = Each(
            *("indicator", owner.bars, made, outer[1].union(names), definition.outputs),
            is_hidden=is_hidden,
            is_zipped=is_zipped,
        )
        self._made(found)
        return self._unpacked(found) if options["unpack"] else found

    def _lists(self, settings: Mapping[str, Kind]) -> dict[str, str]:
        """Return which settings are lists of which parameter; the others must be plain values."""
        lists = {}
        for key, value in settings.items():
            if isinstance(value, Listed):
                lists[key] = value.name
            elif not (isinstance(value, Known) and isinstance(value.value, _SCALARS)) and not (
                isinstance(value, Same) and value.kind == "number"
            ):
                _no(f"a setting is {_named(value)}")
        return lists

    def _unpacked(self, owner: Same | Each) -> Kind:
        tables: list[Kind] = [
            self._made(owner.of("numbers"))
            if isinstance(owner, Each)
            else Same("table", owner.bars)
            for _ in owner.outputs
        ]
        return tables[0] if len(tables) == 1 else Items(tuple(tables))

    def _of_indicator(
        self, owner: Same | Each, name: str, args: Sequence[Kind], named: Mapping[str, Kind]
    ) -> Kind:
        if named or (name == "unpack" and args) or (name != "unpack" and len(args) != 1):
            return _no(f"it calls {name} with other arguments")
        if name == "unpack":
            return self._unpacked(owner)
        if name == "rename_levels" and isinstance(owner, Each):
            renamed = {old: self.string(new) for old, new in self.named(args[0]).items()}
            names = frozenset(renamed.get(one, one) for one in owner.names)
            made = ("renamed", owner.made, tuple(renamed.items()))
            return Each(
                *("indicator", owner.bars, made, names, owner.outputs),
                is_hidden=owner.is_hidden,
                is_zipped=owner.is_zipped,
            )
        return self._crossed_result(owner, name, args[0])

    def _crossed_result(self, owner: Same | Each, name: str, other: Kind) -> Kind:
        """Return the crossing of an indicator with another one, a level or values bar by bar."""
        names: frozenset[str]
        right: tuple[Any, ...]
        if isinstance(other, Listed):
            names = frozenset() if owner.is_hidden else frozenset((name,))
            right, how = (other.name,), "hidden" if owner.is_hidden else "level"
        elif isinstance(other, Each) and other.kind == "indicator":
            if other.bars != owner.bars:
                return _no("it crosses indicators of other data")
            names, right, how = other.names, other.made, "pair"
        elif isinstance(other, Each) and other.kind == "numbers":
            self._check_pair(owner, other)
            names, right, how = other.names, other.made, "values"
        else:
            self._shared(other)
            if isinstance(owner, Same):
                return Same("table", owner.bars)
            if isinstance(other, Known) and isinstance(other.value, str):
                return _no("it crosses a string")
            return self._made(owner.of("signals"))
        left, outer = _labels_of(owner)
        made = _joined(how, left, right, *([name] if how == "level" else []))
        is_zipped = any(isinstance(one, Each) and one.is_zipped for one in (owner, other))
        return self._made(Each("signals", owner.bars, made, outer | names, is_zipped=is_zipped))

    def _check_pair(self, left: Kind, right: Kind) -> None:
        """Refuse columns that may meet by their labels instead of by position."""
        if not isinstance(left, Each) or not isinstance(right, Each):
            return
        if left.bars != right.bars:
            _no("it crosses columns of other data")
        if left.made == right.made or not left.names or not right.names:
            return
        if left.names == right.names and left.bars in self._single:
            return  # columns are numbers alone: they meet by position
        if left.names <= right.names or right.names <= left.names:
            _no("columns of two parameters would meet by their labels")

    def _crossed(self, name: str, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        """Return ``crossed_above(left, right)``."""
        sides = [*args, *(named[side] for side in ("left", "right") if side in named)]
        if len(sides) != 2:
            return _no(f"it calls {name} with other arguments")
        each = [side for side in sides if isinstance(side, Each)]
        if any(side.kind != "numbers" for side in each):
            return _no(f"it crosses {_named(each[0])}")
        for side in sides:
            if not isinstance(side, (Each, Listed)):
                self._shared(side)
        if not each and not any(isinstance(side, Listed) for side in sides):
            return Same("table")
        if len(each) == 2:
            self._check_pair(*each)
            made = _joined("pair of columns", each[0].made, each[1].made)
            return self._made(
                Each(
                    *("signals", each[0].bars, made, each[0].names | each[1].names),
                    is_zipped=each[0].is_zipped or each[1].is_zipped,
                )
            )
        lists = [side for side in sides if isinstance(side, Listed)]
        if not lists:
            return self._made(each[0].of("signals"))
        table = next((side for side in sides if not isinstance(side, Listed)), None)
        if table is None or (isinstance(table, Known) and isinstance(table.value, _SCALARS)):
            return _no("it crosses a list and no table")
        owner = table if isinstance(table, Each) else self._place(table)
        left, outer = _labels_of(owner)
        made = ("level", left, lists[0].name, name)
        is_zipped = isinstance(owner, Each) and owner.is_zipped
        return self._made(Each("signals", owner.bars, made, outer | {name}, is_zipped=is_zipped))

    def _indicator(self, func: Any, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        """Return what an array function, such as ``bp.sma``, gives."""
        parameters = signature(func).parameters
        bound = signature(func).bind(*args, **named).arguments
        inputs = {
            key: bound.pop(key)
            for key, parameter in parameters.items()
            if parameter.default is parameter.empty
        }
        lists = self._lists(bound)
        each = [value for value in inputs.values() if isinstance(value, Each)]
        for value in inputs.values():
            if isinstance(value, Each):
                if value.kind != "numbers" or value.made != each[0].made:
                    _no(f"an indicator gets {_named(value)}")
            else:
                self._shared(value)
        if not each and not lists:
            n_outputs = _is_many(func)
            return Items((Same("table"),) * n_outputs) if n_outputs else Same("table")
        bars = set(map(self._bars_of, inputs.values()))
        if len(bars) > 1:
            _no("an indicator gets tables of several data")
        short = func.__name__.lower()
        names = [f"{short}_{key}" for key in lists]
        outer = each[0] if each else None
        made = (outer.made if outer else (), "columns", tuple(lists.items()), *names)
        if outer is not None and not lists:
            made = outer.made
        before = outer.names if outer else frozenset[str]()
        found = Each(
            *("numbers", bars.pop(), made, before.union(names)),
            is_zipped=outer is not None and outer.is_zipped,
        )
        self.n_made += 1
        n_outputs = _is_many(func)
        return Items((found,) * n_outputs) if n_outputs else found

    def _bars_of(self, value: Kind) -> Hashable:
        return value.bars if isinstance(value, Each) else self._place(value).bars

    def _simulated(self, func: Any, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
        """Return what ``PF.from_signals(…)`` gives."""
        if not is_portfolio(func.__self__):
            return _no("it simulates with a class of its own")
        bound = signature(func).bind(*args, **named).arguments
        made: list[Any] = ["portfolio"]
        bars: Hashable = None
        is_zipped = False
        for name, value in bound.items():
            if name in {"group_by", "cash_sharing"}:
                if not (isinstance(value, Known) and value.value in (None, False)):
                    _no("it groups columns")
            elif isinstance(value, Known) and type(value.value) is Param:
                if name not in _STOPS:
                    _no(f"{name} of a portfolio is a Param")
                self._axes.append(value)  # so that its id stays its own
                made.append((name, "axis", id(value.value)))
            elif isinstance(value, Listed):
                if name not in _SETTINGS:
                    _no(f"{name} of a portfolio is a parameter")
                made.append((name, value.name))
            elif isinstance(value, Each):
                kinds = {"signals"} if name in _SIGNALS else {"numbers", "data"}
                if value.kind not in kinds:
                    _no(f"{name} of a portfolio is {_named(value)}")
                made.append((name, value.made))
                is_zipped = is_zipped or value.is_zipped
            else:
                self._shared(value)
            if name == "close":
                bars = self._bars_of(value)
        if not any(isinstance(value, (Each, Listed)) for value in bound.values()):
            return Same("portfolio")
        return self._made(Each("portfolio", bars, tuple(made), is_zipped=is_zipped))

    # --- the end ------------------------------------------------------------------------------

    def check_result(self, value: Kind) -> None:
        """Refuse what a body returns if it cannot be taken apart into combinations."""
        for one in value.items if isinstance(value, Items) and value.items else (value,):
            if not isinstance(one, Each) or one.kind not in _RETURNED:
                _no(f"it returns {_named(one)}")
            if one.is_zipped and one.kind in _OVER_BARS:
                _no("it returns bars of one symbol a combination")


_CROSSINGS: Final = frozenset(("crossed_above", "crossed_below"))
_COLUMNWISE: Final[dict[str, dict[str, str]]] = {
    "numbers": {
        **dict.fromkeys(("abs", "bfill", "ffill", "fillna", "shift"), "numbers"),
        **dict.fromkeys(("isna", "notna"), "signals"),
        **dict.fromkeys(("max", "min"), "figures"),
    },
    "signals": {
        "shift": "signals",
        **dict.fromkeys(("all", "any"), "flags"),
        "mean": "figures",
        "sum": "counts",
    },
}
"""Methods of pandas that are the same for a Series and for each column of a frame."""


def _columnwise(owner: Each, name: str, args: Sequence[Kind], named: Mapping[str, Kind]) -> Kind:
    found = _COLUMNWISE[owner.kind].get(name)
    values = [*args, *named.values()]
    plain = [value.value for value in values if isinstance(value, Known)]
    fits = not values
    if name == "shift" and len(plain) == len(values):
        filled = named.get("fill_value")
        is_right = set(named) <= {"periods", "fill_value"} and len(args) <= 1
        steps = plain[0] if args or "periods" in named else 1
        is_bool = isinstance(filled, Known) and type(filled.value) is bool
        fits = is_right and type(steps) is int and (filled is None) == (owner.kind == "numbers")
        fits = fits and (is_bool or owner.kind == "numbers")
    elif name == "fillna" and len(plain) == len(values) == 1 and not named:
        fits = _is_small(plain[0])
    if found is None or not fits:
        return _no(f"it calls {name} of {_named(owner)}")
    return owner.of(found)


def _labels_of(value: Same | Each) -> tuple[tuple[Any, ...], frozenset[str]]:
    """Return how the labels of columns came about, and their names."""
    return (value.made, value.names) if isinstance(value, Each) else ((), frozenset())


def _joined(how: str, left: tuple[Any, ...], right: tuple[Any, ...], *more: str) -> tuple[Any, ...]:
    """Return how labels of two sides came about; hidden ones are all the same."""
    hidden = [side for side in (left, right) if side and side[0] == "hidden"]
    if how == "hidden" and hidden:
        return hidden[0]
    if len(hidden) == 2 and left == right:
        return left
    return how, left, right, *more


def _crossing(name: str, outputs: Sequence[str]) -> bool:
    return any(name in {f"{one}_crossed_above", f"{one}_crossed_below"} for one in outputs)


def _is_small(value: object) -> bool:
    """Return whether a value is a number that floats hold exactly."""
    if isinstance(value, bool) or type(value) not in {int, float}:
        return False
    return type(value) is float or abs(value) <= _LARGEST  # type: ignore[arg-type]  # an int


def is_portfolio(kind: object) -> bool:
    """Return whether a class is the library's `Portfolio`, which this layer does not import."""
    return (
        isinstance(kind, type)
        and kind.__module__ == "broadpeak._portfolio.portfolio"
        and kind.__name__ == "Portfolio"
    )


def _portfolio_class() -> Any:
    return sys.modules["broadpeak._portfolio.portfolio"].Portfolio  # there is one: it is loaded


def _is_ours(owner: Any, name: str) -> bool:
    """Return whether an attribute of a class is the library's, and not put there by the user."""
    found = getattr_static(owner, name, None)
    func = getattr(found, "fget", None) or getattr(found, "__func__", found)
    scope = getattr(func, "__globals__", {})
    return str(scope.get("__name__", "")).partition(".")[0] == "broadpeak"


def _is_many(func: Any) -> int:
    """Return how many tables an array function returns, 0 where it returns one alone."""
    text = func.__annotations__.get("return", "")
    kind = func.__globals__.get(text.partition("[")[0]) if isinstance(text, str) else text
    fields: Sequence[str] | None = getattr(kind, "_fields", None)
    return 0 if fields is None else len(fields)
