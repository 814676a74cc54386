# SPDX-License-Identifier: BSD-3-Clause
"""`bp.stats` against numbers that papers print, to the last digit that they print.

Where a printed number and exact arithmetic differ, the comment beside it says so.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from scipy import integrate
from scipy import stats as scipy_stats

import broadpeak as bp
from broadpeak._significance.sharpe import _variance, max_normal_variance

S = bp.stats
NORMAL = NormalDist()


def decimals(printed: str) -> int:
    return len(printed.partition(".")[2])


def agrees(value: float, printed: str) -> bool:
    return f"{value:.{decimals(printed)}f}" == printed


# ------------------------------------------------------------------ one Sharpe ratio

# Returns of a hedge fund index over two years, by month.
FUND: dict[str, Any] = {"skew": -2.448, "kurtosis": 10.164}


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        # D. Bailey, M. López de Prado, "The Sharpe ratio efficient frontier", J. of Risk 15(2),
        # 2012, section "A numerical example".
        (FUND, "0.913"),
        ({}, "0.982"),
        # M. López de Prado, A. Lipton, V. Zoonekynd, "How to use the Sharpe ratio", 2025: the same
        # returns. Their mean and deviation, .036 and .079, give a ratio of .4557.
        ({**FUND, "sharpe": 0.036 / 0.079, "convention": "2025"}, "0.987"),
        ({**FUND, "sharpe": 0.036 / 0.079, "benchmark": 0.1, "convention": "2025"}, "0.939"),
    ],
)
def test_probabilistic_sharpe_ratio(options: dict[str, Any], printed: str) -> None:
    given = {"sharpe": 0.458, **options}
    assert agrees(S.probabilistic_sharpe_ratio(given.pop("sharpe"), 24, **given), printed)


@pytest.mark.parametrize(
    ("moments", "printed"),
    [((-2.448, 10.164), "0.329"), ((0.0, 3.0), "0.214")],
)
def test_standard_error_of_the_ratio(moments: tuple[float, float], printed: str) -> None:
    """Of the paper of 2025, with the variance at the observed ratio (Mertens; normal: Lo)."""
    assert agrees(math.sqrt(_variance(0.036 / 0.079, *moments) / 24), printed)


@pytest.mark.parametrize(
    ("ratio", "bars", "printed"),
    [
        # A. Lo, "The statistics of Sharpe ratios", Financial Analysts J. 58(4), 2002, table 1:
        # standard errors for independent normal returns.
        (0.50, 12, "0.306"), (0.50, 24, "0.217"), (0.50, 36, "0.177"), (0.50, 48, "0.153"),
        (0.50, 60, "0.137"), (0.50, 125, "0.095"), (0.50, 250, "0.067"), (0.50, 500, "0.047"),
        (1.00, 12, "0.354"), (1.00, 24, "0.250"), (1.00, 60, "0.158"), (1.00, 500, "0.055"),
        (2.00, 12, "0.500"), (2.00, 60, "0.224"), (3.00, 12, "0.677"), (3.00, 500, "0.105"),
    ],
)  # fmt: skip
def test_standard_errors_of_lo(ratio: float, bars: int, printed: str) -> None:
    error = math.sqrt(_variance(ratio, 0.0, 3.0) / bars)
    assert agrees(error, printed)
    # What the public function makes of it: one such error below the ratio is one normal deviation.
    psr = S.probabilistic_sharpe_ratio(ratio, bars + 1, benchmark=ratio - error)
    assert psr == pytest.approx(NORMAL.cdf(1.0), abs=1e-12)


@pytest.mark.parametrize(
    ("bars", "benchmark", "ratio", "options", "printed"),
    [
        # D. Bailey, M. López de Prado, 2012: tables of the minimum track record length in years,
        # from daily, weekly and monthly normal returns.
        (250, 0.0, 0.5, {}, "10.83"), (250, 0.0, 1.0, {}, "2.71"), (250, 0.0, 1.5, {}, "1.21"),
        (250, 0.0, 2.0, {}, "0.69"), (250, 0.5, 1.0, {}, "10.85"), (250, 0.5, 1.5, {}, "2.72"),
        (250, 1.0, 1.5, {}, "10.87"), (250, 1.0, 2.0, {}, "2.73"), (250, 1.0, 2.5, {}, "1.22"),
        (250, 1.5, 2.0, {}, "10.91"), (250, 2.0, 2.5, {}, "10.96"),
        (52, 0.0, 0.5, {}, "10.87"), (52, 0.0, 1.0, {}, "2.75"), (52, 1.0, 1.5, {}, "11.08"),
        (52, 1.0, 2.0, {}, "2.83"), (52, 1.5, 2.0, {}, "11.26"),
        (12, 0.0, 0.5, {}, "11.02"), (12, 0.0, 1.0, {}, "2.90"), (12, 1.0, 1.5, {}, "11.92"),
        (12, 1.0, 2.0, {}, "3.24"), (12, 1.5, 2.0, {}, "12.71"),
        # The same paper: with the skew and kurtosis of the average hedge fund index, by month.
        (12, 1.0, 2.0, {"skew": -0.72, "kurtosis": 5.78}, "4.99"),
    ],
)  # fmt: skip
def test_minimum_track_record_length_in_years(
    bars: int, benchmark: float, ratio: float, options: dict[str, float], printed: str
) -> None:
    root = math.sqrt(bars)
    needed = S.min_track_record_length(ratio / root, benchmark=benchmark / root, **options)
    assert agrees(needed / bars, printed)


def test_minimum_track_record_length_of_2025() -> None:
    needed = S.min_track_record_length(0.036 / 0.079, **FUND, convention="2025")
    assert agrees(needed, "13.029")  # months


# ------------------------------------------------------------------ the best of many


@pytest.mark.parametrize(
    ("trials", "variance", "printed"),
    [
        # D. Bailey, J. Borwein, M. López de Prado, Q. Zhu, "Pseudo-mathematics and financial
        # charlatanism", Notices of the AMS 61(5), 2014: ten trials, one year.
        (10, 1.0, "1.57"),
        # M. López de Prado, "Advances in financial machine learning", 2018, chapter 8: a thousand
        # backtests.
        (1000, 1.0, "3.26"),
        # D. Bailey, M. López de Prado, "The deflated Sharpe ratio", 2014: the example, by day.
        (100, 0.5 / 250, "0.1132"),
    ],
)
def test_expected_maximum(trials: int, variance: float, printed: str) -> None:
    assert agrees(S.expected_max_sharpe(trials, variance), printed)


@pytest.mark.parametrize(
    ("trials", "moments", "printed"),
    [
        # D. Bailey, M. López de Prado, "The deflated Sharpe ratio", J. of Portfolio Management
        # 40(5), 2014: 100 trials are too many, with 46 it would have been enough.
        (100, {"skew": -3.0, "kurtosis": 10.0}, "0.9004"),
        (46, {"skew": -3.0, "kurtosis": 10.0}, "0.9505"),
        # … and with normal returns 88.
        (88, {}, "0.9505"),
    ],
)
def test_deflated_sharpe_ratio(trials: int, moments: dict[str, float], printed: str) -> None:
    given: dict[str, Any] = {"n_trials": trials, "variance": 0.5 / 250, **moments}
    assert agrees(S.deflated_sharpe_ratio(2.5 / math.sqrt(250), 1250, **given), printed)


@pytest.mark.parametrize(
    ("years", "trials"),
    [
        # Notices of the AMS 61(5), 2014: "no more than 45 independent model configurations should
        # be tried" with five years of data, "only 7" with two.
        (5.0, 45),
        (2.0, 7),
    ],
)
def test_minimum_backtest_length(years: float, trials: int) -> None:
    assert S.min_backtest_length(trials) < years < S.min_backtest_length(trials + 1)


@pytest.mark.parametrize("trials", [2, 7, 45, 100, 1000, 10**6])
@pytest.mark.parametrize("target", [0.5, 1.0, 2.0])
def test_bound_of_the_minimum_backtest_length(trials: int, target: float) -> None:
    length = S.min_backtest_length(trials, target=target)
    assert length <= 2 * math.log(trials) / target**2
    assert length == pytest.approx(S.min_backtest_length(trials) / target**2, rel=1e-12)


@pytest.mark.parametrize(
    ("draws", "mean", "variance"),
    [
        # Means and variances of the largest of normal draws, as tables of order statistics print
        # them. The paper of 2025 prints deviations for 20 to 90 draws that differ from exact
        # integrals by up to 0.7 %; they are not used.
        (2, "0.564190", "0.681690"),
        (3, "0.846284", "0.559467"),
        (5, "1.162964", "0.447534"),
        (10, "1.538753", "0.344344"),
        (100, "2.507594", ""),
    ],
)
def test_largest_of_normal_draws(draws: int, mean: str, variance: str) -> None:
    def density(x: float) -> float:
        return draws * NORMAL.pdf(x) * NORMAL.cdf(x) ** (draws - 1)

    exact = integrate.quad(lambda x: x * density(x), -10, 10)[0]
    assert agrees(exact, mean)
    square = integrate.quad(lambda x: (x - exact) ** 2 * density(x), -10, 10)[0]
    assert max_normal_variance(draws) == pytest.approx(square, abs=1e-8)
    assert not variance or agrees(max_normal_variance(draws), variance)


# ------------------------------------------------------------------ haircuts

# C. Harvey, Y. Liu, "Backtesting", J. of Portfolio Management 42(1), 2015: six p values and what
# each correction makes of them. Benjamini and Yekutieli themselves would also multiply the largest
# p value, by 1 + 1/2 + … + 1/6; the paper leaves it as it is.
SIX = [0.005, 0.009, 0.0128, 0.0135, 0.045, 0.06]
CORRECTED = {
    "bonferroni": ["0.0300", "0.0540", "0.0768", "0.0810", "0.2700", "0.3600"],
    "holm": ["0.0300", "0.0450", "0.0512", "0.0512", "0.0900", "0.0900"],
    "bhy": ["0.0496", "0.0496", "0.0496", "0.0496", "0.0600", "0.0600"],
}


@pytest.mark.parametrize("method", CORRECTED)
@pytest.mark.parametrize("at", range(6))
def test_corrected_p_values(method: str, at: int) -> None:
    ratio = float(scipy_stats.t.isf(SIX[at] / 2, 239)) / math.sqrt(240)
    others = SIX[:at] + SIX[at + 1 :]
    for given in (SIX, others, np.array(others), list(reversed(SIX))):
        got = S.haircut_sharpe(ratio, 240, n_trials=6, method=method, p_values=given)
        assert agrees(got.p_value, CORRECTED[method][at])


def test_haircut_of_the_program_of_harvey_and_liu() -> None:
    """Ten years by month, a ratio of 1 a year, autocorrelation .1, 100 trials (appendix).

    They correct the ratio with the autocorrelation within a year, we within the record: theirs is
    the ratio of a record of twelve months. Their haircut is the share of the ratio so corrected.
    """
    year = math.sqrt(12)
    corrected = S.haircut_sharpe(1 / year, 12, n_trials=1, autocorrelation=0.1).sharpe
    assert agrees(corrected * year, "0.912")
    got = S.haircut_sharpe(corrected, 120, n_trials=100)
    assert agrees(got.p_value, "0.465")
    assert agrees(got.sharpe * year, "0.232")
    assert agrees(100 * got.haircut, "74.6")


def test_one_trial_of_harvey_and_liu() -> None:
    """20 years by month, a ratio of .75: "a p value of 0.0008 for the single test"."""
    assert agrees(S.haircut_sharpe(0.75 / math.sqrt(12), 240, n_trials=1).p_value, "0.0009")
    # The paper has 0.0008, of a normal statistic; the t statistic of its program makes it 0.0009.
    assert agrees(2 * NORMAL.cdf(-0.75 * math.sqrt(20)), "0.0008")


# C. Harvey, Y. Liu, H. Zhu, "… and the cross-section of expected returns", Review of Financial
# Studies 29(1), 2016, table 4: t ratios of ten tests, of which three survive Bonferroni at 5 %.
TEN = [1.99, 2.63, 2.21, 3.43, 2.17, 2.64, 4.56, 5.34, 2.75, 2.49]


def test_discoveries_among_ten() -> None:
    n = 10**7  # so many periods that t is normal
    found = [S.haircut_sharpe(t / math.sqrt(n), n, n_trials=10).p_value <= 0.05 for t in TEN]
    assert sum(found) == 3
    # Their count of six by thresholds of BHY is not what their own formula of corrected p values
    # says: the largest, .0466, is not multiplied and bounds all others.
    p_values = [2 * NORMAL.cdf(-t) for t in TEN]
    bhy = {"n_trials": 10, "method": "bhy", "p_values": p_values}
    largest = S.haircut_sharpe(1.99 / math.sqrt(n), n, **bhy)
    assert agrees(largest.p_value, "0.0466")
    penalty = sum(1 / k for k in range(1, 11))
    thresholds = [0.05 * k / (10 * penalty) for k in range(1, 11)]
    assert sum(p <= c for p, c in zip(sorted(p_values), thresholds, strict=True)) == 6


@pytest.mark.parametrize(
    ("rho", "periods", "printed"),
    [
        # A. Lo, 2002, table 2: by how much a ratio is multiplied over `periods` periods.
        (0.9, 3, "1.05"), (0.9, 4, "1.07"), (0.9, 6, "1.10"), (0.9, 12, "1.21"), (0.9, 24, "1.41"),
        (0.9, 36, "1.60"), (0.9, 125, "2.67"), (0.9, 250, "3.70"),
        (0.8, 12, "1.43"), (0.8, 24, "1.81"), (0.8, 36, "2.14"), (0.8, 250, "5.32"),
        (0.5, 12, "2.12"), (0.0, 12, "3.46"), (0.0, 250, "15.81"),
    ],
)  # fmt: skip
def test_autocorrelation_over_periods(rho: float, periods: int, printed: str) -> None:
    got = S.haircut_sharpe(0.1, periods, n_trials=1, autocorrelation=rho)
    assert agrees(math.sqrt(periods) * got.sharpe / 0.1, printed)


# ------------------------------------------------------------------ trials, halves, paths


@pytest.mark.parametrize(
    ("blocks", "ways"),
    # D. Bailey, J. Borwein, M. López de Prado, Q. Zhu, "The probability of backtest overfitting",
    # 2017, prints 12,780 for sixteen blocks; the binomial coefficient is 12,870.
    [(2, 2), (4, 6), (6, 20), (8, 70), (10, 252), (12, 924), (16, 12_870)],
)
def test_number_of_halves(blocks: int, ways: int) -> None:
    values = np.random.default_rng(1).normal(size=(64, 3)) / 100
    assert len(S.pbo(values, n_blocks=blocks).logits) == ways


@pytest.mark.parametrize(
    ("correlation", "n", "effective"),
    # D. Bailey, M. López de Prado, 2014, appendix 3: all alike are one trial, unlike ones count
    # each; in between r + (1 - r) M.
    [(1.0, 10, 1.0), (0.0, 10, 10.0), (0.5, 11, 6.0), (0.25, 5, 4.0)],
)
def test_effective_trials_by_correlation(correlation: float, n: int, effective: float) -> None:
    wanted = np.full((n, n), correlation) + (1.0 - correlation) * np.eye(n)
    assert S.effective_trials(returns_with(wanted), method="correlation") == pytest.approx(
        effective
    )


@pytest.mark.parametrize(
    ("correlations", "effective"),
    [
        # O. Roy, M. Vetterli, "The effective rank", 2007: equal eigenvalues count each.
        (np.eye(3), 3.0),
        (np.ones((4, 4)), 1.0),
        (np.kron(np.eye(2), np.ones((3, 3))), 2.0),
    ],
)
def test_effective_trials_by_eigenvalues(correlations: Any, effective: float) -> None:
    assert S.effective_trials(returns_with(correlations)) == pytest.approx(effective, abs=1e-6)


def returns_with(correlations: Any) -> Any:
    """Return returns whose correlations are exactly these."""
    n = len(correlations)
    values = np.random.default_rng(2).normal(size=(200, n))
    values = np.linalg.qr(values - values.mean(axis=0))[0]
    eigenvalues, vectors = np.linalg.eigh(correlations)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0)) @ vectors.T
    return values @ root / 100


@pytest.mark.parametrize(
    ("blocks", "tested", "splits", "paths"),
    # M. López de Prado, "Advances in financial machine learning", 2018, chapter 12: six groups, two
    # tested; one tested is plain cross-validation with a single path; two tested give N - 1 paths.
    [(6, 2, 15, 5), (6, 1, 6, 1), (10, 2, 45, 9), (5, 2, 10, 4), (10, 5, 252, 126)],
)
def test_combinatorial_paths(blocks: int, tested: int, splits: int, paths: int) -> None:
    folds = bp.splits.CombinatorialPurged(blocks, tested)
    assert (folds.get_n_splits(), folds.n_paths) == (splits, paths)
    assert folds.paths().shape == (paths, blocks)
    assert paths == math.comb(blocks, tested) * tested // blocks


@pytest.mark.parametrize("rho", [0.3, 0.7, 0.9])
def test_block_length_of_an_autoregression(rho: float) -> None:
    """The limit of Politis and White for it, with the constant of Patton, Politis and White."""
    n = 200_000
    noise = np.random.default_rng(5).normal(size=n)
    series = np.empty(n)
    level = 0.0
    for bar, shock in enumerate(noise):
        level = rho * level + shock
        series[bar] = level
    expected = (2 * rho / (1 - rho**2)) ** (2 / 3) * n ** (1 / 3)
    assert S.optimal_block_length(series * 0.001) == pytest.approx(expected, rel=0.1)
    ratio = S.optimal_block_length(series * 0.001, kind="circular") / expected
    assert ratio == pytest.approx(1.5 ** (1 / 3), rel=0.1)
