# SPDX-License-Identifier: BSD-3-Clause
"""What is read from where: frames in memory, long tables, archives, and what is said of others."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

TEXT = "Date,Close\n2024-01-02,1.5\n2024-01-03,1.6\n"
START = 1_704_067_200  # 2024-01-01
DAYS = pd.date_range("2024-01-01", periods=3)


def read(text, **options):
    source = io.StringIO(text) if isinstance(text, str) else io.BytesIO(text)
    return bp.Data.from_csv(source, **{"symbol": "X", **options})


def bars(index=None, **columns):
    close = [1.5, 1.6, 1.7]
    return pd.DataFrame({"open": 1.0, "high": 2.0, "low": 0.5, "close": close, **columns}, index)


# Time in frames


@pytest.mark.parametrize("label", ["time", "open_time", "unix", "timestamp", "Date", "datetime"])
@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9])
def test_epochs_in_a_column_are_dates(label: str, per_second: int) -> None:
    frame = bars(**{label: [(START + 86_400 * k) * per_second for k in range(3)]})
    data = bp.Data.from_frames({"A": frame})
    assert data.index.equals(DAYS.tz_localize("UTC").as_unit(data.index.unit))


@pytest.mark.parametrize(
    ("index", "zone"),
    [
        (pd.Index([START + 86_400 * k for k in range(3)]), "UTC"),
        (pd.Index([(START + 86_400.0 * k) * 1000 for k in range(3)]), "UTC"),
        (pd.Index([20240101, 20240102, 20240103]), None),
        (pd.Index(["2024-01-01", "2024-01-02", "2024-01-03"]), None),
        (pd.Index(["01.01.2024", "02.01.2024", "03.01.2024"]), None),
        (pd.Index([dt.date(2024, 1, k) for k in (1, 2, 3)]), None),
        (pd.Index([pd.Timestamp(2024, 1, k) for k in (1, 2, 3)], dtype=object), None),
        (pd.period_range("2024-01-01", periods=3, freq="D"), None),
        (pd.Index([45292, 45293, 45294], name="Date"), None),
    ],
)
def test_dates_of_any_kind_in_an_index(index, zone) -> None:
    found = bp.Data.from_frames({"A": bars(index)}).index
    assert found.equals(DAYS.tz_localize(zone).as_unit(found.unit))


@pytest.mark.parametrize(
    "columns",
    [
        {"date": ["2024-01-01", "2024-01-02", "2024-01-03"]},
        {"date": pd.period_range("2024-01-01", periods=3, freq="D")},
        {"date": pd.Categorical(["2024-01-01", "2024-01-02", "2024-01-03"])},
        {"Sitzung": ["2024-01-01", "2024-01-02", "2024-01-03"]},
        {"time": pd.array([START, START + 86_400, START + 172_800], dtype="Int64")},
    ],
)
def test_dates_of_any_kind_in_a_column(columns) -> None:
    data = bp.Data.from_frames({"A": bars(**columns)})
    assert data.index.tz_localize(None).equals(DAYS.as_unit(data.index.unit))


def test_a_time_beside_a_date_in_a_frame() -> None:
    for times in (["09:30", "09:31", "16:00"], [930, 931, 1600], [dt.time(9, 30)] * 3):
        frame = bars(date=["2024-01-01", "2024-01-02", "2024-01-03"], time=times)
        assert bp.Data.from_frames({"A": frame}).index[0] == pd.Timestamp("2024-01-01 09:30")


def test_numbers_of_bars_stay_numbers() -> None:
    for index in (None, pd.RangeIndex(45_293, 45_296), pd.Index([5, 6, 9])):
        assert not isinstance(bp.Data.from_frames({"A": bars(index)}).index, pd.DatetimeIndex)
    with pytest.raises(bp.DataError, match=r"readable dates in column 'date', got '5 .row 1.'"):
        bp.Data.from_frames({"A": bars(pd.Index([5, 6, 9], name="date"))})


def test_symbols_without_dates_meet_only_if_their_bars_are_as_many() -> None:
    assert len(bp.Data.from_frames({"A": bars(), "B": bars()})) == 3
    with pytest.raises(bp.DataError, match="have dates to meet by, got '2 bars of B beside 3"):
        bp.Data.from_frames({"A": bars(), "B": bars().iloc[:2]})
    with pytest.raises(bp.DataError, match="all have dates, or none, got 'dates for B beside num"):
        bp.Data.from_frames({"A": bars(), "B": bars(DAYS)})


# Several symbols in one frame


def downloaded(*names):
    frames = {
        name: bars(DAYS[place:]) if place == 0 else bars(DAYS) for place, name in enumerate(names)
    }
    answer = pd.concat(frames, axis=1).swaplevel(axis=1)
    answer.columns.names = ["Price", "Ticker"]
    return answer


@pytest.mark.parametrize("swap", [False, True])
def test_what_yfinance_returns(swap: bool) -> None:
    one, two = downloaded("AAPL"), downloaded("AAPL", "MSFT")
    if swap:
        one, two = one.swaplevel(axis=1), two.swaplevel(axis=1)
    assert bp.Data.from_frames({"AAPL": one}).close.tolist() == [1.5, 1.6, 1.7]
    assert bp.Data.from_frames({"of any name": one}).symbols == ["of any name"]
    assert bp.Data.from_frames(two).symbols == ["AAPL", "MSFT"]
    assert bp.Data.from_frames(two.reset_index(names="Date")).symbols == ["AAPL", "MSFT"]
    assert bp.Data.from_frames({"MSFT": two}).symbols == ["MSFT"]
    with pytest.raises(bp.DataError, match=r"several symbols. Type: Data.from_frames\(frame\)"):
        bp.Data.from_frames({"X": two})


def test_rows_that_another_symbol_alone_has_are_no_bars() -> None:
    late = bars(DAYS + pd.Timedelta(days=1))
    answer = pd.concat({"A": bars(DAYS), "B": late}, axis=1)
    data = bp.Data.from_frames(answer)
    assert len(data.select("A")) == len(data.select("B")) == 3
    assert len(data) == 4


def test_what_yfinance_returns_in_parquet(tmp_path) -> None:
    pytest.importorskip("pyarrow")
    downloaded("AAPL", "MSFT").to_parquet(tmp_path / "two.parquet")
    assert bp.Data.from_parquet(tmp_path / "two.parquet").symbols == ["AAPL", "MSFT"]
    flat = downloaded("AAPL")
    flat.columns = [str(pair) for pair in flat.columns]
    flat.to_parquet(tmp_path / "flat.parquet")
    assert bp.Data.from_parquet(tmp_path / "flat.parquet").close.tolist() == [1.5, 1.6, 1.7]


@pytest.mark.parametrize("label", ["symbol", "Ticker", "Name"])
def test_long_tables(label: str, tmp_path) -> None:
    pytest.importorskip("pyarrow")
    parts = [bars(date=DAYS.strftime("%Y-%m-%d"), **{label: name}) for name in "BA"]
    table = pd.concat(parts, ignore_index=True)
    table.to_csv(tmp_path / "long.csv", index=False)
    table.to_parquet(tmp_path / "long.parquet")
    for data in (
        bp.Data.from_frames(table),
        bp.Data.from_frames(table.set_index([label, "date"])),
        bp.Data.from_csv(tmp_path / "long.csv"),
        bp.Data.from_parquet(tmp_path / "long.parquet"),
    ):
        assert data.symbols == ["B", "A"]
        assert data.close["A"].tolist() == [1.5, 1.6, 1.7]


def test_a_long_table_by_day_is_read_like_one_by_symbol() -> None:
    rows = [f"{day:02}/01/24,{name},{day}" for day in range(2, 6) for name in "AB"]
    data = read("Date,Symbol,Close\n" + "\n".join([*rows, "15/01/24,A,15"]), symbol=None)
    assert data.close["B"].tolist()[:4] == [2.0, 3.0, 4.0, 5.0]
    assert data.index[-1] == pd.Timestamp("2024-01-15")


def test_symbols_are_strings_as_written() -> None:
    text = "ticker,Date,Close\nNA,2024-01-02,1\nTRUE,2024-01-02,2\n005930,2024-01-02,3\n"
    assert read(text, symbol=None).symbols == ["NA", "TRUE", "005930"]


# What the caller says


@pytest.mark.parametrize("columns", [{"Wert": "close"}, {"close": "Wert"}])
def test_columns_of_other_names(columns) -> None:
    assert read("Date;Wert;Last\n2024-01-02;1,5;9\n", columns=columns).close.tolist() == [1.5]
    frame = bars(DAYS).rename(columns={"close": "Wert"})
    assert bp.Data.from_frames({"A": frame}, columns=columns).close.tolist() == [1.5, 1.6, 1.7]


def test_names_of_all_columns() -> None:
    text = "2024-01-02,1,2,3\n"
    assert read(text, columns=["date", "-", "close", "-"]).close.tolist() == [2.0]
    for wrong, message in (
        (["date", "close"], "name all 4 columns"),
        ("close", "be a dict"),
    ):
        with pytest.raises((bp.DataError, bp.ParamError), match=message):
            read(text, columns=wrong)
    with pytest.raises(bp.DataError, match="Did you mean 'Wert'"):
        read("Date;Wert;Close\n2024-01-02;1,5;2\n", columns={"Wertt": "close", "Close": "open"})
    with pytest.raises(bp.ParamError, match="say one of open, high"):
        read("Date;Wert\n2024-01-02;1,5\n", columns={"Wert": "clos"})


@pytest.mark.parametrize(
    ("options", "close"),
    [
        ({"decimal": "."}, 1234.0),
        ({"decimal": ","}, 1.234),
        ({"thousands": ","}, 1234.0),
        ({"decimal": ",", "thousands": "."}, 1.234),
    ],
)
def test_marks_that_are_reported(options, close) -> None:
    assert read('Date,Close\n2024-01-02,"1,234"\n', **options).close.tolist() == [close]


def test_a_dot_between_thousands_that_is_reported() -> None:
    assert read("Date;Close\n2024-01-02;1.234\n", decimal=",").close.tolist() == [1234.0]
    assert read("Date;Close\n2024-01-02;1.234\n").close.tolist() == [1.234]
    for options in ({"decimal": "x"}, {"thousands": "x"}, {"decimal": ".", "thousands": "."}):
        with pytest.raises(bp.ParamError, match=r"must (be|differ)"):
            read(TEXT, **options)


def test_the_order_of_day_and_month_that_is_reported() -> None:
    for text in (
        "Date,Close\n02/01/2024,1\n",
        "Date,Close\n02/01/24,1\n",
        "Date,Close\n02012024,1\n",
    ):
        assert read(text, dayfirst=True).index[0] == pd.Timestamp("2024-01-02")
        assert read(text, dayfirst=False).index[0] == pd.Timestamp("2024-02-01")
    assert read(TEXT, dayfirst=True).index[0] == pd.Timestamp("2024-01-02")
    with pytest.raises(bp.DataError, match="readable dates"):
        read("Date,Close\n13/01/2024,1\n", dayfirst=False)


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["02-01-24", "13-01-24"], ["2024-01-02", "2024-01-13"]),
        (["2.1.24", "13.1.24"], ["2024-01-02", "2024-01-13"]),
        (["1/2/24", "1/16/24"], ["2024-01-02", "2024-01-16"]),
        (["24/1/2", "24/1/13"], ["2024-01-02", "2024-01-13"]),
        (["24-01-02", "24-01-03"], ["2024-01-02", "2024-01-03"]),
        (["31/12/69", "02/01/70"], ["1969-12-31", "1970-01-02"]),
        (["31012024", "01022024"], ["2024-01-31", "2024-02-01"]),
        (["2401020930", "2401020931"], ["2024-01-02 09:30", "2024-01-02 09:31"]),
        (["2024010209", "2024010210"], ["2024-01-02 09:00", "2024-01-02 10:00"]),
        (["Tue Jan 2 2024", "Wed Jan 3 2024"], ["2024-01-02", "2024-01-03"]),
        (["2 janvier 2024", "5 mai 2024"], ["2024-01-02", "2024-05-05"]),
        (["01/2024", "02/2024"], ["2024-01-01", "2024-02-01"]),
        (["2024-02-29", "2024-03-01"], ["2024-02-29", "2024-03-01"]),
    ],
)
def test_one_format_for_a_column_of_dates(cells, right) -> None:
    text = "\n".join(["Date,Close", f"{cells[0]},1", f"{cells[1]},2", ""])
    assert read(text).index.tolist() == [pd.Timestamp(day) for day in right]


@pytest.mark.parametrize(
    "cells",
    [
        *(["2024-001", "2024-002"], ["0", "60"], ["60311", "60312"], ["739253", "739254"]),
        *(["133486272000000000", "133487136000000000"], ["63072000", "63158400"]),
        *(["0", "1704067200"], ["1704067200", "1704067200000"], ["20240102", "202401"]),
        *(["2023-02-29", "2023-03-01"], ["2024-01-02 25:00", "2024-01-02 26:00"]),
        *(["2024-01-02 13:30 pm", "2024-01-02 1:31 pm"], ["Q1 2024", "Q2 2024"], ["99991231", "1"]),
        *(["1/2/24", "1/3/2024"], ["2024-01-02", "2024-01-03Z"], ["01/32/2024", "01/01/2024"]),
        *(["2024-01-02 09:30 Mars/X", "2024-01-02 09:31 Mars/X"], ["1799-12-31", "1800-01-02"]),
    ],
)
def test_dates_that_are_none_are_refused(cells) -> None:
    with pytest.raises(bp.DataError, match=r"must (have|be)"):
        read("\n".join(["Date,Close", f"{cells[0]},1", f"{cells[1]},2", ""]))


def test_a_delimiter_that_is_reported() -> None:
    assert len(read(TEXT.replace(",", "~"), sep="~")) == 2
    with pytest.raises(bp.ParamError, match="be one character"):
        read(TEXT, sep=";;")


def test_decimal_commas_say_that_the_day_comes_first() -> None:
    text = "Date;Close\n02/01/2024;1,5\n"
    assert read(text).index[0] == pd.Timestamp("2024-01-02")
    with pytest.warns(UserWarning, match="in two ways and are taken as month first"):
        assert read(text.replace("1,5", "1.5")).index[0] == pd.Timestamp("2024-02-01")


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["999", '"1,002"'], [999.0, 1002.0]),
        (["185", '"186,500"'], [185.0, 186.5]),
        (["$1.5", "USD 1.6"], [1.5, 1.6]),
        (["1.5e2", "1.6E+02"], [150.0, 160.0]),
        (['"1 234,5"', '"987,5"'], [1234.5, 987.5]),
        (['"12,34,567.5"', '"1,234.5"'], [1234567.5, 1234.5]),
        (["98.5%", "99%"], [98.5, 99.0]),
        (["１２３", "124"], [123.0, 124.0]),
    ],
)
def test_numbers(cells, right) -> None:
    text = "\n".join(["Date,Close", f"2024-01-02,{cells[0]}", f"2024-01-03,{cells[1]}", ""])
    assert read(text).close.tolist() == right


@pytest.mark.parametrize(
    ("cell", "volume"),
    [
        ("1.2M", 1.2e6),
        ("(5)", -5),
        ("5-", -5),
        ("-", None),
        ("N/A", None),
        ("3K", 3e3),
        ("2B", 2e9),
    ],
)
def test_volumes(cell, volume) -> None:
    text = f"Date,Close,Vol.\n2024-01-02,1.5,{cell}\n"
    if volume is not None and volume < 0:
        with pytest.raises(bp.DataError, match=rf"volume of X .*at least 0, got {volume}"):
            read(text)
        return
    found = read(text).volume.iloc[0]
    assert np.isnan(found) if volume is None else found == volume


# Advice


def test_swapped_columns_are_said_to_be_swapped() -> None:
    frame = bars(DAYS).rename(columns={"open": "low", "high": "high", "low": "open"})
    with pytest.raises(
        bp.DataError, match=r"look swapped. Type: columns={'open': 'low', 'low'"
    ) as raised:
        bp.Data.from_frames({"A": frame})
    assert "min(axis=1)" not in str(raised.value)
    fixed = bp.Data.from_frames({"A": frame}, columns={"open": "low", "low": "open"})
    assert fixed.low.tolist() == [0.5, 0.5, 0.5]


def test_a_wrong_price_is_not_made_up_for() -> None:
    frame = bars(DAYS)
    frame.iloc[1, 1] = 1.55
    with pytest.raises(bp.DataError, match="Drop or correct these bars"):
        bp.Data.from_frames({"A": frame})


def test_open_and_close_exchanged_without_a_header_are_noticed() -> None:
    rng = np.random.default_rng(0)
    close = 100 + rng.normal(size=40).cumsum()
    opened = np.concatenate([[100.0], close[:-1]]) + 0.001
    high, low = np.maximum(opened, close) + 0.1, np.minimum(opened, close) - 0.1
    times = START + 60 * np.arange(40)
    right = np.column_stack([times, opened, high, low, close, np.ones(40)])
    text = pd.DataFrame(right).astype({0: "int64"}).to_csv(index=False, header=False)
    np.testing.assert_allclose(read(text).close, close)
    wrong = pd.DataFrame(right[:, [0, 4, 2, 3, 1, 5]]).astype({0: "int64"})
    with pytest.raises(bp.DataError, match="Name all columns"):
        read(wrong.to_csv(index=False, header=False))


def test_bars_that_any_order_fits_show_none() -> None:
    with pytest.raises(bp.DataError, match="Name all columns"):
        read(f"{START},2,2,2,2,1\n")


# Where it comes from


def packed(*names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return out.getvalue()


@pytest.mark.parametrize(
    "raw",
    [
        *(gzip.compress(TEXT.encode()), bz2.compress(TEXT.encode()), lzma.compress(TEXT.encode())),
        *(packed("a.csv"), packed("a.csv", "__MACOSX/._a.csv"), packed("a.csv", "read me.md")),
        *(
            TEXT.encode(code)
            for code in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252")
        ),
        *(TEXT.replace("\n", end).encode() for end in ("\r\n", "\r")),
    ],
    ids=str.split("gz bz2 xz zip mac readme utf-8 utf-16 utf-16-le utf-16-be cp1252 crlf cr"),
)
def test_packings_and_encodings(raw) -> None:
    assert read(raw).close.tolist() == [1.5, 1.6]


PACKS = {
    "gz": lambda raw: gzip.compress(raw, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda _: packed("a.csv"),
}


@pytest.mark.parametrize("kind", PACKS)
def test_broken_archives_are_data_errors(kind: str, tmp_path) -> None:
    raw = PACKS[kind](TEXT.encode())
    for place in range(2, len(raw)):
        for broken in (raw[:place], raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :]):
            try:
                data = read(broken)
            except bp.DataError:
                continue
            assert data.close.tolist() == [1.5, 1.6]  # a date of change or the like
    (tmp_path / "a.csv.gz").write_bytes(b"\0\0")
    with pytest.raises(bp.DataError, match="be packed as its name says"):
        bp.Data.from_csv(tmp_path / "a.csv.gz")


class Odd:
    def read(self):
        return 5


CLOSED = io.StringIO(TEXT)
CLOSED.close()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (TEXT, r"type: Data.from_csv\(io.StringIO\(text\)\)"),
        (TEXT.encode(), "be a path or an open file"),
        (None, "be a path or an open file"),
        (5, "be a path or an open file"),
        ("https://example.com/a.csv", "Download it first"),
        ("a\0b", "be a (path|file that exists)"),
        ("a" * 5000, "be a path"),
        ([], "name at least one file"),
        ({}, "name at least one file"),
        (CLOSED, "be a file that can be read"),
        (Odd(), "be an open file"),
        (io.BytesIO(packed()), "be a text file"),
        (io.BytesIO(packed("a.csv", "b.csv")), r"hold one file, got \['a.csv', 'b.csv'\]"),
        (io.BytesIO(packed("[Content_Types].xml")), "a spreadsheet"),
        (io.BytesIO(b"PAR1..."), "Data.from_parquet"),
        (io.BytesIO(b"\x89PNG\r\n\x1a\n\0\0"), "be a text file"),
        (io.BytesIO(b" \n"), "an empty file"),
        (io.StringIO("Date,Close\n2024-01-02,1\ud800\n"), "halves of characters"),
    ],
)
def test_what_is_no_file_of_prices(path, message) -> None:
    with pytest.raises(bp.DataError, match=message):
        bp.Data.from_csv(path)


@pytest.mark.parametrize("path", [None, 5, "https://example.com/a.parquet", "a\0b"])
def test_what_is_no_parquet_file(path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(bp.DataError, match="must be a"):
        bp.Data.from_parquet(path)


# Limits


def test_wide_tables_cost_what_they_hold() -> None:
    for width in (1_000, 49_000):
        names = ",".join(f"c{k}" for k in range(width))
        text = f"Date,Close,{names}\n2024-01-02,1.5{',1' * width}\n"
        assert read(text).close.tolist() == [1.5]
    text = f"Date,Close{',c' * 300_000}\n2024-01-02,1.5{',1' * 300_000}\n"
    with pytest.raises(bp.DataError, match="at most 50,000 columns"):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        f"Date,Close\n{'1' * 3_000_000},1\n",
        f"Date,Close\n2024-01-02,{'1' * 3_000_000}\n",
        f"{TEXT * 1}{'2024-01-04,1.5' + chr(10)}{'1' * 3_000_000},1\n",
    ],
)
def test_cells_of_megabytes_are_refused(text) -> None:
    with pytest.raises(bp.DataError, match="must"):
        read(text)


def test_a_long_cell_far_below_does_not_make_all_long() -> None:
    rows = [f"{day:%Y-%m-%d},1.5" for day in pd.date_range("2000-01-01", periods=5000)]
    with pytest.raises(bp.DataError, match=r"close of X at 2024-01-02 .* finite"):
        read("\n".join(["Date,Close", *rows, f"2024-01-02,{'1' * 100_000}"]))


def test_rows_of_another_length_are_named() -> None:
    for line in ("2024-01-03", "2024-01-03,1,2,3"):
        with pytest.raises(bp.DataError, match=r"3 cells in every row, got .*See line 3"):
            read(f"Date,Open,Close\n2024-01-02,1,2\n{line}\n2024-01-04,1,2\n")


@pytest.mark.parametrize(
    "note", ["Data provided by X, Inc.", '"Total: 2 rows"', "\n\nSource: X", ",,"]
)
def test_notes_below_the_table_are_left_out(note: str) -> None:
    assert len(read("Date,Open,Close\n2024-01-02,1,2\n2024-01-03,1,2\n" + note)) == 2


def test_a_last_row_without_prices_is_no_note() -> None:
    text = 'Date,Close\n"Jan 2, 2024",1\n"Jan 3, 2024",null\n'
    with pytest.raises(bp.DataError, match=r"close of X at 2024-01-03 .* finite"):
        read(text)
    assert len(read(text, missing="drop")) == 1
