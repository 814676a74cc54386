# SPDX-License-Identifier: BSD-3-Clause
"""`Portfolio.metrics(…, keep=)`: what is kept of columns is what sorting all of them gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak import PF, Param
from broadpeak._metrics.formulas import METRICS
from broadpeak._portfolio.labelling import StopColumns

N = 200
INDEX = pd.bdate_range("2020-01-01", periods=N)
RNG = np.random.default_rng(11)
CLOSE = pd.Series(30 * np.exp(np.cumsum(RNG.normal(0.0005, 0.02, N))), INDEX)
COLUMNS = pd.MultiIndex.from_product([range(6), ["A", "B"]], names=["fast", "kind"])
UP, DOWN = (pd.DataFrame(RNG.random((N, 12)) < 0.08, INDEX, COLUMNS) for _ in range(2))
DOWN[3, "A"] = UP[3, "A"] = False  # never trades: no Sharpe ratio
UP[4, "B"], DOWN[4, "B"] = UP[1, "A"], DOWN[1, "A"]  # a tie
NAMES = ["num_trades", "sharpe_ratio", "total_return"]


def portfolio(**options: object) -> PF:
    stops = {"sl_stop": Param([0.01, 0.03, None]), "tsl_stop": Param([0.02, 0.2])}
    return PF.from_signals(CLOSE, UP, DOWN, fees=0.001, **{**stops, **options})


def expected(pf: PF, by: str, n: int, names: list[str], *, largest: bool = True) -> pd.DataFrame:
    frame = pf.metrics([*names, by])
    figures = frame[by].iloc[:, -1] if isinstance(frame[by], pd.DataFrame) else frame[by]
    order = np.lexsort([np.arange(len(frame)), -figures if largest else figures])
    order = order[np.isfinite(figures.to_numpy()[order])][:n]
    return frame[names].iloc[order]


@pytest.mark.parametrize("by", [*METRICS])
@pytest.mark.parametrize("keep", [bp.top, bp.bottom])
@pytest.mark.parametrize(
    "options", [{}, {"sl_stop": None, "tsl_stop": None}], ids=["stops", "none"]
)
def test_the_best_are_those_of_the_whole_table(by, keep, options):
    want = expected(portfolio(**options), by, 7, NAMES, largest=keep is bp.top)
    got = portfolio(**options).metrics(NAMES, keep=keep(7, by=by))
    pd.testing.assert_frame_equal(got, want, check_exact=True)
    again = portfolio(**options)
    assert len(again.trades)  # from the order log, too
    pd.testing.assert_frame_equal(again.metrics(NAMES, keep=keep(7, by=by)), want, check_exact=True)


def test_more_than_there_are_and_none_at_all():
    pf = portfolio()
    got = pf.metrics("sharpe_ratio", keep=bp.top(10**6))
    pd.testing.assert_frame_equal(got, expected(portfolio(), "sharpe_ratio", 72, ["sharpe_ratio"]))
    assert len(got) == 66  # six columns never trade
    idle = PF.from_signals(CLOSE, sl_stop=Param([0.1, 0.2]))
    none = idle.metrics(NAMES, keep=bp.top(3, by="sqn"))
    assert none.shape == (0, 3)
    assert none.dtypes.tolist() == pf.metrics(NAMES).dtypes.tolist()
    assert none.index.name == "sl_stop"


def test_groups_and_strategies_are_kept_as_well():
    options = {"group_by": "fast"}
    want = expected(portfolio(**options), "sharpe_ratio", 2, NAMES)
    pd.testing.assert_frame_equal(
        portfolio(**options).metrics(NAMES, keep=bp.top(2, by="sharpe_ratio")), want
    )

    @bp.strategy(lookback=5)
    def hold(s):
        s.enter_long(np.ones(len(s.close), bool))

    tested = bp.test(hold, bp.Data.sample("IBM")["2004":"2005"])
    got = tested.metrics(NAMES, keep=bp.top(2, by="total_return"))
    pd.testing.assert_frame_equal(got, tested.metrics(NAMES))


def test_histogram_counts_all_columns():
    found = portfolio().metrics(NAMES, keep=bp.histogram(5, range=(-2, 2), by="sharpe_ratio"))
    figures = portfolio().sharpe_ratio
    inside = figures[(figures >= -2) & (figures <= 2)]
    assert found.counts.tolist() == np.histogram(inside, 5, (-2, 2))[0].tolist()
    assert found.missing == figures.isna().sum() == 6
    assert int(found.counts.sum()) + found.below + found.above + found.missing == 72


class Sum:
    """Adds what it gets, in words that show what that is."""

    def start(self):
        return {}

    def add(self, state, position, value):
        return {**state, position: value}

    def merge(self, left, right):
        return {**left, **right}


def test_reducers_of_ones_own_get_every_column():
    got = portfolio().metrics(["num_trades", "total_return"], keep=Sum())
    frame = portfolio().metrics(["num_trades", "total_return"])
    assert list(got) == list(range(72))
    assert got == dict(enumerate(frame.to_dict("records")))
    numbers = portfolio().metrics("total_return", keep=Sum())
    assert list(numbers.values()) == frame["total_return"].tolist()


def test_labels_of_columns_that_are_not_kept_are_never_made(monkeypatch: pytest.MonkeyPatch):
    want = portfolio().metrics(NAMES, keep=bp.top(3, by="sharpe_ratio"))
    monkeypatch.setattr(StopColumns, "index", None)
    got = portfolio().metrics(NAMES, keep=bp.top(3, by="sharpe_ratio"))
    pd.testing.assert_frame_equal(got, want)
    assert got.index.nlevels == 4


def test_very_many_columns_are_only_described():
    stops = Param(range(1, 301))
    pf = PF.from_signals(CLOSE, UP, DOWN, stop_unit="price", sl_stop=stops, tp_stop=stops)
    assert repr(pf) == f"Portfolio({12 * 300**2} columns, {N} bars)"


@pytest.mark.parametrize(
    ("names", "keep", "message"),
    [
        (NAMES, bp.top(3), r"keep must say which metric is compared.*Type: keep=bp\.top\(3, by="),
        (NAMES, bp.histogram([0, 1]), "keep must say which metric is compared"),
        (NAMES, bp.top(3, by="sharp_ratio"), "by must be the name of a metric.*sharpe_ratio"),
        (NAMES, 3, "keep must be a reducer"),
        (["x"], bp.top(3), "names must be names of metrics"),
    ],
)
def test_what_cannot_be_kept(names, keep, message):
    with pytest.raises(bp.ParamError, match=message):
        portfolio().metrics(names, keep=keep)


def test_figures_of_very_many_columns_are_those_of_few(monkeypatch: pytest.MonkeyPatch):
    names = list(METRICS)
    want, whole = portfolio().metrics(names), portfolio()
    monkeypatch.setattr("broadpeak._portfolio.portfolio.VAST", 5)
    monkeypatch.setattr("broadpeak._portfolio.portfolio._PIECE", 3)
    for options in ({}, {"group_by": "fast"}):
        pf = portfolio(**options)
        if options:
            whole = portfolio(**options)
            assert len(whole.trades)  # figures of an order log are not streamed
            want = whole.metrics(names)
        pd.testing.assert_frame_equal(pf.metrics(names), want, check_exact=True)
        assert not pf._summaries
        for name in ("sharpe_ratio", "num_trades", "sqn"):
            pd.testing.assert_series_equal(getattr(portfolio(**options), name), want[name])
        pd.testing.assert_frame_equal(pf.stats(), whole.stats(), check_exact=True)


@pytest.mark.parametrize("keep", [bp.top, bp.bottom])
@pytest.mark.parametrize("first", ["sparse", "full"])
def test_columns_of_other_bars_are_not_left_out(keep, first, monkeypatch: pytest.MonkeyPatch):
    """Their Sharpe ratios are of other years: no bound per bar is one for all blocks."""
    monkeypatch.setattr("broadpeak._simulation.simulation.RESULTS", 8)
    columns = pd.RangeIndex(24)
    steps = RNG.normal(0.0005, 0.02, (N, 24))
    close = pd.DataFrame(30 * np.exp(np.cumsum(steps, axis=0)), INDEX, columns)
    close.iloc[np.arange(N) % 3 != 0, slice(12) if first == "sparse" else slice(12, 24)] = np.nan
    up, down = (pd.DataFrame(RNG.random((N, 24)) < 0.2, INDEX, columns) for _ in range(2))

    def made() -> PF:
        return PF.from_signals(close, up, down, sl_stop=Param([0.02, 0.05, None, 0.3]))

    want = expected(made(), "sharpe_ratio", 5, NAMES, largest=keep is bp.top)
    got = made().metrics(NAMES, keep=keep(5, by="sharpe_ratio"))
    pd.testing.assert_frame_equal(got, want, check_exact=True)
