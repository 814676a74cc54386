# SPDX-License-Identifier: BSD-3-Clause
"""What engines of clusters make of what their libraries say, one word after another."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import distributed
import pytest

from broadpeak import engines
from broadpeak._run import raycluster
from broadpeak._run.batches import BatchResult
from broadpeak._run.dasklocal import LocalDask
from broadpeak._run.engines import ray as ray_engine
from broadpeak._run.engines.dask import DaskEngine
from broadpeak._run.engines.ray import RayEngine
from broadpeak._run.remote import MISSING


class OnePerLook:
    """A Ray in which another task has ended whenever somebody looks; "hung" never does."""

    exceptions = SimpleNamespace(RayError=LookupError)

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    def wait(self, pending: list[str], *, num_returns: int, timeout: float) -> Any:
        del timeout
        ready = [one for one in pending if one != "hung"][: min(num_returns, 1)]
        return ready, [one for one in pending if one not in ready]

    def get(self, reference: str) -> bytes:
        return reference.encode()

    def cancel(self, reference: str, *, force: bool) -> None:
        assert force
        self.cancelled.append(reference)


def test_a_task_of_ray_that_is_late_ends_while_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine.time, "monotonic", lambda: 100.0)
    engine, ray = object.__new__(RayEngine), OnePerLook()
    engine._ray, engine._cluster = ray, SimpleNamespace(is_broken=False)
    engine._flight = {"hung": 0, **{f"quick {number}": number for number in range(1, 9)}}
    engine._began, engine._limits = {"hung": 10.0}, {"hung": 5.0}
    found = dict(engine.wait())
    late = found.pop(0)
    assert isinstance(late, BatchResult)
    assert (late.status, late.seconds) == ("timeout", 90.0)
    assert ray.cancelled == ["hung"]
    assert found
    assert all(found[number] == f"quick {number}".encode() for number in found)
    assert set(engine._flight.values()) == set(range(1, 9)) - set(found)
    assert engine._began == engine._limits == {}


def test_ray_ends_when_told_to_unless_a_run_is_using_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[object] = []
    cluster = raycluster.RayCluster((), is_ours=True, is_local=True, n_users=1)
    monkeypatch.setattr(raycluster, "_ours", cluster)
    monkeypatch.setattr(raycluster, "_close", ended.append)
    monkeypatch.setitem(raycluster.sys.modules, "ray", "the package")
    engines.shutdown()
    assert ended == []
    raycluster.leave(cluster)
    engines.shutdown()
    assert ended == ["the package"]


@pytest.mark.parametrize("status", ["cancelled", "lost", "pending"])
def test_a_batch_of_dask_whose_future_has_no_result_comes_again(status: str) -> None:
    def exception(timeout: float) -> None:
        if status != "cancelled":
            raise distributed.TimeoutError(timeout)

    engine = object.__new__(DaskEngine)
    engine._client, engine._way = SimpleNamespace(status="running"), None
    assert engine._failure(0, SimpleNamespace(status=status, exception=exception)) == MISSING


def test_a_scheduler_that_cannot_start_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(distributed, "LocalCluster", refuse)
    filters = logging.getLogger("distributed.scheduler").filters[:]
    with pytest.raises(OSError, match="Too many open files"):
        LocalDask({})
    assert logging.getLogger("distributed.scheduler").filters == filters
    assert list(tmp_path.iterdir()) == []
