"""The SQL functions on a Python connection, with the index behind them.

``register`` attaches the catalogue snapshot as database ``tablelens``, whose macros any client has, and adds the
functions that those macros look for: ``tablelens_hits`` searches, ``tablelens_found`` finds tables by words,
``tablelens_similar`` rows that are alike, ``tablelens_steps`` paths. So the answers are those of ``Lake``, and the
names are the same in every client.

An error of tablelens travels inside the answer, and the macro raises it: DuckDB would wrap it into words on Python.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tablelens.catalog.snapshot import speaks_in
from tablelens.discover.sql import literal
from tablelens.errors import IndexFault, NotFound, TablelensError, UnknownColumn, UsageError
from tablelens.index import generation
from tablelens.lake import Lake
from tablelens.profile.normalize import normalize, normalizer
from tablelens.types import Bridge, Hit

DATABASE = "tablelens"
MARK = "tablelens_python"
ARROW: Any = "arrow"
NATIVE: Any = "native"
"""Of texts: what coalesce makes of those that come by Arrow, DuckDB 1.4 and 1.5 free before they are read."""
SPECIAL: Any = "special"
"""NULL is passed on: it says that a request leaves something open."""
HIT = pa.struct(
    [("rank", pa.int32()), ("id", pa.int64())]
    + [(name, pa.string()) for name in ("lake", "table", "column", "kind")]
    + [
        (name, pa.float64())
        for name in ("probability", "score", "containment", "reverse_containment", "jaccard", "cosine")
    ]
    + [("overlap", pa.int64()), ("error", pa.float64()), ("cardinality", pa.string()), ("join_rows", pa.int64())]
    + [("explosion", pa.float64()), ("hub", pa.float64()), ("bridge", pa.string()), ("sql", pa.string())]
    + [("steps", pa.string())]
)
FOUND = pa.struct([("rank", pa.int32()), ("id", pa.int64()), ("score", pa.float64())])
SIMILAR = pa.struct([("rank", pa.int32()), ("id", pa.int64()), ("row", pa.int64()), ("similarity", pa.float64())])
STEP = pa.struct(
    [("path", pa.int32()), ("step", pa.int32()), ("left_id", pa.int64()), ("right_id", pa.int64())]
    + [(name, pa.float64()) for name in ("probability", "path_probability", "containment", "reverse_containment")]
    + [("cardinality", pa.string())]
)
ASKED = (
    "VARCHAR, VARCHAR, VARCHAR[], VARCHAR, VARCHAR, VARCHAR, INTEGER, VARCHAR, "
    "VARCHAR, VARCHAR, VARCHAR, INTEGER, DOUBLE, DOUBLE"
)
"""What the snapshot is answered by, reference, values, name, title, pair, k, mode, lake, tables, kind, per_table,
threshold, diversity."""
Row = tuple[Any, ...]


def register(connection: duckdb.DuckDBPyConnection, home: str | Path | Lake | None = None) -> None:
    """Make ``tablelens.joins``, ``tablelens.search`` … and the ``tablelens_…`` functions known to a connection.

    Every cursor of the connection sees them. Registering again is harmless, and takes the newest generation.

    Args:
        connection: any DuckDB connection, also one that may only read.
        home: a home, an open lake, or None for the nearest ``.tablelens`` upward.

    Raises:
        NoLake: nothing was crawled in the home yet.
        IndexFault: the index is damaged, or its snapshot was written by an older tablelens.
        UsageError: the connection has another database of the name ``tablelens``, or may not attach files.

    >>> import duckdb, tempfile
    >>> from tablelens.testing import make_lake
    >>> folder = make_lake(Path(tempfile.mkdtemp()), {"a.csv": {"x": list("abcdef")}, "b.csv": {"y": list("abcdeg")}})
    >>> lake = Lake.open(folder / ".tablelens", encoder="deepjoin-static")
    >>> _ = lake.crawl(folder)
    >>> connection = duckdb.connect()
    >>> register(connection, lake)
    >>> connection.sql("SELECT rank, containment FROM tablelens.joins('a.x', mode := 'equi')").fetchall()
    [(1, 0.833333)]
    """
    lake = home if isinstance(home, Lake) else Lake.open(home)
    _attach(connection, generation.catalog_of(lake.home, lake.view.generation.number))
    known = _registered(connection)
    if known is not None:
        known.lake = lake
        return
    answering = Answering(lake)
    for name, (function, arguments, returns) in answering.functions().items():
        parts: Any = [connection.sqltype(part.strip()) for part in arguments.split(",") if part]
        kind = NATIVE if returns == "VARCHAR" else ARROW
        try:
            connection.create_function(
                name, function, parts, connection.sqltype(returns), type=kind, null_handling=SPECIAL
            )  # fmt: skip
        except duckdb.CatalogException as error:
            raise UsageError(
                f"the connection has a function {name} already",
                "use the extension or Python, each on its own connection",
            ) from error
    _ANSWERING[answering.token] = answering


@dataclass(eq=False)
class Answering:
    """What answers on the connections of one database; its lake can be exchanged, its functions cannot."""

    lake: Lake

    @property
    def token(self) -> str:
        """Its name, by which another cursor of the database finds it."""
        return f"{id(self):x}"

    def functions(self) -> dict[str, tuple[Callable[..., Any], str, str]]:
        """Functions by name, with the types of what they take and give."""
        return {
            MARK: (self._mark, "VARCHAR", "VARCHAR"),
            "tablelens_hits": (_rowwise(self.hits, HIT), ASKED, _answer(HIT)),
            "tablelens_found": (_rowwise(self.found, FOUND), "VARCHAR, INTEGER", _answer(FOUND)),
            "tablelens_similar": (
                _rowwise(self.similar, SIMILAR),
                "VARCHAR, BIGINT, INTEGER, BOOLEAN",
                _answer(SIMILAR),
            ),
            "tablelens_steps": (_rowwise(self.steps, STEP), "VARCHAR, VARCHAR, INTEGER, INTEGER", _answer(STEP)),
            "tablelens_embed": (self.embed, "VARCHAR[]", "FLOAT[]"),
            "tablelens_join_sql": (self.join_sql, "VARCHAR, VARCHAR", "VARCHAR"),
            "tablelens_normalize": (_normalized, "VARCHAR", "VARCHAR"),
            "tablelens_containment": (_compared(_containment), "VARCHAR[], VARCHAR[]", "DOUBLE"),
            "tablelens_jaccard": (_compared(_jaccard), "VARCHAR[], VARCHAR[]", "DOUBLE"),
        }

    def hits(
        self, answering: str, reference: str | None, values: Sequence[str | None] | None, name: str, title: str,
        pair: str | None, k: int, mode: Any, in_lake: str, tables: str, kind: str, per_table: int,
        threshold: float | None, diversity: float,
    ) -> Iterator[Row]:  # fmt: skip
        """Columns that join with one of the lake, or with values; with ``pair``, the evidence on that one."""
        lake = self.lake
        number, (made, _, settings) = lake.view.generation.number, answering.split(":")
        if made != str(number):
            raise IndexFault(f"the index is of generation {number}, the catalogue of {made}", "call register again")
        threshold = float(settings.split()[2]) if threshold is None else threshold
        options = {"k": k, "mode": mode, "lake": in_lake, "tables": tables, "kind": kind, "per_table": per_table}
        options |= {"threshold": threshold, "diversity": diversity}
        if reference is None and values is None:
            raise UsageError("neither a column nor values are given", "NULL is none")
        if pair is not None and reference is not None:
            found: Sequence[Hit] = [lake.evidence_at(_place(lake, reference), _place(lake, pair))]
        elif reference is not None:
            found = lake.joins_at(_place(lake, reference), **options).hits
        else:
            found = lake.joins(values, table=title or "", name=name or "", **options).hits
        yield from (_hit_row(rank, hit) for rank, hit in enumerate(found, 1))

    def found(self, words: str, k: int) -> Iterator[Row]:
        """Tables by words."""
        view = self.lake.view
        for rank, hit in enumerate(self.lake.search(words, k=k), 1):
            place = view.table_places(f"{hit.lake}:{hit.table}")[0]
            yield rank, int(view.table_ids[place]), hit.score

    def similar(self, table: str, row: int, k: int, others: bool) -> Iterator[Row]:
        """Rows that are like a row of a table."""
        view = self.lake.view
        for rank, hit in enumerate(self.lake.similar_rows(table, row, k=k, others=others), 1):
            place = view.table_places(f"{hit.lake}:{hit.table}")[0]
            yield rank, int(view.table_ids[place]), hit.row, hit.similarity

    def steps(self, left: str, right: str, hops: int, k: int) -> Iterator[Row]:
        """Paths between two tables, a row a join."""
        for number, path in enumerate(self.lake.paths(left, right, hops=hops, k=k), 1):
            for place, step in enumerate(path.steps, 1):
                e = step.evidence
                yield (
                    number, place, step.left.id, step.right.id, step.probability, path.probability, e.containment,
                    e.reverse_containment, e.cardinality,
                )  # fmt: skip

    def embed(self, lists: pa.Array) -> pa.Array:
        """Query vectors of lists of values; NULL where they are no text."""
        rows = [None if values is None else self.lake.outside_query(values).vector for values in lists.to_pylist()]
        return pa.array([None if row is None else row.tolist() for row in rows], pa.list_(pa.float32()))

    def join_sql(self, left: str | None, right: str | None) -> str | None:
        """The SQL that joins two columns of the lake."""
        return None if left is None or right is None else self.lake.explain(left, right).sql

    def _mark(self, _asked: str | None) -> str:
        return self.token


_ANSWERING: dict[str, Answering] = {}
"""By token; it lives as long as the process, for nobody says when the last connection of a database is closed."""


def _registered(connection: duckdb.DuckDBPyConnection) -> Answering | None:
    """What answers on this connection's database already."""
    try:
        ((token,),) = connection.cursor().execute(f"SELECT {MARK}('')").fetchall()
    except duckdb.CatalogException:
        return None
    return _ANSWERING.get(token)


# answers -------------------------------------------------------------------------------------------------------------


def _hit_row(rank: int, hit: Hit) -> Row:
    c, e = hit.column, hit.evidence
    return (
        rank, c.id, c.lake, c.table, c.column, c.kind, hit.probability, hit.score,
        e.containment, e.reverse_containment, e.jaccard, e.cosine, e.overlap, e.error, e.cardinality, e.join_rows,
        e.explosion, hit.hub, None if e.bridge is None else _bridge(e.bridge), hit.sql, "",
    )  # fmt: skip


def _bridge(bridge: Bridge) -> str:
    near, far = bridge.steps[0]
    return f"{near.table}: {near.column} → {far.column}"


def _place(lake: Lake, reference: str) -> int:
    """A column of the lake; what is wrong is said in the words of SQL."""
    try:
        return lake.view.parse(reference)
    except NotFound as error:
        guess = error.message.partition("did you mean ")[2].partition("?")[0]
        hint = error.hint if isinstance(error, UnknownColumn) else "FROM tablelens.columns lists them as TABLE.COLUMN"
        hint = f"did you mean {guess}? {hint}" if guess else hint
        raise UnknownColumn(f"unknown column {reference!r}", hint) from error


def _normalized(cell: str | None) -> str | None:
    return None if cell is None else normalize(cell)


def _compared(measure: Callable[[set[str], set[str]], float | None]) -> Callable[[pa.Array, pa.Array], pa.Array]:
    def compare(left: pa.Array, right: pa.Array) -> pa.Array:
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return pa.array([None if None in pair else measure(*map(_value_set, pair)) for pair in pairs], pa.float64())

    return compare


def _value_set(cells: Sequence[str | None]) -> set[str]:
    filled = [cell for cell in cells if cell is not None]
    value_of = normalizer(set(filled))
    return {value for cell in filled if (value := value_of(cell)) is not None}


def _containment(left: set[str], right: set[str]) -> float | None:
    return len(left & right) / len(left) if left else None


def _jaccard(left: set[str], right: set[str]) -> float | None:
    return len(left & right) / len(left | right) if left | right else None


# connections ---------------------------------------------------------------------------------------------------------


def _rowwise(answer: Callable[..., Iterator[Row]], kind: pa.StructType) -> Any:
    """A function of one row's arguments as one of Arrow arrays; an error becomes part of the answer."""
    names = [kind.field(i).name for i in range(kind.num_fields)]

    def answered(*row: Any) -> dict[str, Any]:
        try:
            return {"error": None, "hits": [dict(zip(names, found, strict=True)) for found in answer(*row)]}
        except TablelensError as error:
            return {"error": f"{error.message}. Hint: {error.hint}" if error.hint else error.message, "hits": None}

    def function(*columns: pa.Array) -> pa.Array:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return pa.array([answered(*row) for row in rows], pa.struct([("error", pa.string()), ("hits", pa.list_(kind))]))

    function.__signature__ = inspect.signature(answer)  # type: ignore[attr-defined]  # DuckDB counts the parameters
    return function


def _answer(kind: pa.StructType) -> str:
    """DuckDB's name of what ``_rowwise`` gives."""
    names = {pa.int32(): "INTEGER", pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.string(): "VARCHAR"}
    fields = ", ".join(f'"{kind.field(i).name}" {names[kind.field(i).type]}' for i in range(kind.num_fields))
    return f"STRUCT(error VARCHAR, hits STRUCT({fields})[])"


def _attach(connection: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    """Attach a snapshot in the place of an older one.

    A cursor does it, for a half-read result of the connection itself would be in the way.
    """
    cursor = connection.cursor()
    asked = "SELECT path FROM duckdb_databases() WHERE database_name = ?"
    for (path,) in cursor.execute(asked, [DATABASE]).fetchall():
        if path == str(snapshot):
            return
        if not Path(path or "").name.startswith("catalog-"):
            raise UsageError(f"the connection has a database {DATABASE!r} already: {path}", "detach or rename it")
        cursor.execute(f"DETACH {DATABASE}").fetchall()
    try:
        cursor.execute(f"ATTACH {literal(str(snapshot))} AS {DATABASE} (READ_ONLY)").fetchall()
    except duckdb.Error as error:
        raise UsageError(f"cannot attach {snapshot}: {error}", "let the connection read this file") from error
    if not speaks_in(cursor):
        cursor.execute(f"DETACH {DATABASE}").fetchall()
        raise IndexFault(f"{snapshot} was written by an older tablelens", "crawl again: no file is read anew")
