# SPDX-License-Identifier: BSD-3-Clause
"""Dask: a cluster that is joined by its address, or one of this machine."""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
import struct
import sys
import threading
import uuid
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, ClassVar

import dask
import distributed
from distributed.comm import connect

import broadpeak
from broadpeak._core import check
from broadpeak._core.threads import Nesting, core_count, nesting
from broadpeak._run import pool as pools
from broadpeak._run.batches import Batch, died_text, late, lost, nested, run_batch
from broadpeak._run.dasklocal import LocalDask, Quiet, held_by, seconds_of
from broadpeak._run.daskworker import (
    STOPPED,
    ArrayFile,
    Places,
    Setting,
    died,
    end_batches,
    host_of,
    run_on_dask,
)
from broadpeak._run.dispatch import NOT_BEGUN, Answer, FutureEngine, Ticket, WorkItem
from broadpeak._run.remote import MISSING, rebuilt_array
from broadpeak._run.starting import ErrorsOf, thread_limits
from broadpeak.errors import EngineError, ParamError, broken_rule, described, warn

_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 8.0
_LISTENING_SHARE = 0.75  # of it, for somebody to listen there; the rest is for a greeting
_COUNT_SECONDS = 2.0  # between two looks at how many workers a joined cluster has
_GRACE_SECONDS = 2.0  # that a worker has to give up a batch itself which is late
_STOP_SECONDS = 3.0  # that one of a joined cluster has to stop what nobody waits for
_TOLD_SECONDS = 5.0  # until all have said whether they did
_LARGE = 1_000_000  # bytes of a payload from which Dask would warn of it: its measure is changeable
_WARNS_OF_SIZE = "distributed.admin.large-graph-warning-threshold"
_PIECE = 8_000_000  # bytes of an array that are on the way at a time
_NO_WORKERS_SECONDS = 10.0
_CLIENT_LOGGERS = ("client", "utils", "core", "batched")
_LIBRARY = ErrorsOf("Dask")


class DaskEngine(FutureEngine):
    """Runs batches on the workers of a Dask cluster.

    It is the one at `address`; or that of the `distributed.Client` which this process has; or else
    one of this machine, with a process for each worker, which waits for the next run of the same
    options and ends with this process. Inside a task of Dask it is the cluster of that task, whose
    thread is free for others while it waits; inside a task of a run that is on Dask itself, tasks
    run one after another where they are, for all workers are taken.

    A worker of this machine that dies is replaced, and what it was running is lost: ``retries=``
    brings it back. Where a cluster is joined, Dask itself tries a batch on another worker when its
    worker is lost, as often as ``distributed.scheduler.allowed-failures`` says (3 times). Then it
    is tried once more in the same way, and only then it is lost: others may have waited on the
    same workers, and are not to blame.

    A task that takes too long is stopped at its next step in Python code. One that has no such step
    is left behind in its thread; on this machine its worker is ended for it, on a cluster it goes
    on until it returns. The same holds for what runs when a run ends early, which waits for some
    seconds until it has stopped.

    Parameters
    ----------
    n_workers : int, optional
        How many batches run at a time. Default: one for each thread of the workers of a cluster
        that is joined, while they come and go; on this machine one for each core.
    address : str, optional
        Of the scheduler, as ``dask scheduler`` prints it: ``"tcp://10.0.0.5:8786"``. Every worker
        and the scheduler itself need this version of broadpeak and this version of Python.
    client : distributed.Client, optional
        What is connected to a cluster already; it stays open.
    threads_per_worker : int, optional
        Limit of BLAS, OpenMP and Numba threads in a worker of this machine; see `ProcessEngine`.
    reuse : bool
        Use the workers of the last run, and keep them for the next.

    Raises
    ------
    EngineError
        If nothing answers at the address, or workers are not fit for this run.
    ParamError
        If an option is not what it must be.
    """

    counts_workers: ClassVar[bool] = True

    def __init__(
        self,
        n_workers: int | None = None,
        *,
        address: str | None = None,
        client: Any = None,
        threads_per_worker: int | None = None,
        reuse: bool = True,
    ) -> None:
        if address is not None:
            check.string("address", address, "Type: engine_options={'address': 'tcp://HOST:8786'}")
        if client is not None and not isinstance(client, distributed.Client):
            remedy = "Leave it out to use the client of this process."
            raise ParamError(broken_rule("client", "be a distributed.Client", client, remedy))
        if address is not None and client is not None:
            rule = "be left out with client=, which is connected already"
            raise ParamError(broken_rule("address", rule, address))
        if threads_per_worker is not None:
            threads_per_worker = check.integer("threads_per_worker", threads_per_worker)
        self._address, self._reuse = address, reuse
        self._user_client = client
        self._limits = thread_limits(threads_per_worker)
        self._counts = n_workers is None
        self._joined: _Joined | None = None
        self._local: LocalDask | None = None
        self._is_task = _in_task()
        self._is_here = _fork.is_one and nesting.get().depth > 0
        if _fork.is_one and not self._is_here:
            msg = (
                "Dask must be used in the process that began to, but this is a fork of it, in "
                "which its threads are gone. Start this process by 'spawn' or 'forkserver', or "
                "pass engine='processpool'."
            )
            raise EngineError(msg)
        if self._is_task and nesting.get().depth and client is None:
            theirs = distributed.get_worker().scheduler.address
            self._is_here = address is None or _same(address, theirs)
        self.pickles = not self._is_here
        if self._is_here:
            n_workers = 1
        else:
            self._way = self._find()
            self.files = self._way is None
            if n_workers is None and self._way is None:
                n_workers = max(1, core_count() // nesting.get().n_beside)
            elif n_workers is None:
                joined = self._join()
                try:
                    n_workers = joined.count()
                finally:
                    self._leave(joined)
        self._n_asked = n_workers
        super().__init__(n_workers)

    def _find(self) -> Any:
        """Return the client or address of the cluster to join; None: there is none."""
        if self._user_client is not None or self._address is not None:
            return self._address or self._user_client
        if self._is_task:
            return distributed.get_client()
        try:
            return distributed.default_client()
        except ValueError:
            return None

    def _join(self) -> _Joined:
        if isinstance(self._way, str):
            joined = pools.check_out(("dask", self._way), lambda: _Joined.by_address(self._way))
            if joined.client.status == "running":
                return joined
            joined.shutdown()  # its scheduler has ended; there may be another one by now
            return _Joined.by_address(self._way)
        return _Joined(self._way)

    def _leave(self, joined: _Joined) -> None:
        if not joined.is_ours:
            return
        if self._reuse and joined.client.status == "running":
            pools.check_in(("dask", self._way), joined)
        else:
            joined.shutdown()

    def start(self) -> None:
        """Connect to the cluster, or start workers."""
        self._run_name = uuid.uuid4().hex[:12]
        self._numbers = itertools.count()
        self._ended: SimpleQueue[int] = SimpleQueue()
        self._flight: dict[int, tuple[WorkItem, Any]] = {}
        self._files: list[_Files] = []
        self._late: set[int] = set()
        self._doubted: dict[int, Batch] = {}  # id -> a batch that was where a worker was lost
        self._here: list[tuple[Ticket, Answer]] = []
        self._seconds = perf_counter()
        self._has_seceded = False
        if self._is_here:
            return
        if self._way is None:
            self._key = key = ("dask", tuple(self._limits.items()))
            with _LIBRARY:
                make = partial(LocalDask, self._limits)
                self._local = pools.check_out(key, make) if self._reuse else make()
                try:
                    self._local.begin_run(self._n_asked)
                except BaseException:
                    self._local.shutdown()
                    raise
            self.n_workers = min(self._n_asked, self._local.n_ready)
            self._client, _fork.is_in_use = self._local.client, True
            return
        self._joined = self._join()
        self._client, _fork.is_in_use = self._joined.client, True
        try:
            self._joined.check_workers()
        except BaseException:
            self._leave(self._joined)
            raise
        if self._is_task:
            # The worker starts other tasks at once, in a copy of this context: they are not inside
            # of this run. A thread that is none of Dask's blocks none of its own.
            with suppress(Exception), nested(Nesting()):
                distributed.secede()
                self._has_seceded = True

    def submit(self, item: WorkItem) -> Ticket:
        """Pass a batch to the scheduler."""
        number = next(self._numbers)
        if self._is_here:
            self._here.append((number, run_batch(item.batch)))
            return number
        files, objects = [], {}
        for token, data in item.objects.items():
            if isinstance(data, _Files):
                files.append((token, data.places))
            elif getattr(data, "status", "") == "finished":
                # What a lost worker held alone is gone: a batch that lacks it comes again in full.
                objects[token] = data
        setting = Setting(nesting.get(), self._run_name, tuple(objects), tuple(files))
        if self._local is not None:
            mark = str(self._mark(number))
            setting = replace(setting, mark=mark, path=sys.path[:], folder=_folder())
        elif id(item.batch) in self._doubted:
            setting = replace(setting, event=self._key_of(number))
        is_large = len(item.payload) > _LARGE
        quiet = dask.config.set({_WARNS_OF_SIZE: "1 PB"}) if is_large else nullcontext()
        with quiet, _LIBRARY:
            future = self._client.submit(
                run_on_dask,
                item.payload,
                pickle.dumps(setting),
                *objects.values(),
                key=self._key_of(number),
                pure=False,
            )
        self._flight[number] = (WorkItem(item.batch), future)
        self._note_end(number, future)
        return number

    def _note_end(self, number: int, future: Any) -> None:
        ended = self._ended
        future.add_done_callback(lambda _: ended.put(number))

    def wait(self) -> list[tuple[Ticket, Answer]]:
        """Wait until batches have ended."""
        if self._is_here:
            ended, self._here = self._here, []
            return ended
        while True:
            numbers = []
            with suppress(Empty):
                numbers.append(self._ended.get(timeout=_POLL_SECONDS))
                while True:
                    numbers.append(self._ended.get_nowait())
            answers = list(self._answers(numbers))
            n_before = self.n_workers
            self._look_after()
            if answers or self.n_workers > n_before:  # there is room for more
                return answers

    def _answers(self, numbers: list[int]) -> Iterator[tuple[Ticket, Answer]]:
        """Yield the answers of futures that have ended."""
        futures = {number: self._flight[number][1] for number in numbers}
        finished = {n: future for n, future in futures.items() if future.status == "finished"}
        values: Mapping[int, Any] = {}
        if finished:
            try:
                with _LIBRARY:
                    values = self._client.gather(finished, errors="skip")
            except EngineError:
                if self._client.status != "running":  # somebody has closed it
                    raise self._cut_off() from None
                raise
        for number, future in futures.items():
            answer: Answer | None = values.get(number)
            if answer is None and future.status in {"pending", "lost"}:
                # It had ended, but its result went with a worker: Dask is at it once more.
                self._note_end(number, future)
                continue
            if answer is None:
                answer = self._failure(number, future)
            elif answer == STOPPED:
                answer = NOT_BEGUN
            elif self._local is not None:
                self._local.worked()
            elif self._doubted.pop(id(self._flight[number][0].batch), None) is not None:
                distributed.Event(self._key_of(number), client=self._client).clear()
            del self._flight[number]
            yield number, answer

    def _failure(self, number: int, future: Any) -> Answer:
        """Return the answer for a batch that has no result."""
        if future.status != "error":  # cancelled, but not by us
            if self._client.status == "running":
                return MISSING  # what it refers to was on a worker that is gone
            return self._cut_off()
        error = future.exception()
        if not isinstance(error, distributed.KilledWorker):
            return EngineError(
                f"Workers of Dask must be able to run a batch, but one met {described(error)}. "
                f"Type there: pip install broadpeak=={broadpeak.__version__}"
            )
        if self._local is None:
            return self._lost_on_cluster(number, error)
        mark = self._mark(number)
        if number in self._late:
            timeout = self._flight[number][0].batch.timeout or 0.0
            mark.unlink(missing_ok=True)
            return lost("timeout", late(timeout), timeout)
        if not mark.exists():
            return NOT_BEGUN  # it waited behind the one that did it
        pid = held_by(mark)
        how = "ended" if pid is None else self._local.how_it_ended(pid)
        mark.unlink(missing_ok=True)
        return died(died_text(how))

    def _cut_off(self) -> EngineError:
        address = self._way if isinstance(self._way, str) else "of this run"
        return EngineError(
            f"The Dask scheduler {address} must be there until the run ends, but the connection to "
            "it was lost. Start it again and repeat the call: with store= it goes on where it was."
        )

    def _lost_on_cluster(self, number: int, error: BaseException) -> Answer:
        """Return the answer for a batch that Dask gave up, since it was where workers were lost.

        It may have waited there behind the one that did it. So it is tried once more, and this time
        says when it begins, which costs a way to the scheduler and back.
        """
        batch = self._flight[number][0].batch
        if id(batch) not in self._doubted:
            self._doubted[id(batch)] = batch  # held, so that its id is not reused
            return NOT_BEGUN
        event = distributed.Event(self._key_of(number), client=self._client)
        with _LIBRARY:
            if not event.is_set():
                return NOT_BEGUN
            event.clear()
        del self._doubted[id(batch)]
        first = str(error).partition(". ")[0]
        return died(died_text(f"ended: {first}"))

    def _key_of(self, number: int) -> str:
        return f"broadpeak-{self._run_name}-{number}"

    def _mark(self, number: int) -> Path:
        if self._local is None:
            msg = "only workers of this machine leave marks"
            raise RuntimeError(msg)
        return self._local.marks / f"{self._run_name}-{number}"

    def _look_after(self) -> None:
        """Replace workers of this machine that are gone or stuck; count those of a cluster."""
        if self._local is not None:
            for number, (item, _) in self._flight.items():
                timeout = item.batch.timeout
                if timeout is None or number in self._late:
                    continue
                if seconds_of(self._mark(number)) > timeout + _GRACE_SECONDS:
                    pid = held_by(self._mark(number))
                    if pid is not None:  # it is in C code, and holds the interpreter lock
                        self._late.add(number)
                        self._local.kill(pid)
            self._local.replace_ended()
            self.n_workers = max(1, min(self._n_asked, self._local.n_ready))
        elif self._joined is not None and perf_counter() - self._seconds > _COUNT_SECONDS:
            self._seconds = perf_counter()
            n_workers = self._joined.count()
            if self._counts:
                self.n_workers = n_workers

    def close(self, *, abandoned: bool) -> None:
        """Let go of the cluster; stop what is still on the way."""
        flight, self._flight = self._flight, {}
        futures = [future for _, future in flight.values()] if abandoned else []
        # What proxies of actors refer to goes in a circle, and would stay for a while.
        futures += [future for files in self._files for future in files.futures]
        if flight and self._local is not None:
            with suppress(OSError):
                self._local.forbid(self._run_name)
        if futures:
            with suppress(Exception):
                self._client.cancel(futures, force=True)
        if flight and self._joined is not None:
            self._joined.end_batches(self._run_name)
        if self._has_seceded:
            with suppress(Exception):
                distributed.rejoin()
        if self._local is not None:
            local, self._local = self._local, None
            local.end_abandoned([local.marks / f"{self._run_name}-{number}" for number in flight])
            if self._reuse:
                pools.check_in(self._key, local)
            else:
                local.shutdown()
        if self._joined is not None:
            joined, self._joined = self._joined, None
            self._leave(joined)

    def put(self, data: bytes) -> object:
        """Place what batches share with the workers: large arrays once for each machine."""
        # No worker is there as yet, or no more: then it travels with a batch.
        with _LIBRARY, suppress(TimeoutError, CancelledError, distributed.KilledWorker):
            if len(data) > _LARGE and (files := self._put_files(data)) is not None:
                return files
            return self._client.scatter(data, broadcast=True, hash=False)
        return None

    def _put_files(self, data: bytes) -> _Files | None:
        """Place an array in a file of every machine; None if it is no array."""
        function, arguments = pickle.loads(data)  # our own bytes
        if function is not rebuilt_array:
            return None
        raw, layout = arguments
        places, futures = {}, []
        for host, worker in {host_of(one): one for one in self._client.nthreads()}.items():
            future = self._client.submit(
                ArrayFile, len(raw), workers=[worker], actor=True, pure=False
            )
            futures.append(future)
            # A worker that goes now, in words of its actor: then the array travels with batches.
            with self._client.as_current(), suppress(OSError, ValueError):  # actors look there
                actor = future.result()
                pieces = ((at, raw[at : at + _PIECE]) for at in range(0, len(raw), _PIECE))
                paths = [actor.write(*piece).result() for piece in pieces]
                places[host] = (paths[-1], layout)
        if not places:
            return None
        self._files.append(_Files(places, futures))
        return self._files[-1]


@dataclass(frozen=True, slots=True)
class _Files:
    """A large array that every machine has in a file, as long as this is held."""

    places: Places
    futures: list[Any]


class _Joined:
    """The way to a cluster that is not ours.

    Parameters
    ----------
    client : distributed.Client
        What is connected to it.
    quiet : Quiet, optional
        Where we made the client, which then is ours to close: what keeps it from logging.
    """

    def __init__(self, client: Any, quiet: Quiet | None = None) -> None:
        if client.asynchronous:
            msg = (
                "The distributed.Client of this process must not be asynchronous, got one that "
                "is. Pass engine_options={'address': client.scheduler.address} from a thread."
            )
            raise EngineError(msg)
        self.client = client
        self.is_ours = quiet is not None
        self._quiet = quiet
        self._fit: set[str] = set()
        self._began = perf_counter()
        self._has_warned = False

    @classmethod
    def by_address(cls, address: str) -> _Joined:
        """Connect to the scheduler at `address`."""
        try:
            _look(address)
            client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
            quiet = Quiet(_CLIENT_LOGGERS, client.sync(_thread))
        except Exception as error:
            msg = (
                "engine_options={'address': …} must be that of a Dask scheduler that runs, got "
                f"{address!r} ({described(error).rstrip('.')}). Type: dask scheduler, which prints "
                "its address, or leave the address out for workers on this machine."
            )
            raise EngineError(msg) from error
        return cls(client, quiet)

    def count(self) -> int:
        """Return how many threads the workers have, at least 1; they may be about to come."""
        with _LIBRARY:
            threads = self.client.nthreads()
        n = sum(threads.values())
        if n:
            self._began = perf_counter()
        elif perf_counter() - self._began > _NO_WORKERS_SECONDS and not self._has_warned:
            self._has_warned = True
            address = self.client.scheduler.address
            warn(
                f"The Dask cluster at {address} must have a worker, got none; the run waits. "
                f"Type: dask worker {address}",
                RuntimeWarning,
            )
        return max(1, n)

    def check_workers(self) -> None:
        """Refuse a cluster whose workers could not read what they are sent."""
        with _LIBRARY:
            if self._fit.issuperset(workers := self.client.nthreads()):
                return
            found = self.client.get_versions(packages=["broadpeak"])
        ours = {"broadpeak": broadpeak.__version__, "python": _minor(sys.version_info)}
        # The scheduler reads what is submitted, too.
        for address, info in {"the scheduler": found["scheduler"], **found["workers"]}.items():
            theirs = dict(info["packages"])
            theirs["python"] = _minor(str(theirs["python"]).split("."))
            for package, version in ours.items():
                if theirs.get(package) == version:
                    continue
                got = theirs.get(package) or "none"
                how = f"pip install broadpeak=={version}"
                if package == "python":
                    how = f"start it with Python {version}"
                msg = (
                    f"Scheduler and workers of Dask must have {package} {version}, as this process "
                    f"has, but {address} has {got}. There, {how}"
                )
                raise EngineError(f"{msg}.")
        self._fit.update(workers)

    def end_batches(self, run: str) -> None:
        """Wait until no worker is at a batch of a run that was given up, nor begins one.

        That these are cancelled comes to a worker at some time, and has no answer. One that cannot
        be reached, or is in C code of a task, is not waited for without end.
        """

        async def ask() -> None:
            if self.client.status == "running":
                await self.client.run(end_batches, run, _STOP_SECONDS, on_error="ignore")

        with suppress(Exception):
            self.client.sync(ask, callback_timeout=_TOLD_SECONDS)

    def shutdown(self) -> None:
        """Close the client; the cluster goes on."""
        if self._quiet is not None:
            with suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.client.close(timeout=_POLL_SECONDS)
            self._quiet.end()

    def disown(self) -> None:
        """Forget it: it belongs to the process that this one was forked from."""
        _disowned.append(self.client)


class _Fork:
    """Whether this process is a fork of one that used Dask, which hangs in it.

    Attributes
    ----------
    is_in_use : bool
        This engine has used it in this process.
    is_one : bool
        This is such a fork.
    """

    is_in_use = False
    is_one = False

    def note(self) -> None:
        """Note that this process has just been forked."""
        with suppress(ValueError):
            self.is_in_use = self.is_in_use or distributed.default_client() is not None
        self.is_one = self.is_one or self.is_in_use


_fork = _Fork()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork.note)

_disowned: list[Any] = []  # held, for what is left of them in a fork must not be closed


def _look(address: str) -> None:
    """Raise an error if what is at `address` does not greet as Dask does.

    A client waits without end for the greeting of whoever listens there, be it a web server.
    """
    errors: list[BaseException] = []

    async def greet() -> None:
        options = distributed.Security().get_connection_args("client")
        # It tries again for as long as nobody listens, but then would wait for ever.
        seconds = _CONNECT_SECONDS * _LISTENING_SHARE
        await (await connect(address, timeout=seconds, **options)).close()

    def work() -> None:
        try:
            asyncio.run(asyncio.wait_for(greet(), _CONNECT_SECONDS))
        except (TimeoutError, MemoryError, struct.error):  # others begin with other bytes
            errors.append(TimeoutError("what listens there does not answer as Dask does"))
        except BaseException as error:  # noqa: BLE001  # raised where it is waited for
            errors.append(error)

    # A thread, for that of a notebook has a loop already.
    thread = threading.Thread(target=work, name="broadpeak-dask", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


async def _thread() -> int:
    return threading.get_ident()


def _minor(version: Any) -> str:
    return f"{version[0]}.{version[1]}"


def _in_task() -> bool:
    """Return whether this code runs in a task of Dask."""
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def _same(address: str, other: str) -> bool:
    return address.rpartition("//")[2] == other.rpartition("//")[2]


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109  # for every batch
    except OSError:
        return None
