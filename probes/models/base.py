"""The seam between the probes and any model: tables become pieces, pieces become vectors.

A *piece* is one input just as the model sees it, with the number of vectors that come of it: the text of one column, or
a whole table as one sequence. Pieces are what is cached, so what the model cannot tell apart is encoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tablelens.types import Vectors

from ..base import Level
from ..tables import Table, digest


@dataclass(frozen=True, slots=True)
class Piece:
    """One input of a model. ``key`` is a hash of all of it; ``items`` says how many vectors it gives."""

    payload: Any
    key: bytes
    items: int


@dataclass(frozen=True, slots=True)
class Seen:
    """How much of a table a model sees at column level: rows and tokens, of how many."""

    rows: int
    all_rows: int
    tokens: int
    all_tokens: int


@runtime_checkable
class Model(Protocol):
    """An embedding model under test.

    Vectors come in the order of the table: one for the table, one a column, one a row, or one a cell (row by row).
    ``revision`` is a hash of weights and of all that changes vectors. ``weights`` says where they come from, as
    ``published`` or ``random``: a report on random weights says so.
    """

    name: str
    revision: str
    levels: tuple[Level, ...]
    max_tokens: int | None
    """Tokens of one input; None where there is no limit."""
    weights: str

    def fit(self, table: Table, level: Level) -> int:
        """How many of the table's first rows the model sees whole; variants are made of these rows."""
        ...

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """The inputs that give the table's vectors at a level, in order.

        Raises:
            Skip: the table is not for this model, as one whose header alone is too long.
        """
        ...

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """float32 (items, d) for each piece."""
        ...

    def seen(self, table: Table) -> Seen:
        """How much of a table the model sees."""
        ...


@runtime_checkable
class Asymmetric(Protocol):
    """A model whose vectors as queries are not those as candidates, as the default encoder of tablelens."""

    def encode_queries(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """float32 (items, d) for each piece, as queries."""
        ...


class Whole:
    """Part of the models that see everything: no limit of tokens."""

    max_tokens: int | None = None

    def fit(self, table: Table, level: Level) -> int:
        """All rows."""
        del level
        return table.rows

    def seen(self, table: Table) -> Seen:
        """All rows, all words."""
        words = sum(len(cell.split()) for column in table.columns for cell in column)
        return Seen(table.rows, table.rows, words, words)


def items(table: Table, level: Level) -> int:
    """How many vectors a table has at a level."""
    return {"table": 1, "column": table.width, "row": table.rows, "cell": table.rows * table.width}[level]


def texts_of(table: Table, level: Level) -> list[str]:
    """A table as one text for each item, the way Observatory's scripts write it.

    >>> texts_of(Table("t", ("id", "town"), (("1", "2"), ("Rome", "Oslo"))), "row")
    ['id 1 town Rome', 'id 2 town Oslo']
    """
    by_column = [" ".join([name, *column]) for name, column in zip(table.header, table.columns, strict=True)]
    if level == "column":
        return by_column
    if level == "table":
        return [" ".join([table.title, *by_column]).strip()]
    if level == "row":
        pairs = [[f"{n} {c}" for n, c in zip(table.header, table.row(i), strict=True)] for i in range(table.rows)]
        return [" ".join(row) for row in pairs]
    return [cell for i in range(table.rows) for cell in table.row(i)]


def text_piece(text: str) -> Piece:
    """A text that gives one vector."""
    return Piece(text, digest(text), 1)


def stack(rows: Sequence[np.ndarray[Any, Any]]) -> Vectors:
    """Vectors as one float32 matrix."""
    return np.ascontiguousarray(np.stack(rows), np.float32)
