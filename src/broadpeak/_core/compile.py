# SPDX-License-Identifier: BSD-3-Clause
"""The one place where Numba is used: `kernel` compiles a plain loop.

Kernels take positional float64, int64 and bool arrays and scalars, hold no Python objects, and
release the GIL. They are never parallel inside: parallelism belongs to engines. The plain Python
version stays reachable as ``kernel.py_func``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

from broadpeak._core import env

P = ParamSpec("P")
R = TypeVar("R")


def kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile `func` in nopython mode, without the GIL, cached on disk; division as in NumPy."""
    compiled = numba.njit(nogil=True, cache=env.numba_cache(), error_model="numpy")(func)
    if env.numba_cache() and not _follow_all_kernels(compiled):
        compiled = numba.njit(nogil=True, error_model="numpy")(func)
    return cast("Callable[P, R]", compiled)


def inline_kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile `func` as `kernel` does, into every kernel that calls it.

    For steps of a few nanoseconds: numbers stay in registers, as they would not over a call. Take
    and return numbers, and tuples of them; arrays only where the body has no branch, for across
    branches Numba counts references again.
    """
    compiled = numba.njit(nogil=True, error_model="numpy", forceinline=True)(func)
    return cast("Callable[P, R]", compiled)


def _follow_all_kernels(compiled: Any) -> bool:
    """Let the cached code of a kernel be good for the present state of all kernels only.

    Numba goes by the file of the kernel itself, so that one which calls a kernel of another file
    would keep that one's old code. False if this Numba stores its stamp elsewhere: then nothing
    may be cached.
    """
    stored: Any = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if not hasattr(stored, "_source_stamp"):
        return False
    stored._source_stamp = (stored._source_stamp, _state_of_kernels())  # noqa: SLF001
    return True


@cache
def _state_of_kernels() -> tuple[tuple[str, int, int], ...]:
    package = Path(__file__).parents[1]
    # Beside one another, kernels read the table of stops.
    files = sorted([*package.glob("*/_kernels/*.py"), *package.glob("*/stops.py")])
    found = [(file, file.stat()) for file in files]
    return tuple((file.name, stat.st_size, stat.st_mtime_ns) for file, stat in found)
