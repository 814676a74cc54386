# SPDX-License-Identifier: BSD-3-Clause
"""Write `docs/names.md`, the list of public names, from their docstrings."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from pathlib import Path

import broadpeak as bp

TARGET = Path(__file__).resolve().parents[1] / "docs" / "names.md"

SUBJECTS = {
    "Parameter spaces": ("_space", "types"),
    "Sweeps": ("_sweep", "_merge", "_run", "_core", "engines"),
    "Prices, indicators, signals": ("_data", "_indicators", "_signals"),
    "Portfolio": ("_portfolio", "_simulation"),
    "Training and walk-forward": ("_training", "_validation", "splits"),
    "Searching and choosing": ("_search", "searchers", "stats", "plot"),
    "Keeping results": ("_store",),
    "Errors": ("errors",),
    "For authors of engines and searchers": ("testing",),
}

MODULES = (
    "engines",
    "errors",
    "objectives",
    "plot",
    "searchers",
    "splits",
    "stats",
    "testing",
    "types",
)

# Values, which have no docstrings of their own.
VALUES = {
    "NoResult": "Return it from a function of a sweep to drop its combination.",
    "MISSING": "Stands for an argument that was not passed, where None is a value.",
    "AnyArray": "Type of a NumPy array.",
    "BoolArray": "Type of a NumPy array of bool.",
    "FloatArray": "Type of a NumPy array of float64.",
    "IntArray": "Type of a NumPy array of int64.",
}

HEAD = """\
# Names

<!-- Written by tools/write_reference.py from docstrings. Do not edit. -->

Every public name with the first line of its docstring; `help(bp.train)` shows the rest. What is
not on this page is private and may change with any version.
"""


def first_line(name: str, owner: object = bp) -> str:
    """Return the first paragraph of a docstring, on one line, fit for a table cell."""
    if name in VALUES:
        return VALUES[name]
    value = owner[name] if isinstance(owner, Mapping) else getattr(owner, name)
    own_name = getattr(value, "__name__", name).rpartition(".")[2]
    if own_name != name:
        return f"Short for `{own_name}`."
    text = inspect.getdoc(value) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|").replace("``", "`")


def homes() -> dict[str, str]:
    """Return public name → module under the package, as the type stub has them."""
    stub = Path(bp.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    return {
        alias.name: node.module or alias.name
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def page() -> str:
    """Return the page as text."""
    home_of = homes()
    parts = [HEAD]
    for subject, folders in SUBJECTS.items():
        names = [name for name in bp.__all__ if home_of[name].split(".")[0] in folders]
        rows = [f"| `{name}` | {first_line(name)} |" for name in sorted(names, key=str.lower)]
        parts.append("\n".join([f"## {subject}\n", "| Name | |", "|---|---|", *rows, ""]))
    for module in MODULES:
        owner = getattr(bp, module)
        names = owner if isinstance(owner, Mapping) else owner.__all__
        rows = [
            f"| `{module}.{name}` | {first_line(name, owner)} |"
            for name in sorted(names, key=str.lower)
        ]
        parts.append("\n".join([f"## In `bp.{module}`\n", "| Name | |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
