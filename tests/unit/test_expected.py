# SPDX-License-Identifier: BSD-3-Clause
"""What to expect of a choice: unbiased, with an interval that holds the truth in 80 % of cases."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._significance.expected import ExpectedSharpe, expected_sharpe
from broadpeak.types import FloatArray

Design = Callable[[int], tuple[FloatArray, FloatArray]]


def grid(edge: FloatArray | float) -> Design:
    """Return histories of 40 configurations, two thirds of whose noise is common, with `edge`."""

    def make(seed: int) -> tuple[FloatArray, FloatArray]:
        generator = np.random.default_rng(seed)
        noise = [generator.normal(size=(500, columns)) for columns in (1, 10, 40)]
        weights = np.sqrt([0.66, 0.25, 0.09])
        common, groups, own = (weight * part for weight, part in zip(weights, noise, strict=True))
        true = np.broadcast_to(np.asarray(edge, dtype=np.float64), 40)
        return 0.01 * (common + np.repeat(groups, 4, axis=1) + own + true), true

    return make


def independent(columns: int, with_edge: int, edge: float = 0.12) -> Design:
    def make(seed: int) -> tuple[FloatArray, FloatArray]:
        true = edge * (np.arange(columns) < with_edge)
        noise = np.random.default_rng(seed).normal(size=(500, columns))
        return 0.01 * (noise + true), true

    return make


TENTH = 0.12 * (np.arange(40) < 4)
DESIGNS = {
    "none has an edge": grid(0.0),
    "a tenth has": grid(TENTH),
    "all have": grid(0.12),
    "one configuration": independent(1, 1),
    "1,000 independent ones": independent(1000, 0),
    "1,000 independent ones, a tenth has": independent(1000, 100),
}


def errors(design: Design, seeds: range) -> tuple[float, float, float, float]:
    """Return coverage, bias and width of the interval, and the bias of the history itself."""
    rows = []
    for seed in seeds:
        returns, true = design(seed)
        ratios = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
        best = int(ratios.argmax())
        found = expected_sharpe(returns, best, n=400, block=1.0, seed=seed)
        assert found.low < found.expected < found.high
        assert found.in_sample == pytest.approx(ratios[best])
        right, plain = found.low <= true[best] <= found.high, found.in_sample - true[best]
        rows.append((right, found.expected - true[best], found.high - found.low, plain))
    covered, bias, width, plain = np.mean(rows, axis=0)
    return float(covered), float(bias), float(width), float(plain)


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_the_interval_holds_the_truth(name: str) -> None:
    covered, bias, width, plain = errors(DESIGNS[name], range(150))
    unit = 1 / math.sqrt(500)
    assert 0.70 <= covered <= 0.90, covered  # 80 % ± three errors of 150 histories
    assert abs(bias) < 0.6 * unit
    assert abs(bias) <= max(0.5 * plain, 0.3 * unit)
    assert width < 3.0 * unit


def test_nothing_is_corrected_with_one_column() -> None:
    returns = DESIGNS["one configuration"](3)[0]
    found = expected_sharpe(returns, 0)
    assert found.expected == pytest.approx(found.in_sample, abs=0.1 / math.sqrt(500))
    assert found.high - found.low == pytest.approx(2 * 1.2816 / math.sqrt(500), rel=0.15)


def test_the_best_of_equals_is_lucky_and_a_middling_one_is_not() -> None:
    returns = DESIGNS["1,000 independent ones"](1)[0]
    order = np.argsort(-(returns.mean(axis=0) / returns.std(axis=0)))
    best, middling = (expected_sharpe(returns, int(order[rank])) for rank in (0, 499))
    assert best.in_sample - best.expected > 2.0 / math.sqrt(500)
    assert abs(middling.in_sample - middling.expected) < 0.3 / math.sqrt(500)


def test_a_lone_winner_is_believed() -> None:
    returns = DESIGNS["none has an edge"](2)[0]
    returns[:, 7] += 0.004
    found = expected_sharpe(returns, 7)
    assert found.expected == pytest.approx(found.in_sample, rel=0.05)


def test_copies_are_one_configuration() -> None:
    one = DESIGNS["one configuration"](5)[0]
    copies = expected_sharpe(np.repeat(one, 50, axis=1), 13)
    assert copies.expected == pytest.approx(expected_sharpe(one, 0).expected, abs=1e-9)


def test_labels_seeds_and_scale() -> None:
    returns = DESIGNS["a tenth has"](1)[0]
    index = pd.MultiIndex.from_product([range(10), range(4)], names=["fast", "slow"])
    frame = pd.DataFrame(returns, columns=index)
    found = expected_sharpe(frame, (0, 2))
    assert found == expected_sharpe(returns, 2)
    assert isinstance(found, ExpectedSharpe)
    assert found != expected_sharpe(returns, 2, seed=1)
    assert expected_sharpe(returns * 1e-3, 2) == pytest.approx(found)


@pytest.mark.filterwarnings("error")
def test_hostile_returns() -> None:
    noise = DESIGNS["none has an edge"](4)[0]
    still = np.column_stack([np.zeros(500), noise, np.full(500, 0.001)])
    assert expected_sharpe(still, 3) == expected_sharpe(noise, 2)
    assert expected_sharpe(still, 0) == (0.0, 0.0, 0.0, 0.0)
    assert all(map(math.isnan, expected_sharpe(still, 41)))
    wide = expected_sharpe(np.random.default_rng(1).normal(0.0, 0.01, size=(30, 300)), 5)
    assert all(map(math.isfinite, wide))
    assert all(map(math.isfinite, expected_sharpe(noise[:2], 1)))
    huge = expected_sharpe(noise * 1e50, 1)
    assert huge == pytest.approx(expected_sharpe(noise, 1))


def test_arguments_are_refused_in_words() -> None:
    noise = DESIGNS["none has an edge"](1)[0]
    for chosen in (40, "fast", None, [1], math.nan):
        with pytest.raises(bp.errors.ParamError, match="chosen must be the label of one column"):
            expected_sharpe(noise, chosen)  # type: ignore[arg-type]
    twice = pd.DataFrame(noise[:, :2], columns=["a", "a"])
    with pytest.raises(bp.errors.ParamError, match="chosen must be the label of one column"):
        expected_sharpe(twice, "a")
    with pytest.raises(bp.errors.ParamError, match="n must be"):
        expected_sharpe(noise, 0, n=1)
