# SPDX-License-Identifier: BSD-3-Clause
"""The options of `execute`, written here and nowhere else.

`ExecuteOptions` is for whoever passes them on: ``**options: Unpack[ExecuteOptions]`` lets type
checkers and editors know every name. `Settings` is what a run gets: the same names with their
defaults, checked. `shows_options` puts them into the signature that `help` shows.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypedDict, TypeVar

from broadpeak._core import check
from broadpeak._merge.merge_func import MergeFunc, MergeSpec, resolve_merge_func
from broadpeak._run.chunks import Auto, ChunkMeta, chunk_count
from broadpeak._run.dispatch import Engine
from broadpeak._run.keeping import check_reducer
from broadpeak._store.store import Store
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import Function, Keywords, Reducer

OnError: TypeAlias = Literal["raise", "skip", "record"]
StoreLike: TypeAlias = "Store | str | os.PathLike[str] | None"
_PathLike: TypeAlias = "str | os.PathLike[str] | None"
_EngineLike: TypeAlias = "str | Engine | Callable[..., Engine]"
_Callback: TypeAlias = "Callable[..., object] | None"
_Rule: TypeAlias = Callable[[str, object], object]
_F = TypeVar("_F", bound=Function)

POINTS: Final = ("pre_execute", "pre_chunk", "post_chunk", "post_execute")
"""Where callbacks are called."""


class DispatchOptions(TypedDict, total=False):
    """How calls are made."""

    engine: _EngineLike
    n_workers: int | None
    engine_options: Keywords | None
    distribute: Literal["tasks", "chunks"]
    warmup: bool
    show_progress: bool | None
    pbar_kwargs: Keywords | None
    pre_execute_func: _Callback
    pre_execute_kwargs: Keywords | None
    pre_chunk_func: _Callback
    pre_chunk_kwargs: Keywords | None
    post_chunk_func: _Callback
    post_chunk_kwargs: Keywords | None
    post_execute_func: _Callback
    post_execute_kwargs: Keywords | None
    on_error: OnError
    retries: int
    timeout: float | None
    cache_chunks: bool
    store: StoreLike
    store_key: str | None


class ChunkOptions(TypedDict, total=False):
    """How tasks are cut."""

    n_chunks: Auto
    chunk_len: Auto
    chunk_meta: ChunkMeta


class ResultOptions(TypedDict, total=False):
    """What becomes of the results."""

    raise_no_results: bool
    template_context: Keywords | None


class MergeOptions(TypedDict, total=False):
    """How results are joined, or which of them are kept."""

    merge_func: MergeSpec | None
    merge_kwargs: Keywords | None
    keep: Reducer | None
    to: _PathLike


class ExecuteOptions(DispatchOptions, ChunkOptions, ResultOptions, MergeOptions, total=False):
    """All options of `execute`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one run, by the names that `execute` has for them."""

    engine: _EngineLike = "serial"
    n_workers: int | None = None
    engine_options: Keywords | None = None
    n_chunks: Auto = None
    chunk_len: Auto = None
    chunk_meta: ChunkMeta = None
    distribute: Literal["tasks", "chunks"] = "tasks"
    warmup: bool = False
    merge_func: MergeSpec | None = None
    merge_kwargs: Keywords | None = None
    keep: Reducer | None = None
    to: _PathLike = None
    show_progress: bool | None = None
    pbar_kwargs: Keywords | None = None
    pre_execute_func: _Callback = None
    pre_execute_kwargs: Keywords | None = None
    pre_chunk_func: _Callback = None
    pre_chunk_kwargs: Keywords | None = None
    post_chunk_func: _Callback = None
    post_chunk_kwargs: Keywords | None = None
    post_execute_func: _Callback = None
    post_execute_kwargs: Keywords | None = None
    on_error: OnError = "raise"
    retries: int = 0
    timeout: float | None = None
    raise_no_results: bool = True
    cache_chunks: bool = False
    store: StoreLike = None
    store_key: str | None = None
    template_context: Keywords | None = None

    def __post_init__(self) -> None:
        # Everything is checked before anything runs, also what is needed only at the end. Defaults
        # need no look, and most options are left at them.
        for name, rule in _RULES.items():
            value = getattr(self, name)
            if value is not _DEFAULTS[name]:
                object.__setattr__(self, name, rule(name, value))
        if self.keep is not None:
            self._check_no_results("keep")
        if self.to is not None:
            self._check_no_results("to")

    def _check_no_results(self, name: str) -> None:
        """Refuse what needs the results that are not held."""
        if self.merge_func is not None:
            returned = "what is kept" if name == "keep" else "the path of the file"
            rule = f"be left out with {name}=, which returns {returned}"
            remedy = f"Type merge_func=None to keep, or {name}=None to merge."
            raise ParamError(broken_rule("merge_func", rule, self.merge_func, remedy))
        if self.on_error == "record":
            rule = f"be 'raise' or 'skip' with {name}=, which holds results only"
            raise ParamError(broken_rule("on_error", rule, self.on_error))


def _merge(_: str, value: Any) -> MergeFunc | None:
    return resolve_merge_func(value)


def _callback(name: str, value: object) -> Any:
    if not callable(value):
        raise ParamTypeError(broken_rule(name, "be a function", value))
    return value


def _parquet(name: str, value: object) -> Path:
    path = check.path(name, value, "Type: to='scores.parquet'")
    if path.suffix.lower() not in {".parquet", ".pq"}:
        remedy = f"Type: to={str(path.with_suffix('.parquet'))!r}"
        raise ParamError(broken_rule(name, "be a file that ends in .parquet", str(path), remedy))
    return path


def _store(name: str, value: object) -> Any:
    if not isinstance(value, (Store, str, os.PathLike)):
        raise ParamTypeError(broken_rule(name, "be a path or a broadpeak.Store", value))
    return value


def _store_key(name: str, value: object) -> str:
    return check.string(name, value, "Type: store_key='v1'")


def _number(least: int) -> _Rule:
    # More than there can be tasks means all of them.
    return lambda name, value: min(check.integer(name, value, least, sys.maxsize**2), sys.maxsize)


_RULES: Final[dict[str, _Rule]] = {
    "n_workers": _number(1),
    "retries": _number(0),
    "n_chunks": chunk_count,
    "chunk_len": chunk_count,
    "timeout": check.seconds,
    "distribute": lambda name, value: check.one_of(name, value, ("tasks", "chunks")),
    "on_error": lambda name, value: check.one_of(name, value, ("raise", "skip", "record")),
    "merge_func": _merge,
    "keep": check_reducer,
    "to": _parquet,
    "store": _store,
    "store_key": _store_key,
    **dict.fromkeys(("warmup", "show_progress", "raise_no_results", "cache_chunks"), check.flag),
    **dict.fromkeys([f"{point}_func" for point in POINTS], _callback),
    **dict.fromkeys([f"{point}_kwargs" for point in POINTS], check.mapping),
    **dict.fromkeys(
        ("merge_kwargs", "pbar_kwargs", "engine_options", "template_context"), check.mapping
    ),
}
"""What an option must be, as far as it can be said before the number of tasks is known."""
_DEFAULTS: Final = {field.name: field.default for field in fields(Settings)}
OPTION_NAMES: Final = frozenset(_DEFAULTS)
"""Names of the options of `execute`, which every decorator takes flat or in `execute_kwargs`."""


def shows_options(func: _F) -> _F:
    """Let the signature of `func` show the options of `execute` in place of ``**options``."""
    own = [
        one
        for one in inspect.signature(func).parameters.values()
        if one.kind is not one.VAR_KEYWORD
    ]
    options = inspect.signature(Settings).parameters.values()
    shown: Any = func
    shown.__signature__ = inspect.Signature([*own, *options])
    return func
