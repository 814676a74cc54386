# SPDX-License-Identifier: BSD-3-Clause
"""Figures from the returns of held bars are those of the whole path of returns."""

from __future__ import annotations

import numpy as np
import pytest

import broadpeak as bp

N = 400
RNG = np.random.default_rng(5)
NOISE = RNG.normal(0, 0.02, N)
PRICES = {
    "usual": 100 * np.exp(np.cumsum(NOISE)),
    "huge": 1e12 * np.exp(np.cumsum(NOISE)),
    "small": 1e-7 * np.exp(np.cumsum(NOISE)),
    "collapse": 100 * np.exp(np.cumsum(NOISE - 0.05)),
    "flat stretches": 100 * np.exp(np.cumsum(np.where(np.arange(N) % 90 < 60, 0.0, NOISE))),
    "tiny returns": 100 * np.exp(np.cumsum(NOISE * 1e-7)),
    "constant growth": 100 * 1.01 ** np.arange(N),
    "constant": np.full(N, 50.0),
    "one jump": np.where(np.arange(N) < 200, 1.0, 1e6),
    "gaps": np.where(np.arange(N) % 37 < 5, np.nan, 100 * np.exp(np.cumsum(NOISE))),
    "ruin": np.exp(np.cumsum(np.abs(NOISE) * 3)),
}
SETTINGS = [
    {},
    {"fees": 0.001},
    {"fees": 0.002, "slippage": 0.001, "fixed_fees": 0.01},
    {"size": 0.3},
    {"size": 0.5, "size_type": "percent", "accumulate": True, "fees": 0.001},
    {"direction": "both", "fees": 0.001},
    {"direction": "shortonly", "size": 40.0, "size_type": "value"},
    {"sl_stop": 0.03, "tsl_stop": 0.05, "tp_stop": 0.08, "price": "nextopen"},
]


@pytest.mark.parametrize("name", PRICES)
@pytest.mark.parametrize("settings", SETTINGS, ids=[str(s) for s in SETTINGS])
def test_moments_are_those_of_the_returns(name, settings):
    rng = np.random.default_rng(1)
    density = rng.choice([0.0, 0.005, 0.05, 0.4], 12)
    entries, exits = rng.random((N, 12)) < density, rng.random((N, 12)) < density / 2
    entries[-1, 0] = True
    entries[0, 1] = True
    pf = bp.PF.from_signals(PRICES[name], entries, exits, bars_per_year=252, **settings)
    alone = bp.PF.from_signals(
        PRICES[name], entries[:, 3], exits[:, 3], bars_per_year=252, **settings
    )
    returns = pf.returns.to_numpy()[~np.isnan(PRICES[name])]  # the others do not exist
    mean, std = returns.mean(axis=0), returns.std(axis=0, ddof=1)
    down = np.sqrt((np.where(returns > 0, 0, returns) ** 2).mean(axis=0))
    with np.errstate(all="ignore"):
        # Below the bound of "is zero" the rounding of either way decides.
        clear = ~((std > 1e-13) & (std < 1e-11))
        sharpe = np.where(std < 1e-12, np.nan, mean / std * np.sqrt(252))
        sortino = np.where(down < 1e-12, np.nan, mean / down * np.sqrt(252))
    # Of returns of 1e-9 rounding leaves seven digits, and a mean that nearly cancels fewer.
    tiny = 1e-6 if name == "tiny returns" else 1e-9
    got = pf.sharpe_ratio.to_numpy()
    np.testing.assert_allclose(got[clear], sharpe[clear], rtol=tiny, atol=tiny)
    np.testing.assert_allclose(pf.annual_volatility, std * np.sqrt(252), rtol=tiny, atol=1e-12)
    seen = np.isfinite(sortino) & (down > 1e-11)
    np.testing.assert_allclose(
        pf.sortino_ratio.to_numpy()[seen], sortino[seen], rtol=tiny, atol=tiny
    )
    np.testing.assert_equal(alone.sharpe_ratio, got[3])  # to the bit


def test_a_column_that_lost_everything_has_no_ratio():
    close = np.array([10.0, 10.0, 30.0, 40.0, 20.0, 20.0])
    entries = np.zeros((6, 5), dtype=bool)
    entries[1] = True
    exits = np.zeros((6, 5), dtype=bool)
    exits[3] = True
    pf = bp.PF.from_signals(close, entries, exits, direction="shortonly", bars_per_year=252)
    assert pf.returns.isna().to_numpy().any()
    assert pf.sharpe_ratio.isna().all()
    assert pf.sortino_ratio.isna().all()
