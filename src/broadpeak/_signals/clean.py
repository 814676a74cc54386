# SPDX-License-Identifier: BSD-3-Clause
"""Signals made plain: alternating entries and exits, delays, runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from broadpeak._core import check
from broadpeak._core.aliases import Values
from broadpeak._core.arrays import check_labels, unwrap
from broadpeak._signals._kernels import clean as kernels
from broadpeak.errors import DataError, broken_rule


class Cleaned(NamedTuple):
    """The signals that `clean` kept, each like what was passed."""

    entries: Values
    exits: Values


def clean(entries: Values, exits: Values) -> Cleaned:
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
    columns, wrapping = unwrap("entries", entries, np.bool_)
    exit_values, labels = unwrap("exits", exits, np.bool_)
    if columns.shape != exit_values.shape:
        rule = f"have the shape of entries, {columns.shape[::-1]}"
        raise DataError(broken_rule("exits", rule, exit_values.shape[::-1]))
    check_labels("exits", labels, "entries", wrapping)
    kept, kept_exits = np.empty_like(columns), np.empty_like(exit_values)
    for i in range(len(columns)):
        kernels.alternate(columns[i], exit_values[i], kept[i], kept_exits[i])
    return Cleaned(wrapping.wrap(kept), labels.wrap(kept_exits))


def delay(signals: Values, bars: int = 1) -> Values:
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
        If `bars` is negative or not an integer.
    DataError
        If values are not true or false.

    Examples
    --------
    >>> import numpy as np
    >>> delay(np.array([True, False, False]))
    array([False,  True, False])
    """
    bars = check.integer("bars", bars, 0)
    columns, wrapping = unwrap("signals", signals, np.bool_)
    out = np.zeros_like(columns)
    if bars < columns.shape[1]:
        out[:, bars:] = columns[:, : columns.shape[1] - bars]
    return wrapping.wrap(out)


def rank(signals: Values) -> Values:
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
    columns, wrapping = unwrap("signals", signals, np.bool_)
    out = np.empty(columns.shape, np.int64)
    for row, target in zip(columns, out, strict=True):
        kernels.position_in_run(row, target)
    return wrapping.wrap(out)


def first(signals: Values) -> Values:
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
    columns, wrapping = unwrap("signals", signals, np.bool_)
    out = columns.copy()
    out[:, 1:] &= ~columns[:, :-1]
    return wrapping.wrap(out)
