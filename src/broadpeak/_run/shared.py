# SPDX-License-Identifier: BSD-3-Clause
"""Pickling for workers: what many batches share crosses once a worker, not once a batch.

Three ways lead there. Where workers see the files of this machine, large arrays go to files that
they map copy-on-write, so that they are neither copied through pipes nor held once a worker. An
executor with a store of its own (`FutureEngine.put`) takes the bytes and returns a reference.
Otherwise a batch carries only a number, and is sent again in full if its worker does not know it.
"""

from __future__ import annotations

import io
import itertools
import os
import pickle
import shutil
import site
import sys
import sysconfig
import tempfile
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from types import FunctionType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import cloudpickle
import numpy as np
from loky.backend import resource_tracker

from broadpeak._run.calls import Calls, CallTemplate, Task
from broadpeak._run.footprint import BATCH_BYTES, free_memory
from broadpeak._run.remote import (
    Layout,
    Token,
    attach,
    rebuilt_array,
    recall,
    recall_file,
    recall_view,
)
from broadpeak._run.streams import streams_taken
from broadpeak.errors import EngineError, described
from broadpeak.types import AnyArray

LARGE = 32 * 1024  # bytes of an array from which a file is cheaper than a copy through a pipe
_INLINE = 16 * 1024  # bytes of a template up to which it travels with every batch
_MEMORY = Path("/dev/shm")  # a folder of our own is made in it
_BLOCK_WORDS = 32 * 1024
_MOST_IDLE = 128 * 2**20  # bytes that may wait for tasks to come, besides a share of the memory
_MOST_SEEN: Final = 10_000  # arrays that a run remembers to have sent

_numbers = itertools.count()
Reduced: TypeAlias = "tuple[object, ...]"  # as `__reduce__` gives it
Layered: TypeAlias = "tuple[object, ...]"  # address and layout of an array


class TooLargeError(Exception):
    """Raised while a batch is pickled to more bytes than it may have."""


class _SentArray(NamedTuple):
    """An array that was sent before.

    Attributes
    ----------
    owner : weakref, optional
        Who has the memory. Once it is gone, another array may have the same address.
    placed : _PlacedArray, optional
        Where it is, if it was sent twice.
    changes : bool
        Others were there under the same owner: it is sent whenever it comes.
    """

    owner: weakref.ref[Any] | None
    placed: _PlacedArray | None = None
    changes: bool = False

    def is_gone(self) -> bool:
        return self.owner is not None and self.owner() is None


class SharedObjects:
    """What one run shares with its workers.

    Parameters
    ----------
    pickler : callable, optional
        ``dumps(obj) -> bytes``, tried for what cloudpickle refuses.
    files : bool
        Whether the workers see the files of this machine.
    put : callable, optional
        Where there are no files: places bytes with the workers and returns a reference, or None.
    views : bool
        Workers see what was put where it lies: bytes of arrays go there as they are.

    Attributes
    ----------
    files : bool
        As passed. Where there are none, workers are elsewhere: functions of the user's own modules
        travel as code, for nobody has these files there.
    """

    def __init__(
        self,
        pickler: Callable[[object], bytes] | None = None,
        *,
        files: bool = True,
        put: Callable[[Any], object] | None = None,
        views: bool = False,
    ) -> None:
        self.name = f"{os.getpid()}-{next(_numbers)}"
        self._pickler = pickler
        self.files = files
        self._put = put
        self._views = views
        self._folder: Path | None = None
        self._templates: dict[int, tuple[CallTemplate, _Placed]] = {}
        self._arrays: dict[Layered, _SentArray] = {}
        self._fresh: list[Layered] = []  # arrays met first in what is being pickled
        self._placed: dict[int, _Placed] = {}
        self._n_placed = self._n_sent = 0
        self._users: Counter[int] = Counter()  # number -> batches on the way that refer to it
        self._needed: dict[int, None] = {}  # numbers that what is being pickled refers to, in order
        self._is_in_full = False
        self._is_counting = False  # nothing is sent
        self._always = 0  # inside a template: place arrays at first sight

    def dumps(
        self, obj: object, *, in_full: bool = False, mark: bytes = b"", most: int | None = None
    ) -> tuple[bytes, dict[Token, object], tuple[int, ...]]:
        """Return `obj` pickled behind `mark`, and what it needs.

        That is the references that `put` gave, and the numbers of all it refers to: these stay
        where they are until they are released.

        Parameters
        ----------
        in_full : bool
            Include all that is in no file, for a worker that does not have it.
        most : int, optional
            Bytes it may have; `TooLargeError` is raised as soon as it has more.
        """
        self._needed, self._is_in_full = {}, in_full
        data = self._dumps(obj, mark, most)
        references = {
            (self.name, number): self._placed[number].reference
            for number in self._needed
            if self._placed[number].reference is not None
        }
        needed = tuple(self._needed)
        self._users.update(needed)
        return data, references, needed

    def release(self, needed: Iterable[int]) -> None:
        """Take note that what needed these numbers is on the way no more."""
        self._users.subtract(needed)

    def fitting(self, tasks: Calls | Iterable[Task]) -> tuple[int, int]:
        """Return how many of `tasks` may travel together, and the bytes of the first.

        What the others add to it is what counts; it is counted as it would be written.
        """
        rows: Iterable[object] = tasks.rows() if isinstance(tasks, Calls) else tasks
        counted = _CountingFile()
        pickler = _Pickler(counted, self)
        first = n = 0
        self._is_counting = True
        try:
            for row in rows:
                try:
                    pickler.dump(row)
                except Exception:  # noqa: BLE001  # pickle raises whatever objects raise
                    counted.n += 0 if self._pickler is None else len(self._pickler(row))
                first = first if n else counted.n
                if counted.n - first > BATCH_BYTES:
                    break
                n += 1
        finally:
            self._is_counting = False
            pickler.close()
        return n, first

    def _dumps(self, obj: object, mark: bytes = b"", most: int | None = None) -> bytes:
        file = io.BytesIO(mark) if most is None else _LimitedFile(mark, most)
        file.seek(len(mark))
        self._fresh = []
        pickler = _Pickler(file, self)
        try:
            pickler.dump(_with_names(obj))
        except EngineError:
            raise
        except Exception as error:
            for key in self._fresh:  # it was not sent after all
                self._arrays.pop(key, None)
            if self._pickler is None or isinstance(error, TooLargeError):
                raise
            return mark + self._pickler(obj)
        finally:
            pickler.close()
        return file.getvalue()

    def reduce_template(self, template: CallTemplate) -> Reduced:
        """Return how `template` is rebuilt in a worker: once for all batches."""
        known = self._templates.get(id(template))
        if known is not None:
            return self._refer(known[1])
        outer = self._needed, self._is_in_full
        self._needed, self._is_in_full = {}, False  # what it refers to has numbers of its own
        self._always += 1
        try:
            data = self._dumps(template.__reduce__())
        except (EngineError, KeyboardInterrupt):
            raise
        except BaseException as error:
            msg = (
                "The function and the arguments that all calls share must be picklable to reach a "
                f"worker process, got {described(error)}. "
                "Pass engine='threadpool' or 'serial', or build the object inside the function."
            )
            raise EngineError(msg) from error
        finally:
            self._always -= 1
            inner = list(self._needed)
            self._needed, self._is_in_full = outer
        placed = _Placed(self._next_number(), data, inner)
        self._place(placed, len(data))
        self._templates[id(template)] = (template, placed)  # held, so that its id is not reused
        return self._refer(placed)

    def reduce_array(self, array: AnyArray) -> Reduced | None:
        """Return how `array` is rebuilt from what was placed, or None if it travels as it is.

        An array that is seen for the first time may never come again, hence travels. A later one
        of the same memory is compared with what was placed: a buffer that changes is never shared.
        """
        key = (array.ctypes.data, array.shape, array.strides, array.dtype)
        known = self._arrays.get(key)
        if known is not None and known.is_gone():
            known = None
        placed = None if known is None else known.placed
        if self._is_counting:
            return None if placed is None else self._refer(placed)
        if known is None and not self._always:
            self._note(key, array)
            return None
        if known is None or placed is None:
            if known is not None and known.changes:
                return None
            self._make_room(array.nbytes)
            placed = _PlacedArray(self._next_number(), array)
            owner = _owner(array)
            if not self._always:
                placed.owner, placed.may_go = owner, True
            self._place(placed, array.nbytes)
            self._arrays[key] = _SentArray(owner, placed)
        elif not placed.holds(array):
            self._arrays[key] = _SentArray(known.owner, changes=True)
            return None
        elif self._always:
            placed.owner, placed.may_go = None, False  # all batches need it from now on
        self._n_sent += 1
        placed.last_sent = self._n_sent
        return self._refer(placed)

    def _note(self, key: Layered, array: AnyArray) -> None:
        """Remember that an array was sent."""
        if len(self._arrays) > _MOST_SEEN:
            known = self._arrays.items()
            self._arrays = {key: one for key, one in known if one.placed or one.changes}
        self._arrays[key] = _SentArray(_owner(array))
        self._fresh.append(key)

    def _next_number(self) -> int:
        self._n_placed += 1
        return self._n_placed - 1

    def _make_room(self, n_bytes: int) -> None:
        """Remove arrays that no batch on the way needs.

        Those that nobody has any more can never be sent again; of the others, the ones that were
        not sent for longest, if all together are much for this machine.
        """
        self._arrays = {key: one for key, one in self._arrays.items() if not one.is_gone()}
        idle = [
            (key, one.placed)
            for key, one in self._arrays.items()
            if one.placed is not None and one.placed.may_go and self._users[one.placed.number] <= 0
        ]
        n_idle = n_bytes + sum(placed.n_bytes for _, placed in idle)
        if n_idle > _MOST_IDLE:
            n_idle -= int(free_memory() / 8)
            for key, placed in sorted(idle, key=_last_sent):
                if n_idle <= _MOST_IDLE:
                    break
                n_idle -= placed.n_bytes
                del self._arrays[key]
                placed.owner = _nobody
        for number, one in list(self._placed.items()):
            if one.is_gone() and self._users[number] <= 0:
                one.remove()
                del self._placed[number], self._users[number]

    def _place(self, placed: _Placed, n_bytes: int) -> None:
        """Put `placed` where workers find it."""
        self._placed[placed.number] = placed
        if placed.is_small:
            return
        if self.files:
            with suppress(OSError):  # no room: sent on request
                path = self.new_path(n_bytes)
                try:
                    placed.write(path)
                except BaseException:
                    path.unlink(missing_ok=True)
                    raise
                return
        placed.keep()
        if not self.files and self._put is not None:
            placed.is_viewed = self._views and isinstance(placed, _PlacedArray)
            placed.reference = self._put(placed.raw() if placed.is_viewed else placed.data())

    def _refer(self, placed: _Placed) -> Reduced:
        """Return how a worker gets what was placed."""
        self._needed.update(dict.fromkeys([*placed.inner, placed.number]))
        if placed.path is not None:
            return placed.from_file(self.name)
        if not self._is_in_full and not placed.is_small:
            return placed.from_store(self.name)
        inner = [self._placed[number] for number in placed.inner] if self._is_in_full else []
        along = [(one.number, one.data()) for one in inner if one.path is None]
        return recall, (self.name, placed.number, placed.data(), along)

    def new_path(self, n_bytes: int) -> Path:
        """Return the path of a new file of `n_bytes`, which is removed with the others."""
        if self._folder is None:
            self._folder = Path(
                tempfile.mkdtemp(prefix=f"broadpeak-{os.getpid()}-", dir=_roomy(n_bytes))
            )
            # Somebody must remove it should this process be killed.
            with suppress(Exception), streams_taken():
                resource_tracker.register(str(self._folder), "folder")
        return self._folder / f"{next(_numbers)}"

    def close(self) -> None:
        """Remove all files and hold nothing; workers that mapped a file keep what they have."""
        self._templates, self._arrays, self._placed = {}, {}, {}
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


class _Placed:
    """An object that workers know by its number in the run.

    Parameters
    ----------
    number : int
        That number.
    data : bytes
        A pickled function and its arguments, which rebuild the object.
    inner : list of int
        The numbers of what it refers to.
    """

    def __init__(self, number: int, data: bytes, inner: list[int]) -> None:
        self.number = number
        self.inner = inner
        self.path: Path | None = None
        self.reference: object = None
        self.is_viewed = False  # workers see the memory it was put into
        self.is_small = len(data) <= _INLINE
        self._data = data

    def data(self) -> bytes:
        """Return what `recall` rebuilds it from."""
        return self._data

    def raw(self) -> bytes | AnyArray:
        """Return its bytes alone."""
        return self._data

    def keep(self) -> None:
        """Hold it in this process, as it is now."""

    def is_gone(self) -> bool:
        """Return whether nobody can send it any more."""
        return False

    def remove(self) -> None:
        """Remove it where it was placed."""

    def write(self, path: Path) -> None:
        """Move it to a file."""
        path.write_bytes(self._data)
        self.path, self._data = path, b""

    def from_file(self, run: str) -> Reduced:
        """Return how a worker gets it from there."""
        return recall_file, (run, self.number, str(self.path))

    def from_store(self, run: str) -> Reduced:
        """Return how a worker gets it that was handed the data, or has it already."""
        return recall, (run, self.number)


def _owner(array: AnyArray) -> weakref.ref[Any] | None:
    """Return a reference to who has the memory of `array`, if that can be told."""
    owner: Any = array
    while (base := getattr(owner, "base", None)) is not None:
        owner = base
    try:
        return weakref.ref(owner)
    except TypeError:
        return None


def _nobody() -> None:
    """Stand for an owner that is gone."""


def _last_sent(one: tuple[Layered, _PlacedArray]) -> int:
    return one[1].last_sent


class _PlacedArray(_Placed):
    """A large array. Its bytes, in a file or here, can be compared with another array.

    Attributes
    ----------
    owner : weakref, optional
        Who has its memory, where it is not for the whole run.
    may_go : bool
        It is not for the whole run.
    last_sent : int
        When it was sent last.
    """

    owner: Callable[[], Any] | None = None
    may_go = False
    last_sent = 0

    def __init__(self, number: int, array: AnyArray) -> None:
        super().__init__(number, b"", [])
        self.is_small = False
        self.n_bytes = array.nbytes
        order: Literal["C", "F"] = (
            "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        )
        self._layout: Layout = (array.dtype, array.shape, order)
        self._bytes = self._flat(array)

    def data(self) -> bytes:
        return pickle.dumps((rebuilt_array, (self._bytes.tobytes(), self._layout)))

    def keep(self) -> None:
        self._bytes = self._bytes.copy()

    def write(self, path: Path) -> None:
        self._bytes.tofile(path)
        with streams_taken():  # the mapping holds the file open
            self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
        self.path = path

    def is_gone(self) -> bool:
        """Return whether nobody can send it any more."""
        return self.owner is not None and self.owner() is None

    def remove(self) -> None:
        """Remove it where it was placed; workers that mapped its file let go of it by and by."""
        self.reference = None
        self._bytes = self._bytes[:0].copy()  # of the mapping
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def from_file(self, run: str) -> Reduced:
        return attach, (run, str(self.path), self._layout)

    def raw(self) -> AnyArray:
        return self._bytes

    def from_store(self, run: str) -> Reduced:
        if self.is_viewed:
            return recall_view, (run, self.number, self._layout)
        return super().from_store(run)

    def holds(self, array: AnyArray) -> bool:
        """Return whether it has the bytes of `array`, which has its layout."""
        blocks = zip(_blocks(self._bytes), _blocks(self._flat(array)), strict=True)
        return all(np.array_equal(stored, block) for stored, block in blocks)

    def _flat(self, array: AnyArray) -> AnyArray:
        order = self._layout[2]
        flat: AnyArray = np.asarray(array, order=order).reshape(-1, order=order)
        return flat.view(np.uint8)


def _blocks(flat: AnyArray) -> Iterator[AnyArray]:
    """Yield bytes in pieces that fit a cache, as words where they are full."""
    machine_words = flat[: len(flat) // 8 * 8].view(np.uint64)
    for start in range(0, len(machine_words), _BLOCK_WORDS):
        yield machine_words[start : start + _BLOCK_WORDS]
    yield flat[8 * len(machine_words) :]


class _LimitedFile(io.BytesIO):
    """A file in memory that is not to be large."""

    def __init__(self, mark: bytes, most: int) -> None:
        super().__init__(mark)
        self._most = most

    def write(self, data: Any) -> int:
        """Write a part; pickle writes large objects at once, others together."""
        if self.tell() + memoryview(data).nbytes > self._most:
            raise TooLargeError
        return super().write(data)


class _CountingFile(io.BytesIO):
    """A file that only counts."""

    n = 0

    def write(self, data: Any) -> int:
        n_bytes = memoryview(data).nbytes
        self.n += n_bytes
        return n_bytes


_by_value: Counter[str] = Counter()  # module -> pickles being made that take it by value
_changing_modules = threading.Lock()


class _Pickler(cloudpickle.CloudPickler):
    """Cloudpickle with references to what is shared; modules no worker can find go by value."""

    def __init__(self, file: io.BytesIO, shared: SharedObjects) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._shared = shared
        self._by_value: set[str] = set()  # modules that are so for this pickle

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is np.ndarray:
            if obj.nbytes >= LARGE and not obj.dtype.hasobject:
                reduced = self._shared.reduce_array(obj)
                if reduced is not None:
                    return reduced
            return NotImplemented
        if kind is CallTemplate:
            return self._shared.reduce_template(obj)
        if kind is FunctionType or issubclass(kind, type):
            send_by_value_if_hidden(obj.__module__)
            if not self._shared.files:
                self._send_if_only_here(obj.__module__)
        by_value = getattr(kind, "reduce_by_value", None)
        if by_value is not None:  # what the user changed here must be the same in a worker
            return by_value(obj)
        return super().reducer_override(obj)

    def _send_if_only_here(self, name: str | None) -> None:
        """Let functions of the module `name` travel as code if other machines do not have it."""
        if name is None or name in self._by_value or not is_only_here(name):
            return
        with _changing_modules:
            if name in cloudpickle.list_registry_pickle_by_value() and not _by_value[name]:
                return  # by the user, who wants it to stay so
            cloudpickle.register_pickle_by_value(sys.modules[name])
            _by_value[name] += 1
            self._by_value.add(name)

    def close(self) -> None:
        """Leave to others how they pickle these modules, once no other pickle needs them so."""
        with _changing_modules:
            for name in self._by_value:
                _by_value[name] -= 1
                if not _by_value[name]:
                    cloudpickle.unregister_pickle_by_value(sys.modules[name])


class _Named:
    """Stands for an object that needs other names of the accessor before it is used."""

    def __init__(self, *parts: object) -> None:
        self._parts = parts

    def __reduce__(self) -> Reduced:
        return self._parts[0], self._parts[1:]


def _with_names(obj: object) -> object:
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
    spec = _find_module(name)
    origin = getattr(module, "__file__", None)
    return spec is None or (origin is not None and spec.origin not in {origin, None})


@cache
def _site_folders() -> tuple[str, ...]:
    """Return where installed packages are."""
    places = [
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        site.getusersitepackages(),
    ]
    return tuple({os.path.realpath(place) + os.sep for place in [*places, *site.getsitepackages()]})


@cache
def is_only_here(name: str) -> bool:
    """Return whether the module `name` is a file of the user, which other machines do not have.

    Those have what is installed, but neither the folder of a script nor what is installed in
    place, for editing. Code in C cannot travel.
    """
    top = name.partition(".")[0]
    module = sys.modules.get(name)
    if module is None or top in sys.stdlib_module_names or top in {"broadpeak", "__main__"}:
        return False
    origin = getattr(module, "__file__", None)
    if origin is None:
        return True
    if origin.endswith(tuple(EXTENSION_SUFFIXES)):
        return False
    return not os.path.realpath(origin).startswith(_site_folders())


def _find_module(name: str) -> ModuleSpec | None:
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
