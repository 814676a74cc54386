# SPDX-License-Identifier: BSD-3-Clause
"""Step grids and the rules of dimensions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak.errors import ParamError


@pytest.mark.parametrize(
    ("low", "high", "step", "n"),
    [
        (2, 10, 0, 18),
        (10, 100, 5, 19),
        (1, 5, 0, 18),
        (1, 10, 0.5, 19),
        (0.2, 3.0, 0.1, 29),
        (300, 700, 0, 10),
        (25, 35, 0, 5),
        (0.3, 0.6, 0, 9),
        (50, 150, -20, 8),
        (0.5, 1.5, 0.1, 11),
        (7, 7, 1, 1),
        (7, 7, 0, 1),
        (1, 2, 5, 2),
        (1, 2, -300, 2),
        (0, 10, 3, 5),
        (1, 1000, 1, 1000),
        (0, 1, 1 / 3, 4),
    ],
)
def test_number_of_steps(low, high, step, n):
    steps = Dimension("x", 1, low, high, step).steps()
    assert len(steps) == n
    assert steps[0] == low
    assert steps[-1] == high
    assert np.all(np.diff(steps) > 0)


def test_percent_steps_grow_geometrically():
    assert Dimension("x", 30, 25, 35).steps().tolist() == [25, 27.5, 30.25, 33.275, 35]
    expected = [50, 60, 72, 86.4, 103.68, 124.416, 149.2992, 150]
    assert Dimension("x", 60, 50, 150, -20).steps().tolist() == expected


def test_linear_steps_do_not_drift():
    steps = Dimension("x", 1, 0.2, 3.0, 0.1).steps().tolist()
    assert steps == [round(0.2 + 0.1 * k, 1) for k in range(29)]


def test_even_steps():
    assert Dimension("x", 3, 1, 5).even_steps().tolist() == [
        1.0, 1.4, 1.8, 2.2, 2.6, 3.0, 3.4, 3.8, 4.2, 4.6, 5.0,
    ]  # fmt: skip
    assert Dimension("x", 3, 0, 10, -20).even_steps().tolist() == list(range(11))
    assert Dimension("x", 3, 0, 10, 5).even_steps().tolist() == [0, 5, 10]
    assert Dimension("x", 3, 4, 4).even_steps().tolist() == [4]


def test_a_range_of_zero_is_stored_and_not_searched():
    dimension = Dimension("x", 0.37, 0, 0)
    assert not dimension.searched
    assert len(dimension.steps()) == len(dimension.even_steps()) == 0


def test_integers_round_half_up():
    dimension = Dimension("x", 5, 1, 9, 0.5, integer=True)
    assert [dimension.rounded(v) for v in (1.49, 1.5, 2.5, 3.0)] == [1, 2, 3, 3]
    assert len(dimension.steps()) == 17


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, -1, 5), "min of x must be at least 0"),
        ((-1, 0, 5, 1), "default of x must be at least 0"),
        ((1, 5, 2), "max of x must be at least its min"),
        ((math.nan, 1, 5), "default of x must be a finite number"),
        ((1, 1, math.inf), "max of x must be a finite number"),
        ((1, 1, 5, math.nan), "step of x must be a finite number"),
        ((1, 1, 5, 1, "high"), "bias of x must be a finite number"),
        ((None, 1, 5), "default of x must be a finite number"),
        ((1, 0, 1000, 1), "at most 1,000, got 1,001"),
        ((1, 0, 1e300, 1e-300), "too many to count"),
    ],
)
def test_bad_dimensions(arguments, message):
    with pytest.raises(ParamError, match=message):
        Dimension("x", *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 0, 5), r"min of x must be above 0 .* Pass step=0.5"),
        ((1, 0, 5, -20), "above 0 where its step is a percentage"),
        ((1, 1, 1000, -0.1), "steps of x must be at most 1,000, got 6,913"),
        ((1, 1, 2, -1e-300), "too many to count"),
    ],
)
def test_bad_percent_steps(arguments, message):
    dimension = Dimension("x", *arguments)
    with pytest.raises(ParamError, match=message):
        dimension.steps()
    assert len(dimension.even_steps()) == 11


def test_bad_spaces():
    with pytest.raises(ParamError, match=r"distinct names.*'x'"):
        SearchSpace([Dimension("x", 1, 1, 2), Dimension("x", 1, 1, 2)])
    with pytest.raises(ParamError, match="be a Dimension"):
        SearchSpace([(1, 2, 3)])
    with pytest.raises(ParamError, match="name of a parameter"):
        Dimension("", 1, 1, 2)
