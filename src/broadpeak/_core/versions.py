# SPDX-License-Identifier: BSD-3-Clause
"""What numbers depend on besides the data: versions of what computed them."""

from __future__ import annotations

import platform

import numpy as np
import pandas as pd

import broadpeak

VERSIONS = {
    "broadpeak": broadpeak.__version__,
    "python": platform.python_version(),
    "numpy": np.__version__,
    "pandas": pd.__version__,
    "platform": platform.platform(),
}
"""What numbers depend on besides the data, whose fingerprint stands beside it in a training."""
