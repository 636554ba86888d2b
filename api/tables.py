"""Tables: listed, described, previewed; tables that could stand below one another."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from litestar import Controller, Request, Response, get
from litestar.params import PathParameter, QueryParameter

from tablelens.discover.composite import key_places
from tablelens.engines.rows import FIRST, Source
from tablelens.transtab.similar import RowIndex
from tablelens.transtab.similar import SimilarRow as SimilarHit

from . import wire
from .access import LAKE, SNAPSHOT, snapshot_of
from .errors import documented
from .join_schemas import CompositeAnswer
from .names import opaque
from .parameters import PAGE, Cursor, Format, K, LakeName, Limit, RowLimit, TableId, Tables, at_most, page
from .rows import RowsOperation, as_lists, respond, wanted
from .schemas import ColumnOut, Rows, SimilarRow, SimilarRows, TableDetail, TableOut, TablePage, Unions
from .service import Served, Service
from .snapshot import Snapshot
from .unions import find_unions

_TABLE = "SELECT format, truncated, warnings FROM table_rows WHERE id = ?"


class TableController(Controller):
    """Tables."""

    path = "/v1/tables"
    tags = ("Tables",)

    @get("/", operation_id="listTables", summary="Tables, by name", opt=LAKE, responses=documented())
    async def tables(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        lake: LakeName = None,
        tables: Tables = None,
        cursor: Cursor = None,
        limit: Limit = PAGE,
    ) -> TablePage:
        """All tables that one may read, in the order of lake and name."""
        snapshot = snapshot_of(request)
        chosen = await service.run(_chosen, snapshot, lake, tables)
        keys = [key for key, _ in chosen]
        return page(TablePage, keys, cursor, limit, service.settings, lambda at: wire.table(snapshot, chosen[at][1]))

    @get("/named", operation_id="findTable", summary="A table by its name", opt=LAKE, responses=documented())
    async def named(
        self,
        request: Request[Any, Any, Any],
        name: Annotated[str, QueryParameter(description="TABLE or LAKE:TABLE, as on the command line")],
    ) -> TableOut:
        """From a name, as the command line has it, to the table with its id."""
        snapshot = snapshot_of(request)
        return wire.table(snapshot, snapshot.number_named(name))

    @get("/{table_id:str}", operation_id="getTable", summary="A table with its columns",
         opt=LAKE, responses=documented())  # fmt: skip
    async def table(self, request: Request[Any, Any, Any], service: Served, table_id: TableId) -> TableDetail:
        """What the crawl found: format, rows, warnings, columns."""
        snapshot = snapshot_of(request)
        return await service.run(detail, snapshot, snapshot.table_number(table_id))

    @get("/{table_id:str}/columns", operation_id="listColumns", summary="The columns of a table",
         opt=LAKE, responses=documented())  # fmt: skip
    async def columns(self, request: Request[Any, Any, Any], service: Served, table_id: TableId) -> list[ColumnOut]:
        """In the order of the file."""
        snapshot = snapshot_of(request)
        number = snapshot.table_number(table_id)
        return await service.run(lambda: [wire.column(snapshot, place) for place in snapshot.places_of(number)])

    @get("/{table_id:str}/preview", operation_id="previewTable", summary="The first rows of a table",
         opt=LAKE, operation_class=RowsOperation, responses=documented(422))  # fmt: skip
    async def preview(
        self, request: Request[Any, Any, Any], service: Served, table_id: TableId, rows: RowLimit = 20,
        form: Format = "json",
    ) -> Response[Rows]:  # fmt: skip
        """Read from the file, in a process of its own, as the crawl reads it."""
        snapshot = snapshot_of(request)
        source = source_of(snapshot, snapshot.table_number(table_id))
        fetch = wanted(rows, form, service.settings)
        return respond(await service.run(service.rows, FIRST, source, rows=fetch), rows, form)

    @get("/{table_id:str}/joins", operation_id="findCompositeJoins", summary="Tables that match a composite key",
         opt=LAKE, responses=documented(422))  # fmt: skip
    async def joins(
        self, request: Request[Any, Any, Any], service: Served, table_id: TableId,
        column: Annotated[list[str], QueryParameter(description="a column of the key; given two or three times")],
        k: K = 10, lake: LakeName = None, tables: Tables = None,
    ) -> CompositeAnswer:  # fmt: skip
        """Columns that match two or three columns of this table together, counted on the files, best first."""
        snapshot = snapshot_of(request)
        number = snapshot.table_number(table_id)
        return await service.run(composite_joins, service, snapshot, number, column, k=k, lake=lake, tables=tables)

    @get("/{table_id:str}/unions", operation_id="findUnions", summary="Tables whose columns align",
         opt=LAKE, responses=documented())  # fmt: skip
    async def unions(
        self, request: Request[Any, Any, Any], service: Served, table_id: TableId, k: K = 10,
        threshold: Annotated[float, QueryParameter(ge=0, le=1, description="least score")] = 0.5,
    ) -> Unions:  # fmt: skip
        """Tables that could stand below this one, with the columns that align, the best first."""
        snapshot = snapshot_of(request)
        at_most("k", k, service.settings, "max_k")
        return await service.run(find_unions, snapshot, snapshot.table_number(table_id), k, threshold)

    @get("/{table_id:str}/rows/{row:int}/similar", operation_id="findSimilarRows", summary="Rows that are like a row",
         opt=SNAPSHOT, responses=documented(422))  # fmt: skip
    async def similar(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        table_id: TableId,
        row: Annotated[int, PathParameter(ge=0, description="number of a row, from 0")],
        k: K = 10,
        others: Annotated[bool, QueryParameter(description="rows of other tables alone")] = False,
    ) -> SimilarRows:
        """Of whatever table that one may read, by the vectors that `tablelens rows index` has made.

        Only rows that were indexed can be asked with: the server has no encoder in its process.
        """
        snapshot = snapshot_of(request)
        at_most("k", k, service.settings, "max_k")
        return await service.run(_similar, service, snapshot, snapshot.table_number(table_id), row, k, others)


def composite_joins(
    service: Service, snapshot: Snapshot, number: int, key: list[str], **options: Any
) -> CompositeAnswer:
    """The tables that match a composite key of a table."""
    places = key_places(snapshot.view, snapshot.reference(number), key)
    found = snapshot.lake.composite_joins_at(places, run=service.rows, **options)
    return CompositeAnswer(
        table=wire.table_ref(snapshot, number),
        columns=[wire.column_ref(snapshot, place) for place in places],
        hits=[wire.composite_hit(snapshot, hit) for hit in found.hits],
        notes=list(found.notes),
        generation=snapshot.tag,
        seconds=round(found.seconds, 6),
    )


def source_of(snapshot: Snapshot, number: int) -> Source:
    """The file of a table."""
    file = snapshot.view.file(snapshot.places_of(number)[0])
    return Source(file.path, file.part)


def _chosen(snapshot: Snapshot, lake: str | None, glob: str | None) -> list[tuple[tuple[str, str], int]]:
    return [
        (key, number)
        for key, number in snapshot.order
        if (lake is None or key[0] == lake) and (glob is None or fnmatch.fnmatchcase(key[1], glob))
    ]


def detail(snapshot: Snapshot, number: int) -> TableDetail:
    """A table with its columns."""
    places = snapshot.places_of(number)
    (row,) = snapshot.catalogue.rows(_TABLE, [int(snapshot.view.table_ids[places[0]])])
    fields = [wire.column(snapshot, place) for place in places]
    return TableDetail(**wire.table_fields(snapshot, number), **row, fields=fields)


def _similar(service: Service, snapshot: Snapshot, number: int, row: int, k: int, others: bool) -> SimilarRows:
    lake, name, _ = snapshot.table_name(number)
    found = RowIndex.load(service.home).similar(name, row, k, lake=lake, others=others, lakes=snapshot.lakes)
    rows: dict[int, list[SimilarHit]] = {}
    for hit in found:  # a table that was removed since is passed over
        rows.setdefault(snapshot.tables.find(opaque(hit.lake, hit.table)), []).append(hit)
    hits = [
        hit for number, some in rows.items() if number >= 0 for hit in _with_values(service, snapshot, number, some)
    ]
    ordered = sorted(hits, key=lambda hit: -hit.similarity)
    return SimilarRows(table=wire.table_ref(snapshot, number), row=row, hits=ordered, generation=snapshot.tag)


def _with_values(service: Service, snapshot: Snapshot, number: int, hits: Sequence[SimilarHit]) -> Iterator[SimilarRow]:
    """Hits in one table with their cells, read from its file."""
    first = service.rows(FIRST, source_of(snapshot, number), rows=max(hit.row for hit in hits) + 1)
    cells = list(as_lists(first))
    table = wire.table_ref(snapshot, number)
    for hit in hits:
        values = dict(zip(first.column_names, cells[hit.row], strict=True)) if hit.row < len(cells) else {}
        yield SimilarRow(table=table, row=hit.row, similarity=hit.similarity, values=values)
