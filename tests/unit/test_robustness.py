# SPDX-License-Identifier: BSD-3-Clause
"""Robustness of a choice: each figure is that of the same run changed by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._search.searchspace import Dimension
from broadpeak._simulation.costs import scaled
from broadpeak._training.components import bars_of
from broadpeak._validation import robustness
from broadpeak._validation.curves import chosen_curve, walked_curve
from broadpeak._validation.robustness import TESTS, robustness_tests

NOISE, LATE, COSTS, STEP, HALVES = TESTS
LOOKBACK = 40


def frame(n=600, seed=1, start="2020-01-01"):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0.001, 0.01, n)))
    open_ = close * np.exp(rng.normal(0, 0.003, n))
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * 1.004,
            "low": np.minimum(open_, close) * 0.996,
            "close": close,
        },
        index=pd.date_range(start, periods=n, freq="D"),
    )


X = frame()
DATA = bp.Data.from_frames({"X": X})
FEES = bp.Costs(fees=0.0005, spread=0.02)


def orders(s, days, late=0):
    """Enter where the close crosses its mean; `late` moves orders and distances along by hand."""
    above = bp.crossed_above(s.close, bp.sma(s.close, days))
    below = bp.crossed_below(s.close, bp.sma(s.close, days))
    distance = 0.02 * s.close
    if late:
        above, below = (np.concatenate([[False], mask[:-1]]) for mask in (above, below))
        # The order of the last bar before the evaluation has no place in it.
        above[LOOKBACK] = below[LOOKBACK] = False
        distance = np.concatenate([distance[:1], distance[:-1]])
    s.enter_long(above, stop=distance)
    s.enter_short(below, stop=distance)


@bp.strategy(lookback=LOOKBACK)
def crossing(s):
    orders(s, s.optimize(10, 4, 20, 2, name="days"))


@bp.strategy(lookback=LOOKBACK)
def late_crossing(s):
    orders(s, s.optimize(10, 4, 20, 2, name="days"), late=1)


def quiet(call, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return call(*arguments, **options)


def rows(result, **options):
    return {row.test: row for row in robustness_tests(result, **options)}


def returns(portfolio, closes):
    """Returns of one lot, each on the price before the bar."""
    value = portfolio.value.to_numpy()
    gain = np.diff(value, prepend=value[0])
    # The first bar's gain is counted from the start of the account.
    gain[0] = value[0] - closes[0]
    return gain / np.concatenate([closes[:1], closes[:-1]])


def sharpe(values, per_year=365.25):
    return values.mean() / values.std(ddof=1) * math.sqrt(per_year)


def by_hand(strategy, params, costs=None):
    portfolio = quiet(bp.test, strategy, DATA, {"X": params}, costs=costs, sizing="script")
    return sharpe(returns(portfolio, X["close"].to_numpy()[LOOKBACK:]))


@pytest.fixture(scope="module")
def training():
    return quiet(bp.train, crossing, DATA, costs=FEES)


@pytest.fixture(scope="module")
def walked():
    return quiet(bp.walk_forward, crossing, DATA, cycles=4, costs=FEES)


def test_an_order_one_bar_later_is_the_order_shifted_by_hand(training):
    want = by_hand(late_crossing, training.params["X"], FEES)
    assert rows(training)[LATE].figure == pytest.approx(want, rel=1e-12)
    assert abs(want - by_hand(crossing, training.params["X"], FEES)) > 1e-3


def test_costs_are_doubled(training):
    twice = bp.Costs(fees=0.001, spread=0.04)
    assert rows(training)[COSTS].figure == pytest.approx(
        by_hand(crossing, training.params["X"], twice), rel=1e-12
    )


@pytest.mark.filterwarnings("ignore:slippage is a share of the money:UserWarning")
def test_what_is_received_is_not_doubled():
    costs = bp.Costs(fees=0.0005, roll_long=-0.01, roll_short=0.02, slippage=0.6, lot_amount=3)
    assert scaled(costs, 2.0) == bp.Costs(
        fees=0.001, roll_long=-0.01, roll_short=0.04, slippage=0.999, lot_amount=3
    )


def test_without_costs_the_answer_is_doubtful_and_names_the_fee_that_takes_all():
    training = quiet(bp.train, crossing, DATA, select="peak")
    row = rows(training)[COSTS]
    assert row.status == "doubtful"
    assert math.isnan(row.figure)
    fee = float(row.meaning.split("Fees of ")[1].split(" %")[0]) / 100
    assert abs(by_hand(crossing, training.params["X"], bp.Costs(fees=fee))) < 0.1
    assert by_hand(crossing, training.params["X"], bp.Costs(fees=0.9 * fee)) > 0


def test_some_assets_without_costs_are_named():
    data = bp.Data.from_frames({"X": X, "Y": frame(seed=2)})

    @bp.strategy(lookback=LOOKBACK)
    def both(s):
        for _ in s.loop():
            orders(s, s.optimize(10, 4, 20, 2, name="days"))

    row = rows(quiet(bp.train, both, data, costs={"X": FEES}))[COSTS]
    assert row.meaning.endswith("No costs were given for Y.")
    assert row.status != "pass"


def test_neighbours_are_one_step_away(training):
    days = training.params["X"]["days"]
    assert 5 < days < 19  # so that half a step at least is left at both ends of the range
    values = [max(4, days - 2), min(20, days + 2)]
    figures = [by_hand(crossing, {"days": value}, FEES) for value in values]
    row = rows(training)[STEP]
    assert row.figure == pytest.approx(np.median(figures), rel=1e-12)
    assert row.meaning.startswith(f"{sum(one > 0 for one in figures)} of 2 direct neighbours")


@pytest.mark.parametrize(
    ("step", "value", "down", "up"),
    [
        (5, 30, 25, 35),
        (5, 31.5, 26.5, 36.5),  # a centroid off the grid
        (5, 12, 12, 17),  # 2 of 5 are left below: no step
        (5, 13, 10, 18),  # 3 of 5 are
        (-25, 40, 32, 50),
        (0, 50, 50 / 1.1, 55),
        (5, 100, 95, 100),
    ],
)
def test_a_neighbour_is_a_step_or_the_end_of_the_range(step, value, down, up):
    dim = Dimension("p", 30, 10, 100, step)
    found = [robustness._neighbour(dim, value, way, is_ascent=True) for way in (-1, 1)]
    assert found == pytest.approx([down, up])


def test_halves(training):
    portfolio = quiet(bp.test, crossing, DATA, training, costs=FEES, sizing="script")
    values = returns(portfolio, X["close"].to_numpy()[LOOKBACK:])
    halves = [sharpe(part) for part in (values[:280], values[280:])]
    row = rows(training)[HALVES]
    assert row.figure == pytest.approx(min(halves), rel=1e-12)
    assert f"{halves[0]:.2f}, of the second {halves[1]:.2f}" in row.meaning


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [(1.0, 0.5, "pass"), (1.0, -0.3, "doubtful"), (-3.0, 4.0, "fail")],
)
def test_a_bad_half_is_judged_by_what_chance_does(first, second, status):
    """Halves of one year each: a standard error of 1."""
    noise = np.random.default_rng(0).normal(size=252)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    made = np.concatenate([noise + annual / math.sqrt(252) for annual in (first, second)])
    traded = robustness._Traded(made, 10, 1.0, 252.0)
    figure, threshold, found, _ = robustness._halves(traded)
    assert figure == pytest.approx(min(first, second))
    assert (threshold, found) == (0.0, status)


@pytest.mark.parametrize(
    ("figures", "status"),
    [
        ([0.5], "pass"),
        ([0.2], "doubtful"),
        ([0.0], "fail"),
        ([-1.0, 0.5, 0.6], "doubtful"),  # one of them loses
        ([-1.0, -0.5, 0.6], "fail"),
        ([0.6, 0.5, 0.1], "pass"),
    ],
)
def test_the_rule(figures, status):
    assert robustness._status(figures, 0.3) == status


# ------------------------------------------------------------------ noise


def test_noise_is_a_tenth_of_the_typical_range_and_keeps_bars_in_order():
    bars = bars_of(DATA)["X"]
    shaken = robustness._shaken(bars, np.random.default_rng(3))
    moves = np.log(shaken.close / bars.close)
    before = np.concatenate([bars.open[:1], bars.close[:-1]])
    typical = np.median(np.log(np.maximum(bars.high, before) / np.minimum(bars.low, before)))
    assert moves.std() == pytest.approx(0.1 * typical, rel=0.1)
    assert abs(moves.mean()) < 0.02 * typical
    assert (shaken.high >= np.maximum(shaken.open, shaken.close)).all()
    assert (shaken.low <= np.minimum(shaken.open, shaken.close)).all()


def test_prices_that_are_closes_only_stay_so():
    bars = bars_of(bp.Data.from_frames({"X": X[["close"]]}))["X"]
    shaken = robustness._shaken(bars, np.random.default_rng(3))
    assert (shaken.open == shaken.close).all()
    assert (shaken.high == shaken.close).all()
    assert (shaken.close != bars.close).all()


def test_who_decides_by_the_calendar_sees_no_noise():
    @bp.strategy(lookback=LOOKBACK)
    def calendar(s):
        days = s.optimize(10, 4, 20, 2, name="days")
        at = np.arange(len(s.close)) % (2 * int(days))
        s.enter_long(at == 0)
        s.exit_long(at == int(days))

    training = quiet(bp.train, calendar, DATA)
    want = by_hand(calendar, training.params["X"])
    assert rows(training)[NOISE].figure == pytest.approx(want, rel=1e-12)


def test_who_decides_by_a_hair_does_not_survive_noise():
    """Prices in which a tiny uptick of the open over the last close announces the next bar."""
    rng = np.random.default_rng(9)
    n = 800
    sign = rng.choice([-1.0, 1.0], n)
    close = 100 * np.exp(np.cumsum(0.01 * np.concatenate([[0.0], sign[:-1]])))
    tip = 1 + 1e-6 * sign
    prices = pd.DataFrame(
        {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close * tip},
        index=pd.date_range("2020-01-01", periods=n, freq="D"),
    )

    @bp.strategy(lookback=LOOKBACK, fill="close")
    def hair(s):
        s.optimize(1, 1, 3, 1, name="unused")
        s.enter_long(s.close > s.open)
        s.enter_short(s.close < s.open)

    training = quiet(bp.train, hair, bp.Data.from_frames({"X": prices}))
    found = rows(training)
    assert found[NOISE].status != "pass"
    assert found[NOISE].figure < 2 < found[HALVES].figure


def test_an_edge_of_one_bar_is_gone_one_bar_later():
    close = 100 * np.exp(0.01 * (np.arange(400) % 2))
    prices = pd.DataFrame({"close": close}, index=pd.date_range("2020-01-01", periods=400))

    @bp.strategy(lookback=LOOKBACK, fill="close")
    def reversal(s):
        s.optimize(1, 1, 3, 1, name="unused")
        change = np.diff(s.close, prepend=np.nan)
        s.enter_long(change < 0)
        s.enter_short(change > 0)

    row = rows(quiet(bp.train, reversal, bp.Data.from_frames({"X": prices})))[LATE]
    assert row.status == "fail"
    assert "within one bar" in row.meaning


def test_the_seed_decides(training):
    assert robustness_tests(training, seed=5) == robustness_tests(training, seed=5)
    assert rows(training, seed=5)[NOISE] != rows(training, seed=6)[NOISE]


def test_a_strategy_that_cannot_take_the_noise_fails_in_words():
    known = X["close"].to_numpy()

    @bp.strategy(lookback=LOOKBACK)
    def stubborn(s):
        if not (s.close == known[: len(s.close)]).all():
            msg = "these are not my prices"
            raise ValueError(msg)
        orders(s, s.optimize(10, 4, 20, 2, name="days"))

    row = rows(quiet(bp.train, stubborn, DATA))[NOISE]
    assert row.status == "fail"
    assert "these are not my prices" in row.meaning


# ------------------------------------------------------------------ walk-forward


def stitched(wf, shift):
    """A strategy whose every bar obeys the values of its cycle, `shift` away, as one function."""
    cycles = wf.cycles.dropna(subset=["test_start"])

    @bp.strategy(lookback=LOOKBACK)
    def once(s):
        above, below = np.zeros((2, len(s.close)), dtype=bool)
        for cycle in cycles.itertuples():
            here = (s.index >= cycle.test_start) & (s.index <= cycle.test_end)
            mean = bp.sma(s.close, min(max(cycle.days + shift, 4), 20))
            above |= here & bp.crossed_above(s.close, mean)
            below |= here & bp.crossed_below(s.close, mean)
        s.enter_long(above, stop=0.02 * s.close)
        s.enter_short(below, stop=0.02 * s.close)

    start = cycles["test_start"].iloc[0]
    return quiet(bp.test, once, DATA, costs=FEES, start=start, sizing="money").returns.to_numpy()


def test_a_walk_forward_keeps_the_values_of_each_cycle(walked):
    plain = stitched(walked, 0)
    again = robustness._Rerun.of(walked)
    assert again.trade(again.orders()).returns == pytest.approx(plain, abs=1e-12)
    found = rows(walked)
    middle = len(plain) // 2
    assert found[HALVES].figure == pytest.approx(
        min(sharpe(plain[:middle]), sharpe(plain[middle:])), rel=1e-9
    )
    assert walked.cycles["days"].between(5, 19).all()  # as above
    assert walked.cycles["days"].nunique() > 1
    figures = [sharpe(stitched(walked, step)) for step in (-2, 2)]
    assert found[STEP].figure == pytest.approx(np.median(figures), rel=1e-9)


@pytest.mark.parametrize("border", ["carry", "close"])
@pytest.mark.parametrize("horizon", [0, 3])
def test_a_rerun_is_the_stitched_test(border, horizon):
    data = bp.Data.from_frames({"X": X, "Y": frame(seed=2).iloc[::2]})

    @bp.strategy(lookback=LOOKBACK)
    def both(s):
        for _ in s.loop():
            orders(s, s.optimize(10, 4, 20, 2, name="days"))

    options = {"border": border, "horizon": horizon, "costs": FEES, "sizing": "unit"}
    wf = quiet(bp.walk_forward, both, data, cycles=3, **options)
    again = robustness._Rerun.of(wf)
    late = again.trade(again.orders(), is_late=True)
    tested = again.trade(again.orders())
    total = pd.Series(0.0, wf.portfolio.index)
    for key, component in wf.portfolio.components.items():
        closes = data.select(key).close.dropna()[component.index[0] :].to_numpy()
        own = pd.Series(returns(component, closes), component.index)
        total = total.add(own / 2, fill_value=0.0)
    assert tested.returns == pytest.approx(total.to_numpy(), abs=1e-12)
    assert late.n_trades > 0
    assert late.sharpe != tested.sharpe


@bp.strategy(lookback=LOOKBACK)
def both_sized(s):
    """Two components, of which each trade has lots of its own."""
    for _ in s.loop():
        s.lots = np.where(s.close > bp.sma(s.close, 20), 2.0, 1.0)
        orders(s, s.optimize(10, 4, 20, 2, name="days"))


@pytest.mark.parametrize("sizing", ["unit", "script", "money", "equity"])
@pytest.mark.parametrize("select", ["hill", "ensemble"])
def test_what_is_rerun_is_what_the_verdict_judges(sizing, select):
    """One rule for both: unchanged, a rerun has the returns of the account that is judged."""
    data = bp.Data.from_frames({"X": X, "Y": frame(seed=2).iloc[::2]})
    method = {"hill": "ascent", "ensemble": "brute"}[select]
    options = {"costs": FEES, "method": method, "select": select}
    trained = quiet(bp.train, both_sized, data, sizing=sizing, **options)
    walked = quiet(bp.walk_forward, both_sized, data, cycles=3, sizing=sizing, **options)
    for result, judged in (
        (trained, chosen_curve(trained, data)),
        (walked, walked_curve(walked, data)),
    ):
        again = robustness._Rerun.of(result)
        found = again.trade(again.orders())
        assert found.returns == pytest.approx(judged.returns, abs=1e-12)
        assert found.n_trades == judged.n_trades > 10
        sharpe_ratio = quiet(bp.validate, result, n_permutations=1).sharpe
        assert found.sharpe == pytest.approx(sharpe_ratio, rel=1e-9)


def test_nothing_is_held_over_a_border_that_closes():
    wf = quiet(bp.walk_forward, crossing, DATA, cycles=4, border="close", costs=FEES)
    again = robustness._Rerun.of(wf)
    borders = [segment["X"].last - 1 for segment in again.segments[:-1]]
    (place,) = again.orders()
    arrays = place.orders
    closed = np.zeros(len(place.ordered.bars), dtype=bool)
    closed[borders] = True
    # One order stands on the bar before a border, so that it is the border's when it is late.
    arrays.enter_long[borders[0] - 1] = True
    late = arrays.delayed(closed)
    assert not late.enter_long[borders].any()
    assert arrays.delayed().enter_long[borders[0]]
    np.testing.assert_array_equal(place.flatten, closed)


def test_the_table_of_a_walk_forward_without_a_last_training():
    wf = quiet(bp.walk_forward, crossing, DATA, cycles=4, retrain_last=False, costs=FEES)
    full = quiet(bp.walk_forward, crossing, DATA, cycles=4, costs=FEES)
    assert robustness_tests(wf) == robustness_tests(full)


# ------------------------------------------------------------------ edges


def test_without_a_trade_nothing_is_tested():
    @bp.strategy(lookback=LOOKBACK)
    def idle(s):
        s.optimize(10, 4, 20, 2, name="days")
        s.enter_long(s.close < 0)

    found = robustness_tests(quiet(bp.train, idle, DATA))
    assert [row.test for row in found] == list(TESTS)
    assert {row.status for row in found} == {"-"}


def test_without_a_parameter_there_is_no_neighbour():
    @bp.strategy(lookback=LOOKBACK)
    def fixed(s):
        orders(s, s.optimize(10, 0, 0, name="days"))  # stored, not searched

    row = rows(quiet(bp.train, fixed, DATA))[STEP]
    assert row.status == "-"


def test_prices_without_dates_have_years_of_252_bars():
    undated = bp.Data.from_frames({"X": X.reset_index(drop=True)})
    training = quiet(bp.train, crossing, undated, costs=FEES)
    row = rows(training)[LATE]
    assert row.threshold == pytest.approx(1 / math.sqrt(560 / 252))
    want = by_hand(late_crossing, training.params["X"], FEES) * math.sqrt(252 / 365.25)
    assert row.figure == pytest.approx(want, rel=1e-9)


def test_a_training_on_a_part_of_the_prices():
    part = quiet(bp.train, crossing, DATA, start="2020-06-01", end="2021-06-01", costs=FEES)
    window = {"start": "2020-06-01", "end": "2021-06-01"}
    portfolio = quiet(bp.test, crossing, DATA, part, costs=FEES, sizing="unit", **window)
    values = returns(portfolio, X["close"]["2020-06-01":"2021-06-01"].to_numpy())
    again = robustness._Rerun.of(part)
    assert again.trade(again.orders()).returns == pytest.approx(values, abs=1e-12)
