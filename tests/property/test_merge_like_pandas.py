# SPDX-License-Identifier: BSD-3-Clause
"""`pd.concat` with keys is the oracle of every named merge."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak._merge.merge_func import resolve_merge_func

# pandas 2 warns that empty parts will count, as they do in pandas 3; the merge does what each does.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The behavior of (array|DataFrame) concatenation with empty:FutureWarning"
)

LAWS = settings(max_examples=60)

SCALARS = {
    "float": st.floats(width=32) | st.just(float("nan")),
    "int": st.integers(-1000, 1000),
    "bool": st.booleans(),
    "str": st.sampled_from(["a", "bb", "c"]),
    "stamp": st.sampled_from([pd.Timestamp("2020-01-01"), pd.Timestamp("2021-05-06 07:08")]),
    "object": st.sampled_from([(1,), {"x": 1}, None]).filter(lambda v: not isinstance(v, tuple)),
    "mixed": st.one_of(st.integers(-5, 5), st.floats(-1, 1), st.booleans(), st.none()),
}


@st.composite
def keys_of(draw, n):
    """An index as parameters give it: one or several levels, repeated labels where hidden."""
    level = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    words = st.lists(st.sampled_from(["x", "y", "z"]), min_size=n, max_size=n)
    depth = draw(st.integers(1, 3))
    arrays = [draw(level if i % 2 == 0 else words) for i in range(depth)]
    if depth == 1:
        return pd.Index(arrays[0], name="p0")
    return pd.MultiIndex.from_arrays(arrays, names=[f"p{i}" for i in range(depth)])


@st.composite
def row_index(draw, n, *, unique):
    kind = draw(st.sampled_from(["range", "int", "date", "multi", "str"]))
    if kind == "range":
        return pd.RangeIndex(n)
    if kind == "multi":
        first = draw(st.permutations(range(n)))
        return pd.MultiIndex.from_arrays([first, ["u"] * n], names=["i", None])
    numbers = draw(st.lists(st.integers(0, 8), min_size=n, max_size=n, unique=unique))
    name = draw(st.sampled_from([None, "row"]))
    if kind == "int":
        return pd.Index(numbers, name=name, dtype="int64")
    if kind == "str":
        return pd.Index([f"s{i}" for i in numbers], name=name, dtype=object)
    return pd.DatetimeIndex(
        pd.Timestamp("2020-01-01") + pd.to_timedelta(numbers, unit="D"), name=name
    )


DTYPES = st.sampled_from(["float64", "int64", "bool", "float32", "object", "datetime64[ns]"])


@st.composite
def values_of(draw, shape):
    dtype = draw(DTYPES)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    numbers = rng.integers(0, 5, shape)
    if dtype == "object":
        return numbers.astype(str).astype(object)
    return numbers.astype(dtype)


@st.composite
def series_list(draw, *, unique):
    n = draw(st.integers(1, 4))
    same = draw(st.booleans())
    length = draw(st.integers(0, 4))
    index = draw(row_index(length, unique=unique))
    kind = type(index)
    out = []
    for _ in range(n):
        if not same:
            length = draw(st.integers(0, 4))
            index = draw(row_index(length, unique=unique).filter(lambda new: type(new) is kind))
        out.append(
            pd.Series(draw(values_of(length)), index=index, name=draw(st.sampled_from([None, "n"])))
        )
    return out, draw(keys_of(n))


def same(left, right):
    if isinstance(right, pd.Series):
        pd.testing.assert_series_equal(left, right)
    else:
        pd.testing.assert_frame_equal(left, right)


@pytest.mark.filterwarnings("ignore:Results of .* are (None|dicts)")
@LAWS
@given(st.data(), st.sampled_from(sorted(SCALARS)))
def test_scalars(data, kind):
    values = data.draw(st.lists(SCALARS[kind], min_size=1, max_size=6))
    keys = data.draw(keys_of(len(values)))
    whole = pd.Series(values, index=keys)
    same(resolve_merge_func("concat")(values, keys=keys), whole)
    same(resolve_merge_func("row_stack")(values, keys=keys), whole.to_frame(0))
    columns = pd.concat([pd.Series([value]) for value in values], axis=1)
    columns.columns = keys
    for name in ("column_stack", "reset_column_stack"):
        same(resolve_merge_func(name)(values, keys=keys), columns)
    bare = resolve_merge_func("concat")(values, keys=keys, wrap=False)
    assert isinstance(bare, np.ndarray)
    assert bare.dtype == whole.to_numpy().dtype


@LAWS
@given(st.data())
def test_arrays(data):
    n = data.draw(st.integers(1, 4))
    lengths = data.draw(
        st.one_of(
            st.integers(0, 4).map(lambda k: [k] * n),
            st.lists(st.integers(0, 4), min_size=n, max_size=n),
        )
    )
    arrays = [data.draw(values_of(k)) for k in lengths]
    keys = data.draw(keys_of(n))
    series = [pd.Series(array) for array in arrays]
    same(resolve_merge_func("concat")(arrays, keys=keys), pd.concat(series, keys=keys))
    beside = pd.concat(series, axis=1)
    beside.columns = keys
    for name in ("column_stack", "reset_column_stack"):
        same(resolve_merge_func(name)(arrays, keys=keys), beside)
    rows = resolve_merge_func("row_stack")(arrays, keys=keys)
    assert rows.index.equals(keys)
    for row, array in zip(rows.to_numpy(), arrays, strict=True):
        np.testing.assert_array_equal(pd.Series(row[: len(array)]), pd.Series(array))
        assert pd.isna(row[len(array) :]).all()


@LAWS
@given(series_list(unique=False), st.sampled_from(["concat", "row_stack"]))
def test_series_one_below_another(case, name):
    series, keys = case
    same(resolve_merge_func(name)(series, keys=keys), pd.concat(series, keys=keys))


@LAWS
@given(series_list(unique=True))
def test_series_side_by_side(case):
    series, keys = case
    equal = all(
        one.index.equals(series[0].index) and one.index.dtype == series[0].index.dtype
        for one in series
    )
    expected = pd.concat(series, axis=1, keys=keys, sort=not equal)
    same(resolve_merge_func("column_stack")(series, keys=keys), expected)
    by_position = pd.concat([one.reset_index(drop=True) for one in series], axis=1, keys=keys)
    same(resolve_merge_func("reset_column_stack")(series, keys=keys), by_position)


@st.composite
def frame_list(draw):
    n = draw(st.integers(1, 3))
    rows, columns = draw(st.integers(0, 3)), draw(st.integers(1, 3))
    index = draw(row_index(rows, unique=True))
    kind = type(index)
    names = pd.Index([f"c{i}" for i in range(columns)], name="own")
    if draw(st.booleans()):
        names = pd.MultiIndex.from_product([names, ["only"]])
    same_rows, same_columns = draw(st.booleans()), draw(st.booleans())
    frames = []
    for _ in range(n):
        if not same_rows:
            rows = draw(st.integers(0, 3))
            index = draw(row_index(rows, unique=True).filter(lambda new: type(new) is kind))
        own = names if same_columns else names[: draw(st.integers(1, columns))]
        frames.append(pd.DataFrame(draw(values_of((rows, len(own)))), index=index, columns=own))
    return frames, draw(keys_of(n))


@LAWS
@given(frame_list())
def test_frames_side_by_side(case):
    frames, keys = case
    equal = all(
        one.index.equals(frames[0].index) and one.index.dtype == frames[0].index.dtype
        for one in frames
    )
    expected = pd.concat(frames, axis=1, keys=keys, sort=not equal)
    same(resolve_merge_func("column_stack")(frames, keys=keys), expected)


@LAWS
@given(frame_list())
def test_frames_one_below_another(case):
    frames, keys = case
    same(resolve_merge_func("row_stack")(frames, keys=keys), pd.concat(frames, keys=keys))


@LAWS
@given(st.data())
def test_tables_are_frames_with_default_labels(data):
    n, rows, columns = (data.draw(st.integers(1, 3)) for _ in range(3))
    tables = [data.draw(values_of((rows, columns))) for _ in range(n)]
    frames = [pd.DataFrame(table) for table in tables]
    keys = data.draw(keys_of(n))
    same(
        resolve_merge_func("column_stack")(tables, keys=keys), pd.concat(frames, axis=1, keys=keys)
    )
    same(resolve_merge_func("row_stack")(tables, keys=keys), pd.concat(frames, keys=keys))
    with pytest.raises(TypeError, match="concat must get scalars, 1-D arrays or Series"):
        resolve_merge_func("concat")(tables, keys=keys)
