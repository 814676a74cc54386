# SPDX-License-Identifier: BSD-3-Clause
"""Trainings that choose a weighted set, and what becomes of it in files, tests and pages."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._search.protocol import Choice
from broadpeak._store.par import ComponentParameters, Member
from broadpeak._training.objective import resolve_objective
from broadpeak._validation.curves import chosen_curve, walked_curve
from broadpeak._validation.evidence import out_of_sample_rows
from broadpeak._validation.robustness import robustness_tests

DATA = bp.Data.sample(["IBM", "MSFT"])["2004":"2009"]
IBM = DATA.select("IBM")


def quiet(func, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*arguments, **options)


@bp.strategy(lookback=60)
def cross(s):
    fast = s.optimize(10, 4, 20, 2, name="fast", integer=True)
    factor = s.optimize(2, 1.5, 3, 0.5, name="factor")
    s.plot("fast", bp.sma(s.close, fast))
    quick, slow = bp.sma(s.close, fast), bp.sma(s.close, fast * factor)
    s.enter_long(bp.crossed_above(quick, slow))
    s.enter_short(bp.crossed_below(quick, slow))


@bp.strategy(lookback=60)
def looped(s):
    factor = s.optimize(2, 1.5, 3, 0.5, name="factor")
    for _ in s.loop():
        fast = s.optimize(10, 4, 20, 4, name="fast")
        quick, slow = bp.sma(s.close, fast), bp.sma(s.close, fast * factor)
        s.enter_long(bp.crossed_above(quick, slow))
        s.exit_long(bp.crossed_below(quick, slow))


@pytest.fixture(scope="module")
def training():
    return quiet(bp.train, cross, IBM, method="brute", select=bp.Ensemble(0.2), min_trades=0)


@pytest.fixture(scope="module")
def walked():
    options = {"method": "brute", "select": bp.Ensemble(0.2), "min_trades": 0}
    return quiet(bp.walk_forward, cross, IBM, cycles=3, split=0.6, **options)


# ------------------------------------------------------------------ what a training holds


@pytest.mark.parametrize(
    "options",
    [
        {"method": "brute"},
        {"method": "ascent"},
        {"method": "random", "n_evaluations": 25},
        {"method": "genetic", "population": 10, "generations": 3},
    ],
    ids=lambda options: options["method"],
)
def test_members_and_their_scores(options):
    found = quiet(bp.train, cross, IBM, select=bp.Ensemble(0.3), min_trades=0, **options)
    component = found.components["IBM"]
    members = component.members
    assert len(members) > 1
    assert sum(member.weight for member in members) == pytest.approx(1.0, abs=1e-12)
    assert len({tuple(member.params.values()) for member in members}) == len(members)
    assert found.params == {"IBM": component.params}
    for member in members:
        assert list(member.params) == ["fast", "factor"]
        assert member.params["fast"] == int(member.params["fast"])
        again = quiet(
            bp.train, cross, IBM, method=Only(tuple(member.params.values())), min_trades=0
        )
        assert again.components["IBM"].objective == member.objective
    assert f"{len(members)} members" in repr(component)


class Only:
    """Evaluates the defaults, and chooses one point."""

    def __init__(self, point, members=()):
        self.point, self.members = point, members

    def start(self, space, seed):
        return space.defaults

    def ask(self, state):
        return [state] if state else []

    def tell(self, state, points, scores):
        return ()

    def choice(self, state):
        return Choice(self.point, 1.0, (False,) * len(self.point), members=self.members)


def test_points_that_are_one_after_rounding_are_one_member():
    points = (((9.6, 2.0), 0.25), ((10.4, 2.0), 0.5), ((12.0, 2.0), 0.25))
    found = quiet(bp.train, cross, IBM, method=Only((10.0, 2.0), points), min_trades=0)
    assert found.ensemble().to_dict() == {(10.0, 2.0): 0.75, (12.0, 2.0): 0.25}
    # The defaults, which are the choice, and one member that the search had not evaluated.
    assert found.components["IBM"].n_evaluations == 2
    assert len(found.trials) == 1


def test_a_value_that_the_strategy_computes_is_that_of_each_member():
    @bp.strategy(lookback=60)
    def computed(s):
        fast = s.optimize(10, 4, 20, 2, name="fast")
        slow = s.optimize(fast * 3, 0, 0, name="slow")
        s.enter_long(bp.crossed_above(bp.sma(s.close, fast), bp.sma(s.close, slow)))
        s.exit_long(bp.crossed_below(bp.sma(s.close, fast), bp.sma(s.close, slow)))

    points = (((8.0, 30.0), 0.5), ((12.0, 30.0), 0.5))
    found = quiet(bp.train, computed, IBM, method=Only((10.0, 30.0), points), min_trades=0)
    assert found.ensemble().index.tolist() == [(8.0, 24.0), (12.0, 36.0)]


def test_ensemble_is_a_series_over_the_parameters(training):
    weights = training.ensemble()
    assert weights.name == "weight"
    assert weights.index.names == ["fast", "factor"]
    assert weights.index.tolist() == [
        tuple(member.params.values()) for member in training.components["IBM"].members
    ]
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    plain = quiet(bp.train, cross, IBM, min_trades=0)
    assert plain.components["IBM"].members == ()
    assert plain.ensemble("IBM").to_dict() == {tuple(plain.params["IBM"].values()): 1.0}
    with pytest.raises(bp.ParamError, match="component must be one of 'IBM', got 'MSFT'"):
        training.ensemble("MSFT")


def test_nothing_usable_keeps_the_defaults_and_no_set():
    found = quiet(bp.train, cross, IBM, method="brute", select="ensemble", min_trades=10_000)
    assert found.components["IBM"].members == ()
    assert found.params["IBM"] == {"fast": 10.0, "factor": 2.0}


# ------------------------------------------------------------------ tested


def test_a_test_has_a_column_for_each_member(training):
    tested = bp.test(cross, IBM, training, sizing="script")
    members = training.components["IBM"].members
    assert tested.columns.tolist() == [("IBM", k + 1) for k in range(len(members))]
    assert tested.columns.names == ["component", "member"]
    trades = tested.trades
    assert list(trades)[:3] == ["column", "member", "direction"]
    assert set(trades["column"]) == {"IBM"}
    weights = dict(enumerate((member.weight for member in members), 1))
    np.testing.assert_array_equal(trades["size"], trades["member"].map(weights))
    assert tested.drawdowns["column"].unique().tolist() == ["IBM"]
    assert tested.positions.shape == (len(tested.index), len(members))
    assert isinstance(tested.sharpe_ratio, float)
    assert tested.num_trades == len(trades)
    component = tested.components["IBM"]
    pd.testing.assert_frame_equal(component.trades, trades)
    assert component.plots.empty  # lines belong to a member
    alone = bp.test(cross, IBM, training.params)
    assert "member" not in alone.trades
    assert not alone.components["IBM"].plots.empty


def test_components_may_have_sets_and_single_choices():
    single = ComponentParameters({"factor": 2.0, "fast": 12.0})
    members = (
        Member({"factor": 2.0, "fast": 8.0}, 0.5),
        Member({"factor": 2.5, "fast": 16.0}, 0.5),
    )
    several = ComponentParameters(single.params, members=members)
    mixed = bp.Parameters({"IBM": several, "MSFT": single}, "looped")
    tested = bp.test(looped, DATA, mixed)
    assert tested.columns.tolist() == [("IBM", 1), ("IBM", 2), ("MSFT", 1)]
    assert set(tested.components) == {"IBM", "MSFT"}
    parts = sum(one.value - one.value.iloc[0] for one in tested.components.values())
    np.testing.assert_allclose(tested.value - tested.value.iloc[0], parts, atol=1e-9)
    np.testing.assert_allclose(
        tested.components["MSFT"].value,
        bp.test(looped, DATA, {"IBM": single.params, "MSFT": single.params})
        .components["MSFT"]
        .value,
    )


def test_a_component_without_its_line_is_refused(training):
    with pytest.raises(bp.ParamError, match="parameters of component 'MSFT', got those of IBM"):
        bp.test(looped, DATA, training)


def test_backtests_trade_the_set(training):
    tested = bp.test(cross, IBM, training)
    pd.testing.assert_series_equal(training.backtests.chosen.value, tested.value)
    pd.testing.assert_series_equal(training.portfolio.value, tested.value)
    assert "member" not in training.backtests.defaults.trades


@pytest.mark.parametrize("borrow", [0, 0.5, 1])
@pytest.mark.parametrize("method", ["ascent", "brute"])
@pytest.mark.parametrize("is_common", [True, False])
def test_components_that_share(is_common, method, borrow):
    """The members of common parameters and of a component's own are combined."""

    @bp.strategy(lookback=60)
    def shared(s):
        fast = s.optimize(10, 4, 20, 4, name="fast", integer=True) if is_common else None
        for _ in s.loop():
            fast = fast if is_common else s.optimize(10, 4, 20, 4, name="fast", integer=True)
            factor = s.optimize(2, 1.5, 3, 0.5, name="factor")
            quick, slow = bp.sma(s.close, fast), bp.sma(s.close, fast * factor)
            s.enter_long(bp.crossed_above(quick, slow))
            s.exit_long(bp.crossed_below(quick, slow))

    options = {"method": method, "borrow": borrow, "select": bp.Ensemble(0.5), "min_trades": 0}
    found = quiet(bp.train, shared, DATA, **options)
    tested = quiet(bp.test, shared, DATA, found)
    for key, component in found.components.items():
        sizes = [
            len({member.params[name] for member in component.members}) for name in component.params
        ]
        assert min(sizes) > 1
        assert found.ensemble(key).sum() == pytest.approx(1.0, abs=1e-12)
        total = 0.0
        for member in component.members:
            assert member.params["fast"] == int(member.params["fast"])
            one = {"IBM": member.params, "MSFT": member.params}
            alone = quiet(bp.test, shared, DATA, one).components[key]
            total += member.weight * (alone.value - alone.stats()["start_value"])
        own = tested.components[key]
        np.testing.assert_allclose(own.value - own.stats()["start_value"], total, atol=1e-9)
    if borrow == 1:
        first, second = (one.members for one in found.components.values())
        assert [(m.params, m.weight) for m in first] == [(m.params, m.weight) for m in second]


def test_models_are_those_of_each_member():
    """Also where they depend on a common parameter, and members rank differently elsewhere."""

    @bp.strategy(lookback=60)
    def fitted(s):
        days = s.optimize(10, 4, 20, 4, name="days", integer=True)
        for _ in s.loop():
            level = s.optimize(1, 0.5, 2, 0.5, name="level")
            spread = s.fit("spread", lambda bars: bp.roc(bars.close, days)[60:].std())
            s.enter_long(bp.roc(s.close, days) < -level * spread)
            s.exit_long(bp.roc(s.close, days) > 0)

    options = {"method": "brute", "select": bp.Ensemble(0.3), "min_trades": 0}
    found = quiet(bp.train, fitted, DATA, end="2007", **options)
    tested = quiet(bp.test, fitted, DATA, found, start="2008")
    assert len(tested.columns) > 2
    walked = quiet(bp.walk_forward, fitted, DATA, cycles=3, split=0.6, **options)
    assert (walked.cycles["members"] > 1).all()


# ------------------------------------------------------------------ kept


def test_what_a_file_holds_is_traded_as_the_training(training, tmp_path):
    path = training.to_par(tmp_path / "cross.par")
    lines = path.read_text().splitlines()
    members = training.components["IBM"].members
    assert sum(line.startswith("IBM ") for line in lines) >= len(members)
    read = bp.read_par(path)
    assert read.components["IBM"].members == members
    assert read.params == training.params
    pd.testing.assert_frame_equal(
        bp.test(cross, IBM, path).trades, bp.test(cross, IBM, training).trades, check_exact=True
    )


def test_what_a_walk_writes_is_each_cycles_set(walked, tmp_path):
    paths = walked.to_par(tmp_path)
    for training, path in zip(walked.trainings, paths, strict=True):
        assert bp.read_par(path).components["IBM"].members == training.components["IBM"].members


def test_pickles_keep_the_set(training, walked):
    again = pickle.loads(pickle.dumps(training))
    pd.testing.assert_series_equal(again.ensemble(), training.ensemble())
    pd.testing.assert_frame_equal(again.portfolio.trades, training.portfolio.trades)
    whole = pickle.loads(pickle.dumps(walked))
    pd.testing.assert_frame_equal(whole.portfolio.trades, walked.portfolio.trades)


def test_a_store_gives_the_same_set(training, tmp_path):
    options = {"method": "brute", "select": bp.Ensemble(0.2), "min_trades": 0}
    for _ in range(2):
        found = quiet(bp.train, cross, IBM, store=tmp_path / "runs.db", **options)
        assert found.components["IBM"].members == training.components["IBM"].members


# ------------------------------------------------------------------ walked, shown


def test_cycles_tell_the_number_of_members(walked):
    cycles = walked.cycles
    assert list(cycles)[-4:] == ["net", "members", "fast", "factor"]
    for training, row in zip(walked.trainings, cycles.to_dict("records"), strict=True):
        component = training.components["IBM"]
        assert row["members"] == len(component.members)
        assert row["fast"] == component.params["fast"]
        mean = sum(member.weight * member.objective for member in component.members)
        assert row["in_sample"] == pytest.approx(mean, rel=1e-12)
    assert "members" not in quiet(bp.walk_forward, cross, IBM, cycles=2, split=0.6).cycles


def test_members_is_no_name_of_a_parameter():
    @bp.strategy(lookback=60)
    def odd(s):
        s.enter_long(s.close > s.optimize(1, 1, 2, 1, name="members"))

    with pytest.raises(bp.ParamError, match=r"not be the name of a column.*members"):
        bp.train(odd, IBM)


def test_pages_list_the_members(training, walked, tmp_path):
    page = training.report(tmp_path / "training.html", verdict=False).read_text(encoding="utf-8")
    assert f"IBM: ensemble of {len(training.components['IBM'].members)}" in page
    assert "each as a position of its own" in page
    assert page.count(">Member<") == 2  # of the ensemble, and of the trades
    page = walked.report(tmp_path / "walk.html", verdict=False).read_text(encoding="utf-8")
    assert "members" in page


def test_a_long_ensemble_is_cut_on_the_page(tmp_path):
    points = tuple(((float(k), 2.0), 1 / 30) for k in range(4, 34))
    wide = bp.strategy(cross.func, name="wide", lookback=150)
    found = quiet(bp.train, wide, IBM, method=Only((10.0, 2.0), points), min_trades=0)
    page = found.report(tmp_path / "training.html", verdict=False).read_text(encoding="utf-8")
    assert "5 more members are in the parameter file" in page


# ------------------------------------------------------------------ judged


def doubled(training):
    """Return a training that trades its choice as two equal members."""
    components = {
        key: replace(
            found,
            members=(Member(found.params, 0.5, found.objective),) * 2,
        )
        for key, found in training.components.items()
    }
    return replace(training, components=components)


COSTS = bp.Costs(fees=0.0002)


def test_two_equal_members_are_judged_as_one():
    options = {"method": "brute", "min_trades": 0, "costs": COSTS}
    plain = quiet(bp.train, looped, DATA, **options)
    pair = doubled(plain)
    rows = robustness_tests(plain)
    for one, other in zip(rows, robustness_tests(pair), strict=True):
        assert one.figure == pytest.approx(other.figure, rel=1e-9)
        assert (one.test, one.status) == (other.test, other.status)
    one, other = chosen_curve(plain, DATA), chosen_curve(pair, DATA)
    np.testing.assert_allclose(one.returns, other.returns, atol=1e-12)
    assert one.n_trades == other.n_trades
    for key, found in plain.components.items():
        assert pair.components[key].traded_objective == pytest.approx(found.objective)


def test_a_verdict_judges_the_set(training, walked):
    for result, curve in (
        (training, chosen_curve(training, IBM)),
        (walked, walked_curve(walked, IBM)),
    ):
        verdict = quiet(bp.validate, result, n_permutations=9)
        assert verdict.n_trades == curve.n_trades
        n_members = len(result.portfolio.columns)
        # Members trade alike, so they do not count as so many trades more.
        assert len(result.portfolio.trades) > 0.7 * n_members * curve.n_trades
        sharpe = curve.returns.mean() / curve.returns.std(ddof=1)
        assert np.sign(verdict.sharpe) == np.sign(sharpe)


def test_break_even_of_a_set_is_the_mean_of_its_members(walked):
    curve = walked_curve(walked, IBM)
    (row,) = [one for one in out_of_sample_rows(walked, curve) if one.test.endswith("break-even")]
    score, total = resolve_objective("prr", 0), 0.0
    trades = walked.portfolio.trades
    sizes = trades.groupby("member")["size"].mean()
    for member, size in sizes.items():
        own = trades[(trades["member"] == member) & (trades["status"] == "closed")]
        pnl = own["pnl"].to_numpy() * sizes.sum() / size
        stats = bp.Stats.from_trades(
            pnl,
            np.where(own["direction"] == "long", 1, -1),
            own["entry_index"].to_numpy(),
            own["exit_index"].to_numpy(),
            np.cumsum(pnl),
        )
        total += size / sizes.sum() * score(stats)
    assert row.figure == pytest.approx(total, rel=1e-9)
