# SPDX-License-Identifier: BSD-3-Clause
"""Values that were trained, whatever holds them: a training, a file, a dict."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from broadpeak._core import check
from broadpeak._store.par import Parameters, read_par
from broadpeak._training.fits import FittedModels
from broadpeak._training.strategy import Strategy
from broadpeak._training.values import Defaults, TrainedValues
from broadpeak.errors import BroadpeakError, ParamError, ParFileError, broken_rule


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

REMEDY = "Pass a Training, bp.read_par(path), or {component: {name: value}}."


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
        params = read_par(check.path("params", params, REMEDY))
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
        raise ParamError(broken_rule("params", "hold parameters", params, REMEDY))
    for key, values in params.items():
        typed: tuple[object, object] = (key, values)
        if not isinstance(typed[0], str) or not isinstance(typed[1], Mapping):
            rule = "be {component: {name: value}}"
            raise ParamError(broken_rule("params", rule, params, REMEDY))
        for name, value in values.items():
            check.number(f"params[{key!r}][{name!r}]", value)
    if not params:
        raise ParamError(broken_rule("params", "name at least one component", params, REMEDY))
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


def points_of(components: Mapping[str, Any]) -> dict[str, list[tuple[float, ...]]]:
    """Return the values of each member of what was chosen, or those of the only one."""
    return {
        key: [tuple(member.params.values()) for member in found.members]
        or [tuple(found.params.values())]
        for key, found in components.items()
    }
