"""What a stored call depends on: programs with one change each, in fresh processes.

The programs are texts in ``store_cases``: the name after ``##``, then ``main.py`` with a function
``run(x)``, further files after ``--- name``. ``⟦2→3⟧`` is 2 before the change and 3 after it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "store_cases"
DOCS = Path(__file__).parents[2] / "docs" / "stores.md"
SLOT = re.compile(r"⟦(.*?)→(.*?)⟧", re.DOTALL)
KINDS = ("functions", "modules", "values", "classes", "more")

# Every program in its own folder, imported by one process: what a new one pays for is the library.
KEYS = """
import importlib, json, sys
from pathlib import Path
from broadpeak._run.calls import Task
from broadpeak.errors import StoreError
from broadpeak._run.stored import _identify

def key_and_value(folder):
    run = importlib.import_module("main").run
    try:
        head, keys = _identify([Task(run, 1)], None)
        key = head.hex() + keys[0].hex()
    except StoreError as error:
        return f"refused: {error}", None
    return key, repr(run(1))

found = {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    covered = {path.stem: sys.modules.pop(path.stem, None) for path in folder.glob("*.py")}
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    found[folder.name] = key_and_value(folder)
    sys.path.remove(str(folder))
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        if any(str(folder) in str(place) for place in places):
            del sys.modules[name]
    sys.modules.update({name: module for name, module in covered.items() if module is not None})
print(json.dumps(found))
"""

SWEEP = """
import broadpeak as bp
from main import run
print(bp.parameterized(run, store="../runs.db")(bp.Param([1, 2])))
print(len(bp.Store("../runs.db").runs()))
"""


def programs(kind):
    """Return name → file → source, both states still in it."""
    text = (CASES / f"{kind}.txt").read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        main, *others = re.split(r"^--- ", body, flags=re.MULTILINE)
        files = {"main.py": main}
        for other in others:
            file, _, source = other.partition("\n")
            files[file.strip()] = source
        found[name.strip()] = files
    return found


CHANGES = {name: files for kind in KINDS for name, files in programs(kind).items()}
HARMLESS = programs("harmless")
REFUSED = programs("refused")


def write(folder, files, *, after=False):
    """Write one state of a program; files of the other are gone, compiled ones too."""
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SLOT.sub(lambda slot: slot[2 if after else 1], source), encoding="utf-8")


def python(folder, *command, seed="0"):
    """Run a fresh interpreter in a folder and return what it printed."""
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    call = [sys.executable, *map(str, command)]
    done = subprocess.run(
        call, cwd=folder, env=env, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """Key and value of every program before and after its change, each state in its own process."""
    every = [*CHANGES.items(), *HARMLESS.items(), *REFUSED.items()]
    found = []
    for after in (False, True):
        base = tmp_path_factory.mktemp("after, elsewhere" if after else "before")
        for place, (_, files) in enumerate(every):
            write(base / f"{place:03d}", files, after=after)
        found.append(json.loads(python(base.parent, "-c", KEYS, base, seed=str(int(after)))))
    before, later = ([one[f"{place:03d}"] for place in range(len(every))] for one in found)
    return {name: pair for (name, _), *pair in zip(every, before, later, strict=True)}


def test_there_are_enough_of_each_kind():
    assert len(CHANGES) >= 280
    assert len(HARMLESS) >= 55
    assert len(REFUSED) >= 14
    assert sum(len(programs(kind)) for kind in (*KINDS, "harmless", "refused")) == len(
        {*CHANGES, *HARMLESS, *REFUSED}
    )


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_what_a_function_reaches_is_another_call(states, name):
    (key, value), (new_key, new_value) = states[name]
    assert not key.startswith("refused"), key
    assert value != new_value, "the program does not show its change"
    assert key != new_key


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_is_the_same_call(states, name):
    (key, value), (new_key, new_value) = states[name]
    assert not key.startswith("refused"), key
    assert value == new_value
    assert key == new_key


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_followed_is_refused_with_a_sentence(states, name):
    for answer, _ in states[name]:
        assert re.match(
            r"refused: .+ must have content that can be compared between processes, got .+\. "
            r".*pass store_key='v1'.* or give the class a method fingerprint\(\)",
            answer,
        ), answer


def test_the_environment_is_not_shown_in_the_refusal(states):
    assert "PATH" not in states["whole environment"][0][0]


def resumed(folder, files):
    """Return results and number of runs of a program before and after its change, with a store."""
    answers = []
    for after in (False, True):
        write(folder / "program", files, after=after)
        (folder / "program" / "sweep.py").write_text(SWEEP)
        answers.append(python(folder / "program", "sweep.py", seed=str(int(after))).split("\n")[:2])
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_sweep_after_a_change_runs_again(tmp_path, name, states):
    first, second = resumed(tmp_path, CHANGES[name])
    assert (first[1], second[1]) == ("1", "2")
    assert second[0] != first[0] or states[name][0][1] == states[name][1][1]


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMLESS)
def test_a_sweep_after_a_harmless_change_runs_nothing_again(tmp_path, name):
    first, second = resumed(tmp_path, HARMLESS[name])
    assert second == first == [first[0], "1"]


# Rows of the table in the documentation


def rows():
    lines = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return [row for row in cells if len(row) == 3 and not row[0].startswith(("What", "---"))]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_every_row_of_the_table_names_programs_that_exist(row):
    named = re.findall(r"`([^`]+)`", row[2])
    assert named
    assert set(named) <= {*CHANGES, *HARMLESS, *REFUSED, *OTHER_TESTS}


def test_the_table_is_complete():
    assert len(rows()) >= 20


OTHER_TESTS = {
    name
    for path in (Path(__file__).parent, Path(__file__).parents[1] / "unit")
    for file in path.glob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
}
