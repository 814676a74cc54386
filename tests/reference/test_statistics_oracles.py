# SPDX-License-Identifier: BSD-3-Clause
"""`bp.stats` and `bp.splits` against other packages, each figure against two where there are."""

from __future__ import annotations

import pytest
from oracle_cases import CASES, Case, largest


@pytest.mark.parametrize("one", CASES, ids=lambda one: f"{one.function}-{one.package}")
def test_agrees(one: Case) -> None:
    pytest.importorskip(one.package, exc_type=ImportError)
    assert largest(one) <= one.most
