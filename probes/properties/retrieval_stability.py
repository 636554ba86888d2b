"""Ours. Does a perturbed column still find the same columns in the join index?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tablelens.index.exact import ExactIndex
from tablelens.profile.normalize import normalize
from tablelens.types import Vectors

from ..base import Level, Limits, Meta, Observation, Property, Skip, observed
from ..data.perturb import synonym
from ..measures import above_chance, containment
from ..tables import Table

if TYPE_CHECKING:
    from ..runner import Probe

K = 10
PARTNER = 0.5
KINDS = ("rows shuffled", "half of the rows", "headers in other words")


class RetrievalStability(Property):
    """What the other properties come down to for join discovery: the index of all columns, asked before and after.

    The index is the one of tablelens that answers at this size, and ranks by query · candidate; columns of the query's
    own table do not count. Partners are columns that hold half of the query's values.
    """

    meta = Meta(
        id="retrieval_stability",
        title="Retrieval stability",
        question="Does a perturbed column still find the same columns in the join index?",
        levels=("column",),
        headline="overlap",
        measures={
            "overlap": f"share of the {K} nearest that stay, with chance at 0, mean over perturbations",
            "recall before": f"share of the partners that are among the {K} nearest",
            "recall after": "the same, asked with the perturbed column",
        },
        limits=Limits(0.85, 0.6),
        floor=0.0,
    )

    def observe(self, probe: Probe, level: Level, variants: int) -> Iterator[Observation]:
        """Each table's columns as queries."""
        del variants
        tables = probe.dataset.tables
        index, labels, values, faults = build(probe, level)
        yield from faults
        for t, table in enumerate(tables):
            if t not in labels:
                continue
            try:
                yield self._observation(probe, table, level, index, labels[t], values)
            except Skip as error:
                yield observed(table.name, error)

    def _observation(
        self, probe: Probe, table: Table, level: Level, index: ExactIndex, own: range, values: list[set[str]]
    ) -> Observation:
        rng = probe.random(self.meta.id, table.name)
        half = sorted(rng.sample(range(table.rows), max(1, table.rows // 2)))
        renamed = table
        for place, name in enumerate(table.header):
            renamed = renamed.with_column(place, name=synonym(name) or name)
        changed = (table.take_rows(rng.sample(range(table.rows), table.rows)), table.take_rows(half), renamed)
        embedded = probe.embedder.embed_all([table, *changed], level, queries=True)
        answers = [_ask(index, found, own) for found in embedded]
        others = len(index) - len(own)
        if others <= K:
            raise Skip("too-few-columns")
        chance = K / others
        overlaps = {
            kind: above_chance(float(np.mean([len(a & b) / K for a, b in zip(answers[0], found, strict=True)])), chance)
            for kind, found in zip(KINDS, answers[1:], strict=True)
        }
        made = {"overlap": float(np.mean(list(overlaps.values())))}
        partners = [_partners(values, query, own) for query in own]
        before = _recall(answers[0], partners)
        if before is not None:
            after = [_recall(found, partners) for found in answers[1:]]
            made |= {"recall before": before, "recall after": float(np.mean([a for a in after if a is not None]))}
        return Observation(table.name, made, overlaps, items=table.width, variants=len(changed))


def build(probe: Probe, level: Level) -> tuple[ExactIndex, dict[int, range], list[set[str]], list[Observation]]:
    """(index of all columns, labels of each table's, value set of each label, faults)."""
    rows: list[Vectors] = []
    labels: dict[int, range] = {}
    values: list[set[str]] = []
    faults: list[Observation] = []
    found = probe.embedder.embed_all(probe.dataset.tables, level)
    for t, (table, vectors) in enumerate(zip(probe.dataset.tables, found, strict=True)):
        if isinstance(vectors, Skip):
            faults.append(observed(table.name, vectors))
            continue
        labels[t] = range(len(values), len(values) + table.width)
        values += [{v for cell in column if (v := normalize(cell)) is not None} for column in table.columns]
        rows.append(vectors)
    index = ExactIndex(rows[0].shape[1] if rows else 1)
    if rows:
        index.add(np.arange(len(values)), np.concatenate(rows))
    return index, labels, values, faults


def _ask(index: ExactIndex, queries: Vectors | Skip, own: range) -> list[set[int]]:
    if isinstance(queries, Skip):
        raise queries
    found = index.query(queries, K + len(own))
    return [set([label for label in labels.tolist() if label not in own][:K]) for labels, _ in found]


def _partners(values: list[set[str]], query: int, own: range) -> set[int]:
    if len(values[query]) < 3:
        return set()
    return {i for i, other in enumerate(values) if i not in own and containment(values[query], other) >= PARTNER}


def _recall(answers: list[set[int]], partners: list[set[int]]) -> float | None:
    found = [len(a & p) / min(len(p), K) for a, p in zip(answers, partners, strict=True) if p]
    return float(np.mean(found)) if found else None
