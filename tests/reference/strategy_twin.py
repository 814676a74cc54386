# SPDX-License-Identifier: BSD-3-Clause
"""Strategy runs in plain Python: indicators, crossings, one position, costs, stops, statistics.

Slow, obvious, and without any code of the library. Lists of one value a bar throughout.
"""

from __future__ import annotations

import math

NAN = math.nan


def half_up(number):
    return math.floor(number + 0.5)


def moving_mean(values, period):
    n = half_up(period)
    means = [NAN] * len(values)
    for t in range(n - 1, len(values)):
        means[t] = sum(values[t - n + 1 : t + 1]) / n
    return means


def average_true_range(high, low, close, n):
    """Wilder's, seeded with the mean of the first n ranges; the first bar has none."""
    ranges = [NAN] + [
        max(high[t], close[t - 1]) - min(low[t], close[t - 1]) for t in range(1, len(close))
    ]
    found = [NAN] * len(close)
    found[n] = sum(ranges[1 : n + 1]) / n
    for t in range(n + 1, len(close)):
        found[t] = (found[t - 1] * (n - 1) + ranges[t]) / n
    return found


def crossings(left, right):
    """Return (above, below): which side is new since the last bar on which they differed."""
    above, below, side = [], [], 0
    for a, b in zip(left, right, strict=True):
        now = 0 if math.isnan(a) or math.isnan(b) else (a > b) - (a < b) or side
        above.append(now > 0 > side)
        below.append(now < 0 < side)
        side = now
    return above, below


class Account:
    """One component: ``run()``, then read `trades` and `equity`."""

    def __init__(self, bars, orders, settings, costs, days, first, *, fill, train):
        self.open, self.high, self.low, self.close = bars
        self.orders = orders  # dict of lists of bool
        self.settings = settings  # dict of lists of float
        self.costs = costs
        self.days = days
        self.first = first
        self.next_open = fill == "nextopen"
        self.train = train
        self.slippage = 0.0 if train else costs["slippage"]
        self.held = None
        self.trades, self.equity = [], []

    def run(self):
        n = len(self.close)
        for t in range(self.first, n):
            ends = self.train and t == n - 1
            if self.next_open:
                if t > self.first:
                    self.act(t - 1, t, self.open[t])
                self.protect(t)
                if ends and self.held:
                    self.leave(t, self.close[t], "close", slips=True)
            elif ends:
                if not self.protect(t) and self.held:
                    self.leave(t, self.close[t], "close", slips=True)
            elif not self.protect(t):
                self.act(t, t, self.close[t])
            self.equity.append(sum(trade["pnl"] for trade in self.trades) + self.floating(t))
        return self

    def act(self, signal, bar, price):
        """Do at `price` what was ordered at bar `signal`."""
        long, short, out_long, out_short = (
            self.orders[name][signal] for name in ("long", "short", "out_long", "out_short")
        )
        long, out_long = long and not out_long, out_long and not long
        short, out_short = short and not out_short, out_short and not short
        if long and short:
            long = short = False
        side = 1 if long else -1 if short else 0
        lots = self.settings["lots"][signal]
        if side and lots == 0:
            if self.held and self.held["side"] == -side:
                self.leave(bar, price, "signal", slips=True)
        elif side and not (self.held and self.held["side"] == side):
            if self.held:
                self.leave(bar, price, "reverse", slips=True)
            self.enter(signal, bar, price, side, 1.0 if self.train else lots)
        elif self.held and (out_long if self.held["side"] > 0 else out_short):
            self.leave(bar, price, "signal", slips=True)
        elif self.held and bar >= self.held["entry"] + self.held["lifetime"]:
            self.leave(bar, price, "lifetime", slips=True)

    def enter(self, signal, bar, price, side, lots):
        price *= 1 + side * self.slippage
        size = lots * self.costs["lot_amount"]
        each = self.costs["spread"] + self.costs["commission"] + self.costs["fees"] * price
        distances = {name: self.settings[name][signal] for name in ("stop", "target", "trail")}
        life = self.settings["lifetime"][signal]
        self.held = {
            **distances,
            "side": side,
            "entry": bar,
            "price": price,
            "size": size,
            "paid": each * size,
            "peak": price,
            "lifetime": math.inf if math.isnan(life) else half_up(life),
        }

    def leave(self, bar, price, reason, *, slips):
        held = self.held
        if slips:
            price *= 1 - held["side"] * self.slippage
        gain = held["side"] * (price - held["price"]) * held["size"]
        paid = held["paid"] + self.costs["fees"] * price * held["size"] + self.rolled(bar)
        self.trades.append(
            {"pnl": gain - paid, "reason": reason, "entry": held["entry"], "exit": bar}
        )
        self.held = None

    def rolled(self, bar):
        each = self.costs["roll_long" if self.held["side"] > 0 else "roll_short"]
        return each * self.held["size"] * (self.days[bar] - self.days[self.held["entry"]])

    def floating(self, bar):
        if not self.held:
            return 0.0
        gain = self.held["side"] * (self.close[bar] - self.held["price"]) * self.held["size"]
        return gain - self.held["paid"] - self.rolled(bar)

    def protect(self, t):
        """Apply stops and target within bar t; whether one of them filled."""
        held = self.held
        if not held:
            return False
        side = held["side"]
        worst, best = (self.low, self.high) if side > 0 else (self.high, self.low)
        level, why = held["price"] - side * held["stop"], "stop"
        trailing = held["peak"] - side * held["trail"]
        if math.isnan(level) or side * (trailing - level) > 1e-12:
            level, why = trailing, "trail"
        target = held["price"] + side * held["target"]
        if side * (self.open[t] - level) <= 0:
            self.leave(t, self.open[t], why, slips=True)
        elif side * (self.open[t] - target) >= 0:
            self.leave(t, self.open[t], "target", slips=False)
        elif side * (worst[t] - level) <= 0:
            self.leave(t, level, why, slips=True)
        elif side * (best[t] - target) >= 0:
            self.leave(t, target, "target", slips=False)
        else:
            held["peak"] = side * max(side * held["peak"], side * best[t])
        return self.held is None


def figures(account, min_trades):
    """Return what a row of trials holds."""
    results = [trade["pnl"] for trade in account.trades]
    wins = [result for result in results if result > 0]
    losses = [-result for result in results if result <= 0]
    peak = fall = 0.0
    for bar, value in enumerate(account.equity, account.first):
        balance = sum(trade["pnl"] for trade in account.trades if trade["exit"] <= bar)
        peak = max(peak, balance)
        fall = max(fall, peak - value)
    return {
        "wins": len(wins),
        "losses": len(losses),
        "win_total": sum(wins),
        "loss_total": sum(losses),
        "drawdown_max": fall,
        "objective": pessimistic(wins, losses) if len(results) >= min_trades else 0.0,
    }


def pessimistic(wins, losses):
    n, m = len(wins), len(losses)
    if n < 2:
        return 0.0
    win, loss = sum(wins), sum(losses)
    if m > 1:
        win, loss = win - max(wins) * (n - 1) / n, loss - max(losses) * (m - 1) / m
    return (1 - 1 / math.sqrt(1 + n)) / (1 + 1 / math.sqrt(1 + m)) * (1 + win) / (1 + loss)
