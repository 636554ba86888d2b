"""A generation as discovery looks at it: arrays over all columns, and columns found by their names."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from tablelens.discover import sql
from tablelens.errors import UnknownColumn, UnknownTable, UsageError
from tablelens.index.generation import Generation
from tablelens.types import ColumnRef, Ids

Mask = npt.NDArray[np.bool_]
FAMILIES = ("", "text", "number", "date")


@dataclass(frozen=True)
class LakeView:
    """What a query needs of all columns at once. ``place`` is a column's row in the generation."""

    generation: Generation

    def _array(self, name: str) -> npt.NDArray[Any]:
        return self.generation.columns[name].to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    @cached_property
    def table_ids(self) -> Ids:
        """Table id by place."""
        return np.asarray(self._array("table_id"), np.int64)

    @cached_property
    def distinct(self) -> Ids:
        """Distinct values by place."""
        return np.asarray(self._array("distinct"), np.int64)

    @cached_property
    def filled(self) -> Ids:
        """Rows that hold a value, by place."""
        return np.asarray(self._array("rows") - self._array("nulls"), np.int64)

    @cached_property
    def rows(self) -> Ids:
        """Rows by place."""
        return np.asarray(self._array("rows"), np.int64)

    @cached_property
    def family(self) -> npt.NDArray[np.int8]:
        """Place in ``FAMILIES``, by place."""
        names = self._array("family")
        return np.select([names == name for name in FAMILIES], range(len(FAMILIES)), 0).astype(np.int8)

    @cached_property
    def strength(self) -> Ids:
        """Distinct values of the column's own family, by place."""
        return np.where(self.family == FAMILIES.index("text"), self._array("texts"), self.distinct)

    @cached_property
    def usable(self) -> Mask:
        """Columns that may take part in joins."""
        return np.asarray(self._array("excluded") == "")

    @cached_property
    def key(self) -> Mask:
        """Columns with a different value in every row."""
        return np.asarray(self._array("key"), bool)

    @cached_property
    def exact(self) -> Mask:
        """Columns whose value sets are whole."""
        return np.asarray(self._array("exact"), bool)

    @cached_property
    def embedded(self) -> Mask:
        """Columns that have a vector."""
        mask = np.zeros(len(self), bool)
        mask[self.generation.places(self.generation.vectors.labels())] = True
        return mask

    def source(self, place: int) -> str:
        """What a FROM clause reads a column's table from."""
        path, _, part = self.value("table", place).partition("#")
        return sql.source(f"{self.generation.roots[self.value('lake', place)]}/{path}", part)

    @cached_property
    def _tables(self) -> dict[str, Ids]:
        """Places of each table's columns, by every name that the table answers to; ambiguous ones hold several."""
        found: dict[str, list[int]] = defaultdict(list)
        lakes, tables = self.generation.columns["lake"].to_pylist(), self.generation.columns["table"].to_pylist()
        for place, (lake, table) in enumerate(zip(lakes, tables, strict=True)):
            for name in {table, bare_name(table)}:
                found[name].append(place)
                found[f"{lake}:{name}"].append(place)
        return {name: np.array(places) for name, places in found.items()}

    @cached_property
    def _names(self) -> Sequence[str]:
        return self.generation.columns["column"].to_pylist()  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return int(self.generation.columns.num_rows)

    def value(self, name: str, place: int) -> Any:
        """One field of one column."""
        return self.generation.columns[name][place].as_py()

    def ref(self, place: int) -> ColumnRef:
        """The names of a column."""
        fields = (self.value(name, place) for name in ("id", "lake", "table", "column", "kind"))
        return ColumnRef(*fields)

    def table_places(self, table: str) -> Ids:
        """Places of a table's columns.

        Raises:
            UnknownTable: no table of that name.
            UsageError: several tables have it.
        """
        places = self._tables.get(table)
        if places is None:
            raise UnknownTable.among("table", table, self._tables, "`tablelens status --tables` lists the tables")
        whole = [
            self.value("table", int(place)) for place in places[np.unique(self.table_ids[places], return_index=True)[1]]
        ]
        if len(whole) > 1 and whole.count(table) != 1:
            exact = [f"{self.value('lake', int(places[0]))}:{name}" for name in whole]
            raise UsageError(f"{table!r} is the name of {len(whole)} tables", f"say which: {', '.join(exact[:5])}")
        if len(whole) > 1:
            places = places[[self.value("table", int(place)) == table for place in places]]
        return places

    def column(self, table: str, column: str) -> int:
        """The place of a column named by table and column.

        Raises:
            UnknownTable, UnknownColumn, UsageError: as they say.
        """
        places = self.table_places(table)
        names: dict[str, int] = {self._names[place]: int(place) for place in places.tolist()}
        if column not in names:
            folded = {name.casefold(): place for name, place in names.items()}
            if column.casefold() not in folded:
                raise UnknownColumn.among("column", column, names, f"columns of {table}: {', '.join(list(names)[:20])}")
            return int(folded[column.casefold()])
        return names[column]

    def parse(self, reference: str) -> int:
        """The place of ``TABLE.COLUMN``, where both may hold dots: the longest table name that fits wins."""
        dots = [i for i, letter in enumerate(reference) if letter == "."]
        known = [i for i in reversed(dots) if reference[:i] in self._tables]
        for i in known:
            try:
                return self.column(reference[:i], reference[i + 1 :])
            except UnknownColumn as error:
                miss = error
        if known:
            raise miss
        if reference in self._tables:
            raise UsageError(
                f"{reference!r} is a table; a column is wanted", f"for example {reference}.{self._some(reference)}"
            )
        table, _, column = reference.rpartition(".")
        if not table:
            raise UsageError(f"{reference!r} names no column", "write TABLE.COLUMN, for example orders.customer_id")
        return self.column(table, column)

    def matching(self, lake: str | None, tables: str | None, kind: str | None) -> Mask | None:
        """Columns of a lake, of tables that match a glob, of a kind; None where nothing is asked."""
        masks = []
        if lake is not None:
            masks.append(self._array("lake") == lake)
        if kind is not None:
            masks.append(self._array("kind") == kind)
        if tables is not None:
            names = self.generation.columns["table"]
            fits = [name for name in pc.unique(names).to_pylist() if fnmatch.fnmatchcase(name, tables)]
            masks.append(np.isin(self._array("table"), fits))
        return np.logical_and.reduce(masks) if masks else None

    def _some(self, table: str) -> str:
        return str(self._names[int(self._tables[table][0])])


def bare_name(table: str) -> str:
    """A table's name without the suffixes of its file.

    >>> bare_name("world/cities.csv.gz"), bare_name("book.xlsx#Sheet 1")
    ('world/cities', 'book#Sheet 1')
    """
    path, mark, part = table.partition("#")
    pure = PurePosixPath(path)
    for suffix in reversed(pure.suffixes):
        if suffix.lower() in SUFFIXES:
            path = path[: -len(suffix)]
        else:
            break
    return f"{path}{mark}{part}"


_TEXT = (".csv", ".tsv", ".tab", ".psv", ".json", ".ndjson", ".jsonl")
_BINARY = (".parquet", ".pq", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
SUFFIXES = frozenset((*_TEXT, *_BINARY, ".gz", ".zst", ".bz2"))
