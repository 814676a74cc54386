# SPDX-License-Identifier: BSD-3-Clause
"""Whether a verdict means what it says: how often it passes noise, and how often it finds an edge.

Histories are simulated, judged by `broadpeak.validate`, and counted: the tables of
docs/calibration.md. Every history depends on its number alone, so that the tables do, too.

    python -m benchmarks.calibration                  # 500 histories; goes on where it was stopped
    python -m benchmarks.calibration --quick          # a few, to see that it runs
    python -m benchmarks.calibration --write          # puts the tables into docs/calibration.md
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom, kstwo

import broadpeak as bp
from broadpeak._significance.expected import expected_sharpe

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "calibration.md"
BEGIN, END = "<!-- tables: python -m benchmarks.calibration --write -->", "<!-- end of tables -->"

BARS = 1400
WARM = 260  # bars before them, which averages of the grid need
KINDS = {
    "random walk": "normal moves of 1 % a day",
    "GARCH": "GARCH(1, 1) of 0.09 and 0.90 with t(6) shocks",
    "drift": "a random walk that rises by 0.06 % a day, 16 % a year",
    "jumps": "a random walk with a jump of 5 % in one bar of a hundred",
    "real": "bars of AAPL, IBM and MSFT in blocks of 20 on average, each mirrored or not by a coin",
}
BLOCKS = "real, in blocks"
"""The same bars as they are: what repeats itself inside a block stays, so that it is no noise."""
STREAMS = ["random walk", "GARCH", "drift", "jumps", BLOCKS, "real"]
EDGES = (0.05, 0.075, 0.1)
PLACES = ("a tenth: a row", "a tenth: a block", "every cell")
SEARCH = {"method": "brute", "objective": "sharpe", "min_trades": 10}
WALK = {"cycles": 5, "split": 0.7}  # 804 bars of tests


# ------------------------------------------------------------------ histories without a pattern


def stream(*keys: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(20, spawn_key=keys))


def clusters(shocks: np.ndarray) -> np.ndarray:
    """Return the deviation of every bar of a GARCH(1, 1) with these shocks of unit variance."""
    variance, found = 1e-4, np.empty(len(shocks))
    for bar, shock in enumerate(shocks):
        found[bar] = math.sqrt(variance)
        variance = 1e-6 + 0.09 * variance * shock**2 + 0.90 * variance
    return found


def real_moves() -> list[np.ndarray]:
    """Return gap, high, low and close of every bar in logs, for each of the three stocks."""
    found = []
    for symbol in ("AAPL", "IBM", "MSFT"):
        data = bp.Data.sample(symbol)
        opened, high, low, close = (
            np.log(getattr(data, name).to_numpy()) for name in ("open", "high", "low", "close")
        )
        gap = opened[1:] - close[:-1]
        found.append(np.column_stack([gap, *((x - opened)[1:] for x in (high, low, close))]))
    return found


def history(kind: str, number: int, bars: int) -> bp.Data:
    """Return prices in which no rule earns more than being invested does, but for `BLOCKS`."""
    generator = stream(STREAMS.index(kind), number)
    if kind in ("real", BLOCKS):
        moves = real_moves()[number % 3]
        begins = generator.random(bars) < 1 / 20
        begins[0] = True
        first = generator.integers(len(moves), size=bars)
        latest = np.maximum.accumulate(np.where(begins, np.arange(bars), 0))
        gap, high, low, close = moves[(first[latest] + np.arange(bars) - latest) % len(moves)].T
        if kind == "real":
            coin = generator.random(bars) < 0.5
            gap, close = np.where(coin, -gap, gap), np.where(coin, -close, close)
            high, low = np.where(coin, -low, high), np.where(coin, -high, low)
    else:
        # A gap, and eight moves within the bar.
        steps = generator.normal(size=(bars, 9)) / 3.0
        if kind == "GARCH":
            steps /= np.sqrt(generator.chisquare(6, size=(bars, 1)) / 6 * 1.5)
            steps *= clusters(steps.sum(axis=1))[:, np.newaxis]
        else:
            steps *= 0.01
        if kind == "drift":
            steps += 0.0006 / 9
        if kind == "jumps":
            steps[:, 0] += np.where(
                generator.random(bars) < 0.01, generator.normal(0, 0.05, bars), 0
            )
        path = np.cumsum(steps[:, 1:], axis=1)
        gap, close = steps[:, 0], path[:, -1]
        high, low = np.maximum(path.max(axis=1), 0.0), np.minimum(path.min(axis=1), 0.0)
    closed = math.log(100.0) + np.cumsum(gap + close)
    opened = closed - close
    frame = pd.DataFrame(
        {
            "open": np.exp(opened),
            "high": np.exp(opened + high),
            "low": np.exp(opened + low),
            "close": np.exp(closed),
        },
        index=pd.bdate_range("2000-01-03", periods=bars),
    )
    # Rounding must not put a close above its high.
    frame["high"], frame["low"] = frame.max(axis=1), frame.min(axis=1)
    return bp.Data.from_frames({"X": frame})


# ------------------------------------------------------------------ what is tried on them


@bp.strategy(lookback=70)
def trend(s: Any) -> None:
    """Follow a crossing of averages, with a stop."""
    days = s.optimize(6, 3, 11, 2, name="days")
    factor = s.optimize(3, 1.5, 5.5, 1, name="factor")
    s.stop = 3 * bp.atr(s.high, s.low, s.close, 14)
    fast, slow = bp.sma(s.close, days), bp.sma(s.close, days * factor)
    s.enter_long(bp.crossed_above(fast, slow))
    s.enter_short(bp.crossed_below(fast, slow))


@bp.strategy(lookback=70)
def reversion(s: Any) -> None:
    """Buy what has fallen, sell what has risen, until the middle."""
    days = s.optimize(6, 3, 11, 2, name="days")
    level = s.optimize(35, 30, 40, 2.5, name="level")
    strength = bp.rsi(s.close, days)
    s.enter_long(bp.crossed_below(strength, level))
    s.exit_long(bp.crossed_above(strength, 50.0))
    s.enter_short(bp.crossed_above(strength, 100.0 - level))
    s.exit_short(bp.crossed_below(strength, 50.0))


@bp.strategy(lookback=70)
def breakout(s: Any) -> None:
    """Buy a new high of the channel, leave at a new low of a narrower one; never short."""
    days = s.optimize(20, 10, 30, 5, name="days")
    leave = s.optimize(6, 3, 11, 2, name="leave")
    high = np.append(np.nan, bp.highest(s.high, days)[:-1])
    low = np.append(np.nan, bp.lowest(s.low, leave)[:-1])
    s.enter_long(s.close > high)
    s.exit_long(s.close < low)


STRATEGIES = (trend, reversion, breakout)
FAST = (2, 4, 6, 8, 10, 14, 18, 24, 30, 40)
SLOW = (50, 60, 70, 85, 100, 120, 145, 175, 210, 250)


def grid_returns(data: bp.Data) -> pd.DataFrame:
    """Return the last bars of 100 crossings of averages, long or short, before costs."""
    close = data.close.to_numpy()
    moves = np.diff(close) / close[:-1]
    sums = np.append(0.0, np.cumsum(np.log(close)))

    def average(window: int) -> np.ndarray:
        # Known at the bar before each of the last ones.
        found = (sums[window:] - sums[:-window]) / window
        return found[-BARS - 1 : -1]

    columns = {
        (fast, slow): np.where(average(fast) > average(slow), 1.0, -1.0) * moves[-BARS:]
        for fast in FAST
        for slow in SLOW
    }
    return pd.DataFrame(columns, index=data.index[-BARS:])


def planted(place: str, number: int) -> np.ndarray:
    """Return which cells of the grid have the edge: another tenth in every history."""
    cells = np.zeros((10, 10), dtype=bool)
    if place == "every cell":
        cells[:] = True
    elif place == "a tenth: a row":
        cells[number % 10] = True
    else:
        row, column = 2 * (number % 5), 5 * (number // 5 % 2)
        cells[row : row + 2, column : column + 5] = True
    return cells.ravel()


# ------------------------------------------------------------------ one history, judged


class Case(NamedTuple):
    """One history and how it is judged: a table, a row of it, and the number of the history."""

    table: str
    row: str
    number: int

    @property
    def key(self) -> str:
        return "/".join(map(str, self))


def judge(case: Case, permutations: int) -> dict[str, Any]:
    """Return what is counted of one case: plain values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few trades, as noise has
        found = TABLES[case.table](case.row, case.number, permutations)
    return {"key": case.key, **found}


def of_verdict(verdict: bp.Verdict, **more: Any) -> dict[str, Any]:
    return {"p": verdict.p_value, "status": verdict.status, **more}


def null_of_returns(kind: str, number: int, permutations: int) -> dict[str, Any]:
    data = history(kind, number, BARS + WARM)
    return of_verdict(bp.validate(returns=grid_returns(data), data=data, seed=number))


def null_of_training(kind: str, number: int, permutations: int) -> dict[str, Any]:
    data, strategy = history(kind, number, BARS), STRATEGIES[number % 3]
    training = bp.train(strategy, data, **SEARCH)
    verdict = bp.validate(training, n_permutations=permutations, seed=number)
    return of_verdict(verdict, strategy=strategy.name, n=permutations, run=len(verdict.null))


def null_of_walk(kind: str, number: int, permutations: int) -> dict[str, Any]:
    data, strategy = history(kind, number, BARS), STRATEGIES[number % 3]
    walk = bp.walk_forward(strategy, data, **WALK, **SEARCH)
    verdict = bp.validate(walk, n_permutations=permutations, seed=number)
    return of_verdict(verdict, strategy=strategy.name, n=permutations, run=len(verdict.null))


def power(row: str, number: int, permutations: int) -> dict[str, Any]:
    place, size = row.rsplit(", e = ", 1)
    returns = grid_returns(history("random walk", 10_000 + number, BARS + WARM))
    returns += float(size) * returns.std() * planted(place, number)
    # Without prices: what is planted is no exposure.
    published = bp.stats.spa(returns, seed=number).p_value
    return of_verdict(bp.validate(returns=returns, seed=number), published=published)


def coverage(row: str, number: int, permutations: int) -> dict[str, Any]:
    generator = stream(9, number)
    if row.startswith("1,000"):
        true = 0.075 * (np.arange(1000) < 100) * ("tenth" in row)
        returns = generator.normal(0.0, 0.01, size=(BARS, 1000)) + 0.01 * true
    else:
        frame = grid_returns(history("random walk", 20_000 + number, BARS + WARM))
        place = {"none": None, "a tenth": "a tenth: a block", "all": "every cell"}.get(row)
        cells = np.zeros(100, dtype=bool) if place is None else planted(place, number)
        deviation = frame.std(ddof=1).to_numpy()
        returns, true = frame.to_numpy() + 0.075 * deviation * cells, 0.075 * cells
        if row == "one configuration":
            returns, true = returns[:, :1], true[:1]
    ratios = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    best = int(ratios.argmax())
    found = expected_sharpe(returns, best, seed=number)
    return {**found._asdict(), "true": float(true[best])}


TABLES: dict[str, Callable[[str, int, int], dict[str, Any]]] = {
    "returns": null_of_returns,
    "training": null_of_training,
    "walk-forward": null_of_walk,
    "power": power,
    "coverage": coverage,
}
NULLS = ("returns", "training", "walk-forward")
POWER_ROWS = [f"{place}, e = {size:g}" for place in PLACES for size in EDGES]
COVERAGE_ROWS = [
    *("none", "a tenth", "all", "one configuration"),
    *("1,000 independent ones, none", "1,000 independent ones, a tenth"),
]


def cases(histories: int, powers: int) -> Iterator[Case]:
    """Yield all cases, those of all tables in turn, so that an unfinished run has some of each."""
    for number in range(max(histories, powers)):
        if number < histories:
            for kind in (*KINDS, BLOCKS):
                yield from (Case(table, kind, number) for table in NULLS)
        if number < powers:
            yield from (Case("power", row, number) for row in POWER_ROWS)
            yield from (Case("coverage", row, number) for row in COVERAGE_ROWS)


# ------------------------------------------------------------------ all of them, in two processes


def run(todo: list[Case], permutations: int, out: Path, workers: int) -> list[dict[str, Any]]:
    """Judge the cases that `out` does not hold, add them to it, and return all of `todo`."""
    known = _read(out)
    missing = [case for case in todo if case.key not in known]
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists() and not out.read_text(encoding="utf-8").endswith("\n"):
        with out.open("a", encoding="utf-8") as file:
            file.write("\n")  # after the half line of a run that was killed
    start = time.monotonic()
    with out.open("a", encoding="utf-8") as file:
        for done, found in enumerate(_judged(missing, permutations, workers), 1):
            known[found["key"]] = found
            file.write(json.dumps(found) + "\n")
            file.flush()
            if done % 200 == 0:
                left = (time.monotonic() - start) / done * (len(missing) - done)
                print(f"{done:,} of {len(missing):,}, {left / 60:.0f} min left", file=sys.stderr)
    return [known[case.key] for case in todo]


def _judged(missing: list[Case], permutations: int, workers: int) -> Iterator[dict[str, Any]]:
    if workers == 1:
        yield from (judge(case, permutations) for case in missing)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(judge, missing, [permutations] * len(missing), chunksize=4)


def _read(out: Path) -> dict[str, dict[str, Any]]:
    found = {}
    if out.exists():
        for line in out.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:  # the last line of a run that was killed
                continue
            found[row["key"]] = row
    return found


# ------------------------------------------------------------------ tables


def attainable(permutations: int, least: int) -> np.ndarray:
    """Return the p values that a test of `permutations` can have, if it ends at `least` as good."""
    stopped = least / np.arange(least, permutations + 1)
    whole = np.arange(1, least + 1) / (1 + permutations)
    return np.unique(np.concatenate([stopped, whole]))


def uniformity(p_values: np.ndarray, steps: np.ndarray | None = None) -> float:
    """Return the p value of Kolmogorov and Smirnov's test that `p_values` are uniform.

    Of a discrete p value the distribution is that of a uniform one at the values that it can have,
    given by `steps`, and only there they are compared; so the test is a little conservative.
    """
    p_values = np.sort(p_values)
    n = len(p_values)
    if steps is None:
        distance = max(
            float((np.arange(1, n + 1) / n - p_values).max()),
            float((p_values - np.arange(n) / n).max()),
        )
    else:
        reached = np.searchsorted(p_values, steps + 1e-12, side="right") / n
        distance = float(np.abs(reached - steps).max())
    return float(kstwo.sf(distance, n))


def least_as_good(permutations: int, alpha: float = 0.05) -> int:
    """Return when `validate` ends: when not even "doubtful" is possible any more."""
    return max(1, math.floor(2 * alpha * (permutations + 1) + 1e-9))


def share(rows: Iterable[dict[str, Any]], status: str) -> float:
    found = [row["status"] == status for row in rows]
    return sum(found) / len(found)


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def null_line(name: str, path: str, rows: list[dict[str, Any]]) -> str:
    p_values = np.array([row["p"] for row in rows])
    steps = None
    if "n" in rows[0]:
        steps = attainable(rows[0]["n"], least_as_good(rows[0]["n"]))
    cells = [
        name,
        path,
        f"{len(rows):,}",
        percent(share(rows, "pass")),
        percent(share(rows, "doubtful")),
        percent(float((p_values <= 0.05).mean())),
        f"{uniformity(p_values, steps):.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def null_table(found: dict[tuple[str, str], list[dict[str, Any]]]) -> list[str]:
    lines = [
        "| prices | judged | histories | pass | doubtful | p ≤ 0.05 | uniform p (KS) |",
        "|---|---|---|---|---|---|---|",
    ]
    for path in NULLS:
        rows = [row for kind in KINDS for row in found[path, kind]]
        lines += [null_line(kind, path, found[path, kind]) for kind in KINDS]
        lines.append(null_line("**all**", path, rows))
        lines.append(null_line(BLOCKS, path, found[path, BLOCKS]))
    for strategy in STRATEGIES:
        for path in NULLS[1:]:
            rows = [row for kind in KINDS for row in found[path, kind]]
            rows = [row for row in rows if row["strategy"] == strategy.name]
            if rows:
                lines.append(null_line(f"all, `{strategy.name}`", path, rows))
    return lines


def power_table(found: dict[tuple[str, str], list[dict[str, Any]]]) -> list[str]:
    lines = [
        "| edge in | a bar | histories | pass | p ≤ 0.05 | p ≤ 0.05 of `spa` |",
        "|---|---|---|---|---|---|",
    ]
    for place in PLACES:
        for size in EDGES:
            rows = found["power", f"{place}, e = {size:g}"]
            ours, theirs = (
                np.mean([row[name] <= 0.05 for row in rows]) for name in ("p", "published")
            )
            cells = [place, f"{size:g}", f"{len(rows):,}", percent(share(rows, "pass"))]
            lines.append(f"| {' | '.join([*cells, percent(ours), percent(theirs)])} |")
    return lines


def coverage_table(found: dict[tuple[str, str], list[dict[str, Any]]]) -> list[str]:
    lines = [
        "| edge in | histories | true one inside | in sample − true | expected − true | width |",
        "|---|---|---|---|---|---|",
    ]
    for name in COVERAGE_ROWS:
        table = pd.DataFrame(found["coverage", name])
        inside = ((table["low"] <= table["true"]) & (table["true"] <= table["high"])).mean()
        curse = (table["in_sample"] - table["true"]).mean()
        bias = (table["expected"] - table["true"]).mean()
        width = (table["high"] - table["low"]).mean()
        lines.append(
            f"| {name} | {len(table):,} | {percent(inside)} | {curse:+.4f} | {bias:+.4f} "
            f"| {width:.4f} |"
        )
    return lines


def tables(rows: list[dict[str, Any]]) -> str:
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        table, name, _ = row["key"].split("/")
        found[table, name].append(row)
    n = len(found[NULLS[0], "drift"])
    most = int(binom.ppf(0.99, 5 * n, 0.05)) / (5 * n)
    return "\n".join(
        [
            "### Without an edge",
            "",
            *null_table(found),
            "",
            f"A test at 5 % passes at most {percent(most)} of {5 * n:,} in 99 of 100 such tables.",
            "",
            "### With an edge",
            "",
            *power_table(found),
            "",
            "### What to expect of the choice",
            "",
            *coverage_table(found),
        ]
    )


def write(text: str, page: Path = PAGE) -> None:
    """Put the tables between their marks on the page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main(arguments: list[str] | None = None) -> str:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--histories", type=int, default=100, help="of each of the five kinds")
    parser.add_argument("--powers", type=int, default=120, help="of each row of power and coverage")
    parser.add_argument("--permutations", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "calibration.jsonl")
    parser.add_argument("--quick", action="store_true", help="three histories, 39 permutations")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    options = parser.parse_args(arguments)
    if options.quick:
        options.histories, options.powers, options.permutations = 3, 2, 39
        options.out = options.out.with_stem(f"{options.out.stem}_quick")
    todo = list(cases(options.histories, options.powers))
    text = tables(run(todo, options.permutations, options.out, options.workers))
    print(text)
    if options.write:
        write(text)
    return text


if __name__ == "__main__":
    main()
