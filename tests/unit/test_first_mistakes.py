# SPDX-License-Identifier: BSD-3-Clause
"""What people type wrongly on their first day, and the words that must be said to them.

A row is what was typed, and words that must all be in the message: what is wrong, and what to type.
"""

import io
import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

DATA = bp.Data.sample("IBM")
BOTH = bp.Data.sample(["IBM", "MSFT"])
CLOSE = DATA.close
UP = CLOSE.rolling(50).mean() < CLOSE
DAYS = pd.bdate_range("2020-01-01", periods=300)
WALK = 100 + np.cumsum(np.random.default_rng(0).normal(0, 1, 300))
FRAME = pd.DataFrame({"close": WALK}, index=DAYS)


def said(call):
    """Return the error that `call` raises with its warnings, as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
        else:
            text = ""
    return "\n".join([text, *(str(one.message) for one in caught)])


def trained(body, data=DATA, run=bp.train, **options):
    """Train a strategy that has a parameter `days`, and `body` after it."""

    def written(s):
        body(s, s.optimize(20, 10, 50, 10, name="days"))

    return run(strategy_of(written), data, **options)


def strategy_of(func):
    return bp.strategy(lookback=60)(func)


def honest(s, days):
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))


@strategy_of
def plain(s):
    honest(s, s.optimize(20, 10, 50, 10, name="days"))


def with_setting(name, value):
    def body(s, days):
        setattr(s, name, value)
        honest(s, days)

    return body


def late_stop(s, days):
    honest(s, days)
    s.stop = 0.05 * s.close


def own_stop(s, days):
    s.stop = 0.05 * s.close
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0), stop=0.02 * s.close)


def stop_behind_in_a_loop(s):
    days = s.optimize(20, 10, 50, 10, name="days")
    for _ in s.loop():
        honest(s, days)
        s.trail = 0.05 * s.close


def when_if(s, days):
    if s.close > bp.sma(s.close, days):
        s.enter_long(s.close > 0)


def csv(text, **options):
    return bp.Data.from_csv(io.StringIO(text), symbol="X", **options)


def swept(func, *args, merge="concat", **options):
    return bp.parameterized(func, merge_func=merge)(*args, **options)


def signals(**options):
    return bp.Portfolio.from_signals(DATA, UP, ~UP, **options)


def beside(**columns):
    return pd.DataFrame({"close": WALK, **columns})


def split():
    adjusted = WALK.copy()
    adjusted[:150] /= 2
    return FRAME.assign(**{"Adj Close": adjusted})


def seconds(unit):
    return DAYS.as_unit(unit).astype("int64").to_numpy()


AND = ("& for and, | for or, ~ for not", "in parentheses")
INTEGER = ("must be an integer", "integer=True", "s.optimize")
PERIOD = ("leave bars of IBM", "2000-03-01 to 2013-03-01", "Pass a label between these")

MISTAKES = {
    # Words of Python on arrays.
    "and": (lambda: trained(lambda s, d: s.enter_long(s.close > 5 and s.open > 5)), AND),
    "or": (lambda: trained(lambda s, d: s.enter_long(s.close > 5 or s.open > 5)), AND),
    "not": (lambda: trained(lambda s, d: s.enter_long(not s.close > 5)), AND),
    "if": (lambda: trained(when_if), AND),
    "chained comparison": (lambda: trained(lambda s, d: s.enter_long(5 < s.close < 90)), AND),
    "and in a test": (lambda: trained(lambda s, d: s.close > 5 and s.open > 5, run=bp.test), AND),
    "and of Series": (
        lambda: swept(lambda x: (x < CLOSE and CLOSE > 5).sum(), bp.Param([1, 2])),
        AND,
    ),
    "max of arrays": (lambda: trained(lambda s, d: s.enter_long(max(s.close, s.open) > 5)), AND),
    "no parentheses": (
        lambda: trained(lambda s, d: s.enter_long(s.close > s.open & s.close > 5)),
        ("bind tighter than comparisons", "(a > b) & (b > c)"),
    ),
    # Lengths that are floats.
    "float slice": (lambda: trained(lambda s, d: s.close[d:]), INTEGER),
    "float window": (lambda: trained(lambda s, d: pd.Series(s.close).rolling(d).mean()), INTEGER),
    "float shift": (lambda: trained(lambda s, d: pd.Series(s.close).shift(d)), INTEGER),
    "float range": (lambda: trained(lambda s, d: [*range(d)]), INTEGER),
    "float shape": (lambda: trained(lambda s, d: np.zeros(d)), INTEGER),
    "float in a sweep": (
        lambda: swept(lambda x: CLOSE.rolling(x).mean().iloc[-1], bp.Param([10.0, 20.0])),
        ("must be an integer", "int(length)"),
    ),
    # Distances, and settings that nobody reads.
    "stop as a fraction": (
        lambda: trained(with_setting("stop", 0.02)),
        ("stop = 0.02", "in price, not a fraction", "type s.stop = 0.02 * s.close"),
    ),
    "stop in a test": (
        lambda: trained(with_setting("stop", 0.02), run=bp.test),
        ("stop = 0.02", "type s.stop = 0.02 * s.close"),
    ),
    "stop in a walk-forward": (
        lambda: trained(with_setting("stop", 0.02), run=bp.walk_forward, cycles=3),
        ("stop = 0.02", "type s.stop = 0.02 * s.close"),
    ),
    "trail as a fraction": (
        lambda: trained(with_setting("trail", 0.05)),
        ("trail = 0.05", "type s.trail = 0.05 * s.close"),
    ),
    "target as a fraction": (
        lambda: trained(with_setting("take_profit", 0.1)),
        ("take_profit = 0.1", "type s.take_profit = 0.1 * s.close"),
    ),
    "stop after the entry": (
        lambda: trained(late_stop),
        ("sets s.stop", "no entry after it reads it", "Set s.stop before s.enter_long"),
    ),
    "stop that every entry has": (
        lambda: trained(own_stop, run=bp.test),
        ("sets s.stop", "each has a stop= of its own", "pass s.enter_long(…, stop=…)"),
    ),
    "trail behind the entry in a loop": (
        lambda: bp.train(strategy_of(stop_behind_in_a_loop), BOTH),
        ("sets s.trail", "Set s.trail before s.enter_long"),
    ),
    "negative stop": (
        lambda: trained(with_setting("stop", -1)),
        ("stop must be positive", "Pass a distance in price units"),
    ),
    "sl_stop in percent": (
        lambda: signals(sl_stop=2),
        ("sl_stop is a fraction of price", "200%", "type sl_stop=0.02", 'stop_unit="price"'),
    ),
    "sl_stop of 1": (lambda: signals(sl_stop=1.0), ("sl_stop is a fraction", "type sl_stop=0.01")),
    "tsl_stop in percent": (lambda: signals(tsl_stop=[5, 10]), ("tsl_stop", "type tsl_stop=0.05")),
    "sl_stop as Param": (
        lambda: signals(sl_stop=bp.Param([0.05, 5])),
        ("sl_stop is a fraction", "got 5", "type sl_stop=0.05"),
    ),
    # Members and arguments of a strategy.
    "s.buy": (
        lambda: trained(lambda s, d: s.buy(s.close > 5)),
        ("s.buy", "Type: s.enter_long(when)"),
    ),
    "s.sell": (lambda: trained(lambda s, d: s.sell(s.close > 5)), ("Type: s.exit_long(when)",)),
    "s.stoploss": (lambda: trained(with_setting("stoploss", 5)), ("Did you mean 'stop'?",)),
    "s.size": (lambda: trained(with_setting("size", 5)), ("Type: s.lots",)),
    "s.data": (lambda: trained(lambda s, d: s.data.close), ("Type: s.close",)),
    "assigned price": (
        lambda: trained(with_setting("close", 5)),
        ("s.close cannot be assigned", "Assignable are lots, stop"),
    ),
    "last bar": (
        lambda: trained(lambda s, d: s.enter_long(s.close[-1] > 5)),
        ("one value a bar", "Arrays of s are whole columns"),
    ),
    "shorter array": (
        lambda: trained(lambda s, d: s.enter_long(s.close[20:] > s.close[:-20])),
        ("one value a bar", "Arrays of s are whole columns"),
    ),
    "numbers as a signal": (
        lambda: trained(lambda s, d: s.enter_long(~(s.close > 5).astype(int))),
        ("hold true and false values", "Pass a comparison"),
    ),
    "look-ahead": (
        lambda: trained(lambda s, d: s.enter_long(np.roll(s.close, -int(d)) > s.close)),
        ("must not look ahead", "np.roll(x, -1)"),
    ),
    "range of optimize": (
        lambda: trained(lambda s, d: s.optimize(5, 10, 1)),
        ("max of p2", "at least its min (10)", "Swap them"),
    ),
    "negative optimize": (
        lambda: trained(lambda s, d: s.optimize(-5, -10, 1)),
        ("default of p2 must be at least 0", "shift it back in the strategy"),
    ),
    "optimize from 0": (
        lambda: trained(lambda s, d: s.optimize(1, 0, 10)),
        ("min of p2 must be above 0", "Pass step=1"),
    ),
    "a name twice": (
        lambda: trained(lambda s, d: s.optimize(1, 1, 9, 1, name="days")),
        ("one optimize() call only", "Pass another name="),
    ),
    "several symbols and no loop": (
        lambda: bp.train(plain, BOTH),
        ("for asset, algo in s.loop()",),
    ),
    "stop_search of what": (
        lambda: trained(lambda s, d: s.stop_search("everything")),
        ("what must be one of 'parameter', 'all'",),
    ),
    # What train and test are given.
    "strategy called": (lambda: plain(DATA), ("be a run", "Type: bp.train(strategy, data)")),
    "swapped": (
        lambda: bp.train(DATA, plain),
        ("The strategy comes first, then the data", "bp.train(strategy, data)"),
    ),
    "data by name": (lambda: bp.train(plain, "AAPL"), ("bp.Data.from_frames({symbol: frame})",)),
    "data as Series": (lambda: bp.train(plain, CLOSE), ("bp.Data.from_frames({symbol: frame})",)),
    "data as a path": (
        lambda: bp.train(plain, "prices.csv"),
        ("Read the file first", "bp.Data.from_csv('prices.csv')"),
    ),
    "costs as a dict": (
        lambda: bp.test(plain, DATA, costs={"fees": 0.001}),
        ("name assets of the data (IBM)", "Type: costs=bp.Costs(fees=0.001)"),
    ),
    "costs of a wrong asset": (
        lambda: bp.test(plain, DATA, costs={"IBN": bp.Costs()}),
        ("Did you mean 'IBM'?",),
    ),
    "scores as a table": (
        lambda: bp.plot.heatmap(pd.DataFrame(np.eye(3), columns=np.array([5, 10, 20]))),
        ("as in scores[5]", "scores.stack()"),
    ),
    "costs as a number": (lambda: bp.train(plain, DATA, costs=0.001), ("bp.Costs(fees=0.001)",)),
    "objective": (lambda: bp.train(plain, DATA, objective="sharp"), ("Did you mean 'sharpe'?",)),
    "method": (lambda: bp.train(plain, DATA, method="grid"), ("'ascent', 'brute', 'genetic'",)),
    "selector": (lambda: bp.train(plain, DATA, select="plataeu"), ("Did you mean 'plateau'?",)),
    "option": (lambda: bp.train(plain, DATA, min_trade=3), ("Did you mean 'min_trades'?",)),
    "no parameter": (
        lambda: bp.train(strategy_of(lambda s: s.enter_long(s.close > 5)), DATA),
        ("call s.optimize() at least once", "bp.test(strategy, data)"),
    ),
    "no file": (lambda: bp.test(plain, DATA, "nofile.par"), ("nofile.par", "Train first")),
    "too few trades": (
        lambda: bp.train(plain, DATA, min_trades=999),
        ("no step with a usable objective", "trades a step, and min_trades=999 wants more"),
    ),
    "fees in percent": (
        lambda: bp.train(plain, DATA, costs=bp.Costs(fees=0.05)),
        ("fees is a share of the money of each order", "5 % of it", "For 0.05 % type fees=0.0005"),
    ),
    "slippage in percent": (
        lambda: bp.Costs(slippage=0.1),
        ("slippage is a share of the money", "For 0.1 % type slippage=0.001"),
    ),
    "fees of a portfolio in percent": (
        lambda: bp.PF.from_signals(CLOSE, CLOSE > 5, fees=0.1),
        ("fees is a share of the money", "10 % of it", "For 0.1 % type fees=0.001"),
    ),
    "never trades": (
        lambda: trained(lambda s, d: s.enter_long(s.close < 0)),
        ("never trades (IBM)", "Check its signals, lookback and lots"),
    ),
    # Periods.
    "start after the last bar": (lambda: bp.train(plain, DATA, start="2030"), PERIOD),
    "end before the first bar": (lambda: bp.test(plain, DATA, end="1990"), PERIOD),
    "start after end": (
        lambda: bp.train(plain, DATA, start="2010", end="2005"),
        (*PERIOD[:2], "('2010', '2005')", "the earlier one as start"),
    ),
    "a day that no month has": (
        lambda: bp.signals(plain, DATA, end="2012-6-31"),
        ("end must be a date that there is", "'2012-6-31'", "end='2000-03-01'"),
    ),
    "a year as a number": (
        lambda: bp.train(plain, DATA, end=2009),
        ("end must be a date that there is", "Type for example end='2009'"),
    ),
    "a day as a number": (
        lambda: bp.train(plain, DATA, start=20050131),
        ("start must be a date", "Type for example start='20050131'"),
    ),
    "period of a walk-forward": (lambda: bp.walk_forward(plain, DATA, start="2030"), PERIOD),
    "start that is no date": (lambda: bp.train(plain, DATA, start="foo"), ("'2000-03-01'",)),
    "too few bars": (
        lambda: bp.train(plain, DATA["2012-12":"2013-01"]),
        ("at least lookback + 2 = 62 bars", "from 2012-12-03 to 2013-01-31", "Pass more history"),
    ),
    # Prices.
    "Data(frame)": (lambda: bp.Data(FRAME), ("Data.from_frames({'SPX': frame})", "Data.from_csv")),
    "a frame without symbol": (
        lambda: bp.Data.from_frames(FRAME),
        ("Data.from_frames({'SPX': frame})",),
    ),
    "not adjusted": (
        lambda: bp.Data.from_frames({"X": split()}),
        ("X are not adjusted", "part by 100% at 20", "Pass adjust=True"),
    ),
    "no adjusted close": (
        lambda: bp.Data.from_frames({"X": FRAME}, adjust=True),
        ("column 'Adj Close' for adjust=True",),
    ),
    "day or month": (
        lambda: csv("Date,Close\n01/02/2024,1\n02/03/2024,2\n03/04/2024,3"),
        ("01/02/2024 (row 1)", "taken as month first", "pass dayfirst=True"),
    ),
    "day or month in one row": (
        lambda: csv("Date,Close\n01/02/2024,1"),
        ("taken as month first", "pass dayfirst=True; dayfirst=False says that this is right"),
    ),
    "day or month in a frame": (
        lambda: bp.Data.from_frames(
            {"X": pd.DataFrame({"date": ["01/02/2024", "02/03/2024", "03/04/2024"], "close": 1.0})}
        ),
        ("taken as month first", "pd.to_datetime(…, format='%d/%m/%Y')"),
    ),
    "an epoch of another name": (
        lambda: bp.Data.from_frames({"X": beside(extra=1.0, sent=seconds("s"))}),
        ("Bars of the prices of X are numbered", "'sent'", "columns={'sent': 'date'}"),
    ),
    "an epoch in milliseconds": (
        lambda: bp.Data.from_frames({"X": beside(extra=1.0, sent=seconds("ms"))}),
        ("are numbered", "columns={'sent': 'date'}"),
    ),
    "times without dates": (
        lambda: bp.Data.from_frames({"X": beside(time=DAYS.strftime("%H:%M"))}),
        ("have a column of dates beside the times of day in 'time'",),
    ),
    "dates that count": (
        lambda: bp.Data.from_frames({"X": beside(date=np.arange(300))}),
        ("readable dates in column 'date'", "pd.to_datetime"),
    ),
    "no dates in a file": (
        lambda: csv("close,bar\n1,1\n2,2"),
        ("a column of dates", "date_column="),
    ),
    "no such file": (lambda: bp.Data.from_csv("nofile.csv"), ("nofile.csv", "Check the path")),
    "no such symbol": (lambda: bp.Data.sample("IBN"), ("'IBM'", "Did you mean 'IBM'?")),
    # Sweeps.
    "no return": (
        lambda: swept(lambda x: None, bp.Param([1, 2])),
        ("None, all of them", "return result", "NoResult leaves a call out"),
    ),
    "no return, as columns": (
        lambda: swept(lambda x: None, bp.Param([1, 2]), merge="column_stack"),
        ("None, all of them", "return result"),
    ),
    "portfolios": (
        lambda: swept(lambda x: signals(sl_stop=x), bp.Param([0.1, 0.2])),
        ("got Portfolio", "return portfolio.sharpe_ratio", "leave out merge_func"),
    ),
    "dicts": (
        lambda: swept(lambda x: {"a": x, "b": 2 * x}, bp.Param([1, 2])),
        ("are dicts", "return pd.Series(result)", ".unstack()"),
    ),
    "engine= at the call": (
        lambda: swept(lambda x: x, bp.Param([1, 2]), engine="threadpool"),
        ("begin with an underscore at the call", "Type: _engine=…"),
    ),
    "show_progress= at the call": (
        lambda: swept(lambda x: x, bp.Param([1, 2]), show_progress=False),
        ("Type: _show_progress=…",),
    ),
    "Param in a list": (
        lambda: swept(lambda x: x, [bp.Param([1, 2])]),
        ("x must be a Param, or hold none", "Type x=Param([…])"),
    ),
    "Param in a dict": (
        lambda: swept(lambda x: x, {"fast": bp.Param([1, 2])}),
        ("x must be a Param, or hold none", "an argument of its own"),
    ),
    "Param in a dict beside another": (
        lambda: swept(lambda x, y: x, bp.Param([1, 2]), {"a": [bp.Param([1, 2])]}),
        ("y must be a Param, or hold none",),
    ),
    "unknown name in a condition": (
        lambda: swept(lambda x: x, bp.Param([1, 2], condition="x < z")),
        ("got 'z'", "Known names"),
    ),
    "metric": (lambda: signals().metrics("sharpe"), ("Did you mean 'sharpe_ratio'?",)),
    "another index": (
        lambda: bp.Portfolio.from_signals(CLOSE, UP.iloc[1:], ~UP),
        ("have the index of close", "Type: entries = entries.reindex(close.index)"),
    ),
    "window of 0": (lambda: bp.sma(CLOSE, 0), ("window must be a length of at least 1 bar",)),
}


def test_there_are_many():
    assert len(MISTAKES) >= 60


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_what_to_type(name):
    call, words = MISTAKES[name]
    text = said(call)
    for word in words:
        assert word in text


class TestHonestCode:
    """Nothing is said where nothing is wrong; warnings are errors here."""

    def fits(self, body, data=DATA):
        plan = strategy_of(lambda s: body(s, s.optimize(20, 10, 50, 10, name="days")))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The values chosen|What was chosen")
            bp.train(plan, data)
            bp.test(plan, data)

    def test_distances_in_price(self):
        for name, share in (("stop", 0.01), ("trail", 0.003), ("take_profit", 0.2)):
            self.fits(lambda s, d, n=name, x=share: with_setting(n, x * s.close)(s, d))
            self.fits(with_setting(name, None))

    def test_a_narrow_stop_on_bars_that_move_less(self):
        steps = np.random.default_rng(1).normal(0, 1e-4, 3000)
        close = 100 * np.exp(np.cumsum(steps))
        index = pd.date_range("2024-01-01", periods=3000, freq="min")
        quiet = bp.Data.from_frames({"FX": pd.DataFrame({"close": close}, index=index)})
        self.fits(with_setting("stop", 0.15), quiet)

    def test_a_stop_that_is_nan_for_a_while(self):
        self.fits(lambda s, d: with_setting("stop", bp.atr(s.high, s.low, s.close, 20))(s, d))

    def test_settings_that_are_read(self):
        def body(s, days):
            s.stop = 0.05 * s.close
            wide = 2 * s.stop
            s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0), stop=wide)
            s.trail = 0.1 * s.close
            s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
            s.stop = s.trail = None

        self.fits(body)

    def test_settings_before_and_inside_a_loop(self):
        @strategy_of
        def both(s):
            days = s.optimize(20, 10, 50, 10, name="days")
            s.stop = np.nan
            for _, algo in s.loop(algos=["up", "down"]):
                s.trail = 0.05 * s.close
                if algo == "up":
                    honest(s, days)
                else:
                    s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The values chosen|What was chosen")
            bp.train(both, BOTH)
            bp.test(both, BOTH)

    def test_stops_of_portfolios(self):
        signals(sl_stop=0.99, tsl_stop=[0.1, None], tp_stop=3.0)
        signals(sl_stop=5.0, stop_unit="price")
        signals(sl_stop=bp.Param([0.1, None]))
        signals(sl_stop=np.nan)

    def test_dividends_are_no_splits(self):
        adjusted = WALK * np.where(np.arange(300) < 150, 0.97, 1.0)
        bp.Data.from_frames({"X": FRAME.assign(**{"Adj Close": adjusted})})
        bp.Data.from_frames({"X": split()}, adjust=True)

    def test_dates_that_say_what_they_are(self):
        csv("Date,Close\n01/02/2024,1\n01/03/2024,2\n01/04/2024,3")
        csv("Date,Close\n13/02/2024,1\n14/02/2024,2")
        csv("Date,Close\n01.02.2024,1\n02.03.2024,2\n03.04.2024,3")
        csv("Date,Close\n01/02/2024,1\n02/03/2024,2\n03/04/2024,3", dayfirst=False)

    def test_numbers_that_run_on_are_no_epochs(self):
        bp.Data.from_frames({"X": beside(turnover=np.arange(300.0), oi=1e9 - WALK)})

    def test_results_that_merge(self):
        swept(lambda x: None if x == 1 else x, bp.Param([1, 2]))
        swept(lambda x: pd.Series({"a": x, "b": 2}), bp.Param([1, 2])).unstack()
        swept(lambda x, y: len(y), bp.Param([1, 2]), [1, {"a": 2}])
        bp.parameterized(lambda x: None)(bp.Param([1, 2]))

    def test_a_param_for_another_decorator_passes(self):
        @bp.parameterized(merge_func="concat")
        def outer(x, grid):
            return len(grid["y"].values)

        found = outer(bp.Param([1, 2]), {"y": bp.Param([1, 2, 3], eval_id="inner")})
        assert found.tolist() == [3, 3]
