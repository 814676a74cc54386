# SPDX-License-Identifier: BSD-3-Clause
"""Rebuild the prices shipped with the package from the wheel of `bokeh_sampledata`.

    pip download --no-deps bokeh_sampledata==2026.1
    python tools/build_sample.py bokeh_sampledata-2026.1-py3-none-any.whl

The argument is the wheel, a folder it was unpacked to, or its file ``stocks.csv.gz``; without one
the installed package is used. ``--check`` compares and writes nothing.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import sys
import zipfile
from pathlib import Path

SOURCE_SHA256 = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
MEMBER = "bokeh_sampledata/_data/stocks.csv.gz"
SYMBOLS = ("AAPL", "IBM", "MSFT")
TARGET = Path(__file__).parents[1] / "src/broadpeak/data/prices/stocks.csv.gz"


def read_source(path: Path | None) -> bytes:
    """Return the packed source file from wherever it is, checked."""
    if path is None:
        spec = importlib.util.find_spec("bokeh_sampledata")
        if spec is None or spec.origin is None:
            sys.exit("Pass the wheel, or type: pip install bokeh_sampledata==2026.1")
        path = Path(spec.origin).parents[1]
    if path.is_dir():
        packed = (path / MEMBER).read_bytes()
    elif path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            packed = wheel.read(MEMBER)
    else:
        packed = path.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != SOURCE_SHA256:
        sys.exit(f"{path} must have the checksum {SOURCE_SHA256}, got {found}.")
    return packed


def build(packed: bytes) -> bytes:
    """Return the lines of the three symbols, unchanged, under the header."""
    lines = gzip.decompress(packed).splitlines(keepends=True)
    wanted = tuple(f"{symbol},".encode() for symbol in SYMBOLS)
    return b"".join([lines[0], *(line for line in lines[1:] if line.startswith(wanted))])


def main() -> None:
    """Build the file, or compare it with what is there."""
    parser = argparse.ArgumentParser(description="Rebuild the shipped prices.")
    parser.add_argument("source", nargs="?", type=Path, help="wheel, folder or stocks.csv.gz")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    text = build(read_source(arguments.source))
    print(f"sha256 of the text: {hashlib.sha256(text).hexdigest()}")
    if arguments.check:
        same = gzip.decompress(TARGET.read_bytes()) == text
        sys.exit(0 if same else "The shipped file differs.")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
    print(f"{TARGET} ({TARGET.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
