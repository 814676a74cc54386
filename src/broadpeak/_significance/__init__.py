# SPDX-License-Identifier: BSD-3-Clause
"""Luck or skill: statistics of any returns and of many trials; `broadpeak.stats` is their face."""
