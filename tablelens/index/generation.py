"""An index generation: a folder of files that were written together, are checked together and never change.

    home/index/7/manifest.json    what the generation is, and size and BLAKE3 of each file
    home/index/7/columns.arrow    the columns, ascending by id: names, kinds, counts, kept cells; the n-th is place n
    home/index/7/*.npy            postings, facts, names; alignments; vectors or their labels
    home/index/7/vectors.hnsw     the graph over all vectors (index/hnsw.py), or in its stead
    home/index/7/ivf_*.npy        the inverted file (index/ivf.py), where there are very many columns
    home/catalog-7.duckdb         the catalogue as it was then, for SQL
    home/CURRENT                  7

A generation is complete before CURRENT names it, so a reader sees the old one or the new one. Every HNSW library
crashes or answers wrongly on a damaged file: nothing is loaded whose checksum does not fit.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from tablelens.errors import DamagedIndex, IndexFault, NoLake
from tablelens.index.alignments import Alignments
from tablelens.index.base import VectorIndex
from tablelens.index.exact import ExactIndex
from tablelens.index.facts import save_facts
from tablelens.index.hnsw import HnswIndex
from tablelens.index.ivf import IvfIndex
from tablelens.index.names import save_names
from tablelens.index.postings import Postings
from tablelens.index.words import WordIndex
from tablelens.types import Ids

FORMAT = 3
KINDS: dict[str, type[ExactIndex | HnswIndex | IvfIndex]] = {
    "exact": ExactIndex,
    "hnsw": HnswIndex,
    "ivf": IvfIndex,
}
MAPPED = 1 << 16
"""Files below this size are read, larger ones mapped, to make their checksum."""


@dataclass(frozen=True)
class Generation:
    """A loaded generation."""

    number: int
    columns: pa.Table
    postings: Postings
    alignments: Alignments
    vectors: VectorIndex
    encoder: dict[str, Any]
    """name, revision, dimension, template, unit, dtype of the encoder that made the vectors."""
    roots: dict[str, str]
    """Root folder of each lake, by its name."""

    @cached_property
    def ids(self) -> Ids:
        """Column ids by place, ascending."""
        return np.asarray(self.columns["id"].to_numpy())

    def places(self, ids: Ids) -> Ids:
        """Places of column ids that are there."""
        return np.searchsorted(self.ids, ids)

    def only(self, lakes: Collection[str]) -> Generation:
        """The generation as if the other lakes had never been crawled. Its vectors are searched exactly."""
        mask = pc.is_in(self.columns["lake"], pa.array(sorted(lakes), pa.string()))
        columns = self.columns.filter(mask).combine_chunks()
        labels = np.intersect1d(self.vectors.labels(), columns["id"].to_numpy())
        vectors = ExactIndex(self.vectors.dimension)
        if len(labels):
            vectors.add(labels, self.vectors.vectors(labels))
        places = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
        postings, alignments = self.postings.only(places), self.alignments.only(places)
        roots = {name: root for name, root in self.roots.items() if name in lakes}
        return Generation(self.number, columns, postings, alignments, vectors, self.encoder, roots)


def current(home: Path) -> int | None:
    """The number of the generation that answers, or None where no crawl was finished."""
    try:
        return int((home / "CURRENT").read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def folder_of(home: Path, number: int) -> Path:
    """Where a generation lies."""
    return home / "index" / str(number)


def catalog_of(home: Path, number: int) -> Path:
    """The catalogue snapshot that belongs to a generation."""
    return home / f"catalog-{number}.duckdb"


def save(
    home: Path,
    number: int,
    columns: pa.Table,
    postings: Postings,
    alignments: Alignments,
    vectors: VectorIndex,
    words: WordIndex,
    encoder: dict[str, Any],
    roots: dict[str, str],
) -> Path:
    """Write a generation beside its final place and move it there when it is whole."""
    final, partial = folder_of(home, number), folder_of(home, number).with_suffix(".tmp")
    with _writing(partial):
        for leftover in (partial, final):  # a number is only given out again when its crawl was cut off
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir(parents=True)
        with pa.ipc.new_file(partial / "columns.arrow", columns.schema) as writer:
            writer.write_table(columns.combine_chunks())
        save_facts(partial, columns)
        save_names(partial, columns)
        postings.save(partial)
        alignments.save(partial)
        words.save(partial)
        about = vectors.save(partial) | {"kind": vectors.kind, "dimension": vectors.dimension, "count": len(vectors)}
        files = {
            str(path.relative_to(partial)): {"bytes": path.stat().st_size, "blake3": _checksum(path)}
            for path in sorted(partial.rglob("*"))
            if path.is_file()
        }
        manifest = {"format": FORMAT, "number": number, "columns": columns.num_rows, "encoder": encoder, "roots": roots}
        manifest |= {"vectors": about, "files": files}
        manifest["blake3"] = _seal(manifest)
        _write(partial / "manifest.json", json.dumps(manifest, indent=1))
        partial.replace(final)
    return final


def publish(home: Path, number: int) -> None:
    """Let a generation answer: one rename."""
    with _writing(home / "CURRENT"):
        _write(home / "CURRENT.tmp", str(number))
        (home / "CURRENT.tmp").replace(home / "CURRENT")


def load(home: Path, number: int | None = None) -> Generation:
    """Check and map a generation, the current one if no number is given.

    Raises:
        NoLake: no crawl was finished in this home.
        DamagedIndex: a file is missing, of another size or of another content than the manifest says.
    """
    number = current(home) if number is None else number
    if number is None:
        raise NoLake(f"nothing has been crawled in {home} yet", "run `tablelens crawl PATH`")
    folder = folder_of(home, number)
    manifest = check(folder)
    source = pa.memory_map(str(folder / "columns.arrow"))
    vectors = manifest["vectors"]
    return Generation(
        number,
        pa.ipc.open_file(source).read_all(),
        Postings.load(folder),
        Alignments.load(folder),
        KINDS[vectors["kind"]].load(folder, vectors),
        manifest["encoder"],
        manifest["roots"],
    )


def check(folder: Path) -> dict[str, Any]:
    """The manifest of a generation, after each file was held against it; nothing is loaded.

    Raises:
        DamagedIndex: a file is missing, of another size or of another content than the manifest says.
    """
    manifest = read_manifest(folder)
    for name, said in manifest["files"].items():
        _check(folder / name, said)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a generation.

    Raises:
        DamagedIndex: it is missing, unreadable or of a newer format.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["format"] > FORMAT:
            raise DamagedIndex(
                f"the index {folder} has format {manifest['format']}, known is {FORMAT}", "upgrade tablelens"
            )
        unshared = manifest["vectors"]["kind"] == "hnsw" and "vector_elements.npy" not in manifest["files"]
        if manifest["format"] < FORMAT or unshared:
            raise DamagedIndex(f"the index {folder} was written by an older tablelens", REBUILD)
        if manifest.pop("blake3", None) not in (None, _seal(manifest)):
            raise ValueError("its own checksum differs")
        if missing := {"files", "vectors", "encoder", "roots"} - manifest.keys():
            raise ValueError(f"without {', '.join(sorted(missing))}")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedIndex(f"the index {folder} has no readable manifest: {error}", REBUILD) from error
    return manifest


def seal_of(folder: Path) -> str:
    """The checksum that a generation's manifest carries of itself: no two generations have the same."""
    return str(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["blake3"])


def generations(home: Path) -> Iterator[int]:
    """Numbers of the generations on disk, ascending."""
    names = [path.name for path in (home / "index").iterdir()] if (home / "index").is_dir() else []
    yield from sorted(int(name) for name in names if name.isdigit())


def unneeded(home: Path, keep: int) -> list[int]:
    """Generations before the ``keep`` newest, and those that were cut off before they could answer."""
    now = current(home) or 0
    return [number for number in generations(home) if number > now or number <= now - keep]


def drop(home: Path, number: int) -> None:
    """Remove a generation's files."""
    shutil.rmtree(folder_of(home, number), ignore_errors=True)
    catalog_of(home, number).unlink(missing_ok=True)


def sweep(home: Path, keep: set[int]) -> None:
    """Remove what a crawl that was cut off left lying: half-written generations and snapshots."""
    for partial in (home / "index").glob("*.tmp"):
        shutil.rmtree(partial, ignore_errors=True)
    for snapshot in home.glob("catalog-*"):
        number = snapshot.stem.removeprefix("catalog-")
        if snapshot.suffix in (".tmp", ".wal") or (number.isdigit() and int(number) not in keep):
            snapshot.unlink(missing_ok=True)


REBUILD = "run `tablelens crawl` again: the index is rebuilt from the catalogue, no file is read anew"


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise IndexFault(
            f"cannot write the index {path}: {error}", "make room on the disk and crawl again: no file is read anew"
        ) from error


def _seal(manifest: dict[str, Any]) -> str:
    """The checksum of a manifest without itself."""
    return blake3(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _check(path: Path, said: dict[str, Any]) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DamagedIndex(f"the index file {path} is missing", REBUILD) from error
    if size != said["bytes"]:
        raise DamagedIndex(f"the index file {path} has {size:,} bytes, the manifest says {said['bytes']:,}", REBUILD)
    if _checksum(path) != said["blake3"]:
        raise DamagedIndex(f"the index file {path} is not what was written: its checksum differs", REBUILD)


def _checksum(path: Path) -> str:
    hasher = blake3(max_threads=blake3.AUTO)
    if path.stat().st_size < MAPPED:
        hasher.update(path.read_bytes())
    else:
        hasher.update_mmap(path)
    return hasher.hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
