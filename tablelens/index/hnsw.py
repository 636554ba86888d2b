"""Approximate search with hnswlib's HNSW graph (Malkov & Yashunin, TPAMI 2020).

The score is the inner product, and candidates have lengths of their own. A graph built on inner products, or on the
reduction of maximum inner product search to distances by one more dimension (Bachrach et al., RecSys 2014), finds
little here: short vectors are nobody's neighbours (``benchmarks/graph_forms.py`` compares the forms). So the graph
goes by angle alone, which it does well; a search takes ``oversample`` times as many neighbours as are asked for, and
orders them by cosine times length, which is the inner product.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import hnswlib
import numpy as np
import numpy.typing as npt

from tablelens.index.exact import check_vectors
from tablelens.index.hnsw_file import read_records
from tablelens.types import Ids, Vectors

FILE = "vectors.hnsw"
LEAST = 1e-12
"""Length below which a vector has no angle."""


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
        oversample: int = 8,
        seed: int = 20230813,
        threads: int = -1,
    ) -> None:
        self.dimension = dimension
        self.oversample = oversample
        self._options = {"M": m, "ef_construction": ef_construction, "random_seed": seed}
        self._threads = threads
        self._graph: Any = None
        self._labels: Ids = np.empty(0, np.int64)
        """Labels that are there, ascending."""
        self._lengths: npt.NDArray[np.float32] = np.empty(0, np.float32)
        """Length of each label's vector."""
        self._mapped: tuple[Ids, Ids, Vectors] | None = None
        """Labels in order, where each stands in the file, and the file's unit vectors: until the graph changes."""

    def add(self, labels: Ids, vectors: Vectors) -> None:
        """Add or replace vectors, float32 (n, d)."""
        rows = check_vectors(vectors, self.dimension)
        if not len(rows):
            return
        names = np.asarray(labels, np.int64)
        lengths = np.linalg.norm(rows, axis=1).astype(np.float32)
        self._make_room(int((~np.isin(names, self._labels)).sum()))
        for label in np.intersect1d(names, self._removed()).tolist():
            self._graph.unmark_deleted(label)
        self._graph.add_items(rows / np.maximum(lengths, LEAST)[:, None], names, num_threads=self._threads)
        self._mapped = None
        kept = ~np.isin(self._labels, names)
        self._remember(np.concatenate([self._labels[kept], names]), np.concatenate([self._lengths[kept], lengths]))

    def remove(self, labels: Ids) -> None:
        """Mark labels as gone; their places in the graph stay until the next build."""
        gone = np.isin(self._labels, labels)
        for label in self._labels[gone].tolist():
            self._graph.mark_deleted(label)
        self._labels, self._lengths = self._labels[~gone], self._lengths[~gone]

    def query(self, vectors: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        """(labels, inner products) of about the k best for each query vector."""
        rows = check_vectors(vectors, self.dimension)
        k = min(k, len(self))
        if k <= 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in rows]
        own = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
        labels, distances = self._search(rows / np.maximum(own, LEAST), min(self.oversample * k, len(self)))
        lengths = self._lengths[np.searchsorted(self._labels, labels)]
        scores = (1 - distances) * lengths * own
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        found = np.take_along_axis(labels, order, axis=1), np.take_along_axis(scores, order, axis=1)
        return list(zip(*found, strict=True))

    def labels(self) -> Ids:
        """All labels that are there."""
        return self._labels

    def vectors(self, labels: Ids) -> Vectors:
        """The vectors of labels, shape (n, d)."""
        places = np.minimum(np.searchsorted(self._labels, labels), max(len(self) - 1, 0))
        if len(labels) and (not len(self) or (self._labels[places] != labels).any()):
            raise KeyError("a label that the index does not hold")
        if self._mapped is None:
            units = self._graph.get_items(np.asarray(labels).tolist()) if len(labels) else []
            rows = np.asarray(units, np.float32).reshape(-1, self.dimension)
        else:
            ordered, at, units = self._mapped
            rows = units[at[np.searchsorted(ordered, labels)]]
        return np.asarray(rows * self._lengths[places][:, None], np.float32)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the graph; the labels that are present and their lengths go beside it."""
        np.save(folder / "vector_labels.npy", self._labels, allow_pickle=False)
        np.save(folder / "vector_lengths.npy", self._lengths, allow_pickle=False)
        if self._graph is not None:
            self._graph.save_index(str(folder / FILE))
        return {"oversample": self.oversample, "elements": self._elements(), **self._options}

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Read what ``save`` wrote. The caller has compared the files with their checksums: hnswlib trusts them."""
        index = cls(
            int(about["dimension"]),
            m=about["M"],
            ef_construction=about["ef_construction"],
            oversample=about["oversample"],
            seed=about["random_seed"],
        )
        index._labels = np.load(folder / "vector_labels.npy", allow_pickle=False)
        index._lengths = np.load(folder / "vector_lengths.npy", allow_pickle=False)
        if about["elements"]:
            records = read_records(folder / FILE, index.dimension)
            order = np.argsort(records.labels)
            index._mapped = (records.labels[order].astype(np.int64), order, records.vectors)
            index._graph = hnswlib.Index(space="ip", dim=index.dimension)
            index._graph.load_index(str(folder / FILE), max_elements=about["elements"])
        return index

    def __len__(self) -> int:
        return len(self._labels)

    def _make_room(self, fresh: int) -> None:
        if self._graph is None:
            self._graph = hnswlib.Index(space="ip", dim=self.dimension)  # of unit vectors: the cosine
            self._graph.init_index(max_elements=max(fresh, 64), **self._options)
        elif self._elements() + fresh > self._graph.get_max_elements():
            self._graph.resize_index(int(1.5 * (self._elements() + fresh)) + 64)

    def _remember(self, labels: Ids, lengths: npt.NDArray[np.float32]) -> None:
        order = np.argsort(labels, kind="stable")
        self._labels, self._lengths = labels[order], lengths[order]

    def _search(self, units: Vectors, k: int) -> tuple[Ids, Vectors]:
        """(labels, 1 - cosine), (n, k) each; fewer than k where the graph cannot reach as many."""
        ef = k + 50
        while True:
            self._graph.set_ef(ef)
            try:
                threads = 1 if len(units) == 1 else self._threads
                labels, distances = self._graph.knn_query(units, k=k, num_threads=threads)
                return labels.astype(np.int64), distances
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
