# SPDX-License-Identifier: BSD-3-Clause
"""`--data` and the options beside it: every way to read a file has one, and means the same."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer

import broadpeak as bp
from broadpeak._cli.app import main, spread
from broadpeak._cli.price_files import (
    PriceSource,
    columns_of,
    price_settings,
    some_price_settings,
)
from broadpeak._cli.usage import in_options

STRATEGY = """
import broadpeak as bp

@bp.strategy(lookback=60)
def momentum(s):
    for _ in s.loop():
        days = s.optimize(20, 10, 40, 10, name="days")
        s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
        s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))

def last(data, power):
    close = data.close.iloc[-1]
    return float(close if close.ndim == 0 else close.sum()) ** power
"""
COMMANDS = ("train", "test", "walk-forward", "signals", "report", "sweep")


def frame(symbol: str, bars: str | slice = "2006") -> pd.DataFrame:
    own = bp.Data.sample(symbol)[bars if isinstance(bars, slice) else slice(bars, bars)]
    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame({name: getattr(own, name) for name in names}).rename_axis("Date")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.py").write_text(STRATEGY, encoding="utf-8")
    for symbol in ("AAPL", "IBM", "MSFT"):
        frame(symbol).to_csv(f"{symbol}.csv")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """Return what the program prints: results, or where it fails the message in one line."""
    with pytest.raises(SystemExit) as end:
        main(words)
    shown = capsys.readouterr()
    assert int(end.value.code or 0) == status, shown.err
    return " ".join(shown.err.replace("│", " ").split()) if status else shown.out


def components(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    return list(json.loads(run(capsys, "test", "plan.py", *words, "--json"))["components"])


def test_every_argument_of_from_csv_has_an_option() -> None:
    arguments = set(inspect.signature(bp.Data.from_csv).parameters) - {"path", "cls"}
    assert set(inspect.signature(price_settings).parameters) - {"data"} == arguments


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_them(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, command, "--help")
    for name in inspect.signature(price_settings).parameters:
        assert f"--{name.replace('_', '-')}" in text


TAGGED = "Tag;Wert;Rest\n02/01/2024;1.234,5;7\n03/01/2024;1.240,5;8\n04/01/2024;;\n"
OPTIONS = [
    {"date_column": "Tag", "columns": ["Wert=close"], "missing": "drop"},
    {"columns": ["date,close,-"], "dayfirst": True, "missing": "drop"},
    {"columns": ["Wert=close,Tag=date"], "date_format": "%d/%m/%Y", "missing": "drop"},
    {"columns": ["Wert=close"], "dayfirst": False, "missing": "drop", "tz": "Europe/Berlin"},
    {"columns": ["Wert=close"], "missing": "drop", "decimal": ",", "thousands": ".", "sep": ";"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_options_mean_what_the_arguments_mean(options: dict[str, Any], folder: Path) -> None:
    (folder / "werte.csv").write_text(TAGGED, encoding="utf-8")
    passed = {**options, "columns": columns_of(options["columns"])}
    want = bp.Data.from_csv("werte.csv", **passed)
    found = price_settings(["werte.csv"], **options).read()
    assert found.fingerprint() == want.fingerprint()
    assert len(found) == 2


def test_adjusting_and_calendars(folder: Path) -> None:
    prices = frame("IBM")
    prices.iloc[:100, :4] *= 2  # a split
    prices["Adj Close"] = frame("IBM")["close"]
    prices.to_csv("split.csv")
    frame("MSFT").iloc[10:].to_csv("MSFT.csv")
    smooth = price_settings(["split.csv"], adjust=True).read()
    assert smooth.close.to_numpy() == pytest.approx(frame("IBM")["close"].to_numpy())
    found = price_settings(["IBM.csv", "MSFT.csv"], calendar="intersection").read()
    assert len(found) == len(frame("MSFT")) - 10
    tabbed = frame("IBM").to_csv(sep="\t")
    (folder / "tabs.csv").write_text(tabbed, encoding="utf-8")
    for mark in ("tab", "\\t", "\t"):
        assert len(price_settings(["tabs.csv"], sep=mark).read()) == len(frame("IBM"))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ([], None),
        (["date,open,-,close"], ["date", "open", "-", "close"]),
        (["Schluss=close"], {"Schluss": "close"}),
        (["Schluss=close,Datum=date"], {"Schluss": "close", "Datum": "date"}),
        (["Schluss=close", "Datum=date"], {"Schluss": "close", "Datum": "date"}),
        (["Kurs, EUR=close"], {"Kurs, EUR": "close"}),
        (["a=b=close"], {"a=b": "close"}),
    ],
)
def test_what_columns_hold(typed: list[str], meant: object) -> None:
    assert columns_of(typed) == meant


@pytest.mark.parametrize("typed", [["=close"], ["Schluss="], ["date,close", "X=open"]])
def test_what_says_nothing_of_columns_is_bad_usage(typed: list[str]) -> None:
    with pytest.raises(typer.BadParameter, match="NAME=FIELD"):
        columns_of(typed)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("train --data a.csv b.csv s.py", "train --data a.csv --data b.csv s.py"),
        ("train s.py --data a b c --seed 1", "train s.py --data a --data b --data c --seed 1"),
        ("train --data a.csv s.py:plan x", "train --data a.csv s.py:plan x"),
        ("train --data=a.csv s.py", "train --data=a.csv s.py"),
        ("test --symbol A B --data x", "test --symbol A --symbol B --data x"),
        ("train --data a --data b c", "train --data a --data b --data c"),
        ("train C:\\s.py --data C:\\a.csv b", "train C:\\s.py --data C:\\a.csv --data b"),
        ("store runs.db --run 1", "store runs.db --run 1"),
    ],
)
def test_several_words_after_an_option(line: str, meant: str) -> None:
    assert spread(line.split(" ")) == meant.split(" ")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "symbols"),
    [
        (("--data", "AAPL.csv", "IBM.csv", "MSFT.csv"), ["AAPL", "IBM", "MSFT"]),
        (("--data", "[A-Z]*.csv"), ["AAPL", "IBM", "MSFT"]),
        (("--data", "A*.csv", "--data", "M*.csv"), ["AAPL", "MSFT"]),
        (("--data", "*.csv", "--symbol", "MSFT", "AAPL"), ["MSFT", "AAPL"]),
        (("--data", "*.csv", "--symbol", "IBM"), ["IBM"]),
        (("--data", "AAPL.csv", "IBM.csv", "--symbol", "one", "two"), ["one", "two"]),
        (("--data", "sample", "--symbol", "IBM", "AAPL"), ["IBM", "AAPL"]),
    ],
)
def test_several_files_and_patterns(
    words: tuple[str, ...], symbols: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert components(capsys, *words) == symbols


def test_files_of_several_symbols(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for year in ("2006", "2007"):
        parts = [frame(symbol, year).assign(Paper=symbol) for symbol in ("AAPL", "IBM")]
        pd.concat(parts).to_csv(f"all_{year}.csv")
    words = ("--data", "all_*.csv", "--symbol-column", "Paper")
    found = json.loads(run(capsys, "test", "plan.py", *words, "--json", "--sizing", "unit"))
    assert list(found["components"]) == ["AAPL", "IBM"]
    data = bp.Data.sample(["AAPL", "IBM"])["2006":"2007"]
    assert found["stats"]["bars"] == len(data) - 60
    assert components(capsys, *words, "--symbol", "IBM") == ["IBM"]
    assert "--symbol-column Paper" in run(capsys, "test", "plan.py", *words[:2], status=1)


def test_text_and_parquet_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    frame("MSFT").assign(vix=1.5).to_parquet("late.parquet")
    words = ("--data", "late.parquet", "IBM.csv")
    assert components(capsys, *words) == ["IBM", "late"]
    assert components(capsys, *words, "--symbol", "late", "IBM") == ["late", "IBM"]
    source = PriceSource(("late.parquet", "IBM.csv"), (), {})
    assert source.read().select("late").close.equals(frame("MSFT")["close"].rename("late"))
    assert "Did you mean 'late'" in run(
        capsys, "test", "plan.py", *words, "--symbol", "lat", status=2
    )
    (folder / "late.csv").write_bytes((folder / "IBM.csv").read_bytes())
    twice = ("--data", "late.parquet", "late.csv")
    assert "got late twice" in run(capsys, "test", "plan.py", *twice, status=2)
    sep = ("--data", "late.parquet", "--sep", ";")
    assert "--sep" in run(capsys, "test", "plan.py", *sep, status=2)


@pytest.mark.usefixtures("folder")
def test_a_sweep_reads_the_same_files(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("sweep", "plan.py:last", "--param", "power=1,2", "--json")
    found = json.loads(run(capsys, *words, "--data", "AAPL.csv", "IBM.csv"))
    want = frame("AAPL")["close"].iloc[-1] + frame("IBM")["close"].iloc[-1]
    assert found["scores"][0]["score"] == pytest.approx(want)
    assert "needs --data" in run(capsys, *words, "--tz", "UTC", status=2)
    assert some_price_settings(None, missing="raise", calendar="union", adjust=False) is None


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("X.csv",), 2, "there is no file 'X.csv'"),
        (("x*.csv",), 2, "there is no file that matches 'x*.csv'"),
        (("IBM.csv", "--missing", "dropp"), 2, "Did you mean 'drop'?"),
        (("IBM.csv", "--calendar", "both"), 2, "intersection, union"),
        (("IBM.csv", "--tz", "Mars"), 2, "Invalid value for --tz: must be the name of a time zone"),
        (("IBM.csv", "--date-column", "Datum"), 2, "Invalid value for --date-column"),
        (("IBM.csv", "--symbol-column", "Dat"), 2, "Did you mean 'Date'?"),
        (("IBM.csv", "--columns", "Closs=close"), 2, "Did you mean 'close'?"),
        (("IBM.csv", "--columns", "close=prize"), 2, "Invalid value for --columns"),
        (("IBM.csv", "--decimal", "x"), 2, "Invalid value for --decimal"),
        (("IBM.csv", "--date-format", "%Y"), 1, "must have readable dates"),
        (("IBM.csv", "--adjust"), 1, "--adjust"),
        (("IBM.csv", "MSFT.csv", "--symbol", "X", "IBM"), 2, "--symbol with one name for each"),
        (("sample", "--tz", "UTC"), 2, "Invalid value for --tz: is for files"),
    ],
)
def test_a_wrong_option_is_named_as_it_was_typed(
    words: tuple[str, ...], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in run(capsys, "test", "plan.py", "--data", *words, status=status)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Pass its name: date_column='…'.", "Pass its name: --date-column '…'."),
        ("dayfirst=True, or dayfirst=False", "--dayfirst, or --monthfirst"),
        ("Pass decimal= and thousands= if", "Pass --decimal and --thousands if"),
        ("Pass missing='drop' to leave", "Pass --missing drop to leave"),
        ("pass adjust=True.", "pass --adjust."),
        ("Type: columns={'Wert': 'close'}", "Type: --columns 'Wert=close'"),
        ("Type: columns=['date', 'close']", "Type: --columns 'date,close'"),
        ("Type: Data.from_parquet(path)", "Type: --data with a name that ends in .parquet"),
        ("Pass its files: Data.from_csv('old/*.csv')", "Pass its files: --data 'old/*.csv'"),
        ('Pass sizing="money", in walk_forward', "Pass --sizing money, in walk_forward"),
        ("or pass check=False.", "or pass --no-check."),
        ("a higher min_trades", "a higher min_trades"),
        ("no option here", "no option here"),
    ],
)
def test_messages_name_options(message: str, shown: str) -> None:
    assert in_options(message) == shown


@pytest.mark.usefixtures("folder")
def test_what_a_file_leaves_open_is_told_in_options(capsys: pytest.CaptureFixture[str]) -> None:
    prices = frame("IBM")
    prices.iloc[:100, :4] *= 4  # as traded before a split, the adjusted close beside it
    prices.assign(**{"Adj Close": frame("IBM")["close"]}).to_csv("split.csv")
    words = ("test", "plan.py", "--data", "split.csv", "--json")
    found = json.loads(run(capsys, *words))
    assert [text for text in found["warnings"] if "--adjust" in text]
    assert not [text for text in found["warnings"] if "adjust=True" in text]
    assert "--adjust" not in " ".join(json.loads(run(capsys, *words, "--adjust"))["warnings"])
