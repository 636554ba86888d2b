"""Read JSON and lines of JSON: scalars as text, nested values as JSON text, columns in the order first seen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from tablelens.crawl.names import unique_names
from tablelens.crawl.unpack import Content
from tablelens.errors import UnreadableFile
from tablelens.settings import Settings
from tablelens.types import RawTable, Reading

Record = dict[str, Any]
Found = tuple[str, list[Record], Reading]
"""A table within a JSON value: its part, its records, and where these lie."""
_SPACE = re.compile(r"[ \t\r\n]*")
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
    text = _text(content.data)
    try:
        value = _parse(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" in text[: error.pos + 1]:
            return _lines(text, content, settings)
        raise _damaged(error) from error
    whole = len(content.data) if isinstance(value, dict) else 0  # an object is read in one piece
    return [
        _table(part, records, "json", settings, _in_file(reading, content, whole))
        for part, records, reading in _tables(value)
    ]


def read_json_lines(content: Content, settings: Settings) -> list[RawTable]:
    """Read one JSON value a line.

    Raises:
        UnreadableFile: damaged, depth, encoding, no-table, empty.
    """
    data = content.data[: content.data.rfind(b"\n") + 1] if content.cut else content.data
    text = _text(data)
    return read_json(content, settings) if text.lstrip().startswith("[") else _lines(text, content, settings)


def _lines(text: str, content: Content, settings: Settings) -> list[RawTable]:
    """One value a line, or values of several lines one after the other."""
    warnings = [f"truncated: only the first {settings.max_file_mb} MB were read"] if content.cut else []
    try:
        items, objects = _values_by_line(text, settings.max_rows), "lines"
    except UnreadableFile:
        if content.cut or not (spread := _values_in_a_row(text)):
            raise
        items, objects = spread, "object"
    reading = _in_file(_shape(items, objects), content)
    return [_table("", list(map(_record, items)), "ndjson", settings, reading, warnings)]


def _values_by_line(text: str, limit: int) -> list[Any]:
    items: list[Any] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            items.append(_parsed_line(line, number))
        if len(items) > limit:
            break
    return items


def _values_in_a_row(text: str) -> list[Any]:
    """Values that stand one after the other, as ``jq`` writes them; none where that is not what the text is."""
    decoder = json.JSONDecoder(parse_float=_Number, parse_int=_integer)
    items: list[Any] = []
    place = 0
    try:
        while (place := _SPACE.match(text, place).end()) < len(text):  # type: ignore[union-attr]
            item, place = decoder.raw_decode(text, place)
            items.append(item)
    except (json.JSONDecodeError, RecursionError):
        return []
    return items if all(isinstance(item, dict) for item in items) else []


def _in_file(reading: Reading, content: Content, whole: int = 0) -> Reading:
    """A table's place with what holds for all of its file; ``whole`` is the size of a value in one piece."""
    encoding = json.detect_encoding(content.data).removesuffix("-sig")
    trouble = reading.trouble or ("" if encoding == "utf-8" else f"JSON in {encoding}")
    return replace(reading, longest=whole, trouble=trouble)


def _shape(items: list[Any], objects: str, header: bool = False) -> Reading:
    """What the items of a list, or of lines, are; ``objects`` is the word where they are objects."""
    kinds = {type(item) if isinstance(item, dict | list) else str for item in items}
    word = {dict: objects, list: "lists"}.get(next(iter(kinds), dict), "values")
    return Reading(shape=word, header=header, trouble="its items are of several kinds" if len(kinds) > 1 else "")


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


def _tables(value: Any) -> list[Found]:
    """Each table within a JSON value."""
    if isinstance(value, list):
        return [("", *_rows(value))]
    if not isinstance(value, dict) or not value:
        raise UnreadableFile("the JSON holds no table", reason="no-table")
    lists = {key: item for key, item in value.items() if isinstance(item, list) and item}
    tables = {key: items for key, items in lists.items() if all(isinstance(item, dict) for item in items)}
    if tables:
        several = len(tables) > 1
        return [(key if several else "", items, Reading(shape="records", place=key)) for key, items in tables.items()]
    if lists:
        length = max(map(len, lists.values()))
        rows = [{key: items[i] for key, items in lists.items() if i < len(items)} for i in range(length)]
        return [("", rows, Reading(shape="columns"))]
    if len(value) > 1 and all(isinstance(item, dict) for item in value.values()):
        trouble = "an entry has a key named key" if any("key" in item for item in value.values()) else ""
        rows = [{"key": key, **item} for key, item in value.items()]
        return [("", rows, Reading(shape="entries", trouble=trouble))]
    return [("", [value], Reading(shape="object"))]


def _rows(items: list[Any]) -> tuple[list[Record], Reading]:
    """Records of a list; of a list of lists the first gives the names if it holds nothing but text."""
    if items and all(isinstance(item, list) for item in items):
        header = items[0]
        if len(items) > 1 and header and all(isinstance(name, str) for name in header):
            names = unique_names(header)
            return [_named(names, row) for row in items[1:]], _shape(items, "", header=True)
        return [_named([], row) for row in items], _shape(items, "")
    return [_record(item) for item in items], _shape(items, "records")


def _named(names: list[str], row: list[Any]) -> Record:
    return {names[i] if i < len(names) else f"column_{i + 1}": cell for i, cell in enumerate(row)}


def _record(item: Any) -> Record:
    if isinstance(item, dict):
        return item
    return _named([], item) if isinstance(item, list) else {"value": item}


def _table(
    part: str, records: list[Record], kind: str, settings: Settings, reading: Reading, warnings: Iterable[str] = ()
) -> RawTable:
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
    made = unique_names(clean)
    if made != names and reading.shape != "lists":
        reading = replace(reading, trouble=reading.trouble or "a key is empty, very long or no Unicode")
    truncated = any(note.startswith("truncated") for note in notes)
    return RawTable(pa.table(arrays, names=made), tuple(clean), kind, part, tuple(notes), truncated, reading)


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
