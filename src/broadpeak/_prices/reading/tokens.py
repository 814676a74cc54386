# SPDX-License-Identifier: BSD-3-Clause
"""Strings cut into numbers and words, a whole column at once.

A column of dates has few layouts: "9/9/9999 99:99" and its neighbours with one digit more. Rows of
one layout are cut at the same positions, so that a million strings cost a few array operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from broadpeak.types import AnyArray, IntArray

_DIGIT, _LETTER = ord("0"), ord("A")
_KIND = np.arange(256, dtype=np.uint8)
_KIND[ord("0") : ord("9") + 1] = _DIGIT
_KIND[ord("A") : ord("Z") + 1] = _LETTER
_KIND[ord("a") : ord("z") + 1] = _LETTER
_KIND[128:] = _LETTER  # other scripts, as UTF-8
_KIND[ord("#")] = ord("?")  # "#" is what a mask calls a number
_MOST_LAYOUTS = 2000
MOST_CHARS = 64  # one long cell would make all of them as long
_MOST_DIGITS = 19


@dataclass(frozen=True)
class Group:
    """Rows of one layout.

    Attributes
    ----------
    rows : array of int
        Their positions in the column.
    mask : str
        The layout: "#" for a number, "A" for a word, other characters as they are.
    tokens : list
        For each "#" of the mask an array of integers, for each "A" an array of lower-case strings.
    lengths : list of int
        Characters of each token.
    """

    rows: IntArray
    mask: str
    tokens: list[Any]
    lengths: list[int]


def longest(strings: AnyArray) -> int:
    """Return the number of characters of the longest string."""
    return max(map(len, strings), default=0)


def as_bytes(strings: AnyArray) -> AnyArray:
    """Return strings as an array of bytes, in UTF-8, with plain spaces around nothing."""
    try:
        return strings.astype("S")
    except UnicodeEncodeError:
        plain = [str(text).replace("\u202f", " ").replace("\xa0", " ") for text in strings]
        return np.array([text.encode() for text in plain], dtype="S")


def cut(strings: AnyArray) -> list[Group] | None:
    """Return the rows of each layout, or None where there are too many, or too long, for dates."""
    if longest(strings) > MOST_CHARS:
        return None
    raw = as_bytes(strings)
    width = raw.dtype.itemsize
    if len(raw) == 0 or width == 0:
        return []
    chars = np.ascontiguousarray(raw).view(np.uint8).reshape(len(raw), width)
    kinds = _KIND[chars]
    if (kinds == kinds[0]).all():
        group = _group(np.arange(len(raw)), chars, kinds[0])
        return None if group is None else [group]
    weights = np.random.default_rng(0).integers(1, 2**63, width, dtype=np.uint64)
    codes = np.zeros(len(raw), np.uint64)
    for position in range(width):
        codes += kinds[:, position] * weights[position]
    layout, layouts = pd.factorize(codes)
    if len(layouts) > _MOST_LAYOUTS:
        return None
    order = np.argsort(layout, kind="stable")
    ends = np.cumsum(np.bincount(layout))
    groups = []
    for rows in np.split(order, ends[:-1]):
        group = _group(rows, chars[rows], kinds[rows[0]])
        if group is None:
            return None
        groups.append(group)
    return groups


def _group(rows: IntArray, chars: AnyArray, layout: AnyArray) -> Group | None:
    mask, tokens, lengths = "", [], []
    start = 0
    for kind, run in groupby(layout.tolist()):
        stop = start + len(list(run))
        part = chars[:, start:stop]
        if kind == _DIGIT:
            long = stop - start >= _MOST_DIGITS
            if long and (stop - start > _MOST_DIGITS or (part[:, 0] >= ord("9")).any()):
                return None  # more than 64 bits hold
            number = np.zeros(len(rows), np.int64)
            for position in range(stop - start):
                number = number * 10 + (part[:, position].astype(np.int64) - ord("0"))
            tokens.append(number)
        elif kind == _LETTER:
            words = np.ascontiguousarray(part).view(f"S{stop - start}").ravel()
            tokens.append(np.char.lower(words))
        if kind in {_DIGIT, _LETTER}:
            lengths.append(stop - start)
            mask += chr({_DIGIT: ord("#")}.get(kind, kind))
        elif kind:
            mask += chr(kind) * (stop - start)
        start = stop
    return Group(rows, mask, tokens, lengths)
