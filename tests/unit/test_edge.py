# SPDX-License-Identifier: BSD-3-Clause
"""The gate of a verdict: whether any of many configurations has an edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

import broadpeak as bp
from broadpeak._significance import edge
from broadpeak._significance.edge import EdgeTest, edge_test
from broadpeak.types import FloatArray


def alike(seed: int, bars: int = 600) -> FloatArray:
    """Return returns of 40 configurations in 10 groups, with two thirds of their noise in common.

    Of the rest three quarters are common to each group of four.
    """
    generator = np.random.default_rng(seed)
    noise = [generator.normal(size=(bars, columns)) for columns in (1, 10, 40)]
    weights = np.sqrt([0.66, 0.25, 0.09])
    common, groups, own = (weight * part for weight, part in zip(weights, noise, strict=True))
    return 0.01 * (common + np.repeat(groups, 4, axis=1) + own)


def p_values(seeds: range, change: Any = None, **options: Any) -> FloatArray:
    found = []
    for seed in seeds:
        returns = alike(seed)
        if change is not None:
            returns = change(returns)
        found.append(edge_test(returns, n=200, seed=seed, **options).p_value)
    return np.array(found)


@pytest.mark.slow
def test_p_values_are_uniform_where_nothing_has_an_edge() -> None:
    found = p_values(range(150))
    assert kstest(found, "uniform").pvalue > 0.01
    assert (found <= 0.05).mean() <= 0.10


@pytest.mark.slow
def test_poor_configurations_make_no_edge() -> None:
    # As costs do: neighbours differ clearly, and none earns anything.
    found = p_values(range(100), lambda returns: returns - 0.002 * (np.arange(40) >= 8))
    assert (found <= 0.05).mean() <= 0.11


@pytest.mark.slow
def test_an_edge_in_a_tenth_need_not_pay_for_the_search() -> None:
    change = lambda returns: returns + 0.085 * 0.01 * (np.arange(40) < 4)  # 2.1 errors
    ours = p_values(range(60), change)
    published = [bp.stats.spa(change(alike(seed)), n=200, seed=seed).p_value for seed in range(60)]
    assert (ours <= 0.05).mean() >= 0.5
    assert (ours <= 0.05).mean() >= np.mean(np.array(published) <= 0.05) + 0.05


def test_critical_is_where_the_p_value_crosses_alpha() -> None:
    returns = alike(3)
    found = edge_test(returns)
    for lift, significant in ((1.02, True), (0.98, False)):
        # The same lift, in errors, of all columns: differences stay.
        deviation = returns.std(axis=0)
        step = (found.critical * lift - found.statistic) * found.sharpe / found.statistic
        moved = edge_test(returns + step * deviation)
        assert (moved.p_value <= 0.05) is significant
        assert moved.critical == pytest.approx(found.critical, rel=0.1)


@pytest.mark.slow
def test_detectable_is_found_with_the_power_asked_for() -> None:
    found = edge_test(alike(1), power=0.8)
    # Not of one history, but of the design: other histories with as much in one cell.
    cell = 20
    lift = found.detectable * 0.01
    share = (p_values(range(100), lambda x: x + lift * (np.arange(40) == cell)) <= 0.05).mean()
    assert 0.65 <= share <= 0.95
    assert edge_test(alike(1), power=0.5).detectable < found.detectable
    assert edge_test(alike(1), alpha=0.01).detectable > found.detectable


def test_holding_a_rising_market_is_no_edge() -> None:
    generator = np.random.default_rng(5)
    market = generator.normal(0.0015, 0.01, size=900)
    share = np.linspace(0.2, 1.0, 12)  # always invested by so much
    returns = market[:, np.newaxis] * share + generator.normal(0.0, 0.002, size=(900, 12))
    assert edge_test(returns).p_value < 0.01
    assert edge_test(returns, market=market).p_value > 0.05
    skilled = returns + 0.0004 * (np.arange(12) == 3)
    frame = pd.DataFrame({"stock": market, "unused": 0.0})
    found = edge_test(skilled, market=frame)
    assert found.p_value < 0.01
    assert found.best == 3


@pytest.mark.slow
def test_following_the_market_is_neither_edge_nor_fault() -> None:
    """Positions that follow from past moves: p is uniform, with drift and without."""
    found = []
    for seed in range(120):
        drift = 0.0006 * (seed % 2)
        market = np.random.default_rng(seed).normal(drift, 0.01, size=1100)
        price = np.cumsum(market)
        long = [price[99:-1] > price[99 - window : -1 - window] for window in (10, 30, 90)]
        returns = np.column_stack(long) * market[100:, np.newaxis]
        found.append(edge_test(returns, market=market[100:], n=200, block=1.0).p_value)
    assert kstest(found, "uniform").pvalue > 0.01
    assert 0.43 < np.mean(found) < 0.57
    assert np.mean(np.array(found) <= 0.05) <= 0.1


def test_exposure_of_other_times_counts() -> None:
    generator = np.random.default_rng(1)
    market = generator.normal(0.0, 0.01, size=(1000, 2))
    held = np.array([[0.5, -1.0, 0.0], [0.25, 0.0, 2.0]])
    returns = market @ held
    left = edge.without_market(returns, market, np.ones(1000, dtype=np.bool_))
    assert np.abs(left).max() < 1e-12
    # One piece alone is exposed: its own bars, and those two pieces before, do not see it.
    late = returns * (np.arange(1000) // 100 == 7)[:, np.newaxis]
    left = edge.without_market(late, market, np.ones(1000, dtype=np.bool_))
    own = np.arange(500, 800)
    assert np.abs(left[own] - late[own]).max() < 1e-12
    assert left[:500] == pytest.approx(-returns[:500] / 7, abs=1e-12)  # of seven other pieces
    assert left[900:] == pytest.approx(-returns[900:] / 9, abs=1e-12)  # after the last none follow
    for bars in (2, 5, 25):
        short = edge.without_market(returns[:bars], market[:bars], np.ones(bars, dtype=np.bool_))
        assert np.isfinite(short).all()


def test_memory_of_returns_is_counted() -> None:
    """Returns that depend on each other are not taken for as many independent ones."""
    rejected = 0
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=(800, 3))
        smooth = np.apply_along_axis(np.convolve, 0, noise, np.ones(10), mode="valid")
        rejected += edge_test(0.001 * smooth, n=200).p_value <= 0.05
    assert rejected <= 7


def test_labels_seeds_and_records() -> None:
    frame = pd.DataFrame(alike(2), columns=[f"c{i}" for i in range(40)])
    found = edge_test(frame)
    assert isinstance(found, EdgeTest)
    assert found.best in set(frame.columns)
    assert found == edge_test(frame)
    assert found.p_value != edge_test(frame, seed=1).p_value
    column = frame[found.best]
    assert found.sharpe == pytest.approx(column.mean() / column.std())


@pytest.mark.filterwarnings("error")
def test_hostile_returns() -> None:
    noise = alike(4)
    one = edge_test(noise[:, 0])
    assert one.best == 0
    with_still = np.column_stack([np.zeros(600), noise, np.full(600, 0.001)])
    found, plain_ = edge_test(with_still), edge_test(noise)
    assert found.p_value == plain_.p_value
    assert found.best == plain_.best + 1
    copies = edge_test(np.repeat(noise[:, :1], 30, axis=1))
    assert copies.p_value == pytest.approx(one.p_value, abs=0.02)
    wide = edge_test(np.random.default_rng(1).normal(0.0, 0.01, size=(50, 200)))
    assert 0.0 < wide.p_value <= 1.0
    assert np.isfinite([wide.critical, wide.detectable]).all()
    rare = np.zeros((600, 3))
    rare[7] = 0.01
    assert edge_test(rare).p_value > 0.1  # a single trade is no proof
    for bars in (2, 3, 5):
        assert 0.0 < edge_test(noise[:bars]).p_value <= 1.0
    huge = edge_test(noise * 1e50)
    assert huge.p_value == plain_.p_value


def test_arguments_are_refused_in_words() -> None:
    noise = alike(1)
    with pytest.raises(bp.errors.ParamError, match="n must be"):
        edge_test(noise, n=20)
    with pytest.raises(bp.errors.ParamError, match="alpha must lie between 0 and 1"):
        edge_test(noise, alpha=5)
    with pytest.raises(bp.errors.ParamError, match="power must lie between 0 and 1"):
        edge_test(noise, power=80)
    with pytest.raises(bp.errors.DataError, match="vary in at least one column"):
        edge_test(np.zeros((100, 3)))
    with pytest.raises(bp.errors.DataError, match="market must hold one return for each"):
        edge_test(noise, market=np.zeros(599))
    with pytest.raises(bp.errors.DataError, match="market must be numbers below"):
        edge_test(noise, market=np.full(600, np.inf))


def test_the_market_is_cut_where_returns_are_missing() -> None:
    returns = alike(6)[:, :5]
    market = np.random.default_rng(0).normal(0, 0.01, size=600)
    holes = returns.copy()
    holes[100:120] = np.nan
    kept = np.r_[0:100, 120:600]
    assert edge_test(holes, market=market) == edge_test(returns[kept], market=market[kept])


def test_clearly_needs_no_long_history() -> None:
    assert edge.clearly(2) == pytest.approx(np.sqrt(2 * np.log(np.log(3))))
    assert 1.9 < edge.clearly(1400) < 2.1
