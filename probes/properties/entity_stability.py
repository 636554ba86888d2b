"""P6. Does an entity keep its neighbours when it is met in another table?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tablelens.types import Vectors

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed
from ..measures import above_chance, cka, neighbours, rbo

if TYPE_CHECKING:
    from ..runner import Probe

K = 10
ROWS = 16
MOST = 300
"""Entities at most."""


class EntityStability(Property):
    """Two spaces of the same entities: as first met, and as met in another table. Neighbours exclude the entity itself.

    Observatory compares spaces of two models; the report does so with the neighbours that are kept here.
    """

    meta = Meta(
        id="entity_stability",
        title="Entity stability",
        question="Does an entity keep its neighbours when it is met in another table?",
        levels=("cell",),
        headline="overlap",
        measures={
            "overlap": f"share of an entity's {K} nearest that stay, with chance at 0",
            "raw overlap": f"the same with chance at {K} / (entities - 1)",
            "rbo": "rank-biased overlap of the two rankings, p = 0.9",
            "cka": "linear CKA of the two spaces: likeness but for rotation and scale",
        },
        limits=Limits(0.5, 0.15),
        paper="P6",
        reference="Observatory, PVLDB 17(4), 2023",
        floor=0.0,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """One observation for each table in which entities are met first."""
        del variants
        names, first, second, owners, faults = entity_spaces(probe, level)
        yield from faults
        if len(names) < K + 2:
            yield observed("all tables", Skip("too-few-entities"))
            return
        probe.keep("entities", {"names": names, "neighbours": neighbours(first, K).tolist(), "k": K})
        near, then = neighbours(first, len(names) - 1), neighbours(second, len(names) - 1)
        alike = cka(first, second)
        chance = K / (len(names) - 1)
        by_table: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for i, owner in enumerate(owners):
            shared = len(np.intersect1d(near[i, :K], then[i, :K])) / K
            by_table[owner].append((shared, rbo(near[i, : 5 * K].tolist(), then[i, : 5 * K].tolist())))
        for owner, found in by_table.items():
            raw, ranked = (float(np.mean(column)) for column in zip(*found, strict=True))
            values = {"overlap": above_chance(raw, chance), "raw overlap": raw, "rbo": ranked, "cka": alike}
            yield Observation(owner, values, items=len(found))


def entity_spaces(probe: Probe, level: Level) -> tuple[list[str], Vectors, Vectors, list[str], list[Observation]]:
    """(entities, their vectors where first met, in the next other table, tables where first met, faults)."""
    tables = [table.head(ROWS) for table in probe.dataset.tables]
    found: dict[int, Any] = {}
    faults: list[Observation] = []
    for t, table in enumerate(tables):
        try:
            shown = table.head(probe.embedder.model.fit(table, level))
            found[t] = probe.embedder.embed(shown, level).reshape(shown.rows, shown.width, -1)
        except Skip as error:
            faults.append(observed(table.name, error))
    names, first, second, owners = [], [], [], []
    for name, cells in probe.dataset.entities.items():
        met = {t: (r, c) for t, r, c in reversed(cells) if t in found and r < len(found[t])}
        if len(met) < 2:
            continue
        one, two = sorted(met)[:2]
        names.append(name)
        first.append(found[one][met[one]])
        second.append(found[two][met[two]])
        owners.append(tables[one].name)
        if len(names) == MOST:
            break
    empty = np.empty((0, 1), np.float32)
    return names, np.array(first) if first else empty, np.array(second) if second else empty, owners, faults
