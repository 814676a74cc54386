# SPDX-License-Identifier: BSD-3-Clause
"""One task after another, in this thread: the engine every other one must agree with."""

from __future__ import annotations

from collections.abc import Iterator

from broadpeak.engines.base import Report, Source, Unit
from broadpeak.engines.batching import Batcher
from broadpeak.engines.running import run_unit


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

    def run(self, source: Source) -> Iterator[tuple[Unit, Report]]:
        """Yield the report of every unit, in order."""
        # Units grow with what fits a moment, so that progress moves on and Ctrl-C is seen.
        batcher = Batcher(n_workers=1)
        while (unit := source.take(batcher.size(source.n_left), lazy=True)) is not None:
            report = run_unit(unit)
            batcher.record(len(report.values), report.seconds)
            yield unit, report
