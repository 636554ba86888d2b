"""SQL at scale: top-10 joins by the extension, by Python, and by an exact scan of the vectors, in one run.

    python benchmarks/sql.py HOME [--columns 1000000] [--queries 200] [--keep FOLDER] [--out FOLDER]

HOME is a home in which a real lake was crawled. Its text columns are copied as in ``scale.py``. The catalogue snapshot
holds all names, a table of the peer's all vectors. Each way answers the same queries, warm, with one thread, each
statement prepared from text as a client sends it:

- ``extension``: ``FROM tablelens.joins(?, k := 10)`` after LOAD; in mode equi and auto;
- ``python``: ``Lake.joins(?, k=10)``;
- ``array_cosine_distance``: ``ORDER BY array_cosine_distance(vector, ?) LIMIT 10``, DuckDB's own exact search;
- ``batch``: 1,000 columns in one statement through LATERAL.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from scale import grown_columns, grown_values, grown_vectors

from tablelens.bench.machine import load, machine
from tablelens.catalog.snapshot import speak
from tablelens.catalog.store import Catalog
from tablelens.encoders import load_encoder
from tablelens.index import generation
from tablelens.index.exact import ExactIndex
from tablelens.index.ivf import IvfIndex
from tablelens.index.postings import Postings
from tablelens.index.words import WordIndex
from tablelens.lake import Lake
from tablelens.pipeline.build import spoken_of
from tablelens.settings import Settings
from tablelens.sql.extension.build import build as build_extension

MODES = ("equi", "auto")
PEER = "SELECT column_id FROM peer.vectors ORDER BY array_cosine_distance(vector, ?::FLOAT[{}]) LIMIT 10"


def make(source: Path, home: Path, columns: int) -> None:
    """A home with a generation of so many columns, a snapshot that names them, and the peer's table."""
    base, rng = generation.load(source), np.random.default_rng(7)
    pool = np.sort(base.places(base.vectors.labels()))
    chosen = np.concatenate([pool] * (columns // len(pool) + 1))[:columns]
    flat, sizes = grown_values(base, chosen, rng)
    facts = grown_columns(base, chosen, sizes)
    rank = pa.array(np.arange(columns, dtype=np.int32))  # copies have names of their own
    facts = facts.drop_columns([n for n in facts.column_names if n == "order"]).append_column("order", rank)
    postings = Postings.build_flat(flat, sizes)
    vectors = grown_vectors(base, chosen, rng)
    index = IvfIndex(base.vectors.dimension) if columns >= Settings().graph_search_below else ExactIndex(384)
    index.add(np.arange(columns), vectors)
    words = WordIndex.build(facts.slice(0, 1000))
    folder = generation.save(home, 1, facts, postings, index, words, base.encoder, base.roots)
    spoken = spoken_of(facts, words, load_encoder(base.encoder["name"]), Settings(), folder)
    catalogue(home, facts, spoken)
    peer(home, vectors)
    generation.publish(home, 1)


def catalogue(home: Path, facts: pa.Table, spoken) -> None:
    """The tables that names are looked up in; values and vectors are in the index."""
    catalog = Catalog(home / "catalog.duckdb")
    with catalog.transaction() as session:
        raw = session.connection().connection.driver_connection
        raw = getattr(raw, "_ConnectionWrapper__c", raw)
        raw.register("facts", facts)
        raw.execute("INSERT INTO lakes SELECT 1, any_value(lake), '/' FROM facts")
        raw.execute("""INSERT INTO tables BY NAME SELECT DISTINCT table_id AS id, 1 AS lake_id, 1 AS file_id,
            "table" AS name, '' AS part, '' AS title, 'csv' AS format, 0 AS rows, [] AS warnings, false AS truncated
            FROM facts""")
        raw.execute("""INSERT INTO columns BY NAME SELECT id, 1 AS lake_id, table_id, 0 AS position, "column" AS name,
            "column" AS original_name, 'string' AS type, kind, family, rows, nulls,
            "distinct" AS distinct_values, texts,
            density, "key" AS is_key, excluded, [] AS lengths, [] AS top_values, [] AS top_counts,
            [] AS histogram_edges, [] AS histogram_counts, [] AS cells, [] AS hashes, exact FROM facts""")
    catalog.snapshot(generation.catalog_of(home, 1), lambda copy: speak(copy, spoken))
    catalog.close()


def peer(home: Path, vectors: np.ndarray) -> None:
    """All vectors in a table of their own, as DuckDB's arrays."""
    dimension = vectors.shape[1]
    rows = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimension)
    with duckdb.connect(str(home / "peer.duckdb")) as connection:
        connection.register("fresh", pa.table({"column_id": np.arange(len(vectors)), "vector": rows}))
        connection.execute(f"CREATE TABLE vectors AS SELECT column_id, vector::FLOAT[{dimension}] AS vector FROM fresh")


def timed(ask, queries) -> dict[str, float]:
    """Median milliseconds of wall clock and of processor time; each query is asked once before."""
    walls, works = [], []
    for query in queries:
        ask(query)
    for query in queries:
        wall, work = time.perf_counter(), time.process_time()
        ask(query)
        walls.append(time.perf_counter() - wall)
        works.append(time.process_time() - work)
    return {"p50_ms": round(1e3 * float(np.median(walls)), 2), "cpu_ms": round(1e3 * float(np.median(works)), 2)}


def measure(home: Path, count: int) -> dict:
    """All ways in one process."""
    os.environ["TABLELENS_HOME"] = str(home)
    lake = Lake.open(home)
    rng = np.random.default_rng(3)
    places = rng.choice(len(lake.view), count, replace=False).tolist()
    names = [
        f"{lake.view.value('lake', p)}:{lake.view.value('table', p)}.{lake.view.value('column', p)}" for p in places
    ]
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": "1"})
    connection.execute(f"LOAD '{build_extension(home / 'extension')}'")
    connection.execute(f"ATTACH '{generation.catalog_of(home, 1)}' AS tablelens (READ_ONLY)")
    connection.execute(f"ATTACH '{home / 'peer.duckdb'}' AS peer (READ_ONLY)")
    found: dict = {"columns": len(lake.view), "queries": count}
    for mode in MODES:
        asked = f"SELECT * FROM tablelens.joins(?, k := 10, mode := '{mode}')"
        found[f"extension_{mode}"] = timed(lambda name, q=asked: connection.execute(q, [name]).fetchall(), names)
        found[f"python_{mode}"] = timed(lambda name, m=mode: lake.joins(name, k=10, mode=m), names)
        found[f"batch_{mode}"] = batch(connection, mode)
    vectors = [lake.query(name).vector.tolist() for name in names[:10]]
    exact = PEER.format(lake.view.generation.vectors.dimension)
    found["array_cosine_distance"] = timed(lambda v: connection.execute(exact, [v]).fetchall(), vectors)
    return found


def batch(connection, mode: str, size: int = 1000) -> dict[str, float]:
    """Milliseconds a query of one statement for many columns."""
    asked = f"""SELECT count(*) FROM (
        SELECT c.lake || ':' || c."table" || '.' || c."column" AS name FROM tablelens.columns c USING SAMPLE {size} ROWS
        ) AS q, LATERAL (FROM tablelens.joins(q.name, k := 10, mode := '{mode}')) AS j"""
    connection.execute(asked).fetchall()
    wall, work = time.perf_counter(), time.process_time()
    connection.execute(asked).fetchall()
    wall, work = time.perf_counter() - wall, time.process_time() - work
    return {"p50_ms": round(1e3 * wall / size, 3), "cpu_ms": round(1e3 * work / size, 3)}


def as_markdown(found: dict) -> str:
    """The figures and their ratios as a table."""
    ways = [name for name, value in found.items() if isinstance(value, dict) and "cpu_ms" in value]
    lines = [f"# SQL, {found['columns']:,} columns", "", "Median milliseconds a query, warm, one thread.", ""]
    lines += ["| | wall | processor |", "|---|---|---|"]
    lines += [f"| {name.replace('_', ' ', 1)} | {found[name]['p50_ms']} | {found[name]['cpu_ms']} |" for name in ways]
    lines += ["", "| ratio, by processor time | equi | auto |", "|---|---|---|"]
    for label, over, under in (
        ("extension over Python", "extension_{}", "python_{}"),
        ("exact scan in SQL over extension", "array_cosine_distance", "extension_{}"),
        ("one by one over 1,000 in one statement", "extension_{}", "batch_{}"),
    ):
        ratios = [found[over.format(m)]["cpu_ms"] / max(found[under.format(m)]["cpu_ms"], 1e-9) for m in MODES]
        lines.append(f"| {label} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the lake unless it is there, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--columns", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only-make", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = args.keep or Path(scratch)
        if not (home / "CURRENT").exists():
            home.mkdir(parents=True, exist_ok=True)
            make(args.home, home, args.columns)
        if args.only_make:
            return
        found = measure(home, args.queries) | {"machine": machine(), "load": load()}
    print(as_markdown(found))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "sql.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (args.out / "sql.md").write_text(as_markdown(found), encoding="utf-8")


if __name__ == "__main__":
    main()
