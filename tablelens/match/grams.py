"""Which cells are written alike: character 3-grams, weighted by rarity, joined without looking at all pairs.

The similarity of two cells is the cosine of their sets of 3-grams, each gram weighted by its inverse document frequency
over both columns. Pairs come from a *prefix filter* (Bayardo et al., WWW 2007): with the grams of every cell in one
order, the rarest first, two cells of cosine t or more share a gram within their prefixes, a prefix ending where what
is left of the cell has a length below t. So only cells that share a rare gram are ever compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tablelens.index.postings import runs
from tablelens.types import Ids

Floats = npt.NDArray[np.float64]
LEAST = 0.3
"""Cosine below which a pair is of no interest."""
FAINT = 0.2
"""Share of the cosine that lies in both prefixes, at least. What lies beyond adds less than LEAST, so that no pair of
cosine LEAST + FAINT is lost, and few below."""
BUDGET = 30_000_000
"""Meetings of two cells in a gram that are looked at; the rarest grams come first, and what is beyond is left out."""
CHUNK = 2_000_000
"""Meetings that are in memory at a time."""
BEST = 8
"""Partners of a cell that are weighed in full."""
LETTERS = np.uint64(0x110000)


@dataclass(frozen=True, slots=True)
class Grams:
    """The 3-grams of n cells. Cell i has ``ids[starts[i]:starts[i + 1]]``, the rarest first."""

    starts: Ids
    ids: Ids
    weights: Floats
    """Of each gram in its cell; those of a cell have length 1."""
    norms: Floats
    """Length of each cell's weights before."""

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, slots=True)
class Alike:
    """Pairs of cells that are written alike; arrays of shape (pairs,), ascending by left, then right."""

    left: Ids
    right: Ids
    cosine: Floats
    within: Floats
    """Share of the shorter cell's grams that the other has, by their weight."""


def alike(left: Sequence[str], right: Sequence[str]) -> Alike:
    """Pairs of cells whose cosine is at least ``LEAST``, for each left cell its best partners.

    >>> alike(["kosovo region"], ["kosovo", "serbia"]).right.tolist()
    [0]
    """
    one, other = grams_of(left, right)
    found = [_best(one, *met) for met in _meetings(one, other)]
    none = np.empty(0, np.int64)
    rows = np.concatenate([none, *(rows for rows, _ in found)])
    partners = np.concatenate([none, *(partners for _, partners in found)])
    cosine = dots(one, other, rows, partners)
    kept = cosine >= LEAST
    rows, partners, cosine = rows[kept], partners[kept], cosine[kept]
    longer, shorter = one.norms[rows], other.norms[partners]
    within = cosine * np.maximum(longer, shorter) / np.minimum(longer, shorter)
    return Alike(rows, partners, cosine, np.minimum(within, 1.0))


def grams_of(left: Sequence[str], right: Sequence[str]) -> tuple[Grams, Grams]:
    """The grams of both columns' cells, numbered and weighted over both."""
    cells = [f" {cell} " for cells in (left, right) for cell in cells]
    lengths = np.fromiter(map(len, cells), np.int64, len(cells))
    letters = np.frombuffer("".join(cells).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    owner = np.repeat(np.arange(len(cells)), lengths)
    inside = owner[:-2] == owner[2:] if len(letters) > 2 else np.zeros(0, bool)
    owner = owner[:-2][inside]
    codes = ((letters[:-2] * LETTERS + letters[1:-1]) * LETTERS + letters[2:])[inside] if len(inside) else letters[:0]
    coded = pa.array(codes).dictionary_encode()
    gram, kinds = coded.indices.to_numpy().astype(np.int64), max(len(coded.dictionary), 1)
    keys = np.sort(owner * kinds + gram)
    keys = keys[np.diff(keys, prepend=-1) > 0]  # each gram of a cell once
    owner, gram = np.divmod(keys, kinds)
    frequency = np.bincount(gram, minlength=kinds)
    order = np.argsort(frequency, kind="stable")
    rank = np.empty(kinds, np.int64)
    rank[order] = np.arange(kinds)
    keys = np.sort(owner * kinds + rank[gram])
    owner, gram = np.divmod(keys, kinds)
    weights = np.log1p(len(cells) / np.maximum(frequency[order], 1))[gram]
    norms = np.sqrt(np.bincount(owner, weights**2, minlength=len(cells)))
    weights = weights / norms[owner]
    starts = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=len(cells))))).astype(np.int64)
    cut = len(left)
    middle = starts[cut]
    return (
        Grams(starts[: cut + 1], gram[:middle], weights[:middle], norms[:cut]),
        Grams(starts[cut:] - middle, gram[middle:], weights[middle:], norms[cut:]),
    )


def dots(left: Grams, right: Grams, rows: Ids, partners: Ids) -> Floats:
    """The cosine of each pair of cells, shape of ``rows``."""
    made = np.zeros(len(rows))
    kinds = int(max(left.ids.max(initial=0), right.ids.max(initial=0))) + 1
    owner = np.repeat(np.arange(len(right)), np.diff(right.starts))
    known = owner * kinds + right.ids
    order = np.argsort(partners, kind="stable")  # neighbours in memory are asked for together
    sizes = np.diff(left.starts)[rows[order]]
    for part in _parts(sizes):
        some = order[part]
        entry = runs(left.starts[rows[some]], sizes[part])
        pair = np.repeat(np.arange(len(some)), sizes[part])
        wanted = partners[some][pair] * kinds + left.ids[entry]
        at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
        hit = known[at] == wanted
        shared = left.weights[entry[hit]] * right.weights[at[hit]]
        made[some] = np.bincount(pair[hit], shared, minlength=len(some))
    return made


def _meetings(left: Grams, right: Grams) -> Iterator[tuple[Ids, Ids, Floats]]:
    """(left cells, right cells, share of the cosine) of each gram that prefixes share, some left cells at a time."""
    one, other = _prefixes(left), _prefixes(right)
    owner = np.repeat(np.arange(len(right)), np.diff(right.starts))[other]
    grams = right.ids[other]
    order = np.argsort(grams, kind="stable")
    owner, weight, grams = owner[order], right.weights[other][order], grams[order]
    kinds = int(max(left.ids.max(initial=0), right.ids.max(initial=0))) + 1
    holders = np.bincount(grams, minlength=kinds)
    meetings = np.bincount(left.ids[one], minlength=kinds) * holders
    cheap = np.argsort(meetings, kind="stable")
    allowed = np.zeros(kinds, bool)
    allowed[cheap[: np.searchsorted(np.cumsum(meetings[cheap]), BUDGET, side="right")]] = True
    one = one[allowed[left.ids[one]]]
    starts = np.concatenate(([0], np.cumsum(holders)))
    asking = np.repeat(np.arange(len(left)), np.diff(left.starts))[one]
    sizes = holders[left.ids[one]]
    by_cell = np.bincount(asking, sizes, minlength=len(left)).astype(np.int64)
    first = np.searchsorted(asking, np.arange(len(left) + 1))
    for cells in _parts(by_cell):
        part = slice(int(first[cells.start]), int(first[cells.stop]))
        entry = runs(starts[left.ids[one[part]]], sizes[part])
        spread = np.repeat(np.arange(part.start, part.stop), sizes[part])
        yield asking[spread], owner[entry], left.weights[one[spread]] * weight[entry]


def _prefixes(cells: Grams) -> Ids:
    """Entries that lie in the prefix of their cell."""
    squares = np.concatenate(([0.0], np.cumsum(cells.weights**2)))
    ends = np.repeat(squares[cells.starts[1:]], np.diff(cells.starts))
    return np.flatnonzero(ends - squares[:-1] >= LEAST**2)


def _best(left: Grams, rows: Ids, partners: Ids, shares: Floats) -> tuple[Ids, Ids]:
    """The partners of each left cell that share most of the prefixes, ascending."""
    if not len(rows):
        return rows, partners
    width = int(partners.max()) + 1
    keys = rows * width + partners
    order = np.argsort(keys)
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    totals = np.add.reduceat(shares[order], first)
    likely = totals >= FAINT
    rows, partners = np.divmod(keys[first[likely]], width)
    order = np.lexsort((-np.round(totals[likely], 9), rows))
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)  # rows are ascending before and after
    kept = np.sort(order[place < BEST])
    return rows[kept], partners[kept]


def _parts(sizes: Ids) -> Iterator[slice]:
    """Consecutive slices whose sizes add up to about CHUNK, at least one element each."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, before + CHUNK, side="right")), start + 1)
        yield slice(start, stop)
        start = stop
