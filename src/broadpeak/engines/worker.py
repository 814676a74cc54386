# SPDX-License-Identifier: BSD-3-Clause
"""The main loop of a worker process."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
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
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    os.environ.update(environment)
    # By name, so that the environment is set before anything loads a numeric library.
    remote = importlib.import_module("broadpeak.engines.remote")
    shared = importlib.import_module("broadpeak.engines.shared")
    running = importlib.import_module("broadpeak.engines.running")

    def tell_loaded() -> None:
        connection.send_bytes(LOADED)

    try:
        connection.send_bytes(READY)
        while connection.poll(_IDLE_SECONDS):
            message = connection.recv_bytes()
            kind, body = message[:1], message[1:]
            if kind == UNIT:
                connection.send_bytes(BEGIN)  # from here on, a death is the unit's doing
                connection.send_bytes(REPORT + remote.serve(body, on_loaded=tell_loaded))
            elif kind == SETTING:
                path, folder, place = pickle.loads(body)
                running.settle(place)
                _follow(path, folder)
            elif kind == FORGET:
                shared.forget(body.decode())
            else:
                return
        connection.send_bytes(BYE)
    except (EOFError, OSError):
        return  # the process that wanted results is gone


def _follow(path: list[str], folder: str) -> None:
    """Look for modules and files where the parent does."""
    sys.path[:] = path
    with suppress(OSError):  # the folder may be gone meanwhile
        os.chdir(folder)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which ends its workers, and let its SIGTERM do so at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _watch_parent(parent: int) -> None:
    """End this process when its parent is gone, even in the middle of a task."""
    while os.name == "posix":
        time.sleep(_WATCH_SECONDS)
        if os.getppid() != parent:
            os._exit(1)
