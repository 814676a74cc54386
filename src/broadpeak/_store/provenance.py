# SPDX-License-Identifier: BSD-3-Clause
"""Where trained values come from: `Provenance`, and its lines in a parameter file.

::

    # period: 2001-01-02 to 2012-12-31
    # costs: "AAPL" spread=0.02 fees=0.001
    # sizing: unit
    # objective: prr
    # method: ascent, hill
    # passes: 2
    # trades: 143
    # version: 1.0.0
    # prices: 9f86d081884c7d65
    # date: 2026-03-31

A file of a walk-forward run also says which of its cycles it belongs to, and how its tests traded:
``# cycle: 3 of 10``, ``# tests: border=carry horizon=0 sizing=money capital=10000``. Sizes that
are rounded down have ``whole=yes`` behind them.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import numbers
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from broadpeak._core import check
from broadpeak.errors import ParFileError, broken_rule

_NOTHING = "none"
_LONGEST = 1_100  # characters of a number: every float written to its last digit has fewer
_SETTING = re.compile(r"(\w+)=(\S+)")
_QUOTED = re.compile(r'(?P<name>"(?:[^"\\]|\\.)*")(?P<rest>.*)\Z')
_LINE = re.compile(r"#\s*(?P<key>[a-z]+):\s+(?P<text>.*)\Z")
BORDERS = frozenset({"carry", "close"})
_OF_TESTS = frozenset({"border", "horizon", "sizing", "capital", "whole"})


@dataclass(frozen=True, slots=True)
class CycleOfRun:
    """Which cycle of a walk-forward run some values belong to, and how its tests traded.

    Attributes
    ----------
    number, cycles : int
        The cycle, from 1, and how many there are.
    border : "carry" or "close"
        What becomes of positions where the next cycle begins.
    horizon : int
        Bars at the start of each test on which no position is opened.
    sizing : str
        How the tests sized their trades; see `test`.
    capital : float or None
    whole : bool
    """

    number: int
    cycles: int
    border: str = "carry"
    horizon: int = 0
    sizing: str = ""
    capital: float | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where trained values come from: on what, when and how they were found.

    Attributes
    ----------
    strategy : str
        Name of the strategy.
    period : tuple of labels, or None
        First and last bar that was trained on, over all components.
    costs : dict of str to dict of str to float
        By asset that was trained on what was charged, without what is 0; a lot amount that is not
        1. Empty: not known.
    sizing : str
        How large trades were in the training; "unit" is one lot.
    capital : float or None
        The money of that sizing.
    whole : bool
        Whether sizes were rounded down to whole lots.
    objective, method : str
        What was maximised and how; of a walk-forward run that of its trainings.
    passes : int or None
        Rounds of an ascent.
    trades : int or None
        Trades with the chosen values on these bars, over all components.
    version : str
        Of this library.
    prices : str
        Fingerprint of the prices of `period`.
    date : str
        The day of the training, UTC.
    cycle : CycleOfRun or None
        Where the values come from a walk-forward run.

    Examples
    --------
    >>> Provenance(period=(dt.datetime(2001, 1, 2), dt.datetime(2012, 12, 31))).trained
    '2001-01-02 to 2012-12-31'
    """

    strategy: str = ""
    period: tuple[Any, Any] | None = None
    costs: dict[str, dict[str, float]] = field(default_factory=dict)
    sizing: str = ""
    capital: float | None = None
    whole: bool = False
    objective: str = ""
    method: str = ""
    passes: int | None = None
    trades: int | None = None
    version: str = ""
    prices: str = ""
    date: str = ""
    cycle: CycleOfRun | None = None

    @property
    def trained(self) -> str:
        """The period as text, "2001-01-02 to 2012-12-31"; empty if not known."""
        return "" if self.period is None else " to ".join(map(label_text, self.period))

    def rows(self) -> dict[str, str]:
        """Return everything that is known as text, by name, in the order of the attributes."""
        found: dict[str, list[str]] = {}
        for key, text in self._texts():
            found.setdefault(key, []).append(text)
        return {key: "; ".join(texts) for key, texts in found.items()}

    def lines(self) -> list[str]:
        """Return the lines of a parameter file.

        Raises
        ------
        ParFileError
            If a label or a number cannot be written.
        """
        return [f"# {key}: {text}" for key, text in self._texts()]

    def _texts(self) -> Iterator[tuple[str, str]]:
        if self.period is not None:
            yield "period", " to ".join(map(_written_label, self.period))
        for asset, costs in self.costs.items():
            shown = " ".join(f"{name}={_number(name, value)}" for name, value in costs.items())
            yield "costs", f"{json.dumps(asset)} {shown or _NOTHING}"
        if self.sizing:
            yield "sizing", _sizing_text(self.sizing, self.capital, whole=self.whole)
        for key in ("objective", "method"):
            if text := " ".join(getattr(self, key).split()):
                yield key, text
        for key in ("passes", "trades"):
            if (count := getattr(self, key)) is not None:
                yield key, str(int(count))
        for key in ("version", "prices", "date"):
            if text := " ".join(getattr(self, key).split()):
                yield key, text
        if (cycle := self.cycle) is not None:
            yield "cycle", f"{cycle.number} of {cycle.cycles}"
            sizing = _sizing_text(cycle.sizing, cycle.capital, whole=cycle.whole)
            more = f" sizing={sizing}" if cycle.sizing else ""
            yield "tests", f"border={cycle.border} horizon={cycle.horizon}{more}"


def label_text(label: object) -> str:
    """Return a label of a bar as people write it: dates without an empty time of day.

    Examples
    --------
    >>> label_text(dt.datetime(2001, 1, 2)), label_text(250)
    ('2001-01-02', '250')
    """
    if isinstance(label, dt.datetime):
        text = label.isoformat(sep=" ")
        return text.removesuffix(" 00:00:00") if label.tzinfo is None else text
    text = str(label)
    # Nanoseconds stay text when they are read from a file; see `_read_label`.
    return text.replace("T", " ", 1) if _NANOSECONDS.search(text) else text


def _written_label(label: object) -> str:
    """Return a label as one that `_read_label` makes the same label of."""
    if isinstance(label, str):
        return json.dumps(label)
    if isinstance(label, dt.date):  # a datetime is one, and so is a Timestamp
        return label_text(label).replace(" ", "T")
    number = check.real(label)
    if number is None or not math.isfinite(number):
        rule = "be a date, a number or a string to be written"
        raise ParFileError(broken_rule("the label of a bar", rule, label))
    return repr(int(number) if isinstance(label, numbers.Integral) else float(number))


def _read_label(text: str) -> Any:
    """Return the label that a text stands for; ValueError for none."""
    if text.startswith('"'):
        return json.loads(text)
    if re.fullmatch(r"[+-]?[0-9]{1,20}", text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NANOSECONDS.search(text):
        return text  # a datetime cannot hold it; who compares it with dates makes one of it
    return dt.datetime.fromisoformat(text)


def with_line(known: Provenance | None, line: str, where: str) -> Provenance | None:
    """Return what is known after one comment line of a file, which may say nothing of it.

    Raises
    ------
    ParFileError
        If it is one of the lines of `Provenance.lines` and damaged; `where` names it.
    """
    match = _LINE.match(line)
    if match is None or match["key"] not in _READERS:
        return known
    key, text = match["key"], match["text"].strip()
    reader, example = _READERS[key]
    try:
        return reader(Provenance() if known is None else known, key, text)
    except (ValueError, KeyError, OverflowError) as error:
        msg = (
            f"{where}: a line '# {key}:' must read such as '# {key}: {example}', got "
            f"{text[:60]!r}. Correct it, delete it, or train again."
        )
        raise ParFileError(msg) from error


def _read_period(known: Provenance, key: str, text: str) -> Provenance:
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError(text)
    first, last = map(_read_label, match.group("first", "last"))
    return replace(known, period=(first, last))


def _read_costs(known: Provenance, key: str, text: str) -> Provenance:
    match = _QUOTED.match(text)
    if match is None:
        raise ValueError(text)
    rest, found = match["rest"].strip(), {}
    for word in [] if rest == _NOTHING else rest.split():
        name, sign, number = word.partition("=")
        if not (name.isidentifier() and sign):
            raise ValueError(word)
        found[name] = _read_number(number)
    return replace(known, costs={**known.costs, json.loads(match["name"]): found})


def _read_sizing(known: Provenance, key: str, text: str) -> Provenance:
    return replace(known, **_sizing_of(f"sizing={text}"))


def _read_text(known: Provenance, key: str, text: str) -> Provenance:
    changed: dict[str, Any] = {key: text}
    return replace(known, **changed)


def _read_count(known: Provenance, key: str, text: str) -> Provenance:
    changed: dict[str, Any] = {key: _count(text)}
    return replace(known, **changed)


def _read_cycle(known: Provenance, key: str, text: str) -> Provenance:
    number, _, cycles = text.partition(" of ")
    at = (_count(number), _count(cycles))
    if not 1 <= at[0] <= at[1]:
        raise ValueError(text)
    return replace(known, cycle=CycleOfRun(*at))


def _read_tests(known: Provenance, key: str, text: str) -> Provenance:
    if known.cycle is None:  # whoever deleted the line above wants none
        return known
    settings = dict(_SETTING.findall(text))
    if settings["border"] not in BORDERS:
        raise ValueError(text)
    found = _sizing_of(text) if "sizing" in settings else {}
    horizon = _count(settings["horizon"])
    cycle = replace(known.cycle, border=settings["border"], horizon=horizon, **found)
    return replace(known, cycle=cycle)


_NANOSECONDS = re.compile(r"\.[0-9]{7,9}(?![0-9])")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PERIOD = re.compile(r'(?P<first>"(?:[^"\\]|\\.)*"|\S+) to (?P<last>"(?:[^"\\]|\\.)*"|\S+)')
_READERS: dict[str, tuple[Callable[[Provenance, str, str], Provenance], str]] = {
    "period": (_read_period, "2001-01-02 to 2012-12-31"),
    "costs": (_read_costs, '"AAPL" spread=0.02 fees=0.001'),
    "sizing": (_read_sizing, "money capital=10000 whole=yes"),
    "objective": (_read_text, "prr"),
    "method": (_read_text, "ascent"),
    "passes": (_read_count, "2"),
    "trades": (_read_count, "143"),
    "version": (_read_text, "1.0.0"),
    "prices": (_read_text, "9f86d081884c7d65"),
    "date": (_read_text, "2026-03-31"),
    "cycle": (_read_cycle, "3 of 10"),
    "tests": (_read_tests, "border=carry horizon=0 sizing=money capital=10000 whole=yes"),
}


def _sizing_text(kind: str, capital: float | None, *, whole: bool) -> str:
    money = "" if capital is None else f" capital={_number('capital', capital)}"
    return f"{kind}{money} whole=yes" if whole else f"{kind}{money}"


def _sizing_of(text: str) -> dict[str, Any]:
    settings = dict(_SETTING.findall(text))
    kind, whole = settings["sizing"], settings.get("whole", "no")
    if not kind.isidentifier() or whole not in {"yes", "no"} or not settings.keys() <= _OF_TESTS:
        raise ValueError(text)
    capital = settings.get("capital")
    return {
        "sizing": kind,
        "capital": None if capital is None else _read_number(capital),
        "whole": whole == "yes",
    }


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text.strip()):
        raise ValueError(text)
    return int(text)


def _read_number(text: str) -> float:
    if len(text) > _LONGEST or not _FLOAT.fullmatch(text):
        raise ValueError(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _number(name: str, value: object) -> str:
    number = check.real(value)
    if number is None or not math.isfinite(number):
        raise ParFileError(broken_rule(name, "be a finite number to be written", value))
    return repr(float(number)).removesuffix(".0")
