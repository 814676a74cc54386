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
