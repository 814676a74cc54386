# SPDX-License-Identifier: BSD-3-Clause
"""Whatever is passed to a public function, it answers, or refuses with one of the library's errors.

Every argument of every row of the public table gets values of a hostile pool, one at a time, in
pairs, and as items of lists and dicts. A call may return, or raise a `BroadpeakError` that somebody
can read; it may not hang, warn of what numpy or pandas met inside, or end in an error from the
inside.
"""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import fuzz_pool
import fuzz_table
import pandas as pd
import pytest
from fuzz_cli import COMMANDS, spoken
from fuzz_judge import Fault, judged
from fuzz_world import frame, world

POOL = list(fuzz_pool.POOL)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Return the examples; what is called runs in a folder of its own."""
    before, folder = Path.cwd(), tmp_path_factory.mktemp("fuzz")
    os.chdir(folder)
    sys.modules["yfinance"] = fake = ModuleType("yfinance")
    fake.download = lambda symbols, **_: pd.concat(  # type: ignore[attr-defined]
        {symbol: frame(1).assign(**{"Adj Close": 1.0}) for symbol in symbols}, axis=1
    )
    made = world(folder / "world")
    vars(fuzz_table.WORLD).update(vars(made))
    # Whatever is to be compiled is compiled here: it takes longer than a call that hangs.
    made.refused = refused(made)
    yield made
    del sys.modules["yfinance"]
    os.chdir(before)


def test_every_public_name_is_in_the_table() -> None:
    assert fuzz_table.uncovered() == []


def refused(small: SimpleNamespace) -> list[str]:
    """Return the valid calls that do not return."""
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row in fuzz_table.ROWS:
            try:
                row.run(small, {})
            except Exception as error:
                wrong.append(f"{row.name}: {error!r}")
    return wrong


def test_valid_calls_of_the_table_return(small: SimpleNamespace) -> None:
    assert small.refused == []


def faults(
    small: SimpleNamespace, seed: int, n: int, at_once: int, *, packed: bool = False
) -> list[Fault]:
    """Return what is wrong with `n` calls, `at_once` arguments hostile in each.

    With `packed` the hostile value stands in a list or a dict, beside good ones or alone.
    """
    draw = random.Random(seed)
    found = []
    for _ in range(n):
        row = draw.choice(fuzz_table.ROWS)
        names = row.arguments(small)
        chosen = {name: draw.choice(POOL) for name in draw.sample(names, min(at_once, len(names)))}
        pack = draw.choice(list(fuzz_pool.PACKS)) if packed else "as it is"
        shown = ", ".join(f"{name}=<{value}>" for name, value in chosen.items())

        def call(row: Any = row, chosen: dict[Any, str] = chosen, pack: str = pack) -> Any:
            passed = {name: fuzz_pool.make(one, small.folder) for name, one in chosen.items()}
            if packed:
                passed = {name: fuzz_pool.PACKS[pack](one) for name, one in passed.items()}
            return row.run(small, passed)

        fault = judged(f"{row.name}({shown}) {pack}", call)
        if fault is not None:
            found.append(fault)
    return found


def report_of(found: list[Fault]) -> str:
    """Return faults as lines, the first of each place."""
    first = {fault.place: fault for fault in reversed(found)}
    return "\n".join(map(str, first.values()))


def test_hostile_arguments_are_refused_in_words(small: SimpleNamespace) -> None:
    found = faults(small, 0, 500, 1)
    assert not found, report_of(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_hostile_arguments_are_refused_in_words(small: SimpleNamespace, seed: int) -> None:
    found = faults(small, seed, 5_000, 1)
    assert not found, report_of(found)


def test_hostile_values_among_others_are_refused_in_words(small: SimpleNamespace) -> None:
    found = faults(small, 0, 500, 1, packed=True)
    assert not found, report_of(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(7, 10))
def test_many_hostile_values_among_others_are_refused_in_words(
    small: SimpleNamespace, seed: int
) -> None:
    found = faults(small, seed, 5_000, 1, packed=True)
    assert not found, report_of(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5, 7))
def test_pairs_of_hostile_arguments_are_refused_in_words(small: SimpleNamespace, seed: int) -> None:
    found = faults(small, seed, 3_000, 2)
    assert not found, report_of(found)


def words_of_the_pool() -> list[str]:
    """Return the texts of the pool that can stand on a command line."""
    made = (maker(Path()) for maker in fuzz_pool.TEXTS.values())
    return [word for word in made if isinstance(word, str)] + ["-1", "0", "1e400", "nan", "--"]


def cli_faults(small: SimpleNamespace, commands: list[str]) -> list[str]:
    """Return what is wrong with commands in which one word after the other is hostile."""
    found = []
    for command in commands:
        line = [word.format(**vars(small)) for word in COMMANDS[command].split()]
        for place in range(1, len(line)):
            for word in words_of_the_pool():
                fault = spoken([*line[:place], word, *line[place + 1 :]])
                if fault:
                    found.append(f"{command}, word {place} {word[:40]!r}: {fault}")
    return found


def test_hostile_words_on_the_command_line(small: SimpleNamespace) -> None:
    assert cli_faults(small, ["store", "report"]) == []


@pytest.mark.slow
def test_hostile_words_on_the_command_lines_of_all_commands(small: SimpleNamespace) -> None:
    assert cli_faults(small, list(COMMANDS)) == []
