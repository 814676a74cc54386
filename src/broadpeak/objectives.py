# SPDX-License-Identifier: BSD-3-Clause
"""What a training maximises, by name; the names are those of `broadpeak._training.objective`.

Importing this module gives the mapping `bp.objectives` itself, so that ``bp.objectives["prr"]`` and
``from broadpeak.objectives import prr`` mean one thing.
"""

from __future__ import annotations

import sys

from broadpeak._training.objective import objectives

sys.modules[__name__] = objectives  # type: ignore[assignment]  # a mapping in place of a module
