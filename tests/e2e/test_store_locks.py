# SPDX-License-Identifier: BSD-3-Clause
"""Processes that sleep, fork, or have a store open twice: nobody takes away what others rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import broadpeak as bp
from broadpeak._store import claims, file

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these are signals and locks of POSIX")

N = 40
SHARER = textwrap.dedent(
    """
    import sys
    import broadpeak as bp
    from broadpeak._store import claims

    path, log, engine, role = sys.argv[1:5]
    claims.LEASE = 0.05 if role == "sleeps" else 600.0

    def half(a):
        with open(sys.argv[2], "a") as file:
            file.write(f"{a}\\n")
        if sys.argv[4] == "sleeps" and a == 2:
            print("here", flush=True)
            sys.stdin.readline()
        return a / 7

    if __name__ == "__main__":
        halves = bp.parameterized(half, merge_func="concat", store=path, engine=engine)
        print(halves(bp.Param(range(40))).to_numpy().tobytes().hex(), flush=True)
    """
)
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a script with arguments; it is ended with the test."""
    made: list[subprocess.Popen[str]] = []

    def started(code: str, *args: str) -> subprocess.Popen[str]:
        script = tmp_path / "script.py"
        script.write_text(code)
        made.append(
            subprocess.Popen(
                [sys.executable, str(script), *args],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return made[-1]

    yield started
    for one in made:
        one.kill()
        one.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.engine
def test_who_sleeps_past_its_lease_is_not_waited_for_and_may_wake(
    tmp_path: Path, start: Start
) -> None:
    path, logs = tmp_path / "a.db", [tmp_path / "sleeps.txt", tmp_path / "works.txt"]
    sleeper = start(SHARER, str(path), str(logs[0]), "serial", "sleeps")
    assert _line(sleeper) == "here"  # at combination 2, which it has claimed
    sleeper.send_signal(signal.SIGSTOP)
    _, status = os.waitpid(sleeper.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    with bp.Store(path) as store:
        kept = set(store.trials(1)["a"])
    assert kept == {0, 1}
    answer = _line(start(SHARER, str(path), str(logs[1]), "serial", "works"))
    assert answer != ""
    with bp.Store(path) as store:
        before = store.trials(1)
    assert sorted(before["a"]) == list(range(N))
    _go(sleeper)
    sleeper.send_signal(signal.SIGCONT)
    assert _line(sleeper) == answer
    assert sleeper.wait() == 0
    with bp.Store(path) as store:
        assert store.trials(1).equals(before)  # what was there first stays
    ran = [[int(a) for a in log.read_text().split()] for log in logs]
    assert sorted({*ran[0], *ran[1]}) == list(range(N))
    assert len(set(ran[1])) == len(ran[1])
    assert kept.isdisjoint(ran[1])
    assert 2 in ran[0]
    assert 2 in ran[1]


def test_a_stopped_process_keeps_its_claims_as_long_as_its_lease(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims.time, "time", lambda: 1000.0)
    other = start("input()")
    seen = claims._seen(other.pid)
    assert seen is not None
    name = f"{claims._namespace()}|{other.pid}|{seen.started}|x"
    assert claims.is_alive(name, until=999.0)
    other.send_signal(signal.SIGSTOP)
    os.waitpid(other.pid, os.WUNTRACED)
    assert claims.is_alive(name, until=1001.0)
    assert not claims.is_alive(name, until=999.0)
    other.send_signal(signal.SIGCONT)
    os.waitpid(other.pid, os.WCONTINUED)
    assert claims.is_alive(name, until=999.0)


LOOK = "import sys, broadpeak as bp\nprint(len(bp.Store(sys.argv[1]).runs()))"


def _begin(store: bp.Store, key: bytes) -> None:
    store.begin(key, name="n", data=None, settings={})


def test_to_open_a_store_twice_keeps_its_locks(tmp_path: Path, start: Start) -> None:
    """Whoever closes a file loses all his locks on it; without them others remove the log."""
    path = tmp_path / "a.db"
    with bp.Store(path) as store:
        _begin(store, b"first")
        bp.Store(path).close()
        assert _line(start(LOOK, str(path))) == "1"
        assert Path(f"{path}-wal").exists()
        _begin(store, b"second")
        # From another process, since this one sees what it wrote in any case.
        assert _line(start(LOOK, str(path))) == "2"


FORKS = textwrap.dedent(
    """
    import os, sys
    import broadpeak as bp

    def begin(store, key):
        store.begin(key, name="n", data=None, settings={})

    store = bp.Store(sys.argv[1])
    begin(store, b"parent")
    told, tells = os.pipe()
    hears, says = os.pipe()
    child = os.fork()
    if not child:
        begin(store, b"child")
        os.write(tells, b"x")
        os.read(hears, 1)
        begin(store, b"child again")
        os._exit(0)  # as if it was killed: nothing is closed
    os.read(told, 1)
    store.close()
    print(os.path.exists(sys.argv[1] + "-wal"), flush=True)
    os.write(says, b"x")
    os.waitpid(child, 0)
    print(store.runs()["run"].tolist(), flush=True)
    begin(store, b"parent again")
    print(len(store.runs()), flush=True)
    """
)


@pytest.mark.engine
def test_a_fork_shares_no_connection(tmp_path: Path, start: Start) -> None:
    """A child that believes it has the locks of its parent has none."""
    process = start(FORKS, str(tmp_path / "a.db"))
    assert [_line(process) for _ in range(3)] == ["True", "[1, 2, 3]", "4"]
    assert process.wait() == 0


def test_a_connection_of_another_process_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = bp.Store(tmp_path / "a.db")
    opened = store._file._opened
    monkeypatch.setattr(file, "_abandoned", [])
    monkeypatch.setattr(file.os, "getpid", lambda: -1)  # a fork that told Python nothing
    _begin(store, b"k")
    assert file._abandoned == [opened]
    monkeypatch.undo()
    opened.connection.close()
    store.close()
