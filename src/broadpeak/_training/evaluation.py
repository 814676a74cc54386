# SPDX-License-Identifier: BSD-3-Clause
"""One evaluation of a strategy: run it at a point, simulate its orders, score the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from broadpeak._core import check
from broadpeak._run.calls import Task
from broadpeak._run.execute import run as run_tasks
from broadpeak._run.options import Settings
from broadpeak._search.protocol import SearchStep
from broadpeak._search.searchspace import Dimension
from broadpeak._store.fingerprint import under_key
from broadpeak._training.backtest import Account, Result, simulate_orders
from broadpeak._training.components import Bars, Component
from broadpeak._training.faults import UnknownMemberError
from broadpeak._training.objective import Objective, OwnObjective
from broadpeak._training.orders import OrderBook
from broadpeak._training.performance import FIELDS, Stats
from broadpeak._training.strategy import Strategy
from broadpeak._training.strategy_run import Call, OptimizePosition, StrategyRun, ValueSource
from broadpeak._training.values import Discovery, Trial
from broadpeak.errors import (
    BroadpeakError,
    DataError,
    ParamError,
    ParFileError,
    StoreError,
    StrategyError,
    TaskError,
)
from broadpeak.types import FloatArray

R = TypeVar("R")
ONE_CALL = Settings()
TRIAL_COLUMNS = ("component", "pass", "parameter", "step")
RESULT_COLUMNS = ("objective", "wins", "losses")
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
)
RESERVED = frozenset((*TRIAL_COLUMNS, *RESULT_COLUMNS, *FIELDS, *CYCLE_COLUMNS))
"""Columns of the tables of trials and cycles, hence no names of parameters."""

OWN_MISTAKES = (ParamError, ParFileError, StrategyError, DataError)
"""Errors that say what to do, so that they come to the user as they are."""


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
    calls : tuple of Call
        The `optimize` calls of the discovery.
    watched : bool
        The strategy looked at the progress of the search.
    recency : float
        Weight of the last trades over the first.
    curves : bool
        Keep the profit of every bar.
    samples : tuple of Job
        The same component on bars with other offsets; statistics are averaged over all.
    stops : dict
        Batch → position of the step that ended it; shared by the evaluations of one process.
    data_key : str
        Fingerprint of all prices the training was given, under which a store counts its trials.
    store_key : str, optional
        The user's word for what strategy and objective depend on.
    """

    strategy: Strategy
    component: Component
    symbols: tuple[str, ...]
    bars: Bars
    account: Account
    objective: Objective
    calls: tuple[Call, ...] = ()
    watched: bool = False
    recency: float = 1.0
    curves: bool = False
    samples: tuple[EvaluationSetup, ...] = ()
    data_key: str = ""
    store_key: str | None = None
    stops: dict[int, int] = field(default_factory=dict)

    def fingerprint(self) -> dict[str, object]:
        """Return what an evaluation depends on, by which a store knows it again."""
        aside = {"stops", "data_key", "store_key"}
        names = (one.name for one in fields(self) if one.name not in aside)
        content = {name: getattr(self, name) for name in names}
        return {**content, **by_word(self.strategy, self.objective, self.store_key)}


def by_word(strategy: Strategy, objective: Any, store_key: str | None) -> dict[str, object]:
    """Return what strategy and objective count by if the user has a word for what they reach."""
    if store_key is None:
        return {}
    settings = (strategy.lookback, strategy.unstable_period, strategy.fill)
    own = objective.func if isinstance(objective, OwnObjective) else objective
    return {
        "strategy": (*under_key(strategy.func, store_key), *settings),
        "objective": under_key(own, store_key) if callable(own) and own is not objective else own,
    }


_N_WIN, _N_LOSS = FIELDS.index("num_win"), FIELDS.index("num_loss")


Order: TypeAlias = tuple[tuple[Any, ...], int, int]
"""A step, its batch, and its position in it, so that a stop can leave out what follows it.

All plain tuples: thousands go to workers, and those are pickled without calling Python.
"""


class Evaluation(NamedTuple):
    """What came of one step.

    Attributes
    ----------
    score : float
        Value of the objective.
    figures : tuple of float, or None
        The fields of `stats`; None where the step was left out or failed. Thousands come back from
        workers, so they travel as plain numbers.
    stopped : bool
        The strategy asked to end the search of this parameter.
    watched : bool
        The strategy looked at the progress of the search.
    cold_stops : int
        Entries whose stop was not known yet because of warm-up.
    computed : dict
        Position → default of parameters that are stored and not searched.
    curve : array of float, shape (n_bars,), or None
        Profit at each evaluated close.
    """

    score: float
    figures: tuple[float, ...] | None = None
    stopped: bool = False
    watched: bool = False
    cold_stops: int = 0
    computed: dict[int, float] | None = None
    curve: FloatArray | None = None

    @classmethod
    def of(cls, stored: object) -> Evaluation:
        """Return the evaluation of a plain tuple; what came out of a file may be anything."""
        kinds: tuple[tuple[type, ...], ...] = (
            *((int, float, np.number), (tuple, type(None)), (bool, np.bool_), (bool, np.bool_)),
            *((int, np.integer), (dict, type(None)), (np.ndarray, type(None))),
        )
        if isinstance(stored, tuple) and len(stored) == len(kinds):
            fits = [isinstance(one, kind) for one, kind in zip(stored, kinds, strict=True)]
            if all(fits) and (stored[1] is None or len(stored[1]) == len(FIELDS)):
                return cls(*stored)
        msg = (
            "The results of a training must be evaluations, got something else from the store "
            f"({type(stored).__name__}). Restore the file from a copy, or choose a new file name."
        )
        raise StoreError(msg)

    @property
    def stats(self) -> Stats | None:
        """Statistics of the run; None where there was none."""
        # Counts of pooled samples may be fractions.
        return None if self.figures is None else Stats(*self.figures)  # type: ignore[arg-type]

    @property
    def n_trades(self) -> float:
        """Number of trades."""
        return 0 if self.figures is None else self.figures[_N_WIN] + self.figures[_N_LOSS]


def evaluate(job: EvaluationSetup, order: Order) -> tuple[Any, ...]:
    """Run the strategy at one point, simulate its orders and score them.

    Returns
    -------
    tuple
        The fields of an `Evaluation`, as the plain tuple that a store holds.
    """
    fields, batch, position = order
    if position > job.stops.get(batch, position):
        return tuple(Evaluation(np.nan))  # an earlier step of the batch ended it
    step = SearchStep(*fields)
    n_calls = len(job.calls)
    progress = OptimizePosition(
        step.par_cycle or n_calls, step.step_cycle, n_calls, step.train_cycle
    )
    source = Trial(job.calls, step.point)
    run, result, stats, cold = _at(job, source, progress)
    if job.samples:
        others = [_at(one, Trial(job.calls, step.point), progress)[2] for one in job.samples]
        stats = averaged([stats, *others])
    score = job.objective(stats)
    if run._stopped:  # noqa: SLF001  # the run keeps its privates from users, not from here
        job.stops[batch] = position
    return (
        score,
        stats.values(),
        run._stopped,  # noqa: SLF001
        run._watched,  # noqa: SLF001
        cold,
        source.computed or None,
        result.equity if job.curves else None,
    )


def _at(
    job: EvaluationSetup, source: Trial, progress: OptimizePosition
) -> tuple[StrategyRun, Result, Stats, int]:
    """Return what one run at a point came to, and how many of its entries had a cold stop."""
    run = run_strategy(job, source, mode="train", progress=progress)
    source.check_complete()
    result, cold = simulated(job, run)
    return run, result, result.stats(job.account, recency=job.recency), cold


def averaged(samples: Sequence[Stats]) -> Stats:
    """Return the mean of every figure; counts may become fractions."""
    table = np.array([list(one.as_dict().values()) for one in samples])
    return Stats(*table.mean(axis=0).tolist())


def run_strategy(
    job: EvaluationSetup,
    source: ValueSource,
    *,
    mode: str,
    progress: OptimizePosition = OptimizePosition(),  # noqa: B008  # immutable
) -> StrategyRun:
    """Call the strategy with a run of its component alone, and return that run."""
    run = StrategyRun(
        {job.component.asset: job.bars},
        job.symbols,
        source,
        mode=mode,
        chosen=job.component,
        progress=progress,
    )
    call_strategy(job.strategy, run)
    components = run._components  # noqa: SLF001
    if components and job.component not in components:
        msg = (
            f"s.loop() must list the same components in every run, got one without "
            f"{job.component.key!r}."
        )
        raise StrategyError(msg)
    return run


def call_strategy(strategy: Strategy, run: StrategyRun) -> None:
    """Call the strategy's function; what it did wrong is told in words it can act on."""
    try:
        check.finished(strategy.func(run))
    except ValueError as error:
        frozen = "read-only" in str(error) or "WRITEABLE" in str(error)
        if frozen and not isinstance(error, BroadpeakError):
            msg = (
                "The arrays of s must not be changed, because all evaluations share them. "
                "Work on a copy: s.close.copy()."
            )
            raise StrategyError(msg) from error
        raise
    except AttributeError as error:
        if error.obj is run and not isinstance(error, BroadpeakError):
            raise UnknownMemberError(str(error)) from error
        raise


def simulated(job: EvaluationSetup, run: StrategyRun) -> tuple[Result, int]:
    """Return the trades of the component's orders, and how many entries had a cold stop."""
    account = job.account
    book = run._books.get(job.component) or OrderBook(len(job.bars))  # noqa: SLF001
    merged = book.merged(account.first, len(job.bars), unit_lots=account.unit_lots)
    return simulate_orders(merged, account), merged.cold_stops


class Discovered(NamedTuple):
    """What one call with all defaults told about a component.

    Attributes
    ----------
    components : tuple of Component
        All components of the loop, or the only symbol.
    calls : tuple of Call
        The `optimize` calls, in order.
    dimensions : tuple of Dimension
        The same as dimensions of a search.
    common : tuple of bool
        Which of them stand outside the loop.
    watched : bool
        The strategy looked at the progress of the search.
    """

    components: tuple[Component, ...]
    calls: tuple[Call, ...]
    dimensions: tuple[Dimension, ...]
    common: tuple[bool, ...]
    watched: bool


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
    where = chosen.key if chosen else next(iter(bars))
    return told(where, _discover, strategy, bars, chosen)


def told(component: str, func: Callable[..., R], *args: Any) -> R:
    """Return ``func(*args)``, called as all evaluations are, so that errors name the component."""
    label = f"component={component}, defaults" if func is _discover else f"component={component}"
    task = Task(func, *args)
    try:
        finished = run_tasks([task], ONE_CALL, label=lambda _: label, passthrough=OWN_MISTAKES)
    except TaskError as error:
        # There is one call here, and nothing to go on with where it fails.
        cause = error.__cause__
        msg = (
            f"The strategy failed ({label}): {type(cause).__name__}: {cause}\n"
            "Call .rerun() on this error to repeat the call."
        )
        raise TaskError(msg, index=0, label=label, rerun=error.rerun) from cause
    result: R = finished.value[0]
    return result


def label_of(component: str, names: Sequence[str], point: Sequence[float]) -> str:
    """Return how an error names an evaluation."""
    values = (f"{name}={value:.6g}" for name, value in zip(names, point, strict=True))
    return ", ".join([f"component={component}", *values])


def _discover(strategy: Strategy, bars: Mapping[str, Bars], chosen: Component | None) -> Discovered:
    source = Discovery(RESERVED)
    run = StrategyRun(bars, tuple(bars), source, mode="train", chosen=chosen)
    call_strategy(strategy, run)
    components = components_of(run)
    # Without a loop everything belongs to the one component there is.
    looped = bool(run._components)  # noqa: SLF001
    common = tuple(source.common) if looped else (False,) * len(source.calls)
    calls, dimensions = tuple(source.calls), tuple(source.dimensions)
    return Discovered(components, calls, dimensions, common, run._watched)  # noqa: SLF001


def components_of(run: StrategyRun) -> tuple[Component, ...]:
    """Return the components that a finished run went through, or could have."""
    components = tuple(run._components)  # noqa: SLF001
    if components:
        return components
    if len(run._symbols) > 1:  # noqa: SLF001
        msg = (
            f"A strategy must loop over its assets when the data has several "
            f"({len(run._symbols)} symbols), got no s.loop(). "  # noqa: SLF001
            "Write: for asset, algo in s.loop(): …, or select one symbol: data.select(…)."
        )
        raise StrategyError(msg)
    return (Component(run._symbols[0]),)  # noqa: SLF001
