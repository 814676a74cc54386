# SPDX-License-Identifier: BSD-3-Clause
"""Random generators whose streams depend on what is drawn, never on which worker draws it."""

from __future__ import annotations

import numpy as np


def generator(seed: int | None, *keys: int) -> np.random.Generator:
    """Return the generator of stream `keys` under `seed` (None: fresh entropy).

    Examples
    --------
    >>> generator(7, 1).integers(100) == generator(7, 1).integers(100)
    np.True_
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=keys))
