"""P1. Does shuffling the rows move an embedding?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

from ..base import Limits, Meta
from ..invariance import MEASURES, Invariance, Variant, permutations
from ..tables import Table


class RowOrder(Invariance):
    """A relation has no order of rows: any order of the rows that the model sees should give the same vectors."""

    meta = Meta(
        id="row_order",
        title="Row order insignificance",
        question="Does shuffling the rows move an embedding?",
        levels=("column", "row", "table"),
        headline="stability",
        measures=MEASURES,
        limits=Limits(0.95, 0.85),
        paper="P1",
        reference="Observatory, PVLDB 17(4), 2023",
        floor=0.0,
        join_discovery=True,
    )

    def variants(self, table: Table, rng: random.Random, count: int) -> Iterator[Variant]:
        """Permutations of all rows."""
        for order in islice(permutations(table.rows, rng), count):
            yield Variant(table.take_rows(order), f"rows in the order {shown(order)}", rows=order)


def shown(order: tuple[int, ...]) -> str:
    """An order to be read: places from 1."""
    places = " ".join(str(place + 1) for place in order[:24])
    return f"{places} …" if len(order) > 24 else places
