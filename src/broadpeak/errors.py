# SPDX-License-Identifier: BSD-3-Clause
"""Every exception of the library, and what its messages are made of.

::

    BroadpeakError
    ├── ParamError (ValueError)          an argument, a parameter or a grid
    │   ├── ConditionError               a condition or a template expression
    │   ├── ParamTypeError (TypeError)   an argument of the wrong type
    │   ├── FileError (OSError)          a file that cannot be written
    │   ├── PositionError (IndexError)   a position that does not exist
    │   ├── UnknownNameError (KeyError)  a name that does not exist
    │   └── NoResultsError               every combination was dropped
    ├── DataError (ValueError)           prices, signals, or too little history
    │   └── UnreadableDataError (OSError)            a file that cannot be read
    │       └── MissingDataError (FileNotFoundError) a file that does not exist
    ├── TaskError (RuntimeError)         one call of a sweep failed
    ├── EngineError (RuntimeError)       workers could not be started, or were lost
    ├── MissingExtraError (ImportError)  an optional package is not installed
    ├── ParFileError (ValueError)        a parameter file
    │   └── MissingParFileError (FileNotFoundError)  a parameter file that does not exist
    ├── StoreError (RuntimeError)        a result store
    └── StrategyError (RuntimeError)     a strategy function that breaks a rule

A message says what must hold, what was got, and what to type next. The most general class of each
kind is also a name of the package: `bp.ParamError` is `bp.errors.ParamError`.
"""

from __future__ import annotations

import re
import sys
import traceback
import warnings
from collections.abc import Callable

__all__ = [
    "BroadpeakError",
    "ConditionError",
    "DataError",
    "EngineError",
    "FileError",
    "MissingDataError",
    "MissingExtraError",
    "MissingParFileError",
    "NoResultsError",
    "ParFileError",
    "ParamError",
    "ParamTypeError",
    "PositionError",
    "SkippedWarning",
    "StoreError",
    "StrategyError",
    "TaskError",
    "UnknownNameError",
    "UnreadableDataError",
]


class BroadpeakError(Exception):
    """Root of all errors that this library raises on purpose."""


class ParamError(BroadpeakError, ValueError):
    """An argument, a parameter or a grid breaks a rule."""


class ConditionError(ParamError):
    """A condition or template expression is not allowed, or failed when it was evaluated.

    Attributes
    ----------
    unknown : str or None
        The unknown name in it, if that is what is wrong.
    """

    unknown: str | None = None


class ParamTypeError(ParamError, TypeError):
    """An argument or a result has the wrong type."""


class FileError(ParamError, OSError):
    """A file cannot be written."""


class PositionError(ParamError, IndexError):
    """The position does not exist."""


class UnknownNameError(ParamError, KeyError):
    """The name does not exist."""

    __str__ = Exception.__str__  # that of KeyError would show the message in quotes


class NoResultsError(ParamError):
    """No combination produced a result."""


class DataError(BroadpeakError, ValueError):
    """Prices or signals break a rule, or there are too few of them."""


class UnreadableDataError(DataError, OSError):
    """A file of prices cannot be read."""


class MissingDataError(UnreadableDataError, FileNotFoundError):
    """The file of prices does not exist."""


class EngineError(BroadpeakError, RuntimeError):
    """An engine could not start, or lost its workers."""


class MissingExtraError(BroadpeakError, ImportError):
    """An optional package is not installed; the message holds the pip line."""


class ParFileError(BroadpeakError, ValueError):
    """A parameter file is damaged, incomplete or of another strategy."""


class MissingParFileError(ParFileError, FileNotFoundError):
    """The parameter file does not exist."""


class StoreError(BroadpeakError, RuntimeError):
    """A result store is locked, damaged or of a newer version."""


class StrategyError(BroadpeakError, RuntimeError):
    """A strategy function broke one of the rules for strategies."""


class TaskError(BroadpeakError, RuntimeError):
    """One call of a sweep failed.

    Attributes
    ----------
    index : int
        Position of the call in task order.
    label : str
        The combination, as in ``fast=10, slow=20``; empty where tasks have no keys.
    worker_traceback : str
        The traceback as the worker saw it.
    """

    def __init__(
        self,
        message: str,
        *,
        index: int = -1,
        label: str = "",
        worker_traceback: str = "",
        rerun: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(message)
        self.index = index
        self.label = label
        self.worker_traceback = worker_traceback
        self._rerun = rerun

    def rerun(self) -> object:
        """Run the failed call again in this process, where a debugger can reach it.

        Returns
        -------
        object
            The result of the call, if it succeeds this time.

        Raises
        ------
        ParamError
            If the call itself did not travel with the error (it crossed a process twice).
        """
        if self._rerun is None:
            msg = (
                "rerun() must have the failed call, but it did not travel with the error. "
                "Repeat the run with engine='serial'."
            )
            raise ParamError(msg)
        return self._rerun()

    def __reduce__(self) -> tuple[Callable[..., TaskError], tuple[object, ...]]:
        return _restore_task_error, (
            str(self),
            self.index,
            self.label,
            self.worker_traceback,
        )


class SkippedWarning(UserWarning, RuntimeWarning):
    """Calls of a sweep failed and were left out of its results, because of ``on_error="skip"``."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line outside of this package that made the call."""
    level, frame = 1, sys._getframe(0)  # noqa: SLF001  # `inspect.stack` reads every source file
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _restore_task_error(message: str, index: int, label: str, worker_traceback: str) -> TaskError:
    return TaskError(message, index=index, label=label, worker_traceback=worker_traceback)


def described(error: BaseException) -> str:
    """Return the class of `error`, its message, and a remedy where what was meant is known.

    It does so even if making the message fails.

    Examples
    --------
    >>> described(KeyError("fast"))
    "KeyError: 'fast'"
    """
    try:
        text = str(error)
    except Exception as failed:  # noqa: BLE001  # a class of the user may raise anything
        text = f"<{type(failed).__name__} while making the message>"
    if not text:
        return type(error).__name__
    known = _REMEDIES if isinstance(error, (ValueError, TypeError, IndexError)) else ()
    remedy = next((f". {remedy}" for words, remedy in known if words.search(text)), "")
    return f"{type(error).__name__}: {text.removesuffix('.') if remedy else text}{remedy}"


_AND = (
    "Words such as `and`, `or`, `not`, `if` and `a < b < c` take one truth value, not one a bar. "
    "Type & for and, | for or, ~ for not, with every comparison in parentheses: (a > b) & (b > c)."
)
_PARENTHESES = (
    "& and | bind tighter than comparisons. Put every comparison in parentheses: (a > b) & (b > c)."
)
_INTEGER = "A length must be an integer here. Type integer=True in s.optimize(…), or int(length)."
# What Python and its packages say of the usual mistakes with arrays, and what to type instead.
_REMEDIES = [
    (re.compile("truth value of an? .*ambiguous"), _AND),
    (re.compile("'bitwise_(and|or|xor)' not supported"), _PARENTHESES),
    (re.compile(r"unsupported operand type\(s\) for [&|^]:|rand_|ror_"), _PARENTHESES),
    (re.compile("'(numpy.)?float(64)?' object cannot be interpreted as an integer"), _INTEGER),
    (re.compile("slice indices must be integers|must be an integer 0 or greater"), _INTEGER),
    (re.compile("expected a sequence of integers or a single integer"), _INTEGER),
    (re.compile("only integer scalar arrays|only integers, slices"), _INTEGER),
    (re.compile("periods must be an integer"), _INTEGER),
]


def traceback_text(error: BaseException) -> str:
    """Return the traceback of `error` as Python prints it."""
    return "".join(traceback.format_exception(error))


def broken_rule(name: str, rule: str, got: object, remedy: str = "") -> str:
    """Return the message of a broken rule: ``name must rule, got value. remedy``.

    Examples
    --------
    >>> broken_rule("window", "be at least 1", 0, "Pass a length in bars.")
    'window must be at least 1, got 0 (int). Pass a length in bars.'
    """
    text = f"{name} must {rule}, got {shown(got)} ({type(got).__name__})."
    if not remedy and type(got).__name__ == "Param":  # whose class is above this module
        remedy = _NO_PARAM
    # Rules and remedies name what else was given.
    return _ADDRESS.sub("", f"{text} {remedy}" if remedy else text)


def shown(value: object, limit: int = 120) -> str:
    """Return `value` as one short line; what has no usable repr is described by its type.

    Examples
    --------
    >>> shown([1, 2]), shown(10**5000)
    ('[1, 2]', 'an integer of 16610 bits')
    """
    if isinstance(value, int) and value.bit_length() > _PRINTED_BITS:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, (str, bytes, bytearray)):
        value = value[: limit + 1]  # a whole file passed by mistake is not quoted first
    try:
        shape = getattr(value, "shape", None)
        kind = getattr(getattr(value, "dtype", None), "kind", "")
        if hasattr(value, "iloc") and shape:  # a table on one line tells a reader nothing
            return f"{' × '.join(map(str, shape))} values"
        if shape == () and kind in {"b", "i", "u", "f"}:
            value = getattr(value, "item", lambda: value)()  # 0.5 instead of np.float64(0.5)
        # Nor does the place of an object in memory.
        text = _ADDRESS.sub("", " ".join(repr(value).split()))
    except Exception:  # noqa: BLE001  # the object is the user's; the message must come anyway
        return f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


_NO_PARAM = (
    "Give the Param to a function under @bp.parameterized, which passes its values on; "
    "or, where values make columns, pass a list."
)
_PRINTED_BITS = 1_000
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
