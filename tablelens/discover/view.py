"""A generation as discovery looks at it: arrays over all columns, and columns found by their names."""

from __future__ import annotations

import fnmatch
import os
from collections import defaultdict
from collections.abc import KeysView, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.discover.source import Source, TableFile, source_of
from tablelens.errors import UnknownColumn, UnknownLake, UnknownTable, UsageError
from tablelens.index.facts import FAMILIES
from tablelens.index.generation import Generation
from tablelens.index.names import names_of_table
from tablelens.profile.columns import BINS
from tablelens.profile.names import says_identifier
from tablelens.types import ColumnRef, Family, Ids, Kind, Reading

Mask = npt.NDArray[np.bool_]
SAMPLE = 4000
SPREAD = 2 + BINS
"""Numbers that tell a distribution: least and greatest value, and the counts of a histogram."""
FILTERS = 32
"""Filters whose masks are kept."""


@dataclass(frozen=True)
class LakeView:
    """What a query needs of all columns at once. ``place`` is a column's row in the generation."""

    generation: Generation

    def _array(self, name: str) -> npt.NDArray[Any]:
        return self.generation.columns[name].to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    def _equal(self, name: str, value: str) -> Mask:
        return np.asarray(pc.equal(self.generation.columns[name], value))

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
        return np.asarray(pc.index_in(self.generation.columns["family"], pa.array(FAMILIES)), np.int8)

    @cached_property
    def strength(self) -> Ids:
        """Distinct values of the column's own family, by place."""
        return np.where(self.family == FAMILIES.index("text"), self._array("texts"), self.distinct)

    @cached_property
    def numbered(self) -> Mask:
        """Columns of whole numbers whose name says that they tell things apart."""
        numbers = self.usable & (self.family == FAMILIES.index("number")) & self._equal("kind", "integer")
        names = self.generation.columns["column"]
        telling = [name for name in pc.unique(names.filter(pa.array(numbers))).to_pylist() if says_identifier(name)]
        return np.asarray(numbers & np.asarray(pc.is_in(names, pa.array(telling, names.type))))

    @cached_property
    def usable(self) -> Mask:
        """Columns that may take part in joins."""
        return self._equal("excluded", "")

    @cached_property
    def key(self) -> Mask:
        """Columns with a different value in every row."""
        return np.asarray(self._array("key"), bool)

    @cached_property
    def density(self) -> npt.NDArray[np.float64]:
        """Distinct whole numbers over the width of their range, by place; 0 for other columns."""
        return np.asarray(self._array("density"), np.float64)

    @cached_property
    def order(self) -> Ids:
        """Rank by lake, table and position, by place: ties go by names, for ids differ from crawl to crawl."""
        if "order" not in self.generation.columns.column_names:  # of a generation that was made before there was one
            return np.arange(len(self))
        return np.asarray(self._array("order"), np.int64)

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

    @cached_property
    def aligned(self) -> Mask:
        """Columns of which is known what stands beside them."""
        mask = np.zeros(len(self), bool)
        mask[self.generation.alignments.columns] = True
        return mask

    def spreads(self, places: Ids) -> npt.NDArray[np.float64]:
        """Distributions of columns of numbers and dates, as ``discover.spread`` has them; NaN for others."""
        rows = np.full((len(places), SPREAD), np.nan)
        if self._spreads is not None:
            starts, values = self._spreads
            there = starts[places + 1] - starts[places] == SPREAD
            rows[there] = values[starts[places[there]][:, None] + np.arange(SPREAD)]
        return rows

    @cached_property
    def _spreads(self) -> tuple[Ids, npt.NDArray[np.float64]] | None:
        """Where each column's distribution starts, and all of them end to end."""
        if "spread" not in self.generation.columns.column_names:  # of a generation that was made before there was one
            return None
        lists = self.generation.columns["spread"].combine_chunks()
        return lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=False)

    def namesakes(self, name: str) -> Ids:
        """Places of the columns of that name, whatever the case of its letters."""
        return np.flatnonzero(pc.equal(pc.utf8_lower(self.generation.columns["column"]), name.lower()))

    @cached_property
    def sample(self) -> Ids:
        """Some columns that have a vector, evenly spread over the lake: shares are told from them."""
        places = np.flatnonzero(self.embedded)
        return places[:: max(len(places) // SAMPLE, 1)]

    def source(self, place: int) -> Source:
        """What a FROM clause reads a column's table with."""
        table = int(self.table_ids[place])
        if table not in self._sources:
            self._sources[table] = source_of(self.file(place))
        return self._sources[table]

    @cached_property
    def _sources(self) -> dict[int, Source]:
        return {}

    def file(self, place: int) -> TableFile:
        """The table that holds a column, and the file that holds the table."""
        table, part = self.value("table", place), self.value("part", place)
        path = table.removesuffix(f"#{part}") if part else table
        root = self.generation.roots[self.value("lake", place)]
        columns = self.places_of(int(self.table_ids[place]))
        return TableFile(
            path=root if os.path.isfile(root) else f"{root}/{path}",
            table=self._full_name(place) if len(self.generation.roots) > 1 else table,
            format=self.value("format", place),
            reading=Reading.of(self.value("reading", place)),
            names=self.generation.columns["column"].slice(columns[0], len(columns)).to_pylist(),
            part=part,
        )

    @cached_property
    def _tables(self) -> dict[str, list[tuple[int, int]]]:
        """The (first, last + 1) place of each table's columns, by every name that the table answers to."""
        starts = np.flatnonzero(np.diff(self.table_ids, prepend=-1))
        ends = np.append(starts, len(self))[1:]
        some = self.generation.columns.select(["lake", "table", "part"]).take(pa.array(starts))
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        fields = (starts.tolist(), ends.tolist(), *(some[name].to_pylist() for name in some.column_names))
        for start, end, lake, table, part in zip(*fields, strict=True):
            for name, _ in names_of_table(lake, table, part):
                found[name].append((start, end))
        return found

    @property
    def table_names(self) -> KeysView[str]:
        """Every name that some table answers to."""
        return self._tables.keys()

    @property
    def tables(self) -> int:
        """How many tables there are."""
        return int(np.count_nonzero(np.diff(self.table_ids, prepend=-1)))

    @cached_property
    def names(self) -> Sequence[str]:
        """Column names by place."""
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
        runs = self._tables.get(table, [])
        if not runs:
            hint = "`tablelens status --tables` lists the tables"
            raise UnknownTable.among("table", table, self._tables, hint, count=self.tables)
        if len(runs) > 1:  # a whole name wins over one without its suffix
            whole = [run for run in runs if table in (self.value("table", run[0]), self._full_name(run[0]))]
            runs = whole if len(whole) == 1 else runs
        if len(runs) > 1:
            names = [self._full_name(start) for start, _ in runs]
            raise UsageError(f"{table!r} is the name of {len(runs)} tables", f"say which: {', '.join(names[:5])}")
        return np.arange(*runs[0])

    def places_of(self, table_id: int) -> Ids:
        """Places of the columns of a table by its id; ids of tables rise with those of their columns."""
        return np.arange(*np.searchsorted(self.table_ids, [table_id, table_id + 1]))

    def _full_name(self, place: int) -> str:
        return f"{self.value('lake', place)}:{self.value('table', place)}"

    def column(self, table: str, column: str) -> int:
        """The place of a column named by table and column.

        Raises:
            UnknownTable, UnknownColumn, UsageError: as they say.
        """
        places = self.table_places(table)
        names: dict[str, int] = {self.names[place]: int(place) for place in places.tolist()}
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
        if reference in self._tables:
            raise UsageError(
                f"{reference!r} is a table; a column is wanted", f"for example {reference}.{self._some(reference)}"
            )
        if known:
            raise miss
        table, _, column = reference.rpartition(".")
        if not table:
            raise UsageError(f"{reference!r} names no column", "write TABLE.COLUMN, for example orders.customer_id")
        return self.column(table, column)

    def pool(self, family: Family, min_distinct: int, keys: bool) -> Mask:
        """Columns of a family that may be hits at all: of enough values of their own, or with ``keys`` a key.

        The same for every query, so it is made once; whoever narrows it makes a new one.
        """
        asked = family, min_distinct, keys
        if asked not in self._pools:
            enough = self.strength >= min_distinct
            if keys:
                enough |= self.key & (self.distinct >= 2)
            self._pools[asked] = self.usable & enough & (self.family == FAMILIES.index(family))
        return self._pools[asked]

    @cached_property
    def _pools(self) -> dict[tuple[Family, int, bool], Mask]:
        return {}

    def matching(self, lake: str | None, tables: str | None, kind: str | None) -> Mask | None:
        """Columns of a lake, of tables that match a glob, of a kind; None where nothing is asked.

        The masks of the last filters are kept, so that asking one again costs nothing.

        Raises:
            UnknownLake, UsageError: there is no such lake or kind, or no table matches.
        """
        if lake is None and tables is None and kind is None:
            return None
        asked, kept = (lake, tables, kind), self._matching
        if asked not in kept:
            while len(kept) >= FILTERS:
                kept.pop(next(iter(kept)), None)
            kept[asked] = self._mask(lake, tables, kind)
        return kept[asked]

    @cached_property
    def _matching(self) -> dict[tuple[str | None, ...], Mask]:
        return {}

    def _mask(self, lake: str | None, tables: str | None, kind: str | None) -> Mask:
        if lake is not None and lake not in self.generation.roots:
            raise UnknownLake.among("lake", lake, self.generation.roots, "`tablelens status` lists the lakes")
        if kind is not None and kind not in get_args(Kind):
            raise UsageError(f"unknown kind {kind!r}", f"known kinds: {', '.join(get_args(Kind))}")
        masks = [self._equal(name, value) for name, value in (("lake", lake), ("kind", kind)) if value is not None]
        if tables is not None:
            names = self.generation.columns["table"]
            fits = [name for name in pc.unique(names).to_pylist() if fnmatch.fnmatchcase(name, tables)]
            if not fits:
                raise UsageError(f"no table matches {tables!r}", "`tablelens status --tables` lists the tables")
            masks.append(np.asarray(pc.is_in(names, pa.array(fits, names.type))))
        return np.asarray(np.logical_and.reduce(masks))

    def _some(self, table: str) -> str:
        return str(self.names[self._tables[table][0][0]])
