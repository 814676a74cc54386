# SPDX-License-Identifier: BSD-3-Clause
"""Results of many calls become one NumPy or pandas object; how they were run is not known here."""
