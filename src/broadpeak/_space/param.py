# SPDX-License-Identifier: BSD-3-Clause
"""One parameter: its values, their labels, and how it joins the grid."""

from __future__ import annotations

import inspect
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check, expressions
from broadpeak._core.labels import as_keys_index
from broadpeak._space.naming import label_values
from broadpeak.errors import ConditionError, ParamError, broken_rule
from broadpeak.types import MISSING, Splittable


@dataclass(frozen=True, eq=False, repr=False)
class Param:
    """A parameter of a grid: values to try, and how they join the combinations.

    Wrap an argument of a `parameterized` function, or pass it to `combine_params` and `ParamGrid`.
    As an annotation it may stand bare (``Param``) or hold settings without values
    (``Param(condition="fast < slow")``).

    Parameters
    ----------
    value : sequence, range, array, pd.Index, Series, scalar or splittable object
        The values. One scalar (also a text, a dict or a frame) is one value; the items of a 2-D
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
        If there are no values, as many keys as values are not given, or an option has a wrong type.
    ConditionError
        If the condition is not an allowed expression; nothing of it runs.

    Notes
    -----
    NumPy numbers and booleans in an array become Python's own, dates become `pd.Timestamp`. Labels
    of arrays are ``array_0, array_1, …``, callables show their ``__name__``, other objects their
    class name in snake case with a running number. A Param is not changed after it was made.

    Examples
    --------
    >>> Param([10, 20], condition="x < slow")
    Param([10, 20], condition='x < slow')
    >>> list(Param(range(3)).values)
    [0, 1, 2]
    """

    value: Any = MISSING
    _: KW_ONLY
    name: str | None = None
    level: int | None = None
    condition: str | Callable[..., Any] | None = None
    keys: Any = None
    hide: bool = False
    eval_id: Any = None
    context: Mapping[str, Any] | None = None
    mono_reduce: bool = False
    mono_merge_func: Any = None
    mono_merge_kwargs: Mapping[str, Any] | None = None

    def __new__(cls, *args: Any, **settings: Any) -> Param:
        # Which settings the caller typed decides who wins over an annotation, even at a default.
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise check.unknown_option("Param", name, known)
        param = super().__new__(cls)
        object.__setattr__(param, "_given", frozenset(settings) - {"value"})
        return param

    def __post_init__(self) -> None:
        value = self.value
        if isinstance(value, (Iterator, KeysView, ValuesView, ItemsView)):
            value = list(value)
            object.__setattr__(self, "value", value)
        if isinstance(value, Param):
            remedy = "Type Param([…]) once, with all settings."
            raise ParamError(broken_rule("Param", "hold values", value, remedy))
        _check_settings(self)
        items, index = (None, None) if value is MISSING else _items(value)
        object.__setattr__(self, "_items", items)
        object.__setattr__(self, "_index", _label_index(self.keys, items, index))

    @classmethod
    def from_columns(cls, frame: pd.DataFrame, **settings: Any) -> Param:
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
        return cls(columns, **{"keys": frame.columns, **settings})

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
        items: Sequence[Any] | None = self._items  # type: ignore[attr-defined]
        if items is None:
            msg = "a Param must have values here, got none. Type Param([…]) with the values to try."
            raise ParamError(msg)
        return items

    def __len__(self) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        return True

    def level_names(self, argument: str) -> tuple[str, ...]:
        """Return the names of the index levels this parameter brings, as argument `argument`."""
        own = self._own_names()
        if len(own) == 1:
            chosen = self.name if self.name is not None else own[0]
            return (argument if chosen is None else chosen,)
        return tuple(f"{argument}_{i}" if name is None else name for i, name in enumerate(own))

    def level_labels(self) -> tuple[Sequence[Any] | pd.Index[Any], ...]:
        """Return, for each of those levels, the label of every value."""
        index = self._index  # type: ignore[attr-defined]
        if isinstance(index, pd.MultiIndex):
            return tuple(index.get_level_values(i) for i in range(index.nlevels))
        return (index,)

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
        return Param(self.value, **{**annotation.settings(), **self.settings()})

    def with_names(self, names: Mapping[str, Any]) -> Param:
        """Return this Param with more names for its condition; its own context wins."""
        check.mapping("names", names)
        if self.condition is None:
            return self
        settings = {**self.settings(), "context": {**names, **(self.context or {})}}
        return Param(self.value, **settings)

    def settings(self) -> dict[str, Any]:
        """Return the options that were typed, without the value."""
        given: frozenset[str] = self._given  # type: ignore[attr-defined]
        return {
            field.name: getattr(self, field.name) for field in fields(self) if field.name in given
        }

    def __repr__(self) -> str:
        shown = [] if self.value is MISSING else [repr(self.value)]
        shown += [f"{name}={value!r}" for name, value in self.settings().items()]
        return f"Param({', '.join(shown)})"

    def _own_names(self) -> list[Any]:
        index = self._index  # type: ignore[attr-defined]
        if isinstance(index, pd.MultiIndex):
            return list(index.names)
        if isinstance(self.keys, pd.Index) and self.keys.name is not None:
            return [self.keys.name]
        if isinstance(self.value, pd.Index) and self.value.name is not None:
            return [self.value.name]
        return [getattr(index, "name", None)]


# dataclass signatures are read from __init__; __new__ is only there to see what was typed.
_parameters = list(inspect.signature(Param.__init__).parameters.values())[1:]
Param.__signature__ = inspect.Signature(_parameters)  # type: ignore[attr-defined]


def as_param(value: Any, owner: str = "Param") -> Param:
    """Return `value` as a Param: plain sequences and scalars become one without settings.

    Parameters
    ----------
    value : object
        A Param, or what could be the value of one.
    owner : str
        What errors call it.
    """
    if isinstance(value, Param):
        return value
    try:
        return Param(value)
    except ParamError as error:
        rest = str(error).removeprefix("Param ")
        raise type(error)(f"{owner} {rest}") from None


def _items(value: Any) -> tuple[Sequence[Any], pd.Index[Any] | None]:
    """Return the items of `value` and, if it brings its own labels, an index of them."""
    index = None
    if isinstance(value, Splittable) and not isinstance(value, type):
        items, index = value.split_params()
        items = list(items)
    elif isinstance(value, (str, bytes, bytearray, memoryview, Mapping, pd.DataFrame)):
        items = [value]
    elif isinstance(value, AbstractSet):
        rule = "have its values in an order"
        raise ParamError(broken_rule("Param", rule, value, "Type Param(sorted(…))."))
    elif isinstance(value, range):
        items = value
        _check_length(value)
    elif isinstance(value, (np.ndarray, pd.Series, pd.Index)):
        items, index = _array_items(value)
    elif isinstance(value, Sequence):
        items = list(value)
    else:
        array_like = hasattr(value, "__array__") and np.ndim(value) > 0 and not callable(value)
        items = list(pd.Index(np.asarray(value))) if array_like else [value]
    if not items:
        rule = "hold at least one value"
        raise ParamError(broken_rule("Param", rule, value, "Type Param([…]) with the values."))
    return items, index


def _array_items(value: Any) -> tuple[list[Any], pd.Index[Any] | None]:
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


def _check_length(values: range) -> None:
    try:
        len(values)
    except OverflowError:
        rule = "hold fewer than 2**63 values"
        raise ParamError(
            broken_rule("Param", rule, values, "Spread them over parameters.")
        ) from None


def _label_index(
    keys: Any, items: Sequence[Any] | None, index: pd.Index[Any] | None
) -> Sequence[Any] | pd.Index[Any] | None:
    if keys is None:
        return index if index is not None or items is None else label_values(items)
    if isinstance(keys, (str, bytes)) or not (
        isinstance(keys, Sequence) or hasattr(keys, "__iter__")
    ):
        raise ParamError(broken_rule("keys", "be a sequence of labels", keys, "Type keys=[…]."))
    check.labels("keys", keys, "be a sequence of labels")
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


def _check_settings(param: Param) -> None:
    _check_type("name", param.name, str, "a text")
    _check_type("level", param.level, (int, np.integer), "a whole number")
    _check_type("context", param.context, Mapping, "a dict of names")
    _check_type("mono_merge_kwargs", param.mono_merge_kwargs, Mapping, "a dict of arguments")
    for name, flag in (("hide", param.hide), ("mono_reduce", param.mono_reduce)):
        if not isinstance(flag, (bool, np.bool_)):
            raise ParamError(broken_rule(name, "be True or False", flag))
    check.identifier("eval_id", param.eval_id)
    condition = param.condition
    if isinstance(condition, str):
        expressions.parse(condition, "condition")
    elif condition is not None and not callable(condition):
        raise ConditionError(broken_rule("condition", "be a text or a callable", condition))


def _check_type(name: str, value: Any, kinds: Any, spoken: str) -> None:
    if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
        raise ParamError(broken_rule(name, f"be {spoken}", value))
