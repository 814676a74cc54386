# SPDX-License-Identifier: BSD-3-Clause
"""Errors of strategy functions that are also errors of another kind: catch them by either name."""

from __future__ import annotations

from broadpeak.errors import DataError, ParamError, StrategyError


class OrderError(StrategyError, DataError):
    """A signal, distance or size that a strategy passed does not fit."""


class OptimizeError(StrategyError, ParamError):
    """The `optimize` calls of a strategy break a rule that concerns their number or order."""


class UnknownMemberError(StrategyError, AttributeError):
    """A strategy used a member that the run does not have."""
