# SPDX-License-Identifier: BSD-3-Clause
"""The main loop of a worker process."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import resource_tracker
from typing import Any

_IDLE_SECONDS = 300.0
_WATCH_SECONDS = 1.0

# First byte of a message. To the worker:
UNIT, SETTING, FORGET, QUIT = b"u", b"s", b"f", b"q"
# From the worker:
READY, BEGIN, LOADED, REPORT, BYE = b"r", b"g", b"l", b"d", b"b"


def main(connection: Any, environment: Mapping[str, str]) -> None:
    """Serve units from `connection` until told to quit, left alone, or orphaned."""
    _ignore_interrupts()
    watch_parent()
    os.environ.update(environment)
    try:
        _serve(connection)
    except (EOFError, OSError):
        return  # the process that wanted results is gone


def main_of_fresh(connection: Any, told: Mapping[str, Any]) -> None:
    """Be the worker that `multiprocessing` would have made of this interpreter, then serve."""
    os.set_inheritable(connection.fileno(), False)
    sys.argv[:] = told["argv"]
    this = multiprocessing.current_process()
    this.name = "broadpeak-worker"
    this.authkey = told["authkey"]  # proxies of managers ask for it
    if told["tracker"] is not None:
        os.set_inheritable(told["tracker"], False)
        # As `multiprocessing.spawn` does it; there is no public way to say so.
        resource_tracker._resource_tracker._fd = told["tracker"]  # type: ignore[attr-defined]  # noqa: SLF001
    main(connection, {})


def _serve(connection: Any) -> None:
    # By name, so that the environment is set before anything loads a numeric library.
    remote = importlib.import_module("broadpeak.engines.remote")
    shared = importlib.import_module("broadpeak.engines.shared")
    running = importlib.import_module("broadpeak.engines.running")

    def tell_loaded() -> None:
        connection.send_bytes(LOADED)

    connection.send_bytes(READY)
    while connection.poll(_IDLE_SECONDS):
        message = memoryview(connection.recv_bytes())
        kind, body = bytes(message[:1]), message[1:]
        del message
        if kind == UNIT:
            connection.send_bytes(BEGIN)  # from here on, a death is the unit's doing
            # In a list, so that the bytes are gone as soon as what they hold is rebuilt.
            payload = [body]
            del body
            connection.send_bytes(remote.serve(payload, on_loaded=tell_loaded, mark=REPORT))
        elif kind == SETTING:
            path, folder, place = pickle.loads(body)
            running.settle(place)
            _follow(path, folder)
        elif kind == FORGET:
            shared.forget(bytes(body).decode())
        else:
            return
    connection.send_bytes(BYE)


def _follow(path: list[str], folder: str | None) -> None:
    """Look for modules and files where the parent does."""
    sys.path[:] = path
    if folder is not None:
        with suppress(OSError):  # the folder may be gone meanwhile
            os.chdir(folder)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which ends its workers, and let its SIGTERM do so at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def watch_parent() -> None:
    """End this process soon after its parent is gone, even in the middle of a task."""
    if os.name == "posix":
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)
