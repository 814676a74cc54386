# SPDX-License-Identifier: BSD-3-Clause
"""Whatever is in a parameter file, reading it gives parameters or a `ParFileError`."""

from __future__ import annotations

import datetime as dt
import math
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadpeak import read_par
from broadpeak._store.par import (
    HEADER,
    ComponentParameters,
    Member,
    Parameters,
    ParRange,
    write_par,
)
from broadpeak._store.provenance import CycleOfRun, Provenance
from broadpeak.errors import BroadpeakError, ParFileError

WORDS = st.sampled_from(
    [
        *("AAPL", "IBM:trend", "EURUSD:", "1.5", "+3", "-2e3", "1e999", "nan", "inf", "=>", "+"),
        *("#", "# parameter", '"a"', "default=1", "min=0", "max=1e999", "integer=yes", "step=x"),
        *(HEADER, "# strategy x", "# parameters without names", "\x00", "\ufeff", "\u2028", "%zz"),
        *(
            "# period:",
            "# costs:",
            "# sizing: money",
            "# cycle: 1 of 2",
            "# tests:",
            "# date:",
            "to",
        ),
        *("2001-01-02", "2001-13-02", "capital=1e999", "fees=0.1", "border=carry", "horizon=x"),
        *("# weight", "# weight 0.5", "# weight 0", "# weight 1", "0.5"),
        *("1" * 5_000, "1." * 3_000, "a" * 5_000, "=" * 5_000, "\ud7ff", "٣", "1_000", "0x1"),
    ]
)
LINES = st.lists(st.lists(WORDS | st.text(max_size=8), max_size=6).map(" ".join), max_size=6)


@settings(max_examples=60)
@given(lines=LINES | st.just([]), data=st.binary(max_size=40), is_binary=st.booleans())
def test_a_file_is_read_or_refused(
    lines: list[str], data: bytes, is_binary: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.par"
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    path.write_bytes(text + data if is_binary else text)
    try:
        parameters = read_par(path)
    except ParFileError:
        return
    for component in parameters.components.values():
        assert all(math.isfinite(value) for value in component.params.values())
    again = path.with_name("again.par")
    write_par(again, parameters)
    assert same(read_par(again), parameters)


def same(one: Parameters, two: Parameters) -> bool:
    """Return whether both hold the same, NaN being equal to itself."""
    return repr(one.components) == repr(two.components)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(min_size=1, max_size=12) | st.text(string.punctuation + " #%:=>", min_size=1)


@settings(max_examples=60)
@given(
    key=NAMES,
    params=st.dictionaries(NAMES, NUMBERS, max_size=4),
    objective=st.floats(),
    span=st.none() | st.builds(ParRange, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
)
def test_what_is_written_comes_back_to_the_last_bit(
    key: str, params: dict[str, float], objective: float, span: ParRange | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    path = tmp_path_factory.getbasetemp() / "back.par"
    ranges = {} if span is None else dict.fromkeys(params, span)
    component = ComponentParameters(params, objective, frozenset(list(params)[:1]), ranges)
    try:
        Parameters({key: component}).write(path)
    except ParFileError:
        assert any(0xD800 <= ord(char) <= 0xDFFF for char in key)
        return
    assert same(read_par(path), Parameters({key: component}))


@settings(max_examples=60)
@given(
    key=NAMES.filter(lambda key: not any(0xD800 <= ord(char) <= 0xDFFF for char in key)),
    names=st.lists(NAMES, min_size=1, max_size=3, unique=True),
    shares=st.lists(st.integers(1, 1000), min_size=1, max_size=6),
    draw=st.data(),
)
def test_an_ensemble_comes_back_to_the_last_bit(
    key: str, names: list[str], shares: list[int], draw: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    path = tmp_path_factory.getbasetemp() / "set.par"
    points = st.tuples(*[NUMBERS] * len(names)).map(
        lambda values: dict(zip(names, values, strict=True))
    )
    members = tuple(
        Member(draw.draw(points), share / sum(shares), draw.draw(st.floats())) for share in shares
    )
    centre = draw.draw(points | st.just(members[0].params))
    objective = draw.draw(st.floats() | st.just(members[0].objective))
    edges = frozenset(names[:1])
    written = Parameters({key: ComponentParameters(centre, objective, edges, members=members)})
    written.write(path)
    assert same(read_par(path), written)


@pytest.mark.parametrize(
    "line",
    [
        "AAPL " + "1" * 1_000_000 + "x => 1",
        "AAPL " + "1" * 1_000_000 + " => 1",
        "AAPL 1 => " + "1" * 1_000_000 + "x",
        "AAPL 1 => " + "1." * 500_000,
        "A" * 1_000_000,
        "=>" * 500_000,
        "# parameter " + '"' + "\\\\" * 500_000,
        '# parameter "a" ' + "x" * 1_000_000,
        '# parameter "a" default=' + "1" * 1_000_000 + " min=0 max=1",
        "A " + "1 " * 200_000 + "=> x",
        "# parameter" + " " * 1_000_000 + "x",
        "#" + " " * 1_000_000 + "x",
    ],
    ids=range(12),
)
def test_a_long_line_takes_no_longer_than_its_length(line: str, tmp_path: Path) -> None:
    # What is quadratic takes hours for a million characters, and never ends here.
    path = tmp_path / "long.par"
    path.write_text(line)
    with pytest.raises(ParFileError, match="must"):
        read_par(path)


def test_exact_text_of_the_longest_float_is_read(tmp_path: Path) -> None:
    path = tmp_path / "exact.par"
    smallest = f"{5e-324:.1074f}"
    path.write_text(f"AAPL {smallest} -{smallest} => {smallest}")
    assert list(read_par(path)["AAPL"].values()) == [5e-324, -5e-324]


@pytest.mark.parametrize(
    "path", [None, 3, 1.5, b"x\x00y", "\x00", "x\x00y", [], {}, "", "."], ids=repr
)
def test_a_path_that_is_none_is_refused(path: Any) -> None:
    with pytest.raises(BroadpeakError, match=r"must be"):
        read_par(path)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: None, "be Parameters"),
        (lambda: Parameters({"A": ComponentParameters({"a": None})}), "number"),  # type: ignore[dict-item]
        (lambda: Parameters({"A": ComponentParameters({"a": "x"})}), "number"),  # type: ignore[dict-item]
        (lambda: Parameters({"A": ComponentParameters({"a": 10**400})}), "number"),
        (lambda: Parameters({"A": ComponentParameters({3: 1.0})}), "must be"),  # type: ignore[dict-item]
        (lambda: Parameters({3: ComponentParameters({})}), "ASSET"),  # type: ignore[dict-item]
        (lambda: Parameters({"A": ComponentParameters({}, None)}), "number"),  # type: ignore[arg-type]
        (lambda: Parameters({"\ud800": ComponentParameters({})}), "that a file can hold"),
        (lambda: Parameters({"A": ComponentParameters({})}, "\ud800"), "can be written"),
    ],
    ids=range(9),
)
def test_what_no_file_can_hold_is_refused(
    make: Callable[[], Any], rule: str, tmp_path: Path
) -> None:
    """Where it is made, or where it is written."""
    with pytest.raises(BroadpeakError, match=rule):
        write_par(tmp_path / "x.par", make())
    assert list(tmp_path.iterdir()) == []


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1))
LABELS = MOMENTS | MOMENTS.map(pd.Timestamp) | st.integers(-(10**18), 10**18) | NUMBERS | st.text()
NAMES = st.text(max_size=12).map(lambda text: " ".join(text.split()))
ONE_WORD = st.sampled_from(["", "unit", "script", "money", "equity"])
SIZES = st.tuples(ONE_WORD, st.none() | NUMBERS, st.booleans())


def sized(size: tuple[str, float | None, bool]) -> dict[str, Any]:
    """Return a size; without a kind there is nothing to say of money."""
    kind, capital, whole = size
    return {"sizing": kind, "capital": capital, "whole": whole} if kind else {}


@settings(max_examples=60)
@given(
    period=st.none() | st.tuples(LABELS, LABELS),
    costs=st.dictionaries(
        st.text(max_size=6), st.dictionaries(st.sampled_from(["fees", "spread"]), NUMBERS)
    ),
    size=SIZES,
    counts=st.tuples(st.none() | st.integers(0, 10**9), st.none() | st.integers(0, 10**9)),
    names=st.lists(NAMES, min_size=5, max_size=5),
    cycle=st.none() | st.tuples(st.integers(1, 5), st.sampled_from(["carry", "close"]), SIZES),
)
def test_provenance_is_read_as_it_was_written(
    period: Any,
    costs: dict[str, dict[str, float]],
    size: tuple[str, float | None, bool],
    counts: tuple[int | None, int | None],
    names: list[str],
    cycle: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run = None
    if cycle is not None:
        run = CycleOfRun(cycle[0], 5, cycle[1], 3, **sized(cycle[2]))
    objective, method, version, prices, date = names
    origin = Provenance(
        strategy="s",
        period=period,
        costs=costs,
        objective=objective,
        method=method,
        passes=counts[0],
        trades=counts[1],
        version=version,
        prices=prices,
        date=date,
        cycle=run,
        **sized(size),
    )
    path = tmp_path_factory.getbasetemp() / "origin.par"
    whole = Parameters({"A": ComponentParameters({"x": 1.0}, 2.0)}, "s", origin)
    empty = Provenance(strategy="s")
    read = read_par(write_par(path, whole))
    assert read.provenance == (None if origin == empty else origin)
    assert read.components == whole.components
