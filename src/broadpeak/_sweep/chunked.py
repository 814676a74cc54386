# SPDX-License-Identifier: BSD-3-Clause
"""`chunked`: cut arguments, call the function on every piece, join the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from broadpeak._core import check
from broadpeak._merge.merge_func import MergeSpec, resolve_merge_func
from broadpeak._sweep.arguments import replaced
from broadpeak._sweep.chunk_rules import Piece
from broadpeak._sweep.chunkspec import ChunkSpec, Cut
from broadpeak._sweep.decorating import Decorated, Varying, caller_names, decorator
from broadpeak._sweep.execute import Settings, run
from broadpeak._sweep.inorder import InOrder, lie_in_order
from broadpeak._sweep.options import Options
from broadpeak._sweep.pieces import Pieces, plan_pieces
from broadpeak._sweep.sizers import ArgSizer
from broadpeak._sweep.templates import Template
from broadpeak.errors import ParamError, broken_rule

_OWN = (
    "arg_take_spec",
    "size",
    "min_size",
    "n_chunks",
    "chunk_len",
    "chunk_meta",
    "skip_single_chunk",
    "disable",
)


def chunked(
    func: Callable[..., Any] | None = None,
    *,
    arg_take_spec: Mapping[Any, Any] | Sequence[Any] | None = None,
    size: int | ArgSizer | None = None,
    min_size: int | None = None,
    n_chunks: int | str | None = None,
    chunk_len: int | str | None = None,
    chunk_meta: Sequence[Any] | None = None,
    skip_single_chunk: bool = True,
    merge_func: MergeSpec | None = None,
    merge_kwargs: Mapping[str, Any] | None = None,
    disable: bool = False,
    execute_kwargs: Mapping[str, Any] | None = None,
    **execute_options: Any,
) -> Any:
    """Call a function on chunks of its arguments and join the results.

    What is cut, and how, is said by `arg_take_spec`, by annotations
    (``x: ChunkedArray(axis=1) | ArraySizer(axis=1)``), or by wrapping values at the call
    (``Chunked(x)``); the latter win. The joined result equals that of the call in one piece. Every
    option can be given at the call as well, with a leading underscore.

    Parameters
    ----------
    func : callable, optional
        The function; without it, a decorator is returned.
    arg_take_spec : mapping or sequence, optional
        Rules by name, position or compiled pattern of arguments; a sequence goes by position.
        ``args`` and ``kwargs`` take an `ArgsTaker` and a `KwargsTaker`.
    size : int or sizer, optional
        Number of items. Default: what the cut arguments have, which must agree.
    min_size : int, optional
        Fewer items than this are not cut.
    n_chunks, chunk_len : int or "auto", optional
        Number of chunks, or items a chunk; "auto" is the number of cores. Default: a chunk a core.
    chunk_meta : sequence, optional
        The items of every chunk as slices, ranges or lists of positions; each item once. Named
        merges put the items back in order.
    skip_single_chunk : bool
        Whether a single chunk is a direct call, the raw result of which is returned.
    merge_func, merge_kwargs
        How results are joined, as in `parameterized`; there are no labels to add. Default: the
        return annotation if it names a merge, else the list of results.
    disable : bool
        Call the function in one piece.
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
        If an option does not exist, or a rule is none.
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
    given = {
        "arg_take_spec": arg_take_spec,
        "size": size,
        "min_size": min_size,
        "n_chunks": n_chunks,
        "chunk_len": chunk_len,
        "chunk_meta": chunk_meta,
        "skip_single_chunk": None if skip_single_chunk is True else skip_single_chunk,
        "merge_func": merge_func,
        "merge_kwargs": merge_kwargs,
        "disable": None if disable is False else disable,
        "execute_kwargs": execute_kwargs,
    }
    options = {name: value for name, value in given.items() if value is not None}
    return decorator(ChunkedFunction, func, {**options, **execute_options}, caller_names())


class ChunkedFunction(Decorated):
    """A function that is called on chunks of its arguments."""

    owner = "chunked"
    own_names = _OWN
    rivals = ("n_chunks", "chunk_len", "chunk_meta")

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> Any:
        """Call the function on every chunk, or directly if there is nothing to cut."""
        own = options.own
        for name in ("skip_single_chunk", "disable"):
            check.flag(name, own.get(name, False))
        spec = ChunkSpec(own.get("arg_take_spec"), self.arguments, self.annotations)
        cuts = spec.cuts(self.arguments.bind(args, kwargs, also=spec.has_rule))
        bare = {cut.argument.place: cut.argument.value for cut in cuts}
        new_args, new_kwargs = replaced(args, kwargs, bare)
        pieces = None if own.get("disable") else self._pieces(spec, cuts, own)
        if pieces is None:
            return self.func(*new_args, **new_kwargs)
        settings = _with_hooks(self.settings(options))
        numbers = np.arange(len(pieces))
        varying: Varying = {}
        for cut in cuts:
            value = cut.argument.value
            if cut.taker is not None or isinstance(value, Template):
                context = settings.template_context
                varying[cut.argument.place] = Pieces(value, cut.taker, pieces, context), numbers
        calls = self.calls(new_args, new_kwargs, varying, len(pieces))
        names = None
        merge = None if lie_in_order(pieces) else resolve_merge_func(settings.merge_func)
        if merge is not None:
            merge = InOrder(merge, pieces)
            settings, names = replace(settings, merge_func=merge), merge.keep
        weights = [len(piece) for piece in pieces]
        label = _label_of(pieces)
        return run(calls, settings, label=label, names=names, weights=weights).value

    def _pieces(
        self, spec: ChunkSpec, cuts: list[Cut], own: Mapping[str, Any]
    ) -> list[Piece] | None:
        """Return the chunks; None if the function is to be called in one piece."""
        size = spec.size(cuts, own.get("size"))
        least = own.get("min_size")
        if not size or size < (0 if least is None else check.integer("min_size", least, 0)):
            return None
        takers = [cut.taker for cut in cuts if cut.taker is not None]
        has_templates = any(isinstance(cut.argument.value, Template) for cut in cuts)
        if not takers and not has_templates:
            return None
        one_by_one = any(taker.by_number for taker in takers)
        pieces = plan_pieces(
            size,
            n_chunks=own.get("n_chunks"),
            chunk_len=own.get("chunk_len"),
            chunk_meta=own.get("chunk_meta"),
            one_by_one=one_by_one,
        )
        must_cut = one_by_one or has_templates or not own.get("skip_single_chunk", True)
        if one_by_one and len(pieces) != size:
            rule = "be as many as the items, where a selector gives every chunk one item"
            raise ParamError(broken_rule("Chunks", rule, len(pieces), f"Pass n_chunks={size}."))
        return pieces if must_cut or len(pieces) > 1 or not pieces[0].is_all else None


def _with_hooks(settings: Settings) -> Settings:
    """Let callbacks of chunks see every chunk of the arguments, unless these are packed further.

    Whole chunks are sent to workers then, or one would have to end before the next begins.
    """
    is_packed = any((settings.n_chunks, settings.chunk_len, settings.chunk_meta is not None))
    if is_packed or not (settings.pre_chunk_func or settings.post_chunk_func):
        return settings
    return replace(settings, chunk_len=1, distribute="chunks")


def _label_of(pieces: Sequence[Piece]) -> Callable[[int], str]:
    return lambda number: str(pieces[number])
