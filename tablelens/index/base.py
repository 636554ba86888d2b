"""The seam between vectors and neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, Self

from tablelens.types import Ids, Vectors


class VectorIndex(Protocol):
    """A collection of labelled vectors that finds those with the greatest inner product.

    Labels are whole numbers ≥ 0 of the caller's choice. ``query`` gives fewer than k where the index holds fewer,
    never labels that were removed, and refuses vectors that are not finite or not of its dimension.
    """

    kind: str
    dimension: int

    def add(self, labels: Ids, vectors: Vectors) -> None:
        """Add vectors, float32 (n, d); a label that is there already is replaced."""
        ...

    def remove(self, labels: Ids) -> None:
        """Take labels out; unknown ones are passed over."""
        ...

    def query(self, vectors: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        """For each query vector (labels, scores), best first; score is the inner product."""
        ...

    def labels(self) -> Ids:
        """All labels that are there."""
        ...

    def vectors(self, labels: Ids) -> Vectors:
        """The vectors of labels, shape (n, d). KeyError where one is unknown."""
        ...

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the index into a folder; what ``load`` needs to know beside the files is returned."""
        ...

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Read what ``save`` wrote."""
        ...

    def __len__(self) -> int: ...
