# SPDX-License-Identifier: BSD-3-Clause
"""Processes whose standard streams are closed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_FIRST_FREE = 3  # below are the standard streams


@contextmanager
def streams_taken() -> Iterator[None]:
    """Let nothing that is opened inside have the number of a standard stream.

    Where this process has closed its streams, their numbers are free, and what has one of them is
    taken for a stream, here and in processes that are started.
    """
    handles: list[int] = []
    try:
        with suppress(OSError):
            while not handles or handles[-1] < _FIRST_FREE:
                handles.append(os.open(os.devnull, os.O_RDWR))
        yield
    finally:
        for handle in handles:
            os.close(handle)
