"""The lakes that there are, and their files that could not be read."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, get
from litestar.params import PathParameter

from tablelens.errors import NoLake, UnknownLake

from .access import LAKE, snapshot_of, visitor_of
from .errors import documented
from .parameters import PAGE, Cursor, Limit, page
from .schemas import FailedFile, FailedPage, LakeOut
from .service import Served

_LAKES = """SELECT l.name, l.root, (SELECT count(*) FROM table_rows t WHERE t.lake_id = l.id) AS tables,
    (SELECT count(*) FROM column_rows c WHERE c.lake_id = l.id) AS columns,
    (SELECT count(*) FROM files f WHERE f.lake_id = l.id AND reason <> '') AS failed,
    (SELECT strftime(max(coalesce(finished_at, started_at)), '%Y-%m-%dT%H:%M:%SZ') FROM crawls r
     WHERE r.lake_id = l.id) AS crawled
    FROM lake_rows l WHERE list_contains(?, l.name) ORDER BY l.name"""
_FAILED = """SELECT l.name AS lake, f.path, f.reason, f.error, f.attempts
    FROM files f JOIN lake_rows l ON l.id = f.lake_id
    WHERE f.reason <> '' AND l.name = ? ORDER BY f.path"""


class LakeController(Controller):
    """Lakes."""

    path = "/v1/lakes"
    tags = ("Lakes",)

    @get("/", operation_id="listLakes", summary="Lakes that one may read", responses=documented())
    async def lakes(self, request: Request[Any, Any, Any], service: Served) -> list[LakeOut]:
        """Each lake with its size. The list is empty where nothing was crawled yet."""
        visitor = visitor_of(request)
        try:
            snapshot = await service.snapshot(visitor)
        except NoLake:
            return []
        rows = await service.run(snapshot.catalogue.rows, _LAKES, [sorted(snapshot.lakes)])
        return [LakeOut(**row | ({} if visitor.may("write", row["name"]) else {"root": ""})) for row in rows]

    @get("/{lake:str}/failures", operation_id="listFailures", summary="Files that could not be read",
         opt=LAKE, responses=documented())  # fmt: skip
    async def failures(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        lake: Annotated[str, PathParameter(description="name of the lake")],
        cursor: Cursor = None,
        limit: Limit = PAGE,
    ) -> FailedPage:
        """The files of a lake that the last crawl could not read, each with its reason."""
        snapshot = snapshot_of(request)
        if lake not in snapshot.lakes:
            raise UnknownLake.among("lake", lake, snapshot.lakes, "GET /v1/lakes lists those that you may read")
        rows = await service.run(snapshot.catalogue.rows, _FAILED, [lake])
        keys = [(row["path"],) for row in rows]
        return page(FailedPage, keys, cursor, limit, service.settings, lambda number: FailedFile(**rows[number]))
