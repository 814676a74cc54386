# SPDX-License-Identifier: BSD-3-Clause
"""How much memory a run takes, in this process and its workers together, on every engine.

    python -m benchmarks.memory                          # every case on every engine
    python -m benchmarks.memory --engine processpool --case tasks
    python -m benchmarks.memory --workers 4

Each case runs in a fresh process. What counts is the peak over what the same process and its warm
workers take before it: proportional sets, so that what several processes map counts once, and files
in memory. Another process looks every few milliseconds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import FailedError, processes, report, spawn

LARGE = 1_250_000  # floats: 10 MB
N = 200
MB = 1024  # kB
_PAUSE = 0.004


# --- work -----------------------------------------------------------------------------------------


def glance(array: Any) -> int:
    """Return at once."""
    return len(array)


def look(array: Any) -> float:
    """Read all of it."""
    return float(array[::512].sum())


def part(array: Any, position: int) -> float:
    """Read what every page of a shared array holds."""
    return float(array[position % 512 :: 512].sum())


def make(number: int) -> Any:
    """Return 10 MB."""
    return np.full(LARGE, float(number))


def small(number: int) -> int:
    """Return nearly nothing."""
    return number


class SlowSum:
    """A reducer that takes its time over every result."""

    def __init__(self, seconds: float = 0.002) -> None:
        self.seconds = seconds

    def start(self) -> float:
        return 0.0

    def add(self, state: float, position: int, value: Any) -> float:
        del position
        time.sleep(self.seconds)
        return state + float(value[0])

    def merge(self, first: float, second: float) -> float:
        return first + second

    def finish(self, state: float) -> float:
        return state


def arrays(n: int = N) -> Iterator[Any]:
    for number in range(n):
        yield np.full(LARGE, float(number))


def tasks(options: dict[str, Any]) -> Any:
    """Tasks that carry 10 MB each and end at once."""
    import broadpeak as bp

    return bp.execute((bp.Task(glance, array) for array in arrays()), **options) == [LARGE] * N


def read(options: dict[str, Any]) -> Any:
    """Tasks that carry 10 MB each and read them."""
    import broadpeak as bp

    done = bp.execute((bp.Task(look, array) for array in arrays()), **options)
    return done == [float(number) * len(range(0, LARGE, 512)) for number in range(N)]


def frames(options: dict[str, Any]) -> Any:
    """Tasks that carry a frame of 10 MB each."""
    import pandas as pd

    import broadpeak as bp

    made = (pd.DataFrame({"a": a[: LARGE // 2], "b": a[LARGE // 2 :]}) for a in arrays())
    return bp.execute((bp.Task(glance, frame) for frame in made), **options) == [LARGE // 2] * N


def raw(options: dict[str, Any]) -> Any:
    """Tasks that carry 10 MB of bytes each, inside of a dictionary."""
    import broadpeak as bp

    made = ({"raw": [b"x" * (8 * LARGE)]} for _ in range(N))
    return bp.execute((bp.Task(glance, one) for one in made), **options) == [1] * N


def surprise(options: dict[str, Any]) -> Any:
    """Ten thousand tasks that carry nothing, then those of 10 MB."""
    import broadpeak as bp

    def all_of_them() -> Iterator[Any]:
        for number in range(10_000):
            yield bp.Task(small, number)
        for array in arrays():
            yield bp.Task(glance, array)

    return bp.execute(all_of_them(), **options) == [*range(10_000), *[LARGE] * N]


def columns(options: dict[str, Any]) -> Any:
    """Calls by column whose values have 10 MB each, of which there are 40."""
    import broadpeak as bp
    from broadpeak._run.calls import Calls

    values = list(arrays(40))
    calls = Calls(glance, varying={0: (values, np.arange(200) // 5)})
    return bp.execute(calls, **options) == [LARGE] * 200


def results(options: dict[str, Any]) -> Any:
    """Results of 10 MB each, which the caller takes slowly."""
    import broadpeak as bp

    calls = (bp.Task(make, number) for number in range(N))
    return bp.execute(calls, keep=SlowSum(), **options) == sum(range(N))


def result_columns(options: dict[str, Any]) -> Any:
    """The same of calls by column, after a thousand of nearly nothing."""
    import broadpeak as bp
    from broadpeak._run.calls import Calls

    calls = Calls(mixed, varying={0: (range(1200), np.arange(1200))})
    return bp.execute(calls, keep=SlowSum(0.0), **options) == sum(range(1200))


def mixed(number: int) -> Any:
    """Return a number in a tuple, from 1,000 on 10 MB of them."""
    return (number,) if number < 1000 else make(number)


def shared(options: dict[str, Any]) -> Any:
    """One array of 200 MB that all tasks read."""
    import broadpeak as bp
    from broadpeak._run.calls import Calls

    array = np.ones(25_000_000)
    calls = Calls(part, (array, None), varying={1: (range(2000), np.arange(2000))})
    done = bp.execute(calls, **options)
    return len(done) == 2000 and set(done) <= {48828.0, 48829.0}


def in_turn(options: dict[str, Any]) -> Any:
    """A hundred arrays of 10 MB, each shared by ten tasks that follow one another."""
    import broadpeak as bp

    work = (bp.Task(part, array, number) for array in arrays(100) for number in range(10))
    return len(bp.execute(work, **options)) == 1000


CASES: dict[str, Callable[[dict[str, Any]], Any]] = {
    case.__name__: case
    for case in (
        tasks, read, frames, raw, surprise, columns, results, result_columns, shared, in_turn,
    )
}  # fmt: skip


# --- measuring ------------------------------------------------------------------------------------


def used(seen: list[int]) -> int:
    """Return how much memory processes take together, in kB.

    Files in memory count whole, also where nobody maps them now.
    """
    anonymous = mapped = 0
    for process in seen:
        with suppress(OSError, KeyError):  # it ends just now
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            pss = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
            anonymous += pss["Pss_Anon"] + pss["Pss_File"]
            mapped += pss["Pss_Shmem"]
    files = 0
    for folder in Path("/dev/shm").iterdir():
        number = folder.name.removeprefix("broadpeak-").partition("-")[0]
        with suppress(OSError):
            if number.isdecimal() and int(number) in seen:
                files += sum(file.stat().st_blocks for file in folder.iterdir()) // 2
    return anonymous + max(mapped, files)


def watch(root: int, pipe: Connection) -> None:
    """Look at `root` and its workers until told to end; answer every message with the peak."""
    peak, looked, seen = 0, 0.0, [root]
    while True:
        if time.monotonic() - looked > 0.25:
            seen, looked = processes(root, os.getpid()), time.monotonic()
        peak = max(peak, used(seen))
        if pipe.poll(_PAUSE):
            if not pipe.recv():
                return
            pipe.send(peak)
            looked, peak = 0.0, 0


class Watcher:
    """Another process that watches this one."""

    def __enter__(self) -> Watcher:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=watch, args=(os.getpid(), there), daemon=True)
        self._process.start()
        there.close()  # so that its end is noticed
        self.pid = self._process.pid or 0
        self.peak()
        return self

    def peak(self) -> int:
        """Return the most that was in use since the last time, in kB."""
        self._pipe.send(True)
        return int(self._pipe.recv())

    def __exit__(self, *_: object) -> None:
        self._pipe.send(False)
        self._process.join()


def measure(case: str, engine: str, n_workers: int, **more: Any) -> dict[str, float]:
    """Return the peak of a case over what the warm engine takes, and that, in MB; and seconds."""
    import broadpeak as bp

    options: dict[str, Any] = {"engine": engine, "n_workers": n_workers, **more}
    # What the first task loads is no part of the run.
    warm = [bp.Task(look, np.ones(1000))] * (8 * n_workers)
    with Watcher() as watcher:
        bp.execute(warm, **options)
        watcher.peak()
        time.sleep(0.1)
        base = watcher.peak()
        start = time.perf_counter()
        right = CASES[case](options)
        seconds = time.perf_counter() - start
        peak = watcher.peak()
    if not right:
        msg = f"{case} on {engine} gave wrong results"
        raise FailedError(msg)
    bp.engines.shutdown()
    return {"peak": (peak - base) / MB, "base": base / MB, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", action="append")
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--child", action="store_true")
    args = parser.parse_args()
    if args.child:
        report(measure(args.case[0], args.engine[0], args.workers))
        return
    import broadpeak as bp

    for engine in args.engine or bp.engines.available():
        for case in args.case or CASES:
            line = ["--child", "--engine", engine, "--case", case, "--workers", str(args.workers)]
            try:
                found = spawn("benchmarks.memory", *line)
            except FailedError as error:
                print(f"{engine:<12}{case:<16}failed: {error}")
                continue
            print(
                f"{engine:<12}{case:<16}{found['peak']:8,.0f} MB over {found['base']:6,.0f} MB"
                f"{found['seconds']:8.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
