# SPDX-License-Identifier: BSD-3-Clause
"""What a training warns of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from broadpeak._training.result import ComponentTraining
from broadpeak._training.strategy import Strategy
from broadpeak._training.trainer import Log

MIN_TRADES_PER_PARAMETER = 20


class Note(str):
    """A warning and what it is about, so that those of several trainings can be told as one."""

    __slots__ = ("kind",)
    kind: str

    def __new__(cls, kind: str, text: str) -> Note:
        """Make a note of what `kind` is about."""
        note = super().__new__(cls, text)
        note.kind = kind
        return note

    def __reduce__(self) -> tuple[type[Note], tuple[str, str]]:
        return Note, (self.kind, str(self))


class Notes:
    """Collects what the user should know."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._unusable: list[str] = []
        self._few: list[str] = []
        self._cold = 0
        self._silent: list[str] = []

    def add(self, found: ComponentTraining, log: Log) -> None:
        """Note what one component came to."""
        evaluations = list(log.by_point.values())
        self._cold = max([self._cold, *(one.cold_stops for one in evaluations)])
        if not any(one.n_trades for one in evaluations):
            self._silent.append(found.key)
            return
        if not found.usable:
            self._unusable.append(found.key)
            return
        n_trades = found.stats.num_trades if found.stats else 0
        n_params = sum(dim.searched for dim in found.dimensions)
        if n_trades < MIN_TRADES_PER_PARAMETER * n_params:
            self._few.append(f"{found.key} {n_trades} for {n_params}")

    def texts(self) -> tuple[Note, ...]:
        """Return the warnings."""
        name = repr(self._strategy.name)
        texts = {
            "silent": self._silent
            and f"{name} never trades ({_and_more(self._silent)}): the defaults are kept. "
            "Check its signals, lookback and lots.",
            "unusable": self._unusable
            and f"{name} has no step with a usable objective ({_and_more(self._unusable)}): the "
            "defaults are kept, objective 0.",
            "few": self._few
            and f"The values chosen for {name} rest on fewer than {MIN_TRADES_PER_PARAMETER} "
            f"trades per parameter ({_and_more(self._few)}): they may be luck. Use more history, "
            "fewer parameters, or a higher min_trades.",
            "cold": self._cold and cold_note(self._strategy, self._cold),
        }
        return tuple(Note(kind, text) for kind, text in texts.items() if text)


def _and_more(items: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def cold_note(strategy: Strategy, n_entries: int) -> str:
    """Return the warning about entries whose stop was not known yet."""
    return (
        f"{strategy.name!r} entered up to {n_entries} trades while its stop was NaN because of "
        f"warm-up, so without a stop. Raise lookback={strategy.lookback} by the period of the stop "
        f"plus unstable_period={strategy.unstable_period}."
    )


def joined(cycles: Sequence[Iterable[str]]) -> tuple[str, ...]:
    """Return the notes of several trainings, those of one kind as one."""
    by_kind: dict[str, list[str]] = {}
    for notes in cycles:
        for note in notes:
            by_kind.setdefault(getattr(note, "kind", note), []).append(note)
    return tuple(
        Note(kind, f"In {len(texts)} of {len(cycles)} cycles: {texts[0]}")
        for kind, texts in by_kind.items()
    )
