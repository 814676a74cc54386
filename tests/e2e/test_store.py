"""Runs with a store: resumed after kill -9, never mixed up, clear when the file is bad."""

import random
import subprocess
import sys
import textwrap

import pandas as pd
import pytest

import broadpeak as bp
from broadpeak._run.batches import BatchResult
from broadpeak._store.store import Record

CALLS: list[tuple[int, int]] = []

SCRIPT = textwrap.dedent(
    """
    import sys, threading
    import broadpeak as bp

    def half(a):
        with open(sys.argv[2], "a") as log:
            log.write(f"{a} ")
        if len(sys.argv) > 4 and a == 40:
            print("here", flush=True)
            threading.Event().wait()  # until it is killed
        return a / 2

    if __name__ == "__main__":
        halves = bp.parameterized(half, merge_func="concat", store=sys.argv[1], engine=sys.argv[3])
        print(halves(bp.Param(range(60))).sum())
    """
)


def area(width, height):
    CALLS.append((width, height))
    return width * height


def _areas(path, **options):
    CALLS.clear()
    areas = bp.parameterized(area, merge_func="concat", store=path, **options)
    return areas(bp.Param(range(4)), bp.Param(range(3), condition="height <= width"))


def test_the_same_call_runs_nothing_again(tmp_path):
    first = _areas(tmp_path / "a.db")
    assert len(CALLS) == len(first) == 9
    second = _areas(tmp_path / "a.db")
    assert CALLS == []
    pd.testing.assert_series_equal(first, second)


def test_a_larger_grid_runs_only_what_is_new(tmp_path):
    CALLS.clear()  # it is part of what `area` reaches
    areas = bp.parameterized(area, merge_func="concat", store=tmp_path / "a.db")
    areas(bp.Param([1, 2]), 5)
    CALLS.clear()
    assert areas(bp.Param([3, 2, 1]), 5).tolist() == [15, 10, 5]
    assert CALLS == [(3, 5)]


def test_another_function_or_constant_gets_no_result_of_the_first(tmp_path):
    path = tmp_path / "a.db"
    double = bp.parameterized(lambda a, k: a * k, store=path)
    assert double(bp.Param([1, 2]), 2) == [2, 4]
    assert double(bp.Param([1, 2]), 3) == [3, 6]
    assert bp.parameterized(lambda a, k: a - k, store=path)(bp.Param([1, 2]), 2) == [-1, 0]
    assert len(bp.Store(path).runs()) == 3


def test_equal_tasks_keep_a_result_each(tmp_path):
    tasks = [bp.Task(random.random)] * 3
    first = bp.execute(tasks, store=tmp_path / "a.db")
    assert len(set(first)) == 3
    assert bp.execute(tasks, store=tmp_path / "a.db") == first


def test_failures_are_tried_again_and_the_rest_is_kept(tmp_path):
    mended = tmp_path / "mended"

    def shaky(a):
        if a == 2 and not mended.exists():
            raise ValueError("not now")
        return a

    run = bp.parameterized(shaky, store=tmp_path / "a.db")
    with pytest.raises(bp.TaskError, match="a=2"):
        run(bp.Param(range(4)))
    mended.touch()
    assert run(bp.Param(range(4))) == [0, 1, 2, 3]
    assert len(bp.Store(tmp_path / "a.db").runs()) == 1


def test_results_that_are_no_result_stay_so(tmp_path):
    some = bp.parameterized(lambda a: bp.NoResult if a % 2 else a, store=tmp_path / "a.db")
    assert some(bp.Param(range(4))) == [0, 2]
    assert some(bp.Param(range(4))) == [0, 2]


def test_trials_runs_and_exports(tmp_path):
    _areas(tmp_path / "a.db")
    store = bp.Store(tmp_path / "a.db")
    assert store.runs()[["name", "trials"]].to_numpy().tolist() == [["area", 9]]
    trials = store.trials(store.runs()["run"].iloc[0])
    assert (trials["value"] == trials["width"] * trials["height"]).all()
    store.export(tmp_path / "all.csv")
    assert len(pd.read_csv(tmp_path / "all.csv")) == 9
    store.export(tmp_path / "all.parquet")
    assert len(pd.read_parquet(tmp_path / "all.parquet")) == 9
    with pytest.raises(bp.StoreError, match=r"end in \.csv or \.parquet"):
        store.export(tmp_path / "all.xlsx")
    with pytest.raises(bp.StoreError, match=r"run must be one of \[1\]"):
        store.trials(7)


def test_the_ledger_counts_trials_on_the_same_prices(tmp_path):
    data = bp.Data.sample("IBM")
    mean = bp.parameterized(lambda data, a: float(data.close.mean()) * a, store=tmp_path / "a.db")
    mean(data, bp.Param([1, 2, 3]))
    mean(data["2005":], bp.Param([1, 2]))
    store = bp.Store(tmp_path / "a.db")
    assert store.ledger(data)["trials"].tolist() == [3]
    assert sorted(store.ledger()["trials"]) == [2, 3]


def test_cached_chunks_go_away_with_success(tmp_path, monkeypatch):
    monkeypatch.setenv("BROADPEAK_CACHE", str(tmp_path))
    mended = tmp_path / "mended"

    def shaky(a):
        CALLS.append((a, a))
        if a == 3 and not mended.exists():
            raise ValueError("not now")
        return a

    CALLS.clear()
    run = bp.parameterized(shaky, cache_chunks=True)
    with pytest.raises(bp.TaskError, match="a=3"):
        run(bp.Param(range(4)))
    assert len(list((tmp_path / "chunks").glob("*.db"))) == 1
    mended.touch()
    CALLS.clear()
    assert run(bp.Param(range(4))) == [0, 1, 2, 3]
    assert CALLS == [(3, 3)]
    assert list((tmp_path / "chunks").iterdir()) == []


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["serial", "processpool"])
def test_kill_9_loses_nothing_finished(tmp_path, engine):
    script, path, log = tmp_path / "half.py", tmp_path / "a.db", tmp_path / "log"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(path), str(log), engine]
    with subprocess.Popen([*command, "hang"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "here"
        process.kill()
    stored = set(bp.Store(path).trials(1)["a"])
    log.write_text("")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) == sum(range(60)) / 2
    again = {int(a) for a in log.read_text().split()}
    assert again == set(range(60)) - stored
    if engine == "serial":
        assert stored == set(range(40))
    else:  # what the two workers had on their way is lost, and no more; its size depends on speed
        assert len(stored) >= 20


def test_the_first_result_of_a_task_stays(tmp_path):
    store = bp.Store(tmp_path / "a.db")
    run = store.begin(b"key", name="n", data=None, settings={})
    assert store.add(run, [Record(b"a", {"a": 1}, 1.5, 0.25)]) == []
    late = [Record(b"a", {"a": 1}, 99.0, 9.0), Record(b"b", {"a": 2}, 2.5, 0.5)]
    assert store.add(run, late) == [b"a"]
    assert dict(store.find(run, [b"a", b"b"])) == {b"a": 1.5, b"b": 2.5}
    assert store.runs()[["trials", "seconds"]].to_numpy().tolist() == [[2, 0.75]]


def test_a_run_gives_what_the_store_has_if_another_process_was_first(tmp_path):
    store = bp.Store(tmp_path / "a.db")

    def draw(a):
        if a == 1:  # somebody else is done with it while this one is still at work
            store.add(1, [Record(claimed[1], {"call": 1}, -1.0, 0.0)])
        return float(a)

    claimed = []
    claim = store.claim
    store.claim = lambda run, owner, wanted, *rest: (  # type: ignore[method-assign]
        claimed.extend(wanted) or claim(run, owner, wanted, *rest)
    )
    assert bp.execute([bp.Task(draw, a) for a in range(3)], store=store) == [0.0, -1.0, 2.0]
    assert sorted(store.trials(1)["value"]) == [-1.0, 0.0, 2.0]


def test_the_time_of_a_batch_is_shared_by_its_tasks(tmp_path, monkeypatch):
    monkeypatch.setattr(BatchResult, "seconds", property(lambda _: 6.0, lambda *_: None))
    tasks = [bp.Task(float, a) for a in range(6)]
    bp.execute(tasks, store=tmp_path / "a.db", distribute="chunks", n_chunks=2)
    assert bp.Store(tmp_path / "a.db").trials(1)["seconds"].tolist() == [2.0] * 6
    assert bp.Store(tmp_path / "a.db").runs()["seconds"].tolist() == [12.0]


def test_a_parameter_may_be_named_like_a_column(tmp_path):
    tasks = bp.parameterized(lambda value, run: value * run, store=tmp_path / "a.db")
    assert tasks(bp.Param([2, 3]), 2) == [4, 6]
    trials = bp.Store(tmp_path / "a.db").trials(1)
    assert trials[["value_", "value"]].to_numpy().tolist() == [[2, 4], [3, 6]]


def test_labels_come_back_as_they_went_in(tmp_path):
    days = [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-02")]
    kinds = bp.parameterized(lambda day, n: n, store=tmp_path / "a.db")
    kinds(bp.Param(days, level=0), bp.Param([10**20, None], level=0))
    trials = bp.Store(tmp_path / "a.db").trials(1)
    assert trials["day"].tolist() == days
    assert trials["value"].tolist() == [10**20, None]
