# SPDX-License-Identifier: BSD-3-Clause
"""`parameterized`: one call of a function becomes a call for every combination of parameters.

With mono-chunks it becomes a call for many combinations, each parameter as the list of its values.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate, islice
from typing import Any, TypeAlias, Unpack

import numpy as np

from broadpeak._core import check
from broadpeak._core.aliases import Index
from broadpeak._merge.blocks import merge_blocks
from broadpeak._merge.merge_func import MergeSpec, resolve_merge_func
from broadpeak._run.chunks import Auto, Chunk, ChunkMeta, in_order, order_of, plan_chunks
from broadpeak._run.execute import run
from broadpeak._run.keeping import Best
from broadpeak._run.options import ChunkOptions, DispatchOptions, Settings
from broadpeak._run.sinks import Finished
from broadpeak._run.templates import substitute
from broadpeak._space.combine import Column, Combos, select_combos
from broadpeak._space.lazycombos import ComboBlocks
from broadpeak._space.param import Param
from broadpeak._sweep.decorating import (
    Decorated,
    OneByOne,
    Options,
    Varying,
    caller_names,
    decorator,
    options_given,
    own_options,
)
from broadpeak._sweep.mono import LEAST, Mono, checked_mono, run_listed
from broadpeak._sweep.streaming import Wanted, run_kept, run_mono_kept
from broadpeak.errors import ConditionError, ParamError, broken_rule
from broadpeak.types import Function, IntArray, Keywords, NoResult, ParamValues, Reducer

Params: TypeAlias = dict[str, Param]
Places: TypeAlias = dict[str, int | str]


class ParameterizedOptions(DispatchOptions, ChunkOptions, total=False):
    """Options of `execute` that `parameterized` only passes on."""


def parameterized(
    func: Function | None = None,
    *,
    merge_func: MergeSpec | None = None,
    merge_kwargs: Keywords | None = None,
    keep: Reducer | None = None,
    to: str | os.PathLike[str] | None = None,
    return_param_index: bool = False,
    eval_id: object = None,
    random_subset: float | None = None,
    seed: int | None = None,
    grid_indices: slice | Sequence[int] | IntArray | None = None,
    max_misses: int | None = None,
    mono: bool | str = "auto",
    mono_n_chunks: Auto = None,
    mono_chunk_len: Auto = None,
    mono_chunk_meta: ChunkMeta = None,
    raise_no_results: bool = True,
    template_context: Keywords | None = None,
    execute_kwargs: Keywords | None = None,
    **execute_options: Unpack[ParameterizedOptions],
) -> Function:
    """Call a function on every combination of the parameters among its arguments.

    Use it bare, with options, or on an existing function. The new function keeps name, docstring
    and signature. Wrap arguments in `Param`, or annotate them with it. Every option can also be
    given at the call, with a leading underscore: ``_merge_func="concat"``. A dict is merged into
    that of the decorator; an `atomic_dict` replaces it.

    Parameters
    ----------
    func : callable, optional
        The function; also a method or a function that Numba compiled.
    merge_func : str, callable, MergeFunc or tuple, optional
        How results are joined: "concat", "row_stack", "column_stack", "reset_column_stack", your
        own function of the list, or a tuple of these, one per returned object. Default: the return
        annotation if it is one of them; otherwise results are a list, in order of combinations.
    merge_kwargs : mapping, optional
        Arguments of the merge; templates allowed.
    keep : Reducer, optional
        `broadpeak.top`, `bottom`, `histogram` or your own `types.Reducer`: takes results as they
        arrive. Neither results, nor combinations, nor their index are held but for what is kept,
        so that there may be any number. Not with `merge_func`.
    to : path, optional
        A file that ends in ``.parquet``: every result becomes a row of it, in order of
        combinations, beside a column for each level of their labels, and none is held. It gets its
        name when it is complete. The call returns its path or, with `keep`, what is kept.
    return_param_index : bool
        Whether ``(results, index)`` is returned.
    eval_id : hashable, optional
        Take only the Params with this id, and pass the others on: for nested decorators.
    random_subset : int or float, optional
        A number of combinations, or a share in (0, 1], drawn from those that pass the conditions.
    seed : int, optional
        The same seed draws the same combinations.
    grid_indices : slice or integer array, optional
        Positions of the grid before conditions.
    max_misses : int, optional
        For `random_subset`, where conditions can only be met by drawing and rejecting: the number
        of misses in a row after which drawing ends with what was found; see `combine_params`.
    mono : {"auto", True, False}
        Whether many combinations may go to one call, as lists. "auto": where the function passes
        its parameters on to the library alone, and some combinations gave the same bits and labels
        singly and as a list; nothing but the speed shows it. True: also other functions are tried,
        and whatever speaks against lists is an error. False: never.
    mono_n_chunks, mono_chunk_len : int or "auto", optional
        Number of mono-chunks, or of combinations in each: one call gets many combinations, every
        Param as the list of its values. "auto" is the number of cores. See also `Param`.
    mono_chunk_meta : iterable, optional
        The combinations of each mono-chunk as slices, ranges or lists of positions; each once.
    raise_no_results : bool
        False: return `NoResult` if every call returned it.
    template_context : mapping, optional
        Additional names for templates.
    execute_kwargs : mapping, optional
        Options of `execute`.
    **execute_options
        The same, given flat: ``engine="threadpool"``.

    Returns
    -------
    callable
        The function over parameters; without `func`, a decorator.

    Raises
    ------
    TypeError
        If an option does not exist; the message names the nearest one.
    ParamError
        At the call, if the parameters make no combination.

    Notes
    -----
    Arguments that are no Param are passed as they are. So is one that is annotated as a Param and
    left at its default, though conditions may name it. Without any Param the function is called
    once, and its own result returned. Combinations and index levels have the order of the
    signature, then of ``*args`` (levels ``args_0, args_1, …``; for ``*windows``, ``windows_0``),
    then of ``**kwargs``; the last one rotates fastest.

    Examples
    --------
    >>> import broadpeak as bp
    >>> @bp.parameterized(merge_func="concat")
    ... def spread(fast, slow):
    ...     return slow - fast
    >>> spread(bp.Param([1, 2], condition="fast < slow"), bp.Param([2, 3]))
    fast  slow
    1     2       1
          3       2
    2     3       1
    dtype: int64
    >>> spread(1, 5)
    4
    """
    given = options_given(parameterized, locals())
    return decorator(Parameterized, func, given, caller_names())


class Parameterized(Decorated):
    """A function that runs over the Params among its arguments."""

    owner = "parameterized"
    own_names = own_options(parameterized)
    rivals = ("mono", "mono_n_chunks", "mono_chunk_len", "mono_chunk_meta")
    rules = rivals[1:]  # of mono-chunks

    def __init__(self, func: Function, given: Keywords, local_names: Keywords) -> None:
        super().__init__(func, given, local_names)
        defaults = self.arguments.defaults.items()
        self._params_by_default = [name for name, value in defaults if isinstance(value, Param)]
        self._rules: Keywords | None = None  # of annotations, once they are all resolved

    def call(self, args: tuple[object, ...], kwargs: dict[str, object], options: Options) -> Any:
        """Call the function on all combinations, or once if there are none."""
        own_values = options.own
        with_index = own_values.get("return_param_index", False)
        if with_index is not False:
            check.flag("return_param_index", with_index)
        params, positions = self._params(args, kwargs, own_values.get("eval_id"))
        if not params:
            return self.func(*args, **kwargs)
        settings = options.settings or self.settings(options)
        mono = checked_mono(own_values["mono"]) if "mono" in own_values else "auto"
        has_rules = not own_values.keys().isdisjoint(self.rules) and any(
            own_values.get(name) is not None for name in self.rules
        )
        if has_rules and mono is False:
            rules = [name for name in self.rules if own_values.get(name) is not None]
            rule = f"not be False beside {' and '.join(rules)}"
            raise ParamError(broken_rule("mono", rule, mono, "Leave out one of them."))
        if settings.keep is not None or settings.to is not None:
            arguments = args, kwargs, params, positions
            return self._run_kept(arguments, settings, mono, own_values, with_index=with_index)
        combos: Combos = self._combos(params, own_values)
        if has_rules:
            chunks = plan_chunks(len(combos), *map(own_values.get, self.rules), prefix="mono_")
            arguments = args, kwargs, params, positions
            finished, index = self._run_chunks(arguments, combos, chunks, settings)
        else:
            index = combos.index()
            varying: Varying = {}
            for name, position in positions.items():
                column = combos.columns[name]
                varying[position] = (column.values, column.codes)
            calls = self.calls(args, kwargs, varying, len(combos))
            do = partial(
                run,
                settings=settings,
                keys=index,
                label=partial(describe, combos),
                names=partial(_names, combos, index),
            )
            if mono is False or len(combos) < (2 if mono is True else LEAST):
                finished = do(calls)
            else:
                finished = run_listed(do, calls, mono, params, settings)
            if finished.kept is not None:
                index = index[finished.kept]
        if with_index and finished.value is not NoResult:
            return finished.value, index
        return finished.value

    def _run_chunks(
        self,
        arguments: tuple[tuple[object, ...], dict[str, object], Params, Places],
        combos: Combos,
        chunks: list[Chunk],
        settings: Settings,
    ) -> tuple[Finished, Index]:
        """Call the function on every chunk; return also the index of what has a result."""
        if not in_order(chunks):  # then combinations follow the chunks: each is a stretch of them
            combos = combos.take(order_of(chunks))
        sizes = [len(chunk) for chunk in chunks]
        stretches = [
            range(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)
        ]
        index = combos.index()

        def seen(kept: IntArray | None) -> tuple[Combos, Index]:
            """Return the combinations of the chunks `kept`, and their index."""
            if kept is None:
                return combos, index
            rows = [np.arange(at.start, at.stop) for at in map(stretches.__getitem__, kept)]
            whole = np.concatenate([np.arange(0), *rows])
            return combos.take(whole), index[whole]

        def label(number: int) -> str:
            rows = stretches[number]
            first, last = describe(combos, rows[0]), describe(combos, rows[-1])
            return first if len(rows) == 1 else f"{len(rows)} combinations from {first} to {last}"

        def names(kept: IntArray | None) -> Keywords:
            there, keys = seen(kept)
            return {"param_index": keys, "param_product": there.lists(), "keys": keys}

        def by_name(kept: IntArray | None, how: str, pieces: list[Any], **options: Any) -> Any:
            there, keys = seen(kept)
            counts = sizes if kept is None else [sizes[number] for number in kept]
            if options.get("keys") is None:
                options["keys"] = keys
            return merge_blocks(how, pieces, counts, constants=partial(constants, there), **options)

        args, kwargs, params, positions = arguments
        context = settings.template_context or {}
        numbers = np.arange(len(chunks))
        varying: Varying = {
            positions[name]: (
                _mono_values(param, combos.columns[name], stretches, context),
                numbers,
            )
            for name, param in params.items()
        }
        finished = run(
            self.calls(args, kwargs, varying, len(chunks)),
            settings,
            label=label,
            names=names,
            weights=sizes,
            by_name=by_name,
        )
        return finished, seen(finished.kept)[1]

    def _run_kept(
        self,
        arguments: tuple[tuple[object, ...], dict[str, object], Params, Places],
        settings: Settings,
        mono: Mono,
        own_values: Keywords,
        *,
        with_index: bool,
    ) -> Any:
        """Return what is kept, with `with_index` also its combinations, or the path of a file."""
        args, kwargs, params, positions = arguments
        if with_index and not isinstance(settings.keep, Best):
            rule = "be left out with to=, whose file has the combinations"
            if settings.keep is not None:
                rule = "be left out with a reducer that keeps no combinations"
            got = settings.to if settings.keep is None else settings.keep
            raise ParamError(broken_rule("return_param_index", rule, got))
        combos: ComboBlocks = self._combos(params, own_values, ComboBlocks)
        wanted = Wanted(
            combos,
            {name: param.values for name, param in combos.axes.params.items()},
            settings,
            lambda varying, n: self.calls(
                args, kwargs, {positions[name]: coded for name, coded in varying.items()}, n
            ),
            describe,
        )
        rules = [own_values.get(name) for name in self.rules]
        if all(rule is None for rule in rules):
            finished = run_kept(wanted, mono)
        else:
            context = settings.template_context or {}
            chunks = plan_chunks(len(combos), *rules, prefix="mono_")
            finished = run_mono_kept(
                wanted,
                chunks,
                lambda name, column, rows: _mono_values(params[name], column, rows, context),
            )
        if with_index and finished.value is not NoResult:
            return finished.value, finished.value.index
        return finished.value

    def _combos(
        self, params: Params, own_values: Keywords, select: Function = select_combos
    ) -> Any:
        """Return the chosen combinations, made by `select`."""
        try:
            return select(
                params,
                grid_indices=own_values.get("grid_indices"),
                random_subset=own_values.get("random_subset"),
                seed=own_values.get("seed"),
                max_misses=own_values.get("max_misses"),
            )
        except ConditionError as error:
            if error.unknown not in self.arguments.declared:
                raise
            name = error.unknown
            msg = (
                f"{error} Argument {name!r} is no parameter of this run: pass {name}=Param(…), or "
                f"give its value to the condition, context={{{name!r}: …}}."
            )
            raise ConditionError(msg) from None

    def _params(
        self, args: tuple[object, ...], kwargs: Keywords, eval_id: object
    ) -> tuple[Params, Places]:
        """Return the Params that are meant for this decorator, and their positions, by name."""
        if eval_id is not None:
            check.identifier("eval_id", eval_id)
        arguments = self.arguments
        rules = self._rules if self._rules is not None else self._resolved_rules()
        passed = arguments.bind(args, kwargs, self._params_by_default)
        params: Params = {}
        positions: Places = {}
        for name, position, declared, value in passed:
            param, rule = value, rules.get(declared)
            if rule is not None:
                param = value if isinstance(value, Param) else Param(value)
                param = param.with_defaults(rule)
            if isinstance(param, Param) and param.eval_id == eval_id:
                params[name], positions[name] = param, position
            elif type(value) in _CONTAINERS:
                _refuse_inside(name, value, eval_id)
        if rules and any(param.condition is not None for param in params.values()):
            # Conditions may also name what is a parameter by annotation and left at its default.
            seen = {argument.name for argument in passed}
            defaults = arguments.defaults
            left = {name: defaults[name] for name in rules if name in defaults and name not in seen}
            if left:
                params = {name: param.with_names(left) for name, param in params.items()}
        return params, positions

    def _resolved_rules(self) -> Keywords:
        """Return the annotations that make a parameter of what is passed, by argument."""
        found = {name: self.annotations.get(name) for name in self.arguments.signature.parameters}
        rules = {
            name: rule for name, rule in found.items() if rule is Param or isinstance(rule, Param)
        }
        if self.annotations.are_final:
            self._rules = rules
        return rules


_CONTAINERS = frozenset({list, tuple, dict})
_FEW = 1000  # items that are looked at: nobody writes more of them


def _refuse_inside(name: str, value: Any, eval_id: object) -> None:
    """Refuse a Param inside a list, tuple or dict: nobody would take its values one by one."""
    items = value.values() if type(value) is dict else value
    for item in islice(items, _FEW):
        if isinstance(item, Param) and item.eval_id == eval_id:
            remedy = (
                f"Type {name}=Param([…]) with whole lists or dicts as values, or give the Param an "
                "argument of its own. One that another decorator is to take needs its eval_id=."
            )
            raise ParamError(broken_rule(name, "be a Param, or hold none", value, remedy))
        if type(item) in _CONTAINERS:
            _refuse_inside(name, item, eval_id)


def _names(combos: Combos, index: Index, kept: IntArray | None) -> Keywords:
    """Return the names for templates where the combinations `kept` have a result."""
    if kept is None:
        return {"param_index": index, "param_product": combos.lists()}
    return {"param_index": index[kept], "param_product": combos.take(kept).lists()}


def describe(combos: Combos, position: int) -> str:
    """Return a combination as ``fast=10, slow=20``: labels where it has them."""
    labels = {
        level.param: level.labels[int(combos.columns[level.param].codes[position])]
        for level in combos.levels
    }
    values = {name: labels.get(name, column[position]) for name, column in combos.columns.items()}
    return ", ".join(f"{name}={_short(value)}" for name, value in values.items())


def _short(value: object) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    text = value if isinstance(value, str) and len(value) < 40 else reprlib.repr(value)
    return " ".join(text.split())


def _mono_values(
    param: Param, column: Column, stretches: Sequence[range], context: Keywords
) -> OneByOne:
    """Return what one parameter passes to each chunk: its values there, joined as `param` says."""
    reduce, merge = bool(param.mono_reduce), resolve_merge_func(param.mono_merge_func)
    arguments = dict(param.mono_merge_kwargs or {})

    def make(number: int) -> Any:
        rows = stretches[number]
        codes = column.codes[rows.start : rows.stop].tolist()
        values = [column.values[code] for code in codes]
        if reduce and _all_equal(values):
            return values[0]
        if merge is None:
            return ParamValues(values)

        def fill(
            kwargs: dict[str, object], more: Keywords | None, eval_id: object
        ) -> dict[str, object]:
            known = {**context, "chunk_idx": number, "n_chunks": len(stretches), **(more or {})}
            point = "mono_merge_kwargs" if eval_id is None else eval_id
            filled: dict[str, object] = substitute(kwargs, known, eval_id=point)
            return filled

        return merge.apply(values, kwargs=arguments, fill=fill)

    return OneByOne(len(stretches), make)


def _all_equal(values: Iterable[object]) -> bool:
    rest = iter(values)
    first = next(rest)
    return all(value is first or _equal(value, first) for value in rest)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(left, right)
    equals: Callable[[object], object] | None = getattr(left, "equals", None)
    try:
        return bool(equals(right)) if equals is not None else bool(left == right)
    except (TypeError, ValueError):
        return False


def constants(combos: Combos, rows: IntArray) -> list[object]:
    """Return the value of every parameter that is the same in the combinations `rows`."""
    fixed = []
    for column in combos.columns.values():
        codes = np.unique(column.codes[rows]).tolist()  # a value may be there more than once
        if codes and _all_equal(column.values[code] for code in codes):
            fixed.append(column.values[codes[0]])
    return fixed
