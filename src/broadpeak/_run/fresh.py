# SPDX-License-Identifier: BSD-3-Clause
"""Worker processes that are fresh interpreters, started by `subprocess`.

`multiprocessing` would import the main script in them, does not allow daemonic processes to have
them, and fails where the working folder is gone or a standard stream is missing. None of that is
needed here: a worker gets its pipe, reads from it where modules are found, and serves.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import resource_tracker, spawn
from multiprocessing.connection import Connection, wait

from broadpeak._run.streams import streams_taken
from broadpeak.errors import EngineError

# What is found first comes through the pipe: `-P` keeps the working folder out until then, where
# a file may have the name of a module of the standard library.
_BOOT = """
import sys
from multiprocessing.connection import Connection

def start(pipe):
    facts = pipe.recv()
    sys.path[:] = facts.pop("path")
    from importlib import import_module
    import_module(sys.argv[2]).main_of_fresh(pipe, facts)

start(Connection(int(sys.argv[1])))
"""


class FreshProcess:
    """One interpreter; offers what a pool uses of `multiprocessing.Process`.

    Parameters
    ----------
    environment : mapping
        Variables to set besides those of this process.
    home : str
        The module whose `main_of_fresh` it runs.
    held : tuple of int
        Handles of this process that stay open in it until it ends.

    Attributes
    ----------
    pipe : Connection
        This end of its pipe.
    pid : int
        Its number.
    sentinel : int or None
        Becomes ready when the process ends; None where the system has no such thing, where the
        end of the pipe shows it.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        home: str = "broadpeak._run.worker",
        held: tuple[int, ...] = (),
    ) -> None:
        if getattr(sys, "frozen", False) or not sys.executable:
            msg = (
                "A fresh interpreter must be there to start as a worker, but this program has its "
                "Python built in. Pass engine_options={'start_method': 'spawn'} after "
                "multiprocessing.freeze_support(), or engine='threadpool'."
            )
            raise EngineError(msg)
        self.sentinel: int | None = None
        self.pipe: Connection
        with streams_taken():
            self.pipe, there = multiprocessing.Pipe()
            tracker, end = _tracker(), there.fileno()
        try:
            self._popen = subprocess.Popen(
                [*_interpreter(), "-P", "-c", _BOOT, str(end), home],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=_stream(1),
                stderr=_stream(2),
                pass_fds=[end, *held] if tracker is None else [end, tracker, *held],
            )
        except BaseException:
            self.pipe.close()
            raise
        finally:
            there.close()
        self.pid = self._popen.pid
        with suppress(AttributeError, OSError), streams_taken():
            self.sentinel = os.pidfd_open(self.pid)
        with suppress(OSError):  # it has ended, which shows at the next look
            self.pipe.send(
                {
                    "path": sys.path[:],
                    "argv": sys.argv[:],
                    "parent": os.getpid(),
                    "authkey": bytes(multiprocessing.current_process().authkey),
                    "tracker": tracker,
                    "held": held,
                }
            )

    @property
    def exitcode(self) -> int | None:
        """How it ended; negative: the number of the signal that killed it."""
        return self._popen.poll()

    def is_alive(self) -> bool:
        """Return whether it runs."""
        return self._popen.poll() is None

    def join(self, timeout: float) -> None:
        """Wait until it has ended, at most `timeout` seconds."""
        if self.sentinel is not None:
            wait([self.sentinel], timeout)
            timeout = 0.0 if self.is_alive() else timeout
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout)

    def terminate(self) -> None:
        """Request that it ends."""
        self._popen.terminate()

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._popen.kill()

    def close(self) -> None:
        """Release a process that has ended."""
        if self.sentinel is not None:
            os.close(self.sentinel)
            self.sentinel = None

    def disown(self) -> None:
        """Forget a process that is the child of another one: of the parent of this fork."""
        self._popen.returncode = 0


def _interpreter() -> list[str]:
    """Return how a Python with the flags of this one (``-W``, ``-X``, ``-O``, …) is called."""
    command: list[str] = spawn.get_command_line()
    return [spawn.get_executable(), *command[1 : command.index("-c")]]


def _stream(handle: int) -> int | None:
    """Return what a worker gets as standard stream: that of this process, or none."""
    try:
        os.fstat(handle)
    except OSError:
        return subprocess.DEVNULL
    return None


def _tracker() -> int | None:
    """Return the pipe to the process that removes what was shared, if there is one.

    Workers must use that of their parent: a tracker of their own removes the shared memory of
    other processes when they end.
    """
    with suppress(Exception):
        return resource_tracker.getfd()
    return None
