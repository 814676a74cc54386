# SPDX-License-Identifier: BSD-3-Clause
"""What each engine costs, and beside it what its own library takes for the same, in one run.

    python -m benchmarks.engines                              # all that are installed
    python -m benchmarks.engines --quick --engine dask --engine "ray by address"
    python -m benchmarks.engines --write                      # … and into the pages of the docs

Calls do nothing, so that all time is the way there and back. Each engine has two workers and
processes of its own to be measured in; within one, both sides have their workers up and take turns,
and the shortest wall and CPU times count. CPU times are those of all processes together, hundredths
of a second at best. Clusters that are joined by address run on this machine: what a network adds is
not in these figures.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np

from benchmarks.cases import Case, Result
from benchmarks.clusters import CLUSTERS
from benchmarks.measuring import (
    CORES,
    ROOT,
    FailedError,
    in_words,
    once,
    put_between,
    report,
    spawn,
    times_as_fast,
    tree_cpu,
)

N_WORKERS = 2
SHARED = 25_000_000  # floats: 200 MB
BEGIN = "<!-- table: python -m benchmarks.engines --write -->"
PAGES = {"beside": ROOT / "docs" / "engines.md", "summary": ROOT / "docs" / "clusters.md"}
NONE = "–"
JOINED = {f"{engine} by address": engine for engine in CLUSTERS}


class Sizes(NamedTuple):
    """How many calls: in a batch, of batches, one at a time, as runs of their own; how often."""

    batch: int = 1000
    calls: int = 100_000
    single: int = 1000
    runs: int = 20
    rounds: int = 3
    starts: int = 2


QUICK = Sizes(batch=100, calls=5000, single=100, runs=3, rounds=1, starts=1)


def no_op(number: int) -> int:
    return number


def no_ops(numbers: Iterable[int]) -> list[int]:
    return [no_op(number) for number in numbers]


def array_of(numbers: Iterable[int]) -> Any:
    """Return an array: Dask passes numbers of a list one by one, in many times the time."""
    return np.array(no_ops(numbers))


def item(array: Any, number: int) -> float:
    return float(array[number])


# --- the peers' own way ---------------------------------------------------------------------------


class Peer(NamedTuple):
    """Another library: how it maps a function in batches of a size, and how it runs one call."""

    map_name: str
    map: Callable[[range, int], list[int]]
    one_name: str
    one: Callable[[int], int]


@contextmanager
def serial_peer(address: str) -> Iterator[Peer]:
    del address
    yield Peer("a loop", lambda numbers, _: no_ops(numbers), "a call", no_op)


@contextmanager
def thread_peer(address: str) -> Iterator[Peer]:
    from concurrent.futures import ThreadPoolExecutor

    del address
    with ThreadPoolExecutor(N_WORKERS) as pool:
        yield Peer(
            "ThreadPoolExecutor.map",
            lambda numbers, _: list(pool.map(no_op, numbers)),
            "ThreadPoolExecutor.submit",
            lambda number: pool.submit(no_op, number).result(),
        )


@contextmanager
def process_peer(address: str) -> Iterator[Peer]:
    from concurrent.futures import ProcessPoolExecutor

    del address
    with ProcessPoolExecutor(N_WORKERS) as pool:
        yield Peer(
            "ProcessPoolExecutor.map",
            lambda numbers, batch: list(pool.map(no_op, numbers, chunksize=batch)),
            "ProcessPoolExecutor.submit",
            lambda number: pool.submit(no_op, number).result(),
        )


@contextmanager
def joblib_peer(address: str) -> Iterator[Peer]:
    import joblib

    del address

    def mapped(numbers: range, batch: int) -> list[int]:
        jobs = joblib.Parallel(n_jobs=N_WORKERS, batch_size=batch)
        return list(jobs(joblib.delayed(no_op)(number) for number in numbers))

    name = "joblib.Parallel"
    yield Peer(name, mapped, name, lambda number: mapped(range(number, number + 1), 1)[0])


@contextmanager
def pathos_peer(address: str) -> Iterator[Peer]:
    from pathos.multiprocessing import ProcessPool

    del address
    pool = ProcessPool(N_WORKERS)
    try:
        yield Peer(
            "ProcessPool.map",
            lambda numbers, batch: list(pool.map(no_op, numbers, chunksize=batch)),
            "ProcessPool.apipe",
            lambda number: int(pool.apipe(no_op, number).get()),
        )
    finally:
        pool.terminate()
        pool.join()
        pool.clear()


@contextmanager
def mpire_peer(address: str) -> Iterator[Peer]:
    from mpire import WorkerPool

    del address
    with WorkerPool(N_WORKERS, keep_alive=True) as pool:
        yield Peer(
            "WorkerPool.map",
            lambda numbers, batch: list(pool.map(no_op, numbers, chunk_size=batch)),
            "WorkerPool.apply",
            lambda number: int(pool.apply(no_op, number)),
        )


@contextmanager
def dask_peer(address: str) -> Iterator[Peer]:
    import distributed

    # Not the default client, or the engine would take it for its own.
    local = {"n_workers": N_WORKERS, "threads_per_worker": 1, "dashboard_address": None}
    given: Any = {"address": address} if address else local
    with distributed.Client(**given, set_as_default=False) as client:

        def mapped(numbers: range, batch: int) -> list[int]:
            if batch == 1:
                return list(client.gather(client.map(no_op, numbers, pure=False)))
            parts = [numbers[k : k + batch] for k in range(0, len(numbers), batch)]
            done = client.gather(client.map(array_of, parts, pure=False))
            return [number for part in done for number in part.tolist()]

        yield Peer(
            "Client.map",
            mapped,
            "Client.submit",
            lambda number: client.submit(no_op, number, pure=False).result(),
        )


@contextmanager
def ray_peer(address: str) -> Iterator[Peer]:
    import ray
    from ray.util.multiprocessing import Pool

    if not ray.is_initialized():  # a process has one connection: that of the engine is used
        given = {"address": address} if address else {"num_cpus": N_WORKERS}
        ray.init(**given, include_dashboard=False, log_to_driver=False)
    remote = ray.remote(no_op)
    # Its processes wait while the engine runs tasks, and so must not hold the CPUs.
    with Pool(N_WORKERS, ray_remote_args={"num_cpus": 0}) as pool:
        yield Peer(
            "ray.util.multiprocessing",
            lambda numbers, batch: list(pool.map(no_op, numbers, chunksize=batch)),
            "ray.remote",
            lambda number: int(ray.get(remote.remote(number))),
        )


PEERS = {
    "serial": serial_peer, "threadpool": thread_peer, "processpool": process_peer,
    "joblib": joblib_peer, "pathos": pathos_peer, "mpire": mpire_peer, "dask": dask_peer,
    "ray": ray_peer,
}  # fmt: skip


# --- measuring: each in a process of its own ------------------------------------------------------


def options_of(engine: str, address: str) -> dict[str, Any]:
    """Return what `execute` is called with."""
    options: dict[str, Any] = {"engine": engine, "n_workers": N_WORKERS, "show_progress": False}
    return {**options, "engine_options": {"address": address}} if address else options


def start(engine: str, address: str, sizes: Sizes) -> Result:
    """Time the first run of a process, whose workers have to start."""
    import broadpeak as bp

    del sizes
    bp.execute([bp.Task(no_op, 1)])  # what every engine imports
    return timed(lambda: bp.execute([bp.Task(no_op, 1)], **options_of(engine, address)), [1])


def peer_start(engine: str, address: str, sizes: Sizes) -> Result:
    """Time the same of the peer."""
    del sizes
    begun = time.perf_counter()
    with PEERS[engine](address) as peer:
        assert peer.one(1) == 1
        return {"wall": time.perf_counter() - begun}


def shared(engine: str, address: str, sizes: Sizes) -> Result:
    """Measure tasks that share an array of 200 MB: seconds, and memory where all of it is read."""
    import broadpeak as bp
    from benchmarks import memory

    options = options_of(engine, address)
    more = {"engine_options": options["engine_options"]} if address else {}
    peak = memory.measure("shared", engine, N_WORKERS, **more)["peak"]  # before others leave traces
    bp.execute([bp.Task(no_op, number) for number in range(100)], **options)
    times = []
    for _ in range(sizes.rounds):
        array = np.random.default_rng(0).random(SHARED)
        tasks = [bp.Task(item, array, number) for number in range(sizes.runs)]
        work = lambda: bp.execute(tasks, **options)  # noqa: E731, B023
        times.append(timed(work, array[: sizes.runs].tolist()))
    return {"wall": min(one["wall"] for one in times), "mb": peak - 8 * SHARED / 2**20}


def rates(engine: str, address: str, sizes: Sizes) -> Result:
    """Measure calls in all the ways in which they can be given, in turn with the peer."""
    import broadpeak as bp
    from broadpeak._run.calls import Calls

    options = options_of(engine, address)

    def calls_of(n: int) -> Calls:
        return Calls(no_op, varying={0: (range(n), np.arange(n))})

    def ours(given: Callable[[], Any], **more: Any) -> Callable[[], Any]:
        return lambda: bp.execute(given(), **options, **more)

    numbers, few = range(sizes.calls), range(sizes.single)
    calls, single = calls_of(sizes.calls), calls_of(sizes.single)
    tasks = [bp.Task(no_op, number) for number in numbers]
    again = ours(lambda: tasks[:1])
    bp.execute(tasks[:100], **options)  # all workers are there
    with PEERS[engine](address) as peer:
        peer.map(range(100), 1)
        ways: dict[str, tuple[Callable[[], Any], range]] = {
            "batches": (ours(lambda: calls, distribute="chunks", chunk_len=sizes.batch), numbers),
            "batches, peer": (lambda: peer.map(numbers, sizes.batch), numbers),
            "Calls": (ours(lambda: calls), numbers),
            "list": (ours(lambda: tasks), numbers),
            "generator": (ours(lambda: iter(tasks)), numbers),
            "single": (ours(lambda: single, distribute="chunks", chunk_len=1), few),
            "single, peer": (lambda: peer.map(few, 1), few),
            "run": (lambda: [again()[0] for _ in range(sizes.runs)], range(sizes.runs)),
            "run, peer": (lambda: [peer.one(0) for _ in range(sizes.runs)], range(sizes.runs)),
        }
        found: Result = {}
        for _, name in itertools.product(range(sizes.rounds), ways):
            work, right = ways[name]
            _ = peer.one(0) if "peer" in name else again()  # joblib starts workers anew for each
            one = timed(work, [0] * len(right) if "run" in name else list(right))
            best = found.setdefault(name, {**one, "n": len(right)})
            found[name] = {**best, **{key: min(one[key], best[key]) for key in one}}
        return {**found, "names": {"map": peer.map_name, "one": peer.one_name}}


def timed(work: Callable[[], Any], right: list[Any]) -> Result:
    """Return wall and CPU seconds of what must return `right`."""
    used, begun = tree_cpu(), time.perf_counter()
    found = work()
    wall = time.perf_counter() - begun
    cpu = used()
    if found != right:
        raise FailedError("wrong results")
    return {"wall": wall, "cpu": cpu}


JOBS = {job.__name__: job for job in (start, peer_start, shared, rates)}


def child(job: str, name: str, sizes: Sizes) -> None:
    """Do one job in this process, and report."""
    engine = JOINED.get(name, name)
    with CLUSTERS[engine](N_WORKERS) if name in JOINED else nullcontext("") as address:
        report(JOBS[job](engine, address, sizes))
        if engine != "serial":
            import broadpeak as bp

            bp.engines.shutdown()


def run(job: str, name: str, quick: bool = False) -> Result:
    """Do one job in a fresh process."""
    line = ["--child", job, "--engine", name, *(["--quick"] if quick else [])]
    return spawn("benchmarks.engines", *line)


def measure(name: str, quick: bool) -> Result:
    """Return all figures of an engine."""
    starts = (QUICK if quick else Sizes()).starts
    found = run("rates", name, quick)
    for job in ("start", "peer_start", "shared"):
        times = [run(job, name, quick) for _ in range(starts)]
        found[job] = {key: min(one[key] for one in times) for key in times[0]}
    return found


# --- goals ----------------------------------------------------------------------------------------


def dispatch(name: str) -> Callable[[bool], Result]:
    """Return a case: calls in batches, with the peer beside."""

    def case(quick: bool) -> Result:
        found = run("rates", name, quick)
        return {**found["batches"], "beside": {found["names"]["map"]: found["batches, peer"]}}

    return case


def large_tasks(quick: bool) -> Result:
    """200 tasks of 10 MB from a generator, on every engine that is installed: the largest peak."""
    import broadpeak as bp

    del quick  # what passes must be much more than may be held
    peaks, wall = {}, 0.0
    for name in bp.engines.available():
        line = ["--child", "--engine", name, "--case", "tasks", "--workers", str(N_WORKERS)]
        found = spawn("benchmarks.memory", *line)
        peaks[name], wall = found["peak"], wall + found["seconds"]
    return {"wall": wall, "cpu": math.nan, "n": len(peaks), "peaks": peaks}


def contracts(quick: bool) -> Result:
    """The contract suites of all engines, as the default suite runs them."""
    del quick
    line = [sys.executable, "-m", "pytest", "-q", "tests/contract"]
    done: list[subprocess.CompletedProcess[str]] = []
    work = lambda: done.append(  # noqa: E731
        subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)
    )
    times = once(work)
    said = done[0].stdout.strip().splitlines()[-1:]
    if done[0].returncode:
        raise FailedError(f"the contract suites must be green: {said}")
    return {**times._asdict(), "n": int(re.findall(r"(\d+) passed", said[0])[0])}


CASES: dict[str, Case] = {
    "dask_batches": dispatch("dask"), "ray_batches": dispatch("ray"), "large_tasks": large_tasks,
    "contracts": contracts,
}  # fmt: skip


# --- tables ---------------------------------------------------------------------------------------


def titled(name: str) -> str:
    """Return what a row is called."""
    return f'`"{name}"`' if name not in JOINED else f'`"{JOINED[name]}"` by address'


SUMMARY = [
    "`engine=`",
    "First run",
    "Next run",
    "Calls/s",
    "Batches/s",
    "200 MB shared",
    "Memory over them",
]
BESIDE = ["`engine=`", "Job", "Wall", "CPU", "Peer", "Its wall", "Its CPU", "Times as fast"]


def summary(name: str, found: Result) -> list[str]:
    """Return the cells of the row of an engine."""
    a_second = [f"{found[way]['n'] / found[way]['wall']:,.0f}" for way in ("batches", "single")]
    return [
        titled(name), in_words(found["start"]["wall"]), each(found["run"], "wall"), *a_second,
        in_words(found["shared"]["wall"]), f"{found['shared']['mb']:,.0f} MB",
    ]  # fmt: skip


def beside(name: str, found: Result) -> Iterator[list[str]]:
    """Yield the rows that compare an engine with its peer."""
    first, names = titled(name), found["names"]
    start, theirs = ({**found[job], "n": 1, "cpu": 0.0} for job in ("start", "peer_start"))
    for what, ours, peer, peer_name in (
        ("a call of {n:,} in batches", found["batches"], found["batches, peer"], names["map"]),
        ("a call of {n:,}, each a batch", found["single"], found["single, peer"], names["map"]),
        ("a run of one call", found["run"], found["run, peer"], names["one"]),
        ("the first of a process", start, theirs, names["one"]),
    ):
        yield [
            first, what.format(n=ours["n"]), each(ours, "wall"), each(ours, "cpu"),
            f"`{peer_name}`" if "." in peer_name else peer_name, each(peer, "wall"),
            each(peer, "cpu"), times_as_fast(ours, peer),
        ]  # fmt: skip
        first = ""


def each(found: Result, key: str) -> str:
    """Return the time of a call, if the clock could tell."""
    return in_words(found[key] / found["n"]) if found[key] > 0 else NONE


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def note(sizes: Sizes) -> str:
    """Say where this was measured."""
    names = {"joblib": "joblib", "pathos": "pathos", "mpire": "mpire", "dask": "distributed"}
    names["ray"] = "ray"
    import broadpeak as bp

    there = [names[name] for name in bp.engines.available() if name in names]
    return (
        f"Batches of {sizes.batch:,}, {N_WORKERS} workers, {CORES} cores, Python "
        f"{platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in there)}; "
        f"load of the machine {os.getloadavg()[0]:.0f}."
    )


def main() -> None:
    import broadpeak as bp

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    there = [name for name in bp.engines.available() if name in PEERS]
    there += [name for name, engine in JOINED.items() if engine in there]
    parser.add_argument("--engine", action="append", choices=there)
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--write", action="store_true", help="put the tables into the docs")
    parser.add_argument("--child", choices=JOBS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    sizes = QUICK if args.quick else Sizes()
    if args.child:
        child(args.child, args.engine[0], sizes)
        return
    rows: dict[str, list[list[str]]] = {"summary": [], "beside": []}
    for name in args.engine or there:
        try:
            found = measure(name, args.quick)
        except FailedError as error:
            print(f"{name} failed: {error}", flush=True)
            continue
        rows["summary"].append(summary(name, found))
        rows["beside"] += beside(name, found)
        print(" | ".join(rows["summary"][-1]), flush=True)
    heads = {"beside": BESIDE, "summary": SUMMARY}
    for table, page in PAGES.items():
        text = f"{markdown(heads[table], rows[table])}\n\n{note(sizes)}"
        print(f"\n{text}", flush=True)
        if args.write:
            put_between(page, BEGIN, text)


if __name__ == "__main__":
    main()
