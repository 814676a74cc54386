# SPDX-License-Identifier: BSD-3-Clause
"""`borrow=`: scores of other components count, up to one value for all of them."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._search import brute
from broadpeak._search.protocol import SearchStep
from broadpeak._search.selectors import choose_step, resolve_selector
from broadpeak._training.borrowing import blended_scores, estimated_share
from broadpeak._training.evaluation import discover, evaluate, run_samples
from broadpeak._training.train import _setup, plan_training
from broadpeak._training.trainoptions import TrainOptions

LOOKBACK, N = 40, 240
STEPS = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0)


def prices(seed, n=N, level=100.0):
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
        index=pd.date_range("2019-01-01", periods=n, freq="D"),
    )


DATA = bp.Data.from_frames({"A": prices(1), "B": prices(2, level=20), "C": prices(3)[::2]})
SYMBOLS = ("A", "B", "C")


def trade(s, days, risk=0.05):
    mean = bp.sma(s.close, days)
    s.stop = s.close * risk
    s.enter_long(bp.crossed_above(s.close, mean))
    s.enter_short(bp.crossed_below(s.close, mean))


@bp.strategy(lookback=LOOKBACK)
def looped(s):
    for _ in s.loop():
        trade(s, s.optimize(15, 5, 30, 5, name="days"))


@bp.strategy(lookback=LOOKBACK)
def common(s):
    days = s.optimize(15, 5, 30, 5, name="days")
    for _ in s.loop():
        trade(s, days)


@bp.strategy(lookback=LOOKBACK)
def two(s):
    for _ in s.loop():
        days = s.optimize(15, 5, 30, 5, name="days")
        trade(s, days, s.optimize(0.04, 0.02, 0.08, 0.02, name="risk"))


def quiet(func, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*arguments, **options)


def alone(strategy=looped, **options):
    return {one: quiet(bp.train, strategy, DATA.select(one), **options) for one in SYMBOLS}


def own_curves(**options):
    """Return {symbol: score by days} of components trained alone."""
    return {
        one: found.trials.sort_values("days").set_index("days")["objective"]
        for one, found in alone(**options).items()
    }


class TestBlend:
    def test_the_formula(self):
        found = blended_scores([[1, 2], [3, 5], [5, 11]], 0.25, [1, 1, 1])
        np.testing.assert_allclose(found, [[1.75, 3.5], [3, 5.375], [4.25, 9.125]])

    def test_nothing_and_all(self):
        curves = [[1.0, 2.0], [3.0, 5.0]]
        assert blended_scores(curves, 0, [1, 1]) == curves
        assert blended_scores(curves, 1, [1, 1]) == curves[::-1]

    def test_scores_in_money_are_shares_of_capital(self):
        cheap, dear = blended_scores([[1.0, 2.0], [300.0, 100.0]], 0.5, [10, 1000])
        assert cheap == pytest.approx([0.5 * 1 + 0.5 * 3, 0.5 * 2 + 0.5 * 1])
        assert dear == pytest.approx([0.5 * 300 + 0.5 * 100, 0.5 * 100 + 0.5 * 200])

    def test_a_step_that_is_unusable_stays_so_and_counts_as_the_worst_for_others(self):
        own, other = blended_scores([[np.nan, 2.0], [4.0, 6.0]], 0.5, [1, 1])
        assert np.isnan(own[0])
        assert own[1] == 4
        assert other == [2, 4]

    def test_a_curve_that_was_stopped_is_left_out_where_it_ends(self):
        short, one, other = blended_scores([[2.0], [4.0, 6.0], [8.0, 10.0]], 0.5, [1, 1, 1])
        assert short == [0.5 * 2 + 0.5 * 6]
        assert one == [0.5 * 4 + 0.5 * 5, 0.5 * 6 + 0.5 * 10]
        assert other[1] == 0.5 * 10 + 0.5 * 6

    def test_steps_that_no_other_reached_are_its_own(self):
        assert blended_scores([[1.0], [2.0, 7.0]], 1, [1, 1])[1] == [1, 7]


HILL = np.array([1.0, 2.0, 3.0, 2.0, 1.0])


def halves_of(curves, luck):
    return [
        [(y + e, y - e) for y, e in zip(row, noise, strict=True)]
        for row, noise in zip(curves, luck, strict=True)
    ]


class TestAuto:
    @pytest.mark.parametrize("k", [2, 3, 20])
    def test_the_same_surface_everywhere_is_the_mean_of_all(self, k):
        curves = [HILL + level for level in range(k)]  # levels do not matter
        share = estimated_share(curves, halves_of(curves, np.ones((k, 5))), [1] * k)
        assert share == (k - 1) / k
        # Own and others then weigh alike: 1/k each.
        assert 1 - share == pytest.approx(share / (k - 1))

    def test_opposite_surfaces_without_luck_are_left_alone(self):
        curves = [HILL, -HILL]
        assert estimated_share(curves, halves_of(curves, np.zeros((2, 5))), [1, 1]) == 0

    def test_luck_is_what_halves_do_not_have_in_common(self):
        rng = np.random.default_rng(1)
        curves = [HILL, -HILL, HILL[::-1] ** 2]
        luck = rng.normal(size=(3, 5))
        shares = [
            estimated_share(curves, halves_of(curves, scale * luck), [1] * 3)
            for scale in (0.0, 0.2, 0.5, 100.0)
        ]
        assert shares == sorted(shares)
        assert shares[0] == 0
        assert 0 < shares[1] < shares[2] < shares[3] == 2 / 3
        # The mean squares of deviations, written out.
        table, e = np.array(curves), 0.2 * luck
        d = table - table.mean(axis=1, keepdims=True)
        d -= d.mean(axis=0)
        e = e - e.mean(axis=1, keepdims=True)
        e -= e.mean(axis=0)
        assert shares[1] == pytest.approx(2 / 3 * np.square(e).sum() / np.square(d).sum())

    def test_what_all_have_in_common_is_no_luck_of_one(self):
        curves, shared = [HILL, -HILL], np.tile(np.arange(5.0), (2, 1))
        assert estimated_share(curves, halves_of(curves, shared), [1, 1]) == 0

    def test_truth_and_luck_are_told_apart(self):
        """The weight comes near that of least squared error, which is known here."""
        rng = np.random.default_rng(7)
        k, n, tau, sigma = 30, 200, 0.5, 1.0
        truth = rng.normal(size=n) + tau * rng.normal(size=(k, n))
        half = [truth + np.sqrt(2) * sigma * rng.normal(size=(k, n)) for _ in range(2)]
        curves = (half[0] + half[1]) / 2
        halves = [list(zip(*row, strict=True)) for row in zip(*half, strict=True)]
        best = sigma**2 / (sigma**2 + tau**2 + (tau**2 + sigma**2) / (k - 1))
        assert estimated_share(curves, halves, [1] * k) == pytest.approx(best, abs=0.03)
        shares = np.linspace(0, 1, 101)
        errors = [
            np.square(np.array(blended_scores(curves, s, [1] * k)) - truth).sum() for s in shares
        ]
        assert shares[int(np.argmin(errors))] == pytest.approx(best, abs=0.05)

    def test_one_step_is_no_choice(self):
        assert estimated_share([[1.0], [2.0]], [[(1.0, 1.0)], [(2.0, 2.0)]], [1, 1]) == 0

    @settings(max_examples=50)
    @given(st.integers(2, 5), st.integers(2, 6), st.integers(0, 2**31))
    def test_it_is_a_share(self, k, n, seed):
        rng = np.random.default_rng(seed)
        curves = rng.normal(size=(k, n)).round(1)
        curves[rng.random((k, n)) < 0.1] = np.nan
        halves = halves_of(curves, rng.normal(size=(k, n)))
        assert 0 <= estimated_share(curves, halves, [1] * k) <= (k - 1) / k


class TestTraining:
    @pytest.mark.parametrize("objective", ["prr", "sharpe", "profit"])
    @pytest.mark.parametrize("method", ["ascent", "brute", "random"])
    @pytest.mark.parametrize("share", [0.3, 0.5])
    def test_the_blend_is_what_is_chosen_from(self, method, share, objective):
        options = {"method": method, "select": "peak", "objective": objective}
        if method == "random":
            options["n_evaluations"] = 6
        own = own_curves(**options)
        unit = dict.fromkeys(SYMBOLS, 1.0)
        if objective == "profit":
            unit = {one: DATA.select(one).close.dropna().iloc[LOOKBACK] for one in SYMBOLS}
        training = quiet(bp.train, looped, DATA, borrow=share, **options)
        for symbol, found in training.components.items():
            others = [own[one] / unit[one] for one in SYMBOLS if one != symbol]
            mean = unit[symbol] * sum(others) / 2
            expected = (1 - share) * own[symbol] + share * mean
            assert found.params == {"days": expected.idxmax() if expected.max() > 0 else 15}
            rows = training.trials.query("component == @symbol").set_index("days").sort_index()
            np.testing.assert_array_equal(rows["objective"], own[symbol])  # the truth stays
            np.testing.assert_allclose(rows["blended"], expected, rtol=1e-12)
            assert found.borrowed == {"days": share}
            curve = training.step_curve("days", symbol)
            np.testing.assert_array_equal(curve.objective, own[symbol])
            np.testing.assert_allclose(curve.blended, expected, rtol=1e-12)
            assert curve.borrowed == share
            assert "blended" in curve.table()
            # The final score is that of its own trades.
            assert found.objective == pytest.approx(max(own[symbol][found.params["days"]], 0)) or (
                not found.usable
            )

    @pytest.mark.parametrize("select", ["hill", "plateau"])
    def test_selectors_smooth_the_blend(self, select):
        training = quiet(bp.train, looped, DATA, borrow=0.4, select=select)
        for symbol in SYMBOLS:
            curve = training.step_curve("days", symbol)
            chosen = choose_step(curve.values, curve.blended, resolve_selector(select))
            assert (curve.chosen, curve.score) == (chosen.value, chosen.score)
            assert curve.breadth == pytest.approx(curve.score / curve.blended.max())

    @pytest.mark.parametrize(
        "method",
        [
            {"method": "ascent"},
            {"method": "brute"},
            {"method": "random", "n_evaluations": 4},
            {"method": "genetic", "population": 4, "generations": 3},
        ],
        ids=lambda one: one["method"],
    )
    def test_all_borrowed_is_a_common_parameter(self, method):
        pooled = quiet(bp.train, looped, DATA, borrow=1, **method)
        shared = quiet(bp.train, common, DATA, **method)
        assert pooled.params == shared.params
        assert len({found["days"] for found in pooled.params.values()}) == 1
        together = shared.trials.set_index("days")["objective"]
        own = own_curves()
        for symbol, found in pooled.components.items():
            assert found.objective == shared.components[symbol].objective
            rows = pooled.trials.query("component == @symbol").set_index("days")
            pd.testing.assert_series_equal(rows["blended"], together, check_names=False)
            np.testing.assert_array_equal(rows["objective"], own[symbol].reindex(rows.index))
            assert found.borrowed == {"days": 1.0}

    def test_all_borrowed_is_one_value_where_ranges_are_biased_or_defaults_differ(self):
        @bp.strategy(lookback=LOOKBACK)
        def differing(s):
            for asset, _ in s.loop():
                default, bias = (10, 30) if asset == "A" else (20, -30)
                trade(s, s.optimize(default, 5, 30, 5, bias, name="days"))

        for options in ({}, {"min_trades": 10_000}):
            found = quiet(bp.train, differing, DATA, borrow=1, **options)
            assert len({one["days"] for one in found.params.values()}) == 1
            assert all(one.usable is not bool(options) for one in found.components.values())

    @pytest.mark.parametrize("passes", [1, 2])
    def test_an_ascent_goes_on_parameter_by_parameter(self, passes):
        """A slow twin: each curve is a training of its own with all else closed over."""
        held = {one: {"days": 15.0, "risk": 0.04} for one in SYMBOLS}
        curves = []
        for _ in range(passes):
            for name in ("days", "risk"):
                own = {}
                for symbol in SYMBOLS:

                    @bp.strategy(lookback=LOOKBACK)
                    def moving(s):
                        values = dict(held[symbol])  # noqa: B023
                        if name == "days":  # noqa: B023
                            values["days"] = s.optimize(15, 5, 30, 5, name="days")
                        else:
                            values["risk"] = s.optimize(0.04, 0.02, 0.08, 0.02, name="risk")
                        trade(s, **values)

                    found = quiet(bp.train, moving, DATA.select(symbol))
                    own[symbol] = found.step_curve(name)
                blend = blended_scores([c.objective for c in own.values()], 0.5, [1] * 3)
                for symbol, scores in zip(SYMBOLS, blend, strict=True):
                    chosen = choose_step(
                        own[symbol].values, np.array(scores), resolve_selector("hill")
                    )
                    held[symbol][name] = chosen.value
                    curves.append((symbol, name, scores))
        training = quiet(bp.train, two, DATA, borrow=0.5, passes=passes)
        assert training.params == held
        for symbol, name, scores in curves[-6:]:
            np.testing.assert_array_equal(training.step_curve(name, symbol).blended, scores)

    def test_auto_is_between_alone_and_the_mean_of_all(self):
        for method in ("ascent", "brute"):
            training = quiet(bp.train, two, DATA, borrow="auto", method=method)
            shares = [found.borrowed for found in training.components.values()]
            assert shares[0] == shares[1] == shares[2]
            assert set(shares[0]) == {"days", "risk"}
            assert all(0 <= share <= 2 / 3 for share in shares[0].values())
            fixed = quiet(bp.train, looped, DATA, borrow="auto", method=method)
            share = fixed.components["A"].borrowed["days"]
            again = quiet(bp.train, looped, DATA, borrow=share, method=method)
            assert again.params == fixed.params
        twins = bp.Data.from_frames({"A": prices(1), "B": prices(1), "C": prices(1)})
        same = quiet(bp.train, looped, twins, borrow="auto")
        assert same.components["A"].borrowed == {"days": 2 / 3}
        assert same.params["A"] == same.params["B"] == same.params["C"]

    def test_halves_are_scores_of_half_the_bars(self):
        """Profit adds up; a trade counts where it ends."""
        plan = plan_training(looped, DATA, TrainOptions(objective="profit", borrow="auto"))
        found = discover(looped, plan.bars)
        component = found.components[0]
        setup = _setup(plan, component, plan.bars["A"], found)
        one = evaluate(setup, SearchStep((10.0,), 1, 1, 1, "days"))
        assert sum(one.halves) == pytest.approx(one.score)
        tested = quiet(bp.test, looped, DATA.select("A"), {"A": {"days": 10}}, sizing="unit")
        middle = tested.value.index[len(tested.value) // 2]
        early = tested.trades[tested.trades["exit_time"] < middle]
        assert one.halves[0] == pytest.approx(early["pnl"].sum())

    def test_half_the_bars_need_half_the_trades(self):
        plan = plan_training(looped, DATA, TrainOptions(min_trades=6, borrow="auto"))
        found = discover(looped, plan.bars)
        setup = _setup(plan, found.components[0], plan.bars["A"], found)
        assert (setup.objective.min_trades, setup.half_objective.min_trades) == (6, 3)

    def test_a_surface_that_comes_in_batches_has_one_share(self, monkeypatch):
        monkeypatch.setattr(brute, "BATCH", 4)
        training = quiet(bp.train, looped, DATA, method="brute", borrow="auto")
        share = training.components["A"].borrowed["days"]
        fixed = quiet(bp.train, looped, DATA, method="brute", borrow=share)
        np.testing.assert_array_equal(training.trials["blended"], fixed.trials["blended"])

    @pytest.mark.parametrize("objective", ["profit", "calmar"])
    def test_halves_of_detrended_results(self, objective):
        options = TrainOptions(objective=objective, borrow="auto", detrend="trades", min_trades=0)
        plan = plan_training(looped, DATA, options)
        found = discover(looped, plan.bars)
        setup = _setup(plan, found.components[0], plan.bars["A"], found)
        (run,) = run_samples(setup, SearchStep((10.0,), 1, 1, 1, "days"))
        trades, equity = run.simulated.trades, run.simulated.equity
        middle = len(equity) // 2
        result = trades["pnl"] - (
            run.account.slope * trades["direction"] * trades["bars"] * trades["size"]
        )
        late = trades["exit_index"] - run.account.first >= middle
        stats, gained = run.simulated.segment(run.account, middle, len(equity))
        assert stats.net == pytest.approx(result[late].sum())
        assert gained == pytest.approx(equity[-1] - equity[middle - 1])
        # The balance begins with what was closed before, less the equity at the border.
        balance = result[~late].sum() - equity[middle - 1]
        top, worst = max(balance, 0.0), 0.0
        ends = trades["exit_index"] - run.account.first
        for bar in range(middle, len(equity)):
            balance += result[late & (ends == bar)].sum()
            top = max(top, balance)
            worst = max(worst, top - (equity[bar] - equity[middle - 1]))
        assert stats.drawdown_max == pytest.approx(worst)

    def test_no_share_and_one_component_change_nothing(self):
        plain = quiet(bp.train, looped, DATA)
        for borrow in (0, 0.0):
            same = quiet(bp.train, looped, DATA, borrow=borrow)
            pd.testing.assert_frame_equal(plain.trials, same.trials)
        one = DATA.select("A")
        for borrow in (0.5, 1, "auto"):
            found = quiet(bp.train, looped, one, borrow=borrow)
            assert found.params["A"] == plain.params["A"]
            assert "blended" not in found.trials

    def test_common_and_borrowed_parameters(self):
        @bp.strategy(lookback=LOOKBACK)
        def mixed(s):
            days = s.optimize(15, 5, 30, 5, name="days")
            for _ in s.loop():
                trade(s, days, s.optimize(0.04, 0.02, 0.08, 0.02, name="risk"))

        for method in ("ascent", "brute"):
            training = quiet(bp.train, mixed, DATA, borrow=0.5, method=method)
            assert len({found["days"] for found in training.params.values()}) == 1
            assert training.components["A"].borrowed == {"risk": 0.5}
            trials = training.trials
            assert trials.loc[trials["component"] == "*", "blended"].isna().all()
            assert trials.loc[trials["component"] != "*", "blended"].notna().all()
            training.charts()

    def test_no_combination_runs_twice(self):
        calls = []

        @bp.strategy(lookback=LOOKBACK)
        def counting(s):
            for asset, _ in s.loop():
                days = s.optimize(15, 5, 30, 5, name="days")
                calls.append((asset, days))
                trade(s, days)

        for borrow in (0.5, 1, "auto"):
            for options in ({"method": "brute"}, {"passes": 2, "select": "peak"}):
                calls.clear()
                training = quiet(bp.train, counting, DATA, borrow=borrow, check=False, **options)
                evaluated = calls[3:]  # after the discovery
                assert len(evaluated) == len(set(evaluated)) == 18
                assert [one.n_evaluations for one in training.components.values()] == [6] * 3

    def test_seeds_that_are_drawn_are_the_same_for_all(self):
        training = quiet(
            bp.train, looped, DATA, method="random", n_evaluations=3, seed=None, borrow=0.5
        )
        tried = training.trials.groupby("component")["days"].apply(tuple)
        assert tried.nunique() == 1

    def test_a_stop_ends_the_curve_of_its_component_alone(self):
        @bp.strategy(lookback=LOOKBACK)
        def stopping(s):
            for asset, _ in s.loop():
                days = s.optimize(15, 5, 30, 5, name="days")
                if asset == "B" and s.step_cycle == 3:
                    s.stop_search()
                trade(s, days)

        training = quiet(bp.train, stopping, DATA, borrow=0.5, select="peak")
        lengths = {one: len(training.step_curve("days", one).values) for one in SYMBOLS}
        assert lengths == {"A": 6, "B": 3, "C": 6}
        own = own_curves(select="peak")
        late = training.step_curve("days", "A").blended[3:]
        np.testing.assert_allclose(late, ((own["A"] + own["C"]) / 2).iloc[3:])


class TestErrors:
    @pytest.mark.parametrize("borrow", [-0.1, 1.1, np.nan, "half", None, True, [0.5]])
    def test_what_is_no_share(self, borrow):
        with pytest.raises(bp.ParamError, match="borrow must be a share from 0 to 1"):
            bp.train(looped, DATA, borrow=borrow)

    @pytest.mark.parametrize("change", ["name", "range", "step", "number"])
    def test_components_must_have_the_same_parameters(self, change):
        @bp.strategy(lookback=LOOKBACK)
        def differing(s):
            for asset, _ in s.loop():
                other = asset == "B"
                days = s.optimize(
                    15,
                    5,
                    35 if other and change == "range" else 30,
                    2 if other and change == "step" else 5,
                    name="length" if other and change == "name" else "days",
                )
                if other and change == "number":
                    s.optimize(1, 1, 2, 1, name="more")
                trade(s, days)

        for borrow in (0.5, 1, "auto"):
            with pytest.raises(bp.StrategyError, match=r"must have the same parameters.*A and B"):
                bp.train(differing, DATA, borrow=borrow)
        assert quiet(bp.train, differing, DATA).params

    @pytest.mark.parametrize("borrow", [0.5, "auto"])
    def test_genetic_searches_try_other_points(self, borrow):
        for options in ({}, {"n_evaluations": 4}):
            with pytest.raises(bp.ParamError, match=r"borrow must be 0 or 1.*got .*borrow=1"):
                bp.train(looped, DATA, method="genetic", borrow=borrow, **options)

    def test_own_searchers_must_try_the_same_points(self):
        level = np.mean([curve[15] for curve in own_curves(objective="sqn").values()])

        class Climb:
            def start(self, space, seed):
                return ((15.0,),), ()

            def ask(self, state):
                points, scores = state
                if len(points) > len(scores):
                    return [points[-1]]
                return []

            def tell(self, state, points, scores):
                known, found = state
                found = (*found, *scores)
                if len(found) < 3:
                    known = (*known, (15.0 + 5 * np.sign(scores[-1] - level),))
                return known, found

        with pytest.raises(bp.ParamError, match="decides by scores which points"):
            quiet(bp.train, looped, DATA, method=Climb(), borrow=0.5, objective="sqn")

        class Listed(Climb):
            def tell(self, state, points, scores):
                known, found = state
                found = (*found, *scores)
                return ((*known, (5.0 * len(found),)) if len(found) < 5 else known), found

        training = quiet(bp.train, looped, DATA, method=Listed(), borrow=0.5)
        blended = training.trials.pivot(index="days", columns="component", values="blended")
        assert training.params["B"]["days"] == blended["B"].idxmax()


class TestAround:
    def test_it_is_an_option_like_the_others(self):
        assert inspect.signature(bp.train).parameters["borrow"].default == 0.0
        training = quiet(bp.train, looped, DATA, borrow="auto")
        assert training.settings["borrow"] == "auto"

    def test_walk_forward(self):
        walk = quiet(bp.walk_forward, looped, DATA, cycles=3, borrow=0.5, min_trades=1)
        assert walk.settings["borrow"] == 0.5
        for training in walk.trainings:
            start, end = training.settings["start"], training.settings["end"]
            again = quiet(bp.train, looped, DATA, start=start, end=end, borrow=0.5, min_trades=1)
            assert again.params == training.params
            assert "blended" in training.trials
        curve = walk.step_curve("days", "A")
        blends = [one.step_curve("days", "A").blended for one in walk.trainings]
        np.testing.assert_allclose(curve.blended, np.mean(blends, axis=0))
        pooled = quiet(bp.walk_forward, looped, DATA, cycles=3, borrow=1, min_trades=1)
        for training in pooled.trainings:
            assert len({one["days"] for one in training.params.values()}) == 1

    def test_reports_and_files(self, tmp_path):
        for borrow in (0.5, 1):
            training = quiet(bp.train, two, DATA, borrow=borrow, method="brute")
            assert training.report(tmp_path / "page.html").stat().st_size > 1000
            assert bp.read_par(training.to_par(tmp_path / "two.par")).params == training.params
            assert training.heatmap("days", "risk", "B") is not None
            assert len(training.charts()) == 6
            assert np.isfinite(training.default_objective("B"))
