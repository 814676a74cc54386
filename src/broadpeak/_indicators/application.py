# SPDX-License-Identifier: BSD-3-Clause
"""How a kernel for one lane is run over whatever the user passed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from broadpeak._core.arrays import unwrap_all, lane, unwrap
from broadpeak.types import AnyArray

Kernel = Callable[..., None]


def over_one(kernel: Kernel, values: Any, *settings: float) -> Any:
    """Run `kernel(x, *settings, out)` on every column of `values`."""
    single = lane(values)
    if single is not None:
        out = np.empty_like(single)
        kernel(single, *settings, out)
        return out
    lanes, wrapping = unwrap("values", values)
    outs = np.empty_like(lanes)
    for row, target in zip(lanes, outs, strict=True):
        kernel(row, *settings, target)
    return wrapping.wrap(outs)


def over_many(
    compute: Callable[..., tuple[AnyArray, ...]], inputs: dict[str, Any], *settings: float
) -> tuple[Any, ...]:
    """Run `compute(*lanes, *settings)`, which returns one lane an output, on every column."""
    singles = [row for value in inputs.values() if (row := lane(value)) is not None]
    if len(singles) == len(inputs) and len({row.size for row in singles}) == 1:
        return compute(*singles, *settings)
    lanes, wrapping = unwrap_all(inputs)
    if lanes[0].shape[0] == 0:
        # No column: one run over no bars tells how many outputs there are.
        outputs = compute(*(np.empty(0) for _ in lanes), *settings)
        return tuple(wrapping.wrap(lanes[0].copy()) for _ in outputs)
    results = [compute(*rows, *settings) for rows in zip(*lanes, strict=True)]
    return tuple(wrapping.wrap(np.stack(rows)) for rows in zip(*results, strict=True))
