"""The catalogue's tables.

No FOREIGN KEY constraints: DuckDB refuses to delete a parent and its children in one transaction. No secondary
indexes: a scan is quick, and DuckDB cannot alter a table that has one. Lists (cells, hashes, vectors) are written and
read through Arrow; the ORM serves single rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

SCHEMA_VERSION = 5


class ListOf(UserDefinedType[Any]):
    """A DuckDB list column; an array on PostgreSQL."""

    cache_ok = True

    def __init__(self, element: str) -> None:
        self.element = element

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in DDL."""
        return f"{self.element}[]"


class Hash(UserDefinedType[int]):
    """An unsigned 64-bit whole number."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in DDL."""
        return "UBIGINT"


class Base(DeclarativeBase):
    """Base of the models."""


class Meta(Base):
    """Facts of the catalogue itself, as ``schema_version``."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    value: Mapped[str] = mapped_column(sa.Text)


class LakeRow(Base):
    """A lake: a named root folder."""

    __tablename__ = "lakes"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(sa.Text)
    root: Mapped[str] = mapped_column(sa.Text)


class CrawlRow(Base):
    """One run of a crawl; ``state`` is running, done or interrupted."""

    __tablename__ = "crawls"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    lake_id: Mapped[int] = mapped_column(sa.BigInteger)
    started_at: Mapped[datetime] = mapped_column(sa.TIMESTAMP)
    finished_at: Mapped[datetime | None] = mapped_column(sa.TIMESTAMP)
    state: Mapped[str] = mapped_column(sa.Text)
    report: Mapped[str | None] = mapped_column(sa.Text)


class FileRow(Base):
    """A file, as it was when it was last read; ``reason`` is empty where that went well."""

    __tablename__ = "files"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    lake_id: Mapped[int] = mapped_column(sa.BigInteger)
    path: Mapped[str] = mapped_column(sa.Text)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    mtime_ns: Mapped[int] = mapped_column(sa.BigInteger)
    digest: Mapped[str] = mapped_column(sa.Text)
    config: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str] = mapped_column(sa.Text)
    error: Mapped[str] = mapped_column(sa.Text)
    attempts: Mapped[int] = mapped_column(sa.Integer)


class TableRow(Base):
    """A table; ``name`` is the file's path, with ``#part`` where the file holds several."""

    __tablename__ = "tables"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    lake_id: Mapped[int] = mapped_column(sa.BigInteger)
    file_id: Mapped[int] = mapped_column(sa.BigInteger)
    name: Mapped[str] = mapped_column(sa.Text)
    part: Mapped[str] = mapped_column(sa.Text)
    title: Mapped[str] = mapped_column(sa.Text)
    format: Mapped[str] = mapped_column(sa.Text)
    rows: Mapped[int] = mapped_column(sa.BigInteger)
    warnings: Mapped[Any] = mapped_column(ListOf("VARCHAR"))
    truncated: Mapped[bool] = mapped_column(sa.Boolean)
    reading: Mapped[str] = mapped_column(sa.Text)
    """How the table lies in its file, where that is not the usual way: ``types.Reading`` as JSON."""


class ColumnRow(Base):
    """A column with its profile, kept cells and value hashes."""

    __tablename__ = "columns"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    lake_id: Mapped[int] = mapped_column(sa.BigInteger)
    table_id: Mapped[int] = mapped_column(sa.BigInteger)
    position: Mapped[int] = mapped_column(sa.Integer)
    name: Mapped[str] = mapped_column(sa.Text)
    original_name: Mapped[str] = mapped_column(sa.Text)
    type: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    family: Mapped[str] = mapped_column(sa.Text)
    rows: Mapped[int] = mapped_column(sa.BigInteger)
    nulls: Mapped[int] = mapped_column(sa.BigInteger)
    distinct: Mapped[int] = mapped_column(sa.BigInteger, name="distinct_values")
    texts: Mapped[int] = mapped_column(sa.BigInteger)
    density: Mapped[float] = mapped_column(sa.Double)
    is_key: Mapped[bool] = mapped_column(sa.Boolean)
    excluded: Mapped[str] = mapped_column(sa.Text)
    minimum: Mapped[str | None] = mapped_column(sa.Text)
    maximum: Mapped[str | None] = mapped_column(sa.Text)
    lengths: Mapped[Any] = mapped_column(ListOf("DOUBLE"))
    """(greatest, least, mean) characters, then the same of words."""
    top_values: Mapped[Any] = mapped_column(ListOf("VARCHAR"))
    top_counts: Mapped[Any] = mapped_column(ListOf("BIGINT"))
    histogram_edges: Mapped[Any] = mapped_column(ListOf("DOUBLE"))
    histogram_counts: Mapped[Any] = mapped_column(ListOf("BIGINT"))
    cells: Mapped[Any] = mapped_column(ListOf("VARCHAR"))
    hashes: Mapped[Any] = mapped_column(ListOf("UBIGINT"))
    exact: Mapped[bool] = mapped_column(sa.Boolean)
    null_words: Mapped[Any] = mapped_column(ListOf("VARCHAR"))


class AlignmentRow(Base):
    """Which values of some columns of a table stand in one row, see ``types.Alignment``; ``cells`` end to end."""

    __tablename__ = "alignments"
    table_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    positions: Mapped[Any] = mapped_column(ListOf("INTEGER"))
    cells: Mapped[Any] = mapped_column(ListOf("USMALLINT"))


class VerdictRow(Base):
    """What a person said of a pair of columns. Columns go by name, so that a crawl does not lose it."""

    __tablename__ = "verdicts"
    left_lake: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    left_table: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    left_column: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    right_lake: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    right_table: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    right_column: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    joins: Mapped[bool] = mapped_column(sa.Boolean)
    note: Mapped[str] = mapped_column(sa.Text)
    decided_at: Mapped[datetime] = mapped_column(sa.TIMESTAMP)


class ContentRow(Base):
    """What of a column its vector was made of: the hash under which ``EncodedRow`` keeps the vector."""

    __tablename__ = "contents"
    column_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    content: Mapped[int] = mapped_column(Hash())
    revision: Mapped[str] = mapped_column(sa.Text)


class EncodedRow(Base):
    """A vector by what was encoded, once for all columns that are alike; it stays when a column goes.

    The view ``embeddings`` (``EMBEDDINGS``) joins it to the columns.
    """

    __tablename__ = "encoded"
    content: Mapped[int] = mapped_column(Hash(), primary_key=True)
    """Hash of all that the encoder reads of a column: its text, or its cells and values."""
    revision: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    encoder: Mapped[str] = mapped_column(sa.Text)
    dtype: Mapped[str] = mapped_column(sa.Text)
    vector: Mapped[Any] = mapped_column(ListOf("FLOAT"))


EMBEDDINGS = """
    CREATE OR REPLACE VIEW embeddings AS
    SELECT c.column_id, c.content, e.encoder, c.revision, e.dtype, e.vector
    FROM contents c JOIN encoded e ON e.content = c.content AND e.revision = c.revision"""
"""The vector of each column that has one, of the encoder that the index was last made with."""


class GenerationRow(Base):
    """An index generation that was finished."""

    __tablename__ = "generations"
    number: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(sa.TIMESTAMP)
    encoder: Mapped[str] = mapped_column(sa.Text)
    revision: Mapped[str] = mapped_column(sa.Text)
    columns: Mapped[int] = mapped_column(sa.BigInteger)


class ProbeRow(Base):
    """A measure of a probed property of a model; ``verdict`` is the property's at that level."""

    __tablename__ = "probe_results"
    run: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    model: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    property: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    level: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    measure: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    revision: Mapped[str] = mapped_column(sa.Text)
    dataset: Mapped[str] = mapped_column(sa.Text)
    tables: Mapped[int] = mapped_column(sa.BigInteger)
    value: Mapped[float | None] = mapped_column(sa.Double)
    low: Mapped[float | None] = mapped_column(sa.Double)
    high: Mapped[float | None] = mapped_column(sa.Double)
    floor: Mapped[float | None] = mapped_column(sa.Double)
    ceiling: Mapped[float | None] = mapped_column(sa.Double)
    headline: Mapped[bool] = mapped_column(sa.Boolean)
    verdict: Mapped[str] = mapped_column(sa.Text)
    why: Mapped[str] = mapped_column(sa.Text)
    measured_at: Mapped[datetime] = mapped_column(sa.TIMESTAMP)
