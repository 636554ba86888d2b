"""Probe runs that lie in the home, as ``tablelens probe`` left them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get
from litestar.params import PathParameter

from tablelens.errors import NotFound

from .access import only_admin
from .errors import documented
from .parameters import PAGE, Cursor, Limit, page
from .schemas import ProbePage, ProbeRun
from .service import Served

RunId = Annotated[str, PathParameter(description="id of a run")]


class ProbeController(Controller):
    """Probes."""

    path = "/v1/probes"
    tags = ("Probes",)

    @get("/", operation_id="listProbes", summary="Probe runs, newest first", responses=documented())
    async def runs(
        self, request: Request[Any, Any, Any], service: Served, cursor: Cursor = None, limit: Limit = PAGE
    ) -> ProbePage:
        """Models, data and verdicts of each. Wants the scope admin, for runs name tables."""
        only_admin(request)
        paths = sorted(_folder(service.home).glob("*.json"), reverse=True)
        keys = [(f"{number:06}",) for number in range(len(paths))]
        return await service.run(
            page, ProbePage, keys, cursor, limit, service.settings, lambda at: _short(_read(paths[at]))
        )

    @get("/{run_id:str}", operation_id="getProbe", summary="A probe run", responses=documented())
    async def one(self, request: Request[Any, Any, Any], service: Served, run_id: RunId) -> dict[str, Any]:
        """The run's document without the figures of single tables. Wants the scope admin."""
        only_admin(request)
        known = {path.stem: path for path in _folder(service.home).glob("*.json")}
        if run_id not in known:
            raise NotFound(f"no probe run has the id {run_id!r}", "GET /v1/probes lists them")
        found = await service.run(_read, known[run_id])
        return found | {"results": [{**each, "units": {}} for each in found["results"]]}


def _folder(home: Path) -> Path:
    return home / "probes" / "runs"


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return found


def _short(run: dict[str, Any]) -> ProbeRun:
    return ProbeRun(
        id=run["id"],
        started=run["started"],
        preset=run["preset"],
        dataset=str(run["dataset"].get("name", "")),
        models=[model["name"] for model in run["models"]],
        verdicts=dict(Counter(result["verdict"] for result in run["results"])),
    )
