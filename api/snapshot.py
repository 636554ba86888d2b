"""One generation as one visitor may see it: all that a request reads from, made once and swapped whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from tablelens.catalog import verdicts
from tablelens.discover.paths import PathFinder
from tablelens.errors import DamagedIndex, UnknownColumn, UnknownTable
from tablelens.index import generation
from tablelens.index.generation import REBUILD
from tablelens.index.names import bare_name
from tablelens.lake import Lake
from tablelens.types import Ids

from .names import Directory, opaque
from .plane import plane


class Catalogue:
    """The catalogue's snapshot of one generation; every thread has a cursor of its own."""

    def __init__(self, path: str) -> None:
        try:
            self._connection = duckdb.connect(path, read_only=True, config={"threads": 2, "memory_limit": "512MB"})
        except duckdb.Error as error:
            raise DamagedIndex(f"the catalogue snapshot {path} cannot be opened: {error}", REBUILD) from error
        if not self.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'lake_rows'"):
            raise DamagedIndex(f"the catalogue snapshot {path} was written by an older tablelens", REBUILD)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query, each by its columns' names."""
        with self._connection.cursor() as cursor:
            found = cursor.execute(sql, list(parameters))
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


class Snapshot:
    """A lake at one generation with what the service adds: ids, an order of tables, the catalogue.

    ``tag`` names this state in ETags. That of a part of the lakes depends on nothing but them, so that it tells
    nothing of the others.
    """

    def __init__(self, lake: Lake, catalogue: Catalogue, tag: str) -> None:
        self.lake = lake
        self.view = lake.view
        self.catalogue = catalogue
        self.tag = tag
        self.lakes = dict(lake.view.generation.roots)
        self.judged = ""
        """Digest of the verdicts on these lakes."""
        self._judged_at: int | None = None

    @classmethod
    def load(cls, home: Lake) -> Snapshot:
        """The newest generation, warm.

        Raises:
            NoLake, DamagedIndex: as they say.
        """
        lake = Lake(home.home, home.settings)
        number = lake.view.generation.number
        made = cls(lake, Catalogue(str(generation.catalog_of(lake.home, number))), str(number))
        made.warm()
        return made

    def only(self, lakes: frozenset[str]) -> Snapshot:
        """The part of it that some lakes are."""
        part = self.lake.only(lakes & self.lakes.keys())
        digest = blake2b(part.view.generation.ids.tobytes(), digest_size=8)
        digest.update(repr((sorted(part.view.generation.roots), part.view.generation.encoder)).encode())
        made = Snapshot(part, self.catalogue, digest.hexdigest())
        made.warm()
        return made

    def warm(self) -> None:
        """Make what every query needs, before the first one asks."""
        view = self.view
        _ = view.family, view.strength, view.usable, view.key, view.density, view.exact, view.embedded
        _ = view.names, view.filled, view.rows, self.columns, self.tables, self.order
        _ = self.lake.words, self.lake.encoder
        view.pool("text", self.lake.settings.min_distinct, True)

    def etag(self) -> str:
        """Names what answers depend on: the generation, and what people said of joins since."""
        try:
            stamp = (self.lake.home / verdicts.FILE).stat().st_mtime_ns
        except FileNotFoundError:
            stamp = 0
        if stamp != self._judged_at:
            mine = [v for v in self.lake.verdicts() if v.left[0] in self.lakes and v.right[0] in self.lakes]
            self.judged = blake2b(repr(mine).encode(), digest_size=6).hexdigest() if mine else ""
            self.lake.__dict__.pop("path_finder", None)  # made with the verdicts before
            self._judged_at = stamp
        return f'"{self.tag}-{self.judged}"' if self.judged else f'"{self.tag}"'

    # ids -------------------------------------------------------------------------------------------------------

    @cached_property
    def starts(self) -> Ids:
        """The place of each table's first column, and the end of all."""
        return np.append(np.flatnonzero(np.diff(self.view.table_ids, prepend=-1)), len(self.view))

    @cached_property
    def _table_names(self) -> tuple[list[str], list[str], list[str]]:
        some = self.view.generation.columns.select(["lake", "table", "title"]).take(self.starts[:-1])
        return some["lake"].to_pylist(), some["table"].to_pylist(), some["title"].to_pylist()

    @cached_property
    def tables(self) -> Directory:
        """Ids of the tables; a table's number is its rank by its first column's place."""
        lakes, names, _ = self._table_names
        return Directory(opaque(lake, name) for lake, name in zip(lakes, names, strict=True))

    @cached_property
    def columns(self) -> Directory:
        """Ids of the columns, by place."""
        lakes, names, _ = self._table_names
        sizes = np.diff(self.starts).tolist()
        owners = ((lake, name) for lake, name, size in zip(lakes, names, sizes, strict=True) for _ in range(size))
        return Directory(opaque(*owner, column) for owner, column in zip(owners, self.view.names, strict=True))

    @cached_property
    def order(self) -> list[tuple[tuple[str, str], int]]:
        """((lake, name), number) of each table, by name."""
        lakes, names, _ = self._table_names
        return sorted(((lake, name), number) for number, (lake, name) in enumerate(zip(lakes, names, strict=True)))

    def table_number(self, id_: str) -> int:
        """The number of a table.

        Raises:
            UnknownTable: there is none of that id.
        """
        number = self.tables.find(id_)
        if number < 0:
            raise UnknownTable(f"no table has the id {id_!r}", "GET /v1/tables lists them with their ids")
        return number

    def number_named(self, name: str) -> int:
        """The number of a table by its name, as on the command line.

        Raises:
            UnknownTable, UsageError: none or several have it.
        """
        return self.number_of(int(self.view.table_places(name)[0]))

    def place(self, id_: str) -> int:
        """The place of a column.

        Raises:
            UnknownColumn: there is none of that id.
        """
        place = self.columns.find(id_)
        if place < 0:
            raise UnknownColumn(f"no column has the id {id_!r}", "GET /v1/tables/{id} lists a table's columns")
        return place

    def number_of(self, place: int) -> int:
        """The number of the table that a column belongs to."""
        return int(np.searchsorted(self.starts, place, side="right")) - 1

    def places_of(self, number: int) -> range:
        """The places of a table's columns."""
        return range(int(self.starts[number]), int(self.starts[number + 1]))

    def place_of_ref(self, id_: int) -> int:
        """The place of a column by the id that it has in the catalogue."""
        return int(self.view.generation.places(np.array([id_]))[0])

    def table_name(self, number: int) -> tuple[str, str, str]:
        """(lake, name, title) of a table."""
        lakes, names, titles = self._table_names
        return lakes[number], names[number], titles[number]

    def reference(self, number: int) -> str:
        """A name by which a table is found and no other."""
        lake, name, _ = self.table_name(number)
        return f"{lake}:{name}"

    @cached_property
    def plane(self) -> npt.NDArray[np.float64]:
        """Where each column with a vector stands in the plane, (n, 2), by place; the others stand in the middle."""
        generation, found = self.view.generation, np.zeros((len(self.view), 2))
        places = np.flatnonzero(self.view.embedded)
        if len(places):
            found[places] = plane(generation.vectors.vectors(generation.ids[places]))
        return found

    @property
    def paths(self) -> PathFinder:
        """Finds paths; keeps the joins of tables that it has looked up."""
        return self.lake.path_finder

    @cached_property
    def name_counts(self) -> Counter[str]:
        """How many columns have a name."""
        return Counter(self.view.names)

    @cached_property
    def suggestions(self) -> tuple[list[str], list[str], list[int]]:
        """Folded names, names as written, and numbers: tables first, then columns, each name once."""
        folded, shown, numbers = [], [], []
        for (_, name), number in self.order:
            title = bare_name(name, self.view.value("part", int(self.places_of(number)[0])))
            folded.append(title.casefold())
            shown.append(title)
            numbers.append(number)
        first: dict[str, int] = {}
        for place, name in enumerate(self.view.names):
            first.setdefault(name, place)
        for name, place in sorted(first.items()):
            folded.append(name.casefold())
            shown.append(name)
            numbers.append(-1 - place)
        return folded, shown, numbers
