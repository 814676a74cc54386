# SPDX-License-Identifier: BSD-3-Clause
"""What lasts: parameter files and the store of results."""
