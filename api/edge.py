"""What every request passes before it is routed, and every answer on its way out.

Request id, Host and Origin, key, rate, headers, metrics, one line in the log. Who somebody is, is found out here; what
that one may do is decided on the route (``access.py``), never on the text of the path.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from tablelens.errors import AccessDenied, UsageError

from .errors import PROBLEM, Slow, TooMany, problem_of
from .keys import EVERYBODY, Visitor
from .metrics import Metrics

if TYPE_CHECKING:
    from .service import Service

BODY_SECONDS = 30.0
"""How long a client may pause while it sends a body."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
IN_QUERY = frozenset({"key", "api_key", "apikey", "token", "access_token"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'; img-src 'self' data:",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
log = logging.getLogger("tablelens.api")


class Rates:
    """Requests of each caller in the present minute. Those of the minute before are forgotten at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._minute = 0
        self._counts: dict[str, int] = {}

    def take(self, caller: str) -> dict[str, str]:
        """Count one request; the headers that say what is left.

        Raises:
            TooMany: the limit is reached.
        """
        if not self.limit:
            return {}
        now = time.time()
        if int(now // 60) != self._minute:
            self._minute, self._counts = int(now // 60), {}
        used = self._counts[caller] = self._counts.get(caller, 0) + 1
        if used > self.limit:
            raise TooMany(f"more than {self.limit} requests in a minute", "wait a minute", "rate_per_minute")
        rest, reset = self.limit - used, 60 - int(now % 60)
        return {"ratelimit-limit": str(self.limit), "ratelimit-remaining": str(rest), "ratelimit-reset": str(reset)}


class Edge:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, service: Service, metrics: Metrics, hosts: frozenset[str]) -> None:
        self.app = app
        self.service = service
        self.metrics = metrics
        self.hosts = hosts | {"localhost"}
        self.rates = Rates(service.settings.rate_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        start, given = time.perf_counter(), _headers(scope)
        asked_id = given.get("x-request-id", "")
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id = asked_id if _REQUEST_ID.fullmatch(asked_id) else secrets.token_hex(8)
        extra: dict[str, str] = {"x-request-id": request_id}
        answer = {"status": 499}  # the client went away before there was one

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                have = {name.lower() for name, _ in message["headers"]}
                if "etag" in state and message["status"] == 200:
                    extra["etag"] = state["etag"]
                more = (_HEADERS | extra).items()
                fresh = [(k.encode(), v.encode("latin-1")) for k, v in more if k.encode() not in have]
                if scope["path"].startswith("/v1") and b"cache-control" not in have:
                    fresh.append((b"cache-control", b"private, no-cache"))
                message["headers"] = [*message["headers"], *fresh]
            await send(message)

        self.metrics.running.inc()
        try:
            self._check(scope, given, state, extra)
            await self.app(scope, _hurried(receive), out)
        except Exception as error:  # refused before it was routed, or lost on the way
            if answer["status"] == 499:
                await _refuse(error, scope["path"], request_id, out)
            elif not isinstance(error, Slow):
                log.exception("an answer broke off", extra={"request_id": request_id})
        finally:
            self.metrics.running.dec()
            self._done(scope, answer["status"], time.perf_counter() - start, state)

    def _check(self, scope: HTTPScope, given: dict[str, str], state: dict[str, Any], extra: dict[str, str]) -> None:
        """Find out who asks, or refuse.

        Raises:
            AccessDenied, LimitReached, UsageError: as they say.
        """
        host = given.get("host", "")
        if not _known_host(host, self.hosts):
            raise AccessDenied(f"the host {host[:100]!r} is none of this service", "tablelens serve --allow-host NAME")
        origin = given.get("origin", "")
        if scope["method"] not in SAFE and origin and urlsplit(origin).netloc != host:
            raise AccessDenied(f"a page of {origin[:100]!r} may change nothing here", "use the service's own page")
        named = {name.lower() for name, _ in parse_qsl(scope["query_string"].decode("latin-1"))}
        if named & IN_QUERY:
            raise UsageError("a key does not belong into a URL, which is logged", "send it as Authorization: Bearer …")
        state["visitor"] = visitor = self._visitor(given)
        client = scope.get("client")
        caller = f"key {visitor.id}" if visitor and visitor.id else f"address {client[0] if client else ''}"
        extra |= self.rates.take(caller)

    def _visitor(self, given: dict[str, str]) -> Visitor | None:
        keys = self.service.keys
        if not keys.needed:
            return EVERYBODY
        scheme, _, text = given.get("authorization", "").partition(" ")
        text = text.strip() if scheme.lower() == "bearer" else given.get("x-api-key", "")
        return keys.visitor(text) if text else None

    def _done(self, scope: HTTPScope, status: int, seconds: float, state: dict[str, Any]) -> None:
        route = str(scope.get("path_template") or "unmatched")
        self.metrics.seen(scope["method"], route, status, seconds)
        visitor = state.get("visitor")
        log.info(
            "%s %s %s", scope["method"], scope["path"], status,
            extra={"request_id": state["request_id"], "route": route, "status": status,
                   "ms": round(1000 * seconds, 2), "key": visitor.id if visitor else ""},
        )  # fmt: skip


def _headers(scope: HTTPScope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _known_host(host: str, names: frozenset[str]) -> bool:
    """A name that was allowed, or an address: DNS rebinding needs a name."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _hurried(receive: Receive) -> Receive:
    """Receive, with a limit on each pause until the body is there; afterwards one waits for the hang-up."""
    whole = False

    async def take() -> Any:
        nonlocal whole
        if whole:
            return await receive()
        with anyio.move_on_after(BODY_SECONDS):
            message = await receive()
            whole = not message.get("more_body", False)
            return message
        raise Slow(f"nothing came for {BODY_SECONDS:g} s", "send the whole request")

    return take


async def _refuse(error: Exception, path: str, request_id: str, send: Send) -> None:
    problem, headers = problem_of(error, path, request_id)
    if problem.status >= 500:
        log.error("request failed", exc_info=error, extra={"request_id": request_id, "path": path})
    body = msgspec.json.encode(problem)
    fields = {"content-type": PROBLEM, "content-length": str(len(body)), **headers}
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})
