# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import runpy
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import settings

import broadpeak as bp

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "broadpeak"
SOURCES = sorted(SRC.rglob("*.py"))
EVERY_FILE = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
JUNK = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "tools",
    "core",
    "base_utils",
    "lib",
}
MAY_IMPORT_LATE = {
    "__init__.py",  # the accessor and hints load on first use
    "_signals/accessor.py",  # pandas asks for the accessor, not we
    "_core/optional.py",  # packages that are not dependencies
    "_core/drawing.py",  # the report, and what judges, register themselves on the first call
    "_run/registry.py",  # an engine loads when it is named
    "_run/engines/processpool.py",  # so does the library that starts its processes
    "_run/raycluster.py",  # a function that travels to where broadpeak may not be installed
    "_run/remote.py",  # the accessor, where what a worker was sent has loaded pandas
    "_run/worker.py",  # a worker sets its environment before numeric libraries load
    "_store/following.py",  # what a function of the user imports when it is called
    "_cli/inputs.py",  # the user's own file; what loads pandas, which --help has no use for
}
HEAVY = ("pandas", "numba", "scipy", "plotly", "joblib", "loky", "numpy")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def in_package(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=in_package)
def test_a_file_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# SPDX-License-Identifier: BSD-3-Clause\n"), name_of(path)
    assert ast.get_docstring(ast.parse(text)), f"{name_of(path)} has no docstring"


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    junk = [
        in_package(path)
        for path in SOURCES
        if JUNK
        & {part.strip("_") for part in Path(in_package(path)).with_suffix("").parts}
        - ({"core"} if in_package(path).startswith("_core/") else set())
    ]
    assert junk == []


def late_imports(path: Path) -> list[int]:
    """Return the lines of imports in functions, type-checking blocks and import_module calls."""
    late = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            late += [
                inner.lineno
                for inner in ast.walk(node)
                if isinstance(inner, (ast.Import, ast.ImportFrom))
                or (isinstance(inner, ast.Attribute) and inner.attr == "import_module")
                or (isinstance(inner, ast.Name) and inner.id in {"import_module", "__import__"})
            ]
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            late.append(node.lineno)
    return sorted(set(late))


def test_imports_stand_at_the_top() -> None:
    late = {
        in_package(path): lines
        for path in SOURCES
        if in_package(path) not in MAY_IMPORT_LATE and (lines := late_imports(path))
    }
    assert late == {}


def loaded_by(statement: str) -> list[str]:
    script = (
        f"import json, sys\n{statement}\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    return list(json.loads(run.stdout))


def test_a_bare_import_is_light() -> None:
    assert loaded_by("import broadpeak") == []
    assert loaded_by("import broadpeak._cli.app") == []


def test_looking_at_the_names_loads_nothing() -> None:
    assert loaded_by("import broadpeak; dir(broadpeak); broadpeak.__all__") == []


def test_training_loads_no_plot_library() -> None:
    loaded = loaded_by("import broadpeak as bp; bp.train, bp.test, bp.Training, bp.Portfolio")
    assert "plotly" not in loaded


@pytest.mark.parametrize("name", bp.__all__)
def test_a_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(bp, name)
    text = inspect.getdoc(value)
    assert text, f"bp.{name} has no docstring"
    if inspect.ismodule(value) or name in {"NoResult", "PF"}:
        return
    if inspect.isclass(value) and issubclass(value, Exception):
        return
    assert "Examples\n--------" in text, f"bp.{name} shows no example"
    if takes_arguments(value):
        assert re.search(r"(Parameters|Attributes)\n-{10}", text), f"bp.{name}: no Parameters"


def takes_arguments(value: object) -> bool:
    try:
        parameters = inspect.signature(value).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return any(p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD} for p in parameters)


def test_the_list_of_names_in_the_docs_is_current() -> None:
    page = runpy.run_path(str(ROOT / "tools" / "write_reference.py"), run_name="tool")["page"]()
    written = (ROOT / "docs" / "names.md").read_text(encoding="utf-8")
    assert written == page, "run: python tools/write_reference.py"
    assert sorted(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == bp.__all__


def test_the_type_stub_is_the_table_of_names() -> None:
    homes = runpy.run_path(str(ROOT / "tools" / "write_reference.py"), run_name="tool")["homes"]()
    assert sorted(homes) == bp.__all__
    missing = [
        f"{home}.{name}"
        for name, home in homes.items()
        if home != name and not hasattr(importlib.import_module(f"broadpeak.{home}"), name)
    ]
    assert missing == []


PUBLIC = {
    "engines",
    "errors",
    "objectives",
    "plot",
    "searchers",
    "splits",
    "stats",
    "testing",
    "types",
}


def test_what_may_be_imported_is_seen_from_the_path() -> None:
    entries = {
        path.stem
        for path in SRC.iterdir()
        if path.is_dir() or path.suffix == ".py"
        if path.name != "__pycache__"
    }
    assert {entry for entry in entries if not entry.startswith("_")} == PUBLIC | {"cli"}
    assert set(bp.__all__) >= PUBLIC


def test_no_two_modules_have_one_stem() -> None:
    places = defaultdict(list)
    for path in SOURCES:
        known = path.stem in {"__init__", "__main__"} or "_kernels" in path.parts
        if not known and path.parent != SRC / "_cli" / "commands":
            places[path.stem].append(in_package(path))
    assert {stem: where for stem, where in places.items() if len(where) > 1} == {}


def test_no_class_name_is_there_twice() -> None:
    places = defaultdict(list)
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(in_package(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_public_docstring_speaks_of_what_kernels_take() -> None:
    classes = {
        node.name
        for path in SOURCES
        if "_kernels" in path.parts
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and re.search("[a-z][A-Z]", node.name)
    }
    assert classes
    found = {}
    for name in bp.__all__:
        value = getattr(bp, name)
        members = vars(value).values() if inspect.isclass(value) else ()
        words = " ".join(inspect.getdoc(one) or "" for one in (value, *members))
        if private := classes.intersection(re.findall(r"\w+", words)):
            found[name] = private
    assert found == {}


def tracked() -> list[Path]:
    """Return the files under version control, or those of the tree where there is no git."""
    run = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if run.returncode == 0:
        return [ROOT / name for name in run.stdout.split("\0") if name]
    return [*EVERY_FILE, *ROOT.glob("*.md"), *ROOT.glob("*.toml")]


# Spelled in pieces so that this file does not match itself.
TRACES = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:wor" + r"k|ro" + r"ot|ho" + r"me|Users|tm" + r"p)/\w",
            r"(?:py" + r"pi|pytho" + r"nhosted)\.org",
            r"(?:extra-)?ind" + r"ex-url",
            r"trust" + r"ed-host",
            r"https?://(?:\d{1,3}\.){3}\d{1,3}",
            r"https?://local" + r"host:\d",
        ]
    )
)


def test_no_file_tells_about_the_machine_it_was_written_on() -> None:
    found = []
    for path in tracked():
        if not path.is_file() or path.suffix in {".gz", ".png", ".parquet", ".npz"}:
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{name_of(path)}: {hit.group()}" for hit in TRACES.finditer(text)]
    assert found == []


def test_one_profile_decides_how_examples_are_drawn() -> None:
    # The default suite is repeatable; `make test-all` draws new examples each time.
    repeatable, random = settings.get_profile("repeatable"), settings.get_profile("random")
    assert (repeatable.derandomize, random.derandomize) == (True, False)
    assert "--hypothesis-profile=random" in (ROOT / "Makefile").read_text(encoding="utf-8")
    own = [
        name_of(path)
        for path in (ROOT / "tests").rglob("*.py")
        if "derandom" + "ize=" in path.read_text(encoding="utf-8") and path.name != "conftest.py"
    ]
    assert own == [], "tests/conftest.py decides that; leave it out of settings(…)"


def test_floors_are_those_of_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = list(project["dependencies"])
    for extra in ("talib", "pathos", "mpire", "dask", "ray", "parquet", "optuna"):
        wanted += [requirement.replace("[distributed]", "") for requirement in extras[extra]]
    wanted += [requirement for requirement in extras["dev"] if requirement.startswith("apsw")]
    lines = (ROOT / "constraints/floors.txt").read_text(encoding="utf-8").splitlines()
    floors = dict(line.split("==") for line in lines if not line.startswith("#"))
    allowed = dict(requirement.split(">=") for requirement in wanted)
    assert floors.keys() - allowed.keys() == {"click", "distributed"}  # which typer and dask need
    assert allowed.keys() <= floors.keys()
    for name, version in allowed.items():
        # A floor 2.2 is tried at 2.2.0.
        assert f"{floors[name]}.".startswith(f"{version}."), name


def test_classifiers_begin_with_the_oldest_interpreter() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=")
    mark = "Programming Language :: Python :: 3."
    minors = [int(c.removeprefix(mark)) for c in project["classifiers"] if c.startswith(mark)]
    assert minors == list(range(int(oldest.partition(".")[2]), minors[-1] + 1))


def test_every_command_of_the_makefile_is_given_what_pytest_can_collect() -> None:
    commands = re.findall(r"-m pytest\b(.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert len(commands) >= 3
    paths = [word for line in commands for word in re.findall(r"[\w./]+\.\w+|\w+/[\w./]+", line)]
    assert paths
    assert [path for path in paths if not (ROOT / path).is_file() or path[-3:] != ".py"] == []
