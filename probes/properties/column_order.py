"""P2. Does shuffling the columns move an embedding?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

from ..base import Limits, Meta
from ..invariance import MEASURES, Invariance, Variant, permutations
from ..tables import Table
from .row_order import shown


class ColumnOrder(Invariance):
    """A relation has no order of columns either; vectors are put back into the old order before they are compared."""

    meta = Meta(
        id="column_order",
        title="Column order insignificance",
        question="Does shuffling the columns move an embedding?",
        levels=("column", "row", "table"),
        headline="stability",
        measures=MEASURES,
        limits=Limits(0.95, 0.85),
        paper="P2",
        reference="Observatory, PVLDB 17(4), 2023",
        floor=0.0,
    )
    least_rows = 1
    least_columns = 2

    def variants(self, table: Table, rng: random.Random, count: int) -> Iterator[Variant]:
        """Permutations of all columns, by position: names may come twice."""
        for order in islice(permutations(table.width, rng), count):
            names = ", ".join(table.header[place] for place in order)
            yield Variant(table.take_columns(order), f"columns {shown(order)}: {names[:160]}", columns=order)
