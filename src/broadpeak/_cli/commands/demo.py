# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak demo`: the whole job on the prices that come with the library."""

from __future__ import annotations

from typing import Any

import broadpeak as bp
from broadpeak._cli import console, example, flags, inputs, summary
from broadpeak._cli.commands import doctor

FOLDER = "runs/demo"


def demo(
    *,
    out: flags.OutFolder = FOLDER,
    verdict: flags.Judge = True,
    as_json: flags.AsJson = False,
) -> None:
    """Train the example strategy on three stocks, test it, judge it, and write a report."""
    if doctor.kernel_cache()["files"] == 0:
        console.show_notes(["The first run compiles its loops, once; this takes about a minute."])
    strategy = example.make_trend()
    data = bp.Data.sample()
    training, notes = inputs.with_warnings(
        lambda: bp.train(strategy, data, method="ascent", passes=2, min_trades=30)
    )
    portfolio, more = inputs.with_warnings(lambda: bp.test(strategy, data, training))
    notes = list(dict.fromkeys([*notes, *more]))
    judged = summary.judge(training, wanted=verdict)
    files = summary.write_training(training, out or FOLDER, "trend", verdict=verdict)
    rows = _rows(training, portfolio)
    if as_json:
        answer = judged and judged.to_dict()
        console.show_json({"symbols": rows, "files": files, "verdict": answer, "warnings": notes})
        return
    console.show_warnings(notes)
    console.show_table(
        "trend: objective, trades and net result, all in sample, 2000 to 2013",
        ["symbol", "chosen values", "objective", "trades", "net result"],
        [
            (
                row["symbol"],
                summary.chosen(row["params"], row["at_edge"]),
                console.number(row["objective"]),
                str(row["trades"]),
                console.signed(row["net"]),
            )
            for row in rows
        ],
        text_columns=2,
    )
    console.show_lines(summary.edge_note(training))
    summary.show_verdict(judged)
    summary.show_files(files)


def _rows(training: bp.Training, portfolio: bp.Portfolio) -> list[dict[str, Any]]:
    rows = []
    for key, component in training.components.items():
        tested = portfolio.components[key]
        rows.append(
            {
                "symbol": key,
                "params": dict(component.params),
                "at_edge": dict(component.at_edge),
                "objective": component.objective,
                "trades": len(tested.trades),
                "net": float(tested.trades["pnl"].sum()),
            }
        )
    return rows
