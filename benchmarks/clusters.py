# SPDX-License-Identifier: BSD-3-Clause
"""Clusters of Dask and Ray on this machine, started as in a shell, for engines that join them."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

_PATIENCE_SECONDS = 60.0
_WORKERS_SECONDS = 5.0  # for workers: their start is not that of the run


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
def dask_cluster(n_workers: int) -> Iterator[str]:
    """Run a scheduler of Dask and its workers; the value is its address."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    python = [sys.executable, "-m", "dask"]
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--dashboard-address=:0"]
    worker = [*python, "worker", address, "--nthreads", "1", "--no-dashboard"]
    with terminals([*python, *scheduler], *[worker] * n_workers):
        until_it_listens(port)
        yield address


@contextmanager
def ray_cluster(n_workers: int) -> Iterator[str]:
    """Run a head of Ray with so many CPUs; the value is its address."""
    folder, port = tempfile.mkdtemp(prefix="r", dir="/tmp"), free_port()  # sockets: short names
    program = str(Path(sys.executable).parent / "ray")
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    words = ["--head", f"--port={port}", f"--num-cpus={n_workers}", f"--temp-dir={folder}"]
    words += ["--include-dashboard=false", "--disable-usage-stats", "--block"]
    try:
        with terminals([program, "start", *words]):
            until_it_listens(port)
            yield f"127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def until_it_listens(port: int) -> None:
    """Wait until somebody answers at `port`, and then for the workers."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            time.sleep(_WORKERS_SECONDS)
            return
        time.sleep(0.1)
    msg = f"nobody listens at port {port}"
    raise TimeoutError(msg)


CLUSTERS: dict[str, Callable[[int], AbstractContextManager[str]]] = {
    "dask": dask_cluster, "ray": ray_cluster,
}  # fmt: skip
