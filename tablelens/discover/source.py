"""What a FROM clause reads a table with, so that DuckDB finds the cells that the crawl found.

The reader knows a file's delimiter, encoding, header and so on (``types.Reading``); all of it is said, and nothing is
left to be guessed again. Where DuckDB cannot read the file, the clause reads what ``tablelens export`` makes of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tablelens.discover.json_source import json_clause
from tablelens.discover.sql import call, identifier, literal, struct
from tablelens.types import Reading

_CORE = {"utf-8": "", "latin-1": "latin-1", "utf-16-le": "utf-16"}
"""Encodings that DuckDB reads by itself, by Python's name."""
_EXTENSION = {
    "cp1252": "CP1252", "cp1250": "CP1250", "cp1251": "CP1251", "cp1253": "CP1253", "cp1254": "CP1254",
    "shift_jis": "shift_jis", "euc_jp": "EUC_JP", "gb18030": "gb18030", "big5": "java-Big5-1.3_P", "euc_kr": "EUC_KR",
}  # fmt: skip
"""Those that its extension ``encodings`` reads."""
_PACKED = {"": "", "gzip": ".gz", "zstd": ".zst"}
"""What DuckDB unpacks, and the suffix by which it knows it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A FROM clause; ``text`` says that all its columns are VARCHAR.

    ``renamed`` has the columns that DuckDB calls otherwise than tablelens; ``notes`` say what it needs to run.
    """

    sql: str
    text: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    workbook: bool = False

    def column(self, alias: str, name: str) -> str:
        """A column of the source in SQL.

        >>> Source("t").column("a", 'x"y')
        'a."x""y"'
        """
        return f"{alias}.{identifier(self.renamed.get(name, name))}"


YOURS = Source("your_table")
"""The source of values that came from no file."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table and the file that holds it; ``names`` are all its columns in the order of the file."""

    path: str
    table: str
    """What ``tablelens export`` calls it."""
    format: str
    reading: Reading
    names: Sequence[str]
    part: str = ""


def source_of(file: TableFile, *, typed: bool = False) -> Source:
    """What reads a table in DuckDB: cells of text formats as they are written, or ``typed`` as DuckDB guesses."""
    if why := _unreadable(file):
        return _exported(file, why)
    made = _READERS[file.format](file)
    return replace(made, sql=made.sql.replace(", all_varchar = true", ""), text=False) if typed else made


def duckdb_names(names: Sequence[str]) -> list[str]:
    """What DuckDB calls the columns of a file: names that differ by case alone are one to it.

    >>> duckdb_names(["Id", "id", "ID", "id_1"])
    ['Id', 'id_1', 'ID_2', 'id_1_1']
    """
    made: list[str] = []
    taken: dict[bytes, int] = {}
    for name in names:
        while (key := _key(name)) in taken:
            taken[key] += 1
            name = f"{name}_{taken[key]}"
        taken[key] = 0
        made.append(name)
    return made


def _key(name: str) -> bytes:
    """What DuckDB tells names apart by: case counts beyond ASCII only."""
    return name.encode("utf-8", "surrogatepass").lower()


def _unreadable(file: TableFile) -> str:
    """Why DuckDB cannot read a table, or nothing."""
    reading = file.reading
    if reading.trouble:
        return reading.trouble
    if reading.packing not in _PACKED:
        return f"it is packed with {reading.packing}"
    if file.format in ("json", "ndjson"):
        if reading.packing and not file.path.endswith(_PACKED[reading.packing]):
            return f"it is packed with {reading.packing}, which its name does not say"
        return "column names differ by case alone" if _twins(file) else ""
    if reading.header_lines > 1 and not _names_itself(file):
        return "a column's name spans lines"
    if reading.encoding not in _CORE and reading.encoding not in _EXTENSION:
        return f"it is in {reading.encoding}"
    return ""


def _names_itself(file: TableFile) -> bool:
    """Whether DuckDB can take the names of the columns from the header."""
    return file.reading.header and not file.reading.loose and not _twins(file)


def _twins(file: TableFile) -> dict[str, str]:
    """The columns that DuckDB calls otherwise."""
    made = duckdb_names(file.names)
    return {name: other for name, other in zip(file.names, made, strict=True) if name != other}


def _exported(file: TableFile, why: str) -> Source:
    target = re.sub(r"[^\w-]+", "_", file.table).strip("_") + ".parquet"
    command = f"tablelens export {shlex.quote(file.table)} {target}"
    note = f"DuckDB cannot read {file.table} ({why}): the SQL reads {target}, which `{command}` writes"
    return Source(f"read_parquet({literal(target)})", renamed=_twins(file), notes=(note,))


def _delimited(file: TableFile) -> Source:
    reading = file.reading
    renamed = _twins(file)
    options = {"delim": _letter(reading.delimiter), "quote": literal(reading.quote)}
    options["escape"] = literal(reading.escape or reading.quote)
    if not _names_itself(file):
        skip = reading.skip + (1 if reading.header else 0)
        names = dict.fromkeys(duckdb_names(file.names), "'VARCHAR'")
        options |= {"header": "false", "skip": str(skip), "auto_detect": "false", "columns": struct(names)}
    else:
        options |= {"header": "true", "all_varchar": "true"}
        options |= {"skip": str(reading.skip)} if reading.skip else {}
    if reading.loose:
        options |= {"null_padding": "true", "strict_mode": "false", "parallel": "false"}
    if reading.longest:
        options |= {"max_line_size": str(reading.longest)}
    if reading.packing and not file.path.endswith(_PACKED[reading.packing]):
        options |= {"compression": literal(reading.packing)}
    encoding = _CORE.get(reading.encoding) or _EXTENSION.get(reading.encoding, "")
    options |= {"encoding": literal(encoding)} if encoding else {}
    note = f"DuckDB reads {file.table} ({reading.encoding}) once you ran: INSTALL encodings; LOAD encodings"
    notes = (note,) if reading.encoding in _EXTENSION else ()
    return Source(call("read_csv", file.path, options), True, renamed, notes)


def _letter(delimiter: str) -> str:
    return literal(delimiter) if delimiter.isprintable() else rf"E'\x{ord(delimiter):02x}'"


def _parquet(file: TableFile) -> Source:
    options = {"binary_as_string": "true"} if file.reading.shape == "binary" else {}
    return Source(call("read_parquet", file.path, options), renamed=_twins(file))


def _workbook(file: TableFile) -> Source:
    sheet, _, area = file.reading.place.rpartition("!")
    options = {"sheet": literal(sheet), "range": literal(area), "header": "true", "all_varchar": "true"}
    options |= {"stop_at_empty": "false"}
    note = f"DuckDB reads {file.table} once you ran: INSTALL excel; LOAD excel"
    return Source(call("read_xlsx", file.path, options), True, _twins(file), (note,), workbook=True)


def _json(file: TableFile) -> Source:
    return Source(json_clause(file.path, file.format, file.reading, file.names), True)


_READERS: dict[str, Callable[[TableFile], Source]] = {
    "csv": _delimited, "tsv": _delimited, "parquet": _parquet, "json": _json, "ndjson": _json, "workbook": _workbook,
}  # fmt: skip
