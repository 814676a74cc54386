# SPDX-License-Identifier: BSD-3-Clause
"""Random generators whose streams depend on what is drawn, never on which worker draws it."""

from __future__ import annotations

import numpy as np

from broadpeak._core import check


def generator(seed: int | None, *keys: int) -> np.random.Generator:
    """Return the generator of stream `keys` under `seed` (None: fresh entropy).

    Raises
    ------
    ParamError
        If `seed` is neither None nor a whole number of at least 0.

    Examples
    --------
    >>> generator(7, 1).integers(100) == generator(7, 1).integers(100)
    np.True_
    """
    return np.random.default_rng(np.random.SeedSequence(check.seed(seed), spawn_key=keys))
