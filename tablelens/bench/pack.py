"""A lake pack: tables of real repositories, queries, and which columns they truly join with.

tables/*.parquet              table_id, pos, column, values: one row a column, a table's rows together
columns.parquet               cid, table_id, pos, column, pool_text, pool_key: every column of the lake
queries.parquet               query_id, cid: equi-join queries on text
qrels_full.parquet            query_id, cid, jn: every column that shares a value with a query
*_keys*, *_semantic*          the same for keys, and for values that mean the same (sj); may be missing
fuzzy/columns.parquet, pairs.parquet    pairs of columns spelled differently; may be missing
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import xxhash
from blake3 import blake3

from tablelens.errors import NotFound, UnreadableFile, UsageError

EQUAL, MEANING = 0.3, 0.5
"""Share of the query's values, or of its entities, from which a column counts as a partner."""
ROWS = 64
"""Columns of the pack that are held in memory at once while it is unpacked."""
MADE = "a lake pack has tables/*.parquet, columns.parquet, queries.parquet and qrels_full.parquet"


@dataclass(frozen=True, slots=True)
class PackColumn:
    """A column of the lake, and whether it is a candidate of the truth on text or on keys."""

    table: str
    position: int
    name: str
    text: bool
    key: bool

    def in_pool(self, pool: str) -> bool:
        """Whether it is a candidate of the truth."""
        return self.text if pool == "text" else self.key


@dataclass(frozen=True, slots=True)
class PackQuery:
    """A query: a column of the lake."""

    id: str
    cid: int


@dataclass(frozen=True, slots=True)
class QuerySet:
    """Queries of one kind with their truth. ``gains`` and ``dropped`` are by query id.

    ``gains`` holds every candidate that is worth something; ``dropped`` those that leave run and truth alike.
    ``relevant`` is the gain from which a candidate is a partner; ``pool`` the kind of columns that compete.
    """

    name: str
    queries: tuple[PackQuery, ...]
    gains: dict[str, dict[int, float]]
    dropped: dict[str, frozenset[int]]
    relevant: float
    pool: str
    closed: bool = False
    """Whether columns outside the pool leave the run: the truth tells nothing of them."""


@dataclass(frozen=True)
class Pack:
    """A pack, or as much of it as was asked for."""

    folder: Path
    label: str
    columns: dict[int, PackColumn]
    sets: tuple[QuerySet, ...]
    tables: frozenset[str]

    def fingerprint(self) -> str:
        """A digest of the tables that ``write_lake`` would write."""
        digest = blake3("\n".join(sorted(self.tables)).encode())
        for path in table_files(self.folder):
            digest.update_mmap(path)
        return digest.hexdigest()


def read_pack(folder: Path, limit_tables: int = 0, limit_queries: int = 0) -> Pack:
    """Read columns, queries and truth of a pack.

    Args:
        folder: where it lies.
        limit_tables: keep so many tables, drawn by a hash of their ids; truth and queries then tell of these alone.
        limit_queries: keep so many queries of each set, evenly spaced.

    Raises:
        NotFound: no such folder, or it lacks a file that every pack has.
        UsageError: a file lacks a column.
    """
    if not folder.is_dir():
        raise NotFound(f"no folder {str(folder)!r}", MADE)
    table_files(folder)
    rows = read(folder / "columns.parquet", ("cid", "table_id", "pos", "column", "pool_text"), ("pool_key", "lake"))
    tables = _drawn({row["table_id"] for row in rows}, limit_tables)
    columns = {
        row["cid"]: PackColumn(row["table_id"], row["pos"], row["column"], row["pool_text"], bool(row.get("pool_key")))
        for row in rows
        if row["table_id"] in tables
    }
    sets = tuple(_query_sets(folder, columns, limit_queries))
    lakes = {row.get("lake") for row in rows}
    label = str(lakes.pop() or folder.name) if len(lakes) == 1 else folder.name
    return Pack(folder, f"{label} pack", columns, sets, frozenset(tables))


def write_lake(pack: Pack, folder: Path) -> dict[str, str]:
    """Write the tables as files, half CSV and half Parquet, a folder a repository; path by table id.

    Which half is decided by a hash of the table's id. One table is in memory at a time.
    """
    paths: dict[str, str] = {}
    for table_id, names, values in _tables(pack.folder):
        if table_id not in pack.tables:
            continue
        paths[table_id] = path = _path(table_id)
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        data = pa.Table.from_arrays(values, names=names)
        if path.endswith(".csv"):
            pc.write_csv(data, target)
        else:
            pq.write_table(data, target)
    missing = pack.tables - paths.keys()
    if missing:
        raise NotFound(f"{len(missing):,} tables of columns.parquet are not in tables/, e.g. {min(missing)!r}", MADE)
    return paths


def table_files(folder: Path) -> list[Path]:
    """The files that hold the tables.

    Raises:
        NotFound: there are none.
    """
    found = sorted((folder / "tables").glob("*.parquet"))
    if not found:
        raise NotFound(f"no tables/*.parquet in {str(folder)!r}", MADE)
    return found


def read(path: Path, columns: tuple[str, ...], more: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Rows of a Parquet file of a pack: these columns, and of ``more`` those that it has.

    Raises:
        NotFound: no such file.
        UnreadableFile: it is no Parquet file.
        UsageError: it lacks a column.
    """
    if not path.is_file():
        raise NotFound(f"the pack has no {path.name}: {str(path)!r}", MADE)
    try:
        known = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile(f"{str(path)!r} is no Parquet file: {error}", MADE) from error
    missing = [name for name in columns if name not in known]
    if missing:
        raise UsageError(f"{path.name} of the pack lacks {', '.join(missing)}", f"it has {', '.join(known)}")
    return pq.read_table(path, columns=[*columns, *(name for name in more if name in known)]).to_pylist()  # type: ignore[no-any-return]


def _query_sets(folder: Path, columns: dict[int, PackColumn], limit: int) -> Iterator[QuerySet]:
    equi = _query_set(folder, "equi", "", "qrels_full", columns, limit)
    yield equi
    yield _other_names(equi, columns)
    if (folder / "queries_keys.parquet").is_file():
        keys = _query_set(folder, "keys", "_keys", "qrels_keys_full", columns, limit)
        yield keys
        yield replace(keys, name="keys among keys", closed=True)
    if (folder / "queries_semantic.parquet").is_file():
        queries = _queries(folder, "_semantic", columns, limit)
        truth = read(folder / "qrels_semantic.parquet", ("query_id", "cid", "sj", "jn"))
        gains, dropped = _semantic_truth(truth, columns, queries, hard=False)
        yield QuerySet("semantic", queries, gains, dropped, MEANING, "text")
        gains, dropped = _semantic_truth(truth, columns, queries, hard=True)
        yield QuerySet("semantic hard", queries, gains, dropped, MEANING, "text")


def _query_set(
    folder: Path, name: str, suffix: str, qrels: str, columns: dict[int, PackColumn], limit: int
) -> QuerySet:
    queries = _queries(folder, suffix, columns, limit)
    gains: dict[str, dict[int, float]] = {query.id: {} for query in queries}
    for row in read(folder / f"{qrels}.parquet", ("query_id", "cid", "jn")):
        if row["jn"] > 0 and row["cid"] in columns and row["query_id"] in gains:
            gains[row["query_id"]][row["cid"]] = row["jn"]
    _without_own_table(queries, columns, gains)
    return QuerySet(name, queries, gains, {}, EQUAL, "key" if name == "keys" else "text")


def _other_names(equi: QuerySet, columns: dict[int, PackColumn]) -> QuerySet:
    """The same queries without the partners that are called as they are, which a look at names would find."""
    dropped = {
        query.id: frozenset(
            c for c in equi.gains[query.id] if folded(columns[c].name) == folded(columns[query.cid].name)
        )
        for query in equi.queries
    }
    gains = {
        query: {c: jn for c, jn in found.items() if c not in dropped[query]} for query, found in equi.gains.items()
    }
    return replace(equi, name="equi, other names", gains=gains, dropped=dropped)


def _semantic_truth(
    truth: list[dict[str, Any]], columns: dict[int, PackColumn], queries: tuple[PackQuery, ...], hard: bool
) -> tuple[dict[str, dict[int, float]], dict[str, frozenset[int]]]:
    """Gains by shared entities; hard: what equality would find leaves the truth and the run."""
    gains: dict[str, dict[int, float]] = {query.id: {} for query in queries}
    dropped: dict[str, set[int]] = defaultdict(set)
    for row in truth:
        if row["cid"] not in columns or row["query_id"] not in gains:
            continue
        if hard and row["jn"] >= EQUAL:
            dropped[row["query_id"]].add(row["cid"])
        elif row["sj"] > 0:
            gains[row["query_id"]][row["cid"]] = row["sj"]
    _without_own_table(queries, columns, gains)
    return gains, {query: frozenset(cids) for query, cids in dropped.items()}


def _queries(folder: Path, suffix: str, columns: dict[int, PackColumn], limit: int) -> tuple[PackQuery, ...]:
    rows = read(folder / f"queries{suffix}.parquet", ("query_id", "cid"))
    kept = [PackQuery(row["query_id"], row["cid"]) for row in rows if row["cid"] in columns]
    step = len(kept) / limit if 0 < limit < len(kept) else 1.0
    return tuple(kept[int(i * step)] for i in range(int(len(kept) / step + 1e-9)))


def _without_own_table(
    queries: tuple[PackQuery, ...], columns: dict[int, PackColumn], gains: dict[str, dict[int, float]]
) -> None:
    """A query's own table is no answer."""
    for query in queries:
        own = columns[query.cid].table
        for cid in [cid for cid in gains[query.id] if columns[cid].table == own]:
            del gains[query.id][cid]


def folded(name: str) -> str:
    """A column's name for comparison."""
    return name.strip().casefold()


def _drawn(tables: set[str], limit: int) -> set[str]:
    if not 0 < limit < len(tables):
        return tables
    return set(sorted(tables, key=lambda table: (xxhash.xxh3_64_intdigest(table.encode()), table))[:limit])


def _tables(folder: Path) -> Iterator[tuple[str, list[str], list[pa.Array]]]:
    """(table id, column names, columns) of each table in turn."""
    current = ""
    names: list[str] = []
    values: list[pa.Array] = []
    for path in table_files(folder):
        for batch in pq.ParquetFile(path).iter_batches(ROWS, columns=["table_id", "column", "values"]):
            cells = batch.column("values")
            for i, (table_id, name) in enumerate(zip(*(batch.column(c).to_pylist() for c in (0, 1)), strict=True)):
                if table_id != current and names:
                    yield current, names, values
                    names, values = [], []
                current = table_id
                names.append(name)
                values.append(cells[i].values)
    if names:
        yield current, names, values


def _path(table_id: str) -> str:
    """Where a table goes: its repository's folder, a short digest against like names, its own name."""
    digest = xxhash.xxh3_64_hexdigest(table_id.encode())
    repository, _, rest = table_id.partition("__")
    stem = re.sub(r"[^\w.-]+", "_", rest.rpartition("__")[2] or repository)[:60]
    folder = re.sub(r"[^\w.-]+", "_", repository).lstrip(".") or "tables"
    return f"{folder}/{digest[:8]}_{stem}.{'csv' if int(digest, 16) % 2 else 'parquet'}"
