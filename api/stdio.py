"""MCP on standard input and output: what ``tablelens mcp`` runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tablelens.settings import Settings

from .logs import configure
from .mcp import make_server
from .service import Service


def serve(home: Path, settings: Settings) -> None:
    """Serve one client until it ends. Logs go to standard error."""
    configure()
    asyncio.run(_serve(Service(home, settings)))


async def _serve(service: Service) -> None:
    await service.start()
    try:
        await make_server(service).run_stdio_async()
    finally:
        await service.stop()
