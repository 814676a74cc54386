# SPDX-License-Identifier: BSD-3-Clause
"""The report draws and computes nothing: of all that is below it, it knows only results."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPORT = Path(__file__).resolve().parents[2] / "src" / "broadpeak" / "_report"
RESULTS = {
    "broadpeak._metrics.formulas",  # how the metrics are called and written
    "broadpeak._portfolio.portfolio",
    "broadpeak._search.scoregrid",  # scores as a picture shows them
    "broadpeak._search.scorelines",
    "broadpeak._search.select",  # a choice
    "broadpeak._search.searchspace",  # a parameter and its range
    "broadpeak._training.backtests",
    "broadpeak._training.result",
    "broadpeak._training.strategy",  # whose name and settings a page shows
    "broadpeak._validation.verdict",
    "broadpeak._validation.walked",
}
BASE = (
    "broadpeak._core.aliases",
    "broadpeak._core.drawing",
    "broadpeak._core.files",
    "broadpeak.errors",
    "broadpeak.types",
)
NAMES = {
    "METRICS",
    "Backtests",
    "ComponentTraining",
    "Dimension",
    "Portfolio",
    "StepCurve",
    "Strategy",
}
NAMES |= {"ScoreAxis", "ScoreCut", "ScoreCuts", "ScoreGrid", "ScoreLines", "ScoreMark"}
NAMES |= {"Selection", "SelectionPictures"}
NAMES |= {"Training", "Verdict", "WalkForward"}


@pytest.mark.parametrize(
    "path", sorted(REPORT.rglob("*.py")), ids=lambda path: path.relative_to(REPORT).as_posix()
)
def test_the_report_imports_types_of_results_and_nothing_that_computes(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not [one.name for one in node.names if one.name.startswith("broadpeak")]
        if not isinstance(node, ast.ImportFrom) or not str(node.module).startswith("broadpeak"):
            continue
        names = {one.name for one in node.names}
        module = str(node.module)
        if module in RESULTS:
            assert names <= NAMES, f"{path.name}: {module} hands out {sorted(names)}"
            continue
        modules = {module, *(f"{module}.{name}" for name in names)}
        assert any(one.startswith(("broadpeak._report", *BASE)) for one in modules), module
