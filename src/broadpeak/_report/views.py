# SPDX-License-Identifier: BSD-3-Clause
"""What pages show, as plain values: no page knows the classes that results come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from broadpeak._report.charts.trade_chart import Plotted
from broadpeak._training.result import StepCurve


@dataclass(frozen=True, slots=True)
class ParameterView:
    """One parameter of one component: what was chosen, from where, and every step curve."""

    name: str
    chosen: float
    default: float
    low: float
    high: float
    step: str
    at_edge: bool
    charts: Sequence[StepCurve] = ()


@dataclass(frozen=True, slots=True)
class ComponentView:
    """One component: its parameters, the objective they reach, and the trades behind it."""

    key: str
    parameters: Sequence[ParameterView]
    objective: float
    default_objective: float
    n_trades: float

    def last_charts(self) -> list[StepCurve]:
        """Return the chart of each parameter's last pass, which is the one that decided."""
        return [parameter.charts[-1] for parameter in self.parameters if parameter.charts]


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account over time: value at each bar, trade records, and its figures by name."""

    name: str
    value: pd.Series[Any]
    trades: pd.DataFrame
    figures: Mapping[str, float]
    components: Mapping[str, AccountView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PriceView:
    """Prices of one component and what the strategy plotted on them."""

    key: str
    close: pd.Series[Any]
    plotted: Sequence[Plotted] = ()


@dataclass(frozen=True, slots=True)
class RunView:
    """How a result came about."""

    strategy: str
    settings: Mapping[str, str]
    environment: Mapping[str, str]
    notes: Sequence[str] = ()
