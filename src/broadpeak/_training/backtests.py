# SPDX-License-Identifier: BSD-3-Clause
"""What a result is held against: the defaults, and buying and holding, on the same bars."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._simulation.costs import Costs
from broadpeak._simulation.rules import NO_COSTS
from broadpeak._training.components import per_asset
from broadpeak._training.fits import FittedModels
from broadpeak._training.strategy import Strategy, StrategyRun
from broadpeak._training.test import ParamsLike, test
from broadpeak._training.values import Defaults


class Backtests(NamedTuple):
    """The chosen values and the defaults, tested on the same bars.

    Attributes
    ----------
    chosen, defaults : Portfolio
        On all bars of the data.
    held : Portfolio
        The same symbols bought and held on the same bars, with equal amounts of money.
    chosen_unseen, defaults_unseen, held_unseen : Portfolio or None
        On the bars after the training alone; None if there are fewer than two.
    notes : tuple of str
        The warnings that these tests raised.
    """

    chosen: Portfolio
    defaults: Portfolio
    held: Portfolio
    chosen_unseen: Portfolio | None
    defaults_unseen: Portfolio | None
    held_unseen: Portfolio | None
    notes: tuple[str, ...]


def run_backtests(
    strategy: Strategy,
    data: Data,
    params: ParamsLike,
    *,
    assets: Iterable[str],
    models: FittedModels,
    costs: Costs | Mapping[str, Costs] | None,
    last: Any,
) -> Backtests:
    """Test `params` and the defaults; label `last` is the last bar that the training saw.

    `assets` are those that the strategy trades; `models` are those that the training
    fitted, for the defaults as well.
    """
    unseen = data.index[data.index > last]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        untrained = Defaults(models)
        quick: dict[str, Any] = {"costs": costs, "check": False}  # the training was checked
        chosen = test(strategy, data, params, **quick)
        defaults = test(strategy, data, untrained, **quick)
        held = buy_and_hold(data, assets, chosen, costs=costs)
        chosen_unseen = defaults_unseen = held_unseen = None
        if len(unseen) > 1:
            chosen_unseen = test(strategy, data, params, start=unseen[0], **quick)
            defaults_unseen = test(strategy, data, untrained, start=unseen[0], **quick)
            held_unseen = buy_and_hold(data, assets, chosen_unseen, costs=costs)
    notes = dict.fromkeys(str(one.message) for one in caught)
    unseen_ones = (chosen_unseen, defaults_unseen, held_unseen)
    return Backtests(chosen, defaults, held, *unseen_ones, tuple(notes))


def buy_and_hold(
    data: Data,
    assets: Iterable[str],
    tested: Portfolio,
    *,
    costs: Costs | Mapping[str, Costs] | None = None,
) -> Portfolio:
    """Return `assets` bought at the first bar of `tested` and held to its last.

    The money is the value of `tested` at its first bar, divided equally between the assets.
    """
    symbols = {str(symbol): symbol for symbol in data.symbols}
    table = per_asset("costs", costs, symbols, NO_COSTS, Costs)
    own = {asset: table[asset] for asset in dict.fromkeys(assets)}
    money = float(np.sum(tested.value.iloc[0])) / len(own)

    def hold(s: StrategyRun) -> None:
        for asset, _ in s.loop():
            first = np.arange(len(s.close)) == 0
            s.enter_long(first, lots=money / (s.close[0] * own[asset].lot_amount))

    plan = Strategy(hold, name="buy and hold", lookback=0)
    cut = data.select([symbols[asset] for asset in own])
    return test(plan, cut, costs=own, start=tested.index[0], end=tested.index[-1], check=False)
