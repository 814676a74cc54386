# SPDX-License-Identifier: BSD-3-Clause
"""A trader's day: a vendor's file, a new strategy, a training, a walk-forward, a page, an order.

Once from the shell and once from Python; both must say the same, and what is due in the evening
must be what a test does the next day.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._cli.app import main

TRAINED_TO = "2008-12-31"
FEES = ("--cost", "fees=0.0005")
MONEY = ("--sizing", "equity", "--capital", "25000", "--whole")
COSTS = bp.Costs(fees=0.0005)
SIZE: dict[str, Any] = {"sizing": "equity", "capital": 25_000.0, "whole": True}
# Few trades on few years: what these days warn of is true and not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def write_vendor_file(last: str) -> None:
    """Write prices as a vendor does: one split back, so that only the adjusted close is smooth."""
    rows = []
    for symbol in ("AAPL", "MSFT"):
        bars = bp.Data.sample(symbol)["2003":last]
        frame = pd.DataFrame(
            {name: getattr(bars, name) for name in ("open", "high", "low", "close")}
        )
        adjusted = frame["close"].copy()
        frame.loc[:"2005-06-30"] *= 4  # before the split
        frame["Adj Close"], frame["volume"], frame["Security Name"] = adjusted, bars.volume, symbol
        rows.append(frame.rename_axis("Trade Day"))
    pd.concat(rows).to_csv("vendor.csv", date_format="%d.%m.%Y", float_format="%.10f")


class Shell:
    """The program, with the prices of the file."""

    prices = ("--data", "vendor.csv", "--symbol-column", "Security Name", "--adjust")

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def run(self, command: str, *words: str) -> str:
        with pytest.raises(SystemExit) as end:
            main([command, *words])
        shown = self.capsys.readouterr()
        assert not end.value.code, shown.err
        return shown.out

    def json(self, command: str, *words: str) -> dict[str, Any]:
        text = self.run(command, "idea.py", *self.prices, *words, "--json")
        return dict(json.loads(text))


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


def read() -> bp.Data:
    return bp.Data.from_csv("vendor.csv", symbol_column="Security Name", adjust=True)


def idea_of(folder: Path) -> Any:
    """The strategy in the file, as a script beside it gets it."""
    spec = importlib.util.spec_from_file_location("idea_in_python", folder / "idea.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.idea


def plain(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON writes them."""
    cells = json.loads(rows.to_json(orient="records", date_format="iso"))
    return [dict(row) for row in cells]


def test_a_traders_day(shell: Shell, tmp_path: Path) -> None:
    last, following = evening_with_an_order(shell)
    write_vendor_file(last)
    trained = shell.json("train", "--end", TRAINED_TO, *FEES, "--out", "run", "--no-verdict")
    walked = shell.json(
        "walk-forward", "--cycles", "4", *FEES, *MONEY, "--out", "walk", "--no-verdict"
    )
    tested = shell.json(
        "test", "--params", "run/idea.par", "--start", "2009", *MONEY, "--out", "out"
    )
    shell.run(
        "report", "idea.py", *shell.prices, "--params", "run/idea.par", "--start", "2009", *MONEY,
        "--out", "page.html",
    )  # fmt: skip
    evening = shell.json("signals", "--params", "run/idea.par", *MONEY)
    for page in ("run/report.html", "walk/report.html", "page.html"):
        text = (tmp_path / page).read_text(encoding="utf-8")
        assert text.startswith("<!doctype html>") or "<html" in text[:500]

    # The same from Python, with the same file of prices and the same file of the strategy.
    idea, data = idea_of(tmp_path), read()
    training = bp.train(idea, data, end=TRAINED_TO, costs=COSTS)
    assert {key: one["params"] for key, one in trained["components"].items()} == training.params
    assert bp.read_par("run/idea.par").params == training.params
    walk = bp.walk_forward(idea, data, cycles=4, costs=COSTS, **SIZE)
    assert walked["stats"]["end_value"] == walk.portfolio.value.iloc[-1]
    assert walked["hold"]["end_value"] == walk.held.value.iloc[-1]
    assert bp.test(idea, data, "walk").value.equals(walk.portfolio.value)
    portfolio = bp.test(idea, data, "run/idea.par", start="2009", **SIZE)
    assert tested["stats"]["end_value"] == portfolio.value.iloc[-1]
    assert len(pd.read_csv("out/trades.csv")) == tested["stats"]["num_trades"]
    # Nobody said again what trading costs.
    assert portfolio.facts["costs_from"] == "file"
    free = bp.test(idea, data, "run/idea.par", start="2009", costs=bp.Costs(), **SIZE)
    assert free.value.iloc[-1] > portfolio.value.iloc[-1]
    assert tested["stats"]["sample"] == "out of sample"
    due = bp.signals(idea, data, "run/idea.par", **SIZE)
    for said, row in zip(evening["signals"], plain(due), strict=True):
        assert said["component"] == row["component"]
        assert said["next_order"] == row["next_order"]
        assert said["position"] == pytest.approx(row["position"])
    assert [one["next_order"] for one in evening["orders"]] == ["enter_long"]

    # The next evening the file has one more bar. What was due has happened at its open.
    write_vendor_file(following)
    assert shell.json("signals", "--params", "run/idea.par", *MONEY, "--end", last) == evening
    next_evening = shell.json("signals", "--params", "run/idea.par", *MONEY)
    order = evening["orders"][0]
    held = next(one for one in next_evening["signals"] if one["component"] == order["component"])
    data = read()
    bar = data.select(order["asset"])
    assert held["since"].startswith(following)
    assert held["entry_price"] == bar.open.iloc[-1]
    assert held["stop"] == pytest.approx(held["entry_price"] - order["order_stop"])
    assert held["position"] == int(held["position"])  # whole shares
    trades = bp.test(idea, data, "run/idea.par", **SIZE).components[order["component"]].trades
    assert trades["entry_time"].iloc[-1] == pd.Timestamp(following)
    assert trades["size"].iloc[-1] == held["position"]


def evening_with_an_order(shell: Shell) -> tuple[str, str]:
    """Write the strategy, and return a day on whose evening one purchase is due, and the next."""
    assert "idea.py holds the strategy idea" in shell.run("new", "idea.py")
    write_vendor_file("2013-03-01")
    idea, data = idea_of(Path.cwd()), read()
    training = bp.train(idea, data, end=TRAINED_TO, costs=COSTS)
    trades = bp.test(idea, data, training, start="2009", **SIZE).trades
    bought = trades[trades["exit_time"] > trades["entry_time"]]["entry_time"].sort_values()
    for day in reversed(bought.to_list()):
        before = data.index[data.index.get_loc(day) - 1]
        due = bp.signals(idea, data, training, end=before, **SIZE)["next_order"]
        if due.notna().sum() == 1 and (due == "enter_long").any():
            return str(before.date()), str(day.date())
    raise AssertionError("no evening has one order")


def test_the_new_file_runs_as_a_script(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run("new", "idea.py")
    bars = bp.Data.sample("IBM")["2005":"2009"]
    columns = ("open", "high", "low", "close")
    pd.DataFrame({name: getattr(bars, name) for name in columns}).to_csv("IBM.csv")
    code = compile(Path("idea.py").read_text(encoding="utf-8"), "idea.py", "exec")
    monkeypatch.setattr("sys.argv", ["idea.py"])
    with pytest.raises(SystemExit, match=r"Type: python idea.py PRICES.csv"):
        exec(code, {"__name__": "__main__"})
    monkeypatch.setattr("sys.argv", ["idea.py", "IBM.csv"])
    exec(code, {"__name__": "__main__"})
    assert "num_trades" in capsys.readouterr().out
    assert bp.read_par("idea.par").provenance.costs == {"IBM": {"fees": 0.0005}}
