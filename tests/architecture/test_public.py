# SPDX-License-Identifier: BSD-3-Clause
"""What users import: all of it on a plain install, and nothing private in what they read."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

import broadpeak as bp

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_MODULES = [name for name in bp.__all__ if inspect.ismodule(getattr(bp, name))]
PRIVATE = re.compile(r"broadpeak\._\w+|\bbp\._\w+|(?<![\w/.])_[a-z]+/\w+\.py")

# Distributions of the extras, by the names they are imported by.
IMPORTED_AS = {"TA-Lib": "talib", "pandas-stubs": "pandas_stubs", "import-linter": "importlinter"}
PLAIN = """
import sys

MISSING = {missing!r}


class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in MISSING:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
        return None


sys.meta_path.insert(0, Block())
"""


def missing_on_a_plain_install() -> list[str]:
    """Return the modules that only extras install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [line for extra in project["optional-dependencies"].values() for line in extra]
    names = {re.split(r"[\[>]", line)[0] for line in wanted} - {"broadpeak"}
    return sorted(IMPORTED_AS.get(name, name.replace("-", "_")) for name in names)


def run_plain(code: str) -> str:
    """Return what `code` prints on a plain install."""
    script = PLAIN.format(missing=missing_on_a_plain_install()) + code
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_extras_are_found_in_the_project_file() -> None:
    assert {"pytest", "talib", "optuna", "pyarrow", "mypy"} <= set(missing_on_a_plain_install())


def test_every_public_name_loads_on_a_plain_install() -> None:
    code = (
        "from broadpeak import *\nimport broadpeak\nprint(set(broadpeak.__all__) - set(globals()))"
    )
    assert run_plain(code) == "set()"


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_every_public_module_loads_on_a_plain_install(module: str) -> None:
    assert run_plain(f"import broadpeak.{module} as it; print(it.__name__, len(dir(it)) > 0)")


def test_a_contract_says_what_it_needs_only_when_it_is_used() -> None:
    code = """
import broadpeak as bp
from broadpeak.testing import SearcherContract

print(bp.testing.__all__)
try:
    from broadpeak.testing import EngineContract
except bp.MissingExtraError as error:
    print(error)
"""
    names, message = run_plain(code).splitlines()
    assert names == "['EngineContract', 'ReducerContract', 'SearcherContract']"
    assert message == (
        "bp.testing.EngineContract needs the package 'pytest', which is not installed. "
        'Type: pip install "broadpeak[testing]"'
    )


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_a_public_module_lists_its_names(module: str) -> None:
    owner = getattr(bp, module)
    names = owner.__all__
    assert sorted(names) == sorted(set(names))
    for name in names:
        value = getattr(owner, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert inspect.getdoc(value), f"bp.{module}.{name} has no docstring"


def test_every_error_is_listed() -> None:
    found = {
        name
        for name, value in vars(bp.errors).items()
        if inspect.isclass(value) and issubclass(value, (bp.BroadpeakError, Warning))
    }
    assert found == set(bp.errors.__all__)


def test_pages_for_users_name_no_private_path() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.py")]
    found = [
        f"{page.relative_to(ROOT).as_posix()}: {hit.group()}"
        for page in pages
        for hit in PRIVATE.finditer(page.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_docstrings_of_public_names_name_no_private_path() -> None:
    owners = {"bp": bp, **{f"bp.{name}": getattr(bp, name) for name in PUBLIC_MODULES}}
    found = []
    for label, owner in owners.items():
        for name in owner.__all__:
            value = getattr(owner, name)
            texts = [inspect.getdoc(value) or ""]
            if inspect.isclass(value):
                texts += [
                    inspect.getdoc(member) or ""
                    for key, member in vars(value).items()
                    if not key.startswith("_")
                ]
            hits = [hit.group() for text in texts for hit in PRIVATE.finditer(text)]
            found += [f"{label}.{name}: {hit}" for hit in hits]
    assert found == []


def test_objectives_are_listed_by_their_mapping() -> None:
    assert isinstance(bp.objectives, Mapping)
    assert "prr" in bp.objectives


PATH = re.compile(r"`((?:[\w.]+/)+[\w.]*|\w+\.pyi?)`")


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_paths_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    roots = (ROOT, ROOT / "src" / "broadpeak")
    missing = {
        path for path in PATH.findall(text) if not any((root / path).exists() for root in roots)
    }
    assert PATH.search(text)
    assert missing == set()


def test_what_the_page_places_in_a_file_is_there() -> None:
    # As in: `choose_step` in `_search/selectors.py`.
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    placed = re.findall(r"`@?(?:\w+\.)?(\w+)`(?: in|:)? \(?`([\w/]+\.py)`", page)
    assert len(placed) > 15
    lost = [
        f"{name} in {path}"
        for name, path in placed
        if not re.search(
            rf"\b{name}\b", (ROOT / "src/broadpeak" / path).read_text(encoding="utf-8")
        )
    ]
    assert lost == []
