"""The audit log: who changed what, who was turned away. JSON lines in ``audit.log`` of the home."""

from __future__ import annotations

import json
import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

log = logging.getLogger("tablelens.audit")
BYTES, FILES = 10_000_000, 5


def open_audit_log(home: Path) -> logging.Handler:
    """Write the audit log into a home; the handler, to be closed at the end."""
    home.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(home / "audit.log", maxBytes=BYTES, backupCount=FILES, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    return handler


def audit(event: str, scope: Any, **facts: Any) -> None:
    """Note an event of a request."""
    state = scope.get("state", {})
    visitor, client = state.get("visitor"), scope.get("client")
    note = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "event": event,
        "key": visitor.id if visitor else "",
        "address": client[0] if client else "",
        "request_id": state.get("request_id", ""),
        "path": scope.get("path", ""),
        **facts,
    }
    log.info(json.dumps(note))  # ASCII: what came from outside cannot steer a terminal or break a line
