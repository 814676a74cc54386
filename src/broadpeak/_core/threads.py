# SPDX-License-Identifier: BSD-3-Clause
"""Parts of one computation on several cores, in plain threads: kernels release the GIL.

Threads live as long as one computation, so that none is missed after a fork, and none waits at the
end of a program. To start one costs about 0.05 ms: what takes less than 1 ms is left alone.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from broadpeak._core import env
from broadpeak._core.stopping import Unstopped

_QUOTAS = (
    ("/sys/fs/cgroup/cpu.max", None),
    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)
_WORTH_A_THREAD = 1e6  # ns
_MOST_ON_WINDOWS = 61  # workers that one thread can wait for


class Nesting(NamedTuple):
    """How deep inside other runs code is.

    Attributes
    ----------
    depth : int
        How many runs it is inside of; 0 outside of any task.
    n_beside : int
        How many tasks of those runs may run at the same time, and share the cores.
    """

    depth: int = 0
    n_beside: int = 1


_OUTSIDE = Nesting()
nesting: contextvars.ContextVar[Nesting] = contextvars.ContextVar(
    "broadpeak_nesting", default=_OUTSIDE
)


@cache
def _quota() -> float:
    """Return the limit of a container in cores, inf without one."""
    for quota, period in _QUOTAS:
        try:
            numbers = Path(quota).read_text(encoding="ascii").split()
            if period is not None:
                numbers += Path(period).read_text(encoding="ascii").split()
            limit, length = int(numbers[0]), int(numbers[1])
        except (OSError, ValueError, IndexError):  # not Linux, no container, or "max"
            continue
        if limit > 0 and length > 0:
            return -(-limit // length)
    return float("inf")


def core_count() -> int:
    """Return how many cores this process may use, with affinity and container limits.

    Examples
    --------
    >>> core_count() >= 1
    True
    """
    found = os.cpu_count() or 1
    if sys.platform == "win32":
        found = min(found, _MOST_ON_WINDOWS)
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    return int(max(1, min(found, _quota(), env.most_cores())))


def spare_cores() -> int:
    """Return how many threads a computation may have: 1 where other tasks use the other cores.

    That is so in the workers of an engine, be they threads or processes, and in those that others
    have started: they have divided the cores already. What limits the threads of numeric libraries
    limits these, too.
    """
    inside = nesting.get()
    if inside.depth == 0:
        processes = sys.modules.get("multiprocessing.process")
        if processes is not None and processes.parent_process() is not None:
            return 1
        if threading.current_thread() is not threading.main_thread():
            return 1
    return int(max(1, min(core_count() // inside.n_beside, env.most_threads())))


def parts_for(nanoseconds: float) -> int:
    """Return into how many parts a computation is cut that takes about so long on one core."""
    if nanoseconds < 2 * _WORTH_A_THREAD:
        return 1
    return min(spare_cores(), int(nanoseconds / _WORTH_A_THREAD))


def bounds_of(n: int, n_parts: int) -> list[int]:
    """Return where `n` things are cut into parts of about one size, both ends included."""
    return [n * part // n_parts for part in range(n_parts + 1)]


def beside(work: Callable[[], object]) -> Callable[[], None]:
    """Call `work` in a thread of its own; return what waits until it has ended.

    An exception in it is raised by whoever waits. Ctrl-C and stops wait for it, too, for what a
    kernel writes to must not go while it runs.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # carried to who waits
            errors.append(error)

    with Unstopped():
        threads = _started(run)

    def wait() -> None:
        with Unstopped():
            _join(threads)
        if errors:
            raise errors.pop()

    return wait


def _started(run: Callable[..., None], *arguments: object) -> list[threading.Thread]:
    """Return a thread that calls `run`; none where the system allows no more, and it is done."""
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(run, *arguments), name="broadpeak-part", daemon=True
    )
    try:
        thread.start()
    except RuntimeError:
        run(*arguments)
        return []
    return [thread]


def _join(threads: Iterable[threading.Thread]) -> None:
    """Wait for threads to end; Ctrl-C meanwhile counts afterwards."""
    interrupt: BaseException | None = None
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join()
            except KeyboardInterrupt as error:
                interrupt = error
    if interrupt is not None:
        raise interrupt


def share(work: Callable[[int], None], n_parts: int) -> None:
    """Call `work` with 0 .. n_parts - 1, each in its own thread, the first one in this.

    An exception in one of them is raised here when all have ended: the first by part. Ctrl-C and
    stops wait until then, for what a kernel writes to must not go while it runs.
    """
    if n_parts == 1:
        work(0)
        return
    errors: list[BaseException | None] = [None] * n_parts

    def run(part: int) -> None:
        try:
            work(part)
        except BaseException as error:  # noqa: BLE001  # carried to the thread that waits
            errors[part] = error

    threads: list[threading.Thread] = []
    with Unstopped():
        try:
            for part in range(1, n_parts):
                threads += _started(run, part)
            run(0)
        finally:
            _join(threads)
    for found in errors:
        if found is not None:
            raise found
