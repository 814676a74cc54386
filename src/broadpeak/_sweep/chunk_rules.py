# SPDX-License-Identifier: BSD-3-Clause
"""Chunking rules that can be joined with ``|``, and the piece of an argument that they cut."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args

from broadpeak._core import check
from broadpeak.types import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Which items of the arguments belong to one chunk.

    Attributes
    ----------
    number : int
        Number of the chunk.
    rows : range or integer array
        Positions of its items.
    """

    number: int
    rows: range | IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        if len(self) == 1:
            return f"item {self.rows[0]}"
        return f"{len(self)} items from {self.rows[0]} to {self.rows[-1]}"

    @property
    def is_all(self) -> bool:
        """Whether the only piece takes its items as they lie."""
        return isinstance(self.rows, range)


class Rule:
    """Base of takers, sizers and value wrappers; ``a | b`` holds both for one argument."""

    def __post_init__(self) -> None:
        if hasattr(self, "axis"):
            object.__setattr__(self, "axis", check.axis("axis", self.axis))
        if hasattr(self, "keep_dims"):
            check.flag("keep_dims", self.keep_dims)

    def __or__(self, other: Any) -> ChunkRules:
        return ChunkRules(parts(self) + parts(other))

    def __ror__(self, other: Any) -> ChunkRules:
        return ChunkRules(parts(other) + parts(self))


class Wrapper(Rule, ABC):
    """Base of the rules that may hold the value they are for.

    Attributes
    ----------
    value : object
        `MISSING` where it is only a rule.
    """

    value: Any

    @abstractmethod
    def taker_of(self, value: Any) -> Any:
        """Return the taker of `value` (`MISSING`: of any value); None does not cut."""


class ChunkRules(Rule):
    """Several rules for one argument.

    Attributes
    ----------
    members : tuple
        The rules, in the order they were written.
    """

    def __init__(self, members: tuple[Any, ...]) -> None:
        self.members = members

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.members))


def parts(annotation: Any) -> tuple[Any, ...]:
    """Return the single rules in an annotation; what is no rule stays as it is."""
    if isinstance(annotation, ChunkRules):
        return annotation.members
    if isinstance(annotation, UnionType):
        return get_args(annotation)
    return (annotation,)
