# SPDX-License-Identifier: BSD-3-Clause
"""Mono-chunks: many combinations in one call, each parameter as the list of its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from broadpeak._core import check
from broadpeak._merge.merge_func import MergeFunc, resolve_merge_func
from broadpeak._run.cores import core_count
from broadpeak._space.combine import Column, Combos
from broadpeak._space.param import Param
from broadpeak._sweep.templates import substitute
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import IntArray, ParamValues


@dataclass(frozen=True)
class MonoPlan:
    """Which combinations one call gets.

    Attributes
    ----------
    chunks : list of integer arrays
        Positions of combinations, chunk after chunk.
    """

    chunks: list[IntArray]

    @property
    def sizes(self) -> list[int]:
        """Number of combinations of every chunk."""
        return [len(chunk) for chunk in self.chunks]

    @property
    def order(self) -> IntArray:
        """Positions of all combinations, chunk after chunk."""
        return np.concatenate(self.chunks)


def plan_mono(
    size: int,
    *,
    mono_n_chunks: int | str | None = None,
    mono_chunk_len: int | str | None = None,
    mono_chunk_meta: Sequence[Any] | None = None,
) -> MonoPlan | None:
    """Return how `size` combinations are packed, or None if they are not.

    Raises
    ------
    ParamError
        If more than one rule is given, a number is not positive, or explicit chunks do not hold
        every combination once.
    """
    rules = {
        "mono_n_chunks": mono_n_chunks,
        "mono_chunk_len": mono_chunk_len,
        "mono_chunk_meta": mono_chunk_meta,
    }
    given = {name: rule for name, rule in rules.items() if rule is not None}
    if not given:
        return None
    if len(given) > 1:
        names = " and ".join(given)
        raise ParamError(f"Mono-chunks must have one rule, got {names}. Leave out one of them.")
    if mono_chunk_meta is not None:
        return MonoPlan(_explicit(size, mono_chunk_meta))
    name, rule = next(iter(given.items()))
    number = positive(name, rule)
    if mono_n_chunks is not None:
        parts = np.array_split(np.arange(size), min(number, size))
    else:
        parts = np.split(np.arange(size), range(number, size, number))
    return MonoPlan([np.asarray(part, dtype=np.int64) for part in parts])


def positive(name: str, rule: Any) -> int:
    """Return a number of chunks or of items; "auto" is the number of cores.

    Raises
    ------
    ParamError
        If it is neither "auto" nor a whole number of at least 1.
    """
    if isinstance(rule, str) and rule == "auto":
        return core_count()
    number = check.real(rule)
    if not isinstance(number, int) or number < 1:
        raise ParamError(broken_rule(name, "be 'auto' or a whole number of at least 1", rule))
    return number


def _explicit(size: int, chunk_meta: Sequence[Any]) -> list[IntArray]:
    chunks = []
    rule = "be lists of positions of combinations, one list a chunk"
    for meta in check.iterable("mono_chunk_meta", chunk_meta, rule):
        try:
            chunk = np.asarray(range(size)[meta] if isinstance(meta, slice) else meta)
        except (TypeError, ValueError):
            chunk = np.array(None)
        if chunk.ndim != 1 or (chunk.size and chunk.dtype.kind not in "iu"):
            rule = "be lists of positions of combinations"
            raise ParamError(broken_rule("mono_chunk_meta", rule, meta))
        if chunk.size:
            chunks.append(chunk.astype(np.int64))
    whole = np.concatenate(chunks) if chunks else np.empty(0, np.int64)
    if len(whole) != size or not np.array_equal(np.sort(whole), np.arange(size)):
        rule = f"hold each of the {size} combinations once"
        raise ParamError(broken_rule("mono_chunk_meta", rule, [chunk.tolist() for chunk in chunks]))
    return chunks


class MonoValues(Sequence[Any]):
    """What one parameter passes to every chunk; made when it is asked for.

    Parameters
    ----------
    param : Param
        Says how the values of a chunk are joined.
    column : Column
        The values of all combinations.
    plan : MonoPlan
        The chunks.
    context : mapping
        Names for templates in the arguments of a merge.
    """

    def __init__(
        self, param: Param, column: Column, plan: MonoPlan, context: Mapping[str, Any]
    ) -> None:
        self._reduce = bool(param.mono_reduce)
        self._merge = resolve_merge_func(param.mono_merge_func)
        self._kwargs = dict(param.mono_merge_kwargs or {})
        self._column = column
        self._plan = plan
        self._context = context

    def __len__(self) -> int:
        return len(self._plan.chunks)

    @overload
    def __getitem__(self, item: int) -> Any: ...
    @overload
    def __getitem__(self, item: slice) -> list[Any]: ...
    def __getitem__(self, item: int | slice) -> Any:
        if isinstance(item, slice):
            return [self[number] for number in range(len(self))[item]]
        codes = self._column.codes[self._plan.chunks[item]].tolist()
        values = [self._column.values[code] for code in codes]
        if self._reduce and _all_equal(values):
            return values[0]
        if self._merge is None:
            return ParamValues(values)
        return self._joined(values, item, self._merge)

    def _joined(self, values: list[Any], number: int, merge: MergeFunc) -> Any:
        def fill(
            kwargs: dict[str, Any], context: Mapping[str, Any] | None, eval_id: Any
        ) -> dict[str, Any]:
            known = {**self._context, "chunk_idx": number, "n_chunks": len(self)}
            known.update(context or {})
            point = "mono_merge_kwargs" if eval_id is None else eval_id
            filled: dict[str, Any] = substitute(kwargs, known, eval_id=point)
            return filled

        return merge.apply(values, kwargs=self._kwargs, fill=fill)


def _all_equal(values: Iterable[Any]) -> bool:
    rest = iter(values)
    first = next(rest)
    return all(value is first or _equal(value, first) for value in rest)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(left, right)
    equals: Callable[[Any], Any] | None = getattr(left, "equals", None)
    try:
        return bool(equals(right)) if equals is not None else bool(left == right)
    except (TypeError, ValueError):
        return False


def constants(combos: Combos, rows: IntArray) -> list[Any]:
    """Return the value of every parameter that is the same in the combinations `rows`."""
    fixed = []
    for column in combos.columns.values():
        codes = np.unique(column.codes[rows]).tolist()  # a value may be there more than once
        if codes and _all_equal(column.values[code] for code in codes):
            fixed.append(column.values[codes[0]])
    return fixed
