"""Bridges: joins by meaning that lead over a table which holds both forms, a code and a name, two spellings.

A bridge is a table with two columns that name the same things. Where the query's values stand in the one, their
*images* stand beside them in the other, and columns that hold the images join with the query by two equi-joins:

    query.country = bridge.name,  bridge.iso2 = candidate.country_code

For one query: (1) the value arm finds aligned columns that hold the query's values; (2) the alignments give the images,
table by table; (3) images that agree are united into one *form*, so that several tables make up for each other's gaps
and count as each other's witnesses; (4) the value arm finds columns that hold a form's images; (5) their coverage, the
share of the query's values that arrive, is counted exactly. Every step is bounded, whatever the size of the lake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tablelens.discover.evidence import Query
from tablelens.index.alignments import NONE
from tablelens.index.postings import runs
from tablelens.profile.names import name_similarity
from tablelens.types import Ids

Floats = npt.NDArray[np.float64]
VALUES = 256
"""Values of the query that are followed; a column's values lie in the order of their hashes, so any of them will do."""
PROBED = 64
"""Values whose columns are looked up, of the query or of a form …"""
WALK = 25_000
"""… as long as no more postings than this are walked."""
TABLES = 20
"""Bridge tables that are weighed."""
HELD = 0.2
"""Least share of the query's values that a bridge holds."""
SINGLE = 0.7
"""Least share of values that have one image and no more."""
APART = 0.6
"""Least number of images over that of the values that have them: towns are not named by their regions."""
AGREE = 0.5
"""Least share of common values whose images agree, for two bridges to be of one form."""
FORMS = 8
FEWEST = 3
"""Values that a query has at least to go over bridges."""
ALIKE = 0.5
"""Least similarity of the names of two columns of numbers."""
BRIDGES = 4
"""Bridge tables of a form whose own columns are candidates."""
KEPT = 8
"""Bridges of a form that a join can be made with."""
COUNTED = 60
"""Candidates whose coverage is counted; that of the others is told from a sample."""
ARRIVE = 0.3
"""Least share of the query's values that arrive at a candidate."""


@dataclass(frozen=True, slots=True)
class Form:
    """The query's values under another name."""

    images: Ids
    """For each followed value the place of its image in the postings, -1 where it has none."""
    values: Ids
    """The followed values of the query, places in the postings."""
    each: Ids
    """The images by each of the first bridges alone, shape (bridges, values)."""
    near: Ids
    """Columns of the bridge tables that hold the query's values, the best first …"""
    far: Ids
    """… and the columns beside them that hold the images."""
    single: float
    """Share of the values that have one image in the first bridge."""
    apart: float
    """Images over values of the first bridge."""
    witnesses: float
    """Mean number of bridge tables that give a value the same image."""


@dataclass(frozen=True, slots=True)
class Bridged:
    """Candidates that are reached over bridges; arrays of shape (n,), ascending by place, each by its best form."""

    places: Ids
    coverage: Floats
    form: npt.NDArray[np.int64]
    forms: tuple[Form, ...]


def bridged(query: Query, wanted: int) -> Bridged:
    """Candidates over bridges, at most about ``wanted`` for each form, by place."""
    forms, total = find_forms(query)
    if not forms:
        return Bridged(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), ())
    arrived = [_arrivals(query, form, total, wanted) for form in forms]
    places = np.concatenate([places for places, _ in arrived])
    coverage = np.concatenate([coverage for _, coverage in arrived])
    number = np.repeat(np.arange(len(arrived)), [len(places) for places, _ in arrived])
    order = np.lexsort((number, -coverage, places))
    first = order[np.append(True, np.diff(places[order]) > 0)]
    for i in first[np.argsort(-coverage[first], kind="stable")][:COUNTED].tolist():
        coverage[i] = _coverage(query, forms[number[i]], int(places[i]), total)
    first = first[coverage[first] >= ARRIVE]
    return Bridged(places[first], coverage[first], number[first], forms)


def arrivals_at(query: Query, place: int) -> Bridged:
    """The best bridge to one column, if there is any."""
    forms, total = find_forms(query)
    covered = [_coverage(query, form, place, total) for form in forms]
    if not covered or max(covered) < ARRIVE:
        return Bridged(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), forms)
    best = int(np.argmax(covered))
    return Bridged(np.array([place]), np.array([covered[best]]), np.array([best]), forms)


def find_forms(query: Query) -> tuple[tuple[Form, ...], int]:
    """The forms of the query's values, those with most images first, and how many values were followed in all."""
    values = query.places[:: len(query.places) // VALUES + 1]
    total = max(len(values), round(query.distinct * len(values) / max(len(query.places), 1)))
    members = _near_members(query, values) if len(values) >= FEWEST and len(query.view.generation.alignments) else []
    steps = [step for member in members if (step := _images(query, member, values)) is not None]
    if not steps:
        return (), total
    near = np.concatenate([step.near for step in steps])
    far = np.concatenate([step.far for step in steps])
    images = np.vstack([step.images for step in steps])
    single, apart = (np.concatenate([getattr(step, name) for step in steps]) for name in ("single", "apart"))
    # images that no other column holds lead nowhere but to the bridge itself
    known = query.view.generation.postings.frequency(np.maximum(images, 0)) >= 2
    quality = ((images >= 0) & known).mean(axis=1) * single * np.minimum(apart, 1)
    left = np.argsort(-quality, kind="stable")
    forms: list[Form] = []
    while len(left) and len(forms) < FORMS:
        first = left[0]
        common = (images[left] >= 0) & (images[first] >= 0)
        same = (images[left] == images[first]) & common
        alike = same.sum(axis=1) >= np.maximum(AGREE * common.sum(axis=1), 1)
        alike[0] = True
        group = left[alike]
        united = images[first].copy()
        for other in group[1:]:
            np.copyto(united, images[other], where=united < 0)
        given = united >= 0
        witnesses = float(((images[group] == united) & given).sum() / max(given.sum(), 1))
        of_first = float(single[first]), float(apart[first])
        forms.append(Form(united, values, images[group[:KEPT]], near[group], far[group], *of_first, witnesses))
        left = left[~alike]
    return tuple(forms), total


@dataclass(frozen=True, slots=True)
class _Step:
    near: Ids
    far: Ids
    images: Ids
    single: Floats
    apart: Floats


def _near_members(query: Query, values: Ids) -> list[int]:
    """Aligned columns that hold the query's values, one a table, the best first; as places in the alignments."""
    view = query.view
    places, shares = _holders(query, values)
    kept = view.aligned[places] & (shares >= HELD)
    if query.family == "number":  # numbers meet by accident: the bridge must call them as the query does
        kept[kept] = [name_similarity(query.name, view.names[place]) >= ALIKE for place in places[kept].tolist()]
    places, shares = places[kept], shares[kept]
    members = view.generation.alignments.find(places)
    rows = np.diff(view.generation.alignments.starts)[members]
    own = view.table_ids[places] == query.table_id
    order = np.lexsort((rows, -np.round(shares, 1), ~own))
    tables: dict[int, int] = {}
    for i in order.tolist():
        tables.setdefault(int(view.table_ids[places[i]]), int(members[i]))
        if len(tables) == TABLES:
            break
    return list(tables.values())


def _holders(query: Query, values: Ids) -> tuple[Ids, Floats]:
    """Columns that hold some of the values, and which share of those that were looked up."""
    postings = query.view.generation.postings
    probed = values[:: len(values) // PROBED + 1]
    reach = postings.frequency(probed)
    probed = probed[np.argsort(reach, kind="stable")]
    probed = probed[: max(int(np.searchsorted(np.cumsum(np.sort(reach)), WALK)), min(len(probed), 8))]
    starts = postings.starts[probed]
    holders = postings.columns[runs(starts, postings.starts[probed + 1] - starts)]
    columns, counts = np.unique(holders, return_counts=True)
    return columns.astype(np.int64), counts / max(len(probed), 1)


def _images(query: Query, member: int, values: Ids) -> _Step | None:
    """The images of the values in the other columns of one bridge table."""
    generation = query.view.generation
    alignments, postings = generation.alignments, generation.postings
    table = alignments.table_of(member)
    places = alignments.columns[table.start : table.stop].astype(np.int64)
    cells = alignments.cells[alignments.starts[table.start] : alignments.starts[table.stop]].reshape(len(table), -1)
    at = member - table.start
    own = postings.values_of(int(places[at]))
    found = np.minimum(np.searchsorted(values, own), len(values) - 1)
    known = np.append(np.where(values[found] == own, found, -1), np.full(NONE + 1 - len(own), -1))
    asked = known[cells[at]]
    rows = np.flatnonzero(asked >= 0)
    others = np.delete(np.arange(len(table)), at)
    if not len(rows) or not len(others):
        return None
    asked, cells = asked[rows], cells[others][:, rows].astype(np.int64)
    given = cells != NONE
    beside = postings.own[np.where(given, postings.own_starts[places[others]][:, None] + cells, 0)].astype(np.int64)
    beside[~given] = -1
    pairs = _distinct(np.where(given, asked << 32 | beside, -1))
    apart = _distinct(beside)
    images = np.full((len(others), len(values)), -1, np.int64)
    for image, marks, row in zip(images, given, beside, strict=True):
        image[asked[marks]] = row[marks]
    having = (images >= 0).sum(axis=1)
    itself = (images == values).sum(axis=1)
    kept = (having >= max(HELD * len(values), 2)) & (having >= SINGLE * pairs) & (apart >= APART * having)
    kept &= itself < AGREE * having
    if len(values) < len(query.places):  # of a sample of airports each lies in a region of its own, of all they do not
        kept &= query.view.distinct[places[others]] >= APART * query.view.distinct[places[at]]
    if not kept.any():
        return None
    return _Step(
        np.full(int(kept.sum()), places[at]),
        places[others][kept],
        images[kept],
        (having / np.maximum(pairs, 1))[kept],
        (apart / np.maximum(having, 1))[kept],
    )


def _distinct(rows: Ids) -> Ids:
    """Distinct numbers ≥ 0 in each row."""
    ordered = np.sort(rows, axis=1)
    new = np.diff(ordered, axis=1, prepend=-1) != 0
    return np.asarray((new & (ordered >= 0)).sum(axis=1))


def _arrivals(query: Query, form: Form, total: int, wanted: int) -> tuple[Ids, Floats]:
    """Columns that hold the images of one form, and the share of the query's values that arrive, by a sample.

    The form's own columns hold all that they say, and are told of in any case.
    """
    images = form.images[form.images >= 0]
    places, shares = _holders(query, np.unique(images))
    shares = shares * len(images) / total
    enough = shares >= ARRIVE
    places, shares = places[enough], shares[enough]
    order = np.lexsort((query.view.distinct[places], -shares))[:wanted]
    own = np.array(sorted(set(form.far[:BRIDGES].tolist()).difference(places[order].tolist())), np.int64)
    covered = [_coverage(query, form, place, total) for place in own.tolist()]
    return np.append(places[order], own), np.append(shares[order], covered)


def _coverage(query: Query, form: Form, place: int, total: int) -> float:
    """Share of the query's values whose image a column holds."""
    own = query.view.generation.postings.values_of(place)
    at = np.minimum(np.searchsorted(own, form.images), len(own) - 1)
    return float(((own[at] == form.images) & (form.images >= 0)).sum() / total)
