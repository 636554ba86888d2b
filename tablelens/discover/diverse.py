"""Hits that tell something new: maximal marginal relevance over value sets (Carbonell & Goldstein, SIGIR 1998).

A lake holds many copies of a table, and each of them joins as well as the first. With a diversity d the next hit is the
candidate with the greatest (1 - d) · relevance - d · likeness, where likeness is the greatest Jaccard index of its
values with those of a hit before it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tablelens.discover.view import LakeView
from tablelens.types import Ids

SKETCH = 256
"""Values a column that likeness is told from: those with the smallest hashes (bottom-k, Cohen & Kaplan 2007)."""
NONE = np.iinfo(np.uint32).max
Floats = npt.NDArray[np.float64]


def diversified(view: LakeView, places: Ids, relevance: Floats, diversity: float) -> Iterator[int]:
    """Numbers of candidates, the one that tells most beside those before it first.

    Args:
        view: the lake.
        places: the candidates, (n,).
        relevance: of each, (n,), between 0 and 1; of equal ones the first comes first.
        diversity: d, between 0 and 1.
    """
    sketches = sketches_of(view, places)
    likeness, left = np.zeros(len(places)), np.ones(len(places), bool)
    for _ in range(len(places)):
        worth = np.where(left, (1 - diversity) * relevance - diversity * likeness, -np.inf)
        best = int(np.argmax(worth))
        left[best] = False
        yield best
        likeness = np.maximum(likeness, jaccard_to(sketches, best))


def sketches_of(view: LakeView, places: Ids) -> npt.NDArray[np.uint32]:
    """The values of each column with the smallest hashes, (n, SKETCH), filled up with ``NONE``."""
    rows = np.full((len(places), SKETCH), NONE, np.uint32)
    for row, place in zip(rows, places.tolist(), strict=True):
        values = view.generation.postings.values_of(place)[:SKETCH]
        row[: len(values)] = values
    return rows


def jaccard_to(sketches: npt.NDArray[np.uint32], one: int) -> Floats:
    """The Jaccard index of each column with one of them, (n,): exact where both have no more than SKETCH values."""
    last = np.minimum(sketches[:, -1], sketches[one, -1])[:, None]  # beyond it one of the two cannot tell
    known = (sketches <= last) & (sketches != NONE)
    mine = ((sketches[one] <= last) & (sketches[one] != NONE)).sum(1)
    both = (known & np.isin(sketches, sketches[one])).sum(1)
    return np.asarray(both / np.maximum(known.sum(1) + mine - both, 1))
