# SPDX-License-Identifier: BSD-3-Clause
"""What runs in a worker of Dask: a batch that can be stopped, and the local worker process itself.

Dask cannot stop a task that runs: when it is cancelled, or the one who wanted it is gone, its
thread goes on. But a worker tells its plugins, and a batch of ours lets itself be stopped.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
import threading
import traceback
import uuid
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

import distributed

from broadpeak._core.stopping import Stops, here
from broadpeak._core.threads import Nesting
from broadpeak._run import worker
from broadpeak._run.batches import BatchResult, lost
from broadpeak._run.remote import MISSING, Layout, Token, hold, run_remotely
from broadpeak.errors import EngineError

Place: TypeAlias = "tuple[str, Layout]"  # a file, and how the array is laid out in it
Places: TypeAlias = "dict[str, Place]"  # machine -> where it has it

LEFT: str = "left-"  # a mark that begins so names a process with a task that was left behind in it
OVER: str = "over-"  # and one of these a run of which no batch may begin any more
_PLUGIN = "broadpeak-stops"
_DEAF = logging.CRITICAL + 1
_LOGGERS = ("distributed", "tornado", "tornado.application", "asyncio")
_PAUSE_SECONDS = 0.005
_N_OVER = 1000  # runs that are remembered: of older ones nothing is on the way any more


@dataclass(frozen=True, slots=True)
class Setting:
    """What a batch needs to know besides its payload; pickled, so that Dask does not look inside.

    Attributes
    ----------
    inside : Nesting
        Where the tasks run.
    tokens : tuple of Token
        What the data stand for that come along.
    files : tuple of (Token, dict)
        Large arrays: the file of each machine that holds one.
    run : str
        Names the run.
    mark : str, optional
        A file that is there while the batch runs and holds the number of the process: it tells a
        batch that was at work when its worker died from one that only waited there.
    event : str, optional
        The name of a `distributed.Event` that is set before the batch begins: it tells the same
        where there are no files to share.
    path, folder : optional
        Where modules and files are looked for, on the machine of who wants the results.
    """

    inside: Nesting
    run: str
    tokens: tuple[Token, ...] = ()
    files: tuple[tuple[Token, Places], ...] = ()
    mark: str | None = None
    path: list[str] | None = None
    folder: str | None = None
    event: str | None = None


def run_on_dask(payload: bytes, setting: bytes, *data: bytes) -> bytes:
    """Run a batch in a task of Dask; return its pickled result."""
    given: Setting = pickle.loads(setting)  # written by the engine
    # Whoever ends the run first says so and then looks which batches are at work. This one first
    # shows that it is and then looks whether the run is over: one of the two sees the other.
    with _stoppable(given.run), _marked(given.mark):
        if _is_over(given):
            return MISSING  # it was cancelled: nobody waits for an answer
        if given.path is not None:
            worker.follow(given.path, given.folder)
        if given.event is not None:
            distributed.Event(given.event, client=distributed.get_client()).set()
        for token, places in given.files:
            place = places.get(host_of(distributed.get_worker().address))
            if place is not None:
                hold(token, *place)
        return run_remotely(payload, given.inside, given.path, given.tokens, *data)


async def end_batches(run: str, seconds: float) -> bool:
    """Let no batch of `run` begin in this worker any more, and stop those that have.

    To be called in the worker itself. Return whether none runs, after `seconds` at most.
    """
    _over.append(run)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while batches := [stops for of, stops in list(_running.values()) if of == run]:
        for stops in batches:
            if not stops.is_asked:
                stops.stop()
        if loop.time() > until:
            return False
        await asyncio.sleep(_PAUSE_SECONDS)
    return True


def host_of(address: str) -> str:
    """Return the machine of the worker at `address`."""
    return address.rpartition("//")[2].rpartition(":")[0]


class ArrayFile:
    """An array in a file that all workers of one machine map, so that it is held there once.

    An actor of Dask: it lives in the worker that made it until nobody has a future of it any more,
    which is also when the one who did is killed, and takes the file with it. The folder is that of
    the worker, which Dask removes if the worker is killed.

    Parameters
    ----------
    n_bytes : int
        How large it is.
    """

    def __init__(self, n_bytes: int) -> None:
        folder = distributed.get_worker().local_directory
        self._path = Path(folder, f"broadpeak-{uuid.uuid4().hex}")
        with self._path.open("wb") as file:
            file.truncate(n_bytes)
        weakref.finalize(self, self._path.unlink, missing_ok=True)

    def write(self, start: int, piece: bytes) -> str:
        """Write a piece of it, which is all of it that ever is in memory; return the path."""
        with self._path.open("r+b") as file:
            file.seek(start)
            file.write(piece)
        return str(self._path)


@contextmanager
def _marked(mark: str | None) -> Iterator[None]:
    """Keep a file while the block runs."""
    if mark is None:
        yield
        return
    path = Path(mark)
    path.write_text(str(os.getpid()), encoding="ascii")
    try:
        yield
    finally:
        if any(thread.name == "broadpeak-task" for thread in threading.enumerate()):
            path.with_name(f"{LEFT}{os.getpid()}").touch()
        with suppress(OSError):
            path.unlink()


# Key of Dask -> the run of that batch, and by what its thread is stopped.
_running: dict[str, tuple[str, Stops]] = {}
_over: deque[str] = deque(maxlen=_N_OVER)  # runs that have ended before all of their batches had


def _is_over(given: Setting) -> bool:
    """Return whether nobody waits for the batches of a run any more."""
    if given.mark is None:
        return given.run in _over
    return Path(given.mark).with_name(f"{OVER}{given.run}").exists()


@contextmanager
def _stoppable(run: str) -> Iterator[None]:
    """Let code of the user inside the block be stopped when Dask drops the task."""
    this = distributed.get_worker()
    if _PLUGIN not in this.plugins:
        # In its own thread, which is also where it looks at them.
        this.loop.add_callback(this.plugin_add, StopDropped(), name=_PLUGIN)
    key = this.get_current_task()
    before, stops = getattr(here, "stops", None), Stops()
    stops.adopt()
    _running[key] = run, stops
    try:
        yield
    finally:
        del _running[key]
        here.stops = before


class StopDropped(distributed.WorkerPlugin):
    """Stops batches whose results nobody waits for: cancelled, or of a process that is gone."""

    idempotent = True

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Stop the batch of a task that leaves its execution without a result."""
        if start in {"executing", "long-running"} and finish in {"released", "cancelled"}:
            batch = _running.get(key)
            if batch is not None:
                batch[1].stop()

    def teardown(self, worker: Any) -> None:
        """Stop all: the worker closes, for instance because its scheduler is gone."""
        for _, stops in list(_running.values()):
            stops.stop()


def died(text: str) -> BatchResult:
    """Return the result of a batch whose worker is gone."""
    return lost("died", EngineError(text))


def main_of_fresh(connection: Connection, facts: Mapping[str, Any]) -> None:
    """Be a worker of the scheduler that `connection` names, until told to end or orphaned."""
    parent = worker.become_worker(connection, facts)
    worker.ignore_interrupts()
    parent.watch()
    for name in _LOGGERS:  # what there is to say the engine says
        logging.getLogger(name).setLevel(_DEAF)
    try:
        address, options = connection.recv()
        asyncio.run(_serve(connection, address, options))
    except (EOFError, OSError):  # the process that wanted results is gone
        pass
    except BaseException:  # noqa: BLE001  # nobody else is there to show it
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)  # threads of tasks that were left behind must not keep it


async def _serve(connection: Connection, address: str, options: Mapping[str, Any]) -> None:
    async with distributed.Worker(address, plugins=(), **options) as serving:
        await serving.plugin_add(StopDropped(), name=_PLUGIN)
        connection.send_bytes(worker.READY)
        await serving.finished()
