# SPDX-License-Identifier: BSD-3-Clause
"""Metrics of values, returns and trades: the catalog, and plain functions of arrays.

Arrays are columns × bars. Nothing here knows prices, orders or pandas labels.
"""
