# SPDX-License-Identifier: BSD-3-Clause
"""Content hashes that are the same in every process: of values, data and what functions reach."""

from __future__ import annotations

import functools
import hashlib
import inspect
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from broadpeak.errors import StoreError, broken_rule
from broadpeak.storage import content, definitions, objects
from broadpeak.storage.following import UnfollowedError
from broadpeak.storage.origin import is_own
from broadpeak.storage.writing import PLAIN, SIZE, Page, Writer

_DEEPEST = 50  # levels that are written inside of one another
_REMEDY = (
    "To store the run, pass store_key='v1', a word of your own that you change when the function "
    "changes, or give the class a method fingerprint() that returns plain values."
)


def fingerprint(*values: Any) -> bytes:
    """Return a digest of the content of `values`, 16 bytes.

    Two values have the same digest if they are of the same type and content; it does not depend on
    the process, on hash seeds or on where an object lies in memory. The user's own functions,
    classes and modules count by what they hold and by all that their code reaches, wherever it is;
    those of installed packages by name and version. docs/stores.md has the table.

    Raises
    ------
    StoreError
        If a value has no content to go by, such as an open file or a lock.

    Examples
    --------
    >>> fingerprint(1, "a") == fingerprint(1, "a")
    True
    >>> fingerprint(1) == fingerprint(1.0)
    False
    """
    return Fingerprints()(*values)


def name_of(func: Any) -> str:
    """Return the name that a function goes by; of a partial, that of the function in it.

    Examples
    --------
    >>> from functools import partial
    >>> name_of(partial(sorted, reverse=True))
    'sorted'
    """
    while isinstance(func, functools.partial):
        func = func.func
    return getattr(func, "__qualname__", None) or type(func).__name__


def under_key(func: Any, store_key: str) -> tuple[Any, ...]:
    """Return what `func` counts by under a word of the user: its name, and bound arguments.

    Examples
    --------
    >>> from functools import partial
    >>> under_key(partial(pow, 2), "v1")
    ('v1', 'pow', (2,), {})
    """
    bound: list[Any] = []
    while isinstance(func, functools.partial):
        bound += [func.args, func.keywords]
        func = func.func
    return (store_key, name_of(func), *bound)


class Fingerprints:
    """Digests of many values at one moment; what they share is looked at once.

    Nothing may change between the calls. The next run needs new ones, so that it sees what was
    edited.

    Examples
    --------
    >>> digest = Fingerprints()
    >>> digest([1, 2]) == digest([1, 2]) == fingerprint([1, 2])
    True
    """

    def __init__(self, *, entangled: bool = False) -> None:
        self._entangled = entangled
        self._pages: dict[int, Page] = {}
        self._open: set[int] = set()
        self._for_entangled: Fingerprints | None = None

    def __call__(self, *values: Any) -> bytes:
        """Return the digest of `values`."""
        encoder = PLAIN.get(type(values[0])) if len(values) == 1 else None
        if encoder is not None:  # as most of a million values are
            return hashlib.blake2b(encoder(values[0]), digest_size=SIZE).digest()
        try:
            return self._digest(values)
        except UnfollowedError as error:
            raise StoreError(_explain(error)) from error
        except (_EntangledError, RecursionError) as error:
            if self._entangled:
                raise StoreError(f"A stored call must not be nested too deeply. {_REMEDY}") from error
        if self._for_entangled is None:
            self._for_entangled = Fingerprints(entangled=True)
        return self._for_entangled(*values)

    def _digest(self, values: tuple[Any, ...]) -> bytes:
        writer = Writer(self)
        content.items(writer, values)
        root = writer.page(values)
        if not root.refs:
            return root.digest
        total = hashlib.blake2b(root.digest, digest_size=SIZE)
        found: list[Any] = []
        numbers: dict[int, int] = {}
        asks: set[str] = set()

        def refer(page: Page) -> None:
            for ref in page.refs:
                if id(ref) not in numbers:
                    numbers[id(ref)] = len(found)
                    found.append(ref)
                total.update(numbers[id(ref)].to_bytes(8, "little"))

        refer(root)
        for value in found:  # it grows
            page = self._page(value)
            total.update(page.digest)
            asks |= page.asks
            refer(page)
        if asks:
            total.update(_told(found, asks))
        return total.digest()

    def feed(self, writer: Writer, value: Any) -> None:
        """Write `value`, or refer to it if it has a page of its own."""
        if is_own(value) or (self._entangled and _has_identity(value)):
            writer.ref(value)
        else:
            writer.place(self._page(value))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Name what is written inside for errors."""
        try:
            yield
        except UnfollowedError as error:
            error.path.insert(0, name)
            raise

    def _page(self, value: Any) -> Page:
        page = self._pages.get(id(value))
        if page is not None:
            return page
        if id(value) in self._open:
            raise _EntangledError
        self._open.add(id(value))
        writer = Writer(self)
        try:
            with self.step(_called(value)):
                _write(writer, value)
        finally:
            self._open.discard(id(value))
        page = self._pages[id(value)] = writer.page(value)
        if page.height > _DEEPEST and not self._entangled:
            raise _EntangledError
        return page


class _EntangledError(Exception):
    """Values hold themselves, or are nested deeply: then each is written once and referred to."""


def _write(writer: Writer, value: Any) -> None:
    exact = content.EXACT.get(type(value))
    if exact is not None:
        exact(writer, value)
        return
    if content.is_unordered(value):
        objects.kind(writer, type(value))
        _unordered(writer, value)
        return
    for kinds, feeder in content.KINDS:
        if isinstance(value, kinds):
            objects.kind(writer, type(value))
            feeder(writer, value)
            return
    if not definitions.definition(writer, value):
        objects.whole(writer, value)


def _unordered(writer: Writer, value: Any) -> None:
    """Write a set: its items in the order of their digests."""
    pages = []
    for item in value:
        one = Writer(writer.session)
        one.feed(item)
        pages.append(one.page(item))
    writer.mark("set", str(len(pages)))
    for page in sorted(pages, key=lambda page: (page.digest, [_called(ref) for ref in page.refs])):
        writer.place(page)


def _has_identity(value: Any) -> bool:
    return type(value) not in PLAIN and not isinstance(value, (tuple, frozenset))


def _called(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return value.__name__
    return value.__qualname__ if isinstance(value, (types.FunctionType, type)) else ""


def _told(found: list[Any], asks: set[str]) -> bytes:
    """Return the digest of docstrings and annotations, where some code looks at them."""
    writer = Writer(Fingerprints())
    for value in found:
        if "doc" in asks:
            writer.feed(str(getattr(value, "__doc__", None)))
        if "annotations" in asks and inspect.isroutine(value):
            told = getattr(value, "__annotations__", {})
            writer.feed(
                [f"{name}: {getattr(kind, '__qualname__', kind)}" for name, kind in told.items()]
            )
    return writer.page(found).digest


def _explain(error: UnfollowedError) -> str:
    steps = list(dict.fromkeys(name for name in error.path if name))
    what = {0: "An argument", 1: "What {} uses"}.get(len(steps), "{1}, which {0} uses,")
    name = what.format(*steps[:1], ".".join(steps[1:]))
    rule = "have content that can be compared between processes"
    return broken_rule(name, rule, error.value, f"{error.why} {_REMEDY}".lstrip())
