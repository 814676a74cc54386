# SPDX-License-Identifier: BSD-3-Clause
"""The check for look-ahead and look-back: what it finds, what it leaves alone, what it says."""

from __future__ import annotations

import re
import warnings
from functools import partial

import guard_zoo
import numpy as np
import pandas as pd
import pytest
from guard_zoo import cross, levels, walk

import broadpeak as bp
from broadpeak._training import guard
from broadpeak._training.components import bars_of
from broadpeak._training.evaluation import discover_all

LOOKBACK = 120
DATA = [walk(0), walk(1), bp.Data.sample("IBM")]
ONE = walk(7, 700)


def checked(func, data, *, lookback=LOOKBACK, unstable_period=40, run=bp.train, **options):
    """Return the warnings of a training (or test) that are about the check, as text."""
    plan = bp.strategy(lookback=lookback, unstable_period=unstable_period)(func)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(plan, data, **options)
    texts = [str(one.message) for one in caught if one.category is UserWarning]
    return [text for text in texts if "bars before a signal" in text or "look-ahead" in text]


class TestLookAhead:
    @pytest.mark.parametrize("func", guard_zoo.PEEKING, ids=lambda func: func.__name__)
    def test_is_found(self, func):
        plan = bp.strategy(lookback=LOOKBACK)(func)
        for data in DATA:
            with pytest.raises(bp.StrategyError, match="must not look ahead"):
                bp.train(plan, data)
            with pytest.raises(bp.StrategyError, match="must not look ahead"):
                bp.test(plan, data)

    @pytest.mark.parametrize("func", guard_zoo.HONEST, ids=lambda func: func.__name__)
    def test_is_not_found_where_there_is_none(self, func):
        for data in DATA:
            assert checked(func, data) == []

    def test_of_the_trained_values_in_a_test(self):
        @bp.strategy(lookback=30)
        def some(s):
            ahead = int(s.optimize(0, 0, 3, 1, name="ahead"))
            s.enter_long(pd.Series(s.close).shift(-ahead).to_numpy() > bp.sma(s.close, 20))

        bp.test(some, ONE)
        with pytest.raises(bp.StrategyError, match=r"look ahead, got its first enter_long\(…\)"):
            bp.test(some, ONE, {"X": {"ahead": 1}})

    def test_at_the_ends_of_the_ranges(self):
        @bp.strategy(lookback=30)
        def some(s):
            ahead = int(s.optimize(0, 0, 3, 1, name="ahead"))
            s.enter_long(pd.Series(s.close).shift(-ahead).to_numpy() > bp.sma(s.close, 20))
            s.exit_long(s.close < bp.sma(s.close, 20))

        with pytest.raises(bp.StrategyError, match="component=X, ahead=3"):
            bp.walk_forward(some, ONE, cycles=2)

        @bp.strategy(lookback=30)
        def two(s):
            s.optimize(1, 1, 100, 1, name="idle")
            some(s)

        with pytest.raises(bp.StrategyError, match="component=X, idle=100, ahead=3"):
            bp.train(two, ONE, method="brute")

    @pytest.mark.parametrize("method", ["ascent", "brute"])
    @pytest.mark.parametrize("select", [None, bp.Ensemble(0.3)])
    def test_of_chosen_values_where_defaults_are_honest(self, method, select):
        @bp.strategy(lookback=80)
        def between(s):
            days = s.optimize(10, 10, 60, 5, name="days")
            x = np.roll(s.close, -1) if 20 < days < 50 else s.close
            cross(s, x, bp.sma(s.close, days))

        refused = partial(
            pytest.raises, bp.StrategyError, match=r"must not look ahead.*component=X"
        )
        options = {"method": method, "select": select}
        with refused():
            bp.walk_forward(between, ONE, cycles=3, **options)
        trained = bp.train(between, ONE, check=False, **options)
        with refused():
            bp.test(between, ONE, trained)

        @bp.strategy(lookback=80)
        def large(s):
            s.optimize(1, 1, 60, 1, name="idle")
            between.func(s)

        if method == "brute":  # of so many evaluations a few calls are no 2 %
            with refused():
                bp.train(large, ONE, **options)

    def test_of_any_member_of_an_ensemble(self):
        @bp.strategy(lookback=80)
        def member(s):
            days = s.optimize(10, 10, 60, 5, name="days")
            x = np.roll(s.close, -1) if days == 20 else s.close
            cross(s, x, bp.sma(s.close, days))

        ensemble = {"method": "brute", "select": bp.Ensemble(0.6)}
        trained = bp.train(member, ONE, check=False, **ensemble)
        assert 20.0 in [one.params["days"] for one in trained.components["X"].members]
        with pytest.raises(bp.StrategyError, match="must not look ahead"):
            bp.test(member, ONE, trained)
        with pytest.raises(bp.StrategyError, match="must not look ahead"):
            bp.walk_forward(member, ONE, cycles=2, **ensemble)

    def test_of_several_members_warns_once(self):
        @bp.strategy(lookback=80)
        def long(s):
            cross(s, s.close, bp.sma(s.close, s.optimize(20, 10, 300, 10, name="days")))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trained = bp.train(long, walk(0), method="brute", select=bp.Ensemble(0.6))
        assert len([one for one in trained.components["X"].members if one.params["days"] > 80]) > 1
        assert len(checked(long.func, walk(0), lookback=80, run=bp.test, params=trained)) == 1

    @pytest.mark.parametrize("more", [True, False])
    def test_of_later_volume_in_either_direction(self, more):
        @bp.strategy(lookback=80)
        def volume(s):
            days = s.optimize(20, 10, 40, 10, name="days")
            average, later = bp.sma(s.close, days), np.roll(s.volume, -1)
            known = (later > s.volume) == more
            s.enter_long(bp.crossed_above(s.close, average) & known)
            s.exit_long(bp.crossed_below(s.close, average))

        for run in (bp.train, bp.test):
            with pytest.raises(bp.StrategyError, match="must not look ahead"):
                run(volume, bp.Data.sample("IBM"))

    def test_of_later_bars_that_move_against_the_order(self):
        @bp.strategy(lookback=80)
        def gap(s):
            s.optimize(1, 1, 150, 1, name="idle")
            days = s.optimize(20, 10, 40, 10, name="days")
            average = bp.sma(s.close, days)
            s.enter_long(bp.crossed_above(s.close, average) & (np.roll(s.open, -1) < s.close))
            s.exit_long(bp.crossed_below(s.close, average))

        with pytest.raises(bp.StrategyError, match="must not look ahead"):
            bp.train(gap, bp.Data.sample("IBM"), method="brute")

    def test_walk_forward_looks_at_the_values_of_every_cycle(self):
        plan = bp.strategy(lookback=30)(guard_zoo.rolled_by_one)
        with pytest.raises(bp.StrategyError, match="must not look ahead"):
            bp.walk_forward(plan, ONE, cycles=3)
        n_calls = []

        @bp.strategy(lookback=70)
        def counting(s):
            n_calls.append(len(s.close))
            guard_zoo.averages(s)

        def count(**options):
            n_calls.clear()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                bp.walk_forward(counting, ONE, **options)
            return len(n_calls)

        extra = [count(cycles=n) - count(cycles=n, check=False) for n in (2, 6)]
        assert extra[0] <= 10
        assert extra[1] - extra[0] <= 4 * 4  # a few copies for each further cycle

    def test_is_left_out_on_request(self):
        plan = bp.strategy(lookback=30)(guard_zoo.rolled_by_one)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert bp.train(plan, ONE, check=False).settings["check"] is False
            bp.test(plan, ONE, check=False)
            bp.walk_forward(plan, ONE, cycles=2, check=False)
        with pytest.raises(bp.ParamError, match="check must be True or False"):
            bp.train(plan, ONE, check="no")
        with pytest.raises(bp.ParamError, match="check must be True or False"):
            bp.test(plan, ONE, check=None)

    def test_of_one_component_among_several(self):
        both = bp.Data.from_frames({"A": _frame(1), "B": _frame(2)})

        @bp.strategy(lookback=30)
        def one_peeks(s):
            for asset, _ in s.loop():
                days = s.optimize(10, 5, 20, 5, name="days")
                x = np.roll(s.close, -1) if asset == "B" else s.close
                levels(s, x - bp.sma(s.close, days), 0, 0)

        for run in (bp.train, bp.test):
            with pytest.raises(bp.StrategyError, match=r"look ahead.*component=B"):
                run(one_peeks, both)

    def test_on_calendars_that_differ(self):
        def honest(s):
            for _ in s.loop():
                # The average true range remembers where it began.
                s.stop = 3 * bp.atr(s.high, s.low, s.close, 10)
                cross(s, bp.ema(s.close, 5), bp.ema(s.close, 20))

        for late in (slice(None, None, 2), slice(200, None), slice(200, 400)):
            for names in (("A", "B"), ("B", "A")):
                frames = dict(zip(names, (_frame(1), _frame(2).iloc[late]), strict=True))
                data = bp.Data.from_frames(frames)
                assert checked(honest, data, run=bp.test, lookback=60) == []


def _frame(seed):
    data = walk(seed, 600)
    return pd.DataFrame({name: getattr(data, name) for name in ("open", "high", "low", "close")})


class TestMessages:
    @staticmethod
    def message(func, *, data=ONE, lookback=30):
        with pytest.raises(bp.StrategyError, match="must") as info:
            bp.train(bp.strategy(lookback=lookback)(func), data)
        return str(info.value)

    def test_names_the_call_and_the_first_bar(self):
        last = {}

        def second(s):
            days = s.optimize(20, 10, 40, 10, name="days")
            mean = bp.sma(s.close, days)
            s.enter_long(bp.crossed_above(s.close, mean))
            later = np.zeros(len(s.close), dtype=bool)
            later[:-1] = (s.close[1:] > 1.5 * s.close[:-1]) & (np.arange(len(later) - 1) > 100)
            last.setdefault("index", s.index)
            s.enter_long(later | (np.arange(len(later)) == 300))
            s.exit_long(bp.crossed_below(s.close, mean))

        text = self.message(second)
        found = re.search(
            r"its second enter_long\(…\) call at (\S+) \(component=X, days=20\)", text
        )
        assert found, text
        # The bar before prices jump is the first that changes.
        assert last["index"][0] < pd.Timestamp(found[1]) < last["index"][-1]
        assert "false on all bars, true when later bars are others" in text
        assert "check=False" in text
        assert "np.roll(x, -1)" in text

    def test_names_the_setting(self):
        text = self.message(guard_zoo.stop_from_the_future)
        assert re.search(
            r"got stop of its first enter_long\(…\) call at \S+ \(component=X, days=20\): "
            r"[\d.]+ on all bars, [\d.]+ when later bars are others\.",
            text,
        )
        assert "got lots of its first enter_long" in self.message(guard_zoo.lots_by_all)

    def test_a_call_that_is_made_on_some_bars_only(self):
        def branching(s):
            s.optimize(20, 10, 40, 10, name="days")
            if s.close[-1] == ONE.close.iloc[-1]:
                s.enter_short(bp.crossed_below(s.close, bp.sma(s.close, 10)))

        assert "its first enter_short(…) call at" in self.message(branching)

    def test_random_numbers_are_named_as_what_they_are(self):
        rng = np.random.default_rng()

        def drawing(s):
            share = s.optimize(0.2, 0.1, 0.3, 0.1, name="share")
            s.enter_long(rng.random(len(s.close)) < share)

        text = self.message(drawing)
        assert "must order the same in every call on the same bars" in text
        assert "random numbers without a seed" in text
        assert "look ahead" not in text

    def test_so_is_what_is_kept_outside(self):
        calls = []

        def counting(s):
            calls.append(1)
            s.optimize(20, 10, 40, 10, name="days")
            s.enter_long(np.arange(len(s.close)) % (7 + len(calls)) == 0)

        assert "keeps something outside of itself from call to call" in self.message(counting)

    def test_other_parameters_on_fewer_bars(self):
        def more(s):
            s.optimize(20, 10, 40, 10, name="days")
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, 10)))
            if len(s.close) < len(ONE):
                s.optimize(1, 0, 2, 1, name="extra")

        assert "call number 2 (extra(" in self.message(more)

        def fewer(s):
            s.optimize(20, 10, 40, 10, name="days")
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, 10)))
            if len(s.close) == len(ONE):
                s.optimize(1, 0, 2, 1, name="extra")

        assert "there were 2 and are 1, without extra(" in self.message(fewer)

    def test_a_strategy_that_fails_on_fewer_bars_is_said_to_be_unchecked(self):
        def picky(s):
            s.optimize(20, 10, 40, 10, name="days")
            assert s.close[-1] == ONE.close.iloc[-1], "other prices"
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, 10)))

        (text,) = checked(picky, ONE, lookback=30)
        assert "cannot be checked for look-ahead" in text
        assert "AssertionError: other prices" in text


class TestWhatIsNoLookAhead:
    def test_arrays_made_outside(self):
        flags = np.random.default_rng(1).random(len(ONE)) < 0.1

        def outside(s):
            s.optimize(20, 10, 40, 10, name="days")
            s.enter_long(flags)
            s.exit_long(pd.Series(~flags, s.index))
            s.stop = np.full(len(flags), 3.0)

        assert checked(outside, ONE, lookback=30) == []

    def test_what_a_roll_brings_to_the_first_bars(self):
        def rolled(s):
            days = s.optimize(5, 1, 10, 1, name="days")
            levels(s, s.close - np.roll(s.close, int(days)), 0, 0)

        assert checked(rolled, ONE, lookback=10) == []

    def test_ranges_and_defaults_that_follow_the_prices(self):
        def following(s):
            spread = float(np.std(s.close))
            days = s.optimize(20, 10, 40, 10, name="days")
            stop = s.optimize(spread, 0, 0, name="stop")
            s.stop = stop
            levels(s, s.close - bp.sma(s.close, days), 0, 0)

        assert checked(following, ONE, lookback=50) == []

    def test_signals_that_rounding_decides(self):
        """A Fourier transform rounds differently on other numbers of bars."""
        flat = pd.DataFrame({"close": np.full(700, 100.0)}, pd.bdate_range("2015", periods=700))
        flat.iloc[::3] += 0.01
        data = bp.Data.from_frames({"X": flat})

        def rounded(s):
            days = int(s.optimize(12, 6, 24, 6, name="days"))
            padded = np.concatenate([np.full(days, s.close[0]), s.close])
            mean = np.fft.irfft(
                np.fft.rfft(padded) * np.fft.rfft(np.ones(days) / days, len(padded)), len(padded)
            )[days:]
            # The mean of whole cycles is the same number, but for its last digits.
            levels(s, mean - mean[40], 0, 0)

        run = bp.strategy(lookback=60)(rounded)
        bp.train(run, data, min_trades=0)
        seen = []
        real = guard._examine
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(guard, "_examine", lambda *args: seen.append(args) or real(*args))
            bp.train(run, data, min_trades=0)
        assert seen, "no signal differed, so that nothing was tested"

    def test_short_histories(self):
        for n in range(2, 12):
            data = walk(3, 20 + n)
            for func in (guard_zoo.averages, guard_zoo.never, guard_zoo.seeded):
                assert checked(func, data, lookback=20) == []

    def test_dates_are_not_needed(self):
        frame = _frame(3).reset_index(drop=True)
        data = bp.Data.from_frames({"X": frame})
        assert checked(guard_zoo.averages, data, lookback=70) == []
        plan = bp.strategy(lookback=30)(guard_zoo.rolled_by_one)
        with pytest.raises(bp.StrategyError, match=r"call at \d+ \(component=X"):
            bp.train(plan, data)

    def test_the_rules_of_detrended_prices(self):
        assert checked(guard_zoo.averages, ONE, lookback=70, detrend="prices") == []

    def test_what_follows_the_progress_of_the_search(self):
        def staged(s):
            days = s.optimize(10, 5, 20, 5, name="days")
            s.stop = 5.0 if s.par_cycle == 1 else 3.0
            levels(s, s.close - bp.sma(s.close, days), 0, 0)

        assert checked(staged, ONE, lookback=30) == []


def window_cross(longest):
    def run(s):
        days = s.optimize(10, 5, longest, 5, name="days")
        cross(s, bp.sma(s.close, 5), bp.sma(s.close, days))

    return run


def window_level(longest):
    def run(s):
        days = s.optimize(10, 5, longest, 5, name="days")
        levels(s, s.close - bp.sma(s.close, days), 0, 0)

    return run


def recursive_cross(longest):
    def run(s):
        days = s.optimize(10, 5, longest, 5, name="days")
        cross(s, bp.ema(s.close, 5), bp.ema(s.close, days))

    return run


def recursive_level(longest):
    def run(s):
        days = s.optimize(10, 5, longest, 5, name="days")
        slow = pd.Series(s.close).ewm(span=days, adjust=False).mean().to_numpy()
        levels(s, s.close - slow, 0, 0)

    return run


def broken_out(longest):
    def run(s):
        days = s.optimize(10, 5, longest, 5, name="days")
        s.enter_long(bp.crossed_above(s.close, 0.999 * bp.highest(s.high, days)))
        s.exit_long(bp.crossed_below(s.close, 1.001 * bp.lowest(s.low, days)))

    return run


def looked_back(func, data, lookback):
    """Return the warnings of a check that makes all of its calls."""
    plan = bp.strategy(lookback=lookback)(func)
    return guard.check_discovered(plan, discover_all(plan, bars_of(data)))


class TestLookBack:
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize(
        ("make", "needed"), [(window_cross, 0), (window_level, -1)], ids=["cross", "level"]
    )
    def test_says_how_many_bars_the_highest_values_need(self, make, needed, seed):
        data = walk(seed, 1500)
        for longest in (60, 200):
            need = longest + needed
            for lookback in (need - 1, need // 2, 30):
                text = looked_back(make(longest), data, lookback)["lookback"]
                assert f"needs {need} bars before a signal of its first enter_long(…) call" in text
                assert f"days={longest}), got lookback={lookback}" in text
                assert f"Set lookback to {need} at least, plus unstable_period=40" in text
            assert looked_back(make(longest), data, need) == {}

    @pytest.mark.parametrize("make", [recursive_cross, recursive_level])
    def test_leaves_what_is_recursive_alone(self, make):
        for seed in range(6):
            for longest in (40, 100, 200):
                assert checked(make(longest), walk(seed, 1500), lookback=longest + 40) == []

    def test_default_values_count_where_the_highest_never_trade(self):
        def picky(s):
            level = s.optimize(1, 0, 9, 1, name="level")
            slow = bp.sma(s.close, 150)
            s.enter_long(bp.crossed_above(s.close, slow) & (level < 9))

        (text,) = checked(picky, walk(2, 1500), lookback=60)
        assert "needs 150 bars" in text
        assert "level=1" in text

    def test_a_test_says_it_of_its_values(self):
        texts = checked(
            window_cross(200), walk(2, 1500), lookback=60, run=bp.test, params={"X": {"days": 90}}
        )
        assert ["needs 90 bars" in text for text in texts] == [True]

    def test_values_that_cannot_run_are_no_matter(self):
        def picky(s):
            fast = s.optimize(5, 5, 60, 5, name="fast")
            slow = s.optimize(20, 20, 60, 20, name="slow")
            if fast >= 60:
                raise ValueError("fast must be below slow")
            cross(s, bp.sma(s.close, fast), bp.sma(s.close, slow))

        options = {"method": "random", "n_evaluations": 1}
        assert checked(picky, ONE, lookback=60, **options) == []

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("lookback", [20, 50])
    @pytest.mark.parametrize("make", [window_cross, window_level, broken_out], ids=str)
    def test_in_short_searches_by_what_they_see(self, make, lookback, seed):
        data = walk(seed, 1500)
        func = make(200)
        (text,) = checked(func, data, lookback=lookback)
        assert text.startswith(looked_back(func, data, lookback)["lookback"].split(" plus")[0])

    def test_values_of_two_parameters_in_short_searches(self):
        def two(s):
            slow = s.optimize(30, 20, 200, 20, name="slow")
            fast = s.optimize(5, 2, 10, 2, name="fast")
            cross(s, bp.sma(s.close, fast), bp.sma(s.close, slow))

        for data in DATA:
            assert len(checked(two, data, lookback=50)) == 1
            assert checked(two, data, lookback=200) == []

    def test_late_signals_by_chance_are_no_matter(self):
        """Nothing comes for 100 bars, whatever the values and however many bars are before."""

        def late(s):
            days = s.optimize(10, 5, 60, 5, name="days")
            far = s.index >= walk(1).index[160]
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)) & far)

        found = []
        real = guard._late_calls
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                guard, "_late_calls", lambda *args: found.append([*real(*args)]) or found[-1]
            )
            assert checked(late, walk(1), lookback=60) == []
        assert any(found), "no run was suspect, so that nothing was tested"


def recorded(func, data=ONE, *, lookback=70, **options):
    """Return the training of a strategy, and all of its calls: mode and values, number of bars."""
    calls = []

    @bp.strategy(lookback=lookback)
    def recording(s):
        func(s)
        bars = next(iter(s._state.bars.values()))
        calls.append((s.mode, tuple(s._state.asked.items()), len(bars)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        training = bp.train(recording, data, **options)
    return training, calls


class TestCallsOfATraining:
    """The check makes its calls where the search can spare them, and changes no result."""

    @staticmethod
    def same(func, data=ONE, n_extra=0, **options):
        (with_check, calls), (without, plain) = (
            recorded(func, data, check=check, **options) for check in (True, False)
        )
        pd.testing.assert_frame_equal(with_check.trials, without.trials)
        assert with_check.params == without.params
        for key, one in with_check.components.items():
            assert one.stats.values() == without.components[key].stats.values()
        assert len(calls) == len(plain) + n_extra
        return calls, plain

    def test_the_sequence_is_that_of_a_training_without(self):
        calls, plain = self.same(guard_zoo.averages)
        assert [call[:-1] for call in calls] == [call[:-1] for call in plain]
        shorter = [one for one, other in zip(calls, plain, strict=True) if one != other]
        ((_, values, n_bars),) = shorter
        assert n_bars < len(ONE)
        assert [*dict(values).values()] == [[10.0]]

    def test_of_several_components(self):
        both = bp.Data.from_frames({"A": _frame(1), "B": _frame(2)})

        def looped(s):
            for _ in s.loop():
                guard_zoo.averages(s)

        self.same(looped, both)

    def test_values_that_the_strategy_computes(self):
        def computed(s):
            days = s.optimize(10, 5, 20, 5, name="days")
            s.stop = s.optimize(days / 2, 0, 0, name="stop")
            levels(s, s.close - bp.sma(s.close, days), 0, 0)

        self.same(computed)

    def test_stops_and_rounded_values(self):
        def stopping(s):
            days = s.optimize(10.4, 5.4, 20.4, 1, name="days", integer=True)
            cross(s, s.close, bp.sma(s.close, days))
            if days == 10:
                s.stop_search()

        self.same(stopping)

    @pytest.mark.parametrize("name", ["par_cycle", "num_parameters"])
    def test_what_is_not_known_in_a_discovery_is_called(self, name):
        def looking(s):
            days = s.optimize(10, 5, 20, 5, name="days")
            s.stop = 5.0 if getattr(s, name) else 3.0
            levels(s, s.close - bp.sma(s.close, days), 0, 0)

        self.same(looking, n_extra=1)

    def test_loops_that_a_discovery_leaves_out_are_called(self):
        both = bp.Data.from_frames({"A": _frame(1), "B": _frame(2)})

        def twice(s):
            for _ in s.loop(["A", "B"]):
                days = s.optimize(10, 5, 20, 5, name="days")
                s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
            for _ in s.loop(["B", "A"]):
                s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, 30)))

        self.same(twice, both, n_extra=2)  # all bars, and a copy

    def test_defaults_beside_the_grid(self):
        def beside(s):
            days = s.optimize(11, 5, 20, 5, name="days")
            levels(s, s.close - bp.sma(s.close, days), 0, 0)

        calls, _ = self.same(beside, n_extra=1)
        assert calls[1][-1] < len(ONE)

    def test_a_search_that_ends_before_the_defaults(self):
        plan = bp.strategy(lookback=30)(guard_zoo.rolled_by_one)
        with pytest.raises(bp.StrategyError, match="must not look ahead"):
            bp.train(plan, ONE, on_step=lambda info: False)

    def test_larger_searches_make_all_calls_before(self):
        def idle(s):
            s.optimize(1, 1, 100, 1, name="idle")
            guard_zoo.averages(s)

        calls, plain = (recorded(idle, method="brute", check=check)[1] for check in (True, False))
        n_extra = len(calls) - len(plain)
        assert 4 <= n_extra <= 0.02 * len(plain)
        assert [call[-1] for call in calls[n_extra + 1 :]] == [len(ONE)] * (len(plain) - 1)

    @pytest.mark.parametrize("method", ["random", bp.searchers.Random(20)])
    def test_other_searches_make_one_before(self, method):
        calls, _ = self.same(guard_zoo.averages, n_extra=1, method=method)
        assert calls[1][-1] < len(ONE)

    def test_sampled_bars(self):
        def hourly(s):
            days = s.optimize(10, 5, 15, 5, name="days")
            levels(s, s.close - bp.sma(s.close, days), 0, 0)

        frame = _frame(4).set_index(pd.date_range("2020", periods=600, freq="h"))
        data = bp.Data.from_frames({"X": frame})
        self.same(hourly, data, samples=("2h", 2), lookback=20)

    @pytest.mark.engine
    def test_engines_look_before(self, tmp_path):
        plan = bp.strategy(lookback=30)(guard_zoo.rolled_by_one)
        with pytest.raises(bp.StrategyError, match="must not look ahead"):
            bp.train(plan, ONE, store=tmp_path / "kept.h5")
        with pytest.raises(bp.StrategyError, match="must not look ahead"):
            bp.train(plan, ONE, engine="threads", n_workers=2)
