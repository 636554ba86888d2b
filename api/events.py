"""News of a job as server-sent events, and the headers that all jobs take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from litestar.params import HeaderParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from .jobs import Job
from .keys import Visitor
from .service import Service

PATIENCE = 10.0
"""Seconds after which a line that means nothing keeps the connection open."""
Token = Annotated[
    str, HeaderParameter(name="Idempotency-Key", max_length=200, description="the same key, the same job")
]
LastEvent = Annotated[str, HeaderParameter(name="Last-Event-ID", max_length=20, description="go on after this event")]


def told(service: Service, job: Job, visitor: Visitor, last: str) -> ServerSentEvent:
    """Events ``progress`` and ``state``, numbered; a client that lost the connection goes on after the last it had."""
    after = int(last) if last.isascii() and last.isdigit() else 0
    return ServerSentEvent(_stream(service, job, visitor, after))


async def _stream(service: Service, job: Job, visitor: Visitor, after: int) -> AsyncIterator[ServerSentEventMessage]:
    async for event in job.follow(after, PATIENCE):
        if not service.keys.still(visitor) or service.draining:
            return
        if event is None:
            yield ServerSentEventMessage(comment="still here", data=None)
            continue
        number, name, data = event
        yield ServerSentEventMessage(id=number, event=name, data=msgspec.json.encode(data).decode())
