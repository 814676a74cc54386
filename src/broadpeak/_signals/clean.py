# SPDX-License-Identifier: BSD-3-Clause
"""Signals made plain: alternating entries and exits, delays, runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.arrays import Wrapping, check_labels, kernel_view, plain_array, unwrap
from broadpeak._signals._kernels import clean as kernels
from broadpeak.errors import DataError, broken_rule
from broadpeak.types import BoolArray


class Cleaned(NamedTuple):
    """The signals that `clean` kept, each like what was passed."""

    entries: Any
    exits: Any


def clean(entries: Any, exits: Any) -> Cleaned:
    """Keep the signals that alternate: an entry, the first exit after it, the next entry.

    Parameters
    ----------
    entries, exits : array, Series or DataFrame of bool, shape (bars,) or (bars, columns)
        Signals of the same shape and labels; NaN is false.

    Returns
    -------
    Cleaned
        ``(entries, exits)``, each as it was passed. The first one is an entry; an entry and an
        exit on the same bar cancel each other.

    Raises
    ------
    DataError
        If shapes or labels differ, or values are not true or false.

    Examples
    --------
    >>> import numpy as np
    >>> clean(np.array([True, True, False, True]), np.array([False, False, True, True]))
    Cleaned(entries=array([ True, False, False, False]), exits=array([False, False,  True, False]))
    """
    lanes, wrapping = signal_lanes("entries", entries)
    others, labels = signal_lanes("exits", exits)
    if lanes.shape != others.shape:
        rule = f"have the shape of entries, {lanes.shape[::-1]}"
        raise DataError(broken_rule("exits", rule, others.shape[::-1]))
    check_labels("exits", labels, "entries", wrapping)
    kept, kept_exits = np.empty_like(lanes), np.empty_like(others)
    for i in range(len(lanes)):
        kernels.alternate(lanes[i], others[i], kept[i], kept_exits[i])
    return Cleaned(wrapping.wrap(kept), labels.wrap(kept_exits))


def delay(signals: Any, bars: int = 1) -> Any:
    """Return the signals `bars` later.

    Parameters
    ----------
    signals : array, Series or DataFrame of bool, shape (bars,) or (bars, columns)
        NaN is false.
    bars : int
        At least 0; less would look ahead.

    Returns
    -------
    array, Series or DataFrame of bool
        As `signals`; false on the first `bars` bars.

    Raises
    ------
    ParamError
        If `bars` is negative or no whole number.
    DataError
        If values are not true or false.

    Examples
    --------
    >>> import numpy as np
    >>> delay(np.array([True, False, False]))
    array([False,  True, False])
    """
    bars = check.whole("bars", bars, 0)
    lanes, wrapping = signal_lanes("signals", signals)
    out = np.zeros_like(lanes)
    if bars < lanes.shape[1]:
        out[:, bars:] = lanes[:, : lanes.shape[1] - bars]
    return wrapping.wrap(out)


def rank(signals: Any) -> Any:
    """Return the position of each true value in its run: 1 for the first, 0 where false.

    Parameters
    ----------
    signals : array, Series or DataFrame of bool, shape (bars,) or (bars, columns)
        NaN is false.

    Returns
    -------
    array, Series or DataFrame of int64
        As `signals`.

    Raises
    ------
    DataError
        If values are not true or false.

    Examples
    --------
    >>> import numpy as np
    >>> rank(np.array([True, True, False, True]))
    array([1, 2, 0, 1])
    """
    lanes, wrapping = signal_lanes("signals", signals)
    out = np.empty(lanes.shape, np.int64)
    for row, target in zip(lanes, out, strict=True):
        kernels.position_in_run(row, target)
    return wrapping.wrap(out)


def first(signals: Any) -> Any:
    """Return the first true value of each run, and false elsewhere.

    Parameters
    ----------
    signals : array, Series or DataFrame of bool, shape (bars,) or (bars, columns)
        NaN is false.

    Returns
    -------
    array, Series or DataFrame of bool
        As `signals`.

    Raises
    ------
    DataError
        If values are not true or false.

    Examples
    --------
    >>> import numpy as np
    >>> first(np.array([True, True, False, True]))
    array([ True, False, False,  True])
    """
    lanes, wrapping = signal_lanes("signals", signals)
    out = lanes.copy()
    out[:, 1:] &= ~lanes[:, :-1]
    return wrapping.wrap(out)


def signal_lanes(name: str, value: Any) -> tuple[BoolArray, Wrapping]:
    """Return signals as bool lanes: NaN is false, 0 and 1 count, anything else is refused.

    Raises
    ------
    DataError
        If a value is neither true nor false.
    """
    raw = plain_array(name, value, "hold true and false values")
    if raw.dtype == np.bool_:
        return unwrap(name, value, np.bool_)
    numbers, wrapping = unwrap(name, raw)
    broken = ~(np.isnan(numbers) | (numbers == 0.0) | (numbers == 1.0))
    if broken.any():
        rule = "hold true and false values"
        got = float(numbers[broken][0])
        raise DataError(broken_rule(name, rule, got, f"Type a comparison, such as {name} > 0."))
    return kernel_view(numbers == 1.0), _labelled(value, wrapping)


def _labelled(value: Any, wrapping: Wrapping) -> Wrapping:
    if isinstance(value, pd.Series):
        return Wrapping("series", index=value.index, name=value.name)
    if isinstance(value, pd.DataFrame):
        return replace(wrapping, kind="frame", index=value.index, columns=value.columns)
    return wrapping
