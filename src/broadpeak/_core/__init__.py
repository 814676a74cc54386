# SPDX-License-Identifier: BSD-3-Clause
"""Foundations: the compiler switch, the edge to pandas, checks, labels, randomness, caches.

Nothing here knows of parameters, prices, tasks or trades.
"""
