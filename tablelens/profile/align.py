"""Which columns of a table name the same things, and which value stands beside which.

A table that holds a code and a name of the same things is a bridge between columns of codes and columns of names
(``discover/bridges.py``). To walk over it one has to know which values stand in one row. Kept are only columns that
are in a near functional pair, and each row of them once, so that a panel of countries by years shrinks to its
countries. A cell is the place of its value in the column's sorted hashes: two bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tablelens.types import Alignment

Codes = npt.NDArray[np.int64]
COLUMNS = 12
"""Columns of a table that are looked at, the first ones."""
ROWS = 400_000
"""A longer table is left alone."""
NULL = 65_535
"""Stands for a cell without a value; also the most distinct values, and the most rows, that are kept."""
SAMPLE = 4_096
SLACK = 1.1
"""Distinct pairs over the distinct values of the finer side: 1 where it determines the other."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
COARSEST = 0.2
"""Distinct values of the coarser side over those of the finer: a column of regions is no name for towns."""


def align(columns: Mapping[int, Codes]) -> Alignment | None:
    """The alignment of a table's columns, or None where no two of them name the same things.

    Args:
        columns: for the position of each column that may take part: the place of each row's value among the
            column's sorted hashes, -1 where the row has none, shape (rows,).

    >>> codes, names = np.array([0, 1, 2, 3, 0]), np.array([3, 1, 0, 2, 3])
    >>> align({0: codes, 2: names}).cells.tolist()
    [[0, 1, 2, 3], [3, 1, 0, 2]]
    """
    positions = list(columns)[:COLUMNS]
    rows = len(columns[positions[0]]) if positions else 0
    if len(positions) < 2 or rows > ROWS:
        return None
    matrix = np.stack([columns[position] for position in positions])
    kept = _paired(matrix if rows <= SAMPLE else matrix[:, :: rows // SAMPLE])
    if rows > SAMPLE and len(kept):
        kept = kept[_paired(matrix[kept])]
    if not len(kept):
        return None
    cells = _distinct_rows(matrix[kept])[:, :NULL]
    return Alignment(tuple(positions[i] for i in kept), np.where(cells < 0, NULL, cells).astype(np.uint16))


def _paired(matrix: Codes) -> npt.NDArray[np.int64]:
    """Rows of the matrix (columns of the table) that are in a near functional pair."""
    sizes = [len(np.unique(codes[codes >= 0])) for codes in matrix]
    found: set[int] = set()
    for i in range(len(matrix)):
        for j in range(i + 1, len(matrix)):
            if {i, j} - found and _names_the_same(matrix[i], matrix[j], sizes[i], sizes[j]):
                found |= {i, j}
    return np.array(sorted(found), np.int64)


def _names_the_same(left: Codes, right: Codes, m: int, n: int) -> bool:
    finer, coarser = max(m, n), min(m, n)
    if coarser < COARSEST * finer:
        return False
    both = (left >= 0) & (right >= 0)
    pairs = np.unique(left[both] * NULL + right[both])
    return COARSEST * finer <= len(pairs) <= SLACK * finer


def _distinct_rows(matrix: Codes) -> Codes:
    """Each row of the table once, in the order of its first coming; rows with fewer than two values left out."""
    some = matrix[:, (matrix >= 0).sum(axis=0) >= 2]
    mixed = np.zeros(some.shape[1], np.uint64)
    for codes in some.astype(np.uint64):
        mixed = (mixed ^ codes) * _MIX
        mixed ^= mixed >> np.uint64(29)
    _, first = np.unique(mixed, return_index=True)
    return some[:, np.sort(first)]
