# SPDX-License-Identifier: BSD-3-Clause
"""The tool that rebuilds the shipped prices."""

from __future__ import annotations

import gzip
import hashlib
import runpy
import sys
import zipfile
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "build_sample.py"
LINES = b"Ticker,Date,Close\nAAPL,2024-01-02,1.0\nFB,2024-01-02,2.0\nIBM,2024-01-02,3.0\n"


def test_only_lines_of_the_three_symbols_are_kept() -> None:
    tool = runpy.run_path(str(TOOL))
    kept = tool["build"](gzip.compress(LINES))
    assert kept == b"Ticker,Date,Close\nAAPL,2024-01-02,1.0\nIBM,2024-01-02,3.0\n"


def test_a_source_of_other_content_is_refused(tmp_path) -> None:
    tool = runpy.run_path(str(TOOL))
    wheel = tmp_path / "bokeh_sampledata.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(tool["MEMBER"], gzip.compress(LINES))
    with pytest.raises(SystemExit, match=f"checksum {tool['SOURCE_SHA256']}"):
        tool["read_source"](wheel)


def test_the_source_may_be_wheel_folder_or_file(tmp_path) -> None:
    tool = runpy.run_path(str(TOOL))
    packed = gzip.compress(LINES)
    read = tool["read_source"]
    read.__globals__["SOURCE_SHA256"] = hashlib.sha256(packed).hexdigest()
    wheel = tmp_path / "bokeh_sampledata.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(tool["MEMBER"], packed)
        archive.extractall(tmp_path)
    for source in (wheel, tmp_path, tmp_path / tool["MEMBER"]):
        assert read(source) == packed


def test_check_compares_and_writes_nothing(tmp_path, monkeypatch, capsys) -> None:
    source = tmp_path / "stocks.csv.gz"
    source.write_bytes(gzip.compress(LINES))
    monkeypatch.setattr(sys, "argv", ["build_sample.py", str(source), "--check"])
    with pytest.raises(SystemExit, match="checksum"):
        runpy.run_path(str(TOOL), run_name="__main__")
    assert capsys.readouterr().out == ""
