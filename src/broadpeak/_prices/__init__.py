# SPDX-License-Identifier: BSD-3-Clause
"""Price tables: below everything that needs prices."""
