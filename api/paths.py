"""Chains of joins between two tables, and the graph of a lake's joins."""

from __future__ import annotations

import time
from typing import Annotated, Any

from litestar import Controller, Request, get
from litestar.params import QueryParameter

from tablelens.discover.paths import Step

from . import wire
from .access import LAKE, SNAPSHOT, snapshot_of
from .errors import documented
from .join_schemas import Edge, Graph, Paths
from .parameters import K, LakeName, at_most
from .service import Served
from .snapshot import Snapshot

GRAPH_SECONDS = 2.0
"""How long one request may look up joins; the next one goes on from there."""


class PathController(Controller):
    """Paths and the graph."""

    path = "/v1"
    tags = ("Paths",)

    @get("/paths", operation_id="findPaths", summary="Chains of joins between two tables",
         opt=LAKE, responses=documented())  # fmt: skip
    async def paths(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        left: Annotated[str, QueryParameter(name="from", description="id of a table")],
        right: Annotated[str, QueryParameter(name="to", description="id of a table")],
        hops: Annotated[int, QueryParameter(ge=1, le=3, description="at most this many joins")] = 3,
        k: K = 5,
    ) -> Paths:
        """The surest first; the probability of a path is the product of its joins'."""
        at_most("k", k, service.settings, "max_k")
        snapshot = snapshot_of(request)
        ends = snapshot.table_number(left), snapshot.table_number(right)
        return await service.run(_paths, snapshot, *ends, hops, k)

    @get("/graph", operation_id="getGraph", summary="Tables and the joins between them",
         opt=SNAPSHOT, responses=documented())  # fmt: skip
    async def graph(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        table: Annotated[
            str | None, QueryParameter(description="id of the table in the middle; all tables if none")
        ] = None,
        depth: Annotated[int, QueryParameter(ge=1, le=3, description="how many joins away from it")] = 1,
        lake: LakeName = None,
        threshold: Annotated[float, QueryParameter(ge=0.5, le=1, description="least probability of an edge")] = 0.5,
        limit: Annotated[int, QueryParameter(ge=1, description="how many tables; max_k is the limit")] = 100,
    ) -> Graph:
        """Between each two tables the surest join. Looks up for two seconds; ask again while it is not complete."""
        at_most("limit", limit, service.settings, "max_k")
        snapshot = snapshot_of(request)
        center = None if table is None else snapshot.table_number(table)
        return await service.run(_graph, snapshot, center, depth, lake, threshold, limit)


def _paths(snapshot: Snapshot, left: int, right: int, hops: int, k: int) -> Paths:
    found = snapshot.paths.paths(snapshot.reference(left), snapshot.reference(right), hops, k)
    ends = wire.table_ref(snapshot, left), wire.table_ref(snapshot, right)
    paths = [wire.path(snapshot, each) for each in found]
    return Paths(left=ends[0], right=ends[1], paths=paths, generation=snapshot.tag)


def _graph(snapshot: Snapshot, center: int | None, depth: int, lake: str | None, threshold: float, limit: int) -> Graph:
    if center is None:
        numbers = [number for (name, _), number in snapshot.order if lake in (None, name)]
        levels, complete = 1, len(numbers) <= limit
        todo = numbers[:limit]
    else:
        levels, complete, todo = depth, True, [center]
    deadline = time.monotonic() + GRAPH_SECONDS
    shown: dict[int, None] = dict.fromkeys(todo)
    best: dict[tuple[int, int], Step] = {}
    looked_up = 0
    for _ in range(levels):
        following: dict[int, float] = {}
        for number in todo:
            if time.monotonic() > deadline:
                complete = False
                break
            looked_up += 1
            for other, step in _neighbours(snapshot, number, lake, threshold):
                if center is not None:
                    following[other] = max(following.get(other, 0.0), step.probability)
                _keep(best, number, other, step)
        surest = sorted(following, key=lambda other: -following[other])
        todo = [other for other in surest if other not in shown][: limit - len(shown)]
        shown |= dict.fromkeys(todo)
    edges = [_edge(snapshot, step) for ends, step in sorted(best.items()) if shown.keys() >= set(ends)]
    nodes = [wire.table(snapshot, number) for number in shown]
    return Graph(nodes=nodes, edges=edges, looked_up=looked_up, complete=complete, generation=snapshot.tag)


def _neighbours(snapshot: Snapshot, number: int, lake: str | None, threshold: float) -> list[tuple[int, Step]]:
    """(table, surest join) of the tables that join with one."""
    table_id = int(snapshot.view.table_ids[snapshot.places_of(number)[0]])
    steps = snapshot.paths.joins_of(table_id).values()
    sure = [step for step in steps if step.probability >= threshold and lake in (None, step.right.lake)]
    return [(snapshot.number_of(snapshot.place_of_ref(step.right.id)), step) for step in sure]


def _keep(best: dict[tuple[int, int], Step], number: int, other: int, step: Step) -> None:
    ends = min(number, other), max(number, other)
    if ends not in best or best[ends].probability < step.probability:
        best[ends] = step


def _edge(snapshot: Snapshot, step: Step) -> Edge:
    return Edge(
        left=wire.column_ref(snapshot, snapshot.place_of_ref(step.left.id)),
        right=wire.column_ref(snapshot, snapshot.place_of_ref(step.right.id)),
        probability=step.probability,
        containment=step.evidence.containment,
        cardinality=step.evidence.cardinality,
    )
