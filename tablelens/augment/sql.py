"""The augmented table as SQL that DuckDB runs: each chosen table joined sideways, one row for each row of the base."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tablelens.augment.attach import ROWS
from tablelens.augment.search import Trial
from tablelens.discover.condition import condition_of
from tablelens.discover.evidence import Query, held_cells
from tablelens.discover.sql import identifier


def statement(chosen: Sequence[tuple[Trial, Query, int]], types: pa.Schema) -> str:
    """The base with the columns of the chosen candidates, or nothing where none is chosen.

    Args:
        chosen: each trial, the base's column as a query, and the place of the column that it is joined with.
        types: of the augmented table: numbers are averaged over a key's rows, of texts the most frequent is taken.
    """
    if not chosen:
        return ""
    base = chosen[0][1].source
    lines = ["SELECT a.*, " + ", ".join(f"j{n}.*" for n, _ in enumerate(chosen)), f"FROM {base.sql} AS a"]
    for n, (trial, query, place) in enumerate(chosen):
        theirs = query.view.source(place)
        on = condition_of(query, place, held_cells(query, place), ("a", "b")).sql
        prefix = f"{trial.hit.column.table}."
        parts = [_one(theirs.column("b", name.removeprefix(prefix)), name, types, prefix) for name in trial.columns]
        inner = ",\n         ".join(parts)
        lines.append(
            f"LEFT JOIN LATERAL (\n  SELECT {inner}\n  FROM {theirs.sql} AS b\n  WHERE {on}\n) AS j{n} ON true"
        )
    return "\n".join(lines)


def _one(column: str, name: str, types: pa.Schema, prefix: str) -> str:
    if name == prefix + ROWS and pa.types.is_integer(types.field(name).type):
        return f"nullif(count(*), 0) AS {identifier(name)}"
    if pa.types.is_floating(types.field(name).type):
        return f"avg(TRY_CAST({column} AS DOUBLE)) AS {identifier(name)}"
    return f"mode({column}::VARCHAR ORDER BY {column}::VARCHAR) AS {identifier(name)}"
