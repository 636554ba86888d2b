"""Approximate search with hnswlib's HNSW graph (Malkov & Yashunin, TPAMI 2020).

The score is the inner product and candidates have lengths of their own, for which a graph of inner products would not
be a metric one. So maximum inner product search is turned into nearest neighbours by one more dimension (Bachrach et
al., RecSys 2014): a candidate x becomes [x, sqrt(R² - |x|²)], a query [q, 0], and
|q - x|² = |q|² + R² - 2 q·x, with R at least the length of the longest candidate.

The longest go in first. In any other order the long ones, which answer most queries, are reached badly: the recall of
the first 200 is then .80 instead of .98 (``benchmarks/graphs.py``). For the same reason a graph that has grown by more
than a tenth is better built anew.

A vector that many columns share, as copies of a table bring them, is one element: equal ones would link to each other
alone, an island that a search does not leave.

The graph is built by one thread, so that the same vectors added in the same order make the same graph, whatever their
labels, and an element's number is its place in the file. More threads build it sooner, each time a little differently.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, Self

import hnswlib
import numpy as np
import xxhash

from tablelens.errors import DamagedIndex, IndexFault
from tablelens.index.exact import check_vectors, places_of
from tablelens.index.hnsw_file import read_vectors
from tablelens.types import Ids, Vectors

FILE, LABELS, ELEMENTS = "vectors.hnsw", "vector_labels.npy", "vector_elements.npy"
ROOM = 1.1
"""Length that later vectors may have over the longest at first."""


class HnswIndex:
    """The HNSW graph behind the ``VectorIndex`` protocol. Labels that share a vector share an element of the graph.

    >>> index = HnswIndex(2, seed=1)
    >>> index.add(np.array([7, 8, 9]), np.array([[1, 0], [0, 2], [0, 2]], np.float32))
    >>> index.query(np.array([[0, 1]], np.float32), k=1)[0][0].tolist()
    [8, 9]
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
    ) -> None:
        self.dimension = dimension
        self.ef = ef
        self._options = {"M": m, "ef_construction": ef_construction, "random_seed": seed}
        self._radius = 0.0
        self._graph: Any = None
        self._labels: Ids = np.empty(0, np.int64)
        """Labels that are there, ascending."""
        self._elements: Ids = np.empty(0, np.int64)
        """The element of each: its number in the graph, and its place in the graph's file."""
        self._sharing: tuple[Ids, Ids, int] | None = None
        """Labels by element, where those of each begin, and how many elements have any."""
        self._known: dict[bytes, int] | None = None
        """Elements by a hash of their vectors, removed ones too."""
        self._mapped: Vectors | None = None
        """Vectors of the elements in the file that was loaded, until the graph changes."""

    def add(self, labels: Ids, vectors: Vectors) -> None:
        """Add or replace vectors, float32 (n, d).

        Raises:
            IndexFault: a vector is longer than the graph has room for; build it anew.
        """
        rows = check_vectors(vectors, self.dimension)
        if not len(rows):
            return
        names, lengths, known = np.asarray(labels, np.int64), np.linalg.norm(rows, axis=1), self._hashed()
        keys = [xxhash.xxh3_128_digest(row.tobytes()) for row in rows]
        order = np.argsort(-lengths, kind="stable").tolist()
        fresh: dict[bytes, int] = {}
        for i in order:
            if keys[i] not in known:
                fresh.setdefault(keys[i], i)
        new = list(fresh.values())
        self._make_room(len(new), float(lengths.max()))
        self.remove(names)
        removed = set(known.values()) - set(self._elements.tolist())
        known.update(zip(fresh, range(len(known), len(known) + len(fresh)), strict=True))
        elements = np.array([known[key] for key in keys], np.int64)
        for element in removed.intersection(elements.tolist()):
            self._graph.unmark_deleted(element)
        if new:
            self._graph.add_items(self._lifted(rows[new]), elements[new], num_threads=1)
            self._mapped = None
        self._hold(np.concatenate([self._labels, names]), np.concatenate([self._elements, elements]))

    def remove(self, labels: Ids) -> None:
        """Take labels out. Elements that no label has any more are marked as gone, until the next build."""
        gone = np.isin(self._labels, labels)
        if not gone.any():
            return
        left = np.setdiff1d(self._elements[gone], self._elements[~gone])
        self._hold(self._labels[~gone], self._elements[~gone])
        for element in left.tolist():
            self._graph.mark_deleted(element)

    def query(self, vectors: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        """(labels, inner products) of about the k best for each query vector; all that share the last one's vector."""
        rows = check_vectors(vectors, self.dimension)
        by_element, starts, there = self._shared()
        if min(k, there) <= 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in rows]
        found, squares = self._search(np.hstack([rows, np.zeros((len(rows), 1), np.float32)]), min(k, there))
        own = np.einsum("ij,ij->i", rows, rows)[:, None]
        answers = []
        for elements, scores in zip(found, ((own + self._radius**2 - squares) / 2).astype(np.float32), strict=True):
            held = starts[elements + 1] - starts[elements]
            ends = np.cumsum(held)
            held = held[: np.searchsorted(ends, k) + 1]
            number = np.repeat(np.arange(len(held)), held)
            at = np.arange(len(number)) + (starts[elements] - ends)[number] + held[number]
            answers.append((by_element[at], scores[number]))
        return answers

    def labels(self) -> Ids:
        """All labels that are there."""
        return self._labels

    def vectors(self, labels: Ids) -> Vectors:
        """The vectors of labels, shape (n, d)."""
        return self._rows(self._elements[places_of(self._labels, labels)])

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the graph; beside it the labels that are present, and which element each has."""
        np.save(folder / LABELS, self._labels, allow_pickle=False)
        np.save(folder / ELEMENTS, self._elements, allow_pickle=False)
        if self._graph is not None:
            path = folder / FILE
            self._graph.save_index(str(path))
            if path.stat().st_size != self._graph.index_file_size():  # hnswlib does not look whether it could write
                raise OSError(errno.ENOSPC, "the graph could not be written in full", str(path))
        return {"radius": self._radius, "ef": self.ef, "elements": self._size(), **self._options}

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Read what ``save`` wrote. The caller has compared the files with their checksums: hnswlib trusts them.

        Raises:
            DamagedIndex: labels that are not of this graph.
        """
        index = cls(
            int(about["dimension"]),
            m=about["M"],
            ef_construction=about["ef_construction"],
            ef=about["ef"],
            seed=about["random_seed"],
        )
        labels, elements = (np.load(folder / name, allow_pickle=False) for name in (LABELS, ELEMENTS))
        if elements.shape != labels.shape or not (elements >= 0).all() or not (elements < about["elements"]).all():
            raise DamagedIndex(f"the labels in {folder} are not those of its graph")
        index._labels, index._elements, index._radius = labels, elements, float(about["radius"])
        if about["elements"]:
            index._mapped = read_vectors(folder / FILE, index.dimension + 1)
            index._graph = hnswlib.Index(space="l2", dim=index.dimension + 1)
            index._graph.load_index(str(folder / FILE), max_elements=about["elements"])
        return index

    def __len__(self) -> int:
        return len(self._labels)

    def _hold(self, labels: Ids, elements: Ids) -> None:
        order = np.argsort(labels, kind="stable")
        self._labels, self._elements, self._sharing = labels[order], elements[order], None

    def _shared(self) -> tuple[Ids, Ids, int]:
        if self._sharing is None:
            order = np.argsort(self._elements, kind="stable")
            starts = np.searchsorted(self._elements[order], np.arange(self._size() + 1))
            self._sharing = self._labels[order], starts, int((np.diff(starts) > 0).sum())
        return self._sharing

    def _hashed(self) -> dict[bytes, int]:
        if self._known is None:
            rows = self._rows(np.arange(self._size()))
            self._known = {xxhash.xxh3_128_digest(row.tobytes()): i for i, row in enumerate(rows)}
        return self._known

    def _rows(self, elements: Ids) -> Vectors:
        if not len(elements):
            return np.empty((0, self.dimension), np.float32)
        if self._mapped is not None:
            return np.asarray(self._mapped[elements][:, :-1])
        return np.asarray(self._graph.get_items(elements.tolist()), np.float32)[:, :-1]

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
        if self._size() + fresh > self._graph.get_max_elements():
            self._graph.resize_index(int(1.5 * (self._size() + fresh)) + 64)

    def _lifted(self, rows: Vectors) -> Vectors:
        rest = np.sqrt(np.maximum(self._radius**2 - np.einsum("ij,ij->i", rows, rows), 0.0))
        return np.hstack([rows, rest[:, None].astype(np.float32)])

    def _search(self, lifted: Vectors, k: int) -> tuple[Ids, Vectors]:
        """(elements, squared distances), (n, k) each; fewer than k where the graph cannot reach as many."""
        ef = max(self.ef, 2 * k)
        while True:
            self._graph.set_ef(ef)
            try:
                threads = 1 if len(lifted) == 1 else -1
                elements, squares = self._graph.knn_query(lifted, k=k, num_threads=threads)
                return elements.astype(np.int64), squares
            except RuntimeError:  # hnswlib gives k answers or none: marked or unreachable nodes took their places
                if ef < self._size():
                    ef *= 4
                elif k > 1:
                    k //= 2
                else:
                    raise

    def _size(self) -> int:
        """Elements, removed ones too."""
        return 0 if self._graph is None else int(self._graph.get_current_count())
