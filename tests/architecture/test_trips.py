# SPDX-License-Identifier: BSD-3-Clause
"""How many functions and files a call walks through: the ceilings under which it stays."""

from __future__ import annotations

import io
import runpy
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "trips.py"

# From Python 3.12 on comprehensions are no functions of their own, and trips are shorter still.
# Before every run it is asked whether signals are descriptions (2). Labels that are made when
# looked at, prices that were checked before and the short way for one column have a file each.
# A fifth of the walk of `train` is the check for look-ahead, which has its own file. It makes its
# calls where the search can spare them, which takes a dozen functions more than calls before it.
# What a strategy ordered is looked at for mistakes, in `train` and in `test`: seven functions and
# their file.
# A strategy that is tested inside of a training must not get its memory: one function and its file.
# Another tenth is what is remembered from run to run, and how runs are scored together.
# A portfolio asks first whether its figures follow from trades in closed form, which takes nine
# functions and three files more than a walk over all bars, and a tenth of its time.
# How large trades are is decided in a file of its own, before a test is simulated and not while its
# orders are merged; and what the run is held against is noted for each component: 19 functions.
# A test asks what its parameters know of costs, sizes and bars that were trained on, and buys with
# money: four files, a dozen functions of each kind, and little time.
# The search of a component, the options of a training and the accounts of a test have a file each:
# as many functions, two files more.
# A symbol may be only looked at: what is traded has its bars counted where the loop comes to it.
# A run notes what is on the way, and sees at its end that nothing was lost there: two functions.
CEILINGS = {
    "from_signals": (32, 13),
    "execute": (47, 9),
    "parameterized": (150, 22),
    "train": (325, 36),
    "test": (210, 34),
}


def test_no_trip_is_longer_than_it_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # on a terminal a bar would join the walk
    tool = runpy.run_path(str(TOOL), run_name="tool")
    calls, longer = tool["trips"](), {}
    for name, ceiling in CEILINGS.items():
        seen = tool["walked"](calls[name])
        found = (len(seen), len({code.co_filename for code in seen}))
        assert min(found) > 2, f"{name}: nothing was counted"
        if found[0] > ceiling[0] or found[1] > ceiling[1]:
            longer[name] = {"functions and files": found, "at most": ceiling}
    assert longer == {}, "see who is in the way: python tools/trips.py NAME"
