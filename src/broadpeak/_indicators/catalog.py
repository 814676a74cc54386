# SPDX-License-Identifier: BSD-3-Clause
"""The names under which `Data.run` finds indicators."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from broadpeak._core import check
from broadpeak._indicators import talib
from broadpeak._indicators.definition import Definition
from broadpeak._indicators.moving import ema, highest, lowest, rma, sma, wma
from broadpeak._indicators.oscillators import Macd, Stochastic, macd, roc, rsi, stoch, zscore
from broadpeak._indicators.volatility import Bands, atr, bbands
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import AnyArray

_RULE = "be an indicator, as in 'bp:ma' or 'talib:sma'"
_PRICES = ("open", "high", "low", "close", "volume")


def find(name: object) -> Definition:
    """Return the indicator `name`: "talib:…", "bp:…" or "vbt:…", which is the same as "bp:…".

    Raises
    ------
    ParamError
        If there is none; the message names the nearest one.
    MissingExtraError
        If it is one of TA-Lib and that is not installed.
    """
    if not isinstance(name, str):
        raise ParamTypeError(broken_rule("name", _RULE, name))
    found = _OWN.get(name)
    return _find(name.lower().strip()) if found is None else found


@cache
def _find(name: str) -> Definition:
    prefix, _, short = name.rpartition(":")
    if prefix == "talib":
        return talib.definition(short)
    if prefix in {"", "bp", "vbt"} and f"bp:{short}" in _OWN:
        return _OWN[f"bp:{short}"]
    known = [f"bp:{own}" for own in _SHORT]
    remedy = check.did_you_mean(name, [*known, "talib:sma"]) or f"Known: {', '.join(known)}."
    raise ParamError(broken_rule("name", _RULE, name, remedy))


def _definition_of(
    short: str, function: Callable[..., Any], outputs: tuple[str, ...]
) -> Definition:
    """Describe one of our functions: arguments without a default are its inputs."""
    function = inspect.unwrap(function)  # `Data.run` spreads lists itself
    parameters = inspect.signature(function).parameters
    inputs: dict[str, str] = {}
    params: dict[str, float] = {}
    keywords: set[str] = set()
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty:
            inputs["price" if key == "values" else key] = key if key in _PRICES else "close"
        else:
            params[key] = parameter.default
            if parameter.kind is parameter.KEYWORD_ONLY:
                keywords.add(key)
    positional = len(inputs) + len(params) - len(keywords)
    names = [*inputs, *params]

    def compute(*values: object) -> tuple[AnyArray, ...]:
        if not keywords:
            result = function(*values)
            return result if isinstance(result, tuple) else (result,)
        named = dict(zip(names[positional:], values[positional:], strict=True))
        result = function(*values[:positional], **named)
        return tuple(result) if isinstance(result, tuple) else (result,)

    return Definition(f"bp:{short}", short, inputs, params, outputs, compute)


_SHORT: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "ma": (sma, ("ma",)),
    "sma": (sma, ("sma",)),
    "ema": (ema, ("ema",)),
    "wma": (wma, ("wma",)),
    "rma": (rma, ("rma",)),
    "highest": (highest, ("highest",)),
    "lowest": (lowest, ("lowest",)),
    "rsi": (rsi, ("rsi",)),
    "macd": (macd, Macd._fields),
    "stoch": (stoch, Stochastic._fields),
    "roc": (roc, ("roc",)),
    "zscore": (zscore, ("zscore",)),
    "atr": (atr, ("atr",)),
    "bbands": (bbands, Bands._fields),
}
_OWN: dict[str, Definition] = {}
for _name, (_function, _outputs) in _SHORT.items():
    _definition = _definition_of(_name, _function, _outputs)
    _OWN[f"bp:{_name}"] = _OWN[f"vbt:{_name}"] = _definition
