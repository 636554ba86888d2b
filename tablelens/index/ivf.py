"""Approximate search among hundreds of thousands of vectors and more: an inverted file whose lists a graph finds.

DeepJoin's way at scale (Dong et al., PVLDB 16(10) 2023, section 4: HNSW over the coarse quantizer of an inverted
file). Vectors of like direction share a list (spherical k-means, of some ``LIST`` members each); an HNSW graph over
the lists' centroids finds the lists for a query, and all vectors of the first ``probes`` of them are weighed. Three
things make it fit here:

- A centroid has the length of the longest member of its list, so the lists come in the order of the greatest score
  that a member could have. The score is the inner product and long vectors answer most queries: by direction alone
  three times the lists would be needed for the same recall (``benchmarks/scale.py``).
- Vectors are kept in one byte a dimension, at a scale of their own: a score is off by some .001 of the vector's length.
- Columns that are copies of each other, of which real lakes have many, lie in one list. In a graph over all vectors
  the links of a copy lead to other copies alone, and whole families of them cannot be reached.

The same vectors in the same order make the same index, whatever their labels: k-means draws by a fixed seed, the small
graph is built by one thread, and of equal scores the vector that was added first comes first.

Files, for other readers too (.npy 1.0, little-endian, C order; n vectors, d dimensions, l lists):

    ivf_codes.npy     int8[n, d]     vectors over their scale, list by list, within one as they were added
    ivf_scales.npy    float32[n]     what a code of 1 stands for, by vector
    ivf_labels.npy    int64[n]       labels, by vector
    ivf_starts.npy    int64[l + 1]   where each list begins
    lists/            the graph over the centroids 0 … l-1, as ``HnswIndex`` writes it
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tablelens.index.clusters import BLOCK, cluster
from tablelens.index.exact import check_vectors, places_of
from tablelens.index.hnsw import HnswIndex
from tablelens.types import Ids, Vectors

LIST = 32
"""Vectors of a list, on average."""
FOLDER = "lists"
PROBES = 128
"""Lists that are weighed for a query."""
STEPS = 127
"""The greatest code."""
SLACK = 1e-5
"""Share by which two sums of the same products, added in another order, may differ."""
ARRAYS = ("codes", "scales", "labels", "starts")


@dataclass(frozen=True)
class Lists:
    """The lists as they lie in their files, and the graph that finds them."""

    codes: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    labels: Ids
    starts: Ids
    graph: HnswIndex

    @classmethod
    def make(cls, labels: Ids, vectors: Vectors, size: int, seed: int) -> Self:
        """From labels and vectors float32 (n, d)."""
        centroids, places = cluster(vectors, size, seed)
        order = np.argsort(places, kind="stable")
        starts = np.searchsorted(places[order], np.arange(len(centroids) + 1))
        codes, scales = _coded(vectors, order)
        lengths = np.linalg.norm(vectors, axis=1)[order]
        longest = np.maximum.reduceat(lengths, starts[:-1]) if len(order) else lengths
        graph = HnswIndex(vectors.shape[1], ef=2 * PROBES, threads=1)
        graph.add(np.arange(len(centroids)), centroids * longest[:, None])
        return cls(codes, scales, labels[order], starts, graph)

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Map the arrays, read the graph."""
        files = (folder / f"ivf_{name}.npy" for name in ARRAYS)
        codes, scales, labels, starts = (np.load(file, mmap_mode="r").view(np.ndarray) for file in files)
        return cls(codes, scales, labels, starts, HnswIndex.load(folder / FOLDER, about["lists"]))

    def save(self, folder: Path) -> dict[str, Any]:
        """Write all files; what loading the graph needs to know."""
        for name in ARRAYS:
            np.save(folder / f"ivf_{name}.npy", getattr(self, name), allow_pickle=False)
        (folder / FOLDER).mkdir()
        return {"lists": self.graph.save(folder / FOLDER) | {"dimension": self.graph.dimension}}

    @cached_property
    def by_label(self) -> Ids:
        """Where each vector lies, in the order of the labels."""
        return np.argsort(self.labels, kind="stable")

    @cached_property
    def ordered(self) -> Ids:
        """The labels, ascending."""
        return np.asarray(self.labels[self.by_label])

    def rows(self, at: Ids) -> Vectors:
        """Vectors by where they lie."""
        return self.codes[at] * self.scales[at][:, None]

    def query(self, row: npt.NDArray[np.float32], k: int, probes: int) -> tuple[Ids, Vectors]:
        """(labels, scores) of the k best in the first lists; in more lists where those do not hold as many."""
        while True:
            lists = self.graph.query(row[None, :], probes)[0][0]
            starts, ends = self.starts[lists], self.starts[lists + 1]
            if (ends - starts).sum() >= k or probes >= len(self.graph):
                break
            probes *= 4
        spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
        scores = np.concatenate([self.codes[start:end].astype(np.float32) @ row for start, end in spans])
        at = np.concatenate([np.arange(start, end) for start, end in spans])
        scores *= self.scales[at]
        if len(scores) > k:
            last = np.partition(scores, -k)[-k]
            at = at[scores >= last - SLACK * abs(last)]
        scores = (self.rows(at) * row).sum(axis=1)  # the same for the same vectors, which a product by BLAS is not
        order = np.lexsort((at, -scores))[:k]
        return self.labels[at[order]], scores[order]


class IvfIndex:
    """An inverted file behind the ``VectorIndex`` protocol. Adding and removing make it anew when it is next asked.

    >>> index = IvfIndex(2)
    >>> index.add(np.array([7, 8]), np.array([[1, 0], [0, 2]], np.float32))
    >>> index.query(np.array([[0, 1]], np.float32), k=1)[0][0].tolist()
    [8]
    """

    kind = "ivf"

    def __init__(self, dimension: int, *, probes: int = PROBES, size: int = LIST, seed: int = 20230813) -> None:
        self.dimension = dimension
        self.probes = probes
        self._size, self._seed = size, seed
        self._lists: Lists | None = None
        self._fresh: tuple[Ids, Vectors] = np.empty(0, np.int64), np.empty((0, dimension), np.float32)
        """Labels and vectors, as they were added, of an index that is not made yet."""

    def add(self, labels: Ids, vectors: Vectors) -> None:
        """Add or replace vectors, float32 (n, d)."""
        rows, names = check_vectors(vectors, self.dimension), np.asarray(labels, np.int64)
        self.remove(names)
        known, held = self._all()
        if len(known):
            names, rows = np.concatenate([known, names]), np.concatenate([held, rows])
        self._fresh, self._lists = (names, rows), None

    def remove(self, labels: Ids) -> None:
        """Take labels out; unknown ones are passed over."""
        known, held = self._all()
        kept = ~np.isin(known, labels)
        if not kept.all():
            self._fresh, self._lists = (known[kept], held[kept]), None

    def query(self, vectors: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        """(labels, inner products) of about the k best for each query vector; equal scores as they were added."""
        rows = check_vectors(vectors, self.dimension)
        k = min(k, len(self))
        if k <= 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in rows]
        return [self._made().query(row, k, self.probes) for row in rows]

    def labels(self) -> Ids:
        """All labels that are there, ascending."""
        return np.sort(self._fresh[0]) if self._lists is None else self._lists.ordered

    def vectors(self, labels: Ids) -> Vectors:
        """The vectors of labels, shape (n, d), as they are kept."""
        lists = self._made()
        return lists.rows(lists.by_label[places_of(lists.ordered, labels)])

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the lists and the graph of their centroids."""
        about = {"probes": self.probes, "size": self._size, "seed": self._seed}
        return about | self._made().save(folder)

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Map what ``save`` wrote; the small graph is read."""
        index = cls(int(about["dimension"]), probes=about["probes"], size=about["size"], seed=about["seed"])
        index._lists = Lists.load(folder, about)
        return index

    def __len__(self) -> int:
        return len(self._fresh[0] if self._lists is None else self._lists.labels)

    def _all(self) -> tuple[Ids, Vectors]:
        """All labels and their vectors, as they were added or as they lie."""
        lists = self._lists
        return self._fresh if lists is None else (lists.labels, lists.rows(np.arange(len(lists.labels))))

    def _made(self) -> Lists:
        if self._lists is None:
            self._lists = Lists.make(*self._fresh, self._size, self._seed)
            self._fresh = np.empty(0, np.int64), np.empty((0, self.dimension), np.float32)
        return self._lists


def _coded(vectors: Vectors, order: Ids) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Vectors in an order, one byte a dimension, and the scale of each."""
    codes = np.empty(vectors.shape, np.int8)
    scales = np.empty(len(vectors), np.float32)
    for start in range(0, len(order), BLOCK):
        rows = vectors[order[start : start + BLOCK]]
        scale = np.maximum(np.abs(rows).max(axis=1), np.float32(1e-30)) / np.float32(STEPS)
        codes[start : start + BLOCK] = np.rint(rows / scale[:, None])
        scales[start : start + BLOCK] = scale
    return codes, scales
