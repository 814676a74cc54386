# SPDX-License-Identifier: BSD-3-Clause
"""How calls are run: tasks, the queue that cuts them into batches, engines, sinks for results.

What is called, and why, is not known here.
"""
