"""From what the library answers to what goes over the wire."""

from __future__ import annotations

from typing import Any

from tablelens import types
from tablelens.discover.evidence import Query
from tablelens.discover.paths import JoinPath
from tablelens.discover.paths import Step as LakeStep

from . import join_schemas as out
from .schemas import ColumnOut, ColumnRef, TableOut, TableRef
from .snapshot import Snapshot


def table_ref(snapshot: Snapshot, number: int) -> TableRef:
    """The names of a table."""
    lake, name, title = snapshot.table_name(number)
    return TableRef(id=snapshot.tables[number], lake=lake, name=name, title=title)


def table(snapshot: Snapshot, number: int) -> TableOut:
    """A table in a list."""
    return TableOut(**table_fields(snapshot, number))


def table_fields(snapshot: Snapshot, number: int) -> dict[str, Any]:
    """The fields of ``TableOut``."""
    lake, name, title = snapshot.table_name(number)
    places = snapshot.places_of(number)
    rows = int(snapshot.view.rows[places[0]])
    return {
        "id": snapshot.tables[number], "lake": lake, "name": name, "title": title, "rows": rows, "columns": len(places),
    }  # fmt: skip


def column_ref(snapshot: Snapshot, place: int) -> ColumnRef:
    """The names of a column."""
    return ColumnRef(**column_names(snapshot, place))


def column_names(snapshot: Snapshot, place: int) -> dict[str, Any]:
    """The fields of ``ColumnRef``."""
    number = snapshot.number_of(place)
    lake, name, _ = snapshot.table_name(number)
    return {
        "id": snapshot.columns[place], "lake": lake, "table": name, "table_id": snapshot.tables[number],
        "name": snapshot.view.names[place], "kind": snapshot.view.value("kind", place),
    }  # fmt: skip


def column_fields(snapshot: Snapshot, place: int) -> dict[str, Any]:
    """The fields of ``ColumnOut``."""
    view = snapshot.view
    return column_names(snapshot, place) | {
        "family": view.value("family", place), "rows": int(view.rows[place]), "nulls": view.value("nulls", place),
        "distinct": int(view.distinct[place]), "key": bool(view.key[place]), "excluded": view.value("excluded", place),
    }  # fmt: skip


def column(snapshot: Snapshot, place: int) -> ColumnOut:
    """A column in a list."""
    return ColumnOut(**column_fields(snapshot, place))


def bridge(snapshot: Snapshot, found: types.Bridge) -> out.Bridge:
    """A way over other tables."""
    ref = {column.id: column_ref(snapshot, snapshot.place_of_ref(column.id)) for step in found.steps for column in step}
    return out.Bridge(
        steps=[(ref[near.id], ref[far.id]) for near, far in found.steps],
        coverage=found.coverage,
        witnesses=found.witnesses,
        examples=list(found.examples),
    )


def evidence(snapshot: Snapshot, e: types.Evidence) -> out.Evidence:
    """The proof of a join."""
    return out.Evidence(
        overlap=e.overlap, containment=e.containment, reverse_containment=e.reverse_containment, jaccard=e.jaccard,
        cardinality=e.cardinality, join_rows=e.join_rows, explosion=e.explosion, matched=list(e.matched),
        unmatched=list(e.unmatched), error=e.error, cosine=e.cosine, spread=e.spread,
        bridge=None if e.bridge is None else bridge(snapshot, e.bridge),
        matching=None if e.matching is None else matching(e.matching),
    )  # fmt: skip


def matching(found: types.CellMatching) -> out.CellMatching:
    """What the cells say one by one."""
    pairs = [out.CellPair(left=p.left, right=p.right, how=p.how, score=p.score) for p in found.examples]
    plain = ("containment", "reverse_containment", "equal", "transformed", "similar", "transformation", "turned")
    told = {name: getattr(found, name) for name in (*plain, "joined_by", "whole")}
    return out.CellMatching(**told, examples=pairs, unmatched=list(found.unmatched))


def hit(snapshot: Snapshot, found: types.Hit) -> out.Hit:
    """A column that joins."""
    return out.Hit(
        column=column_ref(snapshot, snapshot.place_of_ref(found.column.id)),
        probability=found.probability,
        score=found.score,
        evidence=evidence(snapshot, found.evidence),
        hub=found.hub,
        notes=list(found.notes),
        sql=found.sql,
        verdict=found.verdict,
        key=None if found.key is None else composite_hit(snapshot, found.key),
    )


def composite_hit(snapshot: Snapshot, found: types.CompositeHit) -> out.CompositeHit:
    """Columns that match a composite key."""
    return out.CompositeHit(
        columns=[column_ref(snapshot, snapshot.place_of_ref(column.id)) for column in found.columns],
        evidence=evidence(snapshot, found.evidence),
        notes=list(found.notes),
        sql=found.sql,
    )


def asked(snapshot: Snapshot, query: Query) -> out.Asked:
    """The column that was asked for."""
    if query.place < 0:
        return out.Asked(table=query.table, column=query.name)
    number = snapshot.number_of(query.place)
    ids = {"table_id": snapshot.tables[number], "column_id": snapshot.columns[query.place]}
    return out.Asked(table=query.table, column=query.name, **ids)


def answer(snapshot: Snapshot, query: Query, found: types.Answer) -> out.Answer:
    """The hits of one query."""
    return out.Answer(
        query=asked(snapshot, query),
        mode=found.mode,
        hits=[hit(snapshot, each) for each in found.hits],
        notes=list(found.notes),
        generation=snapshot.tag,
        seconds=round(found.seconds, 6),
    )


def path(snapshot: Snapshot, found: JoinPath) -> out.Path:
    """A chain of joins."""
    return out.Path(steps=[_step(snapshot, step) for step in found.steps], probability=found.probability, sql=found.sql)


def _step(snapshot: Snapshot, step: LakeStep) -> out.Step:
    return out.Step(
        left=column_ref(snapshot, snapshot.place_of_ref(step.left.id)),
        right=column_ref(snapshot, snapshot.place_of_ref(step.right.id)),
        probability=step.probability,
        evidence=evidence(snapshot, step.evidence),
    )
