"""The build: catalogue → texts → vectors → index generation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from tablelens.catalog import verdicts
from tablelens.catalog.store import Catalog
from tablelens.contextualize.cells import choose_cells
from tablelens.contextualize.templates import ColumnFacts, contextualize
from tablelens.encoders.base import ColumnEncoder
from tablelens.errors import DamagedIndex, EncoderError, IndexFault, NoLake
from tablelens.index import generation
from tablelens.index.base import VectorIndex
from tablelens.index.exact import ExactIndex
from tablelens.index.hnsw import HnswIndex
from tablelens.index.ivf import IvfIndex
from tablelens.index.postings import Postings
from tablelens.index.words import WordIndex
from tablelens.profile.normalize import hash_cells
from tablelens.progress import Progress, Stopwatch
from tablelens.settings import Settings
from tablelens.types import ColumnProfile, ColumnText, Hashes, Ids, Vectors

ENCODE_BATCH = 4096
GROWN = 0.1
"""Share of a graph that may be added and removed before it is built anew."""


def answers(home: Path, number: int, encoder: ColumnEncoder, settings: Settings) -> bool:
    """Whether the current generation is whole and was made as the settings ask."""
    try:
        made = generation.check(generation.folder_of(home, number))["encoder"]
    except DamagedIndex:
        return False
    return made == describe(encoder, settings) and generation.catalog_of(home, number).is_file()


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
    with watch.stage("postings"):
        columns = catalog.columns()
        flat, sizes = catalog.value_sets()
        postings = Postings.build_flat(flat, sizes, np.asarray(columns["exact"].to_numpy(zero_copy_only=False), bool))
    with watch.stage("encode"):
        encode_columns(catalog, columns, postings, encoder, settings, progress)
    with watch.stage("index"):
        ids, matrix = catalog.embeddings(encoder.revision, template_key(settings))
        order = np.argsort(columns["order"].to_numpy()[np.searchsorted(columns["id"].to_numpy(), ids)])
        vectors = index_vectors(home, ids[order], matrix[order], encoder, settings)
    with watch.stage("write"):
        number = catalog.next_generation()
        roots = {name: root for _, name, root in catalog.lakes()}
        words = WordIndex.build(columns)
        generation.save(home, number, columns, postings, vectors, words, describe(encoder, settings), roots)
        catalog.add_generation(number, encoder.name, encoder.revision, columns.num_rows)
        catalog.snapshot(generation.catalog_of(home, number))
        verdicts.publish(home, catalog.verdicts())
        generation.publish(home, number)
        collect(home, settings.keep_generations)
    return number


def template_key(settings: Settings) -> str:
    """Template and unit as the catalogue keeps them beside a vector."""
    return f"{settings.template}/{settings.stat_unit}"


def encode_columns(
    catalog: Catalog,
    columns: pa.Table,
    postings: Postings,
    encoder: ColumnEncoder,
    settings: Settings,
    progress: Progress,
) -> None:
    """Give a vector to each text column that has none of this encoder."""
    have = catalog.embedded(encoder.revision, template_key(settings))
    ids = columns["id"].to_numpy()
    wanted = (columns["family"].to_numpy(zero_copy_only=False) == "text") & (
        columns["excluded"].to_numpy(zero_copy_only=False) == ""
    )
    places = np.flatnonzero(wanted & ~np.isin(ids, have))
    progress.start("encode", len(places), 0)
    for start in range(0, len(places), ENCODE_BATCH):
        batch = places[start : start + ENCODE_BATCH]
        texts = column_texts(columns, batch, postings, encoder.max_tokens, settings)
        vectors = encoder.encode(texts)
        if vectors.shape != (len(batch), encoder.dimension) or not np.isfinite(vectors).all():
            raise EncoderError(
                f"encoder {encoder.name!r} gave vectors of shape {vectors.shape}, or some that are not finite",
                f"expected are finite vectors of shape ({len(batch)}, {encoder.dimension})",
            )
        catalog.store_embeddings(_embedding_rows(ids[batch], texts, vectors, encoder, settings))
        progress.advance(len(batch), 0)
    progress.end()


def column_texts(
    columns: pa.Table, places: Ids, postings: Postings, max_tokens: int, settings: Settings
) -> list[ColumnText]:
    """Contextualise columns: cells by falling document frequency over the lake, then the template."""
    names = ("column", "title", "cells", "distinct", "lengths")
    rows = columns.select(names).take(pa.array(places)).to_pylist()
    texts = []
    for place, row in zip(places.tolist(), rows, strict=True):
        cells = choose_cells(row["cells"], frequencies(row["cells"], postings), max_tokens)
        most, least, mean, most_words, least_words, mean_words = row["lengths"]
        facts = ColumnFacts(
            row["column"],
            row["title"],
            cells,
            row["distinct"],
            (int(most), int(least), mean),
            (int(most_words), int(least_words), mean_words),
        )
        texts.append(_filled(facts, postings.hashes_of(place), settings))
    return texts


def column_text(
    profile: ColumnProfile, title: str, postings: Postings, max_tokens: int, settings: Settings
) -> ColumnText:
    """Contextualise a column from outside the lake, by the lake's document frequencies."""
    p = profile
    facts = ColumnFacts(
        p.name,
        title,
        choose_cells(p.cells, frequencies(p.cells, postings), max_tokens),
        p.distinct,
        (p.max_length, p.min_length, p.mean_length),
        (p.max_words, p.min_words, p.mean_words),
    )
    return _filled(facts, p.values.hashes, settings)


def _filled(facts: ColumnFacts, hashes: Hashes, settings: Settings) -> ColumnText:
    text = contextualize(facts, settings.template, settings.stat_unit)
    return ColumnText(text, facts.name, tuple(facts.cells), hashes, facts.distinct)


def frequencies(cells: Sequence[str], postings: Postings) -> npt.NDArray[np.int64]:
    """Document frequency of each cell: how many columns of the lake hold its value."""
    found = postings.find(hash_cells(cells))
    counts = np.zeros(len(found), np.int64)
    counts[found >= 0] = postings.frequency(found[found >= 0])
    return counts


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
    gone, new = np.setdiff1d(there, ids), ~np.isin(ids, there)
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


def _embedding_rows(
    ids: Ids, texts: list[ColumnText], vectors: Vectors,
    encoder: ColumnEncoder, settings: Settings,
) -> pa.Table:  # fmt: skip
    content = [
        xxhash.xxh3_64_intdigest(text.text.encode("utf-8", "surrogatepass") + text.values.tobytes()) for text in texts
    ]
    n = len(texts)
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
    return pa.table(
        {
            "column_id": pa.array(ids),
            "content": pa.array(content, pa.uint64()),
            "encoder": pa.array([encoder.name] * n),
            "revision": pa.array([encoder.revision] * n),
            "template": pa.array([template_key(settings)] * n),
            "dtype": pa.array(["float32"] * n),
            "vector": pa.FixedSizeListArray.from_arrays(flat, encoder.dimension).cast(pa.list_(pa.float32())),
        }
    )
