# SPDX-License-Identifier: BSD-3-Clause
"""Portfolios of strategy runs as views: account, figures, and prices with what was plotted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._report.statistics import FIGURES, trade_figures
from broadpeak._report.views import AccountView


def account_view(portfolio: Any, name: str) -> AccountView:
    """Return what a page shows of a portfolio: value, trades and figures, and its components."""
    trades = portfolio.trades
    components = getattr(portfolio, "components", {}) or {}
    return AccountView(
        name,
        _total(portfolio.value),
        trades,
        {**_figures(portfolio), **trade_figures(trades)},
        {key: account_view(part, key) for key, part in components.items()},
    )


def _figures(portfolio: Any) -> dict[str, float]:
    return {name: _scalar(getattr(portfolio, name, math.nan)) for name in FIGURES}


def _scalar(value: Any) -> float:
    """Return a figure of one account; several columns have no figure in common."""
    if isinstance(value, pd.Series):
        return float(value.iloc[0]) if len(value) == 1 else math.nan
    return float(value)


def _total(value: Any) -> pd.Series[Any]:
    if isinstance(value, pd.DataFrame):
        return value.sum(axis=1).astype(np.float64)
    return pd.Series(value).astype(np.float64)
