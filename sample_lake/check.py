"""Hold truth.json against the tables: do the joins join, and do the tempting non-joins overlap?"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import re
import unicodedata
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.parquet as pq

NULLS = frozenset({"", "na", "n/a", "null", "none"})
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
KINDS = ("equi", "name", "composite", "code-name")
TEMPTING = 0.8
"""Least containment of a non-join's left values in the right ones: below it nothing tempts."""


def read(path: Path) -> pa.Table:
    """A table of the lake. Parquet has its own types, all else is text."""
    match path.suffix:
        case ".parquet":
            return pq.read_table(path)
        case ".xlsx":
            return _text_table(_sheet(path))
        case ".ndjson":
            return _records([json.loads(line) for line in path.read_text("utf-8").splitlines()])
        case ".json":
            return _records(json.loads(path.read_text("utf-8")))
        case ".gz":
            return _text_table(list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode()))))
        case _:
            return _delimited(path.read_text("utf-8"))


def _delimited(text: str) -> pa.Table:
    header = text[: text.index("\n")]
    delimiter = max(",;\t", key=header.count)
    return _text_table(list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))


def _text_table(rows: list[list[str]]) -> pa.Table:
    header, *body = rows
    columns = zip(*body, strict=True)
    return pa.table({name: list(column) for name, column in zip(header, columns, strict=True)})


def _records(rows: list[dict[str, Any]]) -> pa.Table:
    texts = [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    return pa.Table.from_pylist(texts)


def _sheet(path: Path) -> list[list[str]]:
    """The first sheet of a workbook that openpyxl wrote, its text inside the cells."""
    with zipfile.ZipFile(path) as book:
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
    return [[_sheet_cell(cell) for cell in row] for row in sheet.iter(SHEET + "row")]


def _sheet_cell(cell: ET.Element) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(cell.itertext())
    value = cell.findtext(SHEET + "v") or ""
    if cell.get("s", "0") != "0" and value:  # the only style in the lake's workbook is the date: days since end of 1899
        return str(dt.date(1899, 12, 30) + dt.timedelta(days=int(float(value))))
    return value


def normalise(value: Any) -> str:
    """A value as it is compared: NFKC, white space collapsed, case folded; no value and null words are empty."""
    if value is None:
        return ""
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", str(value))).strip().casefold()
    return "" if text in NULLS else text


@cache
def _table(root: Path, path: str) -> pa.Table:
    return read(root / path)


@cache
def _keys(root: Path, table: str, columns: tuple[str, ...]) -> Counter[tuple[str, ...]]:
    data = _table(root, table)
    texts = [[normalise(value) for value in data.column(name).to_pylist()] for name in columns]
    return Counter(key for key in zip(*texts, strict=True) if all(key))


def keys(root: Path, side: dict[str, Any]) -> Counter[tuple[str, ...]]:
    """The normalised values of one side of an entry, with how often each comes; rows without a value are left out."""
    columns = side["columns"] if "columns" in side else [side["column"]]
    return _keys(root, side["table"], tuple(columns))


def containment(left: Counter[tuple[str, ...]], right: Counter[tuple[str, ...]]) -> float:
    """The share of the left's distinct values that the right has."""
    return len(left.keys() & right.keys()) / max(len(left), 1)


def cardinality(left: Counter[tuple[str, ...]], right: Counter[tuple[str, ...]]) -> str:
    """1 on a side where no value comes twice, else many."""
    one_left, one_right = (max(side.values(), default=1) == 1 for side in (left, right))
    return f"{'1' if one_left else 'n'}:{'1' if one_right else 'm' if not one_left else 'n'}"


def problems(root: Path) -> list[str]:
    """What is wrong with truth.json, in words; nothing where it holds."""
    truth = json.loads((root / "truth.json").read_text("utf-8"))
    found = [text for entry in truth["joins"] for text in _join_problems(root, entry)]
    found += [text for entry in truth["non_joins"] for text in _non_join_problems(root, entry)]
    return found + [text for domain in truth["domains"] for text in _domain_problems(root, domain)]


def _join_problems(root: Path, entry: dict[str, Any]) -> list[str]:
    missing = _missing(root, entry)
    if missing:
        return missing
    left, right, name = keys(root, entry["left"]), keys(root, entry["right"]), label(entry)
    share, many = containment(left, right), cardinality(left, right)
    if entry["kind"] not in KINDS:
        return [f"{name}: kind {entry['kind']!r} is none of {', '.join(KINDS)}"]
    if entry["kind"] == "code-name":
        return _bridge_problems(root, entry)
    wrong = [] if share >= entry["floor"] else [f"{name}: containment {share:.3f} is below {entry['floor']}"]
    return wrong if many == entry["cardinality"] else [*wrong, f"{name}: is {many}, said {entry['cardinality']}"]


def _bridge_problems(root: Path, entry: dict[str, Any]) -> list[str]:
    """The left must be found in the bridge's one column, and the bridge's other column in the right."""
    start, end = ({"table": entry["bridge"]["table"], "column": entry["bridge"][side]} for side in ("left", "right"))
    hops = ((entry["left"], start), (end, entry["right"]))
    shares = [containment(keys(root, a), keys(root, b)) for a, b in hops]
    return [f"{label(entry)}: a hop holds {share:.3f}" for share in shares if share < entry["floor"]]


def _domain_problems(root: Path, domain: dict[str, Any]) -> list[str]:
    """Each column of a domain must be found in its reference column."""
    entries = [{"left": column, "right": domain["reference"]} for column in domain["columns"]]
    missing = [text for entry in entries for text in _missing(root, entry)]
    if missing:
        return missing
    shares = {label(e): containment(keys(root, e["left"]), keys(root, e["right"])) for e in entries}
    return [f"{name}: containment {share:.3f}" for name, share in shares.items() if share < domain["floor"]]


def _non_join_problems(root: Path, entry: dict[str, Any]) -> list[str]:
    missing = _missing(root, entry)
    if missing:
        return missing
    share = containment(keys(root, entry["left"]), keys(root, entry["right"]))
    return [] if share >= TEMPTING else [f"{label(entry)}: containment {share:.3f} tempts nobody"]


def _missing(root: Path, entry: dict[str, Any]) -> list[str]:
    gone = []
    for side in (entry["left"], entry["right"]):
        if not (root / side["table"]).is_file():
            gone.append(f"{side['table']}: no such table")
            continue
        names = _table(root, side["table"]).column_names
        wanted = side["columns"] if "columns" in side else [side["column"]]
        gone += [f"{side['table']}: no column {name!r}" for name in wanted if name not in names]
    return gone


def label(entry: dict[str, Any]) -> str:
    """The two sides as table.column."""
    sides = [
        f"{side['table']}.{side['column'] if 'column' in side else '+'.join(side['columns'])}"
        for side in (entry["left"], entry["right"])
    ]
    return " -> ".join(sides)
