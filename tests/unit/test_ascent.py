# SPDX-License-Identifier: BSD-3-Clause
"""The order of an ascent's evaluations, and what it makes of their scores."""

from __future__ import annotations

import math

import numpy as np
import pytest

from broadpeak._search.protocol import SearchStep, StoppingScore, maximise
from broadpeak._search.searchspace import Dimension, SearchSpace
from broadpeak._search.selectors import Ensemble, Hill, Peak, resolve_selector
from broadpeak._search.stepgrid import choose, even_grid
from broadpeak.errors import ParamError
from broadpeak.searchers import Ascent, Brute, Genetic, Random

EXAMPLE = SearchSpace(
    [
        Dimension("cycle", 30, 10, 100, 5),
        Dimension("factor", 3, 1, 5),
        Dimension("stop", 3, 1, 10, 0.5, -3),
    ]
)


def hill(point):
    return 20 - abs(point[0] - 50) / 10 - abs(point[1] - 2) - abs(point[2] - 4)


class Recorder:
    """Notes what is asked and answers with `score`."""

    def __init__(self, score):
        self.steps: list[SearchStep] = []
        self.score = score

    def __call__(self, steps):
        self.steps += steps
        return [self.score(step.point) for step in steps]

    @property
    def points(self):
        return [step.point for step in self.steps]


def test_calls_of_one_pass():
    record = Recorder(hill)
    found = maximise(Ascent(), EXAMPLE, record)
    grids = [dim.steps().tolist() for dim in EXAMPLE]
    cycle, factor, stop = found.values
    expected = [(x, 3.0, 3.0) for x in grids[0]]
    expected += [(cycle, x, 3.0) for x in grids[1]]
    expected += [(cycle, factor, x) for x in grids[2]]
    expected += [(cycle, factor, stop)]
    assert record.points == list(dict.fromkeys(expected))
    assert len(record.points) <= 57
    assert found.score == hill(found.values)


def test_steps_are_numbered():
    record = Recorder(hill)
    maximise(Ascent(), EXAMPLE, record)
    first, last = record.steps[0], record.steps[-1]
    assert first == SearchStep((10.0, 3.0, 3.0), 1, 1, 1, "cycle")
    assert record.steps[18][1:] == (1, 1, 19, "cycle")
    assert record.steps[19][1:] == (1, 2, 1, "factor")
    assert last[1:] == (1, 0, 0, "")


def test_second_pass_starts_from_the_results_of_the_first():
    record = Recorder(hill)
    found = maximise(Ascent(passes=2), EXAMPLE, record)
    first = {c.parameter: c.value for c in found.choice.curves[:3]}
    second = [s.point for s in record.steps if s.train_cycle == 2 and s.par_cycle == 1]
    assert second == [(x, first["factor"], first["stop"]) for x in range(10, 101, 5)]
    assert [c.pass_ for c in found.choice.curves] == [1, 1, 1, 2, 2, 2]
    assert len(record.points) == len(set(record.points))


def test_default_where_nothing_is_usable():
    def score(point):
        return 5.0 - point[1] / 10 if point[1] != 3 else -1.0

    found = maximise(Ascent(), EXAMPLE, Recorder(score))
    curve = found.choice.curves[0]
    assert (curve.value, curve.score, curve.window, curve.at_edge) == (30, 0, None, False)
    assert found.choice.curves[1].window is not None
    assert found.score > 4.5


def test_default_in_the_second_pass_too():
    def score(point):
        return 1.0 if point == (10.0, 3.0, 3.0) or (point[0] == 10 and point[1] == 1) else 0.0

    found = maximise(Ascent("peak", passes=2), EXAMPLE, Recorder(score))
    # The third one makes no difference, and keeps its default.
    assert [c.value for c in found.choice.curves] == [10, 1, 3, 10, 1, 3]

    found = maximise(
        Ascent("peak", passes=2), EXAMPLE, Recorder(lambda p: float(p == (10.0, 3.0, 3.0)))
    )
    assert found.values == (10, 3, 3)


def test_nothing_usable_at_all():
    found = maximise(Ascent(), EXAMPLE, Recorder(lambda point: -1.0))
    assert found.values == (30, 3, 3)
    assert found.score == 0
    assert not found.choice.usable


def test_curves_tell_values_scores_and_window():
    found = maximise(Ascent(), EXAMPLE, Recorder(hill))
    curve = found.choice.curves[0]
    assert curve.parameter == "cycle"
    assert curve.values == tuple(float(x) for x in range(10, 101, 5))
    assert curve.scores == tuple(hill((x, 3, 3)) for x in curve.values)
    assert curve.window == (6, 10)
    assert curve.value == pytest.approx(50)
    assert not curve.at_edge


def test_at_edge():
    space = SearchSpace([Dimension("x", 5, 1, 9, 1), Dimension("y", 5, 1, 9, 1)])
    found = maximise(Ascent(), space, Recorder(lambda p: p[0] + 10 - abs(p[1] - 5)))
    assert found.choice.at_edge == (True, False)
    peak = maximise(Ascent("peak"), space, Recorder(lambda p: p[0] + 10 - abs(p[1] - 5)))
    assert peak.values == (9, 5)
    assert peak.choice.at_edge == (True, False)


def test_one_step_is_no_edge():
    found = maximise(Ascent(), SearchSpace([Dimension("x", 5, 7, 7)]), Recorder(lambda p: 1.0))
    assert found.values == (7,)
    assert found.choice.at_edge == (False,)
    assert found.n_evaluations == 1


def test_zero_range_is_stored():
    space = SearchSpace([Dimension("volatility", 0.23, 0, 0), Dimension("x", 5, 1, 9, 1)])
    record = Recorder(lambda p: 10 - abs(p[1] - 4))
    found = maximise(Ascent(), space, record)
    assert found.values == (0.23, 4)
    assert {point[0] for point in record.points} == {0.23}


def test_integers_are_rounded_for_the_function_only():
    space = SearchSpace([Dimension("n", 3, 1, 5, 0.25, integer=True)])
    record = Recorder(lambda p: 10 - abs(p[0] - 3.2))
    found = maximise(Ascent(), space, record)
    assert record.points == [(1,), (2,), (3,), (4,), (5,)]
    (curve,) = found.choice.curves
    assert len(curve.values) == len(curve.scores) == 17
    assert curve.scores[:3] == (10 - 2.2, 10 - 2.2, 10 - 1.2)
    assert found.values == (float(math.floor(curve.value + 0.5)),)


def test_stop_ends_the_parameter_after_its_step():
    def score(point):
        value = hill(point)
        return StoppingScore(value) if point[0] == 40 and point[1] == 3 else value

    record = Recorder(score)
    found = maximise(Ascent(), EXAMPLE, record)
    first, second, _ = found.choice.curves
    assert first.values == (10, 15, 20, 25, 30, 35, 40)
    assert len(second.values) == 18
    assert not first.at_edge


def test_stop_gives_the_same_whether_later_steps_ran_or_not():
    def score(point):
        return StoppingScore(hill(point)) if point[0] >= 40 and point[1] == 3 else hill(point)

    def lazily(steps):
        scores = []
        for step in steps:
            scores.append(score(step.point))
            if isinstance(scores[-1], StoppingScore):
                break
        return scores

    eager = maximise(Ascent(passes=2), EXAMPLE, Recorder(score))
    assert maximise(Ascent(passes=2), EXAMPLE, lazily) == eager


def test_stop_at_the_last_step_ends_that_parameter_only():
    def score(point):
        return StoppingScore(hill(point)) if point[0] == 100 else hill(point)

    found = maximise(Ascent(), EXAMPLE, Recorder(score))
    assert [len(c.values) for c in found.choice.curves] == [19, 18, 19]


def test_every_step_is_reported():
    seen = []
    space = SearchSpace([Dimension("x", 2, 1, 3, 1), Dimension("y", 1, 1, 3, 1)])
    found = maximise(
        Ascent("peak"),
        space,
        Recorder(sum),
        on_step=lambda step, score, repeated: seen.append((step.point, score, repeated)),
    )
    assert seen == [
        ((1, 1), 2, False),
        ((2, 1), 3, False),
        ((3, 1), 4, False),
        ((3, 1), 4, True),
        ((3, 2), 5, False),
        ((3, 3), 6, False),
    ]
    assert found.n_evaluations == 5


def test_nothing_to_search():
    found = maximise(Ascent(), SearchSpace([]), Recorder(lambda point: -3.0))
    assert (found.values, found.score, found.n_evaluations) == ((), -3.0, 1)


@pytest.mark.parametrize("passes", [0, -1, 1.5, "two", None])
def test_bad_passes(passes):
    with pytest.raises(ParamError, match="passes must be an integer of at least 1"):
        Ascent(passes=passes)


def test_percent_from_zero_is_an_error():
    space = SearchSpace([Dimension("x", 2, 0, 3)])
    with pytest.raises(ParamError, match="min of x must be above 0"):
        maximise(Ascent(), space, Recorder(sum))


def test_the_window_of_a_hill_is_no_edge_but_that_of_a_plateau_is():
    space = SearchSpace([Dimension("x", 5, 1, 9, 1)])
    # The best step is 3, two steps from the end: its window of five begins at the first step.
    near = {1: 4.0, 2: 6.0, 3: 8.0, 4: 6.0, 5: 4.0}
    found = maximise(Ascent(), space, Recorder(lambda p: near.get(p[0], 1.0)))
    assert found.choice.curves[0].window == (0, 4)
    assert found.choice.at_edge == (False,)
    found = maximise(Ascent(Hill(edges="inner")), space, Recorder(lambda p: near.get(p[0], 1.0)))
    assert found.choice.at_edge == (False,)
    level = {1: 7.5, 2: 8.0, 3: 8.0, 4: 7.5}
    found = maximise(Ascent("plateau"), space, Recorder(lambda p: level.get(p[0], 1.0)))
    assert found.choice.curves[0].window == (0, 3)
    assert found.choice.at_edge == (True,)


class Fading:
    """Scores that are good in the first pass alone, and not at the defaults."""

    def __init__(self, *fading):
        self.fading = fading

    def __call__(self, steps):
        return [
            -1.0
            if step.point == (5.0, 5.0) or (step.train_cycle > 1 and step.parameter in self.fading)
            else 20 - abs(step.point[0] - 3.3) - abs(step.point[1] - 6.4)
            for step in steps
        ]


TWO = SearchSpace([Dimension("x", 5, 1, 9, 1), Dimension("y", 5, 1, 9, 1)])


def test_a_pass_without_a_usable_score_gives_the_default_not_the_pass_before():
    found = maximise(Ascent(passes=2), TWO, Fading("x"))
    first, _, second, last = found.choice.curves
    assert first.window is not None
    assert first.value < 4
    assert (second.value, second.score, second.window) == (5, 0, None)
    assert last.window is not None
    assert found.values[0] == 5
    assert found.choice.usable
    assert found.choice.at_edge == (False, False)


def test_what_no_parameter_could_use_in_the_last_pass_is_not_usable():
    found = maximise(Ascent(passes=2), TWO, Fading("x", "y"))
    assert [curve.window is None for curve in found.choice.curves] == [False, False, True, True]
    assert not found.choice.usable
    assert found.values == (5, 5)
    assert found.score == 0


def test_an_unused_parameter_keeps_its_default_and_is_no_edge():
    record = Recorder(lambda point: 5.0 - abs(point[0] - 60) / 10)
    for searcher in (Ascent(), Ascent("plateau"), Ascent("peak", passes=2), Ascent(Ensemble(0.2))):
        found = maximise(searcher, EXAMPLE, record)
        assert found.values[1:] == (3, 3)
        assert found.choice.at_edge == (False, False, False)
        assert found.choice.usable
        last = found.choice.curves[-1]
        assert last.window == (0, len(last.values) - 1)
        assert last.score > 0
        assert {point[1:] for point, _ in found.choice.members} <= {(3, 3)}


@pytest.mark.parametrize(
    "searcher", [Brute(), Brute("peak"), Brute("plateau"), Random(150), Genetic(60, 20)]
)
def test_an_unused_axis_keeps_its_default_and_is_no_edge(searcher):
    space = SearchSpace(
        [Dimension("a", 4.5, 0, 9, 1), Dimension("b", 3, 1, 9, 1), Dimension("c", 2, 1, 3, 1)]
    )
    found = maximise(searcher, space, Recorder(lambda point: 9.0 - abs(point[1] - 6)))
    assert (found.values[0], found.values[2]) == (4.5, 2)  # on no step, and it does not matter
    assert found.values[1] == 6
    assert found.choice.at_edge == (False, False, False)
    found = maximise(searcher, space, Recorder(lambda point: 2.0))
    assert found.values == space.defaults
    assert (found.choice.usable, found.choice.at_edge) == (True, (False, False, False))


def test_an_axis_is_unused_only_if_all_its_steps_were_compared():
    space = SearchSpace([Dimension("a", 4, 0, 9, 1), Dimension("b", 3, 1, 9, 1)])
    # A thin draw: few combinations differ in one parameter alone.
    record = Recorder(lambda point: 9.0 - abs(point[1] - 6))
    found = maximise(Random(6), space, record)
    assert found.values in record.points
    assert found.n_evaluations == 6


@pytest.mark.parametrize("outside", [0.0, 1.0])
def test_an_axis_is_not_unused_where_the_best_was_compared_with_nothing(outside):
    """Where nothing trades, or away from the best, equal scores do not say that b is unused."""
    space = SearchSpace([Dimension("a", 1, 0, 4, 1), Dimension("b", 2, 0, 4, 1)])
    codes = np.array([(a, b) for a in range(4) for b in range(5)] + [(4, 0)])
    scores = np.where(codes[:, 0] < 4, outside, 5.0 - codes[:, 1])
    assert choose(even_grid(space), codes, scores, Peak()).values == (
        4,
        0,
    )  # 5, and not (4, 2), which has 3
    assert choose(even_grid(space), codes[:-1], scores[:-1] + 1, Peak()).values == (1, 2)


@pytest.mark.parametrize("selector", ["hill", "plateau", Hill(width=5)])
def test_what_is_alone_counts_where_those_with_neighbours_show_nothing(selector):
    """Of a thin draw in which hardly anything trades, something that trades is chosen."""
    space = SearchSpace([Dimension("a", 1, 0, 9, 1), Dimension("b", 2, 0, 9, 1)])
    codes = np.array([(0, 0), (0, 1), (1, 0), (1, 1), (3, 8), (6, 2), (9, 6)])
    scores = np.array([0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 1.0])
    chosen = choose(even_grid(space), codes, scores, resolve_selector(selector, several=True))
    assert chosen.values == (3, 8)
    assert chosen.score > 0


def test_the_ensemble_of_an_ascent_is_a_cross_product():
    record = Recorder(
        lambda p: 20 - abs(p[0] - 50) / 10 - abs(p[1] - 2.03) - abs(p[2] - 4.9) / 5 - p[0] / 99
    )
    found = maximise(Ascent(Ensemble(0.2)), EXAMPLE, record)
    members = found.choice.members
    assert sum(weight for _, weight in members) == pytest.approx(1)
    sizes = [len(curve.members) for curve in found.choice.curves]
    assert sizes == [round(0.2 * len(curve.values)) for curve in found.choice.curves]
    assert len(members) == np.prod(sizes)
    first = [{point[k] for point, _ in members} for k in range(3)]
    assert first == [{value for value, _ in curve.members} for curve in found.choice.curves]
    assert found.choice.values == maximise(Ascent(), EXAMPLE, record).choice.values
    six = SearchSpace([Dimension(name, 1, 1, 9, 1) for name in "abcdef"])
    with pytest.raises(ParamError, match=r"at most 10,000 members.*Ensemble\(share=0.05\)"):
        maximise(Ascent(Ensemble(1.0)), six, Recorder(sum))
