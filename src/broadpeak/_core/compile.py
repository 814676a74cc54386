# SPDX-License-Identifier: BSD-3-Clause
"""The one place where Numba is used: `kernel` compiles a plain loop.

Kernels take positional float64, int64 and bool arrays and scalars, touch no Python objects and
release the GIL. None is parallel inside: parallelism belongs to the engines. The plain Python
function stays reachable as ``kernel.py_func``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numba.core.event as numba_events
from numba.core.registry import CPUDispatcher

from broadpeak._core import env, stopping
from broadpeak._core.stopping import Unstopped, here

P = ParamSpec("P")
R = TypeVar("R")


def kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile `func` in nopython mode, without the GIL, cached on disk; division as in NumPy."""
    compiled = numba.njit(nogil=True, cache=env.numba_cache(), error_model="numpy")(func)
    if env.numba_cache() and not _follow_all_kernels(compiled):
        compiled = numba.njit(nogil=True, error_model="numpy")(func)
    if isinstance(compiled, CPUDispatcher):  # with NUMBA_DISABLE_JIT it is the plain function
        _kernels.append(compiled)
        if stopping.is_possible:
            compiled.__class__ = _UnstoppedDispatcher
    return cast("Callable[P, R]", compiled)


class _UnstoppedDispatcher(CPUDispatcher):  # type: ignore[misc]  # it has no types
    """A kernel as Python calls it: a thread is not stopped before it is back.

    Numba reads and makes named tuples by calling back into Python, and goes on where such a call
    has failed, with a pointer to nothing. Kernels become this once threads can be stopped; until
    then they are called without a step of Python in between.
    """

    def __call__(self, *arguments: object) -> object:
        """Run the compiled code."""
        if getattr(here, "stops", None) is None:
            return CPUDispatcher.__call__(self, *arguments)
        with Unstopped():
            return CPUDispatcher.__call__(self, *arguments)


_kernels: list[CPUDispatcher] = []


def _hold_stops_in_kernels() -> None:
    for compiled in _kernels:
        compiled.__class__ = _UnstoppedDispatcher


stopping.before_the_first(_hold_stops_in_kernels)


def inline_kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile `func` as `kernel` does, into every kernel that calls it.

    For steps of a few nanoseconds: numbers stay in registers, as they would not over a call. Take
    and return numbers, and tuples of them; arrays only where the body has no branch, for across
    branches Numba counts references again.
    """
    compiled = numba.njit(nogil=True, error_model="numpy", forceinline=True)(func)
    return cast("Callable[P, R]", compiled)


def _follow_all_kernels(compiled: object) -> bool:
    """Tie the cached code of a kernel to the present state of all kernels; False if that fails.

    Numba looks only at the file of the kernel itself: one that calls a kernel of another file would
    keep that one's old code when it changes. If this version of Numba keeps its stamp elsewhere,
    nothing may be cached.
    """
    cache: Any = getattr(compiled, "_cache", None)
    stored: Any = getattr(cache, "_cache_file", None)
    if not hasattr(stored, "_source_stamp"):
        return False
    stored._source_stamp = (stored._source_stamp, _state_of_kernels())  # noqa: SLF001
    cache._cache_file = _LabelledFile(stored)  # noqa: SLF001
    return True


class _LabelledFile:
    """The cache file of a kernel, whose code says what it was compiled for.

    Numba keeps an index beside the code, and writes one after the other. Two processes that compile
    a kernel at the same time, for other arguments or from another state of the sources, write their
    code to one file, and the index that is left names it as what it is not. Run like that, it reads
    arguments that were never passed.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def save(self, key: object, data: object) -> None:
        """Write code with its label."""
        self._file.save(key, (self._label(key), data))

    def load(self, key: object) -> object:
        """Return the code for `key`; None where there is none, or one with another label."""
        found = self._file.load(key)
        if isinstance(found, tuple) and len(found) == 2 and found[0] == self._label(key):
            return found[1]
        return None

    def _label(self, key: object) -> str:
        return repr((self._file._source_stamp, key))  # noqa: SLF001


class _CompilerListener(numba_events.Listener):  # type: ignore[misc]  # it has no types
    """Keeps threads that compile from being stopped, which would free parts of LLVM twice."""

    def __init__(self) -> None:
        self._here = threading.local()

    def on_start(self, event: object) -> None:
        """Hold stops; compilations are nested where a kernel calls another one."""
        block = Unstopped()
        block.__enter__()
        self._here.__dict__.setdefault("blocks", []).append(block)

    def on_end(self, event: object) -> None:
        """Let stops through again."""
        blocks = self._here.__dict__.get("blocks")
        if blocks:
            blocks.pop().__exit__(None, None, None)


numba_events.register("numba:compiler_lock", _CompilerListener())


@cache
def _state_of_kernels() -> tuple[tuple[str, int, int], ...]:
    package = Path(__file__).parents[1]
    # Beside one another, kernels read the table of stops.
    files = sorted([*package.glob("*/_kernels/*.py"), *package.glob("*/stops.py")])
    found = [(file, file.stat()) for file in files]
    return tuple((file.name, stat.st_size, stat.st_mtime_ns) for file, stat in found)
