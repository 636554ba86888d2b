"""The seam between columns and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from tablelens.types import ColumnText, Vectors


@runtime_checkable
class ColumnEncoder(Protocol):
    """Turns columns into vectors.

    ``encode`` gives the vectors as candidates (what an index holds), ``encode_queries`` as queries. The score of a
    pair is the inner product query · candidate. Encoders whose two sides are alike return the same for both.
    ``revision`` is the sha256 of the weights and of all that changes the vectors: two encoders with the same
    revision give the same vectors.

    ``reads`` names the fields of ``ColumnText`` that have a part in the vectors, cells as a set: columns that are alike
    in them are encoded once, and never again. It is part of the promise: a field that is not named must change nothing.
    """

    name: str
    revision: str
    dimension: int
    max_tokens: int
    """Tokens that the encoder can see of one text; longer texts should be cut before."""
    reads: tuple[str, ...]

    def encode(self, columns: Sequence[ColumnText]) -> Vectors:
        """Candidate vectors, float32, shape (len(columns), dimension)."""
        ...

    def encode_queries(self, columns: Sequence[ColumnText]) -> Vectors:
        """Query vectors, float32, shape (len(columns), dimension)."""
        ...
