# SPDX-License-Identifier: BSD-3-Clause
"""`broadpeak store`: look into a store, or write its trials to a file."""

from __future__ import annotations

import json
import reprlib
from typing import Annotated, Any

import typer
from rich import markup

import broadpeak as bp
from broadpeak._cli import console, flags, summary
from broadpeak._cli.usage import is_file

MOST_ROWS = 20


def store(
    file: Annotated[str, typer.Argument(metavar="STORE", help="The file given as store=.")],
    *,
    run: Annotated[int | None, typer.Option("--run", help="Show the trials of this run.")] = None,
    export: Annotated[
        str | None, typer.Option("--export", help="Write all trials to this .csv or .parquet.")
    ] = None,
    as_json: flags.AsJson = False,
) -> None:
    """List the runs in a store, or the trials of one of them."""
    if not is_file(file):  # opening it would make one
        raise typer.BadParameter(f"there is no file {file!r}.", param_hint="STORE")
    opened = bp.Store(file)
    frame = opened.runs() if run is None else opened.trials(run)
    if export is not None:
        opened.export(export)
    files = {} if export is None else {"trials": export}
    if as_json:
        key = "runs" if run is None else "trials"
        rows = [
            {str(name): _jsonable(value) for name, value in row.items()}
            for row in frame.to_dict(orient="records")
        ]
        console.show_json({key: rows, "files": files})
        return
    _show(frame, f"{file}: " + ("runs" if run is None else f"trials of run {run}"))
    summary.show_files(files)


def _show(frame: Any, title: str) -> None:
    shown = frame.assign(created=[str(text)[:19].replace("T", " ") for text in frame["created"]])
    rows = [
        [markup.escape(_text(value)) for value in row]
        for row in shown.head(MOST_ROWS).itertuples(index=False, name=None)
    ]
    console.show_table(title, [markup.escape(_text(str(name))) for name in shown.columns], rows)
    if len(frame) > MOST_ROWS:
        console.show_lines([f"The first {MOST_ROWS} of {len(frame):,}; --export writes all."])


def _text(value: object) -> str:
    """Return a cell; a stored result may be anything, and must not write over the terminal."""
    kinds = (bool, int, float, str, type(None))
    plain = isinstance(value, kinds) or hasattr(value, "strftime") or _is_number(value)
    try:
        text = console.cell(value) if plain else reprlib.repr(value)
    except Exception:  # noqa: BLE001  # an integer of too many digits has no text at all
        return f"<{type(value).__name__}>"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _is_number(value: object) -> bool:
    """Return whether `value` is a scalar of NumPy."""
    return type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0


def _jsonable(value: object) -> object:
    try:
        plain = console.json_value(value)
        json.dumps(plain)
    except Exception:  # noqa: BLE001  # see _text
        return _text(value)
    return plain
