"""Read JSON and lines of JSON: scalars as text, nested values as JSON text, columns in the order first seen."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from tablelens.crawl.names import unique_names
from tablelens.crawl.unpack import Content
from tablelens.errors import UnreadableFile
from tablelens.settings import Settings
from tablelens.types import RawTable

Record = dict[str, Any]
_LONGEST_INTEGER = 4000
"""Digits; Python refuses to convert some more than these."""


class _Number(float):
    """A number that remembers how it was written."""

    written: str

    def __new__(cls, written: str) -> _Number:
        number = super().__new__(cls, written)
        number.written = written
        return number


def read_json(content: Content, settings: Settings) -> list[RawTable]:
    """Read a JSON text: records, lists, an object of lists, an object of records, or one object.

    Where an object holds lists of records, each of these lists is a table (``part`` is its key).

    Raises:
        UnreadableFile: too-large, damaged, depth, encoding, no-table, empty.
    """
    if content.cut:
        raise UnreadableFile(f"JSON of more than {settings.max_file_mb} MB", "write it as NDJSON", "too-large")
    try:
        text = _text(content.data)
        value = _parse(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" in text[: error.pos + 1]:
            return read_json_lines(content, settings)
        raise _damaged(error) from error
    return [_table(part, records, "json", settings) for part, records in _tables(value)]


def read_json_lines(content: Content, settings: Settings) -> list[RawTable]:
    """Read one JSON value a line.

    Raises:
        UnreadableFile: damaged, depth, encoding, no-table, empty.
    """
    data = content.data[: content.data.rfind(b"\n") + 1] if content.cut else content.data
    text = _text(data)
    if text.lstrip().startswith("["):
        return read_json(content, settings)
    warnings = [f"truncated: only the first {settings.max_file_mb} MB were read"] if content.cut else []
    records: list[Record] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            records.append(_record(_parsed_line(line, number)))
        if len(records) > settings.max_rows:
            break
    return [_table("", records, "ndjson", settings, warnings)]


def _text(data: bytes) -> str:
    try:
        return data.decode(json.detect_encoding(data)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"JSON that is not Unicode: {error.reason}", reason="encoding") from error


def _parse(text: str) -> Any:
    if not text.strip():
        raise UnreadableFile("the file holds no value", reason="empty")
    try:
        return json.loads(text, parse_float=_Number, parse_int=_integer)
    except RecursionError as error:
        raise UnreadableFile("JSON nested too deeply", reason="depth") from error


def _integer(written: str) -> Any:
    return int(written) if len(written) < _LONGEST_INTEGER else written


def _parsed_line(line: str, number: int) -> Any:
    try:
        return _parse(line)
    except json.JSONDecodeError as error:
        raise _damaged(error, f"line {number:,}: ") from error


def _damaged(error: json.JSONDecodeError, where: str = "") -> UnreadableFile:
    return UnreadableFile(f"not valid JSON: {where}{error}", reason="damaged")


def _tables(value: Any) -> list[tuple[str, list[Record]]]:
    """(part, records) of each table within a JSON value."""
    if isinstance(value, list):
        return [("", _rows(value))]
    if not isinstance(value, dict) or not value:
        raise UnreadableFile("the JSON holds no table", reason="no-table")
    lists = {key: item for key, item in value.items() if isinstance(item, list) and item}
    tables = {key: items for key, items in lists.items() if all(isinstance(item, dict) for item in items)}
    if tables:
        return [("" if len(tables) == 1 else key, items) for key, items in tables.items()]
    if lists:
        length = max(map(len, lists.values()))
        return [("", [{key: items[i] for key, items in lists.items() if i < len(items)} for i in range(length)])]
    if len(value) > 1 and all(isinstance(item, dict) for item in value.values()):
        return [("", [{"key": key, **item} for key, item in value.items()])]
    return [("", [value])]


def _rows(items: list[Any]) -> list[Record]:
    """Records of a list; of a list of lists the first gives the names if it holds nothing but text."""
    if items and all(isinstance(item, list) for item in items):
        header = items[0]
        if len(items) > 1 and header and all(isinstance(name, str) for name in header):
            names = unique_names(header)
            return [_named(names, row) for row in items[1:]]
        return [_named([], row) for row in items]
    return [_record(item) for item in items]


def _named(names: list[str], row: list[Any]) -> Record:
    return {names[i] if i < len(names) else f"column_{i + 1}": cell for i, cell in enumerate(row)}


def _record(item: Any) -> Record:
    if isinstance(item, dict):
        return item
    return _named([], item) if isinstance(item, list) else {"value": item}


def _table(part: str, records: list[Record], kind: str, settings: Settings, warnings: Iterable[str] = ()) -> RawTable:
    notes = list(warnings)
    if len(records) > settings.max_rows:
        notes.append(f"truncated: rows beyond {settings.max_rows:,} were left out")
        records = records[: settings.max_rows]
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        raise UnreadableFile("the JSON holds no record", reason="empty")
    if len(names) > settings.max_columns:
        notes.append(f"truncated: {len(names) - settings.max_columns:,} of {len(names):,} columns were left out")
        names = names[: settings.max_columns]
    arrays = [pa.array([_cell(record.get(name), settings) for record in records], pa.string()) for name in names]
    clean = [_unicode(name) for name in names]
    data = pa.table(arrays, names=unique_names(clean))
    return RawTable(data, tuple(clean), kind, part, tuple(notes), any(n.startswith("truncated") for n in notes))


def _cell(value: Any, settings: Settings) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        text = _unicode(value)
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, _Number):
        text = value.written
    elif isinstance(value, (dict, list)):
        text = _unicode(json.dumps(value, ensure_ascii=False))
    else:
        text = str(value)
    if len(text) > settings.max_cell_mb << 20:
        raise UnreadableFile(f"a cell is larger than {settings.max_cell_mb} MB", reason="too-large")
    return text


def _unicode(text: str) -> str:
    r"""The text without lone surrogates, which JSON can write (\ud800) and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
