# SPDX-License-Identifier: BSD-3-Clause
"""`validate`: what it refuses, what it says of odd results, what it counts, and that it resumes."""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._validation.verdict import STATUSES

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fewer than 20 trades per parameter"),
    pytest.mark.filterwarnings("ignore:.*no step with a usable objective"),
]
PRICES = ("open", "high", "low", "close")


@bp.strategy(lookback=30)
def momentum(s: Any) -> None:
    days = s.optimize(10, 5, 25, 5, name="days")
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))


@bp.strategy(lookback=30)
def reversal(s: Any) -> None:
    days = s.optimize(10, 5, 25, 5, name="days")
    s.enter_short(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.enter_long(bp.crossed_below(bp.roc(s.close, days), 0.0))


@bp.strategy(lookback=30)
def silent(s: Any) -> None:
    days = s.optimize(10, 5, 25, 5, name="days")
    s.enter_long(s.close < -days)


@bp.strategy(lookback=30)
def both(s: Any) -> None:
    for asset, _ in s.loop():
        days = s.optimize(10, 5, 25, 5, name="days")
        s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0) & (asset != "B"))
        s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))


def frame(close: Any, index: Any = None) -> pd.DataFrame:
    dates = pd.bdate_range("2010", periods=len(close)) if index is None else index
    return pd.DataFrame(dict.fromkeys(PRICES, np.asarray(close)), index=dates)


def noise(n_bars: int = 700, seed: int = 1, **options: Any) -> bp.Data:
    moves = np.random.default_rng(seed).normal(0.0, 0.01, n_bars)
    return bp.Data.from_frames({"X": frame(100 * np.exp(np.cumsum(moves)), **options)})


def wave(n_bars: int = 1000) -> bp.Data:
    """Return prices that swing every 40 bars, which momentum lives on."""
    swing = 0.1 * np.sin(np.arange(n_bars) / 40 * 2 * np.pi)
    rough = np.random.default_rng(2).normal(0.0, 0.002, n_bars)
    return bp.Data.from_frames({"WAVE": frame(100 * np.exp(swing + rough))})


def train(data: bp.Data, strategy: Any = momentum, **options: Any) -> bp.Training:
    return bp.train(strategy, data, **{"min_trades": 3, **options})


@pytest.fixture(scope="module")
def real() -> bp.Training:
    return train(wave())


@pytest.fixture(scope="module")
def luck() -> bp.Training:
    return train(noise())


def sound(verdict: bp.Verdict) -> bp.Verdict:
    """Return a verdict that says all that one must say."""
    assert verdict.status in STATUSES
    assert 0.0 < verdict.p_value <= 1.0
    assert verdict.summary
    assert (verdict.missing is not None) == (verdict.status == "too little data")
    assert verdict.tests.index.is_unique
    assert verdict.tests["meaning"].str.endswith(".").all()
    assert not verdict.tests["meaning"].str.contains("nan").any()
    assert verdict.to_dict()["status"] == verdict.status
    assert str(verdict)
    return verdict


# ------------------------------------------------------------------ what it finds


def test_an_edge_passes(real: bp.Training) -> None:
    verdict = sound(bp.validate(real, n_permutations=100))
    assert (verdict.status, verdict.gate, verdict.missing) == ("pass", "permutation", None)
    assert verdict.p_value == 1 / 101
    assert len(verdict.null) == 100
    assert verdict.null.max() < verdict.statistic
    assert verdict.sharpe > verdict.min_detectable_sharpe
    assert verdict.summary.startswith("More than luck: luck does as well in 0.99 %")
    assert "before costs" in verdict.summary
    assert verdict.n_trials == real.components["WAVE"].n_evaluations


def test_luck_fails(luck: bp.Training) -> None:
    verdict = sound(bp.validate(luck))
    assert verdict.status == "fail"
    assert verdict.p_value > 0.1
    assert len(verdict.null) < 200  # dismissed early
    assert verdict.tests.index[0] == "luck of the search"
    assert verdict.tests["threshold"].iloc[0] == 0.05
    low, high = verdict.expected_interval
    assert low < verdict.expected_sharpe < high
    assert verdict.expected_sharpe < verdict.sharpe


def test_a_walk_is_judged_by_its_tests() -> None:
    walked = bp.walk_forward(momentum, wave(), cycles=4, split=0.6, min_trades=3)
    verdict = sound(bp.validate(walked, n_permutations=39))
    assert (verdict.status, verdict.gate) == ("pass", "walk-forward permutation")
    assert verdict.p_value == 1 / 40
    assert verdict.n_bars == len(walked.portfolio.value)
    tests = verdict.tests
    assert tests.loc["out of sample: break-even", "threshold"] == 1.0  # of prr
    assert tests.loc["out of sample: break-even", "status"] == "pass"
    assert tests.loc["out of sample: buy and hold", "status"] == "pass"
    assert verdict.n_trials == sum(
        found.n_evaluations for one in walked.trainings for found in one.components.values()
    )
    bad = bp.walk_forward(momentum, noise(), cycles=4, split=0.6, min_trades=3)
    verdict = sound(bp.validate(bad, n_permutations=39))
    assert verdict.status in {"fail", "too little data"}
    assert verdict.tests.loc["out of sample: break-even", "status"] == "fail"


@pytest.mark.filterwarnings("ignore:fees is a share of the money:UserWarning")
def test_costs_that_eat_the_edge_are_no_edge() -> None:
    """What is judged is what is left after costs."""
    data = wave()
    dear = bp.Costs(fees=0.15)
    verdict = bp.validate(train(data, costs=dear), n_permutations=39)
    # Permuted prices cost as much, so that the pattern is no luck, only worthless.
    assert verdict.p_value <= 0.05
    assert verdict.sharpe < 0
    assert verdict.status == "fail"
    assert verdict.tests.loc["left after costs", "status"] == "fail"
    assert verdict.tests.loc["left after costs", "meaning"] in verdict.summary
    assert "before costs" not in verdict.summary


def test_unseen_bars_are_held_against_no_skill() -> None:
    data = wave(1200)
    # The swing ends with the training: after it there is noise.
    close = data.close.to_numpy().copy()
    close[800:] = close[799] * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.01, 400)))
    data = bp.Data.from_frames({"WAVE": frame(close)})
    training = train(data, end=data.index[799])
    verdict = sound(bp.validate(training, n_permutations=39))
    assert verdict.n_bars == 770
    assert verdict.p_value == 1 / 40
    row = verdict.tests.loc["on unseen bars: break-even"]
    portfolio = bp.test(momentum, data, training, start=data.index[800])
    assert portfolio.num_trades >= 20
    assert row["status"] == "fail"
    assert verdict.status == "fail"
    assert row["meaning"] in verdict.summary
    # What was not seen is not among the bars that are permuted.
    alone = bp.validate(train(data[: data.index[799]]), n_permutations=39)
    assert alone.null.tolist() == verdict.null.tolist()
    assert alone.status == "pass"


def test_bare_returns() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0.0, 0.01, size=(1000, 12))
    index = pd.bdate_range("2010", periods=1000)
    verdict = sound(bp.validate(returns=pd.DataFrame(values, index=index)))
    assert (verdict.status, verdict.gate, verdict.n_trials) == ("fail", "returns", 12)
    values[:, 4] += 0.003
    verdict = sound(bp.validate(returns=pd.DataFrame(values, index=index)))
    assert verdict.status == "pass"
    assert verdict.tests.loc["what choosing adds (PBO)", "figure"] == 0.0
    best = values[:, 4]
    assert verdict.sharpe == pytest.approx(
        best.mean() / best.std(ddof=1) * math.sqrt(365.25 * 999 / (index[-1] - index[0]).days)
    )
    # Without dates a year has 252 bars.
    plain = bp.validate(returns=values)
    assert plain.sharpe == pytest.approx(best.mean() / best.std(ddof=1) * math.sqrt(252))
    assert plain.p_value == verdict.p_value


def test_without_permutations_the_trials_are_resampled(
    real: bp.Training, luck: bp.Training
) -> None:
    verdict = sound(bp.validate(real, n_permutations=0))
    assert (verdict.status, verdict.gate) == ("pass", "returns")
    assert verdict.to_dict()["n_permutations"] == 0
    assert sound(bp.validate(luck, n_permutations=0)).status == "fail"
    walked = bp.walk_forward(momentum, noise(), cycles=4, split=0.6, min_trades=3)
    assert sound(bp.validate(walked, n_permutations=0)).p_value > 0.1


# ------------------------------------------------------------------ too little, and odd


def test_what_is_missing_is_said_in_words() -> None:
    short = train(noise(90))
    verdict = sound(bp.validate(short, n_permutations=19))
    assert verdict.status == "too little data"
    # 40 more bars would make 100, and show no edge of any usual size either.
    assert verdict.min_detectable_sharpe > 3
    assert verdict.missing is not None
    assert verdict.missing == f"2.3 more years and {20 - verdict.n_trades} more trades"
    months = pd.Series(
        np.random.default_rng(8).normal(0, 0.04, 90), pd.date_range("2010", periods=90, freq="ME")
    )
    monthly = bp.validate(returns=months)
    assert monthly.min_detectable_sharpe < 2
    assert monthly.missing == "10 more bars"
    few = bp.validate(train(noise(150, seed=4)), n_permutations=19)
    assert 1 < few.n_trades < 19
    assert few.missing == f"{20 - few.n_trades} more trades"
    # The years that are missing are those after which the edge in question would show.
    rng = np.random.default_rng(8)
    years = bp.validate(returns=rng.normal(0, 0.01, size=(250, 3)))
    assert years.min_detectable_sharpe > 2
    assert years.missing is not None
    lack = float(years.missing.removesuffix(" more years"))
    more = 250 + 252 * lack
    assert years.min_detectable_sharpe * math.sqrt(250 / more) == pytest.approx(2, rel=0.05)


def test_what_is_left_is_said_to_be_before_costs_where_none_were_given(luck: bp.Training) -> None:
    free = bp.validate(luck, n_permutations=0)
    paid = bp.validate(train(noise(), costs=bp.Costs(fees=0.001)), n_permutations=0)
    bare = bp.validate(returns=np.random.default_rng(8).normal(0, 0.01, 500))
    said = [found.tests.loc["left after costs", "meaning"] for found in (free, paid, bare)]
    starts = ["Before costs, for none were", "Net of the costs that were", "In the returns as they"]
    assert [text[: len(start)] for text, start in zip(said, starts, strict=True)] == starts
    # Of a single trial there is no best of many.
    assert "single trial" in bare.tests.loc["deflated Sharpe ratio", "meaning"]
    assert f"best of {free.n_trials} trials" in free.tests.loc["deflated Sharpe ratio", "meaning"]


@pytest.mark.parametrize(
    ("better", "said"), [(0.0, "by no more than chance"), (0.003, "choosing by the past helps")]
)
def test_choosing_is_said_to_help_only_beyond_chance(better: float, said: str) -> None:
    """Of equals a PBO of 0.49 is as good as one of 0.51."""
    for seed in range(20):
        values = np.random.default_rng(seed).normal(0.0, 0.01, size=(400, 12))
        values[:, 0] += better
        row = bp.validate(returns=values).tests.loc["what choosing adds (PBO)"]
        if row["figure"] < 0.1 if better else 0.4 < row["figure"] < 0.5:
            break
    assert row["status"] == "pass"
    assert said in row["meaning"].split("):")[1]


def test_too_few_permutations_are_no_proof_against_anybody(real: bp.Training) -> None:
    verdict = sound(bp.validate(real, n_permutations=10))
    assert verdict.p_value == 1 / 11
    assert (verdict.status, verdict.missing) == ("too little data", "9 more permutations")
    assert bp.validate(real, n_permutations=19).status == "pass"
    strict = bp.validate(real, n_permutations=19, alpha=0.001)
    assert strict.missing == "980 more permutations"
    assert bp.validate(real, n_permutations=19, alpha=0.49).status == "pass"


@pytest.mark.filterwarnings("ignore:'silent' never trades")
def test_a_strategy_that_never_trades() -> None:
    verdict = sound(bp.validate(train(noise(), silent), n_permutations=19))
    assert (verdict.status, verdict.n_trades) == ("too little data", 0)
    assert verdict.missing == "20 more trades"
    assert verdict.p_value == 1.0
    assert math.isnan(verdict.expected_sharpe)
    # Its own null does not scatter, and says nothing of what the data could have shown.
    n_years = verdict.n_bars / 252
    assert verdict.min_detectable_sharpe > 2.4 / math.sqrt(n_years)
    assert "–" not in verdict.tests.loc["expected Sharpe ratio", "meaning"]


@pytest.mark.parametrize("n_bars", [7, 8, 10, 13, 30])
@pytest.mark.parametrize("n_permutations", [0, 3])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_handful_of_bars_is_too_little_data(n_bars: int, n_permutations: int) -> None:
    @bp.strategy(lookback=5)
    def quick(s: Any) -> None:
        average = bp.sma(s.close, s.optimize(3, 2, 5, 1, name="days"))
        s.enter_long(bp.crossed_above(s.close, average))
        s.enter_short(bp.crossed_below(s.close, average))

    for seed in range(3):
        training = bp.train(quick, noise(n_bars, seed=seed))
        verdict = sound(bp.validate(training, n_permutations=n_permutations))
        assert verdict.status == "too little data"
        # As many bars as a test takes, or the years after which it would show an edge.
        assert re.search(rf"{105 - n_bars} more bars|\d\.\d more years", str(verdict.missing))


@pytest.mark.filterwarnings("ignore:.*never trades")
def test_several_components_of_which_one_is_silent() -> None:
    one, other = (noise(seed=seed).close for seed in (1, 2))
    data = bp.Data.from_frames({"A": frame(one), "B": frame(other), "C": frame(other[::-1])})
    training = train(data, both)
    verdict = sound(bp.validate(training, n_permutations=19))
    tested = bp.test(both, data, training)
    assert verdict.n_trades == len(tested.trades)
    assert verdict.tests.loc["trades per parameter", "figure"] == 0.0
    # A symbol that ends early, and one with gaps.
    frames = {"A": frame(one).iloc[:500], "B": frame(other).drop(one.index[100:120])}
    sound(bp.validate(train(bp.Data.from_frames(frames), both), n_permutations=19))


def test_a_single_value_is_a_search_too() -> None:
    @bp.strategy(lookback=30)
    def fixed(s: Any) -> None:
        days = s.optimize(10, 10, 10, 1, name="days")
        s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
        s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))

    verdict = sound(bp.validate(train(noise(), fixed), n_permutations=19))
    assert verdict.tests.loc["what choosing adds (PBO)", "status"] == "-"
    assert verdict.n_trials == 1


@pytest.mark.parametrize(
    "returns",
    [
        np.zeros((300, 4)),
        np.full((300, 4), 0.001),
        np.random.default_rng(1).normal(0, 0.01, (30, 5)),
        np.random.default_rng(1).normal(0, 0.01, (120, 150)),
        np.random.default_rng(1).normal(0, 0.01, 300),
        np.random.default_rng(1).normal(0, 0.01, (300, 3)),
        np.column_stack([np.full(300, np.nan), np.random.default_rng(1).normal(0, 0.01, 300)]),
        np.random.default_rng(1).standard_t(2, (300, 20)) / 100,
        np.vstack([np.zeros((299, 12)), np.full((1, 12), 0.5)]),
    ],
    ids=["zero", "constant", "short", "wide", "one", "three", "nan", "tails", "once"],
)
def test_odd_returns_get_an_answer(returns: Any) -> None:
    verdict = sound(bp.validate(returns=returns))
    assert verdict.status != "pass"


def test_a_portfolio_knows_its_trades() -> None:
    data = noise()
    fast, slow = bp.sma(data.close, 5), bp.sma(data.close, 20)
    pf = bp.PF.from_signals(data, bp.crossed_above(fast, slow), bp.crossed_below(fast, slow))
    verdict = sound(bp.validate(returns=pf))
    assert verdict.n_trades == pf.num_trades


# ------------------------------------------------------------------ what it refuses


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "result must be a Training or a WalkForward, or be left out"),
        ({"result": 3}, r"result must be a Training or a WalkForward, got 3.*Type: bp\.validate"),
        ({"result": {"X": {"days": 3}}}, "Values alone do not say how they were searched"),
        ({"returns": [0.1, 0.2], "alpha": 0}, "alpha must lie between 0 and 0.5"),
        ({"returns": [0.1, 0.2], "alpha": 0.5}, "alpha must lie between 0 and 0.5"),
        ({"returns": [0.1, 0.2], "alpha": math.nan}, "alpha must be a finite number"),
        ({"returns": [0.1, 0.2], "n_permutations": -1}, "n_permutations must be an integer"),
        ({"returns": [0.1, 0.2], "seed": -1}, "seed must be an integer"),
        ({"returns": [0.1, 0.2], "data": 3}, "data must be a bp.Data"),
        ({"returns": [0.1, 0.2], "store": 3}, "store must be a path or a bp.Store"),
        ({"returns": [0.1, 0.2], "n_permutation": 3}, "unknown option 'n_permutation'.*'n_perm"),
        ({"returns": "abc"}, "returns must hold numbers"),
        ({"returns": [1.0, np.inf]}, "returns must be numbers"),
        ({"returns": [100.0, 101.0]}, "not prices"),
        ({"returns": [0.1]}, "at least 2 bars"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(bp.BroadpeakError, match=message):
        bp.validate(**options)


def test_results_that_cannot_be_judged(luck: bp.Training) -> None:
    with pytest.raises(bp.ParamError, match="result must be a Training or a WalkForward, or be"):
        bp.validate(luck, returns=[0.1, 0.2])
    with pytest.raises(bp.ParamError, match="Values alone do not say how they were searched"):
        bp.validate(luck.parameters())  # type: ignore[arg-type]
    with pytest.raises(bp.DataError, match=r"be the prices of the result.*Leave it out"):
        bp.validate(luck, data=noise(seed=9))


def test_a_result_that_lost_its_prices_asks_for_them(luck: bp.Training) -> None:
    lost = pickle.loads(pickle.dumps(luck))
    object.__setattr__(lost, "data", None)
    with pytest.raises(bp.DataError, match=r"Pass the prices.*bp\.validate\(result, data=data\)"):
        lost.verdict()
    found = lost.verdict(data=noise(), n_permutations=19)
    assert found.to_dict() == bp.validate(luck, n_permutations=19).to_dict()
    with pytest.raises(bp.DataError, match="be the prices of the result"):
        lost.verdict(data=noise(seed=9))
    # The strategy of a result that came out of a file may be another object.
    assert bp.validate(lost, strategy=momentum, data=noise(), n_permutations=19).status


def test_samples_need_the_finer_prices() -> None:
    index = pd.date_range("2020", periods=2400, freq="h")
    fine = noise(2400, index=index)
    training = train(fine, samples=("4h", 4))
    with pytest.raises(bp.DataError, match=r"Type: bp\.validate\(training, data=finer\)"):
        bp.validate(training)
    verdict = sound(bp.validate(training, data=fine, n_permutations=19))
    assert verdict.n_bars == 600 - 30


def test_holding_is_on_the_bars_that_are_traded_also_with_samples() -> None:
    fine = noise(2400, index=pd.date_range("2020", periods=2400, freq="h"))
    training = train(fine, samples=("4h", 4), end="2020-03-01")
    row = bp.validate(training, data=fine, n_permutations=9).tests.loc[
        "on unseen bars: buy and hold"
    ]
    close = fine.resample("4h").close["2020-03-02":]  # type: ignore[misc]  # labels are dates
    change = close.pct_change().fillna(0.0)
    known = change.mean() / change.std() * math.sqrt(6 * 365.25)
    assert row["threshold"] == pytest.approx(known, rel=0.01)


# ------------------------------------------------------------------ what it keeps and counts


def test_the_method_is_the_same_and_kept() -> None:
    training = train(noise(300))
    verdict = training.verdict()
    assert training.verdict() is verdict
    assert verdict.to_dict() == bp.validate(training).to_dict()
    other = training.verdict(n_permutations=19)
    assert other is not verdict
    assert training.verdict() is verdict
    walked = bp.walk_forward(momentum, noise(200), cycles=2, min_trades=3)
    assert walked.verdict() is walked.verdict()
    # It stays behind when a result travels.
    assert "_verdict" not in vars(pickle.loads(pickle.dumps(training)))


def test_settings_are_repeated_in_every_permutation() -> None:
    """A training with a wider search has luckier permutations."""
    data = noise(500, seed=11)
    nulls = {}
    for name, options in {
        "ascent": {},
        "brute": {"method": "brute", "select": "peak"},
        "random": {"method": "random", "n_evaluations": 2},
        "start": {"start": data.index[200]},
        "costs": {"costs": bp.Costs(fees=0.01)},
    }.items():
        verdict = bp.validate(train(data, **options), n_permutations=19, alpha=0.4)
        nulls[name] = verdict.null
    assert nulls["brute"].mean() >= nulls["random"].mean()
    assert nulls["costs"].mean() < nulls["ascent"].mean() - 1
    assert not np.array_equal(nulls["start"], nulls["ascent"])


def test_the_callback_of_a_training_is_not_called_again() -> None:
    seen = []
    training = train(noise(300), on_step=seen.append)
    n_seen = len(seen)
    bp.validate(training, n_permutations=5)
    assert len(seen) == n_seen


def test_all_searches_of_the_ledger_count(tmp_path: Path) -> None:
    data, path = wave(), tmp_path / "runs.db"
    alone = train(data, store=path)
    first = alone.verdict(n_permutations=39)
    assert (first.n_searches, first.n_trials) == (1, alone.components["WAVE"].n_evaluations)
    assert first.p_value == 1 / 40
    # Another strategy on the same prices, and the same one with other costs.
    train(data, reversal, store=path)
    train(data, costs=bp.Costs(fees=0.001), store=path)
    searches = bp.Store(path).searches(data)
    assert searches["name"].tolist() == ["momentum", "reversal", "momentum"]
    assert searches["search"].is_unique
    second = alone.verdict(n_permutations=39)
    assert second.n_searches == 3
    assert second.n_trials == searches["trials"].sum()
    assert second.p_value == pytest.approx(1 - (1 - 1 / 40) ** 3)
    assert second.min_detectable_sharpe > first.min_detectable_sharpe
    assert "all 3 searches" in second.tests.loc["luck of the search", "meaning"]
    # Permutations are no trials, wherever they are kept; a training without the store asks for it.
    bp.validate(alone, store=path, n_permutations=39)
    assert bp.Store(path).searches(data)["search"].tolist() == searches["search"].tolist()
    assert bp.validate(train(data), n_permutations=39).n_searches == 1
    assert bp.validate(train(data), store=path, n_permutations=39).n_searches == 3
    # Other prices are another matter.
    assert train(noise(), store=path).verdict(n_permutations=5).n_searches == 1


def test_another_method_on_the_same_strategy_adds_trials_and_no_search(tmp_path: Path) -> None:
    data, path = noise(), tmp_path / "runs.db"
    train(data, store=path, end=data.index[400])
    bp.walk_forward(momentum, data, cycles=3, min_trades=3, store=path)
    last = train(data, method="brute", store=path)
    verdict = last.verdict(n_permutations=5)
    assert verdict.n_searches == 1
    assert verdict.n_trials == bp.Store(path).ledger(data)["trials"].sum() > 5


def test_returns_count_what_the_ledger_holds(tmp_path: Path) -> None:
    data, path = noise(), tmp_path / "runs.db"
    train(data, store=path)
    train(data, reversal, store=path)
    values = np.random.default_rng(1).normal(0, 0.01, (700, 3))
    alone, beside = bp.validate(returns=values), bp.validate(returns=values, data=data, store=path)
    assert (alone.n_searches, alone.n_trials) == (1, 3)
    n_tried = bp.Store(path).ledger(data)["trials"].sum()
    assert (beside.n_searches, beside.n_trials) == (2, n_tried)
    assert beside.p_value == pytest.approx(1 - (1 - alone.p_value) ** 2)


def test_a_store_goes_on(luck: bp.Training, tmp_path: Path) -> None:
    path = tmp_path / "verdict.db"
    first = bp.validate(luck, store=path, n_permutations=39)
    n_rows = bp.Store(path).runs()["trials"].sum()
    again = bp.validate(luck, store=path, n_permutations=39)
    assert again.to_dict() == first.to_dict() == bp.validate(luck, n_permutations=39).to_dict()
    assert bp.Store(path).runs()["trials"].sum() == n_rows
    assert n_rows >= len(first.null)


@pytest.mark.engine
def test_engines_agree(luck: bp.Training) -> None:
    serial = bp.validate(luck, n_permutations=39)
    for options in (
        {"engine": "threadpool", "n_workers": 3},
        {"engine": "processpool", "n_workers": 2},
    ):
        other = bp.validate(luck, n_permutations=39, **options)
        assert other.null.tolist() == serial.null.tolist()
        assert other.to_dict() == serial.to_dict()
