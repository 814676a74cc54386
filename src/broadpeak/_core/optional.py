# SPDX-License-Identifier: BSD-3-Clause
"""Import of packages that a plain install does not have."""

from __future__ import annotations

import importlib
from types import ModuleType

from broadpeak.errors import MissingExtraError


def load(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, which the extra `extra` installs, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        msg = (
            f"{purpose} needs the package {package!r}, which is not installed. "
            f'Type: pip install "broadpeak[{extra}]"'
        )
        raise MissingExtraError(msg, name=module) from error
