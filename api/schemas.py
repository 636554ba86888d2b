"""What travels over the wire: msgspec structs, named as in the Python API."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(description="opaque id, the same from crawl to crawl", examples=["llhjtmzu6xksl7vh"])]


class Out(msgspec.Struct, kw_only=True):
    """Base of the answers."""


class Page(Out):
    """One page of a list; its kinds add ``items``."""

    next: Annotated[str | None, Meta(description="cursor of the next page, null on the last")]
    total: Annotated[int, Meta(description="how many there are on all pages")]


class LakeOut(Out):
    """A lake: a named root folder."""

    name: str
    root: Annotated[str, Meta(description="its folder; empty to those who may not crawl")]
    tables: int
    columns: int
    failed: Annotated[int, Meta(description="files that could not be read")]
    crawled: Annotated[str | None, Meta(description="when the last crawl ended, UTC, ISO 8601")] = None


class FailedFile(Out):
    """A file that could not be read."""

    lake: str
    path: str
    reason: Annotated[str, Meta(description="stable word, for counting", examples=["encoding"])]
    error: str
    attempts: int


class FailedPage(Page):
    """One page of files that could not be read."""

    items: list[FailedFile]


class TableRef(Out):
    """The names of a table."""

    id: Id
    lake: str
    name: Annotated[str, Meta(description="path below the lake, with #sheet in a workbook")]
    title: str


class ColumnRef(Out):
    """The names of a column."""

    id: Id
    lake: str
    table: Annotated[str, Meta(description="the name of its table")]
    table_id: Id
    name: str
    kind: Annotated[str, Meta(description="text, integer, decimal, boolean, date, identifier, categorical, empty")]


class TableOut(TableRef, kw_only=True):
    """A table in a list."""

    rows: int
    columns: int


class TablePage(Page):
    """One page of tables."""

    items: list[TableOut]


class ColumnOut(ColumnRef, kw_only=True):
    """A column in a list."""

    family: Annotated[str, Meta(description="text, number or date: what its values are compared as")]
    rows: int
    nulls: int
    distinct: int
    key: Annotated[bool, Meta(description="a different value in every row")]
    excluded: Annotated[str, Meta(description="why it takes no part in joins, or nothing")]


class ColumnPage(Page):
    """One page of columns."""

    items: list[ColumnOut]


class TableDetail(TableOut, kw_only=True):
    """A table with its columns."""

    format: str
    truncated: bool
    warnings: list[str]
    fields: Annotated[list[ColumnOut], Meta(description="its columns, in their order")]


class TopValue(Out):
    """A frequent value."""

    value: str
    count: int


class Histogram(Out):
    """Counts of a number or date column between edges; dates are seconds since 1970."""

    edges: list[float]
    counts: list[int]


class Profile(ColumnOut, kw_only=True):
    """All that is known of a column."""

    type: Annotated[str, Meta(description="its type in the file")]
    original_name: str
    position: int
    exact: Annotated[bool, Meta(description="its value set is whole, not a sketch")]
    minimum: str | None
    maximum: str | None
    max_length: float
    min_length: float
    mean_length: float
    top_values: list[TopValue]
    histogram: Histogram | None
    examples: Annotated[list[str], Meta(description="some distinct cells as written")]


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


class TableHit(TableOut, kw_only=True):
    """A table that answers to words."""

    names: Annotated[list[str], Meta(description="the names of its columns")]
    score: float
    matched: Annotated[list[str], Meta(description="words of the query in its title or column names")]


class Found(Out):
    """The tables that answer to words, best first."""

    query: str
    hits: list[TableHit]
    generation: str


class Suggestion(Out):
    """A name that begins like, or holds, what was typed."""

    text: str
    kind: Annotated[str, Meta(description="table or column", examples=["table"])]
    id: Annotated[str, Meta(description="of the table or column; of one of them where several have the name")]
    lake: str
    table: str
    count: Annotated[int, Meta(description="how many columns have the name; 1 for a table")] = 1


class Suggestions(Out):
    """Names for the search box."""

    items: list[Suggestion]


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


class Map(Out):
    """Columns in the plane, near where their vectors are near. Arrays of one length, one entry a column."""

    ids: list[str]
    names: list[str]
    tables: list[str]
    lakes: list[str]
    kinds: list[str]
    x: list[float]
    y: list[float]
    total: Annotated[int, Meta(description="columns with a vector; those shown are a fixed sample")]
    generation: str


class RowColumn(Out):
    """A column of rows."""

    name: str
    type: str


class Rows(Out):
    """Rows of a table or of a join."""

    columns: list[RowColumn]
    rows: list[list[Any]]
    more: Annotated[bool, Meta(description="there are more rows than these")]
    sql: Annotated[str, Meta(description="SQL that gives them all, for DuckDB")] = ""


class UnionHit(TableOut, kw_only=True):
    """A table whose columns align with those of another."""

    score: Annotated[float, Meta(description="mean similarity of the aligned columns over the larger table's columns")]
    pairs: list[tuple[ColumnRef, ColumnRef, float]]


class Unions(Out):
    """Tables that could stand below one another."""

    table: TableRef
    hits: list[UnionHit]
    generation: str


class SimilarRow(Out):
    """A row that is like another."""

    table: TableRef
    row: Annotated[int, Meta(description="its number in the table, from 0")]
    similarity: Annotated[float, Meta(description="cosine of the rows' vectors")]
    values: Annotated[dict[str, Any], Meta(description="its cells by column")]


class SimilarRows(Out):
    """Rows that are like a row, the likest first."""

    table: TableRef
    row: int
    hits: list[SimilarRow]
    generation: str


class ProbeRun(Out):
    """A probe run at a glance."""

    id: str
    started: Annotated[str, Meta(description="UTC, ISO 8601")]
    preset: str
    dataset: str
    models: list[str]
    verdicts: Annotated[dict[str, int], Meta(description="results by verdict")]


class ProbePage(Page):
    """One page of probe runs."""

    items: list[ProbeRun]


class Health(Out):
    """Whether the service does."""

    status: Annotated[str, Meta(description="ok, or what is not", examples=["ok"])]


class Status(Out):
    """The service at a glance."""

    version: str
    generation: Annotated[str, Meta(description="empty where nothing was crawled")]
    lakes: int
    tables: int
    columns: int
    vectors: int
    encoder: str
    uptime: Annotated[float, Meta(description="seconds")]
    jobs: Annotated[int, Meta(description="crawls that run or wait, of those that one may see")]
    keys: Annotated[bool, Meta(description="whether a key is needed")]
    scopes: Annotated[list[str], Meta(description="what the key given may do")]
    limits: dict[str, float]


class EncoderOut(Out):
    """A column encoder."""

    name: str
    current: Annotated[bool, Meta(description="it made the vectors of the index")]
    revision: str = ""
    dimension: int = 0
    template: str = ""


class GenerationOut(Out):
    """An index generation on disk."""

    number: int
    current: bool
    created: str | None
    encoder: str
    revision: str
    columns: int
