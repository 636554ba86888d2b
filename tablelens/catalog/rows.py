"""Outcomes of the crawl as Arrow tables, one a catalogue table: rows go in by the thousand, not one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tablelens.types import ColumnProfile, FileOutcome, TableProfile

FILES = pa.schema(
    [("id", pa.int64()), ("lake_id", pa.int64()), ("path", pa.string()), ("size", pa.int64()), ("mtime_ns", pa.int64())]
    + [(name, pa.string()) for name in ("digest", "config", "reason", "error")]
    + [("attempts", pa.int32())]
)
TABLES = pa.schema(
    [("id", pa.int64()), ("lake_id", pa.int64()), ("file_id", pa.int64())]
    + [(name, pa.string()) for name in ("name", "part", "title", "format")]
    + [("rows", pa.int64()), ("warnings", pa.list_(pa.string())), ("truncated", pa.bool_()), ("reading", pa.string())]
)
COLUMNS = pa.schema(
    [("id", pa.int64()), ("lake_id", pa.int64()), ("table_id", pa.int64()), ("position", pa.int32())]
    + [(name, pa.string()) for name in ("name", "original_name", "type", "kind", "family")]
    + [(name, pa.int64()) for name in ("rows", "nulls", "distinct_values", "texts")]
    + [("density", pa.float64()), ("is_key", pa.bool_())]
    + [(name, pa.string()) for name in ("excluded", "minimum", "maximum")]
    + [("lengths", pa.list_(pa.float64())), ("top_values", pa.list_(pa.string())), ("top_counts", pa.list_(pa.int64()))]
    + [("histogram_edges", pa.list_(pa.float64())), ("histogram_counts", pa.list_(pa.int64()))]
    + [("cells", pa.list_(pa.string())), ("hashes", pa.list_(pa.uint64())), ("exact", pa.bool_())]
    + [("null_words", pa.list_(pa.string()))]
)
ALIGNMENTS = pa.schema(
    [("table_id", pa.int64()), ("positions", pa.list_(pa.int32())), ("cells", pa.large_list(pa.uint16()))]
)
COLUMNS_SQL = """
    SELECT c.id, c.table_id, l.name AS lake, t.name AS "table", c.name AS "column", t.title, c.kind, c.family, c.texts,
           c.rows, c.nulls, c.distinct_values AS "distinct", c.density, c.is_key AS "key", c.excluded, c.exact,
           c.lengths, c.cells, c.null_words, t.part, t.format, t.reading,
           CASE WHEN len(c.histogram_counts) > 0
                THEN list_concat([c.histogram_edges[1], c.histogram_edges[-1]], c.histogram_counts::DOUBLE[])
           END AS spread,
           (row_number() OVER (ORDER BY l.name, t.name, c.position, c.id))::INTEGER AS "order"
    FROM columns c JOIN tables t ON t.id = c.table_id JOIN lakes l ON l.id = c.lake_id ORDER BY c.id"""


def from_outcomes(
    lake_id: int, config: str, outcomes: Sequence[tuple[FileOutcome, int]], start: Mapping[str, int]
) -> dict[str, pa.Table]:
    """Rows of files, tables, columns and alignments, with ids from ``start`` upward."""
    files: list[tuple[Any, ...]] = []
    tables: list[tuple[Any, ...]] = []
    columns: list[tuple[Any, ...]] = []
    alignments: list[tuple[Any, ...]] = []
    for outcome, attempts in outcomes:
        file_id = start["files"] + len(files)
        f = outcome.file
        files.append(
            (
                file_id,
                lake_id,
                f.path,
                f.size,
                f.mtime_ns,
                outcome.digest,
                config,
                outcome.reason,
                outcome.error,
                attempts,
            )
        )
        for table in outcome.tables:
            table_id = start["tables"] + len(tables)
            tables.append(_table_row(table_id, lake_id, file_id, f.path, table))
            first = start["columns"] + len(columns)
            columns += [_column_row(first + i, lake_id, table_id, column) for i, column in enumerate(table.columns)]
            if table.alignment is not None:
                alignments.append((table_id, table.alignment.positions, table.alignment.cells.reshape(-1)))
    return {
        "files": _arrow(files, FILES),
        "tables": _arrow(tables, TABLES),
        "columns": _arrow(columns, COLUMNS),
        "alignments": _arrow(alignments, ALIGNMENTS),
    }


def table_name(path: str, part: str) -> str:
    """How a table is called: its file's path, and the part where the file holds several."""
    return f"{path}#{part}" if part else path


def _table_row(id_: int, lake_id: int, file_id: int, path: str, table: TableProfile) -> tuple[Any, ...]:
    name = table_name(path, table.part)
    warnings = list(table.warnings)
    return (
        *(id_, lake_id, file_id, name, table.part, table.title, table.format, table.rows, warnings, table.truncated),
        table.reading.as_text(),
    )


def _column_row(id_: int, lake_id: int, table_id: int, c: ColumnProfile) -> tuple[Any, ...]:
    lengths = [c.max_length, c.min_length, c.mean_length, c.max_words, c.min_words, c.mean_words]
    edges, counts = c.histogram or ((), ())
    return (
        *(id_, lake_id, table_id, c.position, c.name, c.original_name, c.type, c.kind, c.family),
        *(c.rows, c.nulls, c.distinct, c.texts, c.density, c.key, c.excluded, c.minimum, c.maximum, lengths),
        *([value for value, _ in c.top_values], [count for _, count in c.top_values], edges, counts),
        *(c.cells, c.values.hashes, c.values.exact, c.null_words),
    )


def _arrow(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([_array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_list(kind) and pa.types.is_uint64(kind.value_type):
        offsets = np.concatenate([[0], np.cumsum([len(hashes) for hashes in values])]).astype(np.int32)
        flat = np.concatenate(values) if values else np.empty(0, np.uint64)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, pa.uint64()))
    if pa.types.is_string(kind):  # a name that is not UTF-8 must not lose the whole batch
        values = [v if v is None else v.encode("utf-8", "replace").decode() for v in values]
    return pa.array(values, kind)
