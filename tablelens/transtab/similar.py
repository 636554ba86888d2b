"""Rows of a lake as vectors that can be searched: which rows, of whatever table, are like this one.

One encoder is trained on all tables by contrast of vertical partitions (``TransTabEncoder``), so rows are alike that
say like things in like columns. Vectors have length 1; similarity is the cosine. To search takes no torch.

    rows/model/          the encoder, as ``TransTabEncoder.save`` writes it
    rows/vectors.npy     float32 (n, d)
    rows/rows.arrow      lake, table, row: what each vector is of
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import blake3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.errors import DamagedIndex, NoLake, UnknownTable, UsageError
from tablelens.types import Vectors

if TYPE_CHECKING:
    from tablelens.transtab.encoder import TransTabEncoder

FOLDER = "rows"
LEARNT_FROM = 20_000
"""Rows that an encoder learns from, spread evenly over the tables; at least MIN_LEARNT of each."""
MIN_LEARNT = 16
AT_ONCE = 64
"""Tables that are encoded after the model has grown by their words."""
AGAIN = "run `tablelens rows index` again"
Table = tuple[str, str, pa.Table]
"""Lake, name, data."""
Told = Callable[[str], None]


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

    places: pa.Table
    """lake, table, row of each vector"""
    vectors: Vectors
    make_encoder: Callable[[], TransTabEncoder]

    @cached_property
    def encoder(self) -> TransTabEncoder:
        """What made the vectors; torch is imported now."""
        return self.make_encoder()

    @classmethod
    def build(
        cls, tables: Sequence[Table], *, epochs: int = 5, seed: int = 0, resume: Path | None = None,
        told: Told = lambda _: None,
    ) -> RowIndex:  # fmt: skip
        """Train an encoder on tables and encode their rows.

        Args:
            tables: lake, name and data of each.
            epochs: rounds of the training.
            seed: of the training.
            resume: a folder for the state of the training; one that was cut off goes on.
            told: is called with the name of each step.

        Raises:
            UsageError: there is no row.

        >>> wine = pa.table({"colour": ["red", "white"] * 8, "year": list(range(16))})
        >>> beer = pa.table({"colour": ["red", "black"] * 8, "strong": [True, False] * 8})
        >>> made = RowIndex.build([("shop", "wine", wine), ("shop", "beer", beer)], epochs=1)
        >>> len(made.similar("wine", 0, k=3))
        3
        """
        from tablelens.transtab.encoder import TransTabEncoder  # torch: for those who build

        named = [(lake, name, table) for lake, name, table in tables if table.num_rows and table.num_columns]
        if not named:
            raise UsageError("there are no rows to index", "crawl tables that hold rows first")
        encoder = TransTabEncoder(
            epochs=epochs, random_state=seed, resume=None if resume is None else str(resume),
            told=lambda _, epoch, loss: told(f"epoch {epoch + 1} of {epochs}: loss {loss:.3f}"),
        )  # fmt: skip
        most = max(LEARNT_FROM // len(named), MIN_LEARNT)
        encoder.fit_tables([_spread(table, most) for _, _, table in named])
        data = [table for _, _, table in named]
        parts = [encoder.encode_tables(data[at : at + AT_ONCE]) for at in range(0, len(data), AT_ONCE)]
        vectors = _unit(np.concatenate([vectors for part in parts for vectors in part]))
        counts = [len(table) for table in data]
        places = pa.table({
            "lake": _repeated([lake for lake, _, _ in named], counts),
            "table": _repeated([name for _, name, _ in named], counts),
            "row": pa.array(np.concatenate([np.arange(count) for count in counts])),
        })  # fmt: skip
        return cls(places, vectors, lambda: encoder)

    def similar(
        self, table: str, row: int, k: int = 10, *, lake: str | None = None, others: bool = False,
        lakes: Collection[str] | None = None,
    ) -> list[SimilarRow]:  # fmt: skip
        """The k rows most like a row of an indexed table, the likest first.

        Args:
            table: the name of the table.
            row: the row's number, from 0.
            k: how many at most.
            lake: the table's lake, where several have a table of the name.
            others: leave the rows of the table itself out.
            lakes: the lakes that are looked at; None takes all.

        Raises:
            UnknownTable: the table was not indexed.
            UsageError: it has no such row.
        """
        seen = self._of("lake", self._lakes() if lakes is None else lakes)
        own = seen & self._of("table", [table]) & (seen if lake is None else self._of("lake", [lake]))
        if not own.any():
            known = pc.unique(self.places["table"].filter(pa.array(seen))).to_pylist()
            raise UnknownTable.among("table", table, known, "index its rows: `tablelens rows index`")
        place = np.flatnonzero(own & (self.places["row"].to_numpy() == row))
        if not len(place):
            raise UsageError(
                f"{table!r} has no indexed row {row}",
                f"rows 0 to {int(own.sum()) - 1} are indexed, `tablelens rows index --rows N` takes more",
            )
        left_out = own if others else np.arange(len(own)) == place[0]
        return self.nearest(self.vectors[place[0]], k, seen & ~left_out)

    def holds(self, lake: str, table: str, row: int) -> bool:
        """Whether a row was indexed."""
        same = self._of("lake", [lake]) & self._of("table", [table])
        return bool((same & (self.places["row"].to_numpy() == row)).any())

    def like(
        self, row: pa.Table, k: int = 10, *, lakes: Collection[str] | None = None,
        without: tuple[str, str] | None = None,
    ) -> list[SimilarRow]:  # fmt: skip
        """The k rows most like one that was not indexed; torch is imported.

        Args:
            row: a table of one row.
            k: how many at most.
            lakes: the lakes that are looked at; None takes all.
            without: lake and name of a table whose rows are left out.
        """
        vector = _unit(self.encoder.transform(row.slice(0, 1)))[0]
        seen = self._of("lake", self._lakes() if lakes is None else lakes)
        if without is not None:
            seen &= ~(self._of("lake", without[:1]) & self._of("table", without[1:]))
        return self.nearest(vector, k, seen)

    def nearest(self, vector: Vectors, k: int, seen: npt.NDArray[np.bool_]) -> list[SimilarRow]:
        """The k nearest of the rows that are seen, every one weighed; of equal ones the first.

        Raises:
            UsageError: k is less than 1.
        """
        if k < 1:
            raise UsageError(f"k is {k}", "ask for 1 row or more")
        places = np.flatnonzero(seen)
        scores = np.vecdot(self.vectors, vector)[places]  # without the threads of BLAS, as in index/ivf.py
        best = np.argsort(-scores, kind="stable")[:k]
        found = self.places.take(pa.array(places[best])).to_pylist()
        return [
            SimilarRow(row["lake"], row["table"], row["row"], round(float(score), 6))
            for row, score in zip(found, scores[best], strict=True)
        ]

    def _lakes(self) -> list[str]:
        found: list[str] = pc.unique(self.places["lake"]).to_pylist()
        return found

    def _of(self, column: str, names: Collection[str]) -> npt.NDArray[np.bool_]:
        """Which rows are of one of the names, (n,)."""
        kept = pc.is_in(self.places[column], pa.array(list(names), pa.string()))
        return np.asarray(kept.to_numpy(), bool)

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
        """Read what ``save`` wrote; the same object, as long as it was not written anew.

        Raises:
            NoLake: no rows were indexed in this home.
            DamagedIndex: a file is missing or is not what was written.
        """
        folder = home / FOLDER
        try:
            info = (folder / "manifest.json").stat()
        except FileNotFoundError:
            raise NoLake(f"no rows were indexed in {home} yet", "run `tablelens rows index`") from None
        return _loaded(folder, (info.st_mtime_ns, info.st_ino))

    @classmethod
    def _read(cls, folder: Path) -> RowIndex:
        try:
            about: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
            damaged = [name for name, digest in about.items() if _digest(folder / name) != digest]
        except (OSError, ValueError) as error:
            raise DamagedIndex(f"cannot read {folder}: {error}", AGAIN) from error
        if damaged:
            raise DamagedIndex(f"{folder / damaged[0]} is not what was written", AGAIN)
        with pa.memory_map(str(folder / "rows.arrow")) as source:
            places = pa.ipc.open_file(source).read_all()
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        return cls(places, vectors, lambda: _encoder(folder / "model"))


@lru_cache(maxsize=4)
def _loaded(folder: Path, stamp: tuple[int, int]) -> RowIndex:
    """The index in a folder; another stamp is another index."""
    return RowIndex._read(folder)


def _spread(table: pa.Table, most: int) -> pa.Table:
    """At most so many rows, evenly spaced."""
    if table.num_rows <= most:
        return table
    return table.take(pa.array(np.linspace(0, table.num_rows - 1, most).astype(np.int64)))


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    made: Vectors = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
    return made


def _repeated(names: Sequence[str], counts: Sequence[int]) -> pa.Array:
    """Each name as often as its table has rows."""
    return pa.array(names, pa.string()).take(pa.array(np.repeat(np.arange(len(names)), counts)))


def _encoder(folder: Path) -> TransTabEncoder:
    from tablelens.transtab.encoder import TransTabEncoder

    return TransTabEncoder.load(folder)


def _digest(path: Path) -> str:
    return blake3.blake3(path.read_bytes()).hexdigest()
