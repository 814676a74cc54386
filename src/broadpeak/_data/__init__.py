# SPDX-License-Identifier: BSD-3-Clause
"""Prices: checked, aligned, sliced, resampled, read from files and feeds."""
