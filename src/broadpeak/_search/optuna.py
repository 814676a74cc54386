# SPDX-License-Identifier: BSD-3-Clause
"""Optuna's samplers as searchers, behind the extra ``optuna``."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from broadpeak._core import check, optional, rng
from broadpeak._search.protocol import Choice, Point, SearchPosition, finite_scores
from broadpeak._search.searchspace import SearchSpace
from broadpeak._search.selectors import Selector, resolve_selector
from broadpeak._search.stepgrid import Codes, StepGrid, choose, code_array, draw, even_grid
from broadpeak.errors import MissingExtraError, ParamError, broken_rule

_CLASSES = {
    "tpe": "TPESampler",
    "cmaes": "CmaEsSampler",
    "gp": "GPSampler",
    "nsgaii": "NSGAIISampler",
    "qmc": "QMCSampler",
    "random": "RandomSampler",
}

# Packages that Optuna itself does not install, and settings that make samplers behave as here.
_NEEDS = {"cmaes": ("cmaes", "optuna"), "gp": ("torch", "optuna")}
_SETTINGS: dict[str, dict[str, Any]] = {
    "cmaes": {"warn_independent_sampling": False},
    "gp": {"warn_independent_sampling": False, "deterministic_objective": True},
    "qmc": {
        "scramble": True,
        "warn_independent_sampling": False,
        "warn_asynchronous_seeding": False,
    },
}

MAX_REPEATS = 20
"""Known combinations a sampler may propose in a row before one is drawn at random instead."""


@dataclass(frozen=True, slots=True)
class OptunaState:
    """Everything that was evaluated; the study can be rebuilt from it."""

    grid: StepGrid  # the space
    seed: int  # seed of the sampler
    # Evaluated combinations and their scores, batch by batch.
    codes: tuple[tuple[Codes, ...], ...] = ()
    scores: tuple[tuple[float, ...], ...] = ()
    stopped: bool = False  # whether the search was ended

    @property
    def n_evaluated(self) -> int:
        """Number of combinations evaluated so far."""
        return sum(map(len, self.scores))


@dataclass(frozen=True)
class Optuna:
    """Search with one of Optuna's samplers, on the step grid, no combination twice.

    Parameters
    ----------
    sampler : "tpe", "cmaes", "gp", "nsgaii", "qmc" or "random"
        Which one. "gp" needs the package torch as well.
    n_evaluations : int
        How many combinations; all of them where the grid has no more. The first is the defaults.
    batch : int
        Combinations proposed at once. 1 searches best; more keep more workers busy.
    select : "hill", "plateau", "peak" or a selector
        How one is chosen from those evaluated.
    options : mapping, optional
        Further arguments of the sampler.

    Raises
    ------
    ParamError
        If a name is unknown or a number less than 1.
    MissingExtraError
        When the search starts, if Optuna (or what the sampler needs) is not installed.

    Notes
    -----
    The study is kept in memory, with a seeded sampler. It is a cache: where it is missing it is
    rebuilt from the state, so that a search can go on in another process.

    Examples
    --------
    >>> Optuna("tpe", n_evaluations=50).n_evaluations
    50
    """

    sampler: str = "tpe"
    n_evaluations: int = 100
    batch: int = 1
    select: str | Selector = "peak"
    options: Mapping[str, Any] | None = None
    _live: dict[OptunaState, _Live] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check.one_of("sampler", self.sampler, _CLASSES)
        for name in ("n_evaluations", "batch"):
            object.__setattr__(self, name, check.integer(name, getattr(self, name)))
        object.__setattr__(self, "select", resolve_selector(self.select, several=True))
        if self.options is not None:
            check.mapping("options", self.options, "Type: options={'n_startup_trials': 20}")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_live": {}}

    def start(self, space: SearchSpace, seed: int | None = 0) -> OptunaState:
        """Return the state before the first combination."""
        grid = even_grid(space)
        seed = check.seed(seed)
        if seed is None:
            seed = secrets.randbits(32)
        _load(self.sampler)
        return OptunaState(grid, seed, stopped=not grid.searched)

    def ask(self, state: OptunaState) -> list[Point]:
        """Return the next combinations."""
        left = min(self.n_evaluations, state.grid.size) - state.n_evaluated
        if state.stopped or left <= 0:
            return []
        live = self._live.pop(state, None) or self._rebuilt_study(state)
        if not live.proposed:
            live.ask(min(self.batch, left))
        self._keep(state, live)
        return [state.grid.point(codes) for codes in live.proposed]

    def tell(
        self, state: OptunaState, points: Sequence[Point], scores: Sequence[float]
    ) -> OptunaState:
        """Return the state with `scores`."""
        self.ask(state)  # makes sure that the study is there
        live = self._live.pop(state)
        batch = tuple(map(float, scores))
        codes = tuple(live.proposed)[: len(batch)]
        partial = len(batch) < len(live.proposed)
        live.tell(batch)
        new = replace(
            state,
            codes=(*state.codes, codes),
            scores=(*state.scores, batch),
            stopped=partial,
        )
        self._keep(new, live)
        return new

    def stop(
        self, state: OptunaState, points: Sequence[Point], scores: Sequence[float]
    ) -> OptunaState:
        """Return the state after the search was ended with `points`."""
        return replace(self.tell(state, points, scores), stopped=True)

    def position(self, state: OptunaState) -> SearchPosition:
        """Return the number of the next combination."""
        return SearchPosition(first_step=state.n_evaluated + 1)

    def choice(self, state: OptunaState) -> Choice:
        """Return the combination chosen from those evaluated."""
        codes = code_array([g for batch in state.codes for g in batch], len(state.grid.values))
        scores = np.array([score for batch in state.scores for score in batch])
        return choose(state.grid, codes, scores, resolve_selector(self.select, several=True))

    def _keep(self, state: OptunaState, live: _Live) -> None:
        while len(self._live) >= 16:
            self._live.pop(next(iter(self._live)), None)
        self._live[state] = live

    def _rebuilt_study(self, state: OptunaState) -> _Live:
        live = _Live(state, self.sampler, dict(self.options or {}))
        for scores in state.scores:
            live.ask(len(scores))
            live.tell(scores)
        return live


class _Live:
    """A study in memory, and the trials that have no score yet."""

    def __init__(self, state: OptunaState, sampler: str, options: dict[str, Any]) -> None:
        self.proposed: dict[Codes, Any] = {}
        self._known: dict[Codes, float] = {}
        self._grid = state.grid
        self._seed = state.seed
        self._optuna = _load(sampler)
        with _silent(self._optuna):
            settings = {"seed": state.seed % 2**32, **_SETTINGS.get(sampler, {}), **options}
            try:
                made = getattr(self._optuna.samplers, _CLASSES[sampler])(**settings)
            except (TypeError, ValueError) as error:
                rule = f"be arguments of the sampler {sampler!r}"
                raise ParamError(broken_rule("options", rule, options, f"{error}.")) from error
            self._study = self._optuna.create_study(direction="maximize", sampler=made)
        self._ranges = {
            f"x{axis}": self._optuna.distributions.IntDistribution(0, n - 1)
            for axis, n in enumerate(state.grid.shape)
            if n > 1
        }
        self._enqueue(state.grid.default_codes())

    def ask(self, n: int) -> None:
        """Let the study propose `n` combinations that are new."""
        repeats = 0
        with _silent(self._optuna):
            while len(self.proposed) < n:
                if repeats >= MAX_REPEATS:
                    self._enqueue(self._new_combination())
                    repeats = 0
                trial = self._study.ask(self._ranges)
                codes = self._codes(trial.params)
                if codes in self._known:
                    self._study.tell(trial, self._known[codes])
                    repeats += 1
                elif codes in self.proposed:
                    self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                    repeats += 1
                else:
                    self.proposed[codes] = trial

    def tell(self, scores: Sequence[float]) -> None:
        """Pass on the scores of what was proposed, in order."""
        usable = finite_scores([*self._known.values(), *scores])[len(self._known) :]
        with _silent(self._optuna):
            for (codes, trial), score in zip(self.proposed.items(), usable, strict=False):
                self._known[codes] = score
                self._study.tell(trial, score)
        self.proposed = {}

    def _codes(self, params: Mapping[str, int]) -> Codes:
        return tuple(int(params.get(f"x{axis}", 0)) for axis in range(len(self._grid.shape)))

    def _enqueue(self, codes: Codes) -> None:
        params = {f"x{axis}": code for axis, code in enumerate(codes)}
        self._study.enqueue_trial({name: params[name] for name in self._ranges})

    def _new_combination(self) -> Codes:
        """Return a combination that is neither known nor proposed."""
        taken = len(self._known) + len(self.proposed)
        generator = rng.generator(self._seed, taken)
        drawn = draw(self._grid, min(taken + 1, self._grid.size), generator)
        return next(g for g in drawn if g not in self._known and g not in self.proposed)


def _load(sampler: str) -> ModuleType:
    """Import Optuna and what `sampler` needs besides."""
    purpose = f"The sampler {sampler!r}"
    loaded = optional.load("optuna", extra="optuna", purpose=purpose)
    if sampler in _NEEDS:
        package, extra = _NEEDS[sampler]
        try:
            optional.load(package, extra=extra, purpose=purpose)
        except MissingExtraError as error:
            msg = (
                f"{purpose} needs the package {package!r}, which is not installed. "
                f'Type: pip install "broadpeak[{extra}]" {package}'
            )
            raise MissingExtraError(msg, name=package) from error
    return loaded


@contextmanager
def _silent(optuna: ModuleType) -> Iterator[None]:
    """Silence Optuna's notes on experimental features and new studies."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
