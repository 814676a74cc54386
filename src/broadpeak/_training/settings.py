# SPDX-License-Identifier: BSD-3-Clause
"""How to train: all settings of one training, checked once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from broadpeak._core import check
from broadpeak._run.options import Settings
from broadpeak._search.genetic import Genetic
from broadpeak.errors import ParamError, broken_rule

SIZINGS = ("unit", "script")
DETRENDS = (None, "trades", "prices")
_PLACED = {"merge_func", "merge_kwargs", "raise_no_results"}
EXECUTE_OPTIONS = frozenset(Settings.__dataclass_fields__) - _PLACED
"""Options of `execute` that a training passes on."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Settings of a training, as `train` documents them."""

    method: Any = "ascent"
    objective: Any = "prr"
    select: Any = None
    passes: int = 1
    min_trades: int = 5
    costs: Any = None
    sizing: str = "unit"
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
    on_step: Callable[..., Any] | None = None
    execute: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check.one_of("sizing", self.sizing, SIZINGS)
        check.one_of("detrend", self.detrend, DETRENDS)
        remedy = "1 weighs all trades alike, 2 the last ones twice as much as the first."
        check.number("recency", self.recency, 1, remedy)
        check.number("min_trades", self.min_trades, 0)
        check.integer("passes", self.passes)
        check.flag("curves", self.curves)
        # Settings of a method are checked even where another one is asked for.
        Genetic(self.population, self.generations, self.mutation_rate, self.crossover_rate)
        for name, least in (("n_evaluations", 1), ("seed", 0)):
            if getattr(self, name) is not None:
                check.integer(name, getattr(self, name), least)
        if self.on_step is not None and not callable(self.on_step):
            raise ParamError(broken_rule("on_step", "be callable", self.on_step))
        for name in self.execute:
            if name not in EXECUTE_OPTIONS:
                raise check.unknown_option("train", name, {*EXECUTE_OPTIONS, *_NAMES})


_NAMES = frozenset(TrainOptions.__dataclass_fields__) - {"execute"}


def split_options(
    owner: str, options: Mapping[str, Any], also: Iterable[str] = ()
) -> dict[str, Any]:
    """Return `options` as arguments of `TrainOptions`, those of `execute` gathered.

    Parameters
    ----------
    owner : str
        The function, for messages.
    options : mapping
        What it was given besides its own arguments.
    also : iterable of str
        Its own arguments, one of which may have been meant.

    Raises
    ------
    TypeError
        If an option is known to neither.
    """
    own = {name: value for name, value in options.items() if name in _NAMES}
    rest = {name: value for name, value in options.items() if name not in _NAMES}
    if rest.get("store", 0) is None:
        del rest["store"]  # no store is what there is without one
    for name in rest:
        if name not in EXECUTE_OPTIONS:
            raise check.unknown_option(owner, name, {*EXECUTE_OPTIONS, *_NAMES, *also})
    return {**own, "execute": rest}
