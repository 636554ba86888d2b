"""Run the service: one server a home, on the loopback address unless there are keys."""

from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

import uvicorn

from tablelens.errors import CatalogLocked, UsageError
from tablelens.settings import Settings

from .app import create_app
from .keys import KeyRing
from .logs import configure
from .patience import Patient
from .service import Service

LOCK = "serve.lock"


def serve(home: Path, settings: Settings, host: str, port: int, hosts: Iterable[str] = ()) -> None:
    """Serve a home until SIGTERM or Ctrl-C.

    Raises:
        UsageError: another address than the loopback one, and no key; or a port that cannot be had.
        CatalogLocked: another process serves the home.
    """
    if not is_loopback(host) and not KeyRing(home).needed:
        raise UsageError(
            f"on {host} anybody in the network could read the lake", "make a key first: tablelens keys create"
        )
    configure()
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    with held(home, url):
        app = create_app(home, settings, hosts=[*hosts, host])
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=Patient,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        )
        server = Server(config, app.state.service, f"tablelens serves {home} at {url}")
        try:
            server.run()
        except SystemExit as error:  # uvicorn has said why, and leaves with a code of its own
            raise UsageError(f"cannot serve at {url}", "is the port taken? choose another --port") from error


class Server(uvicorn.Server):
    """Uvicorn, which tells when it is ready, and tells the service at once when it shall stop."""

    def __init__(self, config: uvicorn.Config, service: Service, greeting: str) -> None:
        super().__init__(config)
        self._service = service
        self._greeting = greeting

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Start, and say where."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            asyncio.get_running_loop().run_in_executor(None, self._service.warm_reader)
            print(self._greeting, file=sys.stderr, flush=True)  # noqa: T201 - the command's own word

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or Ctrl-C: take nothing new, let what runs end."""
        self._service.drain()
        super().handle_exit(sig, frame)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0"), is_loopback("localhost")
    (True, False, True)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def held(home: Path, url: str) -> Iterator[None]:
    """Hold a home for this server; the lock goes with the process, however that ends.

    Raises:
        CatalogLocked: another process serves it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CatalogLocked(
                f"{home} is served already by {_holder(file)}", "ask that server, or stop it first"
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} at {url}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read(500) or "another process"
