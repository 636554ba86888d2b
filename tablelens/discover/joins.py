"""Which columns join with this one: vectors and values propose, values prove, one probability ranks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tablelens.discover import sql
from tablelens.discover.allowed import Allowed
from tablelens.discover.condition import condition_of
from tablelens.discover.evidence import Counted, Query, count, evidence_of, held_cells
from tablelens.discover.rank import Calibration, hubness
from tablelens.discover.view import LakeView
from tablelens.errors import UsageError
from tablelens.index.postings import Overlaps
from tablelens.types import Answer, Hit, Ids, Mode

MODES: tuple[Mode, ...] = ("auto", "equi", "semantic", "deepjoin")
HUB = 0.01
"""Share of the lake's columns above which a column's values are said to be everywhere."""
HUB_COLUMNS = 100
"""Columns that this must be at least: in a small lake a share says little."""
RARE = 0.02
"""Share of the columns with vectors below which filters let so little through that it is weighed vector by vector …"""
WEIGHED = 50_000
"""… as long as it is no more than this many columns."""
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Request:
    """How to look: how many hits, by what, among which columns, and where to stop."""

    k: int = 10
    mode: Mode = "auto"
    lake: str | None = None
    tables: str | None = None
    kind: str | None = None
    per_table: int = 0
    """At most this many hits a table; 0 for no limit."""
    threshold: float = 0.1
    """Least probability of a hit in mode auto."""
    candidates: int = 200
    min_distinct: int = 5

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(f"unknown mode {self.mode!r}", f"known modes: {', '.join(MODES)}")
        if not 1 <= self.k <= 10_000:
            raise UsageError(f"k is {self.k}", "k lies between 1 and 10000")
        if self.per_table < 0:
            raise UsageError(f"per_table is {self.per_table}", "per_table is 0, for no limit, or more")
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"threshold is {self.threshold}", "threshold is a probability, between 0 and 1")


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates with all that was counted, best first."""

    counted: Counted
    score: Floats
    probability: Floats
    cosine: Floats
    hub: float


def find_joins(
    query: Query,
    request: Request,
    calibration: Calibration | None = None,
    judged: Mapping[int, bool] | None = None,
) -> Answer:
    """The hits of one query. Below the threshold of mode auto nothing is found, and that is an answer.

    Args:
        query: the column that is asked for.
        request: how to look.
        calibration: weights of the probability, those of the index's encoder if not given.
        judged: what people said of other columns, by place. Joins that they confirmed come first, those that they
            denied are no hits; in mode deepjoin, which is the paper's, verdicts have no part.
    """
    start = time.perf_counter()
    notes = [query.excluded] if query.excluded else []
    allowed = allowed_columns(query, request)
    if request.mode in ("semantic", "deepjoin") and query.vector is None:
        notes.append(
            f"{query.name!r} holds {query.family or 'no'} values, which have no vector: only modes auto and equi apply"
        )
    judged = judged if judged and request.mode != "deepjoin" else {}
    ranked = _rank(query, request, allowed, calibration or _calibration(query), judged)
    hits = tuple(_hit(query, ranked, i, judged) for i in _shown(query.view, ranked, request))
    return Answer(
        query.table,
        query.name,
        request.mode,
        hits,
        time.perf_counter() - start,
        query.view.generation.number,
        tuple(notes),
    )


def explain_join(
    query: Query, place: int, calibration: Calibration | None = None, judged: Mapping[int, bool] | None = None
) -> Hit:
    """The evidence on one pair of columns, whether it would be found or not; arguments as ``find_joins``."""
    counted, cosine = count_pair(query, place)
    judged = judged or {}
    probability = (calibration or _calibration(query)).probability(query, counted, cosine)
    probability = _judge(probability, counted.places, judged)
    hit = _hit(query, Ranked(counted, probability, probability, cosine, hubness(query)), 0, judged)
    left, right = query.excluded, query.view.value("excluded", place)
    why = [
        f"{name} takes no part in joins: {reason}"
        for name, reason in ((query.name, left), (hit.column, right))
        if reason
    ]
    return replace(hit, notes=(*why, *hit.notes))


def count_pair(query: Query, place: int) -> tuple[Counted, Floats]:
    """What is counted on one candidate, and its cosine to the query."""
    places = np.array([place], np.int64)
    return count(query, places), _cosine(query, places)


def _calibration(query: Query) -> Calibration:
    return Calibration.of(str(query.view.generation.encoder["name"]))


def allowed_columns(query: Query, request: Request) -> Allowed:
    """Columns that may be hits at all: usable, of the query's family, of other tables, as the request says."""
    view = query.view
    if query.excluded:
        return Allowed(view, None)
    # a small table's key is a join partner, however few values it has: in mode auto
    pool = view.pool(query.family, request.min_distinct, request.mode == "auto")
    return Allowed(view, pool, query.table_id, view.matching(request.lake, request.tables, request.kind))


def _rank(
    query: Query, request: Request, allowed: Allowed, calibration: Calibration, judged: Mapping[int, bool]
) -> Ranked:
    wanted = max(request.k, request.candidates) if request.mode == "auto" else request.k
    if request.per_table:
        wanted = max(wanted, 20 * request.k)
    counted, cosine = propose(query, request, allowed, wanted)
    if judged:
        counted, cosine = _with_verdicts(query, counted, cosine, judged, allowed)
    probability = _judge(calibration.probability(query, counted, cosine), counted.places, judged)
    if request.mode == "equi":
        score = counted.containment
    elif request.mode == "auto":
        score = probability
    else:
        score = np.arange(len(cosine), 0, -1, dtype=np.float64)
    if judged and request.mode != "equi":  # what people confirmed comes first
        score = score + len(score) * np.isin(counted.places, [place for place, joins in judged.items() if joins])
    order = np.lexsort((query.view.order[counted.places], -counted.jaccard, -score))
    score = cosine if request.mode in ("semantic", "deepjoin") else score
    return Ranked(counted.take(order), score[order], probability[order], cosine[order], hubness(query))


def _judge(probability: Floats, places: Ids, judged: Mapping[int, bool]) -> Floats:
    """Probabilities, 1 or 0 where a person said so."""
    return np.array([judged.get(place, p) for place, p in zip(places.tolist(), probability.tolist(), strict=True)])


def _with_verdicts(
    query: Query, counted: Counted, cosine: Floats, judged: Mapping[int, bool], allowed: Allowed
) -> tuple[Counted, Floats]:
    """Candidates without those that people denied, and with those that they confirmed, where filters allow."""
    kept = ~np.isin(counted.places, [place for place, joins in judged.items() if not joins])
    confirmed = np.array([place for place, joins in judged.items() if joins], np.int64)
    more = np.setdiff1d(confirmed[allowed.filtered(confirmed)], counted.places)
    added = count(query, more)
    both = (np.concatenate([getattr(counted, name)[kept], getattr(added, name)]) for name in Counted.__slots__)
    return Counted(*both), np.append(cosine[kept], _cosine(query, more))


def propose(query: Query, request: Request, allowed: Allowed, wanted: int) -> tuple[Counted, Floats]:
    """Candidates of the arms that the mode asks for, counted, and their cosine to the query (NaN where unknown)."""
    postings = query.view.generation.postings
    shared, places = None, np.empty(0, np.int64)
    if request.mode in ("auto", "equi"):
        shared = postings.overlaps(query.places, wanted, allowed)
        places = _most_contained(query, shared, wanted)
    if request.mode != "equi" and query.vector is not None:
        # in mode auto whatever shares values is there already, so the vectors need not go as deep
        near = _by_vector(query, request, allowed, wanted // 2 if request.mode == "auto" else wanted)
        places = np.union1d(places, near) if request.mode == "auto" else near
    overlap = shared.of(places) if shared is not None and shared.complete else None
    return count(query, places, overlap), _cosine(query, places)


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
        scores = generation.vectors.vectors(labels) @ query.vector
    else:
        labels, scores = _nearest(query, query.vector, allowed, wanted, share)
    if request.mode == "semantic":  # by angle: a candidate's size says nothing of its meaning
        scores = scores / np.maximum(np.linalg.norm(generation.vectors.vectors(labels), axis=1), 1e-9)
    places = generation.places(labels)
    return places[np.lexsort((query.view.order[places], -scores))[:wanted]]


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


def _cosine(query: Query, places: Ids) -> Floats:
    """Cosine of the query's vector with each candidate's, NaN where either has none."""
    cosine = np.full(len(places), np.nan)
    if query.vector is None or not len(places):
        return cosine
    generation = query.view.generation
    has = query.view.embedded[places]
    if has.any():
        vectors = generation.vectors.vectors(generation.ids[places[has]])
        cosine[has] = vectors @ query.vector / np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
    return cosine


def _shown(view: LakeView, ranked: Ranked, request: Request) -> list[int]:
    """Places in the ranking of the hits to show."""
    shown: list[int] = []
    of_table: Counter[int] = Counter()
    for i, place in enumerate(ranked.counted.places.tolist()):
        table = int(view.table_ids[place])
        if len(shown) == request.k or (request.mode == "auto" and ranked.probability[i] < request.threshold):
            break
        if request.per_table and of_table[table] >= request.per_table:
            continue
        of_table[table] += 1
        shown.append(i)
    return shown


def _hit(query: Query, ranked: Ranked, i: int, judged: Mapping[int, bool]) -> Hit:
    view, place = query.view, int(ranked.counted.places[i])
    cosine = None if np.isnan(ranked.cosine[i]) else float(ranked.cosine[i])
    held = held_cells(query, place)
    evidence = evidence_of(query, ranked.counted, i, held, cosine)
    ref = view.ref(place)
    on = condition_of(query, place, held)
    theirs = view.source(place)
    notes = []
    verdict = judged.get(place)
    if verdict is not None:
        notes.append(f"a person said that these columns {'join' if verdict else 'do not join'}")
    if ranked.hub > HUB and ranked.hub * len(view) > HUB_COLUMNS:
        notes.append(f"common values: the typical one is in {ranked.hub:.1%} of all columns")
    if evidence.explosion > 10:
        notes.append(f"row explosion: {evidence.explosion:,.0f} rows for each row of the query")
    return Hit(
        column=ref,
        score=round(float(np.nan_to_num(ranked.score[i])), 6),
        probability=round(float(ranked.probability[i]), 4),
        evidence=evidence,
        sql=sql.join(query.source.sql, theirs.sql, on.sql),
        notes=(*notes, *on.notes, *dict.fromkeys([*query.source.notes, *theirs.notes])),
        hub=round(float(ranked.hub), 6),
        verdict=verdict,
    )
