# SPDX-License-Identifier: BSD-3-Clause
"""Content as bytes: every kind marked, every length written, so that no two values look alike."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

SIZE = 16  # bytes of a digest: 2**64 results before a collision is to be expected


@dataclass(frozen=True, slots=True)
class Page:
    """What one object holds, without what it only refers to."""

    digest: bytes  # of its content; a reference is a mark at its place
    # What it refers to, in order, with pages of their own: functions, classes, modules, and all
    # that code can distinguish from an equal one because it can be changed.
    refs: tuple[object, ...]
    # What its code inspects in others that does not count otherwise; see `reach.INSPECTIONS`.
    inspected: frozenset[str]
    owner: object  # the object, held so that its id stays its own


class Session(Protocol):
    """What a writer needs of the digest it works for."""

    def feed(self, writer: KeyWriter, value: object) -> None:
        """Write `value`, whatever it is."""

    def unordered(self, writer: KeyWriter, value: Iterable[object]) -> None:
        """Write a set."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """Return a context in which errors name `name`."""


class KeyWriter:
    """Collects the content of one object.

    Attributes
    ----------
    session : Session
        The digest it works for.
    refs : list
        What was referred to.
    inspected : set of str
        What its code inspects in others.
    """

    __slots__ = ("_parts", "inspected", "refs", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self._parts: list[bytes] = []
        self.refs: list[object] = []
        self.inspected: set[str] = set()

    def raw(self, encoded: bytes) -> None:
        """Write what `token` or `encode` returned."""
        self._parts.append(encoded)

    def mark(self, kind: str, text: str = "") -> None:
        """Write a kind, and a string that belongs to it."""
        self._parts.append(token(kind, _text(text)))

    def feed(self, value: object) -> None:
        """Write a value by its content."""
        encoder = PLAIN.get(type(value))
        if encoder is not None:
            self._parts.append(encoder(value))
        else:
            self.session.feed(self, value)

    def named(self, name: str, value: object) -> None:
        """Write a value under a name."""
        self.mark("name", name)
        with self.session.step(name):
            self.feed(value)

    def ref(self, value: object) -> None:
        """Refer to what has a page of its own."""
        self._parts.append(token("ref", b""))
        self.refs.append(value)

    def place(self, page: Page) -> None:
        """Write what was written elsewhere."""
        self._parts.append(token("page", page.digest))
        self.refs.extend(page.refs)

    def page(self, owner: object) -> Page:
        """Return what was written."""
        total = hashlib.blake2b(digest_size=SIZE)
        for part in self._parts:
            total.update(part)
        return Page(total.digest(), tuple(self.refs), frozenset(self.inspected), owner)


def token(kind: str, content: bytes) -> bytes:
    """Return `content` with its kind and length, so that nothing else begins or ends like it."""
    name = kind.encode()
    return b"%c%b%b%b" % (len(name), name, len(content).to_bytes(8, "little"), content)


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _int(value: int) -> bytes:
    return token("int", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _float(value: float) -> bytes:
    return token("float", struct.pack("<d", value))  # -0.0 is not 0.0


def _complex(value: complex) -> bytes:
    return token("complex", struct.pack("<2d", value.real, value.imag))


def _scalar_encoder(kind: type[np.generic]) -> Callable[[Any], bytes]:
    name = f"numpy {np.dtype(kind).str}"
    return lambda value: token(name, value.tobytes())


_SCALARS = (np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32)
PLAIN: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: token("None", b""),
    bool: lambda value: token("bool", b"1" if value else b"0"),
    int: _int,
    float: _float,
    complex: _complex,
    str: lambda value: token("str", _text(value)),
    bytes: lambda value: token("bytes", value),
    type(...): lambda _: token("...", b""),
    type(NotImplemented): lambda _: token("NotImplemented", b""),
    **{
        kind: _scalar_encoder(kind)
        for kind in (*_SCALARS, np.uint64, np.float16, np.float32, np.float64, np.complex128)
    },
}
"""Kinds without parts, and how each is written."""
