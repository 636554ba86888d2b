"""``/mcp``: MCP over streamable HTTP, without sessions. The package is imported with the first request."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar.handlers import ASGIRouteHandler, asgi
from litestar.types import Receive, Scope, Send

from tablelens.errors import MissingExtra

from .service import Service


class McpEndpoint:
    """Hands requests to the MCP server, and starts that with the first one."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._starting = asyncio.Lock()
        self._ended = asyncio.Event()
        self._manager: Any = None
        self._task: asyncio.Task[None] | None = None

    @property
    def handler(self) -> ASGIRouteHandler:
        """The route."""

        @asgi("/mcp", is_mount=False, copy_scope=False)
        async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
            manager = await self._started()
            await manager.handle_request(scope, receive, send)

        return mcp

    async def close(self) -> None:
        """End what was started."""
        self._ended.set()
        if self._task is not None:
            await self._task

    async def _started(self) -> Any:
        async with self._starting:
            if self._manager is None:
                try:
                    from .mcp import make_manager
                except ImportError as error:
                    raise MissingExtra.of("mcp", "mcp", "MCP") from error
                manager, ready = make_manager(self._service), asyncio.Event()
                self._task = asyncio.create_task(self._run(manager, ready))
                await ready.wait()
                self._manager = manager
            return self._manager

    async def _run(self, manager: Any, ready: asyncio.Event) -> None:
        async with manager.run():
            ready.set()
            await self._ended.wait()
