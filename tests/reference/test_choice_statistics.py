# SPDX-License-Identifier: BSD-3-Clause
"""Statistics of chosen results: published numbers, and slow versions written from the papers."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats as scipy_stats

import broadpeak as bp
from broadpeak._significance.edge import edge_test
from broadpeak._significance.resampling import autocovariances, block_lengths, draws
from broadpeak._significance.sharpe import max_normal_variance
from broadpeak.types import FloatArray

S = bp.stats
NORMAL = NormalDist()


def dependent(seed: int, bars: int, columns: int, memory: float = 0.5) -> FloatArray:
    """Return returns with memory, of unlike spread and mean."""
    generator = np.random.default_rng(seed)
    values = generator.normal(0.0, 0.01, size=(bars, columns))
    for bar in range(1, bars):
        values[bar] += memory * values[bar - 1]
    return values * np.linspace(0.5, 2.0, columns) + np.linspace(-0.001, 0.0007, columns)


# ------------------------------------------------------------------ slow versions


def variance_2025(ratio: float, n: float, skew: float, kurtosis: float, trials: float) -> float:
    return (1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / n * max_normal_variance(trials)


@pytest.mark.parametrize("trials", [1, 2, 10, 100])
def test_convention_2025(trials: int) -> None:
    best = S.expected_max_sharpe(trials, 0.01)
    z = (0.2 - best) / math.sqrt(variance_2025(best, 100, -1.0, 6.0, trials))
    given = {"variance": 0.01, "skew": -1.0, "kurtosis": 6.0, "convention": "2025"}
    got = S.deflated_sharpe_ratio(0.2, 100, n_trials=trials, **given)
    assert got == pytest.approx(NORMAL.cdf(z), abs=1e-12)


def rank_halves(values: FloatArray, blocks: int) -> list[float]:
    """Return the logits of CSCV, one loop after the other."""
    size = len(values) // blocks
    values = values[len(values) - size * blocks :]
    logits = []
    for half in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([values[b * size : (b + 1) * size] for b in half])
        rest = [b for b in range(blocks) if b not in half]
        outside = np.concatenate([values[b * size : (b + 1) * size] for b in rest])
        first = inside.mean(axis=0) / inside.std(axis=0, ddof=1)
        second = outside.mean(axis=0) / outside.std(axis=0, ddof=1)
        rank = scipy_stats.rankdata(second)[int(np.argmax(first))]
        share = rank / (values.shape[1] + 1)
        logits.append(math.log(share / (1 - share)))
    return logits


@pytest.mark.parametrize(("bars", "columns", "blocks"), [(80, 7, 8), (83, 12, 6), (40, 2, 10)])
def test_pbo_is_that_of_the_loops(bars: int, columns: int, blocks: int) -> None:
    values = dependent(bars, bars, columns)
    got = S.pbo(values, n_blocks=blocks)
    expected = rank_halves(values, blocks)
    assert got.logits.tolist() == pytest.approx(expected, abs=1e-12)
    assert got.pbo == np.mean(np.array(expected) <= 0)


def test_pbo_with_a_function_is_that_of_its_name() -> None:
    values = dependent(3, 96, 9)
    named = S.pbo(values, n_blocks=8)
    called = S.pbo(values, n_blocks=8, metric=lambda r: r.mean(axis=0) / r.std(axis=0, ddof=1))
    assert named.logits.tolist() == called.logits.tolist()
    assert (named.slope, named.prob_loss) == pytest.approx((called.slope, called.prob_loss))
    mean = S.pbo(values, n_blocks=8, metric="mean")
    assert (
        mean.logits.tolist()
        == S.pbo(values, n_blocks=8, metric=lambda r: r.mean(0)).logits.tolist()
    )


def test_the_line_of_pbo_is_that_of_least_squares() -> None:
    values = dependent(5, 96, 9)
    inside, outside = [], []
    for half in combinations(range(8), 4):
        rest = [b for b in range(8) if b not in half]
        x, y = (
            np.concatenate([values[b * 12 : b * 12 + 12] for b in part]) for part in (half, rest)
        )
        best = int(np.argmax(x.mean(0) / x.std(0, ddof=1)))
        inside.append((x.mean(0) / x.std(0, ddof=1))[best])
        outside.append((y.mean(0) / y.std(0, ddof=1))[best])
    line = np.polynomial.Polynomial.fit(inside, outside, 1).convert().coef
    got = S.pbo(values, n_blocks=8)
    assert (got.intercept, got.slope) == pytest.approx(tuple(line), rel=1e-9)
    assert got.prob_loss == np.mean(np.array(outside) < 0)


def drawn(bars: int, n: int, block: float, seed: int) -> FloatArray:
    return np.concatenate(list(draws(bars, n, block, "stationary", seed)))


def test_reality_check_is_that_of_the_loops() -> None:
    values = dependent(7, 60, 5)
    root = math.sqrt(60)
    best = max(root * values[:, k].mean() for k in range(5))
    luck = [
        max(root * (values[rows, k].mean() - values[:, k].mean()) for k in range(5))
        for rows in drawn(60, 200, 4.0, 3)
    ]
    got = S.reality_check(values, n=200, block=4.0, seed=3)
    assert got.statistic == pytest.approx(best)
    assert got.p_value == (1 + sum(one >= best for one in luck)) / 201


def hansen_error(column: FloatArray, block: float) -> float:
    """Return Hansen's standard deviation, term by term."""
    n, q = len(column), 1.0 / block
    centred = column - column.mean()
    total = (centred**2).sum() / n
    for lag in range(1, n):
        covariance = (centred[lag:] * centred[:-lag]).sum() / n
        weight = (n - lag) / n * (1 - q) ** lag + lag / n * (1 - q) ** (n - lag)
        total += 2 * weight * covariance
    return math.sqrt(total)


def test_spa_is_that_of_the_loops() -> None:
    values = dependent(9, 60, 6)
    n, root = len(values), math.sqrt(60)
    errors = [hansen_error(values[:, k], 4.0) for k in range(6)]
    means = values.mean(axis=0)
    statistic = max(0.0, *(root * means[k] / errors[k] for k in range(6)))
    limit = -math.sqrt(2 * math.log(math.log(n)))
    centres = {
        "lower": [min(root * means[k] / errors[k], 0.0) for k in range(6)],
        "consistent": [
            z if z <= limit else 0.0 for z in (root * means[k] / errors[k] for k in range(6))
        ],
        "upper": [0.0] * 6,
    }
    assert any(centres["consistent"])  # one is clearly poor, so that the variants differ
    got = S.spa(values, n=300, block=4.0, seed=3)
    assert got.statistic == pytest.approx(statistic)
    assert got.best == int(np.argmax(means / errors))
    for name, centre in centres.items():
        luck = [
            max(
                0.0,
                *(
                    root * (values[rows, k].mean() - means[k]) / errors[k] + centre[k]
                    for k in range(6)
                ),
            )
            for rows in drawn(60, 300, 4.0, 3)
        ]
        assert getattr(got, name) == (1 + sum(one >= statistic for one in luck)) / 301
    assert got.p_value == got.consistent


def test_step_m_is_that_of_the_steps() -> None:
    values = dependent(11, 60, 6) + np.array([0, 0, 0, 0.002, 0, 0.006])
    root = math.sqrt(60)
    errors = np.array([hansen_error(values[:, k], 4.0) for k in range(6)])
    scores = root * values.mean(axis=0) / errors
    luck = np.array(
        [
            root * (values[rows].mean(axis=0) - values.mean(axis=0)) / errors
            for rows in drawn(60, 300, 4.0, 3)
        ]
    )
    left, expected, floor = list(range(6)), {}, 0.0
    while left:
        best = max(left, key=lambda k: scores[k])
        p = (1 + sum(luck[:, left].max(axis=1) >= scores[best])) / 301
        floor = max(floor, p)
        expected[best] = floor
        left.remove(best)
    got = S.step_m(values, n=300, block=4.0, seed=3)
    assert got.p_values.tolist() == [expected[k] for k in range(6)]
    assert got.superior == [k for k in range(6) if expected[k] <= 0.05]
    assert 0 < len(got.superior) < 6


def best_block(column: FloatArray, circular: bool) -> float:
    """Return the block length of Politis and White as loops, correlations as in their programs."""
    n = len(column)
    centred = column - column.mean()
    run = max(5, math.ceil(math.log10(n)))
    most = math.ceil(math.sqrt(n)) + run
    cov = [float((centred[lag:] * centred[: n - lag]).sum()) / n for lag in range(most + 1)]
    small = 2 * math.sqrt(math.log10(n) / n)
    cor = [
        n * cov[lag] / math.sqrt((centred[lag:] ** 2).sum() * (centred[: n - lag] ** 2).sum())
        for lag in range(most + 1)
    ]
    memory = None
    for lag in range(1, most - run + 2):
        if all(abs(cor[k]) < small for k in range(lag, lag + run)):
            memory = lag
            break
    if memory is None:
        memory = max(k for k in range(1, most + 1) if abs(cor[k]) >= small)
    width = min(2 * memory, most)
    slope, spectrum = 0.0, cov[0]
    for lag in range(1, width + 1):
        weight = 1.0 if lag / width <= 0.5 else 2 * (1 - lag / width)
        slope += 2 * weight * lag * cov[lag]
        spectrum += 2 * weight * cov[lag]
    constant = (4 / 3 if circular else 2) * spectrum**2
    best = (2 * slope**2 / constant) ** (1 / 3) * n ** (1 / 3)
    return min(max(best, 1.0), math.ceil(min(3 * math.sqrt(n), n / 3)))


@pytest.mark.parametrize("memory", [0.0, 0.3, 0.8, 0.97])
@pytest.mark.parametrize("bars", [60, 800])
def test_block_length_is_that_of_the_loops(memory: float, bars: int) -> None:
    values = dependent(13, bars, 4, memory)
    for kind in ("stationary", "circular"):
        expected = [best_block(values[:, k], kind == "circular") for k in range(4)]
        assert block_lengths(values, kind).tolist() == pytest.approx(expected, rel=1e-6)


def test_autocovariances_are_sums_of_products() -> None:
    values = dependent(15, 50, 3)
    centred = values - values.mean(axis=0)
    got = autocovariances(values, 49)
    for lag in range(50):
        expected = (centred[lag:] * centred[: 50 - lag]).sum(axis=0) / 50
        assert got[lag].tolist() == pytest.approx(expected.tolist(), abs=1e-16)


def test_effective_trials_are_the_entropy_of_the_eigenvalues() -> None:
    for values in (dependent(17, 300, 8), dependent(19, 6, 20)):
        eigenvalues = np.linalg.eigvalsh(np.corrcoef(values.T))
        shares = [e / values.shape[1] for e in eigenvalues if e > 1e-10]
        expected = math.exp(-sum(p * math.log(p) for p in shares))
        assert S.effective_trials(values) == pytest.approx(expected, rel=1e-9)
        correlations = np.corrcoef(values.T)[np.triu_indices(values.shape[1], 1)]
        mean = max(float(correlations.mean()), 0.0)
        flat = mean + (1 - mean) * values.shape[1]
        assert S.effective_trials(values, method="correlation") == pytest.approx(flat, rel=1e-9)


FAMILY = [0.005, 0.009, 0.0128, 0.0135, 0.045, 0.06]


@pytest.mark.parametrize("at", range(6))
def test_corrections_of_p_values(at: int) -> None:
    """Holm and BHY are written out for the six p values of Harvey and Liu's table."""
    n, own = 6, FAMILY[at]
    ratio = float(scipy_stats.t.isf(own / 2, 239)) / math.sqrt(240)
    holm = max(min(1.0, (n - k) * FAMILY[k]) for k in range(at + 1))
    penalty = sum(1 / k for k in range(1, n + 1))
    # The largest of all stays as it is.
    bhy = min([FAMILY[-1], *(n * penalty * FAMILY[k] / (k + 1) for k in range(at, n - 1))])
    others = FAMILY[:at] + FAMILY[at + 1 :]
    for method, expected in (("bonferroni", min(1.0, n * own)), ("holm", holm), ("bhy", bhy)):
        for given in (FAMILY, others):
            got = S.haircut_sharpe(ratio, 240, n_trials=n, method=method, p_values=given)
            assert got.p_value == pytest.approx(expected, rel=1e-9)
            t = float(scipy_stats.t.isf(expected / 2, 239))
            assert got.sharpe == pytest.approx(t / math.sqrt(240), abs=1e-9)
            assert got.haircut == pytest.approx(1 - got.sharpe / ratio, abs=1e-9)


def test_autocorrelation_is_the_error_of_the_mean() -> None:
    """The inflation is that of the variance of a sum of n values with correlation rho**lag."""
    n, rho = 24, 0.3
    total = sum(rho ** abs(i - j) for i in range(n) for j in range(n)) / n
    got = S.haircut_sharpe(0.3, n, n_trials=1, autocorrelation=rho)
    assert got.sharpe == pytest.approx(0.3 / math.sqrt(total), rel=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_edge_test_counts_as_its_slow_twin(seed: int) -> None:
    returns = dependent(seed, 300, 7, memory=0.2)
    found = edge_test(returns, n=150, block=4.0, seed=seed)
    drawn = [row for rows in draws(300, 150, 4.0, "stationary", seed) for row in rows]
    mean = returns.mean(axis=0)
    luck = np.array([returns[bars].mean(axis=0) - mean for bars in drawn])
    error = luck.std(axis=0)
    luck, scores = luck / error, mean / error
    clear = math.sqrt(2 * math.log(math.log(300)))

    def share(history: FloatArray) -> tuple[int, float]:
        """Return how many histories overtake this one, and its height."""
        best = max(range(7), key=lambda column: history[column])
        count = 0
        for rival in luck:
            reached = []
            for column in range(7):
                spread = math.sqrt(np.mean((luck[:, best] - luck[:, column]) ** 2))
                behind = history[best] - history[column] - clear * spread
                reached.append(rival[column] - max(behind, 0.0))
            count += max(reached) >= history[best]
        return count, -history[best]

    observed = share(scores)
    mine = (observed[0] + 1, observed[1])
    better = sum(share(history) <= mine for history in luck)
    assert found.p_value == (1 + better) / 151
    assert found.statistic == pytest.approx(scores.max())
