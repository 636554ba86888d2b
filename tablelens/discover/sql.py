"""The join as SQL that DuckDB runs: every name quoted, every path literal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from tablelens.types import Family

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


def source(path: str, part: str = "") -> str:
    """What a FROM clause reads a file with."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
    kind = next((_FORMATS[suffix] for suffix in reversed(suffixes) if suffix in _FORMATS), "delimited")
    sheet = f", sheet = {literal(part)}" if part else ""
    return _READERS[kind].format(path=file_literal(path), sheet=sheet)


def condition(left: str, right: str, family: Family, *, same_spelling: bool) -> str:
    """What two columns of ``a`` and ``b`` must fulfil: as strict as the evidence that was counted allows."""
    return equal(f"a.{identifier(left)}", f"b.{identifier(right)}", family, same_spelling=same_spelling)


def equal(a: str, b: str, family: Family, *, same_spelling: bool) -> str:
    """Equality of two SQL expressions as the value sets mean it."""
    if family == "number":
        return f"TRY_CAST({a} AS DOUBLE) = TRY_CAST({b} AS DOUBLE)"
    if same_spelling:
        return f"{a}::VARCHAR = {b}::VARCHAR"
    return f"lower(trim({a}::VARCHAR)) = lower(trim({b}::VARCHAR))"


def join(left_source: str, right_source: str, conditions: Iterable[str]) -> str:
    """A join of two sources, ready to run."""
    on = "\n AND ".join(conditions)
    return f"SELECT *\nFROM {left_source} AS a\nJOIN {right_source} AS b\n  ON {on}"
