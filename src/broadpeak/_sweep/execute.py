# SPDX-License-Identifier: BSD-3-Clause
"""`execute`: tasks in, merged results out. Every sweep and every training runs through here."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, repeat
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.labels import as_keys_index
from broadpeak._merge.merge_func import MergeFunc, MergeSpec, resolve_merge_func
from broadpeak._run import registry
from broadpeak._run.batches import Nesting, nested, nesting
from broadpeak._run.calls import Calls, Task
from broadpeak._run.chunks import END, Chunk
from broadpeak._run.cores import core_count
from broadpeak._run.dispatch import Engine
from broadpeak._run.taskqueue import TaskQueue, checked_tasks
from broadpeak._store.store import Store
from broadpeak._sweep.loop import Loop, OnError
from broadpeak._sweep.progress import ProgressBar
from broadpeak._sweep.resume import Resumed, StoreLike, labels_of, opened
from broadpeak._sweep.templates import substitute
from broadpeak.errors import NoResultsError, ParamError, ParamTypeError, broken_rule
from broadpeak.types import IntArray, NoResult

Callback: TypeAlias = "Callable[..., object] | None"
Arguments: TypeAlias = "Mapping[str, Any] | None"
Auto: TypeAlias = "int | Literal['auto'] | None"
_FLAGS = ("warmup", "raise_no_results", "cache_chunks")
_CHUNK_RULES = ("n_chunks", "chunk_len", "chunk_meta")
CALLBACKS = ("pre_execute", "pre_chunk", "post_chunk", "post_execute")
_MAPPINGS = (
    *("merge_kwargs", "pbar_kwargs", "engine_options", "template_context"),
    *(f"{name}_kwargs" for name in CALLBACKS),
)
Names: TypeAlias = "Callable[[IntArray | None], Mapping[str, Any]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of `execute`, by the same names."""

    engine: str | Engine | Callable[..., Engine] = "serial"
    n_workers: int | None = None
    engine_options: Arguments = None
    n_chunks: Auto = None
    chunk_len: Auto = None
    chunk_meta: Iterable[Iterable[int]] | None = None
    distribute: Literal["tasks", "chunks"] = "tasks"
    warmup: bool = False
    merge_func: MergeSpec | None = None
    merge_kwargs: Arguments = None
    show_progress: bool | None = None
    pbar_kwargs: Arguments = None
    pre_execute_func: Callback = None
    pre_execute_kwargs: Arguments = None
    pre_chunk_func: Callback = None
    pre_chunk_kwargs: Arguments = None
    post_chunk_func: Callback = None
    post_chunk_kwargs: Arguments = None
    post_execute_func: Callback = None
    post_execute_kwargs: Arguments = None
    on_error: OnError = "raise"
    retries: int = 0
    timeout: float | None = None
    raise_no_results: bool = True
    cache_chunks: bool = False
    store: StoreLike = None
    store_key: str | None = None
    template_context: Arguments = None

    def __post_init__(self) -> None:
        check.one_of("distribute", self.distribute, ("tasks", "chunks"))
        check.one_of("on_error", self.on_error, ("raise", "skip", "record"))
        for name, least in (("n_workers", 1), ("n_chunks", 1), ("chunk_len", 1), ("retries", 0)):
            object.__setattr__(self, name, _count(name, getattr(self, name), least))
        object.__setattr__(self, "timeout", check.seconds("timeout", self.timeout))
        _check_kinds(self)
        given = [name for name in _CHUNK_RULES if getattr(self, name) is not None]
        if len(given) > 1:
            rule = "be given by one of n_chunks, chunk_len and chunk_meta"
            raise ParamError(broken_rule("Chunks", rule, given, "Leave the others at None."))


def _count(name: str, value: Any, least: int) -> Any:
    """Return a count that a machine can hold: more than there can be tasks means all of them."""
    auto = isinstance(value, str) and value == "auto" and name in {"n_chunks", "chunk_len"}
    if value is None or auto:
        return value
    number = check.real(value)
    if not isinstance(number, int) or number < least:
        raise ParamError(broken_rule(name, f"be an integer of at least {least}", value))
    return min(number, sys.maxsize)


def _check_kinds(settings: Settings) -> None:
    """Check before anything runs what is only used at the end."""
    for name in CALLBACKS:
        func = getattr(settings, f"{name}_func")
        if func is not None and not callable(func):
            raise ParamTypeError(broken_rule(f"{name}_func", "be a function", func))
    for name in _MAPPINGS:
        value = getattr(settings, name)
        if value is not None and not isinstance(value, Mapping):
            raise ParamTypeError(broken_rule(name, "be a dict", value))
    for name in _FLAGS:
        check.flag(name, getattr(settings, name))
    if settings.show_progress is not None:
        check.flag("show_progress", settings.show_progress)
    store: Any = settings.store
    if store is not None and not isinstance(store, (Store, str, os.PathLike)):
        rule = "be a path or a broadpeak.Store"
        raise ParamTypeError(broken_rule("store", rule, store))
    if settings.store_key is not None:
        check.string("store_key", settings.store_key, "Type: store_key='v1'")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run came to.

    Attributes
    ----------
    value : object
        The merged results; the list of results without a merge; `NoResult` if all were dropped.
    kept : int64 array, optional
        Positions of the tasks that have a result; None if all have one.
    """

    value: Any
    kept: IntArray | None


def execute(
    tasks: Iterable[Task],
    *,
    keys: Any = None,
    size: int | None = None,
    engine: str | Engine | Callable[..., Engine] = "serial",
    n_workers: int | None = None,
    engine_options: Arguments = None,
    n_chunks: Auto = None,
    chunk_len: Auto = None,
    chunk_meta: Iterable[Iterable[int]] | None = None,
    distribute: Literal["tasks", "chunks"] = "tasks",
    warmup: bool = False,
    merge_func: MergeSpec | None = None,
    merge_kwargs: Arguments = None,
    show_progress: bool | None = None,
    pbar_kwargs: Arguments = None,
    pre_execute_func: Callback = None,
    pre_execute_kwargs: Arguments = None,
    pre_chunk_func: Callback = None,
    pre_chunk_kwargs: Arguments = None,
    post_chunk_func: Callback = None,
    post_chunk_kwargs: Arguments = None,
    post_execute_func: Callback = None,
    post_execute_kwargs: Arguments = None,
    on_error: OnError = "raise",
    retries: int = 0,
    timeout: float | None = None,
    raise_no_results: bool = True,
    cache_chunks: bool = False,
    store: StoreLike = None,
    store_key: str | None = None,
    template_context: Arguments = None,
) -> Any:
    """Run tasks on an engine and merge their results.

    Parameters
    ----------
    tasks : iterable of Task
        What to call. An iterator is advanced only as workers ask for work.
    keys : Index or sequence, optional
        One label a task: named merges label results with them, errors name the task by them.
    size : int, optional
        Number of tasks of an iterator, for progress and for `n_chunks`.
    engine : str, Engine or callable
        A name of `broadpeak.engines.available()`, or a factory ``(n_workers, **options)``.
    n_workers : int, optional
        Default: the cores this process may use, shared with the tasks that run beside this one.
    engine_options : mapping, optional
        Passed to the engine.
    n_chunks, chunk_len : int or "auto", optional
        Number or length of chunks; "auto" is the number of cores (or `n_workers`). At most one of
        these and `chunk_meta`. `n_chunks` lists the tasks of an iterator without `size`.
    chunk_meta : iterable of iterables of int, optional
        The positions of every chunk's tasks; each task once.
    distribute : {"tasks", "chunks"}
        "tasks": one chunk after another, its tasks in parallel. "chunks": whole chunks go to
        workers, by default one a core.
    warmup : bool
        Finish the first task before any other starts, so that what it compiles and caches is there.
    merge_func : str, callable, MergeFunc or tuple, optional
        See `broadpeak.resolve_merge_func`.
    merge_kwargs : mapping, optional
        Passed to the merge; templates allowed.
    show_progress : bool, optional
        Default: only on a terminal or in a notebook, not inside of another run.
    pbar_kwargs : mapping, optional
        Passed to tqdm.
    pre_execute_func, pre_chunk_func, post_chunk_func, post_execute_func : callable, optional
        Called in this process with their `…_kwargs` and nothing else; what they return is ignored.
        Chunk callbacks come in order of chunks.
    pre_execute_kwargs, pre_chunk_kwargs, post_chunk_kwargs, post_execute_kwargs : mapping, optional
        Templates allowed; see `broadpeak._sweep.templates` for their names.
    on_error : {"raise", "skip", "record"}
        "raise": `TaskError` for the first failed task. "skip": as if the task had returned
        `NoResult`, with one warning. "record": an `Outcome` in place of the result.
    retries : int
        How often a failed task (``distribute="chunks"``: what failed of a chunk) is run again.
    timeout : float, optional
        Seconds a task (``distribute="chunks"``: a chunk) may take.
    raise_no_results : bool
        False: return `NoResult` if every task returned it.
    cache_chunks : bool
        Keep what is finished in a store of the user's cache folder until the run is complete, so
        that the same call goes on after a crash. With `store` it changes nothing.
    store : path or Store, optional
        Keep every result in this file as soon as it is there. The same call, with the same
        function and arguments, reads back what is finished and runs only the rest; callbacks see
        only the rest, too. A task is dispatched and kept on its own (0.1 ms), so many quick ones
        go better as chunks, with ``distribute="chunks"``. An iterator of tasks is listed first.
    store_key : str, optional
        A word of your own that stands for what the function reaches, where that cannot be followed
        or is of no interest. Name, arguments and this word are then what tells calls apart: change
        it when the function changes.
    template_context : mapping, optional
        Additional names for templates.

    Returns
    -------
    object
        The merged results, or the list of results in task order. `NoResult`s are left out.

    Raises
    ------
    TaskError
        If a task failed; it holds the traceback and ``.rerun()``.
    NoResultsError
        If every task returned `NoResult`.
    EngineError, MissingExtraError
        If there is no such engine, or it cannot run here.
    ParamError, TypeError
        If an option is not what it must be.

    Notes
    -----
    Results are the same on every engine. Tasks must take their arguments as read-only: a change in
    place is seen by whoever shares the object, which is the caller and all tasks under "serial" and
    "threadpool", and the later tasks of the same worker elsewhere.

    Examples
    --------
    >>> tasks = [Task(pow, 2, 3), Task(pow, 2, 5)]
    >>> execute(tasks)
    [8, 32]
    >>> execute(tasks, keys=pd.Index([3, 5], name="power"), merge_func="concat")
    power
    3     8
    5    32
    dtype: int64
    """
    settings = Settings(
        engine=engine,
        n_workers=n_workers,
        engine_options=engine_options,
        n_chunks=n_chunks,
        chunk_len=chunk_len,
        chunk_meta=chunk_meta,
        distribute=distribute,
        warmup=warmup,
        merge_func=merge_func,
        merge_kwargs=merge_kwargs,
        show_progress=show_progress,
        pbar_kwargs=pbar_kwargs,
        pre_execute_func=pre_execute_func,
        pre_execute_kwargs=pre_execute_kwargs,
        pre_chunk_func=pre_chunk_func,
        pre_chunk_kwargs=pre_chunk_kwargs,
        post_chunk_func=post_chunk_func,
        post_chunk_kwargs=post_chunk_kwargs,
        post_execute_func=post_execute_func,
        post_execute_kwargs=post_execute_kwargs,
        on_error=on_error,
        retries=retries,
        timeout=timeout,
        raise_no_results=raise_no_results,
        cache_chunks=cache_chunks,
        store=store,
        store_key=store_key,
        template_context=template_context,
    )
    return run(tasks, settings, keys=keys, size=size).value


def run(
    tasks: Iterable[Task],
    settings: Settings,
    *,
    keys: Any = None,
    size: int | None = None,
    label: Callable[[int], str] | None = None,
    names: Names | None = None,
    weights: Sequence[int] | None = None,
    passthrough: tuple[type[Exception], ...] = (),
) -> Finished:
    """Do what `execute` does, and tell which tasks have a result.

    Parameters
    ----------
    tasks, keys, size
        As for `execute`.
    settings : Settings
        The other options.
    label : callable, optional
        Position of a task -> text that names it; by default made of `keys`.
    names : callable, optional
        Positions of the tasks that have a result (None: all) -> more names for templates.
    weights : sequence of int, optional
        How many combinations each task stands for in the progress; default 1.
    passthrough : tuple of exception types
        Errors of tasks that are raised as they are, not as `TaskError`.
    """
    keys = _as_index(keys)
    plan = _RunPlan.of(tasks, settings, keys, size)
    labels = labels_of(keys, label)
    one = _Run(plan, settings, keys, names)
    one.call("pre_execute")  # what it changes counts in the key of a stored run
    with opened(
        settings.store, settings.cache_chunks, plan.tasks, labels, settings.store_key
    ) as resumed:
        one.prepare(label, weights, passthrough, resumed)
        return one.finish()


@dataclass(frozen=True, slots=True)
class _RunPlan:
    """The tasks of a run and how they are cut."""

    tasks: Sequence[Task] | Iterator[Task]
    n_tasks: int | None
    n_workers: int
    chunks: list[Sequence[int]] | None  # of a sequence
    lengths: Iterable[int]  # of an iterator
    n_chunks: int | None

    @classmethod
    def of(
        cls, tasks: Iterable[Task], settings: Settings, keys: pd.Index[Any] | None, size: int | None
    ) -> _RunPlan:
        size = _count("size", size, 0)
        n_workers = settings.n_workers or max(1, core_count() // nesting.get().n_beside)
        items = _as_source(tasks, settings, size)
        n_tasks = len(items) if isinstance(items, Sequence) else size
        if size is not None and n_tasks != size:
            raise ParamError(broken_rule("size", f"be the number of tasks, {n_tasks}", size))
        if keys is not None and n_tasks is None:
            n_tasks = len(keys)
        if keys is not None and n_tasks != len(keys):
            raise ParamError(broken_rule("keys", f"have one label a task, {n_tasks}", len(keys)))
        if settings.chunk_meta is not None:
            chunks = _explicit_chunks(settings.chunk_meta, n_tasks or 0)
            return cls(items, n_tasks, n_workers, chunks, (), len(chunks))
        lengths = _lengths(settings, n_tasks, settings.n_workers or core_count())
        n_chunks = len(lengths) if isinstance(lengths, list) else None
        ranges: list[Sequence[int]] | None = None
        if isinstance(items, Sequence) and isinstance(lengths, list):
            ends = list(accumulate(lengths))
            ranges = [range(end - length, end) for end, length in zip(ends, lengths, strict=True)]
        return cls(items, n_tasks, n_workers, ranges, lengths, n_chunks)


def _as_source(
    tasks: Iterable[Task], settings: Settings, size: int | None
) -> Sequence[Task] | Iterator[Task]:
    """Return `tasks` as a sequence that can be sliced, or as an iterator."""
    if isinstance(tasks, Calls):
        return tasks
    check.iterable("tasks", tasks, "be an iterable of Task")
    by_number = settings.n_chunks is not None or (
        settings.distribute == "chunks" and settings.chunk_len is None
    )
    is_kept = settings.store is not None or settings.cache_chunks
    must_list = is_kept or settings.chunk_meta is not None or (by_number and size is None)
    if must_list or isinstance(tasks, (list, tuple)):
        return list(checked_tasks(tasks))
    return iter(tasks)


def _explicit_chunks(chunk_meta: Iterable[Iterable[int]], n_tasks: int) -> list[Sequence[int]]:
    try:
        chunks: list[Sequence[int]] = [list(map(operator.index, chunk)) for chunk in chunk_meta]
    except TypeError:
        rule = "be lists of positions of tasks, one list a chunk"
        raise ParamTypeError(broken_rule("chunk_meta", rule, chunk_meta)) from None
    chunks = [chunk for chunk in chunks if chunk]
    if sorted(place for chunk in chunks for place in chunk) != list(range(n_tasks)):
        rule = f"hold every position from 0 to {n_tasks - 1} once"
        raise ParamError(broken_rule("chunk_meta", rule, chunks))
    return chunks


def _lengths(settings: Settings, n_tasks: int | None, auto: int) -> Iterable[int]:
    """Return the lengths of all chunks; a list if their number is known."""
    length = auto if settings.chunk_len == "auto" else settings.chunk_len
    number = auto if settings.n_chunks == "auto" else settings.n_chunks
    if length is None and number is None and settings.distribute == "chunks":
        number = auto
    if n_tasks is None:
        return () if length is None else repeat(length)
    if length is not None:
        full, rest = divmod(n_tasks, length)
        return [length] * full + [rest] * bool(rest)
    number = min(number or 1, n_tasks)
    if not number:
        return []
    least, more = divmod(n_tasks, number)
    return [least + 1] * more + [least] * (number - more)


class _Run:
    """One run: callbacks, the loop, the merge."""

    def __init__(
        self, plan: _RunPlan, settings: Settings, keys: pd.Index[Any] | None, names: Names | None
    ) -> None:
        self._plan = plan
        self._names = names
        self._settings = settings
        self._keys = keys
        self._merge = resolve_merge_func(settings.merge_func)
        self._engine = registry.create(settings.engine, plan.n_workers, settings.engine_options)
        self._context = {
            **(settings.template_context or {}),
            "n_tasks": plan.n_tasks,
            "n_chunks": plan.n_chunks,
            "keys": keys,
            **({} if names is None else names(None)),
        }

    def prepare(
        self,
        label: Callable[[int], str] | None,
        weights: Sequence[int] | None,
        passthrough: tuple[type[Exception], ...],
        resumed: Resumed | None,
    ) -> None:
        """Make what runs the tasks that are not finished yet."""
        plan, settings, keys = self._plan, self._settings, self._keys
        self._queue = TaskQueue(
            plan.tasks,
            _as_chunks(plan, None if resumed is None else _open_chunks(plan, resumed.found)),
            n_tasks=plan.n_tasks,
            whole=settings.distribute == "chunks",
            single=resumed is not None,
            claims=None if resumed is None else resumed.claims,
            stop=settings.on_error == "raise" and settings.retries == 0,
            timed=settings.on_error == "record",
            timeout=settings.timeout,
            warmup=settings.warmup,
            on_open=self._open_chunk if settings.pre_chunk_func else None,
            on_close=self._close_chunk if settings.post_chunk_func else None,
        )
        self._progress = ProgressBar(
            plan.n_tasks if weights is None else sum(weights),
            show=settings.show_progress,
            options=settings.pbar_kwargs,
            is_nested=nesting.get().depth > 0,
        )
        self._loop = Loop(
            self._queue,
            on_error=settings.on_error,
            retries=settings.retries,
            label=label or partial(_label_of, keys),  # no method: a cycle would keep the results
            weights=weights,
            passthrough=passthrough,
            progress=self._progress,
            resumed=resumed,
        )

    def finish(self) -> Finished:
        """Run everything and merge."""
        outer = nesting.get()
        inside = Nesting(outer.depth + 1, outer.n_beside * self._engine.n_workers)
        with self._progress, nested(inside):
            self._loop.run(self._engine)
        results = self._loop.results
        self._context["n_tasks"] = len(results)
        self._context["n_chunks"] = self._queue.n_chunks
        keys = self._keys
        if keys is not None and len(keys) != len(results):
            rule = f"have one label a task, {len(results)}"
            raise ParamError(broken_rule("keys", rule, len(keys)))
        kept = _kept(results)
        if kept is not None:
            results = [results[place] for place in kept.tolist()]
            keys = None if keys is None else keys[kept]
        self._context |= {"results": results, "keys": keys}
        if self._names is not None:
            self._context |= self._names(kept)
        self.call("post_execute")
        return Finished(self._merged(results, keys, kept), kept)

    def _merged(self, results: list[Any], keys: pd.Index[Any] | None, kept: Any) -> Any:
        if not results and (self._merge is not None or kept is not None):
            if not self._settings.raise_no_results:
                return NoResult
            total = len(self._loop.results)
            got = f"NoResult or a skipped failure from all {total}" if total else "no calls at all"
            msg = (
                f"At least one call must return a result, got {got}. "
                "Pass raise_no_results=False to get NoResult."
            )
            raise NoResultsError(msg)
        if self._merge is None:
            return results
        self._check_recorded(self._merge)
        kwargs = dict(self._settings.merge_kwargs or {})
        return self._merge.apply(results, keys=keys, kwargs=kwargs, fill=self._fill)

    def _check_recorded(self, merge: MergeFunc) -> None:
        recorded = self._loop.recorded
        if recorded and merge.uses_keys:
            first = self._loop.results[min(recorded)]
            rule = "get results of all calls for a named merge"
            remedy = f"First: {first.error}. Pass on_error='skip', or a merge function of your own."
            raise ParamTypeError(broken_rule("merge_func", rule, first, remedy))

    def _fill(self, kwargs: dict[str, Any], context: Arguments, eval_id: Any) -> dict[str, Any]:
        known = {**self._context, **(context or {})}
        filled: dict[str, Any] = substitute(kwargs, known, eval_id="merge_kwargs")
        if eval_id is not None:
            filled = substitute(filled, known, eval_id=eval_id)
        return filled

    def call(self, point: str, **context: Any) -> None:
        func = getattr(self._settings, f"{point}_func")
        if func is None:
            return
        kwargs = dict(getattr(self._settings, f"{point}_kwargs") or {})
        known = {**self._context, **context}
        func(**substitute(kwargs, known, eval_id=f"{point}_kwargs"))

    def _open_chunk(self, chunk: Chunk) -> None:
        meta = None if chunk.rows[-1] == END - 1 else list(chunk.positions)
        self.call("pre_chunk", chunk_idx=chunk.number, chunk_meta=meta)

    def _close_chunk(self, chunk: Chunk, positions: Sequence[int]) -> None:
        meta = list(positions)
        results = [self._loop.results[place] for place in meta]
        self.call("post_chunk", chunk_idx=chunk.number, chunk_meta=meta, chunk_results=results)


def _label_of(keys: pd.Index[Any] | None, position: int) -> str:
    if keys is None or position >= len(keys):
        return ""
    key = keys[position]
    parts = key if isinstance(keys, pd.MultiIndex) else (key,)
    return ", ".join(
        f"{part}" if name is None else f"{name}={part}"
        for name, part in zip(keys.names, parts, strict=True)
    )


def _as_chunks(plan: _RunPlan, chunks: list[Sequence[int]] | None) -> Iterator[Chunk]:
    """Yield the chunks of `plan`, or these."""
    number = start = 0
    if isinstance(plan.tasks, Sequence):
        if chunks is None:
            chunks = [range(plan.n_tasks or 0)] if plan.chunks is None else plan.chunks
        for number, rows in enumerate(chunks):
            yield Chunk(number, rows if isinstance(rows, range) else np.asarray(rows, np.int64))
        return
    for length in plan.lengths:
        yield Chunk(number, range(start, start + length))
        start += length
        number += 1
    yield Chunk(number, range(start, END))


def _open_chunks(plan: _RunPlan, found: Container[int]) -> list[Sequence[int]]:
    """Return the chunks of `plan` without the tasks that are finished."""
    chunks = [range(plan.n_tasks or 0)] if plan.chunks is None else plan.chunks
    left = [[place for place in chunk if place not in found] for chunk in chunks]
    return [chunk for chunk in left if chunk]


def _as_index(keys: Any) -> pd.Index[Any] | None:
    if keys is None:
        return None
    check.labels("keys", keys, "be a list of labels, one a task")
    return as_keys_index(keys)


def _kept(results: list[Any]) -> IntArray | None:
    """Return the positions of results that are not `NoResult`; None if that is all of them."""
    mark = id(NoResult)
    if mark not in map(id, results):
        return None
    return np.flatnonzero(
        np.fromiter(map(id, results), dtype=np.uint64, count=len(results)) != mark
    )
