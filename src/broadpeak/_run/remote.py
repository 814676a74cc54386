# SPDX-License-Identifier: BSD-3-Clause
"""The far side of a process boundary: a pickled batch in, its pickled result out.

What many batches of a run refer to is held here, so that it crosses once a worker: read from a
file, handed over by an executor with a store of its own, or sent on request.
"""

from __future__ import annotations

import importlib
import io
import mmap
import os
import pickle
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeAlias

import cloudpickle
import numpy as np

from broadpeak._core.threads import Nesting
from broadpeak._run.batches import (
    Batch,
    BatchResult,
    Outcome,
    Reduces,
    lost,
    nested,
    out_of_memory,
    run_batch,
)
from broadpeak._run.starting import thread_limits
from broadpeak.errors import EngineError, described
from broadpeak.types import AnyArray

Buffer: TypeAlias = "bytes | memoryview"
Held: TypeAlias = "dict[int | str, Any]"
Layout: TypeAlias = "tuple[np.dtype[Any], tuple[int, ...], Literal['C', 'F']]"
Token: TypeAlias = "tuple[str, int]"  # the run, and the number of what is shared in it

# The process that has limited its libraries, or in which runs begin: its threads are the user's.
_limited = 0

MISSING = b""  # the answer of a worker that does not hold what a batch refers to


def note_driver() -> None:
    """Note that this process is no mere worker, even if it should be one, too."""
    global _limited  # noqa: PLW0603  # once a process
    _limited = os.getpid()


def _limit_threads() -> None:
    """Limit the threads of numeric libraries, if this worker is none of ours and the first time."""
    if _limited != os.getpid():
        note_driver()
        library_threads = importlib.import_module("broadpeak._run.librarythreads")
        library_threads.limit_threads(thread_limits())


def run_remotely(
    payload: Buffer,
    inside: Nesting,
    path: list[str] | None = None,
    tokens: Sequence[Token] = (),
    *data: Buffer,
) -> bytes:
    """Run a batch in a worker that is not ours: the function to submit to an executor.

    Parameters
    ----------
    payload : bytes
        ``item.payload``.
    inside : Nesting
        Where the tasks run: ``nesting.get()`` of the process that submits.
    path : list of str, optional
        Where the worker looks for modules.
    tokens, *data
        Keys of ``item.objects``, and what was put in the place of its values.
    """
    with in_place(inside, path):
        return bytes(serve([payload], dict(zip(tokens, data, strict=True))))


@contextmanager
def in_place(inside: Nesting, path: list[str] | None) -> Iterator[None]:
    """Make a worker that is not ours one in which a batch runs as in any other.

    Parameters
    ----------
    inside, path
        As for `run_remotely`.
    """
    if threading.current_thread() is threading.main_thread() and os.name == "posix":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that wants results
    if path is not None and sys.path != path:
        sys.path[:] = path
    _limit_threads()
    with nested(inside):
        yield


def serve(
    payload: list[Buffer],
    objects: Mapping[Token, Buffer] | None = None,
    *,
    on_loaded: Callable[[], None] | None = None,
    mark: bytes = b"",
) -> Buffer:
    """Run a pickled batch and return its pickled result; nothing a task does raises here.

    Parameters
    ----------
    payload : list of one bytes-like object
        The batch. It is taken out of the list, so that its bytes are free while it runs.
    objects : mapping, optional
        ``item.objects``, with what was put in the place of its references.
    on_loaded : callable, optional
        Called once the batch is rebuilt, which may import modules, and before it runs.
    mark : bytes
        What the answer begins with.
    """
    batch = rebuilt_batch(payload, objects)
    if not isinstance(batch, list):
        return mark + batch if mark else batch
    if on_loaded is not None:
        on_loaded()
    return answer_of(batch, mark)


def rebuilt_batch(
    payload: list[Buffer], objects: Mapping[Token, Buffer] | None = None
) -> list[Batch] | Buffer:
    """Return a list of the batch in `payload`, or the answer if it cannot be rebuilt."""
    for (run, number), data in (objects or {}).items():
        _objects_of_run(run).setdefault(number, _Unread(data))
    try:
        batch: Batch = pickle.loads(payload.pop())  # written by the process that started this one
    except _NotHeldError:
        return MISSING
    except BaseException as error:  # noqa: BLE001  # anything may happen while foreign objects are built
        return _dumps(lost("failed", _not_rebuilt("The task", error)))
    if "pandas" in sys.modules:  # which the task may have brought along: then `.bp` is there, too
        importlib.import_module("broadpeak._signals.accessor")
    return [batch]


def answer_of(batches: list[Batch], mark: bytes = b"") -> Buffer:
    """Run the batch, which is taken out of its list, and return its pickled result."""
    batch = batches.pop()
    try:
        result = run_batch(batch)
    except KeyboardInterrupt:
        result = BatchResult(interrupted=True)
    except BaseException as error:  # noqa: BLE001  # the worker outlives its tasks
        result = lost("failed", portable(error))
    positions, reducing = batch.positions, batch.reducing
    del batch  # what it holds may be as large as its results
    for offset in result.failures:
        _make_portable(result, offset)
    if hasattr(result.values, "parts"):  # it is reduced
        try:
            return _dumps(result, mark)
        except BaseException as error:  # noqa: BLE001  # pickle raises whatever objects raise
            return _dumps(lost("failed", _not_plain(error)), mark)
    if reducing is not None and len(result.values):
        reduced = _reduced(positions, result, reducing)
        if reduced is not None:
            with suppress(BaseException):  # a state that cannot be pickled is made again elsewhere
                return _dumps(reduced, mark)
    try:
        try:
            return _dumps(result, mark)
        except MemoryError:
            raise
        except BaseException:  # noqa: BLE001  # some result cannot be pickled; find out which
            _drop_unpicklable(positions, result)
            return _dumps(result, mark)
    except MemoryError:
        result.values = []  # free before more is made
        return _dumps(lost("failed", out_of_memory("while results were pickled")), mark)


def no_memory_to_receive(mark: bytes = b"") -> Buffer:
    """Return the answer for a batch whose bytes could not even be received."""
    return _dumps(lost("failed", out_of_memory("while a task was received")), mark)


def _not_plain(error: BaseException) -> EngineError:
    return EngineError(
        "The state of a reducer must be picklable to leave a worker process, got "
        f"{described(error)}. Hold plain values in it, or pass engine='threadpool' or 'serial'."
    )


def _reduced(
    positions: Sequence[int], result: BatchResult, reducing: Reduces
) -> BatchResult | None:
    """Return `result` with its values reduced; None if the reducer raises an error.

    Then results travel as they are: the process that wants them meets the error itself.
    """
    begun = perf_counter()
    try:
        values = reducing.reduced(positions, result)
    except BaseException:  # noqa: BLE001  # reducers of users may raise anything
        return None
    return replace(result, values=values, seconds=result.seconds + perf_counter() - begun)


def load_result(data: Buffer) -> BatchResult | None:
    """Return the result in `data`, or that of a batch whose results cannot be rebuilt here.

    None: the worker does not hold what the batch refers to, and has not begun.
    """
    if len(data) == 0:
        return None
    try:
        result: BatchResult = pickle.loads(data)  # written by a worker of this process
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # anything may happen while foreign objects are built
        return lost("failed", _not_rebuilt("The result", error))
    return result


def not_sent(error: BaseException) -> EngineError:
    """Return the error for a task that cannot be pickled."""
    if isinstance(error, MemoryError):
        return out_of_memory("while a task was pickled")
    return EngineError(
        f"A task must be picklable to reach a worker process, got {described(error)}. "
        "Pass engine='threadpool' or 'serial', or build the object inside the function."
    )


def _not_rebuilt(what: str, error: BaseException) -> EngineError:
    if isinstance(error, MemoryError):
        return out_of_memory(f"while {what.lower()} was rebuilt")
    return EngineError(
        f"{what} must survive pickling to cross a process boundary, but while it was rebuilt came "
        f"{described(error)}. Pass engine='threadpool' or 'serial'."
    )


def _dumps(obj: object, mark: bytes = b"") -> Buffer:
    """Pickle the quick way, or by value where classes are unknown to the receiver by name."""
    # Written behind the mark, for a large result must not be copied once more.
    file = io.BytesIO(mark)
    file.seek(len(mark))
    try:
        pickle.dump(obj, file, pickle.HIGHEST_PROTOCOL)
    except MemoryError:  # the file is not whole any more
        raise
    except BaseException:  # noqa: BLE001  # pickle raises whatever objects raise
        file.seek(len(mark))
        file.truncate()
        cloudpickle.dump(obj, file, pickle.HIGHEST_PROTOCOL)
    return file.getbuffer()


def portable(error: BaseException) -> BaseException:
    """Return `error`, or an `EngineError` that says the same if it would not survive pickling."""
    try:
        pickle.loads(_dumps(error))  # its own bytes
    except BaseException:  # noqa: BLE001  # exceptions with required arguments are the usual case
        return EngineError(described(error))
    return error


def _make_portable(result: BatchResult, offset: int) -> None:
    outcome: Outcome = result.values[offset]
    if outcome.error is not None:
        error = portable(outcome.error)
        # Frames stay behind in any case, and would keep alive what the task held.
        outcome.error.__traceback__ = error.__traceback__ = None
        result.values[offset] = Outcome(
            outcome.index, outcome.status, None, error, outcome.seconds, outcome.traceback
        )


def _drop_unpicklable(positions: Sequence[int], result: BatchResult) -> None:
    """Put a failure in the place of every result that cannot be pickled."""
    failures = set(result.failures)
    for offset, value in enumerate(result.values):
        try:
            _dumps(value)
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001  # pickle raises whatever objects raise
            failure = EngineError(
                f"A result must be picklable to leave a worker process, got {type(value).__name__} "
                f"({described(error)}). Return arrays, pandas objects or plain values."
            )
            result.values[offset] = Outcome(positions[offset], "failed", error=failure)
            failures.add(offset)
    result.failures = sorted(failures)


# What this process, as a worker, holds of the runs it worked for last: number -> object.
_held: OrderedDict[str, Held] = OrderedDict()
_RUNS_HELD = 4
_VIEWS = -1  # key that says that a run has views of memory that is not ours
_FOLDER = ""  # key of the folder in which the files of a run are


class _NotHeldError(Exception):
    """Raised while a batch is rebuilt that refers to what this worker has never had."""


class _Unread:
    """An object of a run that has arrived and that no batch needed so far."""

    def __init__(self, data: Buffer) -> None:
        self.data = data


def _objects_of_run(run: str) -> Held:
    held = _held.setdefault(run, {})
    with suppress(KeyError):  # another thread of this worker was first
        _held.move_to_end(run)
        while len(_held) > _RUNS_HELD:
            _held.popitem(last=False)
    return held


def hold(token: Token, path: str, layout: Layout) -> None:
    """Hold the array in the file `path` as what `token` stands for, if the file is there.

    If not, the worker says that it lacks what a batch refers to.
    """
    run, number = token
    held = _objects_of_run(run)
    if number not in held:
        with suppress(OSError):
            held[number] = attach(run, path, layout)


def forget(run: str) -> None:
    """Forget what was shared in `run`."""
    _held.pop(run, None)


def forget_ended() -> None:
    """Forget what was shared in runs whose files were removed: they have ended.

    For workers of other libraries, which get no message about it.
    """
    for run, held in list(_held.items()):
        folder = held.get(_FOLDER)
        if folder is not None and not os.path.exists(folder):  # noqa: PTH110  # it is a string
            forget(run)


def recall(
    run: str,
    number: int,
    data: Buffer | None = None,
    inner: Sequence[tuple[int, bytes]] = (),
) -> Any:
    """Return the object of a run that has this number, rebuilt only the first time.

    Parameters
    ----------
    run, number
        Its token.
    data : bytes, optional
        The object itself, where it travels with the batch.
    inner : sequence of (int, bytes)
        What it refers to, by number.
    """
    held = _objects_of_run(run)
    known = held.get(number)
    if known is not None and type(known) is not _Unread:
        return known
    if known is not None:
        data = known.data
    if data is None:
        raise _NotHeldError
    for its_number, its_data in inner:
        held.setdefault(its_number, _Unread(its_data))
    function, args = pickle.loads(data)  # written by the process that started this one
    held[number] = function(*args)
    return held[number]


def recall_view(run: str, number: int, layout: Layout) -> AnyArray:
    """Return the array whose bytes lie in memory that all workers here see, hence read-only."""
    held = _objects_of_run(run)
    known = held.get(number)
    if known is None:
        raise _NotHeldError
    if type(known) is _Unread:
        dtype, shape, order = layout
        held[_VIEWS] = True
        held[number] = np.ndarray(shape, dtype, buffer=known.data, order=order)
    array: AnyArray = held[number]
    return array


def let_go_of_views(run: str) -> None:
    """Forget other runs whose arrays lie in a store that keeps them as long as they are seen."""
    for other, held in list(_held.items()):
        if _VIEWS in held and other != run:
            forget(other)


def recall_file(run: str, number: int, path: str) -> Any:
    """Return the object in the file `path`, read only the first time."""
    held = _objects_of_run(run)
    held[_FOLDER] = os.path.dirname(path)  # noqa: PTH120  # many times a second
    return held[number] if number in held else recall(run, number, Path(path).read_bytes())


def attach(run: str, path: str, layout: Layout) -> AnyArray:
    """Return the array in the file `path`: writable, but changes stay in this process."""
    held = _objects_of_run(run)
    held[_FOLDER] = os.path.dirname(path)  # noqa: PTH120  # many times a second
    if path not in held:
        _let_go(held)
        with Path(path).open("rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        dtype, shape, order = layout
        held[path] = np.ndarray(shape, dtype, buffer=memory, order=order)
    array: AnyArray = held[path]
    return array


def _let_go(held: Held) -> None:
    """Hold no longer the arrays whose files were removed."""
    for path in list(held):  # other threads of this worker may add to it meanwhile
        if type(path) is str and path != _FOLDER and not os.path.exists(path):  # noqa: PTH110  # it is a string
            held.pop(path, None)


def rebuilt_array(data: bytes, layout: Layout) -> AnyArray:
    """Return an array of its own for this process."""
    dtype, shape, order = layout
    return np.ndarray(shape, dtype, buffer=bytearray(data), order=order)
