# SPDX-License-Identifier: BSD-3-Clause
"""Loops over the bars of one lane. Only this folder's parent calls them."""
