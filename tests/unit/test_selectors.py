# SPDX-License-Identifier: BSD-3-Clause
"""Published vectors of one-parameter selection, and its edge cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from broadpeak._search.cells import make_cells, robustness
from broadpeak._search.searchspace import Dimension
from broadpeak._search.selectors import (
    Ensemble,
    Hill,
    Peak,
    Plateau,
    choose_step,
    curve_robustness,
    resolve_selector,
)
from broadpeak.errors import ParamError

NAN = math.nan
HALVES = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
P1 = (
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
    [0.96, 0.91, 0.87, 0.83, 1.06, 1.01, 0.87, 0.86],
)
P2 = (HALVES[:6], [1.06, 1.08, 1.08, 1.07, 1.06, 1.07])
P3 = (HALVES[:6], [0.97, 0.99, 1.02, 1.06, 1.04, 1.06])
P3_LONGER = (HALVES, [*P3[1], 1.07])
CHART = (
    Dimension("x", 5, 2, 10).steps(),
    [1.342, 1.384, 1.425, 1.411, 1.384, 1.274, 1.329, 1.342, 1.493,
     1.425, 1.438, 1.411, 1.384, 1.411, 1.452, 1.438, 1.384, 1.356],
)  # fmt: skip
BROAD = (
    Dimension("x", 1, 0.2, 3.0, 0.1).steps(),
    [1, 1.05, 1.1, 1.2, 1.35, 1.5, 1.7, 1.95, 1.5, 1.4, 1.6, 1.9, 2.3, 2.75, 3.1,
     2.7, 2.9, 2.6, 2.3, 1.9, 1.6, 1.4, 1.3, 1.2, 1.1, 1, 0.9, 0.8, 0.7],
)  # fmt: skip
INNER = Hill(edges="inner", clip=False)
UNCUT = Hill(clip=False)


def chosen(data, selector, bias=0.0):
    x, y = data
    return choose_step(np.array(x, dtype=float), np.array(y, dtype=float), selector, bias)


@pytest.mark.parametrize(
    ("data", "selector", "step", "value", "score"),
    [
        (P1, INNER, 5, 0.504186, 0.955556),
        (P2, INNER, 3, 1.998965, 1.073333),
        (P3, INNER, 4, 2.509626, 1.038889),
        (P3_LONGER, INNER, 5, 3.005291, 1.05),
        (P1, UNCUT, 5, 0.504186, 0.955556),
        (P2, UNCUT, 2, 1.626892, 1.07375),
        (P3, UNCUT, 6, 3.167722, 1.053333),
    ],
)
def test_hill_vectors(data, selector, step, value, score):
    choice = chosen(data, selector)
    assert choice.step + 1 == step
    assert choice.value == pytest.approx(value, abs=5e-7)
    assert choice.score == pytest.approx(score, abs=5e-7)


@pytest.mark.parametrize(
    ("data", "selector", "step", "value", "score"),
    [
        # Of p1 by hand: .83 + 2 * 1.01 + 3 * 1.01 + 2 * .87 + .86 = 8.48 of 9.
        (P1, Hill(), 6, 0.597406, 8.48 / 9),
        (P2, Hill(), 2, 1.626892, 1.07375),
        (P3, Hill(edges="inner"), 4, 2.507551, 1.03),
        (P3, Hill(), 6, 3.166667, 1.04),
        (P3_LONGER, Hill(edges="inner"), 5, 3.006383, 9.4 / 9),
        (P3_LONGER, Hill(), 7, 3.66877, 1.056667),
        # The manual says of this chart that "about 8" would be chosen, of the other one 1.70.
        (CHART, Hill(), 15, 7.643429, 1.42),
        (BROAD, Hill(), 16, 1.698357, 2.705556),
    ],
)
def test_hill_vectors_with_clipping(data, selector, step, value, score):
    choice = chosen(data, selector)
    assert choice.step + 1 == step
    assert choice.value == pytest.approx(value, abs=5e-7)
    assert choice.score == pytest.approx(score, abs=5e-7)


def test_between_equals_what_was_cut_off_decides():
    assert chosen(([7, 8], [2, 3]), Hill()).step == 1
    assert chosen(([7, 8], [3, 2]), Hill()).step == 0
    # A lone spike carries nothing, and nothing else is higher.
    flat = chosen((range(9), [1, 1, 1, 1, 1, 1, 9, 1, 1]), Hill())
    assert (flat.step, flat.score) == (6, 1)
    assert chosen((range(9), [1, 1, 1, 1, 1, 1, 9, 9, 1]), Hill()).score > 1  # two are no lone one


def test_members_are_the_best_steps():
    data = (range(10), [0, 1, 2, 9, 8.5, 8, 1, 30, 0, 0])
    choice = chosen(data, Ensemble(0.3))
    assert [step for step, _ in choice.members] == [4, 3, 5]
    assert [weight for _, weight in choice.members] == pytest.approx([1 / 3] * 3)
    assert (choice.step, choice.value) == (chosen(data, Hill()).step, chosen(data, Hill()).value)
    assert chosen(data, Hill()).members == ()
    assert len(chosen(data, Ensemble(0.3, Hill(1, clip=False))).members) == 3
    assert chosen(data, Ensemble(0.1, Hill(1, clip=False))).members == ((7, 1.0),)
    with pytest.raises(ParamError, match="hill must be a Hill"):
        Ensemble(0.1, "hill")
    for share in (0, 1.5, NAN, "most", True):
        with pytest.raises(ParamError, match="above 0 and at most 1"):
            Ensemble(share)


def test_robustness_of_a_curve_is_that_of_its_cells():
    rng = np.random.default_rng(2)
    for n in (1, 2, 3, 7, 20):
        y = rng.normal(size=n)
        cells = make_cells(np.arange(n).reshape(-1, 1), (n,), y)
        for step in range(n):
            expected = robustness(cells, step)
            assert curve_robustness(y, step) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("selector", [INNER, UNCUT])
def test_hill_of_the_two_charts(selector):
    assert chosen(CHART, selector).value == pytest.approx(4.745, abs=5e-4)
    assert chosen(CHART, selector).score == pytest.approx(1.432, abs=5e-4)
    assert chosen(BROAD, selector).value == pytest.approx(1.697, abs=5e-4)


@pytest.mark.parametrize(
    ("data", "value"),
    [(P1, 0.55), (P2, 2.247), (P3, 2.271), (P3_LONGER, 2.53), (CHART, 6.31), (BROAD, 1.697)],
)
def test_plateau_vectors(data, value):
    assert chosen(data, Plateau()).value == pytest.approx(value, abs=4e-3)


def test_peak_is_exact():
    choice = chosen(BROAD, Peak())
    assert choice.value == 1.6
    assert choice.score == 3.1
    assert choice.window == (14, 14)


def test_bias_takes_the_end_of_the_band():
    flat = (range(1, 10), [5, 5.1, 5.2, 5.1, 5, 5.1, 5.2, 5.1, 5])
    assert chosen(flat, Peak(), -3).value == 3
    unbiased = chosen(flat, Hill()).step
    assert chosen(flat, Hill(), -3).step == 0 <= unbiased
    assert chosen(flat, Hill(), 3).step == 8
    assert chosen(flat, Hill(), -0.0001).step == unbiased


def test_bias_keeps_a_band_below_a_negative_score():
    data = (range(5), [-10, -10, 1, -10, -10])
    smooth = chosen(data, Hill()).score
    assert smooth < 0
    assert chosen(data, Hill(), 1000).step == 4


def test_signed_scores_weigh_by_their_height():
    x, y = range(1, 6), [-1, 0, 2, 0, -1]
    choice = chosen((x, y), INNER)
    assert choice.value == 3
    assert choice.score == pytest.approx((-1 + 0 + 6 + 0 - 1) / 9)


def test_flat_scores_below_zero_fall_back_to_the_step():
    choice = chosen((range(1, 6), [-1] * 5), Hill(edges="inner"))
    assert (choice.value, choice.step) == (3, 2)


def test_unusable_scores_count_as_the_worst_but_never_above_zero():
    x = range(1, 8)
    y = [1, 2, 3, NAN, 3, 2, 1]
    assert chosen((x, y), Hill()) == chosen((x, [1, 2, 3, 0, 3, 2, 1]), Hill())
    y = [1, -4, 3, math.inf, 3, 2, 1]
    assert chosen((x, y), Hill()) == chosen((x, [1, -4, 3, -4, 3, 2, 1]), Hill())


def test_ties_take_the_lowest_step():
    data = (range(9), [0, 1, 1 + 1e-14, 1, 0, 1, 1, 1, 0])
    assert chosen(data, Peak()).step == 1
    assert chosen(data, Hill(width=3)).step == 2


@pytest.mark.parametrize("selector", [Hill(), INNER, Hill(7), Plateau(), Peak()])
def test_one_and_two_steps(selector):
    assert chosen(([7], [2]), selector).value == 7
    assert 7 <= chosen(([7, 8], [2, 3]), selector).value <= 8


def test_weights():
    assert Hill(3).weights == (1, 2, 1)
    assert Hill(7).weights == (1, 2, 3, 4, 3, 2, 1)
    assert Hill(1).weights == (1,)


@pytest.mark.parametrize("width", [4, 0, 2.5, True, -3, "wide", None])
def test_bad_widths(width):
    with pytest.raises(ParamError, match=r"width must be (an odd number|an integer)"):
        Hill(width)


@pytest.mark.parametrize("level", [0, 90, -0.5, NAN, "high"])
def test_bad_levels(level):
    with pytest.raises(ParamError, match="above 0 and at most 1"):
        Plateau(level)


def test_bad_names():
    with pytest.raises(ParamError, match="'include', 'inner'"):
        Hill(edges="exclude")
    with pytest.raises(ParamError, match="Did you mean 'hill'"):
        resolve_selector("hil")
    with pytest.raises(ParamError, match="be one of 'hill', 'plateau', 'peak', 'ensemble'"):
        resolve_selector(5)


def test_names_stand_for_defaults():
    assert resolve_selector("hill") == Hill(5)
    assert resolve_selector("hill", several=True) == Hill(3)
    assert resolve_selector(Hill(5), several=True) == Hill(5)
    assert resolve_selector("plateau") == Plateau(0.9)
    assert resolve_selector("peak") == Peak()
    assert resolve_selector("ensemble", several=True) == Ensemble(0.1)


@pytest.mark.parametrize("mirrored", [False, True])
def test_of_two_plateaus_with_equal_sums_the_higher_one_wins(mirrored):
    x = [1, 2, 3, 4, 5, 6, 7]
    broad_first = [2.0, 2.0, 2.0, 0.0, 0.0, 3.0, 3.0]
    y = broad_first[::-1] if mirrored else broad_first
    choice = chosen((x, y), Plateau(level=0.5))
    assert choice.window == ((0, 1) if mirrored else (5, 6))
    assert choice.score == 3.0
    # Of two with equal sums and equal means, the lower values.
    assert chosen((x, [3.0, 3.0, 0.0, 0.0, 0.0, 3.0, 3.0]), Plateau(level=0.5)).window == (0, 1)
