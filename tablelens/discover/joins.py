"""Which columns join with this one: vectors, values and bridges propose, values prove, one probability ranks."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tablelens.discover.allowed import Allowed
from tablelens.discover.candidates import DIRECT, Candidates, joined, propose, weigh, weigh_pair
from tablelens.discover.diverse import diversified
from tablelens.discover.evidence import Query
from tablelens.discover.hits import make_hit
from tablelens.discover.matching import with_cells
from tablelens.discover.rank import Calibration, hubness
from tablelens.discover.spread import spread_to
from tablelens.discover.view import LakeView
from tablelens.errors import UsageError
from tablelens.index.facts import FAMILIES
from tablelens.profile.names import name_similarities
from tablelens.types import Answer, Hit, Ids, Mode

MODES: tuple[Mode, ...] = ("auto", "equi", "semantic", "deepjoin")
RELATED = 0.5
"""Score of a column of numbers with the query's name and distribution, in mode semantic: it measures the same thing,
which makes it no join."""
DETOUR = 0.6
"""What a join by meaning counts beside a direct one, in mode auto …"""
NUMBERS = 0.7
"""… and one over numbers beside one over text."""
TENTH, EVERY = 10, 5
"""In mode auto the tenth place and every fifth after it are kept for joins by meaning, where direct ones would fill the
list: codes and names have hundreds of columns of their own kind in a large lake. Numbers, which meet by accident, do
without …"""
SURE = 0.85
"""… if they are as probable as this."""
Floats = npt.NDArray[np.float64]


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
    threshold: float = 0.6
    """Least probability of a hit in mode auto."""
    diversity: float = 0.0
    """What it costs a hit to hold the values of one before it, 0 to 1: see ``discover.diverse``."""
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
        if not 0 <= self.diversity <= 1:
            raise UsageError(f"diversity is {self.diversity}", "diversity lies between 0, for none, and 1")


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates, best first."""

    candidates: Candidates
    score: Floats
    probability: Floats


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
        notes.append(_without_vector(query, request.mode))
    judged = judged if judged and request.mode != "deepjoin" else {}
    ranked = _rank(query, request, allowed, calibration or _calibration(query), judged)
    shown = _shown(query.view, ranked, request)
    hits = _hits(query, ranked, shown, judged)
    return Answer(
        query.table,
        query.name,
        request.mode,
        tuple(hits),
        time.perf_counter() - start,
        query.view.generation.number,
        tuple(notes),
    )


def _without_vector(query: Query, mode: Mode) -> str:
    held = f"{query.name!r} holds {query.family or 'no'} values, which have no vector"
    if mode == "semantic" and query.spread is not None:
        return f"{held}: found by name and distribution are columns that measure the same, which is no join"
    return f"{held}: only modes auto and equi apply"


def explain_join(
    query: Query, place: int, calibration: Calibration | None = None, judged: Mapping[int, bool] | None = None
) -> Hit:
    """The evidence on one pair of columns, whether it would be found or not; arguments as ``find_joins``."""
    candidates, judged = with_cells(query, weigh_pair(query, place)), judged or {}
    probability = (calibration or _calibration(query)).probability(query, candidates)
    probability = _judge(probability, candidates.places, judged)
    (hit,) = _hits(query, Ranked(candidates, probability, probability), [0], judged)
    left, right = query.excluded, query.view.value("excluded", place)
    why = [
        f"{name} takes no part in joins: {reason}"
        for name, reason in ((query.name, left), (hit.column, right))
        if reason
    ]
    return replace(hit, notes=(*why, *hit.notes))


def _calibration(query: Query) -> Calibration:
    return Calibration.of(str(query.view.generation.encoder["name"]))


def allowed_columns(query: Query, request: Request) -> Allowed:
    """Columns that may be hits at all: usable, of the query's family, of other tables, as the request says."""
    view = query.view
    if query.excluded:
        return Allowed(view, None)
    # a small table's key is a join partner, however few values it has: in mode auto
    keys = request.mode == "auto"
    pool, named = (view.pool(family, request.min_distinct, keys) for family in (query.family, "text"))
    return Allowed(view, pool, query.table_id, named, view.matching(request.lake, request.tables, request.kind))


def _rank(
    query: Query, request: Request, allowed: Allowed, calibration: Calibration, judged: Mapping[int, bool]
) -> Ranked:
    wanted = request.k if request.mode in ("equi", "deepjoin") else max(request.k, request.candidates)
    if request.per_table or request.diversity:
        wanted = max(wanted, 20 * request.k)
    found = propose(query, request, allowed, wanted)
    if judged:
        found = _with_verdicts(query, found, judged, allowed)
    if request.mode == "semantic":
        found = with_cells(query, found)
    probability = _judge(calibration.probability(query, found), found.places, judged)
    score = _score(query, request.mode, found, probability)
    if judged and request.mode != "equi":  # what people confirmed comes first
        score = score + len(score) * np.isin(found.places, [place for place, joins in judged.items() if joins])
    # columns that are alike may differ in the last bits, by where they lay in a product of matrices: that is a tie
    order = np.lexsort((query.view.order[found.places], -found.counted.jaccard, -np.round(score, 6)))
    direct = found.counted.containment >= DIRECT
    if request.mode == "semantic":
        order = _alternating(order, direct[order])
    elif request.mode == "auto":
        order = order[probability[order] >= request.threshold]
        if query.family == "text":
            order = _with_detours(order, ~direct & (probability >= SURE))
    shown = found.cosine if request.mode == "deepjoin" else score
    return Ranked(found.take(order), shown[order], probability[order])


def _score(query: Query, mode: Mode, found: Candidates, probability: Floats) -> Floats:
    """What a mode ranks by. Among direct joins that are as likely, the one that brings more of the values comes first.

    Of others the share that arrives tells less: a bridge knows only a part of the values.
    """
    contained = found.counted.containment
    if mode == "equi":
        return contained
    if mode == "deepjoin":  # the index's own order
        return np.arange(len(probability), 0, -1, dtype=np.float64)
    direct = contained >= DIRECT
    score = np.where(direct, probability * (1 + contained) / 2, probability)
    if mode == "semantic" and query.spread is not None:
        score = np.maximum(score, RELATED * _related(query, found.places))
    if query.family == "text":  # codes and names say more than numbers do
        score *= np.where(_of_text(query.view, found.places) & ~_over_numbers(query.view, found), 1, NUMBERS)
    return score if mode == "semantic" else np.asarray(score * np.where(direct, 1, DETOUR))


def _of_text(view: LakeView, places: Ids) -> npt.NDArray[np.bool_]:
    return np.asarray(view.family[places] == FAMILIES.index("text"))


def _over_numbers(view: LakeView, found: Candidates) -> npt.NDArray[np.bool_]:
    """Candidates that are reached over a bridge to numbers alone: small ones are in many columns by accident."""
    far = np.array([form.far[0] for form in found.forms], np.int64)
    over = (found.form >= 0) & (found.counted.containment < DIRECT)
    numbers = np.zeros(len(over), bool)
    numbers[over] = ~_of_text(view, far[found.form[over]])
    return numbers


def _related(query: Query, places: Ids) -> Floats:
    """Of columns of numbers or dates: likeness of the names times likeness of the distributions."""
    alike = name_similarities(query.name, map(query.view.names.__getitem__, places.tolist()))
    return np.asarray(alike * np.nan_to_num(spread_to(query, places)))


def _alternating(order: Ids, direct: npt.NDArray[np.bool_]) -> Ids:
    """An order in which joins by equal values and joins by meaning take turns, so that neither hides the other."""
    rank = np.empty(len(order), np.int64)
    first = direct[:1].all()
    for turn, marks in enumerate((direct == first, direct != first)):
        rank[marks] = 2 * np.arange(int(marks.sum())) + turn
    return order[np.argsort(rank, kind="stable")]


def _with_detours(order: Ids, sure: npt.NDArray[np.bool_]) -> Ids:
    """An order whose kept places go to the first of those that are ``sure``, as long as there are any."""
    ranked, behind = order.tolist(), deque(np.flatnonzero(sure[order]).tolist())
    for place in range(TENTH - 1, len(ranked), EVERY):
        while behind and behind[0] < place:
            behind.popleft()
        if not behind:
            break
        ranked.insert(place, ranked.pop(behind.popleft()))
    return np.array(ranked, np.int64)


def _judge(probability: Floats, places: Ids, judged: Mapping[int, bool]) -> Floats:
    """Probabilities, 1 or 0 where a person said so."""
    if not judged:
        return probability
    return np.array([judged.get(place, p) for place, p in zip(places.tolist(), probability.tolist(), strict=True)])


def _with_verdicts(query: Query, found: Candidates, judged: Mapping[int, bool], allowed: Allowed) -> Candidates:
    """Candidates without those that people denied, and with those that they confirmed, where filters allow."""
    kept = ~np.isin(found.places, [place for place, joins in judged.items() if not joins])
    confirmed = np.array([place for place, joins in judged.items() if joins], np.int64)
    more = np.setdiff1d(confirmed[allowed.filtered(confirmed)], found.places)
    return joined(found.take(np.flatnonzero(kept)), weigh(query, more))


def _shown(view: LakeView, ranked: Ranked, request: Request) -> list[int]:
    """Places in the ranking of the hits to show."""
    shown: list[int] = []
    of_table: Counter[int] = Counter()
    places = ranked.candidates.places
    order: Iterable[int] = range(len(places))
    if request.diversity:
        relevance = np.asarray(np.round(np.nan_to_num(ranked.score), 6), np.float64)
        order = diversified(view, places, relevance, request.diversity)
    for i in order:
        table = int(view.table_ids[places[i]])
        if len(shown) == request.k:
            break
        if request.per_table and of_table[table] >= request.per_table:
            continue
        of_table[table] += 1
        shown.append(i)
    return shown


def _hits(query: Query, ranked: Ranked, shown: list[int], judged: Mapping[int, bool]) -> list[Hit]:
    hub, alike = hubness(query), spread_to(query, ranked.candidates.places[shown])
    return [
        make_hit(
            query,
            ranked.candidates,
            i,
            float(np.nan_to_num(ranked.score[i])),
            float(ranked.probability[i]),
            hub,
            judged.get(int(ranked.candidates.places[i])),
            float(spread),
        )
        for i, spread in zip(shown, alike.tolist(), strict=True)
    ]
