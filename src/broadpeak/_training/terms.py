# SPDX-License-Identifier: BSD-3-Clause
"""What a test is run with: values, costs and sizes, and where each of them comes from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from broadpeak._core import check
from broadpeak._core.filenames import file_stem
from broadpeak._simulation.costs import Costs
from broadpeak._store.par import Parameters, read_par
from broadpeak._store.provenance import Provenance
from broadpeak._training.sizing import Sizing
from broadpeak._training.strategy import Strategy
from broadpeak._training.trained import REMEDY, ParamsLike, points_of, trained_values, values_for
from broadpeak._training.values import Defaults, TrainedValues
from broadpeak.errors import ParamError, ParFileError, broken_rule, shown

CostsLike: TypeAlias = "Costs | Mapping[str, Costs] | None"

TRADED_SIZINGS = frozenset({"script", "money", "equity"})
"""What a test takes over from a training: one lot is how values are compared, not traded."""


class Stretch(NamedTuple):
    """A training whose values rule the bars after its own last one, `after`.

    `points` are the values of each member of each component, `trained` is its period as text.
    """

    values: TrainedValues
    points: Mapping[str, list[tuple[float, ...]]]
    after: Any
    trained: str


class Replay(NamedTuple):
    """A walk-forward run that is traded again: its trainings in order, and what its borders do."""

    stretches: tuple[Stretch, ...]
    border: str
    horizon: int


class RunTerms(NamedTuple):
    """What a test is run with.

    Attributes
    ----------
    values : TrainedValues or Defaults
        Of a walk-forward run those of its last training.
    costs, costs_from
        What is charged, and who said so: "argument", "training", "file", "walk-forward", "none".
    sizing, sizing_from
        The same for sizes; one without a kind, from "strategy", follows from the strategy.
    provenance : Provenance or None
    replay : Replay or None
        Where the values are those of a walk-forward run.
    data : object
        The very prices that were trained on, if they are known.
    """

    values: TrainedValues | Defaults
    costs: CostsLike
    costs_from: str
    sizing: Sizing
    sizing_from: str
    provenance: Provenance | None
    replay: Replay | None
    data: object

    def costs_of(self, assets: Iterable[str]) -> CostsLike:
        """Return the costs of these assets; those that were taken over may know more of them."""
        if self.costs_from == "argument" or not isinstance(self.costs, Mapping):
            return self.costs
        return {asset: self.costs[asset] for asset in assets if asset in self.costs}


class _KnownTerms(NamedTuple):
    """What parameters say of costs and sizes."""

    source: str
    costs: CostsLike
    sizing: str | None
    capital: float | None
    whole: bool
    provenance: Provenance | None
    data: object = None


_NOTHING_KNOWN = _KnownTerms("none", None, None, None, False, None)


def terms_of(
    strategy: Strategy,
    params: ParamsLike,
    *,
    costs: CostsLike,
    sizing: str | None,
    capital: float | None,
    whole: bool,
) -> RunTerms:
    """Return what a test is run with: what was passed, else what the parameters say.

    Where a sizing is passed, its capital and `whole` are those that were passed as well.

    Raises
    ------
    ParamError, ParFileError
        If `params` is nothing that holds parameters, or belongs to another strategy.
    """
    Sizing.of(sizing, capital=capital, whole=whole)  # checked, whatever the parameters say
    replay, known, chosen = _opened(strategy, params)
    values = values_for(strategy, chosen)
    if sizing is not None or known.sizing is None:
        sizing_from = "strategy" if sizing is None else "argument"
    else:
        sizing, sizing_from = known.sizing, known.source
        capital = known.capital if capital is None else capital
        whole = whole or known.whole
    return RunTerms(
        values,
        known.costs if costs is None else costs,
        known.source if costs is None else "argument",
        Sizing.of(sizing, capital=capital, whole=whole),
        sizing_from,
        known.provenance,
        replay,
        known.data,
    )


def _opened(
    strategy: Strategy, params: ParamsLike
) -> tuple[Replay | None, _KnownTerms, ParamsLike]:
    """Return the run to trade again, if there is one, what is known, and the values to go by."""
    if isinstance(params, (str, os.PathLike)):
        path = check.path("params", params, REMEDY)
        if path.is_dir():
            files = _cycle_files(strategy, path)
            return (*_replay_of_files(strategy, files), files[-1])
        params = read_par(path)
    trainings = getattr(params, "trainings", None)
    if trainings:  # a WalkForward
        return (*_replay_of_run(params), trainings[-1])
    return None, _known(params), params


def _known(params: ParamsLike) -> _KnownTerms:
    """Return what a training or a file says of costs and sizes."""
    if isinstance(params, Parameters):
        origin = params.provenance
        return _NOTHING_KNOWN if origin is None else _known_of_file(origin)
    settings = getattr(params, "settings", None)
    if not isinstance(settings, Mapping) or "costs" not in settings:
        return _NOTHING_KNOWN
    sizing, capital, whole = _traded(
        settings.get("sizing"), settings.get("capital"), whole=settings.get("whole", False)
    )
    origin = getattr(params, "provenance", None)
    data = getattr(params, "data", None)
    return _KnownTerms("training", settings["costs"], sizing, capital, whole, origin, data)


def _known_of_file(origin: Provenance) -> _KnownTerms:
    table = {asset: _costs(asset, numbers) for asset, numbers in origin.costs.items()}
    traded = _traded(origin.sizing, origin.capital, whole=origin.whole)
    cycle = origin.cycle
    if cycle is not None and cycle.sizing:  # how the run that it belongs to was tested
        traded = cycle.sizing, cycle.capital, cycle.whole
    return _KnownTerms("file", table, *traded, origin)


def _traded(
    sizing: object, capital: float | None, *, whole: bool
) -> tuple[str | None, float | None, bool]:
    if isinstance(sizing, str) and sizing in TRADED_SIZINGS:
        return sizing, capital, whole
    return None, None, False


def _costs(asset: str, numbers: Mapping[str, float]) -> Costs:
    names = [field.name for field in fields(Costs)]
    for name in numbers:
        if name not in names:
            rule = f"be one of {', '.join(names)}"
            remedy = "Correct the line '# costs:' of the parameter file, or pass costs=."
            raise ParFileError(broken_rule(f"a cost of {asset!r}", rule, name, remedy))
    try:
        return Costs(**numbers)
    except ParamError as error:
        raise ParFileError(f"The line '# costs:' of {asset!r} is wrong: {error}") from error


# ------------------------------------------------------------------ a walk-forward run again


def _replay_of_run(run: Any) -> tuple[Replay, _KnownTerms]:
    """Return a `WalkForward` as trainings that rule bars, and its costs and sizes."""
    settings = run.settings
    stretches = tuple(
        Stretch(
            trained_values(one, "The training"),
            points_of(one.components),
            one.period[1],
            Provenance(period=one.period).trained,
        )
        for one in run.trainings
    )
    facts = run.portfolio.facts
    sizing = facts.get("sizing") or settings.get("sizing")
    capital = settings.get("capital")
    whole = bool(settings.get("whole", False))
    known = _KnownTerms(
        "walk-forward", settings.get("costs"), sizing, capital, whole, run.provenance, run.data
    )
    return Replay(stretches, settings["border"], settings["horizon"]), known


def _cycle_files(strategy: Strategy, folder: Path) -> list[Parameters]:
    """Return the files of a walk-forward run in a folder, in the order of their cycles."""
    stem = file_stem(strategy.name)
    is_one = re.compile(rf"{re.escape(stem)}(?:_[0-9]+)?").fullmatch
    paths = sorted(path for path in folder.glob("*.par") if is_one(path.stem))
    if not paths:
        msg = (
            f"{shown(str(folder))} must hold parameter files of strategy {strategy.name!r} "
            f"({stem}_1.par, …), got none. Write them with to_par() of a walk-forward run, or pass "
            "the path of one file."
        )
        raise ParFileError(msg)
    found: dict[int, Parameters] = {}
    n_cycles, first = 0, paths[0]
    for path in paths:
        one = read_par(path)
        origin = one.provenance
        if origin is None or origin.cycle is None or origin.period is None:
            msg = (
                f"{path} must say which bars its cycle was trained on, in lines '# period:' and "
                "'# cycle:', got none. Write the files again with to_par() of a walk-forward run, "
                "or pass the path of one file."
            )
            raise ParFileError(msg)
        number, cycles = origin.cycle.number, origin.cycle.cycles
        if number in found or n_cycles not in {0, cycles}:
            msg = (
                f"{shown(str(folder))} must hold the files of one walk-forward run, got "
                f"{path.name} of cycle {number} of {cycles} beside {first.name} of {n_cycles} "
                "cycles. Delete the files of the other run."
            )
            raise ParFileError(msg)
        n_cycles, found[number] = cycles, one
    missing = sorted({*range(1, n_cycles)} - {*found})
    if missing:
        msg = (
            f"{shown(str(folder))} must hold the file of every cycle of the walk-forward run, got "
            f"none of cycle {missing[0]} of {n_cycles}. Write them again with to_par()."
        )
        raise ParFileError(msg)
    return [found[number] for number in sorted(found)]


def _replay_of_files(strategy: Strategy, files: Sequence[Parameters]) -> tuple[Replay, _KnownTerms]:
    """Return the files of a walk-forward run as trainings that rule bars; its costs and sizes."""
    stretches = []
    for one in files:
        origin, values = one.provenance, values_for(strategy, one)
        if isinstance(values, TrainedValues) and origin is not None and origin.period is not None:
            points = points_of(one.components)
            stretches.append(Stretch(values, points, origin.period[1], origin.trained))
    last = files[-1].provenance
    if last is None or last.cycle is None:
        raise ParFileError(broken_rule("a file of a walk-forward run", "name its cycle", last))
    return Replay(tuple(stretches), last.cycle.border, last.cycle.horizon), _known_of_file(last)
