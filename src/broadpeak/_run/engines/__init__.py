# SPDX-License-Identifier: BSD-3-Clause
"""One engine a file, listed in `_run/registry.py`."""
