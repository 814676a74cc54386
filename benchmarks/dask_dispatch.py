# SPDX-License-Identifier: BSD-3-Clause
"""Dispatch of calls that do nothing on a local Dask, beside what Dask itself takes for them.

Both use the same two workers, in one run and in turn; wall time is that of the run, CPU time that
of all processes. Ratios are to be trusted more than times: other work on the machine slows both.

    python benchmarks/dask_dispatch.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import suppress

import distributed
import psutil

import broadpeak as bp
from broadpeak._run.calls import Calls

ROUNDS = 3


def nothing(number: int) -> int:
    return number


def all_nothing(numbers: range) -> list[int]:
    return [nothing(number) for number in numbers]


def cpu() -> float:
    """Return the CPU seconds of this process and its children."""
    this = psutil.Process()
    total = 0.0
    for process in [this, *this.children(recursive=True)]:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    busy, begun = cpu(), time.perf_counter()
    work()
    return time.perf_counter() - begun, cpu() - busy


def main() -> None:
    def ours(n: int, **options: object) -> Callable[[], object]:
        calls = Calls(nothing, varying={0: (range(n), range(n))})
        return lambda: bp.execute(calls, engine="dask", n_workers=2, **options)

    ours(10)()  # starts the workers
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": ":0"},
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.gather(client.map(nothing, range(10)))
        lists = [range(start, start + 1000) for start in range(0, 100_000, 1000)]
        rows = {
            "broadpeak, one at a time": (300, ours(300, timeout=60)),
            "Dask, submit + gather": (
                300,
                lambda: [client.submit(nothing, n, pure=False).result() for n in range(300)],
            ),
            "broadpeak, tasks": (1_000_000, ours(1_000_000)),
            "broadpeak, chunks of 1,000": (
                1_000_000,
                ours(1_000_000, distribute="chunks", chunk_len=1000),
            ),
            "Dask, client.map": (
                2_000,
                lambda: client.gather(client.map(nothing, range(2_000), pure=False)),
            ),
            "Dask, client.map over lists of 1,000": (
                100_000,
                lambda: client.gather(client.map(all_nothing, lists, pure=False)),
            ),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
        for _ in range(ROUNDS):
            for name, (_, work) in rows.items():
                found[name].append(seconds(work))
        print(f"{'':36}{'calls':>10}{'calls/s':>12}{'CPU µs/call':>14}")
        for name, (n, _) in rows.items():
            wall = statistics.median(one for one, _ in found[name])
            busy = statistics.median(one for _, one in found[name])
            print(f"{name:36}{n:10,}{n / wall:12,.0f}{busy / n * 1e6:14.1f}")


if __name__ == "__main__":
    main()
