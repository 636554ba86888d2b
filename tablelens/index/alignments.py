"""Which values stand beside which: the alignments of a lake's tables, in flat arrays that are mapped into memory.

    aligned_columns   uint32[m]      the columns (places) that are aligned, table by table, ascending
    aligned_starts    int64[m + 1]   where the cells of each begin in ``aligned_cells``
    aligned_cells     uint16[n]      column by column, each distinct row of its table once: the place of the row's value
                                     among the column's own values (``Postings.values_of``), 65535 for none
    aligned_first     uint32[m]      the first aligned column of the same table, as a place in ``aligned_columns``

Columns of one table have as many cells each. ``discover/bridges.py`` walks over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tablelens.index.postings import runs
from tablelens.types import Ids

ARRAYS = ("columns", "starts", "cells", "first")
NONE = 65_535


@dataclass(frozen=True, slots=True)
class Alignments:
    """The alignments of all tables of a generation.

    >>> made = Alignments.build([(np.array([4, 6]), np.array([[0, 1], [1, 0]], np.uint16))])
    >>> made.table_of(int(made.find(np.array([6]))[0]))
    range(0, 2)
    """

    columns: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    cells: npt.NDArray[np.uint16]
    first: npt.NDArray[np.uint32]

    @classmethod
    def build(cls, tables: Sequence[tuple[Ids, npt.NDArray[np.uint16]]]) -> Alignments:
        """From (places of the columns, ascending; their cells, shape (columns, rows)) of each table, ascending."""
        sizes = np.array([len(places) for places, _ in tables], np.int64)
        lengths = np.repeat(np.array([cells.shape[1] for _, cells in tables], np.int64), sizes)
        firsts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        return cls(
            np.concatenate([np.empty(0, np.uint32), *(places for places, _ in tables)]).astype(np.uint32),
            np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
            np.concatenate([np.empty(0, np.uint16), *(cells.reshape(-1) for _, cells in tables)]).astype(np.uint16),
            firsts.astype(np.uint32),
        )

    @classmethod
    def load(cls, folder: Path) -> Alignments:
        """Map the files of a folder; nothing is read until it is asked for. Older generations have none."""
        if not (folder / "aligned_columns.npy").exists():
            return cls.build([])
        mapped = (np.load(folder / f"aligned_{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS)
        return cls(*(array.view(np.ndarray) for array in mapped))

    def save(self, folder: Path) -> None:
        """Write one .npy file an array."""
        for name in ARRAYS:
            np.save(folder / f"aligned_{name}.npy", getattr(self, name), allow_pickle=False)

    def __len__(self) -> int:
        return len(self.columns)

    def only(self, columns: Ids) -> Alignments:
        """The alignments of some columns alone, ascending places; nothing in it tells of the others."""
        kept = np.isin(self.columns, columns)
        sizes = np.diff(self.starts)[kept]
        _, firsts, tables = np.unique(self.first[kept], return_index=True, return_inverse=True)
        return Alignments(
            np.searchsorted(columns, self.columns[kept]).astype(np.uint32),
            np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
            self.cells[runs(self.starts[:-1][kept], sizes)],
            firsts[tables].astype(np.uint32),
        )

    def find(self, places: Ids) -> Ids:
        """The place in ``columns`` of each column, -1 for one that is not aligned."""
        if not len(self.columns):
            return np.full(len(places), -1, np.int64)
        found = np.minimum(np.searchsorted(self.columns, places), len(self.columns) - 1)
        return np.where(self.columns[found] == places, found, -1)

    def table_of(self, member: int) -> range:
        """The aligned columns of the table of one of them, as places in ``columns``."""
        first = int(self.first[member])
        end = member
        while end < len(self.columns) and self.first[end] == first:
            end += 1
        return range(first, end)

    def cells_of(self, member: int) -> npt.NDArray[np.uint16]:
        """The cells of one aligned column, shape (rows,)."""
        return self.cells[self.starts[member] : self.starts[member + 1]]
