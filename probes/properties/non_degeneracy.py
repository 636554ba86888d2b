"""Ours. Do the vectors use their space, or do all lie in one place?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..base import Level, Limits, Meta, Observation, Property

if TYPE_CHECKING:
    from ..runner import Probe


class NonDegeneracy(Property):
    """The controls of a level as a property of their own: one observation over all tables, so without an interval."""

    meta = Meta(
        id="non_degeneracy",
        title="Non-degeneracy",
        question="Do the vectors use their space, or do all lie in one place?",
        levels=("column", "row", "table", "cell"),
        headline="room",
        measures={
            "room": "1 - mean cosine of two different items",
            "effective rank": "dimensions that the vectors really use",
            "retrieval": "share of items that find themselves first among all",
            "hubness": "skewness of how often an item is among others' nearest",
            "nearest": "mean cosine of an item and its nearest other",
            "centred cosine": "mean cosine of two items after the common direction is taken away",
        },
        limits=Limits(0.2, 0.02),
        floor=0.0,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """The controls."""
        del variants
        c = probe.controls(level)
        values = {
            "room": 1 - c.floor,
            "effective rank": c.effective_rank,
            "retrieval": c.retrieval,
            "hubness": c.hubness,
            "nearest": c.nearest,
            "centred cosine": c.centred_floor,
        }
        yield Observation("all tables", values, items=c.items)
