# SPDX-License-Identifier: BSD-3-Clause
"""Calls of a function that Numba compiled, made in a compiled loop: 5 ns each instead of 500.

The loop calls the very code that a single call runs, with arguments of the types that a single call
would see. It is kept from being merged into the loop, where the compiler may use other instructions
for several calls at once, so that results are the same to the last bit. Whatever is not plain
(values of several types, results that are no numbers) is left to single calls.

Numba is not imported here: where there is a compiled function, it is there.
"""

from __future__ import annotations

import builtins
import inspect
import operator
import sys
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from types import CodeType, ModuleType
from typing import Any, Final, overload

import numpy as np

from broadpeak._core.stopping import Unstopped
from broadpeak._core.threads import bounds_of, parts_for, share
from broadpeak.types import AnyArray, IntArray

FEWEST_CALLS: Final = 1 << 18
"""Calls of a run from which on it pays to compile a loop (0.2 s)."""

_TYPES: Final[dict[type, Any]] = {int: np.int64, float: np.float64, bool: np.bool_} | {
    kind: kind
    for kind in (
        *(np.bool_, np.float64, np.float32, np.int64, np.int32, np.int16, np.int8),
        *(np.uint64, np.uint32, np.uint16, np.uint8),
    )
}
"""Types of varying arguments, and of arrays whose entries a compiled function sees as such."""

_FIXED: Final = (int, float, bool, str, bytes, type(None), np.ndarray, np.generic)
_LOOPS: Final = "_broadpeak_loops"
_BEGIN_SECONDS: Final = 5e-5  # until a loop has begun
_UNSURE: Final = frozenset({"random", "seed", "print", "objmode", "parallel_chunksize"})
_PURE_MODULES: Final = ("math", "cmath", "numpy", "numba", "builtins", "operator")


class ResultColumns(Sequence[Any]):
    """Results that are tuples, stored by field.

    Parameters
    ----------
    arrays : sequence of arrays
        One a field.
    make : type
        `tuple`, or a named tuple.
    """

    def __init__(self, arrays: Sequence[AnyArray], make: Any) -> None:
        self.arrays, self._make = arrays, make

    def __len__(self) -> int:
        return len(self.arrays[0])

    @overload
    def __getitem__(self, item: int) -> Any: ...
    @overload
    def __getitem__(self, item: slice) -> ResultColumns: ...
    def __getitem__(self, item: int | slice) -> Any:
        if isinstance(item, slice):
            return ResultColumns([array[item] for array in self.arrays], self._make)
        return self[item : item + 1].tolist()[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        """Return the results as single calls would have returned them."""
        rows = zip(*(array.tolist() for array in self.arrays), strict=True)
        return list(rows) if self._make is tuple else [self._make(*row) for row in rows]

    def joined(self, parts: Sequence[ResultColumns]) -> ResultColumns:
        """Return the results of `parts`, of which this is one, behind each other."""
        columns = zip(*(part.arrays for part in parts), strict=True)
        return ResultColumns([np.concatenate(arrays) for arrays in columns], self._make)

    def by_name(self) -> Mapping[str, AnyArray] | None:
        """Return the arrays by the name of their field, if fields have names."""
        names = getattr(self._make, "_fields", None)
        return None if names is None else dict(zip(names, self.arrays, strict=True))


def is_compiled(func: object) -> bool:
    """Return whether Numba compiled `func`."""
    registry: Any = sys.modules.get("numba.core.registry")
    return registry is not None and isinstance(func, registry.CPUDispatcher)


class Loop:
    """The calls of one function whose arguments, but for some numbers, are the same.

    Parameters
    ----------
    func : compiled function
        What is called.
    args : sequence
        Its arguments by position.
    slots : sequence of int
        Positions of those that vary.
    values : sequence of arrays
        All values of each of these.

    Raises
    ------
    Exception
        Of any type, if there can be no such loop.
    """

    def __init__(
        self, func: Any, args: Sequence[object], slots: Sequence[int], values: Sequence[AnyArray]
    ) -> None:
        numba: Any = sys.modules["numba"]
        typeof = numba.typeof
        parameters = list(inspect.signature(func.py_func).parameters.values())
        columns = dict(zip(slots, values, strict=True))
        self.fixed = tuple(arg for at, arg in enumerate(args) if at not in columns)
        kinds = [
            numba.from_dtype(columns[at].dtype) if at in columns else typeof(arg)
            for at, arg in enumerate(args)
        ]
        kinds += [numba.types.Omitted(one.default) for one in parameters[len(args) :]]
        types = tuple(kinds)
        made = _compiled(func, types)
        self.dtypes, self.make = _result_types(numba, made.signature.return_type)
        self.is_pure = not _writable(self.fixed) and _is_pure(func, set())
        loops = func.__dict__.setdefault(_LOOPS, {})
        layout = tuple(slots), types
        if loops.get(layout, (None,))[0] is not made:  # it may have been compiled again
            loops[layout] = made, _driver(made, *layout)
        self.drive = loops[layout][1]
        done = np.zeros(1, dtype=np.int64)
        outs = tuple(np.zeros(1, dtype=dtype) for dtype in self.dtypes)
        firsts = tuple(np.zeros(1, dtype=column.dtype) for column in values)
        # Compiled before it is used: what fails here is left to single calls.
        self.drive.compile(tuple(map(typeof, (done, 0, 0, outs, firsts, self.fixed))))
        self.seconds = 0.0  # a call

    def on(self, columns: Sequence[AnyArray]) -> LoopRun:
        """Return the calls of one batch, whose arguments are `columns`."""
        return LoopRun(self, columns)


class LoopRun:
    """The calls of one batch.

    Attributes
    ----------
    done : int
        How many have been made.
    """

    def __init__(self, loop: Loop, columns: Sequence[AnyArray]) -> None:
        self._loop, self._columns, self._n = loop, tuple(columns), len(columns[0])
        self._outs = tuple(np.empty(self._n, dtype=dtype) for dtype in loop.dtypes)
        self._in_order = not loop.is_pure
        self.done = 0

    def run(self) -> None:
        """Make all calls that are left, on the cores that are free.

        What a call raises passes; `done` says which one it was, and the next `run` begins after it.
        """
        loop, begun, start = self._loop, perf_counter(), self.done
        n_left = self._n - start
        n_parts = 1 if self._in_order else parts_for(loop.seconds * n_left * 1e9)
        edges = [start + at for at in bounds_of(n_left, n_parts)]
        counters = [np.array([edge]) for edge in edges[:-1]]
        errors: list[BaseException | None] = [None] * n_parts

        def work(part: int) -> None:
            bounds = edges[part], edges[part + 1]
            try:
                loop.drive(counters[part], *bounds, self._outs, self._columns, loop.fixed)
            except BaseException as error:  # noqa: BLE001  # raised again in order of calls
                errors[part] = error

        with Unstopped():
            share(work, n_parts)
        for counter, error in zip(counters, errors, strict=True):
            if error is not None:
                self._in_order = True  # the parts behind are made again, and now in order
                self.done = int(counter[0])
                raise error
        self.done = self._n
        took = max(0.0, perf_counter() - begun - _BEGIN_SECONDS)
        loop.seconds = took * n_parts / max(n_left, 1)

    def skip(self) -> None:
        """Leave out the call that failed."""
        self.done += 1

    def results(self, start: int, stop: int) -> AnyArray | ResultColumns:
        """Return the results of some calls."""
        arrays, make = [out[start:stop] for out in self._outs], self._loop.make
        return arrays[0] if make is None else ResultColumns(arrays, make)


def loop_of(func: Any, args: Sequence[object], slots: Sequence[Any], values: Any) -> Loop | None:
    """Return the loop for calls of `func`; None where single calls are to be made.

    `values` are typed arrays, one a slot, as `typed` makes them.
    """
    if not slots or not is_compiled(func) or not all(isinstance(slot, int) for slot in slots):
        return None
    parameters = inspect.signature(func.py_func).parameters.values()
    if any(one.kind is not one.POSITIONAL_OR_KEYWORD for one in parameters):
        return None
    fixed = [arg for at, arg in enumerate(args) if at not in slots]
    if not all(map(_is_plain, fixed)):
        return None
    try:
        return Loop(func, args, slots, values)
    except Exception:  # noqa: BLE001  # whatever Numba makes of it: single calls say what is wrong
        return None


def typed(values: Any) -> AnyArray | None:
    """Return the values of a varying argument as an array; None if they are not of one type."""
    if isinstance(values, np.ndarray):
        return values if values.dtype.type in _TYPES and values.ndim == 1 else None
    if isinstance(values, range):
        kinds: set[Any] = {np.int64}
    elif isinstance(values, (list, tuple)):
        kinds = {_TYPES.get(kind) for kind in set(map(type, values))}
    else:
        return None
    if len(kinds) != 1 or None in kinds:
        return None
    try:
        return np.array(values, dtype=kinds.pop())
    except OverflowError:
        return None


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, _FIXED) or is_compiled(value)


def _writable(values: Sequence[object]) -> bool:
    """Whether there is an array that a function could write to."""
    return any(
        _writable(value) if isinstance(value, tuple)
        else isinstance(value, np.ndarray) and value.flags.writeable
        for value in values
    )  # fmt: skip


def _compiled(func: Any, types: tuple[Any, ...]) -> Any:
    """Return what Numba made of `func` for these types of arguments."""
    if types not in func.overloads:
        func.compile(types)
    made = func.overloads[types]  # KeyError where other types are declared
    if made.objectmode:
        raise TypeError
    return made


def _result_types(numba: Any, kind: Any) -> tuple[list[Any], Any]:
    """Return the dtypes of what is returned, and `tuple` or a named tuple where it is one."""
    types = numba.types
    if isinstance(kind, types.BaseTuple) and len(kind.types):
        make = getattr(kind, "instance_class", tuple)
        return [_number_type(types, one) for one in kind.types], make
    return [_number_type(types, kind)], None


def _number_type(types: Any, kind: Any) -> Any:
    """Return the dtype of what Python sees as float, int or bool."""
    if isinstance(kind, types.Boolean):
        return np.bool_
    if kind in {types.float64, types.float32}:
        return np.float64
    if isinstance(kind, types.Integer) and kind != types.uint64:
        return np.int64
    raise TypeError


def _driver(made: Any, slots: tuple[int, ...], types: tuple[Any, ...]) -> Any:
    """Return the loop over calls of what was `made` for these types of arguments."""
    numba: Any = sys.modules["numba"]
    call = _step(made, slots, types)

    def drive(done: IntArray, start: int, stop: int, outs: Any, columns: Any, fixed: Any) -> None:
        for i in range(start, stop):
            done[0] = i
            call(outs, columns, fixed, i)
        done[0] = stop

    return numba.njit(nogil=True)(drive)


def _step(made: Any, slots: tuple[int, ...], types: tuple[Any, ...]) -> Any:
    """Return the step of a loop: it reads the arguments of call i, calls, and writes the result."""
    numba: Any = sys.modules["numba"]
    none, intp = numba.types.none, numba.types.intp
    returned = made.signature.return_type
    parts = returned.types if isinstance(returned, numba.types.BaseTuple) else None

    def lower(context: Any, builder: Any, outer: Any, given: Any) -> Any:
        outs, columns, fixed, i = given
        out_types, column_types, fixed_types = (outer.args[k].types for k in range(3))
        rest = iter(enumerate(fixed_types))
        arguments = []
        for at, kind in enumerate(types):
            if at in slots:
                place = slots.index(at)
                read = context.get_function(operator.getitem, kind(column_types[place], intp))
                value = read(builder, (builder.extract_value(columns, place), i))
            elif isinstance(kind, numba.types.Omitted):
                value = context.get_constant_null(kind)
            else:
                place, there = next(rest)
                if there != kind:
                    raise TypeError
                value = builder.extract_value(fixed, place)
            arguments.append(value)
        context.active_code_library.add_linking_library(made.library)
        callee = context.declare_function(builder.module, made.fndesc)
        status, result = context.call_conv.call_function(
            builder, callee, returned, types, arguments, attrs=("noinline",)
        )
        with builder.if_then(status.is_error, likely=False):
            context.call_conv.return_status_propagate(builder, status)
        for at, array in enumerate(out_types):
            value = result if parts is None else builder.extract_value(result, at)
            kind = returned if parts is None else parts[at]
            value = context.cast(builder, value, kind, array.dtype)
            write = context.get_function(operator.setitem, none(array, intp, array.dtype))
            write(builder, (builder.extract_value(outs, at), i, value))
        return context.get_dummy_value()

    def step(typing: object, outs: Any, columns: Any, fixed: Any, i: Any) -> Any:
        del typing
        return none(outs, columns, fixed, i), lower

    return numba.extending.intrinsic(step)


def _is_pure(func: Any, seen: set[int]) -> bool:
    """Return whether calls of a compiled function may be made at the same time, as far as is known.

    It may read and write no state but its own: no random numbers, nothing printed, no code of
    others. Arguments that it could write to are looked at elsewhere; globals are constants to it.
    """
    if id(func) in seen:
        return True
    seen.add(id(func))
    python = func.py_func
    names = _all_names(python.__code__)
    if func.targetoptions.get("parallel") or not names.isdisjoint(_UNSURE):
        return False
    known = {**vars(builtins), **python.__globals__}
    values = [known[name] for name in names if name in known]
    values += [cell.cell_contents for cell in python.__closure__ or ()]
    return all(_is_pure_value(value, seen) for value in values)


def _is_pure_value(value: Any, seen: set[int]) -> bool:
    """Return whether a compiled function that uses `value` is still pure."""
    if is_compiled(value):
        return _is_pure(value, seen)
    if isinstance(value, ModuleType):
        return value.__name__ in _PURE_MODULES
    if not callable(value) or isinstance(value, (type, np.ufunc)):
        return True
    home = (getattr(value, "__module__", None) or "").partition(".")[0]
    # The functions of `random` and `numpy.random` are methods of an object with a state.
    owner = getattr(value, "__self__", None)
    return home in _PURE_MODULES and (owner is None or isinstance(owner, ModuleType))


def _all_names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _all_names(constant)
    return names
