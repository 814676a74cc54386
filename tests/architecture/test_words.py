# SPDX-License-Identifier: BSD-3-Clause
"""One word for one idea: words that were replaced do not come back."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src" / "broadpeak"

# In names of modules, classes, functions and variables: old word -> the word for the idea.
NAMES = {
    "lane": "column",
    "lanes": "columns",
    "genes": "codes",
    "told": "a verb that says what happens",
    "hopeful": "a predicate such as can_hold",
    "settle": "apply, or finish",
}
# In messages and docstrings.
PHRASES = {
    "whole number": "integer",
    "be a text,": "be a string",
    "be a text that": "be a string that",
}


def names_in(tree: ast.AST) -> set[str]:
    """Return the names that a module defines."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return found


def test_names_use_the_words_of_the_house() -> None:
    found = []
    for path in SRC.rglob("*.py"):
        names = names_in(ast.parse(path.read_text(encoding="utf-8"))) | {path.stem}
        for name in sorted(names):
            parts = re.findall(r"[A-Z]?[a-z]+", name)
            found += [
                f"{path.relative_to(SRC)}: {name}: write {NAMES[part.lower()]}"
                for part in parts
                if part.lower() in NAMES
            ]
    assert found == []


def test_messages_and_docstrings_use_the_words_of_the_house() -> None:
    found = [
        f"{path.relative_to(SRC)}: {phrase!r}: write {word!r}"
        for path in SRC.rglob("*.py")
        for phrase, word in PHRASES.items()
        if phrase in path.read_text(encoding="utf-8")
    ]
    assert found == []
