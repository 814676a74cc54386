# SPDX-License-Identifier: BSD-3-Clause
"""How history is cut into training and test: walk-forward, purged folds, blocks.

The classes have ``split(index)`` and ``get_n_splits(index)`` as those of scikit-learn have, and
yield pairs of integer arrays: positions to train on, positions to test on, both ascending.
"""

from __future__ import annotations

from broadpeak._validation.splitters import (
    BlockSplit,
    CombinatorialPurged,
    PurgedKFold,
    WalkForwardSplit,
    Window,
    cycles_for_period,
    split_walk_forward,
)

__all__ = [
    "BlockSplit",
    "CombinatorialPurged",
    "PurgedKFold",
    "WalkForwardSplit",
    "Window",
    "cycles_for_period",
    "split_walk_forward",
]
