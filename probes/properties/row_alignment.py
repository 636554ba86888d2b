"""Ours. Does the embedding notice when the rows of a table are torn apart?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed
from ..measures import cosine
from ..tables import Table

if TYPE_CHECKING:
    from ..runner import Probe

TIE = 1e-6
MOST = 8


class RowAlignment(Property):
    """A table with its rows shuffled is the same; with each column shuffled by itself it is another table.

    The counterpart to P1: what is insensitive to row order by seeing no rows at all is told here. Ties are counted
    apart: a bag of words finds both alike, and is blind rather than wrong.
    """

    meta = Meta(
        id="row_alignment",
        title="Row alignment sensitivity",
        question="Does the embedding notice when the rows of a table are torn apart?",
        levels=("table", "column"),
        headline="accuracy",
        measures={
            "accuracy": "share of decided triplets where the torn table is farther away than the shuffled one",
            "ties": "share of triplets where both are as far",
            "distance shuffled": "1 - cosine of the shuffled table",
            "distance torn": "1 - cosine of the torn table",
        },
        limits=Limits(0.8, 0.6),
        reference="TEmBed's table shuffling task, 2026",
        floor=0.5,
        version=2,
        degenerate=False,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """Some triplets of each table of three rows and two columns or more."""
        for whole in probe.dataset.tables:
            try:
                if whole.rows < 3 or whole.width < 2:
                    raise Skip("too-few-rows" if whole.rows < 3 else "one-column")
                table = whole.head(probe.embedder.model.fit(whole, level))
                if table.rows < 3:
                    raise Skip("does-not-fit")
                yield self._observation(probe, table, level, min(variants, MOST))
            except Skip as error:
                yield observed(whole.name, error)

    def _observation(self, probe: Probe, table: Table, level: Level, count: int) -> Observation:
        rng = probe.random(self.meta.id, table.name)
        variants = [made for _ in range(count) for made in (_shuffled(table, rng), torn(table, rng))]
        found = probe.embedder.embed_all([table, *variants], level)
        for vectors in found:
            if isinstance(vectors, Skip):
                raise vectors
        base, *rest = (np.asarray(vectors) for vectors in found)
        away = np.array([1 - cosine(vectors, base).mean() for vectors in rest]).reshape(count, 2)
        wins, losses = away[:, 1] > away[:, 0] + TIE, away[:, 1] < away[:, 0] - TIE
        values = {
            "ties": 1 - float((wins | losses).mean()),
            "distance shuffled": float(away[:, 0].mean()),
            "distance torn": float(away[:, 1].mean()),
        }
        if (wins | losses).any():
            values["accuracy"] = float(wins.sum() / (wins | losses).sum())
        return Observation(table.name, values, items=count, variants=2 * count)

    def blind(self, values: dict[str, float]) -> str:
        """All triplets are ties."""
        return (
            "every triplet is a tie: the embedding does not see which cells share a row" if values["ties"] == 1 else ""
        )


def _shuffled(table: Table, rng: random.Random) -> Table:
    return table.take_rows(rng.sample(range(table.rows), table.rows))


def torn(table: Table, rng: random.Random) -> Table:
    """Each column shuffled by itself: the same columns, other rows.

    The first one too: else the torn table would be less changed than the shuffled one, and so nearer.
    """
    made = table
    for place in range(table.width):
        made = made.with_column(place, rng.sample(table.columns[place], table.rows))
    return made
