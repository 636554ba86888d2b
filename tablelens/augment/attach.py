"""Join a table's columns to a base table, safely: a row of the base stays one row.

Keys are equal where their normalised values are (profile/normalize.py), as the evidence counts them. Where several rows
of the other table hold a key, numbers are averaged, of texts the most frequent is taken, and their number becomes a
column. A key without a partner gets missing values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.profile.normalize import hash_value, normalizer
from tablelens.transtab.tables import numbers, texts

ROWS = "rows"
"""Name, after the table's, of the column that says how many rows held the key."""
NOTHING = np.uint64(hash_value(""))
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Attached:
    """New columns for the rows of the base table."""

    data: pa.Table
    """As many rows as the base; each name begins with the other table's."""
    matched: float
    """Share of the base's rows that found a partner."""
    most: int
    """Most rows of the other table with one key: 1 where nothing was aggregated."""


def attach(key: Sequence[str | None], other: pa.Table, other_key: str, columns: Sequence[str], prefix: str) -> Attached:
    """Columns of ``other`` for each value of ``key``.

    >>> other = pa.table({"iso": ["de", "de", "fr"], "size": [1.0, 3.0, 5.0], "sea": ["Baltic", "North", "North"]})
    >>> attach(["DE", "fr", None], other, "iso", ["size", "sea"], "lands.").data.to_pydict()
    {'lands.size': [2.0, 5.0, None], 'lands.sea': ['Baltic', 'North', None], 'lands.rows': [2, 1, None]}
    """
    theirs = hashes(texts(other[other_key]))
    held = np.flatnonzero(theirs != NOTHING)
    known, group = np.unique(theirs[held], return_inverse=True)
    count = np.bincount(group, minlength=len(known))
    most = int(count.max(initial=0))
    mine = hashes(key)
    place = np.searchsorted(known, mine)
    place[place == len(known)] = 0
    place = np.where(known[place] == mine, place, -1) if len(known) else np.full(len(mine), -1)
    taken = pa.array(place, mask=place < 0)
    made = {prefix + name: _one_a_key(other[name].take(pa.array(held)), group, len(known)) for name in columns}
    if most > 1:
        made[prefix + ROWS] = pa.array(count)
    data = pa.table({name: pc.take(values, taken) for name, values in made.items()})
    return Attached(data, float((place >= 0).mean()) if len(place) else 0.0, most)


def hashes(cells: Sequence[str | None]) -> npt.NDArray[np.uint64]:
    """The hash of each cell's normalised value, shape (n,); NOTHING where a cell holds none.

    >>> found = hashes(["DE", "de ", "fr", None, "n/a"])
    >>> bool(found[0] == found[1] != found[2]), (found == NOTHING).tolist()
    (True, [False, False, False, True, True])
    """
    distinct = list(dict.fromkeys(cells))
    value_of = normalizer([cell for cell in distinct if cell])
    known = {cell: hash_value(value_of(cell or "") or "") for cell in distinct}
    return np.fromiter((known[cell] for cell in cells), np.uint64, len(cells))


def _one_a_key(values: pa.ChunkedArray, group: Ints, count: int) -> pa.Array:
    """One value a key: the mean of numbers, the most frequent text, of as frequent ones the first in the alphabet."""
    if pa.types.is_floating(values.type):
        found = numbers(values)
        there = ~np.isnan(found)
        size = np.bincount(group[there], minlength=count)
        total = np.bincount(group[there], found[there], minlength=count)
        return pa.array(total / np.maximum(size, 1), mask=size == 0)
    said = texts(values)
    there = np.array([text is not None for text in said], bool)
    names, code = np.unique(
        np.array([text for text in said if text is not None], object).astype(str), return_inverse=True
    )
    pair, size = np.unique(group[there] * max(len(names), 1) + code, return_counts=True)
    order = np.lexsort((pair, -size, pair // max(len(names), 1)))
    owner = (pair // max(len(names), 1))[order]
    first = order[np.flatnonzero(np.diff(owner, prepend=-1))]
    chosen = np.full(count, -1)
    chosen[pair[first] // max(len(names), 1)] = pair[first] % max(len(names), 1)
    return pc.take(pa.array(names.tolist(), pa.string()), pa.array(chosen, mask=chosen < 0))
