"""Joins as they travel over the wire: hits with their evidence, what people said of them, paths and the graph."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .schemas import ColumnRef, Out, Page, TableOut, TableRef


class Bridge(Out):
    """A way over tables that hold both forms of the same things, a code and a name, say."""

    steps: Annotated[
        list[tuple[ColumnRef, ColumnRef]],
        Meta(description="in each table the column that holds the query's values, and the one that holds the hit's"),
    ]
    coverage: Annotated[float, Meta(description="share of the query's distinct values that arrive at the hit")]
    witnesses: Annotated[float, Meta(description="mean number of tables that give a value the same counterpart")]
    examples: Annotated[list[tuple[str, str]], Meta(description="a cell of the query, and the one that stands for it")]


class CellPair(Out):
    """A cell of the query and the one of the hit that stands for it."""

    left: str
    right: str
    how: Annotated[str, Meta(description="transformed or similar")]
    score: Annotated[float, Meta(description="probability that both mean the same")]


class CellMatching(Out):
    """Which cells stand for which: equal ones, transformed ones, ones written alike."""

    containment: Annotated[float, Meta(description="semantic containment: share of the query's values with a match")]
    reverse_containment: float
    equal: int
    transformed: int
    similar: int
    examples: Annotated[list[CellPair], Meta(description="some matches of cells that are not equal")]
    unmatched: list[str]
    transformation: Annotated[str, Meta(description="what turns the cells of one column into the other's, or empty")]
    turned: Annotated[str, Meta(description="the side whose cells the transformation is of: left or right")]
    joined_by: Annotated[str, Meta(description="what the SQL joins by: equality, transformation or mapping")]
    whole: Annotated[bool, Meta(description="all cells were read, not only those that the catalogue keeps")]


class Evidence(Out):
    """The proof: what both columns really share."""

    overlap: Annotated[int, Meta(description="distinct values in both")]
    containment: Annotated[float, Meta(description="share of the query's values that the hit holds")]
    reverse_containment: float
    jaccard: float
    cardinality: Annotated[str, Meta(examples=["n:1"])]
    join_rows: Annotated[int, Meta(description="rows of the inner join, estimated")]
    explosion: Annotated[float, Meta(description="join_rows over the rows of the query's table")]
    matched: Annotated[list[str], Meta(description="cells that match")]
    unmatched: Annotated[list[str], Meta(description="cells that do not")]
    error: Annotated[float, Meta(description="standard error of the containment, 0 where it is exact")]
    cosine: float | None = None
    spread: Annotated[float | None, Meta(description="likeness of distributions, of numbers or dates")] = None
    bridge: Bridge | None = None
    matching: CellMatching | None = None


class CompositeHit(Out):
    """Columns of one table that match the columns of a composite key together, tuple by tuple."""

    columns: Annotated[list[ColumnRef], Meta(description="in the order of the key")]
    evidence: Annotated[Evidence, Meta(description="counted on the distinct tuples of both files")]
    notes: list[str]
    sql: Annotated[str, Meta(description="the join, for DuckDB")]


class CompositeAnswer(Out):
    """The hits of a composite key, best first, one a table. No hits is an answer: none found."""

    table: TableRef
    columns: Annotated[list[ColumnRef], Meta(description="the key")]
    hits: list[CompositeHit]
    notes: list[str]
    generation: Annotated[str, Meta(description="state of the index that answered")]
    seconds: float


class Hit(Out):
    """A column that joins, how well, and why."""

    column: ColumnRef
    probability: float
    score: float
    evidence: Evidence
    hub: Annotated[float, Meta(description="share of all columns that hold the query's typical value")]
    notes: list[str]
    sql: Annotated[str, Meta(description="the join, for DuckDB")]
    verdict: Annotated[bool | None, Meta(description="what a person said of the join, where one did")] = None
    key: Annotated[
        CompositeHit | None,
        Meta(description="of explainJoin: a second pair of columns with which rows multiply less"),
    ] = None


class Asked(Out):
    """The column that was asked for; ids are empty for one from outside."""

    table: str
    column: str
    table_id: str = ""
    column_id: str = ""


class Answer(Out):
    """The hits of one query, best first. No hits is an answer: none found."""

    query: Asked
    mode: str
    hits: list[Hit]
    notes: list[str]
    generation: Annotated[str, Meta(description="state of the index that answered")]
    seconds: float


class VerdictOut(Out):
    """What a person said of two columns."""

    left: ColumnRef
    right: ColumnRef
    joins: bool
    note: str
    decided: Annotated[str, Meta(description="when, UTC, ISO 8601")]


class VerdictPage(Page):
    """One page of verdicts."""

    items: list[VerdictOut]


class FileColumn(Out):
    """A column of an uploaded file."""

    sheet: Annotated[str, Meta(description="sheet of a workbook, else empty")]
    name: str
    kind: str
    rows: int
    nulls: int
    distinct: int
    excluded: Annotated[str, Meta(description="why it joins with nothing, or nothing")]
    examples: list[str]


class Step(Out):
    """One join of a path."""

    left: ColumnRef
    right: ColumnRef
    probability: float
    evidence: Evidence


class Path(Out):
    """A chain of joins; ``probability`` is the product of its steps'."""

    steps: list[Step]
    probability: float
    sql: str


class Paths(Out):
    """Paths between two tables, the surest first."""

    left: TableRef
    right: TableRef
    paths: list[Path]
    generation: str


class Edge(Out):
    """A join between two tables of the graph."""

    left: ColumnRef
    right: ColumnRef
    probability: float
    containment: float
    cardinality: str


class Graph(Out):
    """Tables and the surest join between each two of them."""

    nodes: list[TableOut]
    edges: list[Edge]
    looked_up: Annotated[int, Meta(description="tables whose joins are known so far")]
    complete: Annotated[bool, Meta(description="false: ask again, the rest is being looked up as asked")]
    generation: str
