# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak sweep`: call a function for all combinations of some values, and choose."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

import broadpeak as bp
from broadpeak._cli import console, flags, inputs, summary
from broadpeak._cli.price_files import PriceSource
from broadpeak._cli.usage import one_of
from broadpeak._core.files import make_folder
from broadpeak.errors import broken_rule

MOST_ROWS = 10


@inputs.takes_prices
def sweep(
    function: Annotated[
        str, typer.Argument(metavar="FILE.py:FUNCTION", help="It returns one number, the score.")
    ],
    param: Annotated[
        list[str],
        typer.Option(
            "--param", help="NAME=2:60:2 (both ends included) or NAME=5,true,none; repeated."
        ),
    ],
    *,
    data: PriceSource | None = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Which combinations: 'fast < slow'.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Only so many of them, at random.")
    ] = None,
    seed: flags.Seed = 0,
    select: flags.Select = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, help="Hold only so many of the scores, the highest."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", help="Write all scores to this .parquet file, and hold none."),
    ] = None,
    engine: flags.Engine = "serial",
    engine_option: flags.EngineOptions = None,
    workers: flags.Workers = None,
    store: flags.StoreFile = None,
    store_key: flags.StoreKey = None,
    progress: flags.Progress = None,
    out: flags.OutFolder = None,
    as_json: flags.AsJson = False,
) -> None:
    """Score all combinations of values; show the best, and the middle of the broad peak."""
    one_of("--engine", engine, bp.engines.available())
    chooser = one_of("--select", select or "hill", flags.SELECTORS)
    is_whole = keep is None and to is None
    reducer = None if is_whole else bp.top(keep or MOST_ROWS)
    if select is not None and not is_whole:
        msg = "chooses among all scores, which --keep and --to do not hold. Leave it out."
        raise typer.BadParameter(msg, param_hint="--select")
    func = inputs.function(function)
    grid = {name: bp.Param(values) for name, values in inputs.grid(param).items()}
    _check_call(func, data is not None, grid, function)
    if where is not None:
        first = next(iter(grid))
        grid[first] = bp.Param(grid[first].value, condition=where)
    prices, reading_notes = inputs.with_warnings(lambda: [] if data is None else [data.read()])
    swept: Any = bp.parameterized(
        func,
        merge_func="concat" if is_whole else None,
        random_subset=sample,
        seed=seed,
        execute_kwargs={
            "engine": engine,
            "engine_options": inputs.engine_options(engine_option),
            "n_workers": workers,
            "keep": reducer,
            "to": to,
            "store": store,
            "store_key": store_key,
            **inputs.shown_progress(progress),
        },
    )
    scores, notes = inputs.with_warnings(lambda: swept(*prices, **grid))
    notes = [*reading_notes, *notes]
    files = {} if to is None else {"all": to}
    _check(scores, list(grid), function)
    choice, found = _choice(scores, chooser if is_whole else None)
    files |= _write(scores, found, out)
    if as_json:
        rows = scores.rename("score").reset_index().to_dict(orient="records")
        console.show_json({"scores": rows, **choice, "files": files, "warnings": notes})
        return
    console.show_warnings(notes)
    _show(scores, choice, function, chooser, is_whole=is_whole)
    summary.show_files(files)


def _check_call(
    func: Callable[..., object], n_data: int, names: Iterable[str], function: str
) -> None:
    """Refuse parameters that the function does not take, before anything runs."""
    try:
        inspect.signature(func).bind(*[None] * n_data, **dict.fromkeys(names))
    except TypeError as error:
        takes = ", ".join(inspect.signature(func).parameters) or "nothing"
        raise typer.BadParameter(
            f"{function} takes {takes}; with these options Python says: {error}.",
            param_hint="--param",
        ) from None


def _check(scores: Any, names: list[str], function: str) -> None:
    """Refuse scores that are not one number a combination."""
    rule, remedy = "return one number", "Return a float from it, such as a Sharpe ratio."
    if not (hasattr(scores, "index") and hasattr(scores, "dtype")):
        raise bp.ParamError(broken_rule(function, rule, type(scores).__name__, remedy))
    if list(scores.index.names) != names:
        got = f"one for each of {', '.join(map(str, scores.index.names))}"
        remedy = "Choose one symbol with --symbol, or return the mean."
        raise bp.ParamError(broken_rule(function, rule, got, remedy))
    if not _is_numeric(scores):
        raise bp.ParamError(broken_rule(function, rule, scores.iloc[0], remedy))


def _is_numeric(labelled: object) -> bool:
    return getattr(getattr(labelled, "dtype", None), "kind", "O") in "biuf"


def _choice(scores: Any, chooser: str | None) -> tuple[dict[str, Any], bp.Selection | None]:
    """Return the highest score and the robust choice, in words and as it is."""
    some = scores.dropna()
    if some.empty:
        return {"highest": None, "chosen": None}, None
    best = some.idxmax()
    names = list(scores.index.names)
    position = best if isinstance(best, tuple) else (best,)
    highest = {"params": dict(zip(names, position, strict=True)), "score": float(some.max())}
    if chooser is None:  # a broad peak shows in all scores only
        return {"highest": highest, "chosen": None}, None
    found = bp.select(scores.rename("score"), method=chooser)
    chosen = {
        "params": dict(found.params),
        "score": found.score,
        "plain_score": found.plain_score,
        "smoothing": found.smoothing,
    }
    return {"highest": highest, "chosen": chosen}, found


def _write(scores: Any, found: bp.Selection | None, out: str | None) -> dict[str, str]:
    """Write the scores as a table and, where one was chosen, the page with its pictures."""
    if out is None:
        return {}
    folder = make_folder(out)
    path = folder / "scores.csv"
    scores.rename("score").to_csv(path)
    files = {"scores": str(path)}
    if found is not None:
        files["report"] = str(found.report(folder / "report.html"))
    return files


def _show(
    scores: Any, choice: dict[str, Any], function: str, chooser: str, *, is_whole: bool
) -> None:
    best = scores.sort_values(ascending=False, kind="stable") if is_whole else scores
    best = best.head(MOST_ROWS)
    rows = [
        [console.cell(value) for value in row]
        for row in best.reset_index().itertuples(index=False, name=None)
    ]
    which = f"the highest of {len(scores):,} scores" if is_whole else "the first of what is kept"
    title = f"{function}: {which}"
    console.show_table(title, [*map(str, scores.index.names), "score"], rows, text_columns=0)
    if choice["chosen"] is not None and math.isfinite(choice["chosen"]["score"]):
        found = choice["chosen"]
        text = f"broad peak ({chooser}): {summary.chosen(found['params'])}, "
        text += f"score {console.number(found['plain_score'])}"
        if found["smoothing"]:
            text += f", {found['smoothing']} {console.number(found['score'])}"
        console.show_lines([text, ""])
