# SPDX-License-Identifier: BSD-3-Clause
"""Whether the same search would do this well on prices without any pattern."""

from __future__ import annotations

import inspect
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from broadpeak._core import check, rng
from broadpeak._core.threads import core_count
from broadpeak._data.data import Data
from broadpeak._prices.table import PriceTable
from broadpeak._run.calls import Task
from broadpeak._run.execute import execute
from broadpeak._run.registry import is_serial
from broadpeak._significance.returns import MOST_DRAWS, probability
from broadpeak._store.store import Store
from broadpeak._training.sizing import OF_TRADES
from broadpeak._training.strategy import Strategy, StrategyFunction, as_strategy
from broadpeak._training.train import offset_cuts, plan_training, train
from broadpeak._training.trainoptions import EXECUTE_OPTIONS, TrainOptions
from broadpeak._validation.curves import chosen_curve, t_statistic, walked_curve
from broadpeak._validation.walkforward import walk_forward
from broadpeak.errors import DataError, ParamError, broken_rule
from broadpeak.types import BoolArray, FloatArray, IntArray

_PRICES = ("open", "high", "low", "close")
_TRAIN_OPTIONS = set(TrainOptions.__dataclass_fields__) - {"execute"}
# Permutations between two looks at what was found so far: on workers, and here.
_BATCH, _BATCH_HERE = 16, 4


@dataclass(frozen=True, slots=True)
class Permutation:
    """The result of a permutation test.

    Attributes
    ----------
    p_value : float
        Probability of a result this good in prices without any pattern; never 0.
    observed : float
        The result on the real prices.
    null : float64 array, shape (n_run,)
        The results on permuted prices, in order.
    n_run : int
        Number of permutations that were run.
    stopped : bool
        True if it ended early, because the result could no longer become significant.
    """

    p_value: float
    observed: float
    null: FloatArray = field(repr=False)
    n_run: int
    stopped: bool


def bar_permutation(data: Data, seed: int | None) -> Data:
    """Return prices with the same bars in another order: the same moves, without any pattern.

    The moves from each open to the high, low and close of its bar are shuffled over all bars, and
    so are the gaps from each close to the next open. The first bar and the last close stay as they
    are, so that the drift of the prices is kept: a strategy that only holds a rising market is no
    better on the real prices than on these.

    Parameters
    ----------
    data : Data
        Prices. Several symbols are permuted alike, so that what they have in common stays. A bar
        goes only to where the same symbols have bars, so that each keeps its calendar.
    seed : int or None
        None: different each time.

    Returns
    -------
    Data
        With the same symbols and index; volume and other columns move with their bar.

    Raises
    ------
    DataError
        If `data` is no `Data`.

    Notes
    -----
    T. Masters, "Permutation and randomization tests for trading system development", 2020.
    Dependence between bars, such as phases of high volatility, is lost too.

    Examples
    --------
    >>> import broadpeak as bp
    >>> data = bp.Data.sample("IBM")
    >>> other = bp.stats.bar_permutation(data, seed=1)
    >>> bool(other.close.iloc[-1] == data.close.iloc[-1]), other.close.equals(data.close)
    (True, False)
    """
    if not isinstance(data, Data):
        raise DataError(broken_rule("data", "be a Data", data, "Type: bp.Data.from_frames(…)"))
    return _shuffled(data, rng.generator(seed))


def _shuffled(data: Data, generator: np.random.Generator, border: int = 0) -> Data:
    """Return permuted prices; nothing crosses `border`, so that both sides keep their drift."""
    table = data._table  # noqa: SLF001  # a row a symbol, also in a mono-chunk
    present = np.isfinite(table.fields["close"])
    groups = _groups(present, border)
    bars, gaps = (_shuffled_bars(groups, present.shape[1], generator) for _ in range(2))
    moved = {name: np.full(present.shape, np.nan) for name in table.fields}
    extra = {name: np.full(present.shape, np.nan) for name in table.extra}
    for row, symbol in enumerate(table.symbols):
        own_bars = np.flatnonzero(present[row])
        if not len(own_bars):
            continue
        prices = {name: values[row, own_bars] for name, values in table.fields.items()}
        # Numbers of bars of the calendar → numbers among the symbol's own bars.
        position = np.cumsum(present[row]) - 1
        with np.errstate(over="ignore", under="ignore"):
            prices = _permuted(prices, position[bars[own_bars]], position[gaps[own_bars]])
        for name, values in prices.items():
            if name in _PRICES and not ((values > 0.0) & (values < np.inf)).all():
                msg = (
                    f"{name} of {symbol} must stay within the range of floats when its moves come "
                    "in another order, got moves of hundreds of orders of magnitude. Correct them."
                )
                raise DataError(msg)
            moved[name][row, own_bars] = values
        for name, values in table.extra.items():
            extra[name][row, own_bars] = values[row, bars[own_bars]]
    return Data(PriceTable(table.index, table.symbols, moved, table.single, table.codes, extra))


def _groups(present: BoolArray, border: int) -> list[IntArray]:
    """Return the bars that may be exchanged: those at which the same symbols have a bar.

    The first bar of a symbol stays where it is, and no bar crosses bar number `border`.
    """
    n_bars = present.shape[1]
    sides = [np.arange(border), np.arange(border, n_bars)]
    if present.all():  # the usual case, without sorting patterns
        return [side[side > 0] for side in sides]
    patterns = np.unique(present, axis=1, return_inverse=True)[1].ravel()
    movable = np.ones(n_bars, dtype=bool)
    movable[present.argmax(axis=1)] = False
    return [
        side[(patterns[side] == pattern) & movable[side]]
        for side in sides
        for pattern in range(patterns.max() + 1)
    ]


def _shuffled_bars(groups: list[IntArray], n_bars: int, generator: np.random.Generator) -> IntArray:
    """Return for each bar the bar that comes there; what is in no group stays where it is."""
    order = np.arange(n_bars)
    for group in groups:
        order[group] = generator.permutation(group)
    return order


def _permuted(
    columns: Mapping[str, FloatArray], bars: IntArray, gaps: IntArray
) -> dict[str, FloatArray]:
    """Return the columns of one symbol with moves from `bars` and gaps from `gaps`."""
    logs = {name: np.log(columns[name]) for name in _PRICES if name in columns}
    close = logs["close"]
    opened = logs.get("open", close)
    gap = np.zeros_like(close)
    gap[1:] = opened[1:] - close[:-1]
    move = (close - opened)[bars]
    # Each close is the first one, and all gaps and moves since.
    steps = gap[gaps] + move
    closed = close[0] + np.concatenate([[0.0], np.cumsum(steps[1:])])
    began = closed - move
    moved = {"close": np.exp(closed)}
    moved["close"][0], moved["close"][-1] = columns["close"][0], columns["close"][-1]
    if "open" in logs:
        moved["open"] = np.exp(began)
        moved["open"][0] = columns["open"][0]
    for name, extreme in (("high", np.maximum), ("low", np.minimum)):
        if name in logs:
            moved[name] = np.exp(began + (logs[name] - opened)[bars])
            moved[name][0] = columns[name][0]
            for other in ("open", "close"):  # rounding must not put a close above its high
                moved[name] = extreme(moved[name], moved.get(other, moved["close"]))
    if "volume" in columns:
        moved["volume"] = columns["volume"][bars]
    return moved


def permutation_test(
    strategy: Strategy | StrategyFunction,
    data: Data,
    *,
    n: int = 200,
    alpha: float = 0.05,
    sequential: bool = True,
    walk_forward: Mapping[str, object] | bool | None = None,
    seed: int = 0,
    store: str | os.PathLike[str] | Store | None = None,
    **train_options: object,
) -> Permutation:
    """Test whether training finds more in these prices than in prices without any pattern.

    The bars are permuted again and again (`bar_permutation`), and every time the whole search is
    repeated, so that what searching alone achieves is counted.

    Parameters
    ----------
    strategy : Strategy or function
        What to train; see `strategy`.
    data : Data
        Prices.
    n : int, default 200
        Permutations at most.
    alpha : float, default 0.05
        Level of significance; it decides when `sequential` stops.
    sequential : bool, default True
        Stop as soon as the result can no longer be significant: on noise after a few dozen.
    walk_forward : dict or True, optional
        Options of `walk_forward`, such as ``dict(cycles=8)``: the whole walk is repeated, and the
        Sharpe ratio of its stitched tests is compared. Otherwise it is the objective of the
        training, the mean over the components.
    seed : int, default 0
        Permutation i is the same in every run with this seed, on every engine.
    store : path or Store, optional
        Keep the result of every permutation there; the same call goes on where it ended.
    **train_options
        As of `train`. Options of `execute`, such as ``engine=``, distribute the permutations; each
        of them runs serially.

    Returns
    -------
    Permutation
        ``p_value``, ``observed``, ``null``, ``n_run``, ``stopped``.

    Raises
    ------
    ParamError, StrategyError, DataError
        If an argument, the strategy or the prices break a rule.
    TaskError
        If the strategy raises anything else.

    Notes
    -----
    With g of n permutations at least as good the p value is (1 + g) / (1 + n); ended early after
    the h-th of l it is h / l, with the same guarantee. J. Besag, P. Clifford, "Sequential Monte
    Carlo p-values", Biometrika 78(2), 1991.

    The null keeps the drift of the prices and what symbols have in common, not the order of bars.
    A small p value says that the order matters to this strategy, not that costs are earned.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 10, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> found = bp.stats.permutation_test(momentum, bp.Data.sample("IBM"), n=99)
    >>> found.n_run < 99, found.stopped, found.p_value > 0.05
    (True, True, True)
    """
    n = check.integer("n", n, 1, MOST_DRAWS)
    seed = check.integer("seed", seed, 0)
    probability("alpha", alpha)
    check.flag("sequential", sequential)
    walk = _walk_options(walk_forward)
    execute_options = {
        name: train_options.pop(name) for name in sorted(EXECUTE_OPTIONS & set(train_options))
    }
    _check_names(train_options, is_walk=walk is not None)
    search = Search.of(as_strategy(strategy), data, train_options, walk, seed)
    observed = permuted_search(search, None)
    least = enough_as_good(alpha, n) if sequential else n + 1
    null = permutation_null(search, observed, n, least, {**execute_options, "store": store})
    p_value, stopped = permutation_p_value(null, observed, least)
    return Permutation(p_value, observed, null, len(null), stopped and len(null) < n)


# ------------------------------------------------------------------ what every permutation repeats


class Search(NamedTuple):
    """A search that is repeated on permuted prices.

    Attributes
    ----------
    strategy : Strategy
    data : Data
        Prices up to the last bar that the search may see.
    options : dict
        Options of `train`, its window among them.
    walk : dict, optional
        Options of `walk_forward`, where the whole walk is repeated.
    seed : int
        Of the permutations.
    border : int
        First evaluated bar; those before it, which only warm up, are permuted among themselves, so
        that the evaluated period keeps a drift of its own.
    by_returns : bool
        Compare the t statistic of the returns, each year counting alike; otherwise the objective,
        or the Sharpe ratio of a walk.
    """

    strategy: Strategy
    data: Data
    options: dict[str, Any]
    walk: dict[str, Any] | None
    seed: int
    border: int = 0
    by_returns: bool = False

    @classmethod
    def of(
        cls,
        strategy: Strategy,
        data: Data,
        options: Mapping[str, Any],
        walk: Mapping[str, Any] | None,
        seed: int,
        *,
        by_returns: bool = False,
    ) -> Search:
        """Return the search, its prices cut where its window ends.

        Raises
        ------
        ParamError, DataError
            If an option or the prices break a rule of `train`.
        """
        rest = {**options, **(walk or {})}
        start, end = rest.get("start"), rest.get("end")
        settings = {name: value for name, value in rest.items() if name in _TRAIN_OPTIONS}
        if walk is not None:  # these are of its tests
            settings = {name: settings[name] for name in settings.keys() - {*OF_TRADES}}
        samples = settings.get("samples")
        cut = data if samples is None else offset_cuts(data, samples)[0]
        plan = plan_training(strategy, cut, TrainOptions(**settings))
        spans = plan.windows(start, end)
        first = min(
            plan.bars[symbol].index[span.first]
            for symbol, span in spans.items()
            if span.first < span.last  # others are only looked at
        )
        if end is not None:
            data = data[:end]
        border = int(data.index.searchsorted(first))
        chosen = None if walk is None else dict(walk)
        return cls(strategy, data, dict(options), chosen, seed, border, by_returns)


def enough_as_good(alpha: float, n: int) -> int:
    """Return after how many results at least as good none of n permutations can tell any more."""
    return max(1, math.floor(alpha * (n + 1) + 1e-9))


def permutation_null(
    search: Search, observed: float, n: int, least: int, options: Mapping[str, Any]
) -> FloatArray:
    """Return results on permuted prices, up to the one that is the `least`-th as good.

    A batch runs when its first result is needed, so that more run than are looked at; how many
    does not depend on the engine.
    """
    null: list[float] = []
    better = 0
    for result in _results(search, n, least, options):
        null.append(result)
        better += result >= observed
        if better >= least:
            break
    return np.array(null)


def permutation_p_value(null: FloatArray, observed: float, least: int) -> tuple[float, bool]:
    """Return the p value, and whether the `least`-th result as good ended the test.

    >>> permutation_p_value(np.array([1.0, 3.0, 2.0]), 2.0, 2)
    (0.6666666666666666, True)
    >>> permutation_p_value(np.array([1.0, 3.0, 1.0]), 2.0, 2)
    (0.5, False)
    """
    better, n_run = int((null >= observed).sum()), len(null)
    stopped = better >= least
    return (better / n_run, True) if stopped else ((1 + better) / (1 + n_run), False)


def _results(search: Search, n: int, least: int, options: Mapping[str, Any]) -> Iterator[float]:
    """Yield the results on permuted prices in order; a batch runs when its first one is needed."""
    workers = options.get("n_workers")
    workers = workers if isinstance(workers, int) else core_count()
    engine = options.get("engine")
    here = engine is None or is_serial(engine)
    few = _BATCH_HERE if here else max(_BATCH, 2 * workers)
    batch = n if least > n else min(n, few)
    options = {name: value for name, value in options.items() if value is not None}
    for start in range(0, n, batch):
        numbers = range(start, min(start + batch, n))
        yield from execute([Task(permuted_search, search, number) for number in numbers], **options)


def permuted_search(search: Search, number: int | None) -> float:
    """Return what the search finds in the real prices, or in permutation `number` of them.

    The prices are inside `search`, so that a store does not count permutations as trials on them.
    """
    strategy, data, options, walk = search[:4]
    options = {**options, "show_progress": False}  # that of the test counts permutations
    if number is not None:
        stream = rng.generator(search.seed, number).integers(2**63)
        data = _shuffled(data, rng.generator(int(stream)), search.border)
        options = {**options, "check": False}  # the strategy was checked on the real prices
    with warnings.catch_warnings():
        # Warnings about one of hundreds of permutations help nobody.
        warnings.simplefilter("ignore", UserWarning)
        if walk is not None:
            walked = walk_forward(strategy, data, **{**options, **walk})
            if search.by_returns:
                return t_statistic(walked_curve(walked, data).returns)
            found = float(walked.portfolio.metrics("sharpe_ratio").to_numpy().item())
        else:
            training = train(strategy, data, **options)
            if search.by_returns:
                return t_statistic(chosen_curve(training, data).returns)
            components = training.components.values()
            found = float(np.mean([component.traded_objective for component in components]))
    return found if not math.isnan(found) else -math.inf


def _check_names(options: Iterable[str], *, is_walk: bool) -> None:
    """Refuse an option that the search does not know, by the name of what was called."""
    searches: list[Callable[..., object]] = [train, walk_forward] if is_walk else [train]
    known = {name for search in searches for name in inspect.signature(search).parameters}
    for name in options:
        if name not in known:
            named = inspect.signature(permutation_test).parameters
            known |= {*named, *EXECUTE_OPTIONS}
            raise check.unknown_option("permutation_test", name, known)


def _walk_options(walk: object) -> dict[str, Any] | None:
    if walk is None or walk is False:
        return None
    if walk is True:
        return {"retrain_last": False}
    if not isinstance(walk, Mapping) or any(not isinstance(name, str) for name in walk):
        remedy = "Type: walk_forward=dict(cycles=8)"
        rule = "be a dict of options of walk_forward"
        raise ParamError(broken_rule("walk_forward", rule, walk, remedy))
    return {"retrain_last": False, **walk}  # the last training has no test
