"""The verdicts beside the catalogue, as queries read them: a copy, so that asking opens no database.

The table ``verdicts`` of the catalogue is the truth; ``home/verdicts.json`` is written anew after each change.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tablelens.errors import CatalogError
from tablelens.types import Verdict

FILE = "verdicts.json"


def publish(home: Path, verdicts: Sequence[Verdict]) -> None:
    """Write the copy, by one rename."""
    rows = [[verdict.left, verdict.right, verdict.joins, verdict.note, verdict.decided] for verdict in verdicts]
    partial = home / f"{FILE}.tmp"
    try:
        partial.write_text(json.dumps(rows, ensure_ascii=True), encoding="ascii")
        partial.replace(home / FILE)
    except OSError as error:
        raise CatalogError(f"cannot write {home / FILE}: {error}", "make room on the disk and give it again") from error


def published(home: Path) -> tuple[Verdict, ...]:
    """The verdicts of the copy; none where there is no copy.

    Raises:
        CatalogError: the copy is damaged.
    """
    try:
        rows = json.loads((home / FILE).read_text(encoding="ascii"))
        return tuple(Verdict(tuple(left), tuple(right), *rest) for left, right, *rest in rows)
    except FileNotFoundError:
        return ()
    except (ValueError, TypeError) as error:
        raise CatalogError(
            f"{home / FILE} is damaged: {error}", "crawl again: it is written anew from the catalogue"
        ) from error
