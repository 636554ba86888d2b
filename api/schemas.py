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
