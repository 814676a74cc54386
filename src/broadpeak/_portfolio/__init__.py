# SPDX-License-Identifier: BSD-3-Clause
"""`Portfolio`: from arguments to a simulation, and from its fills to pandas.

Orders, stops and cash are simulated in `_simulation`, without labels.
"""
