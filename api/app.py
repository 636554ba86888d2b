"""The application factory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.static_files import create_static_files_router

from tablelens import __version__
from tablelens.settings import Settings, find_home

from . import uploads
from .access import PUBLIC, begin, guard
from .augmentations import AugmentationController
from .columns import ColumnController
from .crawls import CrawlController
from .document import complete
from .edge import Edge
from .errors import answer_error
from .joins import JoinController
from .lakes import LakeController
from .mcp_endpoint import McpEndpoint
from .metrics import Metrics
from .paths import PathController
from .probes import ProbeController
from .projection import MapController
from .search import SearchController
from .service import Service
from .system import HealthController, StatusController
from .tables import TableController
from .tracing import traced
from .verdicts import VerdictController

PAGE = Path(__file__).parent / "web"
CONTROLLERS = (
    *(HealthController, StatusController, LakeController, TableController, ColumnController, JoinController),
    *(VerdictController, SearchController, PathController, MapController, CrawlController, ProbeController),
    AugmentationController,
)
DESCRIPTION = """Find which columns of a data lake join, by value and by meaning; prove it, explain it, do the join.

Where the home has keys, send one as `Authorization: Bearer tl_…`. Every failure is a problem document (RFC 9457) with
`code`, `hint` and `request_id`. Routes that read the lake have an `ETag`; lists have a cursor, `next`."""


def create_app(
    home: str | Path | None = None, settings: Settings | None = None, *, hosts: Iterable[str] = ()
) -> Litestar:
    """The application of one home.

    Args:
        home: the home, else $TABLELENS_HOME, else the nearest ``.tablelens`` upward.
        settings: those of the home, if none are given.
        hosts: names beside localhost under which the service is asked.
    """
    where = find_home(str(home) if home is not None else None)
    service = Service(where, settings or Settings.load(where))
    metrics = Metrics()
    endpoint = McpEndpoint(service)

    @asynccontextmanager
    async def life(app: Litestar) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await endpoint.close()
            end_traces()
            await service.stop()

    app = Litestar(
        route_handlers=[*CONTROLLERS, uploads.controller(service.settings), endpoint.handler, _page()],
        openapi_config=_openapi(),
        lifespan=[life],
        guards=[guard],
        before_request=begin,
        dependencies={
            "service": Provide(lambda: service, sync_to_thread=False),
            "metrics": Provide(lambda: metrics, sync_to_thread=False),
        },
        exception_handlers={Exception: answer_error},
        logging_config=None,  # whoever runs it says where logs go
        request_max_body_size=service.settings.max_body_mb * 1_000_000,
        multipart_form_part_limit=50,
    )
    app.state.service = service
    complete(app.openapi_schema)
    app.asgi_handler, end_traces = traced(Edge(app.asgi_handler, service, metrics, frozenset(hosts)))
    return app


def _page() -> Router:
    return create_static_files_router(path="/", directories=[PAGE], html_mode=True, opt=PUBLIC, name="page")


def _openapi() -> OpenAPIConfig:
    key: dict[str, Any] = {"type": "http", "scheme": "bearer", "description": "a key made by `tablelens keys create`"}
    return OpenAPIConfig(
        title="tablelens",
        version=__version__,
        description=DESCRIPTION,
        openapi_router=Router(path="/schema", route_handlers=[], opt=PUBLIC, include_in_schema=False),
        render_plugins=[JsonRenderPlugin()],
        use_handler_docstrings=True,
        components=Components(security_schemes={"key": SecurityScheme(**key)}),
        security=[{"key": []}, {}],
    )
