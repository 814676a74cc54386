# SPDX-License-Identifier: BSD-3-Clause
"""The one planner of chunks: of tasks, of the items of an argument, of combinations.

Wherever chunks are cut a rule means the same, and a mistake gets the same message.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from broadpeak._core import check
from broadpeak._core.threads import core_count
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import IntArray

Auto: TypeAlias = "int | Literal['auto'] | None"
ChunkMeta: TypeAlias = "Iterable[slice | Iterable[int]] | None"

END = sys.maxsize
"""Where a chunk ends that takes all the tasks of an iterator that are left."""


@dataclass(slots=True, eq=False)
class Chunk:
    """Items that go together.

    Attributes
    ----------
    number : int
        Its position among the chunks.
    positions : range or list of int
        Its items; a range has the step 1.
    """

    number: int
    positions: range | list[int]

    def __len__(self) -> int:
        return len(self.positions)

    def __str__(self) -> str:
        first, last = self.positions[0], self.positions[-1]
        return f"item {first}" if len(self) == 1 else f"{len(self)} items from {first} to {last}"


def plan_chunks(
    size: int,
    n_chunks: Auto = None,
    chunk_len: Auto = None,
    chunk_meta: ChunkMeta = None,
    *,
    prefix: str = "",
    n_cores: int | None = None,
) -> list[Chunk]:
    """Return the chunks of `size` items under the one rule that is given; without one, all in one.

    `prefix` stands before the names of the rules in messages; "auto" means `n_cores`.

    Raises
    ------
    ParamError
        If more than one rule is given, a number is not positive, or explicit chunks do not hold
        each item once.
    """
    rules = {"n_chunks": n_chunks, "chunk_len": chunk_len, "chunk_meta": chunk_meta}
    rules_passed = [f"{prefix}{name}" for name, rule in rules.items() if rule is not None]
    if len(rules_passed) > 1:
        names = " and ".join(rules_passed)
        raise ParamError(f"Chunks must have one rule, got {names}. Leave out all but one.")
    if chunk_meta is not None:
        return _explicit(f"{prefix}chunk_meta", size, chunk_meta)
    if chunk_len is not None:
        length = _resolved(f"{prefix}chunk_len", chunk_len, n_cores)
        edges = [*range(0, size, length), size]
    else:
        wanted = 1 if n_chunks is None else _resolved(f"{prefix}n_chunks", n_chunks, n_cores)
        number = min(wanted, size)
        least, more = divmod(size, number) if number else (0, 0)
        edges = [i * least + min(i, more) for i in range(number + 1)]
    return [Chunk(number, range(*edge)) for number, edge in enumerate(pairwise(edges))]


def endless_chunks(chunk_len: Auto, n_cores: int | None = None) -> Iterator[Chunk]:
    """Yield the chunks of an iterator of unknown length."""
    length = END if chunk_len is None else _resolved("chunk_len", chunk_len, n_cores)
    for number, start in enumerate(count(0, length)):
        yield Chunk(number, range(start, min(start + length, END)))


def chunk_count(name: str, value: object) -> Any:
    """Return a number of chunks or of items, or "auto", if `value` is one."""
    if isinstance(value, str) and value == "auto":
        return value
    number = check.real(value)
    if number is None or not 1 <= number < math.inf or number != math.floor(number):
        raise ParamError(broken_rule(name, "be 'auto' or an integer of at least 1", value))
    return min(int(number), END)


def _resolved(name: str, value: object, n_cores: int | None) -> int:
    number: Any = chunk_count(name, value)
    if number == "auto":
        return core_count() if n_cores is None else n_cores
    return int(number)


def in_order(chunks: Sequence[Chunk]) -> bool:
    """Return whether the items of all chunks, one after another, are in order."""
    if all(isinstance(chunk.positions, range) for chunk in chunks):
        return all(left.positions[-1] < right.positions[0] for left, right in pairwise(chunks))
    whole = order_of(chunks)
    return bool((whole[1:] > whole[:-1]).all())


def order_of(chunks: Sequence[Chunk]) -> IntArray:
    """Return the positions of all items, chunk after chunk."""
    return np.concatenate([np.asarray(chunk.positions, dtype=np.int64) for chunk in chunks])


def _explicit(name: str, size: int, chunk_meta: object) -> list[Chunk]:
    """Return the chunks that were listed; empty ones are left out."""
    rule = "be slices, ranges or lists of positions, one a chunk"
    chunks: list[Chunk] = []
    for meta in check.iterable(name, chunk_meta, rule):
        rows: Any = range(size)[meta] if isinstance(meta, slice) else meta
        if not isinstance(rows, range) or rows.step != 1:
            try:
                rows = np.asarray(rows if hasattr(rows, "__len__") else list(rows))
            except (TypeError, ValueError):
                rows = np.array(None)
            if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
                raise ParamTypeError(broken_rule(name, rule, meta))
            rows = rows.tolist()
        if len(rows):
            chunks.append(Chunk(len(chunks), rows))
    whole = order_of(chunks) if chunks else np.empty(0)
    if len(whole) != size or not np.array_equal(np.sort(whole), np.arange(size)):
        listed = [list(chunk.positions) for chunk in chunks]
        raise ParamError(broken_rule(name, f"hold each of the {size} items once", listed))
    return chunks
