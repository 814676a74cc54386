# SPDX-License-Identifier: BSD-3-Clause
"""The one dispatch loop, around any executor, and the serial engine, which needs none."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

from broadpeak._run.batches import Batch, BatchResult, died_text, lost, run_batch
from broadpeak._run.calls import Calls
from broadpeak._run.footprint import BATCH_BYTES, has_room
from broadpeak._run.remote import Token, load_result, not_sent, note_driver
from broadpeak._run.shared import SharedObjects, TooLargeError
from broadpeak._run.taskqueue import TaskQueue
from broadpeak.errors import EngineError

_GROWTH = 8  # at most this much larger than the last batch: the first tasks may not be typical
_LARGEST = 100_000
_SHORT_SECONDS = 0.2  # batches this short go out one ahead, so that a worker never waits
_MOST_AHEAD = 32 * 1024  # bytes of a batch that does: they fit a pipe whose other end is busy


@runtime_checkable
class Engine(Protocol):
    """Runs batches of tasks; every engine, serial included, is used in this one way.

    An engine is made for one run by its factory in the registry: ``factory(n_workers, **options)``.
    Where the factory has an attribute `counts_workers` that is true, `n_workers` may be None.
    `FutureEngine` is the short way to one.

    Attributes
    ----------
    n_workers : int
        How many batches run at a time.
    """

    n_workers: int

    def run(self, queue: TaskQueue) -> Iterator[tuple[Batch, BatchResult]]:
        """Yield the result of every batch as it finishes, in any order.

        Each batch that was taken is yielded itself, and counts once: whatever comes of one that is
        not on the way (any more) is ignored.
        A failing task never raises here; `EngineError` means that the engine itself cannot go on.
        If the iterator is closed early or an exception (`KeyboardInterrupt`) passes, whatever runs
        is stopped and no worker goes on with abandoned batches.
        """


class BatchSizes:
    """Chooses the size of the next batch from how long the last ones took.

    Parameters
    ----------
    n_workers : int
        How many share the rest of the tasks.
    target : float
        Seconds that a batch is to take.

    Examples
    --------
    >>> sizes = BatchSizes(n_workers=2)
    >>> sizes.next(None)
    1
    >>> sizes.record(1, seconds=1e-6)
    >>> sizes.next(None), sizes.next(10)
    (8, 3)
    >>> sizes.record(8, seconds=1e-6, n_bytes=2**20)
    >>> sizes.next(None)
    32
    """

    def __init__(self, n_workers: int, target: float = Calls.seconds) -> None:
        self._n_workers = n_workers
        self._target = target
        self._size = 1
        self._most = _LARGEST  # whose arguments go together
        self.seconds = float("inf")  # of the last batch
        self.bytes_a_task = 0.0  # of results of the last batch
        self.first_bytes = 0  # of what the first task of a batch carries, others with it

    def record(self, n_tasks: int, seconds: float, n_bytes: float = 0.0) -> None:
        """Note that a batch of `n_tasks` took `seconds` and gave results of `n_bytes`."""
        if n_tasks < 1:
            return
        self.seconds = seconds
        self.bytes_a_task = n_bytes / n_tasks
        fitting = self._target * n_tasks / max(seconds, 1e-9)
        # A late result of a small batch must not undo what larger ones have shown since.
        largest = max(_GROWTH * n_tasks, self._size)
        self._size = max(1, min(int(fitting), largest, _LARGEST))
        if n_bytes:
            self._size = max(1, min(self._size, int(BATCH_BYTES / self.bytes_a_task)))

    def sent(self, n_tasks: int, n_bytes: int, first: int | None = None) -> None:
        """Note that a batch of `n_tasks` was pickled to `n_bytes`.

        Parameters
        ----------
        first : int, optional
            Bytes of its first task, where the batch was cut since more did not go together.
        """
        if first is not None:
            self._most, self.first_bytes = n_tasks, first
        elif self._most < _LARGEST:
            more = max(n_bytes - self.first_bytes, 1)
            if 2 * more < BATCH_BYTES:  # they carry less now
                self._most = min(_LARGEST, _GROWTH * n_tasks, n_tasks * BATCH_BYTES // more)

    def bytes_of(self, item: WorkItem) -> float:
        """Return what an item is to take on its way there and, as far as is known, back."""
        n_bytes = max(len(item.payload), item.batch.n_bytes)
        return n_bytes + self.bytes_a_task * len(item.batch)

    def next(self, n_left: int | None) -> int:
        """Return how many tasks the next batch should have, `n_left` being left (None: unknown)."""
        size = min(self._size, self._most)
        if n_left is None or self._n_workers == 1:
            return size
        share = -(-n_left // (2 * self._n_workers))  # guided: the last batches are small
        return max(1, min(size, share))


Ticket: TypeAlias = Hashable


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A batch as an executor gets it.

    Attributes
    ----------
    batch : Batch
        What is to run, for an executor in this process.
    payload : bytes
        The same pickled, for one elsewhere: `run_remotely` runs it there.
    objects : dict
        What the payload refers to: token -> what `FutureEngine.put` returned for it. Pass the
        tokens to `run_remotely`, and the data in place of the references.
    needed : tuple of int
        The numbers of all that the payload refers to.
    """

    batch: Batch
    payload: bytes = b""
    objects: dict[Token, object] = field(default_factory=dict)
    needed: tuple[int, ...] = ()


class _Flight(dict[Ticket, tuple[Batch, float, tuple[int, ...]]]):
    """The batches on the way by ticket, their bytes and those of their results, what they need."""

    __slots__ = ("_n_bytes", "_shared")

    def __init__(self, shared: SharedObjects | None) -> None:  # a dict is there already
        self._shared = shared
        self._n_bytes = 0.0

    def takes(self, n_bytes: float) -> bool:
        """Return whether memory is left for `n_bytes` more."""
        return has_room(self._n_bytes, n_bytes)

    def add(self, ticket: Ticket, item: WorkItem, n_bytes: float) -> None:
        """Note that an item was submitted."""
        self[ticket] = item.batch, n_bytes, item.needed
        self._n_bytes += n_bytes

    def ended(self, ticket: Ticket) -> Batch | None:
        """Return a batch that has ended, and forget it; None if it was not on the way."""
        sent = self.pop(ticket, None)
        if sent is None:
            return None
        batch, n_bytes, needed = sent
        self._n_bytes = self._n_bytes - n_bytes if self else 0.0
        if self._shared is not None:
            self._shared.release(needed)
        return batch

    def all_ended(self) -> list[Batch]:
        """Return all batches, and forget them."""
        batches = map(self.ended, list(self))
        return [batch for batch in batches if batch is not None]


class _NotBegun:
    """The answer for a batch that its worker never started, so that another gets it."""


NOT_BEGUN = _NotBegun()
Answer: TypeAlias = "BatchResult | bytes | memoryview | BaseException | _NotBegun"


class FutureEngine:
    """An engine around an executor.

    This class holds the loop of every engine: it takes batches from the queue, sized to fill a
    moment; pickles them, so that what many of them share crosses once a worker; submits them, a few
    at a time; waits; rebuilds results; and finds the batch that killed a worker where the executor
    knows only that one died. A subclass implements `submit` and `wait`, and what it needs of the
    rest.

    Parameters
    ----------
    n_workers : int
        How many batches run at a time.

    Attributes
    ----------
    pickles : bool
        Batches leave this process, hence as bytes. If not, `submit` finds them in ``item.batch``.
    files : bool
        Workers see the files of this machine: what is shared goes there, and `put` is not called.
    views : bool
        Workers see what was `put` where it lies, once a machine and read-only: of an array, its
        bytes are put and nothing else.
    ahead : bool
        Submit one more batch per worker while batches are short, so that no worker ever waits.
    mark : bytes
        What payloads begin with, so that an executor need not copy them to say what they are.
    lazy : bool
        A batch is used up inside `submit`: its tasks may be made one by one.
    ends_late : bool
        The engine itself ends batches after ``item.batch.timeout``. If not, the task is left behind
        in its thread, which works only while it does not hold the interpreter lock in C code.
    counts_workers : bool
        The engine is made with ``n_workers=None`` where the user did not say, and sets its
        attribute `n_workers` itself: a cluster that is joined has workers of its own number.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor, wait
    >>> class MyEngine(FutureEngine):
    ...     pickles = False
    ...
    ...     def start(self):
    ...         self.executor, self.futures = ThreadPoolExecutor(self.n_workers), set()
    ...
    ...     def submit(self, item):
    ...         future = self.executor.submit(run_batch, item.batch)
    ...         self.futures.add(future)
    ...         return future
    ...
    ...     def wait(self):
    ...         done, self.futures = wait(self.futures, return_when="FIRST_COMPLETED")
    ...         return [(future, future.exception() or future.result()) for future in done]
    ...
    ...     def close(self, *, abandoned):
    ...         self.executor.shutdown()
    >>> import broadpeak as bp
    >>> bp.execute([bp.Task(pow, 2, 3), bp.Task(pow, 2, 5)], engine=MyEngine)
    [8, 32]
    """

    pickles: bool = True
    files: bool = True
    views: ClassVar[bool] = False
    ahead: bool = True
    mark: ClassVar[bytes] = b""
    lazy: ClassVar[bool] = False
    ends_late: bool = False
    counts_workers: ClassVar[bool] = False

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers

    def start(self) -> None:
        """Prepare the executor. Called when a run starts, and again after the executor broke."""

    def submit(self, item: WorkItem) -> Ticket | None:
        """Pass one batch to the executor and return the ticket by which `wait` knows it.

        None means that there is no room now: the batch is offered again when another has ended.
        While nothing is on the way there must be room. Where the executor may report twice, no two
        tickets of a run may be equal: a late report must not be taken for that of another batch.
        """
        raise NotImplementedError

    def wait(self) -> Iterable[tuple[Ticket, Answer]]:
        """Wait until batches have ended; return their tickets and answers.

        An answer is what `run_remotely` or `run_batch` returned; `NOT_BEGUN`; a
        `concurrent.futures.BrokenExecutor` if a worker died and took others with it; or any other
        exception, which ends the run. The answer may be empty: `wait` is then called again. Tickets
        of which the end has been reported before are ignored.
        """
        raise NotImplementedError

    def close(self, *, abandoned: bool) -> None:
        """End the run; stop what is still on the way, if it is `abandoned`."""

    def put(self, data: bytes) -> object:
        """Place what many batches share where workers can get it, and return a reference to it.

        The references that a batch needs come in ``item.objects``. None, the default, means that
        there is no such place: then a worker asks for what it lacks, and gets it with the batch.
        """
        return None

    def pickler(self) -> Callable[[object], bytes] | None:
        """Return another pickler, for what cloudpickle refuses."""
        return None

    def run(  # noqa: C901, PLR0912  # the one loop, to be read in one piece
        self, queue: TaskQueue
    ) -> Iterator[tuple[Batch, BatchResult]]:
        """Yield the result of every batch as it finishes."""
        sizes = BatchSizes(self.n_workers, queue.seconds)
        ready: deque[WorkItem] = deque()  # pickled, but there was no room
        suspects: deque[Batch] = deque()  # were on the way when the executor broke
        is_careful = False  # one batch at a time, to see which it is
        if self.pickles:
            note_driver()
        self.start()
        self.shared = shared = (
            SharedObjects(self.pickler(), files=self.files, put=self.put, views=self.views)
            if self.pickles
            else None
        )
        flight = _Flight(shared)
        try:
            while True:
                # Back-pressure: as many batches are on the way as there are workers; twice that
                # while batches are short, or a worker would wait for this thread after each. What
                # is large never goes out ahead of a free worker: it would fill queues with bytes,
                # and block a pipe, with this thread writing to a worker that writes to it. Nor does
                # what memory may not hold: workers rather wait. A batch is no more than a few MB,
                # unless one task is, and so are its results.
                is_careful = bool(suspects) or (is_careful and bool(flight))
                most = self.n_workers
                if self.ahead and sizes.seconds < _SHORT_SECONDS:
                    most *= 2
                while len(flight) < (1 if is_careful else most):
                    if ready:
                        item = ready.popleft()
                    else:
                        if suspects:
                            batch: Batch | None = suspects.popleft()
                        else:
                            batch = queue.take(sizes.next(queue.n_waiting()), lazy=self.lazy)
                        if batch is None:
                            break
                        made = (
                            WorkItem(batch)
                            if shared is None
                            else self._pickled(batch, shared, queue, sizes)
                        )
                        if not isinstance(made, WorkItem):
                            yield made
                            continue
                        item = made
                        del batch, made
                    n_bytes = 0.0 if self.lazy else sizes.bytes_of(item)
                    waits = bool(flight) and (  # there is always room for one batch
                        (len(flight) >= self.n_workers and len(item.payload) > _MOST_AHEAD)
                        or not flight.takes(n_bytes)
                    )
                    ticket = None if waits else self.submit(item)
                    if ticket is None:
                        ready.appendleft(item)
                        break
                    flight.add(ticket, item, n_bytes)
                    del item  # its bytes may be many
                if not flight:
                    return
                broken: BrokenExecutor | None = None
                fallen: list[Batch] = []
                for ticket, answer in self.wait():
                    ended = flight.ended(ticket)
                    if ended is None:
                        # Clusters report twice, and of work that they have given up for lost. What
                        # is known stands: a second report must neither count nor end the run.
                        continue
                    if isinstance(answer, _NotBegun):
                        queue.put_back(ended)
                    elif isinstance(answer, BrokenExecutor):
                        broken = answer
                        fallen.append(ended)
                    elif isinstance(answer, BaseException):
                        raise answer
                    else:
                        result = answer if isinstance(answer, BatchResult) else load_result(answer)
                        del answer  # its bytes may be many
                        if result is None and shared is not None:
                            # Its worker lacks what many batches refer to: now that travels along.
                            again = self._pickled(ended, shared)
                            if isinstance(again, WorkItem):
                                ready.append(again)
                                continue
                            result = again[1]
                        if result is not None:
                            sizes.record(len(result.values), result.seconds, result.n_bytes)
                            yield ended, result
                        del ended, result  # they wait for others while this thread does
                if broken is not None:
                    # One worker died, and the executor gives up whatever was on the way: it cannot
                    # say which batch did it. So they run again, one at a time. The guilty one dies
                    # again, alone; the others lose what they had done, and nothing else.
                    fallen += flight.all_ended()
                    self.close(abandoned=True)
                    self.start()
                    if is_careful:
                        yield fallen[0], _died_result(broken)
                    else:
                        suspects.extend(fallen)
        finally:
            # However it ends (no more results wanted, an error, Ctrl-C while this thread waits):
            # what is on the way must not go on, since its results would not be read.
            self.close(abandoned=bool(flight))
            if shared is not None:
                shared.close()

    def _pickled(
        self,
        batch: Batch,
        shared: SharedObjects,
        queue: TaskQueue | None = None,
        sizes: BatchSizes | None = None,
    ) -> WorkItem | tuple[Batch, BatchResult]:
        """Return the item that carries `batch`, or its result if it cannot be pickled.

        A batch from the `queue` may be cut, so that it has no more bytes than go together. What is
        not from there includes all that it shares with others.
        """
        timeout = batch.timeout
        if self.ends_late:
            batch.timeout = None  # kept here
        most = None
        if queue is not None and sizes is not None and len(batch) > 1 and not batch.whole:
            most = sizes.first_bytes + BATCH_BYTES
        try:
            try:
                made = shared.dumps(batch, in_full=queue is None, mark=self.mark, most=most)
            except TooLargeError:
                assert queue is not None and sizes is not None  # noqa: S101, PT018  # `most` says so
                n, first = shared.fitting(batch.tasks)
                if n < len(batch):
                    batch = queue.cut(batch, n)
                sizes.sent(n, 0, first)
                made = shared.dumps(batch, mark=self.mark)
            else:
                if sizes is not None:
                    sizes.sent(len(batch), len(made[0]))
            return WorkItem(batch, *made)
        except (EngineError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # pickle raises whatever objects raise
            return batch, lost("failed", not_sent(error))
        finally:
            batch.timeout = timeout


def _died_result(broken: BrokenExecutor) -> BatchResult:
    first = str(broken).strip().partition("\n")[0]
    return lost("died", EngineError(died_text(f"ended: {first.rstrip('.')}")))


class SerialEngine(FutureEngine):
    """Runs tasks in the calling thread, one after another: what every other engine must agree with.

    Parameters
    ----------
    n_workers : int
        Taken for the sake of the protocol; there is one worker.
    """

    pickles = False
    ahead = False
    lazy = True

    def __init__(self, n_workers: int = 1) -> None:
        del n_workers
        self.n_workers = 1

    def submit(self, item: WorkItem) -> Ticket:
        """Run the batch in this thread."""
        self._ended: list[tuple[Ticket, Answer]] = [(0, run_batch(item.batch))]
        return 0

    def wait(self) -> list[tuple[Ticket, Answer]]:
        """Return the batch that has just run."""
        ended, self._ended = self._ended, []
        return ended
