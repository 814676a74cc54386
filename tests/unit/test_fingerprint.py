"""Fingerprints go by content: equal in every process, different for different calls."""

import functools
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

from broadpeak.errors import StoreError
from broadpeak.storage.fingerprint import fingerprint

FACTOR = 3
SEEN: list[int] = []


def _scaled(x):
    return x * FACTOR


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


def test_what_a_function_changes_is_not_part_of_it():
    before = fingerprint(_counted)
    _counted(1)
    assert fingerprint(_counted) == before


def test_cycles_end():
    ring: list[object] = [1]
    ring.append(ring)
    assert fingerprint(ring) == fingerprint(ring)


def test_other_processes_agree():
    code = (
        "from broadpeak.storage.fingerprint import fingerprint as f;"
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
