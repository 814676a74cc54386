# SPDX-License-Identifier: BSD-3-Clause
"""Threads: for functions that release the interpreter lock, as compiled ones and NumPy do."""

from __future__ import annotations

import contextvars
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue

from broadpeak._core.stopping import Stops, TaskStopped
from broadpeak._run.batches import Batch, run_batch
from broadpeak._run.dispatch import Answer, FutureEngine, Ticket, WorkItem
from broadpeak.errors import EngineError

_POLL_SECONDS = 0.5  # some systems notice Ctrl-C only between waits
_PATIENCE_SECONDS = 1.0


class ThreadEngine(FutureEngine):
    """Runs batches in threads of this process.

    A task that holds the interpreter lock in C code can be neither timed out nor interrupted before
    it returns. The threads are daemons of our own: those of `concurrent.futures` are waited for
    when the interpreter ends, which an abandoned task may never let it.

    Parameters
    ----------
    n_workers : int
        Number of threads.
    """

    pickles = False
    ahead = 0  # a thread that waits for this one costs little, a started task cannot be undone

    def start(self) -> None:
        """Make the queues; threads start as batches come."""
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Ticket, Answer]] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._stops: list[Stops] = []
        self._n_running = 0

    def submit(self, item: WorkItem) -> Ticket:
        """Queue a batch, and start a thread for it if all are busy."""
        self._batches.put(item.batch)
        self._n_running += 1
        if self._n_running > len(self._threads):
            # It sees the context variables of the run, such as NumPy's error state.
            context = contextvars.copy_context()
            stops = Stops()
            work = (_work, self._batches, self._answers, stops)
            thread = threading.Thread(
                target=context.run, args=work, name="broadpeak-worker", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:
                if not self._threads:
                    msg = (
                        "A thread must start, but the system allows no more. Pass "
                        "engine='serial', or end programs that have many threads."
                    )
                    raise EngineError(msg) from error
                self.n_workers = len(self._threads)  # those there are must do
            else:
                self._threads.append(thread)
                self._stops.append(stops)
        return id(item.batch)

    def wait(self) -> list[tuple[Ticket, Answer]]:
        """Wait for one of the threads."""
        while True:
            with suppress(Empty):
                answer = self._answers.get(timeout=_POLL_SECONDS)
                self._n_running -= 1
                return [answer]

    def close(self, *, abandoned: bool) -> None:
        """End the threads, those that run a task as soon as they are back in Python code."""
        patience = _PATIENCE_SECONDS
        if abandoned:
            with suppress(Empty):
                while True:
                    self._batches.get_nowait()
            for stops in self._stops:
                stops.stop()
            patience /= max(len(self._threads), 1)
        for _ in self._threads:
            self._batches.put(None)
        for thread in self._threads:
            thread.join(patience)


def _work(
    batches: SimpleQueue[Batch | None],
    answers: SimpleQueue[tuple[Ticket, Answer]],
    stops: Stops,
) -> None:
    stops.adopt()
    while not stops.is_asked and (batch := batches.get()) is not None:
        try:
            answer: Answer = run_batch(batch)
        except TaskStopped:
            return
        except BaseException as error:  # noqa: BLE001  # raised in the thread that waits
            answer = error
        answers.put((id(batch), answer))
        del batch, answer  # what they hold is not held by a thread that waits
