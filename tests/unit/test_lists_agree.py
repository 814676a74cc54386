# SPDX-License-Identifier: BSD-3-Clause
"""Lists that stand in two places, so that a command need not load pandas, hold the same."""

from __future__ import annotations

import inspect

import pytest

import broadpeak as bp
from broadpeak._cli import flags, usage
from broadpeak._report import backtest_page
from broadpeak._search.selectors import SELECTORS
from broadpeak._store.provenance import BORDERS as WRITTEN_BORDERS
from broadpeak._training.meanings import MEANINGS
from broadpeak._training.sizing import SIZINGS
from broadpeak._training.trainoptions import METHODS
from broadpeak._validation.walkforward import BORDERS


def test_the_command_line_knows_what_the_library_knows() -> None:
    assert flags.METHODS == METHODS
    assert flags.SIZINGS == SIZINGS
    assert flags.SELECTORS == SELECTORS


def test_options_of_prices_are_those_of_from_csv() -> None:
    known = set(inspect.signature(bp.Data.from_csv).parameters) - {"path"}
    assert set(usage.READING) == known


def test_every_objective_and_every_sizing_has_words() -> None:
    assert set(MEANINGS) == set(bp.objectives)
    assert set(backtest_page._SIZINGS) == set(SIZINGS)


def test_borders_can_be_written() -> None:
    assert sorted(WRITTEN_BORDERS) == sorted(BORDERS)


@pytest.mark.parametrize("command", ["train", "walk_forward"])
def test_sizes_of_trades_are_options_of_every_search(command: str) -> None:
    assert {"sizing", "capital", "whole"} <= set(inspect.signature(getattr(bp, command)).parameters)
