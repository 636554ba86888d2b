"""Who may do what: decided on the matched route, with the lake that is meant."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from tablelens.errors import AccessDenied, UnknownLake

from .audit import audit
from .errors import Unauthenticated
from .keys import Visitor
from .parameters import check_query
from .service import Service
from .snapshot import Snapshot

PUBLIC = {"public": True}
"""``opt`` of routes that need no key."""
LAKE = {"snapshot": True, "etag": True}
"""``opt`` of routes that read the lake and change no more often than it: they have an ETag."""
SNAPSHOT = {"snapshot": True}
"""``opt`` of routes that read the lake and may answer otherwise a moment later."""


def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let nobody in without a key, where one is needed.

    Raises:
        Unauthenticated: there is none, or it is not valid.
    """
    if handler.opt.get("public") or connection.scope["state"].get("visitor") is not None:
        return
    audit("denied", connection.scope, reason="no valid key")
    raise Unauthenticated("a valid key is needed", "send it as Authorization: Bearer tl_…; `tablelens keys` makes one")


def visitor_of(request: Request[Any, Any, Any]) -> Visitor:
    """Who asks."""
    visitor: Visitor = request.scope["state"]["visitor"]
    return visitor


def only_admin(request: Request[Any, Any, Any]) -> Visitor:
    """Who asks, if that is an admin.

    Raises:
        AccessDenied: it is not.
    """
    visitor = visitor_of(request)
    if not visitor.admin:
        audit("denied", request.scope, reason="admin only")
        raise AccessDenied("only a key with the scope admin may do this", "ask whoever runs the service for one")
    return visitor


def may_write(request: Request[Any, Any, Any], lake: str) -> Visitor:
    """Who asks, if that one may crawl a lake.

    Raises:
        UnknownLake: it may not even read it, so it hears no more than of a lake that is not there.
        AccessDenied: it may read it only.
    """
    visitor = visitor_of(request)
    if visitor.may("write", lake):
        return visitor
    audit("denied", request.scope, reason=f"write:{lake}")
    if not visitor.may("read", lake):
        raise UnknownLake(f"unknown lake {lake!r}", "GET /v1/lakes lists those that you may read")
    raise AccessDenied(f"the key may read the lake {lake!r} and not crawl it", f"it lacks the scope write:{lake}")


async def begin(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Before a route: refuse what it does not take; fix the snapshot that it reads, 304 where the client has it."""
    check_query(request)
    if not request.route_handler.opt.get("snapshot"):
        return None
    service: Service = request.app.state.service
    snapshot = await service.snapshot(visitor_of(request))
    request.scope["state"]["snapshot"], etag = snapshot, snapshot.etag()
    if request.method not in ("GET", "HEAD") or not request.route_handler.opt.get("etag"):
        return None
    request.scope["state"]["etag"] = etag
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return Response(None, status_code=304, headers={"ETag": etag}) if etag in known or "*" in known else None


def snapshot_of(request: Request[Any, Any, Any]) -> Snapshot:
    """The snapshot of the request; see ``begin``."""
    snapshot: Snapshot = request.scope["state"]["snapshot"]
    return snapshot
