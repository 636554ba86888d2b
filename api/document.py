"""The OpenAPI document, with what Litestar leaves out: what structures are for, and an example of each answer."""

from __future__ import annotations

import inspect
import json
from importlib.resources import files
from typing import Any

import msgspec
from litestar.openapi.spec import OpenAPI, Operation

from . import augmentations, crawls, errors, job_schemas, join_schemas, joins, schemas, uploads, verdicts


def complete(document: OpenAPI) -> None:
    """Add descriptions of structures, and the examples that ``docs/build_examples.py`` has written."""
    structures = {
        name: found
        for module in (schemas, join_schemas, job_schemas, errors, joins, uploads, crawls, verdicts, augmentations)
        for name, found in vars(module).items()
        if isinstance(found, type) and issubclass(found, msgspec.Struct)
    }
    for name, schema in (document.components.schemas or {}).items():
        if name in structures:
            schema.description = schema.description or inspect.getdoc(structures[name])
    known = json.loads((files(__package__) / "examples.json").read_text(encoding="utf-8"))
    for operation in operations(document):
        _exemplify(operation, known)


def operations(document: OpenAPI) -> list[Operation]:
    """All operations."""
    methods = ("get", "put", "post", "delete")
    items = (document.paths or {}).values()
    found = (getattr(item, method) for item in items for method in methods)
    return [operation for operation in found if operation is not None]


def _exemplify(operation: Operation, known: dict[str, Any]) -> None:
    for status, answer in (operation.responses or {}).items():
        content = getattr(answer, "content", None) or {}
        if status.startswith("2") and operation.operation_id in known and "application/json" in content:
            content["application/json"].example = known[operation.operation_id]
        if errors.PROBLEM in content:
            content[errors.PROBLEM].example = _problem(int(status))


def _problem(status: int) -> dict[str, Any]:
    code, detail, hint = PROBLEMS.get(status, ("usage", "k is 100000", "ask for 1000 or less"))
    return {
        "type": f"urn:tablelens:problem:{code}", "title": errors.phrase(status), "status": status, "code": code,
        "detail": detail, "hint": hint, "instance": "/v1/tables", "request_id": "9f2c41d07ab3e55d",
    }  # fmt: skip


PROBLEMS = {
    400: ("limit", "k is 100000", "ask for 1000 or less"),
    401: ("unauthenticated", "a valid key is needed", "send it as Authorization: Bearer tl_…"),
    403: ("access", "only a key with the scope admin may do this", "ask whoever runs the service for one"),
    404: ("unknown_table", "no table has the id 'llhjtmzu6xksl7vh'", "GET /v1/tables lists them with their ids"),
    408: ("slow", "nothing came for 30 s", "send the whole request"),
    409: (
        "catalog_locked",
        "the catalogue is being written by process 4711 (python3)",
        "wait until that crawl is done",
    ),
    413: ("too_large", "the body is larger than 10 MB", "send less"),
    415: ("media_type", "the body is of type 'text/plain'", "send application/json"),
    422: ("unreadable", "the file cannot be read: not a workbook", "send another"),
    429: ("rate", "more than 6000 requests in a minute", "wait a minute"),
    500: ("internal", "the service failed; its log says more under the request's id", ""),
    503: ("busy", "256 requests are waiting", "try again in a second"),
}
