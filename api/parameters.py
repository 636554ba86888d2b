"""Parameters that several routes take, each described once; pages and limits."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from litestar import Request
from litestar.handlers import BaseRouteHandler
from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter

from tablelens.errors import LimitReached, UsageError
from tablelens.settings import Settings
from tablelens.types import Mode

from .schemas import Page

Key = tuple[str, ...]
P = TypeVar("P", bound=Page)
PAGE = 100

K = Annotated[int, QueryParameter(ge=1, description="how many at most; the setting max_k is the limit")]
ModeOf = Annotated[Mode, QueryParameter(description="how to find and rank")]
LakeName = Annotated[str | None, QueryParameter(name="lake", description="only in this lake")]
Tables = Annotated[str | None, QueryParameter(description="only in tables whose name matches this glob")]
Kind = Annotated[str | None, QueryParameter(description="only columns of this kind")]
PerTable = Annotated[int, QueryParameter(ge=0, description="at most this many hits a table; 0 for no limit")]
Diversity = Annotated[float, QueryParameter(ge=0, le=1, description="what it costs a hit to repeat an earlier one")]
Threshold = Annotated[float | None, QueryParameter(ge=0, le=1, description="least probability of a hit in mode auto")]
Limit = Annotated[int, QueryParameter(ge=1, description="how many on a page; the setting max_k is the limit")]
Cursor = Annotated[str | None, QueryParameter(description="`next` of the page before")]
TableId = Annotated[str, PathParameter(description="id of a table", examples=[Example(value="llhjtmzu6xksl7vh")])]
ColumnId = Annotated[str, PathParameter(description="id of a column", examples=[Example(value="llhjtmzu6xksl7vh")])]
OtherId = Annotated[str, PathParameter(description="id of the column to join with")]
RowLimit = Annotated[
    int,
    QueryParameter(ge=1, description="how many rows at most; max_rows_shown is the limit in JSON, else max_rows_sent"),
]
Format = Annotated[
    Literal["json", "csv", "spreadsheet", "arrow"],
    QueryParameter(
        name="format",
        description="json; csv as it is; csv in which no cell is a formula (spreadsheet); an Arrow IPC stream",
    ),
]


@cache
def _query_names(handler: BaseRouteHandler) -> tuple[str, ...]:
    """The query parameters of a route, as a client writes them."""
    parameters = handler.parsed_fn_signature.parameters.items()
    described = ((name, each.kwarg_definition) for name, each in parameters)
    return tuple(each.name or name for name, each in described if isinstance(each, QueryParameter))


def check_query(request: Request[Any, Any, Any]) -> None:
    """Refuse a query parameter that the route does not take: one that is mistyped would be passed over.

    Raises:
        UsageError: there is one, and the route takes others.
    """
    known = _query_names(request.route_handler)
    unknown = [name for name in request.query_params if name not in known]
    if known and unknown:
        raise UsageError(f"unknown query parameter {unknown[0]!r}", f"known are {', '.join(known)}")


def at_most(name: str, given: int, settings: Settings, limit: str) -> int:
    """A number that was asked for, if a limit allows it.

    Raises:
        LimitReached: it does not.
    """
    most = getattr(settings, limit)
    if given > most:
        raise LimitReached(f"{name} is {given}", f"ask for {most} or less", limit)
    return given


def page(
    kind: type[P], keys: Sequence[Key], cursor: str | None, limit: int, settings: Settings, make: Callable[[int], Any]
) -> P:
    """A page of a sorted list; the cursor is the key of the last item before it, so that pages survive a crawl."""
    at_most("limit", limit, settings, "max_k")
    start = bisect_right(keys, decode(cursor)) if cursor is not None else 0
    end = min(start + limit, len(keys))
    following = encode(keys[end - 1]) if end < len(keys) else None
    items = [make(number) for number in range(start, end)]
    return kind(items=items, next=following, total=len(keys))  # type: ignore[call-arg]


def encode(key: Key) -> str:
    r"""A key as a cursor.

    >>> decode(encode(("shop", "orders.csv")))
    ('shop', 'orders.csv')
    """
    text = "\0".join(key).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(text).decode("ascii").rstrip("=")


def decode(cursor: str) -> Key:
    """The key in a cursor.

    Raises:
        UsageError: it is none.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return tuple(text.decode("utf-8", "surrogatepass").split("\0"))
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"{cursor[:100]!r} is no cursor", "give `next` of the page before, as it is") from error
