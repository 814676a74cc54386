# SPDX-License-Identifier: BSD-3-Clause
"""How history is cut into training and test: walk-forward, purged folds, blocks.

The classes have ``split(index)`` and ``get_n_splits(index)`` as those of scikit-learn have, and
yield pairs of integer arrays: positions to train on, positions to test on, both ascending.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterator, Sequence, Sized
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import BoolArray, IntArray

__all__ = [
    "BlockSplit",
    "CombinatorialPurged",
    "PurgedKFold",
    "WalkForwardSplit",
    "Window",
    "cycles_for_period",
    "split_walk_forward",
]

Pair: TypeAlias = tuple[IntArray, IntArray]


class Window(NamedTuple):
    """Bars of one walk-forward cycle, half-open; the last cycle has no test."""

    train_start: int
    train_end: int
    test_start: int | None
    test_end: int | None


def split_walk_forward(
    n_bars: int,
    cycles: int,
    split: float = 0.85,
    anchored: bool = False,
) -> list[Window]:
    """Return the windows of a walk-forward run.

    Parameters
    ----------
    n_bars : int
        Bars after the look-back.
    cycles : int, >= 2
        Trainings. The last one has no test: its parameters are for trading.
    split : float in (0, 1)
        Share of the training in a cycle of training and test.
    anchored : bool
        Let every training start at the first bar.

    Returns
    -------
    list of Window
        One a cycle, in order. The last training ends with the last bar; tests follow one another
        without gap or overlap.

    Raises
    ------
    ParamError
        If `cycles` or `split` is out of its range.
    DataError
        If there are too few bars for that.

    Notes
    -----
    A cycle has P = T / (s + (N - 1)(1 - s)) bars; tests have Q = floor((1 - s) P + 0.5), trainings
    (the first, if anchored) what is left: R = T - (N - 1) Q.

    Examples
    --------
    >>> windows = split_walk_forward(9483, 12, 0.85)
    >>> windows[0]
    Window(train_start=0, train_end=3224, test_start=3224, test_end=3793)
    >>> windows[-1].train_end, windows[-1].test_start
    (9483, None)
    """
    n = check.integer("n_bars", n_bars, 0)
    n_cycles = check.integer("cycles", cycles, 2)
    share = _share(split)
    check.flag("anchored", anchored)
    # Fractions, so that half a bar is half a bar on every machine.
    period = n / (share + (n_cycles - 1) * (1 - share))
    test = math.floor((1 - share) * period + Fraction(1, 2))
    train = n - (n_cycles - 1) * test
    if test < 1 or train < 1:
        least = math.ceil((share + (n_cycles - 1) * (1 - share)) / min(1 - share, share))
        msg = (
            f"{n_cycles} cycles at split={split} must have at least about {least} bars after the "
            f"look-back, got {n}. Pass fewer cycles, more history or a smaller look-back."
        )
        raise DataError(msg)
    windows = []
    for k in range(n_cycles):
        end = train + k * test
        last = k == n_cycles - 1
        windows.append(
            Window(
                0 if anchored else k * test,
                end,
                None if last else end,
                None if last else end + test,
            )
        )
    return windows


def cycles_for_period(n_bars: int, period: float, split: float = 0.85) -> int:
    """Return the number of cycles whose length comes nearest to `period` bars.

    Parameters
    ----------
    n_bars : int
        Bars after the look-back.
    period : float
        Intended length of training and test together, in bars.
    split : float in (0, 1)
        Share of the training.

    Raises
    ------
    ParamError
        If `period` or `split` is out of its range.
    DataError
        If two such cycles do not fit.

    Examples
    --------
    >>> cycles_for_period(9483, 3793, 0.85)
    12
    """
    n = check.integer("n_bars", n_bars, 0)
    bars = check.number("period", period)
    if bars <= 0:
        raise ParamError(broken_rule("period", "be a positive number of bars", period))
    share = _share(split)
    cycles = math.floor((n / Fraction(bars) - share) / (1 - share) + Fraction(1, 2)) + 1
    if cycles < 2:
        msg = (
            f"period must leave room for two cycles in {n} bars, got {period:g}. "
            "Pass a shorter period or more history."
        )
        raise DataError(msg)
    return cycles


class WalkForwardSplit:
    """Walk-forward windows with a test; see `split_walk_forward`.

    Parameters
    ----------
    cycles : int, >= 2
        Trainings of a walk-forward run; the last one has no test, so there is one split less.
    split : float in (0, 1)
        Share of the training in a cycle.
    anchored : bool
        Let every training start at the first bar.
    purge : int
        Bars left out at the end of every training: how far a label looks ahead.

    Raises
    ------
    ParamError
        If an argument is out of its range.

    Examples
    --------
    >>> for train, test in WalkForwardSplit(3, split=0.5).split(range(8)):
    ...     print(train, test)
    [0 1] [2 3 4]
    [3 4] [5 6 7]
    """

    def __init__(
        self, cycles: int = 10, *, split: float = 0.85, anchored: bool = False, purge: int = 0
    ) -> None:
        self.cycles = check.integer("cycles", cycles, 2)
        self.train_share = float(_share(split))
        self.anchored = check.flag("anchored", anchored)
        self.purge = check.integer("purge", purge, 0)

    def split(self, index: Sized, y: object = None, groups: object = None) -> Iterator[Pair]:
        """Yield the positions of every training and its test; `y` and `groups` are not used."""
        windows = split_walk_forward(_length(index), self.cycles, self.train_share, self.anchored)
        for window in windows:
            if window.test_start is not None and window.test_end is not None:
                train = np.arange(window.train_start, window.train_end - self.purge, dtype=np.int64)
                test = np.arange(window.test_start, window.test_end, dtype=np.int64)
                yield _checked(train, test)

    def get_n_splits(self, index: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of pairs."""
        return self.cycles - 1

    def __repr__(self) -> str:
        return (
            f"WalkForwardSplit({self.cycles}, split={self.train_share}, "
            f"anchored={self.anchored}, purge={self.purge})"
        )


class PurgedKFold:
    """Folds that are tested in turn, with gaps around the test so that labels do not leak.

    Parameters
    ----------
    n_splits : int, >= 2
        Blocks that the history is cut into: the folds.
    purge : int
        Bars left out of the training on both sides of the test: how far a label looks ahead.
    embargo : int or float
        Further bars left out after the test; below 1, a share of all bars.

    Raises
    ------
    ParamError
        If an argument is out of its range.

    Notes
    -----
    M. López de Prado, "Advances in Financial Machine Learning" (2018), chapter 7.

    Examples
    --------
    >>> for train, test in PurgedKFold(3, purge=1).split(range(9)):
    ...     print(train, test)
    [4 5 6 7 8] [0 1 2]
    [0 1 7 8] [3 4 5]
    [0 1 2 3 4] [6 7 8]
    """

    def __init__(self, n_splits: int = 5, *, purge: int = 0, embargo: float = 0) -> None:
        self.n_splits = check.integer("n_splits", n_splits, 2)
        self.purge = check.integer("purge", purge, 0)
        self.embargo = _embargo(embargo)

    def split(self, index: Sized, y: object = None, groups: object = None) -> Iterator[Pair]:
        """Yield the positions of every training and its test; `y` and `groups` are not used."""
        yield from _purged_splits(_length(index), self.n_splits, 1, self.purge, self.embargo)

    def get_n_splits(self, index: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of pairs."""
        return self.n_splits

    def __repr__(self) -> str:
        return f"PurgedKFold({self.n_splits}, purge={self.purge}, embargo={self.embargo})"


class CombinatorialPurged:
    """Every choice of some folds as the test, with gaps around each of them.

    Parameters
    ----------
    n_blocks : int, >= 2
        Blocks that the history is cut into: the folds.
    n_test : int
        How many of them are tested at a time, fewer than `n_blocks`.
    purge : int
        Bars left out of the training on both sides of every tested fold.
    embargo : int or float
        Further bars left out after every tested fold; below 1, a share of all bars.

    Raises
    ------
    ParamError
        If an argument is out of its range.

    Notes
    -----
    N folds taken k at a time give C(N, k) splits and C(N, k) k / N paths through all folds, each
    tested out of sample. M. López de Prado, "Advances in Financial Machine Learning" (2018),
    chapter 12.

    Examples
    --------
    >>> folds = CombinatorialPurged(6, 2)
    >>> folds.get_n_splits(), folds.n_paths
    (15, 5)
    """

    def __init__(
        self, n_blocks: int = 6, n_test: int = 2, *, purge: int = 0, embargo: float = 0
    ) -> None:
        self.n_blocks = check.integer("n_blocks", n_blocks, 2)
        self.n_test = check.integer("n_test", n_test, 1)
        if self.n_test >= self.n_blocks:
            rule = f"be less than n_blocks ({self.n_blocks})"
            raise ParamError(broken_rule("n_test", rule, n_test))
        self.purge = check.integer("purge", purge, 0)
        self.embargo = _embargo(embargo)

    @property
    def n_paths(self) -> int:
        """Number of paths through all folds."""
        return math.comb(self.n_blocks - 1, self.n_test - 1)

    def split(self, index: Sized, y: object = None, groups: object = None) -> Iterator[Pair]:
        """Yield the positions of every training and its test; `y` and `groups` are not used."""
        yield from _purged_splits(
            _length(index), self.n_blocks, self.n_test, self.purge, self.embargo
        )

    def get_n_splits(self, index: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of pairs."""
        return math.comb(self.n_blocks, self.n_test)

    def paths(self) -> IntArray:
        """Return which split tests which fold on every path.

        Returns
        -------
        array of int, shape (n_paths, n_blocks)
            Number of the split, in the order of `split`. Together the folds of a row are one test
            over the whole history.
        """
        choices = itertools.combinations(range(self.n_blocks), self.n_test)
        testers: list[list[int]] = [[] for _ in range(self.n_blocks)]
        for number, folds in enumerate(choices):
            for fold in folds:
                testers[fold].append(number)
        return np.array(testers, dtype=np.int64).T

    def __repr__(self) -> str:
        return (
            f"CombinatorialPurged({self.n_blocks}, {self.n_test}, "
            f"purge={self.purge}, embargo={self.embargo})"
        )


class BlockSplit:
    """Short blocks of time that take turns in training and test, over the whole history.

    Parameters
    ----------
    period : str, Timedelta or int
        Length of a block: a time such as "7D", counted from the first bar, or a number of bars.
    train, test : sequence of int
        Which blocks of a turn are trained on and tested on; blocks in neither are skipped. A turn
        is as long as the largest number says.

    Raises
    ------
    ParamError
        If the length is not positive, or a block is in both.

    Examples
    --------
    >>> for train, test in BlockSplit(2).split(range(8)):
    ...     print(train, test)
    [0 1 2 3 6 7] [4 5]
    """

    def __init__(
        self,
        period: str | pd.Timedelta | dt.timedelta | int = "7D",
        *,
        train: Sequence[int] = (0, 1),
        test: Sequence[int] = (2,),
    ) -> None:
        self.period: int | pd.Timedelta = _block_length(period)
        self.train, self.test = _listed("train", train), _listed("test", test)
        both = sorted(set(self.train) & set(self.test))
        if both or not self.train or not self.test:
            rule = "each name at least one block, and none that the other names"
            raise ParamError(broken_rule("train and test", rule, (self.train, self.test)))

    def split(self, index: Sized, y: object = None, groups: object = None) -> Iterator[Pair]:
        """Yield one pair; `y` and `groups` are not used."""
        turn = max(*self.train, *self.test) + 1
        block = self._blocks(index) % turn
        train, test = np.isin(block, self.train), np.isin(block, self.test)
        yield _checked(np.flatnonzero(train), np.flatnonzero(test))

    def get_n_splits(self, index: object = None, y: object = None, groups: object = None) -> int:
        """Return 1."""
        return 1

    def _blocks(self, index: Sized) -> IntArray:
        if isinstance(self.period, int):
            return np.arange(_length(index), dtype=np.int64) // self.period
        times = index.index if isinstance(index, (pd.Series, pd.DataFrame)) else index
        if not isinstance(times, pd.DatetimeIndex):
            remedy = "Pass the index of the prices, or a period in bars."
            rule = "be a DatetimeIndex where the period is a time"
            raise ParamError(broken_rule("index", rule, type(times).__name__, remedy))
        if times.hasnans:
            raise ParamError(broken_rule("index", "have no missing times", "NaT"))
        if not len(times):
            return np.empty(0, dtype=np.int64)
        return np.asarray((times - times[0]) // self.period, dtype=np.int64)

    def __repr__(self) -> str:
        return f"BlockSplit({self.period!r}, train={self.train}, test={self.test})"


def _purged_splits(
    n: int, n_blocks: int, n_test: int, purge: int, embargo: float
) -> Iterator[Pair]:
    if n < n_blocks:
        msg = f"{n_blocks} folds must have at least {n_blocks} bars, got {n}. Pass fewer folds."
        raise DataError(msg)
    after = purge + (math.floor(embargo * n) if embargo < 1 else int(embargo))
    sizes = [n // n_blocks + (fold < n % n_blocks) for fold in range(n_blocks)]
    edges = [0, *itertools.accumulate(sizes)]
    for folds in itertools.combinations(range(n_blocks), n_test):
        tested: BoolArray = np.zeros(n, dtype=np.bool_)
        left_out: BoolArray = np.zeros(n, dtype=np.bool_)
        for fold in folds:
            start, end = edges[fold], edges[fold + 1]
            tested[start:end] = True
            left_out[max(start - purge, 0) : end + after] = True
        yield _checked(np.flatnonzero(~left_out), np.flatnonzero(tested))


def _checked(train: IntArray, test: IntArray) -> Pair:
    if not len(train) or not len(test):
        msg = (
            "a split must leave bars to train on and bars to test on, got "
            f"{len(train)} and {len(test)}. Pass more history, or smaller gaps and blocks."
        )
        raise DataError(msg)
    return train, test


def _listed(name: str, blocks: Sequence[int]) -> tuple[int, ...]:
    items = check.iterable(name, blocks, "be a list of numbers of blocks", f"Type: {name}=[0, 1]")
    return tuple(check.integer(f"every block of {name}", block, 0, 2**31) for block in items)


def _length(index: Sized) -> int:
    try:
        return len(index)
    except TypeError:
        remedy = "Pass the index of the prices, or range(n_bars)."
        raise ParamError(broken_rule("index", "have a length", index, remedy)) from None


def _share(split: float) -> Fraction:
    number = check.real(split)
    if number is None or not 0 < number < 1:
        rule = "be a share above 0 and below 1"
        raise ParamError(broken_rule("split", rule, split, "Type 0.85 for 85 % training."))
    # By its shortest decimal form: 0.85 is 17/20, not the binary fraction next to it.
    return Fraction(repr(float(number)))


def _embargo(embargo: float) -> float:
    share = check.real(embargo)
    if share is not None and 0 <= share < 1:
        return float(share)
    return check.integer("embargo", embargo, 0)


def _block_length(period: str | pd.Timedelta | dt.timedelta | int) -> int | pd.Timedelta:
    if isinstance(period, (int, np.integer)) and not isinstance(period, bool):
        return check.integer("period", period, 1)
    try:
        length = pd.Timedelta(period)
    except (TypeError, ValueError, OverflowError):
        length = pd.Timedelta(0)
    if not length > pd.Timedelta(0):  # NaT is not above it either
        rule = 'be a positive time such as "7D", or a number of bars'
        raise ParamError(broken_rule("period", rule, period))
    return length
