# SPDX-License-Identifier: BSD-3-Clause
"""Pickling for workers on this machine: what many tasks share is written once and read once.

Large arrays go to a file that workers map copy-on-write, so that they are not copied by pipes and
not held once a worker. What all calls of a `Calls` share is unpickled once in a worker.
"""

from __future__ import annotations

import io
import itertools
import mmap
import os
import pickle
import shutil
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FunctionType
from typing import Any

import cloudpickle
import numpy as np
from joblib.externals.loky.backend import resource_tracker

from broadpeak._run.calls import CallTemplate
from broadpeak._run.streams import streams_taken
from broadpeak.errors import EngineError, described
from broadpeak.types import AnyArray

LARGE = 32 * 1024  # bytes of an array from which a file is cheaper than a copy through a pipe
_INLINE = 16 * 1024  # bytes of a head up to which it travels with every unit
_MEMORY = Path("/dev/shm")  # a folder of our own is made in it
_BLOCK_WORDS = 32 * 1024
_MOST_SEEN = 10_000  # arrays that a run remembers to have sent

_numbers = itertools.count()


class Exchange:
    """What one run shares with its workers.

    Parameters
    ----------
    fallback : callable, optional
        ``dumps(obj) -> bytes``, tried for what cloudpickle refuses.
    files : bool
        Whether the workers see the files of this machine.
    """

    def __init__(
        self, fallback: Callable[[Any], bytes] | None = None, *, files: bool = True
    ) -> None:
        self.files = files
        self.name = f"{os.getpid()}-{next(_numbers)}"
        self._fallback = fallback
        self._folder: Path | None = None
        self._heads: dict[int, tuple[CallTemplate, Any]] = {}
        self._arrays: dict[Any, _Published | None] = {}
        self._always = 0  # inside of a head: publish arrays at first sight

    def dumps(self, obj: Any, mark: bytes = b"") -> bytes:
        """Return `obj` pickled behind `mark`, with references to what is shared."""
        file = io.BytesIO(mark)
        file.seek(len(mark))
        try:
            _Pickler(file, self).dump(_with_names(obj))
        except EngineError:
            raise
        except Exception:
            if self._fallback is None:
                raise
            return mark + self._fallback(obj)
        return file.getvalue()

    def reduce_head(self, head: CallTemplate) -> Any:
        """Return how `head` is rebuilt in a worker: once for all units."""
        known = self._heads.get(id(head))
        if known is not None:
            return known[1]
        self._always += 1
        try:
            data = self.dumps(head.__reduce__())
        except (EngineError, KeyboardInterrupt):
            raise
        except BaseException as error:
            msg = (
                "The function and the arguments that all calls share must be picklable to reach a "
                f"worker process, got {described(error)}. "
                "Pass engine='threadpool' or 'serial', or build the object inside of the function."
            )
            raise EngineError(msg) from error
        finally:
            self._always -= 1
        token = f"head{len(self._heads)}"
        reduced: Any = (recall, (self.name, token, data))
        if self.files and len(data) > _INLINE:
            with suppress(OSError):  # no room: it travels with every unit
                path = self._new_path(len(data))
                path.write_bytes(data)
                reduced = (recall_file, (self.name, token, str(path)))
        self._heads[id(head)] = (head, reduced)
        return reduced

    def reduce_array(self, array: AnyArray) -> Any:
        """Return how `array` is rebuilt from a file, or None if it should travel as it is.

        An array that is seen for the first time may never come again, hence travels. A later one
        of the same memory is compared with the file: a buffer that changes is never shared.
        """
        key = (array.ctypes.data, array.shape, array.strides, array.dtype)
        if key not in self._arrays and not self._always:
            if len(self._arrays) > _MOST_SEEN:
                self._arrays = {
                    k: seen for k, seen in self._arrays.items() if seen is not _UNSHARED
                }
            self._arrays[key] = _UNSHARED
            return None
        published = self._arrays.get(key, _UNSHARED)
        if published is _UNSHARED:
            published = self._publish(array)
        elif published is not None and not published.holds(array):
            published = None
        self._arrays[key] = published
        if published is None:
            return None
        where = (self.name, str(published.path))
        return attach, (*where, array.dtype, array.shape, published.order)

    def _publish(self, array: AnyArray) -> _Published | None:
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        flat = np.asarray(array, order=order).reshape(-1, order=order)  # type: ignore[call-overload]
        try:
            path = self._new_path(array.nbytes)
            flat.tofile(path)
        except OSError:
            return None  # no room: the array travels with its tasks
        return _Published(path, order)

    def _new_path(self, n_bytes: int) -> Path:
        if self._folder is None:
            self._folder = Path(
                tempfile.mkdtemp(prefix=f"broadpeak-{os.getpid()}-", dir=_roomy(n_bytes))
            )
            # Somebody must remove it should this process be killed.
            with suppress(Exception), streams_taken():
                resource_tracker.register(str(self._folder), "folder")
        return self._folder / f"{next(_numbers)}"

    def close(self) -> None:
        """Remove all files; workers that mapped one keep what they have."""
        if self._folder is not None:
            folder, self._folder = str(self._folder), None
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(Exception):
                resource_tracker.unregister(folder, "folder")


def _roomy(n_bytes: int) -> Path | None:
    """Return the folder in memory if it has room, else None: the one for temporary files."""
    with suppress(OSError):
        if shutil.disk_usage(_MEMORY).free > 4 * n_bytes and os.access(_MEMORY, os.W_OK):
            return _MEMORY
    return None


class _Published:
    """An array in a file."""

    def __init__(self, path: Path, order: str) -> None:
        self.path = path
        self.order = order
        self._stored: AnyArray | None = None

    def holds(self, array: AnyArray) -> bool:
        """Return whether the file has the bytes of `array`."""
        if self._stored is None:
            self._stored = np.memmap(self.path, dtype=np.uint8, mode="r")
        order: Any = self.order
        flat = np.asarray(array, order=order).reshape(-1, order=order).view(np.uint8)
        blocks = zip(_blocks(self._stored), _blocks(flat), strict=True)
        return all(np.array_equal(stored, block) for stored, block in blocks)


def _blocks(flat: AnyArray) -> Iterator[AnyArray]:
    """Yield bytes in pieces that fit a cache, as words where they are full."""
    words = flat[: len(flat) // 8 * 8].view(np.uint64)
    for start in range(0, len(words), _BLOCK_WORDS):
        yield words[start : start + _BLOCK_WORDS]
    yield flat[8 * len(words) :]


_UNSHARED = _Published(Path(), "C")


class _Pickler(cloudpickle.CloudPickler):
    """Cloudpickle with references to what is shared; modules no worker can find go by value."""

    def __init__(self, file: io.BytesIO, exchange: Exchange) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._exchange = exchange

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is np.ndarray:
            if self._exchange.files and obj.nbytes >= LARGE and not obj.dtype.hasobject:
                reduced = self._exchange.reduce_array(obj)
                if reduced is not None:
                    return reduced
            return NotImplemented
        if kind is CallTemplate:
            return self._exchange.reduce_head(obj)
        if kind is FunctionType or issubclass(kind, type):
            send_by_value_if_hidden(obj.__module__)
        by_value = getattr(kind, "reduce_by_value", None)
        if by_value is not None:  # what the user changed here must be the same in a worker
            return by_value(obj)
        return super().reducer_override(obj)


class _Named:
    """Stands for an object that needs other names of the accessor before it is used."""

    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def __reduce__(self) -> Any:
        return self._parts[0], self._parts[1:]


def _with_names(obj: Any) -> Any:
    # Looked up where it is loaded: a run without pandas does not need pandas for this.
    accessor = sys.modules.get("broadpeak._signals.accessor")
    names = [] if accessor is None else [name for name in accessor.NAMES if name != "bp"]
    return obj if accessor is None or not names else _Named(accessor.after_naming, names, obj)


_seen_modules: set[str] = set()


def send_by_value_if_hidden(name: str | None) -> None:
    """Let functions of the module `name` travel as code if a new process could not import it."""
    if name is None or name in _seen_modules or name == "__main__":
        return
    _seen_modules.add(name)
    module = sys.modules.get(name)
    if module is not None and is_hidden(name):
        cloudpickle.register_pickle_by_value(module)


def is_hidden(name: str) -> bool:
    """Return whether a new process could not import the module `name` as it is here."""
    module = sys.modules.get(name)
    if module is None or name.partition(".")[0] in sys.stdlib_module_names:
        return False
    spec = _found(name)
    origin = getattr(module, "__file__", None)
    return spec is None or (origin is not None and spec.origin not in {origin, None})


def _found(name: str) -> ModuleSpec | None:
    """Return what an import of `name` would find, whatever is loaded already."""
    path, spec, parts = None, None, name.split(".")
    for depth in range(len(parts)):
        spec = None
        for finder in sys.meta_path:
            with suppress(Exception):
                spec = finder.find_spec(".".join(parts[: depth + 1]), path)
            if spec is not None:
                break
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


# What this process, as a worker, holds of the runs it worked for last.
_held: OrderedDict[str, dict[str, Any]] = OrderedDict()
_RUNS_HELD = 4
_FOLDER = ""  # where that of one run is


def _hold(run: str) -> dict[str, Any]:
    held = _held.setdefault(run, {})
    _held.move_to_end(run)
    while len(_held) > _RUNS_HELD:
        _held.popitem(last=False)
    return held


def forget(run: str) -> None:
    """Let go of what was shared in `run`."""
    _held.pop(run, None)


def forget_ended() -> None:
    """Let go of what was shared in runs whose files were removed: they have ended.

    For workers of other libraries, which cannot be told.
    """
    for run, held in list(_held.items()):
        folder = held.get(_FOLDER)
        if folder is not None and not os.path.exists(folder):  # noqa: PTH110  # it is a text
            forget(run)


def recall(run: str, token: str, data: bytes) -> CallTemplate:
    """Return the head that `data` holds, unpickled only the first time."""
    held = _hold(run)
    if token not in held:
        kind, args = pickle.loads(data)  # written by the process that started this one
        held[token] = kind(*args)
    head: CallTemplate = held[token]
    return head


def recall_file(run: str, token: str, path: str) -> CallTemplate:
    """Return the head in the file `path`, read only the first time."""
    held = _hold(run)
    held[_FOLDER] = os.path.dirname(path)  # noqa: PTH120  # many times a second
    return held[token] if token in held else recall(run, token, Path(path).read_bytes())


def attach(run: str, path: str, dtype: Any, shape: tuple[int, ...], order: Any) -> AnyArray:
    """Return the array in the file `path`: writable, but changes stay in this process."""
    held = _hold(run)
    held[_FOLDER] = os.path.dirname(path)  # noqa: PTH120  # many times a second
    if path not in held:
        with Path(path).open("rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        held[path] = np.ndarray(shape, dtype, buffer=memory, order=order)
    array: AnyArray = held[path]
    return array
