"""Joins with a column that is not in the lake, given by its values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, post
from litestar.params import JSONBody
from msgspec import Meta

from tablelens.errors import UsageError

from . import wire
from .access import LAKE, snapshot_of
from .errors import documented, only_json
from .join_schemas import Answer
from .parameters import at_most
from .service import Served
from .snapshot import Snapshot

LARGE = 2**63
"""Whole numbers from here on are read as text."""


class Wanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How to look."""

    k: Annotated[int, Meta(ge=1, description="how many at most; the setting max_k is the limit")] = 10
    mode: Annotated[Literal["auto", "equi", "semantic", "deepjoin"], Meta(description="how to find and rank")] = "auto"
    lake: str | None = None
    tables: Annotated[str | None, Meta(description="glob")] = None
    kind: str | None = None
    per_table: Annotated[int, Meta(ge=0)] = 0
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    diversity: Annotated[float, Meta(ge=0, le=1, description="what it costs a hit to repeat an earlier one")] = 0.0


class Values(Wanted, kw_only=True, forbid_unknown_fields=True):
    """A column given by its values."""

    values: Annotated[
        list[Any], Meta(description="text, numbers, booleans or null", examples=[["Paris", "Rome", "Oslo"]])
    ]
    name: Annotated[str, Meta(description="name of the column, a help to vectors")] = "values"
    title: Annotated[str, Meta(description="title of its table, a help to vectors")] = ""


class JoinController(Controller):
    """Joins from outside the lake."""

    path = "/v1/joins"
    tags = ("Joins",)

    @post("/", operation_id="joinValues", summary="Columns that join with given values", status_code=200,
          opt=LAKE, responses=documented(413, 415))  # fmt: skip
    async def values(self, request: Request[Any, Any, Any], service: Served, data: JSONBody[Values]) -> Answer:
        """Best first, each with its evidence. Nothing of the values is kept."""
        only_json(request)
        at_most("k", data.k, service.settings, "max_k")
        return await service.run(_of_values, snapshot_of(request), data)


def options(wanted: Wanted) -> dict[str, Any]:
    """The same as ``Lake.answer`` takes it."""
    return {name: getattr(wanted, name) for name in Wanted.__struct_fields__}


def _of_values(snapshot: Snapshot, data: Values) -> Answer:
    if any(isinstance(value, list | dict) for value in data.values):
        raise UsageError("a value is a list or an object", "give text, numbers, booleans or null")
    kinds = {type(value) for value in data.values} - {type(None)}
    values: list[Any] = data.values
    if len(kinds) > 1 or any(isinstance(value, int) and abs(value) >= LARGE for value in values):  # as in a text file
        values = [None if value is None else str(value) for value in values]
    query = snapshot.lake.outside_query(values, data.name, data.title)
    return wire.answer(snapshot, query, snapshot.lake.answer(query, **options(data)))
