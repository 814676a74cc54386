# SPDX-License-Identifier: BSD-3-Clause
"""One parameter: its values, their labels, and how it joins the grid."""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import re
from collections import Counter
from collections.abc import (
    Callable,
    Hashable,
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    ValuesView,
)
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn, TypeAlias, TypedDict, Unpack, cast

import numpy as np
import pandas as pd

from broadpeak._core import check, expressions
from broadpeak._core.aliases import Index
from broadpeak._core.labels import as_keys_index
from broadpeak.errors import ConditionError, ParamError, broken_rule
from broadpeak.types import MISSING, Splittable

Labels: TypeAlias = "Sequence[Any] | Index"
"""Labels of values, one each."""


@dataclass(frozen=True)
class IndexLevel:
    """One level of the index: its name, its labels (one a value) and its parameter."""

    name: str
    labels: Labels
    param: str
    hidden: bool


class ParamSettings(TypedDict, total=False):
    """The options of a `Param`; those that were typed win over those of an annotation."""

    name: str | None
    level: int | None
    condition: str | Callable[..., object] | None
    keys: Labels | None
    hide: bool
    eval_id: Hashable
    context: Mapping[str, object] | None
    mono_reduce: bool
    mono_merge_func: object
    mono_merge_kwargs: Mapping[str, object] | None


_DEFAULTS: Final[ParamSettings] = {
    "name": None,
    "level": None,
    "condition": None,
    "keys": None,
    "hide": False,
    "eval_id": None,
    "context": None,
    "mono_reduce": False,
    "mono_merge_func": None,
    "mono_merge_kwargs": None,
}


class Param:
    """A parameter of a grid: values to try, and how they join the combinations.

    Wrap an argument of a `parameterized` function, or pass it to `combine_params` and `ParamGrid`.
    As an annotation it may stand bare (``Param``) or hold settings without values
    (``Param(condition="fast < slow")``).

    Parameters
    ----------
    value : sequence, range, array, pd.Index, Series, scalar or splittable object
        The values. One scalar (also a string, a dict or a frame) is one value; the items of a 2-D
        array are its rows; a `pd.MultiIndex` gives its tuples. An object that can be split, such as
        `Data`, gives its items. The columns of a frame are taken with `Param.from_columns`.
    name : str, optional
        Name of the index level. Default: the name of `keys` or `value` if it is a named `pd.Index`,
        else the name of the argument.
    level : int, optional
        Parameters on one level are zipped, different levels are multiplied; lower is slower. If one
        parameter has a level, all must.
    condition : str or callable, optional
        What a combination must meet: an expression over parameter names, ``x`` (the value of this
        parameter, unless a parameter has that name), ``__name__`` (the label on index level `name`)
        and `context`; or a callable whose arguments are such names.
    keys : sequence, optional
        Labels shown instead of the values, one each.
    hide : bool
        Whether the parameter is left out of the index.
    eval_id : hashable, optional
        Which of several nested decorators takes this parameter.
    context : dict, optional
        More names for `condition`.
    mono_reduce : bool
        Whether a chunk of equal values is passed as one value.
    mono_merge_func : str, MergeFunc or callable, optional
        How the values of a chunk are joined before they are passed.
    mono_merge_kwargs : dict, optional
        Arguments of `mono_merge_func`.

    Raises
    ------
    ParamError
        If there are no values, keys and values differ in number, or an option has a wrong type.
    ConditionError
        If the condition is not an allowed expression; it is checked before any of it is evaluated.

    Notes
    -----
    NumPy numbers and booleans in an array become Python's own, dates become `pd.Timestamp`. Labels
    of arrays are ``array_0, array_1, …``, callables show their ``__name__``, other objects their
    class name in snake case with a running number. A Param cannot be changed once it is made.

    Examples
    --------
    >>> Param([10, 20], condition="x < slow")
    Param([10, 20], condition='x < slow')
    >>> list(Param(range(3)).values)
    [0, 1, 2]
    """

    value: Any
    name: str | None
    level: int | None
    condition: str | Callable[..., object] | None
    keys: Labels | None
    hide: bool
    eval_id: Hashable
    context: Mapping[str, object] | None
    mono_reduce: bool
    mono_merge_func: Any
    mono_merge_kwargs: Mapping[str, object] | None
    _settings: ParamSettings
    _items: Sequence[Any] | None
    _labels: Labels | None
    __signature__: ClassVar[inspect.Signature]

    def __init__(self, value: object = MISSING, **settings: Unpack[ParamSettings]) -> None:
        # Keywords are taken as a dict, since an option that was typed wins over an annotation even
        # where it was typed at its default.
        if isinstance(value, (Iterator, KeysView, ValuesView, ItemsView)):
            value = list(value)
        if isinstance(value, Param):
            remedy = "Type Param([…]) once, with all settings."
            raise ParamError(broken_rule("Param", "hold values", value, remedy))
        for name in settings:
            if name not in _DEFAULTS:
                raise check.unknown_option("Param", name, _DEFAULTS)
        for name, setting in settings.items():
            _check_setting(name, setting)
        items, labels = (None, None) if value is MISSING else _items(value)
        keys = settings.get("keys")
        if keys is not None:
            labels = _labels_of_keys(keys, items)
        elif labels is None and items is not None:
            labels = label_values(items)
        self.__dict__.update(_DEFAULTS, **settings)
        self.__dict__.update(value=value, _settings=settings, _items=items, _labels=labels)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        msg = f"a Param cannot be changed, got {name}={value!r}. Type Param(…) with other settings."
        raise AttributeError(msg)

    @classmethod
    def from_columns(cls, frame: pd.DataFrame, **settings: Unpack[ParamSettings]) -> Param:
        """Return the columns of `frame` as values, one Series each, labelled by the columns.

        Examples
        --------
        >>> frame = pd.DataFrame({"A": [1.0, 2.0], "B": [3.0, 4.0]})
        >>> Param.from_columns(frame, name="symbol").level_names("close")
        ('symbol',)
        """
        if not isinstance(frame, pd.DataFrame):
            raise ParamError(broken_rule("from_columns", "get a DataFrame", frame))
        columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
        labelled: ParamSettings = {"keys": frame.columns, **settings}
        return cls(columns, **labelled)

    @property
    def has_value(self) -> bool:
        """Whether there are values: not so for a Param that is only an annotation."""
        return self.value is not MISSING

    @property
    def values(self) -> Sequence[Any]:
        """The values, one an item.

        Raises
        ------
        ParamError
            If the Param has no value.
        """
        if self._items is None:
            msg = "a Param must have values here, got none. Type Param([…]) with the values to try."
            raise ParamError(msg)
        return self._items

    def __len__(self) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        return True

    def level_names(self, argument: str) -> tuple[str, ...]:
        """Return the names of the index levels this parameter brings, as argument `argument`."""
        return tuple(level.name for level in self.index_levels(argument))

    def index_levels(self, argument: str) -> list[IndexLevel]:
        """Return the levels it brings to an index: one, or several where labels are tuples."""
        labels = () if self._labels is None else self._labels
        hidden = bool(self.hide)
        if isinstance(labels, pd.MultiIndex):
            if labels.nlevels > 1:
                own_names = cast("list[str | None]", list(labels.names))  # any label may be a name
                names = [
                    f"{argument}_{i}" if name is None else name for i, name in enumerate(own_names)
                ]
                return [
                    IndexLevel(name, labels.get_level_values(i), argument, hidden)
                    for i, name in enumerate(names)
                ]
            labels = labels.get_level_values(0)
        level_name = self.name
        for named in (self.keys, self.value, labels):
            if level_name is None and isinstance(named, pd.Index):
                level_name = cast("str | None", named.name)
        shown_name = argument if level_name is None else level_name
        return [IndexLevel(shown_name, labels, argument, hidden)]

    def with_defaults(self, annotation: Param | type[Param]) -> Param:
        """Return this Param with the settings of `annotation` where it has none of its own.

        Parameters
        ----------
        annotation : Param or the class itself
            The annotation of the argument that receives this Param.

        Examples
        --------
        >>> Param([1, 2], hide=True).with_defaults(Param(condition="x > 1", hide=False))
        Param([1, 2], condition='x > 1', hide=True)
        """
        if not isinstance(annotation, Param):
            return self
        settings: ParamSettings = {**annotation.settings(), **self._settings}
        return Param(self.value, **settings)

    def with_names(self, names: Mapping[str, object]) -> Param:
        """Return this Param with more names for its condition; its own context wins."""
        check.mapping("names", names)
        if self.condition is None:
            return self
        context = {**names, **(self.context or {})}
        settings: ParamSettings = {**self._settings, "context": context}
        return Param(self.value, **settings)

    def settings(self) -> ParamSettings:
        """Return the options that were typed, without the value."""
        typed: Mapping[str, object] = self._settings
        return cast("ParamSettings", {name: typed[name] for name in _DEFAULTS if name in typed})

    def __repr__(self) -> str:
        shown = [] if self.value is MISSING else [repr(self.value)]
        shown += [f"{name}={value!r}" for name, value in self.settings().items()]
        return f"Param({', '.join(shown)})"


# What `help` and editors show of the keywords that come as a dict.
Param.__signature__ = inspect.Signature(
    [
        inspect.Parameter("value", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=MISSING),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            for name, default in _DEFAULTS.items()
        ),
    ]
)


def _check_setting(name: str, value: object) -> None:
    """Raise unless the option `name` may have `value`."""
    if name == "condition" and isinstance(value, str):
        expressions.parse(value, "condition")
    elif name in {"hide", "mono_reduce"}:
        check.flag(name, value)
    elif name == "eval_id":
        check.identifier(name, value)
    elif value is None:
        return
    elif name == "name" and not isinstance(value, str):
        raise ParamError(broken_rule(name, "be a string", value))
    elif name == "level" and not isinstance(check.real(value), int):
        raise ParamError(broken_rule(name, "be an integer", value))
    elif name in {"context", "mono_merge_kwargs"} and not isinstance(value, Mapping):
        what = "names" if name == "context" else "arguments"
        raise ParamError(broken_rule(name, f"be a dict of {what}", value))
    elif name == "condition" and not callable(value):
        raise ConditionError(broken_rule(name, "be a string or a callable", value))


def _items(value: Any) -> tuple[Sequence[Any], Labels | None]:
    """Return the items of `value` and, if it brings them, their labels."""
    labels: Labels | None = None
    items: Sequence[Any]
    if type(value) is list or type(value) is tuple:
        items = list(value)
    elif isinstance(value, Splittable) and not isinstance(value, type):
        parts, labels = value.split_params()
        items = list(parts)
    elif isinstance(value, range):
        items = value
        try:
            len(value)
        except OverflowError:
            rule = "hold fewer than 2**63 values"
            remedy = "Spread them over parameters."
            raise ParamError(broken_rule("Param", rule, value, remedy)) from None
    elif isinstance(value, (str, bytes, bytearray, memoryview, Mapping, pd.DataFrame)):
        items = [value]
    elif isinstance(value, (np.ndarray, pd.Series, pd.Index)):
        items, labels = _array_items(value)
    elif isinstance(value, AbstractSet):
        rule = "have values in a definite order"
        raise ParamError(broken_rule("Param", rule, value, "Type Param(sorted(…))."))
    elif isinstance(value, Sequence):
        items = list(value)
    else:
        array_like = hasattr(value, "__array__") and np.ndim(value) > 0 and not callable(value)
        items = list(pd.Index(np.asarray(value))) if array_like else [value]
    if not items:
        rule = "hold at least one value"
        raise ParamError(broken_rule("Param", rule, value, "Type Param([…]) with the values."))
    return items, labels


def _array_items(value: Any) -> tuple[list[Any], pd.MultiIndex | None]:
    if isinstance(value, pd.MultiIndex):
        return list(value), value
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return [value.item()], None
        if value.ndim > 1:
            return list(value), None
        if value.dtype.kind in "biufcUS":
            return value.tolist(), None
        value = pd.Index(value)
    return value.tolist(), None


def _labels_of_keys(keys: Any, items: Sequence[Any] | None) -> Labels:
    rule = "be a sequence of labels"
    if isinstance(keys, (str, bytes)) or not (
        isinstance(keys, Sequence) or hasattr(keys, "__iter__")
    ):
        raise ParamError(broken_rule("keys", rule, keys, "Type keys=[…]."))
    check.labels("keys", keys, rule)
    labels = keys if isinstance(keys, (pd.Index, range)) else list(keys)
    if items is not None and len(labels) != len(items):
        msg = (
            f"keys must be as many as the values, got {len(labels)} keys for {len(items)} values. "
            "Give one label a value."
        )
        raise ParamError(msg)
    if isinstance(labels, list) and labels and all(isinstance(label, tuple) for label in labels):
        return as_keys_index(labels)
    return labels if isinstance(labels, pd.Index) else label_values(labels)


_BUILT_IN = frozenset({type(None), str, bytes, bool, int, float})
_SHOWN_AS_THEY_ARE = (
    str, bytes, bool, int, float, complex, dt.date, dt.time, dt.timedelta, dt.tzinfo, enum.Enum,
    np.generic, pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval, type(pd.NaT), type(pd.NA),
)  # fmt: skip


def label_values(values: Sequence[Any]) -> Sequence[Any]:
    """Return one label a value: the value itself where pandas can show it, else a name.

    Examples
    --------
    >>> import numpy as np
    >>> label_values([1, np.zeros(2), len, {"a": 1}, np.ones(3)])
    [1, 'array_0', 'len', 'dict_0', 'array_1']
    """
    if isinstance(values, range) or _BUILT_IN.issuperset(map(type, values)):
        return values
    if all(map(_shows_itself, values)):
        return values
    n_of: Counter[str] = Counter()
    labels: list[Any] = []
    for value in values:
        name = getattr(value, "__name__", None)
        if _shows_itself(value):
            labels.append(value)
        elif callable(value) and isinstance(name, str):
            labels.append(name)
        else:
            is_array = isinstance(value, np.ndarray)
            stem = "array" if is_array else snake_case(type(value).__name__)
            labels.append(f"{stem}_{n_of[stem]}")
            n_of[stem] += 1
    return labels


def _shows_itself(value: Any) -> bool:
    if value is None or isinstance(value, _SHOWN_AS_THEY_ARE):
        return True
    # Decimal, Fraction and other numbers show themselves; anything that holds items does not.
    return hasattr(value, "__float__") and not hasattr(value, "__len__") and not callable(value)


def snake_case(name: str) -> str:
    """Return a class name in snake case.

    Examples
    --------
    >>> snake_case("SMAModel"), snake_case("DataFrame"), snake_case("_Rule2")
    ('sma_model', 'data_frame', 'rule2')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return spaced.strip("_").lower()
