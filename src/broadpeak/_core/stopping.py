# SPDX-License-Identifier: BSD-3-Clause
"""Ending a thread from outside, only where it can bear it: inside code of the user.

CPython can make another thread raise an exception at its next step, wherever that is. In the middle
of our own code it would leave a file open, or a lock held; in the middle of a compilation an object
that is freed twice. So a thread says where it may be stopped, and elsewhere is only told to end.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from types import TracebackType

here = threading.local()
"""`here.stops`: by what the calling thread can be stopped, where somebody may do that."""


is_possible = False
"""Whether there may be a thread that can be stopped."""

_preparations: list[Callable[[], None]] = []


def before_the_first(prepare: Callable[[], None]) -> None:
    """Have `prepare` called before there is a thread that can be stopped."""
    _preparations.append(prepare)


def _make_possible() -> None:
    global is_possible  # noqa: PLW0603  # it is one for the process
    if not is_possible:
        is_possible = True
        for prepare in _preparations:
            prepare()


class TaskStopped(BaseException):
    """Raised inside a thread whose result is no longer awaited."""


class Stops:
    """Lets one thread be stopped, while it is open to that.

    Made for a thread before it starts; the thread itself calls `adopt`.
    """

    __slots__ = ("_ident", "_inner", "_is_open", "_is_sent", "_lock", "is_asked")

    def __init__(self) -> None:
        _make_possible()
        self._lock = threading.Lock()
        self._ident = 0
        self._is_open = False
        self._is_sent = False
        self._inner: Stops | None = None
        self.is_asked = False

    def adopt(self) -> None:
        """Say that the calling thread is the one to be stopped."""
        self._ident = threading.get_ident()
        here.stops = self

    def stop(self) -> None:
        """Make the thread raise `TaskStopped` at its next step in Python code of the user.

        Code that is in C (a compiled kernel, a long `sum`) reaches its next step only when it
        returns, and until then goes on in the background; that is why threads are daemons, so that
        the program at least can end.
        """
        with self._lock:
            self.is_asked = True
            inner = self._inner
            if self._is_open:
                self._send()
        if inner is not None:
            inner.stop()

    def pass_on(self, inner: Stops | None) -> None:
        """Stop `inner`, too, from now on: the thread that this one waits for."""
        with self._lock:
            self._inner = inner
            is_late = self.is_asked
        if is_late and inner is not None:
            inner.stop()

    def open(self) -> None:
        """Enter code of the user; the thread may be stopped from here on.

        Raises
        ------
        TaskStopped
            If that was asked for while it was closed. It comes at one of the next steps.
        """
        with self._lock:
            self._is_open = True
            if self.is_asked:
                self._send()

    def close(self) -> bool:
        """Leave code of the user; return whether the thread was open.

        A stop that was sent arrives here, if it has not before: `is_asked` remembers it.
        """
        was_open = self._is_open
        while True:
            try:
                with self._lock:
                    self._is_open = False
                    if not self._is_sent:
                        return was_open
                # It cannot be taken back: up to Python 3.12 the interpreter would look for it for
                # ever, and hang under a profiler. Nor is it known whether it has arrived, since the
                # user's code may have caught it. Sent once more it replaces one on the way.
                self._send()
                while True:
                    pass
            except TaskStopped:
                self._is_sent = False

    def _send(self) -> None:
        # The call that CPython documents for this purpose; no other interpreter needs to have it.
        self._is_sent = True
        target = ctypes.c_ulong(self._ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(TaskStopped))


class Unstopped:
    """A block of our own inside code of the user: a stop waits until it has ended."""

    __slots__ = ("_stops", "_was_open")

    def __enter__(self) -> None:
        self._stops: Stops | None = getattr(here, "stops", None)
        self._was_open = self._stops is not None and self._stops.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._was_open and self._stops is not None:
            self._stops.open()
