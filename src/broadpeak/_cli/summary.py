# SPDX-License-Identifier: BSD-3-Clause
"""Results of a run: rows to print, values for JSON, and files on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import broadpeak as bp
from broadpeak._cli import console
from broadpeak._core.filenames import file_stem
from broadpeak._core.files import make_folder


def chosen(values: Mapping[str, float], at_edge: Mapping[str, bool] | None = None) -> str:
    """Return parameter values in one line; a star marks a value at the end of its range."""
    edges = at_edge or {}
    parts = (
        f"{name} {console.number(value)}{'*' if edges.get(name) else ''}"
        for name, value in values.items()
    )
    return ", ".join(parts)


def edge_note(training: bp.Training) -> list[str]:
    """Return the line that explains the star, if there is one."""
    starred = any(flag for one in training.components.values() for flag in one.at_edge.values())
    return ["* the best lies at the end of the range: widen it and train again", ""] * starred


def components(training: bp.Training) -> dict[str, dict[str, object]]:
    """Return parameters, objective and edge flags of every component, for JSON.

    Of an ensemble its members, too.
    """
    found: dict[str, dict[str, object]] = {}
    for key, component in training.components.items():
        found[key] = {
            "params": dict(component.params),
            "objective": component.objective,
            "at_edge": dict(component.at_edge),
        }
        if component.members:
            found[key]["members"] = [
                {"params": dict(one.params), "weight": one.weight, "objective": one.objective}
                for one in component.members
            ]
    return found


def ensemble_note(training: bp.Training) -> list[str]:
    """Return the line that says what is traded, if it is not what the table shows."""
    sizes = {
        key: len(component.members)
        for key, component in training.components.items()
        if component.members
    }
    if not sizes:
        return []
    listed = ", ".join(f"{key} {size}" for key, size in sizes.items())
    return [f"traded are ensembles around these values; members: {listed}", ""]


def show_training(training: bp.Training, title: str) -> None:
    """Print what was chosen."""
    console.show_table(
        title,
        ["component", "chosen values", "objective"],
        [
            (key, chosen(component.params, component.at_edge), console.number(component.objective))
            for key, component in training.components.items()
        ],
        text_columns=2,
    )
    console.show_lines([*edge_note(training), *ensemble_note(training)])


def write_training(
    training: bp.Training,
    folder: str | Path,
    stem: str,
    *,
    page: bool = True,
    verdict: bool = True,
) -> dict[str, str]:
    """Write parameter file, trials and report of a training; return what was written where."""
    out = make_folder(folder)
    files = {"parameters": out / f"{file_stem(stem)}.par", "trials": out / "trials.csv"}
    training.to_par(files["parameters"])
    training.to_csv(files["trials"])
    if page:
        files["report"] = out / "report.html"
        training.report(files["report"], verdict=verdict)
    return {name: str(path) for name, path in files.items()}


MOST_REASONS = 4


def judge(
    result: bp.Training | bp.WalkForward,
    *,
    wanted: bool,
    **how: Any,
) -> bp.Verdict | None:
    """Return the verdict on a result; while it is made, who waits at a terminal is told."""
    if not wanted:
        return None
    console.show_progress("Judging: the search is repeated on permuted prices (--no-verdict).")
    found: bp.Verdict = result.verdict(**how)
    return found


def show_verdict(verdict: bp.Verdict | None) -> None:
    """Print the verdict in short: the word, the summary, and what speaks against the result."""
    if verdict is None:
        return
    low, high = verdict.expected_interval
    expected = console.number(verdict.expected_sharpe, 3)
    figures = [
        f"p {console.number(verdict.p_value, 3)}",
        f"Sharpe ratio {console.number(verdict.sharpe, 3)}",
        f"expected {expected} ({console.number(low, 3)} to {console.number(high, 3)})",
        f"smallest edge to be seen {console.number(verdict.min_detectable_sharpe, 3)}",
        f"{verdict.n_trials:,} trials",
    ]
    console.show_title(f"verdict: {verdict.status}")
    console.show_text([verdict.summary, "; ".join(figures), ""])
    against = verdict.tests[verdict.tests["status"].isin(["fail", "doubtful"])]
    if len(against):
        console.show_table(
            "",
            ["status", "test", "what it means"],
            [
                (str(row["status"]), str(name), str(row["meaning"]))
                for name, row in against.head(MOST_REASONS).iterrows()
            ],
            text_columns=3,
            wrap=True,
        )


def show_files(files: Mapping[str, str]) -> None:
    """Print where files were written."""
    width = max((len(name) for name in files), default=0)
    console.show_lines(f"{name:<{width}}  {path}" for name, path in files.items())


def statistics(portfolio: bp.Portfolio) -> dict[str, Any]:
    """Return the statistics of a portfolio as plain values; columns side by side if several."""
    stats = portfolio.stats()
    if hasattr(stats, "columns"):
        return {str(name): dict(stats[name]) for name in stats.columns}
    return dict(stats)


def holding(portfolio: bp.Portfolio) -> dict[str, Any] | None:
    """Return the statistics of holding the same symbols instead; None where nothing is known."""
    held = portfolio.held
    return None if held is None else statistics(held)


def component_rows(portfolio: bp.Portfolio) -> dict[str, dict[str, Any]]:
    """Return the figures of each component of a strategy run, and the return of holding it."""
    rows: dict[str, dict[str, Any]] = {}
    for key, component in portfolio.components.items():
        stats = statistics(component)
        held = holding(component)
        rows[key] = {
            **{name: stats.get(name) for name in _OF_A_COMPONENT},
            "net": stats["end_value"] - stats["start_value"],
            "hold_return": None if held is None else held["total_return"],
        }
    return rows


_OF_A_COMPONENT = (
    *("num_trades", "win_rate", "profit_factor", "total_return", "sharpe_ratio"),
    "max_drawdown",
)
_HEADINGS = {
    "num_trades": "trades",
    "win_rate": "win rate",
    "profit_factor": "profit factor",
    "net": "net result",
    "total_return": "return",
    "hold_return": "return of holding",
    "sharpe_ratio": "Sharpe ratio",
    "max_drawdown": "max drawdown",
}


def show_components(rows: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Print the figures of each component, where there are several."""
    if len(rows) < 2:
        return

    def cell(name: str, value: Any) -> str:
        return console.signed(value) if name == "net" else console.cell(value)

    console.show_table(
        title,
        ["component", *_HEADINGS.values()],
        [[key, *(cell(name, row[name]) for name in _HEADINGS)] for key, row in rows.items()],
    )


def terms(portfolio: bp.Portfolio) -> list[str]:
    """Return the line that says how a test traded: sizes, money and costs, and where from."""
    facts = portfolio.facts
    if not facts:
        return []
    parts = [f"sizing {facts['sizing']}{_from(facts.get('sizing_from'))}"]
    if facts.get("capital") is not None:
        parts.append(f"capital {console.number(facts['capital'])}")
    if facts.get("whole"):
        parts.append("whole lots")
    if "costs" in facts:
        charged = {asset: costs_text(costs) for asset, costs in facts["costs"].items()}
        several = len(set(charged.values())) > 1
        texts = [f"{asset} {text}" for asset, text in charged.items()]
        listed = "; ".join(texts) if several else next(iter(charged.values()), "none")
        parts.append(f"costs: {listed}{_from(facts.get('costs_from'))}")
    return [", ".join(parts), ""]


def changed_prices(same: bool | None) -> list[str]:
    """Return the warning that values are traded on other prices than they were trained on."""
    return [_CHANGED] if same is False else []


_CHANGED = (
    "The bars that the values were trained on have other prices here: adjusted anew, not adjusted "
    "(--adjust), or of another source. Values that fit the old ones may not fit these. Train again."
)


def _from(source: object) -> str:
    places = {
        "training": "the training",
        "file": "the file",
        "walk-forward": "the walk-forward run",
    }
    return f" (from {places[str(source)]})" if source in places else ""


def costs_text(costs: bp.Costs) -> str:
    """Return costs in one line, without those that are not charged."""
    plain = bp.Costs()
    given = {one.name: getattr(costs, one.name) for one in fields(costs)}
    changed = [
        f"{name} {console.number(value)}"
        for name, value in given.items()
        if value != getattr(plain, name)
    ]
    return ", ".join(changed) or "none"


def show_statistics(
    stats: Mapping[str, object], title: str, held: Mapping[str, object] | None = None
) -> None:
    """Print statistics, one line each, one column an account; beside one those of holding."""
    columns = [value for value in stats.values() if isinstance(value, Mapping)]
    if columns:  # then all of them are
        rows = [[name, *(console.cell(one.get(name)) for one in columns)] for name in columns[0]]
        console.show_table(title, ["statistic", *stats], rows)
        return
    heads, values = ["statistic", "value"], [stats]
    if held is not None:
        heads, values = ["statistic", "strategy", "buy and hold"], [stats, held]
    rows = [[name, *(console.cell(one.get(name)) for one in values)] for name in stats]
    console.show_table(title, heads, rows)
