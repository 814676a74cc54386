# SPDX-License-Identifier: BSD-3-Clause
"""The command line: `broadpeak demo | train | test | walk-forward | signals | report | doctor`."""
