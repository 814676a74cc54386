# SPDX-License-Identifier: BSD-3-Clause
"""Pages as a reader has them: drawn, silent, sorted and copied by clicks, light and dark."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

sys.path.insert(0, str(Path(__file__).parent))
from browser import Page, browser, browser_path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser_path() is None, reason="there is no Chromium"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

NAMES = ("training", "walk", "test", "signals", "sweep")
MEGABYTE = 1_000_000


@bp.strategy(lookback=200)
def trend(s: Any) -> None:
    for _ in s.loop():
        fast = s.optimize(20, 5, 50, 5, name="fast")
        factor = s.optimize(3, 1.5, 5, 0.5, name="factor")
        s.stop = bp.atr(s.high, s.low, s.close, 20) * 4
        near, far = bp.sma(s.close, fast), bp.sma(s.close, fast * factor)
        s.plot("near", near)
        s.plot("far", far)
        s.enter_long(bp.crossed_above(near, far))
        s.enter_short(bp.crossed_below(near, far))


@pytest.fixture(scope="module")
def tested() -> bp.Portfolio:
    data, costs = bp.Data.sample(), bp.Costs(spread=0.02, fees=0.0005)
    return bp.test(trend, data, bp.train(trend, data, end="2009-12-31", costs=costs))


@pytest.fixture(scope="module")
def pages(tested: bp.Portfolio, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    data = bp.Data.sample()
    training = bp.train(trend, data, end="2009-12-31", costs=bp.Costs(fees=0.0005))
    walked = bp.walk_forward(trend, data.select("IBM"), cycles=4)
    close = data.close["AAPL"]
    near, far = bp.sma(close, [10, 20, 40, 60]), bp.sma(close, 120)
    far = pd.DataFrame(dict.fromkeys(near.columns, far))
    far.columns = near.columns
    many = bp.Portfolio.from_signals(close, near > far, near < far, init_cash=1000)
    return {
        "training": training.report(folder / "training.html"),
        "walk": walked.report(folder / "walk.html", verdict=False),
        "test": tested.report(folder / "test.html", verdict=False),
        "signals": many.report(folder / "signals.html", many.sharpe_ratio.index[1], verdict=False),
        "sweep": bp.select(many.sharpe_ratio).report(folder / "sweep.html"),
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


def click(page: Page, selector: str, text: str, within: str = "body") -> None:
    """Press the one button of this text."""
    pressed = page.run(
        f"""(() => {{
            const found = [...document.querySelectorAll({within!r} + " " + {selector!r})]
                .filter((one) => one.textContent.trim() === {text!r});
            found.forEach((one) => one.click());
            return found.length;
        }})()"""
    )
    assert pressed == 1, f"{pressed} buttons {text!r}"


def column(page: Page, section: str, title: str, name: str) -> list[str]:
    """Return the texts that are seen in a column of a titled table."""
    found: list[str] = page.run(
        f"""(() => {{
            const title = (one) => (one.querySelector("h3") || {{ textContent: "" }}).textContent;
            const box = [...document.querySelectorAll("#{section} .box")]
                .find((one) => title(one) === {title!r});
            const heads = [...box.querySelectorAll("thead th")].map((one) => one.textContent);
            return [...box.querySelectorAll("tbody tr")].filter((row) => row.offsetHeight)
                .map((row) => row.cells[heads.indexOf({name!r})].textContent);
        }})()"""
    )
    return found


def copied(page: Page, section: str, title: str = "") -> pd.DataFrame:
    """Press the button below a table and read what it copied."""
    text = page.run(
        f"""(() => {{
            const title = (one) => (one.querySelector("h3") || {{ textContent: "" }}).textContent;
            const box = [...document.querySelectorAll("#{section} .box")]
                .find((one) => title(one) === {title!r});
            const button = box.querySelector("button.copy");
            button.click();
            return button.dataset.csv;
        }})()"""
    )
    return pd.read_csv(io.StringIO(text))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_drawn_silent_and_no_wider_than_its_window(
    page: Page, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    page.faults.clear()
    page.open(pages[name], width=width, dark=dark)
    drawn, asked = page.run(
        """(() => {
            const boxes = [...document.querySelectorAll(".chart")];
            const drawn = boxes.filter((one) => one.querySelector(".main-svg"));
            const open = boxes.filter((one) => !one.closest("details:not([open])"));
            return [drawn.length, open.length];
        })()"""
    )
    assert drawn == asked > 0
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.run("new Promise((done) => setTimeout(done, 200))")  # folds are told later
    assert page.run("[...document.querySelectorAll('.chart')].every((one) => one.dataset.drawn)")
    ink = page.run("getComputedStyle(document.body).color")
    assert ink == ("rgb(230, 235, 240)" if dark else "rgb(28, 39, 51)")
    assert page.faults == []


@pytest.mark.parametrize("name", NAMES)
def test_a_usual_page_can_be_sent_by_mail(pages: dict[str, Path], name: str) -> None:
    assert pages[name].stat().st_size < 2 * MEGABYTE


def test_tables_are_sorted_by_figures_and_what_is_missing_stays_below(
    page: Page, pages: dict[str, Path], tested: bp.Portfolio
) -> None:
    page.open(pages["test"])
    click(page, "#trades button.sort", "Result")
    results = np.sort(tested.trades["pnl"])
    shown = [float(text.replace("−", "-").replace(",", "")) for text in _results(page)]
    np.testing.assert_allclose(shown, results[: len(shown)], atol=0.5)
    assert len(shown) == 20
    click(page, "#trades button.sort", "Result")
    shown = [float(text.replace("−", "-").replace(",", "")) for text in _results(page)]
    np.testing.assert_allclose(shown, results[::-1][: len(shown)], atol=0.5)
    page.run("document.querySelector('#trades button.all').click()")
    assert len(_results(page)) == len(tested.trades)
    click(page, "#trades button.sort", "Exit")
    assert column(page, "trades", "All trades", "Exit")[-1] == "–"
    click(page, "#trades button.sort", "Exit")
    assert column(page, "trades", "All trades", "Exit")[-1] == "–"


def _results(page: Page) -> list[str]:
    return column(page, "trades", "All trades", "Result")


def test_what_is_copied_are_the_whole_figures(
    page: Page, pages: dict[str, Path], tested: bp.Portfolio
) -> None:
    page.open(pages["test"])
    months = copied(page, "months-and-years").set_index("Year")
    np.testing.assert_allclose(
        months.iloc[:, -12:], tested.monthly_returns() * 100, rtol=1e-8, atol=1e-12
    )
    np.testing.assert_allclose(months["Total"], tested.yearly_returns() * 100, rtol=1e-8)
    trades = copied(page, "trades", "All trades")
    expected = tested.trades.sort_values("entry_time", kind="stable")
    np.testing.assert_allclose(trades["Result"], expected["pnl"], rtol=1e-8)
    np.testing.assert_allclose(trades["MAE"], expected["mae"], rtol=1e-8)
    figures = copied(page, "test--partly-in-sample").set_index("Unnamed: 0")
    assert figures.loc["Sharpe ratio", "Parameters"] == pytest.approx(tested.sharpe_ratio)
    held = tested.held
    assert held is not None
    assert figures.loc["Sharpe ratio", "Buy and hold"] == pytest.approx(held.sharpe_ratio)


def test_the_button_of_the_theme_turns_page_and_charts(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["walk"])
    title = "getComputedStyle(document.querySelector('.gtitle')).fill"
    assert page.run(title) == "rgb(28, 39, 51)"
    click(page, "#theme", "Dark")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 25)"
    assert page.run(title) == "rgb(230, 235, 240)"
    click(page, "#theme", "Light")
    assert page.run(title) == "rgb(28, 39, 51)"


def test_the_result_is_seen_on_a_telephone(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["test"], width=400)
    right = """[...document.querySelectorAll("#trades thead th")]
        .find((one) => one.textContent === "{name}").getBoundingClientRect().right"""
    assert 0 < page.run(right.format(name="Result")) <= 400
    assert 0 < page.run(right.format(name="Return")) <= 400
    assert page.run(right.format(name="Exit")) == 0
    page.run("document.querySelector('#trades button.wide').click()")
    assert page.run(right.format(name="Exit")) > 400
    total = """[...document.querySelectorAll("#months-and-years thead th")]
        .find((one) => one.textContent === "Total").getBoundingClientRect().right"""
    assert 0 < page.run(total) <= 400
