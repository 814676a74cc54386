# SPDX-License-Identifier: BSD-3-Clause
"""`chunked`: cut arguments, call the function on every chunk of them, join the results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Unpack

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._merge.merge_func import MergeSpec
from broadpeak._merge.named import NAMED
from broadpeak._run.chunks import Auto, Chunk, ChunkMeta, in_order, order_of, plan_chunks
from broadpeak._run.execute import run
from broadpeak._run.options import DispatchOptions, ResultOptions, Settings
from broadpeak._run.templates import Template, substitute
from broadpeak._sweep.decorating import (
    Annotations,
    Argument,
    Arguments,
    Decorated,
    OneByOne,
    Options,
    Varying,
    caller_names,
    decorator,
    options_given,
    own_options,
)
from broadpeak._sweep.sizers import ArgSizer
from broadpeak._sweep.takers import (
    ArgsTaker,
    ChunkRule,
    KwargsTaker,
    Taker,
    ValueRule,
    as_taker,
    rules_in,
    sizes,
    take,
)
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import MISSING, Function, IntArray, Keywords

_ALONG_ROWS = {"concat", "row_stack"}  # merges that join along the first axis


class ChunkedOptions(DispatchOptions, ResultOptions, total=False):
    """Options of `execute` that `chunked` only passes on."""


def chunked(
    func: Function | None = None,
    *,
    arg_take_spec: Mapping[object, object] | Sequence[object] | None = None,
    size: int | ArgSizer | None = None,
    min_size: int | None = None,
    n_chunks: Auto = None,
    chunk_len: Auto = None,
    chunk_meta: ChunkMeta = None,
    skip_single_chunk: bool = True,
    merge_func: MergeSpec | None = None,
    merge_kwargs: Keywords | None = None,
    disable: bool = False,
    execute_kwargs: Keywords | None = None,
    **execute_options: Unpack[ChunkedOptions],
) -> Function:
    """Call a function on chunks of its arguments and join the results.

    Which arguments are cut, and how, is given by `arg_take_spec`, by annotations
    (``x: ChunkedArray(axis=1) | ArraySizer(axis=1)``), or by values wrapped at the call
    (``Chunked(x)``), which win. The joined result equals that of one call with everything. Every
    option can be given at the call as well, with a leading underscore.

    Parameters
    ----------
    func : callable, optional
        The function; without it, a decorator is returned.
    arg_take_spec : mapping or sequence, optional
        Rules by name, position or compiled pattern of arguments; a sequence goes by position.
        ``args`` and ``kwargs`` take an `ArgsTaker` and a `KwargsTaker`.
    size : int or sizer, optional
        Number of items. Default: the length of the cut arguments, which must agree.
    min_size : int, optional
        Fewer items than this are not cut.
    n_chunks, chunk_len : int or "auto", optional
        Number of chunks, or of items in each; "auto" is the number of cores. Default: one chunk for
        each core.
    chunk_meta : sequence, optional
        The items of every chunk as slices, ranges or lists of positions; each item once. Named
        merges put the items back in order.
    skip_single_chunk : bool
        Whether a single chunk is a plain call, whose result is returned as it is.
    merge_func, merge_kwargs
        How results are joined, as in `parameterized`; there are no labels to add. Default: the
        return annotation if it names a merge, else the list of results.
    disable : bool
        Make one plain call with everything.
    execute_kwargs : mapping, optional
        Options of `execute`; its `n_chunks` and `chunk_len` pack chunks into super-chunks.
        `pre_chunk_func` and `post_chunk_func` are called for each super-chunk, and where there are
        none for each chunk.
    **execute_options
        Other options of `execute`, given flat.

    Returns
    -------
    callable
        The function over chunks.

    Raises
    ------
    TypeError
        If an option does not exist, or something is no rule.
    ParamError
        At the call, if cut arguments disagree on the number of items.

    Notes
    -----
    Templates among the arguments know ``chunk_idx``, ``chunk_meta`` (positions of the items) and
    ``n_chunks``. None is never cut.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.chunked(n_chunks=2, merge_func="concat")
    ... def add(left, right):
    ...     return left + right
    >>> add(bp.Chunked(np.arange(4)), bp.Chunked(np.ones(4)))
    array([1., 2., 3., 4.])
    """
    given = options_given(chunked, locals())
    return decorator(ChunkedFunction, func, given, caller_names())


class ChunkedFunction(Decorated):
    """A function that is called on chunks of its arguments."""

    owner = "chunked"
    own_names = own_options(chunked, shared=("n_chunks", "chunk_len", "chunk_meta"))
    rivals = ("n_chunks", "chunk_len", "chunk_meta")

    def call(self, args: tuple[object, ...], kwargs: dict[str, object], options: Options) -> Any:
        """Call the function on every chunk, or once if there is nothing to cut."""
        chunk_options = options.own
        for name in ("keep", "to"):
            if (given := options.execute.get(name)) is not None:
                rule = "be left out of chunked, whose calls return parts of one result"
                raise ParamError(broken_rule(name, rule, given, "Type it at parameterized."))
        for name in ("skip_single_chunk", "disable"):
            check.flag(name, chunk_options.get(name, False))
        spec = ChunkSpec(chunk_options.get("arg_take_spec"), self.arguments, self.annotations)
        cuts = spec.cuts(args, kwargs)
        new_args, new_kwargs = list(args), dict(kwargs)
        for cut in cuts:
            position = cut.argument.position
            if isinstance(position, int):
                new_args[position] = cut.argument.value
            else:
                new_kwargs[position] = cut.argument.value
        chunks = None if chunk_options.get("disable") else self._plan(spec, cuts, chunk_options)
        if chunks is None:
            return self.func(*new_args, **new_kwargs)
        settings = _with_hooks(options.settings or self.settings(options))
        numbers = np.arange(len(chunks))
        varying: Varying = {}
        for cut in cuts:
            value = cut.argument.value
            if cut.taker is not None or isinstance(value, Template):
                make = partial(
                    _chunk_value, value, cut.taker, chunks, settings.template_context or {}
                )
                varying[cut.argument.position] = OneByOne(len(chunks), make), numbers
        return run(
            self.calls(new_args, new_kwargs, varying, len(chunks)),
            settings,
            label=lambda number: str(chunks[number]),
            weights=[len(chunk) for chunk in chunks],
            by_name=None if in_order(chunks) else partial(merge_in_order, chunks),
        ).value

    def _plan(
        self, spec: ChunkSpec, cuts: list[Cut], chunk_options: Keywords
    ) -> list[Chunk] | None:
        """Return the chunks; None for one plain call with everything."""
        size = spec.size(cuts, chunk_options.get("size"))
        least = chunk_options.get("min_size")
        if not size or size < (0 if least is None else check.integer("min_size", least, 0)):
            return None
        takers = [cut.taker for cut in cuts if cut.taker is not None]
        has_templates = any(isinstance(cut.argument.value, Template) for cut in cuts)
        if not takers and not has_templates:
            return None
        one_by_one = any(taker.by_number for taker in takers)
        rules: dict[str, Any] = {name: chunk_options.get(name) for name in self.rivals}
        if all(rule is None for rule in rules.values()):
            rules |= {"chunk_len": 1} if one_by_one else {"n_chunks": "auto"}
        chunks = plan_chunks(size, **rules)
        must_cut = one_by_one or has_templates or not chunk_options.get("skip_single_chunk", True)
        if one_by_one and len(chunks) != size:
            rule = "be as many as the items, where a selector gives every chunk one item"
            raise ParamError(broken_rule("Chunks", rule, len(chunks), f"Pass n_chunks={size}."))
        # A single chunk may still put the items in another order.
        is_whole = len(chunks) == 1 and isinstance(chunks[0].positions, range)
        return chunks if must_cut or not is_whole else None


def _with_hooks(settings: Settings) -> Settings:
    """Let callbacks of chunks see every chunk of the arguments, unless these are packed further.

    Whole chunks are sent to workers then, or one would have to end before the next begins.
    """
    is_packed = any((settings.n_chunks, settings.chunk_len, settings.chunk_meta is not None))
    if is_packed or not (settings.pre_chunk_func or settings.post_chunk_func):
        return settings
    return replace(settings, chunk_len=1, distribute="chunks")


def _chunk_value(
    value: object, taker: Taker | None, chunks: Sequence[Chunk], context: Keywords, number: int
) -> Any:
    """Return what one chunk gets of an argument: its items, or a template filled in for it."""
    chunk = chunks[number]
    if not isinstance(value, Template):
        return take(taker, value, chunk)
    of_chunk = {"chunk_idx": number, "chunk_meta": list(chunk.positions), "n_chunks": len(chunks)}
    return substitute(value, {**context, **of_chunk}, eval_id="chunked")


@dataclass(frozen=True, slots=True)
class Cut:
    """An argument without its wrapper, and how it is cut (None: not at all)."""

    argument: Argument
    taker: Taker | None


class ChunkSpec:
    """The rules of one call: of `arg_take_spec`, and of annotations where that has none."""

    def __init__(self, spec: object, arguments: Arguments, annotations: Annotations) -> None:
        self._arguments = arguments
        self._annotations = annotations
        self._named: dict[str, object] = {}
        self._patterns: list[tuple[re.Pattern[str], object]] = []
        if spec is None:
            return
        if isinstance(spec, Sequence) and not isinstance(spec, str):
            spec = dict(enumerate(spec))
        if not isinstance(spec, Mapping):
            rule = "be a dict of rules by argument"
            raise ParamTypeError(broken_rule("arg_take_spec", rule, spec))
        for query, rule in spec.items():
            if isinstance(query, re.Pattern):
                self._patterns.append((query, rule))
            else:
                self._named[self._name(query)] = rule

    def _name(self, query: object) -> str:
        arguments = self._arguments
        positional = arguments.positional
        if isinstance(query, int) and -len(positional) <= query < len(positional):
            return positional[query]
        stars = (arguments.var_positional, arguments.var_keyword)
        known = [*arguments.keyword, *(star for star in stars if star is not None)]
        numbered = arguments.var_positional is not None and isinstance(query, str)
        is_item = numbered and re.fullmatch(rf"{arguments.var_positional}_\d+", str(query))
        if isinstance(query, str) and (query in known or is_item or arguments.var_keyword):
            return query
        rule = f"name arguments of the function, {known}"
        raise ParamError(
            broken_rule("arg_take_spec", rule, query, check.did_you_mean(query, known))
        )

    def cuts(self, args: tuple[object, ...], kwargs: Keywords) -> list[Cut]:
        """Return how every argument of a call is cut; a default with a rule counts, too."""
        also = [
            name
            for name, default in self._arguments.defaults.items()
            if isinstance(default, ValueRule) or self._rules(name, name)
        ]
        passed = self._arguments.bind(args, kwargs, also)
        stars = {**self._star_args(passed), **self._star_kwargs(passed)}
        return [self._cut(argument, stars) for argument in passed]

    def _cut(self, argument: Argument, stars: Mapping[int | str, Any]) -> Cut:
        value = argument.value
        if isinstance(value, ValueRule):  # the caller decides
            if value.value is MISSING:
                rule = "wrap a value at the call"
                raise ParamError(broken_rule(type(value).__name__, rule, argument.name))
            bare = Argument(argument.name, argument.position, argument.declared, value.value)
            return Cut(bare, as_taker(value, value.value))
        if argument.position in stars:
            return Cut(argument, stars[argument.position])
        takers = [rule for rule in self._rules(argument.name, argument.declared) if _is_taker(rule)]
        return Cut(argument, as_taker(takers[0], value) if takers else None)

    def _rules(self, name: str, declared: str) -> tuple[object, ...]:
        for query in (name, declared):
            if query in self._named:
                return rules_in(self._named[query])
        for pattern, rule in self._patterns:
            if pattern.search(name):
                return rules_in(rule)
        return tuple(rule for rule in rules_in(self._annotations.get(declared)) if _is_rule(rule))

    def _star_args(self, passed: Sequence[Argument]) -> dict[int | str, object]:
        star = self._arguments.var_positional
        spec = None if star is None else _of_kind(self._rules(star, star), ArgsTaker)
        if spec is None:
            return {}
        items = [argument for argument in passed if argument.declared == star]
        takers = spec.takers([argument.value for argument in items])
        return {item.position: taker for item, taker in zip(items, takers, strict=True)}

    def _star_kwargs(self, passed: Sequence[Argument]) -> dict[int | str, object]:
        star = self._arguments.var_keyword
        spec = None if star is None else _of_kind(self._rules(star, star), KwargsTaker)
        if spec is None:
            return {}
        items = [argument for argument in passed if argument.declared == star]
        takers = spec.takers({argument.name: argument.value for argument in items})
        return {item.position: takers[item.name] for item in items}

    def size(self, cuts: Sequence[Cut], size_option: object) -> int | None:
        """Return the number of items, on which all arguments must agree; None if none has any."""
        implied = self._implied(cuts, size_option)
        for name, size in implied:
            first, expected = implied[0]
            if size != expected:
                raise ParamError(
                    f"Chunked arguments must agree on the number of items, but {first} gives "
                    f"{expected} and {name} gives {size}. Wrap what is not to be cut: "
                    f"NotChunked(value)."
                )
        return implied[0][1] if implied else None

    def _implied(self, cuts: Sequence[Cut], size_option: object) -> list[tuple[str, int]]:
        arguments = [cut.argument for cut in cuts]
        implied: list[tuple[str, int]] = []
        if size_option is not None:
            implied.append(("size", _size_from_option(size_option, arguments)))
        for cut in cuts:
            argument = cut.argument
            name = f"argument {argument.name!r}"
            implied += [(name, size) for size in sizes(cut.taker, argument.value)]
            if size_option is None:
                for rule in self._rules(argument.name, argument.declared):
                    sizer = rule() if isinstance(rule, type) else rule
                    if isinstance(sizer, ArgSizer):
                        implied.insert(0, (name, sizer.size(arguments, argument.name)))
        return implied


def _size_from_option(option: object, arguments: Sequence[Argument]) -> int:
    sizer = option() if isinstance(option, type) else option
    if isinstance(sizer, ArgSizer):
        return sizer.size(arguments)
    size = check.real(sizer)
    if not isinstance(size, int) or not 0 <= size < 2**63:
        rule = "be a number of items or a sizer"
        raise ParamError(broken_rule("size", rule, option, "For example: ArraySizer('x', axis=1)."))
    return size


def _is_rule(rule: object) -> bool:
    return isinstance(rule, ChunkRule) or (isinstance(rule, type) and issubclass(rule, ChunkRule))


def _is_taker(rule: object) -> bool:
    if isinstance(rule, ArgSizer) or (isinstance(rule, type) and issubclass(rule, ArgSizer)):
        return False
    return rule is not None


def _of_kind(rules: tuple[Any, ...], kind: Any) -> Any:
    return next((rule for rule in rules if isinstance(rule, kind)), None)


def merge_in_order(
    chunks: Sequence[Chunk],
    kept: IntArray | None,
    how: str,
    results: list[object],
    **options: object,
) -> Any:
    """Merge the results of chunks that do not lie in order, and put the items back where they were.

    Where a chunk does not give as many entries for each of its items as the others, nobody can tell
    which belong to which: they stay as they come.
    """
    whole = NAMED[how](results, **options)
    if kept is not None:
        chunks = [chunks[number] for number in kept]
    axis = 0 if how in _ALONG_ROWS else 1
    order = _order(chunks, [_length(one, axis) for one in results])
    if order is None or order.size != whole.shape[axis]:
        return whole
    return _in_order(whole, order, axis)


def _length(result: Any, axis: int) -> int:
    shape = np.shape(result)
    return shape[axis] if len(shape) > axis else 0


def _order(chunks: Sequence[Chunk], lengths: Sequence[int]) -> IntArray | None:
    """Return where the entries in order lie; None if the items do not give as many each."""
    counts = {length / len(chunk) for chunk, length in zip(chunks, lengths, strict=True)}
    each = counts.pop()
    if counts or each != int(each) or each < 1:
        return None
    items = order_of(chunks)
    entries: IntArray = np.arange(len(items) * int(each)).reshape(len(items), -1)
    return entries[np.argsort(items, kind="stable")].ravel()


def _in_order(whole: Any, order: IntArray, axis: int) -> Any:
    if isinstance(whole, np.ndarray):
        return whole.take(order, axis)
    labels = whole.axes[axis]
    taken = whole.iloc[order] if axis == 0 else whole.iloc[:, order]
    # Positions are no labels: they count what is there, in whatever order.
    return taken.set_axis(labels, axis=axis) if isinstance(labels, pd.RangeIndex) else taken
