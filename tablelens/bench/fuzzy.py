"""Columns that hold the same things spelled differently: is the right one found, in a lake of its own?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tablelens.bench.jaccard import GRAMS, NAMES, by_jaccard, grams
from tablelens.bench.metrics import reciprocal_rank
from tablelens.bench.pack import read
from tablelens.errors import NotFound
from tablelens.index.postings import Postings
from tablelens.lake import Lake
from tablelens.profile.names import words
from tablelens.profile.normalize import hash_values
from tablelens.types import Hashes, Mode

DEPTH = 10
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FuzzyScore:
    """One ranking on all pairs: recall@10 and mean reciprocal rank within the first 10."""

    arm: str
    pairs: int
    recall: float
    reciprocal: float


def fuzzy_scores(folder: Path, modes: Sequence[Mode], settings: dict[str, Any]) -> tuple[FuzzyScore, ...]:
    """Each pair's query column against the lake of all the others' sides; file names tell nothing.

    Raises:
        NotFound: pairs.parquet names a column that columns.parquet lacks.
    """
    asked, held = sides(folder)
    with lake_of(held, settings) as lake:
        return (*(_scored(lake, asked, mode) for mode in modes), *_baselines(asked, held))


@contextmanager
def lake_of(held: Sequence[Row], settings: dict[str, Any]) -> Iterator[Lake]:
    """A crawled lake with each of some columns as a table that is called by its number."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "lake"
        root.mkdir()
        for i, row in enumerate(held):
            pq.write_table(pa.table({row["column"]: pa.array(row["values"], pa.string())}), root / f"{i:04}.parquet")
        lake = Lake.open(Path(scratch) / "home", **settings)
        lake.crawl(root)
        yield lake


def sides(folder: Path) -> tuple[list[Row], list[Row]]:
    """The columns that ask and those that answer, pair by pair.

    Raises:
        NotFound: pairs.parquet names a column that columns.parquet lacks.
    """
    pairs = read(folder / "pairs.parquet", ("case", "q_side", "x_side"))
    rows = read(folder / "columns.parquet", ("case", "side", "column", "values"))
    columns = {(row["case"], row["side"]): row for row in rows}
    for pair in pairs:
        if missing := [side for side in (pair["q_side"], pair["x_side"]) if (pair["case"], side) not in columns]:
            raise NotFound(f"fuzzy/columns.parquet has no {missing[0]} column of {pair['case']!r}")
    asked, held = ([columns[pair["case"], pair[side]] for pair in pairs] for side in ("q_side", "x_side"))
    return asked, held


def _scored(lake: Lake, asked: list[Row], mode: Mode) -> FuzzyScore:
    rankings = []
    for row in asked:
        answer = lake.joins(row["values"], name=row["column"], k=DEPTH, mode=mode, threshold=0.0)
        rankings.append([int(Path(hit.column.table).stem) for hit in answer.hits])
    return _means(mode, rankings)


def _baselines(asked: list[Row], held: list[Row]) -> Iterator[FuzzyScore]:
    """Rankings by Jaccard of 3-grams and of names; ties in the order of the lake."""
    for name, set_of in ((GRAMS, _gram_set), (NAMES, _name_set)):
        postings = Postings.build([set_of(row) for row in held])
        rankings = []
        for row in asked:
            found, scores = by_jaccard(postings, set_of(row))
            rankings.append(found[np.argsort(-scores, kind="stable")[:DEPTH]].tolist())
        yield _means(name, rankings)


def _gram_set(row: Row) -> Hashes:
    return grams(row["values"])


def _name_set(row: Row) -> Hashes:
    return hash_values(words(row["column"]))


def _means(arm: str, rankings: list[list[int]]) -> FuzzyScore:
    """The right answer of the i-th ranking is i."""
    ranks = [reciprocal_rank(ranking, i) for i, ranking in enumerate(rankings)]
    n = max(len(ranks), 1)
    return FuzzyScore(arm, len(ranks), sum(rank > 0 for rank in ranks) / n, sum(ranks) / n)
