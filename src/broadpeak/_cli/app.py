# SPDX-License-Identifier: BSD-3-Clause
"""The program `broadpeak`: its commands, its exit status, and how errors are shown.

Exit status: 0 done, 1 the run failed, 2 the command line is wrong.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

import broadpeak
from broadpeak._cli.commands import (
    demo,
    doctor,
    new,
    report,
    signals,
    store,
    sweep,
    test,
    train,
    walk_forward,
    warm,
)
from broadpeak._cli.usage import in_options
from broadpeak._cli.users_code import place_of
from broadpeak.errors import BroadpeakError, ParFileError, TaskError

DEBUG = "--debug"

app = typer.Typer(
    name="broadpeak",
    help="Train strategy parameters, pick the broad peak, and learn whether it is luck.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"broadpeak {broadpeak.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error.")] = False,
) -> None:
    del version, debug  # both act before the command does


app.command("demo")(demo.demo)
app.command("new")(new.new)
app.command("train")(train.train)
app.command("test")(test.run_test)
app.command("walk-forward")(walk_forward.walk_forward)
app.command("sweep")(sweep.sweep)
app.command("signals")(signals.signals)
app.command("report")(report.report)
app.command("store")(store.store)
app.command("doctor")(doctor.doctor)
app.command("warm")(warm.warm)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program with `arguments` (those of the process by default) and exit."""
    passed = list(sys.argv[1:] if arguments is None else arguments)
    # Wherever it was typed, --debug belongs to the program, not to a command.
    debug = DEBUG in passed
    words = [word for word in passed if word != DEBUG]
    try:
        app(args=spread(words), prog_name="broadpeak")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  # the last stop: every error becomes one line
        if debug:
            traceback.print_exc()
        else:
            print(_one_line(error), file=sys.stderr)  # noqa: T201  # stderr is the interface here
        sys.exit(1)


def _one_line(error: Exception) -> str:
    """Return what went wrong and where in the user's files; the way to more, if it is not ours."""
    # What to type in Python is no advice here.
    said = _FOR_PYTHON.sub("", str(error))
    if isinstance(error, BroadpeakError):
        said = in_options(said)
    text = " ".join(said.split()) or "no message"
    # What is wrong with a parameter file is not in the line that asks for a parameter.
    place = "" if isinstance(error, ParFileError) else place_of(error)
    at = f" At {place}" if place else ""
    if isinstance(error, BroadpeakError) and not isinstance(error, TaskError):
        return f"error: {text}{at}"
    kind = "" if isinstance(error, TaskError) else f"{type(error).__name__}: "
    more = f"Repeat with {DEBUG} to see the traceback."
    return f"error: {kind}{text.rstrip('.')}.{at and f'{at}.'} {more}"


_FOR_PYTHON = re.compile(r"^Call \.rerun\(\) .*$", re.MULTILINE)
_STRATEGY = re.compile(r".*\.py(:[^:\\/]*)?")
_REPEATED = {"--data", "--symbol"}


def spread(words: Sequence[str]) -> list[str]:
    """Return a command line with an option for each of several words after one.

    A shell makes several words of a pattern: ``--data prices/*.csv``. They end at the next option,
    or at a strategy file.

    Examples
    --------
    >>> spread(["train", "--data", "a.csv", "b.csv", "trend.py", "--seed", "1"])
    ['train', '--data', 'a.csv', '--data', 'b.csv', 'trend.py', '--seed', '1']
    """
    out: list[str] = []
    option = ""
    for position, word in enumerate(words):
        if word.startswith("-"):
            option = word if word in _REPEATED else ""
        elif option and words[position - 1] != option:
            if _STRATEGY.fullmatch(word):
                option = ""
            else:
                out.append(option)
        out.append(word)
    return out
