# SPDX-License-Identifier: BSD-3-Clause
"""The market rules in plain Python, bar by bar and order by order: slow, obvious, and no kernel.

Columns of one call share one account. Settings are callables ``setting(column, bar)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

NAN = math.nan


@dataclass
class Column:
    """Everything known about one column."""

    units: float = 0.0  # signed
    average: float = 0.0  # average entry price of what is held
    fees: float = 0.0  # entry fees of what is held
    roll: float = 0.0
    rolled_at: int = 0
    entry: int = 0
    anchor: float = NAN
    peak: float = NAN
    stop: float = NAN
    target: float = NAN
    trail: float = NAN
    due: float = math.inf
    worst: float = NAN
    best: float = NAN
    price: float = NAN  # last known
    order: int = -1  # signal bar of the order that waits
    trades: list = field(default_factory=list)
    positions: list = field(default_factory=list)


class Twin:
    """One account and its columns; ``run()`` then read value, trades, positions."""

    def __init__(self, bars, signals, settings, *, price, size_type, unit, accumulate, limited,
                 cash, unit_cost, roll, days):  # fmt: skip
        self.bars = bars  # per column: lists open, high, low, close
        self.signals = signals  # per column: le, lx, se, sx, flatten
        self.settings = settings  # name -> callable(column, bar)
        self.next_open = price == "nextopen"
        self.size_type = size_type
        self.unit = unit
        self.accumulate = accumulate
        self.limited = limited
        self.cash = cash
        self.unit_cost = unit_cost
        self.roll = roll
        self.n = len(bars[0]["close"])
        self.days = days
        self.columns = [Column() for _ in bars]
        self.ruined = False
        self.value = []

    # -- looking things up ------------------------------------------------------------------

    def get(self, name, j, t):
        value = self.settings.get(name)
        if value is None:
            return NAN
        got = value(j, t) if callable(value) else value
        return NAN if got is None else got

    def trades_at(self, j, t):
        return not math.isnan(self.bars[j]["close"][t])

    def ohlc(self, j, t):
        bar = self.bars[j]
        c = bar["close"][t]
        o = bar["open"][t] if bar.get("open") is not None else NAN
        o = c if math.isnan(o) else o
        h = bar["high"][t] if bar.get("high") is not None else NAN
        h = max(o, c) if math.isnan(h) else h
        low = bar["low"][t] if bar.get("low") is not None else NAN
        low = min(o, c) if math.isnan(low) else low
        return o, h, low, c

    def action(self, j, t):
        le, lx, se, sx, flat = (bool(lane[t]) for lane in self.signals[j])
        if flat:
            return {"flatten"}
        if le and lx:
            le = lx = False
        if se and sx:
            se = sx = False
        if le and se:
            le = se = False
        names = ("le", "lx", "se", "sx")
        return {name for name, on in zip(names, (le, lx, se, sx), strict=True) if on}

    def equity(self):
        return self.cash + sum(c.units * c.price for c in self.columns if c.units != 0.0)

    # -- fills ------------------------------------------------------------------------------

    def pay_roll(self, j, t):
        c = self.columns[j]
        if c.units:
            rate = self.roll[0] if c.units > 0 else self.roll[1]
            paid = abs(c.units) * rate * (self.days[t] - self.days[c.rolled_at])
            c.roll += paid
            self.cash -= paid
        c.rolled_at = t

    def fill(self, j, t, seen, sign, closing, opening, price, reason):
        """One order: `closing` units of what is held, then `opening` new ones."""
        c = self.columns[j]
        self.pay_roll(j, t)
        fixed = self.get("fixed", j, t)
        rate = self.get("fees", j, t)
        if closing and abs(abs(c.units) - closing) < 1e-9:
            closing = abs(c.units)
        total = closing + opening
        fees = total * price * rate + fixed
        self.cash -= sign * total * price + fees + opening * self.unit_cost
        if c.units:
            self.see(j, price)
        if closing:
            side = 1 if c.units > 0 else -1
            part = closing / abs(c.units)
            exit_fees = fees * closing / total
            self.record(j, t, side, closing, price, c.fees * part, exit_fees, c.roll * part, reason)
            c.fees -= c.fees * part
            c.roll -= c.roll * part
            c.units = 0.0 if closing == abs(c.units) else c.units + sign * closing
        if opening:
            fresh = c.units == 0.0
            if fresh:
                c.average, c.fees, c.roll, c.entry = 0.0, 0.0, 0.0, t
                c.worst = c.best = price
            held = abs(c.units)
            c.average = (c.average * held + price * opening) / (held + opening)
            c.fees += fees * opening / total + opening * self.unit_cost
            c.units += sign * opening
            if fresh:
                life = self.get("life", j, seen)
                c.due = self.end_of_life(j, t, life)
                c.stop = c.target = c.trail = NAN
            self.anchor_stops(j, seen, price)

    def end_of_life(self, j, t, life):
        """The bar `life` bars with a price later."""
        later = [u for u in range(t + 1, self.n) if self.trades_at(j, u)]
        return later[math.ceil(life) - 1] if 0 < life <= len(later) else math.inf

    def anchor_stops(self, j, seen, price):
        """From the fill that opens or adds; NaN leaves what stands, for a new position nothing."""
        c = self.columns[j]
        sign = 1 if c.units > 0 else -1
        stop, target, trail = (self.get(k, j, seen) for k in ("stop", "target", "trail"))
        unit = 1 if self.unit == "price" else price
        if not math.isnan(stop):
            c.stop = price - sign * stop * unit
        if not math.isnan(target):
            c.target = price + sign * target * unit
        if not math.isnan(trail):
            c.trail, c.peak = trail, price

    def see(self, j, *prices):
        c = self.columns[j]
        for p in prices:
            c.best = max(c.best, p) if c.units > 0 else min(c.best, p)
            c.worst = min(c.worst, p) if c.units > 0 else max(c.worst, p)

    def record(self, j, t, side, size, price, entry_fees, exit_fees, roll, reason):
        c = self.columns[j]
        pnl = side * (price - c.average) * size - entry_fees - exit_fees - roll
        c.trades.append({
            "column": j, "direction": side, "size": size, "entry_index": c.entry, "exit_index": t,
            "entry_price": c.average, "exit_price": price, "entry_fees": entry_fees,
            "exit_fees": exit_fees, "roll": roll, "pnl": pnl, "return": pnl / (c.average * size),
            "status": 0 if reason == "open" else 1, "exit_reason": reason,
            "bars": sum(self.trades_at(j, u) for u in range(c.entry, t)),
            "mae": min(0.0, side * (c.worst / c.average - 1)),
            "mfe": max(0.0, side * (c.best / c.average - 1)),
        })  # fmt: skip

    def close(self, j, t, raw, reason):
        c = self.columns[j]
        sign = -1 if c.units > 0 else 1
        slip = 0.0 if reason == "target" else self.get("slip", j, t)
        self.fill(j, t, t, sign, abs(c.units), 0.0, raw * (1 + sign * slip), reason)

    # -- orders -----------------------------------------------------------------------------

    def free(self, j, t, sign, closing, raw, price):
        """Units that cash can open once `closing` units are closed."""
        if not self.limited:
            return math.inf
        c = self.columns[j]
        others = sum(x.units * x.price for x in self.columns if x is not c and x.units)
        if self.ruined or self.cash + others + c.units * raw <= 0:
            self.ruined = True
            return 0.0
        rate, fixed = self.get("fees", j, t), self.get("fixed", j, t)
        cash = self.cash - sign * closing * price - closing * price * rate
        shorts = 0.0
        for x in self.columns:
            left = abs(x.units) - (closing if x is c else 0.0)
            if x.units < 0 and sign < 0:
                shorts += left * x.average
        return max(0.0, (cash - 2 * shorts - fixed) / (price * (1 + rate) + self.unit_cost))

    def order(self, j, t, seen, raw):
        """What the action of bar `seen` does at bar `t`, price `raw`: sign, closing, opening."""
        c = self.columns[j]
        act = self.action(j, seen)
        more = self.accumulate
        held = abs(c.units)
        if "le" in act and (c.units <= 0 or more):
            sign = 1
        elif "se" in act and (c.units >= 0 or more):
            sign = -1
        elif c.units > 0 and "lx" in act:
            return -1, self.exit_size(j, seen, raw, held), 0.0
        elif c.units < 0 and "sx" in act:
            return 1, self.exit_size(j, seen, raw, held), 0.0
        else:
            return 0, 0.0, 0.0
        price = raw * (1 + sign * self.get("slip", j, t))
        opposite = held if c.units * sign < 0 else 0.0
        free = self.free(j, t, sign, opposite, raw, price)
        size = self.get("size", j, seen)
        if self.size_type == "percent":
            # The fixed fee comes out of the share of cash, and of nothing that is closed.
            cost = price * (1 + self.get("fees", j, t)) + self.unit_cost
            kept = self.get("fixed", j, t) / cost
            units = max(size * (free + kept) - kept, 0.0) + (size * opposite if more else 0.0)
        else:
            units = size if self.size_type == "amount" else size / raw
        if math.isnan(units) or units < 0:
            units = 0.0
        if more:
            closing = min(opposite, units)
            opening = min(units - closing, free)
        else:
            closing, opening = opposite, min(units, free)
        if opening < 1e-8:
            opening = 0.0
        if closing < 1e-8 and held - closing >= 1e-9:
            closing = 0.0
        return sign, closing, opening

    def exit_size(self, j, seen, raw, held):
        if not self.accumulate:
            return held
        size = self.get("size", j, seen)
        if math.isnan(size):
            return 0.0
        if self.size_type == "percent":
            units = size * held
        else:
            units = min(held, size if self.size_type == "amount" else size / raw)
        if units < 1e-8 and held - units >= 1e-9:
            return 0.0
        return units

    def orders(self, t, raws):
        """Send what waits: first what only frees cash, then the others in column order."""
        for opening_turn in (False, True):
            for j, c in enumerate(self.columns):
                if c.order < 0 or math.isnan(raws[j]):
                    continue
                if self.can_open(j, c.order, raws[j]) != opening_turn:
                    continue
                seen, c.order = c.order, -1
                sign, closing, opening = self.order(j, t, seen, raws[j])
                if closing + opening > 0:
                    price = raws[j] * (1 + sign * self.get("slip", j, t))
                    reason = "reverse" if opening else "signal"
                    self.fill(j, t, seen, sign, closing, opening, price, reason)
        for j, c in enumerate(self.columns):
            if c.units and c.due <= t and not math.isnan(raws[j]):
                self.close(j, t, raws[j], "lifetime")

    def can_open(self, j, seen, raw):
        c = self.columns[j]
        act = self.action(j, seen)
        if c.units == 0:
            return True
        same, opposite = ("le", "se") if c.units > 0 else ("se", "le")
        if not self.accumulate:
            return opposite in act
        if same in act:
            return True
        if opposite not in act:
            return False
        size = self.get("size", j, seen)
        units = size if self.size_type == "amount" else size / raw
        return self.size_type == "percent" or not units <= abs(c.units)

    # -- bars -------------------------------------------------------------------------------

    def check_stop(self, j, t):
        """Close the position if a stop or target of this bar is reached; return whether."""
        c = self.columns[j]
        long = c.units > 0
        o, h, low, _ = self.ohlc(j, t)
        level, reason = c.stop, "stop"
        if not math.isnan(c.trail):
            if self.unit == "price":
                moved = c.peak - c.trail if long else c.peak + c.trail
            else:
                moved = c.peak * (1 - c.trail) if long else c.peak * (1 + c.trail)
            if math.isnan(level) or (moved > level if long else moved < level):
                level, reason = moved, "trail"
        below = (lambda p, q: p <= q) if long else (lambda p, q: p >= q)
        fill = None
        if below(o, level):
            fill, why, seen = o, reason, (o,)
        elif not math.isnan(c.target) and below(c.target, o):
            fill, why, seen = o, "target", (o,)
        elif below(low if long else h, level):
            fill, why, seen = level, reason, (o,)
        elif not math.isnan(c.target) and below(c.target, h if long else low):
            fill, why, seen = c.target, "target", (o, low if long else h)
        if fill is None:
            c.peak = max(c.peak, h) if long else min(c.peak, low)
            return False
        self.see(j, *seen)
        self.close(j, t, fill, why)
        return True

    def run(self):
        for t in range(self.n):
            here = [j for j in range(len(self.columns)) if self.trades_at(j, t)]
            if self.next_open:
                raws = [self.ohlc(j, t)[0] if j in here else NAN for j in range(len(self.columns))]
                for j in here:
                    self.columns[j].price = raws[j]
                    if self.columns[j].units:
                        self.see(j, raws[j])
                self.orders(t, raws)
            for j in here:
                self.columns[j].price = self.ohlc(j, t)[3]
            stopped = set()
            for j in here:
                if self.columns[j].units and self.check_stop(j, t):
                    stopped.add(j)
            for j in here:  # those still open live through the whole bar
                if self.columns[j].units:
                    self.see(j, *self.ohlc(j, t))
            for j in here:
                c = self.columns[j]
                act = self.action(j, t)
                if "flatten" in act:
                    c.order = -1
                    if c.units:
                        self.close(j, t, c.price, "signal")
                elif self.next_open:
                    c.order = t if act else -1
                else:
                    c.order = t if act and j not in stopped else -1
            if not self.next_open:
                raws = [
                    self.columns[j].price if j in here else NAN for j in range(len(self.columns))
                ]
                self.orders(t, raws)
                for c in self.columns:
                    c.order = -1
            waiting = sum(self.roll_due(j, t) for j in range(len(self.columns)))
            self.value.append(self.equity() - waiting)
            if self.limited and self.value[-1] <= 0:
                self.ruined = True
            for c in self.columns:
                c.positions.append(c.units)
        for j, c in enumerate(self.columns):
            if c.units:
                last = self.last_bar(j, self.n - 1)
                self.pay_roll(j, last)
                self.see(j, c.price)
                side = 1 if c.units > 0 else -1
                self.record(j, last, side, abs(c.units), c.price, c.fees, 0.0, c.roll, "open")
        return self

    def roll_due(self, j, t):
        c = self.columns[j]
        rate = self.roll[0] if c.units > 0 else self.roll[1]
        if not c.units:
            return 0.0
        return abs(c.units) * rate * (self.days[self.last_bar(j, t)] - self.days[c.rolled_at])

    def last_bar(self, j, t):
        """The last bar up to t on which the column has a price: the others do not exist for it."""
        return max(u for u in range(t + 1) if self.trades_at(j, u))

    @property
    def trades(self):
        return [trade for c in self.columns for trade in c.trades]
