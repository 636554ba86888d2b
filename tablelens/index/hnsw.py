"""Approximate search with hnswlib's HNSW graph (Malkov & Yashunin, TPAMI 2020).

The score is the inner product and candidates have lengths of their own, for which a graph of inner products would not
be a metric one. So maximum inner product search is turned into nearest neighbours by one more dimension (Bachrach et
al., RecSys 2014): a candidate x becomes [x, sqrt(R² - |x|²)], a query [q, 0], and
|q - x|² = |q|² + R² - 2 q·x, with R at least the length of the longest candidate.

The longest go in first. In any other order the long ones, which answer most queries, are reached badly: the recall of
the first 200 is then .78 instead of .995 (``benchmarks/encoders.py``). For the same reason a graph that has grown by
more than a tenth is better built anew.

The graph is built by one thread, so that the same vectors added in the same order make the same graph, whatever their
labels. More threads build it sooner, each time a little differently.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, Self

import hnswlib
import numpy as np

from tablelens.errors import IndexFault
from tablelens.index.exact import check_vectors, places_of
from tablelens.index.hnsw_file import read_records
from tablelens.types import Ids, Vectors

FILE = "vectors.hnsw"
ROOM = 1.1
"""Length that later vectors may have over the longest at first."""


class HnswIndex:
    """The HNSW graph behind the ``VectorIndex`` protocol.

    >>> index = HnswIndex(2, seed=1)
    >>> index.add(np.array([7, 8]), np.array([[1, 0], [0, 2]], np.float32))
    >>> index.query(np.array([[0, 1]], np.float32), k=1)[0][0].tolist()
    [8]
    """

    kind = "hnsw"

    def __init__(
        self,
        dimension: int,
        *,
        m: int = 16,
        ef_construction: int = 100,
        ef: int = 800,
        seed: int = 20230813,
        threads: int = 1,
    ) -> None:
        self.dimension = dimension
        self.ef = ef
        self._options = {"M": m, "ef_construction": ef_construction, "random_seed": seed}
        self._radius = 0.0
        self._threads = threads
        self._graph: Any = None
        self._labels: Ids = np.empty(0, np.int64)
        """Labels that are there, ascending."""
        self._mapped: tuple[Ids, Ids, Vectors] | None = None
        """Labels in order, where each stands in the file, and the file's vectors: until the graph changes."""

    def add(self, labels: Ids, vectors: Vectors) -> None:
        """Add or replace vectors, float32 (n, d).

        Raises:
            IndexFault: a vector is longer than the graph has room for; build it anew.
        """
        rows = check_vectors(vectors, self.dimension)
        if not len(rows):
            return
        names, lengths = np.asarray(labels, np.int64), np.linalg.norm(rows, axis=1)
        self._make_room(int((~np.isin(names, self._labels)).sum()), float(lengths.max()))
        for label in np.intersect1d(names, self._removed()).tolist():
            self._graph.unmark_deleted(label)
        order = np.argsort(-lengths, kind="stable")
        self._graph.add_items(self._lifted(rows[order]), names[order], num_threads=self._threads)
        self._mapped = None
        self._labels = np.union1d(self._labels, names)

    def remove(self, labels: Ids) -> None:
        """Mark labels as gone; their places in the graph stay until the next build."""
        gone = np.isin(self._labels, labels)
        for label in self._labels[gone].tolist():
            self._graph.mark_deleted(label)
        self._labels = self._labels[~gone]

    def query(self, vectors: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        """(labels, inner products) of about the k best for each query vector."""
        rows = check_vectors(vectors, self.dimension)
        k = min(k, len(self))
        if k <= 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in rows]
        labels, squares = self._search(np.hstack([rows, np.zeros((len(rows), 1), np.float32)]), k)
        own = np.einsum("ij,ij->i", rows, rows)[:, None]
        scores = (own + self._radius**2 - squares) / 2
        return list(zip(labels, scores.astype(np.float32), strict=True))

    def labels(self) -> Ids:
        """All labels that are there."""
        return self._labels

    def vectors(self, labels: Ids) -> Vectors:
        """The vectors of labels, shape (n, d)."""
        places_of(self._labels, labels)
        if not len(labels):
            return np.empty((0, self.dimension), np.float32)
        if self._mapped is None:
            return np.asarray(self._graph.get_items(np.asarray(labels).tolist()), np.float32)[:, :-1]
        ordered, at, rows = self._mapped
        return np.asarray(rows[at[np.searchsorted(ordered, labels)]][:, :-1])

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the graph; the labels that are present go beside it."""
        np.save(folder / "vector_labels.npy", self._labels, allow_pickle=False)
        if self._graph is not None:
            path = folder / FILE
            self._graph.save_index(str(path))
            if path.stat().st_size != self._graph.index_file_size():  # hnswlib does not look whether it could write
                raise OSError(errno.ENOSPC, "the graph could not be written in full", str(path))
        return {"radius": self._radius, "ef": self.ef, "elements": self._elements(), **self._options}

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Read what ``save`` wrote. The caller has compared the files with their checksums: hnswlib trusts them."""
        index = cls(
            int(about["dimension"]),
            m=about["M"],
            ef_construction=about["ef_construction"],
            ef=about["ef"],
            seed=about["random_seed"],
        )
        index._labels = np.load(folder / "vector_labels.npy", allow_pickle=False)
        index._radius = float(about["radius"])
        if about["elements"]:
            records = read_records(folder / FILE, index.dimension + 1)
            order = np.argsort(records.labels)
            index._mapped = (records.labels[order].astype(np.int64), order, records.vectors)
            index._graph = hnswlib.Index(space="l2", dim=index.dimension + 1)
            index._graph.load_index(str(folder / FILE), max_elements=about["elements"])
        return index

    def __len__(self) -> int:
        return len(self._labels)

    def _make_room(self, fresh: int, longest: float) -> None:
        if self._graph is None:
            self._radius = max(longest, 1e-6) * ROOM
            self._graph = hnswlib.Index(space="l2", dim=self.dimension + 1)
            self._graph.init_index(max_elements=max(fresh, 64), **self._options)
            return
        if longest > self._radius:
            raise IndexFault(
                f"a vector of length {longest:.3g} in a graph made for {self._radius:.3g}", "rebuild the index"
            )
        if self._elements() + fresh > self._graph.get_max_elements():
            self._graph.resize_index(int(1.5 * (self._elements() + fresh)) + 64)

    def _lifted(self, rows: Vectors) -> Vectors:
        rest = np.sqrt(np.maximum(self._radius**2 - np.einsum("ij,ij->i", rows, rows), 0.0))
        return np.hstack([rows, rest[:, None].astype(np.float32)])

    def _search(self, lifted: Vectors, k: int) -> tuple[Ids, Vectors]:
        """(labels, squared distances), (n, k) each; fewer than k where the graph cannot reach as many."""
        ef = max(self.ef, 2 * k)
        while True:
            self._graph.set_ef(ef)
            try:
                threads = 1 if len(lifted) == 1 else -1
                labels, squares = self._graph.knn_query(lifted, k=k, num_threads=threads)
                return labels.astype(np.int64), squares
            except RuntimeError:  # hnswlib gives k answers or none: marked or unreachable nodes took their places
                if ef < self._elements():
                    ef *= 4
                elif k > 1:
                    k //= 2
                else:
                    raise

    def _elements(self) -> int:
        return 0 if self._graph is None else int(self._graph.get_current_count())

    def _removed(self) -> Ids:
        if self._elements() == len(self):
            return np.empty(0, np.int64)
        return np.setdiff1d(np.array(self._graph.get_ids_list(), np.int64), self._labels)
