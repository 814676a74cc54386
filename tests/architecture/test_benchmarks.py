# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks hang together, and the README's table can be written by them."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from broadpeak import engines

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def test_the_readme_has_the_marks_of_the_generated_table(bench: Any) -> None:
    main = bench("__main__")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count(main.BEGIN) == text.count(main.END) == 1
    between = text.split(main.BEGIN)[1].split(main.END)[0]
    assert between.count("\n| ") > 8
    # What was measured on which machine, with which versions.
    assert all(word in between for word in ("cores", "Python 3.", "numba", "vectorbt"))


def test_a_table_is_written_between_the_marks_and_nowhere_else(bench: Any, tmp_path: Path) -> None:
    main, page = bench("__main__"), tmp_path / "page.md"
    page.write_text(f"above\n{main.BEGIN}\nold\n{main.END}\nbelow\n", encoding="utf-8")
    for _ in range(2):
        main.write("| new |", page)
        assert page.read_text("utf-8") == f"above\n{main.BEGIN}\n\n| new |\n\n{main.END}\nbelow\n"
    main.write(f"| job | 1 s | {main.NONE} (one) |\n| … |  | {main.NONE} (two) |", page)
    assert f"| job | 1 s | {main.NONE} (one) |\n\n{main.END}" in page.read_text("utf-8")
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"page\.md must have the lines"):
        main.write("| new |", page)


def test_losses_are_told_from_wins(bench: Any) -> None:
    main = bench("__main__")
    ratios = {"0.72 ×": True, "0.36 × (CPU 1.4 ×)": True, "1.01 ×": False, "1,234 ×": False}
    ratios |= {main.NONE: False, "": False}
    for ratio, loss in ratios.items():
        assert main.is_loss(["job", "1 s", "1 s", "1 MB", "2 s (peer)", ratio]) is loss
    assert main.times_as_fast({"wall": 2.0, "cpu": 2.0}, {"wall": 1.0, "cpu": 2.0}) == (
        "0.5 × (CPU 1 ×)"
    )
    assert main.times_as_fast({"wall": 1e-3, "cpu": 1e-3}, {"wall": 2.0, "cpu": 2.0}) == "2,000 ×"


def test_every_row_has_a_case_and_every_case_a_name(bench: Any) -> None:
    main, goals, running, peers = (
        bench(name) for name in ("__main__", "goals", "running", "peers")
    )
    known = {*running.CASES, *running.OUTSIDE}
    assert set(goals.ROWS) <= known
    assert {job.case for jobs in main.CLASSES.values() for job in jobs} <= known
    for name in {peer for jobs in main.CLASSES.values() for job in jobs for peer in job.peers}:
        assert name in peers.PEERS
    for job in (job for jobs in main.CLASSES.values() for job in jobs):
        assert all(job.case in peers.PEERS[name].cases for name in job.peers)


def test_exponents_are_those_of_a_straight_line_through_logarithms(bench: Any) -> None:
    exponent = bench("growth").exponent
    sizes = [10, 100, 1000, 10_000]
    slope, error = exponent(sizes, [3e-6 * size**1.5 for size in sizes])
    assert math.isclose(slope, 1.5)
    assert error < 1e-12
    times = [1.0, 4.0, 30.0, 500.0]
    fit, covariance = np.polyfit(np.log(sizes), np.log(times), 1, cov=True)
    slope, error = exponent(sizes, times)
    assert math.isclose(slope, fit[0])
    assert math.isclose(error, math.sqrt(covariance[0, 0]))
    assert all(math.isnan(value) for value in exponent(sizes[:2], times[:2]))


def test_a_check_sees_values_that_differ_and_values_that_are_missing(bench: Any) -> None:
    gap = bench("cases").gap
    assert gap([1.0, np.nan, np.inf], [1.0, np.nan, np.inf]) == 0.0
    assert math.isclose(gap([1000.0], [1001.0]), 1 / 1001)  # relative above one
    assert math.isclose(gap([0.001], [0.002]), 0.001)
    assert gap([1.0], [np.nan]) == gap([1.0], [1.0, 2.0]) == math.inf


def test_fewer_columns_are_a_part_of_more(bench: Any) -> None:
    """What is measured with `--quick` are the first columns of the whole."""
    workloads = bench("workloads")
    few, many = (workloads.dense_signals(columns, 50)[0] for columns in (2, 5))
    np.testing.assert_array_equal(few, many[:2])


def test_twice_the_bars_have_the_same_orders(bench: Any) -> None:
    workloads = bench("workloads")
    one, two = (workloads.sparse_signals(3, bars, 40) for bars in (10_000, 20_000))
    for short, long in zip(one, two, strict=True):
        assert abs(int(short.sum()) - int(long.sum())) <= 2
    assert (workloads.pairs(range(2, 5)))[0] == [2, 2, 3]


def test_every_engine_has_a_peer_and_pages_have_the_marks_of_its_tables(bench: Any) -> None:
    measured = bench("engines")
    assert set(engines.names()) == set(measured.PEERS)
    assert set(measured.JOINED.values()) == set(measured.CLUSTERS) < set(measured.PEERS)
    pages = [page for page in measured.PAGES.values() if page.exists()]
    assert measured.PAGES["beside"] in pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.count(measured.BEGIN) == text.count("<!-- end of table -->") == 1


def test_an_engine_and_its_peer_are_measured_on_the_same_calls(bench: Any) -> None:
    measured = bench("engines")
    sizes = measured.Sizes(batch=10, calls=50, single=5, runs=2, rounds=2)
    found = measured.rates("threadpool", "", sizes)
    for way in ("batches", "single", "run"):
        assert found[way]["n"] == found[f"{way}, peer"]["n"]
        assert found[way]["wall"] > 0
    start = {"wall": 1.0, "cpu": 0.5}
    every = {**found, "start": start, "peer_start": {"wall": 2.0}, "shared": {**start, "mb": 3.0}}
    assert len(measured.summary("threadpool", every)) == len(measured.SUMMARY)
    rows = list(measured.beside("threadpool", every))
    assert {len(row) for row in rows} == {len(measured.BESIDE)}
    assert rows[-1][1:] == [
        "the first of a process", "1 s", "–", "`ThreadPoolExecutor.submit`", "2 s", "–", "2 ×",
    ]  # fmt: skip
    with pytest.raises(bench("measuring").FailedError, match="wrong"):
        measured.timed(lambda: [1], [2])


def test_cpu_time_includes_that_of_other_processes(bench: Any) -> None:
    used = bench("measuring").tree_cpu()
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", spin], check=True)
    assert 0.25 < used() < 30


def test_goals_of_engines_are_missed_by_one_that_is_slow_or_large(bench: Any) -> None:
    goals = bench("goals")
    peer = {"wall": 2.0, "cpu": 2.0}
    found = {"wall": 1.0, "cpu": 1.0, "n": 20_000, "beside": {"Client.map": peer}}
    assert goals.dispatched(20_000)(found, {}) == ("20,000/s, 2 × Client.map", True)
    assert not goals.dispatched(20_001)(found, {})[1]
    assert goals.peaks(400)({"peaks": {"one": 399.0, "two": 400.4}}, {}) == (
        "one 399, two 400 MB", False,
    )  # fmt: skip
    kept = {"n": 10**7, "wall": 1.0, "with_store": 1.25, "in_all": 499.0}
    assert goals.stored(0.8, 1e6, 500)(kept, {}) == (
        "10,000,000/s, 499 MB, 0.8 × with a store",
        True,
    )
    for worse in ({"with_store": 1.26}, {"in_all": 500.0}, {"wall": 11.0, "with_store": 11.0}):
        assert not goals.stored(0.8, 1e6, 500)({**kept, **worse}, {})[1]
