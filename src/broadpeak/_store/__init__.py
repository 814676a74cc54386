# SPDX-License-Identifier: BSD-3-Clause
"""What lasts: parameter files, the store of results, and the keys by which it knows a call."""
