# SPDX-License-Identifier: BSD-3-Clause
"""Loops over the bars of boolean columns. Only this folder's parent calls them."""
