"""Approximate search with hnswlib's HNSW graph (Malkov & Yashunin, TPAMI 2020).

The score is the inner product and candidates have lengths of their own, for which a graph of inner products would not
be a metric one. So maximum inner product search is turned into nearest neighbours by one more dimension (Bachrach et
al., RecSys 2014): a candidate x becomes [x, sqrt(R² - |x|²)], a query [q, 0], and
|q - x|² = |q|² + R² - 2 q·x, with R at least the length of the longest candidate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import hnswlib
import numpy as np

from tablelens.errors import IndexFault
from tablelens.index.exact import check_vectors
from tablelens.index.hnsw_file import read_records
from tablelens.types import Ids, Vectors

FILE = "vectors.hnsw"
ROOM = 1.25
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
        ef: int = 256,
        seed: int = 20230813,
        threads: int = -1,
    ) -> None:
        self.dimension = dimension
        self.ef = ef
        self._options = {"M": m, "ef_construction": ef_construction, "random_seed": seed}
        self._radius = 0.0
        self._threads = threads
        self._graph: Any = None
        self._present: set[int] = set()
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
        longest = float(np.linalg.norm(rows, axis=1).max())
        self._mapped = None
        if self._graph is None:
            self._start(len(rows), longest)
        elif longest > self._radius:
            raise IndexFault(
                f"a vector of length {longest:.3g} in a graph made for {self._radius:.3g}", "rebuild the index"
            )
        names = np.asarray(labels, np.int64)
        fresh = sum(label not in self._present for label in names.tolist())
        if self._graph.get_current_count() + fresh > self._graph.get_max_elements():
            self._graph.resize_index(int(1.5 * (self._graph.get_current_count() + fresh)) + 64)
        for label in set(names.tolist()) & self._removed():
            self._graph.unmark_deleted(label)
        self._graph.add_items(self._lifted(rows), names, num_threads=self._threads)
        self._present.update(names.tolist())

    def remove(self, labels: Ids) -> None:
        """Mark labels as gone; their places in the graph stay until the next build."""
        for label in set(np.asarray(labels).tolist()) & self._present:
            self._graph.mark_deleted(label)
            self._present.discard(label)

    def query(self, vectors: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        """(labels, inner products) of about the k best for each query vector."""
        rows = check_vectors(vectors, self.dimension)
        k = min(k, len(self))
        if k <= 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in rows]
        lifted = np.hstack([rows, np.zeros((len(rows), 1), np.float32)])
        labels, squares = self._search(lifted, k)
        own = np.einsum("ij,ij->i", rows, rows)[:, None]
        scores = (own + self._radius**2 - squares) / 2
        return list(zip(labels.astype(np.int64), scores.astype(np.float32), strict=True))

    def labels(self) -> Ids:
        """All labels that are there."""
        return np.fromiter(self._present, np.int64, len(self._present))

    def vectors(self, labels: Ids) -> Vectors:
        """The vectors of labels, shape (n, d)."""
        if self._mapped is None:
            names = np.asarray(labels).tolist()
            if missing := [label for label in names if label not in self._present]:
                raise KeyError(missing[0])
            return np.asarray(self._graph.get_items(names), np.float32)[:, :-1]
        ordered, rows, vectors = self._mapped
        places = np.minimum(np.searchsorted(ordered, labels), len(ordered) - 1)
        if (ordered[places] != labels).any():
            raise KeyError("a label that the index does not hold")
        return np.asarray(vectors[rows[places]][:, :-1])

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the graph; the radius and the labels that are present go beside it."""
        np.save(folder / "vector_labels.npy", np.array(sorted(self._present), np.int64), allow_pickle=False)
        if self._graph is not None:
            self._graph.save_index(str(folder / FILE))
        return {"radius": self._radius, "ef": self.ef, "elements": self._elements(), **self._options}

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Read what ``save`` wrote. The caller has compared the files with their checksums: hnswlib trusts them."""
        index = cls(
            int(about["dimension"]), m=about["M"], ef_construction=about["ef_construction"], ef=about["ef"],
            seed=about["random_seed"],
        )  # fmt: skip
        index._radius = float(about["radius"])
        index._present = set(np.load(folder / "vector_labels.npy", allow_pickle=False).tolist())
        if about["elements"]:
            index._graph = hnswlib.Index(space="l2", dim=index.dimension + 1)
            index._graph.load_index(str(folder / FILE), max_elements=about["elements"])
            records = read_records(folder / FILE, index.dimension + 1)
            order = np.argsort(records.labels)
            index._mapped = (records.labels[order].astype(np.int64), order, records.vectors)
        return index

    def __len__(self) -> int:
        return len(self._present)

    def _search(self, lifted: Vectors, k: int) -> tuple[Ids, Vectors]:
        """(labels, squared distances), (n, k) each; fewer than k where the graph cannot reach as many."""
        ef = max(self.ef, k + 16)
        while True:
            self._graph.set_ef(ef)
            try:
                return self._graph.knn_query(lifted, k=k, num_threads=1 if len(lifted) == 1 else self._threads)  # type: ignore[no-any-return]
            except RuntimeError:  # hnswlib gives k answers or none: marked or unreachable nodes took their places
                if ef < self._elements():
                    ef *= 4
                elif k > 1:
                    k //= 2
                else:
                    raise

    def _start(self, room: int, longest: float) -> None:
        self._radius = max(longest, 1e-6) * ROOM
        self._graph = hnswlib.Index(space="l2", dim=self.dimension + 1)
        self._graph.init_index(max_elements=max(room, 64), **self._options)

    def _elements(self) -> int:
        return 0 if self._graph is None else int(self._graph.get_current_count())

    def _removed(self) -> set[int]:
        return set(self._graph.get_ids_list()) - self._present if self._elements() > len(self._present) else set()

    def _lifted(self, rows: Vectors) -> Vectors:
        rest = np.sqrt(np.maximum(self._radius**2 - np.einsum("ij,ij->i", rows, rows), 0.0))
        return np.hstack([rows, rest[:, None].astype(np.float32)])
