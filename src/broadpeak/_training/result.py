# SPDX-License-Identifier: BSD-3-Clause
"""What a training found: `Training`, its components, and the steps that led there."""

from __future__ import annotations

import datetime as dt
import html
import itertools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check, drawing
from broadpeak._core.arrays import user_copy
from broadpeak._core.files import writing
from broadpeak._core.versions import VERSIONS
from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._run.carried import Travelling
from broadpeak._search.protocol import SearchStep
from broadpeak._search.searchspace import Dimension
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._store.par import ComponentParameters, Member, Parameters, ParRange
from broadpeak._store.provenance import Provenance
from broadpeak._training.backtests import Backtests, run_backtests
from broadpeak._training.components import bars_of, per_asset
from broadpeak._training.evaluation import (
    ALL_COMPONENTS,
    BLENDED,
    RESULT_COLUMNS,
    TRIAL_COLUMNS,
    Evaluation,
)
from broadpeak._training.fits import FittedModels, no_models
from broadpeak._training.insample import prices_key
from broadpeak._training.meanings import objective_meaning
from broadpeak._training.objective import objective_name
from broadpeak._training.performance import FIELDS, Stats
from broadpeak._training.sizing import OF_TRADES
from broadpeak._training.strategy import Strategy
from broadpeak.errors import ParamError, broken_rule
from broadpeak.types import AnyArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class StepCurve:
    """One parameter searched alone: what every step gave and what was chosen.

    Attributes
    ----------
    component, parameter : str
        Whose curve it is.
    pass_number : int
        The training pass, from 1.
    values, objective : array of float, shape (n_steps,)
        Steps, ascending, and their scores; NaN where unusable. Of a common parameter: the scores of
        all components' trades together.
    wins, losses : array of float, shape (n_steps,)
        Numbers of winning and losing trades.
    chosen, score : float
        Chosen value and the smoothed score there; the default and 0 where nothing was usable.
    default : float
        The value an untrained strategy uses.
    window : tuple of two floats, or None
        First and last step value that carried the choice.
    at_edge : bool
        The best or chosen step is the first or last of the range.
    objective_name : str
        What was maximised.
    robustness : float
        Share of its lead over the median step that the steps beside the choice keep: 0 for a lone
        spike, near 1 on a broad peak. NaN where nothing was usable.
    blended : array of float, shape (n_steps,), or None
        Where scores of other components were borrowed: what the value was chosen from.
    borrowed : float
        The share that they have in it.
    """

    component: str
    parameter: str
    pass_number: int
    values: FloatArray
    objective: FloatArray
    wins: FloatArray
    losses: FloatArray
    chosen: float
    score: float
    default: float
    window: tuple[float, float] | None
    at_edge: bool
    objective_name: str = "objective"
    robustness: float = float("nan")
    blended: FloatArray | None = None
    borrowed: float = 0.0

    @property
    def chosen_from(self) -> FloatArray:
        """Scores that the value was chosen from: `blended` where there is one, else `objective`."""
        return self.objective if self.blended is None else self.blended

    @property
    def neighbourhood(self) -> float:
        """What it was chosen from, around the chosen value; NaN where nothing is known.

        `score` if the selector smooths. Otherwise the mean over five steps, weighted
        (1, 2, 3, 2, 1), of which the ends of the range may leave fewer.
        """
        if self.window is not None:
            return float(self.score)
        scores = self.chosen_from
        usable = np.isfinite(scores)
        if not usable.any() or not np.isfinite(self.chosen):
            return float("nan")
        steps = np.arange(len(self.values)) - np.abs(self.values - self.chosen).argmin()
        weights = np.where(usable, np.maximum(3.0 - np.abs(steps), 0.0), 0.0)
        if not weights.any():
            return float("nan")
        return float(np.average(np.where(usable, scores, 0.0), weights=weights))

    @property
    def breadth(self) -> float:
        """Share that `neighbourhood` has of the highest step: near 1 on a broad peak.

        NaN where either of them is not above 0.
        """
        known = self.chosen_from[np.isfinite(self.chosen_from)]
        score = self.neighbourhood
        if len(known) == 0 or not known.max() > 0 or not score > 0:
            return float("nan")
        return float(score / known.max())

    def table(self) -> pd.DataFrame:
        """Return the steps as a frame with columns value, objective, wins and losses.

        Where scores were borrowed, `blended` stands beside `objective`.
        """
        blended = {} if self.blended is None else {"blended": self.blended}
        return pd.DataFrame(
            {
                "value": self.values,
                "objective": self.objective,
                **blended,
                "wins": self.wins,
                "losses": self.losses,
            },
            index=pd.RangeIndex(1, len(self.values) + 1, name="step"),
        )

    def __repr__(self) -> str:
        return (
            f"<steps of {self.parameter!r}, {self.component}, pass {self.pass_number}: "
            f"{len(self.values)} steps, chosen {self.chosen:.6g}, score {self.score:.4g}>"
        )


@dataclass(frozen=True, slots=True, eq=False)
class ComponentTraining:
    """What was found for one component.

    Attributes
    ----------
    key, asset, algo
        Name of the component and what it is made of.
    params : dict of str to float
        Chosen values.
    objective : float
        Score of a run with exactly these values; 0 where the defaults were kept.
    at_edge : dict of str to bool
        Whether a value's optimum lies at the end of its range: consider a wider one.
    steps : dict of str to StepCurve
        The last pass of each parameter; empty where parameters were searched together.
    curves : tuple of StepCurve
        All passes.
    usable : bool
        False: no score was above 0, and `params` are the defaults.
    dimensions : tuple of Dimension
        Default, range and step of every parameter.
    common : tuple of str
        Parameters from outside of the loop, which all components share.
    stats : Stats or None
        Everything known about the run with the chosen values.
    first, last : labels of the first and last evaluated bar.
    n_bars : int
        Evaluated bars, look-back not counted.
    n_evaluations : int
        Runs of the strategy with different values.
    seconds : float
        Time the search took.
    members : tuple of Member
        Of an ensemble: what is traded, each with `params`, `weight` and `objective` (NaN where the
        search did not evaluate it). `params` is then the centre. Empty for a single choice.
    borrowed : dict of str to float
        Share that other components have in the scores that a parameter was chosen from, in the last
        pass; empty where nothing was borrowed.
    """

    key: str
    asset: str
    algo: str | None
    params: dict[str, float]
    objective: float
    at_edge: dict[str, bool]
    steps: dict[str, StepCurve]
    curves: tuple[StepCurve, ...]
    usable: bool
    dimensions: tuple[Dimension, ...]
    common: tuple[str, ...]
    stats: Stats | None
    first: Any
    last: Any
    n_bars: int
    n_evaluations: int
    seconds: float
    members: tuple[Member, ...] = ()
    borrowed: dict[str, float] = field(default_factory=dict)

    @property
    def traded_objective(self) -> float:
        """The objective; of an ensemble the weighted mean of what its members score."""
        if not self.members:
            return self.objective
        return sum(member.weight * member.objective for member in self.members)

    @property
    def defaults(self) -> dict[str, float]:
        """Values that an untrained strategy uses."""
        return {dim.name: dim.rounded(dim.default) for dim in self.dimensions}

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value:.6g}" for name, value in self.params.items())
        n_members = len(self.members)
        more = f", {n_members} member{'' if n_members == 1 else 's'}" if n_members else ""
        return f"<{self.key}: {values} => {self.objective:.4g}{more}>"


@dataclass(frozen=True, slots=True, eq=False)
class TrialLog:
    """Raw evaluations of one component, in order; `Training.trials` is made of them.

    `blended` are the scores they were chosen by, where those of other components were borrowed.
    """

    component: str
    names: tuple[str, ...]
    trials: Sequence[tuple[SearchStep, Evaluation]]
    days: pd.Index | None = None
    day_numbers: IntArray | None = None
    blended: Sequence[float] | None = None


@dataclass(frozen=True, eq=False)
class Training(Travelling):
    """The result of `train`.

    Attributes
    ----------
    components : dict of str to ComponentTraining
        By key, ``ASSET`` or ``ASSET:ALGO``, in loop order.
    strategy : Strategy
        What was trained.
    data : Data
        What it was trained on.
    settings : dict
        All arguments of the training.
    environment : dict
        Versions of Python and of packages that results depend on, a fingerprint of the data, and
        the date of the training (UTC).
    seconds : float
        Time the whole training took.
    notes : tuple of str
        The warnings it raised.
    models : FittedModels
        What ``s.fit`` fitted, for the chosen and for the default values.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 10, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> training = bp.train(momentum, bp.Data.sample("IBM"))
    >>> list(training.params), len(training.trials)
    (['IBM'], 5)
    """

    components: dict[str, ComponentTraining]
    strategy: Strategy
    data: Data
    settings: dict[str, Any]
    environment: dict[str, str]
    seconds: float
    notes: tuple[str, ...] = ()
    logs: tuple[TrialLog, ...] = field(default=(), repr=False)
    models: FittedModels = field(default_factory=no_models, repr=False)

    @property
    def name(self) -> str:
        """Name of the strategy."""
        return self.strategy.name

    @property
    def params(self) -> dict[str, dict[str, float]]:
        """Chosen values: {component: {name: value}}; of an ensemble those of its centre."""
        return {key: dict(found.params) for key, found in self.components.items()}

    def ensemble(self, component: str | None = None) -> pd.Series[float]:
        """Return what is traded of a component: the weight of each combination.

        Parameters
        ----------
        component : str, optional
            Key of the component; may be left out if there is only one.

        Returns
        -------
        Series
            Named ``weight``, the levels of its index are the parameters; as `Selection.ensemble`.
            The weights add up to 1. A single choice is one row of weight 1.

        Examples
        --------
        >>> import broadpeak as bp
        >>> @bp.strategy(lookback=60)
        ... def momentum(s):
        ...     days = s.optimize(20, 10, 50, 10, name="days")
        ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
        ...     s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))
        >>> training = bp.train(momentum, bp.Data.sample("IBM"), select=bp.Ensemble(0.4))
        >>> training.ensemble().tolist()
        [0.5, 0.5]
        """
        found = self._component(component)
        members = found.members or (Member(found.params, 1.0, found.objective),)
        points = [[member.params[name] for member in members] for name in found.params]
        index = pd.MultiIndex.from_arrays(points, names=list(found.params))
        labels = index.get_level_values(0) if index.nlevels == 1 else index
        return pd.Series([member.weight for member in members], labels, name="weight", dtype=float)

    @property
    def objective_name(self) -> str:
        """What was maximised."""
        return objective_name(self.settings.get("objective", "objective"))

    @property
    def objective_meaning(self) -> str:
        """What the objective measures, in a few words; empty for a function without a docstring."""
        return objective_meaning(self.settings.get("objective", ""))

    @property
    def period(self) -> tuple[Any, Any]:
        """Labels of the first and the last evaluated bar, over all components."""
        found = self.components.values()
        return min(component.first for component in found), max(
            component.last for component in found
        )

    @cached_property
    def provenance(self) -> Provenance:
        """Where the values come from: what they were trained on, when and how.

        Parameter files hold it, and `test`, `signals` and pages go by it.
        """
        settings, found = self.settings, self.components.values()
        assets = [*dict.fromkeys(one.asset for one in found)]
        bars = bars_of(self.data)
        costs = per_asset("costs", settings.get("costs"), bars, NO_COSTS, Costs)
        return Provenance(
            strategy=self.name,
            period=self.period,
            costs={asset: _charged(costs[asset]) for asset in assets},
            sizing=settings.get("sizing", ""),
            capital=settings.get("capital"),
            whole=bool(settings.get("whole")),
            objective=self.objective_name,
            method=_method_text(settings),
            passes=settings.get("passes"),
            trades=sum(one.stats.num_trades if one.stats else 0 for one in found),
            version=self.environment.get("broadpeak", ""),
            prices=prices_key(bars, assets, self.period),
            date=self.environment.get("date", ""),
        )

    @property
    def portfolio(self) -> Portfolio:
        """The chosen values on all bars of `data`: ``backtests.chosen``."""
        return self.backtests.chosen

    @property
    def backtests(self) -> Backtests:
        """The chosen values beside the defaults, on all bars and on those after the training.

        The strategy runs when this is looked at for the first time; the portfolios are kept. Costs
        and sizes are those that `test` takes over from a training, for the defaults as for the
        chosen values. As in `test`, slippage counts.
        """
        strategy = self.strategy
        # Whoever changes a strategy after its training is not shown what it was before.
        basis = (
            strategy.func,
            strategy.lookback,
            strategy.unstable_period,
            strategy.fill,
            self.params,
            [found.members for found in self.components.values()],
            [self.settings.get(name) for name in ("costs", *OF_TRADES)],
        )
        kept: tuple[object, Backtests] | None = self.__dict__.get("_backtests")
        if kept is None or kept[0] != basis:
            last = self.period[1]
            kept = (
                basis,
                run_backtests(strategy, self.data, self, models=self.models, last=last),
            )
            self.__dict__["_backtests"] = kept
        return kept[1]

    def default_objective(self, component: str | None = None) -> float:
        """Return the objective of the default values; NaN unless the search evaluated them.

        Parameters
        ----------
        component : str, optional
            Key of the component; may be left out if there is only one.

        Returns
        -------
        float
        """
        found = self._component(component)
        rows = self._trials_of(found)
        for dim in found.dimensions:
            rows = rows[(rows[dim.name] - dim.default).abs() <= 1e-9 * max(1.0, abs(dim.default))]
        return float(rows["objective"].iloc[0]) if len(rows) else float("nan")

    @property
    def trials(self) -> pd.DataFrame:
        """One row per evaluation: component, pass, parameter, step, all values, and results.

        The run with the chosen values is not among them; it is in `components`. Where several
        components were scored as one, for a common parameter, the row is that of all their trades,
        and its component is ``"*"``. `objective` is what the trades of the row give; where scores
        of other components were borrowed, the score that counted is in the column `blended`.
        """
        table: pd.DataFrame = user_copy(self._trials)
        return table

    @cached_property
    def _trials(self) -> pd.DataFrame:
        frames = [_trial_frame(log) for log in self.logs]
        names = list(dict.fromkeys(name for log in self.logs for name in log.names))
        blended = [BLENDED] if any(log.blended is not None for log in self.logs) else []
        objective, *counts = RESULT_COLUMNS
        columns = [*TRIAL_COLUMNS, *names, objective, *blended, *counts, *FIELDS]
        filled = [frame for frame in frames if len(frame)]
        if not filled:
            return pd.DataFrame(columns=columns)
        return pd.concat(filled, ignore_index=True).reindex(columns=columns)

    @property
    def curves(self) -> pd.DataFrame | None:
        """Profit and loss of each day, one row an evaluation, labelled as the rows of `trials`.

        None unless trained with ``curves=True``. Days on which a component has no bar hold 0.
        """
        return None if self._curves is None else user_copy(self._curves)

    @cached_property
    def _curves(self) -> pd.DataFrame | None:
        if not self.settings.get("curves"):
            return None
        frames = [_curve_frame(log) for log in self.logs]
        joined = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        return joined.reindex(columns=joined.columns.sort_values()).fillna(0.0)

    def parameters(self) -> Parameters:
        """Return the chosen values as what a `.par` file holds."""
        lines = {key: _line(found) for key, found in self.components.items()}
        return Parameters(lines, self.strategy.name, self.provenance)

    def to_par(self, path: str | Path) -> Path:
        """Write the chosen values to a parameter file, with their provenance in comments.

        Parameters
        ----------
        path : str or Path
            Where to; an existing file is replaced.

        Returns
        -------
        Path
        """
        return self.parameters().write(path)

    def to_csv(self, path: str | Path) -> Path:
        """Write `trials` to a CSV file and return its path."""
        with writing(path) as target:
            self.trials.to_csv(target, index=False)
        return target

    def step_curve(self, parameter: str, component: str | None = None) -> StepCurve:
        """Return the steps of one parameter.

        After an ascent these are the steps of its last pass. After brute force it is the cut
        through all combinations along that parameter, the others at their chosen values.

        Parameters
        ----------
        parameter : str
            Its name.
        component : str, optional
            Key of the component; may be left out if there is only one.

        Returns
        -------
        StepCurve

        Raises
        ------
        ParamError
            If there is no such component or parameter, or the search evaluated no two values of it
            with all others at their chosen values.
        """
        found = self._component(component)
        check.one_of("parameter", parameter, found.params)
        if parameter in found.steps:
            return found.steps[parameter]
        return _slice_curve(self, found, parameter)

    def table(self, x: str, y: str, component: str | None = None) -> pd.DataFrame:
        """Return the objective over two parameters, all others at their chosen values.

        Where the search has no evaluation of a cell with the others at their chosen values, the
        best one with any is taken.

        Parameters
        ----------
        x, y : str
            Names of two parameters; `y` goes to the rows.
        component : str, optional
            Key of the component; may be left out if there is only one.

        Returns
        -------
        DataFrame
            NaN where nothing was evaluated.

        Raises
        ------
        ParamError
            If a name is unknown, or both are the same.
        """
        found = self._component(component)
        for role, name in (("x", x), ("y", y)):
            check.one_of(role, name, found.params)
        if x == y:
            raise ParamError(broken_rule("x and y", "be two parameters", (x, y)))
        trials = self._trials_of(found, x, y)
        others = [name for name in found.params if name not in {x, y}]
        distance = sum(
            ((trials[name] - found.params[name]).abs() > 1e-9).astype(float) for name in others
        )
        ranked = trials.assign(_off=distance if others else 0.0).sort_values(
            ["_off", "objective"], ascending=[True, False], kind="stable"
        )
        first = ranked.drop_duplicates([x, y])
        return first.pivot(index=y, columns=x, values="objective").sort_index().sort_index(axis=1)

    def tables(self, component: str | None = None) -> list[pd.DataFrame]:
        """Return `table` for each pair of the first three searched parameters.

        Empty after an ascent: it only walks along lines, so that tables would be nearly empty too.

        Parameters
        ----------
        component : str, optional
            Key of the component; may be left out if there is only one.

        Returns
        -------
        list of DataFrame
        """
        found = self._component(component)
        names = [] if found.curves else [dim.name for dim in found.dimensions if dim.searched]
        return [self.table(x, y, found.key) for x, y in itertools.combinations(names[:3], 2)]

    def summary(self) -> pd.DataFrame:
        """Return one row a component: chosen values, objective, trades and net result."""
        rows = {
            key: {
                **found.params,
                "objective": found.objective,
                "trades": found.stats.num_trades if found.stats else 0,
                "net": found.stats.net if found.stats else np.nan,
                "at_edge": ", ".join(name for name, flag in found.at_edge.items() if flag),
            }
            for key, found in self.components.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("component")

    def chart(self, parameter: str, component: str | None = None) -> Any:
        """Draw what each step of a parameter gave: winners, losers, objective, and the choice.

        Parameters
        ----------
        parameter : str
            Its name.
        component : str, optional
            Key of the component; may be left out if there is only one.

        Returns
        -------
        plotly.graph_objects.Figure
        """
        return drawing.draw("parameter-chart", self.step_curve(parameter, component))

    def charts(self) -> dict[tuple[str, str], Any]:
        """Return the charts of all parameters that have steps: {(component, parameter): figure}."""
        return {
            (key, name): drawing.draw("parameter-chart", curve)
            for key, found in self.components.items()
            for name in found.params
            if (curve := _curve_or_none(self, key, name)) is not None
        }

    def heatmap(self, x: str, y: str, component: str | None = None) -> Any:
        """Draw the objective over two parameters as a heat map; see `table`.

        Parameters
        ----------
        x, y : str
            Names of two parameters.
        component : str, optional
            Key of the component; may be left out if there is only one.

        Returns
        -------
        plotly.graph_objects.Figure
        """
        return drawing.draw("heatmap", self, x=x, y=y, component=component)

    def surface(self, x: str, y: str, component: str | None = None) -> Any:
        """Draw the objective over two parameters as a surface; arguments as for `heatmap`."""
        return drawing.draw("surface", self, x=x, y=y, component=component)

    def verdict(self, **options: Any) -> Any:
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
        return drawing.judge(self, **options)

    def report(self, path: str | Path, *, verdict: bool = True) -> Path:
        """Write one HTML page with everything about this training, which opens offline.

        Parameters
        ----------
        path : str or Path
            The file to write.
        verdict : bool, default True
            Put the verdict on top; it is computed unless it is known. False: the page says that the
            training was not judged.

        Returns
        -------
        Path
        """
        check.flag("verdict", verdict)
        return Path(drawing.draw("training-report", self, path=path, verdict=verdict))

    def _component(self, component: str | None) -> ComponentTraining:
        if component is None:
            if len(self.components) == 1:
                return next(iter(self.components.values()))
            rule = f"be given where there are several: {', '.join(self.components)}"
            raise ParamError(broken_rule("component", rule, component))
        return self.components[check.one_of("component", component, self.components)]

    def _trials_of(self, found: ComponentTraining, *names: str) -> pd.DataFrame:
        """Return the trials of a component, or those of all together if they searched `names`."""
        trials = self._trials
        whole = trials["component"] == ALL_COMPONENTS
        if names and set(names) <= set(found.common) and whole.any():
            # What is no common parameter was held at a value of its own in every component.
            held = [name for name in found.params if name not in found.common]
            return trials[whole].assign(**{name: found.params[name] for name in held})
        return trials[trials["component"] == found.key]

    def __repr__(self) -> str:
        lines = [f"Training of {self.name!r}: {self.settings.get('method')}, {self.objective_name}"]
        lines += [f"  {found!r}" for found in self.components.values()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        title = f"Training of {self.name}: {self.objective_name}"
        return f"<p><b>{html.escape(title)}</b></p>{self.summary().to_html()}"


def environment_of(data: Data | None) -> dict[str, str]:
    """Return what numbers depend on besides the strategy, and today's date (UTC)."""
    if data is None:
        return {}
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return {**VERSIONS, "data": data.fingerprint(), "date": today}


def _charged(costs: Costs) -> dict[str, float]:
    """Return the costs that are not what they are by default."""
    numbers = {one.name: float(getattr(costs, one.name)) for one in fields(Costs)}
    return {name: value for name, value in numbers.items() if value != getattr(NO_COSTS, name)}


def _method_text(settings: Mapping[str, Any]) -> str:
    """Return how a search went, in a line: "brute, Ensemble(share=0.1)"."""
    words = []
    for name in ("method", "select"):
        value = settings.get(name)
        if value is not None:
            shown = value if isinstance(value, str) else repr(value)
            words.append(type(value).__name__ if " at 0x" in shown else shown)
    return ", ".join(words)


def _trial_frame(log: TrialLog) -> pd.DataFrame:
    trials = log.trials
    points = np.array([step.point for step, _ in trials]).reshape(len(trials), len(log.names))
    for row, (_, found) in enumerate(trials):
        for at, value in (found.computed or {}).items():
            points[row, at] = value  # stored, not searched: what the strategy computed in this run
    stats = _stats_columns([found for _, found in trials])
    table = {
        "component": log.component,
        "pass": [step.train_cycle for step, _ in trials],
        "parameter": [step.parameter for step, _ in trials],
        "step": [step.step_cycle for step, _ in trials],
        **{name: points[:, at] for at, name in enumerate(log.names)},
        "objective": np.array([found.score for _, found in trials], dtype=np.float64),
        "wins": stats["num_win"],
        "losses": stats["num_loss"],
        **stats,
    }
    if log.blended is not None:
        table[BLENDED] = np.array(log.blended, dtype=np.float64)
    return pd.DataFrame(table, index=pd.RangeIndex(len(trials)))


def _stats_columns(found: Sequence[Evaluation]) -> dict[str, Any]:
    """Return the statistics of evaluations by field."""
    if found and all(one.block is not None for one in found):
        columns: dict[str, list[AnyArray]] = {name: [] for name in FIELDS}
        for block, rows in itertools.groupby(found, key=operator.attrgetter("block")):
            places = np.array([one.row for one in rows])
            for name, values in block.columns(places).items():
                columns[name].append(values)
        return {name: np.concatenate(parts) for name, parts in columns.items()}
    empty = Stats().values()
    rows_of = [*zip(*(one.values or empty for one in found), strict=True)]
    return dict(zip(FIELDS, rows_of or [()] * len(FIELDS), strict=True))


def _curve_frame(log: TrialLog) -> pd.DataFrame:
    """Return the change of profit on each day of each trial."""
    days, numbers = log.days, log.day_numbers
    if days is None or numbers is None:
        return pd.DataFrame()
    n_bars = len(numbers)
    equity = np.array(
        [np.zeros(n_bars) if found.curve is None else found.curve for _, found in log.trials]
    ).reshape(len(log.trials), n_bars)
    last_bars = np.flatnonzero(np.diff(numbers, append=numbers[-1:] + 1))
    return pd.DataFrame(np.diff(equity[:, last_bars], axis=1, prepend=0.0), columns=days)


def _line(found: ComponentTraining) -> ComponentParameters:
    return ComponentParameters(
        params=dict(found.params),
        objective=found.objective,
        at_edge=frozenset(name for name, flag in found.at_edge.items() if flag),
        ranges={
            dim.name: ParRange(dim.default, dim.min, dim.max, dim.step, dim.bias, dim.integer)
            for dim in found.dimensions
        },
        members=found.members,
    )


def _slice_curve(training: Training, found: ComponentTraining, parameter: str) -> StepCurve:
    """Return the cut through the trials along one parameter, the others as chosen."""
    trials = training._trials_of(found, parameter)  # noqa: SLF001
    for name, value in found.params.items():
        if name != parameter:
            trials = trials[(trials[name] - value).abs() <= 1e-9]
    trials = trials.drop_duplicates(parameter).sort_values(parameter)
    if len(trials) < 2:
        msg = (
            f"A chart of {parameter!r} must have at least two of its values evaluated with all "
            f"others as chosen, got {len(trials)}. Train with method='ascent' or 'brute', or use "
            ".heatmap(x, y)."
        )
        raise ParamError(msg)
    dimension = next(dim for dim in found.dimensions if dim.name == parameter)
    borrows = BLENDED in trials and trials[BLENDED].notna().any()
    return StepCurve(
        component=found.key,
        parameter=parameter,
        pass_number=1,
        values=trials[parameter].to_numpy(dtype=np.float64),
        objective=trials["objective"].to_numpy(dtype=np.float64),
        blended=trials[BLENDED].to_numpy(dtype=np.float64) if borrows else None,
        borrowed=found.borrowed.get(parameter, 0.0),
        wins=trials["wins"].to_numpy(dtype=np.float64),
        losses=trials["losses"].to_numpy(dtype=np.float64),
        chosen=found.params[parameter],
        score=found.objective,
        default=dimension.rounded(dimension.default),
        window=None,
        at_edge=found.at_edge.get(parameter, False),
        objective_name=training.objective_name,
    )


def _curve_or_none(training: Training, component: str, parameter: str) -> StepCurve | None:
    try:
        return training.step_curve(parameter, component)
    except ParamError:
        return None
