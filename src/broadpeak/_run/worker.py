# SPDX-License-Identifier: BSD-3-Clause
"""The main loop of a worker process."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

_IDLE_SECONDS = 300.0
_WATCH_SECONDS = 1.0
_BEGIN_SECONDS = 0.01

# First byte of a message. To the worker:
BATCH, SETTING, FORGET, QUIT = b"u", b"s", b"f", b"q"
# From the worker:
READY, BEGIN, LOADED, RESULT, BYE = b"r", b"g", b"l", b"d", b"b"


def main(
    connection: Connection,
    environment: Mapping[str, str],
    parent: Parent,
) -> None:
    """Serve batches from `connection` until told to quit, left alone, or orphaned.

    Parameters
    ----------
    connection : Connection
        The pipe to the process that wants results.
    environment : mapping
        Variables to set.
    parent : Parent
        That process.
    """
    ignore_interrupts()
    parent.watch()
    os.environ.update(environment)
    try:
        if "numpy" in sys.modules:  # this is a fork, and the libraries do not look again
            library_threads = importlib.import_module("broadpeak._run.librarythreads")
            library_threads.limit_threads(environment)
        _serve(connection)
    except (EOFError, OSError):  # the process that wanted results is gone
        parent.clear_up()
    except BaseException:  # noqa: BLE001  # nobody else is there to show it
        # A module that cannot be imported, for instance. Threads that others have started must not
        # keep a worker alive that will never serve: its parent would wait for its first message.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def main_of_fresh(connection: Connection, facts: Mapping[str, Any]) -> None:
    """Be the worker that `multiprocessing` would have made of this interpreter, then serve."""
    main(connection, {}, become_worker(connection, facts))


def become_worker(connection: Connection, facts: Mapping[str, Any]) -> Parent:
    """Make this interpreter what `multiprocessing` would have made of it; return its parent."""
    for handle in (connection.fileno(), *facts["held"]):
        os.set_inheritable(handle, False)
    sys.argv[:] = facts["argv"]
    this = multiprocessing.current_process()
    this.name = "broadpeak-worker"
    this.authkey = facts["authkey"]  # proxies of managers ask for it
    if facts["tracker"] is not None:
        os.set_inheritable(facts["tracker"], False)
        # As `multiprocessing.spawn` does it; there is no public way to say so.
        resource_tracker._resource_tracker._fd = facts["tracker"]  # type: ignore[attr-defined]  # noqa: SLF001
    return Parent(facts["parent"])


def _serve(connection: Connection) -> None:
    # By name, so that the environment is set before anything loads a numeric library.
    boundary = importlib.import_module("broadpeak._run.remote")
    threads = importlib.import_module("broadpeak._core.threads")

    def note_loaded() -> None:
        connection.send_bytes(LOADED)

    connection.send_bytes(READY)
    while connection.poll(_IDLE_SECONDS):
        try:
            message = memoryview(connection.recv_bytes())
        except MemoryError:
            # A part of the batch is still in the pipe: with this answer, a new worker is needed.
            connection.send_bytes(BEGIN)
            connection.send_bytes(boundary.no_memory_to_receive(RESULT))
            return
        kind, body = bytes(message[:1]), message[1:]
        del message
        if kind == BATCH:
            connection.send_bytes(BEGIN)  # from here on, a death is the batch's doing
            # In a list, so that the bytes are gone as soon as what they hold is rebuilt.
            payload = [body]
            del body
            connection.send_bytes(boundary.serve(payload, on_loaded=note_loaded, mark=RESULT))
        elif kind == SETTING:
            path, folder, inside = pickle.loads(body)
            threads.nesting.set(inside)
            follow(path, folder)
        elif kind == FORGET:
            boundary.forget(bytes(body).decode())
        else:
            return
    connection.send_bytes(BYE)


def follow(path: list[str], folder: str | None) -> None:
    """Look for modules and files where the parent does."""
    sys.path[:] = path
    if folder is not None:
        with suppress(OSError):  # the folder may be gone meanwhile
            os.chdir(folder)


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which ends its workers, and let its SIGTERM do so at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class Parent:
    """The process that wants results; this one, its worker, must not outlive it.

    Parameters
    ----------
    number : int
        Its process number.
    library : str
        The library that started this process.
    server_folder : str, optional
        The folder of the server of forks, if it is that which started this process. The parent
        removes it when it ends, and a worker does if the parent is killed.
    """

    def __init__(
        self, number: int, library: str = "multiprocessing", server_folder: str | None = None
    ) -> None:
        self._number = number
        self.library = library
        self._server_folder = server_folder
        self._sentinel: int | None = None

    def watch(self) -> None:
        """End this process soon after its parent is gone, even in the middle of a task."""
        if os.name == "posix":
            threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        if self._server_folder is not None:
            # The parent by number is that server, which goes on without the one we work for.
            self._number = os.getppid()
            library = importlib.import_module(self.library)
            while (parent := library.parent_process()) is None:  # this process has only begun
                time.sleep(_BEGIN_SECONDS)
            self._sentinel = parent.sentinel
        while not self._is_gone(_WATCH_SECONDS):
            if self._sentinel is None:
                time.sleep(_WATCH_SECONDS)
            # The first batch loads the module, and may be at it now.
            boundary = sys.modules.get("broadpeak._run.remote")
            getattr(boundary, "forget_ended", bool)()
        self.clear_up()
        os._exit(1)

    def _is_gone(self, patience: float) -> bool:
        if os.getppid() != self._number:
            return True
        return self._sentinel is not None and bool(wait([self._sentinel], patience))

    def clear_up(self) -> None:
        """Remove what the parent left, if it is gone."""
        if self._server_folder is not None and self._is_gone(0.0):
            shutil.rmtree(self._server_folder, ignore_errors=True)
