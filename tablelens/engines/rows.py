"""Rows out of lake files, read where a damaged or hostile file can do no harm: in a worker process.

``first_rows`` previews a table, ``joined_rows`` runs a join, ``selected_rows`` a SELECT of a visitor's own. They read
files as the crawl does, so that what is joined is what was counted. A worker sends back data alone, so rows leave it as
the bytes of an Arrow stream, and an error of ours as its words; ``received`` makes of both what they were.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.crawl.readers import read_part
from tablelens.discover import sql
from tablelens.errors import LimitReached, UnreadableFile, UsageError
from tablelens.settings import Settings

TABLES_OF = "tablelens.engines.rows:tables_of"
SELECTED = "tablelens.engines.rows:selected_rows"
FIRST = "tablelens.engines.rows:first_rows"
JOINED = "tablelens.engines.rows:joined_rows"


@dataclass(frozen=True, slots=True)
class Source:
    """A table of the lake as a file, and the sheet of it where it is a workbook."""

    path: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Pairs of cells, the table m with columns left and right, and the condition that ties it to t0."""

    pairs: tuple[tuple[str, str], ...]
    condition: str


@dataclass(frozen=True, slots=True)
class JoinTask:
    """A join to run: ``chain`` holds (source, condition) of the tables t0, t1 and so on; the first has no condition."""

    chain: tuple[tuple[Source, str], ...]
    rows: int
    mapping: Mapping | None = None
    """What stands between t0 and the others, where cells differ."""


@dataclass(frozen=True, slots=True)
class SelectTask:
    """A SELECT to run over some tables, each under a name."""

    query: str
    tables: tuple[tuple[str, Source], ...]
    rows: int


Told = bytes | list[str]
"""What a worker says: an Arrow stream, names, or an error's mark, code, message, hint and limit."""
FAILED = "failed"


def told(work: Callable[..., pa.Table | list[str]]) -> Callable[..., Told]:
    """Make of a function one that a worker can run."""

    @wraps(work)
    def run(item: Any, **shared: Any) -> Told:
        try:
            found = work(item, **shared)
        except UsageError as error:
            return [FAILED, error.code, error.message, error.hint, getattr(error, "limit", "")]
        if isinstance(found, list):
            return ["names", *found]
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, found.schema) as writer:
            writer.write_table(found)
        return sink.getvalue()

    return run


def received(said: Told) -> pa.Table | list[str]:
    """What ``told`` said, checked: a worker that read a hostile file is not to be trusted.

    Raises:
        UsageError, LimitReached: the work did.
        UnreadableFile: it is no Arrow table.
    """
    if isinstance(said, list):
        if said[0] != FAILED:
            return said[1:]
        code, message, hint, limit = said[1:]
        raise LimitReached(message, hint, limit) if code == LimitReached.code else UsageError(message, hint)
    try:
        table = pa.ipc.open_stream(said).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableFile(f"no rows came out of the file: {error}", "crawl it again", "damaged") from error
    return table


@told
def first_rows(source: Source, settings: Settings, rows: int) -> pa.Table:
    """At most so many rows of a table, in the types of its file."""
    table = read_part(Path(source.path), source.part, replace(settings, max_rows=rows))
    return cut(table.data.slice(0, rows), settings.max_cell_chars)


@told
def joined_rows(task: JoinTask, settings: Settings) -> pa.Table:
    """At most ``task.rows`` rows of an inner join, all columns of all tables under names of their own.

    Raises:
        UnreadableFile: a file cannot be read as it was crawled.
        LimitReached: the join needs more memory than it may have.
    """
    con = _closed_connection(settings)
    names: list[Sequence[str]] = []
    for place, (source, _) in enumerate(task.chain):
        table = read_part(Path(source.path), source.part, settings)
        names.append(table.data.column_names)
        con.register(f"t{place}", table.data)
    over = ""
    if task.mapping is not None:
        left, right = ([pair[side] for pair in task.mapping.pairs] for side in (0, 1))
        con.register("m", pa.table({"left": pa.array(left, pa.string()), "right": pa.array(right, pa.string())}))
        over = f"LEFT JOIN m ON {task.mapping.condition} "
    return _ran(con, _select(names, [on for _, on in task.chain], task.rows, over), settings)


@told
def tables_of(query: str, settings: Settings) -> list[str]:
    """The tables that a SELECT names, sorted.

    Raises:
        UsageError: it is not one SELECT, or no SQL at all.
    """
    with duckdb.connect() as con:
        said = con.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    tree = json.loads(said[0]) if said else {}
    if tree.get("error", True):
        raise UsageError(f"DuckDB does not take the query: {tree.get('error_message')}", ONE_SELECT)
    if len(tree["statements"]) != 1:
        raise UsageError(f"the query holds {len(tree['statements'])} statements", ONE_SELECT)
    parts = list(_parts(tree))
    named = {part["table_name"] for part in parts if part.get("type") == "BASE_TABLE"}
    return sorted(named - {part["key"] for part in parts if "key" in part})


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects in a JSON document."""
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
        waiting += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()


@told
def selected_rows(task: SelectTask, settings: Settings) -> pa.Table:
    """At most ``task.rows`` rows of a SELECT, which sees the given tables and nothing else.

    Raises:
        UsageError: DuckDB cannot run it.
        LimitReached: it needs more memory than it may have.
    """
    con = _closed_connection(settings)
    for name, source in task.tables:
        con.register(name, read_part(Path(source.path), source.part, settings).data)
    return _ran(con, f"SELECT * FROM ({task.query.rstrip().rstrip(';')}\n) LIMIT {int(task.rows)}", settings)


ONE_SELECT = "write one SELECT; tables by their names in double quotes"


def _closed_connection(settings: Settings) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"memory_limit": f"{settings.query_memory_mb}MB", "threads": 1})
    for key, value in _CLOSED.items():
        con.execute(f"SET {key} = {value}")
    return con


def _ran(con: duckdb.DuckDBPyConnection, query: str, settings: Settings) -> pa.Table:
    try:
        return cut(con.execute(query).to_arrow_table(), settings.max_cell_chars)
    except duckdb.OutOfMemoryException as error:
        hint = "run its SQL in a DuckDB of your own"
        raise LimitReached(f"it needs more than {settings.query_memory_mb} MB", hint, "query_memory_mb") from error
    except duckdb.Error as error:
        raise UsageError(f"DuckDB cannot run it: {_first_line(error)}", "mend the query") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]


_CLOSED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "max_temp_directory_size": "'0MB'",
    "python_enable_replacements": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
}
"""What a connection that runs the joins of strangers may not do."""


def _select(names: Sequence[Sequence[str]], conditions: Sequence[str], rows: int, over: str = "") -> str:
    fresh = unique(name for table in names for name in table)
    picks = [f"t{place}.{sql.identifier(name)}" for place, table in enumerate(names) for name in table]
    columns = ", ".join(f"{pick} AS {sql.identifier(name)}" for pick, name in zip(picks, fresh, strict=True))
    joins = " ".join(f"JOIN t{place} ON {on}" for place, on in enumerate(conditions) if place)
    return f"SELECT {columns} FROM t0 {over}{joins} LIMIT {int(rows)}"


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
