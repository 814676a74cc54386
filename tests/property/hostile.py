# SPDX-License-Identifier: BSD-3-Clause
"""Prices that nobody would trade, and rules for them."""

from __future__ import annotations

import numpy as np

from broadpeak._metrics._kernels.summary import SUMMARY
from broadpeak._simulation.rules import Rules

KINDS = (
    "usual", "minutes", "tiny prices", "huge prices", "flat", "flat stretches", "one jump",
    "many jumps", "constant growth", "tiny returns", "collapse", "coarse", "short",
)  # fmt: skip


def hostile_prices(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return open, high, low and close."""
    n = int(rng.choice([1, 2, 3, 17])) if kind == "short" else int(rng.choice([30, 64, 400, 1500]))
    step = rng.normal(0, 0.02, n)
    if kind == "minutes":
        step *= 1e-2
    elif kind == "flat":
        step[:] = 0.0
    elif kind == "flat stretches":
        step[np.arange(n) % 90 < 60] = 0.0
    elif kind == "one jump":
        step[n // 2] = rng.choice([-13.0, 13.0])
    elif kind == "many jumps":
        step[rng.random(n) < 0.05] *= 200
        step -= step.mean()
    elif kind == "constant growth":
        step[:] = rng.choice([0.01, 1e-4, -0.01])
    elif kind == "tiny returns":
        step *= 1e-7
    elif kind == "collapse":
        step -= 0.05
    scale = {"tiny prices": 1e-8, "huge prices": 1e11}.get(kind, 100.0)
    close = scale * np.exp(np.cumsum(step))
    noise = 0.0 if kind in {"flat", "constant growth"} else 0.5 * np.abs(step).mean()
    open_ = close * np.exp(rng.normal(0, noise, n))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, noise, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, noise, n)))
    if kind == "coarse":
        return tuple(np.maximum(np.round(lane), 1.0) for lane in (open_, high, low, close))
    return open_, high, low, close


def random_rules(rng: np.random.Generator, *, stops: bool) -> Rules:
    found = {}
    for name in ("stop", "take_profit", "trail"):
        if stops and rng.random() < 0.4:
            found[name] = float(rng.choice([0.01, 0.05, 0.3]))
    if stops and rng.random() < 0.2:
        found["lifetime"] = float(rng.integers(1, 9))
    return Rules(
        price=str(rng.choice(["close", "nextopen"])),
        stops=found,
        fees=float(rng.choice([0.0, 0.0, 0.001, 0.3])),
        slippage=float(rng.choice([0.0, 0.0, 0.002])),
        init_cash=float(rng.choice([100.0, 1e-7, 1e12])),
    )


def same(got: np.ndarray, want: np.ndarray) -> None:
    """Compare to the last bit."""
    for name in SUMMARY.names:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)
