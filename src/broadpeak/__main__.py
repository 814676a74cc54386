# SPDX-License-Identifier: BSD-3-Clause
"""`python -m broadpeak` is the program `broadpeak`."""

from __future__ import annotations

from broadpeak.cli import main

main()
