# SPDX-License-Identifier: BSD-3-Clause
"""`iterated`: a for-loop over one argument, on any engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._run.execute import run
from broadpeak._run.options import ExecuteOptions
from broadpeak._space.combine import select_combos
from broadpeak._space.param import Param
from broadpeak._sweep.decorating import (
    Argument,
    Decorated,
    Options,
    caller_names,
    decorator,
    options_given,
    own_options,
)
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import Function, Keywords

_OWNERS = ("self", "cls")  # what a method gets first is never what it loops over


def iterated(
    func: Function | None = None,
    *,
    over_arg: str | int | None = None,
    execute_kwargs: Keywords | None = None,
    **execute_options: Unpack[ExecuteOptions],
) -> Function:
    """Call a function on every item of one argument, as a for-loop would.

    Parameters
    ----------
    func : callable, optional
        The body of the loop; without it, a decorator is returned.
    over_arg : str or int, optional
        Name or position of the argument that is looped over. Default: the first one.
    execute_kwargs : mapping, optional
        Options of `execute`.
    **execute_options
        The same, given flat, also `keep` and `to`. At the call, all options may be given with a
        leading underscore.

    Returns
    -------
    callable
        The function over items. A number n means ``range(n)``. The level of labels has the name of
        the `pd.Index` that is passed, or else of the argument.

    Raises
    ------
    TypeError
        If an option does not exist, or at the call, if the argument is not iterable.
    ParamError
        At the call, if there is no argument `over_arg`.

    Notes
    -----
    Stacked decorators nest as loops do: the outer one gives the outer level. `NoResult` drops an
    item; an inner loop that may drop all of its items needs ``raise_no_results=False``.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.iterated(merge_func="concat")
    ... def square(i):
    ...     return i * i
    >>> square(3)
    i
    0    0
    1    1
    2    4
    dtype: int64
    """
    given = options_given(iterated, locals())
    return decorator(Iterated, func, given, caller_names())


class Iterated(Decorated):
    """A function that loops over one of its arguments."""

    owner = "iterated"
    own_names = own_options(iterated)

    def call(self, args: tuple[object, ...], kwargs: dict[str, object], options: Options) -> Any:
        """Call the function on every item."""
        argument = self._looped(args, kwargs, options.own.get("over_arg"))
        param = _as_param(argument)
        settings = options.settings or self.settings(options)
        if param is None:
            calls = self.calls(args, kwargs, {argument.position: ((), ())}, 0)
            return run(calls, settings).value
        combos = select_combos({argument.name: param})
        column = combos.columns[argument.name]
        varying = {argument.position: (column.values, column.codes)}
        calls = self.calls(args, kwargs, varying, len(combos))
        return run(calls, settings, keys=combos.index()).value

    def _looped(
        self, args: tuple[object, ...], kwargs: Keywords, over_arg: str | int | None
    ) -> Argument:
        given: object = over_arg
        position = check.real(given)
        if given is not None and not isinstance(given, str) and not isinstance(position, int):
            rule = "be the name or the position of an argument"
            raise ParamTypeError(broken_rule("over_arg", rule, given))
        passed = self.arguments.bind(
            args, kwargs, (over_arg,) if over_arg in self.arguments.defaults else ()
        )
        if over_arg is None:
            free = [argument for argument in passed if argument.name not in _OWNERS]
            if free:
                return free[0]
        elif isinstance(position, int) and -len(passed) <= position < len(passed):
            return passed[position]
        names = [argument.name for argument in passed]
        for argument in passed:
            if argument.name == over_arg:
                return argument
        rule = f"be one of the arguments passed, {names}"
        raise ParamError(
            broken_rule("over_arg", rule, over_arg, check.did_you_mean(over_arg, names))
        )


def _as_param(argument: Argument) -> Param | None:
    """Return the items as a Param; None if there are none."""
    items = argument.value
    if isinstance(items, Param):
        return items
    if isinstance(number := check.real(items), int):
        # Nobody can loop over more than this: better refused than begun.
        items = range(check.integer(argument.name, number, 0, 2**31))
    if not isinstance(items, Iterable) or getattr(items, "ndim", 1) == 0:
        rule = "be a number of iterations or something to loop over"
        remedy = "Name the argument of the loop: over_arg='…'."
        raise ParamTypeError(broken_rule(argument.name, rule, items, remedy))
    if not isinstance(items, (range, np.ndarray, pd.Index, pd.Series)):
        items = list(items)
    return Param(items) if len(items) > 0 else None
