# SPDX-License-Identifier: BSD-3-Clause
"""A verdict: its one word, its table, and how it is written."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadpeak._validation.verdict import (
    DOUBTFUL,
    FAIL,
    PASS,
    STATUSES,
    TOO_LITTLE,
    UNTESTED,
    Verdict,
    VerdictRow,
    figure,
    overall_status,
    row_table,
)

ROWS = st.lists(
    st.builds(
        VerdictRow,
        test=st.text(min_size=1, max_size=5),
        figure=st.floats(),
        threshold=st.floats(),
        status=st.sampled_from([PASS, DOUBTFUL, FAIL, UNTESTED]),
        meaning=st.text(max_size=9),
        role=st.sampled_from(["gate", "doubt", "robustness", "shown"]),
    ),
    max_size=6,
)
P_VALUES = st.floats(0.0, 1.0)


def row(status: str, role: str) -> VerdictRow:
    return VerdictRow("a test", 1.0, 0.5, status, "It means this.", role)


@given(P_VALUES, P_VALUES, st.floats(0.001, 0.5), ROWS)
def test_a_smaller_p_value_is_never_a_worse_verdict(
    first: float, second: float, alpha: float, rows: list[VerdictRow]
) -> None:
    low, high = sorted((first, second))
    better, worse = (overall_status(p, alpha, rows) for p in (low, high))
    assert STATUSES.index(better) <= STATUSES.index(worse)


@given(P_VALUES, st.floats(0.001, 0.5), ROWS)
def test_rows_only_ever_take_away(p_value: float, alpha: float, rows: list[VerdictRow]) -> None:
    alone, beside = overall_status(p_value, alpha), overall_status(p_value, alpha, rows)
    assert STATUSES.index(alone) <= STATUSES.index(beside)
    assert beside == overall_status(p_value, alpha, rows[::-1])
    shown = [one._replace(role="shown") for one in rows]
    assert overall_status(p_value, alpha, shown) == alone


def test_the_rule() -> None:
    assert overall_status(0.05, 0.05) == PASS
    assert overall_status(0.0501, 0.05) == DOUBTFUL
    assert overall_status(0.1, 0.05) == DOUBTFUL
    assert overall_status(0.1001, 0.05) == FAIL
    assert overall_status(math.nan, 0.05) == FAIL
    # Gates fail, doubts only doubt, one bad robustness row is one of five.
    assert overall_status(0.01, 0.05, [row(FAIL, "gate")]) == FAIL
    assert overall_status(0.08, 0.05, [row(FAIL, "gate")]) == FAIL
    assert overall_status(0.01, 0.05, [row(DOUBTFUL, "gate")]) == PASS
    assert overall_status(0.01, 0.05, [row(FAIL, "doubt")]) == DOUBTFUL
    assert overall_status(0.01, 0.05, [row(DOUBTFUL, "doubt")]) == DOUBTFUL
    assert overall_status(0.01, 0.05, [row(FAIL, "robustness")]) == PASS
    assert overall_status(0.01, 0.05, [row(FAIL, "robustness")] * 2) == DOUBTFUL
    assert overall_status(0.01, 0.05, [row(DOUBTFUL, "robustness")] * 5) == PASS
    # Too little data excuses what was not found; what was found stays found.
    assert overall_status(0.3, 0.05, visible=False) == TOO_LITTLE
    assert overall_status(0.01, 0.05, visible=False) == PASS
    assert overall_status(0.01, 0.05, enough=False) == TOO_LITTLE


@given(ROWS)
def test_the_table_has_the_worst_first(rows: list[VerdictRow]) -> None:
    table = row_table(rows)
    assert table.index.name == "test"
    assert list(table.columns) == ["figure", "threshold", "status", "meaning"]
    rank = table["status"].map({FAIL: 0, DOUBTFUL: 1, PASS: 2, UNTESTED: 3}).tolist()
    assert rank == sorted(rank)
    # Rows of one status keep their order.
    for status in (FAIL, DOUBTFUL, PASS, UNTESTED):
        assert table.index[table["status"] == status].tolist() == [
            one.test for one in rows if one.status == status
        ]


def verdict(rows: list[VerdictRow]) -> Verdict:
    return Verdict(
        status=FAIL,
        tests=row_table(rows),
        n_trials=57,
        p_value=0.43,
        alpha=0.05,
        min_detectable_sharpe=1.2,
        missing=None,
        sharpe=0.8,
        expected_sharpe=math.nan,
        expected_interval=(math.nan, math.inf),
        summary="Luck explains <this>.",
        name="trend",
    )


@given(ROWS)
def test_it_is_plain_json(rows: list[VerdictRow]) -> None:
    made = verdict(rows)
    text = json.dumps(made.to_dict(), allow_nan=False)
    back = json.loads(text)
    assert back == made.to_dict()
    assert back["expected_sharpe"] is None
    assert back["expected_interval"] == [None, None]
    assert [one["test"] for one in back["tests"]] == made.tests.index.tolist()
    for found, known in zip(back["tests"], made.tests["figure"], strict=True):
        assert found["figure"] == (known if math.isfinite(known) else None)


def test_it_says_what_it_found() -> None:
    made = verdict([row(PASS, "gate"), row(FAIL, "shown")._replace(test="luck")])
    lines = str(made).splitlines()
    assert lines[0] == "Verdict on 'trend': fail"
    assert lines[1] == "Luck explains <this>."
    assert lines[3].split() == ["fail", "luck", "1", "against", "0.5"]
    assert "It means this." in lines[4]
    page = made._repr_html_()
    assert "Luck explains &lt;this&gt;." in page
    assert page.count("<tr") == 4  # two lines of labels
    assert repr(made) == "<Verdict on 'trend': fail, p 0.43, 57 trials>"
    with pd.option_context("display.max_colwidth", 10):
        assert "It means this." in made._repr_html_()


@pytest.mark.parametrize(
    ("value", "text"),
    [(np.float64(0.5), "0.5"), (1e6, "1,000,000"), (-3.456, "-3.46"), (-math.inf, "-∞")],
)
def test_figures_are_short(value: float, text: str) -> None:
    assert figure(value) == text
