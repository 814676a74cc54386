# SPDX-License-Identifier: BSD-3-Clause
"""`to="scores.parquet"`: results become rows of a file, in order of calls, and none is held."""

import datetime as dt
import hashlib
import sys
from collections import namedtuple
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import NoResult, Param, ParamError, Task, execute
from broadpeak._run import parquet
from broadpeak._run.batches import Outcome
from broadpeak._run.parquet import CallNumbers, FileResults
from broadpeak.errors import (
    FileError,
    MissingExtraError,
    NoResultsError,
    ParamTypeError,
    SkippedWarning,
    TaskError,
)

pq = pytest.importorskip("pyarrow.parquet")

Figures = namedtuple("Figures", "sharpe trades")


def tasks(func, n=6):
    return [Task(func, k) for k in range(n)]


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def left_in(folder):
    return sorted(one.name for one in folder.iterdir())


@pytest.fixture
def small(monkeypatch):
    """Groups of eight calls, so that few results make many of them."""
    monkeypatch.setattr(parquet, "_GROUP", 8)
    monkeypatch.setattr(parquet, "_MOST_READY", 1)


def score(x, y):
    return x / (y + 1)


def test_rows_are_calls_in_their_order(tmp_path):
    path = tmp_path / "new" / "scores.parquet"
    found = execute(tasks(float), to=path)
    assert found == path
    expected = pd.DataFrame({"call": range(6), "value": np.arange(6.0)})
    pd.testing.assert_frame_equal(pd.read_parquet(path), expected)
    keys = pd.MultiIndex.from_product([["a", "b"], [1.5, None, 3.0]], names=["letter", None])
    execute(tasks(float), to=path, keys=keys)
    found = pd.read_parquet(path)
    assert found.columns.tolist() == ["letter", "level_1", "value"]
    assert found["letter"].tolist() == list("aaabbb")
    np.testing.assert_array_equal(found["level_1"], [1.5, np.nan, 3.0] * 2)
    assert left_in(path.parent) == ["scores.parquet"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("engine", ["serial", "threadpool"])
@pytest.mark.parametrize("condition", [None, "x + y < 20"])
def test_labels_are_columns(tmp_path, engine, condition):
    sweep = bp.parameterized(score, engine=engine, n_workers=2)
    grid = (
        Param(range(3, 20), condition=condition),
        Param([4, 1, 7, 2, 3], keys=["d", "a", "g", "b", "c"]),
    )
    path = sweep(*grid, _to=str(tmp_path / "scores.parquet"))
    found = pd.read_parquet(path).set_index(["x", "y"])["value"]
    expected = sweep(*grid, _merge_func="concat").rename("value")
    pd.testing.assert_series_equal(found, expected, check_index_type=False)
    assert found.index.tolist() == expected.index.tolist()


def test_labels_keep_their_values(tmp_path):
    """Also what Arrow has no type for, as text, and numbers whose codes are short."""
    when = [pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2021-01-01", tz="UTC")]
    odd = [1, "a", None]
    sweep = bp.parameterized(lambda a, b, c, d: 1, to=tmp_path / "a.parquet")
    found = pd.read_parquet(
        sweep(Param(range(0, 10**6, 250_000)), Param(when), Param(odd), Param([len, abs]))
    )
    assert found["a"].unique().tolist() == [0, 250_000, 500_000, 750_000]
    assert found["b"].unique().tolist() == when
    assert found["c"].iloc[[0, 2, 4]].tolist()[:2] == ["1", "a"]
    assert found["c"].isna().sum() == 16
    assert found["d"].str.startswith("<built-in function").all() or set(found["d"]) == {
        "len",
        "abs",
    }


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda k: {"sharpe": k / 2, "trades": k}, ["sharpe", "trades"]),
        (lambda k: pd.Series({"sharpe": k / 2, "trades": k}), ["sharpe", "trades"]),
        (lambda k: Figures(k / 2, k), ["sharpe", "trades"]),
        (lambda k: (k / 2, k), ["value_0", "value_1"]),
    ],
    ids=["mapping", "series", "named tuple", "tuple"],
)
def test_several_figures_are_columns(tmp_path, make, names):
    found = pd.read_parquet(execute(tasks(make), to=tmp_path / "a.parquet"))
    assert found.columns.tolist() == ["call", *names]
    assert found[names[0]].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert found[names[1]].tolist() == list(range(6))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2, 2**62], "int64"),
        ([np.int16(1), np.int16(2), np.int16(3)], "int16"),
        ([np.int16(1), 2, np.uint8(3)], "int64"),
        ([1, 0.5, 2**60 + 1], "float64"),
        ([np.float32(1.5), 2.0, np.nan], "float64"),
        ([True, np.bool_(1), False], "bool"),
        (["a", np.str_("b"), "c"], "str"),
        ([pd.Timestamp(5), dt.datetime(2020, 1, 1), pd.NaT], "datetime64[ns]"),
        ([np.datetime64("2020-01-01", "ns"), pd.Timestamp(1), None], "datetime64[ns]"),
        ([pd.Timedelta(5), pd.Timedelta(7), pd.NaT], "timedelta64[ns]"),
        ([np.array(1.5), np.array(2.5), np.array(0.0)], "float64"),
    ],
    ids=str,
)
def test_types_are_those_of_results(tmp_path, values, dtype):
    found = pd.read_parquet(execute(tasks(values.__getitem__, 3), to=tmp_path / "a.parquet"))
    if dtype != "str":
        assert found["value"].dtype == dtype
    for got, value in zip(found["value"], values, strict=True):
        assert got == (float(value) if dtype == "float64" else value) or (
            pd.isna(got) and pd.isna(value)
        )


@pytest.mark.usefixtures("small")
def test_types_may_widen_on_the_way(tmp_path):
    """What is there is written anew: an int before a float, nothing before a number."""

    def make(k):
        if k < 16:
            return {"a": k, "b": None}
        if k < 32:
            return {"a": k / 2, "b": "text", "c": dt.timedelta(k)}
        return {"c": pd.Timedelta(k), "a": 2**60 + 1}

    path = execute(tasks(make, 37), to=tmp_path / "a.parquet")
    found = pd.read_parquet(path)
    expected = pd.DataFrame([make(k) for k in range(37)])
    assert found["call"].tolist() == list(range(37))
    assert found["a"].dtype == float
    np.testing.assert_array_equal(found["a"], expected["a"].astype(float))
    assert found["b"].isna().tolist() == expected["b"].isna().tolist()
    assert found["c"].tolist()[16:] == expected["c"].tolist()[16:]
    assert pq.ParquetFile(path).num_row_groups == 5
    assert left_in(tmp_path) == ["a.parquet"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda k: [1, 2], r"A result with to= must be a number.*got \[1, 2\].*Return one of"),
        (lambda k: np.ones(3), "must be a number, a flag, a text or a date"),
        (lambda k: SimpleNamespace(a=1), "must be a number, a flag"),
        (lambda k: {"a": [1]}, "The figure 'a' with to= must be a number"),
        (lambda k: 1 if k else "a", "'value' with to= must be of one kind.*got 'int and str'"),
        (lambda k: {"a": k % 2 == 0 or 0.5}, "'a' with to= must be of one kind.*'bool and float'"),
        (lambda k: {"call": 1}, "must have a name that no parameter and no other figure has"),
        (lambda k: {1: 1, "1": 2}, "no other figure has, got '1'"),
        (lambda k: 2**70, "must be a number"),
    ],
    ids=str,
)
def test_what_is_no_row_is_refused(tmp_path, make, words):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"old")
    with pytest.raises((ParamTypeError, ParamError), match=words):
        execute(tasks(make), to=path)
    assert path.read_bytes() == b"old"
    assert left_in(tmp_path) == ["a.parquet"]


@pytest.mark.usefixtures("small")
def test_other_kinds_in_a_later_group_are_refused(tmp_path):
    with pytest.raises(ParamTypeError, match="of one kind in all results, got 'int64 and string'"):
        execute(tasks(lambda k: k if k < 24 else "a", 40), to=tmp_path / "a.parquet")
    assert left_in(tmp_path) == []


@pytest.mark.usefixtures("small")
def test_no_result_and_failures_have_no_row(tmp_path):
    def some(k):
        if k % 5 == 3:
            raise ValueError("three")
        return k if k % 2 or 8 <= k < 16 else NoResult

    path = tmp_path / "a.parquet"
    with pytest.warns(SkippedWarning, match="6 of 30 calls failed"):
        execute(tasks(some, 30), to=path, on_error="skip")
    found = pd.read_parquet(path)
    expected = [k for k in range(30) if k % 5 != 3 and (k % 2 or 8 <= k < 16)]
    assert found["call"].tolist() == found["value"].tolist() == expected
    with pytest.raises(TaskError, match="three"):
        execute(tasks(some, 30), to=path)
    assert pd.read_parquet(path).equals(found)
    with pytest.raises(NoResultsError, match="At least one call must return a result"):
        execute(tasks(lambda k: NoResult), to=tmp_path / "b.parquet")
    assert (
        execute(tasks(lambda k: NoResult), to=tmp_path / "b.parquet", raise_no_results=False)
        is NoResult
    )
    assert left_in(tmp_path) == ["a.parquet"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(6))
def test_any_order_gives_the_same_bytes(tmp_path, seed):
    """Batches of any size in any order; groups that come early wait, in files if they are many."""
    rng, n = np.random.default_rng(seed), 131
    results = [NoResult if k % 7 == 0 else k if k < 40 else k / 3 for k in range(n)]
    execute(tasks(results.__getitem__, n), to=tmp_path / "whole.parquet")
    edges = [0, *sorted(rng.choice(np.arange(1, n), 20, replace=False).tolist()), n]
    pieces = [range(*pair) for pair in pairwise(edges)]
    sink = FileResults(tmp_path / "pieces.parquet", CallNumbers())
    for at in rng.permutation(len(pieces)).tolist():
        rows = pieces[at]
        if at % 5 == 0:  # as what was tried again comes
            for row in reversed(rows):
                if row % 14 == 0:
                    sink.fail(Outcome(row, "failed"))
                else:
                    sink.put([row], [results[row]])
        else:
            sink.put(rows, results[rows.start : rows.stop])
    assert sink.finish(n).value == tmp_path / "pieces.parquet"
    sink.close()
    assert digest(tmp_path / "pieces.parquet") == digest(tmp_path / "whole.parquet")
    assert left_in(tmp_path) == ["pieces.parquet", "whole.parquet"]


def test_groups_that_wait_are_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_GROUP", 8)
    sink = FileResults(tmp_path / "a.parquet", CallNumbers())
    n_groups = 5 * parquet._MOST_READY
    sink.put(range(8, 8 * n_groups), list(range(8, 8 * n_groups)))
    held = [one for one in sink._ready.values() if not isinstance(one, Path)]
    assert len(held) <= parquet._MOST_READY
    assert len(sink._ready) == n_groups - 1
    sink.put(range(8), list(range(8)))
    assert not sink._ready
    sink.finish(8 * n_groups)
    found = pd.read_parquet(tmp_path / "a.parquet")
    assert found["value"].tolist() == list(range(8 * n_groups))
    sink.close()
    assert left_in(tmp_path) == ["a.parquet"]


@pytest.mark.engine
def test_workers_give_the_same_file(tmp_path):
    grid = Param(range(300)), Param(range(1, 300))
    files = []
    for engine in ("serial", "processpool"):
        sweep = bp.parameterized(score, engine=engine, n_workers=2)
        files.append(digest(sweep(*grid, _to=tmp_path / f"{engine}.parquet")))
    assert files[0] == files[1]


def test_best_and_file_at_once(tmp_path):
    path = tmp_path / "a.parquet"
    best = bp.parameterized(score, keep=bp.top(3), to=path)(Param(range(40)), Param(range(40)))
    every = pd.read_parquet(path)
    assert len(every) == 1600
    expected = every.nlargest(3, "value")
    assert best.tolist() == expected["value"].tolist()
    assert best.index.tolist() == list(zip(expected["x"], expected["y"], strict=True))


def test_compiled_functions_give_arrays(tmp_path, monkeypatch):
    monkeypatch.setattr("broadpeak._run.batches.FEWEST_CALLS", 100)

    @numba.njit
    def both(x, y):
        return x * 0.5, y > x

    grid = Param(range(30)), Param(range(20))
    found = pd.read_parquet(bp.parameterized(both, to=tmp_path / "a.parquet")(*grid))
    assert found.columns.tolist() == ["x", "y", "value_0", "value_1"]
    assert found.dtypes.tolist() == [np.int64, np.int64, np.float64, np.bool_]
    assert (found["value_0"] == found["x"] / 2).all()
    assert (found["value_1"] == (found["y"] > found["x"])).all()


def test_mono_chunks_and_lists(tmp_path):
    def many(x, y):
        return {"a": np.array(x) / 2, "b": list(y)}

    path, grid = tmp_path / "a.parquet", (Param(range(30)), Param(range(20)))
    for options in (
        {"_mono_chunk_len": 7},
        {"_mono_chunk_meta": [range(0, 600, 2), range(1, 600, 2)]},
    ):
        found = pd.read_parquet(bp.parameterized(many, to=path)(*grid, **options))
        assert len(found) == 600
        assert found["x"].is_monotonic_increasing
        assert (found["a"] == found["x"] / 2).all()
        assert (found["b"] == found["y"]).all()
    with pytest.raises(ParamError, match="of the 7 combinations of mono-chunk 0 with to="):
        bp.parameterized(lambda x, y: [1], to=path)(*grid, _mono_chunk_len=7)


def test_portfolio_ratios_that_run_as_lists(tmp_path):
    close = bp.Data.sample("IBM").close.iloc[:400]

    def ratio(fast, slow):
        up = bp.crossed_above(bp.sma(close, fast), bp.sma(close, slow))
        down = bp.crossed_below(bp.sma(close, fast), bp.sma(close, slow))
        return bp.PF.from_signals(close, up, down, bars_per_year=252).sharpe_ratio

    grid = Param([3, 5, 8, 9]), Param([12, 20, 30, 44, 50])
    path = tmp_path / "a.parquet"
    best = bp.parameterized(ratio, keep=bp.top(4), to=path)(*grid)
    expected = bp.parameterized(ratio, merge_func="concat", mono=False)(*grid)
    found = pd.read_parquet(path).set_index(["fast", "slow"])["value"]
    pd.testing.assert_series_equal(found, expected, check_names=False, check_exact=True)
    assert best.tolist() == expected.nlargest(4).tolist()


def test_a_store_makes_the_file_anew(tmp_path):
    calls = []

    def noted(x):
        calls.append(x)
        return x / 2

    options = {"store": tmp_path / "runs.db", "store_key": "1"}
    sweep = bp.parameterized(noted, **options)
    sweep(Param(range(9)), _to=tmp_path / "a.parquet")
    (tmp_path / "a.parquet").rename(tmp_path / "old.parquet")
    sweep(Param(range(9)), _to=tmp_path / "a.parquet")
    assert calls == list(range(9))
    assert digest(tmp_path / "a.parquet") == digest(tmp_path / "old.parquet")


def test_iterated_and_iterators(tmp_path):
    path = tmp_path / "a.parquet"
    found = pd.read_parquet(bp.iterated(lambda i: i * i, to=path)(4))
    assert found.to_dict("list") == {"i": [0, 1, 2, 3], "value": [0, 1, 4, 9]}
    found = pd.read_parquet(execute((Task(abs, -k) for k in range(3)), to=path))
    assert found.to_dict("list") == {"call": [0, 1, 2], "value": [0, 1, 2]}


def test_options_that_do_not_go_together(tmp_path):
    path = tmp_path / "a.parquet"
    with pytest.raises(ParamError, match="left out with to=, which returns the path of the file"):
        execute(tasks(float), to=path, merge_func="concat")
    with pytest.raises(ParamError, match="'skip' with to="):
        execute(tasks(float), to=path, on_error="record")
    with pytest.raises(ParamError, match="left out with to=, whose file has the combinations"):
        bp.parameterized(score, to=path, return_param_index=True)(Param([1]), 2)
    with pytest.raises(ParamError, match="to must be left out of chunked"):
        bp.chunked(sum, n_chunks=2, to=path)(bp.Chunked([1, 2]))
    with pytest.raises(ParamError, match=r"must be a file that ends in .parquet.*scores.parquet"):
        execute(tasks(float), to=tmp_path / "scores.csv")
    with pytest.raises(ParamTypeError, match="to must be a path"):
        execute(tasks(float), to=3)
    assert left_in(tmp_path) == []


def test_files_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(FileError, match="to must be a file that can be written"):
        execute(tasks(float), to=tmp_path / "a.parquet")
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="to must be a file that can be written"):
        execute(tasks(float), to=tmp_path / "file" / "a.parquet")
    keys = pd.MultiIndex.from_product([[1, 2], [3, 4, 5]], names=["a", "a"])
    with pytest.raises(ParamError, match="must have names that differ"):
        execute(tasks(float), to=tmp_path / "b.parquet", keys=keys)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r'pip install "broadpeak\[parquet\]"'):
        execute(tasks(float), to=tmp_path / "b.parquet")
