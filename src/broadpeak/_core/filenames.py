# SPDX-License-Identifier: BSD-3-Clause
"""File names made of names that users chose."""

from __future__ import annotations

import hashlib
import re

_SPECIAL = re.compile(r'[\\/:*?"<>|]')
# What Windows takes for a device, whatever extension follows.
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])\Z", re.IGNORECASE)
_LONGEST = 120  # bytes; systems take 255, and a number and an extension follow
_DIGEST = 8  # hexadecimal digits that tell long names apart


def file_stem(name: str) -> str:
    """Return `name` as one part of a path, without an extension, on any system.

    What separates folders, or means something to a system, becomes an underscore, so that a file
    stays in the folder it was meant for.

    Parameters
    ----------
    name : str
        Any text.

    Returns
    -------
    str
        The same text wherever it is harmless.

    Examples
    --------
    >>> file_stem("trend 2.0"), file_stem("../../X"), file_stem("con"), file_stem("")
    ('trend 2.0', '_._.._X', '_con', '_')
    """
    stem = "".join(char if char.isprintable() else "_" for char in _SPECIAL.sub("_", name))
    stem = stem.rstrip(". ")  # Windows drops them
    if stem.startswith("."):
        stem = f"_{stem[1:]}"  # it would be hidden, or the folder above
    if not stem or _DEVICE.match(stem.partition(".")[0].rstrip(" ")):
        stem = f"_{stem}"
    data = stem.encode()
    if len(data) > _LONGEST:
        digest = hashlib.blake2b(data).hexdigest()[:_DIGEST]
        stem = f"{data[: _LONGEST - _DIGEST - 1].decode(errors='ignore')}-{digest}"
    return stem
