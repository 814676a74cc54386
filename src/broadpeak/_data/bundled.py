# SPDX-License-Identifier: BSD-3-Clause
"""The prices shipped with the package; see ``prices/PROVENANCE.md``."""

from __future__ import annotations

import gzip
import hashlib
import io
from functools import cache
from importlib import resources

import pandas as pd

from broadpeak._core import caches
from broadpeak.errors import DataError, broken_rule

# Of the text inside the file: the packing differs between builds of zlib, the text does not.
SHA256 = "feb24b3d3975f99cc675efd9532121d49628455b68bfb80549d73594fb8b8e55"


def read_frames() -> dict[str, pd.DataFrame]:
    """Return the shipped frames by symbol, as published: unadjusted, with adjusted closes."""
    return dict(_frames())


@cache
def _frames() -> dict[str, pd.DataFrame]:
    packed = resources.files("broadpeak._data").joinpath("prices", "stocks.csv.gz").read_bytes()
    text = gzip.decompress(packed)
    found = hashlib.sha256(text).hexdigest()
    if found != SHA256:
        rule = f"have the checksum {SHA256}"
        remedy = "The installed file was altered. Type: pip install --force-reinstall broadpeak"
        raise DataError(broken_rule("the shipped prices", rule, found, remedy))
    table = pd.read_csv(io.BytesIO(text))
    table["Date"] = pd.to_datetime(table["Date"], format="%Y-%m-%d")
    return {
        str(symbol): part.drop(columns="Ticker").set_index("Date")
        for symbol, part in table.groupby("Ticker", sort=True)
    }


caches.register(_frames.cache_clear)
