# SPDX-License-Identifier: BSD-3-Clause
"""Fills, stops, cash, trade records, and the Portfolio that shows them."""
