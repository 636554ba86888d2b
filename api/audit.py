"""The audit log: who changed what, who was turned away. JSON lines in ``audit.log`` of the home."""

from __future__ import annotations

import json
import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

BYTES, FILES = 10_000_000, 5


class AuditLog:
    """The log of one home; it begins a new file when one is full, and keeps the last five."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._log = logging.Logger("tablelens.audit", logging.INFO)

    def open(self) -> None:
        """Begin to write."""
        self._home.mkdir(parents=True, exist_ok=True)
        path = self._home / "audit.log"
        handler = RotatingFileHandler(path, maxBytes=BYTES, backupCount=FILES, encoding="utf-8", delay=True)
        handler.setFormatter(logging.Formatter("%(message)s"))
        self._log.addHandler(handler)

    def close(self) -> None:
        """Write no more."""
        for handler in list(self._log.handlers):
            self._log.removeHandler(handler)
            handler.close()

    def note(self, event: str, scope: Any, **facts: Any) -> None:
        """Note an event of a request."""
        state = scope.get("state", {})
        visitor, client = state.get("visitor"), scope.get("client")
        said = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "event": event,
            "key": visitor.id if visitor else "",
            "address": client[0] if client else "",
            "request_id": state.get("request_id", ""),
            "path": scope.get("path", ""),
            **facts,
        }
        self._log.info("%s", json.dumps(said))  # ASCII: what came from outside cannot steer a terminal or break a line


def audit(event: str, scope: Any, **facts: Any) -> None:
    """Note an event in the log of the service that the request came to."""
    scope["litestar_app"].state.service.audit.note(event, scope, **facts)
