"""The service itself: is it alive, is it ready, how it does, what it holds."""

from __future__ import annotations

import time
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency

from tablelens import __version__
from tablelens.encoders import encoder_names
from tablelens.errors import NoLake
from tablelens.index import generation

from .access import PUBLIC, only_admin, visitor_of
from .errors import documented
from .metrics import Metrics
from .schemas import EncoderOut, GenerationOut, Health, Status
from .service import Served

LIMITS = (
    *("max_k", "max_rows_shown", "max_rows_sent", "max_cell_chars", "max_body_mb", "max_upload_mb", "max_jobs"),
    *("max_waiting", "query_seconds", "query_memory_mb", "rate_per_minute", "drain_seconds"),
)
_GENERATIONS = """SELECT number, strftime(created_at, '%Y-%m-%dT%H:%M:%SZ') AS created, encoder, revision, columns
    FROM generations"""


class HealthController(Controller):
    """For whoever watches over the service."""

    path = "/"
    tags = ("Health",)
    opt = PUBLIC

    @get("/livez", operation_id="isAlive", summary="Is the process alive", responses=documented())
    async def livez(self) -> Health:
        """Answers as long as the event loop turns."""
        return Health(status="ok")

    @get("/readyz", operation_id="isReady", summary="Can it answer", responses=documented())
    async def readyz(self, service: Served) -> Response[Health]:
        """503 while the index loads or is damaged, and while the service stops."""
        reason = "stopping" if service.draining else ""
        if not reason and service.fault is not None and service.current is None:
            reason = service.fault.code
        status = 503 if reason else 200
        return Response(Health(status=reason or "ok"), status_code=status)

    @get("/metrics", operation_id="getMetrics", summary="Metrics for Prometheus", media_type="text/plain",
         opt={"public": False}, responses=documented())  # fmt: skip
    async def metrics(
        self, request: Request[Any, Any, Any], service: Served, metrics: NamedDependency[Metrics]
    ) -> Response[str]:
        """Requests, times, memory, generation. Wants the scope admin, where keys are needed."""
        only_admin(request)
        current = service.current
        metrics.generation.set(current.lake.view.generation.number if current else 0)
        metrics.columns.set(len(current.view) if current else 0)
        metrics.jobs.set(len(service.crawls.unfinished()))
        return Response(metrics.text().decode(), media_type="text/plain; version=0.0.4; charset=utf-8")


class StatusController(Controller):
    """What the service holds."""

    path = "/v1"
    tags = ("Status",)

    @get("/status", operation_id="getStatus", summary="The service at a glance", responses=documented())
    async def status(self, request: Request[Any, Any, Any], service: Served) -> Status:
        """Counts are of the lakes that one may read."""
        visitor = visitor_of(request)
        jobs = len([job for job in service.crawls.unfinished() if visitor.may("read", job.lake)])
        counts: dict[str, Any] = {"generation": "", "lakes": 0, "tables": 0, "columns": 0, "vectors": 0}
        encoder = service.settings.encoder
        try:
            snapshot = await service.snapshot(visitor)
        except NoLake:
            pass
        else:
            counts = {"generation": snapshot.tag, "lakes": len(snapshot.lakes), "tables": len(snapshot.order),
                      "columns": len(snapshot.view), "vectors": len(snapshot.view.generation.vectors)}  # fmt: skip
            encoder = snapshot.view.generation.encoder["name"]
        return Status(
            version=__version__, **counts, encoder=encoder, uptime=round(time.monotonic() - service.started, 1),
            jobs=jobs, keys=service.keys.needed, scopes=list(visitor.scopes),
            limits={name: getattr(service.settings, name) for name in LIMITS},
        )  # fmt: skip

    @get("/encoders", operation_id="listEncoders", summary="Column encoders", responses=documented())
    async def encoders(self, service: Served) -> list[EncoderOut]:
        """Those that are registered, and the one that made the vectors of the index."""
        made: dict[str, Any] = service.current.view.generation.encoder if service.current else {}
        names = list(dict.fromkeys([*encoder_names(), *([made["name"]] if made else [])]))
        return [_encoder(name, made) for name in names]

    @get("/generations", operation_id="listGenerations", summary="Index generations", responses=documented())
    async def generations(self, request: Request[Any, Any, Any], service: Served) -> list[GenerationOut]:
        """Those on disk, newest first. Wants the scope admin."""
        only_admin(request)
        current = service.current
        if current is None:
            return []
        rows = {row["number"]: row for row in await service.run(current.catalogue.rows, _GENERATIONS)}
        numbers = [number for number in generation.generations(service.home) if number in rows]
        return [GenerationOut(**rows[number], current=str(number) == current.tag) for number in numbers[::-1]]


def _encoder(name: str, made: dict[str, Any]) -> EncoderOut:
    if name != made.get("name"):
        return EncoderOut(name=name, current=False)
    fields = {field: made[field] for field in ("revision", "dimension", "template")}
    return EncoderOut(name=name, current=True, **fields)
