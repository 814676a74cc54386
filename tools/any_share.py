# SPDX-License-Identifier: BSD-3-Clause
"""Count the lines of code with `Any` in them, folder by folder, per 100 lines of code.

    python tools/any_share.py                 # all of src/broadpeak
    python tools/any_share.py src/broadpeak/types.py src/broadpeak/testing --files

A line of code holds something besides comments, docstrings and blanks. It counts if `Any` stands
in it as a type, once however often; importing the name does not count, nor does `AnyArray`.
"""

from __future__ import annotations

import argparse
import ast
import io
import tokenize
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).resolve().parents[1] / "src" / "broadpeak"
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


class Count(NamedTuple):
    """Lines of code, and those of them with `Any`."""

    lines: int = 0
    with_any: int = 0

    @property
    def share(self) -> float:
        """Lines with `Any` per 100 lines of code."""
        return 100 * self.with_any / self.lines if self.lines else 0.0


def summed(counts: Iterable[Count]) -> Count:
    """Return the sum of several counts."""
    return Count(*(sum(column) for column in zip(*counts, strict=True)))


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the lines of strings that stand alone: docstrings, also of attributes."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        is_string = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_string and isinstance(node.value.value, str):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def count(text: str) -> Count:
    r"""Return the count of one module.

    >>> count("from typing import Any\n\n# Any\ndef f(a: Any) -> 'list[Any]':\n    return a\n")
    Count(lines=3, with_any=1)
    """
    tree = ast.parse(text)
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    found = {node.lineno for node in ast.walk(tree) if is_any(node)}
    return Count(len(code - docstring_lines(tree)), len(found))


def is_any(node: ast.AST) -> bool:
    """Return whether `node` is `Any`, or a type in quotes that holds it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "Any" in node.value:
        try:
            return any(map(is_any, ast.walk(ast.parse(node.value, mode="eval"))))
        except SyntaxError:  # words, no type
            return False
    return getattr(node, "id", getattr(node, "attr", "")) == "Any"


def main() -> None:
    """Print one row per folder, or per file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path, default=[SOURCES])
    parser.add_argument("--files", action="store_true", help="one row per file")
    arguments = parser.parse_args()
    rows: dict[str, list[Count]] = defaultdict(list)
    for path in arguments.paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            inside = file.relative_to(path) if path.is_dir() else Path(file.name)
            label = inside.as_posix() if arguments.files else inside.parts[0]
            rows[label].append(count(file.read_text(encoding="utf-8")))
    found = {label: summed(counts) for label, counts in rows.items()}
    for label, one in sorted(found.items(), key=lambda row: -row[1].share):
        print(f"{one.share:6.1f}  {one.with_any:5d} of {one.lines:6d} lines  {label}")
    total = summed(found.values())
    print(f"{total.share:6.1f}  {total.with_any:5d} of {total.lines:6d} lines  in all")


if __name__ == "__main__":
    main()
