# SPDX-License-Identifier: BSD-3-Clause
"""What a training warns of: too few trades, too narrow a peak, prices that grew too much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from broadpeak._training.componentsearch import ComponentSearch
from broadpeak._training.mistakes import unprotected_note
from broadpeak._training.objective import NamedObjective
from broadpeak._training.result import ComponentTraining, Training
from broadpeak._training.strategy import Strategy
from broadpeak._training.trainoptions import TrainOptions

MIN_TRADES_PER_PARAMETER = 20

MOST_CHANGE = 3
"""How many times prices may change within a training at one lot before a warning says so."""


class Note(str):
    """A warning and its kind, so that those of several trainings can be joined."""

    __slots__ = ("kind",)
    kind: str

    def __new__(cls, kind: str, text: str) -> Note:
        """Make a note of this kind."""
        note = super().__new__(cls, text)
        note.kind = kind
        return note

    def __reduce__(self) -> tuple[type[Note], tuple[str, str]]:
        return Note, (self.kind, str(self))


def notes_of(
    strategy: Strategy,
    results: Sequence[ComponentTraining],
    searches: Sequence[ComponentSearch],
    shared: Sequence[frozenset[str]],
    options: TrainOptions,
) -> tuple[Note, ...]:
    """Return the warnings about a training; `shared` rest on the trades of all components."""
    silent, unusable, few, n_unprotected = [], [], [], 0
    n_together = 0
    for found, search, others in zip(results, searches, shared, strict=True):
        n_trades = 0.0
        for evaluation in search.by_point.values():
            n_unprotected = max(n_unprotected, evaluation.n_unprotected)
            n_trades += evaluation.n_trades
        n_params = sum(dim.searched and dim.name not in others for dim in found.dimensions)
        n_chosen = found.stats.num_trades if found.stats else 0
        n_together += n_chosen
        if not n_trades:
            silent.append(found.key)
        elif not found.usable and search.cut and not search.tried:
            continue  # the search was ended before it came to this component
        elif not found.usable:
            unusable.append(f"{found.key}: {_why_unusable(search, options)}")
        elif n_chosen < MIN_TRADES_PER_PARAMETER * n_params:
            few.append(f"{found.key} {n_chosen} for {n_params}")
    if shared[0] and n_together < MIN_TRADES_PER_PARAMETER * len(shared[0]):
        few.append(f"all together {n_together} for {len(shared[0])}")
    name = repr(strategy.name)
    notes = []
    if silent:
        text = f"{name} never trades ({_and_more(silent)}): the defaults are kept. "
        notes.append(Note("silent", f"{text}Check its signals, lookback and lots."))
    if unusable:
        text = f"{name} has no step with a usable objective ({_and_more(unusable)}): the "
        text += (
            "defaults are kept, objective 0. Where none scored above 0 there is no edge to choose; "
        )
        notes.append(Note("unusable", f"{text}`bp.select` would take the least bad of them."))
    if few:
        text = (
            f"The values chosen for {name} rest on fewer than {MIN_TRADES_PER_PARAMETER} "
            f"trades per parameter ({_and_more(few)}): they may be luck. Use more history, "
            "fewer parameters, or a higher min_trades."
        )
        notes.append(Note("few", text))
    narrow = [one for search in searches for one in search.narrow]
    if narrow:
        text = (
            f"What was chosen for {name} stands alone ({_and_more(narrow)}): the scores beside it "
            "do not carry it, so it may be luck. Look at its chart, and use more history."
        )
        notes.append(Note("narrow", text))
    if n_unprotected:
        notes.append(Note("unprotected", unprotected_note(strategy, n_unprotected)))
    steep = _steep(searches)
    if steep:
        text = (
            f"{name} was trained at one lot on prices that changed more than {MOST_CHANGE} times "
            f"within the period ({_and_more(steep)}), so that the years with the highest prices "
            'decide. Pass sizing="money", in walk_forward train_sizing="money", to let all years '
            "count alike."
        )
        notes.append(Note("steep", text))
    return tuple(notes)


def _steep(searches: Sequence[ComponentSearch]) -> list[str]:
    """Return the assets that trade one lot while their prices change too much for it, and how much.

    Counted are the last close against the first, and the mean of each tenth of the bars against
    that of the others, so that a short extreme is none.
    """
    found: dict[str, str] = {}
    for search in searches:
        account = search.setup.account
        if not account.unit_lots or account.budget is not None:
            continue
        close = account.prices.close[0, account.first :]
        if close.max() < MOST_CHANGE * close.min():
            continue  # nor do means change more
        edges = _even_edges(len(close), min(10, len(close)))
        means = [np.add.reduce(close[begin:end]) / (end - begin) for begin, end in pairwise(edges)]
        times = max(max(means) / min(means), close[-1] / close[0], close[0] / close[-1])
        if times > MOST_CHANGE:
            found[search.setup.component.asset] = f"{search.setup.component.asset} {times:.3g}"
    return [*found.values()]


def _even_edges(n: int, n_parts: int) -> list[int]:
    """Return where parts of n things begin and end; the first ones are longer by one."""
    size, longer = divmod(n, n_parts)
    return [part * size + min(part, longer) for part in range(n_parts + 1)]


def _why_unusable(search: ComponentSearch, options: TrainOptions) -> str:
    """Return how many trades the steps of a search made, and why none of them counts."""
    found = search.by_point.values()
    most = max((one.n_trades for one in found), default=0.0)
    trades = f"at most {most:g} trade{'s' * (most != 1)} a step"
    if isinstance(search.setup.objective, NamedObjective) and most < options.min_trades:
        return f"{trades}, and min_trades={options.min_trades:g} wants more"
    scores = [one.score for one in found if math.isfinite(one.score)]
    best = f"the best objective is {max(scores):.4g}" if scores else "no objective is a number"
    return f"{trades}, {best}"


def _and_more(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def joined_notes(trainings: Sequence[Training]) -> tuple[str, ...]:
    """Return the notes of several trainings, those of one kind as one."""
    by_kind: dict[str, list[str]] = {}
    for training in trainings:
        for note in training.notes:
            by_kind.setdefault(getattr(note, "kind", note), []).append(note)
    return tuple(
        Note(kind, f"In {len(notes)} of {len(trainings)} cycles: {notes[0]}")
        for kind, notes in by_kind.items()
    )
