# SPDX-License-Identifier: BSD-3-Clause
"""Every environment variable the library reads."""

from __future__ import annotations

import os


def numba_cache() -> bool:
    """Return whether compiled kernels are kept on disk (``BROADPEAK_NUMBA_CACHE``, default on)."""
    return os.environ.get("BROADPEAK_NUMBA_CACHE", "1") != "0"
