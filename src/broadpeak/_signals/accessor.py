# SPDX-License-Identifier: BSD-3-Clause
"""The pandas accessor `.bp`: importing this module registers it on Series and DataFrames.

Only the package itself does that, as soon as pandas is loaded, and workers once they have loaded
what they are sent. The module loads no kernels: it costs nothing until the accessor is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TypeVar

import pandas as pd

from broadpeak.errors import ParamError, broken_rule

T = TypeVar("T")

NAMES: list[str] = []
"""Names of the accessor, which worker processes need as well."""


def _accessor(obj: object) -> object:
    # Late on purpose: registering must not load the kernels behind the accessor.
    return importlib.import_module("broadpeak._signals.methods").SignalAccessor(obj)


def register_accessor(name: str) -> None:
    """Let the accessor `.bp` of Series and DataFrames be known by another name as well.

    Parameters
    ----------
    name : str
        ``"vbt"`` makes ``series.vbt.crossed_above(other)`` the same as
        ``series.bp.crossed_above(other)``. A second call with the same name changes nothing.

    Raises
    ------
    ParamError
        If `name` is no name, or Series or DataFrames have such an attribute already.

    Examples
    --------
    >>> import broadpeak as bp
    >>> bp.register_accessor("cross")
    >>> pd.Series([1.0, 3.0]).cross.crossed_above(2.0).tolist()
    [False, True]
    """
    given: object = name
    if not isinstance(given, str) or not name.isidentifier() or name.startswith("_"):
        remedy = 'Type: bp.register_accessor("vbt")'
        raise ParamError(broken_rule("name", "be a name that can follow a dot", name, remedy))
    owners = (
        (pd.Series, pd.api.extensions.register_series_accessor),
        (pd.DataFrame, pd.api.extensions.register_dataframe_accessor),
    )
    for owner, _ in owners:
        known = getattr(owner, name, _accessor)
        if known is not _accessor:
            rule = f"be one that {owner.__name__} does not have yet"
            remedy = "Pass another name, or use the accessor .bp."
            raise ParamError(broken_rule("name", rule, name, remedy))
    for owner, add in owners:
        if not hasattr(owner, name):
            add(name)(_accessor)  # type: ignore[type-var]  # pandas takes any callable, not only classes
    if name not in NAMES:
        NAMES.append(name)


def after_naming(names: Iterable[str], obj: T) -> T:
    """Return `obj` once the accessor has these names; how they reach a worker process."""
    for name in names:
        register_accessor(name)
    return obj


if not hasattr(pd.Series, "bp"):
    register_accessor("bp")
