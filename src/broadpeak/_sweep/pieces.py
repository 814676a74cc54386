# SPDX-License-Identifier: BSD-3-Clause
"""Which items go into which chunk, and arguments cut accordingly, one piece at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from broadpeak._run.cores import core_count
from broadpeak._sweep.chunk_rules import Piece
from broadpeak._sweep.mono import positive
from broadpeak._sweep.takers import Taker, take
from broadpeak._sweep.templates import Template, substitute
from broadpeak.errors import ParamError, broken_rule


def plan_pieces(
    size: int,
    *,
    n_chunks: int | str | None,
    chunk_len: int | str | None,
    chunk_meta: Sequence[Any] | None,
    one_by_one: bool,
) -> list[Piece]:
    """Return the chunks of `size` items.

    Parameters
    ----------
    size : int
        Number of items, at least 1.
    n_chunks, chunk_len, chunk_meta
        As for `chunked`; at most one of them.
    one_by_one : bool
        Whether the default is one item a chunk instead of one chunk a core.

    Raises
    ------
    ParamError
        If more than one rule is given, a number is not positive, or explicit chunks do not hold
        every item once.
    """
    rules = {"n_chunks": n_chunks, "chunk_len": chunk_len, "chunk_meta": chunk_meta}
    given = [name for name, rule in rules.items() if rule is not None]
    if len(given) > 1:
        raise ParamError(
            f"Chunks must have one rule, got {' and '.join(given)}. Leave out one of them; in "
            f"execute_kwargs, chunk_len and n_chunks pack chunks into super-chunks."
        )
    if chunk_meta is not None:
        return _explicit(size, chunk_meta)
    if chunk_len is not None or (one_by_one and n_chunks is None):
        length = positive("chunk_len", 1 if chunk_len is None else chunk_len)
        edges = [*range(0, size, length), size]
    else:
        number = core_count() if n_chunks is None else positive("n_chunks", n_chunks)
        number = min(number, size)
        least, more = divmod(size, number)
        edges = [i * least + min(i, more) for i in range(number + 1)]
    return [Piece(i, range(edges[i], edges[i + 1])) for i in range(len(edges) - 1)]


def _explicit(size: int, chunk_meta: Sequence[Any]) -> list[Piece]:
    pieces: list[Piece] = []
    for meta in chunk_meta:
        rows: Any = range(size)[meta] if isinstance(meta, slice) else meta
        if not isinstance(rows, range) or rows.step != 1:
            rows = np.asarray(rows)
            if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
                rule = "be slices, ranges or lists of positions"
                raise ParamError(broken_rule("chunk_meta", rule, meta))
            rows = rows.astype(np.int64)
        if len(rows):
            pieces.append(Piece(len(pieces), rows))
    whole: Any = np.concatenate([np.asarray(piece.rows) for piece in pieces]) if pieces else []
    if len(whole) != size or not np.array_equal(np.sort(whole), np.arange(size)):
        rule = f"hold each of the {size} items once"
        raise ParamError(broken_rule("chunk_meta", rule, list(chunk_meta)))
    return pieces


class Pieces(Sequence[Any]):
    """One argument cut into all pieces; a piece is cut when it is asked for.

    Parameters
    ----------
    value : object
        The argument.
    taker : Taker or Template
        How a piece is taken, or what is filled in for it.
    pieces : list of Piece
        The chunks.
    context : mapping
        More names for templates.
    """

    def __init__(
        self,
        value: Any,
        taker: Taker | None,
        pieces: list[Piece],
        context: Mapping[str, Any] | None = None,
    ) -> None:
        self._value = value
        self._taker = taker
        self._pieces = pieces
        self._context = context or {}

    def __len__(self) -> int:
        return len(self._pieces)

    @overload
    def __getitem__(self, item: int) -> Any: ...
    @overload
    def __getitem__(self, item: slice) -> list[Any]: ...
    def __getitem__(self, item: int | slice) -> Any:
        if isinstance(item, slice):
            return [self[number] for number in range(len(self))[item]]
        piece = self._pieces[item]
        if not isinstance(self._value, Template):
            return take(self._taker, self._value, piece)
        known = {
            **self._context,
            "chunk_idx": piece.number,
            "chunk_meta": list(piece.rows),
            "n_chunks": len(self._pieces),
        }
        return substitute(self._value, known, eval_id="chunked")
