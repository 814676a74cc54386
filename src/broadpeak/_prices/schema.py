# SPDX-License-Identifier: BSD-3-Clause
"""What a frame of prices must be: its columns, its index, and the rules between its prices."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._core.aliases import Index, Series
from broadpeak._prices.reading.column_order import (
    PRICES,
    TOLERANCE,
    is_high_low_valid,
    meant_by,
    named_by_content,
)
from broadpeak._prices.reading.dates import (
    DateOptions,
    as_dates,
    as_strings,
    dates_of,
    is_dated,
    oldest_first,
    parse_dates,
    with_clock,
)
from broadpeak._prices.reading.deciding import DateColumn
from broadpeak._prices.reading.names import (
    DATES,
    SYMBOLS,
    TIMES,
    WEAK_DATES,
    field_of,
    find_column,
    ranked_field,
    word,
)
from broadpeak._prices.reading.vendor_table import (
    Columns,
    TableOptions,
    distinguishing_label,
    frames_of_table,
    holds_symbols,
    index_to_columns,
    other_columns,
    other_numbers,
    plain_numbers,
    to_long_table,
    with_labels,
)
from broadpeak.errors import DataError, broken_rule, warn
from broadpeak.types import BoolArray, FloatArray

FIELDS = (*PRICES, "volume")
_IN_FRAME = TableOptions(DateOptions(in_frame=True))


def fields_of(symbol: object, frame: pd.DataFrame, *, adjust: bool) -> dict[str, FloatArray]:
    """Return the price fields of `frame` as float64 arrays.

    Raises
    ------
    DataError
        If there is no close, a field appears twice, is not of numbers, or `adjust` finds no
        adjusted close.
    """
    positions = _positions(symbol, frame)
    if "close" not in positions:
        near = check.did_you_mean("close", [str(label) for label in frame.columns])
        remedy = near or "Say which column holds it: columns={'Schluss': 'close'}."
        labels = list(map(str, frame.columns))
        raise DataError(
            broken_rule(f"the prices of {symbol}", "have a column 'close'", labels, remedy)
        )
    fields = {
        field: _numbers(symbol, str(frame.columns[position]), frame.iloc[:, position])
        for field, position in positions.items()
    }
    return _adjusted(symbol, fields, frame.index, adjust=adjust)


def _positions(symbol: object, frame: pd.DataFrame) -> dict[str, int]:
    """Return where each field stands: among several spellings the plainest wins."""
    positions: dict[str, int] = {}
    ranks: dict[str, int] = {}
    for position, label in enumerate(frame.columns):
        ranked = ranked_field(label)
        if ranked is None:
            continue
        field, rank = ranked
        if field in positions and rank == ranks[field]:
            rule = f"have one column for {field!r}"
            labels = [frame.columns[positions[field]], label]
            raise DataError(broken_rule(f"the prices of {symbol}", rule, labels, "Drop one."))
        if field not in positions or rank < ranks[field]:
            positions[field], ranks[field] = position, rank
    return positions


def _numbers(symbol: object, label: str, column: Series) -> FloatArray:
    # Numpy would count nanoseconds, and leave out imaginary parts.
    if column.dtype.kind in "bcmM":
        raise DataError(
            broken_rule(f"column {label!r} of {symbol}", "hold numbers", str(column.dtype))
        )
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        bad = pd.to_numeric(column, errors="coerce").isna() & column.notna()
        position = int(bad.to_numpy().argmax())
        wrong = column.iloc[position] if bad.any() else column.dtype
        at = f" at {column.index[position]} (bar {position})" if bad.any() else ""
        remedy = "Drop or correct what is not a number: pd.to_numeric(column, errors='coerce')"
        if bad.mean() > 0.5:
            remedy = "Most of its cells are not numbers: check whether it is the right column."
        raise DataError(
            broken_rule(f"column {label!r} of {symbol}{at}", "hold numbers", wrong, remedy)
        ) from error


def _others(symbol: object, frame: pd.DataFrame) -> dict[str, FloatArray]:
    """Return by name the columns of numbers that are kept beside the prices."""
    used = {*_positions(symbol, frame).values()}
    frame = other_numbers(frame, f"the prices of {symbol}", ".", _IN_FRAME)
    found = {}
    for label, position in other_columns(frame).items():
        column = frame.iloc[:, position]
        numeric = pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind != "c"
        if position not in used and (numeric or pd.api.types.is_bool_dtype(column.dtype)):
            found[label] = column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    return found


def _adjusted(
    symbol: object, fields: dict[str, FloatArray], index: Index, *, adjust: bool
) -> dict[str, FloatArray]:
    adjusted = fields.pop("adjclose", None)
    if not adjust:
        if adjusted is not None:
            _tell_of_jumps(symbol, fields["close"], adjusted, index)
        return fields
    if adjusted is None:
        rule = "have a column 'Adj Close' for adjust=True"
        raise DataError(broken_rule(f"the prices of {symbol}", rule, sorted(fields)))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = adjusted / fields["close"]  # what is not a price is refused afterwards
    for field in PRICES:
        if field in fields:
            # The adjusted close itself is taken as it is, free of the rounding of the ratio.
            fields[field] = adjusted.copy() if field == "close" else fields[field] * ratio
    return fields


_JUMP = 0.05
"""Beyond this share in one bar it is no dividend: a split, most likely."""


def _tell_of_jumps(symbol: object, close: FloatArray, adjusted: FloatArray, index: Index) -> None:
    """Warn of prices as traded, in which splits look like losses."""
    with np.errstate(all="ignore"):  # what is no price is refused afterwards
        ratio = adjusted / close
        jumps = np.abs(ratio[1:] / ratio[:-1] - 1)
    jumps[~np.isfinite(jumps)] = 0.0
    if (jumps > _JUMP).any():
        bar = int(jumps.argmax()) + 1
        warn(
            f"The prices of {symbol} are not adjusted: close and adjusted close part by "
            f"{jumps[bar - 1]:.0%} at {_place(index, bar)}, which looks like a gain or loss and is "
            "a split or dividend. Pass adjust=True.",
            UserWarning,
        )


def _place(index: Index, bar: int) -> str:
    label = index[bar]
    return str(label).removesuffix(" 00:00:00") if isinstance(label, pd.Timestamp) else f"bar {bar}"


def check_index(symbol: object, index: Index, repeated: str = "") -> None:
    """Refuse an index that is not sorted, not unique, or not of dates or numbers.

    `repeated` says what to do about repeated labels.
    """
    owner = f"the index of {symbol}"
    if isinstance(index, pd.MultiIndex) or not (
        isinstance(index, pd.DatetimeIndex) or index.dtype.kind in "iuf"
    ):
        remedy = "Type: frame.index = pd.to_datetime(frame.index)"
        raise DataError(broken_rule(owner, "hold dates or numbers", index[:1].tolist(), remedy))
    if index.hasnans:
        raise DataError(broken_rule(owner, "have no missing labels", "NaT", "Drop these rows."))
    if index.is_monotonic_increasing and index.is_unique:
        return
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        remedy = repeated or (
            "Correct the file; for a frame, type: frame = frame[~frame.index.duplicated()]"
        )
        raise DataError(broken_rule(owner, "have every bar once", f"{twice} twice", remedy))
    values = index.to_numpy()
    position = int(np.flatnonzero(values[1:] < values[:-1])[0]) + 1
    remedy = "Sort the rows of the file by date; for a frame, type: frame = frame.sort_index()"
    got = f"{index[position]} after {index[position - 1]}"
    raise DataError(broken_rule(owner, "be sorted", got, remedy))


def check_prices(
    symbol: object,
    index: Index,
    fields: dict[str, FloatArray],
    labels: dict[str, Hashable] | None = None,
) -> None:
    """Refuse prices that cannot be: not finite, not positive, or outside high and low.

    `labels` are the columns' own names, for messages.
    """
    for field in PRICES:
        if field in fields:
            values = fields[field]
            _refuse(symbol, index, field, values, ~np.isfinite(values), "be a finite number")
            _refuse(symbol, index, field, values, values <= 0.0, "be positive")
    if "volume" in fields:
        volume = fields["volume"]
        broken = (volume < 0.0) | np.isinf(volume)
        # Interactive Brokers writes so where a market reports no volume.
        column = (labels or {}).get("volume")
        none = (
            f"It says that there is none. Leave it out: frame.drop(columns={column!r}), or name it"
            " '-' in columns=[…] of a file."
        )
        advice = none if len(volume) > 1 and (volume == -1.0).all() else ""
        _refuse(symbol, index, "volume", volume, broken, "be at least 0", advice=advice)
    for field, rule, bound, broken in inconsistent(fields):
        advice = _advice(field, fields, labels or {}, broken, bound) if broken.any() else ""
        _refuse(symbol, index, field, fields[field], broken, f"be {rule}", bound, advice=advice)


def inconsistent(
    fields: Mapping[str, FloatArray],
) -> Iterator[tuple[str, str, FloatArray, BoolArray]]:
    """Yield for high and low the rule between prices, its limit, and where it is broken.

    NaN is missing and breaks no rule.
    """
    inner = [fields[field] for field in ("open", "close") if field in fields]
    for field, sign, edge in (("high", 1.0, np.fmax), ("low", -1.0, np.fmin)):
        if field not in fields:
            continue
        others = [*inner, fields["low"]] if field == "high" and "low" in fields else inner
        bound = edge.reduce(others)
        broken = sign * (bound - fields[field]) > TOLERANCE * bound
        rule = "at least open, close and low" if field == "high" else "at most open and close"
        yield field, rule, bound, broken


def _advice(
    field: str,
    fields: dict[str, FloatArray],
    labels: dict[str, Hashable],
    broken: BoolArray,
    bound: FloatArray,
) -> str:
    """Return what to do about bars outside their high and low, without making up prices."""
    if broken.mean() <= 0.5:
        miss = np.abs(bound - fields[field])[broken] / bound[broken]
        if miss.max() > 1e-3:
            return "Drop or correct these bars."
        edge = "max" if field == "high" else "min"
        names = [name for name in PRICES if name in fields]
        return f"If it is rounding, type: frame[{field!r}] = frame[{names}].{edge}(axis=1)"
    shown = {name: labels.get(name, name) for name in PRICES if name in fields}
    if len(shown) == len(PRICES):
        prices = {name: fields[name] for name in PRICES}
        if is_high_low_valid({**prices, "close": prices["open"]}).all():
            return (
                "Most bars break this rule: the close looks adjusted for splits and dividends, the"
                " others as traded. Take the close as traded, with the adjusted one beside it as"
                " 'Adj Close', and pass adjust=True."
            )
        meant = meant_by(prices)
        if meant:
            said = {shown[name]: role for name, role in meant.items()}
            return f"Most bars break this rule: the columns look swapped. Type: columns={said}"
    return "Most bars break this rule: check whether the columns hold what their names say."


def _refuse(
    symbol: object,
    index: Index,
    field: str,
    values: FloatArray,
    broken: BoolArray,
    rule: str,
    bound: FloatArray | None = None,
    *,
    advice: str = "",
) -> None:
    if not broken.any():
        return
    position = int(np.argmax(broken))
    count = int(broken.sum())
    limit = f" ({bound[position]:g})" if bound is not None else ""
    if not advice:
        advice = _MISSING if np.isnan(values[position]) else "Drop or correct these bars."
    more = f"{count - 1} more bars break this rule. " if count > 1 else ""
    owner = f"{field} of {symbol} at {index[position]} (bar {position})"
    raise DataError(broken_rule(owner, rule + limit, float(values[position]), more + advice))


_MISSING = (
    "Pass missing='drop' to leave out bars without any price, or drop others with frame.dropna(); "
    "calendars are aligned afterwards."
)


def bars_of(
    symbol: Hashable, frame: Any, *, adjust: bool, drop: bool, columns: Columns = None
) -> tuple[Index, dict[str, FloatArray]]:
    """Return the checked index of one symbol's frame, its fields, and its other columns."""
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("close")
    if not isinstance(frame, pd.DataFrame):
        rule = "be a frame with one column a field"
        remedy = "Type: Data.from_frames({'SPX': frame})"
        if hasattr(frame, "to_pandas"):
            remedy = "Type: Data.from_frames({'SPX': frame.to_pandas()})"
        raise DataError(broken_rule(f"the prices of {symbol}", rule, type(frame).__name__, remedy))
    frame = _with_dates(symbol, _one_symbol(symbol, frame, columns))
    if drop:
        present = [label for label in frame.columns if field_of(label) in PRICES]
        frame = frame.dropna(subset=present, how="all")
    if len(frame) == 0:
        raise DataError(broken_rule(f"the prices of {symbol}", "have at least one bar", 0))
    check_index(symbol, frame.index, _about_repeated(frame))
    fields = fields_of(symbol, frame, adjust=adjust)
    labels = {
        field: frame.columns[position] for field, position in _positions(symbol, frame).items()
    }
    check_prices(symbol, frame.index, fields, labels)
    return frame.index, {**fields, **_others(symbol, frame)}


def _about_repeated(frame: pd.DataFrame) -> str:
    """Return what to do about repeated bars: only of equal ones is the first kept."""
    # Labels of other kinds, which need not even have a hash, are refused anyway.
    if frame.index.dtype.kind not in "Miuf" or frame.index.is_unique:
        return ""
    label = distinguishing_label(frame)
    if label is not None:
        said = f"Data.from_frames(frame, columns={{{label!r}: 'symbol'}})"
        return f"It looks like a long table of several symbols. Type: {said}"
    fields = [position for position, label in enumerate(frame.columns) if field_of(label)]
    again = frame.index.duplicated(keep=False)
    bars = frame.iloc[again, fields].assign(**{"": frame.index[again]})
    if len(bars.drop_duplicates()) == bars[""].nunique():
        return ""
    return (
        "These bars differ: does a symbol or a time of day distinguish them? Name its"
        " column, for example columns={'Stock': 'symbol'} or {'Clock': 'time'}. Otherwise find out"
        " which of them is right: frame[frame.index.duplicated(keep=False)]."
    )


def _one_symbol(symbol: Hashable, frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return the prices of a symbol, of a frame that may hold those of several."""
    owner = f"the prices of {symbol}"
    frame = index_to_columns(frame, owner)
    if columns is None or frame.columns.nlevels > 1:
        frame = to_long_table(frame, owner)
    if columns is None:
        frame = _with_labels(frame, owner)
    frame, _ = plain_numbers(with_labels(frame, columns, owner), owner, _IN_FRAME)
    label = find_column(frame, SYMBOLS)
    if label is None or sum(one == label for one in frame.columns) > 1:
        return frame
    column: Series = frame[label]
    names: list[Hashable] = list(column.unique())
    if len(names) < 2:
        return frame
    if symbol not in names:
        rule = "be a frame with one column a field"
        remedy = "It holds several symbols. Type: Data.from_frames(frame)"
        raise DataError(broken_rule(owner, rule, names[:8], remedy))
    rows: pd.DataFrame = frame.loc[(column == symbol).to_numpy()]
    return rows


def _with_labels(frame: pd.DataFrame, owner: str) -> pd.DataFrame:
    """Return a frame made of bare rows, such as those of ccxt, with what its columns hold."""
    numbered = pd.api.types.is_integer_dtype(frame.columns.dtype) and frame.shape[1] > 4
    if not numbered or not isinstance(frame.index, pd.RangeIndex) or not len(frame):
        return frame
    strings = {label: as_strings(frame.iloc[:, k]) for k, label in enumerate(frame.columns)}
    return named_by_content(pd.DataFrame(strings), owner, DateOptions(in_frame=True), None, None)


def _with_dates(symbol: Hashable, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose index holds its dates: from its index, or from a column of dates.

    What is neither stays as it is: numbers of bars.
    """
    owner = f"the prices of {symbol}"
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        return frame
    if is_dated(index):
        column = DateColumn(owner, index.name, np.zeros(0), in_frame=True)
        return frame.set_axis(with_clock(as_dates(index), frame, column), axis=0)
    options = DateOptions(in_frame=True)
    named = index.name is not None and word(index.name) in {*DATES, *TIMES} - WEAK_DATES
    if named or _may_be_dates(index):
        label = "index" if index.name is None else index.name
        column = DateColumn(owner, label, np.zeros(0), in_frame=True)
        try:
            dates = parse_dates(column, pd.Series(index), None)
            return frame.set_axis(dates.rename(index.name), axis=0)
        except DataError:
            if named:
                raise
    dates_found = dates_of(frame.reset_index(drop=True), owner, options)
    if dates_found is None:
        _tell_of_numbers(owner, frame)
        return frame
    return oldest_first(frame.set_axis(dates_found, axis=0))


def _tell_of_numbers(owner: str, frame: pd.DataFrame) -> None:
    """Warn where bars are only numbered beside a column that looks like their times."""
    for position, label in enumerate(frame.columns):
        values = frame.iloc[:, position]
        if field_of(label) or not pd.api.types.is_numeric_dtype(values.dtype) or len(values) < 2:
            continue
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        runs_on = values.is_monotonic_increasing or values.is_monotonic_decreasing
        if runs_on and numbers.min() >= _FIRST_EPOCH and numbers.max() < _LAST_EPOCH:
            warn(
                f"Bars of {owner} are numbered, for there are no dates; column {label!r} looks "
                f"like seconds or milliseconds since 1970. If it is the time of the bar, pass "
                f"columns={{{label!r}: 'date'}}.",
                UserWarning,
            )
            return


_FIRST_EPOCH, _LAST_EPOCH = 1e8, 1e19  # seconds of 1973; nanoseconds of 2286


def _may_be_dates(index: Index) -> bool:
    """Return whether an index without a name may hold dates rather than numbers of bars."""
    if isinstance(index, pd.RangeIndex) or not len(index):
        return False
    if pd.api.types.is_numeric_dtype(index.dtype):
        # 20240102 and epochs; fewer digits are numbers of bars.
        return bool(np.min(np.abs(index.to_numpy())) > 1e7)
    return all(isinstance(label, str) for label in index[:100])


def frames_of(frame: pd.DataFrame, columns: Columns) -> dict[Hashable, pd.DataFrame] | None:
    """Return the frames by symbol of one that names its symbols, or None if it does not."""
    owner = "the frame"
    if frame.columns.nlevels == 1:
        table = index_to_columns(frame, owner)
        table = table if columns is not None else to_long_table(table, owner)
        if not holds_symbols(with_labels(table, columns, owner)):
            return None
    options = TableOptions(DateOptions(in_frame=True), columns)
    return frames_of_table(frame, owner, "frame", None, options)
