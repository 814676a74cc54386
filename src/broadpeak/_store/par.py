# SPDX-License-Identifier: BSD-3-Clause
"""Parameter files: trained values as plain text, one line a component.

::

    # broadpeak parameters
    # strategy trend
    # parameter "cycle" default=30 min=10 max=100 step=5 bias=0 integer=no
    # parameter "stop" default=3 min=1 max=10 step=0.5 bias=-3 integer=no
    AAPL 33.04 +10 => 1.1123
    IBM 41.5 2.25 => 0.9871

A line is ``ASSET[:ALGO] v1 v2 … => objective``; ``+`` glued before a value means that the best one
lies at the end of its range. ``# parameter`` lines name the columns of the lines below them.
A component that trades an ensemble has a line for each of its members, with the member's share of
the lots above it; the first line is the centre, and one of weight 0 is shown, not traded::

    # weight 0.5
    IBM 41.5 2.25 => 0.9871
    # weight 0.5
    IBM 41.5 2.5 => 0.9644

Below the strategy stand the lines of `Provenance`: what the values were trained on, and how.

Numbers are written so that reading gives exactly the same float. Other lines that begin with ``#``
are remarks. Files without any comment, as others write them, are read too: their columns are
called ``p1, p2, …``.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType
from typing import Any
from urllib.parse import quote, unquote

from broadpeak._core import check
from broadpeak._store.provenance import Provenance, with_line
from broadpeak.errors import (
    MissingParFileError,
    ParamError,
    ParamTypeError,
    ParFileError,
    UnknownNameError,
    broken_rule,
    shown,
)

HEADER = "# broadpeak parameters"

# Every digit can be read in one way only, so that a long line that fails takes no longer.
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_VALUE = re.compile(rf"(?P<edge>\+?)(?P<number>{_NUMBER})\Z")
_OBJECTIVE = re.compile(rf"(?:{_NUMBER}|[+-]?(?:nan|inf))\Z", re.IGNORECASE)
_DECLARATION = re.compile(r'#\s*parameter\s+(?P<name>"(?:[^"\\]|\\.)*")(?P<rest>.*)\Z')
_SETTING = re.compile(r"(?<!\w)(\w+)=(\S+)")
_WEIGHT = re.compile(r"#\s*weight\s+(?P<number>\S+)\Z")
_SUM_ERROR = 1e-6  # shares typed by hand, such as three of 0.3333333
_LONGEST = 1_100  # characters of a number: every float written to its last digit has fewer
_NAMES_SHOWN = 20
_LINE = "ASSET v1 v2 … => objective, such as: AAPL 33.04 2.71 +10 => 1.112"


@dataclass(frozen=True, slots=True)
class ParRange:
    """Where a trained value was looked for: the arguments of its ``optimize()`` call."""

    default: float
    min: float
    max: float
    step: float = 0.0
    bias: float = 0.0
    integer: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """One combination of an ensemble.

    Attributes
    ----------
    params : dict
        Value of each parameter.
    weight : float
        Its share of the lots, above 0; those of a component add up to 1.
    objective : float
        Score of these values in training; NaN if not known.
    """

    params: dict[str, float]
    weight: float
    objective: float = math.nan


@dataclass(frozen=True, slots=True)
class ComponentParameters:
    """What is known of one component: its line, or the lines of its ensemble.

    Attributes
    ----------
    params : dict
        Value of each parameter, in the order of the ``optimize()`` calls.
    objective : float
        Score of these values in training; NaN if not known.
    at_edge : frozenset of str
        Parameters whose best value is at the end of the range.
    ranges : dict
        `ParRange` of each parameter, where the file has it.
    named : bool
        Whether the names come from the file; else they are ``p1, p2, …`` by position.
    members : tuple of Member
        What is traded in place of `params`, which are then the centre; empty: `params` alone.
    """

    params: dict[str, float]
    objective: float = math.nan
    at_edge: frozenset[str] = frozenset()
    ranges: dict[str, ParRange] = field(default_factory=dict)
    named: bool = True
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a parameter file holds; accepted wherever a training is.

    Attributes
    ----------
    components : dict
        `ComponentParameters` by key, ``"ASSET"`` or ``"ASSET:ALGO"``, in the order of the lines.
    strategy : str
        Name of the strategy that was trained; empty if not known.
    provenance : Provenance or None
        What the values were trained on, and how; None where the file says nothing of it.

    Examples
    --------
    >>> line = ComponentParameters({"cycle": 33.04, "stop": 10.0}, 1.1123, frozenset({"stop"}))
    >>> print(Parameters({"AAPL": line}).text().splitlines()[-1])
    AAPL 33.04 +10 => 1.1123
    """

    components: dict[str, ComponentParameters]
    strategy: str = ""
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        lines: Mapping[object, object] = check.mapping("components", self.components)
        for key, line in lines.items():
            if not (isinstance(key, str) and isinstance(line, ComponentParameters)):
                rule = 'be a dict of ComponentParameters by "ASSET" or "ASSET:ALGO"'
                raise ParamTypeError(broken_rule("components", rule, lines))
            if line.members:
                _check_members(key, line)
        name: object = self.strategy
        if not isinstance(name, str):
            raise ParamTypeError(broken_rule("strategy", "be the name of one", name))
        origin: object = self.provenance
        if not isinstance(origin, (Provenance, NoneType)):
            raise ParamTypeError(broken_rule("provenance", "be a Provenance or None", origin))

    @property
    def params(self) -> dict[str, dict[str, float]]:
        """Values by component and name; of an ensemble those of its centre."""
        return {key: dict(line.params) for key, line in self.components.items()}

    def __getitem__(self, key: str) -> dict[str, float]:
        wanted: object = key
        if not isinstance(wanted, str) or wanted not in self.components:
            rule = f"be one of {', '.join(self.components)}"
            raise UnknownNameError(broken_rule("the component", rule, key))
        return dict(self.components[key].params)

    def __iter__(self) -> Iterator[str]:
        return iter(self.components)

    def __len__(self) -> int:
        return len(self.components)

    def text(self) -> str:
        """Return the content of the parameter file.

        Raises
        ------
        ParFileError
            If a value is not finite, or a component or parameter has no name.
        """
        lines = [HEADER]
        if self.strategy:
            lines.append(f"# strategy {_one_line(self.strategy)}")
        if self.provenance is not None:
            lines += self.provenance.lines()
        declared: list[str] = []
        for key, component in self.components.items():
            declarations = _declarations(component)
            if declarations != declared:
                lines += declarations or ["# parameters without names"]
                declared = declarations
            lines += _lines(key, component)
        return "\n".join(lines) + "\n"

    def write(self, path: str | Path) -> Path:
        """Write the parameter file and return its path; see `write_par`."""
        return write_par(path, self)


def read_par(path: str | Path) -> Parameters:
    """Read a parameter file.

    Parameters
    ----------
    path : str or Path
        A file written by `write_par`, or one line ``ASSET[:ALGO] v1 v2 … => objective`` for each
        component, as other programs write them. Where a component has several lines, each has its
        share of the lots on the line above it: ``# weight 0.25``.

    Returns
    -------
    broadpeak.Parameters
        What the file holds.

    Raises
    ------
    ParFileError
        If the file does not exist (also a ``FileNotFoundError``), is not text, has a damaged line
        (the message names it), a component twice without weights, weights that do not add up to 1,
        or no component.

    Notes
    -----
    Values may carry signs and exponents. A colon after an asset without an algo, empty lines,
    spaces at either end, and line ends of any system are fine.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name) / "trend.par"
    >>> _ = path.write_text("EURUSD: 0.504 2.000 +3.01 => 1.112")
    >>> read_par(path).params
    {'EURUSD': {'p1': 0.504, 'p2': 2.0, 'p3': 3.01}}
    >>> folder.cleanup()
    """
    path = _as_path(path)
    text = _read_text(path)
    lines = [line.strip() for line in text.splitlines()]
    is_ours = any(line == HEADER for line in lines)
    strategy = ""
    provenance: Provenance | None = None
    declared: dict[str, ParRange | None] = {}
    fresh = True
    weight: float | None = None  # of the line that comes next
    found: dict[str, list[tuple[float | None, ComponentParameters]]] = {}
    for number, line in enumerate(lines, 1):
        where = f"{path}, line {number}"
        if line.startswith("#"):
            if is_ours and line.startswith("# strategy "):
                strategy = line.removeprefix("# strategy ").strip()
            declaration = _DECLARATION.match(line)
            if declaration or (is_ours and line == "# parameters without names"):
                declared = {} if fresh else declared
                fresh = False
            if declaration:
                _declare(declared, declaration, where)
            elif is_ours and (share := _WEIGHT.match(line)):
                _check_followed(weight, where)
                weight = _read_weight(share, where)
            elif is_ours:
                provenance = with_line(provenance, line, where)
        elif line:
            key, component = _parsed(line, declared, where, is_ours=is_ours)
            earlier = found.setdefault(key, [])
            if earlier and (weight is None or earlier[0][0] is None):
                rule = "must occur once, or have a line such as '# weight 0.5' above each line"
                msg = f"{where}: component {key!r} {rule}. Delete one of its lines, or add weights."
                raise ParFileError(msg)
            earlier.append((weight, component))
            weight, fresh = None, True
    _check_followed(weight, f"{path}, last line")
    if not found:
        msg = f"{path} must hold at least one line with a component, got none. Type {_LINE}."
        raise ParFileError(msg)
    components = {key: _joined(rows, key, path) for key, rows in found.items()}
    if provenance is not None:
        provenance = replace(provenance, strategy=strategy)
    return Parameters(components, strategy, provenance)


def _joined(
    rows: list[tuple[float | None, ComponentParameters]], key: str, path: Path
) -> ComponentParameters:
    """Return what the lines of one component say together; the first is its centre."""
    weight, centre = rows[0]
    if weight is None:
        return centre
    # One of weight 0 is not traded.
    members = [Member(line.params, share, line.objective) for share, line in rows if share]
    joined = replace(centre, members=tuple(members))
    try:
        _check_members(key, joined)
    except ParamError as error:
        msg = f"{path}: {error}"
        raise ParFileError(msg) from error
    return joined


def write_par(path: str | Path, parameters: Parameters) -> Path:
    """Write a parameter file; the old one stays whole until the new one is complete.

    Parameters
    ----------
    path : str or Path
        Where to; folders are made, an existing file is replaced.
    parameters : Parameters
        What to write.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    ParFileError
        If a value cannot be written, or the disk does not take the file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> line = ComponentParameters({"cycle": 0.1 + 0.2}, 1.5)
    >>> path = write_par(pathlib.Path(folder.name) / "trend.par", Parameters({"IBM": line}))
    >>> read_par(path)["IBM"]["cycle"] == 0.1 + 0.2
    True
    >>> folder.cleanup()
    """
    target = _as_path(path)
    if not isinstance(parameters, Parameters):
        raise ParFileError(broken_rule("parameters", "be Parameters", parameters))
    text = parameters.text()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, text)
    except (OSError, ValueError) as error:  # a string that UTF-8 cannot hold, a null in the path
        reason = getattr(error, "strerror", None) or error
        msg = (
            f"{shown(str(target))} must be a file that can be written, got: {reason}. "
            "Free some space or pass another path; an older file there is unchanged."
        )
        raise ParFileError(msg) from error
    return target


def _replace(target: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:80]}.")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a parameter file is as readable as any other new file.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~mask)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _as_path(path: Any) -> Path:
    """Return `path` as a Path; nothing but a string or a path is one."""
    try:
        known = os.fspath(path)
        return Path(os.fsdecode(known))
    except TypeError:
        rule = "be the path of a parameter file"
        raise ParFileError(broken_rule("path", rule, path, "Pass a string or a Path.")) from None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        rule = "must be a parameter file, but there is none. Train first, or pass another."
        msg = f"{path} {rule}"
        raise MissingParFileError(msg) from error
    except (OSError, ValueError) as error:  # not UTF-8, a null in the path
        got = getattr(error, "strerror", None) or error
        rule = f"must be a readable text file, got: {got}. Pass the path of a .par file."
        msg = f"{shown(str(path))} {rule}"
        raise ParFileError(msg) from error


def _parsed(
    line: str, declared: Mapping[str, ParRange | None], where: str, *, is_ours: bool
) -> tuple[str, ComponentParameters]:
    head, arrow, tail = line.partition("=>")
    words = head.split()
    objective = tail.strip()
    is_number = len(objective) <= _LONGEST and _OBJECTIVE.match(objective)
    if not arrow or not words or not is_number:
        msg = f"{where}: a line must read {_LINE}. Got: {line[:120]!r}."
        raise ParFileError(msg)
    matches = [_VALUE.match(word) if len(word) <= _LONGEST else None for word in words[1:]]
    for word, match in zip(words[1:], matches, strict=True):
        if match is None or not math.isfinite(float(match["number"])):
            msg = (
                f"{where}: every value must be a finite number, perhaps with + before it, "
                f"got {word[:60]!r}. Type it like 33.04 or +10."
            )
            raise ParFileError(msg)
    found = [match for match in matches if match is not None]
    names = list(declared) or [f"p{number}" for number in range(1, len(found) + 1)]
    if len(names) != len(found):
        msg = (
            f"{where}: a line must have one value for each of its {len(names)} parameters "
            f"({_shown(names)}), got {len(found)}. Correct the line, or train again."
        )
        raise ParFileError(msg)
    key = words[0].removesuffix(":") or words[0]
    component = ComponentParameters(
        params={name: float(match["number"]) for name, match in zip(names, found, strict=True)},
        objective=float(objective),
        at_edge=frozenset(n for n, match in zip(names, found, strict=True) if match["edge"]),
        ranges={name: span for name, span in declared.items() if span is not None},
        named=bool(declared) or (is_ours and not found),
    )
    return unquote(key) if is_ours else key, component


def _read_weight(match: re.Match[str], where: str) -> float:
    """Return the number of a line ``# weight 0.25``."""
    try:
        weight = _read_number(match["number"])
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= 1:
        msg = (
            f"{where}: a weight must be a number from 0 to 1, got {match['number'][:60]!r}. "
            "Type it like # weight 0.25."
        )
        raise ParFileError(msg)
    return weight


def _check_followed(weight: float | None, where: str) -> None:
    """Raise where a weight is still waiting for its line."""
    if weight is not None:
        msg = (
            f"{where}: the line of a component must follow each weight, got none after "
            f'"# weight {_number("weight", weight)}". Restore the line, or train again.'
        )
        raise ParFileError(msg)


def _check_members(key: str, component: ComponentParameters) -> None:
    """Raise `ParamError` unless the members of a component are a weighted set of its values."""
    members: tuple[object, ...] = component.members
    total = 0.0
    for member in members:
        if not isinstance(member, Member) or member.params.keys() != component.params.keys():
            rule = f"have the parameters of its centre ({_shown(list(component.params))})"
            raise ParamTypeError(broken_rule(f"the members of {key!r}", rule, member))
        weight = check.real(member.weight)
        if weight is None or not 0 < weight <= 1:
            rule = "be a share of the lots, above 0 and at most 1"
            raise ParamError(broken_rule(f"a weight of {key!r}", rule, member.weight))
        total += weight
    if abs(total - 1.0) > _SUM_ERROR:
        rule = "add up to 1"
        remedy = "Correct them, or train again."
        raise ParamError(broken_rule(f"the weights of {key!r}", rule, total, remedy))


def _declare(declared: dict[str, ParRange | None], match: re.Match[str], where: str) -> None:
    settings = dict(_SETTING.findall(match["rest"]))
    integer = settings.pop("integer", "no") == "yes"
    known = {"default", "min", "max", "step", "bias"} & settings.keys()
    try:
        name = json.loads(match["name"])
        numbers = {setting: _read_number(settings[setting]) for setting in known}
        span = ParRange(**numbers, integer=integer) if {"default", "min", "max"} <= known else None
    except ValueError as error:
        msg = (
            f"{where}: a declaration must read "
            '# parameter "name" default=3 min=1 max=10 step=0.5 bias=0 integer=no. '
            f"Got: {match.string[:120]!r}."
        )
        raise ParFileError(msg) from error
    if name in declared:
        msg = f"{where}: parameter {name!r} must be declared once. Delete one of the lines."
        raise ParFileError(msg)
    declared[name] = span


def _read_number(text: str) -> float:
    """Return a number of a declaration; ValueError for what no parameter can be."""
    number = float(text) if len(text) <= _LONGEST else math.nan
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _shown(names: list[str]) -> str:
    more = "" if len(names) <= _NAMES_SHOWN else ", …"
    return ", ".join(name[:60] for name in names[:_NAMES_SHOWN]) + more


def _declarations(component: ComponentParameters) -> list[str]:
    if not component.named:
        return []
    return [_declaration(name, component.ranges.get(name)) for name in component.params]


def _declaration(name: object, span: ParRange | None) -> str:
    if not name or not isinstance(name, str):
        raise ParFileError(broken_rule("the name of a parameter", "be a string", name))
    line = f"# parameter {json.dumps(name)}"
    if span is None:
        return line
    numbers = " ".join(
        f"{setting}={_number(setting, getattr(span, setting))}"
        for setting in ("default", "min", "max", "step", "bias")
    )
    return f"{line} {numbers} integer={'yes' if span.integer else 'no'}"


def _lines(key: object, component: ComponentParameters) -> list[str]:
    """Return the line of a component, or those of its members with their weights above them."""
    if not key or not isinstance(key, str):
        rule = 'be "ASSET" or "ASSET:ALGO"'
        raise ParFileError(broken_rule("the key of a component", rule, key))
    try:
        key.encode()
    except UnicodeEncodeError as error:
        rule = "be a string that a file can hold"
        raise ParFileError(broken_rule("the key of a component", rule, key)) from error
    known = _escaped(key)
    centre = _line(known, component.params, component.objective, component.at_edge)
    if not component.members:
        return [centre]
    lines = []
    for member in component.members:
        values = {name: member.params[name] for name in component.params}
        line = _line(known, values, member.objective)
        lines += [f"# weight {_number('weight', member.weight)}", line]
    # A centre that is the first member has its line already, but for the marks of its edges.
    if _line(known, component.params, component.objective) == lines[1]:
        lines[1] = centre
        return lines
    return ["# weight 0", centre, *lines]


def _line(
    key: str, params: Mapping[str, float], objective: object, at_edge: Container[str] = ()
) -> str:
    values = [
        f"{'+' if name in at_edge else ''}{_number(name, value)}" for name, value in params.items()
    ]
    return " ".join([key, *values, "=>", _objective(objective)])


def _objective(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return repr(float(value))
    return _number("objective", value)


def _number(name: str, value: Any) -> str:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ParFileError(broken_rule(name, "be a finite number to be written", value))
    return repr(number).removesuffix(".0")


def _escaped(key: str) -> str:
    """Return `key` as one word: white space, ``%``, a leading # and a colon at the end in hex."""
    shown = "".join(
        quote(char, safe="") if char.isspace() or char == "%" or not char.isprintable() else char
        for char in key
    )
    shown = shown.replace("=>", "%3D>")
    if shown.startswith("#"):
        shown = f"%23{shown[1:]}"
    return f"{shown[:-1]}%3A" if shown.endswith(":") else shown


def _one_line(text: str) -> str:
    return " ".join(text.split())
