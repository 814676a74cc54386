# SPDX-License-Identifier: BSD-3-Clause
"""The result of a walk-forward run."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from broadpeak._core import check, drawing
from broadpeak._core.arrays import user_copy
from broadpeak._core.filenames import file_stem
from broadpeak._data.data import Data
from broadpeak._metrics.formulas import is_zero
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._run.carried import Travelling
from broadpeak._store.provenance import CycleOfRun, Provenance
from broadpeak._training.meanings import objective_meaning
from broadpeak._training.objective import objective_name
from broadpeak._training.result import StepCurve, Training
from broadpeak._training.sizing import OF_MONEY
from broadpeak._training.strategy import Strategy
from broadpeak._validation.verdict import Verdict
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import FloatArray


def cycle_provenance(
    training: Training, number: int, settings: Mapping[str, Any], facts: Mapping[str, Any]
) -> Provenance:
    """Return where the values of a cycle come from, the first being 1.

    `settings` are those of the run, and `facts` say how its tests traded.
    """
    kind, capital = facts.get("sizing", ""), settings.get("capital")
    if kind in OF_MONEY:
        capital = facts["capital"]
    cycle = CycleOfRun(
        number=number,
        cycles=settings["cycles"],
        border=settings["border"],
        horizon=settings["horizon"],
        sizing=kind,
        capital=capital,
        whole=bool(facts.get("whole")),
    )
    return replace(training.provenance, cycle=cycle)


@dataclass(frozen=True, eq=False)
class WalkForward(Travelling):
    """The result of `walk_forward`.

    Attributes
    ----------
    cycles : DataFrame
        One row a cycle (index `number`, from 1), or a cycle and component. Columns ``train_start,
        train_end, test_start, test_end`` (labels of first and last bar; NaT or None for the last
        cycle, which has no test),
        ``in_sample`` (objective of the training), ``out_of_sample`` (the same objective of the
        test's trades at the size of the training, with no minimum number of them), ``trades``
        (closed in the test), ``net`` (profit and loss of the test's bars, marked to market at the
        borders), ``members`` (only where a cycle has an ensemble), and one column a parameter. Of
        an ensemble ``in_sample`` and ``out_of_sample`` are the weighted means of what its members
        score one by one, at full size: pooled, their trades would count as if each were another
        one. ``net`` is the sum at their weights, and parameters are those of the centre.
    table : DataFrame
        The original of the copies that `cycles` returns.
    portfolio : Portfolio
        All tests as one, from the first tested bar to the last; ``.components`` by key.
    trainings : tuple of Training
        One a cycle, in order; the last one holds the parameters to trade with.
    strategy : Strategy
    data : Data
    settings : dict
        All arguments.
    notes : tuple of str
        Warnings that it raised.
    seconds : float
        Time it took.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 10, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> wf = bp.walk_forward(momentum, bp.Data.sample("IBM"), cycles=4)
    >>> wf.cycles.index.tolist(), bool(wf.cycles["test_start"].isna().iloc[-1])
    ([1, 2, 3, 4], True)
    """

    table: pd.DataFrame
    portfolio: Portfolio
    trainings: tuple[Training, ...]
    strategy: Strategy
    data: Data
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def cycles(self) -> pd.DataFrame:
        """The table of cycles, as the class says."""
        table: pd.DataFrame = user_copy(self.table)
        return table

    @property
    def by_cycle(self) -> pd.DataFrame:
        """One row a cycle, over all components.

        ``test_start`` and ``test_end`` (first and last label of any component; missing in a cycle
        without a test), ``in_sample`` and ``out_of_sample`` (means), and ``net`` (sum).
        """
        cycles = self.table.groupby(level=0)
        return pd.DataFrame(
            {
                "test_start": cycles["test_start"].min(),
                "test_end": cycles["test_end"].max(),
                "in_sample": cycles["in_sample"].mean(),
                "out_of_sample": cycles["out_of_sample"].mean(),
                "net": cycles["net"].sum(min_count=1),
            }
        )

    @property
    def name(self) -> str:
        """Name of the strategy."""
        return self.strategy.name

    @property
    def objective_name(self) -> str:
        """What was maximised."""
        return objective_name(self.settings.get("objective", "objective"))

    @property
    def objective_meaning(self) -> str:
        """What the objective measures, in a few words; empty for a function without a docstring."""
        return objective_meaning(self.settings.get("objective", ""))

    @property
    def params(self) -> dict[str, dict[str, float]]:
        """Values of the last training: those to trade with; of an ensemble its centre."""
        return self.trainings[-1].params

    @property
    def provenance(self) -> Provenance:
        """Where the values of the last training come from, and how the tests traded."""
        return self._provenance_of(len(self.trainings))

    def _provenance_of(self, number: int) -> Provenance:
        """Return where the values of a cycle come from, the first being 1."""
        facts = self.portfolio.facts
        return cycle_provenance(self.trainings[number - 1], number, self.settings, facts)

    @property
    def held(self) -> Portfolio:
        """The same symbols, bought at the first tested bar and held to the last one.

        ``portfolio.held``: what the strategy is held against.
        """
        return cast("Portfolio", self.portfolio.held)  # there is one for every strategy run

    @property
    def stats(self) -> pd.Series[Any]:
        """Metrics of the cycles, then those of the stitched portfolio (`Portfolio.stats`).

        ``efficiency`` is the mean objective out of sample over the mean objective in sample, both
        of the cycles that were tested.
        """
        stats: pd.Series[Any] = user_copy(self._stats)
        return stats

    @cached_property
    def _stats(self) -> pd.Series[Any]:
        tested = self.table[self.table["test_start"].notna()]
        inside, outside = tested["in_sample"].mean(), tested["out_of_sample"].mean()
        no_score = is_zero(inside, tested["in_sample"].abs().max())
        metrics = {
            "cycles": len(self.trainings),
            "tested_cycles": tested.index.get_level_values(0).nunique(),
            "profitable_cycles": int((tested.groupby(level=0)["net"].sum() > 0).sum()),
            "in_sample": inside,
            "out_of_sample": outside,
            "efficiency": outside / inside if inside > 0 and not no_score else math.nan,
            "net": tested["net"].sum(),
        }
        rest: dict[Any, object] = dict(self.portfolio.stats().items())
        return pd.Series({**metrics, **rest}, dtype="object")

    def step_curve(self, parameter: str, component: str | None = None) -> StepCurve:
        """Return the steps of a parameter, each number the mean over all cycles.

        Parameters
        ----------
        parameter : str
            Its name.
        component : str, optional
            Key of the component; may be left out if there is only one.

        Returns
        -------
        StepCurve
            `chosen` and `score` are means too; the window reaches from the lowest to the highest
            value that a cycle chose.

        Raises
        ------
        ParamError
            If the parameter has no steps, or other ones in other cycles.
        """
        return _mean_curve([one.step_curve(parameter, component) for one in self.trainings])

    def chart(self, parameter: str | None = None, component: str | None = None) -> Any:
        """Draw the stitched equity over the cycles, or what the steps of a parameter gave.

        Parameters
        ----------
        parameter : str, optional
            Draw this parameter's chart, averaged over cycles.
        component : str, optional
            Key of the component, with a parameter; may be left out if there is only one.

        Returns
        -------
        plotly.graph_objects.Figure
        """
        if parameter is None:
            return drawing.draw("walk-forward-chart", self)
        return drawing.draw("parameter-chart", self.step_curve(parameter, component))

    def to_par(self, folder: str | Path) -> list[Path]:
        """Write one parameter file a cycle: ``name_1.par``, …; the last one is ``name.par``.

        The files say which bars their cycle was trained on and how the tests traded: `test` and
        `signals` take the folder in place of the run. In file names, underscores stand for what
        cannot be in one, such as a slash.

        Parameters
        ----------
        folder : str or Path
            Where to; it is made if it is missing.

        Returns
        -------
        list of Path
            In order of cycles. Without `retrain_last` all files are numbered.
        """
        where = check.path("folder", folder)
        stem = file_stem(self.name)
        n_cycles = self.settings["cycles"]
        return [
            replace(training.parameters(), provenance=self._provenance_of(number)).write(
                where / (f"{stem}.par" if number == n_cycles else f"{stem}_{number}.par")
            )
            for number, training in enumerate(self.trainings, 1)
        ]

    def verdict(self, **options: Any) -> Verdict:
        """Judge whether this is more than luck; see `validate`.

        Parameters
        ----------
        **options
            As of `validate`: ``alpha=``, ``n_permutations=``, ``store=``, ``engine=``, …

        Returns
        -------
        Verdict
            That with default options is kept.
        """
        found: Verdict = drawing.judge(self, **options)
        return found

    def report(self, path: str | Path, *, verdict: bool = True) -> Path:
        """Write one HTML page with everything about this run, which opens offline.

        Parameters
        ----------
        path : str or Path
            The file to write.
        verdict : bool, default True
            Put the verdict on top; it is computed unless it is known. False: the page says that the
            run was not judged.

        Returns
        -------
        Path
        """
        check.flag("verdict", verdict)
        return Path(drawing.draw("walk-forward-report", self, path=path, verdict=verdict))

    def __repr__(self) -> str:
        tested = self.table[self.table["test_start"].notna()]
        return (
            f"Walk-forward of {self.name!r}: {len(self.trainings)} cycles, {self.objective_name} "
            f"{tested['in_sample'].mean():.4g} in sample, {tested['out_of_sample'].mean():.4g} out "
            f"of sample, net {tested['net'].sum():.6g}"
        )

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(repr(self))}</b></p>{self.table.to_html()}"


def _mean_curve(curves: Sequence[StepCurve]) -> StepCurve:
    first = curves[0]
    if any(not np.array_equal(curve.values, first.values) for curve in curves):
        rule = "have the same steps in all cycles to be averaged"
        raise ParamError(broken_rule(first.parameter, rule, first.values))
    chosen = [curve.chosen for curve in curves]
    borrows = any(curve.blended is not None for curve in curves)
    return StepCurve(
        component=first.component,
        parameter=first.parameter,
        pass_number=first.pass_number,
        values=first.values,
        objective=_mean([curve.objective for curve in curves]),
        wins=_mean([curve.wins for curve in curves]),
        losses=_mean([curve.losses for curve in curves]),
        chosen=float(np.mean(chosen)),
        score=float(np.mean([curve.score for curve in curves])),
        default=first.default,
        window=(min(chosen), max(chosen)),
        at_edge=any(curve.at_edge for curve in curves),
        objective_name=first.objective_name,
        blended=_mean([curve.chosen_from for curve in curves]) if borrows else None,
        borrowed=float(np.mean([curve.borrowed for curve in curves])),
    )


def _mean(columns: Sequence[FloatArray]) -> FloatArray:
    """Return the mean over cycles at each step, NaN where no cycle has a number."""
    table = np.array(columns, dtype=np.float64)
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean: FloatArray = np.where(known, table, 0.0).sum(axis=0) / count
    return mean
