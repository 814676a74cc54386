# SPDX-License-Identifier: BSD-3-Clause
"""What a way of choosing is worth out of sample: ``python -m benchmarks.selection``.

Two studies, printed as the tables of `docs/selection.md`:

* simulated surfaces, whose true value at the choice is known;
* 20 stocks of the S&P 500, 1990 to 2022 (the data set of the package ``skfolio``, which is read
  without importing it: ``pip install --no-deps skfolio``), three strategies, tests that do not
  overlap.

``--quick`` leaves out Optuna and most draws; ``--optuna`` says how many windows it takes part in.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import itertools
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

from broadpeak._search.cells import choose_cell, make_cells
from broadpeak._search.selectors import Ensemble, Hill, Peak, Plateau, Selector

N = 15
"""Steps of both parameters, so 225 combinations."""

CODES = np.column_stack(np.unravel_index(np.arange(N * N), (N, N))).astype(np.int64)

RULES: dict[str, tuple[Selector, float]] = {
    # The share of the mean surface of the other components is the second of each pair.
    "peak": (Peak(), 0.0),
    "hill, `clip=False`": (Hill(3, clip=False), 0.0),
    "**hill** (default)": (Hill(3), 0.0),
    "hill, five steps, `clip=False`": (Hill(5, clip=False), 0.0),
    "hill, five steps": (Hill(5), 0.0),
    "plateau": (Plateau(), 0.0),
    "peak, half borrowed": (Peak(), 0.5),
    "hill, half borrowed": (Hill(3), 0.5),
    "hill, all borrowed": (Hill(3), 1.0),
    "ensemble of a tenth": (Ensemble(0.1), 0.0),
    "ensemble of a tenth, half borrowed": (Ensemble(0.1), 0.5),
}
TPE = "Optuna TPE, best of 225"
ALL = "all combinations"


def members(surface: np.ndarray, selector: Selector) -> np.ndarray:
    """Return the weight of each combination under a rule."""
    choice = choose_cell(make_cells(CODES, (N, N), surface.reshape(-1)), selector)
    weights = np.zeros(N * N)
    for at, weight in choice.members or ((choice.cell, 1.0),):
        weights[at] = weight
    return weights


def tpe(surface: np.ndarray, seed: int) -> np.ndarray:
    """Return the combination that Optuna finds with as many evaluations as the grid has."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    for _ in range(N * N):
        trial = study.ask()
        study.tell(
            trial, surface[trial.suggest_int("a", 0, N - 1), trial.suggest_int("b", 0, N - 1)]
        )
    weights = np.zeros((N, N))
    weights[study.best_params["a"], study.best_params["b"]] = 1.0
    return weights.reshape(-1)


def chosen(
    surface: np.ndarray, others: np.ndarray, seed: int, *, with_tpe: bool
) -> dict[str, np.ndarray]:
    """Return the weights of every rule; `others` is the mean surface of the other components."""
    found = {
        name: members((1 - share) * surface + share * others, selector)
        for name, (selector, share) in RULES.items()
    }
    if with_tpe:
        found[TPE] = tpe(surface, seed)
    return found


@dataclass
class Tally:
    """Differences to the peak, one a case, with what its errors are clustered by."""

    cases: list[tuple[object, float]]

    def row(self) -> tuple[float, float, int, int]:
        """Return mean, error of the mean over clusters, wins and losses."""
        gaps = pd.Series([gap for _, gap in self.cases])
        by_cluster = gaps.groupby([str(cluster) for cluster, _ in self.cases]).mean()
        error = by_cluster.std(ddof=1) / math.sqrt(len(by_cluster))
        return by_cluster.mean(), error, int((gaps > 0).sum()), int((gaps < 0).sum())


# ------------------------------------------------------------------ simulated surfaces

GRID = np.stack(np.meshgrid(np.linspace(0, 1, N), np.linspace(0, 1, N), indexing="ij"))
Surface = Callable[[np.ndarray], np.ndarray]  # of a shift (2,) of its position


def gauss(centre: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    gaps = (GRID - centre.reshape(2, 1, 1)) / np.reshape(width, (-1, 1, 1))
    return np.exp(-(gaps**2).sum(axis=0) / 2)


def true_surfaces(seed: int = 1) -> list[tuple[str, Surface]]:
    """Return 50 surfaces: kind, and the values of one whose position is shifted."""
    rng = np.random.default_rng(seed)
    made: list[tuple[str, Surface]] = []
    for _ in range(10):
        angle, width = rng.uniform(0, math.pi), rng.uniform(0.05, 0.15)
        centre, tilt = rng.uniform(0.3, 0.7, 2), rng.uniform(0.0, 0.5)
        axis = np.array([math.cos(angle), math.sin(angle)])

        def ridge(shift, axis=axis, centre=centre, width=width, tilt=tilt):
            gaps = GRID - (centre + shift).reshape(2, 1, 1)
            across, along = np.tensordot(axis, gaps, 1), np.tensordot(axis[::-1], gaps, 1)
            return np.exp(-((across / width) ** 2) / 2) * (1 - tilt * np.abs(along))

        corner, size = rng.uniform(0.05, 0.6, 2), rng.uniform(0.2, 0.4, 2)
        narrow = rng.uniform(0.1, 0.9, 2)

        def plateau(shift, corner=corner, size=size, narrow=narrow):
            from_corner = GRID - (corner + shift).reshape(2, 1, 1)
            inside = ((from_corner >= 0) & (from_corner <= size.reshape(2, 1, 1))).all(axis=0)
            return np.maximum(0.8 * inside, 0.9 * gauss(narrow + shift, 0.05))

        centres, widths = rng.uniform(0.1, 0.9, (2, 2)), rng.uniform(0.1, 0.3, 2)
        heights = rng.uniform(0.6, 1.0, 2)

        def hills(shift, centres=centres, widths=widths, heights=heights):
            parts = zip(heights, centres, widths, strict=True)
            return np.max([h * gauss(c + shift, w) for h, c, w in parts], axis=0)

        phases, waves = rng.uniform(0, 6, 3), rng.uniform(2, 6, 3)

        def interaction(shift, phases=phases, waves=waves):
            a, b = GRID - shift.reshape(2, 1, 1)
            return (
                np.sin(waves[0] * a * b + phases[0])
                + np.sin(waves[1] * (a - b) + phases[1])
                + 0.5 * a * np.cos(waves[2] * b + phases[2])
            )

        made += [
            ("ridge", ridge),
            ("plateau", plateau),
            ("hills", hills),
            ("hills with lucky spikes", hills),
            ("interaction", interaction),
        ]
    return made


def smooth_noise(rng: np.random.Generator) -> np.ndarray:
    """Return noise that neighbours share, as those do that trade alike, of variance 1."""
    noise = rng.normal(size=(N + 4, N + 4))
    w = np.array([1, 2, 3, 2, 1])
    kernel = np.outer(w, w) / np.linalg.norm(np.outer(w, w))
    windows = np.lib.stride_tricks.sliding_window_view(noise, (5, 5))
    return np.einsum("ijkl,kl->ij", windows, kernel)


def simulated(draws: int, tpe_draws: int) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return the true value at the choice over that at the peak, by noise and by kind."""
    levels = {"low": 0.5, "middle": 1.0, "high": 2.0}  # of the spread of the true values
    rows: dict[tuple[str, str, str], Tally] = {}
    surfaces = true_surfaces()
    for number, (kind, make) in enumerate(surfaces):
        rng = np.random.default_rng([7, number])
        truth = make(np.zeros(2))
        truth = (truth - truth.mean()) / truth.std()
        worth = truth.reshape(-1) / truth.max()  # 1: the best there is; 0: the mean
        for (level, size), draw in itertools.product(levels.items(), range(draws)):

            def noisy(surface, size=size, rng=rng, kind=kind):
                noise = math.sqrt(0.5) * (rng.normal(size=(N, N)) + smooth_noise(rng))
                spikes = (rng.random((N, N)) < 0.02) * rng.exponential(4, (N, N))
                return surface + size * noise + spikes * (kind == "hills with lucky spikes")

            near = []
            for _ in range(5):
                other = make(rng.normal(0, 0.1, 2))
                near.append(noisy((other - other.mean()) / other.std()))
            own = noisy(truth)
            found = chosen(own, np.mean(near, axis=0), draw, with_tpe=draw < tpe_draws)
            base = float(found["peak"] @ worth)
            for name, weights in found.items():
                gap = float(weights @ worth) - base
                for column in (f"noise {level}", kind):
                    rows.setdefault((name, column, "gap"), Tally([])).cases.append((number, gap))
    tallies = {key[:2]: tally.row() for key, tally in rows.items()}
    tallies = dict(sorted(tallies.items(), key=lambda item: item[0][1].startswith("noise")))
    return table(tallies), wins(tallies), len(surfaces)


# ------------------------------------------------------------------ real series

SETTINGS = ((1000, 500), (750, 250), (1500, 250))
FIRST, FEE = 400, 0.0005


def closes() -> pd.DataFrame | None:
    """Return daily closes, bars x 20 stocks; None without the package they come with."""
    found = importlib.util.find_spec("skfolio")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "datasets" / "data" / "sp500_dataset.csv.gz"
    with gzip.open(path) as file:
        return pd.read_csv(file, index_col=0, parse_dates=True)


def rolling(x: np.ndarray, n: int, what: str) -> np.ndarray:
    return getattr(pd.DataFrame(x).rolling(n), what)().to_numpy()


def held(enter: np.ndarray, leave_long: np.ndarray, leave_short: np.ndarray) -> np.ndarray:
    """Return positions: `enter` is 1, -1 or 0 (stay), each (bars, columns)."""
    position = np.zeros(enter.shape[1])
    result = np.zeros(enter.shape, dtype=np.int8)
    for bar in range(len(enter)):
        leaves = ((position > 0) & leave_long[bar]) | ((position < 0) & leave_short[bar])
        position = np.where(enter[bar] != 0, enter[bar], np.where(leaves, 0, position))
        result[bar] = position
    return result


def averages(close: np.ndarray, a: float, b: float) -> np.ndarray:
    n = max(1, round(a))
    slow = rolling(close, max(n + 1, round(a * b)), "mean")
    return np.nan_to_num(np.sign(rolling(close, n, "mean") - slow)).astype(np.int8)


def breakout(close: np.ndarray, a: float, b: float) -> np.ndarray:
    n, m = max(2, round(a)), max(2, round(a * b))
    before = np.vstack([np.full((1, close.shape[1]), np.nan), close[:-1]])
    enter = (close > rolling(before, n, "max")).astype(np.int8)
    enter -= close < rolling(before, n, "min")
    leaves = close < rolling(before, m, "min"), close > rolling(before, m, "max")
    return held(enter, *leaves)


def reversion(close: np.ndarray, a: float, b: float) -> np.ndarray:
    n = max(3, round(a))
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (close - rolling(close, n, "mean")) / rolling(close, n, "std")
    enter = (z < -b).astype(np.int8)
    enter -= z > b
    return held(enter, z >= 0, z <= 0)


STRATEGIES = {
    "moving averages": (averages, np.geomspace(3, 60, N), np.geomspace(1.25, 6, N)),
    "breakout": (breakout, np.geomspace(10, 200, N), np.linspace(0.1, 1, N)),
    "mean reversion": (reversion, np.geomspace(5, 100, N), np.linspace(0.5, 2.5, N)),
}


def profits(close: np.ndarray, strategy: str) -> np.ndarray:
    """Return net returns of all combinations, (stocks, combinations, bars); 5 bp a fill."""
    make, first, second = STRATEGIES[strategy]
    change = np.diff(close, axis=0) / close[:-1]
    result = np.zeros((close.shape[1], N * N, len(close)), dtype=np.float32)
    for cell, (a, b) in enumerate(itertools.product(first, second)):
        position = make(close, a, b).astype(np.float64)
        traded = np.abs(np.diff(position, axis=0, prepend=0.0))
        # Decided at a close, filled there, earned until the next one.
        result[:, cell, 1:] = (position[:-1] * change - FEE * traded[:-1]).T
    return result


def sharpe(returns: np.ndarray) -> np.ndarray:
    """Return annual Sharpe ratios over the last axis; 0 where nothing moves."""
    spread = returns.std(axis=-1, ddof=1)
    mean = returns.mean(axis=-1)
    return np.where(spread > 0, mean / np.where(spread > 0, spread, 1.0), 0.0) * math.sqrt(252)


def real(close: pd.DataFrame, n_tpe: int, quick: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return annual Sharpe ratios out of sample over that of the peak."""
    each: dict[tuple[str, str], Tally] = {}
    together: dict[tuple[str, str, object], list[np.ndarray]] = {}
    settings = SETTINGS[:1] if quick else SETTINGS
    for strategy in STRATEGIES:
        net = profits(close.to_numpy(), strategy)
        for train, test in settings:
            column = f"{train}/{test} bars"
            for window, start in enumerate(range(FIRST, len(close) - train - test + 1, test)):
                past = net[:, :, start : start + train].astype(np.float64)
                future = net[:, :, start + train : start + train + test].astype(np.float64)
                surfaces = sharpe(past).reshape(-1, N, N)
                for stock, surface in enumerate(surfaces):
                    others = np.delete(surfaces, stock, axis=0).mean(axis=0)
                    with_tpe = (
                        column == f"{SETTINGS[0][0]}/{SETTINGS[0][1]} bars" and window < n_tpe
                    )
                    found = chosen(surface, others, stock, with_tpe=with_tpe)
                    found[ALL] = np.full(N * N, 1 / (N * N))
                    paths = {name: weights @ future[stock] for name, weights in found.items()}
                    base = float(sharpe(paths["peak"]))
                    for name, path in paths.items():
                        gap = float(sharpe(path)) - base
                        each.setdefault((name, column), Tally([])).cases.append((window, gap))
                        together.setdefault((name, column, window), []).append(path)
        del net
    one: dict[tuple[str, str], Tally] = {}
    for (name, column, window), paths in together.items():
        base = float(sharpe(np.mean(together["peak", column, window], axis=0)))
        if len(paths) == len(together["peak", column, window]):
            gap = float(sharpe(np.mean(paths, axis=0))) - base
            one.setdefault((name, column), Tally([])).cases.append((window, gap))
    tallies = {key: tally.row() for key, tally in each.items()}
    tallies |= {
        (name, f"{column}, one portfolio"): tally.row() for (name, column), tally in one.items()
    }
    return table(tallies), wins(tallies)


# ------------------------------------------------------------------ tables


def table(rows: dict[tuple[str, str], tuple[float, float, int, int]]) -> pd.DataFrame:
    cells = {key: f"{mean:+.3f} ± {error:.3f}" for key, (mean, error, *_) in rows.items()}
    return unstacked(cells)


def wins(rows: dict[tuple[str, str], tuple[float, float, int, int]]) -> pd.DataFrame:
    return unstacked({key: f"{won} : {lost}" for key, (_, _, won, lost) in rows.items()})


def unstacked(cells: dict[tuple[str, str], str]) -> pd.DataFrame:
    names, columns = (list(dict.fromkeys(key[k] for key in cells)) for k in (0, 1))
    frame = pd.DataFrame("–", index=[n for n in names if n != "peak"], columns=columns)
    for (name, column), text in cells.items():
        if name != "peak":
            frame.loc[name, column] = text
    return frame


def markdown(frame: pd.DataFrame, head: str) -> str:
    lines = [f"| {head} | {' | '.join(frame.columns)} |", "|---" * (len(frame.columns) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(row)} |"
        for name, row in zip(frame.index, frame.to_numpy(), strict=True)
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer draws, no Optuna")
    parser.add_argument("--draws", type=int, default=10, help="draws of each surface and noise")
    parser.add_argument("--optuna", type=int, default=14, help="windows and draws it takes part in")
    parser.add_argument("--only", choices=("simulated", "real"))
    given = parser.parse_args()
    draws, n_tpe = (2, 0) if given.quick else (given.draws, given.optuna)
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if given.only != "real":
        began = time.perf_counter()
        gaps, won, n_surfaces = simulated(draws, min(1, n_tpe))
        print(
            f"{n_surfaces} surfaces, three noise levels, {draws} draws of each; the true value at"
        )
        print("the choice (1 the best of the surface, 0 its mean) over that at the peak; errors by")
        print(f"surface. {time.perf_counter() - began:.0f} s\n")
        print(markdown(gaps, "Rule"), "\n\nWins : losses\n", sep="\n")
        print(markdown(won, "Rule"), "\n")
    if given.only != "simulated":
        began, close = time.perf_counter(), closes()
        if close is None:
            print("Real series: none. Type: pip install --no-deps skfolio")
            return
        gaps, won = real(close, n_tpe, given.quick)
        print(
            f"{close.shape[1]} stocks, {close.index[0]:%Y} to {close.index[-1]:%Y}; annual Sharpe"
        )
        print("ratio out of sample over that of the peak; errors by window.")
        print(f"{time.perf_counter() - began:.0f} s\n")
        print(markdown(gaps, "Rule"), "\n\nWins : losses\n", sep="\n")
        print(markdown(won, "Rule"))


if __name__ == "__main__":
    main()
