# SPDX-License-Identifier: BSD-3-Clause
"""Several files of prices: patterns, which symbols they hold, parts of one series joined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

DATA = bp.Data.sample()["2005":"2006"]
DMY = "%d/%m/%Y"


def frame(symbol: str, bars: slice = slice(None), **columns: object) -> pd.DataFrame:
    own = DATA.select(symbol)[bars]
    names = ("open", "high", "low", "close", "volume")
    out = pd.DataFrame({name: getattr(own, name) for name in names}).rename_axis("Date")
    return out.assign(**columns)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One file a symbol, one file a year of two symbols, and the shell in it."""
    monkeypatch.chdir(tmp_path)
    for symbol in ("AAPL", "IBM", "MSFT"):
        frame(symbol).to_csv(f"{symbol}.csv")
    for year in ("2005", "2006"):
        both = [frame(symbol, slice(year, year), Paper=symbol) for symbol in ("AAPL", "IBM")]
        pd.concat(both).to_csv(f"year_{year}.csv", date_format=DMY)
    return tmp_path


def same(found: bp.Data, symbols: list[str]) -> bool:
    want = DATA.select(symbols)
    assert found.symbols == symbols
    return all(np.array_equal(found.array(name), want.array(name)) for name in ("open", "volume"))


@pytest.mark.usefixtures("folder")
def test_a_pattern_names_files_in_the_order_of_their_names() -> None:
    assert same(bp.Data.from_csv("[A-Z]*.csv"), ["AAPL", "IBM", "MSFT"])
    assert same(bp.Data.from_csv([Path("MSFT.csv"), "A*.csv"]), ["MSFT", "AAPL"])
    # One file that matches is one file.
    assert isinstance(bp.Data.from_csv("IB?.csv").close, pd.Series)


def test_a_name_with_brackets_is_a_file_first(folder: Path) -> None:
    frame("IBM").to_csv(folder / "IBM[1].csv")
    frame("MSFT").to_csv(folder / "IBM1.csv")
    assert bp.Data.from_csv("IBM[1].csv", symbol="X").close.equals(
        DATA.select("IBM").close.rename("X")
    )


@pytest.mark.usefixtures("folder")
def test_a_pattern_that_matches_nothing_is_a_missing_file() -> None:
    with pytest.raises(bp.errors.MissingDataError, match=r"must match files, got 'none\*\.csv'"):
        bp.Data.from_csv("none*.csv")


@pytest.mark.usefixtures("folder")
def test_symbols_that_the_files_know_are_taken() -> None:
    files = ["AAPL.csv", "IBM.csv", "MSFT.csv"]
    assert same(bp.Data.from_csv(files, symbol=["MSFT", "AAPL"]), ["MSFT", "AAPL"])
    assert bp.Data.from_csv(files, symbol="IBM").symbols == ["IBM"]


@pytest.mark.usefixtures("folder")
def test_other_names_are_those_of_the_files_in_order() -> None:
    found = bp.Data.from_csv(["AAPL.csv", "IBM.csv"], symbol=["one", "two"])
    assert found.symbols == ["one", "two"]
    assert np.array_equal(found.array("close"), DATA.select(["AAPL", "IBM"]).array("close"))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        (["X", "AAPL"], "'AAPL' is another file"),  # the prices of IBM would be called AAPL
        (["IBM", "GOOG"], "'IBM' is another file"),
        (["X", "Y", "Z"], "or one name for each of the files"),
        (["AAPL", "AAPL"], "name each symbol once"),
        ("X", "hold each bar once"),  # one series cannot have both closes
    ],
)
def test_names_that_fit_neither_way_are_refused(symbol: object, said: str) -> None:
    with pytest.raises(bp.DataError, match=said):
        bp.Data.from_csv(["AAPL.csv", "IBM.csv"], symbol=symbol)


@pytest.mark.usefixtures("folder")
def test_the_column_of_symbols_is_named_by_the_caller() -> None:
    with pytest.raises(bp.DataError, match="symbol_column='Paper'"):
        bp.Data.from_csv("year_2005.csv")
    one = bp.Data.from_csv("year_2005.csv", symbol_column="Paper")
    assert one.symbols == ["AAPL", "IBM"]
    assert len(one) == len(DATA["2005"])
    with pytest.raises(bp.DataError, match=r"symbol_column must be one of .* Did you mean 'Paper'"):
        bp.Data.from_csv("year_2005.csv", symbol_column="Papers")


def test_an_empty_column_of_symbols_is_refused(folder: Path) -> None:
    frame("IBM", Paper="").to_csv(folder / "blank.csv")
    with pytest.raises(bp.DataError, match="have a symbol in every row of column 'Paper'"):
        bp.Data.from_csv("blank.csv", symbol_column="Paper")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("files", ["year_*.csv", ["year_2006.csv", "year_2005.csv"]])
def test_files_of_other_times_are_joined(files: object) -> None:
    found = bp.Data.from_csv(files, symbol_column="Paper")
    assert same(found, ["AAPL", "IBM"])
    assert found.index.equals(DATA.index)
    assert same(bp.Data.from_csv(files, symbol_column="Paper", symbol=["IBM"]), ["IBM"])


def test_parts_without_a_column_of_symbols_are_joined_when_the_caller_says_so(folder: Path) -> None:
    frame("IBM", slice("2006", "2006")).iloc[::-1].to_csv(folder / "b.csv")  # newest first
    frame("IBM", slice("2005", "2005")).iloc[::-1].to_csv(folder / "c.csv")
    assert same(bp.Data.from_csv(["b.csv", "c.csv"], symbol="IBM"), ["IBM"])
    assert same(bp.Data.from_csv({"IBM": ["b.csv", "c.csv"]}), ["IBM"])
    assert same(bp.Data.from_csv({"IBM": "[bc].csv"}), ["IBM"])


def test_two_files_of_one_name_are_not_joined_by_themselves(folder: Path) -> None:
    for year in ("2005", "2006"):
        (folder / year).mkdir()
        frame("IBM", slice(year, year)).to_csv(folder / year / "IBM.csv")
    with pytest.raises(bp.DataError, match="parts of one series, symbol='IBM'"):
        bp.Data.from_csv("200?/IBM.csv")
    assert same(bp.Data.from_csv("200?/IBM.csv", symbol="IBM"), ["IBM"])


def test_a_bar_in_two_files_is_refused(folder: Path) -> None:
    frame("IBM", slice("2005-01", "2005-06"), Symbol="IBM").to_csv(folder / "p1.csv")
    frame("IBM", slice("2005-06", "2005-12"), Symbol="IBM").to_csv(folder / "p2.csv")
    with pytest.raises(bp.DataError, match=r"got '2005-06-01 00:00:00 in p1\.csv and in p2\.csv'"):
        bp.Data.from_csv(["p1.csv", "p2.csv"])


def test_files_of_which_no_two_share_a_bar_are_parts_most_likely(folder: Path) -> None:
    frame("IBM", slice("2005-01", "2005-06")).to_csv(folder / "p1.csv")
    frame("IBM", slice("2005-07", "2005-12")).to_csv(folder / "p2.csv")
    with pytest.warns(UserWarning, match=r"symbols \(p1, p2\) have a bar in common.*symbol='SPX'"):
        assert bp.Data.from_csv("p?.csv").symbols == ["p1", "p2"]
    # Not where the caller has named them, and not where any two meet.
    assert bp.Data.from_csv("p?.csv", symbol="IBM").symbols == ["IBM"]
    assert bp.Data.from_csv("p?.csv", symbol=["A", "B"]).symbols == ["A", "B"]
    frame("IBM", slice("2005-12", "2006-06")).to_csv(folder / "p3.csv")
    assert len(bp.Data.from_csv("p?.csv").symbols) == 3


@pytest.mark.filterwarnings("ignore:No two of the 2 symbols:UserWarning")
def test_dates_of_parts_are_decided_by_all_of_them(folder: Path) -> None:
    """A file of the first of February alone is read as one of the second of January."""
    for name, day in (("d1", "2005-02-01"), ("d2", "2005-02-16")):
        frame("IBM", slice(day, day)).to_csv(folder / f"{name}.csv", date_format=DMY)
    with pytest.raises(bp.DataError, match=r"2005-01-02 in d1\.csv, which beside .* 2005-02-01"):
        bp.Data.from_csv("d?.csv", symbol="IBM")
    # Two files that say nothing of each other are told of one by one.
    with pytest.warns(UserWarning, match=r"d1\.csv, 01/02/2005 .* can be read in two ways"):
        bp.Data.from_csv(["d1.csv", "IBM.csv"])
    # Parts that leave it open together are told of together, once.
    frame("IBM", slice("2005-03-01", "2005-03-01")).to_csv(folder / "d2.csv", date_format=DMY)
    with pytest.warns(UserWarning, match="The dates .* of the files of IBM") as told:
        bp.Data.from_csv("d?.csv", symbol="IBM")
    assert len(told) == 1
    frame("IBM", slice("2005-02-16", "2005-02-16")).to_csv(folder / "d2.csv", date_format=DMY)
    found = bp.Data.from_csv("d?.csv", symbol="IBM", dayfirst=True)
    assert [str(day.date()) for day in found.index] == ["2005-02-01", "2005-02-16"]


def test_parts_with_and_without_a_zone_are_refused(folder: Path) -> None:
    frame("IBM", slice("2005", "2005")).tz_localize("UTC").to_csv(folder / "z1.csv")
    frame("IBM", slice("2006", "2006")).to_csv(folder / "z2.csv")
    with pytest.raises(bp.DataError, match="have a time zone, or none"):
        bp.Data.from_csv("z?.csv", symbol="IBM")
    assert len(bp.Data.from_csv("z?.csv", symbol="IBM", tz="UTC")) == len(DATA)


@pytest.mark.usefixtures("folder")
def test_parquet_takes_the_same() -> None:
    pytest.importorskip("pyarrow")
    for year in ("2005", "2006"):
        both = [frame(symbol, slice(year, year), Paper=symbol) for symbol in ("AAPL", "IBM")]
        pd.concat(both).to_parquet(f"year_{year}.parquet")
    found = bp.Data.from_parquet("year_*.parquet", symbol_column="Paper")
    assert same(found, ["AAPL", "IBM"])
