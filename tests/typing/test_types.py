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
# Pages do not narrow `float | Series` and `Series | DataFrame`, as their readers need not: what is
# left is that every name, attribute and argument on them exists.
AS_USERS_WRITE = (
    "# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators, "
    "allow-any-generics, allow-incomplete-defs, no-warn-return-any, "
    'disable-error-code="possibly-undefined,union-attr,operator,call-overload,arg-type,assignment"'
)
NO_TYPES = {"cookbook"}  # its annotations are chunking rules and merges


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


@pytest.mark.slow
def test_snippets_have_the_types_that_they_state() -> None:
    assert {path.stem for path in SNIPPETS} >= {"notebook", "strategy", "sweep"}
    assert mypy(SNIPPETS) == []


@pytest.mark.slow
def test_examples_of_the_pages_use_names_and_arguments_that_exist(tmp_path: Path) -> None:
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
    made = tmp_path / "trend.py"  # what `broadpeak new` writes on the page of a trader's day
    made.write_text("import broadpeak as bp\ntrend = bp.strategy(lambda s: None)\n", "utf-8")
    assert mypy([*files, made]) == []


@pytest.mark.slow
def test_a_wrong_type_and_a_wrong_name_are_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(f"{AS_USERS_WRITE}\nimport broadpeak as bp\nbp.Costs(spred=1)\n", "utf-8")
    (error,) = mypy([wrong])
    assert 'Unexpected keyword argument "spred"' in error
    wrong.write_text("import broadpeak as bp\n\nbp.Costs(spread='wide')\n", encoding="utf-8")
    (error,) = mypy([wrong])
    assert re.search(r"wrong\.py:3: error: .*\"spread\".* incompatible type \"str\"", error)
