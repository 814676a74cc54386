# SPDX-License-Identifier: BSD-3-Clause
"""What engines, searchers and reducers must do, as pytest classes that third parties inherit from.

A class loads on first use: only `EngineContract` needs pytest, and a plain install has none.
"""

from __future__ import annotations

from typing import Any

import lazy_loader

from broadpeak._core import optional

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "EngineContract":
        optional.load("pytest", extra="testing", purpose="bp.testing.EngineContract")
    return _load(name)
