"""Results survive the way into a store and back; pickles need trust."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak.errors import StoreError
from broadpeak.storage.codec import decode, encode

PAIRS = pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["x", "y"])
PLAIN = [None, True, 1, 10**30, 1.5, float("inf"), "text", [1, [2.5]], (1, ("a",)), {2: None}]
TYPED = [np.float32(2), np.int64(3), np.bool_(True), np.datetime64("2020-01-01")]
STAMPS = [
    pd.Timestamp("2020-01-02 03:04:05.123456"),
    pd.Timestamp("2020", tz="Asia/Tokyo"),
    pd.Timedelta("3h"),
]
ARRAYS = [np.arange(6.0).reshape(2, 3), np.array(["a", None, 3], dtype=object), np.zeros(0)]
SERIES = [
    pd.Series([1.0, 2, 3, 4], index=PAIRS, name="q"),
    pd.Series([1, 2], index=pd.date_range("2020", periods=2, tz="Europe/Berlin")),
    pd.Series([1, "a", None], dtype=object),
    pd.Series(["a", None, "c"]),
]
FRAMES = [
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [True, False]}),
    pd.DataFrame({"t": pd.date_range("2020", periods=2, tz="UTC")}),
    pd.DataFrame(np.zeros((2, 2)), columns=pd.MultiIndex.from_tuples([(1, "x"), (2, "y")])),
    pd.DataFrame(columns=["a"]),
]


@pytest.mark.parametrize("value", [*PLAIN, *TYPED, *STAMPS], ids=repr)
def test_plain_values_come_back_with_their_type(value):
    back = decode(encode(value, trust=False), trust=False)
    assert back == value
    assert type(back) is type(value)


def test_nan_and_no_result_come_back():
    assert np.isnan(decode(encode(float("nan"), trust=False), trust=False))
    assert decode(encode(bp.NoResult, trust=False), trust=False) is bp.NoResult


@pytest.mark.parametrize("value", ARRAYS, ids=["table", "objects", "empty"])
def test_arrays_come_back(value):
    back = decode(encode(value, trust=False), trust=False)
    np.testing.assert_array_equal(back, value)
    assert back.dtype == value.dtype


@pytest.mark.parametrize("value", SERIES, ids=["labels", "zone", "objects", "text"])
def test_series_come_back(value):
    pd.testing.assert_series_equal(decode(encode(value, trust=False), trust=False), value)


@pytest.mark.parametrize("value", FRAMES, ids=["mixed", "zone", "levels", "empty"])
def test_frames_come_back(value):
    pd.testing.assert_frame_equal(decode(encode(value, trust=False), trust=False), value)


def test_indexes_come_back():
    for index in (PAIRS, pd.RangeIndex(2, 9, 3, name="r"), pd.Index([1, 2], name="z")):
        pd.testing.assert_index_equal(decode(encode(index, trust=False), trust=False), index)


def test_what_only_pickle_can_hold_needs_trust_both_ways():
    value = slice(1, 2)
    with pytest.raises(StoreError, match=r"numbers, text, arrays.*trust=True"):
        encode(value, trust=False)
    raw = encode(value, trust=True)
    assert decode(raw, trust=True) == value
    with pytest.raises(StoreError, match=r"read only on trust"):
        decode(raw, trust=False)


def test_a_damaged_row_says_so():
    with pytest.raises(StoreError, match="damaged"):
        decode(b"\x05\x00\x00\x00\x00\x00\x00\x00nonsense", trust=False)


SCALARS = [
    *(pd.NaT, 1 + 2j, b"\x00ab", Decimal("1.50"), Fraction(1, 3), range(1, 9, 2)),
    *({1, "a"}, frozenset([1]), dt.date(2020, 1, 2), dt.datetime(2020, 1, 2), dt.timedelta(1, 2)),
    *(pd.Period("2020Q1"), pd.Interval(0, 1.5, "both"), {(1, 2): {pd.NaT: [()]}}),
]
EXTENDED = [
    pd.Series(pd.Categorical(["a", None, "b"], categories=["b", "a"], ordered=True), name="c"),
    pd.Series(pd.Categorical([])),
    pd.Series([1, None], dtype="Int64"),
    pd.Series([2**63, None], dtype="UInt64"),
    pd.Series([1.5, None], dtype="Float32"),
    pd.Series([True, None], dtype="boolean"),
    pd.Series(["a", None], dtype="string"),
    pd.Series([pd.Period("2020-01"), pd.NaT]),
    pd.Series([1, 2], index=pd.period_range("2020", periods=2, freq="Q")),
    pd.Series([1, 2], index=pd.IntervalIndex.from_breaks([0, 1, 2], closed="left")),
    pd.Series([1, 2], index=pd.CategoricalIndex(["x", "y"], name="kind")),
    pd.cut(pd.Series([1.0, np.nan, 3.0]), 2),
]


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_scalars_of_other_types_need_no_trust(value):
    back = decode(encode(value, trust=False), trust=False)
    assert repr(back) == repr(value)
    assert type(back) is type(value)


@pytest.mark.parametrize("value", EXTENDED, ids=[str(place) for place in range(len(EXTENDED))])
def test_types_of_pandas_need_no_trust(value):
    pd.testing.assert_series_equal(decode(encode(value, trust=False), trust=False), value)


def test_masked_arrays_keep_their_mask():
    value = np.ma.MaskedArray([1, 2, 3], [False, True, False])
    back = decode(encode(value, trust=False), trust=False)
    assert back.tolist() == [1, None, 3]
