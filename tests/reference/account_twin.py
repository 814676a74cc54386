# SPDX-License-Identifier: BSD-3-Clause
"""One account and the positions on it, bar by bar in plain Python: every size rule, every exit.

Slow, obvious, and without any code of the library. Lists of one value a bar throughout.
"""

from __future__ import annotations

import math

NAN = math.nan


class Member:
    """One position of a component: its orders, settings, and share of the lots at each bar."""

    def __init__(self, orders, settings, weight):
        self.orders = orders  # "long" "short" "out_long" "out_short": lists of bool
        self.settings = settings  # "lots" "stop" "target" "trail" "life": lists of float
        self.weight = weight
        self.held = None
        self.due = False
        self.booked = 0.0
        self.trades, self.profit = [], []


class Account:
    """All members of one component; ``run()``, then read their `trades` and `profit`."""

    def __init__(self, bars, days, members, costs, fill, sizing, amount, *, whole=False):
        self.open, self.high, self.low, self.close = bars
        self.days, self.members, self.costs = days, members, costs
        self.next_open = fill == "nextopen"
        self.sizing, self.amount, self.whole = sizing, amount, whole
        self.ruined = False
        self.is_near = False  # something hung on rounding

    def run(self):
        for t in range(len(self.close)):
            if self.next_open:
                if t:
                    self.fill(t - 1, t, self.open[t])
                for one in self.members:
                    self.protect(one, t)
                    one.due = True
            else:
                for one in self.members:
                    one.due = not self.protect(one, t)
                self.fill(t, t, self.close[t])
            for one in self.members:
                one.profit.append(self.worth_of(one, t, self.close[t]))
            self.judge(t, self.close[t])
        return self

    def judge(self, t, price):
        worth = self.worth(t, price)
        if self.sizing == "equity":
            self.is_near |= abs(worth) < 1e-3 * self.amount
            self.ruined |= worth <= 0

    def worth(self, t, price):
        return self.amount + sum(self.worth_of(one, t, price) for one in self.members)

    def worth_of(self, one, t, price):
        held = one.held
        if not held:
            return one.booked
        gain = held["side"] * (price - held["price"]) * held["size"]
        return one.booked + gain - held["paid"] - self.rolled(held, t)

    def rolled(self, held, t):
        each = self.costs.roll_long if held["side"] > 0 else self.costs.roll_short
        return each * held["size"] * (self.days[t] - self.days[held["entry"]])

    def fill(self, signal, t, price):
        """Fill the orders of bar `signal` at `price`: what only closes comes first."""
        for may_open in (False, True):
            for one in self.members:
                self.order(one, signal, t, price, may_open)
        for one in self.members:
            held = one.held
            if held and held["entry"] < t and t >= held["entry"] + held["life"]:
                self.leave(one, t, price, "lifetime")

    def order(self, one, signal, t, price, may_open):
        long, short, out_long, out_short = (
            one.orders[name][signal] for name in ("long", "short", "out_long", "out_short")
        )
        long, out_long = long and not out_long, out_long and not long
        short, out_short = short and not out_short, out_short and not short
        side = 0 if long and short else 1 if long else -1 if short else 0
        if side and one.settings["lots"][signal] == 0:  # no trade, but the other side ends
            out_short, out_long = out_short or side > 0, out_long or side < 0
            side = 0
        held = one.held
        opens = side != 0 and not (held and held["side"] == side)
        if not one.due or opens != may_open:
            return
        one.due = False
        if opens:
            self.enter(one, signal, t, price, side)
        elif held and (out_long if held["side"] > 0 else out_short):
            self.leave(one, t, price, "signal")

    def enter(self, one, signal, t, raw, side):
        costs = self.costs
        self.judge(t, raw)
        was_held = bool(one.held)
        if was_held:
            self.leave(one, t, raw, "reverse")
        price = raw * (1 + side * costs.slippage)
        size = one.weight * costs.lot_amount
        if self.sizing == "script":
            size *= one.settings["lots"][signal]
        elif self.sizing != "unit":
            worth = 0.0 if self.ruined else self.worth(t, raw)
            money = one.weight * (self.amount if self.sizing == "money" else worth)
            size = money / (price * (1 + costs.fees) + costs.spread + costs.commission)
            if self.whole:
                lots = size / costs.lot_amount
                self.is_near |= abs(lots - round(lots)) < 1e-9 * max(1, abs(lots))
                size = math.floor(lots) * costs.lot_amount
        self.is_near |= abs(size - 1e-8) < 1e-12
        if not size >= 1e-8:  # not sent
            if was_held:
                one.trades[-1]["reason"] = "signal"
            return
        life = one.settings["life"][signal]
        one.held = {
            **{name: one.settings[name][signal] for name in ("stop", "target", "trail")},
            "side": side,
            "entry": t,
            "price": price,
            "size": size,
            "paid": size * (price * costs.fees + costs.spread + costs.commission),
            "peak": price,
            "life": math.inf if math.isnan(life) else math.floor(life + 0.5),
        }

    def leave(self, one, t, price, reason):
        held = one.held
        if reason != "target":
            price *= 1 - held["side"] * self.costs.slippage
        gain = held["side"] * (price - held["price"]) * held["size"]
        paid = held["paid"] + self.costs.fees * price * held["size"] + self.rolled(held, t)
        kept = {name: held[name] for name in ("side", "size", "entry", "price")}
        one.trades.append({**kept, "exit": t, "left": price, "pnl": gain - paid, "reason": reason})
        one.booked += gain - paid
        one.held = None

    def protect(self, one, t):
        """Apply stops and target within bar t; whether one of them filled."""
        held = one.held
        if not held:
            return False
        side = held["side"]
        worst, best = (self.low[t], self.high[t]) if side > 0 else (self.high[t], self.low[t])
        level, why = held["price"] - side * held["stop"], "stop"
        trailing = held["peak"] - side * held["trail"]
        if not math.isnan(trailing) and (math.isnan(level) or side * (trailing - level) > 0):
            level, why = trailing, "trail"
        target = held["price"] + side * held["target"]
        if side * (self.open[t] - level) <= 0:
            self.leave(one, t, self.open[t], why)
        elif side * (self.open[t] - target) >= 0:
            self.leave(one, t, self.open[t], "target")
        elif side * (worst - level) <= 0:
            self.leave(one, t, level, why)
        elif side * (best - target) >= 0:
            self.leave(one, t, target, "target")
        else:
            held["peak"] = side * max(side * held["peak"], side * best)
        return one.held is None
