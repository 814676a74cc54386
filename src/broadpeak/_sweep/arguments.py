# SPDX-License-Identifier: BSD-3-Clause
"""Arguments of one call of a decorated function: their names, their places, their annotations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

_NO_ANNOTATIONS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as it was passed.

    Attributes
    ----------
    name : str
        As in the signature; ``args_0, args_1, …`` for items of ``*args``.
    place : int or str
        Position among the positional arguments, or keyword.
    declared : str
        Name in the signature (``args`` for items of ``*args``).
    value : object
        What was passed.
    """

    name: str
    place: int | str
    declared: str
    value: Any


class Arguments:
    """How a function names its arguments.

    Parameters
    ----------
    func : callable
        Any callable; one without a signature takes ``*args, **kwargs``.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self.signature = _signature(func)
        self.positional: list[str] = []
        self.keyword: list[str] = []
        self.var_positional: str | None = None
        self.var_keyword: str | None = None
        for name, parameter in self.signature.parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                self.var_positional = name
            elif parameter.kind is parameter.VAR_KEYWORD:
                self.var_keyword = name
            else:
                self.keyword.append(name)
                if parameter.kind is not parameter.KEYWORD_ONLY:
                    self.positional.append(name)
        self.declared = frozenset(self.keyword)

    def bind(
        self,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        also: Callable[[str, Any], bool] | None = None,
    ) -> list[Argument]:
        """Return what was passed: declared arguments in signature order, ``*args``, ``**kwargs``.

        Parameters
        ----------
        args, kwargs
            Of the call.
        also : callable, optional
            ``also(name, default)`` says whether a default counts as passed.

        Raises
        ------
        TypeError
            If the function cannot be called this way.
        """
        self.signature.bind(*args, **kwargs)
        passed: dict[str, Argument] = {}
        extra: list[Argument] = []
        for place, value in enumerate(args):
            if place < len(self.positional):
                name = self.positional[place]
                passed[name] = Argument(name, place, name, value)
            else:
                star = self.var_positional or "args"
                number = place - len(self.positional)
                extra.append(Argument(f"{star}_{number}", place, star, value))
        named = [name for name in kwargs if name not in self.declared]
        for name in self.keyword:
            if name in kwargs and name not in passed:
                passed[name] = Argument(name, name, name, kwargs[name])
            elif name not in passed and also is not None:
                default = self.signature.parameters[name].default
                if default is not inspect.Parameter.empty and also(name, default):
                    passed[name] = Argument(name, name, name, default)
        double_star = self.var_keyword or "kwargs"
        return [
            *(passed[name] for name in self.keyword if name in passed),
            *extra,
            *(Argument(name, name, double_star, kwargs[name]) for name in named),
        ]


def _signature(func: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(python_function(func))
    except (TypeError, ValueError):  # some builtins do not tell
        star = inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)
        double_star = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
        return inspect.Signature([star, double_star])


def python_function(func: Any) -> Any:
    """Return the Python function behind one that Numba compiled; others as they are."""
    return getattr(func, "py_func", func)


def replaced(
    args: Iterable[Any], kwargs: Mapping[str, Any], values: Mapping[int | str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments with `values` at their places; new keywords are added."""
    new_args, new_kwargs = list(args), dict(kwargs)
    for place, value in values.items():
        if isinstance(place, int):
            new_args[place] = value
        else:
            new_kwargs[place] = value
    return new_args, new_kwargs


class Annotations:
    """Annotations of a function as objects, also where they are text.

    Text that cannot be resolved yet (a name defined later) is tried again at every look; what
    cannot be resolved at all counts as no annotation.

    Parameters
    ----------
    func : callable
        The function.
    local_names : mapping, optional
        Names that are visible where the function is defined, besides its globals.
    """

    def __init__(self, func: Callable[..., Any], local_names: Mapping[str, Any] | None) -> None:
        self._owner = _annotated(func)
        self._raw = _raw_annotations(self._owner)
        self._known: dict[str, Any] = {}
        self._texts: dict[str, str] = {}
        for name, value in self._raw.items():
            if isinstance(value, str):
                self._texts[name] = value
            else:
                self._known[name] = value
        for name in list(self._texts):
            self._resolve(name, local_names or {})

    def get(self, name: str) -> Any:
        """Return the annotation of an argument (or ``return``), None if there is none."""
        if name in self._texts:
            self._resolve(name, {})
        return self._known.get(name)

    def text(self, name: str) -> str | None:
        """Return an annotation that is written as text, as it stands."""
        value = self._raw.get(name)
        return value if isinstance(value, str) else None

    @property
    def names(self) -> list[str]:
        """Arguments that have an annotation."""
        return [name for name in self._raw if name != "return"]

    def _resolve(self, name: str, local_names: Mapping[str, Any]) -> None:
        names = getattr(self._owner, "__globals__", {})
        cells = {**_closure(self._owner), **local_names}
        try:  # as typing.get_type_hints does
            self._known[name] = eval(self._texts[name], names, cells)
        except (NameError, AttributeError):
            return  # perhaps it is defined later
        except Exception:  # noqa: BLE001  # whatever the text is, it is no rule of ours
            self._known[name] = None
        del self._texts[name]


def _annotated(func: Any) -> Any:
    """Return the function that carries the annotations."""
    while isinstance(func, partial):
        func = func.func
    func = python_function(func)
    if not hasattr(func, "__annotations__"):
        func = vars(type(func)).get("__call__", func)  # an object that can be called
    return inspect.unwrap(getattr(func, "__func__", func))


def _raw_annotations(func: Any) -> Mapping[str, Any]:
    try:
        return dict(inspect.get_annotations(func))
    except Exception:  # noqa: BLE001  # no function, or annotations that cannot be evaluated
        return _NO_ANNOTATIONS


def _closure(func: Any) -> dict[str, Any]:
    code, cells = getattr(func, "__code__", None), getattr(func, "__closure__", None)
    if code is None or not cells:
        return {}
    named = {}
    for name, cell in zip(code.co_freevars, cells, strict=True):
        try:
            named[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    return named
