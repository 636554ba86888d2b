"""Approximate search among hundreds of thousands of vectors and more: an inverted file with one byte a dimension.

Vectors of like direction share a list (spherical k-means, ``clusters``), lists of like direction a region. A query is
compared with all regions, with the lists of the first ``REGIONS`` of them, and with all vectors of the first ``probes``
lists. What makes it fit here:

- A list's centroid has the length of its longest member, so that lists come in the order of the greatest score that a
  member could have; a region's has the square root of it, between that and the angle alone. The score is the inner
  product and long vectors answer most queries: with centroids of length 1 three times the lists would be needed.
- Vectors are kept in one byte a dimension, at a scale of their own: a score is off by some .001 of the vector's length.
- Columns that are copies of each other, of which real lakes have many, lie in one list or few. In an HNSW graph the
  links of a copy lead to other copies alone, and whole families of them cannot be reached; it is so with a graph over
  the centroids too, which is why there is none here, though DeepJoin (Dong et al., PVLDB 16(10) 2023) has one over its
  inverted file at scale.

The same vectors in the same order make the same index, whatever their labels: k-means draws by a fixed seed, and of
equal scores the vector that was added first comes first.

A reader may tell lists apart by their bytes first, as the DuckDB extension does, if the first ones are the same.

Files, for other readers too (.npy 1.0, little-endian, C order; n vectors, d dimensions, l lists, r regions):

    ivf_codes.npy           int8[n, d]      vectors over their scale, list by list, within one as they were added
    ivf_scales.npy          float32[n]      what a code of 1 stands for, by vector
    ivf_labels.npy          int64[n]        labels (column ids), by vector
    ivf_starts.npy          int64[l + 1]    where each list begins
    ivf_centroids.npy       float32[l, d]   of the lists, region by region
    ivf_region_starts.npy   int64[r + 1]    where each region's lists begin
    ivf_regions.npy         float32[r, d]   centroids of the regions
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tablelens.index.clusters import BLOCK, cluster, unit
from tablelens.index.exact import check_vectors, places_of
from tablelens.types import Ids, Vectors

LIST = 16
"""Vectors of a list, on average."""
REGIONS = 32
"""Regions whose lists are looked at, of about sqrt(n / LIST)."""
PROBES = 192
"""Lists that are weighed for a query."""
STEPS = 127
"""The greatest code."""
SLACK = 1e-5
"""Share by which two sums of the same products, added in another order, may differ."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Lists:
    """The inverted file, a field a file."""

    codes: npt.NDArray[np.int8]
    scales: Floats
    labels: Ids
    starts: Ids
    centroids: Vectors
    region_starts: Ids
    regions: Vectors

    @classmethod
    def make(cls, labels: Ids, vectors: Vectors, size: int, seed: int) -> Self:
        """From labels and vectors float32 (n, d)."""
        centroids, region_of, places = cluster(vectors, size, seed)
        order = np.argsort(places, kind="stable")
        starts = np.searchsorted(places[order], np.arange(len(centroids) + 1))
        codes, scales = _coded(vectors, order)
        names, first = np.unique(region_of, return_index=True)
        if not len(names):
            return cls(codes, scales, labels, starts, centroids, np.zeros(1, np.int64), centroids)
        longest = np.maximum.reduceat(np.linalg.norm(vectors, axis=1)[order], starts[:-1])[:, None]
        regions = unit(np.add.reduceat(centroids, first, axis=0)) * np.sqrt(np.maximum.reduceat(longest, first))
        return cls(codes, scales, labels[order], starts, centroids * longest, np.append(first, len(centroids)), regions)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map the files."""
        paths = (folder / f"ivf_{field.name}.npy" for field in fields(cls))
        return cls(*(np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray) for path in paths))

    def save(self, folder: Path) -> None:
        """Write them."""
        for field in fields(self):
            np.save(folder / f"ivf_{field.name}.npy", getattr(self, field.name), allow_pickle=False)

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

    def query(self, row: Floats, k: int, probes: int) -> tuple[Ids, Vectors]:
        """(labels, scores) of the k best in the first lists; in more lists where those do not hold as many.

        Products are ``vecdot``: those of BLAS start threads for a few hundred rows, which cost more than they save.
        """
        regions = REGIONS
        while True:
            lists = self._nearest(row, regions, probes)
            starts, ends = self.starts[lists], self.starts[lists + 1]
            if (ends - starts).sum() >= k or len(lists) == len(self.centroids):
                break
            probes, regions = 4 * probes, 4 * regions
        spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
        scores = np.concatenate([np.vecdot(self.codes[start:end].astype(np.float32), row) for start, end in spans])
        at = np.concatenate([np.arange(start, end) for start, end in spans])
        scores *= self.scales[at]
        if len(scores) > k:
            last = np.partition(scores, -k)[-k]
            at = at[scores >= last - SLACK * abs(last)]
        scores = (self.rows(at) * row).sum(axis=1)  # the same for the same vectors, which a product by BLAS is not
        order = np.lexsort((at, -scores))[:k]
        return self.labels[at[order]], scores[order]

    def _nearest(self, row: Floats, regions: int, probes: int) -> Ids:
        """The lists that could hold the greatest scores."""
        some = _first(np.vecdot(self.regions, row), regions)
        spans = list(zip(self.region_starts[some].tolist(), self.region_starts[some + 1].tolist(), strict=True))
        lists = np.concatenate([np.arange(start, end) for start, end in spans])
        scores = np.concatenate([np.vecdot(self.centroids[start:end], row) for start, end in spans])
        return lists[_first(scores, probes)]


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
        """Write the lists."""
        self._made().save(folder)
        return {"probes": self.probes, "size": self._size, "seed": self._seed}

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Map what ``save`` wrote."""
        index = cls(int(about["dimension"]), probes=about["probes"], size=about["size"], seed=about["seed"])
        index._lists = Lists.load(folder)
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


def _first(scores: Floats, k: int) -> Ids:
    """Places of the k greatest scores, in no order."""
    return np.argpartition(-scores, k - 1)[:k] if k < len(scores) else np.arange(len(scores))


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
