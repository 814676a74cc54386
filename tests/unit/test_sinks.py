# SPDX-License-Identifier: BSD-3-Clause
"""The seam between a run and where its results go: any sink will do, and the loop keeps nothing."""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import broadpeak as bp
from broadpeak._run.batches import Outcome
from broadpeak._run.execute import run
from broadpeak._run.options import ExecuteOptions, Settings
from broadpeak._run.sinks import Finished


class Total:
    """A reducer: the sum of all results, and which task had the largest; holds no result."""

    def __init__(self) -> None:
        self.total = 0.0
        self.best = (-np.inf, -1)
        self.failed: list[int] = []

    def put(self, positions: Sequence[int], values: Sequence[Any], seconds: float) -> None:
        for position, value in zip(positions, values, strict=False):
            if value is not bp.NoResult:
                self.total += value
                self.best = max(self.best, (value, -position))

    def fail(self, outcome: Outcome) -> None:
        self.failed.append(outcome.index)

    def finish(self, n_tasks: int) -> Finished:
        return Finished((n_tasks, self.total), np.array([-self.best[1]]))


def tasks(n: int) -> list[bp.Task]:
    return [bp.Task(float, (7 * i) % n) for i in range(n)]


@pytest.mark.parametrize("chunks", [{}, {"n_chunks": 3}, {"distribute": "chunks", "chunk_len": 2}])
@pytest.mark.parametrize("engine", ["serial", "threadpool"])
@pytest.mark.parametrize("lazy", [False, True])
def test_a_reducer_is_a_sink(engine: str, chunks: dict[str, Any], lazy: bool) -> None:
    given = iter(tasks(10)) if lazy else tasks(10)
    settings = Settings(engine=engine, n_workers=2, **chunks)
    finished = run(given, settings, size=10, sink=Total())
    assert finished.value == (10, 45.0)
    assert finished.kept is not None
    assert finished.kept.tolist() == [7]  # 7 * 7 % 10 == 9


def test_a_reducer_behind_a_store_gets_what_is_kept_and_what_is_new(tmp_path: Any) -> None:
    path = tmp_path / "runs.db"
    bp.execute(tasks(10)[:6], store=path)
    calls: list[float] = []
    kept = run(
        tasks(10), Settings(store=path, post_execute_func=lambda: calls.append(1)), sink=Total()
    )
    assert kept.value == (10, 45.0)
    assert len(calls) == 1


def test_a_reducer_hears_of_failures_and_chunks_still_have_their_results() -> None:
    def half(n: int) -> float:
        if n == 2:
            raise ValueError("no")
        return n / 2

    seen: list[list[Any]] = []

    def note(results: list[Any]) -> None:
        seen.append(results)

    sink = Total()
    settings = Settings(
        on_error="record",
        n_chunks=2,
        post_chunk_func=note,
        post_chunk_kwargs={"results": bp.Rep("chunk_results")},
    )
    finished = run([bp.Task(half, n) for n in range(4)], settings, sink=sink)
    assert finished.value == (4, 2.0)
    assert sink.failed == [2]
    assert seen[0] == [0.0, 0.5]
    assert (seen[1][0].status, seen[1][1]) == ("failed", 1.5)


def test_the_loop_keeps_no_result() -> None:
    class Result:
        def __add__(self, other: float) -> float:
            return 1.0 + other

        __radd__ = __add__

    alive: list[weakref.ref[Result]] = []
    most = 0

    class Counter(Total):
        def put(self, positions: Sequence[int], values: Sequence[Any], seconds: float) -> None:
            nonlocal most
            gc.collect()
            most = max(most, sum(ref() is not None for ref in alive))

    def make() -> Result:
        result = Result()
        alive.append(weakref.ref(result))
        return result

    run([bp.Task(make)] * 60, Settings(chunk_len=3), sink=Counter())
    assert most <= 6  # of two chunks at most: the one that came, and the one before it


def test_each_option_stands_in_both_tables() -> None:
    """`ExecuteOptions` is for type checkers, `Settings` for the run: they know the same."""
    assert set(ExecuteOptions.__annotations__) == set(Settings.__dataclass_fields__)
    for name, kind in ExecuteOptions.__annotations__.items():
        shown = kind if isinstance(kind, str) else kind.__forward_arg__
        assert Settings.__dataclass_fields__[name].type == shown, name


OPTIONS = (
    "engine='serial', n_workers=None, engine_options=None, n_chunks=None, chunk_len=None, "
    "chunk_meta=None, distribute='tasks', warmup=False, merge_func=None, merge_kwargs=None, "
    "keep=None, to=None, show_progress=None, pbar_kwargs=None, pre_execute_func=None, "
    "pre_execute_kwargs=None, "
    "pre_chunk_func=None, pre_chunk_kwargs=None, post_chunk_func=None, post_chunk_kwargs=None, "
    "post_execute_func=None, post_execute_kwargs=None, on_error='raise', retries=0, timeout=None, "
    "raise_no_results=True, cache_chunks=False, store=None, store_key=None, template_context=None"
)


@pytest.mark.parametrize(
    ("func", "shown"),
    [
        (bp.execute, f"(tasks, *, keys=None, size=None, {OPTIONS})"),
        (
            bp.parameterized,
            (
                "(func=None, *, merge_func=None, merge_kwargs=None, keep=None, to=None, "
                "return_param_index=False, eval_id=None, random_subset=None, seed=None, "
                "grid_indices=None, max_misses=None, "
                "mono='auto', mono_n_chunks=None, mono_chunk_len=None, mono_chunk_meta=None, "
                "raise_no_results=True, "
                "template_context=None, execute_kwargs=None, **execute_options)"
            ),
        ),
        (
            bp.chunked,
            (
                "(func=None, *, arg_take_spec=None, size=None, min_size=None, n_chunks=None, "
                "chunk_len=None, chunk_meta=None, skip_single_chunk=True, merge_func=None, "
                "merge_kwargs=None, disable=False, execute_kwargs=None, **execute_options)"
            ),
        ),
        (bp.iterated, "(func=None, *, over_arg=None, execute_kwargs=None, **execute_options)"),
    ],
)
def test_signatures_show_every_option(func: Any, shown: str) -> None:
    signature = inspect.signature(func)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == shown


def test_an_option_that_execute_does_not_have() -> None:
    with pytest.raises(TypeError, match=r"execute got an unknown option 'engnie'.*mean 'engine'"):
        bp.execute([], engnie="serial")
    with pytest.raises(TypeError, match=r"mean 'keys'"):
        bp.execute([], keyz=[])
