"""The one way to vectors: checked, cached by what the model saw, timed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tablelens.types import Vectors

from .base import EncoderFault, Level, Skip
from .models.base import Asymmetric, Model, Piece, items
from .tables import Table, digest

BATCH = 64
Encode = Callable[[Sequence[Piece]], list[Vectors]]


@dataclass
class Cost:
    """What a model took, less what the cache gave."""

    encoded: int = 0
    """Pieces that went through the model."""
    cached: int = 0
    vectors: int = 0
    seconds: float = 0.0
    columns: int = 0
    column_seconds: float = 0.0

    @property
    def ms_a_column(self) -> float | None:
        """Milliseconds of a column vector; None where all came from the cache."""
        return 1000 * self.column_seconds / self.columns if self.columns else None


class Cache:
    """Vectors by key in an SQLite file; without a path in memory. Survives a kill between two commits."""

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path or ":memory:", timeout=60)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, n INTEGER, raw BLOB) WITHOUT ROWID")

    def get(self, key: bytes) -> Vectors | None:
        """float32 (n, d), or None."""
        row = self._db.execute("SELECT n, raw FROM vectors WHERE key = ?", [key]).fetchone()
        return None if row is None else np.frombuffer(row[1], np.float32).reshape(row[0], -1)

    def put(self, rows: Iterable[tuple[bytes, Vectors]]) -> None:
        """Keep vectors, in one transaction."""
        found = [(key, len(made), np.ascontiguousarray(made, np.float32).tobytes()) for key, made in rows]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", found)

    def close(self) -> None:
        """Give the file back."""
        self._db.close()


class Embedder:
    """A model behind checks and a cache.

    A fault of the model is kept to the tables that it befell: a batch that raises is tried again piece by piece.
    """

    def __init__(self, model: Model, cache: Cache | None = None) -> None:
        self.model = model
        self.cost = Cost()
        self.asymmetric = isinstance(model, Asymmetric)
        self._cache = cache or Cache()
        self._dimension: dict[tuple[bool, Level], int] = {}

    def embed(self, table: Table, level: Level, queries: bool = False) -> Vectors:
        """Vectors of a table's items, float32 (n, d).

        Raises:
            Skip: the table is not for this model.
            EncoderFault: the model raised, or gave NaN or the wrong shape.
        """
        (found,) = self.embed_all([table], level, queries)
        if isinstance(found, Skip):
            raise found
        return found

    def embed_all(self, tables: Sequence[Table], level: Level, queries: bool = False) -> list[Vectors | Skip]:
        """Vectors of each table's items, or why there are none."""
        wanted = [self._pieces(table, level) for table in tables]
        known: dict[bytes, Vectors | EncoderFault] = {}
        missing: dict[bytes, Piece] = {}
        for found in wanted:
            for piece in found if not isinstance(found, Skip) else ():
                key = self._key(piece, level, queries)
                if key in known or key in missing:
                    continue
                cached = self._cache.get(key)
                if cached is None:
                    missing[key] = piece
                else:
                    known[key] = cached
                    self.cost.cached += 1
        known |= self._encode(missing, level, queries)
        return [self._joined(table, found, level, queries, known) for table, found in zip(tables, wanted, strict=True)]

    def fresh(self, table: Table, level: Level, one_by_one: bool = False) -> Vectors:
        """Vectors that really went through the model now, in one batch or piece by piece; never from the cache."""
        pieces = self._pieces(table, level)
        if isinstance(pieces, Skip):
            raise pieces
        batches = [[piece] for piece in pieces] if one_by_one else [pieces]
        made = [self._checked(vectors, piece, level) for batch in batches for piece, vectors in self._run(batch)]
        if any(isinstance(found, EncoderFault) for found in made):
            raise next(found for found in made if isinstance(found, EncoderFault))
        return np.concatenate([found for found in made if not isinstance(found, EncoderFault)])

    def _pieces(self, table: Table, level: Level) -> list[Piece] | Skip:
        if level not in self.model.levels:
            return Skip("level")
        if not table.width or not table.rows:
            return Skip("empty-table")
        try:
            return self.model.pieces(table, level)
        except Skip as error:
            return error
        except Exception as error:  # a model may raise anything
            return EncoderFault(f"encoder-raised: {_brief(error)}")

    def _key(self, piece: Piece, level: Level, queries: bool) -> bytes:
        return digest(self.model.revision, level, "query" if queries else "", piece.key)

    def _encode(self, missing: dict[bytes, Piece], level: Level, queries: bool) -> dict[bytes, Vectors | EncoderFault]:
        made: dict[bytes, Vectors | EncoderFault] = {}
        keys = list(missing)
        for start in range(0, len(keys), BATCH):
            batch = keys[start : start + BATCH]
            began = time.perf_counter()
            pairs = self._run([missing[key] for key in batch], queries)
            self._count(batch, missing, level, time.perf_counter() - began)
            fresh = {
                key: self._checked(vectors, piece, level, queries)
                for key, (piece, vectors) in zip(batch, pairs, strict=True)
            }
            self._cache.put((key, found) for key, found in fresh.items() if not isinstance(found, EncoderFault))
            made |= fresh
        return made

    def _count(self, batch: Sequence[bytes], missing: dict[bytes, Piece], level: Level, seconds: float) -> None:
        vectors = sum(missing[key].items for key in batch)
        self.cost.encoded += len(batch)
        self.cost.vectors += vectors
        self.cost.seconds += seconds
        if level == "column":
            self.cost.columns += vectors
            self.cost.column_seconds += seconds

    def _run(self, batch: Sequence[Piece], queries: bool = False) -> list[tuple[Piece, Vectors | EncoderFault]]:
        encode: Encode = getattr(self.model, "encode_queries" if queries and self.asymmetric else "encode")
        try:
            made: list[Vectors | EncoderFault] = list(encode(batch))
        except Exception as error:  # a model may raise anything
            if len(batch) > 1:
                return [pair for piece in batch for pair in self._run([piece], queries)]
            return [(batch[0], EncoderFault(f"encoder-raised: {_brief(error)}"))]
        if len(made) != len(batch):
            made = [EncoderFault("encoder-shape")] * len(batch)
        return list(zip(batch, made, strict=True))

    def _checked(
        self, found: Vectors | EncoderFault, piece: Piece, level: Level, queries: bool = False
    ) -> Vectors | EncoderFault:
        """The vectors as float32 (items, d), or what is wrong with them."""
        if isinstance(found, EncoderFault):
            return found
        made = np.asarray(found)
        if made.ndim != 2 or len(made) != piece.items or not made.shape[1] or made.dtype.kind not in "fiu":
            return EncoderFault("encoder-shape")
        if self._dimension.setdefault((queries, level), made.shape[1]) != made.shape[1]:
            return EncoderFault("encoder-shape")
        if not np.isfinite(made).all():
            return EncoderFault("encoder-nan")
        return np.asarray(made, np.float32)

    def _joined(
        self,
        table: Table,
        pieces: list[Piece] | Skip,
        level: Level,
        queries: bool,
        known: dict[bytes, Vectors | EncoderFault],
    ) -> Vectors | Skip:
        if isinstance(pieces, Skip):
            return pieces
        parts: list[Vectors] = []
        for piece in pieces:
            found = known[self._key(piece, level, queries)]
            if isinstance(found, EncoderFault):
                return found
            parts.append(found)
        made = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
        return made if len(made) == items(table, level) else EncoderFault("encoder-shape")


def _brief(error: Exception) -> str:
    return type(error).__name__
