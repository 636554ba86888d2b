"""What two things beyond the paper change: diversity among hits, and distributions of numbers.

    python benchmarks/beyond.py PACK WORK [--queries 300] [--tables 2000]

WORK is the work folder of ``tablelens bench PACK --work WORK``; the lake is crawled there first if it is not yet.

Diversity: equi-join queries of the pack, mode auto. A hit is a *copy* if its values have a Jaccard index of .9 or more
with those of a hit before it; *reach* is the share of the query's values that some hit holds.

Distributions: of some tables of the lake every column with forty distinct numbers or more is cut in two halves without
a common value. The one halves make a lake, of the others some ask. *The name alone* ranks columns of numbers by the
likeness of their names; ties count half.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from tablelens.probes.report.markdown import grid

from tablelens.bench.ground import Ground
from tablelens.bench.machine import machine
from tablelens.bench.metrics import precision, reciprocal_rank
from tablelens.bench.pack import read_pack
from tablelens.bench.prepare import prepare
from tablelens.cli.show import Bar
from tablelens.lake import Lake
from tablelens.profile.names import name_similarities

RESULTS = Path(__file__).parent / "results"
DIVERSITIES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8)
COPY, K, FORTY = 0.9, 10, 40


def diversity(ground: Ground, most: int) -> list[dict[str, float]]:
    """One row a diversity."""
    equi = next(one for one in ground.pack.sets if one.name == "equi")
    queries = [q for q in equi.queries if equi.gains[q.id]][:: max(len(equi.queries) // most, 1)]
    rows = []
    for amount in DIVERSITIES:
        each = [told(ground, ground.place_of[q.cid], equi.gains[q.id], amount) for q in queries]
        copies, reach, found = np.mean(each, axis=0).tolist()
        rows.append({"diversity": amount, "P@10": found, "copies": copies, "reach": reach, "queries": len(queries)})
    return rows


def told(ground: Ground, place: int, gains: dict[int, float], amount: float) -> tuple[float, float, float]:
    """(share of copies, reach, precision) of the hits of one query."""
    view, postings = ground.view, ground.view.generation.postings
    hits = ground.lake.joins_at(place, k=K, mode="auto", threshold=0.0, diversity=amount).hits
    places = view.generation.places(np.array([hit.column.id for hit in hits], np.int64))
    sets = [set(postings.values_of(hit).tolist()) for hit in places.tolist()]
    asked = set(postings.values_of(place).tolist())
    copies = [any(len(a & b) >= COPY * len(a | b) for b in sets[:i]) for i, a in enumerate(sets)]
    held = set().union(*sets) & asked
    worth = np.array([gains.get(cid, 0.0) for cid in ground.cids_at(places)])
    ideal = np.sort(np.array(list(gains.values())))[::-1]
    return float(np.mean(copies or [0])), len(held) / len(asked), precision(worth, ideal, K)


def halves(lake: Path, folder: Path, tables: int) -> list[tuple[str, str, list[float]]]:
    """Write one half of the numbers of some tables; (table, column, the other half) of each column."""
    files = sorted(path for path in lake.rglob("*") if path.suffix in (".csv", ".parquet"))
    rng, asked = np.random.default_rng(0), []
    for number, path in enumerate(files[:: max(len(files) // tables, 1)]):
        data = pc.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)
        kept: dict[str, list[float]] = {}
        for name in dict.fromkeys(data.column_names):
            values = numbers(data.column(data.column_names.index(name)))
            distinct = np.unique(values)
            if len(distinct) >= FORTY:
                first = np.isin(values, rng.permutation(distinct)[: len(distinct) // 2])
                kept[name] = values[first].tolist()
                asked.append((f"{number:05}.parquet", name, values[~first].tolist()))
        if kept:
            longest = max(map(len, kept.values()))
            table = pa.table({name: pa.array(half + [None] * (longest - len(half))) for name, half in kept.items()})
            pq.write_table(table, folder / f"{number:05}.parquet")
    return asked


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """The cells that are numbers; none where fewer than nine in ten are."""
    cells = [str(cell) for cell in column.to_pylist() if cell is not None and str(cell).strip()]
    found = [float(cell) for cell in cells if cell.replace(".", "", 1).removeprefix("-").isdigit()]
    return np.array(found if len(found) >= 0.9 * len(cells) else [], float)


def distributions(lake: Path, most: int, tables: int) -> list[dict[str, float | str]]:
    """One row a ranking."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "lake"
        folder.mkdir()
        asked = halves(lake, folder, tables)
        found = Lake.open(Path(scratch) / "home")
        found.crawl(folder, progress=Bar())
        some = asked[:: max(len(asked) // most, 1)]
        ranks: dict[str, list[float]] = {"the name alone": [by_name(asked, name) for _, name, _ in some]}
        for mode in ("equi", "auto", "semantic"):
            ranks[f"mode {mode}"] = [rank(found, mode, *one) for one in some]
    return [
        {"ranking": name, "MRR": float(np.mean(each)), "R@10": float(np.mean(np.array(each) >= 0.1)),
         "queries": len(some), "columns": len(asked)} for name, each in ranks.items()
    ]  # fmt: skip


def by_name(asked: list[tuple[str, str, list[float]]], name: str) -> float:
    """The reciprocal rank of a column among all by the likeness of names."""
    alike = name_similarities(name, (other for _, other, _ in asked))
    return 1 / (1 + (alike > 1 - 1e-9).sum() / 2 - 0.5)


def rank(lake: Lake, mode: str, table: str, name: str, half: list[float]) -> float:
    """The reciprocal rank of the half that is in the lake, 0 beyond the first 100."""
    hits = lake.joins(half, name=name, k=100, mode=mode, threshold=0.0).hits
    names = [(hit.column.table, hit.column.column) for hit in hits]
    return reciprocal_rank([int(one == (table, name)) for one in names], 1)


def table_of(rows: list[dict]) -> list[str]:
    """Rows as a Markdown table."""
    shown = [[f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
              for value in row.values()] for row in rows]  # fmt: skip
    return grid(list(rows[0]), shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--tables", type=int, default=2000)
    given = parser.parse_args()
    ground, _ = prepare(read_pack(given.pack), given.work, {}, Bar())
    report = {
        "diversity": diversity(ground, given.queries),
        "distributions": distributions(given.work / "lake", given.queries, given.tables),
        "machine": machine(),
    }
    (RESULTS / "beyond.json").write_text(json.dumps(report, indent=1) + "\n")
    lines = [
        "# Beyond the paper", "", "`python benchmarks/beyond.py PACK WORK`: see its text for what is measured.",
        "", "## Diversity among hits", "", *table_of(report["diversity"]),
        "", "## Numbers by distribution: the other half of a column", "", *table_of(report["distributions"]), "",
        "; ".join(f"{name} {value}" for name, value in report["machine"].items()) + ".", "",
    ]  # fmt: skip
    (RESULTS / "beyond.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
