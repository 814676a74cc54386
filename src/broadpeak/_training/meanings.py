# SPDX-License-Identifier: BSD-3-Clause
"""What each objective means, in the words of a page: said once wherever one is shown."""

from __future__ import annotations

import inspect

MEANINGS = {
    "prr": (
        "pessimistic return ratio: what winners made over what losers cost, with the largest of "
        "both damped and a discount for few trades; 1 is about break-even"
    ),
    "profit": "net profit of all trades, in money",
    "profit_factor": "what winners made over what losers cost; 1 is break-even",
    "calmar": "net profit over the largest fall of equity, both in money",
    "sharpe": (
        "mean over deviation of the returns of bars in the market; it is not annualised and leaves "
        "out the bars without a position, hence another number than the Sharpe ratio of an account"
    ),
    "sqn": "mean over deviation of trade results, times the root of their number",
    "r2": "how straight the equity rises, from 0 to 1",
    "r2_prr": "how straight the equity rises (0 to 1), times the pessimistic return ratio",
    "binary": "winning over losing trades, in numbers of trades",
}


def objective_meaning(objective: object) -> str:
    """Return what an objective measures: of a function of the user the first line about it.

    Examples
    --------
    >>> objective_meaning("profit")
    'net profit of all trades, in money'
    >>> def net(stats):
    ...     "Profit less what sleep costs."
    >>> objective_meaning(net)
    'Profit less what sleep costs'
    """
    name = objective if isinstance(objective, str) else getattr(objective, "__name__", "")
    module = getattr(objective, "__module__", "")
    if isinstance(objective, str) or module == "broadpeak._training.objective":
        return MEANINGS.get(str(name), "")
    text = inspect.getdoc(objective) if callable(objective) else None
    lines = (text or "").strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else ""
