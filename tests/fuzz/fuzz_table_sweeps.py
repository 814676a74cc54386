# SPDX-License-Identifier: BSD-3-Clause
"""Parameters, sweeps, chunks, merges, templates and engines."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from fuzz_rows import EXECUTE_OPTIONS, Table, public
from fuzz_world import area

import broadpeak as bp
from broadpeak._run import registry
from broadpeak._run.dispatch import SerialEngine

TABLE = Table()
row, method = TABLE.row, TABLE.method

# ------------------------------------------------------------------ parameter space

_combined = lambda w, p: (bp.combine_params({"x": p}), bp.ParamGrid({"x": p}).size)
row("Param", {"value": [1, 2, 3]}, then=_combined)
row(
    "Param(annotation)",
    {"value": [1, 2]},
    lambda w: bp.Param,
    of=bp.Param,
    then=lambda w, p: bp.parameterized(area)(p, bp.Param([3, 4], level=p.level)),
)
row("Param.from_columns", lambda w: {"frame": w.first}, then=_combined)
row("Param.level_names", {"argument": "x"}, lambda w: bp.Param([1, 2]).level_names)
row("Param.index_levels", {"argument": "x"}, lambda w: bp.Param([1, 2]).index_levels)
row("Param.with_names", {"names": {"x": "y"}}, lambda w: bp.Param([1, 2]).with_names)
row("Param.with_defaults", {"annotation": bp.Param}, lambda w: bp.Param([1]).with_defaults)
row("ParamGrid", {"params": {"x": [1, 2], "y": [3, 4]}}, then=lambda w, g: (g.size, list(g)))
row("ParamGrid(value)", {"x": [1, 2]}, lambda w: lambda x: list(bp.ParamGrid({"x": x})))
method("ParamGrid.sample", bp.ParamGrid.sample, lambda w: w.grid, {"n": 2, "seed": 1})
method("ParamGrid.select", bp.ParamGrid.select, lambda w: w.grid, {"random_subset": 2})
method("ParamGrid.index_of", None, lambda w: w.grid, {"combo": {"x": 1, "y": 4}})
row("ParamGrid.index_of(value)", {"x": 1, "y": 4}, lambda w: lambda **c: w.grid.index_of(c))
row("ParamGrid[]", {0: 1}, lambda w: w.grid.__getitem__)
row("ParamGrid.count", {}, lambda w: w.grid.count)
row("combine_params", {"params": {"x": [1, 2], "y": bp.Param([3, 4])}})
row("combine_params(value)", {"x": [1, 2], "y": 3}, lambda w: lambda **p: bp.combine_params(p))

# ------------------------------------------------------------------ sweeps

_tasks = lambda: [bp.Task(area, k, 2) for k in range(4)]
row("execute", lambda w: {"tasks": _tasks()}, more=("no_such",))
row(
    "execute(keys)",
    lambda w: {"tasks": _tasks(), "keys": [1, 2, 3, 4], "merge_func": "concat"},
    lambda _: bp.execute,
    of=bp.execute,
)
row(
    "execute(chunks)",
    lambda w: {"tasks": _tasks(), "distribute": "chunks", "chunk_len": 2, "engine": "threadpool"},
    lambda _: bp.execute,
    more=("n_chunks", "chunk_meta", "n_workers", "size", "engine_options", "retries", "timeout"),
)
row("Task", {0: area, 1: 2, 2: 3}, then=lambda w, task: bp.execute([task]))
row("Outcome", {"index": 0, "status": "ok"})
_keep = lambda w, reducer: bp.execute([bp.Task(float, k) for k in range(4)], keep=reducer)
row("top", {"n": 2}, then=_keep, more=("by",))
row("bottom", {"n": 2}, then=_keep, more=("by",))
row("histogram", {"bins": [0, 1, 2]}, then=_keep, more=("range", "by"))
row("histogram(number)", {"bins": 3, "range": (0, 2)}, lambda w: bp.histogram, then=_keep)
_sweep = lambda w, f: f(bp.Param([1, 2, 3]), bp.Param([4, 5]))
row(
    "parameterized",
    {"func": area, "merge_func": "concat"},
    then=lambda w, f: _sweep(w, f) if hasattr(f, "__wrapped__") else None,
    more=(*EXECUTE_OPTIONS, "no_such"),
)
row(
    "parameterized()",
    {"width": bp.Param([1, 2]), "height": bp.Param([3, 4])},
    lambda w: bp.parameterized(area),
    more=tuple(f"_{name}" for name in inspect.signature(bp.parameterized).parameters),
)


def _mono(x: Any) -> Any:
    return [value * 2.0 for value in x] if isinstance(x, list) else x * 2.0


row(
    "parameterized(mono)",
    {"mono_n_chunks": 2, "merge_func": "concat"},
    lambda w: lambda **o: bp.parameterized(_mono, **o)(bp.Param([1, 2, 3])),
    more=("mono_chunk_len", "mono_chunk_meta"),
)
row(
    "iterated",
    {"func": area, "merge_func": "concat"},
    then=lambda w, f: f([1, 2], 3) if hasattr(f, "__wrapped__") else None,
    more=(*EXECUTE_OPTIONS, "no_such"),
)


def _half(x: Any, y: Any = 1) -> Any:
    return list(x)


row("iterated()", {"width": [1, 2], "height": 3}, lambda w: bp.iterated(area))
row(
    "chunked",
    {"func": _half, "arg_take_spec": {"x": bp.ChunkSlicer()}, "n_chunks": 2},
    then=lambda w, f: f([1, 2, 3, 4]) if hasattr(f, "__wrapped__") else None,
    more=(*EXECUTE_OPTIONS, "no_such"),
)
row("chunked()", {"x": [1, 2, 3, 4]}, lambda w: bp.chunked(_half, n_chunks=2, size=4))


def _through(wrapped: Any) -> Any:
    return bp.chunked(_half, n_chunks=2, merge_func=list)(wrapped)


for _name in ("Chunked", "ChunkedArray", "NotChunked"):
    row(_name, {"value": [1, 2, 3, 4]}, then=lambda w, c: _through(c))
row("ChunkedCount", {"value": 4}, then=lambda w, c: bp.chunked(_same, n_chunks=2)(c))
row("ChunkedShape", {"value": (4, 2)}, then=lambda w, c: bp.chunked(_same, n_chunks=2)(c))


def _same(x: Any) -> Any:
    return x


def _taken(taker: Any, value: Any) -> Any:
    return bp.chunked(_same, arg_take_spec={"x": taker}, n_chunks=4, size=4)(value)


_ARRAY, _SHAPE = np.arange(16.0).reshape(4, 4), (4, 4)
for _name, _value in {
    "ChunkSelector": [1, 2, 3, 4],
    "ChunkSlicer": [1, 2, 3, 4],
    "CountAdapter": 4,
    "ShapeSelector": _SHAPE,
    "ShapeSlicer": _SHAPE,
    "ArraySelector": _ARRAY,
    "ArraySlicer": _ARRAY,
    "FlexArraySlicer": _ARRAY,
}.items():
    row(_name, {}, then=lambda w, t, value=_value: _taken(t, value))
    row(f"{_name}.take", {0: _value}, lambda w, n=_name: lambda v: _taken(public(n)(), v))
row("SequenceTaker", {"spec": [bp.ChunkSlicer(), None]}, then=lambda w, t: _taken(t, [_ARRAY, 1]))
row("MappingTaker", {"spec": {"a": bp.ChunkSlicer()}}, then=lambda w, t: _taken(t, {"a": _ARRAY}))
row("ArgsTaker", {0: bp.ChunkSlicer(), 1: None}, then=lambda w, t: _taken(t, (_ARRAY, 1)))
row("KwargsTaker", {"a": bp.ChunkSlicer()}, then=lambda w, t: _taken(t, {"a": _ARRAY}))
row(
    "SequenceTaker.take",
    {0: [_ARRAY]},
    lambda w: lambda v: _taken(bp.SequenceTaker([bp.ChunkSlicer()]), v),
)
row(
    "MappingTaker.take",
    {0: {"a": _ARRAY}},
    lambda w: lambda v: _taken(bp.MappingTaker({"a": bp.ChunkSlicer()}), v),
)
for _name, _value in {
    "ArgSizer": 4,
    "CountSizer": 4,
    "LenSizer": [1, 2, 3, 4],
    "ShapeSizer": _SHAPE,
    "ArraySizer": _ARRAY,
}.items():
    row(
        _name,
        {"arg_query": "x"},
        then=lambda w, s, value=_value: bp.chunked(_same, size=s, n_chunks=2)(value),
    )
    row(
        f"{_name}.size",
        {0: _value},
        lambda w, n=_name: bp.chunked(_same, size=public(n)("x"), n_chunks=2),
    )
row("Rules", {0: bp.ArraySizer()}, lambda w: bp.ChunkedArray().__or__)

# ------------------------------------------------------------------ merging, templates

_filled = lambda w, t: bp.execute(
    _tasks(), merge_func=lambda r, **k: r, merge_kwargs={"a": t}, template_context={"a": 1}
)
row("Rep", {"template": "a"}, then=_filled)
row("RepEval", {"template": "a + 1"}, then=_filled)
row("RepFunc", {"template": lambda a: a}, then=_filled)
row("Sub", {"template": "x $a"}, then=_filled)
row("Sub.fill", {0: {"a": 1}}, lambda w: bp.Sub("x $a").fill)
row("RepEval.fill", {0: {"a": 1}}, lambda w: bp.RepEval("a < 2").fill)
row("MergeFunc", {"merge_func": "concat"}, then=lambda w, m: m([1, 2], keys=[3, 4]))
row("resolve_merge_func", {"spec": "concat"}, then=lambda w, m: m and m([1, 2]))
for _name in ("concat", "row_stack", "column_stack", "reset_column_stack"):
    row(
        f"MergeFunc({_name})",
        {"results": [1.0, 2.0], "keys": [3, 4]},
        lambda w, n=_name: bp.MergeFunc(n),
    )
    row(
        f"MergeFunc({_name}) of results",
        lambda w: {0: w.close, 1: w.close},
        lambda w, n=_name: lambda *r: bp.MergeFunc(n)(list(r), keys=[*range(len(r))]),
    )
row("atomic_dict", {0: {"a": 1}}, lambda _: bp.atomic_dict)

# ------------------------------------------------------------------ engines

row("engines.register", {"name": "fuzzed", "factory": SerialEngine}, lambda w: _registered)
row("engines.available", {})
row("engines.names", {})
row("engines.shutdown", {})


def _registered(name: Any, factory: Any) -> Any:
    before = dict(registry._added)
    try:
        bp.engines.register(name, factory)
        return bp.execute(_tasks(), engine=name)
    finally:
        registry._added.clear()
        registry._added.update(before)
