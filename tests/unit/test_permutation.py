# SPDX-License-Identifier: BSD-3-Clause
"""Permuted prices keep what they must; the test of a search stops when it may, and lasts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import broadpeak as bp

PRICES = ("open", "high", "low", "close")


@bp.strategy(lookback=30)
def momentum(s: Any) -> None:
    days = s.optimize(10, 5, 25, 10, name="days")
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))


def moves(data: bp.Data, symbol: str) -> dict[str, list[float]]:
    """Return what a permutation only reorders: moves within bars, and gaps between them."""
    own = data.select(symbol)
    logs = {name: np.log(getattr(own, name).to_numpy()) for name in PRICES}
    inside = [logs[name] - logs["open"] for name in ("high", "low", "close")]
    gaps = logs["open"][1:] - logs["close"][:-1]
    order = np.lexsort([part.round(9) for part in inside])
    return {
        "inside": np.array(inside)[:, order].round(9).ravel().tolist(),
        "gaps": np.sort(gaps).round(9).tolist(),
        "volume": np.sort(own.volume.to_numpy()).tolist(),
    }


def unequal() -> bp.Data:
    """Return three stocks, of which one came later, one left early, and one has a gap."""
    sample = bp.Data.sample()["2003":"2004"]
    fields = (*PRICES, "volume")
    frames = {
        symbol: pd.DataFrame({name: getattr(sample.select(symbol), name) for name in fields})
        for symbol in sample.symbols
    }
    frames["IBM"] = frames["IBM"].iloc[100:]
    frames["MSFT"] = frames["MSFT"].iloc[:-60]
    frames["AAPL"] = frames["AAPL"].drop(frames["AAPL"].index[200:210])
    return bp.Data.from_frames(frames)


@given(st.integers(0, 2**32))
def test_only_the_order_of_moves_is_new(seed: int) -> None:
    data = unequal()
    other = bp.stats.bar_permutation(data, seed)
    assert other.index.equals(data.index)
    assert other.symbols == data.symbols
    assert other.close.isna().equals(data.close.isna())
    for symbol in data.symbols:
        mine, real = other.select(symbol), data.select(symbol)
        assert moves(other, symbol) == moves(data, symbol)
        assert mine.close.iloc[-1] == real.close.iloc[-1]
        for name in PRICES:
            assert getattr(mine, name).iloc[0] == getattr(real, name).iloc[0]
    assert not other.close.equals(data.close)


def test_symbols_move_together() -> None:
    data = bp.Data.sample()
    other = bp.stats.bar_permutation(data, 3)
    real, moved = data.returns.corr().to_numpy(), other.returns.corr().to_numpy()
    assert np.abs(real - moved).max() < 0.03


def test_shapes_come_back() -> None:
    data = bp.Data.sample()["2003":"2004"]
    assert isinstance(bp.stats.bar_permutation(data.select("IBM"), 1).close, pd.Series)
    assert isinstance(bp.stats.bar_permutation(data.select(["IBM"]), 1).close, pd.DataFrame)
    alone = bp.Data.from_frames({"IBM": data.select("IBM").close.to_frame("close")})
    other = bp.stats.bar_permutation(alone, 1)
    assert np.sort(np.diff(np.log(other.close))) == pytest.approx(
        np.sort(np.diff(np.log(alone.close))), abs=1e-12
    )


def test_seeds() -> None:
    data = bp.Data.sample("IBM")
    one, same, two = (bp.stats.bar_permutation(data, seed) for seed in (1, 1, 2))
    assert one.close.equals(same.close)
    assert not one.close.equals(two.close)
    with pytest.raises(bp.DataError, match="data must be a Data"):
        bp.stats.bar_permutation(data.close, 1)


def test_the_last_bar_may_be_the_first_of_a_symbol() -> None:
    sample = bp.Data.sample()["2003":"2004"]
    frames = {name: sample.select(name).close.to_frame("close") for name in sample.symbols}
    frames["MSFT"] = frames["MSFT"].iloc[-1:]
    data = bp.Data.from_frames(frames)
    other = bp.stats.bar_permutation(data, 1)
    assert other.close["MSFT"].equals(data.close["MSFT"])
    assert moves_of_closes(other.close["IBM"]) == moves_of_closes(data.close["IBM"])
    alone = bp.Data.from_frames(frames).select("MSFT")
    assert bp.stats.bar_permutation(alone, 1).close.equals(alone.close)
    # A symbol without any bar, in a slice of its calendar, stays without any.
    early = data[:100]
    assert bp.stats.bar_permutation(early, 1).close["MSFT"].isna().all()


def moves_of_closes(close: pd.Series) -> list[float]:
    return np.sort(np.diff(np.log(close))).round(9).tolist()


def test_columns_of_a_mono_chunk_move_together() -> None:
    data = bp.Data.sample()["2003":"2004"]
    other = bp.stats.bar_permutation(data, 5)

    @bp.parameterized(merge_func="column_stack", mono_n_chunks=1)
    def closes(symbol: Any, days: Any) -> Any:
        return bp.sma(bp.stats.bar_permutation(data.select(symbol), 5).close, days)

    got = closes(bp.Param(data.symbols, mono_merge_func=None), bp.Param([1, 2]))
    for symbol in data.symbols:
        assert got[symbol, 1].to_numpy().tolist() == other.close[symbol].to_numpy().tolist()


def test_prices_that_would_leave_the_floats_are_reported() -> None:
    close = np.array([1.0, 1e-300, 1e300, 1e-300, 1e300, 1.0])
    data = bp.Data.from_frames({"X": pd.DataFrame({"close": close})})
    with pytest.raises(bp.DataError, match="close of X must stay within the range of floats"):
        bp.stats.bar_permutation(data, 1)


@pytest.fixture(scope="module")
def prices() -> bp.Data:
    return bp.Data.sample("IBM")["2003":"2006"]


def run(data: bp.Data, **options: Any) -> Any:
    return bp.stats.permutation_test(momentum, data, min_trades=3, **options)


def test_p_values_count_what_is_as_good(prices: bp.Data) -> None:
    whole = run(prices, n=39, seed=1, sequential=False)
    better = int((whole.null >= whole.observed).sum())
    assert whole.n_run == len(whole.null) == 39
    assert not whole.stopped
    assert whole.p_value == (1 + better) / 40
    # Stopped, it has seen the same results up to the one that decides.
    early = run(prices, n=39, seed=1, alpha=0.1)
    assert early.stopped
    assert early.null.tolist() == whole.null[: early.n_run].tolist()
    assert (early.null >= early.observed).sum() == 4  # with 4 of 39, p is over 0.1
    assert early.null[-1] >= early.observed
    assert early.p_value == 4 / early.n_run


def test_a_pattern_is_found() -> None:
    """A wave that repeats every 40 bars is there in no permutation."""
    bars = np.arange(600)
    noise = np.random.default_rng(2).normal(0.0, 0.002, 600)
    close = 100 * np.exp(0.1 * np.sin(bars / 40 * 2 * np.pi) + noise)
    index = pd.date_range("2020-01-01", periods=600)
    data = bp.Data.from_frames({"WAVE": pd.DataFrame(dict.fromkeys(PRICES, close), index=index)})
    found = run(data, n=39)
    assert found.p_value == 1 / 40
    assert not found.stopped
    walked = run(data, n=19, walk_forward={"cycles": 3, "split": 0.6})
    assert walked.p_value == 1 / 20


def test_a_rising_market_is_no_skill() -> None:
    @bp.strategy(lookback=30)
    def hold(s: Any) -> None:
        after = s.optimize(1, 1, 3, 1, name="after")
        s.enter_long(np.arange(len(s.close)) >= 30 + after)

    index = pd.date_range("2020-01-01", periods=400)
    noise = np.random.default_rng(3).normal(0.002, 0.01, 400)
    close = 100 * np.exp(np.cumsum(noise))
    data = bp.Data.from_frames({"UP": pd.DataFrame(dict.fromkeys(PRICES, close), index=index)})
    found = bp.stats.permutation_test(hold, data, n=39, objective="profit", min_trades=0)
    assert found.observed > 0
    assert found.p_value > 0.1


@bp.strategy(lookback=100)
def hold(s: Any) -> None:
    after = s.optimize(1, 1, 3, 1, name="after")
    s.enter_long(np.arange(len(s.close)) >= 100 + after)


def turning(n_after: int = 0) -> bp.Data:
    """Return prices that fall during the look-back, then rise, and fall at last."""
    rng = np.random.default_rng(3)
    drift = np.concatenate([np.full(100, -0.01), np.full(300, 0.004), np.full(n_after, -0.01)])
    close = 100 * np.exp(np.cumsum(rng.normal(drift, 0.01)))
    index = pd.date_range("2020-01-01", periods=len(close))
    return bp.Data.from_frames({"UP": pd.DataFrame(dict.fromkeys(PRICES, close), index=index)})


def test_only_evaluated_bars_have_the_drift_of_evaluated_bars() -> None:
    """Where the market turned before the first evaluated bar, holding it is no skill either."""
    options = {"objective": "profit", "min_trades": 0}
    found = bp.stats.permutation_test(hold, turning(), n=39, **options)
    assert found.p_value > 0.1
    walk = {"cycles": 3}
    found = bp.stats.permutation_test(hold, turning(), n=19, walk_forward=walk, **options)
    assert found.p_value > 0.1


def test_bars_after_the_end_are_not_there() -> None:
    long, short = turning(200), turning()
    options = {"objective": "profit", "min_trades": 0, "end": short.index[-1], "alpha": 0.4}
    found, known = (bp.stats.permutation_test(hold, data, n=9, **options) for data in (long, short))
    assert found.null.tolist() == known.null.tolist()
    assert found.p_value > 0.1


@pytest.mark.engine
def test_engines_agree(prices: bp.Data) -> None:
    serial = run(prices, n=39, alpha=0.2)
    for options in (
        {"engine": "threadpool"},
        {"engine": "processpool", "n_workers": 2},
        {"engine": "joblib", "n_workers": 2},
    ):
        other = run(prices, n=39, alpha=0.2, **options)
        assert other.null.tolist() == serial.null.tolist()
        assert (other.p_value, other.n_run) == (serial.p_value, serial.n_run)


def test_a_store_goes_on(prices: bp.Data, tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    first = run(prices, n=19, sequential=False, store=path)
    n_trials = int(bp.Store(path).runs()["trials"].sum())
    again = run(prices, n=19, sequential=False, store=path)
    assert again.null.tolist() == first.null.tolist()
    assert int(bp.Store(path).runs()["trials"].sum()) == n_trials == 19
    # More of them begin with those.
    assert (
        run(prices, n=29, sequential=False, store=path).null.tolist()[:19]
        == first.null.tolist()[:19]
    )
    # A permutation is no trial on these prices: it must not make their results look luckier.
    assert bp.Store(path).ledger(prices).empty
    bp.train(momentum, prices, min_trades=3, store=path)
    assert bp.Store(path).ledger(prices)["trials"].sum() > 0


SCRIPT = """
import os, pathlib, signal, sys
import broadpeak as bp

# In a file: whatever value the strategy uses would be part of what was run.
store, calls, end = sys.argv[1:]

@bp.strategy(lookback=30)
def momentum(s):
    with open(calls, "a") as lines:
        lines.write("x")
    at, how = pathlib.Path(end).read_text().split()
    if os.path.getsize(calls) == int(at):
        os.kill(os.getpid(), getattr(signal, how))
    days = s.optimize(10, 5, 25, 10, name="days")
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))

data = bp.Data.sample("IBM")["2003":"2006"]
found = bp.stats.permutation_test(
    momentum, data, n=19, sequential=False, min_trades=3, check=False, store=store
)
print(found.null.tolist())
"""


@pytest.mark.engine
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_what_was_finished_before_the_end_is_not_run_again(
    prices: bp.Data, tmp_path: Path, how: str
) -> None:
    script, path, calls = tmp_path / "search.py", tmp_path / "trials.db", tmp_path / "calls"
    script.write_text(SCRIPT)

    def start(stop_at: int) -> subprocess.CompletedProcess[str]:
        (tmp_path / "end").write_text(f"{stop_at} {how}")
        command = [sys.executable, script, path, calls, tmp_path / "end"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    # Five calls a search, that of the real prices first: the 8th permutation is interrupted.
    broken = start(5 + 7 * 5 + 2)
    assert broken.returncode != 0
    assert how == "SIGKILL" or "KeyboardInterrupt" in broken.stderr
    kept = int(bp.Store(path).runs()["trials"].sum())
    assert kept == 7
    calls.unlink()
    whole = start(-1)
    assert calls.stat().st_size == 5 + (19 - kept) * 5
    assert whole.stdout.strip() == str(run(prices, n=19, sequential=False).null.tolist())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be an integer"),
        ({"alpha": 0}, "alpha must lie between"),
        ({"alpha": "a"}, "alpha must be a finite number"),
        ({"seed": -1}, "seed must be an integer"),
        ({"walk_forward": 3}, "walk_forward must be a dict"),
        ({"walk_forward": {"cycels": 3}}, "unknown option 'cycels'"),
        ({"objektive": "prr"}, "unknown option 'objektive'"),
    ],
)
def test_options_are_checked(prices: bp.Data, options: dict[str, Any], message: str) -> None:
    with pytest.raises(bp.ParamError, match=message):
        run(prices, **options)


def test_an_unknown_option_is_refused_under_the_name_of_what_was_called() -> None:
    data = bp.Data.sample("IBM")
    with pytest.raises(
        TypeError, match=r"permutation_test got an unknown option 'min_trade'.*'min_trades'"
    ):
        bp.stats.permutation_test(lambda s: None, data, min_trade=5)
    with pytest.raises(TypeError, match="permutation_test got an unknown option 'cycles'"):
        bp.stats.permutation_test(lambda s: None, data, cycles=5)
    with pytest.raises(TypeError, match=r"walk_forward got an unknown option 'cycle'.*'cycles'"):
        bp.walk_forward(lambda s: None, data, cycle=5)
