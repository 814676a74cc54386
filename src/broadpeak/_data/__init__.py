# SPDX-License-Identifier: BSD-3-Clause
"""`Data`, the prices that users hold: checked on entry, sliced, resampled, run through indicators.

The table of arrays behind it and the readers of files are in `_prices`.
"""
