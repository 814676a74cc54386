# SPDX-License-Identifier: BSD-3-Clause
"""Names that users chose, as names of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadpeak._core.filenames import file_stem

SAFE = ["trend", "trend 2.0", "Grün", "日本", "a-b_c", "x.y"]


@pytest.mark.parametrize("name", SAFE)
def test_harmless_names_stay(name: str) -> None:
    assert file_stem(name) == name


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../X", "_._.._X"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        (" ", "_"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\x", "C__x"),
        (".hidden", "_hidden"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("lpt1", "_lpt1"),
        ("console", "console"),
        ("a\0b\nc", "a_b_c"),
        ("end. .", "end"),
        ("\u202egnp", "_gnp"),
        ("\ud800", "_"),
    ],
)
def test_others_are_made_safe(name: str, stem: str) -> None:
    assert file_stem(name) == stem


def test_long_names_are_cut_and_stay_apart() -> None:
    one, two = file_stem("x" * 400 + "1"), file_stem("x" * 400 + "2")
    assert one != two
    assert len(one.encode()) == len(file_stem("é" * 400).encode()) + 1 == 120


@given(name=st.text() | st.text("./\\ :CONcon\0", max_size=6))
def test_any_name_is_one_part_of_a_path(name: str) -> None:
    stem = file_stem(name)
    assert Path(f"{stem}.par").name == f"{stem}.par"
    assert 1 <= len(stem.encode()) <= 120
    assert not stem.startswith(".")
    assert stem.isprintable()
    assert file_stem(stem) == stem
