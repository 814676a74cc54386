# SPDX-License-Identifier: BSD-3-Clause
"""The options of a training, checked, and the searcher that they mean."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from broadpeak._core import check
from broadpeak._run.options import ChunkOptions, DispatchOptions, Settings
from broadpeak._run.registry import is_serial
from broadpeak._search.ascent import Ascent
from broadpeak._search.brute import Brute
from broadpeak._search.genetic import Genetic
from broadpeak._search.protocol import Point, Searcher, check_searcher
from broadpeak._search.random import Random
from broadpeak._search.searchspace import SearchSpace
from broadpeak._search.selectors import Selector
from broadpeak._simulation.costs import Costs
from broadpeak._training.borrowing import AUTO
from broadpeak._training.objective import Objective
from broadpeak._training.performance import Stats
from broadpeak._training.sizing import SIZINGS, Sizing
from broadpeak.errors import ParamError, broken_rule

METHODS = ("ascent", "brute", "genetic", "random")
DETRENDS = (None, "trades", "prices")


class StepInfo(NamedTuple):
    """What `on_step` gets for an evaluation.

    Attributes
    ----------
    component : str
        Key of the component; ``"*"`` where the trades of all of them are scored together.
    train_cycle, par_cycle, step_cycle : int
        Pass, parameter (or generation) and step, from 1; the final run has par and step cycle 0.
    parameter : str
        Name of the parameter that is searched; empty where several move together.
    params : dict of str to float
        All values; of a step that all components take together the common ones.
    objective : float
        The score of these trades; NaN where unusable.
    stats : Stats or None
        Everything else known about the run.
    """

    component: str
    train_cycle: int
    par_cycle: int
    step_cycle: int
    parameter: str
    params: dict[str, float]
    objective: float
    stats: Stats | None


class SearchArguments(DispatchOptions, ChunkOptions, total=False):
    """The options of a training by name and type, but for the size of its trades.

    Those of `execute` that a training passes on are among them.
    """

    template_context: Mapping[str, Any] | None

    method: str | Searcher
    objective: str | Objective
    select: str | Selector | None
    borrow: float | str
    passes: int
    min_trades: int
    costs: Costs | Mapping[str, Costs] | None
    recency: float
    detrend: str | None
    population: int
    generations: int
    mutation_rate: float
    crossover_rate: float
    n_evaluations: int | None
    seed: int | None
    curves: bool
    samples: tuple[str, int] | None
    check: bool
    on_step: Callable[[StepInfo], object] | None


class TrainArguments(SearchArguments, total=False):
    """The options of a training by name and type, for ``**options: Unpack[TrainArguments]``."""

    sizing: str
    capital: float | None
    whole: bool


_NOT_PASSED_ON = {"merge_func", "merge_kwargs", "keep", "to", "raise_no_results"}
EXECUTE_OPTIONS = frozenset(Settings.__dataclass_fields__) - _NOT_PASSED_ON
"""Options of `execute` that a training passes on."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train: the options of `train` with their defaults, checked.

    `execute` holds the options of `execute` among them.
    """

    method: str | Searcher = "ascent"
    objective: str | Objective = "prr"
    select: str | Selector | None = None
    borrow: float | str = 0.0
    passes: int = 1
    min_trades: int = 5
    costs: Costs | Mapping[str, Costs] | None = None
    sizing: str = "unit"
    capital: float | None = None
    whole: bool = False
    recency: float = 1.0
    detrend: str | None = None
    population: int = 100
    generations: int = 50
    mutation_rate: float = 0.05
    crossover_rate: float = 0.8
    n_evaluations: int | None = None
    seed: int | None = 0
    curves: bool = False
    samples: tuple[str, int] | None = None
    check: bool = True
    on_step: Callable[[StepInfo], object] | None = None
    execute: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, owner: str, options: Mapping[str, Any], also: Iterable[str] = ()) -> TrainOptions:
        """Return the options that a user gave `owner`, those of `execute` gathered.

        Raises
        ------
        TypeError
            If neither knows an option; one of `also`, arguments of `owner`, may have been meant.
        """
        training_options: dict[str, Any] = {}
        execute: dict[str, Any] = {}
        for name, value in options.items():
            if name in OPTION_NAMES:
                training_options[name] = value
            elif name not in EXECUTE_OPTIONS:
                raise check.unknown_option(owner, name, {*EXECUTE_OPTIONS, *OPTION_NAMES, *also})
            elif name != "store" or value is not None:  # no store is what there is without one
                execute[name] = value
        return cls(**training_options, execute=execute)

    def __post_init__(self) -> None:
        if self.sizing != "unit" or self.capital is not None or self.whole is not False:
            check.one_of("sizing", self.sizing, SIZINGS)
            Sizing.of(self.sizing, capital=self.capital, whole=self.whole)
            if self.capital is not None and self.sizing in {"unit", "script"}:
                rule = f"be left out where sizing is {self.sizing!r}"
                remedy = 'Lots cost what they cost. Pass sizing="money" or sizing="equity" with it.'
                raise ParamError(broken_rule("capital", rule, self.capital, remedy))
        check.one_of("detrend", self.detrend, DETRENDS)
        _check_borrow(self.borrow)
        remedy = "1 weighs all trades alike, 2 the last ones twice as much as the first."
        check.number("recency", self.recency, 1, remedy)
        check.number("min_trades", self.min_trades, 0)
        check.integer("passes", self.passes)
        check.flag("curves", self.curves)
        check.flag("check", self.check)
        # The settings of a method are checked even where another one is used.
        genetic = _genetic_of(self)
        if any(map(operator.is_not, genetic, _GENETIC)):
            Genetic(*genetic)
        for name, least in (("n_evaluations", 1), ("seed", 0)):
            if getattr(self, name) is not None:
                check.integer(name, getattr(self, name), least)
        if self.on_step is not None and not callable(self.on_step):
            raise ParamError(broken_rule("on_step", "be callable", self.on_step))
        for name in self.execute:
            if name not in EXECUTE_OPTIONS:
                raise check.unknown_option("train", name, {*EXECUTE_OPTIONS, *OPTION_NAMES})
        if self.execute:
            Settings(**self.execute)

    def size(self) -> Sizing:
        """Return how large the trades of evaluations are."""
        return Sizing.of(self.sizing, capital=self.capital, whole=self.whole)

    def settings(self) -> dict[str, Any]:
        """Return all options by name, those of `execute` among them."""
        return {**dict(zip(OPTION_NAMES, _values_of(self), strict=True)), **self.execute}

    def searcher(self) -> Searcher:
        """Return the searcher that `method` and the settings next to it mean.

        Raises
        ------
        ParamError
            If the method is unknown, is no searcher, or does not take a setting that was given.
        """
        select, n_evaluations = self.select, self.n_evaluations
        method: Any = self.method
        if isinstance(method, str):
            check.one_of("method", method, METHODS)
            if select is None:
                select = "hill" if method in {"ascent", "brute"} else "peak"
            if method == "ascent":
                return Ascent(select, self.passes)
            if method == "brute":
                return Brute(select)
            if method == "random":
                return (
                    Random(select=select)
                    if n_evaluations is None
                    else Random(n_evaluations, select)
                )
            genetic = Genetic(*_genetic_of(self), select)
            return genetic if n_evaluations is None else LimitedSearcher(genetic, n_evaluations)
        check_searcher(method)
        if select is not None:
            rule = "be left out where method is a searcher"
            raise ParamError(broken_rule("select", rule, select, "Give it to the searcher."))
        if n_evaluations is not None:
            has_limit = dataclasses.is_dataclass(method) and hasattr(method, "n_evaluations")
            if not has_limit:
                return LimitedSearcher(method, n_evaluations)
            method = replace(method, n_evaluations=n_evaluations)
        searcher: Searcher = method
        return searcher


def _check_borrow(borrow: object) -> None:
    """Raise `ParamError` unless it is a share or "auto"."""
    share = check.real(borrow)
    if not (isinstance(borrow, str) and borrow == AUTO) and not (
        share is not None and 0 <= share <= 1
    ):
        rule = f'be a share from 0 to 1, or "{AUTO}"'
        remedy = "0.5 gives the others as much weight as the component itself."
        raise ParamError(broken_rule("borrow", rule, borrow, remedy))


OPTION_NAMES = [name for name in TrainOptions.__dataclass_fields__ if name != "execute"]
_values_of = operator.attrgetter(*OPTION_NAMES)
_OF_GENETIC = ("population", "generations", "mutation_rate", "crossover_rate")
_genetic_of = operator.attrgetter(*_OF_GENETIC)
_GENETIC = [TrainOptions.__dataclass_fields__[name].default for name in _OF_GENETIC]


class _Counted(NamedTuple):
    """The state of the inner searcher, and how many points it has had evaluated."""

    inner: Any
    n_points: int


class LimitedSearcher:
    """A searcher that ends after a number of points."""

    def __init__(self, inner: Searcher, n_evaluations: int) -> None:
        self.inner = inner
        self.most = n_evaluations
        # What the inner searcher can do besides is passed on, and only then.
        for name in ("choice", "position"):
            if hasattr(inner, name):
                setattr(self, name, partial(_call_inner, getattr(inner, name)))

    def start(self, space: SearchSpace, seed: int | None) -> _Counted:
        """Return the first state."""
        return _Counted(self.inner.start(space, seed), 0)

    def ask(self, state: _Counted) -> Sequence[Point]:
        """Return the next points of the inner searcher, up to the limit."""
        left = self.most - state.n_points
        return list(self.inner.ask(state.inner))[:left] if left > 0 else []

    def tell(self, state: _Counted, points: Sequence[Point], scores: Sequence[float]) -> _Counted:
        """Return the next state."""
        return _Counted(self.inner.tell(state.inner, points, scores), state.n_points + len(points))


def _call_inner(method: Callable[[Any], object], state: _Counted) -> object:
    return method(state.inner)


_UNUSED_HERE = {"n_workers", "store_key", "engine", "show_progress", "pbar_kwargs"}


def needs_engine(execute: Mapping[str, Any]) -> bool:
    """Return whether evaluations go through a run: for an engine, a store, callbacks, ….

    Otherwise they are plain calls, one after the other.
    """
    if not is_serial(execute.get("engine", "serial")):
        return True
    return any(value is not None for name, value in execute.items() if name not in _UNUSED_HERE)
