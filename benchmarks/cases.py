# SPDX-License-Identifier: BSD-3-Clause
"""What all cases share: a case measures one job in the process it runs in.

A case takes whether to be quick and returns what it found: `wall` and `cpu` seconds and `n`, the
number of backtests or calls in it; where they can be had `peak`, the peak memory in MB before
anything else ran, `check`, the largest difference from an obvious twin, and `beside`, the times of
others for the same, by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks import workloads
from benchmarks.workloads import N_BARS

Result = dict[str, Any]
Case = Callable[[bool], Result]


class NotYetError(Exception):
    """The library can't do this yet."""


@contextmanager
def to_come() -> Iterator[None]:
    """Turn the library's refusal of something to come into `NotYetError`."""
    try:
        yield
    except (AttributeError, TypeError, ValueError) as error:
        raise NotYetError(f"{type(error).__name__}: {error}") from error


def market(bars: int = N_BARS) -> Any:
    """Return one asset with four prices a bar."""
    import pandas as pd

    import broadpeak as bp

    frame = pd.DataFrame(workloads.ohlc(bars), index=workloads.index(bars))
    return bp.Data.from_frames({"X": frame})


def gap(ours: Any, theirs: Any) -> float:
    """Return the largest difference, relative where values are above 1; inf if one is NaN."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if ours.shape != theirs.shape:
        return math.inf
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        off = np.where(same, 0.0, np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs)))
    return float(np.nan_to_num(off, nan=math.inf).max(initial=0.0))
