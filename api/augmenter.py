"""The process of an augmentation that the service started: progress, report or error as JSON lines."""

from __future__ import annotations

import json
import sys

from tablelens.errors import TablelensError
from tablelens.lake import Lake

from .crawler import say


def main(task: str) -> None:
    """Augment as the JSON of the task says, by the lakes that it names alone. SIGTERM ends it early."""
    asked = json.loads(task)
    steps: list[str] = []

    def told(step: str) -> None:
        steps.append(step)
        say("progress", {"stage": step, "done": len(steps), "total": 0})

    try:
        lake = Lake.open(asked["home"], **asked["settings"]).only(asked["lakes"])
        found = lake.augment(asked["table"], asked["target"], **asked["options"], told=told)
        from tablelens.augment.report import document  # scikit-learn, once it is known to be there

        say("report", document(found))
    except TablelensError as error:
        say("error", {"message": str(error)})
    except KeyboardInterrupt:
        sys.exit(130)
