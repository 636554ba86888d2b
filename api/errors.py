"""One shape for every failure: problem details (RFC 9457), with a code, the cure and the request's id."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta

from tablelens.errors import (
    AccessDenied,
    CatalogError,
    CatalogLocked,
    EncoderError,
    IndexFault,
    LimitReached,
    NotFound,
    TablelensError,
    UnreadableFile,
    UsageError,
)

PROBLEM = "application/problem+json"
log = logging.getLogger("tablelens.api")


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What went wrong, as RFC 9457 lays it out."""

    type: Annotated[str, Meta(description="URN of the kind of problem", examples=["urn:tablelens:problem:limit"])]
    title: Annotated[str, Meta(description="the status in words", examples=["Bad Request"])]
    status: Annotated[int, Meta(description="the HTTP status", examples=[400])]
    code: Annotated[str, Meta(description="stable word, as in the reference of errors", examples=["limit"])]
    detail: Annotated[str, Meta(description="what was given and what is known", examples=["k is 100000"])]
    instance: Annotated[str, Meta(description="the path that was asked")]
    request_id: Annotated[str, Meta(description="also in the header X-Request-ID and in the log")]
    hint: Annotated[str, Meta(description="the cure", examples=["ask for 1000 or less"])] = ""
    limit: Annotated[str, Meta(description="the setting that says how much is allowed", examples=["max_k"])] = ""
    errors: Annotated[list[Any], Meta(description="each parameter that is off")] = []


class Unauthenticated(AccessDenied):
    """No valid key was given."""

    code = "unauthenticated"


class Busy(LimitReached):
    """Too much is asked at the same time; the same request may succeed later."""

    code = "busy"


class TooMany(LimitReached):
    """More requests in a minute than a limit allows."""

    code = "rate"


class Slow(TablelensError):
    """The client takes too long to send its request."""

    code = "slow"


class TooLarge(LimitReached):
    """The body is larger than a limit."""

    code = "too_large"


class WrongMedia(UsageError):
    """The body is of a kind that the route does not take."""

    code = "media_type"


STATUS: tuple[tuple[type[TablelensError], int], ...] = (
    (Unauthenticated, 401),
    (AccessDenied, 403),
    (NotFound, 404),
    (Slow, 408),
    (CatalogLocked, 409),
    (TooLarge, 413),
    (WrongMedia, 415),
    (UnreadableFile, 422),
    (TooMany, 429),
    (Busy, 503),
    (UsageError, 400),
    (EncoderError, 503),
    (IndexFault, 503),
    (CatalogError, 503),
)
"""The first class that fits says the status; 500 where none does."""

DESCRIPTIONS = {
    400: "The request is off, or asks for more than a limit allows.",
    401: "No key, or none that is valid.",
    403: "The key does not reach as far, or the request comes from a foreign page or host.",
    404: "Something named does not exist, or is in a lake that the key may not read.",
    405: "The path has no such method.",
    408: "The client took too long to send its request.",
    409: "It cannot be done in the present state.",
    413: "The body is too large.",
    415: "The body is not of a media type that the route takes.",
    422: "A file cannot be read.",
    429: "Too many requests.",
    500: "A fault of the service; the log holds more under the request's id.",
    503: "Busy, stopping, or without an index that answers.",
}


def only_json(request: Request[Any, Any, Any]) -> None:
    """Refuse other bodies than JSON, so that no form of a foreign page can send one.

    Raises:
        WrongMedia: the body says that it is something else.
    """
    kind = request.content_type[0]
    if kind != "application/json":
        raise WrongMedia(f"the body is of type {kind[:100]!r}", "send application/json")


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that a route may answer with, for the OpenAPI document."""
    always = (400, 401, 403, 404, 408, 429, 500, 503)
    return {
        status: ResponseSpec(Problem, generate_examples=False, description=DESCRIPTIONS[status], media_type=PROBLEM)
        for status in sorted({*always, *statuses})
    }


def status_of(error: TablelensError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def problem_of(error: Exception, path: str, request_id: str) -> tuple[Problem, dict[str, str]]:
    """An error as problem details and the headers that go with it. What is no error of ours tells nothing of itself."""
    headers: dict[str, str] = {}
    where: dict[str, Any] = {"instance": path, "request_id": request_id}
    if isinstance(error, TablelensError) and (isinstance(error, Busy) or status_of(error) < 500):
        status, code, detail = status_of(error), error.code, error.message
        where |= {"hint": error.hint, "limit": getattr(error, "limit", "")}
        if status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="tablelens"'
        if status in (429, 503):
            headers["Retry-After"] = "1"
    elif isinstance(error, TablelensError):  # a fault of the home; where that lies is not for everybody
        status, code, detail = status_of(error), error.code, "the service cannot answer; its log says why"
    elif isinstance(error, HTTPException) and error.status_code < 500:
        status, code, detail = error.status_code, _code(error.status_code), error.detail
        headers |= {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
        if isinstance(error, ValidationException) and isinstance(error.extra, list):
            where["errors"] = error.extra
            if said := _said_of(error.extra):
                detail, where["hint"] = said, "/schema/openapi.json says what each may be"
    elif isinstance(error, RecursionError):
        status, code, detail = 400, "usage", "the body is nested too deeply"
    else:
        status, code, detail = 500, "internal", "the service failed; its log says more under the request's id"
    title = phrase(status)
    kind = f"urn:tablelens:problem:{code}"
    return Problem(type=kind, title=title, status=status, code=code, detail=detail, **where), headers


def _said_of(parameters: list[Any]) -> str:
    """What is wrong with each parameter, in one line."""
    return "; ".join(f"{each['key']}: {each['message']}" for each in parameters if {"key", "message"} <= set(each))


def _too_large(request: Request[Any, Any, Any]) -> TooLarge:
    limit = request.route_handler.opt.get("body", "max_body_mb")
    most = getattr(request.app.state.service.settings, limit)
    return TooLarge(f"the body is larger than {most} MB", "send less", limit)


def phrase(status: int) -> str:
    """A status in words."""
    return HTTPStatus(status).phrase


def _code(status: int) -> str:
    known = {400: "usage", 404: "not_found", 405: "method", 413: "too_large", 415: "media_type"}
    return known.get(status, "usage")


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The answer to a request that failed."""
    request_id = str(request.scope.get("state", {}).get("request_id", ""))
    if getattr(error, "status_code", 0) == 413:
        error = _too_large(request)
    problem, headers = problem_of(error, request.scope["path"], request_id)
    if problem.status >= 500 and not isinstance(error, Busy):
        log.error("request failed", exc_info=error, extra={"request_id": request_id, "path": request.scope["path"]})
    return Response(problem, status_code=problem.status, media_type=PROBLEM, headers=headers)
