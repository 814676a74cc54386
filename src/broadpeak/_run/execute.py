# SPDX-License-Identifier: BSD-3-Clause
"""`execute`: tasks in, merged results out. Sweeps and parallel trainings run through here.

A run has three parts: a `TaskQueue` supplies the tasks, an engine runs them, and a `Sink` takes
the results. This module puts them together. `TaskRun` decides what becomes of every batch that
comes back: its results go on to the sink, and what failed goes back to the queue or fails for good.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias, Unpack

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index
from broadpeak._core.labels import as_keys_index
from broadpeak._core.threads import Nesting, nesting
from broadpeak._merge.merge_func import MergeFunc, resolve_merge_func
from broadpeak._run.batches import Batch, BatchResult, Outcome
from broadpeak._run.calls import Calls, CallStream, Task
from broadpeak._run.chunks import END, Chunk, endless_chunks, plan_chunks
from broadpeak._run.dispatch import Engine
from broadpeak._run.options import (
    OPTION_NAMES,
    ExecuteOptions,
    Settings,
    shows_options,
)
from broadpeak._run.parquet import CallNumbers, KeyLabels, sink_of
from broadpeak._run.progress import ProgressBar, progress_bar
from broadpeak._run.reducing import ReducedResults, Reducing
from broadpeak._run.registry import create
from broadpeak._run.sinks import ChunkResults, Finished, ResultList, Sink, close_sink
from broadpeak._run.spanqueue import SpanQueue, left_of
from broadpeak._run.stored import StoredResults, open_stored
from broadpeak._run.storedkept import Identity, StoredKept, open_kept
from broadpeak._run.taskqueue import TaskQueue, checked_tasks
from broadpeak._run.templates import substitute
from broadpeak.errors import (
    EngineError,
    NoResultsError,
    ParamError,
    ParamTypeError,
    SkippedWarning,
    TaskError,
    broken_rule,
    described,
    warn,
)
from broadpeak.types import AnyArray, Function, IntArray, Keywords, NoResult

Label: TypeAlias = Callable[[int], str]
Names: TypeAlias = Callable[[IntArray | None], Keywords]
Tasks: TypeAlias = "Sequence[Task] | Iterator[Task]"

_HINT = (
    "\nCall .rerun() on this error to repeat the call here; "
    "pass on_error='skip' or 'record' to go on without it."
)
_VERBS = {"failed": "failed", "timeout": "took too long", "died": "lost its worker"}


@shows_options
def execute(
    tasks: Iterable[Task],
    *,
    keys: object = None,
    size: int | None = None,
    **options: Unpack[ExecuteOptions],
) -> Any:
    """Run tasks on an engine and merge their results.

    Parameters
    ----------
    tasks : iterable of Task
        What to call. An iterator is advanced only when a worker is free.
    keys : Index or sequence, optional
        One label for each task: named merges label the results with them, errors name the task.
    size : int, optional
        Number of tasks of an iterator, for the progress bar and for `n_chunks`.
    engine : str, Engine or callable
        A name of `broadpeak.engines.available()`, or a factory ``(n_workers, **options)``.
    n_workers : int, optional
        Default: the cores that this process may use, divided among the tasks that run beside it;
        on a cluster that is joined, its workers.
    engine_options : mapping, optional
        Passed to the engine.
    n_chunks, chunk_len : int or "auto", optional
        Number or length of chunks; "auto" is the number of cores (or `n_workers`). At most one of
        these and `chunk_meta`. With `n_chunks`, an iterator without `size` is read into a list.
    chunk_meta : iterable, optional
        The tasks of each chunk as slices, ranges or lists of positions; each task once.
    distribute : {"tasks", "chunks"}
        "tasks": one chunk after another, its tasks in parallel. "chunks": whole chunks go to
        workers, by default one a core.
    warmup : bool
        Finish the first task before any other starts: they find what it compiled and cached.
    merge_func : str, callable, MergeFunc or tuple, optional
        See `broadpeak.resolve_merge_func`.
    merge_kwargs : mapping, optional
        Passed to the merge; templates allowed.
    keep : Reducer, optional
        `broadpeak.top`, `bottom`, `histogram` or your own `types.Reducer`: takes results as they
        arrive, and none but what it keeps is held. Not with `merge_func`.
    to : path, optional
        A file that ends in ``.parquet``: every result becomes a row of it, in task order, beside
        its labels, and none is held. Results must be numbers, flags, texts or dates, or several of
        these by name (mapping, Series, named tuple). The file gets its name when it is complete;
        one that was there is replaced. Not with `merge_func`. Needs pyarrow.
    show_progress : bool, optional
        Default: only on a terminal or in a notebook, not inside another run.
    pbar_kwargs : mapping, optional
        Passed to tqdm.
    pre_execute_func, pre_chunk_func, post_chunk_func, post_execute_func : callable, optional
        Called in this process, with their `…_kwargs` only; return values are ignored. Those of
        chunks are called in order of chunks.
    pre_execute_kwargs, pre_chunk_kwargs, post_chunk_kwargs, post_execute_kwargs : mapping, optional
        Templates allowed; `broadpeak.Rep` lists the names that they can use.
    on_error : {"raise", "skip", "record"}
        "raise": `TaskError` for the first failed task. "skip": as if the task had returned
        `NoResult`, with one warning for all. "record": an `Outcome` in place of the result.
    retries : int
        How often a failed task is run again; under ``distribute="chunks"``, what failed of a chunk.
    timeout : float, optional
        Seconds a task (``distribute="chunks"``: a chunk) may take.
    raise_no_results : bool
        False: return `NoResult` if every task returned it.
    cache_chunks : bool
        Keep finished results in the user's cache folder until the run is complete, so that the same
        call can go on after a crash. With `store` this has no effect.
    store : path or Store, optional
        Save every result to this file as soon as it is computed. The same call, of the same
        function with the same arguments, reads back what is finished and runs only the rest, which
        is all that callbacks see. Each task is dispatched and saved by itself (0.1 ms): for many
        quick tasks use ``distribute="chunks"``. With `keep` only what is kept is saved, and which
        tasks that is made of. An iterator of tasks is read into a list first.
    store_key : str, optional
        A string that stands for the code of the function and all that it refers to, where these
        cannot be followed or do not matter. Calls are then told apart by the function's name, the
        arguments and this string: change it when the function changes.
    template_context : mapping, optional
        Additional names for templates.

    Returns
    -------
    object
        The merged results, or the list of results in task order. `NoResult`s are left out. With
        `keep`, what is kept; with `to` alone, the path of the file.

    Raises
    ------
    TaskError
        If a task failed; it holds the traceback and ``.rerun()``.
    NoResultsError
        If every task returned `NoResult`.
    EngineError, MissingExtraError
        If there is no such engine, or it cannot run here.
    ParamError, TypeError
        If an option is not valid.

    Notes
    -----
    Results are the same on every engine. Tasks must not change their arguments in place: others
    share them. Under "serial" and "threadpool" these are the caller and all tasks, on other engines
    the later tasks of the same worker.

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
    for name in options:
        if name not in OPTION_NAMES:
            raise check.unknown_option("execute", name, [*OPTION_NAMES, "keys", "size"])
    return run(tasks, Settings(**options), keys=keys, size=size).value


def run(
    tasks: Iterable[Task],
    settings: Settings,
    *,
    keys: object = None,
    size: int | None = None,
    label: Label | None = None,
    names: Names | None = None,
    weights: Sequence[int] | None = None,
    passthrough: tuple[type[Exception], ...] = (),
    by_name: Function | None = None,
    sink: Sink | None = None,
    bar: ProgressBar | None = None,
    identity: Identity | None = None,
) -> Finished:
    """Do what `execute` does; return also which tasks have a result.

    Parameters
    ----------
    tasks, keys, size
        As for `execute`.
    settings : Settings
        The other options.
    label : callable, optional
        Position of a task -> string that names it; by default made of `keys`.
    names : callable, optional
        Positions of the tasks that have a result (None: all) -> more names for templates.
    weights : sequence of int, optional
        How many combinations each task stands for in the progress; default 1.
    passthrough : tuple of exception types
        Errors of tasks that are raised unchanged, not as `TaskError`.
    by_name : callable, optional
        ``by_name(kept, name, results, **kwargs)`` replaces the merges that have a name, where there
        is not one key for each result.
    sink : Sink, optional
        Takes the results; by default a list.
    bar : ProgressBar, optional
        The bar of a caller that counts these calls among others, in place of one of the run.
    identity : callable, optional
        Gives the digest of all arguments of all tasks, by which a stored run with `keep` is known;
        by default that of `tasks`.
    """
    if keys is not None and not isinstance(keys, pd.Index):
        keys = as_keys_index(check.labels("keys", keys, "be a list of labels, one a task"))
    record = settings.on_error == "record"
    try:
        task_run = TaskRun(
            tasks,
            settings,
            keys=keys,
            size=size,
            label=label or partial(_label_of, keys),  # no method: a cycle would keep the results
            names=names,
            weights=weights,
            passthrough=passthrough,
            bar=bar,
        )
        if settings.pre_execute_func is not None:
            task_run.call("pre_execute")  # what it changes counts in the key of a stored run
        if sink is None and (settings.keep is not None or settings.to is not None):
            at = pd.Index if keys is None else keys.__getitem__
            sink = sink_of(settings, at, CallNumbers if keys is None else partial(KeyLabels, keys))
        elif sink is None:
            sink = ResultList(record=record)
        if settings.post_chunk_func is not None:
            sink = task_run.open_results = ChunkResults(sink, record=record)
        if settings.store is None and not settings.cache_chunks:
            return task_run.merged(task_run.perform(sink), by_name)
        if getattr(sink, "kept", None) is not None:
            with open_kept(
                settings,
                task_run.tasks,
                sink,
                identity=identity,
                weights=weights,
                n_workers=task_run.n_workers,
            ) as kept:
                return task_run.merged(task_run.perform(kept, kept), by_name)
        with open_stored(settings, task_run.tasks, sink, keys, label) as stored:
            return task_run.merged(task_run.perform(stored, stored), by_name)
    finally:
        if settings.to is not None:  # a file that is not complete is given up
            close_sink(sink)


class TaskRun:
    """One run: how its tasks are cut, its callbacks, and what becomes of every batch."""

    def __init__(
        self,
        tasks: Iterable[Task],
        settings: Settings,
        *,
        keys: Index | None,
        size: int | None,
        label: Label,
        names: Names | None,
        weights: Sequence[int] | None,
        passthrough: tuple[type[Exception], ...],
        bar: ProgressBar | None,
    ) -> None:
        if size is not None:
            size = check.integer("size", size, 0)
        items = tasks if isinstance(tasks, (Calls, CallStream)) else _as_list(tasks, settings, size)
        n_tasks = len(items) if isinstance(items, Sequence) else size
        if size is not None and n_tasks != size:
            raise ParamError(broken_rule("size", f"be the number of tasks, {n_tasks}", size))
        if keys is not None and n_tasks is None:
            n_tasks = len(keys)
        if keys is not None and n_tasks != len(keys):
            raise ParamError(broken_rule("keys", f"have one label a task, {n_tasks}", len(keys)))
        self.tasks: Tasks = items
        self._n_tasks = n_tasks
        self._settings = settings
        self._keys = keys
        self._label = label
        self._names = names
        self._named: Keywords | None = None
        self._weights = weights
        self._passthrough = passthrough
        self._bar = bar
        engine = create(settings.engine, settings.n_workers, settings.engine_options)
        self._engine: Engine = engine
        # An engine that counts workers knows them better than this machine's cores say.
        n_cores = settings.n_workers
        if n_cores is None and getattr(engine, "counts_workers", False):
            n_cores = engine.n_workers
        self._chunks, self._n_chunks = _planned_chunks(items, n_tasks, settings, n_cores)
        self._kept: IntArray | None = None
        self.open_results: ChunkResults
        self._n_failed = 0
        self._failure: Outcome | None = None  # of the lowest position
        self._failed_task: Task | None = None

    @property
    def n_workers(self) -> int:
        """How many batches run at a time."""
        return self._engine.n_workers

    # --- callbacks and templates --------------------------------------------------------------

    def call(self, point: str, **known: object) -> None:
        """Call the callback of `point` with its arguments, templates filled in."""
        func = getattr(self._settings, f"{point}_func")
        kwargs = getattr(self._settings, f"{point}_kwargs")
        if kwargs:
            kwargs = substitute(
                dict(kwargs), self._template_names(known), eval_id=f"{point}_kwargs"
            )
        func(**(kwargs or {}))

    def _template_names(self, more: Keywords) -> dict[str, Any]:
        """Return all names that templates can use at this point, and their values."""
        if self._named is None:
            self._named = {} if self._names is None else self._names(self._kept)
        settings = self._settings
        numbers = {"n_tasks": self._n_tasks, "n_chunks": self._n_chunks, "keys": self._keys}
        return {**(settings.template_context or {}), **numbers, **self._named, **more}

    def _open_chunk(self, chunk: Chunk) -> None:
        is_endless = isinstance(chunk.positions, range) and chunk.positions.stop == END
        meta = None if is_endless else list(chunk.positions)
        self.call("pre_chunk", chunk_idx=chunk.number, chunk_meta=meta)

    def _close_chunk(self, chunk: Chunk, positions: Sequence[int]) -> None:
        results = self.open_results.taken(positions)
        if self._stored is not None:
            self._stored.sync()  # a callback may tell the world
        known = {"chunk_idx": chunk.number, "chunk_meta": list(positions)}
        self.call("post_chunk", **known, chunk_results=results)

    # --- the loop -----------------------------------------------------------------------------

    def perform(self, sink: Sink, stored: StoredResults | StoredKept | None = None) -> Finished:
        """Run all that is not in the store; return what the sink makes of the results."""
        settings, keys, engine = self._settings, self._keys, self._engine
        self._sink, self._stored = sink, stored
        self._queue = queue = self._made_queue(sink, stored)
        total = self._n_tasks if self._weights is None else sum(self._weights)
        outer = nesting.get()
        own: ProgressBar | None = None
        if self._bar is None:
            show, options = settings.show_progress, settings.pbar_kwargs
            own = self._bar = progress_bar(total, show, options, outer.depth)
        token = nesting.set(Nesting(outer.depth + 1, outer.n_beside * engine.n_workers))
        try:
            if stored is not None:
                self._show(stored.news())
            self._drive()
            # Other processes work on what is left: wait until it is there, or until they are gone.
            while stored is not None and not self._is_decided() and self._go_on(stored):
                self._drive()
            if self._failure is None or settings.on_error != "raise":
                self._check_complete()
        finally:
            nesting.reset(token)
            if own is not None:
                own.close()
        if self._failure is not None and settings.on_error == "raise":
            raise self._error(self._failure)
        self._n_chunks = queue.n_chunks
        n_tasks = len(self.tasks) if isinstance(self.tasks, Sequence) else queue.n_taken
        self._n_tasks = n_tasks
        if self._failure is not None and settings.on_error == "skip":
            text = f"{self._n_failed} of {n_tasks} calls failed and were skipped. First: "
            warn(text + self._description(self._failure), SkippedWarning)
        if keys is not None and len(keys) != n_tasks:
            rule = f"have one label a task, {n_tasks}"
            raise ParamError(broken_rule("keys", rule, len(keys)))
        return sink.finish(n_tasks)

    def _reducing(self, sink: Sink) -> Reducing | None:
        """Return what reduces results where they are computed, if `sink` takes them so."""
        reducing: Reducing | None = getattr(sink, "reducing", None)
        if reducing is None:
            return None
        if getattr(self._engine, "pickles", False):
            return reducing if reducing.travels() else None
        # In this process a batch is soon here: only chunks may have more results than can be held.
        return reducing if self._settings.distribute == "chunks" else None

    def _made_queue(self, sink: Sink, stored: StoredResults | StoredKept | None) -> Any:
        """Return the queue of what is left to run."""
        settings = self._settings
        options: dict[str, Any] = {
            "n_tasks": self._n_tasks,
            "whole": settings.distribute == "chunks",
            "stop": settings.on_error == "raise" and settings.retries == 0,
            "timed": settings.on_error == "record",
            "timeout": settings.timeout,
            "reducing": None
            if settings.keep is None
            else self._reducing(sink if stored is None else stored),
            "warmup": settings.warmup,
            "on_open": None if settings.pre_chunk_func is None else self._open_chunk,
            "on_close": None if settings.post_chunk_func is None else self._close_chunk,
        }
        if isinstance(stored, StoredKept):
            listed = settings.pre_chunk_func is not None or settings.post_chunk_func is not None
            chunks = left_of(list(self._chunks), stored.found, listed=listed)
            tasks: Any = self.tasks
            return SpanQueue(tasks, chunks, claims=stored, **options)
        if stored is None:
            return TaskQueue(self.tasks, self._chunks, **options)
        chunks = _without(self._chunks, stored.found)
        return TaskQueue(self.tasks, chunks, single=True, claims=stored.claims, **options)

    def _go_on(self, stored: StoredResults | StoredKept) -> bool:
        """Return whether more is to be run here, once other processes have done what they hold."""
        queue: Any = self._queue
        if isinstance(stored, StoredKept) and (again := stored.dropped()):
            queue.append(again)
            return True
        away = queue.away()
        if not away:
            return False
        arrived: Any
        granted: Any
        arrived, granted = stored.wait(away)
        self._take_arrived(arrived)
        queue.offer(granted)
        return True

    def _drive(self) -> None:
        """Let the engine run what the queue holds for this process."""
        results = self._engine.run(self._queue)
        try:
            for batch, result in results:
                self._collect(batch, result)
                del batch, result  # while the next are made, for they may be large
                if self._failure is not None and self._is_decided():
                    break
        finally:
            close = getattr(results, "close", None)
            if close is not None:
                close()

    def _check_complete(self) -> None:
        """Raise if the engine ended too early: a gap in the results must not go unseen."""
        queue = self._queue
        missing = queue.lost()
        if not missing and (left := queue.take()) is not None:
            missing = list(left.positions)
        if missing:
            got = f"none for call {missing[0]}"
            rule = f"give one result for each batch of calls that it takes, and take all, got {got}"
            msg = (
                f"An engine must {rule}. Whoever wrote engine={self._settings.engine!r} finds with "
                "broadpeak.testing.EngineContract what is wrong; until then pass engine='serial'."
            )
            raise EngineError(msg)

    def _is_decided(self) -> bool:
        """Return whether a failure ends the run: one that no earlier task can still precede.

        An engine may finish tasks in any order, and which error is raised must not depend on it.
        """
        if self._failure is None or self._settings.on_error != "raise":
            return False
        return not self._queue.waits_before(self._failure.index)

    def _collect(self, batch: Batch, result: BatchResult) -> None:
        if not self._queue.is_out(batch):
            return  # a second report, or one of a batch that was given up: what is known stands
        if result.interrupted:
            raise KeyboardInterrupt
        if self._stored is not None:
            self._take_arrived(self._stored.news())
        values = result.values
        if type(values) not in (list, ReducedResults) and not getattr(
            self._sink, "takes_arrays", False
        ):
            result.values = values.tolist()
        again: list[Batch] = []
        n_done, n_failed = len(result.values), 0
        if result.status != "ok":
            n_done = len(batch)
            again, n_failed = self._collect_lost(batch, result)
        elif result.failures:
            again, n_failed = self._collect_failures(batch, result)
        else:
            self._sink.put(batch.positions, result.values, result.seconds)
        # A failure that ends the run leaves its chunk open, for it has no results for a callback.
        n_lost = n_failed if self._settings.on_error == "raise" else 0
        n_left = 0
        if result.is_cut and isinstance(batch.tasks, Sequence):  # its results are many bytes
            again.append(batch.split(n_done)[1])
            n_left = len(again[-1])
        self._queue.finish(batch, n_done + n_left, again, n_lost)
        if self._bar is not None:
            ended = set(batch.positions[:n_done]).difference(
                *(second_try.positions for second_try in again)
            )
            self._show(ended, n_failed)

    def _show(self, positions: Collection[int], n_failed: int = 0) -> None:
        """Show that the tasks at `positions` have ended."""
        if self._bar is not None:
            weights = self._weights
            n = (
                len(positions)
                if weights is None
                else sum(weights[task_number] for task_number in positions)
            )
            self._bar.update(n, n_failed)

    def _take_arrived(self, positions: Collection[int]) -> None:
        """Note that other processes have finished the tasks at `positions`."""
        if positions:
            self._queue.arrived(positions)
            self._show(positions)

    def _collect_failures(self, batch: Batch, result: BatchResult) -> tuple[list[Batch], int]:
        """Put the good results of a batch; return what to run again, and how many tasks failed."""
        failed = set(result.failures)
        good = [offset for offset in range(len(result.values)) if offset not in failed]
        positions = [batch.positions[offset] for offset in good]
        values = result.values
        if type(values) is not ReducedResults:
            values = [values[offset] for offset in good]
        self._sink.put(positions, values, result.seconds)
        if batch.attempt < self._settings.retries:
            return [batch.retry(result)], 0
        tasks = batch.failed_tasks(result)
        for offset, task in zip(result.failures, tasks, strict=True):
            self._fail(result.values[offset], task)
        return [], len(failed)

    def _collect_lost(self, batch: Batch, result: BatchResult) -> tuple[list[Batch], int]:
        """Return what to run again of a batch that was lost, and how many of its tasks failed."""
        if len(batch) > 1 and not batch.whole:
            # One task did it. Each alone in a batch of its own, it cannot take others with it.
            return [batch.part([offset], batch.attempt) for offset in range(len(batch))], 0
        if batch.attempt < self._settings.retries:
            return [batch.part(range(len(batch)), batch.attempt + 1)], 0
        error = result.error or EngineError(f"the engine lost the task ({result.status})")
        for position, task in zip(batch.positions, batch.tasks, strict=True):
            outcome = Outcome(position, result.status, error=error, seconds=result.seconds)
            self._fail(outcome, task)
        return [], len(batch)

    def _fail(self, outcome: Outcome, task: Task) -> None:
        """Do what `on_error` says with a task that failed for good."""
        on_error = self._settings.on_error
        if on_error == "record" and outcome.error is not None:
            outcome.error.__traceback__ = None  # its frames would keep their data alive
        self._sink.fail(outcome)
        self._n_failed += 1
        if on_error == "raise":
            self._queue.stop_after(outcome.index)
        # The first in task order, whatever the engine.
        if self._failure is None or outcome.index < self._failure.index:
            self._failure, self._failed_task = outcome, task

    def _description(self, outcome: Outcome) -> str:
        label, error = self._label(outcome.index), outcome.error
        who = f"Call {outcome.index} ({label})" if label else f"Call {outcome.index}"
        if isinstance(error, TaskError):  # of a run inside this one: it names its call already
            return f"{who} {_VERBS[outcome.status]}: {str(error).removesuffix(_HINT)}"
        what = "" if error is None else described(error)
        return f"{who} {_VERBS[outcome.status]}: {what}"

    def _error(self, outcome: Outcome) -> BaseException:
        """Return what a failed run raises."""
        error = outcome.error
        if isinstance(error, self._passthrough):
            return error
        failure = TaskError(
            self._description(outcome) + _HINT,
            index=outcome.index,
            label=self._label(outcome.index),
            worker_traceback=outcome.traceback,
            rerun=self._failed_task,
        )
        if outcome.traceback and error is not None and error.__traceback__ is None:
            failure.add_note(f"Traceback of the worker:\n{outcome.traceback}")
        failure.__cause__ = error
        return failure

    # --- what is left when all is run ---------------------------------------------------------

    def merged(self, finished: Finished, by_name: Function | None) -> Finished:
        """Return the results merged, if they are to be."""
        settings, results, kept = self._settings, finished.value, finished.kept
        if isinstance(results, np.ndarray) and settings.keep is None:
            series = self._series(results)
            if series is not None:
                return Finished(series, kept)
            results = results.tolist()
            finished = Finished(results, kept)
        self._results, self._kept, self._named = results, kept, None
        if kept is not None and self._keys is not None:
            self._keys = self._keys[kept]
        if settings.post_execute_func is not None:
            self.call("post_execute", results=results)
        merge = None
        if settings.merge_func is not None:
            merge = resolve_merge_func(settings.merge_func)
        if (merge is not None or kept is not None) and isinstance(results, list) and not results:
            if not settings.raise_no_results:
                return Finished(NoResult, kept)
            n = self._n_tasks
            got = f"NoResult or a skipped failure from all {n}" if n else "no calls at all"
            msg = (
                f"At least one call must return a result, got {got}. "
                "Pass raise_no_results=False to get NoResult."
            )
            raise NoResultsError(msg)
        if merge is None:
            return finished
        if self._failure is not None and settings.on_error == "record" and merge.uses_keys:
            rule = "get results of all calls for a named merge"
            remedy = (
                f"First: {self._failure.error}. Pass on_error='skip', or a merge function of your "
                "own."
            )
            raise ParamTypeError(broken_rule("merge_func", rule, self._failure, remedy))
        value = merge.apply(
            results,
            keys=self._keys,
            kwargs=settings.merge_kwargs,
            fill=self._fill,
            by_name=None if by_name is None else partial(by_name, kept),
        )
        return Finished(value, kept)

    def _series(self, results: AnyArray) -> Any:
        """Return the results of a compiled loop as `concat` does; None if that is not asked for."""
        settings, merge = self._settings, self._settings.merge_func
        if self._keys is None or settings.post_execute_func is not None or settings.merge_kwargs:
            return None
        if repr(merge) != repr(MergeFunc("concat")):  # without options
            return None
        return pd.Series(results, index=self._keys, copy=False)

    def _fill(
        self, kwargs: dict[str, Any], context: Keywords | None, eval_id: object
    ) -> dict[str, Any]:
        """Return the arguments of a merge with their templates filled."""
        known = self._template_names({"results": self._results, **(context or {})})
        filled: dict[str, Any] = substitute(kwargs, known, eval_id="merge_kwargs")
        return filled if eval_id is None else substitute(filled, known, eval_id=eval_id)


def _as_list(tasks: Iterable[Task], settings: Settings, size: int | None) -> Tasks:
    """Return `tasks` as a list if they are one or must be counted; otherwise as an iterator."""
    if isinstance(tasks, (list, tuple)):
        return list(checked_tasks(tasks))
    check.iterable("tasks", tasks, "be an iterable of Task")
    is_numbered = settings.n_chunks is not None or (
        settings.distribute == "chunks" and settings.chunk_len is None
    )
    is_kept = settings.store is not None or settings.cache_chunks
    must_list = is_kept or settings.chunk_meta is not None or (is_numbered and size is None)
    return list(checked_tasks(tasks)) if must_list else iter(tasks)


def _planned_chunks(
    tasks: Tasks, n_tasks: int | None, settings: Settings, n_cores: int | None
) -> tuple[Iterable[Chunk], int | None]:
    """Return the chunks of `tasks`, and their number if it is known."""
    n_chunks, chunk_len, chunk_meta = settings.n_chunks, settings.chunk_len, settings.chunk_meta
    if n_chunks is None and chunk_len is None and chunk_meta is None:
        if settings.distribute == "chunks":
            n_chunks = "auto"
        elif isinstance(tasks, Sequence):
            return ([Chunk(0, range(len(tasks)))], 1) if len(tasks) else ([], 0)
    if n_tasks is None:
        return endless_chunks(chunk_len, n_cores), None
    chunks = plan_chunks(n_tasks, n_chunks, chunk_len, chunk_meta, n_cores=n_cores)
    if isinstance(tasks, Sequence):
        return chunks, len(chunks)
    # Tasks of an iterator beyond its size form one more chunk; the number of keys is checked later.
    return [*chunks, Chunk(len(chunks), range(n_tasks, END))], len(chunks)


def _without(chunks: Iterable[Chunk], found: Container[int]) -> list[Chunk]:
    """Return `chunks` without the tasks that are finished."""
    left = [[position for position in chunk.positions if position not in found] for chunk in chunks]
    return [Chunk(number, positions) for number, positions in enumerate(filter(None, left))]


def _label_of(keys: Index | None, position: int) -> str:
    if keys is None or position >= len(keys):
        return ""
    key = keys[position]
    parts = key if isinstance(keys, pd.MultiIndex) else (key,)
    return ", ".join(
        f"{part}" if name is None else f"{name}={part}"
        for name, part in zip(keys.names, parts, strict=True)
    )
