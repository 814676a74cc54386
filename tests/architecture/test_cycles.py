# SPDX-License-Identifier: BSD-3-Clause
"""No import cycle at runtime: what import-linter cannot see, imports by name and late ones, too."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src" / "broadpeak"
SEAM = {
    ("broadpeak._core.drawing", "broadpeak._report.drawers"),
    ("broadpeak._core.drawing", "broadpeak._validation.validate"),
}
"""The one place where imports go upwards: results are drawn and judged by what they do not know."""

MODULE = re.compile(r"broadpeak(?:\.\w+)+")
Edge = tuple[str, str]

# A program that draws, starts engines and reads a strategy file meets every late import.
DAY = """
import atexit, json, sys

PACKAGE = "broadpeak"
seen = set()


class Watch:
    def find_spec(self, name, path=None, target=None):
        frame = sys._getframe(1)
        while frame is not None:
            importer = frame.f_globals.get("__name__", "")
            if importer.split(".")[0] == PACKAGE:
                seen.add((importer, name))
                return None
            frame = frame.f_back
        return None


sys.meta_path.insert(0, Watch())
import broadpeak as bp
import pandas as pd

for name in bp.__all__:
    getattr(bp, name)
bp.engines.available()
data = bp.Data.sample("IBM")["2010":"2011"]
data.close.bp.crossed_above(data.close.iloc[0])


@bp.strategy(lookback=20)
def momentum(s):
    s.enter_long(bp.crossed_above(bp.roc(s.close, s.optimize(5, 2, 10, 2, name="days")), 0.0))


training = bp.train(momentum, data, engine="threadpool", n_workers=2)
training.chart("days")
training.verdict(n_permutations=2)
from broadpeak.cli import main

for line in (["doctor"], ["train", "--help"]):
    try:
        main(line)
    except SystemExit:
        pass
print(json.dumps(sorted(edge for edge in seen if edge[1].split(".")[0] == PACKAGE)))
"""


def module_of(path: Path) -> str:
    parts = path.relative_to(SRC.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SRC.rglob("*.py")}


def nearest(name: str) -> str:
    """Return the module that holds `name`, which may be something in it."""
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def imported(tree: ast.AST, module: str) -> Iterator[str]:
    """Yield what a module imports, anywhere in it, also by a name in quotes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.partition(":")[0]  # as in "package.module:Class"
            if MODULE.fullmatch(name) and name in MODULES:
                yield name
        elif isinstance(node, ast.JoinedStr):
            name = ast.unparse(node)[2:-1].replace("{__name__}", module)
            if name in MODULES:
                yield name


def written() -> set[Edge]:
    """Return the imports that stand in the source, without those of the package's own `__init__`.

    That one hands out names of all modules, on first use.
    """
    edges = set()
    for module, path in MODULES.items():
        for name in imported(ast.parse(path.read_text(encoding="utf-8")), module):
            if name.split(".")[0] == "broadpeak" and module != "broadpeak":
                edges.add((module, nearest(name)))
    return {(left, right) for left, right in edges if left != right}


def cycles(edges: set[Edge]) -> list[list[str]]:
    """Return the groups of modules that import one another.

    >>> cycles({("a", "b"), ("b", "c"), ("c", "b")})
    [['b', 'c']]
    """
    after = defaultdict(set)
    for left, right in edges:
        after[left].add(right)
    reached: dict[str, set[str]] = {}
    for start in after:
        reached[start], stack = set(), [start]
        while stack:
            for module in after.get(stack.pop(), set()) - reached[start]:
                reached[start].add(module)
                stack.append(module)
    round_trips = {start for start in after if start in reached[start]}
    groups = {
        tuple(sorted(other for other in reached[start] if start in reached.get(other, ())))
        for start in round_trips
    }
    return sorted(map(list, groups))


def test_the_search_for_cycles_finds_one() -> None:
    assert cycles({("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")}) == [["b", "c"]]
    assert cycles({("a", "b"), ("a", "c"), ("b", "c")}) == []


def test_no_module_leads_back_to_itself_but_by_the_drawing_seam() -> None:
    edges = written()
    assert edges >= SEAM
    assert cycles(edges - SEAM) == []


def test_a_program_that_uses_everything_meets_no_other_cycle(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DAY],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    met = {(left, right) for left, right in json.loads(run.stdout.splitlines()[-1])}
    assert met & SEAM
    met = {(left, nearest(right)) for left, right in met if "broadpeak" not in {left, right}}
    edges = {(left, right) for left, right in met | written() if left != right}
    assert cycles(edges - SEAM) == []
