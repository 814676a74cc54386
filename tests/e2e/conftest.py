# SPDX-License-Identifier: BSD-3-Clause
"""Real prices, and what a sweep does, done one combination at a time."""

import os
import tempfile

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp


@pytest.fixture(scope="session")
def data():
    return bp.Data.sample()["2010":"2010"]


@pytest.fixture
def quick_path(tmp_path):
    """A folder in memory where there is one: thousands of stores need not wait for a disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield type(tmp_path)(folder)


@pytest.fixture(scope="session")
def one(data):
    return data.select(data.symbols[0])


@pytest.fixture(scope="session")
def crossings():
    """Where the fast mean of a Series crosses the slow one: above, below."""

    def crossings(close, fast, slow):
        left, right = close.rolling(fast).mean(), close.rolling(slow).mean()
        return crossed_above(left, right), crossed_above(right, left)

    return crossings


@pytest.fixture(scope="session")
def plain_pf(crossings):
    """The backtest of one combination on one symbol, without any sweep."""

    def plain_pf(one, fast, slow):
        above, below = crossings(one.close, fast, slow)
        index = one.close.index
        return bp.PF.from_signals(one, pd.Series(above, index), pd.Series(below, index))

    return plain_pf


def crossed_above(left, right):
    """One bar after another: above now, and below when they last differed."""
    out, before = [], 0
    for a, b in zip(left, right, strict=True):
        if np.isnan(a) or np.isnan(b):
            now = before = 0
        else:
            now = int(np.sign(a - b))
        out.append(now > 0 and before < 0)
        before = now or before
    return np.array(out)
