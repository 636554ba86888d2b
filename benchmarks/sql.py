"""SQL at scale: top-10 joins by the extension, by Python, and by an exact scan of the vectors, in one run.

    python benchmarks/scale.py HOME --columns 1000000 --keep FOLDER
    python benchmarks/sql.py FOLDER/1000000 [--queries 200] [--out FOLDER]

The lake is one that ``scale.py`` made and kept. What SQL needs of it is made beside it the first time: the catalogue
snapshot with all names, and ``peer.duckdb``, a table of all vectors as they were before they were indexed. Each way
answers the same queries, warm, with one thread, each statement given as text, as a client sends it:

- ``extension``: ``FROM tablelens.joins(?, k := 10)`` after LOAD;
- ``prepared``: the same, planned once by PREPARE;
- ``python``: ``Lake.joins(?, k=10)``;
- ``batch``: 1,000 columns in one statement through LATERAL;
- ``extension_all_threads``, ``batch_all_threads``: both as DuckDB is when it is not told, with a thread a core;
- ``array_cosine_distance``: ``ORDER BY array_cosine_distance(vector, ?) LIMIT 10``, DuckDB's own exact search.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from scale import VECTORS

from tablelens.bench.machine import load, machine
from tablelens.catalog.snapshot import speak
from tablelens.catalog.store import Catalog
from tablelens.discover.rank import Calibration
from tablelens.discover.sql import literal
from tablelens.discover.view import LakeView
from tablelens.index import generation
from tablelens.index.words import WordIndex
from tablelens.lake import Lake
from tablelens.pipeline.spoken import spoken_of
from tablelens.settings import Settings
from tablelens.sql.extension.build import build as build_extension

MODES = ("equi", "auto")
PEER = "SELECT column_id FROM peer.vectors ORDER BY array_cosine_distance(vector, ?::FLOAT[{}]) LIMIT 10"
TOGETHER = """SELECT q.name, j.* FROM (SELECT unnest(?::VARCHAR[]) AS name) AS q,
    LATERAL (FROM tablelens.joins(q.name, k := 10, mode := '{mode}')) AS j"""
BATCH, BATCHES, BLOCK = 1000, 5, 20_000


def prepare(home: Path) -> None:
    """The snapshot and the peer's table, where they are not there yet."""
    if not generation.catalog_of(home, 1).exists():
        made, folder = generation.load(home, 1), generation.folder_of(home, 1)
        calibration, seal = Calibration.of(str(made.encoder["name"])), generation.seal_of(folder)
        spoken = spoken_of(LakeView(made), WordIndex.load(folder), calibration, Settings(), seal)
        catalogue(home, made.columns, spoken)
    if not (home / "peer.duckdb").exists():
        peer(home, np.load(home / VECTORS, mmap_mode="r"))


def catalogue(home: Path, facts: pa.Table, spoken) -> None:
    """The tables that names are looked up in; values and vectors are in the index."""
    catalog = Catalog(home / "catalog.duckdb")
    with catalog.transaction() as session:
        raw = session.connection().connection.driver_connection
        raw = getattr(raw, "_ConnectionWrapper__c", raw)
        raw.register("facts", facts)
        raw.execute("INSERT INTO lakes SELECT row_number() OVER (), lake, '/' FROM (SELECT DISTINCT lake FROM facts)")
        raw.execute("""INSERT INTO tables BY NAME SELECT f.table_id AS id, any_value(l.id) AS lake_id, 1 AS file_id,
            any_value(f."table") AS name, '' AS part, '' AS title, 'csv' AS format, '' AS reading, 0 AS rows,
            [] AS warnings, false AS truncated FROM facts f JOIN lakes l ON l.name = f.lake GROUP BY f.table_id""")
        raw.execute("""INSERT INTO columns BY NAME SELECT f.id, l.id AS lake_id, f.table_id, 0 AS position,
            f."column" AS name, f."column" AS original_name, 'string' AS type, f.kind, f.family, f.rows, f.nulls,
            f."distinct" AS distinct_values, f.texts, f.density, f."key" AS is_key, f.excluded, [] AS lengths,
            [] AS top_values, [] AS top_counts, [] AS histogram_edges, [] AS histogram_counts, [] AS cells,
            [] AS hashes, [] AS null_words, f.exact FROM facts f JOIN lakes l ON l.name = f.lake""")
    catalog.snapshot(generation.catalog_of(home, 1), lambda copy: speak(copy, spoken))
    catalog.close()


def peer(home: Path, vectors: np.ndarray) -> None:
    """All vectors in a table of their own, as DuckDB's arrays."""
    dimension = vectors.shape[1]
    with duckdb.connect(str(home / "peer.duckdb")) as connection:
        connection.execute(f"CREATE TABLE vectors (column_id BIGINT, vector FLOAT[{dimension}])")
        for start in range(0, len(vectors), BLOCK):
            block = np.ascontiguousarray(vectors[start : start + BLOCK])
            rows = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), dimension)
            ids = np.arange(start, start + len(block))
            connection.register("fresh", pa.table({"column_id": ids, "vector": rows}))
            connection.execute("INSERT INTO vectors FROM fresh")


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
    view = lake.view
    able = np.flatnonzero(view.usable & view.embedded & (view.strength >= 5))
    places = np.random.default_rng(11).choice(able, min(max(count, BATCH), len(able)), replace=False).tolist()
    names = [f"{view.value('lake', p)}:{view.value('table', p)}.{view.value('column', p)}" for p in places]
    few = names[:count]
    library = build_extension(home / "extension")
    found: dict = {"columns": len(view), "queries": count}
    for mode in MODES:
        found[f"python_{mode}"] = timed(lambda name, m=mode: lake.joins(name, k=10, mode=m), few)
    for more, config in (("", {"threads": "1"}), ("_all_threads", {})):
        measure_extension(found, more, library, home, config, few, names[:BATCH])
    connection = duckdb.connect(config={"threads": "1"})
    connection.execute(f"ATTACH '{home / 'peer.duckdb'}' AS peer (READ_ONLY)")
    vectors = [lake.query(name).vector.tolist() for name in names[:10]]
    exact = PEER.format(view.generation.vectors.dimension)
    found["array_cosine_distance"] = timed(lambda v: connection.execute(exact, [v]).fetchall(), vectors)
    return found


def measure_extension(found: dict, more: str, library: Path, home: Path, config: dict, few: list, many: list) -> None:
    """One by one and together, in a process's own DuckDB of this configuration.

    Read in a process of its own: the extension takes the number of threads when it is first loaded.
    """
    script, asked = [sys.executable, __file__, str(home), "--ask"], json.dumps([str(library), config, few, many])
    told = json.loads(subprocess.run(script, check=True, input=asked, stdout=subprocess.PIPE, text=True).stdout)
    found.update({name.format(more=more): value for name, value in told.items()})


def ask(home: Path, library: str, config: dict, few: list[str], many: list[str]) -> dict:
    """What ``measure_extension`` wants, by name."""
    os.environ["TABLELENS_HOME"] = str(home)
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"} | config)
    connection.execute(f"LOAD '{library}'")
    connection.execute(f"ATTACH '{generation.catalog_of(home, 1)}' AS tablelens (READ_ONLY)")
    found = {}
    for mode in MODES:
        asked = f"SELECT * FROM tablelens.joins(?, k := 10, mode := '{mode}')"
        connection.execute(f"PREPARE {mode} AS {asked.replace('?', '$1')}")
        together = TOGETHER.format(mode=mode)
        ways = {
            "extension": [lambda n=n, q=asked: connection.execute(q, [n]).fetchall() for n in few],
            "prepared": [lambda n=n, m=mode: connection.execute(f"EXECUTE {m}({literal(n)})").fetchall() for n in few],
            "batch": [lambda q=together: connection.execute(q, [many]).fetchall()],
        }
        taken = in_turns(ways, {"batch": len(many)})
        found |= {f"{way}{{more}}_{mode}": figures for way, figures in taken.items()}
    return found


def in_turns(ways: dict[str, list], each: dict[str, int]) -> dict[str, dict[str, float]]:
    """Median milliseconds a query, of wall clock and of processor time; a call of a way answers so many each, else 1.

    Ways take turns, so that what else the machine does weighs on all of them alike.
    """
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for turn in range(BATCHES + 1):
        for way, calls in ways.items():
            for call in calls:
                wall, work = time.perf_counter(), time.process_time()
                call()
                if turn:  # the first is to warm up
                    times[way].append((time.perf_counter() - wall, time.process_time() - work))
    medians = {way: 1e3 * np.median(np.array(taken), axis=0) / each.get(way, 1) for way, taken in times.items()}
    return {way: {"p50_ms": round(float(p), 3), "cpu_ms": round(float(c), 3)} for way, (p, c) in medians.items()}


def as_markdown(found: dict) -> str:
    """The figures and their ratios as a table."""
    ways = [name for name, value in found.items() if isinstance(value, dict) and "cpu_ms" in value]
    lines = [
        f"# SQL, {found['columns']:,} columns",
        "",
        "Written by `benchmarks/sql.py`: median milliseconds a query, ",
    ]
    lines[-1] += f"{found['queries']} queries, warm, one thread unless said otherwise."
    lines += [""]
    lines += ["| | wall | processor |", "|---|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {found[name]['p50_ms']} | {found[name]['cpu_ms']} |" for name in ways]
    lines += ["", "| ratio, by processor time | equi | auto |", "|---|---|---|"]
    for label, over, under, by in (
        ("extension over Python", "extension_{}", "python_{}", "cpu_ms"),
        ("prepared, over Python", "prepared_{}", "python_{}", "cpu_ms"),
        ("exact scan in SQL over extension", "array_cosine_distance", "extension_{}", "cpu_ms"),
        ("one by one over 1,000 in one statement", "extension_{}", "batch_{}", "cpu_ms"),
        ("the same with a thread a core, by wall clock", "extension_all_threads_{}", "batch_all_threads_{}", "p50_ms"),
    ):
        ratios = [found[over.format(m)][by] / max(found[under.format(m)][by], 1e-9) for m in MODES]
        lines.append(f"| {label} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")
    facts = "; ".join(f"{name} {value}" for name, value in found["machine"].items() if value)
    return "\n".join([*lines, "", f"{facts}; load {found['load']}."]) + "\n"


def main() -> None:
    """Make what is missing, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--ask", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.ask:
        print(json.dumps(ask(args.home, *json.load(sys.stdin))))
        return
    prepare(args.home)
    found = measure(args.home, args.queries) | {"machine": machine(), "load": load()}
    print(as_markdown(found))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "sql.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (args.out / "sql.md").write_text(as_markdown(found), encoding="utf-8")


if __name__ == "__main__":
    main()
