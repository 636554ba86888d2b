"""Properties that ask: the table changes in a way that should not matter; does the embedding move?

A subclass yields variants of a table and says where each row and column of a variant stood before. What is measured is
the same for all: angle and length against the original, item by item, with the original first and by itself.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tablelens.types import Vectors

from .base import Level, Observation, Property, Skip, Worst, observed
from .measures import Floats, Longs, cosine, mcv, self_retrieval, unit, van_valen
from .tables import Order, Table

if TYPE_CHECKING:
    from .runner import Probe

MEASURES = {
    "stability": "cosine to the original with another item at random as 0",
    "cosine": "cosine to the original, mean over items and variants: the angle",
    "worst cosine": "cosine of the variant that moves the table most",
    "mcv": "Albert and Zhang's coefficient of variation over original and variants: the length",
    "van valen": "Van Valen's coefficient of variation: angle and length",
    "self retrieval": "share of items that are still nearest to their own original",
}
ROWS = 12
"""Rows of a table that are embedded one by one at row level; more cost much and tell little."""
CANDIDATES = 400
"""Items among which an item must find its original."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A changed table. ``rows[i]`` and ``columns[i]`` say which row and column of the original stand at place i."""

    table: Table
    what: str = ""
    rows: Order | None = None
    columns: Order | None = None
    dose: str = ""
    """The variant's place on the curve: a kind of change, or how much of it."""
    counts: bool = True
    """Whether it counts for the headline; else it stands on the curve alone."""
    changed: tuple[int, ...] | None = None
    """Columns of the original that the change touched; None for all."""


class Invariance(Property):
    """Base of the properties that compare variants of a table with the original."""

    least_rows = 2
    least_columns = 1

    @abstractmethod
    def variants(self, table: Table, rng: random.Random, count: int) -> Iterator[Variant]:
        """Variants in a fixed order: more of them begin with the same ones.

        Raises:
            Skip: the table has none.
        """

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """Each table with its variants."""
        for table in probe.dataset.tables:
            try:
                yield self._observation(probe, table, level, variants)
            except Skip as error:
                yield observed(table.name, error)

    def _observation(self, probe: Probe, whole: Table, level: Level, count: int) -> Observation:
        if whole.rows < self.least_rows:
            raise Skip("one-row" if whole.rows == 1 else "too-few-rows")
        if whole.width < self.least_columns:
            raise Skip("one-column" if whole.width == 1 else "too-few-columns")
        shown = whole.head(ROWS) if level == "row" else whole
        table = shown.head(probe.embedder.model.fit(shown, level))
        if table.rows < self.least_rows:
            raise Skip("does-not-fit")
        made = list(self.variants(table, probe.random(self.meta.id, whole.name), count))
        if not made:
            raise Skip("no-variant")
        base, *others = [
            _vectors(found) for found in probe.embedder.embed_all([table, *(v.table for v in made)], level)
        ]
        return self._scored(probe, table, level, base, list(zip(made, others, strict=True)))

    def _scored(
        self, probe: Probe, table: Table, level: Level, base: Vectors, found: Sequence[tuple[Variant, Vectors]]
    ) -> Observation:
        controls = probe.controls(level)
        pool = controls.vectors[:CANDIDATES]
        by_item: dict[int, list[Vectors]] = defaultdict(list)
        curve: dict[str, list[float]] = defaultdict(list)
        means, cosines, retrieved = [], [], []
        for variant, vectors in found:
            own = original_items(variant, table, level)
            kept = _touched(variant, own, table, level)
            near = cosine(vectors[kept], base[own[kept]])
            curve[variant.dose].append(float(near.mean()))
            if variant.counts:
                means.append((float(near.mean()), variant.what))
                cosines.append(near)
                retrieved.append(_retrieval(vectors[kept], base, own[kept], pool))
                for place, item in zip(kept.tolist(), own[kept].tolist(), strict=True):
                    by_item[item].append(vectors[place])
        if not cosines:
            raise Skip("no-variant")
        all_near = np.concatenate(cosines)
        clouds = [np.vstack([base[item], *rows]) for item, rows in by_item.items()]
        lowest = min(means)
        values = {
            "stability": float(controls.stability(all_near).mean()),
            "cosine": float(all_near.mean()),
            "worst cosine": lowest[0],
            "mcv": float(np.mean([mcv(cloud) for cloud in clouds])),
            "van valen": float(np.mean([van_valen(cloud) for cloud in clouds])),
            "self retrieval": float(np.concatenate(retrieved).mean()),
        }
        spread = float(np.std([value for value, _ in means], ddof=1)) if len(means) > 1 else 0.0
        return Observation(
            table.name,
            {name: value for name, value in values.items() if np.isfinite(value)},
            {dose: float(np.mean(found)) for dose, found in curve.items() if dose},
            items=len(by_item),
            variants=len(means),
            worst=Worst(lowest[0], lowest[1]),
            within=spread / len(means) ** 0.5 / max(1 - controls.floor, 1e-9),
        )


def original_items(variant: Variant, table: Table, level: Level) -> Longs:
    """For each item of the variant the place of the same item in the original."""
    rows = np.asarray(variant.rows if variant.rows is not None else range(variant.table.rows), np.int64)
    columns = np.asarray(variant.columns if variant.columns is not None else range(table.width), np.int64)
    if level == "table":
        return np.zeros(1, np.int64)
    if level == "column":
        return columns
    return rows if level == "row" else (rows[:, None] * table.width + columns[None, :]).ravel()


def permutations(count: int, rng: random.Random) -> Iterator[Order]:
    """Distinct orders of ``count`` things, drawn at random, the original left out; all of them where they are few.

    >>> sorted(permutations(3, random.Random(0)))
    [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    """
    total = int(np.prod(np.arange(1, min(count, 12) + 1), dtype=np.int64))
    identity = tuple(range(count))
    given = {identity}
    while len(given) < total:  # by rejection: no list of all orders is ever made
        order = list(identity)
        rng.shuffle(order)
        if (made := tuple(order)) not in given:
            given.add(made)
            yield made


def _touched(variant: Variant, own: Longs, table: Table, level: Level) -> Longs:
    """Places of the variant's items that its change touched; rows and the table are always touched."""
    if variant.changed is None or level in ("row", "table"):
        return np.arange(len(own))
    return np.flatnonzero(np.isin(own % table.width, variant.changed))


def _retrieval(vectors: Vectors, base: Vectors, own: Longs, pool: Vectors) -> Floats:
    """Whether each vector is nearest to its own original, among all of the table and items of other tables."""
    others = pool[(unit(pool) @ unit(base).T).max(axis=1, initial=-1.0) < 1 - 1e-6]  # the pool holds this table too
    distinct, place = np.unique(base.round(6), axis=0, return_inverse=True)
    return self_retrieval(vectors, np.vstack([distinct, others]), place.reshape(-1)[own])


def _vectors(found: Vectors | Skip) -> Vectors:
    if isinstance(found, Skip):
        raise found
    return found
