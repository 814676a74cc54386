# SPDX-License-Identifier: BSD-3-Clause
"""From a path, an open file or an archive to the text in it, or to the reason why there is none."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

from broadpeak._prices.reading.names import field_of
from broadpeak.errors import DataError, MissingDataError, UnreadableDataError, broken_rule

_ZIP, _GZIP, _BZIP2, _XZ = b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_UNPACK = {_GZIP: gzip.decompress, _BZIP2: bz2.decompress, _XZ: lzma.decompress}
_PACKED = {".gz": _GZIP, ".bz2": _BZIP2, ".xz": _XZ, ".zip": _ZIP}
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ValueError)

# What is no text at all, by how it begins, and what to do with it.
_OTHERS = {
    b"PAR1": ("a Parquet file", "Type: Data.from_parquet(path)"),
    b"ARROW1": ("an Arrow file", "Type: Data.from_frames({'SPX': pd.read_feather(path)})"),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet", "Save it as CSV, or read it with pd.read_excel."),
    b"\x89HDF": ("an HDF5 file", "Read it with pd.read_hdf and pass the frame to from_frames."),
    b"SQLite format 3": ("a database", "Read it with pd.read_sql; pass the frame to from_frames."),
    b"\x28\xb5\x2f\xfd": ("packed by zstd", "Unpack it first."),
    b"7z\xbc\xaf": ("a 7z archive", "Unpack it first."),
    b"Rar!": ("a RAR archive", "Unpack it first."),
    b"%PDF": ("a PDF", "Ask the vendor for CSV."),
}
_MARKUP = re.compile(r"\s*(<!doctype|<html|<\?xml|<body|<head)", re.IGNORECASE)
_JSON = re.compile(r"\s*(\{\s*[\"'}]|\[\s*[\[{])")


def shown(path: object) -> str:
    """Return how messages call a file."""
    name = getattr(path, "name", "the file") if hasattr(path, "read") else path
    return str(name) if isinstance(name, (str, os.PathLike)) else "the file"


def stem(path: object) -> str:
    """Return the name of a file without folders and suffixes, as its symbol is called."""
    name = getattr(path, "name", "prices") if hasattr(path, "read") else path
    return Path(str(name)).name.split(".")[0] or "prices"


def missing_file_error(path: object) -> MissingDataError:
    """Return the error for a path where nothing is."""
    remedy = "Check the path; relative ones begin at the working directory."
    return MissingDataError(broken_rule("path", "be a file that exists", str(path), remedy))


def checked_path(path: object, reader: str = "from_csv") -> Path:
    """Return `path` as the path of an existing file.

    Raises
    ------
    DataError
        If it is a URL, prices in a string, a folder, nothing, or no path at all.
    """
    if isinstance(path, (bytes, bytearray)) or not isinstance(path, (str, os.PathLike)):
        remedy = f"Type: Data.{reader}('prices.csv'), or pass an open file such as io.BytesIO(raw)."
        raise DataError(broken_rule("path", "be a path or an open file", path, remedy))
    text = os.fspath(path)
    if isinstance(text, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        remedy = "Download it first; nothing here opens a connection."
        raise DataError(broken_rule("path", "be a file on this machine", text, remedy))
    if isinstance(text, str) and "\n" in text:
        remedy = f"To read a text, type: Data.{reader}(io.StringIO(text))"
        raise DataError(broken_rule("path", "be a path, not the text of a file", text, remedy))
    try:
        found = Path(os.fsdecode(text))
        if found.is_dir():
            remedy = f"Pass its files: Data.{reader}('{found.name or '.'}/*.csv')"
            raise DataError(broken_rule("path", "be a file, not a folder", str(found), remedy))
        if not found.exists():
            raise missing_file_error(found)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        # A null byte, a name too long, a folder that may not be looked into.
        why = getattr(error, "strerror", None) or error
        raise DataError(broken_rule("path", "be a path", str(path), f"{why}.")) from error
    return found


def read_text(path: object) -> str:
    """Return the text of a file, unpacked and decoded.

    Raises
    ------
    DataError
        If there is none; the message says what there is instead.
    """
    owner = shown(path)
    try:
        raw = path.read() if hasattr(path, "read") else checked_path(path).read_bytes()
    except UnicodeDecodeError as error:
        remedy = "Open it in binary: open(path, 'rb')."
        raise DataError(broken_rule(owner, "be read as bytes", str(error), remedy)) from error
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        rule = "be a file that can be read"
        raise UnreadableDataError(broken_rule(owner, rule, str(error))) from error
    if isinstance(raw, str):
        text = raw
        if not text.isascii() and re.search("[\ud800-\udfff]", text):
            raise DataError(broken_rule(owner, "be text", "halves of characters"))
    elif isinstance(raw, (bytes, bytearray)):
        text = _decoded(_unpacked(bytes(raw), owner, _packed_as(path)), owner)
    else:
        remedy = "Its read() must return bytes or str."
        raise DataError(broken_rule(owner, "be an open file", raw, remedy))
    text = text.removeprefix("\ufeff")
    _refuse_others(text, owner)
    return text


def _packed_as(path: Any) -> bytes:
    """Return how a file named so must begin; empty for one that is not packed."""
    return (
        b"" if hasattr(path, "read") else _PACKED.get(Path(os.fsdecode(path)).suffix.lower(), b"")
    )


def _unpacked(raw: bytes, owner: str, expected: bytes) -> bytes:
    if expected and not raw.startswith(expected):
        # Browsers unpack downloads and keep their names.
        if b"\0" in raw[:4096] or not raw:
            raise DataError(broken_rule(owner, "be packed as its name says", raw[:8]))
        return raw
    try:
        if raw.startswith(_ZIP):
            return _of_zip(raw, owner)
        for magic, unpack in _UNPACK.items():
            if raw.startswith(magic):
                return unpack(raw)
    except _BROKEN as error:
        if isinstance(error, DataError):
            raise
        remedy = "Download it again."
        rule = "be a complete archive"
        raise UnreadableDataError(broken_rule(owner, rule, str(error), remedy)) from error
    except (RuntimeError, NotImplementedError) as error:
        # A password, or a way of packing that Python does not know.
        rule = "be an archive that can be opened"
        raise DataError(broken_rule(owner, rule, str(error), "Unpack it first.")) from error
    return raw


def _of_zip(raw: bytes, owner: str) -> bytes:
    """Return the one file in an archive."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        if "[Content_Types].xml" in names or "mimetype" in names:
            remedy = "Save it as CSV, or read it with pd.read_excel and pass it to from_frames."
            raise DataError(broken_rule(owner, "be a text file", "a spreadsheet", remedy))
        hidden = ("__MACOSX/", ".")
        names = [name for name in names if not name.startswith(hidden)]
        if len(names) > 1:
            tables = [n for n in names if n.lower().endswith((".csv", ".txt", ".tsv"))]
            names = tables if len(tables) == 1 else names
        if len(names) != 1:
            remedy = "Unpack it and pass the files you want."
            raise DataError(broken_rule(owner, "hold one file", names, remedy))
        return archive.read(names[0])


# Of Windows in Western and Central Europe, in Russia, China, Japan, Korea and Taiwan.
_CODE_PAGES = ("cp1252", "latin-1", "cp1250", "cp1251", "gb18030", "cp932", "cp949", "big5")


def _decoded(raw: bytes, owner: str) -> str:
    for magic, (what, remedy) in _OTHERS.items():
        if raw.startswith(magic):
            raise DataError(broken_rule(owner, "be a text file", what, remedy))
    try:
        if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            return raw.decode("utf-16")
        # MetaTrader writes two bytes a character; without a mark every other byte is 0.
        for places, encoding in (
            (slice(1, 4096, 2), "utf-16-le"),
            (slice(0, 4096, 2), "utf-16-be"),
        ):
            if len(raw) > 3 and not any(raw[places]):
                return raw.decode(encoding)
        if b"\0" in raw:
            position = raw.index(b"\0")
            got = raw[max(position - 20, 0) : position + 20]
            remedy = "Null bytes are what a broken download or another kind of file leaves."
            raise DataError(broken_rule(owner, "be a text file", got, remedy))
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            raise DataError(broken_rule(owner, "be a text file", str(error))) from error
        return raw.decode(_code_page(raw))


def _code_page(raw: bytes) -> str:
    """Return the encoding in which most cells of the header are known, Western ones first."""
    line_end = raw.find(b"\n", 2000)
    head = raw[: line_end if line_end >= 0 else None]
    found = {}
    for encoding in _CODE_PAGES:
        try:
            cells = re.split(r"[\t\n\r;,|]", head.decode(encoding))
        except UnicodeDecodeError:
            continue
        found[encoding] = sum(field_of(cell.strip("\"' ")) is not None for cell in cells)
    # Every byte has a meaning in Latin 1.
    best = max(found, key=lambda encoding: found[encoding], default="latin-1")
    try:
        raw.decode(best)
    except UnicodeDecodeError:
        return "latin-1"
    return best


def _refuse_others(text: str, owner: str) -> None:
    if "\0" in text:
        raise DataError(broken_rule(owner, "be a text file", text[:20]))
    if not text.strip():
        raise DataError(broken_rule(owner, "be a table of prices", "an empty file"))
    if _MARKUP.match(text):
        remedy = "The server answered with a web page: open the file and read it."
        raise DataError(broken_rule(owner, "be a table, not a web page", text[:80], remedy))
    if _JSON.match(text):
        remedy = "Read it with pd.DataFrame(json.load(file)) and pass that to from_frames."
        raise DataError(broken_rule(owner, "be a table, not JSON", text[:80], remedy))
