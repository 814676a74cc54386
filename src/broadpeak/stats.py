# SPDX-License-Identifier: BSD-3-Clause
"""How far to believe a choice: statistics of returns, and of the best of many trials.

Sharpe ratios are per period everywhere (not annualised), and a kurtosis is not excess: that of the
normal distribution is 3. Functions that take `returns` take a Series, a frame or array (bars ×
configurations) or a `Portfolio`. A bar at which all columns are NaN is left out; any other NaN
counts as a return of 0, because money that is not invested earns nothing.
"""

from __future__ import annotations

from broadpeak._significance.haircut import Haircut, haircut_sharpe
from broadpeak._significance.overfitting import PBO, pbo
from broadpeak._significance.resampling import bootstrap, optimal_block_length
from broadpeak._significance.sharpe import (
    deflated_sharpe_ratio,
    expected_max_sharpe,
    min_backtest_length,
    min_track_record_length,
    probabilistic_sharpe_ratio,
)
from broadpeak._significance.superior import Significance, StepM, reality_check, spa, step_m
from broadpeak._significance.trials import effective_trials
from broadpeak._validation.permutation import Permutation, bar_permutation, permutation_test

__all__ = [
    "PBO",
    "Haircut",
    "Permutation",
    "Significance",
    "StepM",
    "bar_permutation",
    "bootstrap",
    "deflated_sharpe_ratio",
    "effective_trials",
    "expected_max_sharpe",
    "haircut_sharpe",
    "min_backtest_length",
    "min_track_record_length",
    "optimal_block_length",
    "pbo",
    "permutation_test",
    "probabilistic_sharpe_ratio",
    "reality_check",
    "spa",
    "step_m",
]
