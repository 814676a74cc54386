# SPDX-License-Identifier: BSD-3-Clause
"""Batches of a sweep as one call on lists of parameters, where that is known to change nothing.

A batch that an engine takes is then a mono-chunk: one call, whose result is taken apart into what
single calls return. So labels, merges, progress and engines have nothing to know of it, and an
error in a list is found again singly, in its own combination. Before that `bodies` says whether the
function can be given lists at all; a trial on combinations from all over the grid, and two more in
every chunk, are compared bit by bit with single calls.
"""

from __future__ import annotations

import logging
import math
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, repeat
from pathlib import Path
from time import thread_time  # what else the machine does counts for nothing
from typing import Any, Final, TypeAlias

import numpy as np

from broadpeak._core import check
from broadpeak._core.threads import Nesting, nesting
from broadpeak._merge.pieces import UnlikePieceError, same_bits, split_piece
from broadpeak._metrics.formulas import METRICS
from broadpeak._run.batches import nested
from broadpeak._run.calls import Calls, CallStream, CallTemplate, CodeBlocks, Task
from broadpeak._run.keeping import (
    Best,
    Bins,
    Kept,
    OneFigure,
    Part,
    figure_alone,
    same_labels,
    same_state,
    state_of_calls,
)
from broadpeak._run.options import Settings
from broadpeak._run.sinks import Finished
from broadpeak._space.lazycombos import MOST_HELD
from broadpeak._space.param import Param
from broadpeak._sweep.bodies import read_body
from broadpeak._sweep.listable import ListRules, NotListable, is_portfolio
from broadpeak.errors import ParamError, described
from broadpeak.types import IntArray, NoResult, ParamValues, Reducer

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

Mono: TypeAlias = "bool | str"

LEAST: Final = 16
"""So many combinations a sweep must have for lists to be worth a trial."""

_SHORTEST = 4  # fewer are quicker singly
_LONGEST = 0.5  # seconds of a single call from which on lists are not tried
_SPOTS = 2  # combinations of every chunk that are compared
_MOST_BYTES = 256 * 2**20
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_MADE = 10  # tables that a body is taken to make, where it is not read
_SLOWER = 1.5  # so much longer than single calls a list may take
_FALLING = 0.6  # of the seconds a combination of the last list: a longer one may be quicker yet
_SEEN = 0.1  # seconds of a list from which on its rate counts: the first ones load kernels
_MOST_PLANS = 8
_PLAIN = frozenset((int, float, str, bool, type(None)))
_OFF: Final = {  # options under which every combination must be called by itself
    **dict.fromkeys(("store", "timeout", "n_chunks", "chunk_len", "chunk_meta"), None),
    **dict.fromkeys(("pre_execute_func", "pre_chunk_func"), None),
    **dict.fromkeys(("post_execute_func", "post_chunk_func"), None),
    "on_error": "raise",
    "retries": 0,
    "distribute": "tasks",
    "cache_chunks": False,
}


class UnequalListError(ParamError):
    """A call on lists gives something else than single calls."""


def checked_mono(value: object) -> Mono:
    """Return the option `mono` if it is one.

    Raises
    ------
    ParamError
        If it is neither True, False nor "auto".
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    return str(check.one_of("mono", value, ["auto", True, False]))


class MonoPlan:
    """What the chunks of one run share; every process has one of its own.

    Attributes
    ----------
    name : str
        Name of the function.
    insists : bool
        Whether ``mono=True`` was passed.
    known : dict of int to result
        Results that are there already, by number of combination.
    sample : object
        What a single call returned: it shows how to take the result of a list apart.
    is_on : bool
        Whether lists are used.
    single_seconds : float
        Time of this thread that a single call takes: not that of others on the same core.
    keep : Best or Bins, optional
        Where single calls return a portfolio, of which it needs one figure and no more.
    """

    def __init__(
        self, name: str, *, insists: bool, bytes_each: float, keep: Best | Bins | None = None
    ) -> None:
        self.name = name
        self.insists = insists
        self.keep = keep
        self.known: dict[int, Any] = {}
        self.sample: Any = None
        self.is_on = True
        self.single_seconds = math.inf
        self._bytes_each = self._most_bytes_each = bytes_each
        self._n_failed = self._n_slow = 0
        self._rate = math.inf
        self._token = f"{os.getpid()}-{next(_tokens)}"

    def __reduce__(self) -> tuple[object, ...]:
        return _plan_here, (self._token, dict(self.__dict__))

    def most(self) -> int:
        """Return how many combinations a chunk may have for the memory it takes."""
        return max(_SHORTEST, int(_room() / self._bytes_each))

    def measured(self, n: int, seconds: float, n_bytes: float | None) -> None:
        """Note what a chunk of `n` combinations took, in time and, at most, in memory."""
        if n_bytes is not None:
            self._bytes_each = min(self._most_bytes_each, max(n_bytes / n, 1.0))
        rate, ratio = seconds / n, seconds / n / self.single_seconds
        is_slow = seconds > _SEEN and ratio > _SLOWER and rate > _FALLING * self._rate
        self._rate = rate
        self._n_slow = self._n_slow + 1 if is_slow else 0
        if self._n_slow > 1:  # the first one may have compiled something
            self.give_up(f"a list takes {ratio:.1f} times as long")

    def failed(self, error: Exception) -> None:
        """Note that a list raised what single calls do not."""
        if self.insists:
            raise UnequalListError(f"a list raises {described(error)}, and single calls do not")
        self._n_failed += 1
        if self._n_failed > 1:
            self.give_up(f"lists raise {described(error)}")

    def seen(self, value: Any) -> Any:
        """Return what is needed of the result of a single call."""
        keep = self.keep
        if keep is None or keep.by is None or not is_portfolio(type(value)):
            return value
        return figure_alone(value, keep.by, keep)

    def give_up(self, why: str) -> None:
        """Go on singly."""
        if self.is_on and not self.insists:
            self.is_on = False
            say(self.name, why)


_tokens = count()
_plans: dict[str, MonoPlan] = {}


def _plan_here(token: str, state: dict[str, Any]) -> MonoPlan:
    """Return the plan of this name in this process, which has learnt from earlier chunks.

    A function of the module, for it must be found there by name: a method of the class would
    travel by value, and take a `_plans` of its own along.
    """
    if token not in _plans:
        while len(_plans) >= _MOST_PLANS:
            _plans.pop(next(iter(_plans)))
        plan = _plans[token] = MonoPlan.__new__(MonoPlan)
        plan.__dict__.update(state)
    return _plans[token]


class ListedCalls(Calls):
    """Calls that are made as one on lists, batch by batch, and give what single calls give."""

    __slots__ = ("_plan",)

    _plan: MonoPlan

    @property
    def seconds(self) -> float:  # type: ignore[override]
        """Of a batch: what lists share is worth much, and they have no place to stop at.

        A portfolio that is streamed has one, and shares what it found of every entry.
        """
        return 0.4 if self._plan.keep is None else 2.0

    @classmethod
    def over(cls, calls: Calls, plan: MonoPlan, n_all: int | None = None) -> ListedCalls:
        """Return `calls` under a plan; their last column says which combination a call is of.

        They are the first of `n_all` combinations, by default all of them.
        """
        template, values, codes = calls.columns()
        n = len(calls)
        numbers = range(n if n_all is None else n_all)
        return cls.rebuilt(template, (*values, numbers), (*codes, np.arange(n)), n, plan)

    @classmethod
    def rebuilt(
        cls,
        template: CallTemplate,
        values: tuple[Sequence[object], ...],
        codes: tuple[IntArray, ...],
        n: int,
        plan: MonoPlan,
    ) -> ListedCalls:
        """Return calls of their columns."""
        return cls._of(template, values, codes, n).under(plan)

    def under(self, plan: MonoPlan) -> ListedCalls:
        """Return these calls, which now have a plan."""
        self._plan = plan
        return self

    def _singles(self) -> Calls:
        columns = self._values[:-1], self._codes[:-1]
        return Calls._of(self.template, *columns, self._n)  # noqa: SLF001  # of the class above

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, slice):
            part: Any = super().__getitem__(item)
            return part.under(self._plan)
        return self._singles()[item]

    def with_codes(self, codes: Sequence[IntArray], n: int) -> ListedCalls:
        """Return `n` other calls of the same values."""
        part: Any = super().with_codes(codes, n)
        found: ListedCalls = part.under(self._plan)
        return found

    def pick(self, positions: Sequence[int]) -> ListedCalls:
        """Return the calls at `positions`, in that order."""
        part: Any = super().pick(positions)
        found: ListedCalls = part.under(self._plan)
        return found

    def __iter__(self) -> Iterator[Task]:
        return iter(self._singles())

    def results(self) -> Iterator[object]:
        """Return an iterator over the results: chunk by chunk, or singly where lists do not do."""
        return chain.from_iterable(self._parts())

    def _parts(self) -> Iterator[Iterable[object]]:
        start, plan = 0, self._plan
        while start < self._n:
            n = min(self._n - start, plan.most()) if plan.is_on else 0
            if n < _SHORTEST:
                yield self[start:].each()
                return
            yield self[start : start + n].chunk()
            start += n

    def numbers(self) -> list[int]:
        """Return which combination of the run every call is of."""
        numbers: Any = self._values[-1]
        return [numbers[code] for code in self._codes[-1].tolist()]

    def each(self) -> Iterator[object]:
        """Make the calls one by one, but those whose results are known."""
        known, numbers = self._plan.known, self.numbers()
        if known.keys().isdisjoint(numbers):
            results = self._singles().results()
            yield from results if self._plan.keep is None else map(self._plan.seen, results)
            return
        for number, task in zip(numbers, self._singles(), strict=True):
            yield known[number] if number in known else self._plan.seen(task())

    def chunk(self) -> Iterable[object]:
        """Make one call on lists, compare some of its results, and return them all."""
        plan = self._plan
        before, begun = _memory(), thread_time()
        try:
            values = self.on_lists() if plan.keep is None else self.part()
        except UnlikePieceError as error:
            raise UnequalListError(str(error)) from None
        except Exception as error:  # noqa: BLE001  # whose combination it is, single calls will say
            return self._after(error)
        seconds, after = thread_time() - begun, _memory(peak=True)
        plan.measured(self._n, seconds, after - before if before and after else None)
        self._compare(values)
        return values

    def part(self) -> list[Any]:
        """Return what is kept of one call on the lists of all values, which returns a portfolio.

        It stands at the first of the calls; the others have nothing more to say.
        """
        plan, n, sample = self._plan, self._n, self._plan.sample
        assert plan.keep is not None  # noqa: S101  # that is why this is called
        assert plan.keep.by is not None  # noqa: S101
        portfolio = self._listed()
        if not is_portfolio(type(portfolio)):
            raise UnlikePieceError(f"returns {type(portfolio).__name__} for a list")
        state, n_columns = portfolio._state_of(plan.keep.by, plan.keep)  # noqa: SLF001
        n_inner = sample.figures.size
        if n_columns != n * n_inner:
            raise UnlikePieceError(f"returns {n_columns} columns for a list of {n}")
        if isinstance(state, Kept):
            rows, at = np.divmod(state.positions, max(n_inner, 1))
            numbers = np.array(self.numbers(), dtype=np.int64)
            state = state._replace(positions=numbers[rows] * n_inner + at)
        return [Part(state, n, sample.labels), *repeat(NoResult, n - 1)]

    def _listed(self) -> Any:
        """Return what one call on the lists of all values returns."""
        pairs = zip(self._values[:-1], self._codes[:-1], strict=True)
        lists = [ParamValues(map(values.__getitem__, codes.tolist())) for values, codes in pairs]
        return self.template.task(lists)()

    def _after(self, error: Exception) -> Iterator[object]:
        """Make the calls one by one, of which one may raise what the list has raised."""
        last: list[object] = []  # held back: what is found at the end counts for this call
        try:
            for value in self.each():
                yield from last
                last = [value]
        except BaseException:
            yield from last
            raise
        self._plan.failed(error)
        yield from last

    def on_lists(self) -> list[Any]:
        """Return the results of one call on the lists of all values.

        Raises
        ------
        UnlikePieceError
            If that call returns something else than single calls do, for each combination.
        """
        return split_piece(self._listed(), self._n, self._plan.sample)

    def _compare(self, values: list[Any]) -> None:
        """Refuse results of a list of which some are not those of single calls."""
        singles, plan, seen = self._singles(), self._plan, []
        spots = _drawn(_SPOTS, self._n, seed=self[:1].numbers()[0])
        for spot in spots:
            try:
                single = plan.seen(singles[spot]())
            except Exception as error:
                text = f"a single call raises {described(error)}, and a list does not"
                raise UnequalListError(text) from error
            if plan.keep is None and not same_bits(single, values[spot]):
                raise UnequalListError("a list gives other results than single calls")
            seen.append(single)
        if plan.keep is not None and not self._holds(values[0].state, spots, seen):
            raise UnequalListError("a list gives other results than single calls")

    def _holds(self, state: Any, spots: Sequence[int], singles: Sequence[OneFigure]) -> bool:
        """Return whether what is kept of these calls is right about some of them."""
        keep = self._plan.keep
        assert keep is not None  # noqa: S101  # that is why this is called
        if not isinstance(keep, Best):  # of sums nothing can be taken out: they are counted again
            again: Part = self.pick(spots).part()[0]
            return same_state(again.state, state_of_calls(keep, spots, singles))
        numbers = self.numbers()
        own = state_of_calls(keep, [numbers[spot] for spot in spots], singles)
        n = max(self._plan.sample.figures.size, 1)
        others = ~np.isin(state.positions // n, [numbers[spot] for spot in spots])
        results = [state.results[at] for at in np.flatnonzero(others).tolist()]
        rest = Kept(state.positions[others], state.figures[others], results)
        return same_state(keep.merge(rest, own), state)

    def __reduce__(self) -> tuple[object, ...]:
        rebuild, arguments = super().__reduce__()
        return _listed_calls, (rebuild, arguments, self._plan)


def _listed_calls(rebuild: Any, arguments: tuple[Any, ...], plan: MonoPlan) -> ListedCalls:
    calls: Calls = rebuild(*arguments)
    template, values, codes = calls.columns()
    return ListedCalls.rebuilt(template, values, codes, len(calls), plan)


class NumberedBlocks:
    """Blocks of codes, and beside them the numbers of their combinations."""

    def __init__(self, blocks: CodeBlocks) -> None:
        self._blocks = blocks

    def __iter__(self) -> Iterator[list[IntArray]]:
        start = 0
        for block in self._blocks:
            stop = start + len(block[0])
            yield [*block, np.arange(start, stop)]
            start = stop

    def at(self, numbers: IntArray) -> list[IntArray]:
        """Return the codes of the combinations with these numbers, and the numbers."""
        return [*self._blocks.at(numbers), numbers]

    def identity(self, digest: Callable[..., bytes]) -> bytes:
        """Return a digest of the combinations."""
        return self._blocks.identity(digest)


class ListedStream(CallStream):
    """Calls on lists whose codes are not held."""

    def __init__(self, stream: CallStream, plan: MonoPlan) -> None:
        n = len(stream)
        super().__init__(ListedCalls.over(stream.calls, plan, n), NumberedBlocks(stream.blocks), n)


# --- deciding ------------------------------------------------------------------------------------


def run_listed(
    run: Callable[..., Finished],
    calls: Calls | CallStream,
    mono: Mono,
    params: Mapping[str, Param],
    settings: Settings,
) -> Finished:
    """Run calls on lists where that is safe, and singly elsewhere.

    Parameters
    ----------
    run : callable
        Runs calls.
    calls : Calls or CallStream
        One call a combination, in which only the parameters vary.
    mono : "auto" or True
        True: whatever speaks against lists is an error.
    params : mapping
        The parameters, by name.
    settings : Settings
        Options of the run.

    Raises
    ------
    ParamError
        If `mono` is True, and lists do not give what single calls give.
    """
    insists = mono is True
    shared = calls.calls if isinstance(calls, CallStream) else calls
    name = getattr(shared.func, "__name__", None) or type(shared.func).__name__
    try:
        _check_options(settings)
        reducer = settings.keep if settings.to is None else None  # else every result is wanted
        found = _tried(calls, name, params, reducer, insists=insists)
        return run(found, passthrough=(UnequalListError,))
    except (NotListable, UnequalListError) as why:  # what ran so far is not to be trusted, either
        if insists:
            raise refusal(why) from None
        say(name, str(why))
    return run(calls)  # out of the block above, which is no reason for an error of a call


def _tried(
    calls: Calls | CallStream,
    name: str,
    params: Mapping[str, Param],
    reducer: Reducer | None,
    *,
    insists: bool,
) -> ListedCalls | ListedStream:
    """Return calls that are made on lists, or that are to go on singly after the trial."""
    shared = calls.calls if isinstance(calls, CallStream) else calls
    keep = reducer if isinstance(reducer, (Best, Bins)) and reducer.by in METRICS else None
    by = None if keep is None else keep.by
    if insists:
        n_bytes = 8.0 * _MADE * _longest(shared)
    else:
        _check_params(params)
        rules = _read(shared, by)
        n_bytes = 8.0 * max(rules.n_made * rules.n_bars, 1)
    plan = MonoPlan(name, insists=insists, bytes_each=n_bytes, keep=keep)
    found: ListedCalls | ListedStream
    if isinstance(calls, CallStream):
        found = ListedStream(calls, plan)
    else:
        found = ListedCalls.over(calls, plan)
    n = min(len(found), MOST_HELD)  # of more the grid would have to be walked
    numbers = sorted({0, n // 2, n - 1, *_drawn(2, n, seed=n)})
    trial: Any = found.pick(numbers)
    try:
        _try(trial, numbers, plan)
    except NotListable as why:
        if insists:
            raise
        plan.give_up(str(why))
    return found


def refusal(why: object) -> ParamError:
    """Return the error of ``mono=True`` where lists do not do."""
    return ParamError(
        "mono=True must get the same from a call on lists of parameters as from single calls, got: "
        f"{why}. Pass mono='auto' or False."
    )


def say(name: str, why: str) -> None:
    """Tell whoever asks for it why a sweep runs singly."""
    logging.getLogger("broadpeak").debug("%s runs one combination at a time: %s", name, why)


def _check_options(settings: Settings) -> None:
    for option, default in _OFF.items():
        if getattr(settings, option) != default:
            raise NotListable(f"{option} is given")


def _check_params(params: Mapping[str, Param]) -> None:
    """Refuse values of which lists make something else: objects, numbers of several types."""
    for name, param in params.items():
        if param.mono_reduce or param.mono_merge_func is not None:
            raise NotListable(f"{name} says itself how its list is passed")
        kinds = set(map(type, param.values))
        if not kinds <= _PLAIN:
            raise NotListable(f"values of {name} are not plain")
        if len(kinds & {int, float, bool}) > 1:  # 1, 1.0 and True are one key of a memory
            raise NotListable(f"values of {name} are numbers of several types")
        if float in kinds and any(_is_minus_zero(value) for value in param.values):
            raise NotListable(f"a value of {name} is minus zero")


def _is_minus_zero(value: Any) -> bool:
    return value is not None and value == 0.0 and math.copysign(1.0, value) < 0


def _read(calls: Calls, by: str | None) -> ListRules:
    """Return what was seen in the body, which takes lists."""
    template, _, _ = calls.columns()
    return read_body(template.func, template.args, template.kwargs, template.slots, by)


def _longest(calls: Calls) -> int:
    """Return the length of the longest argument that all calls share."""
    template, _, _ = calls.columns()
    shared: list[Any] = [*template.args, *template.kwargs.values()]
    return max([1, *(len(one) for one in shared if hasattr(type(one), "__len__"))])


def _try(calls: ListedCalls, numbers: Sequence[int], plan: MonoPlan) -> None:
    """Run some combinations singly and as one list; refuse what is not the same.

    An error of a single call is left to the run, which finds it in its turn.
    """
    outer = nesting.get()
    with nested(Nesting(outer.depth + 1, outer.n_beside)):
        for at, number in enumerate(numbers):
            begun = thread_time()
            try:
                plan.known[number] = plan.seen(check.finished(calls[at]()))
            except Exception:  # noqa: BLE001  # whatever it is
                plan.give_up("a single call raises an error")
                plan.is_on = False
                return
            is_first = at == 0  # it may compile something
            plan.single_seconds = min(plan.single_seconds, thread_time() - begun)
            if plan.single_seconds > _LONGEST and not is_first and not plan.insists:
                raise NotListable("a single call takes long enough")
        plan.sample = plan.known[numbers[0]]
        if not isinstance(plan.sample, OneFigure):
            plan.keep = None
        try:
            values = calls.on_lists() if plan.keep is None else calls.part()
        except UnlikePieceError as error:
            raise NotListable(str(error)) from None
        except Exception as error:
            raise NotListable(f"a list raises {described(error)}") from error
    singles = list(plan.known.values())
    if plan.keep is None:
        is_same = all(map(same_bits, values, singles))
    else:
        is_same = all(_same_entries(single, plan.sample) for single in singles) and same_state(
            values[0].state, state_of_calls(plan.keep, numbers, singles)
        )
    if not is_same:
        raise NotListable("a list gives other results than single calls")


def _same_entries(one: OneFigure, other: OneFigure) -> bool:
    """Return whether two calls have the same entries."""
    if one.labels is None or other.labels is None:
        return one.labels is other.labels
    return same_labels(one.labels, other.labels)


def _drawn(count: int, n: int, *, seed: int) -> list[int]:
    """Return some of `n` positions, the same ones every time."""
    return random.Random(seed).sample(range(n), min(count, n))


# --- memory --------------------------------------------------------------------------------------


def _memory(*, peak: bool = False) -> float | None:
    """Return the bytes that this process has, or has had at most; None where that is not known."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except (OSError, IndexError):
        return None
    if peak:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return float(pages) * _PAGE


def _room() -> float:
    """Return how much memory a chunk may take, in bytes."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return _MOST_BYTES
    for line in lines:
        if line.startswith("MemAvailable:"):
            return min(_MOST_BYTES, float(line.split()[1]) * 1024 / 4)
    return _MOST_BYTES
