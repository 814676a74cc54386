# SPDX-License-Identifier: BSD-3-Clause
"""What people pass by mistake, at the public face: the kind of error and what it says.

`tests/fuzz` passes everything else.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import warnings

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp

IBM = bp.Data.sample("IBM")["2005":"2006"]
TASKS = [bp.Task(abs, -k) for k in range(3)]
BARS = {"X": pd.DataFrame({"close": [1.0, 2.0]}, pd.date_range("2024", periods=2))}
TWICE = pd.MultiIndex.from_tuples([(1, 1), (1, 2)], names=["x", "x"])


def csv(**options):
    """Return what `from_csv` answers about a plain table."""
    return bp.Data.from_csv(io.StringIO("Date,Close\n2024-01-02,1\n2024-01-03,2\n"), **options)


def swing(s):
    days = s.optimize(3, 2, 4, 1, name="days")
    s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    s.exit_long(bp.crossed_below(bp.roc(s.close, days), 0.0))


CASES = {
    "timeout nan": (
        lambda: bp.execute(TASKS, timeout=math.nan),
        "timeout must be a positive number",
    ),
    "warmup array": (lambda: bp.execute(TASKS, warmup=np.ones(2)), "warmup must be True or False"),
    "keys number": (lambda: bp.execute(TASKS, keys=3), "keys must be a list of labels"),
    "engine class": (lambda: bp.execute(TASKS, engine=SimplyNot), "the factory of an engine must"),
    "period text": (
        lambda: bp.walk_forward(swing, IBM, period="a"),
        "period must be a finite number",
    ),
    "period of splits": (
        lambda: bp.splits.cycles_for_period(100, "a"),
        "period must be a finite number",
    ),
    "rule of no length": (lambda: IBM.resample("0D"), "rule must be a span of time"),
    "rule backwards": (lambda: IBM.resample("-1D"), "rule must be a span of time"),
    "rule number": (lambda: IBM.resample(3), "rule must be a span of time"),
    "rule too short": (lambda: IBM.resample("1ns"), "rule must be at least as long as the bars"),
    "option of resample": (lambda: IBM.resample("W", lable="left"), "Did you mean 'label'"),
    "huge window": (lambda: bp.talib_func("sma")(IBM.close, 10**30), "at most 2147483646 in size"),
    "text window": (lambda: bp.sma(IBM.close, "10"), "window must be a length"),
    "huge seed": (lambda: bp.train(swing, IBM, seed=10**400), "seed must be an integer of at"),
    "huge fees": (lambda: bp.Costs(fees=10**400), "fees must be a finite number"),
    "null byte": (lambda: bp.Store("a\0b"), "path must be the path of a file"),
    "no path of a store": (
        lambda: bp.Store(None),
        "path must be a path, got None",
    ),
    "no path of a .par": (
        lambda: bp.read_par(None),
        "path must be the path of a parameter file, got None",
    ),
    "no path of a CSV": (lambda: bp.Data.from_csv(5), "path must be a path or an open file, got 5"),
    "Series of columns": (
        lambda: bp.Data.from_frames(BARS, columns=pd.Series([1.0], [1])),
        "columns must be a dict of a column's name",
    ),
    "a list as the name of a column": (
        lambda: bp.Data.from_frames(BARS, columns={"close": []}),
        "a name in columns must be a string",
    ),
    "no number as the name of a column": (
        lambda: bp.Data.from_frames(BARS, columns=[math.nan]),
        "a name in columns must be a string",
    ),
    "NA as a column": (
        lambda: csv(columns={pd.NA: "close"}),
        "a name in columns must be a string",
    ),
    "dict as symbol": (lambda: csv(symbol={}), "symbol must be a string"),
    "dict among symbols": (lambda: csv(symbol=[{}]), "symbol must be a string"),
    "number between columns": (lambda: csv(sep=1), "sep must be one character"),
    "text for day first": (lambda: csv(dayfirst="no"), "dayfirst must be True or False"),
    "complex prices": (
        lambda: bp.Data.from_frames({"X": BARS["X"] * 1j}),
        "column 'close' of X must hold numbers, got 'complex128'",
    ),
    "dates as prices": (
        lambda: bp.Data.from_frames({"X": BARS["X"].index.to_series()}),
        "column 'close' of X must hold numbers, got 'datetime64",
    ),
    "spans as prices": (
        lambda: bp.Data.from_frames({"X": BARS["X"].index.to_series().diff()}),
        "column 'close' of X must hold numbers, got 'timedelta64",
    ),
    "signals as prices": (
        lambda: bp.Data.from_frames({"X": BARS["X"] > 0}),
        "column 'close' of X must hold numbers, got 'bool'",
    ),
    "dates as scores": (
        lambda: bp.select(pd.Series(pd.date_range("2024", periods=3))),
        "scores must hold numbers that a float can hold, got 'datetime64",
    ),
    "complex scores": (
        lambda: bp.select(pd.Series([1j, 2j])),
        "scores must hold numbers that a float can hold, got 'complex128'",
    ),
    "stops of no column": (
        lambda: bp.PF.from_signals(BARS["X"]["close"], True, sl_stop=np.array([])),
        "sl_stop must hold at least one value or column",
    ),
    "signals of no column": (
        lambda: bp.PF.from_signals(BARS["X"]["close"], BARS["X"][[]]),
        "entries must hold at least one value or column",
    ),
    "tuple among windows": (
        lambda: bp.sma(IBM.close, [(1, 2)]),
        "window must be a list of single values",
    ),
    "array among windows": (
        lambda: bp.sma(IBM.close, [np.ones(1), 2]),
        "each of window must be a string, a number",
    ),
    "complex index": (
        lambda: bp.Data.from_frames({"X": BARS["X"].set_axis([2j, 1j], axis=0)}),
        "the index of X must hold dates or numbers",
    ),
    "levels of one name": (
        lambda: bp.Data.from_frames({"X": BARS["X"].set_axis(TWICE, axis=0)}),
        "the prices of X must have index levels whose names differ from each other",
    ),
    "pairs of settings": (
        lambda: bp.sma(IBM.close, TWICE),
        "window must be a list of single values",
    ),
    "origin of months": (
        lambda: IBM.resample("ME", origin="epoch"),
        "origin must be left out where rule is 'ME'",
    ),
    "NA as a flag of walk_forward": (
        lambda: bp.walk_forward(swing, IBM, cache_chunks=pd.NA),
        "cache_chunks must be True or False",
    ),
    "no time zone": (lambda: bp.Data.from_csv("x.csv", tz=""), "tz must be the name of a time"),
    "no slice": (lambda: IBM["nan":], "must be given dates"),
    "no start": (lambda: bp.test(swing, IBM, start=pd.NaT), "start must be a label of the index"),
    "text flag": (lambda: bp.walk_forward(swing, IBM, anchored="no"), "anchored must be True or"),
    "no stats": (lambda: bp.objectives.sharpe(0.5), "stats must be a Stats"),
    "text of trades": (lambda: bp.optimal_f("abc"), "trades must be a sequence of finite"),
    "array id": (
        lambda: bp.parameterized(abs, eval_id=np.ones(2))(bp.Param([1])),
        "eval_id must be a string, a number",
    ),
    "selector of arrays": (lambda: bp.Hill(width=np.ones(3)), "width must be an integer"),
    "many axes": (lambda: bp.ChunkedArray([1], axis="a"), "axis must be an integer"),
    "no space": (lambda: bp.searchers.Brute().start([1]), "space must be a SearchSpace"),
    "no score": (
        lambda: bp.searchers.maximise(bp.searchers.Ascent(), SPACE, lambda steps: ["a"] * 9),
        "every score of evaluate_many must be a number",
    ),
    "no point": (
        lambda: bp.searchers.maximise(Asking(np.array(3.0)), SPACE, lambda steps: [1.0] * 9),
        "a searcher must ask for points of 1 finite values",
    ),
    "no names of assets": (
        lambda: bp.test(lambda s: list(s.loop(np.array("X"), ["a"])), IBM),
        "be names, at least one",
    ),
    "a frame as Data": (lambda: bp.Data(IBM.close), r"Type: Data\.from_frames"),
    "prices as Portfolio": (lambda: bp.PF(IBM.close, None), r"Type: Portfolio\.from_signals"),
    "no name": (lambda: IBM.run(5), "name must be an indicator"),
    "zero step": (
        lambda: bp.combine_params({"x": [1, 2]}, grid_indices=slice(None, None, 0)),
        "grid_indices must be a slice of integers",
    ),
}
SPACE = bp.searchers.SearchSpace([bp.searchers.Dimension("x", 3, 1, 9, 1)])


class Asking:
    """A searcher that asks for one point, whatever that is."""

    def __init__(self, point):
        self.point = point

    def start(self, space, seed):
        return 0

    def ask(self, state):
        return [self.point] if state == 0 else []

    def tell(self, state, points, scores):
        return 1


class SimplyNot:
    """No engine, though it is made like one."""

    def __init__(self, n_workers):
        self.n_workers = n_workers


@pytest.mark.parametrize("name", CASES)
def test_the_message_says_what_is_wrong(name):
    call, message = CASES[name]
    with pytest.raises(bp.BroadpeakError, match=message):
        call()


@pytest.mark.parametrize("ending", [".csv.gz", ".csv.bz2", ".csv.xz", ".zip"])
def test_broken_archives(tmp_path, ending):
    for content in (b"", b"PK\x03\x04 cut", b"\x1f\x8b\x08\x00 cut", b"BZh9 cut"):
        path = tmp_path / f"x{ending}"
        path.write_bytes(content)
        with pytest.raises(bp.DataError, match=r"must|hold|have"):
            bp.Data.from_csv(path)


def test_a_file_that_cannot_be_read_is_an_oserror_too(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00 cut")
    with pytest.raises(OSError, match="must be a complete archive"):
        bp.Data.from_csv(path)
    with pytest.raises(FileNotFoundError, match="must be a file that exists"):
        bp.Data.from_csv(tmp_path / "none.csv")


def test_a_day_stands_for_all_of_it_without_a_warning():
    bars = pd.date_range("2020-01-01", periods=400, freq="h")
    data = bp.Data.from_frames({"X": pd.DataFrame({"close": np.arange(400.0) + 1}, index=bars)})
    strategy = bp.strategy(lookback=2)(lambda s: s.enter_long(s.close > 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tested = bp.test(strategy, data, end=dt.date(2020, 1, 3))
    assert tested.index[-1] == pd.Timestamp("2020-01-03 23:00")


def test_chunks_of_a_series_go_by_position():
    prices = pd.Series([1.0, 2.0, 3.0], index=[2, 0, 1])
    taken = bp.chunked(
        lambda x: x, arg_take_spec={"x": bp.ChunkSelector()}, n_chunks=3, merge_func=list
    )
    assert taken(prices) == [1.0, 2.0, 3.0]
    picked = bp.chunked(
        lambda x: [*x],
        arg_take_spec={"x": bp.ChunkSlicer()},
        chunk_meta=[[2, 0], [1]],
        merge_func=list,
    )
    assert picked(prices) == [[3.0, 1.0], [2.0]]


def test_a_length_of_blocks_may_be_a_small_integer():
    assert bp.splits.cycles_for_period(2000, np.int8(100)) == bp.splits.cycles_for_period(2000, 100)


def test_no_message_tells_where_an_object_lies_in_memory():
    for call in (
        lambda: bp.RepEval("a < 2").fill({"a": object()}),
        lambda: bp.RepEval("a < 2").fill({object(): 1}),
        lambda: bp.Sub("x $a").fill({object(): 1}),
        lambda: bp.execute(TASKS, merge_func="concat", merge_kwargs={object(): 1}),
        lambda: bp.execute(TASKS, engine_options={object(): 1}),
        lambda: bp.chunked(
            list, arg_take_spec={0: bp.MappingTaker({"a": None})}, n_chunks=2, size=2
        )({object(): 1}),
    ):
        with pytest.raises(bp.BroadpeakError, match=r"\S") as caught:
            call()
        assert "0x" not in str(caught.value)


def test_a_number_in_an_array_without_dimensions_is_a_setting():
    listed = bp.sma(IBM.close, [np.array(3.0), 5])
    assert list(listed.columns) == [3.0, 5.0]
    assert listed.columns.name == "sma_window"
    crossed = bp.crossed_above(IBM.close, [np.array(80.0), 90.0])
    assert list(crossed.columns) == [80.0, 90.0]
