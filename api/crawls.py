"""Crawls as jobs: asked for, followed, cancelled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.params import JSONBody, PathParameter
from litestar.response import ServerSentEvent
from msgspec import Meta

from tablelens.errors import NotFound, UsageError
from tablelens.lake import lake_name

from .access import may_write, only_admin, visitor_of
from .audit import audit
from .errors import documented, only_json
from .events import LastEvent, Token, told
from .job_schemas import JobOut, JobPage
from .jobs import Job
from .keys import Visitor
from .parameters import PAGE, Cursor, Limit, page
from .service import Served, Service

JobId = Annotated[str, PathParameter(description="id of a crawl")]


class CrawlWanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to crawl: a lake that is there by its name, or a folder of the server's as a new one (admin)."""

    lake: Annotated[str, Meta(description="name of the lake; a new one's is the folder's, unless given")] = ""
    path: Annotated[str, Meta(description="folder or file on the server, absolute")] = ""
    refresh: Annotated[Literal["changed", "always"], Meta(description="read what changed, or everything")] = "changed"


class CrawlController(Controller):
    """Crawls."""

    path = "/v1/crawls"
    tags = ("Crawls",)

    @post("/", operation_id="startCrawl", summary="Crawl a lake", status_code=202, responses=documented(409, 413, 415))
    async def start(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        data: JSONBody[CrawlWanted],
        token: Token = "",
    ) -> Response[JobOut]:
        """Answers at once; ``Location`` is where to ask how it goes."""
        only_json(request)
        lake, path = _wanted(request, service, data)
        visitor = may_write(request, lake)
        task = {"path": path, "lake": lake, "refresh": data.refresh}
        job = service.crawls.add(lake, task, visitor.id, token)
        audit("crawl", request.scope, lake=lake, job=job.id)
        where = f"/v1/crawls/{job.id}"
        return Response(_out(job, visitor), status_code=202, headers={"Location": where})

    @get("/", operation_id="listCrawls", summary="Crawls, newest first", responses=documented())
    async def crawls(
        self, request: Request[Any, Any, Any], service: Served, cursor: Cursor = None, limit: Limit = PAGE
    ) -> JobPage:
        """Those of lakes that one may read, as far as the running service remembers them."""
        visitor = visitor_of(request)
        jobs = [job for job in service.crawls.all() if visitor.may("read", job.lake)]
        keys = [(f"{number:06}",) for number in range(len(jobs))]
        return page(JobPage, keys, cursor, limit, service.settings, lambda place: _out(jobs[place], visitor))

    @get("/{job_id:str}", operation_id="getCrawl", summary="How a crawl goes", responses=documented())
    async def crawl(self, request: Request[Any, Any, Any], service: Served, job_id: JobId) -> JobOut:
        """State, progress and, at the end, the report."""
        return _out(_readable(request, service, job_id), visitor_of(request))

    @delete("/{job_id:str}", operation_id="cancelCrawl", summary="Stop a crawl", status_code=200,
            responses=documented())  # fmt: skip
    async def cancel(self, request: Request[Any, Any, Any], service: Served, job_id: JobId) -> JobOut:
        """What it did is kept. To stop one that is over changes nothing."""
        job = _readable(request, service, job_id)
        visitor = may_write(request, job.lake)
        service.crawls.cancel(job)
        audit("cancel", request.scope, lake=job.lake, job=job.id)
        return _out(job, visitor)

    @get("/{job_id:str}/events", operation_id="followCrawl", summary="Follow a crawl",
         media_type="text/event-stream", responses=documented())  # fmt: skip
    async def events(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        job_id: JobId,
        last: LastEvent = "",
    ) -> ServerSentEvent:
        """Server-sent events ``progress`` and ``state``, numbered; a client that lost the connection goes on."""
        job = _readable(request, service, job_id)
        return told(service, job, visitor_of(request), last)


def _wanted(request: Request[Any, Any, Any], service: Service, data: CrawlWanted) -> tuple[str, str]:
    """(lake, path) of a crawl.

    Raises:
        AccessDenied: a folder is named by one who may not name it.
        NotFound, UsageError: as they say.
    """
    known = service.current.lakes if service.current else {}
    if not data.path:
        if not data.lake:
            raise UsageError("neither lake nor path is given", "name a lake that is there, or a path to crawl")
        may_write(request, data.lake)
        if data.lake not in known:
            raise NotFound(f"unknown lake {data.lake!r}", "GET /v1/lakes lists them; give a path to crawl a new one")
        return data.lake, known[data.lake]
    only_admin(request)
    path = Path(data.path)
    if "\0" in data.path or not path.is_absolute():
        raise UsageError(f"{data.path!r} is no absolute path", "give the folder as the server has it")
    if not path.exists():
        raise NotFound(f"no such lake: {data.path!r}", "give an existing folder, or one file, on the server")
    return lake_name(path.resolve(), data.lake or None), str(path.resolve())


def _readable(request: Request[Any, Any, Any], service: Service, job_id: str) -> Job:
    job = service.crawls.get(job_id)
    if not visitor_of(request).may("read", job.lake):
        raise service.crawls.unknown(job_id)
    return job


def _out(job: Job, visitor: Visitor) -> JobOut:
    """A job as one may see it: where the files lie is for those who may crawl them."""
    report = job.report
    if report is not None and not visitor.may("write", job.lake):
        report = {name: value for name, value in report.items() if name != "root"}
    return JobOut(
        id=job.id, lake=job.lake, path=job.task["path"] if visitor.may("write", job.lake) else "", state=job.state,
        created=job.created, finished=job.finished, stage=job.stage, done=job.done, total=job.total,
        report=report, error=job.error,
    )  # fmt: skip
