# SPDX-License-Identifier: BSD-3-Clause
"""Random generators: a stream depends on what is drawn, never on the worker that draws it."""

from __future__ import annotations

import numpy as np

from broadpeak._core import check


def generator(seed: int | None, *keys: int) -> np.random.Generator:
    """Return the generator of the stream `keys` of `seed`; None draws fresh entropy.

    Examples
    --------
    >>> generator(7, 1).integers(100) == generator(7, 1).integers(100)
    np.True_
    """
    return np.random.default_rng(np.random.SeedSequence(check.seed(seed), spawn_key=keys))
