"""Names, texts and paths quoted for DuckDB, and joins put together from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath


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


def call(function: str, path: str, options: Mapping[str, str]) -> str:
    """A function that reads a file, with its options; a folder named ``a=b`` makes no column.

    >>> call("read_parquet", "y=1/x.parquet", {})
    "read_parquet('y=1/x.parquet', hive_partitioning = false)"
    """
    hive = {"hive_partitioning": "false"} if "=" in str(PurePosixPath(path).parent) else {}
    return f"{function}({file_literal(path)}{''.join(f', {k} = {v}' for k, v in {**options, **hive}.items())})"


def struct(members: Mapping[str, str]) -> str:
    """A struct literal of expressions.

    >>> struct({"x": "'VARCHAR'"})
    "{'x': 'VARCHAR'}"
    """
    return "{" + ", ".join(f"{literal(name)}: {value}" for name, value in members.items()) + "}"


def join(left_source: str, right_source: str, condition: str) -> str:
    """A join of two sources, ready to run."""
    return f"SELECT *\nFROM {left_source} AS a\nJOIN {right_source} AS b\n  ON {condition}"


def chain(sources: Iterable[str], conditions: Iterable[str]) -> str:
    """A join of sources ``t0``, ``t1``, … by the condition that ties each to those before it."""
    first, *others = sources
    lines = ["SELECT *", f"FROM {first} AS t0"]
    for number, (source, on) in enumerate(zip(others, conditions, strict=True), 1):
        lines.append(f"JOIN {source} AS t{number}\n  ON {on}")
    return "\n".join(lines)
