# SPDX-License-Identifier: BSD-3-Clause
"""The caches of the library: each registers here, so that `flush` can empty all of them."""

from __future__ import annotations

import gc
from collections.abc import Callable

_clearers: list[Callable[[], None]] = []


def register(clear: Callable[[], None]) -> None:
    """Have `flush` call `clear`."""
    _clearers.append(clear)


def flush() -> None:
    """Empty the caches of the library and collect garbage.

    Examples
    --------
    >>> flush()
    """
    for clear in _clearers:
        clear()
    gc.collect()
