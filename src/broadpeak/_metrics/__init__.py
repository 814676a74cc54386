# SPDX-License-Identifier: BSD-3-Clause
"""Figures from returns, values and trades: plain functions over lanes."""
