# SPDX-License-Identifier: BSD-3-Clause
"""What of the user's goes into a pickle: by name where a new process finds it, else by value."""

from __future__ import annotations

import pickle
import sys
from dataclasses import fields
from typing import ClassVar, Self

import cloudpickle
import numpy as np

from broadpeak._core.qualnames import lookup
from broadpeak._run.shared import is_hidden

_PLAIN = (type(None), bool, int, float, str, bytes, np.generic)


def by_name(obj: object) -> bool:
    """Return whether a new process finds `obj` under its module and name.

    Examples
    --------
    >>> by_name(np.mean), by_name(lambda x: x)
    (True, False)
    """
    module, name = getattr(obj, "__module__", None), getattr(obj, "__qualname__", "")
    if module in {None, "__main__"} or not name:
        return False
    return lookup(sys.modules.get(module), name) is obj and not is_hidden(module)


def dumps(value: object) -> bytes:
    """Return `value` pickled, functions that have no name elsewhere by value."""
    data: bytes = cloudpickle.dumps(value)
    return data


class Carried:
    """Stands for a value in a pickle, and is that value again once it is read."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __reduce__(self) -> tuple[object, ...]:
        return pickle.loads, (dumps(self._value),)

    def fingerprint(self) -> object:
        """Return what counts in a store: the value, not the bytes that it travels as."""
        return self._value


class Travelling:
    """Base of frozen dataclasses that hold things of the user's, such as functions.

    They can be pickled, also by plain `pickle`. What was derived on first use stays behind.
    """

    carried: ClassVar[tuple[str, ...]] = ("settings",)
    """Fields that are dicts of the user's values."""

    def __getstate__(self) -> dict[str, object]:
        state = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]  # a dataclass
        for name in self.carried:
            state[name] = {
                key: value if isinstance(value, _PLAIN) else Carried(value)
                for key, value in state[name].items()
            }
        return state

    def __copy__(self) -> Self:
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new
