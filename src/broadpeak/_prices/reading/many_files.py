# SPDX-License-Identifier: BSD-3-Clause
"""Several files: which there are, which symbols they hold, and parts of one series joined."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from broadpeak._core import check
from broadpeak._prices.reading.opening import shown, stem
from broadpeak._prices.reading.patterns import expanded
from broadpeak._prices.reading.vendor_table import (
    TableOptions,
    check_dates_of_parts,
    frames_of_table,
    read_table,
)
from broadpeak.errors import DataError, broken_rule, warn

Frames = dict[Hashable, pd.DataFrame]


class _FileOfSymbols(NamedTuple):
    """What one of several files holds.

    Attributes
    ----------
    name : str
        How messages call the file.
    frames : dict of symbol to frame
        Its bars.
    is_named : bool
        The table says which symbols these are; otherwise it is the name of the file.
    table : DataFrame
        As it was read.
    notes : tuple of str
        What there is to tell of its dates, if no other file says more.
    """

    name: str
    frames: Frames
    is_named: bool
    table: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def only(self) -> pd.DataFrame:
        return next(iter(self.frames.values()))


def check_symbol(symbol: Hashable) -> None:
    """Refuse anything but the name of a symbol or a list of names.

    Raises
    ------
    ParamTypeError
        If a name cannot be told from others.
    """
    for name in symbol if isinstance(symbol, (list, tuple)) else [symbol]:
        if symbol is not None:
            check.identifier("symbol", name)


def read_frames(
    path: object,
    symbol: Hashable,
    options: TableOptions,
    read: Callable[[Any], pd.DataFrame] | None = None,
) -> Frames:
    """Return the frames of one file, of a list of files or patterns, or of a dict to files.

    Raises
    ------
    DataError
        If there is no file, a file is no table of prices, `symbol` does not say which symbols these
        are, or two files hold the same bars.
    """
    check_symbol(symbol)
    if isinstance(path, (Mapping, list, tuple)) and not path:
        raise DataError(broken_rule("path", "name at least one file", path))
    if isinstance(path, Mapping):
        frames: Frames = {}
        for name, each in path.items():
            if isinstance(each, Mapping):
                rule = "be a dict of symbol to file, none of them a dict"
                raise DataError(broken_rule("path", rule, path))
            frames.update(read_frames(each, name, options, read))
        return frames
    files = expanded(path)
    if len(files) == 1:
        table = read(files[0]) if read else read_table(files[0], options)
        return frames_of_table(table, shown(files[0]), stem(files[0]), symbol, options)
    found = [_read_one(file, options, read) for file in files]
    return _joined(found, options) if symbol is None else _of_wanted(found, symbol, options)


def _read_one(
    file: object, options: TableOptions, read: Callable[[Any], pd.DataFrame] | None
) -> _FileOfSymbols:
    table = read(file) if read else read_table(file, options)
    notes: list[str] = []
    options = replace(options, dates=replace(options.dates, notes=notes))
    frames = frames_of_table(table, shown(file), stem(file), None, options)
    is_named = list(frames) != [stem(file)]
    return _FileOfSymbols(shown(file), frames, is_named, table, tuple(notes))


def _of_wanted(found: Sequence[_FileOfSymbols], symbol: Hashable, options: TableOptions) -> Frames:
    """Return the frames of the symbols that the caller names.

    Names that the files know select. Others are the names of the files in their order; and a single
    one says that all files are parts of its series.

    Raises
    ------
    DataError
        If the names are neither.
    """
    wanted = list(symbol) if isinstance(symbol, (list, tuple)) else [symbol]
    known = list(dict.fromkeys(name for file in found for name in file.frames))
    if not wanted or all(name in known for name in wanted):
        if not wanted or len(set(wanted)) < len(wanted):
            raise DataError(broken_rule("symbol", "name each symbol once, at least one", wanted))
        picked = [
            file._replace(
                frames={name: file.frames[name] for name in wanted if name in file.frames}
            )
            for file in found
        ]
        frames = _joined(picked, options, is_asked=True)
        return {name: frames[name] for name in wanted}
    names = wanted * len(found) if len(wanted) == 1 else wanted
    single = all(len(file.frames) == 1 for file in found)
    moved = [
        name
        for name, file in zip(names, found, strict=False)
        if name in known and name not in file.frames
    ]
    if not single or len(names) != len(found) or moved:
        rule = f"be some of {', '.join(map(repr, known))}, or one name for each of the files"
        got = moved[0] if moved else wanted
        remedy = "Type: Data.from_csv({'SPX': path, …})"
        if moved:
            remedy = f"{moved[0]!r} is another file. {remedy}"
        raise DataError(broken_rule("symbol", rule, got, remedy))
    renamed = [
        file._replace(frames={name: file.only}, is_named=True)
        for name, file in zip(names, found, strict=True)
    ]
    return _joined(renamed, options, is_asked=True)


def _joined(
    found: Sequence[_FileOfSymbols], options: TableOptions, *, is_asked: bool = False
) -> Frames:
    """Return all frames, parts of one symbol joined in time.

    Two files of one name that say nothing of a symbol inside may be anything: they are parts of one
    series only where the caller says so.

    Raises
    ------
    DataError
        If two files hold the same bar of a symbol, or one name.
    """
    parts: dict[Hashable, list[_FileOfSymbols]] = {}
    for file in found:
        for name, frame in file.frames.items():
            parts.setdefault(name, []).append(file._replace(frames={name: frame}))
    frames: Frames = {}
    checked: set[tuple[str, ...]] = set()
    for name, files in parts.items():
        if len(files) > 1 and not is_asked and not all(file.is_named for file in files):
            rule = "hold different symbols"
            remedy = (
                "Type: Data.from_csv({'SPX': path, …}), or, if they are parts of one series,"
                f" symbol={name!r}."
            )
            raise DataError(broken_rule("the files", rule, f"{name} twice", remedy))
        if len(files) > 1:
            _check_zones(name, files)
        tables = {file.name: file.table for file in files}
        if len(tables) > 1 and tuple(tables) not in checked:
            checked.add(tuple(tables))  # the symbols of one set of files are looked at together
            check_dates_of_parts(tables, f"the files of {name}", options)
        frames[name] = files[0].only if len(files) == 1 else _one_series(name, files)
    alone = [file for file in found if not any(file.name in names for names in checked)]
    for note in (note for file in alone for note in file.notes):
        warn(note, UserWarning)
    return frames


def _check_zones(name: Hashable, files: Sequence[_FileOfSymbols]) -> None:
    """Refuse parts of one series of which some have a time zone and others none."""
    zones = {str(getattr(file.only.index, "tz", None)) for file in files}
    if len({zone == "None" for zone in zones}) > 1:
        rule, remedy = "all have a time zone, or none", "Type: tz='UTC'"
        raise DataError(broken_rule(f"the files of {name}", rule, sorted(zones), remedy))


def _one_series(name: Hashable, files: Sequence[_FileOfSymbols]) -> pd.DataFrame:
    """Return the bars of parts of one series, oldest first."""
    parts = [file for file in files if len(file.only)]
    if not parts:
        return files[0].only  # refused later, in words
    parts.sort(key=lambda file: file.only.index[0])
    joined = pd.concat([file.only for file in parts])
    if not joined.index.is_unique:
        _refuse_common_bars(name, parts)
    return joined if joined.index.is_monotonic_increasing else joined.sort_index(kind="stable")


def _refuse_common_bars(name: Hashable, files: Sequence[_FileOfSymbols]) -> None:
    """Name a bar that two files hold; one that a file holds twice is refused later."""
    holders: dict[Hashable, str] = {}
    for file in files:
        for bar in file.only.index:
            if holders.setdefault(bar, file.name) != file.name:
                rule = "hold each bar once"
                got = f"{bar} in {holders[bar]} and in {file.name}"
                remedy = "Leave one of them out; different symbols need a name each."
                raise DataError(broken_rule(f"the files of {name}", rule, got, remedy))
