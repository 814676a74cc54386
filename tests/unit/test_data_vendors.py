# SPDX-License-Identifier: BSD-3-Clause
"""Files as some hundred vendors and programs write them are read right, or refused in words."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from vendor_files import READ, REFUSED

import broadpeak as bp


@pytest.mark.parametrize("name", READ)
def test_a_vendors_file_is_read_right(name: str) -> None:
    text, first, bars, close, volume = READ[name]
    data = bp.Data.from_csv(io.StringIO(text), missing="drop")
    assert isinstance(data.close, pd.Series)
    assert len(data) == bars
    assert data.index[0] == pd.Timestamp(first)
    assert data.close.iloc[0] == close
    if volume is None:
        assert "volume" not in data._table.fields or data.volume.isna().all()
    else:
        assert data.volume.iloc[0] == volume


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_a_message(name: str) -> None:
    text, message = REFUSED[name]
    with pytest.raises(bp.DataError, match=message):
        bp.Data.from_csv(io.StringIO(text), symbol="X")
