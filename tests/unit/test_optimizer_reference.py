# SPDX-License-Identifier: BSD-3-Clause
"""The page that goes through the optimiser sentence by sentence names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "optimizer-reference.md").read_text(encoding="utf-8")
HEADS = ("What the manual says", "What the script of the manual does", "---")


def rows():
    """Return the cells of every row of the page's tables, without their heads."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    # A bar inside code is escaped and belongs to its cell.
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if not row[0].startswith(HEADS)]


@cache
def names_in(path):
    """Return the names of the tests in a file, those of classes as Class::test."""
    names = set()
    for node in ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef)]
            names.update(f"{node.name}::{method}" for method in methods)
    return names


def proofs(cell):
    """Yield (file, test or nothing) of every proof; `::test` is in the file named before it."""
    path = group = ""
    for name in re.findall(r"`([^`]+)`", cell):
        head, *rest = name.split("::")
        if head:
            path, group = head, rest[0] if len(rest) > 1 else ""
        elif len(rest) == 1 and group:
            rest = [group, *rest]
        yield path, "::".join(rest)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_every_behaviour_has_a_row_and_a_test(row):
    assert len(row) == 3
    assert row[1]
    named = list(proofs(row[2]))
    assert named
    for path, test in named:
        known = names_in(path)
        assert known
        assert not test or test in known, f"{path}::{test}"


def test_the_page_is_complete():
    assert len(rows()) >= 60
    assert PAGE.count("**Different on purpose**") >= 9
