# SPDX-License-Identifier: BSD-3-Clause
"""What a test is run with: values, costs and sizes, and where each of them comes from."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.filenames import file_stem
from broadpeak._simulation.costs import Costs
from broadpeak._store.par import Parameters, read_par
from broadpeak._store.provenance import Provenance
from broadpeak._training.components import Bars
from broadpeak._training.fits import FittedModels
from broadpeak._training.sizing import Sizing
from broadpeak._training.strategy import Strategy
from broadpeak._training.values import Defaults, TrainedValues
from broadpeak.errors import (
    BroadpeakError,
    ParamError,
    ParFileError,
    broken_rule,
    shown,
)


class _Trained(Protocol):
    """An object with chosen values, such as a `Training`; components may have `members`."""

    @property
    def params(self) -> Mapping[str, Mapping[str, float]]: ...
    @property
    def components(self) -> Mapping[str, object]: ...


ParamsLike: TypeAlias = (
    "_Trained | Parameters | Defaults | str | os.PathLike[str] | "
    "Mapping[str, Mapping[str, float]] | None"
)
"""A training, what `read_par` returns, a path, ``{component: {name: value}}``, or the defaults."""

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
        path = check.path("params", params, _REMEDY)
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


def points_of(components: Mapping[str, Any]) -> dict[str, list[tuple[float, ...]]]:
    """Return the values of each member of what was chosen, or those of the only one."""
    return {
        key: [tuple(member.params.values()) for member in found.members]
        or [tuple(found.params.values())]
        for key, found in components.items()
    }


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


# ------------------------------------------------------------------ what was trained on


def span_of(index: pd.Index, period: tuple[Any, Any]) -> slice | None:
    """Return the bars of `index` within a period; None where labels are of another kind."""
    first, last = _as_labels(index, period)
    try:
        return slice(
            int(index.searchsorted(first, side="left")), int(index.searchsorted(last, side="right"))
        )
    except (TypeError, ValueError):
        return None


def bar_after(index: pd.Index, label: Any) -> int:
    """Return the first bar of `index` after a label.

    Raises
    ------
    ParamError
        If the label is of another kind than those of the index.
    """
    span = span_of(index, (label, label))
    if span is None:
        rule = f"end at a label of the index ({index.dtype})"
        raise ParamError(broken_rule("a training", rule, label, "Pass the prices it had."))
    return int(span.stop)


def _moment(label: Any, index: pd.DatetimeIndex) -> Any:
    try:
        moment = pd.Timestamp(label)
    except (TypeError, ValueError):
        return label
    if isinstance(label, (int, float)):
        return label  # the number of a bar is no date
    if (moment.tz is None) is (index.tz is None):
        return moment
    return moment.tz_localize(index.tz if moment.tz is None else None)


def prices_key(
    bars: Mapping[str, Bars], assets: Iterable[str], period: tuple[Any, Any] | None
) -> str:
    """Return a fingerprint of the prices of some assets within a period; "" where there is none.

    Volume does not count: vendors correct it.
    """
    digest = hashlib.blake2b(digest_size=8)
    for asset in assets:
        own = bars.get(asset)
        span = None if own is None or period is None else span_of(own.index, period)
        if own is None or span is None or span.start >= span.stop:
            return ""
        index = own.index[span]
        if isinstance(index, pd.DatetimeIndex):
            digest.update(index.as_unit("us").asi8.tobytes())
        else:
            digest.update("\0".join(map(str, index)).encode())
        for column in (own.open, own.high, own.low, own.close):
            digest.update(np.ascontiguousarray(column[span]).tobytes())
    return digest.hexdigest()


def same_prices_as(
    origin: Provenance, bars: Mapping[str, Bars], *, is_same_data: bool
) -> bool | None:
    """Return whether bars have the prices that were trained on; None where nobody can know.

    Bars that begin or end within the period of the training have only some of those prices, and no
    fingerprint of these is known.
    """
    if not origin.prices or origin.period is None:
        return None
    if is_same_data or prices_key(bars, origin.costs, origin.period) == origin.prices:
        return True
    indexes = [bars[asset].index for asset in origin.costs if asset in bars]
    if len(indexes) < len(origin.costs):
        return None
    try:
        edges = [
            (one[0] <= first, one[-1] >= last)
            for one in indexes
            for first, last in [_as_labels(one, origin.period)]
        ]
    except TypeError:  # labels of another kind: other prices
        return False
    # An asset may begin later than others; none of them does where the data is cut.
    return False if all(map(any, zip(*edges, strict=True))) else None


def _as_labels(index: pd.Index, period: tuple[Any, Any]) -> tuple[Any, Any]:
    first, last = period
    if isinstance(index, pd.DatetimeIndex):
        return _moment(first, index), _moment(last, index)
    return first, last


def sample_of(
    indexes: Iterable[pd.Index], origin: Provenance | None, *, same_prices: bool | None
) -> str:
    """Return "in sample" where all of these bars were trained on, "" where nobody knows.

    Bars without dates are those of the training only where their prices are: any other prices have
    bars of the same numbers.
    """
    if origin is None or origin.period is None:
        return ""
    found = set()
    for index in indexes:
        if not (same_prices or isinstance(index, pd.DatetimeIndex)):
            return ""
        found.add(_share_of(index, origin.period))
    if len(found) > 1 and None not in found:
        return "partly in sample"
    return found.pop() or "" if len(found) == 1 else ""


def _share_of(index: pd.Index, period: tuple[Any, Any]) -> str | None:
    """Return how much of `index` is within a period; None where labels are of another kind."""
    first, last = _as_labels(index, period)
    begin, end = index[0], index[-1]
    try:  # most tests need no search
        if begin >= first and end <= last:
            return "in sample"
        if end < first or begin > last:
            return "out of sample"
    except TypeError:
        return None
    span = span_of(index, period)
    if span is None:
        return None
    return "partly in sample" if span.stop > span.start else "out of sample"


# ------------------------------------------------------------------ parameters as users pass them

_REMEDY = "Pass a Training, bp.read_par(path), or {component: {name: value}}."


def values_for(strategy: Strategy, params: ParamsLike) -> TrainedValues | Defaults:
    """Return the source of values that `params` means; None means the defaults.

    Raises
    ------
    ParamError, ParFileError
        If `params` is nothing that holds parameters, or belongs to another strategy.
    """
    if params is None:
        return Defaults()
    if isinstance(params, Defaults):
        return params
    if isinstance(params, (str, os.PathLike)):
        params = read_par(check.path("params", params, _REMEDY))
    if isinstance(params, Parameters):
        # Names that a file cannot hold as they are: white space is one blank in it.
        if params.strategy and params.strategy.split() != strategy.name.split():
            msg = (
                f"The parameter file must be of strategy {strategy.name!r}, got one of "
                f"{params.strategy!r}. Train this strategy, or correct the line '# strategy' if it "
                "was renamed."
            )
            raise ParFileError(msg)
        named = all(line.named for line in params.components.values())
        return trained_values(params, "The parameter file", named=named, error=ParFileError)
    if hasattr(params, "params") and hasattr(params, "components"):  # a Training
        return trained_values(params, "The training")
    if not isinstance(params, Mapping):
        raise ParamError(broken_rule("params", "hold parameters", params, _REMEDY))
    for key, values in params.items():
        typed: tuple[object, object] = (key, values)
        if not isinstance(typed[0], str) or not isinstance(typed[1], Mapping):
            rule = "be {component: {name: value}}"
            raise ParamError(broken_rule("params", rule, params, _REMEDY))
        for name, value in values.items():
            check.number(f"params[{key!r}][{name!r}]", value)
    if not params:
        raise ParamError(broken_rule("params", "name at least one component", params, _REMEDY))
    return TrainedValues(dict(params), named=True, source="params", error=ParamError)


def trained_values(
    trained: _Trained,
    source: str,
    *,
    named: bool = True,
    error: type[BroadpeakError] = ParamError,
) -> TrainedValues:
    """Return the values of a training or a file; of an ensemble all members."""
    table = dict(trained.params)
    sets = {}
    for key, one in trained.components.items():
        if members := getattr(one, "members", ()):
            table[key] = members[0].params
            sets[key] = [(member.params, member.weight) for member in members]
    if sets:
        sets = {key: sets.get(key) or [(values, 1.0)] for key, values in table.items()}
    models = getattr(trained, "models", None)
    return TrainedValues(
        table,
        named=named,
        source=source,
        error=error,
        sets=sets,
        models=models if isinstance(models, FittedModels) else None,
        centre=trained.params,
    )
