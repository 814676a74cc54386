# SPDX-License-Identifier: BSD-3-Clause
"""Which rule belongs to which argument of a `chunked` function."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broadpeak._core import check
from broadpeak._sweep.arguments import Annotations, Argument, Arguments
from broadpeak._sweep.chunk_rules import Rule, Wrapper, parts
from broadpeak._sweep.sizers import ArgSizer
from broadpeak._sweep.takers import ArgsTaker, KwargsTaker, Taker, as_taker, sizes
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import MISSING


@dataclass(frozen=True, slots=True)
class Cut:
    """An argument without its wrapper, and how it is cut (None: not at all)."""

    argument: Argument
    taker: Taker | None


class ChunkSpec:
    """The rules of one call.

    Parameters
    ----------
    given : mapping or sequence, optional
        `arg_take_spec`.
    arguments : Arguments
        Names of the function's arguments.
    annotations : Annotations
        Rules among them count where `given` has none.

    Raises
    ------
    ParamError
        If a rule is for an argument that the function does not have.
    """

    def __init__(self, given: Any, arguments: Arguments, annotations: Annotations) -> None:
        self._arguments = arguments
        self._annotations = annotations
        self._named: dict[str, Any] = {}
        self._patterns: list[tuple[re.Pattern[str], Any]] = []
        if given is None:
            return
        if isinstance(given, Sequence) and not isinstance(given, str):
            given = dict(enumerate(given))
        if not isinstance(given, Mapping):
            rule = "be a dict of rules by argument"
            raise ParamTypeError(broken_rule("arg_take_spec", rule, given))
        for query, rule in given.items():
            if isinstance(query, re.Pattern):
                self._patterns.append((query, rule))
            else:
                self._named[self._name(query)] = rule

    def _name(self, query: Any) -> str:
        arguments = self._arguments
        positional = arguments.positional
        if isinstance(query, int) and -len(positional) <= query < len(positional):
            return positional[query]
        stars = (arguments.var_positional, arguments.var_keyword)
        known = [*arguments.keyword, *(star for star in stars if star is not None)]
        numbered = arguments.var_positional is not None and isinstance(query, str)
        is_item = numbered and re.fullmatch(rf"{arguments.var_positional}_\d+", str(query))
        if isinstance(query, str) and (query in known or is_item or arguments.var_keyword):
            return query
        rule = f"name arguments of the function, {known}"
        raise ParamError(
            broken_rule("arg_take_spec", rule, query, check.did_you_mean(query, known))
        )

    def has_rule(self, name: str, default: Any) -> bool:
        """Return whether an argument that was not passed is cut at its default."""
        return isinstance(default, Wrapper) or bool(self._rules(name, name))

    def cuts(self, passed: Sequence[Argument]) -> list[Cut]:
        """Return how every argument of a call is cut."""
        stars = {**self._star_args(passed), **self._star_kwargs(passed)}
        return [self._cut(argument, stars) for argument in passed]

    def _cut(self, argument: Argument, stars: Mapping[int | str, Any]) -> Cut:
        value = argument.value
        if isinstance(value, Wrapper):  # the caller's word is the last
            if value.value is MISSING:
                rule = "wrap a value at the call"
                raise ParamError(broken_rule(type(value).__name__, rule, argument.name))
            bare = Argument(argument.name, argument.place, argument.declared, value.value)
            return Cut(bare, as_taker(value, value.value))
        if argument.place in stars:
            return Cut(argument, stars[argument.place])
        takers = [rule for rule in self._rules(argument.name, argument.declared) if _cuts(rule)]
        return Cut(argument, as_taker(takers[0], value) if takers else None)

    def _rules(self, name: str, declared: str) -> tuple[Any, ...]:
        for query in (name, declared):
            if query in self._named:
                return parts(self._named[query])
        for pattern, rule in self._patterns:
            if pattern.search(name):
                return parts(rule)
        return tuple(rule for rule in parts(self._annotations.get(declared)) if _is_rule(rule))

    def _star_args(self, passed: Sequence[Argument]) -> dict[int | str, Any]:
        star = self._arguments.var_positional
        spec = None if star is None else _of_kind(self._rules(star, star), ArgsTaker)
        if spec is None:
            return {}
        items = [argument for argument in passed if argument.declared == star]
        takers = spec.takers([argument.value for argument in items])
        return {item.place: taker for item, taker in zip(items, takers, strict=True)}

    def _star_kwargs(self, passed: Sequence[Argument]) -> dict[int | str, Any]:
        star = self._arguments.var_keyword
        spec = None if star is None else _of_kind(self._rules(star, star), KwargsTaker)
        if spec is None:
            return {}
        items = [argument for argument in passed if argument.declared == star]
        takers = spec.takers({argument.name: argument.value for argument in items})
        return {item.place: takers[item.name] for item in items}

    def size(self, cuts: Sequence[Cut], given: Any) -> int | None:
        """Return the number of items, None if nothing implies one.

        Raises
        ------
        ParamError
            If two arguments disagree; the message names both.
        """
        implied = self._implied(cuts, given)
        for name, size in implied:
            first, expected = implied[0]
            if size != expected:
                raise ParamError(
                    f"Chunked arguments must agree on the number of items, but {first} gives "
                    f"{expected} and {name} gives {size}. Wrap what is not to be cut: "
                    f"NotChunked(value)."
                )
        return implied[0][1] if implied else None

    def _implied(self, cuts: Sequence[Cut], given: Any) -> list[tuple[str, int]]:
        arguments = [cut.argument for cut in cuts]
        implied: list[tuple[str, int]] = []
        if given is not None:
            implied.append(("size", _given_size(given, arguments)))
        for cut in cuts:
            argument = cut.argument
            name = f"argument {argument.name!r}"
            implied += [(name, size) for size in sizes(cut.taker, argument.value)]
            if given is None:
                for rule in self._rules(argument.name, argument.declared):
                    sizer = rule() if isinstance(rule, type) else rule
                    if isinstance(sizer, ArgSizer):
                        implied.insert(0, (name, sizer.size(arguments, argument.name)))
        return implied


def _given_size(given: Any, arguments: Sequence[Argument]) -> int:
    sizer = given() if isinstance(given, type) else given
    if isinstance(sizer, ArgSizer):
        return sizer.size(arguments)
    size = check.real(sizer)
    if not isinstance(size, int) or not 0 <= size < 2**63:
        rule = "be a number of items or a sizer"
        raise ParamError(broken_rule("size", rule, given, "For example: ArraySizer('x', axis=1)."))
    return size


def _is_rule(rule: Any) -> bool:
    return isinstance(rule, Rule) or (isinstance(rule, type) and issubclass(rule, Rule))


def _cuts(rule: Any) -> bool:
    if isinstance(rule, ArgSizer) or (isinstance(rule, type) and issubclass(rule, ArgSizer)):
        return False
    return rule is not None


def _of_kind(rules: tuple[Any, ...], kind: Any) -> Any:
    return next((rule for rule in rules if isinstance(rule, kind)), None)
