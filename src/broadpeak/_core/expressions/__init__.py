# SPDX-License-Identifier: BSD-3-Clause
"""The safe expression language of conditions and templates: checked before anything runs."""

from __future__ import annotations

from broadpeak._core.expressions.language import Expression, parse, unknown_name

__all__ = ["Expression", "parse", "unknown_name"]
