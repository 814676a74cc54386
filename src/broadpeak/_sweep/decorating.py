# SPDX-License-Identifier: BSD-3-Clause
"""What all decorators share: arguments, annotations, options, and calls stored by column.

An option may be given at the decorator or, with a leading underscore, at the call. Most calls give
none: then the options of the decorator are used as they were checked at the first call.
"""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, ClassVar, NamedTuple, overload

from broadpeak._core import check
from broadpeak._merge.merge_func import MergeFunc
from broadpeak._merge.named import NAMED
from broadpeak._run.calls import Calls
from broadpeak._run.options import OPTION_NAMES, POINTS, Settings
from broadpeak.errors import ParamTypeError, broken_rule
from broadpeak.types import Function, Keywords, atomic_dict

Varying = dict[int | str, tuple[Sequence[Any], Any]]

_NO_ANNOTATIONS: Keywords = {}
_HOW = frozenset(  # where and how visibly calls are made, not what they return
    (
        *("engine", "n_workers", "engine_options", "show_progress", "pbar_kwargs", "warmup"),
        *("store", "store_key", "cache_chunks", "timeout", "retries", "mono"),
        *(f"{point}_{what}" for what in ("func", "kwargs") for point in POINTS),
    )
)
_CHUNKS = ("n_chunks", "chunk_len", "chunk_meta")


class Argument(NamedTuple):
    """One argument as it was passed."""

    name: str  # as in the signature; args_0, args_1, … for items of *args
    position: int | str  # position among the positional arguments, or keyword
    declared: str  # name in the signature: args for items of *args
    value: Any


class Arguments:
    """How a function names its arguments; one without a signature takes ``*args, **kwargs``."""

    def __init__(self, func: Function) -> None:
        self.signature = _signature(func)
        self.positional: list[str] = []
        self.keyword: list[str] = []
        self.var_positional: str | None = None
        self.var_keyword: str | None = None
        self.defaults: dict[str, Any] = {}
        required, by_keyword = set(), set()
        for name, parameter in self.signature.parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                self.var_positional = name
            elif parameter.kind is parameter.VAR_KEYWORD:
                self.var_keyword = name
            else:
                self.keyword.append(name)
                if parameter.kind is not parameter.KEYWORD_ONLY:
                    self.positional.append(name)
                if parameter.kind is not parameter.POSITIONAL_ONLY:
                    by_keyword.add(name)
                if parameter.default is parameter.empty:
                    required.add(name)
                else:
                    self.defaults[name] = parameter.default
        self.declared = frozenset(self.keyword)
        self._required, self._by_keyword = frozenset(required), frozenset(by_keyword)

    def bind(
        self, args: tuple[Any, ...], kwargs: Keywords, defaults: Collection[str] = ()
    ) -> list[Argument]:
        """Return what was passed: declared arguments in signature order, ``*args``, ``**kwargs``.

        Arguments named in `defaults` count as passed at their default. A call that the function
        does not allow is the `TypeError` that Python raises.
        """
        positional, n = self.positional, len(args)
        by_position = dict(zip(positional, args, strict=False))
        by_name = kwargs.keys()
        if (
            n > len(positional)
            or not by_name <= self._by_keyword
            or not by_name.isdisjoint(by_position)
            or not self._required <= {*by_position, *by_name}
        ):
            self.signature.bind(*args, **kwargs)  # it knows all the rules, and says what is wrong
        found: list[Argument] = []
        for position, name in enumerate(self.keyword):  # positional ones stand before the others
            if name in by_position:
                found.append(Argument(name, position, name, by_position[name]))
            elif name in kwargs:
                found.append(Argument(name, name, name, kwargs[name]))
            elif name in defaults:
                found.append(Argument(name, name, name, self.defaults[name]))
        star, double_star = self.var_positional or "args", self.var_keyword or "kwargs"
        for number, value in enumerate(args[len(positional) :]):
            position = len(positional) + number
            found.append(Argument(f"{star}_{number}", position, star, value))
        for name, value in kwargs.items():
            if name not in self.declared:
                found.append(Argument(name, name, double_star, value))
        return found


def _signature(func: Function) -> inspect.Signature:
    try:
        return inspect.signature(python_function(func))
    except (TypeError, ValueError):  # some builtins do not say
        star = inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)
        double_star = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
        return inspect.Signature([star, double_star])


def python_function(func: object) -> Any:
    """Return the Python function behind one that Numba compiled; others as they are."""
    return getattr(func, "py_func", func)


class Annotations:
    """Annotations of a function as objects, also where they are strings.

    A string that cannot be resolved yet (a name that is defined later) is tried again whenever it
    is needed; what cannot be resolved at all counts as no annotation. `local_names` are visible
    where the function is defined, besides its globals.
    """

    def __init__(self, func: Function, local_names: Keywords | None) -> None:
        self._owner = _annotated(func)
        self._raw = _raw_annotations(self._owner)
        self._known: dict[str, Any] = {}
        self._unresolved: dict[str, str] = {}
        for name, value in self._raw.items():
            if isinstance(value, str):
                self._unresolved[name] = value
            else:
                self._known[name] = value
        for name in list(self._unresolved):
            self._resolve(name, local_names or {})

    @property
    def are_final(self) -> bool:
        """Whether every annotation that can be resolved has been."""
        return not self._unresolved

    def get(self, name: str) -> Any:
        """Return the annotation of an argument (or ``return``), None if there is none."""
        if name in self._unresolved:
            self._resolve(name, {})
        return self._known.get(name)

    def as_written(self, name: str) -> str | None:
        """Return an annotation that is written as a string, as it stands."""
        value = self._raw.get(name)
        return value if isinstance(value, str) else None

    @property
    def names(self) -> list[str]:
        """Arguments that have an annotation."""
        return [name for name in self._raw if name != "return"]

    def _resolve(self, name: str, local_names: Keywords) -> None:
        names = getattr(self._owner, "__globals__", {})
        cells = {**_closure(self._owner), **local_names}
        try:  # as typing.get_type_hints does
            self._known[name] = eval(self._unresolved[name], names, cells)
        except (NameError, AttributeError):
            return  # perhaps it is defined later
        except Exception:  # noqa: BLE001  # whatever the string says, it is no rule of ours
            self._known[name] = None
        del self._unresolved[name]


def _annotated(func: Any) -> Any:
    """Return the function that carries the annotations."""
    while isinstance(func, functools.partial):
        func = func.func
    func = python_function(func)
    if not hasattr(func, "__annotations__"):
        func = vars(type(func)).get("__call__", func)  # an object that can be called
    return inspect.unwrap(getattr(func, "__func__", func))


def _raw_annotations(func: Any) -> Keywords:
    try:
        return dict(inspect.get_annotations(func))
    except Exception:  # noqa: BLE001  # no function, or annotations that cannot be evaluated
        return _NO_ANNOTATIONS


def _closure(func: object) -> dict[str, Any]:
    code, cells = getattr(func, "__code__", None), getattr(func, "__closure__", None)
    if code is None or not cells:
        return {}
    named = {}
    for name, cell in zip(code.co_freevars, cells, strict=True):
        try:
            named[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    return named


@dataclass(slots=True)
class Options:
    """Options from one source: the decorator, or a call."""

    own: Keywords  # those of the decorator itself
    execute: Keywords  # those of `execute`; an `atomic_dict` replaces what was given before
    settings: Settings | None = None  # the latter, checked

    @classmethod
    def of(cls, owner: str, options: Keywords, own_names: Collection[str]) -> Options:
        """Sort the `options` of decorator `owner` by whose they are; refuse unknown ones.

        A name that both have is the decorator's own; flat options win over `execute_kwargs`.
        """
        own: dict[str, Any] = {}
        flat: dict[str, Any] = {}
        for name, value in options.items():
            if name in own_names:
                own[name] = value
            elif name in OPTION_NAMES:
                flat[name] = value
            elif name != "execute_kwargs":
                known = {*own_names, *OPTION_NAMES, "execute_kwargs"}
                raise check.unknown_option(owner, name, known)
        inside = options.get("execute_kwargs")
        if inside is None:
            return cls(own, flat)
        if not isinstance(inside, Mapping):
            raise ParamTypeError(broken_rule("execute_kwargs", "be a dict of options", inside))
        for name in inside:
            if name not in OPTION_NAMES:
                raise check.unknown_option("execute_kwargs", name, OPTION_NAMES)
        kind = atomic_dict if isinstance(inside, atomic_dict) else dict
        return cls(own, kind(merged_dict(inside, flat)))

    def then(self, later: Options, rivals: Collection[str]) -> Options:
        """Return these options with those given `later` merged in.

        At most one of `rivals`, and of the rules for chunks, makes sense: one that is given later
        takes the place of another.

        Examples
        --------
        >>> first = Options({}, {"engine": "threadpool", "chunk_len": 10})
        >>> first.then(Options({}, {"n_chunks": 5}), ()).execute
        {'engine': 'threadpool', 'n_chunks': 5}
        >>> first.then(Options({}, atomic_dict(chunk_len=5)), ()).execute
        {'chunk_len': 5}
        """
        own = _without_rivals(self.own, later.own, rivals)
        execute = _without_rivals(self.execute, later.execute, _CHUNKS)
        return Options(merged_dict(own, later.own), merge_values(execute, later.execute))


def _without_rivals(earlier: Keywords, later: Keywords, rivals: Collection[str]) -> Keywords:
    if all(later.get(name) is None for name in rivals):
        return earlier
    return {name: value for name, value in earlier.items() if name not in rivals}


def merged_dict(first: Keywords, later: Keywords) -> dict[str, Any]:
    """Return `first` updated with `later`; where both hold a dict, the dicts are merged.

    Examples
    --------
    >>> merged_dict({"a": {"x": 1}, "b": 1}, {"a": {"y": 2}})
    {'a': {'x': 1, 'y': 2}, 'b': 1}
    >>> merged_dict({"a": {"x": 1}}, {"a": atomic_dict(y=2)})
    {'a': {'y': 2}}
    """
    merged = dict(first)
    for name, value in later.items():
        merged[name] = merge_values(merged[name], value) if name in merged else value
    return merged


def merge_values(first: Any, later: Any) -> Any:
    """Return `later`, or both merged where both are dicts and `later` is no `atomic_dict`."""
    both = isinstance(first, dict) and isinstance(later, dict)
    if both and not isinstance(later, atomic_dict):
        return merged_dict(first, later)
    return later


def options_given(decorator: Function, values: Keywords) -> dict[str, Any]:
    """Return the options in `values`, the local names of `decorator`, that are not its defaults."""
    options: dict[str, Any] = {}
    for name, parameter in inspect.signature(decorator).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            options.update(values[name])
        elif name != "func" and values[name] is not parameter.default:
            options[name] = values[name]
    return options


def own_options(decorator: Function, shared: Collection[str] = ()) -> tuple[str, ...]:
    """Return the options of `decorator` that are none of `execute`, and those `shared` with it."""
    parameters = inspect.signature(decorator).parameters.values()
    named = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    others = OPTION_NAMES.difference(shared) | {"execute_kwargs"}
    return tuple(name for name in named if name not in others)


class OneByOne(Sequence[Any]):
    """What each of `n` calls gets for one argument, made by ``make(number)`` when it is needed."""

    def __init__(self, n: int, make: Callable[[int], Any]) -> None:
        self._n, self._make = n, make

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, item: int) -> Any: ...
    @overload
    def __getitem__(self, item: slice) -> list[Any]: ...
    def __getitem__(self, item: int | slice) -> Any:
        if isinstance(item, slice):
            return [self._make(number) for number in range(self._n)[item]]
        return self._make(range(self._n)[item])


class Decorated(ABC):
    """One function under one decorator, with the options that were passed to the decorator."""

    owner: ClassVar[str]
    own_names: ClassVar[tuple[str, ...]]
    rivals: ClassVar[tuple[str, ...]] = ()  # at most one of these own options makes sense

    def __init__(self, func: Function, given: Keywords, local_names: Keywords) -> None:
        self.func = func
        self.options = Options.of(self.owner, given, self.own_names)
        self.arguments = Arguments(func)
        self.annotations = Annotations(func, local_names)
        python = python_function(func)
        # Such a function cannot tell a keyword from a position, and is called faster by position.
        self._is_plain = isinstance(python, FunctionType) and not hasattr(python, "__wrapped__")

    def fingerprint(self) -> tuple[Any, ...]:
        """Return what results depend on: the function, its annotations and most options."""
        apart = {name: value for name, value in self.options.execute.items() if name in _HOW}
        rest = {name: value for name, value in self.options.execute.items() if name not in apart}
        annotated = {
            name: self.annotations.get(name) for name in self.arguments.signature.parameters
        }
        own = {name: value for name, value in self.options.own.items() if name not in _HOW}
        return self.func, own, rest, annotated, self.annotations.get("return")

    @abstractmethod
    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> Any:
        """Do what the decorator does instead of one call of the function."""

    def split_call(self, kwargs: Keywords) -> tuple[dict[str, Any], Options]:
        """Take options, which begin with an underscore, out of the keyword arguments of a call.

        A name that the function declares is its own, also with an underscore. An option without one
        is refused: the function would not know it.
        """
        passed: dict[str, Any] = {}
        given: dict[str, Any] = {}
        for name, value in kwargs.items():
            if name in self.arguments.declared:
                passed[name] = value
            elif name.startswith("_") and not name.startswith("__"):
                given[name[1:]] = value
            elif self.arguments.var_keyword is None and (
                name in OPTION_NAMES or name in self.own_names or name == "execute_kwargs"
            ):
                rule = "begin with an underscore at the call"
                remedy = f"Type: _{name}=…"
                raise ParamTypeError(broken_rule(f"An option of {self.owner}", rule, name, remedy))
            else:
                passed[name] = value
        if not given:
            return passed, self.options
        later = Options.of(self.owner, given, self.own_names)
        return passed, self.options.then(later, self.rivals)

    def settings(self, options: Options) -> Settings:
        """Return the options of `execute`, checked; the return annotation may name the merge."""
        values = dict(options.execute)
        if "merge_func" not in values and values.get("keep") is None and values.get("to") is None:
            merge = self._annotated_merge()
            if merge is not None:
                values["merge_func"] = merge
        settings = Settings(**values)
        if self.annotations.are_final:
            options.settings = settings
        return settings

    def _annotated_merge(self) -> Any:
        text = self.annotations.as_written("return")
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

    def calls(self, args: Sequence[Any], kwargs: Keywords, varying: Varying, n: int) -> Calls:
        """Return the calls of the function, in which some arguments vary."""
        if self._is_plain:
            args, kwargs, varying = list(args), dict(kwargs), dict(varying)
            for name in self.arguments.positional[len(args) :]:
                if name in varying:
                    varying[len(args)] = varying.pop(name)
                    kwargs.pop(name, None)
                    args.append(None)
                elif name in kwargs:
                    args.append(kwargs.pop(name))
                else:
                    break
        return Calls(self.func, args, kwargs, varying=varying, n=n)


def _is_merge(part: object) -> bool:
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
    func: Function | None,
    given: Keywords,
    local_names: Keywords,
) -> Function:
    """Return `func` under the decorator `kind`, or a decorator if there is no function yet."""
    if func is not None:
        return _wrapped(kind, func, given, local_names)
    Options.of(kind.owner, given, kind.own_names)  # an unknown option is an error at once

    def decorate(func: Function) -> Function:
        return _wrapped(kind, func, given, caller_names())

    return decorate


def _wrapped(
    kind: type[Decorated],
    func: Function,
    given: Keywords,
    local_names: Keywords,
) -> Function:
    given_func: object = func
    if not callable(given_func):
        rule = f"be the function that {kind.owner} decorates"
        remedy = "Put @classmethod above it." if isinstance(given_func, classmethod) else ""
        raise ParamTypeError(broken_rule("func", rule, func, remedy))
    check.plain_function("func", func)
    decorated = kind(func, given, local_names)
    declared = decorated.arguments.declared
    # What compiled functions keep in their __dict__ describes them, not the new function.
    copied = ("__dict__",) if isinstance(func, FunctionType) else ()

    @functools.wraps(func, updated=copied)
    def call(*args: object, **kwargs: object) -> Any:
        options = decorated.options
        if not kwargs.keys() <= declared:
            kwargs, options = decorated.split_call(kwargs)
        return decorated.call(args, kwargs, options)

    return call


def caller_names() -> Keywords:
    """Return the local names where the function that calls this one was called."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = None if frame is None else frame.f_back
    if frame is None or frame.f_locals is frame.f_globals:
        return {}
    return dict(frame.f_locals)
