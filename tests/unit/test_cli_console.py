# SPDX-License-Identifier: BSD-3-Clause
"""What the program prints: values for programs, cells for people."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from broadpeak._cli import console, summary


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (np.float64(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (pd.NaT, None),
        (pd.Timestamp("2001-02-03"), "2001-02-03T00:00:00"),
        (np.inf, None),
        ((1, "a", None), [1, "a", None]),
        ({1: {"x": np.float32(0.5)}}, {"1": {"x": 0.5}}),
        (Path("a"), "a"),
    ],
)
def test_values_become_what_json_can_hold(value: object, expected: object) -> None:
    found = console.json_value(value)
    assert found == expected
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (0.123456, "0.1235"),
        (123456.7, "123,457"),
        (None, "–"),
        (pd.NaT, "–"),
        ("text", "text"),
        (True, "True"),
        (pd.Timestamp("2001-02-03"), "2001-02-03"),
        (pd.Timestamp("2001-02-03 04:05"), "2001-02-03 04:05:00"),
    ],
)
def test_cells_are_short(value: object, text: str) -> None:
    assert console.cell(value) == text


def test_amounts_have_a_sign() -> None:
    assert console.signed(1234.5) == "+1,234.50"
    assert console.signed(math.nan) == "–"


def test_values_at_the_edge_get_a_star() -> None:
    assert summary.chosen({"a": 1.0, "b": 2.5}, {"b": True}) == "a 1, b 2.5*"
    assert summary.chosen({}) == ""


def test_statistics_of_several_accounts_stand_side_by_side(
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary.show_statistics({"one": {"net": 1.0}, "two": {"net": 2.0}}, "title")
    line = next(line for line in capsys.readouterr().out.splitlines() if "net" in line)
    assert line.split() == ["net", "1", "2"]


def test_a_table_like_that_of_the_demo_fits_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_console", lambda: Console(width=80))
    columns = ["symbol", "chosen values", "objective", "trades", "net result"]
    row = ["AAPL", "cycle 13.55*, factor 4.745*, stop 1.279*", "0.9138", "169", "+84.15"]
    console.show_table("title", columns, [row], text_columns=2)
    shown = capsys.readouterr().out
    assert all(text in shown for text in [*columns[:-1], *row, "net", "result"])
    assert max(len(line) for line in shown.splitlines()) <= 80
