# SPDX-License-Identifier: BSD-3-Clause
"""What a training maximises: functions of `Stats`, by name.

``objectives.prr(stats)`` and ``objectives["prr"](stats)`` are the same; iterating over the module
gives the names. Every one returns 0 for fewer than `min_trades` trades, so that doing next to
nothing never wins.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from broadpeak._core import check
from broadpeak._metrics.formulas import is_zero
from broadpeak._training.performance import Stats
from broadpeak.errors import ParamError, ParamTypeError, UnknownNameError, broken_rule
from broadpeak.types import AnyArray, FloatArray

MIN_TRADES = 5
"""Fewer trades than this score 0."""

Objective: TypeAlias = Callable[[Stats], float]


class ScoreFunction(Protocol):
    """A function of this module."""

    def __call__(self, stats: Stats, min_trades: float = MIN_TRADES) -> float:
        """Return the score of `stats`, 0 for fewer than `min_trades` trades."""


def prr(stats: Stats, min_trades: float = MIN_TRADES) -> float:
    """Pessimistic return ratio: profit factor, damped for few trades and for the largest ones.

    Parameters
    ----------
    stats : Stats
        One run.
    min_trades : int
        Fewer trades score 0, and so does a single win.

    Returns
    -------
    float
        1 is about break-even.

    Notes
    -----
    With W, L the sums and nW, nL the numbers of wins and losses::

        (1 - 1/sqrt(1 + nW)) / (1 + 1/sqrt(1 + nL)) * (1 + W) / (1 + L)

    where, with two losses or more, the largest win and the largest loss count only 1/nW and 1/nL
    of themselves. The added 1 is in money, so the ratio depends a little on the price unit. After
    R. Vince, "Portfolio Management Formulas" (1990), with the damping of a trading platform's
    manual.

    Examples
    --------
    >>> stats = Stats(
    ...     num_win=5, num_loss=5, win_total=100, loss_total=60, win_max=40, loss_max=20
    ... )
    >>> round(prr(stats), 6)
    0.644313
    """
    if not _enough(stats, min_trades) or stats.num_win < 2:
        return 0.0
    n_win, n_loss = stats.num_win, stats.num_loss
    win, loss = stats.win_total, stats.loss_total
    if n_loss > 1:
        win -= stats.win_max * (n_win - 1) / n_win
        loss -= stats.loss_max * (n_loss - 1) / n_loss
    doubt = (1 - 1 / math.sqrt(1 + n_win)) / (1 + 1 / math.sqrt(1 + n_loss))
    return doubt * (1 + win) / (1 + loss)


def profit(stats: Stats, min_trades: float = MIN_TRADES) -> float:
    """Net profit; 0 for fewer than `min_trades` trades.

    Examples
    --------
    >>> profit(Stats(num_win=5, num_loss=5, win_total=100, loss_total=60))
    40
    """
    return stats.net if _enough(stats, min_trades) else 0.0


def profit_factor(stats: Stats, min_trades: float = MIN_TRADES) -> float:
    """Sum of wins by sum of losses, 10 without losses; 0 for fewer than `min_trades` trades.

    Examples
    --------
    >>> profit_factor(Stats(num_win=6, win_total=100))
    10.0
    """
    return stats.profit_factor if _enough(stats, min_trades) else 0.0


def calmar(stats: Stats, min_trades: float = MIN_TRADES) -> float:
    """Net profit by the largest drawdown in money, at least 1; 0 for too few trades.

    Examples
    --------
    >>> calmar(Stats(num_win=5, num_loss=5, win_total=100, loss_total=60, drawdown_max=20))
    2.0
    """
    return stats.net / max(1.0, stats.drawdown_max) if _enough(stats, min_trades) else 0.0


def sharpe(stats: Stats, min_trades: float = MIN_TRADES) -> float:
    """Mean by standard deviation of bar returns in the market; 0 for too few trades.

    Not annualised and without the bars out of the market, hence another number than
    ``Portfolio.sharpe_ratio``.

    Examples
    --------
    >>> sharpe(Stats(num_win=5, num_loss=5, return_mean=0.25, return_std=0.5))
    0.5
    """
    return _or_zero(stats.bar_sharpe) if _enough(stats, min_trades) else 0.0


def sqn(stats: Stats, min_trades: float = MIN_TRADES) -> float:
    """System quality number: root of the number of trades times mean by deviation of results.

    Not capped at 100 trades. 0 for fewer than `min_trades` trades. After V. Tharp.

    Examples
    --------
    >>> sqn(Stats(num_win=8, num_loss=8, trade_mean=1.0, trade_std=2.0))
    2.0
    """
    return _or_zero(stats.system_quality) if _enough(stats, min_trades) else 0.0


def r2(stats: Stats, min_trades: float = MIN_TRADES) -> float:
    """Squared correlation of equity with the bar number, 0 without an upward tendency.

    Examples
    --------
    >>> r2(Stats(num_win=5, num_loss=5, return_r2=0.8))
    0.8
    """
    return stats.return_r2 if _enough(stats, min_trades) else 0.0


def r2_prr(stats: Stats, min_trades: float = MIN_TRADES) -> float:
    """Return `r2` times `prr`: a profitable and straight equity line.

    Examples
    --------
    >>> r2_prr(Stats(num_win=1, num_loss=9, return_r2=0.8))
    0.0
    """
    return r2(stats, min_trades) * prr(stats, min_trades)


def binary(stats: Stats, min_trades: float = MIN_TRADES) -> float:
    """Return wins by losses, in numbers of trades, for bets that pay a fixed amount.

    Examples
    --------
    >>> binary(Stats(num_win=6, num_loss=4))
    1.5
    """
    return stats.num_win / max(1, stats.num_loss) if _enough(stats, min_trades) else 0.0


def _or_zero(score: float) -> float:
    return 0.0 if math.isnan(score) else score


def _enough(stats: object, min_trades: float) -> bool:
    if not isinstance(stats, Stats):
        remedy = "Pass Stats(num_win=…, …), or the stats of a training's component."
        raise ParamTypeError(broken_rule("stats", "be a Stats", stats, remedy))
    return stats.num_trades >= max(check.number("min_trades", min_trades, 0), 1)


# ------------------------------------------------------------------ the same of many at once


class _Records:
    """Statistics of many runs, dtype `STATS`, with what objectives read beside the fields."""

    def __init__(self, records: AnyArray, min_trades: float) -> None:
        self._records = records
        self.num_trades = records["num_win"] + records["num_loss"]
        self.enough = self.num_trades >= max(check.number("min_trades", min_trades, 0), 1)

    def __getitem__(self, name: str) -> AnyArray:
        column: AnyArray = self._records[name]
        return column

    @property
    def net(self) -> FloatArray:
        found: FloatArray = self["win_total"] - self["loss_total"]
        return found


def _prr(of: _Records) -> FloatArray:
    n_win, n_loss = of["num_win"], of["num_loss"]
    win, loss = of["win_total"].copy(), of["loss_total"].copy()
    damped = n_loss > 1
    with np.errstate(all="ignore"):  # what does not count is computed along
        win -= np.where(damped, of["win_max"] * (n_win - 1) / n_win, 0.0)
        loss -= np.where(damped, of["loss_max"] * (n_loss - 1) / n_loss, 0.0)
        doubt = (1 - 1 / np.sqrt(1 + n_win)) / (1 + 1 / np.sqrt(1 + n_loss))
        scores: FloatArray = doubt * (1 + win) / (1 + loss)
    return np.where(n_win < 2, 0.0, scores)


def _profit_factor(of: _Records) -> FloatArray:
    win, loss = of["win_total"], of["loss_total"]
    with np.errstate(all="ignore"):
        factor = win / loss
    return np.where(is_zero(loss, win), np.where(win > 0, 10.0, 0.0), factor)


def _sharpe(of: _Records) -> FloatArray:
    mean, std = of["return_mean"], of["return_std"]
    with np.errstate(all="ignore"):
        found = mean / std
    return np.where(is_zero(std, mean), 0.0, found)


def _sqn(of: _Records) -> FloatArray:
    mean, std = of["trade_mean"], of["trade_std"]
    term = np.maximum(np.maximum(abs(mean), of["win_max"]), of["loss_max"])
    with np.errstate(all="ignore"):
        found = np.sqrt(of.num_trades) * mean / std
    return np.where(is_zero(std, term), 0.0, found)


_OF_RECORDS: dict[str, Callable[[_Records], FloatArray]] = {
    "prr": _prr,
    "profit": lambda of: of.net,
    "profit_factor": _profit_factor,
    "calmar": lambda of: of.net / np.maximum(1.0, of["drawdown_max"]),
    "sharpe": _sharpe,
    "sqn": _sqn,
    "r2": lambda of: of["return_r2"],
    "r2_prr": lambda of: of["return_r2"] * _prr(of),
    "binary": lambda of: of["num_win"] / np.maximum(1, of["num_loss"]),
}


_BY_NAME: dict[str, ScoreFunction] = {
    "prr": prr,
    "profit": profit,
    "profit_factor": profit_factor,
    "calmar": calmar,
    "sharpe": sharpe,
    "sqn": sqn,
    "r2": r2,
    "r2_prr": r2_prr,
    "binary": binary,
}


@dataclass(frozen=True, slots=True)
class NamedObjective:
    """An objective of this module with its least number of trades; travels to workers."""

    name: str
    min_trades: float = MIN_TRADES

    def __call__(self, stats: Stats) -> float:
        """Return the score of `stats`."""
        return float(_BY_NAME[self.name](stats, self.min_trades))

    def of_records(self, records: AnyArray) -> list[float]:
        """Return the scores of records of dtype `STATS`, bit by bit those of their `Stats`."""
        of = _Records(records, self.min_trades)
        scores: list[float] = np.where(of.enough, _OF_RECORDS[self.name](of), 0.0).tolist()
        return scores


@dataclass(frozen=True, slots=True)
class OwnObjective:
    """A user's function of `Stats` whose result is checked to be a number."""

    func: Callable[[Stats], object]

    def __call__(self, stats: Stats) -> float:
        """Return the score of `stats`.

        Raises
        ------
        ParamError
            If the function returns anything but a number.
        """
        score = self.func(stats)
        if not isinstance(score, numbers.Real):
            remedy = "Return a float; higher is better, NaN is unusable."
            name = f"objective {getattr(self.func, '__name__', 'function')}"
            raise ParamError(broken_rule(name, "return a number", score, remedy))
        return float(score)


def objective_name(objective: object) -> str:
    """Return what an objective, which is a name or a function, is called where it is shown.

    "sharpe" is shown as "sharpe per bar", since it is another figure than `sharpe_ratio`.
    """
    if objective == "sharpe" or objective is sharpe:
        return "sharpe per bar"
    if isinstance(objective, str):
        return objective
    return str(getattr(objective, "__name__", type(objective).__name__))


def resolve_objective(objective: str | Objective, min_trades: float = MIN_TRADES) -> Objective:
    """Return the function of `Stats` that `objective` names.

    Parameters
    ----------
    objective : str or callable
        A name of this module, one of its functions, or a function of your own.
    min_trades : int
        For those of this module; one of your own decides itself what too few trades are.

    Raises
    ------
    ParamError
        If the name is unknown, or `min_trades` is negative or no number.

    Examples
    --------
    >>> resolve_objective("binary", min_trades=20)(Stats(num_win=6, num_loss=4))
    0.0
    """
    check.number("min_trades", min_trades, 0)
    if isinstance(objective, NamedObjective):
        return NamedObjective(objective.name, min_trades)
    if callable(objective):
        known_name = next((name for name, func in _BY_NAME.items() if func is objective), None)
        if known_name is None:
            return OwnObjective(objective)
        return NamedObjective(known_name, min_trades)
    return NamedObjective(check.one_of("objective", objective, _BY_NAME), min_trades)


class Objectives(Mapping[str, ScoreFunction]):
    """The objectives by name: a mapping, and each one an attribute as well.

    Examples
    --------
    >>> import broadpeak as bp
    >>> sorted(bp.objectives)[:3], bp.objectives["prr"] is bp.objectives.prr
    (['binary', 'calmar', 'profit'], True)
    """

    resolve_objective = staticmethod(resolve_objective)

    def __getitem__(self, name: str) -> ScoreFunction:
        try:
            return _BY_NAME[check.one_of("objective", name, _BY_NAME)]
        except ParamError as error:  # a KeyError as well, which `get` of a mapping relies on
            raise UnknownNameError(str(error)) from None

    def __getattr__(self, name: str) -> ScoreFunction:
        if name in _BY_NAME:
            return _BY_NAME[name]
        hint = check.did_you_mean(name, _BY_NAME)
        msg = f"bp.objectives has no attribute {name!r}. {hint}".rstrip()
        raise AttributeError(msg)

    def __iter__(self) -> Iterator[str]:
        return iter(_BY_NAME)

    def __len__(self) -> int:
        return len(_BY_NAME)

    def __contains__(self, name: object) -> bool:
        return name in _BY_NAME

    def __dir__(self) -> list[str]:
        return [*_BY_NAME, "resolve_objective"]

    def __repr__(self) -> str:
        return f"objectives: {', '.join(_BY_NAME)}"

    def __reduce__(self) -> str:
        return "objectives"  # there is one, and it comes back as itself


objectives = Objectives()
"""The objectives by name, `bp.objectives`."""
