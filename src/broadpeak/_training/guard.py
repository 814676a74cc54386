# SPDX-License-Identifier: BSD-3-Clause
"""Look-ahead and look-back: whether orders depend on bars they cannot know, or on too many.

A strategy is called again on a few copies of its bars. What it orders at a bar must be the same
whatever comes after it (look-ahead), and with `lookback` bars before it (look-back). A copy ends
soon after a signal, and the few bars that follow the signal are others: mirrored, and moved against
its direction. Who looks at them orders something else. At an arbitrary bar most strategies would
order nothing with either future, and most copies would tell nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple, NoReturn, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import rng
from broadpeak._core.arrays import frozen
from broadpeak._search.protocol import SearchStep
from broadpeak._search.searchspace import Dimension
from broadpeak._training.components import Bars, Component
from broadpeak._training.evaluation import Discovered
from broadpeak._training.fits import FittedModels
from broadpeak._training.orders import OrderCall, Setting
from broadpeak._training.strategy import RunState, Strategy, run_strategy
from broadpeak._training.values import Defaults, HeldValues, OptimizeError, ValueSource
from broadpeak.errors import StrategyError, described
from broadpeak.types import BoolArray, FloatArray, IntArray

N_OTHER_BARS = 60
N_FIRST = 30
"""Of the bars that follow a cut, so many move against the signal, and the rest the other way."""

N_NEAR = 25
FACTOR = 4.0
TOLERANCE = 1e-9
"""Settings that differ by less, relative to their size, are rounded differently and no others."""

NOISE = 1e-13
N_NOISES = 16
N_MIRRORED = 5
N_CHOSEN = 4
"""Calls that look at one combination that was chosen, at most."""
MOST_CHECKED = 8
"""Members of an ensemble that are checked."""

N_SIGNALS = 4
SHARE = 0.02
"""The check makes at most this many calls for each evaluation of a search, but for one."""

N_LOOKBACK = 2
"""Calls that look-back takes at most, where nothing is wrong."""

HIGH = 2 / 3
"""Only runs with a parameter from this share of its range on are looked at for late signals."""

SUSPECT = 2.5
"""A run is suspect if more signals than this were to be expected before its first one."""

TURNED_OFF = "check=False (--no-check on the command line) turns this check off."


@dataclass(frozen=True, eq=False)
class Subject:
    """A strategy, and what it ordered with some values on all bars.

    Attributes
    ----------
    strategy : Strategy
    run : RunState
        What that call left behind.
    bars : dict of str to Bars
        Its bars; those of one asset where only one component ran.
    chosen : Component or None
        The component that ran; None: all of them.
    source : callable
        Makes what `optimize` gets the same values from.
    shown : str
        The values, for messages.
    """

    strategy: Strategy
    run: RunState
    bars: Mapping[str, Bars]
    chosen: Component | None
    source: Callable[[], ValueSource]
    shown: str = ""

    @cached_property
    def calls(self) -> _Calls:
        """The order calls of every component."""
        return {component: book.calls() for component, book in self.run.books.items()}

    @cached_property
    def signals(self) -> dict[str, list[tuple[str, IntArray]]]:
        """By kind of order, assets and bars of the signals that count, without the last bar."""
        first = self.strategy.lookback
        found: dict[str, list[tuple[str, IntArray]]] = {}
        for component, calls in self.calls.items():
            for call in calls:
                bars = call.when[first:-1].nonzero()[0]
                if len(bars):
                    found.setdefault(call.name, []).append((component.asset, bars + first))
        return found

    @cached_property
    def _models(self) -> FittedModels:
        # A copy gets the models of all bars. It would fit others on its own, and be no copy.
        models, fitted = self.run.models, self.run.fitted
        if fitted:  # a search may have dropped them since
            models = FittedModels({**models.items(), **dict(fitted.values())})
        return models.held()

    def on(self, bars: Mapping[str, Bars]) -> _Calls:
        """Return what the strategy orders on other bars, with the same values and models.

        Raises
        ------
        OptimizeError
            If it asks for more or for fewer parameters there.
        """
        known, values, chosen = self.run, self.source(), self.chosen
        where = known.position
        state = RunState(
            bars, known.symbols, values, known.mode, chosen, where, models=self._models
        )
        with np.errstate(all="ignore"):  # about all bars the user was told already
            run_strategy(self.strategy, state)
        state.check_visited()
        if isinstance(values, HeldValues):
            values.check_complete()
        return {component: book.calls() for component, book in state.books.items()}


_Calls: TypeAlias = Mapping[Component, Sequence[OrderCall]]


# ------------------------------------------------------------------ what train and test call


class TrainingCheck:
    """The check of one component of a training, with the calls that its search can spare.

    Where 2 % of the evaluations are enough for it, all of it comes `before` the search. Otherwise
    look-ahead is checked on one copy. What the strategy orders at its defaults on all bars is known
    from the discovery, so it is called on the copy `instead`, when the search comes to its
    defaults. Look-back is checked `after` the search, if one of the runs it was shown is suspect.

    Parameters
    ----------
    strategy : Strategy
    one : Discovered
        The component; what it ordered at its defaults.
    n_evaluations : int
        How many the search will make, as far as is known.
    helps : bool
        The search shows its runs, with `see`.
    spares : bool
        The search will come to the defaults, and can do without that call.
    """

    def __init__(
        self,
        strategy: Strategy,
        one: Discovered,
        n_evaluations: int,
        *,
        helps: bool = False,
        spares: bool = False,
    ) -> None:
        self._subject, self._known = _at_defaults(strategy, one), one
        n_allowed = max(int(SHARE * n_evaluations), 1)
        cuts = _telling_cut(self._subject)
        if cuts and n_allowed > 1:
            cuts += _cuts(self._subject)
        is_partial = n_allowed < len(cuts) + N_LOOKBACK
        # Values that the search chooses are looked at with the calls that are left.
        self.n_chosen = max(n_allowed - len(cuts) - N_LOOKBACK, 0) // N_CHOSEN
        cuts = cuts[:n_allowed]
        n_spared = int(is_partial and spares)
        self._spared, self._due = cuts[:n_spared], cuts[n_spared:]
        self._n_copies, self._failed = len(cuts), list[Exception]()
        self._waits = is_partial and helps
        self._all_high = [
            (at, dim.min + HIGH * (dim.max - dim.min))
            for at, dim in enumerate(one.dimensions)
            if dim.searched
        ]
        self._high = {one.dimensions[high[0]].name: [high] for high in self._all_high}
        self._late: dict[tuple[Component, str, int], _LateRun] = {}

    def before(self) -> dict[str, str]:
        """Make the calls that are due before the search; return what to warn about.

        Raises
        ------
        StrategyError
            As for `check_discovered`.
        """
        self._look_at(self._due)
        if self._waits or self._spared:
            return {}
        return (self._failed and self._unchecked()) or _check_lookback(self._widest())

    def instead(self, point: Sequence[float]) -> bool:
        """Return whether the strategy was called on the copy instead of all bars at this point.

        Raises
        ------
        StrategyError
            As for `check_discovered`.
        """
        if not self._spared or tuple(point) != _defaults_of(self._known):
            return False
        spared, self._spared = self._spared, []
        self._look_at(spared)
        return True

    def see(self, run: RunState, step: SearchStep) -> None:
        """Look whether the first signals of an evaluated run come late."""
        if not self._waits:
            return
        # Periods are longest where a parameter is high; those that do not move were looked at.
        for at, high in self._high.get(step.parameter) or self._all_high:
            if step.point[at] >= high:
                break
        else:
            return
        for component, book in run.books.items():
            for n_bars, call in _late_calls(book.calls(), self._subject.strategy.lookback):
                key = (component, call.name, call.number)
                if key not in self._late or n_bars > self._late[key].n_bars:
                    self._late[key] = _LateRun(n_bars, component, call, run, step.point)

    def after(self) -> dict[str, str]:
        """Make the calls that are due after the search; return what to warn about.

        Raises
        ------
        StrategyError
            As for `check_discovered`.
        """
        is_due = self._waits or self._spared
        spared, self._spared = self._spared, []
        self._look_at(spared)  # the search was ended before it came there
        if not is_due:
            return {}
        found = self._unchecked() if self._failed else {}
        for late in sorted(self._late.values(), key=operator.attrgetter("n_bars"), reverse=True):
            found = found or self._confirmed(late)
        return found

    def _confirmed(self, late: _LateRun) -> dict[str, str]:
        """Return the warning about a suspect run, if it is short of bars: what all values need."""
        source = partial(HeldValues, self._known.calls, late.point)
        shown = _shown(self._known.dimensions, late.point)
        subject = replace(self._subject, run=late.run, source=source, shown=shown)
        bars = late.call.when[:-1].nonzero()[0]
        signals = late.component.asset, bars[bars > subject.strategy.lookback]
        found = _check_lookback(subject, signals)
        return found and (_check_lookback(self._widest()) or found)

    def _look_at(self, cuts: Sequence[_CopyEnd]) -> None:
        for cut in cuts:
            error = _check_copy(self._subject, cut)
            if error is not None:
                self._failed.append(error)

    def _unchecked(self) -> dict[str, str]:
        return _unchecked(self._subject, self._failed, self._n_copies)

    def _widest(self) -> Subject:
        return _at_highest(self._subject, self._known)


def check_discovered(strategy: Strategy, found: Sequence[Discovered]) -> dict[str, str]:
    """Check every component of a training: at its defaults, and at the ends of its ranges.

    Returns
    -------
    dict of kind to text
        What to warn about.

    Raises
    ------
    StrategyError
        If orders depend on later bars, on chance, or on what the strategy keeps outside of itself.
    """
    notes: dict[str, str] = {}
    for one in found:
        subject = _at_defaults(strategy, one)
        notes = {**check_subject(subject, partial(_at_highest, subject, one)), **notes}
    return notes


def check_chosen(
    strategy: Strategy, found: Discovered, points: Sequence[Sequence[float]], models: FittedModels
) -> None:
    """Check a component at values that a search chose, which may look where defaults do not.

    The first bars and one kind of order are enough, for a search has no time for more. After an
    order prices move both ways, for to some who look ahead the one against it tells nothing.

    Raises
    ------
    StrategyError
        As for `check_discovered`.
    """
    component = found.run.chosen or found.components[0]
    whole, lookback = found.run.bars[component.asset], strategy.lookback
    n_after = len(whole) - lookback
    bars = whole.window(0, lookback + min(n_after, max(n_after // 8, 4 * N_OTHER_BARS)))
    known = Subject(strategy, found.run, {component.asset: bars}, component, Defaults)
    for point in points:
        values = tuple(point)
        source = partial(HeldValues, found.calls, values)
        subject = _at(known, source, _shown(found.dimensions, values), models)
        # Without one it cannot run on so few bars, or orders nothing there.
        if subject is not None:
            for cut in _cuts(subject, 1):
                _check_copy(subject, cut)


def _defaults_of(one: Discovered) -> tuple[float, ...]:
    return tuple(dim.rounded(dim.default) for dim in one.dimensions)


def _at_defaults(strategy: Strategy, one: Discovered) -> Subject:
    """Return the strategy with what the discovery of a component found."""
    component = one.run.chosen or one.components[0]
    bars = {component.asset: one.run.bars[component.asset]}
    values = _defaults_of(one)
    source = partial(HeldValues, one.calls, values)
    shown = _shown(one.dimensions, values)
    subject = Subject(strategy, one.run, bars, component, source, shown)
    if one.run.is_first_look and one.run.chosen is None and len(one.components) > 1:
        return _at(subject, source, shown) or subject  # with the loops that were left out
    return subject


def _at_highest(subject: Subject, one: Discovered) -> Subject:
    """Return the strategy where all parameters are highest; as it was, if it orders nothing there.

    As far as one look can tell, the warm-up is longest there.
    """
    dims = one.dimensions
    highest = tuple(dim.rounded(dim.max if dim.searched else dim.default) for dim in dims)
    if highest == _defaults_of(one):
        return subject
    source = partial(HeldValues, one.calls, highest)
    return _at(subject, source, _shown(dims, highest)) or subject


class _LateRun(NamedTuple):
    """A suspect run: after how many bars a call has its first signal, and which."""

    n_bars: int
    component: Component
    call: OrderCall
    run: RunState
    point: tuple[float, ...]


def _late_calls(calls: Sequence[OrderCall], lookback: int) -> Iterator[tuple[int, OrderCall]]:
    """Yield calls that begin suspiciously late, and after how many bars.

    More than `SUSPECT` signals of these calls were to be expected before the first one, had there
    been as many as later on. Signals that follow each other bar by bar count as one.
    """
    first, most = [], 0.0
    for call in calls:
        when = call.when[lookback:-1]
        gap = int(when.argmax()) if len(when) else 0
        if gap:  # a first signal, and none before
            first.append((gap, when, call))
            most += int(np.count_nonzero(when)) / (len(when) - gap)
    if max((gap for gap, *_ in first), default=0) * most <= SUSPECT:
        return  # nor is it with fewer
    found: dict[tuple[int, int], OrderCall] = {}
    for gap, when, call in first:
        n_starts = 1 + int(np.count_nonzero(when[gap + 1 :] > when[gap:-1]))
        found.setdefault((gap, n_starts), call)  # an exit and an entry may be one signal
    rate = 0.0
    for (gap, n_starts), call in sorted(found.items(), key=operator.itemgetter(0), reverse=True):
        rate += n_starts / (len(call.when) - 1 - lookback - gap)
        if gap * rate > SUSPECT:
            yield gap, call


def _shown(dimensions: Sequence[Dimension], values: Sequence[float]) -> str:
    named = zip(dimensions, values, strict=True)
    return "".join(f", {dimension.name}={value:.6g}" for dimension, value in named)


def _at(
    subject: Subject,
    source: Callable[[], ValueSource],
    shown: str,
    models: FittedModels | None = None,
) -> Subject | None:
    """Return the strategy at other values; None if it cannot run with them, or orders nothing."""
    run, chosen = subject.run, subject.chosen
    models = run.models if models is None else models
    state = RunState(subject.bars, run.symbols, source(), run.mode, chosen, models=models)
    try:
        with np.errstate(all="ignore"):
            run_strategy(subject.strategy, state)
    except Exception:  # noqa: BLE001  # a search that comes here will say so
        return None
    found = Subject(subject.strategy, state, subject.bars, chosen, source, shown)
    return found if found.signals else None


def check_subject(subject: Subject, widest: Callable[[], Subject] | None = None) -> dict[str, str]:
    """Check a strategy for look-ahead; for look-back at the `widest` values, if there are others.

    Returns
    -------
    dict of kind to text
        What to warn about.

    Raises
    ------
    StrategyError
        As for `check_discovered`.
    """
    cuts = _cuts(subject)
    failed = [error for cut in cuts if (error := _check_copy(subject, cut)) is not None]
    notes = _unchecked(subject, failed, len(cuts)) if failed else {}
    return notes or _check_lookback(subject if widest is None else widest())


def _unchecked(subject: Subject, failed: Sequence[Exception], n_copies: int) -> dict[str, str]:
    """Return the warning that a strategy failed on all copies, if it did."""
    if len(failed) < n_copies:
        return {}
    text = (
        f"{subject.strategy.name!r} cannot be checked for look-ahead, for it fails on fewer "
        f"bars: {described(failed[0])}. Let it work on any number of bars from lookback + 2 "
        "on, or pass check=False."
    )
    return {"unchecked": text}


def _check_copy(subject: Subject, cut: _CopyEnd) -> Exception | None:
    """Compare the bars up to a cut; return what the strategy raised there instead of orders.

    Raises
    ------
    StrategyError
        If it orders something else.
    """
    failure: Exception | None = None
    # What is made outside, such as an array of signals, is as long as all bars and fits no other.
    for n_others in (N_OTHER_BARS, None):
        bars, spans = _copy(subject.bars, cut, n_others=n_others)
        try:
            copied = subject.on(bars)
            break
        except OptimizeError:
            raise
        except Exception as error:  # noqa: BLE001  # it may need more bars than the copy has
            failure = failure or error
    else:
        return failure
    skipped = subject.strategy.lookback  # what is ordered there does not count
    if _differences(subject.calls, copied, spans, skipped=skipped):
        _examine(subject, copied, spans)
    return None


# ------------------------------------------------------------------ copies


class _CopyEnd(NamedTuple):
    """Where a copy ends: after `bar` of an asset, and what follows it is moved by `factor`.

    After the first bars, what follows moves the other way: a maximum of all bars may not change
    when prices fall.
    """

    asset: str
    bar: int
    factor: float


_FALLING = {"enter_long", "exit_short"}
"""After these prices fall in a copy; after the other two kinds of orders they rise."""


def _cuts(subject: Subject, n_kinds: int | None = None) -> list[_CopyEnd]:
    """Return where copies end: after one signal of each kind, early ones first, to be quick.

    Prices move against the order then; of one kind there are two, and they move both ways.
    """
    lookback, by_kind = subject.strategy.lookback, subject.signals
    if not by_kind:
        asset = max(subject.bars, key=lambda symbol: len(subject.bars[symbol]))
        n_after = len(subject.bars[asset]) - lookback
        bars = (lookback + n_after // 3, lookback + n_after // 2) if n_after > 3 else ()
        return [_CopyEnd(asset, bar, FACTOR ** (2 * at - 1)) for at, bar in enumerate(bars)]
    kinds = list(by_kind)[:n_kinds]
    kinds *= 2 if len(kinds) == 1 else 1
    cuts: list[_CopyEnd] = []
    for number, kind in enumerate(kinds):
        places = by_kind[kind]
        asset, found = places[number % len(places)]
        n_after = len(subject.bars[asset]) - lookback
        target = lookback + (20 * number + 1) * n_after // (20 * (len(kinds) + 1))
        bar = int(found[min(int(found.searchsorted(target)), len(found) - 1)])
        is_second = number > 0 and kind == kinds[0]  # of one kind: now prices move the other way
        falls = (kind in _FALLING) is not is_second
        cuts.append(_CopyEnd(asset, bar, 1 / FACTOR if falls else FACTOR))
    return cuts


LATE = 0.85
"""Share of the bars before the one copy ends: it shows what depends on a range of prices, too."""

N_BEFORE = 4
_ENTRY, _EXIT, _BEFORE, _NOT_YET, _FALLS = 1.0, 0.9, 0.4, 0.6, 0.05
"""Weights of calls: that end, by kind; that ended up to `N_BEFORE` bars earlier; that begin; …"""


def _telling_cut(subject: Subject) -> list[_CopyEnd]:
    """Return where one copy tells most: where orders of many calls would change at once.

    None where there are too few bars.

    Prices that fall afterwards take away a buying signal there, and give a selling signal where
    there was none; who looks further ahead changes one of the bars before.
    """
    first, most, best = subject.strategy.lookback, -1.0, list[_CopyEnd]()
    for component, calls in subject.calls.items():
        n_bars = len(subject.bars[component.asset]) - 1 - first
        if n_bars < 1:
            continue
        away = np.abs(np.arange(n_bars) - LATE * n_bars) * (0.01 / n_bars)  # settles ties
        for factor in (1 / FACTOR, FACTOR):
            changed = (_FALLS if factor < 1 else 0.0) - away
            for call in calls:
                when = call.when[first:-1]
                if (call.name in _FALLING) is (factor < 1):
                    recent = when.copy()
                    for back in range(1, N_BEFORE + 1):
                        recent[back:] |= when[:-back]
                    weight = _ENTRY if call.settings else _EXIT
                    changed += weight * np.where(when, 1.0, _BEFORE * recent)
                else:
                    changed += _NOT_YET * ~when
            bar = int(changed.argmax())
            if changed[bar] > most:
                most = float(changed[bar])
                best = [_CopyEnd(component.asset, first + bar, factor)]
    return best


_Spans: TypeAlias = dict[str, tuple[int, int]]
"""By symbol, the bars [first, last) that a copy has as they are."""


def _copy(
    bars: Mapping[str, Bars],
    cut: _CopyEnd,
    start: int = 0,
    n_others: int | None = N_OTHER_BARS,
) -> tuple[dict[str, Bars], _Spans]:
    """Return the bars from `start` to the cut and a few others, and where they are the same.

    `n_others` None: as many others as there are bars.
    """
    copied, spans, own = {}, {}, bars[cut.asset].index

    def span(index: pd.Index) -> tuple[int, int]:
        # Without a start all symbols keep their own, which may be earlier than that of another.
        first = int(index.searchsorted(own[start])) if start else 0
        return first, int(index.searchsorted(own[cut.bar], side="right"))

    def change(one: Bars) -> Bars:
        return _with_other_end(one, *span(one.index), cut.factor, n_others)

    for symbol, one in bars.items():
        spans[symbol] = (start, cut.bar + 1) if one.index is own else span(one.index)
        # Other series of the strategy have other ends, too.
        market = None if one.market is None else one.market.changed(change)
        copied[symbol] = _with_other_end(one, *spans[symbol], cut.factor, n_others).within(market)
    return copied, spans


def _with_other_end(bars: Bars, first: int, last: int, factor: float, n_others: int | None) -> Bars:
    """Return bars [first, last), and others after them: mirrored in the last close, and moved."""
    if not len(bars):  # a symbol that is only looked at, and begins later
        return bars
    end = len(bars) if n_others is None else min(len(bars), last + n_others)
    columns = np.empty((6, end - first))
    whole = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.price)
    for row, values in zip(columns, whole, strict=True):
        row[:] = values[first:end]
    others = columns[:, last - first :]
    moved = np.where(np.arange(end - last) < N_FIRST, factor, 1 / factor)
    others[:4] = moved * float(bars.close[max(last - 1, 0)]) ** 2 / others[_MIRRORED]
    others[4] *= moved
    # The next volumes are mirrored in that of the last bar: what was more is less, and the reverse.
    last_volume = float(bars.volume[max(last - 1, 0)])
    near = others[4, :N_MIRRORED]
    near /= moved[:N_MIRRORED]
    np.divide(last_volume**2, near, out=near, where=near > 0)
    others[5] = others[:4].sum(axis=0) / 4
    columns.flags.writeable = False
    extra = {}
    for name, values in bars.extra.items():
        extra[name] = _other_values(values[first:end], last - first, factor)
    open_, high, low, close, volume, price = columns
    index = bars.index[first:end]
    return Bars(bars.asset, index, open_, high, low, close, volume, price, extra)


def _other_values(values: FloatArray, n_same: int, factor: float) -> FloatArray:
    """Return a column of any numbers with others from `n_same` on: mirrored, and moved far off."""
    values = values.copy()
    same, others = values[:n_same], values[n_same:]
    known = same[np.isfinite(same)]
    last = float(known[-1]) if len(known) else 0.0
    size = max(float(np.abs(known).max(initial=0.0)), 1e-300) * FACTOR
    others[~np.isfinite(others)] = last
    sign = 1.0 if factor > 1 else -1.0
    moved = np.where(np.arange(len(others)) < N_FIRST, sign * size, -sign * size)
    with np.errstate(over="ignore"):  # what is infinite is another value, too
        others[:] = 2 * last - others + moved
    values.flags.writeable = False
    return values


_MIRRORED = [0, 2, 1, 3]  # what was the low is the high


# ------------------------------------------------------------------ comparisons


class _Difference(NamedTuple):
    """What a copy orders otherwise at a bar: whether at all, or with which setting."""

    bar: int
    component: Component
    call: OrderCall
    setting: str
    known: float
    copied: float


_CallKey: TypeAlias = tuple[Component, str, int]


def _differences(
    known: _Calls,
    copied: _Calls,
    spans: _Spans,
    *,
    skipped: int = 0,
    aside: Mapping[_CallKey, BoolArray] | None = None,
) -> list[_Difference]:
    """Return the first difference of each call and of each setting.

    The first bars of the copy can be `skipped`; `aside` are the bars of a call that do not count.
    """
    found = []
    for component in {**known, **copied}:
        start, last = spans[component.asset]
        first, until = start + skipped, last - start
        ours, theirs = _by_key(known, component), _by_key(copied, component)
        for key, call in {**theirs, **ours}.items():
            mine = _when(ours.get(key), first, last)
            its = _when(theirs.get(key), skipped, until)
            left_out = None if aside is None else aside.get((component, *key))
            if mine.tobytes() != its.tobytes():
                changed = mine != its
                if left_out is not None:
                    changed &= ~left_out[first:last]
                if changed.any():
                    bar = int(changed.argmax())
                    one, two = bool(mine[bar]), bool(its[bar])
                    found.append(_Difference(first + bar, component, call, "", one, two))
            for name, value in call.settings.items() if key in ours and key in theirs else ():
                ours_here = value[first:last] if isinstance(value, np.ndarray) else value
                other = theirs[key].settings.get(name)
                theirs_here = other[skipped:until] if isinstance(other, np.ndarray) else other
                if ours_here is theirs_here or _same_bytes(ours_here, theirs_here):
                    continue
                bars = (mine & its).nonzero()[0]
                read, reread = _at_bars(ours_here, bars), _at_bars(theirs_here, bars)
                if not len(bars) or read.tobytes() == reread.tobytes():
                    continue
                near = np.isclose(read, reread, rtol=TOLERANCE, atol=0.0, equal_nan=True)
                if not near.all():
                    at = int(near.argmin())
                    bar, values = first + int(bars[at]), (float(read[at]), float(reread[at]))
                    found.append(_Difference(bar, component, call, name, *values))
    return found


def _by_key(calls: _Calls, component: Component) -> dict[tuple[str, int], OrderCall]:
    return {(call.name, call.number): call for call in calls.get(component, ())}


def _when(call: OrderCall | None, first: int, last: int) -> BoolArray:
    if call is None:
        return np.zeros(max(last - first, 0), dtype=np.bool_)
    return call.when[first:last]


def _same_bytes(one: Setting, other: Setting) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.tobytes() == other.tobytes()  # quicker than numbers, and NaN equals NaN
    return False


def _at_bars(value: Setting, bars: IntArray) -> FloatArray:
    if isinstance(value, np.ndarray):
        return value[bars]
    return np.full(len(bars), np.nan if value is None else value)


# ------------------------------------------------------------------ what a difference means


def _examine(subject: Subject, copied: _Calls, spans: _Spans) -> None:
    """Say what a difference comes from; nothing where it is one of rounding.

    Raises
    ------
    StrategyError
        If it comes from later bars, or from calling the strategy twice.
    """
    everywhere = {symbol: (0, len(bars)) for symbol, bars in subject.bars.items()}
    skipped = subject.strategy.lookback
    twice = _differences(subject.calls, subject.on(subject.bars), everywhere, skipped=skipped)
    if twice:
        _refuse_chance(subject, _earliest(twice))
    # A signal that the last digit of a price decides may be rounded away by a sum over all bars,
    # such as a Fourier transform, that looks nowhere.
    aside: dict[_CallKey, BoolArray] = {}
    for number in range(N_NOISES):
        noisy = {}
        for symbol, bars in subject.bars.items():
            market = None if bars.market is None else bars.market.changed(partial(_noisy, number))
            noisy[symbol] = _noisy(number, bars).within(market)
        for component, calls in subject.on(noisy).items():
            known = _by_key(subject.calls, component)
            for call in calls:
                key = call.name, call.number
                if key in known:
                    where = (component, *key)
                    never = np.zeros(len(call.when), dtype=np.bool_)
                    aside[where] = aside.get(where, never) | (known[key].when != call.when)
    left = _differences(subject.calls, copied, spans, skipped=skipped, aside=aside)
    if left:
        _refuse_later_bars(subject, _earliest(left))


def _noisy(number: int, bars: Bars) -> Bars:
    """Return bars whose prices and other columns differ in their last digits."""
    factors = 1 + NOISE * rng.generator(0, number).standard_normal(len(bars))
    changed = bars.tilted(factors)
    extra = {name: frozen(values * factors) for name, values in bars.extra.items()}
    return replace(changed, extra=extra)


def _earliest(found: Sequence[_Difference]) -> _Difference:
    return min(found, key=lambda one: one.bar)


def _refuse_chance(subject: Subject, found: _Difference) -> NoReturn:
    what = _shown_difference(subject, found, "in the first call", "in the second")
    msg = (
        f"{subject.strategy.name!r} must order the same in every call on the same bars, got "
        f"{what}. It draws random numbers without a seed, or keeps something outside of itself "
        "from call to call. Write np.random.default_rng(0) in the function, and keep nothing "
        f"outside. {TURNED_OFF}"
    )
    raise StrategyError(msg)


def _refuse_later_bars(subject: Subject, found: _Difference) -> NoReturn:
    what = _shown_difference(subject, found, "on all bars", "when later bars are others")
    msg = (
        f"{subject.strategy.name!r} must not look ahead, got {what}. Use the values of a bar and "
        "of those before it: rolling windows instead of means, ranges and ranks of all bars; no "
        f"shift(-1), np.roll(x, -1), bfill or centred windows; s.fit() for models. {TURNED_OFF}"
    )
    raise StrategyError(msg)


def _shown_difference(subject: Subject, found: _Difference, known: str, copied: str) -> str:
    label = _label(subject.bars[found.component.asset], found.bar)
    what = f"{_call_name(found.call)} at {label} (component={found.component.key}{subject.shown})"
    if found.setting:
        what = f"{found.setting} of {what}"
        return f"{what}: {found.known:.6g} {known}, {found.copied:.6g} {copied}"
    one, two = ("true" if value else "false" for value in (found.known, found.copied))
    return f"{what}: {one} {known}, {two} {copied}"


_ORDINALS = ("first", "second", "third", "fourth", "fifth")


def _call_name(call: OrderCall) -> str:
    number = call.number
    ordinal = _ORDINALS[number - 1] if number <= len(_ORDINALS) else f"{number}th"
    return f"its {ordinal} {call.name}(…) call"


def _label(bars: Bars, bar: int) -> str:
    return str(bars.index[bar]).removesuffix(" 00:00:00")


# ------------------------------------------------------------------ look-back


def _check_lookback(
    subject: Subject, signals: tuple[str, IntArray] | None = None
) -> dict[str, str]:
    """Look at one copy that begins `lookback` bars before a signal, as a test may begin.

    `signals` are asset and bars of those to choose from; None: those of the first call.

    Raises
    ------
    StrategyError
        If it shows that orders depend on later bars.
    """
    lookback, by_kind = subject.strategy.lookback, subject.signals
    if not by_kind:
        return {}
    asset, found = signals or next(iter(by_kind.values()))[0]
    n_bars = len(subject.bars[asset])
    target = lookback + 2 * (n_bars - lookback) // 3
    bar = int(found[min(int(found.searchsorted(target)), len(found) - 1)])
    start = bar - lookback
    if start == 0:  # all bars begin there, too
        return {}
    until = min(bar + lookback + 2 * N_NEAR, n_bars - 2)
    last, kind = max(
        (int(bars[bars <= until][-1]), kind)
        for kind, places in by_kind.items()
        for of, bars in places
        if of == asset and bars[0] <= until
    )
    cut = _CopyEnd(asset, last, 1 / FACTOR if kind in _FALLING else FACTOR)
    bars, spans = _copy(subject.bars, cut, start)
    try:
        copied = subject.on(bars)
    except OptimizeError:
        raise
    except Exception:  # noqa: BLE001  # what cannot run on so few bars is no matter of look-back
        return {}
    skipped = max(lookback, last + 1 - start - N_NEAR)
    if _differences(subject.calls, copied, spans, skipped=skipped):
        _check_copy(subject, cut)  # near the cut: look-ahead if it is the same from the first bar
    for component, calls in subject.calls.items():
        first, last = spans[component.asset]
        theirs = _by_key(copied, component)
        for call in calls:
            bars_of = call.when[first + lookback : last].nonzero()[0]
            other = theirs.get((call.name, call.number))
            if len(bars_of) and not _when(other, 0, lookback + int(bars_of[0]) + 1).any():
                needed = _bars_needed(subject, component, call)
                if needed is not None:
                    return {"lookback": _short_lookback(subject, component, call, needed)}
    return {}


def _bars_needed(subject: Subject, component: Component, call: OrderCall) -> int | None:
    """Return how many bars a call needs before a signal; None if that is no certain number.

    Of a window, all signals need exactly the same number. What is recursive forgets slowly: some
    signals are there with fewer, and each of the others needs another number.
    """
    lookback = subject.strategy.lookback
    bars = call.when[lookback + 1 : -1].nonzero()[0] + lookback + 1
    parts = range(1, N_SIGNALS + 1)
    chosen = sorted({int(bars[len(bars) * part // (N_SIGNALS + 1)]) for part in parts if len(bars)})
    ordered = partial(_is_ordered, subject, component, call)
    if len(chosen) < 2 or any(ordered(bar, lookback) for bar in chosen):
        return None
    missing, enough = lookback, chosen[0]
    while enough - missing > 1:
        between = (missing + enough) // 2
        missing, enough = (missing, between) if ordered(chosen[0], between) else (between, enough)
    others = [bar for bar in chosen if bar > enough]  # all bars are no more than these
    is_window = others and all(ordered(bar, enough) for bar in others)
    return enough if is_window and not any(ordered(bar, missing) for bar in others) else None


def _is_ordered(
    subject: Subject, component: Component, call: OrderCall, bar: int, n_before: int
) -> bool:
    """Return whether a call is true at a bar with no more than `n_before` bars before it."""
    copy, _ = _copy(subject.bars, _CopyEnd(component.asset, bar, 1.0), bar - n_before)
    try:
        found = _by_key(subject.on(copy), component).get((call.name, call.number))
    except Exception:  # noqa: BLE001  # too few bars for it
        return False
    return found is not None and bool(found.when[n_before])


def _short_lookback(subject: Subject, component: Component, call: OrderCall, needed: int) -> str:
    strategy = subject.strategy
    return (
        f"{strategy.name!r} needs {needed} bars before a signal of {_call_name(call)} "
        f"(component={component.key}{subject.shown}), got lookback={strategy.lookback}: it trades "
        "later than with shorter periods, and cannot be compared with them. Set lookback to "
        f"{needed} at least, plus unstable_period={strategy.unstable_period} where indicators are "
        "recursive."
    )
