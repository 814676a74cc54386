# SPDX-License-Identifier: BSD-3-Clause
"""An indicator as data: what goes in, what can be set, what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from broadpeak._core import check
from broadpeak.errors import ParamTypeError
from broadpeak.types import AnyArray

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """One indicator that `Data.run` can run.

    Attributes
    ----------
    name
        Full name, as in "bp:ma".
    short
        What the column levels begin with, as in ``ma_window``.
    inputs
        Argument name to the price that stands for it.
    params
        Parameter name to default.
    outputs
        Names of the results.
    compute
        Columns of the inputs, shape (n_bars,), then the parameters, to one column an output.
    """

    name: str
    short: str
    inputs: Mapping[str, str]
    params: Mapping[str, float]
    outputs: tuple[str, ...]
    compute: Callable[..., Sequence[AnyArray]]


def bind(
    owner: str, names: Sequence[str], args: Sequence[Value], kwargs: Mapping[str, Value]
) -> dict[str, Value]:
    """Return the arguments by name, as a call of a function with these parameters would."""
    if len(args) > len(names):
        msg = f"{owner} takes {len(names)} arguments ({', '.join(names)}), got {len(args)}."
        raise ParamTypeError(msg)
    bound = dict(zip(names, args, strict=False))
    for key, value in kwargs.items():
        if key not in names:
            raise check.unknown_option(owner, key, names)
        if key in bound:
            msg = f"{owner} got two values for {key!r}. Leave out one of them."
            raise ParamTypeError(msg)
        bound[key] = value
    return bound
