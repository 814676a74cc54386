# SPDX-License-Identifier: BSD-3-Clause
"""How calls are packed for workers: the more quickly a task ends, the more go in one piece."""

from __future__ import annotations

from joblib import cpu_count

TARGET_SECONDS = 0.05  # long against the cost of a dispatch (0.1 ms), short against patience
_GROWTH = 8  # at most this much larger than the last unit: the first tasks may not be typical
_LARGEST = 100_000


def core_count() -> int:
    """Return how many cores this process may use, with affinity and container limits.

    Examples
    --------
    >>> core_count() >= 1
    True
    """
    return int(cpu_count())


class Batcher:
    """Chooses the size of the next unit from how long the last ones took.

    Parameters
    ----------
    n_workers : int
        How many share the rest of the tasks.

    Examples
    --------
    >>> batcher = Batcher(n_workers=2)
    >>> batcher.size(None)
    1
    >>> batcher.record(1, seconds=1e-6)
    >>> batcher.size(None), batcher.size(10)
    (8, 3)
    """

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers
        self._size = 1
        self.seconds = float("inf")  # of the last unit

    def record(self, n_tasks: int, seconds: float) -> None:
        """Note that a unit of `n_tasks` took `seconds`."""
        if n_tasks < 1:
            return
        self.seconds = seconds
        fitting = TARGET_SECONDS * n_tasks / max(seconds, 1e-9)
        # A late report of a small unit must not undo what larger ones have shown since.
        largest = max(_GROWTH * n_tasks, self._size)
        self._size = max(1, min(int(fitting), largest, _LARGEST))

    def size(self, n_left: int | None) -> int:
        """Return how many tasks the next unit should have, `n_left` being left (None: unknown)."""
        if n_left is None or self._n_workers == 1:
            return self._size
        share = -(-n_left // (2 * self._n_workers))  # guided: the last units are small
        return max(1, min(self._size, share))
