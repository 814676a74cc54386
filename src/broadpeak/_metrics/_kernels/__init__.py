# SPDX-License-Identifier: BSD-3-Clause
"""Loops over one column of values or returns, and the record of a simulated group."""
