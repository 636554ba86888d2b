"""The process of a crawl that the service started: progress, report or error as JSON lines on standard output."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from tablelens.errors import TablelensError
from tablelens.lake import Lake

INTERVAL = 0.2
"""Least seconds between two lines of progress."""


def main(task: str) -> None:
    """Crawl as the JSON of the task says. SIGTERM ends it early; what was read is kept."""
    asked = json.loads(task)
    try:
        lake = Lake.open(asked["home"], **asked["settings"])
        report = lake.crawl(Path(asked["path"]), asked["lake"], refresh=asked["refresh"], progress=Lines())
        say("report", report.as_dict())
    except TablelensError as error:
        say("error", {"message": str(error)})
    except KeyboardInterrupt:
        sys.exit(130)


class Lines:
    """Progress as lines."""

    def __init__(self) -> None:
        self._stage, self._done, self._total, self._bytes, self._told = "", 0, 0, 0, 0.0

    def start(self, stage: str, items: int, size: int) -> None:
        """A stage begins."""
        self._stage, self._done, self._total, self._bytes = stage, 0, items, 0
        self._tell()

    def advance(self, items: int, size: int) -> None:
        """So many more are done."""
        self._done += items
        self._bytes += size
        if time.monotonic() - self._told > INTERVAL:
            self._tell()

    def end(self) -> None:
        """The stage is over."""
        self._tell()

    def _tell(self) -> None:
        self._told = time.monotonic()
        say("progress", {"stage": self._stage, "done": self._done, "total": self._total, "bytes": self._bytes})


def say(event: str, data: dict[str, Any]) -> None:
    """One line, at once."""
    sys.stdout.write(json.dumps({"event": event, **data}) + "\n")
    sys.stdout.flush()
