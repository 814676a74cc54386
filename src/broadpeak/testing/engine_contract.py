# SPDX-License-Identifier: BSD-3-Clause
"""What every engine must do, as a pytest class to inherit from."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from broadpeak._run.batches import Outcome
from broadpeak._run.calls import Calls, Task
from broadpeak._run.execute import execute
from broadpeak._run.keeping import bottom, histogram, top
from broadpeak._run.templates import Rep
from broadpeak._store.store import Store
from broadpeak.errors import BroadpeakError, ParamTypeError, SkippedWarning, TaskError
from broadpeak.types import NoResult


class EngineContract:
    """What every engine must do: subclass it, name the engine, and pytest finds the tests.

    Attributes
    ----------
    engine : str or callable
        As passed to `broadpeak.execute`.
    engine_options : dict
        As passed to `broadpeak.execute`.
    in_process : bool
        Tasks run in this process: nothing is pickled, and no worker can die.
    is_parallel : bool
        Two tasks can run at the same time.

    Examples
    --------
    >>> class TestMyEngine(EngineContract):
    ...     engine = "threadpool"
    ...     in_process = True
    """

    engine: ClassVar[Any] = "serial"
    engine_options: ClassVar[dict[str, Any]] = {}
    in_process: ClassVar[bool] = False
    is_parallel: ClassVar[bool] = True

    def run(self, tasks: Any, **options: Any) -> Any:
        """Execute `tasks` on the engine under test, on two workers."""
        options = {"n_workers": 2, "show_progress": False, **options}
        return execute(tasks, engine=self.engine, engine_options=self.engine_options, **options)

    def test_no_task(self) -> None:
        """An empty run has an empty result."""
        assert self.run([]) == []
        assert self.run(iter([])) == []

    def test_one_task(self) -> None:
        """One task gives a list of one result."""
        assert self.run([Task(pow, 2, 10)]) == [1024]

    @pytest.mark.parametrize("distribute", ["tasks", "chunks"])
    def test_results_come_in_task_order(self, distribute: str) -> None:
        """Tasks that end in another order than they started are put in task order."""
        pauses = [0.05, 0.0, 0.02, 0.0, 0.01, 0.0]
        tasks = [Task(pause_and_return, pause, position) for position, pause in enumerate(pauses)]
        assert self.run(tasks, distribute=distribute, chunk_len=2) == list(range(6))

    @pytest.mark.parametrize("distribute", ["tasks", "chunks"])
    def test_many_calls_by_column(self, distribute: str) -> None:
        """Calls stored by column give what a loop gives."""
        n = 5000
        codes = np.arange(n)
        varying: dict[int | str, Any] = {
            0: (range(70), codes % 70),
            "second": (range(100), codes // 70),
        }
        calls = Calls(combine, (None,), {"third": 0.5}, varying=varying)
        expected = [combine(i % 70, second=i // 70, third=0.5) for i in range(n)]
        assert self.run(calls, distribute=distribute) == expected

    def test_generator_of_tasks(self) -> None:
        """Any iterable will do, without its length being known."""
        assert self.run(Task(abs, -number) for number in range(300)) == list(range(300))

    def test_large_result(self) -> None:
        """A result may be much larger than a pipe."""
        (result,) = self.run([Task(np.arange, 2_000_000)])
        np.testing.assert_array_equal(result, np.arange(2_000_000))

    def test_shared_array(self) -> None:
        """Large arguments that all tasks share arrive whole, in every memory layout."""
        base = np.arange(60_000.0).reshape(200, 300)
        for array in (base, np.asfortranarray(base), base[:, ::2], base.astype("datetime64[s]")):
            calls = Calls(item, (array, None), varying={1: (range(100), range(100))})
            assert self.run(calls) == [array.flat[position] for position in range(100)]
            tasks = [Task(item, array, position) for position in range(100)]
            assert self.run(tasks) == [array.flat[position] for position in range(100)]

    def test_pandas_arguments_and_results(self) -> None:
        """Frames travel with index, columns, types and names."""
        index = pd.date_range("2020-01-01", periods=5000, name="time")
        frame = pd.DataFrame({"a": np.arange(5000.0), "b": "text"}, index=index)
        for result in self.run([Task(same, frame), Task(same, frame)]):
            pd.testing.assert_frame_equal(result, frame)

    def test_results_equal_serial_to_the_byte(self) -> None:
        """What comes back is bit for bit what the serial engine gives."""
        varying = {0: (range(40), range(40))}
        calls = Calls(random_walk, (None, 500), varying=varying)
        expected = [walk.tobytes() for walk in execute(calls, show_progress=False)]
        for options in ({}, {"distribute": "chunks"}, {"chunk_len": 7}, {"n_workers": 3}):
            assert [walk.tobytes() for walk in self.run(calls, **options)] == expected

    def test_results_are_reduced_where_they_are_computed(self) -> None:
        """With `keep=` the state of a reducer leaves a worker, and its results do not."""
        calls = Calls(abs, (None,), varying={0: (range(600), range(600))})
        processes = self.run(calls, keep=Processes())
        assert (processes == {os.getpid()}) if self.in_process else (os.getpid() not in processes)

    def test_what_is_kept_equals_serial_to_the_bit(self) -> None:
        """Sums of floats, too, depend on no order, worker count or size of a batch."""
        calls = Calls(wave, (None,), varying={0: (range(5000), range(5000))})
        for keep in (top(7), bottom(3, "figure"), histogram(5, range=(-1, 1)), Sum(), SumOfMany()):
            tasks = calls if getattr(keep, "by", None) is None else figures_of(calls[:99])
            expected = execute(tasks, keep=keep, show_progress=False)
            options: dict[str, Any]
            for options in ({}, {"distribute": "chunks", "chunk_len": 777}):
                assert_same_bits(self.run(tasks, keep=keep, **options), expected)

    def test_keep_leaves_failures_out(self, tmp_path: Path) -> None:
        """What failed is tried again by itself; what is not kept to the end is in no state."""
        tasks = [Task(fail_from_three, number) for number in range(6)]
        with pytest.warns(SkippedWarning, match="3 of 6 calls failed"):
            assert self.run(tasks, keep=Sum(), on_error="skip") == 3.0
        tasks = [Task(fail_twice, tmp_path / str(number), number) for number in range(4)]
        assert self.run(tasks, keep=Sum(), retries=2) == 6.0

    def test_an_error_of_a_reducer_is_raised(self) -> None:
        """It is no failure of a task: the run ends with it."""
        with pytest.raises(ParamTypeError, match="must be a number to be compared"):
            self.run([Task(str, number) for number in range(9)], keep=top(2), on_error="skip")

    def test_exception(self) -> None:
        """The first failed task in task order is named, with its traceback, and can be rerun."""
        tasks = [Task(fail_from_three, number) for number in range(8)]
        with pytest.raises(TaskError, match="x=3") as caught:
            self.run(tasks, keys=pd.RangeIndex(8, name="x"))
        assert caught.value.index == 3
        assert caught.value.label == "x=3"
        assert "fail_from_three" in caught.value.worker_traceback
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        with pytest.raises(ZeroDivisionError, match="zero"):
            caught.value.rerun()

    def test_exception_that_cannot_be_pickled(self) -> None:
        """An exception with a constructor of its own still arrives."""
        with pytest.raises(TaskError, match="StubbornError"):
            self.run([Task(raise_stubborn)])

    @pytest.mark.parametrize(
        "fault",
        [
            SystemExit(3),
            GeneratorExit(),
            StopIteration(1),
            MemoryError(),
            BaseExceptionGroup("both", [SystemExit(1), ValueError(2)]),
            "BaseError",
            "SilentError",
            "ExitWhenRebuilt",
            "recursion",
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("on_error", ["raise", "skip", "record"])
    def test_whatever_a_task_raises_is_its_failure(self, fault: object, on_error: str) -> None:
        """Nothing but `KeyboardInterrupt` ends more than its task: no worker, and no program."""
        tasks = [Task(abs, -1), Task(raise_fault, fault), Task(abs, -2)]
        if on_error == "raise":
            with pytest.raises(TaskError, match="x=1") as caught:
                self.run(tasks, keys=pd.RangeIndex(3, name="x"))
            assert caught.value.index == 1
        elif on_error == "skip":
            with pytest.warns(SkippedWarning, match="1 of 3 calls failed"):
                assert self.run(tasks, on_error="skip") == [1, 2]
        else:
            results = self.run(tasks, on_error="record")
            assert results[::2] == [1, 2]
            assert (results[1].index, results[1].status) == (1, "failed")
            assert "Outcome(1, 'failed'" in repr(results[1])

    def test_result_or_argument_that_ends_the_program_when_it_travels(self) -> None:
        """It is the failure of its task, here and in the worker."""
        for value in (ExitWhenPickled(), ExitWhenRebuilt()):
            tasks = [Task(abs, -1), Task(make_again, type(value)), Task(same, value)]
            results = self.run(tasks, on_error="record")
            assert results[0] == 1
            for outcome in results[1:]:
                if not self.in_process:
                    assert outcome.status == "failed"

    def test_skip(self) -> None:
        """Failed tasks are left out, with one warning."""
        tasks = [Task(fail_from_three, number) for number in range(6)]
        with pytest.warns(SkippedWarning, match="3 of 6 calls failed"):
            assert self.run(tasks, on_error="skip") == [0, 1, 2]

    def test_record(self) -> None:
        """Failures stand as outcomes in the place of their results."""
        tasks = [Task(fail_from_three, number) for number in range(5)]
        results = self.run(tasks, on_error="record")
        assert results[:3] == [0, 1, 2]
        for position in (3, 4):
            outcome = results[position]
            assert isinstance(outcome, Outcome)
            assert (outcome.index, outcome.status, outcome.value) == (position, "failed", None)
            assert isinstance(outcome.error, ZeroDivisionError)
            assert outcome.seconds >= 0

    def test_lambda_and_closure(self) -> None:
        """Functions without a name to import them by work."""
        offset = 10
        tasks = [Task(lambda number: number + offset, number) for number in range(4)]
        assert self.run(tasks) == [10, 11, 12, 13]
        varying = {0: (range(4), range(4))}
        assert self.run(Calls(closure_over([1, 2, 3, 4]), varying=varying)) == [1, 2, 3, 4]

    def test_function_that_cannot_be_pickled(self) -> None:
        """It runs all the same, or is refused with the remedy; nothing hangs."""
        lock = threading.Lock()

        def locked(number: int) -> int:
            with lock:
                return number

        tasks = [Task(locked, number) for number in range(3)]
        calls = Calls(locked, varying={0: (range(3), range(3))})
        for work in (tasks, calls):
            refusal = ""
            try:
                results = self.run(work)
            except BroadpeakError as error:
                refusal, results = str(error), [0, 1, 2]
            assert results == [0, 1, 2]
            assert not refusal or ("threadpool" in refusal and not self.in_process)

    def test_result_that_cannot_be_pickled(self) -> None:
        """It comes back within this process, or fails its task alone."""
        tasks = [Task(abs, -1), Task(threading.Lock), Task(abs, -2)]
        results = self.run(tasks, on_error="record")
        assert results[::2] == [1, 2]
        if not self.in_process:
            assert results[1].status == "failed"
            assert "picklable" in str(results[1].error)

    def test_no_result_is_one_object(self) -> None:
        """`NoResult` is dropped wherever it was returned."""
        tasks = [Task(none_if_odd, number) for number in range(6)]
        assert self.run(tasks) == [0, 2, 4]
        assert self.run(tasks[1::2], raise_no_results=False) is NoResult

    def test_run_inside_of_a_task(self) -> None:
        """A task may run a sweep of its own."""
        assert self.run([Task(run_inside, number) for number in range(3)]) == [[0], [1], [2]]

    @pytest.mark.parametrize("distribute", ["tasks", "chunks"])
    def test_worker_that_dies(self, distribute: str, tmp_path: Path) -> None:
        """A worker that dies fails the batch it held, nothing else; retries bring it back."""
        if self.in_process:
            return
        tasks = [Task(die_at, number, 3) for number in range(6)]
        results = self.run(tasks, on_error="record", distribute=distribute, chunk_len=2)
        held = [3] if distribute == "tasks" else [2, 3]
        assert [position for position in range(6) if isinstance(results[position], Outcome)] == held
        assert {results[position].status for position in held} == {"died"}
        with pytest.raises(TaskError, match="lost its worker"):
            self.run(tasks, distribute=distribute, chunk_len=2)
        tasks = [Task(die_once, tmp_path / str(number)) for number in range(3)]
        options: dict[str, object] = {"distribute": distribute, "chunk_len": 1}
        assert self.run(tasks, retries=1, **options) == ["alive"] * 3

    def test_worker_that_dies_keeps_what_is_finished(self, tmp_path: Path) -> None:
        """The system kills a worker: the store has all the rest, and only what died runs again."""
        if self.in_process:
            return
        store, log, alive = tmp_path / "a.db", tmp_path / "log", tmp_path / "alive"
        tasks = [Task(killed_unless, alive, log, number, {2, 5}) for number in range(8)]
        results = self.run(tasks, on_error="record", store=store)
        rest = [0, 1, 3, 4, 6, 7]
        assert [results[number] for number in rest] == rest
        assert [(results[number].index, results[number].status) for number in (2, 5)] == [
            (2, "died"),
            (5, "died"),
        ]
        kept = Store(store).trials(1)
        assert sorted(kept["value"]) == rest
        log.unlink()
        alive.touch()
        assert self.run(tasks, store=store) == list(range(8))
        assert numbers_in(log) == [2, 5]

    def test_error_keeps_what_is_finished(self, tmp_path: Path) -> None:
        """A run with a store goes on where it ended: nothing finished runs again."""
        store, log, sound = tmp_path / "a.db", tmp_path / "log", tmp_path / "sound"
        tasks = [Task(raise_unless, sound, log, number, 17, ValueError) for number in range(30)]
        with pytest.raises(TaskError, match="ValueError"):
            self.run(tasks, store=store)
        kept = self.check_resumed(tasks, store, log, sound)
        assert set(range(17)) <= kept  # what comes before the failure is waited for

    def test_interrupt_keeps_what_is_finished(self, tmp_path: Path) -> None:
        """Ctrl-C ends a run with a store, and the same call goes on from there."""
        store, log, sound = tmp_path / "a.db", tmp_path / "log", tmp_path / "sound"
        interrupted = KeyboardInterrupt
        tasks = [Task(raise_unless, sound, log, number, 17, interrupted) for number in range(30)]
        with pytest.raises(KeyboardInterrupt):
            self.run(tasks, store=store, distribute="chunks", chunk_len=2)
        self.check_resumed(tasks, store, log, sound, distribute="chunks", chunk_len=2)

    def check_resumed(
        self, tasks: list[Task], store: Path, log: Path, sound: Path, **options: Any
    ) -> set[int]:
        """Run the rest of 30 `tasks`; return what the store had, which must not run again."""
        kept = list(Store(store).trials(1)["value"])
        assert 0 < len(kept) < 30
        log.unlink()
        sound.touch()
        assert self.run(tasks, store=store, **options) == list(range(30))
        assert sorted(numbers_in(log) + kept) == list(range(30))
        return set(kept)

    def test_late_task_is_tried_again(self, tmp_path: Path) -> None:
        """A task that hangs once is given up once; what it reports later is ignored."""
        marks = [tmp_path / str(number) for number in range(3)]
        tasks = [Task(hang_once, mark, number) for number, mark in enumerate(marks)]
        for mark in marks[::2]:
            mark.touch()
        assert self.run(tasks, timeout=0.5, retries=1) == [0, 1, 2]

    def test_timeout(self) -> None:
        """A task that takes too long is given up; the others are not."""
        tasks = [Task(pause_and_return, pause, pause) for pause in (0.0, 30.0, 0.0)]
        results = self.run(tasks, timeout=0.5, on_error="record")
        assert results[::2] == [0.0, 0.0]
        assert results[1].status == "timeout"
        assert isinstance(results[1].error, TimeoutError)

    @pytest.mark.parametrize("distribute", ["tasks", "chunks"])
    def test_retries(self, distribute: str, tmp_path: Path) -> None:
        """A task is tried again as often as `retries` says, and no more."""
        tasks = [Task(fail_twice, tmp_path / f"{distribute}{number}") for number in range(4)]
        assert self.run(tasks, retries=2, distribute=distribute) == ["done"] * 4
        tasks = [Task(fail_twice, tmp_path / f"{distribute}{number}x") for number in range(4)]
        with pytest.raises(TaskError, match="not yet"):
            self.run(tasks, retries=1, distribute=distribute)

    def test_chunks_follow_one_another(self) -> None:
        """Callbacks see whole chunks, in order, with the results of each."""
        seen: list[object] = []
        self.run(
            [Task(abs, -number) for number in range(5)],
            chunk_len=2,
            pre_chunk_func=lambda number: seen.append(number),  # noqa: PLW0108  # takes a name
            pre_chunk_kwargs={"number": Rep("chunk_idx")},
            post_chunk_func=lambda number, results: seen.append((number, results)),
            post_chunk_kwargs={"number": Rep("chunk_idx"), "results": Rep("chunk_results")},
        )
        assert seen == [0, (0, [0, 1]), 1, (1, [2, 3]), 2, (2, [4])]

    def test_tasks_run_at_the_same_time(self, tmp_path: Path) -> None:
        """Two workers work at once: each task waits for the other."""
        if self.is_parallel:
            marks = [tmp_path / "first", tmp_path / "second"]
            tasks = [Task(meet, mark, other) for mark, other in (marks, marks[::-1])]
            assert self.run(tasks, distribute="chunks", chunk_len=1) == [True, True]

    def test_an_iterator_is_not_run_ahead_of(self) -> None:
        """Tasks are taken as workers are free: the rest is never made after a failure."""
        made: list[int] = []

        def tasks() -> Iterator[Task]:
            for number in range(1000):
                made.append(number)
                yield Task(fail_from_three, number)

        with pytest.raises(TaskError, match="ZeroDivisionError"):
            self.run(tasks(), timeout=60.0)  # with a timeout every task is dispatched alone
        assert len(made) < 30

    def test_keyboard_interrupt_of_a_task_ends_the_run(self) -> None:
        """`KeyboardInterrupt` is never taken for the failure of a task."""
        with pytest.raises(KeyboardInterrupt):
            self.run([Task(abs, -1), Task(interrupt), Task(abs, -1)], on_error="skip")

    def test_runs_after_an_error(self) -> None:
        """A failed run leaves nothing behind that disturbs the next."""
        with pytest.raises(TaskError, match="ZeroDivisionError"):
            self.run([Task(fail_from_three, number) for number in range(50)])
        assert self.run([Task(abs, -1)] * 3) == [1, 1, 1]


class Sum:
    """A reducer that adds floats, of which sums depend on their grouping."""

    def start(self) -> float:
        """Return the sum of nothing."""
        return 0.0

    def add(self, state: float, position: int, value: float) -> float:
        """Return the sum with one more value."""
        del position
        return state + value

    def merge(self, left: float, right: float) -> float:
        """Return the sum of two sums."""
        return left + right


class SumOfMany(Sum):
    """The same, many at a time."""

    def add_many(self, state: float, positions: Any, values: Any) -> float:
        """Return the sum with many more values."""
        del positions
        return state + float(np.sum(np.asarray(values)))


class Processes:
    """A reducer that notes which processes it works in."""

    def start(self) -> frozenset[int]:
        """Return no process."""
        return frozenset()

    def add(self, state: frozenset[int], position: int, value: object) -> frozenset[int]:
        """Add this process."""
        del position, value
        return state | {os.getpid()}

    def merge(self, left: frozenset[int], right: frozenset[int]) -> frozenset[int]:
        """Return the processes of both."""
        return left | right


class StubbornError(Exception):
    """Cannot be rebuilt from its arguments."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first)
        self.second = second


def pause_and_return(seconds: float, value: object) -> Any:
    """Return `value` after `seconds`."""
    time.sleep(seconds)
    return value


def meet(mark: Path, other: Path) -> bool:
    """Return whether `other` comes while this task runs."""
    mark.touch()
    for _ in range(3000):
        if other.exists():
            return True
        time.sleep(0.01)
    return False


def combine(first: int, second: int, third: float) -> float:
    """Return a number that depends on all three."""
    return first + 1000 * second + third


def item(array: Any, position: int) -> Any:
    """Return one item of `array`, which must be writable in its worker."""
    return array.flat[position]


def same(value: object) -> Any:
    """Return `value`."""
    return value


def random_walk(seed: int, n: int) -> Any:
    """Return floats whose last bits depend on every operation."""
    return np.exp(np.random.default_rng(seed).normal(0, 1e-3, n).cumsum())


def wave(number: int) -> float:
    """Return a float that is no sum of few powers of two."""
    return float(np.sin(0.1 * number)) / 3


def as_figures(number: int) -> dict[str, float]:
    """Return several figures."""
    return {"figure": wave(number), "number": number}


def figures_of(calls: Calls) -> list[Task]:
    """Return tasks that give the results of `calls` with a figure beside them."""
    return [Task(as_figures, *call.args) for call in calls]


def assert_same_bits(found: Any, expected: Any) -> None:
    """See to it that two results are the same, bit by bit."""
    if isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected, check_exact=True)
    elif isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    else:
        assert pickle.dumps(found) == pickle.dumps(expected)


def fail_from_three(number: int) -> int:
    """Return `number` below 3, else raise."""
    return number if number < 3 else number // 0


def raise_stubborn() -> None:
    """Raise an exception that does not survive pickling."""
    raise StubbornError(1, 2)


class BaseError(BaseException):
    """An error that is no `Exception`."""


class SilentError(Exception):
    """An error that cannot be turned into a string."""

    def __str__(self) -> str:
        msg = "no string"
        raise ValueError(msg)

    __repr__ = __str__


class ExitWhenRebuilt(Exception):  # noqa: N818  # it is what happens
    """Ends the program that unpickles it."""

    def __reduce__(self) -> Any:
        return sys.exit, (5,)


class ExitWhenPickled:
    """Ends the program that pickles it."""

    def __reduce__(self) -> Any:
        raise SystemExit(6)


def make_again(kind: Callable[[], object]) -> Any:
    """Return an object of `kind`."""
    return kind()


def raise_fault(fault: Any) -> None:
    """Raise `fault`, or what goes by that name."""
    if isinstance(fault, BaseException):
        raise fault
    if fault == "recursion":
        raise_fault(fault)
    raise {"BaseError": BaseError, "SilentError": SilentError}.get(fault, ExitWhenRebuilt)


def closure_over(values: list[int]) -> Callable[[int], int]:
    """Return a function that needs `values`."""
    return lambda position: values[position]


def none_if_odd(number: int) -> Any:
    """Return `number` if it is even."""
    return NoResult if number % 2 else number


def run_inside(number: int) -> Any:
    """Run a sweep in threads inside a task."""
    return execute([Task(abs, -number)], engine="threadpool", n_workers=2)


def die_at(number: int, fatal: int) -> int:
    """Return `number`, or end the process without a word."""
    if number == fatal:
        os._exit(7)
    return number


def die_once(marker: Path) -> str:
    """End the process at the first call, return at the second."""
    if not marker.exists():
        marker.touch()
        os._exit(7)
    return "alive"


def killed_unless(alive: Path, log: Path, number: int, fatal: set[int]) -> int:
    """Return `number`, unless the system kills the process: at those that are `fatal`."""
    note(log, number)
    if number in fatal and not alive.exists():
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return number


def raise_unless(sound: Path, log: Path, number: int, bad: int, kind: type[BaseException]) -> int:
    """Return `number`, but raise at `bad` until `sound` exists."""
    note(log, number)
    if number == bad and not sound.exists():
        raise kind
    return number


def hang_once(marker: Path, number: int) -> int:
    """Return `number`; hang at the first call, unless `marker` exists."""
    if not marker.exists():
        marker.touch()
        time.sleep(30.0)
    return number


def note(log: Path, number: int) -> None:
    """Write that the call of `number` has begun; several processes may write at once."""
    with log.open("a", encoding="ascii") as file:
        file.write(f"{number}\n")


def numbers_in(log: Path) -> list[int]:
    """Return which calls have begun, ascending."""
    return sorted(int(line) for line in log.read_text(encoding="ascii").split())


def fail_twice(marker: Path, value: object = "done") -> Any:
    """Raise at the first two calls, return `value` at the third."""
    for attempt in range(2):
        path = marker.with_suffix(f".{attempt}")
        if not path.exists():
            path.touch()
            msg = "not yet"
            raise ValueError(msg)
    return value


def interrupt() -> None:
    """Do what Ctrl-C does."""
    raise KeyboardInterrupt
