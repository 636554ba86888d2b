"""P5. Does a sample of the rows embed as the whole table does?"""

from __future__ import annotations

import random
from collections.abc import Iterator

from ..base import Limits, Meta
from ..invariance import MEASURES, Invariance, Variant
from ..tables import Table

SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
HEADLINE = 0.5


class SampleFidelity(Invariance):
    """Random subsets of the rows, in the table's order; the headline is at half of them, the curve over all shares.

    At a share of 1 the table is the same, so the curve must end at 1: a control within the property.
    """

    meta = Meta(
        id="sample_fidelity",
        title="Sample fidelity",
        question="Does a sample of the rows embed as the whole table does?",
        levels=("column", "table"),
        headline="stability",
        measures=MEASURES,
        limits=Limits(0.85, 0.6),
        paper="P5",
        reference="Observatory, PVLDB 17(4), 2023",
        floor=0.0,
        join_discovery=True,
    )
    least_rows = 8

    def variants(self, table: Table, rng: random.Random, count: int) -> Iterator[Variant]:
        """Samples of each share in turn."""
        for _ in range(max(2, count // 4)):
            for share in SHARES:
                size = max(1, round(share * table.rows))
                order = tuple(sorted(rng.sample(range(table.rows), size)))
                what = f"{size} of {table.rows} rows: {' '.join(str(i + 1) for i in order[:24])}"
                yield Variant(table.take_rows(order), what, order, dose=f"{share:g}", counts=share == HEADLINE)
