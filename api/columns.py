"""Columns: described, joined, explained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from litestar import Controller, Request, Response, get
from litestar.params import QueryParameter

from tablelens.discover.condition import condition_of
from tablelens.discover.evidence import held_cells
from tablelens.discover.matching import mapped_conditions, transformed_condition, unequal_pairs
from tablelens.discover.query import query_of_place
from tablelens.engines.rows import JOINED, JoinTask, Mapping, Source, cut
from tablelens.errors import UnknownColumn
from tablelens.types import Bridge

from . import wire
from .access import LAKE, snapshot_of
from .errors import documented
from .join_schemas import Answer, Hit
from .parameters import (
    ColumnId,
    Diversity,
    Format,
    K,
    Kind,
    LakeName,
    ModeOf,
    OtherId,
    PerTable,
    RowLimit,
    Tables,
    Threshold,
    at_most,
)
from .rows import RowsOperation, respond, wanted
from .schemas import ColumnOut, Histogram, Profile, Rows, TopValue
from .service import Served, Service
from .snapshot import Snapshot
from .tables import source_of

_PROFILE = """SELECT type, original_name, position, exact, minimum, maximum, lengths, top_values, top_counts,
    histogram_edges, histogram_counts, cells FROM column_rows WHERE id = ?"""
EXAMPLES = 50


class ColumnController(Controller):
    """Columns."""

    path = "/v1/columns"
    tags = ("Columns",)

    @get("/", operation_id="findColumn", summary="A column by its name", opt=LAKE, responses=documented())
    async def named(
        self,
        request: Request[Any, Any, Any],
        name: Annotated[str, QueryParameter(description="TABLE.COLUMN or LAKE:TABLE.COLUMN, as on the command line")],
    ) -> ColumnOut:
        """From a name, as the command line has it, to the column with its id."""
        snapshot = snapshot_of(request)
        return wire.column(snapshot, snapshot.view.parse(name))

    @get("/{column_id:str}", operation_id="getProfile", summary="All that is known of a column",
         opt=LAKE, responses=documented())  # fmt: skip
    async def profile(self, request: Request[Any, Any, Any], service: Served, column_id: ColumnId) -> Profile:
        """Type, counts, extremes, lengths, frequent values, histogram, examples."""
        snapshot = snapshot_of(request)
        return await service.run(profile, snapshot, snapshot.place(column_id))

    @get("/{column_id:str}/joins", operation_id="findJoins", summary="Columns that join with this one",
         opt=LAKE, responses=documented())  # fmt: skip
    async def joins(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        column_id: ColumnId,
        k: K = 10,
        mode: ModeOf = "auto",
        lake: LakeName = None,
        tables: Tables = None,
        kind: Kind = None,
        per_table: PerTable = 0,
        threshold: Threshold = None,
        diversity: Diversity = 0.0,
    ) -> Answer:
        """Best first, each with its evidence and the SQL of the join. No hits is an answer: none found."""
        snapshot = snapshot_of(request)
        at_most("k", k, service.settings, "max_k")
        options: dict[str, Any] = {"k": k, "mode": mode, "lake": lake, "tables": tables, "kind": kind}
        options |= {"per_table": per_table, "threshold": threshold, "diversity": diversity}
        return await service.run(_joins, snapshot, snapshot.place(column_id), options)

    @get("/{column_id:str}/joins/{other_id:str}/evidence", operation_id="explainJoin",
         summary="The evidence on one pair of columns", opt=LAKE, responses=documented())  # fmt: skip
    async def evidence(
        self, request: Request[Any, Any, Any], service: Served, column_id: ColumnId, other_id: OtherId
    ) -> Hit:
        """What two columns share, whether the pair would be found or not."""
        snapshot = snapshot_of(request)
        left, right = snapshot.place(column_id), snapshot.place(other_id)
        found = await service.run(snapshot.lake.explain_at, left, right, service.rows)
        return wire.hit(snapshot, found.hit)

    @get("/{column_id:str}/joins/{other_id:str}/mapping", operation_id="mapCells",
         summary="Which cell of one column stands for which of another", opt=LAKE, operation_class=RowsOperation,
         responses=documented(422))  # fmt: skip
    async def mapping(
        self, request: Request[Any, Any, Any], service: Served, column_id: ColumnId, other_id: OtherId,
        rows: RowLimit = 50, form: Format = "json",
    ) -> Response[Rows]:  # fmt: skip
        """Rows of left, right, how (equal, transformed, similar) and score; equal cells first, then the surest."""
        snapshot = snapshot_of(request)
        left, right = snapshot.place(column_id), snapshot.place(other_id)
        fetch = wanted(rows, form, service.settings)
        pairs = await service.run(snapshot.lake.map_cells_at, left, right, service.rows)
        return respond(cut(pairs.slice(0, fetch), service.settings.max_cell_chars), rows, form)

    @get("/{column_id:str}/joins/{other_id:str}/rows", operation_id="runJoin", summary="Run a join",
         opt=LAKE, operation_class=RowsOperation, responses=documented(422))  # fmt: skip
    async def rows(
        self, request: Request[Any, Any, Any], service: Served, column_id: ColumnId, other_id: OtherId,
        rows: RowLimit = 50, form: Format = "json",
    ) -> Response[Rows]:  # fmt: skip
        """Rows of the inner join of both tables, all columns; where a name comes twice, the second gets a number."""
        snapshot = snapshot_of(request)
        left, right = snapshot.place(column_id), snapshot.place(other_id)
        fetch = wanted(rows, form, service.settings)
        found, sql = await service.run(joined, service, snapshot, left, right, fetch)
        return respond(found, rows, form, sql)


def _joins(snapshot: Snapshot, place: int, options: dict[str, Any]) -> Answer:
    query = query_of_place(snapshot.view, place)
    return wire.answer(snapshot, query, snapshot.lake.answer(query, **options))


def joined(service: Service, snapshot: Snapshot, left: int, right: int, rows: int) -> tuple[Any, str]:
    """(rows, SQL) of the join of two columns."""
    if snapshot.number_of(left) == snapshot.number_of(right):
        raise UnknownColumn("both columns are of the same table", "name columns of two tables")
    found = snapshot.lake.compare_at(left, right, service.rows)
    hit = found.hit
    by = hit.evidence.matching.joined_by if hit.evidence.matching else "equality"
    if found.pairs is None or by == "equality":
        task = JoinTask(tuple(_chain(snapshot, left, right, hit.evidence.bridge)), rows)
        return service.rows(JOINED, task), hit.sql
    query = query_of_place(snapshot.view, left)
    sources = [source_of(snapshot, snapshot.number_of(place)) for place in (left, right)]
    if by == "transformation":
        on = transformed_condition(query, right, found.pairs, ("t0", "t1"))
        return service.rows(JOINED, JoinTask(((sources[0], ""), (sources[1], on.sql)), rows)), hit.sql
    over, on = mapped_conditions(query, right, found.pairs, ("t0", "m", "t1"))
    mapping = Mapping(tuple(unequal_pairs(found.pairs)), over.sql)
    return service.rows(JOINED, JoinTask(((sources[0], ""), (sources[1], on.sql)), rows, mapping)), hit.sql


def _chain(snapshot: Snapshot, left: int, right: int, bridge: Bridge | None) -> Iterator[tuple[Source, str]]:
    """The tables of a join, each with its condition; over the first bridge, where it goes over one."""
    tables = {place: snapshot.number_of(place) for place in (left, right)}
    yield source_of(snapshot, tables[left]), ""
    if bridge is None:
        yield source_of(snapshot, tables[right]), _on(snapshot, left, right, ("t0", "t1"))
        return
    near, far = (snapshot.place_of_ref(column.id) for column in bridge.steps[0])
    over = snapshot.number_of(near)
    if over == tables[left]:
        yield source_of(snapshot, tables[right]), _on(snapshot, far, right, ("t0", "t1"))
    elif over == tables[right]:
        yield source_of(snapshot, tables[right]), _on(snapshot, left, near, ("t0", "t1"))
    else:
        yield source_of(snapshot, over), _on(snapshot, left, near, ("t0", "t1"))
        yield source_of(snapshot, tables[right]), _on(snapshot, far, right, ("t1", "t2"))


def _on(snapshot: Snapshot, left: int, right: int, names: tuple[str, str]) -> str:
    query = query_of_place(snapshot.view, left)
    return condition_of(query, right, held_cells(query, right), names).sql


def profile(snapshot: Snapshot, place: int) -> Profile:
    """All that is known of a column."""
    (row,) = snapshot.catalogue.rows(_PROFILE, [int(snapshot.view.generation.ids[place])])
    longest, shortest, mean = row["lengths"][:3]
    histogram = None
    if row["histogram_counts"]:
        histogram = Histogram(edges=row["histogram_edges"], counts=row["histogram_counts"])
    top = [TopValue(value=v, count=n) for v, n in zip(row["top_values"], row["top_counts"], strict=True)]
    plain = {name: row[name] for name in ("type", "original_name", "position", "exact", "minimum", "maximum")}
    return Profile(
        **wire.column_fields(snapshot, place), **plain, max_length=longest, min_length=shortest, mean_length=mean,
        top_values=top, histogram=histogram, examples=row["cells"][:EXAMPLES],
    )  # fmt: skip
