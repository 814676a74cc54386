# SPDX-License-Identifier: BSD-3-Clause
"""`keep=` beside `store=`: what a reducer keeps is durable, each task is in it once, and resumes."""

import random
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import Param
from broadpeak._core.spans import PositionSpans
from broadpeak._run import storedkept
from broadpeak._run.keeping import Best
from broadpeak._run.sinks import KeptResults
from broadpeak._run.storedkept import StoredKept
from broadpeak._space import lazycombos
from broadpeak._store import claims
from broadpeak._store.fingerprint import Fingerprints
from broadpeak._store.spanrows import KeptRun


def score(a, b):
    return (a * 7919 + b * 104_729) % 1009 / 7


class Sums:
    """Sums of floats depend on their order, hence on how a run was cut."""

    def __init__(self, power=1):
        self.power = power

    def start(self):
        return {"n": 0, "sum": 0.0}

    def add(self, state, position, value):
        return {"n": state["n"] + 1, "sum": state["sum"] + value**self.power}

    def merge(self, left, right):
        return {name: left[name] + right[name] for name in left}


class ManySums(Sums):
    def add_many(self, state, positions, values):
        total = float(np.sum(np.asarray(values, dtype=float)))
        return {"n": state["n"] + len(values), "sum": state["sum"] + total}


REDUCERS: dict[str, Any] = {
    "top": bp.top(7),
    "bottom": bp.bottom(5),
    "histogram": bp.histogram(9, range=(5, 130)),
    "own": Sums(),
    "own of many": ManySums(),
}
SPACE = [Param(range(60), condition="a != b"), Param(range(50))]
N = 60 * 50 - 50


def exactly(kept: Any) -> Any:
    """Return what two answers have in common if they are the same to the last bit."""
    if isinstance(kept, pd.Series):
        return kept.index.names, kept.index.tolist(), kept.to_numpy().tobytes(), str(kept.dtype)
    if isinstance(kept, dict):
        return {name: float(value).hex() for name, value in kept.items()}
    return kept.edges.tobytes(), kept.counts.tobytes(), kept.below, kept.above, kept.missing


class Counted:
    """The function, which counts its calls and may stop the run at one of them."""

    def __init__(self, stop: int | None = None) -> None:
        self.n, self.stop = 0, stop

    def __call__(self, a, b):
        self.n += 1
        if self.n == self.stop:
            raise KeyboardInterrupt
        return score(a, b)

    def fingerprint(self):
        return "score"


@pytest.mark.parametrize("name", REDUCERS)
def test_a_run_that_was_stopped_goes_on_and_its_answer_is_that_of_one_piece(tmp_path, name):
    keep = REDUCERS[name]
    whole = exactly(bp.parameterized(score, keep=keep)(*SPACE))
    path = tmp_path / "a.db"
    draw = random.Random(name)
    ran, done = 0, 0
    for _ in range(6):
        func = Counted(draw.randrange(1, 600))
        with pytest.raises(KeyboardInterrupt):
            bp.parameterized(func, keep=keep, store=path)(*SPACE)
        now = int(bp.Store(path).runs()["trials"].iloc[0])
        assert done <= now <= done + func.n
        ran, done = ran + func.n, now
    func = Counted()
    assert exactly(bp.parameterized(func, keep=keep, store=path)(*SPACE)) == whole
    assert func.n == N - done  # nothing that was finished ran again
    func = Counted()
    assert exactly(bp.parameterized(func, keep=keep, store=path)(*SPACE)) == whole
    assert func.n == 0
    assert bp.Store(path).runs()["trials"].tolist() == [N]


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["threadpool", "processpool"])
@pytest.mark.parametrize("name", REDUCERS)
def test_engines_keep_the_same(tmp_path, engine, name):
    keep = REDUCERS[name]
    whole = exactly(bp.parameterized(score, keep=keep)(*SPACE))
    options: dict[str, Any] = {"engine": engine, "n_workers": 2, "store": tmp_path / "a.db"}
    for more in ({"n_chunks": 3}, {}):  # the second reads
        assert exactly(bp.parameterized(score, keep=keep, **options, **more)(*SPACE)) == whole
    assert bp.Store(tmp_path / "a.db").runs()["trials"].tolist() == [N]


@pytest.mark.parametrize(
    "options",
    [
        {"n_chunks": 7},
        {"chunk_meta": [range(1000, N), list(range(999, -1, -1))]},
        {"distribute": "chunks", "chunk_len": 333},
        {"warmup": True},
        {"timeout": 60.0},
        {"mono_chunk_len": 100},
        {"cache_chunks": True},
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("name", ["top", "own"])
def test_however_tasks_are_cut(tmp_path, monkeypatch, options, name):
    monkeypatch.setenv("BROADPEAK_CACHE", str(tmp_path))
    keep, space = REDUCERS[name], [Param(range(30), condition="a != b"), Param(range(35))]
    if "chunk_meta" in options:
        options = {"chunk_meta": [range(500, 1020), list(range(499, -1, -1))]}
    func = score
    if "mono_chunk_len" in options:

        def func(a, b):
            return [score(*pair) for pair in zip(a, b, strict=True)]

    if "cache_chunks" not in options:
        options = {**options, "store": tmp_path / "a.db"}
    whole = exactly(bp.parameterized(score, keep=keep)(*space))
    for _ in range(2):
        assert exactly(bp.parameterized(func, keep=keep, **options)(*space)) == whole
    if "store" in options:
        assert bp.Store(options["store"]).runs()["trials"].tolist() == [1020]


def test_cuts_are_no_part_of_the_call(tmp_path):
    path = tmp_path / "a.db"
    for options in ({}, {"n_chunks": 3}, {"chunk_meta": [range(9, N), range(9)]}):
        bp.parameterized(score, keep=bp.top(3), store=path, **options)(*SPACE)
    assert bp.Store(path).runs()["trials"].tolist() == [N]


def test_callbacks_see_what_is_left(tmp_path):
    seen: list[Any] = []
    path = tmp_path / "a.db"

    def go(stop, **options):
        func = Counted(stop)
        return bp.parameterized(func, keep=bp.top(2), store=path, n_chunks=2, **options)(
            Param(range(10)), 1
        )

    callbacks = {
        "post_chunk_func": lambda at, results: seen.append((at, len(results))),
        "post_chunk_kwargs": {"at": bp.Rep("chunk_meta"), "results": bp.Rep("chunk_results")},
    }
    with pytest.raises(KeyboardInterrupt):
        go(8, **callbacks)
    go(None, **callbacks)
    assert seen[0] == (list(range(5)), 5)
    left = seen[1][0]
    assert seen[1:] == [(left, len(left))]
    assert left == list(range(left[0], 10))


def test_a_failed_task_is_tried_again(tmp_path):
    class Fails:
        is_up = True

        def __call__(self, a):
            if a == 3 and not self.is_up:
                raise ValueError
            return a * 1.5

        def fingerprint(self):
            return "1"

    func = Fails()
    for keep in (bp.top(20), Sums(), ManySums()):
        func.is_up = False
        path = tmp_path / f"{type(keep).__name__}.db"
        sweep = bp.parameterized(func, keep=keep, store=path, on_error="skip")
        with pytest.warns(bp.errors.SkippedWarning):
            first = sweep(Param(range(8)))
        assert bp.Store(path).runs()["trials"].tolist() == [7]
        plain = bp.parameterized(lambda a: a * 1.5, keep=keep)
        assert exactly(first) == exactly(plain(Param([0, 1, 2, 4, 5, 6, 7], name="a")))
        func.is_up = True
        assert exactly(sweep(Param(range(8)))) == exactly(plain(Param(range(8))))
        assert bp.Store(path).runs()["trials"].tolist() == [8]


def test_no_result_is_finished_too(tmp_path):
    func = Counted()

    def some(a, b):
        return func(a, b) if a % 2 else bp.NoResult

    sweep = bp.parameterized(some, keep=Sums(), store=tmp_path / "a.db", store_key="1")
    first = sweep(Param(range(9)), 1)
    assert first["n"] == 4
    assert exactly(sweep(Param(range(9)), 1)) == exactly(first)
    assert func.n == 4
    with pytest.raises(bp.errors.NoResultsError):
        bp.parameterized(lambda a: bp.NoResult, keep=bp.top(1), store=tmp_path / "a.db")(
            Param([1, 2])
        )


def test_several_entries_a_call(tmp_path):
    def entries(a):
        return pd.Series([a, a * 2.5, -a], index=["x", "y", "z"])

    whole = bp.parameterized(entries, keep=bp.top(4))(Param(range(6)))
    sweep = bp.parameterized(entries, keep=bp.top(4), store=tmp_path / "a.db")
    for _ in range(2):
        assert exactly(sweep(Param(range(6)))) == exactly(whole)
    trials = bp.Store(tmp_path / "a.db").trials(1)
    assert trials["value"].tolist() == whole.tolist()
    assert trials["a"].tolist() == whole.index.get_level_values("a").tolist()


def test_several_figures_a_call(tmp_path):
    def figures(a):
        return {"score": a % 7 * 1.5, "trades": a, "name": f"n{a}"}

    whole = bp.parameterized(figures, keep=bp.top(4, by="score"))(Param(range(40)))
    sweep = bp.parameterized(figures, keep=bp.top(4, by="score"), store=tmp_path / "a.db")
    for _ in range(2):
        pd.testing.assert_frame_equal(sweep(Param(range(40))), whole)


def test_execute_and_iterated_keep_in_a_store_too(tmp_path):
    path = tmp_path / "a.db"
    tasks = [bp.Task(pow, 2, n) for n in range(20)]
    for _ in range(2):
        got = bp.execute(tasks, keep=bp.top(2), store=path)
        assert got.to_dict() == {19: 2**19, 18: 2**18}
    squared = bp.iterated(lambda a: a * a, keep=bp.bottom(1), store=path)
    for _ in range(2):
        assert squared(range(3, 9)).tolist() == [9]
    assert bp.Store(path).runs()["trials"].tolist() == [20, 6]
    bp.execute(tasks[::-1], keep=bp.top(2), store=path)  # another order is another run
    assert len(bp.Store(path).runs()) == 3


# --- what counts as the same call ----------------------------------------------------------------


def _key(func=score, keep=None, space=None, **options):
    """Return the key that a call is stored under."""
    keys: list[bytes] = []
    real = storedkept.key_of

    def note(*args):
        keys.append(real(*args))
        raise KeyboardInterrupt

    storedkept.key_of = note
    try:
        bp.parameterized(func, keep=keep or bp.top(3), store="never.db", **options)(
            **(space or {"a": Param(range(9)), "b": Param([1, 2])})
        )
    except KeyboardInterrupt:
        pass
    finally:
        storedkept.key_of = real
    return keys[0]


@pytest.mark.parametrize(
    "change",
    [
        {"keep": bp.top(4)},
        {"keep": bp.bottom(3)},
        {"keep": bp.top(3, by="x")},
        {"keep": bp.histogram(3, range=(0, 1))},
        {"keep": Sums()},
        {"func": lambda a, b: score(a, b) + 1},
        {"space": {"a": Param(range(10)), "b": Param([1, 2])}},
        {"space": {"a": Param(range(9)), "b": Param([1, 3])}},
        {"space": {"a": Param(range(9)), "b": 1}},
        {"space": {"a": Param(range(9), level=1), "b": Param([1, 2], level=0)}},
        {"space": {"a": Param(range(9), condition="a > b"), "b": Param([1, 2])}},
        {"grid_indices": slice(0, 17)},
        {"grid_indices": slice(None, None, -1)},
        {"grid_indices": [1, 0]},
        {"random_subset": 5, "seed": 1},
        {"store_key": "1"},
    ],
    ids=str,
)
def test_another_call_has_another_key(change):
    assert _key() == _key()
    assert _key(**change) == _key(**change)
    assert _key(**change) != _key()


def test_grids_that_are_walked_are_known_by_their_rules(monkeypatch):
    monkeypatch.setattr(lazycombos, "MOST_HELD", 8)

    def big(condition=None, context=None, n=30, **options):
        a = Param(range(n), condition=condition, context=context)
        return _key(space={"a": a, "b": Param(range(30))}, **options)

    limited = "a - b > low"
    keys = [
        big(),
        big(n=31),
        big(grid_indices=slice(0, 800)),
        big("a > b"),
        big("a >= b"),
        big(limited, {"low": -20}),
        big(limited, {"low": -21}),
        big(lambda a, b: a > b - 20),
        big(lambda a, b: a > b - 21),
    ]
    assert len(set(keys)) == len(keys)
    assert big("a > b") == keys[3]
    assert big(limited, {"low": -20}) == keys[5]


def test_the_source_and_the_parameters_of_a_reducer_count():
    class Other(Sums):
        def add(self, state, position, value):
            return super().add(state, position, value + 1)

    keys = [_key(keep=keep) for keep in (Sums(), Sums(2), Other(), ManySums())]
    assert len(set(keys)) == 4
    assert _key(keep=Sums(2)) == keys[1]
    named = [_key(keep=keep, store_key="1") for keep in (Sums(), Sums(2), Other(), Sums())]
    assert len(set(named)) == 3
    assert named[0] == named[3]


def test_the_identity_of_calls_is_that_of_their_columns():
    digest = Fingerprints()
    one = bp._run.calls.Calls(pow, varying={0: ([2, 3, 9], [0, 1]), 1: (range(5), [1, 2])})
    same = bp._run.calls.Calls(pow, varying={0: ([8, 2, 3], [1, 2]), 1: ([1, 2], [0, 1])})
    other = bp._run.calls.Calls(pow, varying={0: ([2, 3], [0, 1]), 1: (range(5), [2, 1])})
    assert one.identity(digest) == same.identity(digest) != other.identity(digest)


# --- kills, and several processes ---------------------------------------------------------------

SCRIPT = textwrap.dedent(
    """
    import sys
    import broadpeak as bp

    class Mean:
        def start(self):
            return 0.0

        def add(self, state, position, value):
            return state + value

        def merge(self, left, right):
            return left + right

    class Slow:
        def __init__(self, log, pause):
            self.log, self.pause = log, pause

        def fingerprint(self):
            return "slow"

        def __call__(self, a, b):
            with open(self.log, "a") as file:
                file.write(f"{a} {b}\\n")
            for _ in range(self.pause):
                pass
            return (a * 7919 + b * 104729) % 1009 / 7

    if __name__ == "__main__":
        path, log, engine, pause, kind = sys.argv[1:6]
        keep = {"top": bp.top(50), "own": Mean()}[kind]
        print("ready", flush=True)
        sys.stdin.readline()
        sweep = bp.parameterized(
            Slow(log, int(pause)), keep=keep, store=path, engine=engine, n_workers=2
        )
        got = sweep(bp.Param(range(100), condition="a != b"), bp.Param(range(40)))
        text = got.hex() if kind == "own" else got.to_numpy().tobytes().hex() + str(list(got.index))
        print(text, flush=True)
    """
)
SIZE = 100 * 40 - 40


class Process:
    def __init__(self, folder, log, engine="serial", pause=0, kind="top"):
        script = folder / "sweep.py"
        script.write_text(SCRIPT)
        self.log = folder / log
        self.process = subprocess.Popen(
            [sys.executable, script, folder / "a.db", self.log, engine, str(pause), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "ready"

    def go(self):
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answer(self):
        out, errors = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, errors
        return out.strip()

    def ran(self):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.count(" ") == 1]


@pytest.fixture
def start(tmp_path):
    made = []

    def make(*args, **kwargs):
        made.append(Process(tmp_path, *args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.communicate()


def _until(what):
    end = time.monotonic() + 120
    while not what():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["serial", "processpool"])
@pytest.mark.parametrize("kind", ["top", "own"])
def test_killed_at_random_moments_and_run_again(start, tmp_path, engine, kind):
    draw = random.Random(engine + kind)
    done = 0
    for number in range(6):
        one = start(f"log{number}", engine, 20_000, kind)
        one.go()
        wanted = draw.randrange(1, 1200)
        _until(lambda one=one, wanted=wanted: len(one.ran()) >= wanted or one.process.poll() == 0)
        one.process.kill()
        one.process.communicate()
        if (tmp_path / "a.db").exists() and len(bp.Store(tmp_path / "a.db").runs()):
            now = int(bp.Store(tmp_path / "a.db").runs()["trials"].iloc[0])
            assert now >= done
            done = now
    last = start("last", engine, 0, kind)
    last.go()
    answer = last.answer()
    assert len(last.ran()) == SIZE - done  # what was finished did not run again
    assert bp.Store(tmp_path / "a.db").runs()["trials"].tolist() == [SIZE]
    (tmp_path / "a.db").unlink()
    fresh = start("fresh", "serial", 0, kind)
    fresh.go()
    assert fresh.answer() == answer


@pytest.mark.engine
@pytest.mark.parametrize(
    ("kind", "n"), [("own", 2), pytest.param("top", 3, marks=pytest.mark.slow)]
)
def test_processes_share_the_work(start, tmp_path, kind, n):
    several = [start(f"log{number}", pause=2000, kind=kind) for number in range(n)]
    for one in several:
        one.go()
    answers = [one.answer() for one in several]
    assert len(set(answers)) == 1
    ran = [line for one in several for line in one.ran()]
    assert len(ran) == len(set(ran)) == SIZE  # each combination once
    assert bp.Store(tmp_path / "a.db").runs()["trials"].tolist() == [SIZE]
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT count(*) FROM spans").fetchone()[0] <= 3
        assert connection.execute("SELECT count(*) FROM claims").fetchone() == (0,)


# --- a process that was thought dead -------------------------------------------------------------


class Share:
    """One process's part in a run, driven by hand."""

    def __init__(self, store, keep=None, n=12):
        self.keep = keep or bp.top(5)
        tasks = [bp.Task(float, a) for a in range(n)]
        self.sink = KeptResults(self.keep, pd.Index)
        self.stored = StoredKept(store, b"k" * 16, tasks, self.sink)

    def claim(self, *places):
        granted, _ = self.stored.claim_span(PositionSpans(places), whole=True)
        return granted

    def put(self, one):
        self.stored.put(one, [float(position) for position in one], 0.5)
        self.stored._write()


@pytest.mark.parametrize("keep", [bp.top(5), Sums(), ManySums()], ids=["top", "own", "many"])
def test_who_wakes_too_late_gives_up_what_others_have_done(tmp_path, monkeypatch, keep):
    store = bp.Store(tmp_path / "a.db")
    sleeper = Share(store, keep)
    assert sleeper.claim(range(6)) == PositionSpans([range(6)])
    sleeper.put(range(3))
    # It is taken for dead: what it holds is run by another, and its row is folded.
    with monkeypatch.context() as patched:
        patched.setattr(claims, "is_alive", lambda name, until: False)
        other = Share(store, keep)
    assert other.stored.found == PositionSpans([range(3)])
    assert other.claim(range(3, 5)) == PositionSpans()  # now it is seen to live
    with monkeypatch.context() as patched:
        patched.setattr(claims, "is_alive", lambda name, until: False)
        assert other.claim(range(3, 5)) == PositionSpans([range(3, 5)])
    other.put(range(3, 5))
    sleeper.put(range(3, 6))  # 3 and 4 are there, 5 is not
    assert sleeper.stored.dropped() == PositionSpans([range(5, 6)])
    assert sleeper.claim(range(12)) == PositionSpans([range(5, 12)])
    sleeper.put(range(5, 12))
    got = sleeper.stored.finish(12).value
    assert exactly(got) == exactly(bp.execute([bp.Task(float, a) for a in range(12)], keep=keep))
    assert store.runs()["trials"].tolist() == [12]
    sleeper.stored.close()
    other.stored.close()


def test_claims_keep_others_off_while_their_owner_lives(tmp_path):
    store = bp.Store(tmp_path / "a.db")
    first, second = Share(store), Share(store)
    assert first.claim(range(4)) == PositionSpans([range(4)])
    assert second.claim(range(6)) == PositionSpans([range(4, 6)])
    first.stored.fail(bp.Outcome(2, "failed"))
    first.put(range(2))
    assert second.claim(range(12)) == PositionSpans([range(2, 3), range(4, 12)])
    first.stored.close()  # what it has claimed is free again
    assert second.claim(range(4)) == PositionSpans([range(2, 4)])
    second.stored.close()


def test_what_took_long_is_written_at_once_and_what_is_quick_is_written_seldom(
    tmp_path, monkeypatch
):
    now = [100.0]
    monkeypatch.setattr(storedkept, "perf_counter", lambda: now[0])
    store = bp.Store(tmp_path / "a.db")
    share = Share(store, n=3000)
    written: list[int] = []
    grow = share.stored._run.grow

    def slowly(*args):
        if args[2] is not None:
            written.append(len(args[2].places))
            now[0] += 0.01  # what a write takes
        return grow(*args)

    share.stored._run.grow = slowly

    def result(at, seconds):
        now[0] += seconds
        share.stored.put(range(at, at + 1), [1.0], seconds)

    for at in range(1000):
        result(at, 0.001)
    assert len(written) == pytest.approx(1000 * 0.001 / (30 * 0.01), abs=2)
    n = len(written)
    for at in range(1000, 1005):
        result(at, 3600.0)
    assert len(written) == n + 5
    now[0] -= 1000 - 1e-9  # two at the same moment, each of which took long
    result(1005, 1000.0)
    result(1006, 0.0)
    share.stored._at_stake = 0.0
    share.stored.put(range(1007, 1008), [1.0], 1000.0)
    assert written[-1] == 1008
    share.stored.close()


def test_what_is_new_is_written_when_a_run_ends_with_an_error(tmp_path):
    path = tmp_path / "a.db"
    with pytest.raises(bp.errors.TaskError):
        bp.parameterized(lambda a: 1 / (a - 7), keep=bp.top(2), store=path)(Param(range(9)))
    assert bp.Store(path).runs()["trials"].tolist() == [7]


# --- what is in the file -------------------------------------------------------------------------


def test_what_a_store_shows_of_such_a_run(tmp_path):
    path = tmp_path / "a.db"
    plain = bp.parameterized(score, merge_func="concat", store=path)(Param([1, 2]), 3)
    data = bp.Data.sample("IBM")

    def move(data, n):
        return float(data.close.iloc[n])

    best = bp.parameterized(move, keep=bp.top(3), store=path)(data, Param(range(50)))
    counts = bp.parameterized(score, keep=bp.histogram([0, 50, 100]), store=path)(
        Param(range(30)), 2
    )
    sums = bp.parameterized(score, keep=Sums(), store=path)(Param(range(30)), 2)
    store = bp.Store(path)
    runs = store.runs()
    assert runs["trials"].tolist() == [2, 50, 30, 30]
    assert runs["keep"].tolist()[:3] == ["", "top(3)", "histogram([0, 50, 100])"]
    assert "Sums" in runs["keep"].iloc[3]
    assert store.ledger(data)[["runs", "trials"]].to_numpy().tolist() == [[1, 50]]
    assert store.searches(data)["trials"].tolist() == [50]
    assert store.trials(1)["value"].tolist() == plain.tolist()
    assert store.trials(2)["n"].tolist() == best.index.tolist()
    assert store.trials(2)["value"].tolist() == best.tolist()
    bins = store.trials(3)
    assert bins["left"].tolist()[:-1] == [-np.inf, 0, 50, 100]
    assert bins["value"].tolist() == [0, *counts.counts.tolist(), counts.above, 0]
    assert sum(state["n"] for state in store.trials(4)["value"]) == sums["n"]
    for name in ("out.csv", "out.parquet"):
        if name == "out.csv":
            store.export(tmp_path / name)
            assert len(pd.read_csv(tmp_path / name)) >= 2 + 3 + 5


def test_what_is_kept_so_far_goes_by_number(tmp_path):
    path = tmp_path / "a.db"
    with pytest.raises(KeyboardInterrupt):
        bp.parameterized(Counted(100), keep=bp.top(4), store=path)(*SPACE)
    trials = bp.Store(path).trials(1)
    assert list(trials) == ["call", "value", "seconds", "created"]
    assert trials["value"].is_monotonic_decreasing
    assert trials["call"].max() < 100


def test_a_file_stays_of_the_old_format_until_a_run_needs_the_new_one(tmp_path):
    path = tmp_path / "a.db"

    def version():
        bp.Store(path).close()
        return int.from_bytes(path.read_bytes()[60:64], "big")

    bp.parameterized(score, store=path)(Param([1, 2]), 3)
    assert version() == 2
    bp.parameterized(score, keep=bp.top(1), store=path)(Param([1, 2]), 3)
    assert version() == 3
    func = Counted()
    assert bp.parameterized(func, store=path)(Param([1, 2]), 3) == [score(1, 3), score(2, 3)]
    assert bp.Store(path).runs()["trials"].tolist() == [2, 2, 2]


def test_a_large_run_is_a_small_file(tmp_path):
    path = tmp_path / "a.db"
    sweep = bp.parameterized(score, keep=bp.top(100), store=path)
    sweep(Param(range(1000)), Param(range(300)))
    assert bp.Store(path).runs()["trials"].tolist() == [300_000]
    assert path.stat().st_size < 60_000


def test_a_complete_run_is_read_from_a_file_that_nobody_may_write(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "a.db"
    sweep = bp.parameterized(score, keep=bp.top(3), store=path)
    first = sweep(*SPACE)
    before = path.read_bytes()
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        assert exactly(sweep(*SPACE)) == exactly(first)
    finally:
        folder.chmod(0o755)
        path.chmod(0o644)
    assert path.read_bytes() == before


class Objects(Sums):
    def start(self):
        return Path("no plain value")

    def add(self, state, position, value):
        return state

    def merge(self, left, right):
        return left


def test_a_state_that_only_pickle_holds_needs_trust(tmp_path):
    sweep = bp.parameterized(score, keep=Objects())
    with pytest.raises(bp.StoreError, match=r"trust=True"):
        sweep(*SPACE, _store=tmp_path / "a.db")
    trusting = bp.Store(tmp_path / "b.db", trust=True)
    for _ in range(2):
        assert sweep(*SPACE, _store=trusting) == Path("no plain value")
    with pytest.raises(bp.StoreError, match=r"trust"):
        bp.Store(tmp_path / "b.db").trials(1)
    with pytest.raises(bp.StoreError, match=r"trust"):
        sweep(*SPACE, _store=tmp_path / "b.db")


# --- damage, and crafted files ------------------------------------------------------------------


@pytest.fixture
def kept_file(tmp_path):
    path = tmp_path / "a.db"
    bp.parameterized(score, keep=bp.top(5), store=path)(Param(range(40)), 1)
    return path


def _ask(path):
    return bp.parameterized(score, keep=bp.top(5), store=path)(Param(range(40)), 1)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM spans",
        "UPDATE spans SET places = zeroblob(16)",
        "UPDATE spans SET places = places || places",
        "UPDATE spans SET trials = trials + 1",
        "UPDATE spans SET seconds = seconds + 1",
        "UPDATE spans SET created = 'x'",
        "UPDATE spans SET owner = 'x'",
        "UPDATE spans SET state = state || x'00'",
        "UPDATE spans SET state = substr(state, 1, length(state) - 1)",
        "UPDATE spans SET state = CAST(state AS TEXT)",
        "UPDATE spans SET content = zeroblob(16)",
        "UPDATE spans SET digest = zeroblob(16)",
        "UPDATE runs SET trials = trials + 1",
        "INSERT INTO spans SELECT run, 'y', places, trials, seconds, created, content, digest,"
        " state FROM spans",
        "PRAGMA user_version = 2",
    ],
)
def test_a_damaged_row_is_an_error(kept_file, sql):
    before = _ask(kept_file)
    with sqlite3.connect(kept_file) as connection:
        connection.execute(sql)
    connection.close()
    for ask in (lambda: _ask(kept_file), lambda: bp.Store(kept_file).trials(1)):
        with pytest.raises(bp.StoreError, match=r"undamaged|damaged"):
            ask()
    assert len(before) == 5


def _crafted(path, change, places=None):
    """Write a state that was changed, with digests that are right."""
    store = bp.Store(path)
    run: KeptRun = store.kept_run(1)
    row = run.states()[0]
    state = change(dict(row.state))
    run.fold("forged", lambda rows: row._replace(state=state, places=places or row.places), b"now")
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        {"positions": np.arange(100, 105)},  # of no task of the run
        {"positions": np.zeros(5, dtype=np.int64)},
        {"positions": np.arange(5.0)},
        {"positions": [1, 2, 3, 4, 5]},
        {"positions": np.arange(-5, 0)},
        {"figures": np.full(5, 7.0)},
        {"figures": np.full(5, np.nan)},
        {"figures": np.array(["a"] * 5)},
        {"figures": np.arange(4.0)},
        {"results": [1.0] * 6},
        {"results": "abcde"},
        {"results": None},
        {"results": [{}] * 5},
        {"n": 41},
        {"n": -1},
        {"n": "5"},
        {"entries": [1]},
        {"entries": pd.Index([])},
        {"kind": "bins"},
        {"kind": None},
    ],
    ids=str,
)
def test_a_crafted_state_is_refused(kept_file, change):
    _crafted(kept_file, lambda state: state | change)
    with pytest.raises(bp.StoreError, match=r"state"):
        _ask(kept_file)
    store = bp.Store(kept_file)
    try:
        store.trials(1)  # shows what is there, or refuses it in words
    except bp.StoreError as error:
        assert "state" in str(error)  # noqa: PT017


@pytest.mark.parametrize("state", [None, 7, [], {}, {"kind": "best"}, {"kind": "own"}], ids=str)
def test_what_is_no_state_at_all_is_refused(kept_file, state):
    _crafted(kept_file, lambda _: state)
    for ask in (lambda: _ask(kept_file), lambda: bp.Store(kept_file).trials(1)):
        with pytest.raises(bp.StoreError, match=r"state"):
            ask()


@pytest.mark.parametrize(
    "pieces",
    [
        [(4, 0, 4, "state", {"n": 4, "sum": 1.0})],  # not all
        [(32, 0, 32, "state", {}), (32, 0, 32, "state", {})],
        [(40, 0, 40, "state", {})],  # no node of the tree
        [(32, 4, 32, "state", {}), (4, 0, 4, "state", {})],
        [(32, 0, 32, "results", [1.0] * 32), (8, 32, 8, "state", {})],
        [(33, 0, 32, "state", {}), (8, 32, 8, "state", {})],
        [(0, 0, 0, "state", {})],
        [("1", 0, 32, "state", {})],
        [(1, 2)],
        [None],
        None,
    ],
    ids=str,
)
def test_crafted_pieces_are_refused(tmp_path, pieces):
    path = tmp_path / "a.db"
    sweep = bp.parameterized(score, keep=Sums(), store=path)
    sweep(Param(range(40)), 1)
    _crafted(path, lambda state: state | {"pieces": pieces})
    with pytest.raises(bp.StoreError, match=r"state"):
        sweep(Param(range(40)), 1)


def test_every_flipped_byte_of_a_small_store_is_an_error_or_the_same(kept_file):
    before, raw = exactly(_ask(kept_file)), kept_file.read_bytes()
    draw = random.Random(1)
    for at in draw.sample(range(len(raw)), 120):
        changed = bytearray(raw)
        changed[at] ^= 1 << draw.randrange(8)
        kept_file.write_bytes(changed)
        for beside in ("-wal", "-shm"):
            kept_file.with_name(kept_file.name + beside).unlink(missing_ok=True)
        try:
            got = exactly(_ask(kept_file))
        except bp.StoreError:
            continue
        assert got == before


def test_best_is_what_top_makes():
    assert isinstance(bp.top(1), Best)
