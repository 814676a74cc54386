# SPDX-License-Identifier: BSD-3-Clause
"""The one place where Numba is used: `kernel` compiles a plain loop.

Kernels take positional float64, int64 and bool arrays and scalars, hold no Python objects, and
release the GIL. They are never parallel inside: parallelism belongs to engines. The plain Python
version stays reachable as ``kernel.py_func``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

from broadpeak._core import env

P = ParamSpec("P")
R = TypeVar("R")


def kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile `func` in nopython mode, without the GIL, cached on disk; division as in NumPy."""
    compiled = numba.njit(nogil=True, cache=env.numba_cache(), error_model="numpy")(func)
    return cast("Callable[P, R]", compiled)
