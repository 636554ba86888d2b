"""How well and how fast do column vectors propose joins?

    python benchmarks/encoders.py PACK [--limit N] [--dims 64:256]

PACK holds tables/*.parquet (table_id, pos, column, values), columns.parquet (cid, table_id, column, pool_text),
tables.parquet (table_id, domain), queries.parquet with qrels_full.parquet (jn) and queries_semantic.parquet with
qrels_semantic.parquet (sj, jn). jn = |Q and X| / |Q| over distinct normalised values; sj is the share of the query's
entities that the candidate holds in whatever form. Columns of the query's own table never count.

P@10 is DeepJoin's precision with ties by value: columns above the tenth jn count in full, those equal to it up to the
places left. "re-ranked 200" takes the first 200 by vector and orders them by exact jn, as tablelens does. Semantic:
recall@10 over min(10, relevant) and NDCG@10, relevant is sj >= .5; "hard" leaves out candidates with jn >= .3, which
equality finds. Writes benchmarks/results/encoders.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hnswlib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tablelens.encoders.static import StaticEncoder, hashed, unit
from tablelens.index.hnsw import HnswIndex
from tablelens.profile.columns import profile_column
from tablelens.settings import Settings
from tablelens.types import ColumnText

RESULTS = Path(__file__).parent / "results"
CUTS = (50, 100, 200)
BATCH = 4096


@dataclass
class Truth:
    places: np.ndarray  # (q,) the query columns
    gain: np.ndarray  # (q, n) jn or sj, 0 for the query's own table
    equal: np.ndarray  # (q, n) jn
    own: np.ndarray  # (q, n) of the query's table


@dataclass
class Lake:
    columns: list[ColumnText]
    sizes: np.ndarray  # (n,)
    domains: list[str]
    equi: Truth
    semantic: Truth


def read_lake(pack: Path, limit: int | None) -> Lake:
    listed = pq.read_table(pack / "columns.parquet", columns=["cid", "table_id", "column", "pool_text"])
    pool = listed.filter(listed["pool_text"]).to_pydict()
    place = {cid: i for i, cid in enumerate(pool["cid"])}
    key = {(t, c): i for i, (t, c) in enumerate(zip(pool["table_id"], pool["column"], strict=True))}
    columns: list[ColumnText | None] = [None] * len(place)
    for file in sorted((pack / "tables").glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(2000, columns=["table_id", "column", "values"]):
            names = zip(batch["table_id"].to_pylist(), batch["column"].to_pylist(), batch["values"], strict=True)
            for table, column, values in names:
                if (table, column) in key:
                    p = profile_column(pa.chunked_array([values.values]), Settings(), name=column)
                    text = ColumnText("", column, p.cells, p.values.hashes, p.distinct)
                    columns[key[table, column]] = text
    about = pq.read_table(pack / "tables.parquet", columns=["table_id", "domain"]).to_pydict()
    domain = dict(zip(about["table_id"], about["domain"], strict=True))
    tables = np.unique(pool["table_id"], return_inverse=True)[1]

    def truth(queries: str, qrels: str, gain: str) -> Truth:
        asked = pq.read_table(pack / queries).slice(0, limit).to_pydict()
        row = {q: i for i, q in enumerate(asked["query_id"])}
        places = np.array([place[cid] for cid in asked["cid"]])
        found = {name: np.zeros((len(row), len(place)), np.float32) for name in {gain, "jn"}}
        judged = pq.read_table(pack / qrels).to_pydict()
        for i, (q, cid) in enumerate(zip(judged["query_id"], judged["cid"], strict=True)):
            if q in row and cid in place:
                for name, matrix in found.items():
                    matrix[row[q], place[cid]] = judged[name][i]
        own = tables[None, :] == tables[places][:, None]
        return Truth(places, np.where(own, 0, found[gain]), found["jn"], own)

    equi = truth("queries.parquet", "qrels_full.parquet", "jn")
    semantic = truth("queries_semantic.parquet", "qrels_semantic.parquet", "sj")
    domains = [domain[pool["table_id"][i]] for i in equi.places]
    return Lake(columns, np.array([max(c.distinct, 1) for c in columns], float), domains, equi, semantic)


def precision(gains: np.ndarray, ideal: np.ndarray, k: int = 10) -> float:
    n = min(k, len(ideal))
    cut, top = ideal[n - 1], gains[:k]
    above = (ideal[:n] > cut + 1e-7).sum()
    return float((top > cut + 1e-7).sum() + min((np.abs(top - cut) <= 1e-7).sum(), n - above)) / n


def ndcg(gains: np.ndarray, ideal: np.ndarray, k: int = 10) -> float:
    discount = 1 / np.log2(np.arange(k) + 2)
    return float((gains[:k] * discount[: len(gains[:k])]).sum() / (ideal[:k] * discount[: len(ideal[:k])]).sum())


def best(scores: np.ndarray, k: int) -> np.ndarray:
    top = np.argpartition(-scores, k)[:k]
    return top[np.argsort(-scores[top], kind="stable")]


def equi_rows(truth: Truth, lists: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Measures of ranked lists of 200, one value a query."""
    rows = []
    for gains, found in zip(truth.gain, lists, strict=True):
        ideal, got = np.sort(gains[gains > 0])[::-1], gains[found]
        ranked = [precision(np.sort(got[:cut])[::-1], ideal) for cut in CUTS]
        rows.append([precision(got, ideal), ndcg(got, ideal), *ranked])
    return dict(zip(["P@10", "NDCG@10", *(f"P@10 of {cut}" for cut in CUTS)], np.array(rows).T, strict=True))


def semantic_means(
    truth: Truth, scores: np.ndarray, hard: bool, first: np.ndarray | None = None
) -> tuple[float, float]:
    """(recall@10, NDCG@10); with ``first`` (other scores) only its 200 best are ranked by ``scores``."""
    recall, gain = [], []
    for i, row in enumerate(scores):
        drop = truth.own[i] | (truth.equal[i] >= 0.3 if hard else False)
        gains = np.where(drop, 0, truth.gain[i])
        row = np.where(drop, -np.inf, row)
        if first is not None:
            kept = best(np.where(truth.own[i], -np.inf, first[i]), 200)
            row = np.where(np.isin(np.arange(len(row)), kept), row, -np.inf)
        got, ideal = gains[best(row, 10)], np.sort(gains[gains > 0])[::-1]
        relevant = (gains >= 0.5 - 1e-9).sum()
        if len(ideal):
            gain.append(ndcg(got, ideal))
        if relevant:
            recall.append((got >= 0.5 - 1e-9).sum() / min(10, relevant))
    return float(np.mean(recall)), float(np.mean(gain))


def configurations(encoder: StaticEncoder, dims: str | None) -> dict[str, tuple[int, int, float, float]]:
    """Name to (semantic dimensions, identity dimensions, semantic share, exponent)."""
    c = encoder.config
    s, h, w, p = c.semantic, c.identity, c.semantic_share, c.size_exponent
    table = {"shipped": (s, h, w, p), "cosine (no size)": (s, h, w, 0.0)}
    table |= {f"size^{other:.2f}": (s, h, w, other) for other in (0.10, 0.20)}
    table |= {"semantic alone": (s, h, 1.0, p), "identity alone": (s, h, 0.0, p)}
    others = [(s, 192), (64, h), *([tuple(map(int, dims.split(":")))] if dims else [])]
    return table | {f"{first}+{second} dimensions": (first, second, w, p) for first, second in others}


def vectors_of(lake: Lake, meanings: np.ndarray, s: int, h: int, share: float, shipped: int) -> np.ndarray:
    """Query vectors of another configuration: leading PCA dimensions, other buckets, other shares."""
    buckets = np.stack([hashed(column.values, h) for column in lake.columns]).astype(np.float32)
    parts = [unit(np.ascontiguousarray(meanings[:, : min(s, shipped)])), unit(buckets)]
    return unit(np.hstack([np.sqrt(share) * parts[0], np.sqrt(1 - share) * parts[1]]).astype(np.float32))


def measure(lake: Lake, queries: np.ndarray, exponent: float, semantic: int) -> dict[str, object]:
    candidates = queries * (lake.sizes**exponent).astype(np.float32)[:, None]
    scores = queries[lake.equi.places] @ candidates.T
    scores[lake.equi.own] = -np.inf
    rows = equi_rows(lake.equi, [best(row, max(CUTS)) for row in scores])
    out: dict[str, object] = {name: round(float(values.mean()), 4) for name, values in rows.items()}
    by = {d: rows["P@10 of 200"][np.array(lake.domains) == d] for d in sorted(set(lake.domains))}
    out["by domain"] = {d: [len(values), round(float(values.mean()), 3)] for d, values in by.items()}
    asked = lake.semantic.places
    ip = queries[asked] @ candidates.T
    meaning = unit(np.ascontiguousarray(queries[:, :semantic]))
    cosine = meaning[asked] @ meaning.T
    for name, hard in (("all", False), ("hard", True)):
        for way, first in (("by meaning", None), ("200 then meaning", ip)):
            means = semantic_means(lake.semantic, cosine, hard, first)
            out[f"semantic {name}, {way}"] = [round(x, 3) for x in means]
    return out


def graphs(lake: Lake, queries: np.ndarray, exponent: float) -> list[dict[str, object]]:
    """The index as shipped (by angle), and graphs over [x, sqrt(R² - |x|²)] filled in two orders."""
    candidates = (queries * (lake.sizes**exponent)[:, None]).astype(np.float32)
    out, asked, ks = [], queries[lake.equi.places], 200
    exact = [set(best(row, ks).tolist()) for row in asked @ candidates.T]
    squares = (candidates**2).sum(1)
    lifted = np.hstack([candidates, np.sqrt(squares.max() - squares)[:, None]])
    flat = np.hstack([asked, np.zeros((len(asked), 1), np.float32)])

    def record(name: str, setting: str, built: float, ask: Callable[[], list[np.ndarray]]) -> None:
        start = time.perf_counter()
        found = ask()
        took = (time.perf_counter() - start) / len(asked) * 1e3
        rows = equi_rows(lake.equi, [f[~own[f]] for f, own in zip(found, lake.equi.own, strict=True)])
        recall = float(np.mean([len(e & set(f.tolist())) / ks for e, f in zip(exact, found, strict=True)]))
        row = {"graph": name, "setting": setting, "recall@200": round(recall, 4)}
        row |= {"P@10 of 200": round(float(rows["P@10 of 200"].mean()), 4), "ms a query": round(took, 2)}
        out.append(row | {"build seconds": round(built, 1)})

    start = time.perf_counter()
    index = HnswIndex(queries.shape[1], threads=1)
    index.add(np.arange(len(candidates)), candidates)
    built = time.perf_counter() - start
    for index.oversample in (4, 8, 16):
        record("shipped", f"oversample {index.oversample}", built, lambda: [f for f, _ in index.query(asked, ks)])
    for name, order in (("as found", np.arange(len(lifted))), ("longest first", np.argsort(-squares, kind="stable"))):
        start = time.perf_counter()
        graph = hnswlib.Index("l2", lifted.shape[1])
        graph.init_index(len(lifted), M=16, ef_construction=100, random_seed=1)
        graph.add_items(lifted[order], order, num_threads=1)
        built = time.perf_counter() - start
        for ef in (256, 800, 1600):
            graph.set_ef(ef)
            ask = partial(graph.knn_query, flat, ks, num_threads=1)
            record(f"lifted, {name}", f"ef {ef}", built, lambda ask=ask: list(ask()[0].astype(np.int64)))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--limit", type=int, help="only so many queries of each kind")
    parser.add_argument("--dims", help="one more configuration, as semantic:identity")
    given = parser.parse_args()
    lake, encoder = read_lake(given.pack, given.limit), StaticEncoder()
    seconds, unit = [], np.empty(0)
    for _ in range(3):
        start = time.perf_counter()
        parts = [encoder.encode_queries(lake.columns[i : i + BATCH]) for i in range(0, len(lake.columns), BATCH)]
        seconds.append(time.perf_counter() - start)
        unit = np.concatenate(parts)
    c = encoder.config
    report = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}",
        "revision": encoder.revision,
        "columns": len(lake.columns),
        "cells a column": round(float(np.mean([len(column.cells) for column in lake.columns])), 1),
        "columns/s, best of 3": round(len(lake.columns) / min(seconds)),
        "queries": [len(lake.equi.places), len(lake.semantic.places)],
        "configurations": {
            name: measure(lake, vectors_of(lake, unit, s, h, share, c.semantic), p, s)
            for name, (s, h, share, p) in configurations(encoder, given.dims).items()
        },
        "hnsw": graphs(lake, unit, c.size_exponent),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "encoders.json").write_text(json.dumps(report, indent=1) + "\n")
    (RESULTS / "encoders.md").write_text(as_markdown(report))
    print(as_markdown(report))


def as_markdown(report: dict[str, object]) -> str:
    configs = report["configurations"]
    lines = [f"- {name}: {value}" for name, value in report.items() if name not in ("configurations", "hnsw")]
    for rows in ([{"configuration": name, **row} for name, row in configs.items()], report["hnsw"]):
        names = [name for name in rows[0] if name != "by domain"]
        lines += ["", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        lines += [f"| {' | '.join(str(row[name]).strip('[]').replace(',', ' /') for name in names)} |" for row in rows]
    by = ", ".join(f"{domain} {mean} ({count})" for domain, (count, mean) in configs["shipped"]["by domain"].items())
    return "\n".join([*lines, "", f"P@10 of 200 by domain, shipped: {by}", ""])


if __name__ == "__main__":
    main()
