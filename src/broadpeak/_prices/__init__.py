# SPDX-License-Identifier: BSD-3-Clause
"""Prices as arrays: the table, its rules, calendars, resampling, and the readers of files.

This lies below everything that needs prices. `Data`, which users hold, is in `_data`.
"""
