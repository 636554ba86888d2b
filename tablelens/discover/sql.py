"""The join as SQL that DuckDB runs: every name quoted, every path literal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Literal

from tablelens.types import Family, Kind

_READERS = {
    "parquet": "read_parquet({path})",
    "json": "read_json_auto({path})",
    "excel": "read_xlsx({path}, all_varchar = true{sheet})",
    "delimited": "read_csv({path}, header = true, all_varchar = true)",
}
_FORMATS = {
    ".parquet": "parquet", ".pq": "parquet", ".json": "json", ".ndjson": "json", ".jsonl": "json",
    ".xlsx": "excel", ".xlsm": "excel", ".xls": "excel", ".xlsb": "excel", ".ods": "excel",
}  # fmt: skip
Comparison = Literal["spelling", "text", "integer", "number", "date"]
_SIDES: dict[Comparison, str] = {
    "spelling": "{}::VARCHAR",
    "text": r"lower(trim(regexp_replace({}::VARCHAR, '\s+', ' ', 'g')))",
    "integer": "TRY_CAST({} AS DECIMAL(38, 9))",
    "number": "TRY_CAST({} AS DOUBLE)",
    "date": "TRY_CAST({} AS TIMESTAMP)",
}


def identifier(name: str) -> str:
    """A name quoted for SQL.

    >>> identifier('x"; drop')
    '"x""; drop"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text quoted for SQL.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: str) -> str:
    """A path quoted for SQL in which ``* ? [`` stand for themselves: DuckDB takes a bare one for a pattern.

    >>> file_literal("a*b.csv")
    "'a[*]b.csv'"
    """
    return literal("".join(f"[{letter}]" if letter in "*?[" else letter for letter in path))


def source(path: str, part: str = "", *, typed: bool = False) -> str:
    """What a FROM clause reads a file with; cells of text formats as they are written, or as DuckDB types them."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
    kind = next((_FORMATS[suffix] for suffix in reversed(suffixes) if suffix in _FORMATS), "delimited")
    sheet = f", sheet = {literal(part)}" if part else ""
    reader = _READERS[kind].replace(", all_varchar = true", "") if typed else _READERS[kind]
    return reader.format(path=file_literal(path), sheet=sheet)


def comparison(
    family: Family, kinds: tuple[Kind, Kind], matched: Sequence[str], *, same_spelling: bool = False
) -> Comparison:
    """How SQL has to compare two columns so that it joins the values that were counted as equal.

    Long ids need more digits than a double has, and a typed file spells its days as it likes.
    """
    if family == "number":
        return "integer" if set(kinds) == {"integer"} else "number"
    if family == "date" and matched and all(cell[:4].isdigit() for cell in matched):
        return "date"
    return "spelling" if same_spelling else "text"


def equal(a: str, b: str, how: Comparison) -> str:
    """Equality of two SQL expressions.

    >>> equal("a.x", "b.y", "number")
    'TRY_CAST(a.x AS DOUBLE) = TRY_CAST(b.y AS DOUBLE)'
    """
    side = _SIDES[how]
    return f"{side.format(a)} = {side.format(b)}"


def join(left_source: str, right_source: str, conditions: Iterable[str]) -> str:
    """A join of two sources, ready to run."""
    on = "\n AND ".join(conditions)
    return f"SELECT *\nFROM {left_source} AS a\nJOIN {right_source} AS b\n  ON {on}"
