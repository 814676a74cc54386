# SPDX-License-Identifier: BSD-3-Clause
"""Which bars a training saw: periods on an index, and whether prices are still those of then."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._store.provenance import Provenance
from broadpeak._training.components import Bars
from broadpeak.errors import ParamError, broken_rule


def span_of(index: pd.Index, period: tuple[Any, Any]) -> slice | None:
    """Return the bars of `index` within a period; None where labels are of another kind."""
    first, last = _as_labels(index, period)
    try:
        return slice(
            int(index.searchsorted(first, side="left")), int(index.searchsorted(last, side="right"))
        )
    except (TypeError, ValueError):
        return None


def bar_after(index: pd.Index, label: Any) -> int:
    """Return the first bar of `index` after a label.

    Raises
    ------
    ParamError
        If the label is of another kind than those of the index.
    """
    span = span_of(index, (label, label))
    if span is None:
        rule = f"end at a label of the index ({index.dtype})"
        raise ParamError(broken_rule("a training", rule, label, "Pass the prices it had."))
    return int(span.stop)


def _moment(label: Any, index: pd.DatetimeIndex) -> Any:
    try:
        moment = pd.Timestamp(label)
    except (TypeError, ValueError):
        return label
    if isinstance(label, (int, float)):
        return label  # the number of a bar is no date
    if (moment.tz is None) is (index.tz is None):
        return moment
    return moment.tz_localize(index.tz if moment.tz is None else None)


def prices_key(
    bars: Mapping[str, Bars], assets: Iterable[str], period: tuple[Any, Any] | None
) -> str:
    """Return a fingerprint of the prices of some assets within a period; "" where there is none.

    Volume does not count: vendors correct it.
    """
    digest = hashlib.blake2b(digest_size=8)
    for asset in assets:
        own = bars.get(asset)
        span = None if own is None or period is None else span_of(own.index, period)
        if own is None or span is None or span.start >= span.stop:
            return ""
        index = own.index[span]
        if isinstance(index, pd.DatetimeIndex):
            digest.update(index.as_unit("us").asi8.tobytes())
        else:
            digest.update("\0".join(map(str, index)).encode())
        for column in (own.open, own.high, own.low, own.close):
            digest.update(np.ascontiguousarray(column[span]).tobytes())
    return digest.hexdigest()


def same_prices_as(
    origin: Provenance, bars: Mapping[str, Bars], *, is_same_data: bool
) -> bool | None:
    """Return whether bars have the prices that were trained on; None where nobody can know.

    Bars that begin or end within the period of the training have only some of those prices, and no
    fingerprint of these is known. The assets are those that costs are known of.
    """
    if not (origin.prices and origin.costs) or origin.period is None:
        return None
    if is_same_data or prices_key(bars, origin.costs, origin.period) == origin.prices:
        return True
    indexes = [bars[asset].index for asset in origin.costs if asset in bars]
    if len(indexes) < len(origin.costs):
        return None
    try:
        edges = [
            (one[0] <= first, one[-1] >= last)
            for one in indexes
            for first, last in [_as_labels(one, origin.period)]
        ]
    except TypeError:  # labels of another kind: other prices
        return False
    # An asset may begin later than others; none of them does where the data is cut.
    return False if all(map(any, zip(*edges, strict=True))) else None


def _as_labels(index: pd.Index, period: tuple[Any, Any]) -> tuple[Any, Any]:
    first, last = period
    if isinstance(index, pd.DatetimeIndex):
        return _moment(first, index), _moment(last, index)
    return first, last


def sample_of(
    indexes: Iterable[pd.Index], origin: Provenance | None, *, same_prices: bool | None
) -> str:
    """Return "in sample" where all of these bars were trained on, "" where nobody knows.

    Bars without dates are those of the training only where their prices are: any other prices have
    bars of the same numbers.
    """
    if origin is None or origin.period is None:
        return ""
    found = set()
    for index in indexes:
        if not (same_prices or isinstance(index, pd.DatetimeIndex)):
            return ""
        found.add(_share_of(index, origin.period))
    if len(found) > 1 and None not in found:
        return "partly in sample"
    return found.pop() or "" if len(found) == 1 else ""


def _share_of(index: pd.Index, period: tuple[Any, Any]) -> str | None:
    """Return how much of `index` is within a period; None where labels are of another kind."""
    first, last = _as_labels(index, period)
    begin, end = index[0], index[-1]
    try:  # most tests need no search
        if begin >= first and end <= last:
            return "in sample"
        if end < first or begin > last:
            return "out of sample"
    except TypeError:
        return None
    span = span_of(index, period)
    if span is None:
        return None
    return "partly in sample" if span.stop > span.start else "out of sample"
