# SPDX-License-Identifier: BSD-3-Clause
"""`MergeFunc`: what a merge is, by name or by function, with its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from broadpeak._core import check
from broadpeak._merge.named import NAMED
from broadpeak.errors import ParamError, ParamTypeError, broken_rule
from broadpeak.types import Function, Keywords

MergeSpec: TypeAlias = "str | Function | MergeFunc | tuple[object, ...]"

ByName: TypeAlias = Function
Fill: TypeAlias = Callable[[dict[str, object], Keywords | None, object], dict[str, object]]
"""``fill(kwargs, context, eval_id)`` returns the arguments of a merge with templates filled in."""

_OPTIONS = ("keys", "wrap")


class MergeFunc:
    """A merge with its settings: results of all calls in, one object out.

    Parameters
    ----------
    merge_func : str, callable, MergeFunc or tuple
        "concat", "row_stack", "column_stack", "reset_column_stack", your own function of the
        list of results, or a tuple of these, one per returned object.
    wrap : bool, optional
        For named merges. False: NumPy without labels; True: pandas; None: pandas where there are
        labels.
    context : mapping, optional
        Names for templates among `kwargs`.
    eval_id : hashable, optional
        Point at which templates among `kwargs` with that id are replaced; by default
        ``"merge_kwargs"``.
    **kwargs
        Passed to the merge; templates allowed. What a run passes as `merge_kwargs` goes first.

    Raises
    ------
    ParamError
        If `merge_func` is an unknown name.
    TypeError
        If it is no merge at all.

    Examples
    --------
    >>> MergeFunc("concat")([1, 2], keys=["a", "b"])
    a    1
    b    2
    dtype: int64
    >>> MergeFunc("concat", wrap=False)([1, 2], keys=["a", "b"])
    array([1, 2])
    """

    def __init__(
        self,
        merge_func: MergeSpec,
        *,
        wrap: bool | None = None,
        context: Keywords | None = None,
        eval_id: object = None,
        **kwargs: object,
    ) -> None:
        if wrap is not None:
            check.flag("wrap", wrap)
        if context is not None:
            check.mapping("context", context)
        check.identifier("eval_id", eval_id)
        self.merge_func = _checked_spec(merge_func)
        self.wrap = wrap
        self.context = context
        self.eval_id = eval_id
        self.kwargs = kwargs

    def __repr__(self) -> str:
        options = {"wrap": self.wrap, "context": self.context, "eval_id": self.eval_id}
        shown = {name: value for name, value in options.items() if value is not None} | self.kwargs
        inside = "".join(f", {name}={value!r}" for name, value in shown.items())
        return f"MergeFunc({self.merge_func!r}{inside})"

    @property
    def is_named(self) -> bool:
        """Whether results are merged by name, so that keys become labels."""
        return isinstance(self.merge_func, str)

    @property
    def uses_keys(self) -> bool:
        """Whether any part of the merge turns keys into labels."""
        if isinstance(self.merge_func, MergeFunc):
            return self.merge_func.uses_keys
        if isinstance(self.merge_func, tuple):
            parts = (resolve_merge_func(part) for part in self.merge_func)
            return any(part is not None and part.uses_keys for part in parts)
        return self.is_named

    def __call__(self, results: Sequence[object], *, keys: object = None, **kwargs: object) -> Any:
        """Merge `results`; named merges label them with `keys`."""
        check.iterable("results", results, "be a list of results")
        return self.apply(list(results), keys=keys, kwargs=kwargs)

    def apply(
        self,
        results: list[object],
        *,
        keys: object = None,
        kwargs: Keywords | None = None,
        fill: Fill | None = None,
        by_name: ByName | None = None,
    ) -> Any:
        """Merge `results` within a run.

        Parameters
        ----------
        results : list
            One a call.
        keys : Index, optional
            Labels of the calls; only named merges see them.
        kwargs : mapping, optional
            The run's `merge_kwargs`, not filled yet; they win over the ones of this object.
        fill : callable, optional
            Replaces templates; the layer that runs the calls brings it.
        by_name : callable, optional
            ``by_name(name, results, **kwargs)`` does a named merge, where it is not the usual one.
        """
        merged = {**self.kwargs, **(kwargs or {})}
        func = self.merge_func
        if isinstance(func, tuple):
            return self._apply_each(results, keys, merged, fill, by_name)
        if isinstance(func, MergeFunc):
            return func.apply(results, keys=keys, kwargs=merged, fill=fill, by_name=by_name)
        if fill is not None and merged:
            merged = fill(merged, self.context, self.eval_id)
        if self.wrap is not None:
            merged.setdefault("wrap", self.wrap)
        if callable(func):
            return func(results, **merged)
        for option in merged:
            if option not in _OPTIONS:
                raise check.unknown_option(f"merge {func!r}", option, _OPTIONS)
        merged.setdefault("keys", keys)
        merge = NAMED[func] if by_name is None else partial(by_name, func)
        if results and isinstance(results[0], tuple):  # several objects a call, all merged one way
            return tuple(merge(slot, **merged) for slot in _slots(results, len(results[0])))
        try:
            return merge(results, **merged)
        except UnicodeEncodeError as error:
            rule = "be strings that can be written in UTF-8"
            raise ParamError(broken_rule("results", rule, error.object)) from error

    def _apply_each(
        self,
        results: list[object],
        keys: object,
        kwargs: dict[str, object],
        fill: Fill | None,
        by_name: ByName | None,
    ) -> tuple[object, ...]:
        parts = [resolve_merge_func(part) for part in self.merge_func]
        slots = _slots(results, len(parts))
        return tuple(
            slot
            if part is None
            else part.apply(slot, keys=keys, kwargs=kwargs, fill=fill, by_name=by_name)
            for part, slot in zip(parts, slots, strict=True)
        )


MOST_NESTED = 20


def _checked_spec(spec: object, depth: int = 0) -> Any:
    if isinstance(spec, list):
        spec = tuple(spec)
    if isinstance(spec, tuple):
        if depth > MOST_NESTED:
            rule = f"be nested at most {MOST_NESTED} tuples deep"
            raise ParamError(broken_rule("merge_func", rule, spec))
        if not spec:
            raise ParamError(broken_rule("merge_func", "name at least one merge", spec))
        return tuple(part if part is None else _checked_spec(part, depth + 1) for part in spec)
    if isinstance(spec, str):
        return check.one_of("merge_func", spec, NAMED)
    if not callable(spec):
        rule = "be a name, a function, a MergeFunc or a tuple of them"
        remedy = f"Names: {', '.join(NAMED)}."
        raise ParamTypeError(broken_rule("merge_func", rule, spec, remedy))
    return spec


def _slots(results: list[Any], width: int) -> list[list[Any]]:
    """Return the list of first items, the list of second items, … of tuple results."""
    for result in results:
        if not isinstance(result, (tuple, list)) or len(result) != width:
            raise ParamTypeError(
                broken_rule(
                    "Every result",
                    f"be a tuple of {width} objects, one per merge",
                    result,
                    "Return a tuple of that length from every call, or pass one merge name.",
                )
            )
    return [[result[slot] for result in results] for slot in range(width)]


def resolve_merge_func(spec: MergeSpec | None) -> MergeFunc | None:
    """Return the merge that `spec` stands for.

    Parameters
    ----------
    spec : str, callable, MergeFunc, tuple or None
        As for `MergeFunc`; a tuple holds one merge per returned object (None keeps the list).

    Returns
    -------
    MergeFunc or None
        Callable on the list of results, with ``keys=``; None for None.

    Raises
    ------
    ParamError
        If a name is unknown; the message has the nearest one.
    TypeError
        If `spec` is no merge at all.

    Examples
    --------
    >>> resolve_merge_func("concat")([0.5, 0.7], keys=["a", "b"])
    a    0.5
    b    0.7
    dtype: float64
    """
    if spec is None or isinstance(spec, MergeFunc):
        return spec
    return MergeFunc(spec)
