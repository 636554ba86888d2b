"""Read workbooks: each sheet that holds cells is a table; titles above it are passed over.

Cells are what a spreadsheet computed when it was saved. Of merged cells the first has the value, the others are empty.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from tablelens.crawl.names import unique_names
from tablelens.crawl.unpack import FREE
from tablelens.errors import UnreadableFile
from tablelens.settings import Settings
from tablelens.types import RawTable, Reading

MOST_CELLS = 40_000_000
"""Calamine holds a sheet as a full rectangle, so two cells in opposite corners would fill the memory."""
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_STEP = 1 << 20
MOST_TITLES = 20
"""Rows with titles and notes that may stand above a table."""
_COLUMN = re.compile(rb' r="([A-Z]{1,3})\d')
_ROW = re.compile(rb'<(?:\w+:)?row [^>]*?r="(\d{1,9})"')


def read_workbook(handle: BinaryIO, size: int, settings: Settings) -> list[RawTable]:
    """Read all sheets of an Excel or OpenDocument workbook. Macros, links and charts are not looked at.

    Raises:
        UnreadableFile: bomb, too-large, damaged, unsupported, empty.
    """
    if size > settings.max_file_mb << 20:
        raise UnreadableFile(f"a workbook of more than {settings.max_file_mb} MB", reason="too-large")
    handle.seek(0)
    data = handle.read(size)
    if data.startswith(b"PK"):
        _check_archive(data, settings)
    sheets = [sheet for sheet in _sheets(data) if any(any(cell != "" for cell in row) for row in sheet.rows)]
    if not sheets:
        raise UnreadableFile("no sheet holds a cell", reason="empty")
    several = len(sheets) > 1
    trouble = "" if b"xl/workbook.xml" in data else "no workbook of Excel 2007 or later"
    return [_table(sheet, several, trouble, settings) for sheet in sheets]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet's name, its cells without empty rows and columns around them, where these begin (from 0)."""

    name: str
    rows: list[list[Any]]
    row: int
    column: int
    hidden: bool


def _sheets(data: bytes) -> Iterator[_Sheet]:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for meta in book.sheets_metadata:
            if "WorkSheet" in str(meta.typ):
                sheet = book.get_sheet_by_name(meta.name)
                yield _Sheet(
                    meta.name,
                    sheet.to_python(skip_empty_area=True),
                    *(sheet.start or (0, 0)),
                    "Hidden" in str(meta.visible),
                )
    except (CalamineError, OSError, ValueError) as error:
        raise UnreadableFile(f"cannot read the workbook: {error}", reason=_reason(error)) from error
    except BaseException as error:
        # A panic in calamine arrives as a class of its own right below BaseException.
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableFile(f"cannot read the workbook: {error}", reason="damaged") from error


def _reason(error: Exception) -> str:
    return "unsupported" if "assword" in f"{type(error).__name__} {error}" else "damaged"


def _check_archive(data: bytes, settings: Settings) -> None:
    """Unpack every member once, counting, because the sizes that an archive declares need not be true."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"damaged workbook: {error}", reason="damaged") from error
    allowed = min(max(FREE, len(data) * settings.max_unpacked_ratio), settings.max_file_mb << 20)
    declared = sum(member.file_size for member in members)
    if declared > allowed or sum(member.compress_size for member in members) > len(data):
        raise UnreadableFile("the workbook unpacks to too much", "raise max_unpacked_ratio", "bomb")
    for member in members:
        allowed -= _check_member(data, member, allowed)


def _check_member(data: bytes, member: zipfile.ZipInfo, allowed: int) -> int:
    size, rows, column = 0, 0, b""
    sheet = "worksheets/" in member.filename
    tail = b""
    for part in _unpacked(data, member):
        size += len(part)
        if size > allowed:
            raise UnreadableFile("the workbook unpacks to too much", "raise max_unpacked_ratio", "bomb")
        if sheet:
            seen = tail + part
            rows = max([rows, *map(int, _ROW.findall(seen))])
            column = max([column, *set(_COLUMN.findall(seen))], key=lambda c: (len(c), c))
            tail = part[-200:]
    if rows * _number(column) > MOST_CELLS:
        raise UnreadableFile(f"a sheet spans {rows:,} rows by {_number(column):,} columns", reason="too-large")
    return size


def _unpacked(data: bytes, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        fields = _LOCAL_HEADER.unpack_from(data, member.header_offset)
        start = member.header_offset + _LOCAL_HEADER.size + fields[-2] + fields[-1]
        packed = data[start : start + member.compress_size]
        if member.compress_type == zipfile.ZIP_STORED:
            yield packed
            return
        if member.compress_type != zipfile.ZIP_DEFLATED:
            raise UnreadableFile("a workbook packed in an unusual way", reason="unsupported")
        inflate = zlib.decompressobj(-15)
        while packed and not inflate.eof:
            yield inflate.decompress(packed, _STEP)
            packed = inflate.unconsumed_tail
    except (struct.error, zlib.error) as error:
        raise UnreadableFile(f"damaged workbook: {error}", reason="damaged") from error


def _number(letters: bytes) -> int:
    """A column's number: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return max(number, 1)


def _letters(number: int) -> str:
    """A column's letters, the first (1) is A."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _table(sheet: _Sheet, several: bool, trouble: str, settings: Settings) -> RawTable:
    filled = [[_cell(cell, settings) for cell in row] for row in sheet.rows]
    first = _header(filled)
    header, body = filled[first], [row for row in filled[first + 1 :] if any(row)]
    names = [cell or "" for cell in header]
    warnings = ["hidden: the sheet is hidden"] if sheet.hidden else []
    if above := sum(map(any, filled[:first])):
        warnings.append(f"preamble: {above} lines before the table were skipped")
    if len(names) > settings.max_columns:
        warnings.append(f"truncated: {len(names) - settings.max_columns:,} of {len(names):,} columns were left out")
        names = names[: settings.max_columns]
    if len(body) > settings.max_rows:
        warnings.append(f"truncated: rows beyond {settings.max_rows:,} were left out")
        body = body[: settings.max_rows]
    arrays = [pa.array([row[i] for row in body], pa.string()) for i in range(len(names))]
    made = unique_names(names)
    top, left, bottom = sheet.row + first + 1, sheet.column + 1, sheet.row + len(sheet.rows)
    area = f"{_letters(left)}{top}:{_letters(left + len(header) - 1)}{bottom}"
    reading = Reading(place=f"{sheet.name}!{area}", header=made == names, trouble=trouble)
    part = sheet.name if several else ""
    truncated = any(warning.startswith("truncated") for warning in warnings)
    return RawTable(pa.table(arrays, names=made), tuple(names), "workbook", part, tuple(warnings), truncated, reading)


def _header(rows: list[list[str | None]]) -> int:
    """The place of the first row that is no title: with several filled cells, where rows below have several."""
    counts = [sum(cell is not None for cell in row) for row in rows]
    first = next(i for i, count in enumerate(counts) if count)
    several = next((i for i, count in enumerate(counts) if count > 1), first)
    usual = Counter(count for count in counts[first:] if count).most_common(1)[0][0]
    return several if usual > 1 and several - first <= MOST_TITLES else first


def _cell(value: Any, settings: Settings) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime):
        midnight = value.time() == time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    text = str(value) if isinstance(value, (str, timedelta)) else repr(value)
    if len(text) > settings.max_cell_mb << 20:
        raise UnreadableFile(f"a cell is larger than {settings.max_cell_mb} MB", reason="too-large")
    return text
