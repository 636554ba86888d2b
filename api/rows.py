"""Rows as JSON, CSV or an Arrow stream."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from litestar import Response
from litestar.openapi.spec import OpenAPIMediaType, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType

from tablelens.settings import Settings

from .parameters import at_most
from .schemas import RowColumn, Rows

CSV, ARROW = "text/csv", "application/vnd.apache.arrow.stream"
SAFE_INTEGER = 2**53
FORMULA = r"^[=+\-@\t\r]"
"""What a spreadsheet takes for a formula at the start of a cell."""


class RowsOperation(Operation):
    """An operation that gives rows: its answer in the OpenAPI document has three media types."""

    def __post_init__(self) -> None:
        """Add those that are not JSON."""
        answer: Any = (self.responses or {}).get("200")
        text = Schema(type=OpenAPIType.STRING)
        answer.content |= {CSV: OpenAPIMediaType(schema=text), ARROW: OpenAPIMediaType(schema=text)}


def wanted(rows: int, form: str, settings: Settings) -> int:
    """How many rows to fetch: one more than asked, to know whether there are more.

    Raises:
        LimitReached: more are asked than an answer of this form may hold.
    """
    return at_most("rows", rows, settings, "max_rows_shown" if form == "json" else "max_rows_sent") + 1


def respond(found: pa.Table, rows: int, form: str, sql: str = "") -> Response[Any]:
    """The answer with at most so many rows."""
    more, table = found.num_rows > rows, found.slice(0, rows)
    headers = {"X-More-Rows": "true" if more else "false"}
    if form == "json":
        columns = [RowColumn(name=_text(field.name), type=str(field.type)) for field in table.schema]
        body = msgspec.json.encode(Rows(columns=columns, rows=list(as_lists(table)), more=more, sql=sql))
        return Response(body, media_type="application/json", headers=headers)
    if form == "arrow":
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return Response(sink.getvalue(), media_type=ARROW, headers=headers)
    return Response(_csv(table, form == "spreadsheet"), media_type=CSV, headers=headers)


def as_lists(table: pa.Table) -> Iterator[list[Any]]:
    """Rows as lists of what JSON can say."""
    columns = [[_cell(value) for value in column.to_pylist()] for column in table.columns]
    return (list(row) for row in zip(*columns, strict=True)) if columns else iter(())


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):  # JavaScript would round a larger one
        return value if abs(value) < SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return _text(value if isinstance(value, str) else str(value))


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def _csv(table: pa.Table, guarded: bool) -> bytes:
    """CSV of every type as text; guarded, a cell that begins as a formula gets an apostrophe before it."""
    columns = [pa.array([None if v is None else str(v) for v in column.to_pylist()]) for column in table.columns]
    names = list(table.column_names)
    if guarded:
        columns = [_guarded(column) for column in columns]
        names = _guarded(pa.array(names, pa.string())).to_pylist()
    text = pa.table([column.cast(pa.string()) for column in columns], names=names)
    sink = io.BytesIO()
    pyarrow.csv.write_csv(text, sink)
    return sink.getvalue()


def _guarded(cells: pa.Array) -> pa.Array:
    cells = cells.cast(pa.string())
    return pc.if_else(pc.match_substring_regex(cells, FORMULA), pc.binary_join_element_wise("'", cells, ""), cells)
