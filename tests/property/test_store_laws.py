"""What a store takes it gives back as it was, whatever it is; what it cannot, it refuses."""

import struct
from zoneinfo import available_timezones

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from broadpeak._store.codec import decode, encode
from broadpeak.errors import StoreError

KNOWN_ZONES = available_timezones()
ZONES = st.timezones().filter(lambda zone: zone.key in KNOWN_ZONES)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters()),
    st.binary(),
    st.dates(),
    st.datetimes(allow_imaginary=False, timezones=st.none() | ZONES),
    st.timedeltas(),
    npst.from_dtype(np.dtype("f4")),
    npst.from_dtype(np.dtype("M8[ns]")),
)
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.tuples(st.integers(), st.text())
ARRAYS = npst.arrays(
    st.one_of(
        npst.boolean_dtypes(),
        npst.integer_dtypes(),
        npst.floating_dtypes(sizes=(16, 32, 64)),
        npst.complex_number_dtypes(sizes=(64, 128)),
        npst.datetime64_dtypes(max_period="D", min_period="ns"),
        npst.unicode_string_dtypes(max_len=3),
    ),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.frozensets(KEYS, max_size=4),
    ),
    max_leaves=12,
)
WORDS = st.lists(st.text("ab\0é", max_size=2), max_size=5)
LENGTHS = st.integers(0, 5)
LABELS = st.one_of(
    st.lists(st.integers(-9, 9), max_size=5).map(lambda items: pd.Index(items, dtype="int64")),
    st.lists(st.text(max_size=2), max_size=5).map(lambda items: pd.Index(items, dtype=object)),
    WORDS.map(lambda items: pd.Index(items, dtype="str")),
    LENGTHS.map(lambda n: pd.RangeIndex(n, name="r")),
    LENGTHS.map(lambda n: pd.date_range("2020-03-28", periods=n, freq="h", tz="Europe/Paris")),
    LENGTHS.map(lambda n: pd.MultiIndex.from_product([range(n), ["x"]], names=["a", None])),
)
COLUMNS = st.sampled_from(["float64", "int8", "bool", "object", "str", "Int64", "category"])


@st.composite
def series(draw):
    labels = draw(LABELS)
    dtype = draw(COLUMNS)
    kinds = {"str": st.text(max_size=2), "category": st.sampled_from("ab"), "object": SCALARS}
    items = draw(
        st.lists(kinds.get(dtype, st.integers(0, 1)), min_size=len(labels), max_size=len(labels))
    )
    return pd.Series(items, index=labels, dtype=dtype, name=draw(KEYS))


def _same(back, value):
    """Return whether two values are the same, bit by bit."""
    if type(back) is not type(value):
        return False
    if isinstance(value, (float, complex)) and not isinstance(value, np.generic):
        return struct.pack("<dd", value.real, value.imag) == struct.pack(
            "<dd", back.real, back.imag
        )
    if isinstance(value, (np.ndarray, np.generic)):
        if back.dtype != value.dtype or back.shape != value.shape:
            return False
        if value.dtype != object:
            return back.tobytes("A") == value.tobytes("A") and back.flags == value.flags
        return _same(back.ravel().tolist(), value.ravel().tolist())
    if isinstance(value, (list, tuple)):
        return len(back) == len(value) and all(map(_same, back, value))
    if isinstance(value, dict):
        return _same(list(back), list(value)) and _same(list(back.values()), list(value.values()))
    return bool(back == value)


@settings(max_examples=150)
@given(VALUES)
def test_values_come_back_bit_by_bit(value):
    raw = encode(value, trust=False)
    assert _same(decode(raw, trust=False), value)


@settings(max_examples=150)
@given(series())
def test_series_come_back_down_to_the_last_label(value):
    try:
        raw = encode(value, trust=False)
    except StoreError:
        return
    back = decode(raw, trust=False)
    pd.testing.assert_series_equal(back, value, check_freq=True, check_exact=True)
    assert back.index.equals(value.index)
    assert type(back.index) is type(value.index)
    assert _same(back.index.tolist(), value.index.tolist())
    assert [type(name) for name in back.index.names] == [type(name) for name in value.index.names]
    assert type(back.name) is type(value.name)
    if value.dtype == object:
        assert _same(back.tolist(), value.tolist())


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_are_reported(raw):
    for mark in (b"", b"V"):
        try:
            decode(mark + raw, trust=False)
        except StoreError:
            continue


@settings(max_examples=50)
@given(VALUES)
def test_trust_changes_nothing_for_what_needs_none(value):
    assert encode(value, trust=True) == encode(value, trust=False)
