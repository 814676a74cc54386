# SPDX-License-Identifier: BSD-3-Clause
"""What a run keeps of its results as they arrive: the best, a histogram, or what a user wants.

A reducer (`types.Reducer`) has a state of plain values. Results may be added in any order and
states merged in any grouping: the last state is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeAlias, cast

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index
from broadpeak._merge.named import concat
from broadpeak._run.looped import ResultColumns
from broadpeak.errors import ParamError, ParamTypeError, broken_rule, shown
from broadpeak.types import AnyArray, FloatArray, IntArray, Reducer

Values: TypeAlias = "Sequence[Any] | AnyArray | Mapping[Any, AnyArray] | pd.DataFrame"
"""Results of many calls: one each, or by figure an array of one entry each."""

_METHODS: Final = ("start", "add", "merge")
_AS_PYTHON: Final = (np.float64, np.int64, np.bool_)
_NUMBERS: Final = frozenset({float, int, bool, np.float64, np.float32, np.int64, np.bool_})


class Kept(NamedTuple):
    """The state of `Best`: what is kept, best first."""

    positions: IntArray
    figures: FloatArray  # what is compared
    results: list[Any]  # what is kept: a number, or a dict of figures


@dataclass(frozen=True)
class Best:
    """Keeps the best of all results; `top` and `bottom` make it."""

    n: int
    by: str | None = None
    largest: bool = True

    def __repr__(self) -> str:
        by = "" if self.by is None else f", by={self.by!r}"
        return f"{'top' if self.largest else 'bottom'}({self.n}{by})"

    def start(self) -> Kept:
        """Return the state that holds nothing."""
        return Kept(np.empty(0, dtype=np.int64), np.empty(0), [])

    def floor(self, state: Kept) -> float:
        """Return the figure of the last that is kept, once there are `n`; before, the worst.

        A result that is worse will not be kept, so that it need not be computed to the end. One
        that is as good will be if its position is lower.
        """
        if len(state.figures) >= self.n:
            return float(state.figures[-1])
        return -math.inf if self.largest else math.inf

    def add(self, state: Kept, position: int, value: Any) -> Kept:
        """Return the state with one more result."""
        return self.add_many(state, np.array([position]), [value])

    def add_many(self, state: Kept, positions: Sequence[int] | IntArray, values: Values) -> Kept:
        """Return the state with many more results."""
        figures = figures_of(values, self.by, self)
        good = np.isfinite(figures)
        if len(state.figures) >= self.n:
            last = state.figures[-1]
            good &= figures >= last if self.largest else figures <= last
        at = np.flatnonzero(good)
        if len(at) > self.n:  # all that may be among the best of these, ties included
            some = figures[at]
            if self.largest:
                at = at[some >= np.partition(some, len(at) - self.n)[len(at) - self.n]]
            else:
                at = at[some <= np.partition(some, self.n - 1)[self.n - 1]]
        if not len(at):
            return state
        numbers = _positions_at(positions, at)
        order = self._order(numbers, figures[at])
        at = at[order]
        return self.merge(
            state, Kept(numbers[order], figures[at], results_at(values, at, self.by, self))
        )

    def merge(self, left: Kept, right: Kept) -> Kept:
        """Return the best of two states."""
        if not len(left.positions):
            return right
        if not len(right.positions):
            return left
        positions = np.concatenate([left.positions, right.positions])
        figures = np.concatenate([left.figures, right.figures])
        order = self._order(positions, figures)
        both = left.results + right.results
        return Kept(positions[order], figures[order], [both[at] for at in order.tolist()])

    def finish(self, state: Kept) -> Any:
        """Return what is kept as a Series or a frame over positions, best first."""
        return self.labelled(state, pd.Index)

    def labelled(self, state: Kept, labels: Callable[[IntArray], Index]) -> Any:
        """Return the same over ``labels(positions)``."""
        index, results = labels(state.positions), state.results
        if not results:
            return pd.Series([], index=index, dtype=np.float64, name=self.by)
        of_many = [isinstance(result, dict) for result in results]
        if all(of_many):
            return pd.DataFrame(results, index=index)
        if any(of_many):
            rule = "be all of one kind"
            got = "numbers and several figures by name"
            raise ParamTypeError(broken_rule("Results that are kept", rule, got))
        series = concat(results, keys=index)
        return series if self.by is None else series.rename(self.by)

    def _order(self, positions: IntArray, figures: FloatArray) -> IntArray:
        """Return the order of the best `n`: of equal figures the lower position comes first."""
        return np.lexsort([positions, -figures if self.largest else figures])[: self.n]


class Tallies(NamedTuple):
    """The state of `Bins`."""

    counts: IntArray
    below: int
    above: int
    missing: int


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many results lie where: what a run returns with ``keep=broadpeak.histogram(…)``.

    Attributes
    ----------
    edges : float64 array
        Edges of the bins, ascending. A bin holds its left edge, and the last one its right edge.
    counts : int64 array
        Results in each bin; one less than edges.
    below, above : int
        Results outside of all bins.
    missing : int
        Results that are NaN.
    """

    edges: FloatArray
    counts: IntArray
    below: int
    above: int
    missing: int

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        mine, theirs = vars(self).values(), vars(other).values()
        return all(map(np.array_equal, mine, theirs))

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    def __repr__(self) -> str:
        inside = f"{int(self.counts.sum())} in {len(self.counts)} bins"
        outside = f"{self.below} below, {self.above} above, {self.missing} NaN"
        return f"Histogram({inside} from {self.edges[0]:g} to {self.edges[-1]:g}, {outside})"


@dataclass(frozen=True)
class Bins:
    """Counts results by bins; `histogram` makes it."""

    edges: tuple[float, ...]
    by: str | None = None

    def __repr__(self) -> str:
        by = "" if self.by is None else f", by={self.by!r}"
        edges = ", ".join(f"{edge:g}" for edge in self.edges[:9])
        more = ", …" if len(self.edges) > 9 else ""
        return f"histogram([{edges}{more}]{by})"

    def start(self) -> Tallies:
        """Return the state that has counted nothing."""
        return Tallies(np.zeros(len(self.edges) - 1, dtype=np.int64), 0, 0, 0)

    def add(self, state: Tallies, position: int, value: Any) -> Tallies:
        """Return the state with one more result."""
        return self.add_many(state, [position], [value])

    def add_many(
        self, state: Tallies, positions: Sequence[int] | IntArray, values: Values
    ) -> Tallies:
        """Return the state with many more results."""
        del positions
        figures = figures_of(values, self.by, self)
        edges = np.array(self.edges)
        numbers = figures[~np.isnan(figures)]
        at = np.searchsorted(edges, numbers, side="right")
        at[numbers == edges[-1]] = len(edges) - 1
        found = np.bincount(at, minlength=len(edges) + 1)
        missing = len(figures) - len(numbers)
        below, above = int(found[0]), int(found[-1])
        return self.merge(state, Tallies(found[1:-1].astype(np.int64), below, above, missing))

    def merge(self, left: Tallies, right: Tallies) -> Tallies:
        """Return the sums of two states."""
        return Tallies(
            left.counts + right.counts,
            left.below + right.below,
            left.above + right.above,
            left.missing + right.missing,
        )

    def finish(self, state: Tallies) -> Histogram:
        """Return the counts with their edges."""
        return Histogram(np.array(self.edges), *state)


def top(n: int, by: str | None = None) -> Best:
    """Keep the `n` largest results of a run, and hold no others: ``keep=broadpeak.top(100)``.

    Parameters
    ----------
    n : int
        How many.
    by : str, optional
        The figure to compare where a result is a mapping, Series, named tuple, `Portfolio` or
        another object with that attribute. Default: the result itself is a number.

    Returns
    -------
    Reducer
        For ``keep=`` of `execute`, `parameterized`, `iterated` and `Portfolio.metrics`. The run
        then returns what is kept, best first: a Series of numbers, or a frame where results are
        mappings, Series or named tuples of several figures. It is labelled as usual: by
        parameters, `keys`, or positions. Entries of a Series without `by`, rows of a frame, and
        columns of a `Portfolio` are kept one by one; their labels follow those of the call.

    Raises
    ------
    ParamError, TypeError
        If `n` is no integer of at least 1.

    Notes
    -----
    Of equal figures the one of the earlier call is kept, whatever engine runs the calls. Figures
    are compared as float64. NaN and infinite figures are never kept, as in `broadpeak.select`: a
    ratio whose denominator is zero says nothing.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.parameterized(keep=bp.top(2))
    ... def area(width, height):
    ...     return width * height
    >>> area(bp.Param([1, 2, 3]), bp.Param([10, 20]))
    width  height
    3      20        60
    2      20        40
    dtype: int64
    """
    return Best(check.integer("n", n), _name(by))


def bottom(n: int, by: str | None = None) -> Best:
    """Keep the `n` smallest results of a run, and hold no others: ``keep=broadpeak.bottom(100)``.

    Parameters
    ----------
    n : int
        How many.
    by : str, optional
        The figure to compare; see `top`.

    Returns
    -------
    Reducer
        As of `top`, smallest first.

    Raises
    ------
    ParamError, TypeError
        If `n` is no integer of at least 1.

    Examples
    --------
    >>> import broadpeak as bp
    >>> tasks = [bp.Task(abs, n) for n in (-3, 1, -2)]
    >>> bp.execute(tasks, keep=bp.bottom(2))
    1    1
    2    2
    dtype: int64
    """
    return Best(check.integer("n", n), _name(by), largest=False)


def histogram(
    bins: int | Sequence[float] | AnyArray,
    range: tuple[float, float] | None = None,  # as NumPy calls it
    by: str | None = None,
) -> Bins:
    """Count the results of a run by size, and hold none: ``keep=broadpeak.histogram(…)``.

    Parameters
    ----------
    bins : int or sequence of float
        Number of bins of equal width, or their edges, ascending.
    range : (float, float), optional
        Lowest and highest edge; needed where `bins` is a number.
    by : str, optional
        The figure to count; see `top`.

    Returns
    -------
    Reducer
        For ``keep=``. The run then returns an object with `edges`, `counts` (one less), and the
        numbers of results `below` and `above` all bins, and `missing` (NaN).

    Raises
    ------
    ParamError, TypeError
        If the edges do not ascend, or the range is missing.

    Notes
    -----
    A bin holds its left edge; the last one also its right edge, as in `numpy.histogram`. Infinite
    results are below or above.

    Examples
    --------
    >>> import broadpeak as bp
    >>> tasks = [bp.Task(abs, n) for n in (-3, 1, -2, 9)]
    >>> found = bp.execute(tasks, keep=bp.histogram(2, range=(0, 4)))
    >>> found.counts, found.above
    (array([1, 2]), 1)
    """
    number = check.real(bins)
    if number is not None:
        count = check.integer("bins", bins, 1, 10**7)
        if range is None:
            remedy = "Type: histogram(50, range=(-1, 3))."
            raise ParamError(broken_rule("range", "be given with a number of bins", None, remedy))
        low, high = _edges("range", range)[[0, -1]]
        with np.errstate(over="ignore", invalid="ignore"):
            edges = np.linspace(low, high, count + 1)
    else:
        if range is not None:
            rule = "be left out where bins are edges"
            raise ParamError(broken_rule("range", rule, range))
        edges = _edges("bins", bins)
    if not np.all(edges[1:] > edges[:-1]):
        rule = "leave room for so many bins between its ends"
        raise ParamError(broken_rule("range", rule, range))
    return Bins(tuple(edges.tolist()), _name(by))


def _edges(name: str, value: object) -> FloatArray:
    """Return ascending numbers."""
    rule = "be at least two finite numbers, ascending"
    items = list(check.iterable(name, value, rule))
    edges = np.array([check.as_float(item) for item in items])
    if any(check.real(item) is None for item in items):
        raise ParamTypeError(broken_rule(name, rule, value))
    if name == "range" and len(edges) != 2:
        raise ParamError(broken_rule(name, "be two numbers", value))
    with np.errstate(invalid="ignore"):
        if len(edges) < 2 or not np.isfinite(edges).all() or not (edges[1:] > edges[:-1]).all():
            raise ParamError(broken_rule(name, rule, value))
    return edges


def _name(by: object) -> str | None:
    return None if by is None else check.string("by", by, "Type: by='sharpe_ratio'")


def check_reducer(name: str, value: object) -> Reducer:
    """Return `value` if it is a reducer."""
    missing = [method for method in _METHODS if not callable(getattr(value, method, None))]
    if missing or isinstance(value, type):
        rule = "be a reducer: an object with start, add and merge"
        remedy = "Type: keep=bp.top(100)"
        raise ParamTypeError(broken_rule(name, rule, value, remedy))
    return cast("Reducer", value)


class OneFigure(NamedTuple):
    """The figure that a reducer asks for of an object that holds many, such as a `Portfolio`."""

    figures: AnyArray  # one each, or one for every entry of one call
    labels: Index | None = None  # of the entries of one call


class Part(NamedTuple):
    """What a reducer knows of the results of many calls, by position in the run."""

    state: Any
    n: int  # calls that have a result
    labels: Index | None  # of the entries of one call, if it has several
    span: range | None = None  # which calls these are, where states are joined in their order
    is_raw: bool = False  # `state` holds the results of `span`: others complete their block


class Inner(NamedTuple):
    """Results of calls that have several entries each."""

    values: Values | OneFigure  # of the first call, then of the second, …
    labels: Index  # of the entries of one call, the same for all


def inner_of(values: Sequence[Any], reducer: Reducer) -> Inner | None:
    """Return the entries of results that have several; None where each result is one entry.

    A Series without `by` has one for each of its labels, a frame one for each row, and any other
    object one for each label of the Series that its figure is.

    Raises
    ------
    ParamError
        If results have other entries than the first one.
    """
    if (
        not isinstance(reducer, (Best, Bins))
        or not len(values)
        or _NUMBERS & set(map(type, values))
    ):
        return None
    by, parts, labels = reducer.by, [], None
    for value in values:
        part, own = _entries(value, by, reducer)
        if own is None:
            if labels is not None:
                raise other_entries(labels, value, reducer)
            return None
        if labels is None:
            labels = own
        elif own is not labels and not same_labels(own, labels):
            raise other_entries(labels, own, reducer)
        parts.append(part)
    assert labels is not None  # noqa: S101  # there is a result
    if isinstance(parts[0], pd.DataFrame):
        names = list(parts[0])
        for part in parts:
            if list(part) != names:
                raise other_entries(pd.Index(names), part.columns, reducer)
        columns = {
            name: np.concatenate([part[name].to_numpy() for part in parts]) for name in names
        }
        return Inner(columns, labels)
    array = np.concatenate(parts)
    return Inner(array if isinstance(values[0], pd.Series) else OneFigure(array), labels)


def same_labels(left: Index, right: Index) -> bool:
    """Return whether two calls have the same entries."""
    return left.names == right.names and bool(left.equals(right))


def _entries(value: Any, by: str | None, keep: Reducer) -> tuple[Any, Index | None]:
    """Return the entries of one result and their labels; no labels where it is one entry."""
    if isinstance(value, OneFigure):
        return value
    if isinstance(value, pd.DataFrame):
        return value, value.index
    if isinstance(value, pd.Series):
        return (value.to_numpy(), value.index) if by is None else (value, None)
    if by is None or isinstance(value, (Mapping, tuple)):
        return value, None
    figure = named_figure(value, by, keep)
    return (figure.to_numpy(), figure.index) if isinstance(figure, pd.Series) else (figure, None)


def other_entries(labels: Index | None, got: object, keep: object) -> ParamError:
    """Return the error of calls that differ in what entries they have."""
    first = "one alone" if labels is None else shown(list(labels[:5]))
    rule = f"have the entries of the first one, {first}"
    return ParamError(broken_rule(f"A result with keep={shown(keep)}", rule, got))


def inner_labels(outer: Index, inner: Index) -> Index:
    """Return labels of calls and, beside them, labels of entries."""
    levels = [index.get_level_values(at) for index in (outer, inner) for at in range(index.nlevels)]
    return pd.MultiIndex.from_arrays(levels, names=[*outer.names, *inner.names])


def add_many(
    reducer: Reducer, state: Any, positions: Sequence[int] | IntArray, values: Values | OneFigure
) -> Any:
    """Return `state` with many results taken in, by ``add_many`` where `reducer` has it."""
    if isinstance(values, list) and values and isinstance(values[0], OneFigure):
        values = OneFigure(np.array([value.figures for value in values]))
    if isinstance(values, OneFigure):
        values = values.figures
        if isinstance(reducer, (Best, Bins)):
            reducer = replace(reducer, by=None)
    if isinstance(values, ResultColumns):
        values = (
            values.by_name() if isinstance(reducer, (Best, Bins)) else None
        ) or values.tolist()
    many: Any = getattr(reducer, "add_many", None)
    if many is not None:
        if not isinstance(reducer, (Best, Bins)):
            positions = _positions_at(positions, np.arange(len(positions)))
        return many(state, positions, values)
    if isinstance(values, (Mapping, pd.DataFrame)):
        names = list(values)
        columns = (np.asarray(values[name]).tolist() for name in names)
        values = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    elif isinstance(values, np.ndarray):
        values = values.tolist()
    for position, value in zip(positions, values, strict=True):
        state = reducer.add(state, int(position), value)
    return state


def finished(reducer: Reducer, state: Any, labels: Callable[[IntArray], Index]) -> Any:
    """Return what a run returns for the last state."""
    if isinstance(reducer, Best):
        return reducer.labelled(state, labels)
    finish: Any = getattr(reducer, "finish", None)
    return state if finish is None else finish(state)


def _positions_at(positions: Sequence[int] | IntArray, at: IntArray) -> IntArray:
    if isinstance(positions, range):  # never made
        return positions.start + at * positions.step
    return np.asarray(positions, dtype=np.int64)[at]


def figure_alone(value: Any, by: str, keep: object) -> OneFigure:
    """Return the figure of an object, so that it can go."""
    figure = named_figure(value, by, keep)
    if isinstance(figure, pd.Series):
        return OneFigure(figure.to_numpy(), figure.index)
    return OneFigure(np.asarray(figure))


def state_of_calls(
    reducer: Best | Bins, numbers: Sequence[int] | IntArray, figures: Sequence[OneFigure]
) -> Any:
    """Return the state after some calls, whose figure is all that is left of them."""
    n = figures[0].figures.size
    positions = np.asarray(numbers, dtype=np.int64)[:, np.newaxis] * n + np.arange(n)
    flat = np.concatenate([np.ravel(one.figures) for one in figures])
    return add_many(reducer, reducer.start(), positions.reshape(-1), OneFigure(flat))


def same_state(left: Any, right: Any) -> bool:
    """Return whether two states of `Best`, or of `Bins`, are the same to the bit."""
    pairs = zip(left, right, strict=True)
    return all(np.asarray(one).tobytes() == np.asarray(other).tobytes() for one, other in pairs)


def kept_positions(reducer: Reducer, state: Any) -> IntArray | None:
    """Return the positions of the results that are kept, best first; None for other reducers."""
    return state.positions if isinstance(reducer, Best) else None


def figures_of(values: Values, by: str | None, keep: object) -> FloatArray:
    """Return the figure of every result as float64.

    Raises
    ------
    ParamTypeError, ParamError
        If a result is no number, or has no figure of that name.
    """
    if isinstance(values, (Mapping, pd.DataFrame)):
        return _floats(_column(values, by, keep), keep)
    if isinstance(values, np.ndarray) and values.dtype != object:
        if by is not None and len(values):
            raise _no_figure(values[0], by, keep)
        return _floats(values, keep)
    if by is None and _NUMBERS.issuperset(map(type, values)):
        try:
            return np.fromiter(values, dtype=np.float64, count=len(values))
        except OverflowError:  # an integer beyond all floats
            pass
    return np.array([_figure(value, by, keep) for value in values], dtype=np.float64)


def results_at(values: Values, at: IntArray, by: str | None, keep: object) -> list[Any]:
    """Return what is kept of the results at positions `at`: numbers, or dicts of figures."""
    if isinstance(values, (Mapping, pd.DataFrame)):
        columns = {name: _items(np.asarray(values[name])[at]) for name in values}
        if len(columns) == 1 and by is None:
            return next(iter(columns.values()))
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]
    if isinstance(values, np.ndarray) and values.dtype != object:
        return _items(values[at])
    return [_result(values[position], by, keep) for position in at.tolist()]


def _items(array: AnyArray) -> list[Any]:
    """Return entries as single calls return them: numbers of Python where they lose nothing."""
    return array.tolist() if array.dtype.type in _AS_PYTHON else list(array)


def _column(values: Mapping[Any, AnyArray] | pd.DataFrame, by: str | None, keep: object) -> Any:
    names = list(values)
    if by is None and len(names) == 1:
        return values[names[0]]
    if by is None:
        raise _no_number(dict.fromkeys(names), keep)
    if by not in names:
        raise _unknown_figure(by, names, keep)
    return values[by]


def _floats(array: Any, keep: object) -> FloatArray:
    array = np.asarray(array)
    if array.dtype.kind not in "fiub" or array.ndim != 1:
        if array.dtype == object and array.ndim == 1:
            return figures_of(array.tolist(), None, keep)
        raise _no_number(array, keep)
    return array.astype(np.float64, copy=False)


def _figure(value: Any, by: str | None, keep: object) -> float:
    figure = value if by is None else named_figure(value, by, keep)
    if isinstance(figure, (bool, np.bool_)):
        return float(figure)
    if check.real(figure) is None:
        raise _no_number(figure, keep) if by is None else _no_figure(figure, by, keep)
    return check.as_float(figure)


def named_figure(value: Any, by: str, keep: object) -> Any:
    """Return the figure `by` of a mapping, Series, or of an object with that attribute."""
    if isinstance(value, (Mapping, pd.Series)):
        if by not in (names := list(value.keys())):
            raise _unknown_figure(by, names, keep)
        return value[by]
    if isinstance(value, (bool, float, int, str, np.generic, np.ndarray, list)):
        raise _no_figure(value, by, keep)
    try:
        return getattr(value, by)
    except AttributeError:
        names = [name for name in dir(value) if not name.startswith("_")]
        raise _unknown_figure(by, names, keep, value) from None


def _result(value: Any, by: str | None, keep: object) -> Any:
    """Return a number, or the figures of a mapping, Series or named tuple as a dict."""
    if by is None:
        return value[()] if isinstance(value, np.ndarray) else value
    if isinstance(value, (Mapping, pd.Series)):
        return dict(value.items())
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    figure = named_figure(value, by, keep)
    return figure[()] if isinstance(figure, np.ndarray) else figure


def _no_number(value: object, keep: object) -> ParamTypeError:
    rule = "be a number to be compared"
    spelling = shown(keep).replace(")", ", by='…')")
    remedy = f"Return one, or name one of its figures: keep={spelling}."
    return ParamTypeError(broken_rule(f"A result with keep={shown(keep)}", rule, value, remedy))


def _no_figure(value: object, by: str, keep: object) -> ParamTypeError:
    rule = f"have one number {shown(by)}"
    remedy = "Leave out by= where results are numbers."
    if check.real(value) is None:
        remedy = "Return one number, or a mapping of names to numbers, for each call."
    return ParamTypeError(broken_rule(f"A result with keep={shown(keep)}", rule, value, remedy))


def _unknown_figure(
    by: str, names: Sequence[Hashable], keep: object, value: object = None
) -> ParamError:
    rule = f"have the figure {shown(by)}"
    hint = check.did_you_mean(by, names)
    got = ", ".join(map(str, names[:20])) if value is None else type(value).__name__
    return ParamError(broken_rule(f"A result with keep={shown(keep)}", rule, got, hint))
