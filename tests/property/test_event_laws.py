# SPDX-License-Identifier: BSD-3-Clause
"""Events of crossings are those of their bool arrays, however they are found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broadpeak._core import threads
from broadpeak._signals.crossing import Crossing
from broadpeak._simulation import events as module
from broadpeak._simulation._kernels.columns import encode
from broadpeak._simulation.events import Events, crossing_events, event_blocks

WAYS = ("compared", "kinetic")
SIGNALS = (
    "long_entries",
    "long_exits",
    "short_entries",
    "short_exits",
)


@contextmanager
def found_by(way: str, n_threads: int) -> Iterator[list[bool]]:
    """Have events found one way, in that many threads."""
    known = module._kinetic
    ran: list[bool] = []

    def kinetic(series, n_pairs, table, dense):
        found = None if way == "compared" else known(series, n_pairs, table, 1e18)
        ran.append(found is not None)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", -1)
        patch.setattr(module, "_PAIRS_OF_FAMILY", 1)
        patch.setattr(module, "_kinetic", kinetic)
        patch.setattr(threads, "parts_for", lambda _: n_threads)
        yield ran


def twin(signals: dict[str, Crossing]) -> Events:
    """Every bar of every column through the kernel that the column loop reads."""
    n, n_bars = max(one.shape for one in signals.values())
    none = np.zeros((n, n_bars), np.uint8)
    rows = []
    for name in SIGNALS:
        bools = signals[name].bools().view(np.uint8) if name in signals else none
        rows.append(np.broadcast_to(bools, (n, n_bars)))
    starts, bars, actions = [0], [], []
    for column in range(n):
        code = np.zeros(n_bars, np.uint8)
        encode(code, *(np.ascontiguousarray(row[column]) for row in rows), none[0])
        found = np.flatnonzero(code)
        bars.append(found)
        actions.append(code[found])
        starts.append(starts[-1] + len(found))
    return Events(np.array(starts), np.concatenate([*bars, []]), np.concatenate([*actions, []]))


def assert_same(found: Events, expected: Events) -> None:
    assert found.starts.dtype == np.int64
    assert found.bars.dtype == np.int32
    assert found.actions.dtype == np.uint8
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def check(signals: dict[str, Crossing]) -> None:
    expected = twin(signals)
    assert_same(crossing_events(**signals), expected)
    for way in WAYS:
        for n_threads in (1, 2, 3):
            with found_by(way, n_threads):
                assert_same(crossing_events(**signals), expected)
    for most in (1, 40):
        parts = list(event_blocks(**signals, most=most))
        assert [first for first, _, _ in parts[1:]] == [last for _, last, _ in parts[:-1]]
        np.testing.assert_array_equal(
            np.concatenate([[0], *(np.diff(one.starts) for _, _, one in parts)]).cumsum(),
            expected.starts,
        )
        np.testing.assert_array_equal(
            np.concatenate([one.bars for _, _, one in parts]), expected.bars
        )
        np.testing.assert_array_equal(
            np.concatenate([one.actions for _, _, one in parts]), expected.actions
        )


NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, np.inf, -np.inf, 1e-8, 1e11])


@st.composite
def families(draw: st.DrawFn, n_bars: int, *, may_be_levels: bool) -> np.ndarray:
    """Series with ties, infinities, values that begin later, and sometimes gaps."""
    n = draw(st.integers(1, 6))
    if may_be_levels and draw(st.booleans()):
        return np.array(draw(st.lists(NUMBERS, min_size=n, max_size=n))).reshape(n, 1)
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    kind = draw(st.sampled_from(["ties", "walk", "flat", "inf"]))
    if kind == "ties":
        values = rng.integers(0, 3, (n, n_bars)).astype(float)
    elif kind == "walk":
        values = rng.normal(size=(n, n_bars)).cumsum(axis=1)
    elif kind == "flat":
        values = np.repeat(rng.integers(0, 3, (n, -(-n_bars // 20))), 20, axis=1)[:, :n_bars] * 1.0
    else:
        values = rng.choice([0.0, -0.0, 1.0, np.inf, -np.inf], (n, n_bars))
    for row in values:
        row[: rng.integers(0, n_bars + 1) if rng.random() < 0.5 else 0] = np.nan
    if draw(st.integers(0, 3)) == 0:
        values[rng.random(values.shape) < 0.05] = np.nan
    return values


@st.composite
def signal_sets(draw: st.DrawFn) -> dict[str, Crossing]:
    n_bars = draw(st.sampled_from([1, 2, 3, 40, 63, 64, 65, 130, 200]))
    n = draw(st.integers(1, 12))
    left = draw(families(n_bars, may_be_levels=False))
    sources = [left, left, draw(families(n_bars, may_be_levels=True))]
    if sources[2].shape[1] == n_bars and draw(st.booleans()):
        sources[2][0] = left[0]  # a row that both families have
    for source in sources:
        source.flags.writeable = False
    rows = st.integers(0, 5)
    pairs = []
    for _ in range(draw(st.integers(1, 3))):
        right = draw(st.sampled_from(sources))
        left_rows = np.array(draw(st.lists(rows, min_size=n, max_size=n))) % len(left)
        right_rows = np.array(draw(st.lists(rows, min_size=n, max_size=n))) % len(right)
        pairs.append((left, left_rows, right, right_rows))
    names = draw(st.lists(st.sampled_from(SIGNALS), min_size=1, max_size=4, unique=True))
    signals = {}
    for name in names:
        pair = draw(st.sampled_from(pairs))
        if pair[2].shape == pair[0].shape and draw(st.booleans()):
            pair = (*pair[2:], *pair[:2])
        one = Crossing(*pair, draw(st.booleans()))
        if draw(st.integers(0, 4)) == 0 and len(signals) > 0:
            one = one.take(np.array([0]))
        signals[name] = one
    return signals


@given(signal_sets())
def test_events_are_those_of_bool_arrays(signals: dict[str, Crossing]) -> None:
    check(signals)


def averages(n_series: int, n_bars: int, seed: int, step: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    price = 100 * np.exp(rng.normal(0, 0.01, n_bars).cumsum())
    if step:
        price = np.round(price / step) * step
    sums = np.concatenate([[0.0], price.cumsum()])
    out = np.full((n_series, n_bars), np.nan)
    for k in range(n_series):
        window = k + 2
        out[k, window - 1 :] = (sums[window:] - sums[:-window]) / window
    return out


@pytest.mark.parametrize("step", [0.0, 0.5, 5.0, 1000.0])
@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
def test_all_pairs_of_averages(step: float, n_threads: int) -> None:
    lines = averages(60, 900, 3, step)
    a, b = np.triu_indices(60, 1)
    up, down = (Crossing(lines, a, lines, b, above) for above in (True, False))
    expected = twin({"long_entries": up, "long_exits": down})
    with found_by("kinetic", n_threads) as ran:
        assert_same(crossing_events(up, down), expected)
    assert ran == [True]
    with found_by("compared", n_threads):
        assert_same(crossing_events(up, down), expected)


def test_two_equal_families_are_one_list() -> None:
    lines = averages(40, 700, 5)
    a, b = np.triu_indices(40, 1)
    left, right = lines.copy(), lines[1:].copy()
    up, down = (Crossing(left, a, right, b - 1, above) for above in (True, False))
    pairs = module._groups((up, down, None, None))[0]
    assert module._Series.of(pairs).n == 40
    with found_by("kinetic", 2):
        assert_same(crossing_events(up, down), twin({"long_entries": up, "long_exits": down}))


def test_pairs_of_both_directions_and_repeats_share_what_is_found() -> None:
    lines = averages(30, 500, 6)
    a, b = np.triu_indices(30, 1)
    left, right = np.concatenate([a, b, a]), np.concatenate([b, a, b])
    signals = {
        "long_entries": Crossing(lines, left, lines, right, True),
        "short_entries": Crossing(lines, left, lines, right, False),
    }
    expected = twin(signals)
    for way in WAYS:
        with found_by(way, 2):
            assert_same(crossing_events(**signals), expected)


def test_series_that_never_meet_are_no_neighbours() -> None:
    """Averages of three symbols at one level: what crosses between symbols is nobody's pair."""
    symbols = [averages(20, 600, seed) for seed in range(3)]
    lines = np.concatenate([symbols[k % 3][k // 3 : k // 3 + 1] for k in range(60)])
    a, b = np.triu_indices(60, 1)
    own = a % 3 == b % 3
    signals = {
        "long_entries": Crossing(lines, a[own], lines, b[own], True),
        "long_exits": Crossing(lines, a[own], lines, b[own], False),
    }
    expected = twin(signals)
    for way in WAYS:
        with found_by(way, 2) as ran:
            assert_same(crossing_events(**signals), expected)
        assert ran == [way == "kinetic"] * 3


def test_a_gap_inside_is_compared() -> None:
    lines = averages(30, 500, 6)
    lines[3, 400] = np.nan
    a, b = np.triu_indices(30, 1)
    up, down = (Crossing(lines, a, lines, b, above) for above in (True, False))
    with found_by("kinetic", 2) as ran:
        found = crossing_events(up, down)
    assert ran == [False]
    assert_same(found, twin({"long_entries": up, "long_exits": down}))


def test_the_choice_follows_what_crosses() -> None:
    """Neighbouring averages seldom cross, so that a list is quicker; noise crosses all the time."""
    rng = np.random.default_rng(2)
    a, b = np.triu_indices(200, 1)
    chosen = []
    known = module._kinetic
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            module, "_kinetic", lambda *args: chosen.append(known(*args) is not None) or None
        )
        for lines in (averages(200, 2000, 1), rng.normal(size=(200, 2000))):
            crossing_events(Crossing(lines, a, lines, b, True))
        few = np.arange(0, len(a), 100)
        lines = averages(200, 2000, 1)
        crossing_events(Crossing(lines, a[few], lines, b[few], True))
    assert chosen == [True, False, False]


def test_a_list_that_costs_more_than_it_seemed_is_given_up() -> None:
    """The bars looked at beforehand are calm, and all others are noise."""
    rng = np.random.default_rng(2)
    lines = rng.normal(size=(80, 1000))
    for bar in np.linspace(1, 999, module._SAMPLES).astype(int):
        lines[:, bar - 1 : bar + 1] = np.arange(80)[:, np.newaxis]
    a, b = np.triu_indices(80, 1)
    up = Crossing(lines, a, lines, b, True)
    series = module._Series.of(module._groups((up, None, None, None))[0])
    assert series.swaps_of_a_bar() == 0.0
    assert_same(crossing_events(up), twin({"long_entries": up}))


@example(1)
@given(st.integers(1, 9))
def test_work_in_parts_is_done_once(n_parts: int) -> None:
    done = np.zeros(n_parts, np.int64)

    def work(part: int) -> None:
        done[part] += 1

    threads.share(work, n_parts)
    np.testing.assert_array_equal(done, 1)
