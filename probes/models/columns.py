"""Any ``ColumnEncoder`` of tablelens under the probes, and any ``RowEncoder``.

Columns go through DeepJoin's template just as the crawl makes it, so this tests what join discovery uses. The other
levels are plain text, where the encoder can embed text at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from tablelens.contextualize.cells import choose_cells
from tablelens.contextualize.templates import ColumnFacts, contextualize
from tablelens.encoders.base import ColumnEncoder
from tablelens.profile.columns import profile_column
from tablelens.settings import Settings
from tablelens.types import ColumnText, Vectors

from ..base import Level, Skip
from ..tables import Table, digest
from .base import Piece, Seen, text_piece, texts_of

CHARACTERS_A_TOKEN = 4
"""For an estimate of tokens where an encoder does not count them itself."""
MEMO = 20_000
"""Columns whose text is remembered."""


@runtime_checkable
class RowEncoder(Protocol):
    """Turns the rows of a table into vectors, as TransTab does.

    An encoder that is fitted anew for each table says so with ``refit = True``: its vectors before and after a change
    are then those of two models.
    """

    name: str
    revision: str

    def encode(self, table: pa.Table) -> Vectors:
        """float32 (rows, d)."""
        ...


class ColumnModel:
    """A column encoder, with the template and the choice of cells of the crawl.

    Document frequencies are those of a lake of one table, for a probe has no lake: cells come in the profile's order,
    by falling count.
    """

    def __init__(self, encoder: ColumnEncoder, name: str, settings: Settings | None = None, weights: str = "") -> None:
        self.name = name
        self.settings = settings or Settings()
        self._encoder: Any = encoder
        self.revision = f"{encoder.revision}/{self.settings.template}/{self.settings.stat_unit}"
        self.max_tokens: int | None = encoder.max_tokens
        text = hasattr(encoder, "encode_text")
        self.levels: tuple[Level, ...] = ("table", "column", "row", "cell") if text else ("column",)
        self.weights = weights or "as loaded"
        self._made: dict[bytes, Piece] = {}

    def fit(self, table: Table, level: Level) -> int:
        """All rows: a column's text is made of the whole column, then cut."""
        del level
        return table.rows

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """A ``ColumnText`` for each column, a text for each other item."""
        if level != "column":
            return [text_piece(text) for text in texts_of(table, level)]
        return [self._column(table, i) for i in range(table.width)]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """Vectors as candidates."""
        return self._encode(pieces, "encode")

    def encode_queries(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """Vectors as queries."""
        return self._encode(pieces, "encode_queries")

    def seen(self, table: Table) -> Seen:
        """Rows and tokens of the columns' texts before the cut; tokens are estimated where the encoder counts none."""
        limit = self.max_tokens or 1 << 40
        count = getattr(self._encoder, "count_tokens", None)
        texts = [piece.payload.text for piece in self.pieces(table, "column")]
        tokens = count(texts) if count else [len(text) // CHARACTERS_A_TOKEN + 1 for text in texts]
        shares = [min(1.0, limit / max(n, 1)) for n in tokens]
        rows = round(table.rows * float(np.mean(shares))) if shares else 0
        return Seen(rows, table.rows, sum(min(n, limit) for n in tokens), sum(tokens))

    def _encode(self, pieces: Sequence[Piece], how: str) -> list[Vectors]:
        columns = [piece.payload for piece in pieces if isinstance(piece.payload, ColumnText)]
        if len(columns) == len(pieces):
            made = getattr(self._encoder, how)(columns)
        else:
            made = self._encoder.encode_text([piece.payload for piece in pieces])
        return [made[i : i + 1] for i in range(len(made))]

    def _column(self, table: Table, place: int) -> Piece:
        key = digest(table.title, table.header[place], table.columns[place])
        if key not in self._made:
            if len(self._made) >= MEMO:
                self._made.clear()
            self._made[key] = self._contextualized(table, place)
        return self._made[key]

    def _contextualized(self, table: Table, place: int) -> Piece:
        cells = pa.chunked_array([pa.array(table.columns[place], pa.string())])
        p = profile_column(cells, self.settings, position=place, name=table.header[place])
        chosen = choose_cells(p.cells, np.zeros(len(p.cells), np.int64), self._encoder.max_tokens)
        characters = (p.max_length, p.min_length, p.mean_length)
        words = (p.max_words, p.min_words, p.mean_words)
        facts = ColumnFacts(p.name, table.title, chosen, p.distinct, characters, words)
        text = contextualize(facts, self.settings.template, self.settings.stat_unit)
        made = ColumnText(text, p.name, chosen, p.values.hashes, p.distinct)
        return Piece(made, digest(text, p.name, chosen, p.values.hashes.tobytes()), 1)


class RowModel:
    """A row encoder under the probes: row level alone."""

    levels: tuple[Level, ...] = ("row",)
    max_tokens: int | None = None

    def __init__(self, encoder: RowEncoder, name: str, weights: str = "as loaded") -> None:
        self.name, self.revision, self.weights = name, encoder.revision, weights
        if getattr(encoder, "refit", False):
            self.weights += ", fitted anew for each table"
        self._encoder = encoder

    def fit(self, table: Table, level: Level) -> int:
        """All rows."""
        del level
        return table.rows

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """The table as an Arrow table; columns of one name cannot be told apart by a row encoder."""
        if level != "row":
            raise Skip("level")
        if len(set(table.header)) < table.width:
            raise Skip("duplicate-names")
        made = pa.table({name: _typed(column) for name, column in zip(table.header, table.columns, strict=True)})
        return [Piece(made, digest(table.header, *table.columns), table.rows)]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """Vectors of each table's rows."""
        return [self._encoder.encode(piece.payload) for piece in pieces]

    def seen(self, table: Table) -> Seen:
        """All rows."""
        words = sum(len(cell.split()) for column in table.columns for cell in column)
        return Seen(table.rows, table.rows, words, words)


def _typed(column: Sequence[str]) -> pa.Array:
    """Cells as numbers where all that are filled are numbers, else as text; an empty cell is null."""
    filled = [cell or None for cell in column]
    try:
        return pa.array([None if cell is None else float(cell) for cell in filled], pa.float64())
    except ValueError:
        return pa.array(filled, pa.string())
