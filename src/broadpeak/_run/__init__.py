# SPDX-License-Identifier: BSD-3-Clause
"""How to run: engines take batches of tasks and yield their results."""
