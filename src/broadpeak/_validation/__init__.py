# SPDX-License-Identifier: BSD-3-Clause
"""Out of sample: splits of history, walk-forward runs, permutation tests of a whole search.

Statistics that need only returns are in `_significance`.
"""
