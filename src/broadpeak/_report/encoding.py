# SPDX-License-Identifier: BSD-3-Clause
"""Figures as small JSON: long curves as single precision, long rows of dates as numbers."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.io.json import to_json_plotly

from broadpeak.types import AnyArray

LONG = 400  # points; below it the plain form is small enough


def figure_json(figure: go.Figure) -> str:
    """Return the figure as JSON that may stand inside a script element.

    Single precision is finer than any screen. The page turns ``{"days": …}`` and ``{"ms": …}``
    back into dates.
    """
    content = figure.to_dict()
    for trace, drawn in zip(content["data"], figure.data, strict=True):
        for name in ("x", "y"):
            values = getattr(drawn, name, None)
            if isinstance(values, np.ndarray) and len(values) >= LONG:
                trace[name] = _smaller(values, trace[name])
        cells = getattr(drawn, "z", None)
        if isinstance(cells, np.ndarray) and cells.ndim == 2 and cells.size >= LONG:
            shape = f"{cells.shape[0]},{cells.shape[1]}"
            trace["z"] = {**_single(cells.astype(np.float64)), "shape": shape}
    # A "<" inside a JSON string could close the script element; its escape cannot.
    return str(to_json_plotly(content)).replace("<", "\\u003c")


def _smaller(values: AnyArray, plain: Any) -> Any:
    if values.dtype == np.float64:
        return _single(values)
    if values.dtype.kind in "OU" and all(isinstance(text, str) for text in values):
        return _dates(values, plain)
    return plain


def _single(values: AnyArray) -> dict[str, str]:
    return {"dtype": "f4", "bdata": _packed(values.astype("<f4"))}


def _dates(texts: AnyArray, plain: Any) -> Any:
    """Return ISO dates as days, or as milliseconds, since 1970; other texts as they are."""
    try:
        stamps = texts.astype("datetime64[ms]")
    except ValueError:
        return plain
    days = stamps.astype("datetime64[D]")
    if (days == stamps).all():
        return {"days": _packed(days.astype("<i4"))}
    return {"ms": _packed(stamps.astype(np.int64).astype("<f8"))}


def _packed(values: AnyArray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
