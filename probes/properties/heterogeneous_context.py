"""P8. Does the rest of the table around a column change what the column is?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tablelens.types import Vectors

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed
from ..data.dataset import subject
from ..measures import auc, cosine, unit
from ..tables import Table

if TYPE_CHECKING:
    from ..runner import Probe

CHANCE = 0.6
CONTEXTS = ("alone", "with subject", "with neighbours", "whole table")


class HeterogeneousContext(Property):
    """Each typed column alone, beside the subject column, beside its neighbours, and in the whole table.

    A column may move with its context; what must not suffer is that it is nearer to columns of its own type. Every
    column is a target, the first and the last as well.
    """

    meta = Meta(
        id="heterogeneous_context",
        title="Heterogeneous context",
        question="Does the rest of the table around a column change what the column is?",
        levels=("column",),
        headline="auc change",
        measures={
            "auc change": "type AUC in the whole table less that of the column alone: below 0 the context harms",
            "cosine subject": "cosine of the column alone and beside the subject column",
            "cosine neighbours": "cosine of the column alone and beside its neighbours",
            "cosine whole": "cosine of the column alone and in the whole table",
            "auc alone": "chance that a column of the same type is nearer than one of another, columns alone",
            "auc whole": "the same, columns in the whole table",
        },
        limits=Limits(-0.05, -0.15),
        paper="P8",
        reference="Observatory, PVLDB 17(4), 2023",
        floor=0.0,
        ceiling=0.5,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """Each table with typed columns, against the typed columns of all others."""
        del variants
        tables = probe.dataset.tables
        found = {table.name: self._contexts(probe, table, level) for table in tables}
        spaces, kinds, owners = _spaces(probe, found)
        for table in tables:
            made = found[table.name]
            if isinstance(made, Skip):
                yield observed(table.name, made)
                continue
            near = {c: type_auc(spaces[c], kinds, owners == table.name, owners != table.name) for c in CONTEXTS}
            values = {
                f"cosine {c.split()[-1] if c != 'whole table' else 'whole'}": float(
                    cosine(made["alone"], made[c]).mean()
                )
                for c in CONTEXTS[1:]
            }
            whole, alone = near["whole table"], near["alone"]
            if whole is not None and alone is not None:
                values |= {"auc change": whole - alone, "auc alone": alone, "auc whole": whole}
            curve = {c: value for c, value in near.items() if value is not None}
            yield Observation(table.name, values, curve, items=len(made["alone"]))

    def blind(self, values: dict[str, float]) -> str:
        """A model that knows no types has nothing to lose."""
        return (
            "types are told apart no better than by chance, even alone" if values.get("auc alone", 1) < CHANCE else ""
        )

    def _contexts(self, probe: Probe, whole: Table, level: Level) -> dict[str, Vectors] | Skip:
        places = _typed(probe, whole)
        if not places:
            return Skip("no-typed-column")
        if whole.width < 2:
            return Skip("one-column")
        table = whole.head(probe.embedder.model.fit(whole, level))
        if not table.rows:
            return Skip("does-not-fit")
        main = subject(table)
        made: dict[str, Vectors] = {}
        for context in CONTEXTS:
            orders = [_order(context, place, main, table.width) for place in places]
            embedded = probe.embedder.embed_all([table.take_columns(order) for order in orders], level)
            rows = []
            for place, order, vectors in zip(places, orders, embedded, strict=True):
                if isinstance(vectors, Skip):
                    return vectors
                rows.append(vectors[order.index(place)])
            made[context] = np.stack(rows)
        return made


def _order(context: str, place: int, main: int, width: int) -> list[int]:
    """Columns of a context, in the table's order.

    >>> _order("with neighbours", 0, 2, 4), _order("with neighbours", 3, 2, 4), _order("with subject", 0, 2, 4)
    ([0, 1], [2, 3], [0, 2])
    """
    if context == "alone":
        return [place]
    if context == "with subject":
        return sorted({place, main})
    if context == "with neighbours":
        return list(range(max(place - 1, 0), min(place + 2, width)))
    return list(range(width))


def _typed(probe: Probe, table: Table) -> list[int]:
    return [place for place in range(table.width) if (table.name, place) in probe.dataset.types]


def _spaces(
    probe: Probe, found: Mapping[str, dict[str, Vectors] | Skip]
) -> tuple[dict[str, Vectors], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(vectors of all typed columns by context, their types, their tables)."""
    good = {name: made for name, made in found.items() if not isinstance(made, Skip)}
    by_name = {table.name: table for table in probe.dataset.tables}
    places = [(name, place) for name in good for place in _typed(probe, by_name[name])]
    spaces = {c: np.concatenate([made[c] for made in good.values()]) for c in CONTEXTS} if good else {}
    return spaces, np.array([probe.dataset.types[p] for p in places]), np.array([name for name, _ in places])


def type_auc(
    space: Vectors, kinds: np.ndarray[Any, Any], mine: np.ndarray[Any, Any], others: np.ndarray[Any, Any]
) -> float | None:
    """Mean over columns of how surely a column of the same type is nearer than one of another; masks are (n,)."""
    places = np.flatnonzero(mine)
    found = []
    for i, near in zip(places, unit(space[places]) @ unit(space).T, strict=True):
        same = others & (kinds == kinds[i])
        other = others & (kinds != kinds[i])
        if same.any() and other.any():
            found.append(auc(near[same], near[other]))
    return float(np.mean(found)) if found else None
