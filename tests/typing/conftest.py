# SPDX-License-Identifier: BSD-3-Clause
"""Snippets are read by mypy and never run, so pytest must not import them."""

from __future__ import annotations

collect_ignore = ["snippets"]
