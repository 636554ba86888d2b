"""One SELECT of a visitor over tables of the lake, each by its name."""

from __future__ import annotations

from typing import Any

from tablelens.engines.rows import SELECTED, TABLES_OF, SelectTask

from .service import Service
from .snapshot import Snapshot
from .tables import source_of


def run_sql(service: Service, snapshot: Snapshot, query: str, rows: int) -> Any:
    """At most so many rows as an Arrow table. A table that the visitor may not read is not there.

    Raises:
        UsageError: it is not one SELECT, or DuckDB cannot run it.
        UnknownTable: it names a table that is not in the lake.
    """
    names = service.rows(TABLES_OF, query)
    sources = {name: source_of(snapshot, snapshot.number_named(name)) for name in names}
    return service.rows(SELECTED, SelectTask(query, tuple(sources.items()), rows))
