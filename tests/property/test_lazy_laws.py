# SPDX-License-Identifier: BSD-3-Clause
"""Crossings that wait for a look are what they would be at once, whoever looks and how."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._core.lazyframe import labels_of, recipe_of

LAW = settings(max_examples=40)
SHAPES = ("walk", "flat", "ties", "small", "large", "growth", "jumps")


def prices(shape, rng, n):
    """Return closes that are hard to tell apart, or far from 1."""
    walk = np.exp(rng.normal(0, 0.02, n).cumsum())
    return {
        "walk": 100 * walk,
        "flat": np.full(n, 7.25),
        "ties": np.maximum(1, np.round(3 + rng.normal(0, 1, n).cumsum())),
        "small": 1e-8 * walk,
        "large": 1e11 * walk,
        "growth": 100 * 1.01 ** np.arange(n),
        "jumps": np.where(rng.random(n) < 0.1, 1e9, 1.0) * walk,
    }[shape]


@st.composite
def markets(draw, symbols=("A", "AB")):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.sampled_from([1, 2, 5, 40]))
    frames = {}
    gaps = draw(st.booleans())
    for symbol in draw(st.sampled_from(symbols)):
        keep = rng.random(n) < 0.7 if gaps else np.ones(n, bool)
        keep[[0, -1]] = True
        close = prices(draw(st.sampled_from(SHAPES)), rng, n)
        table = pd.DataFrame({"close": close}, pd.date_range("2024-01-01", periods=n))
        frames[symbol] = table[keep]
    return bp.Data.from_frames(frames)


def rises(left, right):
    """Return where one column has crossed above another, bar by bar."""
    out, below = np.zeros(len(left), bool), False
    for t, (a, b) in enumerate(zip(left, right, strict=True)):
        if math.isnan(a) or math.isnan(b):
            below = False
        elif a > b:
            out[t], below = below, False
        elif a < b:
            below = True
    return out


def on_own_bars(close, left, right, *, above):
    own = np.isfinite(close)
    out = np.zeros(len(close), bool)
    sides = (left[own], right[own]) if above else (right[own], left[own])
    out[own] = rises(*sides)
    return out


def columns_of(table):
    return table.to_frame() if isinstance(table, pd.Series) else table


def check(data, crossing, left, right, *, above):
    """Hold a crossing against the values of its sides, shape (bars, columns)."""
    closes = columns_of(data.close).to_numpy()
    found = columns_of(crossing).to_numpy()
    assert found.dtype == bool
    wide = found.shape[1]
    for i in range(wide):
        close = closes[:, i % closes.shape[1]]
        one, other = left[:, i % left.shape[1]], right[:, i % right.shape[1]]
        np.testing.assert_array_equal(found[:, i], on_own_bars(close, one, other, above=above))


WINDOWS = st.integers(1, 6)


@LAW
@given(
    data=markets(),
    levels=st.lists(
        st.sampled_from([-1.0, 0.0, 3.0, 7.25, 100.0, math.inf]), min_size=1, max_size=3
    ),
    above=st.booleans(),
)
def test_array_functions_of_prices_and_levels(data, levels, above) -> None:
    assume(not data.close.isna().to_numpy().any())
    call = bp.crossed_above if above else bp.crossed_below
    closes = columns_of(data.close).to_numpy()
    check(data, call(data.close, levels[0]), closes, np.full_like(closes, levels[0]), above=above)
    several = call(data.close, levels)
    right = np.repeat(np.array(levels), closes.shape[1])[np.newaxis, :].repeat(len(closes), 0)
    check(data, several, closes, right, above=above)
    # A copy is the user's own, and is crossed at once: with the same labels.
    same(several, call(data.close.copy() + 0.0, levels))
    same(call(data.close, levels[0]), call(data.close + 0.0, levels[0]))


@LAW
@given(
    data=markets(),
    pairs=st.lists(st.tuples(WINDOWS, WINDOWS), min_size=1, max_size=6),
    above=st.booleans(),
    hidden=st.booleans(),
    kind=st.sampled_from(["ma", "ema", "rsi"]),
)
def test_lists_of_windows(data, pairs, above, hidden, kind) -> None:
    fast, slow = ([pair[i] for pair in pairs] for i in (0, 1))
    left = data.run(f"bp:{kind}", fast, hide_params=hidden).rename_levels(
        {f"{kind}_window": "fast"}
    )
    right = data.run(f"bp:{kind}", slow, hide_params=hidden).rename_levels(
        {f"{kind}_window": "slow"}
    )
    name = f"{kind}_crossed_above" if above else f"{kind}_crossed_below"
    crossing = getattr(left, name)(right)
    gaps = data.close.isna().to_numpy().any()
    assert (recipe_of(crossing) is None) == gaps
    ours, theirs = (columns_of(getattr(x, kind)) for x in (left, right))
    arrays = [fast, slow]
    if len(data.symbols) > 1:
        n = len(data.symbols)
        arrays = [np.repeat(array, n) for array in arrays]
        arrays.append(data.symbols * len(pairs))
    if not hidden:
        want = pd.MultiIndex.from_arrays(arrays, names=["fast", "slow", "symbol"][: len(arrays)])
        pd.testing.assert_index_equal(crossing.columns, want, exact=True)
        for level, wanted in zip(crossing.columns.levels, want.levels, strict=True):
            pd.testing.assert_index_equal(level, wanted, exact=True)
        for codes, wanted in zip(crossing.columns.codes, want.codes, strict=True):
            np.testing.assert_array_equal(codes, wanted)
            assert codes.dtype == wanted.dtype
    assert (recipe_of(crossing) is None) == gaps
    check(data, crossing, ours.to_numpy(), theirs.to_numpy(), above=above)


@LAW
@given(
    data=markets(),
    windows=st.one_of(WINDOWS, st.lists(WINDOWS, min_size=1, max_size=4)),
    levels=st.lists(
        st.sampled_from([-1.0, 0.0, 1, 3.0, 7.25, 100.0, math.inf, math.nan]),
        min_size=1,
        max_size=4,
    ),
    above=st.booleans(),
)
def test_levels(data, windows, levels, above) -> None:
    result = data.run("bp:ma", windows)
    name = "ma_crossed_above" if above else "ma_crossed_below"
    values = columns_of(result.ma).to_numpy()
    one = getattr(result, name)(levels[0]) if not math.isnan(levels[0]) else None
    if one is not None:
        check(data, one, values, np.full((len(values), 1), levels[0]), above=above)
    n_windows = len(windows) if isinstance(windows, list) else 1
    if len(levels) not in {1, n_windows} and n_windows > 1:
        with pytest.raises(bp.DataError, match="have one combination or as many"):
            getattr(result, name)(levels)
        return
    several = getattr(result, name)(levels)
    n = len(data.symbols)
    right = np.repeat(np.array(levels, float), n)[np.newaxis, :].repeat(len(values), 0)
    check(data, several, values, right, above=above)


@LAW
@given(
    data=markets(),
    windows=st.one_of(WINDOWS, st.lists(WINDOWS, min_size=1, max_size=4)),
    above=st.booleans(),
    kind=st.sampled_from(["close", "own", "array"]),
)
def test_values_that_change_afterwards(data, windows, above, kind) -> None:
    assume(kind != "array" or len(data.symbols) == 1)  # which of its columns meets which?
    result = data.run("bp:ma", windows)
    values = data.close if kind == "close" else data.close.copy() + 0.0
    values = values.to_numpy(copy=True) if kind == "array" else values
    before = columns_of(pd.DataFrame(values)).to_numpy(copy=True)
    name = "ma_crossed_above" if above else "ma_crossed_below"
    crossing = getattr(result, name)(values)
    if kind == "array":
        values[:] = 0.0
    else:
        values.iloc[:] = 0.0
    check(data, crossing, columns_of(result.ma).to_numpy(), before, above=above)


@LAW
@given(
    data=markets(symbols=("A",)), fast=WINDOWS, slow=WINDOWS, above=st.booleans(), own=st.booleans()
)
def test_series_of_results(data, fast, slow, above, own) -> None:
    results = [data.run("bp:ma", window) for window in (fast, slow)]
    left, right = (result.ma.copy() if own else result.ma for result in results)
    call = bp.crossed_above if above else bp.crossed_below
    ours, theirs = left.to_numpy(copy=True), right.to_numpy(copy=True)
    crossing, plain = call(left, right), call(ours, theirs)
    left.iloc[:] = 1.0
    right.iloc[::2] = 2.0
    assert isinstance(plain, np.ndarray)
    pd.testing.assert_series_equal(crossing, pd.Series(plain, data.index, name=data.symbols[0]))


@LAW
@given(
    data=markets(symbols=("A", "AB")),
    one=st.lists(WINDOWS, min_size=1, max_size=5),
    later=st.lists(st.lists(WINDOWS, min_size=1, max_size=5), min_size=1, max_size=3),
)
def test_rows_of_a_family_do_not_move(data, one, later) -> None:
    first = data.run("bp:ma", one)
    alone = {window: columns_of(data.run("bp:ma", window).ma).to_numpy() for window in range(1, 7)}
    for windows in [one, *later]:
        result = data.run("bp:ma", windows)
        wanted = np.hstack([alone[window] for window in windows])
        assert columns_of(result.ma).to_numpy().tobytes() == wanted.tobytes()
        if len(windows) == len(one):
            # Both lie in one piece, of which the later list may have seen more.
            ours, theirs = (columns_of(x.ma).to_numpy() for x in (first, result))
            check(data, first.ma_crossed_above(result), ours, theirs, above=True)
            check(data, result.ma_crossed_above(first), theirs, ours, above=True)
        up, down = first.ma_crossed_above(first), first.ma_crossed_below(first)
        assert labels_of(up) is labels_of(down)
        assert not columns_of(up).to_numpy().any()
        again = pickle.loads(pickle.dumps(result))
        pd.testing.assert_frame_equal(columns_of(again.ma), columns_of(result.ma))
    wanted = np.hstack([alone[window] for window in one])
    assert columns_of(first.ma).to_numpy().tobytes() == wanted.tobytes()


# Whatever pandas can do with a frame


def _set(name, value):
    def change(x):
        setattr(x, name, value)
        return x

    return change


def _pop(x):
    if isinstance(x, pd.DataFrame):
        return x.pop(x.columns[0]), x
    return x.pop(x.index[0]), x


def _write(x):
    x.iloc[0] = True
    return x


def _delete(x):
    del x[x.columns[0] if isinstance(x, pd.DataFrame) else x.index[0]]
    return x


def _add(x):
    x["new"] = 1
    return x


DEEDS = {
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "any": lambda x: x.any(),
    "all": lambda x: x.all(axis=None),
    "len": len,
    "shape": lambda x: x.shape,
    "size": lambda x: x.size,
    "ndim": lambda x: x.ndim,
    "empty": lambda x: x.empty,
    "dtypes": lambda x: x.dtypes,
    "index": lambda x: x.index,
    "axes": lambda x: x.axes,
    "T": lambda x: x.T,
    "head": lambda x: x.head(2),
    "tail": lambda x: x.tail(1),
    "iloc": lambda x: x.iloc[::2],
    "loc": lambda x: x.loc[x.index[0]],
    "iat": lambda x: x.iat[0],
    "get": lambda x: x.get("nothing"),
    "shift": lambda x: x.shift(1, fill_value=False),
    "int": lambda x: x.astype(int),
    "cumsum": lambda x: x.cumsum(),
    "not": lambda x: ~x,
    "and": lambda x: x & x,
    "or": lambda x: x | True,
    "minus": lambda x: x - x,
    "eq": lambda x: x == x,
    "where": lambda x: x.where(x),
    "mask": lambda x: x.mask(x, False),
    "isna": lambda x: x.isna(),
    "nunique": lambda x: x.nunique(),
    "describe": lambda x: x.describe(),
    "value_counts": lambda x: x.value_counts(),
    "sort": lambda x: x.sort_index(ascending=False),
    "reindex": lambda x: x.reindex(x.index[::-1]),
    "rolling": lambda x: x.rolling(2).sum(),
    "resample": lambda x: x.resample("W").sum(),
    "group": lambda x: x.groupby(level=0).any(),
    "concat": lambda x: pd.concat([x, x]),
    "concat wide": lambda x: pd.concat([x, x], axis=1),
    "apply": lambda x: x.apply(lambda y: y),
    "agg": lambda x: x.agg(["sum", "mean"]),
    "pipe": lambda x: x.pipe(lambda y: y),
    "numpy": lambda x: x.to_numpy(),
    "values": lambda x: x.values,
    "asarray": np.asarray,
    "nonzero": lambda x: np.nonzero(x.to_numpy()),
    "where np": lambda x: np.where(x, 1, 0),
    "dict": lambda x: x.to_dict(),
    "csv": lambda x: x.to_csv(),
    "json": lambda x: x.to_json(),
    "string": lambda x: x.to_string(),
    "repr": repr,
    "html": lambda x: getattr(x, "_repr_html_", str)(),
    "iter": list,
    "items": lambda x: list(x.items()),
    "in": lambda x: x.index[0] in x,
    "truth": bool,
    "copy": lambda x: x.copy(),
    "shallow": copy.copy,
    "deep": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "memory": lambda x: x.memory_usage(),
    "drop": lambda x: x.drop(x.index[0]),
    "rename": lambda x: x.rename({"a": "b"}),
    "reset": lambda x: x.reset_index(),
    "squeeze": lambda x: x.squeeze(),
    "abs": lambda x: x.abs(),
    "idxmax": lambda x: x.idxmax(),
    "first": lambda x: x.first_valid_index(),
    "diff": lambda x: x.diff(),
    "attribute": lambda x: x.nothing,
    "frame": pd.DataFrame,
    "name": lambda x: x.name,
    "columns": lambda x: x.columns,
    "keys": lambda x: x.keys(),
    "query": lambda x: x.query("index == index"),
    "rows": lambda x: list(x.itertuples(name=None)),
    "stack": lambda x: x.stack(),
    "melt": lambda x: x.melt(),
    "to_frame": lambda x: x.to_frame(),
    "array": lambda x: x.array,
    "hash": hash,
    "equals": lambda x: x.equals(x.copy()),
    "write": _write,
    "pop": _pop,
    "delete": _delete,
    "add": _add,
    "set index": _set("index", None),
    "set columns": _set("columns", [*"abcdefgh"]),
    "set name": _set("name", "y"),
    "set other": _set("other", 5),
    "inplace": lambda x: x.drop(x.index[0], inplace=True) or x,
    "clean": lambda x: bp.clean(x, ~x),
    "delay": lambda x: x.bp.delay(1),
    "rank": lambda x: x.bp.rank(),
    "levels": lambda x: x.bp.crossed_above(0.5),
    "flags": lambda x: str(x.flags),
    "attrs": lambda x: x.attrs,
    "sample": lambda x: x.sample(1, random_state=0),
    "xs": lambda x: x.xs(x.index[0]),
    "isin": lambda x: x.isin([True]),
    "truncate": lambda x: x.truncate(x.index[0]),
    "type": lambda x: type(x).__name__,
    "align": lambda x: x.align(x.iloc[1:]),
    "combine": lambda x: x.combine_first(x),
    "dot": lambda x: x @ x.T,
    "setattr attrs": _set("attrs", {"a": 1}),
    "update": lambda x: x.update(~x) or x,
}


def outcome(deed, value):
    try:
        with np.errstate(all="ignore"):
            return deed(value)
    except Exception as error:
        return type(error), str(error)


def same(left, right) -> None:
    assert type(left) == type(right)  # noqa: E721
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right)
        assert left.attrs == right.attrs
    elif isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right)
        assert left.attrs == right.attrs
    elif isinstance(left, pd.Index):
        pd.testing.assert_index_equal(left, right, exact=True)
    elif isinstance(left, np.ndarray):
        np.testing.assert_array_equal(left, right)
    elif isinstance(left, (tuple, list)):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            same(one, other)
    elif isinstance(left, dict):
        same(list(left.items()), list(right.items()))
    elif isinstance(left, pd.api.extensions.ExtensionArray):
        pd.testing.assert_extension_array_equal(left, right)
    else:
        assert left == right or (left != left and right != right)


DATA = bp.Data.sample(["AAPL", "IBM"])["2004-01":"2004-03"]
CROSSINGS = {
    "one": lambda: (
        DATA.select("IBM").run("bp:ma", 3).ma_crossed_above(DATA.select("IBM").run("bp:ma", 5))
    ),
    "symbols": lambda: DATA.run("bp:ma", 3).ma_crossed_above(DATA.run("bp:ma", 5)),
    "windows": lambda: (
        DATA.select("IBM").run("bp:ma", [2, 3]).ma_crossed_above(DATA.select("IBM").run("bp:ma", 5))
    ),
    "both": lambda: DATA.run("bp:ma", [2, 3]).ma_crossed_below(DATA.run("bp:ema", [4, 5])),
    "levels": lambda: DATA.select("IBM").run("bp:rsi", 4).rsi_crossed_above([40, 60]),
    "prices": lambda: DATA.select("IBM").run("bp:ma", 4).ma_crossed_above(DATA.select("IBM").close),
}


def plain(kind):
    lazy = CROSSINGS[kind]()
    recipe = recipe_of(lazy)
    assert recipe is not None
    if isinstance(lazy, pd.Series):
        return pd.Series(recipe.bools()[0], lazy.index, name=lazy.name)
    return pd.DataFrame(recipe.bools().T, lazy.index, lazy.columns.copy())


@settings(max_examples=150)
@given(
    kind=st.sampled_from(sorted(CROSSINGS)),
    deeds=st.lists(st.sampled_from(sorted(DEEDS)), min_size=1, max_size=3),
)
@pytest.mark.filterwarnings("ignore")
def test_nobody_can_tell_which_it_is(kind, deeds) -> None:
    one, other = CROSSINGS[kind](), plain(kind)
    for name in deeds:
        same(outcome(DEEDS[name], one), outcome(DEEDS[name], other))
    same(one, other)


@pytest.mark.filterwarnings("ignore")
def test_each_deed_as_the_first_look() -> None:
    for kind, crossing in CROSSINGS.items():
        for name, deed in DEEDS.items():
            one, other = crossing(), plain(kind)
            found, wanted = outcome(deed, one), outcome(deed, other)
            try:
                same(found, wanted)
                same(one, other)
            except AssertionError as error:
                msg = f"{name} of {kind}"
                raise AssertionError(msg) from error
