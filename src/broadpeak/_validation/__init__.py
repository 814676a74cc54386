# SPDX-License-Identifier: BSD-3-Clause
"""Out of sample: splits, walk-forward, and how far to believe a result."""
