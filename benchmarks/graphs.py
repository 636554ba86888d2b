"""What makes an HNSW graph find the columns that it holds?

    python benchmarks/graphs.py HOME [--queries 500]

HOME is a crawled home. All its vectors go into graphs that differ in one thing: the order in which they are added, and
whether columns of the same vector, copies of one another, are elements of their own or share one, as in tablelens. The
directions of some columns, drawn by chance, ask for the first 200. Recall counts what is found that scores as the exact
first 200 do. *No way out* counts the elements from which the links of the ground level do not lead to the rest: a
search that comes there finds nothing else. Writes benchmarks/results/graphs.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
from tablelens.probes.report.markdown import grid

from tablelens.bench.machine import load, machine
from tablelens.index import generation
from tablelens.index.hnsw import HnswIndex

RESULTS = Path(__file__).parent / "results"
FIRST = 200
SETTINGS = {"M": 16, "ef_construction": 100, "random_seed": 1}
EF = (256, 800, 1600)
CLOSE = 1e-4


def no_way_out(graph: Any) -> int:
    """Elements that do not reach the one where searches begin, over the links of the ground level."""
    state = graph.__getstate__()
    state = state[0] if isinstance(state, tuple) else state
    count, size = state["cur_element_count"], state["size_data_per_element"]
    records = np.asarray(state["data_level0"]).view(np.uint8).reshape(-1)[: count * size].reshape(count, size)
    most = 2 * SETTINGS["M"]
    number = records[:, :2].copy().view(np.uint16)
    links = records[:, 4 : 4 + 4 * most].copy().view(np.uint32).astype(np.int64)
    links = np.where(np.arange(most) < number, links, np.arange(count)[:, None])
    reaches = np.zeros(count, bool)
    reaches[state["enterpoint_node"]] = True
    while (more := reaches[links].any(axis=1) & ~reaches).any():
        reaches |= more
    return int((~reaches).sum())


def plain(lifted: np.ndarray, order: np.ndarray) -> Any:
    """A graph in which each column is an element."""
    graph = hnswlib.Index("l2", lifted.shape[1])
    graph.init_index(len(lifted), **SETTINGS)
    graph.add_items(lifted[order], order, num_threads=1)
    return graph


def measured(name: str, ef: int, ask: Callable[[], list[np.ndarray]], scores: np.ndarray, facts: dict) -> dict:
    """One row of the table."""
    start = time.process_time()
    found = ask()
    spent = (time.process_time() - start) / len(scores)
    last = -np.partition(-scores, FIRST - 1, axis=1)[:, FIRST - 1]
    pairs = zip(scores, found, last, strict=True)
    recall = np.array([min((row[at] >= least - CLOSE).sum() / FIRST, 1.0) for row, at, least in pairs])
    return {
        "graph": name, "ef": ef, "recall@200": f"{recall.mean():.4f}", "worst query": f"{recall.min():.2f}",
        "queries below .9": int((recall < 0.9).sum()), **facts, "CPU ms a query": f"{1000 * spent:.2f}",
    }  # fmt: skip


def study(rows: np.ndarray, asked: np.ndarray) -> list[dict]:
    """All graphs at all widths."""
    lengths, scores = np.linalg.norm(rows, axis=1), asked @ rows.T
    lifted = np.hstack([rows, np.sqrt(np.maximum(lengths.max() ** 2 - lengths**2, 0))[:, None]])
    flat, table = np.hstack([asked, np.zeros((len(asked), 1), np.float32)]), []
    for name, order in (
        ("each column an element, as they came", np.arange(len(rows))),
        ("each column an element, longest first", np.argsort(-lengths, kind="stable")),
    ):
        start = time.process_time()
        graph = plain(lifted, order)
        facts = {"elements": len(rows), "no way out": no_way_out(graph), "build, CPU s": built(start)}
        for ef in EF:
            graph.set_ef(ef)
            ask = graph.knn_query
            table.append(
                measured(name, ef, lambda ask=ask: list(ask(flat, FIRST, 1)[0].astype(np.int64)), scores, facts)
            )
    start = time.process_time()
    index = HnswIndex(rows.shape[1])
    index.add(np.arange(len(rows)), rows)
    graph = index._graph
    elements = graph.get_current_count()
    facts = {"elements": elements, "no way out": no_way_out(graph), "build, CPU s": built(start)}
    for index.ef in EF:
        one_by_one = lambda: [index.query(row[None], FIRST)[0][0] for row in asked]  # noqa: E731
        table.append(measured("copies share one, longest first: tablelens", index.ef, one_by_one, scores, facts))
    return table


def built(start: float) -> str:
    return f"{time.process_time() - start:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--queries", type=int, default=500)
    given = parser.parse_args()
    index = generation.load(given.home).vectors
    rows = np.ascontiguousarray(index.vectors(index.labels()))
    drawn = np.random.default_rng(0).choice(len(rows), min(given.queries, len(rows)), replace=False)
    asked = rows[drawn] / np.maximum(np.linalg.norm(rows[drawn], axis=1, keepdims=True), 1e-9)
    table = study(rows, asked)
    lines = [
        "# Graphs of a lake's vectors", "",
        f"{len(rows):,} vectors, {len(asked)} queries; "
        + "; ".join(f"{name} {value}" for name, value in machine().items()) + f"; load {load()}.", "",
        "`python benchmarks/graphs.py HOME`: see its text for what is measured.", "",
        *grid(list(table[0]), [list(row.values()) for row in table]), "",
    ]  # fmt: skip
    (RESULTS / "graphs.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
