# SPDX-License-Identifier: BSD-3-Clause
"""Parameters as users pass them, turned into where a run takes its values from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from broadpeak._core import check
from broadpeak._store.par import Parameters, read_par
from broadpeak._training.result import Training
from broadpeak._training.strategy import Strategy
from broadpeak._training.values import Defaults, TrainedValues
from broadpeak.errors import ParamError, ParFileError, broken_rule

REMEDY = "Pass a Training, bp.read_par(path), or {component: {name: value}}."


def values_for(strategy: Strategy, params: Any) -> TrainedValues | Defaults:
    """Return the source of values that `params` means; None means the defaults.

    Raises
    ------
    ParamError, ParFileError
        If `params` is nothing that holds parameters, or belongs to another strategy.
    """
    if params is None:
        return Defaults()
    if isinstance(params, (str, os.PathLike)):
        params = read_par(check.path("params", params, REMEDY))
    if isinstance(params, Training):
        return TrainedValues(params.params, named=True, source="The training", error=ParamError)
    if isinstance(params, Parameters):
        return _from_file(strategy, params)
    if isinstance(params, Mapping):
        return _from_mapping(params)
    raise ParamError(broken_rule("params", "hold parameters", params, REMEDY))


def _from_file(strategy: Strategy, params: Parameters) -> TrainedValues:
    if params.strategy and params.strategy != strategy.name:
        msg = (
            f"The parameter file must be of strategy {strategy.name!r}, got one of "
            f"{params.strategy!r}. Train this strategy, or correct the line '# strategy' if it was "
            "renamed."
        )
        raise ParFileError(msg)
    named = all(line.named for line in params.components.values())
    return TrainedValues(
        params.params, named=named, source="The parameter file", error=ParFileError
    )


def _from_mapping(params: Mapping[Any, Any]) -> TrainedValues:
    table: dict[str, Mapping[str, float]] = {}
    for key, values in params.items():
        if not isinstance(key, str) or not isinstance(values, Mapping):
            raise ParamError(broken_rule("params", "be {component: {name: value}}", params, REMEDY))
        for name, value in values.items():
            check.number(f"params[{key!r}][{name!r}]", value)
        table[key] = values
    if not table:
        raise ParamError(broken_rule("params", "name at least one component", params, REMEDY))
    return TrainedValues(table, named=True, source="params", error=ParamError)
