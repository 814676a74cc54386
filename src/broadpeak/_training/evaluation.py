# SPDX-License-Identifier: BSD-3-Clause
"""One evaluation of a strategy: run it at a point, simulate its orders, score the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import pandas as pd

from broadpeak._core import recall
from broadpeak._core.recall import Recall
from broadpeak._run.batches import Outcome
from broadpeak._run.calls import Calls
from broadpeak._run.execute import run
from broadpeak._run.options import Settings
from broadpeak._run.progress import ProgressBar
from broadpeak._search.protocol import Point, SearchStep, Stop
from broadpeak._search.searchspace import Dimension
from broadpeak._store.fingerprint import under_key
from broadpeak._training.components import Bars, Component
from broadpeak._training.fits import FittedModels, ModelKey
from broadpeak._training.objective import NamedObjective, Objective, OwnObjective
from broadpeak._training.orders import Account, OrderRow, SimulatedOrders, simulate_orders
from broadpeak._training.performance import FIELDS, RecordBlock, Stats
from broadpeak._training.recorded import Workspace, n_together
from broadpeak._training.strategy import (
    OptimizePosition,
    RunState,
    Strategy,
    WrittenResultError,
    run_strategy,
)
from broadpeak._training.values import Discovery, OptimizeCall, Trial
from broadpeak.errors import (
    DataError,
    ParamError,
    ParFileError,
    StoreError,
    StrategyError,
    TaskError,
    described,
)
from broadpeak.types import FloatArray, NoResult

R = TypeVar("R")
TRIAL_COLUMNS = ("component", "pass", "parameter", "step")
RESULT_COLUMNS = ("objective", "wins", "losses")
BLENDED = "blended"
"""Column of trials: the score that counted, where those of other components were borrowed."""
ALL_COMPONENTS = "*"
"""In place of a component where the trades of all of them are scored together."""
CYCLE_COLUMNS = (
    "number",
    "train_start",
    "train_end",
    "test_start",
    "test_end",
    "in_sample",
    "out_of_sample",
    "trades",
    "net",
    "members",
)
RESERVED = frozenset((*TRIAL_COLUMNS, *RESULT_COLUMNS, BLENDED, *FIELDS, *CYCLE_COLUMNS))
"""Columns of the tables of trials and cycles, hence no names of parameters."""

OWN_MISTAKES = (ParamError, ParFileError, StrategyError, DataError)
"""Errors that say what to do, so that they reach the user unchanged."""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationSetup:
    """All that the evaluations of one component have in common; it travels to workers once.

    Attributes
    ----------
    strategy, component, symbols
        What is run, and all symbols of the data.
    bars : Bars
        The look-back and the evaluated bars.
    account : Account
        How orders become trades.
    objective : callable
        Score of `Stats`.
    calls : tuple of OptimizeCall
        The `optimize` calls of the discovery.
    watched : bool
        The strategy looked at the progress of the search.
    recency : float
        Weight of the last trades over the first.
    curves : bool
        Keep the profit of every bar.
    samples : tuple of EvaluationSetup
        The same component on bars with other offsets; statistics are averaged over all.
    half_objective : callable, optional
        Score of the `Stats` of half the bars, where the share to borrow is estimated from them.
    models : FittedModels
        What `s.fit` fitted so far; every process has its own.
    stops : dict
        Batch → position of the step that ended it; shared by the evaluations of one process.
    workspace : Workspace
        What the evaluations of one process know of one another.
    data_key : str
        Fingerprint of all prices the training was given, under which a store counts its trials.
    search_key : str
        What a store counts these evaluations under: one key for all components and windows.
    store_key : str, optional
        The user's `store_key`, which stands for what strategy and objective depend on.
    """

    strategy: Strategy
    component: Component
    symbols: tuple[str, ...]
    bars: Bars
    account: Account
    objective: Objective
    calls: tuple[OptimizeCall, ...] = ()
    watched: bool = False
    recency: float = 1.0
    curves: bool = False
    samples: tuple[EvaluationSetup, ...] = ()
    data_key: str = ""
    search_key: str = ""
    store_key: str | None = None
    half_objective: Objective | None = None
    models: FittedModels = field(default_factory=FittedModels)
    stops: dict[int, int] = field(default_factory=dict)
    workspace: Workspace = field(default_factory=Workspace)

    @property
    def search_name(self) -> str:
        """Name of the strategy, for the list of searches of a store."""
        return self.strategy.name

    def fingerprint(self) -> dict[str, object]:
        """Return what an evaluation depends on, by which a store recognises it."""
        aside = {"stops", "models", "workspace", "data_key", "search_key", "store_key"}
        names = (one.name for one in fields(self) if one.name not in aside)
        content = {name: getattr(self, name) for name in names}
        stand_ins = by_store_key(self.strategy, self.objective, self.store_key)
        if stand_ins and self.half_objective is not None:
            half = by_store_key(self.strategy, self.half_objective, self.store_key)
            stand_ins["half_objective"] = half["objective"]
        return {**content, **stand_ins}


def by_store_key(strategy: Strategy, objective: object, store_key: str | None) -> dict[str, object]:
    """Return what stands for strategy and objective if the user has a key for what they reach."""
    if store_key is None:
        return {}
    settings = (strategy.lookback, strategy.unstable_period, strategy.fill)
    func = objective.func if isinstance(objective, OwnObjective) else objective
    return {
        "strategy": (*under_key(strategy.func, store_key), *settings),
        "objective": under_key(func, store_key)
        if callable(func) and func is not objective
        else func,
    }


class Evaluation(NamedTuple):
    """What one step gave.

    Attributes
    ----------
    score : float
        Value of the objective.
    plain : tuple of float, or None
        The fields of `stats`; None where the step was left out or failed, or where they stand in
        `block`. Thousands come back from workers, so they travel as plain numbers.
    stopped : int
        What the strategy ended, as in `Stop`: the search of this parameter, or all of it.
    watched : bool
        The strategy looked at the progress of the search.
    n_unprotected : int
        Entries whose stop was not known yet because of warm-up.
    computed : dict
        Position → default of parameters that are stored and not searched.
    curve : array of float, shape (n_bars,), or None
        Profit at each evaluated close.
    halves : tuple of float, or None
        Scores of the first and the second half of the bars, where the setup asks for them.
    block, row : RecordBlock or None, int
        Where the fields of `stats` stand, if they are not in `plain`: as few objects an evaluation
        as may be.
    """

    score: float
    plain: tuple[float, ...] | None = None
    stopped: int = Stop.NO
    watched: bool = False
    n_unprotected: int = 0
    computed: dict[int, float] | None = None
    curve: FloatArray | None = None
    halves: tuple[float, float] | None = None
    block: RecordBlock | None = None
    row: int = 0

    @classmethod
    def of(cls, stored: object) -> Evaluation:
        """Return the evaluation of a plain tuple; what came out of a file may be anything."""
        kinds: tuple[tuple[type, ...], ...] = (
            *((int, float, np.number), (tuple, type(None)), (int, np.integer, np.bool_)),
            *((bool, np.bool_), (int, np.integer), (dict, type(None)), (np.ndarray, type(None))),
            (tuple, type(None)),
        )
        if isinstance(stored, tuple) and len(stored) == len(kinds):
            fits = [isinstance(one, kind) for one, kind in zip(stored, kinds, strict=True)]
            fits.append(stored[1] is None or len(stored[1]) == len(FIELDS))
            if all(fits) and stored[2] in tuple(Stop):
                halves: Sequence[object] = stored[-1] or (0.0, 0.0)
                if len(halves) == 2 and all(isinstance(half, kinds[0]) for half in halves):
                    return cls(*stored)
        msg = (
            "The results of a training must be evaluations, got something else from the store "
            f"({type(stored).__name__}). Restore the file from a copy, or choose a new file name."
        )
        raise StoreError(msg)

    def travelling(self) -> tuple[object, ...]:
        """Return the plain tuple of which `of` makes the evaluation again."""
        return (self.score, self.values, int(self.stopped), *self[3:8])

    @property
    def values(self) -> tuple[float, ...] | None:
        """The fields of `stats`; None where there are none."""
        return self.plain if self.block is None else self.block.values(self.row)

    @property
    def stats(self) -> Stats | None:
        """Statistics of the run; None where there was none."""
        values = self.values
        # Counts of pooled samples may be fractions.
        return None if values is None else Stats(*values)  # type: ignore[arg-type]

    @property
    def counts(self) -> tuple[float, float]:
        """Numbers of wins and losses; NaN where nothing is known."""
        if self.block is not None:
            return self.block.counts[self.row]
        return (np.nan, np.nan) if self.plain is None else (self.plain[_N_WIN], self.plain[_N_LOSS])

    @property
    def n_trades(self) -> float:
        """Number of trades."""
        return 0 if self.block is None and self.plain is None else sum(self.counts)


_N_WIN, _N_LOSS = FIELDS.index("num_win"), FIELDS.index("num_loss")


class SampleRun(NamedTuple):
    """One call of the strategy on one cut of the prices, and what became of its orders."""

    account: Account
    state: RunState
    values: Trial
    n_unprotected: int
    simulated: SimulatedOrders


def evaluate(
    setup: EvaluationSetup,
    step: SearchStep,
    *,
    known: Discovered | None = None,
    see: SeeRun | None = None,
) -> Evaluation:
    """Run the strategy at one point, simulate its orders and score them.

    `known` has what it orders there, if it was called with these values already; `see` is shown
    the run.

    Raises
    ------
    StrategyError
        If the strategy leaves out its component, or its `optimize` calls are not those known.
    """
    if setup.samples or setup.half_objective is not None:
        runs = run_samples(setup, step, known)
        if see is not None:
            see(runs[0].state, step)
        return evaluation_of(setup, runs)
    return StartedRuns(setup, [record(setup, step, known, see)]).evaluations()[0]


SeeRun: TypeAlias = Callable[[RunState, SearchStep], object]
"""Is shown the run of a step."""


class RecordedRun(NamedTuple):
    """What one call of the strategy left behind; its orders are not simulated yet."""

    row: OrderRow
    stopped: int
    watched: bool
    computed: dict[int, float]


def record(
    setup: EvaluationSetup,
    step: SearchStep,
    known: Discovered | None = None,
    see: SeeRun | None = None,
) -> RecordedRun:
    """Run the strategy at one point; `known` and `see` are as for `evaluate`."""
    state, values = _called(setup, setup, step, known)
    account, book = setup.account, state.orders_of(setup.component)
    row = book.row(account.first, unit_lots=account.unit_lots, memory=state.memory)
    if see is not None:
        see(state, step)
    return RecordedRun(row, state.stopped, state.watched, values.computed)


class StartedRuns:
    """Recorded runs that are being simulated together; with `goes_on` beside what follows here."""

    def __init__(
        self, setup: EvaluationSetup, runs: Sequence[RecordedRun], *, goes_on: bool = False
    ) -> None:
        self._setup, self._runs = setup, runs
        rows = [run.row for run in runs]
        self._started = setup.workspace.start(
            rows, setup.account, setup.recency, curves=setup.curves, goes_on=goes_on
        )
        self.wait = self._started.wait

    def evaluations(self) -> list[Evaluation]:
        """Return the runs with their scores."""
        setup, objective = self._setup, self._setup.objective
        found, equity = self._started.result()
        block = RecordBlock(found, setup.account.years)
        if isinstance(objective, NamedObjective):
            scores = objective.of_records(found)
        else:
            scores = [objective(block.stats(row)) for row in range(len(found))]
        curves = [*equity] if setup.curves else [None] * len(found)
        return [
            Evaluation(
                score, None, stopped, watched, row.n_unprotected, computed or None, curve, None,
                block, at,
            )
            for at, ((row, stopped, watched, computed), score, curve) in enumerate(
                zip(self._runs, scores, curves, strict=True)
            )
        ]  # fmt: skip


def run_samples(
    setup: EvaluationSetup, step: SearchStep, known: Discovered | None = None
) -> list[SampleRun]:
    """Run the strategy at one point on every cut of the prices; the first is without a shift."""
    runs = []
    for sample in (setup, *setup.samples):
        state, values = _called(setup, sample, step, known if sample is setup else None)
        account = sample.account
        orders = state.orders_of(setup.component).merged(
            account.first, len(sample.bars), unit_lots=account.unit_lots
        )
        simulated = simulate_orders(orders, account)
        runs.append(SampleRun(account, state, values, orders.n_unprotected, simulated))
    return runs


def _called(
    setup: EvaluationSetup, sample: EvaluationSetup, step: SearchStep, known: Discovered | None
) -> tuple[RunState, Trial]:
    """Call the strategy at one point on one cut of the prices."""
    component, values = setup.component, Trial(setup.calls, step.point)
    if known is not None:
        for position, call in enumerate(known.calls):
            values.value(position, call, component)
        values.check_complete()
        return known.run, values
    n_calls = len(setup.calls)
    where = OptimizePosition(step.par_cycle or n_calls, step.step_cycle, n_calls, step.train_cycle)
    bars, workspace = sample.bars, sample.workspace
    memory = workspace.memory(bars)
    given = ({component.asset: bars}, setup.symbols, values, "train", component, where)
    state = RunState(*given, models=sample.models, memory=memory)
    try:
        run_strategy(setup.strategy, state)
    except WrittenResultError:
        # It may write to what it was given, but not to what others will be given, too.
        workspace.forget()
        return _called(setup, sample, step, None)
    state.check_visited()
    values.check_complete()
    return state, values


def evaluation_of(setup: EvaluationSetup, runs: Sequence[SampleRun]) -> Evaluation:
    """Return the score of one component's runs at a point, and what else is known of them."""
    samples = [one.simulated.stats(one.account, recency=setup.recency) for one in runs]
    first, stats = runs[0], samples[0] if len(samples) == 1 else averaged(samples)
    return Evaluation(
        setup.objective(stats),
        stats.values(),
        first.state.stopped,
        first.state.watched,
        first.n_unprotected,
        first.values.computed or None,
        first.simulated.equity if setup.curves else None,
        _half_scores(setup.half_objective, runs, setup.recency) if setup.half_objective else None,
    )


def _half_scores(
    objective: Objective, runs: Sequence[SampleRun], recency: float
) -> tuple[float, float]:
    """Return the scores of the first and of the second half of the evaluated bars."""
    first_half, second_half = [], []
    for one in runs:
        n_bars = len(one.simulated.equity)
        segment = partial(one.simulated.segment, one.account, recency=recency)
        first_half.append(segment(0, n_bars // 2)[0])
        second_half.append(segment(n_bars // 2, n_bars)[0])
    return objective(averaged(first_half)), objective(averaged(second_half))


def averaged(samples: Sequence[Stats]) -> Stats:
    """Return the mean of every number; counts may become fractions."""
    table = np.array([stats.values() for stats in samples])
    return Stats(*table.mean(axis=0).tolist())


StepRequest: TypeAlias = tuple[tuple[Point, int, int, int, str], int, int]
"""A step, its batch, and its position in it, so that a stop can leave out what follows it.

All plain tuples: thousands go to workers, and those are pickled without calling Python.
"""


def evaluate_request(setup: EvaluationSetup, request: StepRequest) -> tuple[object, ...]:
    """Evaluate a step on an engine.

    Returns
    -------
    tuple
        The fields of an `Evaluation`, as the plain tuple that a store holds.
    """
    step, batch, position = request
    if position > setup.stops.get(batch, position):
        return Evaluation(np.nan).travelling()  # an earlier step of the batch ended it
    found = evaluate(setup, SearchStep(*step))
    if found.stopped:
        setup.stops[batch] = position
    return found.travelling()


def run_requests(
    evaluate_one: Callable[..., object],
    setup: object,
    requests: Sequence[object],
    execute: Mapping[str, Any],
    label: Callable[[int], str],
    names: Sequence[str],
    columns: Callable[[], Iterable[list[Any]]],
    *,
    bar: ProgressBar | None = None,
) -> list[object]:
    """Evaluate requests on an engine: ``evaluate_one(setup, request)`` each.

    `label` names a request in errors; `names` and `columns` are what a store writes beside each
    result; `bar` counts them. None stands for what failed and was skipped.
    """
    calls = Calls(evaluate_one, (setup, None), varying={1: (requests, np.arange(len(requests)))})
    # The bar is that of the training, of which these are a part.
    settings = Settings(**{**execute, "raise_no_results": False, "show_progress": False})
    keys = None
    if settings.store is not None:
        keys = pd.MultiIndex.from_arrays([*columns()], names=[*names])
    finished = run(calls, settings, keys=keys, label=label, passthrough=OWN_MISTAKES, bar=bar)
    found: list[object] = [None] * len(requests)
    positions = range(len(requests)) if finished.kept is None else finished.kept.tolist()
    values = [] if finished.value is NoResult else finished.value
    for position, value in zip(positions, values, strict=True):
        found[position] = None if isinstance(value, Outcome) else value
    return found


# ------------------------------------------------------------------ a call is a call


def label_of(component: str, names: Sequence[str], point: Sequence[float]) -> str:
    """Return how an error names an evaluation."""
    values = (f"{name}={value:.6g}" for name, value in zip(names, point, strict=True))
    return ", ".join([f"component={component}", *values])


def evaluate_here(
    setup: EvaluationSetup,
    step: SearchStep,
    number: int,
    names: Sequence[str],
    *,
    known: Discovered | None = None,
    see: SeeRun | None = None,
) -> Evaluation:
    """Evaluate a step in this process: a plain call, whose errors read as those of a sweep.

    `known` and `see` are as for `evaluate`.

    Raises
    ------
    TaskError
        If the strategy raises anything that is no error of this library.
    """
    try:
        return evaluate(setup, step, known=known, see=see)
    except OWN_MISTAKES:
        raise
    except (Exception, SystemExit) as error:
        label = label_of(setup.component.key, names, step.point)
        raise failed_call(error, number, label, partial(evaluate, setup, step)) from error


def evaluate_in_batches(
    setup: EvaluationSetup,
    steps: Sequence[SearchStep],
    names: Sequence[str],
    *,
    known: Callable[[SearchStep], Discovered | None],
    see: SeeRun,
) -> Iterator[Evaluation]:
    """Evaluate steps in this process, many together, up to one that ends the search.

    The strategy is called for one after the other, as `evaluate_here` does; what it ordered is
    simulated later. `known` and `see` are asked and told for each step.

    Raises
    ------
    TaskError
        If the strategy raises anything that is no error of this library.
    """
    size = n_together(len(setup.bars))
    started: StartedRuns | None = None
    try:
        for first in range(0, len(steps), size):
            runs, failed = _recorded(setup, steps[first : first + size], known, see)
            ends = len(runs) < size or runs[-1].stopped
            is_last = ends or first + size >= len(steps)
            # While these are simulated, the strategy is called for those that follow.
            before = started
            started = StartedRuns(setup, runs, goes_on=not is_last) if runs else None
            if before is not None:
                yield from before.evaluations()
            if is_last and started is not None:
                yield from started.evaluations()
            if isinstance(failed, OWN_MISTAKES):
                raise failed
            if failed is not None:
                number = first + len(runs)
                label = label_of(setup.component.key, names, steps[number].point)
                rerun = partial(evaluate, setup, steps[number])
                raise failed_call(failed, number, label, rerun) from failed
            if is_last:
                return
    finally:
        if started is not None:
            started.wait()


def _recorded(
    setup: EvaluationSetup,
    steps: Sequence[SearchStep],
    known: Callable[[SearchStep], Discovered | None],
    see: SeeRun,
) -> tuple[list[RecordedRun], Exception | SystemExit | None]:
    """Return the runs of steps, up to one that ends the search, or fails, and how."""
    runs: list[RecordedRun] = []
    before = recall.swap(setup.workspace.memory(setup.bars))
    try:
        for step in steps:
            runs.append(record(setup, step, known(step), see))
            if runs[-1].stopped:
                break
    except (Exception, SystemExit) as error:  # noqa: BLE001  # raised in its turn
        return runs, error
    finally:
        recall.swap(before)
    return runs, None


def is_batched(setup: EvaluationSetup) -> bool:
    """Return whether nobody can see in which order runs are called and scored.

    An objective of the user may look at what the strategy keeps outside of itself.
    """
    is_named = isinstance(setup.objective, NamedObjective)
    return is_named and not setup.samples and setup.half_objective is None


def failed_call(
    error: BaseException, number: int, label: str, rerun: Callable[[], object]
) -> TaskError:
    """Return what is raised for a plain call that failed, worded as that of a sweep."""
    inner = str(error).removesuffix(_HINT) if isinstance(error, TaskError) else described(error)
    msg = f"Call {number} ({label}) failed: {inner}{_HINT}"
    return TaskError(msg, index=number, label=label, rerun=rerun)


_HINT = (
    "\nCall .rerun() on this error to repeat the call here; "
    "pass on_error='skip' or 'record' to go on without it."
)


def labelled(label: str, call: Callable[[], R]) -> R:
    """Return ``call()``, the one call of a strategy; an error of it names the component.

    Raises
    ------
    TaskError
        If the strategy raises anything that is no error of this library.
    """
    try:
        return call()
    except OWN_MISTAKES:
        raise
    except (Exception, SystemExit) as error:
        msg = (
            f"The strategy failed ({label}): {described(error)}\n"
            "Call .rerun() on this error to repeat the call."
        )
        raise TaskError(msg, index=0, label=label, rerun=call) from error


class Discovered(NamedTuple):
    """What one call with all defaults shows of a component.

    Attributes
    ----------
    components : tuple of Component
        All components of the loop, or the only symbol.
    calls : tuple of OptimizeCall
        The `optimize` calls, in order.
    dimensions : tuple of Dimension
        The same as dimensions of a search.
    common : tuple of bool
        Which of them stand outside the loop.
    watched : bool
        The strategy looked at the progress of the search.
    run : RunState
        What the call left behind.
    writes : bool
        It wrote to a result of this library, so that others cannot be given the same.
    """

    components: tuple[Component, ...]
    calls: tuple[OptimizeCall, ...]
    dimensions: tuple[Dimension, ...]
    common: tuple[bool, ...]
    watched: bool
    run: RunState
    writes: bool = False

    @property
    def is_repeated(self) -> bool:
        """Whether a step of a search with the same values orders the same."""
        return not self.watched and not self.run.is_first_look


def discover(
    strategy: Strategy, bars: Mapping[str, Bars], chosen: Component | None = None
) -> Discovered:
    """Call the strategy once with all defaults, for component `chosen` or the first one.

    Raises
    ------
    StrategyError
        If there are several symbols and no loop over them.
    TaskError
        If the strategy raises anything that is no error of this library.
    """
    label = f"component={chosen.key if chosen else next(iter(bars))}, defaults"
    state, values = labelled(label, partial(_first_run, strategy, bars, chosen))
    components = state.finished_components()
    # Without a loop everything belongs to the one component there is.
    common = tuple(values.common) if state.components else (False,) * len(values.calls)
    calls, dimensions = tuple(values.calls), tuple(values.dimensions)
    state.models.keep()
    memory, state.memory = state.memory, None
    writes = memory is not None and memory.is_changed()
    return Discovered(components, calls, dimensions, common, state.watched, state, writes)


def discover_all(strategy: Strategy, bars: Mapping[str, Bars]) -> list[Discovered]:
    """Call the strategy once for each of its components, with all defaults."""
    first = discover(strategy, bars)
    return [first, *(discover(strategy, bars, one) for one in first.components[1:])]


def _first_run(
    strategy: Strategy, bars: Mapping[str, Bars], chosen: Component | None
) -> tuple[RunState, Discovery]:
    values = Discovery(RESERVED)
    memory = Recall(watches=True)
    memory.learn(array for one in bars.values() for array in one.arrays)
    models = FittedModels()
    state = RunState(
        bars,
        tuple(bars),
        values,
        "train",
        chosen,
        lookback=strategy.lookback,
        models=models,
        memory=memory,
    )
    run_strategy(strategy, state)
    return state, values


def models_at(setup: EvaluationSetup, points: Sequence[Point]) -> dict[ModelKey, object]:
    """Return the models that a strategy fits at these points."""
    component = setup.component
    found: dict[ModelKey, object] = {}
    bars, label = {component.asset: setup.bars}, f"component={setup.component.key}, chosen values"
    for point in points:
        values = Trial(setup.calls, point)
        state = RunState(bars, setup.symbols, values, "train", component, models=setup.models)
        labelled(label, partial(run_strategy, setup.strategy, state))
        found.update(state.fitted.values())
    return found
