# SPDX-License-Identifier: BSD-3-Clause
"""Strategies that look ahead, each in a way people do, and honest ones that may look like it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import signal as filters
from scipy.ndimage import gaussian_filter1d

import broadpeak as bp


def cross(s, fast, slow):
    s.enter_long(bp.crossed_above(fast, slow))
    s.enter_short(bp.crossed_below(fast, slow))


def levels(s, x, high, low):
    s.enter_long(x > high)
    s.exit_long(x < low)


# ------------------------------------------------------------------ they look ahead


def rolled_by_one(s):
    s.optimize(10, 5, 20, 5, name="days")
    levels(s, np.roll(s.close, -1) - s.close, 0, 0)


def rolled_rare(s):
    days = s.optimize(10, 5, 20, 5, name="days")
    next_close = np.append(s.close[1:], s.close[-1])
    s.enter_long((next_close / s.close > 1.02) & (s.close > bp.sma(s.close, days)))
    s.lifetime = 3


def shifted_average(s):
    days = s.optimize(10, 5, 20, 5, name="days")
    cross(s, pd.Series(bp.sma(s.close, days)).shift(-3).to_numpy(), bp.sma(s.close, 30))


def next_candle(s):
    s.optimize(10, 5, 20, 5, name="days")
    up = np.roll(s.close > s.open, -1)
    s.enter_long(up)
    s.enter_short(~up)


def centred_mean(s):
    days = s.optimize(11, 5, 21, 2, name="days")
    mean = pd.Series(s.close).rolling(int(days), center=True).mean().to_numpy()
    cross(s, mean, bp.sma(s.close, 20))


def convolved_same(s):
    days = int(s.optimize(9, 5, 21, 2, name="days"))
    cross(s, np.convolve(s.close, np.ones(days) / days, "same"), bp.sma(s.close, 30))


def z_score_of_all(s):
    s.optimize(10, 5, 20, 5, name="days")
    log = np.log(s.close)
    z = (log - log.mean()) / log.std()
    levels(s, -z, 0.5, -0.5)


def share_of_highest(s):
    level = s.optimize(0.8, 0.6, 0.9, 0.1, name="level")
    share = s.close / s.close.max()
    levels(s, -share, -level + 0.05, -level - 0.05)


def percentile_of_all(s):
    percent = s.optimize(20, 10, 40, 10, name="percent")
    change = bp.roc(s.close, 10)
    low, high = np.nanpercentile(change, [percent, 100 - percent])
    s.enter_long(change < low)
    s.enter_short(change > high)


def filled_backwards(s):
    s.optimize(10, 5, 20, 5, name="days")
    highs = pd.Series(np.where(s.high == bp.highest(s.high, 20), s.high, np.nan)).bfill()
    s.enter_long((highs > s.close * 1.03).to_numpy())
    s.exit_long((highs < s.close * 1.01).to_numpy())


def gradient(s):
    days = s.optimize(10, 5, 20, 5, name="days")
    slope = np.gradient(np.nan_to_num(bp.sma(s.close, days), nan=s.close[0]))
    s.enter_long(bp.crossed_above(slope, 0.0))
    s.enter_short(bp.crossed_below(slope, 0.0))


def filtered_both_ways(s):
    days = s.optimize(15, 10, 30, 5, name="days")
    b, a = filters.butter(2, 2 / days)
    cross(s, filters.filtfilt(b, a, s.close), bp.sma(s.close, 30))


def gaussian(s):
    days = s.optimize(5, 3, 9, 2, name="days")
    slope = np.diff(gaussian_filter1d(s.close, days), prepend=0.0)
    s.enter_long(bp.crossed_above(slope, 0.0))
    s.exit_long(bp.crossed_below(slope, 0.0))


def pivots(s):
    order = int(s.optimize(5, 3, 9, 2, name="order"))
    low = np.zeros(len(s.close), dtype=bool)
    low[filters.argrelextrema(s.low, np.less, order=order)[0]] = True
    high = np.zeros(len(s.close), dtype=bool)
    high[filters.argrelextrema(s.high, np.greater, order=order)[0]] = True
    s.enter_long(low)
    s.exit_long(high)


def extremes_of_all(s):
    s.optimize(10, 5, 20, 5, name="days")
    bars = np.arange(len(s.close))
    s.enter_long(bars == 150 + s.close[150:].argmin())
    s.exit_long(bars == 150 + s.close[150:].argmax())


def month_to_its_end(s):
    s.optimize(10, 5, 20, 5, name="days")
    close = pd.Series(s.close, s.index)
    last = close.groupby(s.index.to_period("M")).transform("last").to_numpy()
    levels(s, last / s.close, 1.01, 0.99)


def detrended_by_a_line(s):
    s.optimize(10, 5, 20, 5, name="days")
    bars = np.arange(len(s.close))
    rest = np.log(s.close) - np.polyval(np.polyfit(bars, np.log(s.close), 1), bars)
    levels(s, -rest, 0.05, -0.05)


def regression_on_all(s):
    days = int(s.optimize(5, 3, 9, 2, name="days"))
    x = np.nan_to_num(np.column_stack([bp.roc(s.close, days), bp.roc(s.close, 2 * days)]))
    y = np.append(np.diff(np.log(s.close)), 0.0)
    levels(s, x @ np.linalg.lstsq(x, y, rcond=None)[0], 0, 0)


def fourier(s):
    keep = int(s.optimize(40, 20, 80, 20, name="keep"))
    parts = np.fft.rfft(s.close)
    parts[keep:] = 0
    cross(s, s.close, np.fft.irfft(parts, len(s.close)))


def stop_from_the_future(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    s.stop = np.roll(bp.atr(s.high, s.low, s.close, 10), -5) * 3
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))


def lots_by_all(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    s.lots = 1 / s.close.std()
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))


def exit_in_time(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
    s.exit_long(pd.Series(s.low).rolling(5).min().shift(-5).to_numpy() < s.close * 0.97)


def second_call(s):
    days = s.optimize(20, 10, 40, 10, name="days")
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
    s.enter_long(np.append(s.close[5:], s.close[-5:]) > s.close * 1.08)
    s.exit_long(bp.crossed_below(s.close, bp.sma(s.close, days)))


PEEKING = [
    rolled_by_one,
    rolled_rare,
    shifted_average,
    next_candle,
    centred_mean,
    convolved_same,
    z_score_of_all,
    share_of_highest,
    percentile_of_all,
    filled_backwards,
    gradient,
    filtered_both_ways,
    gaussian,
    pivots,
    extremes_of_all,
    month_to_its_end,
    detrended_by_a_line,
    regression_on_all,
    fourier,
    stop_from_the_future,
    lots_by_all,
    exit_in_time,
    second_call,
]


# ------------------------------------------------------------------ they do not


def averages(s):
    days = s.optimize(10, 5, 20, 5, name="days")
    s.stop = 3 * bp.atr(s.high, s.low, s.close, 10)
    cross(s, bp.sma(s.close, days), bp.sma(s.close, 60))


def exponential(s):
    days = s.optimize(10, 5, 60, 5, name="days")
    cross(s, bp.ema(s.close, days), bp.ema(s.close, 60))


def pandas_exponential(s):
    days = s.optimize(30, 10, 100, 10, name="days")
    slow = pd.Series(s.close).ewm(span=days, adjust=False).mean().to_numpy()
    levels(s, s.close - slow, 0, 0)


def summed(s):
    days = int(s.optimize(10, 5, 20, 5, name="days"))
    total = np.cumsum(s.close)
    mean = np.full(len(total), np.nan)
    mean[days:] = (total[days:] - total[:-days]) / days
    cross(s, s.close, mean)


def volume_flow(s):
    days = s.optimize(10, 5, 20, 5, name="days")
    flow = np.cumsum(np.sign(np.diff(s.close, prepend=s.close[0])) * np.nan_to_num(s.volume))
    cross(s, flow, bp.sma(flow, days))


def expanding(s):
    level = s.optimize(1, 0.5, 2, 0.5, name="level")
    close = pd.Series(np.log(s.close))
    z = ((close - close.expanding().mean()) / close.expanding().std()).to_numpy()
    levels(s, -z, level, -level)


def causal_filter(s):
    days = s.optimize(15, 10, 30, 5, name="days")
    b, a = filters.butter(2, 2 / days)
    cross(s, filters.lfilter(b, a, s.close), bp.sma(s.close, 30))


def causal_convolution(s):
    days = int(s.optimize(15, 10, 30, 5, name="days"))
    mean = filters.fftconvolve(s.close, np.ones(days) / days)[: len(s.close)]
    levels(s, s.close - mean, 0, 0)  # rounding depends on the number of bars


def seeded(s):
    share = s.optimize(0.05, 0.02, 0.1, 0.02, name="share")
    draws = np.random.default_rng(3).random(len(s.close))
    s.enter_long(draws < share)
    s.exit_long(draws > 1 - share)


def last_week_of_each_month(s):
    days = s.optimize(24, 20, 26, 2, name="days")
    s.enter_long(np.asarray(s.index.day >= days))
    s.exit_long(np.asarray(s.index.day < 5))


def closed_on_the_last_bar(s):
    days = s.optimize(10, 5, 20, 5, name="days")
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
    s.exit_long(np.arange(len(s.close)) == len(s.close) - 1)


def breakout(s):
    days = s.optimize(40, 20, 60, 10, name="days")
    s.trail = 2 * bp.atr(s.high, s.low, s.close, 20)
    s.enter_long(s.close >= bp.highest(s.close, days))
    s.enter_short(s.close <= bp.lowest(s.close, days))


def regression_of_the_past(s):
    days = int(s.optimize(5, 3, 9, 2, name="days"))

    def features(bars):
        return np.nan_to_num(
            np.column_stack([bp.roc(bars.close, days), bp.roc(bars.close, 2 * days)])
        )

    def fitted(bars):
        y = np.append(np.diff(np.log(bars.close)), 0.0)
        return np.linalg.lstsq(features(bars), y, rcond=None)[0]

    levels(s, features(s) @ s.fit("coefficients", fitted), 0, 0)


def scaled_by_the_past(s):
    mean, deviation = s.fit("scaler", lambda bars: (np.log(bars.close).mean(), bars.close.std()))
    level = s.optimize(0.1, 0.05, 0.2, 0.05, name="level")
    levels(s, mean - np.log(s.close), level, -level)
    s.stop = 0.1 * deviation


def weekly(s):
    weeks = s.optimize(4, 2, 8, 2, name="weeks")
    close = pd.Series(s.close, s.index)
    week = close.resample("W").last().rolling(int(weeks)).mean().shift(1)
    cross(s, s.close, week.reindex(s.index, method="ffill").to_numpy())


def never(s):
    s.optimize(10, 5, 20, 5, name="days")
    s.enter_long(s.close < 0)


HONEST = [
    averages,
    exponential,
    pandas_exponential,
    summed,
    volume_flow,
    expanding,
    causal_filter,
    causal_convolution,
    seeded,
    last_week_of_each_month,
    closed_on_the_last_bar,
    breakout,
    regression_of_the_past,
    scaled_by_the_past,
    weekly,
    never,
]


def walk(seed, n=1200, *, drift=0.0003, volatility=0.012):
    """Return a random walk with opens, highs, lows and volumes."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(drift, volatility, n)))
    open_ = np.append(close[:1], close[:-1]) * np.exp(rng.normal(0, 0.003, n))
    frame = pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.004, n))),
            "low": np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.004, n))),
            "close": close,
            "volume": rng.integers(100, 1000, n).astype(float),
        },
        index=pd.bdate_range("2015", periods=n),
    )
    return bp.Data.from_frames({"X": frame})
