# SPDX-License-Identifier: BSD-3-Clause
"""The lazy grid: size, i-th combination, position of a combination, samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from broadpeak.errors import ParamError
from broadpeak.space.conditions import bind_conditions, passes
from broadpeak.space.layout import Layout, lay_out
from broadpeak.types import IntArray


class ParamGrid:
    """The grid of parameters."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._layout = lay_out(params)
        self._conditions = bind_conditions(self._layout)

    @property
    def layout(self) -> Layout:
        """The axes."""
        return self._layout

    def select(
        self,
        *,
        grid_indices: slice | Sequence[int] | IntArray | None = None,
        random_subset: float | None = None,
        random_replace: bool = False,
        random_sort: bool = True,
        seed: int | None = None,
        max_misses: int | None = None,
        raise_empty: bool = True,
    ) -> list[IntArray]:
        """Return codes, one array an axis."""
        size = self._layout.size
        positions = np.arange(size) if grid_indices is None else np.arange(size)[grid_indices]
        codes = self._layout.decode_many(positions)
        kept = np.flatnonzero(passes(self._layout, self._conditions, codes))
        if not len(kept) and raise_empty:
            msg = "the conditions must leave at least one combination, got none."
            raise ParamError(msg)
        if random_subset is not None:
            rng = np.random.default_rng(seed)
            n = random_subset
            if isinstance(n, float):
                n = max(1, round(n * len(kept)))
            kept = rng.choice(kept, int(n), replace=random_replace)
            kept = np.sort(kept) if random_sort else kept
        return [code[kept] for code in codes]
