# SPDX-License-Identifier: BSD-3-Clause
"""What the user names on the command line, as objects; a wrong name is bad usage."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import math
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

import typer

import broadpeak as bp
from broadpeak._cli import flags
from broadpeak._cli.price_files import price_settings, some_price_settings
from broadpeak._cli.usage import in_options, is_file, one_of
from broadpeak._core.check import did_you_mean
from broadpeak.errors import shown

Value: TypeAlias = int | float | bool | str | None
T = TypeVar("T")


def strategy(target: str) -> Callable[..., object]:
    """Return the strategy that ``FILE.py:NAME`` means; NAME may be left out if there is only one.

    Raises
    ------
    typer.BadParameter
        If there is no such file, or no such strategy in it; the message lists those there are.
    """
    file, name = _split(target)
    module = _module(file, target, "STRATEGY")
    known: dict[str, Callable[..., object]] = {
        key: value for key, value in vars(module).items() if is_strategy(value)
    }
    if not name:
        if len(known) == 1:
            return next(iter(known.values()))
        raise typer.BadParameter(f"must name one strategy of {file}: {_joined_names(known)}.")
    if name in known:
        return known[name]
    found = getattr(module, name, None)
    if callable(found) and not isinstance(found, type):
        return found
    hint = did_you_mean(name, known)
    raise typer.BadParameter(
        f"there is no strategy {name!r} in {file}. It has: {_joined_names(known)}. {hint}".rstrip()
    )


def function(target: str) -> Callable[..., object]:
    """Return the function that ``FILE.py:FUNCTION`` means.

    Raises
    ------
    typer.BadParameter
        If there is no such file, or no such function in it; the message lists those there are.
    """
    file, name = _split(target)
    module = _module(file, target, "FUNCTION")
    known = [
        key
        for key, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__
    ]
    if not name and len(known) == 1:
        name = known[0]
    if name in known:
        found: Callable[..., object] = getattr(module, name)
        return found
    listed = ", ".join(sorted(known)) or "none"
    if not name:
        raise typer.BadParameter(f"must name one function of {file}: {listed}.")
    hint = did_you_mean(name, known)
    raise typer.BadParameter(
        f"there is no function {name!r} in {file}. It has: {listed}. {hint}".rstrip()
    )


def grid(settings: Sequence[str]) -> dict[str, list[Value]]:
    """Return the values of each parameter from ``NAME=2:60:2`` and ``NAME=5,10,true,none,text``.

    Raises
    ------
    typer.BadParameter
        If a string is neither, or names a parameter for the second time.
    """
    values: dict[str, list[Value]] = {}
    for setting in settings:
        name, text = _named(setting, values, "--param", "NAME=FIRST:LAST:STEP or NAME=VALUE,VALUE,")
        is_range = ":" in text and not any(quote in text for quote in _QUOTES)
        values[name] = _steps(name, text) if is_range else _listed_values(name, text)
    return values


def _steps(name: str, text: str) -> list[Value]:
    """Return the values from FIRST to LAST, both included, by STEP (1 if it is left out)."""
    parts = [_value(part) for part in text.split(":")]
    numbers = [part for part in parts if isinstance(part, (int, float)) and type(part) is not bool]
    first, last, step = [*numbers, 1][:3] if len(numbers) > 1 else (0, -1, 1)
    is_range = len(parts) == len(numbers) in {2, 3} and step > 0 and first <= last
    if not is_range or not all(math.isfinite(part) for part in numbers):
        raise typer.BadParameter(
            f"{name} must be FIRST:LAST:STEP with FIRST <= LAST and STEP > 0, got {text!r}.",
            param_hint="--param",
        )
    count = math.floor((last - first) / step + 1e-9) + 1
    # Ten digits are more than anybody types, and 0.1 + 2 * 0.1 is 0.3 again.
    return [round(first + position * step, 10) for position in range(count)]


def _listed_values(name: str, text: str) -> list[Value]:
    """Return the values between commas; a comma between quotes is part of a string."""
    items = [match.group(1).strip() for match in _ITEM.finditer(f"{text},")]
    if "" in items:
        raise typer.BadParameter(
            f"{name} must have a value before and after every comma, got {text!r}. "
            f"An empty string is {name}='\"\"'.",
            param_hint="--param",
        )
    return [_value(item) for item in items]


_QUOTES = "\"'"
_ITEM = re.compile(r"""((?:"[^"]*"|'[^']*'|[^,])*),""")
_WORDS = {"true": True, "false": False, "none": None}


def _value(text: str) -> Value:
    """Return the number, bool or None that is written there, else the string itself.

    What is between quotes is a string in any case.
    """
    if len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]:
        return text[1:-1]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return _WORDS.get(text.lower(), text)


def _module(file: str, target: str, what: str) -> ModuleType:
    """Return the user's file as a module, or say what is wrong with its name."""
    path = Path(file)
    if path.suffix != ".py":
        hint = f" Type: {file}.py" if is_file(f"{file}.py") else ""
        raise typer.BadParameter(f"must be FILE.py:{what}, got {shown(target)}.{hint}")
    if not is_file(path):
        raise typer.BadParameter(f"there is no file {shown(file)}.")
    return _load(path)


def parameters(path: str | None) -> bp.Parameters | Path | None:
    """Return the parameters in a ``.par`` file, or None for the defaults.

    A folder, which holds the files of a walk-forward run, stays a path.
    """
    if path is None:
        return None
    if _is_folder(path):
        return Path(path)
    if not is_file(path):
        raise typer.BadParameter(f"there is no file {shown(path)}.", param_hint="--params")
    return bp.read_par(path)


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def costs(settings: Sequence[str]) -> bp.Costs | None:
    """Return `Costs` from ``name=value`` strings, or None without any."""
    if not settings:
        return None
    known = [field.name for field in fields(bp.Costs)]
    values: dict[str, float] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in known:
            hint = did_you_mean(name, known)
            raise typer.BadParameter(
                f"must be one of {', '.join(known)} with =NUMBER, got {setting!r}. {hint}".rstrip(),
                param_hint="--cost",
            )
        try:
            values[name] = float(text)
        except ValueError:
            raise typer.BadParameter(
                f"{name} must be a number, got {text!r}.", param_hint="--cost"
            ) from None
    return bp.Costs(**values)


def selector(text: str) -> str | bp.Ensemble:
    """Return the selector that a name, or ``ensemble:0.1``, means."""
    name, colon, share = text.partition(":")
    one_of("--select", name, flags.SELECTORS)
    if not colon:
        return name
    try:
        if name == "ensemble":
            return bp.Ensemble(float(share))
    except ValueError:  # no number, or none that is a share
        pass
    raise typer.BadParameter(
        f"must be a name, or ensemble:SHARE with a share above 0 and at most 1, got {text!r}. "
        "Type ensemble:0.1.",
        param_hint="--select",
    )


def search_settings(
    *,
    method: flags.Method = "ascent",
    objective: flags.Objective = "prr",
    select: flags.Select = None,
    borrow: flags.Borrow = "0",
    passes: flags.Passes = 1,
    min_trades: flags.MinTrades = 5,
    start: flags.Start = None,
    end: flags.End = None,
    cost: flags.CostList = None,
    seed: flags.Seed = 0,
    evaluations: flags.Evaluations = None,
    engine: flags.Engine = "serial",
    engine_option: flags.EngineOptions = None,
    workers: flags.Workers = None,
    store: flags.StoreFile = None,
    store_key: flags.StoreKey = None,
    check: flags.Check = True,
    progress: flags.Progress = None,
) -> dict[str, Any]:
    """Return the options of a search by the names they have in `bp.train`.

    Unknown names are refused here, before anything is read or run.
    """
    one_of("--method", method, flags.METHODS)
    one_of("--objective", objective, bp.objectives)
    one_of("--engine", engine, bp.engines.available())
    return {
        "method": method,
        "objective": objective,
        "select": None if select is None else selector(select),
        "borrow": share_to_borrow(borrow),
        "passes": passes,
        "min_trades": min_trades,
        "start": start,
        "end": end,
        "costs": costs(cost or []),
        "seed": seed,
        "n_evaluations": evaluations,
        "engine": engine,
        "engine_options": engine_options(engine_option),
        "n_workers": workers,
        "store": store,
        "store_key": store_key,
        "check": check,
        **shown_progress(progress),
    }


def _named(setting: str, taken: Mapping[str, object], option: str, form: str) -> tuple[str, str]:
    """Return the name and the text of ``NAME=TEXT``; `form` says what it must be."""
    name, sign, text = setting.partition("=")
    if not (name.isidentifier() and sign and text):
        raise typer.BadParameter(f"must be {form} got {setting!r}.", param_hint=option)
    if name in taken:
        raise typer.BadParameter(f"{name} is given twice.", param_hint=option)
    return name, text


def engine_options(settings: Sequence[str] | None) -> dict[str, Value] | None:
    """Return the options of an engine from ``NAME=VALUE`` strings, or None without any."""
    options: dict[str, Value] = {}
    for setting in settings or ():
        form = "NAME=VALUE, as in address=tcp://10.0.0.5:8786,"
        name, text = _named(setting, options, "--engine-option", form)
        options[name] = _value(text)
    return options or None


def shown_progress(wanted: bool | None) -> dict[str, Any]:
    """Return the option of `execute` for a bar; without a word a terminal has one."""
    return {} if wanted is None else {"show_progress": wanted}


def sizing_settings(
    *,
    sizing: flags.SizingKind = None,
    capital: flags.Capital = None,
    whole: flags.Whole = False,
) -> dict[str, Any]:
    """Return how large trades are by the names that `bp.test` has for it.

    Raises
    ------
    typer.BadParameter
        If there is no such sizing, or capital is no amount of money.
    """
    if sizing is not None:
        one_of("--sizing", sizing, flags.SIZINGS)
    if capital is not None and not 0 < capital < math.inf:
        msg = f"must be an amount of money above 0, got {capital}."
        raise typer.BadParameter(msg, param_hint="--capital")
    if whole and sizing in {"unit", "script"}:
        msg = f"rounds what money buys, and --sizing {sizing} buys lots. Type: --sizing money"
        raise typer.BadParameter(msg, param_hint="--whole")
    return {"sizing": sizing, "capital": capital, "whole": whole}


def share_to_borrow(text: str) -> float | str:
    """Return the share that `text` names: a number from 0 to 1, or "auto"."""
    if text == "auto":
        return text
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"--borrow must be a share from 0 to 1, or auto, got {text!r}.")
    return share


def takes_search(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `search_settings`, and pass them to it as `search`."""
    return _takes(
        command, "search", inspect.signature(search_settings, eval_str=True), search_settings
    )


def takes_prices(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `price_settings`, and pass them to it as `data`."""
    needed = inspect.signature(price_settings, eval_str=True)
    given = inspect.signature(command, eval_str=True).parameters["data"]
    if given.default is inspect.Parameter.empty:
        return _takes(command, "data", needed, price_settings)
    first = inspect.signature(some_price_settings, eval_str=True).parameters["data"]
    options = [first, *list(needed.parameters.values())[1:]]
    return _takes(command, "data", inspect.Signature(options), some_price_settings)


def takes_sizing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `sizing_settings`, and pass them to it as `size`."""
    signature = inspect.signature(sizing_settings, eval_str=True)
    return _takes(command, "size", signature, sizing_settings)


def _takes(
    command: Callable[..., None],
    place: str,
    settings: inspect.Signature,
    make: Callable[..., object],
) -> Callable[..., None]:
    """Replace parameter `place` of a command by several, of which `make` makes its value."""
    options = settings.parameters
    parameters: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        if name == place:
            # Where it stood, all by name: the program passes nothing else.
            parameters |= {
                key: one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
                for key, one in options.items()
            }
        else:
            parameters[name] = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)

    @functools.wraps(command)
    def with_options(**arguments: Any) -> None:
        made = make(**{name: arguments.pop(name) for name in options})
        command(**arguments, **{place: made})

    # What the program reads: the signature for the options, the annotations for their types.
    with_options.__signature__ = inspect.Signature([*parameters.values()])  # type: ignore[attr-defined]
    with_options.__annotations__ = {name: one.annotation for name, one in parameters.items()}
    return with_options


def _split(target: str) -> tuple[str, str]:
    """Return file and name; a drive letter's colon separates nothing."""
    file, colon, name = target.rpartition(":")
    if not colon or name.endswith(".py"):
        return target, ""
    return file, name


def _load(path: Path) -> ModuleType:
    """Import the user's file; one that ends the program says so."""
    try:
        return _imported(path)
    except SystemExit as error:
        msg = (
            f"{path} must define functions and go on, but it ended the program while it was "
            f'loaded (exit status {error.code}). Put its own run under if __name__ == "__main__":'
        )
        raise typer.BadParameter(msg) from error


def _imported(path: Path) -> ModuleType:
    """Import the user's file, under its own name where that is free, so that workers find it."""
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if path.stem.isidentifier() and path.stem not in sys.modules:
        spec = importlib.util.find_spec(path.stem)
        if spec is not None and spec.origin == str(path.resolve()):
            return importlib.import_module(path.stem)
    name = f"strategy_file_{zlib.crc32(str(path.resolve()).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:  # a suffix that Python cannot load; .py always can
        raise typer.BadParameter(f"{path} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def is_strategy(value: object) -> bool:
    """Return whether `value` is what `@bp.strategy` makes; the class itself loads pandas."""
    return type(value).__module__ == "broadpeak._training.strategy"


def _joined_names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none; write @bp.strategy above a function"


def environment(data: bp.Data) -> dict[str, str]:
    """Return versions and the fingerprint of the data, as a training notes them."""
    from broadpeak._core.versions import VERSIONS  # loads pandas

    return {**VERSIONS, "data": data.fingerprint()}


def terms_as(tested: bp.Portfolio) -> dict[str, Any]:
    """Return the arguments by which `bp.test` trades other values on the terms of a test."""
    from broadpeak._training.backtests import terms_as  # loads pandas

    return terms_as(tested)


def with_warnings(call: Callable[[], T]) -> tuple[T, list[str]]:
    """Return what `call` returns, and the warnings it raised, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, list(dict.fromkeys(in_options(str(item.message)) for item in caught))


def name_of(strategy: Callable[..., object]) -> str:
    """Return the name a strategy goes by in file names and titles."""
    return str(getattr(strategy, "name", None) or getattr(strategy, "__name__", "strategy"))
