# SPDX-License-Identifier: BSD-3-Clause
"""One task after another, in this thread: the engine every other one must agree with."""

from __future__ import annotations

from collections.abc import Iterator

from broadpeak._run.batching import Batcher
from broadpeak._run.running import run_unit
from broadpeak._run.task import Batch, BatchResult, TaskQueue


class SerialEngine:
    """Runs tasks in the calling thread.

    Parameters
    ----------
    n_workers : int
        Taken for the sake of the protocol; there is one worker.
    """

    def __init__(self, n_workers: int = 1) -> None:
        del n_workers
        self.n_workers = 1

    def run(self, source: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        """Yield the report of every unit, in order."""
        # Units grow with what fits a moment, so that progress moves on and Ctrl-C is seen.
        batcher = Batcher(n_workers=1)
        while (unit := source.take(batcher.size(source.n_left), lazy=True)) is not None:
            report = run_unit(unit)
            batcher.record(len(report.values), report.seconds)
            yield unit, report
