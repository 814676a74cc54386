# SPDX-License-Identifier: BSD-3-Clause
"""The kernels against the plain-Python twin, on every mode."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from portfolio_cases import make_case, trades_of


def agree(case) -> None:
    fills, twin = case.fills(), case.twin()
    got, want = trades_of(fills), twin.trades
    assert [t["exit_reason"] for t in got] == [t["exit_reason"] for t in want]
    assert len(got) == len(want)
    for mine, theirs in zip(got, want, strict=True):
        for name, value in theirs.items():
            if isinstance(value, float):
                assert mine[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name
            else:
                assert mine[name] == value, name
    start = float(case.rules.init_cash)
    np.testing.assert_allclose(fills.value(start), twin.value, rtol=1e-9, atol=1e-9)
    positions = np.array([c.positions for c in twin.columns])
    np.testing.assert_allclose(fills.positions(), positions, rtol=1e-9, atol=1e-9)
    if len(fills.trades):
        change = fills.value(start)[-1] - start
        assert fills.trades["pnl"].sum() == pytest.approx(change, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("block", range(12))
def test_one_column_as_the_twin(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        try:
            agree(make_case(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("block", range(4))
def test_shared_cash_as_the_twin(block: int) -> None:
    for seed in range(10_000 + block * 75, 10_000 + block * 75 + 75):
        try:
            agree(make_case(seed, columns=2 + seed % 3))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.slow
@pytest.mark.parametrize("block", range(8))
def test_many_more_as_the_twin(block: int) -> None:
    for seed in range(100_000 + block * 1000, 100_000 + block * 1000 + 1000):
        try:
            agree(make_case(seed, columns=1 if seed % 4 else 2 + seed % 5))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
