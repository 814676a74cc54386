# SPDX-License-Identifier: BSD-3-Clause
"""Templates: placeholders in the arguments of callbacks and merges, filled when more is known."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable
from string import Template as _Text
from typing import Any, ClassVar

from broadpeak._core import check, expressions
from broadpeak.errors import ParamError, ParamTypeError, broken_rule, shown
from broadpeak.types import Function, Keywords


class Template:
    """A placeholder that is replaced by a value of the context.

    Parameters
    ----------
    template : object
        What describes the value; see the subclasses.
    context : mapping, optional
        Additional names; they win over the ones of the run.
    eval_id : hashable or collection, optional
        Replace only at the point, or points, of that id. Default: at the first point.
    """

    __slots__ = ("context", "eval_id", "template")
    _kind: ClassVar[type | None] = str

    def __init__(
        self,
        template: Any,
        context: Keywords | None = None,
        eval_id: object = None,
    ) -> None:
        kind = self._kind
        if kind is not None and not isinstance(template, kind):
            rule = "be made of a string"
            raise ParamTypeError(broken_rule(type(self).__name__, rule, template))
        if context is not None:
            check.mapping("context", context, "Type: context={'name': value}")
        ids: Iterable[object] = (eval_id,)
        if isinstance(eval_id, (list, tuple, set, frozenset)):
            ids = eval_id
        for one in ids:
            check.identifier("eval_id", one)
        self.template = template
        self.context = context
        self.eval_id = eval_id

    def __repr__(self) -> str:
        options = {"context": self.context, "eval_id": self.eval_id}
        more = "".join(f", {key}={value!r}" for key, value in options.items() if value is not None)
        return f"{type(self).__name__}({self.template!r}{more})"

    def is_for(self, eval_id: object) -> bool:
        """Return whether this template is replaced at the point `eval_id`."""
        if self.eval_id is None:
            return True
        if isinstance(self.eval_id, (list, tuple, set, frozenset)):
            return eval_id in self.eval_id
        return bool(self.eval_id == eval_id)

    def fill(self, context: Keywords) -> Any:
        """Return the value that stands for this template under `context`."""
        check.mapping("context", context)
        return self._value({**context, **(self.context or {})})

    def _value(self, context: Keywords) -> Any:
        raise TypeError(broken_rule("template", "be Rep, RepEval, RepFunc or Sub", self))


class Rep(Template):
    """The value of a name of the context.

    Parameters
    ----------
    template : str
        The name.
    context : mapping, optional
        Additional names; they win over the ones of the run.
    eval_id : hashable or collection, optional
        Replace only at the point, or points, of that id.

    Raises
    ------
    TypeError
        If the name is no string.

    Notes
    -----
    The names that a template can use:

    =================  ==============================================  =======================
    name               meaning                                         known at
    =================  ==============================================  =======================
    ``n_tasks``        number of calls; None while it is unknown       every point
    ``n_chunks``       number of chunks; None while it is unknown      every point
    ``keys``           labels of the calls (pandas Index) or None      every point
    ``param_index``    index of all combinations (`parameterized`)     every point
    ``param_product``  values of all combinations, a list a parameter  every point
    ``chunk_idx``      number of the chunk, from 0                     pre and post chunk
    ``chunk_meta``     positions of the chunk's calls in the run       pre and post chunk
    ``chunk_results``  results of the chunk's calls                    post chunk
    ``results``        results of all calls that were kept             post execute and merge
    =================  ==============================================  =======================

    The points are ``"pre_execute_kwargs"``, ``"pre_chunk_kwargs"``, ``"post_chunk_kwargs"``,
    ``"post_execute_kwargs"`` and ``"merge_kwargs"``. What stands in `template_context` is known at
    every point.

    Examples
    --------
    >>> substitute({"number": Rep("chunk_idx")}, {"chunk_idx": 3})
    {'number': 3}
    """

    __slots__ = ()

    def _value(self, context: Keywords) -> Any:
        if self.template not in context:
            raise _unknown_name_error(self, self.template, context)
        return context[self.template]


class RepEval(Template):
    """The value of an expression over names of the context, in the language of conditions.

    Parameters
    ----------
    template : str
        The expression.
    context : mapping, optional
        Additional names; they win over the ones of the run.
    eval_id : hashable or collection, optional
        Replace only at the point, or points, of that id.

    Raises
    ------
    ConditionError
        If it is not in that language; see `broadpeak.Param`.

    Examples
    --------
    >>> substitute([RepEval("(chunk_idx + 1) % 3 == 0")], {"chunk_idx": 2})
    [True]
    """

    __slots__ = ()

    def __init__(
        self,
        template: str,
        context: Keywords | None = None,
        eval_id: object = None,
    ) -> None:
        super().__init__(template, context, eval_id)
        expressions.parse(template, "template")

    def _value(self, context: Keywords) -> Any:
        return expressions.parse(self.template, "template").evaluate(context)


class RepFunc(Template):
    """The result of a function of names of the context.

    Parameters
    ----------
    template : callable
        Called with the names that its arguments name; arguments with defaults may be unknown.
    context : mapping, optional
        Additional names; they win over the ones of the run.
    eval_id : hashable or collection, optional
        Replace only at the point, or points, of that id.

    Raises
    ------
    TypeError
        If it cannot be called.

    Examples
    --------
    >>> substitute(RepFunc(lambda chunk_idx, n_chunks: chunk_idx / n_chunks),
    ...            {"chunk_idx": 1, "n_chunks": 4, "keys": None})
    0.25
    """

    __slots__ = ()
    _kind = None

    def __init__(
        self,
        template: Function,
        context: Keywords | None = None,
        eval_id: object = None,
    ) -> None:
        super().__init__(template, context, eval_id)
        if not callable(self.template):
            raise ParamTypeError(broken_rule("RepFunc", "get a function", template))

    def _value(self, context: Keywords) -> Any:
        args: list[object] = []
        kwargs: dict[str, Any] = {}
        for parameter in _signature(self.template).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                kwargs = {**context, **kwargs}
            elif parameter.kind is parameter.VAR_POSITIONAL:
                continue
            elif parameter.name not in context:
                if parameter.default is parameter.empty:
                    raise _unknown_name_error(self, parameter.name, context)
            elif parameter.kind is parameter.POSITIONAL_ONLY:
                args.append(context[parameter.name])
            else:
                kwargs[parameter.name] = context[parameter.name]
        return self.template(*args, **kwargs)


class Sub(Template):
    """A string with ``$name`` replaced by values of the context (``$$`` is a dollar sign).

    Parameters
    ----------
    template : str
        The string.
    context : mapping, optional
        Additional names; they win over the ones of the run.
    eval_id : hashable or collection, optional
        Replace only at the point, or points, of that id.

    Raises
    ------
    TypeError
        If it is no string.

    Examples
    --------
    >>> substitute(Sub("chunk $chunk_idx of $n_chunks"), {"chunk_idx": 1, "n_chunks": 4})
    'chunk 1 of 4'
    """

    __slots__ = ()

    def _value(self, context: Keywords) -> Any:
        try:
            return _Text(self.template).substitute(context)
        except KeyError as error:
            raise _unknown_name_error(self, error.args[0], context) from None
        except ValueError as error:
            rule = "hold $name or $$ after every dollar sign"
            raise ParamError(broken_rule("Sub", rule, self.template)) from error


def _signature(func: Function) -> inspect.Signature:
    try:
        return inspect.signature(func)
    except ValueError as error:
        rule = "get a function whose arguments have names"
        raise ParamTypeError(broken_rule("RepFunc", rule, func)) from error


def _unknown_name_error(template: Template, name: str, context: Collection[str]) -> ParamError:
    names: Collection[object] = context  # users may pass other keys than strings
    known = ", ".join(sorted(one[:100] if isinstance(one, str) else shown(one) for one in names))
    known = known or "none"
    hint = check.did_you_mean(name, context)
    rule = f"use a name that is known at this point, not {shown(name)}"
    return ParamError(broken_rule("Template", rule, template, f"{hint} Known: {known}.".lstrip()))


def substitute(obj: object, context: Keywords, *, eval_id: object = None) -> Any:
    """Return `obj` with the templates in it replaced.

    Parameters
    ----------
    obj : object
        A template, or a tuple, list, set or dict that may hold some at any depth.
    context : mapping
        Values by name.
    eval_id : hashable, optional
        The point this is; templates of other points stay as they are.

    Returns
    -------
    object
        A changed copy, or `obj` itself if it holds no template for this point.

    Raises
    ------
    ParamError
        If a template uses a name that `context` does not have.

    Examples
    --------
    >>> substitute({"a": (1, Rep("x"))}, {"x": 2})
    {'a': (1, 2)}
    >>> substitute(Rep("x", eval_id="later"), {"x": 2}, eval_id="now")
    Rep('x', eval_id='later')
    """
    if isinstance(obj, Template):
        return obj.fill(context) if obj.is_for(eval_id) else obj
    if isinstance(obj, dict):
        filled = {key: substitute(value, context, eval_id=eval_id) for key, value in obj.items()}
        changed = {key: value for key, value in filled.items() if value is not obj[key]}
        return _updated(obj, changed) if changed else obj
    if isinstance(obj, (tuple, list, set, frozenset)):
        items = [substitute(item, context, eval_id=eval_id) for item in obj]
        if all(new is old for new, old in zip(items, obj, strict=True)):
            return obj
        return type(obj)(*items) if hasattr(obj, "_fields") else type(obj)(items)
    return obj


def _updated(mapping: dict[object, object], changed: dict[object, object]) -> dict[object, object]:
    copied = mapping.copy() if type(mapping) is dict else type(mapping)(mapping)
    copied.update(changed)
    return copied
