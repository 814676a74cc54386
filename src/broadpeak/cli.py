# SPDX-License-Identifier: BSD-3-Clause
"""The program `broadpeak`, also as `python -m broadpeak.cli` or `python -m broadpeak`."""

from __future__ import annotations

from broadpeak._cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
