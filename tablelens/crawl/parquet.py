"""Read Parquet: columns keep their own types; nested ones become JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tablelens.crawl.names import unique_names
from tablelens.errors import UnreadableFile
from tablelens.settings import Settings
from tablelens.types import RawTable, Reading

IN_MEMORY = 64 << 20
BATCH = 1 << 16
# A footer describes the file; one of more than this is no description of columns that anybody would join.
THRIFT_STRING, THRIFT_ITEMS = 64 << 20, 4_000_000


def read_parquet(handle: BinaryIO, size: int, settings: Settings) -> RawTable:
    """Read a Parquet file from an open handle.

    Raises:
        UnreadableFile: damaged, truncated, unsupported, no-table.
    """
    handle.seek(0)
    source = pa.BufferReader(handle.read(size)) if size <= IN_MEMORY else handle
    try:
        file = pq.ParquetFile(
            source,
            page_checksum_verification=True,
            thrift_string_size_limit=THRIFT_STRING,
            thrift_container_size_limit=THRIFT_ITEMS,
        )
        return _read(file, settings)
    except pa.ArrowNotImplementedError as error:
        raise UnreadableFile(f"this Parquet is not supported: {error}", reason="unsupported") from error
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        if isinstance(error, MemoryError):
            raise
        raise UnreadableFile(f"damaged Parquet: {error}", reason=_reason(handle, size)) from error


def _reason(handle: BinaryIO, size: int) -> str:
    """A file that starts as Parquet and lacks the end of one was cut short."""
    handle.seek(0)
    starts = handle.read(4) == b"PAR1"
    handle.seek(max(0, size - 4))
    return "truncated" if starts and handle.read(4) not in (b"PAR1", b"PARE") else "damaged"


def _read(file: pq.ParquetFile, settings: Settings) -> RawTable:
    originals = tuple(file.schema_arrow.names)
    if not originals:
        raise UnreadableFile("the file has no columns", reason="no-table")
    warnings: list[str] = []
    kept = originals[: settings.max_columns]
    if len(kept) < len(originals):
        dropped = len(originals) - len(kept)
        warnings.append(f"truncated: {dropped:,} of {len(originals):,} columns were left out")
    wanted = list(kept) if len(kept) < len(originals) else None
    batches = list(_until(file.iter_batches(BATCH, columns=wanted, use_threads=False), settings.max_rows, warnings))
    schema = batches[0].schema if batches else file.schema_arrow
    table = pa.Table.from_batches(batches, schema).select(list(range(len(kept))))
    table.validate(full=True)
    return _plain(table, kept, warnings)


def _until(batches: Iterator[pa.RecordBatch], left: int, warnings: list[str]) -> Iterator[pa.RecordBatch]:
    limit = left
    for batch in batches:
        yield batch.slice(0, left)
        if batch.num_rows > left:
            warnings.append(f"truncated: rows beyond {limit:,} were left out")
            return
        left -= batch.num_rows


def _plain(table: pa.Table, originals: tuple[str, ...], warnings: list[str]) -> RawTable:
    """Turn each column into one that can be profiled; those that cannot are left out."""
    columns, names = [], []
    for name, column in zip(originals, table.columns, strict=True):
        flat, note = _flat(column)
        if note:
            warnings.append(f"{note}: {name[:60]}")
        if flat is not None:
            columns.append(flat)
            names.append(name)
    if not columns:
        raise UnreadableFile("the file has no column that can be compared", reason="no-table")
    made = unique_names(names)
    binary = any(pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type) for column in table.columns)
    reading = Reading(
        shape="binary" if binary else "",
        trouble="" if made == names else "column names that are empty, twice or too long",
    )
    truncated = any(warning.startswith("truncated") for warning in warnings)
    return RawTable(pa.table(columns, names=made), tuple(names), "parquet", "", tuple(warnings), truncated, reading)


def _flat(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray | None, str]:
    """(the column without nesting, what was done to it)."""
    kind = column.type
    if isinstance(kind, pa.UuidType):
        cells = [None if cell is None else str(cell) for cell in _values(column)]
        return pa.chunked_array([pa.array(cells, pa.string())]), ""
    if isinstance(kind, pa.BaseExtensionType):
        return _flat(pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type))
    if pa.types.is_dictionary(kind):
        return _flat(column.cast(kind.value_type))
    if pa.types.is_nested(kind):
        cells = [
            None if cell is None else json.dumps(cell, default=_text, ensure_ascii=False) for cell in _values(column)
        ]
        return pa.chunked_array([pa.array(cells, pa.string())]), "nested: written as JSON"
    if pa.types.is_string_view(kind):
        return column.cast(pa.large_string()), ""
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return _from_binary(column)
    if pa.types.is_fixed_size_binary(kind):
        cells = [None if cell is None else cell.hex() for cell in _values(column)]
        return pa.chunked_array([pa.array(cells, pa.string())]), "binary: written as hexadecimal digits"
    return column, ""


def _from_binary(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray | None, str]:
    try:
        return column.cast(pa.large_binary()).cast(pa.large_string()), ""
    except pa.ArrowInvalid:
        return None, "binary: column left out"


def _values(column: pa.ChunkedArray) -> Iterator[Any]:
    for chunk in column.chunks:
        yield from chunk.to_pylist()


def _text(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else str(value)
