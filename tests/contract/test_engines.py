# SPDX-License-Identifier: BSD-3-Clause
"""Every engine keeps the contract that third parties must keep, too."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from broadpeak.testing import EngineContract


class TestSerial(EngineContract):
    engine = "serial"
    in_process = True
    is_parallel = False


class TestThreadPool(EngineContract):
    engine = "threadpool"
    in_process = True


@pytest.mark.engine
class TestProcessPool(EngineContract):
    engine = "processpool"


@pytest.mark.engine
class TestJoblib(EngineContract):
    engine = "joblib"

    @pytest.mark.slow  # joblib starts all workers anew whenever one dies
    @pytest.mark.parametrize("distribute", ["tasks", "chunks"])
    def test_worker_that_dies(self, distribute: str, tmp_path: Path) -> None:
        super().test_worker_that_dies(distribute, tmp_path)

    @pytest.mark.slow
    def test_worker_that_dies_keeps_what_is_finished(self, tmp_path: Path) -> None:
        super().test_worker_that_dies_keeps_what_is_finished(tmp_path)


@pytest.mark.engine
class TestJoblibThreads(EngineContract):
    engine = "joblib"
    engine_options: ClassVar = {"backend": "threading"}
    in_process = True


@pytest.mark.engine
class TestPathos(EngineContract):
    engine = "pathos"


@pytest.mark.engine
class TestRay(EngineContract):
    engine = "ray"

    # Once in many runs the cluster itself did not survive it, and Ray then ends the program.
    @pytest.mark.slow
    @pytest.mark.parametrize("distribute", ["tasks", "chunks"])
    def test_worker_that_dies(self, distribute: str, tmp_path: Path) -> None:
        super().test_worker_that_dies(distribute, tmp_path)

    @pytest.mark.slow
    def test_worker_that_dies_keeps_what_is_finished(self, tmp_path: Path) -> None:
        super().test_worker_that_dies_keeps_what_is_finished(tmp_path)


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("start_method", ["fork", "spawn", "forkserver"], scope="class")
class TestStartMethods(EngineContract):
    engine = "processpool"

    @pytest.fixture(autouse=True)
    def _start_method(self, start_method: str) -> None:
        type(self).engine_options = {"start_method": start_method}


@pytest.mark.engine
class TestDask(EngineContract):
    engine = "dask"

    @pytest.mark.parametrize(
        "distribute", ["tasks", pytest.param("chunks", marks=pytest.mark.slow)]
    )
    def test_worker_that_dies(self, distribute: str, tmp_path: Path) -> None:
        super().test_worker_that_dies(distribute, tmp_path)


@pytest.mark.engine
class TestMpire(EngineContract):
    engine = "mpire"


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("start_method", ["fork", "spawn", "forkserver"], scope="class")
@pytest.mark.parametrize("use_dill", [False, True], scope="class")
class TestMpireStartMethods(EngineContract):
    engine = "mpire"

    @pytest.fixture(autouse=True)
    def _options(self, start_method: str, use_dill: bool) -> None:
        type(self).engine_options = {"start_method": start_method, "use_dill": use_dill}
