"""Rows out of lake files, read where a damaged or hostile file can do no harm: in a worker process.

``first_rows`` previews a table, ``joined_rows`` runs a join. Both read files as the crawl does, so that what is joined
is what was counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.crawl.readers import read_part
from tablelens.discover import sql
from tablelens.errors import LimitReached
from tablelens.settings import Settings

FIRST = "tablelens.engines.rows:first_rows"
JOINED = "tablelens.engines.rows:joined_rows"


@dataclass(frozen=True, slots=True)
class Source:
    """A table of the lake as a file, and the sheet of it where it is a workbook."""

    path: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class JoinTask:
    """A join to run: ``chain`` holds (source, condition) of the tables t0, t1 and so on; the first has no condition."""

    chain: tuple[tuple[Source, str], ...]
    rows: int


def first_rows(source: Source, settings: Settings, rows: int) -> pa.Table:
    """At most so many rows of a table, in the types of its file."""
    table = read_part(Path(source.path), source.part, replace(settings, max_rows=rows))
    return cut(table.data.slice(0, rows), settings.max_cell_chars)


def joined_rows(task: JoinTask, settings: Settings) -> pa.Table:
    """At most ``task.rows`` rows of an inner join, all columns of all tables under names of their own.

    Raises:
        UnreadableFile: a file cannot be read as it was crawled.
        LimitReached: the join needs more memory than it may have.
    """
    con = duckdb.connect(config={"memory_limit": f"{settings.query_memory_mb}MB", "threads": 1})
    for key, value in _CLOSED.items():
        con.execute(f"SET {key} = {value}")
    names: list[Sequence[str]] = []
    for place, (source, _) in enumerate(task.chain):
        table = read_part(Path(source.path), source.part, settings)
        names.append(table.data.column_names)
        con.register(f"t{place}", table.data)
    try:
        found = con.execute(_select(names, [on for _, on in task.chain], task.rows)).to_arrow_table()
    except duckdb.OutOfMemoryException as error:
        hint = "run its SQL in a DuckDB of your own"
        raise LimitReached(
            f"the join needs more than {settings.query_memory_mb} MB", hint, "query_memory_mb"
        ) from error
    return cut(found, settings.max_cell_chars)


_CLOSED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "max_temp_directory_size": "'0MB'",
    "python_enable_replacements": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
}
"""What a connection that runs the joins of strangers may not do."""


def _select(names: Sequence[Sequence[str]], conditions: Sequence[str], rows: int) -> str:
    fresh = unique(name for table in names for name in table)
    picks = [f"t{place}.{sql.identifier(name)}" for place, table in enumerate(names) for name in table]
    columns = ", ".join(f"{pick} AS {sql.identifier(name)}" for pick, name in zip(picks, fresh, strict=True))
    joins = " ".join(f"JOIN t{place} ON {on}" for place, on in enumerate(conditions) if place)
    return f"SELECT {columns} FROM t0 {joins} LIMIT {int(rows)}"


def unique(names: Iterable[str]) -> list[str]:
    """Names made different from each other, also where only the case differs.

    >>> unique(["id", "name", "ID"])
    ['id', 'name', 'ID (2)']
    """
    taken: set[str] = set()
    made = []
    for name in names:
        fresh, number = name, 1
        while fresh.casefold() in taken:
            number += 1
            fresh = f"{name} ({number})"
        taken.add(fresh.casefold())
        made.append(fresh)
    return made


def cut(table: pa.Table, longest: int) -> pa.Table:
    """The table with text cells cut at so many characters, the last of them then an ellipsis."""
    for place, column in enumerate(table.columns):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            long = pc.greater(pc.utf8_length(column), longest)
            if pc.any(long).as_py():
                shorter = pc.binary_join_element_wise(pc.utf8_slice_codeunits(column, 0, longest - 1), "…", "")
                table = table.set_column(place, table.field(place), pc.if_else(long, shorter, column))
    return table
