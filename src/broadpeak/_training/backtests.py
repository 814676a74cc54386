# SPDX-License-Identifier: BSD-3-Clause
"""What a result is held against: the defaults, and buying and holding, on the same bars."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple, cast

from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._training.fits import FittedModels
from broadpeak._training.sizing import OF_TRADES
from broadpeak._training.strategy import Strategy
from broadpeak._training.test import test
from broadpeak._training.trained import ParamsLike
from broadpeak._training.values import Defaults


class Backtests(NamedTuple):
    """The chosen values and the defaults, tested on the same bars.

    Attributes
    ----------
    chosen, defaults : Portfolio
        On all bars of the data.
    held : Portfolio
        The same symbols bought and held on the same bars, as `Portfolio.held`.
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
    models: FittedModels,
    last: Any,
) -> Backtests:
    """Test `params` and the defaults; label `last` is the last bar that the training saw.

    `models` are those that the training fitted, for the defaults as well. Costs and sizes are what
    `test` takes over from `params`, and the same for the defaults.
    """
    unseen = data.index[data.index > last]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        untrained = Defaults(models)
        chosen = test(strategy, data, params, check=False)  # the training was checked
        defaults = test(strategy, data, untrained, check=False, **terms_as(chosen))
        held = _held(chosen)
        chosen_unseen = defaults_unseen = held_unseen = None
        if len(unseen) > 1:
            quick: dict[str, Any] = {"start": unseen[0], "check": False}
            chosen_unseen = test(strategy, data, params, **quick)
            defaults_unseen = test(strategy, data, untrained, **quick, **terms_as(chosen_unseen))
            held_unseen = _held(chosen_unseen)
    notes = dict.fromkeys(str(one.message) for one in caught)
    unseen_ones = (chosen_unseen, defaults_unseen, held_unseen)
    return Backtests(chosen, defaults, held, *unseen_ones, tuple(notes))


def terms_as(tested: Portfolio) -> dict[str, Any]:
    """Return the arguments by which `test` trades other values on the terms of this test."""
    return {name: tested.facts[name] for name in ("costs", *OF_TRADES)}


def _held(tested: Portfolio) -> Portfolio:
    return cast("Portfolio", tested.held)  # there is one for every strategy run
