"""Columns as an encoder sees them: contextualised by the lake as it is, and what of them a vector depends on.

Which cells a text holds, and in which order, depends on the whole lake. So for an encoder that reads the text, the text
of every column is made anew at each build, and a column whose text is another is encoded again: a home that was crawled
again and again equals one that is crawled afresh. An encoder that does not read it gets none, and all cells that are
kept, which depend on the column alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from tablelens.contextualize.cells import choose_cells, commonness
from tablelens.contextualize.templates import ColumnFacts, contextualize, needs_context, table_context
from tablelens.encoders.base import ColumnEncoder
from tablelens.index.postings import Postings
from tablelens.profile.normalize import hash_cells
from tablelens.settings import Settings
from tablelens.types import ColumnProfile, ColumnText, Hashes, Ids


def column_texts(
    columns: pa.Table,
    places: Ids,
    postings: Postings,
    max_tokens: int,
    settings: Settings,
    reads: Sequence[str] = ("text",),
) -> list[ColumnText]:
    """Columns of the lake for an encoder that ``reads`` some fields: cells by document frequency, then the template."""
    names = ("table_id", "column", "title", "cells", "distinct", "lengths")
    rows = columns.select(names).take(pa.array(places)).to_pylist()
    if "text" not in reads:
        return [
            ColumnText(
                "",
                row["column"],
                tuple(row["cells"]),
                postings.hashes_of(place),
                row["distinct"],
                commonness(postings.frequency(postings.values_of(place))),
            )
            for place, row in zip(places.tolist(), rows, strict=True)
        ]
    counts = _split(frequencies([cell for row in rows for cell in row["cells"]], postings), rows)
    contexts = _contexts(columns, places) if needs_context(settings.template) else {}
    texts = []
    for place, row, frequency in zip(places.tolist(), rows, counts, strict=True):
        context = table_context(row["column"], contexts.get(row["table_id"], ()))
        most, least, mean, most_words, least_words, mean_words = row["lengths"]
        facts = ColumnFacts(
            row["column"],
            row["title"],
            choose_cells(row["cells"], frequency, max_tokens, context),
            row["distinct"],
            (int(most), int(least), mean),
            (int(most_words), int(least_words), mean_words),
            context,
        )
        texts.append(_filled(facts, postings.hashes_of(place), settings))
    return texts


def column_text(
    profile: ColumnProfile,
    title: str,
    postings: Postings,
    max_tokens: int,
    settings: Settings,
    names: Sequence[str] = (),
    reads: Sequence[str] = ("text",),
) -> ColumnText:
    """A column from outside the lake, by the lake's document frequencies; ``names`` are all columns' of its table."""
    p = profile
    if "text" not in reads:
        held = value_frequencies(p.values.hashes, postings) + 1  # as if it were in the lake
        return ColumnText("", p.name, p.cells, p.values.hashes, p.distinct, commonness(held))
    context = table_context(p.name, names if needs_context(settings.template) else ())
    facts = ColumnFacts(
        p.name,
        title,
        choose_cells(p.cells, frequencies(p.cells, postings), max_tokens, context),
        p.distinct,
        (p.max_length, p.min_length, p.mean_length),
        (p.max_words, p.min_words, p.mean_words),
        context,
    )
    return _filled(facts, p.values.hashes, settings)


def encodable(columns: pa.Table) -> npt.NDArray[np.bool_]:
    """Which columns of a catalogue have a vector: those of text that take part in joins."""
    family, excluded = (columns[name].to_numpy(zero_copy_only=False) for name in ("family", "excluded"))
    return np.asarray((family == "text") & (excluded == ""))


def contents_of(texts: Sequence[ColumnText], encoder: ColumnEncoder) -> list[int]:
    """A 64-bit hash of what the encoder reads of each column: columns that share it have the same vector."""
    return [_content(text, encoder.reads) for text in texts]


def frequencies(cells: Sequence[str], postings: Postings) -> npt.NDArray[np.int64]:
    """Document frequency of each cell: how many columns of the lake hold its value."""
    return value_frequencies(hash_cells(cells), postings)


def value_frequencies(hashes: Hashes, postings: Postings) -> npt.NDArray[np.int64]:
    """Document frequency of each value by its hash."""
    found = postings.find(hashes)
    counts = np.zeros(len(found), np.int64)
    counts[found >= 0] = postings.frequency(found[found >= 0])
    return counts


def _filled(facts: ColumnFacts, hashes: Hashes, settings: Settings) -> ColumnText:
    text = contextualize(facts, settings.template, settings.stat_unit)
    return ColumnText(text, facts.name, tuple(facts.cells), hashes, facts.distinct)


def _content(column: ColumnText, reads: Sequence[str]) -> int:
    digest = xxhash.xxh3_64()
    for name in reads:
        value = getattr(column, name)
        if name == "cells":  # a set: their order is a matter of the text
            value = "\0".join(f"{len(cell)}:{cell}" for cell in sorted(value))
        data = value.tobytes() if isinstance(value, np.ndarray) else str(value).encode("utf-8", "surrogatepass")
        digest.update(f"{name}:{len(data)}:".encode() + data)
    return digest.intdigest()


def _split(counts: npt.NDArray[np.int64], rows: Sequence[dict[str, list[str]]]) -> list[npt.NDArray[np.int64]]:
    """Counts of all cells, end to end, by row."""
    return np.split(counts, np.cumsum([len(row["cells"]) for row in rows])[:-1]) if rows else []


def _contexts(columns: pa.Table, places: Ids) -> dict[int, list[str]]:
    """The column names of the tables of some columns, by table id."""
    tables = columns["table_id"].to_numpy()
    asked = np.unique(tables[places])
    starts, ends = np.searchsorted(tables, asked), np.searchsorted(tables, asked, side="right")
    names = columns["column"]
    return {
        int(table): names.slice(start, end - start).to_pylist()
        for table, start, end in zip(asked.tolist(), starts.tolist(), ends.tolist(), strict=True)
    }
