# SPDX-License-Identifier: BSD-3-Clause
"""What an import loads, and when the accessor is there; each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = "{'pandas', 'numba', 'scipy', 'plotly'}"


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_bare_import_loads_nothing_heavy() -> None:
    code = f"import sys, broadpeak as bp; dir(bp); print(sorted({HEAVY} & set(sys.modules)))"
    assert run(code) == "[]"


def test_a_module_below_changes_nothing_in_pandas() -> None:
    modules = "broadpeak._core.arrays, broadpeak._prices.table, broadpeak._indicators.moving"
    assert run(f"import {modules}, pandas as pd; print(hasattr(pd.Series, 'bp'))") == "False"


@pytest.mark.parametrize(
    "code",
    [
        "import pandas as pd, broadpeak",
        "import broadpeak as bp, pandas as pd; bp.parameterized",
        "import broadpeak as bp, pandas as pd; bp.combine_params(dict(a=[1, 2]))",
        "import broadpeak, pandas as pd; from broadpeak import execute",
    ],
)
def test_the_accessor_is_there_once_pandas_is(code: str) -> None:
    made = f"{code}\nprint(pd.Series([1, 3]).bp.crossed_above(pd.Series([2, 2])).tolist())"
    assert run(made) == "[False, True]"
