"""A catalogue snapshot speaks SQL: views and macros that any DuckDB client runs once it has attached the file.

    ATTACH '.tablelens/catalog-7.duckdb' AS tablelens (READ_ONLY);
    FROM tablelens.joins('orders.customer_id', k := 10);

The tables of the crawl whose names the views take are renamed (``lakes`` → ``lake_rows``). The scripts hold the rest,
and a few small tables hold what the macros cannot tell from the catalogue: the names that a table answers to, the words
of names, the weights of the probability, BM25 scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tablelens.errors import CatalogError

SPEECH = 3
"""What the macros of a snapshot look for and what they were given: one of another number is to be written anew."""
RENAMED = {"lakes": "lake_rows", "tables": "table_rows", "columns": "column_rows"}
SCRIPTS = ("views.sql", "hash.sql", "cells.sql", "macros.sql", "pair.sql", "tables.sql")
TABLE_NAMES = pa.schema([("name", pa.string()), ("table_id", pa.int64()), ("whole", pa.bool_())])
NAME_WORDS = pa.schema([("name", pa.string()), ("words", pa.list_(pa.string()))])
SOURCES = pa.schema([("table_id", pa.int64()), ("source", pa.string()), ("is_text", pa.bool_())])
RENAMED_COLUMNS = pa.schema([("id", pa.int64()), ("name", pa.string())])
LETTERS = pa.schema([("letter", pa.string()), ("folded", pa.string())])
SKETCHES = "CREATE TABLE sketches AS SELECT id, hashes[-1] AS reach FROM column_rows WHERE NOT exact"


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the macros need beside the catalogue."""

    table_names: pa.Table
    """name, table_id, whole: each name that a table answers to, and whether it is the whole one."""
    name_words: pa.Table
    """name, words: the words of each name of a column."""
    word_scores: pa.Table
    """word, tables, scores: BM25 score of each table that holds a word."""
    sources: pa.Table
    """table_id, source, is_text: what a FROM clause reads each table with."""
    renamed: pa.Table
    """id, name: columns that DuckDB calls otherwise than the lake does."""
    letters: pa.Table
    """letter, folded: letters that count as others than ``lower`` makes of them."""
    made: Mapping[str, Any]
    """One row: SPEECH, the revision of its vectors, and the settings and weights of a query."""
    answering: str
    """The same for the index: ``generation:seal:candidates least-distinct threshold weights…``. A macro gives it as a
    literal: a table would have to be planned."""


def speak(path: Path, spoken: Spoken) -> None:
    """Put views and macros into a snapshot.

    Raises:
        CatalogError: the file cannot be written.
    """
    try:
        with duckdb.connect(config={"python_enable_replacements": False}) as connection:
            connection.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS tablelens")
            connection.execute("USE tablelens")
            for name, renamed in RENAMED.items():
                connection.execute(f"ALTER TABLE {name} RENAME TO {renamed}")
            connection.execute(SKETCHES)
            made = pa.Table.from_pylist([dict(spoken.made)])
            for name, table in (("table_names", spoken.table_names), ("name_words", spoken.name_words),
                                ("word_scores", spoken.word_scores), ("sources", spoken.sources),
                                ("renamed", spoken.renamed), ("letters", spoken.letters), ("made", made)):  # fmt: skip
                connection.register("fresh", table)
                connection.execute(f"CREATE TABLE {name} AS FROM fresh")
                connection.unregister("fresh")
            connection.execute(f"CREATE MACRO tablelens.main.answering() AS '{spoken.answering}'")
            connection.execute("USE memory")
            for statement in statements():
                connection.execute(statement)
            connection.execute("DETACH tablelens")
    except duckdb.Error as error:
        raise CatalogError(
            f"cannot write the snapshot {path}: {error}", "make room on the disk and crawl again"
        ) from error


def speaks(path: Path) -> bool:
    """Whether a snapshot is there and speaks as this tablelens does."""
    if not path.is_file():
        return False
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        try:
            connection.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS tablelens (READ_ONLY)")
        except duckdb.Error:
            return False
        return speaks_in(connection)


def speaks_in(connection: duckdb.DuckDBPyConnection) -> bool:
    """The same of one that is attached as ``tablelens``."""
    try:
        return connection.execute("SELECT speech FROM tablelens.made").fetchall() == [(SPEECH,)]
    except duckdb.Error:
        return False


def statements() -> list[str]:
    """The statements that make views and macros, in their order."""
    text = "".join((files(__package__) / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return [part.strip() for part in text.split(";\n") if part.strip()]
