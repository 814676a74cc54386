# SPDX-License-Identifier: BSD-3-Clause
"""How a summary is found, and what may be left out of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from broadpeak.types import AnyArray, BoolArray

_ROUNDING = 1e-9


class Plan(NamedTuple):
    """Which evaluator finds the summary of a simulation.

    Attributes
    ----------
    evaluator : "crossings", "events" or "dense"
        From the bars of crossings alone; from order to order; bar by bar.
    why : str
        What of the description decided it, in a sentence.
    """

    evaluator: str
    why: str

    def __str__(self) -> str:
        return f"{self.evaluator}: {self.why}"


@dataclass(slots=True)
class Floor:
    """What a row must reach to be worth keeping; its holder may move `bound` at any time.

    Attributes
    ----------
    figure : "sharpe" or "end"
        Mean over standard deviation (ddof 1) of bar returns, per bar; or the end value, in money.
    best : "high" or "low"
        Whether rows below the bound, or those above it, may be left out.
    bound : float or None
        None: nothing is left out.
    """

    figure: str
    best: str = "high"
    bound: float | None = None

    def reached_by(self, summary: AnyArray) -> BoolArray:
        """Return which summaries may reach the bound, rounding included."""
        if self.bound is None:
            return np.ones(len(summary), np.bool_)
        found = summary["end"]
        if self.figure == "sharpe":
            found = summary["mean"] / np.where(summary["std"] > 0.0, summary["std"], np.nan)
        room = abs(self.bound) * _ROUNDING
        near = found <= self.bound + room if self.best == "low" else found >= self.bound - room
        return np.asarray(near)
