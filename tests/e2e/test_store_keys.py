"""Keys of stored calls in real runs: scripts, trainings, the program; words of the user."""

import functools
import os
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._run import stored
from broadpeak._run.calls import Calls, Task
from broadpeak._store.fingerprint import fingerprint
from broadpeak._training.train import plan_training
from broadpeak._training.trainoptions import TrainOptions

CALLS: list[int] = []
SETTINGS = {"shift": 0, "factor": 1}
LOCK = threading.Lock()

MAIN = """
import broadpeak as bp
import helper

def run(x):
    return x * helper.weight()

if __name__ == "__main__":
    print(bp.parameterized(run, merge_func="concat", store="runs.db")(bp.Param([1, 2])).tolist())
"""
TRAIN = """
import broadpeak as bp
import helper

@bp.strategy(lookback=60)
def trend(s):
    days = s.optimize(20, 10, 30, 10, name="days")
    s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, helper.slower(days))))
    s.enter_short(bp.crossed_below(s.close, bp.sma(s.close, helper.slower(days))))

def score(stats):
    return bp.objectives.profit(stats) * helper.FACTOR

if __name__ == "__main__":
    data = bp.Data.sample("IBM")["2005":"2007"]
    CALL
"""
HELPER = "FACTOR = 1\ndef slower(days):\n    return days\n"


def python(folder, *command, hash_seed="0"):
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": hash_seed}
    call = [sys.executable, *map(str, command)]
    done = subprocess.run(call, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def counted(x):
    CALLS.append(x)
    return x


def locked(x):
    with LOCK:
        return x * 2


def test_a_script_sees_that_its_helper_was_edited(tmp_path):
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "helper.py").write_text("def weight(): return 2\n")
    assert python(tmp_path, "main.py") == "[2, 4]"
    (tmp_path / "helper.py").write_text("def weight(): return 3\n")
    assert python(tmp_path, "main.py") == "[3, 6]"
    assert len(bp.Store(tmp_path / "runs.db").runs()) == 2


def test_how_and_where_a_script_is_started_means_nothing(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "main.py").write_bytes(
            MAIN.encode() if folder is first else MAIN.replace("\n", "\r\n").encode()
        )
        (folder / "helper.py").write_text("def weight(): return 2\n")
    python(first, "main.py")
    python(first, "-m", "main", hash_seed="1")
    (first / "runs.db").rename(second / "runs.db")
    python(second, "-m", "compileall", "-q", ".")
    python(second, second / "main.py", hash_seed="2")
    code = "import broadpeak as bp, main; "
    code += "bp.parameterized(main.run, merge_func='concat', store='runs.db')(bp.Param([1, 2, 3]))"
    python(second, "-c", code)
    runs = bp.Store(second / "runs.db").runs()
    assert runs["trials"].tolist() == [3]


@pytest.mark.parametrize(
    ("call", "edit"),
    [
        ('bp.train(trend, data, store="runs.db")', ("return days", "return days + 5")),
        (
            'bp.train(trend, data, objective=score, store="runs.db")',
            ("FACTOR = 1", "FACTOR = 2"),
        ),
        (
            'bp.walk_forward(trend, data, cycles=2, store="runs.db")',
            ("return days", "return days + 5"),
        ),
    ],
    ids=["train", "objective", "walk_forward"],
)
@pytest.mark.slow
def test_a_training_sees_that_a_helper_was_edited(tmp_path, call, edit):
    (tmp_path / "main.py").write_text(TRAIN.replace("CALL", call))
    (tmp_path / "helper.py").write_text(HELPER)
    python(tmp_path, "main.py")
    before = bp.Store(tmp_path / "runs.db").runs()
    (tmp_path / "helper.py").write_text(f'"""Help."""\n{HELPER}\nUNUSED = 1\n')
    python(tmp_path, "main.py", hash_seed="1")
    unchanged = bp.Store(tmp_path / "runs.db").runs()
    assert unchanged[["run", "trials"]].equals(before[["run", "trials"]])
    (tmp_path / "helper.py").write_text(HELPER.replace(*edit))
    python(tmp_path, "main.py")
    after = bp.Store(tmp_path / "runs.db").runs()
    assert len(after) == 2 * len(before)
    assert sum(after["trials"]) == 2 * sum(before["trials"])


@pytest.mark.slow
def test_the_program_sees_that_a_helper_was_edited_and_not_that_a_folder_moved(tmp_path):
    command = ("-m", "broadpeak.cli", "sweep", "main.py:run", "--param", "x=1:3", "--json")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    (first / "main.py").write_text(MAIN)
    (first / "helper.py").write_text("def weight(): return 2\n")
    store = ("--store", str(tmp_path / "runs.db"))
    python(first, *command, *store)
    first.rename(second)
    python(second, *command, *store)
    assert bp.Store(tmp_path / "runs.db").runs()["trials"].tolist() == [3]
    (second / "helper.py").write_text("def weight(): return 3\n")
    assert '"score": 9' in python(second, *command, *store).replace(".0", "")
    assert bp.Store(tmp_path / "runs.db").runs()["trials"].tolist() == [3, 3]
    python(second, *command, *store, "--store-key", "mine")
    (second / "helper.py").write_text("def weight(): return 4\n")
    answer = python(second, *command, *store, "--store-key", "mine")
    assert '"score": 9' in answer.replace(".0", "")


def test_trainings_see_what_a_strategy_and_an_objective_reach(tmp_path, monkeypatch):
    data = bp.Data.sample("IBM")["2005":"2006"]

    @bp.strategy(lookback=60)
    def trend(s):
        days = s.optimize(20, 10, 20, 10, name="days") + SETTINGS["shift"]
        s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days)))
        s.enter_short(bp.crossed_below(s.close, bp.sma(s.close, days)))

    def score(stats):
        return bp.objectives.profit(stats) * SETTINGS["factor"]

    path = tmp_path / "a.db"
    n_trials = []
    for change in ({}, {}, {"factor": 2}, {"shift": 3}, {}):
        for name, value in change.items():
            monkeypatch.setitem(SETTINGS, name, value)
        bp.walk_forward(trend, data, cycles=2, objective=score, min_trades=0, store=path)
        n_trials.append(sum(bp.Store(path).runs()["trials"]))
    assert n_trials == [n_trials[0] * n for n in (1, 1, 2, 3, 3)]


def test_a_function_that_writes_to_a_global_gets_a_new_run_where_that_changed(tmp_path):
    CALLS.clear()
    run = bp.parameterized(counted, store=tmp_path / "a.db")
    run(bp.Param([1, 2]))
    run(bp.Param([1, 2]))  # CALLS holds two more now
    assert len(bp.Store(tmp_path / "a.db").runs()) == 2
    CALLS.clear()
    run(bp.Param([1, 2]))  # as the first time
    assert CALLS == []


# A word of the user's own


def test_without_a_store_key_what_cannot_be_followed_is_refused(tmp_path):
    with pytest.raises(bp.StoreError, match=r"LOCK, which locked uses, .*store_key='v1'"):
        bp.parameterized(locked, store=tmp_path / "a.db")(bp.Param([1, 2]))
    with pytest.raises(bp.StoreError, match=r"fingerprint\(\) that returns"):
        bp.execute([Task(counted, threading.Lock())], store=tmp_path / "a.db")


def test_nothing_is_refused_without_a_store():
    assert bp.parameterized(locked)(bp.Param([1, 2])) == [2, 4]


def test_a_store_key_stands_for_what_the_function_reaches(tmp_path):
    path = tmp_path / "a.db"
    run = bp.parameterized(locked, store=path, store_key="v1")
    assert run(bp.Param([1, 2])) == [2, 4]
    run(bp.Param([1, 2]))
    assert len(bp.Store(path).runs()) == 1
    run(bp.Param([1, 2]), _store_key="v2")
    assert len(bp.Store(path).runs()) == 2


def test_under_a_word_name_and_arguments_still_count(tmp_path):
    path = tmp_path / "a.db"

    def scaled(x, k):
        CALLS.append(x)
        return x * k

    def shifted(x, k):
        return x + k

    CALLS.clear()
    options = {"store": path, "store_key": "v1"}
    assert bp.parameterized(scaled, **options)(bp.Param([1, 2]), 2) == [2, 4]
    assert bp.parameterized(scaled, **options)(bp.Param([1, 2]), 3) == [3, 6]
    assert bp.parameterized(shifted, **options)(bp.Param([1, 2]), 2) == [3, 4]
    bound = functools.partial(scaled, k=5)
    assert bp.execute([Task(bound, 1), Task(bound, 2)], **options) == [5, 10]
    bound = functools.partial(scaled, k=6)
    assert bp.execute([Task(bound, 1), Task(bound, 2)], **options) == [6, 12]
    assert CALLS == [1, 2] * 4


@pytest.mark.parametrize("kind", ["iterated", "chunked", "execute"])
def test_every_way_to_run_takes_a_word(tmp_path, kind):
    options = {"store": tmp_path / "a.db", "store_key": "v1"}
    for _ in range(2):
        if kind == "iterated":
            assert bp.iterated(locked, **options)([1, 2]) == [2, 4]
        elif kind == "chunked":
            run = bp.chunked(locked, merge_func="concat", n_chunks=2, **options)
            assert run(bp.Chunked(np.arange(2))).tolist() == [0, 2]
        else:
            assert bp.execute([Task(locked, 1)], **options) == [2]
    runs = bp.Store(tmp_path / "a.db").runs()
    assert runs["name"].tolist() == ["locked"]


def test_trainings_take_a_word(tmp_path):
    data = bp.Data.sample("IBM")["2005":"2007"]

    def strategy_of(shift):
        @bp.strategy(lookback=60)
        def trend(s):
            days = s.optimize(20, 10, 30, 10, name="days")
            with LOCK:
                s.enter_long(bp.crossed_above(s.close, bp.sma(s.close, days + shift)))
                s.enter_short(bp.crossed_below(s.close, bp.sma(s.close, days + shift)))

        return trend

    with pytest.raises(bp.StoreError, match=r"LOCK, which .*trend uses"):
        bp.train(strategy_of(0), data, store=tmp_path / "a.db")
    first = bp.train(strategy_of(0), data, store=tmp_path / "a.db", store_key="v1")
    n_trials = sum(bp.Store(tmp_path / "a.db").runs()["trials"])
    again = bp.train(strategy_of(5), data, store=tmp_path / "a.db", store_key="v1")
    assert again.params == first.params
    assert sum(bp.Store(tmp_path / "a.db").runs()["trials"]) == n_trials
    bp.train(strategy_of(5), data, store=tmp_path / "a.db", store_key="v2")
    assert sum(bp.Store(tmp_path / "a.db").runs()["trials"]) == 2 * n_trials
    for word in ("v1", "v1", "v2"):
        options = {"cycles": 2, "store": tmp_path / "b.db", "store_key": word}
        bp.walk_forward(strategy_of(0), data, **options)
    assert bp.Store(tmp_path / "b.db").runs()["trials"].nunique() == 1


def test_cycles_that_go_to_workers_as_a_whole_have_a_key_too():
    data = bp.Data.sample("IBM")["2005":"2006"]

    def plan(shift, **options):
        @bp.strategy(lookback=60)
        def trend(s):
            s.enter_long(s.close > s.optimize(20, 10, 20, 10, name="level") + shift)

        return plan_training(trend, data, TrainOptions(**options))

    assert fingerprint(plan(0)) == fingerprint(plan(0))
    assert fingerprint(plan(0)) != fingerprint(plan(1))
    assert fingerprint(plan(0)) != fingerprint(plan(0, objective="sharpe"))
    under = [
        plan(shift, execute={"store_key": word}) for shift, word in ((0, "a"), (1, "a"), (1, "b"))
    ]
    first, same, other = map(fingerprint, under)
    assert first == same != other


@pytest.mark.parametrize("word", ["", "  "])
def test_a_word_is_not_empty(word):
    with pytest.raises(bp.ParamError, match="store_key must be a string that is not empty"):
        bp.execute([Task(pow, 2, 2)], store_key=word)


@pytest.mark.parametrize("word", [1, b"v1", True])
def test_a_word_is_a_string(word):
    with pytest.raises(TypeError, match=r"store_key must be a string, got .*Type: store_key='v1'"):
        bp.parameterized(counted, store_key=word)(bp.Param([1]))


# What a key is made of


def keys_of(tasks, store_key=None):
    return stored._identify(tasks, store_key)


def test_the_version_of_the_library_counts(monkeypatch):
    before = keys_of([Task(pow, 2, 2)])
    for package in ("broadpeak", "numpy", "pandas", "numba"):
        real = stored.version
        monkeypatch.setattr(
            stored, "version", lambda name, p=package, r=real: "99" if name == p else r(name)
        )
        assert keys_of([Task(pow, 2, 2)])[0] != before[0]
        monkeypatch.setattr(stored, "version", real)
    assert keys_of([Task(pow, 2, 2)]) == before


def test_the_version_of_python_counts(monkeypatch):
    before = keys_of([Task(pow, 2, 2)])
    monkeypatch.setattr(stored.platform, "python_version", lambda: "3.99.0")
    assert keys_of([Task(pow, 2, 2)])[0] != before[0]


def test_keys_of_calls_differ_as_their_arguments_do():
    calls = Calls(counted, (None, "a"), varying={0: ([1, 1.0, True, "1"], [0, 1, 2, 3, 0])})
    keys = keys_of(calls)[1]
    assert len(set(keys)) == 4
    assert keys[0] == keys[4]
    assert keys_of(calls[1:3])[1] == keys[1:3]


def test_what_is_called_before_a_run_may_change_what_counts(tmp_path):
    scale = [1]

    def sweep(factor):
        return bp.parameterized(
            lambda x: x * scale[0],
            merge_func="concat",
            store=tmp_path / "runs.db",
            pre_execute_func=lambda: scale.__setitem__(0, factor),
        )(bp.Param([1, 2])).tolist()

    assert sweep(2) == [2, 4]
    assert sweep(3) == [3, 6]
    assert sweep(2) == [2, 4]
    assert len(bp.Store(tmp_path / "runs.db").runs()) == 2


def test_keywords_and_positions_are_reported_apart():
    keys = [
        keys_of([task]) for task in (Task(pow, 2, 3), Task(pow, 3, 2), Task(pow, base=2, exp=3))
    ]
    assert len({key for _, (key,) in keys}) == 3


def test_what_calls_share_is_looked_at_once(monkeypatch):
    looks = []

    class Shared:
        def fingerprint(self):
            looks.append(1)
            return "shared"

    shared = Shared()
    keys_of(Calls(counted, (None, shared), varying={0: (range(50), np.arange(50))}))
    assert len(looks) == 1
    looks.clear()
    keys_of([Task(counted, number, shared) for number in range(50)])
    assert len(looks) == 1


def test_the_ledger_name_of_a_partial_is_that_of_its_function():
    assert stored.run_name([Task(functools.partial(functools.partial(pow, 2)), 2)]) == "pow"


def test_the_last_number_of_a_large_frame_counts():
    frame = pd.DataFrame(np.zeros((100_000, 20)))
    assert fingerprint(frame) == fingerprint(frame.copy())
    frame.iloc[-1, -1] = 1.0
    assert fingerprint(frame) != fingerprint(frame * 0.0)
