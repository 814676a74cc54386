# SPDX-License-Identifier: BSD-3-Clause
"""Strategies and what trains them: where trading meets search."""
