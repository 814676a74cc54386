# SPDX-License-Identifier: BSD-3-Clause
"""Vendors' files: bytes to a table of numbers and dates."""
