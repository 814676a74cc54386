# SPDX-License-Identifier: BSD-3-Clause
"""The safe expression language of conditions and templates: checked before anything runs."""

from __future__ import annotations

from broadpeak._core.expressions.language import Expression, parse, unknown_name
from broadpeak._core.expressions.vectorised import Vectorised
from broadpeak._core.expressions.vectors import NotVectorised, Values

__all__ = ["Expression", "NotVectorised", "Values", "Vectorised", "parse", "unknown_name"]
