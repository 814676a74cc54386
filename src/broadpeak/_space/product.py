# SPDX-License-Identifier: BSD-3-Clause
"""The product of what passes in each group of axes, in grid order and in bounded pieces.

Each group of connected axes has a table of what passes in it; every row of one table goes with
every row of the others. Only the order is work: grid order is by the first axis, then the second,
and the axes of groups may interleave. Where they do not, repeating and tiling the tables is enough.
Where they do, each table becomes a tree of prefixes, and all trees are walked side by side, axis by
axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np

from broadpeak._space.axes import code_type
from broadpeak._space.conditions import CELLS
from broadpeak._space.solve import Rows
from broadpeak.types import IntArray


class Trie:
    """A sorted table as a tree: a node is a prefix that has at least one completion.

    Walking the axes of several groups side by side therefore never meets a dead end, and every
    piece of work yields rows. A level of the tree is two arrays: codes, and where children begin.

    Parameters
    ----------
    columns : list of integer arrays
        A table in grid order, slowest column first.
    """

    def __init__(self, columns: Sequence[IntArray]) -> None:
        n_rows = len(columns[0])
        changes = np.zeros(n_rows, dtype=bool)
        changes[:1] = True
        starts: list[IntArray] = [np.zeros(min(n_rows, 1), dtype=np.intp)]
        self._codes: list[IntArray] = []
        for column in columns:
            changes[1:] |= column[1:] != column[:-1]
            nodes = np.flatnonzero(changes)
            starts.append(nodes)
            self._codes.append(column[nodes])
        # Children of node k at one depth: from first[k] to first[k + 1] at the next.
        self._first = [
            np.append(np.searchsorted(below, here), len(below)) for here, below in pairwise(starts)
        ]

    def n_children(self, depth: int, parents: IntArray) -> IntArray:
        """Return how many codes follow each of the prefixes `parents`."""
        first = self._first[depth]
        counts: IntArray = first[parents + 1] - first[parents]
        return counts

    def children(self, depth: int, parents: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return, for every child: the row of its parent, its node, its code."""
        counts = self.n_children(depth, parents)
        rows = np.repeat(np.arange(len(parents)), counts)
        before = np.cumsum(counts) - counts
        nodes = np.arange(len(rows)) + np.repeat(self._first[depth][parents] - before, counts)
        return rows, nodes, self._codes[depth][nodes]


class Product:
    """The product of tables in grid order.

    Parameters
    ----------
    tables : dict of tables
        By the axes of a group: what passes there, in grid order. Axes without a table are free.
    lengths : sequence of int
        Length of every axis.
    """

    def __init__(self, tables: Mapping[tuple[int, ...], Rows], lengths: Sequence[int]) -> None:
        self._lengths = lengths
        self._tables = tables
        self._leaves = {axes[-1] for axes in tables}
        self._empty = any(len(table[axes[0]]) == 0 for axes, table in tables.items())

    @cached_property
    def _steps(self) -> dict[int, tuple[Trie, int]]:
        """The tree that each axis of a group walks, and the depth of the axis in it."""
        steps: dict[int, tuple[Trie, int]] = {}
        for axes, table in self._tables.items():
            trie = Trie([table[axis] for axis in axes])
            steps.update({axis: (trie, depth) for depth, axis in enumerate(axes)})
        return steps

    def pieces(self, block: int = CELLS) -> Iterator[list[IntArray]]:
        """Yield codes, one array an axis, in pieces of about `block` rows."""
        only = self._only_table()
        if self._empty:
            return
        if only is not None:
            n_rows = len(only[0])
            for start in range(0, n_rows, block):
                yield [only[axis][start : start + block] for axis in range(len(self._lengths))]
        else:
            yield from self._descend([], {}, 1, block)

    def whole(self) -> list[IntArray]:
        """Return codes, one array an axis, of the whole product."""
        only = self._only_table()
        if only is not None:
            return [only[axis] for axis in range(len(self._lengths))]
        if not self._empty and all(_adjacent(axes) for axes in self._tables):
            return self._side_by_side()
        pieces = list(self.pieces())
        if len(pieces) == 1:
            return pieces[0]
        empty = [np.zeros(0, dtype=code_type(length)) for length in self._lengths]
        return [np.concatenate(columns) for columns in zip(*pieces, strict=True)] or empty

    def _side_by_side(self) -> list[IntArray]:
        """Return the whole product of groups that do not interleave: repetition is enough."""
        blocks = dict(self._tables)
        taken = {axis for axes in blocks for axis in axes}
        for axis, length in enumerate(self._lengths):
            if axis not in taken:
                blocks[axis,] = {axis: np.arange(length, dtype=code_type(length))}
        result: list[IntArray] = []
        outer, inner = 1, math.prod(len(rows[axes[0]]) for axes, rows in blocks.items())
        for axes in sorted(blocks):
            n_rows = len(blocks[axes][axes[0]])
            inner //= n_rows
            result += [np.tile(np.repeat(blocks[axes][axis], inner), outer) for axis in axes]
            outer *= n_rows
        return result

    def _only_table(self) -> Rows | None:
        tables = list(self._tables.items())
        if len(tables) == 1 and len(tables[0][0]) == len(self._lengths):
            return tables[0][1]
        return None

    def _descend(
        self, codes: list[IntArray], nodes: dict[Trie, IntArray], n_rows: int, block: int
    ) -> Iterator[list[IntArray]]:
        axis = len(codes)
        if axis == len(self._lengths):
            yield codes
            return
        step = self._steps.get(axis)
        expand = self._cross_free(axis, n_rows, block) if step is None else None
        if expand is None:
            expand = self._cross_trie(axis, nodes, n_rows, block)
        for rows, code, reached in expand:
            trie_here = None if step is None else step[0]
            deeper = {trie: node[rows] for trie, node in nodes.items() if trie is not trie_here}
            if trie_here is not None and reached is not None and axis not in self._leaves:
                deeper[trie_here] = reached
            below = [*(column[rows] for column in codes), code]
            yield from self._descend(below, deeper, len(rows), block)

    def _cross_free(
        self, axis: int, n_rows: int, block: int
    ) -> Iterator[tuple[IntArray, IntArray, IntArray | None]]:
        length = self._lengths[axis]
        step = max(1, block // length)
        for start in range(0, n_rows, step):
            head = np.arange(start, min(start + step, n_rows))
            for low in range(0, length, block):
                tail = np.arange(low, min(low + block, length), dtype=code_type(length))
                yield np.repeat(head, len(tail)), np.tile(tail, len(head)), None

    def _cross_trie(
        self, axis: int, nodes: dict[Trie, IntArray], n_rows: int, block: int
    ) -> Iterator[tuple[IntArray, IntArray, IntArray | None]]:
        trie, depth = self._steps[axis]
        parents = nodes.get(trie, np.zeros(n_rows, dtype=np.intp))
        ends = np.cumsum(trie.n_children(depth, parents))
        start = 0
        while start < n_rows:
            done = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, done + block, side="right")))
            rows, reached, code = trie.children(depth, parents[start:stop])
            yield rows + start, code, reached
            start = stop


def _adjacent(axes: tuple[int, ...]) -> bool:
    return axes[-1] - axes[0] == len(axes) - 1
