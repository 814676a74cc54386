# SPDX-License-Identifier: BSD-3-Clause
"""The threads of numeric libraries that a worker process has loaded before anybody limited them.

Where an interpreter is fresh, the variables of its environment are enough, and this is not loaded.
A fork has the libraries of its parent, and a worker of another library may have loaded them, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import threadpoolctl

_VARIABLES = {
    "openblas": "OPENBLAS_NUM_THREADS",
    "mkl": "MKL_NUM_THREADS",
    "blis": "BLIS_NUM_THREADS",
    "openmp": "OMP_NUM_THREADS",
}


def limit_threads(limits: Mapping[str, str]) -> None:
    """Let numeric libraries have as many threads in this process as `limits` says by variable.

    Those that are not loaded yet will read it. Numba keeps the number by thread: that of the thread
    which calls this is set.
    """
    os.environ.update(limits)
    numba = sys.modules.get("numba")
    if numba is not None:
        with suppress(Exception):  # without a threading layer there are no threads
            _limit_numba(numba, _number(limits["NUMBA_NUM_THREADS"]))
    # Afterwards, for Numba may have loaded OpenMP just now, with all threads.
    loaded = threadpoolctl.ThreadpoolController()
    for library, variable in _VARIABLES.items():
        loaded.select(internal_api=library).limit(limits=_number(limits[variable]))


def _limit_numba(numba: Any, n_threads: int) -> None:
    """Let Numba have `n_threads`, also in code that it compiles later."""
    try:
        numba.core.config.reload_config()
    except RuntimeError:
        # Its threads were launched before the fork, and their number stays. It reads the variable
        # at every compilation, and refuses all functions while that says something else.
        os.environ["NUMBA_NUM_THREADS"] = str(numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))


def _number(text: str) -> int:
    first = text.split(",", maxsplit=1)[0].strip()  # OpenMP allows one number a level
    return max(int(first), 1) if first.isdecimal() else 1
