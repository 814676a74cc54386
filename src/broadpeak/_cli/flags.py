# SPDX-License-Identifier: BSD-3-Clause
"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

METHODS = ("ascent", "brute", "genetic", "random")
SIZINGS = ("unit", "script", "money", "equity")
SELECTORS = ("hill", "plateau", "peak", "ensemble")

StrategyFile: TypeAlias = Annotated[
    str, typer.Argument(metavar="FILE.py:STRATEGY", help="The file and the strategy in it.")
]
PriceFiles: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--data",
        help="Prices: CSV or Parquet files, or patterns such as 'prices/*.csv'; or `sample`.",
    ),
]
SomePriceFiles: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--data", help="Prices, the function's first argument: files, or `sample`."),
]
Symbols: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol",
        help="Symbols to take; or a name for each file, in order. Default: that of the file.",
    ),
]
SymbolColumn: TypeAlias = Annotated[
    str | None,
    typer.Option("--symbol-column", help="Column that says which symbol a row is of."),
]
DateColumn: TypeAlias = Annotated[
    str | None, typer.Option("--date-column", help="Column of the dates.")
]
DateFormat: TypeAlias = Annotated[
    str | None, typer.Option("--date-format", help="How dates are written, as in %d.%m.%Y.")
]
DayFirst: TypeAlias = Annotated[
    bool | None,
    typer.Option("--dayfirst/--monthfirst", help="What 01/02/2024 is, if nothing shows it."),
]
TimeZone: TypeAlias = Annotated[
    str | None, typer.Option("--tz", help="Time zone, as in America/New_York.")
]
ColumnList: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        help="NAME=FIELD, as in Schluss=close, repeated; or all columns: date,open,high,low,close.",
    ),
]
Adjust: TypeAlias = Annotated[
    bool, typer.Option("--adjust", help="Adjust prices by the column of adjusted closes.")
]
Missing: TypeAlias = Annotated[
    str, typer.Option("--missing", help="Bars without any price: raise (an error) or drop.")
]
Calendar: TypeAlias = Annotated[
    str,
    typer.Option("--calendar", help="Bars of several symbols: union or intersection."),
]
Separator: TypeAlias = Annotated[
    str | None, typer.Option("--sep", help="The mark between columns.")
]
DecimalMark: TypeAlias = Annotated[
    str | None, typer.Option("--decimal", help="The mark before fractions: . or ,")
]
ThousandsMark: TypeAlias = Annotated[
    str | None, typer.Option("--thousands", help="The mark between thousands.")
]
Start: TypeAlias = Annotated[
    str | None, typer.Option("--start", help="First day, as in 2005-01-31.")
]
End: TypeAlias = Annotated[str | None, typer.Option("--end", help="Last day.")]
CostList: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--cost",
        help="A cost, as in fees=0.0005 or spread=0.02; repeated. Default: those of --params.",
    ),
]
SizingKind: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--sizing",
        help=f"How large trades are: {', '.join(SIZINGS)}. Default: that of the parameters; else "
        "the strategy's lots, or money where it sets none.",
    ),
]
Capital: TypeAlias = Annotated[
    float | None,
    typer.Option("--capital", help="Money of all components together. Default: 10,000."),
]
Whole: TypeAlias = Annotated[
    bool, typer.Option("--whole", help="Whole lots only: what money buys is rounded down.")
]
TrainSizing: TypeAlias = Annotated[
    str,
    typer.Option(
        "--train-sizing", help=f"How large trades of the trainings are: {', '.join(SIZINGS)}."
    ),
]
ParFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--params",
        help="A .par file, or the folder of a walk-forward run. Default: the strategy's defaults.",
    ),
]
Method: TypeAlias = Annotated[
    str, typer.Option("--method", help=f"How to search: {', '.join(METHODS)}.")
]
Objective: TypeAlias = Annotated[str, typer.Option("--objective", help="What to maximise.")]
Select: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--select",
        help=f"{', '.join(SELECTORS)}, or ensemble:SHARE. Default: that of the method.",
    ),
]
Borrow: TypeAlias = Annotated[
    str,
    typer.Option(
        "--borrow",
        help="Share of the other components' scores in each score: 0 to 1, or auto.",
    ),
]
Passes: TypeAlias = Annotated[int, typer.Option("--passes", min=1, help="Rounds of ascent.")]
MinTrades: TypeAlias = Annotated[
    int, typer.Option("--min-trades", min=0, help="A step with fewer trades is unusable.")
]
Seed: TypeAlias = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
Evaluations: TypeAlias = Annotated[
    int | None,
    typer.Option("--evaluations", min=1, help="How many combinations `random` tries."),
]
Engine: TypeAlias = Annotated[
    str, typer.Option("--engine", help="serial, threadpool, processpool, …; see doctor.")
]
Workers: TypeAlias = Annotated[
    int | None, typer.Option("--workers", min=1, help="Number of workers. Default: the cores.")
]
EngineOptions: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--engine-option", help="NAME=VALUE, as in address=tcp://10.0.0.5:8786; repeated."
    ),
]
StoreFile: TypeAlias = Annotated[
    str | None, typer.Option("--store", help="Keep results in this file, and go on from it.")
]
StoreKey: TypeAlias = Annotated[
    str | None,
    typer.Option("--store-key", help="Your name for the function's version; see docs/stores."),
]


Progress: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress", help="Show a bar on stderr. Default: if that is a terminal."
    ),
]
Check: TypeAlias = Annotated[
    bool, typer.Option("--check/--no-check", help="Refuse a strategy that looks ahead.")
]


def _make_folder(folder: str | None) -> str | None:
    """Make the folder before the run, so that no result is lost because there is none."""
    if folder is not None:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:  # ValueError: a null in the path
            reason = getattr(error, "strerror", None) or error
            msg = f"{folder!r} must be a folder that can be made, got: {reason}."
            raise typer.BadParameter(msg) from error
    return folder


OutFolder: TypeAlias = Annotated[
    str | None,
    typer.Option("--out", callback=_make_folder, help="Folder for the files of the run."),
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of tables.")
]
Judge: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verdict/--no-verdict",
        help="Judge whether the result is more than luck; it takes as long as many such searches.",
    ),
]
