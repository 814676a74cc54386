# SPDX-License-Identifier: BSD-3-Clause
"""What is known of an object that cannot change, found again by the object itself."""

from __future__ import annotations

import weakref
from typing import Any, Generic, TypeVar

from broadpeak._core import caches

Known = TypeVar("Known")


class ByIdentity(Generic[Known]):
    """One fact for each object, forgotten with it; the object needs neither hash nor equality.

    Examples
    --------
    >>> facts: ByIdentity[int] = ByIdentity()
    >>> days = {1, 2}
    >>> facts.put(days, 7)
    >>> facts.get(days), facts.get({1, 2})
    (7, None)
    """

    __slots__ = ("__weakref__", "_facts")

    def __init__(self) -> None:
        self._facts: dict[int, tuple[weakref.ref[Any], Known]] = {}
        caches.register(self._facts.clear)

    def get(self, thing: object) -> Known | None:
        """Return what is known of this very object, or None."""
        found = self._facts.get(id(thing))
        # A number may be that of an object which is no more.
        return found[1] if found is not None and found[0]() is thing else None

    def put(self, thing: object, fact: Known) -> None:
        """Remember a fact as long as the object lives."""
        number, facts = id(thing), self._facts

        def forget(gone: weakref.ref[Any]) -> None:
            if number in facts and facts[number][0] is gone:
                del facts[number]

        facts[number] = (weakref.ref(thing, forget), fact)
