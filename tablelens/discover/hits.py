"""A candidate as people and programs get it: evidence, notes, and the join as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tablelens.discover import sql
from tablelens.discover.bridges import Form
from tablelens.discover.candidates import Candidates
from tablelens.discover.condition import Condition, Side, column_side, condition, condition_of, query_side
from tablelens.discover.evidence import Query, evidence_of, held_cells
from tablelens.discover.source import Source
from tablelens.discover.view import Mask
from tablelens.profile.normalize import hash_cells
from tablelens.types import Bridge, ColumnRef, Evidence, Hit, Kind

HUB = 0.01
"""Share of the lake's columns above which a column's values are said to be everywhere."""
HUB_COLUMNS = 100
"""Columns that this must be at least: in a small lake a share says little."""
EXPLOSION = 10
BRIDGES = 3
"""Bridge tables that the SQL of one join unites."""
GAIN = 0.05
"""Share of the query's values that a further bridge has to add."""
EXAMPLES = 3


def make_hit(
    query: Query, found: Candidates, i: int, score: float, probability: float, hub: float, verdict: bool | None,
    spread: float,
) -> Hit:  # fmt: skip
    """The i-th candidate as a hit; ``spread`` is the likeness of the distributions, NaN where there is none."""
    view, place = query.view, int(found.places[i])
    cosine = None if np.isnan(found.cosine[i]) else float(found.cosine[i])
    held = held_cells(query, place)
    bridge = None
    if found.form[i] >= 0 and found.coverage[i] > found.counted.containment[i]:
        bridge = bridge_to(query, found.forms[found.form[i]], place, float(found.coverage[i]))
    evidence = replace(
        evidence_of(query, found.counted, i, held, cosine, bridge),
        matching=found.cells.get(place),
        spread=None if np.isnan(spread) else round(spread, 6),
    )
    made, said = join_sql(query, place, held, bridge)
    return Hit(
        column=view.ref(place),
        score=round(score, 6),
        probability=round(probability, 4),
        evidence=evidence,
        sql=made,
        notes=(*_notes(query, evidence, hub, verdict), *said),
        hub=round(hub, 6),
        verdict=verdict,
    )


def _notes(query: Query, evidence: Evidence, hub: float, verdict: bool | None) -> tuple[str, ...]:
    notes = []
    if verdict is not None:
        notes.append(f"a person said that these columns {'join' if verdict else 'do not join'}")
    if evidence.bridge is not None:
        notes.append(_told(query, evidence.bridge))
    if hub > HUB and hub * len(query.view) > HUB_COLUMNS:
        notes.append(f"common values: the typical one is in {hub:.1%} of all columns")
    if evidence.explosion > EXPLOSION:
        notes.append(f"row explosion: {evidence.explosion:,.0f} rows for each row of the query")
    return tuple(notes)


def _told(query: Query, bridge: Bridge) -> str:
    near, far = bridge.steps[0]
    if near.column == query.name and near.table == query.table:
        return f"by this table's own column {far.column}, which names {bridge.coverage:.0%} of the values"
    more = f" and {len(bridge.steps) - 1} more" if len(bridge.steps) > 1 else ""
    return f"over {near.table}{more}: {near.column} → {far.column}, {bridge.coverage:.0%} of the values arrive"


def bridge_to(query: Query, form: Form, place: int, coverage: float) -> Bridge:
    """The bridges of a form that are needed to reach a candidate, the one that brings most values first."""
    view, postings = query.view, query.view.generation.postings
    own = postings.values_of(place)
    home = view.table_ids[place]
    arrives = [np.isin(images, own) & (images >= 0) for images in form.each]
    # a bridge that is the query's or the candidate's own table saves a join
    near = np.isin(view.table_ids[form.near[: len(arrives)]], (query.table_id, home))
    chosen: list[int] = []
    reached = np.zeros(len(form.images), bool)
    while len(chosen) < BRIDGES:
        gains = [float((marks & ~reached).mean()) + 0.01 * bonus for marks, bonus in zip(arrives, near, strict=True)]
        best = int(np.argmax(gains))
        if chosen and gains[best] < GAIN:
            break
        chosen.append(best)
        reached |= arrives[best]
    steps = tuple((view.ref(int(form.near[i])), view.ref(int(form.far[i]))) for i in chosen)
    return Bridge(steps, round(coverage, 6), round(form.witnesses, 2), _examples(query, form, chosen[0], own))


def _examples(query: Query, form: Form, bridge: int, own: npt.NDArray[np.integer]) -> tuple[tuple[str, str], ...]:
    """(cell of the query, cell that stands for it) of some values that arrive."""
    view = query.view
    cells = view.value("cells", int(form.far[bridge]))
    written = dict(zip(view.generation.postings.find(hash_cells(cells)).tolist(), cells, strict=True))
    images = form.each[bridge]
    asked = {int(value): i for i, value in enumerate(query.cell_places.tolist()) if value >= 0}
    arrived = np.flatnonzero(np.isin(images, own))
    pairs = [
        (query.cells[asked[int(form.values[i])]], written[int(images[i])])
        for i in arrived.tolist()
        if int(form.values[i]) in asked and int(images[i]) in written
    ]
    return tuple(pairs[:EXAMPLES])


def join_sql(query: Query, place: int, held: Mask, bridge: Bridge | None) -> tuple[str, tuple[str, ...]]:
    """The join, ready to run, by equality or over a bridge; and what there is to say of it."""
    if bridge is not None:
        return _bridge_sql(query, place, bridge)
    theirs, on = query.view.source(place), condition_of(query, place, held)
    notes = (*on.notes, *dict.fromkeys([*query.source.notes, *theirs.notes]))
    return sql.join(query.source.sql, theirs.sql, on.sql), notes


def _bridge_sql(query: Query, place: int, bridge: Bridge) -> tuple[str, tuple[str, ...]]:
    """Two equi-joins; one where the bridge is the query's own table or the candidate's."""
    view, steps = query.view, bridge.steps
    near, far = ([_place(query, step[i]) for step in steps] for i in (0, 1))
    mine, theirs = query.source, view.source(place)
    asked = query_side(query, "a")
    alone = len(steps) == 1
    if alone and view.table_ids[near[0]] == query.table_id:
        on = _equal(column_side(view, far[0], "a"), column_side(view, place, "b"), view.value("kind", far[0]))
        return sql.join(mine.sql, theirs.sql, on.sql), _notes_of(on, mine, theirs)
    if alone and far[0] == place:
        on = _equal(asked, column_side(view, near[0], "b"), view.value("kind", near[0]))
        return sql.join(mine.sql, theirs.sql, on.sql), _notes_of(on, mine, theirs)
    sources = [view.source(bridge_place) for bridge_place in near]
    names = [(view.value("column", a), view.value("column", b)) for a, b in zip(near, far, strict=True)]
    parts = [
        f"SELECT {source.column('t', a)}::VARCHAR AS near, {source.column('t', b)}::VARCHAR AS far\n"
        f"  FROM {source.sql} AS t"
        for source, (a, b) in zip(sources, names, strict=True)
    ]
    beside = parts[0].replace("SELECT", "SELECT DISTINCT", 1) if alone else "\n  UNION\n  ".join(parts)
    one = _equal(asked, _side_within(query, "c.near", near), view.value("kind", near[0]))
    two = _equal(_side_within(query, "c.far", far), column_side(view, place, "b"), view.value("kind", far[0]))
    made = (
        f"SELECT a.*, b.*\nFROM {mine.sql} AS a\nJOIN (\n  {beside}\n) AS c\n  ON {one.sql}\n"
        f"JOIN {theirs.sql} AS b\n  ON {two.sql}"
    )
    return made, (*one.notes, *_notes_of(two, mine, *sources, theirs))


def _notes_of(on: Condition, *sources: Source) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*on.notes, *(note for source in sources for note in source.notes)]))


def _side_within(query: Query, expression: str, places: Sequence[int]) -> Side:
    """A column of the bridges' union as a side of an equality."""
    cells = [cell for place in places for cell in query.view.value("cells", place)]
    words = sorted({word for place in places for word in query.view.value("null_words", place)})
    return Side(expression, True, cells, words)


def _place(query: Query, column: ColumnRef) -> int:
    return int(query.view.generation.places(np.array([column.id]))[0])


def _equal(left: Side, right: Side, kind: Kind) -> Condition:
    return condition(left, right, "integer" if kind == "integer" else "text")
