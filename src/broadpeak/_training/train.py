# SPDX-License-Identifier: BSD-3-Clause
"""`train`: find the parameters of a strategy."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from broadpeak._data.data import Data
from broadpeak._training.components import window
from broadpeak._training.plan import plan_training, run_plan
from broadpeak._training.result import Training
from broadpeak._training.samples import offset_cuts
from broadpeak._training.settings import TrainOptions, split_options
from broadpeak._training.strategy import Strategy, as_strategy


def train(
    strategy: Strategy | Callable[[Any], object],
    data: Data,
    *,
    method: Any = "ascent",
    objective: Any = "prr",
    select: Any = None,
    passes: int = 1,
    min_trades: int = 5,
    start: Any = None,
    end: Any = None,
    costs: Any = None,
    sizing: str = "unit",
    recency: float = 1.0,
    detrend: str | None = None,
    population: int = 100,
    generations: int = 50,
    mutation_rate: float = 0.05,
    crossover_rate: float = 0.8,
    n_evaluations: int | None = None,
    seed: int | None = 0,
    curves: bool = False,
    on_step: Callable[..., Any] | None = None,
    samples: tuple[str, int] | None = None,
    **execute_options: Any,
) -> Training:
    """Find the parameters of a strategy: evaluate many, and choose robust ones.

    Every evaluation runs the strategy on the same bars, simulates its orders one lot at a time
    with costs but without slippage, closes what is open at the end, and scores the trades.

    Parameters
    ----------
    strategy : Strategy or function
        What to train; see `strategy`.
    data : Data
        Prices. Several symbols need ``s.loop()`` in the strategy; each component is trained alone.
    method : "ascent", "brute", "genetic", "random", or a searcher
        "ascent" scans one parameter at a time, in the order of the calls. "brute" tries all
        combinations, "genetic" breeds them, "random" draws them. Any object with the ask/tell
        protocol works too, such as ``bp.searchers.Optuna("tpe")``.
    objective : str or callable
        Name in `bp.objectives`, or a function of `Stats`; higher is better, not finite is unusable.
    select : "hill", "plateau", "peak" or a selector, optional
        How the value is chosen from the scores. Default: "hill"; "peak" for genetic and random.
    passes : int, default 1
        Rounds of an ascent; from the second on it starts from the results of the one before.
    min_trades : int, default 5
        With fewer trades a named objective is 0, that is unusable.
    start, end : labels of the index, optional
        First and last evaluated bar, both included. Bars before `start` serve as look-back.
    costs : Costs or dict of asset to Costs, optional
        Spread, commission, fees and rollover are charged; slippage is left out in training.
    sizing : "unit" or "script"
        Trade one lot, or the lots that the strategy asks for. Lots of 0 are no trade in both.
    recency : float >= 1, default 1
        Weight of the last trades over the first in the sums of wins and losses.
    detrend : None, "trades" or "prices"
        Take the trend of the evaluated period out of the results of trades, or out of the prices
        before the strategy sees them.
    population, generations, mutation_rate, crossover_rate
        Settings of the genetic search.
    n_evaluations : int, optional
        How many combinations random and genetic search, or a searcher of your own, may try. Ascent
        and brute force do not look at it: their number follows from the steps.
    seed : int or None
        For searches that draw. The same seed gives the same result on every engine.
    curves : bool, default False
        Keep the profit and loss of every day of every evaluation in `Training.curves`.
    on_step : callable, optional
        Called with a `StepInfo` after each evaluation, in order; returning False ends the search
        of the current parameter.
    samples : (bar, m), optional
        Oversampling: `data` has finer bars, such as 15 minutes, and `bar` is the bar to trade, such
        as "4h". Every combination is evaluated on m cuts of the data into such bars, each shifted
        by bar / m, and every statistic is the mean over the cuts. A value that only works with one
        way of cutting the day does not win then. Results are told on the cut without a shift.
    **execute_options
        As of `execute`: ``engine=``, ``n_workers=``, ``show_progress=``, ``chunk_len=``, …

    Returns
    -------
    Training

    Raises
    ------
    ParamError, StrategyError, DataError
        If an argument, the strategy or the prices break a rule.
    TaskError
        If the strategy raises anything else; the message names component and values.

    Warns
    -----
    UserWarning
        If nothing was usable and the defaults were kept, if there are fewer than 20 trades per
        parameter, or if entries had no stop yet because of warm-up.

    Notes
    -----
    The strategy is called once to learn its parameters, once for each distinct combination, and
    once with the chosen values. Source: the manual of a trading platform whose optimiser this
    follows; docs/optimizer-reference.md goes through it sentence by sentence.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.strategy(lookback=60)
    ... def momentum(s):
    ...     days = s.optimize(20, 10, 50, 5, name="days")
    ...     s.enter_long(bp.crossed_above(bp.roc(s.close, days), 0.0))
    ...     s.enter_short(bp.crossed_below(bp.roc(s.close, days), 0.0))
    >>> training = bp.train(momentum, bp.Data.sample("IBM"), objective="sharpe")
    >>> training.components["IBM"].n_evaluations
    10
    """
    settings: dict[str, Any] = {
        "method": method,
        "objective": objective,
        "select": select,
        "passes": passes,
        "min_trades": min_trades,
        "costs": costs,
        "sizing": sizing,
        "recency": recency,
        "detrend": detrend,
        "population": population,
        "generations": generations,
        "mutation_rate": mutation_rate,
        "crossover_rate": crossover_rate,
        "n_evaluations": n_evaluations,
        "seed": seed,
        "curves": curves,
        "on_step": on_step,
        "samples": samples,
    }
    options = TrainOptions(**split_options("train", {**settings, **execute_options}))
    plans = [
        plan_training(as_strategy(strategy), cut, options) for cut in offset_cuts(data, samples)
    ]
    windows = [
        {
            symbol: window(bars, plan.strategy.lookback, start, end)
            for symbol, bars in plan.bars.items()
        }
        for plan in plans
    ]
    others = [*zip(plans[1:], windows[1:], strict=True)]
    training = run_plan(plans[0], windows[0], {"start": start, "end": end}, others)
    for note in training.notes:
        warnings.warn(note, stacklevel=2)
    return training
