# SPDX-License-Identifier: BSD-3-Clause
"""Digests of the rows of a store, and sums of them, by which a lost row is missed."""

from __future__ import annotations

import hashlib
import struct
from typing import Final

SIZE: Final = 16
NOTHING: Final = bytes(SIZE)
"""The sum of no digests."""


def of_parts(kind: bytes, *parts: bytes | None) -> bytes:
    """Return the digest of `parts`, the lengths before them."""
    lengths = struct.pack(f"<{len(parts)}q", *[-1 if one is None else len(one) for one in parts])
    total = hashlib.blake2b(lengths, digest_size=SIZE, person=kind)
    for part in parts:
        if part:
            total.update(part)
    return total.digest()


def of_meta(runs: int, total: bytes) -> bytes:
    """Return the digest of the row that counts the runs."""
    return of_parts(b"meta", struct.pack("<q", runs), total)


def plus(total: bytes, digest: bytes) -> bytes:
    """Return `total` with one more digest; the order in which they come does not matter."""
    number = int.from_bytes(total, "little") + int.from_bytes(digest, "little")
    return (number % (1 << 8 * SIZE)).to_bytes(SIZE, "little")
