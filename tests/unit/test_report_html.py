# SPDX-License-Identifier: BSD-3-Clause
"""Pages: self-contained, escaped, and formed as HTML asks."""

from __future__ import annotations

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from broadpeak._report import page, wording
from broadpeak._report.page import (
    Answer,
    Card,
    Cards,
    Caution,
    Cell,
    Chart,
    Fact,
    Facts,
    Finding,
    Findings,
    Fold,
    Paragraph,
    Section,
    Table,
    figure_json,
    table_html,
)
from broadpeak._report.sections import MOST_TRADES, frame_table, trade_table

EVIL = "<script>alert('x')</script>&\"</td>"
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Balance(HTMLParser):
    """Checks that every element is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Balance:
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    return parser


def sections(name: str = "IBM") -> list[Section]:
    figure = go.Figure({"data": [{"type": "scatter", "x": [1, 2], "y": [3, 4], "name": name}]})
    return [
        Section(
            "What was chosen",
            [
                Cards([Card(name, name, [name], [Caution(name), Caution(name, name)])]),
                Answer(name, "ok", name),
                Facts([Fact(name, name, name), Fact(name, name)]),
                Findings([Finding(name, name, name, name, "bad", name)]),
                Paragraph(name),
                Table([name, "b"], [[name, "1"]], note=name),
                Fold(name, [Chart(figure, name), Caution(name)], is_open=False),
            ],
            lead=name,
        )
    ]


def without_plotly(text: str) -> str:
    return re.sub(r"<script>/\*\*.*?</script>", "", text, count=1, flags=re.DOTALL)


def test_a_page_is_well_formed_and_holds_the_plot_library_once() -> None:
    text = page.page("trend", "IBM", sections(), "the end")
    seen = parsed(text).seen
    assert seen.count("h1") == 1
    assert text.count("const PLOTLY=") == 1
    assert len(text) < 800_000
    library = packed_library(text)
    assert library.startswith("/**\n* plotly.js (cartesian - minified) v")
    assert "MIT license" in library[:300]


def packed_library(text: str) -> str:
    packed = json.loads(re.search(r"const PLOTLY=(\{.*?\});", text)[1])  # type: ignore[index]
    raw = zlib.decompress(base64.b64decode(packed["data"]), -15)
    assert len(raw) == packed["size"]
    return raw.decode("utf-8")


def test_a_picture_in_space_brings_the_whole_library() -> None:
    figure = go.Figure({"data": [{"type": "surface", "z": [[1, 2], [3, 4]]}]})
    text = page.page("t", "", [Section("A", [Chart(figure, "a surface")])], "")
    assert packed_library(text) == get_plotlyjs()


def test_dates_that_lines_share_are_written_once() -> None:
    dates = np.datetime_as_string(np.arange(900).astype("datetime64[D]"))
    line = {"type": "scatter", "x": dates, "y": np.arange(900.0)}
    other = {"type": "scatter", "x": dates[:500], "y": np.arange(500.0)}
    charts = [Chart(go.Figure({"data": [line, line, other]}), "a"), Chart(go.Figure([line]), "b")]
    text = page.page("t", "", [Section("A", charts)], "")
    shared = json.loads(re.search(r"const SHARED=(\[.*?\]);", text)[1])  # type: ignore[index]
    assert [len(base64.b64decode(one["days"])) // 4 for one in shared] == [900, 500]
    found = re.findall(r'"x":\{"shared":(\d)\}', text)
    assert found == ["0", "0", "1", "0"]


def test_cells_keep_the_whole_figure_and_their_colour() -> None:
    cells = [Cell("1.2 %", 0.0123456), Cell("3", 3), Cell("-", None), Cell("up", "u", 0.5)]
    text = table_html(Table(["a", "b", "c", "d"], [cells]))
    assert 'data-v="0.0123456">1.2 %' in text
    assert '<td class="right">3</td>' in text
    assert '<td class="right">-</td>' in text
    assert '<td class="right gain" data-v="u" style="--s:0.50">up</td>' in text
    assert 'class="right loss"' in table_html(Table(["a", "b"], [["x", Cell("1", 1.0, -2.0)]]))
    neutral = Cell("1", 1.0, -0.4, is_neutral=True)
    assert 'class="right size"' in table_html(Table(["a", "b"], [["x", neutral]]))


def test_long_and_wide_tables_have_their_buttons() -> None:
    rows = [[str(row), "b"] for row in range(5)]
    text = table_html(Table(["a", "b"], rows, minor=["b"], shown=3, title="All"))
    assert text.count('<tr class="later">') == 2
    assert "All 5 rows" in text
    assert "All columns" in text
    assert text.count("right minor") == 6
    plain = table_html(Table(["a", "b"], rows))
    assert "All 5 rows" not in plain
    assert "All columns" not in plain
    assert "Copy as CSV" in plain
    assert "Copy as CSV" not in table_html(Table(["a", "b"], []))


def test_a_page_without_charts_is_small() -> None:
    assert len(page.page("trend", "", [Section("A", [Paragraph("b")])], "")) < 20_000


def test_a_page_needs_no_network() -> None:
    text = without_plotly(page.page("trend", "IBM", sections(), "the end"))
    assert not re.search(r"<(?:link|img|iframe|script)[^>]*(?:src|href)=", text)
    assert "http:" not in text
    assert "https:" not in text


def test_everything_the_user_names_is_escaped() -> None:
    text = without_plotly(page.page(EVIL, EVIL, sections(EVIL), EVIL))
    parsed(text)
    assert "<script>alert" not in text
    assert "alert('x')</script>" not in text


def test_a_path_is_made_with_its_folders(tmp_path: Path) -> None:
    path = page.write_page(tmp_path / "a" / "b" / "page.html", "t", "s", sections(), "f")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_unknown_parts_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="unreachable: int is no part"):
        page.page("t", "", [Section("A", [1])], "")


def test_long_curves_are_packed_and_short_ones_stay_readable() -> None:
    n = 1000
    dates = np.datetime_as_string(np.arange(n).astype("datetime64[D]"))
    long = go.Figure({"data": [{"type": "scatter", "x": dates, "y": np.arange(n, dtype=float)}]})
    trace = json.loads(figure_json(long))["data"][0]
    assert set(trace["x"]) == {"days"}
    assert trace["y"]["dtype"] == "f4"
    short = go.Figure({"data": [{"type": "scatter", "x": dates[:3], "y": [1, 2, 3]}]})
    assert json.loads(figure_json(short))["data"][0]["x"] == list(dates[:3])


def test_times_within_days_are_packed_as_milliseconds_and_other_strings_stay() -> None:
    n = 500
    times = np.datetime_as_string(np.arange(n).astype("datetime64[h]").astype("datetime64[s]"))
    names = np.array([f"bar {k}" for k in range(n)])
    for x, kind in ((times, dict), (names, list)):
        figure = go.Figure({"data": [{"type": "scatter", "x": x, "y": np.zeros(n)}]})
        assert isinstance(json.loads(figure_json(figure))["data"][0]["x"], kind)


def test_maps_are_packed_with_their_shape() -> None:
    cells = np.arange(1200.0).reshape(30, 40)
    figure = go.Figure({"data": [{"type": "heatmap", "z": cells}]})
    packed = json.loads(figure_json(figure))["data"][0]["z"]
    assert packed["shape"] == "30,40"
    values = np.frombuffer(base64.b64decode(packed["bdata"]), dtype="<f4")
    np.testing.assert_array_equal(values.reshape(30, 40), cells)


def test_json_cannot_close_its_element() -> None:
    figure = go.Figure({"layout": {"title": {"text": "</script><b>"}}})
    assert "<" not in figure_json(figure)


def test_tables_align_and_say_when_they_are_empty() -> None:
    assert 'class="none"' in table_html(Table(["a", "b"], []))
    text = table_html(Table(["a", "b"], [["x", "1"]], note="c"))
    parsed(text)
    assert '<tr><th scope="row" class="left">x</th><td class="right">1</td></tr>' in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (30.0, "30"),
        (0.00001234, "1.234e−05"),
        (1e15, "1.000e+15"),
        (-1234.5, "−1,234"),
        (float("inf"), "∞"),
        (float("-inf"), "−∞"),
        (float("nan"), "–"),
        (None, "–"),
        ("x", "–"),
        (99999.6, "100,000"),
    ],
)
def test_numbers_are_short(value: object, text: str) -> None:
    assert wording.number(value) == text


def test_amounts_shares_counts_and_moments() -> None:
    assert wording.money(-0.001) == "0.00"
    assert wording.money(float("nan")) == "–"
    assert wording.percent(float("inf")) == "∞"
    assert wording.count(float("nan")) == "–"
    assert wording.moment(pd.NaT) == "–"
    assert wording.moment(pd.Timestamp("2001-02-03", tz="UTC")) == "2001-02-03"


def test_axis_values_are_dates_of_the_wall_clock_or_the_labels() -> None:
    index = pd.date_range("2001-01-01 09:30", periods=2, freq="h", tz="America/New_York")
    assert list(wording.axis_values(index)) == ["2001-01-01T09:30:00", "2001-01-01T10:30:00"]
    assert list(wording.axis_values(pd.RangeIndex(2))) == [0, 1]


def records(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "column": "IBM",
            "direction": "long",
            "size": 1.0,
            "entry_time": pd.date_range("2001-01-01", periods=n),
            "exit_time": pd.date_range("2001-01-02", periods=n),
            "entry_price": 10.0,
            "exit_price": 11.0,
            "entry_fees": 0.1,
            "exit_fees": 0.1,
            "pnl": np.arange(n) - 1.0,
            "return": 0.1,
            "bars": 1,
            "mae": -0.01,
            "mfe": 0.11,
            "status": ["closed"] * (n - 1) + ["open"] if n else [],
            "exit_reason": "signal",
        }
    )


@pytest.mark.parametrize("n", [0, 1, MOST_TRADES, MOST_TRADES + 1, 2500])
def test_of_many_trades_the_ends_are_shown(n: int) -> None:
    table = trade_table(records(n))
    gaps = [row[1] for row in table.rows if row[0] == "…"]
    assert gaps == ([f"{n - MOST_TRADES:,} more"] if n > MOST_TRADES else [])
    assert len(table.rows) - len(gaps) == min(n, MOST_TRADES)
    assert bool(table.note) == (n > MOST_TRADES)
    table_html(table)


def test_a_frame_becomes_a_table() -> None:
    frame = pd.DataFrame(
        {
            "train_start": pd.to_datetime(["2001-01-01"]),
            "params": [{"IBM": {"fast": 3.0}}],
            "score": [1.23456],
            "none": [None],
            "text": ["x"],
        }
    )
    table = frame_table(frame)
    score = Cell("1.235", 1.23456)
    assert list(table.rows[0]) == ["2001-01-01", "IBM fast 3", score, "–", "x"]
    assert table.columns[0] == "train start"
