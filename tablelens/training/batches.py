"""What one step learns from: queries, candidates, and how far they join."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tablelens.training.config import TrainConfig
from tablelens.training.corpus import PARTNERS, Corpus, Split, floor_of
from tablelens.types import Vectors

DRAWN = 6
"""Partners a query that are drawn into the candidates."""
EASY = 400
"""Columns drawn at random into the candidates."""
FROM = 150
"""Hard negatives are drawn from so many that the model ranks first."""
POOL = 6000
"""Queries between two validations, at most: for each of them all candidates are ranked once."""

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Queries (b,), candidates (c,) ascending, joinability (b, c), pairs of one table (b, c), positives (b,)."""

    queries: Longs
    candidates: Longs
    gains: npt.NDArray[np.float32]
    same: npt.NDArray[np.bool_]
    positives: Longs


@dataclass
class Sampler:
    """Draws batches. A step's draw depends on seed and step alone, so that a resumed run goes on as if uncut."""

    corpus: Corpus
    split: Split
    config: TrainConfig

    def __post_init__(self) -> None:
        self._training = np.flatnonzero(~self.split.validating)
        self._hard: dict[int, Longs] = {}

    def refresh(self, step: int, asked: Vectors, held: Vectors) -> None:
        """Rank all training columns for the queries of the next steps.

        Args:
            step: the step that comes next.
            asked: query vectors of all columns, (n, d).
            held: candidate vectors of all columns, (n, d).
        """
        rng = np.random.default_rng([self.config.seed, step, 1])
        count = min(POOL, len(self.split.queries), self.config.every * self.config.batch)
        drawn = np.sort(rng.choice(self.split.queries, count, replace=False, p=self.split.weights))
        others = held[self._training]
        k = min(FROM, len(self._training))
        self._hard = {}
        for start in range(0, count, 256):
            block = drawn[start : start + 256]
            scores = asked[block] @ others.T
            top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            self._hard.update(zip(block.tolist(), self._training[top], strict=True))

    def draw(self, step: int) -> Batch:
        """The batch of one step."""
        rng = np.random.default_rng([self.config.seed, step])
        known = np.fromiter(self._hard, np.int64, len(self._hard))
        queries = rng.choice(known, min(self.config.batch, len(known)), replace=False)
        parts = [rng.choice(self._training, min(EASY, len(self._training)), replace=False)]
        positives = np.empty(len(queries), np.int64)
        for row, query in enumerate(queries.tolist()):
            partners = self._partners(query)
            chosen = rng.choice(partners, min(DRAWN, len(partners)), replace=False)
            positives[row] = chosen[0]
            parts += [chosen, self._drawn(rng, query)]
        candidates = np.unique(np.concatenate(parts))
        gains = np.stack([self.corpus.joinability(query, candidates) for query in queries.tolist()])
        tables = self.corpus.tables
        same = tables[queries][:, None] == tables[candidates]
        return Batch(queries, candidates, gains, same, np.searchsorted(candidates, positives))

    def _drawn(self, rng: np.random.Generator, query: int) -> Longs:
        hard = self._hard[query]
        return np.asarray(rng.choice(hard, min(self.config.hard, len(hard)), replace=False))

    def _partners(self, query: int) -> Longs:
        """The best training partners of a query, at least one."""
        partners, joined = self.corpus.pairs.of(query)
        kept = (joined >= floor_of(self.config)) & ~self.split.validating[partners]
        partners, joined = partners[kept], joined[kept]
        if len(partners) > PARTNERS:
            partners = partners[np.argsort(-joined, kind="stable")[:PARTNERS]]
        return partners.astype(np.int64)
