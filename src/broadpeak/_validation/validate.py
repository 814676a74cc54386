# SPDX-License-Identifier: BSD-3-Clause
"""`validate`: whether a result is more than what the same search finds in noise."""

from __future__ import annotations

import inspect
import math
import os
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from broadpeak._core import check, drawing
from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._run.options import Settings
from broadpeak._significance.edge import edge_test
from broadpeak._significance.returns import MOST_DRAWS, Returns, return_table, varies
from broadpeak._store.store import Store
from broadpeak._training.result import Training
from broadpeak._training.sizing import OF_TRADES
from broadpeak._training.strategy import Strategy, StrategyFunction, as_strategy
from broadpeak._training.train import plan_training
from broadpeak._training.trainoptions import EXECUTE_OPTIONS, TrainOptions
from broadpeak._validation import evidence
from broadpeak._validation.curves import (
    Curve,
    chosen_curve,
    per_year,
    t_statistic,
    traded_data,
    trial_curves,
    walked_curve,
)
from broadpeak._validation.permutation import (
    Search,
    enough_as_good,
    permutation_null,
    permutation_p_value,
)
from broadpeak._validation.robustness import robustness_tests
from broadpeak._validation.verdict import (
    DOUBTFUL,
    FAIL,
    FEWEST_BARS,
    FEWEST_TRADES,
    LARGEST_EDGE,
    PASS,
    TOO_LITTLE,
    Verdict,
    VerdictRow,
    figure,
    overall_status,
    percent,
    row_table,
)
from broadpeak._validation.walked import WalkForward
from broadpeak._validation.walkforward import walk_forward
from broadpeak.errors import DataError, ParamError, ParamTypeError, broken_rule
from broadpeak.types import FloatArray

POWER = float(ndtri(0.8))
"""Errors by which an edge must exceed the critical value to be seen in 80 % of histories."""

_REMEDY = "Type: bp.validate(training), bp.validate(walk) or bp.validate(returns=returns)."
_ASIDE = {"on_step": None, "curves": False, "check": False}
"""Options of a training that change nothing in what it finds, or were checked before."""


def validate(
    result: Training | WalkForward | None = None,
    *,
    strategy: Strategy | StrategyFunction | None = None,
    data: Data | None = None,
    returns: Returns | None = None,
    store: str | os.PathLike[str] | Store | None = None,
    alpha: float = 0.05,
    n_permutations: int = 200,
    seed: int = 0,
    **execute_options: Any,
) -> Verdict:
    """Judge a training, a walk-forward or bare returns: skill, or the luck of the search.

    The gate is one p value. Of a training: the share of histories without any pattern, made of the
    same bars in another order, in which the same search chooses values that earn a Sharpe ratio at
    least as high. Of a walk-forward the whole walk is repeated, and its tests are compared. Of bare
    returns: whether the best column is better than the best of as many that are worth nothing.

    Parameters
    ----------
    result : Training or WalkForward, optional
        What `train` or `walk_forward` returned. None: judge `returns`.
    strategy : Strategy or function, optional
        Only if it is another object than the one in `result`, which knows its own.
    data : Data, optional
        The prices, if `result` has lost them, or, with ``samples=``, the finer ones.
        With `returns`: what was traded. What holding it earns is then no skill, and the ledger of
        `store` says what else was tried on it.
    returns : frame, array of shape (bars, configurations), Series or Portfolio, optional
        Returns of everything that was tried, the best column being the choice. NaN as everywhere in
        `broadpeak.stats`.
    store : path or Store, optional
        Keeps every permutation, so that the same call goes on where it ended, and its ledger says
        what else was tried on these prices. Default: the ledger of the store that `result` was
        trained with.
    alpha : float, default 0.05
        Level of significance, between 0 and 0.5.
    n_permutations : int, default 200
        Permutations at most; noise is dismissed earlier. 0: judge by the returns of all trials
        of a training, or of the tests of a walk-forward, as if they were bare.
    seed : int, default 0
        The same seed gives the same verdict on every engine.
    **execute_options
        As of `execute`: ``engine=``, ``n_workers=``, … They distribute the permutations.

    Returns
    -------
    Verdict
        ``status`` is "pass" if p is at most `alpha` and nothing else speaks against it, "doubtful"
        up to twice `alpha` or if something raises doubts, else "fail"; "too little data" with fewer
        than 20 trades or 100 bars, or if no edge below an annual Sharpe ratio of 2 could have been
        seen.

    Raises
    ------
    ParamError
        If an argument breaks a rule, or `result` is nothing that can be judged.
    DataError
        If prices or returns are missing, or are not those of `result`.
    StrategyError, TaskError
        If the strategy fails on permuted prices.

    Notes
    -----
    With p of this search and m searches in the ledger that share its prices, the best of m by luck
    has ``1 - (1 - p)**m``. Prices without dates count 252 bars a year. T. Masters, "Permutation and
    randomization tests for trading system development", 2020; J. Besag, P. Clifford, "Sequential
    Monte Carlo p-values", Biometrika 78(2), 1991; P. R. Hansen, "A test for superior predictive
    ability", J. of Business and Economic Statistics 23(4), 2005. The guide to the statistics of a
    choice has all rules.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 10, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> training = bp.train(momentum, bp.Data.sample("IBM"))
    >>> verdict = bp.validate(training)
    >>> verdict.status, verdict.p_value > 0.1
    ('fail', True)
    """
    alpha = check.number("alpha", alpha)
    if not 0.0 < alpha < 0.5:
        raise ParamError(broken_rule("alpha", "lie between 0 and 0.5", alpha, "Type: alpha=0.05"))
    n_permutations = check.integer("n_permutations", n_permutations, 0, MOST_DRAWS)
    seed = check.integer("seed", seed, 0)
    for name in execute_options:
        if name not in EXECUTE_OPTIONS:
            known = {*inspect.signature(validate).parameters, *EXECUTE_OPTIONS}
            raise check.unknown_option("validate", name, known)
    Settings(**execute_options)
    passed: tuple[object, ...] = (result, data, store)
    if data is not None and not isinstance(passed[1], Data):
        raise ParamTypeError(broken_rule("data", "be a bp.Data", data))
    if store is not None and not isinstance(passed[2], (str, os.PathLike, Store)):
        raise ParamTypeError(broken_rule("store", "be a path or a bp.Store", store))
    if (result is None) == (returns is None):
        rule = "be a Training or a WalkForward, or be left out where returns are given"
        raise ParamError(broken_rule("result", rule, result, _REMEDY))
    how = _How(alpha, n_permutations, seed, store, execute_options)
    if result is None:
        return _of_returns(returns, data, how)  # type: ignore[arg-type]  # one of both is given
    if not isinstance(passed[0], (Training, WalkForward)):
        remedy = _REMEDY
        if hasattr(result, "params") or isinstance(result, (dict, str, os.PathLike)):
            remedy = (
                "Values alone do not say how they were searched: pass what bp.train or "
                "bp.walk_forward returned."
            )
        rule = "be a Training or a WalkForward"
        raise ParamTypeError(broken_rule("result", rule, result, remedy))
    judged = _with_parts(result, strategy, data)
    # The finer prices of samples are no part of a result.
    prices = judged.data if data is None else data
    if isinstance(judged, Training):
        return _of_training(judged, prices, how)
    return _of_walk(judged, prices, how)


class _How(NamedTuple):
    """The options of `validate`, checked."""

    alpha: float
    n_permutations: int
    seed: int
    store: str | os.PathLike[str] | Store | None
    execute: dict[str, Any]


class _Gate(NamedTuple):
    """What the test of luck gave.

    Attributes
    ----------
    kind : str
        "permutation", "walk-forward permutation" or "returns".
    p_value : float
        Of this search alone.
    smallest : float
        What it would have been for the best result imaginable.
    statistic : float
    detectable : float
        Smallest Sharpe ratio per bar that is found in four cases of five.
    null : float64 array
        Statistics of permuted prices.
    """

    kind: str
    p_value: float
    smallest: float
    statistic: float
    detectable: float
    null: FloatArray


_NO_NULL: FloatArray = np.empty(0)


class _Ledger(NamedTuple):
    """What was tried on these prices: trials of the result itself, of others, and searches."""

    n_own: int
    n_other: int = 0
    n_searches: int = 1

    def best_of_all(self, p_value: float) -> float:
        """Return how often the best of all searches does as well by luck, if each does so at p."""
        if self.n_searches == 1 or p_value >= 1.0:
            return p_value  # to the last bit, for alpha may be exactly that
        return -math.expm1(self.n_searches * math.log1p(-p_value))

    def each_at(self, alpha: float) -> float:
        """Return the level of each search at which the best of all is tested at `alpha`."""
        return -math.expm1(math.log1p(-alpha) / self.n_searches)


# ------------------------------------------------------------------ the three kinds of result


def _with_parts(
    result: Training | WalkForward,
    strategy: Strategy | StrategyFunction | None,
    data: Data | None,
) -> Training | WalkForward:
    """Return the result with the strategy and the prices that it shall be judged with.

    Raises
    ------
    DataError
        If it has no prices and none are given, or others are given.
    """
    own: Data | None = result.data
    if own is None and data is None:
        rule = "know its prices to be judged"
        remedy = "Pass the prices that it was trained on: bp.validate(result, data=data)"
        raise DataError(broken_rule("result", rule, own, remedy))
    if strategy is not None:
        result = replace(result, strategy=as_strategy(strategy))
    if result.settings.get("samples") is not None:
        if data is None:
            rule = "come with its finer prices, for it was trained with samples="
            name = "training" if isinstance(result, Training) else "wf"
            remedy = f"Type: bp.validate({name}, data=finer)"
            raise DataError(broken_rule("result", rule, own, remedy))
        return result
    if data is None:
        return result
    first = result if isinstance(result, Training) else result.trainings[0]
    known = first.environment.get("data") if own is None else own.fingerprint()
    if known not in {None, data.fingerprint()}:
        remedy = "Leave it out, or train again on these prices."
        raise DataError(broken_rule("data", "be the prices of the result", data, remedy))
    return replace(result, data=data) if own is None else result


def _of_training(training: Training, data: Data, how: _How) -> Verdict:
    settings = training.settings
    curve = chosen_curve(training, data)
    trials = trial_curves(training, data)
    options = _train_options(settings)
    n_own = sum(found.n_evaluations for found in training.components.values())
    ledger = _ledger_of(training.strategy, data, settings, n_own, how)
    if how.n_permutations:
        window = {"start": settings["start"], "end": settings["end"]}
        search = Search.of(
            training.strategy, data, {**options, **window}, None, how.seed, by_returns=True
        )
        gate = _permuted("permutation", search, curve, ledger, how)
    else:
        traded = traded_data(training, data)
        market = evidence.market_of(traded, training.components.values(), curve.index)
        gate = _resampled(evidence.side_by_side(trials, curve), market, ledger, how)
    rows = [
        *evidence.overfitting_rows(trials, how.seed),
        *evidence.unseen_rows(training, data),
        *_robustness_rows(training, how),
        *evidence.choice_rows(training),
        *evidence.trial_rows(trials, curve, ledger.n_own + ledger.n_other, how.alpha, how.seed),
    ]
    return _verdict(training, curve, trials, gate, ledger, rows, how)


def _of_walk(walked: WalkForward, data: Data, how: _How) -> Verdict:
    settings = walked.settings
    trained = walked.trainings[0].settings
    searched = {**settings, **{name: trained[name] for name in OF_TRADES}}
    curve = walked_curve(walked, data)
    options = _train_options(searched)
    n_own = sum(
        found.n_evaluations
        for training in walked.trainings
        for found in training.components.values()
    )
    ledger = _ledger_of(walked.strategy, data, searched, n_own, how)
    if how.n_permutations:
        names = inspect.signature(walk_forward).parameters
        walk = {
            name: settings[name]
            for name in names
            # Cycles are counted, however they were asked for; the last training has no test.
            if name in settings and name not in {"period", "retrain_last"}
        }
        walk |= {"retrain_last": False}
        search = Search.of(walked.strategy, data, options, walk, how.seed, by_returns=True)
        gate = _permuted("walk-forward permutation", search, curve, ledger, how)
    else:
        components = walked.trainings[0].components.values()
        market = evidence.market_of(traded_data(walked, data), components, curve.index)
        gate = _resampled(curve.frame(), market, ledger, how)
    rows = [*evidence.out_of_sample_rows(walked, curve), *_robustness_rows(walked, how)]
    return _verdict(walked, curve, [], gate, ledger, rows, how)


def _of_returns(returns: Returns, data: Data | None, how: _How) -> Verdict:
    table = return_table(returns)
    index = evidence.index_of(returns)
    index = pd.RangeIndex(len(table.values)) if index is None else index[table.kept]
    frame = pd.DataFrame(table.values, index=index, columns=table.labels)
    scores = [t_statistic(column) for column in table.values.T]
    best = int(np.argmax(scores))
    n_trades = None
    if isinstance(returns, Portfolio):
        counts = np.atleast_1d(np.asarray(returns.num_trades))
        n_trades = int(counts[best]) if len(counts) == len(scores) else int(counts.sum())
    curve = Curve(index, table.values[:, best], n_trades)
    ledger = _Ledger(len(scores))
    if data is not None and how.store is not None:
        # What the ledger holds of these prices is taken to be where the returns come from.
        searches = _store_of(how.store).searches(data)
        n_stored = int(searches["trials"].sum())
        others = max(n_stored - len(scores), 0)
        ledger = _Ledger(len(scores), others, max(len(searches), 1))
    market = None
    if data is not None and frame.index.isin(data.index).all():
        market = pd.DataFrame(data.returns).reindex(frame.index)
    gate = _resampled(frame, market, ledger, how)
    rows = [
        *evidence.overfitting_rows([frame], how.seed),
        *evidence.trial_rows(
            [frame], curve, ledger.n_own + ledger.n_other, how.alpha, how.seed, with_spa=False
        ),
    ]
    return _verdict(None, curve, [frame], gate, ledger, rows, how)


# ------------------------------------------------------------------ the gate


def _train_options(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the options that every repetition of a training has."""
    names = set(TrainOptions.__dataclass_fields__) - {"execute"}
    options = {name: value for name, value in settings.items() if name in names}
    return {**options, **{name: value for name, value in _ASIDE.items() if name in options}}


def _permuted(kind: str, search: Search, curve: Curve, ledger: _Ledger, how: _How) -> _Gate:
    n, observed = how.n_permutations, t_statistic(curve.returns)
    # What is doubtful reaches up to twice alpha, so that up to there nothing ends early.
    least = enough_as_good(2.0 * how.alpha, n)
    null = permutation_null(search, observed, n, least, {**how.execute, "store": how.store})
    p_value, _ = permutation_p_value(null, observed, least)
    alpha = ledger.each_at(how.alpha)
    if len(null) > 1 and (null == null[0]).all():  # nothing traded, and nothing scattered
        critical = -float(ndtri(alpha))
    elif alpha * len(null) >= 5.0:
        critical = float(np.quantile(null, 1.0 - alpha))
    else:  # too few to read off the tail
        spread = float(null.std(ddof=1)) if len(null) > 1 else 1.0
        critical = float(null.mean()) - float(ndtri(alpha)) * spread
    edge = (max(critical, 0.0) + POWER) / math.sqrt(len(curve.returns))
    return _Gate(kind, p_value, 1.0 / (1.0 + n), observed, edge, null)


def _resampled(
    frame: pd.DataFrame, market: pd.DataFrame | None, ledger: _Ledger, how: _How
) -> _Gate:
    """Test whether the best column earns anything besides what holding the market earns."""
    values, n_draws = frame.to_numpy(), 1000
    alpha, smallest = ledger.each_at(how.alpha), 1.0 / (1 + n_draws)
    try:
        found = edge_test(values, market=market, n=n_draws, seed=how.seed, alpha=alpha)
    except DataError:  # no column varies
        edge = (POWER - float(ndtri(alpha))) / math.sqrt(len(values))
        return _Gate("returns", 1.0, smallest, 0.0, edge, _NO_NULL)
    return _Gate("returns", found.p_value, smallest, found.statistic, found.detectable, _NO_NULL)


# ------------------------------------------------------------------ what else was tried


def _ledger_of(
    strategy: Strategy, data: Data, settings: dict[str, Any], n_own: int, how: _How
) -> _Ledger:
    """Return what the store holds of these prices; without one, this search alone."""
    store = settings.get("store") if how.store is None else how.store
    if store is None:
        return _Ledger(n_own)
    searches = _store_of(store).searches(data)
    if not len(searches):
        return _Ledger(n_own)
    names = set(TrainOptions.__dataclass_fields__) - {"execute"}
    options = {name: value for name, value in settings.items() if name in names}
    execute = {name: settings[name] for name in ("store_key",) if settings.get(name) is not None}
    key = plan_training(strategy, data, TrainOptions(**options, execute=execute)).search_key()
    mine = searches["search"] == key
    trials = searches["trials"]
    n_stored, n_other = int(trials[mine].sum()), int(trials[~mine].sum())
    return _Ledger(max(n_own, n_stored), n_other, 1 + int((~mine).sum()))


def _store_of(store: str | os.PathLike[str] | Store) -> Store:
    return store if isinstance(store, Store) else Store(store)


# ------------------------------------------------------------------ one word for all of it


def _robustness_rows(result: Training | WalkForward, how: _How) -> list[VerdictRow]:
    return [VerdictRow(*row, "robustness") for row in robustness_tests(result, seed=how.seed)]


def _verdict(
    result: Training | WalkForward | None,
    curve: Curve,
    trials: list[pd.DataFrame],
    gate: _Gate,
    ledger: _Ledger,
    rows: list[VerdictRow],
    how: _How,
) -> Verdict:
    n_bars, n_trades = len(curve.returns), curve.n_trades
    year = per_year(curve.index)
    scale = math.sqrt(year)
    p_value = ledger.best_of_all(gate.p_value)
    smallest = ledger.best_of_all(gate.smallest)
    edge = gate.detectable * scale
    expected = evidence.expectation(trials, curve, how.seed)
    sharpe = t_statistic(curve.returns) / math.sqrt(n_bars) * scale
    never = n_trades == 0 or not varies(curve.returns[:, np.newaxis]).any()
    enough = n_bars >= FEWEST_BARS and not never and (n_trades is None or n_trades >= FEWEST_TRADES)
    # The best of all results came out, and even that is not significant: more must be tried.
    blind = gate.p_value <= gate.smallest and smallest > how.alpha
    visible = edge <= LARGEST_EDGE and not blind
    is_free = result is not None and not evidence.has_costs(result.settings.get("costs"))
    rows = [
        evidence.luck_row(gate.kind, p_value, how.alpha, gate.null, ledger.n_searches),
        *evidence.data_rows(n_bars, n_trades),
        evidence.profit_row(sharpe, is_free=None if result is None else is_free),
        evidence.edge_row(edge),
        *rows,
        evidence.expected_row(expected, sharpe, scale),
    ]
    status = overall_status(p_value, how.alpha, rows, enough=enough, visible=visible)
    missing = None
    if status == TOO_LITTLE:
        missing = _missing(curve, year, edge, gate, ledger, blind=blind, how=how)
    return Verdict(
        status=status,
        tests=row_table(rows),
        n_trials=ledger.n_own + ledger.n_other,
        p_value=p_value,
        alpha=how.alpha,
        min_detectable_sharpe=edge,
        missing=missing,
        sharpe=sharpe,
        expected_sharpe=expected.expected * scale,
        expected_interval=(expected.low * scale, expected.high * scale),
        summary=_summary(status, p_value, rows, edge, missing, how, is_free=is_free),
        name="" if result is None else result.strategy.name,
        gate=gate.kind,
        n_bars=n_bars,
        n_trades=n_trades,
        statistic=gate.statistic,
        null=gate.null,
        n_searches=ledger.n_searches,
    )


def _missing(
    curve: Curve, year: float, edge: float, gate: _Gate, ledger: _Ledger, *, blind: bool, how: _How
) -> str:
    """Return in words how much more is needed before anything can be said."""
    n_bars, n_trades = len(curve.returns), curve.n_trades
    # The edge that shows shrinks with the root of the number of bars.
    n_unseen = n_bars * ((edge / LARGEST_EDGE) ** 2 - 1.0) if edge > LARGEST_EDGE else 0.0
    lacks = []
    if n_bars < FEWEST_BARS:
        # What bars alone need is not enough where they would not show an edge either.
        lacks.append(
            _more(FEWEST_BARS - n_bars, "bar")
            if n_bars + n_unseen < FEWEST_BARS
            else _more_years(n_unseen / year)
        )
    if n_trades is not None and n_trades < FEWEST_TRADES:
        lacks.append(_more(FEWEST_TRADES - n_trades, "trade"))
    elif not varies(curve.returns[:, np.newaxis]).any():
        lacks.append("returns that vary")
    if not lacks and blind:
        n_needed = math.ceil(1.0 / ledger.each_at(how.alpha) - 1e-9) - 1
        lacks.append(_more(n_needed - how.n_permutations, "permutation"))
    if not lacks and edge > LARGEST_EDGE:
        lacks.append(_more_years(n_unseen / year))
    return " and ".join(lacks)


def _more_years(years: float) -> str:
    return f"{max(years, 0.1):.1f} more years"


def _more(number: int, what: str) -> str:
    return f"{number:,} more {what}{'' if number == 1 else 's'}"


def _summary(
    status: str,
    p_value: float,
    rows: list[VerdictRow],
    edge: float,
    missing: str | None,
    how: _How,
    *,
    is_free: bool,
) -> str:
    """Return what a trader reads first."""
    luck = f"luck does as well in {percent(p_value)} of histories with nothing to find in them"
    if status == PASS:
        said = f"More than luck: {luck}."
    elif status == TOO_LITTLE:
        said = f"Nothing can be said yet: it takes {missing}."
    elif status == FAIL and p_value > 2.0 * how.alpha:
        said = f"No skill is shown: {luck}."
    elif status == FAIL:
        reason = next(row for row in rows if row.role == "gate" and row.status == FAIL)
        said = f"Not enough, though {luck}. {reason.meaning}"
    else:
        said = f"Not clear: {luck}."
        doubts = [row for row in rows if row.role == "doubt" and row.status in {FAIL, DOUBTFUL}]
        fragile = [row.test for row in rows if row.role == "robustness" and row.status == FAIL]
        if doubts:
            said += f" {doubts[0].meaning}"
        elif len(fragile) > 1:
            said += f" Little is left after these changes: {', '.join(fragile)}."
    if status != TOO_LITTLE or edge > LARGEST_EDGE:
        least = f"an annual Sharpe ratio of {figure(edge)}"
        said += f" The smallest edge this data could show is {least}."
    return f"{said} All of it before costs: none were given." if is_free else said


def _verdict_on(result: Training | WalkForward, /, **options: Any) -> Verdict:
    """Return what the method `verdict` of a result returns."""
    for name in ("result", "returns"):
        if name in options:
            known = {*inspect.signature(validate).parameters, *EXECUTE_OPTIONS}
            raise check.unknown_option("verdict", name, known - {"result", "returns"})
    return validate(result, **options)


def _verdict_on_account(account: Portfolio) -> Verdict:
    """Return the verdict on one account of which nothing but its returns is known."""
    return validate(returns=account)


drawing.register("verdict", _verdict_on)
drawing.register("verdict-on-account", _verdict_on_account)
