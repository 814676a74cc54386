# SPDX-License-Identifier: BSD-3-Clause
"""Other columns of numbers, kept beside the prices."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import broadpeak as bp
from broadpeak.errors import DataError

DAYS = pd.date_range("2024-01-01", periods=6)
VIX = [14.0, np.nan, 13.0, 15.0, np.nan, 12.0]


def frame(**columns: Any) -> pd.DataFrame:
    close = np.arange(10.0, 16.0)
    return pd.DataFrame({"Close": close, **columns}, index=DAYS)


def read(text: str, **options: Any) -> bp.Data:
    return bp.Data.from_csv(io.StringIO(text), symbol="X", **options)


def test_numbers_are_kept_and_nothing_else() -> None:
    data = bp.Data.from_frames(
        {
            "X": frame(
                vix=VIX,
                up=[True, False] * 3,
                count=pd.array([1, None, 3, 4, 5, 6], dtype="Int64"),
                told=["7", "8", None, "9", "1e1", "11"],
                name="a",
                date=DAYS,
                paid=DAYS,
                ticker="X",
                both=1j,
            )
        }
    )
    assert [*data.extra] == ["vix", "up", "count", "told"]
    np.testing.assert_array_equal(data.column("vix"), VIX)
    assert data.column("up").tolist() == [1, 0] * 3
    assert data.column("told").tolist()[3:] == [9, 10, 11]
    assert [*data.fields] == ["close"]
    assert not data.extra["vix"].flags.writeable


def test_an_adjusted_close_is_none_and_adjusts_none() -> None:
    plain = frame(vix=VIX)
    plain["Adj Close"] = plain["Close"] / 2  # no bar at which they part further
    for adjust in (False, True):
        data = bp.Data.from_frames({"X": plain}, adjust=adjust)
        assert [*data.extra] == ["vix"]
        np.testing.assert_array_equal(data.column("vix"), VIX)


def test_a_second_spelling_of_a_price_is_another_column() -> None:
    data = bp.Data.from_frames({"X": frame(Settle=2.0, hlc3=3.0)})
    assert data.column("Settle").tolist() == [2.0] * 6
    assert data.column("close").tolist() == data.close.tolist()
    assert data.column("hlc3").tolist() == [3.0] * 6


def test_a_name_that_occurs_twice_says_nothing() -> None:
    twice = frame(vix=VIX, a=1.0).rename(columns={"a": "vix"})
    assert bp.Data.from_frames({"X": twice}).extra == {}


def test_the_frame_is_not_shared() -> None:
    own = frame(vix=np.arange(6.0))
    data = bp.Data.from_frames({"X": own})
    own.loc[:, "vix"] = -1.0
    assert data.column("vix").tolist() == [0, 1, 2, 3, 4, 5]


def test_files() -> None:
    text = (
        "Date;Open;High;Low;Close;Volumen;VIX;Name;Spread;Zeit danach\n"
        "02.01.2024;1,5;2,5;1;2,25;100;14,5;A;1.234,5;x\n"
        "03.01.2024;1,5;2,5;1;2,25;100;;B;0,5;y\n"
    )
    data = read(text)
    assert [*data.extra] == ["VIX", "Spread"]
    np.testing.assert_array_equal(data.column("VIX"), [14.5, np.nan])
    assert data.column("Spread").tolist() == [1234.5, 0.5]


def test_what_cannot_be_read_as_the_prices_are_is_left_out() -> None:
    text = "Date,Close,a,b\n2024-01-02,1.5,1.2.3,5\n2024-01-03,2.5,1,6%\n"
    assert [*read(text).extra] == ["b"]


def test_names_of_all_columns() -> None:
    text = "2024-01-02,1.5,7,8\n2024-01-03,2.5,9,10\n"
    data = read(text, columns=["date", "close", "vix", "-"])
    assert [*data.extra] == ["vix"]
    assert data.column("vix").tolist() == [7, 9]


def test_long_tables_and_two_header_rows() -> None:
    parts = [frame(vix=VIX).assign(symbol=name) for name in "XY"]
    long = bp.Data.from_frames(pd.concat(parts).rename_axis("date").reset_index())
    wide = bp.Data.from_frames(pd.concat({"X": frame(vix=VIX), "Y": frame(vix=VIX)}, axis=1))
    for data in (long, wide):
        np.testing.assert_array_equal(data.extra["vix"], [VIX, VIX])


def test_symbols_with_and_without_it_on_calendars_of_their_own() -> None:
    data = bp.Data.from_frames({"X": frame(vix=VIX), "Y": frame()[2:], "Z": frame(vix=1.0)[:2]})
    want = [VIX, [np.nan] * 6, [1.0, 1.0, *[np.nan] * 4]]
    np.testing.assert_array_equal(data.extra["vix"], want)
    np.testing.assert_array_equal(data.column("vix")["Z"], want[2])
    assert data.select("Z").column("vix").tolist() == [1.0, 1.0]
    assert data.select(["Z", "X"]).extra["vix"].shape == (2, 6)
    cut = bp.Data.from_frames({"X": frame(vix=VIX), "Y": frame()[2:]}, calendar="intersection")
    np.testing.assert_array_equal(cut.extra["vix"][0], VIX[2:])


def test_slices_pickles_and_fingerprints() -> None:
    data = bp.Data.from_frames({"X": frame(vix=VIX)})
    np.testing.assert_array_equal(data["2024-01-03":].column("vix"), VIX[2:])
    copy = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(copy.column("vix"), VIX)
    assert copy.fingerprint() == data.fingerprint()
    others = [frame(), frame(vix=1.0), frame(vx=VIX), frame(vix=VIX, a=1.0)]
    keys = {bp.Data.from_frames({"X": one}).fingerprint() for one in others}
    assert len(keys | {data.fingerprint()}) == 5
    dropped = bp.Data.from_frames(
        {"X": frame(vix=VIX).assign(Close=[1, np.nan, 3, 4, 5, 6])}, missing="drop"
    )
    np.testing.assert_array_equal(dropped.column("vix"), VIX[:1] + VIX[2:])


def test_resample_takes_the_last_known_value() -> None:
    data = bp.Data.from_frames({"X": frame(vix=VIX, none=np.nan)}).resample("2D")
    assert data.column("vix").tolist() == [14.0, 15.0, 12.0]
    assert data.column("none").isna().all()


def test_in_a_mono_chunk() -> None:
    data = bp.Data.from_frames({"X": frame(vix=VIX), "Y": frame(vix=2.0)})
    from broadpeak.types import ParamValues

    many = data.select(ParamValues(["Y", "X", "Y"]))
    assert many.extra["vix"].shape == (3, 6)
    np.testing.assert_array_equal(many.extra["vix"][1], VIX)
    assert many.column("vix").shape == (6, 3)


@pytest.mark.parametrize("name", ["vox", None, 3, ""])
def test_unknown_columns(name: Any) -> None:
    data = bp.Data.from_frames({"X": frame(vix=VIX)})
    with pytest.raises((DataError, bp.ParamError), match=r"column must be one of|name of a column"):
        data.column(name)


def test_the_samples_have_none() -> None:
    assert bp.Data.sample().extra == {}
