"""How well vectors rank: NDCG@10 and tie-aware precision@10 against joinability, by exact search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tablelens.training.corpus import Corpus
from tablelens.types import Vectors

K, DEPTH = 10, 200
MOST_QUERIES = 500
DISCOUNT = 1 / np.log2(np.arange(K) + 2)

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over queries; precision by value, as in ``bench.metrics``. ``reranked`` orders the first 200 exactly."""

    ndcg: float
    precision: float
    reranked: float
    queries: int

    @property
    def whole(self) -> float:
        """What early stopping goes by: the mean of NDCG@10 and precision@10 after the re-rank."""
        return (self.ndcg + self.reranked) / 2

    def as_dict(self) -> dict[str, float]:
        """Rounded, for records."""
        return {
            "ndcg@10": round(self.ndcg, 4),
            "precision@10": round(self.precision, 4),
            "precision@10 of 200": round(self.reranked, 4),
            "queries": self.queries,
        }


def evaluate(
    corpus: Corpus, queries: Longs, candidates: Longs, asked: Vectors, held: Vectors, most: int = MOST_QUERIES
) -> Scores:
    """Rank all candidates of other tables for each query by inner product.

    Args:
        corpus: whose pairs are the truth.
        queries: columns that ask; evenly thinned to ``most``.
        candidates: columns that may answer, ascending.
        asked: query vectors of ``queries``, (q, d).
        held: candidate vectors of ``candidates``, (c, d).
        most: queries at most.
    """
    chosen = np.unique(np.linspace(0, len(queries) - 1, min(most, len(queries))).astype(int))
    rows = []
    for place in chosen.tolist():
        query = int(queries[place])
        gains = corpus.joinability(query, candidates)
        ideal = np.sort(gains[gains > 0])[::-1]
        if len(ideal):
            scores = held @ asked[place]
            scores[corpus.tables[candidates] == corpus.tables[query]] = -np.inf
            found = gains[_best(scores, DEPTH)]
            rows.append((_ndcg(found, ideal), _precision(found, ideal), _precision(np.sort(found)[::-1], ideal)))
    ndcg, precision, reranked = np.mean(rows, axis=0).tolist() if rows else (0.0, 0.0, 0.0)
    return Scores(ndcg, precision, reranked, len(rows))


def _best(scores: npt.NDArray[np.float32], k: int) -> Longs:
    k = min(k, len(scores))
    top = np.argpartition(-scores, k - 1)[:k]
    return np.asarray(top[np.argsort(-scores[top], kind="stable")])


def _ndcg(gains: npt.NDArray[np.float32], ideal: npt.NDArray[np.float32]) -> float:
    def dcg(found: npt.NDArray[np.float32]) -> float:
        return float((found[:K] * DISCOUNT[: len(found[:K])]).sum())

    return dcg(gains) / dcg(ideal)


def _precision(gains: npt.NDArray[np.float32], ideal: npt.NDArray[np.float32]) -> float:
    n = min(K, len(ideal))
    cut, top = ideal[n - 1], gains[:K]
    above = int((ideal[:n] > cut + 1e-7).sum())
    return float((top > cut + 1e-7).sum() + min((np.abs(top - cut) <= 1e-7).sum(), n - above)) / n
