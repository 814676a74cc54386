# SPDX-License-Identifier: BSD-3-Clause
"""`bp.stats` beside other packages: what is compared, and how far both may lie apart.

The packages are for development only (`constraints/oracles.txt`). The table of the docs is what
``python tests/reference/oracle_cases.py`` prints.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import broadpeak as bp
from broadpeak._significance.superior import _errors
from broadpeak.types import FloatArray

S = bp.stats
EXACT = 1e-9


class Case(NamedTuple):
    """One function beside one package; `differences` yields how far both lie apart."""

    function: str
    package: str
    other: str
    differences: Callable[[Any], Iterator[float]]
    most: float = EXACT


CASES: list[Case] = []


def case(function: str, package: str, other: str, most: float = EXACT) -> Callable[..., Any]:
    def add(differences: Callable[[Any], Iterator[float]]) -> Callable[[Any], Iterator[float]]:
        CASES.append(Case(function, package, other, differences, most))
        return differences

    return add


def ratios() -> Iterator[dict[str, float]]:
    """Yield Sharpe ratios with moments that distributions have."""
    generator = np.random.default_rng(1)
    for _ in range(200):
        skew = float(generator.uniform(-2, 2))
        yield {
            "sharpe": float(generator.uniform(-0.3, 0.6)),
            "n": int(generator.integers(12, 2000)),
            "benchmark": float(generator.uniform(-0.2, 0.2)),
            "skew": skew,
            "kurtosis": 1 + skew**2 + float(generator.uniform(0.5, 10)),
        }


def table(seed: int, bars: int = 240, columns: int = 9, memory: float = 0.4) -> FloatArray:
    """Return dependent returns of unlike means and spreads."""
    generator = np.random.default_rng(seed)
    values = generator.normal(0, 0.01, size=(bars, columns))
    values += 0.5 * generator.normal(0, 0.01, size=(bars, 1))
    for bar in range(1, bars):
        values[bar] += memory * values[bar - 1]
    return values * np.linspace(0.5, 2, columns) + np.linspace(-0.002, 0.002, columns)


def studentised(seed: int) -> tuple[FloatArray, float]:
    """Return returns in units of their errors, for packages that only compare means, and blocks."""
    values = table(seed)
    return values / _errors(values, 5.0) * 0.05, 5.0


# ------------------------------------------------------------------ Sharpe ratios


@case("probabilistic_sharpe_ratio, 2012", "holdout", "probabilistic_sharpe_ratio")
def _(holdout: Any) -> Iterator[float]:
    for r in ratios():
        moments = {"benchmark": r["benchmark"], "kurtosis": r["kurtosis"]}
        other = holdout.probabilistic_sharpe_ratio(
            r["sharpe"], r["n"], skewness=r["skew"], **moments
        )
        mine = S.probabilistic_sharpe_ratio(r["sharpe"], r["n"], skew=r["skew"], **moments)
        yield mine - other


@case("probabilistic_sharpe_ratio, 2025", "jsharpe", "probabilistic_sharpe_ratio")
def _(jsharpe: Any) -> Iterator[float]:
    for r in ratios():
        other = jsharpe.probabilistic_sharpe_ratio(
            r["sharpe"], r["benchmark"], T=r["n"], gamma3=r["skew"], gamma4=r["kurtosis"]
        )
        yield S.probabilistic_sharpe_ratio(**r, convention="2025") - other


@case("min_track_record_length, 2012", "holdout", "minimum_track_record_length")
def _(holdout: Any) -> Iterator[float]:
    for r in ratios():
        if r["sharpe"] <= r["benchmark"]:
            continue
        other = holdout.minimum_track_record_length(
            r["sharpe"], benchmark=r["benchmark"], skewness=r["skew"], kurtosis=r["kurtosis"]
        )
        r.pop("n")
        yield S.min_track_record_length(**r) / other - 1


@case("min_track_record_length, 2025", "jsharpe", "minimum_track_record_length")
def _(jsharpe: Any) -> Iterator[float]:
    for r in ratios():
        if r["sharpe"] <= r["benchmark"]:
            continue
        other = jsharpe.minimum_track_record_length(
            r["sharpe"], r["benchmark"], gamma3=r["skew"], gamma4=r["kurtosis"], alpha=0.1
        )
        r.pop("n")
        yield S.min_track_record_length(**r, confidence=0.9, convention="2025") / other - 1


TRIALS = [2, 3, 7, 10, 46, 100, 1000, 10**6]


@case("expected_max_sharpe", "holdout", "expected_maximum_sharpe")
def _(holdout: Any) -> Iterator[float]:
    for n in TRIALS:
        yield S.expected_max_sharpe(n, 0.03) - holdout.expected_maximum_sharpe(n, 0.03)


@case("expected_max_sharpe", "jsharpe", "expected_maximum_sharpe_ratio")
def _(jsharpe: Any) -> Iterator[float]:
    for n in TRIALS:
        yield S.expected_max_sharpe(n, 0.03) - jsharpe.expected_maximum_sharpe_ratio(n, 0.03)


@case("expected_max_sharpe", "ffn", "calc_expected_max_sharpe")
def _(ffn: Any) -> Iterator[float]:
    for n in TRIALS:
        yield S.expected_max_sharpe(n, 0.03) - ffn.calc_expected_max_sharpe(n, math.sqrt(0.03))


@case("min_backtest_length", "jsharpe", "expected_maximum_sharpe_ratio, squared")
def _(jsharpe: Any) -> Iterator[float]:
    for n in TRIALS:
        yield S.min_backtest_length(n) - jsharpe.expected_maximum_sharpe_ratio(n, 1.0) ** 2


@case("min_backtest_length", "holdout", "expected_maximum_sharpe, squared")
def _(holdout: Any) -> Iterator[float]:
    for n in TRIALS:
        yield S.min_backtest_length(n) - holdout.expected_maximum_sharpe(n, 1.0) ** 2


@case("deflated_sharpe_ratio, 2014", "holdout", "deflated_sharpe_ratio")
def _(holdout: Any) -> Iterator[float]:
    for r in ratios():
        given = {"n_trials": 50, "kurtosis": r["kurtosis"]}
        other = holdout.deflated_sharpe_ratio(
            r["sharpe"], r["n"], skewness=r["skew"], trials_variance=0.002, **given
        )
        mine = S.deflated_sharpe_ratio(r["sharpe"], r["n"], skew=r["skew"], variance=0.002, **given)
        yield mine - other


@case("deflated_sharpe_ratio, 2014", "ffn", "calc_deflated_sharpe_ratio", most=1e-9)
def _(ffn: Any) -> Iterator[float]:
    # It estimates skew and kurtosis without bias, as pandas does.
    for seed in range(5):
        returns = pd.DataFrame(table(seed))
        every = returns.mean() / returns.std()
        one = returns[int(every.idxmax())]
        other = ffn.calc_deflated_sharpe_ratio(one, every, nperiods=252, annualized_trials=False)
        mine = S.deflated_sharpe_ratio(
            float(every.max()),
            len(one),
            n_trials=len(every),
            variance=float(every.var()),
            skew=float(one.skew()),
            kurtosis=float(one.kurt()) + 3,
        )
        yield mine - other


@case("deflated_sharpe_ratio, 2025", "jsharpe", "probabilistic_sharpe_ratio, K trials")
def _(jsharpe: Any) -> Iterator[float]:
    for r in ratios():
        best = S.expected_max_sharpe(20, 0.002)
        other = jsharpe.probabilistic_sharpe_ratio(
            r["sharpe"], best, T=r["n"], gamma3=r["skew"], gamma4=r["kurtosis"], K=20
        )
        r.pop("benchmark")
        yield S.deflated_sharpe_ratio(**r, n_trials=20, variance=0.002, convention="2025") - other


# ------------------------------------------------------------------ haircuts


def corrected(method: str) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield p values of eleven trials, and what `method` makes of each."""
    for seed in range(20):
        found = np.random.default_rng(seed).normal(0.08, 0.1, size=11)
        n = 500
        t = np.abs(found) * math.sqrt(n)
        p = np.array([S.haircut_sharpe(float(r), n, n_trials=1).p_value for r in found])
        assert len(t) == len(p)
        yield p, np.array([
            S.haircut_sharpe(float(r), n, n_trials=11, method=method, p_values=p).p_value
            for r in found
        ])  # fmt: skip


@case("haircut_sharpe, holm", "statsmodels.stats.multitest", "multipletests, holm")
def _(multitest: Any) -> Iterator[float]:
    for p, mine in corrected("holm"):
        yield from mine - multitest.multipletests(p, method="holm")[1]


@case("haircut_sharpe, holm", "holdout", "adjust_pvalues, holm")
def _(holdout: Any) -> Iterator[float]:
    for p, mine in corrected("holm"):
        yield from mine - holdout.adjust_pvalues(p, "holm")


@case("haircut_sharpe, bonferroni", "statsmodels.stats.multitest", "multipletests, bonferroni")
def _(multitest: Any) -> Iterator[float]:
    for p, mine in corrected("bonferroni"):
        yield from mine - multitest.multipletests(p, method="bonferroni")[1]


@case("haircut_sharpe, bonferroni", "jsharpe", "adjusted_p_values_bonferroni")
def _(jsharpe: Any) -> Iterator[float]:
    for p, mine in corrected("bonferroni"):
        yield from mine - jsharpe.adjusted_p_values_bonferroni(p)


@case("haircut_sharpe, bhy", "statsmodels.stats.multitest", "multipletests, fdr_by, but the last")
def _(multitest: Any) -> Iterator[float]:
    for p, mine in corrected("bhy"):
        # The largest stays as it is in the papers of Harvey and Liu, and bounds the others.
        yield from mine - np.minimum(multitest.multipletests(p, method="fdr_by")[1], p.max())


@case("haircut_sharpe, autocorrelation", "holdout", "serial_correlation_factor")
def _(holdout: Any) -> Iterator[float]:
    for rho in (-0.6, -0.1, 0.1, 0.4, 0.9):
        for n in (3, 12, 60, 250):
            eta = holdout.serial_correlation_factor(n, rho ** np.arange(1, n))
            mine = S.haircut_sharpe(0.1, n, n_trials=1, autocorrelation=rho).sharpe
            yield mine / 0.1 - eta / math.sqrt(n)


# ------------------------------------------------------------------ choosing


@case("effective_trials, eigen", "jsharpe", "effective_rank")
def _(jsharpe: Any) -> Iterator[float]:
    for seed in range(5):
        values = table(seed)
        yield S.effective_trials(values) - jsharpe.effective_rank(np.corrcoef(values.T))


@case("effective_trials, correlation", "holdout", "effective_number_of_trials, average")
def _(holdout: Any) -> Iterator[float]:
    for seed in range(5):
        values = table(seed)
        other = holdout.effective_number_of_trials(np.corrcoef(values.T), method="average")
        yield S.effective_trials(values, method="correlation") - other


@case("pbo", "holdout", "probability_of_backtest_overfitting")
def _(holdout: Any) -> Iterator[float]:
    for seed in range(3):
        values = table(seed)
        other = holdout.probability_of_backtest_overfitting(values, n_blocks=8)
        mine = S.pbo(values, n_blocks=8)
        yield mine.pbo - other.pbo
        yield from np.sort(mine.logits) - np.sort(other.logits)


@case("pbo", "ffn", "calc_prob_backtest_overfitting")
def _(ffn: Any) -> Iterator[float]:
    for seed in range(2):
        values = table(seed, columns=6)
        other = ffn.calc_prob_backtest_overfitting(
            pd.DataFrame(values), n_blocks=8, full_output=True
        )
        mine = S.pbo(values, n_blocks=8)
        yield mine.pbo - other["pbo"]
        yield from mine.logits - other["logits"].to_numpy()


# ------------------------------------------------------------------ resampling
#
# Others draw other histories: p values of n of them scatter by sqrt(p (1 - p) / n) each.

DRAWS = 10_000
SCATTER = 0.03


@case("optimal_block_length", "arch.bootstrap", "optimal_block_length")
def _(arch: Any) -> Iterator[float]:
    for seed, memory in enumerate((0.0, 0.3, 0.6, 0.9)):
        values = table(seed, bars=700, memory=memory)
        other = arch.optimal_block_length(values)
        for kind in ("stationary", "circular"):
            theirs = np.maximum(other[kind].to_numpy(), 1.0)  # no block is shorter than a bar
            yield from S.optimal_block_length(values, kind=kind) - theirs


@case("reality_check", "arch.bootstrap", "RealityCheck", most=SCATTER)
def _(arch: Any) -> Iterator[float]:
    for seed in range(3):
        values = table(seed)
        # Losses go in; its `studentize` changes nothing but the text of the result.
        test = arch.RealityCheck(
            np.zeros(len(values)), -values, block_size=5, reps=DRAWS, studentize=False, seed=seed
        )
        test.compute()
        mine = S.reality_check(values, n=DRAWS, block=5.0)
        yield mine.p_value - float(test.pvalues["upper"])


@case("reality_check", "holdout", "reality_check", most=SCATTER)
def _(holdout: Any) -> Iterator[float]:
    for seed in range(3):
        values = table(seed)
        other = holdout.reality_check(values, n_bootstrap=DRAWS, block_length=5.0, seed=seed)
        yield S.reality_check(values, n=DRAWS, block=5.0).p_value - other.pvalue


@case("spa", "arch.bootstrap", "SPA, of columns in units of their errors", most=SCATTER)
def _(arch: Any) -> Iterator[float]:
    for seed in range(3):
        values, block = studentised(seed)
        test = arch.SPA(
            np.zeros(len(values)), -values, block_size=int(block), reps=DRAWS, seed=seed
        )
        test.compute()
        mine = S.spa(values, n=DRAWS, block=block)
        yield mine.lower - float(test.pvalues["lower"])
        yield mine.consistent - float(test.pvalues["consistent"])
        yield mine.upper - float(test.pvalues["upper"])


@case("spa", "holdout", "superior_predictive_ability", most=SCATTER)
def _(holdout: Any) -> Iterator[float]:
    for seed in range(3):
        values = table(seed)
        other = holdout.superior_predictive_ability(
            values, n_bootstrap=DRAWS, block_length=5.0, seed=seed
        )
        mine = S.spa(values, n=DRAWS, block=5.0)
        yield mine.lower - other.lower
        yield mine.consistent - other.consistent
        yield mine.upper - other.upper


@case("step_m", "holdout", "romano_wolf", most=SCATTER)
def _(holdout: Any) -> Iterator[float]:
    for seed in range(3):
        values = table(seed)
        other = holdout.romano_wolf(values, n_bootstrap=DRAWS, block_length=5.0, seed=seed)
        mine = S.step_m(values, n=DRAWS, block=5.0).p_values
        yield from mine.to_numpy() - other.adjusted_pvalues


@case("step_m", "arch.bootstrap", "StepM, of columns in units of their errors", most=0)
def _(arch: Any) -> Iterator[float]:
    for seed in range(3):
        values, block = studentised(seed)
        values[:, 2] += 0.02
        test = arch.StepM(
            np.zeros(len(values)), -values, size=0.1, block_size=int(block), reps=2000, seed=seed
        )
        test.compute()
        mine = S.step_m(values, n=2000, block=block, alpha=0.1).superior
        yield float(len(set(mine) ^ {int(k) for k in test.superior_models}))


@case(
    "bootstrap", "arch.bootstrap", "StationaryBootstrap, deviation of a mean, relative", most=0.05
)
def _(arch: Any) -> Iterator[float]:
    for seed in range(3):
        one = table(seed)[:, 0]
        other = arch.StationaryBootstrap(5, one, seed=seed).apply(np.mean, 4000).std()
        yield float(S.bootstrap(one, np.mean, n=4000, block=5.0).std() / other - 1)


@case("bootstrap", "holdout", "bootstrap_column_means, deviation, relative", most=0.05)
def _(holdout: Any) -> Iterator[float]:
    values = table(7)
    other = holdout.bootstrap_column_means(values, n_bootstrap=4000, block_length=5.0, seed=1)
    mine = S.bootstrap(values, lambda r: r.mean(axis=0), n=4000, block=5.0)
    yield from mine.std(axis=0) / other.resampled.std(axis=0) - 1


# ------------------------------------------------------------------ splits: bars that differ

GAPS = [(0, 0), (2, 0), (0, 3), (2, 3)]


def unlike(mine: Any, other: Any) -> float:
    return float(len(set(map(int, mine)) ^ set(map(int, other))))


@case("CombinatorialPurged", "skfolio.model_selection", "CombinatorialPurgedCV", most=0)
def _(skfolio: Any) -> Iterator[float]:
    for purge, embargo in GAPS:
        other = skfolio.CombinatorialPurgedCV(5, 2, purged_size=purge, embargo_size=embargo)
        folds = bp.splits.CombinatorialPurged(5, 2, purge=purge, embargo=embargo)
        pairs = zip(folds.split(range(105)), other.split(np.zeros((105, 1))), strict=True)
        for (train, test), (their_train, their_tests) in pairs:
            yield unlike(train, their_train) + unlike(test, np.concatenate(their_tests))
        yield float(folds.n_paths - other.n_test_paths)


@case("CombinatorialPurged", "holdout", "combinatorial_purged_cv", most=0)
def _(holdout: Any) -> Iterator[float]:
    # Its embargo begins at the end of the test, ours where the purge ends.
    for purge, embargo in GAPS:
        start = np.arange(105.0)
        gap = purge + embargo if embargo else 0
        other = holdout.combinatorial_purged_cv(5, 2, start=start, end=start + purge, embargo=gap)
        folds = bp.splits.CombinatorialPurged(5, 2, purge=purge, embargo=embargo)
        for (train, test), split in zip(folds.split(range(105)), other.splits, strict=True):
            yield unlike(train, split.train) + unlike(test, split.test)


@case("PurgedKFold", "sklearn.model_selection", "KFold, without gaps", most=0)
def _(sklearn: Any) -> Iterator[float]:
    for folds in (2, 3, 7):
        other = sklearn.KFold(folds).split(np.zeros((40, 1)))
        mine = bp.splits.PurgedKFold(folds).split(range(40))
        for (train, test), (their_train, their_test) in zip(mine, other, strict=True):
            yield unlike(train, their_train) + unlike(test, their_test)


@case("PurgedKFold", "holdout", "purged_kfold", most=0)
def _(holdout: Any) -> Iterator[float]:
    for purge, embargo in GAPS:
        start = np.arange(41.0)
        gap = purge + embargo if embargo else 0
        other = holdout.purged_kfold(4, start=start, end=start + purge, embargo=gap)
        mine = bp.splits.PurgedKFold(4, purge=purge, embargo=embargo).split(range(41))
        for (train, test), split in zip(mine, other, strict=True):
            yield unlike(train, split.train) + unlike(test, split.test)


def largest(one: Case) -> float:
    """Return the largest difference of a case.

    Raises
    ------
    ImportError
        If its package is not installed.
    """
    module = importlib.import_module(one.package)
    return max(abs(float(difference)) for difference in one.differences(module))


def main() -> None:
    print("| Function | Beside | Largest difference |\n|---|---|---|")  # noqa: T201
    for one in CASES:
        found = largest(one)
        shown = "0" if found == 0 else f"{found:.0e}" if found < 1e-6 else f"{found:.3f}"
        package = one.package.partition(".")[0]
        print(f"| `{one.function}` | `{package}`: {one.other} | {shown} |")  # noqa: T201


if __name__ == "__main__":
    main()
