# SPDX-License-Identifier: BSD-3-Clause
"""A cluster and its drivers in one process, where whatever may go wrong does, and can be repeated.

`SimulatedEngine` is an engine whose scheduler asks a seeded generator what happens next. `World`
lets several drivers take turns in the middle of what they do, kills them there, or stops them for
so long that the others take them for dead.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest import mock

from broadpeak._run import claiming, remote, stored, storedkept
from broadpeak._run.batches import lost, run_batch
from broadpeak._store import claims, rows
from broadpeak.engines import NOT_BEGUN, FutureEngine, WorkItem
from broadpeak.errors import EngineError

RAN: list[tuple[str, int]] = []
"""What tasks note here that they ran, also those that were sent by value."""

# --- the cluster ------------------------------------------------------------------------------

GENTLE = ("run", "report", "repeat", "nothing", "forget")
"""Events after which no call is made twice: in any order, late, twice, by workers that forget."""
HARSH = (*GENTLE, "unbegun", "lose", "break")
"""The others: a batch never began, its worker died with it or with its answer, all of them did."""


class SimulatedEngine(FutureEngine):
    """A cluster in this thread.

    Parameters
    ----------
    n_workers : int
        How many batches it runs at a time, in words.
    seed : int or Random
        Says what happens next.
    events : tuple of str
        What may happen.
    kind : {"in process", "asking", "placing"}
        Whether batches are pickled, and whether workers ask for what many batches share or there is
        a place for it.
    point : callable, optional
        Called with the name of a state whenever the driver comes to one.
    """

    files = False

    def __init__(
        self,
        n_workers: int,
        *,
        seed: int | random.Random = 0,
        events: tuple[str, ...] = HARSH,
        kind: str = "asking",
        point: Callable[[str], object] = str,
    ) -> None:
        super().__init__(n_workers)
        self.random = seed if isinstance(seed, random.Random) else random.Random(seed)
        self.events = events
        self.pickles = kind != "in process"
        self.places = kind == "placing"
        self.point = point
        self.placed: list[bytes] = []
        self.died: Counter[int] = Counter()  # position -> how often it was lost with its batch
        self.old: list[tuple[WorkItem, Any]] = []  # reports that may come again

    def start(self) -> None:
        """Begin with workers that hold nothing."""
        self.waiting: list[WorkItem] = []
        self.ended: list[tuple[WorkItem, Any]] = []

    def put(self, data: bytes) -> int | None:
        """Place what many batches share."""
        if not self.places:
            return None
        self.placed.append(data)
        return len(self.placed) - 1

    def submit(self, item: WorkItem) -> WorkItem | None:
        """Take a batch, or refuse it for now."""
        self.point("submitted")
        if (self.waiting or self.ended) and self.random.randrange(8) == 7:
            return None
        # A copy is a ticket of its own: items compare by identity only if they are distinct.
        ticket = Ticket(item.batch, item.payload, item.objects)
        self.waiting.append(ticket)
        return ticket

    def wait(self) -> Iterator[tuple[WorkItem, Any]]:
        """Let something happen."""
        self.point("waiting")
        while self.waiting or self.ended:
            event = self.random.choice([event for event in self.events if self.can(event)])
            if event == "run":
                item = self.pick(self.waiting)
                self.ended.append((item, self.answer(item)))
                self.point("computed")
            elif event == "report":
                item, answer = self.pick(self.ended)
                self.old.append((item, answer))
                yield item, answer
                if self.random.randrange(2):
                    return
            elif event == "repeat":
                yield self.random.choice(self.old)
            elif event == "nothing":
                return
            elif event == "forget":
                remote.forget(self.shared.name)  # another worker, from here on
            elif event == "unbegun":
                item = self.pick(self.waiting)
                self.old.append((item, self.answer(item)))  # and yet it was
                yield item, NOT_BEGUN
            elif event == "lose":
                item = self.lose()
                yield item, lost("died", EngineError("The worker must live, but it was killed."))
            else:
                item = self.lose()
                # What the others had done is reported long after.
                self.old += [*self.ended, *((other, self.answer(other)) for other in self.waiting)]
                yield item, BrokenExecutor("a process ended")
                return

    def can(self, event: str) -> bool:
        """Return whether `event` may happen now."""
        if event in {"run", "unbegun"}:
            return bool(self.waiting)
        if event == "report":
            return bool(self.ended)
        if event == "repeat":
            return bool(self.old)
        return event != "forget" or self.pickles

    def lose(self) -> WorkItem:
        """Return a batch that its worker takes with it, before or after it ran."""
        if self.ended and (not self.waiting or self.random.randrange(2)):
            item, answer = self.pick(self.ended)
            self.old.append((item, answer))
        else:
            item = self.pick(self.waiting)
            if self.random.randrange(2):
                self.old.append((item, self.answer(item)))
        self.died.update(item.batch.positions)
        return item

    def pick(self, among: list[Any]) -> Any:
        """Return one of `among`, no longer in it."""
        return among.pop(self.random.randrange(len(among)))

    def answer(self, item: WorkItem) -> Any:
        """Run a batch."""
        if not self.pickles:
            return run_batch(item.batch)
        objects = {token: self.placed[number] for token, number in item.objects.items()}
        return bytes(remote.serve([item.payload], objects))


class Ticket(WorkItem):
    """A batch on the way; no two are equal."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


# --- its drivers ------------------------------------------------------------------------------


class Killed(BaseException):
    """Raised in a driver where it was killed."""


class Driver(threading.Thread):
    """One run of one process.

    Parameters
    ----------
    work : callable
        ``work(driver)`` makes the run.
    kill_at, stall_at : int, optional
        The state, by its number, at which it is killed, or is stopped until all others have ended,
        which take it for dead.
    """

    def __init__(
        self,
        work: Callable[[Driver], object],
        kill_at: int | None = None,
        stall_at: int | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self.work = work
        self.kill_at = kill_at
        self.stall_at = stall_at
        self.states: list[str] = []
        self.owners: list[claims.Owner] = []
        self.was_stalled = False
        self.is_dead = self.is_stalled = self.is_asleep = self.has_ended = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.turn, self.pause = threading.Semaphore(0), threading.Semaphore(0)

    def run(self) -> None:
        """Make the run, one turn at a time."""
        self.turn.acquire()
        here.driver = self
        try:
            self.result = self.work(self)
        except Killed:
            pass
        except BaseException as error:
            self.error = error
        finally:
            here.driver = None
            self.has_ended = True
            self.pause.release()

    def go_on(self) -> None:
        """Let it work until it pauses."""
        self.is_asleep = False
        self.turn.release()
        self.pause.acquire()

    def point(self, state: str, *, pauses: bool = True) -> None:
        """Come to a state: here it may be killed, and others may have their turn."""
        if self.is_dead:
            raise Killed
        self.states.append(state)
        if len(self.states) == self.kill_at:
            self.is_dead = True
            raise Killed
        if pauses:
            self.is_stalled = self.stall_at is not None and len(self.states) >= self.stall_at
            if self.is_stalled:
                self.was_stalled = True
                self.stall_at = None
                for owner in self.owners:
                    claims._living.discard(owner.name)
            self.is_asleep = state == "asleep"
            self.pause.release()
            self.turn.acquire()

    def wake(self) -> None:
        """Go on where it was stopped; whoever looks sees that it lives."""
        self.is_stalled = False
        for owner in self.owners:
            claims._living.add(owner.name)


class _Here(threading.local):
    driver: Driver | None = None


here = _Here()


def point(state: str, *, pauses: bool = True) -> None:
    """Come to a state, if this is a driver."""
    if here.driver is not None:
        here.driver.point(state, pauses=pauses)


class WatchedConnection(sqlite3.Connection):
    """Stops where a kill would leave the file in another state than before."""

    def execute(self, sql: str, *args: Any) -> Any:
        """Do what the dead cannot."""
        if here.driver is None or sql == "ROLLBACK":
            return super().execute(sql, *args)
        if here.driver.is_dead:
            raise Killed
        if sql == "COMMIT":
            here.driver.point("written", pauses=False)  # it holds the lock of the file
            super().execute(sql)
            here.driver.point("committed")
            return None
        return super().execute(sql, *args)


def _slept(seconds: float) -> None:
    del seconds
    point("asleep")


def _noted_owner() -> claims.Owner:
    owner = claims.Owner()
    if here.driver is not None:
        here.driver.owners.append(owner)
    return owner


@contextmanager
def watched() -> Iterator[None]:
    """Let drivers be stopped and killed in their stores."""
    connect = partial(sqlite3.connect, factory=WatchedConnection)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(sqlite3, "connect", connect))
        for module in (stored, storedkept):
            stack.enter_context(mock.patch.object(module, "Owner", _noted_owner))
        stack.enter_context(mock.patch.object(claiming, "sleep", _slept))
        yield


def take_turns(drivers: list[Driver], chance: random.Random) -> None:
    """Let `drivers` work until all have ended, in turns that `chance` says."""
    with watched():
        for driver in drivers:
            driver.start()
        alive = list(drivers)
        n_idle, idle = 0, {"asleep", "written", "committed"}
        while alive:
            awake = [driver for driver in alive if not driver.is_stalled]
            # Who sleeps comes again when all do, as it would in time.
            ready = [driver for driver in awake if not driver.is_asleep] or awake
            n_idle = n_idle + 1 if all(idle.issuperset(one.states[-1:]) for one in ready) else 0
            assert n_idle < 1_000, "all wait for one another"
            if ready:
                driver = ready[chance.randrange(len(ready))]
                driver.go_on()
                if driver.has_ended:
                    driver.join()
                    alive.remove(driver)
            for driver in alive if not awake else ():
                driver.wake()


def forget_all() -> None:
    """Be a process that has never seen any store."""
    rows._seen.clear()
