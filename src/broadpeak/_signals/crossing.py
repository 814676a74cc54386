# SPDX-License-Identifier: BSD-3-Clause
"""Crossings as a description: which series meet, with nothing computed yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from broadpeak._signals._kernels import cross
from broadpeak.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """Where series of one family cross series of another, one pair a column.

    Attributes
    ----------
    left : float64 array, shape (rows, bars)
        Each distinct series once, read-only, in C order.
    left_rows : int64 array, shape (columns,)
        The series of each column.
    right : float64 array, shape (rows, bars) or (rows, 1)
        Of one bar: levels, the same on all bars.
    right_rows : int64 array, shape (columns,)
    above : bool
        Whether the left side crosses above the right one, or below it.
    """

    left: FloatArray
    left_rows: IntArray
    right: FloatArray
    right_rows: IntArray
    above: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Number of columns and of bars."""
        return len(self.left_rows), self.left.shape[1]

    def take(self, columns: IntArray) -> Crossing:
        """Return the crossing of some columns, in the order given."""
        return Crossing(
            self.left, self.left_rows[columns], self.right, self.right_rows[columns], self.above
        )

    def bools(self) -> BoolArray:
        """Return the bars of the crossings, shape (columns, bars)."""
        out = np.empty(self.shape, np.bool_)
        if self.right.shape[1] == self.left.shape[1]:
            sides = (self.left, self.left_rows), (self.right, self.right_rows)
            (left, take), (right, other_take) = sides if self.above else sides[::-1]
            cross.crossed_pairs(left, take, right, other_take, out)
            return out
        levels = self.right[self.right_rows, 0]
        for column, level, target in zip(self.left_rows, levels, out, strict=True):
            cross.crossed_level(self.left[column], level, self.above, target)
        return out
