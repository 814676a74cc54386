# SPDX-License-Identifier: BSD-3-Clause
"""Several processes on one stored run: how much each claims, how they wait, what errors say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter, sleep
from typing import TypeVar

from broadpeak.errors import StoreError

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5  # seconds between looks at what others have done

T = TypeVar("T")


class ClaimSize:
    """How many tasks to claim at a time: those that take a moment, as the last ones show.

    Parameters
    ----------
    seconds : float
        That moment: long against a claim, and short for who waits for the tasks.
    growth : int
        At most so much larger than the last claim.

    Attributes
    ----------
    size : int
        How many were asked for last.
    n_granted : int
        How many of them were granted, to be set by who claims.
    """

    def __init__(self, seconds: float, growth: int) -> None:
        self._seconds, self._growth = seconds, growth
        self.size, self.n_granted, self._since = 1, 0, perf_counter()

    def next(self) -> int:
        """Return how many to ask for now, when the last ones have been given out."""
        now = perf_counter()
        fitting = self.n_granted * self._seconds / max(now - self._since, 1e-6)
        self._since = now
        self.size = max(1, min(int(fitting), self._growth * self.size))
        return self.size


def awaited(look: Callable[[], T | None]) -> T:
    """Return what `look` finds; it is asked again and again until it finds something."""
    pause = _SHORTEST_PAUSE
    while (found := look()) is None:
        sleep(pause)
        pause = min(_LONGEST_PAUSE, 1.5 * pause)
    return found


@contextmanager
def counting(n_kept: Callable[[], int], n_tasks: int) -> Iterator[None]:
    """Let errors of the store say how much of the run it holds."""
    try:
        yield
    except StoreError as error:
        msg = f"{error} {n_kept():,} of {n_tasks:,} results of this run had been kept."
        raise StoreError(msg) from error
