"""One pair of columns in full: what the value sets say, and what the cells of both files say one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from tablelens.discover.joins import explain_join
from tablelens.discover.matching import with_matching, worth_matching
from tablelens.discover.query import query_of_place
from tablelens.discover.view import LakeView
from tablelens.engines.base import WorkFailure
from tablelens.engines.cells import MATCHED, MatchTask
from tablelens.engines.local import LocalEngine
from tablelens.engines.rows import received
from tablelens.errors import TablelensError, UnreadableFile
from tablelens.match.pairs import Pairs
from tablelens.pipeline.composite import Run, file_of, with_key
from tablelens.settings import Settings
from tablelens.types import Hit

MULTIPLIED = 1.5
"""Rows for each row of the query from which on a second pair of columns is looked for."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A hit, and the pairs of cells behind it where they were compared."""

    hit: Hit
    pairs: Pairs | None = None


def explain_columns(view: LakeView, left: int, right: int, judged: Mapping[int, bool], run: Run) -> Explained:
    """The evidence on two columns of a lake by their places.

    Files that cannot be read take nothing from what the value sets say; a note tells.
    """
    found = compare_columns(view, left, right, judged, run)
    if found.hit.evidence.cardinality == "n:m" and found.hit.evidence.explosion > MULTIPLIED:
        return replace(found, hit=with_key(query_of_place(view, left), right, found.hit, run))
    return found


def compare_columns(view: LakeView, left: int, right: int, judged: Mapping[int, bool], run: Run) -> Explained:
    """The same without a look for a composite key."""
    query = query_of_place(view, left)
    hit = explain_join(query, right, judged=judged)
    if not worth_matching(query, right, hit):
        return Explained(hit)
    try:
        pairs = matched_pairs(view, left, right, run)
    except TablelensError as error:
        return Explained(replace(hit, notes=(*hit.notes, f"cells were not compared one by one: {error.message}")))
    return Explained(with_matching(query, right, hit, pairs), pairs)


def matched_pairs(view: LakeView, left: int, right: int, run: Run) -> Pairs:
    """The matches of the cells of two columns, read from their files."""
    names = [view.value("column", place) for place in (left, right)]
    return Pairs.of(run(MATCHED, MatchTask(file_of(view, left), names[0], file_of(view, right), names[1])))


def run_limited(settings: Settings) -> tuple[LocalEngine, Run]:
    """A worker process with the limits of a crawl, and what runs work in it."""
    engine = LocalEngine(1, settings.worker_memory_mb, settings.read_seconds, retries=0)

    def run(function: str, item: Any) -> pa.Table:
        ((_, result),) = engine.map(function, [item], settings=settings)
        if isinstance(result, WorkFailure):
            raise UnreadableFile(f"the file cannot be read: {result.message}", "crawl again", result.reason)
        return received(result)

    return engine, run
