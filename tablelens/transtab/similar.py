"""Rows of a lake as vectors that can be searched: which rows, of whatever table, are like this one.

One encoder is trained on all tables by contrast of vertical partitions (``TransTabEncoder``), so rows are alike that
say like things in like columns. Vectors have length 1; similarity is the cosine.

    rows/model/          the encoder, as ``TransTabEncoder.save`` writes it
    rows/vectors.npy     float32 (n, d)
    rows/rows.arrow      lake, table, row: what each vector is of
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import blake3
import numpy as np
import pyarrow as pa

from tablelens.errors import DamagedIndex, NoLake, UnknownTable, UsageError
from tablelens.index.base import VectorIndex
from tablelens.index.exact import ExactIndex
from tablelens.index.hnsw import HnswIndex
from tablelens.transtab.estimator import TransTabEncoder
from tablelens.types import Vectors

FOLDER = "rows"
EXACT_BELOW = 50_000
"""Rows below which every vector is weighed."""


@dataclass(frozen=True, slots=True)
class SimilarRow:
    """A row that is like the one that was asked for."""

    lake: str
    table: str
    row: int
    """Its number in the table, from 0."""
    similarity: float
    """Cosine."""


@dataclass(frozen=True)
class RowIndex:
    """Vectors of rows, and what they are of."""

    encoder: TransTabEncoder
    places: pa.Table
    vectors: Vectors
    index: VectorIndex

    @classmethod
    def build(cls, tables: Iterable[tuple[str, str, pa.Table]], *, epochs: int = 5, seed: int = 0) -> RowIndex:
        """Train an encoder on tables, (lake, name, data) each, and encode their rows.

        Raises:
            UsageError: there is no row.

        >>> wine = pa.table({"colour": ["red", "white"] * 8, "year": list(range(16))})
        >>> beer = pa.table({"colour": ["red", "black"] * 8, "strong": [True, False] * 8})
        >>> made = RowIndex.build([("shop", "wine", wine), ("shop", "beer", beer)], epochs=1)
        >>> len(made.similar("wine", 0, k=3))
        3
        """
        named = [(lake, name, table) for lake, name, table in tables if table.num_rows and table.num_columns]
        if not named:
            raise UsageError("there are no rows to index", "crawl tables that hold rows first")
        encoder = TransTabEncoder(epochs=epochs, random_state=seed).fit_tables([table for _, _, table in named])
        vectors = np.concatenate([encoder.transform(table) for _, _, table in named])
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        places = pa.table({
            "lake": pa.array([lake for lake, _, table in named for _ in range(table.num_rows)]).dictionary_encode(),
            "table": pa.array([name for _, name, table in named for _ in range(table.num_rows)]).dictionary_encode(),
            "row": pa.array([row for _, _, table in named for row in range(table.num_rows)], pa.int64()),
        })  # fmt: skip
        return cls(encoder, places, vectors, _indexed(vectors))

    def similar(self, table: str, row: int, k: int = 10, *, others: bool = False) -> list[SimilarRow]:
        """The k rows most like a row of an indexed table; with ``others``, of other tables alone.

        Raises:
            UnknownTable: the table was not indexed.
            UsageError: it has no such row.
        """
        names = self.places["table"].to_pylist()
        own = np.array([name == table for name in names])
        if not own.any():
            raise UnknownTable.among("table", table, dict.fromkeys(names), "index its rows: `tablelens rows index`")
        place = np.flatnonzero(own & (self.places["row"].to_numpy() == row))
        if not len(place):
            raise UsageError(f"{table!r} has no indexed row {row}", f"rows 0 to {int(own.sum()) - 1} are indexed")
        left_out = own if others else np.arange(len(names)) == place[0]
        return self.nearest(self.vectors[place[0]], k, left_out)

    def like(self, row: pa.Table, k: int = 10) -> list[SimilarRow]:
        """The k rows most like a row from outside, a table of one row."""
        vector = self.encoder.transform(row.slice(0, 1))[0]
        return self.nearest(vector / max(float(np.linalg.norm(vector)), 1e-9), k, np.zeros(len(self.vectors), bool))

    def nearest(self, vector: Vectors, k: int, left_out: Sequence[bool] | np.ndarray) -> list[SimilarRow]:
        """The k nearest of the rows that are not left out."""
        gone = np.asarray(left_out, bool)
        wanted = min(k + int(gone.sum()), len(gone))
        labels, scores = self.index.query(vector[None, :], wanted)[0]
        kept = ~gone[labels]
        places, scores = labels[kept][:k], scores[kept][:k]
        found = self.places.take(pa.array(places)).to_pylist()
        return [
            SimilarRow(row["lake"], row["table"], row["row"], round(float(score), 6))
            for row, score in zip(found, scores, strict=True)
        ]

    def save(self, home: Path) -> None:
        """Write into a home; what was there is replaced when all is written."""
        final, partial = home / FOLDER, home / f"{FOLDER}.tmp"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self.encoder.save(partial / "model")
        np.save(partial / "vectors.npy", self.vectors, allow_pickle=False)
        with pa.OSFile(str(partial / "rows.arrow"), "wb") as sink, pa.ipc.new_file(sink, self.places.schema) as writer:
            writer.write_table(self.places)
        about = {name: _digest(partial / name) for name in ("vectors.npy", "rows.arrow")}
        (partial / "manifest.json").write_text(json.dumps(about))
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)

    @classmethod
    def load(cls, home: Path) -> RowIndex:
        """Read what ``save`` wrote.

        Raises:
            NoLake: no rows were indexed in this home.
            DamagedIndex: a file is missing or is not what was written.
        """
        folder = home / FOLDER
        if not folder.is_dir():
            raise NoLake(f"no rows were indexed in {home} yet", "run `tablelens rows index`")
        try:
            about: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
            damaged = [name for name, digest in about.items() if _digest(folder / name) != digest]
        except (OSError, ValueError) as error:
            raise DamagedIndex(f"cannot read {folder}: {error}", "run `tablelens rows index` again") from error
        if damaged:
            raise DamagedIndex(f"{folder / damaged[0]} is not what was written", "run `tablelens rows index` again")
        with pa.memory_map(str(folder / "rows.arrow")) as source:
            places = pa.ipc.open_file(source).read_all()
        vectors = np.load(folder / "vectors.npy", allow_pickle=False)
        return cls(TransTabEncoder.load(folder / "model"), places, vectors, _indexed(vectors))


def _indexed(vectors: Vectors) -> VectorIndex:
    kind = ExactIndex if len(vectors) < EXACT_BELOW else HnswIndex
    index: VectorIndex = kind(vectors.shape[1])
    index.add(np.arange(len(vectors)), vectors)
    return index


def _digest(path: Path) -> str:
    return blake3.blake3(path.read_bytes()).hexdigest()
