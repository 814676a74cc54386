# SPDX-License-Identifier: BSD-3-Clause
"""Files as vendors write them, and feeds answered from recordings."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import types
import zipfile

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2024-01-02,187.149994,188.440002,183.889999,185.639999,184.938217,82488700
2024-01-03,184.220001,185.880005,183.429993,184.250000,183.553467,58414500
2024-01-04,182.149994,183.089996,180.880005,181.910004,181.222305,71983600
"""
STOOQ = """Date,Open,High,Low,Close,Volume
2024-01-02,187.15,188.44,183.885,185.64,82488674
2024-01-03,184.22,185.88,183.43,184.25,58414460
2024-01-04,182.15,183.0872,180.88,181.91,71983570
"""
STOOQ_BULK = """<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>
AAPL.US,60,20240102,160000,187.15,188.44,183.885,185.64,82488674,0
AAPL.US,60,20240102,170000,184.22,185.88,183.43,184.25,58414460,0
AAPL.US,60,20240103,093000,182.15,183.0872,180.88,181.91,71983570,0
"""
BINANCE = """\
1704067200000,42283.58,42554.57,42261.02,42475.23,1271.68,1704070799999,5.4e7,471,682.5,2.9e7,0
1704070800000,42475.23,42775.00,42431.65,42613.56,1196.37,1704074399999,5.1e7,441,629.6,2.7e7,0
1704074400000,42613.57,42638.41,42500.00,42581.10,685.21,1704077999999,2.9e7,294,312.1,1.3e7,0
"""
BINANCE_HEAD = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
MT4 = """2024.01.02,00:00,1.10427,1.10450,1.10400,1.10440,812
2024.01.02,01:00,1.10440,1.10460,1.10410,1.10420,640
2024.01.02,02:00,1.10420,1.10430,1.10390,1.10400,512
"""
MT5 = """<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>
2024.01.02\t00:00:00\t1.10427\t1.10450\t1.10400\t1.10440\t812\t0\t10
2024.01.02\t01:00:00\t1.10440\t1.10460\t1.10410\t1.10420\t640\t0\t10
2024.01.02\t02:00:00\t1.10420\t1.10430\t1.10390\t1.10400\t512\t0\t10
"""
MT5_DAILY = """<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>
2024.01.02\t1.10427\t1.10450\t1.10400\t1.10440\t812\t7\t10
2024.01.03\t1.10440\t1.10460\t1.10410\t1.10420\t640\t8\t10
2024.01.04\t1.10420\t1.10430\t1.10390\t1.10400\t512\t9\t10
"""
NASDAQ = """Date,Close/Last,Volume,Open,High,Low
01/04/2024,$181.91,"71,983,570",$182.15,$183.0872,$180.88
01/03/2024,$184.25,"58,414,460",$184.22,$185.88,$183.43
01/02/2024,$185.64,"82,488,670",$187.15,$188.44,$183.885
"""
EUROPEAN = """Datum;Date;Open;High;Low;Close;Volume
x;02.01.2024;187,15;188,44;183,885;185,64;82488674
x;03.01.2024;184,22;185,88;183,43;184,25;58414460
x;13.02.2024;182,15;183,0872;180,88;181,91;71983570
"""
DUKASCOPY = """Gmt time,Open,High,Low,Close,Volume
02.01.2024 00:00:00.000,1.10427,1.10450,1.10400,1.10440,812.5
02.01.2024 01:00:00.000,1.10440,1.10460,1.10410,1.10420,640.1
13.02.2024 02:00:00.000,1.10420,1.10430,1.10390,1.10400,512.7
"""
CRYPTO_DOWNLOAD = """https://www.CryptoDataDownload.com
Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT
1704074400000,2024-01-01 02:00:00,BTCUSDT,42613.57,42638.41,42500.00,42581.10,685.21,2.9e7
1704070800000,2024-01-01 01:00:00,BTCUSDT,42475.23,42775.00,42431.65,42613.56,1196.37,5.1e7
1704067200000,2024-01-01 00:00:00,BTCUSDT,42283.58,42554.57,42261.02,42475.23,1271.68,5.4e7
"""
INVESTING = """"Date","Price","Open","High","Low","Vol.","Change %"
"02/13/2024","181.91","182.15","183.09","180.88","71.98M","-1.27%"
"01/03/2024","184.25","184.22","185.88","183.43","58.41M","-0.75%"
"01/02/2024","185.64","187.15","188.44","183.89","1.08B","-3.58%"
"""
PANDAS = """,open,high,low,close
2024-01-02 09:30:00-05:00,187.15,188.44,183.885,185.64
2024-01-02 09:31:00-05:00,184.22,185.88,183.43,184.25
2024-01-02 09:32:00-05:00,182.15,183.0872,180.88,181.91
"""
SUMMER_TIME = """Datetime,Open,High,Low,Close
2024-03-08 09:30:00-05:00,187.15,188.44,183.885,185.64
2024-03-11 09:30:00-04:00,184.22,185.88,183.43,184.25
2024-03-12 09:30:00-04:00,182.15,183.0872,180.88,181.91
"""


def read(tmp_path, text, name="AAPL.csv", **options):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return bp.Data.from_csv(path, **options)


@pytest.mark.parametrize(
    ("text", "first", "last", "close", "volume"),
    [
        (YAHOO, "2024-01-02", "2024-01-04", 181.910004, 71983600),
        (STOOQ, "2024-01-02", "2024-01-04", 181.91, 71983570),
        (STOOQ_BULK, "2024-01-02 16:00", "2024-01-03 09:30", 181.91, 71983570),
        (BINANCE, "2024-01-01 00:00+00:00", "2024-01-01 02:00+00:00", 42581.10, 685.21),
        (
            BINANCE_HEAD + BINANCE,
            "2024-01-01 00:00+00:00",
            "2024-01-01 02:00+00:00",
            42581.10,
            685.21,
        ),
        (MT4, "2024-01-02 00:00", "2024-01-02 02:00", 1.104, 512),
        (MT5, "2024-01-02 00:00", "2024-01-02 02:00", 1.104, 512),
        (MT5_DAILY, "2024-01-02", "2024-01-04", 1.104, 9),
        (NASDAQ, "2024-01-02", "2024-01-04", 181.91, 71983570),
        (EUROPEAN, "2024-01-02", "2024-02-13", 181.91, 71983570),
        (DUKASCOPY, "2024-01-02 00:00", "2024-02-13 02:00", 1.104, 512.7),
        (CRYPTO_DOWNLOAD, "2024-01-01 00:00", "2024-01-01 02:00", 42581.10, 685.21),
        (INVESTING, "2024-01-02", "2024-02-13", 181.91, 71_980_000),
        (PANDAS, "2024-01-02 09:30-05:00", "2024-01-02 09:32-05:00", 181.91, None),
        (SUMMER_TIME, "2024-03-08 14:30+00:00", "2024-03-12 13:30+00:00", 181.91, None),
    ],
    ids=[
        *("yahoo", "stooq", "stooq bulk", "binance", "binance with header", "mt4", "mt5"),
        *("mt5 daily", "nasdaq", "european", "dukascopy", "cryptodatadownload", "investing"),
        *("pandas", "summer time"),
    ],
)
def test_vendors(tmp_path, text, first, last, close, volume) -> None:
    data = read(tmp_path, text)
    assert len(data) == 3
    assert data.index[0] == pd.Timestamp(first)
    assert data.index[-1] == pd.Timestamp(last)
    assert data.close.iloc[-1] == pytest.approx(close, rel=1e-15)
    assert (data.high >= data.low).all()
    if volume is not None:
        assert data.volume.iloc[-1] == volume


def test_symbols_come_from_the_file_or_its_name(tmp_path) -> None:
    assert read(tmp_path, YAHOO).symbols == ["AAPL"]
    assert read(tmp_path, YAHOO, symbol="X").symbols == ["X"]
    assert read(tmp_path, STOOQ_BULK).symbols == ["AAPL.US"]
    assert read(tmp_path, STOOQ_BULK, symbol="X").symbols == ["X"]


def test_a_tidy_file_holds_several_symbols(tmp_path) -> None:
    rows = pd.read_csv(io.StringIO(STOOQ))
    tidy = pd.concat([rows.assign(Symbol="B"), rows.iloc[1:].assign(Symbol="A")])
    path = tmp_path / "many.csv"
    tidy.to_csv(path, index=False)
    data = bp.Data.from_csv(path)
    assert data.symbols == ["B", "A"]
    assert data.close["A"].isna().tolist() == [True, False, False]
    assert isinstance(bp.Data.from_csv(path, symbol="A").close, pd.Series)
    assert bp.Data.from_csv(path, symbol=["A", "B"]).symbols == ["A", "B"]
    with pytest.raises(bp.DataError, match=r"be one of 'B', 'A', got 'C'"):
        bp.Data.from_csv(path, symbol="C")


def test_several_files(tmp_path) -> None:
    for name in ("A.csv", "B.csv"):
        (tmp_path / name).write_text(STOOQ)
    paths = [tmp_path / "A.csv", str(tmp_path / "B.csv")]
    assert bp.Data.from_csv(paths).symbols == ["A", "B"]
    assert bp.Data.from_csv({"X": paths[0], "Y": paths[1]}).symbols == ["X", "Y"]
    with pytest.raises(bp.DataError, match="A twice"):
        bp.Data.from_csv([paths[0], paths[0]])


def test_packed_files_and_open_ones(tmp_path) -> None:
    raw = STOOQ.encode()
    (tmp_path / "A.csv.gz").write_bytes(gzip.compress(raw))
    (tmp_path / "A.csv.bz2").write_bytes(bz2.compress(raw))
    (tmp_path / "A.csv.xz").write_bytes(lzma.compress(raw))
    with zipfile.ZipFile(tmp_path / "A.zip", "w") as archive:
        archive.writestr("inside.csv", STOOQ)
    for name in ("A.csv.gz", "A.csv.bz2", "A.csv.xz", "A.zip"):
        assert bp.Data.from_csv(tmp_path / name).symbols == ["A"]
    assert len(bp.Data.from_csv(io.StringIO(STOOQ))) == 3
    assert len(bp.Data.from_csv(io.BytesIO(raw), symbol="A")) == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(tmp_path, encoding: str) -> None:
    path = tmp_path / "EURUSD.csv"
    path.write_text(MT5, encoding=encoding)
    assert bp.Data.from_csv(path).symbols == ["EURUSD"]


def test_time_zones(tmp_path) -> None:
    new_york = read(tmp_path, SUMMER_TIME, tz="America/New_York")
    assert [t.hour for t in new_york.index] == [9, 9, 9]
    assert str(new_york.index.tz) == "America/New_York"
    berlin = read(tmp_path, STOOQ, tz="Europe/Berlin")
    assert berlin.index[0] == pd.Timestamp("2024-01-02", tz="Europe/Berlin")
    assert read(tmp_path, STOOQ).index.tz is None


@pytest.mark.parametrize(
    ("power", "n"), [(1, 1_704_067_200), (10**3, 1_704_067_200_000), (10**6, 0)]
)
def test_epoch_numbers(tmp_path, power, n) -> None:
    start = n or 1_704_067_200 * 10**6
    rows = "".join(f"{start + i * 60 * power},1,2,0.5,{1 + i / 4}\n" for i in range(3))
    data = read(tmp_path, "timestamp,open,high,low,close\n" + rows)
    assert data.index[1] == pd.Timestamp("2024-01-01 00:01", tz="UTC")


def test_dates_that_are_reported(tmp_path) -> None:
    text = STOOQ.replace("Date", "Tag").replace("2024-01-0", "2024/0")
    text = text.replace("2024/02", "02/01/2024").replace("2024/03", "03/01/2024")
    text = text.replace("2024/04", "04/01/2024")
    data = read(tmp_path, text, date_column="Tag", date_format="%d/%m/%Y")
    assert data.index[-1] == pd.Timestamp("2024-01-04")
    with pytest.raises(bp.DataError, match="have a column of dates"):
        read(tmp_path, text)
    with pytest.raises(bp.DataError, match="Did you mean 'Tag'"):
        read(tmp_path, text, date_column="Tagg")
    with pytest.raises(bp.DataError, match="readable dates in column 'Tag'"):
        read(tmp_path, text, date_column="Tag", date_format="%Y")


def test_adjusting_and_missing_rows(tmp_path) -> None:
    adjusted = read(tmp_path, YAHOO, adjust=True)
    assert adjusted.close.iloc[0] == 184.938217
    hole = YAHOO.replace(
        "184.220001,185.880005,183.429993,184.250000,183.553467,58414500",
        "null,null,null,null,null,null",
    )
    with pytest.raises(bp.DataError, match=r"(close|open) of AAPL"):
        read(tmp_path, hole)
    assert len(read(tmp_path, hole, missing="drop")) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "be a table"),
        ("hello\nworld\n", "be a table"),
        ("x,y,z\n1,2,3\n", "header with a column 'close'"),
        ("Date,Open,Close\n2024-01-01,1,x\n", "must hold numbers"),
        (
            "Date,Close\n2024-01-01,1\n2024-01-03,2\n2024-01-02,3\n",
            "must be sorted.*Sort the rows of the file",
        ),
        ("Date,Close\n2024-01-01,1\n2024-01-01,2\n", "every bar once.*distinguish them"),
        ("Date,Close\n", "at least one bar"),
        ("Date,Close\nyesterday,1\n", "readable dates"),
        ('Date,Close\n"2024-01-01,1\n', "be a table"),
    ],
)
def test_files_that_are_no_prices(tmp_path, text, message) -> None:
    with pytest.raises(bp.DataError, match=message):
        read(tmp_path, text)


def test_a_misspelt_label_of_a_file_without_any_known_one_is_reported(tmp_path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Date,Wert\n2024-01-02,5\n2024-01-03,6\n")
    with pytest.raises(bp.DataError, match=r"None of \['Wrt', 'close'\] is among them"):
        bp.Data.from_csv(path, columns={"Wrt": "close"})
    assert bp.Data.from_csv(path, columns={"Wert": "close"}).close.tolist() == [5, 6]


@pytest.mark.parametrize("error", [FileNotFoundError, bp.DataError])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_that_is_not_there(error, kind) -> None:
    with pytest.raises(error, match="path must be a file that exists, got 'nowhere"):
        getattr(bp.Data, f"from_{kind}")(f"nowhere.{kind}")


def test_a_folder_is_no_file(tmp_path) -> None:
    with pytest.raises(bp.DataError, match="not a folder"):
        bp.Data.from_csv(tmp_path)


YFINANCE = """Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume
Ticker,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT
Date,,,,,,,,,,
2024-01-02,184.9,370,187.7,372,183.1,369,186.4,371,82488700,5
2024-01-03,183.5,,185.1,,182.7,,183.5,,58414500,
"""


def test_fields_above_symbols(tmp_path) -> None:
    data = read(tmp_path, YFINANCE)
    assert data.symbols == ["AAPL", "MSFT"]
    assert data.close["AAPL"].tolist() == [184.9, 183.5]
    assert data.select("MSFT").open.tolist() == [371.0]
    assert read(tmp_path, YFINANCE, symbol=["MSFT"]).symbols == ["MSFT"]


@pytest.mark.parametrize(
    "heads",
    [
        "Ticker,A,A,A,A,A\nPrice,Open,High,Low,Close,Volume\nDate,,,,,\n",
        ",Open,High,Low,Close,Volume\n,A,A,A,A,A\nDatetime,,,,,\n",
    ],
)
def test_fields_and_symbols_in_either_order(tmp_path, heads) -> None:
    data = read(tmp_path, heads + "2024-01-02 14:30:00+00:00,1,3,0.5,2,9\n")
    assert data.symbols == ["A"]
    assert str(data.index.tz) == "UTC"
    assert (data.open.iloc[0], data.high.iloc[0], data.volume.iloc[0]) == (1.0, 3.0, 9.0)


@pytest.mark.parametrize("heads", ["Date,Close\n", "Price,Close\nTicker,A\nDate,\n"])
def test_a_text_among_prices_is_named(tmp_path, heads) -> None:
    with pytest.raises(bp.DataError, match=r"2024-01-03.*must hold numbers, got 'oops'"):
        read(tmp_path, heads + "2024-01-02,1\n2024-01-03,oops\n")


def test_a_date_that_is_none_is_an_error_without_warnings(tmp_path) -> None:
    with pytest.raises(bp.DataError, match="readable dates in column 'Date'"):
        read(tmp_path, "Date,Close\n2024-13-01,1\n2024-01-02,1\n")


def test_csv_round_trip_is_exact(tmp_path) -> None:
    sample = bp.Data.sample("IBM")
    frame = pd.DataFrame(
        {name: getattr(sample, name) for name in ("open", "high", "low", "close", "volume")}
    )
    frame.to_csv(tmp_path / "IBM.csv")
    again = bp.Data.from_csv(tmp_path / "IBM.csv")
    np.testing.assert_allclose(again.close, sample.close, rtol=1e-15)
    assert again.index.equals(sample.index)


def test_parquet(tmp_path) -> None:
    pytest.importorskip("pyarrow")
    sample = bp.Data.sample("IBM")
    frame = pd.DataFrame(
        {name: getattr(sample, name) for name in ("open", "high", "low", "close", "volume")}
    )
    for name, table in (("indexed", frame), ("plain", frame.reset_index())):
        table.to_parquet(tmp_path / f"{name}.parquet")
        data = bp.Data.from_parquet(tmp_path / f"{name}.parquet", symbol="IBM")
        assert data.fingerprint() == sample.fingerprint()
    both = pd.concat({"B": frame, "A": frame.iloc[5:]}, names=["symbol", "Date"])
    both.to_parquet(tmp_path / "both.parquet")
    assert bp.Data.from_parquet(tmp_path / "both.parquet").symbols == ["B", "A"]
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(bp.DataError, match="be a Parquet file"):
        bp.Data.from_parquet(tmp_path / "text.parquet")
    zoned = frame.tz_localize("Asia/Tokyo")
    zoned.to_parquet(tmp_path / "zoned.parquet")
    assert str(bp.Data.from_parquet(tmp_path / "zoned.parquet").index.tz) == "Asia/Tokyo"


# Feeds


class FakeYahoo(types.ModuleType):
    def __init__(self, answer):
        super().__init__("yfinance")
        self.answer = answer
        self.asked = None

    def download(self, tickers, **options):
        self.asked = (tickers, options)
        return self.answer


def yahoo_answer():
    one = pd.read_csv(io.StringIO(YAHOO), parse_dates=["Date"], index_col="Date")
    two = one.drop(one.index[1]) * 2
    return pd.concat({"AAPL": one, "MSFT": two}, axis=1, names=["Ticker", "Price"])


def test_yfinance(monkeypatch) -> None:
    fake = FakeYahoo(yahoo_answer())
    monkeypatch.setitem(sys.modules, "yfinance", fake)
    data = bp.Data.from_yfinance(["AAPL", "MSFT"], start="2024-01-01", adjust=False)
    assert fake.asked[0] == ["AAPL", "MSFT"]
    assert fake.asked[1]["start"] == "2024-01-01"
    assert fake.asked[1]["auto_adjust"] is False
    assert data.close["MSFT"].isna().tolist() == [False, True, False]
    adjusted = bp.Data.from_yfinance("AAPL")
    assert isinstance(adjusted.close, pd.Series)
    assert adjusted.close.iloc[0] == 184.938217
    assert list(bp.Data.from_yfinance(["AAPL"]).close.columns) == ["AAPL"]
    with pytest.raises(bp.DataError, match="known to Yahoo Finance"):
        bp.Data.from_yfinance("NOPE")
    fake.answer = yahoo_answer()["AAPL"]
    assert len(bp.Data.from_yfinance("AAPL")) == 3
    fake.answer = None
    with pytest.raises(bp.DataError, match="known to Yahoo Finance"):
        bp.Data.from_yfinance("AAPL")


class FakeExchange:
    """Hands out hours from a recording, at most `limit` a page, as exchanges do."""

    def __init__(self, config=None, n=25):
        self.config = config
        rng = np.random.default_rng(1)
        close = 100 + rng.normal(size=n).cumsum()
        self.rows = [
            [1_704_067_200_000 + i * 3_600_000, c, c + 1, c - 1, c, 5.0]
            for i, c in enumerate(close)
        ]

    def fetch_ohlcv(self, symbol, timeframe, since=None, limit=None):
        rows = [row for row in self.rows if since is None or row[0] >= since]
        return rows[-limit:] if since is None else rows[:limit]


def test_ccxt(monkeypatch) -> None:
    ccxt = types.ModuleType("ccxt")
    ccxt.exchanges = ["binance"]
    ccxt.binance = FakeExchange
    monkeypatch.setitem(sys.modules, "ccxt", ccxt)
    newest = bp.Data.from_ccxt("BTC/USDT", timeframe="1h", limit=10)
    assert len(newest) == 10
    assert str(newest.index.tz) == "UTC"
    paged = bp.Data.from_ccxt("BTC/USDT", start="2024-01-01 03:00", end="2024-01-01 20:00", limit=4)
    assert paged.index[0] == pd.Timestamp("2024-01-01 03:00", tz="UTC")
    assert paged.index[-1] == pd.Timestamp("2024-01-01 20:00", tz="UTC")
    assert len(paged) == 18
    everything = bp.Data.from_ccxt(["BTC/USDT"], start="2023-12-31", limit=7)
    assert everything.close.shape == (25, 1)
    own = bp.Data.from_ccxt("BTC/USDT", exchange=FakeExchange(n=5))
    assert len(own) == 5
    with pytest.raises(bp.ParamError, match="one that ccxt knows"):
        bp.Data.from_ccxt("BTC/USDT", exchange="nowhere")
    with pytest.raises(bp.DataError, match="have bars in this span"):
        bp.Data.from_ccxt("BTC/USDT", start="2030-01-01")
    with pytest.raises(bp.ParamError, match="name at least one symbol"):
        bp.Data.from_ccxt([])


@pytest.mark.parametrize("package", ["yfinance", "ccxt"])
def test_feeds_that_are_not_installed(monkeypatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(bp.MissingExtraError, match=rf'pip install "broadpeak\[{package}\]"'):
        getattr(bp.Data, f"from_{package}")("X")


def test_parquet_without_its_package(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(bp.MissingExtraError, match=r"broadpeak\[parquet\]"):
        bp.Data.from_parquet("x.parquet")
