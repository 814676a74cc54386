# SPDX-License-Identifier: BSD-3-Clause
"""What trading costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

from broadpeak._core import check
from broadpeak.errors import ParamError, broken_rule, warn

LARGE_SHARE: Final = 0.05
"""A share of each order from which on it was meant in percent, most likely: no broker takes it."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a trade of a strategy costs.

    Parameters
    ----------
    spread : float
        Difference of ask and bid, in price. Prices are ask prices: each round turn pays one
        spread, booked at the entry. Stop levels ignore it.
    commission : float
        Money per unit and round turn, booked at the entry.
    fees : float
        Share of the order value, paid at each fill.
    roll_long, roll_short : float
        Money per unit and calendar day held; positive is paid, negative is received. Where bars are
        numbered, a number is a day.
    slippage : float
        Adverse share of the price of market orders and stops. Training switches it off.
    lot_amount : float
        Units of one lot.

    Raises
    ------
    ParamError
        If a value is not a finite number, a cost is negative (rollover may be), slippage is 1
        or more, or the lot amount is not positive.

    Examples
    --------
    >>> Costs(spread=0.02, commission=0.001).spread
    0.02
    """

    spread: float = 0
    commission: float = 0
    fees: float = 0
    roll_long: float = 0
    roll_short: float = 0
    slippage: float = 0
    lot_amount: float = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        for name in ("fees", "slippage"):
            tell_of_large_share(name, float(getattr(self, name)))


def _check(name: str, value: object) -> None:
    number = check.number(name, value)
    if name == "lot_amount" and number <= 0.0:
        raise ParamError(broken_rule(name, "be above 0", value, "Pass the units of one lot."))
    if name not in {"roll_long", "roll_short"} and number < 0.0:
        raise ParamError(broken_rule(name, "be 0 or more", value))
    if name == "slippage" and number >= 1.0:
        raise ParamError(broken_rule(name, "be below 1, a share of price", value))


def tell_of_large_share(name: str, value: float) -> None:
    """Warn of a share of each order that is percent, most likely."""
    if LARGE_SHARE <= value < math.inf:
        warn(
            f"{name} is a share of the money of each order, got {value:g}: that is "
            f"{value * 100:g} % of it each time. For {value:g} % type {name}={value / 100:g}.",
            UserWarning,
        )


_PAID = ("spread", "commission", "fees", "roll_long", "roll_short", "slippage")
MOST_SLIPPAGE = 0.999  # a share of the price


def is_free(costs: Costs) -> bool:
    """Return whether nothing is charged, nor paid out.

    Examples
    --------
    >>> is_free(Costs(lot_amount=100)), is_free(Costs(spread=0.02))
    (True, False)
    """
    return not any(getattr(costs, name) for name in _PAID)


def scaled(costs: Costs, factor: float) -> Costs:
    """Return `factor` times what is paid; rollover that is received stays as it is.

    Examples
    --------
    >>> twice = scaled(Costs(fees=0.001, roll_short=-0.01), 2.0)
    >>> twice.fees, twice.roll_short
    (0.002, -0.01)
    """
    values = {name: getattr(costs, name) for name in _PAID}
    paid = {name: value * factor if value > 0 else value for name, value in values.items()}
    paid["slippage"] = min(paid["slippage"], MOST_SLIPPAGE)
    made: Costs = object.__new__(Costs)  # not checked again: nobody typed these
    for field in fields(Costs):
        object.__setattr__(made, field.name, paid.get(field.name, getattr(costs, field.name)))
    return made
