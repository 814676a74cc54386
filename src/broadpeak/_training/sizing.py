# SPDX-License-Identifier: BSD-3-Clause
"""How large the trades of a strategy are: one lot, lots of its own, money, or a share of equity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from broadpeak._core import check
from broadpeak.errors import ParamError, broken_rule

SIZINGS = ("unit", "script", "money", "equity")
"""Every kind: one lot, the lots that the strategy sets, the same money for each trade, equity."""

OF_MONEY = frozenset({"money", "equity"})
"""Those that buy with money, and so have a capital of their own."""

OF_TRADES = ("sizing", "capital", "whole")
"""Options that say how large trades are."""

CAPITAL = 10_000.0
"""Money of a run, all components together, where nobody says how much."""


class Budget(NamedTuple):
    """What a component spends on a trade: an amount of money, or all that it is worth by then.

    Attributes
    ----------
    amount : float
        Money of the component: what each trade costs, or what it starts with.
    compounds : bool
        A trade takes all that the component is worth when it is filled.
    whole : bool
        Lots are rounded down.
    """

    amount: float
    compounds: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Sizing:
    """How large the trades of a run are.

    Attributes
    ----------
    kind : "unit", "script", "money" or "equity", or None
        None: not decided yet; "script" if the strategy sets lots, else "money".
    whole : bool
        With "money" and "equity": whole lots only.
    capital : float, optional
        Money of all components together. None: 10,000 with "money" and "equity", else what one
        lot of each, or its first lots, cost at the first bar.

    Examples
    --------
    >>> Sizing.of(None, whole=True).decided(sets_lots=False)
    Sizing(kind='money', whole=True, capital=10000.0)
    >>> Sizing.of("equity", capital=500.0).budget(2)
    Budget(amount=250.0, compounds=True, whole=False)
    """

    kind: str | None = None
    whole: bool = False
    capital: float | None = None

    @classmethod
    def of(cls, kind: str | None, *, capital: object = None, whole: object = False) -> Sizing:
        """Return the sizing that a user asks for.

        Raises
        ------
        ParamError
            If the kind is unknown, capital is no positive number, or whole lots are asked for
            where lots are not bought with money.
        """
        if kind is not None:
            check.one_of("sizing", kind, SIZINGS)
        money = None if capital is None else check_capital(capital)
        made = cls(kind, check.flag("whole", whole), money)
        return made if kind is None else made.decided(sets_lots=False)

    def decided(self, *, sets_lots: bool) -> Sizing:
        """Return what the sizing is for a strategy that sets lots or not."""
        kind = self.kind or ("script" if sets_lots else "money")
        capital = self.capital
        if capital is None and kind in OF_MONEY:
            capital = CAPITAL
        if kind == self.kind and capital == self.capital:
            return self
        return replace(self, kind=kind, capital=capital)

    def __post_init__(self) -> None:
        if self.whole and self.kind in {"unit", "script"}:
            rule = f"be left out where sizing is {self.kind!r}"
            remedy = 'It rounds what money buys. Pass sizing="money" or sizing="equity" with it.'
            raise ParamError(broken_rule("whole", rule, True, remedy))

    @property
    def unit_lots(self) -> bool:
        """Whether the lots that a strategy sets do not count."""
        return self.kind != "script"

    def budget(self, n_components: int) -> Budget | None:
        """Return what each of the components has to spend; None where it trades lots."""
        if self.kind not in OF_MONEY:
            return None
        money = CAPITAL if self.capital is None else self.capital
        return Budget(money / n_components, self.kind == "equity", self.whole)


SCRIPT = Sizing("script")
"""The lots that the strategy sets."""


def check_capital(capital: object) -> float:
    """Return `capital` as a float, or raise `ParamError` unless it is a positive number."""
    money = check.real(capital)
    if money is None or not 1e-100 < money < 1e100:
        raise ParamError(broken_rule("capital", "be a positive number of money", capital))
    return float(money)
