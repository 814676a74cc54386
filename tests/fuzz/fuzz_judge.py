# SPDX-License-Identifier: BSD-3-Clause
"""What became of one call, and whether a user could have made something of it."""

from __future__ import annotations

import contextlib
import io
import re
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from fuzz_pool import Bomb

import broadpeak as bp

SECONDS = 5.0
"""A call that takes longer hangs."""

LONGEST = 3_000
"""Letters of a message that somebody still reads."""

SRC = str(Path(bp.__file__).parent)
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
HERE = Path(__file__).parent
MISCALLED = re.compile(r"(\S*<lambda>|Plain|callable)(\(\)| object) ")
OURS = (UserWarning,)


class Hung(BaseException):
    """Raised in a call that takes too long."""


class Fault(NamedTuple):
    """A call that did not end as the contract says."""

    call: str
    what: str
    place: str

    def __str__(self) -> str:
        return f"{self.call}: {self.what} [{self.place}]"


@contextlib.contextmanager
def limited(seconds: float = SECONDS) -> Iterator[None]:
    """Raise `Hung` in what runs here if it takes longer."""

    def ring(*_: object) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judged(call: str, work: Callable[[], Any]) -> Fault | None:
    """Return what is wrong with how `work` ends; None where it answers, or refuses in words."""
    caught: list[warnings.WarningMessage]
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("always")
        fault = _ended(call, work)
    if fault is None:
        for one in caught:
            is_users = Path(one.filename).parent == HERE and not issubclass(one.category, OURS)
            leaks = not issubclass(one.category, OURS) or one.filename.startswith(SRC)
            if leaks and not is_users:
                what = f"warns {one.category.__name__}: {str(one.message)[:150]}"
                return Fault(call, what, f"{_short(one.filename)}:{one.lineno}")
    return fault


def _ended(call: str, work: Callable[[], Any]) -> Fault | None:
    try:
        with limited():
            work()
    except bp.BroadpeakError as error:
        return _badly_said(call, error)
    except Hung as error:
        return Fault(call, "hangs", _place(error.__traceback__))
    except Bomb:
        return None  # the object itself says what is wrong with it
    except BaseException as error:
        if _is_theirs(error):
            return None
        return Fault(call, f"{type(error).__name__}: {_text(error)}", _place(error.__traceback__))
    return None


def _is_theirs(error: BaseException) -> bool:
    """Return whether it was not the library that failed, but the caller or what it was given.

    That is: a call with arguments that a signature does not have, in Python's own words; a
    function of the user that cannot be called as documented, or that raises an error itself.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if not any(one.filename.startswith(SRC) for one in frames):
        return True
    if Path(frames[-1].filename).parent == HERE:
        return True
    bound = Path(frames[-1].filename).name == "inspect.py"
    return isinstance(error, TypeError) and (bound or bool(MISCALLED.match(_text(error))))


def _badly_said(call: str, error: bp.BroadpeakError) -> Fault | None:
    try:
        text = str(error)
    except BaseException as second:
        return Fault(call, f"message raises {type(second).__name__}", _place(error.__traceback__))
    wrong = ""
    if len(text.split()) < 3:
        wrong = "says too little"
    elif len(text) > LONGEST:
        wrong = f"says {len(text)} letters"
    elif ADDRESS.search(text):
        wrong = "shows an address"
    elif "Traceback (most recent call last)" in text:
        wrong = "shows a traceback"
    if not wrong:
        return None
    return Fault(
        call, f"{type(error).__name__} {wrong}: {text[:200]!r}", _place(error.__traceback__)
    )


def _own_frames(found: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(found)
    return [
        f"{_short(one.filename)}:{one.lineno}" for one in frames if one.filename.startswith(SRC)
    ]


def _place(found: TracebackType | None) -> str:
    own = _own_frames(found)
    return own[-1] if own else "outside"


def _short(filename: str) -> str:
    return filename.removeprefix(SRC).lstrip("/")


def _text(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except BaseException:
        return "no text"
