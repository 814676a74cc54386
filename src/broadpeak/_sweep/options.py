# SPDX-License-Identifier: BSD-3-Clause
"""Options of decorators: given at the decorator or, with a leading underscore, at the call."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from broadpeak._core import check
from broadpeak._sweep.execute import Settings
from broadpeak.errors import ParamTypeError, broken_rule
from broadpeak.types import atomic_dict

EXECUTE_OPTIONS = frozenset(field.name for field in fields(Settings))
"""Names of the options of `execute`, which every decorator takes flat or in `execute_kwargs`."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options given at one place.

    Attributes
    ----------
    own : dict
        Those of the decorator itself.
    execute : dict
        Those of `execute`; an `atomic_dict` replaces what was given before.
    """

    own: dict[str, Any]
    execute: dict[str, Any]

    @classmethod
    def of(cls, owner: str, given: Mapping[str, Any], own_names: Collection[str]) -> Options:
        """Sort the options `given` to the decorator `owner`.

        A name that both have is the decorator's own; flat options win over `execute_kwargs`.

        Raises
        ------
        TypeError
            For an option that neither knows; the message has the nearest name.
        """
        own: dict[str, Any] = {}
        flat: dict[str, Any] = {}
        for name, value in given.items():
            if name in own_names:
                own[name] = value
            elif name in EXECUTE_OPTIONS:
                flat[name] = value
            elif name != "execute_kwargs":
                known = {*own_names, *EXECUTE_OPTIONS, "execute_kwargs"}
                raise check.unknown_option(owner, name, known)
        inside = given.get("execute_kwargs")
        if inside is None:
            return cls(own, flat)
        if not isinstance(inside, Mapping):
            raise ParamTypeError(broken_rule("execute_kwargs", "be a dict of options", inside))
        for name in inside:
            if name not in EXECUTE_OPTIONS:
                raise check.unknown_option("execute_kwargs", name, EXECUTE_OPTIONS)
        kind = atomic_dict if isinstance(inside, atomic_dict) else dict
        return cls(own, kind(merged_dict(inside, flat)))

    def then(self, later: Options) -> Options:
        """Return these options with those given `later` merged in.

        Examples
        --------
        >>> first = Options({}, {"engine": "threadpool", "chunk_len": 10})
        >>> first.then(Options({}, {"chunk_len": 5})).execute
        {'engine': 'threadpool', 'chunk_len': 5}
        >>> first.then(Options({}, atomic_dict(chunk_len=5))).execute
        {'chunk_len': 5}
        """
        return Options(merged_dict(self.own, later.own), merge_values(self.execute, later.execute))


def merged_dict(first: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Return `first` updated with `later`; where both hold a dict, the dicts are merged.

    Examples
    --------
    >>> merged_dict({"a": {"x": 1}, "b": 1}, {"a": {"y": 2}})
    {'a': {'x': 1, 'y': 2}, 'b': 1}
    >>> merged_dict({"a": {"x": 1}}, {"a": atomic_dict(y=2)})
    {'a': {'y': 2}}
    """
    merged = dict(first)
    for name, value in later.items():
        merged[name] = merge_values(merged[name], value) if name in merged else value
    return merged


def merge_values(first: Any, later: Any) -> Any:
    """Return `later`, or both merged where both are dicts and `later` is no `atomic_dict`."""
    both = isinstance(first, dict) and isinstance(later, dict)
    if both and not isinstance(later, atomic_dict):
        return merged_dict(first, later)
    return later


def split_call(
    owner: str, kwargs: Mapping[str, Any], declared: Collection[str], own_names: Collection[str]
) -> tuple[dict[str, Any], Options]:
    """Take options with a leading underscore out of the keyword arguments of a call.

    Parameters
    ----------
    owner : str
        The decorator, for messages.
    kwargs : mapping
        Keyword arguments of the call.
    declared : collection of str
        Argument names of the function, which it gets even with a leading underscore.
    own_names : collection of str
        Options of the decorator itself.

    Returns
    -------
    kwargs : dict
        What the function gets.
    options : Options
        What was given with an underscore.

    Raises
    ------
    TypeError
        For an option that does not exist.

    Examples
    --------
    >>> split_call("parameterized", {"fast": 3, "_engine": "serial"}, ["fast"], [])[0]
    {'fast': 3}
    """
    passed: dict[str, Any] = {}
    given: dict[str, Any] = {}
    for name, value in kwargs.items():
        is_option = name.startswith("_") and not name.startswith("__") and name not in declared
        if is_option:
            given[name[1:]] = value
        else:
            passed[name] = value
    return passed, Options.of(owner, given, own_names)
