# SPDX-License-Identifier: BSD-3-Clause
"""Which evaluator runs a simulation, and why; what a stream of summaries may leave out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Which evaluator runs, and why."""

    evaluator: str
    why: str

    def __str__(self) -> str:
        return f"{self.evaluator}: {self.why}"


@dataclass(slots=True)
class Floor:
    """What need not be streamed: rows that are certainly worse than `bound`."""

    figure: str
    best: str = "high"
    bound: float | None = None
