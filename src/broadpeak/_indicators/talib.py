# SPDX-License-Identifier: BSD-3-Clause
"""The functions of TA-Lib, through the package of that name."""

from __future__ import annotations

import inspect
import math
from collections import namedtuple
from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType
from typing import Any

from broadpeak._core import check, optional
from broadpeak._indicators.columnwise import over_many, takes_lists
from broadpeak._indicators.definition import Definition, bind
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import AnyArray

# TA-Lib calls a series by its part in the formula; prices come under their own names.
_REAL = {"price": "real", "price0": "real0", "price1": "real1", "periods": "periods"}


def talib_func(name: str) -> Callable[..., Any]:
    """Return a function of TA-Lib as a plain function of arrays or pandas objects.

    Parameters
    ----------
    name : str
        Name of the function in any case: "sma", "ATR", "cdldoji".

    Returns
    -------
    function
        Called with the inputs, shape (bars,) or (bars, columns), and then the parameters, by
        position or name: ``sma(close, 10)``, ``atr(high, low, close, timeperiod=14)``. Returns what
        it was given, arrays, Series or DataFrames; a named tuple of them where there are
        several outputs. It keeps name, documentation and signature, and can be pickled.

    Raises
    ------
    MissingExtraError
        If the package TA-Lib is not installed.
    ParamError
        If there is no such function.

    Notes
    -----
    TA-Lib skips leading NaN and stays NaN behind a later one. Lengths that are not whole are
    rounded half up.

    Examples
    --------
    >>> import numpy as np
    >>> sma = talib_func("sma")
    >>> sma(np.array([1.0, 2.0, 3.0]), 2)
    array([nan, 1.5, 2.5])
    """
    return _function(_checked_name(name))


def __getattr__(name: str) -> Callable[..., Any]:
    # So that a function of `talib_func` is found again by its name, which is how pickle travels.
    if name.isupper() and not name.startswith("_"):
        try:
            return talib_func(name)
        except ImportError as error:
            raise AttributeError(name) from error
        except ParamError as error:
            raise AttributeError(name) from error
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


MOST = 2**31 - 2
"""TA-Lib counts in 32 bits, and keeps one number for "not given"."""


@cache
def definition(name: str) -> Definition:
    """Return the function `name` of TA-Lib as `Data.run` needs it."""
    name = _checked_name(name)
    info = _module("talib.abstract").Function(name).info
    call = getattr(_module("talib"), name)
    parameters = dict(info["parameters"])

    def compute(*columns_and_values: object) -> tuple[AnyArray, ...]:
        columns = columns_and_values[: len(inputs)]
        values = columns_and_values[len(inputs) :]
        settings = {
            key: _setting(key, value, default)
            for (key, default), value in zip(parameters.items(), values, strict=True)
        }
        try:
            results = call(*columns, **settings)
        except Exception as error:
            # The package raises bare exceptions for settings out of range.
            if type(error) is not Exception:
                raise
            raise ParamError(
                broken_rule(f"talib:{name.lower()}", "accept", settings, str(error))
            ) from error
        return results if isinstance(results, tuple) else (results,)

    inputs = _inputs(info["input_names"])
    return Definition(
        name=f"talib:{name.lower()}",
        short=name.lower(),
        inputs=inputs,
        params=parameters,
        outputs=tuple(info["output_names"]),
        compute=compute,
    )


def names() -> list[str]:
    """Return the names of all functions of TA-Lib, in lower case."""
    return sorted(name.lower() for name in _module("talib").get_functions())


def _module(name: str) -> ModuleType:
    return optional.load(name, extra="talib", purpose="An indicator of TA-Lib")


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or name.lower() not in _names():
        word = name.lower() if isinstance(name, str) else name
        remedy = check.did_you_mean(word, sorted(_names()))
        raise ParamError(broken_rule("name", "be a function of TA-Lib", name, remedy))
    return name.upper()


@cache
def _names() -> frozenset[str]:
    return frozenset(names())


def _inputs(groups: Mapping[str, str | list[str]]) -> dict[str, str]:
    """Return the inputs in the order of the call, each with the price it takes by default."""
    inputs: dict[str, str] = {}
    for key, fields in groups.items():
        if isinstance(fields, str):
            inputs[_REAL.get(key, key)] = fields
        else:
            inputs.update({field: field for field in fields})
    return inputs


def _setting(key: str, value: object, default: float) -> float:
    number = check.number(key, value)
    if not isinstance(default, int):
        return number
    if abs(number) > MOST:
        raise ParamError(broken_rule(key, f"be at most {MOST} in size", value))
    return math.floor(number + 0.5)


@cache
def _function(name: str) -> Callable[..., Any]:
    found = definition(name)
    short = name.lower()
    several = namedtuple(name.title(), found.outputs) if len(found.outputs) > 1 else None

    def function(*args: Any, **kwargs: Any) -> object:
        bound = bind(short, [*found.inputs, *found.params], args, kwargs)
        missing = [key for key in found.inputs if key not in bound]
        if missing:
            raise DataError(broken_rule(short, f"be given {', '.join(found.inputs)}", list(bound)))
        values = [bound.get(key, default) for key, default in found.params.items()]
        results = over_many(found.compute, {key: bound[key] for key in found.inputs}, *values)
        return results[0] if several is None else several(*results)

    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__
    function.__doc__ = getattr(_module("talib"), name).__doc__
    parameter = inspect.Parameter
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # read by inspect
        [
            *(parameter(key, parameter.POSITIONAL_OR_KEYWORD) for key in found.inputs),
            *(
                parameter(key, parameter.POSITIONAL_OR_KEYWORD, default=default)
                for key, default in found.params.items()
            ),
        ]
    )
    # What it returns depends on settings of TA-Lib, too, such as its unstable periods.
    return takes_lists(function, remembered=False)
