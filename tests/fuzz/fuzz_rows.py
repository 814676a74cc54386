# SPDX-License-Identifier: BSD-3-Clause
"""What a row of the public table is: a valid call whose arguments are then replaced."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import broadpeak as bp

World = SimpleNamespace
Arguments = Mapping[Any, Any]

EXECUTE_OPTIONS = tuple(inspect.signature(bp.execute).parameters)[1:]


def figures(_: World, portfolio: Any) -> Any:
    """Return what is computed of a portfolio on first use."""
    names = ("trades", "value", "returns", "sharpe_ratio", "drawdowns")
    return portfolio.stats(), [getattr(portfolio, name) for name in names]


@dataclass(frozen=True)
class Row:
    """A public function, a valid call of it, and what its result is used for.

    Integer names of arguments are positions. `of` is where the signature is read: every argument
    of it is attacked, also those that the valid call leaves out.
    """

    name: str
    call: Callable[[World], Callable[..., Any]]
    valid: Callable[[World], Arguments]
    of: Any = None
    then: Callable[[World, Any], Any] | None = None
    more: tuple[str, ...] = field(default=())

    def arguments(self, world: World) -> list[Any]:
        """Return the names of all arguments that can be given."""
        known = dict.fromkeys([*self.valid(world), *self.more])
        if self.of is not None:
            for one in inspect.signature(self.of).parameters.values():
                if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY} and one.name != "self":
                    known[one.name] = None
        return list(known)

    def run(self, world: World, changed: Arguments) -> Any:
        """Call with the valid arguments, some of them `changed`, and use the result."""
        given = {**self.valid(world), **changed}
        places = sorted(name for name in given if isinstance(name, int))
        words = {name: value for name, value in given.items() if not isinstance(name, int)}
        result = self.call(world)(*(given[place] for place in places), **words)
        return result if self.then is None else self.then(world, result)


def public(name: str) -> Any:
    """Return the public object of a dotted name."""
    found: Any = bp
    for part in name.split("."):
        found = getattr(found, part)
    return found


class Table(list[Row]):
    """Rows of one subject."""

    def row(
        self,
        name: str,
        valid: Callable[[World], Arguments] | Arguments,
        call: Callable[[World], Callable[..., Any]] | None = None,
        **rest: Any,
    ) -> None:
        """Add a row; without `call` it is the public function of that name."""
        if call is None:
            found = public(name)
            rest.setdefault("of", found)
            call = lambda _: found
        if isinstance(valid, Mapping):
            fixed = valid
            valid = lambda _: fixed
        self.append(Row(name, call, valid, **rest))

    def method(
        self, name: str, of: Any, get: Callable[[World], Any], valid: Any, **rest: Any
    ) -> None:
        """Add a row for a method of an object of the world."""
        attribute = name.rpartition(".")[2]
        self.row(name, valid, lambda w: getattr(get(w), attribute), of=of, **rest)
