# SPDX-License-Identifier: BSD-3-Clause
"""The script that counts how often verdicts are wrong counts right, resumes, and repeats itself."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import kstest, kstwo

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def calibration() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "calibration", ROOT / "benchmarks" / "calibration.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its records look themselves up there
    spec.loader.exec_module(module)
    return module


def test_histories_are_prices_and_repeat(calibration: ModuleType) -> None:
    for kind in calibration.KINDS:
        data = calibration.history(kind, 4, 300)
        low, high = data.low.to_numpy(), data.high.to_numpy()
        for name in ("open", "close"):
            values = getattr(data, name).to_numpy()
            assert (low <= values).all()
            assert (values <= high).all()
        assert data.close.equals(calibration.history(kind, 4, 300).close)
        assert not data.close.equals(calibration.history(kind, 5, 300).close)
    moves = np.diff(np.log(calibration.history("drift", 1, 4000).close.to_numpy()))
    assert moves.mean() == pytest.approx(0.0006, abs=3 * 0.01 / np.sqrt(4000))
    assert moves.std() == pytest.approx(0.01, rel=0.05)
    shocks = np.diff(np.log(calibration.history("GARCH", 1, 4000).close.to_numpy()))
    assert np.corrcoef(np.abs(shocks[1:]), np.abs(shocks[:-1]))[0, 1] > 0.1


def test_the_grid_follows_averages_that_were_known(calibration: ModuleType) -> None:
    data = calibration.history("random walk", 2, calibration.BARS + calibration.WARM)
    returns = calibration.grid_returns(data)
    assert returns.shape == (1400, 100)
    close = data.close
    mean = np.log(close).rolling(6).mean() - np.log(close).rolling(120).mean()
    side = np.where(mean.shift(1) > 0, 1.0, -1.0)
    expected = (close.pct_change() * side).iloc[-1400:]
    assert returns[6, 120].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-12)
    assert [calibration.planted(place, 13).sum() for place in calibration.PLACES] == [10, 10, 100]


def test_p_values_of_a_test_that_ends_early_are_compared_where_they_can_be(
    calibration: ModuleType,
) -> None:
    n, least = 39, 4
    steps = calibration.attainable(n, least)
    generator = np.random.default_rng(1)
    found = []
    for _ in range(600):
        as_good = np.cumsum(generator.random(n) < generator.random())
        if as_good[-1] >= least:
            found.append(least / (1 + int(np.argmax(as_good >= least))))
        else:
            found.append((1 + as_good[-1]) / (1 + n))
    values = np.array(found)
    assert np.isin(values.round(9), steps.round(9)).all()
    assert calibration.uniformity(values, steps) > 0.01
    assert calibration.uniformity(values**1.3, steps) < 0.01
    # Slow twin: the largest gap between the share of values up to each step and that step.
    gap = max(abs((values <= step + 1e-12).mean() - step) for step in steps)
    assert calibration.uniformity(values, steps) == pytest.approx(kstwo.sf(gap, 600))
    plain = generator.random(200)
    assert calibration.uniformity(plain) == pytest.approx(kstest(plain, "uniform").pvalue)


def test_tables_take_their_place_on_the_page(calibration: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{calibration.BEGIN}\nold\n{calibration.END}\nafter\n")
    calibration.write("new", page)
    calibration.write("newer", page)
    assert page.read_text().split() == [
        *("before", *calibration.BEGIN.split(), "newer", *calibration.END.split(), "after")
    ]
    assert calibration.BEGIN in calibration.PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_quick_run_resumes_and_repeats(calibration: ModuleType, tmp_path: Path) -> None:
    todo = list(calibration.cases(1, 1))
    assert len({case.key for case in todo}) == len(todo) == 6 * 3 + 9 + 6
    out = tmp_path / "found.jsonl"
    rows = calibration.run(todo, 39, out, 1)
    text = calibration.tables(rows)
    assert text.count("\n|") > 30
    assert "nan" not in text
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(todo)
    # Killed in mid-line, it goes on with what is missing, and finds the same.
    out.write_text("\n".join(lines[:-5]) + "\n" + lines[-5][:20], encoding="utf-8")
    again = calibration.run(todo, 39, out, 1)
    assert again == rows
    assert calibration.run(todo, 39, out, 1) == rows  # from the file alone
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(todo) + 1
    assert all(0.0 < row["p"] <= 1.0 for row in rows if "p" in row)
    for row in rows:
        assert json.loads(json.dumps(row)) == row
