"""Many vectors into many small groups of like direction: spherical k-means (Dhillon & Modha, 2001) in two levels.

A flat k-means of n vectors into k groups weighs n k pairs, at a million vectors and 30,000 groups more than all the
rest of the build. So the vectors are first parted into about sqrt(k) regions, and each region into its own groups.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tablelens.types import Ids, Vectors

BLOCK = 1 << 14
"""Vectors that are weighed at a time; it bounds memory."""
SAMPLE = 32
"""Vectors a centroid that k-means looks at."""
ROUNDS = 5
NEAR = 3
"""Regions whose groups a vector may belong to: borders between regions cut through groups."""

Draw = np.random.Generator


def cluster(vectors: Vectors, size: int, seed: int) -> tuple[Vectors, Ids, Ids]:
    """Centroids, unit vectors (k, d); the region of each, ascending, (k,); the place of each vector's centroid, (n,).

    Groups hold ``size`` distinct vectors on average; none is empty. Copies of a vector are always in its group and
    have no other part in it, nor have lengths. Zero vectors all go to one group.

    >>> rows = np.array([[1, 0], [2, 0], [0, 3], [0, 1]], np.float32)
    >>> centroids, regions, places = cluster(rows, size=2, seed=1)
    >>> bool(places[0] == places[1] != places[2] == places[3])
    True
    """
    if not len(vectors):
        return np.empty((0, vectors.shape[1]), np.float32), np.empty(0, np.int64), np.empty(0, np.int64)
    first, copy_of = distinct(vectors)
    if len(first) < len(vectors):
        centroids, region_of, places = cluster(vectors[first], size, seed)
        return centroids, region_of, places[copy_of]
    draw = np.random.default_rng(seed)
    wanted = max(len(vectors) // size, 1)
    regions = _kmeans(vectors, round(np.sqrt(wanted)), draw)
    near = _nearest(vectors, regions, min(NEAR, len(regions)))
    centroids, region_of = _split(vectors, near[:, 0], len(regions), size, draw)
    places = _assign(vectors, near, centroids, region_of)
    held, places = np.unique(places, return_inverse=True)
    return centroids[held], region_of[held], places.astype(np.int64)


def distinct(vectors: Vectors) -> tuple[Ids, Ids]:
    """Where each distinct vector stands first, ascending, and for each vector which of those it is a copy of, (n,).

    >>> [places.tolist() for places in distinct(np.array([[1], [5], [1]], np.float32))]
    [[0, 1], [0, 1, 0]]
    """
    factors = np.random.default_rng(0).integers(0, 2**63, vectors.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    keys = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), BLOCK):  # whole numbers, whose sum has no rounding to differ by
        words = np.ascontiguousarray(vectors[start : start + BLOCK]).view(np.uint32)
        keys[start : start + BLOCK] = (words.astype(np.uint64) * factors).sum(axis=1)
    _, first, copy_of = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(first), np.int64)
    rank[order] = np.arange(len(first))
    return first[order], rank[copy_of]


def _split(vectors: Vectors, region: Ids, regions: int, size: int, draw: Draw) -> tuple[Vectors, Ids]:
    """The centroids of all regions' groups, and the region of each."""
    order = np.argsort(region, kind="stable")
    bounds = np.searchsorted(region[order], np.arange(regions + 1))
    parts = [order[left:right] for left, right in pairwise(bounds.tolist())]
    made = [_kmeans(vectors, max(round(len(part) / size), 1), draw, part) for part in parts if len(part)]
    names = [place for place, part in enumerate(parts) if len(part)]
    return np.concatenate(made), np.repeat(names, [len(centroids) for centroids in made])


def _assign(vectors: Vectors, near: Ids, centroids: Vectors, region_of: Ids) -> Ids:
    """The nearest centroid of each vector among those of its near regions."""
    best, places = np.full(len(vectors), -np.inf, np.float32), np.zeros(len(vectors), np.int64)
    order = np.argsort(near, axis=None, kind="stable")
    regions, starts = np.unique(near.reshape(-1)[order], return_index=True)
    for region, rows in zip(regions.tolist(), np.split(order // near.shape[1], starts[1:]), strict=True):
        groups = np.flatnonzero(region_of == region)
        for start in range(0, len(rows) if len(groups) else 0, BLOCK):
            some = rows[start : start + BLOCK]
            scores = unit(vectors[some]) @ centroids[groups].T
            first = scores.argmax(axis=1)
            score = scores[np.arange(len(some)), first]
            better = score > best[some]
            best[some[better]], places[some[better]] = score[better], groups[first[better]]
    return places


def _kmeans(vectors: Vectors, k: int, draw: Draw, members: Ids | None = None) -> Vectors:
    """At most k unit centroids of the vectors, or of some of them."""
    members = np.arange(len(vectors)) if members is None else members
    k = max(min(k, len(members)), 1)
    if len(members) > SAMPLE * k:
        members = np.sort(draw.choice(members, SAMPLE * k, replace=False))
    rows = unit(vectors[members])
    centroids = rows[np.sort(draw.choice(len(rows), k, replace=False))]
    for _ in range(ROUNDS):
        nearest = np.concatenate(
            [(rows[start : start + BLOCK] @ centroids.T).argmax(axis=1) for start in range(0, len(rows), BLOCK)]
        )
        order = np.argsort(nearest, kind="stable")
        held, starts = np.unique(nearest[order], return_index=True)
        centroids[held] = unit(np.add.reduceat(rows[order], starts, axis=0))
    return centroids


def _nearest(vectors: Vectors, centroids: Vectors, count: int) -> Ids:
    """The ``count`` nearest centroids of each vector, (n, count), the nearest first."""
    found = np.empty((len(vectors), count), np.int64)
    for start in range(0, len(vectors), BLOCK):
        scores = unit(vectors[start : start + BLOCK]) @ centroids.T
        some = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
        found[start : start + BLOCK] = np.take_along_axis(some, order, axis=1)
    return found


def unit(rows: npt.NDArray[np.float32]) -> Vectors:
    """Rows at length 1; a zero row stays zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    made: Vectors = rows / np.maximum(lengths, np.float32(1e-12))
    return made
