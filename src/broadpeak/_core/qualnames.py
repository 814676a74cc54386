# SPDX-License-Identifier: BSD-3-Clause
"""Qualified names: what a module holds under ``Outer.inner``."""

from __future__ import annotations


def lookup(module: object, qualname: str) -> object:
    """Return what `module` holds under a qualified name; None if there is nothing.

    Examples
    --------
    >>> import collections
    >>> lookup(collections, "OrderedDict.fromkeys") is not None
    True
    >>> lookup(collections, "function.<locals>.inner") is None
    True
    """
    found = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
