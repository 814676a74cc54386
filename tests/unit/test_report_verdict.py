# SPDX-License-Identifier: BSD-3-Clause
"""The verdict on top of a page, and what stands beside a result: buying and holding."""

from __future__ import annotations

import html
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._report.page import page
from broadpeak._report.verdict_section import verdict_section
from broadpeak._training.result import Training
from broadpeak._validation.verdict import Verdict, VerdictRow, row_table

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ROWS = [
    VerdictRow("noise", 0.41, 0.3, "pass", "It takes <some> noise."),
    VerdictRow("bars in random order", 0.31, 0.05, "fail", "Noise does as well."),
    VerdictRow("overfitting", math.nan, 0.5, "-", "Too few configurations."),
    VerdictRow("costs", math.nan, 0.3, "doubtful", "None were given."),
]


def verdict(status: str = "fail", **changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "status": status,
        "tests": row_table(ROWS),
        "n_trials": 1234,
        "p_value": 0.31,
        "alpha": 0.05,
        "min_detectable_sharpe": 0.83,
        "missing": None,
        "sharpe": 0.4,
        "expected_sharpe": 0.05,
        "expected_interval": (-0.42, 0.51),
        "summary": "Nothing tells this <result> from luck.",
    }
    return Verdict(**{**values, **changes})


def text_of(written: str) -> str:
    """What a reader sees: neither scripts nor styles nor tags."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", written, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", bare).split())  # any kind of space


def shown(found: Verdict | None, why_not: str = "", where: str = "in sample") -> str:
    return page("t", "s", [verdict_section(found, why_not, where)], "f")


@pytest.mark.parametrize(
    ("status", "level"),
    [("pass", "ok"), ("doubtful", "doubt"), ("fail", "bad"), ("too little data", "open")],
)
def test_the_word_has_its_colour(status: str, level: str) -> None:
    text = shown(verdict(status))
    assert f'<p class="answer {level}"><span class="word">{status}</span></p>' in text
    assert "Nothing tells this &lt;result&gt; from luck." in text


def test_rows_are_worst_first_with_figure_threshold_status_and_meaning() -> None:
    text = shown(verdict())
    rows = re.findall(r'<tr class="(\w+)">(.*?)</tr>', text)
    assert [level for level, _ in rows] == ["bad", "doubt", "ok", "open"]
    assert [text_of(row) for _, row in rows] == [
        "bars in random order 0.31 0.05 fail Noise does as well.",
        "costs – 0.3 doubtful None were given.",
        "noise 0.41 0.3 pass It takes &lt;some&gt; noise.",
        "overfitting – 0.5 not tested Too few configurations.",
    ]


def test_a_figure_that_decides_nothing_is_not_said_to_be_untested() -> None:
    rows = [VerdictRow("deflated Sharpe ratio", 0.4, 0.95, "-", "Published.")]
    text = text_of(shown(verdict(tests=row_table(rows))))
    assert "deflated Sharpe ratio 0.4 0.95 shown only Published." in text


def test_the_figures_of_a_verdict_stand_beside_each_other() -> None:
    text = text_of(shown(verdict()))
    assert "Chance of this by luck alone 31.0 % p value; at most 5 % to pass" in text
    assert "Sharpe ratio in sample 0.40" in text
    assert "To expect from now on 0.05 80 % interval: −0.42 to 0.51" in text
    assert "Smallest visible edge 0.83" in text
    assert "Trials counted 1,234 of this result" in text
    assert "Missing" not in text


@pytest.mark.parametrize(
    ("n_searches", "words"),
    [(1, "of this result"), (2, "and of another search"), (8, "and of 7 other searches")],
)
def test_searches_of_others_are_named(n_searches: int, words: str) -> None:
    text = text_of(shown(verdict(n_searches=n_searches)))
    assert words in text
    assert ("on these prices" in text) == (n_searches > 1)


def test_what_is_missing_is_said() -> None:
    found = verdict("too little data", missing="6.5 more years")
    assert "Missing 6.5 more years for an answer either way" in text_of(shown(found))


def test_without_an_expectation_there_is_no_interval() -> None:
    nothing = math.nan
    found = verdict(expected_sharpe=nothing, expected_interval=(nothing, nothing))
    assert "To expect from now on – Smallest" in text_of(shown(found))


def test_out_of_sample_is_called_that() -> None:
    assert "Sharpe ratio out of sample 0.40" in text_of(shown(verdict(), "", "out of sample"))


def test_what_was_not_judged_says_so_and_why() -> None:
    text = text_of(shown(None, "Nobody asked."))
    assert "Verdict not judged Nobody asked." in text


# ------------------------------------------------------------------ pages of real results


@bp.strategy(lookback=60)
def momentum(s: Any) -> None:
    for _ in s.loop():
        days = s.optimize(20, 10, 50, 10, name="days")
        s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
        s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))


DATA = bp.Data.sample(["IBM", "MSFT"])["2005":"2008"]


@pytest.fixture(scope="module")
def training() -> bp.Training:
    return bp.train(momentum, DATA)


def test_a_verdict_that_fails_does_not_take_the_page_with_it(
    training: bp.Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object) -> Verdict:
        msg = "no permutation of these <prices>"
        raise bp.DataError(msg)

    monkeypatch.setattr(Training, "verdict", broken, raising=False)
    text = training.report(tmp_path / "a.html").read_text("utf-8")
    assert "not judged" in text
    assert "no permutation of these &lt;prices&gt;" in text


@pytest.mark.parametrize("wanted", [1, None, "yes"])
def test_verdict_is_a_flag(training: bp.Training, wanted: Any, tmp_path: Path) -> None:
    with pytest.raises(bp.ParamError, match="verdict must be"):
        training.report(tmp_path / "a.html", verdict=wanted)


@pytest.fixture(scope="module")
def walked() -> bp.WalkForward:
    return bp.walk_forward(momentum, DATA, cycles=3)


@pytest.mark.parametrize("which", ["training", "walked"])
def test_a_page_begins_with_its_verdict_and_calls_nothing_good(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    result: bp.Training | bp.WalkForward = request.getfixturevalue(which)
    written = result.report(tmp_path / "a.html").read_text("utf-8")
    found = result.verdict()
    text = text_of(written)
    first = re.search(r"<section.*?</section>", written, re.DOTALL)
    assert first is not None
    assert found.status in text_of(first.group())
    assert found.summary in html.unescape(text_of(first.group()))
    tests = re.findall(r'<th scope="row">(.*?)</th>', first.group())
    assert [html.unescape(name) for name in tests] == list(found.tests.index)
    assert not re.search(r"\bgood\b", text, re.IGNORECASE)
    assert "Buy and hold" in text
    assert "in sample" in text


def test_an_engine_changes_nothing_in_a_verdict_so_that_it_is_kept() -> None:
    one, other = (bp.train(momentum, DATA) for _ in range(2))
    found = one.verdict(engine="threadpool", n_workers=2)
    assert one.verdict() is found
    assert one.verdict(alpha=0.01) is not found
    assert one.verdict() is found
    assert other.verdict().to_dict() == found.to_dict()


def test_a_page_computes_the_verdict_once(training: bp.Training, tmp_path: Path) -> None:
    found = training.verdict()
    first = training.report(tmp_path / "a.html").read_bytes()
    assert training.verdict() is found
    assert training.report(tmp_path / "b.html").read_bytes() == first


def test_holding_is_the_mean_of_the_prices_bought_at_the_first_tested_close(
    training: bp.Training,
) -> None:
    held = training.backtests.held
    closes = DATA.close.iloc[60:]
    want = 10_000 * (closes / closes.iloc[0]).mean(axis=1)
    assert held.value.to_numpy() == pytest.approx(want.to_numpy())
    assert held.returns.to_numpy()[1:] == pytest.approx(want.pct_change().to_numpy()[1:])
    assert held.index.equals(training.portfolio.index)
    assert held.num_trades == 2


def test_holding_pays_the_same_costs_and_spares_what_is_not_traded() -> None:
    prices = {name: DATA.select(name) for name in ("IBM", "MSFT")}
    costs = {"IBM": bp.Costs(fees=0.01, lot_amount=100)}
    free = held_of(bp.test(momentum, prices["IBM"]))
    paid = held_of(bp.test(momentum, prices["IBM"], costs=costs))
    assert list(paid.components) == ["IBM"]
    assert paid.value.iloc[0] == pytest.approx(10_000 / 1.01)
    assert paid.value.iloc[-1] == pytest.approx(free.value.iloc[-1] / 1.01)
    assert paid.held is None


def held_of(tested: bp.Portfolio) -> bp.Portfolio:
    assert tested.held is not None
    return tested.held


def test_holding_starts_with_each_symbol_of_its_own_calendar() -> None:
    late = DATA.select("MSFT").close.iloc[400:]
    early = DATA.select("IBM").close
    data = bp.Data.from_frames(
        {"IBM": pd.DataFrame({"close": early}), "MSFT": pd.DataFrame({"close": late})}
    )
    tested = bp.test(momentum, data, start=data.index[100])
    held = held_of(tested)
    ibm = early.iloc[100:].to_numpy()
    begins = int(data.index.get_loc(late.index[60])) - 100
    # Until the other one begins, half of the money waits.
    shares = 5_000 * ibm / ibm[0]
    np.testing.assert_allclose(held.value.to_numpy()[:begins], shares[:begins] + 5_000)
    other = 5_000 * late.iloc[-1] / late.iloc[60]
    np.testing.assert_allclose(held.value.iloc[-1], shares[-1] + other)


def test_holding_in_a_walk_forward_spans_its_tests(walked: bp.WalkForward) -> None:
    assert walked.held.index.equals(walked.portfolio.index)
    assert walked.held is walked.held
    assert walked.held.value.iloc[0] == pytest.approx(walked.portfolio.value.iloc[0])


def test_bars_after_the_training_hold_from_their_first_on() -> None:
    found = bp.train(momentum, DATA, end="2007-12-31").backtests
    assert found.held_unseen is not None
    assert found.chosen_unseen is not None
    assert found.held_unseen.index.equals(found.chosen_unseen.index)
