# SPDX-License-Identifier: BSD-3-Clause
"""Metrics of columns that are kept as they come: neither columns nor their labels are held."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index
from broadpeak._metrics._kernels.summary import SUMMARY
from broadpeak._metrics.formulas import METRICS
from broadpeak._run.keeping import Best, Bins, add_many, finished
from broadpeak._simulation.plans import Floor
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, FloatArray, IntArray, Reducer

Block: TypeAlias = tuple[IntArray, AnyArray]
"""Positions of columns, and their summaries (dtype `SUMMARY`)."""

_SLACK = 1e-9
"""Share by which a floor is lowered, so that its own rounding drops no column."""


@dataclass(frozen=True)
class KeptMetrics:
    """What is kept of some metrics.

    Attributes
    ----------
    names : sequence of str
        The metrics of the result.
    alone : bool
        Whether one was asked for by its name, so that a reducer gets numbers.
    keep : Reducer
    by : str or None
        The metric that is compared or counted; None where a reducer gets them all.
    """

    names: Sequence[str]
    alone: bool
    keep: Reducer
    by: str | None

    @classmethod
    def of(cls, names: Sequence[str], keep: Reducer, *, alone: bool) -> KeptMetrics:
        """Return what is to be kept, checked.

        Raises
        ------
        ParamError
            If it is not said which of several metrics is compared, or that is unknown.
        """
        by = keep.by if isinstance(keep, (Best, Bins)) else None
        if isinstance(keep, (Best, Bins)) and by is None:
            if len(names) != 1:
                spelling = repr(keep).replace(")", f", by={(names or ['sharpe_ratio'])[0]!r})")
                rule = "say which metric is compared"
                raise ParamError(broken_rule("keep", rule, keep, f"Type: keep=bp.{spelling}"))
            by = names[0]
        if by is not None and by not in METRICS:
            hint = check.did_you_mean(by, METRICS) or f"Known names: {', '.join(METRICS)}."
            raise ParamError(broken_rule("by", "be the name of a metric", by, hint))
        return cls(names, alone, keep, by)

    @property
    def needed(self) -> Sequence[str]:
        """The metrics that are computed."""
        if isinstance(self.keep, Bins) and self.by is not None:
            return (self.by,)
        if self.by is None or self.by in self.names:
            return self.names
        return (self.by, *self.names)

    def floor(self, starts: FloatArray) -> Floor | None:
        """Return what the simulation may leave out; None where nothing can be."""
        if not isinstance(self.keep, Best):
            return None
        best = "high" if self.keep.largest else "low"
        if self.by == "sharpe_ratio":
            return Floor("sharpe", best)
        if self.by == "total_return" and (starts == starts[0]).all():
            return Floor("end", best)
        return None

    def run(
        self,
        blocks: Iterable[Block],
        per_year: Callable[[AnyArray], FloatArray],
        labels: Callable[[IntArray], Index],
        floor: Floor | None,
    ) -> Any:
        """Return what is left of all blocks."""
        state = self.state(blocks, per_year, floor)
        if not isinstance(self.keep, Best):
            return finished(self.keep, state, labels)
        if not state.results:
            empty = np.zeros(0, dtype=SUMMARY)
            nothing = {name: METRICS[name].formula(empty, np.zeros(0)) for name in self.names}
            return pd.DataFrame(nothing, index=labels(state.positions))
        return pd.DataFrame(state.results, index=labels(state.positions))[list(self.names)]

    def state(
        self,
        blocks: Iterable[Block],
        per_year: Callable[[AnyArray], FloatArray],
        floor: Floor | None,
    ) -> Any:
        """Return the state of the reducer after all blocks; of `Best`, whose results are dicts."""
        keep, by = self.keep, self.by
        state: Any = keep.start()
        annual = any(METRICS[name].annual for name in self.needed)
        for positions, rows in blocks:
            if not len(rows):
                continue
            years = per_year(rows) if annual else np.full(len(rows), math.nan)
            if isinstance(keep, Best) and by is not None:
                # Most columns are worse than those that are kept: one metric of them is enough.
                figures = METRICS[by].formula(rows, years)
                last = keep.floor(state)
                good = figures >= last if keep.largest else figures <= last
                if not good.all():
                    positions, rows, years = positions[good], rows[good], years[good]  # noqa: PLW2901
            values: Any = {name: METRICS[name].formula(rows, years) for name in self.needed}
            if self.alone and by is None:
                values = values[self.names[0]]
            if isinstance(keep, Best):
                state = Best(keep.n, by, keep.largest).add_many(state, positions, values)
                self._set(floor, keep.floor(state), years, rows)
            else:
                state = add_many(keep, state, cast("Sequence[int]", positions), values)
        return state

    def _set(self, floor: Floor | None, last: float, years: FloatArray, rows: AnyArray) -> None:
        """Tell the simulation what need not come any more."""
        if floor is None or not len(rows) or not math.isfinite(last):
            return
        if floor.figure == "sharpe":
            bound = last / math.sqrt(years[0])
        else:
            bound = (last + 1.0) * float(rows["start"][0])
        slack = _SLACK * max(abs(bound), 1e-300)
        floor.bound = bound - slack if floor.best == "high" else bound + slack
