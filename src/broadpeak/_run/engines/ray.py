# SPDX-License-Identifier: BSD-3-Clause
"""Ray: a cluster by its address, or one on this machine; batches are plain tasks of Ray."""

from __future__ import annotations

import inspect
import itertools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from broadpeak._core import check
from broadpeak._core.threads import Nesting, core_count, nesting
from broadpeak._run import raycluster
from broadpeak._run.batches import died_text, late, lost
from broadpeak._run.dispatch import Answer, FutureEngine, Ticket, WorkItem
from broadpeak._run.remote import (
    Token,
    answer_of,
    in_place,
    let_go_of_views,
    rebuilt_batch,
)
from broadpeak.errors import EngineError, broken_rule, described
from broadpeak.types import AnyArray

_OURS = ("address", "num_cpus", "local_mode", "ignore_reinit_error", "kwargs")
_LARGE = 64 * 1024  # bytes from which Ray passes an array without copying it
_PARTS = 10_000  # of a CPU that Ray can tell apart
_POLL_SECONDS = 0.5  # some systems notice Ctrl-C only between waits
_PATIENCE_SECONDS = 10.0  # for workers to end


class RayEngine(FutureEngine):
    """Runs batches as tasks of Ray.

    A program that is connected to Ray already uses that connection, and keeps it. Otherwise the
    cluster at `address` is joined. Without one, Ray is started on this machine, with nothing on the
    terminal and all its files in a folder that goes with it; it is kept for the next run, and ends
    by `broadpeak.engines.shutdown` and with this process, also if that is killed.

    Where all of the cluster is on this machine, large arrays that tasks share are in files, which
    workers map. On other machines they are in Ray's object store, once a machine, and as always
    there tasks see them read-only.

    A worker that dies, a machine that is lost: what ran there has died, as `Outcome` says, and
    `retries` brings it back. A task that takes too long is ended with its worker; through Ray
    Client, it is left behind there in a thread.

    Parameters
    ----------
    n_workers : int, optional
        How many batches run at a time. Default: the CPUs of the cluster, divided among the tasks
        that run beside this one.
    address : str, optional
        "auto" for the cluster on this machine, "host:port" for one that this machine is part of,
        "ray://host:port" for another by Ray Client. Default: the environment variable RAY_ADDRESS.
    **options
        Other options of `ray.init`, such as `object_store_memory`, `log_to_driver`, `runtime_env`.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    EngineError
        If no cluster answers there, or a machine of it has another broadpeak.
    TypeError
        For an option that `ray.init` does not have, or that is set here.
    """

    counts_workers = True
    views = True

    def __init__(
        self, n_workers: int | None, *, address: str | None = None, **options: object
    ) -> None:
        self._ray = ray = raycluster.load_ray()
        known = [name for name in inspect.signature(ray.init).parameters if name not in _OURS]
        for name in options:
            if name not in known and not name.startswith("_"):
                raise check.unknown_option("engine 'ray'", name, ["address", *known])
        if address is not None:
            address = check.string("address", address, "Type: address='auto'.")
        self._address, self._options = address, options
        n_beside = nesting.get().n_beside
        self._is_counted = n_workers is None
        n_local = n_workers or max(1, core_count() // n_beside)
        self._cluster = raycluster.connected(address, n_local, options)
        if n_workers is None:
            n_workers = n_local
            if not self._cluster.is_local:
                if self._cluster.n_cpus < 1:
                    rule = "have CPUs to run tasks on"
                    remedy = "Add machines, or pass n_workers= if they come when there is work."
                    raise EngineError(broken_rule("the Ray cluster", rule, 0, remedy))
                n_workers = max(1, self._cluster.n_cpus // n_beside)
        super().__init__(n_workers)

    def start(self) -> None:
        """Use the cluster, or another one if that has ended."""
        self._numbers = itertools.count()
        self._flight: dict[Any, Ticket] = {}  # what Ray knows a batch by
        self._began: dict[Any, float | None] = {}  # those with a time limit, and when they began
        self._limits: dict[Any, float] = {}
        self._cluster = raycluster.enter(self._address, self.n_workers, self._options)
        self.files = self._cluster.files
        # A task says that it has begun by an item of a stream, which Ray Client does not have.
        self.ends_late = not self._cluster.is_client
        self._path = sys.path[:] if self.files else None
        options = {"num_cpus": 1.0, "max_retries": 0}
        if self._cluster.is_local and self.n_workers > self._cluster.n_cpus:
            options["num_cpus"] = int(_PARTS * self._cluster.n_cpus / self.n_workers) / _PARTS
        self._work = _remote(_work).options(**options)
        self._timed_work = _remote(_timed_work).options(**options)

    def put(self, data: bytes | AnyArray) -> object:
        """Place what many batches share in the object store."""
        with _as_engine_errors():
            return self._ray.put(np.frombuffer(data, np.uint8))

    def submit(self, item: WorkItem) -> Ticket:
        """Pass a batch to Ray."""
        timeout = item.batch.timeout if self.ends_late else None
        function = self._work if timeout is None else self._timed_work
        tokens, data = tuple(item.objects), item.objects.values()
        payload = self._packed(item.payload)
        with _as_engine_errors():
            reference = function.remote(payload, nesting.get(), self._path, tokens, *data)
        number = next(self._numbers)
        self._flight[reference] = number
        if timeout is not None:
            self._began[reference], self._limits[reference] = None, timeout
        return number

    def _packed(self, data: bytes) -> bytes | str | AnyArray:
        """Return a payload as it travels: in a file if it is large and workers see it.

        Ray frees what its store held for an argument a second later, by when there are many more.
        """
        if self.files and self.shared is not None and len(data) >= _LARGE:
            with suppress(OSError):  # no room
                path = self.shared.new_path(len(data))
                path.write_bytes(data)
                return str(path)
        return _portable(data)

    def wait(self) -> list[tuple[Ticket, Answer]]:
        """Wait for one of the tasks; end those whose time is up."""
        while True:
            if self._cluster.is_broken:
                ticket = self._flight.popitem()[1]
                return [(ticket, self._cut_off("its head does not answer any more"))]
            now = time.monotonic()
            ends = [
                began + self._limits[reference]
                for reference, began in self._began.items()
                if began is not None
            ]
            seconds = max(0.0, min([_POLL_SECONDS, *(end - now for end in ends)]))
            pending = list(self._flight)
            with _as_engine_errors():
                ready, rest = self._ray.wait(pending, num_returns=1, timeout=seconds)
                if ready and rest:  # what else has ended meanwhile is not late
                    ready += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
            answers = [
                (self._flight[reference], answer)
                for reference in ready
                if (answer := self._answer(reference)) is not None
            ]
            self._forget(answers)
            overdue = list(self._late())  # also while others end all the time
            self._forget(overdue)
            if answers or overdue:
                return answers + overdue

    def _forget(self, answers: list[tuple[Ticket, Answer]]) -> None:
        """Forget the tasks that have ended."""
        ended = {ticket for ticket, _ in answers}
        for reference in [one for one, ticket in self._flight.items() if ticket in ended]:
            del self._flight[reference]
            self._began.pop(reference, None)
            self._limits.pop(reference, None)

    def _late(self) -> Iterator[tuple[Ticket, Answer]]:
        """End the tasks whose time is up."""
        now = time.monotonic()
        overdue = [
            reference
            for reference, began in self._began.items()
            if began is not None and now - began >= self._limits[reference]
        ]
        self._end(overdue)
        for reference in overdue:
            limit = self._limits[reference]
            seconds = now - (self._began[reference] or now)
            yield self._flight[reference], lost("timeout", late(limit), seconds)

    def _end(self, references: list[Any]) -> None:
        """End tasks with their workers, and wait until they have ended."""
        with suppress(Exception):
            for reference in references:
                self._ray.cancel(reference, force=True)
            ends = [
                reference.completed() if reference in self._began else reference
                for reference in references
            ]
            if ends:
                self._ray.wait(ends, num_returns=len(ends), timeout=_PATIENCE_SECONDS)

    def _answer(self, reference: Any) -> Answer | None:
        """Return what became of a task; None if it has only begun."""
        errors = self._ray.exceptions
        try:
            if reference not in self._began:
                return _received(self._ray.get(reference))
            answer = self._ray.get(next(reference))
            if self._began[reference] is None:
                self._began[reference] = time.monotonic()
                return None
            return _received(answer)
        except errors.RayError as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001  # raised in the loop, which ends the run
            return _gone(described(error))

    def _failed(self, error: Any) -> Answer:
        """Return the answer for a task of which Ray has an error in place of a result."""
        errors = self._ray.exceptions
        if isinstance(error, errors.OutOfMemoryError):
            return lost("died", _died("ended, for its machine ran out of memory", error))
        if isinstance(error, (errors.WorkerCrashedError, errors.TaskCancelledError)):
            return lost("died", _died("ended", error))
        if isinstance(
            error, (errors.NodeDiedError, errors.LocalRayletDiedError, errors.ObjectLostError)
        ):
            if self._is_own_node_gone():  # and with it all that this process needs of Ray
                return self._cut_off("this machine is no part of it any more")
            return lost("died", _died("ended, for its machine was lost", error))
        if isinstance(error, errors.RayTaskError):
            return EngineError(
                "A worker of Ray must be able to run broadpeak, but met "
                f"{described(error.cause).rstrip('.')}. Install the same packages on its machine."
            )
        return _gone(described(error))

    def _cut_off(self, text: str) -> Answer:
        """Return the answer for a batch whose cluster is gone: one of our own is started anew."""
        self._cluster.is_broken = True
        if self._cluster.is_local:
            return BrokenExecutor(f"Ray ended: {text}")
        raycluster.disconnect(self._cluster)
        return _gone(text)

    def _is_own_node_gone(self) -> bool:
        if self._cluster.is_client:
            return False
        try:
            own = self._ray.get_runtime_context().get_node_id()
            return not any(node["NodeID"] == own and node["Alive"] for node in self._ray.nodes())
        except Exception:  # noqa: BLE001  # whatever it is, there is nobody to ask
            return True

    def close(self, *, abandoned: bool) -> None:
        """End what is on the way; keep the cluster for the next run."""
        del abandoned  # what is in flight is not wanted, and nothing else is there
        try:
            if not self._cluster.is_broken:
                self._end(list(self._flight))
        finally:
            for references in (self._flight, self._began, self._limits):
                references.clear()
            raycluster.leave(self._cluster)


@cache
def _remote(function: Callable[..., Any]) -> Any:
    """Return a function as Ray runs it; what is made anew for a run, each worker has to load."""
    return raycluster.load_ray().remote(function)


def _work(payload: Any, inside: Nesting, path: Any, tokens: Sequence[Token], *data: Any) -> Any:
    """Run a batch in a worker of Ray and return its answer."""
    *_, answer = _timed_work(payload, inside, path, tokens, *data)
    return answer


def _timed_work(
    payload: Any, inside: Nesting, path: Any, tokens: Sequence[Token], *data: Any
) -> Iterator[Any]:
    """Say that the batch begins, once what it needs is loaded, then do the same."""
    # Other tasks of the user's may run in this worker later, and be cancelled.
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if is_main else None
    try:
        with in_place(inside, path):
            if tokens:
                let_go_of_views(tokens[0][0])
            objects = {token: memoryview(one) for token, one in zip(tokens, data, strict=True)}
            batch = rebuilt_batch([_unpacked(payload)], objects)
            yield b""
            yield _portable(answer_of(batch) if isinstance(batch, list) else batch)
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _unpacked(payload: Any) -> memoryview:
    """Return the bytes of a payload, and remove its file if it has one."""
    if isinstance(payload, str):
        path = Path(payload)
        payload = path.read_bytes()
        path.unlink()
    return memoryview(payload)


def _portable(data: Any) -> bytes | AnyArray:
    """Return `data` in the form in which Ray passes it with the fewest copies."""
    return np.frombuffer(data, np.uint8) if len(data) >= _LARGE else bytes(data)


def _received(answer: Any) -> bytes | memoryview:
    return answer if isinstance(answer, bytes) else memoryview(answer)


def _died(how: str, error: BaseException) -> EngineError:
    first = str(error).strip().partition("\n")[0]
    return EngineError(f"{died_text(how)} Ray says: {first}")


def _gone(got: str) -> EngineError:
    first = got.strip().partition("\n")[0].rstrip(".")
    return EngineError(
        f"The Ray cluster must answer until the run ends, but {first}. What was finished is in the "
        "store, if there is one: start the cluster again and repeat the call."
    )


@contextmanager
def _as_engine_errors() -> Iterator[None]:
    """Turn errors of Ray itself into an `EngineError`; errors of tasks never come here."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        raise _gone(described(error)) from error
