# SPDX-License-Identifier: BSD-3-Clause
"""Names of other packages that are not promised to stay: when one moves, a test says so.

Each is used in one place, which goes on without it, but worse; see there.
"""

from __future__ import annotations

import ctypes
import importlib
import queue
import sys
from concurrent.futures import BrokenExecutor, Future
from multiprocessing import resource_tracker, spawn
from pathlib import Path
from typing import Any

import joblib
import pytest
from loky.backend import resource_tracker as loky_tracker

from broadpeak._run import shared, starting
from broadpeak._run.engines import joblib as engine


def test_standard_library() -> None:
    # fresh.py, worker.py: workers share the tracker of their parent.
    assert isinstance(resource_tracker.getfd(), int)
    assert resource_tracker._resource_tracker._fd == resource_tracker.getfd()
    # fresh.py: flags of the interpreter.
    command = spawn.get_command_line()
    assert command.index("-c") >= 1
    assert command[0] == spawn.get_executable()
    # batches.py: threads that are left behind.
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc


@pytest.mark.parametrize("library", ["multiprocessing", "multiprocess"])
def test_processes_import_what_is_known_as_the_main_module(library: str) -> None:
    module, main = importlib.import_module(f"{library}.spawn"), sys.modules["__main__"]
    with starting._without_main():
        assert not [key for key in module.get_preparation_data("name") if key.startswith("init_")]
    assert sys.modules["__main__"] is main
    util = importlib.import_module(f"{library}.util")
    assert Path(util.get_temp_dir()).is_dir()
    assert callable(util.Finalize)
    assert importlib.import_module(library).parent_process() is None


@pytest.mark.engine
def test_joblib() -> None:
    """Which backend a `Parallel` chose, a private name says; the rest is for backends."""
    parallel = joblib.Parallel(n_jobs=2)
    assert type(parallel._backend).__name__ in engine._ON_THIS_MACHINE
    assert isinstance(parallel._backend.backend_kwargs, dict)
    assert not getattr(parallel._backend, "supports_sharedmem", False)
    assert joblib.Parallel(n_jobs=2, backend="threading")._backend.supports_sharedmem
    with joblib.Parallel(n_jobs=1) as parallel:
        assert type(parallel._backend).__name__ == engine._SEQUENTIAL
    answers: Any = queue.SimpleQueue()
    with joblib.Parallel(n_jobs=2) as parallel:
        backend = parallel._backend
        calls = joblib.parallel.BatchedCalls(
            [joblib.delayed(abs)(-3)], backend.get_nested_backend()
        )
        future = backend.submit(calls, callback=answers.put)
        assert backend.retrieve_result_callback(answers.get()) == [3]
        assert isinstance(future, Future)
        backend.abort_everything(ensure_ready=False)
    assert issubclass(joblib.externals.loky.process_executor.TerminatedWorkerError, BrokenExecutor)


def test_the_tracker_of_loky_removes_folders(tmp_path: Path) -> None:
    assert shared.resource_tracker is loky_tracker
    assert "folder" in loky_tracker._CLEANUP_FUNCS
    folder = tmp_path / "left"
    folder.mkdir()
    (folder / "file").touch()
    remove: Any = loky_tracker._CLEANUP_FUNCS["folder"]
    remove(str(folder))
    assert not folder.exists()
