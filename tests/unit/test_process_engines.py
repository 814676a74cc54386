# SPDX-License-Identifier: BSD-3-Clause
"""Worker processes: warm, limited, up to date, and without leftovers."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing import managers, shared_memory
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from broadpeak import EngineError, Task, TaskError, engines, execute
from broadpeak._core.threads import core_count, nesting
from broadpeak._run import fresh, pool, shared
from broadpeak._run.calls import Calls
from broadpeak._run.dispatch import BatchSizes
from broadpeak._run.shared import SharedObjects
from broadpeak.errors import MissingExtraError

POOLS = ["processpool", "pathos", "mpire"]


def run(tasks: Any, engine: str = "processpool", **options: Any) -> Any:
    return execute(tasks, engine=engine, n_workers=options.pop("n_workers", 2), **options)


def pids(engine: str, **options: Any) -> set[int]:
    return set(run([Task(os.getpid)] * 8, engine, distribute="chunks", chunk_len=1, **options))


@pytest.mark.engine
@pytest.mark.parametrize("engine", POOLS)
def test_workers_stay_for_the_next_run_until_shutdown(engine: str) -> None:
    first = pids(engine, n_workers=1)
    assert os.getpid() not in first
    assert pids(engine, n_workers=1) == first
    engines.shutdown()
    assert pids(engine, n_workers=1).isdisjoint(first)
    once = {"reuse": False}
    assert pids(engine, n_workers=1, engine_options=once).isdisjoint(first)


@pytest.mark.engine
@pytest.mark.parametrize("engine", POOLS)
def test_a_worker_that_ended_between_runs_is_replaced(engine: str) -> None:
    (pid,) = pids(engine, n_workers=1)
    os.kill(pid, 9)
    assert pids(engine, n_workers=1) != {pid}


def stop_itself(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGSTOP)
    return number


@pytest.mark.engine
@pytest.mark.skipif(os.name != "posix", reason="stops a process")
@pytest.mark.parametrize(
    "engine",
    # mpire itself notices after a minute that a worker is late.
    [pytest.param(name, marks=pytest.mark.slow) if name == "mpire" else name for name in POOLS],
)
def test_a_worker_that_is_stopped_fails_its_task_alone(engine: str) -> None:
    tasks = [Task(stop_itself, number) for number in range(5)]
    found = run(tasks, engine, timeout=0.5, on_error="record")
    assert [*found[:2], *found[3:]] == [0, 1, 3, 4]
    assert found[2].status == "timeout"


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="stops a process")
@pytest.mark.parametrize("engine", POOLS)
def test_a_worker_that_was_stopped_before_its_task_is_replaced(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the clock of its batch would start: with a timeout it must not hang for ever."""
    (pid,) = pids(engine, n_workers=1)
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(pool, "_LOAD_SECONDS", 0.1)
    assert pids(engine, n_workers=1, timeout=8.0).isdisjoint({pid})


@pytest.mark.engine
@pytest.mark.parametrize("engine", POOLS)
def test_numeric_libraries_get_one_thread_a_worker(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    tasks = [Task(os.getenv, "OMP_NUM_THREADS")]
    assert run(tasks, engine) == ["1"]
    assert run(tasks, engine, engine_options={"threads_per_worker": 3}) == ["3"]
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.engine
@pytest.mark.parametrize("engine", [*POOLS, "joblib"])
def test_functions_of_modules_that_workers_cannot_import(engine: str, tmp_path: Path) -> None:
    source = tmp_path / "hidden_strategy.py"
    source.write_text(
        "class Answer:\n    def __init__(self, value):\n        self.value = value\n"
        "def double(number):\n    return Answer(2 * number)\n"
    )
    spec = importlib.util.spec_from_file_location(f"hidden_strategy_{engine}", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    (answer,) = run([Task(module.double, 4)], engine)
    assert isinstance(answer, module.Answer)
    assert answer.value == 8
    del sys.modules[spec.name]


@pytest.mark.engine
@pytest.mark.parametrize("engine", POOLS)
def test_modules_found_after_the_workers_started(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids(engine)
    (tmp_path / f"late_module_{engine}.py").write_text("def answer():\n    return 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    late = importlib.import_module(f"late_module_{engine}")
    assert run([Task(late.answer), Task(os.getcwd)], engine) == [42, str(tmp_path)]


def write_and_sum(array: np.ndarray) -> float:
    array[0] = 1.0
    return float(array.sum())


@pytest.mark.engine
@pytest.mark.parametrize("engine", POOLS)
def test_a_worker_may_write_to_its_copy_of_a_shared_array(engine: str) -> None:
    array = np.zeros(100_000)
    calls = Calls(write_and_sum, (array,), n=5)
    assert run(calls, engine) == [1.0] * 5
    assert array[0] == 0.0


@pytest.mark.engine
def test_a_buffer_that_changes_between_tasks_is_not_taken_for_the_old_one() -> None:
    buffer = np.zeros(20_000)

    def tasks() -> Any:
        for number in range(12):
            buffer[:] = number
            yield Task(np.max, buffer)

    # A timeout keeps tasks one by one, hence pickled before the buffer changes again.
    assert run(tasks(), timeout=60) == list(range(12))


def test_what_is_shared_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shared, "_MEMORY", tmp_path)
    objects = SharedObjects()
    calls = Calls(np.sum, (np.zeros(100_000),), n=10)
    data = [objects.dumps(calls[place:])[0] for place in range(5)]
    assert max(map(len, data)) < 1_000
    assert len(list(tmp_path.rglob("*"))) == 2
    objects.close()
    objects.close()
    assert list(tmp_path.iterdir()) == []


def test_without_room_for_files_arrays_travel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shared.tempfile, "mkdtemp", refuse)
    for count in (1_000, 100_000):
        assert len(SharedObjects().dumps(Calls(np.sum, (np.zeros(count),), n=2))[0]) < 10_000


@pytest.mark.engine
def test_workers_that_cannot_start_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "_BOOT", "raise SystemExit(3)")
    with pytest.raises(EngineError, match="3 times in a row"):
        run([Task(abs, 1)], n_workers=1, engine_options={"reuse": False})


@pytest.mark.engine
def test_workers_that_lack_a_module_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    # A thread that somebody has started does not keep them alive.
    broken = (
        "import threading\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "sys.modules['cloudpickle'] = None\n\ndef start(pipe)"
    )
    monkeypatch.setattr(fresh, "_BOOT", fresh._BOOT.replace("def start(pipe)", broken))
    with pytest.raises(EngineError, match="3 times in a row"):
        run([Task(abs, 1)], n_workers=1, engine_options={"reuse": False})


@pytest.mark.engine
def test_workers_that_never_start_end_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fresh, "_BOOT", "import threading; threading.Event().wait()")
    monkeypatch.setattr(pool, "_START_SECONDS", 0.1)
    with pytest.raises(EngineError, match="3 times in a row"):
        run([Task(abs, 1)], n_workers=1, engine_options={"reuse": False})


@pytest.mark.engine
@pytest.mark.parametrize("method", ["fresh", "fork", "spawn", "forkserver"])
def test_a_system_that_allows_no_process_is_reported(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    if method == "fresh":
        monkeypatch.setattr(fresh.subprocess, "Popen", refuse)
    else:
        monkeypatch.setattr(multiprocessing.get_context(method).Process, "start", refuse)
    with pytest.raises(EngineError, match=r"must start.*temporarily unavailable.*threadpool"):
        run([Task(abs, 1)], engine_options={"reuse": False, "start_method": method})


@pytest.mark.engine
def test_a_run_goes_on_with_as_many_workers_as_the_system_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, started = subprocess.Popen, []

    def only_one(*args: Any, **kwargs: Any) -> Any:
        if started:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(start(*args, **kwargs))
        return started[0]

    monkeypatch.setattr(fresh.subprocess, "Popen", only_one)
    results = run([Task(os.getpid)] * 6, n_workers=3, engine_options={"reuse": False})
    assert results == [started[0].pid] * 6


def test_a_program_with_its_python_built_in_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(EngineError, match=r"'start_method': 'spawn'"):
        run([Task(abs, 1)], engine_options={"reuse": False})


@pytest.mark.engine
def test_workers_are_what_multiprocessing_would_have_made() -> None:
    memory = shared_memory.SharedMemory(create=True, size=8)
    try:
        memory.buf[0] = 7
        assert run([Task(first_byte, memory)] * 3, engine_options={"reuse": False}) == [7] * 3
        again = shared_memory.SharedMemory(memory.name)  # a worker that ended removes nothing
        again.close()
    finally:
        memory.close()
        memory.unlink()
    with managers.SyncManager() as manager:
        numbers = manager.list()
        run([Task(numbers.append, number) for number in range(3)])
        assert sorted(numbers) == [0, 1, 2]
    assert run([Task(getattr, sys, "argv")]) == [sys.argv]


def first_byte(memory: Any) -> int:
    byte: int = memory.buf[0]
    memory.close()
    return byte


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", ["threadpool", "processpool", "joblib", "pathos", "mpire", "dask", "ray"]
)
def test_a_script_ends_by_itself(engine: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import broadpeak as bp\n"
        "class Pair:\n    def __init__(self, x):\n        self.x = x\n"
        "def work(x):\n    return Pair(x + 1)\n"
        "tasks = [bp.Task(work, x) for x in range(3)]\n"
        f"pairs = bp.execute(tasks, engine='{engine}', n_workers=2)\n"
        "print([pair.x for pair in pairs], all(isinstance(pair, Pair) for pair in pairs))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[1, 2, 3] True\n"
    assert done.stderr == ""


@pytest.mark.parametrize("engine", ["pathos", "mpire"])
def test_a_missing_package_is_named_with_the_pip_line(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    hidden = lambda name, *rest: None if name == engine else found(name, *rest)
    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    assert engine not in engines.available()
    assert engine in engines.names()
    with pytest.raises(MissingExtraError, match=rf'pip install "broadpeak\[{engine}\]"'):
        execute([Task(abs, 1)], engine=engine)


def test_threads_see_the_context_of_the_run() -> None:
    with np.errstate(divide="raise"), pytest.raises(TaskError, match="FloatingPointError"):
        execute([Task(np.divide, 1.0, 0.0)], engine="threadpool")


def test_batches_grow_with_what_fits_a_moment() -> None:
    sizes = BatchSizes(n_workers=2)
    taken = []
    for _ in range(8):
        taken.append(sizes.next(None))
        sizes.record(taken[-1], 1e-4 * taken[-1])
    assert taken == [1, 8, 64, 500, 500, 500, 500, 500]
    sizes.record(500, 50.0)
    assert sizes.next(None) == 1


def where() -> tuple[int, int]:
    return nesting.get()


CLUSTERS = [pytest.param(engine, marks=pytest.mark.slow) for engine in ("dask", "ray")]


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["serial", "threadpool", *POOLS, "joblib", *CLUSTERS])
def test_runs_inside_of_runs_share_the_cores(engine: str) -> None:
    beside = 1 if engine == "serial" else 2
    assert run([Task(where)], engine) == [(1, beside)]
    inner = Task(execute, [Task(where)], engine="threadpool", n_workers=3)
    assert run([inner], engine) == [[(2, 3 * beside)]]
    # Who does not say how many gets what the others leave: a core at least.
    inner = Task(execute, [Task(where)], engine="threadpool")
    assert run([inner], engine) == [[(2, beside * max(1, core_count() // beside))]]
    innermost = Task(execute, [inner], engine="processpool", n_workers=1)
    assert run([innermost], engine) == [[[(3, beside * max(1, core_count() // beside))]]]
    assert where() == (0, 1)


@pytest.mark.engine
@pytest.mark.parametrize("engine", POOLS)
@pytest.mark.parametrize("distribute", ["tasks", "chunks"])
def test_imports_of_a_fresh_worker_are_not_time_of_the_task(
    engine: str, distribute: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The module takes longer to import than a task may take, in every worker but not here.
    name = f"slow_module_{engine}_{distribute}"
    (tmp_path / f"{name}.py").write_text(
        "import os, time\n"
        f"time.sleep(0 if os.getpid() == {os.getpid()} else 0.8)\n"
        "def work(pause):\n    time.sleep(pause)\n    return pause\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    work = importlib.import_module(name).work
    tasks = [Task(work, pause) for pause in (0.0, 30.0, 0.0)]
    options = {"reuse": False, **({} if engine == "processpool" else {"start_method": "spawn"})}
    results = run(
        tasks, engine, timeout=0.5, on_error="record", engine_options=options,
        distribute=distribute, chunk_len=1,
    )  # fmt: skip
    assert results[::2] == [0.0, 0.0]
    assert results[1].status == "timeout"
    assert 0.5 <= results[1].seconds < 30.0


def run_by_joblib(count: int) -> list[int]:
    results: list[int] = run([Task(pow, 2, number) for number in range(count)], "joblib")
    return results


@pytest.mark.engine
@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("initializer", [None, abs], ids=["ours", "the user's, too"])
def test_a_fork_has_workers_of_joblib_of_its_own(initializer: Any) -> None:
    options = {} if initializer is None else {"initializer": initializer, "initargs": (1,)}
    with joblib.parallel_config(backend="loky", **options):
        assert run_by_joblib(3) == [1, 2, 4]
        inside = {"start_method": "fork", "reuse": False}
        tasks = [Task(run_by_joblib, 5)] * 2
        assert run(tasks, engine_options=inside) == [[1, 2, 4, 8, 16]] * 2


def note(path: Path) -> None:
    path.touch()


@pytest.mark.engine
def test_an_initializer_of_the_user_is_called_in_workers_of_joblib(tmp_path: Path) -> None:
    mark = tmp_path / "called"
    with joblib.parallel_config(backend="loky", initializer=note, initargs=(mark,)):
        assert run([Task(abs, -1)] * 3, "joblib") == [1, 1, 1]
    assert mark.exists()
