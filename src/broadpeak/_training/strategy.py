# SPDX-License-Identifier: BSD-3-Clause
"""A strategy: a function of a run, with what the simulation must know before it is called."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, overload

from broadpeak._core import check
from broadpeak._run.carried import Carried, by_name
from broadpeak.errors import ParamError, broken_rule

FILLS = ("nextopen", "close")


class Strategy:
    """A function that places orders on a run `s`, and its settings.

    Made by `strategy`; calling it calls the function.

    Attributes
    ----------
    func : callable
        The function of one argument, the run.
    name : str
        Stem of files and title of reports; the function's name unless given.
    lookback : int
        Bars before the first signal that counts.
    unstable_period : int
        Bars a recursive indicator needs to settle.
    fill : "nextopen" or "close"
        When an order is filled.
    """

    def __init__(
        self,
        func: Callable[[Any], object],
        *,
        name: str | None = None,
        lookback: int = 80,
        unstable_period: int = 40,
        fill: str = "nextopen",
    ) -> None:
        self.func = _function(func)
        self.name = _name(name, func)
        self.lookback = _bars("lookback", lookback)
        self.unstable_period = _bars("unstable_period", unstable_period)
        self.fill = check.one_of("fill", fill, FILLS)
        functools.update_wrapper(self, func, updated=())

    def __call__(self, s: Any) -> object:
        """Call the function with the run `s`."""
        return self.func(s)

    def reduce_by_value(self) -> tuple[Any, ...]:
        """Return what engines rebuild the strategy from: its function goes to workers by value."""
        return _rebuilt, (self.func, *self._settings())

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        if by_name(self):
            return str(self.__qualname__)  # type: ignore[attr-defined]  # taken from the function
        return _rebuilt, (Carried(self.func), *self._settings())

    def __copy__(self) -> Strategy:
        return _rebuilt(self.func, *self._settings())

    def __deepcopy__(self, memo: Any) -> Strategy:
        return self.__copy__()  # a function is its own copy

    def _settings(self) -> tuple[Any, ...]:
        return self.name, self.lookback, self.unstable_period, self.fill

    def __repr__(self) -> str:
        return (
            f"<strategy {self.name!r} lookback={self.lookback} "
            f"unstable_period={self.unstable_period} fill={self.fill!r}>"
        )


@overload
def strategy(func: Callable[[Any], object], /) -> Strategy: ...
@overload
def strategy(
    func: None = None,
    *,
    name: str | None = None,
    lookback: int = 80,
    unstable_period: int = 40,
    fill: str = "nextopen",
) -> Callable[[Callable[[Any], object]], Strategy]: ...
def strategy(
    func: Callable[[Any], object] | None = None,
    *,
    name: str | None = None,
    lookback: int = 80,
    unstable_period: int = 40,
    fill: str = "nextopen",
) -> Strategy | Callable[[Callable[[Any], object]], Strategy]:
    """Turn a function of a run into a strategy that can be trained, tested and traded.

    The function is called once per evaluation with a run `s`. Prices are whole columns, so it is
    written with array functions instead of a loop over bars: it asks for parameters with
    ``s.optimize(…)``, sets ``s.stop`` and its like, and places orders with ``s.enter_long(when)``,
    ``s.exit_long(when)`` and their short twins. What it returns is ignored.

    Parameters
    ----------
    func : callable, optional
        The function; missing when the decorator is used with arguments.
    name : str, optional
        Stem of parameter files and title of reports. Default: the function's name.
    lookback : int, default 80
        Bars before the first signal that counts, the same for every parameter value. Set it to the
        longest indicator period that any value can ask for, plus `unstable_period`: otherwise a
        longer period would be tested on fewer bars, and steps could not be compared.
    unstable_period : int, default 40
        Bars that recursive indicators (exponential means, average true range) need to settle.
    fill : "nextopen" or "close", default "nextopen"
        Orders fill at the next bar's open, or at the close of their own bar.

    Returns
    -------
    Strategy
        Callable like the function. A function of a notebook or of ``__main__`` travels to worker
        processes by value.

    Raises
    ------
    ParamError
        If `func` is not callable, a length is negative or not whole, or `fill` is unknown.

    Notes
    -----
    State that the function keeps outside of itself is not reset between evaluations, and every
    worker process has its own copy of it. A function that depends on it can give different results
    on different engines.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def breakout(s):
    ...     days = s.optimize(20, 10, 50, 5, name="days")
    ...     high, low = bp.highest(s.high, days), bp.lowest(s.low, days)
    ...     s.enter_long(bp.crossed_above(s.close, high * 0.999))
    ...     s.exit_long(bp.crossed_below(s.close, low * 1.001))
    >>> breakout
    <strategy 'breakout' lookback=60 unstable_period=40 fill='nextopen'>
    """
    settings: dict[str, Any] = {
        "name": name,
        "lookback": lookback,
        "unstable_period": unstable_period,
        "fill": fill,
    }
    if func is None:
        return lambda wrapped: Strategy(wrapped, **settings)
    return Strategy(func, **settings)


def _rebuilt(func: Any, name: str, lookback: int, unstable_period: int, fill: str) -> Strategy:
    return Strategy(func, name=name, lookback=lookback, unstable_period=unstable_period, fill=fill)


def as_strategy(value: Any) -> Strategy:
    """Return `value` as a strategy; a plain function gets the default settings."""
    return value if isinstance(value, Strategy) else Strategy(value)


def _function(func: Any) -> Callable[[Any], object]:
    if not callable(func):
        rule = "be a function of one argument, the run"
        remedy = "Write @strategy above the function, or @strategy(lookback=…)."
        raise ParamError(broken_rule("func", rule, func, remedy))
    check.plain_function("A strategy", func)
    function: Callable[[Any], object] = func
    return function


def _name(name: Any, func: Callable[[Any], object]) -> str:
    if name is None:
        known = getattr(func, "__name__", type(func).__name__)
        return "strategy" if known == "<lambda>" else str(known)
    if not isinstance(name, str) or not name.strip():
        raise ParamError(broken_rule("name", "be a text that is not empty", name))
    return name


def _bars(name: str, value: Any) -> int:
    number = check.real(value)
    if number is None or not 0 <= number < 2**31 or number != math.floor(number):
        raise ParamError(broken_rule(name, "be a whole number of bars, 0 or more", value))
    return int(number)
