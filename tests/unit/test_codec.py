"""Results survive the way into a store and back as they were; what would not is refused."""

import datetime as dt
import enum
import io
import pathlib
import pickle
import random
import struct
import sys
from collections import OrderedDict, namedtuple
from contextlib import contextmanager, suppress
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._store.codec import decode, encode
from broadpeak.errors import StoreError
from broadpeak.types import MISSING, atomic_dict

PAIRS = pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["x", "y"])
BERLIN = ZoneInfo("Europe/Berlin")
SECOND = dt.timezone(dt.timedelta(hours=1))
ODD_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000123))[0]
READ_ONLY = np.arange(3.0)
READ_ONLY.flags.writeable = False

SCALARS = [
    *(None, True, 1, -1, 10**30, -(2**63), 10**5000, 1.5, -0.0, float("inf"), ODD_NAN, 1 + 2j),
    *("text", "", "a\0b", "\ud800", "ü", b"", b"\x00ab", range(1, 9, 2), range(10**30)),
    *(dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3, 4, 5, 6), dt.timedelta(-1, 2, 3)),
    dt.datetime(2020, 10, 25, 2, 30, fold=1),
    dt.datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    *(dt.datetime(2020, 1, 1, tzinfo=SECOND), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
    *(pd.NaT, pd.NA, bp.NoResult),
    pd.Timestamp("2020-01-02 03:04:05.123456789"),
    *(pd.Timestamp("2020", tz="Asia/Tokyo"), pd.Timestamp("2020", tz="UTC").as_unit("s")),
    pd.Timestamp("2020-10-25 00:30", tz="UTC").tz_convert("Europe/Berlin"),
    pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert("Europe/Berlin"),
    *(pd.Timedelta("3h"), pd.Timedelta(5, "s").as_unit("ms")),
    *(np.float32(2), np.float64(ODD_NAN), np.float64(-0.0), np.int8(-3), np.uint64(2**63)),
    *(np.bool_(True), np.complex64(1j), np.float16(0.5), np.str_("a\0"), np.bytes_(b"a\0")),
    *(np.datetime64("2020-01-01"), np.datetime64("NaT", "ns"), np.timedelta64(3, "h")),
]
NESTED = [
    *([], [1, [2.5]], (), (1, ("a",)), {}, {2: None, "a": [1]}, {1, "a"}, frozenset([1])),
    *({(1, 2): {pd.NaT: [()]}}, [True, 1, 1.0, np.int64(1)], {float("nan"): 1}, {b"a": {1: 2}}),
]
ARRAYS = [
    *(np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3).T, np.zeros(0), np.array(5)),
    *(np.zeros((0, 3)), np.zeros((3, 0), order="F"), np.array(["a", None, 3], dtype=object)),
    *(np.array([["ab", ""]]), np.array([b"a"]), np.array([1.0, ODD_NAN]), np.array([True, False])),
    *(np.arange(3, dtype=">i4"), np.array(["a"], dtype=">U3"), np.array([1], "M8[D]")),
    *(np.zeros((2, 3, 4), order="F"), np.array([[1, "a"]], dtype=object).T, READ_ONLY),
]
SERIES = [
    pd.Series([1.0, 2, 3, 4], index=PAIRS, name="q"),
    pd.Series([1, 2], index=pd.date_range("2020", periods=2, tz="Europe/Berlin")),
    pd.Series([1, 2], index=pd.date_range("2020", periods=2, freq="MS", name="day")),
    pd.Series([1, 2], index=pd.to_datetime(["2020-01-01", "2020-01-01"])),
    pd.Series([1, "a", None], dtype=object),
    pd.Series(["a", "b"], dtype=object),
    pd.Series(["a", None, "c"]),
    pd.Series(["a", None], dtype="string"),
    pd.Series([None, None], dtype=object),
    pd.Series([], dtype=float),
    pd.Series([1], name=("a", 1)),
    pd.Series([1], name=np.int64(3)),
    pd.Series([1, 2], index=["a", "a"]),
    pd.Series([1, 2], index=pd.Index(["a", "b"], dtype=object)),
    pd.Series([pd.Timestamp("2020", tz="UTC"), pd.NaT]),
    pd.Series([pd.Timedelta("1h"), pd.NaT]),
    pd.Series(pd.Categorical(["a", None, "b"], categories=["b", "a"], ordered=True), name="c"),
    pd.Series(pd.Categorical([])),
    pd.Series([1, 2], index=pd.CategoricalIndex(["x", "y"], name="kind")),
    pd.Series([1, None], dtype="Int64"),
    pd.Series([2**63, None], dtype="UInt64"),
    pd.Series([1.5, None], dtype="Float32"),
    pd.Series(
        pd.arrays.FloatingArray(np.array([np.nan, 1.0, 2.0]), np.array([False, True, False]))
    ),
    pd.Series([True, None], dtype="boolean"),
    pd.Series([1.0], index=PAIRS[:1]),  # levels with values that no code uses
    pd.Series([1j]),
    pd.Series(np.array([1, 2], dtype="float32")),
]
FRAMES = [
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [True, False]}),
    pd.DataFrame({"t": pd.date_range("2020", periods=2, tz="UTC")}),
    pd.DataFrame(np.zeros((2, 2)), columns=pd.MultiIndex.from_tuples([(1, "x"), (2, "y")])),
    pd.DataFrame(columns=["a"]),
    pd.DataFrame(),
    pd.DataFrame(index=[1, 2]),
    pd.DataFrame(np.arange(6).reshape(2, 3), columns=["a", "a", "b"]),
    pd.DataFrame({0: [1.5], "x": [None], None: ["t"]}),
    pd.DataFrame({"a": [1.0]}, index=pd.RangeIndex(5, 6, name="r")),
    pd.DataFrame(columns=pd.date_range("2020", periods=2, freq="D"), index=[0], data=[[1, 2]]),
]
INDEXES = [
    *(PAIRS, pd.RangeIndex(2, 9, 3, name="r"), pd.Index([1, 2], name="z"), pd.Index([0.5, np.nan])),
    *(pd.timedelta_range("1h", periods=3), pd.Index([True, False]), pd.Index([], dtype=object)),
    pd.date_range("2020", periods=3, freq="W-MON", tz="Asia/Tokyo", unit="s"),
    pd.MultiIndex.from_arrays([[1, None], ["a", "b"]]),
]


def _described(value):
    """Return all of a value, written down apart from the code under test."""
    kind = type(value)
    if isinstance(value, (pd.Series, pd.DataFrame)):
        content = value.to_frame() if isinstance(value, pd.Series) else value
        cells = [_described(content.iloc[:, at].array) for at in range(content.shape[1])]
        names = _described(getattr(value, "name", None))
        columns = _described(content.columns) if isinstance(value, pd.DataFrame) else None
        return kind, cells, names, columns, _described(value.index), _described(dict(value.attrs))
    if isinstance(value, pd.MultiIndex):
        parts = [*value.levels, *map(np.asarray, value.codes)]
        return kind, [_described(one) for one in parts], _described(list(value.names))
    if isinstance(value, pd.Index):
        freq = repr(getattr(value, "freq", None))
        return kind, freq, _described(value.array), _described(list(value.names))
    if isinstance(value, pd.api.extensions.ExtensionArray):
        items = [_described(item) for item in value]
        return kind, repr(value.dtype), getattr(value.dtype, "storage", ""), items
    if isinstance(value, np.ndarray):
        flags = [value.flags[name] for name in ("C_CONTIGUOUS", "F_CONTIGUOUS", "WRITEABLE")]
        items = (
            [_described(item) for item in value.ravel().tolist()] if value.dtype == object else 0
        )
        return kind, value.dtype.str, value.shape, flags, items or value.tobytes("A")
    if isinstance(value, np.generic):
        return kind, value.dtype.str, value.tobytes()
    return kind, _plainly(value)


def _plainly(value):
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, complex):
        return struct.pack("<dd", value.real, value.imag)
    if isinstance(value, (list, tuple)):
        return [_described(item) for item in value]
    if isinstance(value, dict):
        return [(_described(key), _described(item)) for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, map(_described, value)))
    if isinstance(value, (dt.datetime, pd.Timestamp)):
        zone = getattr(value.tzinfo, "key", value.tzinfo)
        return repr(value), value.fold, getattr(value, "unit", ""), repr(zone)
    return value if isinstance(value, int) else (repr(value), getattr(value, "unit", ""))


GROUPS = {
    "scalars": SCALARS,
    "nested": NESTED,
    "arrays": ARRAYS,
    "series": SERIES,
    "frames": FRAMES,
    "indexes": INDEXES,
}
CASES = [
    pytest.param(value, id=f"{group}-{at}")
    for group, values in GROUPS.items()
    for at, value in enumerate(values)
]


@pytest.mark.parametrize("value", CASES)
def test_a_value_comes_back_as_it_was(value):
    raw = encode(value, trust=False)
    assert _described(decode(raw, trust=False)) == _described(value)
    assert encode(decode(raw, trust=False), trust=False) == raw  # and so it does the next time


def test_markers_come_back_as_themselves():
    for marker in (bp.NoResult, pd.NA, pd.NaT, None):
        assert decode(encode(marker, trust=False), trust=False) is marker


def test_attrs_come_back():
    value = pd.Series([1.0])
    value.attrs = {"unit": "USD", "at": [pd.Timestamp("2020")]}
    assert decode(encode(value, trust=False), trust=False).attrs == value.attrs
    frame = value.to_frame().set_flags(allows_duplicate_labels=False)
    assert not decode(encode(frame, trust=False), trust=False).flags.allows_duplicate_labels


def test_a_mean_of_a_resumed_frame_is_that_of_the_first_to_the_last_digit():
    for order in ("C", "F"):
        table = np.asarray(np.random.default_rng(0).normal(size=(999, 7)), order=order)
        frame = pd.DataFrame(table)
        back = decode(encode(frame, trust=False), trust=False)
        assert back.mean().tolist() == frame.mean().tolist()
        assert back.sum(axis=1).tolist() == frame.sum(axis=1).tolist()


def test_what_comes_back_can_be_changed():
    back = decode(encode(np.arange(3.0), trust=False), trust=False)
    back[0] = 7.0
    assert back.flags.owndata
    series = decode(encode(pd.Series([1.0, 2.0]), trust=False), trust=False)
    series.iloc[0] = 7.0
    assert series.tolist() == [7.0, 2.0]


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


class Matrix(np.ndarray):
    pass


class Frame(pd.DataFrame):
    pass


Pair = namedtuple("Pair", "a b")
ATTRS = pd.Series([1])
ATTRS.attrs = {"f": object()}
DEEP: list[object] = []
for _ in range(200):
    DEEP = [DEEP]
ROUND: list[object] = []
ROUND.append(ROUND)

UNFIT = [
    *(slice(1, 2), MISSING, Colour.RED, Text("a"), Pair(1, 2), atomic_dict(a=1), OrderedDict(a=1)),
    *(Decimal("1.5"), Fraction(1, 3), pathlib.PurePath("a"), dt.time(1), dt.UTC, object, len, ...),
    *(pd.Period("2020Q1"), pd.Interval(0, 1), pd.period_range("2020", periods=2), bytearray(b"a")),
    *(np.arange(2).view(Matrix), np.ma.array([1]), np.zeros(2, "i4,f8")),
    *(np.longdouble(1), np.arange(2, dtype=np.longlong), np.array(["a"], np.dtypes.StringDType())),
    *(np.zeros(1, np.dtype("f8", metadata={"a": 1})), Frame({"a": [1]}), ATTRS, DEEP, ROUND),
    dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "CET")),
    pd.Series([1], index=pd.interval_range(0, 1)),
    pd.Series(
        [1, 2], index=pd.DatetimeIndex(["2020-01-01", "2020-02-01"], freq=pd.DateOffset(months=1))
    ),
    pd.Series(pd.arrays.SparseArray([0, 1])),
    pd.Series([object()]),
    [1, {"a": (1, 2, lambda: 1)}],
]


@pytest.mark.parametrize("value", UNFIT, ids=[f"{at}" for at in range(len(UNFIT))])
def test_what_would_not_come_back_the_same_is_refused_without_trust(value):
    with pytest.raises(StoreError, match=r"numbers, strings, dates.*must be pickled.*trust=T"):
        encode(value, trust=False)


def test_what_only_pickle_can_hold_needs_trust_both_ways():
    value = slice(1, 2)
    raw = encode(value, trust=True)
    assert decode(raw, trust=True) == value
    with pytest.raises(StoreError, match=r"read only on trust.*trust=True"):
        decode(raw, trust=False)
    assert decode(encode([1, lambda x: x + 1], trust=True), trust=True)[1](1) == 2


def test_what_not_even_pickle_can_hold_is_reported():
    with pytest.raises(StoreError, match="must be picklable"):
        encode((one for one in [1]), trust=True)


def test_a_pickle_that_cannot_be_read_any_more_is_reported():
    raw = b"P" + pickle.dumps(Colour.RED).replace(b"Colour", b"Gone__")
    with pytest.raises(StoreError, match="can still be imported, got AttributeError"):
        decode(raw, trust=True)


def test_a_result_whose_repr_fails_is_reported_all_the_same():
    class Silent:
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(StoreError, match=r"got .*Silent"):
        encode(Silent(), trust=False)


# What a stranger may write into a row.


def _text(text):
    raw = text.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(raw)) + raw


def _many(kind, *items):
    return kind + struct.pack("<Q", len(items)) + b"".join(items)


def _array(dtype, shape, raw, order=b"C", ndim=None):
    head = _text(dtype) + order + b"\1" + bytes([len(shape) if ndim is None else ndim])
    return b"a" + head + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<Q", len(raw)) + raw


def _npy():
    file = io.BytesIO()
    np.lib.format.write_array(file, np.array([1, {}], dtype=object), allow_pickle=True)
    return file.getvalue()


class Bomb:
    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path("a stranger was here"),)


BOMB = pickle.dumps(Bomb())
JSON = b'{"$":"record","home":"broadpeak._store.codec:decode","v":{"raw":"80","trust":true}}'
CRAFTED = {
    "nothing": b"",
    "a bare pickle": BOMB,
    "a pickle as a result": b"P" + BOMB,
    "a pickle inside a list": b"V" + _many(b"l", b"P" + BOMB),
    "a record of the old format": len(JSON).to_bytes(8, "little") + JSON,
    "a record of the old format in place of a value": b"V" + JSON,
    "a class of the old format": b'V{"$":"record","home":"pathlib:Path.touch","v":{}}',
    "an array file": b"V" + _npy(),
    "an array file in an array": b"V" + _array("O", (1,), _npy()),
    "an object dtype": b"V" + _array("|O", (1,), bytes(8)),
    "a structured dtype": b"V" + _array("i4,f8", (1,), bytes(12)),
    "a dtype that is code": b"V" + _array("__import__('os').system('true')", (1,), bytes(8)),
    "a dtype without size": b"V" + _array("<U0", (10**12,), b""),
    "a dtype of a huge size": b"V" + _array("<U999999", (10**9, 0, 10**9), b""),
    "a huge shape": b"V" + _array("<f8", (1 << 47,), bytes(8)),
    "a huge shape of nothing": b"V" + _array("<f8", (1 << 62, 0, 1 << 62), b""),
    "a shape that wraps around": b"V" + _array("<f8", (1 << 32, 1 << 32), bytes(8)),
    "many dimensions": b"V" + _array("<f8", (1,) * 65, bytes(8)),
    "dimensions that are not there": b"V" + _array("<f8", (), b"", ndim=200),
    "no order": b"V" + _array("<f8", (1,), bytes(8), order=b"X"),
    "a truth of 2": b"V" + _array("|b1", (1,), b"\2"),
    "a letter beyond the last": b"V" + _array("<U1", (1,), b"\xff\xff\xff\xff"),
    "a huge count": b"Vl" + struct.pack("<Q", 1 << 62),
    "a count below zero": b"Vl" + struct.pack("<q", -1),
    "a huge length": b"Vs" + struct.pack("<Q", 1 << 62) + b"a",
    "values left over": b"VNN",
    "an unknown kind": b"V~",
    "no text": b"Vs" + struct.pack("<Q", 2) + b"\xff\xfe",
    "one key twice": b"Vd" + _many(b"", b"N", b"N") + _many(b"", b"N", b"T"),
    "a key that is a list": b"Vd" + _many(b"", _many(b"l")) + _many(b"", b"N"),
    "keys without values": b"Vd" + _many(b"", b"N") + _many(b""),
    "a member that is a list": b"V" + _many(b"e", _many(b"l")),
    "a deep nest": b"V" + b"".join(b"l" + struct.pack("<Q", 1) for _ in range(100_000)) + b"N",
    "a day before the first": b"VD" + struct.pack("<I", 0),
    "a month 13": b"VT" + struct.pack("<HBBBBBIB", 2020, 13, 1, 0, 0, 0, 0, 0) + b"-",
    "a zone that is a path": b"VT"
    + struct.pack("<HBBBBBIB", 2020, 1, 1, 0, 0, 0, 0, 0)
    + b"z"
    + _text("../../etc/passwd"),
    "a zone that is a module": b"VT"
    + struct.pack("<HBBBBBIB", 2020, 1, 1, 0, 0, 0, 0, 0)
    + b"z"
    + _text("antigravity.x/y"),
    "a zone of a file": b"VT"
    + struct.pack("<HBBBBBIB", 2020, 1, 1, 0, 0, 0, 0, 0)
    + b"p"
    + _text("dateutil//etc/localtime"),
    "an offset of years": b"VT"
    + struct.pack("<HBBBBBIB", 2020, 1, 1, 0, 0, 0, 0, 0)
    + b"+"
    + struct.pack("<q", 1 << 60),
    "a unit of weeks": b"VS" + _text("W") + struct.pack("<q", 1) + b"-",
    "a step of zero": b"Vr" + b"".join(_text("\0") for _ in range(3)),
    "an index without a name": b"VIi" + b"N" + b"n" + _array("<i8", (1,), bytes(8))[1:],
    "a frequency that is code": b"VJi"
    b"s"
    + _text("__import__('os')")
    + b"n"
    + _array("<M8[ns]", (1,), bytes(8))[1:]
    + _many(b"", b"N"),
    "a column repeated a million times": b"VY"
    + (b"r" + b"".join(b"i" + _text(n) for n in ("\0", "\0\0\0\0\0\x10", "\1")))
    + _many(b"", b"N")
    + b"N"
    + b"d"
    + _many(b"")
    + _many(b"")
    + b"\1"
    + b"n"
    + _array("<f8", (1,), bytes(8))[1:],
}


audit: list[list[str]] = []
_SUSPECT = ("exec", "compile", "os.", "subprocess.", "socket.", "pickle.find_class", "shutil.")


def _listen(event, args):
    if audit and (event.startswith(_SUSPECT) or (event == "open" and "w" in str(args[1] or ""))):
        audit[0].append(f"{event} {args!r}")


@contextmanager
def nothing_runs():
    """Fail if what is inside writes a file, starts a program, or runs code that it was given."""
    # pandas loads its printer when it first prints, as in errors: that is no code of a row.
    repr((pd.DataFrame({"a": [1]}), pd.Series([1]), pd.Index([1])))
    ran: list[str] = []
    audit.append(ran)
    try:
        yield
    finally:
        audit.clear()
    assert ran == []
    assert not pathlib.Path("a stranger was here").exists()


@pytest.fixture(scope="module", autouse=True)
def listening():
    decode(encode(dt.datetime(2020, 1, 1, tzinfo=BERLIN), trust=False), trust=False)  # lists zones
    for module in ("pandas_compat", "vendored.version"):  # what pandas 2 loads for texts
        pytest.importorskip(f"pyarrow.{module}")
    sys.addaudithook(_listen)  # for good, but deaf outside of these tests


@pytest.mark.parametrize("raw", CRAFTED.values(), ids=CRAFTED.keys())
def test_a_crafted_row_is_reported_and_runs_nothing(raw):
    with nothing_runs(), pytest.raises(StoreError, match=r"makes? no value|only on trust"):
        decode(raw, trust=False)


def test_the_alarm_goes_off():
    with pytest.raises(AssertionError, match=r"find_class"), nothing_runs():
        decode(b"P" + pickle.dumps(Colour.RED), trust=True)


def test_a_hundred_million_letters_take_no_memory_they_do_not_have():
    with pytest.raises(StoreError, match="make no value"):
        decode(b"V" + _array("<U999999", (100_000,), bytes(8)), trust=False)


def _mutated(raw, rng):
    out = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        how, at = rng.randrange(4), rng.randrange(1, len(out))
        if how == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            out[at] = rng.randrange(256)
        elif how == 2:
            del out[at : at + rng.randint(1, 9)]
        else:
            other = rng.choice(SEEDS)
            start = rng.randrange(len(other))
            out[at:at] = other[start : start + rng.randint(1, 40)]
        if len(out) < 2:
            break
    return bytes(out)


SEEDS = [encode(case.values[0], trust=False) for case in CASES] + list(CRAFTED.values())[1:]


def _fuzz(n, seed):
    rng = random.Random(seed)
    n_values = 0
    for _ in range(n):
        raw = _mutated(rng.choice(SEEDS), rng)
        with nothing_runs(), suppress(StoreError):
            decode(raw, trust=False)
            n_values += 1
    return n_values


def test_some_damaged_rows_give_a_value_or_are_reported():
    assert _fuzz(400, seed=1) < 400


@pytest.mark.slow
def test_ten_thousand_damaged_rows_give_a_value_or_are_reported():
    assert _fuzz(10_000, seed=2) < 10_000
