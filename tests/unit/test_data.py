# SPDX-License-Identifier: BSD-3-Clause
"""`Data`: rules on entry, calendars, cutting, resampling, travelling."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import pickle

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import Data
from broadpeak._data import bundled as sample_files
from broadpeak.types import ParamValues

DAYS = pd.date_range("2024-01-01", periods=6)


def ohlcv(n=6, start="2024-01-01", seed=0, **changes):
    rng = np.random.default_rng(seed)
    close = 100 + rng.normal(size=n).cumsum()
    opened = close + rng.normal(size=n) / 3
    high = np.maximum(opened, close) + 0.5
    frame = pd.DataFrame(
        {
            "Open": opened,
            "High": high,
            "Low": np.minimum(opened, close) - 0.5,
            "Close": close,
            "Volume": rng.integers(1, 1000, n),
        },
        index=pd.date_range(start, periods=n),
    )
    for name, value in changes.items():
        frame[name] = value
    return frame


def test_one_symbol_gives_series_and_several_frames() -> None:
    one = bp.Data.from_frames({"A": ohlcv()})
    assert isinstance(one.close, pd.Series)
    assert one.close.name == "A"
    two = bp.Data.from_frames({"A": ohlcv(), "B": ohlcv(seed=1)})
    assert list(two.close.columns) == ["A", "B"]
    assert two.close.columns.name == "symbol"
    assert two.symbols == ["A", "B"]
    assert len(two) == 6
    for name in ("open", "high", "low", "close", "volume", "hlc3", "ohlc4"):
        pd.testing.assert_series_equal(getattr(two, name)["A"], getattr(one, name))
    frame = ohlcv()
    np.testing.assert_allclose(one.hlc3, frame[["High", "Low", "Close"]].mean(axis=1))
    np.testing.assert_allclose(one.ohlc4, frame[["Open", "High", "Low", "Close"]].mean(axis=1))


def test_column_names_match_without_case_and_others_are_left_out() -> None:
    frame = ohlcv().rename(columns=str.upper)[["CLOSE", "LOW", "OPEN", "HIGH", "VOLUME"]]
    frame["Dividends"] = "none"
    data = bp.Data.from_frames({"A": frame})
    pd.testing.assert_series_equal(data.low, ohlcv()["Low"].rename("A"))


def test_the_plain_name_wins_over_another_spelling() -> None:
    frame = ohlcv(Last=1.0, Vol=2.0)
    for columns in (list(frame.columns), list(frame.columns)[::-1]):
        data = bp.Data.from_frames({"A": frame[columns]})
        pd.testing.assert_series_equal(data.close, frame["Close"].rename("A"))
        np.testing.assert_array_equal(data.volume, frame["Volume"])


def test_closes_alone_are_enough() -> None:
    data = bp.Data.from_frames({"A": ohlcv()["Close"]})
    assert data.fingerprint() == bp.Data.from_frames({"A": ohlcv()[["Close"]]}).fingerprint()
    assert data.run("bp:sma", 2, unpack=True).notna().sum() == 5
    with pytest.raises(bp.DataError, match="have a column 'high'"):
        _ = data.high
    with pytest.raises(bp.DataError, match=r"bp:atr must have the price 'high'"):
        data.run("bp:atr", 2)


def test_dates_in_a_column_become_the_index() -> None:
    data = bp.Data.from_frames({"A": ohlcv().reset_index(names="day")})
    assert data.index.equals(ohlcv().index)
    texts = ohlcv().reset_index(names="Date")
    texts["Date"] = texts["Date"].dt.strftime("%d/%m/%Y")
    texts.loc[5, "Date"] = "13/02/2024"
    assert bp.Data.from_frames({"A": texts}).index[-1] == pd.Timestamp("2024-02-13")
    texts.loc[5, "Date"] = "soon"
    with pytest.raises(bp.DataError, match="the prices of A must have readable dates"):
        bp.Data.from_frames({"A": texts})


def test_the_users_frame_is_not_touched_and_prices_cannot_be_changed() -> None:
    frame = ohlcv()
    before = frame.copy()
    data = bp.Data.from_frames({"A": frame})
    frame.iloc[:, :] = 1
    assert np.allclose(data.close, before["Close"])
    results = data.run("bp:sma", 1), data.run("bp:sma", [1, 2])
    for read in (
        lambda: data.close,
        lambda: data.hlc3,
        lambda: data.returns,
        lambda: results[0].sma,
        lambda: results[1].sma,
    ):
        mine = read()
        try:
            mine.iloc[0] = 1
        except ValueError:  # read-only: pandas 2 makes no copies on writing
            assert pd.__version__ < "3"
            continue
        assert (mine.iloc[0] == 1).all()
        assert not (read().iloc[0] == 1).any()
    entries = results[0].sma_crossed_above(100.0)
    entries.iloc[0] = True
    assert entries.iloc[0]
    with pytest.raises(ValueError, match="read-only"):
        data.array("close")[0, 0] = 1
    for prices in (data, pickle.loads(pickle.dumps(data)), data["2005"], data.resample("W")):
        with pytest.raises(ValueError, match="WRITEABLE"):  # nor can the mark be taken away
            prices.array("close").view().flags.writeable = True
        with pytest.raises(ValueError, match="WRITEABLE"):
            prices.fields["close"].view().flags.writeable = True


def test_fields_are_the_prices_that_were_given_one_row_a_symbol():
    days = pd.date_range("2024-01-01", periods=3)
    frames = {
        "A": pd.DataFrame({"open": [1.0, 2, 3], "close": [1.0, 2, 3]}, days),
        "B": pd.DataFrame({"open": [4.0, 5], "close": [5.0, 6]}, days[1:]),
    }
    data = Data.from_frames(frames)
    assert list(data.fields) == ["open", "close"]
    np.testing.assert_array_equal(data.fields["close"], [[1, 2, 3], [np.nan, 5, 6]])
    data.fields.clear()  # a dict of its own
    zipped = data.select(ParamValues(["B", "A", "B"]))
    np.testing.assert_array_equal(zipped.fields["open"][:, 1:], [[4, 5], [2, 3], [4, 5]])
    np.testing.assert_array_equal(zipped.array("open"), zipped.fields["open"])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"Close": [1, 2, np.nan, 4, 5, 6]}, r"close of A at 2024-01-03 .*finite.*nan"),
        ({"Open": [1, 2, np.inf, 4, 5, 6]}, r"open of A at 2024-01-03 .*finite.*inf"),
        ({"Low": [99, 99, 99, 0, 99, 99]}, r"low of A at 2024-01-04 .*positive, got 0\.0"),
        ({"Close": -1.0}, r"close of A at 2024-01-01 .*positive.*5 more bars"),
        ({"High": 1.0}, r"high of A at 2024-01-01 .*at least open, close and low"),
        ({"Low": 1e3}, r"(low|high) of A at 2024-01-01"),
        ({"Volume": -1}, r"volume of A at 2024-01-01 .*at least 0"),
        ({"Volume": np.inf}, r"volume of A at 2024-01-01 .*at least 0"),
        ({"Close": "high"}, r"column 'Close' of A at 2024-01-01 .*must hold numbers, got 'high'"),
    ],
)
def test_prices_that_cannot_be(change, text) -> None:
    with pytest.raises(bp.DataError, match=text):
        bp.Data.from_frames({"A": ohlcv(**change)})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda f: f.iloc[[0, 2, 1]], r"index of A must be sorted, got '2024-01-02.* after 2024"),
        (lambda f: f.iloc[::-1], "must be sorted"),
        (lambda f: f.iloc[[0, 1, 1]], "every bar once, got '2024-01-02 00:00:00 twice'"),
        (lambda f: f.set_axis([f"bar {k}" for k in range(len(f))]), "hold dates or numbers"),
        (lambda f: f.set_axis([pd.NaT, *f.index[1:]]), "no missing labels"),
        (lambda f: f.iloc[:0], "at least one bar"),
        (lambda f: f.drop(columns="Close"), "have a column 'close'"),
        (lambda f: f.rename(columns={"Open": "close"}), "one column for 'close'"),
        (lambda f: f.to_numpy(), "be a frame"),
        (lambda f: pd.concat({"B": f, "C": f}, axis=1), "be a frame with one column a field"),
    ],
)
def test_frames_that_cannot_be(change, text) -> None:
    with pytest.raises(bp.DataError, match=text):
        bp.Data.from_frames({"A": change(ohlcv())})


@pytest.mark.parametrize("frames", [{}, None, ohlcv(), [ohlcv()]])
def test_frames_must_be_a_dict(frames) -> None:
    with pytest.raises(bp.DataError, match="dict of at least one symbol"):
        bp.Data.from_frames(frames)


def test_rounding_of_adjusted_prices_is_let_pass_and_more_is_not() -> None:
    frame = ohlcv()
    frame["High"] = frame[["Open", "Close"]].max(axis=1) * (1 - 1e-10)
    frame["Low"] = frame[["Open", "Close"]].min(axis=1) * (1 + 1e-10)
    bp.Data.from_frames({"A": frame})
    frame["High"] = frame[["Open", "Close"]].max(axis=1) * (1 - 1e-6)
    with pytest.raises(bp.DataError, match="at least open, close and low"):
        bp.Data.from_frames({"A": frame})


def test_missing_bars_are_refused_or_dropped() -> None:
    frame = ohlcv()
    frame.iloc[2] = np.nan
    with pytest.raises(bp.DataError, match=r"frame\.dropna\(\)"):
        bp.Data.from_frames({"A": frame})
    assert len(bp.Data.from_frames({"A": frame}, missing="drop")) == 5
    frame.iloc[3, 0] = np.nan
    with pytest.raises(bp.DataError, match="open of A at 2024-01-04"):
        bp.Data.from_frames({"A": frame}, missing="drop")
    with pytest.raises(bp.ParamError, match="be one of 'raise', 'drop'"):
        bp.Data.from_frames({"A": frame}, missing="fill")


def test_volume_may_be_unknown() -> None:
    assert bp.Data.from_frames({"A": ohlcv(Volume=np.nan)}).volume.isna().all()


def test_adjusting() -> None:
    frame = ohlcv()
    frame["Adj Close"] = frame["Close"] * [0.5, 0.5, 0.5, 1, 1, 1]
    with pytest.warns(
        UserWarning, match="not adjusted: .* part by 100% at 2024-01-04.*adjust=True"
    ):
        plain = bp.Data.from_frames({"A": frame})
    pd.testing.assert_series_equal(plain.close, frame["Close"].rename("A"))
    adjusted = bp.Data.from_frames({"A": frame}, adjust=True)
    pd.testing.assert_series_equal(adjusted.close, frame["Adj Close"].rename("A"))
    np.testing.assert_allclose(adjusted.high.iloc[:3], frame["High"].iloc[:3] / 2)
    np.testing.assert_allclose(adjusted.volume, frame["Volume"])
    with pytest.raises(bp.DataError, match="'Adj Close' for adjust=True"):
        bp.Data.from_frames({"A": ohlcv()}, adjust=True)


# Calendars


def two_calendars(**options):
    return bp.Data.from_frames({"A": ohlcv(6), "B": ohlcv(6, seed=1).drop(DAYS[[2, 3]])}, **options)


def test_the_union_of_calendars_is_nan_where_a_symbol_has_no_bar() -> None:
    data = two_calendars()
    assert data.index.equals(DAYS)
    assert data.close["B"].isna().tolist() == [False, False, True, True, False, False]
    assert len(data.select("B")) == 4
    assert data.select("B").close.notna().all()
    assert len(data.select(["B", "A"])) == 6


def test_the_intersection_of_calendars() -> None:
    data = two_calendars(calendar="intersection")
    assert data.index.equals(DAYS[[0, 1, 4, 5]])
    assert data.close.notna().all(axis=None)
    with pytest.raises(bp.ParamError, match="calendar must be one of"):
        two_calendars(calendar="outer")


def test_what_is_computed_sees_the_bars_of_its_own_symbol() -> None:
    data = two_calendars()
    alone = data.select("B")
    for name, args in (("bp:sma", (2,)), ("talib:sma", (2,)), ("bp:ema", (2,)), ("bp:atr", (2,))):
        together = data.run(name, *args, unpack=True)["B"]
        expected = alone.run(name, *args, unpack=True).reindex(DAYS)
        pd.testing.assert_series_equal(together, expected, check_freq=False)
    pd.testing.assert_series_equal(
        data.returns["B"], alone.close.pct_change().reindex(DAYS), check_freq=False
    )


def test_crossings_see_the_bars_of_their_own_symbol() -> None:
    up = ohlcv(6, Close=[1.0, 1.0, 5.0, 5.0, 5.0, 5.0])[["Close"]]
    data = bp.Data.from_frames({"A": up, "B": up.drop(DAYS[[2, 3]])})
    crossed = data.run("bp:sma", 1).sma_crossed_above(3.0)
    assert crossed["A"].tolist() == [False, False, True, False, False, False]
    assert crossed["B"].tolist() == [False, False, False, False, True, False]


def test_time_zones_must_agree_and_are_kept() -> None:
    paris, naive = ohlcv().tz_localize("Europe/Paris"), ohlcv()
    data = bp.Data.from_frames({"A": paris, "B": paris.iloc[1:]})
    assert str(data.index.tz) == "Europe/Paris"
    with pytest.raises(bp.DataError, match="share one time zone"):
        bp.Data.from_frames({"A": paris, "B": naive})


def test_symbols_must_have_the_same_prices() -> None:
    with pytest.raises(bp.DataError, match=r"all have a column 'high', or none.*\['B'\]"):
        bp.Data.from_frames({"A": ohlcv(), "B": ohlcv().drop(columns="High")})
    data = bp.Data.from_frames({"A": ohlcv(), "B": ohlcv().drop(columns="Volume")})
    assert data.volume["B"].isna().all()


# Cutting


def test_select() -> None:
    data = bp.Data.from_frames({s: ohlcv(seed=i) for i, s in enumerate("ABC")})
    assert isinstance(data.select("B").close, pd.Series)
    assert list(data.select(["B"]).close.columns) == ["B"]
    assert data.select(["C", "A"]).symbols == ["C", "A"]
    assert data.select("B") is data.select("B")
    assert data.select("B").select("B") is data.select("B")
    assert isinstance(data.select("B").select(["B"]).close, pd.DataFrame)
    with pytest.raises(bp.DataError, match=r"be one of 'A', 'B', 'C', got 'D'"):
        data.select("D")
    for wrong in ([], ["A", "A"]):
        with pytest.raises(bp.DataError, match="name each symbol once"):
            data.select(wrong)


def test_symbols_need_not_be_text() -> None:
    data = bp.Data.from_frames({1: ohlcv(), 2: ohlcv(seed=1)})
    assert isinstance(data.select(2).close, pd.Series)
    assert list(data.split_params()[1]) == [1, 2]


SAMPLE = bp.Data.sample()


@pytest.mark.parametrize(
    ("key", "as_loc"),
    [
        (slice("2005", "2009"), slice("2005", "2009")),
        (slice("2005-03", None), slice("2005-03", None)),
        (slice(None, pd.Timestamp("2001-01-05")), slice(None, "2001-01-05")),
        ("2007", "2007"),
        (
            slice(dt.date(2007, 5, 1), dt.date(2007, 6, 1)),
            slice("2007-05-01", "2007-06-01"),
        ),
        (slice(dt.datetime(2007, 5, 1), None), slice("2007-05-01", None)),
        (dt.date(2007, 5, 1), slice("2007-05-01", "2007-05-01")),
        ("2007-05", "2007-05"),
        (slice("1990", "1991"), slice("1990", "1991")),
    ],
)
def test_cutting_by_dates_is_that_of_pandas(key, as_loc) -> None:
    pd.testing.assert_frame_equal(SAMPLE[key].close, SAMPLE.close.loc[as_loc])


def test_slicing_by_position_mask_and_index() -> None:
    close = SAMPLE.close
    pd.testing.assert_frame_equal(SAMPLE[10:20].close, close.iloc[10:20])
    pd.testing.assert_frame_equal(SAMPLE[-5:].close, close.iloc[-5:])
    pd.testing.assert_frame_equal(SAMPLE[::7].close, close.iloc[::7])
    mask = close["IBM"] > 100
    pd.testing.assert_frame_equal(SAMPLE[mask].close, close[mask])
    pd.testing.assert_frame_equal(SAMPLE[mask.to_numpy()].volume, SAMPLE.volume[mask])
    pd.testing.assert_frame_equal(SAMPLE[close.index[5:9]].close, close.iloc[5:9])
    assert len(SAMPLE[close.index[5]]) == 1


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("AAPL", r"data\.select\('AAPL'\)"),
        ("not a date", "be given dates"),
        (5, "be given dates, a slice"),
        (slice("2005", "2009", -1), "step of a slice"),
        (slice("x", "y"), "be given dates"),
        (np.array([True, False]), "one value a bar"),
        (pd.Series([True]), "have the index"),
        (pd.DatetimeIndex(["1999-01-01"]), "labels of the data"),
    ],
)
def test_keys_that_mean_no_bars(key, text) -> None:
    with pytest.raises(bp.DataError, match=text):
        SAMPLE[key]


def test_data_is_no_sequence() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        iter(SAMPLE)


def test_an_empty_cut_can_be_worked_with() -> None:
    none = SAMPLE["1990":"1991"]
    assert len(none) == 0
    assert "0 bars" in repr(none)
    assert none.returns.shape == (0, 3)
    assert none.run("bp:sma", 5, unpack=True).shape == (0, 3)
    assert none.run("talib:sma", 5, unpack=True).shape == (0, 3)


# Resampling


def test_resampling_is_that_of_pandas() -> None:
    rules = {"Open": "first", "High": "max", "Low": "min", "Close": "last", "Volume": "sum"}
    frame = ohlcv(50).drop(pd.date_range("2024-01-10", "2024-01-20"))
    for rule in ("W", "ME", "3D", "W-FRI"):
        expected = frame.resample(rule).agg(rules).dropna()
        data = bp.Data.from_frames({"A": frame}).resample(rule)
        for name in rules:
            pd.testing.assert_series_equal(
                getattr(data, name.lower()),
                expected[name].rename("A").astype(float),
                check_freq=False,
            )
    left = bp.Data.from_frames({"A": frame}).resample("W", label="left")
    assert left.index[0] == pd.Timestamp("2023-12-31")


def test_resampling_several_calendars() -> None:
    data = two_calendars().resample("2D")
    assert data.close["B"].isna().tolist() == [False, True, False]
    assert data.select("B").volume.sum() == two_calendars().select("B").volume.sum()


def test_resampling_what_cannot_be() -> None:
    with pytest.raises(bp.ParamError, match="be a span of time"):
        SAMPLE.resample("fortnight")
    numbered = bp.Data.from_frames({"A": ohlcv().reset_index(drop=True)})
    assert numbered.index.equals(pd.RangeIndex(6))
    with pytest.raises(bp.DataError, match="bars with dates"):
        numbered.resample("W")


@pytest.mark.parametrize(
    "rule", ["0D", "-1D", None, 5, "x", pd.Timedelta(0), "9" * 20 + "D", "1ns"]
)
def test_spans_that_are_none(rule) -> None:
    with pytest.raises(
        bp.ParamError, match=r"rule must be (a span of time|at least as long as the bars)"
    ):
        SAMPLE.resample(rule)


# Travelling


def test_pickle_and_fingerprint() -> None:
    data = two_calendars()
    again = pickle.loads(pickle.dumps(data))
    assert again.fingerprint() == data.fingerprint()
    assert again.symbols == data.symbols
    pd.testing.assert_frame_equal(again.close, data.close)
    others = [
        data.select("A"),
        data.select(["A"]),
        data[1:],
        data.select(["B", "A"]),
        bp.Data.from_frames({"A": ohlcv(6), "B": ohlcv(6, seed=1)}),
    ]
    assert len({data.fingerprint(), *(other.fingerprint() for other in others)}) == 6
    whole = bp.Data.from_frames({"A": ohlcv()})
    seconds = bp.Data.from_frames({"A": ohlcv().set_axis(ohlcv().index.as_unit("s"))})
    assert whole.fingerprint() == seconds.fingerprint()
    paris = bp.Data.from_frames({"A": ohlcv().tz_localize("Europe/Paris")})
    assert whole.fingerprint() != paris.fingerprint()


def test_a_pickle_holds_prices_and_nothing_else() -> None:
    data = bp.Data.sample()
    before = len(pickle.dumps(data))
    data.run("bp:sma", [10, 20, 30])
    data.select("IBM").fingerprint()
    assert len(pickle.dumps(data)) == before


def test_splitting_by_symbol() -> None:
    items, labels = SAMPLE.split_params()
    assert labels.name == "symbol"
    assert list(labels) == SAMPLE.symbols
    assert [item.symbols for item in items] == [["AAPL"], ["IBM"], ["MSFT"]]
    assert all(isinstance(item.close, pd.Series) for item in items)


def test_repr_is_short() -> None:
    many = bp.Data.from_frames({f"S{i}": ohlcv() for i in range(50)})
    assert repr(many) == "Data([50 symbols from 'S0'], 6 bars, 2024-01-01 to 2024-01-06)"


# The shipped prices


def test_the_sample() -> None:
    assert SAMPLE.symbols == ["AAPL", "IBM", "MSFT"]
    assert len(SAMPLE) == 3270
    assert SAMPLE.close.notna().all(axis=None)
    assert SAMPLE.index[0] == pd.Timestamp("2000-03-01")
    assert SAMPLE.index[-1] == pd.Timestamp("2013-03-01")
    # Splits (AAPL 2-for-1 on 2005-02-28, MSFT on 2003-02-18) leave no jump.
    assert SAMPLE.returns.abs().max().max() < 0.6
    assert abs(SAMPLE.returns.loc["2005-02-28", "AAPL"]) < 0.1
    assert abs(SAMPLE.returns.loc["2003-02-18", "MSFT"]) < 0.1
    assert list(bp.Data.sample(["MSFT"]).close.columns) == ["MSFT"]
    with pytest.raises(bp.DataError, match=r"be one of 'AAPL', 'IBM', 'MSFT', got 'GOOG'"):
        bp.Data.sample("GOOG")


def test_an_altered_sample_is_noticed(monkeypatch) -> None:
    monkeypatch.setattr(sample_files, "SHA256", hashlib.sha256(b"other").hexdigest())
    bp.flush()
    with pytest.raises(bp.DataError, match="force-reinstall"):
        bp.Data.sample()
    monkeypatch.undo()
    bp.flush()
    assert len(bp.Data.sample()) == 3270


def test_the_sample_is_the_file_its_tool_makes(tmp_path) -> None:
    path = sample_files.resources.files("broadpeak._data") / "prices" / "stocks.csv.gz"
    packed = path.read_bytes()
    assert len(packed) < 400_000
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == sample_files.SHA256
    assert (path.parent / "PROVENANCE.md").read_text().count("ublic domain") >= 1
