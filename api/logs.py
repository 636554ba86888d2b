"""Logs: one JSON object a line on standard error, or plain lines where that is a terminal."""

from __future__ import annotations

import json
import logging
import sys
import time

FIELDS = ("request_id", "route", "status", "ms", "key", "path")


class JsonLines(logging.Formatter):
    """A record as JSON. ASCII only, so that nothing from outside can break a line or steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        said = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        said |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


class Plain(logging.Formatter):
    """The same for a person."""

    def format(self, record: logging.LogRecord) -> str:
        """A line, and the traceback where there is one."""
        text = (
            f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {record.levelname:<7} {record.getMessage()}"
        )
        text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(level: int = logging.INFO) -> None:
    """Send the logs of the service and of its server to standard error, and what others warn of."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Plain() if sys.stderr.isatty() else JsonLines())
    for name in ("", "tablelens", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level if name == "tablelens" else logging.WARNING)
