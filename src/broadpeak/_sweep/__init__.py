# SPDX-License-Identifier: BSD-3-Clause
"""Decorators that turn one call into many: over parameters, items and chunks. `_run` runs them."""
