# SPDX-License-Identifier: BSD-3-Clause
"""Engines by name, each imported when it is first used."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import TypeGuard

from broadpeak._core import check
from broadpeak._core.threads import core_count, nesting
from broadpeak._run.calls import callable_
from broadpeak._run.dispatch import Engine, FutureEngine
from broadpeak.errors import (
    EngineError,
    MissingExtraError,
    ParamError,
    ParamTypeError,
    broken_rule,
    described,
)

# Name -> where its factory is, and the package it cannot do without; the extra that brings that
# has the name of the engine.
_BUILT_IN: dict[str, tuple[str, str | None]] = {
    "serial": ("broadpeak._run.dispatch:SerialEngine", None),
    "threadpool": ("broadpeak._run.engines.threadpool:ThreadEngine", None),
    "processpool": ("broadpeak._run.engines.processpool:ProcessEngine", None),
    "joblib": ("broadpeak._run.engines.joblib:JoblibEngine", None),
    "pathos": ("broadpeak._run.engines.pathos:PathosEngine", "pathos"),
    "dask": ("broadpeak._run.engines.dask:DaskEngine", "distributed"),
    "mpire": ("broadpeak._run.engines.mpire:MpireEngine", "mpire"),
    "ray": ("broadpeak._run.engines.ray:RayEngine", "ray"),
}

# What no machine has the cores for is a slip of the pen, and would bring one to its knees.
_MOST_WORKERS = 4_096

_added: dict[str, Callable[..., Engine]] = {}


def names() -> list[str]:
    """Return the names of all known engines, also of those whose package is missing.

    Examples
    --------
    >>> names()[:3]
    ['serial', 'threadpool', 'processpool']
    """
    return [*_BUILT_IN, *(name for name in _added if name not in _BUILT_IN)]


def available() -> list[str]:
    """Return the names of the engines that can run here.

    Examples
    --------
    >>> "serial" in available()
    True
    """
    return [
        name
        for name in names()
        if name in _added or _BUILT_IN[name][1] is None or _is_installed(_BUILT_IN[name][1])
    ]


def _is_installed(package: str | None) -> bool:
    return package is None or importlib.util.find_spec(package) is not None


def register(name: str, factory: Callable[..., Engine]) -> None:
    """Make an engine known under `name`.

    Parameters
    ----------
    name : str
        What users pass as ``engine=``; a known name is replaced.
    factory : callable
        ``factory(n_workers, **engine_options)`` returns an object with the methods of
        `broadpeak.engines.Engine`. `broadpeak.testing.EngineContract` checks it.

    Raises
    ------
    TypeError
        If `factory` cannot be called.
    """
    remedy = "Pass the class of the engine, or a function that makes one."
    _added[check.string("name", name)] = callable_("factory", factory, remedy)


def is_serial(engine: object) -> bool:
    """Return whether `engine` names the one that runs in this process; it may be anything."""
    return isinstance(engine, str) and engine == "serial"


def create(
    engine: str | Engine | Callable[..., Engine],
    n_workers: int | None,
    options: Mapping[str, object] | None = None,
) -> Engine:
    """Return the engine for one run.

    Without `n_workers` it gets the cores that are free for it, or counts for itself.

    Raises
    ------
    EngineError
        If no engine has that name.
    MissingExtraError
        If its package is not installed.
    ParamError
        If `n_workers` is more than any machine has.
    TypeError
        If the engine does not know one of `options`.
    """
    options = dict(options or {})
    factory: Callable[..., Engine]
    if isinstance(engine, str):
        if engine in _added:
            factory = _added[engine]
        elif engine in _BUILT_IN:
            home, package = _BUILT_IN[engine]
            if package is not None and not _is_installed(package):
                msg = (
                    f"engine={engine!r} needs the package {package!r}, which is not "
                    f'installed. Type: pip install "broadpeak[{engine}]"'
                )
                raise MissingExtraError(msg, name=package)
            module, _, attribute = home.partition(":")
            factory = getattr(importlib.import_module(module), attribute)
        else:
            known = ", ".join(repr(known) for known in names())
            hint = check.did_you_mean(engine, names())
            raise EngineError(broken_rule("engine", f"be one of {known}", engine, hint))
    elif _is_engine(engine):
        if options:
            rule = "be empty where engine is an instance"
            raise ParamTypeError(broken_rule("engine_options", rule, options))
        # One run each, as if the factory had made it: nested runs may share an engine.
        return copy.copy(engine) if isinstance(engine, FutureEngine) else engine
    else:
        factory = callable_("engine", engine, _remedy())
    if options:
        _check_options(engine, factory, options)
    if n_workers is None and not getattr(factory, "counts_workers", False):
        # Cores are counted only where it matters: it takes 40 µs.
        n_workers = 1 if is_serial(engine) else max(1, core_count() // nesting.get().n_beside)
    if n_workers is not None and n_workers > _MOST_WORKERS:
        remedy = "Leave it out for one worker a core."
        raise ParamError(
            broken_rule("n_workers", f"be at most {_MOST_WORKERS:,}", n_workers, remedy)
        )
    try:
        made: object = factory(n_workers, **options)
    except ParamTypeError:
        raise
    except TypeError as error:
        rule = f"be a factory of engines (it raised {described(error)})"
        raise ParamTypeError(broken_rule("engine", rule, engine, _remedy())) from error
    if not _is_engine(made):
        rule = "make an object with n_workers and the method run"
        raise EngineError(broken_rule("the factory of an engine", rule, made, _remedy()))
    return made


def _is_engine(made: object) -> TypeGuard[Engine]:
    if isinstance(made, FutureEngine):  # to ask a protocol takes 4 µs
        return hasattr(made, "n_workers")
    return not isinstance(made, type) and isinstance(made, Engine)


def _remedy() -> str:
    return f"Pass the name of an engine ({', '.join(names())}) or a factory of engines."


def _check_options(
    engine: object, factory: Callable[..., Engine], options: dict[str, object]
) -> None:
    try:
        signature = inspect.signature(factory)
    except ValueError:  # a class written in C has no signature
        return
    parameters = signature.parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters if parameter.name != "n_workers"]
    for name in options:
        if name not in known:
            raise check.unknown_option(f"engine {engine!r}", name, known or ["none"])


def shutdown() -> None:
    """End the worker processes that wait for the next run, and leave clusters.

    Those that a run is using go on. All end with the interpreter, and by themselves when it is
    killed.

    Examples
    --------
    >>> shutdown()
    """
    pool, ray = map(sys.modules.get, ("broadpeak._run.pool", "broadpeak._run.raycluster"))
    if pool is not None:
        pool.shutdown()
    if ray is not None:
        ray.shutdown_idle()
