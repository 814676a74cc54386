# SPDX-License-Identifier: BSD-3-Clause
"""Strategy files: `new` writes one, and an error in one is shown with its file and line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._cli import inputs
from broadpeak._cli.app import main
from broadpeak._cli.users_code import is_users, place_of

# The lines are counted from 1.
PLANS = """\
import broadpeak as bp
import helper

@bp.strategy(lookback=60)
def stops(s):
    raise ZeroDivisionError("nothing to divide")

@bp.strategy(lookback=60)
def typo(s):
    s.enter_long(s.clse > 0)

@bp.strategy(lookback=60)
def late(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    if days == 30:
        raise ValueError("thirty")
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))

@bp.strategy(lookback=60)
def ours(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    s.enter_long(s.close > bp.sma(s.close, days - 50))

@bp.strategy(lookback=60)
def deep(s):
    s.enter_long(helper.signal(s.close))

@bp.strategy(lookback=60)
def lots(s):
    s.lots = 3
    s.enter_long(s.close > bp.sma(s.close, 50))
    s.exit_long(s.close < bp.sma(s.close, 50))

@bp.strategy(lookback=60)
def swings(s):
    for _ in s.loop():
        s.stop = 2.0
        s.enter_long(s.close > bp.sma(s.close, 20))
        s.enter_short(s.close < bp.sma(s.close, 20))

@bp.strategy(lookback=60)
def momentum(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))
"""
HELPER = "def signal(close):\n    # a word\n    return close[:3]['x']\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plans.py").write_text(PLANS, encoding="utf-8")
    (tmp_path / "helper.py").write_text(HELPER, encoding="utf-8")
    for symbol in ("IBM", "MSFT"):
        bars = bp.Data.sample(symbol)["2005":"2007"]
        names = ("open", "high", "low", "close", "volume")
        prices = pd.DataFrame({name: getattr(bars, name) for name in names})
        prices.rename_axis("Date").to_csv(f"{symbol}.csv")
    # What one test imports is not what the next one finds.
    for name in ("plans", "helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """Return what the program prints: results, or where it fails the message in one line."""
    with pytest.raises(SystemExit) as end:
        main(words)
    shown = capsys.readouterr()
    assert int(end.value.code or 0) == status, shown.err
    return " ".join(shown.err.replace("│", " ").split()) if status else shown.out


SAID = [
    ("stops", 'At plans.py, line 6: raise ZeroDivisionError("nothing to divide").'),
    ("typo", "At plans.py, line 10: s.enter_long(s.clse > 0)"),
    ("late", 'At plans.py, line 16: raise ValueError("thirty").'),
    ("ours", "At plans.py, line 22: s.enter_long(s.close > bp.sma(s.close, days - 50))"),
    ("deep", "At helper.py, line 3: return close[:3]['x']."),
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("name", "place"), SAID)
def test_an_error_is_shown_with_file_and_line(
    name: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = run(capsys, "train", f"plans.py:{name}", "--data", "IBM.csv", status=1)
    assert place in text
    assert text.startswith("error: ")
    assert "rerun" not in text  # what to type in Python is no advice here
    # An error of the library says what to do; any other may need its traceback.
    assert ("--debug" in text) == (name not in {"typo", "ours"})


@pytest.mark.engine
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("engine", ["processpool", "threadpool"])
@pytest.mark.parametrize(("name", "place"), SAID[2:4])
def test_an_error_in_a_worker_too(
    engine: str, name: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("train", f"plans.py:{name}", "--data", "IBM.csv", "--engine", engine)
    assert place in run(capsys, *words, "--workers", "1", "--no-check", status=1)


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("import broadpeak as bp\n\ndef plan(s:\n    pass\n", "At bad.py, line 3: def plan(s:"),
        ("x = 1\nimport no_such_module\n", "At bad.py, line 2: import no_such_module"),
        ("x = 1\n\n\ny = x / 0\n", "At bad.py, line 4: y = x / 0"),
    ],
)
def test_an_error_while_a_file_is_loaded(
    source: str, place: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.py").write_text(source, encoding="utf-8")
    assert place in run(capsys, "test", "bad.py:plan", "--data", "IBM.csv", status=1)


def test_an_error_of_the_prices_has_no_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "IBM.csv").write_text("Date,Close\n2024-01-02,-1\n2024-01-03,1\n", encoding="utf-8")
    assert " At " not in run(capsys, "test", "plans.py:lots", "--data", "IBM.csv", status=1)


def test_whose_code_it_is(tmp_path: Path) -> None:
    assert not is_users(bp.__file__)
    assert not is_users(json.__file__)
    assert not is_users(pd.__file__)
    assert not is_users("<string>")
    assert is_users(str(tmp_path / "plan.py"))
    with pytest.raises(ValueError, match="Expecting") as caught:
        json.loads("{")
    # The innermost line of the user, not of the library that raised.
    assert place_of(caught.value).endswith('json.loads("{")')


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("trend.py", "trend"),
        ("ideas/first.py", "first"),
        ("my-idea.py", "my_idea"),
        ("2nd.py", "strategy"),
        ("class.py", "strategy"),
        ("bp.py", "strategy"),
        ("idée.py", "idée"),
    ],
)
def test_a_new_file_trains_as_it_is(
    file: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads(run(capsys, "new", file, "--json")) == {
        "file": str(Path(file)),
        "strategy": name,
    }
    words = ("--data", "IBM.csv", "MSFT.csv", "--cost", "fees=0.0005", "--no-verdict", "--json")
    found = json.loads(run(capsys, "train", file, *words))
    assert list(found["components"]) == ["IBM", "MSFT"]
    assert set(found["components"]["IBM"]["params"]) == {"fast", "factor", "stop"}
    assert "lookback" not in " ".join(found["warnings"])
    text = Path(file).read_text(encoding="utf-8")
    for word in ("s.optimize(default, min, max, step)", "s.stop", "Costs(", f"train {file}"):
        assert word in text


def test_a_new_file_takes_closes_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "new", "trend.py")
    pd.read_csv("IBM.csv")[["Date", "close"]].to_csv("closes.csv", index=False)
    words = ("trend.py", "--data", "closes.csv", "--no-verdict", "--json")
    assert "closes" in json.loads(run(capsys, "train", *words))["components"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("plans.py", "is there already and is not overwritten"),
        ("trend.txt", "must be FILE.py"),
        ("trend", "must be FILE.py"),
        ("random.py", "Type: broadpeak new my_random.py"),
        ("numpy.py", "which numpy.py would hide"),
        ("plans.py/x.py", "must be a file that can be written"),
        ("nul\0l.py", "must be a file that can be written"),
    ],
)
def test_what_new_refuses(file: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    assert said in run(capsys, "new", file, status=2)
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


SIZES = [
    ((), {}),
    (
        ("--sizing", "money", "--capital", "5000", "--whole"),
        {"sizing": "money", "capital": 5000.0, "whole": True},
    ),
    (("--sizing", "equity"), {"sizing": "equity"}),
    (("--sizing", "unit"), {"sizing": "unit"}),
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("typed", "options"), SIZES)
def test_sizes_reach_tests_and_signals(
    typed: tuple[str, ...], options: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("plans.py:lots", "--data", "IBM.csv", *typed, "--cost", "fees=0.01")
    found = json.loads(run(capsys, "test", *words, "--json"))
    plan, data = inputs.strategy("plans.py:lots"), bp.Data.from_csv("IBM.csv")
    options = {"costs": bp.Costs(fees=0.01), **options}
    want = bp.test(plan, data, **options)
    assert found["stats"]["end_value"] == want.value.iloc[-1]
    assert found["hold"]["end_value"] == want.held.value.iloc[-1]
    kind = options.get("sizing", "script")
    assert f"sizing {kind}" in run(capsys, "test", *words)
    evening = str(want.trades["exit_time"].iloc[-2].date())  # the order to leave is due before
    evening = str(data[:evening].index[-2].date())
    rows = json.loads(run(capsys, "signals", *words, "--end", evening, "--json"))["signals"]
    due = bp.signals(plan, data, end=evening, **options)
    assert (
        [row["position"] for row in rows]
        == due["position"].to_list()
        == [want.trades["size"].iloc[-2]]
    )


@pytest.mark.filterwarnings("ignore::UserWarning")  # of few trades on few years
@pytest.mark.usefixtures("folder")
def test_trainings_take_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("train", "plans.py:momentum", "--data", "IBM.csv", "--no-verdict", "--json")
    found = json.loads(run(capsys, *words, "--sizing", "money", "--capital", "777"))
    plan, data = inputs.strategy("plans.py:momentum"), bp.Data.from_csv("IBM.csv")
    want = bp.train(plan, data, sizing="money", capital=777.0)
    assert found["components"]["IBM"]["objective"] == want.components["IBM"].objective
    one_lot = bp.train(plan, data)
    assert one_lot.components["IBM"].objective != want.components["IBM"].objective
    walk = ("walk-forward", *words[1:], "--cycles", "2", "--train-sizing", "equity")
    found = json.loads(run(capsys, *walk))
    want = bp.walk_forward(plan, data, cycles=2, train_sizing="equity")
    assert found["cycles"][0]["in_sample"] == want.cycles["in_sample"].iloc[0]
    assert found["stats"]["end_value"] == want.portfolio.value.iloc[-1]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--sizing", "mony"), "Did you mean 'money'?"),
        (("--capital", "-5"), "must be an amount of money above 0"),
        (("--capital", "nan"), "must be an amount of money above 0"),
        (("--sizing", "unit", "--whole"), "Type: --sizing money"),
    ],
)
def test_a_wrong_size_is_bad_usage(
    typed: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in run(capsys, "test", "plans.py:lots", "--data", "IBM.csv", *typed, status=2)


@pytest.mark.usefixtures("folder")
def test_components_stand_beside_holding(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("test", "plans.py:swings", "--data", "IBM.csv", "MSFT.csv")
    found = json.loads(run(capsys, *words, "--json"))
    data = bp.Data.from_csv(["IBM.csv", "MSFT.csv"])
    want = bp.test(inputs.strategy("plans.py:swings"), data)
    for key, row in found["components"].items():
        own = want.components[key]
        assert row["num_trades"] == len(own.trades)
        assert row["net"] == pytest.approx(own.trades["pnl"].sum())
        assert row["total_return"] == own.total_return
        assert row["hold_return"] == own.held.total_return
    net = sum(row["net"] for row in found["components"].values())
    assert net == pytest.approx(found["stats"]["end_value"] - found["stats"]["start_value"])
    text = run(capsys, *words)
    assert "buy and hold" in text
    assert "return of holding" in text
    # One component is what the table above shows.
    assert "return of holding" not in run(capsys, *words[:4])


@pytest.mark.usefixtures("folder")
def test_signals_at_a_bar_are_those_of_a_file_that_ends_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("signals", "plans.py:swings", "--json", "--cost", "fees=0.001", "--data")
    days = pd.read_csv("IBM.csv")["Date"]
    seen = set()
    for day in days.iloc[-40::8]:
        found = json.loads(run(capsys, *words, "IBM.csv", "--end", day))
        short = pd.read_csv("IBM.csv")
        short[short["Date"] <= day].to_csv("short.csv", index=False)
        alone = json.loads(run(capsys, *words, "short.csv", "--symbol", "IBM"))
        assert found == alone
        assert found["signals"][0]["last_bar"].startswith(day)
        assert found["orders"] == [row for row in found["signals"] if row["next_order"]]
        seen.add(found["signals"][0]["position"] > 0)
    assert seen == {True, False}


@pytest.mark.usefixtures("folder")
def test_orders_are_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("signals", "plans.py:swings", "--data", "IBM.csv", "MSFT.csv", "--sizing", "unit")
    plan = inputs.strategy("plans.py:swings")
    data = bp.Data.from_csv(["IBM.csv", "MSFT.csv"])
    trades = bp.test(plan, data, sizing="unit").components["IBM"].trades
    for direction, verb in (("long", "buy"), ("short", "sell")):
        entry = trades[trades["direction"] == direction]["entry_time"].iloc[-1]
        evening = data.index[data.index.get_loc(entry) - 1]  # the order fills at the next open
        text = run(capsys, *words, "--end", str(evening.date()))
        said = (
            f"due at the next open: {verb} IBM to enter {direction}, 1 lots, stop 2 from the fill"
        )
        assert said in text
    trades = bp.test(inputs.strategy("plans.py:lots"), data.select("IBM")).trades
    evening = data.index[data.index.get_loc(trades["exit_time"].iloc[-2]) - 1]
    leaving = ("signals", "plans.py:lots", "--data", "IBM.csv", "--end", str(evening.date()))
    said = "due at the next open: sell IBM to exit long, 3 lots"
    assert said in run(capsys, *leaving).splitlines()
    quiet = bp.signals(plan, data, end="2007-06-29", sizing="unit")
    assert not quiet["next_order"].notna().any()
    assert "no order is due" in run(capsys, *words, "--end", "2007-06-29")


@pytest.mark.usefixtures("folder")
def test_a_walk_forward_folder_is_traded_again(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "new", "trend.py")
    words = ("trend.py", "--data", "IBM.csv", "--cost", "fees=0.001", "--json")
    walk = ("--cycles", "3", "--out", "walk", "--no-verdict")
    walked = json.loads(run(capsys, "walk-forward", *words, *walk))["stats"]
    again = ("trend.py", "--data", "IBM.csv", "--params", "walk", "--json")
    assert json.loads(run(capsys, "test", *again))["stats"] == walked
    assert json.loads(run(capsys, "signals", *again))["signals"][0]["trained"]


def test_a_bar_is_shown_when_asked_for() -> None:
    assert inputs.search_settings(progress=True)["show_progress"] is True
    assert inputs.search_settings(progress=False)["show_progress"] is False
    assert "show_progress" not in inputs.search_settings()
