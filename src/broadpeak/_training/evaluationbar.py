# SPDX-License-Identifier: BSD-3-Clause
"""One bar over all evaluations of a training, or of the trainings of a walk-forward run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from broadpeak._core.threads import nesting
from broadpeak._run.progress import ProgressBar, is_shown
from broadpeak._run.sinks import ResultList
from broadpeak.types import Keywords


class EvaluationBar(ProgressBar):
    """Counts evaluations as they end; how many there will be is known better and better.

    It is drawn once the first training has learned its parameters. A search may end early, or come
    to the same values twice, so what is expected is replaced by what it was as each one ends; the
    trainings that follow are taken to be as long as the last one.

    Parameters
    ----------
    name : str
        What is trained.
    n_trainings : int
        How many trainings are counted.
    options : mapping
        Passed to tqdm, over the defaults.
    """

    def __init__(self, name: str, n_trainings: int, options: Keywords) -> None:
        self._name, self._options = name, options
        self._n_trainings = n_trainings
        self._number = 0
        self._n = 0  # evaluations so far
        self._began = 0  # of which before this training
        self._since = 0  # and before this part of it
        self._length: int | None = None  # of one training
        self._parts: list[int] = []
        self._is_drawn = False

    def begin(self, parts: Sequence[int]) -> None:
        """Begin the next training: about how many evaluations each of its searches makes."""
        self._number += 1
        self._parts, self._began, self._since = list(parts), self._n, self._n
        self._length = sum(parts) if all(parts) else self._length
        self._expect()
        self._tell_number()

    def end_search(self) -> None:
        """Note that one of the searches of the training has ended."""
        del self._parts[:1]
        self._since = self._n
        if not self._parts:
            self._length = self._n - self._began
        self._expect()

    def add_training(self, n: int) -> None:
        """Note that a worker has come back with a whole training, of `n` evaluations."""
        self._number += 1
        self.update(n)
        self._parts, self._length, self._since = [], n, self._n
        self._expect()
        self._tell_number()

    def expect(self, length: int | None) -> None:
        """Draw the bar of trainings that workers make; each has about `length` evaluations."""
        self._length = length or None
        self._expect(self._n_trainings)

    def update(self, n: int, failed: int = 0) -> None:
        """Note that `n` more evaluations ended, `failed` of them without a result."""
        self._n += n
        super().update(n, failed)

    def close(self) -> None:
        """Stop updating the bar; what it shows stays."""
        if self._is_drawn:
            super().close()

    def _tell_number(self) -> None:
        if self._n_trainings > 1 and "desc" not in self._options:
            self.describe(f"{self._name} {self._number}/{self._n_trainings}")

    def _expect(self, n_left: int | None = None) -> None:
        if n_left is None:
            n_left = self._n_trainings - self._number
        total: int | None = None
        if all(self._parts) and (self._length is not None or not n_left):
            total = self._since + sum(self._parts) + n_left * (self._length or 0)
        if self._is_drawn:
            self.set_total(total)
            return
        self._is_drawn = True
        super().__init__(total, {"unit": " evaluations", "desc": self._name, **self._options})


@contextmanager
def evaluation_bar(
    execute: Mapping[str, Any], name: str, n_trainings: int = 1
) -> Iterator[EvaluationBar | None]:
    """Show a bar while trainings run, if these options of `execute` want one; else there is None.

    As for any run, without a word about it there is one on a terminal and in a notebook, but not
    inside another run.
    """
    options = execute.get("pbar_kwargs") or {}
    if not is_shown(execute.get("show_progress"), options, nesting.get().depth):
        yield None
        return
    bar = EvaluationBar(name, n_trainings, options)
    try:
        yield bar
    finally:
        bar.close()


class CountedTrainings(ResultList):
    """Takes the trainings that workers made, and moves the bar by the evaluations of each."""

    def __init__(self, bar: EvaluationBar) -> None:
        super().__init__()
        self._bar = bar

    def put(self, positions: Sequence[int], values: Any, seconds: float) -> None:
        """Put every training where its task is."""
        super().put(positions, values, seconds)
        for training in values:
            components = training.components.values()
            self._bar.add_training(sum(one.n_evaluations for one in components))
