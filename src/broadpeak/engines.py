# SPDX-License-Identifier: BSD-3-Clause
"""How to run: engines that take batches of tasks and yield their results.

`available`, `names`, `register` and `shutdown` are for everybody, the rest for authors of engines:
`FutureEngine` turns any executor into an engine, and
`broadpeak.testing.EngineContract` checks it.
"""

from __future__ import annotations

from broadpeak._core.threads import nesting
from broadpeak._run.batches import Batch, BatchResult, lost, run_batch
from broadpeak._run.dispatch import NOT_BEGUN, Engine, FutureEngine, WorkItem
from broadpeak._run.registry import available, names, register, shutdown
from broadpeak._run.remote import run_remotely
from broadpeak._run.taskqueue import TaskQueue

__all__ = [
    "NOT_BEGUN",
    "Batch",
    "BatchResult",
    "Engine",
    "FutureEngine",
    "TaskQueue",
    "WorkItem",
    "available",
    "lost",
    "names",
    "nesting",
    "register",
    "run_batch",
    "run_remotely",
    "shutdown",
]
