# SPDX-License-Identifier: BSD-3-Clause
"""Every environment variable that the library reads."""

from __future__ import annotations

import os
from pathlib import Path


def numba_cache() -> bool:
    """Return whether compiled kernels are kept on disk (``BROADPEAK_NUMBA_CACHE``, default on)."""
    return os.environ.get("BROADPEAK_NUMBA_CACHE", "1") != "0"


def cache_folder() -> Path:
    """Return the folder of unfinished runs (``BROADPEAK_CACHE``, else the user's cache folder)."""
    folder = os.environ.get("BROADPEAK_CACHE")
    if folder:
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base) / "broadpeak" if base else Path.home() / ".cache" / "broadpeak"


def most_cores() -> float:
    """Return how many cores may be used at most (``LOKY_MAX_CPU_COUNT``), inf without a limit."""
    return _positive("LOKY_MAX_CPU_COUNT")


def most_threads() -> float:
    """Return how many threads numeric libraries may have at most, inf where nothing is said.

    ``OMP_NUM_THREADS``, which every one of them reads; worker processes are started with it.
    """
    return _positive("OMP_NUM_THREADS")


def _positive(name: str) -> float:
    value = os.environ.get(name, "").split(",")[0].strip()  # OpenMP allows one number a level
    return float(max(int(value), 1)) if value.isdecimal() else float("inf")
