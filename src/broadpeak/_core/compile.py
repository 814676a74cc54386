# SPDX-License-Identifier: BSD-3-Clause
"""The one place where Numba is used: `kernel` compiles a plain loop.

Kernels take positional float64, int64 and bool arrays and scalars, touch no Python objects and
release the GIL. None is parallel inside: parallelism belongs to the engines. The plain Python
function stays reachable as ``kernel.py_func``.
"""

from __future__ import annotations

import getpass
import inspect
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numba.core.event as numba_events
from numba.core import caching
from numba.core.registry import CPUDispatcher

from broadpeak._core import env, stopping
from broadpeak._core.stopping import Unstopped, here
from broadpeak.errors import warn

P = ParamSpec("P")
R = TypeVar("R")

# Nobody calls kernels from C.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile `func` in nopython mode, without the GIL, cached on disk; division as in NumPy."""
    compiled = _kept(func) if env.numba_cache() else None
    if compiled is None:
        compiled = numba.njit(**_OPTIONS)(func)
    if isinstance(compiled, CPUDispatcher):  # with NUMBA_DISABLE_JIT it is the plain function
        _kernels.append(compiled)
        compiled.__class__ = _UnstoppedDispatcher if stopping.is_possible else _Kernel
    return cast("Callable[P, R]", compiled)


class _Kernel(CPUDispatcher):  # type: ignore[misc]  # it has no types
    """A kernel, and its twin for calls from other kernels.

    The twin has no wrapper for Python, and is kept on disk as part of its callers only. What a
    caller passes as a constant is compiled as any number is: Numba would compile a loop's counter
    twice, as the 0 that it begins with and as what it becomes.
    """

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Compile the twin for the types of a call from another kernel, and return its type."""
        _, args = self.fold_argument_types(args, kws)
        plain = [numba.types.unliteral(one) for one in args]
        for at in self.__dict__.get("reads", ()):
            plain[at] = plain[at].copy(readonly=True)
        return CPUDispatcher.get_call_template(self._called_by_kernels, tuple(plain), {})

    def get_overload(self, sig: Any) -> Any:
        """Return the twin's code."""
        return CPUDispatcher.get_overload(self._called_by_kernels, sig)

    @cached_property
    def _called_by_kernels(self) -> Any:
        inline = self.targetoptions.get("forceinline", False)
        return numba.njit(forceinline=inline, no_cpython_wrapper=True, **_OPTIONS)(self.py_func)


class _UnstoppedDispatcher(_Kernel):
    """A kernel as Python calls it: a thread is not stopped before it is back.

    Numba reads and makes named tuples by calling back into Python, and goes on where such a call
    has failed, with a pointer to nothing. Kernels become this once threads can be stopped; until
    then they are called without a step of Python in between.
    """

    def __call__(self, *arguments: object) -> object:
        """Run the compiled code."""
        if getattr(here, "stops", None) is None:
            return CPUDispatcher.__call__(self, *arguments)
        with Unstopped():
            return CPUDispatcher.__call__(self, *arguments)


def reads_only(func: Callable[..., object], *names: str) -> None:
    """Declare arrays that a kernel never writes to and never returns.

    Calls from other kernels then compile it once, whether or not these arrays can be written to.
    """
    if isinstance(func, _Kernel):
        known = list(inspect.signature(func.py_func).parameters)
        func.__dict__["reads"] = [known.index(name) for name in names]


_kernels: list[CPUDispatcher] = []


def _hold_stops_in_kernels() -> None:
    for compiled in _kernels:
        compiled.__class__ = _UnstoppedDispatcher


stopping.before_the_first(_hold_stops_in_kernels)


def inline_kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile `func` as `kernel` does, into every kernel that calls it.

    For steps of a few nanoseconds: numbers stay in registers, as they would not over a call. Take
    and return numbers, and tuples of them; arrays only where the body has no branch, for across
    branches Numba counts references again.
    """
    compiled = numba.njit(forceinline=True, **_OPTIONS)(func)
    if isinstance(compiled, CPUDispatcher):
        compiled.__class__ = _Kernel
    return cast("Callable[P, R]", compiled)


def _kept(func: Callable[P, R]) -> Any | None:
    """Return a kernel whose code is kept on disk, or None where nothing may be kept.

    Numba looks only at the file of the kernel itself: one that calls a kernel of another file would
    keep that one's old code when it changes. So the code is tied to the present state of all
    kernels. If this version of Numba keeps its stamp elsewhere, nothing may be kept.
    """
    # A folder that is there and cannot be written, as in an image that another user has filled, is
    # read all the same; what it lacks is kept in the folder that Numba finds instead.
    read_only = [folder for folder in _folders_of(func) if not _can_be_written(folder)]
    try:
        compiled = numba.njit(cache=True, **_OPTIONS)(func)
    except RuntimeError:  # Numba found no folder that it can write
        if not _use_temporary_folder():
            return None
        compiled = numba.njit(cache=True, **_OPTIONS)(func)
    cache: Any = getattr(compiled, "_cache", None)
    stored: Any = getattr(cache, "_cache_file", None)
    name = getattr(getattr(cache, "_impl", None), "filename_base", None)
    if not hasattr(stored, "_source_stamp") or name is None:
        return None if isinstance(compiled, CPUDispatcher) else compiled
    stamp = (stored._source_stamp, _state_of_kernels())  # noqa: SLF001
    stored._source_stamp = stamp  # noqa: SLF001
    others = [type(stored)(folder, name, stamp) for folder in read_only]
    chosen = numba.config.CACHE_DIR
    if chosen and not str(cache.cache_path).startswith(chosen) and not others:
        _say_once(f"Compiled code cannot be kept in {chosen}. It is kept beside the sources")
    cache._cache_file = _LabelledFile(stored, others)  # noqa: SLF001
    save = cache.save_overload

    def save_if_possible(*arguments: object) -> None:
        try:
            save(*arguments)
        except OSError as error:  # the disk is full, or the folder can no longer be written
            _say_once(f"Compiled code cannot be kept: {error}. It works, and is compiled again")
        except RuntimeError:
            # Ctrl-C came while the compiler handed over its code, which Python calls back for and
            # cannot be left from: the code works, and this process alone has it.
            pass

    cache.save_overload = save_if_possible
    return compiled


def _folders_of(func: Callable[..., object]) -> list[str]:
    """Return the folders that may hold the code of a kernel: the user's, and beside its source."""
    home = Path(func.__code__.co_filename).parent
    folders = [str(home / "__pycache__")]
    if numba.config.CACHE_DIR:
        locate = caching._CacheLocator.get_suitable_cache_subpath  # noqa: SLF001
        folders.insert(0, str(Path(numba.config.CACHE_DIR) / locate(str(home / "_"))))
    return [folder for folder in folders if Path(folder).is_dir()]


@cache
def _can_be_written(folder: str) -> bool:
    return os.access(folder, os.W_OK)


@cache
def _use_temporary_folder() -> bool:
    """Keep code in a folder of this user among temporary files; return whether that is possible."""
    folder = Path(tempfile.gettempdir()) / f"broadpeak-kernels-{getpass.getuser()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.stat()
        # What stands in it is run: nobody else may have put it there.
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
            raise PermissionError(f"{folder} belongs to somebody else")
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        _say_once(f"Compiled code cannot be kept: {error}. It works, and is compiled again")
        return False
    numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = str(folder)  # workers inherit it
    _say_once(f"Compiled code is kept in {folder}, which may not last: no other folder")
    return True


@cache
def _say_once(what: str) -> None:
    remedy = "Set NUMBA_CACHE_DIR to a folder that can be written, then type: broadpeak warm"
    warn(f"{what}. {remedy}", UserWarning)


class _LabelledFile:
    """The cache file of a kernel, whose code says what it was compiled for.

    Numba keeps an index beside the code, and writes one after the other. Two processes that compile
    a kernel at the same time, for other arguments or from another state of the sources, write their
    code to one file, and the index that is left names it as what it is not. Run like that, it reads
    arguments that were never passed.
    """

    def __init__(self, file: Any, others: Sequence[Any] = ()) -> None:
        self._file = file
        self._others = others

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def save(self, key: object, data: object) -> None:
        """Write code with its label."""
        self._file.save(key, (self._label(key), data))

    def load(self, key: object) -> object:
        """Return the code for `key`; None where there is none, or one with another label."""
        for file in (self._file, *self._others):
            found = file.load(key)
            if isinstance(found, tuple) and len(found) == 2 and found[0] == self._label(key):
                return found[1]
        return None

    def _label(self, key: object) -> str:
        return repr((self._file._source_stamp, key))  # noqa: SLF001


class _CompilerListener(numba_events.Listener):  # type: ignore[misc]  # it has no types
    """Keeps threads that compile from being stopped, which would free parts of LLVM twice."""

    def __init__(self) -> None:
        self._here = threading.local()

    def on_start(self, event: object) -> None:
        """Hold stops; compilations are nested where a kernel calls another one."""
        block = Unstopped()
        block.__enter__()
        self._here.__dict__.setdefault("blocks", []).append(block)

    def on_end(self, event: object) -> None:
        """Let stops through again."""
        blocks = self._here.__dict__.get("blocks")
        if blocks:
            blocks.pop().__exit__(None, None, None)


numba_events.register("numba:compiler_lock", _CompilerListener())


@cache
def _state_of_kernels() -> tuple[tuple[str, int, int], ...]:
    package = Path(__file__).parents[1]
    # Beside one another, kernels read the table of stops.
    files = sorted([*package.glob("*/_kernels/*.py"), *package.glob("*/stops.py")])
    found = [(file, file.stat()) for file in files]
    return tuple((file.name, stat.st_size, stat.st_mtime_ns) for file, stat in found)
