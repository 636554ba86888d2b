"""The columns in the plane: their vectors' first two principal components."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from litestar import Controller, Request, get
from litestar.params import QueryParameter

from .access import LAKE, snapshot_of
from .errors import documented
from .parameters import LakeName
from .schemas import Map
from .service import Served
from .snapshot import Snapshot

MOST = 100_000
"""Columns that a map may show."""


class MapController(Controller):
    """The map of columns."""

    path = "/v1/map"
    tags = ("Map",)

    @get("/", operation_id="getMap", summary="Columns in the plane", opt=LAKE, responses=documented())
    async def map(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        lake: LakeName = None,
        limit: Annotated[int, QueryParameter(ge=1, le=MOST, description="how many columns, a fixed sample")] = 5000,
    ) -> Map:
        """Columns with a vector; near one another where their vectors are. Coordinates lie between -1 and 1."""
        return await service.run(_map, snapshot_of(request), lake, limit)


def _map(snapshot: Snapshot, lake: str | None, limit: int) -> Map:
    view = snapshot.view
    places = np.flatnonzero(view.embedded)
    if lake is not None:
        asked = view.matching(lake, None, None)
        places = places[asked[places]] if asked is not None else places
    total = len(places)
    if total > limit:
        places = np.sort(np.random.default_rng(0).choice(places, limit, replace=False))
    x, y = snapshot.plane[places].T
    some = view.generation.columns.select(["column", "table", "lake", "kind"]).take(places)
    return Map(
        ids=[snapshot.columns[place] for place in places.tolist()],
        names=some["column"].to_pylist(),
        tables=some["table"].to_pylist(),
        lakes=some["lake"].to_pylist(),
        kinds=some["kind"].to_pylist(),
        x=np.round(x, 4).tolist(),
        y=np.round(y, 4).tolist(),
        total=total,
        generation=snapshot.tag,
    )
