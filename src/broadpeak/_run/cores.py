# SPDX-License-Identifier: BSD-3-Clause
"""How many cores there are to share."""

from __future__ import annotations

from loky import cpu_count


def core_count() -> int:
    """Return how many cores this process may use, with affinity and container limits.

    Examples
    --------
    >>> core_count() >= 1
    True
    """
    return int(cpu_count())
