# SPDX-License-Identifier: BSD-3-Clause
"""What vendors call their columns, in their languages: prices, dates, times and symbols."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable
from functools import lru_cache

import pandas as pd

# Best first: where a table holds several spellings of one field, the earlier one is taken.
_SPELLINGS = {
    "open": """open o openprice priceopen pxopen openprc openingprice opening bidopen
        firsttrade prcod eroffnung eroffn eroffnungskurs erster ouv ouverture apertura
        abertura otwarcie 开盘 开盘价 開盤 始値 시가
        openingskoers openen oppningskurs oppen apning apningskurs abning acilis откр
        открытие ценаоткрытия avaus nyito 始""",
    "high": """high h highprice pricehigh pxhigh max maximum bidhigh askhi prchd hoch tageshoch
        hochst hochstkurs haut plushaut maximo massimo maxima maks najwyzszy
        最高 最高价 最高價 高値 고가
        hoog hoogste hogsta hogst hogstakurs hogstkurs hoy hoyeste hoyest hojeste ylin
        yuksek макс максимум legmagasabb 高""",
    "low": """low l lowprice pricelow pxlow min minimum bidlow bidlo prcld tief tagestief
        tiefst tiefstkurs bas plusbas minimo minima najnizszy 最低 最低价 最低價 安値 저가
        laag laagste lagsta lagst lagstakurs lagstkurs lav laveste lavest alin dusuk
        мин минимум legalacsonyabb 低""",
    "close": """close c closeprice priceclose pxclose closingprice closing bidclose prccd
        schluss schlusskurs clot cloture cierre chiusura fechamento zamkniecie 收盘 收盘价 收盤
        終値 종가 last closelast lastprice pricelast pxlast lasttradedprice ltp lasttrade zuletzt
        dernier ultimo ostatnio price prc kurs cena settle settlement settlementprice
        settleprice
        legalcloseprice value
        slotkoers laatste slot stangningskurs slutkurs senaste siste sluttkurs seneste
        lukkekurs paatos kapanis simdi цена закрытие ценазакрытия
        zaro letzter obsvalue 收""",
    "volume": """volume v vol stuecke stucke stuck volumen totalvolume tradedvolume sharevolume
        pxvolume tottrdqty tradedquantity totaltradedquantity qty quantity numberofshares shares
        cshtrd wolumen umsatz volumefrom basevolume 成交量 出来高 거래량
        omzet totvol hacim hac wol объем 交易量 成交数量""",
    "adjclose": """adjclose adjustedclose adjclosed closeadj closeadjusted adjcloseprice adjusted
        adjustedcloseprice adjustedprice""",
}
# Columns that say when a bar was, best first. A time of day beside a date is joined to it.
DATES = [
    "datetime",
    "timeperiodstart",
    "timeopen",
    "opentime",
    "timestamp",
    "gmttime",
    "localtime",
    "dateutc",
    "datetimeutc",
    "timeutc",
    "timestamputc",
    "date",
    "tradedate",
    "tradingdate",
    "tradingday",
    "dt",
    "day",
    "datum",
    "fecha",
    "data",
    "dato",
    "tarih",
    "дата",
    "datetimestamp",
    "timeperiod",
    "日期",
    "日付",
    "日付け",
    "일자",
    "날짜",
    "yyyymmdd",
    "dtyyyymmdd",
    "observationdate",
    "bardate",
    "datadate",
    "pricedate",
    "quotedate",
    "valuedate",
    "effectivedate",
    "businessdate",
    "snappedat",
    "starttime",
    "startedat",
    "startat",
    "periodstart",
    "windowstart",
    "begin",
    "candlebegintime",
    "bartime",
    "tsevent",
    "unixtimestamp",
    "unix",
    "epoch",
    "unixtime",
    "time",
    "ts",
    "mts",
    "t",
    "start",
    "year",
    "unnamed0",
    "index",
]
# What stands for a date only if nothing better does: the columns that merely count rows are here.
WEAK_DATES = {"unnamed0", "", "index", "t", "start", "year", "day", "data"}
TIMES = [
    "time",
    "timeofday",
    "tradetime",
    "bartime",
    "zeit",
    "uhrzeit",
    "hora",
    "ora",
    "heure",
    "czas",
    "tijd",
    "tid",
    "saat",
    "время",
    "minute",
    "hhmm",
    "hhmmss",
    "时间",
    "時間",
    "時刻",
    "시간",
    "timestamp",
]
SYMBOLS = [
    "symbol",
    "ticker",
    "sym",
    "instrument",
    "pair",
    "asset",
    "tic",
    "tickersymbol",
    "stocksymbol",
    "actsymbol",
    "tscode",
    "stockcode",
    "secid",
    "permno",
    "isin",
    "ric",
    "security",
    "underlying",
    "product",
]
# Names of symbols where they change within a table; elsewhere they say what the whole file holds.
WEAK_SYMBOLS = ["name", "code", "stock", "company", "series", "contract", "id", "firma"]
TICKS = ["tickvol", "tickvolume", "tickqty"]

_UNIT = re.compile(r"[(\[][^)\]]*[)\]]|^\s*\d+[a-z]?\.\s+|<|>")
_CURRENCY = re.compile(r"[\s_](usd|eur|gbp|jpy|chf|cad|aud|inr|cny|krw|usdt)$", re.IGNORECASE)


# Letters that Unicode does not take apart.
_PLAIN = str.maketrans({"ł": "l", "ß": "ss", "ı": "i", "ø": "o", "æ": "ae", "đ": "d"})


@lru_cache(maxsize=4096)
def _word(text: str) -> str:
    bare = unicodedata.normalize("NFKD", text.lower().translate(_PLAIN))
    return "".join(char for char in bare if char.isalnum())


def word(label: object) -> str:
    """Return a column label without case, accents and punctuation."""
    return _word(str(label))


_RANKS: dict[str, tuple[str, int]] = {}
for _field, _words in _SPELLINGS.items():
    for _rank, _spelling in enumerate(_words.split()):
        _RANKS.setdefault(_word(_spelling), (_field, _rank))


@lru_cache(maxsize=4096)
def _ranked(text: str) -> tuple[str, int] | None:
    found = _RANKS.get(_word(text))
    if found is None:
        # "4. close", "Close (USD)", "close_usd": numbers and units say nothing of the field.
        bare = _CURRENCY.sub("", _UNIT.sub(" ", text).strip())
        found = _RANKS.get(_word(bare))
        if found and found[0] == "volume" and not text.lstrip()[:1].isdigit() and ">" not in text:
            return None  # in units of what? The first of several is taken.
    return found


def ranked_field(label: object) -> tuple[str, int] | None:
    """Return the field a column holds by its label and how plainly it says so, 0 most plainly."""
    return _ranked(str(label))


def field_of(label: object) -> str | None:
    """Return the field a column holds by its label, without regard to case and punctuation.

    Examples
    --------
    >>> field_of("Adj Close"), field_of("<HIGH>"), field_of("4. close"), field_of("Dividends")
    ('adjclose', 'high', 'close', None)
    """
    found = _ranked(str(label))
    return found[0] if found else None


def find_column(table: pd.DataFrame, words: Iterable[str]) -> Hashable | None:
    """Return the label of the first column whose name is one of `words`, or None."""
    found = {word(label): label for label in reversed(table.columns)}
    return next((found[name] for name in words if name in found), None)


_LAST_PART = re.compile(r"^(.+)[._ ]([A-Za-z]+(?:[._ ]Close)?)$")
_FIRST_PART = re.compile(r"^((?:Adj[. ]*)?[A-Za-z]+)[._ ](.+)$")
_PAIR = re.compile(r"""^\(\s*(['"])(.+?)\1\s*,\s*(['"])(.*?)\3\s*\)$""")


def split_labels(labels: list[str]) -> list[tuple[str, str]] | None:
    """Return (symbol, field) of labels such as ``AAPL.Close``, or None if they are not so.

    Written so by R's quantmod (``AAPL.Close``), by frames of two header rows that were flattened
    (``Close_AAPL``, ``('Close', 'AAPL')``). The date's own label gives an empty symbol.

    Examples
    --------
    >>> split_labels(["Date", "AAPL.Open", "AAPL.Close"])
    [('', 'Date'), ('AAPL', 'Open'), ('AAPL', 'Close')]
    """
    pairs = [_PAIR.match(label) for label in labels]
    if any(pairs):
        found = [(m[2], m[4]) if m else (label, "") for m, label in zip(pairs, labels, strict=True)]
        swap = any(field_of(first) == "close" for first, _ in found)
        return [(b, a) if swap else (a, b) for a, b in found]
    for pattern, field_place in ((_LAST_PART, 2), (_FIRST_PART, 1)):
        parts = [pattern.match(label) for label in labels]
        # Short spellings ("c", "last", "price") would find fields in any two words.
        close = [m for m in parts if m and word(m[field_place]) in {"close", "c"}]
        opened = [m for m in parts if m and word(m[field_place]) in {"open", "o"}]
        if close and opened and not any(field_of(label) == "close" for label in labels):
            # R writes no label above the names of rows, which are the dates.
            return [
                (m[3 - field_place], m[field_place])
                if m and field_of(m[field_place])
                else ("", x or "date")
                for m, x in zip(parts, labels, strict=True)
            ]
    return None
