"""Columns that hold the same things spelled differently: is the right one found, in a lake of its own?"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tablelens.bench.metrics import reciprocal_rank
from tablelens.bench.pack import read
from tablelens.errors import NotFound
from tablelens.lake import Lake
from tablelens.types import Mode

DEPTH = 10


@dataclass(frozen=True, slots=True)
class FuzzyScore:
    """One mode on all pairs: recall@10 and mean reciprocal rank within the first 10."""

    mode: str
    pairs: int
    recall: float
    reciprocal: float


def fuzzy_scores(folder: Path, modes: Sequence[Mode], settings: dict[str, Any]) -> tuple[FuzzyScore, ...]:
    """Each pair's query column against the lake of all the others' sides; file names tell nothing.

    Raises:
        NotFound: pairs.parquet names a column that columns.parquet lacks.
    """
    pairs = read(folder / "pairs.parquet", ("case", "q_side", "x_side"))
    rows = read(folder / "columns.parquet", ("case", "side", "column", "values"))
    columns = {(row["case"], row["side"]): row for row in rows}
    for pair in pairs:
        if missing := [side for side in (pair["q_side"], pair["x_side"]) if (pair["case"], side) not in columns]:
            raise NotFound(f"fuzzy/columns.parquet has no {missing[0]} column of {pair['case']!r}")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "lake"
        root.mkdir()
        for i, pair in enumerate(pairs):
            row = columns[pair["case"], pair["x_side"]]
            pq.write_table(pa.table({row["column"]: pa.array(row["values"], pa.string())}), root / f"{i:04}.parquet")
        lake = Lake.open(Path(scratch) / "home", **settings)
        lake.crawl(root)
        asked = [columns[pair["case"], pair["q_side"]] for pair in pairs]
        return tuple(_scored(lake, asked, mode) for mode in modes)


def _scored(lake: Lake, asked: list[dict[str, Any]], mode: Mode) -> FuzzyScore:
    ranks = []
    for i, row in enumerate(asked):
        answer = lake.joins(row["values"], name=row["column"], k=DEPTH, mode=mode, threshold=0.0)
        tables = [int(Path(hit.column.table).stem) for hit in answer.hits]
        ranks.append(reciprocal_rank(tables, i))
    n = max(len(ranks), 1)
    return FuzzyScore(mode, len(ranks), sum(rank > 0 for rank in ranks) / n, sum(ranks) / n)
