# SPDX-License-Identifier: BSD-3-Clause
"""A table written in any format is read back as it was, or refused; never as another table."""

from __future__ import annotations

import datetime as dt
import io
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from vendor_files import READ, REFUSED

import broadpeak as bp

# What is read by convention, or looks unadjusted, is told; here it matters what is read.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The dates in column .* can be read in two ways:UserWarning"),
    pytest.mark.filterwarnings("ignore:The prices of .* are not adjusted:UserWarning"),
    pytest.mark.filterwarnings("ignore:No two of the .* have a bar in common:UserWarning"),
]

DELIMITERS = [",", ";", "\t", "|"]
HEADERS = [
    ["Date", "Open", "High", "Low", "Close", "Volume"],
    ["<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"],
    ["Datum", "Eröffnung", "Hoch", "Tief", "Schluss", "Volumen"],
    ["timestamp", "1. open", "2. high", "3. low", "4. close", "5. volume"],
    ["Time", "Open (USD)", "High (USD)", "Low (USD)", "Last", "Vol."],
    ["", "open", "high", "low", "close", "volume"],
    ["Sitzung", "o", "h", "l", "c", "v"],
]
DAYS = [
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%y-%m-%d", "%y%m%d"),
    *("%d%m%Y", "%m%d%Y", "%d%m%y", "%d %b %Y", "%d-%b-%y", "%b %d, %Y", "%A, %d %B %Y"),
]
MINUTES = [
    *("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %H:%M"),
    *("%m/%d/%Y %I:%M %p", "%d/%m/%y %H:%M:%S", "%Y%m%d %H%M%S", "%Y%m%d%H%M", "%Y%m%d%H%M%S"),
    *("%Y%m%dT%H%M%SZ", "%d %b %Y %H:%M:%S", "%d-%m-%Y %H:%M"),
]
EPOCHS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def number(value, decimal, thousands, places):
    text = f"{value:,.{places}f}" if places is not None else f"{value:,.10g}"
    return text.translate(str.maketrans({",": thousands, ".": decimal}))


def written(index, kind):
    if kind in EPOCHS:
        return [str(int(t.timestamp()) * EPOCHS[kind]) for t in index]
    if kind == "sheet":
        return [str((t - pd.Timestamp("1899-12-30")).days) for t in index]
    texts = [t.strftime(kind.removesuffix("*")) for t in index]
    if kind.endswith("*"):  # without leading zeros
        texts = [text.replace("/0", "/").removeprefix("0") for text in texts]
    return texts


@st.composite
def tables(draw):
    """Return a table of prices and a text that writes it in some format."""
    n = draw(st.integers(1, 30))
    intraday = draw(st.booleans())
    start = pd.Timestamp(draw(st.dates(dt.date(1975, 1, 1), dt.date(2036, 1, 1))))
    step = draw(st.sampled_from(["min", "h", "7h"] if intraday else ["B", "D", "W", "MS", "37D"]))
    index = pd.date_range(start, periods=n, freq=step)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    places = draw(st.sampled_from([0, 1, 2, 3, 5, None]))
    size = draw(st.sampled_from([1.0, 100.0, 5_000.0, 2e6]))
    close = size * np.exp(rng.normal(0, 0.02, n).cumsum()) + 1
    spread = np.abs(rng.normal(0, 0.01, (2, n))) * close
    table = pd.DataFrame(
        {
            "open": close + spread[0] / 3,
            "high": close + spread[0],
            "low": np.maximum(close - spread[1], close / 2),
            "close": close,
            "volume": rng.integers(0, draw(st.sampled_from([50, 10**4, 10**8])), n).astype(float),
        },
        index=index,
    ).round(places if places is not None else 10)
    decimal = draw(st.sampled_from(".,"))
    others = sorted({",", ".", " ", "'", "\xa0", "\u202f", ""} - {decimal})
    thousands = draw(st.sampled_from(others))
    kind = draw(
        st.sampled_from([*MINUTES, *EPOCHS])
        if intraday
        else st.sampled_from([*DAYS, *EPOCHS, "sheet", "%m/%d/%Y*", "%d/%m/%Y*"])
    )
    rows = [
        [date, *(number(value, decimal, thousands, places) for value in values[:4]),
         number(values[4], decimal, thousands, 0)]
        for date, values in zip(written(index, kind), table.to_numpy().tolist(), strict=True)
    ]  # fmt: skip
    commas = decimal == "," and places != 0
    # Conventions of the documentation: a dot alone is the decimal mark; where days tell nothing,
    # the month comes first in dates with slashes, and the day beside decimal commas.
    assume(commas or thousands != ".")
    assume(not kind.startswith(("%m/", "%m-") if commas else "%d/") or (index.day > 12).any())
    if draw(st.booleans()):
        rows.reverse()
    return table, kind, draw(arranged(rows))


@st.composite
def arranged(draw, rows):
    """Return the text of rows, with some header, order of columns, delimiter, quotes and notes."""
    header = draw(st.sampled_from(HEADERS))
    order = [0, *draw(st.permutations(range(1, 6)))]
    delimiter = draw(st.sampled_from(DELIMITERS))
    cells = [[row[k] for k in order] for row in [header, *rows]]
    always = draw(st.booleans())
    lines = [
        delimiter.join(
            f'"{cell}"' if always or delimiter in cell or " " in cell else cell for cell in row
        )
        for row in cells
    ]
    above = draw(st.sampled_from([[], ["Prices of X, in dollars"], ["# made by hand", ""]]))
    below = draw(st.sampled_from([[], [""], ["Data provided by X"]]))
    return draw(st.sampled_from(["\n", "\r\n"])).join([*above, *lines, *below]) + "\n"


def same(read, table):
    """Return whether prices are those of the table."""
    index = read.index.tz_localize(None)
    return (
        len(index) == len(table)
        and (index == table.index).all()
        and all(
            np.allclose(getattr(read, name), table[name], rtol=1e-9, atol=0)
            for name in table.columns
        )
    )


def check(case):
    table, _, text = case
    try:
        read = bp.Data.from_csv(io.StringIO(text), symbol="X")
    except bp.DataError:
        return False
    assert same(read, table), f"{text}\n{read.close}"
    return True


@settings(max_examples=150)
@given(case=tables())
def test_a_table_is_read_back_as_it_was_or_refused(case) -> None:
    check(case)


@pytest.mark.slow
@settings(max_examples=5000)
@given(case=tables())
def test_many_tables_are_read_back_as_they_were_or_refused(case) -> None:
    check(case)


# Damage


def damaged(text, rng):
    """Return a text with some characters lost, added, changed or exchanged throughout."""
    chars = list(text)
    alphabet = ",;\t|\n\"'.-/: 0123456789AaZzeE$%€#\\\r\0()+ä年"
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        place = rng.randrange(len(chars) + 1)
        match rng.randrange(6):
            case 0:
                del chars[place : place + rng.randrange(1, 40)]
            case 1:
                chars[place:place] = rng.choice(alphabet)
            case 2:
                chars[place : place + 1] = rng.choice(alphabet)
            case 3:
                chars[place:place] = chars[place : place + rng.randrange(200)]
            case 4:
                chars = list("".join(chars).replace(rng.choice(",;.-/:"), rng.choice(",;.-/: ")))
            case _:
                chars = chars[:place]
    return "".join(chars)


def check_damage(seed, count):
    rng = random.Random(seed)
    texts = [entry[0] for entry in [*READ.values(), *REFUSED.values()]]
    for _ in range(count):
        text = damaged(rng.choice(texts), rng)
        try:
            data = bp.Data.from_csv(
                io.StringIO(text),
                symbol=rng.choice([None, "X"]),
                missing=rng.choice(["raise", "drop"]),
            )
        except bp.DataError:
            continue
        years = data.index.year
        assert (years >= 1800).all(), text
        assert (years < 2200).all(), text
        assert (data.close.to_numpy() > 0).any(), text


def test_damaged_files_are_read_or_data_errors() -> None:
    check_damage(0, 400)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_many_damaged_files_are_read_or_data_errors(seed: int) -> None:
    check_damage(seed, 2000)
