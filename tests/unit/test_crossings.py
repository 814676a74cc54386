# SPDX-License-Identifier: BSD-3-Clause
"""Crossings and signals on labelled data: what meets what, and what is refused."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._signals import accessor
from broadpeak._signals.clean import clean, delay, first, rank

DAYS = pd.date_range("2024-01-01", periods=6)
UP = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
DOWN = UP[::-1].copy()
RNG = np.random.default_rng(3)


def frame(columns, n=6):
    return pd.DataFrame(RNG.normal(size=(n, len(columns))), index=DAYS[:n], columns=columns)


def column_by_column(left, right, pairs, columns):
    out = {
        i: bp.crossed_above(left.iloc[:, a].to_numpy(), right.iloc[:, b].to_numpy())
        for i, (a, b) in enumerate(pairs)
    }
    return pd.DataFrame(out, index=DAYS).set_axis(columns, axis=1)


def test_touching_is_no_crossing_and_going_on_is() -> None:
    level = 2.0
    touch_and_back = np.array([1.0, 2.0, 1.0])
    touch_and_on = np.array([1.0, 2.0, 2.0, 3.0])
    assert not bp.crossed_above(touch_and_back, level).any()
    np.testing.assert_array_equal(
        bp.crossed_above(touch_and_on, level), [False, False, False, True]
    )


def test_nan_forgets_what_was_before() -> None:
    assert not bp.crossed_above(np.array([1.0, np.nan, 3.0]), 2.0).any()
    assert not bp.crossed_above(np.array([1.0, 2.0, np.nan, 3.0]), 2.0).any()


def test_the_first_bar_never_crosses() -> None:
    assert not bp.crossed_above(np.array([5.0, 6.0]), 2.0).any()
    assert bp.crossed_above(np.array([]), 2.0).shape == (0,)


def test_series_keep_index_and_name() -> None:
    result = bp.crossed_above(pd.Series(UP, index=DAYS, name="x"), pd.Series(DOWN, index=DAYS))
    expected = [False, False, False, True, False, False]
    pd.testing.assert_series_equal(result, pd.Series(expected, index=DAYS, name="x"))


def test_numbers_on_the_left() -> None:
    np.testing.assert_array_equal(bp.crossed_above(UP, np.array(3.5)), bp.crossed_above(UP, 3.5))
    np.testing.assert_array_equal(bp.crossed_above(3.5, DOWN), bp.crossed_below(DOWN, 3.5))
    np.testing.assert_array_equal(
        bp.crossed_above(np.int64(3), list(DOWN)), bp.crossed_below(DOWN, 3)
    )


def test_array_beside_pandas() -> None:
    series = pd.Series(UP, index=DAYS, name="x")
    assert isinstance(bp.crossed_above(UP, series), pd.Series)
    assert bp.crossed_above(series, np.column_stack([DOWN, DOWN])).shape == (6, 2)
    assert bp.crossed_above(np.column_stack([UP, UP]), DOWN).shape == (6, 2)
    many = pd.DataFrame({"a": UP, "b": DOWN}, index=DAYS)
    result = bp.crossed_above(many, DOWN)
    assert list(result.columns) == ["a", "b"]
    assert result["a"].sum() == 1
    assert result["b"].sum() == 0
    assert (many.bp.crossed_above(pd.Series(DOWN, index=DAYS)) == result).all(axis=None)


def test_equal_columns_meet_one_to_one() -> None:
    left, right = frame(["a", "b"]), frame(["a", "b"])
    expected = column_by_column(left, right, [(0, 0), (1, 1)], left.columns)
    pd.testing.assert_frame_equal(bp.crossed_above(left, right), expected)


def test_text_labels_meet_by_label_in_any_order() -> None:
    left, right = frame(["a", "b"]), frame(["b", "a"])
    expected = column_by_column(left, right, [(0, 1), (1, 0)], left.columns)
    pd.testing.assert_frame_equal(bp.crossed_above(left, right), expected)


def test_one_column_meets_all() -> None:
    left, right = frame(["a", "b", "c"]), frame(["z"])
    expected = column_by_column(left, right, [(0, 0), (1, 0), (2, 0)], left.columns)
    pd.testing.assert_frame_equal(bp.crossed_above(left, right), expected)
    mirrored = bp.crossed_below(right, left)
    pd.testing.assert_frame_equal(mirrored, expected)


def test_shared_levels_broadcast() -> None:
    columns = pd.MultiIndex.from_product([[10, 20], ["A", "B"]], names=["window", "symbol"])
    left = frame(columns)
    right = frame(pd.Index(["B", "A"], name="symbol"))
    expected = column_by_column(left, right, [(0, 1), (1, 0), (2, 1), (3, 0)], columns)
    pd.testing.assert_frame_equal(bp.crossed_above(left, right), expected)
    pd.testing.assert_frame_equal(bp.crossed_below(right, left), expected)
    twice = columns.set_names(["window", "symbol"]).to_frame(index=False)
    twice.insert(0, "again", [1, 2, 3, 4])
    wide = pd.MultiIndex.from_frame(twice, names=["window", "window", "symbol"])
    result = bp.crossed_above(left.set_axis(wide, axis=1), right)
    pd.testing.assert_frame_equal(result, expected.set_axis(wide, axis=1))


def test_parameters_meet_by_position() -> None:
    left = frame(pd.Index([10, 20], name="window"))
    right = frame(pd.Index([20, 10], name="window"))
    columns = pd.MultiIndex.from_arrays([[10, 20], [20, 10]], names=["window", "window"])
    expected = column_by_column(left, right, [(0, 0), (1, 1)], columns)
    pd.testing.assert_frame_equal(bp.crossed_above(left, right), expected)


def test_parameters_meet_by_position_within_equal_symbols() -> None:
    fast = pd.MultiIndex.from_product([[10, 20], ["A", "B"]], names=["fast", "symbol"])
    slow = pd.MultiIndex.from_product([[30, 40], ["A", "B"]], names=["slow", "symbol"])
    left, right = frame(fast), frame(slow)
    columns = pd.MultiIndex.from_tuples(
        [(10, 30, "A"), (10, 30, "B"), (20, 40, "A"), (20, 40, "B")],
        names=["fast", "slow", "symbol"],
    )
    expected = column_by_column(left, right, [(i, i) for i in range(4)], columns)
    pd.testing.assert_frame_equal(bp.crossed_above(left, right), expected)


@pytest.mark.parametrize(
    ("left", "right", "text"),
    [
        (
            pd.Series(UP, index=DAYS),
            pd.Series(UP, index=DAYS + pd.Timedelta("1D")),
            "have the index",
        ),
        (pd.Series(UP, index=DAYS), UP[:4], "as many bars"),
        (UP, UP[:4], "as many bars"),
        (np.ones((6, 3)), np.ones((6, 2)), "one column or as many"),
        (frame(["a", "b", "c"]), frame(["a", "b"]), "columns that fit"),
        (frame(["a", "b"]), frame(["a", "z"]), "columns that fit"),
        (np.ones((2, 2, 2)), 1.0, "one-dimensional"),
        (np.array(["x", "y"]), 1.0, "hold numbers"),
    ],
)
def test_what_does_not_fit_is_refused(left, right, text) -> None:
    with pytest.raises(bp.DataError, match=text):
        bp.crossed_above(left, right)


def test_clean() -> None:
    entries = pd.Series([True, True, False, True, True, False], index=DAYS)
    exits = pd.Series([True, False, True, True, False, True], index=DAYS)
    kept = entries.bp.clean(exits)
    assert kept.entries.tolist() == [False, True, False, False, True, False]
    assert kept.exits.tolist() == [False, False, True, False, False, True]


def test_delay_rank_first() -> None:
    signals = pd.DataFrame({"a": [True, True, False], "b": [False, True, True]})
    assert signals.bp.delay(1)["a"].tolist() == [False, True, True]
    assert not signals.bp.delay(7).any(axis=None)
    assert signals.bp.delay(0).equals(signals)
    assert signals.bp.rank()["b"].tolist() == [0, 1, 2]
    assert signals.bp.first()["b"].tolist() == [False, True, False]
    assert rank(np.array([], bool)).shape == (0,)


def test_signals_of_other_types() -> None:
    assert first([1, 1, 0, 1]).tolist() == [True, False, False, True]
    assert first(pd.Series([1.0, np.nan, 1.0])).tolist() == [True, False, True]
    assert first(pd.Series([True, None, True], dtype=object)).tolist() == [True, False, True]
    assert first(pd.Series([True, pd.NA, True], dtype="boolean")).tolist() == [True, False, True]
    with pytest.raises(bp.DataError, match="true and false"):
        first(np.array([0.5, 1.0]))
    with pytest.raises(bp.DataError, match="true and false values, got 'yes'"):
        first(np.array(["yes"]))


def test_signals_that_do_not_fit() -> None:
    with pytest.raises(bp.DataError, match="shape of entries"):
        clean(np.ones(3, bool), np.ones(2, bool))
    with pytest.raises(bp.DataError, match="index of entries"):
        clean(pd.Series([True]), pd.Series([True], index=[5]))
    for bars in (-1, 0.5, np.nan):
        with pytest.raises(bp.ParamError, match="integer of at least 0"):
            delay(np.ones(3, bool), bars)


@pytest.mark.parametrize("window", [0, -3, 0.4, np.nan, np.inf, "ten", None])
def test_windows_that_are_none(window) -> None:
    for name in ("sma", "ema", "wma", "rma", "rsi", "roc", "highest", "lowest", "zscore", "bbands"):
        with pytest.raises(bp.ParamError, match="length of at least 1 bar"):
            getattr(bp, name)(UP, window)
    with pytest.raises(bp.ParamError, match="window must be a length"):
        bp.atr(UP, UP, UP, window)
    with pytest.raises(bp.ParamError, match="signal must be a length"):
        bp.macd(UP, signal=window)
    with pytest.raises(bp.ParamError, match="smooth_d must be a length"):
        bp.stoch(UP, UP, UP, smooth_d=window)


def test_windows_are_rounded_half_up() -> None:
    assert bp.sma(UP, 2.5).tobytes() == bp.sma(UP, 3).tobytes()
    assert bp.sma(UP, 0.5).tobytes() == bp.sma(UP, 1).tobytes()
    assert np.isnan(bp.sma(UP, 1e9)).all()


def test_other_settings_out_of_range() -> None:
    with pytest.raises(bp.ParamError, match="width must be"):
        bp.bbands(UP, 3, -1.0)
    with pytest.raises(bp.ParamError, match="ddof must be 0 or 1"):
        bp.zscore(UP, 3, ddof=2)


@pytest.mark.parametrize(
    "labels", [[3, 5], [0.5, 1.5], ["a", "b"], [(1, "a"), (2, "a")], [True, False]]
)
def test_labels_that_do_not_meet_are_shown_as_one_types_them(labels) -> None:
    left = frame(pd.Index(labels, name="x") if labels[0] != (1, "a") else labels)
    words = re.escape(f"2 labels from {labels[0]!r} to {labels[1]!r}")
    with pytest.raises(bp.DataError, match=f"low must have the columns of high, {words}"):
        bp.atr(left, frame(["u", "v"]), left)


def test_inputs_of_one_asset_must_fit() -> None:
    series = pd.Series(UP, index=DAYS)
    with pytest.raises(bp.DataError, match="low must have the shape of high"):
        bp.atr(UP, UP[:3], UP)
    with pytest.raises(bp.DataError, match="close must have the index of high"):
        bp.atr(series, series, series.shift(freq="1D"))
    assert isinstance(bp.atr(UP, series, UP, 2), pd.Series)


def test_other_containers() -> None:
    expected = bp.sma(UP, 2)
    np.testing.assert_array_equal(bp.sma(list(UP), 2), expected)
    np.testing.assert_array_equal(bp.sma(UP.astype(np.float32), 2), expected)
    np.testing.assert_array_equal(bp.sma(UP.astype(int), 2), expected)
    np.testing.assert_array_equal(bp.sma(np.repeat(UP, 2)[::2], 2), expected)
    np.testing.assert_array_equal(bp.sma(pd.Series([1, 2, None], dtype="Int64"), 1), [1, 2, np.nan])
    assert bp.sma(np.empty((5, 0)), 2).shape == (5, 0)
    assert bp.bbands(np.empty((5, 0)), 2).upper.shape == (5, 0)
    assert bp.sma(np.empty((0, 3)), 2).shape == (0, 3)


def test_symbols_that_repeat_meet_their_symbol() -> None:
    symbols = pd.Index(["A", "B"], name="symbol")
    repeated = pd.Index(["A", "B", "A", "B"], name="symbol")  # two combinations, hidden levels
    averages, close = frame(repeated), frame(symbols)
    above = bp.crossed_above(averages, close)
    pairs = [(0, 0), (1, 1), (2, 0), (3, 1)]
    pd.testing.assert_frame_equal(above, column_by_column(averages, close, pairs, repeated))
    below = bp.crossed_above(close, averages)
    pairs = [(b, a) for a, b in pairs]
    pd.testing.assert_frame_equal(below, column_by_column(close, averages, pairs, repeated))
    with pytest.raises(bp.DataError, match="the right side must have columns that fit"):
        bp.crossed_above(averages, frame(pd.Index(["A", "C"], name="symbol")))


# Lists of levels


def one_by_one(values, levels):
    return [bp.crossed_above(values, level) for level in levels]


@pytest.mark.parametrize("kind", [list, tuple, pd.Index])
def test_a_list_of_levels_gives_a_column_each(kind) -> None:
    series = pd.Series([1.0, 3, 2, 5, 1, 4], index=DAYS, name="x")
    got = bp.crossed_above(series, kind([2, 3]))
    columns = pd.Index([2, 3], name="crossed_above")
    want = pd.DataFrame(dict(enumerate(one_by_one(series, [2, 3])))).set_axis(columns, axis=1)
    pd.testing.assert_frame_equal(got, want)
    pd.testing.assert_frame_equal(series.bp.crossed_above(range(2, 4)), want)
    left = bp.crossed_below([2, 3], series)
    pd.testing.assert_frame_equal(left, want.rename_axis(columns="crossed_below"))
    np.testing.assert_array_equal(bp.crossed_above(series.to_numpy(), [2, 3]), want)
    named = bp.crossed_above(series, pd.Index([2.5], name="threshold"))
    assert named.columns.equals(pd.Index([2.5]))
    assert named.columns.name == "threshold"


def test_a_list_as_long_as_there_are_bars_holds_levels_beside_an_array() -> None:
    assert bp.crossed_above(UP, list(DOWN)).shape == (6, 6)
    assert bp.crossed_above(list(UP), list(DOWN)).tolist() == [False] * 3 + [True] + [False] * 2


def test_levels_meet_assets_all_and_combinations_one_to_one() -> None:
    assets = frame(["a", "b"])
    got = bp.crossed_above(assets, [-0.5, 0.5])
    assert got.columns.tolist() == [(-0.5, "a"), (-0.5, "b"), (0.5, "a"), (0.5, "b")]
    want = np.column_stack(one_by_one(assets, [-0.5, 0.5]))
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(bp.crossed_above(assets.to_numpy(), [-0.5, 0.5]), want)
    columns = pd.MultiIndex.from_product([[10, 20], ["A", "B"]], names=["window", "symbol"])
    many = frame(columns)
    zipped = bp.crossed_above(many, [-0.5, 0.5])
    assert list(zipped.columns.names) == ["window", "crossed_above", "symbol"]
    assert zipped.columns.droplevel("symbol").unique().tolist() == [(10, -0.5), (20, 0.5)]
    one = bp.crossed_above(many, [0.5])
    assert one.columns.get_level_values("crossed_above").tolist() == [0.5] * 4
    np.testing.assert_array_equal(zipped.iloc[:, 2:], one.iloc[:, 2:])
    hidden = many.set_axis(pd.Index(["A", "B", "A", "B"], name="symbol"), axis=1)
    np.testing.assert_array_equal(bp.crossed_above(hidden, [-0.5, 0.5]), zipped)
    numbered = frame(range(3)).set_axis(pd.RangeIndex(3), axis=1)
    assert bp.crossed_above(numbered, [1, 2, 3]).columns.tolist() == [1, 2, 3]


def test_lists_of_levels_that_do_not_fit() -> None:
    many = frame(pd.Index([10, 20, 30], name="window"))
    with pytest.raises(bp.DataError, match="as many as the columns have combinations, 3, got 2"):
        bp.crossed_above(many, [1, 2])
    with pytest.raises(bp.DataError, match="list of at least one number"):
        bp.crossed_above(UP, [])
    for wrong in (["x"], [None], [[1.0, 2.0]], ["1"], [np.timedelta64(1, "D")]):
        with pytest.raises(bp.DataError, match="list of at least one number"):
            bp.crossed_above(UP, wrong)


def test_a_single_column_of_parameters_keeps_its_level() -> None:
    fast = frame(pd.Index([5, 10], name="fast"))
    slow = frame(pd.Index([30], name="slow"))
    assert bp.crossed_above(fast, slow).columns.tolist() == [(5, 30), (10, 30)]
    assert list(bp.crossed_above(slow, fast[[5]]).columns.names) == ["slow", "fast"]


# Lists of settings for array functions


@pytest.mark.parametrize(
    ("name", "inputs", "lists"),
    [
        ("sma", 1, {"window": [2, 3, 2]}), ("ema", 1, {"window": (2, 3)}),
        ("rma", 1, {"window": range(1, 4)}), ("wma", 1, {"window": [2]}),
        ("highest", 1, {"window": pd.Index([2, 3])}), ("lowest", 1, {"window": [2, 3]}),
        ("rsi", 1, {"window": [2, 3]}), ("roc", 1, {"window": [1, 2]}),
        ("macd", 1, {"fast": [1, 2], "slow": [3, 3], "signal": [2]}),
        ("zscore", 1, {"window": [2, 3], "ddof": [0, 1]}),
        ("stoch", 3, {"window": [2, 3]}), ("atr", 3, {"window": [1, 2]}),
        ("bbands", 1, {"window": [2, 3], "width": [1.0, 2.0]}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["array", "array2d", "series", "frame"])
def test_lists_of_settings_are_single_calls_side_by_side(name, inputs, lists, kind) -> None:
    base = np.column_stack([UP, DOWN, UP * 2])[:, : 1 if kind in {"array", "series"} else 3]
    prices = [base + 1, base - 1, base][-inputs:]
    if kind in {"array", "series"}:
        prices = [one[:, 0] for one in prices]
    if kind == "series":
        prices = [pd.Series(one, index=DAYS, name="x") for one in prices]
    if kind == "frame":
        prices = [pd.DataFrame(one, DAYS, list("abc")) for one in prices]
    function = getattr(bp, name)
    got = function(*prices, **lists)
    n = max(map(len, lists.values()))
    rows = [{k: list(v)[i if len(v) > 1 else 0] for k, v in lists.items()} for i in range(n)]
    singles = [function(*prices, **row) for row in rows]
    assert type(got) is (type(singles[0]) if isinstance(singles[0], tuple) else type(got))
    outputs = got if isinstance(got, tuple) else (got,)
    for k, output in enumerate(outputs):
        want = [one[k] if isinstance(one, tuple) else one for one in singles]
        np.testing.assert_array_equal(output, np.column_stack(want))
    if kind in {"series", "frame"}:
        levels = [f"{name}_{key}" for key in lists]
        assert list(outputs[0].columns.names) == levels + [None] * (kind == "frame")
        assert outputs[0].index.equals(DAYS)


def test_lists_of_settings_that_do_not_fit() -> None:
    with pytest.raises(bp.ParamError, match=r"one value or as many.*Zip the lists"):
        bp.macd(UP, fast=[1, 2], slow=[3, 4, 5])
    with pytest.raises(bp.ParamError, match="fast must have at least one value"):
        bp.macd(UP, fast=[])
    with pytest.raises(bp.DataError, match="as many as the columns have combinations, 2, got 3"):
        bp.sma(bp.sma(pd.Series(UP), [2, 3]), [2, 3, 4])
    with pytest.raises(bp.ParamError, match="length of at least 1 bar"):
        bp.sma(UP, [2, 0])
    assert bp.sma(list(UP), 2).shape == (6,)
    assert bp.sma(values=list(UP), window=[2]).shape == (6, 1)


# The accessor under another name


@pytest.fixture
def forget():
    yield
    for owner in (pd.Series, pd.DataFrame):
        for name in ("vbt", "half"):
            if name in vars(owner):
                delattr(owner, name)
            owner._accessors.discard(name)
    accessor.NAMES[:] = ["bp"]


@pytest.mark.usefixtures("forget")
def test_the_accessor_can_be_registered_under_another_name() -> None:
    series, many = pd.Series(UP), pd.DataFrame({"a": UP})
    assert not hasattr(series, "vbt")
    for _ in range(2):
        bp.register_accessor("vbt")
    pd.testing.assert_series_equal(series.vbt.crossed_above(2), series.bp.crossed_above(2))
    pd.testing.assert_frame_equal(many.vbt.crossed_below(5), many.bp.crossed_below(5))


@pytest.mark.engine
@pytest.mark.usefixtures("forget")
def test_workers_know_the_name_too() -> None:
    bp.register_accessor("vbt")
    run = bp.parameterized(lambda x: int(pd.Series(UP).vbt.crossed_above(x).sum()))
    assert run(bp.Param([2, 9]), _engine="processpool", _n_workers=1) == [1, 0]


# A module of its own: a worker that finds it by name loads pandas first when it is sent a Series.
ALONE = """
import pandas as pd
import broadpeak as bp

def count(series, level):
    return int(series.bp.crossed_above(level).sum())

if __name__ == "__main__":
    run = bp.parameterized(count)
    print(run(pd.Series([1.0, 3.0, 2.0]), bp.Param([2, 9]), _engine="processpool", _n_workers=1))
"""


@pytest.mark.engine
def test_workers_have_the_accessor_as_soon_as_they_have_pandas(tmp_path) -> None:
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1, 0]"


@pytest.mark.usefixtures("forget")
def test_names_that_an_accessor_cannot_have() -> None:
    for name in ("mean", "str", "columns", "groupby"):
        with pytest.raises(bp.ParamError, match=r"does not have yet.*use the accessor \.bp"):
            bp.register_accessor(name)
    for wrong in ("", "a b", "_own", "1st", None, 3):
        with pytest.raises(bp.ParamError, match=r"can follow a dot.*register_accessor\("):
            bp.register_accessor(wrong)
    pd.api.extensions.register_dataframe_accessor("half")(str)
    with pytest.raises(bp.ParamError, match="DataFrame does not have yet"):
        bp.register_accessor("half")
    assert not hasattr(pd.Series, "half")


def alternating(
    entries: tuple[bool, ...], exits: tuple[bool, ...]
) -> tuple[list[bool], list[bool]]:
    """The slow twin of `clean`: cancel first, then take what alternates."""
    single = [(a and not b, b and not a) for a, b in zip(entries, exits, strict=True)]
    kept: list[tuple[bool, bool]] = []
    for enter, leave in single:
        entered = sum(one for one, _ in kept) > sum(other for _, other in kept)
        kept.append((enter and not entered, leave and entered))
    return [one for one, _ in kept], [other for _, other in kept]


def test_clean_of_all_signals_of_five_bars() -> None:
    # Above all, an entry and an exit on one bar cancel each other, in a position as out of one.
    for entries in itertools.product([False, True], repeat=5):
        for exits in itertools.product([False, True], repeat=5):
            kept = clean(np.array(entries), np.array(exits))
            assert (kept.entries.tolist(), kept.exits.tolist()) == alternating(entries, exits)


def test_a_level_beyond_all_floats_is_never_reached() -> None:
    for level in (10**400, -(10**400), [10**400]):
        assert not np.any(bp.crossed_above(UP, level))
        assert not np.any(bp.crossed_below(UP, level))


def test_a_level_must_be_a_number() -> None:
    for wrong in (np.timedelta64(1, "D"), np.complex128(1.0)):
        with pytest.raises(bp.DataError, match="A level must be a number"):
            bp.crossed_above(UP, wrong)
