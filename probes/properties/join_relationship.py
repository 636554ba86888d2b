"""P3. Are columns that join nearer to each other, the more so the better they join?"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tablelens.profile.normalize import normalize
from tablelens.types import Vectors

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed
from ..data.dataset import Dataset, is_text
from ..measures import auc, containment, cosine, jaccard, multiset_jaccard, spearman

if TYPE_CHECKING:
    from ..runner import Probe

BINS = 5
A_BIN = 8
"""Pairs of each bin of containment for each query table; half of them are drawn from pairs that share nothing."""
JOINABLE = 0.5
Place = tuple[int, int]
Embedded = Sequence[Vectors | Skip]
Values = Mapping[Place, list[str]]


class JoinRelationship(Property):
    """Pairs of text columns of different tables, over all degrees of containment; those that share nothing belong in.

    Observatory leaves pairs that do not join out, which narrows the range that a rank correlation sees.
    """

    meta = Meta(
        id="join_relationship",
        title="Join relationship",
        question="Are columns that join nearer to each other, the more so the better they join?",
        levels=("column",),
        headline="spearman containment",
        measures={
            "spearman containment": "rank correlation of cosine and containment of the first in the second column",
            "spearman jaccard": "rank correlation of cosine and Jaccard",
            "spearman multiset": "rank correlation of cosine and multiset Jaccard",
            "spearman score": "rank correlation of what the index ranks by (query · candidate) and containment",
            "join auc": f"chance that a pair with containment ≥ {JOINABLE} is nearer than one that shares nothing",
        },
        limits=Limits(0.5, 0.25),
        paper="P3",
        reference="Observatory, PVLDB 17(4), 2023",
        floor=0.0,
        join_discovery=True,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """For each query table rows of (cosine, score, containment, Jaccard, multiset Jaccard)."""
        del variants
        dataset = probe.dataset
        rng = probe.random(self.meta.id)
        chosen = pairs(dataset, rng)
        candidates = probe.embedder.embed_all(dataset.tables, level)
        queries = probe.embedder.embed_all(dataset.tables, level, queries=True)
        values = {
            (t, c): _values(column) for t, table in enumerate(dataset.tables) for c, column in enumerate(table.columns)
        }
        for t, table in enumerate(dataset.tables):
            try:
                yield self._observation(table.name, chosen.get(t, []), candidates, queries, values)
            except Skip as error:
                yield observed(table.name, error)

    def _observation(
        self, name: str, chosen: list[tuple[Place, Place]], candidates: Embedded, queries: Embedded, values: Values
    ) -> Observation:
        if not chosen:
            raise Skip("no-pair")
        rows = []
        for (t, c), (u, d) in chosen:
            left, right, asked = (_given(found) for found in (candidates[t], candidates[u], queries[t]))
            near = float(cosine(left[c], right[d])[0])
            score = float(asked[c].astype(np.float64) @ right[d])
            a, b = values[t, c], values[u, d]
            rows.append((near, score, containment(a, b), jaccard(a, b), multiset_jaccard(a, b)))
        sample = np.array(rows)
        return Observation(name, self._figures(sample), sample=sample, items=len(rows))

    def statistics(self, seen: Sequence[Observation]) -> dict[str, float]:
        """Over all pairs of these tables together."""
        return self._figures(np.concatenate([found.sample for found in seen]))

    def _figures(self, rows: np.ndarray[Any, Any]) -> dict[str, float]:
        near, score, contained, shared, multi = rows.T
        return {
            "spearman containment": spearman(near, contained),
            "spearman jaccard": spearman(near, shared),
            "spearman multiset": spearman(near, multi),
            "spearman score": spearman(score, contained),
            "join auc": auc(near[contained >= JOINABLE], near[contained == 0]),
        }


def pairs(dataset: Dataset, rng: random.Random) -> dict[int, list[tuple[Place, Place]]]:
    """For each table pairs of its text columns with others': some of each bin of containment, half share nothing."""
    sets = {
        (t, c): set(_values(column))
        for t, table in enumerate(dataset.tables)
        for c, column in enumerate(table.columns)
        if sum(map(is_text, column)) * 2 > table.rows and len(set(column)) > 2
    }
    chosen: dict[int, list[tuple[Place, Place]]] = {}
    for t in range(len(dataset.tables)):
        bins: dict[int, list[tuple[Place, Place]]] = defaultdict(list)
        for query in [place for place in sets if place[0] == t]:
            for other, values in sets.items():
                if other[0] != t:
                    share = containment(sets[query], values)
                    bins[0 if share == 0 else 1 + min(int(share * BINS), BINS - 1)].append((query, other))
        some = [pair for number in range(1, BINS + 1) for pair in _drawn(bins[number], A_BIN, rng)]
        chosen[t] = some + _drawn(bins[0], max(len(some), A_BIN // 2), rng)
    return chosen


def _given(found: Vectors | Skip) -> Vectors:
    if isinstance(found, Skip):
        raise found
    return found


def _drawn(found: list[tuple[Place, Place]], count: int, rng: random.Random) -> list[tuple[Place, Place]]:
    return rng.sample(found, min(count, len(found)))


def _values(column: Sequence[str]) -> list[str]:
    return [value for cell in column if (value := normalize(cell)) is not None]
