"""Joins by composite keys: candidates of the value sets, counted on the files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from tablelens.discover.composite import (
    LEAST,
    Counts,
    Proposal,
    composite_hit,
    propose_keys,
    propose_second,
    ranked,
)
from tablelens.discover.evidence import Query
from tablelens.discover.view import LakeView, Mask
from tablelens.engines.composite import COUNTED, TupleTask
from tablelens.engines.rows import Source
from tablelens.errors import TablelensError
from tablelens.types import CompositeAnswer, CompositeHit, Hit

Run = Callable[[str, Any], pa.Table]
"""Runs a function of ``engines`` on an item, where a hostile file can do no harm."""
CALMER = 0.5
"""What a second pair of columns leaves of the multiplication of rows, at most …"""
KEEPS = 0.5
"""… and share of the tuples that it still matches, at least."""


def join_by_key(view: LakeView, key: Sequence[int], asked: Mask | None, k: int, run: Run) -> CompositeAnswer:
    """The tables that match a composite key, best first."""
    start = time.perf_counter()
    candidates = propose_keys(view, key, asked)
    hits, notes = _counted(view, candidates, run) if candidates else ([], [])
    found = ranked([hit for hit in hits if hit.evidence.containment >= LEAST], k)
    table, names = view.value("table", key[0]), tuple(view.names[place] for place in key)
    seconds = time.perf_counter() - start
    return CompositeAnswer(table, names, found, seconds, view.generation.number, tuple(notes))


def with_key(query: Query, place: int, hit: Hit, run: Run) -> Hit:
    """An n:m hit with a second pair of columns that keeps rows from multiplying, if both tables have one."""
    view, proposals = query.view, propose_second(query, place)
    if not proposals:
        return hit
    try:
        hits, _ = _counted(view, [proposals], run)
    except TablelensError as error:
        return replace(hit, notes=(*hit.notes, f"no composite key was looked for: {error.message}"))
    calm = [
        each for each in hits
        if each.evidence.containment >= KEEPS and each.evidence.explosion <= CALMER * hit.evidence.explosion
    ]  # fmt: skip
    if not calm:
        return hit
    best = min(calm, key=lambda each: (each.evidence.cardinality == "n:m", -each.evidence.containment))
    left = view.names[next(p.key[1] for p in proposals if view.ref(p.places[1]).id == best.columns[1].id)]
    note = (
        f"with {left} = {best.columns[1].column} too it is {best.evidence.cardinality}: "
        f"{best.evidence.explosion:g} rows for each row, not {hit.evidence.explosion:g}"
    )
    return replace(hit, key=best, notes=(*hit.notes, note))


def file_of(view: LakeView, place: int) -> Source:
    """The file that holds a column's table."""
    file = view.file(place)
    return Source(file.path, file.part)


def _counted(
    view: LakeView, candidates: Sequence[Sequence[Proposal]], run: Run
) -> tuple[list[CompositeHit], list[str]]:
    """Every choice of columns counted, and notes on tables that could not be read."""
    first = candidates[0][0].key[0]
    others = [
        (file_of(view, ways[0].places[0]), tuple((_names(view, way.key), _names(view, way.places)) for way in ways))
        for ways in candidates
    ]
    hits, notes = [], []
    for row in run(COUNTED, TupleTask(file_of(view, first), tuple(others))).to_pylist():
        ways, trouble = candidates[row.pop("other")], row.pop("trouble")
        way = ways[row.pop("pair")]
        if trouble is not None:
            notes.append(f"{view.value('table', way.places[0])} was not read: {trouble}")
            continue
        counts = Counts(**(row | {name: tuple(row[name]) for name in ("matched", "unmatched")}))
        hits.append(composite_hit(view, way, counts))
    return hits, notes


def _names(view: LakeView, places: Sequence[int]) -> tuple[str, ...]:
    return tuple(view.names[place] for place in places)
