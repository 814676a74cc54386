# SPDX-License-Identifier: BSD-3-Clause
"""`parameterized`: one call of a function becomes a call for every combination of parameters."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from broadpeak._core import check
from broadpeak._merge.blocks import merge_blocks
from broadpeak._merge.merge_func import ByName, Fill, MergeFunc, MergeSpec, resolve_merge_func
from broadpeak._run.calls import Calls
from broadpeak._space.combine import Combos, select_combos
from broadpeak._space.param import Param
from broadpeak._sweep.arguments import Argument
from broadpeak._sweep.decorating import Decorated, Varying, caller_names, decorator
from broadpeak._sweep.execute import Settings, run
from broadpeak._sweep.mono import MonoPlan, MonoValues, constants, plan_mono
from broadpeak._sweep.options import Options
from broadpeak.errors import ConditionError
from broadpeak.types import IntArray, NoResult

Params: TypeAlias = Mapping[str, tuple[int | str, Param]]

_OWN = (
    "return_param_index",
    "eval_id",
    "random_subset",
    "seed",
    "grid_indices",
    "max_misses",
    "mono_n_chunks",
    "mono_chunk_len",
    "mono_chunk_meta",
)


def parameterized(
    func: Callable[..., Any] | None = None,
    *,
    merge_func: MergeSpec | None = None,
    merge_kwargs: Mapping[str, Any] | None = None,
    return_param_index: bool = False,
    eval_id: Any = None,
    random_subset: float | None = None,
    seed: int | None = None,
    grid_indices: slice | Sequence[int] | IntArray | None = None,
    max_misses: int | None = None,
    mono_n_chunks: int | str | None = None,
    mono_chunk_len: int | str | None = None,
    mono_chunk_meta: Sequence[Any] | None = None,
    raise_no_results: bool = True,
    template_context: Mapping[str, Any] | None = None,
    execute_kwargs: Mapping[str, Any] | None = None,
    **execute_options: Any,
) -> Any:
    """Call a function on every combination of the parameters among its arguments.

    Use it bare, with options, or on a function later. The new function has the name, docstring and
    signature of the old one. Wrap arguments in `Param`, or annotate them with it. Every option can
    be given at the call as well, with a leading underscore: ``_merge_func="concat"``; a dict is
    merged into the decorator's, an `atomic_dict` replaces it.

    Parameters
    ----------
    func : callable, optional
        The function; also a method or a function that Numba compiled.
    merge_func : str, callable, MergeFunc or tuple, optional
        How results are joined: "concat", "row_stack", "column_stack", "reset_column_stack", your
        own function of the list, or a tuple of these, one per returned object. Default: the return
        annotation if it is one of them, else the list of results in order of combinations.
    merge_kwargs : mapping, optional
        Arguments of the merge; templates allowed.
    return_param_index : bool
        Whether ``(results, index)`` is returned.
    eval_id : hashable, optional
        Take only Params with this id; others are passed on. For nested decorators.
    random_subset : int or float, optional
        A number of combinations, or a share in (0, 1], drawn from those that pass the conditions.
    seed : int, optional
        The same seed draws the same combinations.
    grid_indices : slice or integer array, optional
        Positions of the grid before conditions.
    max_misses : int, optional
        For `random_subset`, where conditions can only be met by drawing and rejecting: the number
        of misses in a row after which drawing ends with what was found; see `combine_params`.
    mono_n_chunks, mono_chunk_len : int or "auto", optional
        Pass many combinations in one call, each Param as the list of its values: in so many calls,
        or so many combinations a call; "auto" is the number of cores. See also `Param`.
    mono_chunk_meta : sequence of sequences of int, optional
        The combinations of every such call; each once.
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
    Arguments without Param are passed as they are, also an annotated one that is left at its
    default, which conditions may name all the same; if none is a Param, the function is called once
    and its own result returned. Order of combinations and of index levels: arguments in signature
    order, then ``*args`` (levels ``args_0, args_1, …``; for ``*windows``, ``windows_0``), then
    ``**kwargs``; the last one rotates fastest.

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
    given = {
        "merge_func": merge_func,
        "merge_kwargs": merge_kwargs,
        "return_param_index": None if return_param_index is False else return_param_index,
        "eval_id": eval_id,
        "random_subset": random_subset,
        "seed": seed,
        "grid_indices": grid_indices,
        "max_misses": max_misses,
        "mono_n_chunks": mono_n_chunks,
        "mono_chunk_len": mono_chunk_len,
        "mono_chunk_meta": mono_chunk_meta,
        "raise_no_results": None if raise_no_results is True else raise_no_results,
        "template_context": template_context,
        "execute_kwargs": execute_kwargs,
    }
    options = {name: value for name, value in given.items() if value is not None}
    return decorator(Parameterized, func, {**options, **execute_options}, caller_names())


class Parameterized(Decorated):
    """A function that runs over the Params among its arguments."""

    owner = "parameterized"
    own_names = _OWN
    rivals = ("mono_n_chunks", "mono_chunk_len", "mono_chunk_meta")

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> Any:
        """Call the function on all combinations, or once if there are none."""
        own = options.own
        check.flag("return_param_index", own.get("return_param_index", False))
        params = self._params(args, kwargs, check.identifier("eval_id", own.get("eval_id")))
        if not params:
            return self.func(*args, **kwargs)
        settings = self.settings(options)
        combos = self._combos(params, own)
        rules = {name: own.get(name) for name in ("mono_n_chunks", "mono_chunk_len")}
        plan = plan_mono(len(combos), mono_chunk_meta=own.get("mono_chunk_meta"), **rules)
        sweep = _Sweep(combos, settings) if plan is None else _MonoSweep(combos, settings, plan)
        calls = self.calls(args, kwargs, sweep.varying(params), sweep.n_calls)
        value, index = sweep.finish(calls)
        return (value, index) if own.get("return_param_index") and value is not NoResult else value

    def _combos(self, params: Params, own: Mapping[str, Any]) -> Combos:
        """Return the chosen combinations."""
        chosen: dict[str, Any] = {
            name: own.get(name) for name in ("grid_indices", "random_subset", "seed", "max_misses")
        }
        try:
            return select_combos({name: param for name, (_, param) in params.items()}, **chosen)
        except ConditionError as error:
            if error.unknown not in self.arguments.declared:
                raise
            name = error.unknown
            msg = (
                f"{error} Argument {name!r} is no parameter of this run: pass {name}=Param(…), or "
                f"give its value to the condition, context={{{name!r}: …}}."
            )
            raise ConditionError(msg) from None

    def _params(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], eval_id: Any) -> Params:
        """Return the place of every Param that is meant for this decorator, by its name."""
        passed = self.arguments.bind(args, kwargs, also=_is_param)
        found = ((argument, self._as_param(argument)) for argument in passed)
        params = {
            argument.name: (argument.place, param)
            for argument, param in found
            if param is not None and param.eval_id == eval_id
        }
        fixed = self._untouched(params, {argument.name for argument in passed})
        if not fixed:
            return params
        return {name: (place, param.with_names(fixed)) for name, (place, param) in params.items()}

    def _untouched(self, params: Params, passed: set[str]) -> dict[str, Any]:
        """Return the defaults of the other parameters by annotation: conditions may name them."""
        if all(param.condition is None for _, param in params.values()):
            return {}
        return {
            name: parameter.default
            for name, parameter in self.arguments.signature.parameters.items()
            if name not in passed
            and parameter.default is not parameter.empty
            and _is_rule(self.annotations.get(name))
        }

    def _as_param(self, argument: Argument) -> Param | None:
        annotation = self.annotations.get(argument.declared)
        is_rule = _is_rule(annotation)
        if isinstance(argument.value, Param):
            return argument.value.with_defaults(annotation) if is_rule else argument.value
        if not is_rule:
            return None
        return Param(argument.value).with_defaults(annotation)


def _is_rule(annotation: Any) -> bool:
    return annotation is Param or isinstance(annotation, Param)


def _is_param(_: str, default: Any) -> bool:
    return isinstance(default, Param)


class _Sweep:
    """One call for every combination."""

    def __init__(self, combos: Combos, settings: Settings) -> None:
        self.combos = combos
        self.settings = settings
        self.index = combos.index()

    @property
    def n_calls(self) -> int:
        """Number of calls."""
        return len(self.combos)

    def varying(self, params: Params) -> Varying:
        """Return, by place of the argument, its values and the code of every call."""
        columns = self.combos.columns
        return {
            place: (columns[name].values, columns[name].codes)
            for name, (place, _) in params.items()
        }

    def finish(self, calls: Calls) -> tuple[Any, pd.Index[Any]]:
        """Return the merged results and the index of the combinations that have one."""
        finished = run(calls, self.settings, keys=self.index, label=self.label, names=self.names)
        kept = finished.kept
        return finished.value, self.index if kept is None else self.index[kept]

    def label(self, position: int) -> str:
        """Return the text that names the combination of a call."""
        return describe(self.combos, position)

    def names(self, kept: IntArray | None) -> dict[str, Any]:
        """Return the names for templates when the calls `kept` have a result."""
        return self._names_of(kept)

    def _names_of(self, rows: IntArray | None) -> dict[str, Any]:
        named: dict[str, Any] = {"param_index": self.index if rows is None else self.index[rows]}
        if _has_arguments(self.settings):  # a list of every value is made only if it can be seen
            combos = self.combos if rows is None else self.combos.take(rows)
            named["param_product"] = combos.lists()
        return named


class _MonoSweep(_Sweep):
    """One call for every chunk of combinations."""

    def __init__(self, combos: Combos, settings: Settings, plan: MonoPlan) -> None:
        super().__init__(combos.take(plan.order), settings)
        # Combinations now stand in the order of chunks: every chunk is a stretch of them.
        ends = np.cumsum(plan.sizes)
        stretches = [np.arange(end - n, end) for end, n in zip(ends, plan.sizes, strict=True)]
        self.plan = MonoPlan(stretches)
        self._kept: IntArray | None = None

    @property
    def n_calls(self) -> int:
        """Number of chunks."""
        return len(self.plan.chunks)

    def varying(self, params: Params) -> Varying:
        """Return, by place of the argument, what every chunk gets."""
        context = self.settings.template_context or {}
        chunks = np.arange(self.n_calls)
        return {
            place: (MonoValues(param, self.combos.columns[name], self.plan, context), chunks)
            for name, (place, param) in params.items()
        }

    def finish(self, calls: Calls) -> tuple[Any, pd.Index[Any]]:
        """Return the merged results and the index of all combinations that have one."""
        settings = self.settings
        merge = resolve_merge_func(settings.merge_func)
        if merge is not None:
            settings = replace(settings, merge_func=_MonoMerge(merge, self))
        weights = self.plan.sizes
        finished = run(calls, settings, label=self.label, names=self.names, weights=weights)
        rows = self._rows(finished.kept)
        return finished.value, self.index if rows is None else self.index[rows]

    def label(self, position: int) -> str:
        """Return the text that names the combinations of a chunk."""
        rows = self.plan.chunks[position]
        first, last = (describe(self.combos, int(row)) for row in (rows[0], rows[-1]))
        return first if len(rows) == 1 else f"{len(rows)} combinations from {first} to {last}"

    def names(self, kept: IntArray | None) -> dict[str, Any]:
        """Return the names for templates when the chunks `kept` have a result."""
        self._kept = kept
        named = self._names_of(self._rows(kept))
        return {**named, "keys": named["param_index"]}

    def merge_blocks(self, how: str, pieces: list[Any], **kwargs: Any) -> Any:
        """Merge the results of the chunks as single calls would have been."""
        rows, sizes = self._rows(self._kept), self.plan.sizes
        combos, keys = self.combos, self.index
        if rows is not None and self._kept is not None:
            sizes = [sizes[number] for number in self._kept]
            combos, keys = combos.take(rows), keys[rows]
        options = {**kwargs, "keys": keys if kwargs.get("keys") is None else kwargs["keys"]}
        fixed = partial(constants, combos)
        return merge_blocks(how, pieces, sizes, constants=fixed, **options)

    def _rows(self, kept: IntArray | None) -> IntArray | None:
        if kept is None:
            return None
        chunks = [self.plan.chunks[number] for number in kept]
        return np.concatenate(chunks) if chunks else np.empty(0, dtype=np.int64)


class _MonoMerge(MergeFunc):
    """A merge whose named parts know how many combinations each result holds."""

    def __init__(self, merge: MergeFunc, sweep: _MonoSweep) -> None:
        super().__init__(merge)
        self._inner = merge
        self._sweep = sweep

    def apply(
        self,
        results: list[Any],
        *,
        keys: Any = None,
        kwargs: Mapping[str, Any] | None = None,
        fill: Fill | None = None,
        by_name: ByName | None = None,
    ) -> Any:
        """Merge the results of all chunks."""
        return self._inner.apply(
            results,
            keys=keys,
            kwargs=kwargs,
            fill=fill,
            by_name=by_name or self._sweep.merge_blocks,
        )


def describe(combos: Combos, position: int) -> str:
    """Return a combination as ``fast=10, slow=20``: labels where it has them."""
    labels = {
        level.param: level.labels[int(combos.columns[level.param].codes[position])]
        for level in combos.levels
    }
    values = {name: labels.get(name, column[position]) for name, column in combos.columns.items()}
    return ", ".join(f"{name}={_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    text = value if isinstance(value, str) and len(value) < 40 else reprlib.repr(value)
    return " ".join(text.split())


def _has_arguments(settings: Settings) -> bool:
    """Whether anything of the user's can hold templates."""
    if isinstance(settings.merge_func, (MergeFunc, tuple)):
        return True
    points = ("merge", "pre_execute", "pre_chunk", "post_chunk", "post_execute")
    return any(getattr(settings, f"{point}_kwargs") for point in points)
