# SPDX-License-Identifier: BSD-3-Clause
"""The command line: a valid line of every command, and how a line ends."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Sequence

from fuzz_judge import Hung, limited

from broadpeak._cli.app import main

COMMANDS = {
    "train": (
        "train {file}:swing --data {csv} --method ascent --objective prr --out {folder}/out"
        " --no-verdict"
    ),
    "test": (
        "test {file}:swing --data {csv} --params {par} --start 2020-02-01 --cost fees=0.001"
        " --sizing money --capital 5000 --whole --missing drop --tz UTC"
    ),
    "walk-forward": "walk-forward {file}:swing --data {csv} --cycles 3 --split 0.8 --no-verdict",
    "sweep": "sweep {file}:area --param width=1:3 --param height=2,3 --seed 1 --select hill",
    "signals": (
        "signals {file}:swing --data {csv} --params {par} --end 2020-03-02 --sizing equity"
        " --date-column Date --columns Close=close --calendar union"
    ),
    "new": "new {folder}/idea.py",
    "report": "report {file}:swing --data {csv} --params {par} --out {folder}/page.html",
    "store": "store {store} --run 1",
}
RAW = re.compile(
    r"^error: (?!TaskError)[A-Z]\w*(Error|Exception|Warning|Interrupt|Date\w*)\b", re.M
)


def spoken(line: Sequence[str]) -> str:
    """Return what is wrong with how a command line ends; an empty text where it ends well."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            limited(10.0),
        ):
            warnings.simplefilter("ignore")
            main(list(line))
    except SystemExit as end:
        said = err.getvalue()
        if end.code not in {0, 1, 2, None}:
            return f"ends with {end.code!r}"
        if end.code and not said.strip():
            return "fails without a word"
        if RAW.search(said) or "Traceback" in said:
            return said.strip()[:300]
        return ""
    except Hung:
        return "hangs"
    except BaseException as error:
        return f"raises {error!r}"[:300]
    return ""
