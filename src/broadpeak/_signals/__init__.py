# SPDX-License-Identifier: BSD-3-Clause
"""Boolean signals: crossings, cleaning, delays, ranks, and the accessor `.bp`."""
