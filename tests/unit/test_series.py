# SPDX-License-Identifier: BSD-3-Clause
"""Other symbols, other columns and longer bars in a strategy: what is seen at which bar."""

from __future__ import annotations

import pickle
import re
import warnings
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak.errors import DataError, ParamError, StrategyError


def priced(index: pd.Index, seed: int = 0, **columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, len(index))))
    opened = close * np.exp(rng.normal(0, 0.005, len(index)))
    frame = pd.DataFrame({"open": opened, "close": close}, index=index)
    frame["high"] = frame.max(axis=1) * 1.002
    frame["low"] = frame[["open", "close"]].min(axis=1) * 0.998
    frame["volume"] = rng.integers(1, 9, len(index)) * 100.0
    return frame.assign(**columns)


def seen(data: bp.Data, get: Any, asset: str | None = None, **options: Any) -> Any:
    """Return what a strategy gets from ``get(s)`` on all bars of an asset."""
    found: list[Any] = []

    def look(s: bp.StrategyRun) -> None:
        for _ in s.loop([asset] if asset else None):
            found.append(get(s))
            s.enter_long(np.zeros(len(s.close), dtype=bool))

    bp.test(bp.strategy(lookback=0)(look), data, check=False, **options)
    return found[0]


def quiet(call: Any, *args: Any, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return call(*args, **kwargs)


DAYS = pd.bdate_range("2020-01-01", periods=60)


# ------------------------------------------------------------------ other symbols


class TestOther:
    def test_last_known_value_where_it_has_no_bar(self) -> None:
        own, other = priced(DAYS, 1), priced(DAYS[5:].delete([3, 4, 20]), 2)
        data = bp.Data.from_frames({"A": own, "B": other})
        for name in ("open", "high", "low", "close", "volume"):
            got = seen(data, lambda s, name=name: getattr(s.other("B"), name), "A")
            want = other[name].reindex(own.index, method="ffill").to_numpy(copy=True)
            want[5] = np.nan  # of one bar it is not known yet that it is no longer than those of A
            np.testing.assert_array_equal(got, want)

    def test_of_one_calendar_it_is_the_column_itself(self) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS, 1), "B": priced(DAYS, 2)})
        got = seen(data, lambda s: s.other("B").close, "A")
        np.testing.assert_array_equal(got, data.select("B").close.to_numpy())
        assert not got.flags.writeable

    def test_price_is_the_mean_of_four(self) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS, 1), "B": priced(DAYS, 2)})
        got = seen(data, lambda s: s.other("B").price, "A")
        np.testing.assert_allclose(got, data.select("B").ohlc4.to_numpy(), rtol=1e-15)

    def test_a_day_beside_hours_is_known_when_the_next_one_has_begun(self) -> None:
        hours = pd.date_range("2020-01-06 00:00", "2020-01-10 23:00", freq="h")
        days = pd.date_range("2020-01-06", periods=5)
        daily = priced(days, 2)
        data = bp.Data.from_frames({"H": priced(hours, 1), "D": daily})
        got = pd.Series(seen(data, lambda s: s.other("D").close, "H"), hours)
        want = daily["close"].shift(1).reindex(hours, method="ffill")
        pd.testing.assert_series_equal(got, want, check_names=False)

    def test_hours_beside_days_are_those_before_the_label(self) -> None:
        hours = pd.date_range("2020-01-06 09:00", "2020-01-10 16:00", freq="h")
        days = pd.date_range("2020-01-06", periods=5)
        hourly = priced(hours, 1)
        data = bp.Data.from_frames({"H": hourly, "D": priced(days, 2)})
        got = seen(data, lambda s: s.other("H").close, "D")
        want = hourly["close"].reindex(days, method="ffill").to_numpy()
        np.testing.assert_array_equal(got, want)

    def test_four_hours_beside_hours(self) -> None:
        hours = pd.date_range("2020-01-06", periods=48, freq="h")
        fours = pd.date_range("2020-01-06", periods=12, freq="4h")
        longer = priced(fours, 2)
        data = bp.Data.from_frames({"H": priced(hours, 1), "F": longer})
        got = pd.Series(seen(data, lambda s: s.other("F").close, "H"), hours)
        want = longer["close"].shift(1).reindex(hours, method="ffill")
        pd.testing.assert_series_equal(got, want, check_names=False)

    def test_bars_without_dates(self) -> None:
        frames = {"A": priced(pd.Index([0, 1, 2, 5]), 1), "B": priced(pd.Index([0, 1, 3]), 2)}
        got = seen(bp.Data.from_frames(frames), lambda s: s.other("B").close, "A")
        close = frames["B"]["close"]
        np.testing.assert_array_equal(got, [close[0], close[1], close[1], close[3]])

    def test_before_the_window_it_is_known_too(self) -> None:
        own, other = priced(DAYS, 1), priced(DAYS[:20], 2)
        frames = {"A": own, "B": pd.concat([other, priced(DAYS[45:], 3)])}
        data = bp.Data.from_frames(frames)
        got = seen(data, lambda s: s.other("B").close, "A", start=DAYS[30])
        assert got[0] == other["close"].iloc[-1]

    def test_apply_counts_its_own_bars(self) -> None:
        other = priced(DAYS.delete([10, 11, 12]), 2)
        data = bp.Data.from_frames({"A": priced(DAYS, 1), "B": other})
        got = seen(data, lambda s: s.other("B").apply(lambda b: bp.sma(b.close, 5)), "A")
        want = other["close"].rolling(5).mean().reindex(DAYS, method="ffill")
        np.testing.assert_allclose(got, want.to_numpy(), rtol=1e-12)

    def test_longer_bars_of_another_symbol(self) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS, 1), "B": priced(DAYS, 2)})
        got = seen(data, lambda s: s.other("B").resample("W-FRI").close, "A")
        want = seen(data, lambda s: s.resample("W-FRI").close, "B")
        np.testing.assert_array_equal(got, want)

    @pytest.mark.parametrize("name", ["C", 3, None, ["B"]])
    def test_unknown_symbols(self, name: Any) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS, 1), "B": priced(DAYS, 2)})
        with pytest.raises(StrategyError, match=r"symbol of s\.other\(\) must be one of the data"):
            seen(data, lambda s: s.other(name), "A")

    def test_outside_of_a_loop_over_several(self) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS, 1), "B": priced(DAYS, 2)})
        with pytest.raises(StrategyError, match=r"for asset, algo in s\.loop\(\)"):
            bp.test(bp.strategy(lambda s: s.other("B"), lookback=1), data)

    def test_who_writes_to_it_is_told(self) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS, 1), "B": priced(DAYS, 2)})

        def write(s: bp.StrategyRun) -> None:
            s.other("B").close[0] = 1.0

        with pytest.raises(StrategyError, match="Work on a copy"):
            seen(data, write, "A")


# ------------------------------------------------------------------ longer bars


class TestResample:
    """A longer bar is seen from the bar on with which it has ended."""

    @staticmethod
    def twin(frame: pd.DataFrame, rule: str) -> pd.DataFrame:
        """Return what is complete at each bar of dates: all spans before that of the next day."""
        how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        found = []
        for n in range(1, len(frame) + 1):
            known = frame.iloc[:n]
            if n > 1:  # of one bar it is not known how long it is
                known = known.reindex([*known.index, known.index[-1] + pd.Timedelta(days=1)])
            spans = known.resample(rule).agg(how).iloc[:-1]
            spans = spans[spans["close"].notna()]
            found.append(spans.iloc[-1] if len(spans) else pd.Series(np.nan, [*how]))
        return pd.DataFrame(found)

    @pytest.mark.parametrize("rule", ["W", "W-FRI", "W-WED", "ME", "MS", "2D", "D", "B"])
    def test_is_what_pandas_finds_complete(self, rule: str) -> None:
        frame = priced(pd.bdate_range("2020-01-01", periods=60).delete([16, 30, 31, 57]), 3)
        data, want = bp.Data.from_frames({"A": frame}), self.twin(frame, rule)
        for column in want:
            got = seen(data, lambda s, column=column: getattr(s.resample(rule), column))
            np.testing.assert_allclose(got, want[column].to_numpy(), rtol=1e-15)

    def test_friday_sees_its_week_only_where_the_week_ends_with_it(self) -> None:
        frame = priced(pd.bdate_range("2024-01-01", periods=15), 1)  # from a Monday on
        data = bp.Data.from_frames({"A": frame})
        close = frame["close"].to_numpy()
        friday = seen(data, lambda s: s.resample("W-FRI").close)
        sunday = seen(data, lambda s: s.resample("W").close)
        np.testing.assert_array_equal(friday[[3, 4, 8, 9]], [np.nan, close[4], close[4], close[9]])
        np.testing.assert_array_equal(sunday[[4, 5, 9, 10]], [np.nan, close[4], close[4], close[9]])

    def test_a_holiday_on_friday(self) -> None:
        days = pd.bdate_range("2024-01-01", periods=15).delete(4)
        frame = priced(days, 1)
        got = seen(bp.Data.from_frames({"A": frame}), lambda s: s.resample("W-FRI").close)
        assert np.isnan(got[3])  # Thursday cannot know that there is no Friday
        assert got[4] == frame["close"].iloc[3]

    @pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "America/Sao_Paulo"])
    def test_hours(self, zone: str | None) -> None:
        hours = pd.date_range("2018-10-29", "2018-11-09 23:00", freq="h", tz=zone)
        frame = priced(hours, 1)
        data = bp.Data.from_frames({"A": frame})
        got = pd.Series(seen(data, lambda s: s.resample("4h").close), hours)
        bars = frame["close"].resample("4h").last()
        at = hours[40]
        # The hour that ends where four hours end sees them: 11:00 ends at 12:00.
        last = frame["close"].resample("4h").apply(lambda part: part.index[-1])
        assert got[last.iloc[9]] == bars.iloc[9] == frame["close"][last.iloc[9]]
        assert got[at] == bars[bars.index + pd.Timedelta("4h") <= at + pd.Timedelta("1h")].iloc[-1]

    def test_an_average_of_weeks(self) -> None:
        frame = priced(pd.bdate_range("2024-01-01", periods=100), 1)
        data = bp.Data.from_frames({"A": frame})
        got = seen(data, lambda s: s.resample("W-FRI").apply(lambda w: bp.sma(w.close, 4)))
        weeks = frame["close"].resample("W-FRI").last().rolling(4).mean()
        want = weeks.reindex(frame.index, method="ffill")
        np.testing.assert_allclose(got, want.to_numpy(), rtol=1e-12)

    def test_what_apply_takes(self) -> None:
        frame = priced(pd.bdate_range("2024-01-01", periods=30), 1, vix=np.arange(30.0))
        data = bp.Data.from_frames({"A": frame})

        def look(s: bp.StrategyRun) -> Any:
            week = s.resample("W-FRI")
            bands = week.apply(lambda w: (w.low, w.high > 0))
            return week.apply(lambda w: pd.Series(w.close)), bands, week.column("vix"), week.close

        closes, (lows, flags), vix, close = seen(data, look)
        np.testing.assert_array_equal(closes, close)
        assert flags.dtype == bool
        np.testing.assert_array_equal(flags, ~np.isnan(lows))
        assert vix[4] == 4.0
        for wrong in (lambda w: 1.0, lambda w: w.close[1:], lambda w: ["a"] * len(w), None):
            with pytest.raises(StrategyError, match=r"func of apply\(\) must"):
                seen(data, lambda s, wrong=wrong: s.resample("W").apply(wrong))

    def test_windows_see_the_weeks_before_them(self) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS, 1)})
        whole = seen(data, lambda s: s.resample("W").high)
        part = seen(data, lambda s: s.resample("W").high, start=DAYS[27], end=DAYS[50])
        np.testing.assert_array_equal(part, whole[27:51])

    def test_mistakes(self) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS, 1)})
        with pytest.raises(ParamError, match="rule must be a span of time"):
            seen(data, lambda s: s.resample("weekly"))
        with pytest.raises(StrategyError, match="must be resampled once"):
            seen(data, lambda s: s.resample("W").resample("ME"))
        numbered = bp.Data.from_frames({"A": priced(pd.RangeIndex(20), 1)})
        with pytest.raises(DataError, match="resample must have bars with dates"):
            seen(numbered, lambda s: s.resample("W"))

    def test_offsets_are_rules_too(self) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS, 1)})
        got = seen(data, lambda s: s.resample(pd.offsets.Week(weekday=4)).close)
        np.testing.assert_array_equal(got, seen(data, lambda s: s.resample("W-FRI").close))


# ------------------------------------------------------------------ other columns


class TestColumn:
    frame = priced(DAYS, 1, vix=np.where(np.arange(60) % 7 == 0, np.nan, np.arange(60.0)))

    def test_is_as_it_was_given(self) -> None:
        data = bp.Data.from_frames({"A": self.frame})
        got = seen(data, lambda s: s.column("vix"))
        np.testing.assert_array_equal(got, self.frame["vix"].to_numpy())
        assert not got.flags.writeable
        np.testing.assert_array_equal(
            seen(data, lambda s: s.column("close")), self.frame["close"].to_numpy()
        )

    def test_of_another_symbol_and_of_its_own_bars(self) -> None:
        data = bp.Data.from_frames({"A": priced(DAYS[::2], 2), "B": self.frame})
        assert np.isnan(seen(data, lambda s: s.column("vix"), "A")).all()
        got = seen(data, lambda s: s.other("B").column("vix"), "A")
        np.testing.assert_array_equal(got, self.frame["vix"].to_numpy()[::2])

    def test_unknown_names(self) -> None:
        data = bp.Data.from_frames({"A": self.frame})
        with pytest.raises(
            StrategyError, match=r"must be a column of the data .*Did you mean 'vix'"
        ):
            seen(data, lambda s: s.column("vlx"))
        with pytest.raises(StrategyError, match=r"see data\.extra"):
            seen(data, lambda s: s.column(None))


# ------------------------------------------------------------------ everywhere a strategy runs


def make_mixed() -> bp.Strategy:
    @bp.strategy(lookback=30)
    def mixed(s: bp.StrategyRun) -> None:
        for _ in s.loop(["A", "B"]):
            days = s.optimize(8, 4, 12, 4, name="days", integer=True)
            other = s.other("C")
            ratio = s.close / other.close
            week = s.resample("W-FRI").apply(lambda bars: bars.close > bp.sma(bars.close, 3))
            s.enter_long((ratio < bp.sma(ratio, days)) & week & (s.column("vix") < 0.8))
            s.exit_long(ratio > bp.sma(ratio, days) * 1.01)

    return mixed


LONG = pd.bdate_range("2018-01-01", periods=500)


def make_data(n: int = 500, change: float = 1.0, vix: float = 1.0) -> bp.Data:
    rng = np.random.default_rng(8)
    frames = {
        name: priced(LONG, seed, vix=rng.random(500) * vix) for seed, name in enumerate("ABC")
    }
    frames["C"] = frames["C"].drop(LONG[[100, 101, 250]])
    frames["C"].loc[LONG[300] :, "high"] *= change
    return bp.Data.from_frames({name: frame[: LONG[n - 1]] for name, frame in frames.items()})


class TestEverywhere:
    def test_training_sees_nothing_after_its_end(self) -> None:
        whole = quiet(bp.train, make_mixed(), make_data(), end=LONG[399])
        cut = quiet(bp.train, make_mixed(), make_data(400))
        pd.testing.assert_frame_equal(whole.trials, cut.trials)
        assert whole.trials["num_win"].sum() > 0

    def test_training_and_test_agree(self) -> None:
        data = make_data()
        training = quiet(bp.train, make_mixed(), data)
        tested = bp.test(make_mixed(), data, training, sizing="unit")
        for key, found in training.components.items():
            # A training closes what is open at its end, where a test leaves it.
            assert len(tested.components[key].trades) == found.stats.num_trades > 3

    def test_walk_forward_is_its_cycles(self) -> None:
        data = make_data()
        walked = quiet(bp.walk_forward, make_mixed(), data, cycles=3, split=0.6)
        for number, training in enumerate(walked.trainings, 1):
            row = walked.table.loc[(number, "A")]
            alone = quiet(
                bp.train, make_mixed(), data, start=row["train_start"], end=row["train_end"]
            )
            pd.testing.assert_frame_equal(training.trials, alone.trials)
        assert len(walked.portfolio.trades)

    @pytest.mark.engine
    @pytest.mark.parametrize(
        "engine", ["threadpool", pytest.param("processpool", marks=pytest.mark.slow)]
    )
    def test_engines_agree(self, engine: str) -> None:
        data, mixed = make_data(), make_mixed()
        one = quiet(bp.train, mixed, data)
        other = quiet(bp.train, mixed, data, engine=engine, n_workers=2)
        pd.testing.assert_frame_equal(one.trials, other.trials)
        here = quiet(bp.walk_forward, mixed, data, cycles=3, split=0.6)
        there = quiet(bp.walk_forward, mixed, data, cycles=3, split=0.6, engine=engine, n_workers=2)
        pd.testing.assert_frame_equal(here.table, there.table)

    def test_every_evaluator_agrees(self) -> None:
        data, mixed = make_data(), make_mixed()
        batched = quiet(bp.train, mixed, data, method="brute")
        single = quiet(bp.train, mixed, data, method="brute", on_step=lambda info: True)
        pd.testing.assert_frame_equal(batched.trials, single.trials)

    def test_detrended_prices_are_those_of_each_symbol(self) -> None:
        levels: dict[str, list[float]] = {}

        @bp.strategy(lookback=30)
        def look(s: bp.StrategyRun) -> None:
            for asset, _ in s.loop(["A", "B"]):
                s.optimize(1, 1, 2, 1, name="x")
                other = s.other("B" if asset == "A" else "A").close
                levels.setdefault(asset, []).append(float(other[-1] / other[30]))
                s.enter_long(s.close > 0)

        quiet(bp.train, look, make_data(), detrend="prices", check=False)
        np.testing.assert_allclose(np.concatenate([*levels.values()]), 1.0, rtol=1e-12)

    def test_signals_are_what_the_next_bar_fills(self) -> None:
        mixed, data, n_due = make_mixed(), make_data(), 0
        for n in range(300, 340):
            due = bp.signals(mixed, data[:n])
            then = bp.test(mixed, data[: n + 1], check=False)
            for _, row in due.iterrows():
                trades = then.components[row["component"]].trades
                opened = (trades["entry_time"] == LONG[n]).any()
                assert opened == (row["next_order"] == "enter_long")
                n_due += bool(opened)
        assert n_due > 1

    def test_permutations_move_all_symbols_together(self) -> None:
        data = make_data()
        other = bp.stats.bar_permutation(data, 3)
        moves, moved = (np.log(one.close / one.open).dropna() for one in (data, other))
        vix, vix_moved = (one.column("vix").loc[moves.index] for one in (data, other))
        # What came to a bar came there with what the other symbols and columns had beside it.
        order = np.argsort(moves["A"].to_numpy())
        arrived = np.argsort(moved["A"].to_numpy())
        np.testing.assert_allclose(
            moved["C"].to_numpy()[arrived], moves["C"].to_numpy()[order], atol=1e-9
        )
        np.testing.assert_array_equal(
            vix_moved["A"].to_numpy()[arrived], vix["A"].to_numpy()[order]
        )
        assert not vix["A"].equals(vix_moved["A"])

    def test_permutation_test(self) -> None:
        found = bp.stats.permutation_test(
            make_mixed(),
            make_data(),
            n=3,
            sequential=False,
            walk_forward={"cycles": 2, "split": 0.6},
        )
        assert found.n_run == 3
        assert len(set(found.null)) > 1

    def test_a_verdict(self) -> None:
        training = quiet(bp.train, make_mixed(), make_data())
        tests = quiet(bp.validate, training, n_permutations=0).tests
        assert np.isfinite(tests.loc["prices with noise", "figure"])

    def test_models_may_be_fitted_on_it(self) -> None:
        @bp.strategy(lookback=30)
        def fitted(s: bp.StrategyRun) -> None:
            for _ in s.loop(["A"]):
                days = s.optimize(8, 4, 12, 4, name="days", integer=True)
                level = s.fit("level", lambda bars: float(np.nanmedian(bars.extra["vix"])))
                s.enter_long((s.column("vix") < level) & (bp.roc(s.close, days) > 0))
                s.exit_long(s.column("vix") > level)

        data = make_data()
        training = quiet(bp.train, fitted, data, end=LONG[300])
        assert len(bp.test(fitted, data, training, start=LONG[301]).trades)


class TestGuard:
    """Who looks ahead in another series is told so, too."""

    CLOSE: ClassVar[dict[str, Any]] = {
        "other": lambda s: s.other("C").close,
        "apply": lambda s: s.other("C").apply(lambda bars: bars.close),
        "column": lambda s: s.column("vix"),
        "other column": lambda s: s.other("C").column("vix"),
    }

    @pytest.mark.parametrize("what", [*CLOSE])
    @pytest.mark.parametrize("shift", [-1, -3, 0])
    def test_shifts(self, what: str, shift: int) -> None:
        series = self.CLOSE[what]

        @bp.strategy(lookback=30)
        def shifted(s: bp.StrategyRun) -> None:
            for _ in s.loop(["A"]):
                days = s.optimize(8, 4, 12, 4, name="days", integer=True)
                ahead = np.roll(series(s), shift)
                level = bp.sma(series(s), days)
                s.enter_long(ahead > level)
                s.exit_long(ahead < level)

        if shift == 0:
            quiet(bp.train, shifted, make_data())
            return
        with pytest.raises(StrategyError, match="must not look ahead"):
            quiet(bp.train, shifted, make_data())
        with pytest.raises(StrategyError, match="must not look ahead"):
            quiet(bp.test, shifted, make_data())

    def test_weeks(self) -> None:
        @bp.strategy(lookback=30)
        def ahead(s: bp.StrategyRun) -> None:
            days = s.optimize(8, 4, 12, 4, name="days", integer=True)
            week = s.resample("W-FRI").apply(lambda bars: np.roll(bars.close, -1))
            s.enter_long(week > bp.sma(s.close, days))
            s.exit_long(week < bp.sma(s.close, days))

        with pytest.raises(StrategyError, match="must not look ahead"):
            quiet(bp.train, ahead, make_data().select("A"))

    def test_it_is_asked_for_in_every_run_or_in_none(self) -> None:
        @bp.strategy(lookback=30)
        def now_and_then(s: bp.StrategyRun) -> None:
            for _ in s.loop(["A"]):
                which = s.optimize(0, 0, 1, 1, name="which")
                level = s.other("C").close if which else bp.sma(s.close, 8)
                s.enter_long(s.close > level)
                s.exit_long(s.close < level)

        with pytest.raises(StrategyError, match=r"s\.other\('C'\).*Call it above the condition"):
            quiet(bp.train, now_and_then, make_data())

    def test_which_symbol_may_depend_on_a_parameter(self) -> None:
        @bp.strategy(lookback=30)
        def indexed(s: bp.StrategyRun) -> None:
            for _ in s.loop(["A"]):
                which = s.optimize(0, 0, 1, 1, name="which", integer=True)
                ratio = s.close / s.other("BC"[int(which)]).close
                s.enter_long(ratio < bp.sma(ratio, 8))
                s.exit_long(ratio > bp.sma(ratio, 8))

        assert quiet(bp.train, indexed, make_data()).trials["objective"].nunique() == 2


class TestStores:
    def keys(self, data: bp.Data, strategy: bp.Strategy, **options: Any) -> bytes:
        """Return what the evaluations of A are known by."""
        from broadpeak._store.fingerprint import fingerprint
        from broadpeak._training.evaluation import discover_all
        from broadpeak._training.train import _setup, _views, plan_training
        from broadpeak._training.trainoptions import TrainOptions

        plan = plan_training(strategy, data, TrainOptions())
        views = _views(plan, plan.windows(None, options.get("end")))
        first = discover_all(strategy, views)[0]
        component = first.components[0]
        return fingerprint(_setup(plan, component, views[component.asset], first, None))

    def test_other_series_count_where_they_are_used(self) -> None:
        mixed, data = make_mixed(), make_data()
        known = self.keys(data, mixed)
        assert self.keys(make_data(), mixed) == known
        assert self.keys(make_data(change=1.001), mixed) != known
        assert self.keys(make_data(vix=0.9), mixed) != known
        assert self.keys(data, mixed, end=LONG[450]) != known
        # What is after the end counts nowhere.
        assert self.keys(data, mixed, end=LONG[399]) == self.keys(make_data(400), mixed)

        @bp.strategy(lookback=30)
        def plain(s: bp.StrategyRun) -> None:
            for _ in s.loop(["A"]):
                s.optimize(8, 4, 12, 4, name="days")
                s.enter_long(s.close > 0)

        assert self.keys(make_data(change=1.001), plain) == self.keys(data, plain)
        assert self.keys(make_data(vix=0.9), plain) != self.keys(data, plain)

    def test_a_stored_training_is_found_again(self, tmp_path: Any) -> None:
        path, data, mixed = tmp_path / "runs.bp", make_data(), make_mixed()
        one = quiet(bp.train, mixed, data, store=path)
        with bp.Store(path) as store:
            n_known = int(store.searches(data)["trials"].sum())
        other = quiet(bp.train, mixed, make_data(), store=path)
        pd.testing.assert_frame_equal(one.trials, other.trials)
        with bp.Store(path) as store:
            assert int(store.searches(data)["trials"].sum()) == n_known

    def test_bars_travel_with_what_they_need(self) -> None:
        from broadpeak._training.components import bars_of, window, windows_of
        from broadpeak._training.series import longer_bars, other_bars

        bars = bars_of(make_data())
        spans = {name: window(one, 30) for name, one in bars.items()}
        view = windows_of(bars, spans)["A"]
        other_bars(view, "C").close  # noqa: B018  # it is remembered, and does not travel
        copy = pickle.loads(pickle.dumps(view))
        assert not copy.made
        for get in (
            lambda one: other_bars(one, "C").close,
            lambda one: longer_bars(one, "W").high,
            lambda one: one.extra["vix"],
        ):
            np.testing.assert_array_equal(get(copy), get(view))


# ------------------------------------------------------------------ samples in a walk-forward run


class TestSamples:
    hours = pd.date_range("2020-01-01", periods=24 * 90, freq="h")

    @staticmethod
    def make() -> bp.Strategy:
        @bp.strategy(lookback=30)
        def swing(s: bp.StrategyRun) -> None:
            days = s.optimize(8, 4, 16, 4, name="days", integer=True)
            s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
            s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, days)))

        return swing

    def test_each_cycle_trains_on_all_cuts(self) -> None:
        fine = bp.Data.from_frames({"X": priced(self.hours, 1)})
        swing, samples = self.make(), ("4h", 4)
        walked = quiet(bp.walk_forward, swing, fine, cycles=3, samples=samples)
        for number, training in enumerate(walked.trainings, 1):
            row = walked.table.loc[number]
            alone = quiet(
                bp.train, swing, fine, samples=samples,
                start=row["train_start"], end=row["train_end"],
            )  # fmt: skip
            pd.testing.assert_frame_equal(training.trials, alone.trials)
        plain = quiet(bp.walk_forward, swing, fine.resample("4h"), cycles=3)
        assert not plain.trainings[0].trials.equals(walked.trainings[0].trials)
        assert [*walked.table["test_start"]] == [*plain.table["test_start"]]
        pd.testing.assert_index_equal(walked.portfolio.index, plain.portfolio.index)

    @pytest.mark.engine
    @pytest.mark.slow
    def test_workers_train_the_same(self) -> None:
        fine = bp.Data.from_frames({"X": priced(self.hours, 1)})
        here, there = (
            quiet(bp.walk_forward, self.make(), fine, cycles=3, samples=("4h", 2), **options)
            for options in ({}, {"engine": "processpool", "n_workers": 2})
        )
        pd.testing.assert_frame_equal(here.table, there.table)
        for one, other in zip(here.trainings, there.trainings, strict=True):
            pd.testing.assert_frame_equal(one.trials, other.trials)

    def test_no_cut_ends_after_the_training(self) -> None:
        # Bars of other prices after the last cycle's training bar change nothing before.
        frame = priced(self.hours, 1)
        walked = quiet(
            bp.walk_forward, self.make(), bp.Data.from_frames({"X": frame}), cycles=3,
            samples=("4h", 4),
        )  # fmt: skip
        end = walked.table["train_end"].iloc[0] + pd.Timedelta("4h")
        changed = frame.copy()
        changed.loc[end:] *= 3.0
        again = quiet(
            bp.walk_forward, self.make(), bp.Data.from_frames({"X": changed}), cycles=3,
            samples=("4h", 4), check=False,
        )  # fmt: skip
        pd.testing.assert_frame_equal(walked.trainings[0].trials, again.trainings[0].trials)

    def test_a_verdict_takes_the_finer_prices(self) -> None:
        fine = bp.Data.from_frames({"X": priced(self.hours, 1)})
        walked = quiet(bp.walk_forward, self.make(), fine, cycles=3, samples=("4h", 2))
        with pytest.raises(DataError, match=r"bp\.validate\(wf, data=finer\)"):
            bp.validate(walked)
        found = quiet(bp.validate, walked, data=fine, n_permutations=2)
        assert found.n_bars == len(walked.portfolio.index)


# ------------------------------------------------------------------ nested loops


@pytest.mark.parametrize(
    ("outer", "inner", "written"),
    [
        ({}, {"algos": ["up", "down"]}, "s.loop(None, ['up', 'down'])"),
        ({"assets": ["A"]}, {"algos": "up"}, "s.loop(['A'], ['up'])"),
        ({"algos": ["up"]}, {"assets": ["A", "B"]}, "s.loop(['A', 'B'], ['up'])"),
        ({}, {}, "s.loop()"),
    ],
)
def test_nested_loops_are_told_the_one_loop(outer: Any, inner: Any, written: str) -> None:
    def nested(s: bp.StrategyRun) -> None:
        for _ in s.loop(**outer):
            for _ in s.loop(**inner):
                s.enter_long(s.close > 0)

    with pytest.raises(StrategyError, match=re.escape(f"for asset, algo in {written}: …")):
        bp.test(bp.strategy(lookback=30)(nested), make_data())
