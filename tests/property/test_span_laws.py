# SPDX-License-Identifier: BSD-3-Clause
"""PositionSpans are sets of positions."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadpeak._core.spans import PositionSpans

_RANGES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 9)).map(lambda pair: range(pair[0], sum(pair))),
    max_size=9,
)


def _set(ranges):
    return {position for one in ranges for position in one}


def _check(spans, expected):
    assert list(spans) == sorted(expected)
    assert len(spans) == len(expected)
    assert bool(spans) == bool(expected)
    ranges = spans.ranges()
    assert all(len(one) for one in ranges)
    assert all(left.stop < right.start for left, right in pairwise(ranges))
    assert PositionSpans.unpack(spans.pack()) == spans
    assert PositionSpans.of(sorted(expected, reverse=True)) == spans


@given(_RANGES, _RANGES)
def test_they_do_what_sets_do(left, right):
    ours, theirs = PositionSpans(left), PositionSpans(right)
    a, b = _set(left), _set(right)
    _check(ours, a)
    _check(ours.common(theirs), a & b)
    _check(ours.minus(theirs), a - b)
    assert all((position in ours) == (position in a) for position in range(-1, 55))
    both = ours.copy()
    both.update(theirs)
    _check(both, a | b)
    _check(ours, a)  # a copy is its own


@given(_RANGES, st.integers(0, 60))
def test_the_first_are_the_lowest(ranges, n):
    _check(PositionSpans(ranges).first(n), set(sorted(_set(ranges))[:n]))


@given(st.lists(st.integers(-3, 12), max_size=6))
def test_bytes_that_are_no_stretches_are_refused(ends):
    raw = b"".join(end.to_bytes(8, "little", signed=True) for end in ends)
    is_good = len(ends) % 2 == 0 and all(0 <= end <= 10 for end in ends)
    is_good = is_good and all(low < high for low, high in pairwise(ends))
    if is_good:
        assert PositionSpans.unpack(raw, 10).pack() == raw
    else:
        with pytest.raises(ValueError, match=r"stretches"):
            PositionSpans.unpack(raw, 10)


def test_whole_numbers_of_bytes_are_needed():
    with pytest.raises(ValueError, match=r"stretches"):
        PositionSpans.unpack(b"1234567")
