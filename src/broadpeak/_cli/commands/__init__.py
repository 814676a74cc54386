# SPDX-License-Identifier: BSD-3-Clause
"""One command a file; none of them imports more than it needs before it runs."""
