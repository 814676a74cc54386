# SPDX-License-Identifier: BSD-3-Clause
"""Laws of ensembles: what a weighted set trades is the weighted sum of what its members trade."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broadpeak as bp
from broadpeak._search.protocol import Choice
from broadpeak._store.par import ComponentParameters, Member, Parameters
from broadpeak._training.stitching import _places
from broadpeak.searchers import Brute

QUICK = settings(max_examples=25)
FEW = settings(max_examples=5)
N, LOOKBACK = 120, 10
BEGIN = pd.Timestamp("2020-01-01")
COSTS = bp.Costs(
    spread=0.05, commission=0.01, fees=0.001, roll_long=0.002, roll_short=-0.001, slippage=0.001
)


def frame(seed, n=N):
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, n)))
    open_ = close * np.exp(rng.normal(0, 0.01, n))
    prices = {
        "open": open_,
        "high": np.maximum(open_, close) * (1 + rng.random(n) * 0.02),
        "low": np.minimum(open_, close) * (1 - rng.random(n) * 0.02),
        "close": close,
    }
    return pd.DataFrame(prices, index=pd.date_range(BEGIN, periods=n, freq="D"))


def make_data(seed, symbols=("X",)):
    return bp.Data.from_frames({name: frame(seed + k) for k, name in enumerate(symbols)})


def quiet(func, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return func(*arguments, **options)


@st.composite
def plans(draw, *, with_lots=True):
    """Random orders that depend on two parameters; the first is common to all components."""
    seed = draw(st.integers(0, 10_000))
    density = draw(st.sampled_from([0.05, 0.2, 0.5]))
    stop = draw(st.sampled_from([None, 0.03]))
    lifetime = draw(st.sampled_from([None, 4]))
    fill = draw(st.sampled_from(["nextopen", "close"]))
    lots = draw(st.sampled_from(["one", "two", "bars"])) if with_lots else "one"
    flips = np.random.default_rng(seed).random((2, 2, 10 * N)) < density

    @bp.strategy(lookback=LOOKBACK, fill=fill)
    def random_orders(s):
        shift = s.optimize(2, 0, 4, 1, name="shift", integer=True)
        for asset, _ in s.loop():
            width = s.optimize(1.0, 0.5, 1.5, 0.5, name="width")
            # Placed by date: the same orders on any piece of the history.
            bars = (s.index - BEGIN).days.to_numpy() + int(shift)
            go_long, go_short = flips[int(asset == "Y"), :, bars].T
            s.stop = None if stop is None else stop * width * s.close
            s.lifetime = None if lifetime is None else lifetime * width
            if lots == "two":
                s.lots = 2
            elif lots == "bars":
                s.lots = np.where(bars % 3 == 0, 0.0, width)
            s.enter_long(go_long)
            s.enter_short(go_short)

    return seed, random_orders


@st.composite
def weights(draw, most=4):
    shares = np.array(draw(st.lists(st.integers(1, 20), min_size=1, max_size=most)), dtype=float)
    return (shares / shares.sum()).tolist()


POINTS = st.fixed_dictionaries(
    {"shift": st.sampled_from([0.0, 1.0, 2.0]), "width": st.sampled_from([0.5, 1.0, 1.25])}
)


def as_set(strategy, **members):
    """Return parameters: component → [(values, weight), …]; the centre is never traded."""
    centre = {"shift": 3.0, "width": 1.5}
    lines = {
        key: ComponentParameters(
            centre, members=tuple(Member(values, weight) for values, weight in rows)
        )
        for key, rows in members.items()
    }
    return Parameters(lines, strategy.name)


def profit(portfolio):
    value = portfolio.value.to_numpy()
    return value - portfolio.stats()["start_value"]


def assert_same_portfolio(one, other):
    pd.testing.assert_series_equal(one.value, other.value, check_exact=True)
    pd.testing.assert_frame_equal(one.trades, other.trades, check_exact=True)
    assert one.stats().astype(str).equals(other.stats().astype(str))
    assert one.columns.equals(other.columns)


# ------------------------------------------------------------------ test


@QUICK
@given(plans(), POINTS, st.sampled_from([None, 1234.5]))
def test_an_ensemble_of_one_is_the_plain_test_to_the_bit(plan, values, capital):
    seed, strategy = plan
    data = make_data(seed)
    options = {"costs": COSTS, "capital": capital}
    plain = bp.test(strategy, data, {"X": values}, **options)
    alone = bp.test(strategy, data, as_set(strategy, X=[(values, 1.0)]), **options)
    assert_same_portfolio(alone, plain)
    assert_same_portfolio(alone.components["X"], plain.components["X"])


@QUICK
@given(plans(), POINTS, st.sampled_from([0.5, 0.3]))
def test_two_equal_members_are_one(plan, values, weight):
    seed, strategy = plan
    data = make_data(seed)
    plain = bp.test(strategy, data, {"X": values}, costs=COSTS)
    pair = [(values, weight), (values, 1 - weight)]
    both = bp.test(strategy, data, as_set(strategy, X=pair), costs=COSTS)
    scale = np.abs(plain.value).max()
    np.testing.assert_allclose(both.value, plain.value, atol=1e-12 * scale, rtol=0)
    np.testing.assert_allclose(both.returns, plain.returns, atol=1e-12)
    assert len(both.trades) == 2 * len(plain.trades)
    held = both.positions.sum(axis=1) if both.positions.ndim == 2 else both.positions
    np.testing.assert_allclose(held, plain.positions, atol=1e-12)


@QUICK
@given(plans(), weights(), st.data(), st.booleans(), st.sampled_from(["script", "unit"]))
def test_an_ensemble_is_the_weighted_sum_of_its_members(plan, shares, draw, two, sizing):
    """Each member with all of its own values, the common one too, in each component."""
    seed, strategy = plan
    symbols = ("X", "Y") if two else ("X",)
    data = make_data(seed, symbols)
    sets = {"X": [(draw.draw(POINTS), share) for share in shares]}
    if two:
        sets["Y"] = [(draw.draw(POINTS), share) for share in draw.draw(weights())]
    options = {"costs": COSTS, "sizing": sizing}
    whole = bp.test(strategy, data, as_set(strategy, **sets), **options)
    total, capital, trades = 0.0, 0.0, 0
    for key, members in sets.items():
        own, own_capital = 0.0, 0.0
        for number, (values, weight) in enumerate(members, 1):
            # One symbol alone, so that the common parameter is that of this member.
            alone = bp.test(strategy, data, dict.fromkeys(symbols, values), **options)
            alone = alone.components[key]
            own = own + weight * profit(alone)
            own_capital += weight * alone.stats()["start_value"]
            found = whole.trades[whole.trades["column"] == key]
            if "member" in found:
                found = found[found["member"] == number]
            np.testing.assert_allclose(found["pnl"], weight * alone.trades["pnl"], atol=1e-12)
            np.testing.assert_allclose(found["size"], weight * alone.trades["size"], atol=1e-12)
            assert found["exit_index"].tolist() == alone.trades["exit_index"].tolist()
            trades += len(alone.trades)
        component = whole.components[key]
        np.testing.assert_allclose(profit(component), own, atol=1e-11)
        np.testing.assert_allclose(component.stats()["start_value"], own_capital, rtol=1e-12)
        assert component.num_trades == len(component.trades)
        total, capital = total + own, capital + own_capital
    np.testing.assert_allclose(profit(whole), total, atol=1e-11)
    np.testing.assert_allclose(whole.stats()["start_value"], capital, rtol=1e-12)
    assert len(whole.trades) == whole.num_trades == trades


# ------------------------------------------------------------------ signals


@FEW
@given(plans(), weights(), st.data(), st.integers(LOOKBACK + 3, N - 20))
def test_signals_of_a_member_are_those_of_its_values(plan, shares, draw, cut):
    seed, strategy = plan
    data = make_data(seed)
    members = [(draw.draw(POINTS), share) for share in shares]
    for n in range(cut, cut + 8):
        known = data[: data.index[n]]
        due = bp.signals(strategy, known, as_set(strategy, X=members))
        rows = []
        for number, (values, weight) in enumerate(members, 1):
            own = bp.signals(strategy, known, {"X": values})
            assert (own["member"] == 1).all()
            assert (own["weight"] == 1).all()
            own[["lots", "position"]] *= weight  # a share of the same money
            rows.append(own.assign(member=number, weight=weight))
        expected = pd.concat(rows, ignore_index=True)
        pd.testing.assert_frame_equal(due, expected, rtol=1e-12, atol=1e-12)


@FEW
@given(plans(), weights(), st.data(), st.integers(LOOKBACK + 3, N - 20))
def test_signals_are_what_a_test_fills(plan, shares, draw, cut):
    seed, strategy = plan
    data = make_data(seed)
    trained = as_set(strategy, X=[(draw.draw(POINTS), share) for share in shares])
    one_later = strategy.fill == "nextopen"
    for n in range(cut, cut + 8):
        due = bp.signals(strategy, data[: data.index[n - 1]], trained, sizing="script")
        last = n if one_later else n - 1
        trades = bp.test(strategy, data[: data.index[last]], trained, sizing="script").trades
        if "member" not in trades:
            trades["member"] = 1
        entered = trades[trades["entry_index"] == last - LOOKBACK].sort_values("member")
        enters = due[due["next_order"].str.startswith("enter").fillna(value=False).astype(bool)]
        assert enters["member"].tolist() == entered["member"].tolist()
        assert enters["next_order"].tolist() == [f"enter_{side}" for side in entered["direction"]]
        np.testing.assert_allclose(enters["lots"].astype(float), entered["size"], atol=1e-12)


# ------------------------------------------------------------------ walk-forward


def always_usable(stats):
    return 1e6 + stats.net


def walk(strategy, data, cycles=3, **options):
    options = {"method": "brute", "objective": always_usable, "costs": COSTS, **options}
    return quiet(bp.walk_forward, strategy, data, cycles=cycles, split=0.5, **options)


class Fixed:
    """Evaluates one point and chooses it."""

    def __init__(self, point):
        self.point = point

    def start(self, space, seed):
        return False

    def ask(self, state):
        return [] if state else [self.point]

    def tell(self, state, points, scores):
        return True

    def choice(self, state):
        return Choice(self.point, 1.0, (False,) * len(self.point))


class Alone(Brute):
    """Chooses as brute force does, and calls it an ensemble of one."""

    def choice(self, state):
        chosen = super().choice(state)
        return replace(chosen, members=((chosen.values, 1.0),))


def ranked(state):
    """Return all points with their scores, the best first."""
    points = list(itertools.product(*state.grid.values))
    scores = np.concatenate(state.scores)
    order = np.argsort(-scores, kind="stable")
    return [(points[at], scores[at]) for at in order]


class Every(Brute):
    """Takes every combination, the best first, with the same weight."""

    def choice(self, state):
        found = ranked(state)
        members = tuple((point, 1 / len(found)) for point, _ in found)
        return replace(super().choice(state), members=members)


class Above(Brute):
    """Takes what scores above the mean: sets of cycles differ in size, and better weighs more."""

    def choice(self, state):
        found = ranked(state)
        mean = np.mean([score for _, score in found])
        above = [point for point, score in found if score >= mean]
        shares = np.arange(len(above), 0, -1) / np.arange(len(above) + 1).sum()
        members = tuple(zip(above, shares.tolist(), strict=True))
        return replace(super().choice(state), members=members)


@FEW
@given(plans(), st.sampled_from(["carry", "close"]), st.sampled_from([0, 3]))
def test_a_walk_of_one_member_is_the_plain_walk(plan, border, horizon):
    seed, strategy = plan
    data = make_data(seed)
    options = {"border": border, "horizon": horizon}
    plain = walk(strategy, data, select="hill", **options)
    alone = walk(strategy, data, method=Alone(), **options)
    assert_same_portfolio(alone.portfolio, plain.portfolio)
    assert (alone.cycles.pop("members") == 1).all()
    pd.testing.assert_frame_equal(
        alone.cycles.drop(columns="members"), plain.cycles, check_exact=True
    )


@FEW
@given(plans(with_lots=False), st.sampled_from(["carry", "close"]), st.sampled_from([0, 3]))
def test_a_walk_of_a_set_that_stays_is_the_sum_of_its_members_walks(plan, border, horizon):
    """All combinations belong to every set, so each keeps its place whatever its rank."""
    seed, strategy = plan
    data = make_data(seed)
    options = {"border": border, "horizon": horizon}
    found = walk(strategy, data, method=Every(), **options)
    points = list(itertools.product(range(5), [0.5, 1.0, 1.5]))
    alone = [walk(strategy, data, method=Fixed(point), **options) for point in points]
    total = np.mean([profit(one.portfolio) for one in alone], axis=0)
    np.testing.assert_allclose(profit(found.portfolio), total, atol=1e-10)
    assert (found.cycles["members"] == len(points)).all()
    for name in ("out_of_sample", "in_sample", "net"):
        mean = np.mean([one.cycles[name] for one in alone], axis=0)
        np.testing.assert_allclose(found.cycles[name], mean, rtol=1e-9)
    trades = np.sum([one.cycles["trades"] for one in alone], axis=0)
    np.testing.assert_array_equal(found.cycles["trades"], trades)


@FEW
@given(plans(with_lots=False), st.integers(2, 4))
def test_sets_that_change_add_up_cycle_by_cycle(plan, cycles):
    seed, strategy = plan
    data = make_data(seed)
    options = {"border": "close", "cycles": cycles}
    found = walk(strategy, data, method=Above(), **options)
    alone = {}
    for training, row in zip(found.trainings, found.cycles.itertuples(), strict=True):
        members = training.components["X"].members
        assert row.members == len(members)
        net = score = 0.0
        for member in members:
            point = tuple(member.params.values())
            if point not in alone:
                alone[point] = walk(strategy, data, method=Fixed(point), **options).cycles
            net += member.weight * alone[point]["net"].loc[row.Index]
            score += member.weight * alone[point]["out_of_sample"].loc[row.Index]
        np.testing.assert_allclose(row.net, net, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(row.out_of_sample, score, rtol=1e-9)


@FEW
@given(plans(), st.integers(2, 4))
def test_positions_are_carried_and_those_nobody_takes_are_closed(plan, cycles):
    seed, strategy = plan
    data = make_data(seed)
    found = walk(strategy, data, method=Above(), cycles=cycles)
    tested = found.cycles.dropna(subset=["test_start"])
    trades, change = found.portfolio.trades, profit(found.portfolio)[-1]
    np.testing.assert_allclose(tested["net"].sum(), change, atol=1e-9)
    np.testing.assert_allclose(trades["pnl"].sum(), change, atol=1e-9)
    assert tested["trades"].sum() == (trades["status"] == "closed").sum()
    sets = [one.components["X"].members for one in found.trainings[: len(tested)]]
    places = _places([[tuple(one.params.values()) for one in members] for members in sets])
    held = found.portfolio.positions
    held = held.to_frame() if held.ndim == 1 else held
    assert held.shape[1] == len(places)
    for place, (_, path) in zip(places, held.items(), strict=True):
        for number, at in enumerate(place):
            first, last = tested["test_start"].iloc[number], tested["test_end"].iloc[number]
            if at is None:
                assert (path[first:last] == 0).all()
            elif number + 1 < len(place) and place[number + 1] is None:
                assert path[last] == 0


@FEW
@given(plans(with_lots=False), st.integers(2, 4))
def test_signals_of_a_walk_forward_have_the_weights_of_the_set_that_rules(plan, cycles):
    """Sets differ in size and weights; those of the first are not those of now."""
    seed, strategy = plan
    data = make_data(seed)
    found = walk(strategy, data, method=Above(), cycles=cycles)
    ruling = [one for one in found.trainings if one.period[1] < data.index[-1]][-1]
    rows = bp.signals(strategy, data, found)
    weights = [member.weight for member in ruling.components["X"].members]
    known = [*weights, *[0.0] * (len(rows) - len(weights))]
    np.testing.assert_allclose(sorted(rows["weight"]), sorted(known), rtol=1e-12)


@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5, unique=True), min_size=1))
def test_every_member_has_one_place_and_keeps_it_while_it_stays(sets):
    points = [[(float(value),) for value in members] for members in sets]
    places = _places(points)
    assert len(places) == max(map(len, sets))
    for cycle, members in enumerate(sets):
        assert sorted(p[cycle] for p in places if p[cycle] is not None) == list(range(len(members)))
    for place in places:
        assert len(place) == len(sets)
        for cycle in range(1, len(sets)):
            before = place[cycle - 1]
            if before is not None and sets[cycle - 1][before] in sets[cycle]:
                assert sets[cycle][place[cycle]] == sets[cycle - 1][before]


@pytest.mark.parametrize(
    ("sets", "places"),
    [
        ("ab bc c", [[0, 1, 0], [1, 0, None]]),
        ("a bc bca", [[0, 0, 0], [None, 1, 1], [None, None, 2]]),
        ("abc c ac", [[0, None, 0], [1, None, None], [2, 0, 1]]),
        ("ab cd", [[0, 0], [1, 1]]),
        ("aa ba", [[0, 1], [1, 0]]),
    ],
)
def test_places_are_handed_on_in_order(sets, places):
    assert _places([[(ord(name),) for name in members] for members in sets.split()]) == places
