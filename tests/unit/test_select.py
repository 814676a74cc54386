# SPDX-License-Identifier: BSD-3-Clause
"""`select` on any scores."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak.errors import ParamError


def grid(score, **levels):
    index = pd.MultiIndex.from_product(levels.values(), names=list(levels))
    return pd.Series([score(*labels) for labels in index], index=index, dtype=float)


def cone(fast, slow):
    return 30.0 - abs(fast - 4) - abs(slow - 60) / 10


SCORES = grid(cone, fast=range(1, 9), slow=range(10, 101, 10))


def test_one_parameter_lies_between_steps():
    scores = pd.Series([0.96, 0.91, 0.87, 0.83, 1.06, 1.01, 0.87, 0.86], name="prr")
    scores.index = pd.Index(np.arange(1, 9) / 10, name="x")
    chosen = bp.select(scores)
    assert chosen.params["x"] == pytest.approx(0.504186, abs=1e-6)
    assert chosen.score == pytest.approx(0.955556, abs=1e-6)
    assert chosen.peak_params == {"x": 0.5}
    assert chosen.peak_score == 1.06
    assert chosen.region.index.tolist() == [0.3, 0.4, 0.5, 0.6, 0.7]
    assert not chosen.at_edge


def test_several_parameters_are_a_combination():
    chosen = bp.select(SCORES)
    assert chosen.params == {"fast": 4, "slow": 60}
    assert type(chosen.params["fast"]) is int
    assert chosen.score == pytest.approx(29.0)
    assert len(chosen.region) == 9
    assert chosen.at_edge == {"fast": False, "slow": False}


@pytest.mark.parametrize("method", ["hill", "plateau", "peak"])
def test_order_of_rows_does_not_matter(method):
    mixed = SCORES.sample(frac=1, random_state=7)
    first, second = bp.select(SCORES, method=method), bp.select(mixed, method=method)
    assert first.params == second.params
    assert first.score == pytest.approx(second.score)
    assert set(first.region.index) == set(second.region.index)


def test_the_scores_stay_as_they_are():
    before = SCORES.copy()
    bp.select(SCORES)
    pd.testing.assert_series_equal(SCORES, before)


def test_lone_peak_against_broad_hill():
    spiked = SCORES.copy()
    spiked.loc[(7, 20)] = 40.0
    assert bp.select(spiked, method="peak").params == {"fast": 7, "slow": 20}
    for method in ("hill", "plateau"):
        chosen = bp.select(spiked, method=method)
        assert chosen.params == {"fast": 4, "slow": 60}
        assert chosen.peak_params == {"fast": 7, "slow": 20}


def test_robustness():
    flat = pd.Series(1.0, index=pd.RangeIndex(9, name="x"))
    assert bp.select(flat).robustness == 1
    spike = flat.copy()
    spike[4] = 9.0
    assert bp.select(spike, method="peak").robustness == 0
    broad = pd.Series([0, 0, 0, 5, 5, 5, 0, 0, 0.0], index=pd.RangeIndex(9, name="x"))
    assert bp.select(broad).robustness == 1
    assert math.isnan(bp.select(pd.Series([1.0], index=[3])).robustness)
    shifted = bp.select(3 * SCORES - 100)
    assert shifted.robustness == pytest.approx(bp.select(SCORES).robustness)


def test_missing_combinations_are_left_out():
    triangle = SCORES[[fast * 10 < slow for fast, slow in SCORES.index]]
    assert bp.select(triangle).params == {"fast": 4, "slow": 60}
    # The corner keeps its mean of what is there, not of zeros.
    sparse = pd.Series([5.0, 5.0, 1.0], index=pd.MultiIndex.from_tuples([(1, 1), (2, 1), (9, 9)]))
    assert bp.select(sparse).score == 5.0


def test_unusable_scores_are_never_chosen():
    holes = SCORES.copy()
    holes.loc[(4, 60)] = np.nan
    holes.loc[(5, 60)] = np.inf
    chosen = bp.select(holes)
    assert chosen.params not in ({"fast": 4, "slow": 60}, {"fast": 5, "slow": 60})
    assert bp.select(holes, method="peak").params in (
        {"fast": 3, "slow": 60}, {"fast": 4, "slow": 50}, {"fast": 4, "slow": 70},
    )  # fmt: skip


def test_negative_scores_are_fine():
    chosen = bp.select(SCORES - 1000)
    assert chosen.params == {"fast": 4, "slow": 60}
    assert chosen.peak_score == -970


def test_at_edge():
    edge = grid(lambda a, b: a - abs(b - 3), a=range(5), b=range(7))
    chosen = bp.select(edge)
    assert chosen.at_edge == {"a": True, "b": False}
    assert chosen.at_edge


def test_labels_that_are_no_numbers_keep_their_order():
    index = pd.Index(["sma", "ema", "wma", "rma"], name="kind")
    chosen = bp.select(pd.Series([1.0, 4.0, 3.0, 0.0], index=index))
    assert chosen.params == {"kind": "ema"}
    ordered = pd.CategoricalIndex(["b", "a"], categories=["a", "b"], ordered=True, name="kind")
    assert bp.select(pd.Series([1.0, 2.0], index=ordered)).params == {"kind": "a"}
    mixed = grid(lambda kind, n: n + (kind == "b"), kind=["b", "a"], n=[1, 2, 3])
    assert bp.select(mixed, method="peak").params == {"kind": "b", "n": 3}


def test_dates_are_sorted():
    days = pd.to_datetime(["2020-01-03", "2020-01-01", "2020-01-02"])
    chosen = bp.select(pd.Series([1.0, 2.0, 5.0], index=pd.Index(days, name="day")))
    assert chosen.params == {"day": pd.Timestamp("2020-01-02")}


def test_unnamed_levels_get_names():
    assert bp.select(pd.Series([1.0, 2.0, 1.0])).params.keys() == {"level_0"}


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "int8", "object"])
def test_dtypes(dtype):
    scores = pd.Series([0, 1, 1, 1, 0], dtype=dtype)
    assert bp.select(scores).params == {"level_0": 2.0}


def test_selectors_as_objects():
    assert bp.select(SCORES, method=bp.Hill(5, "inner")).params == {"fast": 4, "slow": 60}
    assert bp.select(SCORES, method=bp.Plateau(0.99)).params == {"fast": 4, "slow": 60}
    assert bp.select(SCORES, method=bp.Peak()).score == 30


def test_one_combination():
    chosen = bp.select(SCORES.iloc[[3]])
    assert chosen.params == chosen.peak_params == {"fast": 1, "slow": 40}


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1, 2, 3], "be a pandas Series"),
        (pd.DataFrame({"a": [1]}), "be a pandas Series"),
        (pd.Series([], dtype=float), "at least one score"),
        (pd.Series([np.nan, np.inf]), "at least one finite score"),
        (pd.Series(["a", "b"]), "hold numbers"),
        (pd.Series([1.0, 2.0], index=[1, 1]), "one row a combination"),
        (pd.Series([1.0, 2.0], index=[1, np.nan]), "no missing label"),
        (
            pd.Series([1.0], index=pd.MultiIndex.from_tuples([(1, 2)], names=["a", "a"])),
            "names that differ",
        ),
    ],
    ids=["list", "frame", "empty", "nan", "text", "twice", "missing", "names"],
)
def test_bad_scores(scores, message):
    with pytest.raises(ParamError, match=message):
        bp.select(scores)


def test_unknown_method():
    with pytest.raises(ParamError, match="Did you mean 'plateau'"):
        bp.select(SCORES, method="plato")
