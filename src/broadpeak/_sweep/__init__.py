# SPDX-License-Identifier: BSD-3-Clause
"""The one run loop and the decorators that stand on it."""

from __future__ import annotations
