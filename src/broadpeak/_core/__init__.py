# SPDX-License-Identifier: BSD-3-Clause
"""Private foundations: the compiler switch, array adapters, checks, randomness, caches."""
