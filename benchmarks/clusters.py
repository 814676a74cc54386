# SPDX-License-Identifier: BSD-3-Clause
"""What each engine costs: its start, a run, a call, a batch, and 200 MB that all tasks read.

    python -m benchmarks.clusters                    # prints the table
    python -m benchmarks.clusters --write            # … and puts it into docs/clusters.md
    python -m benchmarks.clusters --engine dask --engine ray

Each engine has a process of its own and two workers. Clusters that are joined are started as in a
shell, on this machine: what a network adds is not in these figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import measuring, memory
from benchmarks.measuring import CORES, ROOT, in_words, report, spawn

N_WORKERS = 2
N_CALLS = 100_000
N_BATCHES = 300
ENGINES = ("serial", "threadpool", "processpool", "joblib", "pathos", "mpire", "dask", "ray")
JOINED = ("dask by address", "ray by address")
PAGE = ROOT / "docs" / "clusters.md"
BEGIN = "<!-- table: python -m benchmarks.clusters --write -->"
END = "<!-- end of table -->"
_PATIENCE_SECONDS = 60.0


def no_op(number: int) -> int:
    return number


def first_of(array: Any, number: int) -> float:
    return float(array[number])


def measure(engine: str, address: str) -> dict[str, float]:
    """Return the figures of one engine, times in seconds, memory in MB."""
    import numpy as np

    import broadpeak as bp
    from broadpeak._run.calls import Calls

    options: dict[str, Any] = {"engine": engine, "n_workers": N_WORKERS, "show_progress": False}
    if address:
        options["engine_options"] = {"address": address}

    def run(tasks: Any, **more: Any) -> float:
        begun = time.perf_counter()
        bp.execute(tasks, **options, **more)
        return time.perf_counter() - begun

    def best(work: Callable[[], float]) -> float:
        return min(work() for _ in range(3))

    one = [bp.Task(no_op, 1)]
    bp.execute(one)  # what every engine imports
    calls = Calls(no_op, varying={0: (range(N_CALLS), np.arange(N_CALLS))})
    few = Calls(no_op, varying={0: (range(N_BATCHES), np.arange(N_BATCHES))})
    found = {"start": run(one)}
    run([bp.Task(no_op, number) for number in range(100)])  # all workers are there now
    found["run"] = best(lambda: run(one))
    found["call"] = best(lambda: run(calls)) / N_CALLS
    found["batch"] = best(lambda: run(few, distribute="chunks", chunk_len=1)) / N_BATCHES

    def shared() -> float:
        array = np.random.default_rng(0).random(25_000_000)
        return run([bp.Task(first_of, array, number) for number in range(20)])

    found["shared"] = best(shared)
    more = {} if not address else {"engine_options": options["engine_options"]}
    found["memory"] = memory.measure("shared", engine, N_WORKERS, **more)["peak"]
    return found


# --- clusters, as in a shell ----------------------------------------------------------------------


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def terminals(*commands: list[str]) -> Iterator[None]:
    """Run each command beside this process, and end them in the opposite order."""
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        yield
    finally:
        for process in reversed(processes):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()


@contextmanager
def dask_cluster() -> Iterator[str]:
    """Run a scheduler of Dask and two workers; the value is its address."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    python = [sys.executable, "-m", "dask"]
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--dashboard-address=:0"]
    worker = [*python, "worker", address, "--nthreads", "1", "--no-dashboard"]
    with terminals([*python, *scheduler], worker, worker):
        yield address


@contextmanager
def ray_cluster() -> Iterator[str]:
    """Run a head of Ray with two CPUs; the value is its address."""
    folder, port = tempfile.mkdtemp(prefix="r", dir="/tmp"), free_port()  # sockets: short names
    program = str(Path(sys.executable).parent / "ray")
    words = ["--head", f"--port={port}", f"--num-cpus={N_WORKERS}", f"--temp-dir={folder}"]
    words += ["--include-dashboard=false", "--disable-usage-stats", "--block"]
    os.environ["RAY_AUTH_MODE"] = "token"
    subprocess.run([program, "get-auth-token", "--generate"], check=True, stdout=subprocess.DEVNULL)
    try:
        with terminals([program, "start", *words]):
            yield f"127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def until_it_listens(address: str) -> None:
    """Wait until somebody answers at `address`."""
    host, _, port = address.rpartition("//")[2].partition(":")
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        with suppress(OSError):
            socket.create_connection((host, int(port)), 1.0).close()
            return
        time.sleep(0.1)


def child(name: str) -> None:
    """Measure one engine, and report it."""
    engine, _, joined = name.partition(" ")
    if not joined:
        report(measure(engine, ""))
        return
    with dask_cluster() if engine == "dask" else ray_cluster() as address:
        until_it_listens(address)
        time.sleep(5.0)  # for workers: their start is not that of the run
        report(measure(engine, address))


# --- the table ------------------------------------------------------------------------------------


def row(name: str, found: dict[str, float]) -> str:
    """Return the row of an engine."""
    engine, _, joined = name.partition(" ")
    times = [in_words(found[key]) for key in ("start", "run", "call", "batch", "shared")]
    return f"| `{engine!r}`{' ' if joined else ''}{joined} | ".replace("'", '"') + " | ".join(
        [*times, f"{found['memory']:,.0f} MB |"]
    )


def table(rows: list[str]) -> str:
    """Return the table, with what it was measured on."""
    head = "| `engine=` | First run | Next run | A call | A batch | 200 MB for all | Peak of it |"
    versions = [f"{one} {metadata.version(one)}" for one in ("joblib", "mpire", "distributed")]
    versions += [f"ray {metadata.version('ray')}"]
    load = os.getloadavg()[0]
    note = (
        f"{CORES} cores, {N_WORKERS} workers, Python {sys.version.split()[0]}, "
        f"{', '.join(versions)}; load of the machine {load:.0f}."
    )
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows, "", note])


def write(text: str, path: Path = PAGE) -> None:
    """Put the table between the marks of the page."""
    page = path.read_text(encoding="utf-8")
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        sys.exit(f"{path.name} must have the lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", action="append", choices=[*ENGINES, *JOINED])
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child)
        return
    rows = []
    for name in args.engine or [*ENGINES, *JOINED]:
        try:
            found = spawn("benchmarks.clusters", "--child", name)
        except (measuring.FailedError, json.JSONDecodeError) as error:
            sys.exit(f"{name}: {error}")
        rows.append(row(name, found))
        print(rows[-1], flush=True)
    print(f"\n{table(rows)}")
    if args.write:
        write(table(rows))


if __name__ == "__main__":
    main()
