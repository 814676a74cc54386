"""Fingerprints go by content: equal in every process, different for different calls."""

import copy
import functools
import inspect
import math
import pydoc
import re
import struct
import subprocess
import sys
import threading
import types
import typing
import weakref
from collections.abc import Sized
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from broadpeak._store import origin
from broadpeak._store.fingerprint import fingerprint
from broadpeak.errors import StoreError

FACTOR = 3
NANS = (0x7FF8000000000000, 0x7FF8000000000001)
SEEN: list[int] = []


def _scaled(x):
    return x * FACTOR


def _mean(x):
    return np.mean(x)


def _counted(x):
    SEEN.append(x)
    return x


class _Box:
    def __init__(self, content):
        self.content = content


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        ((1, 2), [1, 2]),
        ([1, [2]], [[1], 2]),
        (np.zeros(3), np.zeros(3, dtype=np.float32)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (pd.Series([1.0], name="a"), pd.Series([1.0], name="b")),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
        (_Box(1), _Box(2)),
        (functools.partial(pow, 2), functools.partial(pow, 3)),
        (np.int64(1), 1),
        (np.int64(1), np.int32(1)),
        (np.float64(1.0), 1.0),
        (np.bool_(True), True),
        (True, np.array(True)),
        (0.0, -0.0),
        (np.array([0.0]), np.array([-0.0])),
        (complex(0.0, 0.0), complex(0.0, -0.0)),
        (("a", "bc"), ("ab", "c")),
        (("a", ("b", "c")), ("a", "b", "c")),
        ((("a",), "b"), (("a", "b"),)),
        ([], ()),
        ((), ((),)),
        ({}, set()),
        (set(), frozenset()),
        ({"a": "b"}, {"ab": ""}),
        ({1: 2}, {2: 1}),
        ({(1, 2)}, {1, 2}),
        ("c", b"c"),
        (b"a", bytearray(b"a")),
        ("", None),
        ((10**5000,), (10**5000 + 1,)),
        (-1, 255),
        (255, -1),
        (range(3), [0, 1, 2]),
        (range(3), range(0, 3, 2)),
        (slice(1), slice(None, 1, 1)),
        (pd.NaT, pd.NA),
        (None, pd.NA),
        (np.datetime64("NaT", "ns"), pd.NaT),
        (np.datetime64("2020-01-01", "D"), np.datetime64("2020-01-01", "s")),
        (pd.Index([1], name="a"), pd.Index([1], name="b")),
        (pd.Index([1], name="a"), pd.Index([1])),
        (
            pd.MultiIndex.from_tuples([(1, 2)], names=["a", "b"]),
            pd.MultiIndex.from_tuples([(1, 2)], names=["a", "c"]),
        ),
        (pd.Series([1], index=pd.Index([1], name="a")), pd.Series([1], index=pd.Index([1]))),
        (pd.Series(["a"], dtype=object), pd.Series(["a"], dtype="string")),
        (pd.array([1, None], dtype="Int64"), pd.array([1, 0], dtype="Int64")),
        (pd.array([np.nan], dtype="Float64"), pd.array([0.0], dtype="Float64")),
        (pd.Categorical(["a"], ordered=True), pd.Categorical(["a"])),
        (pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01", tz="UTC")),
        (pd.Timestamp("2020-01-01").as_unit("s"), pd.Timestamp("2020-01-01").as_unit("ns")),
        (pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01").to_pydatetime()),
        (pd.Period("2020-01", "M"), pd.Period("2020", "Y")),
        (pd.offsets.Day(1), pd.offsets.Day(2)),
        (
            pd.offsets.CustomBusinessDay(holidays=["2020-01-01"]),
            pd.offsets.CustomBusinessDay(holidays=["2020-01-02"]),
        ),
        (datetime(2020, 1, 1), datetime(2020, 1, 1, fold=1)),
        (datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)),
        (ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Paris")),
        (np.dtype("i4"), np.dtype("i8")),
        (np.array([1], dtype=[("a", "i1")]), np.array([1], dtype=[("b", "i1")])),
        (np.ma.array([1], mask=[0]), np.array([1])),
        (np.array(["a"], dtype=object), np.array(["a"])),
        (types.SimpleNamespace(a=1), {"a": 1}),
        (int, float),
        (list[int], list[str]),
        (len, max),
        (math.sin, math.cos),
        (np.add, np.subtract),
        (np.mean, np.median),
        ([1].append, [2].append),
        ("a".join, "b".join),
        (re.compile("ab"), re.compile(b"ab")),
    ],
)
def test_different_values_differ(left, right):
    assert fingerprint(left) != fingerprint(right)


def test_equal_content_is_equal():
    assert fingerprint(_Box(np.arange(3))) == fingerprint(_Box(np.arange(3)))
    assert fingerprint({1, 2, "a"}) == fingerprint({"a", 2, 1})
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=pd.date_range("2020", periods=2))
    assert fingerprint(frame) == fingerprint(frame.copy())


def test_a_function_is_its_code_its_defaults_and_what_it_names(monkeypatch):
    before = fingerprint(_scaled)
    monkeypatch.setitem(globals(), "FACTOR", 4)
    assert fingerprint(_scaled) != before
    assert fingerprint(lambda x, k=1: x) != fingerprint(lambda x, k=2: x)
    assert fingerprint(lambda x: x + 1) != fingerprint(lambda x: x + 2)


def test_what_a_function_closes_over_counts():
    def make(width):
        return lambda x: x + width

    assert fingerprint(make(1)) != fingerprint(make(2))


def test_what_a_function_changes_counts_as_it_is_when_the_run_begins():
    SEEN.clear()
    before = fingerprint(_counted)
    _counted(1)
    assert fingerprint(_counted) != before
    SEEN.clear()
    assert fingerprint(_counted) == before


def ring(*items):
    made: list[object] = [*items]
    made.append(made)
    return made


def test_cycles_end_and_count():
    assert fingerprint(ring(1)) == fingerprint(ring(1))
    assert fingerprint(ring(1)) != fingerprint(ring(2))
    assert fingerprint(ring(1)) != fingerprint([1, [1]])


def test_one_object_in_two_places_is_not_two_equal_ones():
    one = [1]
    assert fingerprint((one, one)) == fingerprint((one, one))
    assert fingerprint((one, one)) != fingerprint(([1], [1]))  # a change of one is seen in both
    date = datetime(2020, 1, 1)
    assert fingerprint((date, date)) == fingerprint((date, datetime(2020, 1, 1)))


def test_order_in_a_set_of_objects_means_nothing():
    boxes = [_Box(number) for number in range(20)]
    again = [_Box(number) for number in reversed(range(20))]
    assert fingerprint(set(boxes)) == fingerprint(set(again))
    assert fingerprint(set(boxes)) != fingerprint(set(again[1:]))


def test_what_is_shared_many_times_over_is_looked_at_once():
    shared: list[object] = [1]
    for _ in range(200):
        shared = [shared, shared]
    assert fingerprint(shared) == fingerprint(shared)


def nested(depth, inner):
    for _ in range(depth):
        inner = [inner]
    return inner


def test_depth_is_no_obstacle():
    assert fingerprint(nested(3000, 1)) == fingerprint(nested(3000, 1))
    assert fingerprint(nested(3000, 1)) != fingerprint(nested(3000, 2))
    assert fingerprint(nested(3000, 1)) != fingerprint(nested(3001, 1))


def test_what_is_nested_too_deeply_is_reported():
    deep = ()
    for _ in range(2000):
        deep = (deep,)
    with pytest.raises(StoreError, match=r"not be nested too deeply.*store_key"):
        fingerprint(deep)


def test_the_bits_of_a_nan_count():
    quiet, other = (struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in NANS)
    assert fingerprint(quiet) == fingerprint(quiet)
    assert fingerprint(quiet) != fingerprint(other)


def test_what_a_mask_hides_means_nothing():
    left, right = pd.array([1, 2], dtype="Int64"), pd.array([1, 7], dtype="Int64")
    left[1] = right[1] = pd.NA
    assert fingerprint(left) == fingerprint(right)


def test_keyword_only_defaults_count():
    def one(x, *, k=1):
        return x * k

    def two(x, *, k=2):
        return x * k

    two.__qualname__ = one.__qualname__
    two.__code__ = one.__code__
    assert fingerprint(one) != fingerprint(two)
    two.__kwdefaults__ = {"k": 1}
    assert fingerprint(one) == fingerprint(two)


def test_edits_between_two_runs_of_one_session_are_seen(monkeypatch):
    first = fingerprint(_scaled)
    monkeypatch.setattr(_scaled, "__code__", (lambda x: x + FACTOR).__code__)
    assert fingerprint(_scaled) != first


def test_a_function_typed_into_a_notebook_counts_by_its_code():
    def typed(text):
        names = {"__name__": "__main__"}
        exec(text, names)
        return names["run"]

    first = typed("K = 2\ndef run(x): return x * K")
    assert fingerprint(first) == fingerprint(typed("K = 2\n\n# more\ndef run(x): return x * K"))
    assert fingerprint(first) != fingerprint(typed("K = 3\ndef run(x): return x * K"))


def test_functions_of_packages_count_by_name_and_version(monkeypatch):
    before = fingerprint(np.mean), fingerprint(_mean)
    monkeypatch.setattr(origin, "_installed", lambda package: f"{package} 99")
    origin._origin_of_file.cache_clear()
    try:
        after = fingerprint(np.mean), fingerprint(_mean)
    finally:
        origin._origin_of_file.cache_clear()
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_other_processes_agree():
    code = (
        "from broadpeak._store.fingerprint import fingerprint as f;"
        "print(f({'a': {1, 'b'}, 'c': (2.5, None)}).hex())"
    )
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == fingerprint({"a": {1, "b"}, "c": (2.5, None)}).hex()


def test_a_lock_has_no_content():
    with pytest.raises(StoreError, match=r"fingerprint\(\)"):
        fingerprint(threading.Lock())


USES = {
    "made": lambda kind: kind(1),
    "sent to a worker": lambda kind: cloudpickle.dumps(kind(1)),
    "copied": lambda kind: copy.deepcopy(kind(1)),
    "looked at": lambda kind: fingerprint(kind(1)),
    "asked for annotations": lambda kind: kind.__annotations__,
    "asked for hints": typing.get_type_hints,
    "asked for a signature": inspect.signature,
    "documented": pydoc.render_doc,
    "compared with a base": lambda kind: isinstance(kind(1), Sized),
    "referred to": weakref.ref,
}


@pytest.mark.parametrize("use", USES)
def test_a_class_that_was_used_is_the_same(use):
    class Used:
        def __init__(self, x):
            self.x = x

    def run(x):
        return Used(x)

    before = fingerprint(run, Used)
    USES[use](Used)
    assert fingerprint(run, Used) == before
