"""What people said of joins: given, taken back, listed."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, put
from litestar.params import JSONBody
from msgspec import Meta

from tablelens.discover.verdicts import place_of
from tablelens.types import Verdict

from . import wire
from .access import SNAPSHOT, may_write, snapshot_of
from .audit import audit
from .errors import documented, only_json
from .join_schemas import VerdictOut, VerdictPage
from .parameters import PAGE, ColumnId, Cursor, Limit, OtherId, page
from .service import Served
from .snapshot import Snapshot


class VerdictWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whether two columns join."""

    joins: Annotated[bool, Meta(description="they join, or they do not")]
    note: Annotated[str, Meta(max_length=2000, description="why, for other people")] = ""


class VerdictController(Controller):
    """Verdicts."""

    path = "/v1"
    tags = ("Verdicts",)

    @get("/verdicts", operation_id="listVerdicts", summary="What people said of joins", opt=SNAPSHOT,
         responses=documented())  # fmt: skip
    async def verdicts(
        self, request: Request[Any, Any, Any], service: Served, cursor: Cursor = None, limit: Limit = PAGE
    ) -> VerdictPage:
        """The oldest first. Those on a column that is not there, or not to be read, are left out."""
        found = await service.run(_verdicts, snapshot_of(request))
        keys = [(f"{number:06}",) for number in range(len(found))]
        return page(VerdictPage, keys, cursor, limit, service.settings, lambda at: found[at])

    @put("/columns/{column_id:str}/joins/{other_id:str}/verdict", operation_id="giveVerdict",
         summary="Say whether two columns join", opt=SNAPSHOT, responses=documented(409, 413, 415))  # fmt: skip
    async def give(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        column_id: ColumnId,
        other_id: OtherId,
        data: JSONBody[VerdictWanted],
    ) -> VerdictOut:
        """Confirmed joins come first and denied ones are not shown, from now on; it outlives crawls."""
        only_json(request)
        snapshot, places = _pair(request, column_id, other_id)
        said = await service.run(_say, snapshot, *places, data.joins, data.note)
        audit("verdict", request.scope, left=column_id, right=other_id, joins=data.joins)
        return _out(snapshot, said, *places)

    @delete("/columns/{column_id:str}/joins/{other_id:str}/verdict", operation_id="takeBackVerdict",
            summary="Take a verdict back", status_code=204, opt=SNAPSHOT, responses=documented(409))  # fmt: skip
    async def take_back(
        self, request: Request[Any, Any, Any], service: Served, column_id: ColumnId, other_id: OtherId
    ) -> None:
        """The pair is ranked by its evidence again."""
        snapshot, places = _pair(request, column_id, other_id)
        await service.run(snapshot.lake.verdict_at, *places, None)
        audit("verdict", request.scope, left=column_id, right=other_id, joins=None)


def _pair(request: Request[Any, Any, Any], left: str, right: str) -> tuple[Snapshot, tuple[int, int]]:
    """The places of two columns of lakes that the visitor may change."""
    snapshot = snapshot_of(request)
    places = snapshot.place(left), snapshot.place(right)
    for place in places:
        may_write(request, snapshot.view.value("lake", place))
    return snapshot, places


def _say(snapshot: Snapshot, left: int, right: int, joins: bool, note: str) -> Verdict:
    said = snapshot.lake.verdict_at(left, right, joins, note)
    kept = (each for each in snapshot.lake.verdicts() if {each.left, each.right} == {said.left, said.right})
    return next(kept, said)  # as it was kept, with its time


def _verdicts(snapshot: Snapshot) -> list[VerdictOut]:
    found = []
    for said in snapshot.lake.verdicts():
        places = place_of(snapshot.view, said.left), place_of(snapshot.view, said.right)
        if places[0] is not None and places[1] is not None:
            found.append(_out(snapshot, said, places[0], places[1]))
    return found


def _out(snapshot: Snapshot, said: Verdict, left: int, right: int) -> VerdictOut:
    return VerdictOut(
        left=wire.column_ref(snapshot, left),
        right=wire.column_ref(snapshot, right),
        joins=said.joins,
        note=said.note,
        decided=said.decided,
    )
