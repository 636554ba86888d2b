"""Parts for tests, ours and those of plug-ins: a model that is a formula, a table of a few cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tablelens.types import Vectors

from .base import LEVELS, Level
from .models.base import Piece, Whole, items
from .tables import Table, content, digest


class FormulaModel(Whole):
    """A model given by a function from (table, level) to vectors; the whole table is one piece.

    Args:
        vectors: gives (items, d).
        levels: those that the model has.
        fit: rows that the model sees; None for all.
    """

    weights = "none: a formula"

    def __init__(
        self, vectors: Callable[[Table, Level], Any], levels: tuple[Level, ...] = LEVELS, fit: int | None = None
    ) -> None:
        self.name = self.revision = "formula"
        self.levels = levels
        self._vectors, self._limit = vectors, fit

    def fit(self, table: Table, level: Level) -> int:
        """All rows, or those of the limit."""
        del level
        return table.rows if self._limit is None else min(self._limit, table.rows)

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """The table."""
        return [Piece((table, level), digest(level, content(table)), items(table, level))]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """What the function gives."""
        return [np.asarray(self._vectors(*piece.payload), np.float32) for piece in pieces]


def make_table(*columns: Iterable[object], header: Sequence[str] | None = None, name: str = "t") -> Table:
    """A table of columns of cells.

    >>> make_table("ab", [1, 2]).row(1)
    ('b', '2')
    """
    cells = tuple(tuple(str(cell) for cell in column) for column in columns)
    return Table(name, tuple(header or (f"c{i}" for i in range(len(cells)))), cells, name)
