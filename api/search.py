"""Tables by words, and names for the search box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from litestar import Controller, Request, get
from litestar.params import QueryParameter

from tablelens.discover.tables import TableHit as LakeHit

from . import wire
from .access import LAKE, snapshot_of
from .errors import documented
from .parameters import PAGE, Cursor, K, Limit, at_most, page
from .schemas import ColumnPage, Found, Suggestion, Suggestions, TableHit
from .service import Served
from .snapshot import Snapshot

SHOWN_COLUMNS = 50
MOST_NAMES = 200
"""Names whose columns are listed, the ones that fit best."""


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

    @get("/search/columns", operation_id="searchColumns", summary="Columns by name",
         opt=LAKE, responses=documented())  # fmt: skip
    async def columns(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        q: Annotated[str, QueryParameter(min_length=1, max_length=200, description="a name, or a part of one")],
        cursor: Cursor = None,
        limit: Limit = PAGE,
    ) -> ColumnPage:
        """Every column of each name that holds it, in the order of the suggestions, then by lake and table."""
        snapshot = snapshot_of(request)
        keys, places = await service.run(_columns, snapshot, q)
        return page(ColumnPage, keys, cursor, limit, service.settings, lambda at: wire.column(snapshot, places[at]))


def _search(snapshot: Snapshot, text: str, k: int) -> Found:
    hits = [_hit(snapshot, hit) for hit in snapshot.lake.search(text, k=k)]
    return Found(query=text, hits=hits, generation=snapshot.tag)


def _hit(snapshot: Snapshot, hit: LakeHit) -> TableHit:
    number = snapshot.number_of(int(snapshot.view.table_places(f"{hit.lake}:{hit.table}")[0]))
    names = list(hit.columns[:SHOWN_COLUMNS])
    return TableHit(**wire.table_fields(snapshot, number), names=names, score=hit.score, matched=list(hit.matched))


def _suggest(snapshot: Snapshot, text: str, k: int) -> Suggestions:
    _, shown, numbers = snapshot.suggestions
    return Suggestions(
        items=[_suggestion(snapshot, shown[i], numbers[i]) for _, _, i in sorted(_holding(snapshot, text))[:k]]
    )


def _holding(snapshot: Snapshot, text: str) -> Iterator[tuple[int, int, int]]:
    """(rank, length, place among the suggestions) of the names that hold a text; the lowest fit best."""
    typed = text.casefold().strip()
    for i, name in enumerate(snapshot.suggestions[0]):
        at = name.find(typed)
        if at >= 0:
            yield 0 if at == 0 else 2 if name[at - 1].isalnum() else 1, len(name), i


def _columns(snapshot: Snapshot, text: str) -> tuple[list[tuple[str, ...]], list[int]]:
    """(keys, places) of the columns whose names hold a text, the best first."""
    _, shown, numbers = snapshot.suggestions
    best = sorted(each for each in _holding(snapshot, text) if numbers[each[2]] < 0)[:MOST_NAMES]
    ranks = {shown[i]: (f"{rank}{length:05}", shown[i]) for rank, length, i in best}
    found = []
    for place, name in enumerate(snapshot.view.names):
        if name in ranks:
            lake, table, _ = snapshot.table_name(snapshot.number_of(place))
            found.append(((*ranks[name], lake, table, f"{place:012}"), place))
    found.sort()
    return [key for key, _ in found], [place for _, place in found]


def _suggestion(snapshot: Snapshot, text: str, number: int) -> Suggestion:
    if number >= 0:
        ref = wire.table_ref(snapshot, number)
        return Suggestion(text=text, kind="table", id=ref.id, lake=ref.lake, table=ref.name)
    column = wire.column_ref(snapshot, -1 - number)
    count = snapshot.name_counts[text]
    return Suggestion(text=text, kind="column", id=column.id, lake=column.lake, table=column.table, count=count)
