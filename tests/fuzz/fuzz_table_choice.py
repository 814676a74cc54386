# SPDX-License-Identifier: BSD-3-Clause
"""Portfolios, figures, objectives, selectors, searchers and splits."""

from __future__ import annotations

from typing import Any

from fuzz_rows import Table, figures, public
from fuzz_world import Halving

import broadpeak as bp

TABLE = Table()
row, method = TABLE.row, TABLE.method

# ------------------------------------------------------------------ portfolio

row(
    "Portfolio.from_signals",
    lambda w: {"close": w.one, "entries": w.entries, "exits": w.exits},
    then=figures,
)
row(
    "Portfolio.from_signals(arrays)",
    lambda w: {
        **{name: w.first[name].to_numpy() for name in ("open", "high", "low", "close")},
        "entries": w.entries.to_numpy(),
        "exits": w.exits.to_numpy(),
        "sl_stop": 0.05,
        "price": "nextopen",
    },
    lambda w: bp.Portfolio.from_signals,
    of=bp.Portfolio.from_signals,
    then=figures,
)
row(
    "Portfolio.from_signals(groups)",
    lambda w: {
        "close": w.data,
        "entries": w.entries,
        "exits": w.exits,
        "group_by": True,
        "cash_sharing": True,
        "size": 1.0,
    },
    lambda w: bp.PF.from_signals,
    of=bp.PF.from_signals,
    then=figures,
)
row(
    "Portfolio.from_signals(params)",
    lambda w: {
        "close": w.one,
        "entries": w.one.run("bp:ma", window=[3, 5]).ma_crossed_above(10.0),
        "sl_stop": bp.Param([0.05, None]),
        "tp_stop": bp.Param([0.1], name="target"),
    },
    lambda w: bp.Portfolio.from_signals,
    of=bp.Portfolio.from_signals,
    then=figures,
)
method("Portfolio.metrics", bp.Portfolio.metrics, lambda w: w.portfolio, {"names": "sharpe_ratio"})
row(
    "Portfolio.metrics(keep)",
    {"names": ["sharpe_ratio", "num_trades"], "keep": bp.top(2, by="sharpe_ratio")},
    lambda w: w.portfolio.metrics,
    of=bp.Portfolio.metrics,
)
row("Portfolio.split_params", {}, lambda w: w.portfolio.split_params)
row("Portfolio.stats", {}, lambda w: w.portfolio.stats)
row("Portfolio.monthly_returns", {}, lambda w: w.portfolio.monthly_returns)
row("Portfolio.yearly_returns", {}, lambda w: w.portfolio.yearly_returns)
row("Portfolio.rolling_sharpe", {"bars": 20}, lambda w: w.portfolio.rolling_sharpe)
row("Portfolio.worst_drawdowns", {"n": 3}, lambda w: w.portfolio.worst_drawdowns)
row("Portfolio.trade_stats", {}, lambda w: w.portfolio.trade_stats)
row("Portfolio.profits", {}, lambda w: w.portfolio.profits)
row("Portfolio.at_costs", {"factor": 2.0}, lambda w: w.portfolio.at_costs)
row("Portfolio.correlation", {}, lambda w: w.portfolio.correlation)
row(
    "Portfolio",
    lambda w: {"simulation": w.portfolio._simulation, "labels": w.portfolio._labels},
    of=None,
)
row("Costs", {"spread": 0.01})

# ------------------------------------------------------------------ choice

row("select", lambda w: {"scores": w.scores})
row(
    "select(one level)",
    lambda w: {"scores": w.scores.loc[1], "method": "plateau"},
    lambda _: bp.select,
)
row("Hill", {"width": 3}, then=lambda w, m: bp.select(w.scores, method=m))
row("Plateau", {"level": 0.9}, then=lambda w, m: bp.select(w.scores, method=m))
row("Ensemble", {"share": 0.1}, then=lambda w, m: bp.select(w.scores, method=m).ensemble())
row(
    "Selection.ensemble",
    {"share": 0.1},
    lambda w: bp.select(w.scores).ensemble,
    then=lambda w, s: s,
)
row("Selection.heatmap", {}, lambda w: bp.select(w.scores).heatmap)
row(
    "Selection.report",
    lambda w: {"path": w.folder / "choice.html"},
    lambda w: bp.select(w.scores).report,
)
for _name in ("heatmap", "surface", "volume"):
    row(f"plot.{_name}", lambda w: {"scores": w.scores, "others": "max", "at": {"fast": 1}})
row("plot.parallel", lambda w: {"scores": w.scores, "most": 5})
row("plot.slices", lambda w: {"scores": w.scores, "through": {"fast": 2}})
row("plot.dark", lambda w: {"figure": bp.plot.heatmap(w.scores)})
row("Portfolio.chart", {"kind": "trades"}, lambda w: w.portfolio.chart)
row("Peak", {}, then=lambda w, m: bp.select(w.scores, method=m))
row("Stats", {"num_win": 3})
row(
    "Stats.from_trades",
    {
        "pnl": [1.0, -1.0],
        "direction": [1, -1],
        "entry_index": [0, 2],
        "exit_index": [1, 3],
        "equity": [0.0, 1.0, 1.0, 0.0],
    },
    then=lambda w, s: [f(s) for f in dict(bp.objectives).values()],
)
for _name in bp.objectives:
    row(f"objectives.{_name}", lambda w: {"stats": w.stats, "min_trades": 5})
row("objectives[]", {0: "prr"}, lambda w: bp.objectives.__getitem__)
row("objectives.resolve_objective", {"objective": "prr"}, then=lambda w, f: f(w.stats))

# ------------------------------------------------------------------ searchers and splits

_search = lambda w, s: bp.searchers.maximise(s, w.space, _scores)


def _scores(steps: Any) -> Any:
    return [10.0 - abs(step.point[0] - 5.0) for step in steps]


for _name in ("Ascent", "Brute", "Genetic", "Random", "Optuna"):
    _small = {"n_evaluations": 5} if _name in {"Optuna", "Random"} else {}
    row(f"searchers.{_name}", _small, then=_search)
    row(
        f"searchers.{_name}.start",
        lambda w: {"space": w.space, "seed": 1},
        lambda w, n=_name: lambda **k: _started(public(f"searchers.{n}")(), **k),
    )
row(
    "searchers.Dimension",
    {"name": "x", "default": 3, "min": 1, "max": 9, "step": 2},
    then=lambda w, d: (d.steps(), d.even_steps()),
)
row("searchers.SearchSpace", lambda w: {0: [*w.space]})
row(
    "searchers.maximise",
    lambda w: {"searcher": bp.searchers.Ascent(), "space": w.space, "evaluate_many": _scores},
)
row(
    "searchers.maximise(own)",
    lambda w: {"points": [(3.0,)]},
    lambda w: lambda points: bp.searchers.maximise(_asking(points), w.space, _scores),
)
row(
    "searchers.maximise(scores)",
    lambda w: {"score": 1.0},
    lambda w: (
        lambda score: bp.searchers.maximise(
            bp.searchers.Ascent(), w.space, lambda steps: [score] * len(steps)
        )
    ),
)


def _started(searcher: Any, **arguments: Any) -> Any:
    return searcher.ask(searcher.start(**arguments))


def _asking(points: Any) -> Any:
    searcher = Halving()
    searcher.ask = lambda state: points if state == 0 else []  # type: ignore[method-assign]
    return searcher


_spread = lambda w, s: (list(s.split(w.close)), s.get_n_splits(w.close))
row("splits.WalkForwardSplit", {"cycles": 3}, then=_spread)
row("splits.PurgedKFold", {"n_splits": 3, "purge": 1, "embargo": 1}, then=_spread)
row(
    "splits.CombinatorialPurged",
    {"n_blocks": 4, "n_test": 2},
    then=lambda w, s: (_spread(w, s), s.n_paths, s.paths()),
)
row("splits.BlockSplit", {"period": "7D"}, then=_spread)
for _name, _split in {
    "WalkForwardSplit": {"cycles": 3},
    "PurgedKFold": {},
    "CombinatorialPurged": {},
    "BlockSplit": {"period": "7D"},
}.items():
    row(
        f"splits.{_name}.split",
        lambda w: {"index": w.close, "y": None, "groups": None},
        lambda w, n=_name, a=_split: lambda **k: list(public(f"splits.{n}")(**a).split(**k)),
    )
    row(
        f"splits.{_name}.get_n_splits",
        lambda w: {"index": w.close},
        lambda w, n=_name, a=_split: public(f"splits.{n}")(**a).get_n_splits,
    )
row("splits.cycles_for_period", {"n_bars": 100, "period": 20})
row("split_walk_forward", {"n_bars": 100, "cycles": 4})

# ------------------------------------------------------------------ statistics of a choice

_returns = lambda w: w.one.returns.to_numpy().reshape(-1, 1) * [1.0, -0.5, 0.2]
_trials = {"n_trials": 10, "variance": 0.01}
_resampled = lambda w: {"returns": _returns(w), "n": 9}
row("stats.probabilistic_sharpe_ratio", {"sharpe": 0.1, "n": 100, "skew": -1, "kurtosis": 6})
row("stats.deflated_sharpe_ratio", {"sharpe": 0.1, "n": 100, **_trials})
row("stats.expected_max_sharpe", _trials)
row("stats.min_track_record_length", {"sharpe": 0.1})
row("stats.min_backtest_length", {"n_trials": 10})
row("stats.haircut_sharpe", {"sharpe": 0.1, "n": 100, "n_trials": 2, "p_values": [0.1, 0.2]})
row("stats.effective_trials", lambda w: {"returns": _returns(w)})
row("stats.pbo", lambda w: {"returns": _returns(w), "n_blocks": 4})
row("stats.reality_check", _resampled)
row("stats.spa", _resampled)
row("stats.step_m", _resampled)
row("stats.optimal_block_length", lambda w: {"returns": _returns(w)})
row("stats.bootstrap", lambda w: {**_resampled(w), "statistic": lambda x: x.mean()})
row("stats.bar_permutation", lambda w: {"data": w.data, "seed": 1})
