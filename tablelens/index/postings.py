"""The value arm: an inverted index from value hashes to columns, in flat arrays that are mapped into memory.

Each array is a .npy file of its own (format 1.0, little-endian, C order), with v values, c columns and p postings. A
column is its place in ``columns.arrow``. Other readers may map them too: their layout only changes with the format
number of the manifest (``index/generation.py``).

    values      uint64[v]      the lake's distinct value hashes, sorted
    starts      int64[v + 1]   where each value's columns begin in ``columns``
    columns     uint32[p]      the columns that hold each value, one run a value
    own_starts  int64[c + 1]   where each column's values begin in ``own``
    own         uint32[p]      each column's values as places in ``values``, ascending
    limits      uint64[c]      the greatest hash that a column's set can tell of: 2^64 - 1, or the sketch's last

Overlap of one column with all others is counted exactly, as in JOSIE (Zhu et al., SIGMOD 2019), rare values first;
very common values are not walked when a bound shows that they cannot bring a new column into the top k.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tablelens.types import Hashes, Ids

FULL = np.uint64(2**64 - 1)
ARRAYS = ("values", "starts", "columns", "own_starts", "own", "limits")
WALK = 1_500_000
"""Postings walked before common values are held back and bounded."""
MARKED = 1 << 15
"""Values of asked columns from which on it is quicker to mark the query's values in an array of the lake's."""

Counts = npt.NDArray[np.int64]
Allowed = Callable[[Ids], npt.NDArray[np.bool_]]
"""Says which of some columns may be found; asked of the columns that turned up, so that no query looks at all."""


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Columns, ascending, and how many of the query's values each holds.

    ``complete`` says that every column is there that shares a value, not only those that can be in the top k.
    """

    columns: Ids
    counts: Counts
    complete: bool = True

    def of(self, columns: Ids) -> Counts:
        """The counts of given columns, 0 for those that share nothing."""
        if not len(self.columns):
            return np.zeros(len(columns), np.int64)
        found = np.minimum(np.searchsorted(self.columns, columns), len(self.columns) - 1)
        return np.where(self.columns[found] == columns, self.counts[found], 0)


@dataclass(frozen=True, slots=True)
class Postings:
    """The inverted index. Columns are places 0 … c-1; what they are called is not its business.

    >>> index = Postings.build([np.array([1, 2, 3], np.uint64), np.array([2, 3], np.uint64)])
    >>> index.overlaps(index.places(np.array([2, 3, 9], np.uint64)), k=2).counts.tolist()
    [2, 2]
    """

    values: Hashes
    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.uint32]
    own_starts: npt.NDArray[np.int64]
    own: npt.NDArray[np.uint32]
    limits: Hashes

    @classmethod
    def build(cls, sets: Sequence[Hashes], exact: npt.NDArray[np.bool_] | None = None) -> Postings:
        """From one sorted, distinct hash array a column; ``exact[i]`` is False where a set is a sketch."""
        sizes = np.fromiter(map(len, sets), np.int64, len(sets))
        flat = np.concatenate(sets) if len(sets) else np.empty(0, np.uint64)
        return cls.build_flat(flat.astype(np.uint64, copy=False), sizes, exact)

    @classmethod
    def build_flat(
        cls, flat: Hashes, sizes: npt.NDArray[np.int64], exact: npt.NDArray[np.bool_] | None = None
    ) -> Postings:
        """From all hashes end to end and the number that each column has."""
        own_starts = _starts(sizes)
        order = np.argsort(flat, kind="stable")  # stable: the columns of a value stay ascending
        holders = np.repeat(np.arange(len(sizes), dtype=np.uint32), sizes)[order]
        ordered = flat[order]
        first = np.empty(len(ordered), bool)
        first[:1] = True
        np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
        values = ordered[first]
        starts = np.append(np.flatnonzero(first), len(ordered)).astype(np.int64)
        own = np.empty(len(flat), np.uint32)
        own[order] = (np.cumsum(first) - 1).astype(np.uint32)
        limits = np.full(len(sizes), FULL)
        for place in np.flatnonzero(~exact) if exact is not None else ():
            limits[place] = flat[own_starts[place + 1] - 1] if sizes[place] else FULL
        return cls(values, starts, holders, own_starts, own, limits)

    @classmethod
    def load(cls, folder: Path) -> Postings:
        """Map the files of a folder; nothing is read until it is asked for."""
        mapped = (np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS)
        return cls(*(array.view(np.ndarray) for array in mapped))  # numpy's own memmap class is slow to index

    def save(self, folder: Path) -> None:
        """Write one .npy file an array."""
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    def __len__(self) -> int:
        return len(self.own_starts) - 1

    def only(self, columns: Ids) -> Postings:
        """The index of some columns alone, ascending places; nothing in it tells of the others."""
        sizes = self.own_starts[columns + 1] - self.own_starts[columns]
        own = self.own[runs(self.own_starts[columns], sizes)]
        held = np.zeros(len(self.values), bool)
        held[own] = True
        own = (np.cumsum(held, dtype=np.int64) - 1)[own].astype(np.uint32)
        order = np.argsort(own, kind="stable")
        holders = np.repeat(np.arange(len(columns), dtype=np.uint32), sizes)[order]
        starts = _starts(np.bincount(own, minlength=int(held.sum())))
        return Postings(self.values[held], starts, holders, _starts(sizes), own, self.limits[columns])

    def places(self, hashes: Hashes) -> npt.NDArray[np.int64]:
        """Places in ``values`` of those hashes that the lake holds, ascending."""
        found = self.find(hashes)
        return np.unique(found[found >= 0])

    def find(self, hashes: Hashes) -> npt.NDArray[np.int64]:
        """The place in ``values`` of each hash, in the order given, shape (n,); -1 for one that the lake lacks."""
        if not len(self.values):
            return np.full(len(hashes), -1)
        found = np.minimum(np.searchsorted(self.values, hashes), len(self.values) - 1)
        return np.where(self.values[found] == hashes, found, -1)

    def values_of(self, column: int) -> npt.NDArray[np.uint32]:
        """Places of a column's values, ascending."""
        return self.own[self.own_starts[column] : self.own_starts[column + 1]]

    def hashes_of(self, column: int) -> Hashes:
        """A column's value hashes, sorted."""
        return np.asarray(self.values[self.values_of(column)])

    def frequency(self, places: npt.NDArray[np.integer]) -> Counts:
        """Document frequency: the number of columns that hold each value."""
        return np.asarray(self.starts[places + 1] - self.starts[places])

    def overlaps(self, places: npt.NDArray[np.integer], k: int, allowed: Allowed | None = None) -> Overlaps:
        """Columns that share values with the query, at least all of the k with the greatest overlap.

        Counts are exact. Columns come ascending; with ``allowed``, only those that it lets through. What it costs
        goes with the postings of the query's values, not with the number of columns.
        """
        places = np.asarray(places, np.int64)
        reach = self.frequency(places)
        order = np.argsort(reach, kind="stable")
        walked = int(np.searchsorted(np.cumsum(reach[order]), WALK, side="right"))
        light, heavy = places[order[:walked]], places[order[walked:]]
        found, counts = self._count(light, allowed)
        if len(heavy):
            sure = _kth(counts, k)
            if sure <= len(heavy):  # an unseen column could still reach the top k: walk the common values too
                found, counts = self._count(places, allowed)
            else:
                near = counts >= sure - len(heavy)
                rivals = found[near]
                return Overlaps(rivals, counts[near] + self.count_in(heavy, rivals), complete=False)
        return Overlaps(found, counts)

    def count_in(self, places: npt.NDArray[np.integer], columns: Ids) -> Counts:
        """How many of the query's values each given column holds, shape (len(columns),)."""
        if not len(columns) or not len(places):
            return np.zeros(len(columns), np.int64)
        starts, sizes = self.own_starts[columns], self.own_starts[columns + 1] - self.own_starts[columns]
        hits = self._among(self.own[runs(starts, sizes)], np.asarray(places))
        ends = np.cumsum(sizes)
        total = np.concatenate(([0], np.cumsum(hits)))
        return np.asarray(total[ends] - total[ends - sizes], np.int64)

    def _among(self, values: npt.NDArray[np.uint32], asked: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        """Which values are asked for; the quicker of two ways."""
        if len(values) < MARKED:
            ordered = np.sort(asked).astype(np.uint32)
            return np.asarray(ordered[np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)] == values)
        marks = np.zeros(len(self.values), bool)
        marks[asked] = True
        return np.asarray(marks[values])

    def _count(self, places: npt.NDArray[np.integer], allowed: Allowed | None) -> tuple[Ids, Counts]:
        """The columns, ascending, that hold any of some values, and how many of them each holds."""
        starts = self.starts[places]
        holders = self.columns[runs(starts, self.starts[places + 1] - starts)]
        if len(holders) > len(self):
            counts = np.bincount(holders, minlength=len(self))
            found = np.flatnonzero(counts)
            counts = counts[found]
        else:
            holders = np.sort(holders)
            first = np.flatnonzero(np.append(True, holders[1:] != holders[:-1])[: len(holders)])
            found, counts = holders[first].astype(np.int64), np.diff(first, append=len(holders))
        if allowed is None:
            return found, counts
        kept = allowed(found)
        return found[kept], counts[kept]


def _starts(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


def runs(starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The places start, start+1, … of each run, end to end."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()))


def _kth(counts: Counts, k: int) -> int:
    """The k-th greatest count."""
    return int(np.partition(counts, -k)[-k]) if k <= len(counts) else 0
