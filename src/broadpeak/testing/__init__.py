# SPDX-License-Identifier: BSD-3-Clause
"""Contracts and makers of test data, for our tests and for those of third parties."""

from __future__ import annotations

from broadpeak.testing.engine_contract import EngineContract

__all__ = ["EngineContract"]
