# SPDX-License-Identifier: BSD-3-Clause
"""What holds while worker processes start: limits of threads, no main script, no Ctrl-C.

And what is said where they, or the library that has them, cannot.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager
from types import ModuleType

from broadpeak._core import env
from broadpeak.errors import BroadpeakError, EngineError, described

_THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

_starting = threading.Lock()


def _renew_lock() -> None:
    """Make a new lock in a forked worker, in which the old one is held for ever."""
    global _starting  # noqa: PLW0603  # one a process
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def thread_limits(threads: int | None = None) -> dict[str, str]:
    """Return the variables that limit the threads of numeric libraries in a worker.

    Default: what the environment says for the library, or for all by ``OMP_NUM_THREADS``, else 1.
    """
    said = env.most_threads()
    default = 1 if said == float("inf") else int(said)
    return {name: str(threads or os.environ.get(name) or default) for name in _THREAD_LIMITS}


@contextmanager
def starting(limits: Mapping[str, str], *, by_library: bool) -> Iterator[None]:
    """Start processes inside, one thread of the program after another.

    Parameters
    ----------
    limits : mapping
        Variables that the processes are to read.
    by_library : bool
        `multiprocessing` or its like starts them: they take the variables of this process, and
        would import the main script.
    """
    with ExitStack() as stack:
        stack.enter_context(_starting)
        stack.enter_context(no_interrupt())
        if by_library:
            stack.enter_context(environment(limits))
            stack.enter_context(_without_main())
            stack.enter_context(_quiet_forks())
        yield


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables while a process starts, which reads them before it loads anything."""
    if "numba" in sys.modules:
        # It reads them at every compilation, in any thread of this program, and refuses to compile
        # once it has other threads. Workers set them themselves.
        values = {name: value for name, value in values.items() if not name.startswith("NUMBA_")}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_main() -> Iterator[None]:
    """Start processes that do not import the main script.

    Its functions and classes travel by value, so nothing needs the import, and a script without
    ``if __name__ == "__main__":`` would start itself again in every worker. `multiprocessing` looks
    up the file of the main module; while a process starts, an empty module stands in its place, as
    it does when `runpy` runs a module. Other threads see that, too. Few look up the main module by
    name, though, and the default start method needs none of this.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _quiet_forks() -> Iterator[None]:
    """Fork without the warning that there are threads: who chose "fork" knows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)
        yield


@contextmanager
def no_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back: the new process inherits that until it has its own way to ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def never_began(times: int = 1) -> EngineError:
    """Return the error of workers that ended before their first task, so many `times`."""
    often = "" if times == 1 else f", {times} times in a row"
    return EngineError(
        f"Worker processes must start, but they ended before they began with a task{often}. What "
        "they printed says why; engine='threadpool' or 'serial' runs without processes."
    )


def cannot_run(library: str, error: BaseException) -> EngineError:
    """Return the error of an engine whose library raised `error`."""
    return EngineError(
        f"{library} must be able to run here, but it raised {described(error).rstrip('.')}. "
        "Correct engine_options, or pass engine='processpool', 'threadpool' or 'serial'."
    )


class ErrorsOf:
    """Turns errors of a library itself into an `EngineError`; errors of tasks never come here."""

    def __init__(self, library: str) -> None:
        self._library = library

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        is_ours = isinstance(error, (BroadpeakError, BrokenExecutor))
        if isinstance(error, Exception) and not is_ours:
            raise cannot_run(self._library, error) from error
