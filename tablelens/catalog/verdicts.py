"""The verdicts beside the catalogue, as queries read them: a copy, so that asking opens no database.

The table ``verdicts`` of the catalogue is the truth; ``home/verdicts.json`` is written anew after each change.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

from tablelens.catalog.store import Catalog
from tablelens.errors import CatalogError
from tablelens.types import Verdict

FILE = "verdicts.json"


_CHANGING = threading.Lock()
"""Other processes are kept out by the catalogue's own lock, other threads by this one."""


def change(home: Path, said: Verdict, keep: bool) -> bool:
    """Keep a verdict, or forget the one on its pair; whether there was one to forget.

    Raises:
        CatalogLocked: another process is writing.
    """
    with _CHANGING, Catalog(home / "catalog.duckdb") as catalog:
        if keep:
            catalog.decide(said)
        known = keep or catalog.undecide(said)
        publish(home, catalog.verdicts())
    return known


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
