"""Tables by words, and names for the search box."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, get
from litestar.params import QueryParameter

from tablelens.discover.tables import TableHit as LakeHit

from . import wire
from .access import LAKE, snapshot_of
from .errors import documented
from .parameters import K, at_most
from .schemas import Found, Suggestion, Suggestions, TableHit
from .service import Served
from .snapshot import Snapshot

SHOWN_COLUMNS = 50


class SearchController(Controller):
    """Search."""

    path = "/v1"
    tags = ("Search",)

    @get("/search", operation_id="searchTables", summary="Tables by words", opt=LAKE, responses=documented())
    async def search(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        q: Annotated[
            str, QueryParameter(min_length=1, max_length=1000, description="words, for example: airport codes")
        ],
        k: K = 10,
    ) -> Found:
        """Over titles, column names and values, and by meaning where the encoder can."""
        at_most("k", k, service.settings, "max_k")
        return await service.run(_search, snapshot_of(request), q, k)

    @get("/suggestions", operation_id="suggestNames", summary="Names for the search box",
         opt=LAKE, responses=documented())  # fmt: skip
    async def suggestions(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        q: Annotated[str, QueryParameter(min_length=1, max_length=200, description="what was typed so far")],
        k: K = 10,
    ) -> Suggestions:
        """Tables and columns whose names begin like it, then those in which a word does, then those that hold it."""
        at_most("k", k, service.settings, "max_k")
        return await service.run(_suggest, snapshot_of(request), q, k)


def _search(snapshot: Snapshot, text: str, k: int) -> Found:
    hits = [_hit(snapshot, hit) for hit in snapshot.lake.search(text, k=k)]
    return Found(query=text, hits=hits, generation=snapshot.tag)


def _hit(snapshot: Snapshot, hit: LakeHit) -> TableHit:
    number = snapshot.number_of(int(snapshot.view.table_places(f"{hit.lake}:{hit.table}")[0]))
    names = list(hit.columns[:SHOWN_COLUMNS])
    return TableHit(**wire.table_fields(snapshot, number), names=names, score=hit.score, matched=list(hit.matched))


def _suggest(snapshot: Snapshot, text: str, k: int) -> Suggestions:
    typed = text.casefold().strip()
    folded, shown, numbers = snapshot.suggestions
    ranked: list[tuple[int, int, int]] = []
    for i, name in enumerate(folded):
        at = name.find(typed)
        if at >= 0:
            rank = 0 if at == 0 else 2 if name[at - 1].isalnum() else 1
            ranked.append((rank, len(name), i))
    items = [_suggestion(snapshot, shown[i], numbers[i]) for _, _, i in sorted(ranked)[:k]]
    return Suggestions(items=items)


def _suggestion(snapshot: Snapshot, text: str, number: int) -> Suggestion:
    if number >= 0:
        ref = wire.table_ref(snapshot, number)
        return Suggestion(text=text, kind="table", id=ref.id, lake=ref.lake, table=ref.name)
    column = wire.column_ref(snapshot, -1 - number)
    return Suggestion(text=text, kind="column", id=column.id, lake=column.lake, table=column.table)
