"""How queries, memory and recall go with the number of columns: lakes of 100,000 and 1,000,000 text columns.

    python benchmarks/scale.py HOME [--columns 100000,1000000] [--queries 200] [--out FOLDER]

HOME is a home in which a real lake was crawled, for instance WORK/home of ``tablelens bench --work WORK``. Its text
columns are copied until there are as many as asked for. A copy loses 10 to 30 % of its values, gains up to 20 % that
are its own, and its vector is turned by a random vector a quarter of its length (cosine to the first 0.97).
Postings, vector index and generation are built, saved and loaded by the project's own functions, with the default
settings. The index of words, which neither mode asks, is built of 1,000 columns, and a column keeps 16 of its cells.

Then processes of their own find the exact first 10 and 100 by the vectors as they were made, the query's own among
them, and ask. Times are given as seen and in processor time, which other work on the machine disturbs less. Among
copies that are nearly alike it matters little which of them is found, so recall is given twice: the share of the exact
first k that are found, and the share of k places that are filled with a score no lower than the k-th (or lower by .01
at most, where the cosine goes up to 1).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from tablelens.bench.machine import load, machine, peak_megabytes
from tablelens.discover.joins import Request, find_joins
from tablelens.discover.query import query_of_place
from tablelens.discover.view import LakeView
from tablelens.encoders import load_encoder
from tablelens.index import generation
from tablelens.index.alignments import Alignments
from tablelens.index.postings import Postings
from tablelens.index.words import WordIndex
from tablelens.pipeline.build import index_vectors
from tablelens.progress import Stopwatch
from tablelens.settings import Settings

CELLS = 16
VECTORS, TRUTH = "vectors.npy", "truth.npz"
BLOCK = 20_000
DEPTHS = (10, 100)
WARM_UP = 20
"""Queries that are asked before any is timed."""


def grown_values(base: generation.Generation, chosen: np.ndarray, rng: np.random.Generator):
    """(all hashes end to end, size of each column): the first round as it is, copies perturbed."""
    postings, copies = base.postings, np.ones(len(chosen), bool)
    copies[np.unique(chosen, return_index=True)[1]] = False
    parts, sizes = [], []
    for start in range(0, len(chosen), BLOCK):
        some, copy = chosen[start : start + BLOCK], copies[start : start + BLOCK]
        begins = postings.own_starts[some]
        held = postings.own_starts[some + 1] - begins
        at = np.repeat(begins - np.cumsum(held) + held, held) + np.arange(int(held.sum()))
        owner = np.repeat(np.arange(len(some)), held)
        kept = rng.random(len(at)) >= (copy * rng.uniform(0.1, 0.3, len(some)))[owner]
        more = (copy * held * rng.uniform(0.0, 0.2, len(some))).astype(np.int64)
        noise = rng.integers(0, 2**64 - 1, int(more.sum()), np.uint64)
        values = np.concatenate([postings.values[postings.own[at[kept]]], noise])
        owner = np.concatenate([owner[kept], np.repeat(np.arange(len(some)), more)])
        parts.append(values[np.lexsort((values, owner))])
        sizes.append(np.bincount(owner, minlength=len(some)))
    return np.concatenate(parts), np.concatenate(sizes)


def grown_columns(base: generation.Generation, chosen: np.ndarray, sizes: np.ndarray) -> pa.Table:
    """The columns' facts, with ids and table names of their own, ``CELLS`` cells each."""
    rows = base.columns.take(pa.array(chosen))
    first = base.columns["cells"].combine_chunks()
    short = [cells[:CELLS] for cells in first.take(pa.array(np.unique(chosen))).to_pylist()]
    at = np.searchsorted(np.unique(chosen), chosen)
    cells = pa.array(short, first.type).take(pa.array(at))
    order = np.argsort(chosen, kind="stable")
    copy = np.empty(len(chosen), np.int64)
    starts = np.flatnonzero(np.append(True, np.diff(chosen[order]) > 0))
    copy[order] = np.arange(len(chosen)) - np.repeat(starts, np.diff(np.append(starts, len(chosen))))
    tables = np.asarray(base.columns["table_id"].to_numpy())
    new = {
        "id": pa.array(np.arange(len(chosen))),
        "table_id": pa.array(tables[chosen] + copy * (int(tables.max()) + 1)),
        "cells": cells,
        "distinct": pa.array(sizes),
        "order": pa.array(np.arange(len(chosen))),
    }
    names = [f"{name}~{n}" if n else name for name, n in zip(rows["table"].to_pylist(), copy.tolist(), strict=True)]
    new["table"] = pa.array(names)
    for name, values in new.items():
        if name in rows.column_names:
            rows = rows.set_column(rows.column_names.index(name), name, values.cast(rows.schema.field(name).type))
        else:
            rows = rows.append_column(name, values)
    return rows


def grown_vectors(
    base: generation.Generation, chosen: np.ndarray, rng: np.random.Generator, path: Path | None = None
) -> np.ndarray:
    """One vector a column, in memory or in a mapped file; copies are turned a little and keep their length."""
    seen = np.zeros(len(base.columns), bool)
    shape = len(chosen), base.vectors.dimension
    made = np.lib.format.open_memmap(path, "w+", np.float32, shape) if path else np.empty(shape, np.float32)
    for start in range(0, len(chosen), BLOCK):
        places = chosen[start : start + BLOCK]
        rows = base.vectors.vectors(base.ids[places])
        copies = seen[places]
        seen[places] = True
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        noise = rng.standard_normal(rows.shape, np.float32)
        turned = rows + noise * (0.25 * lengths / np.linalg.norm(noise, axis=1, keepdims=True))
        turned *= lengths / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
        made[start : start + BLOCK] = np.where(copies[:, None], turned, rows)
    return made


def build(source: Path, home: Path, columns: int) -> dict:
    """Make a lake of so many columns in a home; what it took."""
    base, rng, watch = generation.load(source), np.random.default_rng(7), Stopwatch()
    pool = np.sort(base.places(base.vectors.labels()))
    chosen = np.concatenate([pool] * (columns // len(pool) + 1))[:columns]
    with watch.stage("values made up"):
        flat, sizes = grown_values(base, chosen, rng)
        facts = grown_columns(base, chosen, sizes)
        vectors = grown_vectors(base, chosen, rng, home / VECTORS)
    with watch.stage("postings"):
        postings = Postings.build_flat(flat, sizes)
    del flat
    with watch.stage("vector index"):
        encoder = load_encoder(str(base.encoder["name"]))
        index = index_vectors(home, np.arange(columns), vectors, encoder, Settings())
        index.query(vectors[:1], 1)  # an inverted file is made when it is first asked
    with watch.stage("save"):
        words = WordIndex.build(facts.slice(0, 1000))
        folder = generation.save(home, 1, facts, postings, Alignments.build([]), index, words, base.encoder, base.roots)
        generation.publish(home, 1)
    files = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    files = {"all files": sum(files.values())} | dict(sorted(files.items(), key=lambda pair: -pair[1]))
    return {
        "columns": columns,
        "vector index": index.kind,
        "values": int(sizes.sum()),
        "seconds": {name: round(seconds, 1) for name, seconds in watch.stages.items()},
        "build_peak_mb": round(peak_megabytes()),
        "files_mb": {name: round(size / 1e6, 1) for name, size in files.items()},
    }


def truth(home: Path, queries: int) -> dict:
    """Choose the queries, and weigh all vectors, as they were made, for each; runs in a process of its own."""
    view, vectors = LakeView(generation.load(home)), np.load(home / VECTORS, mmap_mode="r")
    able = np.flatnonzero(view.usable & view.embedded & (view.strength >= 5))
    places = np.random.default_rng(11).choice(able, min(queries, len(able)), replace=False)
    rows = unit(vectors[places])
    best = np.full((len(places), max(DEPTHS)), -np.inf, np.float32)
    names = np.zeros(best.shape, np.int64)
    for start in range(0, len(vectors), BLOCK):
        scores = np.hstack([best, rows @ vectors[start : start + BLOCK].T])
        block = np.arange(start, min(start + BLOCK, len(vectors)))
        labels = np.hstack([names, np.broadcast_to(block, (len(places), len(block)))])
        first = np.argpartition(-scores, max(DEPTHS), axis=1)[:, : max(DEPTHS)]
        best, names = np.take_along_axis(scores, first, 1), np.take_along_axis(labels, first, 1)
    first = np.argsort(-best, axis=1, kind="stable")
    best, names = np.take_along_axis(best, first, 1), np.take_along_axis(names, first, 1)
    np.savez(home / TRUTH, places=places, scores=best, labels=names)
    return {"queries": len(places)}


def ask(home: Path) -> dict:
    """Load the lake and time queries; runs in a process of its own."""
    start = time.perf_counter()
    view = LakeView(generation.load(home))
    found = {"load_s": time.perf_counter() - start, "load_mb": peak_megabytes()}
    known = np.load(home / TRUTH)
    places = known["places"].tolist()
    for mode in ("equi", "auto"):
        seconds, work = [], []
        for place in places[:WARM_UP]:
            find_joins(query_of_place(view, place), Request(mode=mode))
        for place in places:
            start, begun = time.perf_counter(), time.process_time()
            find_joins(query_of_place(view, place), Request(mode=mode))
            seconds.append(time.perf_counter() - start)
            work.append(time.process_time() - begun)
        for name, values in (("", seconds), ("cpu_", work)):
            found[f"{mode}_{name}p50_ms"] = 1000 * np.median(values)
            found[f"{mode}_{name}p95_ms"] = 1000 * np.quantile(values, 0.95)
    found["query_peak_mb"] = peak_megabytes()
    return {name: round(float(value), 2) for name, value in found.items()} | recall(view, home, known)


def recall(view: LakeView, home: Path, known: dict) -> dict:
    """What the vector index finds of the exact first k, among 200, by labels and by scores."""
    vectors, index = np.load(home / VECTORS, mmap_mode="r"), view.generation.vectors
    rows = unit(vectors[known["places"]])
    given = [index.query(row[None, :], 200)[0][0] for row in rows]
    scores = [np.sort(vectors[np.sort(labels)] @ row)[::-1] for labels, row in zip(given, rows, strict=True)]
    shares = {}
    for k in DEPTHS:
        wanted, last = known["labels"][:, :k], known["scores"][:, k - 1]
        pairs = list(zip(scores, last.tolist(), strict=True))
        shares[f"recall@{k} of 200, by label"] = np.mean(
            [np.isin(want, labels).mean() for want, labels in zip(wanted, given, strict=True)]
        )
        for name, slack in (("by score", 1e-4), ("by score within .01", 0.01)):
            filled = [(found[:k] >= bound - slack).sum() / k for found, bound in pairs]
            shares[f"recall@{k} of 200, {name}"] = np.mean(filled)
    return {name: round(float(share), 4) for name, share in shares.items()}


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows at length 1: vectors as queries."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def as_markdown(report: dict) -> str:
    """The report as a page."""
    runs = report["runs"]
    names = [name for name in runs[0] if not isinstance(runs[0][name], dict)]
    lines = [["", *(f"{run['columns']:,} columns" for run in runs)], ["---"] * (len(runs) + 1)]
    lines += [[name, *(said(run[name]) for run in runs)] for name in names[1:]]
    stages = [f"{name}, s" for name in runs[0]["seconds"]]
    files = list(dict.fromkeys(name for run in reversed(runs) for name in run["files_mb"]))
    lines += [[stage, *(f"{run['seconds'][stage[:-3]]:,}" for run in runs)] for stage in stages]
    lines += [[f"{name}, MB", *(f"{run['files_mb'].get(name, 0):,}" for run in runs)] for name in files]
    against = f"against {runs[0]['columns']:,}"
    lines += [[f"{name} {against}", *(f"{r:.2f}" for r in shares)] for name, shares in report["ratio"].items()]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    facts = "; ".join(f"{name} {value}" for name, value in report["machine"].items() if value)
    conditions = f"{facts}; load {report['load']}."
    return f"# Scale\n\nWritten by `benchmarks/scale.py`.\n\n{table}\n\n{conditions}\n"


def said(value: object) -> str:
    """A value as a page has it."""
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def main() -> None:
    """Build each lake, ask it, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--columns", default="100000,1000000")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the lakes in this folder")
    parser.add_argument("--only", choices=("build", "truth", "ask"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only == "build":
        print(json.dumps(build(args.home, args.keep, int(args.columns))))
    elif args.only == "truth":
        print(json.dumps(truth(args.home, args.queries)))
    elif args.only == "ask":
        print(json.dumps(ask(args.home)))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            compare(args, args.keep or Path(scratch))


def compare(args: argparse.Namespace, folder: Path) -> None:
    """Build and ask in processes of their own, so that memory is each one's own."""
    report: dict = {"machine": machine(), "load": load(), "runs": []}
    for columns in map(int, args.columns.split(",")):
        home = folder / str(columns)
        home.mkdir(parents=True, exist_ok=True)
        made = own("build", args.home, "--columns", columns, "--keep", home)
        print(json.dumps(made), flush=True)
        made |= own("truth", home, "--queries", args.queries)
        report["runs"].append(made | own("ask", home))
        print(json.dumps(report["runs"][-1]), flush=True)
    first = report["runs"][0]
    names = [f"{mode}_{q}_ms" for mode in ("equi", "auto") for q in ("p50", "p95", "cpu_p50", "cpu_p95")]
    report["ratio"] = {name: [round(run[name] / first[name], 2) for run in report["runs"]] for name in names}
    print(as_markdown(report))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "scale.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (args.out / "scale.md").write_text(as_markdown(report), encoding="utf-8")


def own(step: str, *words) -> dict:
    """One step in a process of its own."""
    command = [sys.executable, __file__, *map(str, words), "--only", step]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


if __name__ == "__main__":
    main()
