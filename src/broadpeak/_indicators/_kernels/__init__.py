# SPDX-License-Identifier: BSD-3-Clause
"""Loops over the bars of one column. Only this folder's parent calls them."""
