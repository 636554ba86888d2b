"""Augmentations as jobs: what the lake can add to a table to predict one of its columns."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.params import JSONBody, PathParameter
from litestar.response import ServerSentEvent
from msgspec import Meta

from tablelens.errors import UnknownColumn

from . import wire
from .access import SNAPSHOT, snapshot_of, visitor_of
from .audit import audit
from .errors import documented, only_json
from .events import LastEvent, Token, told
from .job_schemas import AugmentationOut, AugmentationPage, AugmentationReport
from .jobs import Job
from .keys import Visitor
from .parameters import PAGE, Cursor, Limit, at_most, page
from .schemas import TableRef
from .service import Served, Service
from .snapshot import Snapshot

JobId = Annotated[str, PathParameter(description="id of an augmentation")]
MOST_SECONDS = 3600


class AugmentationWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to augment, and for what."""

    table: Annotated[str, Meta(description="id of a table", examples=["llhjtmzu6xksl7vh"])]
    target: Annotated[str, Meta(description="the name of the column that is to be predicted")]
    metric: Annotated[
        Literal["auc", "accuracy", "r2", "spearman"] | None, Meta(description="null: auc or r2, as fits")
    ] = None
    budget: Annotated[float, Meta(gt=0, le=MOST_SECONDS, description="seconds")] = 300.0
    judge: Annotated[
        Literal["both", "trees"], Meta(description="trees alone is much quicker; both asks TransTab too")
    ] = "both"
    k: Annotated[int, Meta(ge=1, description="tables that are looked at for each column; max_k is the limit")] = 10


class AugmentationController(Controller):
    """Augmentations."""

    path = "/v1/augmentations"
    tags = ("Augmentations",)

    @post("/", operation_id="startAugmentation", summary="Find columns that help to predict one", status_code=202,
          opt=SNAPSHOT, responses=documented(413, 415))  # fmt: skip
    async def start(
        self, request: Request[Any, Any, Any], service: Served, data: JSONBody[AugmentationWanted], token: Token = ""
    ) -> Response[AugmentationOut]:
        """Answers at once; ``Location`` is where to ask how it goes. It looks at the lakes that the key may read."""
        only_json(request)
        at_most("k", data.k, service.settings, "max_k")
        visitor, snapshot = visitor_of(request), snapshot_of(request)
        job = service.augmentations.add(*_task(snapshot, data), visitor.id, token)
        audit("augment", request.scope, lake=job.lake, job=job.id)
        return Response(_out(job), status_code=202, headers={"Location": f"/v1/augmentations/{job.id}"})

    @get("/", operation_id="listAugmentations", summary="Augmentations, newest first", responses=documented())
    async def augmentations(
        self, request: Request[Any, Any, Any], service: Served, cursor: Cursor = None, limit: Limit = PAGE
    ) -> AugmentationPage:
        """One's own, as far as the running service remembers them; an admin sees all."""
        visitor = visitor_of(request)
        jobs = [job for job in service.augmentations.all() if _may_see(visitor, job)]
        keys = [(f"{number:06}",) for number in range(len(jobs))]
        return page(AugmentationPage, keys, cursor, limit, service.settings, lambda place: _out(jobs[place]))

    @get("/{job_id:str}", operation_id="getAugmentation", summary="How an augmentation goes", responses=documented())
    async def augmentation(self, request: Request[Any, Any, Any], service: Served, job_id: JobId) -> AugmentationOut:
        """State, progress and, at the end, the report: each candidate with its lifts, and the SQL of what is chosen."""
        return _out(_mine(request, service, job_id))

    @delete("/{job_id:str}", operation_id="cancelAugmentation", summary="Stop an augmentation", status_code=200,
            responses=documented())  # fmt: skip
    async def cancel(self, request: Request[Any, Any, Any], service: Served, job_id: JobId) -> AugmentationOut:
        """Nothing of it is kept. To stop one that is over changes nothing."""
        job = _mine(request, service, job_id)
        service.augmentations.cancel(job)
        audit("cancel", request.scope, lake=job.lake, job=job.id)
        return _out(job)

    @get("/{job_id:str}/events", operation_id="followAugmentation", summary="Follow an augmentation",
         media_type="text/event-stream", responses=documented())  # fmt: skip
    async def events(
        self, request: Request[Any, Any, Any], service: Served, job_id: JobId, last: LastEvent = ""
    ) -> ServerSentEvent:
        """Server-sent events ``progress`` and ``state``, numbered; a client that lost the connection goes on."""
        return told(service, _mine(request, service, job_id), visitor_of(request), last)


def _task(snapshot: Snapshot, data: AugmentationWanted) -> tuple[str, dict[str, Any]]:
    """The table's lake, and what the process is told.

    Raises:
        UnknownTable, UnknownColumn: there is no such table, or it has no such column.
    """
    number = snapshot.table_number(data.table)
    columns = [snapshot.view.names[place] for place in snapshot.places_of(number)]
    if data.target not in columns:
        raise UnknownColumn.among("column", data.target, columns, f"columns: {', '.join(columns[:20])}")
    options = {"metric": data.metric, "budget": data.budget, "rows": data.judge == "both", "k": data.k}
    table = msgspec.to_builtins(wire.table_ref(snapshot, number))
    task = {"table": snapshot.reference(number), "target": data.target, "lakes": sorted(snapshot.lakes)}
    return table["lake"], task | {"options": options, "asked": table}


def _may_see(visitor: Visitor, job: Job) -> bool:
    return visitor.admin or visitor.id == job.key


def _mine(request: Request[Any, Any, Any], service: Service, job_id: str) -> Job:
    job = service.augmentations.get(job_id)
    if not _may_see(visitor_of(request), job):
        raise service.augmentations.unknown(job_id)
    return job


def _out(job: Job) -> AugmentationOut:
    report = None if job.report is None else msgspec.convert(job.report, AugmentationReport)
    return AugmentationOut(
        id=job.id, table=TableRef(**job.task["asked"]), target=job.task["target"], state=job.state,
        created=job.created, finished=job.finished, stage=job.stage, done=job.done, report=report, error=job.error,
    )  # fmt: skip
