"""Ours. Does the same table give the same vectors, twice and in any batch?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed
from ..measures import cosine

if TYPE_CHECKING:
    from ..runner import Probe

TABLES = 8


class Determinism(Property):
    """Nothing comes from the cache. Dropout that was left on, as in a released script of Observatory, ends here."""

    meta = Meta(
        id="determinism",
        title="Determinism",
        question="Does the same table give the same vectors, twice and in any batch?",
        levels=("column", "row", "table", "cell"),
        headline="agreement",
        measures={
            "agreement": "least cosine of all repetitions",
            "again": "least cosine of the same batch, embedded twice",
            "one by one": "least cosine of a batch and of its inputs one by one: padding and kernels",
        },
        limits=Limits(1 - 1e-5, 1 - 1e-3),
        degenerate=False,
        join_discovery=True,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """Some tables, each embedded three times."""
        del variants
        for whole in probe.dataset.tables[:TABLES]:
            try:
                table = whole.head(4) if level in ("row", "cell") else whole
                table = table.head(probe.embedder.model.fit(table, level))
                once = probe.embedder.fresh(table, level)
                again = float(cosine(once, probe.embedder.fresh(table, level)).min())
                single = float(cosine(once, probe.embedder.fresh(table, level, one_by_one=True)).min())
            except Skip as error:
                yield observed(whole.name, error)
                continue
            values = {"agreement": min(again, single), "again": again, "one by one": single}
            yield Observation(whole.name, values, items=len(once))
