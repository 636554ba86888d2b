"""Which columns of a lake join: the positives of a training, counted exactly.

Equal values: jn(Q, X) = |Q ∩ X| / |Q| of all pairs at once, through an inverted index, as the value arm does it.
Near values (PEXESO, Dong et al., ICDE 2021): a cell of Q counts where some cell of X lies within ``tau`` of it, and jn
is the share of Q's cells that count. DeepJoin's paper calls a lower tau both stricter and looser; here it is a
Euclidean distance between unit vectors, so a lower one is stricter (tau .9 is a cosine of .595).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tablelens.index.postings import Postings
from tablelens.progress import Progress
from tablelens.types import Hashes, Vectors

MOST = 2000
"""Partners that are kept of one column, the best ones."""
BLOCK = 256

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Joinable pairs by query. The partners of column i are ``partners[starts[i]:starts[i + 1]]``, ascending."""

    starts: Longs
    partners: npt.NDArray[np.int32]
    joinability: Floats

    def __len__(self) -> int:
        return len(self.partners)

    def of(self, column: int) -> tuple[npt.NDArray[np.int32], Floats]:
        """Partners of a column and their joinability."""
        run = slice(int(self.starts[column]), int(self.starts[column + 1]))
        return self.partners[run], self.joinability[run]

    @property
    def queries(self) -> Longs:
        """The query of each pair, shape of ``partners``."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def kept(self, which: npt.NDArray[np.bool_]) -> Pairs:
        """The pairs that a mask marks."""
        return _pairs(self.queries[which], self.partners[which], self.joinability[which], len(self.starts) - 1)

    def merged(self, other: Pairs) -> Pairs:
        """Pairs of either, with the greater joinability."""
        return _pairs(
            np.concatenate([self.queries, other.queries]),
            np.concatenate([self.partners, other.partners]),
            np.concatenate([self.joinability, other.joinability]),
            len(self.starts) - 1,
        )

    def judged(self, verdicts: Iterable[tuple[int, int, bool]]) -> Pairs:
        """With what people said: a confirmed pair joins in full both ways, a denied one does not join."""
        said = [(a, b, yes) for one, other, yes in verdicts for a, b in ((one, other), (other, one))]
        if not said:
            return self
        n = len(self.starts) - 1
        denied = np.array([a * n + b for a, b, yes in said if not yes], np.int64)
        left = self.kept(~np.isin(self.queries * n + self.partners, denied))
        confirmed = [(a, b) for a, b, yes in said if yes]
        ones = np.ones(len(confirmed), np.float32)
        queries, partners = np.array(confirmed, np.int64).reshape(-1, 2).T
        return left.merged(_pairs(queries, partners.astype(np.int32), ones, n))


def mine_equal(sets: Sequence[Hashes], tables: Longs, least: float = 0.1, progress: Progress | None = None) -> Pairs:
    """All pairs of columns of different tables that share at least ``least`` of the query's values.

    >>> sets = [np.array([1, 2], np.uint64), np.array([2, 3, 4], np.uint64), np.array([2], np.uint64)]
    >>> pairs = mine_equal(sets, np.array([0, 1, 1]), least=0.4)
    >>> pairs.queries.tolist(), pairs.partners.tolist()
    ([0, 0, 2], [1, 2, 0])
    """
    index = Postings.build(sets)
    queries, partners, joined = [], [], []
    if progress:
        progress.start("mine", len(sets), 0)
    for query in range(len(sets)):
        places = index.values_of(query)
        shared = places[index.frequency(places) > 1]
        if len(shared):
            held = index.overlaps(shared, len(sets) + 1)  # so many that all are counted
            kept = (held.counts >= least * len(places)) & (tables[held.columns] != tables[query])
            found, share = held.columns[kept], held.counts[kept] / len(places)
            if len(found) > MOST:
                best = np.sort(np.argsort(-share, kind="stable")[:MOST])
                found, share = found[best], share[best]
            queries.append(np.full(len(found), query))
            partners.append(found.astype(np.int32))
            joined.append(share.astype(np.float32))
        if progress and query % BLOCK == BLOCK - 1:
            progress.advance(BLOCK, 0)
    if progress:
        progress.end()
    return _stacked(queries, partners, joined, len(sets))


def mine_semantic(
    cells: Sequence[Vectors],
    columns: Vectors,
    tables: Longs,
    *,
    tau: float = 0.9,
    least: float = 0.7,
    near: int = 20,
    progress: Progress | None = None,
) -> Pairs:
    """Pairs whose cells lie near to each other, among the ``near`` columns that lie nearest as a whole.

    Args:
        cells: unit vectors of each column's cells, (m, d).
        columns: unit vectors of the columns, (n, d), which choose whom to compare.
        tables: the table of each column.
        tau: greatest Euclidean distance of two cells that match.
        least: joinability from which a pair is kept.
        near: columns that each is compared with.
        progress: told of each block.
    """
    cosine = 1 - tau * tau / 2
    queries, partners, joined = [], [], []
    if progress:
        progress.start("mine by meaning", len(cells), 0)
    for start in range(0, len(columns), BLOCK):
        scores = columns[start : start + BLOCK] @ columns.T
        scores[tables[start : start + BLOCK, None] == tables] = -np.inf
        k = min(near, scores.shape[1] - 1)
        chosen = np.sort(np.argpartition(-scores, k, axis=1)[:, :k], axis=1)
        for query, others in enumerate(chosen, start):
            others = others[tables[others] != tables[query]]
            share = _share_near(cells[query], [cells[other] for other in others], cosine)
            found = share >= least
            queries.append(np.full(int(found.sum()), query))
            partners.append(others[found].astype(np.int32))
            joined.append(share[found])
        if progress:
            progress.advance(len(chosen), 0)
    if progress:
        progress.end()
    return _stacked(queries, partners, joined, len(cells))


def _share_near(query: Vectors, others: Sequence[Vectors], cosine: float) -> Floats:
    """Share of the query's cells with a cell of each other column at least that near."""
    if not len(query) or not len(others):
        return np.zeros(len(others), np.float32)
    sizes = np.array([len(other) for other in others])
    filled = np.flatnonzero(sizes)
    share = np.zeros(len(others), np.float32)
    if len(filled):
        scores = query @ np.concatenate([others[place] for place in filled.tolist()]).T  # (q, all cells)
        starts = np.concatenate(([0], np.cumsum(sizes[filled])[:-1]))
        share[filled] = (np.maximum.reduceat(scores, starts, axis=1) >= cosine).mean(0)
    return share


def _stacked(queries: list[Longs], partners: list[npt.NDArray[np.int32]], joined: list[Floats], n: int) -> Pairs:
    if not queries:
        return _pairs(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), n)
    return _pairs(np.concatenate(queries), np.concatenate(partners), np.concatenate(joined), n)


def _pairs(queries: Longs, partners: npt.NDArray[np.int32], joinability: Floats, n: int) -> Pairs:
    """Sorted by query, then partner; of a pair that comes twice the greater joinability."""
    order = np.lexsort((-joinability, partners, queries))
    queries, partners, joinability = queries[order], partners[order], joinability[order]
    first = np.ones(len(queries), bool)
    first[1:] = (queries[1:] != queries[:-1]) | (partners[1:] != partners[:-1])
    starts = np.concatenate(([0], np.cumsum(np.bincount(queries[first], minlength=n)))).astype(np.int64)
    return Pairs(starts, partners[first], joinability[first])
