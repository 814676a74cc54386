# SPDX-License-Identifier: BSD-3-Clause
"""execute: laziness, chunks, callbacks, failures, merging, progress."""

from __future__ import annotations

import io
import threading
import weakref
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import (
    EngineError,
    NoResult,
    NoResultsError,
    Outcome,
    ParamError,
    Rep,
    RepEval,
    StrategyError,
    Task,
    TaskError,
    execute,
)
from broadpeak._run import registry
from broadpeak._run.calls import Calls
from broadpeak._run.dispatch import SerialEngine
from broadpeak._run.execute import run
from broadpeak._run.options import Settings
from broadpeak.errors import SkippedWarning


def tasks_of(func: Any, n: int) -> list[Task]:
    return [Task(func, number) for number in range(n)]


def fail_at_2(number: int) -> int:
    if number == 2:
        msg = "two"
        raise ValueError(msg)
    return number


# --- laziness ---------------------------------------------------------------------------------


def test_serial_runs_each_task_before_it_takes_the_next() -> None:
    log: list[tuple[str, int]] = []

    def tasks() -> Any:
        for number in range(200):
            log.append(("made", number))
            yield Task(log.append, ("ran", number))

    execute(tasks())
    assert log == [(what, number) for number in range(200) for what in ("made", "ran")]


def test_threads_take_from_an_iterator_only_what_they_can_run() -> None:
    made: list[int] = []

    def tasks() -> Any:
        for number in range(100):
            made.append(number)
            yield Task(threading.Event().wait, 20)

    with pytest.raises(TaskError, match="took too long"):
        execute(tasks(), engine="threadpool", n_workers=2, timeout=0.1)
    assert len(made) <= 4


def test_an_infinite_iterator_ends_at_the_first_failure() -> None:
    def tasks() -> Any:
        number = 0
        while True:
            yield Task(fail_at_2, number)
            number += 1

    with pytest.raises(TaskError, match="Call 2 failed: ValueError: two"):
        execute(tasks())


def test_an_error_of_the_iterator_is_raised_as_it_is() -> None:
    def tasks() -> Any:
        yield Task(abs, 1)
        msg = "the source broke"
        raise OSError(msg)

    with pytest.raises(OSError, match="the source broke"):
        execute(tasks())


def test_tasks_are_let_go_of_when_they_are_done() -> None:
    class Big:
        pass

    alive: list[weakref.ref[Big]] = []

    def tasks() -> Any:
        for _ in range(50):
            big = Big()
            alive.append(weakref.ref(big))
            yield Task(lambda big: sum(ref() is not None for ref in alive), big)
            del big

    assert max(execute(tasks())) <= 3


# --- inputs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [3, Task(abs, 1), [abs], iter([abs]), [Task(abs, 1), None]])
def test_what_is_no_iterable_of_tasks_is_refused(tasks: Any) -> None:
    with pytest.raises(TypeError, match=r"be a Task|be an iterable of Task"):
        execute(tasks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_workers": 0}, "n_workers must be"),
        ({"n_chunks": 0}, "n_chunks must be"),
        ({"chunk_len": -1}, "chunk_len must be"),
        ({"chunk_len": 2.5}, "chunk_len must be"),
        ({"chunk_len": True}, "chunk_len must be"),
        ({"n_chunks": 1, "chunk_len": 1}, "have one rule, got n_chunks and chunk_len"),
        ({"retries": -1}, "retries must be"),
        ({"timeout": 0}, "timeout must be a positive number"),
        ({"distribute": "task"}, "Did you mean 'tasks'"),
        ({"on_error": "ignore"}, "on_error must be one of"),
        ({"size": 4}, "size must be the number of tasks, 3"),
        ({"keys": ["a"]}, "keys must have one label a task, 3"),
        ({"chunk_meta": [[0, 1]]}, "hold each of the 3 items once"),
        ({"chunk_meta": [[0, 1], [1, 2]]}, "hold each of the 3 items once"),
        ({"chunk_meta": [[0, 1, 5]]}, "hold each of the 3 items once"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParamError, match=message):
        execute(tasks_of(abs, 3), **options)


def test_engines_by_name() -> None:
    with pytest.raises(EngineError, match="Did you mean 'threadpool'"):
        execute([], engine="threadpol")
    with pytest.raises(TypeError, match=r"'start_metod'.*mean 'start_method'"):
        execute([], engine="processpool", engine_options={"start_metod": "fork"})
    with pytest.raises(TypeError, match="Pass the name of an engine"):
        execute([], engine=3)
    assert {"serial", "threadpool", "processpool", "joblib"} <= set(registry.available())


def test_an_engine_of_a_third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_added", {})
    registry.register("mine", SerialEngine)
    assert "mine" in registry.available()
    for engine in ("mine", SerialEngine, SerialEngine(1)):
        assert execute(tasks_of(abs, 3), engine=engine) == [0, 1, 2]
    with pytest.raises(TypeError, match="factory must be callable"):
        registry.register("other", 3)


def test_an_iterator_may_differ_from_the_size_it_promised() -> None:
    for size in (2, 9):
        for options in ({}, {"n_chunks": 2}, {"chunk_len": 2}, {"distribute": "chunks"}):
            assert execute(iter(tasks_of(abs, 5)), size=size, **options) == [0, 1, 2, 3, 4]
    with pytest.raises(ParamError, match="keys must have one label a task, 5"):
        execute(iter(tasks_of(abs, 5)), keys=["a", "b"])


# --- chunks and callbacks ---------------------------------------------------------------------


def chunks_of(tasks: Any, **options: Any) -> list[list[int]]:
    seen: list[list[int]] = []
    execute(
        tasks,
        post_chunk_func=lambda meta: seen.append(meta),  # noqa: PLW0108  # takes a name
        post_chunk_kwargs={"meta": Rep("chunk_meta")},
        **options,
    )
    return seen


@pytest.mark.parametrize("distribute", ["tasks", "chunks"])
@pytest.mark.parametrize("kind", [list, iter])
def test_how_tasks_are_cut(kind: Any, distribute: str) -> None:
    def cut(**options: Any) -> list[list[int]]:
        return chunks_of(kind(tasks_of(abs, 7)), distribute=distribute, **options)

    assert cut(chunk_len=3) == [[0, 1, 2], [3, 4, 5], [6]]
    assert cut(chunk_len=7) == [[0, 1, 2, 3, 4, 5, 6]]
    assert cut(chunk_len=70) == [[0, 1, 2, 3, 4, 5, 6]]
    assert cut(n_chunks=3) == [[0, 1, 2], [3, 4], [5, 6]]
    assert cut(n_chunks=3, size=7) == [[0, 1, 2], [3, 4], [5, 6]]
    assert cut(n_chunks=70) == [[place] for place in range(7)]
    assert cut(chunk_len="auto", n_workers=4) == [[0, 1, 2, 3], [4, 5, 6]]
    assert cut(n_chunks="auto", n_workers=2) == [[0, 1, 2, 3], [4, 5, 6]]
    assert cut(chunk_meta=[[6, 0], [], [5, 1, 2, 3, 4]]) == [[6, 0], [5, 1, 2, 3, 4]]


def test_chunks_do_not_change_the_order_of_results() -> None:
    calls = Calls(abs, varying={0: (range(7), range(7))})
    for tasks in (calls, list(calls), iter(calls)):
        assert execute(tasks, chunk_meta=[[6, 0], [5, 1, 2, 3, 4]]) == list(range(7))


def test_no_task_no_chunk() -> None:
    for tasks in ([], iter([])):
        assert chunks_of(tasks, chunk_len=2) == []
        assert chunks_of(tasks) == []


def test_callbacks_get_what_their_kwargs_name_and_nothing_else() -> None:
    log: list[Any] = []

    def note(**kwargs: Any) -> None:
        log.append(kwargs)

    keys = pd.Index(["a", "b", "c"], name="letter")
    execute(
        tasks_of(abs, 3),
        keys=keys,
        chunk_len=2,
        template_context={"mine": 5},
        pre_execute_func=note,
        pre_execute_kwargs={"n": Rep("n_tasks"), "chunks": Rep("n_chunks"), "mine": Rep("mine")},
        pre_chunk_func=note,
        pre_chunk_kwargs={"i": Rep("chunk_idx", eval_id="pre_chunk_kwargs"), "flush_every": 3},
        post_chunk_func=note,
        post_chunk_kwargs={"results": Rep("chunk_results"), "last": RepEval("chunk_idx == 1")},
        post_execute_func=note,
        post_execute_kwargs={"results": Rep("results"), "keys": Rep("keys")},
    )
    assert log[:-1] == [
        {"n": 3, "chunks": 2, "mine": 5},
        {"i": 0, "flush_every": 3},
        {"results": [0, 1], "last": False},
        {"i": 1, "flush_every": 3},
        {"results": [2], "last": True},
    ]
    assert log[-1]["results"] == [0, 1, 2]
    assert log[-1]["keys"].equals(keys)


def test_an_error_of_a_callback_ends_the_run() -> None:
    ran: list[int] = []

    def refuse() -> None:
        msg = "stop here"
        raise RuntimeError(msg)

    for engine in ("serial", "threadpool"):
        with pytest.raises(RuntimeError, match="stop here"):
            execute(tasks_of(ran.append, 9), engine=engine, chunk_len=2, post_chunk_func=refuse)
    assert sorted(ran) == [0, 0, 1, 1]


def test_the_first_task_warms_up_alone() -> None:
    lock, running, seen = threading.Lock(), [0], []

    def work(number: int) -> None:
        with lock:
            running[0] += 1
            seen.append((number, running[0]))
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1

    for options in ({}, {"distribute": "chunks", "chunk_len": 3}, {"chunk_len": 3}):
        seen.clear()
        execute(tasks_of(work, 8), engine="threadpool", n_workers=3, warmup=True, **options)
        assert seen[0] == (0, 1)
        assert seen[1][1] == 1
        assert sorted(number for number, _ in seen) == list(range(8))


# --- failures ---------------------------------------------------------------------------------


def test_a_failure_names_the_combination() -> None:
    keys = pd.MultiIndex.from_product([[10], [20, 30, 40]], names=["fast", "slow"])
    with pytest.raises(
        TaskError, match=r"Call 2 \(fast=10, slow=40\) failed: ValueError: two"
    ) as e:
        execute(tasks_of(fail_at_2, 3), keys=keys)
    assert e.value.label == "fast=10, slow=40"
    assert "fail_at_2" in e.value.worker_traceback
    with pytest.raises(ValueError, match="two"):
        e.value.rerun()


def test_tasks_after_a_failure_do_not_run() -> None:
    ran: list[int] = []

    def work(number: int) -> None:
        ran.append(number)
        fail_at_2(number)

    calls = Calls(work, varying={0: (range(90), range(90))})
    for tasks in (calls, list(calls), iter(calls)):
        ran.clear()
        with pytest.raises(TaskError, match="Call 2"):
            execute(tasks)
        assert ran == [0, 1, 2]


def test_a_function_that_raises_stop_iteration_fails_its_task_alone() -> None:
    def work(number: int) -> int:
        if number % 3 == 1:
            raise StopIteration
        return number

    calls = Calls(work, varying={0: (range(7), range(7))})
    for tasks in (calls, list(calls), iter(calls)):
        with pytest.warns(SkippedWarning, match="2 of 7 calls failed.*Call 1"):
            assert execute(tasks, on_error="skip") == [0, 2, 3, 5, 6]


def test_errors_that_pass_through() -> None:
    def break_rule() -> None:
        msg = "rule"
        raise StrategyError(msg)

    settings = Settings()
    with pytest.raises(StrategyError, match=r"^rule$"):
        run([Task(break_rule)], settings, passthrough=(StrategyError,))
    with pytest.raises(TaskError, match="StrategyError: rule"):
        run([Task(break_rule)], settings)


def test_the_warning_of_skipped_tasks_names_the_first_in_order_of_tasks() -> None:
    failed = threading.Event()

    def fail(first: bool) -> None:
        try:
            if first:
                assert failed.wait(60)
            raise ValueError("first" if first else "second")
        finally:
            failed.set()

    tasks = [bp.Task(fail, True), bp.Task(fail, False), bp.Task(abs, -1)]
    with pytest.warns(SkippedWarning, match=r"2 of 3 calls .* First: Call 0 failed: .*first"):
        assert bp.execute(tasks, engine="threadpool", n_workers=2, on_error="skip") == [1]


def test_the_warning_about_skipped_calls_points_here() -> None:
    with pytest.warns(SkippedWarning, match="1 of 4 calls failed and were skipped") as caught:
        execute(tasks_of(fail_at_2, 4), on_error="skip")
    assert caught[0].filename == __file__


def test_recorded_failures_do_not_keep_the_data_of_their_frames() -> None:
    class Big:
        pass

    alive: list[weakref.ref[Big]] = []

    def work(number: int) -> int:
        big = Big()
        alive.append(weakref.ref(big))
        return 1 // number

    results = execute(tasks_of(work, 1), on_error="record")
    assert isinstance(results[0], Outcome)
    assert alive[0]() is None


def test_retries_of_a_chunk_run_only_what_failed() -> None:
    tries: list[int] = []

    def work(number: int) -> int:
        tries.append(number)
        if tries.count(number) < 3 and number == 2:
            raise ValueError
        return number

    for options in ({}, {"distribute": "chunks", "chunk_len": 4}):
        for kind in (list, iter):
            tries.clear()
            assert execute(kind(tasks_of(work, 6)), retries=2, **options) == [0, 1, 2, 3, 4, 5]
            assert sorted(tries) == [0, 1, 2, 2, 2, 3, 4, 5]


def test_a_timeout_on_serial() -> None:
    tasks = [Task(threading.Event().wait, pause) for pause in (0.0, 20.0, 0.0)]
    results = execute(tasks, timeout=0.1, on_error="record")
    assert results[::2] == [False, False]
    assert (results[1].status, type(results[1].error)) == ("timeout", TimeoutError)


# --- results ----------------------------------------------------------------------------------


def drop_odd(number: int) -> Any:
    return NoResult if number % 2 else number


def test_no_results() -> None:
    keys = pd.Index(range(4), name="x")
    merged = execute(tasks_of(drop_odd, 4), keys=keys, merge_func="concat")
    pd.testing.assert_series_equal(merged, pd.Series([0, 2], index=keys[[0, 2]]))
    for merge in (None, "concat"):
        with pytest.raises(NoResultsError, match="NoResult or a skipped failure from all 1"):
            execute([Task(drop_odd, 1)], merge_func=merge)
        assert execute([Task(drop_odd, 1)], merge_func=merge, raise_no_results=False) is NoResult


def test_nothing_at_all() -> None:
    assert execute([]) == []
    with pytest.raises(NoResultsError, match="At least one call"):
        execute([], merge_func="concat")


def test_finished_tells_which_tasks_have_a_result() -> None:
    assert run(tasks_of(abs, 3), Settings()).kept is None
    kept = run(tasks_of(drop_odd, 5), Settings()).kept
    np.testing.assert_array_equal(kept, [0, 2, 4])


def test_a_custom_merge_gets_templates() -> None:
    def merge(results: list[int], index: pd.Index) -> pd.Series:
        return pd.Series(results, index=index)

    keys = pd.Index(["a", "b", "c"], name="k")
    kwargs = {"index": Rep("keys")}
    merged = execute(tasks_of(drop_odd, 3), keys=keys, merge_func=merge, merge_kwargs=kwargs)
    pd.testing.assert_series_equal(merged, pd.Series([0, 2], index=keys[[0, 2]]))


def test_a_named_merge_refuses_recorded_failures() -> None:
    with pytest.raises(TypeError, match="on_error='skip'"):
        execute(tasks_of(fail_at_2, 4), on_error="record", merge_func="concat", keys=range(4))
    merged = execute(tasks_of(fail_at_2, 4), on_error="record", merge_func=len)
    assert merged == 4


# --- progress ---------------------------------------------------------------------------------


def shown(tasks: Any, **options: Any) -> str:
    out = io.StringIO()
    pbar = {"file": out, "delay": 0, "mininterval": 0, **options.pop("pbar_kwargs", {})}
    execute(tasks, pbar_kwargs=pbar, **options)
    return out.getvalue()


def test_progress_counts_calls_and_failures() -> None:
    text = shown(tasks_of(fail_at_2, 5), show_progress=True, on_error="record")
    assert "5/5" in text
    assert "failed=1" in text
    text = shown(tasks_of(abs, 50), show_progress=True, distribute="chunks", chunk_len=20)
    assert "20/50" in text
    assert "50/50" in text


def test_progress_is_silent_unless_watched_and_within_other_runs() -> None:
    assert shown(tasks_of(abs, 5)) == ""
    assert shown(tasks_of(abs, 5), show_progress=True, pbar_kwargs={"delay": 0.5}) == ""
    inner = Task(shown, tasks_of(abs, 5))
    assert execute([inner]) == [""]


def test_a_failure_of_a_nested_run_says_once_what_to_do():
    @bp.iterated(over_arg="i", chunk_len=1)
    @bp.iterated(over_arg="j")
    def ratio(i, j):
        return 1 / (i + j)

    with pytest.raises(TaskError, match=r"Call 0 \(i=0\) failed: Call 0 \(j=0\)") as e:
        ratio(2, 2)
    text = str(e.value)
    assert text.count(".rerun()") == 1
    assert text.count("ZeroDivisionError: division by zero") == 1
    with pytest.raises(TaskError, match=r"^Call 0 \(j=0\) failed"):
        e.value.rerun()


def test_an_empty_run_says_that_there_were_no_calls():
    with pytest.raises(NoResultsError, match="got no calls at all"):
        execute([], merge_func="concat")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"post_execute_func": 3}, "post_execute_func must be a function, got 3"),
        ({"pre_chunk_func": "print"}, "pre_chunk_func must be a function, got 'print'"),
        ({"post_chunk_kwargs": 3}, "post_chunk_kwargs must be a dict, got 3"),
        ({"merge_kwargs": [1]}, "merge_kwargs must be a dict"),
        ({"engine_options": 3}, "engine_options must be a dict"),
        ({"template_context": 3}, "template_context must be a dict"),
        ({"timeout": "1"}, "timeout must be a positive number of seconds, got '1'"),
        ({"timeout": True}, "timeout must be a positive number of seconds, got True"),
        ({"store": 3}, "store must be a path or a broadpeak.Store, got 3"),
        ({"chunk_meta": 3}, "chunk_meta must be slices, ranges or lists of positions"),
        ({"chunk_meta": [0]}, "chunk_meta must be slices, ranges or lists of positions"),
        ({"chunk_meta": [[0.0]]}, "chunk_meta must be slices, ranges or lists of positions"),
    ],
)
def test_what_is_used_at_the_end_is_checked_before_anything_runs(options, text):
    ran = []
    with pytest.raises(ParamError, match=text):
        execute([Task(ran.append, 1)], **options)
    assert not ran


@pytest.mark.parametrize(
    "value",
    [pd.DataFrame({"a": [1, 2]}), pd.Series([1.0, 2.0]), np.array([1, 2]), np.empty((0, 2))],
    ids=["frame", "series", "array", "empty"],
)
def test_an_option_that_cannot_be_compared_is_refused_in_words(value: Any) -> None:
    tasks = [bp.Task(abs, -1), bp.Task(abs, -2)]
    with pytest.raises(bp.ParamError, match="engine must be callable"):
        bp.execute(tasks, engine=value)
    with pytest.raises(bp.ParamError, match="chunk_meta must"):
        bp.execute(tasks, chunk_meta=value)
