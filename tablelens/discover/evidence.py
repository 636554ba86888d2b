"""The proof: what query and candidate really share, counted on the value sets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tablelens.discover.source import YOURS, Source
from tablelens.discover.view import LakeView, Mask
from tablelens.index.postings import FULL
from tablelens.profile.normalize import hash_cells
from tablelens.types import Bridge, Cardinality, Evidence, Family, Hashes, Ids, Kind

EXAMPLES = 5
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Query:
    """The column that is asked for, of the lake or from outside. ``place`` and ``table_id`` are -1 outside."""

    view: LakeView
    name: str
    table: str
    kind: Kind
    family: Family
    rows: int
    filled: int
    distinct: int
    hashes: Hashes
    exact: bool
    cells: tuple[str, ...]
    vector: npt.NDArray[np.float32] | None
    """Unit vector, shape (d,), or None where the column has none (numbers, dates)."""
    place: int = -1
    table_id: int = -1
    source: Source = YOURS
    """What a FROM clause reads the table with."""
    excluded: str = ""
    """Why the column joins with nothing, or nothing."""
    null_words: tuple[str, ...] = ()
    spread: Floats | None = None
    """The distribution of a column of numbers or dates, as ``discover.spread`` has it."""

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """Places in the postings of the values that the lake holds."""
        postings = self.view.generation.postings
        if self.place >= 0:
            return postings.values_of(self.place).astype(np.int64)
        return postings.places(self.hashes)

    @cached_property
    def cell_places(self) -> npt.NDArray[np.int64]:
        """Places in the postings of the kept cells, in their order; -1 for cells that the lake does not hold."""
        return self.view.generation.postings.find(hash_cells(self.cells))

    @property
    def limit(self) -> np.uint64:
        """The greatest hash that the query's set can tell of."""
        return FULL if self.exact or not len(self.hashes) else self.hashes[-1]


@dataclass(frozen=True, slots=True)
class Counted:
    """Evidence on many candidates at once; arrays of shape (n,)."""

    places: Ids
    overlap: Ids
    containment: Floats
    reverse: Floats
    jaccard: Floats
    error: Floats

    def take(self, order: npt.NDArray[np.integer]) -> Counted:
        """Some of them, in a new order."""
        return Counted(*(getattr(self, name)[order] for name in Counted.__slots__))


def count(query: Query, places: Ids, overlap: Ids | None = None) -> Counted:
    """Overlap, containment both ways and Jaccard of the query with each candidate.

    Where a side is a bottom-k sketch, both are compared below the lesser of the two greatest hashes: containment is
    then an unbiased estimate with the standard error given, and overlap is scaled up from it.
    """
    view, postings = query.view, query.view.generation.postings
    if overlap is None:
        overlap = postings.count_in(query.places, places)
    shared = overlap.astype(np.float64)
    mine = np.full(len(places), max(len(query.hashes), 1), np.float64)
    theirs = np.maximum(view.distinct[places].astype(np.float64), 1)
    error = np.zeros(len(places))
    full_mine, full_theirs = float(max(query.distinct, 1)), theirs.copy()
    for i in np.flatnonzero(~view.exact[places]) if query.exact else range(len(places)):
        mine[i], theirs[i] = _below(query, int(places[i]))
        error[i] = 0.5 / np.sqrt(max(mine[i], 1.0))
    containment = np.minimum(shared / np.maximum(mine, 1), 1.0)
    reverse = np.minimum(shared / np.maximum(theirs, 1), 1.0)
    whole = np.minimum(containment * full_mine, full_theirs)
    jaccard = whole / np.maximum(full_mine + full_theirs - whole, 1)
    return Counted(places, np.rint(whole).astype(np.int64), containment, reverse, jaccard, error)


def evidence_of(
    query: Query, counted: Counted, i: int, held: Mask, cosine: float | None = None, bridge: Bridge | None = None
) -> Evidence:
    """The evidence on one candidate, with examples of cells that match and that do not; ``held`` as held_cells."""
    view, place = query.view, int(counted.places[i])
    matched, unmatched = _examples(query, held)
    rows_each = query.filled / max(query.distinct, 1) * view.filled[place] / max(view.distinct[place], 1)
    join_rows = round(float(counted.overlap[i]) * rows_each)
    return Evidence(
        overlap=int(counted.overlap[i]),
        containment=round(float(counted.containment[i]), 6),
        reverse_containment=round(float(counted.reverse[i]), 6),
        jaccard=round(float(counted.jaccard[i]), 6),
        cardinality=cardinality(query.distinct == query.filled, bool(view.distinct[place] == view.filled[place])),
        join_rows=join_rows,
        explosion=round(join_rows / max(query.rows, 1), 3),
        matched=matched,
        unmatched=unmatched,
        error=round(float(counted.error[i]), 6),
        cosine=None if cosine is None else round(cosine, 6),
        bridge=bridge,
    )


def cardinality(left_unique: bool, right_unique: bool) -> Cardinality:
    """The class of a join by whether each side's values are unique.

    >>> cardinality(False, True)
    'n:1'
    """
    return f"{'1' if left_unique else 'n'}:{'1' if right_unique else 'm' if not left_unique else 'n'}"  # type: ignore[return-value]


def _below(query: Query, place: int) -> tuple[float, float]:
    """How many hashes of query and candidate lie where both sets can tell."""
    postings = query.view.generation.postings
    limit = min(query.limit, postings.limits[place])
    theirs = postings.hashes_of(place) if limit != FULL else None
    mine = float(np.searchsorted(query.hashes, limit, side="right"))
    return mine, float(query.view.distinct[place] if theirs is None else np.searchsorted(theirs, limit, side="right"))


def held_cells(query: Query, place: int) -> Mask:
    """Which of the query's kept cells the candidate holds, shape (len(query.cells),)."""
    own = query.view.generation.postings.values_of(place)
    if not len(own) or not query.cells:
        return np.zeros(len(query.cells), bool)
    found = np.minimum(np.searchsorted(own, query.cell_places), len(own) - 1)
    return np.asarray(own[found] == query.cell_places)


def same_spelling(query: Query, place: int, held: Mask) -> bool:
    """Whether the cells that both sides kept are written alike, so that plain equality joins them."""
    written = set(query.view.value("cells", place))
    shared = [cell for cell, hit in zip(query.cells, held, strict=True) if hit]
    if len(written) < query.view.distinct[place]:  # not all were kept: leave out those that cannot be looked up
        folded = {" ".join(cell.casefold().split()) for cell in written}
        shared = [cell for cell in shared if " ".join(cell.casefold().split()) in folded]
    return bool(shared) and written.issuperset(shared)


def _examples(query: Query, held: Mask) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cells of the query that the candidate holds, and that it does not."""
    matched, unmatched = np.flatnonzero(held)[:EXAMPLES], np.flatnonzero(~held)[:EXAMPLES]
    return tuple(query.cells[i] for i in matched), tuple(query.cells[i] for i in unmatched)
