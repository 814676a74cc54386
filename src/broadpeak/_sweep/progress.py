# SPDX-License-Identifier: BSD-3-Clause
"""The progress bar of a run: counts calls as they end, in a terminal and in a notebook."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import UnsupportedOperation
from types import TracebackType
from typing import Any

from tqdm.auto import tqdm

_SILENT_SECONDS = 0.5


# The monitor of tqdm would be a thread beside ours: an engine that forks wants none.
_Bar: Any = type("_Bar", (tqdm,), {"monitor_interval": 0})


class ProgressBar:
    """Shows how many calls are done; silent for the first half second.

    Parameters
    ----------
    total : int, optional
        Number of calls, if known.
    show : bool, optional
        None: only on a terminal or in a notebook, and not inside of another run.
    options : mapping, optional
        Passed to tqdm, over the defaults.
    is_nested : bool
        Whether this run is inside of another.
    """

    def __init__(
        self,
        total: int | None,
        *,
        show: bool | None = None,
        options: Mapping[str, Any] | None = None,
        is_nested: bool = False,
    ) -> None:
        if show is None:
            show = not is_nested and is_watched()
        if not _has_stream() and "file" not in (options or {}):
            show = False  # nobody can see it
        self._bar: Any = None
        self._options = {
            "total": total,
            "unit": "call",
            "delay": _SILENT_SECONDS,
            "dynamic_ncols": True,
            "miniters": 1,
            "smoothing": 0,  # calls end in bursts: only the average tells the time that is left
            **(options or {}),
        }
        self._show = show
        self._failed = 0

    def __enter__(self) -> ProgressBar:
        if self._show:
            with self._without_ending_the_run():
                self._bar = _Bar(**self._options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            with self._without_ending_the_run():
                self._bar.close()

    def update(self, n: int, failed: int = 0) -> None:
        """Note that `n` more calls ended, `failed` of them without a result."""
        if self._bar is None:
            return
        with self._without_ending_the_run():
            if failed:
                self._failed += failed
                self._bar.set_postfix(failed=self._failed, refresh=False)
            self._bar.update(n)

    @contextmanager
    def _without_ending_the_run(self) -> Iterator[None]:
        """Go on without a bar where it cannot be written: its stream is closed, or a pipe broke."""
        try:
            yield
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) and "closed" not in str(error):
                raise
            bar, self._bar = self._bar, None
            if bar is not None:
                bar.disable = True  # it would write once more when it is collected


def is_watched() -> bool:
    """Return whether somebody is likely to see a progress bar."""
    in_notebook = any(base.__module__ == "tqdm.notebook" for base in tqdm.__mro__)
    return in_notebook or (_has_stream() and sys.stderr.isatty())


def _has_stream() -> bool:
    """Return whether there is a standard error to write to, also below what Python knows of it."""
    if sys.stderr is None or getattr(sys.stderr, "closed", False):
        return False
    try:
        os.fstat(sys.stderr.fileno())
    except (AttributeError, UnsupportedOperation):  # a stream without a file, as in notebooks
        return True
    except OSError:
        return False
    return True
