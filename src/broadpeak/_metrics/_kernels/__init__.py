# SPDX-License-Identifier: BSD-3-Clause
"""Loops over one lane of values or returns."""
