"""Ours. How much of a table does the model see before its token limit?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed

if TYPE_CHECKING:
    from ..runner import Probe


class TruncationCoverage(Property):
    """What lies beyond the limit has no part in any other figure here, nor in any search."""

    meta = Meta(
        id="truncation_coverage",
        title="Truncation coverage",
        question="How much of a table does the model see before its token limit?",
        levels=("column",),
        headline="rows",
        measures={"rows": "share of the rows that are seen", "tokens": "share of the tokens that are seen"},
        limits=Limits(0.9, 0.5),
        floor=0.0,
        degenerate=False,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """Each table."""
        del level, variants
        for table in probe.dataset.tables:
            try:
                seen = probe.embedder.model.seen(table)
            except Skip as error:
                yield observed(table.name, error)
                continue
            values = {"rows": seen.rows / max(seen.all_rows, 1), "tokens": seen.tokens / max(seen.all_tokens, 1)}
            yield Observation(table.name, values, items=seen.all_rows)
