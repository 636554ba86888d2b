"""What do smaller vectors, cuts of long columns and a change of the encoder cost? Three studies of column vectors.

    python benchmarks/vectors.py compact HOME [--queries 300]
    python benchmarks/vectors.py long HOME PACK MAP [--queries 200]
    python benchmarks/vectors.py drift HOME --base FOLDER [--queries 300]

HOME is a crawled home. ``compact`` keeps its vectors in fewer bytes: how many of the exact first 10 and 200 are found,
with and without looking again at some of the best in full. ``long`` takes the text columns of 1,000 distinct values and
more, of which the catalogue keeps 256 cells, reads all their values from the lake pack PACK by the table names of MAP,
and makes their vectors of other choices of cells. ``drift`` changes the encoder from FOLDER to the shipped one when
only a share of the columns is encoded anew (``encode_most``): what does a query of the new encoder find? Queries are
text columns with a partner of joinability .3 or more; truth is containment, counted. Each writes its part of
benchmarks/results/vectors.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tablelens.encoders import StaticEncoder
from tablelens.index import generation
from tablelens.pipeline.drift import mapped
from tablelens.pipeline.train import corpus_of
from tablelens.progress import Silent
from tablelens.settings import Settings
from tablelens.training.config import TrainConfig
from tablelens.training.corpus import Corpus
from tablelens.training.score import evaluate
from tablelens.types import ColumnText

RESULTS = Path(__file__).parent / "results"
LOOKED = (50, 400, 1000)
SHARES = (0.02, 0.05, 0.1, 0.25, 0.5)
LONG = 1000
"""Distinct values from which on a column is a long one."""


def chosen_queries(corpus: Corpus, count: int, among: np.ndarray) -> np.ndarray:
    """Columns of ``among`` that have a partner, evenly thinned."""
    strong = np.unique(corpus.pairs.queries[corpus.pairs.joinability >= 0.3])
    queries = np.intersect1d(strong, among)
    return queries[np.unique(np.linspace(0, len(queries) - 1, min(count, len(queries))).astype(int))]


def first(scores: np.ndarray, k: int) -> np.ndarray:
    top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    return np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable"), 1)


def reached(found: np.ndarray, scores: np.ndarray, k: int) -> float:
    """Recall of the exact first k; what scores as the k-th does is as good as it."""
    worst = -np.sort(-scores, axis=1)[:, k - 1 : k]
    good = np.take_along_axis(scores, found[:, :k], 1) >= worst - 1e-5 * np.abs(worst)
    return float(good.mean())


def in_bytes(rows: np.ndarray) -> tuple[np.ndarray, int]:
    """One byte a dimension and a scale a vector, as the inverted file keeps them; and bytes a vector."""
    scales = np.abs(rows).max(1, keepdims=True) / 127
    return (np.rint(rows / scales) * scales).astype(np.float32), rows.shape[1] + 4


def in_bits(rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Signs alone, at the vector's length; a dimension that is 0, as a bucket that no value fell into, stays 0."""
    signs = np.sign(rows - np.where(rows == 0, 0, rows.mean(0)))
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (signs * lengths / np.maximum(np.linalg.norm(signs, axis=1, keepdims=True), 1e-9)).astype(np.float32), (
        rows.shape[1] // 4 + 4
    )


def compact(corpus: Corpus, encoder: StaticEncoder, queries: np.ndarray) -> list[str]:
    held, asked = encoder.encode(corpus.columns), encoder.encode_queries([corpus.columns[q] for q in queries.tolist()])
    exact = asked @ held.T
    forms = {
        "float32": (held, 4 * held.shape[1]),
        "float16": (held.astype(np.float16).astype(np.float32), 2 * held.shape[1]),
        "int8": in_bytes(held),
        "signs and zeros": in_bits(held),
    }
    lines = ["| kept as | bytes a vector | recall@10 | recall@200 |", "|---|---|---|---|"]
    lines[0] += "".join(f" recall@10, {n} looked at again |" for n in LOOKED)
    lines[1] += "---|" * len(LOOKED)
    for name, (rows, size) in forms.items():
        ranked = first(asked @ rows.T, max(LOOKED))
        again = []
        for n in LOOKED:
            few = ranked[:, :n]
            scores = np.einsum("qd,qnd->qn", asked, held[few])
            again.append(np.take_along_axis(few, first(scores, 10), 1))
        cells = [reached(ranked, exact, 10), reached(ranked, exact, 200)]
        cells += [reached(found, exact, 10) for found in again]
        lines.append(f"| {name} | {size:,} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")
    return lines


def drift(corpus: Corpus, new: StaticEncoder, old: StaticEncoder, queries: np.ndarray) -> list[str]:
    after, before = new.encode(corpus.columns), old.encode(corpus.columns)
    asked = new.encode_queries([corpus.columns[q] for q in queries.tolist()])
    every, order = np.arange(len(corpus)), np.random.default_rng(0).permutation(len(corpus))

    def row(name: str, rows: np.ndarray) -> str:
        scores = evaluate(corpus, queries, every, asked, rows, len(queries)).as_dict()
        same = reached(first(asked @ rows.T, 10), asked @ after.T, 10)
        cells = [scores["ndcg@10"], scores["precision@10"], scores["precision@10 of 200"], same]
        return f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"

    lines = ["| encoded anew | NDCG@10 | P@10 | P@10 of 200 | of the new first 10 |", "|---|---|---|---|---|"]
    asked_before = old.encode_queries([corpus.columns[q] for q in queries.tolist()])
    scores = evaluate(corpus, queries, every, asked_before, before, len(queries)).as_dict()
    lines.append(
        f"| none: the encoder before | {scores['ndcg@10']:.3f} | {scores['precision@10']:.3f} "
        f"| {scores['precision@10 of 200']:.3f} | |"
    )
    for share in SHARES:
        done = np.zeros(len(corpus), bool)
        done[order[: int(share * len(corpus))]] = True
        rows = np.where(done[:, None], after, 0)
        lines.append(row(f"{share:.0%}, the others are not there", rows))
        if before.shape == after.shape:
            lines.append(row(f"{share:.0%}, the others as they were", np.where(done[:, None], after, before)))
        rows[~done] = mapped(before[~done], before[done], after[done])
        lines.append(row(f"{share:.0%}, the others mapped", rows))
    return [*lines, row("all", after)]


def values_of(pack: Path, names: dict[str, str], wanted: set[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """All distinct values of some columns, by (path of the table, name of the column)."""
    found = {}
    for path in sorted((pack / "tables").glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(64, columns=["table_id", "column", "values"]):
            rows = zip(batch["table_id"].to_pylist(), batch["column"].to_pylist(), batch["values"], strict=True)
            for table, column, values in rows:
                if (key := (names.get(table, ""), column)) in wanted:
                    found[key] = list(dict.fromkeys(v for v in values.as_py() if v))
    return found


def long_columns(
    corpus: Corpus, encoder: StaticEncoder, every: dict[int, list[str]], long: np.ndarray, queries: np.ndarray
) -> list[str]:
    """Vectors of the long columns by other cells; all other columns stay as they are."""
    rng = np.random.default_rng(0)
    candidates = np.arange(len(corpus))
    held = encoder.encode(corpus.columns)
    asked = encoder.encode_queries([corpus.columns[q] for q in queries.tolist()])

    def encoded(cells_of) -> np.ndarray:
        rows = held.copy()
        made: list[ColumnText] = [replace(corpus.columns[p], cells=tuple(cells_of(every[p]))) for p in long.tolist()]
        rows[long] = encoder.encode(made)
        return rows

    def row(name: str, rows: np.ndarray) -> str:
        return told(name, asked @ rows.T)

    def told(name: str, scores: np.ndarray) -> str:
        one_each = np.eye(len(queries), dtype=np.float32)  # evaluate multiplies: row i gives the scores of query i
        found = evaluate(corpus, queries, candidates, one_each, scores.T.copy(), len(queries)).as_dict()
        cells = (found["ndcg@10"], found["precision@10"], found["precision@10 of 200"])
        return f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"

    def drawn(count: int):
        return lambda cells: [cells[i] for i in rng.choice(len(cells), min(count, len(cells)), replace=False)]

    lines = ["| cells of a long column | NDCG@10 | P@10 | P@10 of 200 |", "|---|---|---|---|"]
    lines.append(row("256, the most frequent in the column (as crawled)", held))
    lines.append(row("256, the first", encoded(lambda cells: cells[:256])))
    lines.append(row("256, at random", encoded(drawn(256))))
    lines.append(row("64, at random", encoded(drawn(64))))
    lines.append(row("all", encoded(lambda cells: cells)))
    scores = asked @ held.T
    for place in long.tolist():
        cells = every[place]
        parts = [cells[i : i + 256] for i in range(0, len(cells), 256)]
        made = encoder.encode([replace(corpus.columns[place], cells=tuple(part)) for part in parts])
        scores[:, place] = (asked @ made.T).max(1)
    lines.append(told("all, a vector each 256, the best counts", scores))
    return lines


def write(part: str, told: list[str], lines: list[str]) -> None:
    """Put one part into the page, beside the others."""
    path = RESULTS / "vectors.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    known[part] = {"told": told, "lines": lines}
    path.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    titles = {"compact": "Compact vectors", "long": "Long columns", "drift": "A change of the encoder"}
    page = ["# Column vectors: smaller, cut, mapped", "", "`python benchmarks/vectors.py`: see its text.", ""]
    for name, title in titles.items():
        if name in known:
            page += [f"## {title}", "", *known[name]["told"], "", *known[name]["lines"], ""]
    (RESULTS / "vectors.md").write_text("\n".join(page))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("compact", "long", "drift"))
    parser.add_argument("home", type=Path)
    parser.add_argument("pack", type=Path, nargs="?")
    parser.add_argument("map", type=Path, nargs="?")
    parser.add_argument("--base", type=Path)
    parser.add_argument("--queries", type=int, default=300)
    given = parser.parse_args()
    encoder, made = StaticEncoder(), generation.load(given.home)
    corpus = corpus_of(made, encoder, Settings(), TrainConfig(), (), Silent())
    told = [
        f"{len(corpus):,} text columns; encoder {encoder.name}, {encoder.dimension} dimensions; exact search; "
        f"{os.cpu_count()} cores, {platform.machine()}."
    ]
    if given.part == "compact":
        queries = chosen_queries(corpus, given.queries, np.arange(len(corpus)))
        lines = compact(corpus, encoder, queries)
    elif given.part == "drift":
        queries = chosen_queries(corpus, given.queries, np.arange(len(corpus)))
        lines = drift(corpus, encoder, StaticEncoder(given.base), queries)
    else:
        sizes = np.array([column.distinct for column in corpus.columns])
        long = np.flatnonzero(sizes >= LONG)
        tables = [group.partition("/")[2] for group in corpus.groups]
        place_of = {(tables[p], corpus.columns[p].name): p for p in long.tolist()}
        found = values_of(given.pack, json.loads(given.map.read_text()), set(place_of))
        every = {place_of[key]: values for key, values in found.items()}
        long = np.array(sorted(every), np.int64)
        queries = chosen_queries(corpus, given.queries, long)
        lines = long_columns(corpus, encoder, every, long, queries)
        told.append(f"{len(long):,} columns have {LONG:,} distinct values or more; {len(queries)} of them ask.")
    told.append(f"{len(queries)} queries.")
    write(given.part, told, lines)
    print("\n".join([*told, *lines]))


if __name__ == "__main__":
    main()
