# SPDX-License-Identifier: BSD-3-Clause
"""The program `broadpeak`, as a user types it: files, exit status, JSON, and clear errors."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._cli import inputs
from broadpeak._cli.app import main
from broadpeak._core.filenames import file_stem

STRATEGIES = """
import broadpeak as bp

@bp.strategy(lookback=60)
def momentum(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))

@bp.strategy(lookback=60)
def broken(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    raise ZeroDivisionError("nothing to divide")

def plain(s):
    s.enter_long(s.close > s.open)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a strategy file and the prices of IBM, and the shell in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plans.py").write_text(STRATEGIES, encoding="utf-8")
    data = bp.Data.sample("IBM")["2005":"2008"]
    columns = {name: getattr(data, name) for name in ("open", "high", "low", "close", "volume")}
    pd.DataFrame(columns).rename_axis("date").to_csv(tmp_path / "IBM.csv")
    return tmp_path


def run(*words: str) -> int:
    """Run the program in this process and return its exit status."""
    with pytest.raises(SystemExit) as stop:
        main(words)
    return int(stop.value.code or 0)


def output(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    status = run(*words)
    shown = capsys.readouterr()
    assert status == 0, shown.err
    return shown.out


def failure(capsys: pytest.CaptureFixture[str], status: int, *words: str) -> str:
    assert run(*words) == status
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    # Usage errors come in a box; its lines are joined for reading.
    return " ".join(shown.err.replace("│", " ").split())


def train_json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    words = ("train", "plans.py:momentum", "--data", "IBM.csv", "--json", "--no-verdict", *words)
    return dict(json.loads(output(capsys, *words)))


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "--version").strip() == f"broadpeak {bp.__version__}"
    text = output(capsys, "--help")
    for command in (
        "demo", "train", "test", "walk-forward", "sweep", "signals", "report", "store", "doctor",
        "warm",
    ):  # fmt: skip
        assert command in text
        assert "Usage" in output(capsys, command, "--help")


def test_an_unknown_option_or_command_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nonsense" in failure(capsys, 2, "nonsense")
    assert "--nonsense" in failure(capsys, 2, "doctor", "--nonsense")


def test_train_writes_parameters_trials_and_report(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = train_json(capsys, "--out", "runs/one")
    days = found["components"]["IBM"]["params"]["days"]
    assert 10 <= days <= 40
    assert found["files"].keys() == {"parameters", "trials", "report"}
    for path in found["files"].values():
        assert (folder / path).stat().st_size > 0
    assert bp.read_par(found["files"]["parameters"]).params["IBM"]["days"] == days
    assert len(pd.read_csv(found["files"]["trials"])) == 4


def test_train_prints_a_table_and_can_leave_out_the_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("plans.py:momentum", "--data", "IBM.csv", "--out", "one", "--no-report")
    text = output(capsys, "train", *words, "--no-verdict")
    assert "days" in text
    assert "momentum.par" in text
    assert not (folder / "one" / "report.html").exists()


def test_train_takes_options_to_the_training(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--method", "brute", "--objective", "sharpe", "--select", "peak")
    more = ("--end", "2007-12-31", "--cost", "fees=0.001", "--min-trades", "3", "--seed", "4")
    found = train_json(capsys, *words, *more)
    plan = bp.strategy(lookback=60)(
        lambda s: (
            days := s.optimize(20, 10, 40, 10, name="days"),
            s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0)),
            s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0)),
        )
    )
    expected = bp.train(
        plan,
        bp.Data.from_csv("IBM.csv"),
        method="brute",
        objective="sharpe",
        select="peak",
        end="2007-12-31",
        costs=bp.Costs(fees=0.001),
        min_trades=3,
    )
    assert found["components"]["IBM"]["params"] == expected.params["IBM"]
    assert found["components"]["IBM"]["objective"] == expected.components["IBM"].objective


def test_an_ensemble_is_trained_tested_and_traded(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = ("--method", "brute", "--select", "ensemble:0.5")
    found = train_json(capsys, *search, "--out", "one", "--no-report")
    members = found["components"]["IBM"]["members"]
    assert [member["weight"] for member in members] == [0.5, 0.5]
    words = ("plans.py:momentum", "--data", "IBM.csv", "--params", found["files"]["parameters"])
    tested = json.loads(output(capsys, "test", *words, "--out", "two", "--json"))
    trades = pd.read_csv(tested["files"]["trades"])
    assert set(trades["member"]) == {1, 2}
    spent = trades["size"] * trades["entry_price"]
    assert spent.to_numpy() == pytest.approx([5_000.0] * len(trades))
    orders = json.loads(output(capsys, "signals", *words, "--json"))["orders"]
    assert all(order["weight"] == 0.5 for order in orders)
    text = output(capsys, "train", "plans.py:momentum", "--data", "IBM.csv", *search)
    assert "members: IBM 2" in text
    walk = ("plans.py:momentum", "--data", "IBM.csv", "--cycles", "2", *search)
    cycles = json.loads(output(capsys, "walk-forward", *walk, "--json"))["cycles"]
    assert [cycle["members"] for cycle in cycles] == [2, 2]


def test_test_takes_the_parameter_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = train_json(capsys, "--out", "one", "--no-report")["files"]
    words = ("plans.py:momentum", "--data", "IBM.csv", "--params", files["parameters"])
    found = json.loads(output(capsys, "test", *words, "--out", "two", "--json"))
    trades = pd.read_csv(found["files"]["trades"])
    assert found["stats"]["num_trades"] == len(trades)
    text = output(capsys, "test", "plans.py:momentum", "--data", "IBM.csv")
    assert "the defaults" in text


def test_a_plain_function_is_a_strategy_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "num_trades" in output(capsys, "test", "plans.py:plain", "--data", "IBM.csv")


def test_walk_forward_writes_cycles(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plans.py:momentum", "--data", "IBM.csv", "--cycles", "3", "--out", "wf", "--json")
    found = json.loads(output(capsys, "walk-forward", *words, "--no-verdict"))
    assert len(found["cycles"]) == 3
    assert (folder / "wf" / "momentum_1.par").exists()
    assert (folder / "wf" / "momentum.par").exists()
    assert "<html" in (folder / "wf" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["train", "walk-forward"])
def test_the_verdict_is_printed_and_stands_on_the_page(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cycles = ["--cycles", "3"] if command == "walk-forward" else []
    words = (command, "plans.py:momentum", "--data", "IBM.csv", "--out", "one", *cycles)
    text = output(capsys, *words)  # the exit status is 0
    word = text.split("verdict: ")[1].split("\n")[0]
    assert word in {"fail", "too little data"}
    page = (folder / "one" / "report.html").read_text(encoding="utf-8")
    assert f'<span class="word">{word}</span></p><p class="why">' in page
    # What speaks against the result stands in the table; what does not is on the page only.
    assert "luck of the search" in text
    assert "pass " not in text
    assert "each half of the history" in page


def test_programs_get_the_verdict_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("train", "plans.py:momentum", "--data", "IBM.csv", "--json")
    found = json.loads(output(capsys, *words))["verdict"]
    plan = inputs.strategy("plans.py:momentum")
    want = bp.train(plan, bp.Data.from_csv("IBM.csv"), seed=0).verdict()
    assert found == json.loads(json.dumps(want.to_dict()))
    assert found["status"] == "fail"
    assert train_json(capsys)["verdict"] is None


def test_a_page_of_the_defaults_is_judged_and_one_of_a_file_is_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("report", "plans.py:momentum", "--data", "IBM.csv", "--out", "page.html")
    assert "verdict: " in output(capsys, *words)
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "answer open" not in page
    assert "<dd>1</dd>" in page  # one trial
    assert "verdict" not in output(capsys, *words, "--no-verdict")
    assert "--no-verdict" in (folder / "page.html").read_text(encoding="utf-8")
    files = train_json(capsys, "--out", "one", "--no-report")["files"]
    assert "verdict" not in output(capsys, *words, "--params", files["parameters"])
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "answer open" in page
    assert "The values come from a file" in page


def test_signals_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(output(capsys, "signals", "plans.py:plain", "--data", "IBM.csv", "--json"))
    assert found["strategy"] == "plain"
    assert isinstance(found["orders"], list)


def test_report_writes_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = train_json(capsys, "--out", "one", "--no-report")["files"]
    words = ("plans.py:momentum", "--data", "IBM.csv", "--params", files["parameters"])
    output(capsys, "report", *words, "--out", "pages/test.html")
    text = (folder / "pages" / "test.html").read_text(encoding="utf-8")
    assert "momentum: test" in text
    assert str(folder) not in text


def test_the_defaults_are_reported_on_the_bars_of_the_test(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk-forward run begins after its first training; what stands beside it begins there."""
    words = ("plans.py:momentum", "--data", "IBM.csv")
    output(capsys, "walk-forward", *words, "--cycles", "3", "--out", "walk", "--no-verdict")
    drawn: dict[str, Any] = {}

    def draw(name: str, tested: Any, **options: Any) -> Path:
        drawn.update(options, tested=tested)
        return Path("page.html")

    monkeypatch.setattr("broadpeak._core.drawing.draw", draw)
    output(capsys, "report", *words, "--params", "walk")
    assert len(drawn["tested"].index) < len(pd.read_csv("IBM.csv")) / 2
    assert drawn["defaults"].index.equals(drawn["tested"].index)
    assert drawn["defaults"].facts["capital"] == drawn["tested"].facts["capital"]


def test_who_forgets_to_adjust_is_told_before_an_order(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = train_json(capsys, "--end", "2007", "--out", "one", "--no-report")["files"]
    words = ("plans.py:momentum", "--data", "IBM.csv", "--params", files["parameters"], "--json")
    for command in ("signals", "test"):
        assert json.loads(output(capsys, command, *words))["warnings"] == []
    table = pd.read_csv("IBM.csv")
    table[["open", "high", "low", "close"]] *= 2
    table.to_csv("IBM.csv", index=False)
    for command in ("signals", "test"):
        (warning,) = json.loads(output(capsys, command, *words))["warnings"]
        assert "have other prices here" in warning
        assert "--adjust" in warning


def test_parameters_of_another_symbol_are_no_fault_of_the_strategy(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = train_json(capsys, "--out", "one", "--no-report")["files"]
    words = ("plans.py:momentum", "--data", "IBM.csv", "--symbol", "X")
    text = failure(capsys, 1, "test", *words, "--params", files["parameters"])
    assert "must have parameters of component 'X', got those of IBM" in text
    assert "plans.py, line" not in text


def test_several_files_are_several_symbols(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looped = STRATEGIES.replace("def plain(s):\n", "def plain(s):\n  for _ in s.loop():\n")
    (folder / "looped.py").write_text(looped, encoding="utf-8")
    (folder / "B.csv").write_bytes((folder / "IBM.csv").read_bytes())
    words = ("--data", "IBM.csv", "--data", "B.csv", "--symbol", "one", "--symbol", "two")
    text = output(capsys, "test", "looped.py:plain", *words, "--json")
    assert json.loads(text)["stats"]


def test_a_file_of_several_symbols_names_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looped = STRATEGIES.replace("def plain(s):\n", "def plain(s):\n  for _ in s.loop():\n")
    (folder / "looped.py").write_text(looped, encoding="utf-8")
    lines = (folder / "IBM.csv").read_text(encoding="utf-8").splitlines()
    rows = [f"{line},{symbol}" for symbol in ("A", "B") for line in lines[1:]]
    (folder / "both.csv").write_text("\n".join([lines[0] + ",Symbol", *rows]), encoding="utf-8")
    words = ("test", "looped.py:plain", "--data", "both.csv", "--json")
    both = json.loads(output(capsys, *words))
    pair = ("--data", "IBM.csv", "--data", "IBM.csv", "--symbol", "A", "--symbol", "B")
    apart = json.loads(output(capsys, "test", "looped.py:plain", *pair, "--json"))
    assert both["stats"] == apart["stats"]


def test_doctor_knows_versions_and_engines(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(output(capsys, "doctor", "--json"))
    assert found["versions"]["broadpeak"] == bp.__version__
    assert "serial" in found["engines"]
    assert found["cores"] >= 1
    assert "serial" in output(capsys, "doctor")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nowhere.py:x", "--data", "IBM.csv"), "there is no file 'nowhere.py'"),
        (("IBM.csv", "--data", "IBM.csv"), "must be FILE.py:STRATEGY"),
        (("plans.py:momentun", "--data", "IBM.csv"), "It has: broken, momentum."),
        (("plans.py:momentun", "--data", "IBM.csv"), "Did you mean 'momentum'?"),
        (("plans.py", "--data", "IBM.csv"), "must name one strategy of plans.py"),
        (("plans.py:momentum", "--data", "X.csv"), "there is no file 'X.csv'"),
        (("plans.py:momentum",), "--data"),
        (("plans.py:momentum", "--data", "IBM.csv", "--objective", "prrr"), "Did you mean 'prr'?"),
        (("plans.py:momentum", "--data", "IBM.csv", "--engine", "gpu"), "must be one of"),
        (("plans.py:momentum", "--data", "IBM.csv", "--method", "asent"), "Did you mean 'ascent'?"),
        (("plans.py:momentum", "--data", "IBM.csv", "--select", "top"), "hill, peak, plateau"),
        (("plans.py:momentum", "--data", "IBM.csv", "--select", "ensemble:2"), "ensemble:0.1"),
        (("plans.py:momentum", "--data", "IBM.csv", "--select", "hill:0.1"), "ensemble:0.1"),
        (("plans.py:momentum", "--data", "IBM.csv", "--select", "ensemble:x"), "ensemble:0.1"),
        (("plans.py:momentum", "--data", "IBM.csv", "--cost", "fee=1"), "Did you mean 'fees'?"),
        (("plans.py:momentum", "--data", "IBM.csv", "--cost", "fees=x"), "must be a number"),
        (
            ("plans.py:momentum", "--data", "IBM.csv", "--symbol", "A", "--symbol", "B"),
            "must be one name where there is no column of symbols",
        ),
        (("plans.py:momentum", "--data", "IBM.csv", "--passes", "0"), "--passes"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_usage_is_named(
    words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert text in failure(capsys, 2, "train", *words)


def test_a_failed_run_is_one_line_with_a_hint(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("train", "plans.py:broken", "--data", "IBM.csv")
    assert run(*words) == 1
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert error.startswith("error: ")
    assert "nothing to divide" in error
    assert "--debug" in error
    assert run(*words, "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_bad_prices_fail_with_the_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices = pd.read_csv(folder / "IBM.csv")
    prices.loc[3, "close"] = -1.0
    prices.to_csv(folder / "IBM.csv", index=False)
    text = failure(capsys, 1, "train", "plans.py:momentum", "--data", "IBM.csv")
    assert "IBM" in text
    assert "--debug" not in text


def test_a_damaged_parameter_file_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.par").write_text("IBM = nothing", encoding="utf-8")
    words = ("test", "plans.py:momentum", "--data", "IBM.csv", "--params", "bad.par")
    assert failure(capsys, 1, *words).startswith("error: ")
    words = ("test", "plans.py:momentum", "--data", "IBM.csv", "--params", "none.par")
    assert "there is no file 'none.par'" in failure(capsys, 2, *words)


@pytest.mark.usefixtures("folder")
def test_cycles_and_period_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plans.py:momentum", "--data", "IBM.csv", "--cycles", "3", "--period", "200")
    assert "not both" in failure(capsys, 2, "walk-forward", *words)


def test_the_demo_writes_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = output(capsys, "demo", "--no-verdict")
    assert "verdict" not in text
    for symbol in ("AAPL", "IBM", "MSFT"):
        assert symbol in text
    for name in ("trend.par", "report.html", "trials.csv"):
        assert str(Path("runs") / "demo" / name) in text
        assert (tmp_path / "runs" / "demo" / name).stat().st_size > 0
    assert set(bp.read_par("runs/demo/trend.par").params) == {"AAPL", "IBM", "MSFT"}
    assert (tmp_path / "runs" / "demo" / "report.html").stat().st_size < 6_000_000


@pytest.mark.parametrize(
    "name", ["../../outside", "/outside", "CON", ".hidden", "nul\0l", "x" * 400]
)
@pytest.mark.parametrize("command", ["train", "walk-forward"])
def test_files_stay_in_their_folder_whatever_a_strategy_is_called(
    command: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = STRATEGIES.replace("lookback=60", f"lookback=60, name={name!r}", 1)
    (folder / "named.py").write_text(source, encoding="utf-8")
    before = set(folder.rglob("*"))
    words = ["named.py:momentum", "--data", "IBM.csv", "--out", "deep/down"]
    cycles = ["--cycles", "2"] if command == "walk-forward" else ["--no-report"]
    output(capsys, command, *words, *cycles, "--no-verdict")
    new = {path for path in folder.rglob("*") if "__pycache__" not in path.parts} - before
    written = {path for path in new if path.is_file()}
    assert {path.parent for path in written} == {folder / "deep/down"}
    parameters = [path for path in written if path.suffix == ".par"]
    assert len(parameters) == (2 if command == "walk-forward" else 1)
    assert {path.stem.removesuffix("_1") for path in parameters} == {file_stem(name)}
    assert all(bp.read_par(path).strategy == " ".join(name.split()) for path in parameters)


@pytest.mark.parametrize("command", ["train", "walk-forward", "test"])
def test_a_folder_that_cannot_be_made_is_reported_before_the_run(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "taken").write_text("a file", encoding="utf-8")
    words = ["plans.py:broken", "--data", "IBM.csv", "--out", "taken/deep"]
    assert "must be a folder that can be made" in " ".join(
        failure(capsys, 2, command, *words).replace("│", " ").split()
    )


def test_a_file_that_ends_the_program_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ends.py").write_text(f"{STRATEGIES}\nraise SystemExit(0)\n", encoding="utf-8")
    shown = failure(capsys, 2, "train", "ends.py:momentum", "--data", "IBM.csv")
    assert "ended the program" in " ".join(shown.replace("│", " ").split())


def test_defaults_of_the_search_are_those_of_train() -> None:
    # Read from the record itself they would load pandas, which --help has no use for.
    names = {"evaluations": "n_evaluations", "workers": "n_workers", "cost": "costs"}
    names["engine_option"] = "engine_options"
    defaults: dict[str, object] = {"engine": "serial", "n_workers": None}
    defaults |= dict.fromkeys(("engine_options", "store", "store_key"))
    defaults |= {name: one.default for name, one in inspect.signature(bp.train).parameters.items()}
    options = dict(inspect.signature(inputs.search_settings).parameters)
    assert options.pop("progress").default is None  # as `execute` decides
    assert len(options) == 17
    # A share or a word: typed as a string.
    assert inputs.share_to_borrow(options.pop("borrow").default) == defaults["borrow"]
    for name, option in options.items():
        assert option.default == defaults[names.get(name, name)], name


@pytest.mark.parametrize("borrow", ["0.5", "1", "auto"])
def test_train_borrows(folder: Path, capsys: pytest.CaptureFixture[str], borrow: str) -> None:
    source = (
        "import broadpeak as bp\n"
        "@bp.strategy(lookback=60)\n"
        "def both(s):\n"
        "    for _ in s.loop():\n"
        "        days = s.optimize(20, 10, 40, 10, name='days')\n"
        "        s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))\n"
        "        s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))\n"
    )
    (folder / "both.py").write_text(source, encoding="utf-8")
    lines = (folder / "IBM.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    late = "".join([lines[0], *lines[400:]])  # the same prices later on: another component
    (folder / "late.csv").write_text(late, encoding="utf-8")
    words = ("both.py:both", "--data", "IBM.csv", "--data", "late.csv", "--borrow", borrow)
    found = json.loads(output(capsys, "train", *words, "--json"))["components"]
    data = bp.Data.from_csv({"IBM": "IBM.csv", "late": "late.csv"})
    plan = inputs.strategy("both.py:both")
    share = borrow if borrow == "auto" else float(borrow)
    trained, alone = inputs.with_warnings(
        lambda: [bp.train(plan, data, borrow=one) for one in (share, 0)]
    )[0]
    assert {key: one["params"] for key, one in found.items()} == trained.params
    assert trained.params != alone.params


@pytest.mark.parametrize("borrow", ["-1", "2", "half", "nan"])
def test_what_is_no_share_is_bad_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], borrow: str
) -> None:
    words = ("plans.py:momentum", "--data", "IBM.csv", "--borrow", borrow)
    assert "share from 0 to 1" in " ".join(failure(capsys, 2, "train", *words).split())


def test_walk_forward_takes_every_option_of_a_search(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("plans.py:momentum", "--data", "IBM.csv", "--method", "random", "--evaluations", "2")
    more = ("--cycles", "3", "--json", "--no-verdict")
    found = json.loads(output(capsys, "walk-forward", *words, *more))
    assert len(found["cycles"]) == 3


def test_a_strategy_that_looks_ahead_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "peek.py").write_text(
        "import numpy as np\n"
        "import broadpeak as bp\n\n"
        "@bp.strategy(lookback=30)\n"
        "def peek(s):\n"
        "    days = s.optimize(1, 1, 3, 1, name='days')\n"
        "    s.enter_long(np.roll(s.close, -1) > bp.sma(s.close, days))\n"
        "    s.exit_long(np.roll(s.close, -1) < bp.sma(s.close, days))\n",
        encoding="utf-8",
    )
    for command in ("train", "test", "walk-forward"):
        words = (command, "peek.py", "--data", "IBM.csv")
        assert "must not look ahead" in failure(capsys, 1, *words)
        output(capsys, *words, "--no-check")
