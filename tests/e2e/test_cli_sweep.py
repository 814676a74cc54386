# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak sweep` and `broadpeak store`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer

from broadpeak._cli import inputs
from broadpeak._cli.app import main

SCORES = """
import broadpeak as bp

CALLS = []

def hill(a, b):
    CALLS.append((a, b))
    return -abs(a - 5) - abs(b - 0.3)

def mean_close(data, window):
    return data.close.rolling(window).mean().iloc[-1]

def text(a):
    return "x"

def kind_of(value, n=1):
    return n * {bool: 1, type(None): 2, int: 3, float: 4, str: 5}[type(value)] + (value is False)

def named(kind, n):
    return len(kind) - abs(n - 2.5)

def nothing(a):
    return float("nan")
"""

HILL = ("scores.py:hill", "--param", "a=1:9", "--param", "b=0.1:0.5:0.1")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scores.py").write_text(SCORES, encoding="utf-8")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(words)
    shown = capsys.readouterr()
    return int(stop.value.code or 0), shown.out, " ".join(shown.err.replace("│", " ").split())


def swept(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    status, out, err = run(capsys, "sweep", *words, "--json")
    assert status == 0, err
    return dict(json.loads(out))


def test_all_combinations_are_scored_and_the_middle_is_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = swept(capsys, *HILL, "--out", "runs")
    assert len(found["scores"]) == 9 * 5
    assert found["highest"] == {"params": {"a": 5, "b": 0.3}, "score": 0}
    assert found["chosen"]["params"] == {"a": 5, "b": 0.3}
    table = pd.read_csv(found["files"]["scores"])
    assert table.columns.tolist() == ["a", "b", "score"]
    assert len(table) == 45
    written = Path(found["files"]["report"]).read_text(encoding="utf-8")
    assert "Highest scores" in written
    assert len(written) < 2_000_000
    # Without a usable score there is nothing to draw, but still a table.
    nothing = swept(capsys, "scores.py:nothing", "--param", "a=1,2", "--out", "none")
    assert [*nothing["files"]] == ["scores"]


def test_the_only_function_of_a_file_needs_no_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "one.py").write_text("def score(a):\n    return -abs(a - 5)\n", encoding="utf-8")
    assert swept(capsys, "one.py", "--param", "a=1:9")["highest"]["params"] == {"a": 5}
    status, _, err = run(capsys, "sweep", "scores.py", "--param", "a=1:9")
    assert status == 2
    assert "must name one function of scores.py: " in err
    status, _, err = run(capsys, "sweep", "one", "--param", "a=1:9")
    assert "must be FILE.py:FUNCTION, got 'one'. Type: one.py" in err


def test_names_and_mixed_numbers_are_chosen_from(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("scores.py:named", "--param", "kind=sma,hull,ema", "--param", "n=1,2.5,4")
    found = swept(capsys, *words)
    assert found["chosen"]["params"] == {"kind": "hull", "n": 2.5}
    assert found["highest"] == {"params": {"kind": "hull", "n": 2.5}, "score": 4}
    status, out, _ = run(capsys, "sweep", *words)
    assert (status, "kind hull" in out) == (0, True)


def test_conditions_and_samples(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("scores.py:hill", "--param", "a=1,2,3", "--param", "b=1,2,3")
    assert len(swept(capsys, *words, "--where", "a < b")["scores"]) == 3
    assert len(swept(capsys, *words, "--sample", "4")["scores"]) == 4
    status, _, err = run(capsys, "sweep", *words, "--where", "a < c")
    assert (status, "'c'" in err) == (1, True)


def test_prices_are_the_first_argument(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("scores.py:mean_close", "--data", "sample", "--param", "window=5,10")
    assert len(swept(capsys, *words, "--symbol", "IBM")["scores"]) == 2
    status, _, err = run(capsys, "sweep", *words)
    assert status == 1
    assert "Choose one symbol with --symbol" in err


def test_a_table_for_people_fits(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "sweep", *HILL)
    assert status == 0
    assert "scores.py:hill: the highest of 45 scores" in out
    assert "broad peak (hill): a 5, b 0.3" in out


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["scores.py:text", "--param", "a=1"], 1, "must return one number, got 'x'"),
        (["scores.py:text", "--param", "b=1"], 2, "takes a; with these options"),
        (["scores.py:hill", "--param", "a=1"], 2, "missing a required argument: 'b'"),
        (["scores.py:hil", "--param", "a=1"], 2, "Did you mean 'hill'?"),
        (["scores.txt:hill", "--param", "a=1"], 2, "must be FILE.py:FUNCTION"),
        (["gone.py:hill", "--param", "a=1"], 2, "there is no file 'gone.py'"),
        (["scores.py:text", "--param", "a=3:1"], 2, "FIRST <= LAST"),
        (["scores.py:text", "--param", "a=1:x"], 2, "FIRST <= LAST"),
        (["scores.py:text", "--param", "a=1:2:0"], 2, "STEP > 0"),
        (["scores.py:text", "--param", "a=1:inf"], 2, "FIRST <= LAST"),
        (["scores.py:text", "--param", "a"], 2, "must be NAME=FIRST:LAST:STEP"),
        (["scores.py:text", "--param", "a=1", "--param", "a=2"], 2, "a is given twice"),
        (["scores.py:text", "--param", "a=1", "--engine", "no"], 2, "must be one of"),
    ],
)
def test_what_is_wrong_is_said(
    capsys: pytest.CaptureFixture[str], words: list[str], status: int, text: str
) -> None:
    found, _, err = run(capsys, "sweep", *words)
    assert found == status
    assert text in err


def test_scores_that_are_all_nan_choose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = swept(capsys, "scores.py:nothing", "--param", "a=1,2")
    assert (found["highest"], found["chosen"]) == (None, None)
    assert run(capsys, "sweep", "scores.py:nothing", "--param", "a=1,2")[0] == 0


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1:4", [1, 2, 3, 4]),
        ("1:4:2", [1, 3]),
        ("0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("7:7", [7]),
        ("1,2.5,x", [1, 2.5, "x"]),
    ],
)
def test_values_of_a_parameter(text: str, values: list[Any]) -> None:
    found = inputs.grid([f"a={text}"])["a"]
    assert found == values
    assert [type(one) for one in found] == [type(one) for one in values]


def test_a_store_is_filled_gone_on_from_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    first = swept(capsys, *HILL, "--store", "runs.db")
    assert swept(capsys, *HILL, "--store", "runs.db")["scores"] == first["scores"]
    status, out, _ = run(capsys, "store", "runs.db", "--json")
    runs = json.loads(out)["runs"]
    assert (status, [(row["name"], row["trials"]) for row in runs]) == (0, [("hill", 45)])
    status, out, _ = run(capsys, "store", "runs.db", "--run", "1", "--export", "all.csv")
    assert status == 0
    assert "The first 20 of 45" in out
    assert len(pd.read_csv("all.csv")) == 45


def test_a_store_that_is_not_there_is_not_made(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "store", "gone.db")
    assert (status, "there is no file 'gone.db'" in err) == (2, True)
    assert not Path("gone.db").exists()
    Path("text.db").write_text("no store" * 99, encoding="utf-8")
    assert run(capsys, "store", "text.db")[0] == 1


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("true,false,none", [True, False, None]),
        ("True,FALSE,None", [True, False, None]),
        ("1,2.5,-3,1e2", [1, 2.5, -3, 100.0]),
        ('"true",\'none\',"5",nothing', ["true", "none", "5", "nothing"]),
        ('"a,b","09:30"', ["a,b", "09:30"]),
        ('""', [""]),
        ("2:6:2", [2, 4, 6]),
    ],
)
def test_values_are_what_they_look_like(text: str, values: list[Any]) -> None:
    got = inputs.grid([f"x={text}"])["x"]
    assert [(type(one), one) for one in got] == [(type(one), one) for one in values]


@pytest.mark.parametrize("text", ["1,,2", "1,", ","])
def test_a_value_that_is_missing_is_bad_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="a value before and after every comma"):
        inputs.grid([f"x={text}"])
    with pytest.raises(typer.BadParameter, match="FIRST:LAST:STEP"):
        inputs.grid(["x=true:3"])


def test_truth_values_and_none_reach_the_function(capsys: pytest.CaptureFixture[str]) -> None:
    found = swept(capsys, "scores.py:kind_of", "--param", "value=true,false,none")
    assert [row["score"] for row in found["scores"]] == [1, 2, 2]
    assert [row["value"] for row in found["scores"]] == [True, False, None]
    # They are names without neighbours: the choice is one of the highest.
    chosen = found["chosen"]
    assert (chosen["params"], chosen["score"], chosen["plain_score"]) == ({"value": None}, 2.0, 2.0)
    mixed = swept(capsys, "scores.py:kind_of", "--param", "value=none,10,0.5", "--param", "n=1,2")
    assert sorted(row["score"] for row in mixed["scores"]) == [2, 3, 4, 4, 6, 8]
    status, out, _ = run(capsys, "sweep", "scores.py:kind_of", "--param", "value=true,false")
    assert status == 0
    assert "True" in out
    assert "broad peak (hill): value False, score 2" in out


def test_only_some_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """The rest is not held, so that no broad peak can be seen."""
    found = swept(capsys, *HILL, "--keep", "3", "--out", "runs")
    assert [row["score"] for row in found["scores"]] == pytest.approx([0.0, -0.1, -0.1])
    assert found["highest"] == {"params": {"a": 5, "b": 0.3}, "score": 0}
    assert found["chosen"] is None
    assert [*found["files"]] == ["scores"]
    assert len(pd.read_csv(found["files"]["scores"])) == 3
    status, out, _ = run(capsys, "sweep", *HILL, "--keep", "3")
    assert status == 0
    assert "the first of what is kept" in out


def test_all_scores_go_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    found = swept(capsys, *HILL, "--to", "all.parquet")
    assert found["files"] == {"all": "all.parquet"}
    table = pd.read_parquet("all.parquet")
    assert table.columns.tolist() == ["a", "b", "value"]
    assert len(table) == 45
    assert len(found["scores"]) == 10
    assert found["highest"] == {"params": {"a": 5, "b": 0.3}, "score": 0}


def test_options_of_an_engine_are_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--engine", "processpool", "--workers", "2")
    plain = swept(capsys, *HILL)
    assert swept(capsys, *HILL, *words, "--engine-option", "reuse=false") == plain
    status, _, err = run(capsys, "sweep", *HILL, *words, "--engine-option", "adress=here")
    assert status == 1
    assert "unknown option 'adress'" in err


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--engine-option", "address"], "must be NAME=VALUE"),
        (["--engine-option", "reuse=true", "--engine-option", "reuse=true"], "given twice"),
        (["--keep", "0"], "greater than or equal to 1"),
        (["--keep", "3", "--select", "hill"], "chooses among all scores"),
        (["--to", "all.parquet", "--select", "hill"], "chooses among all scores"),
    ],
)
def test_options_that_say_nothing(
    words: list[str], match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, "sweep", *HILL, *words)
    assert status == 2
    assert match in err
