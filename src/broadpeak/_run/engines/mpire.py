# SPDX-License-Identifier: BSD-3-Clause
"""Processes of mpire: one pool, a batch a worker, and what is large in files beside its queues."""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from broadpeak._core import check, optional
from broadpeak._core.threads import Nesting, nesting
from broadpeak._run import pool as pools
from broadpeak._run import worker
from broadpeak._run.batches import Batch, died_text, late, lost, nested
from broadpeak._run.dispatch import NOT_BEGUN, Answer, FutureEngine, Ticket, WorkItem
from broadpeak._run.engines.pathos import dumps_by_dill
from broadpeak._run.librarythreads import limit_threads
from broadpeak._run.remote import Buffer, serve
from broadpeak._run.starting import cannot_run, never_began, starting, thread_limits
from broadpeak.errors import EngineError, ParamError, broken_rule, described

_POLL_SECONDS = 0.5  # some systems notice Ctrl-C only between waits
_START_SECONDS = 120.0
_BARRIER_SECONDS = 0.001
_PATIENCE_SECONDS = 2.0
_KILLED_SECONDS = 10.0  # a machine that is short of memory takes long to take it back
_QUIT_SECONDS = 6.0  # for workers that are idle, but may have to end a cluster of their own
# A worker ends late tasks itself, unless they hold the interpreter lock in C code. Then mpire tells
# that they are late, by a clock that also counts what a new worker has to import first.
_GRACE_SECONDS = 60.0
# What is larger travels in a file: a worker that is killed while it reads or writes a pipe that
# others use, too, would leave it locked for ever, and what fits a pipe takes no time.
_LARGE = 16 * 1024
_FAILED_STARTS = 3
_STARTED = -1  # on the board: the worker is there

_numbers = itertools.count(1)
_forking: _Shared | None = None  # what the workers get that are being forked
Parcel: TypeAlias = "bytes | str"  # bytes, or the path of a file that has them


class MpireEngine(FutureEngine):
    """Runs batches in workers of an `mpire.WorkerPool`.

    mpire tells that a worker died, not which one, and gives up whatever was on the way: then the
    batch that the worker held is lost, and the others run again in a new pool.

    Parameters
    ----------
    n_workers : int
        Number of processes.
    start_method : {"fork", "spawn", "forkserver"}, optional
        How a worker starts. Default: what mpire prefers on this system. None of them imports the
        main script, so it needs no guard.
    use_dill : bool
        Let dill pickle what cloudpickle refuses, and the messages of mpire.
    cpu_ids : list, optional
        Which cores each worker may use; see `mpire.WorkerPool`.
    threads_per_worker : int, optional
        Limit of BLAS, OpenMP and Numba threads in a worker. Default: 1, or what the environment
        says.
    reuse : bool
        Use the workers of the last run, and keep them for the next.

    Raises
    ------
    MissingExtraError
        If mpire is not installed, or what `use_dill` needs.
    ParamError
        If an option is not what it must be.
    """

    ahead = False  # mpire gives a batch to whom it takes for free, not to whom has less to do

    def __init__(
        self,
        n_workers: int,
        *,
        start_method: str | None = None,
        use_dill: bool = False,
        cpu_ids: Sequence[Any] | None = None,
        threads_per_worker: int | None = None,
        reuse: bool = True,
    ) -> None:
        super().__init__(n_workers)
        context = optional.load("mpire.context", extra="mpire", purpose="engine='mpire'")
        if start_method is None:
            start_method = context.DEFAULT_START_METHOD
        methods = ("fork", "spawn", "forkserver")
        self.start_method = check.one_of("start_method", start_method, methods)
        if start_method not in multiprocessing.get_all_start_methods():
            raise ParamError(broken_rule("start_method", "exist on this system", start_method))
        self._use_dill = check.flag("use_dill", use_dill)
        self._library = "multiprocess" if use_dill else "multiprocessing"
        purpose = "engine='mpire' with use_dill=True"
        self._util = optional.load(f"{self._library}.util", extra="pathos", purpose=purpose)
        if threads_per_worker is not None:
            threads_per_worker = check.integer("threads_per_worker", threads_per_worker)
        self._cpu_ids = None if cpu_ids is None else list(cpu_ids)
        self._limits = thread_limits(threads_per_worker)
        self._reuse = reuse

    def start(self) -> None:
        """Prepare for batches; workers start with the first of them."""
        self._key = (
            "mpire",
            self.start_method,
            self._use_dill,
            self.n_workers,
            repr(self._cpu_ids),
            tuple(self._limits.items()),
        )
        self._pool: _Workers | None = None
        self._flight: dict[int, Batch] = {}
        self._answers: SimpleQueue[tuple[int, object]] = SimpleQueue()
        self._failed_starts = 0

    def pickler(self) -> Callable[[object], bytes] | None:
        """Return dill's pickler, if the user wants it."""
        return dumps_by_dill if self._use_dill else None

    def submit(self, item: WorkItem) -> Ticket:
        """Give a batch to a worker that has none."""
        if self._pool is None:
            self._pool = self._checked_out()
        number, answers = next(_numbers), self._answers
        self._flight[number] = item.batch
        self._pool.submit(number, *self._packed(item), lambda answer: answers.put((number, answer)))
        return number

    def _packed(self, item: WorkItem) -> tuple[Parcel, Path | None, float | None]:
        """Return the payload, the path of a file for the answer, and when mpire is to give up."""
        assert self.shared is not None  # noqa: S101  # batches are pickled
        path = place = None
        with suppress(OSError):  # no room
            path = self.shared.new_path(len(item.payload))
            place = path.with_name(f"{path.name}-answer")
        timeout = item.batch.timeout
        limit = None if timeout is None else timeout + _GRACE_SECONDS
        return _wrapped(item.payload, path), place, limit

    def wait(self) -> list[tuple[Ticket, Answer]]:
        """Wait for a worker to answer or to die."""
        while True:
            try:
                number, answer = self._answers.get(timeout=_POLL_SECONDS)
            except Empty:
                if self._pool is not None and self._pool.dead():
                    return self._after_death([])
                continue
            if self._pool is not None and isinstance(answer, BaseException):
                if self._pool.dead():
                    return self._after_death([])
                return self._after_error(number, answer)
            self._failed_starts = 0
            del self._flight[number]
            return [(number, _unwrapped(answer))]

    def _after_death(self, ended: list[tuple[Ticket, Answer]]) -> list[tuple[Ticket, Answer]]:
        """Tell the batches that dead workers held from those that another may run.

        `ended` are those of which the end is known already.
        """
        pool, answers = self._pool, self._answers
        assert pool is not None  # noqa: S101  # it has workers
        with suppress(Empty):
            while True:
                number, answer = answers.get_nowait()
                if not isinstance(answer, BaseException) and number in self._flight:
                    del self._flight[number]
                    ended.append((number, _unwrapped(answer)))
        for number, process in pool.dead():
            if self._flight.pop(number, None) is not None:
                text = died_text(pools.how_it_ended(process))
                ended.append((number, lost("died", EngineError(text))))
        self._failed_starts = 0 if ended else self._failed_starts + 1
        ended += [(number, NOT_BEGUN) for number in reversed(self._flight)]
        self._flight.clear()
        self._end_pool()
        if self._failed_starts >= _FAILED_STARTS:
            raise never_began(self._failed_starts)
        return ended

    def _after_error(self, number: int, error: BaseException) -> list[tuple[Ticket, Answer]]:
        """Give up a batch that its worker cannot end, and this pool with it."""
        batch = self._flight.pop(number)
        if not isinstance(error, TimeoutError) or batch.timeout is None:
            raise cannot_run("mpire", error) from error
        seconds = batch.timeout + _GRACE_SECONDS
        return self._after_death([(number, lost("timeout", late(batch.timeout), seconds))])

    def close(self, *, abandoned: bool) -> None:
        """Keep the workers for the next run, unless some are at work."""
        if self._pool is None:
            return
        if abandoned or self._flight or not self._reuse:
            self._end_pool()
        else:
            pool, self._pool = self._pool, None
            pools.check_in(self._key, pool)

    def _end_pool(self) -> None:
        pool, self._pool = self._pool, None
        self._answers = SimpleQueue()  # what the old pool may still say is not heard
        if pool is not None:
            pool.shutdown()

    def _checked_out(self) -> _Workers:
        if not self._reuse:
            return self._make_pool()
        pool = pools.check_out(self._key, self._make_pool)
        if pool.dead():
            pool.shutdown()
            pool = self._make_pool()
        return pool

    def _make_pool(self) -> _Workers:
        # Workers must be ended before the library waits for them at the end of the program. Those
        # that dill's library forks are children of the other one.
        for util in {self._util, multiprocessing.util}:
            util.Finalize(None, pools.shutdown, exitpriority=100)
        folder = self._util.get_temp_dir() if self.start_method == "forkserver" else None
        try:
            return _Workers(
                self.n_workers,
                self.start_method,
                self._cpu_ids,
                self._limits,
                worker.Parent(os.getpid(), self._library, folder),
            )
        except EngineError:
            raise
        except Exception as error:
            if isinstance(error, (TypeError, ValueError)) and self._cpu_ids is not None:
                rule = f"suit mpire.WorkerPool (it raised {described(error)})"
                raise ParamError(broken_rule("cpu_ids", rule, self._cpu_ids)) from error
            raise cannot_run(f"mpire with start_method={self.start_method!r}", error) from error


class _Shared:
    """What every worker gets when it starts.

    Parameters
    ----------
    board : array of int
        One place a worker, for the number of the batch that it holds: it is still to be read when
        the worker has died.
    limits : dict
        Variables to set.
    parent : worker.Parent
        The process that wants results.
    """

    def __init__(self, board: Any, limits: dict[str, str], parent: worker.Parent) -> None:
        self.board = board
        self.limits = limits
        self.parent = parent

    def __setstate__(self, state: dict[str, Any]) -> None:
        # In a worker that is not forked, and as early as can be: it must never outlive its parent.
        self.__dict__.update(state)
        self.parent.watch()


def _watch_if_forked() -> None:
    global _forking
    shared, _forking = _forking, None  # what this worker forks itself has another parent
    if shared is not None:
        shared.parent.watch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch_if_forked)


class _Workers:
    """A pool of mpire whose workers have all started, and what is known of them.

    Parameters
    ----------
    n_workers : int
        Number of processes.
    start_method : str
        How they start.
    cpu_ids : list, optional
        Cores of each.
    limits : dict
        Variables to set in them.
    parent : worker.Parent
        This process, and the library that starts them.
    """

    def __init__(
        self,
        n_workers: int,
        start_method: str,
        cpu_ids: list[Any] | None,
        limits: dict[str, str],
        parent: worker.Parent,
    ) -> None:
        global _forking  # noqa: PLW0603  # for the forks below
        mpire = optional.load("mpire", extra="mpire", purpose="engine='mpire'")
        library = optional.load(parent.library, extra="pathos", purpose="engine='mpire'")
        self._board = library.get_context(start_method).RawArray("q", n_workers)
        shared = _Shared(self._board, limits, parent)
        self._processes: list[Any] = []
        self._pool = mpire.WorkerPool(
            n_workers,
            daemon=False,  # a task may start processes of its own; `Parent` ends its worker
            cpu_ids=cpu_ids,
            shared_objects=shared,
            pass_worker_id=True,
            start_method=start_method,
            keep_alive=True,
            use_dill=parent.library == "multiprocess",
        )
        self._have_begun = False
        begun: SimpleQueue[object] = SimpleQueue()
        try:
            with starting(limits, by_library=True):
                # One pool at a time: those of other threads name their workers the same.
                before = _children()
                _forking = shared if start_method == "fork" else None
                try:
                    # The first call starts all workers. As none answers before all have begun,
                    # each gets one of these calls. From then on mpire gives a batch to whom has
                    # answered, that is to the workers that are free.
                    for _ in range(n_workers):
                        self._pool.apply_async(_begin, callback=begun.put, error_callback=begun.put)
                finally:
                    _forking = None
                    found = [child for child in _children() if child not in before]
                    names = [f"Worker-{number}" for number in range(n_workers)]
                    found = [child for child in found if child.name in names]
                    self._processes = sorted(found, key=lambda child: names.index(child.name))
            self._wait_until_begun(begun, n_workers)
        except BaseException:
            self.shutdown()
            raise

    def _wait_until_begun(self, begun: SimpleQueue[object], n_workers: int) -> None:
        until, n_left = time.monotonic() + _START_SECONDS, n_workers
        while n_left:
            with suppress(Empty):
                answer = begun.get(timeout=min(_POLL_SECONDS, 0.05))
                if isinstance(answer, BaseException):
                    if self.dead():  # a thread of mpire may see it first, and says so in this way
                        raise never_began() from answer
                    raise answer
                n_left -= 1
                continue
            if self.dead() or time.monotonic() > until:
                raise never_began()
        self._board[:] = [0] * n_workers
        self._have_begun = True

    def submit(
        self,
        number: int,
        parcel: Parcel,
        place: Path | None,
        timeout: float | None,
        note: Callable[[object], None],
    ) -> None:
        """Send a batch; `note` is called with its answer or an exception, in a thread of mpire."""
        here = sys.path[:], pools.folder_here()[0]
        self._pool.apply_async(
            _work,
            (number, parcel, place, nesting.get(), here),
            callback=note,
            error_callback=note,
            task_timeout=timeout,
        )

    def dead(self) -> list[tuple[int, Any]]:
        """Return the workers that have ended, each with the number of the batch that it held."""
        by_sentinel = {one.sentinel: at for at, one in enumerate(self._processes)}
        return [
            (self._board[by_sentinel[one]], self._processes[by_sentinel[one]])
            for one in wait(list(by_sentinel), 0)
        ]

    def shutdown(self) -> None:
        """End all workers now.

        Those that hold a batch or have not begun are killed, and the others told by mpire. What it
        does to read its queues empty takes seconds a worker, starts processes that import the main
        script, and is for messages that do not fit a pipe, of which there are none.
        """
        is_idle = self._have_begun and not any(self._board) and not self.dead()
        processes, self._processes = self._processes, []
        for number, process in zip(self._board, processes, strict=False):
            if number or not self._have_begun:
                with suppress(ValueError, OSError):
                    process.kill()
        with suppress(AttributeError):
            self._pool._worker_comms.drain_queues = lambda: None  # noqa: SLF001  # see above
        # In a thread: a worker that was killed may have taken a lock along that mpire waits for.
        work = self._stop if is_idle else self._terminate
        thread = threading.Thread(target=work, name="broadpeak-mpire", daemon=True)
        with suppress(RuntimeError):  # the interpreter ends and starts no threads
            thread.start()
            thread.join(_QUIT_SECONDS if is_idle else _PATIENCE_SECONDS)
        for process in processes:
            with suppress(ValueError, OSError):  # ValueError: mpire has closed it
                process.kill()
                pools.wait_until_ended(process, _KILLED_SECONDS)

    def _stop(self) -> None:
        try:
            self._pool.stop_and_join()
        except Exception:  # noqa: BLE001  # a worker was killed while it was idle
            self._terminate()

    def _terminate(self) -> None:
        with suppress(Exception):
            self._pool.terminate()

    def disown(self) -> None:
        """Forget the workers: they are children of the process that this one was forked from."""
        self._processes = []


def _children() -> list[Any]:
    """Return the processes that `multiprocessing` and `multiprocess` have started here."""
    found: list[Any] = list(multiprocessing.active_children())
    multiprocess = sys.modules.get("multiprocess")
    return found if multiprocess is None else [*found, *multiprocess.active_children()]


def _wrapped(data: Buffer, path: Path | None) -> Parcel:
    """Return `data` as it travels: in a file at `path` if it is large and there is room."""
    if len(data) > _LARGE and path is not None:
        try:
            path.write_bytes(data)
        except OSError:
            path.unlink(missing_ok=True)  # what is there of it takes room
        else:
            return str(path)
    return bytes(data)


def _unwrapped(parcel: Any) -> bytes:
    """Return what `_wrapped` wrapped, and remove its file."""
    if isinstance(parcel, bytes):
        return parcel
    path = Path(parcel)
    data = path.read_bytes()
    path.unlink()
    return data


# --- in a worker --------------------------------------------------------------------------------


def _begin(worker_id: int, shared: _Shared) -> None:
    """Make this worker ready, and wait until all others are."""
    # mpire would turn signals into the failure of a task; who ends a worker means the worker.
    worker.ignore_interrupts()
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    limit_threads(shared.limits)
    shared.board[worker_id] = _STARTED
    while 0 in shared.board[:]:
        time.sleep(_BARRIER_SECONDS)


def _work(
    worker_id: int,
    shared: _Shared,
    number: int,
    parcel: Parcel,
    place: Path | None,
    inside: Nesting,
    here: tuple[list[str], str | None],
) -> Parcel:
    """Run a batch; return its result, in a file at `place` if it is large."""
    shared.board[worker_id] = number
    try:
        worker.follow(*here)
        payload: list[Any] = [_unwrapped(parcel)]
        with nested(inside):
            return _wrapped(serve(payload), place)
    finally:
        shared.board[worker_id] = 0
