# SPDX-License-Identifier: BSD-3-Clause
"""Every Python example in README and docs runs, page by page, in order, in one namespace.

So does every block of shell commands that says so: ``sh run``.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadpeak._cli.app import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A block of text right below an example is what the example prints.
BLOCK = re.compile(
    r"^```(?P<language>python|sh run)(?P<info>[^\n]*)\n(?P<code>.*?)^```$"
    r"(?:\n\n```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)(?P<target>[^)#]+)")
TEST_NAME = re.compile(r"`(?P<file>[a-z_]+/[a-z_]+\.py)?(?P<path>(?:::\w+)+)`")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# Examples are honest: some of them warn, as they would at the user's.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_examples_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Examples write files; they do so in a folder of their own.
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as for a script in this folder
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        if "no-run" in block["info"]:
            continue
        if block["language"] == "python":
            # Leading lines keep the line numbers of the page in tracebacks.
            lead = "\n" * text.count("\n", 0, block.start("code"))
            exec(compile(lead + block["code"], str(page), "exec"), namespace)
        else:
            run_commands(block["code"])
        printed = capsys.readouterr().out
        if block["printed"] is not None:
            assert without_ends(printed) == without_ends(block["printed"])


@pytest.fixture(autouse=True)
def forget(tmp_path: Path) -> Iterator[None]:
    """What a page imports from its folder is unknown to the next page."""
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def run_commands(code: str) -> None:
    """Run the lines of a block as a shell does, in this process; each must succeed."""
    for line in code.replace("\\\n", " ").splitlines():
        program, *words = shlex.split(line, comments=True) or [""]
        if program:
            assert program == "broadpeak", line
            with pytest.raises(SystemExit) as end:
                main(words)
            assert not end.value.code, line


def without_ends(printed: str) -> list[str]:
    """Return lines without the blanks at their ends, which tables have and pages have not."""
    return [line.rstrip() for line in printed.strip("\n").splitlines()]


@pytest.mark.parametrize("page", sorted({*PAGES, *ROOT.glob("*.md")}), ids=name_of)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    missing = [
        hit["target"]
        for hit in LINK.finditer(page.read_text(encoding="utf-8"))
        if not (page.parent / hit["target"]).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tests_that_a_page_names_exist(page: Path) -> None:
    missing = []
    for line in page.read_text(encoding="utf-8").splitlines():
        file = ""
        for hit in TEST_NAME.finditer(line):
            file = hit["file"] or file  # what follows on the line is in the same file
            path = ROOT / "tests" / file
            code = path.read_text(encoding="utf-8") if path.is_file() else ""
            names = hit["path"].split("::")[1:]
            missing += [f"{file}::{name}" for name in names if not is_defined(name, code)]
    assert missing == []


def is_defined(name: str, code: str) -> bool:
    return re.search(rf"\b(?:def|class) {name}\b", code) is not None
