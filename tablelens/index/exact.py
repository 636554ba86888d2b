"""Exact search: every vector is weighed. The oracle of the tests, and quick enough for some ten thousand columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from tablelens.errors import IndexMismatch, UsageError
from tablelens.types import Ids, Vectors


def check_vectors(vectors: Vectors, dimension: int) -> Vectors:
    """Vectors as float32 (n, d).

    Raises:
        IndexMismatch: another dimension.
        UsageError: NaN or infinity, to which any neighbour would be as good as another.
    """
    rows = np.ascontiguousarray(np.atleast_2d(vectors), np.float32)
    if rows.shape[1] != dimension:
        raise IndexMismatch(
            f"the index holds vectors of {dimension} dimensions, given were {rows.shape[1]}",
            "use the encoder that the lake was crawled with, or crawl again with --refresh always",
        )
    if not np.isfinite(rows).all():
        raise UsageError("a vector holds NaN or infinity", "check the encoder that made it")
    return rows


def places_of(ordered: Ids, labels: Ids) -> Ids:
    """Where labels stand among ascending ones.

    Raises:
        KeyError: one of them is not there.
    """
    places = np.minimum(np.searchsorted(ordered, labels), max(len(ordered) - 1, 0))
    if len(labels) and (not len(ordered) or (ordered[places] != labels).any()):
        raise KeyError("a label that the index does not hold")
    return places


class ExactIndex:
    """All vectors in one matrix, ascending by label.

    >>> index = ExactIndex(2)
    >>> index.add(np.array([7, 8]), np.array([[1, 0], [0, 2]], np.float32))
    >>> index.query(np.array([[0, 1]], np.float32), k=1)[0][0].tolist()
    [8]
    """

    kind = "exact"

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._labels: Ids = np.empty(0, np.int64)
        self._matrix: Vectors = np.empty((0, dimension), np.float32)

    def add(self, labels: Ids, vectors: Vectors) -> None:
        """Add or replace vectors, float32 (n, d)."""
        rows = check_vectors(vectors, self.dimension)
        self.remove(labels)
        names = np.concatenate([self._labels, np.asarray(labels, np.int64)])
        order = np.argsort(names, kind="stable")
        self._labels, self._matrix = names[order], np.concatenate([self._matrix, rows])[order]

    def remove(self, labels: Ids) -> None:
        """Take labels out; unknown ones are passed over."""
        gone = np.isin(self._labels, labels)
        if gone.any():
            self._labels, self._matrix = self._labels[~gone], self._matrix[~gone]

    def query(self, vectors: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        """(labels, inner products) of the k best for each query vector; equal scores by label."""
        rows = check_vectors(vectors, self.dimension)
        # for one query the threads of a product by BLAS cost more than they save
        scores = np.vecdot(self._matrix, rows[0])[None] if len(rows) == 1 else rows @ self._matrix.T
        return [self._best(row, min(k, len(self))) for row in scores]

    def labels(self) -> Ids:
        """All labels that are there."""
        return self._labels

    def vectors(self, labels: Ids) -> Vectors:
        """The vectors of labels, shape (n, d)."""
        return self._matrix[places_of(self._labels, labels)]

    def save(self, folder: Path) -> dict[str, Any]:
        """Write labels and vectors."""
        np.save(folder / "vector_labels.npy", self._labels, allow_pickle=False)
        np.save(folder / "vectors.npy", self._matrix, allow_pickle=False)
        return {}

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Map what ``save`` wrote."""
        index = cls(int(about["dimension"]))
        index._labels = np.load(folder / "vector_labels.npy", allow_pickle=False)
        index._matrix = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        return index

    def __len__(self) -> int:
        return len(self._labels)

    def _best(self, scores: Vectors, k: int) -> tuple[Ids, Vectors]:
        some = np.argpartition(-scores, k - 1)[:k] if 0 < k < len(scores) else np.arange(len(scores))[: max(k, 0)]
        order = some[np.lexsort((self._labels[some], -scores[some]))]
        return self._labels[order], scores[order]
