"""Ours. Are columns of one type nearer to each other than to columns of other types?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed
from .heterogeneous_context import type_auc

if TYPE_CHECKING:
    from ..runner import Probe


class SemanticDiscrimination(Property):
    """The counterweight to all invariance: what tells nothing apart is stable too."""

    meta = Meta(
        id="semantic_discrimination",
        title="Semantic discrimination",
        question="Are columns of one type nearer to each other than to columns of other types?",
        levels=("column",),
        headline="type auc",
        measures={
            "type auc": "chance that a column of the same type is nearer than one of another, other tables alone"
        },
        limits=Limits(0.8, 0.65),
        floor=0.5,
        degenerate=False,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """Each table with typed columns, against the typed columns of all other tables."""
        del variants
        types, tables = probe.dataset.types, probe.dataset.tables
        found = dict(zip([table.name for table in tables], probe.embedder.embed_all(tables, level), strict=True))
        rows, kinds, owners = [], [], []
        for (name, place), kind in types.items():
            vectors = found[name]
            if not isinstance(vectors, Skip):
                rows.append(vectors[place])
                kinds.append(kind)
                owners.append(name)
        space, kind_of, owner_of = np.array(rows), np.array(kinds), np.array(owners)
        for table in tables:
            vectors = found[table.name]
            if isinstance(vectors, Skip):
                yield observed(table.name, vectors)
                continue
            near = type_auc(space, kind_of, owner_of == table.name, owner_of != table.name) if rows else None
            if near is None:
                yield observed(table.name, Skip("no-typed-column"))
            else:
                yield Observation(table.name, {"type auc": near}, items=int((owner_of == table.name).sum()))
