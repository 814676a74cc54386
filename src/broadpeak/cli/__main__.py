# SPDX-License-Identifier: BSD-3-Clause
"""`python -m broadpeak.cli` is the program `broadpeak`."""

from __future__ import annotations

from broadpeak.cli.app import main

main()
