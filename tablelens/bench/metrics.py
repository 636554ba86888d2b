"""How good a ranking is, against a truth that gives each candidate a gain.

For one query let G be the gains of all candidates that are worth anything, in falling order, and g1, g2 … the gains
of the ranking's columns (0 where the truth has none):

- precision@k: what the first k have in common with a perfect first k, over min(k, |G|). Where several candidates tie
  for the last places, any of them fills such a place, but no more of them count than there are places;
- recall@k: partners (gain at or above ``relevant``) among the first k, over all partners;
- capped recall@k: the same over min(k, all partners), so that 1 can be reached;
- NDCG@k: sum of gains with discount 1 / log2(rank + 1), over the same of the perfect ranking.

Columns of the query's own table, the query itself and repeated columns never count: they are taken out first. A
measure that has nothing to divide by is NaN for that query and left out of means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tablelens.bench.pack import PackColumn, PackQuery, QuerySet, folded

Floats = npt.NDArray[np.float64]
SAME = 1e-7
"""Gains closer than this tie."""
MEASURES = ("precision", "recall", "capped_recall", "ndcg", "same_name", "outside")


@dataclass(frozen=True, slots=True)
class Score:
    """Measures of one ranking, or their means over many, at one k."""

    k: int
    precision: float
    recall: float
    capped_recall: float
    ndcg: float
    same_name: float
    """Share of the first k that are called as the query is, letter case apart."""
    outside: float
    """Share of the first k that are no candidates of the truth: it tells nothing of them, they count as wrong."""


def precision(found: Floats, ideal: Floats, k: int) -> float:
    """Tie-aware precision@k of gains in ranking order; ``ideal`` are all gains, falling.

    >>> precision(np.array([0.5, 0.5]), np.array([1.0, 0.5, 0.5]), 2)
    0.5
    """
    places = min(k, len(ideal))
    if not places:
        return float("nan")
    last = ideal[places - 1]
    better = int((ideal[:places] > last + SAME).sum())
    top = found[:k]
    ties = int((np.abs(top - last) <= SAME).sum())
    return float(((top > last + SAME).sum() + min(ties, places - better)) / places)


def recall(found: Floats, ideal: Floats, k: int, relevant: float, capped: bool = False) -> float:
    """Share of the partners that are among the first k; capped: of as many as k could hold.

    >>> recall(np.array([0.9, 0.0]), np.array([0.9, 0.8, 0.1]), 1, 0.3, capped=True)
    1.0
    """
    partners = int((ideal >= relevant - 1e-9).sum())
    if not partners:
        return float("nan")
    return float((found[:k] >= relevant - 1e-9).sum() / (min(k, partners) if capped else partners))


def ndcg(found: Floats, ideal: Floats, k: int) -> float:
    """Normalised discounted cumulative gain of the first k.

    >>> ndcg(np.array([1.0, 0.5]), np.array([1.0, 0.5]), 2)
    1.0
    """
    best = _dcg(ideal[:k])
    return _dcg(found[:k]) / best if best > 0 else float("nan")


def reciprocal_rank(ranking: Sequence[int], wanted: int) -> float:
    """1 / rank of the one right answer, 0 where it is not found.

    >>> reciprocal_rank([7, 4], 4)
    0.5
    """
    return 1 / (list(ranking).index(wanted) + 1) if wanted in ranking else 0.0


def admissible(
    ranking: Iterable[int], query: PackQuery, truth: QuerySet, columns: Mapping[int, PackColumn]
) -> list[int]:
    """The columns of a ranking that count: of other tables, once each, and none that the query set drops."""
    own = columns[query.cid].table
    gone = truth.dropped.get(query.id, frozenset())
    kept = [cid for cid in dict.fromkeys(ranking) if cid in columns and columns[cid].table != own and cid not in gone]
    return [cid for cid in kept if columns[cid].in_pool(truth.pool)] if truth.closed else kept


def score(
    ranking: Iterable[int], query: PackQuery, truth: QuerySet, columns: Mapping[int, PackColumn], ks: Sequence[int]
) -> list[Score]:
    """All measures of one query's ranking, of column ids, best first; one score a k."""
    kept = admissible(ranking, query, truth, columns)
    gains = truth.gains[query.id]
    found = np.array([gains.get(cid, 0.0) for cid in kept], np.float64)
    ideal = np.sort(np.fromiter(gains.values(), np.float64, len(gains)))[::-1]
    name = folded(columns[query.cid].name)
    alike = np.array([folded(columns[cid].name) == name for cid in kept], bool)
    outside = np.array([not columns[cid].in_pool(truth.pool) for cid in kept], bool)
    return [
        Score(
            k,
            precision(found, ideal, k),
            recall(found, ideal, k, truth.relevant),
            recall(found, ideal, k, truth.relevant, capped=True),
            ndcg(found, ideal, k),
            float(alike[:k].mean()) if len(alike) else float("nan"),
            float(outside[:k].mean()) if len(outside) else float("nan"),
        )
        for k in ks
    ]


def mean(scores: Sequence[Score]) -> Score:
    """Means over queries of each measure, over the queries for which it is defined."""
    values = np.array([[getattr(one, name) for name in MEASURES] for one in scores], np.float64)
    values = values.reshape(-1, len(MEASURES))
    defined = (~np.isnan(values)).sum(axis=0)
    means = np.where(defined, np.nansum(values, axis=0) / np.maximum(defined, 1), np.nan)
    return Score(scores[0].k if scores else 0, *means.tolist())


def _dcg(gains: Floats) -> float:
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())
