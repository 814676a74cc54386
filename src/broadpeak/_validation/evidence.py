# SPDX-License-Identifier: BSD-3-Clause
"""The rows of a verdict: what each test found, and what that means to a trader."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from broadpeak._data.data import Data
from broadpeak._portfolio.portfolio import Portfolio
from broadpeak._significance.expected import ExpectedSharpe, expected_sharpe
from broadpeak._significance.overfitting import pbo
from broadpeak._significance.resampling import draws
from broadpeak._significance.returns import Returns, varies
from broadpeak._significance.sharpe import deflated_sharpe_ratio
from broadpeak._significance.superior import spa
from broadpeak._significance.trials import effective_trials
from broadpeak._simulation.costs import Costs
from broadpeak._training.components import bars_of
from broadpeak._training.objective import NamedObjective, Objective, resolve_objective
from broadpeak._training.performance import Stats
from broadpeak._training.result import ComponentTraining, Training
from broadpeak._validation.curves import (
    Curve,
    assets_of,
    holding_curve,
    per_year,
    t_statistic,
    traded_data,
    unseen_curve,
    usual_sizes,
)
from broadpeak._validation.verdict import (
    DOUBTFUL,
    FAIL,
    FEWEST_BARS,
    FEWEST_TRADES,
    LARGEST_EDGE,
    PASS,
    UNTESTED,
    VerdictRow,
    figure,
    percent,
)
from broadpeak._validation.walked import WalkForward
from broadpeak.errors import DataError, ParamError
from broadpeak.types import FloatArray

FEWEST_CONFIGURATIONS = 10
PBO_BLOCKS, PBO_HISTORIES, PBO_COLUMNS = 8, 60, 100
"""Of the resampled histories that say how far a PBO scatters: 70 ways to halve each are enough."""

BROAD = 0.8  # smoothed score as a share of the highest step; a lone spike has far less
TRADES_PER_PARAMETER = 20.0


def has_costs(costs: object) -> bool:
    """Return whether anything is charged."""
    tables = list(costs.values()) if isinstance(costs, Mapping) else [costs]
    names = ("spread", "commission", "fees", "roll_long", "roll_short", "slippage")
    return any(getattr(one, name) for one in tables if isinstance(one, Costs) for name in names)


# ------------------------------------------------------------------ luck, and what there is to see


def luck_row(
    kind: str, p_value: float, alpha: float, null: FloatArray, n_searches: int
) -> VerdictRow:
    """Return the row of the gate."""
    share = percent(p_value)
    if kind == "returns":
        meaning = (
            "If there were nothing to find, the best column would look at least as good in "
            f"{share} of histories."
        )
    else:
        what = "walk" if kind.startswith("walk") else "search"
        meaning = (
            f"In {share} of histories made of the same bars in another order the same {what} does "
            f"at least as well ({len(null):,} were tried)."
        )
    if n_searches > 1:
        meaning += f" That counts all {n_searches:,} searches that the store knows on these prices."
    status = PASS if p_value <= alpha else DOUBTFUL if p_value <= 2.0 * alpha else FAIL
    return VerdictRow("luck of the search", p_value, alpha, status, meaning)


def data_rows(n_bars: int, n_trades: int | None) -> list[VerdictRow]:
    """Return what there is too little of: trades, bars."""
    rows = []
    if n_trades is not None and n_trades < FEWEST_TRADES:
        meaning = f"It rests on {n_trades:,} trades; below {FEWEST_TRADES} a few lucky ones decide."
        rows.append(VerdictRow("trades", n_trades, FEWEST_TRADES, FAIL, meaning))
    if n_bars < FEWEST_BARS:
        meaning = f"{n_bars:,} bars are too few to tell anything from chance."
        rows.append(VerdictRow("bars", n_bars, FEWEST_BARS, FAIL, meaning))
    return rows


def edge_row(edge: float) -> VerdictRow:
    """Return the smallest edge that could have been seen."""
    status = PASS if edge <= LARGEST_EDGE else DOUBTFUL
    meaning = (
        f"Only an annual Sharpe ratio of {figure(edge)} or more shows in this much data, four "
        "times out of five."
    )
    return VerdictRow("smallest visible edge", edge, LARGEST_EDGE, status, meaning)


def profit_row(sharpe: float, *, is_free: bool | None) -> VerdictRow:
    """Return whether anything is left after costs; what bare returns cost is not known: None.

    Permuted prices cost as much to trade as the real ones, so that a pattern that does not earn its
    costs is no luck either.
    """
    left = sharpe > 0.0
    status = PASS if left else FAIL
    after = "Net of the costs that were given"
    if is_free is None:
        after = "In the returns as they are"
    elif is_free:
        after = "Before costs, for none were given"
    meaning = f"{after}, the annual Sharpe ratio is {figure(sharpe)}"
    meaning += "." if left else ": nothing is left."
    return VerdictRow("left after costs", sharpe, 0.0, status, meaning, "gate")


def expected_row(expected: ExpectedSharpe, sharpe: float, scale: float) -> VerdictRow:
    """Return what is left of the Sharpe ratio once luck is taken out."""
    middle, low, high = (
        value * scale for value in (expected.expected, expected.low, expected.high)
    )
    status = PASS if low > 0.0 else DOUBTFUL if middle > 0.0 else FAIL
    if math.isnan(middle):
        status = UNTESTED
    # A low end below 0 is no doubt: of half of all true edges it is.
    role = "doubt" if status == FAIL else "shown"
    meaning = (
        f"Expect an annual Sharpe ratio of {figure(middle)} from now on, between {figure(low)} and "
        f"{figure(high)} in four cases of five; in this history it was {figure(sharpe)}."
    )
    if middle > sharpe:
        meaning += " More than it showed, for trials that resemble it did better."
    if status == UNTESTED:
        meaning = "Not tested: there are no returns that vary."
    return VerdictRow("expected Sharpe ratio", middle, 0.0, status, meaning, role)


def expectation(trials: Sequence[pd.DataFrame], curve: Curve, seed: int) -> ExpectedSharpe:
    """Return what the choice is expected to earn per bar, in Sharpe ratios.

    Of several components what choosing overstates is taken from each, and off their mean.
    """
    alone = curve.returns[:, np.newaxis]
    if not varies(alone).any():
        return ExpectedSharpe(math.nan, math.nan, math.nan, math.nan)
    plain = expected_sharpe(alone, 0, seed=seed)
    if not trials:
        return plain
    if len(trials) == 1:
        values = trials[0].to_numpy()
        same = np.flatnonzero(np.abs(values - alone).max(axis=0) <= 1e-12 * np.abs(alone).max())
        if len(same):
            return expected_sharpe(values, int(same[0]), seed=seed)
        return expected_sharpe(np.column_stack([values, alone]), values.shape[1], seed=seed)
    total = 0.0
    for frame in trials:
        values = frame.to_numpy()
        scores = [t_statistic(column) for column in values.T]
        best = int(np.argmax(scores))
        found = expected_sharpe(values, best, seed=seed)
        deviation = float(values[:, best].std(ddof=1))
        if math.isfinite(found.expected):
            total += (found.in_sample - found.expected) * deviation
    excess = total / len(trials) / float(curve.returns.std(ddof=1))
    middle = plain.in_sample - excess
    shift = middle - plain.expected
    return ExpectedSharpe(middle, plain.low + shift, plain.high + shift, plain.in_sample)


def side_by_side(trials: Sequence[pd.DataFrame], curve: Curve) -> pd.DataFrame:
    """Return the trials of all components and the choice as columns, 0 at bars one has not."""
    frames = [*trials, curve.frame()]
    if any(not frame.index.equals(curve.index) for frame in frames):
        frames = [frame.reindex(curve.index, fill_value=0.0) for frame in frames]
    return pd.concat(frames, axis=1, ignore_index=True)


def market_of(
    data: Data, components: Iterable[ComponentTraining], index: pd.Index[Any]
) -> pd.DataFrame:
    """Return the returns of holding each symbol that is traded, bar by bar of `index`."""
    bars = bars_of(data)
    columns = {}
    for asset in dict.fromkeys(found.asset for found in components):
        close = pd.Series(bars[asset].close, index=bars[asset].index)
        columns[asset] = close.pct_change().reindex(index).fillna(0.0)
    return pd.DataFrame(columns)


def index_of(returns: Returns) -> pd.Index[Any] | None:
    """Return the labels of the bars; None for arrays."""
    if not isinstance(returns, (pd.Series, pd.DataFrame)) and hasattr(returns, "returns"):
        returns = returns.returns
    return returns.index if isinstance(returns, (pd.Series, pd.DataFrame)) else None


# ------------------------------------------------------------------ everything that was tried


def overfitting_rows(trials: Sequence[pd.DataFrame], seed: int) -> list[VerdictRow]:
    """Return what choosing adds: the mean over the components.

    How far it scatters depends on how much the configurations resemble each other, so the same is
    done with resampled histories in which all of them are worth nothing.
    """
    name = "what choosing adds (PBO)"
    usable = [frame.to_numpy() for frame in trials if len(frame) >= FEWEST_BARS]
    usable = [values for values in usable if varies(values).sum() >= FEWEST_CONFIGURATIONS]
    try:
        found = float(np.mean([pbo(values).pbo for values in usable])) if usable else math.nan
    except DataError:  # some half of the history has no bar with a return
        found = math.nan
    if math.isnan(found):
        meaning = (
            f"Not tested: it takes at least {FEWEST_CONFIGURATIONS} configurations that trade, on "
            f"{FEWEST_BARS} bars."
        )
        return [VerdictRow(name, math.nan, 0.5, UNTESTED, meaning, "gate")]
    by_luck = np.mean([_pbo_by_luck(values, seed) for values in usable], axis=0)
    spread = float(by_luck.std(ddof=1))
    helpful, limit = (float(end) for end in np.quantile(by_luck, [0.05, 0.95]))
    status = PASS if found <= 0.5 else DOUBTFUL if found <= max(limit, 0.5) else FAIL
    what = {
        PASS: "choosing by the past helps"
        if found <= helpful
        else "better than drawing lots, but by no more than chance explains",
        DOUBTFUL: "no better than drawing lots, as is also the case where all are alike",
        FAIL: "worse than drawing lots: the choice fits the past",
    }[status]
    meaning = (
        f"The best of one half of history ends up in the lower half of the other in "
        f"{percent(found)} of cases (chance moves that by {100.0 * spread:.0f} points): {what}."
    )
    return [VerdictRow(name, found, 0.5, status, meaning, "gate")]


def _pbo_by_luck(values: FloatArray, seed: int) -> FloatArray:
    """Return the PBO of resampled histories in which no configuration is any good."""
    if values.shape[1] > PBO_COLUMNS:
        places = np.linspace(0, values.shape[1] - 1, PBO_COLUMNS).round().astype(np.int64)
        values = values[:, places]
    centred = values - values.mean(axis=0)
    found = np.full(PBO_HISTORIES, 0.5)
    numbers = itertools.count()
    for drawn in draws(len(values), PBO_HISTORIES, 1.0, "stationary", seed):
        for number, bars in zip(numbers, drawn, strict=False):
            with suppress(DataError):  # a few bars with returns may all have been left out
                found[number] = pbo(centred[bars], n_blocks=PBO_BLOCKS).pbo
    return found


def trial_rows(
    trials: Sequence[pd.DataFrame],
    curve: Curve,
    n_trials: int,
    alpha: float,
    seed: int,
    *,
    with_spa: bool = True,
) -> list[VerdictRow]:
    """Return what published statistics say of all trials; nothing is gated on them."""
    rows = []
    together = side_by_side(trials, curve).to_numpy()
    used = varies(together)
    found = None
    if with_spa and used.any():
        with suppress(DataError):  # a handful of bars cannot be resampled
            found = spa(together, n=500, seed=seed)
    if found is not None:
        status = PASS if found.p_value <= alpha else DOUBTFUL
        meaning = (
            f"If none of the trials were better than holding no position, the best of them would "
            f"still reach as much in {percent(found.p_value)} of histories. A rising market counts "
            "here."
        )
        rows.append(VerdictRow("best of the trials (SPA)", found.p_value, alpha, status, meaning))
    scores = np.array([t_statistic(column) for column in together.T[used]])
    scores /= math.sqrt(len(together))
    if len(scores) < 2 or not varies(curve.returns[:, np.newaxis]).any():
        return rows
    centred = curve.returns - curve.returns.mean()
    deviation = float(np.sqrt((centred**2).mean()))
    n_bars = len(centred)
    try:
        published = deflated_sharpe_ratio(
            t_statistic(curve.returns) / math.sqrt(n_bars),
            n_bars,
            n_trials=max(n_trials, 1),
            variance=float(scores.var(ddof=1)),
            skew=float(((centred / deviation) ** 3).mean()),
            kurtosis=float(((centred / deviation) ** 4).mean()),
        )
    except ParamError:  # moments of a handful of bars may be those of no distribution
        return rows
    meaning = "With a single trial this is the probabilistic Sharpe ratio; shown only."
    if n_trials > 1:
        meaning = (
            f"The published figure for the best of {n_trials:,} trials. It is shown only: it takes "
            f"them for independent, and they amount to {effective_trials(together):.0f}."
        )
    rows.append(VerdictRow("deflated Sharpe ratio", published, 1.0 - alpha, UNTESTED, meaning))
    return rows


# ------------------------------------------------------------------ out of sample


_BREAK_EVEN = {"prr": 1.0, "profit_factor": 1.0}  # of all others 0


def out_of_sample_rows(walked: WalkForward, curve: Curve) -> list[VerdictRow]:
    """Return how the tests stand against no skill: break-even, and holding the same symbols."""
    assets = assets_of(walked.trainings[0])
    return _against_no_skill(
        walked.portfolio, curve, walked.data, assets, walked.settings["objective"], "out of sample"
    )


def unseen_rows(training: Training, data: Data) -> list[VerdictRow]:
    """Return the same of the bars after a training, if there are any."""
    found = unseen_curve(training, data)
    if found is None:
        return []
    account, curve = found
    assets, traded = assets_of(training), traded_data(training, data)
    objective = training.settings["objective"]
    return _against_no_skill(account, curve, traded, assets, objective, "on unseen bars")


def _against_no_skill(
    account: Portfolio,
    curve: Curve,
    data: Data,
    assets: Mapping[str, str],
    objective: Any,
    where: str,
) -> list[VerdictRow]:
    rows = [_break_even_row(account, curve, objective, where)]
    held = holding_curve(data, list(assets.values()), curve.index[0], curve.index[-1])
    scale = math.sqrt(per_year(curve.index))
    ours, theirs = (
        t_statistic(one.returns) / math.sqrt(len(one.returns)) * scale for one in (curve, held)
    )
    better = ours >= theirs
    what = "no better" if not better else "better"
    meaning = (
        f"The annual Sharpe ratio {where} is {figure(ours)}, {what} than the {figure(theirs)} of "
        "holding the same symbols over the same bars."
    )
    status = PASS if better else DOUBTFUL
    rows.append(VerdictRow(f"{where}: buy and hold", ours, theirs, status, meaning, "doubt"))
    return rows


def _break_even_row(account: Portfolio, curve: Curve, objective: Any, where: str) -> VerdictRow:
    resolved = resolve_objective(objective, 0)
    named = isinstance(resolved, NamedObjective)
    # What a function of the user's is without skill is not known; of money it is 0.
    name = resolved.name if isinstance(resolved, NamedObjective) else "profit"
    score = resolved if named else resolve_objective("profit", 0)
    found = float(np.mean([_score(one, score) for one in account.components.values()]))
    least = _BREAK_EVEN.get(name, 0.0)
    n_trades = curve.n_trades or 0
    few = where != "out of sample" and n_trades < FEWEST_TRADES
    above = found > least
    status = PASS if above else DOUBTFUL if few else FAIL
    meaning = (
        f"{name} {where} is {figure(found)}; without any skill it is {figure(least)}"
        f"{'' if above else ', and costs are not earned'}."
    )
    if few:
        meaning += f" {n_trades:,} trades are too few to say more."
    return VerdictRow(f"{where}: break-even", found, least, status, meaning, "gate")


def _score(component: Portfolio, score: Objective) -> float:
    """Return the objective of a component; of an ensemble the weighted mean over its members.

    Pooled, the trades of members would count as if each were another one.
    """
    trades = component.trades
    if "member" not in trades or trades.empty:
        return score(_stats(component, trades))
    sizes = usual_sizes(trades)
    shares = sizes / sizes.sum()
    return sum(
        share * score(_stats(component, trades[trades["member"] == member], share))
        for member, share in shares.items()
    )


def _stats(component: Portfolio, trades: pd.DataFrame, share: float = 1.0) -> Stats:
    """Return the statistics of closed trades of a component, and of its equity.

    `share` is that of the component's size which the trades have; money is as with all of it.
    """
    closed = trades[trades["status"] == "closed"]
    value = component.value.to_numpy(dtype=np.float64).reshape(len(component.value), -1)
    first = component.returns.to_numpy(dtype=np.float64).reshape(len(value), -1)[0]
    capital = float((value[0] / (1.0 + first)).sum())
    index = component.value.index
    return Stats.from_trades(
        closed["pnl"].to_numpy() / share,
        np.where(closed["direction"] == "long", 1, -1),
        closed["entry_index"].to_numpy(),
        closed["exit_index"].to_numpy(),
        value.sum(axis=1) - capital,
        capital=capital,
        years=max(len(value) / per_year(index), 0.0),
    )


# ------------------------------------------------------------------ the choice itself


def choice_rows(training: Training) -> list[VerdictRow]:
    """Return what the flags of the training say: trades, edges of ranges, narrow peaks."""
    rows = []
    n_each, key = min(
        (
            (found.stats.num_trades if found.stats else 0) / max(_n_searched(found), 1),
            found.key,
        )
        for found in training.components.values()
    )
    few = n_each < TRADES_PER_PARAMETER
    meaning = f"{key} has {n_each:.0f} trades for each value that was chosen"
    meaning += ": a few of them may have chosen it." if few else "."
    status = DOUBTFUL if few else PASS
    rows.append(VerdictRow("trades per parameter", n_each, TRADES_PER_PARAMETER, status, meaning))
    edges = [
        (key, name)
        for key, found in training.components.items()
        for name, flag in found.at_edge.items()
        if flag
    ]
    n_values = sum(_n_searched(found) for found in training.components.values())
    meaning = "No value lies at the end of its range."
    if edges:
        meaning = f"{_named(edges)} at the end of the range: better ones may lie beyond."
    status = DOUBTFUL if edges else PASS
    rows.append(VerdictRow("values at an edge", len(edges), 0.0, status, meaning))
    shares = [
        (share, key, name)
        for key, found in training.components.items()
        for name in found.params
        if math.isfinite(share := _breadth(training, key, name))
    ]
    if shares and n_values:
        share, key, name = min(shares)
        narrow = share < BROAD
        meaning = (
            f"Around the choice {name} of {key} scores {100.0 * share:.0f} % of its highest step"
            f"{': a narrow peak' if narrow else ''}."
        )
        status = DOUBTFUL if narrow else PASS
        rows.append(VerdictRow("breadth of the peak", share, BROAD, status, meaning))
    return rows


def _n_searched(found: ComponentTraining) -> int:
    return sum(dim.searched for dim in found.dimensions)


def _named(edges: Sequence[tuple[str, str]], most: int = 3) -> str:
    shown = ", ".join(f"{name} of {key}" for key, name in edges[:most])
    more = len(edges) - most
    lie = "lies" if len(edges) == 1 else "lie"
    return f"{shown}{f' and {more} more' if more > 0 else ''} {lie}"


def _breadth(training: Training, key: str, name: str) -> float:
    try:
        return training.step_curve(name, key).breadth
    except ParamError:  # too few values were tried
        return math.nan
