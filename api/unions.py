"""Tables whose columns align with a table's: found by the vectors and the value sets of its columns."""

from __future__ import annotations

from collections import defaultdict

from tablelens.discover.joins import Request, find_joins
from tablelens.discover.query import query_of_place
from tablelens.profile.names import name_similarity
from tablelens.types import Mode

from . import wire
from .schemas import UnionHit, Unions
from .snapshot import Snapshot

CANDIDATES = 100
ALIKE = 0.3
"""Least likeness of two columns that align."""
Pair = tuple[float, int, int]


def find_unions(snapshot: Snapshot, number: int, k: int, threshold: float) -> Unions:
    """Tables that could stand below one.

    Two columns are alike by the greatest of Jaccard, cosine and, of numbers and dates, the likeness of their
    distributions, averaged with the likeness of their names. Pairs are taken greedily, the most alike first, each
    column once; a table's score is their sum over the columns of the larger table, so that a table that holds one
    common column among fifty is no union.
    """
    pairs: dict[int, list[Pair]] = defaultdict(list)
    for place in snapshot.places_of(number):
        query = query_of_place(snapshot.view, place)
        mode: Mode = "auto" if query.spread is None else "semantic"  # which looks at distributions
        request = Request(k=CANDIDATES, mode=mode, threshold=0.0, candidates=CANDIDATES)
        for hit in find_joins(query, request).hits:
            other = snapshot.place_of_ref(hit.column.id)
            alike = max(hit.evidence.jaccard, hit.evidence.cosine or 0.0, hit.evidence.spread or 0.0)
            alike = (alike + name_similarity(query.name, hit.column.column)) / 2
            if alike >= ALIKE:
                pairs[snapshot.number_of(other)].append((alike, place, other))
    own = len(snapshot.places_of(number))
    found = []
    for table, several in pairs.items():
        aligned = _aligned(several)
        score = sum(alike for alike, _, _ in aligned) / max(own, len(snapshot.places_of(table)))
        if score >= threshold:
            found.append((score, table, aligned))
    found.sort(key=lambda each: (-each[0], each[1]))
    hits = [_hit(snapshot, *each) for each in found[:k]]
    return Unions(table=wire.table_ref(snapshot, number), hits=hits, generation=snapshot.tag)


def _aligned(pairs: list[Pair]) -> list[Pair]:
    """Pairs in which each column comes once, the most alike first."""
    left, right, kept = set(), set(), []
    for alike, mine, theirs in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if mine not in left and theirs not in right:
            left.add(mine)
            right.add(theirs)
            kept.append((alike, mine, theirs))
    return kept


def _hit(snapshot: Snapshot, score: float, table: int, aligned: list[Pair]) -> UnionHit:
    pairs = [
        (wire.column_ref(snapshot, mine), wire.column_ref(snapshot, theirs), round(alike, 4))
        for alike, mine, theirs in aligned
    ]
    return UnionHit(**wire.table_fields(snapshot, table), score=round(score, 4), pairs=pairs)
