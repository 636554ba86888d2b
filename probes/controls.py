"""What a figure is to be read against: the same twice, another at random, the nearest other, itself found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tablelens.types import Vectors

from .base import Level, Skip
from .embedding import Embedder
from .measures import Floats, cosine, effective_rank, hubness, mean_pairwise_cosine, self_retrieval, unit
from .models.base import items
from .tables import Table, digest

ITEMS = 600
"""Items of a level that the controls weigh; more change no figure."""
ALIKE, POINT, LOST = 0.9999, 1.5, 0.5


@dataclass(frozen=True)
class Controls:
    """Controls of one model at one level, over distinct items of all tables."""

    level: Level
    items: int
    identity: float
    """Least cosine of an item with itself, embedded once more without the cache; 1 unless the model is random."""
    floor: float
    """Mean cosine of two different items."""
    nearest: float
    """Mean cosine of an item and its nearest other."""
    retrieval: float
    """Share of items that find themselves first, ties split."""
    effective_rank: float
    dimension: int
    hubness: float
    centred_floor: float
    """The floor after the mean of all items is taken away."""
    vectors: Vectors
    """Of the items, (n, d)."""

    @property
    def degenerate(self) -> str:
        """Why every invariance of this model is worthless, or nothing."""
        if self.items < 2:
            return ""
        if self.floor > ALIKE:
            return f"any two {self.level}s have cosine {self.floor:.4f}"
        if self.effective_rank < POINT:
            return f"all vectors lie along one line (effective rank {self.effective_rank:.2f})"
        if self.retrieval < LOST:
            return f"only {self.retrieval:.0%} of the {self.level}s can be told from all others"
        return ""

    def document(self) -> dict[str, Any]:
        """The figures, without the vectors."""
        return {name: value for name, value in asdict(self).items() if name != "vectors"} | {
            "degenerate": self.degenerate
        }

    def stability(self, cosines: Floats) -> Floats:
        """Cosines with the floor at 0: (cos - floor) / (1 - floor)."""
        return (cosines - self.floor) / max(1 - self.floor, 1e-9)


def control(embedder: Embedder, tables: Sequence[Table], level: Level) -> Controls | None:
    """Controls over the distinct items of some tables; None where the model could embed none of them."""
    rows: list[Vectors] = []
    names: list[bytes] = []
    identity = 1.0
    for table in tables:
        shown = table.head(6) if level in ("row", "cell") else table
        try:
            shown = shown.head(embedder.model.fit(shown, level))
            found = embedder.embed(shown, level)
            if len(rows) < 3:
                identity = min(identity, float(cosine(found, embedder.fresh(shown, level)).min(initial=1.0)))
        except Skip:
            continue
        rows.append(found)
        names += contents(shown, level)
        if len(names) > ITEMS:
            break
    if not rows:
        return None
    _, first = np.unique(np.array([name.hex() for name in names]), return_index=True)
    return _measured(level, np.concatenate(rows)[np.sort(first)], identity)


def _measured(level: Level, vectors: Vectors, identity: float) -> Controls:
    near = unit(vectors) @ unit(vectors).T
    np.fill_diagonal(near, -np.inf)
    return Controls(
        level=level,
        items=len(vectors),
        identity=identity,
        floor=mean_pairwise_cosine(vectors) if len(vectors) > 1 else 0.0,
        nearest=float(near.max(axis=1).mean()) if len(vectors) > 1 else 0.0,
        retrieval=float(self_retrieval(vectors, vectors, np.arange(len(vectors))).mean()),
        effective_rank=effective_rank(vectors),
        dimension=vectors.shape[1],
        hubness=hubness(vectors),
        centred_floor=mean_pairwise_cosine(vectors - vectors.mean(axis=0)) if len(vectors) > 1 else 0.0,
        vectors=vectors,
    )


def contents(table: Table, level: Level) -> list[bytes]:
    """A hash of each item's content, whatever the order of its cells: two alike items are one item of the controls."""
    if level == "column":
        return [digest(name, sorted(cells)) for name, cells in zip(table.header, table.columns, strict=True)]
    if level == "row":
        return [digest(table.header, table.row(i)) for i in range(table.rows)]
    if level == "cell":
        return [digest(cell) for i in range(table.rows) for cell in table.row(i)]
    assert items(table, level) == 1
    return [digest(table.header, *table.columns)]
