# SPDX-License-Identifier: BSD-3-Clause
"""`select` on any scores."""

from __future__ import annotations

import decimal
import itertools
import math

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._core.labels import as_index
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
    chosen = bp.select(scores, method=bp.Hill(clip=False))
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
    # The top counts as the best beside it, 29; so it weighs 4 of 16, the sides 2, the corners 1.
    assert chosen.score == pytest.approx((4 * 29 + 4 * 2 * 29 + 4 * 28) / 16)
    assert bp.select(SCORES, method=bp.Hill(3, clip=False)).score == pytest.approx(29.0)
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


def test_names_are_never_neighbours():
    def score(kind, n):
        return {"sma": 10.0, "ema": 0.0, "wma": 9.5, "hull": 9.4}[kind] - 0.1 * abs(n - 2)

    for kinds in itertools.permutations(["sma", "ema", "wma", "hull"]):
        chosen = bp.select(grid(score, kind=kinds, n=[1, 2, 3]))
        assert chosen.params == {"kind": "sma", "n": 2}
        # The hill is weighed along the numbers alone.
        assert chosen.score == pytest.approx(9.9)
        uncut = bp.select(grid(score, kind=kinds, n=[1, 2, 3]), method=bp.Hill(3, clip=False))
        assert uncut.score == pytest.approx((9.9 + 2 * 10 + 9.9) / 4)
        assert set(chosen.region.index) == {("sma", 1), ("sma", 2), ("sma", 3)}
        assert chosen.at_edge == {"kind": False, "n": False}
    alone = pd.Series([1.0, 4.0, 3.9], index=pd.Index(["sma", "ema", "wma"], name="kind"))
    for method in ("hill", "plateau", "peak"):
        chosen = bp.select(alone, method=method)
        assert (chosen.params, chosen.score) == ({"kind": "ema"}, 4.0)
        assert math.isnan(chosen.robustness)  # it has no neighbour
        assert not chosen.at_edge


def test_of_equal_names_the_first_of_their_alphabet_wins():
    for labels, first in (
        (["b", "a", "c"], "a"),
        ([None, "b", True], None),
        (["b", "a", 7, 3], 3),
        ([math.nan, "x", None], None),
        ([(2, 1), (1, 2), "a"], "a"),
    ):
        for order in itertools.permutations(labels):
            index = as_index(order).rename("kind")
            for method in ("hill", "plateau", "peak"):
                chosen = bp.select(pd.Series(1.0, index=index), method=method)
                assert chosen.peak_params == {"kind": first}, order


def test_none_is_a_name_beside_numbers():
    stops = [None, 1, 2, 3, 4, 5]
    scores = pd.Series([9.0, 1.0, 2.0, 8.9, 8.8, 8.7], index=as_index(stops).rename("stop"))
    chosen = bp.select(scores, method=bp.Hill(3))
    # Nothing lies between two values of a level that holds a name.
    assert chosen.params == {"stop": None}
    assert chosen.score == 9.0
    pulled = bp.select(scores - [9, 0, 0, 0, 0, 0], method=bp.Hill(3))
    assert pulled.params == {"stop": 4}
    assert pulled.at_edge == {"stop": False}
    assert bp.select(scores - [9, 0, 0, 8, 8, 8], method="peak").params == {"stop": 2}
    assert bp.select(scores.iloc[[3, 4, 5, 1, 0, 2]], method="peak").params == {"stop": None}


def test_ordered_categories_are_neighbours_in_their_order():
    ordered = pd.CategoricalIndex(["b", "a"], categories=["a", "b"], ordered=True, name="kind")
    chosen = bp.select(pd.Series([1.0, 2.0], index=ordered))
    assert chosen.params == {"kind": "a"}
    assert chosen.at_edge
    sizes = ["xs", "s", "m", "l", "xl"]
    labels = pd.CategoricalIndex(["m", "xl", "s", "l", "xs"], categories=sizes, ordered=True)
    lone = pd.Series([9.0, 9.4, 8.0, 8.5, 0.0], index=labels)
    assert bp.select(lone, method=bp.Hill(3)).params == {"level_0": "xl"}
    assert bp.select(lone, method=bp.Hill(3, "inner")).params == {"level_0": "l"}
    names = pd.Series([9.0, 9.4, 8.0, 8.5, 0.0], index=pd.CategoricalIndex(list(labels)))
    assert bp.select(names, method=bp.Hill(3, "inner")).params == {"level_0": "xl"}


def test_numbers_are_sorted_by_value_however_they_are_held():
    values = [10, 2**70, 9, 2**70 + 1, 11, 2**70 + 2]
    heights = {9: 4.0, 10: 5.0, 11: 4.0, 2**70: 4.5, 2**70 + 1: 4.9, 2**70 + 2: 4.5}
    for labels in (values, [str(v) for v in values], [decimal.Decimal(v) for v in values]):
        index = pd.MultiIndex.from_product([[1], range(6)], names=["one", "v"])
        index = index.set_levels(as_index(labels), level="v", verify_integrity=False)
        scores = pd.Series([heights[v] for v in values], index=index)
        chosen = bp.select(scores)
        ordered = not isinstance(labels[0], str)
        # Numbers: 9, 10, 11, 2**70, …; the texts stand alone, so their best is the peak.
        assert chosen.params["v"] == (labels[3] if ordered else "10")
        assert chosen.peak_params["v"] == labels[0]


def test_what_pandas_holds_to_be_equal_is_not():
    index = as_index([True, 1, 1.0, "1"]).rename("flag")
    chosen = bp.select(pd.Series([1.0, 2.0, 3.0, 4.0], index=index), method="peak")
    assert chosen.params == {"flag": "1"}
    again = bp.select(pd.Series([5.0, 2.0, 3.0, 4.0], index=index), method="peak")
    assert again.params["flag"] is True
    with pytest.raises(ParamError, match="one row a combination"):
        bp.select(pd.Series([1.0, 2.0], index=as_index([None, None])))


def test_by_chooses_once_a_label():
    def score(symbol, n):
        return -abs(n - {"IBM": 2, "SPX": 4}[symbol])

    scores = grid(score, symbol=["SPX", "IBM"], n=range(1, 6))
    chosen = bp.select(scores, by="symbol")
    assert list(chosen) == ["IBM", "SPX"]
    assert {name: one.peak_params for name, one in chosen.items()} == {
        "IBM": {"n": 2}, "SPX": {"n": 4},
    }  # fmt: skip
    swapped = scores.swaplevel()
    assert bp.select(swapped, by="symbol")["SPX"].params == chosen["SPX"].params
    unnamed = scores.rename_axis([None, None])
    assert bp.select(unnamed, by="level_0")["IBM"].params.keys() == {"level_1"}
    with pytest.raises(ParamError, match="Did you mean 'symbol'"):
        bp.select(scores, by="symbols")
    with pytest.raises(ParamError, match="no level but 'n'"):
        bp.select(scores.xs("IBM"), by="n")
    with pytest.raises(ParamError, match=r"symbol='IBM'.*one finite score"):
        bp.select(scores.where(scores.index.get_level_values("symbol") == "SPX"), by="symbol")


def test_dates_are_sorted():
    days = pd.to_datetime([f"2020-01-0{day}" for day in (3, 1, 5, 2, 4)])
    chosen = bp.select(pd.Series([5.0, 1.0, 1.0, 4.0, 4.0], index=pd.Index(days, name="day")))
    assert chosen.params == {"day": pd.Timestamp("2020-01-03")}


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
        (
            pd.Series([1.0], index=pd.MultiIndex.from_tuples([(1, 2)], names=["a", "a"])),
            "distinct names",
        ),
    ],
    ids=["list", "frame", "empty", "nan", "text", "twice", "names"],
)
def test_bad_scores(scores, message):
    with pytest.raises(ParamError, match=message):
        bp.select(scores)


def test_unknown_method():
    with pytest.raises(ParamError, match="Did you mean 'plateau'"):
        bp.select(SCORES, method="plato")


def test_robustness_is_never_below_zero_nor_above_one():
    pit = pd.Series([1.0, 1, 1, -9, 5, -9, 1, 1, 1], index=pd.RangeIndex(9, name="x"))
    assert bp.select(pit, method="peak").robustness == 0
    deep = grid(lambda a, b: 5.0 if a == b == 2 else -abs(a - b) * 9.0, a=range(5), b=range(5))
    assert bp.select(deep, method="peak").robustness == 0
    rng = np.random.default_rng(5)
    for _ in range(50):
        scores = pd.Series(rng.normal(size=12) ** 5, index=pd.RangeIndex(12, name="x"))
        for method in ("hill", "plateau", "peak"):
            assert 0 <= bp.select(scores, method=method).robustness <= 1


def test_of_central_cells_the_best_is_taken():
    # Symmetric, so that the four cells in the middle are equally near to the centre.
    table = np.array([[4, 4, 5, 4], [4, 4, 5, 5], [5, 5, 4, 4], [4, 5, 4, 4]], dtype=float)
    scores = grid(lambda a, b: table[a, b], a=range(4), b=range(4))
    chosen = bp.select(scores, method=bp.Plateau(0.7))
    assert len(chosen.region) == 16
    assert chosen.params == {"a": 1, "b": 2}
    # Of several equally good ones, the lowest.
    flat = grid(lambda a, b: 4.0, a=range(4), b=range(4))
    assert bp.select(flat, method=bp.Plateau(0.7)).params == {"a": 1, "b": 1}


def test_a_lone_hole_on_a_hill_is_never_chosen():
    def ring(a, b):
        if (a, b) == (4, 4):
            return np.nan
        return 10.0 if max(abs(a - 4), abs(b - 4)) == 1 else 0.0

    scores = grid(ring, a=range(1, 8), b=range(1, 8))
    for method in ("hill", bp.Hill(3, "inner"), bp.Hill(5), "plateau", "peak"):
        chosen = bp.select(scores, method=method)
        assert chosen.params != {"a": 4, "b": 4}
        assert np.isfinite(scores[chosen.params["a"], chosen.params["b"]])
    # Not even where the hole alone has a full window.
    sides = grid(lambda a, b: 10.0 * (abs(a - 2) + abs(b - 2) == 1), a=range(5), b=range(5))
    sides[(2, 2)] = np.nan
    chosen = bp.select(sides, method=bp.Hill(5, "inner"))
    assert sides[chosen.params["a"], chosen.params["b"]] == 10.0


def test_holes_are_no_part_of_a_plateau():
    # Below zero a hole counts as the worst score there is, which may be near the best.
    scores = grid(lambda a, b: -1.0 - 0.01 * abs(a - 2) - 0.01 * abs(b - 2), a=range(5), b=range(5))
    scores[(2, 2)] = np.nan
    scores[(0, 4)] = -np.inf
    chosen = bp.select(scores, method=bp.Plateau(0.9))
    assert len(chosen.region) == 23
    assert np.isfinite(chosen.region).all()
    assert chosen.params in ({"a": 1, "b": 2}, {"a": 2, "b": 1})


def test_scores_that_no_float_can_add_are_unusable():
    scores = pd.Series([1.0, 2.0, 1e308, -1e308, 1.0], index=pd.RangeIndex(5, name="x"))
    for method in ("hill", "plateau", "peak"):
        chosen = bp.select(scores, method=method)
        assert math.isfinite(chosen.score)
        assert chosen.peak_params == {"x": 1}
    with pytest.raises(ParamError, match="numbers that a float can hold"):
        bp.select(pd.Series([10**400, 1], dtype=object))


def noise_and_hill(seed=5):
    rng = np.random.default_rng(seed)
    scores = grid(lambda a, b: -((a - 6) ** 2 + (b - 4) ** 2) / 10, a=range(12), b=range(9))
    return scores + 0.01 * rng.normal(size=len(scores))


def test_the_text_of_a_selection_is_short_and_says_what_is_wrong():
    spiked = noise_and_hill()
    spiked.loc[(2, 2)] = 50.0
    chosen = bp.select(spiked)
    assert chosen.robustness > 0.5  # the spike elsewhere does not count against the choice
    assert str(chosen).startswith("a=6, b=4: score ")
    # What the chosen combination scored is one figure, what it was chosen by is another.
    assert chosen.plain_score == spiked.loc[(6, 4)] != chosen.score
    assert f": score {chosen.plain_score:.4g}, smoothed {chosen.score:.4g}, rob" in str(chosen)
    flat = bp.select(spiked, method="plateau")
    assert f", mean of the plateau {flat.score:.4g}" in str(flat)
    assert "(highest score 50 at a=2, b=2)" in str(chosen)
    assert "Low robustness" not in str(chosen)
    alone = bp.select(spiked, method="peak")
    assert str(alone).startswith("a=2, b=2: score 50, robustness")
    assert alone.robustness == 0 or alone.robustness < 0.05
    assert "Low robustness: the scores beside this choice do not carry it." in repr(alone)
    assert len(repr(alone)) < 200
    edge = bp.select(grid(lambda a, b: a - abs(b - 3), a=range(5), b=range(7)))
    assert "At the edge of a:" in str(edge)


def test_few_scores_are_not_called_narrow():
    for n, said in ((7, False), (8, True)):
        scores = pd.Series(0.0, index=pd.RangeIndex(n, name="x"))
        scores[3] = 1.0
        chosen = bp.select(scores, method="peak")
        assert chosen.robustness == 0
        assert ("Low robustness" in str(chosen)) == said


def test_a_parameter_that_makes_no_difference_is_named_and_no_edge():
    for method in ("hill", "peak", "ensemble"):
        flat = bp.select(pd.Series(2.5, index=pd.RangeIndex(3, 13, name="x")), method=method)
        assert (flat.params, flat.score, flat.unused) == ({"x": 3}, 2.5, ("x",))
        assert not flat.at_edge
        assert "No difference to any score: x." in str(flat)
    scores = grid(lambda a, b, c: -abs(b - 3), a=range(5), b=range(7), c=["up", "down"])
    for method in ("hill", "plateau", "peak"):
        chosen = bp.select(scores, method=method)
        assert chosen.params["b"] == 3
        assert chosen.unused == ("a", "c")
        assert chosen.at_edge == {"a": False, "b": False, "c": False}
    scores.iloc[-1] += 1e-3
    assert bp.select(scores).unused == ()
    some = scores.iloc[:-1].sample(frac=0.7, random_state=1)
    assert bp.select(some).unused == ("a", "c")


def test_scores_that_are_never_positive_are_chosen_from_like_any_others():
    scores = noise_and_hill() - 30
    assert scores.max() < 0
    for method in ("hill", "plateau", "peak"):
        assert (
            bp.select(scores, method=method).params == bp.select(scores + 60, method=method).params
        )


def test_each_of_several_labels_has_a_choice_of_its_own():
    tops = {"A": 2, "B": 5, "C": 9}
    scores = grid(
        lambda symbol, side, n: -abs(n - tops[symbol]) * (1 if side == "long" else 2),
        symbol=["C", "A", "B"], side=["short", "long"], n=range(12),
    )  # fmt: skip
    scores.loc[("B", "long", 11)] = 99.0
    chosen = bp.select(scores, by="symbol")
    assert list(chosen) == ["A", "B", "C"]
    assert {one: found.params for one, found in chosen.items()} == {
        symbol: {"side": "long", "n": top} for symbol, top in tops.items()
    }
    sides = bp.select(scores, by="side")
    assert sides["short"].params["n"] in tops.values()
    assert not any(found.ensemble(0.1).empty for found in sides.values())


def test_ensemble_is_the_best_share_of_the_smoothed_scores():
    scores = noise_and_hill()
    weights = bp.select(scores).ensemble(0.1)
    assert len(weights) == 11  # a tenth of 108
    assert weights.sum() == pytest.approx(1)
    assert weights.nunique() == 1
    assert weights.index.names == ["a", "b"]
    assert weights.index[0] == tuple(bp.select(scores).params.values())
    assert ((weights.reset_index()[["a", "b"]] - [6, 4]).abs().sum(axis=1) <= 3).all()
    assert bp.select(scores, method=bp.Ensemble(0.5)).ensemble().shape == (54,)
    assert bp.select(scores, method="ensemble").params == bp.select(scores).params
    assert len(bp.select(scores).ensemble(1e-9)) == 1
    assert len(bp.select(scores).ensemble(1)) == len(scores)
    spiked = scores.copy()
    spiked.loc[(1, 1)] = 1e9
    assert (1, 1) not in bp.select(spiked).ensemble(0.1).index
    raw = bp.select(spiked, method=bp.Hill(1, clip=False)).ensemble(0.1)
    assert set(raw.index) == set(spiked.nlargest(11).index)
    with pytest.raises(ParamError, match=r"share must be a share of the combinations.*got 2"):
        bp.select(scores).ensemble(2)


def test_members_that_tie_for_the_last_places_share_them():
    scores = pd.Series([0, 5, 5, 5, 0, 0, 0, 0, 0, 0.0], index=pd.RangeIndex(10, name="x"))
    weights = bp.select(scores, method=bp.Hill(1, clip=False)).ensemble(0.2)
    assert weights.to_dict() == pytest.approx({1: 1 / 3, 2: 1 / 3, 3: 1 / 3})
    # Three first, and seven that share the fourth place.
    weights = bp.select(scores, method=bp.Hill(1, clip=False)).ensemble(0.4)
    assert weights[[1, 2, 3]].tolist() == [0.25] * 3
    assert weights.iloc[3:].tolist() == pytest.approx([0.25 / 7] * 7)


def test_unusable_scores_are_no_members():
    scores = noise_and_hill()
    scores.loc[(6, 4)] = np.nan
    weights = bp.select(scores).ensemble(1)
    assert (6, 4) not in weights.index
    assert len(weights) == len(scores) - 1
    curve = pd.Series([1.0, np.nan, 3.0, 2.0, np.inf], index=pd.RangeIndex(5, name="x"))
    assert set(bp.select(curve).ensemble(1).index) == {0, 2, 3}


def test_heatmap_of_one_two_and_more_parameters():
    scores = noise_and_hill()
    drawn = bp.select(scores.rename("prr")).heatmap()
    assert [trace.type for trace in drawn.data] == ["heatmap", "scatter", "scatter"]
    assert [trace.name for trace in drawn.data[1:]] == ["chosen 6 / 4", "highest 6 / 4"]
    assert (drawn.layout.xaxis.title.text, drawn.layout.yaxis.title.text) == ("a", "b")
    assert drawn.data[0].z.shape == (9, 12)
    assert drawn.data[0].z[4, 6] == scores.loc[(6, 4)]
    turned = bp.select(scores).heatmap("b", "a")
    assert turned.data[0].z[6, 4] == scores.loc[(6, 4)]
    line = bp.select(scores.xs(4, level="b")).heatmap()
    assert [trace.name for trace in line.data[:1]] == ["score"]
    assert line.data[0].y.tolist() == scores.xs(4, level="b").tolist()
    both = pd.concat({"up": scores, "<b>": scores - 1}, names=["kind"])
    both.loc[("<b>", 1, 1)] = 9.0
    chosen = bp.select(both)
    cut = chosen.heatmap("a", "b")
    assert "kind=up" in cut.layout.title.text
    assert [trace.name for trace in cut.data[1:]] == ["chosen 6 / 4"]  # the highest is elsewhere
    named = chosen.heatmap("kind", "a")
    assert named.data[0].x == ("&lt;b&gt;", "up")
    assert named.layout.xaxis.type == "category"
    assert named.data[1].name == "chosen up / 6"
    with pytest.raises(ParamError, match="be two parameters"):
        chosen.heatmap("a", "a")
    with pytest.raises(ParamError, match="be one of"):
        chosen.heatmap("c")
