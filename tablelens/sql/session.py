"""A locked DuckDB session on a lake: everything registered, the lake's tables under their names, nothing written.

Files are read below the lake's roots alone, no configuration can be changed, and only statements run that read, or that
write into the session's own memory. Time and memory are limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import duckdb

from tablelens.discover import sql
from tablelens.discover.source import TableFile, source_of
from tablelens.errors import TablelensError, UsageError
from tablelens.lake import Lake
from tablelens.sql.functions import register

_NAME = re.compile(r'"((?:[^"]|"")+)"|([^\W\d]\w*)' r"|'((?:[^']|'')+)'")
"""Names of tables, also those that joins_with is told as a text."""
READING = frozenset({"SELECT", "RELATION", "VARIABLE_SET"})
OWN = frozenset({"CREATE", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "TRANSACTION"})
"""Statements that write, but only into the session's memory: what is attached is read-only."""


class Session:
    """One analyst's session. Use it as a context manager, or call ``close``.

    Args:
        lake: where the answers come from.
        seconds: limit of one statement.
        memory_mb: limit of the session.

    >>> Session.__name__
    'Session'
    """

    def __init__(self, lake: Lake, seconds: float = 60.0, memory_mb: int = 4096) -> None:
        self.lake = lake
        self.seconds = seconds
        self._views: set[str] = set()
        self._connection = duckdb.connect(config={"python_enable_replacements": False, "temp_directory": ""})
        register(self._connection, lake)
        folders = [f"{root.rstrip('/')}/" for root in lake.view.generation.roots.values()]
        files = list(lake.view.generation.roots.values())
        for setting, value in (
            ("memory_limit", f"{memory_mb}MB"), ("allowed_directories", folders), ("allowed_paths", files),
            ("autoinstall_known_extensions", False), ("autoload_known_extensions", False),
            ("enable_external_access", False), ("lock_configuration", True),
        ):  # fmt: skip
            self._connection.execute(f"SET {setting} = ?", [value])

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, text: str) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        """Column names and rows of each statement's answer, one after the other.

        Raises:
            UsageError: DuckDB refuses the statement, it would write, or it took too long.
            KeyboardInterrupt: Ctrl-C stopped it; the session can be asked again.
        """
        for statement in self._statements(text):
            self._show_tables(statement)
            yield self._answer(statement)

    def _statements(self, text: str) -> list[str]:
        try:
            found = self._connection.extract_statements(text)
            for statement in found:
                self._check(statement)
            return [statement.query for statement in found]
        except duckdb.Error as error:
            raise _usage(error) from error

    def _check(self, statement: Any) -> None:
        kind = statement.type.name.removesuffix("_STATEMENT")
        if kind == "EXPLAIN":  # EXPLAIN ANALYZE runs what it explains
            inner = statement.query.strip().split(None, 1)[1]
            inner = inner.split(None, 1)[1] if inner.upper().startswith("ANALYZE") else inner
            kind = "SELECT" if inner.lstrip("( ").upper().startswith(("SELECT", "FROM", "WITH")) else "EXPLAIN of it"
        if kind not in READING | OWN:
            raise UsageError(
                f"{kind} is not run here", "this shell reads the lake; write into tables of its own memory"
            )

    def _show_tables(self, statement: str) -> None:
        """Make views of the lake's tables that a statement may name."""
        view = self.lake.view
        found = _NAME.findall(statement)
        said = {quoted.replace('""', '"') or bare or text.replace("''", "'") for quoted, bare, text in found}
        for name in (said & view.table_names) - self._views:
            self._show_table(name, view.file(int(view.table_places(name)[0])))
            self._views.add(name)

    def _show_table(self, name: str, file: TableFile) -> None:
        source = source_of(file, typed=True)
        try:
            if not source.notes:
                made = f"CREATE VIEW {sql.identifier(name)} AS SELECT * FROM {source.sql}"
                self._connection.execute(made).fetchall()
                return
        except duckdb.Error:
            pass  # types that DuckDB guessed from the first rows do not hold for all
        self._connection.register(name, self.lake.read(file.path, file.part).data)

    def _answer(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Ask in another thread: the time limit and Ctrl-C reach this one, whatever DuckDB is at."""
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self._rows, statement)
            try:
                return asked.result(self.seconds)
            except TimeoutError as error:
                raise UsageError(
                    f"stopped after {self.seconds:g} s", "ask for less, or give more with --seconds"
                ) from error
            except duckdb.Error as error:
                raise _usage(error) from error
            finally:
                while not asked.done():  # an interrupt before DuckDB begins is lost
                    self._connection.interrupt()
                    wait([asked], 0.1)

    def _rows(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        found = self._connection.execute(statement)
        rows = found.fetchall()
        return [column[0] for column in found.description or ()], rows


def _usage(error: duckdb.Error) -> TablelensError:
    """DuckDB's words; the hint of a macro's error is the hint."""
    message, _, hint = str(error).replace("\t", "  ").partition(". Hint: ")
    return UsageError(message.strip(), hint.strip())
