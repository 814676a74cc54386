# SPDX-License-Identifier: BSD-3-Clause
"""`Task`, one call, and `Calls`, a million calls of one function stored by column."""

from __future__ import annotations

import hashlib
import operator
import reprlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import Any, ClassVar, Protocol, Self, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from broadpeak._run.looped import Loop, LoopRun, loop_of, typed
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import AnyArray, Function, IntArray

Coded: TypeAlias = tuple[Sequence[object], npt.ArrayLike | Sequence[int]]  # values, codes
Varying: TypeAlias = Mapping[int | str, Coded] | Mapping[int, Coded] | Mapping[str, Coded]
_LINE = 100  # characters of a repr
_OPEN = object()  # stands at a position without an argument
_HELD_BLOCKS = 16  # of codes that are behind: engines go back a little, in order of their batches
_KEY = 16  # bytes of the digest of one call


class Task:
    """One call that has not been made yet.

    Parameters
    ----------
    func : callable
        What to call.
    *args, **kwargs
        What to call it with.

    Raises
    ------
    TypeError
        If `func` cannot be called.

    Examples
    --------
    >>> task = Task(pow, 2, 10)
    >>> task
    Task(pow, 2, 10)
    >>> task()
    1024
    """

    __slots__ = ("args", "func", "kwargs")

    def __init__(self, func: Function, /, *args: object, **kwargs: object) -> None:
        passed: object = func
        if not callable(passed):
            callable_("func", passed, "Type: Task(func, *args), not Task(func(*args)).")
        self.func = func
        self.args = args
        self.kwargs = kwargs

    def __call__(self) -> Any:
        """Make the call and return its result."""
        return self.func(*self.args, **self.kwargs)

    def __repr__(self) -> str:
        parts = [_name(self.func), *map(_shorten, self.args)]
        parts += [f"{name}={_shorten(value)}" for name, value in self.kwargs.items()]
        text = f"Task({', '.join(parts)})"
        return text if len(text) <= _LINE else f"{text[: _LINE - 2]}…)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        ours, theirs = (
            (self.func, self.args, self.kwargs),
            (other.func, other.args, other.kwargs),
        )
        return ours == theirs

    __hash__ = None  # type: ignore[assignment]  # arguments may be anything, also unhashable

    def __reduce__(self) -> tuple[object, ...]:
        return _task, (self.func, self.args, self.kwargs)


def callable_(name: str, value: object, remedy: str = "") -> Function:
    """Return `value` if it can be called."""
    if not callable(value):
        raise ParamTypeError(broken_rule(name, "be callable", value, remedy))
    function: Function = value
    return function


def _task(func: Function, args: tuple[object, ...], kwargs: dict[str, object]) -> Task:
    return Task(func, *args, **kwargs)


def _name(func: object) -> str:
    return getattr(func, "__name__", None) or type(func).__name__


def _shorten(value: object) -> str:
    return " ".join(reprlib.repr(value).split())


class CallTemplate:
    """What all calls of a `Calls` share; one object, so that it is sent to a worker once.

    `total` is the number of calls of the run if Numba compiled the function, which decides whether
    they are made in a compiled loop; `loop` is that loop once there is one.
    """

    __slots__ = ("args", "func", "kwargs", "loop", "slots", "total")

    def __init__(
        self,
        func: Function,
        args: tuple[object, ...],
        kwargs: dict[str, object],
        slots: tuple[int | str, ...],
        total: int = 0,
    ) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.slots = slots
        self.total = total
        self.loop: tuple[object, list[AnyArray], Loop | None] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return CallTemplate, (self.func, self.args, self.kwargs, self.slots, self.total)

    def task(self, values: Sequence[object]) -> Task:
        """Return the call with `values` in the slots."""
        args, kwargs = list(self.args), dict(self.kwargs)
        for slot, value in zip(self.slots, values, strict=True):
            if isinstance(slot, int):
                args[slot] = value
            else:
                kwargs[slot] = value
        return Task(self.func, *args, **kwargs)


def _with_keywords(
    func: Function, n_args: int, names: tuple[str, ...], constants: dict[str, object]
) -> Function:
    def call(*values: object) -> object:
        named = dict(zip(names, values[n_args:], strict=True))
        return func(*values[:n_args], **constants, **named)

    return call


def _without_last(func: Function) -> Function:
    def call(*values: object) -> object:
        return func(*values[:-1])

    return call


class Calls(Sequence[Task]):
    """Calls of one function, stored by column.

    Nothing is built per call: constants are held once and varying arguments as distinct values
    with one integer code a call. A slice shares all of it, and pickles only the values it uses.

    Parameters
    ----------
    func : callable
        The function of all calls.
    args : tuple
        Positional arguments; what stands at a varying position is ignored.
    kwargs : mapping, optional
        Constant keyword arguments.
    varying : mapping, optional
        ``{position or keyword: (values, codes)}``: call i gets ``values[codes[i]]``.
    n : int, optional
        Number of calls, needed only if nothing varies.

    Raises
    ------
    ParamError
        If the columns differ in length, a code has no value, or a position is left open.

    Examples
    --------
    >>> calls = Calls(pow, varying={0: ([2, 3], [0, 0, 1]), 1: (range(5), [1, 2, 4])})
    >>> calls
    Calls(pow, n=3)
    >>> calls[2]
    Task(pow, 3, 4)
    >>> [task() for task in calls[1:]]
    [4, 81]
    """

    __slots__ = ("_codes", "_n", "_values", "template")

    seconds: ClassVar[float] = 0.05
    """How long a batch of them is to take: long against a dispatch (0.1 ms), short against
    patience."""

    def __init__(
        self,
        func: Function,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
        *,
        varying: Varying | None = None,
        n: int | None = None,
    ) -> None:
        passed: object = func
        if not callable(passed):
            callable_("func", passed)
        constants = {} if kwargs is None else dict(kwargs)
        padded: list[object] = list(args)
        columns: list[IntArray] = []
        lengths = set() if n is None else {n}
        varying = {} if varying is None else varying
        for slot, (values, codes) in varying.items():
            column = np.asarray(codes, dtype=np.int64)
            if column.ndim != 1:
                rule = "have one code a call"
                raise ParamError(broken_rule(f"varying[{slot!r}]", rule, column.shape))
            if len(column) and (column.min() < 0 or column.max() >= len(values)):
                got = (int(column.min()), int(column.max()))
                rule = f"have codes from 0 to {len(values) - 1}"
                raise ParamError(broken_rule(f"varying[{slot!r}]", rule, got))
            columns.append(column)
            lengths.add(len(column))
            if isinstance(slot, int):
                padded.extend(repeat(_OPEN, slot + 1 - len(padded)))
                padded[slot] = None
            else:
                constants.pop(slot, None)
        if len(lengths) != 1:
            remedy = "Pass n= if no argument varies." if not lengths else ""
            rule = "give one number of calls"
            raise ParamError(broken_rule("varying", rule, sorted(lengths), remedy))
        for position in range(len(args), len(padded)):
            if padded[position] is _OPEN:
                rule = "leave no position open"
                raise ParamError(broken_rule("args", rule, f"no value at position {position}"))
        self._values = tuple(map(operator.itemgetter(0), varying.values()))
        self._codes = tuple(columns)
        self._n = lengths.pop()
        total = self._n if hasattr(func, "py_func") else 0
        self.template = CallTemplate(func, tuple(padded), constants, tuple(varying), total)

    @classmethod
    def _of(
        cls,
        template: CallTemplate,
        values: tuple[Sequence[object], ...],
        codes: tuple[IntArray, ...],
        n: int,
    ) -> Self:
        self = cls.__new__(cls)
        self.template, self._values, self._codes, self._n = template, values, codes, n
        return self

    def columns(self) -> tuple[CallTemplate, tuple[Sequence[object], ...], tuple[IntArray, ...]]:
        """Return what the calls share, and the values and codes of every slot."""
        return self.template, self._values, self._codes

    @property
    def func(self) -> Function:
        """The function that is called."""
        return self.template.func

    def with_codes(self, codes: Sequence[IntArray], n: int) -> Calls:
        """Return `n` other calls of the same values."""
        if not codes:
            codes = [column[:0] for column in self._codes]
        return self._of(self.template, self._values, tuple(codes), n)

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, item: int) -> Task: ...
    @overload
    def __getitem__(self, item: slice) -> Calls: ...
    def __getitem__(self, item: int | slice) -> Task | Calls:
        if isinstance(item, slice):
            codes = tuple(map(operator.itemgetter(item), self._codes))
            return self._of(self.template, self._values, codes, len(range(self._n)[item]))
        position = range(self._n)[operator.index(item)]
        columns = zip(self._values, self._codes, strict=True)
        return self.template.task([values[int(codes[position])] for values, codes in columns])

    def pick(self, positions: Sequence[int]) -> Calls:
        """Return the calls at `places`, in that order."""
        codes = tuple(column[np.asarray(positions, dtype=np.int64)] for column in self._codes)
        return self._of(self.template, self._values, codes, len(positions))

    def __iter__(self) -> Iterator[Task]:
        return map(self.template.task, self.rows())

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Return an iterator over what varies, one tuple a call."""
        if not self._codes:
            return repeat((), self._n)
        pairs = zip(self._values, self._codes, strict=True)
        columns = [map(values.__getitem__, codes.tolist()) for values, codes in pairs]
        return zip(*columns, strict=True)

    def fingerprints(self, digest: Callable[..., bytes]) -> tuple[bytes, list[bytes]]:
        """Return `digest` of the arguments that all calls share, and of what varies one a call.

        A value that several calls use is digested once; a call costs no more than a short hash.
        """
        common = self.template
        shared = digest(common.args, sorted(common.kwargs.items()), common.slots)
        if not self._codes:
            return shared, [digest()] * self._n
        columns = []
        for values, codes in zip(self._values, self._codes, strict=True):
            used, positions = np.unique(codes, return_inverse=True)
            digests = [digest(values[code]) for code in used.tolist()]
            columns.append([digests[position] for position in positions.tolist()])
        rows = map(b"".join, zip(*columns, strict=True))  # all digests are of one length
        return shared, [hashlib.blake2b(row, digest_size=_KEY).digest() for row in rows]

    def identity(self, digest: Callable[..., bytes]) -> bytes:
        """Return one digest of all calls: of what they share, what varies, and in which order."""
        parts = [_shared_identity(self.template, digest), self._n.to_bytes(8, "little")]
        for values, codes in zip(self._values, self._codes, strict=True):
            used, ranks = np.unique(codes, return_inverse=True)
            parts.append(digest("values", *[values[code] for code in used.tolist()]))
            parts.append(ranks.astype("<i8", copy=False).tobytes())
        return _one_digest(parts)

    def loop(self) -> LoopRun | None:
        """Return these calls as a compiled loop; None where single calls are to be made."""
        template, values = self.template, self._values
        known = template.loop
        if known is None or known[0] is not values:
            arrays = [] if template.kwargs else [typed(column) for column in values]
            there = [array for array in arrays if array is not None]
            loop = None
            if there and len(there) == len(values):
                loop = loop_of(template.func, template.args, template.slots, there)
            template.loop = known = values, there, loop
        if known[2] is None:
            return None
        pairs = zip(known[1], self._codes, strict=True)
        return known[2].on([array[codes] for array, codes in pairs])

    def results(self) -> Iterator[object]:
        """Return an iterator that makes one call per result, as results are taken.

        It goes on after a call that raised, with the call after it.
        """
        template = self.template
        streams: list[Iterator[object]] = list(map(repeat, template.args))
        named: dict[str, Iterator[object]] = {}
        for slot, values, codes in zip(template.slots, self._values, self._codes, strict=True):
            column = map(values.__getitem__, codes.tolist())
            if isinstance(slot, int):
                streams[slot] = column
            else:
                named[slot] = column
        func = template.func
        if named:
            func = _with_keywords(func, len(streams), tuple(named), template.kwargs)
            streams += named.values()
        elif template.kwargs:
            func = partial(func, **template.kwargs)
        if not template.slots:  # nothing ends the streams of constants but their number
            return map(_without_last(func), *streams, repeat(None, self._n))
        return map(func, *streams)

    def __repr__(self) -> str:
        return f"Calls({_name(self.func)}, n={self._n})"

    def __reduce__(self) -> tuple[object, ...]:
        used = [_only_used(*column) for column in zip(self._values, self._codes, strict=True)]
        return _calls, (self.template, used, self._n)


class CodeWindow:
    """Codes that come block after block, looked at by number: the blocks seen last are held.

    Parameters
    ----------
    blocks : iterable
        Blocks of codes, each a list of arrays of one length. It is begun again where somebody asks
        for what is held no more.
    """

    def __init__(self, blocks: Iterable[Sequence[IntArray]]) -> None:
        self._blocks = blocks
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._rest = iter(self._blocks)
        self._held: deque[tuple[int, Sequence[IntArray]]] = deque()
        self._stop = 0

    def between(self, start: int, stop: int) -> list[IntArray]:
        """Return the codes of rows `start` to `stop`."""
        with self._lock:
            if self._held and start < self._held[0][0]:
                self._begin()
            while self._stop < stop:
                block = next(self._rest)
                self._held.append((self._stop, block))
                self._stop += len(block[0])
                while len(self._held) > _HELD_BLOCKS and self._held[1][0] <= start:
                    self._held.popleft()
            parts = [
                [column[max(start - first, 0) : stop - first] for column in block]
                for first, block in self._held
                if first < stop and first + len(block[0]) > start
            ]
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


class CodeBlocks(Protocol):
    """Codes block after block, or by number."""

    def __iter__(self) -> Iterator[list[IntArray]]: ...

    def at(self, numbers: IntArray) -> list[IntArray]:
        """Return the codes of the rows with these numbers."""

    def identity(self, digest: Callable[..., bytes]) -> bytes:
        """Return a digest by which they are told from other codes, without making them."""


class CallStream(Sequence[Task]):
    """Calls of one function whose codes are not held: a slice of it are `Calls`.

    Parameters
    ----------
    calls : Calls
        What all calls share, and the values of what varies; how many it has does not matter.
    blocks : CodeBlocks
        The codes, one array a varying argument.
    n : int
        Number of calls.
    """

    def __init__(self, calls: Calls, blocks: CodeBlocks, n: int) -> None:
        self._calls, self._window, self._n = calls, CodeWindow(blocks), n
        self.blocks = blocks
        if hasattr(calls.func, "py_func"):
            calls.template.total = n

    @property
    def seconds(self) -> float:
        """How long a batch of them is to take."""
        return self._calls.seconds

    @property
    def func(self) -> Function:
        """The function that is called."""
        return self._calls.func

    @property
    def calls(self) -> Calls:
        """What all calls share, and the values of what varies."""
        return self._calls

    def identity(self, digest: Callable[..., bytes]) -> bytes:
        """Return one digest of all calls: of what they share, what varies, and in which order."""
        template, values, _ = self._calls.columns()
        shared = _shared_identity(template, digest)
        columns = [digest("values", column) for column in values]
        return _one_digest([shared, *columns, self.blocks.identity(digest)])

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, item: int) -> Task: ...
    @overload
    def __getitem__(self, item: slice) -> Calls: ...
    def __getitem__(self, item: int | slice) -> Task | Calls:
        if not isinstance(item, slice):
            position = range(self._n)[operator.index(item)]
            return self[position : position + 1][0]
        rows = range(self._n)[item]
        if not rows:
            return self._calls.with_codes([], 0)
        low, high = min(rows[0], rows[-1]), max(rows[0], rows[-1])
        codes = self._window.between(low, high + 1)
        return self._calls.with_codes([code[:: rows.step] for code in codes], len(rows))

    def pick(self, positions: Sequence[int]) -> Calls:
        """Return the calls at `positions`, in that order."""
        numbers = np.asarray(positions, dtype=np.int64)
        return self._calls.with_codes(self.blocks.at(numbers), len(numbers))


def _shared_identity(template: CallTemplate, digest: Callable[..., bytes]) -> bytes:
    return digest(template.args, sorted(template.kwargs.items()), template.slots)


def _one_digest(parts: Iterable[bytes]) -> bytes:
    total = hashlib.blake2b(digest_size=_KEY)
    for part in parts:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.digest()


def _calls(template: CallTemplate, columns: list[tuple[list[object], IntArray]], n: int) -> Calls:
    values = tuple(column[0] for column in columns)
    codes = tuple(column[1].astype(np.int64) for column in columns)
    return Calls._of(template, values, codes, n)  # noqa: SLF001  # rebuilds what __reduce__ took apart


def _only_used(values: Sequence[object], codes: IntArray) -> tuple[list[object], IntArray]:
    """Return only the values that `codes` use, and the codes into them, as small as they fit."""
    if len(values) <= 4 * len(codes):
        positions = np.flatnonzero(np.bincount(codes, minlength=len(values)))
        rank = np.zeros(len(values), dtype=np.int64)
        rank[positions] = np.arange(len(positions))
        codes = rank[codes]
    else:
        positions, codes = np.unique(codes, return_inverse=True)
    kept = [values[position] for position in positions.tolist()]
    return kept, codes.astype(np.min_scalar_type(max(len(kept) - 1, 0)))
