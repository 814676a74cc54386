# SPDX-License-Identifier: BSD-3-Clause
"""Parameters asked outside of the loop: one value for all, scored on the trades of all."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._training.train import offset_cuts

LOOKBACK, N = 40, 240


def prices(seed, n=N, level=100.0, start="2019-01-01", freq="D"):
    rng = np.random.default_rng(seed)
    close = level * np.exp(np.cumsum(rng.normal(0, 0.012, n)))
    open_ = close * np.exp(rng.normal(0, 0.004, n))
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * 1.003,
            "low": np.minimum(open_, close) * 0.997,
            "close": close,
        },
        index=pd.date_range(start, periods=n, freq=freq),
    )


BOTH = bp.Data.from_frames({"A": prices(1), "B": prices(2, level=20)})


def trade(s, days, risk=0.05):
    mean = bp.sma(s.close, days)
    s.stop = s.close * risk
    s.enter_long(bp.crossed_above(s.close, mean))
    s.enter_short(bp.crossed_below(s.close, mean))


@bp.strategy(lookback=LOOKBACK)
def common(s):
    days = s.optimize(15, 5, 30, 5, name="days")
    for _ in s.loop():
        trade(s, days)


@bp.strategy(lookback=LOOKBACK)
def looped(s):
    for _ in s.loop():
        trade(s, s.optimize(15, 5, 30, 5, name="days"))


@bp.strategy(lookback=LOOKBACK)
def mixed(s):
    days = s.optimize(15, 5, 30, 5, name="days")
    for _ in s.loop():
        trade(s, days, s.optimize(0.04, 0.02, 0.08, 0.02, name="risk"))


def quiet(func, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*arguments, **options)


def sum_of_own(data, **options):
    costs = options.pop("costs", {})
    parts = [
        quiet(bp.train, looped, data.select(one), costs=costs.get(one), **options)
        for one in data.symbols
    ]
    return sum(part.trials.set_index("days")["objective"] for part in parts)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"costs": {"A": bp.Costs(spread=0.1), "B": bp.Costs(fees=0.001, lot_amount=10)}},
        {"detrend": "trades"},
        {"detrend": "prices"},
        {"recency": 2.0},
        {"start": "2019-04-01", "end": "2019-07-31"},
        {"samples": ("2D", 2), "min_trades": 0},
    ],
    ids=["plain", "costs", "trades", "prices", "recency", "period", "samples"],
)
def test_profit_of_a_step_is_the_sum_of_the_profits(options):
    options = {"objective": "profit", "min_trades": 1, **options}
    training = quiet(bp.train, common, BOTH, **options)
    together = training.trials.set_index("days")["objective"]
    np.testing.assert_allclose(together, sum_of_own(BOTH, **options), rtol=1e-9)


def test_samples_are_pooled_each_on_its_own_bars():
    late = prices(3, start="2019-02-03", n=N - 40)
    data = bp.Data.from_frames({"A": prices(1), "B": late})
    samples = ("3D", 3)
    training = quiet(bp.train, common, data, samples=samples, min_trades=1, start="2019-07-01")
    cuts = [
        quiet(bp.train, common, cut, min_trades=1, start="2019-07-01").trials
        for cut in offset_cuts(data, samples)
    ]
    for name in ("net", "bars", "bars_in_market", "drawdown_max", "return_std", "years"):
        mean = np.mean([cut[name] for cut in cuts], axis=0)
        np.testing.assert_allclose(training.trials[name], mean, rtol=1e-12)


@pytest.mark.parametrize("method", ["ascent", "brute", "random"])
def test_a_value_at_the_end_of_its_range_is_marked(method, tmp_path):
    options = {"n_evaluations": 6} if method == "random" else {}
    training = quiet(
        bp.train, common, BOTH, method=method, select="peak", objective=many_trades, **options
    )
    assert training.params == {"A": {"days": 5}, "B": {"days": 5}}
    assert all(found.at_edge == {"days": True} for found in training.components.values())
    assert (
        training.to_par(tmp_path / "common.par").read_text(encoding="utf-8").count(" +5 => ") == 2
    )


def many_trades(stats):
    return stats.num_trades


def test_trades_of_all_are_enough_where_those_of_one_are_not():
    own = quiet(bp.train, looped, BOTH, min_trades=30, select="peak")
    together = quiet(bp.train, common, BOTH, min_trades=30, select="peak")
    for days, row in together.trials.set_index("days").iterrows():
        same = own.trials[own.trials["days"] == days]
        n_trades = same["wins"].sum() + same["losses"].sum()
        assert row["wins"] + row["losses"] == n_trades
        assert (row["objective"] > 0) == (n_trades >= 30)
    assert any(row["objective"] > 0 for _, row in together.trials.iterrows())


def test_a_component_without_trades_leaves_the_others_alone():
    @bp.strategy(lookback=LOOKBACK)
    def lazy(s):
        days = s.optimize(15, 5, 30, 5, name="days")
        for asset, _ in s.loop():
            if asset == "A":
                trade(s, days)

    alone = quiet(bp.train, looped, BOTH.select("A"), objective="profit")
    training = quiet(bp.train, lazy, BOTH, objective="profit")
    assert training.params["B"] == training.params["A"] == alone.params["A"]
    assert any("never trades (B)" in note for note in training.notes)


def test_algos_of_one_asset_share_it_too():
    @bp.strategy(lookback=LOOKBACK)
    def sides(s):
        days = s.optimize(15, 5, 30, 5, name="days")
        for _, side in s.loop(algos=["long", "short"]):
            mean = bp.sma(s.close, days)
            if side == "long":
                s.enter_long(bp.crossed_above(s.close, mean))
                s.exit_long(bp.crossed_below(s.close, mean))
            else:
                s.enter_short(bp.crossed_below(s.close, mean))
                s.exit_short(bp.crossed_above(s.close, mean))

    training = quiet(bp.train, sides, BOTH.select("A"), objective="profit")
    assert list(training.params) == ["A:long", "A:short"]
    assert training.params["A:long"] == training.params["A:short"]
    # Both directions together are one strategy that reverses.
    first = training.trials.iloc[0]
    assert first["num_win_long"] + first["num_loss_long"] > 0
    assert first["num_win_short"] + first["num_loss_short"] > 0


def test_a_common_parameter_after_the_loop_without_a_name(tmp_path):
    @bp.strategy(lookback=LOOKBACK)
    def after(s):
        for asset, _ in s.loop():
            trade(s, s.optimize(15, 5, 30, 5))
            if asset == "B":
                s.optimize(1, 1, 3, 1)
        s.optimize(3, 1, 5, 1)

    training = quiet(bp.train, after, BOTH)
    assert {key: list(found) for key, found in training.params.items()} == {
        "A": ["p1", "p2"],
        "B": ["p1", "p2", "p3"],
    }
    assert training.params["A"]["p2"] == training.params["B"]["p3"]
    assert list(training.components["B"].steps) == ["p1", "p2", "p3"]
    assert training.components["B"].common == ("p3",)


def test_one_asset_alone_is_trained_as_ever():
    one = BOTH.select("A")
    training, alone = quiet(bp.train, common, one), quiet(bp.train, looped, one)
    assert training.params == alone.params
    pd.testing.assert_frame_equal(training.trials, alone.trials)


def test_what_a_training_shows_of_a_common_parameter(tmp_path):
    for method in ("ascent", "brute"):
        training = quiet(bp.train, mixed, BOTH, method=method, curves=True)
        trials, curves = training.trials, training.curves
        np.testing.assert_allclose(curves.sum(axis=1), trials["net"], atol=1e-9)
        assert list(dict.fromkeys(trials["component"])) == ["*", "A", "B"]
        together = trials[trials["component"] == "*"]
        assert together["risk"].isna().all()
        for key, found in training.components.items():
            curve = training.step_curve("days", key)
            np.testing.assert_array_equal(curve.objective, together["objective"])
            np.testing.assert_array_equal(curve.wins, together["wins"])
            assert curve.component == key
            assert found.at_edge.keys() == {"days", "risk"}
            assert found.common == ("days",)
            assert training.chart("days", key) is not None
            assert len(training.table("days", "risk", key)) > 1
        assert len(training.charts()) == 4
        training.report(tmp_path / "page.html")
        path = training.to_par(tmp_path / "mixed.par")
        assert bp.read_par(path).params == training.params
        # One run for each step and component, and one with the values that were chosen.
        assert all(found.n_evaluations <= 6 + 4 + 1 for found in training.components.values())


def test_no_combination_runs_twice():
    calls = []

    @bp.strategy(lookback=LOOKBACK)
    def counting(s):
        days = s.optimize(15, 5, 30, 5, name="days")
        for asset, _ in s.loop():
            risk = s.optimize(0.04, 0.02, 0.08, 0.02, name="risk")
            calls.append((asset, days, risk))
            trade(s, days, risk)

    for options in ({}, {"method": "brute"}, {"select": "peak"}):
        calls.clear()
        training = quiet(bp.train, counting, BOTH, check=False, **options)
        evaluated = calls[2:]
        assert len(evaluated) == len(set(evaluated))
        assert len(evaluated) == sum(one.n_evaluations for one in training.components.values())


@pytest.mark.parametrize("options", [{}, {"borrow": 1}], ids=["common", "borrowed"])
def test_on_step_hears_of_a_step_of_all_once(options):
    infos = []
    strategy = looped if options else common
    quiet(bp.train, strategy, BOTH, on_step=infos.append, **options)
    steps = [one for one in infos if one.component == "*"]
    assert [one.params for one in steps] == [{"days": float(d)} for d in range(5, 31, 5)]
    assert [one.step_cycle for one in steps] == [1, 2, 3, 4, 5, 6]
    expected = quiet(bp.train, common, BOTH).trials
    assert [one.objective for one in steps] == expected["objective"].tolist()
    assert [one.stats.net for one in steps] == expected["net"].tolist()
    assert [one.component for one in infos[6:]] == ["A", "B"]  # the chosen value of each


@pytest.mark.parametrize("method", ["ascent", "brute"])
def test_a_stop_ends_the_common_parameter(method):
    @bp.strategy(lookback=LOOKBACK)
    def stopping(s):
        days = s.optimize(15, 5, 30, 5, name="days")
        for asset, _ in s.loop():
            if asset == "B" and days == 15:
                s.stop_search()
            trade(s, days, s.optimize(0.04, 0.02, 0.08, 0.02, name="risk"))

    training = quiet(bp.train, stopping, BOTH, method=method)
    trials = training.trials
    assert trials[trials["component"] == "*"]["days"].tolist() == [5, 10, 15]
    assert (trials["component"] == "A").sum() >= 3


def test_a_strategy_that_looks_at_the_search_sees_the_same_numbers():
    seen = []

    @bp.strategy(lookback=LOOKBACK)
    def looking(s):
        days = s.optimize(15, 5, 30, 5, name="days")
        for asset, _ in s.loop():
            risk = s.optimize(0.04, 0.02, 0.08, 0.02, name="risk")
            seen.append((asset, s.train_cycle, s.par_cycle, s.step_cycle))
            trade(s, days, risk)

    quiet(bp.train, looking, BOTH, passes=2)
    searched = [one for one in seen[2:] if one[3] > 0]
    for asset in "AB":
        mine = [one[1:] for one in searched if one[0] == asset]
        assert mine == [
            (cycle, par, step)
            for cycle in (1, 2)
            for par, n in ((1, 6), (2, 4))
            for step in range(1, n + 1)
        ]


def test_integers_are_rounded_and_tried_once():
    @bp.strategy(lookback=LOOKBACK)
    def rounded(s):
        days = s.optimize(15, 5, 8, 0.5, name="days", integer=True)
        for _ in s.loop():
            trade(s, days)

    training = quiet(bp.train, rounded, BOTH)
    assert training.trials["days"].tolist() == [5, 6, 7, 8]
    assert len(training.step_curve("days", "A").values) == 7
    assert training.params["A"]["days"] == int(training.params["A"]["days"])


def test_nothing_usable_keeps_the_default():
    for method in ("ascent", "brute"):
        training = quiet(bp.train, mixed, BOTH, min_trades=10_000, method=method)
        for found in training.components.values():
            assert found.params == {"days": 15, "risk": 0.04}
            assert (found.usable, found.objective) == (False, 0.0)
        assert any("no step with a usable objective" in note for note in training.notes)


def test_few_trades_of_all_are_said():
    short = quiet(bp.train, common, BOTH, start="2019-08-01", min_trades=1)
    n_trades = sum(found.stats.num_trades for found in short.components.values())
    assert n_trades < 20
    assert any(f"all together {n_trades} for 1" in note for note in short.notes)
    plenty = quiet(bp.train, common, BOTH)
    assert sum(found.stats.num_trades for found in plenty.components.values()) >= 20
    assert plenty.notes == ()


def test_walk_forward_trains_it_on_all_in_every_cycle():
    walk = quiet(bp.walk_forward, mixed, BOTH, cycles=3, min_trades=1)
    for training in walk.trainings:
        start, end = training.settings["start"], training.settings["end"]
        again = quiet(bp.train, mixed, BOTH, start=start, end=end, min_trades=1)
        assert again.params == training.params
        assert len({found["days"] for found in training.params.values()}) == 1
    assert np.isfinite(walk.step_curve("days", "B").objective).any()


class TestErrors:
    def test_the_range_must_be_the_same_for_all(self):
        @bp.strategy(lookback=LOOKBACK)
        def differing(s):
            last = None
            for asset, _ in s.loop():
                last = asset
                trade(s, 15)
            s.optimize(2, 1, 5 if last == "A" else 6, 1, name="tail")

        with pytest.raises(bp.StrategyError, match=r"asked outside s\.loop\(\) must be the same"):
            bp.train(differing, BOTH)

    @pytest.mark.parametrize("engine", ["serial", "threadpool"])
    def test_an_error_names_the_component(self, engine):
        @bp.strategy(lookback=LOOKBACK)
        def failing(s):
            days = s.optimize(15, 5, 30, 5, name="days")
            for asset, _ in s.loop():
                if asset == "B" and days == 25:
                    raise OSError("gone")
                trade(s, days)

        with pytest.raises(bp.TaskError, match=r"component=B, days=25.*OSError: gone") as info:
            bp.train(failing, BOTH, engine=engine)
        with pytest.raises(bp.TaskError, match="gone"):
            info.value.rerun()
        skipped = quiet(bp.train, failing, BOTH, engine=engine, on_error="skip")
        assert np.isnan(skipped.step_curve("days", "A").objective[4])

    def test_own_mistakes_come_through(self):
        @bp.strategy(lookback=LOOKBACK)
        def wrong(s):
            days = s.optimize(15, 5, 30, 5, name="days")
            for asset, _ in s.loop():
                s.stop = 20 - days if asset == "B" else 1
                s.enter_long(s.close > 0)

        with pytest.raises(bp.StrategyError, match="stop must be positive where"):
            bp.train(wrong, BOTH)

    def test_a_value_that_is_no_column_of_trials(self):
        @bp.strategy(lookback=LOOKBACK)
        def taken(s):
            s.optimize(15, 5, 30, 5, name="blended")

        with pytest.raises(bp.ParamError, match="name of a column of trials"):
            bp.train(taken, BOTH.select("A"))


@pytest.mark.parametrize(
    "options", [{}, {"borrow": 0.5}, {"borrow": "auto"}, {"borrow": 1}], ids=str
)
@pytest.mark.parametrize("method", ["ascent", "brute"])
def test_a_training_that_was_interrupted_goes_on(tmp_path, method, options):
    limit = [10**9]

    def interrupted(s):
        days = s.optimize(15, 5, 30, 5, name="days")
        for _ in s.loop():
            limit[0] -= 1
            if limit[0] < 0:
                raise KeyboardInterrupt
            trade(s, days, s.optimize(0.04, 0.02, 0.08, 0.02, name="risk"))

    strategy = bp.strategy(lookback=LOOKBACK)(interrupted)
    settings = {"method": method, "store_key": "one", "check": False, **options}
    expected = quiet(bp.train, strategy, BOTH, **settings)
    n_calls = 10**9 - limit[0]
    path = tmp_path / "runs.db"
    limit[0] = n_calls // 2
    with pytest.raises(KeyboardInterrupt):
        quiet(bp.train, strategy, BOTH, store=path, **settings)
    limit[0] = 10**9
    found = quiet(bp.train, strategy, BOTH, store=path, **settings)
    assert 10**9 - limit[0] < n_calls
    pd.testing.assert_frame_equal(found.trials, expected.trials, check_exact=True)
    assert found.params == expected.params
    limit[0] = 2  # the discovery; all else is in the store
    again = quiet(bp.train, strategy, BOTH, store=path, **settings)
    pd.testing.assert_frame_equal(again.trials, expected.trials, check_exact=True)
