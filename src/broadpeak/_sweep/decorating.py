# SPDX-License-Identifier: BSD-3-Clause
"""What all decorators of the sweep share: options, annotations, wrapping, calls by column."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, ClassVar

from broadpeak._core import check
from broadpeak._merge.merge_func import MergeFunc
from broadpeak._merge.named import NAMED
from broadpeak._run.calls import Calls
from broadpeak._sweep.arguments import Annotations, Arguments, python_function
from broadpeak._sweep.execute import CALLBACKS, Settings
from broadpeak._sweep.options import EXECUTE_OPTIONS, Options, split_call
from broadpeak.errors import ParamTypeError, broken_rule

Varying = dict[int | str, tuple[Sequence[Any], Any]]
_HOW = frozenset(  # where and how visibly calls are made, not what they return
    (
        *("engine", "n_workers", "engine_options", "show_progress", "pbar_kwargs", "warmup"),
        *("store", "store_key", "cache_chunks", "timeout", "retries"),
        *(f"{point}_{what}" for what in ("func", "kwargs") for point in CALLBACKS),
    )
)
_CHUNKS = ("n_chunks", "chunk_len", "chunk_meta")


class Decorated(ABC):
    """One function under one decorator.

    Parameters
    ----------
    func : callable
        The function.
    given : mapping
        Options given to the decorator.
    local_names : mapping
        Names visible where it was decorated, for annotations that are text.
    """

    owner: ClassVar[str]
    own_names: ClassVar[tuple[str, ...]]
    rivals: ClassVar[tuple[str, ...]] = ()  # at most one of these own options makes sense

    def __init__(
        self, func: Callable[..., Any], given: Mapping[str, Any], local_names: Mapping[str, Any]
    ) -> None:
        self.func = func
        self.options = Options.of(self.owner, given, self.own_names)
        self.arguments = Arguments(func)
        self.annotations = Annotations(func, local_names)

    def fingerprint(self) -> tuple[Any, ...]:
        """Return what it does: the function and the options that results depend on."""
        apart = {name: value for name, value in self.options.execute.items() if name in _HOW}
        rest = {name: value for name, value in self.options.execute.items() if name not in apart}
        annotated = {
            name: self.annotations.get(name) for name in self.arguments.signature.parameters
        }
        return self.func, self.options.own, rest, annotated, self.annotations.get("return")

    @abstractmethod
    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> Any:
        """Do what the decorator does with one call of the function."""

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Take the options out of the call, and make it."""
        declared = self.arguments.declared
        passed, later = split_call(self.owner, kwargs, declared, self.own_names)
        self._check_names(passed)
        return self.call(args, passed, self._earlier(later).then(later))

    def _check_names(self, passed: Mapping[str, Any]) -> None:
        """Refuse an option without its underscore, which the function would not know."""
        if self.arguments.var_keyword is not None:
            return
        known = {*EXECUTE_OPTIONS, *self.own_names, "execute_kwargs"}
        for name in passed.keys() - self.arguments.declared:
            if name in known:
                owner, remedy = f"An option of {self.owner}", f"Type: _{name}=…"
                rule = "begin with an underscore at the call"
                raise ParamTypeError(broken_rule(owner, rule, name, remedy))

    def _earlier(self, later: Options) -> Options:
        """Return the decorator's options without those that a rule of the call stands in for."""
        own = _without_rivals(self.options.own, later.own, self.rivals)
        return Options(own, _without_rivals(self.options.execute, later.execute, _CHUNKS))

    def settings(self, options: Options) -> Settings:
        """Return the options of `execute`; the return annotation may name the merge."""
        values = dict(options.execute)
        if "merge_func" not in values:
            merge = self._annotated_merge()
            if merge is not None:
                values["merge_func"] = merge
        return Settings(**values)

    def _annotated_merge(self) -> Any:
        text = self.annotations.text("return")
        if text in NAMED:
            return text
        annotation = self.annotations.get("return")
        many = isinstance(annotation, (tuple, list)) and bool(annotation)
        parts = annotation if many else (annotation,)
        if all(map(_is_merge, parts)):
            return annotation
        if not any(map(_is_merge, parts)):
            return None  # an annotation for type checkers
        raise ParamTypeError(_broken_annotation(annotation, parts))

    def calls(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], varying: Varying, n: int
    ) -> Calls:
        """Return the calls of the function, in which some arguments vary."""
        if self._keywords_are_free():
            args, kwargs, varying = self._by_position(args, kwargs, varying)
        return Calls(self.func, args, kwargs, varying=varying, n=n)

    def _keywords_are_free(self) -> bool:
        """Whether the function cannot tell a keyword from a position."""
        func = python_function(self.func)
        return isinstance(func, FunctionType) and not hasattr(func, "__wrapped__")

    def _by_position(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], varying: Varying
    ) -> tuple[Sequence[Any], Mapping[str, Any], Varying]:
        """Turn keywords into positions as far as possible: such calls are made faster."""
        new_args, new_kwargs, new_varying = list(args), dict(kwargs), dict(varying)
        for name in self.arguments.positional[len(args) :]:
            if name in new_varying:
                new_varying[len(new_args)] = new_varying.pop(name)
                new_kwargs.pop(name, None)
                new_args.append(None)
            elif name in new_kwargs:
                new_args.append(new_kwargs.pop(name))
            else:
                break
        return new_args, new_kwargs, new_varying


def _without_rivals(
    earlier: dict[str, Any], later: Mapping[str, Any], rivals: tuple[str, ...]
) -> dict[str, Any]:
    if all(later.get(name) is None for name in rivals):
        return earlier
    return {name: value for name, value in earlier.items() if name not in rivals}


def _is_merge(part: Any) -> bool:
    return isinstance(part, MergeFunc) or (isinstance(part, str) and part in NAMED)


def _broken_annotation(annotation: Any, parts: Any) -> str:
    """Return the message for an annotation that names merges beside what is none."""
    wrong = next(part for part in parts if not _is_merge(part))
    names = ", ".join(map(repr, NAMED))
    hint = check.did_you_mean(wrong, NAMED) if isinstance(wrong, str) else ""
    remedy = hint or f"Names: {names}."
    if wrong is None or (callable(wrong) and not isinstance(wrong, type)):
        remedy = (
            "Say it at the decorator: merge_func=(…), which takes functions, and None for a list."
        )
    rule = "name a merge for every object that is returned, or none at all"
    return broken_rule("The return annotation", rule, annotation, remedy)


def decorator(
    kind: type[Decorated],
    func: Callable[..., Any] | None,
    given: Mapping[str, Any],
    local_names: Mapping[str, Any],
) -> Any:
    """Return `func` under the decorator `kind`, or a decorator if there is no function yet."""
    if func is not None:
        return _wrapped(kind, func, given, local_names)
    Options.of(kind.owner, given, kind.own_names)  # an unknown option is an error at once

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        return _wrapped(kind, func, given, caller_names())

    return decorate


def _wrapped(
    kind: type[Decorated],
    func: Callable[..., Any],
    given: Mapping[str, Any],
    local_names: Mapping[str, Any],
) -> Callable[..., Any]:
    given_func: Any = func
    if not callable(given_func):
        rule = f"be the function that {kind.owner} decorates"
        remedy = "Put @classmethod above it." if isinstance(given_func, classmethod) else ""
        raise ParamTypeError(broken_rule("func", rule, func, remedy))
    check.plain_function("func", func)
    decorated = kind(func, given, local_names)
    # What compiled functions keep in their __dict__ describes them, not the new function.
    copied = ("__dict__",) if isinstance(func, FunctionType) else ()

    @functools.wraps(func, updated=copied)
    def call(*args: Any, **kwargs: Any) -> Any:
        return decorated(args, kwargs)

    return call


def caller_names() -> Mapping[str, Any]:
    """Return the local names where the function that calls this one was called."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = None if frame is None else frame.f_back
    if frame is None or frame.f_locals is frame.f_globals:
        return {}
    return dict(frame.f_locals)
