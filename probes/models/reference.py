"""Models whose answers are known in closed form. A property that cannot tell them apart measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from blake3 import blake3

from tablelens.types import Vectors

from ..base import LEVELS, Level
from ..tables import Table, content, digest
from .base import Piece, Whole, items, stack, text_piece, texts_of

DIMENSION = 256
FORMULA = "none: a formula"


@lru_cache(maxsize=65536)
def direction(word: str) -> Vectors:
    """The unit vector that stands for a word, of random signs; any two words are nearly orthogonal, float32 (256,)."""
    bits = np.frombuffer(blake3(word.encode("utf-8", "surrogatepass")).digest(DIMENSION // 8), np.uint8)
    return np.asarray((np.unpackbits(bits) * 2.0 - 1) / DIMENSION**0.5, np.float32)


class Reference(Whole):
    """What the reference models share: all levels, no weights."""

    levels: tuple[Level, ...] = LEVELS
    weights = FORMULA

    def __init__(self, name: str) -> None:
        self.name = name
        self.revision = f"{name}-1"


class BagOfWords(Reference):
    """Mean of a fixed vector for each word: knows words, and neither order nor meaning."""

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """A text for each item."""
        return [text_piece(text) for text in texts_of(table, level)]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """Means of word vectors; a text without words is the zero vector."""
        return [self._mean(piece.payload.lower().split()) for piece in pieces]

    def _mean(self, words: Sequence[str]) -> Vectors:
        rows = sorted(words)  # float sums depend on order, and a bag has none
        return stack([np.mean([direction(word) for word in rows], axis=0) if rows else np.zeros(DIMENSION)])


class Hash(Reference):
    """A vector for each item's content, whatever stands around it and in whatever order its cells come.

    Knows identity alone: the context-free embedder that any test of meaning must tell from a model.
    """

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """The sorted cells of each item."""
        groups = {
            "column": table.columns,
            "row": [table.row(i) for i in range(table.rows)],
            "table": [tuple(cell for column in table.columns for cell in column)],
            "cell": [(cell,) for i in range(table.rows) for cell in table.row(i)],
        }[level]
        return [Piece(key.hex(), key, 1) for key in (digest(sorted(group)) for group in groups)]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """The direction of each hash."""
        return [stack([direction(piece.payload)]) for piece in pieces]


class Random(Reference):
    """A new direction for every change of the table: the floor of all invariance."""

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """The whole table, and the item's place in it."""
        return [Piece((content(table).hex(), items(table, level)), digest(level, content(table)), items(table, level))]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """A direction for each place."""
        return [stack([direction(f"{p.payload[0]} {i}") for i in range(p.payload[1])]) for p in pieces]


class FirstRow(Reference):
    """Sees the first row and nothing else, as a model would whose token limit ends there."""

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """The text of each item's first cells."""
        shown = table if level in ("row", "cell") else table.head(1)
        return [text_piece(text) for text in texts_of(shown, level)]

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """The direction of each text."""
        return [stack([direction(piece.payload)]) for piece in pieces]


class Constant(Reference):
    """The same vector for everything: perfect under every perturbation, and worthless."""

    def pieces(self, table: Table, level: Level) -> list[Piece]:
        """Nothing of the table."""
        return [Piece(None, b"constant", 1)] * items(table, level)

    def encode(self, pieces: Sequence[Piece]) -> list[Vectors]:
        """Ones."""
        return [np.ones((1, DIMENSION), np.float32) for _ in pieces]


REFERENCES: dict[str, type[BagOfWords] | type[Hash] | type[Random] | type[FirstRow] | type[Constant]] = {
    "bag-of-words": BagOfWords,
    "hash": Hash,
    "random": Random,
    "first-row": FirstRow,
    "constant": Constant,
}
