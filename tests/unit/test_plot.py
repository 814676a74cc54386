# SPDX-License-Identifier: BSD-3-Clause
"""`bp.plot`: what pictures of scores show, and what is said where there is nothing to show."""

from __future__ import annotations

import datetime as dt
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._report import theme
from broadpeak._report.page import Chart, Section, page
from broadpeak.errors import ParamError, ParamTypeError

AXES = {"fast": [5, 10, 15], "slow": [20, 40], "stop": [0.1, 0.2], "symbol": ["IBM", "MSFT"]}


def product(**axes: Any) -> pd.Series:
    """Return scores over all combinations, noise that stays the same."""
    index = pd.MultiIndex.from_product([*axes.values()], names=[*axes])
    return pd.Series(np.random.default_rng(7).normal(size=len(index)), index=index, name="sharpe")


SCORES = product(**AXES)
RULES = {"mean": "mean", "median": "median", "max": "max", "min": "min"}


def title(figure: Any) -> str:
    return re.sub(r"<[^>]*>", " ", figure.layout.title.text)


def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in reversed(figure.data)}  # the first of a name


@pytest.mark.parametrize("rule", RULES)
def test_cells_are_what_pandas_makes_of_the_other_levels(rule: str) -> None:
    figure = bp.plot.heatmap(SCORES, "slow", "fast", others=rule)
    table = SCORES.reset_index().pivot_table("sharpe", "fast", "slow", aggfunc=rule)
    np.testing.assert_allclose(figure.data[0].z, table.to_numpy(), rtol=1e-13)
    assert list(figure.data[0].x) == [20, 40]
    assert list(figure.data[0].y) == [5, 10, 15]
    assert f"{rule} over stop and symbol" in title(figure)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 2),
            st.one_of(st.floats(-1e6, 1e6), st.sampled_from([np.nan, np.inf, -np.inf])),
        ),
        min_size=1,
        max_size=40,
    ),
    rule=st.sampled_from([*RULES]),
    seed=st.integers(0, 9),
)
def test_any_rows_in_any_order_give_the_table_of_pandas(
    rows: list[Any], rule: str, seed: int
) -> None:
    frame = pd.DataFrame(rows, columns=["n", "kind", "z", "score"])
    scores = frame.set_index(["n", "kind", "z"])["score"]
    figure = bp.plot.heatmap(scores, "n", "kind", others=rule)
    usable = frame[np.isfinite(frame["score"])]
    if usable.empty:
        assert "No usable score" in figure.layout.annotations[0].text
        return
    wanted = usable.groupby(["kind", "n"])["score"].agg(rule)
    names, numbers = [*figure.data[0].y], [*figure.data[0].x]
    assert set(numbers) == set(frame["n"])
    assert set(names) == set(frame["kind"])
    cells = np.asarray(figure.data[0].z)
    for row, name in enumerate(names):
        for column, number in enumerate(numbers):
            want = wanted.get((name, number), np.nan)
            np.testing.assert_allclose(cells[row, column], want, rtol=1e-9, atol=1e-9)
    mixed = bp.plot.heatmap(scores.sample(frac=1, random_state=seed), "n", "kind", others=rule)
    np.testing.assert_array_equal(mixed.data[0].z, cells)


def test_levels_are_held_at_a_label() -> None:
    figure = bp.plot.heatmap(SCORES, "fast", "slow", at={"symbol": "IBM", "stop": 0.1 + 1e-15})
    wanted = SCORES.xs("IBM", level="symbol").xs(0.1, level="stop").unstack("fast")
    np.testing.assert_array_equal(figure.data[0].z, wanted.to_numpy())
    assert "symbol=IBM; stop=0.1" in title(figure)
    # What is held is no axis, though nobody said which are.
    free = bp.plot.heatmap(SCORES, at={"fast": 5})
    assert (free.layout.xaxis.title.text, free.layout.yaxis.title.text) == ("slow", "stop")


def test_the_highest_cell_of_what_is_drawn_is_marked() -> None:
    figure = bp.plot.heatmap(SCORES, "fast", "slow")
    means = SCORES.groupby(["fast", "slow"]).mean()
    fast, slow = means.idxmax()
    mark = figure.data[1]
    assert (mark.x[0], mark.y[0], mark.name) == (fast, slow, f"highest {fast} / {slow}")


def test_a_selection_is_drawn_at_its_choice_with_choice_and_peak() -> None:
    chosen = bp.select(SCORES)
    figure = bp.plot.heatmap(chosen, "fast", "slow")
    same = SCORES.xs((chosen.params["stop"], chosen.params["symbol"]), level=["stop", "symbol"])
    np.testing.assert_array_equal(figure.data[0].z, same.unstack("fast").to_numpy())
    mark = figure.data[1]
    assert (mark.x[0], mark.y[0]) == (chosen.params["fast"], chosen.params["slow"])
    assert mark.name.startswith("chosen")
    assert figure.to_dict().keys() == chosen.heatmap("fast", "slow").to_dict().keys()
    mean = bp.plot.heatmap(chosen, "fast", "slow", others="mean")
    np.testing.assert_array_equal(mean.data[0].z, bp.plot.heatmap(SCORES, "fast", "slow").data[0].z)
    elsewhere = next(name for name in AXES["symbol"] if name != chosen.params["symbol"])
    held = bp.plot.heatmap(chosen, "fast", "slow", at={"symbol": elsewhere}, others="mean")
    assert "chosen" not in " ".join(trace.name or "" for trace in held.data)


LABELS: dict[str, list[Any]] = {
    "dates": [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-02-01 10:30")],
    "days": [dt.date(2020, 1, 1), dt.date(2020, 2, 1)],
    "missing": [None, "sma"],
    "flags and texts": [True, "True", False],
    "numbers and names": [1, 2.5, "auto"],
    "markup": ["<b>", "&amp;"],
    "long": ["x" * 60, "x" * 59 + "y"],
    "empty": ["", " "],
    "functions": [len, max],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=[*LABELS])
@pytest.mark.parametrize("draw", ["heatmap", "surface", "volume", "parallel", "slices"])
def test_labels_of_any_kind_are_steps_of_their_own(labels: list[Any], draw: str) -> None:
    index = pd.MultiIndex.from_product([labels, [1, 2], [3, 4]], names=["kind", "n", "m"])
    scores = pd.Series(np.arange(float(len(index))), index=index)
    figure = getattr(bp.plot, draw)(scores)
    assert '<b>"' not in figure.to_json()
    if draw == "heatmap":
        named = bp.plot.heatmap(scores, "kind", "n")
        steps = [*named.data[0].x]
        assert len(set(steps)) == len(labels)
        assert all(isinstance(step, str) and 0 < len(step) < 40 for step in steps)
        assert named.layout.xaxis.type == "category"
        assert np.isfinite(np.asarray(named.data[0].z)).all()
    assert isinstance(figure, go.Figure)


def test_numbers_far_apart_stand_at_equal_distances() -> None:
    scores = product(window=[1, 2, 4, 8, 16, 32], level=[1, 2, 3])
    figure = bp.plot.heatmap(scores)
    assert figure.layout.xaxis.type == "category"
    assert list(figure.data[0].x) == ["1", "2", "4", "8", "16", "32"]
    assert list(figure.data[0].y) == [1, 2, 3]


@pytest.mark.parametrize("draw", ["heatmap", "surface", "volume", "parallel", "slices"])
@pytest.mark.parametrize("n_labels", [(1, 1, 1), (1, 3, 1), (4, 1, 2), (1,), (5,)])
def test_one_value_an_axis_is_drawn(draw: str, n_labels: tuple[int, ...]) -> None:
    scores = product(**{f"p{at}": range(n) for at, n in enumerate(n_labels)})
    for one in (scores, scores.to_frame(), bp.select(scores)):
        figure = getattr(bp.plot, draw)(one)
        assert figure.data
        assert "sharpe" in title(figure)


@pytest.mark.parametrize("draw", ["heatmap", "surface", "volume", "parallel", "slices"])
def test_scores_without_a_usable_one_say_so(draw: str) -> None:
    for value in (np.nan, np.inf, -np.inf):
        figure = getattr(bp.plot, draw)(SCORES * 0 + value)
        assert figure.layout.annotations[0].text == "No usable score to draw."


def test_gaps_of_conditions_stay_empty() -> None:
    scores = product(fast=range(1, 6), slow=range(1, 6))
    kept = scores[scores.index.get_level_values("fast") < scores.index.get_level_values("slow")]
    drawn = np.asarray(bp.plot.heatmap(kept, "fast", "slow").data[0].z)
    assert np.isnan(drawn).sum() == drawn.size - len(kept)


@pytest.mark.parametrize("rule", ["mean", "max"])
def test_a_million_cells_are_joined_by_the_same_rule_and_stay_small(rule: str) -> None:
    n = 1000
    values = np.random.default_rng(0).normal(size=n * n)
    index = pd.MultiIndex.from_product([range(n), range(n)], names=["a", "b"])
    scores = pd.Series(values, index=index, name="score")
    figure = bp.plot.heatmap(scores, others=rule)
    cells = np.asarray(figure.data[0].z)
    assert cells.size <= 60_000
    assert len(figure.to_json()) < 2_000_000
    assert "1,000,000 scores joined" in title(figure)
    assert rule in title(figure)
    each = -(-n // cells.shape[0])
    corner = values.reshape(n, n)[:each, :each]
    assert cells[0, 0] == pytest.approx(getattr(np, rule)(corner))
    assert np.isfinite(cells).all()


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["surface", "volume", "parallel", "slices"])
def test_a_million_scores_are_drawn_small_by_all(draw: str) -> None:
    scores = product(a=range(100), b=range(100), c=range(100))
    assert len(getattr(bp.plot, draw)(scores).to_json()) < 2_000_000


def test_random_draws_are_joined_until_they_can_be_seen() -> None:
    rng = np.random.default_rng(3)
    index = pd.MultiIndex.from_arrays([rng.uniform(0, 9, 500), rng.uniform(0, 1, 500)])
    scores = pd.Series(rng.normal(size=500), index=index)
    cells = np.asarray(bp.plot.heatmap(scores).data[0].z)
    assert cells.size < 500
    assert np.isfinite(cells).mean() > 0.6
    assert np.nanmin(cells) >= scores.min()


def test_names_that_are_dates_stay_names_on_a_page() -> None:
    scores = product(year=[str(year) for year in range(1000, 1500)], n=[1, 2])
    figure = bp.plot.heatmap(scores, "year", "n")
    text = page("t", "", [Section("s", [Chart(figure, "words")])], "")
    assert text.count('"1000","1001"') == 2  # steps of the trace, and order of the axis


def test_a_volume_shows_one_map_and_its_marks_at_a_time() -> None:
    figure = bp.plot.volume(SCORES, "fast", "slow", "stop", at={"symbol": "IBM"})
    slider = figure.layout.sliders[0]
    maps = [trace for trace in figure.data if trace.type == "heatmap"]
    marks = [trace for trace in figure.data if trace.type == "scatter"]
    assert [step.label for step in slider.steps] == ["0.1", "0.2"]
    best = SCORES.xs("IBM", level="symbol").idxmax()
    assert slider.active == [0.1, 0.2].index(best[2])
    for number, step in enumerate(slider.steps):
        seen = step.args[0]["visible"]
        assert len(seen) == len(figure.data)
        assert [at for at, one in enumerate(seen[: len(maps)]) if one] == [number]
        assert seen[len(maps) :] == [number == slider.active] * len(marks)
    assert len({(trace.zmin, trace.zmax) for trace in maps}) == 1
    wanted = SCORES.xs("IBM", level="symbol").xs(0.2, level="stop").unstack("fast")
    np.testing.assert_array_equal(maps[1].z, wanted.to_numpy())


def test_parallel_keeps_the_best_and_the_worst() -> None:
    scores = product(a=range(20), b=range(20), kind=["x", "y"])
    figure = bp.plot.parallel(scores, most=50)
    drawn = np.asarray(figure.data[0].dimensions[-1]["values"])
    assert len(drawn) == 50
    assert (drawn[0], drawn[-1]) == (scores.min(), scores.max())
    assert "50 of 800" in title(figure)
    held = bp.plot.parallel(scores, at={"kind": "x"})
    assert [one.label for one in held.data[0].dimensions] == ["a", "b", "sharpe"]


def test_slices_go_through_one_combination_and_show_the_spread_of_all() -> None:
    figure = bp.plot.slices(SCORES)
    best = dict(zip(SCORES.index.names, SCORES.idxmax(), strict=True))
    lines = [trace for trace in figure.data if trace.name == "through the highest"]
    for line, name in zip(lines, AXES, strict=True):
        others = [other for other in AXES if other != name]
        along = SCORES.xs(tuple(best[other] for other in others), level=others)
        np.testing.assert_array_equal(line.y, along.to_numpy())
    medians = [trace for trace in figure.data if trace.name == "median of all"]
    for line, name in zip(medians, AXES, strict=True):
        np.testing.assert_allclose(line.y, SCORES.groupby(name).median().to_numpy())
    # All panels have one range, so that they can be compared.
    ranges = {tuple(figure.layout[f"yaxis{at}"].range) for at in ("", "2", "3", "4")}
    assert len(ranges) == 1
    through = bp.plot.slices(SCORES, through={"fast": 5, "symbol": "MSFT"})
    assert "fast=5" in title(through)
    assert "symbol=MSFT" in title(through)
    assert "through the chosen" in traces(bp.plot.slices(bp.select(SCORES)))


def test_surfaces_have_names_heights_and_marks() -> None:
    figure = bp.plot.surface(bp.select(SCORES), "symbol", "fast")
    scene = figure.layout.scene
    assert (scene.xaxis.title.text, scene.yaxis.title.text) == ("symbol", "fast")
    assert scene.xaxis.ticktext == ("IBM", "MSFT")
    assert [trace.type for trace in figure.data][:2] == ["surface", "scatter3d"]
    flat = bp.plot.surface(SCORES, "fast", "slow", at={"stop": 0.1}, others="max")
    assert flat.data[0].z.shape == (2, 3)


def test_names_of_the_user_are_escaped() -> None:
    text = "<script>alert(1)</script>"
    scores = product(**{text: [text, "b", "c"], "n": [1, 2], "m": [3, 4]}).rename(text)
    for draw in ("heatmap", "surface", "volume", "parallel", "slices"):
        assert "<script" not in str(getattr(bp.plot, draw)(scores).to_dict())


Mistake = tuple[Any, str, dict[str, Any], tuple[str, ...]]
MISTAKES: list[Mistake] = [
    (3, "heatmap", {}, ("pandas Series", "pf.sharpe_ratio", "training.heatmap")),
    (SCORES.to_frame().assign(b=1), "heatmap", {}, ("one column", "scores['sharpe']", "stack()")),
    (SCORES[:0], "surface", {}, ("at least one score",)),
    (SCORES.astype(str) + "x", "slices", {}, ("numbers",)),
    (SCORES, "heatmap", {"x": "fst"}, ("one of 'fast'", "Did you mean 'fast'?")),
    (SCORES, "heatmap", {"x": "fast", "y": "fast"}, ("be two parameters",)),
    (SCORES, "volume", {"x": "fast", "z": "fast"}, ("be three parameters",)),
    (SCORES, "heatmap", {"others": "best"}, ("'mean', 'median', 'max', 'min'",)),
    (SCORES, "heatmap", {"others": "chosen"}, ("bp.plot.heatmap(bp.select(scores))",)),
    (SCORES, "heatmap", {"at": {"symbol": "AAPL"}}, ("label that 'symbol' has", "'IBM', 'MSFT'")),
    (SCORES, "heatmap", {"at": {"symbl": "IBM"}}, ("Did you mean 'symbol'?",)),
    (SCORES, "heatmap", {"at": "IBM"}, ('at={"symbol": "IBM"}',)),
    (SCORES, "heatmap", {"x": "fast", "at": {"fast": 5}}, ("no axis", "stop, symbol")),
    (SCORES.xs(5), "heatmap", {"at": {"slow": 20, "stop": 0.1, "symbol": "IBM"}}, ("Hold fewer",)),
    (SCORES, "parallel", {"most": 1}, ("at least 2",)),
    (SCORES, "slices", {"through": {"fast": 6}}, ("label that 'fast' has", "5, 10, 15")),
    (SCORES, "slices", {"through": {"fst": 5}}, ("name parameters",)),
    (SCORES, "slices", {"through": 5}, ('through={"fast": 10}',)),
    ({"IBM": bp.select(SCORES)}, "heatmap", {}, ("one choice", "scores['IBM']")),
]


@pytest.mark.parametrize(("scores", "draw", "options", "words"), MISTAKES)
def test_mistakes_are_told_what_to_type(
    scores: Any, draw: str, options: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ParamError, match="must") as told:
        getattr(bp.plot, draw)(scores, **options)
    assert [word for word in words if word not in str(told.value)] == []


def test_combinations_that_are_there_twice_are_one_number_and_it_is_said() -> None:
    twice = pd.concat([SCORES, SCORES + 1])
    figure = bp.plot.heatmap(twice, "fast", "slow", at={"stop": 0.1, "symbol": "IBM"})
    assert "more than once" in title(figure)


def luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_dark_scale_brightens_upwards_and_swaps_are_safe_in_any_order() -> None:
    light = [colour for _, colour in theme.SCALE]
    night = [theme.DARK[colour] for colour in light]
    assert [*map(luminance, light)] == sorted(map(luminance, light), reverse=True)
    assert [*map(luminance, night)] == sorted(map(luminance, night))
    assert not {*theme.DARK} & {*theme.DARK.values()}
    ground = theme.DARK["#ffffff"]
    for colour in (*theme.LINES, theme.INK, theme.MUTED, theme.OBJECTIVE, theme.CHOSEN, theme.HELD):
        assert contrast(theme.DARK.get(colour, colour), ground) >= 3
        assert contrast(colour, "#ffffff") >= 2.3
    # The lowest score is no gap.
    assert contrast(night[0], ground) > 1.2
    assert contrast(light[0], "#ffffff") > 1.1


def test_dark_changes_colours_and_nothing_else() -> None:
    light = bp.plot.heatmap(SCORES)
    night = bp.plot.dark(light)
    assert night.layout.paper_bgcolor == theme.DARK["#ffffff"]
    assert [stop[1] for stop in night.data[0].colorscale] == [
        theme.DARK[stop[1]] for stop in light.data[0].colorscale
    ]
    np.testing.assert_array_equal(night.data[0].z, light.data[0].z)
    assert light.layout.paper_bgcolor == "rgba(0,0,0,0)"
    with pytest.raises(ParamTypeError, match="Plotly figure"):
        bp.plot.dark(SCORES)


# ---------------------------------------------------------------- pages of a choice


def test_the_page_of_a_choice_shows_choice_pictures_and_scores(tmp_path: Path) -> None:
    scores = product(fast=range(12), slow=range(12), kind=["<a>", "b"])
    chosen = bp.select(scores)
    path = chosen.report(tmp_path / "deep" / "choice.html")
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 2_000_000
    for part in ("Choice", "Pictures", "Highest scores", "robustness", "sliders", "smoothed"):
        assert part in text
    assert "<a>" not in text.replace("<a>", "", 0).split("<main>")[1].replace("<a href", "")
    assert f"{scores.max():.3f}"[:5] in text
    for caution in chosen.cautions():
        assert caution in text
    with pytest.raises(ParamError, match="path"):
        chosen.report(3)  # type: ignore[arg-type]
    assert isinstance(pickle.loads(pickle.dumps(chosen)), bp.Selection)


@pytest.mark.parametrize("n_levels", [1, 2])
def test_pages_of_few_parameters_and_one_score_are_written(tmp_path: Path, n_levels: int) -> None:
    for n in (1, 4):
        scores = product(**{f"p{at}": range(n) for at in range(n_levels)})
        assert bp.select(scores).report(tmp_path / f"{n}.html").stat().st_size > 1000


# ---------------------------------------------------------------- accounts and prices


@pytest.fixture(scope="module")
def data() -> bp.Data:
    return bp.Data.sample()["2010":]


def crossing(close: Any, fast: int = 10) -> bp.Portfolio:
    quick, slow = bp.sma(close, fast), bp.sma(close, 50)
    return bp.PF.from_signals(close, bp.crossed_above(quick, slow), bp.crossed_below(quick, slow))


def test_an_account_is_drawn_beside_holding(data: bp.Data) -> None:
    close = data.select("IBM").close
    pf = crossing(close)
    shown = traces(pf.chart())
    np.testing.assert_allclose(shown["value"].y[[0, -1]], pf.value.iloc[[0, -1]])
    assert shown["buy and hold"].y[-1] == pytest.approx(100 * close.iloc[-1] / close.iloc[0])
    falls = [trace for trace in pf.chart().data if trace.yaxis == "y2"]
    assert min(falls[0].y) == pytest.approx(pf.max_drawdown)
    trades = pf.chart(kind="trades")
    assert {"close", "gain", "exit"} <= {*traces(trades)}
    assert pf.chart(title="Mine <1>").layout.title.text.startswith("<b>Mine &lt;1&gt;</b>")


def test_one_of_many_columns_is_drawn(data: bp.Data) -> None:
    pf = crossing(data.close)
    whole = pf.chart()
    assert [*data.symbols] == [trace.name for trace in whole.data if trace.yaxis != "y2"]
    one = pf.chart("IBM")
    np.testing.assert_allclose(traces(one)["value"].y[-1], pf.value["IBM"].iloc[-1])
    assert "IBM" in title(pf.chart("IBM", kind="trades"))
    with pytest.raises(ParamError, match=r"pf\.chart\('AAPL'\)"):
        pf.chart(kind="trades")
    with pytest.raises(ParamError, match="'AAPL', 'IBM', 'MSFT'"):
        pf.chart("XYZ")
    with pytest.raises(ParamError, match="'value', 'trades'"):
        pf.chart(kind="equity")
    many = crossing(data.select("IBM").close, fast=[*range(2, 20)])  # type: ignore[arg-type]
    with pytest.raises(ParamError, match=r"more than 12.*bp\.plot\.heatmap\(pf\.sharpe_ratio\)"):
        many.chart()
    label = many.total_return.index[3]
    assert traces(many.chart(label))["value"].y[-1] == pytest.approx(many.value[label].iloc[-1])
    grouped = bp.PF.from_signals(data.close, True, group_by=True)
    with pytest.raises(ParamError, match="without group_by"):
        grouped.chart(kind="trades")


@bp.strategy(lookback=30)
def swing(s: Any) -> None:
    for _ in s.loop():
        quick, slow = bp.sma(s.close, s.optimize(10, 5, 20, 5)), bp.sma(s.close, 30)
        s.enter_long(bp.crossed_above(quick, slow))
        s.exit_long(bp.crossed_below(quick, slow))


def test_a_strategy_is_drawn_as_a_whole_and_by_component(data: bp.Data) -> None:
    pf = bp.test(swing, data.select(["IBM", "MSFT"]))
    whole = traces(pf.chart())
    assert whole["value"].y[-1] == pytest.approx(pf.value.iloc[-1])
    assert pf.held is not None
    assert whole["buy and hold"].y[-1] == pytest.approx(pf.held.value.iloc[-1])
    first, second = pf.components
    one = pf.chart(first, kind="trades")
    assert first in title(one)
    np.testing.assert_allclose(one.data[0].y[-1], data.select("IBM").close.iloc[-1])
    with pytest.raises(ParamError, match=re.escape(f"pf.chart({first!r})")):
        pf.chart(kind="trades")
    with pytest.raises(ParamError, match=f"{second!r}"):
        pf.chart("GOOG")


def test_metrics_of_a_portfolio_are_scores(data: bp.Data) -> None:
    pf = bp.PF.from_signals(
        data.close, True, tp_stop=bp.Param([0.1, 0.2]), sl_stop=bp.Param([0.1, 0.2, None])
    )
    figure = bp.plot.heatmap(pf.total_return, "sl_stop", "tp_stop", at={"symbol": "IBM"})
    assert figure.data[0].z.shape == (2, 3)
    wanted = pf.total_return.xs("IBM", level="symbol") if "symbol" in pf.columns.names else None
    assert wanted is not None
    assert sorted(figure.data[0].z.ravel()) == sorted(wanted)
    assert pf.metrics("sqn").pipe(bp.plot.slices).data


def test_prices_are_drawn_as_candles_lines_or_growth(data: bp.Data) -> None:
    one = data.select("IBM")
    year = one["2012"].chart()
    assert [trace.type for trace in year.data] == ["candlestick", "bar"]
    np.testing.assert_array_equal(year.data[0].close, one["2012"].close)
    assert [trace.type for trace in one.chart().data] == ["scatter", "scatter"]
    growth = data.chart()
    assert [trace.name for trace in growth.data] == data.symbols
    for trace in growth.data:
        close = data.select(trace.name).close
        assert trace.y[0] == 1
        assert trace.y[-1] == pytest.approx(close.iloc[-1] / close.iloc[0])
    assert [trace.name for trace in data.chart(["AAPL", "IBM"]).data] == ["AAPL", "IBM"]


def test_symbols_of_different_calendars_start_together() -> None:
    days = pd.date_range("2020-01-01", periods=6)
    late = pd.Series([10.0, 11, 12], index=days[3:], name="close")
    early = pd.Series([1.0, 2, 3, 4, 5, 6], index=days, name="close")
    both = bp.Data.from_frames({"A": early, "B": late})
    shown = traces(both.chart())
    assert list(shown["B"].y) == pytest.approx([1, 1.1, 1.2])
    assert list(shown["A"].y) == pytest.approx([0.25, 0.5, 0.75, 1, 1.25, 1.5])
    assert "2020-01-04" in title(both.chart())
    apart = bp.Data.from_frames({"A": early.iloc[:2], "B": late})
    assert traces(apart.chart())["B"].y[0] == 1
    with pytest.raises(bp.DataError, match="at most 12"):
        bp.Data.from_frames({f"S{at}": early for at in range(13)}).chart()
