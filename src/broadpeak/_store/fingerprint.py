# SPDX-License-Identifier: BSD-3-Clause
"""Content hashes that are the same in every process: of values, data and what functions reach."""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from broadpeak._store import content, objects
from broadpeak._store.following import UnfollowedError
from broadpeak._store.origin import is_own
from broadpeak._store.writing import PLAIN, SIZE, KeyWriter, Page
from broadpeak.errors import StoreError, broken_rule

_REMEDY = (
    "To store the run, pass store_key='v1', a string of your own that you change when the function "
    "changes, or give the class a method fingerprint() that returns plain values."
)


def fingerprint(*values: object) -> bytes:
    """Return a digest of the content of `values`, 16 bytes.

    Two values have the same digest if they are of the same type and content, and what is one object
    in the one is one in the other; it does not depend on the process, on hash seeds or on where an
    object lies in memory. The user's own functions,
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


def name_of(func: object) -> str:
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


def under_key(func: object, store_key: str) -> tuple[object, ...]:
    """Return what `func` counts by under a `store_key`: its name, and bound arguments.

    Examples
    --------
    >>> from functools import partial
    >>> under_key(partial(pow, 2), "v1")
    ('v1', 'pow', (2,), {})
    """
    bound: list[object] = []
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

    def __init__(self) -> None:
        self._pages: dict[int, Page] = {}
        self._open: set[int] = set()
        self._path: list[str] = []
        self._paths: dict[int, list[str]] = {}

    def __call__(self, *values: object) -> bytes:
        """Return the digest of `values`."""
        encoder = PLAIN.get(type(values[0])) if len(values) == 1 else None
        if encoder is not None:  # as most of a million values are
            return hashlib.blake2b(encoder(values[0]), digest_size=SIZE).digest()
        try:
            return self._digest(values)
        except UnfollowedError as error:
            raise StoreError(_explain(error)) from error
        except (RecursionError, _LeadsBackError) as error:
            raise StoreError(f"A stored call must not be nested too deeply. {_REMEDY}") from error

    def _digest(self, values: tuple[object, ...]) -> bytes:
        writer = KeyWriter(self)
        content.items(writer, values)
        root = writer.page(values)
        if not root.refs:
            return root.digest
        total = hashlib.blake2b(root.digest, digest_size=SIZE)
        found: list[object] = []
        numbers: dict[int, int] = {}
        inspected: set[str] = set()

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
            inspected |= page.inspected
            refer(page)
            if len(found) == len(numbers) == numbers[id(value)] + 1 and "subclasses" in inspected:
                refer(Page(b"", tuple(_derived(found)), frozenset(), None))
        if inspected:
            total.update(_about(found, inspected))
        return total.digest()

    def feed(self, writer: KeyWriter, value: object) -> None:
        """Write `value`, or refer to it if it has an identity and hence a page of its own."""
        if isinstance(value, _PARTS) and not is_own(value):
            writer.place(self._page(value))
        else:
            self._paths.setdefault(id(value), list(self._path))
            writer.ref(value)

    def unordered(self, writer: KeyWriter, value: Iterable[object]) -> None:
        """Write a set: its items in the order of their digests."""
        items = sorted(value, key=self._rank)
        writer.mark("set", str(len(items)))
        for item in items:
            writer.feed(item)

    def _rank(self, item: object) -> bytes:
        """Return what an item of a set is sorted by; one that leads back to it, by name."""
        try:
            return self._digest((item,))
        except _LeadsBackError:
            return _display_name(item).encode()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Name what is written inside for errors."""
        self._path.append(name)
        try:
            yield
        except UnfollowedError as error:
            error.path = error.path or [*self._path]
            raise
        finally:
            self._path.pop()

    def _page(self, value: object) -> Page:
        page = self._pages.get(id(value))
        if page is not None:
            return page
        if id(value) in self._open:
            raise _LeadsBackError
        outside, self._path = self._path, self._paths.get(id(value), self._path)
        name = _display_name(value)
        if name:
            self._path = []
        self._open.add(id(value))
        writer = KeyWriter(self)
        try:
            with self.step(name):
                _write(writer, value)
        finally:
            self._open.discard(id(value))
            self._path = outside
        page = self._pages[id(value)] = writer.page(value)
        return page


class _LeadsBackError(Exception):
    """What is being written leads back to itself before it is done."""


_PARTS = (*content.WITHOUT_IDENTITY, *objects.WITHOUT_IDENTITY, type, types.ModuleType)


def _write(writer: KeyWriter, value: Any) -> None:
    exact = content.EXACT.get(type(value))
    if exact is not None:
        exact(writer, value)
        return
    if content.is_unordered(value):
        objects.kind(writer, type(value))
        writer.session.unordered(writer, value)
        return
    for kinds, feeder in content.KINDS:
        if isinstance(value, kinds):
            objects.kind(writer, type(value))
            feeder(writer, value)
            return
    if not objects.definition(writer, value):
        objects.whole(writer, value)


def _display_name(value: object) -> str:
    if isinstance(value, types.ModuleType):
        return value.__name__
    return value.__qualname__ if isinstance(value, (types.FunctionType, type)) else ""


def _derived(found: list[object]) -> Iterator[type]:
    """Yield the user's classes right below those that were found; code can list them."""
    for value in found:
        if isinstance(value, type) and is_own(value):
            below: list[type] = type.__subclasses__(value)
            yield from filter(is_own, below)


def _about(found: list[object], inspected: set[str]) -> bytes:
    """Return the digest of docstrings and annotations, where some code looks at them."""
    writer = KeyWriter(Fingerprints())
    for value in found:
        if "doc" in inspected and isinstance(value, (types.FunctionType, type, types.ModuleType)):
            writer.mark("doc", str(value.__doc__))
        if "annotations" in inspected and isinstance(value, types.FunctionType):
            for name, kind in value.__annotations__.items():
                writer.mark("annotation", f"{name}: {getattr(kind, '__qualname__', kind)}")
    return writer.page(found).digest


def _explain(error: UnfollowedError) -> str:
    steps = list(dict.fromkeys(name for name in error.path if name))
    what = {0: "An argument", 1: "What {} uses"}.get(len(steps), "{1}, which {0} uses,")
    name = what.format(*steps[:1], ".".join(steps[1:]))
    rule = "have content that can be compared between processes"
    return broken_rule(name, rule, error.value, f"{error.why} {_REMEDY}".lstrip())
