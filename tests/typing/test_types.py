# SPDX-License-Identifier: BSD-3-Clause
"""Type checkers, and so editors, know what the public names take and return."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNIPPETS = sorted((Path(__file__).parent / "snippets").glob("*.py"))
BLOCK = re.compile(r"^```python(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
AS_USERS_WRITE = (
    "# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators, "
    "allow-incomplete-defs, no-warn-return-any, disable-error-code=possibly-undefined"
)
NO_TYPES = {"cookbook"}  # its annotations are chunking rules and merges
LATER = "# later"
"""Ends a line whose type is still to come."""
LATER_ON_PAGES = ('Argument 2 to "sma"', 'Item "None" of "Stats | None"')


def mypy(paths: list[Path]) -> list[str]:
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--no-error-summary",
            "--hide-error-context",
            *map(str, paths),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in {0, 1}, run.stderr
    return [line for line in run.stdout.splitlines() if ": error: " in line]


def is_pending(error: str) -> bool:
    file, line = error.split(":")[:2]
    return (ROOT / file).read_text(encoding="utf-8").splitlines()[int(line) - 1].endswith(LATER)


@pytest.mark.slow
def test_snippets_have_the_types_that_they_state() -> None:
    assert {path.stem for path in SNIPPETS} >= {"notebook", "strategy", "sweep"}
    assert [error for error in mypy(SNIPPETS) if not is_pending(error)] == []


@pytest.mark.slow
def test_examples_of_the_pages_have_no_type_errors(tmp_path: Path) -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    files = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        code = AS_USERS_WRITE
        for block in BLOCK.finditer(text):
            if "no-run" not in block["info"]:
                # Blank lines keep the line numbers of the page.
                lead = text.count("\n", 0, block.start("code")) - code.count("\n")
                code += "\n" * lead + block["code"]
        if code != AS_USERS_WRITE and page.stem not in NO_TYPES:
            files.append(tmp_path / f"{page.stem.replace('-', '_')}.py")
            files[-1].write_text(code, encoding="utf-8")
    assert len(files) >= 8
    errors = [error for error in mypy(files) if not any(one in error for one in LATER_ON_PAGES)]
    assert errors == []


@pytest.mark.slow
def test_a_wrong_type_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import broadpeak as bp\n\nbp.Costs(spread='wide')\n", encoding="utf-8")
    (error,) = mypy([wrong])
    assert re.search(r"wrong\.py:3: error: .*\"spread\".* incompatible type \"str\"", error)
