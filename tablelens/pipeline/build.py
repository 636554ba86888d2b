"""The build: catalogue → texts → vectors → index generation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tablelens.catalog import verdicts
from tablelens.catalog.snapshot import speak, speaks
from tablelens.catalog.store import Catalog
from tablelens.discover.rank import Calibration
from tablelens.discover.view import LakeView
from tablelens.encoders.base import ColumnEncoder
from tablelens.errors import DamagedIndex, EncoderError, IndexFault, NoLake
from tablelens.index import generation
from tablelens.index.alignments import Alignments
from tablelens.index.base import VectorIndex
from tablelens.index.exact import ExactIndex
from tablelens.index.hnsw import HnswIndex
from tablelens.index.ivf import IvfIndex
from tablelens.index.postings import Postings
from tablelens.index.words import WordIndex
from tablelens.pipeline.drift import Before
from tablelens.pipeline.spoken import spoken_of
from tablelens.pipeline.texts import column_texts, contents_of, encodable
from tablelens.progress import Progress, Stopwatch
from tablelens.settings import Settings
from tablelens.types import ColumnText, Hashes, Ids, Vectors

ENCODE_BATCH = 4096
GROWN = 0.1
"""Share of a graph that may be added and removed before it is built anew."""


def answers(home: Path, number: int, encoder: ColumnEncoder, settings: Settings) -> bool:
    """Whether the current generation is whole and was made as the settings ask."""
    try:
        manifest = generation.check(generation.folder_of(home, number))
    except DamagedIndex:
        return False
    made, named = manifest["encoder"], "named.npy" in manifest["files"]  # without it SQL has no names
    return made == describe(encoder, settings) and named and speaks(generation.catalog_of(home, number))


def describe(encoder: ColumnEncoder, settings: Settings) -> dict[str, str | int]:
    """What a generation says of its vectors; vectors of different makes never mix."""
    return {
        "name": encoder.name,
        "revision": encoder.revision,
        "dimension": encoder.dimension,
        "template": settings.template,
        "unit": settings.stat_unit,
        "dtype": "float32",
    }


def build_generation(
    home: Path, catalog: Catalog, encoder: ColumnEncoder, settings: Settings, progress: Progress, watch: Stopwatch
) -> int:
    """Turn the catalogue into a new generation and let it answer; its number."""
    collect(home, settings.keep_generations)  # what earlier builds left that were cut off
    with watch.stage("postings"):
        columns = catalog.columns()
        flat, sizes = catalog.value_sets()
        postings = Postings.build_flat(flat, sizes, np.asarray(columns["exact"].to_numpy(zero_copy_only=False), bool))
        alignments = align_tables(columns, catalog.alignments())
    before = Before.of(home) if settings.encode_most else None
    with watch.stage("encode"):
        encode_columns(catalog, columns, postings, encoder, settings, progress, before)
    with watch.stage("index"):
        ids, matrix = catalog.embeddings(encoder.revision)
        about: dict[str, Any] = dict(describe(encoder, settings))
        if before is not None:
            ids, matrix, more = before.fill(ids, matrix, columns["id"].to_numpy()[encodable(columns)], encoder.revision)
            about |= more
        order = np.argsort(columns["order"].to_numpy()[np.searchsorted(columns["id"].to_numpy(), ids)])
        vectors = index_vectors(home, ids[order], matrix[order], encoder, settings)
    with watch.stage("write"):
        number = catalog.next_generation()
        roots = {name: root for _, name, root in catalog.lakes()}
        words = WordIndex.build(columns)
        generation.save(home, number, columns, postings, alignments, vectors, words, about, roots)
        catalog.add_generation(number, encoder.name, encoder.revision, columns.num_rows)
        made = generation.Generation(number, columns, postings, alignments, vectors, about, roots)
        seal = generation.seal_of(generation.folder_of(home, number))
        spoken = spoken_of(LakeView(made), words, Calibration.of(encoder.name), settings, seal)
        catalog.snapshot(generation.catalog_of(home, number), lambda copy: speak(copy, spoken))
        verdicts.publish(home, catalog.verdicts())
        generation.publish(home, number)
        collect(home, settings.keep_generations)
    return number


def align_tables(columns: pa.Table, kept: pa.Table) -> Alignments:
    """The catalogue's alignments with columns as places: a table's columns lie together, in the order of the file."""
    table_ids = columns["table_id"].to_numpy()
    starts = np.searchsorted(table_ids, kept["table_id"].to_numpy())
    tables = []
    for start, positions, cells in zip(starts.tolist(), kept["positions"], kept["cells"], strict=True):
        places = start + positions.values.to_numpy()
        tables.append((places, cells.values.to_numpy().reshape(len(places), -1)))
    return Alignments.build(tables)


def encode_columns(
    catalog: Catalog,
    columns: pa.Table,
    postings: Postings,
    encoder: ColumnEncoder,
    settings: Settings,
    progress: Progress,
    before: Before | None = None,
) -> None:
    """Give a vector to each text column. What was encoded once, in whichever column, is not encoded again.

    With ``before`` no more than ``encode_most`` of the columns that have a vector there are encoded, drawn evenly.
    """
    places = np.flatnonzero(encodable(columns))
    ids = columns["id"].to_numpy()[places]
    contents, have = _contents(catalog, ids, encoder)
    left = np.flatnonzero(~have)
    carried = np.isin(ids[left], before.ids) if before is not None else np.zeros(len(left), bool)
    spread = left[carried][np.argsort(_scattered(ids[left[carried]]))]
    known = set(catalog.encoded(encoder.revision).tolist())
    progress.start("encode", len(left), 0)
    for numbers, room in ((left[~carried], len(left)), (spread, settings.encode_most)):
        for batch, texts in _texts(columns, places[numbers], postings, encoder, settings):
            contents[numbers[batch]] = keys = contents_of(texts, encoder)
            fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            fresh = dict(islice(fresh.items(), max(room, 0)))
            room -= len(fresh)
            if fresh:
                vectors = _encode(encoder, list(fresh.values()))
                catalog.store_vectors(np.array(list(fresh), np.uint64), vectors, encoder.name, encoder.revision)
                known.update(fresh)
            progress.advance(len(batch), 0)
    progress.end()
    done = have | np.isin(contents, np.fromiter(known, np.uint64, len(known)))
    catalog.set_contents(ids[done], contents[done], encoder.revision)


def _scattered(ids: Ids) -> Hashes:
    """Numbers of no order that go with ids: the upper half of a multiplicative hash."""
    return ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)


def _texts(
    columns: pa.Table, places: Ids, postings: Postings, encoder: ColumnEncoder, settings: Settings
) -> Iterator[tuple[Ids, list[ColumnText]]]:
    """Texts of columns in batches, and which of ``places`` they are of.

    Document frequency is counted in a column's own lake: no vector tells what other lakes of the home hold.
    """
    lakes = columns["lake"].combine_chunks().dictionary_encode().indices.to_numpy()
    for lake in np.unique(lakes[places]):
        own = np.flatnonzero(lakes == lake)
        alone = len(own) == len(lakes)
        part, held = (columns, postings) if alone else (columns.take(own), postings.only(own))
        asked = np.flatnonzero(lakes[places] == lake)
        for start in range(0, len(asked), ENCODE_BATCH):
            batch = asked[start : start + ENCODE_BATCH]
            theirs = np.searchsorted(own, places[batch])
            yield batch, column_texts(part, theirs, held, encoder.max_tokens, settings, encoder.reads)


def _contents(catalog: Catalog, ids: Ids, encoder: ColumnEncoder) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """What each column's vector is made of, where that is known and cannot have changed, and where it is."""
    contents, have = np.zeros(len(ids), np.uint64), np.zeros(len(ids), bool)
    if not {"text", "commonness"}.intersection(encoder.reads):  # these two depend on the lake, all else on the column
        known, kept = catalog.contents(encoder.revision)
        _, at, mine = np.intersect1d(ids, known, assume_unique=True, return_indices=True)
        contents[at], have[at] = kept[mine], True
    return contents, have


def _encode(encoder: ColumnEncoder, texts: list[ColumnText]) -> Vectors:
    vectors = encoder.encode(texts)
    if vectors.shape != (len(texts), encoder.dimension) or not np.isfinite(vectors).all():
        raise EncoderError(
            f"encoder {encoder.name!r} gave vectors of shape {vectors.shape}, or some that are not finite",
            f"expected are finite vectors of shape ({len(texts)}, {encoder.dimension})",
        )
    return vectors


def index_vectors(
    home: Path,
    ids: Ids,
    matrix: Vectors,
    encoder: ColumnEncoder,
    settings: Settings,
) -> VectorIndex:
    """An index of all vectors: exact where they are few, an inverted file where they are very many, else a graph.

    The graph is the one before with what changed, or a new one.
    """
    few, many = len(ids) < settings.exact_search_below, len(ids) >= settings.graph_search_below
    if few or many:
        index = ExactIndex(encoder.dimension) if few else IvfIndex(encoder.dimension, probes=settings.ivf_probes)
        if len(ids):
            index.add(ids, matrix)
        return index
    grown = grow(home, ids, matrix, encoder, settings)
    if grown is not None:
        return grown
    graph = HnswIndex(
        encoder.dimension,
        m=settings.hnsw_m,
        ef_construction=settings.hnsw_ef_construction,
        ef=settings.hnsw_ef,
    )
    graph.add(ids, matrix)
    return graph


def grow(
    home: Path,
    ids: Ids,
    matrix: Vectors,
    encoder: ColumnEncoder,
    settings: Settings,
) -> HnswIndex | None:
    """The graph of the generation before with columns removed and added, if it fits and little has changed."""
    try:
        before = generation.load(home)
    except (IndexFault, NoLake):
        return None
    graph = before.vectors
    if not isinstance(graph, HnswIndex) or before.encoder != describe(encoder, settings):
        return None
    there = graph.labels()
    gone, old = np.setdiff1d(there, ids), np.isin(ids, there)
    new = ~old
    new[old] = (graph.vectors(ids[old]) != matrix[old]).any(axis=1)  # a vector can change with the lake around it
    if len(gone) + int(new.sum()) > GROWN * len(ids):
        return None
    try:
        graph.remove(gone)
        graph.add(ids[new], matrix[new])
    except IndexFault:  # a vector longer than the graph has room for
        return None
    return graph


def collect(home: Path, keep: int) -> list[int]:
    """Remove generations before the ``keep`` newest, and what a crawl that was cut off left; the numbers removed."""
    gone = generation.unneeded(home, keep)
    for number in gone:
        generation.drop(home, number)
    now = generation.current(home) or 0
    generation.sweep(home, keep=set(range(now - keep + 1, now + 1)))
    return gone
