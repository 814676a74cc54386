# SPDX-License-Identifier: BSD-3-Clause
"""Every indicator against TA-Lib, pandas, and its definition written out bar by bar.

The definitions come first: slow, obvious, and exact where that is possible.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

talib = pytest.importorskip("talib")

NAN = math.nan


def over_windows(values: np.ndarray, w: int, figure: Callable[[list[float]], float]) -> np.ndarray:
    """Apply `figure` to every full window without a missing value."""
    out = []
    for t in range(len(values)):
        window = [float(v) for v in values[max(0, t - w + 1) : t + 1]]
        full = len(window) == w and all(math.isfinite(v) for v in window)
        out.append(figure(window) if full else NAN)
    return np.array(out, float)


def mean(window: list[float]) -> float:
    """Return the mean without any rounding but the last."""
    return float(sum(map(Fraction, window)) / len(window))


def deviation(window: list[float], ddof: int) -> float:
    if len(window) <= ddof:
        return NAN
    exact = [Fraction(v) for v in window]
    m = sum(exact) / len(exact)
    return math.sqrt(sum((v - m) ** 2 for v in exact) / (len(exact) - ddof))


def sma(x, w):
    return over_windows(x, w, mean)


def wma(x, w):
    weights = range(1, w + 1)
    return over_windows(
        x, w, lambda v: math.fsum(a * b for a, b in zip(v, weights, strict=True)) / sum(weights)
    )


def highest(x, w):
    return over_windows(x, w, max)


def lowest(x, w):
    return over_windows(x, w, min)


def zscore(x, w, ddof=1):
    def figure(v):
        spread = deviation(v, ddof)
        return NAN if spread == 0.0 or math.isnan(spread) else (v[-1] - mean(v)) / spread

    return over_windows(x, w, figure)


def bbands(x, w, width, ddof=0):
    middle = sma(x, w)
    spread = over_windows(x, w, lambda v: deviation(v, ddof))
    return middle + width * spread, middle, middle - width * spread


def roc(x, w):
    out = [NAN] * len(x)
    for t in range(w, len(x)):
        if math.isfinite(x[t]) and math.isfinite(x[t - w]):
            out[t] = 100.0 * (x[t] / x[t - w] - 1.0) if x[t - w] != 0 else 0.0
    return np.array(out, float)


def present(*series):
    """Return the positions of the bars at which every series has a value."""
    return [t for t in range(len(series[0])) if all(math.isfinite(x[t]) for x in series)]


def scatter(n, bars, values):
    out = np.full(n, NAN)
    out[bars] = values
    return out


def smoothed(x, w, alpha, skip=0):
    bars = present(x)
    values = [float(x[t]) for t in bars]
    out = [NAN] * len(values)
    for i in range(skip + w - 1, len(values)):
        if i == skip + w - 1:
            out[i] = mean(values[skip : skip + w])
        else:
            out[i] = alpha * values[i] + (1 - alpha) * out[i - 1]
    return scatter(len(x), bars, out)


def ema(x, w):
    return smoothed(x, w, 2 / (w + 1))


def rma(x, w):
    return smoothed(x, w, 1 / w)


def rsi(x, w):
    bars = present(x)
    values = [float(x[t]) for t in bars]
    changes = np.diff(values)
    gains = smoothed(np.maximum(changes, 0.0), w, 1 / w)
    losses = smoothed(np.maximum(-changes, 0.0), w, 1 / w)
    out = [NAN] * len(values)
    for i in range(len(changes)):
        moved = gains[i] + losses[i]
        if math.isfinite(moved):
            out[i + 1] = 100.0 * gains[i] / moved if moved > 0 else 0.0
    return scatter(len(x), bars, out)


def atr(high, low, close, w):
    bars = present(high, low, close)
    ranges = [
        max(high[t], close[before]) - min(low[t], close[before]) for before, t in pairwise(bars)
    ]
    values = smoothed(np.array(ranges, float), w, 1 / w)
    return scatter(len(close), bars, [NAN, *values][: len(bars)])


def macd(x, fast, slow, signal):
    bars = present(x)
    values = np.array([float(x[t]) for t in bars])
    start = max(fast, slow)
    line = smoothed(values, fast, 2 / (fast + 1), start - fast)
    line = line - smoothed(values, slow, 2 / (slow + 1), start - slow)
    smooth = smoothed(line, signal, 2 / (signal + 1))
    line = np.where(np.isnan(smooth), NAN, line)
    n = len(x)
    return tuple(scatter(n, bars, v) for v in (line, smooth, line - smooth))


def stoch(high, low, close, w, smooth_k, smooth_d):
    top, bottom = highest(high, w), lowest(low, w)
    raw = [
        NAN if not math.isfinite(c + t + b) else 0.0 if t == b else 100 * (c - b) / (t - b)
        for c, t, b in zip(close, top, bottom, strict=True)
    ]
    k = sma(np.array(raw, float), smooth_k)
    d = sma(k, smooth_d)
    return np.where(np.isnan(d), NAN, k), d


def crossed_above(left, right):
    out, side = [], 0
    for a, b in zip(left, right, strict=True):
        if math.isnan(a) or math.isnan(b):
            side = 0
            out.append(False)
        else:
            out.append(bool(a > b and side < 0))
            side = 1 if a > b else -1 if a < b else side
    return np.array(out, bool)


twins = SimpleNamespace(
    sma=sma,
    wma=wma,
    highest=highest,
    lowest=lowest,
    zscore=zscore,
    bbands=bbands,
    roc=roc,
    ema=ema,
    rma=rma,
    rsi=rsi,
    atr=atr,
    macd=macd,
    stoch=stoch,
    crossed_above=crossed_above,
)

DATA = bp.Data.sample("MSFT")
H, L, C = (DATA.array(name)[0][:1500].copy() for name in ("high", "low", "close"))


def same(ours, theirs, *, relative=1e-9, scale=1.0):
    ours = ours if isinstance(ours, tuple) else (ours,)
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)
    assert len(ours) == len(theirs)
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, its, rtol=relative, atol=relative * scale)


def variants():
    """Real prices, and the shapes of data that break indicators."""
    leading, inside, hostile, infinite = C.copy(), C.copy(), C.copy(), C.copy()
    leading[:37] = np.nan
    inside[[100, 101, 250, 251, 252, 700]] = np.nan
    hostile[50] = 1e12
    infinite[[60, 400]] = np.inf, -np.inf
    return {
        "real": C[:400],
        "leading NaN": leading[:300],
        "NaN inside": inside[:800],
        "constant": np.full(80, 0.1),
        "hostile": hostile[:200],
        "infinite": infinite[:500],
        "one bar": C[:1],
        "two bars": C[:2],
        "all NaN": np.full(30, np.nan),
        "empty": C[:0],
        "about zero": np.random.default_rng(3).choice(
            [0.0, -0.0, 0.5, -2.0, np.nan, np.inf, -np.inf],
            400,
            p=[0.3, 0.1, 0.2, 0.2, 0.1, 0.05, 0.05],
        ),
        "zeros": np.random.default_rng(4).choice([0.0, 0.0, 0.0, np.nan, 1.0], 200),
    }


def bars_of(close):
    """High and low around `close`, missing where it is."""
    return close * 1.01, close * 0.99, close


ONE = {
    "sma": (1, 2, 3, 7, 30, 200),
    "wma": (1, 2, 3, 7, 30),
    "ema": (1, 2, 14, 50),
    "rma": (1, 2, 14, 50),
    "rsi": (1, 2, 14),
    "highest": (1, 2, 3, 30),
    "lowest": (1, 2, 3, 30),
    "roc": (1, 2, 10),
    "zscore": (1, 2, 3, 30),
}


@pytest.mark.parametrize("kind", variants())
@pytest.mark.parametrize("name", ONE)
def test_one_input_against_the_definition(name: str, kind: str) -> None:
    x = variants()[kind]
    scale = np.nanmax(np.abs(x[np.isfinite(x)]), initial=1.0)
    for w in ONE[name]:
        # Recursive averages keep the shock for ever, windows must be rid of it.
        carried = scale if name in {"ema", "rma"} else 1.0
        same(getattr(bp, name)(x, w), getattr(twins, name)(x, w), scale=carried)


@pytest.mark.parametrize("kind", variants())
def test_several_inputs_or_outputs_against_the_definition(kind: str) -> None:
    x = variants()[kind]
    with np.errstate(invalid="ignore"):
        high, low, close = bars_of(x)
    if kind != "hostile":
        for w, width in ((1, 1.0), (5, 2.0), (20, 2.5)):
            same(tuple(bp.bbands(x, w, width)), twins.bbands(x, w, width))
        same(tuple(bp.macd(x, 5, 9, 4)), twins.macd(x, 5, 9, 4))
        same(tuple(bp.macd(x, 9, 5, 1)), twins.macd(x, 9, 5, 1))
        same(bp.atr(high, low, close, 10), twins.atr(high, low, close, 10))
    for lengths in ((5, 3, 3), (1, 1, 1), (14, 1, 4)):
        same(tuple(bp.stoch(high, low, close, *lengths)), twins.stoch(high, low, close, *lengths))


@pytest.mark.parametrize("kind", ["real", "leading NaN", "constant", "one bar", "two bars"])
def test_against_talib(kind: str) -> None:
    x = variants()[kind]
    high, low, close = bars_of(x)
    for w in (2, 5, 14, 30, 100):
        same(bp.sma(x, w), talib.SMA(x, w))
        same(bp.ema(x, w), talib.EMA(x, w))
        same(bp.wma(x, w), talib.WMA(x, w))
        same(bp.rsi(x, w), talib.RSI(x, w))
        same(bp.highest(x, w), talib.MAX(x, w))
        same(bp.lowest(x, w), talib.MIN(x, w))
        same(bp.roc(x, w), talib.ROC(x, w))
        same(bp.atr(high, low, close, w), talib.ATR(high, low, close, w))
        # On flat prices TA-Lib's difference of running sums leaves a deviation of some 1e-9.
        bands = talib.BBANDS(x, w, 2.0, 2.0)
        same(tuple(bp.bbands(x, w, 2.0)), bands, relative=1e-7 if kind == "constant" else 1e-9)
        same(
            tuple(bp.stoch(high, low, close, w, 3, 4)), talib.STOCH(high, low, close, w, 3, 0, 4, 0)
        )
    for lengths in ((12, 26, 9), (2, 3, 2), (5, 5, 5)):
        same(tuple(bp.macd(x, *lengths)), talib.MACD(x, *lengths))


@pytest.mark.parametrize("kind", ["real", "leading NaN", "NaN inside", "constant", "one bar"])
def test_against_pandas(kind: str) -> None:
    x = variants()[kind]
    series = pd.Series(x)
    for w in (2, 3, 30, 1000):
        same(bp.sma(x, w), series.rolling(w).mean().to_numpy())
        same(bp.highest(x, w), series.rolling(w).max().to_numpy())
        same(bp.lowest(x, w), series.rolling(w).min().to_numpy())


def test_a_moving_mean_forgets_large_values() -> None:
    x = np.concatenate([np.full(5, 1e12), np.linspace(1.0, 2.0, 50)])
    for w in (2, 3, 10):
        same(bp.sma(x, w)[5 + w :], twins.sma(x, w)[5 + w :], relative=1e-15)
        same(bp.wma(x, w)[5 + w :], twins.wma(x, w)[5 + w :], relative=1e-15)
    assert (bp.bbands(x, 10).upper[20:] < 2.2).all()


def test_a_deviation_is_exact_far_from_zero() -> None:
    x = 1e8 + np.random.default_rng(1).normal(size=500)
    for w in (2, 3, 50):
        same(bp.zscore(x, w), twins.zscore(x, w), relative=1e-6)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 100.37, 1e-9])
def test_flat_prices_give_the_price_itself(value: float) -> None:
    x = np.full(300, value)
    for w in range(1, 60):
        for name in ("sma", "wma", "ema", "rma", "highest", "lowest"):
            result = getattr(bp, name)(x, w)
            assert (result[w - 1 :] == value).all(), (name, w)
    assert np.isnan(bp.zscore(x, 10)).all()
    assert (bp.rsi(x, 10)[10:] == 0.0).all()
    upper, middle, lower = bp.bbands(x, 10)
    assert (upper[9:] == middle[9:]).all()
    assert (lower[9:] == middle[9:]).all()


def test_equal_lengths_are_bit_identical() -> None:
    for w in (1, 2, 10, 10.4, 30):
        whole = int(w + 0.5)
        assert bp.sma(C, w).tobytes() == bp.sma(C.copy(), whole).tobytes()
        assert bp.bbands(C, w).middle.tobytes() == bp.sma(C, whole).tobytes()
        assert not bp.crossed_above(bp.sma(C, w), bp.sma(C, whole)).any()


@pytest.mark.parametrize("seed", range(30))
def test_crossings_against_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(20):
        n = int(rng.integers(0, 60))
        left, right = rng.integers(0, 4, (2, n)).astype(float)
        for side in (left, right):
            side[rng.random(n) < rng.choice([0.0, 0.1])] = np.nan
        np.testing.assert_array_equal(
            bp.crossed_above(left, right), twins.crossed_above(left, right)
        )
        np.testing.assert_array_equal(
            bp.crossed_below(left, right), twins.crossed_above(-left, -right)
        )
        for level in (1, 1.5, np.nan, np.float64(2)):
            flat = np.full(n, level)
            above, below = bp.crossed_above(left, level), bp.crossed_below(left, level)
            np.testing.assert_array_equal(above, twins.crossed_above(left, flat))
            np.testing.assert_array_equal(below, twins.crossed_above(-left, -flat))


def test_every_function_of_talib_equals_the_package() -> None:
    abstract = pytest.importorskip("talib.abstract")
    prices = {name: DATA.array(name)[0].copy() for name in ("open", "high", "low", "close")}
    prices["volume"] = DATA.array("volume")[0].copy()
    for name in talib.get_functions():
        extra = {"periods": np.full(len(DATA), 10.0)} if name == "MAVP" else {}
        expected = abstract.Function(name)({**prices, **extra})
        with np.errstate(over="ignore"):
            ours = DATA.run(f"talib:{name.lower()}", unpack=True, **extra)
        ours = ours if isinstance(ours, tuple) else (ours,)
        expected = expected if isinstance(expected, list) else [expected]
        assert len(ours) == len(expected), name
        for mine, its in zip(ours, expected, strict=True):
            np.testing.assert_array_equal(mine.to_numpy(), its, err_msg=name)
