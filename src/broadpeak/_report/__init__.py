# SPDX-License-Identifier: BSD-3-Clause
"""Charts and pages: the only part of the library that draws."""
