# SPDX-License-Identifier: BSD-3-Clause
"""Names of other packages that are not promised to stay: when one moves, a test says so.

Each is used in one place, which goes on without it, but worse; see there.
"""

from __future__ import annotations

import ctypes
import importlib
import inspect
import threading
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker, spawn
from pathlib import Path
from typing import Any

import joblib
import pytest
from joblib.externals.loky import process_executor, reusable_executor
from joblib.externals.loky.backend import resource_tracker as loky_tracker

from broadpeak._run import shared
from broadpeak._run.engines import joblib as engine


def test_standard_library() -> None:
    # fresh.py, worker.py: workers share the tracker of their parent.
    assert isinstance(resource_tracker.getfd(), int)
    assert resource_tracker._resource_tracker._fd == resource_tracker.getfd()
    # fresh.py: flags of the interpreter.
    command = spawn.get_command_line()
    assert command.index("-c") >= 1
    assert command[0] == spawn.get_executable()
    # running.py: threads that are left behind.
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc


@pytest.mark.parametrize("library", ["multiprocessing", "multiprocess"])
def test_processes_that_are_told_not_to_import_the_main_script(library: str) -> None:
    module = importlib.import_module(f"{library}.spawn")
    data = module.get_preparation_data("name")
    known = {name for name in data if name.startswith("init_main")}
    assert known <= {"init_main_from_name", "init_main_from_path"}
    # Whoever starts a process asks for it by this name, at that moment.
    for method in ("spawn_posix", "forkserver"):
        source = inspect.getsource(importlib.import_module(f"{library}.popen_{method}"))
        assert "spawn.get_preparation_data(" in source
    util = importlib.import_module(f"{library}.util")
    assert Path(util.get_temp_dir()).is_dir()
    assert callable(util.Finalize)
    assert importlib.import_module(library).parent_process() is None


@pytest.mark.engine
def test_joblib() -> None:
    parallel = joblib.Parallel(n_jobs=2)
    assert type(parallel._backend).__name__ in engine._ON_THIS_MACHINE
    assert isinstance(parallel._backend.backend_kwargs, dict)
    assert not getattr(parallel._backend, "supports_sharedmem", False)
    assert joblib.Parallel(n_jobs=2, backend="threading")._backend.supports_sharedmem
    with parallel:
        assert parallel(joblib.delayed(abs)(-n) for n in range(3)) == [0, 1, 2]
        assert isinstance(parallel._lock, type(threading.RLock()))
        assert callable(parallel._backend._workers._work_ids.get_nowait)
        assert reusable_executor._executor is parallel._backend._workers
    assert isinstance(reusable_executor._executor_lock, type(threading.RLock()))
    assert issubclass(process_executor.TerminatedWorkerError, BrokenProcessPool)


def test_the_tracker_of_loky_removes_folders(tmp_path: Path) -> None:
    assert shared.resource_tracker is loky_tracker
    assert "folder" in loky_tracker._CLEANUP_FUNCS
    folder = tmp_path / "left"
    folder.mkdir()
    (folder / "file").touch()
    remove: Any = loky_tracker._CLEANUP_FUNCS["folder"]
    remove(str(folder))
    assert not folder.exists()
