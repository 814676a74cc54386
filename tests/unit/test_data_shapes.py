# SPDX-License-Identifier: BSD-3-Clause
"""Tables of other shapes and languages: what tells bars apart, sums below them, code pages."""

import io

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

DAYS = pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04"])
MINUTES = pd.to_datetime(["2024-01-02 09:30", "2024-01-02 09:31", "2024-01-02 16:00"])
SECONDS = DAYS.as_unit("s").asi8


def read(text, **options):
    source = io.BytesIO(text) if isinstance(text, bytes) else io.StringIO(text)
    return bp.Data.from_csv(source, **options)


def bars(index=None, first=10.0, **columns):
    close = first + np.arange(3)
    prices = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    return pd.DataFrame({**columns, **prices}, index=index)


@pytest.mark.parametrize(
    ("label", "last"),
    [
        ("k", False),  # behind the prices it may be anything
        ("kline_time", False),
        ("kline_time", True),
        ("timestamp_ms", True),
        ("open_timestamp", True),
    ],
)
def test_epochs_under_names_nobody_knows_are_no_numbers_of_bars(label: str, last: bool) -> None:
    frame = bars(**{label: SECONDS * 1000})
    if last:
        frame[label] = frame.pop(label)
    assert bp.Data.from_frames({"A": frame}).index.tz_localize(None).tolist() == list(DAYS)


def test_a_bar_is_labelled_by_its_start() -> None:
    frame = bars(close_timestamp=SECONDS + 86_399, open_timestamp=SECONDS)
    assert bp.Data.from_frames({"A": frame}).index.tz_localize(None).tolist() == list(DAYS)


def test_counts_are_still_no_dates() -> None:
    frame = bars(trade=[12_345_678, 12_345_679, 12_345_680])
    assert bp.Data.from_frames({"A": frame}).index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("label", ["Ora", "Tijd", "Время", "時刻", "minute", "whatever"])
def test_times_in_other_languages(label: str) -> None:
    rows = [f"2024-01-02;{time};1,5" for time in ("09:30", "09:31", "16:00")]
    text = "\n".join([f"Date;{label};Close", *rows])
    assert read(text, symbol="A").index.tolist() == list(MINUTES)


def test_a_clock_that_tells_no_bars_apart_is_not_joined() -> None:
    text = "Date,Last trade at,Close\n2024-01-02,16:00:01,1.5\n2024-01-03,16:00:02,1.6\n"
    assert read(text, symbol="A").index.tolist() == list(DAYS[:2])


def test_times_that_went_through_floats() -> None:
    rows = [f"20240102,{time},1.5" for time in ("930.0", "931.0", "1600.0")]
    assert read("\n".join(["Date,Time,Close", *rows]), symbol="A").index.tolist() == list(MINUTES)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize(
    "times",
    [
        [930, 931, 1600],
        pd.to_timedelta(["09:30:00", "09:31:00", "16:00:00"]),
        [time.time() for time in MINUTES],
    ],
    ids=["HHMM", "timedelta", "time"],
)
def test_times_beside_dates_in_memory(index: bool, times) -> None:
    frame = bars(time=times)
    days = [DAYS[0]] * 3
    if index:
        frame.index = pd.DatetimeIndex(days)
    else:
        frame.insert(0, "date", days)
    assert bp.Data.from_frames({"A": frame}).index.tolist() == list(MINUTES)


HEADERS = {
    "nl": ("Datum;Laatste;Open;Hoog;Laag", "utf-8"),
    "sv": ("Datum;Senaste;Öppen;Högsta;Lägsta", "cp1252"),
    "no": ("Dato;Siste;Åpning;Høy;Lav", "cp1252"),
    "tr": ("Tarih;Şimdi;Açılış;Yüksek;Düşük", "utf-8"),
    "ru": ("Дата;Цена;Откр.;Макс.;Мин.", "cp1251"),
    "pl": ("Data;Zamknięcie;Otwarcie;Najwyższy;Najniższy", "cp1250"),
    "zh": ("日期;收盘;开盘;最高;最低", "gbk"),
    "ja": ("日付;終値;始値;高値;安値", "shift_jis"),
    "ko": ("일자;종가;시가;고가;저가", "cp949"),
}


@pytest.mark.parametrize("language", HEADERS)
def test_headers_and_code_pages(language: str) -> None:
    header, encoding = HEADERS[language]
    text = f"{header}\n2024-01-02;1.5;1.4;1.7;1.25\n2024-01-03;1.6;1.4;1.7;1.25\n"
    data = read(text.encode(encoding), symbol="A")
    assert data.close.tolist() == [1.5, 1.6]
    assert (data.open.iloc[0], data.high.iloc[0], data.low.iloc[0]) == (1.4, 1.7, 1.25)


@pytest.mark.parametrize(
    "written",
    ["2024年1月{}日", "2024年01月0{}日", "2024년 01월 0{}일", "{} janv. 2024", "{} januari 2024"],
)
def test_dates_in_other_languages(written: str) -> None:
    text = f"Date,Close\n{written.format(2)},1.5\n{written.format(3)},1.6\n"
    assert read(text, symbol="A").index.tolist() == list(DAYS[:2])


@pytest.mark.parametrize("row", ["Average,1,2,3,4,5", "Total,,,,,300", ",,,,,300", "Mean,1,2,3,4,"])
def test_sums_below_the_table_are_no_bars(row: str) -> None:
    text = f"Date,Open,High,Low,Close,Volume\n2024-01-02,2,3,1,2,100\n2024-01-03,2,3,1,2,200\n{row}"
    assert read(text, symbol="A").index.tolist() == list(DAYS[:2])


@pytest.mark.parametrize("row", [",2,3,1,2,100", "n/a,2,3,1,2,100"])
def test_a_last_bar_without_date_is_refused(row: str) -> None:
    text = f"Date,Open,High,Low,Close,Volume\n2024-01-02,2,3,1,2,100\n2024-01-03,2,3,1,2,200\n{row}"
    with pytest.raises(bp.DataError, match="row 3"):
        read(text, symbol="A")


def test_rows_of_dividends_and_splits_are_no_bars() -> None:
    text = (
        "Date,Open,High,Low,Close*,Adj Close**,Volume\n"
        '"Jan 03, 2024",2,3,1,2.5,2.4,"1,000"\n'
        '"Jan 03, 2024",0.24 Dividend,,,,,\n'
        '"Jan 02, 2024",4:1 Stock Splits,,,,,\n'
        '"Jan 02, 2024",2,3,1,2,1.9,"1,000"\n'
    )
    assert read(text, symbol="A").close.tolist() == [2.0, 2.5]


def test_blanks_in_quotes_divide_no_columns() -> None:
    text = '"Date ","Open ","High ","Low ","Close ","Shares Traded "\n' + "".join(
        f'"0{day}-JAN-2024","2","3","1","2.5","100"\n' for day in (2, 3)
    )
    assert read(text, symbol="A").close.tolist() == [2.5, 2.5]


def test_bare_rows_of_ccxt() -> None:
    rows = [[int(SECONDS[k]) * 1000, c, c + 1, c - 1, c, 5.0] for k, c in enumerate((10.0, 11, 12))]
    for frame in (pd.DataFrame(rows), pd.DataFrame(np.array(rows))):
        data = bp.Data.from_frames({"A": frame})
        assert data.index.tz_localize(None).tolist() == list(DAYS)
        assert data.close.tolist() == [10.0, 11.0, 12.0]
        assert data.volume.tolist() == [5.0] * 3


def test_symbols_and_dates_in_an_index_without_names() -> None:
    frame = pd.concat({"A": bars(DAYS), "B": bars(DAYS, 20.0)})
    for each in (frame, frame.swaplevel()):
        assert bp.Data.from_frames(each).close["B"].tolist() == [20.0, 21.0, 22.0]


def test_two_rows_of_header_that_were_flattened() -> None:
    frame = pd.concat({"A": bars(DAYS), "B": bars(DAYS, 20.0)}, axis=1).swaplevel(axis=1)
    for labels in ([f"{a}_{b}" for a, b in frame], [str(pair) for pair in frame]):
        flat = frame.set_axis(pd.Index(labels), axis=1)
        assert bp.Data.from_frames(flat).close["B"].tolist() == [20.0, 21.0, 22.0]


def test_a_symbol_whose_download_failed_is_reported() -> None:
    frame = pd.concat({"A": bars(DAYS), "B": bars(DAYS) * np.nan}, axis=1)
    with pytest.raises(bp.DataError, match=r"B in the frame must have prices"):
        bp.Data.from_frames(frame)


def test_decimal_commas_in_memory_are_no_advice_to_lose_prices() -> None:
    frame = bars(DAYS).assign(close=["10,25", "11,25", "12,25"])
    assert bp.Data.from_frames({"A": frame}).close.tolist() == [10.25, 11.25, 12.25]
    frame = pd.DataFrame({"close": ["73,100", "73,900", "73,500"]}, index=DAYS)
    with pytest.raises(bp.DataError, match=r"str\.replace") as caught:
        bp.Data.from_frames({"A": frame})
    assert "decimal=" not in str(caught.value)  # from_frames has no such argument
    frame["close"] = frame["close"].str.replace(",", "").astype(float)
    assert bp.Data.from_frames({"A": frame}).close.iloc[0] == 73_100.0


def test_bars_that_differ_are_not_said_to_be_one() -> None:
    frame = pd.concat([bars(DAYS), bars(DAYS, 20.0)])
    with pytest.raises(bp.DataError, match="These bars differ"):
        bp.Data.from_frames({"A": frame})
    named = frame.assign(which=["A"] * 3 + ["B"] * 3)
    with pytest.raises(bp.DataError, match=r"columns=\{'which': 'symbol'\}"):
        bp.Data.from_frames({"A": named})
    assert bp.Data.from_frames(named, columns={"which": "symbol"}).symbols == ["A", "B"]
    same = pd.concat([bars(DAYS), bars(DAYS)])
    with pytest.raises(bp.DataError, match=r"frame\[~frame\.index\.duplicated"):
        bp.Data.from_frames({"A": same})


def test_epochs_that_parquet_keeps_as_an_index(tmp_path) -> None:
    path = tmp_path / "A.parquet"
    bars(pd.Index(SECONDS)).to_parquet(path)
    assert bp.Data.from_parquet(path).index.tz_localize(None).tolist() == list(DAYS)


def test_closes_side_by_side_are_refused_with_what_to_type() -> None:
    frame = pd.DataFrame({"A": [1.0, 2, 3], "B": [2.0, 3, 4]}, index=DAYS)
    with pytest.raises(bp.DataError, match=r"frame\[name\] for name in frame"):
        bp.Data.from_frames(frame)
    assert bp.Data.from_frames({name: frame[name] for name in frame}).symbols == ["A", "B"]


@pytest.mark.parametrize("label", ["Ticker", "Code", "Aktie"])
@pytest.mark.parametrize("number", ["7203", "0050", "1990"])
def test_symbols_of_letters_below_those_of_digits_are_no_sums(label: str, number: str) -> None:
    rows = [f"{name},2024-01-0{day},{day}.5" for name in (number, "TSM") for day in (2, 3)]
    columns = {"Aktie": "symbol"} if label == "Aktie" else None
    data = read("\n".join([f"{label},Date,Close", *rows]), columns=columns)
    assert data.symbols == [number, "TSM"]


def test_a_timestamp_that_is_a_time_of_day() -> None:
    rows = [f"20240102,{time:%H:%M:%S},1.5" for time in MINUTES]
    data = read("\n".join(["Date,Timestamp,Close", *rows]), symbol="A")
    assert data.index.tolist() == list(MINUTES)


@pytest.mark.parametrize(
    "text",
    [
        "Date Open High Low Close\n1 2024-01-02 2 3 1 2\n2 2024-01-03 2 3 1 2.5\n",
        '"","X.Open","X.High","X.Low","X.Close"\n"2024-01-02",2,3,1,2\n"2024-01-03",2,3,1,2.5\n',
    ],
    ids=["write.table", "write.zoo"],
)
def test_what_r_writes(text: str) -> None:
    assert read(text).close.tolist() == [2.0, 2.5]
    assert read(text).index.tolist() == list(DAYS[:2])


def test_volumes_in_ten_thousands() -> None:
    text = "日期,收盘,成交量\n2024-01-02,10.5,1.5万\n2024-01-03,11.5,2.5亿\n"
    assert read(text, symbol="A").volume.tolist() == [15_000.0, 250_000_000.0]
