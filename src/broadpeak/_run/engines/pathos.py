# SPDX-License-Identifier: BSD-3-Clause
"""Processes of pathos (multiprocess); dill carries what cloudpickle refuses."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from broadpeak._core import optional
from broadpeak._run.engines.processpool import ProcessEngine


class _ByDill:
    """Bytes that dill wrote and that only dill reads."""

    def __init__(self, loads: Callable[[bytes], object], data: bytes) -> None:
        self._loads = loads
        self._data = data

    def __reduce__(self) -> tuple[object, ...]:
        return self._loads, (self._data,)


def dumps_by_dill(obj: object) -> bytes:
    """Return `obj` pickled by dill, for anybody who has it."""
    dill = optional.load("dill", extra="pathos", purpose="engine='pathos'")
    return pickle.dumps(_ByDill(dill.loads, dill.dumps(obj)))


class PathosEngine(ProcessEngine):
    """Runs batches in processes that pathos makes.

    Parameters
    ----------
    n_workers : int
        Number of processes.
    start_method : {"fork", "spawn", "forkserver"}, optional
        How a worker starts. Default: what pathos prefers on this system.
    threads_per_worker : int, optional
        Limit of BLAS, OpenMP and Numba threads in a worker; see `ProcessEngine`.
    reuse : bool
        Use the workers of the last run, and keep them for the next.

    Raises
    ------
    MissingExtraError
        If pathos is not installed.
    """

    name = "pathos"
    library = "multiprocess"
    methods: tuple[str, ...] = ("fork", "spawn", "forkserver")

    def __init__(
        self,
        n_workers: int,
        *,
        start_method: str | None = None,
        threads_per_worker: int | None = None,
        reuse: bool = True,
    ) -> None:
        helpers = optional.load("pathos.helpers", extra="pathos", purpose="engine='pathos'")
        self._multiprocess = helpers.mp
        super().__init__(
            n_workers,
            start_method=start_method or self._multiprocess.get_start_method(),
            threads_per_worker=threads_per_worker,
            reuse=reuse,
        )

    def pickler(self) -> Callable[[object], bytes]:
        """Return a pickler that goes through dill."""
        return dumps_by_dill

    def context(self) -> Any:
        """Return what makes processes and pipes."""
        return self._multiprocess.get_context(self.start_method)
