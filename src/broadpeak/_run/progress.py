# SPDX-License-Identifier: BSD-3-Clause
"""The progress bar of a run: counts calls as they end, in a terminal and in a notebook."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from typing import Any, Final

from tqdm.auto import tqdm

from broadpeak.types import Keywords

_SILENT_SECONDS = 0.5
_IS_NOTEBOOK: Final = any(base.__module__ == "tqdm.notebook" for base in tqdm.__mro__)

# The monitor of tqdm would be a thread beside ours: an engine that forks wants none.
_Tqdm: Any = type("_Tqdm", (tqdm,), {"monitor_interval": 0})


def progress_bar(
    total: int | None, show: bool | None, options: Keywords | None, depth: int
) -> ProgressBar | None:
    """Return the bar of a run of `total` calls; None if none is to be shown.

    With `show` None it is shown only on a terminal or in a notebook, and not inside another run,
    which `depth` counts.
    """
    if not is_shown(show, options, depth):
        return None
    return ProgressBar(total, options or {})


def is_shown(show: bool | None, options: Keywords | None, depth: int) -> bool:
    """Return whether there is to be a bar, as `progress_bar` decides it."""
    if show is None:
        show = depth == 0 and is_watched()
    return show and (_has_stream() or "file" in (options or {}))


def is_watched() -> bool:
    """Return whether somebody is likely to see a bar."""
    stream: Any = sys.stderr  # None where a program has no console
    is_open = stream is not None and not getattr(stream, "closed", False)
    return _IS_NOTEBOOK or (is_open and bool(stream.isatty()))


class ProgressBar:
    """Shows how many calls are done; silent for the first half second.

    Parameters
    ----------
    total : int, optional
        Number of calls, if known.
    options : mapping
        Passed to tqdm, over the defaults.
    """

    def __init__(self, total: int | None, options: Keywords) -> None:
        self._bar: Any = None
        self._failed = 0
        with self._without_ending_the_run():
            self._bar = _Tqdm(
                **{
                    "total": total,
                    "unit": "call",
                    "delay": _SILENT_SECONDS,
                    "dynamic_ncols": True,
                    "miniters": 1,
                    # Calls end in bursts: only the average tells the time that is left.
                    "smoothing": 0,
                    **options,
                }
            )

    def close(self) -> None:
        """Stop updating the bar; what it shows stays."""
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

    def set_total(self, total: int | None) -> None:
        """Correct the number of calls; it is never less than what was counted."""
        bar = self._bar
        if bar is None:
            return
        bar.total = None if total is None else max(total, bar.n)
        widgets: Any = getattr(getattr(bar, "container", None), "children", ())
        if len(widgets) > 1 and bar.total:  # of a notebook, which draws the bar itself
            widgets[1].max = bar.total

    def describe(self, text: str) -> None:
        """Put `text` before the bar, from the next time it is drawn."""
        if self._bar is not None:
            self._bar.set_description(text, refresh=False)

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
