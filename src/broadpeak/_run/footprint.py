# SPDX-License-Identifier: BSD-3-Clause
"""How much memory tasks and results take, estimated in a microsecond, and how much there is.

Where something is pickled its bytes are counted. Before that, and where nothing is, this looks at
objects: those that own their memory say how much, containers are looked into, of long ones only a
sample. What is met twice counts once, for it is there once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

import numpy as np

from broadpeak.types import AnyArray

BATCH_BYTES: Final = 4 * 2**20
"""What the tasks of a batch may add to the first, and its results before the last, in bytes: at 1
GB/s long against a dispatch (0.1 ms), and little, times the workers."""

PLAIN: Final = frozenset(
    {int, float, bool, complex, type(None), np.float64, np.float32, np.int64, np.int32, np.bool_}
)
"""Types whose objects are no matter."""

_FREELY = 256 * 2**20  # bytes that may be on the way whatever memory there is
_COPIES = 4  # of what is on the way: its object and its bytes, here and in a worker
_FEW = 4  # results of quick calls that are looked at, of up to 512
_SAMPLE = 16  # elements of a long container that stand for all
_UNKNOWN = 100.0  # bytes of an object that does not say how many
_MOST_LOOKED_AT = 1000  # objects inside of one


class Footprint:
    """Adds up the memory of objects, each counted once; they must stay alive meanwhile."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: set[object] = set()

    def of(self, obj: object) -> float:
        """Return the bytes that `obj` adds to what was seen before."""
        found, seen = 0.0, self._seen
        todo: list[tuple[Any, float]] = [(obj, 1.0)]  # and how many it stands for
        looked = 0
        while todo:
            one, weight = todo.pop()
            kind = type(one)
            if kind in PLAIN:
                found += 32 * weight if looked else 0
                continue
            if id(one) in seen:
                continue
            seen.add(id(one))
            looked += 1
            try:
                own, inner = _looked_into(one, kind, seen)
                sample = _sample(inner) if looked < _MOST_LOOKED_AT else ()
            except Exception:  # noqa: BLE001  # foreign objects may raise anything, or change meanwhile
                found += _UNKNOWN * weight
                continue
            found += own * weight
            if sample:
                share = weight * len(inner) / len(sample)
                todo.extend((part, share) for part in sample)
        return found

    def of_some(self, values: Sequence[Any]) -> float:
        """Return what `values` add; of many a few stand for all."""
        stride = len(values) // _FEW or 1
        return stride * sum(map(self.of, values[::stride]))

    def of_task(self, task: Any) -> float:
        """Return what a task adds."""
        if not task.kwargs and PLAIN.issuperset(map(type, task.args)):
            return 0.0
        return sum(map(self.of, (task.func, *task.args, *task.kwargs.values())))


def _looked_into(one: Any, kind: type, seen: set[object]) -> tuple[float, Any]:
    """Return the bytes of an object itself, and the objects in it."""
    if isinstance(one, np.ndarray):
        return _of_array(one, seen)
    look = _LOOKS.get(kind)
    if look is not None:
        found: tuple[float, Any] = look(one)
        return found
    if issubclass(kind, (type, ModuleType)):
        return 0.0, ()
    return _of_foreign(one, kind)


def _of_foreign(one: Any, kind: type) -> tuple[float, Any]:
    """Return the same of an object that says it itself, or of which something can be seen."""
    n_bytes = getattr(one, "nbytes", None)  # Series, Index, memoryview, tables of Arrow
    if isinstance(n_bytes, (int, np.integer)):
        return float(n_bytes), ()
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(one, pandas.DataFrame):
        return 8.0 * one.size, (one.index,)
    inside = [*getattr(one, "__dict__", {}).values(), *_slots(one, kind)]
    return (_UNKNOWN, inside) if inside else (float(sys.getsizeof(one)), ())


def _of_function(one: Any) -> tuple[float, Any]:
    cells = [cell.cell_contents for cell in one.__closure__ or () if _is_filled(cell)]
    return 0.0, [*cells, *(one.__defaults__ or ())]


def _of_text(one: Any) -> tuple[float, Any]:
    return float(len(one)), ()


def _of_container(one: Any) -> tuple[float, Any]:
    return 8.0 * len(one), one


_LOOKS: dict[type, Callable[[Any], tuple[float, Any]]] = {
    **dict.fromkeys((str, bytes, bytearray), _of_text),
    **dict.fromkeys((list, tuple, set, frozenset), _of_container),
    dict: lambda one: (100.0 * len(one), _KeysAndValues(one)),
    FunctionType: _of_function,
    BuiltinFunctionType: lambda _: (0.0, ()),
    MethodType: lambda one: (0.0, (one.__self__,)),
    partial: lambda one: (0.0, (one.func, one.args, one.keywords)),
}


def _of_array(array: AnyArray, seen: set[object]) -> tuple[float, Any]:
    """Return the bytes of an array, unless another view of the same memory was seen."""
    owner: Any = array
    while (base := getattr(owner, "base", None)) is not None:
        owner = base
    if owner is not array:
        if id(owner) in seen:
            return 0.0, ()
        seen.add(id(owner))
    is_deep = array.dtype.hasobject and array.size
    return float(array.nbytes), array.reshape(-1) if is_deep else ()


class _KeysAndValues:
    """The keys and values of a dictionary, as a container."""

    def __init__(self, items: dict[Any, Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return 2 * len(self._items)

    def __iter__(self) -> Any:
        for pair in self._items.items():
            yield from pair


def _sample(inner: Any) -> Sequence[Any]:
    """Return all elements of a short container, else some, evenly spaced where that is possible."""
    n = len(inner)
    if n <= _SAMPLE:
        return list(inner)
    if isinstance(inner, (list, tuple, np.ndarray)):
        return list(inner[:: n // _SAMPLE])
    return list(islice(inner, _SAMPLE))


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # an empty one raises
    except ValueError:
        return False
    return True


def _slots(one: object, kind: type) -> Iterable[object]:
    for base in kind.__mro__:
        names = base.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            with suppress(AttributeError):
                yield getattr(one, name)


def has_room(on_the_way: float, more: float) -> bool:
    """Return whether `more` bytes may go on the way besides those that are: memory must be left."""
    if on_the_way + more <= _FREELY:
        return True
    return _COPIES * more <= free_memory() / 2


def free_memory() -> float:
    """Return how many bytes of memory this process can have now; infinity if that is not known."""
    found = []
    with suppress(OSError, ValueError, IndexError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        found.append(1024.0 * float(text.partition("MemAvailable:")[2].split()[0]))
    with suppress(OSError, ValueError, IndexError):  # a container may have less
        group = Path("/sys/fs/cgroup")
        limit = float((group / "memory.max").read_text(encoding="ascii"))
        used = float((group / "memory.current").read_text(encoding="ascii"))
        text = (group / "memory.stat").read_text(encoding="ascii")
        given_back = float(text.partition("\ninactive_file ")[2].split()[0])
        found.append(limit - used + given_back)
    if not found:
        with suppress(OSError, ValueError, AttributeError):
            found.append(float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) / 2)
    return min(found, default=float("inf"))
