"""Ours. Does it matter how the same cells are written: capitals, spaces, 1 or 1.0, NULL, quotes?"""

from __future__ import annotations

import random
from collections.abc import Iterator

from ..base import Limits, Meta, Skip
from ..data.perturb import FORMS
from ..invariance import MEASURES, Invariance, Variant
from ..tables import Table


class SerializationStability(Invariance):
    """Each way to write a table in turn, over all columns that it changes."""

    meta = Meta(
        id="serialization_stability",
        title="Serialization stability",
        question="Does it matter how the same cells are written: capitals, spaces, 1 or 1.0, NULL, quotes?",
        levels=("column", "row", "table"),
        headline="stability",
        measures=MEASURES,
        limits=Limits(0.9, 0.7),
        floor=0.0,
    )
    least_rows = 1

    def variants(self, table: Table, rng: random.Random, count: int) -> Iterator[Variant]:
        """One variant a form, of those that change anything."""
        del rng, count
        none = True
        for kind, write in FORMS.items():
            cells = {place: made for place, column in enumerate(table.columns) if (made := write(column))}
            if not cells:
                continue
            changed = table
            for place, column in cells.items():
                changed = changed.with_column(place, column)
            none = False
            yield Variant(changed, f"{kind}: {len(cells)} columns", dose=kind, changed=tuple(cells))
        if none:
            raise Skip("no-variant")
