# SPDX-License-Identifier: BSD-3-Clause
"""How to run: engines that take units of tasks and report what became of them."""

from __future__ import annotations

from broadpeak._run.registry import available, names, register, shutdown

__all__ = ["available", "names", "register", "shutdown"]
