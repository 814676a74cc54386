# SPDX-License-Identifier: BSD-3-Clause
"""Edges, laws and errors of `bp.stats`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak.types import FloatArray

S = bp.stats
RATIOS = st.floats(-2, 2)


def noise(bars: int = 200, columns: int = 5, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).normal(0.0, 0.01, size=(bars, columns))


# ------------------------------------------------------------------ Sharpe ratios


@given(RATIOS, st.integers(2, 10_000), st.floats(-2, 2), st.floats(5.5, 20))
def test_a_ratio_is_above_itself_with_one_half(
    r: float, n: int, skew: float, kurtosis: float
) -> None:
    for convention in ("2012", "2025"):
        got = S.probabilistic_sharpe_ratio(
            r, n, benchmark=r, skew=skew, kurtosis=kurtosis, convention=convention
        )
        assert got == 0.5


@given(st.floats(0.01, 2), st.floats(-2, 0), st.floats(0.5, 0.999))
def test_the_track_record_that_is_needed_reaches_the_confidence(
    r: float, b: float, c: float
) -> None:
    for convention in ("2012", "2025"):
        n = S.min_track_record_length(r, benchmark=b, confidence=c, convention=convention)
        if n > 1.01:
            psr = S.probabilistic_sharpe_ratio(r, n, benchmark=b, convention=convention)
            assert psr == pytest.approx(c, abs=1e-9)


@given(RATIOS, st.integers(2, 10_000))
def test_one_trial_is_not_deflated(r: float, n: int) -> None:
    plain = S.probabilistic_sharpe_ratio(r, n)
    assert S.deflated_sharpe_ratio(r, n, n_trials=1, variance=0.1) == plain
    recent = S.probabilistic_sharpe_ratio(r, n, convention="2025")
    got = S.deflated_sharpe_ratio(r, n, n_trials=1, variance=0.1, convention="2025")
    assert got == pytest.approx(recent, abs=1e-9)


def test_more_trials_promise_more() -> None:
    expected = [S.expected_max_sharpe(n, 1.0) for n in (1, 1.2, 2, 3, 10, 1e3, 1e9, 1e15)]
    assert expected == sorted(expected)
    assert expected[0] == expected[1] == 0.0
    assert expected[-1] < 9
    assert S.expected_max_sharpe(50, 4.0) == pytest.approx(2 * S.expected_max_sharpe(50, 1.0))


def test_a_ratio_below_the_benchmark_never_gets_there() -> None:
    assert S.min_track_record_length(0.1, benchmark=0.1) == math.inf
    assert S.min_track_record_length(-0.1) == math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: S.probabilistic_sharpe_ratio(math.nan, 10), "sharpe must be a finite number"),
        (lambda: S.haircut_sharpe(np.zeros(9), 9, n_trials=1), r"Of returns it is: returns.mean"),
        (lambda: S.probabilistic_sharpe_ratio("a", 10), "sharpe must be .* got .a. .str."),
        (lambda: S.probabilistic_sharpe_ratio(0.1, 1), "n must be a finite number above 1"),
        (
            lambda: S.probabilistic_sharpe_ratio(0.1, 10, kurtosis=0),
            "kurtosis must be .* at least 1",
        ),
        (
            lambda: S.probabilistic_sharpe_ratio(0.1, 10, skew=-3, kurtosis=7),
            "kurtosis must be at least 1 . skew², 10.*not the excess",
        ),
        (
            lambda: S.probabilistic_sharpe_ratio(0.1, 10, convention="2014"),
            "convention must be one of '2012', '2025'",
        ),
        (lambda: S.deflated_sharpe_ratio(0.1, 10, n_trials=0, variance=1), "n_trials must be"),
        (lambda: S.expected_max_sharpe(10, -1), "variance must be a finite number of at least 0"),
        (lambda: S.min_track_record_length(0.1, confidence=1), "confidence must lie between"),
        (lambda: S.min_backtest_length(10, target=0), "target must be a finite number above 0"),
        (lambda: S.haircut_sharpe(0.1, 2, n_trials=1), "n must be a finite number above 2"),
        (lambda: S.haircut_sharpe(0.1, 20, n_trials=0), "n_trials must be an integer"),
        (lambda: S.haircut_sharpe(0.1, 20, n_trials=1, method="x"), "method must be one of"),
        (
            lambda: S.haircut_sharpe(0.1, 20, n_trials=1, autocorrelation=1),
            "autocorrelation must lie between -1 and 1",
        ),
        (
            lambda: S.haircut_sharpe(0.1, 20, n_trials=4, method="holm", p_values=[0.1]),
            "p_values must be the 4 values",
        ),
        (
            lambda: S.haircut_sharpe(0.1, 20, n_trials=1, method="holm", p_values=["a"]),
            "p_values must be",
        ),
    ],
)
def test_numbers_out_of_range_are_reported(call: Any, message: str) -> None:
    with pytest.raises(bp.ParamError, match=message):
        call()


@given(RATIOS, st.integers(3, 1000), st.integers(1, 10_000))
def test_a_haircut_takes_and_never_gives(r: float, n: int, trials: int) -> None:
    bonferroni = S.haircut_sharpe(r, n, n_trials=trials)
    assert abs(bonferroni.sharpe) <= abs(r) * (1 + 1e-6)
    assert bonferroni.sharpe * r >= 0
    assert 0 <= bonferroni.p_value <= 1
    alone = S.haircut_sharpe(r, n, n_trials=trials, method="holm")
    assert alone == bonferroni  # the only one with anything to show is the first that Holm looks at
    bhy = S.haircut_sharpe(r, n, n_trials=trials, method="bhy")
    assert bhy.p_value >= bonferroni.p_value


def test_one_trial_has_no_haircut() -> None:
    for method in ("bonferroni", "holm", "bhy"):
        assert S.haircut_sharpe(0.2, 100, n_trials=1, method=method)[:2] == (0.2, 0.0)
    assert S.haircut_sharpe(0.0, 100, n_trials=5) == (0.0, 0.0, 1.0)


# ------------------------------------------------------------------ tables of returns


def functions() -> dict[str, Any]:
    return {
        "effective_trials": S.effective_trials,
        "pbo": lambda r: S.pbo(r, n_blocks=4),
        "reality_check": lambda r: S.reality_check(r, n=50),
        "spa": lambda r: S.spa(r, n=50),
        "step_m": lambda r: S.step_m(r, n=50),
        "bootstrap": lambda r: S.bootstrap(r, lambda x: x.mean(axis=0), n=5),
        "optimal_block_length": S.optimal_block_length,
    }


def plain(result: Any) -> str:
    return repr(result.tolist() if hasattr(result, "tolist") else result)


@pytest.mark.parametrize("name", functions())
def test_frames_arrays_and_portfolios_are_the_same(name: str) -> None:
    function = functions()[name]
    close = bp.Data.sample().close["2003":"2005"]
    portfolio = bp.PF.from_signals(close, close > bp.sma(close, 10), close < bp.sma(close, 10))
    frame = portfolio.returns
    first = function(frame)
    assert plain(function(portfolio)) == plain(first)
    if name in {"pbo", "effective_trials", "bootstrap"}:
        assert plain(function(frame.to_numpy())) == plain(first)


@pytest.mark.parametrize("name", functions())
def test_bars_without_any_return_are_left_out_and_missing_ones_are_zero(name: str) -> None:
    function = functions()[name]
    values = noise()
    values[:3, 1] = math.nan
    filled = np.nan_to_num(values)
    gap = np.full((2, 5), math.nan)
    got = function(np.concatenate([gap, values[:50], gap, values[50:]]))
    assert plain(got) == plain(function(filled))


@pytest.mark.parametrize("name", functions())
@pytest.mark.parametrize(
    "bad",
    [
        np.array([[0.1, math.inf], [0.2, 0.1]] * 10),
        np.zeros((0, 3)),
        np.zeros((4, 0)),
        np.full((20, 2), math.nan),
        "returns",
        None,
        3.0,
        np.zeros((3, 3, 3)),
        pd.DataFrame({"a": ["x"] * 20}),
    ],
    ids=["inf", "no bars", "no columns", "all NaN", "text", "None", "number", "3-d", "texts"],
)
def test_what_is_no_table_of_returns_is_reported(name: str, bad: Any) -> None:
    with pytest.raises(bp.DataError, match="returns must"):
        functions()[name](bad)


def test_labels_come_back() -> None:
    index = pd.MultiIndex.from_product([[10, 20], ["a", "b"]], names=["fast", "kind"])
    frame = pd.DataFrame(noise(columns=4), columns=index)
    frame[20, "a"] += 0.01
    assert S.spa(frame, n=99).best == (20, "a")
    assert S.reality_check(frame, n=99).best == (20, "a")
    found = S.step_m(frame, n=99)
    assert found.superior == [(20, "a")]
    assert found.p_values.index.equals(index)
    lengths = S.optimal_block_length(frame)
    assert lengths.index.equals(index)


def test_one_column_is_a_test_of_its_mean() -> None:
    lucky = pd.Series(noise()[:, 0] + 0.01, name="mine")
    for test in (S.spa, S.reality_check):
        assert test(lucky, n=99).p_value == 0.01
        assert test(lucky, n=99).best == "mine"
    assert S.effective_trials(lucky) == 1.0
    with pytest.raises(bp.DataError, match="at least 2 columns"):
        S.pbo(lucky)


def test_a_benchmark_of_its_own_leaves_nothing() -> None:
    values = noise() + 0.01
    line = values.mean(axis=1)
    assert S.spa(values, n=99).p_value == 0.01
    assert S.spa(values, n=99, benchmark=line).p_value > 0.05
    shifted = S.spa(values - 0.01, n=99)
    assert S.spa(values, n=99, benchmark=0.01).p_value == shifted.p_value
    with pytest.raises(bp.DataError, match="benchmark must be a number, or hold one return"):
        S.spa(values, benchmark=line[1:])
    with pytest.raises(bp.ParamError, match="benchmark must be a finite number"):
        S.spa(values, benchmark="zero")


def test_columns_that_stand_still() -> None:
    values = noise(columns=3)
    still = np.column_stack([values, np.zeros(200), np.full(200, 0.1)])
    for function in (S.spa, S.reality_check):
        assert function(still, n=99, seed=4).p_value == function(values, n=99, seed=4).p_value
        with pytest.raises(bp.DataError, match="vary in at least one column"):
            function(np.full((50, 2), 0.1))
    found = S.step_m(still, n=99)
    assert found.p_values.tolist()[3:] == [1.0, 1.0]
    assert found.p_values.tolist()[:3] == S.step_m(values, n=99).p_values.tolist()
    assert S.effective_trials(still) == S.effective_trials(values)
    assert S.effective_trials(np.full((50, 2), 0.1)) == 1.0


def test_more_columns_than_bars() -> None:
    wide = noise(bars=12, columns=40)
    assert 1 < S.effective_trials(wide) <= 11
    assert 0 <= S.pbo(wide, n_blocks=4).pbo <= 1
    assert 0 < S.spa(wide, n=99).p_value <= 1


@given(st.integers(0, 10_000))
def test_variants_of_spa_are_in_order(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(generator.normal(-0.001, 0.003, size=6), 0.01, size=(60, 6))
    got = S.spa(values, n=60, seed=seed)
    assert 0 < got.lower <= got.consistent <= got.upper <= 1


def test_noise_is_not_superior_too_often() -> None:
    p_values = [S.spa(noise(seed=seed), n=99).p_value for seed in range(200)]
    assert 0.01 <= np.mean(np.array(p_values) <= 0.05) <= 0.10
    assert 0.40 <= np.mean(p_values) <= 0.65


def test_an_edge_is_found() -> None:
    values = noise(bars=500, columns=20)
    values[:, 3] += 0.004
    assert S.spa(values).p_value < 0.01
    assert S.step_m(values).superior == [3]
    got = S.pbo(values)
    assert got.pbo < 0.01
    assert got.prob_loss < 0.05
    assert (got.dominance["second_order"] >= -1e-12).all()


def test_equal_configurations_make_a_pbo_of_one_half() -> None:
    values = [S.pbo(noise(bars=160, columns=20, seed=seed), n_blocks=8).pbo for seed in range(40)]
    assert 0.4 < np.mean(values) < 0.6
    same = np.repeat(noise(columns=1), 4, axis=1)
    assert S.pbo(same).pbo == 1.0  # every rank is the median itself
    assert S.pbo(same).logits.tolist() == [0.0] * 12_870


def test_one_that_never_traded_is_no_winner_among_gains() -> None:
    values = noise(columns=3) + 0.01
    got = S.pbo(np.column_stack([values, np.zeros(200)]), n_blocks=4)
    assert got.prob_loss == 0.0
    losing = S.pbo(np.column_stack([values - 0.05, np.zeros(200)]), n_blocks=4)
    assert losing.pbo == 0.0  # standing still was right each time


@pytest.mark.parametrize("blocks", [0, 1, 3, 22, 2.5, True, "16", None, math.inf])
def test_blocks_are_even(blocks: Any) -> None:
    with pytest.raises(bp.ParamError, match="n_blocks must be an even number from 2 to 20"):
        S.pbo(noise(), n_blocks=blocks)


def test_metrics_of_a_function_are_checked() -> None:
    with pytest.raises(bp.ParamError, match="metric must give one number for each of the 5"):
        S.pbo(noise(), n_blocks=2, metric=lambda r: 1.0)
    with pytest.raises(bp.ParamError, match="metric must be one of 'sharpe', 'mean'"):
        S.pbo(noise(), metric="sharp")
    with pytest.raises(bp.DataError, match="metric must be a number for some configuration"):
        S.pbo(noise(), n_blocks=2, metric=lambda r: np.full(5, math.nan))

    def second_is_unknown(r: FloatArray) -> FloatArray:
        figures = r.mean(axis=0)
        figures[1] = math.nan
        return figures

    values = noise()
    values[:, 1] += 1.0  # the best, if it were known
    assert S.pbo(values, n_blocks=4, metric=second_is_unknown).prob_loss > 0.2


# ------------------------------------------------------------------ bootstrap


def test_bootstrap_gives_what_the_statistic_gives() -> None:
    values = noise()
    assert S.bootstrap(values[:, 0], np.mean, n=7).shape == (7,)
    assert S.bootstrap(pd.Series(values[:, 0]), np.mean, n=7).shape == (7,)
    assert S.bootstrap(values, lambda x: x.mean(axis=0), n=7).shape == (7, 5)
    assert S.bootstrap(values, np.cov, n=3).shape == (3, 200, 200)


@pytest.mark.parametrize("kind", ["stationary", "circular"])
def test_blocks_stay_together(kind: str) -> None:
    steps = np.arange(400.0)
    rows = S.bootstrap(steps, lambda x: x, n=200, block=10, kind=kind)
    follows = (np.diff(rows, axis=1) % 400 == 1).mean()
    assert follows == pytest.approx(0.9, abs=0.01)
    assert np.bincount(rows.astype(int).ravel(), minlength=400).min() > 100  # no bar is rare
    single = S.bootstrap(steps, lambda x: x, n=200, kind="iid")
    assert (np.diff(single, axis=1) % 400 == 1).mean() < 0.01


def test_seeds_repeat() -> None:
    values = noise()
    for function in (S.spa, S.reality_check):
        assert function(values, seed=3) == function(values, seed=3)
    one, two = (S.bootstrap(values[:, 0], np.mean, n=9, seed=seed) for seed in (1, 2))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be an integer"),
        ({"block": 0.5}, "block must be a finite number of at least 1"),
        ({"block": 201}, "block must be at most the number of bars, 200"),
        ({"block": "a"}, "block must be a finite number"),
    ],
)
def test_options_of_resampling_are_checked(options: dict[str, Any], message: str) -> None:
    for call in (
        lambda: S.spa(noise(), **options),
        lambda: S.step_m(noise(), **options),
        lambda: S.bootstrap(noise(), np.mean, **options),
    ):
        with pytest.raises(bp.ParamError, match=message):
            call()


def test_other_options_are_checked() -> None:
    with pytest.raises(bp.ParamError, match="statistic must be a function"):
        S.bootstrap(noise(), "mean")
    with pytest.raises(bp.ParamError, match="kind must be one of"):
        S.bootstrap(noise(), np.mean, kind="block")
    with pytest.raises(bp.ParamError, match="alpha must lie between 0 and 1"):
        S.step_m(noise(), alpha=1.0)
    with pytest.raises(bp.ParamError, match="method must be one of"):
        S.effective_trials(noise(), method="pca")
    with pytest.raises(bp.DataError, match="at least 9 bars"):
        S.optimal_block_length(noise(bars=8))


@pytest.mark.parametrize("ask", ["spa", "reality_check", "step_m", "pbo", "effective_trials"])
def test_prices_in_place_of_returns_are_reported(ask: str) -> None:
    data = bp.Data.sample()
    function = getattr(bp.stats, ask)
    with pytest.raises(bp.DataError, match=r"not prices or values.*pct_change\(\)"):
        function(data.close)
    with pytest.raises(bp.DataError, match="not prices"):
        function(100.0 * (1.0 + data.returns.fillna(0.0)).cumprod().to_numpy())
    function(data.returns)


# ------------------------------------------------------------------ hostile returns


@pytest.mark.parametrize("name", functions())
@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.astype(object),
        lambda r: r.tolist(),
        np.asfortranarray,
        lambda r: pd.DataFrame(r).convert_dtypes(),
        lambda r: pd.DataFrame(r).astype("Float64"),
        lambda r: pd.DataFrame(r).astype(pd.SparseDtype(float)),
        lambda r: np.ma.masked_array(r, np.zeros(r.shape)),
        lambda r: np.where(r == 0.0, None, r.astype(object)),
    ],
    ids=["object", "list", "fortran", "nullable", "Float64", "sparse", "masked", "None"],
)
def test_all_kinds_of_tables_are_the_same(name: str, change: Any) -> None:
    values = noise(bars=60)
    values[::7, 2] = 0.0
    values.setflags(write=False)
    expected, got = functions()[name](values), functions()[name](change(values))
    assert plain(getattr(got, "to_numpy", lambda: got)()) == plain(
        getattr(expected, "to_numpy", lambda: expected)()
    )


@pytest.mark.parametrize("name", functions())
def test_whole_numbers_and_truth_values_are_returns(name: str) -> None:
    signs = np.random.default_rng(3).integers(-1, 2, size=(60, 4))
    function = functions()[name]
    assert plain(function(signs)) == plain(function(signs.astype(float)))
    assert plain(function(signs > 0)) == plain(function((signs > 0).astype(float)))


@pytest.mark.parametrize(
    "factors",
    [
        np.full(5, 2.0**300),
        np.full(5, 2.0**-900),
        2.0 ** np.array([-900, -300, 0, 100, 300]),
    ],
    ids=["huge", "tiny", "unlike"],
)
def test_sizes_of_columns_do_not_matter_where_they_must_not(factors: FloatArray) -> None:
    values = noise(bars=60)
    sized = values * factors
    assert S.spa(sized, n=99) == S.spa(values, n=99)
    assert S.step_m(sized, n=99).p_values.equals(S.step_m(values, n=99).p_values)
    assert S.optimal_block_length(sized).equals(S.optimal_block_length(values))
    assert S.effective_trials(sized) == S.effective_trials(values)
    assert S.pbo(sized, n_blocks=6).logits.tolist() == S.pbo(values, n_blocks=6).logits.tolist()
    if np.ptp(factors) == 0.0:
        checked = S.reality_check(sized, n=99)
        assert checked.p_value == S.reality_check(values, n=99).p_value
        means = S.pbo(sized, n_blocks=6, metric="mean")
        same = S.pbo(values, n_blocks=6, metric="mean")
        assert means.logits.tolist() == same.logits.tolist()
        assert means.slope == pytest.approx(same.slope)


@given(st.integers(2, 40), st.integers(64, 90), st.integers(0, 10_000))
def test_equal_columns_are_one(columns: int, bars: int, seed: int) -> None:
    """Also in other sizes: a strategy that trades twice as much is no other choice."""
    one = noise(bars=bars, columns=1, seed=seed)
    sizes = np.random.default_rng(seed).uniform(0.1, 3.0, size=columns)
    for same in (np.repeat(one, columns, axis=1), one * sizes):
        assert (S.pbo(same, n_blocks=6).logits == 0.0).all()
        assert S.effective_trials(same) == pytest.approx(1.0, abs=1e-9)
        found, alone = S.spa(same, n=30), S.spa(one, n=30)
        assert (found.p_value, found.best) == (alone.p_value, 0)
        assert S.step_m(same, n=30).p_values.nunique() == 1
    assert S.reality_check(np.repeat(one, columns, axis=1), n=30).best == 0


@given(st.integers(0, 10_000))
def test_the_order_of_columns_does_not_matter(seed: int) -> None:
    values = noise(bars=64, columns=7, seed=seed)
    order = np.random.default_rng(seed).permutation(7)
    assert S.spa(values[:, order], n=30).p_value == S.spa(values, n=30).p_value
    expected = S.step_m(values, n=30).p_values.to_numpy()[order]
    assert S.step_m(values[:, order], n=30).p_values.tolist() == expected.tolist()
    shuffled, straight = S.pbo(values[:, order], n_blocks=6), S.pbo(values, n_blocks=6)
    assert shuffled.logits.tolist() == straight.logits.tolist()
    assert S.effective_trials(values[:, order]) == pytest.approx(S.effective_trials(values))


def test_a_handful_of_bars_is_no_test() -> None:
    for function in (S.spa, S.reality_check, S.step_m):
        with pytest.raises(bp.DataError, match="returns must have at least 9 bars, got 8"):
            function(noise(bars=8))
        function(noise(bars=9))


def test_a_column_that_does_not_vary_has_no_memory() -> None:
    still = np.column_stack([noise()[:, 0], np.full(200, 0.01), np.zeros(200)])
    assert S.optimal_block_length(still).tolist()[1:] == [1.0, 1.0]
    alone = S.optimal_block_length(still[:, 0])
    assert S.optimal_block_length(still)[0] == pytest.approx(alone)
    underflown = noise() * 1e-312
    assert S.optimal_block_length(underflown).tolist() == [1.0] * 5
    with pytest.raises(bp.DataError, match="vary in at least one column"):
        S.spa(underflown)


def test_groups_of_a_portfolio_are_columns() -> None:
    close = bp.Data.sample().close["2003":"2005"]
    entries, exits = close > bp.sma(close, 10), close < bp.sma(close, 10)
    portfolio = bp.PF.from_signals(close, entries, exits, group_by=[0, 0, 1], cash_sharing=True)
    assert S.step_m(portfolio, n=99).p_values.index.tolist() == [0, 1]
    assert len(S.optimal_block_length(portfolio)) == 2
    whole = bp.PF.from_signals(close, entries, exits, group_by=True, cash_sharing=True)
    assert S.effective_trials(whole) == 1.0


@pytest.mark.parametrize("metric", ["sharpe", "mean"])
def test_metrics_that_are_infinite_or_tied_are_ranked(metric: str) -> None:
    values = noise(columns=4)
    known = S.pbo(values, n_blocks=4, metric=metric)

    def with_an_infinite_one(r: FloatArray) -> FloatArray:
        figures = np.where(np.arange(4) == 2, math.inf, r.mean(axis=0))
        return figures if metric == "mean" else -figures

    got = S.pbo(values, n_blocks=4, metric=with_an_infinite_one)
    assert np.isfinite(got.logits).all()
    assert got.logits.shape == known.logits.shape
    if metric == "mean":  # infinitely good in both halves
        assert got.pbo == 0.0
        assert math.isnan(got.slope)


def test_numbers_of_any_size_are_answered() -> None:
    assert S.min_track_record_length(1e-300) == math.inf
    assert S.min_backtest_length(10, target=1e-300) == math.inf
    recent = {"n_trials": 1e150, "variance": 1e-9, "convention": "2025"}
    assert 0.5 < S.deflated_sharpe_ratio(0.1, 10_000, **recent) <= 1.0
    for method in ("bonferroni", "holm", "bhy"):
        assert S.haircut_sharpe(0.3, 1000, n_trials=10**15, method=method).p_value < 0.01
    with pytest.raises(bp.ParamError, match=r"sharpe must be a ratio below 1e\+100"):
        S.probabilistic_sharpe_ratio(1e300, 10)


def test_trials_without_p_values_show_nothing() -> None:
    """The shortcut is what the list of ones says, one after the other."""
    for method in ("bonferroni", "holm", "bhy"):
        for n_trials in (1, 2, 9):
            given = {"n_trials": n_trials, "method": method}
            ones = S.haircut_sharpe(0.2, 200, **given, p_values=[1.0] * (n_trials - 1))
            assert S.haircut_sharpe(0.2, 200, **given) == pytest.approx(ones, rel=1e-12)
