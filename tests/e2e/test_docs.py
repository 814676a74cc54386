# SPDX-License-Identifier: BSD-3-Clause
"""Every Python example in README and docs runs, page by page, in order, in one namespace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A block of text right below an example is what the example prints.
BLOCK = re.compile(
    r"^```python(?P<info>[^\n]*)\n(?P<code>.*?)^```$(?:\n\n```text\n(?P<printed>.*?)^```$)?",
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
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        if "no-run" in block["info"]:
            continue
        # Leading lines keep the line numbers of the page in tracebacks.
        lead = "\n" * text.count("\n", 0, block.start("code"))
        exec(compile(lead + block["code"], str(page), "exec"), namespace)
        printed = capsys.readouterr().out
        if block["printed"] is not None:
            assert printed == block["printed"]


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
