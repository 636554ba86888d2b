"""Composite keys: which tables have two or three columns that together match those of a table.

The value arm finds for each column of the key the columns that hold its values. A table is a candidate where every
column of the key finds one of its own; the share of tuples that match is at most the least share of single values, and
by that bound the best candidates are chosen. Their tuples are then counted on the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tablelens.discover.condition import condition_of
from tablelens.discover.evidence import Query, cardinality, count, held_cells
from tablelens.discover.query import query_of_place
from tablelens.discover.sql import join
from tablelens.discover.view import LakeView, Mask
from tablelens.errors import UsageError
from tablelens.index.facts import FAMILIES
from tablelens.profile.names import name_similarity
from tablelens.types import CompositeHit, Evidence, Ids

LEAST = 0.2
"""Least share of the values of each column of the key, and of its tuples, that a candidate holds."""
PROPOSED = 2_000
"""Columns that the value arm gives for one column of the key."""
TABLES = 24
"""Candidate tables whose tuples are counted."""
EACH = 3
"""Columns of a candidate table that are tried for one column of the key."""
WAYS = 6
"""Choices of columns that are tried in one candidate table."""
MOST = 3
ALIKE = 0.5
"""Least likeness of names, in the mean, where all columns of the key hold numbers."""
SECOND = 0.5
"""Least share of its values that a second column must hold, for a key of two to be proposed."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Columns of one table that may match a key together, in its order."""

    key: tuple[int, ...]
    places: tuple[int, ...]
    bound: float
    """The greatest share of tuples that can match."""


def key_places(view: LakeView, table: str, columns: Sequence[str]) -> tuple[int, ...]:
    """The places of a key's columns.

    Raises:
        UnknownTable, UnknownColumn: as they say.
        UsageError: they are not two or three different columns that can join.
    """
    places = tuple(view.column(table, column) for column in columns)
    if not 2 <= len(set(places)) == len(places) <= MOST:
        raise UsageError(f"a composite key of {', '.join(columns) or 'nothing'}", "name two or three different columns")
    for place in places:
        if why := view.value("excluded", place):
            raise UsageError(f"{view.names[place]!r} takes no part in joins: {why}", "choose another column")
    return places


def propose_keys(view: LakeView, key: Sequence[int], asked: Mask | None = None) -> list[list[Proposal]]:
    """Candidate tables, the best first, each with the choices of columns to try."""
    queries = [query_of_place(view, place) for place in key]
    found = [_holders(query, asked) for query in queries]
    tables = set.intersection(*(set(by_table) for by_table in found))
    made = [_ways(view, key, [by_table[table] for by_table in found]) for table in sorted(tables)]
    ranked = sorted((ways for ways in made if ways), key=lambda ways: (-ways[0].bound, -_alike(view, ways[0])))
    return ranked[:TABLES]


def propose_second(query: Query, place: int) -> list[Proposal]:
    """Keys of two for a pair of columns: other columns of both tables that hold each other's values."""
    view = query.view
    theirs = np.array([p for p in view.places_of(int(view.table_ids[place])).tolist() if p != place and view.usable[p]])
    made: list[Proposal] = []
    for other in view.places_of(query.table_id).tolist():
        if other == query.place or not view.usable[other] or not len(theirs):
            continue
        shares = count(query_of_place(view, other), theirs).containment
        pairs = zip(theirs.tolist(), shares.tolist(), strict=True)
        made += [Proposal((query.place, other), (place, p), share) for p, share in pairs if share >= SECOND]
    return sorted(made, key=lambda each: (-each.bound - _alike(view, each), each.places))[:WAYS]


def _holders(query: Query, asked: Mask | None) -> dict[int, list[tuple[int, float]]]:
    """For each table its columns that hold most of a column's values, with their shares."""
    view = query.view

    def allowed(places: Ids) -> Mask:  # of whatever family: 01 is text beside MA and a number beside 02
        marks: Mask = view.usable[places] & (view.table_ids[places] != query.table_id)
        return marks if asked is None else marks & asked[places]

    shared = view.generation.postings.overlaps(query.places, PROPOSED, allowed)
    counted = count(query, shared.columns, shared.counts)
    kept = np.flatnonzero(counted.containment >= LEAST)
    order = kept[np.lexsort((-counted.jaccard[kept], -counted.containment[kept]))]
    found: dict[int, list[tuple[int, float]]] = {}
    for i in order.tolist():
        place = int(counted.places[i])
        found.setdefault(int(view.table_ids[place]), []).append((place, float(counted.containment[i])))
    return {table: columns[:EACH] for table, columns in found.items()}


def _ways(view: LakeView, key: Sequence[int], columns: Sequence[list[tuple[int, float]]]) -> list[Proposal]:
    """Choices of different columns of one table, the likeliest first."""
    made = [
        Proposal(tuple(key), tuple(place for place, _ in way), min(share for _, share in way))
        for way in product(*columns)
        if len({place for place, _ in way}) == len(key)
    ]
    if all(view.family[place] == FAMILIES.index("number") for place in key):  # numbers meet by accident
        made = [way for way in made if _alike(view, way) >= ALIKE]
    return sorted(made, key=lambda each: (-round(each.bound, 2), -_alike(view, each), each.places))[:WAYS]


def _alike(view: LakeView, proposal: Proposal) -> float:
    """How alike the names are, in the mean."""
    pairs = zip(proposal.key, proposal.places, strict=True)
    return sum(name_similarity(view.names[a], view.names[b]) for a, b in pairs) / len(proposal.key)


@dataclass(frozen=True, slots=True)
class Counts:
    """What the tuples of two keys share."""

    overlap: int
    left: int
    right: int
    left_rows: int
    right_rows: int
    join_rows: int
    matched: tuple[str, ...]
    unmatched: tuple[str, ...]


def composite_hit(view: LakeView, proposal: Proposal, counts: Counts) -> CompositeHit:
    """A counted key as people and programs get it."""
    first, other = proposal.key[0], proposal.places[0]
    whole = counts.left + counts.right - counts.overlap
    evidence = Evidence(
        overlap=counts.overlap,
        containment=round(counts.overlap / max(counts.left, 1), 6),
        reverse_containment=round(counts.overlap / max(counts.right, 1), 6),
        jaccard=round(counts.overlap / max(whole, 1), 6),
        cardinality=cardinality(counts.left == counts.left_rows, counts.right == counts.right_rows),
        join_rows=counts.join_rows,
        explosion=round(counts.join_rows / max(int(view.rows[first]), 1), 3),
        matched=counts.matched,
        unmatched=counts.unmatched,
    )
    conditions: list[str] = []
    notes: list[str] = []
    for mine, theirs in zip(proposal.key, proposal.places, strict=True):
        query = query_of_place(view, mine)
        on = condition_of(query, theirs, held_cells(query, theirs))
        conditions.append(on.sql)
        notes += on.notes
    sources = view.source(first), view.source(other)
    made = join(sources[0].sql, sources[1].sql, "\n AND ".join(conditions))
    told = dict.fromkeys([*notes, *sources[0].notes, *sources[1].notes])
    return CompositeHit(tuple(view.ref(place) for place in proposal.places), evidence, made, tuple(told))


def ranked(hits: Sequence[CompositeHit], k: int) -> tuple[CompositeHit, ...]:
    """The best hit of each table, by the share of tuples that match, then by Jaccard."""
    order = sorted(hits, key=lambda hit: (-hit.evidence.containment, -hit.evidence.jaccard, str(hit.columns[0])))
    best = {(hit.columns[0].lake, hit.columns[0].table): hit for hit in reversed(order)}
    return tuple(hit for hit in order if best[hit.columns[0].lake, hit.columns[0].table] is hit)[:k]
