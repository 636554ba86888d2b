"""Columns that may join with the query: the arms propose them, the value sets and the bridges are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tablelens.discover.allowed import Allowed
from tablelens.discover.bridges import Bridged, Form, arrivals_at, bridged
from tablelens.discover.evidence import Counted, Query, count
from tablelens.discover.spread import spread_to
from tablelens.index.postings import Overlaps
from tablelens.types import CellMatching, Ids

if TYPE_CHECKING:
    from tablelens.discover.joins import Request

DIRECT = 0.3
"""Containment from which on a join by equal values is direct: it needs no bridge, and mode auto shows it first."""
RARE = 0.02
"""Share of the columns with vectors below which filters let so little through that it is weighed vector by vector …"""
WEIGHED = 50_000
"""… as long as it is no more than this many columns."""
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Columns with all that is known of them beside the query; arrays of shape (n,)."""

    counted: Counted
    cosine: Floats
    """Of the vectors, NaN where either has none."""
    coverage: Floats
    """Share of the query's values that arrive over the best bridge, 0 where there is none."""
    form: Ids
    """The form that they arrive by, a place in ``forms``; -1 where there is no bridge."""
    forms: tuple[Form, ...]
    cells: Mapping[int, CellMatching] = field(default_factory=dict)
    """By place, of those whose cells were compared one by one."""

    @property
    def places(self) -> Ids:
        """The columns."""
        return self.counted.places

    @property
    def matched(self) -> Floats:
        """Share of the query's cells that have a match, NaN where they were not compared."""
        return np.array([self.cells[p].containment if p in self.cells else np.nan for p in self.places.tolist()])

    def take(self, order: npt.NDArray[np.integer]) -> Candidates:
        """Some of them, in a new order."""
        cosine, coverage, form = self.cosine[order], self.coverage[order], self.form[order]
        return replace(self, counted=self.counted.take(order), cosine=cosine, coverage=coverage, form=form)


def propose(query: Query, request: Request, allowed: Allowed, wanted: int) -> Candidates:
    """Candidates of the arms that the mode asks for, each with its evidence."""
    postings, mode = query.view.generation.postings, request.mode
    shared, parts = None, []
    if mode in ("auto", "equi", "semantic"):
        shared = postings.overlaps(query.places, wanted, allowed)
        parts.append(_most_contained(query, shared, wanted))
    if mode != "equi" and query.vector is not None:
        # whatever shares values is there already, so the vectors need not go as deep
        parts.append(_by_vector(query, request, allowed, wanted if mode == "deepjoin" else wanted // 2))
    if mode == "semantic" and query.spread is not None:
        parts.append(_by_spread(query, allowed, wanted // 2))
    over = bridged(query, wanted) if mode in ("auto", "semantic") else None
    if over is not None:
        parts.append(over.places[allowed.anyhow(over.places)])
    if mode == "deepjoin":
        return weigh(query, parts[0] if parts else np.empty(0, np.int64))
    return weigh(query, np.unique(np.concatenate(parts)), shared, over)


def weigh(query: Query, places: Ids, shared: Overlaps | None = None, over: Bridged | None = None) -> Candidates:
    """Candidates with what was counted on them, in the order given."""
    overlap = shared.of(places) if shared is not None and shared.complete else None
    coverage, form = np.zeros(len(places)), np.full(len(places), -1, np.int64)
    if over is not None and len(over.places) and len(places):
        at = np.minimum(np.searchsorted(over.places, places), len(over.places) - 1)
        there = over.places[at] == places
        coverage[there], form[there] = over.coverage[at][there], over.form[at][there]
    forms = () if over is None else over.forms
    return Candidates(count(query, places, overlap), cosine_to(query, places), coverage, form, forms)


def weigh_pair(query: Query, place: int) -> Candidates:
    """One candidate, whether an arm would propose it or not."""
    places = np.array([place], np.int64)
    return weigh(query, places, over=arrivals_at(query, place))


def joined(left: Candidates, right: Candidates) -> Candidates:
    """The candidates of both; the right ones have no bridges."""
    both = (np.concatenate([getattr(left.counted, n), getattr(right.counted, n)]) for n in Counted.__slots__)
    cosine, coverage, form = (
        np.concatenate([getattr(left, n), getattr(right, n)]) for n in ("cosine", "coverage", "form")
    )
    return Candidates(Counted(*both), cosine, coverage, form, left.forms, {**left.cells, **right.cells})


def cosine_to(query: Query, places: Ids) -> Floats:
    """Cosine of the query's vector with each candidate's, NaN where either has none."""
    cosine = np.full(len(places), np.nan)
    if query.vector is None or not len(places):
        return cosine
    generation = query.view.generation
    has = query.view.embedded[places]
    if has.any():
        vectors = generation.vectors.vectors(generation.ids[places[has]])
        cosine[has] = np.vecdot(vectors, query.vector) / np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
    return cosine


def _most_contained(query: Query, shared: Overlaps, wanted: int) -> Ids:
    """The columns with the greatest containment, ties by Jaccard: exact."""
    columns, counts = shared.columns, shared.counts
    if query.exact and len(columns) > wanted:  # what holds less than the last that is wanted need not be weighed
        last = np.partition(counts, -wanted)[-wanted]
        likely = (counts >= last) | ~query.view.exact[columns]
        columns, counts = columns[likely], counts[likely]
    counted = count(query, columns, counts)
    order = np.lexsort((query.view.order[columns], -counted.jaccard, -counted.containment))[:wanted]
    return columns[order]


def _by_vector(query: Query, request: Request, allowed: Allowed, wanted: int) -> Ids:
    """The columns whose vectors give the greatest score, best first."""
    generation = query.view.generation
    assert query.vector is not None
    share = allowed.share()
    if share < RARE and len(few := allowed.embedded()) <= WEIGHED:
        labels = generation.ids[few]
        scores = np.vecdot(generation.vectors.vectors(labels), query.vector)
    else:
        labels, scores = _nearest(query, query.vector, allowed, wanted, share)
    if request.mode == "semantic":  # by angle: a candidate's size says nothing of its meaning
        scores = scores / np.maximum(np.linalg.norm(generation.vectors.vectors(labels), axis=1), 1e-9)
    places = generation.places(labels)
    return places[np.lexsort((query.view.order[places], -np.round(scores, 6)))[:wanted]]


def _by_spread(query: Query, allowed: Allowed, wanted: int) -> Ids:
    """The columns of numbers or dates that are called as the query is, the most alike distributions first."""
    places = query.view.namesakes(query.name)
    places = places[allowed(places)]
    return places[np.argsort(-np.nan_to_num(spread_to(query, places)), kind="stable")[:wanted]]


def _nearest(query: Query, vector: Floats32, allowed: Allowed, wanted: int, share: float) -> tuple[Ids, Floats32]:
    """(labels, scores) of the nearest allowed columns; asks for more until they are enough."""
    generation = query.view.generation
    ask = min(int(wanted / max(share, 0.01)) + 50, len(generation.vectors))
    while True:
        labels, scores = generation.vectors.query(vector[None, :], ask)[0]
        kept = allowed(generation.places(labels))
        if kept.sum() >= wanted or len(labels) < ask or ask == len(generation.vectors):
            return labels[kept], scores[kept]
        ask = min(4 * ask, len(generation.vectors))
